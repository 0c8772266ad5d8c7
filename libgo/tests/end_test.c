// SPDX-License-Identifier: MIT
/*
 * The end of the runtime while somebody is in a call of the library, which may be one
 * that takes a lock of the C library's (a goroutine that was stopped there does not run
 * again), while plain threads have timers and files, and while an M is blocked.
 */
#include <dlfcn.h>
#include <malloc.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "runtime.h"
#include "test.h"

#define LONG	(100 * GO_MILLISECOND)	/* of a slice, and of what else has its turn */

/* A sanitizer's sigaction() is another, and a static program has but one. */
#ifdef EMULATED
#define SLOW_SIGACTION	0
#else
#define SLOW_SIGACTION	SANITIZED(0, 1)
#endif

static bool slow, begun;

#if SLOW_SIGACTION
static void compute(void)
{
	int64_t until = go_now() + LONG;

	store(begun, true);
	while (go_now() < until)
		;
}

/* The C library's, but it takes its time. */
int sigaction(int signo, const struct sigaction *act, struct sigaction *old)
{
	static int (*real)(int, const struct sigaction *, struct sigaction *);

	if (!real)
		real = dlsym(RTLD_NEXT, "sigaction");
	if (load(slow) && signo == SIGUSR1)
		compute();
	return real(signo, act, old);
}
#endif

static void notify(void *arg)
{
	store(slow, true);
	go_signal_notify(arg, SIGUSR1);
}

static void notify_main(void *arg)
{
	ck_assert_int_eq(go_spawn(notify, arg), 0);
	/* Until that has been stopped, or is done. */
	while (!load(begun))
		go_yield();
}

START_TEST(who_asks_for_signals)
{
	struct go_chan *ch = go_chan_make(sizeof(int), 1);

	setenv("GOMAXPROCS", "1", 1);
	ck_assert_int_eq(go_run(notify_main, ch), 0);
	go_chan_release(ch);
}
END_TEST

/* ---- stopped in the C library --------------------------------------------------------- */

#define HOGS	3
#define SIZES	64

static bool enough;

static void allocate(void *arg)
{
	void *mem[SIZES];
	int i;

	while (!load(enough)) {
		for (i = 0; i < SIZES; i++)
			mem[i] = malloc(2000 + i * 64);
		for (i = 0; i < SIZES; i++)
			free(mem[i]);
	}
	(void)arg;
}

static void allocate_main(void *delay)
{
	int i;

	/* Those of the last runtime have ended. */
	store(enough, false);
	for (i = 0; i < HOGS; i++)
		ck_assert_int_eq(go_spawn(allocate, NULL), 0);
	go_sleep((intptr_t)delay * GO_MILLISECOND);
	store(enough, true);
}

/* They have malloc()'s lock, perhaps, which go_run() and who called it need. */
START_TEST(who_was_stopped_in_malloc)
{
	int i, k;

	setenv("GOMAXPROCS", "1", 1);
	mallopt(M_ARENA_MAX, 1);
	for (i = 0; i < 40; i++) {
		run_after_another(allocate_main, (void *)(intptr_t)(20 + i * 7 % 30));
		for (k = 0; k < 1000; k++)
			free(malloc(3000 + k));
	}
}
END_TEST

#define LOOPS	50
#define WORK	(50 * GO_MILLISECOND)	/* CPU time */

static void loop(void *arg)
{
	(void)arg;
	for (;;)
		barrier();
}

/* Time for each of them to run, and to be stopped. */
static void loop_main(void *arg)
{
	int i;

	(void)arg;
	for (i = 0; i < LOOPS; i++)
		ck_assert_int_eq(go_spawn(loop, NULL), 0);
	go_sleep(LOOPS * 20 * GO_MILLISECOND);
}

static int64_t own_cpu_time(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return ts.tv_sec * GO_SECOND + ts.tv_nsec;
}

/* They all go on, as it is not known who has a lock; but not instead of the program. */
START_TEST(those_who_were_stopped_leave_the_cpu_to_others)
{
	int64_t begun, until;

	setenv("GOMAXPROCS", "2", 1);
	ck_assert_int_eq(go_run(loop_main, NULL), 0);
	begun = go_now();
	until = own_cpu_time() + WORK;
	while (own_cpu_time() < until)
		;
	ck_assert_int_lt(go_now() - begun, 8 * WORK);
}
END_TEST

/* ---- plain threads ----------------------------------------------------------------- */

#define TIMERS	STARTS(50000)
#define FILES	400
#define ENDS	10
#define USED_ENDS	STARTS(300)
#define END_STEP	(100 * GO_MICROSECOND)	/* later than the last time */
#define END_LIMIT	(100 * GO_MILLISECOND)

static pthread_t thread;
static bool ready;
static int end;

static void begin_thread(void *(*fn)(void *arg))
{
	ck_assert_int_eq(pthread_create(&thread, NULL, fn, NULL), 0);
	wait_until(load(ready));
}

/*
 * It is being taken down, and each time somewhat further; or not yet, as its threads take
 * long to end.
 */
static void await_end(void)
{
	int64_t until = go_now() + END_LIMIT;

	store(ready, true);
	while (load(rt.running) && go_now() < until)
		;
	until = go_now() + end * END_STEP;
	while (go_now() < until)
		;
}

static void run_and_join(go_fn fn)
{
	store(ready, false);
	run_after_another(fn, NULL);
	pthread_join(thread, NULL);
}

static struct go_timer *timers[TIMERS];

static void *free_timers(void *arg)
{
	int i;

	await_end();
	for (i = 0; i < TIMERS; i++)
		go_timer_free(timers[i]);
	return arg;
}

static void end_with_timers(void *arg)
{
	int i;

	(void)arg;
	for (i = 0; i < TIMERS; i++) {
		timers[i] = go_timer_start(3600 * GO_SECOND, nothing, NULL);
		ck_assert_ptr_nonnull(timers[i]);
	}
	begin_thread(free_timers);
}

START_TEST(a_plain_thread_frees_timers)
{
	for (end = 0; end < ENDS; end++)
		run_and_join(end_with_timers);
}
END_TEST

static int files[FILES][2];

static void *close_files(void *arg)
{
	int i;

	await_end();
	for (i = 0; i < FILES; i++)
		ck_assert_int_eq(go_close(files[i][0]), 0);
	return arg;
}

static void end_with_files(void *arg)
{
	int i;

	(void)arg;
	for (i = 0; i < FILES; i++) {
		ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, files[i]), 0);
		ck_assert_int_eq(go_set_deadline(files[i][0],
						 go_now() + 3600 * GO_SECOND), 0);
	}
	begin_thread(close_files);
}

START_TEST(a_plain_thread_closes_files)
{
	char c;
	int i;

	for (end = 0; end < ENDS; end++) {
		run_and_join(end_with_files);
		for (i = 0; i < FILES; i++) {
			/* It is closed. */
			ck_assert_int_eq(read(files[i][1], &c, 1), 0);
			ck_assert_int_eq(close(files[i][1]), 0);
		}
	}
	/* And the numbers may be used again. */
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, files[0]), 0);
	ck_assert_int_eq(go_write(files[0][0], "x", 1), 1);
	ck_assert_int_eq(go_read(files[0][1], &c, 1), 1);
	ck_assert_int_eq(go_close(files[0][0]), 0);
	ck_assert_int_eq(go_close(files[0][1]), 0);
}
END_TEST

static bool stop;

static void *use_file(void *arg)
{
	const int *file = arg;
	int ret;

	store(ready, true);
	while (!load(stop)) {
		ret = go_set_deadline(file[0], go_now() + 3600 * GO_SECOND);
		if (ret != -ESRCH)
			ck_assert_int_eq(ret, 0);
	}
	return arg;
}

/* It is there before and after, so nobody is told that it is closed. */
START_TEST(a_plain_thread_uses_its_file)
{
	int file[2], i;

	ck_assert_int_eq(pipe(file), 0);
	store(stop, false);
	ck_assert_int_eq(pthread_create(&thread, NULL, use_file, file), 0);
	wait_until(load(ready));
	for (i = 0; i < USED_ENDS; i++)
		run_after_another(nothing, NULL);
	store(stop, true);
	pthread_join(thread, NULL);
	ck_assert_int_eq(go_close(file[0]), 0);
	ck_assert_int_eq(go_close(file[1]), 0);
}
END_TEST

/* ---- with an M that is blocked ------------------------------------------------------ */

static int blocked_on[2], blocked_tid;

static void block(void *arg)
{
	char c;

	(void)arg;
	store(blocked_tid, syscall(SYS_gettid));
	if (read(blocked_on[0], &c, 1) == 1)
		go_yield();
	ck_abort_msg("a goroutine goes on after the end of the runtime");
}

static bool sleeps(int tid)
{
	char path[64], line[256], *state;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
	f = fopen(path, "r");
	ck_assert_ptr_nonnull(f);
	ck_assert_ptr_nonnull(fgets(line, sizeof(line), f));
	fclose(f);
	state = strrchr(line, ')');
	return state && state[2] == 'S';
}

/* Before its read(2) it may be stopped, and then no M is blocked. */
static void leave_one_blocked(void *arg)
{
	(void)arg;
	ck_assert_int_eq(pipe(blocked_on), 0);
	ck_assert_int_eq(go_spawn(block, NULL), 0);
	wait_until(load(blocked_tid) && sleeps(load(blocked_tid)));
	go_sleep(GO_MILLISECOND);
}

/* go_run() has returned before the runtime was taken down. */
static void expect_one_blocked(void)
{
	ck_assert_int_eq(go_run(nothing, NULL), -EBUSY);
	ck_assert_int_eq(write(blocked_on[1], "x", 1), 1);
	run_after_another(nothing, NULL);
}

START_TEST(main_ends_while_others_are_blocked)
{
	ck_assert_int_eq(go_run(leave_one_blocked, NULL), 0);
	expect_one_blocked();
}
END_TEST

static int waited_for[2];
static ssize_t got;

static void *wait_for_file(void *arg)
{
	char c;

	store(ready, true);
	got = go_read(waited_for[0], &c, 1);
	return arg;
}

static void end_with_one_blocked(void *arg)
{
	leave_one_blocked(arg);
	begin_thread(wait_for_file);
	go_sleep(5 * GO_MILLISECOND);
}

START_TEST(a_plain_thread_waits_for_a_file)
{
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, waited_for), 0);
	run_and_join(end_with_one_blocked);
	ck_assert_int_eq(got, -ESRCH);
	expect_one_blocked();
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("end");

	if (SLOW_SIGACTION)
		tcase_add_test(tc, who_asks_for_signals);
	tcase_add_test(tc, who_was_stopped_in_malloc);
	if (!SIGNALS_COME_LATE)
		tcase_add_test(tc, those_who_were_stopped_leave_the_cpu_to_others);
	tcase_add_test(tc, a_plain_thread_frees_timers);
	tcase_add_test(tc, a_plain_thread_closes_files);
	tcase_add_test(tc, a_plain_thread_uses_its_file);
	tcase_add_test(tc, main_ends_while_others_are_blocked);
	tcase_add_test(tc, a_plain_thread_waits_for_a_file);
	return run_tests("end", tc);
}
