// SPDX-License-Identifier: MIT
/*
 * They do what Redis' do: https://redis.io/docs/latest/commands/. But of those that are
 * about several keys only MGET and MSET see or set all at once.
 */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include <go.h>

#include "commands.h"

static const char not_a_number[] = "ERR value is not an integer or out of range";
static const char no_memory[] = "OOM there is no memory left";
static const char syntax[] = "ERR syntax error";

struct call {
	struct store *store;
	int argc;
	const struct resp_string *argv;
	struct resp_replies *replies;
};

static bool is(const struct resp_string *s, const char *word)
{
	return s->n == strlen(word) && !strncasecmp(s->s, word, s->n);
}

static bool integer(const struct resp_string *s, int64_t *value)
{
	bool minus = s->n && s->s[0] == '-';
	size_t i = minus;

	*value = 0;
	for (; i < s->n; i++) {
		int digit = s->s[i] - '0';

		if (digit < 0 || digit > 9 ||
		    __builtin_mul_overflow(*value, (int64_t)10, value) ||
		    __builtin_sub_overflow(*value, (int64_t)digit, value))
			return false;
	}
	/* counted below zero, where there is one more */
	return s->n > minus &&
		(minus || !__builtin_sub_overflow((int64_t)0, *value, value));
}

/* A time from now in units; false, with an error as the reply, if it is none. */
static bool time_from_now(struct call *c, const struct resp_string *s,
			  int64_t unit, int64_t *when)
{
	int64_t n;

	if (!integer(s, &n)) {
		resp_error(c->replies, not_a_number);
		return false;
	}
	if (__builtin_mul_overflow(n, unit, &n) ||
	    __builtin_add_overflow(go_now(), n, when) || *when == STORE_FOR_EVER) {
		resp_error(c->replies, "ERR invalid expire time");
		return false;
	}
	return true;
}

static void ping(struct call *c)
{
	if (c->argc == 1)
		resp_simple(c->replies, "PONG");
	else
		resp_bulk(c->replies, c->argv[1].s, c->argv[1].n);
}

static void reply_value(struct call *c, struct value *v)
{
	if (v)
		resp_bulk(c->replies, v->s, v->n);
	else
		resp_nil(c->replies);
	value_put(v);
}

static void get(struct call *c)
{
	reply_value(c, store_get(c->store, c->argv[1]));
}

/* A short request can ask for the same long value a thousand times. */
static void mget(struct call *c)
{
	struct value *values[RESP_ARGS_MAX];
	size_t begin = c->replies->n;
	int i, n = c->argc - 1;

	store_get_all(c->store, c->argv + 1, n, values);
	resp_array(c->replies, n);
	for (i = 0; i < n && c->replies->n - begin <= RESP_REQUEST_MAX; i++)
		reply_value(c, values[i]);
	if (c->replies->n - begin <= RESP_REQUEST_MAX)
		return;
	for (; i < n; i++)
		value_put(values[i]);
	c->replies->n = begin;
	resp_error(c->replies, "ERR a reply that is too long");
}

static void length(struct call *c)
{
	struct value *v = store_get(c->store, c->argv[1]);

	resp_integer(c->replies, v ? v->n : 0);
	value_put(v);
}

/* SET key value [NX|XX] [EX seconds|PX milliseconds] */
static void set(struct call *c)
{
	int64_t expiry = STORE_FOR_EVER;
	enum store_when when = STORE_ALWAYS;
	int i, ret;

	for (i = 3; i < c->argc; i++) {
		const struct resp_string *option = &c->argv[i];
		int64_t unit = is(option, "EX") ? GO_SECOND :
			       is(option, "PX") ? GO_MILLISECOND : 0;

		if (unit && expiry == STORE_FOR_EVER && i + 1 < c->argc) {
			if (!time_from_now(c, &c->argv[++i], unit, &expiry))
				return;
			if (expiry <= go_now()) {
				resp_error(c->replies, "ERR invalid expire time");
				return;
			}
		} else if (is(option, "NX") && when == STORE_ALWAYS) {
			when = STORE_IF_NEW;
		} else if (is(option, "XX") && when == STORE_ALWAYS) {
			when = STORE_IF_THERE;
		} else {
			resp_error(c->replies, syntax);
			return;
		}
	}
	ret = store_set(c->store, c->argv[1], c->argv[2], expiry, when);
	if (ret < 0)
		resp_error(c->replies, no_memory);
	else if (ret)
		resp_simple(c->replies, "OK");
	else
		resp_nil(c->replies);
}

static void mset(struct call *c)
{
	if (c->argc % 2 == 0)
		resp_error(c->replies, syntax);
	else if (store_set_all(c->store, c->argv + 1, c->argc / 2))
		resp_error(c->replies, no_memory);
	else
		resp_simple(c->replies, "OK");
}

static void add(struct call *c, int64_t delta)
{
	int64_t sum;
	int ret = store_add(c->store, c->argv[1], delta, &sum);

	if (!ret)
		resp_integer(c->replies, sum);
	else
		resp_error(c->replies, ret == -ENOMEM ? no_memory : not_a_number);
}

static void incr(struct call *c)
{
	add(c, 1);
}

static void decr(struct call *c)
{
	add(c, -1);
}

static void incrby(struct call *c)
{
	int64_t delta;

	if (integer(&c->argv[2], &delta))
		add(c, delta);
	else
		resp_error(c->replies, not_a_number);
}

static void decrby(struct call *c)
{
	int64_t delta;

	if (integer(&c->argv[2], &delta) && delta != INT64_MIN)
		add(c, -delta);
	else
		resp_error(c->replies, not_a_number);
}

static void del(struct call *c)
{
	int i, count = 0;

	for (i = 1; i < c->argc; i++)
		count += store_del(c->store, c->argv[i]);
	resp_integer(c->replies, count);
}

static void exists(struct call *c)
{
	int i, count = 0;

	for (i = 1; i < c->argc; i++)
		count += store_expiry(c->store, c->argv[i]) != 0;
	resp_integer(c->replies, count);
}

static void expire_in(struct call *c, int64_t unit)
{
	int64_t when;

	if (time_from_now(c, &c->argv[2], unit, &when))
		resp_integer(c->replies, store_expire(c->store, c->argv[1], when));
}

static void expire(struct call *c)
{
	expire_in(c, GO_SECOND);
}

static void pexpire(struct call *c)
{
	expire_in(c, GO_MILLISECOND);
}

static void persist(struct call *c)
{
	int64_t expiry = store_expiry(c->store, c->argv[1]);

	resp_integer(c->replies, expiry && expiry != STORE_FOR_EVER &&
		     store_expire(c->store, c->argv[1], STORE_FOR_EVER));
}

/* In units, rounded up; -1: it does not expire, -2: it is not there. */
static void left(struct call *c, int64_t unit)
{
	int64_t expiry = store_expiry(c->store, c->argv[1]);
	int64_t ns = expiry - go_now();

	resp_integer(c->replies, !expiry ? -2 : expiry == STORE_FOR_EVER ? -1 :
		     ns <= 0 ? 0 : (ns - 1) / unit + 1);
}

static void ttl(struct call *c)
{
	left(c, GO_SECOND);
}

static void pttl(struct call *c)
{
	left(c, GO_MILLISECOND);
}

static void dbsize(struct call *c)
{
	resp_integer(c->replies, store_count(c->store));
}

static void flush(struct call *c)
{
	store_clear(c->store);
	resp_simple(c->replies, "OK");
}

static void ok(struct call *c)
{
	resp_simple(c->replies, "OK");
}

/* What redis-cli asks for the sake of its completion: there is none. */
static void command(struct call *c)
{
	resp_array(c->replies, 0);
}

/* What redis-benchmark prints with its figures: nothing goes to a disk. */
static void config(struct call *c)
{
	bool save = is(&c->argv[2], "save");

	if (!is(&c->argv[1], "GET")) {
		resp_error(c->replies, "ERR there is nothing to configure");
		return;
	}
	if (!save && !is(&c->argv[2], "appendonly")) {
		resp_array(c->replies, 0);
		return;
	}
	resp_array(c->replies, 2);
	resp_bulk(c->replies, c->argv[2].s, c->argv[2].n);
	resp_bulk(c->replies, "no", save ? 0 : 2);
}

static const struct command {
	const char *name;
	int min, max;			/* arguments, itself included */
	void (*run)(struct call *c);
} commands[] = {
	{ "GET", 2, 2, get },
	{ "SET", 3, 6, set },
	{ "INCR", 2, 2, incr },
	{ "MGET", 2, RESP_ARGS_MAX, mget },
	{ "MSET", 3, RESP_ARGS_MAX, mset },
	{ "DEL", 2, RESP_ARGS_MAX, del },
	{ "PING", 1, 2, ping },
	{ "ECHO", 2, 2, ping },
	{ "EXISTS", 2, RESP_ARGS_MAX, exists },
	{ "STRLEN", 2, 2, length },
	{ "DECR", 2, 2, decr },
	{ "INCRBY", 3, 3, incrby },
	{ "DECRBY", 3, 3, decrby },
	{ "EXPIRE", 3, 3, expire },
	{ "PEXPIRE", 3, 3, pexpire },
	{ "PERSIST", 2, 2, persist },
	{ "TTL", 2, 2, ttl },
	{ "PTTL", 2, 2, pttl },
	{ "DBSIZE", 1, 1, dbsize },
	{ "FLUSHALL", 1, 1, flush },
	{ "FLUSHDB", 1, 1, flush },
	{ "QUIT", 1, 1, ok },
	{ "COMMAND", 1, RESP_ARGS_MAX, command },
	{ "CONFIG", 3, 3, config },
};

bool command_run(struct store *store, const struct resp_request *req,
		 struct resp_replies *replies)
{
	struct call call = { store, req->argc, req->argv, replies };
	const struct resp_string *name = &req->argv[0];
	const struct command *c = commands;
	const struct command *end = c + sizeof(commands) / sizeof(*c);

	while (c < end && !is(name, c->name))
		c++;
	if (c == end)
		resp_error(replies, "ERR unknown command '%.*s'",
			   (int)(name->n < 128 ? name->n : 128), name->s);
	else if (req->argc < c->min || req->argc > c->max)
		resp_error(replies, "ERR wrong number of arguments for '%s'", c->name);
	else
		c->run(&call);
	return !is(name, "QUIT");
}
