// SPDX-License-Identifier: MIT
/*
 * The micro-benchmarks for Boost.Fiber. bench/rows.py says what each kind is.
 *
 * With one processor the scheduler is Boost's default, round_robin, with more
 * of them work_stealing. It has no select. Stacks are as large as libgo's
 * are by default.
 */
#include <malloc.h>

#include <atomic>
#include <climits>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <boost/fiber/all.hpp>
#include <boost/version.hpp>

#include "measure.h"

namespace fibers = boost::fibers;

static const size_t stack_size = 64 * 1024;

template <typename function>
static fibers::fiber start(function fn)
{
	return fibers::fiber(fibers::launch::post, std::allocator_arg,
			     fibers::fixedsize_stack(stack_size), fn);
}

/* Starts n fibers and waits for them: the place of a waitgroup. */
template <typename function>
static void start_and_wait(std::vector<fibers::fiber> &tasks, long n,
			   function fn)
{
	for (long i = 0; i < n; i++)
		tasks.push_back(start(fn));
	for (fibers::fiber &f : tasks)
		f.join();
	tasks.clear();
}

/* ---- spawn -------------------------------------------------------------- */

static void spawner(long batches, long tasks, long yields)
{
	std::vector<fibers::fiber> batch;

	for (long i = 0; i < batches; i++)
		start_and_wait(batch, tasks, [yields] {
			for (long y = 0; y < yields; y++)
				boost::this_fiber::yield();
		});
}

static long run_spawn(long ops)
{
	long spawners = measure_param("spawners");
	long tasks = measure_param("tasks");
	long yields = measure_param("yields");
	long batches = ops / (tasks * spawners) + 1;
	std::vector<fibers::fiber> all;

	start_and_wait(all, spawners, [=] {
		spawner(batches, tasks, yields);
	});
	return batches * tasks * spawners;
}

/* ---- yield -------------------------------------------------------------- */

static long run_yield(long ops)
{
	long tasks = measure_param("tasks");
	long yields = ops / tasks + 1;
	std::vector<fibers::fiber> all;

	start_and_wait(all, tasks, [yields] {
		for (long i = 0; i < yields; i++)
			boost::this_fiber::yield();
	});
	return yields * tasks;
}

/* ---- pingpong ----------------------------------------------------------- */

struct pair {
	fibers::unbuffered_channel<uint64_t> ping;
	fibers::unbuffered_channel<uint64_t> pong;
};

static void pinger(pair *p, uint64_t rounds)
{
	for (uint64_t i = 0; i < rounds; i++) {
		p->ping.push(i);
		uint64_t n = p->pong.value_pop();
		if (n != i)
			measure_fail("sent %lu, got %lu back", i, n);
	}
}

static void ponger(pair *p, uint64_t rounds)
{
	for (uint64_t i = 0; i < rounds; i++)
		p->pong.push(p->ping.value_pop());
}

static long run_pingpong(long ops)
{
	long pairs = measure_param("pairs");
	long rounds = ops / pairs + 1;
	std::vector<pair> p(pairs);
	std::vector<fibers::fiber> tasks;

	for (pair &one : p) {
		pair *it = &one;

		tasks.push_back(start([=] { pinger(it, rounds); }));
		tasks.push_back(start([=] { ponger(it, rounds); }));
	}
	for (fibers::fiber &f : tasks)
		f.join();
	return rounds * pairs;
}

/* ---- chan --------------------------------------------------------------- */

/* Boost's channel of a capacity holds one element less. */
static long run_chan(long ops)
{
	long producers = measure_param("producers");
	long consumers = measure_param("consumers");
	long share = ops / (producers * consumers) + 1;
	uint64_t per_producer = share * consumers;
	uint64_t per_consumer = share * producers;
	fibers::buffered_channel<uint64_t> ch(measure_param("capacity"));
	std::vector<fibers::fiber> tasks;
	std::atomic<uint64_t> sum(0);

	for (long i = 0; i < producers; i++)
		tasks.push_back(start([&] {
			for (uint64_t n = 0; n < per_producer; n++)
				ch.push(n);
		}));
	start_and_wait(tasks, consumers, [&] {
		uint64_t part = 0;

		for (uint64_t n = 0; n < per_consumer; n++)
			part += ch.value_pop();
		sum += part;
	});
	if (sum != per_producer * (per_producer - 1) / 2 * producers)
		measure_fail("elements were lost or changed");
	return share * producers * consumers;
}

/* ---- mutex -------------------------------------------------------------- */

static long run_mutex(long ops)
{
	long tasks = measure_param("tasks");
	long yields = measure_param("yields");
	long per_task = ops / tasks + 1;
	std::vector<fibers::fiber> all;
	fibers::mutex mutex;
	long count = 0;

	start_and_wait(all, tasks, [&] {
		for (long i = 0; i < per_task; i++) {
			mutex.lock();
			count++;
			for (long y = 0; y < yields; y++)
				boost::this_fiber::yield();
			mutex.unlock();
		}
	});
	if (count != per_task * tasks)
		measure_fail("%ld of %ld turns were counted", count,
			     per_task * tasks);
	return count;
}

/* ---- skynet ------------------------------------------------------------- */

using node_channel = fibers::unbuffered_channel<uint64_t>;

static void skynet(node_channel *parent, uint64_t first, uint64_t leaves,
		   long fanout)
{
	if (leaves == 1) {
		parent->push(first);
		return;
	}

	node_channel ch;
	uint64_t n = leaves / fanout, sum = 0;

	for (long i = 0; i < fanout; i++)
		start([=, &ch] { skynet(&ch, first + i * n, n, fanout); })
			.detach();
	for (long i = 0; i < fanout; i++)
		sum += ch.value_pop();
	parent->push(sum);
}

static long run_skynet(long)
{
	uint64_t leaves = measure_param("leaves");
	long fanout = measure_param("fanout");
	node_channel ch;

	start([=, &ch] { skynet(&ch, 0, leaves, fanout); }).detach();
	uint64_t sum = ch.value_pop();
	if (sum != leaves * (leaves - 1) / 2)
		measure_fail("the leaves' sum is %lu", sum);
	return leaves;
}

/* ---- timers and sleep --------------------------------------------------- */

static long run_timers(long)
{
	long tasks = measure_param("tasks");
	long max_ms = measure_param("max_ms");
	std::vector<fibers::fiber> all;
	std::atomic<long> next(0);

	start_and_wait(all, tasks, [&] {
		boost::this_fiber::sleep_for(
			std::chrono::milliseconds(1 + next++ % max_ms));
	});
	return tasks;
}

static long run_sleep(long)
{
	long tasks = measure_param("tasks");
	long sleeps = measure_param("sleeps");
	long min_us = measure_param("min_us");
	long max_us = measure_param("max_us");
	std::vector<int64_t> late(tasks * sleeps);
	std::vector<fibers::fiber> all;
	std::atomic<long> next(0);

	start_and_wait(all, tasks, [&] {
		long number = next++;
		uint64_t state = number;

		for (long i = 0; i < sleeps; i++) {
			int64_t time = measure_sleep_ns(&state, min_us, max_us);
			int64_t due = measure_now() + time;

			boost::this_fiber::sleep_for(
				std::chrono::nanoseconds(time));
			late[number * sleeps + i] = measure_now() - due;
		}
	});
	measure_note_lateness(late.data(), late.size());
	return late.size();
}

/* ---- mem ---------------------------------------------------------------- */

static long run_mem(long)
{
	long tasks = measure_param("tasks");
	std::vector<fibers::fiber> all;
	fibers::unbuffered_channel<int> gate;
	std::atomic<long> arrived(0);
	long before;

	all.reserve(tasks);
	before = measure_memory();
	for (long i = 0; i < tasks; i++)
		all.push_back(start([&] {
			int none;

			arrived++;
			gate.pop(none);
		}));
	while (arrived < tasks)
		boost::this_fiber::yield();
	/* the last ones may be on their way from the count to the gate */
	boost::this_fiber::sleep_for(std::chrono::milliseconds(10));
	measure_note("bytes", (double)(measure_memory() - before) / tasks);
	gate.close();
	for (fibers::fiber &f : all)
		f.join();
	return tasks;
}

static const struct kind kinds[] = {
	{ "spawn", run_spawn, 0 },
	{ "yield", run_yield, 0 },
	{ "pingpong", run_pingpong, 0 },
	{ "chan", run_chan, 0 },
	{ "mutex", run_mutex, 0 },
	{ "skynet", run_skynet, 1 },
	{ "timers", run_timers, 1 },
	{ "sleep", run_sleep, 1 },
	{ "mem", run_mem, 1 },
	{ nullptr, nullptr, 0 }
};

/* Threads that take fibers from each other until the main one is done. */
static void measure_threads(const struct kind *kind, long threads)
{
	std::vector<std::thread> others;
	fibers::condition_variable over;
	fibers::mutex mutex;
	bool done = false;

	for (long i = 1; i < threads; i++)
		others.emplace_back([&] {
			fibers::use_scheduling_algorithm<
				fibers::algo::work_stealing>(threads);
			std::unique_lock<fibers::mutex> lock(mutex);
			over.wait(lock, [&] { return done; });
		});
	fibers::use_scheduling_algorithm<fibers::algo::work_stealing>(threads);
	measure(kind);
	{
		std::unique_lock<fibers::mutex> lock(mutex);

		done = true;
	}
	over.notify_all();
	for (std::thread &t : others)
		t.join();
}

/*
 * Keep freed stacks, as libgo and Go do: by default malloc() gives them back to
 * the system after each batch, and takes ten times as long.
 */
static void keep_stacks(void)
{
	mallopt(M_TRIM_THRESHOLD, INT_MAX);
	mallopt(M_MMAP_THRESHOLD, 32 << 20);
}

int main(int argc, char **argv)
{
	std::string version = std::to_string(BOOST_VERSION / 100000) + "." +
			      std::to_string(BOOST_VERSION / 100 % 1000);
	const struct kind *kind = measure_open(argc, argv, kinds,
					       version.c_str());
	long procs = measure_param("procs");

	keep_stacks();

	if (procs == 1)
		measure(kind);
	else
		measure_threads(kind, procs);
	return 0;
}
