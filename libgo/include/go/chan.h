/* SPDX-License-Identifier: MIT */
/*
 * Channels, and select.
 */
#ifndef GO_CHAN_H
#define GO_CHAN_H

#include <go/api.h>

/**
 * struct go_chan - a channel of elements of one size, with Go's semantics
 */
struct go_chan;

/**
 * go_chan_make() - make a channel
 * @elem_size: bytes of an element, 0 to 65535
 * @cap: elements that it holds, up to 4,294,967,295; 0 for an unbuffered channel
 *
 * Return: the channel, with one reference; NULL if there is no memory or a
 * number is too large.
 */
GO_API struct go_chan *go_chan_make(size_t elem_size, size_t cap);

/**
 * go_chan_retain() - take a reference on a channel
 * @ch: the channel
 *
 * Return: @ch. Any thread.
 */
GO_API struct go_chan *go_chan_retain(struct go_chan *ch);

/**
 * go_chan_release() - give a reference back, the last one frees the channel
 * @ch: the channel, or NULL
 *
 * A goroutine that waits on a channel must have a reference of its own or be
 * sure of somebody else's.
 */
GO_API void go_chan_release(struct go_chan *ch);

/**
 * go_chan_send() - send an element
 * @ch: the channel; NULL blocks for ever, as in Go
 * @elem: the element, copied
 *
 * Who may call: any thread.
 *
 * Return: 0; -EPIPE if the channel is closed, where Go panics.
 */
GO_API int go_chan_send(struct go_chan *ch, const void *elem);

/**
 * go_chan_recv() - receive an element
 * @ch: the channel; NULL blocks for ever
 * @elem: where to put it, or NULL to drop it
 *
 * Who may call: any thread.
 *
 * Return: 1 for an element; 0 and a zeroed element if the channel is closed
 * and empty.
 */
GO_API int go_chan_recv(struct go_chan *ch, void *elem);

/**
 * go_chan_try_send() - send if that needs no waiting
 * @ch: the channel
 * @elem: the element, copied
 *
 * Who may call: any thread.
 *
 * Return: 0; -EAGAIN if it would wait; -EPIPE if the channel is closed.
 */
GO_API int go_chan_try_send(struct go_chan *ch, const void *elem);

/**
 * go_chan_try_recv() - receive if that needs no waiting
 * @ch: the channel
 * @elem: where to put it, or NULL
 *
 * Who may call: any thread.
 *
 * Return: 1 for an element; 0 and a zeroed element if the channel is closed
 * and empty; -EAGAIN if it would wait.
 */
GO_API int go_chan_try_recv(struct go_chan *ch, void *elem);

/**
 * go_chan_send_until() - send, but wait no longer than until a point in time
 * @ch: the channel
 * @elem: the element, copied
 * @deadline: on the clock of go_now()
 *
 * Who may call: any thread.
 *
 * Return: as go_chan_send(); -ETIMEDOUT; -ENOMEM.
 */
GO_API int go_chan_send_until(struct go_chan *ch, const void *elem,
			      int64_t deadline);

/**
 * go_chan_recv_until() - receive, but wait no longer than until a point in time
 * @ch: the channel
 * @elem: where to put it, or NULL
 * @deadline: on the clock of go_now()
 *
 * Who may call: any thread.
 *
 * Return: as go_chan_recv(); -ETIMEDOUT; -ENOMEM.
 */
GO_API int go_chan_recv_until(struct go_chan *ch, void *elem,
			      int64_t deadline);

/**
 * go_chan_close() - close a channel
 * @ch: the channel
 *
 * Elements in the buffer can still be received; all waiters wake. Who may call:
 * any thread.
 *
 * Return: 0; -EPIPE if it was closed already; -EINVAL for NULL, where Go
 * panics.
 */
GO_API int go_chan_close(struct go_chan *ch);

/**
 * go_chan_len() - elements in the buffer now
 * @ch: the channel; 0 for NULL
 */
GO_API size_t go_chan_len(const struct go_chan *ch);

/**
 * go_chan_cap() - elements that the buffer holds
 * @ch: the channel; 0 for NULL
 */
GO_API size_t go_chan_cap(const struct go_chan *ch);

/* ---- select ------------------------------------------------------------- */

/* What a case of go_select() does. */
enum go_case_kind {
	GO_CASE_SEND = 1,	/* send @elem on @ch */
	GO_CASE_RECV,		/* receive from @ch into @elem */
	GO_CASE_DEFAULT,	/* do not wait */
	GO_CASE_DEADLINE,	/* wait no longer than until @deadline */
};

/**
 * struct go_case - one case of go_select()
 * @kind: enum go_case_kind
 * @result: of the case that was done: what go_chan_send() or go_chan_recv()
 *	would have returned
 * @ch: the channel; one that is NULL is never ready
 * @elem: the element to send, or where to put the one received, or NULL
 * @deadline: on the clock of go_now()
 *
 * GO_SEND(), GO_RECV(), GO_DEFAULT and GO_DEADLINE() make one.
 */
struct go_case {
	uint32_t kind;
	int32_t result;
	struct go_chan *ch;
	void *elem;
	int64_t deadline;
};

#define GO_SEND(channel, element) \
	{ GO_CASE_SEND, 0, (channel), (void *)(element), 0 }
#define GO_RECV(channel, element) \
	{ GO_CASE_RECV, 0, (channel), (element), 0 }
#define GO_DEFAULT \
	{ GO_CASE_DEFAULT, 0, NULL, NULL, 0 }
#define GO_DEADLINE(time) \
	{ GO_CASE_DEADLINE, 0, NULL, NULL, (time) }

/**
 * go_select() - do one of several operations on channels
 * @cases: the cases; what is done leaves its result in its case
 * @n: how many there are; with none it waits for ever
 *
 * As Go's select statement: of the cases that are ready one is chosen at random,
 * evenly. If none is, the default is, or else it waits until one is, or until the
 * deadline. Who may call: any thread. Up to 8 cases need no allocation.
 *
 * Return: the index of the case that was done; -EINVAL for a negative number of
 * cases, one of an unknown kind, or a second default; -ENOMEM.
 */
GO_API int go_select(struct go_case *cases, int n);

#endif /* GO_CHAN_H */
