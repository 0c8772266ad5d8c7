/* SPDX-License-Identifier: MIT */
/*
 * What the compiler's sanitizers and valgrind have to be told about stacks that
 * are switched. In a build without a sanitizer only the registration of a new
 * stack with valgrind is left, a few instructions without effect.
 *
 * ThreadSanitizer takes each goroutine for a fiber. A switch orders what ran
 * before it on the thread before what runs after it, so a race of two goroutines
 * that it only ever saw one after the other on one M is not reported. What it
 * does not see by itself:
 *  - m_self() is assembly. It reads a variable of the thread's own, which no other
 *    thread writes: nothing to tell.
 *  - critical_enter() and critical_exit() are plain stores with compiler barriers.
 *    What the owner of a P did with it is ordered before what the next one does
 *    by the kernel's switch of threads. So the P is released when a section is
 *    left, and acquired by an M that gets it.
 *  - liburcu's queues are assembly: a goroutine is released before it is put into
 *    the global queue, and acquired when it has been taken out.
 *
 * AddressSanitizer has to know the bounds of the stack that runs, and that what
 * an ended goroutine left on it are no red zones of the next one's. LeakSanitizer
 * has to find the stacks of goroutines that are parked.
 */
#ifndef SANITIZER_H
#define SANITIZER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/cdefs.h>

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define __SANITIZE_THREAD__
#elif __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__
#endif
#endif

#if defined(__SANITIZE_THREAD__)
#include <sanitizer/tsan_interface.h>
#elif defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#include <sanitizer/lsan_interface.h>
#endif

#if __has_include("valgrind/valgrind.h")
#include <valgrind/valgrind.h>
#else
#define VALGRIND_STACK_REGISTER(lo, hi)	0
#define VALGRIND_STACK_DEREGISTER(id)	((void)(id))
#define RUNNING_ON_VALGRIND		0
#endif

/* Of a function that reads what others may be writing, and knows it. */
#define __no_tsan	__attribute__((no_sanitize("thread")))

/**
 * struct shadow - what the sanitizer keeps of a stack
 * @fiber: ThreadSanitizer's name for it
 * @lo: the lowest address
 * @size: bytes from there on
 * @fake: AddressSanitizer's second stack, of variables that are watched after
 *	their function has returned
 * @ended: it will not be switched to again
 */
struct shadow {
#if defined(__SANITIZE_THREAD__)
	void *fiber;
#elif defined(__SANITIZE_ADDRESS__)
	const char *lo;
	size_t size;
	void *fake;
	int ended;
#endif
};

/*
 * All are inlined, so that no call is pushed on one stack's shadow and popped off
 * another's. Some builds leave parameters unused.
 */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-parameter"

/* Does anybody want to know of each stack? */
static __always_inline bool shadow_wanted(void)
{
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
	return true;
#else
	return RUNNING_ON_VALGRIND;
#endif
}

/* Must a goroutine not begin in the middle of what it knows to be another's? */
static __always_inline bool shadow_follows_goroutines(void)
{
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
	return true;
#else
	return false;
#endif
}

/*
 * LeakSanitizer reads whole mappings of stacks. A guard must be a mapping of its
 * own then, not one that only the page tables know of.
 */
static __always_inline bool shadow_reads_maps(void)
{
#if defined(__SANITIZE_ADDRESS__)
	return true;
#else
	return false;
#endif
}

/* It is the calling thread's own stack. */
static __always_inline void shadow_thread(struct shadow *s, const char *lo,
					  size_t size)
{
#if defined(__SANITIZE_THREAD__)
	s->fiber = __tsan_get_current_fiber();
#elif defined(__SANITIZE_ADDRESS__)
	*s = (struct shadow){ .lo = lo, .size = size };
#endif
}

/* A goroutine is to begin on it. */
static __always_inline void shadow_begin(struct shadow *s, const char *lo,
					 size_t size, const char *name)
{
#if defined(__SANITIZE_THREAD__)
	s->fiber = __tsan_create_fiber(0);
	if (name)
		__tsan_set_fiber_name(s->fiber, name);
#elif defined(__SANITIZE_ADDRESS__)
	*s = (struct shadow){ .lo = lo, .size = size };
	__asan_unpoison_memory_region(lo, size);
#endif
}

/* The goroutine is about to switch for the last time. */
static __always_inline void shadow_end(struct shadow *s)
{
#if defined(__SANITIZE_ADDRESS__)
	s->ended = 1;
#endif
}

/* It has done so. */
static __always_inline void shadow_free(struct shadow *s)
{
#if defined(__SANITIZE_THREAD__)
	if (s->fiber)
		__tsan_destroy_fiber(s->fiber);
	s->fiber = NULL;
#endif
}

/* Right before a switch. */
static __always_inline void shadow_switch(struct shadow *prev,
					  struct shadow *next)
{
#if defined(__SANITIZE_THREAD__)
	__tsan_switch_to_fiber(next->fiber, 0);
#elif defined(__SANITIZE_ADDRESS__)
	__sanitizer_start_switch_fiber(prev->ended ? NULL : &prev->fake,
				       next->lo, next->size);
#endif
}

/* Right after it, on the other stack. */
static __always_inline void shadow_switched(struct shadow *s)
{
#if defined(__SANITIZE_ADDRESS__)
	__sanitizer_finish_switch_fiber(s->fake, NULL, NULL);
#endif
}

/* A mapping of stacks, or of what else points to memory of malloc(). */
static __always_inline void shadow_map(const void *base, size_t size)
{
#if defined(__SANITIZE_ADDRESS__)
	__lsan_register_root_region(base, size);
#endif
}

static __always_inline void shadow_unmap(const void *base, size_t size)
{
#if defined(__SANITIZE_ADDRESS__)
	__lsan_unregister_root_region(base, size);
	__asan_unpoison_memory_region(base, size);
#endif
}

/* What the thread has done so far comes before what follows on an acquire of the
 * same address.
 */
static __always_inline void shadow_release(void *addr)
{
#if defined(__SANITIZE_THREAD__)
	__tsan_release(addr);
#endif
}

static __always_inline void shadow_acquire(void *addr)
{
#if defined(__SANITIZE_THREAD__)
	__tsan_acquire(addr);
#endif
}

#pragma GCC diagnostic pop

#endif /* SANITIZER_H */
