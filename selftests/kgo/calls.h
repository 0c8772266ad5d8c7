/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The calls of /dev/kgo, one function each. They return 0 or a negative errno.
 *
 * Each poisons its structure first, so what the kernel should not look at is
 * garbage, and what a failed call should not have written is still POISON.
 */
#ifndef CALLS_H
#define CALLS_H

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <linux/kgo.h>

#define POISON		0xccccccccU
#define poison(args)	memset(&(args), 0xcc, sizeof(args))

static inline int kgo_open(void)
{
	return open("/dev/kgo", O_RDWR | O_CLOEXEC);
}

static inline int kgo_call(int fd, unsigned long request, void *args)
{
	int ret = ioctl(fd, request, args);

	return ret < 0 ? -errno : ret;
}

static inline int kgo_set_up_as(int fd, __u32 flags, __u32 nr_p, __u32 nr_m,
				__u32 spare_low, struct kgo_setup *args)
{
	poison(*args);
	args->size = sizeof(*args);
	args->flags = flags;
	args->nr_p = nr_p;
	args->nr_m = nr_m;
	args->spare_low = spare_low;
	return kgo_call(fd, KGO_IOC_SETUP, args);
}

static inline int kgo_set_up(int fd, __u32 nr_p, __u32 nr_m, __u32 spare_low,
			     struct kgo_setup *args)
{
	return kgo_set_up_as(fd, 0, nr_p, nr_m, spare_low, args);
}

static inline int kgo_enter(int fd, __u32 *m)
{
	struct kgo_enter args;
	int ret;

	poison(args);
	args.size = sizeof(args);
	args.flags = 0;
	args.reserved = 0;
	ret = kgo_call(fd, KGO_IOC_ENTER, &args);
	*m = args.m;
	return ret;
}

static inline int kgo_leave(int fd)
{
	return kgo_call(fd, KGO_IOC_LEAVE, NULL);
}

static inline int kgo_park(int fd, __u32 *p, __u32 *reason)
{
	struct kgo_park args;
	int ret;

	poison(args);
	args.size = sizeof(args);
	args.flags = 0;
	ret = kgo_call(fd, KGO_IOC_PARK, &args);
	*p = args.p;
	*reason = args.reason;
	return ret;
}

static inline int kgo_wake(int fd, __u32 p, __u32 flags, __u32 *m)
{
	struct kgo_wake args;
	int ret;

	poison(args);
	args.size = sizeof(args);
	args.flags = flags;
	args.p = p;
	ret = kgo_call(fd, KGO_IOC_WAKE, &args);
	*m = args.m;
	return ret;
}

static inline int kgo_pass(int fd, __u32 p, __u32 *m)
{
	struct kgo_pass args;
	int ret;

	poison(args);
	args.size = sizeof(args);
	args.flags = 0;
	args.p = p;
	ret = kgo_call(fd, KGO_IOC_PASS, &args);
	*m = args.m;
	return ret;
}

static inline int kgo_wait(int fd, __u32 wanted, __u32 *happened)
{
	struct kgo_wait args;
	int ret;

	poison(args);
	args.size = sizeof(args);
	args.events = wanted;
	ret = kgo_call(fd, KGO_IOC_WAIT, &args);
	*happened = args.events;
	return ret;
}

static inline int kgo_stats(int fd, struct kgo_stats *args)
{
	poison(*args);
	args->size = sizeof(*args);
	args->reserved = 0;
	return kgo_call(fd, KGO_IOC_STATS, args);
}

#endif /* CALLS_H */
