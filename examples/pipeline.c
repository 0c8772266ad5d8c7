// SPDX-License-Identifier: MIT
/*
 * A pipeline: one goroutine counts, several test which numbers are prime, and the
 * main one gathers, tells each second how far it is, and ends on Ctrl-C.
 *
 *	./pipeline [LAST]
 *
 * Whoever has sent the last element closes the channel; that ends the next stage.
 * Only the first stage needs to be told to stop.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include <go.h>

#define WORKERS	4

struct pipeline {
	long last;
	struct go_chan *stop;		/* closed to stop the count */
	struct go_chan *numbers;	/* of long */
	struct go_chan *primes;		/* of long */
	struct go_waitgroup workers;
};

static void count(void *arg)
{
	struct pipeline *p = arg;
	long n;

	for (n = 2; n <= p->last; n++) {
		struct go_case cases[] = {
			GO_SEND(p->numbers, &n), GO_RECV(p->stop, NULL),
		};

		if (go_select(cases, 2) == 1)
			break;
	}
	go_chan_close(p->numbers);
}

static int is_prime(long n)
{
	long d;

	for (d = 2; d * d <= n; d++)
		if (n % d == 0)
			return 0;
	return 1;
}

static void test(void *arg)
{
	struct pipeline *p = arg;
	long n;

	while (go_chan_recv(p->numbers, &n))
		if (is_prime(n))
			go_chan_send(p->primes, &n);
	go_waitgroup_done(&p->workers);
}

static void close_primes(void *arg)
{
	struct pipeline *p = arg;

	go_waitgroup_wait(&p->workers);
	go_chan_close(p->primes);
}

static void gather(struct pipeline *p, struct go_chan *signals)
{
	int64_t tell = go_now() + GO_SECOND;
	long n, highest = 0, found = 0;
	int signo;

	for (;;) {
		struct go_case cases[] = {
			GO_RECV(p->primes, &n), GO_RECV(signals, &signo),
			GO_DEADLINE(tell),
		};

		switch (go_select(cases, 3)) {
		case 0:
			if (!cases[0].result) {
				printf("%ld primes, the highest is %ld\n",
				       found, highest);
				return;
			}
			found++;
			if (n > highest)
				highest = n;
			break;
		case 1:
			printf("signal %d: stopping\n", signo);
			go_chan_close(p->stop);
			go_signal_stop(signals);	/* the next one kills */
			break;
		case 2:
			printf("%ld primes so far\n", found);
			fflush(stdout);
			tell += GO_SECOND;
		}
	}
}

static void start(void *arg)
{
	struct go_chan *signals = go_chan_make(sizeof(int), 1);
	struct pipeline p = {
		.last = *(long *)arg,
		.stop = go_chan_make(0, 0),
		.numbers = go_chan_make(sizeof(long), 100),
		.primes = go_chan_make(sizeof(long), 100),
	};
	int i;

	if (!signals || !p.stop || !p.numbers || !p.primes ||
	    go_signal_notify(signals, SIGINT, SIGTERM)) {
		fputs("pipeline: can't start\n", stderr);
		exit(EXIT_FAILURE);
	}
	go_waitgroup_add(&p.workers, WORKERS);
	go_spawn(count, &p);
	for (i = 0; i < WORKERS; i++)
		go_spawn(test, &p);
	go_spawn(close_primes, &p);
	gather(&p, signals);

	go_chan_release(signals);
	go_chan_release(p.stop);
	go_chan_release(p.numbers);
	go_chan_release(p.primes);
}

int main(int argc, char **argv)
{
	long last = argc > 1 ? atol(argv[1]) : 1000000000;

	return go_run(start, &last) ? EXIT_FAILURE : EXIT_SUCCESS;
}
