// SPDX-License-Identifier: MIT
/*
 * A key-value server that speaks the protocol of Redis: a goroutine for each connection.
 * Requests that come at once are answered at once, with a single write.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <go.h>

#include "../server.h"
#include "commands.h"

/* Room that is there for a read; a buffer that has grown is not kept. */
#define READ_SIZE	(16 * 1024)
/* As many bytes of replies are sent before more requests are looked at. */
#define REPLIES_MAX	(64 * 1024)
/* A client that does not take its replies, so many bytes in so long, is left. */
#define PIECE		(256 * 1024)
#define WRITE_TIME	(60 * GO_SECOND)

struct kv {
	struct server server;
	struct store *store;
	struct go_waitgroup sweeping;
};

struct client {
	struct connection connection;
	char *buf;
	size_t n, size;			/* bytes that have come, and room for them */
	struct resp_replies replies;
	struct resp_request request;
};

static bool make_room(struct client *c)
{
	size_t size = c->size ? 2 * c->size : READ_SIZE;
	char *buf;

	if (!c->n && c->size > READ_SIZE) {
		free(c->buf);
		c->buf = NULL;
		c->size = 0;
		size = READ_SIZE;
	}
	if (c->size - c->n >= READ_SIZE / 2)
		return true;
	buf = realloc(c->buf, size);
	if (!buf)
		return false;
	c->buf = buf;
	c->size = size;
	return true;
}

static int read_more(struct client *c)
{
	ssize_t got;

	if (!make_room(c))
		return -ENOMEM;
	got = go_read(c->connection.fd, c->buf + c->n, c->size - c->n);
	if (got <= 0)
		return -ESHUTDOWN;
	c->n += got;
	return 0;
}

static int send_replies(struct client *c)
{
	struct resp_replies *r = &c->replies;
	int ret = r->failed ? -ENOMEM : 0;
	int64_t deadline = 0;
	size_t at, n;

	for (at = 0; !ret && at < r->n; at += n) {
		n = r->n - at < PIECE ? r->n - at : PIECE;
		/* When the server stops that is for all the rest. */
		if (!deadline || !server_stopping(c->connection.server))
			deadline = go_now() + WRITE_TIME;
		ret = connection_write(&c->connection, r->buf + at, n, deadline);
	}
	r->n = 0;
	if (r->size > REPLIES_MAX) {
		free(r->buf);
		memset(r, 0, sizeof(*r));
	}
	return ret;
}

/* All that has come whole. */
static int answer(struct client *c)
{
	struct kv *kv = (struct kv *)c->connection.server;
	size_t at = 0;
	ssize_t n;
	int ret = 0;

	while (!ret && (n = resp_parse(&c->request, c->buf + at, c->n - at)) > 0) {
		at += n;
		if (c->request.argc &&
		    !command_run(kv->store, &c->request, &c->replies))
			ret = -ESHUTDOWN;
		if (c->replies.n >= REPLIES_MAX)
			ret = send_replies(c) ?: ret;
	}
	if (!ret && n < 0) {
		resp_error(&c->replies, "ERR Protocol error: %s", n == -EMSGSIZE ?
			   "a request that is too long" : "no request");
		ret = n;
	}
	c->n -= at;
	memmove(c->buf, c->buf + at, c->n);
	return send_replies(c) ?: ret;
}

static void serve(struct connection *connection)
{
	struct client *c = (struct client *)connection;
	int ret, one = 1;

	setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	do
		ret = read_more(c) ?: answer(c);
	while (!ret);
	/* it has ended, but the client has yet to get what was sent */
	if (ret == -EPROTO || ret == -EMSGSIZE || ret == -ESHUTDOWN)
		connection_linger(connection);
	free(c->replies.buf);
	free(c->buf);
}

static void sweep(void *arg)
{
	struct kv *kv = arg;

	while (!server_stopping(&kv->server)) {
		go_sleep(100 * GO_MILLISECOND);
		store_sweep(kv->store);
	}
	go_waitgroup_done(&kv->sweeping);
}

static void start(void *arg)
{
	struct kv *kv = arg;

	kv->store = store_make();
	go_waitgroup_add(&kv->sweeping, 1);
	if (!kv->store || go_spawn(sweep, kv)) {
		fputs("kv: no memory\n", stderr);
		exit(1);
	}
	if (server_run(&kv->server))
		exit(1);
	go_waitgroup_wait(&kv->sweeping);
	printf("kv: %zu keys are forgotten\n", store_count(kv->store));
	store_free(kv->store);
}

static const char usage[] =
	"Usage: kv [--listen HOST:PORT]\n"
	"\n"
	"Serves keys and values to clients of Redis, until SIGINT or SIGTERM. They are in\n"
	"memory alone.\n"
	"\n"
	"  --listen HOST:PORT  where (127.0.0.1:6379); port 0 for one that is free\n";

int main(int argc, char **argv)
{
	struct kv kv = {
		.server = {
			.name = "kv",
			.size = sizeof(struct client),
			.serve = serve,
		},
		.sweeping = GO_WAITGROUP_INIT,
	};
	int ret;

	kv.server.address = server_address(argc, argv, usage, "127.0.0.1:6379");
	if (optind != argc) {
		fputs(usage, stderr);
		return 2;
	}
	ret = go_run(start, &kv);
	if (ret)
		fprintf(stderr, "kv: go_run: %s\n", strerror(-ret));
	return ret ? 1 : 0;
}
