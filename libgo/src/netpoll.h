/* SPDX-License-Identifier: MIT */
/*
 * The poller: where an M without a P sleeps until a timer is due or somebody
 * wakes it. One M at a time.
 */
#ifndef NETPOLL_H
#define NETPOLL_H

#include <stdbool.h>
#include <stdint.h>

int netpoll_init(void);
void netpoll_destroy(void);

/* Become the poller; false if somebody is, or polling is not needed. */
bool netpoll_enter(void);

/* Sleep until a point in time, INT64_MAX for ever, or until netpoll_break(). */
void netpoll_sleep(int64_t until);

/* Stop being the poller. A full barrier: look for an idle P after it. */
void netpoll_leave(void);

/* A timer was started: wake the poller if it would sleep for too long. Returns
 * false if there is no poller.
 */
bool netpoll_timer_added(int64_t when);

/* Make the poller return. */
void netpoll_break(void);

#endif /* NETPOLL_H */
