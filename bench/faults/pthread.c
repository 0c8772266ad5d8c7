// SPDX-License-Identifier: MIT
/*
 * Random reads of a mapped file with plain threads: one for each reader.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../clock.h"
#include "pages.h"

static void *read_on(void *arg)
{
	pages_read(arg);
	return NULL;
}

int main(int argc, char **argv)
{
	struct pages pages = { 0 };
	struct reader *readers = pages_open(&pages, argc, argv);
	pthread_t *threads = calloc(pages.readers, sizeof(*threads));
	struct timespec length = {
		.tv_sec = pages.ms / 1000,
		.tv_nsec = pages.ms % 1000 * 1000000L,
	};
	int64_t begun = now();
	int i, ret;

	for (i = 0; i < pages.readers; i++) {
		ret = pthread_create(&threads[i], NULL, read_on, &readers[i]);
		if (ret) {
			fprintf(stderr, "faults: pthread_create: %s\n", strerror(ret));
			return 1;
		}
	}
	nanosleep(&length, NULL);
	__atomic_store_n(&pages.stop, 1, __ATOMIC_RELAXED);
	for (i = 0; i < pages.readers; i++)
		pthread_join(threads[i], NULL);
	pages_report(&pages, readers, "thread", now() - begun);
	free(threads);
	free(readers);
	return 0;
}
