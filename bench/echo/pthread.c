// SPDX-License-Identifier: MIT
/*
 * The echo server with plain threads: one for each connection.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server.h"

static struct server server;

static void *echo(void *arg)
{
	int fd = (intptr_t)arg;
	char buf[REQUEST_MAX];
	ssize_t n;

	while ((n = read(fd, buf, sizeof(buf))) > 0)
		if (write(fd, buf, n) != n)
			break;
	close(fd);
	return NULL;
}

static void *echo_from_disk(void *arg)
{
	int fd = (intptr_t)arg;
	struct disk_request request;

	while (read(fd, &request, sizeof(request)) == sizeof(request)) {
		server_read_disk(&server, &request);
		if (write(fd, &request, sizeof(request)) != sizeof(request))
			break;
	}
	close(fd);
	return NULL;
}

static void start(void *(*fn)(void *), int arg)
{
	pthread_t thread;

	errno = pthread_create(&thread, NULL, fn, (void *)(intptr_t)arg);
	if (errno)
		server_die("pthread_create", errno);
	pthread_detach(thread);
}

static void serve(int listener, void *(*answer)(void *))
{
	int fd;

	for (;;) {
		fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		if (fd < 0)
			server_die("accept4", errno);
		start(answer, fd);
	}
}

static void *serve_from_disk(void *arg)
{
	serve((intptr_t)arg, echo_from_disk);
	return NULL;
}

int main(int argc, char **argv)
{
	int listener;

	server_start(&server, argc, argv);
	listener = server_listen();
	if (server.file >= 0)
		start(serve_from_disk, server_listen());
	serve(listener, echo);
}
