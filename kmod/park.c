// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a thread asks for: to be a spare, to have one woken, to be told.
 *
 * All can be interrupted by a signal and are then restarted, except that a spare
 * that has been given a P returns with it: the signal is handled after that.
 */
#include <linux/list.h>
#include <linux/sched/signal.h>

#include "kgo.h"

#define KGO_EVENTS	(KGO_EVENT_SPARES | KGO_EVENT_M_DIED | KGO_EVENT_HELD)

static void kgo_spare_add(struct kgo_thread *m)
{
	struct kgo_rt *rt = m->rt;

	lockdep_assert_held(&rt->lock);
	list_add(&m->spare_node, &rt->spares);
	rt->nr_spare++;
	WRITE_ONCE(rt->shared->nr_spare, rt->nr_spare);
}

static void kgo_spare_del(struct kgo_thread *m)
{
	struct kgo_rt *rt = m->rt;

	lockdep_assert_held(&rt->lock);
	list_del_init(&m->spare_node);
	rt->nr_spare--;
	WRITE_ONCE(rt->shared->nr_spare, rt->nr_spare);
}

/*
 * Some Ps had found no spare for their work: take one of them, in turn. Not another one
 * as long as one of them is idle: it may have been made idle just now, and who did
 * that looks for a spare for it next; the one here would be forgotten. If others have
 * taken them all, they were asked to run somebody else's work: take any idle one, once for
 * each.
 *
 * The words are looked at, not the mask of idle Ps: a bit may be clear for a moment.
 */
static int kgo_take_starving(struct kgo_thread *m)
{
	struct kgo_rt *rt = m->rt;
	unsigned int tries = KGO_TAKE_TRIES;
	u32 p, first, nr_p = kgo_nr_p_used(rt);

	for_each_set_bit_wrap(p, rt->starving, rt->nr_p, rt->starving_next)
		if (kgo_p_try_idle(rt, p, m->index, &tries))
			return p;
	first = find_first_bit(rt->starving, rt->nr_p);
	for (p = 0; p < nr_p; p++) {
		if (!kgo_p_try_idle(rt, p, m->index, &tries))
			continue;
		if (!test_bit(p, rt->starving))
			__clear_bit(first, rt->starving);
		return p;
	}
	return KGO_NO_P;
}

static void kgo_feed(struct kgo_thread *m)
{
	struct kgo_rt *rt = m->rt;
	int p;

	lockdep_assert_held(&rt->lock);
	if (bitmap_empty(rt->starving, rt->nr_p))
		return;
	p = kgo_take_starving(m);
	if (p == KGO_NO_P) {
		/* All have been taken by others. */
		bitmap_zero(rt->starving, rt->nr_p);
		return;
	}
	rt->starving_next = (p + 1) % rt->nr_p;
	kgo_spare_grant(m, p, KGO_PARK_IDLE, 0);
}

int kgo_park(struct kgo_rt *rt, struct kgo_park *arg)
{
	struct kgo_thread *m = kgo_m_current(rt);
	int ret = 0;

	if (!m)
		return -ESRCH;
	if (arg->flags)
		return -EINVAL;
	if (!kgo_p_gives_up(m))
		return -EBUSY;
	kgo_count(rt, parks);
	WRITE_ONCE(m->words->hold, KGO_HOLD_NONE);

	/* queue ourselves */
	m->parked = true;
	raw_spin_lock_irq(&rt->lock);
	m->granted = KGO_NO_P;
	kgo_spare_add(m);
	kgo_feed(m);

	/* sleep */
	for (;;) {
		set_current_state(TASK_INTERRUPTIBLE);
		if (m->granted != KGO_NO_P || signal_pending(current))
			break;
		raw_spin_unlock_irq(&rt->lock);
		schedule();
		raw_spin_lock_irq(&rt->lock);
	}
	__set_current_state(TASK_RUNNING);

	/* and finally, unqueue, unless that was done with the grant */
	if (m->granted == KGO_NO_P) {
		kgo_spare_del(m);
		ret = -ERESTARTSYS;
	}
	arg->p = m->granted;
	arg->reason = m->reason;
	raw_spin_unlock_irq(&rt->lock);
	m->parked = false;
	return ret;
}

/* An M that has given its P up is about to sleep, and its CPU is free then. */
static bool kgo_leaves_cpu(struct kgo_rt *rt)
{
	struct kgo_thread *m = kgo_m_current(rt);

	return m && READ_ONCE(m->words->hold) == KGO_HOLD_NONE;
}

int kgo_wake(struct kgo_rt *rt, struct kgo_wake *arg)
{
	u32 reason = arg->flags & KGO_WAKE_SPINNING ? KGO_PARK_SPINNING :
		KGO_PARK_WAKE;
	bool here = kgo_leaves_cpu(rt);
	struct kgo_thread *spare;
	int ret = 0;
	u32 p;

	if (arg->flags & ~KGO_WAKE_SPINNING || !kgo_p_index(rt, arg->p, &p))
		return -EINVAL;

	raw_spin_lock_irq(&rt->lock);
	spare = kgo_spare_pick(rt, here);
	if (!spare) {
		if (kgo_p_is_idle(rt, p)) {
			kgo_starve(rt, p);
			ret = -EAGAIN;
		} else {
			ret = -EBUSY;
		}
	} else if (kgo_p_take_idle(rt, p, spare->index)) {
		kgo_spare_grant(spare, p, reason,
				here ? raw_smp_processor_id() + 1 : 0);
		kgo_m_get(spare);
	} else {
		ret = -EBUSY;
	}
	raw_spin_unlock_irq(&rt->lock);
	if (ret)
		return ret;

	kgo_count(rt, wakes);
	arg->m = spare->index;
	wake_up_process(spare->task);
	kgo_m_put(spare);
	return 0;
}

int kgo_wait(struct kgo_rt *rt, struct kgo_wait *arg)
{
	struct kgo_thread *m = kgo_m_current(rt);
	u32 wanted = arg->events;

	if (!m)
		return -ESRCH;
	if (!wanted || wanted & ~KGO_EVENTS)
		return -EINVAL;
	if (!kgo_p_gives_up(m))
		return -EBUSY;

	raw_spin_lock_irq(&rt->lock);
	if (rt->waiter) {
		raw_spin_unlock_irq(&rt->lock);
		return -EBUSY;
	}
	rt->waiter = m;
	for (;;) {
		set_current_state(TASK_INTERRUPTIBLE);
		if (rt->events & wanted || signal_pending(current))
			break;
		raw_spin_unlock_irq(&rt->lock);
		schedule();
		raw_spin_lock_irq(&rt->lock);
	}
	__set_current_state(TASK_RUNNING);
	rt->waiter = NULL;
	arg->events = rt->events & wanted;
	rt->events &= ~arg->events;
	raw_spin_unlock_irq(&rt->lock);
	return arg->events ? 0 : -ERESTARTSYS;
}
