/* SPDX-License-Identifier: MIT */
/*
 * RESP2, the protocol of Redis: requests are read, replies put together.
 * https://redis.io/docs/latest/develop/reference/protocol-spec/
 */
#ifndef RESP_H
#define RESP_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define RESP_ARGS_MAX		1024
#define RESP_STRING_MAX		(16 * 1024 * 1024)
#define RESP_REQUEST_MAX	(64 * 1024 * 1024)

/**
 * struct resp_string - bytes, any
 * @s: the first; not terminated
 * @n: how many
 */
struct resp_string {
	const char *s;
	size_t n;
};

/**
 * struct resp_request - a command and its arguments
 * @argc: how many, the command included; 0 for an empty line
 * @argv: they are in the buffer that was parsed
 */
struct resp_request {
	int argc;
	struct resp_string argv[RESP_ARGS_MAX];
};

/**
 * resp_parse() - read a request
 * @req: what is filled in
 * @buf: what has come
 * @n: its length in bytes
 *
 * Return: the length of the request in bytes; 0 if it is not complete; -EPROTO if it is
 * none; -EMSGSIZE if it is longer than allowed.
 */
ssize_t resp_parse(struct resp_request *req, const char *buf, size_t n);

/**
 * struct resp_replies - those that are not sent yet; zeroed for none
 * @buf: allocated
 * @n: its length in bytes
 * @size: what it has room for
 * @failed: there was no memory: they are not complete
 */
struct resp_replies {
	char *buf;
	size_t n;
	size_t size;
	int failed;
};

void resp_simple(struct resp_replies *r, const char *text);
__attribute__((format(printf, 2, 3)))
void resp_error(struct resp_replies *r, const char *format, ...);
void resp_integer(struct resp_replies *r, int64_t value);
void resp_bulk(struct resp_replies *r, const char *s, size_t n);
void resp_nil(struct resp_replies *r);
/* @n replies follow, which are its elements */
void resp_array(struct resp_replies *r, size_t n);

#endif /* RESP_H */
