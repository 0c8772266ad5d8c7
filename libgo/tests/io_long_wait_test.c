// SPDX-License-Identifier: MIT
/*
 * What was closed behind the library's back is found out by those as well that have
 * waited for long: the monitor looks at them less often. A program of its own, as it
 * takes 12 s and nearly no processor: it runs beside others.
 */
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#include "test.h"

/* No other file of the process gets it. */
#define NUMBER	200

static struct go_waitgroup wg;
static int result;

static void read_one(void *arg)
{
	char c;

	(void)arg;
	store(result, go_read(NUMBER, &c, 1));
	go_waitgroup_done(&wg);
}

static void close_after_a_while(void *arg)
{
	int fds[2];

	(void)arg;
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	ck_assert_int_eq(dup2(fds[0], NUMBER), NUMBER);
	ck_assert_int_eq(close(fds[0]), 0);
	ck_assert_int_eq(go_waitgroup_add(&wg, 1), 0);
	ck_assert_int_eq(go_spawn(read_one, NULL), 0);
	/* it has been looked at then, and was all right */
	go_sleep(2 * GO_SECOND);
	ck_assert_int_eq(load(result), 0);
	ck_assert_int_eq(close(NUMBER), 0);
	ck_assert_int_eq(go_waitgroup_wait(&wg), 0);
	ck_assert_int_eq(result, -EBADF);
	close(fds[1]);
}

START_TEST(who_has_waited_long_is_told_as_well)
{
	run_with_procs(1, close_after_a_while);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("io_long_wait");

	tcase_add_test(tc, who_has_waited_long_is_told_as_well);
	return run_tests("io_long_wait", tc);
}
