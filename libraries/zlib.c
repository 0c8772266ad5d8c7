// SPDX-License-Identifier: MIT
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "job.h"

#define SIZE	(128 * 1024)

/* Computes, and makes no call of libgo: others run because it is stopped. */
static void work(const struct job *job, int worker)
{
	uLongf bound = compressBound(SIZE), length, back;
	unsigned char *text = malloc(SIZE), *packed = malloc(bound);
	unsigned char *again = malloc(SIZE);
	unsigned int random = worker;
	int i, j;

	if (!text || !packed || !again)
		job_fail("no memory");
	for (i = 0; i < job->rounds; i++) {
		for (j = 0; j < SIZE; j++)
			text[j] = "0123456789abcdef"[rand_r(&random) >> 8 & 15];
		length = bound;
		back = SIZE;
		if (compress2(packed, &length, text, SIZE, 9) != Z_OK ||
		    uncompress(again, &back, packed, length) != Z_OK)
			job_fail("zlib has failed");
		if (back != SIZE || memcmp(text, again, SIZE))
			job_fail("it is not what it was");
	}
	free(again);
	free(packed);
	free(text);
}

int main(int argc, char **argv)
{
	struct job job = {
		.name = "zlib",
		.about = "Each worker compresses text, and looks whether it comes out again.",
		.workers = 16,
		.rounds = 4,
		.work = work,
	};

	return job_main(&job, argc, argv);
}
