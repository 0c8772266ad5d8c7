// SPDX-License-Identifier: MIT
/*
 * The end of the runtime while a goroutine is in a call of the library that takes a lock
 * of the C library's: if it was stopped there, it does not run again.
 */
#include <dlfcn.h>
#include <signal.h>
#include <stdbool.h>

#include "test.h"

#define LONG	(100 * GO_MILLISECOND)	/* of a slice, and of what else has its turn */

/* A sanitizer's sigaction() is another, and a static program has but one. */
#ifdef EMULATED
#define SLOW_SIGACTION	0
#else
#define SLOW_SIGACTION	SANITIZED(0, 1)
#endif

static bool slow, begun;

#if SLOW_SIGACTION
static void compute(void)
{
	int64_t until = go_now() + LONG;

	store(begun, true);
	while (go_now() < until)
		;
}

/* The C library's, but it takes its time. */
int sigaction(int signo, const struct sigaction *act, struct sigaction *old)
{
	static int (*real)(int, const struct sigaction *, struct sigaction *);

	if (!real)
		real = dlsym(RTLD_NEXT, "sigaction");
	if (load(slow) && signo == SIGUSR1)
		compute();
	return real(signo, act, old);
}
#endif

static void notify(void *arg)
{
	store(slow, true);
	go_signal_notify(arg, SIGUSR1);
}

static void notify_main(void *arg)
{
	ck_assert_int_eq(go_spawn(notify, arg), 0);
	/* Until that has been stopped, or is done. */
	while (!load(begun))
		go_yield();
}

START_TEST(who_asks_for_signals)
{
	struct go_chan *ch = go_chan_make(sizeof(int), 1);

	setenv("GOMAXPROCS", "1", 1);
	ck_assert_int_eq(go_run(notify_main, ch), 0);
	go_chan_release(ch);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("end");

	if (SLOW_SIGACTION)
		tcase_add_test(tc, who_asks_for_signals);
	return run_tests("end", tc);
}
