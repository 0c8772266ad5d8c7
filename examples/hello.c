// SPDX-License-Identifier: MIT
/*
 * The smallest program that shows the point: a goroutine makes an ordinary
 * system call that blocks, and another one goes on meanwhile, on one processor.
 *
 *	GOMAXPROCS=1 ./hello
 */
#include <stdio.h>
#include <unistd.h>

#include <go.h>

static void count(void *arg)
{
	struct go_chan *numbers = arg;

	for (int i = 1; i <= 3; i++) {
		go_chan_send(numbers, &i);
		sleep(1);	/* blocks in the kernel, not a libgo call */
	}
	go_chan_close(numbers);
}

static void start(void *arg)
{
	struct go_chan *numbers = go_chan_make(sizeof(int), 0);
	int n;

	(void)arg;
	go_spawn(count, numbers);
	while (go_chan_recv(numbers, &n))
		printf("%d\n", n);
	go_chan_release(numbers);
}

int main(void)
{
	return go_run(start, NULL) ? 1 : 0;
}
