// SPDX-License-Identifier: MIT
/*
 * That typed channels cost nothing, for tests/compile/run: the same machine code
 * comes out with TYPED defined and without.
 */
#include <go.h>

#ifdef TYPED
#define CHAN			GO_CHAN(int)
#define SEND(ch, elem)		go_send(ch, elem)
#define RECV(ch, elem)		go_recv(ch, elem)
#define CASE_SEND(ch, elem)	GO_SEND_TO(ch, elem)
#define CASE_RECV(ch, elem)	GO_RECV_FROM(ch, elem)
#else
#define CHAN			struct go_chan *
#define SEND(ch, elem)		go_chan_send(ch, elem)
#define RECV(ch, elem)		go_chan_recv(ch, elem)
#define CASE_SEND(ch, elem)	GO_SEND(ch, elem)
#define CASE_RECV(ch, elem)	GO_RECV(ch, elem)
#endif

struct filter {
	CHAN in;
	CHAN out;
};

int use(struct filter *f)
{
	int n, sum = 0;

	while (RECV(f->in, &n)) {
		struct go_case cases[] = {
			CASE_SEND(f->out, &n), CASE_RECV(f->in, &sum),
		};

		sum += n + go_select(cases, 2);
		SEND(f->out, &sum);
	}
	return sum;
}
