// SPDX-License-Identifier: MIT
/*
 * Child processes.
 */
#include <errno.h>
#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <go.h>

#include "errnum.h"
#include "polldesc.h"

static int wait_once(pid_t pid, int *status, int options)
{
	pid_t ret;

	do {
		ret = waitpid(pid, status, options);
	} while (ret < 0 && errno_read() == EINTR);
	return ret < 0 ? -errno_read() : ret;
}

/* Returns 0, or why it can't be waited for that way. */
static int wait_without_thread(pid_t pid)
{
	int fd = syscall(SYS_pidfd_open, pid, 0);
	int ret;

	if (fd < 0)
		return -errno_read();
	poll_adopt(fd, POLL_OTHER);
	poll_own(fd, true);
	ret = go_poll(fd, POLLIN, INT64_MAX);
	go_close(fd);
	return ret < 0 ? ret : 0;
}

int go_wait(pid_t pid, int *status)
{
	int saved = errno_read(), ret;

	if (pid <= 0)
		return -EINVAL;
	/* Before the kernel's 5.3 there is no such descriptor: block. */
	ret = wait_once(pid, status, WNOHANG);
	if (!ret) {
		wait_without_thread(pid);
		ret = wait_once(pid, status, 0);
	}
	errno_write(saved);
	return ret < 0 ? ret : 0;
}
