// SPDX-License-Identifier: MIT
/*
 * The micro-benchmarks for libgo. bench/rows.py says what each kind is.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <go.h>

#include "measure.h"

#define MAX_SELECT	8
#define MAX_FANOUT	16

static void must(int ret, const char *what)
{
	if (ret < 0)
		measure_fail("%s: %s", what, strerror(-ret));
}

static void start(go_fn fn, void *arg)
{
	must(go_spawn(fn, arg), "go_spawn");
}

/* Start n goroutines that end with go_waitgroup_done(), and wait for them. */
static void start_and_wait(struct go_waitgroup *wg, go_fn fn, void *arg, long n)
{
	long i;

	must(go_waitgroup_add(wg, n), "go_waitgroup_add");
	for (i = 0; i < n; i++)
		start(fn, arg);
	go_waitgroup_wait(wg);
}

static void *zeroed(size_t n, size_t size)
{
	void *p = calloc(n, size);

	if (!p)
		measure_fail("no memory");
	return p;
}

static struct go_chan *make_chan(size_t cap)
{
	struct go_chan *ch = go_chan_make(sizeof(uint64_t), cap);

	if (!ch)
		measure_fail("go_chan_make: no memory");
	return ch;
}

/* ---- spawn -------------------------------------------------------------- */

struct spawner {
	struct go_waitgroup *spawners;
	long batches;
	long tasks;
	long yields;
};

struct batch {
	struct go_waitgroup wg;
	long yields;
};

static void spawned(void *arg)
{
	struct batch *b = arg;
	long i;

	for (i = 0; i < b->yields; i++)
		go_yield();
	go_waitgroup_done(&b->wg);
}

static void spawner(void *arg)
{
	struct spawner *s = arg;
	struct batch b = { .yields = s->yields };
	long i;

	for (i = 0; i < s->batches; i++)
		start_and_wait(&b.wg, spawned, &b, s->tasks);
	go_waitgroup_done(s->spawners);
}

static long run_spawn(long ops)
{
	long spawners = measure_param("spawners");
	struct go_waitgroup wg = GO_WAITGROUP_INIT;
	struct spawner s = {
		.spawners = &wg,
		.tasks = measure_param("tasks"),
		.yields = measure_param("yields"),
	};

	s.batches = ops / (s.tasks * spawners) + 1;
	start_and_wait(&wg, spawner, &s, spawners);
	return s.batches * s.tasks * spawners;
}

/* ---- yield -------------------------------------------------------------- */

struct yielders {
	struct go_waitgroup wg;
	long yields;
};

static void yielder(void *arg)
{
	struct yielders *y = arg;
	long i;

	for (i = 0; i < y->yields; i++)
		go_yield();
	go_waitgroup_done(&y->wg);
}

static long run_yield(long ops)
{
	long tasks = measure_param("tasks");
	struct yielders y = { .yields = ops / tasks + 1 };

	start_and_wait(&y.wg, yielder, &y, tasks);
	return y.yields * tasks;
}

/* ---- pingpong ----------------------------------------------------------- */

struct pair {
	struct go_waitgroup *wg;
	struct go_chan *ping;
	struct go_chan *pong;
	uint64_t rounds;
};

static void pinger(void *arg)
{
	struct pair *p = arg;
	uint64_t i, n;

	for (i = 0; i < p->rounds; i++) {
		go_chan_send(p->ping, &i);
		go_chan_recv(p->pong, &n);
		if (n != i)
			measure_fail("sent %lu, got %lu back", i, n);
	}
	go_waitgroup_done(p->wg);
}

static void ponger(void *arg)
{
	struct pair *p = arg;
	uint64_t i, n;

	for (i = 0; i < p->rounds; i++) {
		go_chan_recv(p->ping, &n);
		go_chan_send(p->pong, &n);
	}
	go_waitgroup_done(p->wg);
}

static long run_pingpong(long ops)
{
	struct go_waitgroup wg = GO_WAITGROUP_INIT;
	long pairs = measure_param("pairs"), i;
	struct pair *p = zeroed(pairs, sizeof(*p));
	long rounds = ops / pairs + 1;

	must(go_waitgroup_add(&wg, 2 * pairs), "go_waitgroup_add");
	for (i = 0; i < pairs; i++) {
		p[i].wg = &wg;
		p[i].ping = make_chan(0);
		p[i].pong = make_chan(0);
		p[i].rounds = rounds;
		start(pinger, &p[i]);
		start(ponger, &p[i]);
	}
	go_waitgroup_wait(&wg);
	for (i = 0; i < pairs; i++) {
		go_chan_release(p[i].ping);
		go_chan_release(p[i].pong);
	}
	free(p);
	return rounds * pairs;
}

/* ---- chan --------------------------------------------------------------- */

struct queue {
	struct go_waitgroup wg;
	struct go_chan *ch;
	uint64_t per_producer;
	uint64_t per_consumer;
	uint64_t sum;
};

static void producer(void *arg)
{
	struct queue *q = arg;
	uint64_t i;

	for (i = 0; i < q->per_producer; i++)
		go_chan_send(q->ch, &i);
	go_waitgroup_done(&q->wg);
}

static void consumer(void *arg)
{
	struct queue *q = arg;
	uint64_t i, n, sum = 0;

	for (i = 0; i < q->per_consumer; i++) {
		go_chan_recv(q->ch, &n);
		sum += n;
	}
	__atomic_fetch_add(&q->sum, sum, __ATOMIC_RELAXED);
	go_waitgroup_done(&q->wg);
}

static long run_chan(long ops)
{
	long producers = measure_param("producers");
	long consumers = measure_param("consumers");
	long share = ops / (producers * consumers) + 1;
	struct queue q = {
		.ch = make_chan(measure_param("capacity")),
		.per_producer = share * consumers,
		.per_consumer = share * producers,
	};
	long i;

	must(go_waitgroup_add(&q.wg, producers), "go_waitgroup_add");
	for (i = 0; i < producers; i++)
		start(producer, &q);
	start_and_wait(&q.wg, consumer, &q, consumers);
	go_chan_release(q.ch);
	if (q.sum != q.per_producer * (q.per_producer - 1) / 2 * producers)
		measure_fail("elements were lost or changed");
	return share * producers * consumers;
}

/* ---- select ------------------------------------------------------------- */

struct selection {
	struct go_waitgroup wg;
	struct go_chan *ch[MAX_SELECT];
	long channels;
	uint64_t count;
};

static void select_open(struct selection *s, size_t capacity)
{
	long i;

	memset(s, 0, sizeof(*s));
	s->channels = measure_param("channels");
	if (s->channels < 1 || s->channels > MAX_SELECT)
		measure_fail("channels: 1 to %d", MAX_SELECT);
	for (i = 0; i < s->channels; i++)
		s->ch[i] = make_chan(capacity);
}

static void select_close(struct selection *s)
{
	long i;

	for (i = 0; i < s->channels; i++)
		go_chan_release(s->ch[i]);
}

/* The cases are made anew each time, as a statement in Go makes them. */
static uint64_t select_one(const struct selection *s)
{
	struct go_case cases[MAX_SELECT];
	uint64_t n;
	long i;

	for (i = 0; i < s->channels; i++)
		cases[i] = (struct go_case)GO_RECV(s->ch[i], &n);
	must(go_select(cases, s->channels), "go_select");
	return n;
}

static void selecter(void *arg)
{
	struct selection *s = arg;
	uint64_t i, n;

	for (i = 0; i < s->count; i++) {
		n = select_one(s);
		if (n != i)
			measure_fail("selected %lu instead of %lu", n, i);
	}
	go_waitgroup_done(&s->wg);
}

static void select_sender(void *arg)
{
	struct selection *s = arg;
	uint64_t i;

	for (i = 0; i < s->count; i++)
		go_chan_send(s->ch[i % s->channels], &i);
	go_waitgroup_done(&s->wg);
}

static long run_select(long ops)
{
	struct selection s;

	select_open(&s, 0);
	s.count = ops;
	must(go_waitgroup_add(&s.wg, 1), "go_waitgroup_add");
	start(selecter, &s);
	start_and_wait(&s.wg, select_sender, &s, 1);
	select_close(&s);
	return ops;
}

static long run_selectready(long ops)
{
	struct selection s;
	uint64_t i, n;

	select_open(&s, 1);
	for (i = 0; i < (uint64_t)ops; i++) {
		go_chan_send(s.ch[i % s.channels], &i);
		n = select_one(&s);
		if (n != i)
			measure_fail("selected %lu instead of %lu", n, i);
	}
	select_close(&s);
	return ops;
}

/* ---- mutex -------------------------------------------------------------- */

struct counter {
	struct go_waitgroup wg;
	struct go_mutex mutex;
	long count;		/* guarded by mutex */
	long per_task;
	long yields;
};

static void locker(void *arg)
{
	struct counter *c = arg;
	long i, y;

	for (i = 0; i < c->per_task; i++) {
		go_mutex_lock(&c->mutex);
		c->count++;
		for (y = 0; y < c->yields; y++)
			go_yield();
		go_mutex_unlock(&c->mutex);
	}
	go_waitgroup_done(&c->wg);
}

static long run_mutex(long ops)
{
	long tasks = measure_param("tasks");
	struct counter c = {
		.per_task = ops / tasks + 1,
		.yields = measure_param("yields"),
	};

	start_and_wait(&c.wg, locker, &c, tasks);
	if (c.count != c.per_task * tasks)
		measure_fail("%ld of %ld turns were counted", c.count,
			     c.per_task * tasks);
	return c.count;
}

/* ---- skynet ------------------------------------------------------------- */

struct node {
	struct go_chan *parent;
	uint64_t first;
	uint64_t leaves;
	long fanout;
};

static void skynet(void *arg)
{
	struct node *node = arg;
	struct node children[MAX_FANOUT];
	struct go_chan *ch;
	uint64_t n, sum = 0;
	long i;

	if (node->leaves == 1) {
		go_chan_send(node->parent, &node->first);
		return;
	}
	ch = make_chan(0);
	n = node->leaves / node->fanout;
	for (i = 0; i < node->fanout; i++) {
		children[i] = (struct node){ ch, node->first + i * n, n,
					     node->fanout };
		start(skynet, &children[i]);
	}
	for (i = 0; i < node->fanout; i++) {
		go_chan_recv(ch, &n);
		sum += n;
	}
	go_chan_release(ch);
	go_chan_send(node->parent, &sum);
}

static long run_skynet(long ops)
{
	struct node root = {
		.parent = make_chan(0),
		.leaves = measure_param("leaves"),
		.fanout = measure_param("fanout"),
	};
	uint64_t sum;

	(void)ops;
	if (root.fanout < 2 || root.fanout > MAX_FANOUT)
		measure_fail("fanout: 2 to %d", MAX_FANOUT);
	start(skynet, &root);
	go_chan_recv(root.parent, &sum);
	go_chan_release(root.parent);
	if (sum != root.leaves * (root.leaves - 1) / 2)
		measure_fail("the leaves' sum is %lu", sum);
	return root.leaves;
}

/* ---- timers and sleep --------------------------------------------------- */

struct sleepers {
	struct go_waitgroup wg;
	long next;
	long max_ms;		/* timers */
	long sleeps;		/* sleep, up to the end */
	long min_us;
	long max_us;
	int64_t *late;
	struct go_waitgroup busy;
	bool stop;
};

static void timer_sleeper(void *arg)
{
	struct sleepers *s = arg;
	long number = __atomic_fetch_add(&s->next, 1, __ATOMIC_RELAXED);

	go_sleep((1 + number % s->max_ms) * GO_MILLISECOND);
	go_waitgroup_done(&s->wg);
}

static long run_timers(long ops)
{
	struct sleepers s = { .max_ms = measure_param("max_ms") };

	(void)ops;
	start_and_wait(&s.wg, timer_sleeper, &s, measure_param("tasks"));
	return s.next;
}

static void steady_sleeper(void *arg)
{
	struct sleepers *s = arg;
	long number = __atomic_fetch_add(&s->next, 1, __ATOMIC_RELAXED);
	int64_t *late = s->late + number * s->sleeps;
	uint64_t state = number;
	int64_t time, due;
	long i;

	for (i = 0; i < s->sleeps; i++) {
		time = measure_sleep_ns(&state, s->min_us, s->max_us);
		due = measure_now() + time;
		go_sleep(time);
		late[i] = measure_now() - due;
	}
	go_waitgroup_done(&s->wg);
}

static void busy(void *arg)
{
	struct sleepers *s = arg;

	while (!__atomic_load_n(&s->stop, __ATOMIC_RELAXED))
		;
	go_waitgroup_done(&s->busy);
}

static long run_sleep(long ops)
{
	long tasks = measure_param("tasks"), nr_busy = measure_param("busy"), i;
	struct sleepers s = {
		.sleeps = measure_param("sleeps"),
		.min_us = measure_param("min_us"),
		.max_us = measure_param("max_us"),
	};

	(void)ops;
	s.late = zeroed(tasks * s.sleeps, sizeof(*s.late));
	must(go_waitgroup_add(&s.busy, nr_busy), "go_waitgroup_add");
	for (i = 0; i < nr_busy; i++)
		must(go_spawn(busy, &s), "go_spawn");
	start_and_wait(&s.wg, steady_sleeper, &s, tasks);
	__atomic_store_n(&s.stop, true, __ATOMIC_RELAXED);
	go_waitgroup_wait(&s.busy);
	measure_note_lateness(s.late, tasks * s.sleeps);
	free(s.late);
	return tasks * s.sleeps;
}

/* ---- mem ---------------------------------------------------------------- */

struct parked {
	struct go_waitgroup wg;
	struct go_chan *gate;
	long arrived;
};

static void parker(void *arg)
{
	struct parked *p = arg;

	__atomic_fetch_add(&p->arrived, 1, __ATOMIC_RELAXED);
	go_chan_recv(p->gate, NULL);
	go_waitgroup_done(&p->wg);
}

static long run_mem(long ops)
{
	struct go_opts opts = { .stack_size = measure_param("stack") };
	long tasks = measure_param("tasks"), before, i;
	struct parked p = { .gate = make_chan(0) };

	(void)ops;
	before = measure_memory();
	must(go_waitgroup_add(&p.wg, tasks), "go_waitgroup_add");
	for (i = 0; i < tasks; i++)
		must(go_spawn_opts(parker, &p, &opts), "go_spawn_opts");
	while (__atomic_load_n(&p.arrived, __ATOMIC_RELAXED) < tasks)
		go_yield();
	/* the last ones may be on their way from the count to the gate */
	go_sleep(10 * GO_MILLISECOND);
	measure_note("bytes",
		     (double)(measure_memory() - before) / tasks);
	go_chan_close(p.gate);
	go_waitgroup_wait(&p.wg);
	go_chan_release(p.gate);
	return tasks;
}

static const struct kind kinds[] = {
	{ "spawn", run_spawn, 0 },
	{ "yield", run_yield, 0 },
	{ "pingpong", run_pingpong, 0 },
	{ "chan", run_chan, 0 },
	{ "select", run_select, 0 },
	{ "selectready", run_selectready, 0 },
	{ "mutex", run_mutex, 0 },
	{ "skynet", run_skynet, 1 },
	{ "timers", run_timers, 1 },
	{ "sleep", run_sleep, 1 },
	{ "mem", run_mem, 1 },
	{ }
};

static void in_goroutine(void *arg)
{
	measure(arg);
}

int main(int argc, char **argv)
{
	const struct kind *kind = measure_open(argc, argv, kinds, "libgo");
	char procs[32];

	snprintf(procs, sizeof(procs), "%ld", measure_param("procs"));
	setenv("GOMAXPROCS", procs, 1);
	must(go_run(in_goroutine, (void *)kind), "go_run");
	return 0;
}
