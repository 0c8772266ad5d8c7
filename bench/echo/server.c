// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server.h"

#define PAGE_BYTES	4096

void server_die(const char *what, int error)
{
	fprintf(stderr, "echo: %s: %s\n", what, strerror(error));
	exit(1);
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

static void open_file(struct server *server, const char *path)
{
	struct stat st;

	server->file = open(path, O_RDONLY | O_CLOEXEC);
	if (server->file < 0 || fstat(server->file, &st))
		server_die(path, errno);
	/* without reading ahead */
	errno = posix_fadvise(server->file, 0, 0, POSIX_FADV_RANDOM);
	if (errno)
		server_die(path, errno);
	server->pages = st.st_size / PAGE_BYTES;
	if (!server->pages)
		server_die(path, ENODATA);
}

void server_start(struct server *server, int argc, char **argv)
{
	pthread_t thread;

	*server = (struct server){ .file = -1 };
	if (argc == 2 || argc == 3)
		sscanf(argv[1], "procs=%d", &server->procs);
	if (server->procs < 1 || (argc == 3 && strncmp(argv[2], "file=", 5))) {
		fprintf(stderr, "usage: %s procs=N [file=FILE]\n", argv[0]);
		exit(2);
	}
	if (argc == 3)
		open_file(server, argv[2] + 5);
	files_allow_all();
	errno = pthread_create(&thread, NULL, wait_for_end, NULL);
	if (errno)
		server_die("pthread_create", errno);
}

void server_read_disk(const struct server *server, struct disk_request *request)
{
	uint64_t words[PAGE_BYTES / sizeof(uint64_t)];
	ssize_t n;

	/* Fibonacci hashing: neighbours are far from each other */
	request->page = (request->number * UINT64_C(0x9e3779b97f4a7c15) >> 32) %
			server->pages;
	n = pread(server->file, words, sizeof(words), request->page * sizeof(words));
	if (n != sizeof(words))
		server_die("pread", n < 0 ? errno : EIO);
	request->word = words[0];
}

int server_listen(void)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t len = sizeof(addr);
	int fd;

	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, len) ||
	    listen(fd, SOMAXCONN) ||
	    getsockname(fd, (struct sockaddr *)&addr, &len))
		server_die("socket", errno);
	printf("%d\n", ntohs(addr.sin_port));
	fflush(stdout);
	return fd;
}
