// SPDX-License-Identifier: GPL-2.0-only
/*
 * The life of an M: ENTER, LEAVE, PARK, WAKE, WAIT and STATS.
 */
#define _GNU_SOURCE
#include "kselftest_harness.h"
#include "m_thread.h"
#include "memory.h"
#include "random.h"

#define NR_P	4
#define NR_M	4

FIXTURE(m) {
	struct runtime rt;
	struct m_thread a;
	struct m_thread b;
	struct m_thread c;
};

FIXTURE_SETUP(m)
{
	ASSERT_EQ(0, runtime_open(&self->rt, NR_P, NR_M, 0));
}

FIXTURE_TEARDOWN(m)
{
	runtime_close(&self->rt);
}

static int job_enter(struct m_thread *self)
{
	int fd = self->arg ? *(int *)self->arg : self->rt->fd;
	__u32 m;

	return kgo_enter(fd, &m);
}

/* LEAVE alone, whatever it holds */
static int job_only_leave(struct m_thread *self)
{
	int fd = self->arg ? *(int *)self->arg : self->rt->fd;

	return kgo_leave(fd);
}

TEST_F(m, enter_gives_each_an_index_and_fresh_words)
{
	struct kgo_stats stats;

	ASSERT_EQ(0, m_start(&self->a, &self->rt));
	ASSERT_EQ(0, m_start(&self->b, &self->rt));
	EXPECT_GT(NR_M, self->a.m);
	EXPECT_GT(NR_M, self->b.m);
	EXPECT_NE(self->a.m, self->b.m);
	EXPECT_EQ(0U, m_words(&self->a)->critical);
	EXPECT_EQ(0U, m_words(&self->a)->pending);
	EXPECT_EQ(KGO_HOLD_NONE, m_hold(&self->a));
	EXPECT_TRUE(m_is_runnable(&self->a));
	ASSERT_EQ(0, kgo_stats(self->rt.fd, &stats));
	EXPECT_EQ(2U, stats.nr_m);
	EXPECT_EQ(0U, stats.nr_spare);
}

TEST_F(m, enter_clears_what_the_last_m_of_the_slot_left)
{
	struct runtime rt;
	struct kgo_m *words;

	ASSERT_EQ(0, runtime_open(&rt, 1, 1, 0));
	ASSERT_EQ(0, m_start(&self->a, &rt));
	words = m_words(&self->a);
	ASSERT_EQ(0, m_do(&self->a, job_only_leave, NULL));
	EXPECT_EQ(KGO_M_FREE, load(&words->state));
	memset(words, 0xcc, sizeof(*words));
	ASSERT_EQ(0, m_do(&self->a, job_enter, NULL));
	EXPECT_EQ(0U, load(&words->critical));
	EXPECT_EQ(0U, load(&words->pending));
	EXPECT_EQ(KGO_HOLD_NONE, load(&words->hold));
	EXPECT_TRUE(m_is_runnable(&self->a));
	EXPECT_EQ(0, m_end(&self->a));
	runtime_close(&rt);
}

TEST_F(m, enter_twice_fails)
{
	struct runtime other;

	ASSERT_EQ(0, m_start(&self->a, &self->rt));
	EXPECT_EQ(-EBUSY, m_do(&self->a, job_enter, NULL));

	/* whichever runtime it is an M of */
	ASSERT_EQ(0, runtime_open(&other, 1, 1, 0));
	EXPECT_EQ(-EBUSY, m_do(&self->a, job_enter, &other.fd));
	EXPECT_EQ(-ESRCH, m_do(&self->a, job_only_leave, &other.fd));
	EXPECT_EQ(0, m_do(&self->a, job_only_leave, NULL));
	EXPECT_EQ(0, m_do(&self->a, job_enter, &other.fd));
	EXPECT_EQ(-ESRCH, m_do(&self->a, job_only_leave, NULL));
	EXPECT_EQ(0, m_do(&self->a, job_only_leave, &other.fd));
	runtime_close(&other);
}

TEST_F(m, enter_fails_when_all_slots_are_taken)
{
	struct runtime rt;
	__u32 m;

	ASSERT_EQ(0, runtime_open(&rt, 1, 2, 0));
	ASSERT_EQ(0, m_start(&self->a, &rt));
	ASSERT_EQ(0, m_start(&self->b, &rt));
	EXPECT_EQ(-ENOSPC, kgo_enter(rt.fd, &m));
	EXPECT_EQ(POISON, m);
	EXPECT_EQ(-ESRCH, kgo_leave(rt.fd));

	EXPECT_EQ(0, m_end(&self->a));
	EXPECT_EQ(0, kgo_enter(rt.fd, &m));
	EXPECT_EQ(self->a.m, m);
	EXPECT_EQ(0, kgo_leave(rt.fd));
	EXPECT_EQ(0, m_end(&self->b));
	runtime_close(&rt);
}

TEST_F(m, enter_that_cannot_answer_changes_nothing)
{
	struct kgo_enter args = { .size = sizeof(args) };
	struct kgo_stats stats;
	struct runtime rt;
	__u32 m;

	ASSERT_EQ(0, runtime_open(&rt, 1, 1, 0));
	EXPECT_EQ(-EFAULT, kgo_call(rt.fd, KGO_IOC_ENTER,
				    read_only(&args, sizeof(args))));
	EXPECT_EQ(-ESRCH, kgo_leave(rt.fd));
	ASSERT_EQ(0, kgo_stats(rt.fd, &stats));
	EXPECT_EQ(0U, stats.nr_m);
	EXPECT_EQ(0, kgo_enter(rt.fd, &m));
	EXPECT_EQ(0, kgo_leave(rt.fd));
	runtime_close(&rt);
}

TEST_F(m, leave_is_for_ms_only)
{
	EXPECT_EQ(-ESRCH, kgo_leave(self->rt.fd));
	ASSERT_EQ(0, m_start(&self->a, &self->rt));
	EXPECT_EQ(0, m_do(&self->a, job_only_leave, NULL));
	EXPECT_EQ(-ESRCH, m_do(&self->a, job_only_leave, NULL));
}

TEST_F(m, leave_ignores_its_argument)
{
	__u32 m;

	ASSERT_EQ(0, kgo_enter(self->rt.fd, &m));
	EXPECT_EQ(0, kgo_call(self->rt.fd, KGO_IOC_LEAVE, (void *)-1UL));
}

TEST_F(m, leave_with_a_p_fails)
{
	p_start(&self->rt, 3);
	ASSERT_EQ(0, m_start(&self->a, &self->rt));
	ASSERT_EQ(0, m_take(&self->a, 3));
	EXPECT_EQ(-EBUSY, m_do(&self->a, job_only_leave, NULL));
	EXPECT_TRUE(m_holds(&self->a, 3));
	EXPECT_EQ(0, m_do(&self->a, job_drop, NULL));
	EXPECT_EQ(0, m_do(&self->a, job_only_leave, NULL));
}

TEST_F(m, leave_does_not_believe_a_wrong_hold)
{
	static const __u32 holds[] = { 2, NR_P, NR_P + 1, 0x7fffffff, ~0U };
	unsigned int i;

	/* P 1 is idle, P 3 dead, the others are not there */
	p_start(&self->rt, 1);
	ASSERT_EQ(0, m_start(&self->a, &self->rt));
	for (i = 0; i < ARRAY_SIZE(holds); i++) {
		store(&m_words(&self->a)->hold, holds[i]);
		EXPECT_EQ(0, m_do(&self->a, job_only_leave, NULL));
		ASSERT_EQ(0, m_do(&self->a, job_enter, NULL));
	}
}

TEST_F(m, park_is_for_ms_without_a_p)
{
	__u32 p, reason;

	EXPECT_EQ(-ESRCH, kgo_park(self->rt.fd, &p, &reason));
	EXPECT_EQ(POISON, p);
	EXPECT_EQ(POISON, reason);

	p_start(&self->rt, 0);
	ASSERT_EQ(0, m_start(&self->a, &self->rt));
	ASSERT_EQ(0, m_take(&self->a, 0));
	EXPECT_EQ(-EBUSY, m_do(&self->a, job_park, NULL));
	EXPECT_TRUE(m_holds(&self->a, 0));
	EXPECT_EQ(0U, load(&self->rt.words->nr_spare));
}

TEST_F(m, wake_gives_the_p_to_a_spare)
{
	struct kgo_stats stats;
	__u64 word;
	__u32 m;

	ASSERT_EQ(0, m_start(&self->a, &self->rt));
	ASSERT_TRUE(m_park(&self->a));
	EXPECT_EQ(1U, load(&self->rt.words->nr_spare));
	p_start(&self->rt, 2);
	word = load(&self->rt.p[2].word);

	/* the caller is no M */
	ASSERT_EQ(0, kgo_wake(self->rt.fd, 2, 0, &m));
	EXPECT_EQ(self->a.m, m);
	ASSERT_EQ(0, m_result(&self->a));
	EXPECT_EQ(2U, self->a.p);
	EXPECT_EQ(KGO_PARK_WAKE, self->a.reason);
	EXPECT_TRUE(m_holds(&self->a, 2));
	EXPECT_LT(word_seq(word), word_seq(load(&self->rt.p[2].word)));
	EXPECT_FALSE(idle_bit(&self->rt, 2));
	EXPECT_EQ(0U, load(&self->rt.words->nr_spare));
	EXPECT_TRUE(m_is_runnable(&self->a));

	ASSERT_EQ(0, kgo_stats(self->rt.fd, &stats));
	EXPECT_EQ(1U, stats.parks);
	EXPECT_EQ(1U, stats.wakes);
	EXPECT_EQ(0U, stats.handoffs);
	EXPECT_EQ(0U, stats.nr_spare);
}

TEST_F(m, wake_says_that_the_spare_is_to_spin)
{
	__u32 m;

	ASSERT_EQ(0, m_start(&self->a, &self->rt));
	ASSERT_TRUE(m_park(&self->a));
	p_start(&self->rt, 0);
	ASSERT_EQ(0, kgo_wake(self->rt.fd, 0, KGO_WAKE_SPINNING, &m));
	ASSERT_EQ(0, m_result(&self->a));
	EXPECT_EQ(KGO_PARK_SPINNING, self->a.reason);
}

TEST_F(m, each_wake_takes_another_spare)
{
	struct m_thread *spares[] = { &self->a, &self->b, &self->c };
	__u32 p, m, given = 0;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(spares); i++) {
		ASSERT_EQ(0, m_start(spares[i], &self->rt));
		ASSERT_TRUE(m_park(spares[i]));
	}
	EXPECT_EQ(3U, load(&self->rt.words->nr_spare));
	for (p = 0; p < 3; p++) {
		p_start(&self->rt, p);
		ASSERT_EQ(0, kgo_wake(self->rt.fd, p, 0, &m));
		given |= 1U << m;
		EXPECT_TRUE(p_is_held_by(&self->rt, p, m));
	}
	EXPECT_EQ(1U << self->a.m | 1U << self->b.m | 1U << self->c.m, given);
	EXPECT_EQ(0U, load(&self->rt.words->nr_spare));
	for (i = 0; i < ARRAY_SIZE(spares); i++) {
		ASSERT_EQ(0, m_result(spares[i]));
		EXPECT_TRUE(m_holds(spares[i], spares[i]->p));
	}
}

static int job_wake(struct m_thread *self)
{
	return kgo_wake(self->rt->fd, (uintptr_t)self->arg, 0, &self->p);
}

TEST_F(m, wake_may_be_called_by_an_m_that_holds_a_p)
{
	ASSERT_EQ(0, m_start(&self->a, &self->rt));
	ASSERT_EQ(0, m_start(&self->b, &self->rt));
	p_start(&self->rt, 0);
	p_start(&self->rt, 1);
	ASSERT_EQ(0, m_take(&self->a, 0));
	ASSERT_TRUE(m_park(&self->b));
	ASSERT_EQ(0, m_do(&self->a, job_wake, (void *)1));
	EXPECT_EQ(self->b.m, self->a.p);
	ASSERT_EQ(0, m_result(&self->b));
	EXPECT_TRUE(m_holds(&self->b, 1));
	EXPECT_TRUE(m_holds(&self->a, 0));
}

TEST_F(m, wake_of_a_p_that_is_not_there_fails)
{
	__u32 m;

	ASSERT_EQ(0, m_start(&self->a, &self->rt));
	ASSERT_TRUE(m_park(&self->a));
	EXPECT_EQ(-EINVAL, kgo_wake(self->rt.fd, NR_P, 0, &m));
	EXPECT_EQ(POISON, m);
	EXPECT_EQ(-EINVAL, kgo_wake(self->rt.fd, ~0U, 0, &m));
	EXPECT_EQ(-EINVAL, kgo_wake(self->rt.fd, KGO_MAX_P, 0, &m));
	EXPECT_FALSE(m_is_done(&self->a));
}

TEST_F(m, wake_with_unknown_flags_fails)
{
	__u32 m;

	ASSERT_EQ(0, m_start(&self->a, &self->rt));
	ASSERT_TRUE(m_park(&self->a));
	p_start(&self->rt, 0);
	EXPECT_EQ(-EINVAL, kgo_wake(self->rt.fd, 0, 2, &m));
	EXPECT_EQ(-EINVAL, kgo_wake(self->rt.fd, 0, 1U << 31, &m));
	EXPECT_EQ(-EINVAL, kgo_wake(self->rt.fd, 0, ~0U, &m));
	EXPECT_EQ(POISON, m);
	EXPECT_TRUE(p_is_idle(&self->rt, 0));
	EXPECT_FALSE(m_is_done(&self->a));
}

TEST_F(m, wake_of_a_p_that_is_not_idle_fails)
{
	__u64 word;
	__u32 m;

	ASSERT_EQ(0, m_start(&self->a, &self->rt));
	ASSERT_EQ(0, m_start(&self->b, &self->rt));
	ASSERT_TRUE(m_park(&self->a));

	/* P 0 is dead, P 1 runs, P 2 is suspect; what the bits say is no matter */
	p_start(&self->rt, 1);
	ASSERT_EQ(0, m_take(&self->b, 1));
	word = load(&self->rt.p[1].word);
	store(&self->rt.p[2].word, word_of(KGO_P_SUSPECT, self->b.m, 5));
	set_idle_bit(&self->rt, 0);
	set_idle_bit(&self->rt, 1);
	set_idle_bit(&self->rt, 2);

	EXPECT_EQ(-EBUSY, kgo_wake(self->rt.fd, 0, 0, &m));
	EXPECT_EQ(-EBUSY, kgo_wake(self->rt.fd, 1, 0, &m));
	EXPECT_EQ(-EBUSY, kgo_wake(self->rt.fd, 2, 0, &m));
	EXPECT_EQ(POISON, m);
	EXPECT_EQ(KGO_P_DEAD, load(&self->rt.p[0].word));
	EXPECT_EQ(word, load(&self->rt.p[1].word));
	EXPECT_EQ(word_of(KGO_P_SUSPECT, self->b.m, 5),
		  load(&self->rt.p[2].word));
	EXPECT_FALSE(m_is_done(&self->a));
}

TEST_F(m, wake_without_a_spare_leaves_the_p_idle)
{
	__u32 m;

	p_start(&self->rt, 0);
	EXPECT_EQ(-EAGAIN, kgo_wake(self->rt.fd, 0, 0, &m));
	EXPECT_EQ(POISON, m);
	EXPECT_TRUE(p_is_idle(&self->rt, 0));
	EXPECT_TRUE(idle_bit(&self->rt, 0));
}

TEST_F(m, stats_are_for_any_thread)
{
	struct kgo_stats stats;

	ASSERT_EQ(0, kgo_stats(self->rt.fd, &stats));
	EXPECT_EQ(sizeof(stats), stats.size);
	EXPECT_EQ(0U, stats.nr_m);
	EXPECT_EQ(0U, stats.nr_spare);
	EXPECT_EQ(0U, stats.reserved);
	EXPECT_EQ(0U, stats.handoffs);
	EXPECT_EQ(0U, stats.no_spare);
	EXPECT_EQ(0U, stats.idles);
	EXPECT_EQ(0U, stats.retakes);
	EXPECT_EQ(0U, stats.takes);
	EXPECT_EQ(0U, stats.returns);
	EXPECT_EQ(0U, stats.criticals);
	EXPECT_EQ(0U, stats.wakes);
	EXPECT_EQ(0U, stats.parks);
	EXPECT_EQ(0U, stats.deaths);
}

TEST_F(m, wait_is_for_ms_without_a_p)
{
	__u32 events;

	EXPECT_EQ(-ESRCH, kgo_wait(self->rt.fd, KGO_EVENT_SPARES, &events));
	p_start(&self->rt, 0);
	ASSERT_EQ(0, m_start(&self->a, &self->rt));
	ASSERT_EQ(0, m_take(&self->a, 0));
	EXPECT_EQ(-EBUSY, m_do(&self->a, job_wait, (void *)KGO_EVENT_SPARES));
	EXPECT_TRUE(m_holds(&self->a, 0));
}

TEST_F(m, wait_for_nothing_or_for_unknown_events_fails)
{
	__u32 m, events;

	ASSERT_EQ(0, kgo_enter(self->rt.fd, &m));
	EXPECT_EQ(-EINVAL, kgo_wait(self->rt.fd, 0, &events));
	EXPECT_EQ(0U, events);
	EXPECT_EQ(-EINVAL, kgo_wait(self->rt.fd, 8, &events));
	EXPECT_EQ(-EINVAL, kgo_wait(self->rt.fd, ~0U, &events));
	EXPECT_EQ(~0U, events);
	EXPECT_EQ(-EINVAL, kgo_wait(self->rt.fd, 1U << 31 | KGO_EVENT_M_DIED,
				    &events));
}

TEST_F(m, second_waiter_fails)
{
	__u32 m, events;

	ASSERT_EQ(0, m_start(&self->a, &self->rt));
	m_wait(&self->a, KGO_EVENT_M_DIED);
	ASSERT_TRUE(eventually(m_state(&self->a) == KGO_M_BLOCKED));
	ASSERT_EQ(0, kgo_enter(self->rt.fd, &m));
	EXPECT_EQ(-EBUSY, kgo_wait(self->rt.fd, KGO_EVENT_SPARES, &events));
	EXPECT_FALSE(m_is_done(&self->a));

	/* once the first is gone another may */
	EXPECT_EQ(-EINTR, m_interrupt(&self->a));
	ASSERT_EQ(0, m_start(&self->b, &self->rt));
	m_wait(&self->b, KGO_EVENT_M_DIED);
	ASSERT_TRUE(eventually(m_state(&self->b) == KGO_M_BLOCKED));
	EXPECT_EQ(-EINTR, m_interrupt(&self->b));
}

TEST_F(m, wait_tells_of_an_m_that_died)
{
	struct kgo_stats stats;

	ASSERT_EQ(0, m_start(&self->a, &self->rt));
	ASSERT_EQ(0, m_start(&self->b, &self->rt));
	m_wait(&self->a, KGO_EVENT_SPARES | KGO_EVENT_M_DIED);
	ASSERT_TRUE(eventually(m_state(&self->a) == KGO_M_BLOCKED));
	m_exit(&self->b);
	ASSERT_EQ(0, m_result(&self->a));
	EXPECT_EQ(KGO_EVENT_M_DIED, self->a.events);
	ASSERT_EQ(0, kgo_stats(self->rt.fd, &stats));
	EXPECT_EQ(1U, stats.deaths);

	/* and not of one that leaves, nor twice of the same */
	ASSERT_EQ(0, m_start(&self->b, &self->rt));
	m_wait(&self->a, KGO_EVENT_SPARES | KGO_EVENT_M_DIED);
	ASSERT_TRUE(eventually(m_state(&self->a) == KGO_M_BLOCKED));
	ASSERT_EQ(0, m_end(&self->b));
	EXPECT_EQ(-EINTR, m_interrupt(&self->a));
}

TEST_F(m, wait_keeps_events_that_are_not_wanted)
{
	ASSERT_EQ(0, m_start(&self->a, &self->rt));
	ASSERT_EQ(0, m_start(&self->b, &self->rt));
	m_exit(&self->b);
	m_wait(&self->a, KGO_EVENT_SPARES);
	ASSERT_TRUE(eventually(m_state(&self->a) == KGO_M_BLOCKED));
	EXPECT_EQ(-EINTR, m_interrupt(&self->a));
	EXPECT_EQ(0, m_do(&self->a, job_wait, (void *)KGO_EVENT_M_DIED));
	EXPECT_EQ(KGO_EVENT_M_DIED, self->a.events);
}

TEST_F(m, wait_is_restarted_after_a_signal_that_says_so)
{
	ASSERT_EQ(0, m_start(&self->a, &self->rt));
	ASSERT_EQ(0, m_start(&self->b, &self->rt));
	signals_interrupt(SIGUSR2, SA_RESTART);
	m_wait(&self->a, KGO_EVENT_M_DIED);
	ASSERT_TRUE(eventually(m_state(&self->a) == KGO_M_BLOCKED));
	m_signal(&self->a, SIGUSR2);
	m_exit(&self->b);
	EXPECT_EQ(0, m_result(&self->a));
	EXPECT_EQ(KGO_EVENT_M_DIED, self->a.events);
}

TEST_F(m, signal_interrupts_park)
{
	ASSERT_EQ(0, m_start(&self->a, &self->rt));
	ASSERT_TRUE(m_park(&self->a));
	EXPECT_EQ(-EINTR, m_interrupt(&self->a));
	EXPECT_EQ(POISON, self->a.p);
	EXPECT_EQ(POISON, self->a.reason);
	EXPECT_EQ(KGO_HOLD_NONE, m_hold(&self->a));
	EXPECT_EQ(0U, load(&self->rt.words->nr_spare));
	EXPECT_TRUE(m_is_runnable(&self->a));

	/* it is no spare any more */
	p_start(&self->rt, 0);
	EXPECT_EQ(-EAGAIN, kgo_wake(self->rt.fd, 0, 0, &self->b.m));
}

static long handled;

static void count_signal(int signo)
{
	(void)signo;
	__atomic_fetch_add(&handled, 1, __ATOMIC_SEQ_CST);
}

static void handle_signal(int signo, int flags)
{
	struct sigaction action = {
		.sa_handler = count_signal,
		.sa_flags = flags,
	};

	sigaction(signo, &action, NULL);
}

TEST_F(m, park_is_restarted_after_a_signal_that_says_so)
{
	__u32 m;

	handle_signal(SIGUSR2, SA_RESTART);
	ASSERT_EQ(0, m_start(&self->a, &self->rt));
	ASSERT_TRUE(m_park(&self->a));
	m_signal(&self->a, SIGUSR2);
	ASSERT_TRUE(eventually(load(&handled) == 1));
	ASSERT_TRUE(eventually(m_state(&self->a) == KGO_M_SPARE &&
			       load(&self->rt.words->nr_spare) == 1));
	p_start(&self->rt, 0);
	ASSERT_EQ(0, kgo_wake(self->rt.fd, 0, 0, &m));
	EXPECT_EQ(0, m_result(&self->a));
	EXPECT_TRUE(m_holds(&self->a, 0));
}

/*
 * A spare is given a P and is signalled at the same time. Either it was a spare
 * no more, or PARK succeeds; and the handler has run after that.
 */
static int job_park_and_drop(struct m_thread *self)
{
	int ret = kgo_park(self->rt->fd, &self->p, &self->reason);

	if (!ret && !m_holds(self, 0))
		return -ESRCH;
	if (!ret)
		p_drop(self->rt, self->m);
	return ret;
}

TEST_F_TIMEOUT(m, p_given_while_a_signal_comes_is_neither_lost_nor_kept, 120)
{
	long rounds = figure("KGO_SIGNAL_ROUNDS", 2000), given = 0, i;
	__u32 random = figure("KGO_SEED", 1), m;
	bool signal_first;
	int ret;

	handle_signal(SIGUSR2, 0);
	p_start(&self->rt, 0);
	ASSERT_EQ(0, m_start(&self->a, &self->rt));
	for (i = 0; i < rounds; i++) {
		m_ask(&self->a, job_park_and_drop, NULL);
		ASSERT_TRUE(eventually(m_state(&self->a) == KGO_M_SPARE));
		/* first the one, then the other, with all distances between */
		signal_first = random_next(&random) % 2;
		if (signal_first)
			m_signal(&self->a, SIGUSR2);
		spin(random_distance(&random));
		ret = kgo_wake(self->rt.fd, 0, 0, &m);
		if (!signal_first)
			m_signal(&self->a, SIGUSR2);
		ASSERT_TRUE(!ret || ret == -EAGAIN);
		ASSERT_EQ(ret ? -EINTR : 0, m_result(&self->a));
		ASSERT_TRUE(eventually(load(&handled) == i + 1));
		ASSERT_TRUE(p_is_idle(&self->rt, 0));
		ASSERT_TRUE(idle_bit(&self->rt, 0));
		given += !ret;
		if (ret) {
			/* the next parker takes what waits for it */
			ASSERT_EQ(0, m_do(&self->a, job_park_and_drop, NULL));
			ASSERT_EQ(KGO_PARK_IDLE, self->a.reason);
		}
	}
	TH_LOG("%ld of %ld rounds gave the P", given, rounds);
	EXPECT_LT(0, given);
	EXPECT_LT(given, rounds);
}

/*
 * An M in a process of its own that shares the memory: SIGKILL ends it alone,
 * so its end can be seen.
 */
struct lone {
	struct runtime *rt;
	__u32 m;
	bool parked;
};

static int lone_main(void *arg)
{
	struct lone *lone = arg;
	__u32 p, reason;

	/* the slot of one that died is free some time after */
	while (kgo_enter(lone->rt->fd, &lone->m))
		;
	store(&lone->parked, true);
	if (kgo_park(lone->rt->fd, &p, &reason))
		return 1;
	for (;;)
		;
}

static pid_t start_lone(struct lone *lone, char *stack, size_t size)
{
	return clone(lone_main, stack + size,
		     CLONE_VM | CLONE_FS | CLONE_FILES | SIGCHLD, lone);
}

TEST_F_TIMEOUT(m, killed_spare_frees_the_p_it_was_given, 120)
{
	long rounds = figure("KGO_KILL_ROUNDS", 200), i;
	static char stack[65536];
	struct lone lone = { .rt = &self->rt };
	struct kgo_stats stats;
	__u32 random = figure("KGO_SEED", 1), m;
	pid_t pid;
	int ret;

	p_start(&self->rt, 0);
	for (i = 0; i < rounds; i++) {
		lone.parked = false;
		pid = start_lone(&lone, stack, sizeof(stack));
		ASSERT_LT(0, pid);
		ASSERT_TRUE(eventually(load(&lone.parked) &&
				       load(&self->rt.m[lone.m].state) ==
				       KGO_M_SPARE));
		if (random_next(&random) % 2)
			kill(pid, SIGKILL);
		spin(random_distance(&random));
		ret = kgo_wake(self->rt.fd, 0, 0, &m);
		ASSERT_TRUE(!ret || ret == -EAGAIN);
		kill(pid, SIGKILL);
		ASSERT_EQ(pid, waitpid(pid, NULL, 0));
		ASSERT_TRUE(eventually(p_is_idle(&self->rt, 0) &&
				       idle_bit(&self->rt, 0)));
		if (ret) {
			/* the next parker takes what waits for it */
			ASSERT_EQ(0, m_start(&self->a, &self->rt));
			ASSERT_EQ(0, m_do(&self->a, job_park, NULL));
			ASSERT_EQ(0, m_end(&self->a));
		}
	}
	ASSERT_TRUE(eventually(!kgo_stats(self->rt.fd, &stats) &&
			       stats.deaths == (__u64)rounds && !stats.nr_m));
	EXPECT_EQ(0U, load(&self->rt.words->nr_spare));
}

/* With work, the next spare gets it. */
TEST_F(m, killed_spare_hands_its_p_to_the_next)
{
	static char stack[65536];
	struct lone lone = { .rt = &self->rt };
	__u32 m;
	pid_t pid;

	p_start(&self->rt, 0);
	pid = start_lone(&lone, stack, sizeof(stack));
	ASSERT_LT(0, pid);
	ASSERT_TRUE(eventually(load(&lone.parked) &&
			       load(&self->rt.m[lone.m].state) ==
			       KGO_M_SPARE));
	ASSERT_EQ(0, kgo_wake(self->rt.fd, 0, 0, &m));
	ASSERT_EQ(lone.m, m);
	ASSERT_EQ(0, m_start(&self->a, &self->rt));
	ASSERT_TRUE(m_park(&self->a));
	store(&self->rt.words->globq_len, 1);
	kill(pid, SIGKILL);
	ASSERT_EQ(pid, waitpid(pid, NULL, 0));
	ASSERT_EQ(0, m_result(&self->a));
	EXPECT_EQ(KGO_PARK_HANDOFF, self->a.reason);
	EXPECT_TRUE(m_holds(&self->a, 0));
}

/* What PARK cannot answer is not lost either. */
static int job_park_read_only(struct m_thread *self)
{
	struct kgo_park args = { .size = sizeof(args) };

	return kgo_call(self->rt->fd, KGO_IOC_PARK,
			read_only(&args, sizeof(args)));
}

TEST_F(m, park_that_cannot_answer_loses_no_p)
{
	__u32 m;

	ASSERT_EQ(0, m_start(&self->a, &self->rt));
	m_ask(&self->a, job_park_read_only, NULL);
	ASSERT_TRUE(eventually(m_is_done(&self->a) ||
			       m_state(&self->a) == KGO_M_SPARE));
	p_start(&self->rt, 0);
	if (!m_is_done(&self->a))
		kgo_wake(self->rt.fd, 0, 0, &m);
	EXPECT_EQ(-EFAULT, m_result(&self->a));
	EXPECT_TRUE(p_is_idle(&self->rt, 0) || m_holds(&self->a, 0));
}

TEST_HARNESS_MAIN
