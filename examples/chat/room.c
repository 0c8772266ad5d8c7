// SPDX-License-Identifier: MIT
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uthash.h>
#include <utlist.h>

#include "room.h"

/* For so long all wait for who has not taken what is in his inbox. */
#define PATIENCE	GO_SECOND
#define WHO_SIZE	4096

enum what { ENTER, LEAVE, SAY, WHO };

struct event {
	enum what what;
	struct member *member;
	struct message *message;
};

struct room {
	struct rooms *rooms;
	GO_CHAN(struct event) events;
	struct member *members;		/* the room's goroutine alone looks at it */
	int users;			/* between room_enter() and room_leave() */
	UT_hash_handle hh;
	char name[NAME_SIZE];
};

struct message *message_make(const char *format, ...)
{
	struct message *m;
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(NULL, 0, format, args);
	va_end(args);
	m = malloc(sizeof(*m) + n + 1);
	if (!m)
		return NULL;
	m->users = 1;
	m->n = n;
	va_start(args, format);
	vsnprintf(m->text, n + 1, format, args);
	va_end(args);
	return m;
}

void message_put(struct message *m)
{
	if (!__atomic_sub_fetch(&m->users, 1, __ATOMIC_ACQ_REL))
		free(m);
}

/* Gives it at once, or else puts the member on the list of those who are late. */
static void offer(struct member *m, struct message *message, struct member **late)
{
	if (m->dropped)
		return;
	__atomic_add_fetch(&message->users, 1, __ATOMIC_RELAXED);
	if (!go_try_send(m->inbox, &message))
		return;
	m->late = *late;
	*late = m;
}

/* All together are not waited for longer than one would be. */
static void wait_for(struct member *late, struct message *message)
{
	int64_t deadline = go_now() + PATIENCE;

	for (; late; late = late->late) {
		if (!go_send_until(late->inbox, &message, deadline))
			continue;
		message_put(message);
		late->dropped = true;
		late->drop(late);
	}
}

static void tell(struct room *room, struct member *but, struct message *message)
{
	struct member *m, *late = NULL;

	if (!message)
		return;
	DL_FOREACH(room->members, m)
		if (m != but)
			offer(m, message, &late);
	wait_for(late, message);
	message_put(message);
}

static void tell_who(struct room *room, struct member *asks)
{
	char names[WHO_SIZE];
	struct member *m, *late = NULL;
	struct message *message;
	size_t n = 0;

	names[0] = 0;
	DL_FOREACH(room->members, m)
		if (n < sizeof(names))
			n += snprintf(names + n, sizeof(names) - n, " %s", m->name);
	message = message_make("* in %s:%s%s\n", room->name, names,
			       n < sizeof(names) ? "" : "...");
	if (!message)
		return;
	offer(asks, message, &late);
	wait_for(late, message);
	message_put(message);
}

static void enter(struct room *room, struct member *m)
{
	tell(room, NULL, message_make("* %s has come to %s\n", m->name, room->name));
	m->dropped = false;
	DL_APPEND(room->members, m);
}

static void leave(struct room *room, struct member *m)
{
	char left = 1;

	DL_DELETE(room->members, m);
	tell(room, NULL, message_make("* %s has left %s\n", m->name, room->name));
	go_send(m->left, &left);
}

static void run(void *arg)
{
	struct room *room = arg;
	struct go_waitgroup *open = &room->rooms->open;
	struct event e;

	while (go_recv(room->events, &e)) {
		switch (e.what) {
		case ENTER:
			enter(room, e.member);
			break;
		case LEAVE:
			leave(room, e.member);
			break;
		case SAY:
			tell(room, e.member, e.message);
			break;
		case WHO:
			tell_who(room, e.member);
			break;
		}
	}
	go_chan_release(room->events.chan);
	free(room);
	go_waitgroup_done(open);
}

static struct room *room_make(struct rooms *rooms, const char *name)
{
	struct room *room = calloc(1, sizeof(*room));

	if (!room)
		return NULL;
	room->rooms = rooms;
	strcpy(room->name, name);
	if (go_make(&room->events, 0))
		goto no_channel;
	go_waitgroup_add(&rooms->open, 1);
	if (go_spawn(run, room))
		goto no_goroutine;
	return room;

no_goroutine:
	go_waitgroup_done(&rooms->open);
	go_chan_release(room->events.chan);
no_channel:
	free(room);
	return NULL;
}

static void tell_room(struct room *room, enum what what, struct member *m,
		      struct message *message)
{
	struct event e = { what, m, message };

	go_send(room->events, &e);
}

struct room *room_enter(struct rooms *rooms, const char *name, struct member *m)
{
	struct room *room;

	if (go_make(&m->left, 0))
		return NULL;
	go_mutex_lock(&rooms->lock);
	HASH_FIND_STR(rooms->table, name, room);
	if (!room) {
		room = room_make(rooms, name);
		if (room)
			HASH_ADD_STR(rooms->table, name, room);
	}
	if (room)
		room->users++;
	go_mutex_unlock(&rooms->lock);
	if (room)
		tell_room(room, ENTER, m, NULL);
	else
		go_chan_release(m->left.chan);
	return room;
}

void room_leave(struct rooms *rooms, struct room *room, struct member *m)
{
	char left;

	tell_room(room, LEAVE, m, NULL);
	go_recv(m->left, &left);
	go_chan_release(m->left.chan);
	go_mutex_lock(&rooms->lock);
	if (!--room->users) {
		HASH_DEL(rooms->table, room);
		go_chan_close(room->events.chan);
	}
	go_mutex_unlock(&rooms->lock);
}

void room_say(struct room *room, struct member *m, struct message *message)
{
	tell_room(room, SAY, m, message);
}

void room_who(struct room *room, struct member *m)
{
	tell_room(room, WHO, m, NULL);
}

void rooms_wait(struct rooms *rooms)
{
	go_waitgroup_wait(&rooms->open);
}
