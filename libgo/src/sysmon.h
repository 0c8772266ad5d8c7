/* SPDX-License-Identifier: MIT */
/*
 * The monitor: a thread without a P that looks at the runtime from outside.
 */
#ifndef SYSMON_H
#define SYSMON_H

#include <stdbool.h>
#include <stdint.h>

int sysmon_start(void);
void sysmon_join(void);

/* Who ends the monitor's sleep. */
enum {
	SYSMON_BY_NOBODY,	/* it is awake, or wakes soon by itself */
	SYSMON_BY_URGENT,	/* sysmon_wake_urgent() */
	SYSMON_BY_ANY,		/* sysmon_wake(), too */
};

extern uint32_t sysmon_sleep_ends;

void sysmon_wake_slow(void);

/* A P runs again, or a goroutine has been queued. */
static inline void sysmon_wake(void)
{
	if (__atomic_load_n(&sysmon_sleep_ends, __ATOMIC_RELAXED) == SYSMON_BY_ANY)
		sysmon_wake_slow();
}

/* There is something that only the monitor sees to, and its next look may be late for. */
static inline void sysmon_wake_urgent(void)
{
	if (__atomic_load_n(&sysmon_sleep_ends, __ATOMIC_RELAXED) != SYSMON_BY_NOBODY)
		sysmon_wake_slow();
}

#endif /* SYSMON_H */
