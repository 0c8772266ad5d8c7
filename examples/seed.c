// SPDX-License-Identifier: MIT
/*
 * A goroutine's result over a channel: the program that kgo began with. It is
 * bench/go/seed/main.go in C.
 */
#include <stdio.h>
#include <stdlib.h>

#include <go.h>

/* An error is a text, or NULL if all went well. */
typedef const char *(*task_fn)(void);

struct task {
	task_fn run;
	struct go_chan *result;
};

static void run_task(void *arg)
{
	struct task *task = arg;
	const char *error = task->run();

	go_chan_send(task->result, &error);
	go_chan_release(task->result);
	free(task);
}

/* Run a function in a goroutine; its error comes out of the channel. */
static struct go_chan *spawn(task_fn run)
{
	struct go_chan *result = go_chan_make(sizeof(const char *), 0);
	struct task *task = malloc(sizeof(*task));

	if (!result || !task)
		goto no_memory;
	task->run = run;
	task->result = go_chan_retain(result);
	if (go_spawn(run_task, task))
		goto not_started;
	return result;

not_started:
	go_chan_release(result);
no_memory:
	go_chan_release(result);
	free(task);
	return NULL;
}

static const char *late(void)
{
	go_sleep(2 * GO_SECOND);
	return "timeout";
}

static void start(void *arg)
{
	struct go_chan *c = spawn(late);
	const char *error;
	int *status = arg;

	if (!c)
		return;
	if (go_chan_recv(c, &error) == 1) {
		printf("%s\n", error);
		*status = 0;
	}
	go_chan_release(c);
}

int main(void)
{
	int status = 1;

	return go_run(start, &status) ? 1 : status;
}
