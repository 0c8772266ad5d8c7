/* SPDX-License-Identifier: MIT */
/*
 * What the echo servers in C share: the command line, and how the driver learns the
 * port. A server runs until its standard input ends.
 */
#ifndef BENCH_ECHO_SERVER_H
#define BENCH_ECHO_SERVER_H

#define REQUEST_MAX	4096	/* bytes read at a time */

/* The number of processors, of the command line "procs=N". */
int server_procs(int argc, char **argv);

/* A socket that listens on the loopback, whose port has been written. Any error ends
 * the program, here and below.
 */
int server_listen(void);

void server_die(const char *what, int error);

#endif /* BENCH_ECHO_SERVER_H */
