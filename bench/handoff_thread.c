// SPDX-License-Identifier: MIT
/*
 * From block to handoff, with plain threads: see cell.h for what is measured.
 *
 * The kernel is the scheduler, and its processor the CPU: A and B are threads
 * bound to one CPU, and when A blocks the CPU goes to B by an ordinary context
 * switch. It is the best that a runtime above the kernel could come to. B has
 * the policy SCHED_BATCH, whose threads do not preempt on wake-up: it becomes
 * runnable, as a spawned goroutine does, and runs when A leaves the CPU.
 */
#define _GNU_SOURCE
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "cell.h"

static struct cell cell;
static uint32_t b_wanted;	/* rounds that B was woken for */
static uint32_t b_done;		/* rounds that B has run */
static int64_t b_ran;
static bool other_stop;

static void futex_wait(uint32_t *word, uint32_t value)
{
	while (__atomic_load_n(word, __ATOMIC_ACQUIRE) == value)
		syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, NULL, NULL,
			0);
}

static void futex_post(uint32_t *word, uint32_t value)
{
	__atomic_store_n(word, value, __ATOMIC_RELEASE);
	syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static void bind_to(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set)) {
		perror("handoff_thread: binding a thread to a CPU");
		exit(1);
	}
}

static void *b(void *arg)
{
	struct sched_param param = { .sched_priority = 0 };
	uint32_t round = 0;

	(void)arg;
	sched_setscheduler(0, SCHED_BATCH, &param);
	for (;;) {
		futex_wait(&b_wanted, round);
		b_ran = way_now();
		futex_post(&b_done, ++round);
	}
	return NULL;
}

static void *other(void *arg)
{
	(void)arg;
	bind_to(1);
	cell_compute_until_set(&other_stop);
	return NULL;
}

static void pause_until(int64_t when)
{
	struct timespec ts = { when / 1000000000, when % 1000000000 };

	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL);
}

static bool one_round(void)
{
	struct blocking_way *w = &cell.way;
	int64_t start = cell.pause ? way_now() + cell.pause : 0;
	uint32_t round = b_done;
	int64_t t0, end;

	way_arm(w, start);
	if (cell.setting == SETTING_BUSY)
		cell_compute(start);
	else if (cell.pause)
		pause_until(start);
	way_wait_armed(w);

	futex_post(&b_wanted, round + 1);
	t0 = way_now();
	way_block(w);
	end = way_now();

	futex_wait(&b_done, round);
	way_after(w);
	return cell_note(&cell, t0, end, b_ran);
}

int main(int argc, char **argv)
{
	pthread_t thread;
	bool failed = false;

	cell_open(&cell, argc, argv,
		  "Measures how fast the kernel gives a CPU to the next thread when one blocks.");
	bind_to(0);
	if (pthread_create(&thread, NULL, b, NULL) ||
	    (cell.setting == SETTING_OTHER &&
	     pthread_create(&thread, NULL, other, NULL))) {
		fprintf(stderr, "handoff_thread: cannot make a thread\n");
		return 1;
	}
	while (!failed && cell.done < cell.rounds)
		failed = !one_round();
	__atomic_store_n(&other_stop, true, __ATOMIC_RELAXED);
	return cell_close(&cell, "thread") || failed;
}
