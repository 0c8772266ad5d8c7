# SPDX-License-Identifier: MIT
"""What the comparisons of servers share: bench-echo and bench-http.

A server has the last CPU of this machine if it has one processor, and else all; the load
has the others, or shares them. All servers in turn in each round.
"""

import argparse
import json
import os
import sys
from collections import namedtuple

from report import Neighbours, Progress, median, print_bars, table

TOP = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
BUSY_MACHINE = 0.1      # share that other programs take which is worth telling

# What is measured: processors of the server, connections, and what else tells it apart.
Cell = namedtuple("Cell", "procs connections what")

# Our figure against another server's: "rate", "cpu" of a request or "p99".
Bar = namedtuple("Bar", "cell figure of limit")
FIGURES = {"rate": "requests/s", "cpu": "CPU time of a request", "p99": "p99 of replies"}


class Failed(Exception):
    """A run that gave no figures."""


class Comparison:
    """Servers side by side.

    program: its name, for messages
    servers: a dictionary of names and programs in the build folder; the first is ours
    measure(o, server, program, cell, cpus_of_server, cpus_of_load): one run: a dictionary
        of rate in requests/s, cpu of a request, p50 and p99 in microseconds
    """

    def __init__(self, program, servers, cells, bars, measure):
        self.program = program
        self.servers = servers
        self.cells = cells
        self.bars = bars
        self.measure = measure

    def options_of(self, arguments, doc, rounds, ms):
        parser = argparse.ArgumentParser(
            prog="bench/" + self.program, description=doc,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            epilog="Exit status: 0 if every cell was measured; the bars are compared, but fail nothing.")
        add = parser.add_argument
        add("--rounds", type=int, default=rounds, help=f"rounds of each cell ({rounds})")
        add("--ms", type=int, default=ms, help=f"milliseconds of each measurement ({ms})")
        add("--build", default=os.environ.get("O") or os.path.join(TOP, "build"),
            metavar="DIR", help="where everything was built (O, build)")
        add("--result", default=os.environ.get("RESULT"), metavar="FILE",
            help=f"the figures as JSON (RESULT, build/{self.program}.json)")
        o = parser.parse_args(arguments)
        if o.rounds < 1 or o.ms < 1:
            parser.error("--rounds and --ms: at least 1")
        o.build = os.path.abspath(o.build)
        o.result = o.result or os.path.join(o.build, self.program + ".json")
        return o

    def name_of(self, cell):
        what = f"{cell.what}, " if cell.what else ""
        return f"{what}{cell.connections:,} connections, {cell.procs} P"

    def measure_all(self, o, servers, cells, cpus):
        names = list(servers)
        plan = [(number, cell, name) for number in range(o.rounds) for cell in cells
                for name in names[number % len(names):] + names[:number % len(names)]]
        progress = Progress([f"round {n + 1}: {self.name_of(c)}, {name}"
                             for n, c, name in plan])
        samples, wrong = {}, []
        for step, (_, cell, name) in enumerate(plan):
            progress.at(step)
            try:
                samples.setdefault((cell, name), []).append(
                    self.measure(o, name, os.path.join(o.build, servers[name]), cell,
                                 cpus[-cell.procs:], cpus[:-cell.procs] or cpus))
            except Failed as error:
                wrong.append(f"{self.name_of(cell)}, {name}: {error}")
        progress.end(len(plan))
        return samples, wrong

    @staticmethod
    def lines_of(samples, rounds):
        """A dictionary of medians for each cell and server of which no round failed."""
        return [{"server": name, **cell._asdict(),
                 **{figure: round(median([s[figure] for s in runs]), 3)
                    for figure in runs[0]},
                 "samples": runs}
                for (cell, name), runs in samples.items() if len(runs) == rounds]

    def bars_of(self, lines):
        by = {(Cell(line["procs"], line["connections"], line["what"]), line["server"]): line
              for line in lines}
        us = next(iter(self.servers))
        bars = []
        for bar in self.bars:
            ours, theirs = (by.get((bar.cell, name)) for name in (us, bar.of))
            if not theirs:
                continue
            ratio = ours and ours[bar.figure] / theirs[bar.figure]
            # what may be at most is what print_bars() knows
            least = bar.figure == "rate"
            measured = ratio and (1 / ratio if least else ratio)
            limit = 1 / bar.limit if least else bar.limit
            bars.append({"bar": f"{FIGURES[bar.figure]}, {self.name_of(bar.cell)}: "
                                + (f"{bar.of}'s / {us}'s" if least else f"{us}'s / {bar.of}'s"),
                         "limit": round(limit, 4), "measured": measured and round(measured, 4),
                         "met": bool(measured) and measured <= limit, "detail": ""})
        return bars

    def print_lines(self, lines):
        order = {cell: i for i, cell in enumerate(self.cells)}
        rows = [[line["what"] or "echo", f"{line['connections']:,}", str(line["procs"]),
                 line["server"], f"{line['rate']:,.0f}", f"{line['cpu']:.2f}",
                 f"{line['p50']:,.0f}", f"{line['p99']:,.0f}"]
                for line in sorted(lines, key=lambda l: order[
                    Cell(l["procs"], l["connections"], l["what"])])]
        table(["", "connections", "Ps", "server", "requests/s", "CPU us", "p50 us", "p99 us"], rows)

    def run(self, o):
        servers = {}
        for name, path in self.servers.items():
            if os.path.exists(os.path.join(o.build, path)):
                servers[name] = path
            else:
                print(f"{self.program}: {path} was not built and is left out", file=sys.stderr)
        cpus = sorted(os.sched_getaffinity(0))
        cells = [cell for cell in self.cells if cell.procs <= len(cpus)]
        neighbours = Neighbours()
        samples, wrong = self.measure_all(o, servers, cells, cpus)
        lines = self.lines_of(samples, o.rounds)
        bars = self.bars_of(lines)
        self.print_lines(lines)
        print_bars(bars)
        with open(o.result, "w", encoding="utf-8") as f:
            json.dump({"cells": lines, "bars": bars, "rounds": o.rounds, "ms": o.ms,
                       "kernel": os.uname().release, "wrong": wrong}, f, indent=1)
        print(f"figures: {o.result}")
        if neighbours.share() > BUSY_MACHINE:
            print(f"Other programs took {neighbours.share():.0%} of this machine meanwhile.")
        for line in wrong:
            print(f"{self.program}: failed: {line}", file=sys.stderr)
        return 1 if wrong else 0


def pinned(cpus):
    return lambda: os.sched_setaffinity(0, cpus)
