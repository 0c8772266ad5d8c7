// SPDX-License-Identifier: GPL-2.0-only
/*
 * The hold: an M whose block has ended waits for a P before it goes on in user mode.
 *
 * Without it such an M runs beside those that hold a P, until its next call of the
 * library: there are more threads than Ps then, and the scheduler shares the CPUs
 * among all. With it no more run than there are Ps, but for signal handlers and
 * critical sections.
 *
 * The scheduler's hook finds that the M runs again and that no P is idle, but may
 * not sleep; so it queues task work, which runs on the M's way to user mode. There
 * the M queues with the others that are held, and sleeps until it is given a P: by
 * an owner that blocks (handoff.c), by an owner that passes it on or makes it idle
 * (KGO_IOC_PASS). A signal ends the hold without a P, so that the M can handle it or
 * die of it; it is excused for some time then, and held again when it comes from its
 * CPU and back later than that.
 *
 * No M is left held beside an idle P. Who is held counts itself first, and looks for an idle P
 * then; who makes a P idle does that first and looks at the count then. Both have a
 * full barrier in between.
 */
#include <linux/list.h>
#include <linux/sched/signal.h>
#include <linux/task_work.h>

#include "compat.h"
#include "kgo.h"

/*
 * For how long a signal excuses an M, for its handler: CPU time, in ns. On a machine that
 * is busy more time may pass before the handler even begins.
 */
#define KGO_EXCUSED		(10 * NSEC_PER_MSEC)

/* Ms that are woken between two looks whether somebody else is to run. */
#define KGO_END_BATCH		32

static void kgo_held_add(struct kgo_thread *m)
{
	struct kgo_rt *rt = m->rt;

	lockdep_assert_held(&rt->lock);
	m->granted = KGO_NO_P;
	list_add_tail(&m->held_node, &rt->held);
	WRITE_ONCE(rt->nr_held, rt->nr_held + 1);
	WRITE_ONCE(rt->shared->nr_held, rt->nr_held);
}

static void kgo_held_del(struct kgo_thread *m)
{
	struct kgo_rt *rt = m->rt;

	lockdep_assert_held(&rt->lock);
	list_del_init(&m->held_node);
	WRITE_ONCE(rt->nr_held, rt->nr_held - 1);
	WRITE_ONCE(rt->shared->nr_held, rt->nr_held);
}

/**
 * kgo_held_pick() - choose the M that is to get a P
 * @rt: the runtime
 * @p: the P
 *
 * Return: who has been held longest; NULL if nobody is, or if the P is to go out
 * of use.
 */
struct kgo_thread *kgo_held_pick(struct kgo_rt *rt, u32 p)
{
	lockdep_assert_held(&rt->lock);
	if (p >= kgo_nr_p_used(rt))
		return NULL;
	return list_first_entry_or_null(&rt->held, struct kgo_thread,
					held_node);
}

/* An M that is held has been made the owner of a P. The caller wakes it. */
void kgo_held_grant(struct kgo_thread *m, u32 p)
{
	kgo_held_del(m);
	WRITE_ONCE(m->words->hold, p + 1);
	m->granted = p;
}

/*
 * Is the current task about to exit? PF_EXITING comes late: do_exit() runs task work
 * before. By then a fatal signal has been dequeued, and nothing else would end a hold.
 */
static bool kgo_exiting(void)
{
	return current->flags & PF_EXITING ||
	       READ_ONCE(current->signal->flags) & SIGNAL_GROUP_EXIT ||
	       READ_ONCE(current->signal->group_exec_task);
}

/* May the current task go on without a P, or does it have one? */
static bool kgo_may_go_on(struct kgo_thread *m)
{
	return !m->lost || READ_ONCE(m->words->hold) != KGO_HOLD_NONE ||
	       !kgo_rt_usable(m->rt) || kgo_exiting();
}

/* A signal lets the current task's M go on without a P, for a while. */
static bool kgo_excuse(struct kgo_thread *m)
{
	if (!signal_pending(current))
		return false;
	m->excused = current->se.sum_exec_runtime + KGO_EXCUSED;
	return true;
}

/* Who looks after the runtime sleeps, and Ms that compute give no P away. */
static void kgo_held_tell(struct kgo_rt *rt)
{
	lockdep_assert_held(&rt->lock);
	/* Ordered by the barrier of the caller against who sets it and looks then. */
	if (rt->nr_held == 1 && READ_ONCE(rt->shared->tell_held))
		kgo_event(rt, KGO_EVENT_HELD);
}

static void kgo_held_sleep(struct kgo_thread *m)
{
	struct kgo_rt *rt = m->rt;
	int p;

	/* queue ourselves */
	raw_spin_lock_irq(&rt->lock);
	kgo_held_add(m);
	/* Pairs with the barrier of who makes a P idle. */
	smp_mb();
	p = kgo_p_find_idle(rt, m->index);
	if (p != KGO_NO_P) {
		kgo_held_grant(m, p);
	} else {
		kgo_count(rt, holds);
		kgo_held_tell(rt);
	}

	/* sleep */
	for (;;) {
		set_current_state(TASK_INTERRUPTIBLE);
		if (m->granted != KGO_NO_P || kgo_excuse(m) ||
		    kgo_exiting() || READ_ONCE(rt->closed))
			break;
		raw_spin_unlock_irq(&rt->lock);
		schedule();
		raw_spin_lock_irq(&rt->lock);
	}
	__set_current_state(TASK_RUNNING);

	/* and finally, unqueue, unless that was done with the grant */
	if (m->granted == KGO_NO_P)
		kgo_held_del(m);
	else
		m->lost = false;
	raw_spin_unlock_irq(&rt->lock);
}

/*
 * At the return to user mode, or in the exit of the thread; or where the kernel runs
 * task work in the middle of a call: in a stop for a tracer and in io_uring's waits.
 */
static void kgo_hold(struct callback_head *work)
{
	struct kgo_thread *m = container_of(work, struct kgo_thread, hold_work);

	/*
	 * The task work behind this one does not wait for a P: somebody may wait for the
	 * end of a file.
	 */
	if (work->next && !kgo_task_work_add(work))
		return;

	m->hold_queued = false;
	/* It may have left since. */
	if (kgo_m_current(m->rt) == m) {
		/* From here on it gets no P in sched_in, if it is preempted. */
		m->held = true;
		barrier();
		if (!kgo_may_go_on(m) && !kgo_excuse(m))
			kgo_held_sleep(m);
		barrier();
		m->held = false;
		WRITE_ONCE(m->words->state, KGO_M_RUNNING);
	}
	kgo_m_put(m);
}

/* Hold the current task's M when it returns to user mode. From sched_in. */
void kgo_hold_queue(struct kgo_thread *m)
{
	if (!m->rt->hold || m->hold_queued ||
	    current->se.sum_exec_runtime < m->excused)
		return;
	init_task_work(&m->hold_work, kgo_hold);
	/* A thread that exits goes to user mode no more. */
	if (kgo_task_work_add(&m->hold_work))
		return;
	m->hold_queued = true;
	kgo_m_get(m);
}

/* Take some out of those that are held. Each leaves @held_end itself when it runs. */
static u32 kgo_hold_end_some(struct kgo_rt *rt, struct kgo_thread **ms)
{
	u32 n = 0;

	raw_spin_lock_irq(&rt->lock);
	while (n < KGO_END_BATCH && !list_empty(&rt->held)) {
		struct kgo_thread *m = list_first_entry(&rt->held,
							struct kgo_thread,
							held_node);

		list_move_tail(&m->held_node, &rt->held_end);
		kgo_m_get(m);
		ms[n++] = m;
	}
	raw_spin_unlock_irq(&rt->lock);
	return n;
}

/**
 * kgo_hold_end() - the file of a runtime is gone, nobody gets a P any more
 * @rt: the runtime, closed
 *
 * There may be tens of thousands, so they are woken by who closes it and a few at a time,
 * not by an interrupt.
 *
 * Context: may sleep.
 */
void kgo_hold_end(struct kgo_rt *rt)
{
	struct kgo_thread *ms[KGO_END_BATCH];
	u32 n, i;

	while ((n = kgo_hold_end_some(rt, ms))) {
		for (i = 0; i < n; i++) {
			wake_up_process(ms[i]->task);
			kgo_m_put(ms[i]);
		}
		cond_resched();
	}
}

int kgo_pass(struct kgo_rt *rt, struct kgo_pass *arg)
{
	struct kgo_thread *self = kgo_m_current(rt), *m;
	u32 p, owned;
	int ret = 0;
	u64 word;

	if (arg->flags || !kgo_p_index(rt, arg->p, &p))
		return -EINVAL;

	raw_spin_lock_irq(&rt->lock);
	m = kgo_held_pick(rt, p);
	if (!m) {
		ret = -EAGAIN;
	} else if (self && kgo_p_owned(self, &owned, &word) && owned == p) {
		if (kgo_p_change(rt, p, word, KGO_P_RUNNING, m->index))
			WRITE_ONCE(self->words->hold, KGO_HOLD_NONE);
		else
			ret = -EBUSY;
	} else if (!kgo_p_take_idle(rt, p, m->index)) {
		ret = -EBUSY;
	}
	if (!ret) {
		kgo_held_grant(m, p);
		kgo_m_get(m);
	}
	raw_spin_unlock_irq(&rt->lock);
	if (ret)
		return ret;

	kgo_count(rt, passes);
	arg->m = m->index;
	wake_up_process(m->task);
	kgo_m_put(m);
	return 0;
}
