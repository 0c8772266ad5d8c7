// SPDX-License-Identifier: MIT
/*
 * What a call of /dev/kgo does when an allocation in it fails: it returns ENOMEM,
 * changes nothing, and works the next time. And when a copy from or to user space
 * fails: it returns EFAULT. Needs a kernel with fault injection, and root.
 *
 * First each call of a session is made with its first fallible step failing, then
 * with its second, and so on until it has no more of them (fail-nth in /proc).
 * Then whole sessions run in tasks whose steps fail at random (make-it-fail).
 *
 * All run in a memory cgroup, which at the end must not be charged for memory per
 * CPU: no other check sees that leak. Other leaks are for the caller to look for,
 * with kmemleak and page_owner.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <linux/kgo.h>

#define NR_P		3
#define NR_M		200
#define MOST_STEPS	1000	/* of one call; the kernel's own take their share */
#define SESSIONS	300	/* with random failures */
#define LIMIT_S		30	/* for a call that waits for what does not come */

#define CGROUPS		"/sys/fs/cgroup"
#define CGROUP		CGROUPS "/faults"

#define ARRAY_SIZE(array)	(sizeof(array) / sizeof((array)[0]))

/**
 * struct session - one use of the device
 * @fd: the open file, or -1
 * @setup: what SETUP answered
 * @map: the shared pages, or NULL
 */
struct session {
	int fd;
	struct kgo_setup setup;
	char *map;
};

struct call {
	const char *name;
	int (*make)(struct session *s);
};

static int call(struct session *s, unsigned long request, void *args)
{
	return ioctl(s->fd, request, args) < 0 ? -errno : 0;
}

static struct kgo_runtime *runtime(struct session *s)
{
	return (struct kgo_runtime *)s->map;
}

static struct kgo_p *first_p(struct session *s)
{
	return (struct kgo_p *)(s->map + s->setup.p_offset);
}

static struct kgo_m *first_m(struct session *s)
{
	return (struct kgo_m *)(s->map + s->setup.m_offset);
}

static int make_open(struct session *s)
{
	s->fd = open("/dev/kgo", O_RDWR | O_CLOEXEC);
	return s->fd < 0 ? -errno : 0;
}

static int make_setup(struct session *s)
{
	struct kgo_setup args = {
		.size = sizeof(args), .nr_p = NR_P, .nr_m = NR_M,
		.spare_low = 1,
	};
	int ret = call(s, KGO_IOC_SETUP, &args);

	if (!ret)
		s->setup = args;
	return ret;
}

static int make_mmap(struct session *s)
{
	void *map = mmap(NULL, s->setup.map_size, PROT_READ | PROT_WRITE,
			 MAP_SHARED, s->fd, 0);

	if (map == MAP_FAILED)
		return -errno;
	s->map = map;
	return 0;
}

/* A page fault whose allocation fails is taken once more. */
static int make_fault(struct session *s)
{
	__atomic_store_n(&runtime(s)->globq_len, 1, __ATOMIC_SEQ_CST);
	__atomic_store_n(&first_p(s)->word, KGO_P_IDLE, __ATOMIC_SEQ_CST);
	__atomic_store_n(&runtime(s)->idle[0], 1, __ATOMIC_SEQ_CST);
	return 0;
}

static int make_enter(struct session *s)
{
	struct kgo_enter args = { .size = sizeof(args) };

	return call(s, KGO_IOC_ENTER, &args);
}

static int make_stats(struct session *s)
{
	struct kgo_stats args = { .size = sizeof(args) };

	return call(s, KGO_IOC_STATS, &args);
}

/* There is no spare: the next one to park is to find the P by itself. */
static int make_wake(struct session *s)
{
	struct kgo_wake args = { .size = sizeof(args) };
	int ret = call(s, KGO_IOC_WAKE, &args);

	return ret == -EAGAIN ? 0 : ret;
}

/* Returns at once, because of that. */
static int make_park(struct session *s)
{
	struct kgo_park args = { .size = sizeof(args) };

	return call(s, KGO_IOC_PARK, &args);
}

/* Nobody is held. */
static int make_pass(struct session *s)
{
	struct kgo_pass args = { .size = sizeof(args) };
	int ret = call(s, KGO_IOC_PASS, &args);

	return ret == -EAGAIN ? 0 : ret;
}

static int make_p_idle(struct session *s)
{
	first_m(s)->hold = KGO_HOLD_NONE;
	__atomic_store_n(&first_p(s)->word, KGO_P_IDLE, __ATOMIC_SEQ_CST);
	return 0;
}

/* Returns at once: that there was no spare is an event. */
static int make_wait(struct session *s)
{
	struct kgo_wait args = {
		.size = sizeof(args), .events = KGO_EVENT_SPARES,
	};

	return call(s, KGO_IOC_WAIT, &args);
}

static int make_leave(struct session *s)
{
	return call(s, KGO_IOC_LEAVE, NULL);
}

static int make_munmap(struct session *s)
{
	if (s->map && munmap(s->map, s->setup.map_size))
		return -errno;
	s->map = NULL;
	return 0;
}

static int make_close(struct session *s)
{
	int fd = s->fd;

	s->fd = -1;
	return fd >= 0 && close(fd) ? -errno : 0;
}

static const struct call calls[] = {
	{ "open", make_open },
	{ "SETUP", make_setup },
	{ "mmap", make_mmap },
	{ "a page fault", make_fault },
	{ "ENTER", make_enter },
	{ "STATS", make_stats },
	{ "WAKE", make_wake },
	{ "PARK", make_park },
	{ "PASS", make_pass },
	{ "giving up a P", make_p_idle },
	{ "WAIT", make_wait },
	{ "LEAVE", make_leave },
	{ "munmap", make_munmap },
	{ "close", make_close },
};

static const struct call no_call = { "no call", NULL };

/* What came out of a test, from the process that made it. */
struct outcome {
	bool good;
	char what[256];
};

static struct outcome *outcome;

static void give_up(const char *what)
{
	printf("Bail out! %s: %s\n", what, strerror(errno));
	exit(1);
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		give_up(path);
	close(fd);
}

static void set_up_faults(const char *kind, const char *option,
			  const char *text)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/kernel/debug/%s/%s", kind, option);
	write_file(path, text);
}

static void conclude(bool good, const char *format, ...)
{
	va_list args;

	outcome->good = good;
	va_start(args, format);
	vsnprintf(outcome->what, sizeof(outcome->what), format, args);
	va_end(args);
}

/* For the step of the calling thread that is to fail, counted from one. */
static int fail_nth = -1;

static void fail_step(int n)
{
	char text[16];
	int length = snprintf(text, sizeof(text), "%d", n);

	if (pwrite(fail_nth, text, length, 0) != length)
		give_up("fail-nth");
}

/* Whether that step was reached; no step fails from now on. */
static bool step_failed(void)
{
	char text[16] = "";

	/* reading is a fallible step too */
	if (pread(fail_nth, text, sizeof(text) - 1, 0) < 0)
		return false;
	if (atoi(text) == 0)
		return true;
	while (pwrite(fail_nth, "0", 1, 0) != 1)
		;
	return false;
}

static int make_call(const struct call *c, struct session *s)
{
	int ret;

	alarm(LIMIT_S);
	ret = c->make(s);
	alarm(0);
	return ret;
}

/* End a session wherever it is. */
static void abandon(struct session *s)
{
	if (make_leave(s) == -EBUSY) {
		make_p_idle(s);
		make_leave(s);
	}
	make_munmap(s);
	make_close(s);
}

/*
 * Make all calls; the one named fails in step @n, and is then made again. Clears
 * @failed if it has no such step. Where that step is a copy, the session ends: a
 * call that can't tell its answer may have been made.
 */
static bool run_session(const struct call *failing, int n, bool *failed)
{
	struct session s = { .fd = -1 };
	unsigned int i;
	int ret;

	for (i = 0; i < ARRAY_SIZE(calls); i++) {
		const struct call *c = &calls[i];

		if (c == failing)
			fail_step(n);
		ret = make_call(c, &s);
		if (c == failing) {
			*failed = step_failed();
			if (*failed && ret == -EFAULT) {
				abandon(&s);
				return true;
			}
			if (*failed && ret == -ENOMEM)
				ret = make_call(c, &s);
		}
		if (ret) {
			conclude(false, "step %d failed, then %s: %s", n,
				 c->name, strerror(-ret));
			abandon(&s);
			return false;
		}
	}
	return true;
}

static void fail_each_step(const struct call *c)
{
	bool failed = true;
	int n;

	fail_nth = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	if (fail_nth < 0)
		give_up("fail-nth");
	for (n = 1; n <= MOST_STEPS; n++) {
		if (!run_session(c, n, &failed))
			return;
		if (!failed) {
			conclude(true, "any of %d steps may fail", n - 1);
			return;
		}
	}
	conclude(false, "there is no end of steps");
}

static void fail_nothing(const struct call *c)
{
	if (run_session(c, 0, NULL))
		conclude(true, "all calls work");
}

/* Let the calling thread's steps fail at random, or not. */
static void random_faults(bool on)
{
	int fd;

	/* that may fail at random, too */
	do
		fd = open("/proc/thread-self/make-it-fail",
			  O_WRONLY | O_CLOEXEC);
	while (fd < 0);
	while (write(fd, on ? "1" : "0", 1) != 1)
		;
	close(fd);
}

/* An M that leaves, and one whose thread just ends. */
static void *enter_and_leave(void *arg)
{
	struct session *s = arg;

	random_faults(true);
	if (!make_enter(s)) {
		make_stats(s);
		make_leave(s);
	}
	return NULL;
}

static void *enter_and_end(void *arg)
{
	random_faults(true);
	make_enter(arg);
	return NULL;
}

static void run_random_session(void)
{
	void *(*mains[])(void *) = { enter_and_leave, enter_and_end };
	struct session s = { .fd = -1 };
	pthread_t threads[2];
	bool runs[2];
	int i;

	random_faults(true);
	if (make_open(&s) || make_setup(&s) || make_mmap(&s))
		goto out;
	make_fault(&s);
	/* not in the creation of threads, which the kernel complains about */
	random_faults(false);
	for (i = 0; i < 2; i++)
		runs[i] = !pthread_create(&threads[i], NULL, mains[i], &s);
	random_faults(true);
	if (!make_enter(&s)) {
		make_stats(&s);
		make_leave(&s);
	}
	for (i = 0; i < 2; i++)
		if (runs[i])
			pthread_join(threads[i], NULL);
out:
	make_munmap(&s);
	make_close(&s);
}

static void fail_at_random(const struct call *c)
{
	unsigned int i;

	(void)c;
	for (i = 0; i < SESSIONS; i++)
		run_random_session();
	random_faults(false);
	conclude(true, "%d sessions", SESSIONS);
}

static bool report(const char *name)
{
	static int number;

	printf("%sok %d - %s: %s\n", outcome->good ? "" : "not ", ++number,
	       name, outcome->what);
	return outcome->good;
}

/* Run a test in a process of its own and print its result. */
static bool test(void (*run)(const struct call *c), const struct call *c,
		 const char *name)
{
	int status;
	pid_t pid;

	fflush(stdout);
	conclude(false, "it did not end");
	pid = fork();
	if (pid < 0)
		give_up("fork");
	if (!pid) {
		write_file(CGROUP "/cgroup.procs", "0");
		run(c);
		_exit(0);
	}
	if (waitpid(pid, &status, 0) != pid)
		give_up("waitpid");
	if (status)
		conclude(false, "wait status %#x", status);
	return report(name);
}

/* Bytes per CPU that the cgroup is charged for, negative if that is not told. */
static long percpu_charge(void)
{
	FILE *stat = fopen(CGROUP "/memory.stat", "re");
	char line[128];
	long bytes = -1;

	if (!stat)
		give_up(CGROUP "/memory.stat");
	while (fgets(line, sizeof(line), stat))
		if (sscanf(line, "percpu %ld", &bytes) == 1)
			break;
	fclose(stat);
	return bytes;
}

/* What is freed late is gone within seconds, and told in the statistics then. */
static bool find_percpu_leaks(long before)
{
	struct timespec nap = { .tv_nsec = 100 * 1000 * 1000 };
	long bytes;
	int i;

	for (i = 0; i < LIMIT_S * 10; i++) {
		bytes = percpu_charge();
		if (bytes <= before)
			break;
		nanosleep(&nap, NULL);
	}
	conclude(bytes >= 0 && bytes <= before, "%ld bytes per CPU are left",
		 bytes - before);
	return report("leaks");
}

static void interrupt(int signo)
{
	(void)signo;
}

int main(void)
{
	static const char *const kinds[] = {
		"failslab", "fail_page_alloc", "fail_usercopy",
	};
	struct sigaction action = { .sa_handler = interrupt };
	int failures = 0;
	unsigned int i;
	long percpu;

	printf("TAP version 13\n1..%zu\n", ARRAY_SIZE(calls) + 3);
	outcome = mmap(NULL, sizeof(*outcome), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (outcome == MAP_FAILED)
		give_up("mmap");
	sigaction(SIGALRM, &action, NULL);
	write_file(CGROUPS "/cgroup.subtree_control", "+memory");
	if (mkdir(CGROUP, 0755) && errno != EEXIST)
		give_up(CGROUP);
	percpu = percpu_charge();

	/* whatever can fail is to, and the kernel's log is to say nothing of it */
	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		set_up_faults(kinds[i], "verbose", "0");
		set_up_faults(kinds[i], "task-filter", "Y");
		set_up_faults(kinds[i], "times", "-1");
	}
	set_up_faults("failslab", "ignore-gfp-wait", "N");
	set_up_faults("fail_page_alloc", "ignore-gfp-wait", "N");
	set_up_faults("fail_page_alloc", "ignore-gfp-highmem", "N");
	set_up_faults("fail_page_alloc", "min-order", "0");
	for (i = 0; i < ARRAY_SIZE(calls); i++)
		failures += !test(fail_each_step, &calls[i], calls[i].name);

	for (i = 0; i < ARRAY_SIZE(kinds); i++)
		set_up_faults(kinds[i], "probability", "10");
	failures += !test(fail_at_random, &no_call, "at random");
	for (i = 0; i < ARRAY_SIZE(kinds); i++)
		set_up_faults(kinds[i], "probability", "0");

	failures += !test(fail_nothing, &no_call, "afterwards");
	failures += !find_percpu_leaks(percpu);
	rmdir(CGROUP);
	return !!failures;
}
