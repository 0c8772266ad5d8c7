// SPDX-License-Identifier: GPL-2.0-only
/*
 * Whatever user space writes into the shared pages and asks for, the kernel
 * keeps its memory, its counts and its other users (invariant 9). That it did
 * is also told by its log, which who runs this reads.
 */
#define _GNU_SOURCE
#include "kselftest_harness.h"
#include "m_life.h"
#include "ways.h"

#define NR_P	4
#define NR_M	8

static int job_block(struct m_thread *self)
{
	block(self->arg);
	return 0;
}

/* Whether a new runtime does what it should. */
static bool new_runtime_works(void)
{
	struct m_thread owner, spare;
	struct block block;
	struct runtime rt;
	bool good = false;

	if (block_prepare(&block, &way_pipe) ||
	    runtime_open(&rt, NR_P, NR_M, 0))
		return false;
	p_start(&rt, 0);
	if (m_start(&owner, &rt) || m_start(&spare, &rt) ||
	    m_take(&owner, 0) || !m_park(&spare))
		goto out;
	store(&rt.words->globq_len, 1);
	m_ask(&owner, job_block, &block);
	good = !m_result(&spare) && m_holds(&spare, 0);
	unblock_pipe(&block);
	good = good && !m_result(&owner) && !m_end(&owner) && !m_end(&spare);
out:
	runtime_close(&rt);
	return good;
}

FIXTURE(abuse) {
	struct runtime rt;
	struct m_thread owner;
	struct m_thread spare;
	struct block block;
	int refs;
};

FIXTURE_VARIANT(abuse) {
	__u32 flags;		/* of SETUP */
};

FIXTURE_VARIANT_ADD(abuse, plain) {};
FIXTURE_VARIANT_ADD(abuse, hold) { .flags = KGO_SETUP_HOLD };

FIXTURE_SETUP(abuse)
{
	self->refs = module_refs();
	ASSERT_LE(0, self->refs);
	ASSERT_EQ(0, block_prepare(&self->block, &way_pipe));
	ASSERT_EQ(0, runtime_open_as(&self->rt, variant->flags, NR_P, NR_M, 1));
	p_start(&self->rt, 0);
	ASSERT_EQ(0, m_start(&self->owner, &self->rt));
	ASSERT_EQ(0, m_start(&self->spare, &self->rt));
	ASSERT_EQ(0, m_take(&self->owner, 0));
}

FIXTURE_TEARDOWN(abuse)
{
	runtime_close(&self->rt);
}

#define begin_block()							\
	do {								\
		m_ask(&self->owner, job_block, &self->block);		\
		ASSERT_TRUE(eventually(m_state(&self->owner) ==		\
				       KGO_M_BLOCKED));			\
	} while (0)

/* Block the owner once, from beginning to end. */
#define block_owner()							\
	do {								\
		begin_block();						\
		unblock_pipe(&self->block);				\
		ASSERT_EQ(0, m_result(&self->owner));			\
	} while (0)

TEST_F(abuse, hold_of_what_is_not_there_holds_nothing)
{
	static const __u32 holds[] = {
		2, 3, NR_P + 1, 64, KGO_MAX_P, KGO_MAX_P + 1, 65536,
		0x7fffffff, 0x80000000, 0x80000000 | (NR_P + 1), ~0U,
	};
	__u64 word = load(&self->rt.p[0].word);
	unsigned int i;

	ASSERT_TRUE(m_park(&self->spare));
	store(&self->rt.words->globq_len, 1);
	for (i = 0; i < ARRAY_SIZE(holds); i++) {
		store(&m_words(&self->owner)->hold, holds[i]);
		block_owner();
		EXPECT_EQ(word, load(&self->rt.p[0].word));
	}
	EXPECT_FALSE(m_is_done(&self->spare));
}

TEST_F(abuse, word_of_any_other_state_is_left_alone)
{
	unsigned int state;
	__u64 word;

	ASSERT_TRUE(m_park(&self->spare));
	store(&self->rt.words->globq_len, 1);
	for (state = 0; state < 256; state++) {
		if (state == KGO_P_RUNNING)
			continue;
		word = word_of(state, self->owner.m, state * 1000);
		store(&self->rt.p[0].word, word);
		store(&m_words(&self->owner)->hold, 1);
		block_owner();
		EXPECT_EQ(word, load(&self->rt.p[0].word));
	}
	EXPECT_FALSE(m_is_done(&self->spare));
}

TEST_F(abuse, word_that_names_an_m_that_is_not_there)
{
	static const __u32 ms[] = { NR_M, NR_M - 1, 64, KGO_MAX_M, 0xffffff };
	unsigned int i;
	__u64 word;
	__u32 m;

	for (i = 0; i < ARRAY_SIZE(ms); i++) {
		/* running, by somebody that is not there */
		word = word_of(KGO_P_RUNNING, ms[i], i);
		store(&self->rt.p[0].word, word);
		store(&m_words(&self->owner)->hold, 1);
		store(&self->rt.words->globq_len, 1);
		block_owner();
		EXPECT_EQ(word, load(&self->rt.p[0].word));
		EXPECT_EQ(-EBUSY, kgo_wake(self->rt.fd, 0, 0, &m));

		/* idle, and last run by such a one */
		ASSERT_TRUE(m_park(&self->spare));
		store(&self->rt.p[0].word, word_of(KGO_P_IDLE, ms[i], i));
		EXPECT_EQ(0, kgo_wake(self->rt.fd, 0, 0, &m));
		EXPECT_EQ(0, m_result(&self->spare));
		EXPECT_TRUE(m_holds(&self->spare, 0));
		EXPECT_EQ(0, m_do(&self->spare, job_drop, NULL));
	}
}

TEST_F(abuse, idle_bits_of_what_is_not_idle_give_nothing)
{
	__u32 m;

	/* P 1 is to be woken; then it is dead, and all bits are set */
	p_start(&self->rt, 1);
	EXPECT_EQ(-EAGAIN, kgo_wake(self->rt.fd, 1, 0, &m));
	store(&self->rt.p[1].word, KGO_P_DEAD);
	memset(self->rt.words->idle, 0xff, sizeof(self->rt.words->idle));
	ASSERT_TRUE(m_park(&self->spare));
	EXPECT_TRUE(m_holds(&self->owner, 0));

	/* the spare gets the owner's P; the owner finds no other */
	memset(self->rt.words->idle, 0xff, sizeof(self->rt.words->idle));
	store(&self->rt.words->globq_len, 1);
	begin_block();
	ASSERT_EQ(0, m_result(&self->spare));
	unblock_pipe(&self->block);
	EXPECT_TRUE(eventually(m_state(&self->owner) == KGO_M_RETURNING));
	EXPECT_TRUE(m_holds(&self->spare, 0));
	EXPECT_EQ(KGO_HOLD_NONE, m_hold(&self->owner));
	EXPECT_EQ(KGO_P_DEAD, load(&self->rt.p[1].word));
	EXPECT_EQ(KGO_P_DEAD, load(&self->rt.p[NR_P - 1].word));
}

TEST_F(abuse, words_that_only_tell_are_not_believed)
{
	struct kgo_stats stats;
	__u32 m;

	ASSERT_TRUE(m_park(&self->spare));
	store(&self->rt.words->nr_spare, 0);
	memset(m_words(&self->spare), 0xff, sizeof(struct kgo_m));
	p_start(&self->rt, 1);
	EXPECT_EQ(0, kgo_wake(self->rt.fd, 1, 0, &m));
	EXPECT_EQ(self->spare.m, m);
	EXPECT_EQ(0, m_result(&self->spare));
	EXPECT_EQ(1U, self->spare.p);
	store(&self->rt.words->nr_spare, 100);
	p_start(&self->rt, 2);
	EXPECT_EQ(-EAGAIN, kgo_wake(self->rt.fd, 2, 0, &m));
	ASSERT_EQ(0, kgo_stats(self->rt.fd, &stats));
	EXPECT_EQ(0U, stats.nr_spare);
}

TEST_F(abuse, spare_whose_words_are_cleared_leaves)
{
	ASSERT_TRUE(m_park(&self->spare));
	memset(m_words(&self->spare), 0, sizeof(struct kgo_m));
	EXPECT_EQ(-EINTR, m_interrupt(&self->spare));
	EXPECT_EQ(0, m_end(&self->spare));
}

/* Write something at random, of the kind that belongs there or any other. */
static void scribble(struct runtime *rt, __u32 *random)
{
	size_t size = rt->setup.m_offset + rt->setup.nr_m *
		      sizeof(struct kgo_m);
	__u32 what = random_next(random), value = random_next(random);
	char *map = (char *)rt->words;

	switch (what % 16) {
	case 0:
		store((__u32 *)(map + value % size / 4 * 4),
		      random_next(random));
		break;
	case 1:
		store((__u64 *)(map + value % size / 8 * 8),
		      (__u64)random_next(random) << 32 | random_next(random));
		break;
	case 2:
		store((__u32 *)(map + value % size / 4 * 4), value >> 30);
		break;
	case 3:
		memset(map + value % (size - 64), value >> 24, 64);
		break;
	case 4:
		store(&rt->words->idle[value % 16],
		      (__u64)random_next(random) << 32 | random_next(random));
		break;
	case 5:
	case 6:
		store(&rt->m[value % rt->setup.nr_m].hold,
		      (value >> 8) % (rt->setup.nr_p + 2));
		break;
	case 7:
	case 8:
		/* mostly none, or nothing would ever be taken */
		store(&rt->m[value % rt->setup.nr_m].critical,
		      value >> 8 & 15 ? 0 : 1);
		break;
	case 9:
		store(&rt->words->nr_spare, value);
		break;
	default:
		store(&rt->p[value % rt->setup.nr_p].word,
		      word_of((value >> 8) % 4,
			      (value >> 16) % (rt->setup.nr_m + 1),
			      random_next(random)));
	}
}

struct scribbler {
	struct runtime *rt;
	__u32 random;
	bool stop;
	unsigned long written;
};

static void *scribbler_main(void *arg)
{
	struct scribbler *scribbler = arg;

	while (!load(&scribbler->stop)) {
		scribble(scribbler->rt, &scribbler->random);
		scribbler->written++;
		spin(random_next(&scribbler->random) % 64);
	}
	return NULL;
}

TEST_F_TIMEOUT(abuse, random_words_do_no_harm, 120)
{
	__u32 seed = figure("KGO_SEED", getpid()), p;
	struct scribbler scribbler = { .rt = &self->rt, .random = seed | 1 };
	struct m_life life = { .rt = &self->rt, .mortal = true };
	struct kgo_stats stats;
	pthread_t thread;

	TH_LOG("KGO_SEED=%u", seed);
	ASSERT_EQ(0, m_end(&self->owner));
	ASSERT_EQ(0, m_end(&self->spare));
	for (p = 0; p < NR_P; p++)
		p_start(&self->rt, p);
	ASSERT_EQ(0, m_life_start(&life, NR_M, seed));
	ASSERT_EQ(0, start_thread(&thread, scribbler_main, &scribbler));
	m_life_tend(&life, figure("KGO_ABUSE_SECONDS", 5));
	store(&scribbler.stop, true);
	pthread_join(thread, NULL);
	EXPECT_EQ(0, m_life_stop(&life));
	ASSERT_TRUE(eventually(!kgo_stats(self->rt.fd, &stats) &&
			       !stats.nr_m && !stats.nr_spare));
	TH_LOG("%lu words; %llu handoffs, %llu takes, %llu parks, %llu deaths",
	       scribbler.written, stats.handoffs, stats.takes, stats.parks,
	       stats.deaths);
	EXPECT_LT(0U, stats.handoffs);
	EXPECT_LT(0U, stats.parks);
	EXPECT_LT(0U, stats.deaths);
	runtime_close(&self->rt);
	EXPECT_TRUE(eventually(module_refs() == self->refs));
	EXPECT_TRUE(new_runtime_works());
}

/*
 * Threads that call whatever there is with whatever arguments, on a runtime
 * that all share, and on files of their own.
 */
struct caller {
	struct callers *callers;
	pthread_t thread;
	pid_t tid;
	__u32 random;
	bool ended;
};

struct callers {
	struct runtime *rt;
	bool stop;
	unsigned int calls;
	unsigned int good;
	struct caller each[6];
};

static unsigned long random_call(__u32 *random)
{
	__u32 kind = random_next(random);

	if (kind % 32 == 0)
		return random_next(random);
	if (kind % 32 == 1)
		return _IO(KGO_IOC_TYPE, random_next(random) % 16);
	return _IO(KGO_IOC_TYPE, (kind >> 8) % 8);
}

static void random_arguments(__u32 *args, size_t n, __u32 *random)
{
	static const __u32 sizes[] = { 8, 16, 16, 16, 56, 96, 4096 };
	__u32 kind = random_next(random);
	size_t i;

	for (i = 0; i < n; i++)
		args[i] = kind % 4 ? 0 : random_next(random);
	/* mostly of a size that is right for some call, with small numbers */
	if (kind % 16)
		args[0] = sizes[(kind >> 8) % ARRAY_SIZE(sizes)];
	for (i = 1; i < 5; i++)
		if (kind >> (16 + i) & 1)
			args[i] = random_next(random) % 6;
}

static void call_at_random(struct caller *self, int fd)
{
	__u32 args[1024];
	unsigned long call = random_call(&self->random);
	void *where = args;

	random_arguments(args, ARRAY_SIZE(args), &self->random);
	switch (random_next(&self->random) % 32) {
	case 0:
		where = NULL;
		break;
	case 1:
		where = (void *)(unsigned long)random_next(&self->random);
		break;
	case 2:
		where = self->callers->rt->words;
		break;
	}
	__atomic_fetch_add(&self->callers->calls, 1, __ATOMIC_RELAXED);
	if (!kgo_call(fd, call, where))
		__atomic_fetch_add(&self->callers->good, 1, __ATOMIC_RELAXED);
}

static void *caller_main(void *arg)
{
	struct caller *self = arg;
	struct callers *callers = self->callers;
	int own = kgo_open(), n;
	size_t size;
	void *map;

	self->tid = syscall(SYS_gettid);
	while (!load(&callers->stop)) {
		for (n = random_next(&self->random) % 64; n; n--)
			call_at_random(self, n % 4 ? callers->rt->fd : own);
		size = 4096 * (random_next(&self->random) % 8 + 1);
		map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, own,
			   0);
		if (random_next(&self->random) % 2) {
			close(own);
			own = kgo_open();
		}
		if (map != MAP_FAILED)
			munmap(map, size);
	}
	close(own);
	store(&self->ended, true);
	return NULL;
}

TEST_F_TIMEOUT(abuse, random_calls_do_no_harm, 120)
{
	__u32 seed = figure("KGO_SEED", getpid());
	struct callers callers = { .rt = &self->rt };
	unsigned int i;
	__u64 end;

	TH_LOG("KGO_SEED=%u", seed);
	ASSERT_EQ(0, m_end(&self->owner));
	ASSERT_EQ(0, m_end(&self->spare));
	signals_interrupt(SIGUSR1, 0);
	for (i = 0; i < ARRAY_SIZE(callers.each); i++) {
		callers.each[i].callers = &callers;
		callers.each[i].random = (seed + i) * 2654435761U | 1;
		ASSERT_EQ(0, start_thread(&callers.each[i].thread, caller_main,
					  &callers.each[i]));
	}
	/* signals end what sleeps */
	end = now_ns() + figure("KGO_ABUSE_SECONDS", 5) * 1000000000ULL;
	for (i = 0; now_ns() < end; i++) {
		syscall(SYS_tgkill, getpid(),
			load(&callers.each[i % ARRAY_SIZE(callers.each)].tid),
			SIGUSR1);
		nap_ns(100 * 1000);
	}
	store(&callers.stop, true);
	for (i = 0; i < ARRAY_SIZE(callers.each); i++) {
		struct caller *each = &callers.each[i];

		ASSERT_TRUE(until_limit(load(&each->ended), {
			syscall(SYS_tgkill, getpid(), each->tid, SIGUSR1);
			nap_ns(200 * 1000);
		}));
		pthread_join(each->thread, NULL);
	}
	TH_LOG("%u calls, %u of them good", callers.calls, callers.good);
	EXPECT_LT(0U, callers.good);
	runtime_close(&self->rt);
	EXPECT_TRUE(eventually(module_refs() == self->refs));
	EXPECT_TRUE(new_runtime_works());
}

TEST_HARNESS_MAIN
