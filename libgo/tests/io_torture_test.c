// SPDX-License-Identifier: MIT
/*
 * Reads, writes, polls and deadlines of pairs of sockets that are closed and replaced
 * all the time, so that their numbers are used again at once by others. Who reads or
 * writes may come with a number that is another pair's by now, as in any program that
 * closes what others use. What is checked:
 *
 *  - each record that was sent is received once at most;
 *  - who used a pair that was not replaced meanwhile got a record of that pair, those of
 *    each sender in their order, and no time-out if nobody has set a deadline;
 *  - everybody comes to an end: a wake-up that is lost is a test that times out;
 *  - no descriptor is left.
 *
 * The pairs without deadlines have numbers that the others never get, and who writes to
 * one of them keeps it from being closed in the middle of that. No pair has a number that
 * another file of the process could get: the library's monitor opens files too.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "rand.h"
#include "test.h"

/* Operations, and how long they may take at most: emulators are slow. */
#define OPS		SANITIZED(60000, 300000)
#define TIME_LIMIT	(5 * GO_SECOND)

#define WORKERS		12
#define PAIRS		4
#define STRICT		2		/* of them have no deadlines */
#define NUMBERS		400		/* the library's own files have lower ones */
#define STRICT_NUMBERS	500
#define RECORDS		(1 << 20)

/**
 * struct record - what is sent
 * @seq: counts all of them
 * @pair: it was sent to
 * @generation: of the pair then
 * @worker: who sent it
 */
struct record {
	uint32_t seq;
	uint32_t pair;
	uint32_t generation;
	uint32_t worker;
};

/**
 * struct pair - two sockets that are connected
 * @lock: taken to replace them
 * @fds: their numbers
 * @generation: how often they were replaced; odd in the middle of that
 */
struct pair {
	struct go_rwmutex lock;
	int fds[2];
	uint32_t generation;
};

/**
 * struct worker - one that uses them
 * @index: which one
 * @rand: state of its random numbers
 * @last: the last record by pair, side and sender
 * @generation: what @last is about
 */
struct worker {
	uint32_t index;
	uint64_t rand;
	uint32_t last[STRICT][2][WORKERS];
	uint32_t generation[STRICT][2];
};

static struct worker workers[WORKERS];
static struct pair pairs[PAIRS];
static uint8_t seen[RECORDS];
static uint32_t next_record, received, ops, stop;
static struct go_waitgroup wg;

static uint32_t below(struct worker *w, uint32_t n)
{
	return (rand_next(&w->rand) >> 32) % n;
}

static bool is_strict(const struct pair *pair)
{
	return pair < pairs + STRICT;
}

static int open_sockets(void)
{
	DIR *dir = opendir("/proc/self/fd");
	char target[32];
	struct dirent *d;
	int n = 0;

	while ((d = readdir(dir)))
		if (readlinkat(dirfd(dir), d->d_name, target,
			       sizeof(target)) > 7 &&
		    !strncmp(target, "socket:", 7))
			n++;
	closedir(dir);
	return n;
}

static void pair_open(struct pair *pair)
{
	int fds[2], i;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK |
				    SOCK_CLOEXEC, 0, fds), 0);
	for (i = 0; i < 2; i++) {
		int fd = fcntl(fds[i], F_DUPFD_CLOEXEC,
			       is_strict(pair) ? STRICT_NUMBERS : NUMBERS);

		ck_assert_int_ge(fd, 0);
		close(fds[i]);
		store(pair->fds[i], fd);
	}
}

static void pair_close(struct pair *pair)
{
	ck_assert_int_eq(go_close(pair->fds[0]), 0);
	ck_assert_int_eq(go_close(pair->fds[1]), 0);
}

/* The record came once, and from where it should. */
static void check_record(struct worker *w, const struct record *r, uint32_t p,
			 int side, uint32_t generation)
{
	expect(r->seq < RECORDS && r->worker < WORKERS);
	expect(!__atomic_exchange_n(&seen[r->seq], 1, __ATOMIC_RELAXED));
	add(received, 1);
	if (p >= STRICT || load(pairs[p].generation) != generation)
		return;
	expect(r->pair == p && r->generation == generation);
	if (w->generation[p][side] != generation) {
		w->generation[p][side] = generation;
		memset(w->last[p][side], 0, sizeof(w->last[p][side]));
	}
	expect(r->seq >= w->last[p][side][r->worker]);
	w->last[p][side][r->worker] = r->seq;
}

/* Nobody has set a deadline since it was opened. */
static void check_new(struct worker *w, struct pair *pair)
{
	struct record r;
	ssize_t n;
	int side;

	for (side = 0; side < 2; side++) {
		n = go_recvfrom(pair->fds[side], &r, sizeof(r), MSG_DONTWAIT,
				NULL, NULL);
		if (n == sizeof(r))
			check_record(w, &r, PAIRS, side, 0);
		else
			expect(n == -EAGAIN);
	}
}

static void pair_replace(struct worker *w, struct pair *pair)
{
	go_rwmutex_lock(&pair->lock);
	add(pair->generation, 1);
	pair_close(pair);
	pair_open(pair);
	check_new(w, pair);
	add(pair->generation, 1);
	go_rwmutex_unlock(&pair->lock);
}

/* It is not opened again. */
static void pair_end(struct pair *pair)
{
	go_rwmutex_lock(&pair->lock);
	add(pair->generation, 1);
	pair_close(pair);
	go_rwmutex_unlock(&pair->lock);
}

static void one_read(struct worker *w)
{
	uint32_t p = below(w, PAIRS), generation = load(pairs[p].generation);
	int side = below(w, 2);
	struct record r;
	ssize_t n;

	if (generation % 2)
		return;
	n = go_read(load(pairs[p].fds[side]), &r, sizeof(r));
	if (n == sizeof(r))
		check_record(w, &r, p, side, generation);
	else if (n == -ETIMEDOUT)
		expect(p >= STRICT || load(pairs[p].generation) != generation);
	else
		expect(!n || n == -EBADF || n == -ECONNRESET);
}

static void one_write(struct worker *w)
{
	uint32_t p = below(w, PAIRS);
	struct pair *pair = &pairs[p];
	struct record r = {
		.seq = add(next_record, 1) - 1, .pair = p, .worker = w->index,
	};
	ssize_t n;

	if (r.seq >= RECORDS)
		return;
	if (is_strict(pair)) {
		go_rwmutex_rlock(&pair->lock);
		r.generation = load(pair->generation);
		n = -EAGAIN;
		if (r.generation % 2 == 0)
			n = go_sendto(pair->fds[below(w, 2)], &r, sizeof(r),
				      MSG_DONTWAIT, NULL, 0);
		go_rwmutex_runlock(&pair->lock);
		expect(n == sizeof(r) || n == -EAGAIN);
	} else {
		n = go_write(load(pair->fds[below(w, 2)]), &r, sizeof(r));
		expect(n == sizeof(r) || n == -EBADF || n == -EPIPE ||
		       n == -ETIMEDOUT || n == -ECONNRESET);
	}
}

static void one_poll(struct worker *w)
{
	int fd = load(pairs[below(w, PAIRS)].fds[below(w, 2)]);
	int ret = go_poll(fd, below(w, 2) ? POLLIN : POLLIN | POLLOUT,
			  go_now() + below(w, 100) * GO_MICROSECOND);

	expect(ret >= 0 || ret == -EBADF || ret == -ETIMEDOUT);
}

/* Soon, or in a while, or never. */
static void one_deadline(struct worker *w)
{
	struct pair *pair = &pairs[STRICT + below(w, PAIRS - STRICT)];
	int64_t when[] = {
		go_now() + below(w, 100) * GO_MICROSECOND, go_now() + GO_MILLISECOND, 0,
	};

	go_rwmutex_rlock(&pair->lock);
	if (load(pair->generation) % 2 == 0)
		expect(!go_set_deadline(pair->fds[below(w, 2)], when[below(w, 3)]));
	go_rwmutex_runlock(&pair->lock);
}

static void work(void *arg)
{
	struct worker *w = arg;

	while (!load(stop)) {
		switch (below(w, 16)) {
		case 0:
			one_deadline(w);
			break;
		case 1:
			one_poll(w);
			break;
		case 2 ... 8:
			one_write(w);
			break;
		default:
			one_read(w);
		}
		add(ops, 1);
	}
	go_waitgroup_done(&wg);
}

GO_TEST(numbers_that_are_used_again_harm_nobody)
{
	int64_t until = go_now() + TIME_LIMIT;
	struct worker main_worker = { .rand = 1 };
	int i, sockets = open_sockets();

	for (i = 0; i < PAIRS; i++)
		pair_open(&pairs[i]);
	go_waitgroup_add(&wg, WORKERS);
	for (i = 0; i < WORKERS; i++) {
		workers[i] = (struct worker){
			.index = i, .rand = (i + 1) * 0x9e3779b97f4a7c15ULL,
		};
		ck_assert_int_eq(go_spawn(work, &workers[i]), 0);
	}
	/* all may be reading: then only this has them go on */
	while (load(ops) < OPS && go_now() < until) {
		go_sleep(below(&main_worker, 300) * GO_MICROSECOND);
		pair_replace(&main_worker, &pairs[below(&main_worker, PAIRS)]);
	}
	store(stop, 1);
	for (i = 0; i < PAIRS; i++)
		pair_end(&pairs[i]);
	go_waitgroup_wait(&wg);
	ck_assert_uint_gt(received, 0);
	ck_assert_int_eq(open_sockets(), sockets);
}

int main(void)
{
	TCase *tc = tcase_create("io_torture");

	tcase_add_go_test(tc, numbers_that_are_used_again_harm_nobody);
	return run_tests("io_torture", tc);
}
