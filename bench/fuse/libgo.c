// SPDX-License-Identifier: MIT
/*
 * A FUSE server with libgo, of an empty folder: one goroutine reads the requests, by a
 * plain read that blocks, and each is handled by a goroutine of its own. Says how long
 * after the return of the read that began. With yield=1 the reader yields to it first.
 */
#define FUSE_USE_VERSION 314
#include <errno.h>
#include <fuse_lowlevel.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <go.h>

#include "latency.h"

struct request {
	struct fuse_session *session;
	struct fuse_buf buf;
	struct latencies *latencies;
	int64_t read_at;
};

struct server {
	const char *mountpoint;
	int yield;
	const char *runtime;
	struct latencies latencies;
	int ret;
};

/* The kernel shall ask each time. */
static void op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct stat st = { .st_ino = ino, .st_mode = S_IFDIR | 0755, .st_nlink = 2 };

	(void)fi;
	fuse_reply_attr(req, &st, 0);
}

static const struct fuse_lowlevel_ops operations = {
	.getattr = op_getattr,
};

static void handle(void *arg)
{
	struct request *r = arg;

	latencies_add(r->latencies, go_now() - r->read_at);
	fuse_session_process_buf(r->session, &r->buf);
	free(r->buf.mem);
	free(r);
}

static int serve(struct server *s, struct fuse_session *session)
{
	struct request *r;
	int ret;

	for (;;) {
		r = calloc(1, sizeof(*r));
		if (!r)
			return -ENOMEM;
		r->session = session;
		r->latencies = &s->latencies;
		do {
			ret = fuse_session_receive_buf(session, &r->buf);
		} while (ret == -EINTR);
		if (ret <= 0)
			break;
		r->read_at = go_now();
		ret = go_spawn(handle, r);
		if (ret)
			break;
		if (s->yield)
			go_yield();
	}
	free(r->buf.mem);
	free(r);
	return ret;
}

static void run(void *arg)
{
	struct server *s = arg;
	struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
	struct fuse_session *session;
	struct go_stats stats;

	s->ret = go_stats_read(&stats);
	if (s->ret)
		return;
	s->runtime = strcmp(stats.assist, "module") ? "fallback" : "kgo";
	s->ret = -ENOMEM;
	if (fuse_opt_add_arg(&args, "fuse"))
		return;
	session = fuse_session_new(&args, &operations, sizeof(operations), s);
	s->ret = -EIO;
	if (session && !fuse_session_mount(session, s->mountpoint)) {
		s->ret = serve(s, session);
		fuse_session_unmount(session);
	}
	if (session)
		fuse_session_destroy(session);
	fuse_opt_free_args(&args);
}

int main(int argc, char **argv)
{
	static struct server s;
	int procs, ret;
	char value[16];

	if (argc != 4 || sscanf(argv[2], "procs=%d", &procs) != 1 ||
	    sscanf(argv[3], "yield=%d", &s.yield) != 1) {
		fprintf(stderr, "usage: %s MOUNTPOINT procs=N yield=0|1\n", argv[0]);
		return 2;
	}
	s.mountpoint = argv[1];
	snprintf(value, sizeof(value), "%d", procs);
	setenv("GOMAXPROCS", value, 1);
	ret = go_run(run, &s);
	ret = ret ? ret : s.ret;
	if (ret) {
		fprintf(stderr, "fuse: %s\n", strerror(-ret));
		return 1;
	}
	printf("{\"runtime\": \"%s\", \"procs\": %d, \"yield\": %d, ", s.runtime,
	       procs, s.yield);
	latencies_print(&s.latencies);
	printf("}\n");
	return 0;
}
