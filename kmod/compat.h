/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What differs between the kernels that the module supports, 6.1 and later.
 */
#ifndef KGO_COMPAT_H
#define KGO_COMPAT_H

#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/task_work.h>
#include <linux/version.h>

#ifndef CONFIG_PREEMPT_NOTIFIERS
#error "kgo needs a kernel with CONFIG_PREEMPT_NOTIFIERS (CONFIG_KVM selects it)"
#endif
#ifndef CONFIG_64BIT
#error "kgo needs a 64-bit kernel"
#endif

static inline void kgo_vm_flags_mod(struct vm_area_struct *vma,
				    unsigned long set, unsigned long clear)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 3, 0)
	vm_flags_mod(vma, set, clear);
#else
	vma->vm_flags = (vma->vm_flags | set) & ~clear;
#endif
}

/*
 * In the last half of __schedule(): does the current task leave its CPU while
 * it could run on? Its __state does not tell, it may have been preempted after
 * it had set that. From 6.12 on a task that sleeps may stay on the run queue,
 * its dequeueing delayed. kvm_sched_out() asks the same.
 */
static inline bool kgo_current_runnable(void)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 12, 0)
	return task_is_runnable(current);
#else
	return READ_ONCE(current->on_rq);
#endif
}

/*
 * The freezer of cgroups has its tasks sleep like any others, interruptibly. They
 * have the frozen flag then, but so has a task that waits, uninterruptibly, for
 * its vfork() child.
 */
static inline bool kgo_current_frozen(unsigned int state)
{
#ifdef CONFIG_CGROUPS
	return current->frozen && state & TASK_INTERRUPTIBLE;
#else
	return false;
#endif
}

/*
 * Debian exports task_work_add(), the kernel as it comes does not: Kbuild looks. Who
 * cannot use it has no hold (kmod/hold.c).
 */
#ifdef KGO_HAVE_TASK_WORK
#define KGO_CAN_HOLD	true
static inline int kgo_task_work_add(struct callback_head *work)
{
	return task_work_add(current, work, TWA_RESUME);
}
#else
#define KGO_CAN_HOLD	false
static inline int kgo_task_work_add(struct callback_head *work)
{
	return -EOPNOTSUPP;
}
#endif

#endif /* KGO_COMPAT_H */
