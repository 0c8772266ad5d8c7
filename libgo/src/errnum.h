/* SPDX-License-Identifier: MIT */
/*
 * errno, where a goroutine may have come to another thread since it was used last. A
 * compiler keeps the address that it has found, so it must not see it: these are not
 * inlined. They are for functions that wait, and for all that may be inlined there.
 */
#ifndef ERRNUM_H
#define ERRNUM_H

#include <errno.h>

static __attribute__((noinline, unused)) int errno_read(void)
{
	return errno;
}

static __attribute__((noinline, unused)) void errno_write(int err)
{
	errno = err;
}

#endif /* ERRNUM_H */
