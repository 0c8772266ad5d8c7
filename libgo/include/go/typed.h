/* SPDX-License-Identifier: MIT */
/*
 * Channels whose elements have a type that the compiler checks.
 *
 *	GO_CHAN(int) numbers;
 *	int n = 1;
 *	long l;
 *
 *	go_make(&numbers, 4);
 *	go_send(numbers, &n);
 *	go_recv(numbers, &l);			does not compile
 *
 * A typed channel is a struct go_chan pointer, named chan, and a type, which is
 * not there at run time; the calls below are those of go/chan.h. What does not
 * touch an element takes the pointer: go_chan_close(numbers.chan). So does what
 * passes a channel through a void pointer, which no compiler can check:
 *
 *	go_spawn(count, numbers.chan);
 *	GO_CHAN(int) numbers = { arg };		in count(void *arg)
 *
 * In C each GO_CHAN(int) is a type of its own, as each anonymous union is. For
 * parameters and assignments name it: typedef GO_CHAN(int) int_chan;
 */
#ifndef GO_TYPED_H
#define GO_TYPED_H

#include <errno.h>

#include <go/api.h>
#include <go/chan.h>

#ifdef __cplusplus
#include <go/typed.hh>
#else /* C */

/**
 * GO_CHAN() - a channel of elements of a type
 * @type: the elements' type
 *
 * Zeroed memory is a nil channel.
 */
#define GO_CHAN(type)							\
	union {								\
		struct go_chan *chan;					\
		__typeof__(type) *elem;					\
	}

/* NULL, which stands for no element, takes on the type that the channel has. */
#define GO_ELEM_OF(ch, ptr)	__typeof__(1 ? (ptr) : (ch).elem)

/* 0, or what does not compile. Neither is evaluated. No integer can be &*ptr. */
#define GO_CHECK(ptr, condition)					\
	(0 * (int)(sizeof(__typeof__(&*(ptr))) * sizeof(struct {	\
		_Static_assert(condition,				\
			       "the element is not of the channel's type"); \
		char nothing;						\
	})))

/* What is sent may be const: a qualifier of what is pointed to does not count. */
#define GO_CHECK_SEND(ch, ptr)						\
	GO_CHECK(ptr, __builtin_types_compatible_p(			\
			__typeof__(*(GO_ELEM_OF(ch, ptr))0),		\
			__typeof__(*(ch).elem)))

#define GO_CHECK_RECV(ch, ptr)						\
	GO_CHECK(ptr, __builtin_types_compatible_p(			\
			GO_ELEM_OF(ch, ptr), __typeof__((ch).elem)))

/**
 * go_make() - make a typed channel
 * @ch: where to put it, a pointer to a GO_CHAN()
 * @cap: elements that it holds
 *
 * The caller has a reference: go_chan_release(ch->chan).
 *
 * Return: 0; -ENOMEM, as go_chan_make() returns NULL.
 */
#define go_make(ch, cap)						\
	(((ch)->chan = go_chan_make(sizeof(*(ch)->elem), (cap))) ?	\
	 0 : -ENOMEM)

/**
 * go_send() - go_chan_send() of a pointer to an element of the channel's type
 * @ch: a GO_CHAN()
 * @ptr: the element
 *
 * Likewise go_try_send() and go_send_until().
 */
#define go_send(ch, ptr)						\
	((void)GO_CHECK_SEND(ch, ptr), go_chan_send((ch).chan, (ptr)))

#define go_try_send(ch, ptr)						\
	((void)GO_CHECK_SEND(ch, ptr), go_chan_try_send((ch).chan, (ptr)))

#define go_send_until(ch, ptr, deadline)				\
	((void)GO_CHECK_SEND(ch, ptr),					\
	 go_chan_send_until((ch).chan, (ptr), (deadline)))

/**
 * go_recv() - go_chan_recv() into an element of the channel's type
 * @ch: a GO_CHAN()
 * @ptr: where to put it, or NULL
 *
 * Likewise go_try_recv() and go_recv_until().
 */
#define go_recv(ch, ptr)						\
	((void)GO_CHECK_RECV(ch, ptr), go_chan_recv((ch).chan, (ptr)))

#define go_try_recv(ch, ptr)						\
	((void)GO_CHECK_RECV(ch, ptr), go_chan_try_recv((ch).chan, (ptr)))

#define go_recv_until(ch, ptr, deadline)				\
	((void)GO_CHECK_RECV(ch, ptr),					\
	 go_chan_recv_until((ch).chan, (ptr), (deadline)))

#endif /* C */

/**
 * GO_SEND_TO() - a case of go_select(), as GO_SEND()
 * @ch: a GO_CHAN()
 * @ptr: the element
 *
 * Likewise GO_RECV_FROM(), as GO_RECV().
 */
#define GO_SEND_TO(ch, ptr)						\
	{ GO_CASE_SEND, GO_CHECK_SEND(ch, ptr), (ch).chan, (void *)(ptr), 0 }

#define GO_RECV_FROM(ch, ptr)						\
	{ GO_CASE_RECV, GO_CHECK_RECV(ch, ptr), (ch).chan, (ptr), 0 }

#endif /* GO_TYPED_H */
