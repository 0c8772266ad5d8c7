// SPDX-License-Identifier: MIT
/*
 * What is to be done once.
 */
#include <go.h>

void go_once_do_slow(struct go_once *once, go_fn fn, void *arg)
{
	go_mutex_lock(&once->mutex);
	if (!once->done) {
		fn(arg);
		/* Pairs with go_once_do()'s look without the mutex. */
		__atomic_store_n(&once->done, 1, __ATOMIC_RELEASE);
	}
	go_mutex_unlock(&once->mutex);
}
