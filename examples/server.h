/* SPDX-License-Identifier: MIT */
/*
 * What the servers among the examples share: they listen, serve each connection in a
 * goroutine of its own, and end in good order when a signal tells them to.
 */
#ifndef SERVER_H
#define SERVER_H

#include <stdbool.h>
#include <stddef.h>

#include <go.h>

/**
 * struct connection - one that is served; embedded as the first in the server's own
 * @server: whose
 * @fd: its socket
 */
struct connection {
	struct server *server;
	int fd;
	/* private: */
	struct connection *next, **link;
};

/**
 * struct server - a server
 * @name: the program's, for what is printed
 * @address: HOST:PORT; port 0 for one that is free
 * @size: of what a connection is embedded in, in bytes; zeroed but for the connection
 * @serve: called in a goroutine for each connection, which is over when it returns
 * @stop: for each connection that there is when the server is told to stop, or NULL; may
 *	be called before @serve is and beside it
 */
struct server {
	const char *name;
	const char *address;
	size_t size;
	void (*serve)(struct connection *c);
	void (*stop)(struct connection *c);
	/* private: */
	int listener;
	bool stopping;
	struct go_waitgroup serving;	/* the acceptor, and each connection */
	struct go_mutex lock;		/* guards the list */
	struct connection *connections;
};

/**
 * server_run() - serve until SIGINT or SIGTERM
 * @s: the server
 *
 * Prints the port. After the signal none is accepted, reading from a connection ends
 * with -ETIMEDOUT, and it waits until all are over. A second signal ends the process.
 * To be called in a goroutine.
 *
 * Return: 0; or -1 if it could not begin, which has been printed.
 */
int server_run(struct server *s);

/**
 * server_stopping() - has it been told to stop?
 * @s: the server
 */
bool server_stopping(const struct server *s);

/**
 * connection_read_until() - go_set_read_deadline(), but for a server that stops
 * @c: the connection
 * @deadline: on the clock of go_now()
 */
void connection_read_until(struct connection *c, int64_t deadline);

/**
 * connection_write() - go_write(), but all of it or an error
 * @c: the connection
 * @buf: where from
 * @n: bytes
 * @deadline: on the clock of go_now()
 *
 * After an error the client may have a part, so nothing may follow.
 *
 * Return: 0; or what came of writing it, negated.
 */
int connection_write(struct connection *c, const void *buf, size_t n, int64_t deadline);

/**
 * connection_linger() - end a connection so that the client gets the last that was sent
 * @c: the connection
 *
 * What the client has sent and nobody read would have the kernel reset it, and what is
 * under way would be lost. So it is read until the client ends: for a MiB at most, and
 * for a second, or 30 while the client has not got all. When the server stops it is over
 * as soon as the client has.
 */
void connection_linger(struct connection *c);

/**
 * server_address() - where to listen, from a command line with no more than that
 * @argc: of main()
 * @argv: of main(): "--listen HOST:PORT", "--help"; optind is moved behind them
 * @usage: what --help prints
 * @address: as it is if nothing else is said
 *
 * Exits after --help, and if an option is another.
 *
 * Return: the address.
 */
const char *server_address(int argc, char **argv, const char *usage,
			   const char *address);

#endif /* SERVER_H */
