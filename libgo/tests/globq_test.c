// SPDX-License-Identifier: MIT
/*
 * Validator of the global queue: threads put single ones and batches of all lengths, Ps
 * take their share, one at a time or the bound ones, all at once; and who gets what.
 */
#include <pthread.h>

#include "queues.h"

#define PUTTERS	2
#define TAKERS	QUEUES
#define SHARE	(RUNQ_SIZE / 2 + 1)

static int put_by_now;	/* by all putters; the items of one follow each other */

static void put_singly(int from, int n)
{
	while (n--)
		globq_put(&items[from++]);
}

static void put_batch(int from, int n)
{
	struct g_list list;

	g_list_init(&list);
	while (n--)
		g_list_add(&list, &items[from++]);
	globq_put_list(&list);
}

/* The P's own queue holds these in that order, and nothing else. */
static void check_runq(struct p *p, int from, int n)
{
	while (n--)
		ck_assert_ptr_eq(runq_get(p), &items[from++]);
	ck_assert_ptr_null(runq_get(p));
}

START_TEST(single_ones_and_batches_come_in_their_order)
{
	queues_make();
	rt.nr_p = 1;
	put_singly(0, 3);
	put_batch(3, 20);
	put_singly(23, 4);
	put_batch(27, 1);
	put_batch(28, 12);
	ck_assert_uint_eq(globq_len(), 40);
	ck_assert_ptr_eq(globq_get(&ps[0], 0), &items[0]);
	check_runq(&ps[0], 1, 39);
	ck_assert_uint_eq(globq_len(), 0);
	ck_assert_ptr_null(globq_get(&ps[0], 0));
	/* Who was the first of a batch comes alone the next time. */
	put_singly(28, 1);
	put_singly(0, 1);
	ck_assert_ptr_eq(globq_get(&ps[0], 0), &items[28]);
	check_runq(&ps[0], 0, 1);
}
END_TEST

START_TEST(one_of_a_batch_leaves_the_others_in_front)
{
	int i;

	queues_make();
	put_batch(0, 10);
	put_singly(10, 1);
	for (i = 0; i < 5; i++) {
		ck_assert_ptr_eq(globq_get(&ps[0], 1), &items[i]);
		check_runq(&ps[0], 0, 0);
	}
	ck_assert_uint_eq(globq_len(), 6);
	rt.nr_p = 1;
	ck_assert_ptr_eq(globq_get(&ps[0], 0), &items[5]);
	check_runq(&ps[0], 6, 5);
}
END_TEST

START_TEST(of_single_ones_each_takes_its_share)
{
	queues_make();
	put_singly(0, 40);
	/* 40 / 4 + 1, one of them to run at once */
	ck_assert_ptr_eq(globq_get(&ps[0], 0), &items[0]);
	check_runq(&ps[0], 1, 10);
	ck_assert_ptr_eq(globq_get(&ps[1], 0), &items[11]);
	check_runq(&ps[1], 12, 7);
	ck_assert_uint_eq(globq_len(), 21);
}
END_TEST

START_TEST(what_has_overflowed_is_taken_as_a_whole)
{
	int i;

	queues_make();
	for (i = 0; i <= RUNQ_SIZE; i++)
		runq_put(&ps[0], &items[i]);
	ck_assert_ptr_eq(globq_get(&ps[1], 0), &items[0]);
	for (i = 1; i < RUNQ_SIZE / 2; i++)
		ck_assert_ptr_eq(runq_get(&ps[1]), &items[i]);
	/* and the one that did not fit */
	check_runq(&ps[1], RUNQ_SIZE, 1);
	ck_assert_uint_eq(globq_len(), 0);
}
END_TEST

START_TEST(a_batch_that_no_ring_could_hold_is_cut)
{
	const int len = 10 * RUNQ_SIZE;
	int from = 0, i;

	queues_make();
	rt.nr_p = 1;
	put_batch(0, len);
	for (i = 0; from < len; i = (i + 1) % QUEUES) {
		int n = len - from < SHARE ? len - from : SHARE;

		ck_assert_ptr_eq(globq_get(&ps[i], 0), &items[from]);
		check_runq(&ps[i], from + 1, n - 1);
		from += n;
		ck_assert_uint_eq(globq_len(), len - from);
	}
}
END_TEST

START_TEST(one_that_was_stopped_is_taken_alone)
{
	queues_make();
	rt.nr_p = 1;
	put_batch(0, 5);
	items[5].stopped = true;
	put_singly(5, 1);
	put_batch(6, 5);
	ck_assert_ptr_eq(globq_get(&ps[0], 0), &items[0]);
	check_runq(&ps[0], 1, 4);
	ck_assert_ptr_eq(globq_get(&ps[0], 0), &items[5]);
	check_runq(&ps[0], 0, 0);
	ck_assert_ptr_eq(globq_get(&ps[0], 0), &items[6]);
	check_runq(&ps[0], 7, 4);
}
END_TEST

START_TEST(a_bound_one_is_found_in_a_batch)
{
	static struct m m;

	queues_make();
	rt.nr_p = 1;
	items[4].bound = &m;
	put_batch(0, 8);
	ck_assert_ptr_eq(globq_get_bound(), &items[4]);
	ck_assert_ptr_null(globq_get_bound());
	ck_assert_uint_eq(globq_len(), 7);
	/* Those before it have gone to the end, the last time all did. */
	ck_assert_ptr_eq(globq_get(&ps[0], 0), &items[5]);
	ck_assert_ptr_eq(runq_get(&ps[0]), &items[6]);
	ck_assert_ptr_eq(runq_get(&ps[0]), &items[7]);
	check_runq(&ps[0], 0, 4);
}
END_TEST

static void *putter(void *arg)
{
	uint64_t rand = 88172645463325252ULL + (uintptr_t)arg;
	int from, n;

	for (;;) {
		uint64_t r = next_random(&rand);

		n = r % 8 ? 1 + r / 8 % 16 : 1 + r / 8 % (2 * RUNQ_SIZE);
		from = __atomic_fetch_add(&put_by_now, n, __ATOMIC_RELAXED);
		if (n > ITEMS - from)
			n = ITEMS - from;
		if (n <= 0)
			break;
		if (n == 1 || r & 1UL << 40)
			put_singly(from, n);
		else
			put_batch(from, n);
	}
	return NULL;
}

static int finished;

/* One at a time mostly: a share is soon taken, and one of the others is to meet us. */
static struct g *get_some(struct p *p, uint64_t r)
{
	if (r % 256 == 0)
		return globq_get_bound();
	return globq_get(p, r % 32 != 0);
}

static void *taker(void *arg)
{
	struct p *p = arg;
	uint64_t rand = 362436069ULL + p->index;
	struct g *g;
	bool last;

	/* so that they are about it at the same time */
	while (load(put_by_now) < ITEMS / 2)
		cpu_relax();
	do {
		last = load(finished);
		g = get_some(p, next_random(&rand));
		while (g) {
			take(g);
			g = runq_get(p);
		}
	} while (!last || globq_len());
	return NULL;
}

START_TEST(what_goes_in_comes_out_once)
{
	pthread_t putters[PUTTERS], takers[TAKERS];
	static struct m m;
	int i;

	queues_make();
	for (i = 0; i < ITEMS; i += 1000)
		items[i].bound = &m;
	for (i = 0; i < TAKERS; i++)
		pthread_create(&takers[i], NULL, taker, &ps[i]);
	for (i = 0; i < PUTTERS; i++)
		pthread_create(&putters[i], NULL, putter, (void *)(long)i);
	for (i = 0; i < PUTTERS; i++)
		pthread_join(putters[i], NULL);
	store(finished, 1);
	for (i = 0; i < TAKERS; i++)
		pthread_join(takers[i], NULL);
	check_all_seen();
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("globq");

	tcase_add_test(tc, single_ones_and_batches_come_in_their_order);
	tcase_add_test(tc, one_of_a_batch_leaves_the_others_in_front);
	tcase_add_test(tc, of_single_ones_each_takes_its_share);
	tcase_add_test(tc, what_has_overflowed_is_taken_as_a_whole);
	tcase_add_test(tc, a_batch_that_no_ring_could_hold_is_cut);
	tcase_add_test(tc, one_that_was_stopped_is_taken_alone);
	tcase_add_test(tc, a_bound_one_is_found_in_a_batch);
	tcase_add_loop_test(tc, what_goes_in_comes_out_once, 0, 3);
	return run_tests("globq", tc);
}
