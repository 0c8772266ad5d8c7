// SPDX-License-Identifier: MIT
/*
 * The global run queue: liburcu's wait-free queue. Putting never waits; taking
 * is serialised by a lock. The length is in the shared words, where the kernel
 * sees it: it is raised before a goroutine is queued, so it never says that
 * there is none when there is one. Those that are on their way from there to a P's queue
 * are in neither; whoever takes them wakes others for them, as who queues any.
 *
 * What a P has no room for comes as a batch, one node of the queue: whoever takes it cuts
 * it off while the lock is held, and looks at the others of it later. They are in no cache
 * mostly, and most of them on their way to one at the same time then (struct g's ahead).
 *
 * Beside it is a list of those that are due, and go before all others but for the
 * queue's turn now and then: who has found them filled it, and had no P.
 *
 * A P takes several at once from the queue, but not those that have been stopped: they
 * compute, and who becomes runnable on that P would wait behind them.
 *
 * Validator: tests/globq_test.c.
 */
#include <urcu/wfcqueue.h>

#include "globq.h"
#include "runq.h"
#include "sched.h"

#define BOUND_LOOKS	256	/* the most that change their place for one of them */
#define SHARE_MAX	(RUNQ_SIZE / 2 + 1)	/* what a P takes at a time: one runs */
#define PIECES_MAX	8	/* and in so many pieces */

static struct {
	struct __cds_wfcq_head head cache_aligned;
	struct lock take_lock;
	struct g_list first;	/* they go before the queue */
	struct g *begun;	/* what is left of a batch, before the queue, too */
	uint32_t begun_len;
	struct cds_wfcq_tail tail cache_aligned;
} globq;

uint32_t globq_nr_first;

void globq_init(void)
{
	g_list_init(&globq.first);
	globq_nr_first = 0;
	globq.begun = NULL;
	globq.begun_len = 0;
	__cds_wfcq_init(&globq.head, &globq.tail);
}

static void globq_add_len(int32_t n)
{
	__atomic_fetch_add(&rt.shared->globq_len, n, __ATOMIC_SEQ_CST);
}

static void globq_enqueue(struct g *g)
{
	shadow_release(g);
	cds_wfcq_node_init(&g->link);
	cds_wfcq_enqueue(&globq.head, &globq.tail, &g->link);
}

void globq_put(struct g *g)
{
	globq_add_len(1);
	g->rest = NULL;
	globq_enqueue(g);
}

void globq_put_list(struct g_list *list)
{
	struct g *first = list->head;

	if (!first)
		return;
	globq_add_len(list->len);
	first->rest = g_next(first);
	first->rest_len = list->len - 1;
	globq_enqueue(first);
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

/* The first node of the queue: a goroutine, or a batch. */
static struct g *globq_dequeue(void)
{
	struct cds_wfcq_node *node;

	node = __cds_wfcq_dequeue_nonblocking(&globq.head, &globq.tail);
	return queued_g(node);
}

/* The first n of the batch that has been begun. They stay linked to what follows. */
static struct g *globq_cut(uint32_t n)
{
	struct g *g = globq.begun;

	globq.begun_len -= n;
	if (!globq.begun_len) {
		globq.begun = NULL;
		return g;
	}
	for (; n; n--)
		globq.begun = g_next(globq.begun);
	return g;
}

static struct g *globq_take(void)
{
	struct g *g;

	if (globq.begun)
		return globq_cut(1);
	g = globq_dequeue();
	if (g && g->rest) {
		globq.begun = g->rest;
		globq.begun_len = g->rest_len;
	}
	return g;
}

/* Has the first of the queue been stopped, as far as can be seen? None of a batch has. */
static bool globq_meets_stopped(void)
{
	struct cds_wfcq_node *node;
	struct g *g;

	if (globq.begun)
		return false;
	node = __cds_wfcq_first_nonblocking(&globq.head, &globq.tail);
	if (node == CDS_WFCQ_WOULDBLOCK)
		return true;	/* it may have been */
	g = queued_g(node);
	return !g || g->stopped;	/* the next one may be */
}

/* Goroutines that have been taken, one linked to the next; the last one to anything. */
struct piece {
	struct g *head;
	uint32_t len;
};

/* Take one, and those behind it that are no batch either; n at most. */
static struct piece globq_take_singles(uint32_t n)
{
	struct piece piece = { globq_take(), 1 };
	struct g *last = piece.head, *g;

	while (last && piece.len < n && !globq.begun &&
	       !globq_meets_stopped() && (g = globq_take())) {
		last->link.next = &g->link;
		last = g;
		piece.len++;
	}
	return piece;
}

/*
 * All of the batch, even if that is more than the share: whoever is short of work steals it
 * from the P, and to find out where it is to be cut would take long.
 */
static struct piece globq_take_begun(uint32_t n)
{
	uint32_t len = globq.begun_len;

	if (len > SHARE_MAX)
		len = n;
	return (struct piece){ globq_cut(len), len };
}

/* Take n at most. Returns in how many pieces. */
static uint32_t globq_take_pieces(struct piece *pieces, uint32_t n)
{
	uint32_t nr = 0;

	while (nr < PIECES_MAX && n && !globq_meets_stopped()) {
		struct piece piece = globq.begun ? globq_take_begun(n) :
						   globq_take_singles(n);

		if (!piece.head)
			break;
		n -= piece.len < n ? piece.len : n;
		pieces[nr++] = piece;
	}
	return nr;
}

static uint32_t pieces_len(const struct piece *pieces, uint32_t nr)
{
	uint32_t len = 0;

	while (nr--)
		len += pieces[nr].len;
	return len;
}

/* There is room for all, or else they are put back. */
static void piece_queue(struct p *p, const struct piece *piece)
{
	struct g *g = piece->head, *next;
	uint32_t i;

	for (i = 0; i < piece->len; i++) {
		/* Once it is queued it may run elsewhere. */
		next = g_next(g);
		__builtin_prefetch(g->ahead);
		runq_put(p, g);
		g = next;
	}
}

/* How many are a P's share. */
static uint32_t globq_share(uint32_t len, uint32_t max)
{
	uint32_t n = len / procs() + 1;

	if (n > len)
		n = len;
	if (max && n > max)
		n = max;
	return n < SHARE_MAX ? n : SHARE_MAX;
}

struct g *globq_get(struct p *p, uint32_t max)
{
	struct piece pieces[PIECES_MAX];
	uint32_t n, nr = 0, i;
	struct g *first;

	if (!globq_len())
		return NULL;

	lock_acquire(&globq.take_lock);
	n = globq_share(globq_len(), max);
	first = n ? globq_take() : NULL;
	if (n && !first)
		first = first_take();
	if (first && !first->stopped)
		nr = globq_take_pieces(pieces, n - 1);
	if (first)
		globq_add_len(-1 - (int32_t)pieces_len(pieces, nr));
	lock_release(&globq.take_lock);

	for (i = 0; i < nr; i++)
		piece_queue(p, &pieces[i]);
	if (nr) {
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
		sched_wake();
	}
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
	/* One by one: some may have been stopped. */
	while ((g = g_list_pop(&others)))
		globq_put(g);
	globq_add_len(-(int32_t)taken);
	lock_release(&globq.take_lock);
	return found;
}
