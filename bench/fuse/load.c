// SPDX-License-Identifier: MIT
/*
 * Clients of a FUSE server that ask for the attributes of its root, one after the
 * other, or after a pause. Says how often, and how long it took.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../clock.h"
#include "latency.h"

static struct latencies latencies;
static const char *mountpoint;
static int64_t end;
static int pause_us;

static void *ask(void *arg)
{
	struct stat st;
	int64_t from, to = 0;

	(void)arg;
	while (to < end) {
		from = now();
		if (stat(mountpoint, &st)) {
			fprintf(stderr, "load: %s: %s\n", mountpoint, strerror(errno));
			exit(1);
		}
		to = now();
		latencies_add(&latencies, to - from);
		if (pause_us)
			usleep(pause_us);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t *threads;
	int clients, ms, i;
	int64_t begun;

	if (argc != 5 || sscanf(argv[2], "clients=%d", &clients) != 1 ||
	    sscanf(argv[3], "pause_us=%d", &pause_us) != 1 ||
	    sscanf(argv[4], "ms=%d", &ms) != 1) {
		fprintf(stderr, "usage: %s MOUNTPOINT clients=N pause_us=N ms=N\n",
			argv[0]);
		return 2;
	}
	mountpoint = argv[1];
	threads = calloc(clients, sizeof(*threads));
	begun = now();
	end = begun + ms * INT64_C(1000000);
	for (i = 0; i < clients; i++) {
		if (pthread_create(&threads[i], NULL, ask, NULL)) {
			fprintf(stderr, "load: no thread\n");
			return 1;
		}
	}
	for (i = 0; i < clients; i++)
		pthread_join(threads[i], NULL);
	printf("{\"clients\": %d, \"pause_us\": %d, \"ns\": %lld, ", clients,
	       pause_us, (long long)(now() - begun));
	latencies_print(&latencies);
	printf("}\n");
	free(threads);
	return 0;
}
