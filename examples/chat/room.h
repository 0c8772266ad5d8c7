/* SPDX-License-Identifier: MIT */
/*
 * Rooms, in each of which all hear what one says. A room is a goroutine that alone knows
 * who is in it: who enters, leaves or speaks tells it so over a channel. There is no lock
 * but for the list of the rooms.
 */
#ifndef ROOM_H
#define ROOM_H

#include <stdbool.h>
#include <stddef.h>

#include <go.h>
#include <go/typed.h>

#define NAME_SIZE	32

/**
 * struct message - a line for several to read
 * @users: who has it; message_put() by the last one frees it
 * @n: its length in bytes
 * @text: with its newline
 */
struct message {
	int users;
	size_t n;
	char text[];
};

__attribute__((format(printf, 1, 2)))
struct message *message_make(const char *format, ...);
void message_put(struct message *m);

/**
 * struct member - who is in a room, or wants to be
 * @name: as the others see it
 * @inbox: what is said; who does not take it in time has to leave
 * @drop: called by the room then; it must not wait. The member still has to leave.
 */
struct member {
	char name[NAME_SIZE];
	GO_CHAN(struct message *) inbox;
	void (*drop)(struct member *m);
	/* private: the room's */
	bool dropped;
	struct member *prev, *next, *late;
	GO_CHAN(char) left;
};

struct room;

/**
 * struct rooms - all that there are; zeroed for none
 */
struct rooms {
	/* private: */
	struct go_mutex lock;		/* guards the table, and how many use a room */
	struct room *table;
	struct go_waitgroup open;
};

/**
 * room_enter() - enter a room, which is made if nobody is in it
 * @rooms: where
 * @name: of the room, shorter than NAME_SIZE
 * @m: who is in no room
 *
 * Return: the room; NULL if there is no memory.
 */
struct room *room_enter(struct rooms *rooms, const char *name, struct member *m);

/**
 * room_leave() - leave a room; when it returns the room knows nothing of the member
 * @rooms: where
 * @room: which
 * @m: who
 */
void room_leave(struct rooms *rooms, struct room *room, struct member *m);

/**
 * room_say() - say something to all others in a room
 * @room: where
 * @m: who
 * @message: is the room's from now on; NULL if there was no memory for it
 */
void room_say(struct room *room, struct member *m, struct message *message);

/* Who is there? The answer comes to the inbox. */
void room_who(struct room *room, struct member *m);

/* Wait until there is none any more. */
void rooms_wait(struct rooms *rooms);

#endif /* ROOM_H */
