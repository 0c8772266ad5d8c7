// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "job.h"

#define RECORD	1000

static int open_file(int worker, int flags)
{
	char path[4096];
	int fd;

	snprintf(path, sizeof(path), "%s/%d", job_target, worker);
	fd = open(path, flags | O_CLOEXEC, 0644);
	if (fd < 0)
		job_fail("%s: %s", path, strerror(errno));
	return fd;
}

static void record_of(int worker, int round, char *record)
{
	memset(record, 'a' + worker % 26, RECORD);
	snprintf(record, RECORD, "%d %d", worker, round);
}

static void prepare(const struct job *job)
{
	(void)job;
	if (mkdir(job_target, 0755) && errno != EEXIST)
		job_fail("%s: %s", job_target, strerror(errno));
}

static void work(const struct job *job, int worker)
{
	int fd = open_file(worker, O_WRONLY | O_CREAT | O_TRUNC), i;
	char record[RECORD];

	for (i = 0; i < job->rounds; i++) {
		record_of(worker, i, record);
		if (write(fd, record, RECORD) != RECORD || fsync(fd))
			job_fail("file %d: %s", worker, strerror(errno));
	}
	close(fd);
}

static void verify(const struct job *job)
{
	char record[RECORD], want[RECORD];
	int worker, i, fd;

	for (worker = 0; worker < job->workers; worker++) {
		fd = open_file(worker, O_RDONLY);
		for (i = 0; i < job->rounds; i++) {
			record_of(worker, i, want);
			if (read(fd, record, RECORD) != RECORD ||
			    memcmp(record, want, RECORD))
				job_fail("file %d: record %d is not what it was",
					 worker, i);
		}
		if (read(fd, record, 1))
			job_fail("file %d: there is more", worker);
		close(fd);
	}
}

int main(int argc, char **argv)
{
	struct job job = {
		.name = "files",
		.about = "Each worker appends records to a file of its own, which is synced each\n"
			 "time. No library but C's: bench/go/files does the same in Go.",
		.target = "FOLDER          where the files are made",
		.workers = 64,
		.rounds = 4,
		.prepare = prepare,
		.work = work,
		.verify = verify,
	};

	return job_main(&job, argc, argv);
}
