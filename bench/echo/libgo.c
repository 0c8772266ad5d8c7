// SPDX-License-Identifier: MIT
/*
 * The echo server with libgo: a goroutine for each connection.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <go.h>

#include "server.h"

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

static void serve(void *arg)
{
	int listener = *(int *)arg, fd, ret;

	for (;;) {
		fd = go_accept(listener, NULL, NULL);
		if (fd < 0)
			server_die("go_accept", -fd);
		ret = go_spawn(echo, (void *)(intptr_t)fd);
		if (ret)
			server_die("go_spawn", -ret);
	}
}

int main(int argc, char **argv)
{
	char procs[16];
	int fd, ret;

	snprintf(procs, sizeof(procs), "%d", server_procs(argc, argv));
	setenv("GOMAXPROCS", procs, 1);
	fd = server_listen();
	ret = go_run(serve, &fd);
	server_die("go_run", -ret);
}
