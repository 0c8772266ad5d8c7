/* SPDX-License-Identifier: MIT */
/*
 * Handlers of signals that are libgo's while a runtime runs.
 */
#ifndef HANDLER_H
#define HANDLER_H

#include <signal.h>

/* Give the action back that was there before, unless the program has set its own meanwhile. */
static inline void handler_leave(int signo, const void *ours,
				 const struct sigaction *before)
{
	struct sigaction now;

	/* A handler with more arguments is in the same place. */
	sigaction(signo, NULL, &now);
	if (now.sa_handler == ours)
		sigaction(signo, before, NULL);
}

#endif /* HANDLER_H */
