# SPDX-License-Identifier: MIT
"""Starts programs where they are to run, and reads the lines they print."""

import os
import signal
import socket
import subprocess
import time


class Failed(Exception):
    """A program that did not do its work: says what it said."""


def cores(count=1):
    """The last so many of the processors we may use: interrupts go to the first."""
    return sorted(os.sched_getaffinity(0))[-count:]


def other_cores(taken):
    """Those that are left for the load generator; all of them where none is."""
    return [core for core in sorted(os.sched_getaffinity(0)) if core not in taken] or taken


def placed(on):
    def place():
        os.sched_setaffinity(0, on)
    return place


def lines(text):
    """{metric: value} of what was printed as "work metric value unit"."""
    figures = {}
    for line in text.splitlines():
        words = line.split()
        if len(words) == 4:
            try:
                figures[words[1]] = float(words[2])
            except ValueError:
                pass
    return figures


def last_words(text):
    said = [line for line in text.strip().splitlines() if line.strip()]
    return said[-1][:120] if said else "said nothing"


def run(command, on=None, env=None, timeout=300):
    """Runs it to its end: its figures, or Failed."""
    try:
        done = subprocess.run(command, env=dict(os.environ, BENCH_LINES="1", **(env or {})),
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, timeout=timeout, check=False,
                              preexec_fn=placed(on or cores()))
    except subprocess.TimeoutExpired:
        raise Failed("took more than %d s" % timeout) from None
    except OSError as error:
        raise Failed(str(error)) from None
    figures = lines(done.stdout)
    if done.returncode == 77:
        raise Failed("not to be had here")
    if done.returncode or not figures:
        raise Failed("status %d: %s" % (done.returncode, last_words(done.stderr)))
    return figures


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def threads_of(pid):
    """A process and its children, the youngest too."""
    found = [pid]
    for one in found:
        try:
            for task in os.listdir("/proc/%d/task" % one):
                with open("/proc/%d/task/%s/children" % (one, task), encoding="ascii") as text:
                    found.extend(int(word) for word in text.read().split())
        except OSError:
            pass
    return found


class Server:
    """One or several processes that listen at a port, with all their children."""

    def __init__(self, commands, port, on, env=None, errors=subprocess.DEVNULL):
        self.port = port
        self.started = []
        for index, command in enumerate(commands):
            place = on if len(commands) == 1 else [on[index % len(on)]]
            try:
                self.started.append(subprocess.Popen(
                    command, env=dict(os.environ, **(env or {})), stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL, stderr=errors, start_new_session=True,
                    preexec_fn=placed(place)))
            except OSError as error:
                self.stop()
                raise Failed(str(error)) from None

    def __enter__(self):
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            for process in self.started:
                if process.poll() is not None:
                    self.stop()
                    raise Failed("not to be had here" if process.returncode == 77 else
                                 "ended with status %d" % process.returncode)
            try:
                with socket.create_connection(("127.0.0.1", self.port), 1):
                    time.sleep(0.05)
                    return self
            except OSError:
                time.sleep(0.02)
        self.stop()
        raise Failed("did not listen in 10 s")

    def pids(self):
        return [pid for process in self.started for pid in threads_of(process.pid)]

    def resident(self):
        """Bytes of memory and page tables of all its processes."""
        total = 0
        for pid in self.pids():
            with open("/proc/%d/status" % pid, encoding="ascii", errors="replace") as text:
                total += sum(int(line.split()[1]) * 1024 for line in text
                             if line.startswith(("VmRSS:", "VmPTE:")))
        return total

    def stop(self):
        for process in self.started:
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            process.wait()

    def __exit__(self, *_):
        self.stop()
