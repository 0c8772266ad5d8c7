// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <go.h>

#include "job.h"

#define PERIOD		(5 * GO_MILLISECOND)
#define ALONE		GO_SECOND	/* the ticker, before the workers */
#define TICKS_MAX	(120 * GO_SECOND / PERIOD)
/* Libraries are not written for the 64 KiB that goroutines have by default. */
#define STACK_SIZE	(256 * 1024)

/* How late the ticker was, of each tick. */
struct lateness {
	int n;
	int64_t ns[TICKS_MAX];
};

struct run {
	const struct job *job;
	bool threads;
	struct lateness alone, beside;
	bool begun, done;		/* the workers */
	int next;			/* worker's number */
	int64_t took;
	struct go_stats stats;
	struct go_waitgroup working, ticking;
};

const char *job_target;

void job_fail(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fprintf(stderr, "%s: ", program_invocation_short_name);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	/* not exit(): the other workers are in the middle of something */
	_exit(1);
}

/* ---- the ticker --------------------------------------------------------------- */

static void sleep_until(const struct run *run, int64_t when)
{
	struct timespec ts = { when / GO_SECOND, when % GO_SECOND };

	if (!run->threads)
		go_sleep(when - go_now());
	else
		while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL))
			;
}

/* A tick that has been missed is as late as it was when the next one could come. */
static void tick(struct run *run)
{
	int64_t due = go_now();

	while (!__atomic_load_n(&run->done, __ATOMIC_ACQUIRE)) {
		bool begun = __atomic_load_n(&run->begun, __ATOMIC_ACQUIRE);
		struct lateness *l = begun ? &run->beside : &run->alone;

		due += PERIOD;
		sleep_until(run, due);
		if (l->n < TICKS_MAX)
			l->ns[l->n++] = go_now() - due;
	}
}

static int by_size(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static double quantile_us(struct lateness *l, double share)
{
	int rank = l->n * share;

	if (!l->n)
		return 0;
	qsort(l->ns, l->n, sizeof(*l->ns), by_size);
	return l->ns[rank < l->n ? rank : l->n - 1] / 1000.0;
}

/* ---- goroutines ----------------------------------------------------------------- */

static void tick_goroutine(void *arg)
{
	struct run *run = arg;

	tick(run);
	go_waitgroup_done(&run->ticking);
}

static void work_goroutine(void *arg)
{
	struct run *run = arg;

	run->job->work(run->job, __atomic_fetch_add(&run->next, 1, __ATOMIC_RELAXED));
	go_waitgroup_done(&run->working);
}

static void spawn(void (*fn)(void *), struct run *run)
{
	struct go_opts opts = { .stack_size = STACK_SIZE };
	int ret = go_spawn_opts(fn, run, &opts);

	if (ret)
		job_fail("a goroutine: %s", strerror(-ret));
}

static void run_goroutines(void *arg)
{
	struct run *run = arg;
	int64_t start;
	int i;

	go_waitgroup_add(&run->ticking, 1);
	spawn(tick_goroutine, run);
	go_sleep(ALONE);
	__atomic_store_n(&run->begun, true, __ATOMIC_RELEASE);
	start = go_now();
	go_waitgroup_add(&run->working, run->job->workers);
	for (i = 0; i < run->job->workers; i++)
		spawn(work_goroutine, run);
	go_waitgroup_wait(&run->working);
	run->took = go_now() - start;
	__atomic_store_n(&run->done, true, __ATOMIC_RELEASE);
	go_waitgroup_wait(&run->ticking);
	go_stats_read(&run->stats);
}

/* ---- plain threads ---------------------------------------------------------------- */

static void *tick_thread(void *arg)
{
	tick(arg);
	return NULL;
}

static void *work_thread(void *arg)
{
	struct run *run = arg;

	run->job->work(run->job, __atomic_fetch_add(&run->next, 1, __ATOMIC_RELAXED));
	return NULL;
}

static pthread_t start_thread(void *(*fn)(void *), struct run *run)
{
	pthread_t thread;
	int ret = pthread_create(&thread, NULL, fn, run);

	if (ret)
		job_fail("a thread: %s", strerror(ret));
	return thread;
}

static void run_threads(struct run *run)
{
	pthread_t ticker = start_thread(tick_thread, run);
	pthread_t *workers = calloc(run->job->workers, sizeof(*workers));
	int64_t start;
	int i;

	if (!workers)
		job_fail("no memory");
	sleep_until(run, go_now() + ALONE);
	__atomic_store_n(&run->begun, true, __ATOMIC_RELEASE);
	start = go_now();
	for (i = 0; i < run->job->workers; i++)
		workers[i] = start_thread(work_thread, run);
	for (i = 0; i < run->job->workers; i++)
		pthread_join(workers[i], NULL);
	run->took = go_now() - start;
	__atomic_store_n(&run->done, true, __ATOMIC_RELEASE);
	pthread_join(ticker, NULL);
	free(workers);
	run->stats.assist = "threads";
	run->stats.procs = sysconf(_SC_NPROCESSORS_ONLN);
	run->stats.threads_max = run->job->workers + 2;
}

/* ---- the program ------------------------------------------------------------------ */

static void usage(const struct job *job, FILE *to)
{
	fprintf(to,
		"Usage: %s [OPTION...]\n"
		"\n"
		"%s\n"
		"\n"
		"  --as goroutines|threads  what a worker is (goroutines; GOMAXPROCS and\n"
		"                           LIBGO_ASSIST are theirs)\n"
		"  --workers N              how many (%d)\n"
		"  --rounds N               of each (%d)\n",
		program_invocation_short_name, job->about, job->workers, job->rounds);
	if (job->target)
		fprintf(to, "  --target %s\n", job->target);
}

static int number(const char *text)
{
	char *end;
	long n = strtol(text, &end, 10);

	if (*end || n < 1 || n > 1000000) {
		fprintf(stderr, "%s: '%s' is no number from 1 to 1,000,000\n",
			program_invocation_short_name, text);
		exit(2);
	}
	return n;
}

static void parse(struct job *job, bool *threads, int argc, char **argv)
{
	static const struct option options[] = {
		{ "as", required_argument, NULL, 'a' },
		{ "workers", required_argument, NULL, 'w' },
		{ "rounds", required_argument, NULL, 'r' },
		{ "target", required_argument, NULL, 't' },
		{ "help", no_argument, NULL, 'h' }, {},
	};
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		switch (option) {
		case 'a':
			*threads = !strcmp(optarg, "threads");
			if (*threads || !strcmp(optarg, "goroutines"))
				break;
			usage(job, stderr);
			exit(2);
		case 'w':
			job->workers = number(optarg);
			break;
		case 'r':
			job->rounds = number(optarg);
			break;
		case 't':
			job_target = optarg;
			break;
		default:
			usage(job, option == 'h' ? stdout : stderr);
			exit(option == 'h' ? 0 : 2);
		}
	}
	if (optind < argc || !job->target == !!job_target) {
		usage(job, stderr);
		exit(2);
	}
}

static void report(struct run *run)
{
	printf("{\"library\": \"%s\", \"assist\": \"%s\", \"procs\": %u",
	       run->job->name, run->stats.assist, run->stats.procs);
	printf(", \"workers\": %d, \"rounds\": %d, \"threads\": %u",
	       run->job->workers, run->job->rounds, run->stats.threads_max);
	printf(", \"ms\": %.1f, \"alone_p99_us\": %.1f", run->took / 1e6,
	       quantile_us(&run->alone, .99));
	printf(", \"p50_us\": %.1f, \"p99_us\": %.1f, \"max_us\": %.1f}\n",
	       quantile_us(&run->beside, .5), quantile_us(&run->beside, .99),
	       quantile_us(&run->beside, 1));
}

int job_main(struct job *job, int argc, char **argv)
{
	struct run *run = calloc(1, sizeof(*run));
	int ret = 0;

	if (!run)
		job_fail("no memory");
	run->job = job;
	parse(job, &run->threads, argc, argv);
	if (job->prepare)
		job->prepare(job);
	if (run->threads)
		run_threads(run);
	else
		ret = go_run(run_goroutines, run);
	if (ret)
		job_fail("go_run: %s", strerror(-ret));
	if (job->verify)
		job->verify(job);
	report(run);
	free(run);
	return 0;
}
