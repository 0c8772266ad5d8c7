// SPDX-License-Identifier: MIT
/*
 * The load on an echo server: each of many connections sends a request and waits for
 * the whole of its reply before it sends the next one. Reports requests, how long
 * replies took, and how much CPU time the server used, as JSON; the same of those
 * that need the disk, if there are any.
 *
 *   load port=N pid=N connections=N warm_ms=N ms=N [disk_port=N disk_connections=N]
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define REQUEST		64	/* bytes */
#define PAGE_WORDS	512	/* 64-bit ones, which count from 0 in the disk's file */
#define EVENTS		256
#define MILLISECOND	1000000LL

/**
 * struct times - how long replies took
 * @ns: of each
 * @nr: how many there were
 * @room: for so many
 */
struct times {
	uint32_t *ns;
	size_t nr;
	size_t room;
};

/**
 * struct connection - one of them
 * @fd: its socket
 * @got: bytes of the reply so far
 * @sent: when its request was sent
 * @words: the request, which begins with its number; and the reply
 * @number: of the request; no two connections send the same
 * @times: where it belongs
 */
struct connection {
	int fd;
	int got;
	int64_t sent;
	uint64_t words[REQUEST / sizeof(uint64_t)];
	uint64_t number;
	struct times *times;
};

static int port, pid, nr, warm_ms, run_ms, disk_port, nr_disk;
static struct connection *connections;
static struct times echoes, disk_reads;

static void die(const char *what)
{
	fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int64_t clock_read(clockid_t clock)
{
	struct timespec ts;

	if (clock_gettime(clock, &ts))
		die("clock_gettime");
	return ts.tv_sec * 1000 * MILLISECOND + ts.tv_nsec;
}

static int64_t now(void)
{
	return clock_read(CLOCK_MONOTONIC);
}

/* What the server's threads have used. */
static int64_t server_cpu(void)
{
	clockid_t clock;

	errno = clock_getcpuclockid(pid, &clock);
	if (errno)
		die("clock_getcpuclockid");
	return clock_read(clock);
}

static void note(struct times *times, int64_t ns)
{
	if (times->nr == times->room) {
		times->room = times->room ? 2 * times->room : 1 << 20;
		times->ns = realloc(times->ns, times->room * sizeof(*times->ns));
		if (!times->ns)
			die("realloc");
	}
	times->ns[times->nr++] = ns > UINT32_MAX ? UINT32_MAX : ns;
}

static void request(struct connection *c)
{
	c->number++;
	memset(c->words, c->number & 0x7f, sizeof(c->words));
	c->words[0] = c->number;
	c->got = 0;
	c->sent = now();
	if (write(c->fd, c->words, sizeof(c->words)) != sizeof(c->words))
		die("write");
}

static void connect_one(struct connection *c, int epfd, int to)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET, .sin_port = htons(to),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = c };
	int one = 1;

	c->fd = socket(AF_INET, SOCK_STREAM, 0);
	if (c->fd < 0)
		die("socket");
	if (connect(c->fd, (struct sockaddr *)&addr, sizeof(addr)))
		die("connect");
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (epoll_ctl(epfd, EPOLL_CTL_ADD, c->fd, &ev))
		die("epoll_ctl");
}

static void connect_all(int epfd)
{
	int i;

	for (i = 0; i < nr + nr_disk; i++) {
		struct connection *c = &connections[i];

		c->number = (uint64_t)i << 32;
		c->times = i < nr ? &echoes : &disk_reads;
		connect_one(c, epfd, i < nr ? port : disk_port);
	}
}

/* What the server should have sent. */
static int is_right(const struct connection *c)
{
	return c->words[0] == c->number &&
	       (c->times == &echoes || c->words[2] == c->words[1] * PAGE_WORDS);
}

/* Returns whether the reply is whole. */
static int take_reply(struct connection *c)
{
	ssize_t n = read(c->fd, (char *)c->words + c->got, REQUEST - c->got);

	if (n <= 0)
		die("read");
	c->got += n;
	if (c->got < REQUEST)
		return 0;
	if (!is_right(c)) {
		fprintf(stderr, "load: a wrong reply\n");
		exit(1);
	}
	return 1;
}

static void run_until(int epfd, int64_t end, int counts)
{
	struct epoll_event events[EVENTS];
	int64_t time = now();
	int i, n;

	while (time < end) {
		n = epoll_wait(epfd, events, EVENTS, 10000);
		if (n <= 0) {
			errno = n ? errno : ETIMEDOUT;
			die("epoll_wait");
		}
		for (i = 0; i < n; i++) {
			struct connection *c = events[i].data.ptr;

			if (!take_reply(c))
				continue;
			time = now();
			if (counts)
				note(c->times, time - c->sent);
			request(c);
		}
	}
}

static int later(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static void report(struct times *times, const char *prefix)
{
	uint32_t *ns = times->ns;
	size_t last = times->nr - 1;

	if (!times->nr) {
		fprintf(stderr, "load: no reply to any request\n");
		exit(1);
	}
	qsort(ns, times->nr, sizeof(*ns), later);
	printf(", \"%srequests\": %zu, \"%sp50_ns\": %u, \"%sp99_ns\": %u, \"%smax_ns\": %u",
	       prefix, times->nr, prefix, ns[last / 2], prefix,
	       ns[last * 99 / 100], prefix, ns[last]);
}

static void options(int argc, char **argv)
{
	static const struct {
		const char *name;
		int *value;
	} known[] = {
		{ "port=", &port }, { "pid=", &pid }, { "connections=", &nr },
		{ "warm_ms=", &warm_ms }, { "ms=", &run_ms },
		{ "disk_port=", &disk_port },
		{ "disk_connections=", &nr_disk }, {},
	};
	int i, k;

	for (i = 0; known[i].name; i++)
		for (k = 1; k < argc; k++)
			if (!strncmp(argv[k], known[i].name,
				     strlen(known[i].name)))
				*known[i].value = atoi(strchr(argv[k], '=') + 1);
	if (port > 0 && pid > 0 && nr > 0 && run_ms > 0 &&
	    !disk_port == !nr_disk)
		return;
	fprintf(stderr,
		"usage: load port=N pid=N connections=N warm_ms=N ms=N [disk_port=N disk_connections=N]\n");
	exit(2);
}

int main(int argc, char **argv)
{
	struct rlimit limit;
	int64_t wall, cpu;
	int epfd, i;

	options(argc, argv);
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	connections = calloc(nr + nr_disk, sizeof(*connections));
	epfd = epoll_create1(EPOLL_CLOEXEC);
	if (!connections || epfd < 0)
		die("epoll_create1");
	connect_all(epfd);
	for (i = 0; i < nr + nr_disk; i++)
		request(&connections[i]);
	run_until(epfd, now() + warm_ms * MILLISECOND, 0);

	wall = now();
	cpu = server_cpu();
	run_until(epfd, wall + run_ms * MILLISECOND, 1);
	wall = now() - wall;
	cpu = server_cpu() - cpu;
	printf("{\"wall_ns\": %lld, \"cpu_ns\": %lld", (long long)wall,
	       (long long)cpu);
	report(&echoes, "");
	if (nr_disk)
		report(&disk_reads, "disk_");
	printf("}\n");
	return 0;
}
