// SPDX-License-Identifier: MIT
/*
 * The poller: what ends its sleep, and what does not.
 */
#include "netpoll.h"
#include "sched.h"
#include "test.h"

#define LONG	(2 * GO_SECOND)		/* nobody sleeps that long */
#define SHORT	(20 * GO_MILLISECOND)

/* Sleep as the poller, for a first timer then; does something end that? */
static bool sleep_is_ended(int64_t first, int64_t ns)
{
	int64_t until = go_now() + ns;
	struct g_list ready;

	g_list_init(&ready);
	netpoll_sleep(first, until, &ready);
	ck_assert_ptr_null(ready.head);
	return go_now() < until;
}

static void looker_main(void *arg)
{
	struct m *m = critical_enter(m_self());
	struct g_list ready;

	(void)arg;
	ck_assert(netpoll_enter());
	g_list_init(&ready);
	netpoll_break();
	/* Who looks is not the poller. */
	netpoll_look(&ready);
	ck_assert_ptr_null(ready.head);
	ck_assert(sleep_is_ended(INT64_MAX, LONG));
	ck_assert(!sleep_is_ended(INT64_MAX, SHORT));
	/* And the next one comes, too. */
	netpoll_break();
	ck_assert(sleep_is_ended(INT64_MAX, LONG));
	netpoll_leave();
	critical_exit(m);
}

START_TEST(a_break_is_for_the_poller_alone)
{
	run_with_procs(1, looker_main);
}
END_TEST

static void added_main(void *arg)
{
	struct m *m = critical_enter(m_self());
	int64_t first = go_now() + LONG;

	(void)arg;
	ck_assert(!netpoll_timer_added(first));
	ck_assert(netpoll_enter());
	/* It does not know yet how long it will sleep. */
	ck_assert(netpoll_timer_added(first + 1));
	ck_assert(sleep_is_ended(first, LONG));

	/* Another one wants to be the poller. */
	ck_assert(!netpoll_enter());
	ck_assert(netpoll_timer_added(first + 1));
	ck_assert(!sleep_is_ended(first, SHORT));
	ck_assert(netpoll_timer_added(first - 1));
	ck_assert(sleep_is_ended(first, LONG));
	netpoll_leave();
	critical_exit(m);
}

START_TEST(only_a_timer_before_the_first_ends_its_sleep)
{
	run_with_procs(1, added_main);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("netpoll");

	tcase_add_test(tc, a_break_is_for_the_poller_alone);
	tcase_add_test(tc, only_a_timer_before_the_first_ends_its_sleep);
	return run_tests("netpoll", tc);
}
