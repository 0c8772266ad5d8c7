// SPDX-License-Identifier: MIT
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "ending.h"

struct go_chan *ending_begin(const char *name)
{
	struct go_chan *signals = go_chan_make(sizeof(int), 1);

	if (signals && !go_signal_notify(signals, SIGINT, SIGTERM))
		return signals;
	fprintf(stderr, "%s: no memory\n", name);
	go_chan_release(signals);
	return NULL;
}

bool ending_wait(struct go_chan *signals, const char *name)
{
	int signo = 0;

	if (go_chan_recv(signals, &signo) != 1)
		return false;
	printf("%s: %s: it stops\n", name, strsignal(signo));
	fflush(stdout);
	go_signal_stop(signals);
	return true;
}

void ending_cancel(struct go_chan *signals)
{
	go_signal_stop(signals);
	go_chan_close(signals);
}
