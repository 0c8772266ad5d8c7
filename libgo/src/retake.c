// SPDX-License-Identifier: MIT
/*
 * Taking a P from an M that is blocked, without the kernel's help: how handoff
 * works where there is no module, and a safety net where there is one.
 *
 * The word of a running P is its owner's, who enters critical sections without
 * a fence. Once the owner has been seen blocked the monitor
 *  1. marks the word suspect, by compare-and-exchange, and the owner's hold;
 *  2. looks whether the owner is still, or again, blocked;
 *  3. looks whether it is in a critical section;
 *  4. if not, makes the P idle by compare-and-exchange of the suspect word.
 * To be blocked is to have been switched out, which is a full barrier, and the kernel
 * says so with the locks of the thread and of its run queue held, which it takes again to
 * be switched in (wait_task_inactive()). So a section that the owner had entered without
 * having seen the mark is seen in step 3. In one that it enters after step 2 it sees the
 * mark in its hold, and then changes the suspect word back (critical_resync()); either
 * that or step 4 succeeds.
 *
 * membarrier(2) would do for step 2, but asks more: of each CPU that runs a thread of
 * the process, to be interrupted.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <urcu/urcu-memb.h>

#include "assist.h"
#include "proc.h"
#include "retake.h"

void watch_destroy(struct watch *w)
{
	if (w->fd >= 0)
		close(w->fd);
	w->fd = -1;
}

pid_t proc_tid(void)
{
	char target[64];
	ssize_t n = readlink("/proc/thread-self", target, sizeof(target) - 1);
	int tid;

	if (n > 0) {
		target[n] = '\0';
		if (sscanf(target, "%*d/task/%d", &tid) == 1)
			return tid;
	}
	return syscall(SYS_gettid);
}

/* Have a thread's file open. It is mostly the same thread's again. */
static void watch_thread(struct watch *w, pid_t tid)
{
	char path[48];

	if (w->tid == tid && w->fd >= 0)
		return;
	watch_destroy(w);
	snprintf(path, sizeof(path), "/proc/self/task/%d/syscall", (int)tid);
	w->fd = open(path, O_RDONLY | O_CLOEXEC);
	w->tid = tid;
}

/*
 * The file of a thread says "running" while it could run, and else what it waits
 * in: a system call, with its number and arguments, or "-1", a page fault. It
 * costs a fraction of the file stat, which adds up all there is to know.
 */
bool thread_blocked(struct watch *w, pid_t tid)
{
	char first;

	watch_thread(w, tid);
	if (pread(w->fd, &first, 1, 0) != 1) {
		watch_destroy(w);
		return false;
	}
	/* The program may have closed it, and opened another one with that number. */
	return first == '-' || (first >= '0' && first <= '9');
}

bool m_blocked(uint32_t index, struct watch *w)
{
	bool blocked = false;
	struct m *m;

	urcu_memb_read_lock();
	m = rcu_dereference(rt.ms[index]);
	if (m)
		blocked = thread_blocked(w, m->proc_tid);
	urcu_memb_read_unlock();
	return blocked;
}

/* Steps 1 to 3. The word is suspect then. */
static bool p_suspect(struct p *p, uint64_t *word, struct watch *w)
{
	uint32_t m = p_owner(*word);
	uint64_t suspect = p_word_next(*word, KGO_P_SUSPECT, m);

	if (!p_change(p, *word, KGO_P_SUSPECT, m))
		return false;
	__atomic_fetch_or(&rt.m_words[m].hold, KGO_HOLD_SUSPECT,
			  __ATOMIC_SEQ_CST);
	if (!m_blocked(m, w) ||
	    __atomic_load_n(&rt.m_words[m].critical, __ATOMIC_SEQ_CST)) {
		p_change(p, suspect, KGO_P_RUNNING, m);
		return false;
	}
	*word = suspect;
	return true;
}

bool retake(struct p *p, uint64_t word, struct watch *w)
{
	uint32_t m = p_owner(word);

	if (__atomic_load_n(&rt.m_words[m].critical, __ATOMIC_RELAXED) ||
	    !m_blocked(m, w) || !p_suspect(p, &word, w) ||
	    !p_change(p, word, KGO_P_IDLE, m))
		return false;
	p_offer(p);
	rt.assist->wake(p->index, false);
	return true;
}
