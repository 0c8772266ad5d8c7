/* SPDX-License-Identifier: MIT */
/*
 * The files and folders that the kernel knows of, by the numbers it was told.
 */
#ifndef MIRRORFS_NODES_H
#define MIRRORFS_NODES_H

#include <stdint.h>
#include <sys/stat.h>

#include <go.h>
#include <uthash.h>

/**
 * struct node_key - what tells one file from another
 * @dev: device
 * @ino: number there
 */
struct node_key {
	dev_t dev;
	ino_t ino;
};

/**
 * struct node - a file or folder; its address is its number for the kernel
 * @fd: opened with O_PATH
 */
struct node {
	int fd;
	/* private: */
	struct node_key key;
	uint64_t lookups;		/* how often the kernel was told of it */
	UT_hash_handle hh;
};

/**
 * struct nodes - all of them; zeroed
 */
struct nodes {
	/* private: */
	struct go_mutex lock;
	struct node *table;
};

/**
 * nodes_look_up() - the node of a name, which is new or known
 * @nodes: all
 * @folder: where the name is, an O_PATH descriptor or AT_FDCWD
 * @name: a name without a slash; or a path, for the first
 * @st: filled in
 * @node: the node, to be given back with nodes_forget()
 *
 * A symbolic link is not followed, but for a path.
 *
 * Return: 0; or a negative error number
 */
int nodes_look_up(struct nodes *nodes, int folder, const char *name,
		  struct stat *st, struct node **node);

/**
 * nodes_forget() - the kernel forgets some lookups of a node
 * @nodes: all
 * @node: a node
 * @lookups: how many
 */
void nodes_forget(struct nodes *nodes, struct node *node, uint64_t lookups);

/**
 * nodes_forget_all() - when the file system is unmounted
 * @nodes: all
 */
void nodes_forget_all(struct nodes *nodes);

#endif /* MIRRORFS_NODES_H */
