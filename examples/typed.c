// SPDX-License-Identifier: MIT
/*
 * Channels with types: try go_send(t->words, &sizes) and the like; it does not
 * compile.
 *
 *	./typed some words
 */
#include <stdio.h>
#include <string.h>

#include <go.h>

struct telegraph {
	GO_CHAN(char *) words;
	GO_CHAN(size_t) sizes;
};

static void measure(void *arg)
{
	struct telegraph *t = arg;
	size_t size;
	char *word;

	while (go_recv(t->words, &word)) {
		size = strlen(word);
		go_send(t->sizes, &size);
	}
	go_chan_close(t->sizes.chan);
}

static void start(void *arg)
{
	struct telegraph t;
	char **words = arg;
	size_t size;

	if (go_make(&t.words, 0) || go_make(&t.sizes, 0))
		return;
	go_spawn(measure, &t);
	for (; *words; words++) {
		go_send(t.words, words);
		go_recv(t.sizes, &size);
		printf("%s: %zu\n", *words, size);
	}
	go_chan_close(t.words.chan);
	go_recv(t.sizes, NULL);		/* it has ended then */
	go_chan_release(t.words.chan);
	go_chan_release(t.sizes.chan);
}

int main(int argc, char **argv)
{
	return argc && go_run(start, argv + 1) ? 1 : 0;
}
