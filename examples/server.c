// SPDX-License-Identifier: MIT
#include <errno.h>
#include <getopt.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "ending.h"
#include "server.h"

#define LINGER_TIME	GO_SECOND
#define LINGER_MAX	(1024 * 1024)
/* Nothing tells that the client has got more: it is looked at so often, and so long. */
#define LINGER_STEP	(100 * GO_MILLISECOND)
#define LINGER_PATIENCE	(30 * GO_SECOND)
/* Bytes that wait to be sent. More would hide from a deadline that a client reads. */
#define UNSENT_MAX	(128 * 1024)

bool server_stopping(const struct server *s)
{
	return __atomic_load_n(&s->stopping, __ATOMIC_SEQ_CST);
}

static void end_reading(struct connection *c)
{
	go_set_read_deadline(c->fd, go_now());
}

/* Who stops the server says so before it ends reading: this is seen, or undone. */
void connection_read_until(struct connection *c, int64_t deadline)
{
	go_set_read_deadline(c->fd, deadline);
	if (server_stopping(c->server))
		end_reading(c);
}

static void connection_stop(struct connection *c)
{
	end_reading(c);
	if (c->server->stop)
		c->server->stop(c);
}

int connection_write(struct connection *c, const void *buf, size_t n, int64_t deadline)
{
	ssize_t ret;

	go_set_write_deadline(c->fd, deadline);
	ret = go_write(c->fd, buf, n);
	if (ret < 0)
		return ret;
	return (size_t)ret < n ? -ETIMEDOUT : 0;
}

/* All that was sent, the end too. */
static bool client_has_all(const struct connection *c)
{
	int left;

	return ioctl(c->fd, SIOCOUTQ, &left) || !left;
}

void connection_linger(struct connection *c)
{
	int64_t end = go_now() + LINGER_PATIENCE;
	size_t left = LINGER_MAX;
	char buf[4096];

	shutdown(c->fd, SHUT_WR);
	connection_read_until(c, go_now() + LINGER_TIME);
	while (left && go_now() < end) {
		ssize_t got = go_read(c->fd, buf, sizeof(buf));

		if (got > 0) {
			left -= (size_t)got < left ? (size_t)got : left;
			continue;
		}
		if (got != -ETIMEDOUT || client_has_all(c))
			break;
		/* also while the server stops: it waits for what is being sent */
		go_set_read_deadline(c->fd, go_now() + LINGER_STEP);
	}
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
	if (server_stopping(s))
		connection_stop(c);
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

static void connection_serve(void *arg)
{
	struct connection *c = arg;
	struct server *s = c->server;

	connection_add(c);
	s->serve(c);
	connection_del(c);
	go_close(c->fd);
	free(c);
	go_waitgroup_done(&s->serving);
}

static int connection_start(struct server *s, int fd)
{
	struct connection *c = calloc(1, s->size);
	int ret, one = 1, unsent = UNSENT_MAX;

	if (!c)
		return -ENOMEM;
	c->server = s;
	c->fd = fd;
	/* a peer that has vanished without a word is found out */
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
	setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof(unsent));
	go_waitgroup_add(&s->serving, 1);
	ret = go_spawn(connection_serve, c);
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

	while (!server_stopping(s)) {
		int fd = go_accept(s->listener, NULL, NULL);
		int ret = fd < 0 ? fd : connection_start(s, fd);

		if (!ret || ret == -ECONNABORTED)
			continue;
		if (fd >= 0)
			go_close(fd);
		if (server_stopping(s))
			break;
		fprintf(stderr, "%s: a connection has to wait: %s\n", s->name,
			strerror(-ret));
		go_sleep(100 * GO_MILLISECOND);
	}
	go_waitgroup_done(&s->serving);
}

static int start(struct server *s)
{
	struct sockaddr_storage addr;
	socklen_t len = sizeof(addr);

	s->listener = go_listen("tcp", s->address);
	if (s->listener < 0) {
		fprintf(stderr, "%s: %s: %s\n", s->name, s->address,
			strerror(-s->listener));
		return -1;
	}
	getsockname(s->listener, (struct sockaddr *)&addr, &len);
	/* the port is at the same place in both families */
	printf("%s: on port %d\n", s->name,
	       ntohs(((struct sockaddr_in *)&addr)->sin_port));
	fflush(stdout);
	go_waitgroup_add(&s->serving, 1);
	if (go_spawn(accept_all, s)) {
		fprintf(stderr, "%s: no memory\n", s->name);
		return -1;
	}
	return 0;
}

/* Who comes later finds that it is stopping: that is said first. */
static void stop(struct server *s)
{
	struct connection *c;

	__atomic_store_n(&s->stopping, true, __ATOMIC_SEQ_CST);
	go_close(s->listener);
	go_mutex_lock(&s->lock);
	for (c = s->connections; c; c = c->next)
		connection_stop(c);
	go_mutex_unlock(&s->lock);
	go_waitgroup_wait(&s->serving);
}

int server_run(struct server *s)
{
	struct go_chan *signals = ending_begin(s->name);

	if (!signals || start(s))
		return -1;
	ending_wait(signals, s->name);
	go_chan_release(signals);
	stop(s);
	return 0;
}

const char *server_address(int argc, char **argv, const char *usage,
			   const char *address)
{
	static const struct option options[] = {
		{ "listen", required_argument, NULL, 'l' },
		{ "help", no_argument, NULL, 'h' }, {},
	};
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		if (option == 'l') {
			address = optarg;
		} else {
			fputs(usage, option == 'h' ? stdout : stderr);
			exit(option == 'h' ? 0 : 2);
		}
	}
	return address;
}
