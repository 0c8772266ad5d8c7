// SPDX-License-Identifier: MIT
/*
 * The echo server with libgo: a goroutine for each connection. One that reads the disk
 * does so with pread(2), as a thread would.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <go.h>

#include "server.h"

static struct server server;

static void echo(void *arg)
{
	int fd = (intptr_t)arg;
	char buf[REQUEST_MAX];
	ssize_t n;

	while ((n = go_read(fd, buf, sizeof(buf))) > 0)
		if (go_write(fd, buf, n) != n)
			break;
	go_close(fd);
}

static void echo_from_disk(void *arg)
{
	int fd = (intptr_t)arg;
	struct disk_request request;

	while (go_read(fd, &request, sizeof(request)) == sizeof(request)) {
		server_read_disk(&server, &request);
		if (go_write(fd, &request, sizeof(request)) != sizeof(request))
			break;
	}
	go_close(fd);
}

static void serve(int listener, go_fn answer)
{
	int fd, ret;

	for (;;) {
		fd = go_accept(listener, NULL, NULL);
		if (fd < 0)
			server_die("go_accept", -fd);
		ret = go_spawn(answer, (void *)(intptr_t)fd);
		if (ret)
			server_die("go_spawn", -ret);
	}
}

static void serve_from_disk(void *arg)
{
	serve((intptr_t)arg, echo_from_disk);
}

static void run(void *arg)
{
	int listener = server_listen(), ret;

	(void)arg;
	if (server.file >= 0) {
		ret = go_spawn(serve_from_disk, (void *)(intptr_t)server_listen());
		if (ret)
			server_die("go_spawn", -ret);
	}
	serve(listener, echo);
}

int main(int argc, char **argv)
{
	char procs[16];

	server_start(&server, argc, argv);
	snprintf(procs, sizeof(procs), "%d", server.procs);
	setenv("GOMAXPROCS", procs, 1);
	server_die("go_run", -go_run(run, NULL));
}
