/* SPDX-License-Identifier: MIT */
/*
 * Input and output on what one can wait for: sockets, pipes, terminals, and the
 * descriptors of events, timers, signals, processes and the like. A goroutine that
 * waits in one of these calls costs no thread.
 *
 * A descriptor is an ordinary one. It need not be O_NONBLOCK, and is left as it is,
 * but those that libgo makes are. For a file that cannot be waited for, as one on a
 * disk, the calls are the ordinary ones: they block, and the P goes on without them.
 *
 * Several goroutines may use a descriptor at a time. Close it with go_close(): all who
 * wait for it get -EBADF then, and its number is not used again before the last of
 * their calls is over. With close(2) they notice later, in
 * ten seconds at most.
 *
 * An unsigned int that is a length stands for a socklen_t.
 *
 * All return -EBADF for what is no descriptor, or is closed meanwhile; -ETIMEDOUT after
 * the deadline of go_set_deadline(); -ENOMEM; and -ESRCH where they would have to wait
 * without a runtime. EINTR is not returned. Who may call: any thread.
 */
#ifndef GO_IO_H
#define GO_IO_H

#include <go/api.h>

/* Of <sys/socket.h> and <sys/uio.h>, which have names that programs have, too. */
struct iovec;
struct mmsghdr;
struct msghdr;
struct sockaddr;

/**
 * go_read() - read what there is, and wait until there is something
 * @fd: the descriptor
 * @buf: where to
 * @n: bytes at most
 *
 * Return: the number of bytes; 0 at the end of the file; or the error of read(2) or
 * recv(2), negated.
 */
GO_API ssize_t go_read(int fd, void *buf, size_t n);

/**
 * go_write() - write all of it
 * @fd: the descriptor
 * @buf: where from
 * @n: bytes
 *
 * A socket whose peer is gone is -EPIPE; no SIGPIPE is sent for it.
 *
 * Return: @n, or less if an error came after some had been written; else the error of
 * write(2) or send(2), negated.
 */
GO_API ssize_t go_write(int fd, const void *buf, size_t n);

/**
 * go_readv() - go_read() into several places
 * @fd: the descriptor
 * @iov: the places
 * @iovcnt: how many
 *
 * Return: as go_read().
 */
GO_API ssize_t go_readv(int fd, const struct iovec *iov, int iovcnt);

/**
 * go_writev() - go_write() from several places
 * @fd: the descriptor
 * @iov: the places
 * @iovcnt: how many
 *
 * Return: as go_write().
 */
GO_API ssize_t go_writev(int fd, const struct iovec *iov, int iovcnt);

/**
 * go_recvfrom() - receive from a socket
 * @fd: the socket
 * @buf: where to
 * @n: bytes at most
 * @flags: as of recvfrom(2)
 * @addr: where to store who sent it, or NULL
 * @len: its length, before and after, or NULL
 *
 * Return: as recvfrom(2), the error negated.
 */
GO_API ssize_t go_recvfrom(int fd, void *buf, size_t n, int flags,
			   struct sockaddr *addr, unsigned int *len);

/**
 * go_sendto() - send on a socket
 * @fd: the socket
 * @buf: where from
 * @n: bytes
 * @flags: as of sendto(2)
 * @addr: whom to, or NULL
 * @len: its length
 *
 * Return: as sendto(2), the error negated: less than @n of a stream if a part of it
 * was taken.
 */
GO_API ssize_t go_sendto(int fd, const void *buf, size_t n, int flags,
			 const struct sockaddr *addr, unsigned int len);

/**
 * go_recvmsg() - receive a message, and with it descriptors, credentials, ...
 * @fd: the socket
 * @msg: as of recvmsg(2)
 * @flags: as of recvmsg(2)
 *
 * Return: as recvmsg(2), the error negated.
 */
GO_API ssize_t go_recvmsg(int fd, struct msghdr *msg, int flags);

/**
 * go_sendmsg() - send a message, and with it descriptors, credentials, ...
 * @fd: the socket
 * @msg: as of sendmsg(2)
 * @flags: as of sendmsg(2)
 *
 * Return: as sendmsg(2), the error negated: less than all of a stream if a part of it
 * was taken, and then the rest is to be sent without the descriptors.
 */
GO_API ssize_t go_sendmsg(int fd, const struct msghdr *msg, int flags);

/**
 * go_recvmmsg() - receive the messages there are, and wait for the first
 * @fd: the socket
 * @msgs: as of recvmmsg(2)
 * @n: how many at most
 * @flags: as of recvmmsg(2)
 *
 * Return: the number of messages, or the error negated.
 */
GO_API int go_recvmmsg(int fd, struct mmsghdr *msgs, unsigned int n, int flags);

/**
 * go_sendmmsg() - send several messages
 * @fd: the socket
 * @msgs: as of sendmmsg(2)
 * @n: how many
 * @flags: as of sendmmsg(2)
 *
 * Return: the number of messages sent, which is less than @n if the socket was full
 * after the first or an error came; or the error of the first, negated.
 */
GO_API int go_sendmmsg(int fd, struct mmsghdr *msgs, unsigned int n, int flags);

/**
 * go_accept() - wait for a connection
 * @fd: the socket that listens
 * @addr: where to store who it is, or NULL
 * @len: its length, before and after, or NULL
 *
 * Return: the connection's descriptor, O_NONBLOCK and closed by exec(); or the error of
 * accept(2), negated.
 */
GO_API int go_accept(int fd, struct sockaddr *addr, unsigned int *len);

/**
 * go_connect() - connect a socket, and wait until it is
 * @fd: the socket; it becomes O_NONBLOCK
 * @addr: whom to
 * @len: its length
 *
 * The deadline is that of writing.
 *
 * Return: 0, or the error of connect(2), negated.
 */
GO_API int go_connect(int fd, const struct sockaddr *addr, unsigned int len);

/**
 * go_poll() - wait until a descriptor is ready
 * @fd: the descriptor
 * @events: what for, as of poll(2): POLLIN, POLLOUT, POLLPRI, POLLRDHUP
 * @deadline: no longer than until then, on the clock of go_now(); INT64_MAX for ever
 *
 * Return: the events that there are, of those asked for and POLLERR and POLLHUP;
 * -ETIMEDOUT.
 */
GO_API int go_poll(int fd, short events, int64_t deadline);

/**
 * go_sendfile() - copy from a file to a socket
 * @out: where to
 * @in: a file that can be mapped
 * @offset: where to begin, moved on by what was copied; NULL for the file's own place
 * @n: bytes
 *
 * A socket whose peer is gone is -EPIPE; no SIGPIPE is sent for it.
 *
 * Return: the number of bytes, less than @n at the end of the file or if an error came
 * after some had been copied; or the error of sendfile(2), negated.
 */
GO_API ssize_t go_sendfile(int out, int in, off_t *offset, size_t n);

/**
 * go_splice() - move what there is from or to a pipe, and wait until there is something
 * @in: where from
 * @off_in: as of splice(2)
 * @out: where to
 * @off_out: as of splice(2)
 * @n: bytes at most
 * @flags: as of splice(2)
 *
 * A socket whose peer is gone is -EPIPE; no SIGPIPE is sent for it.
 *
 * Return: the number of bytes; 0 at the end; or the error of splice(2), negated.
 */
GO_API ssize_t go_splice(int in, off_t *off_in, int out, off_t *off_out,
			 size_t n, unsigned int flags);

/**
 * go_close() - close a descriptor, and wake all who wait for it
 * @fd: the descriptor
 *
 * It is closed when the last call on it is over: here if there is none.
 *
 * Return: 0, or the error of close(2), negated.
 */
GO_API int go_close(int fd);

/**
 * go_set_deadline() - limit how long calls on a descriptor may take
 * @fd: the descriptor
 * @when: from then on they return -ETIMEDOUT, those that wait, too, until it is set
 *	anew; on the clock of go_now(), INT64_MAX for no limit
 *
 * Return: 0; -ENOMEM; -ESRCH if no runtime runs.
 */
GO_API int go_set_deadline(int fd, int64_t when);

/**
 * go_set_read_deadline() - go_set_deadline() for calls that read or accept
 * @fd: the descriptor
 * @when: as of go_set_deadline()
 *
 * Return: as go_set_deadline().
 */
GO_API int go_set_read_deadline(int fd, int64_t when);

/**
 * go_set_write_deadline() - go_set_deadline() for calls that write or connect
 * @fd: the descriptor
 * @when: as of go_set_deadline()
 *
 * Return: as go_set_deadline().
 */
GO_API int go_set_write_deadline(int fd, int64_t when);

/**
 * go_dial() - make a connection
 * @network: "tcp", "tcp4", "tcp6", "udp", "udp4", "udp6", "unix", "unixgram" or
 *	"unixpacket"
 * @address: "host:port", with an IPv6 address in brackets; or a path, where a first
 *	"@" stands for the abstract name space
 * @deadline: no longer than until then; INT64_MAX for no limit but the kernel's
 *
 * Names are looked up by getaddrinfo(3), which blocks; that is not limited. The
 * addresses are tried one after the other. TCP_NODELAY is set, as Go does.
 *
 * Return: the descriptor; -EINVAL for an address or a network of no sense; -ENXIO if
 * there is no such name, -EAGAIN if that could not be found out; or the error of the
 * last address.
 */
GO_API int go_dial(const char *network, const char *address, int64_t deadline);

/**
 * go_listen() - make a socket that listens, or receives messages
 * @network: as of go_dial()
 * @address: as of go_dial(); without a host for all of the machine's own, with port 0
 *	for one that is free
 *
 * Return: as go_dial().
 */
GO_API int go_listen(const char *network, const char *address);

/**
 * go_pipe() - make a pipe whose ends are O_NONBLOCK and closed by exec()
 * @fds: where to store the descriptors, of the end to read from first
 *
 * Return: 0, or the error of pipe2(2), negated.
 */
GO_API int go_pipe(int fds[2]);

/**
 * go_wait() - wait until a child process ends, and reap it
 * @pid: the child
 * @status: where to store its status, as of waitpid(2), or NULL
 *
 * Return: 0; -ECHILD if it is none; or the error of waitpid(2), negated.
 */
GO_API int go_wait(pid_t pid, int *status);

#endif /* GO_IO_H */
