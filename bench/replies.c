// SPDX-License-Identifier: MIT
/*
 * Asks a server on the loopback for a reply every few milliseconds, and writes
 * down how long the replies took.
 *
 * Requests have a fixed timetable. One that has to wait for the reply before
 * it counts from when it should have gone out, so that a server which stands
 * still for a second is charged with all the requests of that second and not
 * just with one. Ends when the server closes the connection; a request that
 * was on its way then, or due, counts with the time that it had waited.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"

#define SECOND		1000000000LL
#define MILLISECOND	1000000LL

static int64_t *times;
static size_t nr_times;
static size_t room;

static void die(const char *what)
{
	fprintf(stderr, "replies: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void sleep_until(int64_t when)
{
	struct timespec ts = { when / SECOND, when % SECOND };

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL))
		;
}

static void note(int64_t ns)
{
	if (nr_times == room) {
		room = room ? 2 * room : 4096;
		times = realloc(times, room * sizeof(*times));
		if (!times)
			die("memory");
	}
	times[nr_times++] = ns;
}

static int connect_to(int port, int seconds)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int64_t limit = now() + seconds * SECOND;
	int one = 1;

	for (;;) {
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

		if (fd < 0)
			die("socket");
		if (!connect(fd, (struct sockaddr *)&address,
			     sizeof(address))) {
			setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one,
				   sizeof(one));
			return fd;
		}
		if (errno != ECONNREFUSED || now() > limit)
			die("connect");
		close(fd);
		sleep_until(now() + MILLISECOND);
	}
}

static void ask(int fd, int64_t interval)
{
	int64_t due = now();
	bool open = true;
	char byte = '?';

	while (open) {
		sleep_until(due);
		open = send(fd, &byte, 1, MSG_NOSIGNAL) == 1 &&
		       read(fd, &byte, 1) == 1;
		do {
			note(now() - due);
			due += interval;
		} while (!open && due < now());
	}
}

static int compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

/* The smallest of the times that at least this share of them do not exceed. */
static int64_t quantile(double share)
{
	size_t rank = (size_t)(share * nr_times + 0.9999999);

	return times[rank ? rank - 1 : 0];
}

static void usage(FILE *to)
{
	fprintf(to,
		"usage: replies [--interval US] [--wait SECONDS] PORT\n"
		"Measures the reply times of a server on the loopback until it closes.\n"
		"  --interval  microseconds from one request to the next (5000)\n"
		"  --wait      how long to wait for the server to listen (30)\n");
}

int main(int argc, char **argv)
{
	static const struct option long_options[] = {
		{ "interval", required_argument, NULL, 'i' },
		{ "wait", required_argument, NULL, 'w' },
		{ "help", no_argument, NULL, 'h' },
		{ }
	};
	long interval = 5000;
	int seconds = 30;
	int opt;

	while ((opt = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		switch (opt) {
		case 'i':
			interval = atol(optarg);
			break;
		case 'w':
			seconds = atoi(optarg);
			break;
		case 'h':
			usage(stdout);
			return 0;
		default:
			return 2;
		}
	}
	if (interval < 1 || optind + 1 != argc) {
		usage(stderr);
		return 2;
	}
	prctl(PR_SET_TIMERSLACK, 1);
	ask(connect_to(atoi(argv[optind]), seconds), interval * 1000);

	qsort(times, nr_times, sizeof(*times), compare);
	printf("{\"replies\": %zu, \"reply_p50_ns\": %lld, \"reply_p99_ns\": %lld, \"reply_max_ns\": %lld}\n",
	       nr_times, (long long)quantile(0.5), (long long)quantile(0.99),
	       (long long)times[nr_times - 1]);
	return 0;
}
