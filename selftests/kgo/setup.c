// SPDX-License-Identifier: GPL-2.0-only
/*
 * The device, SETUP, the map, and what every call does with a bad argument.
 */
#define _GNU_SOURCE
#include <signal.h>
#include "kselftest_harness.h"
#include "memory.h"
#include "runtime.h"

#define NR_P	4
#define NR_M	8

static const unsigned long calls[] = {
	KGO_IOC_SETUP, KGO_IOC_ENTER, KGO_IOC_LEAVE, KGO_IOC_PARK,
	KGO_IOC_WAKE, KGO_IOC_WAIT, KGO_IOC_STATS, KGO_IOC_PASS,
};

/* Large enough for any structure with a page and more behind it. */
union any {
	__u32 size;
	struct kgo_setup setup;
	struct kgo_enter enter;
	struct kgo_park park;
	struct kgo_wake wake;
	struct kgo_wait wait;
	struct kgo_stats stats;
	struct kgo_pass pass;
	unsigned char bytes[16384];
};

TEST(setup_tells_version_features_and_layout)
{
	struct kgo_setup args;
	int fd = kgo_open();

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, kgo_set_up(fd, NR_P, NR_M, 1, &args));
	EXPECT_EQ(sizeof(args), args.size);
	EXPECT_EQ(KGO_ABI_VERSION, (int)args.version);
	EXPECT_EQ(KGO_FEATURE_HANDOFF, args.features & ~KGO_FEATURE_HOLD);
	EXPECT_EQ(0U, args.map_size % sysconf(_SC_PAGESIZE));
	EXPECT_EQ(0U, args.p_offset % 64);
	EXPECT_EQ(0U, args.m_offset % 64);
	EXPECT_LE(sizeof(struct kgo_runtime), args.p_offset);
	EXPECT_LE(args.p_offset + NR_P * sizeof(struct kgo_p), args.m_offset);
	EXPECT_LE(args.m_offset + NR_M * sizeof(struct kgo_m), args.map_size);

	/* what went in is as it was */
	EXPECT_EQ(0U, args.flags);
	EXPECT_EQ((__u32)NR_P, args.nr_p);
	EXPECT_EQ((__u32)NR_M, args.nr_m);
	EXPECT_EQ(1U, args.spare_low);
	close(fd);
}

TEST(calls_before_setup_fail)
{
	union any args;
	unsigned int i;
	int fd = kgo_open();

	ASSERT_LE(0, fd);
	for (i = 1; i < ARRAY_SIZE(calls); i++) {
		memset(&args, 0, sizeof(args));
		args.size = sizeof(args.stats);
		EXPECT_EQ(-ENXIO, kgo_call(fd, calls[i], &args));
	}
	EXPECT_EQ(MAP_FAILED, mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0));
	EXPECT_EQ(ENXIO, errno);
	close(fd);
}

TEST(second_setup_fails)
{
	struct kgo_setup args;
	int fd = kgo_open();

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, kgo_set_up(fd, NR_P, NR_M, 0, &args));
	EXPECT_EQ(-EBUSY, kgo_set_up(fd, NR_P, NR_M, 0, &args));
	EXPECT_EQ(POISON, args.version);
	EXPECT_EQ(-EBUSY, kgo_set_up(fd, NR_P + 1, NR_M, 0, &args));
	close(fd);
}

TEST(setup_refuses_numbers_out_of_range)
{
	static const struct {
		__u32 nr_p, nr_m, spare_low;
	} bad[] = {
		{ 0, NR_M, 0 },
		{ KGO_MAX_P + 1, NR_M, 0 },
		{ ~0U, NR_M, 0 },
		{ NR_P, 0, 0 },
		{ NR_P, KGO_MAX_M + 1, 0 },
		{ NR_P, ~0U, 0 },
		{ NR_P, NR_M, NR_M + 1 },
		{ NR_P, NR_M, ~0U },
	};
	struct kgo_setup args;
	unsigned int i;
	int fd = kgo_open();

	ASSERT_LE(0, fd);
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		EXPECT_EQ(-EINVAL, kgo_set_up(fd, bad[i].nr_p, bad[i].nr_m,
					      bad[i].spare_low, &args));
		EXPECT_EQ(POISON, args.version);
	}
	/* and is as before */
	EXPECT_EQ(-ENXIO, kgo_leave(fd));
	EXPECT_EQ(0, kgo_set_up(fd, NR_P, NR_M, NR_M, &args));
	close(fd);
}

TEST(setup_takes_numbers_up_to_the_limits)
{
	struct runtime rt;

	ASSERT_EQ(0, runtime_open(&rt, KGO_MAX_P, KGO_MAX_M, KGO_MAX_M));
	p_start(&rt, KGO_MAX_P - 1);
	EXPECT_TRUE(p_is_idle(&rt, KGO_MAX_P - 1));
	runtime_close(&rt);

	ASSERT_EQ(0, runtime_open(&rt, 1, 1, 0));
	runtime_close(&rt);
}

TEST(setup_refuses_flags)
{
	struct kgo_setup args;
	unsigned int bit;
	int fd = kgo_open();

	ASSERT_LE(0, fd);
	for (bit = 1; bit < 32; bit++) {	/* bit 0 is KGO_SETUP_HOLD */
		poison(args);
		args.size = sizeof(args);
		args.flags = 1U << bit;
		args.nr_p = NR_P;
		args.nr_m = NR_M;
		args.spare_low = 0;
		EXPECT_EQ(-EINVAL, kgo_call(fd, KGO_IOC_SETUP, &args));
		EXPECT_EQ(POISON, args.version);
	}
	EXPECT_EQ(0, kgo_set_up(fd, NR_P, NR_M, 0, &args));
	close(fd);
}

TEST(setup_that_cannot_answer_changes_nothing)
{
	struct kgo_setup args = {
		.size = sizeof(args), .nr_p = NR_P, .nr_m = NR_M,
	};
	int fd = kgo_open();

	ASSERT_LE(0, fd);
	EXPECT_EQ(-EFAULT, kgo_call(fd, KGO_IOC_SETUP,
				    read_only(&args, sizeof(args))));
	EXPECT_EQ(-ENXIO, kgo_leave(fd));
	EXPECT_EQ(0, kgo_set_up(fd, NR_P, NR_M, 0, &args));
	close(fd);
}

TEST(unknown_call_fails)
{
	union any args = { .size = sizeof(args.stats) };
	struct runtime rt;
	unsigned int nr;

	ASSERT_EQ(0, runtime_open(&rt, NR_P, NR_M, 0));
	for (nr = 8; nr < 256; nr++)
		EXPECT_EQ(-ENOTTY, kgo_call(rt.fd, _IO(KGO_IOC_TYPE, nr),
					    &args));
	/* another type, and numbers with a size or a direction */
	EXPECT_EQ(-ENOTTY, kgo_call(rt.fd, _IO(KGO_IOC_TYPE + 1, 6), &args));
	EXPECT_EQ(-ENOTTY, kgo_call(rt.fd, _IO(0, 6), &args));
	EXPECT_EQ(-ENOTTY, kgo_call(rt.fd, _IOWR(KGO_IOC_TYPE, 6,
						 struct kgo_stats), &args));
	runtime_close(&rt);
}

/*
 * Arguments that are wrong in themselves. The test is an M without a P, so that
 * nothing else is wrong.
 */
FIXTURE(argument) {
	int fd;
	__u32 m;
};

FIXTURE_VARIANT(argument) {
	unsigned long call;
	size_t size;		/* of the first version of the structure */
	size_t known;		/* and of this one, if it is another */
	size_t flags;		/* where what must be zero is; 0: nowhere */
	__u32 good;		/* flags that there are */
	size_t reserved;
};

FIXTURE_VARIANT_ADD(argument, setup) {
	.call = KGO_IOC_SETUP,
	.size = 56,
	.flags = offsetof(struct kgo_setup, flags),
	.good = KGO_SETUP_HOLD,
};

FIXTURE_VARIANT_ADD(argument, enter) {
	.call = KGO_IOC_ENTER,
	.size = 16,
	.flags = offsetof(struct kgo_enter, flags),
	.reserved = offsetof(struct kgo_enter, reserved),
};

FIXTURE_VARIANT_ADD(argument, park) {
	.call = KGO_IOC_PARK,
	.size = 16,
	.flags = offsetof(struct kgo_park, flags),
};

FIXTURE_VARIANT_ADD(argument, wake) {
	.call = KGO_IOC_WAKE,
	.size = 16,
};

FIXTURE_VARIANT_ADD(argument, wait) {
	.call = KGO_IOC_WAIT,
	.size = 8,
};

FIXTURE_VARIANT_ADD(argument, stats) {
	.call = KGO_IOC_STATS,
	.size = 96,
	.known = 120,
	.reserved = offsetof(struct kgo_stats, reserved),
};

FIXTURE_VARIANT_ADD(argument, pass) {
	.call = KGO_IOC_PASS,
	.size = 16,
	.flags = offsetof(struct kgo_pass, flags),
};

FIXTURE_SETUP(argument)
{
	struct kgo_setup args;

	self->fd = kgo_open();
	ASSERT_LE(0, self->fd);
	if (variant->call == KGO_IOC_SETUP)
		return;
	ASSERT_EQ(0, kgo_set_up(self->fd, NR_P, NR_M, 0, &args));
	if (variant->call != KGO_IOC_ENTER)
		ASSERT_EQ(0, kgo_enter(self->fd, &self->m));
}

FIXTURE_TEARDOWN(argument)
{
	close(self->fd);
}

/* Fields that let the call get as far as it can without sleeping. */
static void fill(union any *args, unsigned long call, __u32 size)
{
	memset(args, 0, sizeof(*args));
	args->size = size;
	if (call == KGO_IOC_SETUP) {
		args->setup.nr_p = NR_P;
		args->setup.nr_m = NR_M;
	}
}

TEST_F(argument, at_a_bad_address_fails)
{
	size_t page = sysconf(_SC_PAGESIZE);
	union any args;
	void *none = mmap(NULL, page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);

	fill(&args, variant->call, variant->size);
	EXPECT_EQ(-EFAULT, kgo_call(self->fd, variant->call, NULL));
	EXPECT_EQ(-EFAULT, kgo_call(self->fd, variant->call, none));
	EXPECT_EQ(-EFAULT, kgo_call(self->fd, variant->call, (void *)-64UL));
	EXPECT_EQ(-EFAULT, kgo_call(self->fd, variant->call,
				    (void *)(1UL << 63)));
	EXPECT_EQ(-EFAULT, kgo_call(self->fd, variant->call,
				    at_the_end(&args, variant->size - 4)));
	EXPECT_EQ(-EFAULT, kgo_call(self->fd, variant->call,
				    at_the_end(&args, 4)));
}

TEST_F(argument, that_is_too_small_fails)
{
	union any args;
	size_t size;

	for (size = 0; size < variant->size; size++) {
		fill(&args, variant->call, size);
		EXPECT_EQ(-EINVAL, kgo_call(self->fd, variant->call, &args));
	}
}

TEST_F(argument, that_is_larger_than_a_page_fails)
{
	union any args;

	fill(&args, variant->call, sysconf(_SC_PAGESIZE) + 1);
	EXPECT_EQ(-E2BIG, kgo_call(self->fd, variant->call, &args));
	fill(&args, variant->call, ~0U);
	EXPECT_EQ(-E2BIG, kgo_call(self->fd, variant->call, &args));
}

TEST_F(argument, with_an_unknown_tail_fails)
{
	size_t known = variant->known ? variant->known : variant->size;
	union any args;

	fill(&args, variant->call, known + 1);
	args.bytes[known] = 1;
	EXPECT_EQ(-E2BIG, kgo_call(self->fd, variant->call, &args));
	fill(&args, variant->call, sysconf(_SC_PAGESIZE));
	args.bytes[sysconf(_SC_PAGESIZE) - 1] = 0x80;
	EXPECT_EQ(-E2BIG, kgo_call(self->fd, variant->call, &args));
}

TEST_F(argument, with_a_flag_or_something_reserved_fails)
{
	const size_t zeros[] = { variant->flags, variant->reserved };
	union any args;
	unsigned int i, bit;

	for (i = 0; i < ARRAY_SIZE(zeros); i++) {
		for (bit = 0; zeros[i] && bit < 32; bit++) {
			if (!i && variant->good & 1U << bit)
				continue;
			fill(&args, variant->call, variant->size);
			*(__u32 *)(args.bytes + zeros[i]) = 1U << bit;
			EXPECT_EQ(-EINVAL, kgo_call(self->fd, variant->call,
						    &args));
		}
	}
}

/* What is known is answered, what is not stays zero. */
TEST(argument_with_a_tail_of_zeros_is_good)
{
	static const unsigned char zeros[sizeof(union any)];
	const size_t page = sysconf(_SC_PAGESIZE);
	union any args;
	int fd = kgo_open();

	ASSERT_LE(0, fd);
	fill(&args, KGO_IOC_SETUP, page);
	ASSERT_EQ(0, kgo_call(fd, KGO_IOC_SETUP, &args));
	EXPECT_EQ(KGO_ABI_VERSION, (int)args.setup.version);
	EXPECT_NE(0U, args.setup.map_size);
	EXPECT_EQ(0, memcmp(args.bytes + sizeof(args.setup), zeros,
			    page - sizeof(args.setup)));

	fill(&args, KGO_IOC_ENTER, page);
	args.enter.m = POISON;
	ASSERT_EQ(0, kgo_call(fd, KGO_IOC_ENTER, &args));
	EXPECT_GT((__u32)NR_M, args.enter.m);
	EXPECT_EQ(0, memcmp(args.bytes + sizeof(args.enter), zeros,
			    page - sizeof(args.enter)));

	fill(&args, KGO_IOC_STATS, page);
	ASSERT_EQ(0, kgo_call(fd, KGO_IOC_STATS, &args));
	EXPECT_EQ(1U, args.stats.nr_m);
	EXPECT_EQ(0, memcmp(args.bytes + sizeof(args.stats), zeros,
			    page - sizeof(args.stats)));

	/* P 0 is dead */
	fill(&args, KGO_IOC_WAKE, page);
	EXPECT_EQ(-EBUSY, kgo_call(fd, KGO_IOC_WAKE, &args));
	fill(&args, KGO_IOC_WAIT, page);
	EXPECT_EQ(-EINVAL, kgo_call(fd, KGO_IOC_WAIT, &args));
	close(fd);
}

TEST(map_begins_with_zeros)
{
	struct runtime rt;
	unsigned int i;

	ASSERT_EQ(0, runtime_open(&rt, NR_P, NR_M, 0));
	for (i = 0; i < sizeof(*rt.words); i++)
		ASSERT_EQ(0, ((char *)rt.words)[i]);
	for (i = 0; i < NR_P * sizeof(*rt.p); i++)
		ASSERT_EQ(0, ((char *)rt.p)[i]);
	EXPECT_EQ(KGO_P_DEAD, word_state(rt.p[NR_P - 1].word));
	runtime_close(&rt);
}

TEST(two_runtimes_share_nothing)
{
	struct runtime a, b;

	ASSERT_EQ(0, runtime_open(&a, NR_P, NR_M, 0));
	ASSERT_EQ(0, runtime_open(&b, NR_P, NR_M, 0));
	store(&a.words->globq_len, 7);
	p_start(&a, 1);
	EXPECT_EQ(0U, load(&b.words->globq_len));
	EXPECT_EQ(0U, load(&b.p[1].word));
	runtime_close(&a);
	runtime_close(&b);
}

TEST(map_may_be_mapped_twice)
{
	struct runtime a, b;

	ASSERT_EQ(0, runtime_open(&a, NR_P, NR_M, 0));
	b = a;
	ASSERT_EQ(0, runtime_map(&b));
	EXPECT_NE(a.words, b.words);
	store(&a.words->globq_len, 7);
	EXPECT_EQ(7U, load(&b.words->globq_len));
	runtime_unmap(&b);
	EXPECT_EQ(7U, load(&a.words->globq_len));
	runtime_close(&a);
}

TEST(map_outlives_the_descriptor)
{
	struct runtime rt;

	ASSERT_EQ(0, runtime_open(&rt, NR_P, NR_M, 0));
	close(rt.fd);
	store(&rt.words->globq_len, 7);
	EXPECT_EQ(7U, load(&rt.words->globq_len));
	runtime_unmap(&rt);
}

/* The errno of a mmap that must fail. */
static int refused(int fd, size_t size, int prot, int flags, off_t offset)
{
	void *map = mmap(NULL, size, prot, flags, fd, offset);

	if (map == MAP_FAILED)
		return errno;
	munmap(map, size);
	return 0;
}

TEST(map_elsewhere_or_beyond_fails)
{
	const int both = PROT_READ | PROT_WRITE;
	long page = sysconf(_SC_PAGESIZE);
	struct runtime rt;
	size_t size;

	ASSERT_EQ(0, runtime_open(&rt, NR_P, NR_M, 0));
	size = rt.setup.map_size;
	EXPECT_EQ(EINVAL, refused(rt.fd, size + page, both, MAP_SHARED, 0));
	EXPECT_EQ(EINVAL, refused(rt.fd, 1UL << 40, both, MAP_SHARED, 0));
	EXPECT_EQ(EINVAL, refused(rt.fd, page, both, MAP_SHARED, page));
	EXPECT_EQ(EINVAL, refused(rt.fd, page, both, MAP_SHARED, size));
	EXPECT_EQ(EINVAL, refused(rt.fd, page, both, MAP_SHARED,
				  1ULL << 44));
	EXPECT_EQ(0, refused(rt.fd, page, both, MAP_SHARED, 0));
	EXPECT_EQ(0, refused(rt.fd, size, PROT_READ, MAP_SHARED, 0));

	/* nor can it grow later */
	EXPECT_EQ(MAP_FAILED, mremap(rt.words, size, size + page,
				     MREMAP_MAYMOVE));
	EXPECT_EQ(0U, load(&rt.words->globq_len));
	runtime_close(&rt);
}

TEST(private_map_fails)
{
	struct runtime rt;

	ASSERT_EQ(0, runtime_open(&rt, NR_P, NR_M, 0));
	EXPECT_EQ(EINVAL, refused(rt.fd, rt.setup.map_size,
				  PROT_READ | PROT_WRITE, MAP_PRIVATE, 0));
	runtime_close(&rt);
}

TEST(executable_map_fails)
{
	struct runtime rt;

	ASSERT_EQ(0, runtime_open(&rt, NR_P, NR_M, 0));
	EXPECT_EQ(EPERM, refused(rt.fd, rt.setup.map_size,
				 PROT_READ | PROT_EXEC, MAP_SHARED, 0));
	EXPECT_EQ(-1, mprotect(rt.words, rt.setup.map_size,
			       PROT_READ | PROT_EXEC));
	EXPECT_EQ(EACCES, errno);
	runtime_close(&rt);
}

static sigjmp_buf after_bus_error;

static void handle_bus_error(int signo)
{
	siglongjmp(after_bus_error, signo);
}

/* The signal that a read of this word ends with; 0 when it does not. */
static int signal_of_read(__u32 *word)
{
	int signo = sigsetjmp(after_bus_error, 1);

	if (!signo)
		(void)load(word);
	return signo;
}

TEST(page_of_ms_that_never_were_is_not_there)
{
	struct sigaction action = { .sa_handler = handle_bus_error };
	struct runtime rt;
	__u32 m;

	sigaction(SIGBUS, &action, NULL);
	ASSERT_EQ(0, runtime_open(&rt, NR_P, 1024, 0));
	EXPECT_EQ(SIGBUS, signal_of_read(&rt.m[1023].state));
	ASSERT_EQ(0, kgo_enter(rt.fd, &m));
	EXPECT_EQ(0, signal_of_read(&rt.m[m].state));
	EXPECT_EQ(KGO_M_RUNNING, load(&rt.m[m].state));
	EXPECT_EQ(SIGBUS, signal_of_read(&rt.m[1023].state));
	ASSERT_EQ(0, kgo_leave(rt.fd));

	/* the words of one that left stay */
	EXPECT_EQ(0, signal_of_read(&rt.m[m].state));
	EXPECT_EQ(KGO_M_FREE, load(&rt.m[m].state));
	runtime_close(&rt);
}

#ifdef __x86_64__
/* ioctl as a 32-bit program calls it. */
static int ioctl_32(int fd, unsigned long request, void *args)
{
	int ret;

	asm volatile("int $0x80"
		     : "=a" (ret)
		     : "a" (54), "b" (fd), "c" (request), "d" (args)
		     : "memory", "r8", "r9", "r10", "r11");
	return ret;
}

TEST(calls_are_the_same_for_32_bit_programs)
{
	union any *args = mmap(NULL, sizeof(*args), PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	int fd = kgo_open();

	ASSERT_NE(MAP_FAILED, args);
	ASSERT_LE(0, fd);
	fill(args, KGO_IOC_SETUP, sizeof(args->setup));
	ASSERT_EQ(0, ioctl_32(fd, KGO_IOC_SETUP, args));
	EXPECT_EQ(KGO_ABI_VERSION, (int)args->setup.version);
	EXPECT_NE(0U, args->setup.map_size);
	EXPECT_NE(0U, args->setup.m_offset);
	fill(args, KGO_IOC_ENTER, sizeof(args->enter));
	EXPECT_EQ(0, ioctl_32(fd, KGO_IOC_ENTER, args));
	fill(args, KGO_IOC_STATS, sizeof(args->stats));
	EXPECT_EQ(0, ioctl_32(fd, KGO_IOC_STATS, args));
	EXPECT_EQ(1U, args->stats.nr_m);
	EXPECT_EQ(0, ioctl_32(fd, KGO_IOC_LEAVE, NULL));
	close(fd);
}
#endif

TEST_HARNESS_MAIN
