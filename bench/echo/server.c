// SPDX-License-Identifier: MIT
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server.h"

void server_die(const char *what, int error)
{
	fprintf(stderr, "echo: %s: %s\n", what, strerror(error));
	exit(1);
}

int server_procs(int argc, char **argv)
{
	int procs = 0;

	if (argc == 2)
		sscanf(argv[1], "procs=%d", &procs);
	if (procs < 1) {
		fprintf(stderr, "usage: %s procs=N\n", argv[0]);
		exit(2);
	}
	return procs;
}

/* The driver has ended, or has seen enough. */
static void *wait_for_end(void *arg)
{
	char c;

	(void)arg;
	while (read(STDIN_FILENO, &c, 1) > 0)
		;
	_exit(0);
}

static void files_allow_all(void)
{
	struct rlimit limit;

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

int server_listen(void)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t len = sizeof(addr);
	pthread_t thread;
	int fd;

	files_allow_all();
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, len) ||
	    listen(fd, SOMAXCONN) ||
	    getsockname(fd, (struct sockaddr *)&addr, &len))
		server_die("socket", errno);
	printf("%d\n", ntohs(addr.sin_port));
	fflush(stdout);
	pthread_create(&thread, NULL, wait_for_end, NULL);
	return fd;
}
