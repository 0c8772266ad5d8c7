// SPDX-License-Identifier: MIT
/*
 * What is told of goroutines: stack overflows, dumps, SIGQUIT; and that their
 * stacks have an end for unwinders.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <unwind.h>

#include "test.h"

#include "fault.h"

/* A function that a report can name: the dynamic linker knows it. */
#define NAMED __attribute__((noinline, visibility("default")))

static char said[1 << 20];
static struct go_waitgroup wg;
static int fds[2], ready, stop;

static void read_all(int fd)
{
	size_t len = 0;
	ssize_t n;

	while ((n = read(fd, said + len, sizeof(said) - 1 - len)) > 0)
		len += n;
	said[len] = '\0';
}

/* Run a function in a process of its own; its standard error goes to said. */
static int run_apart(void (*fn)(void))
{
	struct rlimit no_core = { 0, 0 };
	int err[2], status;
	pid_t pid;

	ck_assert_int_eq(pipe(err), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (!pid) {
		setrlimit(RLIMIT_CORE, &no_core);
		dup2(err[1], STDERR_FILENO);
		close(err[0]);
		close(err[1]);
		fn();
		_exit(0);
	}
	close(err[1]);
	read_all(err[0]);
	close(err[0]);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return status;
}

static void ck_said(const char *text)
{
	ck_assert_msg(strstr(said, text), "'%s' is not in:\n%s", text, said);
}

/* An emulator may have said something. */
static void ck_libgo_said_nothing(void)
{
	ck_assert_msg(!strstr(said, "libgo: ") && !strstr(said, "goroutine"),
		      "%s", said);
}

/* In a static program functions have no names. */
static bool functions_have_names(void)
{
	Dl_info info;

	return dladdr((void *)go_yield, &info) && info.dli_sname;
}

/* What is said of a goroutine of that name must contain a text. */
static void ck_said_of(const char *name, const char *text)
{
	char section[8192];
	const char *begin = strstr(said, name), *end;

	ck_assert_msg(begin, "no %s in:\n%s", name, said);
	end = strstr(begin, "\n\n");
	if (!end)
		end = begin + strlen(begin);
	ck_assert_int_lt(end - begin, (int)sizeof(section));
	if (strchr(text, '+') && !functions_have_names())
		return;
	snprintf(section, sizeof(section), "%.*s", (int)(end - begin), begin);
	ck_assert_msg(strstr(section, text), "'%s' is not in:\n%s", text,
		      section);
}

/* ---- overflows ---------------------------------------------------------------- */

int go_deeper(volatile char *above);
NAMED int go_deeper(volatile char *above)
{
	volatile char here[256];

	here[0] = above[0];
	if (load(stop))
		return 0;
	return go_deeper(here) + here[1];
}

static void overflow_guarded(void *arg)
{
	char c = 0;

	(void)arg;
	go_deeper(&c);
}

int go_somewhat_deeper(int n);
NAMED int go_somewhat_deeper(int n)
{
	volatile char here[1024];

	memset((char *)here, 1, sizeof(here));
	if (n)
		return go_somewhat_deeper(n - 1) + here[5];
	go_yield();
	return here[5];
}

static void overflow_unguarded(void *arg)
{
	go_somewhat_deeper((intptr_t)arg);
}

static void overflow_main(void *arg)
{
	struct go_opts opts = {
		.stack_size = (size_t)arg, .name = "deep",
	};

	go_waitgroup_add(&wg, 1);
	if (opts.stack_size < 16 << 10)
		go_spawn_opts(overflow_unguarded, (void *)8, &opts);
	else
		go_spawn_opts(overflow_guarded, NULL, &opts);
	go_waitgroup_wait(&wg);
}

static void run_guarded(void)
{
	go_run(overflow_main, (void *)(64 << 10));
}

static void run_unguarded(void)
{
	go_run(overflow_main, (void *)(8 << 10));
}

START_TEST(an_overflow_of_a_guarded_stack_is_reported)
{
	int status = run_apart(run_guarded);

	ck_said("stack overflow in goroutine ");
	ck_said(" (deep), which has 65536 bytes");
	ck_said_of("deep", "\tgo_deeper+0x");
	ck_said_of("deep", "\t...\nstarted with ");
	ck_assert(WIFSIGNALED(status));
	ck_assert_int_eq(WTERMSIG(status), SIGSEGV);
}
END_TEST

START_TEST(an_overflow_of_an_unguarded_stack_is_reported)
{
	int status = run_apart(run_unguarded);

	ck_said("stack overflow in goroutine ");
	ck_said(" (deep), which has 8192 bytes");
	ck_said_of("deep", "\tgo_yield+0x");
	ck_said_of("deep", "\tgo_somewhat_deeper+0x");
	ck_assert(WIFSIGNALED(status));
	ck_assert_int_eq(WTERMSIG(status), SIGABRT);
}
END_TEST

/* ---- other faults ------------------------------------------------------------------ */

static int *volatile nowhere = (int *)16;

static void read_nowhere(void *arg)
{
	(void)arg;
	ck_assert_int_eq(*nowhere, 0);
}

static void own_handler(int sig, siginfo_t *info, void *context)
{
	(void)context;
	_exit(sig == SIGSEGV && info->si_addr == nowhere ? 42 : 1);
}

static void run_fault(void)
{
	signal(SIGSEGV, SIG_DFL);
	go_run(read_nowhere, NULL);
}

static void run_fault_handled(void)
{
	struct sigaction action = {
		.sa_sigaction = own_handler, .sa_flags = SA_SIGINFO,
	};

	sigaction(SIGSEGV, &action, NULL);
	go_run(read_nowhere, NULL);
}

static void kill_self(void *arg)
{
	(void)arg;
	raise(SIGSEGV);
	pause();
}

static void run_killed(void)
{
	signal(SIGSEGV, SIG_DFL);
	go_run(kill_self, NULL);
}

START_TEST(other_faults_are_the_programs)
{
	int status = run_apart(run_fault);

	ck_libgo_said_nothing();
	ck_assert(WIFSIGNALED(status));
	ck_assert_int_eq(WTERMSIG(status), SIGSEGV);

	status = run_apart(run_fault_handled);
	ck_libgo_said_nothing();
	ck_assert(WIFEXITED(status));
	ck_assert_int_eq(WEXITSTATUS(status), 42);

	status = run_apart(run_killed);
	ck_assert(WIFSIGNALED(status));
	ck_assert_int_eq(WTERMSIG(status), SIGSEGV);
}
END_TEST

/* What a dump reads may be gone. */
GO_TEST(a_fault_can_be_caught)
{
	int i;

	for (i = 0; i < 3; i++) {
		ck_assert(!fault_catch(read_nowhere, NULL));
		ck_assert(fault_catch(nothing, NULL));
	}
}

static const int handled[] = { SIGSEGV, SIGQUIT, SIGURG };

static void set_own_handlers(void *arg)
{
	struct sigaction action = {
		.sa_sigaction = own_handler, .sa_flags = SA_SIGINFO,
	};
	size_t i;

	(void)arg;
	for (i = 0; i < sizeof(handled) / sizeof(*handled); i++)
		sigaction(handled[i], &action, NULL);
}

START_TEST(the_handlers_are_there_while_a_runtime_runs)
{
	struct sigaction action = {
		.sa_sigaction = own_handler, .sa_flags = SA_SIGINFO,
	};
	struct sigaction after;
	size_t i;

	sigaction(SIGSEGV, &action, NULL);
	signal(SIGQUIT, SIG_DFL);
	ck_assert_int_eq(go_run(nothing, NULL), 0);
	sigaction(SIGSEGV, NULL, &after);
	ck_assert(after.sa_sigaction == own_handler);
	sigaction(SIGQUIT, NULL, &after);
	ck_assert(after.sa_handler == SIG_DFL);

	/* What the program has set meanwhile stays. */
	signal(SIGSEGV, SIG_DFL);
	run_after_another(set_own_handlers, NULL);
	for (i = 0; i < sizeof(handled) / sizeof(*handled); i++) {
		sigaction(handled[i], NULL, &after);
		ck_assert(after.sa_sigaction == own_handler);
	}
}
END_TEST

/* ---- dumps ------------------------------------------------------------------------- */

void receive_for_ever(void *arg);
NAMED void receive_for_ever(void *arg)
{
	go_chan_recv(arg, NULL);
	go_waitgroup_done(&wg);
}

void sleep_for_long(void *arg);
NAMED void sleep_for_long(void *arg)
{
	(void)arg;
	go_sleep(GO_SECOND * 1000);
	go_waitgroup_done(&wg);
}

void block_in_the_kernel(void *arg);
NAMED void block_in_the_kernel(void *arg)
{
	char c;

	(void)arg;
	add(ready, 1);
	ck_assert_int_eq(read(fds[0], &c, 1), 1);
	go_waitgroup_done(&wg);
}

void compute(void *arg);
NAMED void compute(void *arg)
{
	(void)arg;
	add(ready, 1);
	while (!load(stop))
		;
	go_waitgroup_done(&wg);
}

static void spawn(go_fn fn, void *arg, const char *name)
{
	struct go_opts opts = { .name = name };

	go_waitgroup_add(&wg, 1);
	ck_assert_int_eq(go_spawn_opts(fn, arg, &opts), 0);
}

/* In a process that ends with goroutines that wait. */
static void dump_main(void *arg)
{
	struct go_chan *ch = go_chan_make(0, 0);

	ck_assert_int_eq(pipe(fds), 0);
	spawn(receive_for_ever, ch, "receiver");
	spawn(sleep_for_long, NULL, "sleeper");
	spawn(block_in_the_kernel, NULL, "reader");
	spawn(compute, NULL, "computer");
	wait_until(load(ready) == 2);
	/* The reader has been seen blocked when its processor is taken. */
	go_sleep(20 * GO_MILLISECOND);
	if (arg) {
		raise(SIGQUIT);
		pause();
	}
	ck_assert_int_eq(go_dump(STDERR_FILENO), 0);
	store(stop, 1);
	_exit(0);
}

static void run_dump(void)
{
	setenv("GOMAXPROCS", "3", 1);
	go_run(dump_main, NULL);
}

static void ck_said_of_all(void)
{
	ck_said_of("(receiver) [chan receive]:\n", "\treceive_for_ever+0x");
	ck_said_of("(receiver) [chan receive]:\n",
		   "\nstarted with receive_for_ever+0x0 (");
	ck_said_of("(sleeper) [sleep]:\n", "\tgo_sleep+0x");
	ck_said_of("(sleeper) [sleep]:\n", "\tsleep_for_long+0x");
	ck_said_of("(reader) [blocked in the kernel, thread ",
		   "\nstarted with block_in_the_kernel+0x0 (");
	/* The monitor may have stopped it: another waits for a processor, perhaps. */
	ck_said_of(strstr(said, "(computer) [preempted]") ?
		   "(computer) [preempted]:\n" : "(computer) [running, thread ",
		   "\nstarted with compute+0x0 (");
}

START_TEST(a_dump_tells_of_all_goroutines)
{
	int status = run_apart(run_dump);

	ck_assert_int_eq(status, 0);
	ck_said_of_all();
	ck_said_of("(main) [makes this dump]:\n", "\n\t");
}
END_TEST

static void *dump_from_thread(void *arg)
{
	while (!load(ready))
		usleep(100);
	ck_assert_int_eq(go_dump(STDERR_FILENO), 0);
	_exit(0);
	return arg;
}

static void compute_main(void *arg)
{
	pthread_t thread;

	(void)arg;
	pthread_create(&thread, NULL, dump_from_thread, NULL);
	spawn(compute, NULL, "computer");
	spawn(compute, NULL, "computer");
	go_waitgroup_wait(&wg);
}

static void run_two_on_one(void)
{
	setenv("GOMAXPROCS", "1", 1);
	go_run(compute_main, NULL);
}

START_TEST(a_plain_thread_can_dump)
{
	int status = run_apart(run_two_on_one);

	ck_assert_int_eq(status, 0);
	/* Which of them runs, and whether main waits yet, is not known. */
	ck_said("(computer) [");
	ck_said("(main) [");
}
END_TEST

static void yield_until_stop(void *arg)
{
	(void)arg;
	while (!load(stop))
		go_yield();
	go_waitgroup_done(&wg);
}

static void pass_on(void *arg)
{
	struct go_chan **chs = arg;

	while (go_chan_recv(chs[0], NULL))
		go_chan_send(chs[1], NULL);
	go_waitgroup_done(&wg);
}

/* What a dump looks at goes on, and ends, and is used again. */
GO_TEST(a_dump_disturbs_nobody)
{
	static struct go_chan *chs[3];
	int i, null = open("/dev/null", O_WRONLY);

	for (i = 0; i < 3; i++)
		chs[i] = go_chan_make(0, 0);
	for (i = 0; i < 2; i++) {
		go_waitgroup_add(&wg, 2);
		go_spawn(yield_until_stop, NULL);
		go_spawn(pass_on, &chs[i]);
	}
	for (i = 0; i < SANITIZED(20, 200); i++) {
		ck_assert_int_eq(go_spawn(nothing, NULL), 0);
		ck_assert_int_eq(go_chan_send(chs[0], NULL), 0);
		ck_assert_int_eq(go_dump(null), 0);
		ck_assert_int_eq(go_chan_recv(chs[2], NULL), 1);
	}
	store(stop, 1);
	for (i = 0; i < 2; i++)
		go_chan_close(chs[i]);
	go_waitgroup_wait(&wg);
	for (i = 0; i < 3; i++)
		go_chan_release(chs[i]);
	ck_assert_int_eq(go_dump(-1), -EBADF);
	close(null);
}

#define MANY_SLEEPERS	200
#define CHILDREN	STARTS(50)

static void *read_slowly(void *arg)
{
	usleep(20000);
	read_all(fds[0]);
	return arg;
}

GO_TEST(a_dump_waits_for_who_reads)
{
	struct go_chan *ch = go_chan_make(0, 0);
	pthread_t thread;
	int i;

	for (i = 0; i < MANY_SLEEPERS; i++)
		spawn(receive_for_ever, ch, i + 1 < MANY_SLEEPERS ? "one" : "last");
	/* It holds a page, and does not wait, as what libgo makes. */
	ck_assert_int_eq(pipe(fds), 0);
	ck_assert_int_ge(fcntl(fds[1], F_SETPIPE_SZ, 4096), 0);
	ck_assert_int_eq(fcntl(fds[1], F_SETFL, O_NONBLOCK), 0);
	ck_assert_int_eq(pthread_create(&thread, NULL, read_slowly, NULL), 0);
	ck_assert_int_eq(go_dump(fds[1]), 0);
	close(fds[1]);
	pthread_join(thread, NULL);
	ck_said("(last)");
	close(fds[0]);
	go_chan_close(ch);
	go_waitgroup_wait(&wg);
	go_chan_release(ch);
}

static void *dump_all_the_time(void *arg)
{
	int null = open("/dev/null", O_WRONLY);

	while (!load(stop)) {
		ck_assert_int_eq(go_dump(null), 0);
		store(ready, 1);
	}
	close(null);
	return arg;
}

GO_TEST(a_child_of_fork_has_no_dump)
{
	pthread_t thread;
	pid_t pid;
	int i, status;

	ck_assert_int_eq(pthread_create(&thread, NULL, dump_all_the_time, NULL), 0);
	wait_until(load(ready));
	for (i = 0; i < CHILDREN; i++) {
		pid = fork();
		if (!pid)
			_exit(go_dump(STDERR_FILENO) != -ESRCH);
		ck_assert_int_eq(go_wait(pid, &status), 0);
		ck_assert_int_eq(status, 0);
	}
	store(stop, 1);
	pthread_join(thread, NULL);
}

START_TEST(without_a_runtime_there_is_no_dump)
{
	ck_assert_int_eq(go_dump(STDERR_FILENO), -ESRCH);
}
END_TEST

/* ---- SIGQUIT ------------------------------------------------------------------------ */

static void run_quit(void)
{
	signal(SIGQUIT, SIG_DFL);
	setenv("GOMAXPROCS", "3", 1);
	go_run(dump_main, (void *)1);
}

static void run_quit_off(void)
{
	setenv("LIBGO_DEBUG", "sigquit=0", 1);
	run_quit();
}

static void quit_handler(int sig)
{
	_exit(sig == SIGQUIT ? 42 : 1);
}

static void run_quit_handled(void)
{
	signal(SIGQUIT, quit_handler);
	setenv("GOMAXPROCS", "3", 1);
	go_run(dump_main, (void *)1);
}

START_TEST(sigquit_dumps_and_ends)
{
	int status = run_apart(run_quit);

	ck_said("SIGQUIT: quit\n");
	ck_said_of_all();
	ck_said_of("(main) [", "\nstarted with ");
	ck_assert(WIFEXITED(status));
	ck_assert_int_eq(WEXITSTATUS(status), 2);
}
END_TEST

START_TEST(sigquit_is_the_programs_if_it_wants_it)
{
	int status = run_apart(run_quit_off);

	ck_libgo_said_nothing();
	ck_assert(WIFSIGNALED(status));
	ck_assert_int_eq(WTERMSIG(status), SIGQUIT);

	status = run_apart(run_quit_handled);
	ck_libgo_said_nothing();
	ck_assert(WIFEXITED(status));
	ck_assert_int_eq(WEXITSTATUS(status), 42);
}
END_TEST

static struct sigaction quit_action;

/* ThreadSanitizer has a signal come with the next call that waits. */
static void quit(void)
{
	raise(SIGQUIT);
	usleep(1000);
}

/* Where nobody waits for it: in a child of fork(). */
static void quit_in_child(void *arg)
{
	int status;
	pid_t pid = fork();

	(void)arg;
	if (!pid) {
		quit();
		_exit(0);
	}
	ck_assert_int_eq(go_wait(pid, &status), 0);
	_exit(WIFSIGNALED(status) && WTERMSIG(status) == SIGQUIT ? 42 : 1);
}

static void run_quit_in_child(void)
{
	signal(SIGQUIT, SIG_DFL);
	go_run(quit_in_child, NULL);
}

static void save_quit_action(void *arg)
{
	(void)arg;
	sigaction(SIGQUIT, NULL, &quit_action);
}

/* After the runtime, where somebody has put back what was there meanwhile, as system(3). */
static void run_quit_after(void)
{
	signal(SIGQUIT, SIG_DFL);
	go_run(save_quit_action, NULL);
	sigaction(SIGQUIT, &quit_action, NULL);
	quit();
}

START_TEST(sigquit_ends_the_program_where_nobody_waits_for_it)
{
	int status;

	/* ThreadSanitizer passes on no signals in a child of a process with threads. */
	if (!TSAN) {
		status = run_apart(run_quit_in_child);
		ck_assert(WIFEXITED(status));
		ck_assert_int_eq(WEXITSTATUS(status), 42);
	}
	status = run_apart(run_quit_after);
	ck_assert(WIFSIGNALED(status));
	ck_assert_int_eq(WTERMSIG(status), SIGQUIT);
}
END_TEST

START_TEST(settings_for_debugging_are_checked)
{
	static const char * const bad[] = {
		"x", "sigquit", "sigquit=", "sigquit=2", "sigquit=1x",
		"sigquit=1,x=1", "sigquit=-1", "sigquit= 1", "sigquit=+1",
		"sigquit=-18446744073709551615",
	};
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		setenv("LIBGO_DEBUG", bad[i], 1);
		ck_assert_int_eq(go_run(nothing, NULL), -EINVAL);
	}
	setenv("LIBGO_DEBUG", "sigquit=1", 1);
	ck_assert_int_eq(go_run(nothing, NULL), 0);
}
END_TEST

/* ---- the end of the stack --------------------------------------------------------------- */

static _Unwind_Reason_Code count_frame(struct _Unwind_Context *frame, void *arg)
{
	(void)frame;
	return ++*(int *)arg < 100 ? _URC_NO_REASON : _URC_NORMAL_STOP;
}

GO_TEST(unwinding_ends_at_the_first_frame)
{
	int frames = 0;

	ck_assert_int_eq(_Unwind_Backtrace(count_frame, &frames),
			 _URC_END_OF_STACK);
	ck_assert_int_ge(frames, 2);
	ck_assert_int_lt(frames, 10);
}

/*
 * At each instruction of a switch a signal may come whose handler unwinds, as a
 * profiler's does. So do this at each of them, single-stepped. It is for some stacks only
 * that a wrong step would come upon another's guard.
 */
#if defined(__x86_64__) && !SANITIZED(1, 0)
#define STEPPED_STACKS	40

#define TRAP_FLAG	0x100

static volatile int looks;
static int steps, wrong_steps;

static void unwind_here(int signo)
{
	int frames = 0;

	(void)signo;
	if (!looks)
		return;
	steps++;
	if (_Unwind_Backtrace(count_frame, &frames) != _URC_END_OF_STACK ||
	    frames < 2)
		wrong_steps++;
}

static void yield_stepped(void *arg)
{
	(void)arg;
	go_yield();
	go_waitgroup_done(&wg);
}

static void unwind_in_switches(void *arg __attribute__((unused)))
{
	int i;

	go_waitgroup_add(&wg, STEPPED_STACKS);
	for (i = 0; i < STEPPED_STACKS; i++)
		go_spawn(yield_stepped, NULL);
	/* The flag is the thread's: it stays set in a switch of goroutines. */
	__builtin_ia32_writeeflags_u64(__builtin_ia32_readeflags_u64() | TRAP_FLAG);
	looks = 1;
	go_waitgroup_wait(&wg);
	looks = 0;
	__builtin_ia32_writeeflags_u64(__builtin_ia32_readeflags_u64() & ~TRAP_FLAG);
	ck_assert_int_gt(steps, STEPPED_STACKS * 50);
	ck_assert_int_eq(wrong_steps, 0);
}

START_TEST(every_instruction_of_a_switch_can_be_unwound_from)
{
	struct sigaction action = {
		.sa_handler = unwind_here, .sa_flags = SA_ONSTACK,
	};
	int frames = 0;

	/* It allocates the first time. */
	_Unwind_Backtrace(count_frame, &frames);
	sigaction(SIGTRAP, &action, NULL);
	run_with_procs(1, unwind_in_switches);
}
END_TEST
#define add_stepped(tc)	\
	tcase_add_test(tc, every_instruction_of_a_switch_can_be_unwound_from)
#else
#define add_stepped(tc)	((void)0)
#endif

/* ---- deadlocks and the trace -------------------------------------------------------- */

static void sleep_on(void *arg)
{
	go_chan_recv(arg, NULL);
}

static void all_asleep_main(void *arg)
{
	struct go_chan *ch = go_chan_make(0, 0);
	struct go_opts opts = { .name = "sleeper" };

	(void)arg;
	go_spawn_opts(sleep_on, ch, &opts);
	go_chan_recv(ch, NULL);
}

static void all_asleep(void)
{
	go_run(all_asleep_main, NULL);
}

static void all_asleep_after_signals_main(void *arg)
{
	struct go_chan *ch = go_chan_make(sizeof(int), 1);

	ck_assert_int_eq(go_signal_notify(ch, SIGUSR1), 0);
	ck_assert_int_eq(go_signal_stop(ch), 0);
	all_asleep_main(arg);
}

static void all_asleep_after_signals(void)
{
	go_run(all_asleep_after_signals_main, NULL);
}

static int threads_now(void)
{
	struct stat st;

	return stat("/proc/self/task", &st) ? 0 : st.st_nlink - 2;
}

static void ck_deadlock_is_reported(void (*fn)(void))
{
	int status = run_apart(fn);

	ck_assert(WIFEXITED(status));
	ck_assert_int_eq(WEXITSTATUS(status), 2);
	ck_assert_ptr_nonnull(strstr(said, "all goroutines are asleep"));
	ck_assert_ptr_nonnull(strstr(said, "sleeper"));
	ck_assert_ptr_nonnull(strstr(said, "chan receive"));
}

START_TEST(a_deadlock_is_reported)
{
	ck_deadlock_is_reported(all_asleep);
	ck_deadlock_is_reported(all_asleep_after_signals);
}
END_TEST

static void *wake_later(void *arg)
{
	usleep(200000);
	go_chan_send(arg, NULL);
	return NULL;
}

/* Any of these would have been a deadlock but for what ends the wait. */
static void not_asleep_main(void *arg)
{
	struct go_chan *ch = go_chan_make(0, 0);
	pthread_t thread;

	(void)arg;
	go_sleep(200 * GO_MILLISECOND);
	usleep(200000);
	go_lock_os_thread();
	go_sleep(200 * GO_MILLISECOND);
	go_unlock_os_thread();
	if (pthread_create(&thread, NULL, wake_later, ch))
		_exit(3);
	go_chan_recv(ch, NULL);
	pthread_join(thread, NULL);
	go_chan_release(ch);
}

static void not_asleep(void)
{
	_exit(go_run(not_asleep_main, NULL) ? 4 : 0);
}

START_TEST(what_may_wake_is_no_deadlock)
{
	int status = run_apart(not_asleep);

	ck_assert(WIFEXITED(status));
	ck_assert_int_eq(WEXITSTATUS(status), 0);
	ck_assert_str_eq(said, "");
}
END_TEST

static void trace_main(void *arg)
{
	(void)arg;
	go_sleep(100 * GO_MILLISECOND);
}

static void traced(void)
{
	setenv("LIBGO_DEBUG", "schedtrace=10", 1);
	setenv("GOMAXPROCS", "3", 1);
	go_run(trace_main, NULL);
}

START_TEST(the_trace_has_a_line_now_and_then)
{
	int lines = 0;
	char *p;

	run_apart(traced);
	for (p = said; (p = strstr(p, "SCHED ")); p++)
		lines++;
	ck_assert_int_ge(lines, 4);
	ck_assert_ptr_nonnull(strstr(said, "gomaxprocs=3"));
	ck_assert_ptr_nonnull(strstr(said, "runqueue=0 [0 0 0]"));
}
END_TEST

static bool ran_meanwhile;

static void run_meanwhile(void *arg)
{
	(void)arg;
	__atomic_store_n(&ran_meanwhile, true, __ATOMIC_RELAXED);
}

/* Without the module it is the monitor that sees this. */
static void unread_main(void *arg)
{
	(void)arg;
	go_sleep(20 * GO_MILLISECOND);
	go_spawn(run_meanwhile, NULL);
	usleep(300000);
	_exit(__atomic_load_n(&ran_meanwhile, __ATOMIC_RELAXED) ? 0 : 3);
}

/* Standard error is a pipe that is full. */
static void traced_unread(void)
{
	static const char text[4096];

	if (pipe(fds) || fcntl(fds[1], F_SETFL, O_NONBLOCK))
		_exit(4);
	while (write(fds[1], text, sizeof(text)) > 0)
		;
	fcntl(fds[1], F_SETFL, 0);
	dup2(fds[1], STDERR_FILENO);
	setenv("LIBGO_DEBUG", "schedtrace=1", 1);
	setenv("LIBGO_ASSIST", "standin", 1);
	setenv("GOMAXPROCS", "1", 1);
	go_run(unread_main, NULL);
	_exit(5);
}

START_TEST(the_trace_waits_for_no_reader)
{
	int status = run_apart(traced_unread);

	ck_assert(WIFEXITED(status));
	ck_assert_int_eq(WEXITSTATUS(status), 0);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("debug");

	tcase_add_test(tc, an_overflow_of_a_guarded_stack_is_reported);
	tcase_add_test(tc, an_overflow_of_an_unguarded_stack_is_reported);
	tcase_add_test(tc, other_faults_are_the_programs);
	tcase_add_go_test(tc, a_fault_can_be_caught);
	tcase_add_test(tc, the_handlers_are_there_while_a_runtime_runs);
	tcase_add_test(tc, a_dump_tells_of_all_goroutines);
	tcase_add_test(tc, a_plain_thread_can_dump);
	tcase_add_go_test(tc, a_dump_disturbs_nobody);
	tcase_add_go_test(tc, a_dump_waits_for_who_reads);
	tcase_add_go_test(tc, a_child_of_fork_has_no_dump);
	tcase_add_test(tc, without_a_runtime_there_is_no_dump);
	tcase_add_test(tc, sigquit_dumps_and_ends);
	tcase_add_test(tc, sigquit_ends_the_program_where_nobody_waits_for_it);
	tcase_add_test(tc, sigquit_is_the_programs_if_it_wants_it);
	tcase_add_test(tc, settings_for_debugging_are_checked);
	tcase_add_go_test(tc, unwinding_ends_at_the_first_frame);
	add_stepped(tc);
	/* Not where others have threads: an emulator, or ThreadSanitizer. */
	if (!TSAN && threads_now() == 1)
		tcase_add_test(tc, a_deadlock_is_reported);
	tcase_add_test(tc, what_may_wake_is_no_deadlock);
	tcase_add_test(tc, the_trace_has_a_line_now_and_then);
	tcase_add_test(tc, the_trace_waits_for_no_reader);
	return run_tests("debug", tc);
}
