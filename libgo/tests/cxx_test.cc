// SPDX-License-Identifier: MIT
/*
 * C++: the header compiles, and objects and exceptions are as they are in a thread,
 * as long as an exception does not leave its goroutine.
 */
#include <csignal>
#include <cstdint>
#include <stdexcept>
#include <string>

#include "test.h"

static int destroyed, caught;
static struct go_waitgroup wg;

struct counted {
	~counted() { add(destroyed, 1); }
};

static void throw_after_yields(int depth)
{
	counted here;

	go_yield();
	if (!depth)
		throw std::runtime_error(std::to_string(go_id()));
	throw_after_yields(depth - 1);
}

/* The exception is made, thrown and caught with other goroutines in between. */
static void throw_and_catch(void *)
{
	for (int i = 0; i < 10; i++) {
		try {
			throw_after_yields(5);
		} catch (const std::runtime_error &e) {
			if (e.what() == std::to_string(go_id()))
				add(caught, 1);
		}
	}
	go_waitgroup_done(&wg);
}

GO_TEST(exceptions_stay_with_their_goroutines)
{
	go_waitgroup_add(&wg, 20);
	for (int i = 0; i < 20; i++)
		ck_assert_int_eq(go_spawn(throw_and_catch, nullptr), 0);
	go_waitgroup_wait(&wg);
	ck_assert_int_eq(caught, 20 * 10);
	ck_assert_int_eq(destroyed, 20 * 10 * 6);
}

static void leave_by_exception(void *)
{
	throw 1;
}

static void run_and_leave(void *)
{
	go_spawn(leave_by_exception, nullptr);
	go_sleep(GO_SECOND);
}

/* The unwinder finds the end of the stack, so std::terminate() is called. */
START_TEST(an_exception_that_nobody_catches_ends_the_program)
{
	go_run(run_and_leave, nullptr);
}
END_TEST

/* Each macro and inline function of the header is used as C++ sees it. */
GO_TEST(the_header_is_cxx)
{
	struct go_waitgroup group = GO_WAITGROUP_INIT;
	struct go_chan *ch = go_chan_make(sizeof(int), 1);
	struct go_opts opts = { 0, "named" };
	int v = 7;
	struct go_case cases[] = {
		GO_RECV(ch, &v), GO_SEND(nullptr, &v),
		GO_DEADLINE(go_now() + GO_MILLISECOND), GO_DEFAULT,
	};

	ck_assert_int_eq(go_select(cases, 4), 3);
	ck_assert_int_eq(go_chan_send(ch, &v), 0);
	ck_assert_int_eq(go_select(cases, 4), 0);
	go_waitgroup_add(&group, 1);
	ck_assert_int_eq(go_spawn_opts([](void *arg) {
		go_waitgroup_done(static_cast<struct go_waitgroup *>(arg));
	}, &group, &opts), 0);
	go_waitgroup_wait(&group);
	go_chan_release(ch);
}

int main(void)
{
	TCase *tc = tcase_create("cxx");

	tcase_add_go_test(tc, exceptions_stay_with_their_goroutines);
	tcase_add_test_raise_signal(
		tc, an_exception_that_nobody_catches_ends_the_program, SIGABRT);
	tcase_add_go_test(tc, the_header_is_cxx);
	return run_tests("cxx", tc);
}
