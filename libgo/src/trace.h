/* SPDX-License-Identifier: MIT */
/*
 * The trace of the scheduler, LIBGO_DEBUG=schedtrace=<milliseconds>.
 */
#ifndef TRACE_H
#define TRACE_H

#include <stdint.h>

/* Print a line if one is due. Returns when the next one is; INT64_MAX if never. */
int64_t trace_check(void);

/* The runtime starts. */
void trace_start(void);

#endif /* TRACE_H */
