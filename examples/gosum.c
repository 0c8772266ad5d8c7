// SPDX-License-Identifier: MIT
/*
 * The SHA-256 of every file under a directory, one goroutine for each file.
 *
 * The goroutines know nothing of being goroutines: they open, read and close
 * (or map) files as any program does, libcrypto computes, and the disk makes
 * them wait wherever it likes. Meanwhile another one may answer requests on a
 * socket (--serve), also with plain accept, read and write.
 *
 * The output is sha256sum's, sorted by path: sha256sum -c accepts it.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <go.h>

#define DIGEST_SIZE	32
#define BUFFER_SIZE	(32 << 10)
#define JOBS		8000	/* a blocked file is a thread: keep it sane */
#define SPARE_FILES	64	/* descriptors for all else */

/* A file, and what came of it. */
struct file {
	char *path;
	unsigned char digest[DIGEST_SIZE];
	uint64_t bytes;
	bool failed;
};

static struct options {
	char **roots;
	bool map;
	int port;		/* 0: do not serve */
	const char *stats;
	size_t jobs;
} options;

static struct file *files;
static size_t nr_files;
static bool failed;		/* something, that has been told */
static EVP_MD *sha256;
static struct go_chan *open_files;	/* holds an element for each */
static struct go_waitgroup working;
static int listener = -1;
static int connection = -1;
static int64_t started;

/* Tell what is wrong with a file, as sha256sum would; the exit status is 1. */
static void complain(const char *path, const char *format, ...)
{
	char why[256];
	va_list args;

	va_start(args, format);
	vsnprintf(why, sizeof(why), format, args);
	va_end(args);
	fprintf(stderr, "gosum: %s: %s\n", path, why);
	__atomic_store_n(&failed, true, __ATOMIC_RELAXED);
}

static void *must(void *memory)
{
	if (!memory) {
		fprintf(stderr, "gosum: no memory\n");
		exit(1);
	}
	return memory;
}

/* ---- the tree ------------------------------------------------------------ */

struct list {
	char **item;
	size_t n;
	size_t room;
};

static void append(struct list *l, char *item)
{
	if (l->n == l->room) {
		l->room = l->room ? 2 * l->room : 256;
		l->item = must(realloc(l->item, l->room * sizeof(*l->item)));
	}
	l->item[l->n++] = item;
}

static char *join(const char *folder, const char *name)
{
	size_t length = strlen(folder);
	const char *slash = length && folder[length - 1] == '/' ? "" : "/";
	char *path;

	if (asprintf(&path, "%s%s%s", folder, slash, name) < 0)
		must(NULL);
	return path;
}

static unsigned char type_of(const char *path, const struct dirent *entry)
{
	struct stat st;

	if (entry && entry->d_type != DT_UNKNOWN)
		return entry->d_type;
	/* a link is followed only if the user named it */
	if (entry ? lstat(path, &st) : stat(path, &st)) {
		complain(path, "%s", strerror(errno));
		return DT_UNKNOWN;
	}
	return IFTODT(st.st_mode);
}

/* Put a path where it belongs, or drop it. */
static void sort_in(char *path, unsigned char type, struct list *folders,
		    struct list *regular)
{
	if (type == DT_DIR)
		append(folders, path);
	else if (type == DT_REG)
		append(regular, path);
	else
		free(path);
}

static void read_folder(const char *folder, struct list *folders,
			struct list *regular)
{
	struct dirent *entry;
	DIR *dir = opendir(folder);

	if (!dir) {
		complain(folder, "%s", strerror(errno));
		return;
	}
	while (errno = 0, (entry = readdir(dir))) {
		char *path;

		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		path = join(folder, entry->d_name);
		sort_in(path, type_of(path, entry), folders, regular);
	}
	if (errno)
		complain(folder, "%s", strerror(errno));
	closedir(dir);
}

static int compare_paths(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* All regular files, sorted. */
static void find_files(void)
{
	struct list folders = { 0 }, regular = { 0 };
	size_t i;
	char **root;

	for (root = options.roots; *root; root++) {
		char *path = must(strdup(*root));

		sort_in(path, type_of(path, NULL), &folders, &regular);
	}
	while (folders.n) {
		char *folder = folders.item[--folders.n];

		read_folder(folder, &folders, &regular);
		free(folder);
	}
	free(folders.item);

	if (regular.n)
		qsort(regular.item, regular.n, sizeof(char *), compare_paths);
	nr_files = regular.n;
	files = must(calloc(nr_files + 1, sizeof(*files)));
	for (i = 0; i < nr_files; i++)
		files[i].path = regular.item[i];
	free(regular.item);
}

/* ---- a file ---------------------------------------------------------------- */

static bool computed(const struct file *f, int ok)
{
	if (!ok)
		complain(f->path, "libcrypto does not compute");
	return ok;
}

static bool hash_read(struct file *f, int fd, EVP_MD_CTX *ctx)
{
	char *buffer = must(malloc(BUFFER_SIZE));
	ssize_t n;

	while ((n = read(fd, buffer, BUFFER_SIZE)) > 0) {
		f->bytes += n;
		if (!computed(f, EVP_DigestUpdate(ctx, buffer, n)))
			break;
	}
	if (n < 0)
		complain(f->path, "%s", strerror(errno));
	free(buffer);
	return n == 0;
}

static bool hash_mapped(struct file *f, int fd, EVP_MD_CTX *ctx)
{
	struct stat st;
	void *map;
	bool done;

	if (fstat(fd, &st)) {
		complain(f->path, "%s", strerror(errno));
		return false;
	}
	/* one of /proc has no size, but may have bytes */
	if (!st.st_size)
		return hash_read(f, fd, ctx);
	f->bytes = st.st_size;
	map = mmap(NULL, st.st_size, PROT_READ, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED) {
		complain(f->path, "%s", strerror(errno));
		return false;
	}
	done = computed(f, EVP_DigestUpdate(ctx, map, st.st_size));
	munmap(map, st.st_size);
	return done;
}

static void hash(void *arg)
{
	struct file *f = arg;
	EVP_MD_CTX *ctx = must(EVP_MD_CTX_new());
	int fd;

	go_chan_send(open_files, NULL);
	f->failed = true;
	fd = open(f->path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		complain(f->path, "%s", strerror(errno));
	} else {
		f->failed = !computed(f, EVP_DigestInit_ex(ctx, sha256, NULL)) ||
			    !(options.map ? hash_mapped(f, fd, ctx)
					  : hash_read(f, fd, ctx)) ||
			    !computed(f, EVP_DigestFinal_ex(ctx, f->digest, NULL));
		close(fd);
	}
	go_chan_recv(open_files, NULL);
	EVP_MD_CTX_free(ctx);
	go_waitgroup_done(&working);
}

/* ---- the server --------------------------------------------------------------- */

static int listen_at(int port)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int one = 1;

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) ||
	    listen(fd, 8)) {
		close(fd);
		return -1;
	}
	return fd;
}

/* Give every byte back, to one client after another. */
static void serve(void *arg)
{
	int one = 1;
	char byte;

	(void)arg;
	for (;;) {
		int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

		if (fd < 0)
			return;
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		__atomic_store_n(&connection, fd, __ATOMIC_RELAXED);
		while (read(fd, &byte, 1) == 1 &&
		       send(fd, &byte, 1, MSG_NOSIGNAL) == 1)
			;
		__atomic_store_n(&connection, -1, __ATOMIC_RELAXED);
		close(fd);
	}
}

static void stop_serving(void)
{
	int fd = __atomic_load_n(&connection, __ATOMIC_RELAXED);

	if (fd >= 0)
		shutdown(fd, SHUT_RDWR);
	shutdown(listener, SHUT_RDWR);
}

/* ---- what comes out ------------------------------------------------------------- */

/* A name with a backslash or a line end in it is escaped, and its line marked. */
static void print_file(const struct file *f)
{
	const char *c;
	int i;

	if (strpbrk(f->path, "\\\n\r"))
		putchar('\\');
	for (i = 0; i < DIGEST_SIZE; i++)
		printf("%02x", f->digest[i]);
	fputs("  ", stdout);
	for (c = f->path; *c; c++) {
		if (*c == '\\')
			fputs("\\\\", stdout);
		else if (*c == '\n')
			fputs("\\n", stdout);
		else if (*c == '\r')
			fputs("\\r", stdout);
		else
			putchar(*c);
	}
	putchar('\n');
}

static void print_digests(void)
{
	size_t i;

	for (i = 0; i < nr_files; i++)
		if (!files[i].failed)
			print_file(&files[i]);
	if (fflush(stdout) || ferror(stdout))
		complain("standard output", "%s", strerror(errno));
}

static void write_stats(void)
{
	struct go_stats st = { 0 };
	uint64_t bytes = 0;
	size_t i, hashed = 0;
	FILE *to;

	go_stats_read(&st);
	for (i = 0; i < nr_files; i++) {
		if (files[i].failed)
			continue;
		bytes += files[i].bytes;
		hashed++;
	}
	to = strcmp(options.stats, "-") ? fopen(options.stats, "w") : stderr;
	if (!to) {
		complain(options.stats, "%s", strerror(errno));
		return;
	}
	fprintf(to, "{\"runtime\": \"%s\", \"how\": \"%s\", \"seconds\": %.3f, \"files\": %zu, \"bytes\": %llu, \"threads\": %u, \"handoffs\": %llu}\n",
		strcmp(st.assist, "module") ? "fallback" : "kgo",
		options.map ? "mmap" : "read",
		(double)(go_now() - started) / GO_SECOND, hashed,
		(unsigned long long)bytes, st.threads_max,
		(unsigned long long)st.handoffs);
	if (to != stderr && fclose(to))
		complain(options.stats, "%s", strerror(errno));
}

static void start(void *arg)
{
	size_t i;

	(void)arg;
	open_files = must(go_chan_make(0, options.jobs));
	if (options.port && go_spawn(serve, NULL))
		must(NULL);
	find_files();
	for (i = 0; i < nr_files; i++) {
		go_waitgroup_add(&working, 1);
		if (go_spawn(hash, &files[i]))
			must(NULL);
	}
	go_waitgroup_wait(&working);
	if (options.port)
		stop_serving();
	print_digests();
	if (options.stats)
		write_stats();
}

/* ---- the command line ------------------------------------------------------------- */

static void usage(FILE *to)
{
	fputs("usage: gosum [options] PATH...\n"
	      "Prints the SHA-256 of every regular file under the paths, one goroutine each.\n"
	      "  --mmap        map the files instead of reading them; one that another\n"
	      "                program makes shorter meanwhile ends this one (SIGBUS)\n"
	      "  --serve PORT  meanwhile give back every byte sent to 127.0.0.1:PORT\n"
	      "  --jobs N      most files open at a time (8000, or what the limit on\n"
	      "                open files allows)\n"
	      "  --stats FILE  write time, files, bytes and threads there as JSON; - is\n"
	      "                standard error\n"
	      "  --help\n"
	      "GOMAXPROCS in the environment sets the processors.\n"
	      "Exit status: 0, or 1 if a file could not be read (it is named).\n", to);
}

static long number(const char *option, const char *text, long max)
{
	char *end;
	long n = strtol(text, &end, 10);

	if (*end || end == text || n < 1 || n > max) {
		fprintf(stderr, "gosum: --%s takes a number from 1 to %ld, not '%s'\n",
			option, max, text);
		exit(2);
	}
	return n;
}

static void read_options(int argc, char **argv)
{
	static const struct option long_options[] = {
		{ "mmap", no_argument, NULL, 'm' },
		{ "serve", required_argument, NULL, 's' },
		{ "jobs", required_argument, NULL, 'j' },
		{ "stats", required_argument, NULL, 'S' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 }
	};
	int opt;

	options.jobs = JOBS;
	while ((opt = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		switch (opt) {
		case 'm':
			options.map = true;
			break;
		case 's':
			options.port = number("serve", optarg, 65535);
			break;
		case 'j':
			options.jobs = number("jobs", optarg, 1000000);
			break;
		case 'S':
			options.stats = optarg;
			break;
		case 'h':
			usage(stdout);
			exit(0);
		default:
			exit(2);
		}
	}
	if (optind == argc) {
		usage(stderr);
		exit(2);
	}
	options.roots = argv + optind;
}

/* As many open files as the system lets us have, and no more jobs than that. */
static void limit_jobs(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_cur < options.jobs + SPARE_FILES)
		options.jobs = limit.rlim_cur > 2 * SPARE_FILES ?
			       limit.rlim_cur - SPARE_FILES : SPARE_FILES;
}

int main(int argc, char **argv)
{
	int err;

	started = go_now();
	read_options(argc, argv);
	limit_jobs();
	sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	if (!sha256) {
		fprintf(stderr, "gosum: libcrypto has no SHA-256\n");
		return 1;
	}
	if (options.port) {
		listener = listen_at(options.port);
		if (listener < 0) {
			fprintf(stderr, "gosum: port %d: %s\n", options.port,
				strerror(errno));
			return 1;
		}
	}
	err = go_run(start, NULL);
	if (err) {
		fprintf(stderr, "gosum: go_run: %s\n", strerror(-err));
		return 1;
	}
	return failed;
}
