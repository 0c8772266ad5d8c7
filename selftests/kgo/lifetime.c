// SPDX-License-Identifier: GPL-2.0-only
/*
 * Whatever ends when: threads, processes, files and maps, by exit, exec, fork
 * and SIGKILL; and stops that end nothing (invariant 9).
 */
#define _GNU_SOURCE
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include "kselftest_harness.h"
#include "m_life.h"
#include "ways.h"

#define NR_P	4
#define NR_M	8

/*
 * Code that runs in a child process has no harness: it says what failed and
 * ends the child.
 */
#define child_check(cond)						\
	do {								\
		if (!(cond)) {						\
			fprintf(stderr, "# %s:%d: in the child: %s\n",	\
				__FILE__, __LINE__, #cond);		\
			_exit(1);					\
		}							\
	} while (0)

/* The exit status of a child, or minus the signal that ended it. */
static int end_of(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static int job_block(struct m_thread *self)
{
	block(self->arg);
	return 0;
}

/* Whether a call on a runtime of another memory is refused, whichever it is. */
static bool all_refused(int fd)
{
	static const unsigned long calls[] = {
		KGO_IOC_SETUP, KGO_IOC_ENTER, KGO_IOC_LEAVE, KGO_IOC_PARK,
		KGO_IOC_WAKE, KGO_IOC_WAIT, KGO_IOC_STATS, KGO_IOC_PASS,
	};
	struct kgo_stats args;
	unsigned int i;
	void *map;

	for (i = 0; i < ARRAY_SIZE(calls); i++) {
		memset(&args, 0, sizeof(args));
		args.size = sizeof(args);
		if (kgo_call(fd, calls[i], &args) != -EPERM)
			return false;
	}
	map = mmap(NULL, sysconf(_SC_PAGESIZE), PROT_READ, MAP_SHARED, fd, 0);
	return map == MAP_FAILED && errno == EPERM;
}

/* Whether the memory there can be read; by the kernel, so without a signal. */
static bool is_mapped(const void *memory)
{
	int fd[2];
	ssize_t n;

	if (pipe(fd))
		return false;
	n = write(fd[1], memory, 1);
	close(fd[0]);
	close(fd[1]);
	return n == 1;
}

/*
 * What an image of this program does that was executed by a test below: the
 * constructor runs before main.
 */
#define AFTER_EXEC	"KGO_SELFTEST_AFTER_EXEC"

static void __attribute__((constructor)) after_exec(void)
{
	const char *text = getenv(AFTER_EXEC);
	int fd;
	char byte;

	if (!text)
		return;
	/* say that it is here; then wait for the end of the input */
	fd = atoi(text);
	if (fd >= 0 && !all_refused(fd))
		_exit(2);
	if (write(STDOUT_FILENO, "", 1) != 1 ||
	    read(STDIN_FILENO, &byte, 1) != 0)
		_exit(3);
	_exit(0);
}

static void exec_self(int fd)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", fd);
	setenv(AFTER_EXEC, text, 1);
	execl("/proc/self/exe", "kgo-after-exec", NULL);
	_exit(4);
}

FIXTURE(lifetime) {
	struct runtime rt;
	struct m_thread a;
	struct m_thread b;
	struct m_thread c;
	struct block block;
	int refs;
};

FIXTURE_SETUP(lifetime)
{
	self->refs = module_refs();
	ASSERT_LE(0, self->refs);
	ASSERT_EQ(0, block_prepare(&self->block, &way_futex));
	ASSERT_EQ(0, runtime_open(&self->rt, NR_P, NR_M, 0));
}

FIXTURE_TEARDOWN(lifetime)
{
	runtime_close(&self->rt);
}

TEST_F(lifetime, module_is_held_while_the_device_is_open)
{
	EXPECT_LT(self->refs, module_refs());
	runtime_close(&self->rt);
	EXPECT_TRUE(eventually(module_refs() == self->refs));
}

TEST_F(lifetime, thread_that_ends_with_a_p_leaves_it_idle)
{
	struct kgo_stats stats;

	p_start(&self->rt, 0);
	ASSERT_EQ(0, m_start(&self->a, &self->rt));
	ASSERT_EQ(0, m_start(&self->b, &self->rt));
	ASSERT_TRUE(m_park(&self->b));
	ASSERT_EQ(0, m_take(&self->a, 0));
	m_exit(&self->a);
	ASSERT_TRUE(eventually(idle_bit(&self->rt, 0)));
	EXPECT_TRUE(p_is_idle(&self->rt, 0));
	EXPECT_FALSE(m_is_done(&self->b));
	ASSERT_TRUE(eventually(!kgo_stats(self->rt.fd, &stats) &&
			       stats.nr_m == 1));
	EXPECT_EQ(1U, stats.deaths);
	EXPECT_EQ(0U, stats.handoffs);

	/* it can be woken again */
	EXPECT_EQ(0, kgo_wake(self->rt.fd, 0, 0, &self->c.m));
	EXPECT_EQ(0, m_result(&self->b));
}

TEST_F(lifetime, thread_that_ends_with_a_p_hands_its_work_over)
{
	p_start(&self->rt, 0);
	ASSERT_EQ(0, m_start(&self->a, &self->rt));
	ASSERT_EQ(0, m_start(&self->b, &self->rt));
	ASSERT_TRUE(m_park(&self->b));
	ASSERT_EQ(0, m_take(&self->a, 0));
	store(&self->rt.p[0].runnext, 1);
	m_exit(&self->a);
	ASSERT_EQ(0, m_result(&self->b));
	EXPECT_EQ(KGO_PARK_HANDOFF, self->b.reason);
	EXPECT_TRUE(m_holds(&self->b, 0));
}

TEST_F(lifetime, thread_that_ends_in_a_critical_section_frees_its_p)
{
	p_start(&self->rt, 0);
	ASSERT_EQ(0, m_start(&self->a, &self->rt));
	ASSERT_EQ(0, m_start(&self->b, &self->rt));
	ASSERT_TRUE(m_park(&self->b));
	ASSERT_EQ(0, m_take(&self->a, 0));
	store(&m_words(&self->a)->critical, 3);
	store(&self->rt.p[0].runnext, 1);
	m_exit(&self->a);
	ASSERT_EQ(0, m_result(&self->b));
	EXPECT_TRUE(m_holds(&self->b, 0));
}

TEST_F(lifetime, slots_of_the_dead_are_used_again)
{
	struct runtime rt;
	unsigned int i;

	ASSERT_EQ(0, runtime_open(&rt, 1, 1, 0));
	p_start(&rt, 0);
	for (i = 0; i < 50; i++) {
		int ret;

		ASSERT_TRUE(eventually((ret = m_start(&self->a, &rt)) == 0 ||
				       (m_exit(&self->a), false)));
		ASSERT_EQ(0, ret);
		ASSERT_TRUE(eventually(p_is_idle(&rt, 0)));
		ASSERT_EQ(0, m_take(&self->a, 0));
		m_exit(&self->a);
	}
	runtime_close(&rt);
}

TEST_F(lifetime, thread_that_ends_after_its_p_was_handed_over_takes_nothing)
{
	__u64 word;

	p_start(&self->rt, 0);
	ASSERT_EQ(0, m_start(&self->a, &self->rt));
	ASSERT_EQ(0, m_start(&self->b, &self->rt));
	ASSERT_TRUE(m_park(&self->b));
	ASSERT_EQ(0, m_take(&self->a, 0));
	store(&self->rt.words->globq_len, 1);
	m_ask(&self->a, job_block, &self->block);
	ASSERT_EQ(0, m_result(&self->b));
	word = load(&self->rt.p[0].word);
	ASSERT_TRUE(unblock(&self->block));
	ASSERT_EQ(0, m_result(&self->a));
	m_exit(&self->a);
	EXPECT_EQ(word, load(&self->rt.p[0].word));
	EXPECT_TRUE(m_holds(&self->b, 0));
}

/* Threads that an M starts are none, and what they do is nobody's block. */
struct foreign {
	struct runtime *rt;
	int leave;
	int park;
	int blocks;
};

static void *foreign_main(void *arg)
{
	struct foreign *foreign = arg;
	__u32 p, reason;

	foreign->leave = kgo_leave(foreign->rt->fd);
	foreign->park = kgo_park(foreign->rt->fd, &p, &reason);
	while (load(&foreign->blocks) < 100) {
		nap_ns(20 * 1000);
		__atomic_fetch_add(&foreign->blocks, 1, __ATOMIC_SEQ_CST);
	}
	return NULL;
}

static int job_start_foreign(struct m_thread *self)
{
	struct foreign *foreign = self->arg;
	pthread_t thread;
	int ret;

	/* starting a thread may block; that is not what is tested */
	m_words(self)->critical++;
	ret = start_thread(&thread, foreign_main, foreign);
	m_words(self)->critical--;
	while (!ret && load(&foreign->blocks) < 100)
		sched_yield();
	m_words(self)->critical++;
	pthread_join(thread, NULL);
	m_words(self)->critical--;
	return ret;
}

TEST_F(lifetime, thread_that_an_m_started_is_no_m)
{
	struct foreign foreign = { .rt = &self->rt };
	struct kgo_stats stats;
	__u64 word;

	p_start(&self->rt, 0);
	ASSERT_EQ(0, m_start(&self->a, &self->rt));
	ASSERT_EQ(0, m_start(&self->b, &self->rt));
	ASSERT_TRUE(m_park(&self->b));
	ASSERT_EQ(0, m_take(&self->a, 0));
	word = load(&self->rt.p[0].word);
	store(&self->rt.words->globq_len, 1);
	ASSERT_EQ(0, m_do(&self->a, job_start_foreign, &foreign));
	EXPECT_EQ(-ESRCH, foreign.leave);
	EXPECT_EQ(-ESRCH, foreign.park);
	EXPECT_EQ(word, load(&self->rt.p[0].word));
	EXPECT_FALSE(m_is_done(&self->b));
	ASSERT_EQ(0, kgo_stats(self->rt.fd, &stats));
	EXPECT_EQ(2U, stats.nr_m);
	EXPECT_EQ(0U, stats.handoffs);
}

TEST_F(lifetime, child_of_fork_is_refused_and_has_no_map)
{
	pid_t pid = fork();

	ASSERT_LE(0, pid);
	if (!pid) {
		child_check(all_refused(self->rt.fd));
		child_check(!is_mapped(self->rt.words));
		child_check(!is_mapped(self->rt.p));
		_exit(0);
	}
	EXPECT_EQ(0, end_of(pid));
	EXPECT_TRUE(is_mapped(self->rt.words));
}

TEST_F(lifetime, map_that_is_made_to_survive_fork_has_no_pages)
{
	pid_t pid;

	ASSERT_EQ(0, madvise(self->rt.words, sysconf(_SC_PAGESIZE), MADV_DOFORK));
	ASSERT_TRUE(is_mapped(self->rt.words));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		child_check(!is_mapped(self->rt.words));
		_exit(0);
	}
	EXPECT_EQ(0, end_of(pid));
	EXPECT_TRUE(is_mapped(self->rt.words));
}

TEST_F(lifetime, child_of_fork_is_refused_before_setup_too)
{
	int fd = kgo_open();
	struct kgo_setup args;
	pid_t pid;

	ASSERT_LE(0, fd);
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		child_check(all_refused(fd));
		_exit(0);
	}
	EXPECT_EQ(0, end_of(pid));
	EXPECT_EQ(0, kgo_set_up(fd, 1, 1, 0, &args));
	close(fd);
}

/* Fork, let the child block for a while, and spin until it has ended. */
static int job_fork(struct m_thread *self)
{
	int status = -1, n;
	pid_t pid;

	m_words(self)->critical++;
	pid = fork();
	if (!pid) {
		for (n = 0; n < 50; n++)
			nap_ns(20 * 1000);
		_exit(kgo_leave(self->rt->fd) == -EPERM ? 0 : 1);
	}
	m_words(self)->critical--;
	while (pid > 0 && !waitpid(pid, &status, WNOHANG))
		sched_yield();
	return pid < 0 ? -errno : status;
}

TEST_F(lifetime, child_that_an_m_forks_is_no_m)
{
	__u64 word;

	p_start(&self->rt, 0);
	ASSERT_EQ(0, m_start(&self->a, &self->rt));
	ASSERT_EQ(0, m_start(&self->b, &self->rt));
	ASSERT_TRUE(m_park(&self->b));
	ASSERT_EQ(0, m_take(&self->a, 0));
	word = load(&self->rt.p[0].word);
	store(&self->rt.words->globq_len, 1);
	ASSERT_EQ(0, m_do(&self->a, job_fork, NULL));
	EXPECT_EQ(word, load(&self->rt.p[0].word));
	EXPECT_FALSE(m_is_done(&self->b));
}

/*
 * exec, by the thread that leads the process or by another, with the others
 * parked, blocked and waiting, and the caller with or without a P.
 */
FIXTURE(exec) {
	int refs;
	int in[2];
	int out[2];
};

FIXTURE_VARIANT(exec) {
	bool leader;	/* the thread that leads the process calls it */
	bool keep_fd;	/* the file stays open */
	bool with_p;	/* the caller holds a P */
};

FIXTURE_VARIANT_ADD(exec, of_the_leader) { .leader = true, .with_p = true };
FIXTURE_VARIANT_ADD(exec, of_the_leader_without_a_p) { .leader = true };
FIXTURE_VARIANT_ADD(exec, of_another_thread) { .with_p = true };
FIXTURE_VARIANT_ADD(exec, of_another_thread_without_a_p) { .with_p = false };
FIXTURE_VARIANT_ADD(exec, with_the_file) {
	.leader = true,
	.keep_fd = true,
	.with_p = true,
};

FIXTURE_VARIANT_ADD(exec, of_another_thread_with_the_file) {
	.keep_fd = true,
	.with_p = true,
};

FIXTURE_SETUP(exec)
{
	self->refs = module_refs();
	ASSERT_LE(0, self->refs);
	ASSERT_EQ(0, pipe2(self->in, O_CLOEXEC));
	ASSERT_EQ(0, pipe2(self->out, O_CLOEXEC));
}

FIXTURE_TEARDOWN(exec)
{
	close(self->in[0]);
	close(self->out[0]);
	close(self->out[1]);
}

static int job_exec(struct m_thread *self)
{
	exec_self((uintptr_t)self->arg);
	return -errno;
}

struct exec_case {
	bool leader;
	bool keep_fd;
	bool with_p;
};

static void exec_child(const struct exec_case *how)
{
	struct m_thread parked, blocked, waiting, caller;
	struct block block;
	struct runtime rt;
	int fd = -1;
	__u32 m;

	child_check(!block_prepare(&block, &way_futex));
	child_check(!runtime_open(&rt, NR_P, NR_M, 0));
	if (how->keep_fd) {
		fd = rt.fd;
		child_check(!fcntl(fd, F_SETFD, 0));
	}
	p_start(&rt, 0);
	p_start(&rt, 1);
	child_check(!m_start(&parked, &rt));
	child_check(!m_start(&blocked, &rt));
	child_check(!m_start(&waiting, &rt));
	child_check(!m_take(&blocked, 1));
	child_check(m_park(&parked));
	m_ask(&blocked, job_block, &block);
	m_wait(&waiting, KGO_EVENT_M_DIED);
	child_check(eventually(m_state(&waiting) == KGO_M_BLOCKED &&
			       m_state(&blocked) == KGO_M_BLOCKED));
	if (how->leader) {
		child_check(!kgo_enter(rt.fd, &m));
		if (how->with_p)
			child_check(!p_take(&rt, m, 0));
		exec_self(fd);
	}
	child_check(!m_start(&caller, &rt));
	if (how->with_p)
		child_check(!m_take(&caller, 0));
	m_ask(&caller, job_exec, (void *)(uintptr_t)fd);
	for (;;)
		pause();
}

TEST_F(exec, detaches_and_leaves_nothing)
{
	struct exec_case how = {
		.leader = variant->leader,
		.keep_fd = variant->keep_fd,
		.with_p = variant->with_p,
	};
	pid_t pid = fork();
	char byte;

	ASSERT_LE(0, pid);
	if (!pid) {
		dup2(self->in[0], STDIN_FILENO);
		dup2(self->out[1], STDOUT_FILENO);
		exec_child(&how);
	}
	close(self->out[1]);
	/* the new image is there, and lives on */
	ASSERT_EQ(1, read(self->out[0], &byte, 1));
	EXPECT_TRUE(eventually(module_refs() ==
			       self->refs + variant->keep_fd)) {
		TH_LOG("%d references, %d at first", module_refs(),
		       self->refs);
	}
	close(self->in[1]);
	EXPECT_EQ(0, end_of(pid));
	EXPECT_TRUE(eventually(module_refs() == self->refs));
}

/*
 * A process that shares the address space of an M, and so the map, when that calls execve():
 * the words tell nothing of the new program.
 */
#define NOT_WRITTEN	0x5a5a5a5aU

struct watcher {
	struct runtime rt;
	pid_t execs;
	__u32 m;
	int gone[2];	/* closed by execve() */
	int said[2];	/* standard output of the new image */
	int saw;	/* what this process says */
};

static int watch_execed(void *arg)
{
	struct watcher *w = arg;
	bool good;
	char byte;

	close(w->gone[1]);
	good = read(w->gone[0], &byte, 1) == 0 && read(w->said[0], &byte, 1) == 1;
	/* it waits for input by now, or does soon; so it has to run for a signal */
	nap_ns(50 * 1000 * 1000);
	store(&w->rt.m[w->m].state, NOT_WRITTEN);
	good &= !kill(w->execs, SIGSTOP);
	nap_ns(50 * 1000 * 1000);
	good &= !kill(w->execs, SIGCONT);
	nap_ns(50 * 1000 * 1000);
	good &= load(&w->rt.m[w->m].state) == NOT_WRITTEN;
	if (write(w->saw, good ? "y" : "n", 1) != 1)
		_exit(1);
	_exit(0);
}

static void exec_watched(struct watcher *w)
{
	static char stack[64 << 10] __attribute__((aligned(16)));

	w->execs = getpid();
	child_check(!pipe2(w->gone, O_CLOEXEC));
	child_check(!runtime_open(&w->rt, NR_P, NR_M, 0));
	child_check(!kgo_enter(w->rt.fd, &w->m));
	child_check(clone(watch_execed, stack + sizeof(stack),
			  CLONE_VM | CLONE_PARENT | SIGCHLD, w) > 0);
	/* else that is seen by the module */
	close(w->rt.fd);
	exec_self(-1);
}

TEST(what_an_m_executes_is_not_watched)
{
	int in[2], saw[2], refs = module_refs();
	struct watcher w;
	pid_t pid;
	char byte = 0;

	ASSERT_EQ(0, pipe2(in, O_CLOEXEC));
	ASSERT_EQ(0, pipe2(saw, O_CLOEXEC));
	ASSERT_EQ(0, pipe2(w.said, O_CLOEXEC));
	w.saw = saw[1];
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		dup2(in[0], STDIN_FILENO);
		dup2(w.said[1], STDOUT_FILENO);
		/* of the process that watches, too */
		close(in[1]);
		exec_watched(&w);
	}
	close(saw[1]);
	EXPECT_EQ(1, read(saw[0], &byte, 1));
	EXPECT_EQ('y', byte);
	close(in[1]);
	EXPECT_EQ(0, end_of(pid));
	EXPECT_LT(0, wait(NULL));
	EXPECT_TRUE(eventually(module_refs() == refs));
	close(in[0]);
	close(saw[0]);
	close(w.said[0]);
	close(w.said[1]);
}

/*
 * Files, maps and Ms may end in any order. Each letter ends one thing: the
 * descriptor, the map, the M that is parked, the one that is blocked, and the
 * one that runs with a P.
 */
struct parts {
	struct runtime rt;
	struct m_thread parked;
	struct m_thread blocked;
	struct m_thread running;
	struct block block;
};

static bool parts_start(struct parts *parts)
{
	struct runtime *rt = &parts->rt;

	if (block_prepare(&parts->block, &way_futex) ||
	    runtime_open(rt, NR_P, NR_M, 0))
		return false;
	p_start(rt, 0);
	p_start(rt, 1);
	if (m_start(&parts->parked, rt) || m_start(&parts->blocked, rt) ||
	    m_start(&parts->running, rt) || m_take(&parts->blocked, 0) ||
	    m_take(&parts->running, 1))
		return false;
	m_ask(&parts->blocked, job_block, &parts->block);
	return eventually(m_state(&parts->blocked) == KGO_M_BLOCKED) &&
	       m_park(&parts->parked);
}

static bool part_end(struct parts *parts, char what)
{
	switch (what) {
	case 'f':
		close(parts->rt.fd);
		return true;
	case 'm':
		runtime_unmap(&parts->rt);
		return true;
	case 'p':
		if (m_interrupt(&parts->parked) != -EINTR)
			return false;
		m_exit(&parts->parked);
		return true;
	case 'b':
		if (!unblock(&parts->block) || m_result(&parts->blocked))
			return false;
		m_exit(&parts->blocked);
		return true;
	default:
		m_exit(&parts->running);
		return true;
	}
}

TEST_F(lifetime, files_maps_and_ms_end_in_any_order)
{
	static const char * const orders[] = {
		"fmpbr", "mfpbr", "fpmbr", "pfbmr", "brpmf", "rbpfm", "fmrbp",
		"mfbrp", "bfmpr", "rfmpb", "fbrpm", "prbfm",
	};
	struct parts parts;
	unsigned int i;
	const char *what;

	runtime_close(&self->rt);
	for (i = 0; i < ARRAY_SIZE(orders); i++) {
		ASSERT_TRUE(parts_start(&parts));
		for (what = orders[i]; *what; what++)
			ASSERT_TRUE(part_end(&parts, *what));
		EXPECT_TRUE(eventually(module_refs() == self->refs)) {
			TH_LOG("order %s: %d references, %d at first",
			       orders[i], module_refs(), self->refs);
		}
	}
}

TEST_F(lifetime, module_stays_while_an_m_lives)
{
	ASSERT_EQ(0, m_start(&self->a, &self->rt));
	runtime_close(&self->rt);
	ASSERT_LT(self->refs, module_refs());
	EXPECT_EQ(-1, syscall(SYS_delete_module, "kgo", O_NONBLOCK));
	EXPECT_EQ(EWOULDBLOCK, errno);
	m_exit(&self->a);
	EXPECT_TRUE(eventually(module_refs() == self->refs));
}

/* A call in progress keeps the file open, so this one has no spare. */
TEST_F(lifetime, closed_runtime_lets_its_ms_block_and_die)
{
	unsigned int i;

	p_start(&self->rt, 0);
	ASSERT_EQ(0, m_start(&self->a, &self->rt));
	ASSERT_EQ(0, m_start(&self->b, &self->rt));
	ASSERT_EQ(0, m_take(&self->a, 0));
	store(&self->rt.words->globq_len, 1);
	runtime_close(&self->rt);
	for (i = 0; i < 10; i++) {
		ASSERT_EQ(0, block_prepare(&self->block, &way_futex));
		m_ask(&self->a, job_block, &self->block);
		ASSERT_TRUE(eventually(is_asleep(self->a.tid)));
		ASSERT_TRUE(unblock(&self->block));
		ASSERT_EQ(0, m_result(&self->a));
	}
	m_exit(&self->a);
	m_exit(&self->b);
	EXPECT_TRUE(eventually(module_refs() == self->refs));
}

/*
 * Stops are not blocks. A child has an M that holds P 0 and spins, with work
 * and a spare; the test stops the child, and the child looks whether the P's
 * word has changed.
 */
struct stopped {
	bool ready;
	bool over;
	pid_t owner;
};

static int job_watch(struct m_thread *self)
{
	struct stopped *stopped = self->arg;
	__u64 word = load(&self->rt->p[0].word);

	stopped->owner = self->tid;
	store(&stopped->ready, true);
	while (!load(&stopped->over))
		if (load(&self->rt->p[0].word) != word)
			return 1;
	return load(&self->rt->p[0].word) != word || m_hold(self) != 1;
}

static void stopped_child(struct stopped *stopped)
{
	struct m_thread owner, spare;
	struct kgo_stats stats;
	struct runtime rt;
	__u32 m;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/*
	 * fork() leaves shared pages out. Two threads that touch one first at once
	 * may sleep for each other in the fault, and that is a block.
	 */
	store(&stopped->owner, 0);
	child_check(!runtime_open(&rt, NR_P, NR_M, 0));
	p_start(&rt, 0);
	child_check(!m_start(&owner, &rt));
	child_check(!m_start(&spare, &rt));
	child_check(!m_take(&owner, 0));
	child_check(m_park(&spare));
	store(&rt.words->globq_len, 1);
	m_ask(&owner, job_watch, stopped);
	while (!load(&stopped->over))
		nap_ns(100 * 1000);
	child_check(!m_result(&owner));
	child_check(!m_is_done(&spare));
	child_check(!kgo_stats(rt.fd, &stats));
	child_check(!stats.handoffs && !stats.idles);

	/* the spare is one still, and can be woken */
	child_check(eventually(m_is_parked(&spare)));
	p_start(&rt, 1);
	child_check(!kgo_wake(rt.fd, 1, 0, &m));
	child_check(!m_result(&spare));
	_exit(0);
}

FIXTURE(stop) {
	struct stopped *stopped;
	pid_t pid;
};

FIXTURE_SETUP(stop)
{
	self->stopped = mmap(NULL, sizeof(*self->stopped),
			     PROT_READ | PROT_WRITE,
			     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->stopped);
	self->pid = fork();
	ASSERT_LE(0, self->pid);
	if (!self->pid)
		stopped_child(self->stopped);
	ASSERT_TRUE(eventually(load(&self->stopped->ready)));
}

FIXTURE_TEARDOWN(stop)
{
	kill(self->pid, SIGKILL);
}

/* The last thread to stop tells before it has, so some of these meet halfway. */
TEST_F(stop, of_the_process_keeps_the_p)
{
	int stops = figure("KGO_STOPS", 50), status, i;

	for (i = 0; i < stops; i++) {
		ASSERT_EQ(0, kill(self->pid, SIGSTOP));
		ASSERT_EQ(self->pid, waitpid(self->pid, &status, WUNTRACED));
		ASSERT_TRUE(WIFSTOPPED(status));
		ASSERT_EQ(0, kill(self->pid, SIGCONT));
		ASSERT_EQ(self->pid, waitpid(self->pid, &status, WCONTINUED));
		ASSERT_TRUE(WIFCONTINUED(status));
	}
	store(&self->stopped->over, true);
	EXPECT_EQ(0, end_of(self->pid));
}

TEST_F(stop, by_ptrace_keeps_the_p)
{
	pid_t owner = self->stopped->owner;
	int status, i;

	for (i = 0; i < 100; i++) {
		ASSERT_EQ(0, ptrace(PTRACE_SEIZE, owner, NULL, NULL));
		ASSERT_EQ(0, ptrace(PTRACE_INTERRUPT, owner, NULL, NULL));
		ASSERT_EQ(owner, waitpid(owner, &status, __WALL));
		ASSERT_TRUE(WIFSTOPPED(status));
		ASSERT_EQ(0, ptrace(PTRACE_DETACH, owner, NULL, NULL));
	}
	store(&self->stopped->over, true);
	EXPECT_EQ(0, end_of(self->pid));
}

/* Write to a file of a control group; 0 or a negative errno. */
static int group_write(const char *name, const char *text)
{
	char path[128];
	int fd, ret = 0;

	snprintf(path, sizeof(path), "/sys/fs/cgroup/kgo-selftest/%s", name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		ret = -errno;
	close(fd);
	return ret;
}

static bool group_is_frozen(int frozen)
{
	FILE *file = fopen("/sys/fs/cgroup/kgo-selftest/cgroup.events", "r");
	char line[64];
	int is = -1;

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "frozen %d", &is) == 1)
			break;
	if (file)
		fclose(file);
	return is == frozen;
}

TEST_F(stop, by_the_freezer_keeps_the_p)
{
	char pid[16];
	int i;

	if ((mkdir("/sys/fs/cgroup/kgo-selftest", 0700) && errno != EEXIST) ||
	    group_write("cgroup.freeze", "0"))
		SKIP(return, "no control groups at /sys/fs/cgroup");
	snprintf(pid, sizeof(pid), "%d", self->pid);
	ASSERT_EQ(0, group_write("cgroup.procs", pid));
	for (i = 0; i < 100; i++) {
		ASSERT_EQ(0, group_write("cgroup.freeze", "1"));
		ASSERT_TRUE(eventually(group_is_frozen(1)));
		ASSERT_EQ(0, group_write("cgroup.freeze", "0"));
		ASSERT_TRUE(eventually(group_is_frozen(0)));
	}
	store(&self->stopped->over, true);
	EXPECT_EQ(0, end_of(self->pid));
	EXPECT_TRUE(eventually(!rmdir("/sys/fs/cgroup/kgo-selftest")));
}

/*
 * kill -9 at any moment: a child with Ms in blocks, parks and waits, with the
 * largest runtime, so that what it leaves behind would be noticed.
 */
static void killed_child(__u32 seed)
{
	struct m_life life = { .checked = true, .mortal = true };
	struct m_thread waiting;
	struct runtime rt;
	__u32 p;

	child_check(!runtime_open(&rt, KGO_MAX_P, NR_M, 2));
	for (p = 0; p < 3; p++)
		p_start(&rt, p);
	life.rt = &rt;
	child_check(!m_life_start(&life, 4, seed));
	child_check(!m_start(&waiting, &rt));
	m_wait(&waiting, KGO_EVENT_SPARES | KGO_EVENT_M_DIED);
	m_life_tend(&life, 3600);
}

/* Memory that is free or can be made so, in bytes. */
static long long memory_available(void)
{
	FILE *file = fopen("/proc/meminfo", "r");
	long long kib = -1;
	char line[128];

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "MemAvailable: %lld", &kib) == 1)
			break;
	if (file)
		fclose(file);
	return kib * 1024;
}

TEST_F_TIMEOUT(lifetime, kill_9_at_any_moment_leaves_nothing, 300)
{
	long runs = figure("KGO_KILL_RUNS", 1000), i;
	__u32 seed = figure("KGO_SEED", 1);
	long long before = 0, lost;

	runtime_close(&self->rt);
	for (i = 0; i < runs; i++) {
		long ns = random_next(&seed) % 5000000;
		pid_t pid = fork();

		ASSERT_LE(0, pid);
		if (!pid)
			killed_child(seed);
		nap_ns(ns);
		kill(pid, SIGKILL);
		/* comes when the last of its threads is gone */
		ASSERT_EQ(-SIGKILL, end_of(pid));
		if (i == runs / 5)
			before = memory_available();
	}
	EXPECT_TRUE(eventually(module_refs() == self->refs)) {
		TH_LOG("%d references, %d at first", module_refs(),
		       self->refs);
	}
	/* a runtime is more than 32 pages: a quarter of that would be seen */
	lost = before - memory_available();
	EXPECT_GT((runs - runs / 5) * 32768LL + (16LL << 20), lost) {
		TH_LOG("%lld bytes less than after the first fifth", lost);
	}
}

TEST_HARNESS_MAIN
