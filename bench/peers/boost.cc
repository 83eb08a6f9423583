/* SPDX-License-Identifier: MIT */
/*
 * Boost.Fiber: fibers on Boost's own stack switch, with the default scheduler (round
 * robin) and pooled stacks of 64 KiB.  Without the pool each spawn maps and unmaps one.
 * ARGUMENTS: switch N | spawn N | queue N | timer N | steady TASKS TIMES | memory N |
 * channel N
 */
#include "bench/resident.h"
#include "bench/sleeps.h"
#include <boost/fiber/all.hpp>
#include <boost/context/fixedsize_stack.hpp>
#include <boost/fiber/pooled_fixedsize_stack.hpp>
#include <chrono>
#include <thread>
#include <unistd.h>
#include <vector>

namespace fibers = boost::fibers;
using fibers::fiber;

static const size_t STACK = 65536;
static const int MANY = 10000;
static fibers::pooled_fixedsize_stack stacks(STACK);

template <typename Fn> static fiber start(Fn fn)
{
	return fiber(fibers::launch::post, std::allocator_arg, stacks, fn);
}

static double yields(int tasks, long each)
{
	std::vector<fiber> all;

	for (int i = 0; i < tasks; i++)
		all.push_back(start([each] {
			for (long n = each; n > 0; n--)
				boost::this_fiber::yield();
		}));
	double begun = bench_cpu();
	for (auto &one : all)
		one.join();
	return (bench_cpu() - begun) / ((double)tasks * (double)each);
}

static double one_at_a_time(long n)
{
	double begun = bench_cpu();

	for (long i = 0; i < n; i++)
		start([] {}).join();
	return (bench_cpu() - begun) / (double)n;
}

static double many_at_once(int turns)
{
	std::vector<fiber> all(MANY);
	double begun = bench_cpu();

	for (int turn = 0; turn < turns; turn++) {
		for (auto &one : all)
			one = start([] {});
		for (auto &one : all)
			one.join();
	}
	return (bench_cpu() - begun) / ((double)MANY * turns);
}

/*
 * The size of a buffered_channel is a power of two, and it holds one item less.  So the
 * smallest one holds one item.
 */
static double items(size_t slots, long n)
{
	fibers::buffered_channel<int> channel(slots);
	double begun = bench_cpu();
	fiber producer = start([&] {
		for (long i = 0; i < n; i++)
			channel.push((int)i);
	});
	fiber consumer = start([&] {
		for (long i = 0; i < n; i++)
			if (channel.value_pop() != (int)i)
				abort();
	});

	producer.join();
	consumer.join();
	return (bench_cpu() - begun) / (double)n;
}

static void sleeps(int argc, char **argv)
{
	std::vector<fiber> all;

	sleeps_begin(argc, argv);
	all.reserve(bench_sleeps.sleepers);
	for (size_t i = 0; i < bench_sleeps.sleepers; i++)
		all.push_back(start([] {
			for (size_t k = 0; k < bench_sleeps.times; k++) {
				int64_t us = sleeps_next_us();
				int64_t when = sleeps_now() + us * 1000;

				boost::this_fiber::sleep_for(std::chrono::microseconds(us));
				sleeps_woke(when);
			}
		}));
	for (auto &one : all)
		one.join();
	sleeps_end();
}

/* Without the pool, which allocates whole slabs at once. */
static void memory(long n)
{
	double before = bench_resident(), cpu = bench_cpu();
	boost::context::fixedsize_stack plain(STACK);
	long entered = 0;

	for (long i = 0; i < n; i++)
		fiber(fibers::launch::post, std::allocator_arg, plain, [&entered] {
			entered++;
			boost::this_fiber::sleep_for(std::chrono::hours(1));
		}).detach();
	while (entered < n)
		boost::this_fiber::yield();
	cpu = bench_cpu() - cpu;
	bench_line("memory", "task", (bench_resident() - before) / (double)n, "bytes");
	bench_line("memory", "cpu", cpu / (double)n, "ns");
}

/* Two threads, each with fibers of its own. */
static void channel(long n)
{
	fibers::buffered_channel<int> channel(1024);
	double begun = bench_now(), cpu = bench_cpu();
	std::thread other([&] {
		bench_pin_to(1);
		fiber([&] {
			for (long i = 0; i < n; i++)
				channel.push((int)i);
		}).join();
	});

	bench_pin_to(0);
	fiber([&] {
		for (long i = 0; i < n; i++)
			if (channel.value_pop() != (int)i)
				abort();
	}).join();
	other.join();
	bench_line("channel", "item", (bench_now() - begun) / (double)n, "ns");
	bench_line("channel", "cpu", (bench_cpu() - cpu) / (double)n, "ns");
}

int main(int argc, char **argv)
{
	const char *work = argc > 1 ? argv[1] : "";
	long n = bench_argument(argc, argv, 2, 100000);

	if (!strcmp(work, "channel")) {
		channel(n);
		return 0;
	}
	bench_pin();
	if (!strcmp(work, "switch")) {
		bench_line(work, "two", yields(2, n / 2), "ns");
		bench_line(work, "thousand", yields(1000, n / 1000), "ns");
	} else if (!strcmp(work, "spawn")) {
		many_at_once(1);
		bench_line(work, "one", one_at_a_time(n), "ns");
		bench_line(work, "many", many_at_once(1 + (int)(n / (MANY * 5 / 2))), "ns");
	} else if (!strcmp(work, "queue")) {
		bench_line(work, "wide", items(1024, n), "ns");
		bench_line(work, "one", items(2, n), "ns");
	} else if (!strcmp(work, "memory")) {
		memory(n);
		_exit(0);
	} else {
		sleeps(argc, argv);
	}
	return 0;
}
