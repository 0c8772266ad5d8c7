/* SPDX-License-Identifier: MIT */
/*
 * Stacks of goroutines. A goroutine gets one when it first runs; the record of a
 * stack is at its top, in the page that is in use anyway.
 */
#ifndef STACK_H
#define STACK_H

#include "runtime.h"

#define STACK_MIN_SHIFT		11	/* 2 KiB */
#define STACK_MAX_SHIFT		30	/* 1 GiB */
#define STACK_DEFAULT_SHIFT	16	/* 64 KiB */

#define STACK_GUARD_MIN_SHIFT	14	/* 16 KiB: from here on with a guard */
#define STACK_SPARE		128	/* bytes that a switch needs */

#define STACK_CLASSES	(STACK_MAX_SHIFT - STACK_MIN_SHIFT + 1)
#define STACK_DEFAULT	(STACK_DEFAULT_SHIFT - STACK_MIN_SHIFT)

/**
 * struct stack - a stack; at its top, so this is where the first frame ends
 * @next: in a struct stack_list
 * @batch_next: the next batch in the pool, of the first of one (stack.c)
 * @batch_tail: the last of that batch
 * @lo: the lowest address
 * @class: size class
 * @guarded: an overflow faults
 * @trimmed: its memory was given back, but for the page of this
 * @valgrind_id: what valgrind calls it
 */
struct stack {
	struct stack *next;
	struct stack *batch_next;
	struct stack *batch_tail;
	char *lo;
	uint8_t class;
	bool guarded;
	bool trimmed;
	uint32_t valgrind_id;
};

static inline void stack_list_push(struct stack_list *list, struct stack *s)
{
	s->next = list->head;
	if (!list->tail)
		list->tail = s;
	list->head = s;
	list->len++;
}

static inline struct stack *stack_list_pop(struct stack_list *list)
{
	struct stack *s = list->head;

	if (s) {
		list->head = s->next;
		if (!list->head)
			list->tail = NULL;
		list->len--;
	}
	return s;
}

/* The class for a size in bytes, 0 for the default; -EINVAL if too large. */
int stack_class(size_t size);

static inline size_t stack_size(uint32_t class)
{
	return (size_t)1 << (STACK_MIN_SHIFT + class);
}

/* A stack of that class; NULL if there is no memory. Any thread. */
struct stack *stack_alloc(uint32_t class);

/* Fill an empty list, with P_BATCH of them or at least one. -ENOMEM if there is none. */
int stack_alloc_list(uint32_t class, struct stack_list *list);

/* Give back one. */
void stack_free_one(struct stack *s);

/* Give back stacks, all of that class; the list is empty then. */
void stack_free_list(uint32_t class, struct stack_list *list);

/**
 * stack_reserve() - promise default stacks to goroutines
 * @n: how many more; may be negative
 *
 * Who starts a goroutine must learn that there is no memory for it, though it gets
 * its stack when it runs.
 *
 * Return: 0 or -ENOMEM.
 */
int stack_reserve(int64_t n);

/* Report that the calling goroutine has left its stack, and abort (sched.c). */
__attribute__((noreturn, cold)) void stack_overflow(void);

/* At the lowest address of a small stack. */
#define STACK_CANARY	0x6f7665726c6f6f6bULL

static inline bool stack_is_small(uint32_t class)
{
	return STACK_MIN_SHIFT + class < STACK_GUARD_MIN_SHIFT;
}

/* What is there of a large one is what the kernel gave: that costs no page to look at. */
static inline uint64_t stack_canary(uint32_t class)
{
	return stack_is_small(class) ? STACK_CANARY : 0;
}

/* The running goroutine stops: did it leave a stack that has no guard? */
static inline void stack_check(const struct g *g)
{
	if (likely(g->guarded))
		return;
	if (stack_pointer() < g->stack_lo + STACK_SPARE ||
	    *(uint64_t *)g->stack_lo != stack_canary(g->stack_class))
		stack_overflow();
}

/* Give back the memory of free stacks that were not used since the last call. */
void stack_trim(void);

/* The end of the runtime: give all memory back. */
void stack_destroy(void);

#endif /* STACK_H */
