// SPDX-License-Identifier: MIT
/*
 * The head of an HTTP/1.x request (RFC 9110, RFC 9112). What two servers could read
 * differently is refused, not guessed: a body of two lengths, a blank before a colon,
 * a folded line.
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "request.h"

/* A piece of the head. */
struct text {
	const char *s;
	size_t n;
};

/* Fields that are not told of, but matter when all have been read. */
struct seen {
	int hosts;
	bool closes;
	bool tags;
};

static bool is(struct text t, const char *word)
{
	return t.n == strlen(word) && !strncasecmp(t.s, word, t.n);
}

static bool is_token(struct text t)
{
	size_t i;

	for (i = 0; i < t.n; i++)
		if (!isalnum((unsigned char)t.s[i]) &&
		    (!t.s[i] || !strchr("!#$%&'*+-.^_`|~", t.s[i])))
			return false;
	return t.n > 0;
}

/* What is before @c, which is removed with it; all of it if there is no @c. */
static struct text cut(struct text *t, char c)
{
	const char *end = memchr(t->s, c, t->n);
	struct text piece = { t->s, end ? (size_t)(end - t->s) : t->n };
	size_t used = piece.n + !!end;

	t->s += used;
	t->n -= used;
	return piece;
}

static struct text cut_line(struct text *t)
{
	struct text line = cut(t, '\n');

	if (line.n && line.s[line.n - 1] == '\r')
		line.n--;
	return line;
}

static struct text trim(struct text t)
{
	while (t.n && (*t.s == ' ' || *t.s == '\t')) {
		t.s++;
		t.n--;
	}
	while (t.n && (t.s[t.n - 1] == ' ' || t.s[t.n - 1] == '\t'))
		t.n--;
	return t;
}

/* All of it is one number that is not too large; -1 else. */
static off_t number(struct text t)
{
	off_t value = 0;
	size_t i;

	if (!t.n || t.n > 18)
		return -1;
	for (i = 0; i < t.n; i++) {
		if (!isdigit((unsigned char)t.s[i]))
			return -1;
		value = value * 10 + (t.s[i] - '0');
	}
	return value;
}

static int hex(char c)
{
	if (isdigit((unsigned char)c))
		return c - '0';
	c = tolower((unsigned char)c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int parse_target(struct request *req, struct text t)
{
	size_t i, n = 0;

	if (t.n > 7 && !strncasecmp(t.s, "http://", 7)) {
		t.s += 7;
		t.n -= 7;
		while (t.n && *t.s != '/') {
			t.s++;
			t.n--;
		}
	} else if (!t.n || *t.s != '/') {
		return -400;
	}
	while (t.n && *t.s == '/') {
		t.s++;
		t.n--;
	}
	t = cut(&t, '?');
	for (i = 0; i < t.n; i++) {
		int c = (unsigned char)t.s[i];

		if (c == '%') {
			if (i + 2 >= t.n || hex(t.s[i + 1]) < 0 ||
			    hex(t.s[i + 2]) < 0)
				return -400;
			c = hex(t.s[i + 1]) << 4 | hex(t.s[i + 2]);
			i += 2;
		}
		if (!c)
			return -400;
		if (n == sizeof(req->path) - 1)
			return -414;
		req->path[n++] = c;
	}
	req->path[n] = '\0';
	return 0;
}

static int parse_request_line(struct request *req, struct text line)
{
	struct text method = cut(&line, ' ');
	struct text target = cut(&line, ' ');

	if (!is_token(method))
		return -400;
	if (method.n == 3 && !memcmp(method.s, "GET", 3))
		req->method = METHOD_GET;
	else if (method.n == 4 && !memcmp(method.s, "HEAD", 4))
		req->method = METHOD_HEAD;
	else
		req->method = METHOD_OTHER;
	if (line.n != 8 || memcmp(line.s, "HTTP/", 5) || line.s[6] != '.' ||
	    !isdigit((unsigned char)line.s[5]) || !isdigit((unsigned char)line.s[7]))
		return -400;
	/* 1.2, if there were one, would be answered as 1.1 is */
	if (line.s[5] != '1')
		return -505;
	req->http_1_0 = line.s[7] == '0';
	req->keep_alive = !req->http_1_0;
	return parse_target(req, target);
}

/* Of several ranges, and of what is not one, all of the file is as good an answer. */
static void parse_range(struct request *req, struct text value)
{
	struct text unit = cut(&value, '='), first;

	if (!is(trim(unit), "bytes") || memchr(value.s, ',', value.n) ||
	    !memchr(value.s, '-', value.n))
		return;
	first = trim(cut(&value, '-'));
	value = trim(value);
	req->first = first.n ? number(first) : -1;
	req->last = value.n ? number(value) : -1;
	if ((first.n && req->first < 0) || (value.n && req->last < 0) ||
	    (!first.n && !value.n) ||
	    (first.n && value.n && req->last < req->first))
		return;
	req->ranged = true;
}

/* -1 if it is none; of the three forms that there are, old clients send the others */
static time_t date_of(struct text value)
{
	static const char *const forms[] = {
		"%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT",
		"%a %b %e %H:%M:%S %Y",
	};
	char date[64];
	size_t i;

	snprintf(date, sizeof(date), "%.*s", (int)value.n, value.s);
	for (i = 0; i < sizeof(forms) / sizeof(*forms); i++) {
		struct tm tm = {};
		char *end = strptime(date, forms[i], &tm);

		if (end && !*end)
			return timegm(&tm);
	}
	return -1;
}

/* It may be a tag as well, which is of no version that this server knows. */
static void parse_if_range(struct request *req, struct text value)
{
	req->of_version = true;
	req->version = date_of(value);
}

static void parse_connection(struct request *req, struct text value, bool *closes)
{
	while (value.n) {
		struct text option = trim(cut(&value, ','));

		if (is(option, "close"))
			*closes = true;
		else if (is(option, "keep-alive"))
			req->keep_alive = true;
	}
}

static int parse_length(struct request *req, struct text value)
{
	off_t length = number(value);

	if (length < 0 || (req->body >= 0 && length != req->body))
		return -400;
	req->body = length;
	return 0;
}

static int parse_field(struct request *req, struct text line, struct seen *seen)
{
	struct text name, value;

	if (!memchr(line.s, ':', line.n))
		return -400;
	name = cut(&line, ':');
	value = trim(line);
	if (!is_token(name) || memchr(value.s, '\0', value.n) ||
	    memchr(value.s, '\r', value.n))
		return -400;
	if (is(name, "Host"))
		seen->hosts++;
	else if (is(name, "Connection"))
		parse_connection(req, value, &seen->closes);
	else if (is(name, "Content-Length"))
		return parse_length(req, value);
	else if (is(name, "Transfer-Encoding"))
		return -501;
	else if (is(name, "Range"))
		parse_range(req, value);
	else if (is(name, "If-Modified-Since"))
		req->since = date_of(value);
	else if (is(name, "If-None-Match"))
		seen->tags = true;
	else if (is(name, "If-Range"))
		parse_if_range(req, value);
	else if (is(name, "Expect"))
		req->wants_continue = !req->http_1_0 && is(value, "100-continue");
	return 0;
}

/* What one field, or the method, says of another. */
static void settle(struct request *req, const struct seen *seen)
{
	if (req->body < 0)
		req->body = 0;
	if (seen->closes)
		req->keep_alive = false;
	/* the client has another version: no file has one of its tags */
	if (seen->tags)
		req->since = -1;
	if (req->method != METHOD_GET)
		req->ranged = false;
}

/* The length of what ends with an empty line, or 0. */
static size_t head_length(const char *buf, size_t n)
{
	const char *p = buf, *end = buf + n;

	while ((p = memchr(p, '\n', end - p))) {
		p++;
		if (p < end && *p == '\n')
			return p + 1 - buf;
		if (p + 1 < end && p[0] == '\r' && p[1] == '\n')
			return p + 2 - buf;
	}
	return 0;
}

ssize_t request_parse(struct request *req, const char *buf, size_t n)
{
	size_t blank = 0, length;
	struct text head, line;
	struct seen seen = {};
	int ret;

	memset(req, 0, sizeof(*req));
	req->body = -1;
	req->since = -1;
	/* some clients end a body with an empty line that does not count */
	while (blank < n && (buf[blank] == '\r' || buf[blank] == '\n'))
		blank++;
	length = head_length(buf + blank, n - blank);
	if (!length)
		return 0;
	head = (struct text){ buf + blank, length };
	ret = parse_request_line(req, cut_line(&head));
	while (!ret && (line = cut_line(&head)).n)
		ret = parse_field(req, line, &seen);
	if (!ret && seen.hosts != 1 && !(req->http_1_0 && !seen.hosts))
		ret = -400;
	if (ret)
		return ret;
	settle(req, &seen);
	return blank + length;
}
