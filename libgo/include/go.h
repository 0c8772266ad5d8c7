/* SPDX-License-Identifier: MIT */
/*
 * libgo: goroutines for C that may block anywhere.
 *
 * A function returns 0 or a count on success and a negative errno on failure;
 * errno itself is left alone. "A goroutine only" means that a plain thread
 * gets -EPERM. Times are in nanoseconds; a point in time is on the clock of
 * go_now().
 *
 * A child of fork() has no goroutines. If a runtime ran when it was made, all that
 * needs one, or needs others to go on, returns -ESRCH or NULL there. What works is
 * told in Documentation/blocking.rst.
 */
#ifndef GO_H
#define GO_H

#include <go/chan.h>
#include <go/context.h>
#include <go/errgroup.h>
#include <go/debug.h>
#include <go/io.h>
#include <go/run.h>
#include <go/semaphore.h>
#include <go/signal.h>
#include <go/stats.h>
#include <go/sync.h>
#include <go/time.h>
#include <go/typed.h>

#endif /* GO_H */
