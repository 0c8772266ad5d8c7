// SPDX-License-Identifier: MIT
/*
 * Rwmutexes.
 */
#include <errno.h>

#include "test.h"

#define ROUNDS 2000

static struct go_rwmutex rw;
static int readers, writers, most_readers;
static int order[8], nr_order;
static long written;

GO_TEST(what_is_not_locked_is_not_unlocked)
{
	ck_assert_int_eq(go_rwmutex_unlock(&rw), -EPERM);
	ck_assert_int_eq(go_rwmutex_runlock(&rw), -EPERM);
	go_rwmutex_rlock(&rw);
	ck_assert_int_eq(go_rwmutex_unlock(&rw), -EPERM);
	ck_assert_int_eq(go_rwmutex_runlock(&rw), 0);
	go_rwmutex_lock(&rw);
	ck_assert_int_eq(go_rwmutex_runlock(&rw), -EPERM);
	ck_assert_int_eq(go_rwmutex_unlock(&rw), 0);
	ck_assert_int_eq(go_rwmutex_runlock(&rw), -EPERM);
}

GO_TEST(the_try_forms_do_not_wait)
{
	ck_assert(go_rwmutex_tryrlock(&rw));
	ck_assert(go_rwmutex_tryrlock(&rw));
	ck_assert(!go_rwmutex_trylock(&rw));
	ck_assert_int_eq(go_rwmutex_runlock(&rw), 0);
	ck_assert(!go_rwmutex_trylock(&rw));
	ck_assert_int_eq(go_rwmutex_runlock(&rw), 0);
	ck_assert(go_rwmutex_trylock(&rw));
	ck_assert(!go_rwmutex_trylock(&rw));
	ck_assert(!go_rwmutex_tryrlock(&rw));
	ck_assert_int_eq(go_rwmutex_unlock(&rw), 0);
	ck_assert(go_rwmutex_tryrlock(&rw));
	ck_assert_int_eq(go_rwmutex_runlock(&rw), 0);
}

static void read_together(int number)
{
	(void)number;
	go_rwmutex_rlock(&rw);
	add(readers, 1);
	wait_until(load(readers) == 6);
	ck_assert_int_eq(go_rwmutex_runlock(&rw), 0);
}

GO_TEST(readers_read_together)
{
	crowd_run(4, 2, read_together);
	ck_assert_int_eq(rw.readers, 0);
}

static void note(int who)
{
	order[add(nr_order, 1) - 1] = who;
}

static void write_noting(void *arg)
{
	go_rwmutex_lock(&rw);
	note((intptr_t)arg);
	/* Let all that could get in do so. */
	go_sleep(GO_MILLISECOND);
	go_rwmutex_unlock(&rw);
	go_waitgroup_done(&crowd_wg);
}

static void read_noting(void *arg)
{
	go_rwmutex_rlock(&rw);
	note((intptr_t)arg);
	go_rwmutex_runlock(&rw);
	go_waitgroup_done(&crowd_wg);
}

GO_TEST(a_waiting_writer_keeps_readers_out_and_then_lets_them_in)
{
	go_waitgroup_add(&crowd_wg, 4);
	go_rwmutex_rlock(&rw);
	go_spawn(write_noting, (void *)1);
	wait_until(load(rw.readers) & GO_RWMUTEX_WRITER);
	ck_assert(!go_rwmutex_tryrlock(&rw));
	go_spawn(read_noting, (void *)2);
	go_spawn(read_noting, (void *)2);
	wait_until((load(rw.readers) & ~GO_RWMUTEX_WRITER) == 3);
	go_spawn(write_noting, (void *)3);
	wait_until(load(rw.writers.state) != GO_MUTEX_LOCKED);
	ck_assert_int_eq(load(nr_order), 0);
	ck_assert_int_eq(go_rwmutex_runlock(&rw), 0);
	go_waitgroup_wait(&crowd_wg);
	ck_assert_int_eq(order[0], 1);
	ck_assert_int_eq(order[1], 2);
	ck_assert_int_eq(order[2], 2);
	ck_assert_int_eq(order[3], 3);
}

static void read_once(int round)
{
	long before;
	int n;

	if (round % 3)
		go_rwmutex_rlock(&rw);
	else if (!go_rwmutex_tryrlock(&rw))
		return;
	n = add(readers, 1);
	if (n > load(most_readers))
		store(most_readers, n);
	ck_assert_int_eq(load(writers), 0);
	before = written;
	if (round % 5 == 0)
		go_yield();
	ck_assert_int_eq(written, before);
	add(readers, -1);
	ck_assert_int_eq(go_rwmutex_runlock(&rw), 0);
}

static void write_once(int round)
{
	if (round % 8)
		go_rwmutex_lock(&rw);
	else if (!go_rwmutex_trylock(&rw))
		return;
	ck_assert_int_eq(add(writers, 1), 1);
	ck_assert_int_eq(load(readers), 0);
	written++;
	if (round % 5 == 0)
		go_yield();
	ck_assert_int_eq(load(readers), 0);
	add(writers, -1);
	ck_assert_int_eq(go_rwmutex_unlock(&rw), 0);
}

static void read_and_write(int number)
{
	int i;

	for (i = 0; i < ROUNDS; i++)
		if ((i + number) % 4)
			read_once(i);
		else
			write_once(i);
}

GO_TEST(writers_are_alone_and_nothing_is_lost)
{
	crowd_run(6, 2, read_and_write);
	ck_assert_int_eq(rw.readers, 0);
	ck_assert_int_eq(rw.departing, 0);
	ck_assert_int_eq(rw.readers_admitted, 0);
	ck_assert_int_eq(rw.writer_admitted, 0);
	ck_assert_int_gt(most_readers, 1);
}

/* Each round a reader and a writer come at once, and nobody after them. */
static void come_at_once(int number)
{
	int i;

	for (i = 1; i <= 2000; i++) {
		meet(&most_readers, 2, i);
		if (number) {
			go_rwmutex_rlock(&rw);
			ck_assert_int_eq(go_rwmutex_runlock(&rw), 0);
		} else {
			go_rwmutex_lock(&rw);
			ck_assert_int_eq(go_rwmutex_unlock(&rw), 0);
		}
	}
}

GO_TEST(who_comes_last_is_woken)
{
	crowd_run(2, 0, come_at_once);
	ck_assert_int_eq(rw.readers, 0);
}

GO_TEST(a_plain_thread_that_comes_last_is_woken)
{
	crowd_run(0, 2, come_at_once);
	ck_assert_int_eq(rw.readers, 0);
}

int main(void)
{
	TCase *tc = tcase_create("rwmutex");

	tcase_add_go_test(tc, what_is_not_locked_is_not_unlocked);
	tcase_add_go_test(tc, the_try_forms_do_not_wait);
	tcase_add_go_test(tc, readers_read_together);
	tcase_add_go_test(tc,
			  a_waiting_writer_keeps_readers_out_and_then_lets_them_in);
	tcase_add_go_test(tc, writers_are_alone_and_nothing_is_lost);
	tcase_add_go_test(tc, who_comes_last_is_woken);
	tcase_add_go_test(tc, a_plain_thread_that_comes_last_is_woken);
	return run_tests("rwmutex", tc);
}
