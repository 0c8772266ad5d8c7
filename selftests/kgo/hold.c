// SPDX-License-Identifier: GPL-2.0-only
/*
 * The hold: an M whose block has ended waits for a P before it is in user mode again.
 * Invariants 6 and 7.
 *
 * In most tests "holder" is an M that loses P 0 in a block and comes back while
 * "other" has it. The test itself is no M.
 */
#define _GNU_SOURCE
#include <sys/prctl.h>
#include "kselftest_harness.h"
#include "ways.h"

#define NR_P	4
#define NR_M	8

/* Long enough for a thread that is not held to come to user mode. */
#define A_WHILE_NS	(100 * 1000 * 1000)

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

/* Touches no shared word: the map may be gone. */
static int job_block_only(struct m_thread *self)
{
	struct after_block *after = self->arg;

	after->block.way->block(&after->block);
	store(&after->block.over, true);
	return 0;
}

static int job_pass(struct m_thread *self)
{
	__u32 m;

	return kgo_pass(self->rt->fd, (uintptr_t)self->arg, &m);
}

FIXTURE(hold) {
	struct runtime rt;
	struct m_thread holder;
	struct m_thread other;
	struct after_block after;
};

FIXTURE_VARIANT(hold) {
	const struct way *way;
};

/* Not by nanosleep: a signal ends that, and excuses the M from the hold. */
FIXTURE_VARIANT_ADD(hold, pipe) { .way = &way_pipe };
FIXTURE_VARIANT_ADD(hold, futex) { .way = &way_futex };
FIXTURE_VARIANT_ADD(hold, fault) { .way = &way_fault };
FIXTURE_VARIANT_ADD(hold, fault_in_call) { .way = &way_fault_in_call };
FIXTURE_VARIANT_ADD(hold, flock) { .way = &way_flock };
FIXTURE_VARIANT_ADD(hold, epoll) { .way = &way_epoll };
FIXTURE_VARIANT_ADD(hold, vfork) { .way = &way_vfork };

FIXTURE_SETUP(hold)
{
	ASSERT_EQ(0, block_prepare(&self->after.block, variant->way));
	ASSERT_EQ(0, runtime_open_as(&self->rt, KGO_SETUP_HOLD, NR_P, NR_M,
				     0));
	if (!(self->rt.setup.features & KGO_FEATURE_HOLD))
		SKIP(return, "this kernel has no task_work_add() for modules");
	p_start(&self->rt, 0);
	ASSERT_EQ(0, m_start(&self->holder, &self->rt));
	ASSERT_EQ(0, m_start(&self->other, &self->rt));
	self->after.block.tid = self->holder.tid;
	ASSERT_EQ(0, m_take(&self->holder, 0));
}

FIXTURE_TEARDOWN(hold)
{
	runtime_close(&self->rt);
}

static __u32 nr_held(struct runtime *rt)
{
	return load(&rt->words->nr_held);
}

static bool m_is_held(struct m_thread *m)
{
	return nr_held(m->rt) && m_state(m) == KGO_M_RETURNING &&
	       is_asleep(m->tid);
}

static bool is_back(struct m_thread *holder, struct after_block *after)
{
	return m_state(holder) == KGO_M_RETURNING || load(&after->block.over);
}

/* Once, and some time for it: a second signal would end the hold. */
static void end_block(struct m_thread *holder, struct after_block *after)
{
	unsigned int i;

	after->block.way->unblock(&after->block);
	for (i = 0; i < 200 && !is_back(holder, after); i++)
		nap_ns(1000 * 1000);
}

/* Have the holder lose its P to the other in a block. */
static bool lose_p(struct m_thread *holder, struct m_thread *other,
		   struct after_block *after, m_job job)
{
	__u32 p = m_hold(holder) - 1;

	if (!m_park(other))
		return false;
	store(&holder->rt->p[p].runnext, 1);
	m_ask(holder, job, after);
	if (m_result(other) || other->p != p)
		return false;
	store(&holder->rt->p[p].runnext, 0);
	return true;
}

/* Have the holder lose P 0 to the other, and come back while that has it. */
static bool come_back_without(struct m_thread *holder, struct m_thread *other,
			      struct after_block *after, m_job job)
{
	if (!lose_p(holder, other, after, job))
		return false;
	until_limit(is_back(holder, after), end_block(holder, after));
	return true;
}

/* Only who gives it a P lets it go on. */
TEST_F(hold, returning_m_waits_until_a_p_is_passed_to_it)
{
	struct kgo_stats stats;

	ASSERT_TRUE(come_back_without(&self->holder, &self->other,
				      &self->after, job_block_and_look));
	ASSERT_TRUE(eventually(m_is_held(&self->holder)));
	EXPECT_EQ(1U, nr_held(&self->rt));
	nap_ns(A_WHILE_NS);
	EXPECT_FALSE(load(&self->after.block.over));
	EXPECT_EQ(KGO_HOLD_NONE, m_hold(&self->holder));

	ASSERT_EQ(0, m_do(&self->other, job_pass, (void *)0));
	EXPECT_EQ(KGO_HOLD_NONE, m_hold(&self->other));
	ASSERT_EQ(0, m_result(&self->holder));
	EXPECT_EQ(KGO_P_RUNNING, word_state(self->after.word));
	EXPECT_EQ(self->holder.m, word_m(self->after.word));
	EXPECT_EQ(1U, self->after.hold);
	EXPECT_EQ(KGO_M_RUNNING, self->after.state);
	EXPECT_EQ(0U, nr_held(&self->rt));

	ASSERT_EQ(0, kgo_stats(self->rt.fd, &stats));
	EXPECT_EQ(1U, stats.holds);
	EXPECT_EQ(1U, stats.passes);
	EXPECT_EQ(1U, stats.returns);
	EXPECT_EQ(0U, stats.grants);
}

/* Who is about to sleep can ask to be told when somebody is held. */
TEST_F(hold, first_that_is_held_is_told_of_on_demand)
{
	struct m_thread watcher;
	__u32 wanted;

	ASSERT_EQ(0, m_start(&watcher, &self->rt));
	m_wait(&watcher, KGO_EVENT_HELD);
	for (wanted = 0; wanted < 2; wanted++) {
		store(&self->rt.words->tell_held, wanted);
		ASSERT_EQ(0, block_prepare(&self->after.block, variant->way));
		self->after.block.tid = self->holder.tid;
		ASSERT_TRUE(come_back_without(&self->holder, &self->other,
					      &self->after,
					      job_block_and_look));
		ASSERT_TRUE(eventually(m_is_held(&self->holder)));
		if (wanted) {
			EXPECT_TRUE(eventually(m_is_done(&watcher)));
		} else {
			nap_ns(A_WHILE_NS);
			EXPECT_FALSE(m_is_done(&watcher));
		}
		ASSERT_EQ(0, m_do(&self->other, job_pass, (void *)0));
		ASSERT_EQ(0, m_result(&self->holder));
	}
	ASSERT_EQ(0, m_result(&watcher));
	EXPECT_EQ(KGO_EVENT_HELD, watcher.events);
}

/* For so long that it does block: on a slow machine a short timer is over before that. */
static int job_sleep(struct m_thread *self)
{
	(void)self;
	nap_ns(20 * 1000 * 1000);
	return 0;
}

/* There is no other work, and no call is made for it. */
TEST_F(hold, owner_that_blocks_gives_its_p_to_who_is_held)
{
	struct kgo_stats stats;

	ASSERT_TRUE(come_back_without(&self->holder, &self->other,
				      &self->after, job_block_and_look));
	ASSERT_TRUE(eventually(m_is_held(&self->holder)));
	m_ask(&self->other, job_sleep, NULL);
	ASSERT_EQ(0, m_result(&self->holder));
	EXPECT_EQ(self->holder.m, word_m(self->after.word));
	EXPECT_EQ(1U, self->after.hold);

	ASSERT_EQ(0, kgo_stats(self->rt.fd, &stats));
	EXPECT_EQ(1U, stats.grants);
	EXPECT_EQ(0U, stats.passes);

	/* now it is the other that waits, for as long as the holder does not block */
	EXPECT_TRUE(eventually(m_is_held(&self->other)));
	EXPECT_FALSE(m_is_done(&self->other));
	ASSERT_EQ(0, m_do(&self->holder, job_pass, (void *)0));
	EXPECT_EQ(0, m_result(&self->other));
	EXPECT_TRUE(m_holds(&self->other, 0));
}

/* Anyone can pass an idle P, too. */
TEST_F(hold, idle_p_is_passed)
{
	__u32 m;

	ASSERT_TRUE(come_back_without(&self->holder, &self->other,
				      &self->after, job_block_and_look));
	ASSERT_TRUE(eventually(m_is_held(&self->holder)));
	EXPECT_EQ(-EBUSY, kgo_pass(self->rt.fd, 0, &m));
	EXPECT_EQ(-EBUSY, kgo_pass(self->rt.fd, 1, &m));	/* dead */
	EXPECT_FALSE(load(&self->after.block.over));

	p_start(&self->rt, 1);
	ASSERT_EQ(0, kgo_pass(self->rt.fd, 1, &m));
	EXPECT_EQ(self->holder.m, m);
	ASSERT_EQ(0, m_result(&self->holder));
	EXPECT_EQ(2U, self->after.hold);
	EXPECT_TRUE(m_holds(&self->other, 0));
	EXPECT_EQ(-EAGAIN, kgo_pass(self->rt.fd, 1, &m));
	EXPECT_EQ(-EINVAL, kgo_pass(self->rt.fd, NR_P, &m));
}

static __u32 signals_handled;

static void note_signal(int signo)
{
	(void)signo;
	store(&signals_handled, signals_handled + 1);
}

/*
 * The handler runs, without a P; what it interrupted may be held again. So may the
 * handler be, where the host takes the CPU for longer than it is excused: the guest counts
 * that as its time. Then another signal excuses it.
 */
TEST_F(hold, signal_is_handled)
{
	struct sigaction action = { .sa_handler = note_signal };

	ASSERT_TRUE(come_back_without(&self->holder, &self->other,
				      &self->after, job_block_and_look));
	ASSERT_TRUE(eventually(m_is_held(&self->holder)));
	sigaction(SIGURG, &action, NULL);
	signals_interrupt(SIGUSR2, SA_RESTART | SA_NODEFER);
	m_signal(&self->holder, SIGURG);
	EXPECT_TRUE(until_limit(load(&signals_handled) == 1, {
		nap_ns(20 * 1000 * 1000);
		if (m_is_held(&self->holder))
			m_signal(&self->holder, SIGUSR2);
	}));
	EXPECT_TRUE(m_holds(&self->other, 0));
	EXPECT_TRUE(eventually(load(&self->after.block.over) ||
			       m_is_held(&self->holder)));
	m_do(&self->other, job_pass, (void *)0);
	ASSERT_EQ(0, m_result(&self->holder));
}

TEST_F(hold, stop_and_continue_do_not_end_it)
{
	pid_t child = fork();
	int status;

	/* in a process of its own: SIGSTOP stops all threads */
	ASSERT_LE(0, child);
	if (!child) {
		struct m_thread holder, other;
		struct after_block after = {};
		struct runtime rt;

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (block_prepare(&after.block, variant->way) ||
		    runtime_open_as(&rt, KGO_SETUP_HOLD, 1, 4, 0) ||
		    m_start(&holder, &rt) || m_start(&other, &rt))
			_exit(1);
		p_start(&rt, 0);
		after.block.tid = holder.tid;
		if (m_take(&holder, 0) ||
		    !come_back_without(&holder, &other, &after,
				       job_block_and_look) ||
		    !eventually(m_is_held(&holder)))
			_exit(2);
		raise(SIGSTOP);
		/* it is excused from the hold for a moment, but for a moment */
		until_limit(load(&after.block.over),
			    m_do(&other, job_pass, (void *)0));
		if (!load(&after.block.over))
			_exit(3);
		_exit(m_result(&holder) ? 4 : 0);
	}
	ASSERT_EQ(child, waitpid(child, &status, WUNTRACED));
	ASSERT_TRUE(WIFSTOPPED(status)) { TH_LOG("ended with %#x", status); }
	nap_ns(A_WHILE_NS);
	ASSERT_EQ(0, kill(child, SIGCONT));
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
}

/* What is in a critical section looks for a P on its own. */
TEST_F(hold, critical_section_is_not_held)
{
	ASSERT_TRUE(m_park(&self->other));
	store(&self->rt.p[0].runnext, 1);
	m_ask(&self->holder, job_block_and_look, &self->after);
	ASSERT_EQ(0, m_result(&self->other));
	store(&m_words(&self->holder)->critical, 1);
	EXPECT_TRUE(unblock(&self->after.block));
	ASSERT_EQ(0, m_result(&self->holder));
	EXPECT_EQ(KGO_HOLD_NONE, self->after.hold);
	EXPECT_TRUE(m_holds(&self->other, 0));
	store(&m_words(&self->holder)->critical, 0);
}

/* Who has closed its runtime gets no P from it any more. */
TEST_F(hold, closing_the_runtime_ends_it)
{
	ASSERT_TRUE(come_back_without(&self->holder, &self->other,
				      &self->after, job_block_only));
	ASSERT_TRUE(eventually(m_is_held(&self->holder)));
	/* the other may not touch the words again: it waits for a job */
	runtime_close(&self->rt);
	EXPECT_EQ(0, m_result(&self->holder));
}

/* More than are woken at a time. */
#define MANY	34

FIXTURE(many) {
	struct runtime rt;
};

FIXTURE_SETUP(many)
{
	ASSERT_EQ(0, runtime_open_as(&self->rt, KGO_SETUP_HOLD, MANY, 2 * MANY,
				     0));
	if (!(self->rt.setup.features & KGO_FEATURE_HOLD))
		SKIP(return, "this kernel has no task_work_add() for modules");
}

FIXTURE_TEARDOWN(many)
{
	runtime_close(&self->rt);
}

TEST_F_TIMEOUT(many, closing_the_runtime_ends_all, 120)
{
	static struct m_thread holders[MANY], others[MANY];
	static struct after_block after[MANY];
	struct runtime *rt = &self->rt;
	unsigned int i;

	for (i = 0; i < MANY; i++) {
		ASSERT_EQ(0, block_prepare(&after[i].block, &way_pipe));
		p_start(rt, i);
		ASSERT_EQ(0, m_start(&holders[i], rt));
		ASSERT_EQ(0, m_start(&others[i], rt));
		after[i].block.tid = holders[i].tid;
		ASSERT_EQ(0, m_take(&holders[i], i));
		ASSERT_TRUE(lose_p(&holders[i], &others[i], &after[i],
				   job_block_only));
	}
	for (i = 0; i < MANY; i++)
		until_limit(is_back(&holders[i], &after[i]),
			    end_block(&holders[i], &after[i]));
	ASSERT_TRUE(eventually(nr_held(rt) == MANY)) {
		TH_LOG("%u are held", nr_held(rt));
	}
	runtime_close(rt);
	for (i = 0; i < MANY; i++) {
		EXPECT_EQ(0, m_result(&holders[i])) {
			TH_LOG("M %u is still held", i);
		}
	}
}

/* Two Ms in turn: the work that waits, and who is held. */
TEST_F(hold, spares_and_those_held_take_turns)
{
	struct m_thread spare;
	struct kgo_stats stats;

	ASSERT_EQ(0, m_start(&spare, &self->rt));
	ASSERT_TRUE(come_back_without(&self->holder, &self->other,
				      &self->after, job_block_and_look));
	ASSERT_TRUE(eventually(m_is_held(&self->holder)));

	/* the first block is the spare's, the second who is held gets */
	ASSERT_TRUE(m_park(&spare));
	store(&self->rt.p[0].runnext, 1);
	m_ask(&self->other, job_sleep, NULL);
	ASSERT_EQ(0, m_result(&spare));
	EXPECT_EQ(KGO_PARK_HANDOFF, spare.reason);
	EXPECT_FALSE(load(&self->after.block.over));
	EXPECT_TRUE(eventually(nr_held(&self->rt) == 2));

	m_ask(&spare, job_sleep, NULL);
	ASSERT_EQ(0, m_result(&self->holder));
	store(&self->rt.p[0].runnext, 0);
	ASSERT_EQ(0, kgo_stats(self->rt.fd, &stats));
	EXPECT_EQ(1U, stats.grants);
	EXPECT_EQ(2U, stats.handoffs);

	/* nobody is left behind */
	EXPECT_EQ(0, m_do(&self->holder, job_pass, (void *)0));
	EXPECT_EQ(0, m_result(&self->other));
	EXPECT_TRUE(eventually(m_is_held(&spare)));
	EXPECT_EQ(0, m_do(&self->other, job_pass, (void *)0));
	EXPECT_EQ(0, m_result(&spare));
}

/* An M that dies in the hold leaves nothing behind. */
TEST_F(hold, killed_process_is_forgotten)
{
	int refs = module_refs(), status;
	pid_t child = fork();

	ASSERT_LE(0, child);
	if (!child) {
		struct m_thread holder, other;
		struct after_block after = {};
		struct runtime rt;

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (block_prepare(&after.block, variant->way) ||
		    runtime_open_as(&rt, KGO_SETUP_HOLD, 1, 4, 0) ||
		    m_start(&holder, &rt) || m_start(&other, &rt))
			_exit(1);
		p_start(&rt, 0);
		after.block.tid = holder.tid;
		if (m_take(&holder, 0) ||
		    !come_back_without(&holder, &other, &after,
				       job_block_and_look) ||
		    !eventually(m_is_held(&holder)))
			_exit(2);
		raise(SIGKILL);
	}
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_TRUE(WIFSIGNALED(status)) { TH_LOG("ended with %#x", status); }
	EXPECT_TRUE(eventually(module_refs() == refs));
}

/* As many threads as one likes, that block and compute: no more compute than Ps. */
#define CROWD	6

struct crowd {
	struct runtime *rt;
	bool stop;
	int inside;
	int most;
	unsigned int turns;
	bool ended[CROWD];
};

struct crowd_member {
	struct crowd *crowd;
	unsigned int number;
};

static void *crowd_main(void *arg)
{
	struct crowd_member *member = arg;
	struct crowd *crowd = member->crowd;
	struct timespec time = { .tv_nsec = 200 * 1000 };
	__u32 m, p;
	int inside;

	if (kgo_enter(crowd->rt->fd, &m))
		return NULL;
	for (p = 0; p_take(crowd->rt, m, p); p = !p)
		sched_yield();
	while (!load(&crowd->stop)) {
		nanosleep(&time, NULL);
		inside = __atomic_add_fetch(&crowd->inside, 1, __ATOMIC_SEQ_CST);
		if (inside > load(&crowd->most))
			store(&crowd->most, inside);
		spin(50000);
		__atomic_sub_fetch(&crowd->inside, 1, __ATOMIC_SEQ_CST);
		__atomic_fetch_add(&crowd->turns, 1, __ATOMIC_RELAXED);
	}
	p_drop(crowd->rt, m);
	for (p = 0; p < 2; p++)
		kgo_pass(crowd->rt->fd, p, &m);
	kgo_leave(crowd->rt->fd);
	store(&crowd->ended[member->number], true);
	return NULL;
}

/* Invariants 6 and 7 in one: none too many inside, and each gets its turn. */
TEST(no_more_run_than_there_are_ps)
{
	struct crowd_member members[CROWD];
	pthread_t threads[CROWD];
	struct runtime rt;
	struct crowd crowd = { .rt = &rt };
	struct kgo_stats stats;
	unsigned int i;

	ASSERT_EQ(0, runtime_open_as(&rt, KGO_SETUP_HOLD, 2, NR_M, 0));
	if (!(rt.setup.features & KGO_FEATURE_HOLD))
		SKIP(return, "this kernel has no task_work_add() for modules");
	p_start(&rt, 0);
	p_start(&rt, 1);
	for (i = 0; i < CROWD; i++) {
		members[i] = (struct crowd_member){ &crowd, i };
		ASSERT_EQ(0, start_thread(&threads[i], crowd_main,
					  &members[i]));
	}
	nap_ns(900 * 1000 * 1000);
	store(&crowd.stop, true);
	for (i = 0; i < CROWD; i++) {
		ASSERT_TRUE(eventually(load(&crowd.ended[i]))) {
			TH_LOG("thread %u is still held, of %u", i,
			       nr_held(&rt));
		}
		pthread_join(threads[i], NULL);
	}
	ASSERT_EQ(0, kgo_stats(rt.fd, &stats));
	TH_LOG("%u turns, %llu holds, %llu grants", crowd.turns,
	       (unsigned long long)stats.holds, (unsigned long long)stats.grants);
	EXPECT_LE(crowd.most, 2);
	EXPECT_LT(20U, crowd.turns);
	EXPECT_LT(0U, stats.holds);
	EXPECT_LT(0U, stats.grants);
	EXPECT_EQ(0U, nr_held(&rt));
	runtime_close(&rt);
}

TEST_HARNESS_MAIN
