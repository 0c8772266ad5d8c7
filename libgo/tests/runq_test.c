// SPDX-License-Identifier: MIT
/*
 * Validator of the run queues: one owner puts and gets, thieves steal, all at
 * once, and each item must come out exactly once.
 */
#include <pthread.h>

#include "queues.h"

#define THIEVES	(QUEUES - 1)
#define COMPUTE	(100 * GO_MICROSECOND)
#define MEET	(8 * GO_MICROSECOND)

static int finished;
static int raids;

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

/* As a goroutine that computes. Returns whether a thief took who was to run next. */
static bool compute(struct p *p)
{
	int64_t until = go_now() + COMPUTE;
	bool was = load(p->words->runnext);

	while (was && load(p->words->runnext) && go_now() < until)
		cpu_relax();
	return was && !load(p->words->runnext);
}

START_TEST(what_goes_in_comes_out_once)
{
	pthread_t threads[THIEVES];
	uint64_t rand = 88172645463325252ULL;
	int i, raided = 0;

	queues_make();
	for (i = 0; i < THIEVES; i++)
		pthread_create(&threads[i], NULL, thief, &ps[i + 1]);
	for (i = 0; i < ITEMS; i++) {
		struct g *g;

		section_begin(&ps[0]);
		if (next_random(&rand) & 1)
			runq_put_next(&ps[0], &items[i]);
		else
			runq_put(&ps[0], &items[i]);
		if (rand % 3 == 0) {
			g = runq_get(&ps[0]);
			if (g)
				take(g);
		}
		section_end(&ps[0]);
		if (rand % 256 == 0)
			raided += compute(&ps[0]);
	}
	ck_assert_int_gt(raided, 0);
	section_begin(&ps[0]);
	drain(&ps[0]);
	section_end(&ps[0]);
	store(finished, 1);
	for (i = 0; i < THIEVES; i++)
		pthread_join(threads[i], NULL);
	drain(&ps[0]);

	check_all_seen();
}
END_TEST

static void *raider(void *arg)
{
	struct p *p = arg;
	struct g *g;

	while (!load(finished)) {
		g = runq_steal(p, &ps[0], true);
		if (!g)
			continue;
		take(g);
		add(raids, 1);
	}
	return NULL;
}

/* The owner comes back to it just when a thief has let it be for long enough. */
START_TEST(owner_and_thief_meet_at_who_is_to_run_next)
{
	uint64_t rand = 88172645463325252ULL;
	pthread_t thread;
	int64_t until;
	struct g *g;
	int i;

	queues_make();
	pthread_create(&thread, NULL, raider, &ps[1]);
	for (i = 0; i < ITEMS; i++) {
		section_begin(&ps[0]);
		runq_put_next(&ps[0], &items[i]);
		section_end(&ps[0]);
		until = go_now() + next_random(&rand) % MEET;
		if (i % 4 == 0)
			while (go_now() < until)
				cpu_relax();
		section_begin(&ps[0]);
		g = runq_get(&ps[0]);
		section_end(&ps[0]);
		if (g)
			take(g);
	}
	store(finished, 1);
	pthread_join(thread, NULL);
	ck_assert_int_gt(raids, 0);
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
	tcase_add_test(tc, owner_and_thief_meet_at_who_is_to_run_next);
	tcase_add_test(tc, the_next_one_comes_first_and_the_others_in_order);
	tcase_add_test(tc, a_full_queue_overflows_into_the_global_one);
	tcase_add_test(tc, a_thief_takes_half);
	return run_tests("runq", tc);
}
