// SPDX-License-Identifier: MIT
/*
 * Input and output: every kind of descriptor, deadlines, closing, and numbers that are
 * used again.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test.h"

#include "netpoll.h"
#include "pollwait.h"
#include "runtime.h"

#define SOON	(20 * GO_MILLISECOND)

static struct go_waitgroup wg;
static int count, result;

static int fds[2];

static uint32_t waiters(void)
{
	return load(rt.shared->net_waiters);
}

static void socketpair_make(int type, int flags)
{
	ck_assert_int_eq(socketpair(AF_UNIX, type | flags, 0, fds), 0);
}

static void close_both(void)
{
	ck_assert_int_eq(go_close(fds[0]), 0);
	ck_assert_int_eq(go_close(fds[1]), 0);
}

/* ---- what one waits for -------------------------------------------------------------- */

static void read_one(void *arg)
{
	char c;

	store(result, go_read((intptr_t)arg, &c, 1));
	go_waitgroup_done(&wg);
}

/* One waits in go_read() until something happens; returns what it got. */
static int read_until(int fd, void (*happens)(void))
{
	go_waitgroup_add(&wg, 1);
	store(result, 1000);
	go_spawn(read_one, (void *)(intptr_t)fd);
	wait_until(waiters() == 1);
	ck_assert_int_eq(load(result), 1000);
	happens();
	go_waitgroup_wait(&wg);
	ck_assert_int_eq(waiters(), 0);
	return load(result);
}

static void write_one(void)
{
	ck_assert_int_eq(write(fds[1], "x", 1), 1);
}

/*
 * The runtime opens files, too, so which number is free next can't be told, nor that
 * one that was closed stays free. This one does.
 */
#define NUMBER	200

static int numbered(int fd)
{
	ck_assert_int_eq(dup2(fd, NUMBER), NUMBER);
	ck_assert_int_eq(close(fd), 0);
	return NUMBER;
}

static void have_number(void)
{
	fds[0] = numbered(fds[0]);
}

static void close_peer(void)
{
	ck_assert_int_eq(close(fds[1]), 0);
}

static void close_own(void)
{
	ck_assert_int_eq(go_close(fds[0]), 0);
}

GO_TEST(a_pipe_is_waited_for)
{
	int flags;

	for (flags = 0; flags <= O_NONBLOCK; flags += O_NONBLOCK) {
		ck_assert_int_eq(pipe2(fds, flags), 0);
		ck_assert_int_eq(read_until(fds[0], write_one), 1);
		ck_assert_int_eq(read_until(fds[0], write_one), 1);
		ck_assert_int_eq(read_until(fds[0], close_peer), 0);
		ck_assert_int_eq(go_close(fds[0]), 0);
	}
}

GO_TEST(a_socket_is_waited_for)
{
	int flags;

	for (flags = 0; flags <= SOCK_NONBLOCK; flags += SOCK_NONBLOCK) {
		socketpair_make(SOCK_STREAM, flags);
		ck_assert_int_eq(read_until(fds[0], write_one), 1);
		ck_assert_int_eq(read_until(fds[0], write_one), 1);
		ck_assert_int_eq(read_until(fds[0], close_peer), 0);
		ck_assert_int_eq(fcntl(fds[0], F_GETFL) & O_NONBLOCK,
				 flags ? O_NONBLOCK : 0);
		ck_assert_int_eq(go_close(fds[0]), 0);
	}
}

static void add_to_eventfd(void)
{
	uint64_t one = 1;

	ck_assert_int_eq(write(fds[0], &one, sizeof(one)), sizeof(one));
}

static void make_file(void)
{
	ck_assert_int_eq(close(creat("a file", 0600)), 0);
}

static void signal_process(void)
{
	ck_assert_int_eq(kill(getpid(), SIGUSR2), 0);
}

static void do_nothing(void)
{
}

static int read_event(void (*happens)(void))
{
	int ret, saved = count;
	char buf[512];

	/* Less than a whole one is an error, and told when there is one. */
	ret = read_until(fds[0], happens);
	ck_assert_int_eq(ret, -EINVAL);
	ret = go_read(fds[0], buf, sizeof(buf));
	count = saved;
	ck_assert_int_eq(go_close(fds[0]), 0);
	return ret;
}

GO_TEST(descriptors_of_events_are_waited_for)
{
	struct itimerspec soon = { .it_value.tv_nsec = SOON };
	char dir[] = "/tmp/io_test.XXXXXX";
	sigset_t set;

	fds[0] = eventfd(0, 0);
	ck_assert_int_eq(read_event(add_to_eventfd), 8);

	fds[0] = timerfd_create(CLOCK_MONOTONIC, 0);
	timerfd_settime(fds[0], 0, &soon, NULL);
	ck_assert_int_eq(read_event(do_nothing), 8);

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	fds[0] = signalfd(-1, &set, 0);
	ck_assert_int_ge(fds[0], 0);
	ck_assert_int_eq(read_event(signal_process),
			 sizeof(struct signalfd_siginfo));

	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_int_eq(chdir(dir), 0);
	fds[0] = inotify_init1(0);
	ck_assert_int_ge(inotify_add_watch(fds[0], ".", IN_CREATE), 0);
	ck_assert_int_gt(read_event(make_file), 0);
	ck_assert_int_eq(unlink("a file"), 0);
	ck_assert_int_eq(rmdir(dir), 0);
}

static void type_line(void)
{
	ck_assert_int_eq(write(fds[1], "x\n", 2), 2);
}

GO_TEST(a_terminal_is_waited_for)
{
	char c;

	fds[1] = posix_openpt(O_RDWR | O_NOCTTY);
	ck_assert_int_ge(fds[1], 0);
	ck_assert(!grantpt(fds[1]) && !unlockpt(fds[1]));
	fds[0] = open(ptsname(fds[1]), O_RDWR | O_NOCTTY);
	ck_assert_int_ge(fds[0], 0);
	ck_assert_int_eq(read_until(fds[0], type_line), 1);
	ck_assert_int_eq(go_read(fds[0], &c, 1), 1);
	ck_assert_int_eq(c, '\n');
	close_both();
}

/* epoll refuses them; the call is an ordinary one. */
GO_TEST(files_are_read_and_written)
{
	char path[] = "/tmp/io_test.XXXXXX", buf[16];
	struct iovec iov[2] = { { (char *)"abc", 3 }, { (char *)"defg", 4 } };
	int fd = mkstemp(path);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(go_write(fd, "12345", 5), 5);
	ck_assert_int_eq(go_writev(fd, iov, 2), 7);
	ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
	ck_assert_int_eq(go_poll(fd, POLLIN, INT64_MAX), POLLIN);
	ck_assert_int_eq(go_read(fd, buf, sizeof(buf)), 12);
	ck_assert_mem_eq(buf, "12345abcdefg", 12);
	ck_assert_int_eq(go_read(fd, buf, sizeof(buf)), 0);
	ck_assert_int_eq(go_close(fd), 0);
}

GO_TEST(mistakes_are_told)
{
	struct iovec iov[2] = { { NULL, SIZE_MAX }, { NULL, 1 } };
	char c;
	int fd;

	ck_assert_int_eq(go_read(-1, &c, 1), -EBADF);
	ck_assert_int_eq(go_read(1000, &c, 1), -EBADF);
	ck_assert_int_eq(go_write(1 << 29, &c, 1), -EBADF);
	ck_assert_int_eq(go_close(1000), -EBADF);
	ck_assert_int_eq(go_close(-1), -EBADF);
	ck_assert_int_eq(go_set_deadline(1000, 0), -EBADF);
	ck_assert_int_eq(go_poll(1000, POLLIN, INT64_MAX), -EBADF);
	fd = numbered(open("/dev/null", O_RDONLY));
	ck_assert_int_eq(go_write(fd, &c, 1), -EBADF);
	ck_assert_int_eq(go_readv(fd, iov, 2), -EINVAL);
	ck_assert_int_eq(go_readv(fd, iov, -1), -EINVAL);
	ck_assert_int_eq(go_recvfrom(fd, &c, 1, 0, NULL, NULL), -ENOTSOCK);
	ck_assert_int_eq(go_accept(fd, NULL, NULL), -ENOTSOCK);
	ck_assert_int_eq(go_close(fd), 0);
	ck_assert_int_eq(go_close(fd), -EBADF);
	ck_assert_int_eq(go_dial("tpc", "127.0.0.1:1", INT64_MAX), -EINVAL);
	ck_assert_int_eq(go_dial("tcp", "127.0.0.1", INT64_MAX), -EINVAL);
	ck_assert_int_eq(go_dial("tcp", "::1:80", INT64_MAX), -EINVAL);
	ck_assert_int_eq(go_dial("tcp", "[::1:80", INT64_MAX), -EINVAL);
	ck_assert_int_eq(go_dial("unix", "", INT64_MAX), -EINVAL);
	ck_assert_int_eq(go_dial("unix", "/nowhere/at/all", INT64_MAX), -ENOENT);
	/* Port 1 of this machine: nobody listens. */
	ck_assert_int_eq(go_dial("tcp", "127.0.0.1:1", INT64_MAX),
			 -ECONNREFUSED);
	ck_assert_int_eq(go_wait(1, NULL), -ECHILD);
	ck_assert_int_eq(go_wait(0, NULL), -EINVAL);
}

/* ---- streams ------------------------------------------------------------------------ */

#define STREAM_BYTES	(1 << 20)
#define CLIENTS		20

static int listener;
static char address[64];

static void listen_somewhere(void)
{
	struct sockaddr_in addr;
	socklen_t len = sizeof(addr);

	listener = go_listen("tcp", "127.0.0.1:0");
	ck_assert_int_ge(listener, 0);
	ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&addr, &len),
			 0);
	snprintf(address, sizeof(address), "127.0.0.1:%d",
		 ntohs(addr.sin_port));
}

static unsigned char stream_byte(size_t at, int salt)
{
	return (at * 7 + (at >> 9) + salt) & 0xff;
}

static void echo(void *arg)
{
	int fd = (intptr_t)arg, n;
	char buf[5000];

	while ((n = go_read(fd, buf, sizeof(buf))) > 0)
		ck_assert_int_eq(go_write(fd, buf, n), n);
	ck_assert_int_eq(n, 0);
	ck_assert_int_eq(go_close(fd), 0);
	go_waitgroup_done(&wg);
}

static void serve(void *arg)
{
	int fd;

	(void)arg;
	while ((fd = go_accept(listener, NULL, NULL)) >= 0) {
		go_waitgroup_add(&wg, 1);
		go_spawn(echo, (void *)(intptr_t)fd);
	}
	ck_assert_int_eq(fd, -EBADF);
	go_waitgroup_done(&wg);
}

struct client {
	int fd;
	int salt;
};

static void send_stream(void *arg)
{
	struct client *c = arg;
	unsigned char *buf = malloc(STREAM_BYTES);
	size_t i;

	for (i = 0; i < STREAM_BYTES; i++)
		buf[i] = stream_byte(i, c->salt);
	ck_assert_int_eq(go_write(c->fd, buf, STREAM_BYTES), STREAM_BYTES);
	ck_assert_int_eq(shutdown(c->fd, SHUT_WR), 0);
	free(buf);
	go_waitgroup_done(&wg);
}

static void exchange_stream(void *arg)
{
	struct client c = { .salt = (intptr_t)arg };
	unsigned char buf[7000];
	size_t at = 0;
	ssize_t n, i;

	c.fd = go_dial("tcp", address, INT64_MAX);
	ck_assert_int_ge(c.fd, 0);
	go_waitgroup_add(&wg, 1);
	go_spawn(send_stream, &c);
	while ((n = go_read(c.fd, buf, sizeof(buf))) > 0) {
		for (i = 0; i < n; i++, at++)
			expect(buf[i] == stream_byte(at, c.salt));
	}
	ck_assert_int_eq(n, 0);
	ck_assert_uint_eq(at, STREAM_BYTES);
	ck_assert_int_eq(go_close(c.fd), 0);
	add(count, 1);
	go_waitgroup_done(&wg);
}

GO_TEST(streams_arrive_whole)
{
	int i;

	listen_somewhere();
	go_waitgroup_add(&wg, 1);
	go_spawn(serve, NULL);
	go_waitgroup_add(&wg, CLIENTS);
	for (i = 0; i < CLIENTS; i++)
		go_spawn(exchange_stream, (void *)(intptr_t)i);
	wait_until(load(count) == CLIENTS);
	ck_assert_int_eq(go_close(listener), 0);
	go_waitgroup_wait(&wg);
	ck_assert_int_eq(waiters(), 0);
}

/* What was there before the peer hung up is read, and then the end is seen. */
GO_TEST(the_end_is_seen_after_a_short_read)
{
	char buf[100];
	int peer;

	listen_somewhere();
	fds[1] = go_dial("tcp", address, INT64_MAX);
	peer = go_accept(listener, NULL, NULL);
	ck_assert_int_ge(peer, 0);
	fds[0] = peer;
	ck_assert_int_eq(read_until(peer, write_one), 1);
	ck_assert_int_eq(go_write(fds[1], "last", 4), 4);
	ck_assert_int_eq(close(fds[1]), 0);
	go_sleep(SOON);
	ck_assert_int_eq(go_read(peer, buf, sizeof(buf)), 4);
	ck_assert_int_eq(go_read(peer, buf, sizeof(buf)), 0);
	ck_assert_int_eq(go_read(peer, buf, sizeof(buf)), 0);
	go_close(peer);
	go_close(listener);
}

/* A read ends before urgent data, though there is more. */
GO_TEST(urgent_data_hides_nothing)
{
	char buf[100];
	int peer, n, sum = 0;

	listen_somewhere();
	fds[1] = go_dial("tcp", address, INT64_MAX);
	peer = go_accept(listener, NULL, NULL);
	fds[0] = peer;
	ck_assert_int_eq(read_until(peer, write_one), 1);
	ck_assert_int_eq(go_write(fds[1], "before", 6), 6);
	ck_assert_int_eq(go_sendto(fds[1], "!", 1, MSG_OOB, NULL, 0), 1);
	ck_assert_int_eq(go_write(fds[1], "behind", 6), 6);
	go_sleep(SOON);
	ck_assert_int_eq(go_set_read_deadline(peer, go_now() + GO_SECOND), 0);
	while (sum < 12 && (n = go_read(peer, buf, sizeof(buf))) > 0)
		sum += n;
	ck_assert_int_eq(sum, 12);
	go_close(peer);
	go_close(fds[1]);
	go_close(listener);
}

GO_TEST(a_lost_peer_is_an_error_not_a_signal)
{
	char c = 0;
	ssize_t ret;
	int i;

	socketpair_make(SOCK_STREAM, 0);
	close_peer();
	for (i = 0, ret = 1; i < 100 && ret > 0; i++)
		ret = go_write(fds[0], &c, 1);
	ck_assert_int_eq(ret, -EPIPE);
	go_close(fds[0]);
}

static int open_exe(void)
{
	int fd = open("/proc/self/exe", O_RDONLY);

	ck_assert_int_ge(fd, 0);
	return fd;
}

static void assert_sigpipe_as_ever(void)
{
	sigset_t set;

	sigpending(&set);
	ck_assert(!sigismember(&set, SIGPIPE));
	pthread_sigmask(SIG_BLOCK, NULL, &set);
	ck_assert(!sigismember(&set, SIGPIPE));
	ck_assert(!sigismember(&set, SIGURG));
}

GO_TEST(a_file_for_a_lost_peer_is_no_signal)
{
	int file = open_exe(), pipes[2];

	socketpair_make(SOCK_STREAM, 0);
	close_peer();
	errno = EXDEV;
	ck_assert_int_eq(go_sendfile(fds[0], file, NULL, 100), -EPIPE);
	assert_sigpipe_as_ever();
	ck_assert_int_eq(go_pipe(pipes), 0);
	ck_assert_int_eq(go_write(pipes[1], "words", 5), 5);
	ck_assert_int_eq(go_splice(pipes[0], NULL, fds[0], NULL, 5, 0), -EPIPE);
	assert_sigpipe_as_ever();
	ck_assert_int_eq(errno, EXDEV);
	go_close(fds[0]);
	go_close(pipes[0]);
	go_close(pipes[1]);
	close(file);
}

static void *read_a_little(void *arg)
{
	char buf[32768];
	unsigned int n = (intptr_t)arg;

	while (n--)
		ck_assert_int_gt(read(fds[1], buf, sizeof(buf)), 0);
	close_peer();
	return NULL;
}

/* Then some has been sent by the call that finds it gone. */
GO_TEST(a_peer_may_be_lost_in_the_middle_of_a_file)
{
	int file = memfd_create("file", 0);
	pthread_t thread;
	unsigned int i;
	off_t offset;

	ck_assert_int_ge(file, 0);
	ck_assert_int_eq(ftruncate(file, STREAM_BYTES), 0);
	for (i = 0; i < 300; i++) {
		socketpair_make(SOCK_STREAM, 0);
		ck_assert_int_eq(pthread_create(&thread, NULL, read_a_little,
						(void *)(intptr_t)(i % 8)), 0);
		do {
			offset = 0;
		} while (go_sendfile(fds[0], file, &offset, STREAM_BYTES) > 0);
		assert_sigpipe_as_ever();
		ck_assert_int_eq(pthread_join(thread, NULL), 0);
		go_close(fds[0]);
	}
	close(file);
}

/* A burst of connections is served by all who wait. */
static void accept_slowly(void *arg)
{
	int fd;

	(void)arg;
	fd = go_accept(listener, NULL, NULL);
	ck_assert_int_ge(fd, 0);
	add(count, 1);
	/* Nobody who waits behind depends on this one. */
	wait_until(load(count) == CLIENTS);
	go_close(fd);
	go_waitgroup_done(&wg);
}

GO_TEST(a_burst_of_connections_wakes_as_many)
{
	struct sockaddr_in addr;
	socklen_t len = sizeof(addr);
	int clients[CLIENTS], i;

	listen_somewhere();
	getsockname(listener, (struct sockaddr *)&addr, &len);
	go_waitgroup_add(&wg, CLIENTS);
	for (i = 0; i < CLIENTS; i++)
		go_spawn(accept_slowly, NULL);
	wait_until(waiters() == CLIENTS);
	/* With one P nobody looks in between: it is one event. */
	for (i = 0; i < CLIENTS; i++) {
		clients[i] = socket(AF_INET, SOCK_STREAM, 0);
		ck_assert_int_eq(connect(clients[i], (struct sockaddr *)&addr,
					 len), 0);
	}
	go_waitgroup_wait(&wg);
	for (i = 0; i < CLIENTS; i++)
		go_close(clients[i]);
	go_close(listener);
}

GO_TEST(unix_sockets_by_name)
{
	char name[64], c;
	int peer;

	snprintf(name, sizeof(name), "@libgo.io_test.%d", (int)getpid());
	listener = go_listen("unix", name);
	ck_assert_int_ge(listener, 0);
	ck_assert_int_eq(go_listen("unix", name), -EADDRINUSE);
	fds[1] = go_dial("unix", name, INT64_MAX);
	ck_assert_int_ge(fds[1], 0);
	peer = go_accept(listener, NULL, NULL);
	ck_assert_int_ge(peer, 0);
	ck_assert_int_eq(go_write(fds[1], "y", 1), 1);
	ck_assert_int_eq(go_read(peer, &c, 1), 1);
	ck_assert_int_eq(c, 'y');
	go_close(peer);
	go_close(fds[1]);
	go_close(listener);
}

/* ---- closing ------------------------------------------------------------------------- */

static void accept_one(void *arg)
{
	store(result, go_accept((intptr_t)arg, NULL, NULL));
	go_waitgroup_done(&wg);
}

GO_TEST(close_wakes_all_who_wait)
{
	int i;

	socketpair_make(SOCK_STREAM, 0);
	ck_assert_int_eq(read_until(fds[0], close_own), -EBADF);
	close_peer();

	listen_somewhere();
	go_waitgroup_add(&wg, 10);
	for (i = 0; i < 10; i++)
		go_spawn(accept_one, (void *)(intptr_t)listener);
	wait_until(waiters() == 10);
	ck_assert_int_eq(go_close(listener), 0);
	go_waitgroup_wait(&wg);
	ck_assert_int_eq(load(result), -EBADF);
}

/* All that a number was used for stays with that file. */
GO_TEST(a_number_is_used_again)
{
	int i;

	for (i = 0; i < 50; i++) {
		if (i % 2)
			socketpair_make(SOCK_STREAM, 0);
		else
			ck_assert_int_eq(pipe(fds), 0);
		have_number();
		if (i % 3) {
			ck_assert_int_eq(go_set_deadline(NUMBER, go_now() +
							 i * GO_MICROSECOND),
					 0);
			close_own();
		} else {
			ck_assert_int_eq(read_until(NUMBER, write_one), 1);
			ck_assert_int_eq(read_until(NUMBER, close_own), -EBADF);
		}
		close_peer();
	}
}

/* With close(2) nobody is told, but it is found out. */
GO_TEST(a_number_that_was_closed_behind_our_back_is_used_again)
{
	socketpair_make(SOCK_STREAM, 0);
	have_number();
	ck_assert_int_eq(read_until(NUMBER, write_one), 1);
	ck_assert_int_eq(close(NUMBER), 0);
	close_peer();
	ck_assert_int_eq(pipe(fds), 0);
	have_number();
	ck_assert_int_eq(read_until(NUMBER, write_one), 1);
	close_both();
}

static void write_later(void *arg)
{
	(void)arg;
	go_sleep(GO_MILLISECOND);
	ck_assert_int_eq(write(fds[1], "x", 1), 1);
	go_waitgroup_done(&wg);
}

/* The number is known as a file's. */
static void make_file_a_socket(void)
{
	char c;

	fds[0] = open_exe();
	have_number();
	ck_assert_int_eq(go_read(NUMBER, &c, 1), 1);
	ck_assert_int_eq(close(NUMBER), 0);
	socketpair_make(SOCK_STREAM, 0);
	have_number();
}

/* So it is where what it was before could not be waited for, or takes other calls. */
GO_TEST(a_file_that_was_closed_behind_our_back_becomes_a_socket)
{
	make_file_a_socket();
	go_waitgroup_add(&wg, 1);
	go_spawn(write_later, NULL);
	ck_assert_int_eq(go_poll(NUMBER, POLLIN, go_now() + GO_SECOND), POLLIN);
	go_waitgroup_wait(&wg);
	ck_assert_int_eq(go_close(NUMBER), 0);
	close_peer();

	/* A deadline is the new one's. */
	make_file_a_socket();
	ck_assert_int_eq(go_set_deadline(NUMBER, go_now() + 5 * GO_MILLISECOND), 0);
	ck_assert_int_eq(go_poll(NUMBER, POLLIN, INT64_MAX), -ETIMEDOUT);
	close_both();
}

GO_TEST(a_lost_peer_behind_our_back_is_an_error_not_a_signal)
{
	int file = open_exe(), pipes[2];
	struct iovec iov = { "x", 1 };

	make_file_a_socket();
	close_peer();
	errno = EXDEV;
	ck_assert_int_eq(go_write(NUMBER, "x", 1), -EPIPE);
	ck_assert_int_eq(go_writev(NUMBER, &iov, 1), -EPIPE);
	ck_assert_int_eq(go_sendfile(NUMBER, file, NULL, 100), -EPIPE);
	ck_assert_int_eq(go_pipe(pipes), 0);
	ck_assert_int_eq(go_write(pipes[1], "x", 1), 1);
	ck_assert_int_eq(go_splice(pipes[0], NULL, NUMBER, NULL, 1, 0), -EPIPE);
	assert_sigpipe_as_ever();
	ck_assert_int_eq(errno, EXDEV);
	close_own();
	go_close(pipes[0]);
	go_close(pipes[1]);
	close(file);
}

static void close_behind(void)
{
	ck_assert_int_eq(close(fds[0]), 0);
}

GO_TEST(who_waits_for_what_was_closed_behind_our_back_is_told)
{
	socketpair_make(SOCK_STREAM, 0);
	have_number();
	ck_assert_int_eq(read_until(fds[0], close_behind), -EBADF);
	close_peer();
}

/* What comes between an attempt and the wait. */
GO_TEST(no_event_is_lost)
{
	struct g_list ready;
	struct poll_op op;
	unsigned int waits;

	socketpair_make(SOCK_STREAM, 0);
	ck_assert_int_eq(read_until(fds[0], write_one), 1);
	ck_assert_int_eq(poll_begin(&op, fds[0]), 0);
	ck_assert_int_eq(poll_attempt(&op, POLL_READ), 0);
	write_one();
	g_list_init(&ready);
	while (load(op.pd->side[POLL_READ].seq) == op.seq[POLL_READ])
		netpoll_look(&ready);
	ck_assert_ptr_null(ready.head);
	waits = op.pd->side[POLL_READ].waits;
	ck_assert_int_eq(poll_wait(&op, POLL_READ), 0);
	ck_assert_int_eq(op.pd->side[POLL_READ].waits, waits);
	poll_end(&op);
	close_both();
}

GO_TEST(a_call_that_is_under_way_keeps_the_number)
{
	struct poll_op op, late;

	socketpair_make(SOCK_STREAM, 0);
	have_number();
	ck_assert_int_eq(poll_begin(&op, fds[0]), 0);
	close_own();
	ck_assert_int_ge(fcntl(fds[0], F_GETFD), 0);
	ck_assert_int_eq(poll_begin(&late, fds[0]), -EBADF);
	ck_assert_int_eq(go_close(fds[0]), -EBADF);
	ck_assert_int_eq(poll_wait(&op, POLL_READ), -EBADF);
	poll_end(&op);
	ck_assert_int_lt(fcntl(fds[0], F_GETFD), 0);
	close_peer();
}

/* ---- deadlines ----------------------------------------------------------------------- */

static void set_deadline_in_the_past(void)
{
	ck_assert_int_eq(go_set_read_deadline(fds[0], 0), 0);
}

static void set_deadline_soon(void)
{
	ck_assert_int_eq(go_set_deadline(fds[0], go_now() + SOON), 0);
}

static void move_deadline(void)
{
	ck_assert_int_eq(go_set_deadline(fds[0], go_now() + SOON), 0);
	ck_assert_int_eq(go_set_deadline(fds[0], INT64_MAX), 0);
	go_sleep(2 * SOON);
	write_one();
}

GO_TEST(deadlines_end_calls)
{
	int64_t begin;
	char c;

	socketpair_make(SOCK_STREAM, 0);
	ck_assert_int_eq(read_until(fds[0], set_deadline_in_the_past),
			 -ETIMEDOUT);
	/* Even if there is something, as in Go. */
	write_one();
	ck_assert_int_eq(go_read(fds[0], &c, 1), -ETIMEDOUT);
	ck_assert_int_eq(go_set_read_deadline(fds[0], INT64_MAX), 0);
	ck_assert_int_eq(go_read(fds[0], &c, 1), 1);

	begin = go_now();
	ck_assert_int_eq(read_until(fds[0], set_deadline_soon), -ETIMEDOUT);
	ck_assert_int_ge(go_now() - begin, SOON);
	ck_assert_int_eq(go_set_deadline(fds[0], INT64_MAX), 0);
	ck_assert_int_eq(read_until(fds[0], move_deadline), 1);
	close_both();
}

GO_TEST(a_write_deadline_ends_a_write)
{
	static char much[8 << 20];
	ssize_t n;

	socketpair_make(SOCK_STREAM, 0);
	ck_assert_int_eq(go_set_write_deadline(fds[0], go_now() + SOON), 0);
	n = go_write(fds[0], much, sizeof(much));
	ck_assert_int_gt(n, 0);
	ck_assert_int_lt(n, sizeof(much));
	ck_assert_int_eq(go_write(fds[0], much, 1), -ETIMEDOUT);
	close_both();
}

GO_TEST(a_dial_has_a_deadline)
{
	int fd, i, filler[64];

	listen_somewhere();
	ck_assert_int_eq(listen(listener, 0), 0);
	/* Nobody accepts, so after a few the next one gets no answer. */
	for (i = 0; i < 64; i++) {
		fd = go_dial("tcp", address, go_now() + SOON);
		if (fd < 0)
			break;
		filler[i] = fd;
	}
	ck_assert_int_eq(fd, -ETIMEDOUT);
	while (i--)
		go_close(filler[i]);
	go_close(listener);
}

/* ---- poll ------------------------------------------------------------------------------ */

GO_TEST(poll_tells_what_is_ready)
{
	socketpair_make(SOCK_STREAM, 0);
	ck_assert_int_eq(go_poll(fds[0], POLLIN, go_now() + SOON), -ETIMEDOUT);
	ck_assert_int_eq(go_poll(fds[0], POLLIN | POLLOUT, INT64_MAX), POLLOUT);
	write_one();
	ck_assert_int_eq(go_poll(fds[0], POLLIN, INT64_MAX), POLLIN);
	ck_assert_int_eq(go_poll(fds[0], POLLIN | POLLOUT, INT64_MAX),
			 POLLIN | POLLOUT);
	close_peer();
	ck_assert_int_ne(go_poll(fds[0], POLLRDHUP, INT64_MAX) & POLLRDHUP, 0);
	close_own();
}

static void poll_both(void *arg)
{
	store(result, go_poll((intptr_t)arg, POLLIN | POLLOUT, INT64_MAX));
	go_waitgroup_done(&wg);
}

GO_TEST(poll_waits_in_both_directions)
{
	static char much[8 << 20];
	int way;

	for (way = 0; way < 2; way++) {
		socketpair_make(SOCK_STREAM, SOCK_NONBLOCK);
		while (write(fds[0], much, sizeof(much)) > 0)
			;
		go_waitgroup_add(&wg, 1);
		go_spawn(poll_both, (void *)(intptr_t)fds[0]);
		wait_until(waiters() == 2);
		if (way)
			write_one();
		else
			while (read(fds[1], much, sizeof(much)) > 0)
				;
		go_waitgroup_wait(&wg);
		ck_assert_int_eq(load(result), way ? POLLIN : POLLOUT);
		close_both();
	}
}

/* ---- messages ------------------------------------------------------------------------- */

GO_TEST(datagrams_come_in_batches)
{
	char in[4][8] = {}, out[4][8] = { "one", "two", "three", "four" };
	struct mmsghdr to[4] = {}, from[4] = {};
	struct iovec to_iov[4], from_iov[4];
	struct sockaddr_in addr;
	socklen_t len = sizeof(addr);
	int i, n, sum = 0;

	fds[0] = go_listen("udp", "127.0.0.1:0");
	ck_assert_int_ge(fds[0], 0);
	getsockname(fds[0], (struct sockaddr *)&addr, &len);
	snprintf(address, sizeof(address), "127.0.0.1:%d",
		 ntohs(addr.sin_port));
	fds[1] = go_dial("udp", address, INT64_MAX);
	ck_assert_int_ge(fds[1], 0);
	for (i = 0; i < 4; i++) {
		to_iov[i] = (struct iovec){ out[i], 8 };
		to[i].msg_hdr.msg_iov = &to_iov[i];
		to[i].msg_hdr.msg_iovlen = 1;
		from_iov[i] = (struct iovec){ in[i], 8 };
		from[i].msg_hdr.msg_iov = &from_iov[i];
		from[i].msg_hdr.msg_iovlen = 1;
	}
	ck_assert_int_eq(read_until(fds[0], write_one), 1);
	ck_assert_int_eq(go_sendmmsg(fds[1], to, 4, 0), 4);
	while (sum < 4) {
		n = go_recvmmsg(fds[0], from + sum, 4 - sum, 0);
		ck_assert_int_gt(n, 0);
		sum += n;
	}
	for (i = 0; i < 4; i++)
		ck_assert_str_eq(in[i], out[i]);
	ck_assert_int_eq(go_recvfrom(fds[0], in[0], 8, MSG_DONTWAIT | MSG_PEEK,
				     NULL, NULL), -EAGAIN);
	close_both();
}

GO_TEST(descriptors_are_passed)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = {};
	struct iovec iov = { &control, 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
	int pipes[2], got;
	char c = 'c';

	iov.iov_base = &c;
	socketpair_make(SOCK_STREAM, 0);
	ck_assert_int_eq(go_pipe(pipes), 0);
	*cmsg = (struct cmsghdr){ CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS };
	memcpy(CMSG_DATA(cmsg), &pipes[1], sizeof(int));
	ck_assert_int_eq(go_sendmsg(fds[1], &msg, 0), 1);
	memset(&control, 0, sizeof(control));
	msg.msg_controllen = sizeof(control);
	ck_assert_int_eq(go_recvmsg(fds[0], &msg, MSG_CMSG_CLOEXEC), 1);
	cmsg = CMSG_FIRSTHDR(&msg);
	ck_assert_ptr_nonnull(cmsg);
	memcpy(&got, CMSG_DATA(cmsg), sizeof(int));
	ck_assert_int_eq(go_write(got, "d", 1), 1);
	ck_assert_int_eq(go_read(pipes[0], &c, 1), 1);
	ck_assert_int_eq(c, 'd');
	go_close(got);
	go_close(pipes[0]);
	go_close(pipes[1]);
	close_both();
}

/* ---- between files -------------------------------------------------------------------- */

static void copy_file(void *arg)
{
	off_t offset = 1;

	ck_assert_int_eq(go_sendfile(fds[1], (intptr_t)arg, &offset,
				     2 * STREAM_BYTES), STREAM_BYTES - 1);
	ck_assert_int_eq(offset, STREAM_BYTES);
	ck_assert_int_eq(shutdown(fds[1], SHUT_WR), 0);
	go_waitgroup_done(&wg);
}

GO_TEST(a_file_is_sent)
{
	char path[] = "/tmp/io_test.XXXXXX", buf[1000];
	int fd = mkstemp(path);
	size_t at = 1;
	ssize_t n, i;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(unlink(path), 0);
	for (at = 0; at < STREAM_BYTES; at += sizeof(buf)) {
		for (i = 0; i < (ssize_t)sizeof(buf); i++)
			buf[i] = stream_byte(at + i, 1);
		n = STREAM_BYTES - at;
		if (n > (ssize_t)sizeof(buf))
			n = sizeof(buf);
		ck_assert_int_eq(go_write(fd, buf, n), n);
	}
	socketpair_make(SOCK_STREAM, SOCK_NONBLOCK);
	go_waitgroup_add(&wg, 1);
	go_spawn(copy_file, (void *)(intptr_t)fd);
	at = 1;
	while ((n = go_read(fds[0], buf, sizeof(buf))) > 0)
		for (i = 0; i < n; i++, at++)
			expect((unsigned char)buf[i] == stream_byte(at, 1));
	ck_assert_uint_eq(at, STREAM_BYTES);
	go_waitgroup_wait(&wg);
	go_close(fd);
	close_both();
}

static int pipes[2];

static void splice_in(void *arg)
{
	ssize_t n;

	(void)arg;
	while ((n = go_splice(fds[0], NULL, pipes[1], NULL, 1 << 16, 0)) > 0)
		;
	ck_assert_int_eq(n, 0);
	go_close(pipes[1]);
	go_waitgroup_done(&wg);
}

static void send_to_splice(void *arg)
{
	char buf[3000];
	size_t at = 0, i;

	(void)arg;
	while (at < STREAM_BYTES) {
		size_t n = sizeof(buf);

		if (n > STREAM_BYTES - at)
			n = STREAM_BYTES - at;
		for (i = 0; i < n; i++)
			buf[i] = stream_byte(at + i, 2);
		ck_assert_int_eq(go_write(fds[1], buf, n), n);
		at += n;
	}
	go_close(fds[1]);
	go_waitgroup_done(&wg);
}

GO_TEST(a_stream_is_spliced)
{
	char buf[5000];
	size_t at = 0;
	ssize_t n, i;

	socketpair_make(SOCK_STREAM, SOCK_NONBLOCK);
	ck_assert_int_eq(go_pipe(pipes), 0);
	go_waitgroup_add(&wg, 2);
	go_spawn(splice_in, NULL);
	go_spawn(send_to_splice, NULL);
	while ((n = go_read(pipes[0], buf, sizeof(buf))) > 0)
		for (i = 0; i < n; i++, at++)
			expect((unsigned char)buf[i] == stream_byte(at, 2));
	ck_assert_int_eq(n, 0);
	ck_assert_uint_eq(at, STREAM_BYTES);
	go_waitgroup_wait(&wg);
	go_close(fds[0]);
	go_close(pipes[0]);
}

/* ---- threads and Ps -------------------------------------------------------------------- */

#define MANY	200

GO_TEST(who_waits_costs_no_thread)
{
	static int many[MANY][2];
	int i;

	go_waitgroup_add(&wg, MANY);
	for (i = 0; i < MANY; i++) {
		ck_assert_int_eq(go_pipe(many[i]), 0);
		go_spawn(read_one, (void *)(intptr_t)many[i][0]);
	}
	wait_until(waiters() == MANY);
	ck_assert_uint_le(load(rt.nr_m_top), 20);
	for (i = 0; i < MANY; i++)
		ck_assert_int_eq(go_write(many[i][1], "x", 1), 1);
	go_waitgroup_wait(&wg);
	for (i = 0; i < MANY; i++) {
		go_close(many[i][0]);
		go_close(many[i][1]);
	}
}

static void compute_until_read(void *arg)
{
	int64_t end = go_now() + 10 * GO_SECOND;

	(void)arg;
	while (load(result) != 1 && go_now() < end)
		;
	go_waitgroup_done(&wg);
}

/* Those who compute leave no time to look, but the monitor does. */
GO_TEST(who_waits_is_seen_while_others_compute)
{
	int64_t begin;
	int i, n = go_gomaxprocs(0);

	ck_assert_int_eq(go_pipe(fds), 0);
	go_waitgroup_add(&wg, n + 1);
	store(result, 1000);
	go_spawn(read_one, (void *)(intptr_t)fds[0]);
	wait_until(waiters() == 1);
	for (i = 0; i < n; i++)
		go_spawn(compute_until_read, NULL);
	write_one();
	begin = go_now();
	go_waitgroup_wait(&wg);
	ck_assert_int_lt(go_now() - begin, 5 * GO_SECOND);
	ck_assert_int_eq(load(result), 1);
	close_both();
}

#define BLOCKS	50

static int blocked[2];
static struct go_chan *turn;
static int64_t sent, late[BLOCKS];

/* Twice for each block: to begin it, and in the middle. */
static void *write_to_who_waits(void *arg)
{
	struct timespec pause = { .tv_nsec = GO_MILLISECOND };
	int i;

	(void)arg;
	for (i = 0; i < 2 * BLOCKS; i++) {
		while (load(count) != i + 1)
			nanosleep(&pause, NULL);
		nanosleep(&pause, NULL);
		store(sent, go_now());
		ck_assert_int_eq(write(fds[1], "x", 1), 1);
	}
	return NULL;
}

static void read_in_turn(void *arg)
{
	char c;
	int i;

	(void)arg;
	for (i = 0; i < BLOCKS; i++) {
		ck_assert_int_eq(go_read(fds[0], &c, 1), 1);
		ck_assert_int_eq(go_chan_send(turn, NULL), 0);
		ck_assert_int_eq(go_read(fds[0], &c, 1), 1);
		late[i] = go_now() - load(sent);
		ck_assert_int_eq(write(blocked[1], "x", 1), 1);
	}
	go_waitgroup_done(&wg);
}

/* Sooner than the monitor's own looks at the files, where it is not emulation or so. */
static int64_t seen_soon(void)
{
	struct go_stats stats;

	ck_assert_int_eq(go_stats_read(&stats), 0);
	if (!strcmp(stats.assist, "module") || GO_TEST_STEP > 1)
		return 5 * GO_MILLISECOND;
	return GO_MILLISECOND * 8 / 10;
}

/*
 * Who blocks on the thread that has looked last leaves nobody to look, nor a goroutine
 * in a queue. The monitor looks each 10 ms; its taking the processor is to be sooner.
 */
GO_TEST(who_waits_is_seen_while_others_block)
{
	pthread_t thread;
	char c;
	int i;

	ck_assert_int_eq(go_pipe(fds), 0);
	ck_assert_int_eq(pipe(blocked), 0);
	turn = go_chan_make(0, 0);
	go_waitgroup_add(&wg, 1);
	go_spawn(read_in_turn, NULL);
	wait_until(waiters() == 1);
	pthread_create(&thread, NULL, write_to_who_waits, NULL);
	for (i = 0; i < BLOCKS; i++) {
		add(count, 1);
		ck_assert_int_eq(go_chan_recv(turn, NULL), 1);
		add(count, 1);
		ck_assert_int_eq(read(blocked[0], &c, 1), 1);
	}
	go_waitgroup_wait(&wg);
	pthread_join(thread, NULL);
	ck_assert_int_lt(median_of(late, BLOCKS), seen_soon());
	go_chan_release(turn);
	close_both();
	close(blocked[0]);
	close(blocked[1]);
}

/* Plain threads wait the same way. */
static void *thread_reads(void *arg)
{
	char c;

	return (void *)(intptr_t)go_read((intptr_t)arg, &c, 1);
}

GO_TEST(plain_threads_wait_as_well)
{
	pthread_t thread;
	void *ret;

	socketpair_make(SOCK_STREAM, 0);
	ck_assert_int_eq(pthread_create(&thread, NULL, thread_reads,
					(void *)(intptr_t)fds[0]), 0);
	wait_until(waiters() == 1);
	write_one();
	pthread_join(thread, &ret);
	ck_assert_int_eq((intptr_t)ret, 1);
	ck_assert_int_eq(pthread_create(&thread, NULL, thread_reads,
					(void *)(intptr_t)fds[0]), 0);
	wait_until(waiters() == 1);
	close_own();
	pthread_join(thread, &ret);
	ck_assert_int_eq((intptr_t)ret, -EBADF);
	close_peer();
}

static pthread_t left_thread;

static void leave_waiters(void *arg)
{
	(void)arg;
	socketpair_make(SOCK_STREAM, 0);
	ck_assert_int_eq(pthread_create(&left_thread, NULL, thread_reads,
					(void *)(intptr_t)fds[0]), 0);
	go_waitgroup_add(&wg, 1);
	go_spawn(read_one, (void *)(intptr_t)fds[0]);
	wait_until(waiters() == 2);
	ck_assert_int_eq(go_set_deadline(fds[0], go_now() + GO_SECOND), 0);
}

static void use_again(void *arg)
{
	(void)arg;
	wg = (struct go_waitgroup){};
	ck_assert_int_eq(waiters(), 0);
	ck_assert_int_eq(read_until(fds[0], write_one), 1);
	close_both();
}

/* Goroutines end with the runtime, threads are told; the next one has no trace of it. */
START_TEST(the_runtime_ends_while_some_wait)
{
	void *ret;

	run_after_another(leave_waiters, NULL);
	run_after_another(use_again, NULL);
	pthread_join(left_thread, &ret);
	ck_assert_int_eq((intptr_t)ret, -ESRCH);
}
END_TEST

/* ---- processes -------------------------------------------------------------------------- */

static void wait_for_child(void *arg)
{
	int status;

	ck_assert_int_eq(go_wait((intptr_t)arg, &status), 0);
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 7);
	go_waitgroup_done(&wg);
}

GO_TEST(a_child_is_waited_for_without_a_thread)
{
	pid_t pid;
	char c;

	ck_assert_int_eq(pipe(fds), 0);
	pid = fork();
	if (!pid) {
		close(fds[1]);
		while (read(fds[0], &c, 1) > 0)
			;
		_exit(7);
	}
	go_waitgroup_add(&wg, 1);
	go_spawn(wait_for_child, (void *)(intptr_t)pid);
	wait_until(waiters() == 1);
	close_both();
	go_waitgroup_wait(&wg);
	ck_assert_int_eq(go_wait(pid, NULL), -ECHILD);
}

static void wait_for_pid(void *arg)
{
	go_wait((intptr_t)arg, NULL);
}

static void leave_one_who_waits(void *arg)
{
	pid_t *pid = arg;

	*pid = fork();
	if (!*pid) {
		pause();
		_exit(0);
	}
	go_spawn(wait_for_pid, (void *)(intptr_t)*pid);
	wait_until(waiters() == 1);
}

static int descriptors(void)
{
	int fd, n = 0;

	for (fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

/* Nobody else knows the descriptor that it waits for. */
START_TEST(who_waits_for_a_child_when_the_runtime_ends_leaves_nothing)
{
	int before = descriptors();
	pid_t pid;

	run_after_another(leave_one_who_waits, &pid);
	/* It may not have been taken down yet. */
	while (descriptors() != before)
		run_after_another(nothing, NULL);
	kill(pid, SIGKILL);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
}
END_TEST

/* It has no runtime: what need not wait is done, the rest is refused. */
static int child_uses_files(void)
{
	char c;

	if (go_read(fds[0], &c, 1) != -ESRCH)
		return 1;
	if (go_write(fds[1], "x", 1) != 1 || go_read(fds[0], &c, 1) != 1)
		return 2;
	if (go_set_deadline(fds[0], 0) != -ESRCH)
		return 3;
	if (go_close(fds[0]) || go_close(fds[1]))
		return 4;
	/* Most likely with the same numbers. */
	if (pipe(fds) || go_write(fds[1], "x", 1) != 1 ||
	    go_read(fds[0], &c, 1) != 1)
		return 5;
	/* A lost peer is no signal there either. */
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) || close(fds[1]) ||
	    go_write(fds[0], "x", 1) != -EPIPE)
		return 6;
	return 0;
}

GO_TEST(a_child_of_fork_does_not_wait)
{
	int status, known;
	pid_t pid;

	for (known = 0; known < 2; known++) {
		socketpair_make(SOCK_STREAM, 0);
		if (known)
			ck_assert_int_eq(read_until(fds[0], write_one), 1);
		pid = fork();
		if (!pid)
			_exit(child_uses_files());
		ck_assert_int_eq(go_wait(pid, &status), 0);
		ck_assert_int_eq(status, 0);
		/* Its calls were about its own descriptors. */
		ck_assert_int_eq(read_until(fds[0], write_one), 1);
		close_both();
	}
}

int main(void)
{
	TCase *tc = tcase_create("io");
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	tcase_add_go_test(tc, a_pipe_is_waited_for);
	tcase_add_go_test(tc, a_socket_is_waited_for);
	tcase_add_go_test(tc, descriptors_of_events_are_waited_for);
	tcase_add_go_test(tc, a_terminal_is_waited_for);
	tcase_add_go_test(tc, files_are_read_and_written);
	tcase_add_go_test(tc, mistakes_are_told);
	tcase_add_go_test(tc, streams_arrive_whole);
	tcase_add_go_test(tc, the_end_is_seen_after_a_short_read);
	tcase_add_go_test(tc, urgent_data_hides_nothing);
	tcase_add_go_test(tc, a_lost_peer_is_an_error_not_a_signal);
	tcase_add_go_test(tc, a_file_for_a_lost_peer_is_no_signal);
	tcase_add_go_test(tc, a_peer_may_be_lost_in_the_middle_of_a_file);
	tcase_add_go_test(tc, a_burst_of_connections_wakes_as_many);
	tcase_add_go_test(tc, unix_sockets_by_name);
	tcase_add_go_test(tc, close_wakes_all_who_wait);
	tcase_add_go_test(tc, a_number_is_used_again);
	tcase_add_go_test(tc,
			  a_number_that_was_closed_behind_our_back_is_used_again);
	tcase_add_go_test(tc,
			  a_file_that_was_closed_behind_our_back_becomes_a_socket);
	tcase_add_go_test(tc,
			  a_lost_peer_behind_our_back_is_an_error_not_a_signal);
	tcase_add_go_test(tc,
			  who_waits_for_what_was_closed_behind_our_back_is_told);
	tcase_add_go_test(tc, no_event_is_lost);
	tcase_add_go_test(tc, a_call_that_is_under_way_keeps_the_number);
	tcase_add_go_test(tc, deadlines_end_calls);
	tcase_add_go_test(tc, a_write_deadline_ends_a_write);
	tcase_add_go_test(tc, a_dial_has_a_deadline);
	tcase_add_go_test(tc, poll_tells_what_is_ready);
	tcase_add_go_test(tc, poll_waits_in_both_directions);
	tcase_add_go_test(tc, datagrams_come_in_batches);
	tcase_add_go_test(tc, descriptors_are_passed);
	tcase_add_go_test(tc, a_file_is_sent);
	tcase_add_go_test(tc, a_stream_is_spliced);
	tcase_add_go_test(tc, who_waits_costs_no_thread);
	tcase_add_go_test(tc, who_waits_is_seen_while_others_compute);
	tcase_add_go_test(tc, who_waits_is_seen_while_others_block);
	tcase_add_go_test(tc, plain_threads_wait_as_well);
	tcase_add_test(tc, the_runtime_ends_while_some_wait);
	tcase_add_go_test(tc, a_child_is_waited_for_without_a_thread);
	tcase_add_test(tc, who_waits_for_a_child_when_the_runtime_ends_leaves_nothing);
	tcase_add_go_test(tc, a_child_of_fork_does_not_wait);
	return run_tests("io", tc);
}
