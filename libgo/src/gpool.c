// SPDX-License-Identifier: MIT
/*
 * Records of goroutines, made in blocks that stay until the runtime ends, so that
 * a dump can look at all of them at any time.
 *
 * Ps get and give them in batches, lists whose records nobody looks at while the
 * lock is held: they are in another CPU's cache.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "gpool.h"
#include "lock.h"
#include "sched.h"

#define BLOCK_SIZE	((size_t)64 << 10)
#define BLOCK_GS	((BLOCK_SIZE - CACHE_LINE) / sizeof(struct g))

/**
 * struct block - records of goroutines
 * @next: the block made before it
 * @used: how many of the records have ever been used
 * @gs: the records
 */
struct block {
	struct block *next;
	uint32_t used;
	struct g gs[BLOCK_GS] cache_aligned;
};

static struct {
	struct lock lock;	/* guards all that follows */
	struct g *batches;	/* the first of each, linked by @batch_next */
	struct g_list loose;	/* that make no batch */
	struct block *blocks;
} pool;

/* With the lock held. */
static int block_make(void)
{
	struct block *block;

	/* Zero, and memory only where it is used. */
	block = mmap(NULL, BLOCK_SIZE, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (block == MAP_FAILED)
		return -ENOMEM;
	shadow_map((char *)block, BLOCK_SIZE);
	block->next = pool.blocks;
	pool.blocks = block;
	return 0;
}

/* With the lock held; NULL if there is no memory. */
static struct g *g_take_loose(void)
{
	struct g *g = g_list_pop(&pool.loose);

	if (g)
		return g;
	if ((!pool.blocks || pool.blocks->used == BLOCK_GS) && block_make())
		return NULL;
	return &pool.blocks->gs[pool.blocks->used++];
}

static bool batch_take(struct g_list *list)
{
	struct g *head = pool.batches;

	if (!head)
		return false;
	pool.batches = head->batch_next;
	list->head = head;
	list->tail = head->batch_tail;
	list->len = P_BATCH;
	return true;
}

int gpool_get(struct g_list *list)
{
	struct g *g;

	lock_acquire(&pool.lock);
	if (!batch_take(list))
		while (list->len < P_BATCH && (g = g_take_loose()))
			g_list_push(list, g);
	lock_release(&pool.lock);
	return list->head ? 0 : -ENOMEM;
}

struct g *gpool_get_one(void)
{
	struct g_list batch;
	struct g *g;

	lock_acquire(&pool.lock);
	if (!pool.loose.head && batch_take(&batch))
		pool.loose = batch;
	g = g_take_loose();
	lock_release(&pool.lock);
	return g;
}

void gpool_put(struct g_list *list)
{
	if (!list->head)
		return;
	lock_acquire(&pool.lock);
	if (list->len == P_BATCH) {
		list->head->batch_tail = list->tail;
		list->head->batch_next = pool.batches;
		pool.batches = list->head;
	} else {
		while (list->head)
			g_list_push(&pool.loose, g_list_pop(list));
	}
	lock_release(&pool.lock);
	g_list_init(list);
}

void gpool_walk(void (*visit)(struct g *g, void *arg), void *arg)
{
	struct block *block;
	uint32_t i, n;

	lock_acquire(&pool.lock);
	block = pool.blocks;
	n = block ? block->used : 0;
	lock_release(&pool.lock);
	/* Blocks are put in front, and stay. */
	for (; block; block = block->next, n = BLOCK_GS)
		for (i = 0; i < n; i++)
			visit(&block->gs[i], arg);
}

static void forget(struct g *g, void *arg)
{
	(void)arg;
	shadow_free(&g->shadow);
}

void gpool_destroy(void)
{
	struct block *block, *next;

	if (shadow_wanted())
		gpool_walk(forget, NULL);
	for (block = pool.blocks; block; block = next) {
		next = block->next;
		shadow_unmap((char *)block, BLOCK_SIZE);
		munmap(block, BLOCK_SIZE);
	}
	memset(&pool, 0, sizeof(pool));
}
