// SPDX-License-Identifier: MIT
/*
 * The monitor. At each look it takes the Ps whose owners are blocked while there
 * is work for them (retake.c).
 *
 * Looks follow each other at twice the distance of the ones before, from the
 * assist's patience to its greatest patience, and begin anew when a look found
 * something to do. The monitor can be woken while it sleeps: if no P runs, by who
 * makes one run; else, without the module, every now and then by who queues a
 * goroutine, which might be stuck behind an owner that is about to block. So a program
 * that does nothing has no monitor either, and in one that is busy a look is due soon
 * after a goroutine was queued. With the module, which sees to blocked owners, only who
 * is not served by a look at its time wakes it: the wake-up comes before what its caller
 * does next.
 *
 * Where Ms are woken in vain that ceases, and the monitor looks in their place whether a
 * goroutine is kept waiting.
 *
 * A goroutine that computes is stopped at the end of its slice if others wait, and
 * after a much shorter one if somebody is due: whose timer has run out, or whose file
 * is ready. Only the monitor can see that then, so it wakes for it.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <urcu/urcu-memb.h>

#include "assist.h"
#include "bound.h"
#include "deadlock.h"
#include "futex.h"
#include "globq.h"
#include "gomaxprocs.h"
#include "m.h"
#include "netpoll.h"
#include "polldesc.h"
#include "preempt.h"
#include "proc.h"
#include "retake.h"
#include "runq.h"
#include "sched.h"
#include "stack.h"
#include "sysmon.h"
#include "thread.h"
#include "trace.h"

/* Looks that follow a wake-up at once: a sleep takes longer than they do. */
#define EAGER_LOOKS	4

/* Looks at the shortest distance before it grows, as in Go. */
#define STEADY_LOOKS	50

/* See pace_idle_looks(). */
#define IDLE_LOOKS	10

/*
 * How long before a timer that ends the sleep of all the monitor wakes, if that was
 * a long one: what runs then may block at once, and a thread comes to its CPU some
 * time after what woke it. As long as it took the last times, but the looks until then
 * cost CPU time, so beyond the least no more than that share of the sleep.
 */
#define EARLY_MIN	(100 * GO_MICROSECOND)
#define EARLY_MAX	(1 * GO_MILLISECOND)
#define EARLY_SHARE	64
#define LONG_SLEEP	(2 * GO_MILLISECOND)

/* What need not be done often; the periods of Go's monitor, but for the first. */
#define PROCS_PERIOD	(1 * GO_SECOND)
#define RECLAIM_PERIOD	(120 * GO_SECOND)
#define TRIM_PERIOD	(300 * GO_SECOND)

/* Looks at what may be a deadlock, until only each SLEEP_MAX. */
#define DEADLOCK_LOOKS	100
#define DEADLOCK_PERIOD	(100 * GO_MILLISECOND)

/* The longest sleep of all, so that this is done in a program that sleeps, too. */
#define SLEEP_MAX	(60 * GO_SECOND)

/* How long those who wait for a file may go unseen while others run. */
#define POLL_PERIOD	(10 * GO_MILLISECOND)

/* How long who was woken for a P that was taken has until it looks at the files. */
#define TOOK_LOOKS	(1 * GO_MILLISECOND)

/* How often to look at those who have waited for a file since the last time, or at all. */
#define WAITS_PERIOD	(500 * GO_MILLISECOND)
#define ALL_WAITS_PERIOD	(10 * GO_SECOND)

/*
 * How often who queues a goroutine may wake it: at first, and after times at which
 * that found no owner blocked. Its looks take CPU time from those who run.
 */
#define WAKE_REST	(2 * GO_MILLISECOND)
#define WAKE_REST_MAX	(64 * GO_MILLISECOND)

/*
 * The same with the module, whose handoffs do not wait for it. And its looks while who may
 * become due is seen by nobody else.
 */
#define NAP_MAX		(2 * GO_MILLISECOND)

/*
 * Where so many wake-ups in a row were in vain, who readies one goroutine and runs it next
 * makes no more of them. In their place the monitor looks as often as this, and has
 * somebody woken if one goroutine has had a P that long while another waits there. After
 * so many looks wake-ups are tried again, as long as it takes to see whether they are
 * still in vain: what the goroutines do may have become worth a P for each.
 */
#define VAIN_WAKES	8
#define VAIN_PERIOD	(200 * GO_MICROSECOND)
#define KEPT_WAITING	(VAIN_PERIOD * 3 / 4)
#define VAIN_LOOKS	100
#define TRY_LOOKS	16

/*
 * It runs for some microseconds to let others run, and where Ms of goroutines that were
 * stopped take turns the kernel's scheduler takes it for one of them, and lets it wait
 * for its tick.
 */
#define MONITOR_NICE	(-10)	/* less nice than the thread that started it */

uint32_t sysmon_sleep_ends;

static pthread_t sysmon_thread;

void sysmon_wake_slow(void)
{
	if (__atomic_exchange_n(&sysmon_sleep_ends, SYSMON_BY_NOBODY,
				__ATOMIC_SEQ_CST))
		futex_wake(&sysmon_sleep_ends, 1);
}

static bool stopping(void)
{
	return __atomic_load_n(&rt.stopping, __ATOMIC_ACQUIRE);
}

static bool waits_begun(void)
{
	return __atomic_load_n(&poll_waits_begun, __ATOMIC_SEQ_CST);
}

static bool p_has_work(const struct p *p)
{
	return !runq_empty(p) || globq_len() || p_wanted() ||
		(timers_first(&p->timers) != INT64_MAX &&
		 !__atomic_load_n(&rt.shared->polling, __ATOMIC_RELAXED));
}

static bool work_waits(void)
{
	uint32_t i;

	for (i = 0; i < procs_top(); i++)
		if (p_has_work(&rt.ps[i]))
			return true;
	return false;
}

/**
 * struct pace - when to look next
 * @delay: how long to sleep before
 * @next: at this time at the latest
 * @kept: this look has found a goroutine that is kept waiting by another
 * @vain_looks: looks in a row at which wake-ups have rested
 * @try_looks: looks left at which they are tried again
 * @for_others: this look has found what an M that finds nothing in its own P's queue
 *	could do
 * @took: when it took a P last
 * @poll_period: how long those who wait for files may go unseen while a P computes
 * @idle_looks: looks in a row at which no P ran
 * @woken: when who queued a goroutine woke the monitor last
 * @rest: how long after that nobody else may
 * @eager: looks that are to follow at once while work waits
 * @steady: looks after which the distance does not grow yet
 * @late: how long after its time it has woken of late
 * @deadlock_looks: looks in a row at what may be a deadlock
 * @dead: the last look found one
 * @dead_words: p_words_sum() then
 */
struct pace {
	int64_t delay;
	int64_t next;
	bool kept;
	uint32_t vain_looks;
	uint32_t try_looks;
	bool for_others;
	int64_t took;
	int64_t poll_period;
	uint32_t idle_looks;
	int64_t woken;
	int64_t rest;
	uint32_t eager;
	uint32_t steady;
	int64_t late;
	uint32_t deadlock_looks;
	bool dead;
	uint64_t dead_words;
};

/* What a look at the Ps has found. */
enum look {
	LOOK_ASLEEP,	/* no P that runs */
	LOOK_IDLE,	/* no work behind an owner */
	LOOK_WAITS,	/* some, and its owner runs */
	LOOK_TOOK,	/* some, and its owner was blocked */
};

/*
 * A P that has work runs: take it if its owner is blocked, or ask for it. @due: some of
 * the work has waited long enough.
 */
static enum look p_look(struct p *p, uint64_t word, struct watch *w, bool due,
			int64_t now)
{
	int64_t slice = now - w->since;

	if (slice >= rt.assist->retake_after && retake(p, word, w))
		return LOOK_TOOK;
	if ((due || slice >= PREEMPT_SLICE) && !m_blocked(p_owner(word), w)) {
		preempt_m(p_owner(word), w->tick);
		w->since = now;
	}
	return LOOK_WAITS;
}

static void look_before(struct pace *pace, int64_t when)
{
	if (when < pace->next)
		pace->next = when;
}

/* Look again when one that computes on that P keeps somebody waiting who is due. */
static void look_for_the_due(struct pace *pace, const struct p *p,
			     const struct watch *w, int64_t now)
{
	int64_t due = globq_has_first() ? now : timers_first(&p->timers);
	int64_t earliest = w->since + DUE_SLICE;

	if (due == INT64_MAX || !w->computes)
		return;
	if (earliest <= now)
		earliest = now + DUE_SLICE;
	look_before(pace, due > earliest ? due : earliest);
}

/*
 * Somebody waits for a file, and those that run have had no time to look. While one
 * computes they may not have any for long; so look often, if that finds something.
 */
static void poll_if_nobody_does(struct pace *pace, bool computes, int64_t now)
{
	int64_t last = __atomic_load_n(&rt.last_poll, __ATOMIC_RELAXED);
	int64_t period = computes ? pace->poll_period : POLL_PERIOD;
	struct g_list ready;

	if (!netpoll_is_needed())
		return;
	if (now - last >= period) {
		g_list_init(&ready);
		netpoll_look(&ready);
		if (ready.head)
			pace->poll_period = DUE_SLICE;
		else if (pace->poll_period <= POLL_PERIOD / 2)
			pace->poll_period *= 2;
		g_ready_list_first(&ready);
		last = now;
	}
	if (computes)
		look_before(pace, last + pace->poll_period);
}

/* Since when has one goroutine had the P, as far as the monitor has seen? */
static void watch_update(struct watch *w, const struct p *p, uint64_t word,
			 int64_t now)
{
	uint32_t tick = __atomic_load_n(&p->words->tick, __ATOMIC_RELAXED);
	int64_t picks = tick - w->counted_tick, time = now - w->counted;

	if (time >= DUE_SLICE) {
		w->computes = picks * DUE_SLICE <= time * TIMER_TICKS;
		w->counted = now;
		w->counted_tick = tick;
	}
	if (w->tick != tick || w->word != word) {
		w->tick = tick;
		w->word = word;
		w->since = now;
	}
}

/* Look at each P for how long one goroutine has it. Does one compute? */
static bool sysmon_watch(struct watch *watches, int64_t now)
{
	bool computes = false;
	uint32_t i;

	for (i = 0; i < procs_top(); i++) {
		struct watch *w = &watches[i];
		uint64_t word = p_word(&rt.ps[i]);

		if (p_state(word) != KGO_P_RUNNING)
			continue;
		watch_update(w, &rt.ps[i], word, now);
		computes |= w->computes;
	}
	return computes;
}

/* Are there goroutines in queues, no idle P, and nobody who looks for some? */
static bool work_to_steal(void)
{
	uint32_t i;

	if (p_count_idle() ||
	    __atomic_load_n(&rt.shared->nr_spinning, __ATOMIC_RELAXED))
		return false;
	for (i = 0; i < procs_top(); i++) {
		struct p *p = &rt.ps[i];

		/* From one that is alone nobody steals yet. */
		if (!__atomic_load_n(&p->alone, __ATOMIC_ACQUIRE) &&
		    !runq_empty(p))
			return true;
	}
	return false;
}

/* Do some wait for files and nobody looks, nor is on the way for that? */
static bool files_wait(const struct pace *pace, int64_t now)
{
	return netpoll_is_needed() &&
	       (__atomic_load_n(&rt.last_poll, __ATOMIC_RELAXED) > pace->took ||
		now - pace->took >= TOOK_LOOKS);
}

/* Have an idle P run. False if there is none, or nobody who could. */
static bool wake_idle(void)
{
	if (!p_count_idle() || !m_may_come())
		return false;
	sched_wake();
	return true;
}

/*
 * Look at a P that runs. Its goroutine gives way to a timer that is due, or to one of
 * @nr_first goroutines, if no idle P can see to them.
 */
static enum look p_look_running(struct pace *pace, struct p *p, uint64_t word,
				struct watch *w, uint32_t *nr_first, int64_t now)
{
	bool timer = timers_first(&p->timers) <= now;
	bool due = (timer || *nr_first) && now - w->since >= DUE_SLICE;
	enum look found = LOOK_IDLE;

	if (due && wake_idle())
		due = false;
	if (due || p_has_work(p)) {
		pace->kept |= now - w->since >= KEPT_WAITING && w->word == word &&
			      !__atomic_load_n(&p->alone, __ATOMIC_ACQUIRE);
		found = p_look(p, word, w, due, now);
	} else if (pace->for_others && now > w->since &&
		 now - w->since >= rt.assist->retake_after && retake(p, word, w))
		found = LOOK_TOOK;
	/* It is one for whom it has been stopped. */
	if (due && !timer && w->since == now)
		--*nr_first;
	look_for_the_due(pace, p, w, now);
	return found;
}

/* Let who readies one goroutine wake others, or not. */
static void wakes_set_rest(bool rest)
{
	if (__atomic_load_n(&sched_wakes_rest, __ATOMIC_RELAXED) == rest)
		return;
	/* Pairs with the barrier of who has queued one. */
	__atomic_store_n(&sched_wakes_rest, rest, __ATOMIC_SEQ_CST);
	/* Some may have relied on the looks that end now. If no M can come the poller is asked. */
	if (!rest && work_waits())
		sched_wake();
}

static void look_at_wakes(struct pace *pace, enum look found)
{
	bool rested = __atomic_load_n(&sched_wakes_rest, __ATOMIC_RELAXED);
	bool rest = __atomic_load_n(&sched_vain_wakes, __ATOMIC_RELAXED) >=
		    VAIN_WAKES;

	if (rest)
		pace->vain_looks++;
	if (pace->kept || found == LOOK_ASLEEP || pace->vain_looks > VAIN_LOOKS) {
		__atomic_store_n(&sched_vain_wakes, 0, __ATOMIC_RELAXED);
		rest = false;
	}
	if (!rest)
		pace->vain_looks = 0;
	if (rested && !rest && found != LOOK_ASLEEP)
		pace->try_looks = TRY_LOOKS;
	wakes_set_rest(rest);
	/* Who would have been woken in vain might have become the poller. */
	if (pace->kept || (rest && netpoll_is_needed()))
		wake_idle();
}

/* Look at each P, and take those whose owners are blocked. */
static enum look sysmon_look(struct pace *pace, struct watch *watches)
{
	enum look found = LOOK_ASLEEP;
	bool idle_has_work = false;
	int64_t now = go_now();
	uint32_t nr_first, i;

	pace->next = INT64_MAX;
	pace->kept = false;
	poll_if_nobody_does(pace, sysmon_watch(watches, now), now);
	nr_first = __atomic_load_n(&globq_nr_first, __ATOMIC_RELAXED);
	pace->for_others = files_wait(pace, now) || work_to_steal();
	for (i = 0; i < procs_top(); i++) {
		struct p *p = &rt.ps[i];
		uint64_t word = p_word(p);
		enum look here = LOOK_IDLE;

		if (p_state(word) == KGO_P_DEAD)
			continue;
		if (p_state(word) == KGO_P_IDLE) {
			idle_has_work |= p_has_work(p);
			continue;
		}
		if (p_state(word) == KGO_P_RUNNING)
			here = p_look_running(pace, p, word, &watches[i],
					      &nr_first, now);
		if (here == LOOK_TOOK) {
			pace->for_others = false;
			pace->took = now;
			__atomic_fetch_add(&rt.retakes, 1, __ATOMIC_RELAXED);
		}
		if (here > found)
			found = here;
	}
	/* An M is on its way to it, or there can be none: no reason to look at once. */
	if (idle_has_work && found == LOOK_IDLE)
		found = LOOK_WAITS;
	if (bound_rescue() && found < LOOK_WAITS)
		found = LOOK_WAITS;
	look_at_wakes(pace, found);
	return found;
}

/*
 * Look at the owners of Ps without a reason: after a long sleep the first look is
 * a slow one, so it is better made before it counts. @early: none runs yet; so at who
 * had the P last that is the first to be taken.
 */
static void sysmon_warm_up(struct watch *watches, bool early)
{
	uint32_t i;

	for (i = 0; i < procs_top(); i++) {
		uint64_t word = p_word(&rt.ps[i]);

		if (p_state(word) == KGO_P_RUNNING ||
		    (early && p_state(word) == KGO_P_IDLE)) {
			m_blocked(p_owner(word), &watches[i]);
			early &= p_state(word) == KGO_P_RUNNING;
		}
	}
}

/* ---- sleeping --------------------------------------------------------------------- */

/* How long to sleep: not beyond the next line of the trace. */
static int64_t until_trace(int64_t ns)
{
	int64_t left;

	if (!rt.trace)
		return ns;
	left = trace_check() - go_now();
	if (left < rt.assist->patience)
		left = rt.assist->patience;
	return left < ns ? left : ns;
}

/*
 * Sleep, but let those of @by end it, unless what would have has come since the last
 * look, which found @found. Returns whether one did end it.
 */
static bool sysmon_doze(int64_t ns, enum look found, uint32_t by)
{
	bool woken = false;

	ns = until_trace(ns);
	/* Pairs with the barrier of who queues a goroutine or takes a P, or is held. */
	__atomic_store_n(&rt.shared->tell_held, 1, __ATOMIC_RELAXED);
	__atomic_store_n(&sysmon_sleep_ends, by, __ATOMIC_SEQ_CST);
	if (!stopping() &&
	    (found != LOOK_ASLEEP || !(sched_p_runs() || bound_strands() ||
				       (ns > WAITS_PERIOD && waits_begun()))) &&
	    (found != LOOK_IDLE || !work_waits())) {
		futex_wait(&sysmon_sleep_ends, by, ns);
		woken = !__atomic_load_n(&sysmon_sleep_ends, __ATOMIC_SEQ_CST);
	}
	__atomic_store_n(&sysmon_sleep_ends, SYSMON_BY_NOBODY, __ATOMIC_SEQ_CST);
	__atomic_store_n(&rt.shared->tell_held, 0, __ATOMIC_RELAXED);
	return woken;
}

/* Sleep; only the end of the runtime ends it. */
static void sysmon_nap(int64_t ns)
{
	futex_wait(&rt.stopping, 0, ns);
}

/* Handoff depends on the monitor; else it need not hurry. */
static bool must_hurry(void)
{
	return !rt.assist->retake_after;
}

static void pace_begin(struct pace *pace)
{
	pace->delay = rt.assist->patience;
	pace->eager = must_hurry() ? EAGER_LOOKS : 0;
	pace->steady = must_hurry() ? STEADY_LOOKS : 0;
}

/* How long nobody may wake it yet: in a look's distance at the earliest, so who queues
 * does not pay often.
 */
static int64_t rest_left(const struct pace *pace)
{
	int64_t rest = must_hurry() ? pace->rest : rt.assist->patience;

	return pace->woken + rest - go_now();
}

/* It was woken: look often, unless it has been in vain of late. */
static void pace_woken(struct pace *pace)
{
	pace_begin(pace);
	pace->steady = pace->steady * WAKE_REST / pace->rest;
	pace->eager = pace->eager * WAKE_REST / pace->rest;
	if (pace->rest < WAKE_REST_MAX)
		pace->rest *= 2;
}

/* Looks without a P that runs, until it sleeps so that each that does would wake it. */
static uint32_t pace_idle_looks(const struct pace *pace)
{
	bool in_vain = must_hurry() && pace->rest > WAKE_REST;

	return in_vain ? IDLE_LOOKS : rt.assist->idle_looks;
}

/* Longer and longer, but never longer than a slice while work waits. */
static void pace_slow(struct pace *pace, enum look found)
{
	int64_t most = rt.assist->patience_max;

	if (pace->steady) {
		pace->steady--;
		return;
	}
	if (found == LOOK_WAITS && most > PREEMPT_SLICE)
		most = PREEMPT_SLICE;
	if (netpoll_is_needed() && most > POLL_PERIOD)
		most = POLL_PERIOD;
	pace->delay *= 2;
	if (pace->delay > most)
		pace->delay = most;
}

/*
 * Report a deadlock that two looks have found, with nothing in between. If there may
 * be one soon, look again a little later, a few times. Returns when.
 */
static int64_t deadlock_until(struct pace *pace, int64_t until)
{
	enum deadlock found = deadlock_look();
	uint64_t words = p_words_sum();

	if (found == DEADLOCK && pace->dead && pace->dead_words == words)
		deadlock_report();
	pace->dead = found == DEADLOCK;
	pace->dead_words = words;
	if (pace->dead || (found == DEADLOCK_UNLESS &&
			   pace->deadlock_looks++ < DEADLOCK_LOOKS))
		until = go_now() + DEADLOCK_PERIOD;
	return until;
}

/* How long before a timer that is due in @ns to wake. */
static int64_t early(const struct pace *pace, int64_t ns)
{
	int64_t most = ns / EARLY_SHARE;

	if (ns <= LONG_SLEEP)
		return 0;
	if (most > EARLY_MAX)
		most = EARLY_MAX;
	if (most > pace->late)
		most = pace->late;
	return most > EARLY_MIN ? most : EARLY_MIN;
}

/* It has slept for @ns and woken that long after its time; before, if it has not slept. */
static void pace_late(struct pace *pace, int64_t ns, int64_t late)
{
	if (ns <= LONG_SLEEP || late < 0)
		return;
	if (late > EARLY_MAX)
		late = EARLY_MAX;
	pace->late += (late - pace->late) / 4;
}

/*
 * No P runs: sleep until one does. If a timer will make one run, until shortly
 * before: a monitor that is woken by what it runs would come late.
 */
static void sysmon_sleep_idle(struct pace *pace, struct watch *watches)
{
	int64_t first = must_hurry() ? sched_first_timer() : INT64_MAX;
	int64_t until = go_now() + SLEEP_MAX, ns;
	bool woken;

	if (first != INT64_MAX)
		first -= early(pace, first - go_now());
	if (__atomic_load_n(&rt.shared->net_waiters, __ATOMIC_RELAXED))
		until = go_now() + (waits_begun() ? WAITS_PERIOD :
						    ALL_WAITS_PERIOD);
	if (rt.deadlock)
		until = deadlock_until(pace, until);
	if (until > first)
		until = first;
	ns = until - go_now();
	if (ns < rt.assist->patience)
		ns = rt.assist->patience;
	woken = sysmon_doze(ns, LOOK_ASLEEP, SYSMON_BY_ANY);
	if (woken) {
		pace->deadlock_looks = 0;
		/* Who woke it may be done by now, and comes again. */
		if (!must_hurry())
			pace->idle_looks = 0;
		pace_woken(pace);
	} else {
		pace_late(pace, ns, go_now() - until);
		pace_begin(pace);
	}
	if (must_hurry())
		sysmon_warm_up(watches, !woken);
}

/* Until the next look. Where no P runs, one may for the first timer. */
static int64_t until_look(const struct pace *pace, enum look found)
{
	int64_t now = go_now(), left = pace->next - now, first, until;

	if (found == LOOK_ASLEEP && must_hurry()) {
		until = sched_sleep_until(&first) - now;
		if (until < rt.assist->patience)
			until = rt.assist->patience;
		if (left > until)
			left = until;
	}
	if (left > pace->delay)
		return pace->delay;
	return left > 0 ? left : 0;
}

/* With the module: may somebody become due whom nobody else sees? */
static bool must_look_soon(enum look found)
{
	return !must_hurry() && found == LOOK_WAITS &&
	       !__atomic_load_n(&rt.shared->polling, __ATOMIC_RELAXED) &&
	       (netpoll_is_needed() || sched_first_timer() != INT64_MAX);
}

/* Do wake-ups rest, or are they tried again? */
static bool wakes_rest(struct pace *pace)
{
	if (__atomic_load_n(&sched_wakes_rest, __ATOMIC_RELAXED)) {
		pace->try_looks = 0;
		return true;
	}
	return pace->try_looks && pace->try_looks--;
}

/* Sleep until the next look. */
static void sysmon_sleep(struct pace *pace, enum look found,
			 struct watch *watches)
{
	int64_t ns, rest;

	if (found == LOOK_TOOK) {
		pace_begin(pace);
		pace->rest = WAKE_REST;
	}
	if (found != LOOK_ASLEEP) {
		pace->idle_looks = 0;
	} else if (++pace->idle_looks > pace_idle_looks(pace)) {
		sysmon_sleep_idle(pace, watches);
		return;
	}
	if (found == LOOK_WAITS && pace->eager) {
		pace->eager--;
		sched_yield();
		return;
	}

	ns = until_look(pace, found);
	if (wakes_rest(pace)) {
		sysmon_nap(ns < VAIN_PERIOD ? ns : VAIN_PERIOD);
		pace_slow(pace, found);
		return;
	}
	if (ns > NAP_MAX && must_look_soon(found))
		ns = NAP_MAX;
	rest = rest_left(pace);
	if (rest > 0) {
		/* Nobody can end that. */
		if (rest > NAP_MAX && !must_hurry())
			rest = NAP_MAX;
		sysmon_nap(ns < rest ? ns : rest);
	} else if (sysmon_doze(ns, found, must_hurry() ? SYSMON_BY_ANY :
							 SYSMON_BY_URGENT)) {
		pace->woken = go_now();
		pace_woken(pace);
		return;
	}
	pace_slow(pace, found);
}

/* ---- upkeep --------------------------------------------------------------------- */

/**
 * struct upkeep - when what need not be done often is due next
 * @procs: to see whether the CPUs have changed
 * @reclaim: to free Ms that have ended
 * @trim: to give back stacks that were not used since
 * @waits: to look at those who have begun to wait for files
 * @all_waits: to look at all who do
 */
struct upkeep {
	int64_t procs;
	int64_t reclaim;
	int64_t trim;
	int64_t waits;
	int64_t all_waits;
};

static bool is_due(int64_t *when, int64_t now, int64_t period)
{
	if (now < *when)
		return false;
	*when = now + period;
	return true;
}

/* What may take long begins: nobody may rely on the monitor's looks meanwhile. */
static bool long_duty(bool due)
{
	if (due)
		wakes_set_rest(false);
	return due;
}

static void sysmon_upkeep(struct upkeep *u)
{
	int64_t now = go_now();

	if (is_due(&u->procs, now, PROCS_PERIOD))
		procs_follow();
	if (long_duty(is_due(&u->reclaim, now, RECLAIM_PERIOD)))
		m_free_ended();
	if (long_duty(is_due(&u->trim, now, TRIM_PERIOD)))
		stack_trim();
	if (long_duty(is_due(&u->all_waits, now, ALL_WAITS_PERIOD)))
		poll_check_waits(true);
	else if (long_duty(is_due(&u->waits, now, WAITS_PERIOD) && waits_begun()))
		poll_check_waits(false);
}

static struct upkeep upkeep_begin(void)
{
	int64_t now = go_now();

	return (struct upkeep){
		.procs = now + PROCS_PERIOD,
		.reclaim = now + RECLAIM_PERIOD,
		.trim = now + TRIM_PERIOD,
		.waits = now + WAITS_PERIOD,
		.all_waits = now + ALL_WAITS_PERIOD,
	};
}

/* ---- the thread ------------------------------------------------------------------ */

static void watches_free(struct watch *watches)
{
	uint32_t i;

	for (i = 0; i < rt.nr_p_max; i++)
		watch_destroy(&watches[i]);
	free(watches);
}

static void *sysmon_main(void *arg)
{
	struct pace pace = {
		.delay = rt.assist->patience,
		.poll_period = DUE_SLICE,
		.rest = WAKE_REST,
	};
	struct upkeep upkeep = upkeep_begin();
	struct watch *watches = arg;

	thread_begin("go-sysmon");
	/* If it may: of this thread; what is too low for a nice value is -20. */
	setpriority(PRIO_PROCESS, 0,
		    getpriority(PRIO_PROCESS, 0) + MONITOR_NICE);
	urcu_memb_register_thread();
	trace_start();
	while (!stopping()) {
		trace_check();
		sysmon_upkeep(&upkeep);
		sysmon_sleep(&pace, sysmon_look(&pace, watches), watches);
	}
	urcu_memb_unregister_thread();
	watches_free(watches);
	return NULL;
}

int sysmon_start(void)
{
	struct watch *watches = calloc(rt.nr_p_max, sizeof(*watches));
	uint32_t i;
	int ret;

	if (!watches)
		return -ENOMEM;
	for (i = 0; i < rt.nr_p_max; i++)
		watch_init(&watches[i]);
	__atomic_store_n(&sysmon_sleep_ends, SYSMON_BY_NOBODY, __ATOMIC_RELAXED);
	__atomic_store_n(&sched_wakes_rest, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&sched_vain_wakes, 0, __ATOMIC_RELAXED);
	ret = thread_start(&sysmon_thread, sysmon_main, watches);
	if (ret)
		watches_free(watches);
	return ret;
}

/* The runtime is stopping. */
void sysmon_join(void)
{
	futex_wake(&rt.stopping, 1);
	sysmon_wake_slow();
	pthread_join(sysmon_thread, NULL);
}
