// SPDX-License-Identifier: GPL-2.0-only
/*
 * Everything at once, for a while: several processes with a runtime each, whose
 * Ms live and die at random, which fork, open and close more runtimes, and are
 * stopped, continued and killed.
 */
#define _GNU_SOURCE
#include <sys/prctl.h>
#include <sys/wait.h>
#include "kselftest_harness.h"
#include "m_life.h"

#define NR_P		4
#define NR_M		12
#define NR_PROCESSES	3

/* What the processes share. */
struct stress {
	bool stop;
	unsigned int sections;
	unsigned int forks;
	unsigned int runtimes;
};

/* Fork, and open and close runtimes, beside the Ms that live. */
struct beside {
	struct stress *stress;
	struct runtime *rt;
	bool good;
};

static void *fork_beside(void *arg)
{
	struct beside *beside = arg;
	struct kgo_stats stats;
	int status;
	pid_t pid;

	while (!load(&beside->stress->stop) && beside->good) {
		pid = fork();
		if (!pid)
			_exit(kgo_stats(beside->rt->fd, &stats) != -EPERM);
		if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
			beside->good = false;
		__atomic_fetch_add(&beside->stress->forks, 1,
				   __ATOMIC_RELAXED);
		nap_ns(1000 * 1000);
	}
	return NULL;
}

static void *open_beside(void *arg)
{
	struct beside *beside = arg;
	struct runtime rt;
	__u32 m;

	while (!load(&beside->stress->stop) && beside->good) {
		beside->good = false;
		if (runtime_open(&rt, 2, 2, 0) || kgo_enter(rt.fd, &m))
			break;
		p_start(&rt, 1);
		if (p_take(&rt, m, 1))
			break;
		nap_ns(500 * 1000);
		if (!p_drop(&rt, m) || kgo_leave(rt.fd))
			break;
		runtime_close(&rt);
		beside->good = true;
		__atomic_fetch_add(&beside->stress->runtimes, 1,
				   __ATOMIC_RELAXED);
	}
	return NULL;
}

/* One of the processes; its exit status says whether all was well. */
static int stressed(struct stress *stress, __u32 flags, __u32 seed)
{
	struct m_life life = { .checked = true, .mortal = true };
	struct beside forks = { .stress = stress, .good = true };
	struct beside opens = { .stress = stress, .good = true };
	pthread_t forker, opener;
	struct kgo_stats stats;
	struct runtime rt;
	__u32 p;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (runtime_open_as(&rt, flags, NR_P, NR_M, 2))
		return 1;
	life.rt = &rt;
	forks.rt = &rt;
	for (p = 0; p < NR_P; p++)
		p_start(&rt, p);
	if (m_life_start(&life, 8, seed) ||
	    start_thread(&forker, fork_beside, &forks) ||
	    start_thread(&opener, open_beside, &opens))
		return 2;
	while (!load(&stress->stop))
		m_life_tend(&life, 1);
	if (m_life_stop(&life))
		return 3;
	pthread_join(forker, NULL);
	pthread_join(opener, NULL);
	__atomic_fetch_add(&stress->sections, life.sections, __ATOMIC_RELAXED);
	if (life.violations) {
		fprintf(stderr, "# P %u: %s\n", life.what_p, life.what);
		return 4;
	}
	if (!forks.good || !opens.good)
		return 5;
	/* every M is gone and every P idle */
	if (!eventually(!kgo_stats(rt.fd, &stats) && !stats.nr_m &&
			!stats.nr_spare))
		return 6;
	for (p = 0; p < NR_P; p++)
		if (!eventually(p_is_idle(&rt, p) && idle_bit(&rt, p))) {
			fprintf(stderr, "# P %u: word %#llx, bit %d\n", p,
				(unsigned long long)load(&rt.p[p].word),
				idle_bit(&rt, p));
			return 7;
		}
	return 0;
}

static pid_t start_process(struct stress *stress, __u32 flags, __u32 seed)
{
	pid_t pid = fork();

	if (!pid)
		_exit(stressed(stress, flags, seed));
	return pid;
}

FIXTURE(stress) {
	struct stress *stress;
	int refs;
};

FIXTURE_VARIANT(stress) {
	__u32 flags;		/* of SETUP */
};

FIXTURE_VARIANT_ADD(stress, plain) {};
FIXTURE_VARIANT_ADD(stress, hold) { .flags = KGO_SETUP_HOLD };

FIXTURE_SETUP(stress)
{
	self->refs = module_refs();
	ASSERT_LE(0, self->refs);
	self->stress = mmap(NULL, sizeof(*self->stress),
			    PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->stress);
}

FIXTURE_TEARDOWN(stress)
{
	store(&self->stress->stop, true);
}

TEST_F_TIMEOUT(stress, everything_at_once, 120)
{
	__u64 end = now_ns() + figure("KGO_STRESS_SECONDS", 10) * 1000000000ULL;
	__u32 random = figure("KGO_SEED", 1);
	unsigned int killed = 0, stopped = 0, i;
	pid_t pids[NR_PROCESSES], pid;
	int status;

	for (i = 0; i < NR_PROCESSES; i++) {
		pids[i] = start_process(self->stress, variant->flags,
					random_next(&random));
		ASSERT_LT(0, pids[i]);
	}
	while (now_ns() < end) {
		i = random_next(&random) % NR_PROCESSES;
		kill(pids[i], SIGSTOP);
		nap_ns(random_next(&random) % 1000000);
		kill(pids[i], SIGCONT);
		stopped++;
		nap_ns(random_next(&random) % 20000000);
		/* the first one is never killed, and must end well */
		if (i && random_next(&random) % 4 == 0) {
			kill(pids[i], SIGKILL);
			ASSERT_EQ(pids[i], waitpid(pids[i], &status, 0));
			ASSERT_TRUE(WIFSIGNALED(status)) {
				TH_LOG("process %u ended with %#x", i, status);
			}
			pids[i] = start_process(self->stress, variant->flags,
						random_next(&random));
			ASSERT_LT(0, pids[i]);
			killed++;
		}
	}
	store(&self->stress->stop, true);
	for (i = 0; i < NR_PROCESSES; i++) {
		pid = waitpid(pids[i], &status, 0);
		ASSERT_EQ(pids[i], pid);
		EXPECT_EQ(0, status) {
			TH_LOG("process %u ended with %#x", i, status);
		}
	}
	TH_LOG("%u sections, %u forks, %u runtimes, %u stops, %u kills",
	       self->stress->sections, self->stress->forks,
	       self->stress->runtimes, stopped, killed);
	EXPECT_TRUE(eventually(module_refs() == self->refs));
}

TEST_HARNESS_MAIN
