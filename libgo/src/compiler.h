/* SPDX-License-Identifier: MIT */
/*
 * What the compiler and the processor offer, under the names of the field.
 */
#ifndef COMPILER_H
#define COMPILER_H

#include <stddef.h>

#define likely(x)	__builtin_expect(!!(x), 1)
#define unlikely(x)	__builtin_expect(!!(x), 0)

#define barrier()	({ __asm__ __volatile__("" ::: "memory"); })

#define container_of(ptr, type, member) \
	((type *)((char *)(ptr) - offsetof(type, member)))

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

#define CACHE_LINE	64
#define cache_aligned	__attribute__((aligned(CACHE_LINE)))

static inline void cpu_relax(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ __volatile__("yield" ::: "memory");
#endif
}

#endif /* COMPILER_H */
