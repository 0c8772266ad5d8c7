// SPDX-License-Identifier: GPL-2.0-only
/*
 * Spares: what happens when there are few of them or none (invariant 8), and
 * that a P with work is picked up as soon as there is one again.
 */
#define _GNU_SOURCE
#include "kselftest_harness.h"
#include "ways.h"

#define NR_P		4
#define NR_M		8
#define SPARE_LOW	2

FIXTURE(spare) {
	struct runtime rt;
	struct m_thread waiter;
	struct m_thread owner;
	struct m_thread spares[3];
	struct block block;
};

FIXTURE_SETUP(spare)
{
	unsigned int i;

	ASSERT_EQ(0, block_prepare(&self->block, &way_pipe));
	ASSERT_EQ(0, runtime_open(&self->rt, NR_P, NR_M, SPARE_LOW));
	ASSERT_EQ(0, m_start(&self->waiter, &self->rt));
	ASSERT_EQ(0, m_start(&self->owner, &self->rt));
	for (i = 0; i < ARRAY_SIZE(self->spares); i++)
		ASSERT_EQ(0, m_start(&self->spares[i], &self->rt));
	p_start(&self->rt, 0);
	ASSERT_EQ(0, m_take(&self->owner, 0));
}

FIXTURE_TEARDOWN(spare)
{
	runtime_close(&self->rt);
}

static int job_block(struct m_thread *self)
{
	block(self->arg);
	return 0;
}

/* Park the first n of the spares. */
static bool park_spares(struct m_thread *spares, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		if (!m_park(&spares[i]))
			return false;
	return load(&spares->rt->words->nr_spare) == n;
}

/* How often the owner of a P with work found no spare. */
static __u64 times_without_spare(struct runtime *rt)
{
	struct kgo_stats stats;

	return kgo_stats(rt->fd, &stats) ? 0 : stats.no_spare;
}

/* Let an M wait for the event; it notes at which stage of the test it came. */
struct stages {
	__u32 now;
	__u32 seen;
};

static int job_wait_for_spares(struct m_thread *self)
{
	struct stages *stages = self->arg;
	int ret = kgo_wait(self->rt->fd, KGO_EVENT_SPARES, &self->events);

	stages->seen = load(&stages->now);
	return ret;
}

#define wait_for_spares(stages)						\
	do {								\
		m_ask(&self->waiter, job_wait_for_spares, (stages));	\
		ASSERT_TRUE(eventually(m_state(&self->waiter) ==	\
				       KGO_M_BLOCKED));			\
	} while (0)

/* Forget what was reported while there were no spares yet. */
#define forget_events()							\
	do {								\
		m_wait(&self->waiter, KGO_EVENT_SPARES);		\
		ASSERT_TRUE(eventually(m_is_done(&self->waiter) ||	\
				       m_state(&self->waiter) ==	\
				       KGO_M_BLOCKED));			\
		if (!m_is_done(&self->waiter))				\
			ASSERT_EQ(-EINTR, m_interrupt(&self->waiter));	\
	} while (0)

TEST_F(spare, wake_that_leaves_too_few_is_told)
{
	struct stages stages = {};
	__u32 m;

	ASSERT_TRUE(park_spares(self->spares, 3));
	forget_events();
	wait_for_spares(&stages);
	p_start(&self->rt, 1);
	p_start(&self->rt, 2);

	/* two are left, which is enough */
	ASSERT_EQ(0, kgo_wake(self->rt.fd, 1, 0, &m));
	EXPECT_EQ(2U, load(&self->rt.words->nr_spare));
	store(&stages.now, 1);
	EXPECT_FALSE(m_is_done(&self->waiter));

	/* one is left */
	ASSERT_EQ(0, kgo_wake(self->rt.fd, 2, 0, &m));
	ASSERT_EQ(0, m_result(&self->waiter));
	EXPECT_EQ(KGO_EVENT_SPARES, self->waiter.events);
	EXPECT_EQ(1U, stages.seen);
	EXPECT_EQ(1U, load(&self->rt.words->nr_spare));
}

TEST_F(spare, handoff_that_leaves_too_few_is_told)
{
	struct stages stages = {};

	ASSERT_TRUE(park_spares(self->spares, 2));
	forget_events();
	wait_for_spares(&stages);
	store(&stages.now, 1);
	store(&self->rt.words->globq_len, 1);
	m_ask(&self->owner, job_block, &self->block);
	ASSERT_EQ(0, m_result(&self->waiter));
	EXPECT_EQ(KGO_EVENT_SPARES, self->waiter.events);
	EXPECT_EQ(1U, stages.seen);
	EXPECT_EQ(1U, load(&self->rt.words->nr_spare));
}

TEST_F(spare, handoff_that_leaves_enough_is_not_told)
{
	struct stages stages = {};

	ASSERT_TRUE(park_spares(self->spares, 3));
	forget_events();
	wait_for_spares(&stages);
	store(&self->rt.words->globq_len, 1);
	m_ask(&self->owner, job_block, &self->block);
	ASSERT_TRUE(eventually(load(&self->rt.words->nr_spare) == 2 &&
			       !p_is_held_by(&self->rt, 0, self->owner.m)));
	unblock_pipe(&self->block);
	ASSERT_EQ(0, m_result(&self->owner));
	EXPECT_EQ(-EINTR, m_interrupt(&self->waiter));
}

TEST_F(spare, event_is_told_once)
{
	struct stages stages = {};
	__u32 m;

	ASSERT_TRUE(park_spares(self->spares, 2));
	forget_events();
	p_start(&self->rt, 1);
	ASSERT_EQ(0, kgo_wake(self->rt.fd, 1, 0, &m));
	EXPECT_EQ(0, m_do(&self->waiter, job_wait,
			  (void *)KGO_EVENT_SPARES));
	wait_for_spares(&stages);
	EXPECT_EQ(-EINTR, m_interrupt(&self->waiter));
}

TEST_F(spare, block_without_a_spare_leaves_the_p_idle_and_is_told)
{
	struct kgo_stats stats;

	forget_events();
	m_wait(&self->waiter, KGO_EVENT_SPARES);
	store(&self->rt.words->globq_len, 1);
	m_ask(&self->owner, job_block, &self->block);
	ASSERT_EQ(0, m_result(&self->waiter));
	EXPECT_EQ(KGO_EVENT_SPARES, self->waiter.events);
	ASSERT_TRUE(eventually(idle_bit(&self->rt, 0)));
	EXPECT_TRUE(p_is_idle(&self->rt, 0));
	EXPECT_TRUE(eventually(m_hold(&self->owner) == KGO_HOLD_NONE));
	ASSERT_TRUE(eventually(times_without_spare(&self->rt) == 1));
	ASSERT_EQ(0, kgo_stats(self->rt.fd, &stats));
	EXPECT_EQ(0U, stats.handoffs);

	/* the owner has it back when it comes first */
	unblock_pipe(&self->block);
	ASSERT_EQ(0, m_result(&self->owner));
	EXPECT_TRUE(m_holds(&self->owner, 0));
}

TEST_F(spare, next_parker_takes_the_p_that_waits)
{
	struct m_thread *parker = &self->spares[0];

	store(&self->rt.words->globq_len, 1);
	m_ask(&self->owner, job_block, &self->block);
	ASSERT_TRUE(eventually(times_without_spare(&self->rt) == 1));
	ASSERT_EQ(0, m_do(parker, job_park, NULL));
	EXPECT_EQ(0U, parker->p);
	EXPECT_EQ(KGO_PARK_IDLE, parker->reason);
	EXPECT_TRUE(m_holds(parker, 0));
	EXPECT_FALSE(idle_bit(&self->rt, 0));
	EXPECT_EQ(0U, load(&self->rt.words->nr_spare));

	/* and nothing waits for the one after that */
	EXPECT_TRUE(m_park(&self->spares[1]));
	unblock_pipe(&self->block);
	ASSERT_EQ(0, m_result(&self->owner));
	EXPECT_FALSE(m_is_done(&self->spares[1]));
	EXPECT_EQ(KGO_HOLD_NONE, m_hold(&self->owner));
}

/* Each P that was left with work is picked up. */
TEST_F(spare, each_p_that_waits_is_taken_by_a_parker)
{
	struct m_thread *second = &self->spares[2];
	struct block block;

	ASSERT_EQ(0, block_prepare(&block, &way_futex));
	p_start(&self->rt, 1);
	ASSERT_EQ(0, m_take(second, 1));
	store(&self->rt.p[0].runnext, 1);
	store(&self->rt.p[1].runnext, 1);
	m_ask(&self->owner, job_block, &self->block);
	m_ask(second, job_block, &block);
	ASSERT_TRUE(eventually(times_without_spare(&self->rt) == 2));
	ASSERT_EQ(0, m_do(&self->spares[0], job_park, NULL));
	ASSERT_EQ(0, m_do(&self->spares[1], job_park, NULL));
	EXPECT_EQ(KGO_PARK_IDLE, self->spares[0].reason);
	EXPECT_EQ(KGO_PARK_IDLE, self->spares[1].reason);
	EXPECT_EQ(1U, self->spares[0].p + self->spares[1].p);
	EXPECT_TRUE(m_holds(&self->spares[0], self->spares[0].p));
	EXPECT_TRUE(m_holds(&self->spares[1], self->spares[1].p));
	unblock_pipe(&self->block);
	unblock_futex(&block);
	EXPECT_EQ(0, m_result(&self->owner));
	EXPECT_EQ(0, m_result(second));
}

TEST_F(spare, wake_without_a_spare_is_honoured_by_the_next_parker)
{
	struct m_thread *parker = &self->spares[0];
	__u32 m;

	/* of two idle Ps it takes the one that was to be woken */
	p_start(&self->rt, 1);
	p_start(&self->rt, 2);
	p_start(&self->rt, 3);
	EXPECT_EQ(-EAGAIN, kgo_wake(self->rt.fd, 2, 0, &m));
	ASSERT_EQ(0, m_do(parker, job_park, NULL));
	EXPECT_EQ(2U, parker->p);
	EXPECT_EQ(KGO_PARK_IDLE, parker->reason);
	EXPECT_TRUE(m_holds(parker, 2));

	/* that was all that waited, though others are idle */
	EXPECT_TRUE(m_park(&self->spares[1]));
	EXPECT_FALSE(m_is_done(&self->spares[1]));
}

/*
 * Another P that is idle again is not taken instead of it, however often: who made it idle
 * sees to its work.
 */
TEST_F(spare, p_that_waits_is_not_forgotten_for_another)
{
	struct m_thread *parker = &self->spares[0];
	unsigned int i;
	__u32 m;

	store(&self->rt.p[0].runnext, 1);
	m_ask(&self->owner, job_block, &self->block);
	ASSERT_TRUE(eventually(times_without_spare(&self->rt) == 1));
	p_start(&self->rt, 1);
	EXPECT_EQ(-EAGAIN, kgo_wake(self->rt.fd, 1, 0, &m));
	for (i = 0; i < 3 && !m_holds(parker, 0); i++) {
		if (i)
			ASSERT_EQ(0, m_do(parker, job_drop, NULL));
		m_ask(parker, job_park, NULL);
		ASSERT_TRUE(eventually(m_is_done(parker) ||
				       m_is_parked(parker)));
		ASSERT_TRUE(m_is_done(parker));
	}
	EXPECT_TRUE(m_holds(parker, 0));
	unblock_pipe(&self->block);
	EXPECT_EQ(0, m_result(&self->owner));
}

/* One parker takes a P, however often it was to be woken. */
TEST_F(spare, wakes_without_a_spare_do_not_pile_up)
{
	struct m_thread *parker = &self->spares[0];
	int i, given = 0;
	__u32 m;

	p_start(&self->rt, 1);
	for (i = 0; i < 10 * NR_P; i++)
		EXPECT_EQ(-EAGAIN, kgo_wake(self->rt.fd, 1, 0, &m));
	for (;;) {
		m_ask(parker, job_park, NULL);
		ASSERT_TRUE(eventually(m_is_done(parker) || m_is_parked(parker)));
		if (!m_is_done(parker))
			break;
		ASSERT_EQ(0, m_do(parker, job_drop, NULL));
		ASSERT_EQ(1, ++given);
	}
	EXPECT_EQ(1, given);
}

TEST_F(spare, wake_without_a_spare_is_told)
{
	__u32 m;

	forget_events();
	m_wait(&self->waiter, KGO_EVENT_SPARES);
	p_start(&self->rt, 1);
	EXPECT_EQ(-EAGAIN, kgo_wake(self->rt.fd, 1, 0, &m));
	ASSERT_EQ(0, m_result(&self->waiter));
	EXPECT_EQ(KGO_EVENT_SPARES, self->waiter.events);
}

TEST_F(spare, p_that_waits_may_be_taken_before_the_next_parker_comes)
{
	__u32 m;

	p_start(&self->rt, 1);
	EXPECT_EQ(-EAGAIN, kgo_wake(self->rt.fd, 1, 0, &m));
	ASSERT_EQ(0, m_take(&self->spares[0], 1));

	/* there is no idle P for the parker, and it does not get one that runs */
	ASSERT_TRUE(m_park(&self->spares[1]));
	EXPECT_TRUE(m_holds(&self->spares[0], 1));
	EXPECT_TRUE(m_holds(&self->owner, 0));

	/* it is a spare like any other */
	p_start(&self->rt, 2);
	EXPECT_EQ(0, kgo_wake(self->rt.fd, 2, 0, &m));
	EXPECT_EQ(self->spares[1].m, m);
	EXPECT_EQ(0, m_result(&self->spares[1]));
	EXPECT_EQ(KGO_PARK_WAKE, self->spares[1].reason);
}

TEST_F(spare, dead_owner_without_a_spare_leaves_its_p_to_the_next_parker)
{
	struct m_thread *parker = &self->spares[0];

	store(&self->rt.words->globq_len, 1);
	m_exit(&self->owner);
	ASSERT_TRUE(eventually(times_without_spare(&self->rt) == 1));
	ASSERT_EQ(0, m_do(parker, job_park, NULL));
	EXPECT_EQ(KGO_PARK_IDLE, parker->reason);
	EXPECT_TRUE(m_holds(parker, 0));
}

TEST_F(spare, interrupted_spare_is_not_given_anything)
{
	struct kgo_stats stats;

	ASSERT_TRUE(park_spares(self->spares, 2));
	ASSERT_EQ(-EINTR, m_interrupt(&self->spares[0]));
	EXPECT_EQ(1U, load(&self->rt.words->nr_spare));
	store(&self->rt.words->globq_len, 1);
	m_ask(&self->owner, job_block, &self->block);
	ASSERT_EQ(0, m_result(&self->spares[1]));
	EXPECT_TRUE(m_holds(&self->spares[1], 0));
	EXPECT_EQ(KGO_HOLD_NONE, m_hold(&self->spares[0]));
	EXPECT_EQ(0U, load(&self->rt.words->nr_spare));
	ASSERT_EQ(0, kgo_stats(self->rt.fd, &stats));
	EXPECT_EQ(0U, stats.nr_spare);
}

static int job_wake(struct m_thread *self)
{
	return kgo_wake(self->rt->fd, 1, 0, self->arg);
}

/*
 * Who has given its P up is about to sleep, so a spare of its CPU is at hand there; a P
 * besides the waker's own is better off on another CPU.
 */
TEST_F(spare, wake_takes_the_spare_of_the_cpu_where_its_p_is_to_run)
{
	struct m_thread *near = &self->spares[0], *far = &self->spares[1];
	__u32 m;

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		SKIP(return, "one CPU only");
	ASSERT_EQ(0, pin(self->owner.tid, 0));
	ASSERT_EQ(0, pin(near->tid, 0));
	ASSERT_EQ(0, pin(far->tid, 1));
	p_start(&self->rt, 1);

	/* with a P */
	ASSERT_TRUE(m_park(far));
	ASSERT_TRUE(m_park(near));
	ASSERT_EQ(0, m_do(&self->owner, job_wake, &m));
	EXPECT_EQ(far->m, m);
	ASSERT_EQ(0, m_result(far));
	EXPECT_EQ(0U, load(&m_words(far)->cpu));
	ASSERT_EQ(0, m_do(far, job_drop, NULL));

	/* without one */
	ASSERT_EQ(0, m_do(&self->owner, job_drop, NULL));
	ASSERT_TRUE(m_park(far));
	ASSERT_EQ(0, m_do(&self->owner, job_wake, &m));
	EXPECT_EQ(near->m, m);
	ASSERT_EQ(0, m_result(near));
	EXPECT_EQ(0U, load(&m_words(near)->cpu));
	ASSERT_EQ(0, m_do(near, job_drop, NULL));

	/* the other one is told where it was missed */
	ASSERT_EQ(0, m_do(&self->owner, job_wake, &m));
	EXPECT_EQ(far->m, m);
	ASSERT_EQ(0, m_result(far));
	EXPECT_EQ(1U, load(&m_words(far)->cpu));
}

/* A handoff wakes the one that got the P, and no other. */
TEST_F(spare, handoff_wakes_one)
{
	long switches[3], before;
	unsigned int i, woken = 0;

	ASSERT_TRUE(park_spares(self->spares, 3));
	for (i = 0; i < 3; i++)
		switches[i] = switches_of(self->spares[i].tid);
	store(&self->rt.words->globq_len, 1);
	m_ask(&self->owner, job_block, &self->block);
	ASSERT_TRUE(eventually(m_is_done(&self->spares[0]) ||
			       m_is_done(&self->spares[1]) ||
			       m_is_done(&self->spares[2])));
	for (i = 0; i < 3; i++) {
		before = switches[i];
		if (m_is_done(&self->spares[i]))
			woken++;
		else
			EXPECT_EQ(before, switches_of(self->spares[i].tid));
	}
	EXPECT_EQ(1U, woken);
	EXPECT_EQ(2U, load(&self->rt.words->nr_spare));
}

TEST_HARNESS_MAIN
