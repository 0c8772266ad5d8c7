// SPDX-License-Identifier: MIT
/*
 * Typed channels in C++; go/typed.h, which includes this, says what they are.
 */
#ifndef GO_TYPED_HH
#define GO_TYPED_HH

extern "C++" {

/* Elements are copied as memory, so their type must allow that. */
template <typename T> struct go_typed_chan {
	static_assert(__is_trivially_copyable(T),
		      "the element's type is not trivially copyable");
	struct go_chan *chan;
};

#define GO_CHAN(...) go_typed_chan<__VA_ARGS__>

template <typename T>
inline int go_make(go_typed_chan<T> *ch, size_t cap)
{
	ch->chan = go_chan_make(sizeof(T), cap);
	return ch->chan ? 0 : -ENOMEM;
}

/* T is found from both, so no conversion between pointers is made. */
template <typename T>
inline int go_send(go_typed_chan<T> ch, const T *elem)
{
	return go_chan_send(ch.chan, elem);
}

template <typename T>
inline int go_try_send(go_typed_chan<T> ch, const T *elem)
{
	return go_chan_try_send(ch.chan, elem);
}

template <typename T>
inline int go_send_until(go_typed_chan<T> ch, const T *elem, int64_t deadline)
{
	return go_chan_send_until(ch.chan, elem, deadline);
}

template <typename T>
inline int go_recv(go_typed_chan<T> ch, T *elem)
{
	return go_chan_recv(ch.chan, elem);
}

template <typename T>
inline int go_try_recv(go_typed_chan<T> ch, T *elem)
{
	return go_chan_try_recv(ch.chan, elem);
}

template <typename T>
inline int go_recv_until(go_typed_chan<T> ch, T *elem, int64_t deadline)
{
	return go_chan_recv_until(ch.chan, elem, deadline);
}

/* NULL drops the element. */
template <typename T>
inline int go_recv(go_typed_chan<T> ch, decltype(nullptr))
{
	return go_chan_recv(ch.chan, nullptr);
}

template <typename T>
inline int go_try_recv(go_typed_chan<T> ch, decltype(nullptr))
{
	return go_chan_try_recv(ch.chan, nullptr);
}

template <typename T>
inline int go_recv_until(go_typed_chan<T> ch, decltype(nullptr),
			 int64_t deadline)
{
	return go_chan_recv_until(ch.chan, nullptr, deadline);
}

/* For their types only: no such functions are there. */
template <typename T>
char go_check_send(go_typed_chan<T> ch, const T *elem);
template <typename T>
char go_check_recv(go_typed_chan<T> ch, T *elem);
template <typename T>
char go_check_recv(go_typed_chan<T> ch, decltype(nullptr));

/* 0, or what does not compile. Neither argument is evaluated. */
#define GO_CHECK_SEND(ch, ptr)	(0 * (int)sizeof(go_check_send((ch), (ptr))))
#define GO_CHECK_RECV(ch, ptr)	(0 * (int)sizeof(go_check_recv((ch), (ptr))))

} /* extern "C++" */

#endif /* GO_TYPED_HH */
