// SPDX-License-Identifier: MIT
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/types.h>

#include <go.h>

#include "http.h"
#include "reply.h"

#define HEAD_MAX	8192
/* A body that nobody wants is read, if it is not longer. */
#define BODY_MAX	(1024 * 1024)
/* Between two requests, and for one to come whole. */
#define IDLE_TIME	(60 * GO_SECOND)
#define REQUEST_TIME	(10 * GO_SECOND)

struct client {
	struct connection connection;
	size_t n;			/* bytes that have come and are not used */
	char buf[HEAD_MAX];
};

static void used(struct client *c, size_t n)
{
	c->n -= n;
	memmove(c->buf, c->buf + n, c->n);
}

static ssize_t read_more(struct client *c, int64_t deadline)
{
	ssize_t got;

	connection_read_until(&c->connection, deadline);
	got = go_read(c->connection.fd, c->buf + c->n, sizeof(c->buf) - c->n);
	if (got > 0)
		c->n += got;
	return got;
}

/*
 * Returns the length of the head; 0 if there will be no request; or the status to end
 * with, negated.
 */
static ssize_t read_request(struct client *c, struct request *req)
{
	int64_t deadline = go_now() + (c->n ? REQUEST_TIME : IDLE_TIME);
	ssize_t ret, got;

	for (;;) {
		ret = c->n ? request_parse(req, c->buf, c->n) : 0;
		if (ret)
			return ret;
		if (c->n == sizeof(c->buf))
			return -431;
		if (!c->n)
			deadline = go_now() + IDLE_TIME;
		got = read_more(c, deadline);
		if (got == -ETIMEDOUT && c->n && !server_stopping(c->connection.server))
			return -408;
		if (got <= 0)
			return 0;
		if ((size_t)got == c->n)
			deadline = go_now() + REQUEST_TIME;
	}
}

static int skip_body(struct client *c, struct request *req)
{
	off_t left = req->body;
	int64_t deadline = go_now() + REQUEST_TIME;
	int ret;

	if (left && req->wants_continue) {
		ret = reply_continue(c->connection.fd);
		if (ret)
			return ret;
	}
	while (left) {
		size_t n = (off_t)c->n < left ? c->n : (size_t)left;

		used(c, n);
		left -= n;
		if (left && read_more(c, deadline) <= 0)
			return -ESHUTDOWN;
	}
	return 0;
}

static int refuse(struct client *c, struct request *req, int status)
{
	req->keep_alive = false;
	return reply_status(c->connection.fd, status, req) ?: -EPROTO;
}

/*
 * Returns 0 if the connection can carry another request; -EPROTO or -ESHUTDOWN if it
 * ends, but the client has yet to get what was sent; or what came of writing, negated.
 */
static int serve_request(struct client *c)
{
	struct http_server *s = (struct http_server *)c->connection.server;
	struct request req;
	ssize_t ret = read_request(c, &req);

	if (!ret)
		return -ESHUTDOWN;
	if (ret < 0)
		return refuse(c, &req, -ret);
	used(c, ret);
	if (req.body > BODY_MAX)
		return refuse(c, &req, 413);
	ret = skip_body(c, &req);
	if (ret)
		return ret;
	if (server_stopping(&s->server))
		req.keep_alive = false;
	ret = s->handle(s, c->connection.fd, &req);
	__atomic_fetch_add(&s->served, 1, __ATOMIC_RELAXED);
	return ret ?: req.keep_alive ? 0 : -ESHUTDOWN;
}

static void serve(struct connection *connection)
{
	struct client *c = (struct client *)connection;
	int ret, one = 1;

	setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	do
		ret = serve_request(c);
	while (!ret);
	if (ret == -EPROTO || ret == -ESHUTDOWN)
		connection_linger(connection);
}

int http_run(struct http_server *s)
{
	s->server.size = sizeof(struct client);
	s->server.serve = serve;
	return server_run(&s->server);
}
