// SPDX-License-Identifier: MIT
/*
 * The echo server as a bare epoll loop: one for each processor, the connections dealt
 * out in turn. It answers from where it has read, and keeps nothing of a connection; a
 * request that does not fit into the socket's buffer is not provided for.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server.h"

#define EVENTS		128
#define LOOPS_MAX	64

static int listener, loops[LOOPS_MAX], nr_loops;

static void add(int loop, int fd)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.fd = fd };

	if (epoll_ctl(loop, EPOLL_CTL_ADD, fd, &ev))
		server_die("epoll_ctl", errno);
}

static void take_connection(void)
{
	static int turn;
	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0)
		server_die("accept4", errno);
	add(loops[turn++ % nr_loops], fd);
}

static void answer(int fd)
{
	char buf[REQUEST_MAX];
	ssize_t n = read(fd, buf, sizeof(buf));

	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0 || write(fd, buf, n) != n)
		close(fd);
}

static void *run_loop(void *arg)
{
	int loop = (intptr_t)arg, i, n;
	struct epoll_event events[EVENTS];

	for (;;) {
		n = epoll_wait(loop, events, EVENTS, -1);
		if (n < 0 && errno != EINTR)
			server_die("epoll_wait", errno);
		for (i = 0; i < n; i++) {
			if (events[i].data.fd == listener)
				take_connection();
			else
				answer(events[i].data.fd);
		}
	}
	return NULL;
}

int main(int argc, char **argv)
{
	struct server server;
	pthread_t thread;
	int i;

	server_start(&server, argc, argv);
	if (server.file >= 0)
		server_die("a loop that reads a file", ENOTSUP);
	nr_loops = server.procs;
	if (nr_loops > LOOPS_MAX)
		nr_loops = LOOPS_MAX;
	listener = server_listen();
	for (i = 0; i < nr_loops; i++) {
		loops[i] = epoll_create1(EPOLL_CLOEXEC);
		if (loops[i] < 0)
			server_die("epoll_create1", errno);
	}
	add(loops[0], listener);
	for (i = 1; i < nr_loops; i++)
		pthread_create(&thread, NULL, run_loop,
			       (void *)(intptr_t)loops[i]);
	run_loop((void *)(intptr_t)loops[0]);
}
