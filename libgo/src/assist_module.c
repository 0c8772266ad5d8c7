// SPDX-License-Identifier: MIT
/*
 * The assist by the module: each call is one ioctl on /dev/kgo.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "assist.h"

/* The module has handed the Ps over long before: this is a safety net. */
#define MODULE_RETAKE_AFTER	(100 * GO_MILLISECOND)
/* What is left to the monitor is done every 10 ms, as in Go. */
#define MODULE_PATIENCE		(10 * GO_MILLISECOND)
/* So that who works now and then does not wake it each time. */
#define MODULE_IDLE_LOOKS	100

static struct {
	int fd;
	void *map;
	size_t map_size;
	uint32_t held_event;
} module = { .fd = -1 };

static int module_call(unsigned long cmd, void *arg)
{
	int saved = errno;
	int ret;

	do {
		ret = ioctl(module.fd, cmd, arg) ? -errno : 0;
	} while (ret == -EINTR);
	errno = saved;
	return ret;
}

static void module_stop(void)
{
	if (module.map)
		munmap(module.map, module.map_size);
	if (module.fd >= 0)
		close(module.fd);
	module.map = NULL;
	module.fd = -1;
}

static int module_start(void)
{
	struct kgo_setup setup = {
		.size = sizeof(setup),
		.flags = rt.hold ? KGO_SETUP_HOLD : 0,
		.nr_p = rt.nr_p_max,
		.nr_m = rt.nr_m_max + 1,	/* and the maker */
		.spare_low = rt.spare_low,
	};
	int ret;

	module.fd = open("/dev/kgo", O_RDWR | O_CLOEXEC);
	if (module.fd < 0)
		return -errno;
	ret = module_call(KGO_IOC_SETUP, &setup);
	if (!ret && (setup.version != KGO_ABI_VERSION ||
		     !(setup.features & KGO_FEATURE_HANDOFF)))
		ret = -EPROTO;
	if (ret)
		goto err;
	module.held_event = setup.features & KGO_FEATURE_HOLD ? KGO_EVENT_HELD :
								0;

	module.map_size = setup.map_size;
	module.map = mmap(NULL, setup.map_size, PROT_READ | PROT_WRITE,
			  MAP_SHARED, module.fd, 0);
	if (module.map == MAP_FAILED) {
		module.map = NULL;
		ret = -errno;
		goto err;
	}
	rt.shared = module.map;
	rt.p_words = (void *)((char *)module.map + setup.p_offset);
	rt.m_words = (void *)((char *)module.map + setup.m_offset);
	return 0;

err:
	module_stop();
	return ret;
}

static int module_enter(struct m *m)
{
	struct kgo_enter enter = { .size = sizeof(enter) };
	int ret = module_call(KGO_IOC_ENTER, &enter);

	if (ret)
		return ret;
	m->index = enter.m;
	m->words = &rt.m_words[enter.m];
	return 0;
}

static void module_leave(struct m *m)
{
	(void)m;
	module_call(KGO_IOC_LEAVE, NULL);
}

static uint32_t module_park(struct m *m, uint32_t *p)
{
	struct kgo_park park = { .size = sizeof(park) };
	int ret = module_call(KGO_IOC_PARK, &park);

	(void)m;
	if (ret) {
		fprintf(stderr, "libgo: /dev/kgo refuses to park a thread: %s\n",
			strerror(-ret));
		abort();
	}
	*p = park.p;
	return park.reason;
}

static int module_wake(uint32_t p, bool spinning)
{
	struct kgo_wake wake = {
		.size = sizeof(wake),
		.flags = spinning ? KGO_WAKE_SPINNING : 0,
		.p = p,
	};

	return module_call(KGO_IOC_WAKE, &wake);
}

static int module_pass(uint32_t p)
{
	struct kgo_pass pass = { .size = sizeof(pass), .p = p };

	return module_call(KGO_IOC_PASS, &pass);
}

/* The maker is an M for the module, one that never has a P. */
static bool module_wait(void)
{
	struct kgo_wait wait = {
		.size = sizeof(wait),
		.events = KGO_EVENT_SPARES | module.held_event,
	};

	return !module_call(KGO_IOC_WAIT, &wait) &&
	       wait.events & KGO_EVENT_HELD;
}

static uint64_t module_handoffs(void)
{
	struct kgo_stats st = { .size = sizeof(st) };

	return module_call(KGO_IOC_STATS, &st) ? 0 : st.handoffs;
}

const struct assist assist_module = {
	.name = "module",
	.retake_after = MODULE_RETAKE_AFTER,
	.patience = MODULE_PATIENCE,
	.patience_max = MODULE_PATIENCE,
	.idle_looks = MODULE_IDLE_LOOKS,
	.start = module_start,
	.stop = module_stop,
	.enter = module_enter,
	.leave = module_leave,
	.park = module_park,
	.wake = module_wake,
	.pass = module_pass,
	.wait = module_wait,
	.handoffs = module_handoffs,
};
