/* SPDX-License-Identifier: MIT */
/*
 * The end in good order: by SIGINT or SIGTERM.
 */
#ifndef ENDING_H
#define ENDING_H

#include <stdbool.h>

#include <go.h>

/**
 * ending_begin() - from here on the signals do not end the process
 * @name: the program's, for what is printed
 *
 * Return: what ending_wait() wants; NULL if there is no memory, which has been printed.
 */
struct go_chan *ending_begin(const char *name);

/**
 * ending_wait() - wait for a signal
 * @signals: of ending_begin()
 * @name: the program's
 *
 * Prints which one came. A second signal ends the process. To be called in a goroutine.
 *
 * Return: false if ending_cancel() came first.
 */
bool ending_wait(struct go_chan *signals, const char *name);

/**
 * ending_cancel() - it ends for another reason
 * @signals: of ending_begin()
 */
void ending_cancel(struct go_chan *signals);

#endif /* ENDING_H */
