// SPDX-License-Identifier: MIT
/*
 * Channels.
 *
 * A channel is a ring buffer, which may have no room at all, and two lists of
 * waiters, under one lock. A sender that finds a receiver waiting copies the
 * element to where the receiver wants it, and the other way round. Several
 * channels at once, and deadlines: select.c.
 */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "chan.h"
#include "garbage.h"
#include "select.h"

#define ELEM_SIZE_MAX	UINT16_MAX
#define CAP_MAX		UINT32_MAX

/* ---- the buffer ------------------------------------------------------------------ */

static inline void *slot(struct go_chan *ch, size_t i)
{
	i += ch->first;
	if (i >= ch->cap)
		i -= ch->cap;
	return ch->buf + i * ch->elem_size;
}

/* memcpy() of the sizes that are frequent, without the call. */
static inline void elem_copy(struct go_chan *ch, void *to, const void *from)
{
	if (ch->elem_size == sizeof(uint64_t))
		memcpy(to, from, sizeof(uint64_t));
	else if (ch->elem_size == sizeof(uint32_t))
		memcpy(to, from, sizeof(uint32_t));
	else if (ch->elem_size)
		memcpy(to, from, ch->elem_size);
}

/* The length is read without the lock, too. */
static inline void set_len(struct go_chan *ch, uint32_t len)
{
	__atomic_store_n(&ch->len, len, __ATOMIC_RELAXED);
}

static inline void buf_put(struct go_chan *ch, const void *elem)
{
	elem_copy(ch, slot(ch, ch->len), elem);
	set_len(ch, ch->len + 1);
}

static inline void buf_advance(struct go_chan *ch)
{
	ch->first = ch->first == ch->cap - 1 ? 0 : ch->first + 1;
}

static inline void buf_get(struct go_chan *ch, void *elem)
{
	if (elem)
		elem_copy(ch, elem, slot(ch, 0));
	buf_advance(ch);
	set_len(ch, ch->len - 1);
}

/* The same, and put one. Who looks without the lock sees a channel that is full. */
static inline void buf_exchange(struct go_chan *ch, void *elem, const void *with)
{
	void *place = slot(ch, 0);

	if (elem)
		elem_copy(ch, elem, place);
	elem_copy(ch, place, with);
	buf_advance(ch);
}

/* ---- send and receive -------------------------------------------------------------- */

inline int send_locked(struct go_chan *ch, const void *elem, struct g **wake)
{
	struct waiter *w;

	if (unlikely(ch->closed))
		return -EPIPE;
	w = waitq_take(&ch->recvq);
	if (w) {
		if (w->elem)
			elem_copy(ch, w->elem, elem);
		w->g->result = 1;
		*wake = w->g;
		return 0;
	}
	if (ch->len == ch->cap)
		return WOULD_WAIT;
	buf_put(ch, elem);
	return 0;
}

inline int recv_locked(struct go_chan *ch, void *elem, struct g **wake)
{
	struct waiter *w;

	if (ch->len) {
		w = waitq_take(&ch->sendq);
		if (!w) {
			buf_get(ch, elem);
			return 1;
		}
		buf_exchange(ch, elem, w->elem);
	} else {
		w = waitq_take(&ch->sendq);
		if (!w && !ch->closed)
			return WOULD_WAIT;
		if (!w) {
			if (elem && ch->elem_size)
				memset(elem, 0, ch->elem_size);
			return 0;
		}
		if (elem)
			elem_copy(ch, elem, w->elem);
	}
	w->g->result = 0;
	*wake = w->g;
	return 1;
}

static void after_unlock(struct g *prev, void *arg)
{
	(void)prev;
	lock_release(&((struct go_chan *)arg)->lock.lock);
}

static void after_unlock_at_home(struct g *prev, void *arg)
{
	(void)prev;
	(void)arg;
	home_release(home_of(m_self()));
}

/* Wait in a list of a channel, whose lock is held, @home or not, and is given up. */
static int chan_wait(struct m *m, struct go_chan *ch, bool home,
		     struct waitq *q, enum wait_reason why, void *elem)
{
	struct waiter w = { .g = wait_g(m), .elem = elem };
	struct g *g = w.g;

	waitq_add(q, &w);
	m = wait_park(m, why, home ? after_unlock_at_home : after_unlock, ch);
	wait_exit(m);
	return g->result;
}

/* An operation that did not wait: release the lock, and ready who did. */
static inline int chan_done(struct m *m, struct go_chan *ch, bool home,
			    struct g *wake, int ret)
{
	home_unlock(m, &ch->lock, home);
	if (wake)
		g_ready(m, wake);
	wait_exit(m);
	return ret;
}

/* What a call says that would have to wait, and has not taken any lock. */
static int would_wait(void)
{
	return forked ? -ESRCH : -EAGAIN;
}

/* ---- the interface --------------------------------------------------------------- */

/* What malloc() returns begins at most so much before a cache line. */
#define MALLOC_PAD	(CACHE_LINE - _Alignof(max_align_t))

/* Not aligned_alloc(): with the free() it takes four times as long (glibc 2.36). */
static struct go_chan *chan_alloc(size_t bytes)
{
	char *mem = malloc(MALLOC_PAD + sizeof(struct go_chan) + bytes);
	struct go_chan *ch;
	size_t before;

	if (!mem)
		return NULL;
	before = -(uintptr_t)mem % CACHE_LINE;
	ch = (struct go_chan *)(mem + before);
	*ch = (struct go_chan){ .refs = 1, .before = before };
	return ch;
}

struct go_chan *go_chan_make(size_t elem_size, size_t cap)
{
	struct go_chan *ch;
	size_t bytes;

	if (elem_size > ELEM_SIZE_MAX || cap > CAP_MAX)
		return NULL;
	bytes = elem_size * cap;
	garbage_collect();
	ch = chan_alloc(bytes);
	if (!ch)
		return NULL;
	ch->elem_size = elem_size;
	ch->cap = cap;
	return ch;
}

struct go_chan *go_chan_retain(struct go_chan *ch)
{
	__atomic_fetch_add(&ch->refs, 1, __ATOMIC_RELAXED);
	return ch;
}

void go_chan_release(struct go_chan *ch)
{
	/* Acquire: all that others did with it comes before the free. */
	if (ch && __atomic_fetch_sub(&ch->refs, 1, __ATOMIC_ACQ_REL) == 1)
		garbage_put((char *)ch - ch->before);
}

int go_chan_send(struct go_chan *ch, const void *elem)
{
	struct g *wake = NULL;
	struct m *m;
	bool home;
	int ret;

	if (unlikely(!ch))
		return go_select(NULL, 0);
	m = wait_enter();
	if (wait_refused(m))
		return -ESRCH;
	home = home_lock(m, &ch->lock);
	ret = send_locked(ch, elem, &wake);
	if (ret == WOULD_WAIT)
		return chan_wait(m, ch, home, &ch->sendq, WAIT_SEND, (void *)elem);
	return chan_done(m, ch, home, wake, ret);
}

int go_chan_recv(struct go_chan *ch, void *elem)
{
	struct g *wake = NULL;
	struct m *m;
	bool home;
	int ret;

	if (unlikely(!ch))
		return go_select(NULL, 0);
	m = wait_enter();
	if (wait_refused(m))
		return -ESRCH;
	home = home_lock(m, &ch->lock);
	ret = recv_locked(ch, elem, &wake);
	if (ret == WOULD_WAIT)
		return chan_wait(m, ch, home, &ch->recvq, WAIT_RECV, elem);
	return chan_done(m, ch, home, wake, ret);
}

int go_chan_try_send(struct go_chan *ch, const void *elem)
{
	struct g *wake = NULL;
	struct m *m;
	bool home;
	int ret;

	if (!ch || send_would_wait(ch))
		return would_wait();
	m = wait_enter();
	if (wait_refused(m))
		return -ESRCH;
	home = home_lock(m, &ch->lock);
	ret = send_locked(ch, elem, &wake);
	return chan_done(m, ch, home, wake, ret == WOULD_WAIT ? -EAGAIN : ret);
}

int go_chan_try_recv(struct go_chan *ch, void *elem)
{
	struct g *wake = NULL;
	struct m *m;
	bool home;
	int ret;

	if (!ch || recv_would_wait(ch))
		return would_wait();
	m = wait_enter();
	if (wait_refused(m))
		return -ESRCH;
	home = home_lock(m, &ch->lock);
	ret = recv_locked(ch, elem, &wake);
	return chan_done(m, ch, home, wake, ret == WOULD_WAIT ? -EAGAIN : ret);
}

int go_chan_send_until(struct go_chan *ch, const void *elem, int64_t deadline)
{
	struct go_case c = GO_SEND(ch, elem);

	return select_one(&c, deadline);
}

int go_chan_recv_until(struct go_chan *ch, void *elem, int64_t deadline)
{
	struct go_case c = GO_RECV(ch, elem);

	return select_one(&c, deadline);
}

/* Take all that wait: receivers get nothing, senders an error. */
static void close_locked(struct go_chan *ch, struct g_list *wake)
{
	struct waiter *w;

	__atomic_store_n(&ch->closed, true, __ATOMIC_RELEASE);
	while ((w = waitq_take(&ch->recvq))) {
		if (w->elem && ch->elem_size)
			memset(w->elem, 0, ch->elem_size);
		w->g->result = 0;
		g_list_add(wake, w->g);
	}
	while ((w = waitq_take(&ch->sendq))) {
		w->g->result = -EPIPE;
		g_list_add(wake, w->g);
	}
}

int go_chan_close(struct go_chan *ch)
{
	struct g_list wake;
	struct m *m;
	bool home;
	int ret = 0;

	if (!ch)
		return -EINVAL;
	g_list_init(&wake);
	m = wait_enter();
	if (wait_refused(m))
		return -ESRCH;
	home = home_lock(m, &ch->lock);
	if (ch->closed)
		ret = -EPIPE;
	else
		close_locked(ch, &wake);
	home_unlock(m, &ch->lock, home);
	g_ready_list(m, &wake);
	wait_exit(m);
	return ret;
}

size_t go_chan_len(const struct go_chan *ch)
{
	return ch ? __atomic_load_n(&ch->len, __ATOMIC_RELAXED) : 0;
}

size_t go_chan_cap(const struct go_chan *ch)
{
	return ch ? ch->cap : 0;
}
