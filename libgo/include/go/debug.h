/* SPDX-License-Identifier: MIT */
/*
 * Looking for what is wrong.
 */
#ifndef GO_DEBUG_H
#define GO_DEBUG_H

#include <go/api.h>

/**
 * go_dump() - write down all goroutines
 * @fd: where to
 *
 * For each its number, name, state, what it waits for, and who called whom on its
 * stack; for one that runs, the thread. Others go on meanwhile, so the picture is
 * not of one instant. Who may call: any thread; a goroutine needs 8 KiB of stack.
 *
 * SIGQUIT does the same on standard error and ends the program with status 2, as
 * in Go, unless the program has a handler for it or ignores it, or LIBGO_DEBUG
 * contains sigquit=0.
 *
 * Return: 0; -ESRCH if no runtime runs; -EAGAIN or -ENOMEM if there is no thread
 * for it; an error of write(2), -EAGAIN after five seconds without room where @fd does
 * not wait.
 */
GO_API int go_dump(int fd);

#endif /* GO_DEBUG_H */
