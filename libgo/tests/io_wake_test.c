// SPDX-License-Identifier: MIT
/*
 * Input and output: whom an event wakes, and who passes it on. A wake-up that was lost is
 * found by the monitor, but a second later.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test.h"

#include "netpoll.h"
#include "pollwait.h"
#include "runtime.h"

#define SOON		(20 * GO_MILLISECOND)
#define TOO_LATE	(400 * GO_MILLISECOND)

static struct go_waitgroup wg;
static int fds[2], pipes[2];
static int64_t read_at, results[2], ended[2];

/* A connection over TCP, whose two ends block as far as the kernel knows. */
static void connection_make(void)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t len = sizeof(addr);
	int listener = socket(AF_INET, SOCK_STREAM, 0);

	ck_assert_int_eq(bind(listener, (struct sockaddr *)&addr, len), 0);
	ck_assert_int_eq(listen(listener, 1), 0);
	getsockname(listener, (struct sockaddr *)&addr, &len);
	fds[0] = socket(AF_INET, SOCK_STREAM, 0);
	ck_assert_int_eq(connect(fds[0], (struct sockaddr *)&addr, len), 0);
	fds[1] = accept(listener, NULL, NULL);
	ck_assert_int_ge(fds[1], 0);
	close(listener);
}

static void close_both(int pair[2])
{
	ck_assert_int_eq(go_close(pair[0]), 0);
	ck_assert_int_eq(go_close(pair[1]), 0);
}

static void read_one(void *arg)
{
	char c;

	(void)arg;
	ck_assert_int_eq(go_read(fds[0], &c, 1), 1);
	store(read_at, go_now());
	go_waitgroup_done(&wg);
}

/* Start one, and let it wait for its file. */
static void start(go_fn fn, void *arg)
{
	uint32_t waiters = load(rt.shared->net_waiters);

	go_waitgroup_add(&wg, 1);
	ck_assert_int_eq(go_spawn(fn, arg), 0);
	wait_until(load(rt.shared->net_waiters) > waiters);
}

/* One that reads behind others gets what is written soon. */
static void read_behind(void)
{
	int64_t wrote;

	store(read_at, 0);
	start(read_one, NULL);
	wrote = go_now();
	ck_assert_int_eq(write(fds[1], "x", 1), 1);
	wait_until(load(read_at));
	ck_assert_int_lt(load(read_at) - wrote, TOO_LATE);
}

/* ---- those who only look ------------------------------------------------------------ */

static void look_for_the_end(void *arg)
{
	(void)arg;
	ck_assert_int_ge(go_poll(fds[0], POLLRDHUP, INT64_MAX), POLLRDHUP);
	go_waitgroup_done(&wg);
}

GO_TEST(who_looks_for_something_else_is_in_nobodys_way)
{
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	start(look_for_the_end, NULL);
	start(look_for_the_end, NULL);
	read_behind();
	shutdown(fds[1], SHUT_WR);
	ck_assert_int_eq(go_waitgroup_wait(&wg), 0);
	close_both(fds);
}

static void read_errors(void *arg)
{
	char control[64];
	struct msghdr msg = { .msg_control = control, .msg_controllen = 64 };

	(void)arg;
	results[0] = go_recvmsg(fds[0], &msg, MSG_ERRQUEUE);
	go_waitgroup_done(&wg);
}

/* A user-mode emulator does not know of it, and reads. */
static bool errors_are_apart(void)
{
	char control[64];
	struct msghdr msg = { .msg_control = control, .msg_controllen = 64 };

	return recvmsg(fds[0], &msg, MSG_ERRQUEUE | MSG_DONTWAIT) < 0;
}

/* Where nothing is says nothing of where something is. */
GO_TEST(who_waits_for_errors_holds_no_bytes_back)
{
	int64_t began;

	connection_make();
	ck_assert_int_eq(write(fds[1], "x", 1), 1);
	go_sleep(SOON);
	if (!errors_are_apart()) {
		close_both(fds);
		return;
	}
	start(read_errors, NULL);
	began = go_now();
	go_waitgroup_add(&wg, 1);
	read_one(NULL);
	ck_assert_int_lt(go_now() - began, TOO_LATE);
	read_behind();
	go_set_read_deadline(fds[0], go_now());
	ck_assert_int_eq(go_waitgroup_wait(&wg), 0);
	ck_assert_int_eq(results[0], -ETIMEDOUT);
	close_both(fds);
}

static void look_for_more(void *arg)
{
	results[0] = go_poll((intptr_t)arg, POLLPRI, go_now() + 2 * SOON);
	go_waitgroup_done(&wg);
}

GO_TEST(a_file_is_never_ready_for_some_things)
{
	int file = open("/proc/self/exe", O_RDONLY);

	ck_assert_int_ge(file, 0);
	go_waitgroup_add(&wg, 1);
	ck_assert_int_eq(go_spawn(look_for_more, (void *)(intptr_t)file), 0);
	ck_assert_int_eq(go_waitgroup_wait(&wg), 0);
	ck_assert_int_eq(results[0], -ETIMEDOUT);
	ck_assert_int_eq(go_close(file), 0);
}

/* ---- those who fail ------------------------------------------------------------------ */

static void write_much(void *arg)
{
	static char much[4 << 20];
	intptr_t i = (intptr_t)arg;

	results[i] = go_write(fds[0], much, sizeof(much));
	ended[i] = go_now();
	go_waitgroup_done(&wg);
}

/* The kernel's ETIMEDOUT is no deadline. */
GO_TEST(a_connection_that_is_given_up_ends_all_calls)
{
	unsigned int ms = 500;

	connection_make();
	if (setsockopt(fds[0], IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof(ms)))
		goto out;
	/* nobody reads */
	go_set_write_deadline(fds[0], go_now() + SOON);
	go_waitgroup_add(&wg, 1);
	write_much((void *)0);
	go_set_write_deadline(fds[0], INT64_MAX);
	start(write_much, (void *)0);
	start(write_much, (void *)1);
	ck_assert_int_eq(go_waitgroup_wait(&wg), 0);
	ck_assert_int_lt(results[0], 0);
	ck_assert_int_lt(results[1], 0);
	ck_assert_int_lt(llabs(ended[1] - ended[0]), TOO_LATE);
out:
	close_both(fds);
}

static void splice_some(void *arg)
{
	(void)arg;
	results[0] = go_splice(fds[0], NULL, pipes[1], NULL, 5, 0);
	go_waitgroup_done(&wg);
}

GO_TEST(a_splice_that_fails_takes_nothing)
{
	/* Of a pipe it is sent. */
	signal(SIGPIPE, SIG_IGN);
	connection_make();
	ck_assert_int_eq(pipe(pipes), 0);
	start(splice_some, NULL);
	close(pipes[0]);
	read_behind();
	ck_assert_int_eq(go_waitgroup_wait(&wg), 0);
	ck_assert_int_eq(results[0], -EPIPE);
	ck_assert_int_eq(go_close(pipes[1]), 0);
	close_both(fds);
}

/* The one who splices has seen what came, and waits for room. */
GO_TEST(a_splice_that_waits_for_room_takes_nothing)
{
	char page[4096] = "";

	connection_make();
	ck_assert_int_eq(go_pipe(pipes), 0);
	while (write(pipes[1], page, sizeof(page)) > 0)
		;
	start(splice_some, NULL);
	read_behind();
	/* There is room, and nothing to splice, until the end. */
	while (read(pipes[0], page, sizeof(page)) > 0)
		;
	shutdown(fds[1], SHUT_WR);
	ck_assert_int_eq(go_waitgroup_wait(&wg), 0);
	ck_assert_int_eq(results[0], 0);
	close_both(pipes);
	close_both(fds);
}

GO_TEST(a_splice_from_a_socket_that_blocks_has_a_deadline)
{
	int64_t began = go_now();

	connection_make();
	ck_assert_int_eq(pipe(pipes), 0);
	go_set_deadline(fds[0], began + SOON);
	go_waitgroup_add(&wg, 1);
	splice_some(NULL);
	ck_assert_int_eq(results[0], -ETIMEDOUT);
	ck_assert_int_lt(go_now() - began, TOO_LATE);
	close_both(pipes);
	close_both(fds);
}

/* ---- a receiver that is full --------------------------------------------------------- */

static struct sockaddr_un receiver = { .sun_family = AF_UNIX };
static socklen_t receiver_len;

static void send_one(void *arg)
{
	struct iovec iov = { "x", 1 };
	struct msghdr msg = {
		.msg_name = &receiver, .msg_namelen = receiver_len,
		.msg_iov = &iov, .msg_iovlen = 1,
	};

	if (arg)
		results[1] = go_sendmsg(fds[0], &msg, 0);
	else
		results[0] = go_sendto(fds[0], "x", 1, 0,
				       (struct sockaddr *)&receiver, receiver_len);
	go_waitgroup_done(&wg);
}

/* The sender's own socket is ready all the time: who waits for that has none to wait. */
GO_TEST(who_sends_to_a_full_receiver_waits_for_no_event)
{
	char c;

	/* an abstract name */
	receiver_len = offsetof(struct sockaddr_un, sun_path) + 1 +
		snprintf(receiver.sun_path + 1, 32, "libgo-full-%d", getpid());
	fds[0] = socket(AF_UNIX, SOCK_DGRAM, 0);
	fds[1] = socket(AF_UNIX, SOCK_DGRAM, 0);
	ck_assert_int_eq(bind(fds[1], (struct sockaddr *)&receiver, receiver_len), 0);
	while (sendto(fds[0], "x", 1, MSG_DONTWAIT, (struct sockaddr *)&receiver,
		      receiver_len) == 1)
		;
	ck_assert_int_eq(go_sendto(fds[0], "x", 1, MSG_DONTWAIT,
				   (struct sockaddr *)&receiver, receiver_len),
			 -EAGAIN);
	go_waitgroup_add(&wg, 2);
	ck_assert_int_eq(go_spawn(send_one, NULL), 0);
	ck_assert_int_eq(go_spawn(send_one, &wg), 0);
	go_sleep(20 * SOON);
	ck_assert(!load(poll_desc_of(fds[0])->registered));
	while (recv(fds[1], &c, 1, MSG_DONTWAIT) == 1)
		;
	ck_assert_int_eq(go_waitgroup_wait(&wg), 0);
	ck_assert_int_eq(results[0], 1);
	ck_assert_int_eq(results[1], 1);
	close_both(fds);
}

/* ---- other files and processes -------------------------------------------------------- */

GO_TEST(a_child_of_fork_closes_what_others_wait_for)
{
	int status;
	pid_t pid;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	start(read_one, NULL);
	pid = fork();
	if (!pid)
		_exit(go_close(fds[0]) || fcntl(fds[0], F_GETFD) >= 0);
	ck_assert_int_eq(go_wait(pid, &status), 0);
	ck_assert_int_eq(status, 0);
	ck_assert_int_eq(write(fds[1], "x", 1), 1);
	ck_assert_int_eq(go_waitgroup_wait(&wg), 0);
	close_both(fds);
}

/* A call that began with a file before would have its events come for that. */
GO_TEST(a_call_with_an_older_file_waits_for_no_other)
{
	struct poll_op op;
	int old[2];

	ck_assert_int_eq(pipe2(old, O_NONBLOCK), 0);
	ck_assert_int_eq(poll_begin(&op, old[0]), 0);
	/* behind the back of the library */
	close(old[1]);
	ck_assert_int_eq(pipe2(fds, O_NONBLOCK), 0);
	ck_assert_int_eq(dup2(fds[0], old[0]), old[0]);
	close(fds[0]);
	fds[0] = old[0];
	poll_adopt(fds[0], POLL_OTHER);
	ck_assert_int_eq(poll_attempt(&op, POLL_READ), 0);
	ck_assert_int_eq(poll_wait(&op, POLL_READ), -EBADF);
	poll_end(&op);
	read_behind();
	ck_assert_int_eq(go_waitgroup_wait(&wg), 0);
	close_both(fds);
}

int main(void)
{
	TCase *tc = tcase_create("io_wake");

	tcase_add_go_test(tc, who_looks_for_something_else_is_in_nobodys_way);
	tcase_add_go_test(tc, who_waits_for_errors_holds_no_bytes_back);
	tcase_add_go_test(tc, a_file_is_never_ready_for_some_things);
	tcase_add_go_test(tc, a_connection_that_is_given_up_ends_all_calls);
	tcase_add_go_test(tc, a_splice_that_fails_takes_nothing);
	tcase_add_go_test(tc, a_splice_that_waits_for_room_takes_nothing);
	tcase_add_go_test(tc, a_splice_from_a_socket_that_blocks_has_a_deadline);
	tcase_add_go_test(tc, who_sends_to_a_full_receiver_waits_for_no_event);
	tcase_add_go_test(tc, a_child_of_fork_closes_what_others_wait_for);
	tcase_add_go_test(tc, a_call_with_an_older_file_waits_for_no_other);
	return run_tests("io_wake", tc);
}
