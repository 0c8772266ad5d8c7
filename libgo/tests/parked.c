// SPDX-License-Identifier: MIT
/*
 * For tests/gdb: goroutines that wait, one that is blocked in the kernel, one that was
 * preempted, and one that ends the program with a core.
 */
#include <stdlib.h>
#include <unistd.h>

#include <go.h>

void receive(struct go_chan *ch);
__attribute__((noinline)) void receive(struct go_chan *ch)
{
	int received = 0;

	if (go_chan_recv(ch, &received))
		abort();
}

static void wait_for_ever(void *arg)
{
	receive(arg);
	_exit(2);
}

static void block(void *arg)
{
	(void)arg;
	pause();
	_exit(2);
}

void compute_on(void);
__attribute__((noinline)) void compute_on(void)
{
	for (;;)
		asm volatile("");
}

static int computes;

/* It has stopped once before, elsewhere. */
static void compute(void *arg)
{
	(void)arg;
	go_yield();
	__atomic_store_n(&computes, 1, __ATOMIC_RELEASE);
	compute_on();
	_exit(2);
}

/* The frames of a thread may begin with one that has no stack of its own. */
static inline __attribute__((always_inline)) void give_up(void)
{
	__builtin_trap();
}

void all_wait(void);
__attribute__((noinline)) void all_wait(void)
{
	give_up();
}

static void start(void *arg)
{
	const struct go_opts named = { .name = "parked" };
	struct go_chan *ch = go_chan_make(sizeof(int), 0);

	(void)arg;
	go_spawn_opts(wait_for_ever, ch, &named);
	go_spawn(block, NULL);
	go_spawn(compute, NULL);
	while (!__atomic_load_n(&computes, __ATOMIC_ACQUIRE))
		go_sleep(GO_MILLISECOND);
	go_sleep(20 * GO_MILLISECOND);
	go_spawn(block, NULL);
	all_wait();
}

int main(void)
{
	/* So that the last one has no turn. */
	setenv("GOMAXPROCS", "1", 1);
	return go_run(start, NULL) ? 1 : 0;
}
