/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * kgo: a process learns the instant one of its threads blocks.
 *
 * One open file of /dev/kgo is one runtime. The runtime has processors (P),
 * the right to run, and threads (M) that hold them. When an M blocks in the
 * kernel while it holds a P and there is work for it, the kernel gives the P
 * to another M that is parked, a spare. Documentation/userspace-api/kgo.rst
 * describes the interface.
 */
#ifndef _UAPI_LINUX_KGO_H
#define _UAPI_LINUX_KGO_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define KGO_ABI_VERSION		1

#define KGO_MAX_P		1024
#define KGO_MAX_M		32768

/*
 * Features, as reported by KGO_IOC_SETUP. A bit that is clear names something
 * that this kernel or this version of the module cannot do.
 */
#define KGO_FEATURE_HANDOFF	(1ULL << 0) /* a P is handed over on a block */
#define KGO_FEATURE_HOLD	(1ULL << 1) /* a returning M waits for a P */
#define KGO_FEATURE_PREEMPT	(1ULL << 2) /* the kernel can preempt a P */

/*
 * The word of a P: who owns it. Bits 0..7 are the state, bits 8..31 the index
 * of the owner (of the last owner, when it is idle), bits 32..63 a sequence
 * number that each change of owner or state increments.
 *
 * The word of a running P is changed only in the context of its owner: by the
 * thread itself or by the kernel on that thread. The word of an idle P may be
 * changed by anyone, by compare-and-exchange. KGO_P_SUSPECT is used between
 * user threads only, where there is no module or as a safety net; the kernel
 * takes nothing from a P in that state.
 */
#define KGO_P_DEAD		0ULL	/* not in use: nobody may take it */
#define KGO_P_IDLE		1ULL
#define KGO_P_RUNNING		2ULL
#define KGO_P_SUSPECT		3ULL

#define KGO_P_STATE_MASK	0xffULL
#define KGO_P_M_SHIFT		8
#define KGO_P_M_MASK		0xffffffULL
#define KGO_P_SEQ_SHIFT		32

/**
 * struct kgo_p - the shared words of a processor
 * @word: owner and state, see above
 * @runq_head: index of the first goroutine in the local run queue, free
 *	running; advanced by whoever takes one
 * @runq_tail: index past the last one, free running; advanced by the owner
 * @runnext: not zero while a goroutine is to run next; opaque to the kernel
 * @timers: number of timers in the P's heap
 * @tick: incremented by the owner each time it picks a goroutine
 *
 * All but @word are written by user space only; the kernel reads them as hints
 * that there is work.
 */
struct kgo_p {
	__u64 word;
	__u64 reserved0[7];
	__u32 runq_head;
	__u32 runq_tail;
	__u64 runnext;
	__u32 timers;
	__u32 tick;
	__u64 reserved1[5];
};

/* What an M holds: a P (its index plus one), and one flag of the stand-in. */
#define KGO_HOLD_NONE		0U
#define KGO_HOLD_SUSPECT	(1U << 31) /* look at the P's word first */

/* What the kernel sees of an M, in struct kgo_m's state. */
#define KGO_M_FREE		0U
#define KGO_M_RUNNING		1U	/* on a CPU */
#define KGO_M_PREEMPTED		2U	/* off its CPU, runnable */
#define KGO_M_BLOCKED		3U	/* off its CPU, waiting */
#define KGO_M_SPARE		4U	/* parked, without a P */
#define KGO_M_RETURNING		5U	/* its block has ended, it has no P; it may be held */
#define KGO_M_DEAD		6U

/**
 * struct kgo_m - the shared words of a thread
 * @critical: depth of critical sections, written only by the thread itself;
 *	the kernel takes no P from an M whose depth is not zero
 * @hold: the P it holds, or KGO_HOLD_NONE; written by the thread itself and,
 *	on that thread or while it is parked, by the kernel
 * @state: KGO_M_*, written by the kernel
 * @pending: requests that wait for the end of the critical section
 * @cpu: where it was wanted as a spare, the CPU's number plus one: its P was
 *	handed over there while it had last run on another one; 0: it was at
 *	hand. Written by the kernel while the M is parked, cleared by the M
 */
struct kgo_m {
	__u32 critical;
	__u32 hold;
	__u32 state;
	__u32 pending;
	__u32 cpu;
	__u32 reserved0;
	__u64 reserved1[5];
};

/**
 * struct kgo_runtime - the shared words of a runtime, at the start of the map
 * @nr_spinning: Ms that look for work; written by user space
 * @polling: not zero while an M sleeps in the poller; written by user space
 * @net_waiters: goroutines that wait for the poller; written by user space
 * @nr_p_used: Ps that may have work, the first ones; 0: all. Written by user space
 * @tell_held: not zero while KGO_EVENT_HELD is wanted; written by user space
 * @globq_len: length of the global run queue; written by user space
 * @nr_spare: parked Ms; written by the kernel
 * @nr_held: Ms that are held; written by the kernel
 * @idle: a bit for each P that is idle. It is a hint: the P's word decides. A
 *	bit is set after the word has been made idle, and cleared before the
 *	word is looked at to take it; who clears it takes the P if it is idle,
 *	or sets it again.
 */
struct kgo_runtime {
	__u32 nr_spinning;
	__u32 polling;
	__u32 net_waiters;
	__u32 nr_p_used;
	__u32 tell_held;
	__u32 reserved0[11];
	__u32 globq_len;
	__u32 reserved1[15];
	__u32 nr_spare;
	__u32 nr_held;
	__u32 reserved2[14];
	__u64 idle[KGO_MAX_P / 64];
};

/*
 * Every structure that an ioctl takes begins with its size as the caller knows
 * it. Bytes beyond what the kernel knows must be zero (E2BIG otherwise), bytes
 * that the caller does not know read as zero. Reserved and unknown bits must
 * be zero (EINVAL).
 */

#define KGO_SETUP_HOLD		(1U << 0) /* hold Ms that return, if possible */

/**
 * struct kgo_setup - KGO_IOC_SETUP: make the runtime of this file
 * @size: in, size of this structure
 * @flags: in, KGO_SETUP_*
 * @nr_p: in, number of Ps, 1 to KGO_MAX_P
 * @nr_m: in, most Ms there may be at a time, 1 to KGO_MAX_M
 * @spare_low: in, an event is reported when fewer spares than this are left
 * @version: out, KGO_ABI_VERSION of the module
 * @features: out, KGO_FEATURE_*
 * @map_size: out, bytes to map from the file at offset 0
 * @p_offset: out, where the first struct kgo_p is in the map
 * @m_offset: out, where the first struct kgo_m is in the map
 */
struct kgo_setup {
	__u32 size;
	__u32 flags;
	__u32 nr_p;
	__u32 nr_m;
	__u32 spare_low;
	__u32 version;
	__u64 features;
	__u64 map_size;
	__u64 p_offset;
	__u64 m_offset;
};

/**
 * struct kgo_enter - KGO_IOC_ENTER: make the calling thread an M
 * @size: in, size of this structure
 * @flags: in, zero
 * @m: out, the index of the M
 * @reserved: in, zero
 */
struct kgo_enter {
	__u32 size;
	__u32 flags;
	__u32 m;
	__u32 reserved;
};

/* Why KGO_IOC_PARK returned. */
#define KGO_PARK_HANDOFF	1U	/* the P's last owner blocked */
#define KGO_PARK_WAKE		2U	/* KGO_IOC_WAKE */
#define KGO_PARK_SPINNING	3U	/* KGO_IOC_WAKE with KGO_WAKE_SPINNING */
#define KGO_PARK_IDLE		4U	/* an idle P with work had waited for it */

/**
 * struct kgo_park - KGO_IOC_PARK: become a spare until a P is given
 * @size: in, size of this structure
 * @flags: in, zero
 * @p: out, the P that the M now holds
 * @reason: out, KGO_PARK_*
 */
struct kgo_park {
	__u32 size;
	__u32 flags;
	__u32 p;
	__u32 reason;
};

#define KGO_WAKE_SPINNING	(1U << 0) /* report KGO_PARK_SPINNING to it */

/**
 * struct kgo_wake - KGO_IOC_WAKE: give an idle P to a spare
 * @size: in, size of this structure
 * @flags: in, KGO_WAKE_*
 * @p: in, the P
 * @m: out, the M that got it
 */
struct kgo_wake {
	__u32 size;
	__u32 flags;
	__u32 p;
	__u32 m;
};

#define KGO_EVENT_SPARES	(1U << 0) /* fewer than spare_low are left */
#define KGO_EVENT_M_DIED	(1U << 1) /* an M ended without KGO_IOC_LEAVE */
#define KGO_EVENT_HELD		(1U << 2) /* an M is held, the first; see tell_held */

/**
 * struct kgo_wait - KGO_IOC_WAIT: wait for an event of the runtime
 * @size: in, size of this structure
 * @events: in, the KGO_EVENT_* to wait for; out, those that have happened
 */
struct kgo_wait {
	__u32 size;
	__u32 events;
};

/**
 * struct kgo_stats - KGO_IOC_STATS: what has happened since KGO_IOC_SETUP
 * @size: in, size of this structure
 * @nr_m: Ms there are now
 * @nr_spare: of them, parked
 * @reserved: zero
 * @handoffs: a P went from an M that blocked to a spare
 * @no_spare: a P had work when its owner blocked, but no spare was left
 * @idles: a P was left idle when its owner blocked, there was no work
 * @retakes: an M got its own P back when its block ended
 * @takes: an M got another idle P when its block ended
 * @returns: an M's block ended and there was no idle P for it
 * @criticals: an M blocked in a critical section and kept its P
 * @wakes: a spare was given a P by KGO_IOC_WAKE
 * @parks: calls of KGO_IOC_PARK
 * @deaths: Ms that ended without KGO_IOC_LEAVE
 * @holds: a returning M was kept waiting for a P
 * @grants: a P went from an M that blocked to one that was held
 * @passes: a P went to one that was held by KGO_IOC_PASS
 */
struct kgo_stats {
	__u32 size;
	__u32 nr_m;
	__u32 nr_spare;
	__u32 reserved;
	__u64 handoffs;
	__u64 no_spare;
	__u64 idles;
	__u64 retakes;
	__u64 takes;
	__u64 returns;
	__u64 criticals;
	__u64 wakes;
	__u64 parks;
	__u64 deaths;
	__u64 holds;
	__u64 grants;
	__u64 passes;
};

/**
 * struct kgo_pass - KGO_IOC_PASS: give a P to the M that has been held longest
 * @size: in, size of this structure
 * @flags: in, zero
 * @p: in, the P: the caller's own, or one that is idle
 * @m: out, the M that got it
 */
struct kgo_pass {
	__u32 size;
	__u32 flags;
	__u32 p;
	__u32 m;
};

#define KGO_IOC_TYPE		0xd6

#define KGO_IOC_SETUP		_IO(KGO_IOC_TYPE, 0x00)
#define KGO_IOC_ENTER		_IO(KGO_IOC_TYPE, 0x01)
#define KGO_IOC_LEAVE		_IO(KGO_IOC_TYPE, 0x02)
#define KGO_IOC_PARK		_IO(KGO_IOC_TYPE, 0x03)
#define KGO_IOC_WAKE		_IO(KGO_IOC_TYPE, 0x04)
#define KGO_IOC_WAIT		_IO(KGO_IOC_TYPE, 0x05)
#define KGO_IOC_STATS		_IO(KGO_IOC_TYPE, 0x06)
#define KGO_IOC_PASS		_IO(KGO_IOC_TYPE, 0x07)

#endif /* _UAPI_LINUX_KGO_H */
