# SPDX-License-Identifier: MIT
"""The files that are served and read, nginx's configuration, and fio's words."""

import json
import os
import subprocess

import measure
from measure import Failed

KIB = 1024


def fill(path, length):
    """Bytes that do not compress, the same each time; written once."""
    if os.path.exists(path) and os.path.getsize(path) == length:
        return path
    block = bytes((i * 2654435761 >> 13) & 255 for i in range(64 * KIB))
    with open(path, "wb") as out:
        for at in range(0, length, len(block)):
            out.write(block[:min(len(block), length - at)])
        out.flush()
        os.fsync(out.fileno())
    return path


def place(build, name):
    folder = os.path.join(build, "bench", "bin")
    os.makedirs(folder, exist_ok=True)
    return os.path.join(folder, name)


def data(build, mebibytes):
    return fill(place(build, "data-%d" % mebibytes), mebibytes * KIB * KIB)


def www(build):
    root = place(build, "www")
    os.makedirs(root, exist_ok=True)
    fill(os.path.join(root, "16k"), 16 * KIB)
    with open(os.path.join(root, "hello"), "w", encoding="ascii") as out:
        out.write("hello\n")
    return root


def nginx(ctx, port, root, sendfile):
    """peers/nginx.conf with its places filled in: what nginx is started with."""
    prefix = place(ctx.build, "nginx-private")
    os.makedirs(os.path.join(prefix, "logs"), exist_ok=True)
    with open(os.path.join(ctx.peers.source, "nginx.conf"), encoding="ascii") as text:
        conf = text.read().replace("@PORT@", str(port)).replace("@ROOT@", root)
    conf = conf.replace("@SENDFILE@", "on" if sendfile else "off")
    if os.geteuid() == 0:
        conf = "user root;\n" + conf
    path = os.path.join(prefix, "nginx.conf")
    with open(path, "w", encoding="ascii") as out:
        out.write(conf)
    return ["-p", prefix, "-c", path, "-e", "stderr"]


def fio(ctx, how, path, count):
    """fio's own figures of CPU are shares of its run time, of the job alone."""
    command = ctx.peers.command("fio") + [
        "--name=reads", "--filename=" + path, "--rw=randread", "--bs=4k", "--readonly",
        "--ioengine=io_uring", "--iodepth=32", "--iodepth_batch_submit=16",
        "--iodepth_batch_complete_min=1", "--iodepth_batch_complete_max=32", "--norandommap",
        "--random_generator=lfsr", "--fixedbufs=1", "--registerfiles=1", "--gtod_reduce=1",
        "--invalidate=0", "--direct=%d" % (how == "direct"), "--number_ios=%d" % count,
        "--io_size=%d" % (count * 4 * KIB), "--thread=1", "--output-format=json"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, check=False, timeout=300,
                          preexec_fn=measure.placed(measure.cores()))
    try:
        job = json.loads(done.stdout[done.stdout.index("{"):])["jobs"][0]
        reads, seconds = job["read"]["total_ios"], job["read"]["runtime"] / 1000
        share = (job["usr_cpu"] + job["sys_cpu"]) / 100
        cpu = share * seconds / reads * 1e9
        return {"cpu": cpu, "rate": reads / seconds, "per_cpu_second": 1e9 / cpu}
    except (ValueError, KeyError, ZeroDivisionError, IndexError):
        raise Failed(measure.last_words(done.stderr)) from None
