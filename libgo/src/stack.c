// SPDX-License-Identifier: MIT
/*
 * Stacks, carved out of slabs: a slab is one mapping with stacks of one size, so
 * that a million of them need few mappings. Pages are committed when they are
 * touched.
 *
 * Below a stack of 16 KiB or more is a guard page besides, so an overflow faults. Where
 * the kernel has MADV_GUARD_INSTALL (6.13) guards are free. Before that each
 * one splits a mapping in two, and a process may have 65,530 by default, so
 * mprotect() is used for the first GUARD_BUDGET stacks only. Where there is no
 * guard the stack pointer is compared with the stack's end each time that the
 * goroutine stops running, and the word there, the canary, with what it was
 * (stack_check()). That is late, but not silent. Both are reported by fault.c.
 */
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "lock.h"
#include "sched.h"
#include "stack.h"

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL	102
#endif

#ifndef PIDFD_SELF
#define PIDFD_SELF	(-10000)
#endif

#define MADV_UNKNOWN	0x7fffffff	/* no kernel knows it */

/* A slab is as large as an eighth of those of its class together, within these bounds. */
#define SLAB_MIN	((size_t)4 << 20)
#define SLAB_MAX	((size_t)64 << 20)
#define SLAB_SHARE	8

/* Half a page: what a goroutine that waits has on its stack fits into the rest. */
#define STACK_COLOURS	32

#define STACK_TRIM_MIN	2	/* the class of 8 KiB */
#define GUARDS_AT_ONCE	64
#define GUARD_BUDGET	8192	/* each may take two of the 65,530 mappings, an M four */

/**
 * struct slab - a mapping of stacks, at its end
 * @next: the one made before it
 * @fresh: the next one of its class with stacks that have not been used yet
 * @base: lowest address
 * @carve_end: below this its stacks have not been used yet
 * @size: of the stacks in it
 * @class: of all its stacks
 * @guarded: from here up its stacks have their guards
 */
struct slab {
	struct slab *next;
	struct slab *fresh;
	char *base;
	char *carve_end;
	size_t size;
	uint32_t class;
	char *guarded;
};

/**
 * struct pool - the stacks of one class
 * @batches: that have been used before, P_BATCH each; the first of each, linked by
 *	@batch_next
 * @free: that have been used before, too, and follow after those
 * @nr_free: how many there are in both
 * @low: the fewest there were since the last stack_trim(): so many, the last ones, have
 *	not been used since
 * @made: stacks in all slabs; read without the lock, too
 * @fresh: slabs with stacks that have not been used yet, the first one made first
 * @fresh_end: where the next one is to be put
 */
struct pool {
	struct stack *batches;
	struct stack_list free;
	uint32_t nr_free;
	uint32_t low;
	uint64_t made;
	struct slab *fresh;
	struct slab **fresh_end;
};

static struct {
	struct lock lock;		/* guards all that follows */
	struct pool pools[STACK_CLASSES];
	struct slab *slabs;
	uint32_t guards;		/* made by mprotect() */
	bool trimming;			/* some are in no list: stack_trim() has them */
	bool guards_known;		/* it is known whether */
	bool no_guard_install;		/* the kernel is older than 6.13 */
	bool no_guards_at_once;		/* or than 6.15 */
	uint64_t reserved cache_aligned;	/* promised stacks; without the lock */
} stacks;

int stack_class(size_t size)
{
	uint32_t class = 0;

	if (!size)
		return STACK_DEFAULT;
	if (size > (size_t)1 << STACK_MAX_SHIFT)
		return -EINVAL;
	while (((size_t)1 << (STACK_MIN_SHIFT + class)) < size)
		class++;
	return class;
}

/* A user-mode emulator says yes to any advice; that would be no guard. */
static bool guards_can_be_installed(char *lo, size_t page)
{
	return !shadow_reads_maps() && madvise(lo, page, MADV_UNKNOWN);
}

/*
 * From one stack to the next. With its guard it is no power of two, so the first pages
 * of many stacks do not compete for a few places in a TLB.
 */
static size_t stack_stride(uint32_t class)
{
	size_t size = stack_size(class), page = sysconf(_SC_PAGESIZE);

	if (stack_is_small(class))
		return size;
	return (size + page - 1) / page * page + page;
}

static bool stack_guard(char *lo)
{
	size_t page = sysconf(_SC_PAGESIZE);

	if (!stacks.no_guard_install) {
		if (!madvise(lo, page, MADV_GUARD_INSTALL))
			return true;
		stacks.no_guard_install = true;
	}
	if (stacks.guards < GUARD_BUDGET && !mprotect(lo, page, PROT_NONE)) {
		stacks.guards++;
		return true;
	}
	return false;
}

/*
 * The guards of the next stacks of a slab in one call, from 6.15 on. Otherwise each gets
 * its own.
 */
static void slab_guard(struct slab *slab)
{
	size_t page = sysconf(_SC_PAGESIZE), stride = stack_stride(slab->class);
	/* not on the stack, which may be a small one; the lock is held */
	static struct iovec guards[GUARDS_AT_ONCE];
	char *lo = slab->guarded;
	ssize_t n = 0;

	if (!stacks.guards_known) {
		stacks.guards_known = true;
		stacks.no_guard_install = !guards_can_be_installed(slab->base, page);
	}
	if (stacks.no_guard_install || stacks.no_guards_at_once)
		return;
	while (lo > slab->base && n < GUARDS_AT_ONCE) {
		lo -= stride;
		guards[n++] = (struct iovec){ lo, page };
	}
	if (syscall(SYS_process_madvise, PIDFD_SELF, guards, n,
		    MADV_GUARD_INSTALL, 0) == n * (ssize_t)page)
		slab->guarded = lo;
	else
		stacks.no_guards_at_once = true;
}

/* How large the next slab is to be, when so many stacks of its class are made. */
static size_t slab_size(size_t made, size_t stride)
{
	size_t size = made / SLAB_SHARE * stride;

	if (size < SLAB_MIN)
		size = SLAB_MIN;
	if (size > SLAB_MAX)
		size = SLAB_MAX;
	return size < stride ? stride : size / stride * stride;
}

static char *slab_map(size_t size)
{
	return mmap(NULL, size + sizeof(struct slab), PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
}

/* A new slab for a class. With the lock held. */
static int slab_make(uint32_t class)
{
	struct pool *pool = &stacks.pools[class];
	size_t stride = stack_stride(class), size = slab_size(pool->made, stride);
	struct slab *slab;
	char *base;

	base = slab_map(size);
	if (base == MAP_FAILED) {
		size = slab_size(0, stride);
		base = slab_map(size);
	}
	if (base == MAP_FAILED)
		return -ENOMEM;
	/* A huge page would commit 32 stacks for one. */
	madvise(base, size + sizeof(*slab), MADV_NOHUGEPAGE);

	slab = (struct slab *)(base + size);
	slab->next = stacks.slabs;
	slab->fresh = NULL;
	slab->base = base;
	slab->carve_end = base + size;
	slab->size = size;
	slab->class = class;
	slab->guarded = base + size;
	stacks.slabs = slab;
	/* Those that were begun are used up first. */
	if (!pool->fresh)
		pool->fresh_end = &pool->fresh;
	*pool->fresh_end = slab;
	pool->fresh_end = &slab->fresh;
	__atomic_store_n(&pool->made, pool->made + size / stride, __ATOMIC_RELAXED);
	shadow_map(base, size);
	return 0;
}

/*
 * How far below its end a stack begins. A cache has few places for what is at the same
 * distance from a page in each of many stacks, so neighbours begin a line apart.
 */
static uintptr_t stack_colour(char *lo, uint32_t class)
{
	if (class < STACK_DEFAULT)
		return 0;
	return (uintptr_t)lo / stack_stride(class) % STACK_COLOURS * CACHE_LINE;
}

/* The record of the stack at an address. */
static struct stack *stack_at(char *lo, uint32_t class)
{
	return (struct stack *)(lo + stack_stride(class) -
				stack_colour(lo, class)) - 1;
}

/**
 * struct claim - one stack that was never used
 * @lo: its lowest address, NULL if there is none
 * @guarded: it has a guard
 */
struct claim {
	char *lo;
	bool guarded;
};

/* With the lock held. */
static struct claim stack_claim(uint32_t class)
{
	struct pool *pool = &stacks.pools[class];
	struct slab *slab = pool->fresh;
	struct claim claim = {};
	char *lo;

	if (!slab) {
		if (slab_make(class))
			return claim;
		slab = pool->fresh;
	}
	slab->carve_end -= stack_stride(class);
	lo = slab->carve_end;
	if (lo == slab->base)
		pool->fresh = slab->fresh;

	if (!stack_is_small(class)) {
		if (lo < slab->guarded)
			slab_guard(slab);
		claim.guarded = lo >= slab->guarded || stack_guard(lo);
	}
	claim.lo = lo;
	return claim;
}

/* Write its record: the first use of its page, so without the lock. */
static struct stack *stack_carve(uint32_t class, struct claim claim)
{
	struct stack *s;

	if (!claim.lo)
		return NULL;
	s = stack_at(claim.lo, class);
	s->lo = claim.lo;
	s->class = class;
	s->guarded = claim.guarded;
	if (stack_is_small(class))
		*(uint64_t *)claim.lo = STACK_CANARY;
	s->valgrind_id = VALGRIND_STACK_REGISTER(claim.lo, (char *)s);
	return s;
}

/* With the lock held. */
static void batch_take(struct pool *pool, struct stack_list *list)
{
	struct stack *head = pool->batches;

	pool->batches = head->batch_next;
	*list = (struct stack_list){ head, head->batch_tail, P_BATCH };
}

static void batch_put(struct pool *pool, const struct stack_list *list)
{
	list->head->batch_tail = list->tail;
	list->head->batch_next = pool->batches;
	pool->batches = list->head;
}

static void stack_list_append(struct stack_list *list, const struct stack_list *more)
{
	if (!more->head)
		return;
	if (list->tail)
		list->tail->next = more->head;
	else
		list->head = more->head;
	list->tail = more->tail;
	list->len += more->len;
}

/* The list is to have up to n that were used before. With the lock held. */
static void stacks_reuse(struct pool *pool, struct stack_list *list, uint32_t n)
{
	struct stack *s;

	if (n == P_BATCH && pool->batches) {
		batch_take(pool, list);
	} else {
		if (pool->batches && !pool->free.head)
			batch_take(pool, &pool->free);
		while (list->len < n && (s = stack_list_pop(&pool->free))) {
			if (s->trimmed && stack_is_small(s->class))
				*(uint64_t *)s->lo = STACK_CANARY;
			s->trimmed = false;
			stack_list_push(list, s);
		}
	}
	pool->nr_free -= list->len;
	if (pool->nr_free < pool->low)
		pool->low = pool->nr_free;
}

/*
 * Stacks to use again, n at most, or else one that was never used. With the lock held,
 * and without it for a while if there is no memory, but stack_trim() has some.
 */
static struct claim stack_take(uint32_t class, struct stack_list *list, uint32_t n)
{
	struct pool *pool = &stacks.pools[class];
	struct claim claim = {};

	for (;;) {
		stacks_reuse(pool, list, n);
		if (!list->head)
			claim = stack_claim(class);
		if (likely(list->head || claim.lo || !stacks.trimming))
			return claim;
		lock_release(&stacks.lock);
		sched_yield();
		lock_acquire(&stacks.lock);
	}
}

static int stack_alloc_some(uint32_t class, struct stack_list *list, uint32_t n)
{
	struct claim claim;
	struct stack *s;

	lock_acquire(&stacks.lock);
	claim = stack_take(class, list, n);
	lock_release(&stacks.lock);

	s = stack_carve(class, claim);
	if (s)
		stack_list_push(list, s);
	return list->head ? 0 : -ENOMEM;
}

int stack_alloc_list(uint32_t class, struct stack_list *list)
{
	return stack_alloc_some(class, list, P_BATCH);
}

struct stack *stack_alloc(uint32_t class)
{
	struct stack_list one = {};

	return stack_alloc_some(class, &one, 1) ? NULL : one.head;
}

/* Are there stacks for all that were promised, and as many as Ps keep? */
static bool stacks_suffice(void)
{
	return __atomic_load_n(&stacks.pools[STACK_DEFAULT].made, __ATOMIC_RELAXED) >=
	       __atomic_load_n(&stacks.reserved, __ATOMIC_RELAXED) +
	       (uint64_t)procs_top() * (2 * P_BATCH + 1);
}

int stack_reserve(int64_t n)
{
	int ret = 0;

	__atomic_add_fetch(&stacks.reserved, n, __ATOMIC_SEQ_CST);
	if (n <= 0 || likely(stacks_suffice()))
		return 0;
	lock_acquire(&stacks.lock);
	while (!ret && !stacks_suffice())
		ret = slab_make(STACK_DEFAULT);
	lock_release(&stacks.lock);
	if (ret)
		__atomic_sub_fetch(&stacks.reserved, n, __ATOMIC_SEQ_CST);
	return ret;
}

void stack_free_list(uint32_t class, struct stack_list *list)
{
	struct pool *pool = &stacks.pools[class];

	if (!list->head)
		return;
	lock_acquire(&stacks.lock);
	pool->nr_free += list->len;
	if (list->len == P_BATCH) {
		batch_put(pool, list);
	} else {
		stack_list_append(list, &pool->free);
		pool->free = *list;
	}
	lock_release(&stacks.lock);
	*list = (struct stack_list){};
}

void stack_free_one(struct stack *s)
{
	struct stack_list one = {};

	stack_list_push(&one, s);
	stack_free_list(s->class, &one);
}

/* ---- memory that is not needed ---------------------------------------------------- */

/* All of a free stack but the guard and the page of its record. */
static void stack_give_back(struct stack *s)
{
	uintptr_t page = sysconf(_SC_PAGESIZE);
	uintptr_t from = (uintptr_t)s->lo + (s->guarded ? page : 0);
	uintptr_t to = (uintptr_t)s & ~(page - 1);

	if (!s->trimmed && from < to)
		madvise((void *)from, to - from, MADV_DONTNEED);
	s->trimmed = true;
}

/* Take those out that were not used since the last time: the last ones. */
static struct stack_list stacks_take_idle(struct pool *pool)
{
	struct stack_list all = {}, idle, used = {}, batch;
	uint32_t n = pool->nr_free - pool->low;

	while (pool->batches) {
		batch_take(pool, &batch);
		stack_list_append(&all, &batch);
	}
	stack_list_append(&all, &pool->free);
	while (n--)
		stack_list_push(&used, stack_list_pop(&all));
	idle = all;
	pool->nr_free -= idle.len;
	pool->free = (struct stack_list){};
	/* In the order that they had. */
	while (used.head)
		stack_list_push(&pool->free, stack_list_pop(&used));
	return idle;
}

void stack_trim(void)
{
	uint32_t class;

	/* A stack of less is in one page with others. */
	for (class = STACK_TRIM_MIN; class < STACK_CLASSES; class++) {
		struct pool *pool = &stacks.pools[class];
		struct stack_list idle;
		struct stack *s;

		lock_acquire(&stacks.lock);
		idle = stacks_take_idle(pool);
		stacks.trimming = true;
		lock_release(&stacks.lock);

		for (s = idle.head; s; s = s->next)
			stack_give_back(s);

		lock_acquire(&stacks.lock);
		stack_list_append(&pool->free, &idle);
		pool->nr_free += idle.len;
		pool->low = pool->nr_free;
		stacks.trimming = false;
		lock_release(&stacks.lock);
	}
}

static void slab_forget_stacks(struct slab *slab)
{
	char *lo = slab->carve_end;

	for (; lo < slab->base + slab->size; lo += stack_stride(slab->class))
		VALGRIND_STACK_DEREGISTER(stack_at(lo, slab->class)->valgrind_id);
}

void stack_destroy(void)
{
	struct slab *slab, *next;

	for (slab = stacks.slabs; slab; slab = next) {
		next = slab->next;
		if (shadow_wanted())
			slab_forget_stacks(slab);
		shadow_unmap(slab->base, slab->size);
		munmap(slab->base, slab->size + sizeof(*slab));
	}
	stacks.slabs = NULL;
	stacks.guards = 0;
	stacks.reserved = 0;
	memset(stacks.pools, 0, sizeof(stacks.pools));
}
