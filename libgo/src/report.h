/* SPDX-License-Identifier: MIT */
/*
 * Text for a person, written where little can be relied on: in a handler of a
 * fault, beside threads that hold any lock. Nothing is allocated.
 */
#ifndef REPORT_H
#define REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * struct report - text on its way
 * @fd: where to
 * @err: the first error of write(2), negative
 * @waits_not: text that has no room at once is lost
 * @len: bytes in @buf
 * @buf: not written yet
 */
struct report {
	int fd;
	int err;
	bool waits_not;
	size_t len;
	char buf[240];
};

void report_text(struct report *r, const char *s);
void report_number(struct report *r, uint64_t n);

/* Write what is left. 0, or the first error there was. */
int report_flush(struct report *r);

/* A place in the code: function, object, and the address in the object. */
void report_place(struct report *r, uintptr_t pc);

/* "goroutine 7 (name)" */
void report_goroutine(struct report *r, uint64_t id, const char *name);

#endif /* REPORT_H */
