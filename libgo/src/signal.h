/* SPDX-License-Identifier: MIT */
/*
 * Signals as elements of channels.
 */
#ifndef SIGNAL_H
#define SIGNAL_H

#include <stdbool.h>

/* There is a thread that sends, but no channel that it would send to. */
bool signals_rest(void);

/* The runtime stops: give every signal the action that it had. Not from an M. */
void signals_end(void);

/* In a child of fork(): likewise, but the thread that sends is not there. */
void signals_forked(void);

#endif /* SIGNAL_H */
