# SPDX-License-Identifier: MIT
"""The peers: what each needs, how it is built, and whether it is here."""

import os
import shlex
import shutil
import subprocess

C_FLAGS = ["-O2", "-std=gnu11"]
CXX_FLAGS = ["-O2", "-std=gnu++17"]

# key: title, Debian package, its binaries.  A binary is (kind, source, libraries).
PEERS = {
    "st": ("State Threads", "libst-dev", {
        "st": ("c", "st.c", ["-lst"]),
        "st_echo": ("c", "st_echo.c", ["-lst"]),
    }),
    "boost": ("Boost.Fiber", "libboost-fiber-dev", {
        "boost": ("c++", "boost.cc", ["-lboost_fiber", "-lboost_context", "-lpthread"]),
    }),
    "asio": ("Boost.Asio", "libboost-dev", {
        "asio": ("c++", "asio.cc", ["-lpthread"]),
    }),
    "libuv": ("libuv", "libuv1-dev", {
        "uv": ("c", "uv.c", ["-luv"]),
        "uv_echo": ("c", "uv_echo.c", ["-luv"]),
        "uv_files": ("c", "uv_files.c", ["-luv"]),
    }),
    "libev": ("libev", "libev-dev", {
        "ev": ("c", "ev.c", ["-lev"]),
        "ev_echo": ("c", "ev_echo.c", ["-lev"]),
    }),
    "libevent": ("libevent", "libevent-dev", {
        "event": ("c", "event.c", ["-levent", "-levent_pthreads"]),
        "event_echo": ("c", "event_echo.c", ["-levent"]),
    }),
    "go": ("Go", "golang-go", {
        "go_tasks": ("go", "tasks.go", []),
        "go_net": ("go", "net.go", []),
        "go_files": ("go", "files.go", []),
    }),
    "tokio": ("tokio", "librust-tokio-dev", {
        "tokio": ("cargo", "tokio.rs", []),
    }),
    "asyncio": ("asyncio", "python3", {"asyncio": ("python", "loops.py", [])}),
    "uvloop": ("uvloop", "python3-uvloop", {"uvloop": ("python", "loops.py", [])}),
    "nginx": ("nginx", "nginx-light", {"nginx": ("program", "nginx", [])}),
    "fio": ("fio", "fio", {"fio": ("program", "fio", [])}),
}

# Not in Debian, and nobody's sources are kept here: rows that say so.
ABSENT = ["libdill", "neco", "Photon", "libfiber", "monoio"]

CARGO_TOML = """[package]
name = "peer"
version = "0.0.0"
edition = "2021"

[[bin]]
name = "peer"
path = "%s"

[dependencies]
tokio = { version = "1", default-features = false, features = [
    "rt", "net", "time", "sync", "io-util"] }
libc = "0.2"

[profile.release]
lto = true
codegen-units = 1
panic = "abort"
"""

CARGO_CONFIG = """[source.crates-io]
replace-with = "debian"
[source.debian]
directory = "/usr/share/cargo/registry"
"""


class Missing(Exception):
    """It is not here: says what is missing."""


def succeeds(command, **more):
    return subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                          stdin=subprocess.DEVNULL, check=False, **more).returncode == 0


class Peers:
    """Builds what is asked for, once, into a folder of the build."""

    def __init__(self, source, build):
        self.source = os.path.join(source, "bench", "peers")
        self.include = source
        self.bin = os.path.join(build, "bench", "bin")
        self.known = {}
        self.versions = {}
        os.makedirs(self.bin, exist_ok=True)

    def command(self, binary):
        """The words that start it, or Missing."""
        if binary not in self.known:
            try:
                self.known[binary] = self.make(binary)
            except Missing as missing:
                self.known[binary] = missing
        if isinstance(self.known[binary], Missing):
            raise self.known[binary]
        return list(self.known[binary])

    def make(self, binary):
        for key, (title, package, binaries) in PEERS.items():
            if binary in binaries:
                kind, source, libraries = binaries[binary]
                how = {"c": self.compile, "c++": self.compile, "go": self.go,
                       "cargo": self.cargo, "python": self.python,
                       "program": self.program}[kind]
                self.versions.setdefault(title, version(key, package))
                return how(binary, kind, source, libraries, package)
        raise KeyError(binary)

    def stale(self, target, source):
        """Is it older than its source, or for C than the headers that all share?"""
        sources = [os.path.join(self.source, source)]
        if source.endswith((".c", ".cc")):
            shared = os.path.join(self.include, "bench")
            for folder in (shared, os.path.join(shared, "floor")):
                sources += [os.path.join(folder, name) for name in os.listdir(folder)
                            if name.endswith(".h")]
        newest = max(os.path.getmtime(path) for path in sources)
        return not os.path.exists(target) or os.path.getmtime(target) < newest

    def run(self, command, binary, package, **more):
        log = os.path.join(self.bin, binary + ".log")
        print("  building", binary, flush=True)
        with open(log, "w", encoding="utf-8") as out:
            out.write(shlex.join(command) + "\n")
            out.flush()
            done = subprocess.run(command, stdout=out, stderr=out, stdin=subprocess.DEVNULL,
                                  check=False, **more)
        if done.returncode:
            with open(log, encoding="utf-8", errors="replace") as text:
                said = text.read()
            if "No such file or directory" in said or "cannot find" in said or \
                    "no matching package" in said:
                raise Missing("not present (Debian: %s)" % package)
            raise Missing("does not build: see " + log)

    def compile(self, binary, kind, source, libraries, package):
        default = "cc" if kind == "c" else "c++"
        compiler = shlex.split(os.environ.get("CC" if kind == "c" else "CXX") or default)
        target = os.path.join(self.bin, binary)
        path = os.path.join(self.source, source)
        if not shutil.which(compiler[0]):
            raise Missing("no compiler: " + compiler[0])
        if self.stale(target, source):
            self.run(compiler + (C_FLAGS if kind == "c" else CXX_FLAGS) +
                     ["-I" + self.include, "-o", target, path] + libraries, binary, package)
        return [target]

    def go(self, binary, _kind, source, _libraries, package):
        target = os.path.join(self.bin, binary)
        if not shutil.which("go"):
            raise Missing("not present (Debian: %s)" % package)
        if self.stale(target, source):
            cache = os.path.join(self.bin, "go-cache")
            self.run(["go", "build", "-o", target, os.path.join(self.source, source)],
                     binary, package,
                     env=dict(os.environ, GO111MODULE="off", GOCACHE=cache, GOFLAGS=""))
        return [target]

    def cargo(self, binary, _kind, source, _libraries, package):
        folder = os.path.join(self.bin, binary + "-crate")
        target = os.path.join(folder, "target", "release", "peer")
        cargo = "/usr/bin/cargo" if os.path.exists("/usr/bin/cargo") else shutil.which("cargo")
        if not cargo or not os.path.isdir("/usr/share/cargo/registry"):
            raise Missing("not present (Debian: %s cargo)" % package)
        if self.stale(target, source):
            os.makedirs(os.path.join(folder, ".cargo"), exist_ok=True)
            for name, text in (("Cargo.toml", CARGO_TOML % os.path.join(self.source, source)),
                               (".cargo/config.toml", CARGO_CONFIG)):
                with open(os.path.join(folder, name), "w", encoding="utf-8") as out:
                    out.write(text)
            path = os.path.dirname(cargo) + ":" + os.environ["PATH"]
            self.run([cargo, "build", "--release", "--offline"], binary, package, cwd=folder,
                     env=dict(os.environ, PATH=path, CARGO_HOME=os.path.join(folder, "home")))
            os.utime(target)    # cargo leaves it as it is where nothing changed
        return [target]

    def python(self, binary, _kind, source, _libraries, package):
        for python in ("/usr/bin/python3", "python3"):
            if succeeds([python, "-c", "import " + binary]):
                return [python, "-B", os.path.join(self.source, source), binary]
        raise Missing("not present (Debian: %s)" % package)

    def program(self, binary, _kind, _source, _libraries, package):
        path = shutil.which(binary) or shutil.which("/usr/sbin/" + binary)
        if not path:
            raise Missing("not present (Debian: %s)" % package)
        return [path]


def version(key, package):
    """As the packager calls it; empty where nobody knows."""
    for command in (["dpkg-query", "-W", "-f", "${Version}", package],
                    ["pkg-config", "--modversion", key]):
        try:
            done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                  text=True, check=False)
        except OSError:
            continue
        if done.returncode == 0:
            return done.stdout.strip()
    return ""
