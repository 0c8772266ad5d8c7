// SPDX-License-Identifier: MIT
/*
 * Text for a person, written where little can be relied on.
 */
#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "report.h"

/* A reader may be so slow. Who has a dump made may be the one who ends it all. */
#define PATIENCE	5000	/* ms */

/* Descriptors that libgo makes do not wait by themselves. */
static bool await_room(const struct report *r)
{
	struct pollfd pfd = { .fd = r->fd, .events = POLLOUT };

	return !r->waits_not && poll(&pfd, 1, PATIENCE) > 0;
}

int report_flush(struct report *r)
{
	size_t done = 0;

	while (done < r->len && !r->err) {
		ssize_t n = write(r->fd, r->buf + done, r->len - done);
		int err = errno;

		if (n >= 0)
			done += n;
		else if (err != EINTR && !(err == EAGAIN && await_room(r)))
			r->err = -err;
	}
	r->len = 0;
	return r->err;
}

static void report_bytes(struct report *r, const char *s, size_t n)
{
	while (n--) {
		if (r->len == sizeof(r->buf))
			report_flush(r);
		r->buf[r->len++] = *s++;
	}
}

void report_text(struct report *r, const char *s)
{
	report_bytes(r, s, strlen(s));
}

static void report_in_base(struct report *r, uint64_t n, unsigned int base)
{
	char digits[20];
	size_t i = sizeof(digits);

	do {
		digits[--i] = "0123456789abcdef"[n % base];
		n /= base;
	} while (n);
	report_bytes(r, digits + i, sizeof(digits) - i);
}

void report_number(struct report *r, uint64_t n)
{
	report_in_base(r, n, 10);
}

static void report_hex(struct report *r, uint64_t n)
{
	report_text(r, "0x");
	report_in_base(r, n, 16);
}

/*
 * Names are those that the dynamic linker knows. For the others, and for lines,
 * the address in the object is what addr2line(1) takes.
 */
void report_place(struct report *r, uintptr_t pc)
{
	Dl_info info;

	if (!dladdr((void *)pc, &info) || !info.dli_fname) {
		report_hex(r, pc);
		return;
	}
	if (info.dli_sname) {
		report_text(r, info.dli_sname);
		report_text(r, "+");
		report_hex(r, pc - (uintptr_t)info.dli_saddr);
		report_text(r, " ");
	}
	report_text(r, "(");
	report_text(r, info.dli_fname);
	report_text(r, "+");
	report_hex(r, pc - (uintptr_t)info.dli_fbase);
	report_text(r, ")");
}

void report_goroutine(struct report *r, uint64_t id, const char *name)
{
	report_text(r, "goroutine ");
	report_number(r, id);
	if (name) {
		report_text(r, " (");
		report_text(r, name);
		report_text(r, ")");
	}
}
