# SPDX-License-Identifier: MIT
"""Pictures of the results, by gnuplot: bars for a work, lines for growth."""

import glob
import json
import os
import shutil
import subprocess

COLOURS = {"coil": 0x2F6FB3, "peer": 0xA9B2BD, "floor": 0xD8A23A, "limit": 0xE9D3A0}
ROW, HEAD, FOOT, WIDTH = 19, 34, 34, 820
LINES = ["#2f6fb3", "#c2603a", "#4c9a5a", "#8a6bb5", "#b59a2f", "#5c6670", "#7fb0dd", "#d98fa8",
         "#1f1f1f", "#8a5a2b", "#2aa0a0", "#c7c244"]


def quoted(text):
    return '"%s"' % text.replace("\\", "").replace('"', "'")


def bars(table, top, height):
    """A panel: a bar for each row that has a figure, from min to max a line."""
    rows = [row for row in table["rows"] if "median" in row]
    values = [row["median"] for row in rows]
    logarithmic = max(values) > 30 * min(values) > 0
    low = min(values) / 2 if logarithmic else 0
    high = max(row["max"] for row in rows) * (4 if logarithmic else 1.25)
    area = HEAD + ROW * len(rows)
    text = ["$d << END"]
    for at, row in enumerate(rows):
        text.append("%d %g %g %g %d %s" % (at, row["median"], row["min"], row["max"],
                                           COLOURS[row["kind"]], quoted(short(row["median"]))))
    text += ["END",
             "set tmargin at screen %f" % (1 - (top + HEAD) / height),
             "set bmargin at screen %f" % (1 - (top + area) / height),
             "%s logscale x" % ("set" if logarithmic else "unset"),
             "set xrange [%g:%g]" % (low, high if high > low else low + 1),
             "set yrange [%g:-0.6]" % (len(rows) - 0.4),
             "set title %s" % quoted("%s, %s" % (table["title"], table["unit"])),
             "set ytics (%s)" % ", ".join("%s %d" % (quoted(row["name"]), at)
                                          for at, row in enumerate(rows)),
             "plot $d using 2:1:(%g):2:($1-0.36):($1+0.36):5 with boxxyerror "
             "lc rgb variable fs solid notitle, "
             "$d using 2:1:3:4 with xerrorbars lc rgb '#333333' pt -1 notitle, "
             "$d using 4:1:6 with labels left offset 0.6,0 notitle" % low]
    return text, area + FOOT


def short(value):
    return "%.3g" % value if value < 1000 else "{:,.0f}".format(value)


def bar_chart(results):
    tables = [table for table in results["tables"]
              if any("median" in row for row in table["rows"])]
    height = sum(HEAD + FOOT + ROW * sum("median" in row for row in table["rows"])
                 for table in tables)
    script, top = [], 0
    for table in tables:
        text, used = bars(table, top, height)
        script += text
        top += used
    return (["set lmargin at screen 0.27", "set rmargin at screen 0.97", "unset key",
             "set border 1", "set xtics nomirror out", "set ytics nomirror scale 0"] + script), height


def line_chart(results):
    """A panel for each kind of case, cost over number, a line for each row."""
    panels = {}
    for table in results["tables"]:
        key = (table["case"].rsplit("-", 1)[0], table["metric"], table["unit"])
        for row in table["rows"]:
            if "median" in row and row["median"] > 0:
                panels.setdefault(key, {}).setdefault(row["name"], []).append(
                    (table["at"], row["median"]))
    titles = {"task": "memory of each", "cpu": "CPU of each", "server_cpu": "CPU a request",
              "resident": "memory of the server"}
    height = 330 * len(panels)
    names = list(dict.fromkeys(name for lines in panels.values() for name in lines))
    script = ["set logscale xy", "set format xy '%.0s%c'", "set key outside right top", "set grid",
              "set lmargin at screen 0.1", "set rmargin at screen 0.76"]
    for number, ((kind, metric, unit), lines) in enumerate(panels.items()):
        for at, (_, points) in enumerate(lines.items()):
            script += ["$d%d << END" % at] + ["%g %g" % point for point in points] + ["END"]
        script += ["set tmargin at screen %f" % (1 - (330 * number + 40) / height),
                   "set bmargin at screen %f" % (1 - (330 * number + 290) / height),
                   "set title %s" % quoted("%s: %s, %s" % (
                       kind, titles.get(metric, metric), unit)),
                   "plot " + ", ".join(
                       "$d%d using 1:2 with linespoints lw 2 pt 7 ps 0.5 lc rgb '%s' title %s" %
                       (at, LINES[names.index(name) % len(LINES)], quoted(name))
                       for at, name in enumerate(lines))]
    return script, height


def draw(path):
    gnuplot = shutil.which("gnuplot")
    if not gnuplot:
        print("no picture: gnuplot is not present (Debian: gnuplot-nox)")
        return
    with open(path, encoding="utf-8") as text:
        results = json.load(text)
    if not any("median" in row for table in results["tables"] for row in table["rows"]):
        return
    chart = line_chart if results["work"] == "growth" else bar_chart
    script, height = chart(results)
    picture = os.path.splitext(path)[0] + ".svg"
    script = ["set terminal svg size %d,%d dynamic noenhanced font 'sans-serif,12' background 'white'" %
              (WIDTH, height), "set output %s" % ("'%s'" % picture), "set multiplot"] + script + [
                  "unset multiplot"]
    done = subprocess.run([gnuplot], input="\n".join(script) + "\n", text=True, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    print("drawn in %s" % picture if not done.returncode and not done.stdout.strip()
          else "gnuplot: " + done.stdout.strip())


def draw_all(folder):
    for path in sorted(glob.glob(os.path.join(folder, "*.json"))):
        draw(path)
