// SPDX-License-Identifier: MIT
/*
 * What a block costs with no other work: context switches, all of them.
 *
 * The main goroutine sleeps in the kernel many times; there is nothing else to
 * run. Two switches a block is the least there can be: from A to the idle task
 * and back. A runtime that wakes a thread at each block to look after the
 * processor pays two more.
 *
 * Counted are the switches of the whole machine (ctxt in /proc/stat), less
 * those that an idle machine makes in the same time: they include the ones of
 * kernel threads and of the idle task that a runtime causes, which no sum over
 * its own threads would. The rate of the idle machine is measured with --idle
 * just before, by another process, so that no runtime's own threads are in it.
 * The sum over the process's threads (those that left the CPU, which is half of
 * all switches at best) is printed as well.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <go.h>

static long blocks = 10000;
static long length = 200;	/* microseconds */
static double idle_rate;	/* switches per second */
static bool failed;

static void die(const char *what)
{
	fprintf(stderr, "block: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* Read a small file of /proc; @text has room for @size. */
static bool read_proc(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return false;
	n = read(fd, text, size - 1);
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	return n > 0;
}

static long long number_after(const char *text, const char *name)
{
	const char *at = strstr(text, name);

	return at ? atoll(at + strlen(name)) : 0;
}

static long long switches_of_machine(void)
{
	static char text[65536];

	if (!read_proc("/proc/stat", text, sizeof(text)))
		die("/proc/stat");
	return number_after(text, "\nctxt ");
}

static long long switches_of_process(void)
{
	char path[300], text[4096];
	long long sum = 0;
	struct dirent *entry;
	DIR *dir = opendir("/proc/self/task");

	if (!dir)
		die("/proc/self/task");
	while ((entry = readdir(dir))) {
		snprintf(path, sizeof(path), "/proc/self/task/%s/status",
			 entry->d_name);
		if (entry->d_name[0] == '.' ||
		    !read_proc(path, text, sizeof(text)))
			continue;
		sum += number_after(text, "\nvoluntary_ctxt_switches:");
		sum += number_after(text, "\nnonvoluntary_ctxt_switches:");
	}
	closedir(dir);
	return sum;
}

static void block(void *arg)
{
	struct timespec ts = { length / 1000000, length % 1000000 * 1000 };
	struct go_stats stats;
	long long machine, process;
	int64_t start;
	double seconds;
	long i;

	(void)arg;
	if (go_stats_read(&stats)) {
		failed = true;
		return;
	}
	process = switches_of_process();
	machine = switches_of_machine();
	start = go_now();
	for (i = 0; i < blocks; i++)
		syscall(SYS_nanosleep, &ts, NULL);
	seconds = (double)(go_now() - start) / GO_SECOND;
	machine = switches_of_machine() - machine;
	process = switches_of_process() - process;

	printf("{\"runtime\": \"%s\", \"procs\": %u, \"blocks\": %ld, \"seconds\": %.3f, \"switches_per_block\": %.4f, \"of_process\": %.4f, \"idle_per_second\": %.1f}\n",
	       strcmp(stats.assist, "module") ? "fallback" : "kgo",
	       stats.procs, blocks, seconds,
	       (machine - idle_rate * seconds) / blocks,
	       (double)process / blocks, idle_rate);
}

static void measure_idle(int seconds)
{
	long long machine = switches_of_machine();

	sleep(seconds);
	printf("%.1f\n",
	       (double)(switches_of_machine() - machine) / seconds);
}

static void usage(FILE *to)
{
	fprintf(to,
		"usage: block [--blocks N] [--length US] [--idle-rate PER_SECOND]\n"
		"       block --idle SECONDS\n"
		"Counts context switches per block of the only goroutine there is.\n"
		"  --blocks     how many (10000)\n"
		"  --length     of a block, microseconds (200)\n"
		"  --idle-rate  what --idle has printed: switches of an idle machine\n"
		"  GOMAXPROCS   in the environment: processors\n");
}

int main(int argc, char **argv)
{
	static const struct option long_options[] = {
		{ "blocks", required_argument, NULL, 'b' },
		{ "length", required_argument, NULL, 'l' },
		{ "idle-rate", required_argument, NULL, 'r' },
		{ "idle", required_argument, NULL, 'i' },
		{ "help", no_argument, NULL, 'h' },
		{ }
	};
	int opt, err;

	while ((opt = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		switch (opt) {
		case 'b':
			blocks = atol(optarg);
			break;
		case 'l':
			length = atol(optarg);
			break;
		case 'r':
			idle_rate = atof(optarg);
			break;
		case 'i':
			measure_idle(atoi(optarg));
			return 0;
		case 'h':
			usage(stdout);
			return 0;
		default:
			return 2;
		}
	}
	if (blocks < 1 || length < 1 || optind < argc) {
		usage(stderr);
		return 2;
	}
	err = go_run(block, NULL);
	if (err) {
		fprintf(stderr, "block: go_run: %s\n", strerror(-err));
		return 1;
	}
	return failed;
}
