// SPDX-License-Identifier: MIT
/*
 * An HTTP/1.1 file server: a goroutine for each connection, written as if it had a
 * thread. It waits for the network without one, and may block in the file system.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <go.h>

#include "reply.h"

#define HEAD_MAX	8192
/* A body that nobody wants is read, if it is not longer. */
#define BODY_MAX	(1024 * 1024)
/* Between two requests, and for one to come whole. */
#define IDLE_TIME	(60 * GO_SECOND)
#define REQUEST_TIME	(10 * GO_SECOND)

struct server {
	const char *address;
	const char *folder;
	int listener;
	int root;
	bool stopping;
	long served;			/* requests */
	struct go_waitgroup serving;	/* the acceptor, and each connection */
	struct go_mutex lock;		/* guards the list */
	struct connection *connections;
};

struct connection {
	struct server *server;
	int fd;
	size_t n;			/* bytes that have come and are not used */
	char buf[HEAD_MAX];
	struct connection *next, **link;
};

static bool stopping(const struct server *s)
{
	return __atomic_load_n(&s->stopping, __ATOMIC_SEQ_CST);
}

static void connection_add(struct connection *c)
{
	struct server *s = c->server;

	go_mutex_lock(&s->lock);
	c->next = s->connections;
	c->link = &s->connections;
	if (c->next)
		c->next->link = &c->next;
	s->connections = c;
	go_mutex_unlock(&s->lock);
}

static void connection_del(struct connection *c)
{
	struct server *s = c->server;

	go_mutex_lock(&s->lock);
	*c->link = c->next;
	if (c->next)
		c->next->link = c->link;
	go_mutex_unlock(&s->lock);
}

static void used(struct connection *c, size_t n)
{
	c->n -= n;
	memmove(c->buf, c->buf + n, c->n);
}

/*
 * The one who stops the server says so first and moves the deadlines then: whoever
 * looks after it has set its own either sees it or has it moved.
 */
static ssize_t read_more(struct connection *c, int64_t deadline)
{
	ssize_t got;

	go_set_read_deadline(c->fd, deadline);
	if (stopping(c->server))
		return -ETIMEDOUT;
	got = go_read(c->fd, c->buf + c->n, sizeof(c->buf) - c->n);
	if (got > 0)
		c->n += got;
	return got;
}

/*
 * Returns the length of the head; 0 if there will be no request; or the status to end
 * with, negated.
 */
static ssize_t read_request(struct connection *c, struct request *req)
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
		if (got == -ETIMEDOUT && c->n && !stopping(c->server))
			return -408;
		if (got <= 0)
			return 0;
		if ((size_t)got == c->n)
			deadline = go_now() + REQUEST_TIME;
	}
}

static int skip_body(struct connection *c, struct request *req)
{
	static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
	off_t left = req->body;
	int64_t deadline = go_now() + REQUEST_TIME;
	ssize_t ret;

	if (left && req->wants_continue) {
		ret = go_write(c->fd, go_on, strlen(go_on));
		if (ret < 0)
			return ret;
	}
	while (left) {
		size_t n = (off_t)c->n < left ? c->n : (size_t)left;

		used(c, n);
		left -= n;
		ret = left ? read_more(c, deadline) : 1;
		if (ret <= 0)
			return ret ?: -ECONNRESET;
	}
	return 0;
}

/* Returns 0 if the connection can carry another request. */
static int serve_request(struct connection *c)
{
	struct server *s = c->server;
	struct request req;
	ssize_t ret = read_request(c, &req);

	if (!ret)
		return -ECONNRESET;
	if (ret < 0)
		return reply_status(c->fd, -ret, NULL) ?: -EPROTO;
	used(c, ret);
	if (req.body > BODY_MAX)
		return reply_status(c->fd, 413, NULL) ?: -EPROTO;
	ret = skip_body(c, &req);
	if (ret)
		return ret;
	if (stopping(s))
		req.keep_alive = false;
	ret = reply_file(c->fd, s->root, &req);
	__atomic_fetch_add(&s->served, 1, __ATOMIC_RELAXED);
	return ret ?: req.keep_alive ? 0 : -ESHUTDOWN;
}

/*
 * What the client has sent and nobody read would have the kernel reset the connection,
 * and the client lose the last reply.
 */
static void linger(struct connection *c)
{
	size_t left = BODY_MAX;
	ssize_t got;

	shutdown(c->fd, SHUT_WR);
	go_set_read_deadline(c->fd, go_now() + GO_SECOND);
	while (left && (got = go_read(c->fd, c->buf, sizeof(c->buf))) > 0)
		left -= (size_t)got < left ? (size_t)got : left;
}

static void serve_connection(void *arg)
{
	struct connection *c = arg;
	struct server *s = c->server;
	int ret, one = 1;

	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	connection_add(c);
	do
		ret = serve_request(c);
	while (!ret);
	if (ret == -EPROTO)
		linger(c);
	connection_del(c);
	go_close(c->fd);
	free(c);
	go_waitgroup_done(&s->serving);
}

static int start_connection(struct server *s, int fd)
{
	struct connection *c = malloc(sizeof(*c));
	int ret;

	if (!c)
		return -ENOMEM;
	c->server = s;
	c->fd = fd;
	c->n = 0;
	go_waitgroup_add(&s->serving, 1);
	ret = go_spawn(serve_connection, c);
	if (ret) {
		go_waitgroup_done(&s->serving);
		free(c);
	}
	return ret;
}

/* Without descriptors or memory the clients wait in the listener's queue. */
static void accept_all(void *arg)
{
	struct server *s = arg;

	while (!stopping(s)) {
		int fd = go_accept(s->listener, NULL, NULL);
		int ret = fd < 0 ? fd : start_connection(s, fd);

		if (!ret || ret == -ECONNABORTED)
			continue;
		if (fd >= 0)
			go_close(fd);
		if (stopping(s))
			break;
		fprintf(stderr, "httpd: a connection has to wait: %s\n",
			strerror(-ret));
		go_sleep(100 * GO_MILLISECOND);
	}
	go_waitgroup_done(&s->serving);
}

static void stop(struct server *s)
{
	struct connection *c;

	__atomic_store_n(&s->stopping, true, __ATOMIC_SEQ_CST);
	go_close(s->listener);
	go_mutex_lock(&s->lock);
	for (c = s->connections; c; c = c->next)
		go_set_read_deadline(c->fd, go_now());
	go_mutex_unlock(&s->lock);
	go_waitgroup_wait(&s->serving);
}

static int start(struct server *s)
{
	struct sockaddr_storage addr;
	socklen_t len = sizeof(addr);
	int port;

	s->root = open(s->folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (s->root < 0) {
		fprintf(stderr, "httpd: %s: %m\n", s->folder);
		return -1;
	}
	s->listener = go_listen("tcp", s->address);
	if (s->listener < 0) {
		fprintf(stderr, "httpd: %s: %s\n", s->address,
			strerror(-s->listener));
		return -1;
	}
	getsockname(s->listener, (struct sockaddr *)&addr, &len);
	port = ntohs(addr.ss_family == AF_INET ?
		     ((struct sockaddr_in *)&addr)->sin_port :
		     ((struct sockaddr_in6 *)&addr)->sin6_port);
	printf("httpd: serving %s on port %d\n", s->folder, port);
	fflush(stdout);
	return 0;
}

static void serve(void *arg)
{
	struct server *s = arg;
	struct go_chan *signals = go_chan_make(sizeof(int), 1);
	int signo = 0;

	if (go_signal_notify(signals, SIGINT, SIGTERM) || start(s))
		exit(1);
	go_waitgroup_add(&s->serving, 1);
	if (go_spawn(accept_all, s))
		exit(1);
	go_chan_recv(signals, &signo);
	printf("httpd: %s: no new requests\n", strsignal(signo));
	/* a second signal ends the server at once */
	go_signal_stop(signals);
	stop(s);
	go_chan_release(signals);
	close(s->root);
	printf("httpd: %ld requests served\n", s->served);
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
	static const struct option options[] = {
		{ "listen", required_argument, NULL, 'l' },
		{ "help", no_argument, NULL, 'h' }, {},
	};
	struct server server = {
		.address = "127.0.0.1:8080",
		.serving = GO_WAITGROUP_INIT,
	};
	int option, ret;

	while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		if (option == 'l') {
			server.address = optarg;
		} else {
			fputs(usage, option == 'h' ? stdout : stderr);
			return option == 'h' ? 0 : 2;
		}
	}
	if (optind != argc - 1) {
		fputs(usage, stderr);
		return 2;
	}
	server.folder = argv[optind];
	ret = go_run(serve, &server);
	if (ret)
		fprintf(stderr, "httpd: go_run: %s\n", strerror(-ret));
	return ret ? 1 : 0;
}
