/* SPDX-License-Identifier: MIT */
/*
 * What the servers in C share: the command line, how the driver learns the ports, and
 * requests that need the disk. A server runs until its standard input ends.
 *
 *   SERVER procs=N [file=FILE]
 *
 * It writes the port of the echo, and with a file on the next line the one at which
 * each request reads a page of it.
 */
#ifndef BENCH_ECHO_SERVER_H
#define BENCH_ECHO_SERVER_H

#include <stdint.h>

#define REQUEST_MAX	4096	/* bytes read at a time */

/**
 * struct server - what the command line says
 * @procs: the number of processors
 * @file: of 64-bit words that count from 0, or -1
 * @pages: how many pages of 4 KiB it has
 */
struct server {
	int procs;
	int file;
	uint64_t pages;
};

/**
 * struct disk_request - a request at the second port, and its reply; comes in one piece
 * @number: of the request
 * @page: in the reply, the page that was read
 * @word: in the reply, the first word of it
 * @rest: up to the size of the echo's request
 */
struct disk_request {
	uint64_t number;
	uint64_t page;
	uint64_t word;
	uint64_t rest[5];
};

/* Any error ends the program, here and below. */
void server_start(struct server *server, int argc, char **argv);

/* A socket that listens on the loopback, whose port has been written. */
int server_listen(void);

/**
 * server_read_disk() - read the page that a request asks for
 * @server: the server
 * @request: made the reply
 *
 * Blocks in pread(2). Which page it is follows from the request's number.
 */
void server_read_disk(const struct server *server, struct disk_request *request);

void server_die(const char *what, int error);

#endif /* BENCH_ECHO_SERVER_H */
