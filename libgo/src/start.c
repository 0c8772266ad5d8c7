// SPDX-License-Identifier: MIT
/*
 * The start and the end of the runtime.
 *
 * The thread that calls go_run() runs no goroutines: it makes the runtime, waits
 * for the main goroutine and takes the runtime down. So it can return even when
 * an M is blocked for good. Such Ms are left behind, and so are those that take
 * too long to end; until all have ended, which those that are blocked do when
 * they come back, no other runtime can be started.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "assist.h"
#include "bound.h"
#include "dump.h"
#include "fault.h"
#include "fork.h"
#include "futex.h"
#include "garbage.h"
#include "globq.h"
#include "gpool.h"
#include "gomaxprocs.h"
#include "goroutine.h"
#include "m.h"
#include "netpoll.h"
#include "polldesc.h"
#include "preempt.h"
#include "proc.h"
#include "sched.h"
#include "settings.h"
#include "signal.h"
#include "stack.h"
#include "start.h"
#include "sysmon.h"
#include "wait.h"

/* How long go_run() waits for the threads when main has ended. The others go on
 * ending on their own.
 */
#define END_WAIT	(20 * GO_MILLISECOND)

/* How long the next go_run() waits for the next of them to end: looks, and
 * nanoseconds between them.
 */
#define END_LOOKS	100
#define END_LOOK	(2 * GO_MILLISECOND)

/* Spares that are kept ready: one for each P, and for each CPU that the handoff
 * may happen on, but no more than that.
 */
#define SPARES_MAX	8

/* More spares than this beyond those are not kept. */
#define SPARES_IDLE	16

/* go_gomaxprocs() may go so far up, at least. */
#define PROCS_ROOM	64

struct rt rt;

static struct lock run_lock;	/* of go_run() */
static struct g *main_g;	/* compared by goroutines that end */

bool g_is_main(const struct g *g)
{
	return g == __atomic_load_n(&main_g, __ATOMIC_RELAXED);
}

void main_ended(void)
{
	__atomic_store_n(&main_g, NULL, __ATOMIC_RELAXED);
	__atomic_store_n(&rt.stopping, 1, __ATOMIC_SEQ_CST);
	__atomic_fetch_or(&rt.main_done, MAIN_ENDED, __ATOMIC_SEQ_CST);
	futex_wake(&rt.main_done, 1);
}

/* Until the main goroutine has ended. From a handler of SIGQUIT: dump and end. */
static void main_wait(void)
{
	uint32_t done;

	while (!((done = __atomic_load_n(&rt.main_done, __ATOMIC_SEQ_CST)) &
		 MAIN_ENDED)) {
		if (done & MAIN_QUIT)
			dump_and_quit("SIGQUIT: quit");
		futex_wait(&rt.main_done, done, -1);
	}
}

bool run_active(void)
{
	return rt.running || run_lock.word;
}

static int assist_start(enum assist_choice choice)
{
	int ret;

	if (choice != ASSIST_STANDIN) {
		rt.assist = &assist_module;
		ret = rt.assist->start();
		if (!ret)
			return 0;
		if (choice == ASSIST_MODULE) {
			fprintf(stderr,
				"libgo: LIBGO_ASSIST=module, but /dev/kgo can't be used: %s\n",
				strerror(-ret));
			return ret;
		}
	}
	rt.assist = &assist_standin;
	return rt.assist->start();
}

static int rt_start(void)
{
	struct settings s;
	int ret;

	ret = settings_read(&s);
	if (ret)
		return ret;
	memset(&rt, 0, sizeof(rt));
	rt.nr_p = s.procs;
	rt.nr_p_set = s.procs_set;
	rt.nr_p_max = s.procs > PROCS_ROOM ? s.procs : PROCS_ROOM;
	rt.run_tid = syscall(SYS_gettid);
	rt.nr_m_max = s.max_threads;
	rt.nr_cpu = s.cpus;
	rt.hold = s.hold;
	rt.sigquit = s.sigquit;
	rt.deadlock = s.deadlock;
	rt.trace = s.schedtrace;
	rt.spare_low = rt.nr_p > s.cpus ? rt.nr_p : s.cpus;
	if (rt.spare_low > SPARES_MAX)
		rt.spare_low = SPARES_MAX;
	rt.spare_high = rt.spare_low + SPARES_IDLE;
	rt.fpu = fpu_control_now();

	ret = assist_start(s.assist);
	if (ret)
		return ret;
	rt.ms = calloc(rt.nr_m_max + 1, sizeof(*rt.ms));
	if (!rt.ms) {
		ret = -ENOMEM;
		goto err_assist;
	}
	globq_init();
	ret = ps_make();
	if (ret)
		goto err_ms;
	ret = netpoll_init();
	if (ret)
		goto err_ps;
	ret = preempt_start();
	if (ret)
		goto err_netpoll;
	return 0;

err_netpoll:
	netpoll_destroy();
err_ps:
	ps_destroy();
err_ms:
	free(rt.ms);
err_assist:
	rt.assist->stop();
	return ret;
}

static void rt_destroy(void)
{
	dump_lock();
	__atomic_store_n(&rt.running, 0, __ATOMIC_SEQ_CST);
	/* Before the wait: who still sees it is waited for. */
	solo_over();
	thread_calls_end();
	m_free_ended();
	garbage_collect();
	preempt_stop();
	ps_drop_timers();
	poll_reset();
	/* Plain threads may have been stopping timers, or closing files. */
	thread_calls_end();
	ps_destroy();
	netpoll_destroy();
	gpool_destroy();
	stack_destroy();
	free(rt.ms);
	rt.assist->stop();
	dump_unlock();
}

/* Wake parked Ms, so that they end; the maker when there are none. */
static void end_spares(void)
{
	uint32_t i;

	for (i = 0; i < procs_top(); i++)
		rt.assist->wake(i, false);
	netpoll_break();
	bound_wake_all();
}

/*
 * Wait for the Ms to end: for that long in all, or with a limit of 0 as long as
 * one does every now and then. False if there still are some.
 */
static bool end_ms(int64_t limit)
{
	int64_t until = go_now() + limit;
	uint32_t before = UINT32_MAX;
	int looks;

	for (looks = 0; looks < END_LOOKS; looks++) {
		uint32_t n = __atomic_load_n(&rt.nr_m, __ATOMIC_SEQ_CST);

		end_spares();
		if (!n)
			return true;
		if (limit && go_now() > until)
			return false;
		if (n != before)
			looks = 0;
		before = n;
		futex_wait(&rt.nr_m, n, END_LOOK);
	}
	return false;
}

/*
 * The last step. False if there are Ms that do not end, as they are blocked; and then
 * it can be tried again.
 */
static bool rt_end(int64_t limit)
{
	if (!end_ms(limit))
		return false;
	maker_join();
	/* The maker may just have been starting another. */
	if (!end_ms(limit))
		return false;
	rt_destroy();
	return true;
}

/* What an earlier runtime left behind may have ended by now. */
static int rt_ended(void)
{
	if (!rt.running)
		return 0;
	return rt.stopping && rt_end(0) ? 0 : -EBUSY;
}

static int rt_run(go_fn fn, void *arg)
{
	int ret;

	main_g = g_make(NULL, fn, arg, "main", STACK_DEFAULT);
	if (!main_g) {
		ret = -ENOMEM;
		goto err;
	}
	solo_begin();
	__atomic_store_n(&rt.running, 1, __ATOMIC_RELEASE);
	globq_put(main_g);

	ret = sysmon_start();
	if (ret)
		goto err;
	ret = maker_start();
	if (ret)
		goto err_sysmon;
	/* There is no spare yet: the first one that parks takes this P. */
	rt.assist->wake(0, false);

	main_wait();
	/* Those that were stopped may have a lock that is needed here: malloc()'s. */
	bound_wake_all();
	signals_end();
	sysmon_join();
	/* A process that ends now need not wait for thousands of threads. */
	if (!rt_end(END_WAIT))
		poll_release_threads();
	return 0;

err_sysmon:
	__atomic_store_n(&rt.stopping, 1, __ATOMIC_SEQ_CST);
	sysmon_join();
err:
	rt_destroy();
	return ret;
}

int go_run(go_fn fn, void *arg)
{
	int ret;

	if (!fn)
		return -EINVAL;
	if (m_self())
		return -EPERM;
	if (forked)
		return -ESRCH;
	ret = fork_watched();
	if (ret)
		return ret;
	if (!lock_try(&run_lock))
		return -EBUSY;
	ret = rt_ended();
	if (!ret)
		ret = rt_start();
	if (!ret) {
		fault_start();
		quit_start();
		ret = rt_run(fn, arg);
		quit_stop();
		fault_stop();
	}
	lock_release(&run_lock);
	return ret;
}

static void stats_read(struct go_stats *st)
{
	uint32_t i;

	st->assist = rt.assist->name;
	st->procs = procs();
	st->threads = __atomic_load_n(&rt.nr_m, __ATOMIC_RELAXED);
	st->threads_max = __atomic_load_n(&rt.nr_m_top, __ATOMIC_RELAXED);
	st->sysmon_retakes = __atomic_load_n(&rt.retakes, __ATOMIC_RELAXED);
	st->handoffs = st->sysmon_retakes;
	if (rt.assist->handoffs)
		st->handoffs += rt.assist->handoffs();
	for (i = 0; i < procs_top(); i++) {
		st->switches += __atomic_load_n(&rt.ps[i].switches,
						__ATOMIC_RELAXED);
		st->steals += __atomic_load_n(&rt.ps[i].steals,
					      __ATOMIC_RELAXED);
	}
}

int go_stats_read(struct go_stats *st)
{
	struct m *m = wait_enter();
	int ret = -ESRCH;

	if (__atomic_load_n(&rt.running, __ATOMIC_SEQ_CST)) {
		memset(st, 0, sizeof(*st));
		stats_read(st);
		ret = 0;
	}
	wait_exit(m);
	return ret;
}
