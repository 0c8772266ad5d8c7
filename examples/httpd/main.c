// SPDX-License-Identifier: MIT
/*
 * An HTTP/1.1 file server: a goroutine for each connection, written as if it had a
 * thread. It waits for the network without one, and may block in the file system.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <go.h>

#include "http.h"
#include "reply.h"

struct file_server {
	struct http_server http;
	const char *folder;
	int root;
};

static int send_file(struct http_server *s, int fd, struct request *req)
{
	return reply_file(fd, ((struct file_server *)s)->root, req);
}

static void start(void *arg)
{
	struct file_server *files = arg;

	files->root = open(files->folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (files->root < 0) {
		fprintf(stderr, "httpd: %s: %m\n", files->folder);
		exit(1);
	}
	if (http_run(&files->http))
		exit(1);
	close(files->root);
	printf("httpd: %ld requests served\n", files->http.served);
}

static const char usage[] =
	"Usage: httpd [--listen HOST:PORT] FOLDER\n"
	"\n"
	"Serves the files in FOLDER by HTTP/1.1, until SIGINT or SIGTERM. Those that are\n"
	"being sent then are sent to their end.\n"
	"\n"
	"  --listen HOST:PORT  where (127.0.0.1:8080); port 0 for one that is free\n";

int main(int argc, char **argv)
{
	struct file_server files = {
		.http = {
			.server.name = "httpd",
			.handle = send_file,
		},
	};
	int ret;

	files.http.server.address = server_address(argc, argv, usage, "127.0.0.1:8080");
	if (optind != argc - 1) {
		fputs(usage, stderr);
		return 2;
	}
	files.folder = argv[optind];
	ret = go_run(start, &files);
	if (ret)
		fprintf(stderr, "httpd: go_run: %s\n", strerror(-ret));
	return ret ? 1 : 0;
}
