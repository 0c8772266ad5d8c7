// SPDX-License-Identifier: MIT
/*
 * Uthash's table is for one at a time: there are several, each with its lock, and the
 * hash says which one is a key's. An entry is only in the hands of who has the lock; a
 * value has users of its own, so that nobody writes to a client while he has it.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1
#define uthash_nonfatal_oom(entry) ((entry)->lost = true)
#include <uthash.h>
#include <utlist.h>

#include <go.h>

#include "store.h"

#define SHARDS	64

struct entry {
	UT_hash_handle hh;
	struct value *value;
	int64_t expiry;			/* of one in the list of those that do */
	struct entry *prev, *next;
	bool lost;			/* no memory: it is not in the table */
	size_t n;
	char key[];
};

struct shard {
	struct go_mutex lock;
	struct entry *table;
	struct entry *expiring;
} __attribute__((aligned(64)));

struct store {
	struct shard shards[SHARDS];
};

/* A key, whose shard is locked from find() to done(). */
struct place {
	struct shard *shard;
	struct entry *entry;		/* NULL if it is not there */
	struct resp_string key;
	unsigned int hash;
};

struct store *store_make(void)
{
	struct store *store = aligned_alloc(64, sizeof(*store));

	return store ? memset(store, 0, sizeof(*store)) : NULL;
}

void store_free(struct store *store)
{
	store_clear(store);
	free(store);
}

static struct value *value_make(const char *s, size_t n)
{
	struct value *v = malloc(sizeof(*v) + n);

	if (v) {
		v->users = 1;
		v->n = n;
		memcpy(v->s, s, n);
	}
	return v;
}

void value_put(struct value *v)
{
	if (!__atomic_sub_fetch(&v->users, 1, __ATOMIC_ACQ_REL))
		free(v);
}

static void set_expiry(struct shard *shard, struct entry *e, int64_t expiry)
{
	if (e->expiry != STORE_FOR_EVER)
		DL_DELETE(shard->expiring, e);
	e->expiry = expiry;
	if (expiry != STORE_FOR_EVER)
		DL_APPEND(shard->expiring, e);
}

static void remove_entry(struct shard *shard, struct entry *e)
{
	set_expiry(shard, e, STORE_FOR_EVER);
	HASH_DEL(shard->table, e);
	value_put(e->value);
	free(e);
}

static struct place find(struct store *store, struct resp_string key)
{
	struct place p = { .key = key };

	HASH_VALUE(key.s, key.n, p.hash);
	/* the table's buckets go by the low bits */
	p.shard = &store->shards[p.hash / (UINT32_MAX / SHARDS + 1)];
	go_mutex_lock(&p.shard->lock);
	HASH_FIND_BYHASHVALUE(hh, p.shard->table, key.s, key.n, p.hash, p.entry);
	if (p.entry && p.entry->expiry <= go_now()) {
		remove_entry(p.shard, p.entry);
		p.entry = NULL;
	}
	return p;
}

static void done(struct place *p)
{
	go_mutex_unlock(&p->shard->lock);
}

/* The value is the entry's, or gone with it. */
static int put_in(struct place *p, struct value *v, int64_t expiry)
{
	struct entry *e = p->entry;

	if (!v)
		return -ENOMEM;
	if (e) {
		value_put(e->value);
		e->value = v;
		set_expiry(p->shard, e, expiry);
		return 0;
	}
	e = malloc(sizeof(*e) + p->key.n);
	if (!e) {
		value_put(v);
		return -ENOMEM;
	}
	e->value = v;
	e->expiry = STORE_FOR_EVER;
	e->lost = false;
	e->n = p->key.n;
	memcpy(e->key, p->key.s, e->n);
	HASH_ADD_KEYPTR_BYHASHVALUE(hh, p->shard->table, e->key, e->n, p->hash, e);
	if (e->lost) {
		value_put(v);
		free(e);
		return -ENOMEM;
	}
	set_expiry(p->shard, e, expiry);
	return 0;
}

struct value *store_get(struct store *store, struct resp_string key)
{
	struct place p = find(store, key);
	struct value *v = p.entry ? p.entry->value : NULL;

	if (v)
		__atomic_add_fetch(&v->users, 1, __ATOMIC_RELAXED);
	done(&p);
	return v;
}

int store_set(struct store *store, struct resp_string key,
	      struct resp_string value, int64_t expiry, enum store_when when)
{
	struct value *v = value_make(value.s, value.n);
	struct place p = find(store, key);
	int ret = 0;

	if (when == (p.entry ? STORE_IF_THERE : STORE_IF_NEW) ||
	    when == STORE_ALWAYS)
		ret = put_in(&p, v, expiry) ?: 1;
	else if (v)
		value_put(v);
	done(&p);
	return ret;
}

static int number_of(const struct value *v, int64_t *number)
{
	char digits[24], *end;

	if (!v->n || v->n >= sizeof(digits))
		return -EINVAL;
	memcpy(digits, v->s, v->n);
	digits[v->n] = 0;
	/* strtoll would take blanks, too */
	if (strspn(digits, "-0123456789") < v->n)
		return -EINVAL;
	errno = 0;
	*number = strtoll(digits, &end, 10);
	return errno || *end ? -EINVAL : 0;
}

static int add(struct place *p, int64_t delta, int64_t *sum)
{
	int64_t number = 0, expiry = p->entry ? p->entry->expiry : STORE_FOR_EVER;
	char digits[24];
	int ret = p->entry ? number_of(p->entry->value, &number) : 0;

	if (ret)
		return ret;
	if (__builtin_add_overflow(number, delta, sum))
		return -ERANGE;
	ret = snprintf(digits, sizeof(digits), "%" PRId64, *sum);
	return put_in(p, value_make(digits, ret), expiry);
}

int store_add(struct store *store, struct resp_string key, int64_t delta,
	      int64_t *sum)
{
	struct place p = find(store, key);
	int ret = add(&p, delta, sum);

	done(&p);
	return ret;
}

bool store_del(struct store *store, struct resp_string key)
{
	struct place p = find(store, key);
	bool there = p.entry;

	if (there)
		remove_entry(p.shard, p.entry);
	done(&p);
	return there;
}

bool store_expire(struct store *store, struct resp_string key, int64_t expiry)
{
	struct place p = find(store, key);
	bool there = p.entry;

	if (there)
		set_expiry(p.shard, p.entry, expiry);
	done(&p);
	return there;
}

int64_t store_expiry(struct store *store, struct resp_string key)
{
	struct place p = find(store, key);
	int64_t expiry = p.entry ? p.entry->expiry : 0;

	done(&p);
	return expiry;
}

size_t store_count(struct store *store)
{
	struct shard *shard;
	size_t count = 0;

	for (shard = store->shards; shard < store->shards + SHARDS; shard++) {
		go_mutex_lock(&shard->lock);
		count += HASH_COUNT(shard->table);
		go_mutex_unlock(&shard->lock);
	}
	return count;
}

void store_clear(struct store *store)
{
	struct entry *e, *next;
	struct shard *shard;

	for (shard = store->shards; shard < store->shards + SHARDS; shard++) {
		go_mutex_lock(&shard->lock);
		HASH_ITER(hh, shard->table, e, next)
			remove_entry(shard, e);
		go_mutex_unlock(&shard->lock);
	}
}

void store_sweep(struct store *store)
{
	struct entry *e, *next;
	struct shard *shard;
	int64_t now;

	for (shard = store->shards; shard < store->shards + SHARDS; shard++) {
		go_mutex_lock(&shard->lock);
		now = go_now();
		DL_FOREACH_SAFE(shard->expiring, e, next)
			if (e->expiry <= now)
				remove_entry(shard, e);
		go_mutex_unlock(&shard->lock);
		go_yield();
	}
}
