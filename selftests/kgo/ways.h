/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Ways to block in the kernel, each with the way to end that block from another
 * thread. Nothing else ends it: neither a timer nor a limit.
 */
#ifndef WAYS_H
#define WAYS_H

#include <linux/futex.h>
#include <linux/userfaultfd.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/wait.h>
#include "m_thread.h"

struct block;

/**
 * struct way - a way to block
 * @prepare: 0 or a negative errno
 * @block: called by the thread that is to block
 * @unblock: called by another thread, again and again until the block is over
 */
struct way {
	int (*prepare)(struct block *b);
	void (*block)(struct block *b);
	void (*unblock)(struct block *b);
};

/**
 * struct block - one block
 * @way: the way
 * @tid: the thread that blocks
 * @over: set by that thread after the block
 * @fd: two file descriptors, of what depends on the way
 * @futex: zero until the block is to end
 * @page: a missing page
 */
struct block {
	const struct way *way;
	pid_t tid;
	bool over;
	int fd[2];
	__u32 futex;
	char *page;
};

static inline int prepare_nothing(struct block *b)
{
	signals_interrupt(SIGUSR2, 0);
	b->fd[0] = -1;
	b->fd[1] = -1;
	return 0;
}

/* nanosleep, ended by a signal */
static inline void block_nanosleep(struct block *b)
{
	struct timespec hours = { .tv_sec = 100000 };

	(void)b;
	nanosleep(&hours, NULL);
}

static inline void unblock_by_signal(struct block *b)
{
	syscall(SYS_tgkill, getpid(), b->tid, SIGUSR2);
}

static const struct way way_nanosleep = {
	prepare_nothing, block_nanosleep, unblock_by_signal,
};

/* read of a pipe */
static inline int prepare_pipe(struct block *b)
{
	return pipe2(b->fd, O_CLOEXEC) ? -errno : 0;
}

static inline void block_pipe(struct block *b)
{
	char byte;

	while (read(b->fd[0], &byte, 1) < 0 && errno == EINTR)
		;
}

static inline void unblock_pipe(struct block *b)
{
	if (write(b->fd[1], "", 1) != 1)
		perror("pipe");
}

static const struct way way_pipe = {
	prepare_pipe, block_pipe, unblock_pipe,
};

/* futex wait */
static inline void block_futex(struct block *b)
{
	while (!load(&b->futex))
		syscall(SYS_futex, &b->futex, FUTEX_WAIT_PRIVATE, 0, NULL,
			NULL, 0);
}

static inline void unblock_futex(struct block *b)
{
	store(&b->futex, 1);
	syscall(SYS_futex, &b->futex, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL,
		0);
}

static const struct way way_futex = {
	prepare_nothing, block_futex, unblock_futex,
};

/* page fault, served by userfaultfd */
static inline int prepare_fault(struct block *b)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register range = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	long size = sysconf(_SC_PAGESIZE);

	b->fd[1] = -1;
	b->fd[0] = syscall(SYS_userfaultfd, O_CLOEXEC);
	if (b->fd[0] < 0)
		return -errno;
	b->page = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (b->page == MAP_FAILED)
		return -errno;
	range.range.start = (uintptr_t)b->page;
	range.range.len = size;
	if (ioctl(b->fd[0], UFFDIO_API, &api) ||
	    ioctl(b->fd[0], UFFDIO_REGISTER, &range))
		return -errno;
	return 0;
}

static inline void block_fault(struct block *b)
{
	store(b->page, 1);
}

static inline void unblock_fault(struct block *b)
{
	struct uffdio_zeropage page = {
		.range.start = (uintptr_t)b->page,
		.range.len = sysconf(_SC_PAGESIZE),
	};

	ioctl(b->fd[0], UFFDIO_ZEROPAGE, &page);
}

static const struct way way_fault = {
	prepare_fault, block_fault, unblock_fault,
};

/* the same fault, taken by the kernel inside a system call */
static inline void block_fault_in_call(struct block *b)
{
	syscall(SYS_clock_gettime, CLOCK_MONOTONIC, b->page);
}

static const struct way way_fault_in_call = {
	prepare_fault, block_fault_in_call, unblock_fault,
};

/* flock, held over another open file */
static inline int prepare_flock(struct block *b)
{
	char path[] = "/tmp/kgo-flock-XXXXXX";

	b->fd[0] = mkstemp(path);
	if (b->fd[0] < 0)
		return -errno;
	b->fd[1] = open(path, O_RDWR | O_CLOEXEC);
	unlink(path);
	if (b->fd[1] < 0 || flock(b->fd[1], LOCK_EX))
		return -errno;
	return 0;
}

static inline void block_flock(struct block *b)
{
	while (flock(b->fd[0], LOCK_EX) && errno == EINTR)
		;
}

static inline void unblock_flock(struct block *b)
{
	flock(b->fd[1], LOCK_UN);
}

static const struct way way_flock = {
	prepare_flock, block_flock, unblock_flock,
};

/* epoll_wait on an eventfd */
static inline int prepare_epoll(struct block *b)
{
	struct epoll_event event = { .events = EPOLLIN };

	b->fd[0] = epoll_create1(EPOLL_CLOEXEC);
	b->fd[1] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (b->fd[0] < 0 || b->fd[1] < 0 ||
	    epoll_ctl(b->fd[0], EPOLL_CTL_ADD, b->fd[1], &event))
		return -errno;
	return 0;
}

static inline void block_epoll(struct block *b)
{
	struct epoll_event event;

	while (epoll_wait(b->fd[0], &event, 1, -1) < 0 && errno == EINTR)
		;
}

static inline void unblock_epoll(struct block *b)
{
	eventfd_write(b->fd[1], 1);
}

static const struct way way_epoll = {
	prepare_epoll, block_epoll, unblock_epoll,
};

/* vfork, whose child reads a pipe: a block that signals do not end */
static inline void block_vfork(struct block *b)
{
	pid_t child = vfork();
	char byte;

	if (!child) {
		while (read(b->fd[0], &byte, 1) < 0 && errno == EINTR)
			;
		_exit(0);
	}
	while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
		;
}

static const struct way way_vfork = {
	prepare_pipe, block_vfork, unblock_pipe,
};

static inline int block_prepare(struct block *b, const struct way *way)
{
	memset(b, 0, sizeof(*b));
	b->way = way;
	return way->prepare(b);
}

/* Block until another thread unblocks. */
static inline void block(struct block *b)
{
	b->tid = syscall(SYS_gettid);
	b->way->block(b);
	store(&b->over, true);
}

/*
 * End a block: again and again, because a signal that comes before the block
 * has begun ends nothing. For a thread that may block itself.
 */
static inline bool unblock(struct block *b)
{
	return until_limit(load(&b->over),
			   { b->way->unblock(b); nap_ns(200 * 1000); });
}

#endif /* WAYS_H */
