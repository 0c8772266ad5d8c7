// SPDX-License-Identifier: MIT
/*
 * The global run queue: liburcu's wait-free queue. Putting never waits; taking
 * is serialised by a lock. The length is in the shared words, where the kernel
 * sees it: it is raised before a goroutine is queued, so it never says that
 * there is none when there is one.
 *
 * Beside it is a list of those that are due, and go before all others but for the
 * queue's turn now and then: who has found them filled it, and had no P.
 *
 * A P takes several at once from the queue, but not those that have been stopped: they
 * compute, and who becomes runnable on that P would wait behind them.
 */
#include <urcu/wfcqueue.h>

#include "globq.h"
#include "runq.h"
#include "sched.h"

#define BOUND_LOOKS	256	/* the most that change their place for one of them */

static struct {
	struct __cds_wfcq_head head cache_aligned;
	struct lock take_lock;
	struct g_list first;	/* they go before the queue */
	struct cds_wfcq_tail tail cache_aligned;
} globq;

uint32_t globq_nr_first;

void globq_init(void)
{
	g_list_init(&globq.first);
	globq_nr_first = 0;
	__cds_wfcq_init(&globq.head, &globq.tail);
}

static void globq_add_len(int32_t n)
{
	__atomic_fetch_add(&rt.shared->globq_len, n, __ATOMIC_SEQ_CST);
}

void globq_put(struct g *g)
{
	globq_add_len(1);
	shadow_release(g);
	cds_wfcq_node_init(&g->link);
	cds_wfcq_enqueue(&globq.head, &globq.tail, &g->link);
}

/* A list is linked as a queue is, so it is made one and appended as a whole. */
void globq_put_list(struct g_list *list)
{
	struct __cds_wfcq_head head;
	struct cds_wfcq_tail tail;
	struct g *g, *next;

	if (!list->head)
		return;
	globq_add_len(list->len);
	for (g = shadow_wanted() ? list->head : NULL; g; g = next) {
		next = g_next(g);
		shadow_release(g);
	}
	__cds_wfcq_init(&head, &tail);
	head.node.next = &list->head->link;
	tail.p = &list->tail->link;
	__cds_wfcq_splice_blocking(&globq.head, &globq.tail, &head, &tail);
	g_list_init(list);
}

static void globq_set_nr_first(void)
{
	__atomic_store_n(&globq_nr_first, globq.first.len, __ATOMIC_RELAXED);
}

void globq_put_list_first(struct g_list *list)
{
	struct g *g;

	lock_acquire(&globq.take_lock);
	globq_add_len(list->len);
	while ((g = g_list_pop(list))) {
		shadow_release(g);
		g_list_add(&globq.first, g);
	}
	globq_set_nr_first();
	lock_release(&globq.take_lock);
}

static struct g *first_take(void)
{
	struct g *g = g_list_pop(&globq.first);

	if (!g)
		return NULL;
	globq_set_nr_first();
	shadow_acquire(g);
	return g;
}

struct g *globq_get_first_slow(void)
{
	struct g *g;

	lock_acquire(&globq.take_lock);
	g = first_take();
	if (g)
		globq_add_len(-1);
	lock_release(&globq.take_lock);
	return g;
}

static struct g *queued_g(struct cds_wfcq_node *node)
{
	struct g *g;

	if (!node || node == CDS_WFCQ_WOULDBLOCK)
		return NULL;
	g = container_of(node, struct g, link);
	shadow_acquire(g);
	return g;
}

static struct g *globq_take(void)
{
	struct cds_wfcq_node *node;

	node = __cds_wfcq_dequeue_nonblocking(&globq.head, &globq.tail);
	return queued_g(node);
}

/* Has the first of the queue been stopped? */
static bool globq_meets_stopped(void)
{
	struct cds_wfcq_node *node;
	struct g *g;

	node = __cds_wfcq_first_nonblocking(&globq.head, &globq.tail);
	g = queued_g(node);
	return g && g->stopped;
}

struct g *globq_get(struct p *p, uint32_t max)
{
	struct g *first, *g;
	struct g_list rest;
	uint32_t n, len, taken;

	if (!globq_len())
		return NULL;

	lock_acquire(&globq.take_lock);
	len = globq_len();
	n = len / procs() + 1;
	if (n > len)
		n = len;
	if (max && n > max)
		n = max;
	if (n > RUNQ_SIZE / 2)
		n = RUNQ_SIZE / 2;

	g_list_init(&rest);
	first = n ? globq_take() : NULL;
	if (n && !first)
		first = first_take();
	if (first) {
		while (!first->stopped && rest.len < n - 1 &&
		       !globq_meets_stopped() && (g = globq_take()))
			g_list_add(&rest, g);
		/* At no time are they in neither queue. */
		taken = rest.len + 1;
		runq_put_list(p, &rest);
		globq_add_len(-(int32_t)taken);
	}
	lock_release(&globq.take_lock);
	return first;
}

/* One that is bound, of those that are due. */
static struct g *first_take_bound(void)
{
	struct g_list all = globq.first;
	struct g *g, *found = NULL;

	g_list_init(&globq.first);
	while ((g = g_list_pop(&all))) {
		if (!found && g->bound)
			found = g;
		else
			g_list_add(&globq.first, g);
	}
	globq_set_nr_first();
	if (found)
		shadow_acquire(found);
	return found;
}

/* The others of the first go to the end, so that the next call sees what follows. */
struct g *globq_get_bound(void)
{
	uint32_t looks = BOUND_LOOKS, taken;
	struct g *g, *found;
	struct g_list others;

	g_list_init(&others);
	lock_acquire(&globq.take_lock);
	found = first_take_bound();
	taken = !!found;
	if (looks > globq_len())
		looks = globq_len();
	while (!found && taken < looks && (g = globq_take())) {
		taken++;
		if (g->bound)
			found = g;
		else
			g_list_add(&others, g);
	}
	globq_put_list(&others);
	globq_add_len(-(int32_t)taken);
	lock_release(&globq.take_lock);
	return found;
}
