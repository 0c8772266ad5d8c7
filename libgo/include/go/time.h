/* SPDX-License-Identifier: MIT */
/*
 * Time: the clock, sleeping, timers.
 */
#ifndef GO_TIME_H
#define GO_TIME_H

#include <go/api.h>
#include <go/chan.h>
#include <go/run.h>

#define GO_NANOSECOND	((int64_t)1)
#define GO_MICROSECOND	(1000 * GO_NANOSECOND)
#define GO_MILLISECOND	(1000 * GO_MICROSECOND)
#define GO_SECOND	(1000 * GO_MILLISECOND)

/**
 * go_now() - the monotonic clock
 *
 * Return: nanoseconds of CLOCK_MONOTONIC. Any thread.
 */
GO_API int64_t go_now(void);

/**
 * go_sleep() - let time pass
 * @ns: how long; at once if it is not positive
 *
 * Never returns early. Who may call: a goroutine; in a plain thread it is
 * nanosleep().
 */
GO_API void go_sleep(int64_t ns);

/**
 * go_after() - a channel that gets an element when time has passed
 * @ns: how long
 *
 * The element is an int64_t, the time on the clock of go_now(). The caller
 * owns the channel's reference. Who may call: any thread, while a runtime runs.
 *
 * Return: a channel of capacity 1; NULL if there is no memory or no runtime.
 */
GO_API struct go_chan *go_after(int64_t ns);

/**
 * struct go_timer - a function that is to be called later
 */
struct go_timer;

/**
 * go_timer_start() - call a function in a goroutine of its own, later
 * @ns: when, from now
 * @fn: the function
 * @arg: its argument
 *
 * As Go's time.AfterFunc. Who may call: any thread, while a runtime runs.
 *
 * Return: the timer, to be freed with go_timer_free(); NULL if there is no
 * memory, no runtime, or no @fn.
 */
GO_API struct go_timer *go_timer_start(int64_t ns, go_fn fn, void *arg);

/**
 * go_timer_stop() - keep a timer from firing
 * @t: the timer
 *
 * It does not wait for a function that runs already. Who may call: any thread.
 *
 * Return: 1 if it had not fired, 0 if it had or was stopped.
 */
GO_API int go_timer_stop(struct go_timer *t);

/**
 * go_timer_reset() - stop a timer and start it again
 * @t: the timer
 * @ns: when, from now
 *
 * Who may call: any thread, while a runtime runs.
 *
 * Return: 1 if it had not fired, 0 if it had or was stopped; -ENOMEM, -ESRCH if it
 * could not be started.
 */
GO_API int go_timer_reset(struct go_timer *t, int64_t ns);

/**
 * go_timer_free() - stop a timer and give its memory back
 * @t: the timer, or NULL
 *
 * Who may call: any thread, also after the runtime has ended.
 */
GO_API void go_timer_free(struct go_timer *t);

/**
 * struct go_ticker - sends the time on a channel, again and again
 */
struct go_ticker;

/**
 * go_ticker_start() - start a ticker
 * @ns: nanoseconds from one tick to the next
 *
 * As Go's time.NewTicker. If a tick has not been received when the next one comes
 * the next one is dropped. Who may call: any thread, while a runtime runs.
 *
 * Return: the ticker, to be freed with go_ticker_free(); NULL if @ns is not
 * positive, where Go panics, or there is no memory or no runtime.
 */
GO_API struct go_ticker *go_ticker_start(int64_t ns);

/**
 * go_ticker_chan() - the channel of a ticker
 * @tk: the ticker
 *
 * Its capacity is 1, and an element an int64_t, the time on the clock of go_now().
 * It is not closed when the ticker is stopped.
 *
 * Return: the channel; the reference is the ticker's.
 */
GO_API struct go_chan *go_ticker_chan(const struct go_ticker *tk);

/**
 * go_ticker_stop() - let a ticker send no more
 * @tk: the ticker
 *
 * A tick that has not been received is dropped. Who may call: any thread.
 *
 * Return: 1 if it ticked, 0 if it had been stopped.
 */
GO_API int go_ticker_stop(struct go_ticker *tk);

/**
 * go_ticker_reset() - give a ticker another period, from now on
 * @tk: the ticker, which may have been stopped
 * @ns: nanoseconds from one tick to the next
 *
 * A tick that has not been received is dropped. Who may call: any thread, while a
 * runtime runs.
 *
 * Return: 1 if it ticked, 0 if it had been stopped; -EINVAL if @ns is not
 * positive, and nothing is changed; -ENOMEM, -ESRCH, and it is stopped.
 */
GO_API int go_ticker_reset(struct go_ticker *tk, int64_t ns);

/**
 * go_ticker_free() - stop a ticker, and give its memory and its reference on the
 *	channel back
 * @tk: the ticker, or NULL
 *
 * Who may call: any thread, also after the runtime has ended.
 */
GO_API void go_ticker_free(struct go_ticker *tk);

#endif /* GO_TIME_H */
