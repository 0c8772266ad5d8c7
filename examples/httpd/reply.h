/* SPDX-License-Identifier: MIT */
#ifndef REPLY_H
#define REPLY_H

#include "request.h"

/**
 * reply_file() - answer a request with a file
 * @fd: the connection
 * @root: the folder that is served, opened; nothing outside it is
 * @req: the request; keep_alive is cleared if the client cannot be told where the reply
 *	ends
 *
 * Return: 0, also if the answer is that there is no such file; or what came of writing
 * it, negated: then the connection is of no use any more.
 */
int reply_file(int fd, int root, struct request *req);

/**
 * reply_continue() - have the client send the body of its request
 * @fd: the connection
 *
 * Return: as reply_file().
 */
int reply_continue(int fd);

/**
 * reply_status() - answer with no more than a status
 * @fd: the connection
 * @status: such as 404
 * @req: the request; of one that was not understood no more than @method and @keep_alive
 *
 * Return: as reply_file().
 */
int reply_status(int fd, int status, const struct request *req);

/**
 * reply_text() - answer a request with a short text
 * @fd: the connection
 * @text: less than 1 KiB
 * @req: the request
 *
 * Return: as reply_file().
 */
int reply_text(int fd, const char *text, const struct request *req);

#endif /* REPLY_H */
