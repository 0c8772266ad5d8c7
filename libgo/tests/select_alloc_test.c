// SPDX-License-Identifier: MIT
/*
 * Select, and all else that waits for channels, allocates nothing: counted by
 * putting the allocator's calls aside (the linker's --wrap, see the makefile).
 */
#include <pthread.h>
#include <stdbool.h>

#include "test.h"

#define ROUNDS 1000
#define CASES_MAX 10

__typeof__(malloc) __real_malloc, __wrap_malloc;
__typeof__(calloc) __real_calloc, __wrap_calloc;
__typeof__(realloc) __real_realloc, __wrap_realloc;
__typeof__(free) __real_free, __wrap_free;

static int allocated, freed;
static __thread bool counted;	/* a plain thread of a test's */

/* The runtime makes threads meanwhile; those are not the ones. */
static void count(int *counter)
{
	if (go_id() || counted)
		add(*counter, 1);
}

void *__wrap_malloc(size_t size)
{
	count(&allocated);
	return __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
	count(&allocated);
	return __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t size)
{
	count(&allocated);
	return __real_realloc(p, size);
}

void __wrap_free(void *p)
{
	if (p)
		count(&freed);
	__real_free(p);
}

static struct go_chan *chs[CASES_MAX], *back;
static int n;

static void chans_make(void)
{
	int i;

	back = go_chan_make(sizeof(int), 0);
	for (i = 0; i < CASES_MAX; i++)
		chs[i] = go_chan_make(sizeof(int), 0);
}

/* A select of n cases that waits each time, and then the deadline's. */
static void select_n(void *arg)
{
	struct go_case cases[CASES_MAX];
	int v, i, k;

	for (i = 0; i < n; i++)
		cases[i] = (struct go_case)GO_RECV(chs[i], &v);
	for (k = 0; k < ROUNDS; k++) {
		expect(go_select(cases, n) == k % n);
		expect(v == k);
		cases[n - 1] = (struct go_case)
			GO_DEADLINE(go_now() + GO_MICROSECOND);
		expect(go_select(cases, n) == n - 1);
		cases[n - 1] = (struct go_case)GO_RECV(chs[n - 1], &v);
		expect(go_chan_send(back, &v) == 0);
	}
	(void)arg;
}

static void *select_n_in_thread(void *arg)
{
	counted = true;
	select_n(arg);
	return NULL;
}

static void feed(void)
{
	int k, v;

	for (k = 0; k < ROUNDS; k++) {
		expect(go_chan_send(chs[k % n], &k) == 0);
		expect(go_chan_recv(back, &v) == 1);
	}
}

GO_TEST(no_allocation_up_to_eight_cases)
{
	int before;

	chans_make();
	for (n = 1; n <= 8; n++) {
		before = load(allocated);
		go_spawn(select_n, NULL);
		feed();
		/* The first deadline of each P makes its heap of timers. */
		ck_assert_int_le(load(allocated) - before, go_gomaxprocs(0));
	}
}

GO_TEST(no_allocation_in_plain_threads)
{
	pthread_t thread;
	int before;

	chans_make();
	for (n = 1; n <= 8; n++) {
		ck_assert_int_eq(pthread_create(&thread, NULL,
						select_n_in_thread, NULL), 0);
		before = load(allocated);
		feed();
		/* The first deadline of each P makes its heap of timers. */
		ck_assert_int_le(load(allocated) - before, go_gomaxprocs(0));
		pthread_join(thread, NULL);
	}
}

GO_TEST(many_cases_give_back_what_they_allocate)
{
	int before, before_freed;

	chans_make();
	n = CASES_MAX;
	before = load(allocated);
	before_freed = load(freed);
	go_spawn(select_n, NULL);
	feed();
	ck_assert_int_ge(load(allocated) - before, ROUNDS);
	ck_assert_int_ge(load(freed) - before_freed, ROUNDS);
	ck_assert_int_le(load(allocated) - load(freed) -
			 (before - before_freed), go_gomaxprocs(0));
}

int main(void)
{
	TCase *tc = tcase_create("select_alloc");

	tcase_add_go_test(tc, no_allocation_up_to_eight_cases);
	tcase_add_go_test(tc, no_allocation_in_plain_threads);
	tcase_add_go_test(tc, many_cases_give_back_what_they_allocate);
	return run_tests("select_alloc", tc);
}
