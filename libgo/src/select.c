// SPDX-License-Identifier: MIT
/*
 * Select: several operations on channels, of which one is done.
 *
 * First a look without locks for those that seem ready; one of them is picked at
 * random, evenly, and tried. If that does not do it, all channels are locked, in
 * the order of their addresses, and looked at again. If none is ready then, a
 * waiter is queued at each, with one choice for all, and who makes the choice
 * does the operation. At last the waiters are taken out of the other lists.
 *
 * Who makes the choice may ready the goroutine while the channels are still being
 * unlocked on the stack that it left. The last of them has been unlocked before the
 * goroutine leaves this frame: either the choice was made with its lock held, or the
 * goroutine locks it again (select_dequeue()). If there is none at all nothing of the
 * frame may be used (after_unlock_none()).
 */
#include <errno.h>
#include <stdlib.h>

#include "chan.h"
#include "rand.h"
#include "select.h"

/* With up to so many cases there is no allocation. */
#define CASES_ON_STACK	8

/**
 * struct select - a select that may wait
 * @cases: the cases
 * @n: how many
 * @waiters: one for each
 * @order: the channels to lock, by address, each once
 * @nr_order: how many
 * @nr_locked: how many are unlocked when the stack has been left
 * @choice: what ends the wait
 */
struct select {
	struct go_case *cases;
	uint32_t n;
	struct waiter *waiters;
	struct go_chan **order;
	uint32_t nr_order;
	uint32_t nr_locked;
	struct choice choice;
};

static bool is_chan_case(const struct go_case *c)
{
	return (c->kind == GO_CASE_SEND || c->kind == GO_CASE_RECV) && c->ch;
}

static bool case_would_wait(const struct go_case *c)
{
	return c->kind == GO_CASE_SEND ? send_would_wait(c->ch) :
		recv_would_wait(c->ch);
}

static int case_do_locked(struct go_case *c, struct g **wake)
{
	return c->kind == GO_CASE_SEND ?
		send_locked(c->ch, c->elem, wake) :
		recv_locked(c->ch, c->elem, wake);
}

static struct waitq *case_waitq(const struct go_case *c)
{
	return c->kind == GO_CASE_SEND ? &c->ch->sendq : &c->ch->recvq;
}

/* One of the cases that seem ready, each as likely as the others; n if none. */
static uint32_t pick_ready(const struct go_case *cases, uint32_t n)
{
	uint32_t pick = n, seen = 0, i;

	for (i = 0; i < n; i++) {
		if (!is_chan_case(&cases[i]) || case_would_wait(&cases[i]))
			continue;
		if (!seen++ || rand_below(seen) == 0)
			pick = i;
	}
	return pick;
}

/* Try one case. False if it would have to wait after all. */
static bool try_case(struct m *m, struct go_case *c)
{
	struct g *wake = NULL;
	bool home;
	int ret;

	home = home_lock(m, &c->ch->lock);
	ret = case_do_locked(c, &wake);
	home_unlock(m, &c->ch->lock, home);
	if (ret == WOULD_WAIT)
		return false;
	c->result = ret;
	if (wake)
		g_ready(m, wake);
	return true;
}

/* ---- waiting --------------------------------------------------------------------- */

/* Fill in order: an insertion sort, there are few. */
static void select_order(struct select *s)
{
	uint32_t i, pos, to;

	s->nr_order = 0;
	for (i = 0; i < s->n; i++) {
		struct go_chan *ch = s->cases[i].ch;

		if (!is_chan_case(&s->cases[i]))
			continue;
		pos = s->nr_order;
		while (pos && s->order[pos - 1] > ch)
			pos--;
		if (pos && s->order[pos - 1] == ch)
			continue;
		for (to = s->nr_order; to > pos; to--)
			s->order[to] = s->order[to - 1];
		s->order[pos] = ch;
		s->nr_order++;
	}
}

/* Returns how many were locked. */
static uint32_t select_lock(const struct m *m, struct select *s)
{
	uint32_t i;

	if (solo_now(m))
		return 0;
	select_order(s);
	for (i = 0; i < s->nr_order; i++)
		home_lock_away(m, &s->order[i]->lock);
	return i;
}

/* Once the last channel is unlocked the select may be gone. */
static void select_unlock(struct select *s, uint32_t n)
{
	uint32_t i;

	for (i = 0; i < n; i++)
		lock_release(&s->order[i]->lock.lock);
}

static void after_unlock_all(struct g *prev, void *arg)
{
	struct select *s = arg;

	(void)prev;
	select_unlock(s, s->nr_locked);
}

/* No lock: the deadline's timer runs already, so the select may be gone. */
static void after_unlock_none(struct g *prev, void *arg)
{
	(void)prev;
	(void)arg;
}

static void select_queue(struct select *s, struct g *g)
{
	uint32_t i;

	s->choice = (struct choice){};
	for (i = 0; i < s->n; i++) {
		struct go_case *c = &s->cases[i];

		if (!is_chan_case(c))
			continue;
		s->waiters[i] = (struct waiter){
			.g = g, .elem = c->elem, .choice = &s->choice,
			.index = i,
		};
		waitq_add(case_waitq(c), &s->waiters[i]);
	}
}

/*
 * The wait is over. Who has ended it has taken that case's waiter out, and is done with
 * it. Who comes too late takes one out as well, and finds that out then: so the others
 * take their locks, also if they are out.
 */
static void select_dequeue(const struct m *m, struct select *s)
{
	bool home;
	uint32_t i;

	for (i = 0; i < s->n; i++) {
		struct go_case *c = &s->cases[i];

		if (!is_chan_case(c) || i == s->choice.index)
			continue;
		home = home_lock(m, &c->ch->lock);
		if (s->waiters[i].queued)
			waitq_del(case_waitq(c), &s->waiters[i]);
		home_unlock(m, &c->ch->lock, home);
	}
}

/*
 * With all channels locked: do one that is ready. Its index, or n if none is. A
 * waiter whose wait something else has ended makes a case look ready, once.
 */
static uint32_t select_locked(struct select *s, struct g **wake)
{
	uint32_t i;

	while ((i = pick_ready(s->cases, s->n)) < s->n) {
		int ret = case_do_locked(&s->cases[i], wake);

		if (ret != WOULD_WAIT) {
			s->cases[i].result = ret;
			break;
		}
	}
	return i;
}

/**
 * select_wait() - a select of which no case seemed ready
 * @mp: the M, and then the one that it goes on with
 * @s: the select
 * @deadline: when to give up, which may have passed; INT64_MAX: never
 *
 * Return: the index of the case that was done, or a negative errno.
 */
static int select_wait(struct m **mp, struct select *s, int64_t deadline)
{
	struct g *g = wait_g(*mp), *wake = NULL;
	uint32_t i;

	s->nr_locked = select_lock(*mp, s);
	i = select_locked(s, &wake);
	if (i < s->n || (deadline != INT64_MAX && deadline <= go_now())) {
		select_unlock(s, s->nr_locked);
		if (wake)
			g_ready(*mp, wake);
		return i < s->n ? (int)i : -ETIMEDOUT;
	}

	select_queue(s, g);
	*mp = wait_park_until(*mp, WAIT_SELECT,
			      s->nr_locked ? after_unlock_all :
			      after_unlock_none, s, &s->choice, deadline);
	select_dequeue(*mp, s);
	if (s->choice.index == CHOICE_DEADLINE)
		return g->result;
	s->cases[s->choice.index].result = g->result;
	return s->choice.index;
}

static int select_wait_few(struct m **mp, struct go_case *cases, uint32_t n,
			   int64_t deadline)
{
	struct waiter waiters[CASES_ON_STACK];
	struct go_chan *order[CASES_ON_STACK];
	struct select s = {
		.cases = cases, .n = n, .waiters = waiters, .order = order,
	};

	return select_wait(mp, &s, deadline);
}

/*
 * Not from a critical section: who is preempted in malloc() waits for a P in there, and
 * an M in a critical section that then waits for its lock keeps one.
 */
static int select_wait_many(struct go_case *cases, uint32_t n, int64_t deadline)
{
	struct select s = { .cases = cases, .n = n };
	struct m *m;
	int ret;

	s.waiters = malloc(n * (sizeof(*s.waiters) + sizeof(*s.order)));
	if (!s.waiters)
		return -ENOMEM;
	s.order = (struct go_chan **)(s.waiters + n);
	m = wait_enter();
	ret = select_wait(&m, &s, deadline);
	wait_exit(m);
	free(s.waiters);
	return ret;
}

/* ---- the interface --------------------------------------------------------------- */

/**
 * struct waits - what the cases other than channels say
 * @deadline: when to give up; 0 for a default; INT64_MAX: never
 * @index: the case that says so
 */
struct waits {
	int64_t deadline;
	int index;
};

/* The earliest deadline; a default is one that has passed long ago. */
static int select_waits(const struct go_case *cases, int n, struct waits *w)
{
	int i, defaults = 0;

	*w = (struct waits){ .deadline = INT64_MAX, .index = -1 };
	for (i = 0; i < n; i++) {
		int64_t until = INT64_MAX;

		switch (cases[i].kind) {
		case GO_CASE_SEND:
		case GO_CASE_RECV:
			continue;
		case GO_CASE_DEFAULT:
			until = 0;
			if (defaults++)
				return -EINVAL;
			break;
		case GO_CASE_DEADLINE:
			until = cases[i].deadline;
			break;
		default:
			return -EINVAL;
		}
		if (until < w->deadline)
			*w = (struct waits){ .deadline = until, .index = i };
	}
	return 0;
}

static int select_do(struct go_case *cases, uint32_t n, int64_t deadline)
{
	struct m *m = wait_enter();
	uint32_t i;
	int ret;

	if (wait_refused(m))
		return -ESRCH;
	i = pick_ready(cases, n);
	if (i < n && try_case(m, &cases[i])) {
		ret = i;
	} else if (n <= CASES_ON_STACK) {
		ret = select_wait_few(&m, cases, n, deadline);
	} else {
		wait_exit(m);
		return select_wait_many(cases, n, deadline);
	}
	wait_exit(m);
	return ret;
}

int select_one(struct go_case *c, int64_t deadline)
{
	int ret = select_do(c, 1, deadline);

	return ret ? ret : c->result;
}

int go_select(struct go_case *cases, int n)
{
	struct waits w;
	int ret;

	if (n < 0)
		return -EINVAL;
	ret = select_waits(cases, n, &w);
	if (ret)
		return ret;
	ret = select_do(cases, n, w.deadline);
	return ret == -ETIMEDOUT ? w.index : ret;
}
