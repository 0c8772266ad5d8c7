// SPDX-License-Identifier: MIT
/*
 * Contexts. Those that can be cancelled are cancellers and form a tree of their own:
 * each knows its children, and those have references on it, by way of the contexts
 * in between. It has none on them: a child that is released takes itself out, and
 * who cancels takes a reference on each child that still has one.
 *
 * A canceller's lock guards its children's links and that it is cancelled once.
 * Nobody holds two: a tree is cancelled one after the other, depth first.
 */
#include <errno.h>
#include <stdlib.h>

#include "chan.h"
#include "garbage.h"
#include "wait.h"

struct canceller;

/**
 * struct go_context - a context
 * @refs: references
 * @parent: with a reference; NULL for the background
 * @canceller: the nearest that can be cancelled, itself or above; NULL if none can
 * @key: of the value, or NULL
 * @value: the value
 */
struct go_context {
	uint32_t refs;
	struct go_context *parent;
	struct canceller *canceller;
	const void *key;
	void *value;
};

/**
 * struct canceller - a context that can be cancelled
 * @ctx: its canceller is this
 * @lock: guards @children, the links of those, and the change of @err
 * @err: 0 until it is cancelled; read without the lock
 * @cause: set before @err is
 * @deadline: INT64_MAX if there is none
 * @timer: for the deadline
 * @done: closed after @err is set
 * @children: the first
 * @next: the next child of the same parent
 * @link: what points to it in its parent's list; NULL if it is not there
 */
struct canceller {
	struct go_context ctx;
	struct lock lock;
	int err;
	int cause;
	int64_t deadline;
	struct timer timer;
	struct go_chan *done;
	struct canceller *children;
	struct canceller *next;
	struct canceller **link;
};

static struct go_context background = { .refs = 1 };

/* ---- references ------------------------------------------------------------------ */

static bool is_canceller(const struct go_context *ctx)
{
	return ctx->canceller && ctx == &ctx->canceller->ctx;
}

/* A reference on one that may be on its way to be freed. */
static bool context_try_get(struct go_context *ctx)
{
	uint32_t refs = __atomic_load_n(&ctx->refs, __ATOMIC_RELAXED);

	do {
		if (!refs)
			return false;
	} while (!__atomic_compare_exchange_n(&ctx->refs, &refs, refs + 1,
					      false, __ATOMIC_ACQUIRE,
					      __ATOMIC_RELAXED));
	return true;
}

/* The canceller above, or NULL. */
static struct canceller *canceller_parent(const struct canceller *c)
{
	return c->ctx.parent->canceller;
}

/* Take it out of its parent's list, if it is there. */
static void canceller_detach(struct canceller *c)
{
	struct canceller *parent = canceller_parent(c);

	if (!parent)
		return;
	lock_acquire(&parent->lock);
	if (c->link) {
		*c->link = c->next;
		if (c->next)
			c->next->link = c->link;
		c->link = NULL;
	}
	lock_release(&parent->lock);
}

static void canceller_destroy(struct canceller *c)
{
	canceller_detach(c);
	timer_stop(&c->timer);
	go_chan_release(c->done);
}

/* In a critical section, if it is an M. */
static void context_put(struct go_context *ctx)
{
	while (ctx != &background &&
	       __atomic_fetch_sub(&ctx->refs, 1, __ATOMIC_ACQ_REL) == 1) {
		struct go_context *parent = ctx->parent;

		if (is_canceller(ctx))
			canceller_destroy(ctx->canceller);
		garbage_put(ctx);
		ctx = parent;
	}
}

struct go_context *go_context_background(void)
{
	return &background;
}

struct go_context *go_context_retain(struct go_context *ctx)
{
	if (ctx != &background)
		__atomic_fetch_add(&ctx->refs, 1, __ATOMIC_RELAXED);
	return ctx;
}

void go_context_release(struct go_context *ctx)
{
	struct m *m;

	/* In a child of fork() the locks of those above may be held. */
	if (!ctx || forked)
		return;
	m = wait_enter();
	context_put(ctx);
	wait_exit(m);
}

/* ---- cancelling ------------------------------------------------------------------ */

/* Cancel this one, or see to it that it has been. */
static void cancel_one(struct canceller *c, int err, int cause)
{
	lock_acquire(&c->lock);
	if (!c->err) {
		c->cause = cause;
		__atomic_store_n(&c->err, err, __ATOMIC_RELEASE);
	}
	lock_release(&c->lock);
	timer_stop(&c->timer);
	go_chan_close(c->done);
}

/* A child that is still to be cancelled, with a reference; NULL if there is none. */
static struct canceller *canceller_child(struct canceller *c)
{
	struct canceller *child;

	lock_acquire(&c->lock);
	/* Of one without references nobody knows any more. */
	for (child = c->children; child; child = child->next)
		if (context_try_get(&child->ctx))
			break;
	lock_release(&c->lock);
	return child;
}

/*
 * Cancel one and all below it. Each stays in its parent's list until all below it have been
 * cancelled, so of several who cancel at a time nobody returns before that. In a critical
 * section, if it is an M. The caller has a reference.
 */
static void cancel_tree(struct canceller *top, int err, int cause)
{
	struct canceller *c = top, *child, *parent;

	cancel_one(c, err, cause);
	for (;;) {
		child = canceller_child(c);
		if (child) {
			cancel_one(child, c->err, c->cause);
			c = child;
			continue;
		}
		if (c == top)
			return;
		parent = canceller_parent(c);
		canceller_detach(c);
		context_put(&c->ctx);
		c = parent;
	}
}

int go_context_cancel_cause(struct go_context *ctx, int cause)
{
	struct m *m;

	if (!is_canceller(ctx) || !cause)
		return -EINVAL;
	m = wait_enter();
	if (wait_refused(m))
		return -ESRCH;
	cancel_tree(ctx->canceller, -ECANCELED, cause);
	wait_exit(m);
	return 0;
}

int go_context_cancel(struct go_context *ctx)
{
	return go_context_cancel_cause(ctx, -ECANCELED);
}

/* ---- deadlines ------------------------------------------------------------------- */

static void deadline_cancel(struct timer *t)
{
	struct canceller *c = container_of(t, struct canceller, timer);

	cancel_tree(c, -ETIMEDOUT, -ETIMEDOUT);
	context_put(&c->ctx);
}

/* One whose last reference is gone stops the timer before it is freed. */
static bool deadline_fire(struct timer *t, struct g_list *ready)
{
	struct canceller *c = container_of(t, struct canceller, timer);

	(void)ready;
	return context_try_get(&c->ctx);
}

/* ---- making ---------------------------------------------------------------------- */

static struct canceller *canceller_make(struct go_context *parent)
{
	struct canceller *c;

	if (forked)
		return NULL;
	c = calloc(1, sizeof(*c));
	if (!c)
		return NULL;
	c->done = go_chan_make(0, 0);
	if (!c->done) {
		free(c);
		return NULL;
	}
	c->ctx.refs = 1;
	c->ctx.parent = go_context_retain(parent);
	c->ctx.canceller = c;
	c->deadline = go_context_deadline(parent);
	timer_make(&c->timer, deadline_fire, deadline_cancel);
	return c;
}

/* Become a child, or be cancelled if the parent has been. */
static void canceller_attach(struct canceller *c)
{
	struct canceller *parent = canceller_parent(c);
	bool attached;

	if (!parent)
		return;
	lock_acquire(&parent->lock);
	attached = !parent->err;
	if (attached) {
		c->next = parent->children;
		if (c->next)
			c->next->link = &c->next;
		c->link = &parent->children;
		parent->children = c;
	}
	lock_release(&parent->lock);
	if (!attached)
		cancel_tree(c, parent->err, parent->cause);
}

struct go_context *go_context_with_cancel(struct go_context *parent)
{
	struct canceller *c;
	struct m *m;

	if (!parent)
		return NULL;
	c = canceller_make(parent);
	if (!c)
		return NULL;
	m = wait_enter();
	canceller_attach(c);
	wait_exit(m);
	return &c->ctx;
}

struct go_context *go_context_with_deadline(struct go_context *parent,
					    int64_t deadline)
{
	bool passed = deadline <= go_now();
	struct canceller *c;
	struct m *m;

	if (!parent)
		return NULL;
	c = canceller_make(parent);
	if (!c)
		return NULL;
	m = wait_enter();
	if (deadline < c->deadline) {
		c->deadline = deadline;
		if (!passed && timer_start(&c->timer, deadline))
			goto err;
	}
	canceller_attach(c);
	if (passed)
		cancel_tree(c, -ETIMEDOUT, -ETIMEDOUT);
	wait_exit(m);
	return &c->ctx;

err:
	context_put(&c->ctx);
	wait_exit(m);
	return NULL;
}

struct go_context *go_context_with_timeout(struct go_context *parent, int64_t ns)
{
	return go_context_with_deadline(parent, time_after(ns));
}

struct go_context *go_context_with_value(struct go_context *parent,
					 const void *key, void *value)
{
	struct go_context *ctx;

	if (!parent || !key)
		return NULL;
	garbage_collect();
	ctx = malloc(sizeof(*ctx));
	if (!ctx)
		return NULL;
	*ctx = (struct go_context){
		.refs = 1, .parent = go_context_retain(parent),
		.canceller = parent->canceller, .key = key, .value = value,
	};
	return ctx;
}

/* ---- asking ---------------------------------------------------------------------- */

struct go_chan *go_context_done(const struct go_context *ctx)
{
	return ctx->canceller ? ctx->canceller->done : NULL;
}

/* Who learns that it is cancelled finds its channel closed. */
int go_context_err(const struct go_context *ctx)
{
	struct canceller *c = ctx->canceller;
	int err;

	if (!c)
		return 0;
	err = __atomic_load_n(&c->err, __ATOMIC_ACQUIRE);
	if (unlikely(err) && !chan_is_closed(c->done))
		go_chan_close(c->done);
	return err;
}

int go_context_cause(const struct go_context *ctx)
{
	return go_context_err(ctx) ? ctx->canceller->cause : 0;
}

int64_t go_context_deadline(const struct go_context *ctx)
{
	return ctx->canceller ? ctx->canceller->deadline : INT64_MAX;
}

void *go_context_value(const struct go_context *ctx, const void *key)
{
	for (; ctx; ctx = ctx->parent)
		if (ctx->key && ctx->key == key)
			return ctx->value;
	return NULL;
}
