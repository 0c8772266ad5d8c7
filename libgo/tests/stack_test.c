// SPDX-License-Identifier: MIT
/*
 * Stacks: sizes, reuse, and that an overflow is not silent.
 */
#include <alloca.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "stack.h"
#include "test.h"

#ifndef MADV_GUARD_REMOVE
#define MADV_GUARD_REMOVE	103
#endif

static struct go_waitgroup wg;
static int came;

/* Use about that many bytes of stack. */
static __attribute__((noinline)) int use_stack(size_t bytes)
{
	volatile char block[1024];

	memset((char *)block, 1, sizeof(block));
	if (bytes <= sizeof(block))
		return block[5];
	return use_stack(bytes - sizeof(block)) + block[7];
}

static void use_most(void *arg)
{
	/* Less the guard page and what the goroutine itself needs. */
	ck_assert_int_gt(use_stack(((size_t)arg - (6 << 10)) / 8 *
				   SANITIZED(4, 7)), 0);
	go_waitgroup_done(&wg);
}

GO_TEST(a_stack_is_as_large_as_asked_for)
{
	static const size_t sizes[] = {
		16 << 10, 64 << 10, 100 << 10, 1 << 20, 64 << 20,
	};
	size_t i;

	for (i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		struct go_opts opts = { .stack_size = sizes[i] };

		go_waitgroup_add(&wg, 1);
		ck_assert_int_eq(go_spawn_opts(use_most, (void *)sizes[i],
					       &opts), 0);
		go_waitgroup_wait(&wg);
	}
}

static void done(void *arg)
{
	(void)arg;
	go_yield();
	go_waitgroup_done(&wg);
}

GO_TEST(the_smallest_stack_is_enough_to_yield)
{
	struct go_opts opts = { .stack_size = SANITIZED(4, 1) * 2048 };
	const int n = STARTS(1000);
	int i;

	go_waitgroup_add(&wg, n);
	for (i = 0; i < n; i++)
		ck_assert_int_eq(go_spawn_opts(done, NULL, &opts), 0);
	go_waitgroup_wait(&wg);
}

static void done_when_all_are(void *arg)
{
	(void)arg;
	meet(&came, 10, 1);
	go_waitgroup_done(&wg);
}

/* Unused for as long as stack_trim() lets it be, and then used again. */
GO_TEST(a_stack_whose_memory_was_given_back_is_as_before)
{
	struct go_opts opts = { .stack_size = 8192 };
	int i, j;

	for (i = 0; i < 3; i++) {
		store(came, 0);
		go_waitgroup_add(&wg, 10);
		for (j = 0; j < 10; j++)
			ck_assert_int_eq(go_spawn_opts(done_when_all_are, NULL,
						       &opts), 0);
		go_waitgroup_wait(&wg);
		wait_until(go_num_goroutine() == 1);
		stack_trim();
		stack_trim();
	}
}

GO_TEST(a_stack_over_the_limit_is_refused)
{
	struct go_opts opts = { .stack_size = ((size_t)1 << 30) + 1 };

	ck_assert_int_eq(go_spawn_opts(done, NULL, &opts), -EINVAL);
	ck_assert_int_eq(go_spawn(NULL, NULL), -EINVAL);
}

static void overflow(void *arg)
{
	use_stack((size_t)arg);
	go_yield();
	go_waitgroup_done(&wg);
}

/* In one piece: between the blocks of use_stack() are words that nobody writes. */
static void overflow_the_canary(void *arg)
{
	size_t bytes = (size_t)arg;
	char *block = alloca(bytes);

	memset(block, 1, bytes);
	__asm__ volatile("" : : "r" (block) : "memory");
	go_yield();
	go_waitgroup_done(&wg);
}

static void overflow_main(void *arg)
{
	struct go_opts opts = { .stack_size = (size_t)arg };
	bool guarded = opts.stack_size >= 1 << STACK_GUARD_MIN_SHIFT;

	go_waitgroup_add(&wg, 1);
	go_spawn_opts(guarded ? overflow : overflow_the_canary, arg, &opts);
	go_waitgroup_wait(&wg);
}

START_TEST(an_overflow_hits_the_guard)
{
	go_run(overflow_main, (void *)(64 << 10));
}
END_TEST

static void caught(int sig)
{
	(void)sig;
}

/* Until no signal's frame has room, and then send one. */
static __attribute__((noinline)) int raise_at_the_end(const char *end)
{
	volatile char block[64] = "";

	if ((char *)block - end < 800)
		return raise(SIGUSR1);
	return raise_at_the_end(end) + block[7];
}

static void overflow_with_a_signal(void *arg)
{
	struct sigaction act = { .sa_handler = caught };

	(void)arg;
	sigaction(SIGUSR1, &act, NULL);
	raise(SIGUSR1);	/* for what the dynamic linker does at the first call */
	raise_at_the_end(m_self()->g->stack_lo + sysconf(_SC_PAGESIZE));
}

START_TEST(a_signal_that_has_no_room_is_an_overflow)
{
	go_run(overflow_with_a_signal, NULL);
}
END_TEST

START_TEST(an_overflow_without_a_guard_is_found)
{
	/* The neighbour below is not in use. */
	go_run(overflow_main, (void *)(8 << 10));
}
END_TEST

/* As of those that are too many for guards, on a kernel before 6.13. */
static void overflow_unguarded(void *arg)
{
	struct g *g = m_self()->g;
	size_t page = sysconf(_SC_PAGESIZE);

	/* It is of either kind. */
	madvise(g->stack_lo, page, MADV_GUARD_REMOVE);
	ck_assert_int_eq(mprotect(g->stack_lo, page, PROT_READ | PROT_WRITE), 0);
	g->guarded = false;
	go_yield();
	store(came, true);
	overflow_the_canary(arg);
}

static void overflow_unguarded_main(void *arg)
{
	go_waitgroup_add(&wg, 1);
	go_spawn(overflow_unguarded, arg);
	go_waitgroup_wait(&wg);
}

static void came_at_abort(int sig)
{
	/* Not for what came before. */
	if (load(came))
		signal(sig, SIG_DFL);
	else
		_exit(1);
}

START_TEST(an_overflow_that_came_back_is_found)
{
	signal(SIGABRT, came_at_abort);
	go_run(overflow_unguarded_main, (void *)(72 << 10));
}
END_TEST

static int parked;

static void park_for_ever(void *arg)
{
	add(parked, 1);
	go_chan_recv(arg, NULL);
	go_waitgroup_done(&wg);
}

/* libdill and libmill stop at 32,753, the limit on mappings. */
static void many_main(void *arg)
{
	struct go_chan *ch = go_chan_make(0, 0);
	const int n = 100000;
	int i;

	(void)arg;
	go_waitgroup_add(&wg, n);
	for (i = 0; i < n; i++)
		ck_assert_int_eq(go_spawn(park_for_ever, ch), 0);
	wait_until(load(parked) == n);
	go_chan_close(ch);
	go_waitgroup_wait(&wg);
	go_chan_release(ch);
}

START_TEST(more_goroutines_than_mappings)
{
	ck_assert_int_eq(go_run(many_main, NULL), 0);
}
END_TEST

/* ---- a stack only for who runs ------------------------------------------------------ */

#define STACK_BYTES	(64 << 10)

static uintptr_t last_stack;
static int stacks_seen;

static void see_stack(void *arg)
{
	uintptr_t here = (uintptr_t)__builtin_frame_address(0) / STACK_BYTES;

	(void)arg;
	if (here != last_stack)
		stacks_seen++;
	last_stack = here;
	go_waitgroup_done(&wg);
}

static void share_main(void *arg)
{
	int i;

	(void)arg;
	go_waitgroup_add(&wg, 10000);
	for (i = 0; i < 10000; i++)
		ck_assert_int_eq(go_spawn(see_stack, NULL), 0);
	go_waitgroup_wait(&wg);
	/* They change where the global queue has its turn. */
	ck_assert_int_lt(stacks_seen, 500);
}

START_TEST(those_that_never_wait_share_a_stack)
{
	setenv("GOMAXPROCS", "1", 1);
	ck_assert_int_eq(go_run(share_main, NULL), 0);
}
END_TEST

#define MEMORY		((size_t)512 << 20)

static void memory_limit(size_t bytes)
{
	struct rlimit limit;

	getrlimit(RLIMIT_AS, &limit);
	limit.rlim_cur = bytes ? bytes : limit.rlim_max;
	setrlimit(RLIMIT_AS, &limit);
}

/* A user-mode emulator sets no limits: it would have to keep to them. */
static bool memory_can_be_limited(void)
{
	void *map;

	memory_limit(MEMORY);
	map = mmap(NULL, MEMORY, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	memory_limit(0);
	if (map != MAP_FAILED)
		munmap(map, MEMORY);
	return map == MAP_FAILED;
}

static void promise_main(void *arg)
{
	struct go_chan *ch = go_chan_make(0, 0);
	int ret, n = 0;

	(void)arg;
	go_waitgroup_add(&wg, 1000000);
	memory_limit(MEMORY);
	/* None of them runs before the last was started. */
	while (!(ret = go_spawn(park_for_ever, ch)))
		n++;
	/* The last ones were made of what little there was. */
	ck_assert_ptr_eq(mmap(NULL, MEMORY / 64, PROT_NONE,
			      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), MAP_FAILED);
	memory_limit(0);
	ck_assert_int_eq(ret, -ENOMEM);
	ck_assert_int_gt(n, 1000);
	ck_assert_int_lt(n, MEMORY / STACK_BYTES);
	wait_until(load(parked) == n);
	go_chan_close(ch);
	go_waitgroup_add(&wg, n - 1000000);
	go_waitgroup_wait(&wg);
	/* There is memory for others now. */
	go_waitgroup_add(&wg, 1);
	ck_assert_int_eq(go_spawn(done, NULL), 0);
	go_waitgroup_wait(&wg);
	go_chan_release(ch);
}

START_TEST(who_starts_one_learns_that_there_is_no_memory)
{
	setenv("GOMAXPROCS", "1", 1);
	ck_assert_int_eq(go_run(promise_main, NULL), 0);
}
END_TEST

/* ---- memory that is given back ------------------------------------------------------- */

#define TRIM_ROUNDS	20
#define TRIM_STACKS	2000

static int trim_stop;

static void *trim_on(void *arg)
{
	while (!load(trim_stop))
		stack_trim();
	return arg;
}

static void trim_main(void *arg)
{
	struct go_chan *ch[TRIM_ROUNDS];
	pthread_t trimmer;
	int i, n;

	(void)arg;
	for (i = 0; i < TRIM_ROUNDS; i++)
		ch[i] = go_chan_make(0, 0);
	ck_assert_int_eq(pthread_create(&trimmer, NULL, trim_on, NULL), 0);
	for (i = 0; i < TRIM_ROUNDS; i++) {
		parked = 0;
		go_waitgroup_add(&wg, TRIM_STACKS);
		for (n = 0; n < TRIM_STACKS; n++)
			ck_assert_int_eq(go_spawn(park_for_ever, ch[i]), 0);
		wait_until(load(parked) == TRIM_STACKS);
		go_chan_close(ch[i]);
		go_waitgroup_wait(&wg);
		memory_limit(1);	/* no more memory, but for so many there is */
	}
	memory_limit(0);
	add(trim_stop, 1);
	pthread_join(trimmer, NULL);
	for (i = 0; i < TRIM_ROUNDS; i++)
		go_chan_release(ch[i]);
}

START_TEST(a_promise_is_kept_while_memory_is_given_back)
{
	setenv("GOMAXPROCS", "1", 1);
	ck_assert_int_eq(go_run(trim_main, NULL), 0);
}
END_TEST

static int next_descriptor(void)
{
	int fd = dup(0);

	close(fd);
	return fd;
}

START_TEST(go_run_without_memory_leaves_nothing_behind)
{
	int before = next_descriptor();
	int i, ret;

	setenv("GOMAXPROCS", "64", 1);
	for (i = 0; i < 3; i++) {
		memory_limit((size_t)150 << 20);
		ret = go_run(nothing, NULL);
		memory_limit(0);
		ck_assert_int_eq(ret, -ENOMEM);
		ck_assert_int_eq(next_descriptor(), before);
	}
	raise(SIGURG);	/* what is ignored by default */
	ck_assert_int_eq(go_run(nothing, NULL), 0);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("stack");

	tcase_add_go_test(tc, a_stack_is_as_large_as_asked_for);
	tcase_add_go_test(tc, the_smallest_stack_is_enough_to_yield);
	tcase_add_go_test(tc, a_stack_whose_memory_was_given_back_is_as_before);
	tcase_add_go_test(tc, a_stack_over_the_limit_is_refused);
	tcase_add_test_raise_signal(tc, an_overflow_hits_the_guard, SIGSEGV);
	tcase_add_test_raise_signal(tc, a_signal_that_has_no_room_is_an_overflow,
				    SIGSEGV);
	tcase_add_test_raise_signal(tc, an_overflow_without_a_guard_is_found,
				    SIGABRT);
	tcase_add_test_raise_signal(tc, an_overflow_that_came_back_is_found,
				    SIGABRT);
	/* A sanitizer sees more than one on a stack as one, and needs much memory. */
	if (!SANITIZED(1, 0)) {
		tcase_add_test(tc, more_goroutines_than_mappings);
		tcase_add_test(tc, those_that_never_wait_share_a_stack);
		if (memory_can_be_limited()) {
			tcase_add_test(tc, a_promise_is_kept_while_memory_is_given_back);
			tcase_add_test(tc, who_starts_one_learns_that_there_is_no_memory);
			tcase_add_test(tc, go_run_without_memory_leaves_nothing_behind);
		}
	}
	return run_tests("stack", tc);
}
