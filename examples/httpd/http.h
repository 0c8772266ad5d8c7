/* SPDX-License-Identifier: MIT */
#ifndef HTTP_H
#define HTTP_H

#include "../server.h"
#include "request.h"

/**
 * struct http_server - a server whose requests are HTTP's
 * @server: its name and address
 * @handle: called for each request, in the goroutine of its connection: writes the reply
 *	to @fd; clears keep_alive if that is to be the last. Returns 0, or what came of
 *	writing, negated.
 * @served: how many requests there have been
 */
struct http_server {
	struct server server;
	int (*handle)(struct http_server *s, int fd, struct request *req);
	long served;
};

/**
 * http_run() - server_run()
 * @s: the server
 *
 * Connections are kept for more requests, pipelined ones too. What is no request, is too
 * long or does not come is answered with its status, and ends the connection.
 *
 * Return: as server_run().
 */
int http_run(struct http_server *s);

#endif /* HTTP_H */
