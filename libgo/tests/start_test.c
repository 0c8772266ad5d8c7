// SPDX-License-Identifier: MIT
/*
 * The start and the end of the runtime, and what the environment says.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "test.h"
#include "wait.h"

static int ran, result;

static void count_run(void *arg)
{
	(void)arg;
	ran++;
}

static void run_again(void *arg)
{
	(void)arg;
	result = go_run(count_run, NULL);
}

START_TEST(a_goroutine_can_not_start_a_runtime)
{
	ck_assert_int_eq(go_run(run_again, NULL), 0);
	ck_assert_int_eq(result, -EPERM);
	ck_assert_int_eq(ran, 0);
}
END_TEST

static void *run_in_thread(void *arg)
{
	(void)arg;
	result = go_run(count_run, NULL);
	return NULL;
}

static void start_thread(void *arg)
{
	pthread_t thread;

	(void)arg;
	pthread_create(&thread, NULL, run_in_thread, NULL);
	pthread_join(thread, NULL);
}

START_TEST(there_is_one_runtime_at_a_time)
{
	ck_assert_int_eq(go_run(start_thread, NULL), 0);
	ck_assert_int_eq(result, -EBUSY);
	ck_assert_int_eq(go_run(count_run, NULL), 0);
	ck_assert_int_eq(ran, 1);
}
END_TEST

START_TEST(without_a_runtime_calls_fail)
{
	struct go_stats st;

	ck_assert_int_eq(go_run(NULL, NULL), -EINVAL);
	ck_assert_int_eq(go_spawn(count_run, NULL), -ESRCH);
	ck_assert_int_eq(go_gomaxprocs(0), -ESRCH);
	ck_assert_int_eq(go_stats_read(&st), -ESRCH);
	ck_assert_uint_eq(go_num_goroutine(), 0);
}
END_TEST

START_TEST(runtimes_one_after_the_other)
{
	int i;

	for (i = 0; i < 50; i++)
		ck_assert_int_eq(go_run(count_run, NULL), 0);
	ck_assert_int_eq(ran, 50);
}
END_TEST

static void read_procs(void *arg)
{
	(void)arg;
	result = go_gomaxprocs(0);
}

START_TEST(gomaxprocs_comes_from_the_environment)
{
	setenv("GOMAXPROCS", "7", 1);
	ck_assert_int_eq(go_run(read_procs, NULL), 0);
	ck_assert_int_eq(result, 7);
}
END_TEST

START_TEST(gomaxprocs_comes_from_the_affinity_mask)
{
	cpu_set_t set;

	unsetenv("GOMAXPROCS");
	CPU_ZERO(&set);
	CPU_SET(0, &set);
	ck_assert_int_eq(sched_setaffinity(0, sizeof(set), &set), 0);
	ck_assert_int_eq(go_run(read_procs, NULL), 0);
	ck_assert_int_eq(result, 1);
}
END_TEST

START_TEST(bad_settings_are_refused)
{
	static const char * const bad[][2] = {
		{ "GOMAXPROCS", "0" }, { "GOMAXPROCS", "-1" },
		{ "GOMAXPROCS", "x" }, { "GOMAXPROCS", "2x" },
		{ "GOMAXPROCS", "99999" }, { "LIBGO_MAXTHREADS", "0" },
		{ "LIBGO_ASSIST", "magic" },
	};
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		setenv(bad[i][0], bad[i][1], 1);
		ck_assert_int_eq(go_run(count_run, NULL), -EINVAL);
		unsetenv(bad[i][0]);
	}
	ck_assert_int_eq(ran, 0);
}
END_TEST

/* As in a call that has just readied the main goroutine, for a while. */
static void *stay_in_call(void *arg)
{
	struct m *m = wait_enter();

	store(ran, 1);
	usleep(50000);	/* time for go_run() to return, which it must not */
	ck_assert_int_eq(load(result), 0);
	/* what readying uses is still there */
	ck_assert_uint_le(load(rt.shared->nr_spinning), rt.nr_p);
	store(ran, 2);
	wait_exit(m);
	return arg;
}

static pthread_t caller;

static void end_with_a_caller(void *arg)
{
	(void)arg;
	ck_assert_int_eq(pthread_create(&caller, NULL, stay_in_call, NULL), 0);
	wait_until(load(ran));
}

START_TEST(the_end_waits_for_the_calls_of_plain_threads)
{
	ck_assert_int_eq(go_run(end_with_a_caller, NULL), 0);
	/* Where threads come late it is not taken down yet: then there is no hurry. */
	if (!load(rt.running)) {
		store(result, 1);
		ck_assert_int_eq(load(ran), 2);
	}
	pthread_join(caller, NULL);
}
END_TEST

static void *thread_wait_for_ever(void *arg)
{
	store(ran, 1);
	go_chan_recv(arg, NULL);
	return NULL;
}

static void end_with_a_waiter(void *arg)
{
	ck_assert_int_eq(pthread_create(&caller, NULL, thread_wait_for_ever, arg), 0);
	wait_until(load(ran));
	go_sleep(5 * GO_MILLISECOND);
}

/* But not for one that waits. */
START_TEST(the_end_does_not_wait_for_waits_of_plain_threads)
{
	struct go_chan *ch = kept_chan(0, 0);

	ck_assert_int_eq(go_run(end_with_a_waiter, ch), 0);
	ck_assert_int_eq(go_chan_send(ch, NULL), 0);
	pthread_join(caller, NULL);
}
END_TEST

static struct go_waitgroup wg;

static void sleep_in_kernel(void *arg)
{
	(void)arg;
	usleep(2000);
	go_waitgroup_done(&wg);
}

static void at_the_cap(void *arg)
{
	struct go_stats st;
	int i;

	(void)arg;
	go_waitgroup_add(&wg, 100);
	for (i = 0; i < 100; i++)
		go_spawn(sleep_in_kernel, NULL);
	go_waitgroup_wait(&wg);
	ck_assert_int_eq(go_stats_read(&st), 0);
	ck_assert_uint_le(st.threads_max, 8);
	ran++;
}

START_TEST(at_the_cap_on_threads_the_runtime_goes_on)
{
	setenv("LIBGO_MAXTHREADS", "8", 1);
	ck_assert_int_eq(go_run(at_the_cap, NULL), 0);
	ck_assert_int_eq(ran, 1);
}
END_TEST

static void compute_a_while(void *arg)
{
	int64_t until = go_now() + 30 * GO_MILLISECOND;

	(void)arg;
	while (go_now() < until)
		;
	go_waitgroup_done(&wg);
}

static void compute_at_the_cap(void *arg)
{
	int i;

	(void)arg;
	go_waitgroup_add(&wg, 16);
	for (i = 0; i < 16; i++)
		go_spawn(compute_a_while, NULL);
	go_waitgroup_wait(&wg);
	ran++;
}

/* One that is stopped keeps its thread: that must not be the last one. */
START_TEST(at_the_cap_a_thread_is_left_to_run_those_that_were_stopped)
{
	setenv("LIBGO_MAXTHREADS", "4", 1);
	setenv("GOMAXPROCS", "2", 1);
	ck_assert_int_eq(go_run(compute_at_the_cap, NULL), 0);
	ck_assert_int_eq(ran, 1);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("start");

	tcase_add_test(tc, a_goroutine_can_not_start_a_runtime);
	tcase_add_test(tc, there_is_one_runtime_at_a_time);
	tcase_add_test(tc, without_a_runtime_calls_fail);
	tcase_add_test(tc, runtimes_one_after_the_other);
	tcase_add_test(tc, the_end_waits_for_the_calls_of_plain_threads);
	tcase_add_test(tc, the_end_does_not_wait_for_waits_of_plain_threads);
	tcase_add_test(tc, gomaxprocs_comes_from_the_environment);
	tcase_add_test(tc, gomaxprocs_comes_from_the_affinity_mask);
	tcase_add_test(tc, bad_settings_are_refused);
	tcase_add_test(tc, at_the_cap_on_threads_the_runtime_goes_on);
	tcase_add_test(tc,
		       at_the_cap_a_thread_is_left_to_run_those_that_were_stopped);
	return run_tests("start", tc);
}
