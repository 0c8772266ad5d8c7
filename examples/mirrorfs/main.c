// SPDX-License-Identifier: MIT
/*
 * A file system that mirrors a folder, read-only, through libfuse's low-level interface:
 * one goroutine reads the kernel's requests, by a plain read(2) of /dev/fuse that blocks,
 * and each request is handled by a goroutine of its own, which may block as well, on the
 * disk that the folder is on.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/statvfs.h>

#include <go.h>

#include "../ending.h"
#include "operations.h"

struct request {
	struct fuse_session *session;
	struct fuse_buf buf;
	struct go_waitgroup *handled;
};

static void request_free(struct request *r)
{
	free(r->buf.mem);
	free(r);
}

static void handle(void *arg)
{
	struct request *r = arg;

	fuse_session_process_buf(r->session, &r->buf);
	go_waitgroup_done(r->handled);
	request_free(r);
}

/* Until the file system is unmounted. Returns 0, or a negative error number. */
static int serve(struct fuse_session *session)
{
	struct go_waitgroup handled = { 0 };
	struct request *r;
	int got = 0;

	while (!fuse_session_exited(session)) {
		r = calloc(1, sizeof(*r));
		if (!r) {
			got = -ENOMEM;
			break;
		}
		r->session = session;
		r->handled = &handled;
		do {
			got = fuse_session_receive_buf(session, &r->buf);
		} while (got == -EINTR || got == -EAGAIN);
		if (got <= 0) {
			request_free(r);
			break;		/* unmounted, or an error */
		}
		go_waitgroup_add(&handled, 1);
		/* without memory for a goroutine it is handled here */
		if (go_spawn(handle, r))
			handle(r);
		/* the request first, the next read() takes the thread */
		go_yield();
	}
	go_waitgroup_wait(&handled);
	return got < 0 ? got : 0;
}

struct arguments {
	const char *source, *mountpoint;
	bool debug;
	int status;
};

struct ending {
	struct fuse_session *session;
	const char *mountpoint;
	struct go_chan *signals;
	struct go_waitgroup over;
};

/* A signal has the reader end, after a request that we make. */
static void end_at_signal(void *arg)
{
	struct ending *e = arg;
	struct statvfs st;

	if (ending_wait(e->signals, "mirrorfs")) {
		fuse_session_exit(e->session);
		statvfs(e->mountpoint, &st);
	}
	go_waitgroup_done(&e->over);
}

static struct fuse_session *session_new(struct mirror *mirror, bool debug)
{
	struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
	struct fuse_session *session = NULL;

	if (!fuse_opt_add_arg(&args, "mirrorfs") &&
	    !fuse_opt_add_arg(&args, "-oro,fsname=mirrorfs,default_permissions") &&
	    (!debug || !fuse_opt_add_arg(&args, "-d")))
		session = fuse_session_new(&args, &mirror_operations,
					   sizeof(mirror_operations), mirror);
	fuse_opt_free_args(&args);
	return session;
}

/* Serve until it is unmounted, or until a signal. */
static int serve_mounted(struct fuse_session *session, const struct arguments *a)
{
	struct ending ending = {
		.session = session, .mountpoint = a->mountpoint,
		.signals = ending_begin("mirrorfs"),
	};
	int ret = -ENOMEM;

	go_waitgroup_add(&ending.over, 1);
	if (!ending.signals || go_spawn(end_at_signal, &ending)) {
		go_waitgroup_done(&ending.over);
	} else {
		printf("mirrorfs: %s is at %s\n", a->source, a->mountpoint);
		fflush(stdout);
		ret = serve(session);
		ending_cancel(ending.signals);
	}
	if (ret)
		fprintf(stderr, "mirrorfs: %s\n", strerror(-ret));
	/* ends our own request, if nobody has read it */
	fuse_session_unmount(session);
	go_waitgroup_wait(&ending.over);
	go_chan_release(ending.signals);
	return ret;
}

static int mount_and_serve(struct mirror *mirror, const struct arguments *a)
{
	struct fuse_session *session = session_new(mirror, a->debug);
	int ret;

	if (!session)
		return -EIO;		/* it has said why */
	ret = fuse_session_mount(session, a->mountpoint) ? -EIO :
		serve_mounted(session, a);
	fuse_session_destroy(session);
	return ret;
}

static void start(void *arg)
{
	struct arguments *a = arg;
	struct mirror mirror = { 0 };
	struct stat st;
	int ret;

	ret = nodes_look_up(&mirror.nodes, AT_FDCWD, a->source, &st, &mirror.root);
	if (!ret && !S_ISDIR(st.st_mode))
		ret = -ENOTDIR;
	if (ret)
		fprintf(stderr, "mirrorfs: %s: %s\n", a->source, strerror(-ret));
	else
		ret = mount_and_serve(&mirror, a);
	nodes_forget_all(&mirror.nodes);
	a->status = ret ? 1 : 0;
}

static const char usage[] =
	"Usage: mirrorfs [--debug] FOLDER MOUNTPOINT\n"
	"\n"
	"Shows FOLDER at MOUNTPOINT, read-only, until SIGINT or SIGTERM, or until it is\n"
	"unmounted.\n"
	"\n"
	"  --debug  print each request\n";

static void read_arguments(struct arguments *a, int argc, char **argv)
{
	static const struct option options[] = {
		{ "debug", no_argument, NULL, 'd' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 'd':
			a->debug = true;
			break;
		case 'h':
			fputs(usage, stdout);
			exit(0);
		default:
			fputs(usage, stderr);
			exit(2);
		}
	}
	if (argc - optind != 2) {
		fputs(usage, stderr);
		exit(2);
	}
	a->source = argv[optind];
	a->mountpoint = argv[optind + 1];
}

/* Each file that the kernel knows of has a descriptor here. */
static void raise_limit_on_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

int main(int argc, char **argv)
{
	struct arguments a = { 0 };
	int ret;

	read_arguments(&a, argc, argv);
	raise_limit_on_descriptors();
	ret = go_run(start, &a);
	if (ret) {
		fprintf(stderr, "mirrorfs: go_run: %s\n", strerror(-ret));
		return 1;
	}
	return a.status;
}
