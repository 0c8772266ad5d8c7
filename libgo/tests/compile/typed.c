// SPDX-License-Identifier: MIT
/*
 * Typed channels, for tests/compile/run: each line that is marked wrong must not
 * compile, all others must, without a warning, as C and as C++.
 */
#include <go.h>

struct point {
	int x;
	int y;
};

struct chans {
	GO_CHAN(int) ints;
	GO_CHAN(long) longs;
	GO_CHAN(struct point) points;
	GO_CHAN(const char *) strings;
	GO_CHAN(char[16]) names;
};

#ifdef __cplusplus
struct point3 : point {
	int z;
};

struct owner {
	~owner() { }
};
#endif

int typed(struct chans *c, struct point *p)
{
	const char *string = "text";
	const int constant = 1;
	void *any = p;
	unsigned int u = 0;
	char name[16] = "";
	char longer[17] = "";
	int n = 0;
	long l = 0;

	n += go_make(&c->ints, 1) + go_make(&c->names, 2);
	go_make(c->ints, 1); /* wrong */
	c->ints = c->longs; /* wrong */
	c->ints = c->ints.chan; /* wrong */

	n += go_send(c->ints, &n) + go_send(c->ints, &constant);
	n += go_try_send(c->longs, &l) + go_send_until(c->longs, &l, 0);
	n += go_send(c->points, p) + go_send(c->strings, &string);
	n += go_send(c->names, &name);
	go_send(c->ints, &l); /* wrong */
	go_send(c->ints, &u); /* wrong */
	go_send(c->ints, n); /* wrong */
	go_send(c->ints, 1); /* wrong */
	go_send(c->ints, any); /* wrong */
	go_send(c->ints, p); /* wrong */
	go_send(c->points, &p); /* wrong */
	go_send(c->points, &p->x); /* wrong */
	go_send(c->strings, string); /* wrong */
	go_send(c->names, &longer); /* wrong */
	go_try_send(c->longs, &n); /* wrong */
	go_send_until(c->longs, &n, 0); /* wrong */
	go_send(c->ints.chan, &n); /* wrong */

	n += go_recv(c->ints, &n) + go_recv(c->ints, NULL);
	n += go_try_recv(c->longs, &l) + go_recv_until(c->longs, &l, 0);
	n += go_try_recv(c->longs, NULL) + go_recv_until(c->longs, NULL, 0);
	n += go_recv(c->points, p) + go_recv(c->strings, &string);
	n += go_recv(c->names, &name);
	go_recv(c->ints, &l); /* wrong */
	go_recv(c->ints, &u); /* wrong */
	go_recv(c->ints, any); /* wrong */
	go_recv(c->ints, n); /* wrong */
	go_recv(c->ints, &constant); /* wrong */
	go_recv(c->points, &p->x); /* wrong */
	go_recv(c->names, &longer); /* wrong */
	go_try_recv(c->longs, &n); /* wrong */
	go_recv_until(c->longs, &n, 0); /* wrong */

	{
		struct go_case cases[] = {
			GO_SEND_TO(c->ints, &n),
			GO_SEND_TO(c->ints, &constant),
			GO_RECV_FROM(c->points, p),
			GO_RECV_FROM(c->longs, NULL),
			GO_SEND_TO(c->ints, &l), /* wrong */
			GO_SEND_TO(c->points, any), /* wrong */
			GO_RECV_FROM(c->ints, &l), /* wrong */
			GO_RECV_FROM(c->longs, &constant), /* wrong */
			GO_DEFAULT,
		};

		n += go_select(cases, 5);
	}

#ifdef __cplusplus
	struct point3 p3 = {};

	n += p3.z;
	go_send(c->points, &p3); /* wrong in C++ */
	go_recv(c->points, &p3); /* wrong in C++ */
	go_send(c->ints, NULL); /* wrong in C++ */
	GO_CHAN(struct owner) owners = {}; /* wrong in C++ */
#endif
	return n + (int)l + (int)u + !any + name[0] + longer[0];
}
