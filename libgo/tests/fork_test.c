// SPDX-License-Identifier: MIT
/*
 * Children: fork() with and without a runtime, and the calls that start programs.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test.h"

/* A child that hangs is ended by the kernel after so many seconds. */
#define CHILD_LIMIT 20

static struct go_chan *ch, *old;
static struct go_waitgroup wg, others;
static struct go_timer *timer;
static struct go_ticker *ticker;
static struct go_context *ctx;
static struct go_mutex mu;
static struct go_rwmutex rw;
static struct go_cond cond;
static struct go_errgroup group;
static int done, calls, stop;

/* Check's assertions are the parent's; a child says on its own what is wrong. */
#define child_expect(condition)						\
	do {								\
		if (!(condition)) {					\
			fprintf(stderr, "child: %s:%d: %s\n", __FILE__,	\
				__LINE__, #condition);			\
			_exit(1);					\
		}							\
	} while (0)

static void child_begin(void)
{
	signal(SIGALRM, SIG_DFL);
	alarm(CHILD_LIMIT);
}

/* The exit status of a child; it must have ended by itself. */
static int status_of(pid_t pid)
{
	int status;

	ck_assert_int_gt(pid, 0);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(WIFEXITED(status), "the child died of signal %d",
		      WTERMSIG(status));
	return WEXITSTATUS(status);
}

static int no_error(void *arg)
{
	(void)arg;
	return 0;
}

static void count_call(void *arg)
{
	add(calls, 1);
	(void)arg;
}

static void *in_thread(void *arg)
{
	((go_fn)arg)(NULL);
	return NULL;
}

static void run_in_thread(go_fn fn)
{
	pthread_t thread;

	ck_assert_int_eq(pthread_create(&thread, NULL, in_thread, fn), 0);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
}

/* ---- a child of a process with a runtime ----------------------------------------- */

/* Of each function of the interface: it fails, or does what is documented. */
static void call_channels(void)
{
	struct go_chan *mine = go_chan_make(sizeof(int), 1);
	struct go_case cases[] = {
		GO_SEND(mine, &done), GO_RECV(ch, NULL), GO_DEFAULT,
	};
	int v = 0;

	child_expect(mine);
	child_expect(go_chan_send(mine, &v) == -ESRCH);
	child_expect(go_chan_send(ch, &v) == -ESRCH);
	child_expect(go_chan_recv(ch, &v) == -ESRCH);
	child_expect(go_chan_recv(old, &v) == -ESRCH);
	child_expect(go_chan_recv(NULL, &v) == -ESRCH);
	child_expect(go_chan_try_send(ch, &v) == -ESRCH);
	child_expect(go_chan_try_send(NULL, &v) == -ESRCH);
	child_expect(go_chan_try_recv(ch, &v) == -ESRCH);
	child_expect(go_chan_try_recv(old, &v) == -ESRCH);
	child_expect(go_chan_send_until(ch, &v, 0) == -ESRCH);
	child_expect(go_chan_recv_until(ch, &v, INT64_MAX) == -ESRCH);
	child_expect(go_chan_close(ch) == -ESRCH);
	child_expect(go_select(cases, 3) == -ESRCH);
	child_expect(go_select(NULL, 0) == -ESRCH);
	child_expect(go_chan_cap(mine) == 1 && go_chan_len(mine) == 0);
	child_expect(go_chan_retain(mine) == mine);
	go_chan_release(mine);
	go_chan_release(mine);
}

static void call_the_rest(void)
{
	int64_t now = go_now();
	struct go_stats st;

	child_expect(go_run(count_call, NULL) == -ESRCH);
	child_expect(go_spawn(count_call, NULL) == -ESRCH);
	child_expect(go_gomaxprocs(0) == -ESRCH);
	child_expect(go_stats_read(&st) == -ESRCH);
	child_expect(go_num_goroutine() == 0);
	child_expect(go_id() == 0);
	go_yield();
	go_sleep(GO_MICROSECOND);
	child_expect(go_now() > now);
	child_expect(!go_after(1));
	child_expect(!go_timer_start(1, count_call, NULL));
	child_expect(go_timer_stop(timer) == 0);
	go_timer_free(timer);
	child_expect(go_waitgroup_add(&wg, -1) == -ESRCH);
	child_expect(go_waitgroup_wait(&wg) == -ESRCH);
	child_expect(go_signal_notify(ch, SIGUSR1) == -ESRCH);
	child_expect(go_signal_stop(ch) == -ESRCH);
	child_expect(go_signal_reset(0) == -ESRCH);
	child_expect(go_signal_ignore(SIGUSR1) == -ESRCH);
}

static void call_sync(void)
{
	struct go_semaphore mine = GO_SEMAPHORE_INIT(1);
	struct go_mutex free_one = GO_SYNC_INIT;
	struct go_once once = GO_SYNC_INIT;

	go_mutex_lock(&free_one);
	child_expect(go_mutex_lock_until(&free_one, go_now()) == -ESRCH);
	child_expect(go_cond_wait(&cond, &free_one) == -ESRCH);
	child_expect(go_mutex_unlock(&free_one) == 0);
	go_once_do(&once, count_call, NULL);
	child_expect(once.done);
	/* Somebody waits for what this has. */
	child_expect(!go_mutex_trylock(&mu));
	child_expect(go_mutex_unlock(&mu) == 0);
	child_expect(mu.waiters.first);		/* and was not looked at */
	child_expect(go_mutex_trylock(&mu));
	child_expect(go_rwmutex_unlock(&rw) == 0);
	go_cond_signal(&cond);
	go_cond_broadcast(&cond);
	child_expect(go_semaphore_acquire(&mine, 1) == -ESRCH);
	child_expect(go_semaphore_try_acquire(&mine, 1) == -ESRCH);
	child_expect(go_semaphore_release(&mine, 0) == -ESRCH);
	child_expect(go_errgroup_spawn(&group, no_error, NULL) == -ESRCH);
	child_expect(go_errgroup_wait(&group) == -ESRCH);
	child_expect(!go_context_with_cancel(go_context_background()));
	child_expect(go_context_cancel(ctx) == -ESRCH);
	child_expect(go_context_err(ctx) == 0);
	go_context_release(ctx);
	child_expect(!go_ticker_start(1));
	child_expect(go_ticker_reset(ticker, 1) == -ESRCH);
	child_expect(go_ticker_stop(ticker) == 0);
	go_ticker_free(ticker);
	child_expect(go_timer_reset(timer, 1) == -ESRCH);
}

static void fork_and_call(void *arg)
{
	pid_t pid = fork();

	(void)arg;
	if (!pid) {
		child_begin();
		call_channels();
		call_sync();
		call_the_rest();
		pid = fork();
		if (!pid) {	/* and in its child */
			child_begin();
			call_channels();
			_exit(8);
		}
		child_expect(waitpid(pid, &done, 0) == pid);
		child_expect(WIFEXITED(done) && WEXITSTATUS(done) == 8);
		_exit(9);
	}
	ck_assert_int_eq(status_of(pid), 9);
}

static void wait_for_wg(void *arg)
{
	(void)arg;
	go_waitgroup_wait(&wg);
	go_waitgroup_done(&others);
}

static void recv_one(void *arg)
{
	(void)arg;
	ck_assert_int_eq(go_chan_recv(ch, NULL), 1);
	go_waitgroup_done(&others);
}

static void lock_mu(void *arg)
{
	(void)arg;
	go_mutex_lock(&mu);
	go_rwmutex_rlock(&rw);
	ck_assert_int_eq(go_rwmutex_runlock(&rw), 0);
	ck_assert_int_eq(go_mutex_unlock(&mu), 0);
	go_waitgroup_done(&others);
}

static void make_sync(void)
{
	go_mutex_lock(&mu);
	go_rwmutex_lock(&rw);
	go_waitgroup_add(&others, 1);
	go_spawn(lock_mu, NULL);
	ctx = go_context_with_timeout(go_context_background(), 60 * GO_SECOND);
	ticker = go_ticker_start(GO_MILLISECOND);
	timer = go_timer_start(60 * GO_SECOND, count_call, NULL);
	wait_until(load(mu.waiters.first));
}

static void free_sync(void)
{
	ck_assert_int_eq(go_timer_stop(timer), 1);
	go_timer_free(timer);
	go_ticker_free(ticker);
	ck_assert_int_eq(go_context_err(ctx), 0);
	go_context_release(ctx);
	ck_assert_int_eq(go_mutex_unlock(&mu), 0);
	ck_assert_int_eq(go_rwmutex_unlock(&rw), 0);
}

/* With goroutines that wait for what the child calls. */
GO_TEST(calls_in_a_child_fail)
{
	ch = go_chan_make(sizeof(int), 0);
	old = go_chan_make(sizeof(int), 1);
	ck_assert_int_eq(go_chan_send(old, &done), 0);
	make_sync();
	go_waitgroup_add(&wg, 1);
	go_waitgroup_add(&others, 2);
	go_spawn(wait_for_wg, NULL);
	go_spawn(recv_one, NULL);
	go_sleep(2 * GO_MILLISECOND);

	fork_and_call(NULL);
	run_in_thread(fork_and_call);

	/* the parent's have not noticed */
	free_sync();
	go_waitgroup_done(&wg);
	ck_assert_int_eq(go_chan_send(ch, &done), 0);
	go_waitgroup_wait(&others);
	ck_assert_int_eq(go_chan_recv(old, NULL), 1);
}

static void use_channels(void *arg)
{
	int v = 1;

	(void)arg;
	while (!load(stop)) {
		go_chan_send(ch, &v);
		go_chan_recv_until(old, &v, go_now() + 10 * GO_MICROSECOND);
		go_chan_recv(ch, &v);
	}
	go_waitgroup_done(&others);
}

/* Others hold locks, their own thread's or the runtime's, at any time. */
GO_TEST(calls_in_a_child_fail_while_others_are_busy)
{
	pthread_t threads[2];
	int i;

	ch = go_chan_make(sizeof(int), 100);
	old = go_chan_make(sizeof(int), 0);
	make_sync();
	go_waitgroup_add(&wg, 1);
	go_waitgroup_add(&others, 6);
	for (i = 0; i < 4; i++)
		go_spawn(use_channels, NULL);
	for (i = 0; i < 2; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, in_thread,
						use_channels), 0);
	for (i = 0; i < 30; i++) {
		fork_and_call(NULL);
		go_yield();
	}
	free_sync();
	store(stop, 1);
	go_waitgroup_wait(&others);
	for (i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
}

static void fork_and_return(void *arg)
{
	pid_t pid = fork();

	if (!pid) {
		child_begin();
		if (arg)
			go_exit();
		return;
	}
	ck_assert_int_eq(status_of(pid), 0);
	add(done, 1);
}

GO_TEST(the_end_of_the_goroutine_ends_the_child)
{
	go_spawn(fork_and_return, NULL);
	go_spawn(fork_and_return, &done);
	wait_until(load(done) == 2);
}

static void handler(int signo)
{
	(void)signo;
	add(calls, 1);
}

static void fork_and_raise(void *arg)
{
	pid_t pid = fork();
	int status;

	(void)arg;
	if (!pid) {
		child_begin();
		raise(SIGUSR1);
		child_expect(calls == 1);
		raise(SIGVTALRM);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSIGNALED(status));
	ck_assert_int_eq(WTERMSIG(status), SIGVTALRM);
	ck_assert_int_eq(load(calls), 0);
}

GO_TEST(a_child_has_its_signals_old_actions)
{
	signal(SIGUSR1, handler);
	ch = go_chan_make(sizeof(int), 1);
	ck_assert_int_eq(go_signal_notify(ch, SIGUSR1, SIGVTALRM), 0);
	fork_and_raise(NULL);
	run_in_thread(fork_and_raise);
	raise(SIGUSR1);
	ck_assert_int_eq(go_chan_recv(ch, NULL), 1);
}

static void fork_and_exec(void *arg)
{
	pid_t pid = fork();

	(void)arg;
	if (!pid) {
		execl("/bin/sh", "sh", "-c", "exit 7", NULL);
		_exit(1);
	}
	ck_assert_int_eq(status_of(pid), 7);
}

GO_TEST(a_child_may_execute_a_program)
{
	int i;

	for (i = 0; i < 10; i++) {
		fork_and_exec(NULL);
		run_in_thread(fork_and_exec);
	}
}

/* ---- a child of a process without one -------------------------------------------------- */

static void run_in_child(void)
{
	pid_t pid = fork();

	if (!pid) {
		child_begin();
		child_expect(go_run(count_call, NULL) == 0);
		child_expect(go_run(count_call, NULL) == 0);
		_exit(calls);
	}
	ck_assert_int_eq(status_of(pid), 2);
}

START_TEST(a_child_may_start_a_runtime_if_none_ran)
{
	run_in_child();
	ck_assert_int_eq(go_run(count_call, NULL), 0);
	calls = 0;
	run_in_child();
}
END_TEST

#define SEMAPHORES	1024	/* several for each of the locks that all objects share */
#define CHILDREN	STARTS(200)

static struct go_semaphore shared[SEMAPHORES];

static void *use_semaphores(void *arg)
{
	uint64_t random = (uintptr_t)arg;

	while (!load(stop)) {
		struct go_semaphore *s = &shared[next_random(&random) % SEMAPHORES];

		if (!go_semaphore_try_acquire(s, 1))
			go_semaphore_release(s, 1);
	}
	return NULL;
}

static void use_some_of_its_own(void)
{
	static struct go_semaphore own[SEMAPHORES];
	int i;

	child_begin();
	for (i = 0; i < SEMAPHORES; i++) {
		own[i] = (struct go_semaphore)GO_SEMAPHORE_INIT(1);
		child_expect(go_semaphore_acquire(&own[i], 1) == 0);
	}
	_exit(0);
}

/* No runtime runs, but other threads use the library. */
START_TEST(a_child_does_not_wait_for_its_parents_threads)
{
	pthread_t threads[3];
	uintptr_t i;

	for (i = 0; i < SEMAPHORES; i++)
		shared[i] = (struct go_semaphore)GO_SEMAPHORE_INIT(1000);
	for (i = 0; i < 3; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, use_semaphores,
						(void *)(i + 1)), 0);
	for (i = 0; i < CHILDREN; i++) {
		pid_t pid = fork();

		if (!pid)
			use_some_of_its_own();
		ck_assert_int_eq(status_of(pid), 0);
	}
	store(stop, 1);
	for (i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
}
END_TEST

/* ---- programs -------------------------------------------------------------------------- */

extern char **environ;

static void count(void *arg)
{
	(void)arg;
	while (!load(stop)) {
		add(done, 1);
		go_sleep(GO_MILLISECOND);
	}
	go_waitgroup_done(&others);
}

/* They block the thread, and the other goroutine goes on meanwhile. */
GO_TEST(programs_are_started_while_others_go_on)
{
	static const char script[] = "sleep 0.1; exit 5";
	char line[16] = "";
	int status;
	pid_t pid;
	FILE *f;

	go_waitgroup_add(&others, 1);
	go_spawn(count, NULL);

	status = system(script);
	ck_assert(WIFEXITED(status));
	ck_assert_int_eq(WEXITSTATUS(status), 5);
	ck_assert_int_gt(load(done), 2);

	store(done, 0);
	ck_assert_int_eq(posix_spawn(&pid, "/bin/sh", NULL, NULL, (char *[]) {
				     "sh", "-c", (char *)script, NULL },
				     environ), 0);
	ck_assert_int_eq(status_of(pid), 5);
	ck_assert_int_gt(load(done), 2);

	store(done, 0);
	f = popen("sleep 0.1; echo text", "re");
	ck_assert_ptr_nonnull(f);
	ck_assert_ptr_nonnull(fgets(line, sizeof(line), f));
	ck_assert_int_eq(pclose(f), 0);
	ck_assert_str_eq(line, "text\n");
	ck_assert_int_gt(load(done), 2);

	store(stop, 1);
	go_waitgroup_wait(&others);
}

int main(void)
{
	TCase *tc = tcase_create("fork");

	tcase_add_go_test(tc, calls_in_a_child_fail);
	tcase_add_go_test(tc, calls_in_a_child_fail_while_others_are_busy);
	tcase_add_go_test(tc, the_end_of_the_goroutine_ends_the_child);
	if (!SIGNALS_COME_LATE)
		tcase_add_go_test(tc, a_child_has_its_signals_old_actions);
	tcase_add_go_test(tc, a_child_may_execute_a_program);
	tcase_add_test(tc, a_child_may_start_a_runtime_if_none_ran);
	tcase_add_test(tc, a_child_does_not_wait_for_its_parents_threads);
	tcase_add_go_test(tc, programs_are_started_while_others_go_on);
	return run_tests("fork", tc);
}
