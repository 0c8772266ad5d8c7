// SPDX-License-Identifier: MIT
/*
 * Signals as elements of channels.
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

static struct go_chan *ch, *other;
static int fds[2], done, old_calls;

static void chans_make(int cap)
{
	ch = kept_chan(sizeof(int), cap);
	other = kept_chan(sizeof(int), cap);
}

static void send_self(int signo)
{
	ck_assert_int_eq(kill(getpid(), signo), 0);
}

static int recv(struct go_chan *c)
{
	int signo = 0;

	ck_assert_int_eq(go_chan_recv(c, &signo), 1);
	return signo;
}

static void expect_action(int signo, void (*action)(int))
{
	struct sigaction act;

	ck_assert_int_eq(sigaction(signo, NULL, &act), 0);
	ck_assert_ptr_eq(act.sa_handler, action);
}

static void old_handler(int signo)
{
	(void)signo;
	add(old_calls, 1);
}

/* ---- notify -------------------------------------------------------------------- */

GO_TEST(signals_arrive)
{
	static const int signos[] = {
		SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGCHLD, SIGWINCH, SIGPIPE,
	};
	int i, k;

	chans_make(1);
	ck_assert_int_eq(go_signal_notify(ch, SIGHUP, SIGINT, SIGTERM, SIGUSR1,
					  SIGCHLD, SIGWINCH, SIGPIPE), 0);
	for (k = 0; k < 20; k++) {
		for (i = 0; i < 7; i++) {
			send_self(signos[i]);
			ck_assert_int_eq(recv(ch), signos[i]);
		}
	}
	ck_assert_int_eq(go_chan_try_recv(ch, &i), -EAGAIN);
}

GO_TEST(every_channel_gets_its_signals)
{
	int v;

	chans_make(1);
	ck_assert_int_eq(go_signal_notify(ch, SIGUSR1), 0);
	ck_assert_int_eq(go_signal_notify(other, SIGUSR1), 0);
	ck_assert_int_eq(go_signal_notify(other, SIGUSR2), 0);
	send_self(SIGUSR1);
	ck_assert_int_eq(recv(ch), SIGUSR1);
	ck_assert_int_eq(recv(other), SIGUSR1);
	send_self(SIGUSR2);
	ck_assert_int_eq(recv(other), SIGUSR2);
	ck_assert_int_eq(go_chan_try_recv(ch, &v), -EAGAIN);
}

GO_TEST(no_list_stands_for_all)
{
	static const int signos[] = { SIGHUP, SIGTERM, SIGUSR2, SIGALRM };
	int i, rt = SIGRTMIN + 1;
	struct sigaction fault, urgent;

	sigaction(SIGSEGV, NULL, &fault);
	sigaction(SIGURG, NULL, &urgent);
	chans_make(1);
	ck_assert_int_eq(go_signal_notify(ch), 0);
	ck_assert_int_eq(go_signal_notify(ch, SIGURG), -EINVAL);
	for (i = 0; i < 4; i++) {
		send_self(signos[i]);
		ck_assert_int_eq(recv(ch), signos[i]);
	}
	send_self(rt);
	ck_assert_int_eq(recv(ch), rt);
	expect_action(SIGSEGV, fault.sa_handler);
	expect_action(SIGURG, urgent.sa_handler);
}

/* It drops what there is no room for, and goes on. */
GO_TEST(sending_never_blocks)
{
	struct go_chan *full = kept_chan(sizeof(int), 1);
	struct go_chan *unbuffered = kept_chan(sizeof(int), 0);
	int i, v = 77;

	chans_make(1);
	ck_assert_int_eq(go_chan_send(full, &v), 0);
	ck_assert_int_eq(go_signal_notify(full, SIGUSR1), 0);
	ck_assert_int_eq(go_signal_notify(unbuffered, SIGUSR1), 0);
	ck_assert_int_eq(go_signal_notify(ch, SIGUSR1), 0);
	for (i = 0; i < 10; i++) {
		send_self(SIGUSR1);
		ck_assert_int_eq(recv(ch), SIGUSR1);
	}
	ck_assert_int_eq(recv(full), 77);
	ck_assert_int_eq(go_chan_try_recv(unbuffered, &v), -EAGAIN);
}

static void recv_usr1(void *arg)
{
	ck_assert_int_eq(recv(arg), SIGUSR1);
	add(done, 1);
}

/* Who waits for an unbuffered channel gets it. */
GO_TEST(a_waiter_is_woken)
{
	struct go_chan *unbuffered = kept_chan(sizeof(int), 0);

	ck_assert_int_eq(go_signal_notify(unbuffered, SIGUSR1), 0);
	go_spawn(recv_usr1, unbuffered);
	while (!load(done)) {
		send_self(SIGUSR1);
		go_sleep(GO_MILLISECOND);
	}
}

/* Many at once become one or more, and the next one is not lost. */
GO_TEST(a_burst_is_at_least_one)
{
	int i, k, n = 0, v;

	chans_make(1000);
	ck_assert_int_eq(go_signal_notify(ch, SIGUSR1), 0);
	ck_assert_int_eq(go_signal_notify(other, SIGUSR2), 0);
	for (k = 0; k < 10; k++) {
		for (i = 0; i < 100; i++)
			send_self(SIGUSR1);
		/* this one was sent after all of the others */
		send_self(SIGUSR2);
		ck_assert_int_eq(recv(other), SIGUSR2);
		ck_assert_int_eq(recv(ch), SIGUSR1);
		for (n++; go_chan_try_recv(ch, &v) == 1; n++)
			ck_assert_int_eq(v, SIGUSR1);
	}
	ck_assert_int_le(n, 10 * 100);
}

GO_TEST(mistakes_are_told)
{
	static const int bad[] = {
		-1, 65, 1000, SIGKILL, SIGSTOP, SIGSEGV, SIGFPE, SIGBUS, SIGILL,
		SIGTRAP, SIGSYS, 32, 33,
	};
	struct go_chan *bytes = kept_chan(1, 1);
	size_t i;

	chans_make(1);
	ck_assert_int_eq(go_signal_notify(NULL, SIGUSR1), -EINVAL);
	ck_assert_int_eq(go_signal_notify(bytes, SIGUSR1), -EINVAL);
	ck_assert_int_eq(go_signal_stop(NULL), -EINVAL);
	ck_assert_int_eq(go_signal_stop(ch), 0);
	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		ck_assert_int_eq(go_signal_notify(ch, SIGUSR1, bad[i]), -EINVAL);
		ck_assert_int_eq(go_signal_reset(SIGUSR1, bad[i]), -EINVAL);
		ck_assert_int_eq(go_signal_ignore(SIGUSR1, bad[i]), -EINVAL);
	}
	expect_action(SIGUSR1, SIG_DFL);
}

/* ---- goroutines that are blocked in the kernel, and none ------------------------------- */

static void read_a_byte(void *arg)
{
	char c;

	(void)arg;
	ck_assert_int_eq(read(fds[0], &c, 1), 1);
	add(done, 1);
}

/* And a system call that a signal interrupts goes on. */
GO_TEST(signals_arrive_while_goroutines_are_blocked)
{
	int i;

	chans_make(1);
	ck_assert_int_eq(pipe(fds), 0);
	ck_assert_int_eq(go_signal_notify(ch, SIGUSR1), 0);
	for (i = 0; i < 5; i++)
		go_spawn(read_a_byte, NULL);
	for (i = 0; i < 50; i++) {
		send_self(SIGUSR1);
		ck_assert_int_eq(recv(ch), SIGUSR1);
	}
	ck_assert_int_eq(load(done), 0);
	ck_assert_int_eq(write(fds[1], "12345", 5), 5);
	wait_until(load(done) == 5);
}

static void *send_after_a_while(void *arg)
{
	(void)arg;
	usleep(20000);
	send_self(SIGUSR1);
	return NULL;
}

GO_TEST(a_signal_wakes_a_program_that_is_all_asleep)
{
	pthread_t thread;

	chans_make(1);
	ck_assert_int_eq(go_signal_notify(ch, SIGUSR1), 0);
	ck_assert_int_eq(pthread_create(&thread, NULL, send_after_a_while,
					NULL), 0);
	ck_assert_int_eq(recv(ch), SIGUSR1);
	pthread_join(thread, NULL);
}

/* ---- stop, reset, ignore ------------------------------------------------------------------ */

GO_TEST(stop_gives_the_old_action_back)
{
	int v;

	signal(SIGUSR1, old_handler);
	chans_make(1);
	ck_assert_int_eq(go_signal_notify(ch, SIGUSR1, SIGUSR2), 0);
	ck_assert_int_eq(go_signal_notify(other, SIGUSR2), 0);
	send_self(SIGUSR1);
	ck_assert_int_eq(recv(ch), SIGUSR1);
	ck_assert_int_eq(old_calls, 0);

	ck_assert_int_eq(go_signal_stop(ch), 0);
	expect_action(SIGUSR1, old_handler);
	send_self(SIGUSR1);
	wait_until(load(old_calls) == 1);
	/* the other channel still gets what it wanted */
	send_self(SIGUSR2);
	ck_assert_int_eq(recv(other), SIGUSR2);
	ck_assert_int_eq(go_chan_try_recv(ch, &v), -EAGAIN);
	ck_assert_int_eq(go_signal_stop(other), 0);
	expect_action(SIGUSR2, SIG_DFL);
}

GO_TEST(reset_takes_signals_from_all_channels)
{
	int v;

	signal(SIGUSR1, old_handler);
	chans_make(1);
	ck_assert_int_eq(go_signal_notify(ch, SIGUSR1, SIGUSR2), 0);
	ck_assert_int_eq(go_signal_notify(other, SIGUSR1, SIGUSR2), 0);
	ck_assert_int_eq(go_signal_reset(SIGUSR1), 0);
	expect_action(SIGUSR1, old_handler);
	send_self(SIGUSR1);
	wait_until(load(old_calls) == 1);
	send_self(SIGUSR2);
	ck_assert_int_eq(recv(ch), SIGUSR2);
	ck_assert_int_eq(recv(other), SIGUSR2);
	ck_assert_int_eq(go_signal_reset(0), 0);
	expect_action(SIGUSR2, SIG_DFL);
	ck_assert_int_eq(go_chan_try_recv(ch, &v), -EAGAIN);
}

GO_TEST(ignored_signals_do_nothing)
{
	int v;

	signal(SIGUSR1, old_handler);
	chans_make(1);
	ck_assert_int_eq(go_signal_notify(ch, SIGUSR1, SIGHUP), 0);
	ck_assert_int_eq(go_signal_ignore(SIGUSR1, SIGVTALRM), 0);
	expect_action(SIGUSR1, SIG_IGN);
	send_self(SIGUSR1);
	send_self(SIGVTALRM);
	send_self(SIGHUP);
	ck_assert_int_eq(recv(ch), SIGHUP);
	ck_assert_int_eq(go_chan_try_recv(ch, &v), -EAGAIN);

	/* notify takes them again, reset undoes both */
	ck_assert_int_eq(go_signal_notify(ch, SIGVTALRM), 0);
	send_self(SIGVTALRM);
	ck_assert_int_eq(recv(ch), SIGVTALRM);
	ck_assert_int_eq(go_signal_reset(0), 0);
	expect_action(SIGUSR1, old_handler);
	expect_action(SIGVTALRM, SIG_DFL);
	ck_assert_int_eq(old_calls, 0);
}

#define STOPS 300

/* One signal after the other, each one seen before the next is sent. */
static void *send_until_stopped(void *arg)
{
	int before, v, i;

	(void)arg;
	for (i = 0; i < STOPS * 10; i++) {
		before = load(old_calls);
		send_self(SIGUSR1);
		while (load(old_calls) == before &&
		       go_chan_try_recv(ch, &v) != 1)
			usleep(10);
	}
	store(done, 1);
	return NULL;
}

/* Whenever a channel is stopped: a signal is sent, or has its old action. */
GO_TEST(no_signal_is_lost_by_a_stop)
{
	pthread_t thread;

	signal(SIGUSR1, old_handler);
	chans_make(10);
	ck_assert_int_eq(pthread_create(&thread, NULL, send_until_stopped,
					NULL), 0);
	while (!load(done)) {
		ck_assert_int_eq(go_signal_notify(ch, SIGUSR1), 0);
		go_yield();
		ck_assert_int_eq(go_signal_stop(ch), 0);
	}
	pthread_join(thread, NULL);
	expect_action(SIGUSR1, old_handler);
}

/* What was handled before the stop is in the channel after it. */
GO_TEST(a_stop_waits_for_what_came_before)
{
	int i;

	signal(SIGUSR1, old_handler);
	chans_make(1);
	for (i = 0; i < 500; i++) {
		ck_assert_int_eq(go_signal_notify(ch, SIGUSR1), 0);
		ck_assert_int_eq(raise(SIGUSR1), 0);	/* to this thread */
		ck_assert_int_eq(go_signal_stop(ch), 0);
		ck_assert_uint_eq(go_chan_len(ch), 1);
		ck_assert_int_eq(recv(ch), SIGUSR1);
	}
	ck_assert_int_eq(old_calls, 0);
}

/* When stop returns nothing comes any more. */
GO_TEST(after_a_stop_nothing_arrives)
{
	size_t before;
	int i, v;

	signal(SIGUSR1, old_handler);
	chans_make(100);
	for (i = 0; i < 100; i++) {
		ck_assert_int_eq(go_signal_notify(ch, SIGUSR1), 0);
		send_self(SIGUSR1);
		ck_assert_int_eq(go_signal_stop(ch), 0);
		before = go_chan_len(ch);
		send_self(SIGUSR1);
		go_yield();
		ck_assert_uint_eq(go_chan_len(ch), before);
		while (go_chan_try_recv(ch, &v) == 1)
			ck_assert_int_eq(v, SIGUSR1);
	}
}

/* As system(3) does that was called before, and returns after it. */
GO_TEST(a_handler_that_is_put_back_is_taken_away)
{
	struct sigaction ours, now;

	signal(SIGUSR1, old_handler);
	chans_make(1);
	ck_assert_int_eq(go_signal_notify(ch, SIGUSR1), 0);
	sigaction(SIGUSR1, NULL, &ours);
	ck_assert_int_eq(go_signal_stop(ch), 0);
	sigaction(SIGUSR1, &ours, NULL);
	send_self(SIGUSR1);
	wait_until(load(old_calls) == 1);
	expect_action(SIGUSR1, old_handler);

	/* Nor is it what was there before. */
	sigaction(SIGUSR1, &ours, NULL);
	ck_assert_int_eq(go_signal_notify(ch, SIGUSR1), 0);
	ck_assert_int_eq(go_signal_stop(ch), 0);
	expect_action(SIGUSR1, old_handler);
	ck_assert_int_eq(old_calls, 1);

	/* Nor does it undo what was asked for meanwhile. */
	ck_assert_int_eq(go_signal_ignore(SIGUSR1), 0);
	sigaction(SIGUSR1, &ours, NULL);
	send_self(SIGUSR1);
	do {
		go_sleep(GO_MILLISECOND);
		sigaction(SIGUSR1, NULL, &now);
	} while (now.sa_handler != SIG_IGN);
	ck_assert_int_eq(old_calls, 1);
}

static struct sigaction left_behind;

static void leave_behind(void *arg)
{
	(void)arg;
	chans_make(1);
	ck_assert_int_eq(go_signal_notify(ch, SIGUSR1), 0);
	sigaction(SIGUSR1, NULL, &left_behind);
}

START_TEST(a_handler_that_is_put_back_after_the_end_is_taken_away)
{
	signal(SIGUSR1, old_handler);
	ck_assert_int_eq(go_run(leave_behind, NULL), 0);
	sigaction(SIGUSR1, &left_behind, NULL);
	raise(SIGUSR1);
	ck_assert_int_eq(old_calls, 1);
	expect_action(SIGUSR1, old_handler);
}
END_TEST

/* ---- threads, children, the end -------------------------------------------------------------- */

static bool is_blocked(int signo)
{
	sigset_t mask;

	pthread_sigmask(SIG_SETMASK, NULL, &mask);
	return sigismember(&mask, signo);
}

static void block(int signo)
{
	sigset_t mask;

	sigemptyset(&mask);
	sigaddset(&mask, signo);
	pthread_sigmask(SIG_BLOCK, &mask, NULL);
}

static void notify_though_blocked(void *arg)
{
	sigset_t pending;
	int i;

	(void)arg;
	ck_assert(is_blocked(SIGUSR1));
	ck_assert(!is_blocked(SIGUSR2));
	chans_make(1);
	for (i = 0; i < 20; i++) {
		ck_assert_int_eq(go_signal_notify(ch, SIGUSR1), 0);
		send_self(SIGUSR1);
		ck_assert_int_eq(recv(ch), SIGUSR1);
		ck_assert_int_eq(go_signal_stop(ch), 0);
	}
	/* blocked everywhere again: it does not end the process */
	send_self(SIGUSR1);
	ck_assert_int_eq(sigpending(&pending), 0);
	ck_assert(sigismember(&pending, SIGUSR1));
}

/* Ms have the mask of who called go_run(); the signals arrive nevertheless. */
START_TEST(signals_that_all_threads_block_arrive)
{
	block(SIGUSR1);
	run_with_procs(GO_TEST_PROCS, notify_though_blocked);
}
END_TEST

static void *send_many(void *arg)
{
	int i;

	block(SIGUSR1);
	for (i = 0; i < STOPS * 50; i++)
		send_self(SIGUSR1);
	store(done, 1);
	return arg;
}

static void stop_while_all_block(void *arg)
{
	pthread_t thread;

	(void)arg;
	chans_make(1);
	ck_assert_int_eq(pthread_create(&thread, NULL, send_many, NULL), 0);
	while (!load(done)) {
		ck_assert_int_eq(go_signal_notify(ch, SIGUSR1), 0);
		ck_assert_int_eq(go_signal_stop(ch), 0);
	}
	pthread_join(thread, NULL);
}

/* The old action is to end the process, but no thread may take the signal then. */
START_TEST(a_stop_lets_no_blocked_signal_through)
{
	block(SIGUSR1);
	run_with_procs(GO_TEST_PROCS, stop_while_all_block);
}
END_TEST

extern char **environ;

static int run_shell(const char *script)
{
	int status;
	pid_t pid;

	ck_assert_int_eq(posix_spawn(&pid, "/bin/sh", NULL, NULL, (char *[]) {
				     "sh", "-c", (char *)script, NULL },
				     environ), 0);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return status;
}

GO_TEST(a_child_has_the_default_action_or_ignores)
{
	int status, v;

	chans_make(1);
	ck_assert_int_eq(go_signal_notify(ch, SIGUSR1), 0);
	ck_assert_int_eq(go_signal_ignore(SIGUSR2), 0);
	status = run_shell("kill -USR1 $$; exit 7");
	ck_assert(WIFSIGNALED(status));
	ck_assert_int_eq(WTERMSIG(status), SIGUSR1);
	status = run_shell("kill -USR2 $$; exit 7");
	ck_assert(WIFEXITED(status));
	ck_assert_int_eq(WEXITSTATUS(status), 7);
	ck_assert_int_eq(go_chan_try_recv(ch, &v), -EAGAIN);
}

static void take_all(void *arg)
{
	(void)arg;
	chans_make(1);
	ck_assert_int_eq(go_signal_notify(ch), 0);
	ck_assert_int_eq(go_signal_notify(other, SIGUSR1), 0);
	ck_assert_int_eq(go_signal_ignore(SIGVTALRM), 0);
}

START_TEST(the_end_of_the_runtime_undoes_all)
{
	int i;

	signal(SIGUSR1, old_handler);
	for (i = 0; i < 10; i++) {
		run_with_procs(GO_TEST_PROCS, take_all);
		expect_action(SIGUSR1, old_handler);
		expect_action(SIGVTALRM, SIG_DFL);
		expect_action(SIGHUP, SIG_DFL);
	}
	send_self(SIGUSR1);
	ck_assert_int_eq(old_calls, 1);
}
END_TEST

START_TEST(without_a_runtime_calls_fail)
{
	chans_make(1);
	ck_assert_int_eq(go_signal_notify(ch, SIGUSR1), -ESRCH);
	ck_assert_int_eq(go_signal_stop(ch), -ESRCH);
	ck_assert_int_eq(go_signal_reset(SIGUSR1), -ESRCH);
	ck_assert_int_eq(go_signal_ignore(SIGUSR1), -ESRCH);
	expect_action(SIGUSR1, SIG_DFL);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("signal");

	/* Ignored in what was started with nohup, or in the background. */
	signal(SIGHUP, SIG_DFL);
	signal(SIGINT, SIG_DFL);
	signal(SIGQUIT, SIG_DFL);
	tcase_add_go_test(tc, signals_arrive);
	tcase_add_go_test(tc, every_channel_gets_its_signals);
	tcase_add_go_test(tc, no_list_stands_for_all);
	tcase_add_go_test(tc, sending_never_blocks);
	tcase_add_go_test(tc, a_waiter_is_woken);
	tcase_add_go_test(tc, a_burst_is_at_least_one);
	tcase_add_go_test(tc, mistakes_are_told);
	tcase_add_go_test(tc, signals_arrive_while_goroutines_are_blocked);
	tcase_add_go_test(tc, a_signal_wakes_a_program_that_is_all_asleep);
	tcase_add_go_test(tc, stop_gives_the_old_action_back);
	tcase_add_go_test(tc, reset_takes_signals_from_all_channels);
	tcase_add_go_test(tc, ignored_signals_do_nothing);
	tcase_add_go_test(tc, no_signal_is_lost_by_a_stop);
	tcase_add_go_test(tc, a_stop_waits_for_what_came_before);
	tcase_add_go_test(tc, after_a_stop_nothing_arrives);
	tcase_add_go_test(tc, a_handler_that_is_put_back_is_taken_away);
	tcase_add_test(tc, a_handler_that_is_put_back_after_the_end_is_taken_away);
	tcase_add_go_test(tc, signals_that_all_threads_block_arrive);
	tcase_add_go_test(tc, a_stop_lets_no_blocked_signal_through);
	tcase_add_go_test(tc, a_child_has_the_default_action_or_ignores);
	tcase_add_go_test(tc, the_end_of_the_runtime_undoes_all);
	tcase_add_test(tc, without_a_runtime_calls_fail);
	return run_tests("signal", tc);
}
