/* SPDX-License-Identifier: MIT */
/*
 * Select, and the timed forms of send and receive, which are selects of one.
 */
#ifndef SELECT_H
#define SELECT_H

#include <go.h>

/* Send or receive until a deadline: what go_chan_send_until() returns. */
int select_one(struct go_case *c, int64_t deadline);

#endif /* SELECT_H */
