/* SPDX-License-Identifier: MIT */
/*
 * The poller: where an M without a P sleeps until a timer is due, a file is ready that
 * somebody waits for, or somebody wakes it. One M at a time.
 */
#ifndef NETPOLL_H
#define NETPOLL_H

#include <stdbool.h>
#include <stdint.h>

struct g_list;

int netpoll_init(void);
void netpoll_destroy(void);

/* Become the poller; false if somebody is, or polling is not needed. */
bool netpoll_enter(void);

/*
 * Sleep until a point in time, INT64_MAX for ever, or until a timer is added that is before
 * @first, or netpoll_break(). Those whose files are ready are added to the list.
 */
void netpoll_sleep(int64_t first, int64_t until, struct g_list *ready);

/* Look without sleeping; anybody may. */
void netpoll_look(struct g_list *ready);

/* Does somebody wait for a file, and no M sleep here? */
bool netpoll_is_needed(void);

/* Stop being the poller. A full barrier: look for an idle P after it. */
void netpoll_leave(void);

/* A timer was started: wake the poller if it would sleep for too long. Returns
 * false if there is no poller.
 */
bool netpoll_timer_added(int64_t when);

/* Make the poller return. */
void netpoll_break(void);

/*
 * Have epoll watch a file, in both directions and for edges, under a number and its
 * generation. Returns 0; -EPERM if it is none that can be waited for; -ENOMEM; -ENOSPC.
 */
int netpoll_add(int fd, uint32_t gen);

/* Look again whether it is ready. Returns 0; -ENOENT; -EBADF. */
int netpoll_mod(int fd, uint32_t gen);

void netpoll_del(int fd);

#endif /* NETPOLL_H */
