// SPDX-License-Identifier: MIT
/*
 * Validator of the run queues: one owner puts and gets, thieves steal, all at
 * once, and each item must come out exactly once.
 */
#include <pthread.h>

#include "queues.h"

#define THIEVES	(QUEUES - 1)

static int finished;

static void drain(struct p *p)
{
	struct g *g;

	while ((g = runq_get(p)) || (g = globq_get(p, 0)))
		take(g);
}

static void *thief(void *arg)
{
	struct p *p = arg;
	struct g *g;

	while (!load(finished)) {
		g = runq_steal(p, &ps[0], p->index % 2);
		if (g)
			take(g);
		drain(p);
	}
	drain(p);
	return NULL;
}

START_TEST(what_goes_in_comes_out_once)
{
	pthread_t threads[THIEVES];
	uint64_t rand = 88172645463325252ULL;
	int i;

	queues_make();
	for (i = 0; i < THIEVES; i++)
		pthread_create(&threads[i], NULL, thief, &ps[i + 1]);
	for (i = 0; i < ITEMS; i++) {
		struct g *g;

		if (next_random(&rand) & 1)
			runq_put_next(&ps[0], &items[i]);
		else
			runq_put(&ps[0], &items[i]);
		if (rand % 3 == 0) {
			g = runq_get(&ps[0]);
			if (g)
				take(g);
		}
	}
	drain(&ps[0]);
	store(finished, 1);
	for (i = 0; i < THIEVES; i++)
		pthread_join(threads[i], NULL);
	drain(&ps[0]);

	check_all_seen();
}
END_TEST

START_TEST(the_next_one_comes_first_and_the_others_in_order)
{
	int i;

	queues_make();
	for (i = 0; i < 10; i++)
		runq_put(&ps[0], &items[i]);
	runq_put_next(&ps[0], &items[10]);
	runq_put_next(&ps[0], &items[11]);
	ck_assert_ptr_eq(runq_get(&ps[0]), &items[11]);
	for (i = 0; i < 11; i++)
		ck_assert_ptr_eq(runq_get(&ps[0]), &items[i]);
	ck_assert_ptr_null(runq_get(&ps[0]));
}
END_TEST

START_TEST(a_full_queue_overflows_into_the_global_one)
{
	int i;

	queues_make();
	for (i = 0; i < RUNQ_SIZE; i++)
		runq_put(&ps[0], &items[i]);
	ck_assert_uint_eq(globq_len(), 0);
	runq_put(&ps[0], &items[i]);
	ck_assert_uint_eq(globq_len(), RUNQ_SIZE / 2 + 1);
}
END_TEST

START_TEST(a_thief_takes_half)
{
	int i;

	queues_make();
	for (i = 0; i < 100; i++)
		runq_put(&ps[0], &items[i]);
	ck_assert_ptr_eq(runq_steal(&ps[1], &ps[0], false), &items[49]);
	for (i = 0; i < 49; i++)
		ck_assert_ptr_eq(runq_get(&ps[1]), &items[i]);
	ck_assert_ptr_null(runq_get(&ps[1]));
	ck_assert_ptr_eq(runq_get(&ps[0]), &items[50]);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("runq");

	tcase_add_loop_test(tc, what_goes_in_comes_out_once, 0, 3);
	tcase_add_test(tc, the_next_one_comes_first_and_the_others_in_order);
	tcase_add_test(tc, a_full_queue_overflows_into_the_global_one);
	tcase_add_test(tc, a_thief_takes_half);
	return run_tests("runq", tc);
}
