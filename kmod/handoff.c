// SPDX-License-Identifier: GPL-2.0-only
/*
 * The handoff: what happens to a P when its M leaves its CPU and comes back.
 *
 * When an M blocks outside of a critical section its P is changed in the M's own
 * context, with the run queue's lock held. If there is work the P goes to a
 * spare at once. If there is none the P becomes idle, with the M's index left
 * in its word: nobody is woken, and the M takes it back when it runs again. Ms that
 * are held (hold.c) get a P in turn with the spares.
 *
 * No work is stranded (selftests: handoff, no_work_is_stranded). Who queues a
 * goroutine does so first and looks for an idle P then; here a P is made idle
 * first, and the queues are looked at again then. Both have a full barrier in
 * between, so at least one of the two sees the other. Where there is work but no
 * spare, the P's bit in @starving is set under the lock, and a spare looks at that under
 * the lock before it sleeps.
 */
#include <linux/list.h>
#include <linux/sched.h>

#include "compat.h"
#include "kgo.h"

/* How many spares are looked at for one that last ran on this CPU. */
#define KGO_SPARE_SCAN		8

/* Raise an event. */
void kgo_event(struct kgo_rt *rt, u32 events)
{
	lockdep_assert_held(&rt->lock);
	rt->events |= events;
	if (rt->waiter)
		kgo_m_queue_wake(rt->waiter);
}

/**
 * kgo_spare_pick() - choose the spare that is to get a P
 * @rt: the runtime
 * @here: for a P whose owner leaves this CPU, not for one besides it
 *
 * A spare wakes where it last ran, if that CPU is idle. A wake-up on the CPU that
 * the blocked M leaves costs a fraction of one on another; a P that is to run
 * besides the caller's is better off on another, and leaves the spares at hand
 * for when the caller blocks. If there is none of the kind, the one parked last.
 *
 * Return: the spare, NULL if there is none.
 */
struct kgo_thread *kgo_spare_pick(struct kgo_rt *rt, bool here)
{
	struct kgo_thread *m;
	int n = 0;

	lockdep_assert_held(&rt->lock);
	list_for_each_entry(m, &rt->spares, spare_node) {
		if ((task_cpu(m->task) == raw_smp_processor_id()) == here)
			return m;
		if (++n == KGO_SPARE_SCAN)
			break;
	}
	return list_first_entry_or_null(&rt->spares, struct kgo_thread,
					spare_node);
}

/*
 * A spare has been made the owner of a P. The caller wakes it. @cpu: it was wanted on
 * that one, plus one; 0 if anywhere.
 */
void kgo_spare_grant(struct kgo_thread *spare, u32 p, u32 reason, u32 cpu)
{
	struct kgo_rt *rt = spare->rt;

	lockdep_assert_held(&rt->lock);
	WRITE_ONCE(spare->words->cpu,
		   cpu == task_cpu(spare->task) + 1 ? 0 : cpu);
	__clear_bit(p, rt->starving);
	list_del_init(&spare->spare_node);
	rt->nr_spare--;
	WRITE_ONCE(rt->shared->nr_spare, rt->nr_spare);
	WRITE_ONCE(spare->words->hold, p + 1);
	spare->granted = p;
	spare->reason = reason;
	if (rt->nr_spare < rt->spare_low)
		kgo_event(rt, KGO_EVENT_SPARES);
}

/* There is work for a P, but no spare: remember it, ask for an M. */
void kgo_starve(struct kgo_rt *rt, u32 p)
{
	lockdep_assert_held(&rt->lock);
	__set_bit(p, rt->starving);
	kgo_event(rt, KGO_EVENT_SPARES);
}

/* Give the P of an M that leaves this CPU to a spare, and have that woken. */
static void kgo_spare_hand(struct kgo_thread *spare, u32 p)
{
	kgo_spare_grant(spare, p, KGO_PARK_HANDOFF, raw_smp_processor_id() + 1);
	kgo_m_queue_wake(spare);
}

/*
 * Who is to have the P of an M that leaves this CPU? A spare, for the work that
 * waits, if there is @work, and an M that is held take turns.
 */
static struct kgo_thread *kgo_heir(struct kgo_rt *rt, u32 p, bool work)
{
	struct kgo_thread *held = kgo_held_pick(rt, p), *spare = NULL;

	if (work && !(held && test_bit(p, rt->held_turn)))
		spare = kgo_spare_pick(rt, true);
	if (held)
		__assign_bit(p, rt->held_turn, spare);
	return spare ?: held;
}

/* The P is the heir's; have that woken. */
static void kgo_hand(struct kgo_thread *heir, u32 p)
{
	struct kgo_rt *rt = heir->rt;

	if (list_empty(&heir->held_node)) {
		kgo_spare_hand(heir, p);
		kgo_count(rt, handoffs);
	} else {
		kgo_held_grant(heir, p);
		kgo_m_queue_wake(heir);
		kgo_count(rt, grants);
	}
}

/* Give the P that the current task's M owns to another. */
static bool kgo_hand_over(struct kgo_thread *m, u32 p, u64 word, bool work)
{
	struct kgo_rt *rt = m->rt;
	struct kgo_thread *heir;
	bool done = false;

	raw_spin_lock(&rt->lock);
	heir = kgo_heir(rt, p, work);
	if (heir && kgo_p_change(rt, p, word, KGO_P_RUNNING, heir->index)) {
		kgo_hand(heir, p);
		done = true;
	}
	raw_spin_unlock(&rt->lock);
	return done;
}

/* An idle P turned out to have work, or an M to be held: give it away after all. */
static void kgo_revive(struct kgo_rt *rt, u32 p, bool work)
{
	struct kgo_thread *heir;

	raw_spin_lock(&rt->lock);
	heir = kgo_heir(rt, p, work);
	if (heir) {
		if (kgo_p_take_idle(rt, p, heir->index))
			kgo_hand(heir, p);
	} else if (work) {
		kgo_starve(rt, p);
		kgo_count(rt, no_spare);
	}
	raw_spin_unlock(&rt->lock);
}

/**
 * kgo_release_p() - the owner of a P blocks or dies: part them
 * @m: the M, the current task's
 * @p: its P
 * @word: the P's word
 *
 * Return: false if the P's word was changed meanwhile, by the stand-in.
 */
bool kgo_release_p(struct kgo_thread *m, u32 p, u64 word)
{
	struct kgo_rt *rt = m->rt;
	bool work = kgo_p_has_work(rt, p);

	if ((work || READ_ONCE(rt->nr_held)) &&
	    kgo_hand_over(m, p, word, work)) {
		WRITE_ONCE(m->words->hold, KGO_HOLD_NONE);
		return true;
	}

	atomic_inc(&rt->idling);
	if (!kgo_p_change(rt, p, word, KGO_P_IDLE, m->index)) {
		atomic_dec(&rt->idling);
		return false;
	}
	WRITE_ONCE(m->words->hold, KGO_HOLD_NONE);
	/* Pairs with the barrier of who queues and then looks for an idle P. */
	smp_mb();
	work = kgo_p_has_work(rt, p) || kgo_p_has_work_elsewhere(rt, p);
	if (work || READ_ONCE(rt->nr_held))
		kgo_revive(rt, p, work);
	else
		kgo_count(rt, idles);
	/* What became of the P is seen before. */
	smp_mb__before_atomic();
	atomic_dec(&rt->idling);
	return true;
}

bool kgo_rt_usable(struct kgo_rt *rt)
{
	return !READ_ONCE(rt->closed) && current->mm == rt->mm;
}

/* The M sleeps. Stopped, traced and frozen threads keep their P. */
static void kgo_blocked(struct kgo_thread *m)
{
	struct kgo_rt *rt = m->rt;
	u64 word;
	u32 p;

	if (m->held) {
		WRITE_ONCE(m->words->state, KGO_M_RETURNING);
		return;
	}
	WRITE_ONCE(m->words->state, m->parked ? KGO_M_SPARE : KGO_M_BLOCKED);
	if (m->parked || !kgo_rt_usable(rt) || !kgo_p_owned(m, &p, &word))
		return;
	if (READ_ONCE(m->words->critical)) {
		kgo_count(rt, criticals);
		return;
	}
	if (kgo_release_p(m, p, word)) {
		m->lost = true;
		m->returned = false;
		m->lost_p = p;
	}
}

static void kgo_sched_out(struct preempt_notifier *notifier,
			  struct task_struct *next)
{
	struct kgo_thread *m = container_of(notifier, struct kgo_thread,
					    notifier);
	unsigned int state;

	/* Who still has the old address space learns nothing. */
	if (unlikely(kgo_m_has_execed(m)))
		return;
	/* Who is being woken by now is as good as runnable. */
	state = READ_ONCE(current->__state);
	if (kgo_current_runnable() || state == TASK_RUNNING ||
	    state == TASK_WAKING) {
		WRITE_ONCE(m->words->state, KGO_M_PREEMPTED);
		return;
	}
	if (state & TASK_DEAD)
		kgo_m_died(m);
	else if (!(state & (__TASK_STOPPED | __TASK_TRACED | TASK_FROZEN)) &&
		 !kgo_current_frozen(state))
		kgo_blocked(m);
}

/*
 * The M runs again after its P was taken. It takes its own P back if nobody
 * else has had it, or else any idle one. Without one it is held when it returns to
 * user mode (hold.c), or goes on and looks for a P in its next call of the library. A
 * critical section is the library itself: it looks for a P on its own.
 */
static void kgo_returning(struct kgo_thread *m)
{
	struct kgo_rt *rt = m->rt;
	int p;

	if (READ_ONCE(m->words->hold) != KGO_HOLD_NONE) {
		m->lost = false;
		return;
	}
	if (READ_ONCE(m->words->critical) || !kgo_rt_usable(rt))
		return;

	if (kgo_p_retake(m, m->lost_p)) {
		p = m->lost_p;
		kgo_count(rt, retakes);
	} else {
		p = kgo_p_find_idle(rt, m->index);
		if (p != KGO_NO_P)
			kgo_count(rt, takes);
	}
	if (p != KGO_NO_P) {
		WRITE_ONCE(m->words->hold, p + 1);
		m->lost = false;
		return;
	}
	WRITE_ONCE(m->words->state, KGO_M_RETURNING);
	if (!m->returned) {
		m->returned = true;
		kgo_count(rt, returns);
	}
	kgo_hold_queue(m);
}

static void kgo_sched_in(struct preempt_notifier *notifier, int cpu)
{
	struct kgo_thread *m = container_of(notifier, struct kgo_thread,
					    notifier);

	if (unlikely(kgo_m_has_execed(m)))
		return;
	WRITE_ONCE(m->words->state, KGO_M_RUNNING);
	if (m->held)
		WRITE_ONCE(m->words->state, KGO_M_RETURNING);
	else if (m->lost)
		kgo_returning(m);
}

struct preempt_ops kgo_preempt_ops = {
	.sched_in	= kgo_sched_in,
	.sched_out	= kgo_sched_out,
};
