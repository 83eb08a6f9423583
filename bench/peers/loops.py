#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""asyncio, with its own loop or with uvloop's.

loops.py asyncio|uvloop switch N | spawn N | queue N | timer N | steady TASKS TIMES |
    memory N | wakeup N | echo PORT
"""

import asyncio
import gc
import os
import sys
import threading
import time


def line(work, metric, value, unit):
    print(work, metric, "%.6g" % value, unit, flush=True)


async def yielder(each):
    for _ in range(each):
        await asyncio.sleep(0)


async def yields(tasks, each):
    begun = time.process_time_ns()
    await asyncio.gather(*(yielder(each) for _ in range(tasks)))
    return (time.process_time_ns() - begun) / (tasks * each)


async def nothing():
    pass


async def switch(n):
    line("switch", "two", await yields(2, n // 2), "ns")
    line("switch", "thousand", await yields(1000, n // 1000), "ns")


async def spawn(n):
    begun = time.process_time_ns()
    for _ in range(n):
        await asyncio.create_task(nothing())
    line("spawn", "one", (time.process_time_ns() - begun) / n, "ns")
    begun = time.process_time_ns()
    turns = max(1, n // 10000)
    for _ in range(turns):
        await asyncio.gather(*(nothing() for _ in range(10000)))
    line("spawn", "many", (time.process_time_ns() - begun) / (turns * 10000), "ns")


async def items(slots, n):
    queue = asyncio.Queue(slots)

    async def produce():
        for i in range(n):
            await queue.put(i)

    async def consume():
        for i in range(n):
            assert await queue.get() == i

    begun = time.process_time_ns()
    await asyncio.gather(produce(), consume())
    return (time.process_time_ns() - begun) / n


async def queue(n):
    line("queue", "wide", await items(1024, n), "ns")
    line("queue", "one", await items(1, n), "ns")


async def sleeps(work, sleepers, times, longest_us):
    late = []
    seed = 1

    async def sleeper():
        nonlocal seed
        for _ in range(times):
            seed = (seed * 1664525 + 1013904223) & 0xFFFFFFFF
            span = seed * longest_us >> 32
            asked = time.monotonic_ns()
            await asyncio.sleep(span / 1e6)
            late.append(time.monotonic_ns() - asked - span * 1000)

    begun = time.process_time_ns()
    await asyncio.gather(*(sleeper() for _ in range(sleepers)))
    used = (time.process_time_ns() - begun) / len(late)
    late.sort()
    line(work, "cpu", used, "ns")
    line(work, "p50", late[len(late) // 2] / 1e3, "us")
    line(work, "p99", late[len(late) * 99 // 100] / 1e3, "us")
    line(work, "max", late[-1] / 1e3, "us")
    line(work, "early", sum(x < 0 for x in late), "sleeps")


def resident():
    with open("/proc/self/status", encoding="ascii") as status:
        return sum(int(field.split()[1]) * 1024 for field in status
                   if field.startswith(("VmRSS:", "VmPTE:")))


async def memory(n):
    async def forever():
        await asyncio.sleep(3600)

    gc.disable()
    before, begun = resident(), time.process_time_ns()
    tasks = [asyncio.create_task(forever()) for _ in range(n)]
    await asyncio.sleep(0)
    used = time.process_time_ns() - begun
    line("memory", "task", (resident() - before) / n, "bytes")
    line("memory", "cpu", used / n, "ns")
    assert len(tasks) == n
    os._exit(0)


def pin(nth):
    """Pins this thread to an allowed core, counted from the last."""
    cores = sorted(os.sched_getaffinity(0), reverse=True)
    if nth < len(cores):
        os.sched_setaffinity(0, {cores[nth]})


async def wakeup(n):
    """A thread wakes the loop, which answers by a semaphore."""
    loop = asyncio.get_running_loop()
    done = asyncio.Event()
    answered = threading.Semaphore(0)

    def ask():
        pin(1)
        begun, used = time.perf_counter_ns(), time.process_time_ns()
        for _ in range(n):
            loop.call_soon_threadsafe(answered.release)
            answered.acquire()
        line("wakeup", "trip", (time.perf_counter_ns() - begun) / n, "ns")
        line("wakeup", "cpu", (time.process_time_ns() - used) / n, "ns")
        loop.call_soon_threadsafe(done.set)

    thread = threading.Thread(target=ask)
    thread.start()
    pin(0)
    await done.wait()
    thread.join()


class Echo(asyncio.Protocol):
    """Protocols, not streams: they are several times faster."""

    def connection_made(self, transport):
        self.write = transport.write

    def data_received(self, data):
        self.write(data)


async def echo(port):
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Echo, "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


def main():
    work = sys.argv[2]
    n = int(sys.argv[3])
    if sys.argv[1] == "uvloop":
        import uvloop
        uvloop.install()
    if work == "timer":
        asyncio.run(sleeps(work, n, 1, 1000000))
    elif work == "steady":
        asyncio.run(sleeps(work, n, int(sys.argv[4]), 100000))
    else:
        asyncio.run({"switch": switch, "spawn": spawn, "queue": queue, "echo": echo,
                     "memory": memory, "wakeup": wakeup}[work](n))


main()
