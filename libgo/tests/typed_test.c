// SPDX-License-Identifier: MIT
/*
 * Typed channels at run time: they are channels. What does not compile is in
 * compile/typed.c.
 */
#include <errno.h>
#include <string.h>

#include "test.h"

struct point {
	int x;
	int y;
};

static GO_CHAN(struct point) points;
static GO_CHAN(char[16]) names;
static int evaluated;

GO_TEST(a_typed_channel_has_its_types_size)
{
	struct point in = { 1, 2 }, out = {};
	char name[16] = "a name", got[16];

	ck_assert_int_eq(go_make(&points, 2), 0);
	ck_assert_int_eq(go_make(&names, 1), 0);
	ck_assert_uint_eq(go_chan_cap(points.chan), 2);
	ck_assert_int_eq(go_send(points, &in), 0);
	ck_assert_int_eq(go_try_send(points, &in), 0);
	ck_assert_int_eq(go_try_send(points, &in), -EAGAIN);
	ck_assert_int_eq(go_send_until(points, &in, 0), -ETIMEDOUT);
	ck_assert_int_eq(go_recv(points, &out), 1);
	ck_assert_int_eq(out.x, 1);
	ck_assert_int_eq(out.y, 2);
	ck_assert_int_eq(go_try_recv(points, NULL), 1);
	ck_assert_int_eq(go_try_recv(points, &out), -EAGAIN);
	ck_assert_int_eq(go_recv_until(points, &out, 0), -ETIMEDOUT);

	ck_assert_int_eq(go_send(names, &name), 0);
	ck_assert_int_eq(go_recv(names, &got), 1);
	ck_assert_str_eq(got, "a name");
	ck_assert_int_eq(go_chan_close(names.chan), 0);
	ck_assert_int_eq(go_recv(names, &got), 0);
	ck_assert_str_eq(got, "");
}

static struct point *evaluate(struct point *p)
{
	evaluated++;
	return p;
}

GO_TEST(arguments_are_evaluated_once)
{
	struct point p = {};

	ck_assert_int_eq(go_make(&points, 1), 0);
	ck_assert_int_eq(go_send(points, evaluate(&p)), 0);
	ck_assert_int_eq(go_recv(points, evaluate(&p)), 1);
	ck_assert_int_eq(evaluated, 2);
	{
		struct go_case cases[] = {
			GO_SEND_TO(points, evaluate(&p)),
			GO_RECV_FROM(points, evaluate(&p)),
		};

		ck_assert_int_eq(evaluated, 4);
		ck_assert_int_eq(go_select(cases, 2), 0);
		ck_assert_int_eq(cases[0].result, 0);
		ck_assert_int_eq(go_select(cases, 2), 1);
		ck_assert_int_eq(cases[1].result, 1);
	}
}

GO_TEST(a_typed_channel_of_zeroes_is_nil)
{
	GO_CHAN(int) nil = {};
	int v = 0;

	ck_assert_int_eq(go_try_send(nil, &v), -EAGAIN);
	ck_assert_int_eq(go_try_recv(nil, &v), -EAGAIN);
	ck_assert_int_eq(go_make(&nil, SIZE_MAX), -ENOMEM);
	ck_assert_ptr_null(nil.chan);
}

int main(void)
{
	TCase *tc = tcase_create("typed");

	tcase_add_go_test(tc, a_typed_channel_has_its_types_size);
	tcase_add_go_test(tc, arguments_are_evaluated_once);
	tcase_add_go_test(tc, a_typed_channel_of_zeroes_is_nil);
	return run_tests("typed", tc);
}
