// SPDX-License-Identifier: MIT
/*
 * Preemption: a goroutine that runs too long is stopped wherever it is, and goes
 * on as if nothing had been.
 */
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "test.h"

#include "preempt.h"
#include "runtime.h"
#include "sched.h"

static struct go_waitgroup wg;
static int stop, ticks;

/* ---- endless loops ---------------------------------------------------------------- */

static void spin_until_stopped(void *arg)
{
	(void)arg;
	while (!load(stop))
		;
	go_waitgroup_done(&wg);
}

static void tick(void *arg)
{
	(void)arg;
	while (!load(stop)) {
		add(ticks, 1);
		go_yield();
	}
	go_waitgroup_done(&wg);
}

static void spawn_beside_tick(go_fn fn, int n)
{
	int i;

	go_waitgroup_add(&wg, n + 1);
	for (i = 0; i < n; i++)
		go_spawn(fn, NULL);
	go_spawn(tick, NULL);
}

static void stop_after_a_tick(void)
{
	wait_until(load(ticks) > 0);
	store(stop, 1);
	go_waitgroup_wait(&wg);
}

/* Spinners on all Ps do not keep the others from running. */
GO_TEST(endless_loops_do_not_stop_the_others)
{
	spawn_beside_tick(spin_until_stopped, go_gomaxprocs(0) + 1);
	stop_after_a_tick();
}

static void spin_when_suspected(void *arg)
{
	/*
	 * As the monitor does that thought it blocked, and then found it in a critical
	 * section. The mark stays until the next section.
	 */
	__atomic_fetch_or(&m_self()->words->hold, KGO_HOLD_SUSPECT,
			  __ATOMIC_SEQ_CST);
	spin_until_stopped(arg);
}

/* Nor do those that once seemed to be blocked. */
GO_TEST(endless_loops_of_the_suspected_do_not_stop_the_others)
{
	spawn_beside_tick(spin_when_suspected, go_gomaxprocs(0));
	stop_after_a_tick();
}

static void block_and_spin(void *arg)
{
	usleep(2000);
	spin_until_stopped(arg);
}

/* Nor those that were blocked and have another processor since, or none. */
GO_TEST(endless_loops_after_a_block_do_not_stop_the_others)
{
	spawn_beside_tick(block_and_spin, 2 * go_gomaxprocs(0));
	go_sleep(5 * GO_MILLISECOND);
	store(ticks, 0);
	stop_after_a_tick();
}

/* What a loop of libgo calls that never wait does to the others: nothing. */
static void try_until_stopped(void *arg)
{
	struct go_chan *ch = arg;

	while (!load(stop))
		go_chan_try_recv(ch, NULL);
	go_waitgroup_done(&wg);
}

GO_TEST(calls_that_never_wait_are_a_place_to_stop)
{
	struct go_chan *ch = go_chan_make(0, 1);
	int i;

	go_waitgroup_add(&wg, 4);
	for (i = 0; i < 4; i++)
		go_spawn(try_until_stopped, ch);
	go_sleep(30 * GO_MILLISECOND);
	store(stop, 1);
	go_waitgroup_wait(&wg);
	go_chan_release(ch);
}

/* As the monitor does. Who stops goes on with another processor, or after another pick. */
static bool stops(uint32_t ticks_ago)
{
	struct m *m = critical_enter(m_self());
	struct p *p = m_p(m);
	uint32_t tick = p->words->tick;

	preempt_m(m->index, tick - ticks_ago);
	critical_exit(m);
	return m_p(m_self()) != p || p->words->tick != tick;
}

GO_TEST(who_runs_after_the_one_that_was_to_stop_does_not)
{
	ck_assert(stops(0));
	ck_assert(!stops(1));
	ck_assert(stops(0));
}

/* ---- in the middle of things ------------------------------------------------------- */

/*
 * Registers of all kinds, the flags, errno and the stack are as they were. The
 * result of a long computation tells.
 */
static double compute(unsigned int n)
{
	double a = 1, b = n;
	unsigned long h = n;
	unsigned int i;

	errno = n;
	for (i = 0; i < 12000000; i++) {
		a = a * 1.0000001 + b / (i + 1);
		h = h * 6364136223846793005UL + i;
	}
	ck_assert_int_eq(errno, (int)n);
	return a + (h >> 40);
}

static double wanted[4];

static void compute_and_compare(void *arg)
{
	int n = (intptr_t)arg;

	ck_assert(compute(n) == wanted[n]);
	go_waitgroup_done(&wg);
}

GO_TEST(registers_survive)
{
	int i;

	for (i = 0; i < 4; i++)
		wanted[i] = compute(i);
	go_waitgroup_add(&wg, 4);
	for (i = 0; i < 4; i++)
		go_spawn(compute_and_compare, (void *)(intptr_t)i);
	go_waitgroup_wait(&wg);
}

static void use_malloc(void *arg)
{
	void *blocks[64] = {};
	unsigned int i = 0;

	(void)arg;
	while (!load(stop)) {
		char text[64];

		free(blocks[i % 64]);
		blocks[i % 64] = malloc(i % 5000 + 1);
		snprintf(text, sizeof(text), "%u %f", i, (double)i);
		ck_assert_uint_eq(strtoul(text, NULL, 10), i);
		i++;
	}
	for (i = 0; i < 64; i++)
		free(blocks[i]);
	go_waitgroup_done(&wg);
}

GO_TEST(the_c_library_can_be_stopped_anywhere)
{
	int i;

	go_waitgroup_add(&wg, 6);
	for (i = 0; i < 6; i++)
		go_spawn(use_malloc, NULL);
	go_sleep(300 * GO_MILLISECOND);
	store(stop, 1);
	go_waitgroup_wait(&wg);
}

/* One that is stopped stays on its thread. */
static void stay(void *arg)
{
	pthread_t self = pthread_self();

	(void)arg;
	while (!load(stop))
		ck_assert(pthread_equal(self, pthread_self()));
	go_waitgroup_done(&wg);
}

GO_TEST(a_stopped_goroutine_keeps_its_thread)
{
	int i;

	go_waitgroup_add(&wg, 5);
	for (i = 0; i < 5; i++)
		go_spawn(stay, NULL);
	go_sleep(100 * GO_MILLISECOND);
	store(stop, 1);
	go_waitgroup_wait(&wg);
}

static void spin_small(void *arg)
{
	char local[64];

	(void)arg;
	memset(local, 1, sizeof(local));
	while (!load(stop))
		__asm__ __volatile__("" : : "r" (local) : "memory");
	go_waitgroup_done(&wg);
}

GO_TEST(a_small_stack_is_enough_to_be_stopped)
{
	struct go_opts opts = { .stack_size = SANITIZED(16384, 2048) };
	int i;

	go_waitgroup_add(&wg, 4);
	for (i = 0; i < 4; i++)
		ck_assert_int_eq(go_spawn_opts(spin_small, NULL, &opts), 0);
	go_sleep(50 * GO_MILLISECOND);
	store(stop, 1);
	go_waitgroup_wait(&wg);
}

/* The main goroutine ends while others are stopped, or spin. */
static void leave_spinners(void *arg)
{
	int i;

	(void)arg;
	/* Not before: those of the runtime before may not have seen it. */
	store(stop, 0);
	for (i = 0; i < 4; i++)
		go_spawn(spin_until_stopped, NULL);
	go_sleep(30 * GO_MILLISECOND);
	store(stop, 1);
}

START_TEST(main_ends_while_others_are_stopped)
{
	int i;

	for (i = 0; i < 5; i++)
		run_after_another(leave_spinners, NULL);
}
END_TEST

/* ---- who is due does not wait for a slice ------------------------------------------------ */

#define DUE_ROUNDS	40
#define DUE_SLEEPERS	3
#define DUE_PERIOD	(5 * GO_MILLISECOND)

static int64_t late[DUE_SLEEPERS * DUE_ROUNDS];
static int64_t begun;

/* Every processor has more to do than it can, and there may be more of them than CPUs. */
static void check_late(int n)
{
	ck_assert_int_lt(median_of(late, n), PREEMPT_SLICE);
}

static void compute_on_all(void)
{
	int i, n = 2 * go_gomaxprocs(0);

	go_waitgroup_add(&wg, n);
	for (i = 0; i < n; i++)
		go_spawn(spin_until_stopped, NULL);
}

/* All sleepers are due at the same times. */
static void sleep_steadily(void *arg)
{
	int64_t *mine = &late[(intptr_t)arg * DUE_ROUNDS];
	int i;

	for (i = 0; i < DUE_ROUNDS; i++) {
		int64_t turns = (go_now() - begun) / DUE_PERIOD + 1;
		int64_t due = begun + turns * DUE_PERIOD;

		go_sleep(due - go_now());
		mine[i] = go_now() - due;
	}
}

static void sleep_steadily_too(void *arg)
{
	sleep_steadily(arg);
	go_waitgroup_done(&wg);
}

GO_TEST(timers_do_not_wait_for_those_who_compute)
{
	int i;

	begun = go_now();
	compute_on_all();
	go_waitgroup_add(&wg, DUE_SLEEPERS - 1);
	for (i = 1; i < DUE_SLEEPERS; i++)
		go_spawn(sleep_steadily_too, (void *)(intptr_t)i);
	sleep_steadily(NULL);
	store(stop, 1);
	go_waitgroup_wait(&wg);
	check_late(DUE_SLEEPERS * DUE_ROUNDS);
}

static int asker[2];

static void *ask(void *arg)
{
	char c = 0;
	int i;

	for (i = 0; i < DUE_ROUNDS; i++) {
		int64_t asked;

		usleep(5000);
		asked = go_now();
		ck_assert_int_eq(write(asker[1], &c, 1), 1);
		ck_assert_int_eq(read(asker[1], &c, 1), 1);
		late[i] = go_now() - asked;
	}
	close(asker[1]);
	return arg;
}

GO_TEST(files_do_not_wait_for_those_who_compute)
{
	pthread_t thread;
	char c;

	ck_assert(!socketpair(AF_UNIX, SOCK_STREAM, 0, asker));
	compute_on_all();
	ck_assert(!pthread_create(&thread, NULL, ask, NULL));
	while (go_read(asker[0], &c, 1) == 1)
		ck_assert_int_eq(go_write(asker[0], &c, 1), 1);
	store(stop, 1);
	go_waitgroup_wait(&wg);
	pthread_join(thread, NULL);
	ck_assert_int_eq(go_close(asker[0]), 0);
	check_late(DUE_ROUNDS);
}

/* The thread of that name, 0 if there is none yet. */
static pid_t thread_named(const char *wanted)
{
	DIR *tasks = opendir("/proc/self/task");
	struct dirent *task;
	pid_t found = 0;

	ck_assert_ptr_nonnull(tasks);
	while (!found && (task = readdir(tasks))) {
		char path[300], name[32] = "";
		FILE *file;

		snprintf(path, sizeof(path), "/proc/self/task/%s/comm",
			 task->d_name);
		file = fopen(path, "r");
		if (!file)
			continue;
		if (fgets(name, sizeof(name), file) &&
		    !strncmp(name, wanted, strlen(wanted)))
			found = atoi(task->d_name);
		fclose(file);
	}
	closedir(tasks);
	return found;
}

GO_TEST(the_monitor_has_a_better_priority_if_it_may)
{
	int before = getpriority(PRIO_PROCESS, 0), wanted = before;
	pid_t monitor;

	if (!setpriority(PRIO_PROCESS, 0, before - 10)) {
		wanted = getpriority(PRIO_PROCESS, 0);
		setpriority(PRIO_PROCESS, 0, before);
	}
	wait_until((monitor = thread_named("go-sysmon")));
	wait_until(getpriority(PRIO_PROCESS, monitor) == wanted);
}

/* ---- nor are they starved who compute --------------------------------------------------- */

#define FLOOD		30
#define FLOOD_TIME	(1500 * GO_MILLISECOND)
#define FLOOD_WORK	(400 * GO_MICROSECOND)
/* Who loses its P in a call waits with them; under ThreadSanitizer 20 do at times. */
#define STARVED		GO_SECOND

static int flood[FLOOD][2];

/* Short of what would have it stopped, and then it waits. */
static void answer(void *arg)
{
	int fd = *(int *)arg;
	char c;

	while (go_read(fd, &c, 1) == 1) {
		int64_t until = go_now() + FLOOD_WORK;

		while (go_now() < until)
			;
		go_write(fd, &c, 1);
	}
	go_close(fd);
	go_waitgroup_done(&wg);
}

static void *ask_all(void *arg)
{
	char c = 0;
	int i;

	for (i = 0; i < FLOOD; i++)
		send(flood[i][1], &c, 1, 0);
	while (!load(stop)) {
		for (i = 0; i < FLOOD; i++)
			if (recv(flood[i][1], &c, 1, MSG_DONTWAIT) == 1)
				send(flood[i][1], &c, 1, 0);
		usleep(1000);
	}
	for (i = 0; i < FLOOD; i++)
		close(flood[i][1]);
	return arg;
}

/* The longest time that it was kept from its loop. */
static void compute_and_look(void *arg)
{
	int64_t *longest = arg, last = go_now();

	while (!load(stop)) {
		int64_t now = go_now();

		if (now - last > *longest)
			store(*longest, now - last);
		last = now;
	}
	go_waitgroup_done(&wg);
}

GO_TEST(those_who_compute_have_their_turn_beside_the_due)
{
	int64_t longest[3] = {};
	int i, n = go_gomaxprocs(0);
	pthread_t thread;

	go_waitgroup_add(&wg, FLOOD + n);
	for (i = 0; i < FLOOD; i++) {
		ck_assert(!socketpair(AF_UNIX, SOCK_STREAM, 0, flood[i]));
		go_spawn(answer, &flood[i][0]);
	}
	for (i = 0; i < n; i++)
		go_spawn(compute_and_look, &longest[i]);
	ck_assert(!pthread_create(&thread, NULL, ask_all, NULL));
	go_sleep(FLOOD_TIME);
	store(stop, 1);
	pthread_join(thread, NULL);
	go_waitgroup_wait(&wg);
	for (i = 0; i < n; i++)
		ck_assert_int_lt(longest[i], STARVED);
}

/* ---- fairness among those that wake each other --------------------------------------- */

static struct go_chan *ping, *pong;

static void echo(void *arg)
{
	(void)arg;
	while (go_chan_recv(ping, NULL) == 1)
		go_chan_send(pong, NULL);
	go_waitgroup_done(&wg);
}

static void count_once(void *arg)
{
	(void)arg;
	add(ticks, 1);
	go_waitgroup_done(&wg);
}

GO_TEST(two_that_wake_each_other_do_not_starve_the_rest)
{
	int i;

	ping = go_chan_make(0, 0);
	pong = go_chan_make(0, 0);
	go_waitgroup_add(&wg, 9);
	go_spawn(echo, NULL);
	for (i = 0; i < 8; i++)
		go_spawn(count_once, NULL);
	/* Of several threads the kernel may have stopped one that has begun. */
	for (i = 0; i < 2000 || (go_gomaxprocs(0) > 1 && load(ticks) < 8); i++) {
		go_chan_send(ping, NULL);
		go_chan_recv(pong, NULL);
	}
	ck_assert_int_eq(load(ticks), 8);
	go_chan_close(ping);
	go_waitgroup_wait(&wg);
}

int main(void)
{
	TCase *tc = tcase_create("preempt");

	tcase_add_go_test(tc, endless_loops_do_not_stop_the_others);
	tcase_add_go_test(tc,
			  endless_loops_of_the_suspected_do_not_stop_the_others);
	tcase_add_go_test(tc, endless_loops_after_a_block_do_not_stop_the_others);
	tcase_add_go_test(tc, calls_that_never_wait_are_a_place_to_stop);
	tcase_add_go_test(tc, who_runs_after_the_one_that_was_to_stop_does_not);
	tcase_add_go_test(tc, registers_survive);
	tcase_add_go_test(tc, the_c_library_can_be_stopped_anywhere);
	tcase_add_go_test(tc, a_stopped_goroutine_keeps_its_thread);
	tcase_add_go_test(tc, a_small_stack_is_enough_to_be_stopped);
	tcase_add_test(tc, main_ends_while_others_are_stopped);
	tcase_add_go_test(tc, timers_do_not_wait_for_those_who_compute);
	tcase_add_go_test(tc, files_do_not_wait_for_those_who_compute);
	tcase_add_go_test(tc, the_monitor_has_a_better_priority_if_it_may);
	tcase_add_go_test(tc, those_who_compute_have_their_turn_beside_the_due);
	tcase_add_go_test(tc, two_that_wake_each_other_do_not_starve_the_rest);
	return run_tests("preempt", tc);
}
