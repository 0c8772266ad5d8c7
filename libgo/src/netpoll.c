// SPDX-License-Identifier: MIT
/*
 * The poller, on epoll and an eventfd.
 *
 * The word polling in the runtime's shared words says that an M is in here, so
 * the kernel does not hand an otherwise idle P over for its timers' sake. Who
 * becomes the poller sets it first and then looks for the earliest timer; who
 * starts a timer puts it into the heap first and then looks at the word. Both
 * have a full barrier in between. The same holds for who waits for a file, and the
 * count of those.
 */
#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "netpoll.h"
#include "pollwait.h"
#include "sched.h"

#define EVENTS		128	/* taken at once */
#define LOOK_ROUNDS	8	/* how often, in one look */
#define BREAK		UINT64_MAX	/* in the place of a descriptor: the eventfd */

static struct {
	int epfd;
	int eventfd;
	int64_t until;		/* it sleeps until then; 0: not known yet */
	uint32_t break_sent;	/* the eventfd was written */
	bool no_pwait2;		/* the kernel is older than 5.11 */
} poller = { .epfd = -1, .eventfd = -1 };

int netpoll_init(void)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.u64 = BREAK };
	int err;

	poller.epfd = epoll_create1(EPOLL_CLOEXEC);
	if (poller.epfd < 0)
		return -errno;
	poller.eventfd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (poller.eventfd < 0 ||
	    epoll_ctl(poller.epfd, EPOLL_CTL_ADD, poller.eventfd, &ev)) {
		err = -errno;
		netpoll_destroy();
		return err;
	}
	poller.break_sent = 0;
	return 0;
}

void netpoll_destroy(void)
{
	if (poller.eventfd >= 0)
		close(poller.eventfd);
	if (poller.epfd >= 0)
		close(poller.epfd);
	poller.eventfd = -1;
	poller.epfd = -1;
}

bool netpoll_enter(void)
{
	uint32_t nobody = 0;

	/* Who becomes the poller forgets when the last one wanted to wake. */
	if (__atomic_load_n(&rt.shared->polling, __ATOMIC_SEQ_CST))
		return false;
	__atomic_store_n(&poller.until, 0, __ATOMIC_RELAXED);
	return __atomic_compare_exchange_n(&rt.shared->polling, &nobody, 1,
					   false, __ATOMIC_SEQ_CST,
					   __ATOMIC_SEQ_CST);
}

void netpoll_leave(void)
{
	__atomic_store_n(&rt.shared->polling, 0, __ATOMIC_SEQ_CST);
}

static int poller_wait(struct epoll_event *ev, int n, int64_t ns)
{
	struct timespec ts = {
		.tv_sec = ns / GO_SECOND, .tv_nsec = ns % GO_SECOND,
	};

	if (!poller.no_pwait2) {
		int ret = syscall(SYS_epoll_pwait2, poller.epfd, ev, n,
				  ns < 0 ? NULL : &ts, NULL, 0);

		if (ret >= 0 || errno != ENOSYS)
			return ret;
		poller.no_pwait2 = true;
	}
	/* Round up: a timer must not fire early. */
	if (ns >= 0)
		ns = (ns + GO_MILLISECOND - 1) / GO_MILLISECOND;
	return epoll_wait(poller.epfd, ev, n, ns > INT32_MAX ? INT32_MAX : ns);
}

/*
 * Of the poller: it must not sleep on when the break has been taken by another. Empty it
 * first. The other way round a break sent in between would be swallowed, and all later
 * ones held for sent. One that is left out in between is for a timer that is looked at
 * before the next sleep.
 */
static void break_take(void)
{
	uint64_t count;

	if (read(poller.eventfd, &count, sizeof(count)) > 0)
		__atomic_store_n(&poller.break_sent, 0, __ATOMIC_SEQ_CST);
}

/* Returns whether there may be more. @is_poller: breaks are for the caller. */
static bool events_take(int64_t ns, struct g_list *ready, bool is_poller)
{
	struct epoll_event events[EVENTS];
	int i, n;

	n = poller_wait(events, EVENTS, ns);
	__atomic_store_n(&rt.last_poll, go_now(), __ATOMIC_RELAXED);
	for (i = 0; i < n; i++) {
		if (events[i].data.u64 != BREAK)
			poll_event(&events[i], ready);
		else if (is_poller)
			break_take();
	}
	return n == EVENTS;
}

void netpoll_sleep(int64_t first, int64_t until, struct g_list *ready)
{
	int64_t ns = -1;

	__atomic_store_n(&poller.until, first, __ATOMIC_SEQ_CST);
	if (until != INT64_MAX) {
		ns = until - go_now();
		if (ns <= 0)
			return;
	}
	events_take(ns, ready, true);
}

void netpoll_look(struct g_list *ready)
{
	int rounds = LOOK_ROUNDS;

	while (events_take(0, ready, false) && rounds--)
		;
}

bool netpoll_is_needed(void)
{
	return __atomic_load_n(&rt.shared->net_waiters, __ATOMIC_SEQ_CST) &&
	       !__atomic_load_n(&rt.shared->polling, __ATOMIC_SEQ_CST);
}

/* ---- files -------------------------------------------------------------------------- */

static int poller_ctl(int op, int fd, uint32_t gen)
{
	struct epoll_event ev = {
		.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI | EPOLLET,
		.data.u64 = (uint64_t)gen << 32 | (uint32_t)fd,
	};
	int saved = errno, ret = 0;

	if (epoll_ctl(poller.epfd, op, fd, &ev)) {
		ret = -errno;
		errno = saved;
	}
	return ret;
}

int netpoll_add(int fd, uint32_t gen)
{
	int ret = poller_ctl(EPOLL_CTL_ADD, fd, gen);

	return ret == -EEXIST ? netpoll_mod(fd, gen) : ret;
}

int netpoll_mod(int fd, uint32_t gen)
{
	return poller_ctl(EPOLL_CTL_MOD, fd, gen);
}

void netpoll_del(int fd)
{
	poller_ctl(EPOLL_CTL_DEL, fd, 0);
}

/* ---- breaks -------------------------------------------------------------------------- */

void netpoll_break(void)
{
	uint64_t one = 1;

	if (__atomic_exchange_n(&poller.break_sent, 1, __ATOMIC_SEQ_CST))
		return;
	while (write(poller.eventfd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

bool netpoll_timer_added(int64_t when)
{
	int64_t until;

	if (!__atomic_load_n(&rt.shared->polling, __ATOMIC_SEQ_CST))
		return false;
	until = __atomic_load_n(&poller.until, __ATOMIC_SEQ_CST);
	if (!until || when < until)
		netpoll_break();
	return true;
}
