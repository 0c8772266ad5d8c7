// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "nodes.h"

static struct node *find_or_add(struct nodes *nodes, int fd,
				const struct stat *st)
{
	struct node_key key;
	struct node *node;

	/* its padding is compared, too */
	memset(&key, 0, sizeof(key));
	key.dev = st->st_dev;
	key.ino = st->st_ino;
	HASH_FIND(hh, nodes->table, &key, sizeof(key), node);
	if (node) {
		close(fd);
	} else {
		node = calloc(1, sizeof(*node));
		if (!node)
			return NULL;
		node->fd = fd;
		node->key = key;
		HASH_ADD(hh, nodes->table, key, sizeof(key), node);
	}
	node->lookups++;
	return node;
}

int nodes_look_up(struct nodes *nodes, int folder, const char *name,
		  struct stat *st, struct node **node)
{
	int flags = O_PATH | O_CLOEXEC | (folder == AT_FDCWD ? 0 : O_NOFOLLOW);
	int ret, fd = openat(folder, name, flags);

	if (fd < 0)
		return -errno;
	if (fstatat(fd, "", st, AT_EMPTY_PATH)) {
		ret = -errno;
		close(fd);
		return ret;
	}
	go_mutex_lock(&nodes->lock);
	*node = find_or_add(nodes, fd, st);
	go_mutex_unlock(&nodes->lock);
	if (*node)
		return 0;
	close(fd);
	return -ENOMEM;
}

static void drop(struct nodes *nodes, struct node *node)
{
	HASH_DEL(nodes->table, node);
	close(node->fd);
	free(node);
}

void nodes_forget(struct nodes *nodes, struct node *node, uint64_t lookups)
{
	go_mutex_lock(&nodes->lock);
	node->lookups -= lookups;
	if (!node->lookups)
		drop(nodes, node);
	go_mutex_unlock(&nodes->lock);
}

void nodes_forget_all(struct nodes *nodes)
{
	struct node *node, *next;

	HASH_ITER(hh, nodes->table, node, next)
		drop(nodes, node);
}
