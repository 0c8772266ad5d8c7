/* SPDX-License-Identifier: MIT */
/*
 * What the file system does for the kernel's requests.
 */
#ifndef MIRRORFS_OPERATIONS_H
#define MIRRORFS_OPERATIONS_H

#define FUSE_USE_VERSION 314
#include <fuse_lowlevel.h>

#include "nodes.h"

/**
 * struct mirror - the file system, userdata of the session
 * @nodes: what the kernel knows
 * @root: the folder that is mirrored
 */
struct mirror {
	struct nodes nodes;
	struct node *root;
};

/**
 * mirror_operations - may be called in many goroutines at a time; each may block
 */
extern const struct fuse_lowlevel_ops mirror_operations;

#endif /* MIRRORFS_OPERATIONS_H */
