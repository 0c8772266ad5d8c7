// SPDX-License-Identifier: MIT
/*
 * A chat server for clients such as nc: lines of text. Each client has a goroutine that
 * reads what he types, and one that writes what the others say.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <uthash.h>

#include <go.h>

#include "../server.h"
#include "room.h"

#define LINE_SIZE	1024
/* Lines that a client may be behind before the others have to wait for him. */
#define INBOX		256
/* To give a name. Then a client may be silent for as long as he likes. */
#define NAME_TIME	(60 * GO_SECOND)
/* For a line to be taken from him, until he is given up. */
#define WRITE_TIME	(10 * GO_SECOND)

#define FIRST_ROOM	"lobby"

struct chat {
	struct server server;
	struct rooms rooms;
	struct go_mutex lock;		/* guards the table */
	struct client *names;
};

struct client {
	struct connection connection;
	struct member member;
	struct room *room;
	struct go_waitgroup writing;
	UT_hash_handle hh;		/* by the member's name */
	size_t n;			/* bytes that have come and are not used */
	char buf[LINE_SIZE];
};

static struct chat *chat_of(struct client *c)
{
	return (struct chat *)c->connection.server;
}

/* Also of what has come and is not read yet: he leaves, whatever he has said. */
static void end_reading(struct client *c)
{
	connection_read_until(&c->connection, go_now());
}

/* The room has waited for long enough. He will be seen as one who leaves. */
static void drop(struct member *m)
{
	struct client *c = (struct client *)((char *)m -
					     offsetof(struct client, member));

	end_reading(c);
}

/* After an error it goes on, so that nobody waits for it. */
static void write_inbox(void *arg)
{
	struct client *c = arg;
	struct message *m;
	int ret = 0;

	while (go_recv(c->member.inbox, &m)) {
		if (!ret)
			ret = connection_write(&c->connection, m->text, m->n,
					       go_now() + WRITE_TIME);
		if (ret)
			end_reading(c);
		message_put(m);
	}
	go_waitgroup_done(&c->writing);
}

/* To one alone, before he is in a room or between what is said there. */
static void tell(struct client *c, const char *text)
{
	struct message *m = message_make("* %s\n", text);

	if (m)
		go_send(c->member.inbox, &m);
}

/*
 * How long the character is, in UTF-8 if it can be that, and else 1: another one begins
 * within it, or the line ends.
 */
static size_t character(const unsigned char *s)
{
	size_t i, n = *s >= 0xf0 ? 4 : *s >= 0xe0 ? 3 : *s >= 0xc2 ? 2 : 1;

	for (i = 1; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 1;
	return n;
}

/* Of ASCII, or of those beyond it, as one byte or in UTF-8. */
static bool is_control(const unsigned char *s, size_t n)
{
	if (n == 1)
		return iscntrl(*s) || (*s >= 0x80 && *s < 0xa0);
	return s[0] == 0xc2 && s[1] < 0xa0;
}

/* Without its end, and control characters, which could be a terminal's. */
static void clean(char *line)
{
	char *to = line;

	while (*line) {
		size_t n = character((unsigned char *)line);

		if (!is_control((unsigned char *)line, n)) {
			memmove(to, line, n);
			to += n;
		}
		line += n;
	}
	*to = 0;
}

/* Returns 1; 0 at the end; -EMSGSIZE; or what came of reading, negated. */
static ssize_t read_line(struct client *c, char line[LINE_SIZE])
{
	for (;;) {
		char *end = memchr(c->buf, '\n', c->n);
		ssize_t got;

		if (end) {
			size_t n = end - c->buf;

			memcpy(line, c->buf, n);
			line[n] = 0;
			clean(line);
			c->n -= n + 1;
			memmove(c->buf, end + 1, c->n);
			return 1;
		}
		if (c->n == sizeof(c->buf))
			return -EMSGSIZE;
		got = go_read(c->connection.fd, c->buf + c->n,
			      sizeof(c->buf) - c->n);
		if (got <= 0)
			return got;
		c->n += got;
	}
}

/* Of a person or of a room: what one can type and say in one word. */
static bool is_name(const char *s)
{
	return *s && strlen(s) < NAME_SIZE && !s[strspn(s,
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")];
}

static bool take_name(struct client *c, const char *name)
{
	struct chat *chat = chat_of(c);
	struct client *other;

	go_mutex_lock(&chat->lock);
	HASH_FIND_STR(chat->names, name, other);
	if (!other) {
		strcpy(c->member.name, name);
		HASH_ADD_STR(chat->names, member.name, c);
	}
	go_mutex_unlock(&chat->lock);
	return !other;
}

static void give_name_back(struct client *c)
{
	struct chat *chat = chat_of(c);

	go_mutex_lock(&chat->lock);
	HASH_DEL(chat->names, c);
	go_mutex_unlock(&chat->lock);
}

static void move_to(struct client *c, const char *room)
{
	struct rooms *rooms = &chat_of(c)->rooms;

	if (!is_name(room)) {
		tell(c, "no name of a room; letters, digits, - and _ make one");
		return;
	}
	if (c->room)
		room_leave(rooms, c->room, &c->member);
	c->room = room_enter(rooms, room, &c->member);
	if (c->room)
		room_who(c->room, &c->member);
	else
		tell(c, "there is no memory for a room");
}

/* Returns whether the client wants to go on. */
static bool command(struct client *c, char *line)
{
	char *argument = strchr(line, ' ');

	if (argument)
		*argument++ = 0;
	if (!strcmp(line, "/quit"))
		return false;
	if (!strcmp(line, "/join") && argument)
		move_to(c, argument);
	else if (!strcmp(line, "/who") && c->room)
		room_who(c->room, &c->member);
	else
		tell(c, "/join ROOM, /who, /quit; anything else is said to all");
	return true;
}

/* Returns 0 or how read_line() has ended it. */
static ssize_t talk(struct client *c)
{
	char line[LINE_SIZE];
	ssize_t ret;

	while ((ret = read_line(c, line)) > 0) {
		if (line[0] == '/') {
			if (!command(c, line))
				return 0;
		} else if (line[0] && c->room) {
			room_say(c->room, &c->member,
				 message_make("%s: %s\n", c->member.name, line));
		}
	}
	if (ret == -EMSGSIZE)
		tell(c, "a line that is too long");
	return ret;
}

static bool introduce(struct client *c)
{
	char line[LINE_SIZE];

	tell(c, "your name?");
	connection_read_until(&c->connection, go_now() + NAME_TIME);
	while (read_line(c, line) > 0) {
		if (!is_name(line))
			tell(c, "letters, digits, - and _ make a name. Yours?");
		else if (!take_name(c, line))
			tell(c, "somebody has that name. Yours?");
		else
			return true;
	}
	return false;
}

static void serve(struct connection *connection)
{
	struct client *c = (struct client *)connection;
	ssize_t ret = 0;

	c->member.drop = drop;
	if (go_make(&c->member.inbox, INBOX))
		return;
	go_waitgroup_add(&c->writing, 1);
	if (go_spawn(write_inbox, c)) {
		go_chan_release(c->member.inbox.chan);
		return;
	}
	if (introduce(c)) {
		connection_read_until(connection, INT64_MAX);
		move_to(c, FIRST_ROOM);
		ret = talk(c);
		if (c->room)
			room_leave(&chat_of(c)->rooms, c->room, &c->member);
		give_name_back(c);
	}
	go_chan_close(c->member.inbox.chan);
	go_waitgroup_wait(&c->writing);
	go_chan_release(c->member.inbox.chan);
	if (ret == -EMSGSIZE)
		connection_linger(connection);
}

static void start(void *arg)
{
	struct chat *chat = arg;

	if (server_run(&chat->server))
		exit(1);
	rooms_wait(&chat->rooms);
	puts("chat: all have left");
}

static const char usage[] =
	"Usage: chat [--listen HOST:PORT]\n"
	"\n"
	"Lets all who connect, with nc or the like, talk to each other in rooms, until\n"
	"SIGINT or SIGTERM.\n"
	"\n"
	"  --listen HOST:PORT  where (127.0.0.1:8082); port 0 for one that is free\n";

int main(int argc, char **argv)
{
	struct chat chat = {
		.server = {
			.name = "chat",
			.size = sizeof(struct client),
			.serve = serve,
		},
	};
	int ret;

	chat.server.address = server_address(argc, argv, usage, "127.0.0.1:8082");
	if (optind != argc) {
		fputs(usage, stderr);
		return 2;
	}
	ret = go_run(start, &chat);
	if (ret)
		fprintf(stderr, "chat: go_run: %s\n", strerror(-ret));
	return ret ? 1 : 0;
}
