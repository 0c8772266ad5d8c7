// SPDX-License-Identifier: MIT
/*
 * Validator of the locks that have a home: Ps that take one many times in a row, each in turn
 * and all at once, and a plain thread; never are two of them inside.
 */
#include <pthread.h>

#include "homelock.h"
#include "test.h"

#define PS	3
#define ROUNDS	STARTS(10000)	/* or less, on a slow machine */
#define LONGEST	(2 * GO_SECOND)
#define IN_A_ROW	(4 << HOME_SHIFT_MIN)
#define PAUSE	200	/* at most, of the processor */

static struct {
	struct home_lock lock cache_aligned;
	const void *inside;
} locks[ROUNDS];

static struct m ms[PS];
static int at_homes;
static int rounds = ROUNDS;
static pthread_barrier_t round_begins;

static void pause_for(int pauses)
{
	while (pauses--)
		cpu_relax();
}

/* Returns whether it was taken at home. */
static bool take(struct m *m, int i, int pauses)
{
	bool home = home_lock(m, &locks[i].lock);
	const void *me = m ? (void *)m : &at_homes;

	if (locks[i].inside)
		ck_abort_msg("somebody is inside");
	locks[i].inside = me;
	pause_for(pauses);
	barrier();
	if (locks[i].inside != me)
		ck_abort_msg("two are inside");
	locks[i].inside = NULL;
	home_unlock(m, &locks[i].lock, home);
	return home;
}

/*
 * Each lock is new: one of all makes its P the home, if it has one, and the others come while
 * it is inside or not. One of them may become the home then.
 */
static void *worker(void *arg)
{
	struct m *m = arg;
	int me = m ? m->hold : 0, i, n, homes = 0;
	uint64_t rand = 88172645463325252ULL + me;
	int64_t until = go_now() + LONGEST;

	for (i = 0; i < load(rounds); i++) {
		/* Before the round begins for the others, so they end with it, too. */
		if (!m && go_now() >= until)
			store(rounds, i + 1);
		pthread_barrier_wait(&round_begins);
		n = i % (PS + 1) == me ? IN_A_ROW :
					 next_random(&rand) % IN_A_ROW / 2;
		if (n < IN_A_ROW)
			pause_for(next_random(&rand) % PAUSE);
		while (n--)
			homes += take(m, i, n % 32 ? 0 : PAUSE);
	}
	add(at_homes, homes);
	return NULL;
}

START_TEST(one_is_inside)
{
	pthread_t threads[PS];
	int i;

	pthread_barrier_init(&round_begins, NULL, PS + 1);
	for (i = 0; i < PS; i++) {
		ms[i].hold = i + 1;
		pthread_create(&threads[i], NULL, worker, &ms[i]);
	}
	worker(NULL);
	for (i = 0; i < PS; i++)
		pthread_join(threads[i], NULL);
	if (membarrier_works)
		ck_assert_int_gt(at_homes, 0);
}
END_TEST

START_TEST(it_moves_when_it_is_used_elsewhere)
{
	struct home_lock *l = &locks[0].lock;
	int i, j;

	if (!membarrier_works)
		return;
	for (i = 0; i < 2; i++) {
		ms[i].hold = i + 1;
		for (j = 0; j < IN_A_ROW; j++)
			take(&ms[i], 0, 0);
		ck_assert_uint_eq(l->home, i + 1);
		ck_assert(take(&ms[i], 0, 0));
	}
	ck_assert(!take(NULL, 0, 0));
	ck_assert_uint_eq(l->home, 0);
}
END_TEST

START_TEST(each_time_it_takes_longer_to_have_a_home)
{
	struct home_lock *l = &locks[0].lock;
	int i, n, before = 0;

	if (!membarrier_works)
		return;
	ms[0].hold = 1;
	for (i = HOME_SHIFT_MIN; i < HOME_SHIFT_MAX + 3; i++) {
		for (n = 0; !take(&ms[0], 0, 0); n++)
			;
		ck_assert_int_ge(n, i <= HOME_SHIFT_MAX ? 2 * before - 2 : before);
		ck_assert_int_le(n, (1 << HOME_SHIFT_MAX) + 1);
		before = n;
		take(NULL, 0, 0);
		ck_assert_uint_eq(l->home, 0);
	}
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("homelock");

	tcase_add_test(tc, one_is_inside);
	tcase_add_test(tc, it_moves_when_it_is_used_elsewhere);
	tcase_add_test(tc, each_time_it_takes_longer_to_have_a_home);
	return run_tests("homelock", tc);
}
