# SPDX-License-Identifier: MIT
"""What is measured: the works, their cases, and who does each of them.

A case is measured round by round, every row once a round.  A row is a floor (what
the machine can do, by hand), a limit (shown beside, but no floor), coil, or a peer.
"""

import http.client
import os
import resource

import files
import measure
from measure import Failed
from peers import ABSENT, Missing


class Table:
    """One figure of a case, and what is shown beside it."""

    def __init__(self, metric, title, unit, extras=(), higher=False):
        self.metric, self.title, self.unit = metric, title, unit
        self.extras, self.higher = list(extras), higher


class Row:
    def __init__(self, name, kind, figures):
        self.name, self.kind, self.figures = name, kind, figures


class Case:
    def __init__(self, key, rows, tables, at=None):
        self.key, self.rows, self.tables = key, rows, tables
        self.at = at        # the number that cost grows with


def absent(why):
    def figures():
        raise Missing(why)
    return figures


def not_in_debian(*names):
    return [Row(name, "peer", absent("not present (not in Debian)"))
            for name in names or ABSENT]


class Context:
    """Where things are, and how much is to be done."""

    def __init__(self, source, build, peers, quick):
        self.source, self.build, self.peers, self.quick = source, build, peers, quick

    def program(self, name):
        """A program of the build, not the script that libtool made of it."""
        folder, base = os.path.split(os.path.join(self.build, name))
        for path in (os.path.join(folder, ".libs", base), os.path.join(folder, base)):
            if os.path.exists(path):
                return path
        raise Missing("not built: " + name)

    def environment(self, backend=None, more=None):
        env = {"LD_LIBRARY_PATH": os.path.join(self.build, ".libs")}
        if backend:
            env["COIL_BACKEND"] = backend
        return dict(env, **(more or {}))

    def number(self, usual, quick):
        return quick if self.quick else usual

    # Rows of programs that run to their end.

    def ours(self, name, kind, program, *words, rename=None, backend=None, cores=1):
        def figures():
            found = measure.run([self.program("bench/" + program)] + [str(w) for w in words],
                                measure.cores(cores), self.environment(backend))
            for new, old in (rename or {}).items():
                found[new] = found[old]
            return found
        return Row(name, kind, figures)

    def peer(self, name, binary, *words, env=None, cores=1):
        def figures():
            return measure.run(self.peers.command(binary) + [str(w) for w in words],
                               measure.cores(cores), env)
        return Row(name, "peer", figures)

    def backends(self, name, program, *words, cores=1):
        return [self.ours("%s, io_uring" % name, "coil", program, *words, backend="uring",
                          cores=cores),
                self.ours("%s, epoll" % name, "coil", program, *words, backend="epoll",
                          cores=cores)]

    # Rows of servers under load.

    def load(self, server, words, threads=1):
        spare = measure.other_cores(measure.cores()) if threads == 1 else measure.cores(99)
        command = [self.program("bench/load")] + [str(w) for w in words]
        if threads == 1:
            spare = spare[-1:]
        else:
            command += ["-j", str(threads)]
        for pid in server.pids():
            command += ["-p", str(pid)]
        found = measure.run(command + [str(server.port)], spare, timeout=120)
        found["resident"] = server.resident()
        return found

    def seconds(self):
        return self.number(1.5, 0.3)

    def served(self, name, kind, command, words, env=None):
        """command is a function of the port, which may say Missing."""
        def figures():
            port = measure.free_port()
            with measure.Server([command(port)], port, measure.cores(), env) as server:
                return self.load(server, words)
        return Row(name, kind, figures)

    def served_by_us(self, name, kind, program, *more, words, backend=None):
        return self.served(name, kind, lambda port: [
            self.program("bench/" + program), str(port)] + list(more), words,
            self.environment(backend))

    def served_by(self, name, binary, *before, words, env=None):
        return self.served(name, "peer", lambda port: self.peers.command(binary) +
                           list(before) + [str(port)], words, env)


ONE_GO = {"GOMAXPROCS": "1"}


def task_peers(ctx, *words, python=None):
    """The peers that have tasks; Python's do a tenth, and what they print is each."""
    python = python or words
    return [ctx.peer("State Threads", "st", *words), ctx.peer("Boost.Fiber", "boost", *words),
            ctx.peer("Go", "go_tasks", *words, env=ONE_GO),
            ctx.peer("tokio", "tokio", *words),
            ctx.peer("uvloop", "uvloop", *python), ctx.peer("asyncio", "asyncio", *python)]


def switch(ctx):
    n = ctx.number(4000000, 400000)
    rows = [ctx.ours("jump_fcontext", "floor", "floor/bare", "jump",
                     rename={"two": "jump", "thousand": "jump"}),
            ctx.ours("coil", "coil", "switch", n),
            ctx.ours("coil, static", "coil", "switch_static", n)]
    rows += task_peers(ctx, "switch", n, python=("switch", n // 10)) + not_in_debian()
    return [Case("switch", rows, [Table("two", "two tasks yield to each other", "ns"),
                                  Table("thousand", "1,000 tasks yield in turn", "ns")])]


def spawn(ctx):
    n = ctx.number(500000, 50000)
    rows = [ctx.ours("jump_fcontext", "floor", "floor/bare", "jump",
                     rename={"one": "jump", "many": "jump"}),
            ctx.ours("coil", "coil", "spawn", n)]
    rows += task_peers(ctx, "spawn", n, python=("spawn", n // 10)) + not_in_debian()
    return [Case("spawn", rows, [Table("one", "make a task and await it", "ns"),
                                 Table("many", "make 10,000 tasks and await all, each", "ns")])]


def queue(ctx):
    n = ctx.number(2000000, 200000)
    rows = [ctx.ours("jump_fcontext", "floor", "floor/bare", "jump",
                     rename={"one": "jump", "wide": "jump"}),
            ctx.ours("bare ring", "limit", "floor/bare", "ring", rename={"wide": "ring"}),
            ctx.ours("coil", "coil", "queue", n)]
    rows += task_peers(ctx, "queue", n, python=("queue", n // 10)) + not_in_debian()
    return [Case("queue", rows, [Table("one", "an item through a queue of one", "ns"),
                                 Table("wide", "an item through a queue of 1024", "ns")])]


LATE = [("p50", "late p50 us"), ("p99", "late p99 us"), ("early", "early")]


def sleepers(ctx, *words, python=None):
    rows = [ctx.ours("coil, io_uring", "coil", "sleep", *words, backend="uring"),
            ctx.ours("coil, epoll", "coil", "sleep", *words, backend="epoll"),
            ctx.peer("libuv, bare timers", "uv", *words),
            ctx.peer("libev, bare timers", "ev", *words),
            ctx.peer("libevent, bare timers", "event", *words)]
    return rows + task_peers(ctx, *words, python=python)


def timer(ctx):
    n = ctx.number(100000, 10000)
    times = ctx.number(20, 5)
    rows = [ctx.ours("a first-touched page", "floor", "floor/bare", "page", n)]
    rows += sleepers(ctx, "timer", n, python=("timer", n)) + not_in_debian()
    steady = [ctx.ours("a bare wake-up each 250 us", "floor", "floor/bare", "wake", 5000 // 50)]
    steady += sleepers(ctx, "steady", 5000, times) + not_in_debian()
    return [Case("timer", rows, [Table(
                "cpu", "%d sleeps of 0 to 1000 ms at once: CPU each" % n, "ns", LATE)]),
            Case("steady", steady, [Table(
                "cpu", "5,000 tasks sleep %d times for 0 to 100 ms: CPU each" % times, "ns",
                LATE)])]


def memory(ctx):
    n = ctx.number(1000000, 20000)
    rows = [ctx.ours("a page", "floor", "floor/bare", "page", n, rename={"task": "bytes"}),
            ctx.ours("coil", "coil", "memory", n)]
    rows += task_peers(ctx, "memory", n) + not_in_debian()
    return [Case("memory", rows, [Table(
        "task", "a sleeping task, with page tables, of %d" % n, "bytes", [("cpu", "CPU ns")])])]


UNDER_LOAD = [("rate", "/s"), ("p50", "p50 us"), ("p99", "p99 us"), ("p99.9", "p99.9 us"),
              ("bottleneck", "load-bound")]


def echo_rows(ctx, words):
    rows = [ctx.served_by_us("epoll by hand, level", "floor", "floor/echo_epoll", "level",
                             words=words),
            ctx.served_by_us("epoll by hand, edge", "floor", "floor/echo_epoll", "edge",
                             words=words)]
    for how, what in (("one", "one by one"), ("linked", "linked"), ("multi", "multishot")):
        rows.append(ctx.served_by_us("io_uring by hand, " + what, "floor", "floor/echo_uring",
                                     how, words=words))
    for name, program in (("coil", "echo"), ("coil streams", "echo_stream")):
        for backend, title in (("uring", "io_uring"), ("epoll", "epoll")):
            rows.append(ctx.served_by_us("%s, %s" % (name, title), "coil", program, words=words,
                                         backend=backend))
    rows += [ctx.served_by(name, name + "_echo" if not binary else binary, *before, words=words,
                           env=env)
             for name, binary, before, env in (
                 ("libuv", "uv_echo", (), None), ("libev", "ev_echo", (), None),
                 ("libevent", "event_echo", (), None), ("State Threads", "st_echo", (), None),
                 ("Boost.Asio", "asio", ("echo",), None),
                 ("Go", "go_net", ("echo",), ONE_GO), ("tokio", "tokio", ("echo",), None),
                 ("uvloop", "uvloop", ("echo",), None), ("asyncio", "asyncio", ("echo",), None))]
    return rows + not_in_debian()


def fds():
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 200


def echo(ctx):
    cases = []
    for connections in (1, 64, 1000, 10000):
        for depth in (1, 16):
            if connections > fds():
                continue
            words = ["-c", connections, "-d", depth, "-t", ctx.seconds()]
            cases.append(Case("echo-%dx%d" % (connections, depth), echo_rows(ctx, words), [Table(
                "server_cpu", "%d connections, %d in flight: server CPU a request" %
                (connections, depth), "us", UNDER_LOAD)]))
    return cases


def latency(ctx):
    """Far from saturated, and counted from when each request was due."""
    rate = ctx.number(20000, 5000)
    cases = []
    for connections in (64, 1000, 10000):
        if connections <= fds():
            words = ["-c", connections, "-d", 16, "-r", rate, "-t", 2 * ctx.seconds()]
            cases.append(Case("latency-%d" % connections, echo_rows(ctx, words), [Table(
                "p99", "echo, %d connections, %d requests a second: late p99" %
                (connections, rate), "us", [("p50", "p50 us"), ("p99.9", "p99.9 us"),
                                            ("max", "max us"), ("rate", "/s"),
                                            ("server_cpu", "server CPU us")])]))
    return cases


def accept(ctx):
    words = ["-m", "accept", "-c", 64, "-t", ctx.seconds()]
    return [Case("accept", echo_rows(ctx, words), [Table(
        "server_cpu", "64 at a time, one request each: server CPU a connection", "us",
        UNDER_LOAD)])]


def learn_body(port, path, place):
    """What the server says to that path is what it has to say from then on."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request("GET", path)
    reply = connection.getresponse()
    body = reply.read()
    connection.close()
    if reply.status != 200 or not body:
        raise Failed("GET %s: status %d, %d bytes" % (path, reply.status, len(body)))
    with open(place, "wb") as out:
        out.write(body)


def http_rows(ctx, hello, connections):
    root, path = files.www(ctx.build), "/" if hello else "/16k"
    hello_file = os.path.join(root, "hello")

    def row(name, kind, command, env=None):
        def figures():
            port = measure.free_port()
            body = os.path.join(root, "16k")
            with measure.Server([command(port)], port, measure.cores(), env) as server:
                if hello:
                    body = os.path.join(ctx.build, "bench", "bin", "hello.body")
                    learn_body(port, path, body)
                return ctx.load(server, ["-m", "http", "-c", connections, "-u", path, "-b", body,
                                         "-t", ctx.seconds()])
        return Row(name, kind, figures)

    def httpd(port):
        mode = ["--hello", "--quiet"] if hello else ["--root", root, "--quiet"]
        return [ctx.program("examples/httpd"), "--address", "127.0.0.1:%d" % port] + mode

    def nginx(sendfile):
        return lambda port: ctx.peers.command("nginx") + files.nginx(ctx, port, root, sendfile)

    def by_hand(port):
        return [ctx.program("bench/floor/http_epoll"), str(port),
                hello_file if hello else os.path.join(root, "16k")]

    def go(port):
        return ctx.peers.command("go_net") + ["http", str(port), root]

    return [row("no parsing, epoll by hand", "floor", by_hand),
            row("coil httpd, io_uring", "coil", httpd, ctx.environment("uring")),
            row("coil httpd, epoll", "coil", httpd, ctx.environment("epoll")),
            *([row("nginx", "peer", nginx(True))] if hello else [
                row("nginx, sendfile", "peer", nginx(True)),
                row("nginx, read and write", "peer", nginx(False))]),
            row("Go net/http", "peer", go, ONE_GO)]


def http_work(ctx):
    return [Case("http-%s-%d" % (name, connections), http_rows(ctx, hello, connections), [Table(
                "server_cpu", "%s, %d connections: server CPU a request" % (title, connections),
                "us", UNDER_LOAD)])
            for name, title, hello in (("hello", "a hello", True),
                                       ("file", "a file of 16 KiB", False))
            for connections in (64, 1000)]


def files_work(ctx):
    data = files.data(ctx.build, ctx.number(256, 32))
    cases = []
    for how, title in (("cached", "from the page cache"), ("direct", "with O_DIRECT")):
        n = ctx.number({"cached": 500000, "direct": 100000}[how],
                       {"cached": 20000, "direct": 5000}[how])
        words = (how, data, n)
        loop = "floor" if how == "cached" else "limit"
        rows = [ctx.ours("io_uring by hand", "floor", "floor/files", "uring", *words),
                ctx.ours("io_uring by hand, by eights", "limit", "floor/files", "eights", *words),
                ctx.ours("io_uring by hand, none registered", "limit", "floor/files", "plain",
                         *words),
                ctx.ours("a loop of pread", loop, "floor/files", "pread", *words)]
        rows += ctx.backends("coil", "files", *words)
        rows += [Row("fio, io_uring", "peer", lambda h=how, c=n: files.fio(ctx, h, data, c)),
                 ctx.peer("libuv, 4 threads", "uv_files", *words),
                 ctx.peer("libuv, 32 threads", "uv_files", *words,
                          env={"UV_THREADPOOL_SIZE": "32"}),
                 ctx.peer("Go", "go_files", *words, env=ONE_GO)]
        rows += not_in_debian()
        cases.append(Case("files-" + how, rows, [Table(
            "cpu", "4 KiB at random %s, 32 in flight: CPU a read" % title, "ns",
            [("rate", "reads/s"), ("per_cpu_second", "reads/CPU s")])]))
    return cases


def channel(ctx):
    n = ctx.number(2000000, 200000)
    rows = [ctx.ours("a ring of atomics, spinning", "floor", "floor/threads", "ring", n, cores=2),
            ctx.ours("a mutex and conditions", "limit", "floor/threads", "mutex", n, cores=2)]
    rows += ctx.backends("coil", "channel", n, cores=2)
    rows += [ctx.peer("Boost.Fiber", "boost", "channel", n, cores=2),
             ctx.peer("Go", "go_tasks", "channel", n, env={"GOMAXPROCS": "2"}, cores=2),
             ctx.peer("Go, on two cores", "go_tasks", "channel", n, "apart",
                      env={"GOMAXPROCS": "2"}, cores=2),
             ctx.peer("tokio", "tokio", "channel", n, cores=2)]
    return [Case("channel", rows + not_in_debian(), [Table(
        "item", "an item through a channel of 1024 between two threads", "ns",
        [("cpu", "CPU ns")])])]


def wakeup(ctx):
    """On one core it is two switches of threads; on two a core has to be woken too."""
    n = ctx.number(50000, 1000)
    cases = []
    for cores, title in ((1, "on its core"), (2, "on another core")):
        rows = [ctx.ours("eventfd and epoll by hand", "floor", "floor/threads", "eventfd", n,
                         cores=cores)]
        rows += ctx.backends("coil", "wakeup", n, cores=cores)
        rows += [ctx.peer(name, binary, "wakeup", n, cores=cores)
                 for name, binary in (("libuv", "uv"), ("libev", "ev"), ("libevent", "event"),
                                      ("Boost.Asio", "asio"))]
        rows += [ctx.peer("Go", "go_tasks", "wakeup", n, env={"GOMAXPROCS": "2"}, cores=cores)]
        rows += [ctx.peer(name, name, "wakeup", n, cores=cores)
                 for name in ("tokio", "uvloop", "asyncio")]
        cases.append(Case("wakeup-%d" % cores, rows + not_in_debian(), [Table(
            "trip", "a thread %s wakes a loop, which answers" % title, "ns",
            [("cpu", "CPU ns")])]))
    return cases


def workers(ctx):
    """Two cores for the server, and those left for the load; or they share."""
    spare = len(os.sched_getaffinity(0)) >= 4
    words = ["-c", 256, "-t", ctx.seconds()]

    def row(name, kind, commands, backend):
        def figures():
            port = measure.free_port()
            started = [[ctx.program("bench/echo"), str(port)] + more for more in commands]
            with measure.Server(started, port, measure.cores(2),
                                ctx.environment(backend)) as server:
                return ctx.load(server, words, 2 if not spare else 1)
        return Row(name, kind, figures)

    cases = []
    for backend, title in (("uring", "io_uring"), ("epoll", "epoll")):
        rows = [row("two processes", "floor", [["0"], ["0"]], backend),
                row("two workers", "coil", [["2"]], backend),
                row("one worker", "limit", [["1"]], backend)]
        cases.append(Case("workers-" + backend, rows, [
            Table("rate", "echo, 256 connections, %s: requests a second" % title, "/s",
                  [("server_cpu", "server CPU us"), ("p99", "p99 us")], higher=True)]))
    return cases


def growth(ctx):
    """How cost grows with the number of tasks, timers and connections."""
    cases = []
    top = ctx.number(1000000, 10000)
    n = 1
    while n <= top:
        slow = n <= 100000
        rows = [ctx.ours("coil", "coil", "memory", n), ctx.peer("State Threads", "st", "memory", n),
                ctx.peer("Boost.Fiber", "boost", "memory", n),
                ctx.peer("Go", "go_tasks", "memory", n, env=ONE_GO),
                ctx.peer("tokio", "tokio", "memory", n)]
        cases.append(Case("tasks-%d" % n, rows, [
            Table("task", "%d sleeping tasks: memory each" % n, "bytes"),
            Table("cpu", "%d sleeping tasks: CPU to start each" % n, "ns")], at=n))
        words = ("timer", n)
        rows = [ctx.ours("coil", "coil", "sleep", *words),
                ctx.peer("libuv, bare timers", "uv", *words),
                ctx.peer("Go", "go_tasks", *words, env=ONE_GO),
                ctx.peer("tokio", "tokio", *words)]
        if slow:
            rows.append(ctx.peer("asyncio", "asyncio", *words))
        cases.append(Case("timers-%d" % n, rows, [
            Table("cpu", "%d sleeps of 0 to 1000 ms: CPU each" % n, "ns", LATE)], at=n))
        if n <= fds():
            words = ["-c", n, "-t", ctx.seconds()]
            rows = [ctx.served_by_us("coil", "coil", "echo", words=words),
                    ctx.served_by_us("coil streams", "coil", "echo_stream", words=words),
                    ctx.served_by("libuv", "uv_echo", words=words),
                    ctx.served_by("Go", "go_net", "echo", words=words, env=ONE_GO),
                    ctx.served_by("tokio", "tokio", "echo", words=words)]
            cases.append(Case("connections-%d" % n, rows, [
                Table("server_cpu", "%d connections: server CPU a request" % n, "us",
                      UNDER_LOAD),
                Table("resident", "%d connections: the server's memory" % n, "bytes")], at=n))
        n *= 10
    return cases


SCALED = ("barrier", "barrier-cancel", "barrier-abort", "completed", "completed-live",
          "nested", "overdue", "expire", "lock", "lock-cancel", "rwlock", "semaphore",
          "event", "event-cancel", "sleep-cancel", "queue", "group", "deadline", "sleep",
          "leave", "wait")


def scale(ctx):
    """Whether the price of one grows with the number of all: nothing of coil is quadratic."""
    cases = []
    for work in SCALED:
        n = 1000
        while n <= ctx.number(1000000, 10000):
            rows = [ctx.ours("coil", "coil", "scale", work, n)]
            cases.append(Case("%s-%d" % (work, n), rows, [
                Table("each", "%s, %d of them: CPU each" % (work, n), "ns",
                      [("stretch", "stretch ms"), ("pass", "pass ms")])], at=n))
            n *= 10
    return cases


WORKS = {"switch": switch, "spawn": spawn, "queue": queue, "timer": timer, "memory": memory,
         "echo": echo, "latency": latency, "http": http_work, "files": files_work, "accept": accept,
         "channel": channel, "wakeup": wakeup, "workers": workers, "growth": growth,
         "scale": scale}
