// SPDX-License-Identifier: MIT
/*
 * Poll descriptors, and the files that they stand for.
 *
 * A file descriptor is a small number, so they are in arrays that are found by it,
 * made when the first number there is used, and there for ever: whoever has found one
 * may use it. A generation tells whether it still stands for the same file.
 *
 * go_close() leaves a number open as long as a call is under way that uses it. So such
 * a call does not come upon another file.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "errnum.h"
#include "netpoll.h"
#include "polldesc.h"
#include "pollwait.h"

/* ---- the state's word --------------------------------------------------------------- */

#define STATE_CALLS	(POLL_CLOSING - 1)

static uint32_t state_gen(uint64_t state)
{
	return state >> POLL_GEN_SHIFT;
}

static bool state_change(struct poll_desc *pd, uint64_t *state, uint64_t to)
{
	return __atomic_compare_exchange_n(&pd->state, state, to, false,
					   __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}

/* ---- the table ------------------------------------------------------------------- */

#define CHUNK_SHIFT	10
#define CHUNK_SIZE	(1U << CHUNK_SHIFT)	/* descriptors */
#define CHUNKS		(1U << (30 - CHUNK_SHIFT))	/* the kernel's limit is 2^30 */

static struct poll_desc *chunks[CHUNKS];
static uint32_t chunks_used;	/* those behind are all NULL */

static struct poll_desc *chunk_make(uint32_t i)
{
	const size_t size = CHUNK_SIZE * sizeof(struct poll_desc);
	struct poll_desc *chunk, *there = NULL;
	uint32_t used;

	chunk = mmap(NULL, size, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (chunk == MAP_FAILED)
		return NULL;
	if (!__atomic_compare_exchange_n(&chunks[i], &there, chunk, false,
					 __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
		munmap(chunk, size);
		return there;
	}
	used = __atomic_load_n(&chunks_used, __ATOMIC_RELAXED);
	while (used < i + 1 &&
	       !__atomic_compare_exchange_n(&chunks_used, &used, i + 1, true,
					    __ATOMIC_RELEASE, __ATOMIC_RELAXED))
		;
	return chunk;
}

struct poll_desc *poll_desc_of(int fd)
{
	uint32_t i = (uint32_t)fd >> CHUNK_SHIFT;
	struct poll_desc *chunk;

	if (i >= CHUNKS)
		return NULL;
	chunk = __atomic_load_n(&chunks[i], __ATOMIC_ACQUIRE);
	if (unlikely(!chunk))
		chunk = chunk_make(i);
	return chunk ? &chunk[fd % CHUNK_SIZE] : NULL;
}

/* ---- what a file is ---------------------------------------------------------------- */

/* Does it give all it has, unless asked for less? Not with records, as of TLS. */
static bool is_plain_tcp(int fd)
{
	int protocol;
	socklen_t len = sizeof(protocol);
	char ulp[16];

	if (getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &len) ||
	    protocol != IPPROTO_TCP)
		return false;
	len = sizeof(ulp);
	return !getsockopt(fd, IPPROTO_TCP, TCP_ULP, ulp, &len) && !len;
}

static int kind_find(int fd, enum poll_kind *kind, bool *nonblocking)
{
	struct stat st;
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fstat(fd, &st))
		return -EBADF;
	*nonblocking = flags & O_NONBLOCK;
	if (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode) || S_ISBLK(st.st_mode))
		*kind = POLL_PLAIN;
	else if (!S_ISSOCK(st.st_mode))
		*kind = POLL_OTHER;
	else
		*kind = is_plain_tcp(fd) ? POLL_STREAM : POLL_SOCKET;
	return 0;
}

static int kind_learn(struct poll_op *op)
{
	enum poll_kind kind = POLL_NEW;
	struct poll_desc *pd = op->pd;
	int saved = errno_read(), ret;
	bool nonblocking;
	struct m *m;

	ret = kind_find(op->fd, &kind, &nonblocking);
	errno_write(saved);
	if (ret)
		return ret;
	m = wait_enter();
	if (wait_refused(m))
		return 0;	/* and is asked for each time */
	lock_acquire(&pd->lock);
	if (!poll_op_look(op) && pd->kind == POLL_NEW) {
		__atomic_store_n(&pd->nonblocking, nonblocking,
				 __ATOMIC_RELAXED);
		__atomic_store_n(&pd->kind, kind, __ATOMIC_RELEASE);
	}
	lock_release(&pd->lock);
	wait_exit(m);
	return 0;
}

/* ---- calls ------------------------------------------------------------------------- */

int poll_begin(struct poll_op *op, int fd)
{
	struct poll_desc *pd;
	uint64_t state;
	int ret;

	if (fd < 0)
		return -EBADF;
	pd = poll_desc_of(fd);
	if (!pd)
		return -ENOMEM;
	state = poll_state(pd);
	do {
		if (state & POLL_CLOSING)
			return -EBADF;
	} while (!state_change(pd, &state, state + 1));

	*op = (struct poll_op){ .pd = pd, .fd = fd, .gen = state_gen(state) };
	if (likely(__atomic_load_n(&pd->kind, __ATOMIC_ACQUIRE) != POLL_NEW))
		return 0;
	ret = kind_learn(op);
	if (ret)
		poll_end(op);
	return ret;
}

enum poll_kind poll_kind(const struct poll_op *op)
{
	return __atomic_load_n(&op->pd->kind, __ATOMIC_RELAXED);
}

bool poll_is_nonblocking(const struct poll_op *op)
{
	return __atomic_load_n(&op->pd->nonblocking, __ATOMIC_RELAXED);
}

/* ---- the end of a file ------------------------------------------------------------- */

/* With the lock held: of the file, but not of who waits for it. */
static void desc_forget_file(struct poll_desc *pd)
{
	__atomic_store_n(&pd->kind, POLL_NEW, __ATOMIC_RELAXED);
	__atomic_store_n(&pd->nonblocking, false, __ATOMIC_RELAXED);
	__atomic_store_n(&pd->registered, false, __ATOMIC_RELAXED);
	__atomic_store_n(&pd->always, false, __ATOMIC_RELAXED);
}

/* With the lock held: those who wait look for themselves, and give the file to epoll. */
static void desc_wake_to_look(struct poll_desc *pd, struct g_list *wake)
{
	int dir;

	for (dir = 0; dir < POLL_DIRS; dir++) {
		struct poll_side *side = &pd->side[dir];

		__atomic_store_n(&side->seq, side->seq + 1, __ATOMIC_RELEASE);
		poll_side_wake_all(side, 0, wake);
	}
}

/* With the lock held: what is known of the file is forgotten. */
static void desc_forget(struct poll_desc *pd, struct g_list *wake, int result)
{
	int dir;

	for (dir = 0; dir < POLL_DIRS; dir++) {
		struct poll_side *side = &pd->side[dir];

		poll_side_wake_all(side, result, wake);
		if (side->pd)
			timer_stop(&side->timer);
		__atomic_store_n(&side->deadline, 0, __ATOMIC_RELAXED);
	}
	desc_forget_file(pd);
	pd->own = false;
}

/* In a child of fork(): the lists are the parent's, and so may the lock be. */
static void desc_forget_forked(struct poll_desc *pd)
{
	pd->kind = POLL_NEW;
	pd->registered = false;
	pd->always = false;
}

/* The next generation, without calls; returns what was. Those that change it have the lock. */
static uint64_t state_renew(struct poll_desc *pd)
{
	uint64_t next = (uint64_t)(poll_gen(pd) + 1) << POLL_GEN_SHIFT;

	return __atomic_exchange_n(&pd->state, next, __ATOMIC_ACQ_REL);
}

void poll_adopt(int fd, enum poll_kind kind)
{
	struct poll_desc *pd = poll_desc_of(fd);
	struct g_list wake;
	struct m *m;

	if (!pd)
		return;
	g_list_init(&wake);
	m = wait_enter();
	if (wait_refused(m))
		return;
	lock_acquire(&pd->lock);
	if (pd->kind != POLL_NEW || poll_state(pd) & (POLL_CLOSING | STATE_CALLS)) {
		desc_forget(pd, &wake, -EBADF);
		state_renew(pd);
	}
	__atomic_store_n(&pd->nonblocking, true, __ATOMIC_RELAXED);
	__atomic_store_n(&pd->kind, kind, __ATOMIC_RELEASE);
	lock_release(&pd->lock);
	g_ready_list(m, &wake);
	wait_exit(m);
}

void poll_own(int fd, bool own)
{
	struct poll_desc *pd = poll_desc_of(fd);
	struct m *m = wait_enter();

	if (wait_refused(m))
		return;
	if (pd && m) {
		lock_acquire(&pd->lock);
		pd->own = own;
		lock_release(&pd->lock);
	}
	wait_exit(m);
}

static int fd_close(int fd)
{
	return close(fd) ? -errno_read() : 0;
}

/*
 * The last call is over. Who makes the new generation closes the number, which may be
 * used again from then on; poll_reset() may have been the one.
 */
static int desc_close(struct poll_desc *pd, int fd, uint32_t gen)
{
	struct g_list none;
	bool mine;
	struct m *m;

	g_list_init(&none);
	m = wait_enter();
	if (!wait_refused(m)) {
		lock_acquire(&pd->lock);
		mine = poll_gen(pd) == gen;
		if (mine) {
			if (pd->registered)
				netpoll_del(fd);	/* else it stays, if there is a copy */
			desc_forget(pd, &none, -EBADF);
			state_renew(pd);
		}
		lock_release(&pd->lock);
		wait_exit(m);
	} else {
		mine = true;
		desc_forget_forked(pd);
		state_renew(pd);
	}
	return mine ? fd_close(fd) : 0;
}

/* Returns what close(2) did, if this is the last call on a file that is being closed. */
static int call_end(struct poll_desc *pd, int fd, uint32_t gen)
{
	uint64_t state = poll_state(pd), left;

	do {
		/* Others may have taken the number over. */
		if (state_gen(state) != gen)
			return 0;
		left = state - 1;
	} while (!state_change(pd, &state, left));
	if (likely(!(left & POLL_CLOSING)) || left & STATE_CALLS)
		return 0;
	return desc_close(pd, fd, gen);
}

void poll_end(struct poll_op *op)
{
	int saved = errno_read();

	call_end(op->pd, op->fd, op->gen);
	errno_write(saved);
}

int poll_close(int fd)
{
	struct poll_desc *pd = fd < 0 ? NULL : poll_desc_of(fd);
	struct g_list wake;
	uint64_t state;
	struct m *m;
	int dir;

	if (!pd)
		return fd_close(fd);
	state = poll_state(pd);
	do {
		if (state & POLL_CLOSING)
			return -EBADF;
	} while (!state_change(pd, &state, (state | POLL_CLOSING) + 1));

	g_list_init(&wake);
	m = wait_enter();
	if (!wait_refused(m)) {
		lock_acquire(&pd->lock);
		for (dir = 0; dir < POLL_DIRS; dir++)
			poll_side_wake_all(&pd->side[dir], -EBADF, &wake);
		lock_release(&pd->lock);
		g_ready_list(m, &wake);
		wait_exit(m);
	} else {
		/* The calls under way are the parent's. */
		return desc_close(pd, fd, state_gen(state));
	}
	return call_end(pd, fd, state_gen(state));
}

void poll_relearn(struct poll_op *op, enum poll_kind seen)
{
	struct poll_desc *pd = op->pd;
	struct g_list wake;
	struct m *m;

	g_list_init(&wake);
	m = wait_enter();
	if (wait_refused(m))
		return;
	lock_acquire(&pd->lock);
	if (!poll_op_look(op) && pd->kind == seen) {
		desc_wake_to_look(pd, &wake);
		desc_forget_file(pd);
	}
	lock_release(&pd->lock);
	g_ready_list(m, &wake);
	wait_exit(m);
	kind_learn(op);
}

int poll_make_nonblocking(int fd)
{
	struct poll_op op;
	int saved = errno_read();
	int flags, ret;

	ret = poll_begin(&op, fd);
	if (ret)
		return ret;
	flags = fcntl(fd, F_GETFL);
	if (flags < 0 || (!(flags & O_NONBLOCK) &&
			  fcntl(fd, F_SETFL, flags | O_NONBLOCK)))
		ret = -errno_read();
	else
		__atomic_store_n(&op.pd->nonblocking, true, __ATOMIC_RELAXED);
	errno_write(saved);
	poll_end(&op);
	return ret;
}

/* ---- all of them --------------------------------------------------------------------- */

typedef bool (*desc_fn)(struct poll_desc *pd, int fd);

/* Returns whether any of the calls did. */
static bool desc_for_each(desc_fn fn)
{
	uint32_t used = __atomic_load_n(&chunks_used, __ATOMIC_ACQUIRE);
	bool any = false;
	uint32_t i, k;

	for (i = 0; i < used; i++) {
		struct poll_desc *chunk = __atomic_load_n(&chunks[i],
							  __ATOMIC_ACQUIRE);

		for (k = 0; chunk && k < CHUNK_SIZE; k++)
			any |= fn(&chunk[k], i * CHUNK_SIZE + k);
	}
	return any;
}

/*
 * With the lock held: what the number stands for now. If that is another file those
 * who wait look for themselves, and give it to epoll.
 */
static void desc_check(struct poll_desc *pd, int fd, struct g_list *wake)
{
	int ret = netpoll_mod(fd, poll_gen(pd));

	if (!ret)
		return;
	if (ret != -EBADF)
		desc_wake_to_look(pd, wake);
	desc_forget(pd, wake, ret);
}

/* Returns whether a wait is to be looked at the next time. */
static bool desc_check_waits(struct poll_desc *pd, int fd, bool all)
{
	bool check = false, next = false;
	struct g_list wake;
	int dir;

	if (!waitq_peek(&pd->side[POLL_READ].waiters) &&
	    !waitq_peek(&pd->side[POLL_WRITE].waiters))
		return false;
	g_list_init(&wake);
	lock_acquire(&pd->lock);
	for (dir = 0; dir < POLL_DIRS; dir++) {
		struct poll_side *side = &pd->side[dir];

		if (!side->waiters.first || (side->checked && !all))
			continue;
		if (side->waits == side->seen || all)
			check = true;
		else
			next = true;
		side->checked = check;
		side->seen = side->waits;
	}
	if (check && pd->registered)
		desc_check(pd, fd, &wake);
	lock_release(&pd->lock);
	g_ready_list(NULL, &wake);
	return next;
}

static bool desc_check_new(struct poll_desc *pd, int fd)
{
	return desc_check_waits(pd, fd, false);
}

static bool desc_check_all(struct poll_desc *pd, int fd)
{
	return desc_check_waits(pd, fd, true);
}

void poll_check_waits(bool all)
{
	__atomic_store_n(&poll_waits_begun, false, __ATOMIC_SEQ_CST);
	if (desc_for_each(all ? desc_check_all : desc_check_new))
		__atomic_store_n(&poll_waits_begun, true, __ATOMIC_SEQ_CST);
}

/* Goroutines end with the runtime, wherever they waited. */
static void threads_ready(struct g_list *all)
{
	struct g_list threads;
	struct g *g;

	g_list_init(&threads);
	while ((g = g_list_pop(all)))
		if (g->status == G_THREAD)
			g_list_add(&threads, g);
	g_ready_list(NULL, &threads);
}

static bool desc_release_threads(struct poll_desc *pd, int fd)
{
	struct g_list all;
	int dir;

	(void)fd;
	g_list_init(&all);
	lock_acquire(&pd->lock);
	for (dir = 0; dir < POLL_DIRS; dir++)
		poll_side_wake_all(&pd->side[dir], -ESRCH, &all);
	lock_release(&pd->lock);
	threads_ready(&all);
	return true;
}

void poll_release_threads(void)
{
	desc_for_each(desc_release_threads);
}

static bool desc_reset(struct poll_desc *pd, int fd)
{
	struct g_list all;
	uint64_t state;
	bool own;

	if (__atomic_load_n(&pd->kind, __ATOMIC_RELAXED) == POLL_NEW &&
	    !(poll_state(pd) & (POLL_CLOSING | STATE_CALLS)))
		return false;
	g_list_init(&all);
	lock_acquire(&pd->lock);
	own = pd->own;
	desc_forget(pd, &all, -ESRCH);
	/* Plain threads begin calls, and close, without the lock. */
	state = state_renew(pd);
	pd->reset = poll_gen(pd);
	lock_release(&pd->lock);
	threads_ready(&all);
	if (own || state & POLL_CLOSING)
		close(fd);
	return true;
}

void poll_reset(void)
{
	desc_for_each(desc_reset);
}

static bool desc_forked(struct poll_desc *pd, int fd)
{
	(void)fd;
	if (pd->lock.word)
		pd->lock = (struct lock){};
	if (poll_state(pd) & (POLL_CLOSING | STATE_CALLS)) {
		desc_forget_forked(pd);
		state_renew(pd);
	}
	return false;
}

void poll_forked(void)
{
	desc_for_each(desc_forked);
}
