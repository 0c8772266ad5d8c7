/* SPDX-License-Identifier: MIT */
#ifndef FUTEX_H
#define FUTEX_H

#include <stdbool.h>
#include <stdint.h>

/* Wait while *word is val, for ns nanoseconds at most, for ever if negative. */
void futex_wait(uint32_t *word, uint32_t val, int64_t ns);

/* Wake n threads that wait on word. */
void futex_wake(uint32_t *word, int n);

/* Wait that long, whatever happens: for what nobody announces. */
void futex_sleep(int64_t ns);

/*
 * All threads of the process pass a full barrier. False if the kernel can't do that. If it
 * could and refuses now the program ends: others rely on it already.
 */
bool membarrier_all(void);

/* It can; that does not change. */
extern bool membarrier_works;

#endif /* FUTEX_H */
