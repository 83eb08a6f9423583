# SPDX-License-Identifier: MIT
"""Tables of what was measured, for people and as JSON."""

import datetime
import json
import os
import platform
import subprocess
from statistics import median


def word(value):
    """A figure in as many digits as it is worth."""
    size = abs(value)
    if size >= 1000:
        return "{:,.0f}".format(value)
    return "%.*f" % (0 if size >= 100 or size == 0 else 1 if size >= 10 else 2 if size >= 0.1
                     else 3, value)


def paired(mine, others):
    """The median of the ratios, round by round."""
    ratios = [a / b for a, b in zip(mine, others) if a is not None and b]
    return median(ratios) if ratios else None


def here(samples):
    return [sample for sample in samples if sample is not None]


def summarise(case, table, samples, notes):
    """The rows of a table, as they go to JSON."""
    def column(row, metric):
        return [figures.get(metric) if figures else None for figures in samples[row.name]]

    main = {row.name: column(row, table.metric) for row in case.rows}
    best = (max if table.higher else min)
    floors = [row for row in case.rows if row.kind == "floor" and here(main[row.name])]
    floor = best(floors, key=lambda row: median(here(main[row.name]))).name if floors else None
    coils = [row for row in case.rows if row.kind == "coil" and here(main[row.name])]
    rows = []
    for row in case.rows:
        entry = {"name": row.name, "kind": row.kind, "samples": main[row.name]}
        good = here(main[row.name])
        if row.name in notes:
            entry["note"] = notes[row.name]
        if good:
            entry.update(median=median(good), min=min(good), max=max(good))
            entry["to_floor"] = paired(main[row.name], main[floor]) if floor else None
            entry["to_coil"] = (paired(main[row.name], main[coils[0].name])
                                if coils else None)
            entry["extras"] = {}
            for metric, _ in table.extras:
                values = here(column(row, metric))
                if values:
                    entry["extras"][metric] = (
                        max(values) if metric == "bottleneck" else median(values))
        elif row.kind != "limit" and row.name not in notes:
            entry["note"] = "no figure"
        if good or "note" in entry:
            rows.append(entry)
    return {"case": case.key, "at": case.at, "metric": table.metric, "title": table.title,
            "unit": table.unit, "higher_is_better": table.higher, "floor": floor,
            "extras": [list(extra) for extra in table.extras], "rows": rows}


def cell(row, metric):
    if metric not in row["extras"]:
        return ""
    if metric == "bottleneck":
        return "yes" if row["extras"][metric] else ""
    return word(row["extras"][metric])


def show(table):
    """The table, as text."""
    width = max(len(row["name"]) for row in table["rows"])
    heads = [head for _, head in table["extras"]]
    print("\n%s, %s" % (table["title"], table["unit"]))
    print("  %-*s %10s  %19s %8s %8s %s" % (
        width, "", "median", "min - max", "x floor", "x coil",
        " ".join("%12s" % head for head in heads)))
    for row in table["rows"]:
        if "median" not in row:
            print("  %-*s   %s" % (width, row["name"], row["note"]))
            continue
        ratios = ["%8.2f" % row[key] if row[key] else "%8s" % "" for key in ("to_floor", "to_coil")]
        print("  %-*s %10s  %19s %s %s %s%s" % (
            width, row["name"], word(row["median"]),
            word(row["min"]) + " - " + word(row["max"]), ratios[0], ratios[1],
            " ".join("%12s" % cell(row, metric) for metric, _ in table["extras"]),
            "  (%s)" % row["note"] if "note" in row else ""))


def first_line(command):
    try:
        return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                              text=True, check=False).stdout.splitlines()[0]
    except (OSError, IndexError):
        return ""


def field(path, name, sign=":"):
    try:
        with open(path, encoding="utf-8", errors="replace") as text:
            for line in text:
                if line.startswith(name):
                    return line.split(sign, 1)[1].strip().strip('"')
    except OSError:
        pass
    return ""


def whole(path):
    try:
        with open(path, encoding="utf-8") as text:
            return text.read().strip()
    except OSError:
        return "none to be seen"


def machine():
    """What the figures are worth elsewhere."""
    compiler = os.environ.get("CC", "cc")
    return {"cpu": field("/proc/cpuinfo", "model name"), "cores": os.cpu_count(),
            "memory": field("/proc/meminfo", "MemTotal"), "kernel": platform.release(),
            "system": field("/etc/os-release", "PRETTY_NAME", "=") or platform.system(),
            "governor": whole("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
            "compiler": first_line(compiler.split() + ["--version"]),
            "flags": os.environ.get("BENCH_CFLAGS", ""), "load": os.getloadavg()[0],
            "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC")}


def save(folder, work, suffix, settings, tables, versions):
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, work + suffix + ".json")
    with open(path + ".new", "w", encoding="utf-8") as out:
        json.dump({"work": work, "coil": os.environ.get("BENCH_VERSION", ""),
                   "settings": settings, "machine": machine(), "versions": versions,
                   "tables": tables}, out, indent=1)
        out.write("\n")
    os.replace(path + ".new", path)
    return path
