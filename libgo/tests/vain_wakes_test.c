// SPDX-License-Identifier: MIT
/*
 * Two goroutines that wake each other wake other threads in vain now and then only, and
 * nobody waits because of that.
 */
#include "test.h"

#include "sched.h"

#define BATCHES	5
#define ROUNDS	20
#define MANY	100	/* wake-ups in vain, so that they rest */
#define LATE	(9 * GO_MILLISECOND)	/* a slice is 10 ms */

static struct go_chan *there, *back;
static int64_t began;

static void echo(void *arg)
{
	(void)arg;
	while (go_chan_recv(there, NULL) == 1)
		go_chan_send(back, NULL);
	go_chan_close(back);
}

static void begin(void *arg)
{
	(void)arg;
	store(began, go_now());
}

/*
 * Until nobody else is woken for the two any more, or is again. Where a processor is
 * emulated whoever is woken may find the one of them that runs next: it is not in vain, so
 * say that it was.
 */
static void round_trips_until(uint32_t rest)
{
	while (load(sched_wakes_rest) != rest) {
		if (rest)
			store(sched_vain_wakes, MANY);
		ck_assert_int_eq(go_chan_send(there, NULL), 0);
		ck_assert_int_eq(go_chan_recv(back, NULL), 1);
	}
}

/*
 * One of the two starts a goroutine and computes, while so many wake-ups are said to have
 * been in vain: the rest goes on, or ends. Returns how long that goroutine has waited, or
 * -1 if it need not have: somebody looked for work anyway.
 */
static int64_t wait_beside_one_that_computes(uint32_t vain)
{
	int64_t start;
	bool rests;

	round_trips_until(1);
	store(began, 0);
	start = go_now();
	ck_assert_int_eq(go_spawn(begin, NULL), 0);
	rests = load(sched_wakes_rest) && !load(rt.shared->nr_spinning);
	while (!load(began))
		store(sched_vain_wakes, vain);
	return rests ? load(began) - start : -1;
}

/* How many of some waits may have been ended by the end of the other's slice only. */
static int late_ones(void)
{
	int64_t ns, most = 0;
	int i, late = 0;

	for (i = 0; i < ROUNDS; i++) {
		do {
			ns = wait_beside_one_that_computes(i % 2 ? MANY : 0);
		} while (ns < 0);
		late += ns > LATE;
		if (ns > most)
			most = ns;
	}
	printf("# %d of %d have waited for their slice, the longest %lld us\n",
	       late, ROUNDS, (long long)most / 1000);
	return late;
}

static void test_main(void *arg)
{
	int i;

	(void)arg;
	there = go_chan_make(0, 0);
	back = go_chan_make(0, 0);
	ck_assert(there && back);
	ck_assert_int_eq(go_spawn(echo, NULL), 0);
	/* Others may have had the CPUs. */
	for (i = 0; i < BATCHES && late_ones(); i++)
		;
	ck_assert_int_lt(i, BATCHES);
	/* The attempt is made again, and once more. */
	for (i = 0; i < 2; i++) {
		round_trips_until(1);
		round_trips_until(0);
	}
	go_chan_close(there);
	ck_assert_int_eq(go_chan_recv(back, NULL), 0);
	go_chan_release(there);
	go_chan_release(back);
}

START_TEST(nobody_waits_though_wake_ups_rest)
{
	run_with_procs(2 + _i, test_main);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("vain_wakes");

	tcase_add_loop_test(tc, nobody_waits_though_wake_ups_rest, 0, 2);
	return run_tests("vain_wakes", tc);
}
