// SPDX-License-Identifier: MIT
/*
 * Validator of the heap of timers, and until when the poller sleeps because of it. The
 * times are far off, so none of them fires meanwhile.
 */
#include "test.h"

#include "sched.h"
#include "timer.h"

#define TIMERS	2000
#define CROWD	20
#define FAR	(100 * 60 * GO_SECOND)

static struct timer timers[TIMERS];

static bool never(struct timer *t, struct g_list *ready)
{
	(void)t;
	(void)ready;
	ck_abort_msg("a timer fires an hour early");
	return false;
}

static int64_t start(struct timer *t, int64_t when)
{
	struct m *m = critical_enter(m_self());

	timer_make(t, never, NULL);
	ck_assert_int_eq(timer_start(t, when), 0);
	critical_exit(m);
	return when;
}

static void stop(struct timer *t)
{
	struct m *m = critical_enter(m_self());

	ck_assert(timer_stop(t));
	ck_assert(!timer_stop(t));
	critical_exit(m);
}

/* The sleepers of the tests are goroutines that never run, so they must not fire either. */
static void start_sleeper(struct g *g, int64_t when)
{
	struct m *m = critical_enter(m_self());

	ck_assert_int_eq(timer_sleep(g, when), 0);
	critical_exit(m);
}

/* No timer is before its parent, and each knows its place. Returns how many sleep. */
static uint32_t check_heap(const struct timers *ts)
{
	uint32_t i, sleepers = 0;

	for (i = 0; i < ts->len; i++) {
		struct timer_entry e = ts->heap[i];
		const struct timer *t = (struct timer *)e.what;

		if (i)
			ck_assert_int_le(ts->heap[(i - 1) / 4].when, e.when);
		if (e.what & ENTRY_SLEEPER) {
			sleepers++;
			continue;
		}
		ck_assert_uint_eq(t->pos, i);
		ck_assert_int_eq(t->when, e.when);
	}
	ck_assert_int_eq(timers_first(ts),
			 ts->len ? ts->heap[0].when : INT64_MAX);
	return sleepers;
}

static void heap_main(void *arg)
{
	static struct g sleepers[TIMERS / 4];
	struct timers *ts = &m_p(m_self())->timers;
	int64_t base = go_now() + FAR;
	uint64_t rand = 88172645463325252ULL;
	uint32_t i, asleep = 0, started = 0;

	(void)arg;
	for (i = 0; i < TIMERS; i++) {
		uint64_t r = next_random(&rand);

		start(&timers[i], base + r % 1000);
		started++;
		if (i % 4 == 0)
			start_sleeper(&sleepers[asleep++], base + r / 1000 % 1000);
		if (i % 3 == 2) {
			stop(&timers[i - r % 3]);
			started--;
			timers[i - r % 3].fire = NULL;
		}
		ck_assert_uint_eq(ts->len, started + asleep);
		if (i % 16 == 0)
			ck_assert_uint_eq(check_heap(ts), asleep);
	}
	ck_assert_uint_eq((uintptr_t)&ts->heap[1] % CACHE_LINE, 0);
	for (i = 0; i < TIMERS; i++) {
		if (!timers[i].fire)
			continue;
		stop(&timers[i]);
		if (i % 16 == 0)
			ck_assert_uint_eq(check_heap(ts), asleep);
	}
	/* The sleepers alone are left. */
	ck_assert_uint_eq(check_heap(ts), ts->len);
}

START_TEST(a_heap_stays_a_heap)
{
	run_with_procs(1, heap_main);
}
END_TEST

static void crowd_main(void *arg)
{
	struct timers *ts = &m_p(m_self())->timers;
	uint64_t rand = 1;
	int64_t first, at;
	int i;

	(void)arg;
	ck_assert_int_eq(timers_sleep_until(ts, &at), INT64_MAX);
	first = start(&timers[0], go_now() + FAR);
	for (i = 1; i < CROWD - 1; i++)
		start(&timers[i], first + i * 10 * GO_MICROSECOND);
	ck_assert_int_eq(timers_sleep_until(ts, &at), first);
	start(&timers[i], first + 201 * GO_MICROSECOND);
	ck_assert_int_eq(timers_sleep_until(ts, &at), first);
	/* The last one within 200 us makes a crowd. */
	stop(&timers[i]);
	start(&timers[i], first + 200 * GO_MICROSECOND);
	ck_assert_int_eq(timers_sleep_until(ts, &at), first + 400 * GO_MICROSECOND);
	ck_assert_int_eq(at, first);
	/* Wherever in the heap they are. */
	for (i = CROWD; i < TIMERS; i++)
		start(&timers[i], first + FAR + next_random(&rand) % FAR);
	for (i = CROWD - 1; i >= 0; i--) {
		stop(&timers[i]);
		start(&timers[i], first + i * 10 * GO_MICROSECOND);
	}
	ck_assert_int_eq(timers_sleep_until(ts, &at), first + 400 * GO_MICROSECOND);
	for (i = 0; i < TIMERS; i++)
		stop(&timers[i]);
	/* Nor may it sleep beyond the end of time. */
	for (i = 0; i < CROWD; i++)
		start(&timers[i], INT64_MAX - 1);
	ck_assert_int_eq(timers_sleep_until(ts, &at), INT64_MAX - 1);
	for (i = 0; i < CROWD; i++)
		stop(&timers[i]);
	ck_assert_int_eq(timers_sleep_until(ts, &at), INT64_MAX);
}

START_TEST(the_poller_sleeps_longer_before_a_crowd)
{
	run_with_procs(1, crowd_main);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("timer");

	tcase_add_test(tc, a_heap_stays_a_heap);
	tcase_add_test(tc, the_poller_sleeps_longer_before_a_crowd);
	return run_tests("timer", tc);
}
