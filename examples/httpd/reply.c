// SPDX-License-Identifier: MIT
/*
 * Files are opened and read by the plain system calls. They block when the disk has to
 * be waited for, and the other goroutines go on meanwhile.
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <go.h>

#include "reply.h"

/* A file of no more bytes goes out with its head, in one call. */
#define SMALL_FILE	8192
/* Room for a path with all of its characters encoded. */
#define DATE_SIZE	32
#define HEAD_SIZE	(3 * PATH_SIZE + 512)
/* A client may take so long for so many bytes. */
#define PATIENCE	(30 * GO_SECOND)
#define PIECE		(256 * 1024)
/* To open a file between what others rename: few of the tries fail. */
#define OPEN_TRIES	100

/* The head of a reply, and the file's bytes if they are few. */
struct reply {
	size_t n;
	char buf[HEAD_SIZE + SMALL_FILE];
};

static const char *reason(int status)
{
	switch (status) {
	case 200: return "OK";
	case 206: return "Partial Content";
	case 301: return "Moved Permanently";
	case 304: return "Not Modified";
	case 400: return "Bad Request";
	case 403: return "Forbidden";
	case 404: return "Not Found";
	case 405: return "Method Not Allowed";
	case 408: return "Request Timeout";
	case 413: return "Content Too Large";
	case 414: return "URI Too Long";
	case 416: return "Range Not Satisfiable";
	case 431: return "Request Header Fields Too Large";
	case 501: return "Not Implemented";
	case 503: return "Service Unavailable";
	case 505: return "HTTP Version Not Supported";
	default: return "Internal Server Error";
	}
}

static const char *media_type(const char *path)
{
	static const struct {
		const char *suffix, *type;
	} known[] = {
		{ ".html", "text/html; charset=utf-8" },
		{ ".htm", "text/html; charset=utf-8" },
		{ ".txt", "text/plain; charset=utf-8" },
		{ ".css", "text/css; charset=utf-8" },
		{ ".js", "text/javascript; charset=utf-8" },
		{ ".json", "application/json" }, { ".xml", "application/xml" },
		{ ".svg", "image/svg+xml" }, { ".png", "image/png" },
		{ ".jpg", "image/jpeg" }, { ".jpeg", "image/jpeg" },
		{ ".gif", "image/gif" }, { ".webp", "image/webp" },
		{ ".ico", "image/x-icon" }, { ".pdf", "application/pdf" },
		{ ".wasm", "application/wasm" }, { ".woff2", "font/woff2" },
		{},
	};
	const char *suffix = strrchr(path, '.');
	int i;

	for (i = 0; suffix && known[i].suffix; i++)
		if (!strcasecmp(suffix, known[i].suffix))
			return known[i].type;
	return "application/octet-stream";
}

__attribute__((format(printf, 2, 3)))
static void add(struct reply *r, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	r->n += vsnprintf(r->buf + r->n, HEAD_SIZE - r->n, format, args);
	va_end(args);
}

/* A path as a client may send it again. */
static void add_path(struct reply *r, const char *path)
{
	for (; *path; path++)
		add(r, isalnum((unsigned char)*path) || strchr("-._~/", *path) ?
		    "%c" : "%%%02X", (unsigned char)*path);
}

static void format_date(char date[DATE_SIZE], time_t when)
{
	struct tm tm;

	strftime(date, DATE_SIZE, "%a, %d %b %Y %H:%M:%S GMT",
		 gmtime_r(&when, &tm));
}

/* The thread's own: the goroutine makes no call that waits while it is used. */
static const char *date_now(void)
{
	static _Thread_local char date[DATE_SIZE];
	static _Thread_local time_t when;
	time_t now = time(NULL);

	if (now != when) {
		format_date(date, now);
		when = now;
	}
	return date;
}

static void begin(struct reply *r, int status, const struct request *req)
{
	r->n = 0;
	add(r, "HTTP/1.1 %d %s\r\nDate: %s\r\n", status, reason(status),
	    date_now());
	if (!req->keep_alive)
		add(r, "Connection: close\r\n");
	else if (req->http_1_0)
		add(r, "Connection: keep-alive\r\n");
}

static int send_all(int fd, const char *buf, size_t n, int flags)
{
	go_set_write_deadline(fd, go_now() + PATIENCE);
	while (n) {
		ssize_t sent = go_sendto(fd, buf, n, flags | MSG_NOSIGNAL,
					 NULL, 0);

		if (sent < 0)
			return sent;
		buf += sent;
		n -= sent;
	}
	return 0;
}

static int send_text(int fd, struct reply *r, const char *text,
		     const struct request *req)
{
	bool head_only = req->method == METHOD_HEAD;

	add(r, "Content-Type: text/plain; charset=utf-8\r\n"
	       "Content-Length: %zu\r\n\r\n%s",
	    strlen(text), head_only ? "" : text);
	return send_all(fd, r->buf, r->n, 0);
}

int reply_text(int fd, const char *text, const struct request *req)
{
	struct reply r;

	begin(&r, 200, req);
	return send_text(fd, &r, text, req);
}

int reply_status(int fd, int status, const struct request *req)
{
	struct reply r;
	char text[64];

	begin(&r, status, req);
	if (status == 405)
		add(&r, "Allow: GET, HEAD\r\n");
	if (status == 301) {
		add(&r, "Location: /");
		add_path(&r, req->path);
		add(&r, "/\r\n");
	}
	snprintf(text, sizeof(text), "%s\n", reason(status));
	return send_text(fd, &r, text, req);
}

static int status_of(int error)
{
	switch (error) {
	case ENOENT:
	case ENOTDIR:
	case ENAMETOOLONG:
		return 404;
	case EACCES:
	case EPERM:
	case ELOOP:
	case EXDEV:	/* what leads out of the root */
		return 403;
	case EMFILE:
	case ENFILE:
	case ENOMEM:
	case EAGAIN:	/* something was renamed each time that ".." was followed */
		return 503;
	default:
		return 500;
	}
}

/*
 * Without waiting for who opens the other end of a FIFO. Where ".." leads is not sure if
 * anything is renamed meanwhile, anywhere: that is tried again.
 */
static int open_beneath(int root, const char *path)
{
	struct open_how how = {
		.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
	};
	int fd, tries = OPEN_TRIES;

	do
		fd = syscall(SYS_openat2, root, path, &how, sizeof(how));
	while (fd < 0 && errno == EAGAIN && --tries);
	return fd < 0 ? -errno : fd;
}

/* Returns the file, a folder's index.html if @path is one; or the status, negated. */
static int open_file(int root, const char *path, struct stat *st)
{
	char index[PATH_SIZE + sizeof("index.html")];
	size_t n = strlen(path);
	int file = open_beneath(root, n ? path : ".");

	if (file < 0)
		return -status_of(-file);
	if (!fstat(file, st) && S_ISDIR(st->st_mode)) {
		close(file);
		if (n && path[n - 1] != '/')
			return -301;
		/* from the root, beneath which a link may lead anywhere */
		snprintf(index, sizeof(index), "%sindex.html", path);
		file = open_beneath(root, index);
		if (file < 0)
			return -status_of(-file);
		fstat(file, st);
	}
	if (S_ISREG(st->st_mode))
		return file;
	close(file);
	return -403;
}

/* Which part of a file of @size bytes is asked for: 0, or -416. */
static int part_of(const struct request *req, off_t size, off_t *first, off_t *n)
{
	off_t last = size - 1;

	*first = 0;
	if (req->ranged && req->first < 0) {
		*first = req->last < size ? size - req->last : 0;
	} else if (req->ranged) {
		*first = req->first;
		if (req->last >= 0 && req->last < last)
			last = req->last;
	}
	if (req->ranged && *first > last)
		return -416;
	*n = last - *first + 1;
	return 0;
}

static int send_file(int fd, int file, off_t first, off_t n)
{
	while (n) {
		ssize_t sent;

		go_set_write_deadline(fd, go_now() + PATIENCE);
		sent = go_sendfile(fd, file, &first, n < PIECE ? n : PIECE);
		if (sent < 0)
			return sent;
		/* it has become shorter than its head says */
		if (!sent)
			return -EIO;
		n -= sent;
	}
	return 0;
}

static int send_part(int fd, int file, struct reply *r, off_t first, off_t n)
{
	ssize_t got;
	int ret;

	if (n > SMALL_FILE) {
		ret = send_all(fd, r->buf, r->n, MSG_MORE);
		return ret ?: send_file(fd, file, first, n);
	}
	got = pread(file, r->buf + r->n, n, first);
	if (got != n)
		return -EIO;
	return send_all(fd, r->buf, r->n + n, 0);
}

static int reply_open_file(int fd, int file, const struct stat *st,
			   const struct request *req, const char *type)
{
	off_t first, n;
	struct reply r;
	char date[DATE_SIZE];

	if (req->since >= 0 && st->st_mtime <= req->since) {
		begin(&r, 304, req);
		add(&r, "\r\n");
		return send_all(fd, r.buf, r.n, 0);
	}
	if (part_of(req, st->st_size, &first, &n)) {
		begin(&r, 416, req);
		add(&r, "Content-Range: bytes */%jd\r\nContent-Length: 0\r\n\r\n",
		    (intmax_t)st->st_size);
		return send_all(fd, r.buf, r.n, 0);
	}
	begin(&r, req->ranged ? 206 : 200, req);
	format_date(date, st->st_mtime);
	add(&r, "Last-Modified: %s\r\n", date);
	if (req->ranged)
		add(&r, "Content-Range: bytes %jd-%jd/%jd\r\n", (intmax_t)first,
		    (intmax_t)(first + n - 1), (intmax_t)st->st_size);
	add(&r, "Accept-Ranges: bytes\r\nContent-Type: %s\r\n"
	    "Content-Length: %jd\r\n\r\n", type, (intmax_t)n);
	if (req->method == METHOD_HEAD)
		n = 0;
	return send_part(fd, file, &r, first, n);
}

int reply_continue(int fd)
{
	static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";

	return send_all(fd, go_on, strlen(go_on), 0);
}

int reply_file(int fd, int root, struct request *req)
{
	size_t n = strlen(req->path);
	const char *type;
	struct stat st;
	int file, ret;

	if (req->method == METHOD_OTHER)
		return reply_status(fd, 405, req);
	file = open_file(root, req->path, &st);
	if (file < 0)
		return reply_status(fd, -file, req);
	type = media_type(n && req->path[n - 1] != '/' ? req->path :
			  "index.html");
	if (req->of_version && req->version != st.st_mtime)
		req->ranged = false;
	ret = reply_open_file(fd, file, &st, req, type);
	close(file);
	return ret;
}
