// SPDX-License-Identifier: MIT
/*
 * Validator of the run queues: one owner puts and gets, thieves steal, all at
 * once, and each item must come out exactly once.
 */
#include <pthread.h>
#include <string.h>

#include "test.h"

#include "globq.h"
#include "runq.h"
#include "sched.h"

#define ITEMS	400000
#define THIEVES	3

static struct kgo_runtime shared;
static struct kgo_p words[THIEVES + 1];
static struct p ps[THIEVES + 1];
static struct g *items;
static uint8_t *seen;
static int finished, doubled;

static void fake_runtime(void)
{
	int i;

	rt.shared = &shared;
	rt.ps = ps;
	rt.nr_p = THIEVES + 1;
	for (i = 0; i <= THIEVES; i++) {
		ps[i].index = i;
		ps[i].words = &words[i];
	}
	globq_init();
	items = calloc(ITEMS, sizeof(*items));
	seen = calloc(ITEMS, 1);
	ck_assert(items && seen);
}

static void take(struct g *g)
{
	if (__atomic_exchange_n(&seen[g - items], 1, __ATOMIC_RELAXED))
		add(doubled, 1);
}

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
	int i, missing = 0;

	fake_runtime();
	for (i = 0; i < THIEVES; i++)
		pthread_create(&threads[i], NULL, thief, &ps[i + 1]);
	for (i = 0; i < ITEMS; i++) {
		struct g *g;

		rand ^= rand << 13;
		rand ^= rand >> 7;
		rand ^= rand << 17;
		if (rand & 1)
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

	for (i = 0; i < ITEMS; i++)
		missing += !seen[i];
	ck_assert_int_eq(doubled, 0);
	ck_assert_int_eq(missing, 0);
	ck_assert_uint_eq(globq_len(), 0);
	for (i = 0; i <= THIEVES; i++)
		ck_assert(runq_empty(&ps[i]));
}
END_TEST

START_TEST(the_next_one_comes_first_and_the_others_in_order)
{
	int i;

	fake_runtime();
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

	fake_runtime();
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

	fake_runtime();
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
