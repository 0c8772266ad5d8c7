// SPDX-License-Identifier: MIT
/*
 * The load on an echo server: each of many connections sends a request and waits for
 * the whole of its reply before it sends the next one. Reports requests, how long
 * replies took, and how much CPU time the server used, as JSON.
 *
 *   load port=N pid=N connections=N warm_ms=N ms=N
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
#define EVENTS		256
#define MILLISECOND	1000000LL

/**
 * struct connection - one of them
 * @fd: its socket
 * @got: bytes of the reply so far
 * @sent: when its request was sent
 * @number: of the request, which it begins with
 */
struct connection {
	int fd;
	int got;
	int64_t sent;
	uint64_t number;
};

static int port, pid, nr, warm_ms, run_ms;
static struct connection *connections;
static uint32_t *times;		/* of replies, in ns */
static size_t nr_times, room;

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

static void note(int64_t ns)
{
	if (nr_times == room) {
		room = room ? 2 * room : 1 << 20;
		times = realloc(times, room * sizeof(*times));
		if (!times)
			die("realloc");
	}
	times[nr_times++] = ns > UINT32_MAX ? UINT32_MAX : ns;
}

static void request(struct connection *c)
{
	char buf[REQUEST];

	memset(buf, c->number & 0x7f, sizeof(buf));
	c->number++;
	memcpy(buf, &c->number, sizeof(c->number));
	c->got = 0;
	c->sent = now();
	if (write(c->fd, buf, sizeof(buf)) != sizeof(buf))
		die("write");
}

static void connect_all(int epfd)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET, .sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int i, one = 1;

	for (i = 0; i < nr; i++) {
		struct connection *c = &connections[i];
		struct epoll_event ev = { .events = EPOLLIN, .data.ptr = c };

		c->fd = socket(AF_INET, SOCK_STREAM, 0);
		if (c->fd < 0)
			die("socket");
		if (connect(c->fd, (struct sockaddr *)&addr, sizeof(addr)))
			die("connect");
		setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		if (epoll_ctl(epfd, EPOLL_CTL_ADD, c->fd, &ev))
			die("epoll_ctl");
	}
}

/* Returns whether the reply is whole. */
static int take_reply(struct connection *c)
{
	char buf[2 * REQUEST];
	uint64_t number;
	ssize_t n = read(c->fd, buf, sizeof(buf));

	if (n <= 0)
		die("read");
	if (!c->got && n >= (ssize_t)sizeof(number)) {
		memcpy(&number, buf, sizeof(number));
		if (number != c->number) {
			fprintf(stderr, "load: a reply to another request\n");
			exit(1);
		}
	}
	c->got += n;
	return c->got >= REQUEST;
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
				note(time - c->sent);
			request(c);
		}
	}
}

static int later(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static uint32_t percentile(int percent)
{
	return times[(nr_times - 1) * percent / 100];
}

static void options(int argc, char **argv)
{
	static const struct {
		const char *name;
		int *value;
	} known[] = {
		{ "port=", &port }, { "pid=", &pid }, { "connections=", &nr },
		{ "warm_ms=", &warm_ms }, { "ms=", &run_ms }, {},
	};
	int i, k;

	for (i = 0; known[i].name; i++)
		for (k = 1; k < argc; k++)
			if (!strncmp(argv[k], known[i].name,
				     strlen(known[i].name)))
				*known[i].value = atoi(strchr(argv[k], '=') + 1);
	if (port > 0 && pid > 0 && nr > 0 && run_ms > 0)
		return;
	fprintf(stderr,
		"usage: load port=N pid=N connections=N warm_ms=N ms=N\n");
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
	connections = calloc(nr, sizeof(*connections));
	epfd = epoll_create1(EPOLL_CLOEXEC);
	if (!connections || epfd < 0)
		die("epoll_create1");
	connect_all(epfd);
	for (i = 0; i < nr; i++)
		request(&connections[i]);
	run_until(epfd, now() + warm_ms * MILLISECOND, 0);

	wall = now();
	cpu = server_cpu();
	run_until(epfd, wall + run_ms * MILLISECOND, 1);
	wall = now() - wall;
	cpu = server_cpu() - cpu;
	qsort(times, nr_times, sizeof(*times), later);
	printf("{\"requests\": %zu, \"wall_ns\": %lld, \"cpu_ns\": %lld, \"p50_ns\": %u, \"p99_ns\": %u}\n",
	       nr_times, (long long)wall, (long long)cpu, percentile(50),
	       percentile(99));
	return 0;
}
