// SPDX-License-Identifier: GPL-2.0-only
/*
 * Ms: how a thread becomes one, how it ends, and how it is woken.
 *
 * The scheduler's hook finds out, with a run queue's lock held, that an M is to
 * be woken or that it has died. Neither can be acted on there. So each CPU has a
 * waker: lock-less lists and an irq_work that drains them as soon as the run
 * queue's lock is dropped and interrupts are on. An irq_work that is pending
 * refuses to be queued again, which is harmless: it clears its pending state
 * before it drains the lists.
 *
 * An M on a list may be woken by something else, run, and be put on a list
 * again before the first irq_work ran. @wake_queued keeps it from being linked
 * twice; it is cleared before the wake-up, so a wake-up that was left out is
 * made good by the one in flight. The list holds a reference.
 */
#include <linux/irq_work.h>
#include <linux/jiffies.h>
#include <linux/module.h>
#include <linux/rcupdate.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include "compat.h"
#include "kgo.h"

struct kgo_waker {
	struct llist_head wake;
	struct llist_head dead;
	struct irq_work work;
};

static DEFINE_PER_CPU(struct kgo_waker, kgo_wakers);

/* Ms whose last reference is gone, to be freed in process context. */
static LLIST_HEAD(kgo_reaped);

static void kgo_m_forget_index(struct kgo_thread *m)
{
	struct kgo_rt *rt = m->rt;

	if (!m->has_index)
		return;
	m->has_index = false;
	WRITE_ONCE(m->words->state, KGO_M_FREE);
	ida_free(&rt->m_ids, m->index);
}

static void kgo_m_reap(struct work_struct *work)
{
	struct kgo_thread *m, *next;

	llist_for_each_entry_safe(m, next, llist_del_all(&kgo_reaped),
				  dead_node) {
		kgo_m_forget_index(m);
		put_task_struct(m->task);
		kgo_rt_put(m->rt);
		kfree(m);
		/* kgo_exit() waits for this work before the code goes away. */
		module_put(THIS_MODULE);
	}
}

static DECLARE_WORK(kgo_reaper, kgo_m_reap);

static void kgo_m_free(struct kref *ref)
{
	struct kgo_thread *m = container_of(ref, struct kgo_thread, ref);

	llist_add(&m->dead_node, &kgo_reaped);
	schedule_work(&kgo_reaper);
}

void kgo_m_get(struct kgo_thread *m)
{
	kref_get(&m->ref);
}

/* Not from the scheduler's hook: it may queue work. */
void kgo_m_put(struct kgo_thread *m)
{
	kref_put(&m->ref, kgo_m_free);
}

static void kgo_waker_run(struct irq_work *work)
{
	struct kgo_waker *waker = container_of(work, struct kgo_waker, work);
	struct kgo_thread *m, *next;

	llist_for_each_entry_safe(m, next, llist_del_all(&waker->wake),
				  wake_node) {
		/* From here on the M may be queued again. */
		clear_bit_unlock(0, &m->wake_queued);
		/* Clear it before the M can see that it was woken. */
		smp_mb__after_atomic();
		wake_up_process(m->task);
		kgo_m_put(m);
	}
	llist_for_each_entry_safe(m, next, llist_del_all(&waker->dead),
				  dead_node)
		kgo_m_put(m);
}

/*
 * Have an M woken soon. From the scheduler's hook, or anywhere with preemption
 * disabled; the caller knows that the M is there.
 */
void kgo_m_queue_wake(struct kgo_thread *m)
{
	struct kgo_waker *waker = this_cpu_ptr(&kgo_wakers);

	if (test_and_set_bit(0, &m->wake_queued))
		return;
	kgo_m_get(m);
	llist_add(&m->wake_node, &waker->wake);
	irq_work_queue(&waker->work);
}

/**
 * kgo_m_current() - the calling thread as an M
 * @rt: of this runtime, or of any if NULL
 *
 * The list of a task's notifiers is changed by the task only.
 *
 * Return: the M, NULL if it is none.
 */
struct kgo_thread *kgo_m_current(struct kgo_rt *rt)
{
	struct preempt_notifier *notifier;

	hlist_for_each_entry(notifier, &current->preempt_notifiers, link) {
		struct kgo_thread *m;

		if (notifier->ops != &kgo_preempt_ops)
			continue;
		m = container_of(notifier, struct kgo_thread, notifier);
		return !rt || m->rt == rt ? m : NULL;
	}
	return NULL;
}

static struct kgo_thread *kgo_m_make(struct kgo_rt *rt)
{
	struct kgo_thread *m;
	int index, ret;

	m = kzalloc(sizeof(*m), GFP_KERNEL_ACCOUNT);
	if (!m)
		return ERR_PTR(-ENOMEM);

	index = ida_alloc_max(&rt->m_ids, rt->nr_m_max - 1, GFP_KERNEL_ACCOUNT);
	if (index < 0) {
		ret = index;
		goto err_free;
	}
	ret = kgo_rt_fill_m(rt, index);
	if (ret)
		goto err_index;

	kref_init(&m->ref);
	kref_get(&rt->ref);
	m->rt = rt;
	m->task = get_task_struct(current);
	m->index = index;
	m->has_index = true;
	m->words = kgo_rt_m(rt, index);
	m->granted = KGO_NO_P;
	INIT_LIST_HEAD(&m->spare_node);
	INIT_LIST_HEAD(&m->held_node);
	preempt_notifier_init(&m->notifier, &kgo_preempt_ops);
	__module_get(THIS_MODULE);
	return m;

err_index:
	ida_free(&rt->m_ids, index);
err_free:
	kfree(m);
	return ERR_PTR(ret);
}

int kgo_m_enter(struct kgo_rt *rt, struct kgo_enter *arg)
{
	struct kgo_thread *m;

	if (arg->flags || arg->reserved)
		return -EINVAL;
	if (kgo_m_current(NULL))
		return -EBUSY;
	m = kgo_m_make(rt);
	if (IS_ERR(m))
		return PTR_ERR(m);

	memset(m->words, 0, sizeof(*m->words));
	WRITE_ONCE(m->words->state, KGO_M_RUNNING);
	raw_spin_lock_irq(&rt->lock);
	rt->nr_m++;
	raw_spin_unlock_irq(&rt->lock);

	preempt_disable();
	preempt_notifier_register(&m->notifier);
	preempt_enable();
	arg->m = m->index;
	return 0;
}

/* The calling thread stops being an M. */
static void kgo_m_detach(struct kgo_thread *m)
{
	struct kgo_rt *rt = m->rt;

	preempt_disable();
	preempt_notifier_unregister(&m->notifier);
	preempt_enable();

	raw_spin_lock_irq(&rt->lock);
	rt->nr_m--;
	raw_spin_unlock_irq(&rt->lock);
	kgo_m_forget_index(m);
	kgo_m_put(m);
}

/*
 * An M that has called execve() keeps its task and so its notifier, but its
 * address space is another one. It is detached as soon as it has to do with the
 * device again, if only by closing a descriptor.
 */
void kgo_m_detach_stale(void)
{
	struct kgo_thread *m = kgo_m_current(NULL);

	if (m && kgo_m_has_execed(m))
		kgo_m_detach(m);
}

int kgo_m_leave(struct kgo_rt *rt)
{
	struct kgo_thread *m = kgo_m_current(rt);

	if (!m)
		return -ESRCH;
	if (!kgo_p_gives_up(m))
		return -EBUSY;
	kgo_m_detach(m);
	return 0;
}

/*
 * The thread of an M is in its last switch: free its P, whatever it was doing.
 * The notifier stays on the list of a task that never runs again.
 */
void kgo_m_died(struct kgo_thread *m)
{
	struct kgo_waker *waker = this_cpu_ptr(&kgo_wakers);
	struct kgo_rt *rt = m->rt;
	u64 word;
	u32 p;

	WRITE_ONCE(m->words->state, KGO_M_DEAD);
	if (kgo_p_owned(m, &p, &word))
		kgo_release_p(m, p, word);

	raw_spin_lock(&rt->lock);
	rt->nr_m--;
	kgo_event(rt, KGO_EVENT_M_DIED);
	raw_spin_unlock(&rt->lock);
	kgo_count(rt, deaths);

	llist_add(&m->dead_node, &waker->dead);
	irq_work_queue(&waker->work);
}

void kgo_m_init(void)
{
	int cpu;

	for_each_possible_cpu(cpu) {
		struct kgo_waker *waker = per_cpu_ptr(&kgo_wakers, cpu);

		init_llist_head(&waker->wake);
		init_llist_head(&waker->dead);
		waker->work = IRQ_WORK_INIT_HARD(kgo_waker_run);
	}
}

/* No M is left. Wait for the code that freed the last one. */
void kgo_m_exit(void)
{
	int cpu;

	for_each_possible_cpu(cpu)
		irq_work_sync(&per_cpu_ptr(&kgo_wakers, cpu)->work);
	/* And for the end of its kgo_hold(), which may have given up the last reference. */
	if (KGO_CAN_HOLD)
		synchronize_rcu_tasks();
	/* Last: the others queue it. */
	flush_work(&kgo_reaper);
}
