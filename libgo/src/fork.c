// SPDX-License-Identifier: MIT
/*
 * How a child of fork() learns that it is one.
 */
#include <pthread.h>

#include "fork.h"
#include "polldesc.h"
#include "runtime.h"
#include "signal.h"
#include "start.h"
#include "wait.h"

bool forked;

static int watch_result;

/* In the child, before fork() returns. */
static void fork_child(void)
{
	/* What it points to may lead to the module's pages. */
	m_tls = NULL;
	/* The threads that were in a call are not there. */
	thread_calls = 0;
	solo_over();
	waitq_locks_forked();
	if (!run_active()) {
		poll_forked();
		return;
	}
	forked = true;
	rt.running = 0;
	signals_forked();
}

/* As early as can be: handlers run in the order in which they were added. */
static __attribute__((constructor)) void fork_watch(void)
{
	watch_result = -pthread_atfork(NULL, NULL, fork_child);
}

int fork_watched(void)
{
	return watch_result;
}
