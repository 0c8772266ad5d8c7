// SPDX-License-Identifier: MIT
/*
 * The micro-benchmarks for plain threads: tasks are threads, processors are the
 * CPUs that the driver pins the process to. bench/rows.py says what each kind
 * is.
 *
 * A channel is a mutex, two condition variables and a ring. The exchange of a
 * ping-pong waits for the answer, so a ring of one place does for it. There is no
 * select, and no room for 100,000 threads.
 */
#define _GNU_SOURCE
#include <gnu/libc-version.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "measure.h"

#define STACK_SIZE	(64 * 1024)

static pthread_attr_t attr;

static pthread_t start(void *(*fn)(void *arg), void *arg)
{
	pthread_t thread;
	int err = pthread_create(&thread, &attr, fn, arg);

	if (err)
		measure_fail("pthread_create: %s", strerror(err));
	return thread;
}

static void *zeroed(size_t n, size_t size)
{
	void *p = calloc(n, size);

	if (!p)
		measure_fail("no memory");
	return p;
}

/* Start n threads into the list, and wait for all of those in it. */
static void start_and_wait(pthread_t *list, long before, void *(*fn)(void *arg),
			   void *arg, long n)
{
	long i;

	for (i = before; i < before + n; i++)
		list[i] = start(fn, arg);
	for (i = 0; i < before + n; i++)
		pthread_join(list[i], NULL);
}

/* ---- the channel -------------------------------------------------------- */

struct chan {
	pthread_mutex_t lock;
	pthread_cond_t readable;
	pthread_cond_t writable;
	size_t first;
	size_t count;
	size_t capacity;
	uint64_t *ring;
};

static void chan_open(struct chan *ch, size_t capacity)
{
	memset(ch, 0, sizeof(*ch));
	pthread_mutex_init(&ch->lock, NULL);
	pthread_cond_init(&ch->readable, NULL);
	pthread_cond_init(&ch->writable, NULL);
	ch->capacity = capacity;
	ch->ring = zeroed(capacity, sizeof(*ch->ring));
}

static void chan_send(struct chan *ch, uint64_t n)
{
	pthread_mutex_lock(&ch->lock);
	while (ch->count == ch->capacity)
		pthread_cond_wait(&ch->writable, &ch->lock);
	ch->ring[(ch->first + ch->count++) % ch->capacity] = n;
	pthread_cond_signal(&ch->readable);
	pthread_mutex_unlock(&ch->lock);
}

static uint64_t chan_recv(struct chan *ch)
{
	uint64_t n;

	pthread_mutex_lock(&ch->lock);
	while (!ch->count)
		pthread_cond_wait(&ch->readable, &ch->lock);
	n = ch->ring[ch->first];
	ch->first = (ch->first + 1) % ch->capacity;
	ch->count--;
	pthread_cond_signal(&ch->writable);
	pthread_mutex_unlock(&ch->lock);
	return n;
}

/* ---- spawn -------------------------------------------------------------- */

struct spawner {
	long batches;
	long tasks;
	long yields;
};

static void *spawned(void *arg)
{
	struct spawner *s = arg;
	long i;

	for (i = 0; i < s->yields; i++)
		sched_yield();
	return NULL;
}

static void *spawner(void *arg)
{
	struct spawner *s = arg;
	pthread_t *list = zeroed(s->tasks, sizeof(*list));
	long i;

	for (i = 0; i < s->batches; i++)
		start_and_wait(list, 0, spawned, s, s->tasks);
	free(list);
	return NULL;
}

static long run_spawn(long ops)
{
	long spawners = measure_param("spawners");
	struct spawner s = {
		.tasks = measure_param("tasks"),
		.yields = measure_param("yields"),
	};
	pthread_t *list = zeroed(spawners, sizeof(*list));

	s.batches = ops / (s.tasks * spawners) + 1;
	start_and_wait(list, 0, spawner, &s, spawners);
	free(list);
	return s.batches * s.tasks * spawners;
}

/* ---- yield -------------------------------------------------------------- */

static void *yielder(void *arg)
{
	long *yields = arg, i;

	for (i = 0; i < *yields; i++)
		sched_yield();
	return NULL;
}

static long run_yield(long ops)
{
	long tasks = measure_param("tasks");
	long yields = ops / tasks + 1;
	pthread_t *list = zeroed(tasks, sizeof(*list));

	start_and_wait(list, 0, yielder, &yields, tasks);
	free(list);
	return yields * tasks;
}

/* ---- pingpong ----------------------------------------------------------- */

struct pair {
	struct chan ping;
	struct chan pong;
	uint64_t rounds;
};

static void *pinger(void *arg)
{
	struct pair *p = arg;
	uint64_t i, n;

	for (i = 0; i < p->rounds; i++) {
		chan_send(&p->ping, i);
		n = chan_recv(&p->pong);
		if (n != i)
			measure_fail("sent %lu, got %lu back", i, n);
	}
	return NULL;
}

static void *ponger(void *arg)
{
	struct pair *p = arg;
	uint64_t i;

	for (i = 0; i < p->rounds; i++)
		chan_send(&p->pong, chan_recv(&p->ping));
	return NULL;
}

static long run_pingpong(long ops)
{
	long pairs = measure_param("pairs"), i;
	struct pair *p = zeroed(pairs, sizeof(*p));
	pthread_t *list = zeroed(2 * pairs, sizeof(*list));
	long rounds = ops / pairs + 1;

	for (i = 0; i < pairs; i++) {
		chan_open(&p[i].ping, 1);
		chan_open(&p[i].pong, 1);
		p[i].rounds = rounds;
		list[2 * i] = start(pinger, &p[i]);
		list[2 * i + 1] = start(ponger, &p[i]);
	}
	for (i = 0; i < 2 * pairs; i++)
		pthread_join(list[i], NULL);
	for (i = 0; i < pairs; i++) {
		free(p[i].ping.ring);
		free(p[i].pong.ring);
	}
	free(p);
	free(list);
	return rounds * pairs;
}

/* ---- chan --------------------------------------------------------------- */

struct queue {
	struct chan ch;
	uint64_t per_producer;
	uint64_t per_consumer;
	uint64_t sum;
};

static void *producer(void *arg)
{
	struct queue *q = arg;
	uint64_t i;

	for (i = 0; i < q->per_producer; i++)
		chan_send(&q->ch, i);
	return NULL;
}

static void *consumer(void *arg)
{
	struct queue *q = arg;
	uint64_t i, sum = 0;

	for (i = 0; i < q->per_consumer; i++)
		sum += chan_recv(&q->ch);
	__atomic_fetch_add(&q->sum, sum, __ATOMIC_RELAXED);
	return NULL;
}

static long run_chan(long ops)
{
	long producers = measure_param("producers");
	long consumers = measure_param("consumers");
	long share = ops / (producers * consumers) + 1, i;
	pthread_t *list = zeroed(producers + consumers, sizeof(*list));
	struct queue q = {
		.per_producer = share * consumers,
		.per_consumer = share * producers,
	};

	chan_open(&q.ch, measure_param("capacity"));
	for (i = 0; i < producers; i++)
		list[i] = start(producer, &q);
	start_and_wait(list, producers, consumer, &q, consumers);
	free(q.ch.ring);
	free(list);
	if (q.sum != q.per_producer * (q.per_producer - 1) / 2 * producers)
		measure_fail("elements were lost or changed");
	return share * producers * consumers;
}

/* ---- mutex -------------------------------------------------------------- */

struct counter {
	pthread_mutex_t mutex;
	long count;		/* guarded by mutex */
	long per_task;
	long yields;
};

static void *locker(void *arg)
{
	struct counter *c = arg;
	long i, y;

	for (i = 0; i < c->per_task; i++) {
		pthread_mutex_lock(&c->mutex);
		c->count++;
		for (y = 0; y < c->yields; y++)
			sched_yield();
		pthread_mutex_unlock(&c->mutex);
	}
	return NULL;
}

static long run_mutex(long ops)
{
	long tasks = measure_param("tasks");
	pthread_t *list = zeroed(tasks, sizeof(*list));
	struct counter c = {
		.mutex = PTHREAD_MUTEX_INITIALIZER,
		.per_task = ops / tasks + 1,
		.yields = measure_param("yields"),
	};

	start_and_wait(list, 0, locker, &c, tasks);
	free(list);
	if (c.count != c.per_task * tasks)
		measure_fail("%ld of %ld turns were counted", c.count,
			     c.per_task * tasks);
	return c.count;
}

/* ---- sleep -------------------------------------------------------------- */

struct sleepers {
	long next;
	long sleeps;
	long min_us;
	long max_us;
	int64_t *late;
	bool stop;
};

static void *steady_sleeper(void *arg)
{
	struct sleepers *s = arg;
	long number = __atomic_fetch_add(&s->next, 1, __ATOMIC_RELAXED);
	int64_t *late = s->late + number * s->sleeps;
	struct timespec ts = { };
	uint64_t state = number;
	int64_t due;
	long i;

	for (i = 0; i < s->sleeps; i++) {
		ts.tv_nsec = measure_sleep_ns(&state, s->min_us, s->max_us);
		due = measure_now() + ts.tv_nsec;
		nanosleep(&ts, NULL);
		late[i] = measure_now() - due;
	}
	return NULL;
}

static void *busy(void *arg)
{
	struct sleepers *s = arg;

	while (!__atomic_load_n(&s->stop, __ATOMIC_RELAXED))
		;
	return NULL;
}

static long run_sleep(long ops)
{
	long tasks = measure_param("tasks"), nr_busy = measure_param("busy"), i;
	struct sleepers s = {
		.sleeps = measure_param("sleeps"),
		.min_us = measure_param("min_us"),
		.max_us = measure_param("max_us"),
	};
	pthread_t *list = zeroed(tasks, sizeof(*list));
	pthread_t *others = zeroed(nr_busy, sizeof(*others));

	(void)ops;
	s.late = zeroed(tasks * s.sleeps, sizeof(*s.late));
	for (i = 0; i < nr_busy; i++)
		others[i] = start(busy, &s);
	start_and_wait(list, 0, steady_sleeper, &s, tasks);
	__atomic_store_n(&s.stop, true, __ATOMIC_RELAXED);
	for (i = 0; i < nr_busy; i++)
		pthread_join(others[i], NULL);
	free(others);
	measure_note_lateness(s.late, tasks * s.sleeps);
	free(s.late);
	free(list);
	return tasks * s.sleeps;
}

static const struct kind kinds[] = {
	{ "spawn", run_spawn, 0 },
	{ "yield", run_yield, 0 },
	{ "pingpong", run_pingpong, 0 },
	{ "chan", run_chan, 0 },
	{ "mutex", run_mutex, 0 },
	{ "sleep", run_sleep, 1 },
	{ }
};

int main(int argc, char **argv)
{
	char version[64];
	const struct kind *kind;
	int err;

	snprintf(version, sizeof(version), "glibc %s", gnu_get_libc_version());
	kind = measure_open(argc, argv, kinds, version);
	pthread_attr_init(&attr);
	err = pthread_attr_setstacksize(&attr, STACK_SIZE);
	if (err)
		measure_fail("pthread_attr_setstacksize: %s", strerror(err));
	measure(kind);
	return 0;
}
