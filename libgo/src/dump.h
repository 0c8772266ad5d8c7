/* SPDX-License-Identifier: MIT */
/*
 * Dumps of all goroutines.
 */
#ifndef DUMP_H
#define DUMP_H

/* Let SIGQUIT dump and end the program, from the beginning of go_run() to its
 * end.
 */
void quit_start(void);
void quit_stop(void);

/* Say why, dump all goroutines, and end the program with status 2. */
__attribute__((noreturn)) void dump_and_quit(const char *why);

/* While it is held nothing is dumped: the runtime may be destroyed. */
void dump_lock(void);
void dump_unlock(void);

#endif /* DUMP_H */
