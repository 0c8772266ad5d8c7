/* SPDX-License-Identifier: MIT */
/* The keys and their values, in memory. All may be called by any goroutine at once. */
#ifndef STORE_H
#define STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "resp.h"

/* No time: the key does not expire. */
#define STORE_FOR_EVER	INT64_MAX

/**
 * struct value - what a key has; it does not change, another takes its place
 * @users: who has it
 * @n: its length in bytes
 * @s: the bytes
 */
struct value {
	int users;
	size_t n;
	char s[];
};

enum store_when { STORE_ALWAYS, STORE_IF_NEW, STORE_IF_THERE };

struct store;

struct store *store_make(void);
void store_free(struct store *store);

/**
 * store_get() - the value of a key
 * Return: it, for value_put(); NULL if the key is not there.
 */
struct value *store_get(struct store *store, struct resp_string key);
/* NULL is fine */
void value_put(struct value *v);

/**
 * store_get_all() - the values of several keys, as they are at one time
 * @store: where
 * @keys: which
 * @n: how many
 * @values: what store_get() would return of each
 */
void store_get_all(struct store *store, const struct resp_string *keys, int n,
		   struct value **values);

/**
 * store_set() - give a key a value
 * @store: where
 * @key: which
 * @value: copied
 * @expiry: on the clock of go_now(), or STORE_FOR_EVER
 * @when: if what is the case
 *
 * Return: 1; 0 if it was not the case; -ENOMEM.
 */
int store_set(struct store *store, struct resp_string key,
	      struct resp_string value, int64_t expiry, enum store_when when);

/**
 * store_set_all() - give several keys their values, which do not expire, at one time
 * @store: where
 * @pairs: key, value, key, value, ...
 * @n: how many keys, RESP_ARGS_MAX / 2 at most
 *
 * Return: 0; -ENOMEM: then none is set.
 */
int store_set_all(struct store *store, const struct resp_string *pairs, int n);

/**
 * store_add() - add to a number
 * @store: where
 * @key: which; one that is not there is 0
 * @delta: what to add
 * @sum: what comes of it
 *
 * Return: 0; -EINVAL if the value is no number; -ERANGE if the sum is none; -ENOMEM.
 */
int store_add(struct store *store, struct resp_string key, int64_t delta,
	      int64_t *sum);

/* Return: whether it was there. */
bool store_del(struct store *store, struct resp_string key);
bool store_expire(struct store *store, struct resp_string key, int64_t expiry);

/* Return: when it expires; 0 if it is not there. */
int64_t store_expiry(struct store *store, struct resp_string key);

size_t store_count(struct store *store);
void store_clear(struct store *store);

/* Those that nobody asked for after they have expired are removed. */
void store_sweep(struct store *store);

#endif /* STORE_H */
