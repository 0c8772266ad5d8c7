/* SPDX-License-Identifier: MIT */
/*
 * Channels, as select sees them.
 */
#ifndef CHAN_H
#define CHAN_H

#include "homelock.h"
#include "wait.h"

/**
 * struct go_chan - a channel
 * @lock: guards all but @refs and the sizes
 * @refs: references
 * @cap: elements that @buf holds
 * @len: elements in it
 * @first: index of the first of them
 * @elem_size: bytes of an element
 * @closed: it is closed
 * @before: bytes of its memory that are in front of it
 * @recvq: who waits for an element, then @len is 0
 * @sendq: who waits for room, then @len is @cap
 * @buf: the ring
 *
 * Two channels in a cache line would be one to the processors: it begins with a line, and
 * without a buffer it is one.
 */
struct go_chan {
	struct home_lock lock;
	uint32_t refs;
	uint32_t cap;
	uint32_t len;
	uint32_t first;
	uint16_t elem_size;
	bool closed;
	uint8_t before;
	struct waitq recvq;
	struct waitq sendq;
	char buf[] cache_aligned;
};

_Static_assert(sizeof(struct go_chan) == CACHE_LINE, "a channel is one line");

/* What an operation returns that would have to wait. */
#define WOULD_WAIT	1000

/*
 * Send or receive without waiting, the lock held: what go_chan_try_send() and
 * go_chan_try_recv() return, or WOULD_WAIT. *wake is set to who is to be readied
 * once the lock is released.
 */
int send_locked(struct go_chan *ch, const void *elem, struct g **wake);
int recv_locked(struct go_chan *ch, void *elem, struct g **wake);

/*
 * Without the lock: would it have to wait? If so it would have at some time during
 * the call: the channel is looked at last for whether it is closed, so it was
 * not before, and one that is full, or has nobody waiting, can be seen at once.
 */
static inline bool send_would_wait(const struct go_chan *ch)
{
	return __atomic_load_n(&ch->len, __ATOMIC_ACQUIRE) == ch->cap &&
	       !waitq_peek(&ch->recvq) &&
	       !__atomic_load_n(&ch->closed, __ATOMIC_RELAXED);
}

static inline bool recv_would_wait(const struct go_chan *ch)
{
	return !__atomic_load_n(&ch->len, __ATOMIC_ACQUIRE) &&
	       !waitq_peek(&ch->sendq) &&
	       !__atomic_load_n(&ch->closed, __ATOMIC_RELAXED);
}

/* Without the lock. */
static inline bool chan_is_closed(const struct go_chan *ch)
{
	return __atomic_load_n(&ch->closed, __ATOMIC_ACQUIRE);
}

#endif /* CHAN_H */
