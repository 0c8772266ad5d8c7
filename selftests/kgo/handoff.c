// SPDX-License-Identifier: GPL-2.0-only
/*
 * What becomes of a P when its owner blocks: invariants 1 to 5.
 *
 * In most tests "owner" is an M that holds P 0 and blocks, "spare" one that is
 * parked. The test itself is no M.
 */
#define _GNU_SOURCE
#include <sys/prctl.h>
#include "kselftest_harness.h"
#include "m_life.h"
#include "ways.h"

#define NR_P	4
#define NR_M	8

static int job_block(struct m_thread *self)
{
	block(self->arg);
	return 0;
}

/* What an M finds right after its block, before it calls the kernel again. */
struct after_block {
	struct block block;
	__u64 word;
	__u32 hold;
	__u32 state;
};

static int job_block_and_look(struct m_thread *self)
{
	struct after_block *after = self->arg;

	after->block.way->block(&after->block);
	after->word = load(&self->rt->p[0].word);
	after->hold = m_hold(self);
	after->state = m_state(self);
	store(&after->block.over, true);
	return 0;
}

/* What a spare finds when it gets a P whose owner is blocked. */
struct rescue {
	struct m_thread *owner;
	struct block *block;
	__u32 owner_state;
	bool owner_holds_none;
	__u64 word;
	__u32 hold;
};

static int job_rescue(struct m_thread *self)
{
	struct rescue *rescue = self->arg;
	int ret = kgo_park(self->rt->fd, &self->p, &self->reason);

	if (ret)
		return ret;
	m_words(self)->critical++;
	rescue->owner_state = m_state(rescue->owner);
	rescue->owner_holds_none = spin_until(m_hold(rescue->owner) ==
					      KGO_HOLD_NONE);
	rescue->word = load(&self->rt->p[0].word);
	rescue->hold = m_hold(self);
	if (!unblock(rescue->block))
		ret = -ETIMEDOUT;
	m_words(self)->critical--;
	return ret;
}

FIXTURE(way) {
	struct runtime rt;
	struct m_thread owner;
	struct m_thread spare;
	struct after_block after;
};

FIXTURE_VARIANT(way) {
	const struct way *way;
};

FIXTURE_VARIANT_ADD(way, nanosleep) { .way = &way_nanosleep };
FIXTURE_VARIANT_ADD(way, pipe) { .way = &way_pipe };
FIXTURE_VARIANT_ADD(way, futex) { .way = &way_futex };
FIXTURE_VARIANT_ADD(way, fault) { .way = &way_fault };
FIXTURE_VARIANT_ADD(way, fault_in_call) { .way = &way_fault_in_call };
FIXTURE_VARIANT_ADD(way, flock) { .way = &way_flock };
FIXTURE_VARIANT_ADD(way, epoll) { .way = &way_epoll };
FIXTURE_VARIANT_ADD(way, vfork) { .way = &way_vfork };

FIXTURE_SETUP(way)
{
	ASSERT_EQ(0, block_prepare(&self->after.block, variant->way));
	ASSERT_EQ(0, runtime_open(&self->rt, NR_P, NR_M, 0));
	p_start(&self->rt, 0);
	ASSERT_EQ(0, m_start(&self->owner, &self->rt));
	ASSERT_EQ(0, m_start(&self->spare, &self->rt));
	ASSERT_EQ(0, m_take(&self->owner, 0));
}

FIXTURE_TEARDOWN(way)
{
	runtime_close(&self->rt);
}

/* Only the spare ends the block, so without a handoff this never ends. */
TEST_F(way, blocked_owner_hands_over)
{
	struct rescue rescue = {
		.owner = &self->owner,
		.block = &self->after.block,
	};
	struct kgo_stats stats;

	self->after.block.tid = self->owner.tid;
	m_ask(&self->spare, job_rescue, &rescue);
	ASSERT_TRUE(eventually(m_state(&self->spare) == KGO_M_SPARE));
	store(&self->rt.p[0].runnext, 1);
	m_ask(&self->owner, job_block_and_look, &self->after);

	ASSERT_EQ(0, m_result(&self->spare));
	EXPECT_EQ(0U, self->spare.p);
	EXPECT_EQ(KGO_PARK_HANDOFF, self->spare.reason);
	EXPECT_EQ(KGO_P_RUNNING, word_state(rescue.word));
	EXPECT_EQ(self->spare.m, word_m(rescue.word));
	EXPECT_EQ(1U, rescue.hold);
	EXPECT_EQ(KGO_M_BLOCKED, rescue.owner_state);
	EXPECT_TRUE(rescue.owner_holds_none);

	/* the owner came back to no P */
	ASSERT_EQ(0, m_result(&self->owner));
	EXPECT_EQ(rescue.word, self->after.word);
	EXPECT_EQ(KGO_HOLD_NONE, self->after.hold);
	EXPECT_EQ(KGO_M_RETURNING, self->after.state);

	ASSERT_EQ(0, kgo_stats(self->rt.fd, &stats));
	EXPECT_EQ(1U, stats.handoffs);
	EXPECT_EQ(1U, stats.returns);
	EXPECT_EQ(0U, stats.no_spare);
	EXPECT_EQ(0U, stats.nr_spare);
}

TEST_F(way, blocked_owner_in_critical_section_keeps_its_p)
{
	struct kgo_stats stats;
	__u64 word = load(&self->rt.p[0].word);

	ASSERT_TRUE(m_park(&self->spare));
	store(&self->rt.p[0].runnext, 1);
	store(&m_words(&self->owner)->critical, 1);
	self->after.block.tid = self->owner.tid;
	m_ask(&self->owner, job_block_and_look, &self->after);
	ASSERT_TRUE(eventually(m_state(&self->owner) == KGO_M_BLOCKED));
	EXPECT_TRUE(unblock(&self->after.block));

	/* not even taken and given back: the sequence is the same */
	ASSERT_EQ(0, m_result(&self->owner));
	EXPECT_EQ(word, self->after.word);
	EXPECT_EQ(1U, self->after.hold);
	EXPECT_EQ(KGO_M_RUNNING, self->after.state);
	EXPECT_FALSE(m_is_done(&self->spare));

	ASSERT_EQ(0, kgo_stats(self->rt.fd, &stats));
	EXPECT_LE(1U, stats.criticals);
	EXPECT_EQ(0U, stats.handoffs);
	EXPECT_EQ(0U, stats.idles);
}

TEST_F(way, block_without_work_wakes_nobody)
{
	long switches;
	struct kgo_stats stats;
	__u64 word = load(&self->rt.p[0].word);

	ASSERT_TRUE(m_park(&self->spare));
	switches = switches_of(self->spare.tid);
	self->after.block.tid = self->owner.tid;
	m_ask(&self->owner, job_block_and_look, &self->after);

	/* the P is idle, and says whose it was */
	ASSERT_TRUE(eventually(p_is_idle(&self->rt, 0) &&
			       idle_bit(&self->rt, 0)));
	EXPECT_EQ(self->owner.m, word_m(load(&self->rt.p[0].word)));
	EXPECT_TRUE(eventually(m_hold(&self->owner) == KGO_HOLD_NONE));
	EXPECT_TRUE(unblock(&self->after.block));

	/* the owner got it back before it came to user mode */
	ASSERT_EQ(0, m_result(&self->owner));
	EXPECT_EQ(KGO_P_RUNNING, word_state(self->after.word));
	EXPECT_EQ(self->owner.m, word_m(self->after.word));
	EXPECT_LT(word_seq(word), word_seq(self->after.word));
	EXPECT_EQ(1U, self->after.hold);
	EXPECT_EQ(KGO_M_RUNNING, self->after.state);
	EXPECT_FALSE(idle_bit(&self->rt, 0));

	ASSERT_EQ(0, kgo_stats(self->rt.fd, &stats));
	EXPECT_LE(1U, stats.idles);
	EXPECT_EQ(stats.idles, stats.retakes);
	EXPECT_EQ(0U, stats.handoffs);
	EXPECT_EQ(0U, stats.takes);
	EXPECT_EQ(0U, stats.returns);
	EXPECT_EQ(1U, stats.nr_spare);
	EXPECT_EQ(1U, load(&self->rt.words->nr_spare));
	EXPECT_EQ(KGO_M_SPARE, m_state(&self->spare));
	EXPECT_EQ(switches, switches_of(self->spare.tid));
}

/*
 * What counts as work. P 1 is held by an M that spins, when it runs.
 */
FIXTURE(hint) {
	struct runtime rt;
	struct m_thread owner;
	struct m_thread spare;
	struct m_thread other;
	struct block block;
};

FIXTURE_VARIANT(hint) {
	struct kgo_p own;
	__u32 globq_len;
	__u32 polling;
	__u32 net_waiters;
	__u32 nr_spinning;
	__u32 nr_p_used;
	__u32 other_queue;
	__u32 other_timers;
	bool other_runs;
	bool third_idle;
	bool third_being_taken;
	bool handoff;
};

FIXTURE_VARIANT_ADD(hint, none) { .handoff = false };
FIXTURE_VARIANT_ADD(hint, own_queue) {
	.own = { .runq_head = 7, .runq_tail = 8 },
	.handoff = true,
};

FIXTURE_VARIANT_ADD(hint, own_queue_of_which_all_is_taken) {
	.own = { .runq_head = 8, .runq_tail = 8 },
	.handoff = false,
};

FIXTURE_VARIANT_ADD(hint, own_queue_whose_tail_wrapped) {
	.own = { .runq_head = 0xffffffff, .runq_tail = 0 },
	.handoff = true,
};

FIXTURE_VARIANT_ADD(hint, runnext) {
	.own = { .runnext = 1ULL << 63 },
	.handoff = true,
};

FIXTURE_VARIANT_ADD(hint, tick) {
	.own = { .tick = 1 },
	.handoff = false,
};

FIXTURE_VARIANT_ADD(hint, global_queue) {
	.globq_len = 1,
	.handoff = true,
};

FIXTURE_VARIANT_ADD(hint, global_queue_while_others_spin_and_poll) {
	.globq_len = 1,
	.nr_spinning = 1,
	.polling = 1,
	.handoff = true,
};

FIXTURE_VARIANT_ADD(hint, timers) {
	.own = { .timers = 1 },
	.handoff = true,
};

FIXTURE_VARIANT_ADD(hint, timers_while_polled) {
	.own = { .timers = 1 },
	.polling = 1,
	.handoff = false,
};

FIXTURE_VARIANT_ADD(hint, net_waiters) {
	.net_waiters = 1,
	.handoff = true,
};

FIXTURE_VARIANT_ADD(hint, net_waiters_while_polled) {
	.net_waiters = 1,
	.polling = 1,
	.handoff = false,
};

FIXTURE_VARIANT_ADD(hint, net_waiters_while_another_p_is_idle) {
	.net_waiters = 1,
	.third_idle = true,
	.handoff = true,
};

FIXTURE_VARIANT_ADD(hint, net_waiters_while_another_p_runs) {
	.net_waiters = 1,
	.other_runs = true,
	.handoff = false,
};

FIXTURE_VARIANT_ADD(hint, other_queue) {
	.other_queue = 1,
	.other_runs = true,
	.handoff = true,
};

FIXTURE_VARIANT_ADD(hint, other_queue_while_others_spin) {
	.other_queue = 1,
	.other_runs = true,
	.nr_spinning = 1,
	.handoff = false,
};

FIXTURE_VARIANT_ADD(hint, other_queue_while_another_p_is_idle) {
	.other_queue = 1,
	.other_runs = true,
	.third_idle = true,
	.handoff = false,
};

/* who queued the other's work has not found it, as it had no bit */
FIXTURE_VARIANT_ADD(hint, other_queue_while_an_idle_p_is_being_taken) {
	.other_queue = 1,
	.other_runs = true,
	.third_being_taken = true,
	.handoff = true,
};

FIXTURE_VARIANT_ADD(hint, other_timers) {
	.other_timers = 1,
	.other_runs = true,
	.handoff = true,
};

FIXTURE_VARIANT_ADD(hint, other_timers_while_polled) {
	.other_timers = 1,
	.other_runs = true,
	.polling = 1,
	.handoff = false,
};

FIXTURE_VARIANT_ADD(hint, other_timers_while_another_p_is_idle) {
	.other_timers = 1,
	.other_runs = true,
	.third_idle = true,
	.handoff = false,
};

FIXTURE_VARIANT_ADD(hint, other_queue_of_a_p_in_use) {
	.other_queue = 1,
	.other_runs = true,
	.nr_p_used = 2,
	.handoff = true,
};

FIXTURE_VARIANT_ADD(hint, other_queue_of_a_p_not_in_use) {
	.other_queue = 1,
	.other_runs = true,
	.nr_p_used = 1,
	.handoff = false,
};

FIXTURE_VARIANT_ADD(hint, other_queue_with_more_in_use_than_there_are) {
	.other_queue = 1,
	.other_runs = true,
	.nr_p_used = 0xffffffff,
	.handoff = true,
};

FIXTURE_VARIANT_ADD(hint, net_waiters_while_a_p_not_in_use_runs) {
	.net_waiters = 1,
	.other_runs = true,
	.nr_p_used = 1,
	.handoff = true,
};

FIXTURE_SETUP(hint)
{
	struct runtime *rt = &self->rt;

	ASSERT_EQ(0, block_prepare(&self->block, &way_pipe));
	ASSERT_EQ(0, runtime_open(rt, NR_P, NR_M, 0));
	ASSERT_EQ(0, m_start(&self->owner, rt));
	ASSERT_EQ(0, m_start(&self->spare, rt));
	p_start(rt, 0);
	ASSERT_EQ(0, m_take(&self->owner, 0));
	ASSERT_TRUE(m_park(&self->spare));
	if (variant->other_runs) {
		ASSERT_EQ(0, m_start(&self->other, rt));
		p_start(rt, 1);
		ASSERT_EQ(0, m_take(&self->other, 1));
	}
	if (variant->third_idle || variant->third_being_taken)
		p_start(rt, 2);
	if (variant->third_being_taken)
		clear_idle_bit(rt, 2);

	store(&rt->p[0].runq_head, variant->own.runq_head);
	store(&rt->p[0].runq_tail, variant->own.runq_tail);
	store(&rt->p[0].runnext, variant->own.runnext);
	store(&rt->p[0].timers, variant->own.timers);
	store(&rt->p[0].tick, variant->own.tick);
	store(&rt->p[1].runq_tail, variant->other_queue);
	store(&rt->p[1].timers, variant->other_timers);
	store(&rt->words->polling, variant->polling);
	store(&rt->words->net_waiters, variant->net_waiters);
	store(&rt->words->nr_spinning, variant->nr_spinning);
	store(&rt->words->nr_p_used, variant->nr_p_used);
	store(&rt->words->globq_len, variant->globq_len);
}

FIXTURE_TEARDOWN(hint)
{
	runtime_close(&self->rt);
}

TEST_F(hint, decides)
{
	struct kgo_stats stats;

	m_ask(&self->owner, job_block, &self->block);
	ASSERT_TRUE(eventually(m_state(&self->owner) == KGO_M_BLOCKED));
	if (variant->handoff) {
		ASSERT_EQ(0, m_result(&self->spare));
		EXPECT_EQ(0U, self->spare.p);
		EXPECT_EQ(KGO_PARK_HANDOFF, self->spare.reason);
		EXPECT_TRUE(m_holds(&self->spare, 0));
		EXPECT_TRUE(eventually(m_hold(&self->owner) == KGO_HOLD_NONE));
	} else {
		ASSERT_TRUE(eventually(idle_bit(&self->rt, 0)));
		EXPECT_TRUE(p_is_idle(&self->rt, 0));
	}

	unblock_pipe(&self->block);
	ASSERT_EQ(0, m_result(&self->owner));
	EXPECT_EQ(!variant->handoff, m_holds(&self->owner, 0));
	EXPECT_EQ(variant->handoff && variant->third_idle,
		  m_holds(&self->owner, 2));
	EXPECT_EQ(variant->handoff, m_is_done(&self->spare));
	ASSERT_EQ(0, kgo_stats(self->rt.fd, &stats));
	EXPECT_EQ(variant->handoff, stats.handoffs);
	EXPECT_EQ(variant->handoff && variant->third_idle, stats.takes);
	EXPECT_EQ(variant->handoff && !variant->third_idle, stats.returns);
	EXPECT_EQ(variant->handoff, !stats.idles);
	EXPECT_EQ(stats.idles, stats.retakes);
}

FIXTURE(handoff) {
	struct runtime rt;
	struct m_thread owner;
	struct m_thread spare;
	struct m_thread other;
	struct block block;
};

FIXTURE_SETUP(handoff)
{
	ASSERT_EQ(0, block_prepare(&self->block, &way_pipe));
	ASSERT_EQ(0, runtime_open(&self->rt, NR_P, NR_M, 0));
	p_start(&self->rt, 0);
	ASSERT_EQ(0, m_start(&self->owner, &self->rt));
	ASSERT_EQ(0, m_start(&self->spare, &self->rt));
	ASSERT_EQ(0, m_start(&self->other, &self->rt));
	ASSERT_EQ(0, m_take(&self->owner, 0));
}

FIXTURE_TEARDOWN(handoff)
{
	runtime_close(&self->rt);
}

/* Block the owner without work, so that its P is idle. */
#define block_owner_without_work()					\
	do {								\
		m_ask(&self->owner, job_block, &self->block);		\
		ASSERT_TRUE(eventually(idle_bit(&self->rt, 0)));	\
		ASSERT_TRUE(p_is_idle(&self->rt, 0));			\
	} while (0)

/* A P that runs, as far as the words tell, but takes no CPU's time. */
#define have_other_keep(index)						\
	do {								\
		__u32 p_ = (index);					\
									\
		p_start(&self->rt, p_);					\
		ASSERT_EQ(0, m_take(&self->other, p_));			\
		store(&m_words(&self->other)->critical, 1);		\
		m_ask(&self->other, job_block, &self->block);		\
	} while (0)

TEST_F(handoff, critical_section_of_any_depth_keeps_the_p)
{
	static const __u32 depths[] = { 1, 2, 255, 256, 65536, 1U << 31, ~0U };
	__u64 word = load(&self->rt.p[0].word);
	unsigned int i;

	ASSERT_TRUE(m_park(&self->spare));
	store(&self->rt.words->globq_len, 1);
	for (i = 0; i < ARRAY_SIZE(depths); i++) {
		store(&m_words(&self->owner)->critical, depths[i]);
		m_ask(&self->owner, job_block, &self->block);
		ASSERT_TRUE(eventually(m_state(&self->owner) ==
				       KGO_M_BLOCKED));
		unblock_pipe(&self->block);
		ASSERT_EQ(0, m_result(&self->owner));
		EXPECT_EQ(word, load(&self->rt.p[0].word));
		EXPECT_EQ(1U, m_hold(&self->owner));
	}
	EXPECT_FALSE(m_is_done(&self->spare));

	/* and the first block outside hands over */
	store(&m_words(&self->owner)->critical, 0);
	m_ask(&self->owner, job_block, &self->block);
	ASSERT_EQ(0, m_result(&self->spare));
	EXPECT_TRUE(m_holds(&self->spare, 0));
	unblock_pipe(&self->block);
	EXPECT_EQ(0, m_result(&self->owner));
}

TEST_F(handoff, owner_takes_another_idle_p_when_its_own_is_gone)
{
	struct kgo_stats stats;

	block_owner_without_work();
	ASSERT_EQ(0, m_take(&self->other, 0));
	p_start(&self->rt, 2);
	unblock_pipe(&self->block);
	ASSERT_EQ(0, m_result(&self->owner));
	EXPECT_TRUE(m_holds(&self->owner, 2));
	EXPECT_FALSE(idle_bit(&self->rt, 2));
	EXPECT_TRUE(m_holds(&self->other, 0));
	EXPECT_TRUE(m_is_runnable(&self->owner));

	ASSERT_EQ(0, kgo_stats(self->rt.fd, &stats));
	EXPECT_EQ(1U, stats.takes);
	EXPECT_EQ(0U, stats.returns);
}

TEST_F(handoff, owner_takes_its_p_after_another_m_has_had_it)
{
	struct kgo_stats stats;

	block_owner_without_work();
	ASSERT_EQ(0, m_take(&self->other, 0));
	ASSERT_EQ(0, m_do(&self->other, job_drop, NULL));
	ASSERT_EQ(self->other.m, word_m(load(&self->rt.p[0].word)));
	unblock_pipe(&self->block);
	ASSERT_EQ(0, m_result(&self->owner));
	EXPECT_TRUE(m_holds(&self->owner, 0));

	ASSERT_EQ(0, kgo_stats(self->rt.fd, &stats));
	EXPECT_EQ(1U, stats.takes);
	EXPECT_EQ(stats.idles, stats.retakes + stats.takes);
}

TEST_F(handoff, owner_returns_to_no_p_when_none_is_idle)
{
	struct after_block after = { .block = self->block };
	struct kgo_stats stats;

	m_ask(&self->owner, job_block_and_look, &after);
	ASSERT_TRUE(eventually(idle_bit(&self->rt, 0)));
	ASSERT_EQ(0, m_take(&self->other, 0));
	unblock_pipe(&self->block);
	ASSERT_EQ(0, m_result(&self->owner));
	EXPECT_EQ(KGO_HOLD_NONE, after.hold);
	EXPECT_EQ(KGO_M_RETURNING, after.state);
	EXPECT_TRUE(m_holds(&self->other, 0));

	ASSERT_EQ(0, kgo_stats(self->rt.fd, &stats));
	EXPECT_EQ(1U, stats.returns);
	EXPECT_EQ(0U, stats.takes);

	/* it parks like any other */
	ASSERT_TRUE(m_park(&self->owner));
	ASSERT_EQ(0, m_do(&self->other, job_drop, NULL));
	EXPECT_EQ(0, kgo_wake(self->rt.fd, 0, 0, &self->other.p));
	EXPECT_EQ(0, m_result(&self->owner));
	EXPECT_TRUE(m_holds(&self->owner, 0));
}

TEST_F(handoff, m_that_held_nothing_gets_nothing_from_a_block)
{
	p_start(&self->rt, 1);
	m_ask(&self->other, job_block, &self->block);
	ASSERT_TRUE(eventually(m_state(&self->other) == KGO_M_BLOCKED));
	unblock_pipe(&self->block);
	ASSERT_EQ(0, m_result(&self->other));
	EXPECT_EQ(KGO_HOLD_NONE, m_hold(&self->other));
	EXPECT_TRUE(m_is_runnable(&self->other));
	EXPECT_TRUE(p_is_idle(&self->rt, 1));
	EXPECT_TRUE(idle_bit(&self->rt, 1));
}

TEST_F(handoff, suspect_p_is_left_alone)
{
	__u64 word = load(&self->rt.p[0].word) + KGO_P_SUSPECT - KGO_P_RUNNING;

	ASSERT_TRUE(m_park(&self->spare));
	store(&self->rt.words->globq_len, 1);
	store(&self->rt.p[0].word, word);
	m_ask(&self->owner, job_block, &self->block);
	ASSERT_TRUE(eventually(m_state(&self->owner) == KGO_M_BLOCKED));
	unblock_pipe(&self->block);
	ASSERT_EQ(0, m_result(&self->owner));
	EXPECT_EQ(word, load(&self->rt.p[0].word));
	EXPECT_FALSE(m_is_done(&self->spare));
}

TEST_F(handoff, p_of_another_m_is_left_alone)
{
	__u64 word = load(&self->rt.p[0].word);

	ASSERT_TRUE(m_park(&self->spare));
	store(&self->rt.words->globq_len, 1);
	/* what the other M says it holds is the owner's */
	store(&m_words(&self->other)->hold, 1);
	m_ask(&self->other, job_block, &self->block);
	ASSERT_TRUE(eventually(m_state(&self->other) == KGO_M_BLOCKED));
	unblock_pipe(&self->block);
	ASSERT_EQ(0, m_result(&self->other));
	EXPECT_EQ(word, load(&self->rt.p[0].word));
	EXPECT_EQ(1U, m_hold(&self->owner));
	EXPECT_FALSE(m_is_done(&self->spare));
}

TEST_F(handoff, sequence_wraps)
{
	store(&self->rt.p[0].word,
	      word_of(KGO_P_RUNNING, self->owner.m, 0xffffffff));
	block_owner_without_work();
	EXPECT_EQ(self->owner.m, word_m(load(&self->rt.p[0].word)));
	unblock_pipe(&self->block);
	ASSERT_EQ(0, m_result(&self->owner));
	EXPECT_TRUE(m_holds(&self->owner, 0));
	EXPECT_GT(16U, word_seq(load(&self->rt.p[0].word)));
}

TEST_F(handoff, preempted_owner_keeps_its_p)
{
	long switches = switches_of(self->owner.tid);
	__u64 word = load(&self->rt.p[0].word);
	struct kgo_stats stats;

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		SKIP(return, "needs two processors");
	ASSERT_TRUE(m_park(&self->spare));
	store(&self->rt.words->globq_len, 1);
	/* both spin: they preempt each other */
	ASSERT_EQ(0, pin(self->owner.tid, 0));
	ASSERT_EQ(0, pin(self->other.tid, 0));
	ASSERT_EQ(0, pin(0, 1));
	ASSERT_TRUE(eventually(switches_of(self->owner.tid) > switches + 100));
	EXPECT_TRUE(eventually(m_state(&self->owner) == KGO_M_PREEMPTED));
	EXPECT_TRUE(m_is_runnable(&self->owner));
	EXPECT_EQ(word, load(&self->rt.p[0].word));
	EXPECT_FALSE(m_is_done(&self->spare));
	ASSERT_EQ(0, kgo_stats(self->rt.fd, &stats));
	EXPECT_EQ(0U, stats.handoffs);
	EXPECT_EQ(0U, stats.idles);
}

static int job_sleep_often(struct m_thread *self)
{
	long n = (uintptr_t)self->arg;

	while (n--) {
		nap_ns(50 * 1000);
		if (!m_holds(self, 0))
			return -ESRCH;
	}
	return 0;
}

TEST_F(handoff, blocks_without_work_leave_the_spare_asleep)
{
	struct kgo_stats stats;
	long switches;

	ASSERT_TRUE(m_park(&self->spare));
	switches = switches_of(self->spare.tid);
	ASSERT_EQ(0, m_do(&self->owner, job_sleep_often, (void *)1000));
	EXPECT_EQ(switches, switches_of(self->spare.tid));
	EXPECT_EQ(1U, load(&self->rt.words->nr_spare));
	ASSERT_EQ(0, kgo_stats(self->rt.fd, &stats));
	EXPECT_LT(0U, stats.idles);
	EXPECT_EQ(stats.idles, stats.retakes);
	EXPECT_EQ(0U, stats.handoffs);
	EXPECT_EQ(0U, stats.wakes);
}

/*
 * The handoff is part of the block: once the owner is off its CPU its P has the
 * next owner, without anything having to run first.
 */
TEST_F(handoff, p_has_its_next_owner_when_the_last_is_off_its_cpu)
{
	int i;

	store(&self->rt.words->globq_len, 1);
	for (i = 0; i < 50; i++) {
		ASSERT_TRUE(m_park(&self->spare));
		m_ask(&self->owner, job_block, &self->block);
		ASSERT_TRUE(spin_until(is_asleep(self->owner.tid)));
		ASSERT_TRUE(p_is_held_by(&self->rt, 0, self->spare.m));
		unblock_pipe(&self->block);
		ASSERT_EQ(0, m_result(&self->spare));
		ASSERT_EQ(0, m_do(&self->spare, job_drop, NULL));
		ASSERT_EQ(0, m_result(&self->owner));
		ASSERT_TRUE(m_get(&self->owner, 0));
	}
}

/* A spare runs before a timer that the owner has set ends the block. */
static int job_sleep_and_note(struct m_thread *self)
{
	nap_ns(4 * 1000 * 1000);
	*(__u64 *)self->arg = now_ns();
	return 0;
}

static int job_park_and_note(struct m_thread *self)
{
	int ret = kgo_park(self->rt->fd, &self->p, &self->reason);

	*(__u64 *)self->arg = now_ns();
	return ret;
}

TEST_F(handoff, spare_runs_before_a_timer_ends_the_block)
{
	int i, first = 0;
	__u64 ran, woke;

	store(&self->rt.words->globq_len, 1);
	for (i = 0; i < 40; i++) {
		m_ask(&self->spare, job_park_and_note, &ran);
		ASSERT_TRUE(eventually(m_is_parked(&self->spare)));
		m_ask(&self->owner, job_sleep_and_note, &woke);
		ASSERT_EQ(0, m_result(&self->owner));
		if (m_holds(&self->owner, 0)) {
			/* the machine was so busy that it did not block */
			ASSERT_EQ(-EINTR, m_interrupt(&self->spare));
			continue;
		}
		ASSERT_EQ(0, m_result(&self->spare));
		first += ran < woke;
		ASSERT_EQ(0, m_do(&self->spare, job_drop, NULL));
		ASSERT_TRUE(m_get(&self->owner, 0));
	}
	/* a busy machine may delay any of them, but not the most */
	EXPECT_LT(20, first);
}

/*
 * A spare that last ran on another CPU is told where it was wanted; one that was at
 * hand is not. Who wakes a spare for a P besides its own wants it nowhere.
 */
TEST_F(handoff, spare_is_told_where_it_was_missed)
{
	struct kgo_m *words = m_words(&self->spare);
	__u32 m;
	int cpu;

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		SKIP(return, "one CPU only");
	store(&self->rt.words->globq_len, 1);
	for (cpu = 0; cpu < 2; cpu++) {
		ASSERT_EQ(0, pin(self->owner.tid, 0));
		ASSERT_EQ(0, pin(self->spare.tid, cpu));
		store(&words->cpu, POISON);
		ASSERT_TRUE(m_park(&self->spare));
		m_ask(&self->owner, job_block, &self->block);
		ASSERT_EQ(0, m_result(&self->spare));
		EXPECT_EQ(cpu ? 1U : 0U, load(&words->cpu));
		unblock_pipe(&self->block);
		ASSERT_EQ(0, m_result(&self->owner));
		ASSERT_EQ(0, m_do(&self->spare, job_drop, NULL));
		ASSERT_TRUE(m_get(&self->owner, 0));
		ASSERT_EQ(0, block_prepare(&self->block, &way_pipe));
	}

	store(&words->cpu, POISON);
	ASSERT_TRUE(m_park(&self->spare));
	p_start(&self->rt, 1);
	ASSERT_EQ(0, kgo_wake(self->rt.fd, 1, 0, &m));
	ASSERT_EQ(0, m_result(&self->spare));
	EXPECT_EQ(0U, load(&words->cpu));
}

/* A handoff to one that blocks at once, which hands over to the next. */
static int job_pass_on(struct m_thread *self)
{
	int ret = kgo_park(self->rt->fd, &self->p, &self->reason);

	if (!ret)
		block(self->arg);
	return ret;
}

TEST_F(handoff, spare_that_blocks_hands_over_again)
{
	struct block second;
	struct kgo_stats stats;

	ASSERT_EQ(0, block_prepare(&second, &way_futex));
	m_ask(&self->spare, job_pass_on, &second);
	m_ask(&self->other, job_pass_on, &second);
	ASSERT_TRUE(eventually(load(&self->rt.words->nr_spare) == 2));
	store(&self->rt.words->globq_len, 1);
	m_ask(&self->owner, job_block, &self->block);
	ASSERT_TRUE(eventually(m_state(&self->owner) == KGO_M_BLOCKED &&
			       m_state(&self->spare) == KGO_M_BLOCKED &&
			       m_state(&self->other) == KGO_M_BLOCKED));

	/* with all three blocked the work waits on an idle P */
	ASSERT_TRUE(eventually(idle_bit(&self->rt, 0)));
	ASSERT_TRUE(eventually(!kgo_stats(self->rt.fd, &stats) &&
			       stats.no_spare == 1));
	EXPECT_EQ(2U, stats.handoffs);
	unblock_pipe(&self->block);
	ASSERT_EQ(0, m_result(&self->owner));
	EXPECT_TRUE(m_holds(&self->owner, 0));
	EXPECT_TRUE(unblock(&second));
	EXPECT_EQ(0, m_result(&self->spare));
	EXPECT_EQ(0, m_result(&self->other));
}

/*
 * No work is stranded: one publishes work while the owner of the only P blocks,
 * without any lock between the two. Each looks at the other's side after it has
 * made its own visible, so one of them sees it. Only who does the work ends
 * the owner's block.
 */
struct race {
	struct runtime *rt;
	unsigned int came;	/* of twins, in all rounds */
	unsigned int round;	/* that has begun */
	unsigned int worked;	/* rounds of which the work was done */
	__u32 *work;		/* where it is published */
	bool stop;
};

/* Do the work of the round on the P it holds; that ends the owners' blocks. */
static void do_work(struct race *race)
{
	store(race->work, 0);
	store(&race->worked, load(&race->worked) + 1);
	syscall(SYS_futex, &race->worked, FUTEX_WAKE_PRIVATE, 2, NULL, NULL, 0);
}

/* Block until the work of the round after @worked others was done. */
static void await_work(struct race *race, unsigned int worked)
{
	while (load(&race->worked) == worked)
		syscall(SYS_futex, &race->worked, FUTEX_WAIT_PRIVATE, worked,
			NULL, NULL, 0);
}

/* The owner: take the P, start a round, block until its work was done. */
static int job_race_owner(struct m_thread *self)
{
	struct race *race = self->arg;
	long rounds = figure("KGO_RACES", 5000);
	unsigned int worked;

	while (rounds--) {
		if (!spin_until(m_hold(self) == 1 ||
				!p_take(self->rt, self->m, 0)))
			return -ETIMEDOUT;
		worked = load(&race->worked);
		store(&race->round, worked + 1);
		spin(500);
		await_work(race, worked);
	}
	store(&race->stop, true);
	return 0;
}

static int job_race_spare(struct m_thread *self)
{
	struct race *race = self->arg;

	while (!load(&race->stop)) {
		if (kgo_park(self->rt->fd, &self->p, &self->reason))
			continue;	/* a signal: look whether to stop */
		/* who has made a P idle looks for work again */
		do {
			m_words(self)->critical++;
			if (load(race->work))
				do_work(race);
			m_words(self)->critical--;
			p_drop(self->rt, self->m);
		} while (load(race->work) && !p_take(self->rt, self->m, 0));
	}
	return 0;
}

/*
 * The publisher: no M. It is done when somebody will look, or it has woken. Its
 * delay follows the moment at which the P becomes idle: that is where the two
 * can miss each other.
 */
static void *race_publisher(void *arg)
{
	struct race *race = arg;
	__u32 random = figure("KGO_SEED", 1), m;
	unsigned int round, seen = 0;
	int delay = 0;
	bool idle;

	while (!load(&race->stop)) {
		round = load(&race->round);
		if (round == seen)
			continue;
		seen = round;
		spin(delay + random_next(&random) % 64);
		store(race->work, 1);
		idle = idle_bit(race->rt, 0);
		while (load(race->work) && idle_bit(race->rt, 0))
			if (kgo_wake(race->rt->fd, 0, 0, &m) != -EBUSY)
				break;
		delay += idle ? -16 : 16;
	}
	return NULL;
}

/* Each round is done before the limit, or its work is stranded. */
static void watch_race(struct __test_metadata *_metadata, struct race *race,
		       struct m_thread *owner)
{
	while (!m_is_done(owner)) {
		unsigned int worked = load(&race->worked);

		ASSERT_TRUE(eventually(load(&race->worked) != worked ||
				       m_is_done(owner))) {
			TH_LOG("stranded in round %u: P 0's word is %llx, idle bit %d",
			       worked, load(&owner->rt->p[0].word),
			       idle_bit(owner->rt, 0));
		}
	}
	EXPECT_EQ(0, owner->result);
	store(&race->stop, true);
}

static void run_race(struct __test_metadata *_metadata,
		     struct m_thread *owner, struct m_thread *spare,
		     __u32 *work)
{
	struct race race = { .rt = owner->rt, .work = work };
	struct kgo_stats stats;
	pthread_t publisher;
	cpu_set_t second;

	/* the two that race have a CPU each */
	CPU_ZERO(&second);
	CPU_SET(1, &second);
	ASSERT_EQ(0, pin(owner->tid, 0));
	ASSERT_EQ(0, pin(spare->tid, 0));
	signals_interrupt(SIGUSR1, 0);
	m_ask(spare, job_race_spare, &race);
	ASSERT_TRUE(eventually(m_is_parked(spare)));
	ASSERT_EQ(0, start_thread(&publisher, race_publisher, &race));
	ASSERT_EQ(0, pthread_setaffinity_np(publisher, sizeof(second),
					    &second));
	m_ask(owner, job_race_owner, &race);
	watch_race(_metadata, &race, owner);
	EXPECT_EQ(0, m_interrupt(spare));
	pthread_join(publisher, NULL);
	ASSERT_EQ(0, kgo_stats(owner->rt->fd, &stats));
	TH_LOG("%u rounds: %llu handed over, %llu woken, %llu without a spare",
	       race.worked, stats.handoffs, stats.wakes, stats.no_spare);
}

TEST_F_TIMEOUT(handoff, work_on_the_global_queue_is_not_stranded, 120)
{
	run_race(_metadata, &self->owner, &self->spare,
		 &self->rt.words->globq_len);
}

TEST_F_TIMEOUT(handoff, work_on_its_own_queue_is_not_stranded, 120)
{
	run_race(_metadata, &self->owner, &self->spare,
		 &self->rt.p[0].runq_tail);
}

TEST_F_TIMEOUT(handoff, work_on_another_ps_queue_is_not_stranded, 120)
{
	have_other_keep(1);
	run_race(_metadata, &self->owner, &self->spare,
		 &self->rt.p[1].runq_tail);
}

/* One of two: take a P, have the work published, block at the same time as the other. */
static int job_race_twin(struct m_thread *self)
{
	struct race *race = self->arg;
	__u32 random = figure("KGO_SEED", 1) + self->m;
	long rounds = figure("KGO_RACES", 5000);
	unsigned int worked;

	for (worked = 0; worked < rounds; worked++) {
		if (!spin_until(m_has_p(self->rt, self->m) ||
				!p_take(self->rt, self->m, 0) ||
				!p_take(self->rt, self->m, 1)))
			return -ETIMEDOUT;
		if (__atomic_add_fetch(&race->came, 1, __ATOMIC_SEQ_CST) ==
		    2 * (worked + 1)) {
			store(race->work, 1);
			store(&race->round, worked + 1);
		} else if (!until_limit(load(&race->round) == worked + 1,
					barrier())) {
			return -ETIMEDOUT;
		}
		spin(random_next(&random) % 256);
		await_work(race, worked);
	}
	return 0;
}

TEST_F_TIMEOUT(handoff, work_is_not_stranded_by_two_that_become_idle_at_once, 120)
{
	struct race race = { .rt = &self->rt, .work = &self->rt.p[2].runq_tail };
	struct m_thread twin;
	struct kgo_stats stats;

	ASSERT_EQ(0, m_start(&twin, &self->rt));
	p_start(&self->rt, 1);
	have_other_keep(2);
	ASSERT_EQ(0, pin(self->owner.tid, 0));
	ASSERT_EQ(0, pin(twin.tid, 1));
	signals_interrupt(SIGUSR1, 0);
	m_ask(&self->spare, job_race_spare, &race);
	ASSERT_TRUE(eventually(m_is_parked(&self->spare)));
	m_ask(&self->owner, job_race_twin, &race);
	m_ask(&twin, job_race_twin, &race);
	watch_race(_metadata, &race, &self->owner);
	EXPECT_EQ(0, m_result(&twin));
	EXPECT_EQ(0, m_interrupt(&self->spare));
	ASSERT_EQ(0, kgo_stats(self->rt.fd, &stats));
	TH_LOG("%u rounds: %llu handed over, %llu without a spare", race.worked,
	       stats.handoffs, stats.no_spare);
}

/*
 * An idle P is taken by one only: each time the owner's block ends the kernel
 * looks for an idle P, while another M takes the only one and drops it again, as
 * fast as it can. Who has the P looks whether its word stays as it is.
 */
struct contest {
	bool stop;
	unsigned int taken;
	unsigned int violations;
};

/* Be the owner of P 0 for a moment. */
static void keep_for_a_moment(struct m_thread *self, struct contest *contest,
			      int moment)
{
	__u64 word;

	m_words(self)->critical++;
	barrier();
	word = load(&self->rt->p[0].word);
	do {
		if (load(&self->rt->p[0].word) != word || !m_holds(self, 0)) {
			__atomic_fetch_add(&contest->violations, 1,
					   __ATOMIC_SEQ_CST);
			break;
		}
	} while (moment--);
	barrier();
	m_words(self)->critical--;
}

static int job_contest_in_blocks(struct m_thread *self)
{
	long rounds = 4 * figure("KGO_RACES", 5000);
	struct contest *contest = self->arg;
	__u64 end = now_ns() + LIMIT_NS;
	bool given = false;

	prctl(PR_SET_TIMERSLACK, 1);
	while ((rounds-- > 0 || !given) && now_ns() < end) {
		nap_ns(50 * 1000);
		given |= m_holds(self, 0);
		if (m_holds(self, 0) || !p_take(self->rt, self->m, 0))
			keep_for_a_moment(self, contest, 100);
	}
	store(&contest->stop, true);
	return given ? 0 : -ETIMEDOUT;
}

/*
 * Drop P 0 and take it again at once: what p_drop() and p_take() do, but with
 * as little as possible between the two. False when the kernel was faster.
 */
static bool drop_and_take(struct m_thread *self, __u32 *random)
{
	__u64 *word = &self->rt->p[0].word;
	__u32 seq = word_seq(load(word));
	__u64 idle = word_of(KGO_P_IDLE, self->m, seq + 1);

	store(&m_words(self)->hold, KGO_HOLD_NONE);
	store(word, idle);
	set_idle_bit(self->rt, 0);
	spin(random_next(random) % 8);
	if (!__atomic_compare_exchange_n(word, &idle,
					 word_of(KGO_P_RUNNING, self->m,
						 seq + 2), false,
					 __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		return false;
	store(&m_words(self)->hold, 1);
	return true;
}

static int job_contest_in_user_mode(struct m_thread *self)
{
	__u32 random = figure("KGO_SEED", 1);
	struct contest *contest = self->arg;

	while (!load(&contest->stop)) {
		if (p_take(self->rt, self->m, 0))
			continue;
		m_words(self)->critical++;
		do {
			keep_for_a_moment(self, contest,
					  random_next(&random) % 16);
			contest->taken++;
		} while (!load(&contest->stop) && drop_and_take(self, &random));
		m_words(self)->critical--;
	}
	return 0;
}

TEST_F_TIMEOUT(handoff, idle_p_is_taken_by_one, 120)
{
	struct contest contest = {};
	struct kgo_stats stats;

	ASSERT_EQ(0, pin(self->owner.tid, 0));
	ASSERT_EQ(0, pin(self->other.tid, 1));
	m_ask(&self->other, job_contest_in_user_mode, &contest);
	m_ask(&self->owner, job_contest_in_blocks, &contest);
	while (!m_is_done(&self->owner))
		nap_ns(1000 * 1000);
	EXPECT_EQ(0, m_result(&self->owner));
	EXPECT_EQ(0, m_result(&self->other));
	EXPECT_EQ(0U, contest.violations);
	ASSERT_EQ(0, kgo_stats(self->rt.fd, &stats));
	TH_LOG("%u times in user mode, %llu by the kernel", contest.taken,
	       stats.retakes + stats.takes);
	EXPECT_LT(0U, contest.taken);
}

/*
 * At most one owner, critical sections respected: Ms that do all there is to
 * do at random, with more of them than Ps, and a check of ownership each time
 * one believes to hold a P.
 */
TEST_F_TIMEOUT(handoff, p_has_at_most_one_owner, 120)
{
	struct m_life life = {
		.rt = &self->rt,
		.checked = true,
	};
	struct kgo_stats stats;
	__u32 p;

	/* the driven Ms make place */
	ASSERT_EQ(0, m_end(&self->owner));
	ASSERT_EQ(0, m_end(&self->spare));
	ASSERT_EQ(0, m_end(&self->other));
	for (p = 1; p < NR_P; p++)
		p_start(&self->rt, p);
	ASSERT_EQ(0, m_life_start(&life, NR_M, figure("KGO_SEED", 1)));
	m_life_tend(&life, figure("KGO_HAMMER_SECONDS", 10));
	ASSERT_EQ(0, m_life_stop(&life));
	EXPECT_EQ(0U, life.violations) {
		TH_LOG("P %u: %s", life.what_p, life.what);
	}

	ASSERT_EQ(0, kgo_stats(self->rt.fd, &stats));
	TH_LOG("%u sections; %llu handoffs, %llu retakes, %llu takes",
	       life.sections, stats.handoffs, stats.retakes, stats.takes);
	TH_LOG("%llu returns, %llu criticals, %llu wakes", stats.returns,
	       stats.criticals, stats.wakes);
	EXPECT_LT(0U, stats.handoffs);
	EXPECT_LT(0U, stats.retakes);
	EXPECT_LT(0U, stats.takes);
	EXPECT_LT(0U, stats.returns);
	EXPECT_LT(0U, stats.criticals);
	EXPECT_LT(0U, stats.wakes);
	EXPECT_EQ(0U, stats.deaths);
	EXPECT_EQ(0U, stats.nr_m);
	EXPECT_EQ(0U, stats.nr_spare);

	/* and none is lost: with no M left every P is idle */
	for (p = 0; p < NR_P; p++) {
		EXPECT_TRUE(p_is_idle(&self->rt, p));
		EXPECT_TRUE(idle_bit(&self->rt, p));
	}
}

TEST_HARNESS_MAIN
