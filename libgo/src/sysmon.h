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

/* set while the monitor sleeps for long */
extern uint32_t sysmon_asleep;

void sysmon_wake_slow(void);

/* A P runs again, or a goroutine has been queued. */
static inline void sysmon_wake(void)
{
	if (__atomic_load_n(&sysmon_asleep, __ATOMIC_RELAXED))
		sysmon_wake_slow();
}

#endif /* SYSMON_H */
