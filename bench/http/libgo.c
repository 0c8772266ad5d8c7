// SPDX-License-Identifier: MIT
/*
 * The HTTP server of bench/bench-http with libgo, of the parts of examples/httpd:
 * "/hello.txt" is answered from memory, all else is a file of the folder, as in
 * bench/go/http.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <go.h>

#include "../../examples/httpd/http.h"
#include "../../examples/httpd/reply.h"

static int root;

static int handle(struct http_server *s, int fd, struct request *req)
{
	(void)s;
	if (!strcmp(req->path, "hello.txt"))
		return reply_text(fd, "hello\n", req);
	return reply_file(fd, root, req);
}

static void start(void *arg)
{
	if (http_run(arg))
		exit(1);
}

int main(int argc, char **argv)
{
	struct http_server http = {
		.server.name = "http",
		.server.address = "127.0.0.1:0",
		.handle = handle,
	};

	if (argc != 2) {
		fputs("usage: http FOLDER\n", stderr);
		return 2;
	}
	root = open(argv[1], O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0) {
		perror(argv[1]);
		return 1;
	}
	return go_run(start, &http) ? 1 : 0;
}
