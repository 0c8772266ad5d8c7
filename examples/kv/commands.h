/* SPDX-License-Identifier: MIT */
#ifndef COMMANDS_H
#define COMMANDS_H

#include "store.h"

/**
 * command_run() - do what a client asks for
 * @store: of the keys
 * @req: one that is not empty
 * @replies: where the reply to it goes
 *
 * Return: whether the client wants to go on.
 */
bool command_run(struct store *store, const struct resp_request *req,
		 struct resp_replies *replies);

#endif /* COMMANDS_H */
