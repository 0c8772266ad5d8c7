// SPDX-License-Identifier: MIT
/*
 * Calls on files that can be waited for: attempts that do not wait, and waits between
 * them.
 *
 * An attempt is made in a function of its own, which is not inlined and leaves errno
 * alone: the thread may change between attempts, see errnum.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <go.h>

#include "compiler.h"
#include "errnum.h"
#include "polldesc.h"
#include "pollwait.h"
#include "preempt.h"

/* The flags of each call on a socket. */
#define SOCKET_FLAGS	(MSG_DONTWAIT | MSG_NOSIGNAL)

/* How long to wait until a Unix socket may have room for a connection or a datagram. */
#define LOOK_AGAIN	GO_MILLISECOND

/**
 * struct io - a call
 * @attempt: makes it, without waiting if the file allows that
 * @dir: what to wait for
 * @takes_dontwait: it is one for sockets only that can be told not to wait
 * @buf: a buffer, or what else the call is about
 * @n: bytes there, or how many of what else
 * @flags: the caller's
 * @addr: a peer's address
 * @len: its length; a pointer to it where it is stored
 * @other: another descriptor, or none
 * @offset: where to, in that
 */
struct io {
	ssize_t (*attempt)(int fd, const struct io *io, enum poll_kind kind);
	enum poll_dir dir;
	bool takes_dontwait;
	void *buf;
	size_t n;
	int flags;
	void *addr;
	socklen_t to_len;
	socklen_t *len;
	int other;
	off_t *offset;
};

static bool is_socket(enum poll_kind kind)
{
	return kind == POLL_SOCKET || kind == POLL_STREAM;
}

/* What a system call returned, and errno as it was before. */
static ssize_t result(ssize_t ret, int saved)
{
	if (ret < 0) {
		ret = -errno;
		errno = saved;
	}
	return ret;
}

/*
 * May a call on it raise SIGPIPE that is not to? What is known may be of a file that was
 * closed with close(2), or nothing, in a child of fork().
 */
static __attribute__((noinline)) bool is_socket_now(int fd, enum poll_kind kind)
{
	int saved = errno, type;
	socklen_t len = sizeof(type);
	bool is;

	if (likely(is_socket(kind)))
		return true;
	is = !getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len);
	errno = saved;
	return is;
}

/* Is it ready now? An error counts: the call will tell. */
static __attribute__((noinline)) int ask(int fd, short events)
{
	struct pollfd pfd = { .fd = fd, .events = events };
	int saved = errno, ret;

	do {
		ret = result(poll(&pfd, 1, 0), saved);
	} while (ret == -EINTR);
	return ret > 0 ? pfd.revents : ret;
}

static bool is_ready(int fd, enum poll_dir dir)
{
	return ask(fd, dir == POLL_READ ? POLLIN : POLLOUT);
}

/* Did the caller say so? */
static bool waits_not(const struct io *io)
{
	return io->flags & MSG_DONTWAIT;
}

/* It takes nothing that others wait for, and what they find does not concern it. */
static bool is_apart(const struct io *io)
{
	return io->flags & MSG_ERRQUEUE;
}

static int io_wait(struct poll_op *op, const struct io *io)
{
	if (unlikely(is_apart(io)))
		return poll_wait_any(op, 1U << io->dir, INT64_MAX);
	return poll_wait(op, io->dir);
}

/* Would the kernel have who makes an attempt wait, as far as can be seen? */
static bool would_block(const struct poll_op *op, enum poll_dir dir)
{
	return unlikely(!poll_is_nonblocking(op)) &&
	       poll_kind(op) != POLL_PLAIN && !is_ready(op->fd, dir);
}

/* One attempt, which does not wait if that can be. */
static ssize_t io_attempt(struct poll_op *op, const struct io *io)
{
	enum poll_kind kind = poll_kind(op);
	ssize_t ret;

	ret = poll_attempt(op, io->dir);
	/* What is said to be in vain may not be so any more, or is another queue. */
	if (ret && !(ret == -EAGAIN && (waits_not(io) || is_apart(io))))
		return ret;
	/* It may be ready for less than what is asked for, and block yet. */
	if (!(io->takes_dontwait && is_socket(kind)) && would_block(op, io->dir))
		return -EAGAIN;
	do {
		ret = io->attempt(op->fd, io, kind);
	} while (unlikely(ret == -EINTR));
	return ret;
}

/* A stream that gave less than asked for is empty, unless it has ended. */
static bool is_drained(const struct poll_op *op, const struct io *io,
		       ssize_t ret)
{
	return io->dir == POLL_READ && ret > 0 && (size_t)ret < io->n &&
	       poll_kind(op) == POLL_STREAM && !io->flags;
}

static ssize_t io_do(int fd, const struct io *io)
{
	struct poll_op op;
	bool learnt = false;
	ssize_t ret;

	ret = poll_begin(&op, fd);
	if (unlikely(ret))
		return ret;
	for (;;) {
		enum poll_kind kind = poll_kind(&op);

		ret = io_attempt(&op, io);
		if (unlikely(ret == -ENOTSOCK) && !learnt) {
			poll_relearn(&op, kind);
			learnt = true;
			continue;
		}
		if (ret != -EAGAIN || waits_not(io)) {
			if (likely(ret != -EAGAIN))
				poll_done(&op, io->dir,
					  is_drained(&op, io, ret));
			break;
		}
		ret = io_wait(&op, io);
		if (unlikely(ret))
			break;
	}
	poll_end(&op);
	return ret;
}

/* ---- bytes -------------------------------------------------------------------------- */

static __attribute__((noinline)) ssize_t
attempt_read(int fd, const struct io *io, enum poll_kind kind)
{
	int saved = errno;

	if (is_socket(kind))
		return result(recv(fd, io->buf, io->n, MSG_DONTWAIT), saved);
	return result(read(fd, io->buf, io->n), saved);
}

static __attribute__((noinline)) ssize_t
attempt_write(int fd, const struct io *io, enum poll_kind kind)
{
	int saved = errno;

	if (is_socket_now(fd, kind))
		return result(send(fd, io->buf, io->n, SOCKET_FLAGS), saved);
	return result(write(fd, io->buf, io->n), saved);
}

ssize_t go_read(int fd, void *buf, size_t n)
{
	struct io io = {
		.attempt = attempt_read, .dir = POLL_READ,
		.takes_dontwait = true, .buf = buf, .n = n,
	};

	return io_do(fd, &io);
}

ssize_t go_write(int fd, const void *buf, size_t n)
{
	struct io io = {
		.attempt = attempt_write, .dir = POLL_WRITE,
		.takes_dontwait = true, .buf = (void *)buf, .n = n,
	};
	ssize_t ret;

	for (;;) {
		ret = io_do(fd, &io);
		if (ret <= 0 || (size_t)ret == io.n)
			break;
		io.buf = (char *)io.buf + ret;
		io.n -= ret;
	}
	/* Some may have been written before. */
	if (ret <= 0)
		return n == io.n ? ret : (ssize_t)(n - io.n);
	return n;
}

/* ---- several places ----------------------------------------------------------------- */

static __attribute__((noinline)) ssize_t
attempt_readv(int fd, const struct io *io, enum poll_kind kind)
{
	struct msghdr msg = { .msg_iov = io->buf, .msg_iovlen = io->to_len };
	int saved = errno;

	if (is_socket(kind))
		return result(recvmsg(fd, &msg, MSG_DONTWAIT), saved);
	return result(readv(fd, io->buf, io->to_len), saved);
}

static __attribute__((noinline)) ssize_t
attempt_writev(int fd, const struct io *io, enum poll_kind kind)
{
	struct msghdr msg = { .msg_iov = io->buf, .msg_iovlen = io->to_len };
	int saved = errno;

	if (is_socket_now(fd, kind))
		return result(sendmsg(fd, &msg, SOCKET_FLAGS), saved);
	return result(writev(fd, io->buf, io->to_len), saved);
}

/* All bytes of several places; negative if there are too many. */
static ssize_t iov_bytes(const struct iovec *iov, int iovcnt)
{
	size_t sum = 0;
	int i;

	if (iovcnt < 0 || iovcnt > IOV_MAX)
		return -EINVAL;
	for (i = 0; i < iovcnt; i++)
		if (__builtin_add_overflow(sum, iov[i].iov_len, &sum) ||
		    sum > SSIZE_MAX)
			return -EINVAL;
	return sum;
}

ssize_t go_readv(int fd, const struct iovec *iov, int iovcnt)
{
	struct io io = {
		.attempt = attempt_readv, .dir = POLL_READ,
		.takes_dontwait = true, .buf = (void *)iov, .to_len = iovcnt,
	};
	ssize_t bytes = iov_bytes(iov, iovcnt);

	if (bytes < 0)
		return bytes;
	io.n = bytes;
	return io_do(fd, &io);
}

ssize_t go_writev(int fd, const struct iovec *iov, int iovcnt)
{
	struct io io = {
		.attempt = attempt_writev, .dir = POLL_WRITE,
		.takes_dontwait = true, .buf = (void *)iov, .to_len = iovcnt,
	};
	ssize_t bytes = iov_bytes(iov, iovcnt), done = 0, ret;
	int i = 0;

	if (bytes < 0)
		return bytes;
	do {
		size_t part;

		io.buf = (void *)&iov[i];
		io.to_len = iovcnt - i;
		ret = io_do(fd, &io);
		if (ret <= 0)
			break;
		done += ret;
		for (part = ret; i < iovcnt && part >= iov[i].iov_len; i++)
			part -= iov[i].iov_len;
		if (!part)
			continue;
		/* In the middle of one. */
		ret = go_write(fd, (char *)iov[i].iov_base + part,
			       iov[i].iov_len - part);
		if (ret > 0)
			done += ret;
		if (ret != (ssize_t)(iov[i].iov_len - part))
			break;
		i++;
	} while (done < bytes);
	return done ? done : ret;
}

/* ---- messages ----------------------------------------------------------------------- */

static __attribute__((noinline)) ssize_t
attempt_recvfrom(int fd, const struct io *io, enum poll_kind kind)
{
	int saved = errno;

	(void)kind;
	return result(recvfrom(fd, io->buf, io->n, io->flags | MSG_DONTWAIT,
			       io->addr, io->len), saved);
}

/*
 * A datagram to a Unix socket whose queue is full: it is not the sender's socket that has to
 * become ready. There is nothing to wait for.
 */
static ssize_t is_full(ssize_t ret, const struct io *io, const struct sockaddr *to)
{
	if (unlikely(ret == -EAGAIN) && to && to->sa_family == AF_UNIX &&
	    !waits_not(io))
		return -EINPROGRESS;
	return ret;
}

static __attribute__((noinline)) ssize_t
attempt_sendto(int fd, const struct io *io, enum poll_kind kind)
{
	int saved = errno;
	ssize_t ret;

	(void)kind;
	ret = result(sendto(fd, io->buf, io->n, io->flags | SOCKET_FLAGS,
			    io->addr, io->to_len), saved);
	return is_full(ret, io, io->addr);
}

static __attribute__((noinline)) ssize_t
attempt_recvmsg(int fd, const struct io *io, enum poll_kind kind)
{
	int saved = errno;

	(void)kind;
	return result(recvmsg(fd, io->buf, io->flags | MSG_DONTWAIT), saved);
}

static __attribute__((noinline)) ssize_t
attempt_sendmsg(int fd, const struct io *io, enum poll_kind kind)
{
	const struct msghdr *msg = io->buf;
	int saved = errno;
	ssize_t ret;

	(void)kind;
	ret = result(sendmsg(fd, msg, io->flags | SOCKET_FLAGS), saved);
	return is_full(ret, io, msg->msg_name);
}

/* Look again and again. Of a call whose attempts may find that there is no room. */
static ssize_t io_do_again(int fd, const struct io *io)
{
	ssize_t ret;

	while ((ret = io_do(fd, io)) == -EINPROGRESS)
		go_sleep(LOOK_AGAIN);
	return ret;
}

static __attribute__((noinline)) ssize_t
attempt_recvmmsg(int fd, const struct io *io, enum poll_kind kind)
{
	int saved = errno;

	(void)kind;
	return result(recvmmsg(fd, io->buf, io->n, io->flags | MSG_DONTWAIT,
			       NULL), saved);
}

static __attribute__((noinline)) ssize_t
attempt_sendmmsg(int fd, const struct io *io, enum poll_kind kind)
{
	int saved = errno;

	(void)kind;
	return result(sendmmsg(fd, io->buf, io->n, io->flags | SOCKET_FLAGS),
		      saved);
}

ssize_t go_recvfrom(int fd, void *buf, size_t n, int flags,
		    struct sockaddr *addr, socklen_t *len)
{
	struct io io = {
		.attempt = attempt_recvfrom, .dir = POLL_READ,
		.takes_dontwait = true, .buf = buf, .n = n, .flags = flags,
		.addr = addr, .len = len,
	};

	return io_do(fd, &io);
}

ssize_t go_sendto(int fd, const void *buf, size_t n, int flags,
		  const struct sockaddr *addr, socklen_t len)
{
	struct io io = {
		.attempt = attempt_sendto, .dir = POLL_WRITE,
		.takes_dontwait = true, .buf = (void *)buf, .n = n,
		.flags = flags, .addr = (void *)addr, .to_len = len,
	};

	return io_do_again(fd, &io);
}

ssize_t go_recvmsg(int fd, struct msghdr *msg, int flags)
{
	struct io io = {
		.attempt = attempt_recvmsg, .dir = POLL_READ,
		.takes_dontwait = true, .buf = msg, .flags = flags,
	};

	return io_do(fd, &io);
}

ssize_t go_sendmsg(int fd, const struct msghdr *msg, int flags)
{
	struct io io = {
		.attempt = attempt_sendmsg, .dir = POLL_WRITE,
		.takes_dontwait = true, .buf = (void *)msg, .flags = flags,
	};

	return io_do_again(fd, &io);
}

int go_recvmmsg(int fd, struct mmsghdr *msgs, unsigned int n, int flags)
{
	struct io io = {
		.attempt = attempt_recvmmsg, .dir = POLL_READ,
		.takes_dontwait = true, .buf = msgs, .n = n, .flags = flags,
	};

	return io_do(fd, &io);
}

int go_sendmmsg(int fd, struct mmsghdr *msgs, unsigned int n, int flags)
{
	struct io io = {
		.attempt = attempt_sendmmsg, .dir = POLL_WRITE,
		.takes_dontwait = true, .buf = msgs, .n = n, .flags = flags,
	};

	return io_do(fd, &io);
}

/* ---- connections -------------------------------------------------------------------- */

static __attribute__((noinline)) ssize_t
attempt_accept(int fd, const struct io *io, enum poll_kind kind)
{
	int saved = errno;
	ssize_t ret;

	do {
		ret = result(accept4(fd, io->addr, io->len,
				     SOCK_NONBLOCK | SOCK_CLOEXEC), saved);
	} while (ret == -ECONNABORTED);
	if (ret >= 0)
		poll_adopt(ret, kind);
	return ret;
}

int go_accept(int fd, struct sockaddr *addr, socklen_t *len)
{
	struct io io = {
		.attempt = attempt_accept, .dir = POLL_READ,
		.addr = addr, .len = len,
	};

	return io_do(fd, &io);
}

/* The first attempt begins it, and the later ones look what has become of it. */
static __attribute__((noinline)) ssize_t
attempt_connect(int fd, const struct io *io, enum poll_kind kind)
{
	int saved = errno;
	ssize_t ret;

	(void)kind;
	ret = result(connect(fd, io->addr, io->to_len), saved);
	if (ret == -EISCONN && *(bool *)io->buf)
		return 0;
	if (ret == -EAGAIN)
		return -EINPROGRESS;	/* there is nothing to wait for */
	if (ret == -EINPROGRESS || ret == -EALREADY) {
		*(bool *)io->buf = true;
		ret = -EAGAIN;
	}
	return ret;
}

int go_connect(int fd, const struct sockaddr *addr, socklen_t len)
{
	bool begun = false;
	struct io io = {
		.attempt = attempt_connect, .dir = POLL_WRITE,
		.buf = &begun, .addr = (void *)addr, .to_len = len,
	};
	int ret;

	ret = poll_make_nonblocking(fd);
	if (ret)
		return ret;
	while ((ret = io_do(fd, &io)) == -EINPROGRESS) {
		/* Too many wait for a Unix socket's accept(). No event tells. */
		if (addr->sa_family != AF_UNIX)
			return -EAGAIN;
		go_sleep(LOOK_AGAIN);
	}
	return ret;
}

/* ---- waiting alone ------------------------------------------------------------------- */

int go_poll(int fd, short events, int64_t deadline)
{
	unsigned int dirs = events & POLLOUT ? 1U << POLL_WRITE : 0;
	struct poll_op op;
	bool learnt = false;
	int dir, ret;

	if (!(events & POLLOUT) || events & ~POLLOUT)
		dirs |= 1U << POLL_READ;
	ret = poll_begin(&op, fd);
	if (ret)
		return ret;
	do {
		for (dir = 0; dir < POLL_DIRS; dir++) {
			if (!(dirs & 1U << dir))
				continue;
			ret = poll_attempt(&op, dir);
			if (ret && ret != -EAGAIN)
				goto out;
		}
		ret = ask(fd, events);
		if (ret)
			break;
		if (poll_kind(&op) == POLL_PLAIN && !learnt) {
			poll_relearn(&op, POLL_PLAIN);
			learnt = true;
			continue;
		}
		if (poll_kind(&op) == POLL_PLAIN) {
			/* it will not be ready for that */
			go_sleep(deadline == INT64_MAX ? INT64_MAX :
				 deadline - go_now());
			ret = -ETIMEDOUT;
			break;
		}
		ret = poll_wait_any(&op, dirs, deadline);
	} while (!ret);
	/* It is as ready as before for who waits behind. */
	for (dir = 0; ret > 0 && dir < POLL_DIRS; dir++)
		if (dirs & 1U << dir)
			poll_done(&op, dir, false);
out:
	poll_end(&op);
	return ret;
}

/* ---- between files ------------------------------------------------------------------- */

/*
 * sendfile() and splice() take no MSG_NOSIGNAL. SIGPIPE is held back meanwhile and then
 * taken away, which goes by thread; so the signal that preempts has to wait as well.
 */
static void sigpipe_hold(sigset_t *before)
{
	sigset_t held;

	sigemptyset(&held);
	sigaddset(&held, SIGPIPE);
	sigaddset(&held, PREEMPT_SIGNAL);
	pthread_sigmask(SIG_BLOCK, &held, before);
}

/* @whole: all was sent; the call that finds the peer gone may have sent some before */
static void sigpipe_drop(const sigset_t *before, bool whole)
{
	static const struct timespec at_once;
	sigset_t dropped;
	int saved = errno;

	if (!whole && !sigismember(before, SIGPIPE)) {
		sigemptyset(&dropped);
		sigaddset(&dropped, SIGPIPE);
		sigtimedwait(&dropped, NULL, &at_once);
	}
	errno = saved;
	pthread_sigmask(SIG_SETMASK, before, NULL);
}

static __attribute__((noinline)) ssize_t
attempt_sendfile(int fd, const struct io *io, enum poll_kind kind)
{
	int saved = errno;
	sigset_t before;
	ssize_t ret;

	if (!is_socket_now(fd, kind))
		return result(sendfile(fd, io->other, io->offset, io->n), saved);
	sigpipe_hold(&before);
	ret = result(sendfile(fd, io->other, io->offset, io->n), saved);
	sigpipe_drop(&before, ret == (ssize_t)io->n);
	return ret;
}

ssize_t go_sendfile(int out, int in, off_t *offset, size_t n)
{
	struct io io = {
		.attempt = attempt_sendfile, .dir = POLL_WRITE,
		.other = in, .offset = offset, .n = n,
	};
	size_t done = 0;
	ssize_t ret;

	do {
		io.n = n - done;
		ret = io_do(out, &io);
		if (ret > 0)
			done += ret;
	} while (ret > 0 && done < n);
	return done ? (ssize_t)done : ret;
}

struct splice_args {
	off_t *off_in;
	off_t *off_out;
	size_t n;
	unsigned int flags;
	bool to_socket;
};

static __attribute__((noinline)) ssize_t
attempt_splice(int in, int out, const struct splice_args *args)
{
	int saved = errno;
	sigset_t before;
	ssize_t ret;

	if (args->to_socket)
		sigpipe_hold(&before);
	do {
		ret = result(splice(in, args->off_in, out, args->off_out,
				    args->n, args->flags | SPLICE_F_NONBLOCK),
			     saved);
	} while (ret == -EINTR);
	if (args->to_socket)
		sigpipe_drop(&before, ret == (ssize_t)args->n);
	return ret;
}

/* Wait for the end that is not ready. Others may take what is there meanwhile. */
static int splice_wait(struct poll_op *from, struct poll_op *to)
{
	if (!is_ready(from->fd, POLL_READ))
		return poll_wait(from, POLL_READ);
	if (!is_ready(to->fd, POLL_WRITE)) {
		poll_done(from, POLL_READ, false);
		return poll_wait(to, POLL_WRITE);
	}
	return 0;
}

/* Neither end's last attempt is held for vain: which one it was is not known. */
static int splice_attempts(struct poll_op *from, struct poll_op *to)
{
	int ret = poll_attempt(from, POLL_READ);

	if (ret && ret != -EAGAIN)
		return ret;
	ret = poll_attempt(to, POLL_WRITE);
	return ret == -EAGAIN ? 0 : ret;
}

ssize_t go_splice(int in, off_t *off_in, int out, off_t *off_out, size_t n,
		  unsigned int flags)
{
	struct splice_args args = { off_in, off_out, n, flags, false };
	struct poll_op from, to;
	ssize_t ret;

	ret = poll_begin(&from, in);
	if (ret)
		return ret;
	ret = poll_begin(&to, out);
	if (ret)
		goto out_from;
	args.to_socket = is_socket_now(out, poll_kind(&to));
	for (;;) {
		ret = splice_attempts(&from, &to);
		if (ret)
			break;
		ret = -EAGAIN;
		if (!would_block(&from, POLL_READ) &&
		    !would_block(&to, POLL_WRITE))
			ret = attempt_splice(in, out, &args);
		if (ret != -EAGAIN)
			break;
		ret = splice_wait(&from, &to);
		if (ret)
			break;
	}
	poll_done(&from, POLL_READ, false);
	poll_done(&to, POLL_WRITE, false);
	poll_end(&to);
out_from:
	poll_end(&from);
	return ret;
}

/* ---- descriptors --------------------------------------------------------------------- */

int go_close(int fd)
{
	int saved = errno_read(), ret = poll_close(fd);

	errno_write(saved);
	return ret;
}

int go_set_deadline(int fd, int64_t when)
{
	return poll_set_deadline(fd, 1U << POLL_READ | 1U << POLL_WRITE, when);
}

int go_set_read_deadline(int fd, int64_t when)
{
	return poll_set_deadline(fd, 1U << POLL_READ, when);
}

int go_set_write_deadline(int fd, int64_t when)
{
	return poll_set_deadline(fd, 1U << POLL_WRITE, when);
}
