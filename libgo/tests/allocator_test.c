// SPDX-License-Identifier: MIT
/*
 * The allocator's locks: a goroutine that is stopped may hold one, and needs a P to
 * go on. So who keeps the Ps from it waits for none. The allocator's calls are put
 * aside for that (the linker's --wrap, see the makefile).
 */
#include <pthread.h>
#include <string.h>
#include <sys/prctl.h>

#include "test.h"

#include "runtime.h"
#include "settings.h"

__typeof__(malloc) __real_malloc, __wrap_malloc;
__typeof__(calloc) __real_calloc, __wrap_calloc;
__typeof__(realloc) __real_realloc, __wrap_realloc;
__typeof__(free) __real_free, __wrap_free;
/* has them called inside of the C library */
__typeof__(fopen) __real_fopen, __wrap_fopen;
__typeof__(settings_procs) __real_settings_procs, __wrap_settings_procs;

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static int in_sections, in_monitor, monitor_looks, maker_waits, maker_waited;

static bool thread_is(const char *wanted)
{
	char name[16];

	return !m_self() && !prctl(PR_GET_NAME, name) && !strcmp(name, wanted);
}

static void called(void)
{
	struct m *m = m_self();

	if (m && m->words->critical)
		add(in_sections, 1);
	if (thread_is("go-sysmon"))
		add(in_monitor, 1);
	if (load(maker_waits) && thread_is("go-maker")) {
		add(maker_waited, 1);
		pthread_mutex_lock(&mutex);
		pthread_mutex_unlock(&mutex);
	}
}

void *__wrap_malloc(size_t size)
{
	called();
	return __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
	called();
	return __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t size)
{
	called();
	return __real_realloc(p, size);
}

void __wrap_free(void *p)
{
	called();
	__real_free(p);
}

FILE *__wrap_fopen(const char *path, const char *mode)
{
	called();
	return __real_fopen(path, mode);
}

uint32_t __wrap_settings_procs(pid_t tid)
{
	if (thread_is("go-sysmon"))
		add(monitor_looks, 1);
	return __real_settings_procs(tid);
}

/* ---- critical sections ------------------------------------------------------------ */

static struct go_waitgroup wg;

/* Timers whose channel, ticker or context nobody has any more when they fire. */
static void leave_timers(void)
{
	struct go_context *ctx;
	struct go_ticker *tk;
	int i;

	for (i = 0; i < 100; i++) {
		go_chan_release(go_after(i * GO_MICROSECOND));
		ctx = go_context_with_timeout(go_context_background(),
					      i * GO_MICROSECOND);
		go_context_release(go_context_with_cancel(ctx));
		go_context_release(ctx);
		tk = go_ticker_start(GO_MICROSECOND * (i + 1));
		go_sleep(GO_MICROSECOND);
		go_ticker_free(tk);
	}
}

static void do_nothing(void *arg)
{
	(void)arg;
}

/* And what else keeps or makes something. */
static void use_all(void *arg)
{
	struct go_case cases[2] = { GO_RECV(arg, NULL), GO_DEFAULT };
	struct go_timer *t;
	int i;

	leave_timers();
	for (i = 0; i < 100; i++) {
		go_chan_send(arg, NULL);
		go_select(cases, 2);
		t = go_timer_start(GO_MILLISECOND, do_nothing, NULL);
		go_timer_free(t);
		go_yield();
	}
	go_waitgroup_done(&wg);
}

GO_TEST(nothing_is_allocated_or_freed_in_a_section)
{
	struct go_chan *ch = go_chan_make(0, 2000);
	int i;

	go_waitgroup_add(&wg, 10);
	for (i = 0; i < 10; i++)
		ck_assert_int_eq(go_spawn(use_all, ch), 0);
	go_waitgroup_wait(&wg);
	go_sleep(5 * GO_MILLISECOND);
	go_chan_release(ch);
	ck_assert_int_eq(load(in_sections), 0);
}

/* What was left for later is freed by who makes more, and by the end. */
START_TEST(garbage_does_not_pile_up)
{
	/* LeakSanitizer and valgrind look at what is left. */
	run_with_procs(1, (go_fn)leave_timers);
}
END_TEST

/* ---- the monitor ------------------------------------------------------------------ */

/* Until it has looked whether there are other CPUs, which it does once a second. */
static void let_it_look(void *arg)
{
	while (!load(monitor_looks))
		go_sleep(GO_MILLISECOND);
	go_sleep(10 * GO_MILLISECOND);
	store(*(int *)arg, load(in_monitor));
}

START_TEST(the_monitor_allocates_nothing)
{
	int found = -1;

	unsetenv("GOMAXPROCS");
	ck_assert_int_eq(go_run(let_it_look, &found), 0);
	ck_assert_int_eq(found, 0);
}
END_TEST

/* ---- the thread that makes threads -------------------------------------------------- */

/* So long, and until the maker has waited. */
static void compute(int64_t ns)
{
	int64_t begin = go_now(), now;

	do {
		now = go_now();
	} while (now < begin + ns ||
		 (!load(maker_waited) && now < begin + 5 * GO_SECOND));
}

static void compute_a_while(void *arg)
{
	(void)arg;
	compute(30 * GO_MILLISECOND);
	go_waitgroup_done(&wg);
}

static void hold_the_lock(void *arg)
{
	(void)arg;
	pthread_mutex_lock(&mutex);
	store(maker_waits, 1);
	compute(100 * GO_MILLISECOND);
	store(maker_waits, 0);
	pthread_mutex_unlock(&mutex);
	go_waitgroup_done(&wg);
}

/* One that is stopped has what is needed to make another thread, and all others are
 * stopped, too: one of them must get the P.
 */
GO_TEST(who_makes_threads_may_wait_for_the_stopped)
{
	int i, n = 16 + 4 * go_gomaxprocs(0);

	go_waitgroup_add(&wg, n + 1);
	ck_assert_int_eq(go_spawn(hold_the_lock, NULL), 0);
	for (i = 0; i < n; i++)
		ck_assert_int_eq(go_spawn(compute_a_while, NULL), 0);
	go_waitgroup_wait(&wg);
	if (!SIGNALS_COME_LATE)
		ck_assert_int_gt(load(maker_waited), 0);
}

int main(void)
{
	TCase *tc = tcase_create("allocator");

	tcase_add_go_test(tc, nothing_is_allocated_or_freed_in_a_section);
	tcase_add_test(tc, garbage_does_not_pile_up);
	tcase_add_test(tc, the_monitor_allocates_nothing);
	tcase_add_go_test(tc, who_makes_threads_may_wait_for_the_stopped);
	return run_tests("allocator", tc);
}
