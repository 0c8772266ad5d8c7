// SPDX-License-Identifier: MIT
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "resp.h"

/* Longer than any number in a header, and than any inline command one types. */
#define INLINE_MAX	1024

struct input {
	const char *at, *end;
};

/* Returns 1; 0 if the line's end is not there yet; -EPROTO. */
static int next_line(struct input *in, struct resp_string *line)
{
	size_t left = in->end - in->at;
	const char *end = memchr(in->at, '\n', left < INLINE_MAX ? left : INLINE_MAX);

	if (!end)
		return left < INLINE_MAX ? 0 : -EPROTO;
	line->s = in->at;
	line->n = end - in->at;
	if (line->n && end[-1] == '\r')
		line->n--;
	in->at = end + 1;
	return 1;
}

/* Of a line such as "*3" or "$-1": the number in 0..max, or what is wrong with it. */
static long header(const struct resp_string *line, char type, long max)
{
	long value = 0;
	size_t i;

	if (line->n < 2 || line->s[0] != type)
		return -EPROTO;
	for (i = 1; i < line->n; i++) {
		if (line->s[i] < '0' || line->s[i] > '9')
			return -EPROTO;
		value = value * 10 + line->s[i] - '0';
		if (value > max)
			return -EMSGSIZE;
	}
	return value;
}

/* Words, with no quotes: for those who type to the port. */
static int inline_request(struct resp_request *req, const struct resp_string *line)
{
	const char *at = line->s, *end = line->s + line->n;

	for (;;) {
		const char *word;

		while (at < end && (*at == ' ' || *at == '\t'))
			at++;
		if (at == end)
			return 1;
		if (req->argc == RESP_ARGS_MAX)
			return -EMSGSIZE;
		word = at;
		while (at < end && *at != ' ' && *at != '\t')
			at++;
		req->argv[req->argc++] = (struct resp_string){ word, at - word };
	}
}

static int bulk(struct input *in, struct resp_string *string)
{
	struct resp_string line;
	int ret = next_line(in, &line);
	long n;

	if (ret <= 0)
		return ret;
	n = header(&line, '$', RESP_STRING_MAX);
	if (n < 0)
		return n;
	if (in->end - in->at < n + 2)
		return 0;
	if (in->at[n] != '\r' || in->at[n + 1] != '\n')
		return -EPROTO;
	string->s = in->at;
	string->n = n;
	in->at += n + 2;
	return 1;
}

ssize_t resp_parse(struct resp_request *req, const char *buf, size_t n)
{
	struct input in = { buf, buf + n };
	struct resp_string line;
	int ret = next_line(&in, &line);
	long count;

	req->argc = 0;
	if (ret <= 0)
		return ret;
	if (!line.n || line.s[0] != '*') {
		ret = inline_request(req, &line);
		return ret < 0 ? ret : in.at - buf;
	}
	count = header(&line, '*', RESP_ARGS_MAX);
	if (count < 0)
		return count;
	while (req->argc < count) {
		ret = bulk(&in, &req->argv[req->argc]);
		if (ret < 0)
			return ret;
		if (!ret)
			return n < RESP_REQUEST_MAX ? 0 : -EMSGSIZE;
		req->argc++;
	}
	return in.at - buf;
}

static bool make_room(struct resp_replies *r, size_t n)
{
	size_t size = r->size ?: 1024;
	char *buf;

	if (r->size - r->n >= n)
		return true;
	while (size - r->n < n)
		size *= 2;
	buf = realloc(r->buf, size);
	if (!buf) {
		r->failed = 1;
		return false;
	}
	r->buf = buf;
	r->size = size;
	return true;
}

static void append(struct resp_replies *r, const char *s, size_t n)
{
	if (n && make_room(r, n)) {
		memcpy(r->buf + r->n, s, n);
		r->n += n;
	}
}

static void number(struct resp_replies *r, char type, int64_t value)
{
	char line[32];

	append(r, line, snprintf(line, sizeof(line), "%c%" PRId64 "\r\n", type,
				 value));
}

void resp_simple(struct resp_replies *r, const char *text)
{
	append(r, "+", 1);
	append(r, text, strlen(text));
	append(r, "\r\n", 2);
}

void resp_error(struct resp_replies *r, const char *format, ...)
{
	char line[256];
	va_list args;
	char *c;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	/* what is quoted from a request must not end the line */
	for (c = line; *c; c++)
		if (*c == '\r' || *c == '\n')
			*c = ' ';
	append(r, "-", 1);
	append(r, line, strlen(line));
	append(r, "\r\n", 2);
}

void resp_integer(struct resp_replies *r, int64_t value)
{
	number(r, ':', value);
}

void resp_bulk(struct resp_replies *r, const char *s, size_t n)
{
	number(r, '$', n);
	append(r, s, n);
	append(r, "\r\n", 2);
}

void resp_nil(struct resp_replies *r)
{
	append(r, "$-1\r\n", 5);
}

void resp_array(struct resp_replies *r, size_t n)
{
	number(r, '*', n);
}
