// SPDX-License-Identifier: MIT
/*
 * Signals as elements of channels.
 *
 * The handler notes the signal in a mask and wakes a thread, the sender, which
 * alone sends to channels. That thread is a plain one, so it can send without a P,
 * and it has the signals unblocked, so that one thread at least can take them.
 *
 * A signal that arrives while its last channel is being taken away is either sent
 * or has its old action (signals_drop()):
 *  1. the sender blocks the signal, so that the old action can't strike in it, and
 *     sends what was noted so far;
 *  2. the old action is set;
 *  3. the channel is taken away.
 * Other threads may note the signal until 2, and even later, if the kernel has sent
 * them into the handler and they have not come to its first instruction. What is
 * noted and has no channel any more, the sender has the process get again, and
 * then it has its old action.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include "chan.h"
#include "futex.h"
#include "preempt.h"
#include "signal.h"
#include "thread.h"

#define SIGNALS		64

/* The kernel's SIGRTMIN; the C library keeps those below its own for itself. */
#define SIG_FIRST_RT	32

/**
 * struct listener - a channel that gets signals
 * @next: in the list of all
 * @ch: the channel, a reference
 * @signals: which ones
 */
struct listener {
	struct listener *next;
	struct go_chan *ch;
	uint64_t signals;
};

/*
 * Sets of signals are masks, signal n is bit n - 1.
 *
 * The locks are the C library's: a goroutine may block while it holds one, but
 * makes no libgo call then that may switch to another thread.
 */
static struct {
	pthread_mutex_t calls;		/* held over each call of the interface */
	pthread_mutex_t list;		/* guards @first, what it leads to, and these */
	struct listener *first;
	struct sigaction old[SIGNALS];
	uint64_t ignored;		/* by go_signal_ignore() */

	/* guarded by @calls */
	uint64_t changed;		/* those whose old action is in @old */
	bool sender_runs;		/* read without */
	pthread_t sender;

	/* words that the sender and the handler use */
	uint64_t caught;		/* those that the sender has unblocked */
	uint64_t noted;			/* by the handler, to be sent */
	uint32_t wake;			/* futex: the sender has something to do */
	uint32_t asked;			/* requests to the sender */
	uint32_t answered;		/* futex: those that are done */
	bool end;			/* the sender is to end */
} signals = {
	.calls = PTHREAD_MUTEX_INITIALIZER, .list = PTHREAD_MUTEX_INITIALIZER,
};

static uint64_t signal_bit(int signo)
{
	return 1ULL << (signo - 1);
}

/* Take the lowest signal out of a set; 0 if it is empty. */
static int signals_next(uint64_t *set)
{
	int signo = __builtin_ffsll(*set);

	*set &= *set - 1;
	return signo;
}

/* ---- the handler ------------------------------------------------------------------ */

static void sender_wake(void)
{
	if (!__atomic_exchange_n(&signals.wake, 1, __ATOMIC_SEQ_CST))
		futex_wake(&signals.wake, 1);
}

/* On any thread, and any stack; it blocks all other signals. */
static void signal_handler(int signo)
{
	/* Somebody has put it back, after the end. */
	if (!__atomic_load_n(&signals.sender_runs, __ATOMIC_ACQUIRE)) {
		sigaction(signo, &signals.old[signo - 1], NULL);
		raise(signo);
		return;
	}
	__atomic_fetch_or(&signals.noted, signal_bit(signo), __ATOMIC_SEQ_CST);
	sender_wake();
}

/* ---- the sender ------------------------------------------------------------------- */

/* Unblock what is to be caught, and that only. */
static void sender_unblock(void)
{
	uint64_t caught = __atomic_load_n(&signals.caught, __ATOMIC_ACQUIRE);
	sigset_t mask;
	int signo;

	sigfillset(&mask);
	while ((signo = signals_next(&caught)))
		sigdelset(&mask, signo);
	pthread_sigmask(SIG_SETMASK, &mask, NULL);
}

/*
 * With the list's lock held: nobody listens to a signal, and yet it came to the handler.
 * Somebody has put that back, as system(3) does with what it has found before, or else
 * the signal came before the old action was set.
 */
static void signal_unheard(int signo)
{
	static const struct sigaction ignore = { .sa_handler = SIG_IGN };
	struct sigaction now;

	sigaction(signo, NULL, &now);
	if (now.sa_handler == signal_handler)
		sigaction(signo, signals.ignored & signal_bit(signo) ? &ignore :
			  &signals.old[signo - 1], NULL);
	kill(getpid(), signo);
}

static void sender_send(uint64_t noted)
{
	uint64_t unheard = noted;
	struct listener *l;
	int signo;

	pthread_mutex_lock(&signals.list);
	for (l = signals.first; l; l = l->next) {
		uint64_t set = noted & l->signals;

		unheard &= ~set;
		while ((signo = signals_next(&set)))
			go_chan_try_send(l->ch, &signo);
	}
	while ((signo = signals_next(&unheard)))
		signal_unheard(signo);
	pthread_mutex_unlock(&signals.list);
}

static void *sender_main(void *arg)
{
	uint32_t asked;
	bool end;

	(void)arg;
	thread_begin("go-signal");
	do {
		while (!__atomic_exchange_n(&signals.wake, 0, __ATOMIC_SEQ_CST))
			futex_wait(&signals.wake, 0, -1);
		/* What was noted before the request is sent before the answer. */
		end = __atomic_load_n(&signals.end, __ATOMIC_ACQUIRE);
		asked = __atomic_load_n(&signals.asked, __ATOMIC_ACQUIRE);
		sender_unblock();
		sender_send(__atomic_exchange_n(&signals.noted, 0,
						__ATOMIC_SEQ_CST));
		if (asked != signals.answered) {
			__atomic_store_n(&signals.answered, asked,
					 __ATOMIC_RELEASE);
			futex_wake(&signals.answered, 1);
		}
	} while (!end);
	return NULL;
}

/* Have the sender look at all that has changed, and wait until it has. */
static void sender_sync(void)
{
	uint32_t asked, answered;

	asked = __atomic_add_fetch(&signals.asked, 1, __ATOMIC_ACQ_REL);
	sender_wake();
	while ((answered = __atomic_load_n(&signals.answered,
					   __ATOMIC_ACQUIRE)) != asked)
		futex_wait(&signals.answered, answered, -1);
}

static int sender_start(void)
{
	int ret;

	if (signals.sender_runs)
		return 0;
	signals.end = false;
	ret = thread_start(&signals.sender, sender_main, NULL);
	__atomic_store_n(&signals.sender_runs, !ret, __ATOMIC_RELEASE);
	return ret;
}

static void sender_end(void)
{
	if (!signals.sender_runs)
		return;
	__atomic_store_n(&signals.end, true, __ATOMIC_RELEASE);
	sender_wake();
	pthread_join(signals.sender, NULL);
	__atomic_store_n(&signals.sender_runs, false, __ATOMIC_RELEASE);
}

/* ---- actions ---------------------------------------------------------------------- */

/* Give signals another action; the one that they had first is kept. */
static void signals_set(uint64_t set, void (*action)(int))
{
	/*
	 * On the alternate stack if the thread has one: a goroutine's may be
	 * small. Nothing else interrupts the handler, so one frame is enough.
	 */
	struct sigaction act = {
		.sa_handler = action, .sa_flags = SA_RESTART | SA_ONSTACK,
	};
	struct sigaction old;
	int signo;

	sigfillset(&act.sa_mask);
	pthread_mutex_lock(&signals.list);
	signals.ignored &= ~set;
	if (action == SIG_IGN)
		signals.ignored |= set;
	while ((signo = signals_next(&set))) {
		bool first = !(signals.changed & signal_bit(signo));

		sigaction(signo, &act, &old);
		/* Somebody may have put our own back. */
		if (first && old.sa_handler != signal_handler)
			signals.old[signo - 1] = old;
		signals.changed |= signal_bit(signo);
	}
	pthread_mutex_unlock(&signals.list);
}

/* Give them back the action that they had. */
static void signals_restore(uint64_t set)
{
	int signo;

	set &= signals.changed;
	signals.changed &= ~set;
	pthread_mutex_lock(&signals.list);
	signals.ignored &= ~set;
	pthread_mutex_unlock(&signals.list);
	while ((signo = signals_next(&set)))
		sigaction(signo, &signals.old[signo - 1], NULL);
}

/* ---- listeners -------------------------------------------------------------------- */

static struct listener **listener_find(const struct go_chan *ch)
{
	struct listener **lp = &signals.first;

	while (*lp && (*lp)->ch != ch)
		lp = &(*lp)->next;
	return lp;
}

static int listener_add(struct go_chan *ch, uint64_t set)
{
	struct listener **lp = listener_find(ch), *l = *lp;

	if (!l) {
		l = calloc(1, sizeof(*l));
		if (!l)
			return -ENOMEM;
		l->ch = go_chan_retain(ch);
	}
	pthread_mutex_lock(&signals.list);
	l->signals |= set;
	__atomic_store_n(lp, l, __ATOMIC_RELEASE);
	pthread_mutex_unlock(&signals.list);
	return 0;
}

/* Take signals away from a channel, or with NULL from all. */
static void listeners_remove(const struct go_chan *ch, uint64_t set)
{
	struct listener **lp = &signals.first, *l;

	pthread_mutex_lock(&signals.list);
	while ((l = *lp)) {
		if (!ch || l->ch == ch)
			l->signals &= ~set;
		if (l->signals) {
			lp = &l->next;
			continue;
		}
		__atomic_store_n(lp, l->next, __ATOMIC_RELEASE);
		go_chan_release(l->ch);
		free(l);
	}
	pthread_mutex_unlock(&signals.list);
}

/* What channels other than this one get. */
static uint64_t signals_of_others(const struct go_chan *ch)
{
	const struct listener *l;
	uint64_t set = 0;

	for (l = signals.first; l; l = l->next)
		if (l->ch != ch)
			set |= l->signals;
	return set;
}

/*
 * Take signals away from a channel, or with NULL from all; the steps are told
 * above. Those that no channel gets then have another action, or with NULL the
 * old one.
 */
static void signals_drop(const struct go_chan *ch, uint64_t set,
			 void (*action)(int))
{
	uint64_t unheard = set;

	if (ch)
		unheard &= ~signals_of_others(ch);
	__atomic_fetch_and(&signals.caught, ~unheard, __ATOMIC_ACQ_REL);
	if (signals.sender_runs)
		sender_sync();
	if (action)
		signals_set(unheard, action);
	else
		signals_restore(unheard);
	listeners_remove(ch, set);
}

/* ---- the interface ---------------------------------------------------------------- */

/* Those that can be caught, that a program can go on after, and that are free. */
static uint64_t signals_all(void)
{
	static const int not[] = {
		SIGKILL, SIGSTOP, SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGSYS,
		SIGTRAP, PREEMPT_SIGNAL,
	};
	uint64_t set = ~0ULL;
	size_t i;
	int signo;

	for (i = 0; i < ARRAY_SIZE(not); i++)
		set &= ~signal_bit(not[i]);
	for (signo = SIG_FIRST_RT; signo < SIGRTMIN; signo++)
		set &= ~signal_bit(signo);
	return set;
}

/* The set that a list ending with 0 stands for; 0 if one of it can't be. */
static uint64_t signals_of_list(int signo, va_list list)
{
	uint64_t all = signals_all(), set = 0;

	if (!signo)
		return all;
	for (; signo; signo = va_arg(list, int)) {
		if (signo < 0 || signo > SIGNALS || !(all & signal_bit(signo)))
			return 0;
		set |= signal_bit(signo);
	}
	return set;
}

/* Every call begins and ends with these. False if no runtime runs. */
static bool call_begin(sigset_t *old)
{
	if (!__atomic_load_n(&rt.running, __ATOMIC_ACQUIRE))
		return false;
	preempt_block(old);
	pthread_mutex_lock(&signals.calls);
	/* signals_end() has the lock after this was set */
	if (!__atomic_load_n(&rt.stopping, __ATOMIC_ACQUIRE))
		return true;
	pthread_mutex_unlock(&signals.calls);
	preempt_unblock(old);
	return false;
}

static void call_end(const sigset_t *old)
{
	pthread_mutex_unlock(&signals.calls);
	preempt_unblock(old);
}

static int signals_notify(struct go_chan *ch, uint64_t set)
{
	int ret;

	ret = sender_start();
	if (!ret)
		ret = listener_add(ch, set);
	if (ret)
		return ret;
	signals_set(set, signal_handler);
	__atomic_fetch_or(&signals.caught, set, __ATOMIC_ACQ_REL);
	sender_sync();
	return 0;
}

int (go_signal_notify)(struct go_chan *ch, ...)
{
	sigset_t old;
	uint64_t set;
	va_list list;
	int ret;

	if (!ch || ch->elem_size != sizeof(int))
		return -EINVAL;
	va_start(list, ch);
	set = signals_of_list(va_arg(list, int), list);
	va_end(list);
	if (!set)
		return -EINVAL;
	if (!call_begin(&old))
		return -ESRCH;
	ret = signals_notify(ch, set);
	call_end(&old);
	return ret;
}

int go_signal_stop(struct go_chan *ch)
{
	struct listener *l;
	sigset_t old;

	if (!ch)
		return -EINVAL;
	if (!call_begin(&old))
		return -ESRCH;
	l = *listener_find(ch);
	if (l)
		signals_drop(ch, l->signals, NULL);
	call_end(&old);
	return 0;
}

int (go_signal_reset)(int signo, ...)
{
	sigset_t old;
	uint64_t set;
	va_list list;

	va_start(list, signo);
	set = signals_of_list(signo, list);
	va_end(list);
	if (!set)
		return -EINVAL;
	if (!call_begin(&old))
		return -ESRCH;
	signals_drop(NULL, set, NULL);
	call_end(&old);
	return 0;
}

int (go_signal_ignore)(int signo, ...)
{
	sigset_t old;
	uint64_t set;
	va_list list;

	va_start(list, signo);
	set = signals_of_list(signo, list);
	va_end(list);
	if (!set)
		return -EINVAL;
	if (!call_begin(&old))
		return -ESRCH;
	signals_drop(NULL, set, SIG_IGN);
	call_end(&old);
	return 0;
}

bool signals_rest(void)
{
	return __atomic_load_n(&signals.sender_runs, __ATOMIC_ACQUIRE) &&
	       !__atomic_load_n(&signals.first, __ATOMIC_ACQUIRE);
}

void signals_forked(void)
{
	/* Its lock may be the parent's. */
	pthread_mutex_init(&signals.list, NULL);
	signals.sender_runs = false;
	signals_restore(~0ULL);
}

void signals_end(void)
{
	pthread_mutex_lock(&signals.calls);
	signals_drop(NULL, ~0ULL, NULL);
	sender_end();
	pthread_mutex_unlock(&signals.calls);
}
