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
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#include <go.h>

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
	int ret = 0;

	while (!ret && !fuse_session_exited(session)) {
		r = calloc(1, sizeof(*r));
		if (!r) {
			ret = -ENOMEM;
			break;
		}
		r->session = session;
		r->handled = &handled;
		/* it returns 0 at the end */
		ret = fuse_session_receive_buf(session, &r->buf);
		if (ret <= 0) {
			request_free(r);
			if (ret == -EINTR || ret == -EAGAIN) {
				ret = 0;
				continue;
			}
			break;
		}
		go_waitgroup_add(&handled, 1);
		ret = go_spawn(handle, r);
		/* without memory for a goroutine it is handled here */
		if (ret)
			handle(r);
		ret = 0;
		/* the request first, the next read() takes the thread */
		go_yield();
	}
	go_waitgroup_wait(&handled);
	return ret;
}

struct arguments {
	const char *source, *mountpoint;
	bool debug;
	int status;
};

struct ending {
	struct fuse_session *session;
	const char *mountpoint;
};

/* A signal has the reader end, after a request that we make. */
static void end_at_signal(void *arg)
{
	struct ending *e = arg;
	struct go_chan *signals = go_chan_make(sizeof(int), 1);
	struct statvfs st;
	int signo;

	if (!signals || go_signal_notify(signals, SIGINT, SIGTERM)) {
		fprintf(stderr, "mirrorfs: no signal will end it in good order\n");
		return;
	}
	go_chan_recv(signals, &signo);
	/* a second signal ends the process at once */
	go_signal_stop(signals);
	go_chan_release(signals);
	fuse_session_exit(e->session);
	statvfs(e->mountpoint, &st);
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

static int mount_and_serve(struct mirror *mirror, const struct arguments *a)
{
	struct fuse_session *session = session_new(mirror, a->debug);
	struct ending ending;
	int ret = -EIO;

	if (!session || fuse_session_mount(session, a->mountpoint))
		goto out;		/* it has said why */
	ending = (struct ending){ session, a->mountpoint };
	ret = go_spawn(end_at_signal, &ending);
	if (!ret) {
		printf("mirrorfs: %s is at %s\n", a->source, a->mountpoint);
		fflush(stdout);
		ret = serve(session);
	}
	if (ret)
		fprintf(stderr, "mirrorfs: %s\n", strerror(-ret));
	fuse_session_unmount(session);
out:
	if (session)
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

int main(int argc, char **argv)
{
	struct arguments a = { 0 };
	int ret;

	read_arguments(&a, argc, argv);
	ret = go_run(start, &a);
	if (ret) {
		fprintf(stderr, "mirrorfs: go_run: %s\n", strerror(-ret));
		return 1;
	}
	return a.status;
}
