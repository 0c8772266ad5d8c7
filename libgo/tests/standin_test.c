// SPDX-License-Identifier: MIT
/*
 * The stand-in's spares, without a runtime: Ps that find none, and Ms that park then.
 */
#include <errno.h>

#include "test.h"

#include "assist.h"
#include "proc.h"

#define NR_P	3

static struct p ps[NR_P];
static struct m parker;

static void begin(void)
{
	uint32_t i;

	rt.nr_p = NR_P;
	rt.nr_p_top = NR_P;
	rt.nr_p_max = NR_P;
	rt.nr_m_max = 4;
	rt.ps = ps;
	ck_assert_int_eq(assist_standin.start(), 0);
	for (i = 0; i < NR_P; i++) {
		ps[i].index = i;
		ps[i].words = &rt.p_words[i];
	}
	ck_assert_int_eq(assist_standin.enter(&parker), 0);
}

static void make_idle(uint32_t p)
{
	ck_assert(p_change(&ps[p], p_word(&ps[p]), KGO_P_IDLE, 0));
}

/* Park, which must not have to wait. The P that was given. */
static uint32_t park(void)
{
	uint32_t p = NR_P;

	ck_assert_uint_eq(assist_standin.park(&parker, &p), KGO_PARK_IDLE);
	ck_assert_uint_lt(p, NR_P);
	ck_assert(p_state(p_word(&ps[p])) == KGO_P_RUNNING);
	return p;
}

START_TEST(one_that_found_no_spare_is_not_forgotten_for_another)
{
	int i;

	begin();
	make_idle(0);
	make_idle(1);
	ck_assert_int_eq(assist_standin.wake(0, false), -EAGAIN);
	ck_assert_int_eq(assist_standin.wake(1, false), -EAGAIN);
	for (i = 0; i < 3; i++) {
		uint32_t p = park();

		if (!p)
			break;
		/* Who makes it idle sees to its work, and has not done so yet. */
		make_idle(p);
	}
	ck_assert(p_state(p_word(&ps[0])) == KGO_P_RUNNING);
}
END_TEST

START_TEST(each_that_found_no_spare_is_taken)
{
	uint32_t i, seen = 0;

	begin();
	for (i = 0; i < NR_P; i++) {
		make_idle(i);
		ck_assert_int_eq(assist_standin.wake(i, false), -EAGAIN);
		ck_assert_int_eq(assist_standin.wake(i, true), -EAGAIN);
	}
	for (i = 0; i < NR_P; i++)
		seen |= 1U << park();
	ck_assert_uint_eq(seen, (1U << NR_P) - 1);
}
END_TEST

START_TEST(another_idle_one_is_taken_if_others_have_taken_it)
{
	begin();
	make_idle(0);
	make_idle(2);
	ck_assert_int_eq(assist_standin.wake(0, true), -EAGAIN);
	ck_assert(p_take_idle(&ps[0], 3));
	ck_assert_uint_eq(park(), 2);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("standin");

	tcase_add_test(tc, one_that_found_no_spare_is_not_forgotten_for_another);
	tcase_add_test(tc, each_that_found_no_spare_is_taken);
	tcase_add_test(tc, another_idle_one_is_taken_if_others_have_taken_it);
	return run_tests("standin", tc);
}
