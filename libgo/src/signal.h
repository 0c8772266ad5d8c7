/* SPDX-License-Identifier: MIT */
/*
 * Signals as elements of channels.
 */
#ifndef SIGNAL_H
#define SIGNAL_H

/* The runtime stops: give every signal the action that it had. Not from an M. */
void signals_end(void);

/* In a child of fork(): likewise, but the thread that sends is not there. */
void signals_forked(void);

#endif /* SIGNAL_H */
