// SPDX-License-Identifier: MIT
/*
 * A TCP proxy: what comes from one side goes to the other through a pipe, by splice(2),
 * which need not copy it. Each direction is a goroutine, and ends for itself: who has
 * sent all may still receive.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <go.h>

#include "../server.h"

/* What a pipe holds. */
#define PIPE_SIZE	(64 * 1024)
#define DIAL_TIME	(10 * GO_SECOND)

struct proxy {
	struct server server;
	const char *target;
	long carried;			/* bytes */
};

struct client {
	struct connection connection;
	struct go_mutex lock;		/* guards that the target is open */
	bool open;
	int target;
	struct go_waitgroup back;	/* the direction from the target */
};

static int drain(int pipe, int to, size_t n)
{
	while (n) {
		ssize_t put = go_splice(pipe, NULL, to, NULL, n, SPLICE_F_MOVE);

		if (put < 0)
			return put;
		n -= put;
	}
	return 0;
}

/* Until the end, which is passed on, or until one of the two is gone. */
static int carry(struct proxy *proxy, int from, int to, int pipe[2])
{
	ssize_t n;
	int ret;

	while ((n = go_splice(from, NULL, pipe[1], NULL, PIPE_SIZE,
			      SPLICE_F_MOVE)) > 0) {
		ret = drain(pipe[0], to, n);
		if (ret)
			return ret;
		__atomic_fetch_add(&proxy->carried, n, __ATOMIC_RELAXED);
	}
	if (!n)
		shutdown(to, SHUT_WR);
	return n;
}

/* When it is closed its peer sees that it has not been the end. */
static void reset_one(int fd)
{
	struct linger at_once = { .l_onoff = 1 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	go_set_deadline(fd, go_now());
}

/* One of the two is gone, or the proxy stops: so is the other. */
static void reset(struct client *c)
{
	reset_one(c->connection.fd);
	reset_one(c->target);
}

/* Who opens it says so before it looks whether the proxy stops. */
static void set_open(struct client *c, bool open)
{
	go_mutex_lock(&c->lock);
	c->open = open;
	go_mutex_unlock(&c->lock);
}

/* One may wait for what the other does not send, or to be read by it. */
static void stop(struct connection *connection)
{
	struct client *c = (struct client *)connection;

	go_mutex_lock(&c->lock);
	if (c->open)
		reset(c);
	go_mutex_unlock(&c->lock);
}

static void direction(struct client *c, int from, int to)
{
	int pipe[2];
	int ret = go_pipe(pipe);

	if (ret) {
		fprintf(stderr, "proxy: a pipe: %s\n", strerror(-ret));
		reset(c);
		return;
	}
	if (carry((struct proxy *)c->connection.server, from, to, pipe))
		reset(c);
	go_close(pipe[0]);
	go_close(pipe[1]);
}

static void carry_back(void *arg)
{
	struct client *c = arg;

	direction(c, c->target, c->connection.fd);
	go_waitgroup_done(&c->back);
}

static void serve(struct connection *connection)
{
	struct client *c = (struct client *)connection;
	struct proxy *proxy = (struct proxy *)connection->server;
	int ret, one = 1;

	c->target = go_dial("tcp", proxy->target, go_now() + DIAL_TIME);
	if (c->target < 0) {
		fprintf(stderr, "proxy: %s: %s\n", proxy->target,
			strerror(-c->target));
		reset_one(connection->fd);
		return;
	}
	setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(c->target, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(c->target, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
	set_open(c, true);
	if (server_stopping(&proxy->server))
		reset(c);
	go_waitgroup_add(&c->back, 1);
	ret = go_spawn(carry_back, c);
	if (ret) {
		fprintf(stderr, "proxy: a goroutine: %s\n", strerror(-ret));
		reset(c);
	} else {
		direction(c, connection->fd, c->target);
		go_waitgroup_wait(&c->back);
	}
	set_open(c, false);
	go_close(c->target);
}

static void start(void *arg)
{
	struct proxy *proxy = arg;

	if (server_run(&proxy->server))
		exit(1);
	printf("proxy: %ld bytes carried\n", proxy->carried);
}

static const char usage[] =
	"Usage: proxy [--listen HOST:PORT] TARGET\n"
	"\n"
	"Carries what comes to HOST:PORT to TARGET, which is HOST:PORT, too, and back,\n"
	"until SIGINT or SIGTERM. Connections that there are then are reset.\n"
	"\n"
	"  --listen HOST:PORT  where (127.0.0.1:8081); port 0 for one that is free\n";

int main(int argc, char **argv)
{
	struct proxy proxy = {
		.server = {
			.name = "proxy",
			.size = sizeof(struct client),
			.serve = serve,
			.stop = stop,
		},
	};
	int ret;

	proxy.server.address = server_address(argc, argv, usage, "127.0.0.1:8081");
	if (optind != argc - 1) {
		fputs(usage, stderr);
		return 2;
	}
	proxy.target = argv[optind];
	ret = go_run(start, &proxy);
	if (ret)
		fprintf(stderr, "proxy: go_run: %s\n", strerror(-ret));
	return ret ? 1 : 0;
}
