// SPDX-License-Identifier: MIT
/*
 * Goroutines: start, end, and what they can ask about themselves.
 */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "fork.h"
#include "goroutine.h"
#include "gpool.h"
#include "runq.h"
#include "sched.h"
#include "stack.h"
#include "start.h"
#include "wait.h"

/* Numbers that a P takes at a time. */
#define ID_BLOCK	64

static uint64_t id_block(uint64_t n)
{
	return __atomic_fetch_add(&rt.id_block, n, __ATOMIC_RELAXED) + 1;
}

static uint64_t id_next(struct p *p)
{
	if (unlikely(p->next_id == p->last_id)) {
		p->next_id = id_block(ID_BLOCK);
		p->last_id = p->next_id + ID_BLOCK;
	}
	return p->next_id++;
}

static void born_add(struct p *p, int64_t n)
{
	/* Written by the P's owner only, read by anyone. */
	__atomic_store_n(&p->born, p->born + n, __ATOMIC_RELAXED);
}

/* Goroutines for the P, with a promise of as many stacks. */
static void p_refill(struct p *p)
{
	if (p->free_batch.head) {
		p->free = p->free_batch;
		g_list_init(&p->free_batch);
		return;
	}
	if (gpool_get(&p->free))
		return;
	if (stack_reserve(p->free.len))
		gpool_put(&p->free);
}

static void gs_give(struct g_list *list)
{
	stack_reserve(-(int64_t)list->len);
	gpool_put(list);
}

/* One is dead. */
static void p_keep_g(struct p *p, struct g *g)
{
	if (unlikely(p->free.len == P_BATCH)) {
		gs_give(&p->free_batch);
		p->free_batch = p->free;
		g_list_init(&p->free);
	}
	g_list_push(&p->free, g);
}

static void p_refill_stacks(struct p *p)
{
	if (p->stacks_batch.head) {
		p->stacks = p->stacks_batch;
		p->stacks_batch = (struct stack_list){};
		return;
	}
	/* What stack_reserve() has promised; only what others keep could be short. */
	if (stack_alloc_list(STACK_DEFAULT, &p->stacks)) {
		fputs("libgo: no memory for a stack that was promised\n", stderr);
		abort();
	}
}

/* One is not in use any more. */
static void p_keep_stack(struct p *p, struct stack *s)
{
	if (unlikely(p->stacks.len == P_BATCH)) {
		stack_free_list(STACK_DEFAULT, &p->stacks_batch);
		p->stacks_batch = p->stacks;
		p->stacks = (struct stack_list){};
	}
	stack_list_push(&p->stacks, s);
}

void p_free_all(struct p *p)
{
	stack_free_list(STACK_DEFAULT, &p->stacks);
	stack_free_list(STACK_DEFAULT, &p->stacks_batch);
	gs_give(&p->free);
	gs_give(&p->free_batch);
}

/* One for a plain thread. */
static struct g *g_foreign(void)
{
	struct g *g;

	if (stack_reserve(1))
		return NULL;
	g = gpool_get_one();
	if (!g)
		stack_reserve(-1);
	return g;
}

static void g_use_stack(struct g *g, struct stack *s)
{
	g->stack = s;
	g->stack_lo = s->lo;
	g->guarded = s->guarded;
	g->stack_class = s->class;
}

/* Its first switch goes to the top of a stack. */
static void g_begin_on(struct g *g, struct stack *s)
{
	g_use_stack(g, s);
	g->sp = context_make(s, rt.fpu);
	shadow_begin(&g->shadow, s->lo, (char *)s - s->lo, g->name);
}

/* One with a stack that is not of the default class. */
static struct g *g_special(uint32_t class)
{
	struct stack *s = stack_alloc(class);
	struct g *g;

	if (!s)
		return NULL;
	g = gpool_get_one();
	if (g)
		g_begin_on(g, s);
	else
		stack_free_one(s);
	return g;
}

struct g *g_make(struct m *m, go_fn fn, void *arg, const char *name,
		 uint32_t class)
{
	struct p *p = m ? m_p(m) : NULL;
	struct g *g;

	if (class != STACK_DEFAULT) {
		g = g_special(class);
	} else if (p) {
		if (unlikely(!p->free.head))
			p_refill(p);
		g = g_list_pop(&p->free);
	} else {
		g = g_foreign();
	}
	if (!g)
		return NULL;

	if (p) {
		g->id = id_next(p);
		born_add(p, 1);
	} else {
		g->id = id_block(1);
		__atomic_fetch_add(&rt.foreign_born, 1, __ATOMIC_RELAXED);
	}
	g->fn = fn;
	g->arg = arg;
	g->name = name;
	g->status = G_RUNNABLE;
	return g;
}

void g_begin(struct m *m, struct g *g)
{
	struct p *p = m_p(m);

	if (unlikely(!p->stacks.head))
		p_refill_stacks(p);
	g_begin_on(g, stack_list_pop(&p->stacks));
}

static void g_special_free(struct g *g, struct stack *s)
{
	struct g_list one = {};

	stack_free_one(s);
	g_list_push(&one, g);
	gpool_put(&one);
}

void g_free(struct m *m, struct g *g)
{
	struct p *p = m_p(m);
	struct stack *s = g->stack;

	g->status = G_DEAD;
	g->sp = NULL;
	g->stack = NULL;
	shadow_free(&g->shadow);
	born_add(p, -1);
	if (unlikely(g->stack_class != STACK_DEFAULT)) {
		g_special_free(g, s);
		return;
	}
	if (s)
		p_keep_stack(p, s);
	p_keep_g(p, g);
}

bool g_inherit(struct m *m, struct g *prev, struct g *next)
{
	if (next->sp || prev->stack_class != STACK_DEFAULT ||
	    shadow_follows_goroutines())
		return false;
	g_use_stack(next, prev->stack);
	fpu_control_reset(rt.fpu);
	prev->stack = NULL;
	g_free(m, prev);
	next->status = G_RUNNING;
	m->g = next;
	return true;
}

int go_spawn_opts(go_fn fn, void *arg, const struct go_opts *opts)
{
	int class = STACK_DEFAULT;
	struct m *m;
	struct g *g;
	int ret = 0;

	if (!fn)
		return -EINVAL;
	if (opts)
		class = stack_class(opts->stack_size);
	if (class < 0)
		return class;

	m = wait_enter();
	if (!__atomic_load_n(&rt.running, __ATOMIC_SEQ_CST)) {
		ret = -ESRCH;
		goto out;
	}
	g = g_make(m, fn, arg, opts ? opts->name : NULL, class);
	if (g)
		g_ready(m, g);
	else
		ret = -ENOMEM;
out:
	wait_exit(m);
	return ret;
}

int go_spawn(go_fn fn, void *arg)
{
	return go_spawn_opts(fn, arg, NULL);
}

/* What comes before the end of a goroutine. Returns the M, in a critical section. */
static struct m *end_begin(void)
{
	struct m *m = m_self();

	if (forked)
		_exit(EXIT_SUCCESS);
	if (!m)
		abort();
	m = critical_enter(m);
	if (g_is_main(m->g))
		main_ended();
	return m;
}

void go_exit(void)
{
	g_end(end_begin());
}

static_assert(offsetof(struct g, sp) == 0 && offsetof(struct g, fn) == 8 &&
	      offsetof(struct g, arg) == 16, "arch/ knows them");

/* Its function is called next. */
static inline struct g_pair begin(struct m *m)
{
	struct g_pair pair = { .next = m->g };

	*m->errno_loc = 0;
	critical_exit(m);
	return pair;
}

__attribute__((used)) struct g_pair g_first(struct g *prev)
{
	return begin(switched(prev));
}

__attribute__((used)) struct g_pair g_last(void)
{
	struct m *m = end_begin();
	struct g_pair pair = { .prev = m->g };

	pair.next = g_end_or_next(m);
	if (!pair.next)
		return begin(m);
	if (runq_is_long(m_p(m)))
		pair.prev = (struct g *)((uintptr_t)pair.prev + PREV_OF_MANY);
	return pair;
}

uint64_t go_id(void)
{
	struct m *m = m_self();

	return m ? m->g->id : 0;
}

struct go_goroutine *go_self(void)
{
	struct m *m = m_self();

	return m ? (struct go_goroutine *)m->g : NULL;
}

size_t go_num_goroutine(void)
{
	struct m *m = wait_enter();
	int64_t n = 0;
	uint32_t i;

	if (__atomic_load_n(&rt.running, __ATOMIC_SEQ_CST)) {
		n = __atomic_load_n(&rt.foreign_born, __ATOMIC_RELAXED);
		for (i = 0; i < procs_top(); i++)
			n += __atomic_load_n(&rt.ps[i].born, __ATOMIC_RELAXED);
	}
	wait_exit(m);
	return n > 0 ? n : 0;
}
