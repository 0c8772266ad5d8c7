// SPDX-License-Identifier: MIT
/*
 * From block to handoff, with libgo: see cell.h for what is measured.
 *
 * go_spawn() leaves B in the local run queue of A's processor, and with one
 * processor, or with the other one computing, it stays there until A's
 * processor runs it. LIBGO_ASSIST in the environment chooses who hands over:
 * "module" (the program fails if it is not loaded) or "standin".
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <go.h>

#include "cell.h"

static struct cell cell;
static struct go_chan *done;	/* B, or the computing goroutine, has ended */
static int64_t b_ran;
static bool other_runs;
static bool other_stop;
static const char *runtime;
static bool failed;

static void other(void *arg)
{
	(void)arg;
	__atomic_store_n(&other_runs, true, __ATOMIC_RELAXED);
	cell_compute_until_set(&other_stop);
	go_chan_send(done, NULL);
}

static void b(void *arg)
{
	(void)arg;
	b_ran = way_now();
	go_chan_send(done, NULL);
}

static bool one_round(void)
{
	struct blocking_way *w = &cell.way;
	int64_t start = cell.pause ? way_now() + cell.pause : 0;
	int64_t t0, end;

	way_arm(w, start);
	if (cell.setting == SETTING_BUSY)
		cell_compute(start);
	else if (cell.pause)
		go_sleep(start - way_now());
	way_wait_armed(w);

	if (go_spawn(b, NULL))
		return false;
	t0 = way_now();
	way_block(w);
	end = way_now();

	go_chan_recv(done, NULL);
	way_after(w);
	return cell_note(&cell, t0, end, b_ran);
}

static void a(void *arg)
{
	struct go_stats stats;

	(void)arg;
	if (go_stats_read(&stats)) {
		failed = true;
		return;
	}
	runtime = strcmp(stats.assist, "module") ? "fallback" : "kgo";

	done = go_chan_make(0, 1);
	if (!done) {
		failed = true;
		return;
	}
	if (cell.setting == SETTING_OTHER) {
		failed = go_spawn(other, NULL);
		while (!failed &&
		       !__atomic_load_n(&other_runs, __ATOMIC_RELAXED))
			go_sleep(GO_MILLISECOND);
	}
	while (!failed && cell.done < cell.rounds)
		failed = !one_round();
	if (other_runs) {
		__atomic_store_n(&other_stop, true, __ATOMIC_RELAXED);
		go_chan_recv(done, NULL);
	}
	go_chan_release(done);
}

int main(int argc, char **argv)
{
	char procs[16];
	int err;

	cell_open(&cell, argc, argv,
		  "Measures how fast libgo hands a processor over when a goroutine blocks.");
	snprintf(procs, sizeof(procs), "%d", cell_procs(&cell));
	setenv("GOMAXPROCS", procs, 1);
	err = go_run(a, NULL);
	if (err) {
		fprintf(stderr, "handoff: go_run: %s\n", strerror(-err));
		return 1;
	}
	return cell_close(&cell, runtime) || failed;
}
