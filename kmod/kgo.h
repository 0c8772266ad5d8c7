/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * kgo: what the parts of the module share.
 *
 * Objects and who keeps them:
 *
 * struct kgo_rt, a runtime, is made by open() and bound to the opener's mm. Its
 * file and each of its Ms hold a reference. The pages that user space maps are
 * the runtime's own; a mapped page is also held by its page table entries, so
 * it may outlive the runtime.
 *
 * struct kgo_thread, the kernel's side of an M (struct kgo_m is its shared
 * words), is made by KGO_IOC_ENTER for the calling thread, and ends with
 * KGO_IOC_LEAVE or with the thread. It holds references on the runtime, on its
 * task and on the module. A preempt notifier can be unregistered only by
 * the thread itself, in process context, which is why closing the file detaches
 * nobody: an M whose runtime is closed stays until its thread ends.
 *
 * Locks: there is one, kgo_rt.lock, a raw spinlock. It is taken in the
 * scheduler with a run queue's lock held, so nothing may be woken while it is
 * held, and nothing that takes a run queue's or a task's lock may be called.
 * kgo_rt.setup_mutex serialises set-up and the allocation of pages.
 *
 * User space can write every shared word at any time. So the kernel decides
 * nothing about memory, references or its own lists by them: an index found in
 * a shared word is checked before use, and no loop depends on what it reads.
 */
#ifndef KGO_H
#define KGO_H

#include <linux/bitmap.h>
#include <linux/idr.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/llist.h>
#include <linux/mutex.h>
#include <linux/percpu.h>
#include <linux/preempt.h>
#include <linux/sched.h>
#include <linux/spinlock.h>
#include <linux/kgo.h>

struct file;
struct mm_struct;
struct vm_area_struct;

#define KGO_NO_P	(-1)

/* How often to try to take Ps that others make idle again and again. */
#define KGO_TAKE_TRIES	16

/* What is counted, per CPU: the counters of struct kgo_stats, in its order. */
struct kgo_counts {
	u64 handoffs;
	u64 no_spare;
	u64 idles;
	u64 retakes;
	u64 takes;
	u64 returns;
	u64 criticals;
	u64 wakes;
	u64 parks;
	u64 deaths;
	u64 holds;
	u64 grants;
	u64 passes;
};

/**
 * struct kgo_rt - a runtime
 * @ref: held by the file and by each M
 * @mm: the only address space that may use it; held by mmgrab()
 * @closed: the file is gone, nothing is handed over any more
 * @setup_mutex: guards @ready's transition and the filling of @pages
 * @ready: set-up is complete; all fields up to @pages are constant from then on
 * @nr_p: number of Ps
 * @nr_m_max: most Ms at a time
 * @spare_low: with fewer spares than this an event is due
 * @hold: Ms that return without a P are held
 * @nr_pages: length of @pages
 * @m_first_page: index of the first page with struct kgo_m
 * @pages: kernel addresses of the shared pages; those of Ms appear with the
 *	first M in them
 * @shared: the first page
 * @m_ids: the indices of Ms in use
 * @counts: statistics
 * @idling: how many Ms are making their P idle, or look for work for it since
 * @lock: guards what follows; rules above
 * @nr_m: number of Ms
 * @spares: parked Ms, the last one parked first
 * @nr_spare: length of @spares
 * @starving: a bit for each P that has found no spare for its work; as many Ms that
 *	park take these first, or other idle Ps
 * @starving_next: where to begin looking for one
 * @held: Ms that are held, the one that was first
 * @held_end: those of them that are woken because the file is gone
 * @nr_held: length of both; also read without the lock
 * @held_turn: a bit for each P: the next time that its owner blocks, an M that is
 *	held comes before the work that waits
 * @events: KGO_EVENT_* that have not been reported
 * @waiter: the M in KGO_IOC_WAIT, or NULL
 */
struct kgo_rt {
	struct kref ref;
	struct mm_struct *mm;
	bool closed;

	struct mutex setup_mutex;	/* @ready, filling of @pages */
	bool ready;
	u32 nr_p;
	u32 nr_m_max;
	u32 spare_low;
	bool hold;
	u32 nr_pages;
	u32 m_first_page;
	void **pages;
	struct kgo_runtime *shared;
	struct ida m_ids;
	struct kgo_counts __percpu *counts;
	atomic_t idling;

	raw_spinlock_t lock;
	u32 nr_m;
	struct list_head spares;
	u32 nr_spare;
	DECLARE_BITMAP(starving, KGO_MAX_P);
	u32 starving_next;
	struct list_head held;
	struct list_head held_end;
	u32 nr_held;
	DECLARE_BITMAP(held_turn, KGO_MAX_P);
	u32 events;
	struct kgo_thread *waiter;
};

/**
 * struct kgo_thread - the kernel's side of an M
 * @ref: held by the thread while it is an M, by a pending wake-up and by @hold_work
 * @rt: the runtime
 * @task: the thread
 * @notifier: on @task's list; touched by @task only
 * @index: which M it is
 * @has_index: @index is allocated; by the thread, and by the reaper after it
 * @words: its shared words
 * @lost: its P was taken in a block and it has got none since; own thread only
 * @returned: the end of that block was counted; own thread only
 * @lost_p: the P that it lost; own thread only
 * @parked: it is in KGO_IOC_PARK; written by its own thread only
 * @held: it sleeps in the hold; own thread only
 * @hold_queued: @hold_work is queued; own thread only
 * @excused: until it has run so long, in ns, it is not held; own thread only
 * @hold_work: holds it when it returns to user mode
 * @held_node: in kgo_rt.held while it can be given a P, in kgo_rt.held_end while it is
 *	woken; kgo_rt.lock
 * @spare_node: in kgo_rt.spares while it can be given a P; kgo_rt.lock
 * @granted: the P that it was given while parked or held, or KGO_NO_P; kgo_rt.lock
 * @reason: why, KGO_PARK_*; kgo_rt.lock
 * @wake_queued: bit 0 is set while @wake_node is on a CPU's list
 * @wake_node: on the list of a CPU's waker, to be woken
 * @dead_node: on the list of a CPU's waker or of the reaper, to be freed
 */
struct kgo_thread {
	struct kref ref;
	struct kgo_rt *rt;
	struct task_struct *task;
	struct preempt_notifier notifier;
	u32 index;
	bool has_index;
	struct kgo_m *words;

	bool lost;
	bool returned;
	u32 lost_p;
	bool parked;

	bool held;
	bool hold_queued;
	u64 excused;
	struct callback_head hold_work;
	struct list_head held_node;

	struct list_head spare_node;
	int granted;
	u32 reason;

	unsigned long wake_queued;
	struct llist_node wake_node;
	struct llist_node dead_node;
};

/* what: a field of struct kgo_counts */
#define kgo_count(rt, what)	this_cpu_inc((rt)->counts->what)

/* runtime.c: the runtime, its shared pages */
struct kgo_rt *kgo_rt_make(void);
void kgo_rt_put(struct kgo_rt *rt);
int kgo_rt_setup(struct kgo_rt *rt, struct kgo_setup *arg);
int kgo_rt_map(struct kgo_rt *rt, struct vm_area_struct *vma);
int kgo_rt_stats(struct kgo_rt *rt, struct kgo_stats *arg);
struct kgo_p *kgo_rt_p(struct kgo_rt *rt, u32 p);
struct kgo_m *kgo_rt_m(struct kgo_rt *rt, u32 m);
int kgo_rt_fill_m(struct kgo_rt *rt, u32 m);

/* m.c: from KGO_IOC_ENTER to the end of an M, wake-ups from the scheduler */
struct kgo_thread *kgo_m_current(struct kgo_rt *rt);
int kgo_m_enter(struct kgo_rt *rt, struct kgo_enter *arg);
int kgo_m_leave(struct kgo_rt *rt);

/*
 * The calling thread has called execve() since it became that M, and is one only until the
 * module can detach it. One that ends has no address space; that is seen in its last switch.
 */
static inline bool kgo_m_has_execed(struct kgo_thread *m)
{
	return current->mm && current->mm != m->rt->mm;
}

void kgo_m_detach_stale(void);
void kgo_m_get(struct kgo_thread *m);
void kgo_m_put(struct kgo_thread *m);
void kgo_m_died(struct kgo_thread *m);
void kgo_m_queue_wake(struct kgo_thread *m);
void kgo_m_init(void);
void kgo_m_exit(void);

/* p.c: who owns a P */
u32 kgo_nr_p_used(struct kgo_rt *rt);
bool kgo_p_index(const struct kgo_rt *rt, u32 said, u32 *p);
bool kgo_p_owned(struct kgo_thread *m, u32 *p, u64 *word);
bool kgo_p_gives_up(struct kgo_thread *m);
bool kgo_p_change(struct kgo_rt *rt, u32 p, u64 old, u64 state, u32 m);
bool kgo_p_is_idle(struct kgo_rt *rt, u32 p);
bool kgo_p_retake(struct kgo_thread *m, u32 p);
bool kgo_p_take_idle(struct kgo_rt *rt, u32 p, u32 m);
bool kgo_p_try_idle(struct kgo_rt *rt, u32 p, u32 m, unsigned int *tries);
int kgo_p_find_idle(struct kgo_rt *rt, u32 m);
bool kgo_p_has_work(struct kgo_rt *rt, u32 p);
bool kgo_p_has_work_elsewhere(struct kgo_rt *rt, u32 p);

/* handoff.c: what the scheduler tells */
extern struct preempt_ops kgo_preempt_ops;
struct kgo_thread *kgo_spare_pick(struct kgo_rt *rt, bool here);
void kgo_spare_grant(struct kgo_thread *spare, u32 p, u32 reason, u32 cpu);
void kgo_event(struct kgo_rt *rt, u32 events);
void kgo_starve(struct kgo_rt *rt, u32 p);
bool kgo_release_p(struct kgo_thread *m, u32 p, u64 word);
bool kgo_rt_usable(struct kgo_rt *rt);

/* hold.c: Ms that wait for a P before they go on in user mode */
struct kgo_thread *kgo_held_pick(struct kgo_rt *rt, u32 p);
void kgo_held_grant(struct kgo_thread *m, u32 p);
void kgo_hold_queue(struct kgo_thread *m);
void kgo_hold_end(struct kgo_rt *rt);
int kgo_pass(struct kgo_rt *rt, struct kgo_pass *arg);

/* park.c: what a thread asks for */
int kgo_park(struct kgo_rt *rt, struct kgo_park *arg);
int kgo_wake(struct kgo_rt *rt, struct kgo_wake *arg);
int kgo_wait(struct kgo_rt *rt, struct kgo_wait *arg);

#endif /* KGO_H */
