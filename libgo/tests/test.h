/* SPDX-License-Identifier: MIT */
/*
 * What libgo's tests share. Each test is a process of its own (Check forks), so
 * a failing assertion may end it on any thread and any stack. The results are
 * printed as TAP.
 */
#ifndef TEST_H
#define TEST_H

#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#include <go.h>

/*
 * Frames are larger and all is slower under a sanitizer, and ThreadSanitizer ends
 * a program with more than 8,128 goroutines and threads at a time.
 */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED(with, without)	(with)
#else
#define SANITIZED(with, without)	(without)
#endif

/*
 * A test whose body is the main goroutine, run with 1, 2 and 3 processors, where that
 * is slow with 1 and 3: GO_TEST(name) { body }, and tcase_add_go_test() to add it.
 */
#ifdef EMULATED
#define GO_TEST_STEP	2
#else
#define GO_TEST_STEP	SANITIZED(2, 1)
#endif
#define GO_TEST_PROCS	(1 + _i * GO_TEST_STEP)

#define GO_TEST(name)							\
	static void name##_main(void *arg);				\
	START_TEST(name)						\
	{								\
		run_with_procs(GO_TEST_PROCS, name##_main);		\
	}								\
	END_TEST							\
	static void name##_main(void *arg __attribute__((unused)))

#define tcase_add_go_test(tcase, name) \
	tcase_add_loop_test(tcase, name, 0, 1 + 2 / GO_TEST_STEP)

static inline void run_with_procs(int procs, go_fn fn)
{
	char value[16];

	snprintf(value, sizeof(value), "%d", procs);
	setenv("GOMAXPROCS", value, 1);
	ck_assert_int_eq(go_run(fn, NULL), 0);
}

/* Once more: on a busy machine the last runtime's threads may not have ended yet. */
static inline void run_after_another(go_fn fn, void *arg)
{
	int ret;

	while ((ret = go_run(fn, arg)) == -EBUSY)
		sched_yield();
	ck_assert_int_eq(ret, 0);
}

static inline void nothing(void *arg)
{
	(void)arg;
}

/* Let other goroutines run until a condition holds; the test's limit ends it. */
#define wait_until(condition)						\
	do {								\
		while (!(condition))					\
			go_sleep(GO_MILLISECOND / 10);			\
	} while (0)

#define load(x)		__atomic_load_n(&(x), __ATOMIC_ACQUIRE)
#define store(x, v)	__atomic_store_n(&(x), v, __ATOMIC_RELEASE)
#define add(x, n)	__atomic_add_fetch(&(x), n, __ATOMIC_ACQ_REL)

#ifdef __SANITIZE_THREAD__
#define TSAN	1
#else
#define TSAN	0
#endif

/* How many are started: ThreadSanitizer takes more than a millisecond for each. */
#define STARTS(n)	((n) / (TSAN ? 10 : 1))

/* ThreadSanitizer holds a signal back until the thread makes a call that may wait. */
#define SIGNALS_COME_LATE	TSAN

/* As ck_assert(), for where there are many: that one writes to a file each time. */
#define expect(condition)						\
	do {								\
		if (!(condition))					\
			ck_abort_msg("%s", #condition);			\
	} while (0)

static inline int compare_times(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

/* It sorts them. */
static inline int64_t median_of(int64_t *times, int n)
{
	qsort(times, n, sizeof(*times), compare_times);
	return times[n / 2];
}

/* ---- goroutines and plain threads together ---------------------------------------- */

#define CROWD_MAX	32

/* Run by each of a crowd, with its number from 0 up. */
typedef void (*crowd_fn)(int number);

static crowd_fn crowd_does __attribute__((unused));
static struct go_waitgroup crowd_wg __attribute__((unused));

static inline void crowd_goroutine(void *number)
{
	crowd_does((intptr_t)number);
	go_waitgroup_done(&crowd_wg);
}

static inline void *crowd_thread(void *number)
{
	crowd_goroutine(number);
	return NULL;
}

/* Run it in so many of each, the goroutines first; returns when all have ended. */
static inline void crowd_run(int goroutines, int threads, crowd_fn fn)
{
	pthread_t thread[CROWD_MAX];
	int i;

	crowd_does = fn;
	ck_assert_int_le(threads, CROWD_MAX);
	ck_assert_int_eq(go_waitgroup_add(&crowd_wg, goroutines + threads), 0);
	for (i = 0; i < goroutines; i++)
		ck_assert_int_eq(go_spawn(crowd_goroutine,
					  (void *)(intptr_t)i), 0);
	for (i = 0; i < threads; i++)
		ck_assert_int_eq(pthread_create(&thread[i], NULL, crowd_thread,
						(void *)(intptr_t)(goroutines +
								   i)), 0);
	ck_assert_int_eq(go_waitgroup_wait(&crowd_wg), 0);
	for (i = 0; i < threads; i++)
		pthread_join(thread[i], NULL);
}

/* Wait until n have come here so many times. */
static inline void meet(int *came, int n, int times)
{
	add(*came, 1);
	while (load(*came) < n * times)
		go_yield();
}

/*
 * A channel that a test may leave to others when it ends: it can still be found
 * then, so LeakSanitizer does not take it for lost.
 */
#define KEPT_MAX	4096

static struct go_chan *kept[KEPT_MAX] __attribute__((used));
static int nr_kept __attribute__((unused));

static inline struct go_chan *kept_chan(size_t elem_size, size_t cap)
{
	struct go_chan *ch = go_chan_make(elem_size, cap);

	ck_assert_ptr_nonnull(ch);
	kept[nr_kept++ % KEPT_MAX] = ch;
	return ch;
}

static inline int run_tests(const char *name, TCase *tcase)
{
	Suite *suite = suite_create(name);
	SRunner *runner;
	int failed;

	/* In seconds. Some that start many goroutines take 45 s with ThreadSanitizer. */
	tcase_set_timeout(tcase, SANITIZED(240, 60));
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_set_tap(runner, "-");
	srunner_run_all(runner, CK_SILENT);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* Good for tests: Marsaglia's xorshift. */
static inline uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

#endif /* TEST_H */
