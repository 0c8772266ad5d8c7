/* SPDX-License-Identifier: MIT */
/*
 * The runtime, and goroutines.
 */
#ifndef GO_RUN_H
#define GO_RUN_H

#include <go/api.h>

/**
 * typedef go_fn - what a goroutine runs
 * @arg: the pointer that was given to go_spawn() or go_run()
 */
typedef void (*go_fn)(void *arg);

/**
 * go_run() - run a function as the main goroutine
 * @fn: the function
 * @arg: its argument
 *
 * Starts the runtime, runs @fn as the first goroutine and returns when @fn
 * does, as a Go program ends with main: other goroutines do not go on. Those
 * that are blocked in the kernel then, or compute, are left in their threads, which end
 * as soon as they come back, or with their next call of the library: they may have locks of
 * the C library's. What others waited for at the end, such as a channel, may
 * not be used any more, but for giving back references.
 *
 * Who may call: a plain thread, one at a time.
 *
 * Return: 0; -EBUSY if a runtime runs, or threads of an earlier one are still
 * blocked, or compute; -EPERM from a goroutine; -ENOMEM, -EAGAIN if there is no memory or
 * no thread for it; -EINVAL if an environment variable of libgo's makes no
 * sense (it is named on standard error); -ESRCH in a child of fork(), if a
 * runtime ran when it was made.
 */
GO_API int go_run(go_fn fn, void *arg);

/**
 * struct go_opts - options of a goroutine, all zero for the defaults
 * @stack_size: bytes of stack, 0 for 64 KiB; rounded up to a power of two from
 *	2 KiB on. Some 250 bytes of it are the goroutine's record, and up to 2 KiB of
 *	64 KiB and more are left free; below those of 16 KiB and more is a guard page.
 * @name: shown in reports, or NULL; not copied
 */
struct go_opts {
	size_t stack_size;
	const char *name;
};

/**
 * go_spawn() - start a goroutine
 * @fn: what it runs; the goroutine ends when it returns
 * @arg: its argument
 *
 * Who may call: any thread, while a runtime runs.
 *
 * Return: 0; -ENOMEM; -EINVAL if @fn is NULL; -ESRCH if no runtime runs.
 */
GO_API int go_spawn(go_fn fn, void *arg);

/**
 * go_spawn_opts() - start a goroutine with options
 * @fn: what it runs
 * @arg: its argument
 * @opts: the options, or NULL
 *
 * Return: as go_spawn(); -EINVAL also for a stack size over 1 GiB.
 */
GO_API int go_spawn_opts(go_fn fn, void *arg, const struct go_opts *opts);

/**
 * go_yield() - let other goroutines run
 *
 * The goroutine goes to the end of the global run queue, as with Go's
 * runtime.Gosched. Who may call: a goroutine; in a plain thread it is
 * sched_yield().
 */
GO_API void go_yield(void);

/**
 * go_exit() - end the calling goroutine
 *
 * Nothing of the frames above is run: C has no deferred functions. The main
 * goroutine's end ends go_run(). In a child of fork() it ends the process, as
 * _exit(0). Who may call: a goroutine only.
 */
GO_API __attribute__((noreturn)) void go_exit(void);

/**
 * go_lock_os_thread() - keep the calling goroutine on its thread
 *
 * The goroutine runs on this thread alone, and no other goroutine does, until it
 * has called go_unlock_os_thread() as often. If it ends before that, so does the
 * thread. As Go's runtime.LockOSThread. Who may call: a goroutine only.
 *
 * Return: 0; -EPERM in a plain thread.
 */
GO_API int go_lock_os_thread(void);

/**
 * go_unlock_os_thread() - undo one go_lock_os_thread()
 *
 * Return: 0; -EINVAL if the goroutine is not locked to its thread; -EPERM in a
 * plain thread.
 */
GO_API int go_unlock_os_thread(void);

/**
 * go_id() - number of the calling goroutine
 *
 * Return: from 1 up, never used twice; 0 in a plain thread.
 */
GO_API uint64_t go_id(void);

/* A goroutine; what is in it is libgo's. */
struct go_goroutine;

/**
 * go_self() - the calling goroutine
 *
 * To be compared, or used as the key of what a program keeps for each goroutine. As
 * pthread_self() of a thread, what it returns may come back for another goroutine
 * once this one has ended; go_id() never does.
 *
 * Return: NULL in a plain thread.
 */
GO_API struct go_goroutine *go_self(void);

/**
 * go_num_goroutine() - how many goroutines there are
 *
 * Return: goroutines that have been started and have not ended. Any thread.
 */
GO_API size_t go_num_goroutine(void);

/**
 * go_gomaxprocs() - the number of processors
 * @n: how many there are to be; 0 or less: only tell
 *
 * The default is GOMAXPROCS in the environment or, without that, the number of
 * CPUs in the affinity mask of the thread that called go_run(), less where the
 * cgroup's CPU quota allows fewer; it follows them while the runtime runs, until
 * this function sets it. Who may call: any thread. A processor that is to go
 * is gone when its goroutine next calls libgo, or is preempted.
 *
 * Return: the number that there was; -EINVAL for more than 64 and more than
 * there were at the start; -ESRCH if no runtime runs.
 */
GO_API int go_gomaxprocs(int n);

#endif /* GO_RUN_H */
