// SPDX-License-Identifier: MIT
/*
 * The scheduler: goroutines run, once each, wherever they block.
 */
#include <errno.h>
#include <fcntl.h>
#include <fenv.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "test.h"

static struct go_waitgroup wg;
static int count;
static int fds[2];

static void count_one(void *arg)
{
	(void)arg;
	add(count, 1);
	go_waitgroup_done(&wg);
}

static void count_after_yields(void *arg)
{
	int i;

	for (i = 0; i < (int)(intptr_t)arg; i++)
		go_yield();
	count_one(NULL);
}

GO_TEST(every_goroutine_runs_once)
{
	const int n = SANITIZED(1000, 10000);
	int i;

	go_waitgroup_add(&wg, n);
	for (i = 0; i < n; i++)
		ck_assert_int_eq(go_spawn(count_one, NULL), 0);
	go_waitgroup_wait(&wg);
	ck_assert_int_eq(count, n);
	wait_until(go_num_goroutine() == 1);
}

GO_TEST(goroutines_that_yield_all_go_on)
{
	const int n = STARTS(1000);
	int i;

	go_waitgroup_add(&wg, n);
	for (i = 0; i < n; i++)
		go_spawn(count_after_yields, (void *)(intptr_t)(i % 50));
	go_waitgroup_wait(&wg);
	ck_assert_int_eq(count, n);
}

static void spawn_tree(void *arg)
{
	intptr_t depth = (intptr_t)arg;

	add(count, 1);
	if (depth) {
		go_waitgroup_add(&wg, 2);
		go_spawn(spawn_tree, (void *)(depth - 1));
		go_spawn(spawn_tree, (void *)(depth - 1));
	}
	go_waitgroup_done(&wg);
}

GO_TEST(goroutines_start_goroutines)
{
	const int depth = SANITIZED(9, 12);

	go_waitgroup_add(&wg, 1);
	go_spawn(spawn_tree, (void *)(intptr_t)depth);
	go_waitgroup_wait(&wg);
	ck_assert_int_eq(count, (2 << depth) - 1);
}

/* ---- blocking anywhere ---------------------------------------------------------- */

static void write_pipe(void *arg)
{
	(void)arg;
	ck_assert_int_eq(write(fds[1], "x", 1), 1);
}

/* The block is ended only by a goroutine of the same processor. */
GO_TEST(a_blocked_goroutine_lets_others_run)
{
	char c;
	int i;

	ck_assert_int_eq(pipe(fds), 0);
	for (i = 0; i < 20; i++) {
		go_spawn(write_pipe, NULL);
		ck_assert_int_eq(read(fds[0], &c, 1), 1);
	}
}

static void block_and_count(void *arg)
{
	struct timespec ts = { .tv_nsec = 2000000 };

	(void)arg;
	syscall(SYS_nanosleep, &ts, NULL);
	count_one(NULL);
}

GO_TEST(many_blocked_goroutines_wait_together)
{
	int i;

	go_waitgroup_add(&wg, 200);
	for (i = 0; i < 200; i++)
		go_spawn(block_and_count, NULL);
	go_waitgroup_wait(&wg);
	ck_assert_int_eq(count, 200);
}

static void lose_the_processor(void *arg)
{
	struct timespec ts = { .tv_nsec = 3000000 };
	int i;

	for (i = 0; i < 50; i++) {
		uint64_t id = go_id();

		syscall(SYS_nanosleep, &ts, NULL);
		ck_assert_uint_eq(go_id(), id);
		go_yield();
		ck_assert_uint_eq(go_id(), id);
	}
	(void)arg;
	count_one(NULL);
}

static void compute_and_yield(void *arg)
{
	(void)arg;
	while (load(count) < 8) {
		volatile int i;

		for (i = 0; i < 10000; i++)
			;
		go_yield();
	}
	go_waitgroup_done(&wg);
}

GO_TEST(returning_goroutines_get_a_processor_again)
{
	int i;

	go_waitgroup_add(&wg, 8 + 3);
	for (i = 0; i < 3; i++)
		go_spawn(compute_and_yield, NULL);
	for (i = 0; i < 8; i++)
		go_spawn(lose_the_processor, NULL);
	go_waitgroup_wait(&wg);
	ck_assert_int_eq(count, 8);
}

static void compute(void *arg)
{
	(void)arg;
	while (load(count) < 4)
		;
	go_waitgroup_done(&wg);
}

static void block_five_times(void *arg)
{
	struct timespec ts = { .tv_nsec = 1000000 };
	int i;

	for (i = 0; i < 5; i++)
		syscall(SYS_nanosleep, &ts, NULL);
	count_one(arg);
}

/* All processors have owners that never call libgo, and no goroutine is queued. */
GO_TEST(returning_goroutines_get_a_processor_from_those_that_compute)
{
	int i, procs = go_gomaxprocs(0);

	go_waitgroup_add(&wg, 4 + procs);
	for (i = 0; i < 4; i++)
		go_spawn(block_five_times, NULL);
	for (i = 0; i < procs; i++)
		go_spawn(compute, NULL);
	go_waitgroup_wait(&wg);
	ck_assert_int_eq(count, 4);
}

/* Until long after the monitor has begun to sleep until somebody wakes it. */
static void block_long_and_compute(void *arg)
{
	struct timespec ts = { .tv_sec = 2 };

	syscall(SYS_nanosleep, &ts, NULL);
	while (!load(count))
		;
	go_waitgroup_done(arg);
}

static void block_longer(void *arg)
{
	struct timespec ts = { .tv_sec = 2, .tv_nsec = 200000000 };

	syscall(SYS_nanosleep, &ts, NULL);
	count_one(arg);
}

/* The kernel has given those that compute their processors, and told nobody. */
static void wait_for_who_returns(void *arg __attribute__((unused)))
{
	int i, procs = go_gomaxprocs(0);
	int64_t begun = go_now();

	go_waitgroup_add(&wg, 1 + procs);
	go_spawn(block_longer, NULL);
	for (i = 0; i < procs; i++)
		go_spawn(block_long_and_compute, &wg);
	go_waitgroup_wait(&wg);
	ck_assert_int_eq(count, 1);
	ck_assert_int_lt(go_now() - begun, 10 * GO_SECOND);
}

START_TEST(the_monitor_is_woken_for_who_returns)
{
	/* The look for a deadlock would wake it. */
	setenv("LIBGO_DEBUG", "deadlock=0", 1);
	run_with_procs(GO_TEST_PROCS, wait_for_who_returns);
}
END_TEST

static int blocks;

static void block_in_read(void *arg)
{
	char c;

	(void)arg;
	store(blocks, 1);
	ck_assert_int_eq(read(fds[0], &c, 1), 1);
	go_waitgroup_done(&wg);
}

static void compute_until(int64_t when)
{
	while (go_now() < when && !load(count))
		;
}

/* What is queued behind one that computes is stolen, for the P of one that is blocked. */
static void compute_beside_one_that_blocks(void *arg __attribute__((unused)))
{
	sigset_t preempt, before;

	ck_assert_int_eq(pipe(fds), 0);
	go_waitgroup_add(&wg, 2);
	go_spawn(block_in_read, NULL);
	while (!load(blocks))
		;
	sigemptyset(&preempt);
	sigaddset(&preempt, SIGURG);
	pthread_sigmask(SIG_BLOCK, &preempt, &before);
	/* It had no reason to lose its P before. */
	compute_until(go_now() + 50 * GO_MILLISECOND);
	go_spawn(count_one, NULL);
	compute_until(go_now() + 5 * GO_SECOND);
	ck_assert_int_eq(load(count), 1);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	ck_assert_int_eq(write(fds[1], "x", 1), 1);
	go_waitgroup_wait(&wg);
}

START_TEST(a_blocked_owner_gives_way_to_work_of_another)
{
	run_with_procs(2, compute_beside_one_that_blocks);
}
END_TEST

/* ---- what belongs to a goroutine ------------------------------------------------- */

/* The compiler may remember the address of a thread's errno in a function. */
static __attribute__((noinline)) void set_errno(int value)
{
	errno = value;
}

static __attribute__((noinline)) int get_errno(void)
{
	return errno;
}

static int wrong;

/* An assertion that holds writes to a file, and that may set errno. */
static void keep_errno(void *arg)
{
	int mine = (int)(intptr_t)arg;
	int i;

	set_errno(mine);
	for (i = 0; i < 100; i++) {
		go_yield();
		add(wrong, get_errno() != mine);
		if (i % 10 == 0)
			go_sleep(10000);
		add(wrong, get_errno() != mine);
	}
	count_one(NULL);
}

GO_TEST(errno_belongs_to_the_goroutine)
{
	int i;

	go_waitgroup_add(&wg, 20);
	for (i = 1; i <= 20; i++)
		go_spawn(keep_errno, (void *)(intptr_t)i);
	go_waitgroup_wait(&wg);
	ck_assert_int_eq(wrong, 0);
}

static void keep_rounding(void *arg)
{
	int mine = (int)(intptr_t)arg;
	int i;

	fesetround(mine);
	for (i = 0; i < 100; i++) {
		go_yield();
		ck_assert_int_eq(fegetround(), mine);
	}
	count_one(NULL);
}

GO_TEST(the_rounding_mode_belongs_to_the_goroutine)
{
	go_waitgroup_add(&wg, 3);
	go_spawn(keep_rounding, (void *)FE_UPWARD);
	go_spawn(keep_rounding, (void *)FE_TONEAREST);
	go_spawn(keep_rounding, (void *)FE_DOWNWARD);
	go_waitgroup_wait(&wg);
}

static volatile double numerator = 1, denominator = 3;

/* On x86 fegetround() asks another unit than the one that divides. */
static void keep_rounding_once(void *arg)
{
	int mine = (int)(intptr_t)arg;
	double plus, minus;

	fesetround(mine);
	plus = numerator / denominator;
	minus = -numerator / denominator;
	go_yield();
	ck_assert_int_eq(fegetround(), mine);
	ck_assert(numerator / denominator == plus);
	ck_assert(-numerator / denominator == minus);
	count_one(NULL);
}

/* Where many end who is next goes on in another way. */
GO_TEST(the_rounding_mode_belongs_to_each_of_many)
{
	static const int modes[] = {
		FE_UPWARD, FE_TONEAREST, FE_DOWNWARD, FE_TOWARDZERO, FE_TOWARDZERO,
	};
	intptr_t i;

	go_waitgroup_add(&wg, 100);
	for (i = 0; i < 100; i++)
		go_spawn(keep_rounding_once, (void *)(intptr_t)modes[i % 5]);
	go_waitgroup_wait(&wg);
}

static void change_rounding(void *arg)
{
	fesetround((int)(intptr_t)arg);
	count_one(NULL);
}

static void find_rounding(void *arg)
{
	ck_assert_int_eq(fegetround(), (int)(intptr_t)arg);
	count_one(NULL);
}

GO_TEST(a_goroutine_begins_with_the_rounding_mode_of_go_run)
{
	intptr_t mode = fegetround();
	int i;

	go_waitgroup_add(&wg, 20);
	for (i = 0; i < 10; i++) {
		go_spawn(change_rounding, (void *)FE_UPWARD);
		go_spawn(find_rounding, (void *)mode);
	}
	go_waitgroup_wait(&wg);
}

static uint64_t ids[1000];

static void tell_id(void *arg)
{
	ids[(intptr_t)arg] = go_id();
	go_waitgroup_done(&wg);
}

static int compare_ids(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

GO_TEST(no_two_goroutines_have_the_same_number)
{
	int i;

	go_waitgroup_add(&wg, 1000);
	for (i = 0; i < 1000; i++)
		go_spawn(tell_id, (void *)(intptr_t)i);
	go_waitgroup_wait(&wg);
	qsort(ids, 1000, sizeof(*ids), compare_ids);
	ck_assert_uint_ne(ids[0], 0);
	for (i = 1; i < 1000; i++)
		ck_assert_uint_ne(ids[i - 1], ids[i]);
}

static struct go_goroutine *selves[100];
static int selves_told;

/* Until all have told: none of them has ended then. */
static void tell_self(void *arg)
{
	struct go_goroutine *self = go_self();

	selves[(intptr_t)arg] = self;
	add(selves_told, 1);
	wait_until(load(selves_told) == 100);
	ck_assert_ptr_eq(go_self(), self);
	go_waitgroup_done(&wg);
}

GO_TEST(a_goroutine_is_itself_and_no_other)
{
	int i, j;

	go_waitgroup_add(&wg, 100);
	for (i = 0; i < 100; i++)
		go_spawn(tell_self, (void *)(intptr_t)i);
	go_waitgroup_wait(&wg);
	for (i = 0; i < 100; i++) {
		ck_assert_ptr_nonnull(selves[i]);
		ck_assert_ptr_ne(selves[i], go_self());
		for (j = 0; j < i; j++)
			ck_assert_ptr_ne(selves[i], selves[j]);
	}
}

static void exit_early(void *arg)
{
	(void)arg;
	go_waitgroup_done(&wg);
	go_exit();
	ck_abort_msg("go_exit() has returned");
}

GO_TEST(go_exit_ends_the_goroutine)
{
	go_waitgroup_add(&wg, 1);
	go_spawn(exit_early, NULL);
	go_waitgroup_wait(&wg);
	wait_until(go_num_goroutine() == 1);
}

/* ---- plain threads ------------------------------------------------------------------ */

static void *spawn_from_thread(void *arg)
{
	int i;

	(void)arg;
	ck_assert_uint_eq(go_id(), 0);
	ck_assert_ptr_null(go_self());
	go_yield();
	for (i = 0; i < STARTS(1000); i++)
		ck_assert_int_eq(go_spawn(count_one, NULL), 0);
	return NULL;
}

GO_TEST(plain_threads_start_goroutines)
{
	pthread_t threads[2];
	int i;

	go_waitgroup_add(&wg, 2 * STARTS(1000));
	for (i = 0; i < 2; i++)
		pthread_create(&threads[i], NULL, spawn_from_thread, NULL);
	go_waitgroup_wait(&wg);
	for (i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	ck_assert_int_eq(count, 2 * STARTS(1000));
}

int main(void)
{
	TCase *tc = tcase_create("sched");

	tcase_add_go_test(tc, every_goroutine_runs_once);
	tcase_add_go_test(tc, goroutines_that_yield_all_go_on);
	tcase_add_go_test(tc, goroutines_start_goroutines);
	tcase_add_go_test(tc, a_blocked_goroutine_lets_others_run);
	tcase_add_go_test(tc, many_blocked_goroutines_wait_together);
	tcase_add_go_test(tc, returning_goroutines_get_a_processor_again);
	tcase_add_go_test(tc, returning_goroutines_get_a_processor_from_those_that_compute);
	tcase_add_go_test(tc, the_monitor_is_woken_for_who_returns);
	tcase_add_test(tc, a_blocked_owner_gives_way_to_work_of_another);
	tcase_add_go_test(tc, errno_belongs_to_the_goroutine);
	tcase_add_go_test(tc, the_rounding_mode_belongs_to_the_goroutine);
	tcase_add_go_test(tc, the_rounding_mode_belongs_to_each_of_many);
	tcase_add_go_test(tc, a_goroutine_begins_with_the_rounding_mode_of_go_run);
	tcase_add_go_test(tc, no_two_goroutines_have_the_same_number);
	tcase_add_go_test(tc, a_goroutine_is_itself_and_no_other);
	tcase_add_go_test(tc, go_exit_ends_the_goroutine);
	tcase_add_go_test(tc, plain_threads_start_goroutines);
	return run_tests("sched", tc);
}
