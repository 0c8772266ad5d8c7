/* SPDX-License-Identifier: MIT */
/*
 * Contexts: what says to a tree of goroutines that their work is not wanted any
 * more, as Go's package context.
 */
#ifndef GO_CONTEXT_H
#define GO_CONTEXT_H

#include <go/api.h>
#include <go/chan.h>

/**
 * struct go_context - a context
 *
 * Each function that makes one from a parent returns it with one reference, which
 * is to be given back with go_context_release(). A context has a reference on its
 * parent. Who may call what follows: any thread, also while no runtime runs,
 * unless it says otherwise.
 */
struct go_context;

/**
 * go_context_background() - the context that is never cancelled
 *
 * Return: the root of all others. It needs no references.
 */
GO_API struct go_context *go_context_background(void);

/**
 * go_context_retain() - take a reference on a context
 * @ctx: the context
 *
 * Return: @ctx.
 */
GO_API struct go_context *go_context_retain(struct go_context *ctx);

/**
 * go_context_release() - give a reference back, the last one frees the context
 * @ctx: the context, or NULL
 *
 * It does not cancel the context.
 */
GO_API void go_context_release(struct go_context *ctx);

/**
 * go_context_with_cancel() - make a context that can be cancelled
 * @parent: its parent; when that is cancelled, so is this
 *
 * Return: the context; NULL if there is no memory or no @parent.
 */
GO_API struct go_context *go_context_with_cancel(struct go_context *parent);

/**
 * go_context_with_deadline() - make a context that is cancelled at a point in time
 * @parent: its parent
 * @deadline: on the clock of go_now(); the parent's, if that is earlier. If it has
 *	passed, the context is cancelled at once
 *
 * Who may call: any thread. It wants a runtime that keeps the time, and is not cancelled by
 * time any more once that has ended.
 *
 * Return: as go_context_with_cancel(); NULL also if it would have to wait for its time and no
 * runtime runs.
 */
GO_API struct go_context *go_context_with_deadline(struct go_context *parent,
						   int64_t deadline);

/**
 * go_context_with_timeout() - make a context that is cancelled when time has passed
 * @parent: its parent
 * @ns: how long
 *
 * Return: as go_context_with_deadline().
 */
GO_API struct go_context *go_context_with_timeout(struct go_context *parent,
						  int64_t ns);

/**
 * go_context_with_value() - make a context that has a value
 * @parent: its parent
 * @key: what the value is found by: the address of something of its user's
 * @value: the value; it is the caller's to see that it lives as long
 *
 * Return: the context; NULL if there is no memory, no @parent or no @key.
 */
GO_API struct go_context *go_context_with_value(struct go_context *parent,
						const void *key, void *value);

/**
 * go_context_cancel() - cancel a context, and all that were made from it
 * @ctx: one made by go_context_with_cancel(), _deadline() or _timeout()
 *
 * Return: 0, also if it has been cancelled; -EINVAL for another one.
 */
GO_API int go_context_cancel(struct go_context *ctx);

/**
 * go_context_cancel_cause() - cancel a context, and say why
 * @ctx: as for go_context_cancel()
 * @cause: what go_context_cause() is to return, a negative errno or any number but 0
 *
 * Return: 0, also if it has been cancelled, and then with another cause; -EINVAL
 * for another one, or a cause of 0.
 */
GO_API int go_context_cancel_cause(struct go_context *ctx, int cause);

/**
 * go_context_done() - the channel that is closed when a context is cancelled
 * @ctx: the context
 *
 * Return: the channel, for go_select() and go_chan_recv(); the reference is the
 * context's. NULL, which is never ready, if the context can't be cancelled.
 */
GO_API struct go_chan *go_context_done(const struct go_context *ctx);

/**
 * go_context_err() - whether and how a context was cancelled
 * @ctx: the context
 *
 * Return: 0 if it was not; -ECANCELED; -ETIMEDOUT if its deadline has passed.
 */
GO_API int go_context_err(const struct go_context *ctx);

/**
 * go_context_cause() - why a context was cancelled
 * @ctx: the context
 *
 * Return: what was given to go_context_cancel_cause() for it, or for the parent
 * that was cancelled; else as go_context_err().
 */
GO_API int go_context_cause(const struct go_context *ctx);

/**
 * go_context_deadline() - when a context will be cancelled
 * @ctx: the context
 *
 * Return: the time, on the clock of go_now(); INT64_MAX if there is none.
 */
GO_API int64_t go_context_deadline(const struct go_context *ctx);

/**
 * go_context_value() - the value of a context
 * @ctx: the context
 * @key: what was given to go_context_with_value()
 *
 * Return: the value of the nearest context, from @ctx up, that has one of that key;
 * NULL if none has.
 */
GO_API void *go_context_value(const struct go_context *ctx, const void *key);

#endif /* GO_CONTEXT_H */
