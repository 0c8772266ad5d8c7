/* SPDX-License-Identifier: MIT */
/*
 * The report that all goroutines are asleep.
 */
#ifndef DEADLOCK_H
#define DEADLOCK_H

#include <stdint.h>

/**
 * enum deadlock - can any goroutine ever run again?
 * @DEADLOCK_NOT: as far as one can tell, yes
 * @DEADLOCK_UNLESS: only if a plain thread readies one, or an M that has not parked
 *	does not do so next
 * @DEADLOCK: no
 */
enum deadlock {
	DEADLOCK_NOT,
	DEADLOCK_UNLESS,
	DEADLOCK,
};

/* A number that changes when a P begins or ceases to run. */
uint64_t p_words_sum(void);

/* No P runs. The monitor only. */
enum deadlock deadlock_look(void);

/* Say so, dump all goroutines, and end the program with status 2, as in Go. */
__attribute__((noreturn)) void deadlock_report(void);

#endif /* DEADLOCK_H */
