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
	int64_t earliest;		/* none of them expires before */
} __attribute__((aligned(64)));

struct store {
	struct shard shards[SHARDS];
};

/* A key, whose shard is locked as long as this is used. */
struct place {
	struct shard *shard;
	struct entry *entry;		/* NULL if it is not there */
	struct resp_string key;
	unsigned int hash;
};

struct store *store_make(void)
{
	struct store *store = aligned_alloc(64, sizeof(*store));
	int i;

	if (!store)
		return NULL;
	memset(store, 0, sizeof(*store));
	for (i = 0; i < SHARDS; i++)
		store->shards[i].earliest = STORE_FOR_EVER;
	return store;
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
	if (v && !__atomic_sub_fetch(&v->users, 1, __ATOMIC_ACQ_REL))
		free(v);
}

static void set_expiry(struct shard *shard, struct entry *e, int64_t expiry)
{
	if (e->expiry != STORE_FOR_EVER)
		DL_DELETE(shard->expiring, e);
	e->expiry = expiry;
	if (expiry != STORE_FOR_EVER)
		DL_APPEND(shard->expiring, e);
	if (expiry < shard->earliest)
		shard->earliest = expiry;
}

static void remove_entry(struct shard *shard, struct entry *e)
{
	set_expiry(shard, e, STORE_FOR_EVER);
	HASH_DEL(shard->table, e);
	value_put(e->value);
	free(e);
}

static struct place place_of(struct store *store, struct resp_string key)
{
	struct place p = { .key = key };

	HASH_VALUE(key.s, key.n, p.hash);
	/* the table's buckets go by the low bits */
	p.shard = &store->shards[p.hash / (UINT32_MAX / SHARDS + 1)];
	return p;
}

/* The shard is locked. May find one that has expired. */
static void look_up_any(struct place *p)
{
	HASH_FIND_BYHASHVALUE(hh, p->shard->table, p->key.s, p->key.n, p->hash,
			      p->entry);
}

static void look_up(struct place *p)
{
	look_up_any(p);
	if (p->entry && p->entry->expiry <= go_now()) {
		remove_entry(p->shard, p->entry);
		p->entry = NULL;
	}
}

/* Locks the shard, until done(). */
static struct place find(struct store *store, struct resp_string key)
{
	struct place p = place_of(store, key);

	go_mutex_lock(&p.shard->lock);
	look_up(&p);
	return p;
}

static void done(struct place *p)
{
	go_mutex_unlock(&p->shard->lock);
}

/* An entry without a value yet, if there is none. */
static int add_entry(struct place *p)
{
	struct entry *e;

	if (p->entry)
		return 0;
	e = malloc(sizeof(*e) + p->key.n);
	if (!e)
		return -ENOMEM;
	e->value = NULL;
	e->expiry = STORE_FOR_EVER;
	e->lost = false;
	e->n = p->key.n;
	memcpy(e->key, p->key.s, e->n);
	HASH_ADD_KEYPTR_BYHASHVALUE(hh, p->shard->table, e->key, e->n, p->hash, e);
	if (e->lost) {
		free(e);
		return -ENOMEM;
	}
	p->entry = e;
	return 0;
}

static void set_value(struct place *p, struct value *v, int64_t expiry)
{
	value_put(p->entry->value);
	p->entry->value = v;
	set_expiry(p->shard, p->entry, expiry);
}

/* The value is the entry's, or gone with it. */
static int put_in(struct place *p, struct value *v, int64_t expiry)
{
	int ret = v ? add_entry(p) : -ENOMEM;

	if (ret)
		value_put(v);
	else
		set_value(p, v, expiry);
	return ret;
}

static struct value *value_of(struct place *p)
{
	struct value *v = p->entry ? p->entry->value : NULL;

	if (v)
		__atomic_add_fetch(&v->users, 1, __ATOMIC_RELAXED);
	return v;
}

struct value *store_get(struct store *store, struct resp_string key)
{
	struct place p = find(store, key);
	struct value *v = value_of(&p);

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
	else
		value_put(v);
	done(&p);
	return ret;
}

/*
 * The shards of the keys, each once, and for all who lock several in the same order.
 * Every @step-th string is a key. Returns a bit for each shard that is locked.
 */
static uint64_t lock_all(struct store *store, const struct resp_string *keys, int n,
			 int step)
{
	uint64_t locked = 0;
	int i;

	for (i = 0; i < n; i++)
		locked |= 1ULL << (place_of(store, keys[i * step]).shard -
				   store->shards);
	for (i = 0; i < SHARDS; i++)
		if (locked & 1ULL << i)
			go_mutex_lock(&store->shards[i].lock);
	return locked;
}

static void unlock_all(struct store *store, uint64_t locked)
{
	int i;

	for (i = 0; i < SHARDS; i++)
		if (locked & 1ULL << i)
			go_mutex_unlock(&store->shards[i].lock);
}

void store_get_all(struct store *store, const struct resp_string *keys, int n,
		   struct value **values)
{
	uint64_t locked = lock_all(store, keys, n, 1);
	int i;

	for (i = 0; i < n; i++) {
		struct place p = place_of(store, keys[i]);

		look_up(&p);
		values[i] = value_of(&p);
	}
	unlock_all(store, locked);
}

/* With all in their place nothing can fail any more; before, nobody has seen a thing. */
static int add_entries(struct store *store, const struct resp_string *pairs, int n)
{
	int i, ret = 0;

	for (i = 0; !ret && i < n; i++) {
		struct place p = place_of(store, pairs[2 * i]);

		look_up(&p);
		ret = add_entry(&p);
	}
	return ret;
}

int store_set_all(struct store *store, const struct resp_string *pairs, int n)
{
	struct value *values[RESP_ARGS_MAX / 2];
	uint64_t locked;
	int i, ret = 0;

	for (i = 0; i < n; i++) {
		values[i] = value_make(pairs[2 * i + 1].s, pairs[2 * i + 1].n);
		if (!values[i])
			ret = -ENOMEM;
	}
	locked = lock_all(store, pairs, n, 2);
	ret = ret ?: add_entries(store, pairs, n);
	for (i = 0; i < n; i++) {
		struct place p = place_of(store, pairs[2 * i]);

		look_up_any(&p);
		if (!ret) {
			set_value(&p, values[i], STORE_FOR_EVER);
			continue;
		}
		if (p.entry && !p.entry->value)
			remove_entry(p.shard, p.entry);
		value_put(values[i]);
	}
	unlock_all(store, locked);
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

static void sweep_shard(struct shard *shard, int64_t now)
{
	int64_t earliest = STORE_FOR_EVER;
	struct entry *e, *next;

	DL_FOREACH_SAFE(shard->expiring, e, next)
		if (e->expiry <= now)
			remove_entry(shard, e);
		else if (e->expiry < earliest)
			earliest = e->expiry;
	shard->earliest = earliest;
}

void store_sweep(struct store *store)
{
	struct shard *shard;
	int64_t now;

	for (shard = store->shards; shard < store->shards + SHARDS; shard++) {
		go_mutex_lock(&shard->lock);
		now = go_now();
		if (shard->earliest <= now)
			sweep_shard(shard, now);
		go_mutex_unlock(&shard->lock);
		go_yield();
	}
}
