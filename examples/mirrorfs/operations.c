// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "operations.h"

/* Seconds for which the kernel need not ask again. */
#define VALID	1.0

static struct mirror *mirror_of(fuse_req_t req)
{
	return fuse_req_userdata(req);
}

static struct node *node_of(fuse_req_t req, fuse_ino_t ino)
{
	return ino == FUSE_ROOT_ID ? mirror_of(req)->root : (struct node *)ino;
}

/*
 * libfuse keeps the pipe for a splice in the thread, and a goroutine may be in another
 * one after the first half.
 */
static void op_init(void *userdata, struct fuse_conn_info *conn)
{
	(void)userdata;
	conn->want &= ~(FUSE_CAP_SPLICE_READ | FUSE_CAP_SPLICE_WRITE |
			FUSE_CAP_SPLICE_MOVE);
}

static void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct nodes *nodes = &mirror_of(req)->nodes;
	struct fuse_entry_param entry = {
		.attr_timeout = VALID, .entry_timeout = VALID,
	};
	struct node *node;
	int ret;

	ret = nodes_look_up(nodes, node_of(req, parent)->fd, name, &entry.attr,
			    &node);
	if (ret) {
		fuse_reply_err(req, -ret);
		return;
	}
	entry.ino = (fuse_ino_t)node;
	/* Who asked may have been interrupted: the kernel does not know the node then. */
	if (fuse_reply_entry(req, &entry) == -ENOENT)
		nodes_forget(nodes, node, 1);
}

static void op_forget(fuse_req_t req, fuse_ino_t ino, uint64_t lookups)
{
	nodes_forget(&mirror_of(req)->nodes, node_of(req, ino), lookups);
	fuse_reply_none(req);
}

static void op_forget_multi(fuse_req_t req, size_t count,
			    struct fuse_forget_data *forgets)
{
	size_t i;

	for (i = 0; i < count; i++)
		nodes_forget(&mirror_of(req)->nodes,
			     node_of(req, forgets[i].ino), forgets[i].nlookup);
	fuse_reply_none(req);
}

static void op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct stat st;

	(void)fi;
	if (fstatat(node_of(req, ino)->fd, "", &st, AT_EMPTY_PATH))
		fuse_reply_err(req, errno);
	else
		fuse_reply_attr(req, &st, VALID);
}

static void op_readlink(fuse_req_t req, fuse_ino_t ino)
{
	char target[PATH_MAX];
	ssize_t n = readlinkat(node_of(req, ino)->fd, "", target, sizeof(target));

	if (n < 0) {
		fuse_reply_err(req, errno);
	} else if (n == sizeof(target)) {
		fuse_reply_err(req, ENAMETOOLONG);
	} else {
		target[n] = 0;
		fuse_reply_readlink(req, target);
	}
}

/* Open what was found with O_PATH before. O_DIRECT would want an aligned buffer. */
static int reopen(const struct node *node, int flags)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", node->fd);
	return open(path, (flags & ~(O_NOFOLLOW | O_DIRECT)) | O_CLOEXEC);
}

static void op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	int fd;

	if ((fi->flags & O_ACCMODE) != O_RDONLY) {
		fuse_reply_err(req, EROFS);
		return;
	}
	fd = reopen(node_of(req, ino), fi->flags);
	if (fd < 0) {
		fuse_reply_err(req, errno);
		return;
	}
	fi->fh = fd;
	if (fuse_reply_open(req, fi) == -ENOENT)
		close(fd);
}

static void op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
		    struct fuse_file_info *fi)
{
	char *buf = malloc(size);
	ssize_t n;

	(void)ino;
	if (!buf) {
		fuse_reply_err(req, ENOMEM);
		return;
	}
	n = pread(fi->fh, buf, size, offset);
	if (n < 0)
		fuse_reply_err(req, errno);
	else
		fuse_reply_buf(req, buf, n);
	free(buf);
}

static void op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)ino;
	close(fi->fh);
	fuse_reply_err(req, 0);
}

/* An open folder: the kernel reads on where it was, or seeks. */
struct folder {
	DIR *dir;
	struct go_mutex lock;		/* guards the position */
};

static struct folder *folder_of(const struct fuse_file_info *fi)
{
	return (struct folder *)(uintptr_t)fi->fh;
}

static void folder_close(struct folder *folder)
{
	closedir(folder->dir);
	free(folder);
}

static int folder_open(const struct node *node, struct folder **result)
{
	struct folder *folder = calloc(1, sizeof(*folder));
	int ret, fd;

	if (!folder)
		return -ENOMEM;
	fd = reopen(node, O_RDONLY | O_DIRECTORY);
	if (fd >= 0)
		folder->dir = fdopendir(fd);
	if (folder->dir) {
		*result = folder;
		return 0;
	}
	ret = -errno;
	if (fd >= 0)
		close(fd);
	free(folder);
	return ret;
}

static void op_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct folder *folder = NULL;
	int ret = folder_open(node_of(req, ino), &folder);

	if (ret) {
		fuse_reply_err(req, -ret);
		return;
	}
	fi->fh = (uintptr_t)folder;
	if (fuse_reply_open(req, fi) == -ENOENT)
		folder_close(folder);
}

/* Entries from @offset on, as many as have room. Returns their size, or -errno. */
static ssize_t fill(fuse_req_t req, DIR *dir, char *buf, size_t size,
		    off_t offset)
{
	struct dirent *d;
	size_t used = 0, n;

	seekdir(dir, offset);
	while (errno = 0, (d = readdir(dir))) {
		struct stat st = {
			.st_ino = d->d_ino, .st_mode = DTTOIF(d->d_type),
		};

		n = fuse_add_direntry(req, buf + used, size - used, d->d_name,
				      &st, telldir(dir));
		if (n > size - used)
			return used;
		used += n;
	}
	return errno && !used ? -errno : (ssize_t)used;
}

static void op_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
		       struct fuse_file_info *fi)
{
	struct folder *folder = folder_of(fi);
	char *buf = malloc(size);
	ssize_t n = -ENOMEM;

	(void)ino;
	if (buf) {
		go_mutex_lock(&folder->lock);
		n = fill(req, folder->dir, buf, size, offset);
		go_mutex_unlock(&folder->lock);
	}
	if (n < 0)
		fuse_reply_err(req, -n);
	else
		fuse_reply_buf(req, buf, n);
	free(buf);
}

static void op_releasedir(fuse_req_t req, fuse_ino_t ino,
			  struct fuse_file_info *fi)
{
	(void)ino;
	folder_close(folder_of(fi));
	fuse_reply_err(req, 0);
}

static void op_statfs(fuse_req_t req, fuse_ino_t ino)
{
	struct statvfs st;

	if (fstatvfs(node_of(req, ino)->fd, &st))
		fuse_reply_err(req, errno);
	else
		fuse_reply_statfs(req, &st);
}

const struct fuse_lowlevel_ops mirror_operations = {
	.init = op_init,
	.lookup = op_lookup,
	.forget = op_forget,
	.forget_multi = op_forget_multi,
	.getattr = op_getattr,
	.readlink = op_readlink,
	.open = op_open,
	.read = op_read,
	.release = op_release,
	.opendir = op_opendir,
	.readdir = op_readdir,
	.releasedir = op_releasedir,
	.statfs = op_statfs,
};
