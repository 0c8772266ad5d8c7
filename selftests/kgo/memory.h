/* SPDX-License-Identifier: GPL-2.0-only */
/* Structures in memory that the kernel cannot write to, or not read whole. */
#ifndef MEMORY_H
#define MEMORY_H

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* A copy of @data on a page that can only be read. */
static inline void *read_only(const void *data, size_t size)
{
	size_t page = sysconf(_SC_PAGESIZE);
	void *copy = mmap(NULL, page, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (copy == MAP_FAILED)
		abort();
	memcpy(copy, data, size);
	if (mprotect(copy, page, PROT_READ))
		abort();
	return copy;
}

/* A copy of the first @size bytes of @data, with nothing mapped behind. */
static inline void *at_the_end(const void *data, size_t size)
{
	size_t page = sysconf(_SC_PAGESIZE);
	char *copy = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (copy == MAP_FAILED || munmap(copy + page, page))
		abort();
	return memcpy(copy + page - size, data, size);
}

#endif /* MEMORY_H */
