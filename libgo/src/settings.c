// SPDX-License-Identifier: MIT
/*
 * What the environment says: variables, CPUs, the cgroup's quota.
 *
 * The monitor asks for the latter two again and again, so neither malloc() nor the C
 * library's streams are used for them: a goroutine that is stopped may have a lock of
 * theirs, and only the monitor lets it go on.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/kgo.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "compiler.h"
#include "settings.h"

/* As Go's: more threads than this are a bug or a catastrophe. */
#define MAX_THREADS_DEFAULT	10000

static uint32_t affinity_cpus(pid_t tid)
{
	/* The mask of a large machine does not fit one; kernels have up to 8,192 CPUs. */
	cpu_set_t sets[8];
	uint32_t n = 1;

	if (!sched_getaffinity(tid, sizeof(sets), sets))
		n = CPU_COUNT_S(sizeof(sets), sets);
	return n ? n : 1;
}

/* All of a file that fits, as a string. Returns whether it could be opened. */
static bool read_text(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t len = 0;
	ssize_t n;

	if (fd < 0)
		return false;
	while (len < size - 1 && (n = read(fd, text + len, size - 1 - len)) > 0)
		len += n;
	close(fd);
	text[len] = '\0';
	return true;
}

/* CPUs of a cgroup's quota, rounded up; UINT32_MAX without one. */
static uint32_t quota_cpus(long long quota, long long period)
{
	if (quota <= 0 || period <= 0)
		return UINT32_MAX;
	return (quota + period - 1) / period;
}

static bool read_of(const char *dir, const char *file, char *text, size_t size)
{
	char path[PATH_MAX + 64];

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	return read_text(path, text, size);
}

static long long read_number(const char *dir, const char *file)
{
	char text[64];
	long long n;

	return read_of(dir, file, text, sizeof(text)) &&
	       sscanf(text, "%lld", &n) == 1 ? n : -1;
}

/* The quota of one cgroup: version 2's cpu.max, or version 1's two files. */
static uint32_t cgroup_cpus(const char *dir, bool v2)
{
	long long quota, period;
	char text[64];

	if (!v2)
		return quota_cpus(read_number(dir, "cpu.cfs_quota_us"),
				  read_number(dir, "cpu.cfs_period_us"));
	if (!read_of(dir, "cpu.max", text, sizeof(text)) ||
	    sscanf(text, "%lld %lld", &quota, &period) != 2)
		return UINT32_MAX;
	return quota_cpus(quota, period);
}

/* The least quota of a cgroup and of those above it. */
static uint32_t cgroup_path_cpus(const char *mount, char *group, bool v2)
{
	uint32_t least = UINT32_MAX;

	for (;;) {
		char dir[PATH_MAX];
		uint32_t n;
		char *slash;

		snprintf(dir, sizeof(dir), "%s%s", mount, group);
		n = cgroup_cpus(dir, v2);
		if (n < least)
			least = n;
		slash = strrchr(group, '/');
		if (!slash)
			return least;
		*slash = '\0';
	}
}

static bool has_controller(const char *list, const char *name)
{
	size_t len = strlen(name);
	const char *p = list;

	while ((p = strstr(p, name))) {
		if ((p == list || p[-1] == ',') &&
		    (p[len] == '\0' || p[len] == ','))
			return true;
		p += len;
	}
	return false;
}

/* Of a line of /proc/self/cgroup: ID:CONTROLLERS:GROUP, no controllers in version 2. */
static uint32_t cgroup_line_cpus(char *line)
{
	char *list = strchr(line, ':');
	char *group = list ? strchr(list + 1, ':') : NULL;

	if (!group)
		return UINT32_MAX;
	*group++ = '\0';
	list++;
	if (!*list)
		return cgroup_path_cpus("/sys/fs/cgroup", group, true);
	if (has_controller(list, "cpu"))
		return cgroup_path_cpus("/sys/fs/cgroup/cpu", group, false);
	return UINT32_MAX;
}

static uint32_t cgroup_quota(void)
{
	/* version 1 has a line for each of a dozen controllers */
	char text[4 * PATH_MAX], *rest = text, *line;
	uint32_t least = UINT32_MAX;

	if (!read_text("/proc/self/cgroup", text, sizeof(text)))
		return least;
	while ((line = strsep(&rest, "\n"))) {
		uint32_t n = cgroup_line_cpus(line);

		if (n < least)
			least = n;
	}
	return least;
}

/* A number from the environment; the default if it is not set. */
static int env_number(const char *name, uint32_t max, uint32_t *value)
{
	const char *s = getenv(name);
	char *end;
	long n;

	if (!s || !*s)
		return 0;
	errno = 0;
	n = strtol(s, &end, 10);
	if (errno || *end || n < 1 || n > (long)max) {
		fprintf(stderr, "libgo: %s=%s: want a number from 1 to %u\n",
			name, s, max);
		return -EINVAL;
	}
	*value = n;
	return 0;
}

static int env_assist(enum assist_choice *choice)
{
	const char *s = getenv("LIBGO_ASSIST");

	if (!s || !*s || !strcmp(s, "auto")) {
		*choice = ASSIST_AUTO;
	} else if (!strcmp(s, "module")) {
		*choice = ASSIST_MODULE;
	} else if (!strcmp(s, "standin")) {
		*choice = ASSIST_STANDIN;
	} else {
		fprintf(stderr,
			"libgo: LIBGO_ASSIST=%s: want auto, module or standin\n",
			s);
		return -EINVAL;
	}
	return 0;
}

uint32_t settings_procs(pid_t tid)
{
	uint32_t n = affinity_cpus(tid), quota = cgroup_quota();

	if (n > quota)
		n = quota;
	return n > KGO_MAX_P ? KGO_MAX_P : n;
}

/* LIBGO_DEBUG is a list of name=number, separated by commas. */
static int env_debug(struct settings *s)
{
	const struct {
		const char *name;
		uint32_t max;
		uint32_t *value;
	} known[] = {
		{ "hold=", 1, &s->hold },
		{ "sigquit=", 1, &s->sigquit },
		{ "deadlock=", 1, &s->deadlock },
		{ "schedtrace=", 3600000, &s->schedtrace },
	};
	const char *list = getenv("LIBGO_DEBUG");
	const char *p = list;

	while (p && *p) {
		unsigned long n = ULONG_MAX;
		char *end = NULL;
		size_t i;

		for (i = 0; i < ARRAY_SIZE(known); i++) {
			size_t len = strlen(known[i].name);

			if (strncmp(p, known[i].name, len))
				continue;
			/* No sign, and no blank. */
			if (isdigit((unsigned char)p[len]))
				n = strtoul(p + len, &end, 10);
			break;
		}
		if (!end || (*end && *end != ',') || n > known[i].max) {
			fprintf(stderr,
				"libgo: LIBGO_DEBUG=%s: can't make sense of %s\n",
				list, p);
			return -EINVAL;
		}
		*known[i].value = n;
		p = *end ? end + 1 : end;
	}
	return 0;
}

int settings_read(struct settings *s)
{
	const char *set = getenv("GOMAXPROCS");
	int ret;

	s->cpus = affinity_cpus(0);
	s->procs = settings_procs(0);
	s->procs_set = set && *set;
	s->max_threads = MAX_THREADS_DEFAULT;
	s->hold = true;
	s->sigquit = true;
	s->deadlock = true;
	s->schedtrace = 0;

	ret = env_number("GOMAXPROCS", KGO_MAX_P, &s->procs);
	if (!ret)
		ret = env_number("LIBGO_MAXTHREADS", KGO_MAX_M - 1,
				 &s->max_threads);
	if (!ret)
		ret = env_assist(&s->assist);
	if (!ret)
		ret = env_debug(s);
	return ret;
}
