/* SPDX-License-Identifier: MIT */
#ifndef REQUEST_H
#define REQUEST_H

#include <stdbool.h>
#include <sys/types.h>
#include <time.h>

#define PATH_SIZE	1024

/**
 * struct request - the head of an HTTP request, as far as a file server cares
 * @method: what is asked for
 * @path: of the file, decoded, relative: without a leading '/'
 * @keep_alive: the connection may carry another one
 * @http_1_0: the client does not know of HTTP/1.1
 * @wants_continue: it waits for "100 Continue" before it sends its body
 * @body: bytes that follow the head
 * @ranged: a part is asked for
 * @first: its first byte, or -1: the last @last bytes
 * @last: its last byte, or -1: to the end
 * @of_version: a part only if the file has not changed since the client got another part
 * @version: when it had changed last then, or -1
 * @since: only if it has changed since, or -1
 */
struct request {
	enum method { METHOD_GET, METHOD_HEAD, METHOD_OTHER } method;
	char path[PATH_SIZE];
	bool keep_alive;
	bool http_1_0;
	bool wants_continue;
	off_t body;
	bool ranged;
	off_t first;
	off_t last;
	bool of_version;
	time_t version;
	time_t since;
};

/**
 * request_parse() - read the head of a request
 * @req: what is filled in
 * @buf: what has come
 * @n: its length in bytes
 *
 * Return: the length of the head in bytes; 0 if it is not complete; or the status of the
 * reply, negated: -400, -414, -501, -505. Then nothing may follow on the connection, and
 * of @req only the method is of use, which is METHOD_GET until it is known.
 */
ssize_t request_parse(struct request *req, const char *buf, size_t n);

#endif /* REQUEST_H */
