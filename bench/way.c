// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/userfaultfd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "way.h"

#define SECOND	1000000000LL
#define PAGE	4096

const char *const way_names[NR_WAYS] = {
	"nanosleep", "pipe", "futex", "userfault", "disk", "flock"
};

static void die(const char *what)
{
	fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, what,
		strerror(errno));
	exit(1);
}

int64_t way_now(void)
{
	return now();
}

/* ---- the foreign process --------------------------------------------- */

/* Put the descriptors where foreign.h has them, and become it. */
static void exec_foreign(const struct way_options *o, const int *given)
{
	char rate[32];
	int high[FOREIGN_FILE + 1];
	int fd;

	for (fd = FOREIGN_COMMAND; fd <= FOREIGN_FILE; fd++)
		high[fd] = fcntl(given[fd], F_DUPFD_CLOEXEC, FOREIGN_FILE + 1);
	for (fd = FOREIGN_COMMAND; fd <= FOREIGN_FILE; fd++)
		if (high[fd] < 0 || dup2(high[fd], fd) < 0)
			die("descriptors of the foreign process");
	snprintf(rate, sizeof(rate), "%lld", o->rate);
	execl(o->foreign, "foreign", rate, NULL);
	die(o->foreign);
}

static void start_foreign(struct blocking_way *w, const struct way_options *o,
			  int *given)
{
	int command[2];
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int fd;

	if (null < 0 || pipe2(command, O_CLOEXEC))
		die("pipe");
	given[FOREIGN_COMMAND] = command[0];
	given[FOREIGN_PAGE] = memfd_create("foreign", MFD_CLOEXEC);
	if (given[FOREIGN_PAGE] < 0 || ftruncate(given[FOREIGN_PAGE], PAGE))
		die("memfd");
	w->page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED,
		       given[FOREIGN_PAGE], 0);
	if (w->page == MAP_FAILED)
		die("the shared page");

	w->foreign = fork();
	if (w->foreign < 0)
		die("fork");
	if (w->foreign == 0) {
		for (fd = FOREIGN_COMMAND; fd <= FOREIGN_FILE; fd++)
			if (given[fd] < 0)
				given[fd] = null;
		exec_foreign(o, given);
	}
	w->command = command[1];
	for (fd = FOREIGN_COMMAND; fd <= FOREIGN_FILE; fd++)
		if (given[fd] >= 0)
			close(given[fd]);
	close(null);
}

/* ---- what each way needs ------------------------------------------------ */

static void open_pipe(struct blocking_way *w, int *given)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC))
		die("pipe");
	w->fd = fds[0];
	given[FOREIGN_PIPE] = fds[1];
}

static void open_userfault(struct blocking_way *w, int *given)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY);

	if (fd < 0 || ioctl(fd, UFFDIO_API, &api))
		die("userfaultfd");
	w->fault = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (w->fault == MAP_FAILED)
		die("memory");
	reg.range.start = (uintptr_t)w->fault;
	reg.range.len = PAGE;
	if (ioctl(fd, UFFDIO_REGISTER, &reg))
		die("UFFDIO_REGISTER");
	given[FOREIGN_UFFD] = fd;
}

static void open_disk(struct blocking_way *w, const struct way_options *o,
		      int *given)
{
	struct stat st;

	if (!o->disk || o->rate <= 0) {
		fprintf(stderr, "%s: the way 'disk' needs --disk and --rate\n",
			program_invocation_short_name);
		exit(2);
	}
	w->fd = open(o->disk, O_RDONLY | O_CLOEXEC);
	given[FOREIGN_FILE] = open(o->disk, O_RDONLY | O_DIRECT | O_CLOEXEC);
	if (w->fd < 0 || given[FOREIGN_FILE] < 0 || fstat(w->fd, &st))
		die(o->disk);
	w->size = st.st_size;
	/* nothing of it cached, and no page but the one that is asked for */
	posix_fadvise(w->fd, 0, 0, POSIX_FADV_RANDOM);
	posix_fadvise(w->fd, 0, 0, POSIX_FADV_DONTNEED);
}

static void open_flock(struct blocking_way *w, int *given)
{
	char path[] = "/tmp/handoff.XXXXXX";

	w->fd = mkostemp(path, O_CLOEXEC);
	if (w->fd < 0)
		die(path);
	given[FOREIGN_FILE] = open(path, O_RDONLY | O_CLOEXEC);
	if (given[FOREIGN_FILE] < 0)
		die(path);
	unlink(path);
}

void way_open(struct blocking_way *w, const struct way_options *o,
	      int64_t delay)
{
	int given[FOREIGN_FILE + 1];

	memset(given, -1, sizeof(given));
	memset(w, 0, sizeof(*w));
	w->way = o->way;
	w->delay = delay;
	switch (w->way) {
	case WAY_PIPE:
		open_pipe(w, given);
		break;
	case WAY_USERFAULT:
		open_userfault(w, given);
		break;
	case WAY_DISK:
		open_disk(w, o, given);
		break;
	case WAY_FLOCK:
		open_flock(w, given);
		break;
	default:
		break;
	}
	if (w->way != WAY_NANOSLEEP)
		start_foreign(w, o, given);
}

/* ---- a round ------------------------------------------------------------- */

void way_arm(struct blocking_way *w, int64_t start)
{
	struct foreign_command cmd = {
		.way = w->way,
		.seq = ++w->seq,
		.start = start,
		.delay = w->delay,
	};

	if (!w->foreign)
		return;
	if (w->way == WAY_USERFAULT)
		cmd.address = (uintptr_t)w->fault;
	if (write(w->command, &cmd, sizeof(cmd)) != sizeof(cmd))
		die("the foreign process is gone");
}

void way_wait_armed(const struct blocking_way *w)
{
	if (!w->foreign)
		return;
	while (__atomic_load_n(&w->page->armed, __ATOMIC_ACQUIRE) != w->seq)
		;
}

void way_block(struct blocking_way *w)
{
	struct timespec ts = { w->delay / SECOND, w->delay % SECOND };
	char byte;

	switch (w->way) {
	case WAY_NANOSLEEP:
		syscall(SYS_nanosleep, &ts, NULL);
		break;
	case WAY_PIPE:
		if (read(w->fd, &byte, 1) != 1)
			die("reading the pipe");
		break;
	case WAY_FUTEX:
		while (!__atomic_load_n(&w->page->futex, __ATOMIC_ACQUIRE))
			syscall(SYS_futex, &w->page->futex, FUTEX_WAIT, 0, NULL,
				NULL, 0);
		break;
	case WAY_USERFAULT:
		(void)__atomic_load_n(w->fault, __ATOMIC_RELAXED);
		break;
	case WAY_DISK:
		if (pread(w->fd, &byte, 1, w->offset) != 1)
			die("reading the disk");
		break;
	case WAY_FLOCK:
		if (flock(w->fd, LOCK_EX))
			die("flock");
		break;
	default:
		break;
	}
}

void way_after(struct blocking_way *w)
{
	switch (w->way) {
	case WAY_USERFAULT:
		if (madvise(w->fault, PAGE, MADV_DONTNEED))
			die("MADV_DONTNEED");
		break;
	case WAY_DISK:
		w->offset = (w->offset + PAGE) % w->size;
		break;
	case WAY_FLOCK:
		flock(w->fd, LOCK_UN);
		break;
	default:
		break;
	}
}

void way_close(struct blocking_way *w)
{
	int status;

	if (!w->foreign)
		return;
	close(w->command);
	waitpid(w->foreign, &status, 0);
}
