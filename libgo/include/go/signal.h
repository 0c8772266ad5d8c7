/* SPDX-License-Identifier: MIT */
/*
 * Signals as elements of channels, as Go's os/signal.
 *
 * The lists of signal numbers end with a 0, which macros of the same names add:
 *
 *	go_signal_notify(ch, SIGINT, SIGTERM);
 *
 * All may be called from any thread, but not in a signal handler, and return -ESRCH
 * while no runtime runs. When go_run() ends all is as it was before.
 */
#ifndef GO_SIGNAL_H
#define GO_SIGNAL_H

#include <go/api.h>
#include <go/chan.h>

/**
 * go_signal_notify() - have signals sent to a channel
 * @ch: a channel of int; it gets the numbers of signals that the process receives
 *
 * What follows are the signals; none stands for all that can be. They are added
 * to those that the channel gets already. Several channels may get the same
 * signal.
 *
 * Nothing waits for the channel: a signal that there is no room for, or nobody who
 * waits for it, is dropped, so a buffer should be large enough for what is
 * expected; 1 for one kind of signal. Several of one kind that come before the first
 * one was sent on become one, as the kernel's own do.
 *
 * The signals need not be unblocked in any thread. A system call that one of them
 * interrupts is restarted. A child that is executed gets their default action.
 *
 * Return: 0; -EINVAL if the channel is NULL or not one of int, or for a signal that
 * does not exist, can't be caught (SIGKILL, SIGSTOP), tells of a fault (SIGBUS,
 * SIGFPE, SIGILL, SIGSEGV, SIGSYS, SIGTRAP) or is libgo's own (SIGURG, with which it
 * preempts goroutines); -ENOMEM; -EAGAIN if no thread can be made. Nothing is changed
 * then.
 */
GO_API int go_signal_notify(struct go_chan *ch, ...);
#define go_signal_notify(...)	((go_signal_notify)(__VA_ARGS__, 0))

/**
 * go_signal_stop() - send no more signals to a channel
 * @ch: the channel
 *
 * What came before is in the channel when this returns, and nothing comes after. A
 * signal that no other channel gets has the action again that it had before: each
 * one is either sent or does what it did then.
 *
 * Return: 0, also for a channel that gets none; -EINVAL for NULL.
 */
GO_API int go_signal_stop(struct go_chan *ch);

/**
 * go_signal_reset() - undo go_signal_notify() and go_signal_ignore()
 * @signo: the first signal, more may follow; 0 alone for all
 *
 * No channel gets them any more, and they have the actions that they had before.
 *
 * Return: 0; -EINVAL as go_signal_notify().
 */
GO_API int go_signal_reset(int signo, ...);
#define go_signal_reset(...)	((go_signal_reset)(__VA_ARGS__, 0))

/**
 * go_signal_ignore() - ignore signals
 * @signo: the first signal, more may follow; 0 alone for all
 *
 * No channel gets them any more. A child that is executed ignores them, too.
 *
 * Return: 0; -EINVAL as go_signal_notify().
 */
GO_API int go_signal_ignore(int signo, ...);
#define go_signal_ignore(...)	((go_signal_ignore)(__VA_ARGS__, 0))

#endif /* GO_SIGNAL_H */
