# SPDX-License-Identifier: MIT
"""What the drivers share: progress, a neighbour's load, medians, tables, bars."""

import math
import os
import sys
import time


class Progress:
    """Tells how far a run is: a line that changes, or now and then a new one."""

    def __init__(self, names):
        self.names = names
        self.start = time.monotonic()
        self.told = -20.0
        self.live = sys.stderr.isatty()

    def at(self, step):
        seconds = time.monotonic() - self.start
        name = self.names[step] if step < len(self.names) else "done"
        text = (f"[{step:3}/{len(self.names)}] {int(seconds) // 60}:"
                f"{int(seconds) % 60:02}  {name}")
        if self.live:
            print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)
        elif seconds - self.told >= 20:
            self.told = seconds
            print(text, file=sys.stderr, flush=True)

    def end(self, step):
        self.told = -20.0
        self.at(step)
        if self.live:
            print(file=sys.stderr)


class Neighbours:
    """How much of this machine other programs take during a run."""

    def __init__(self):
        self.start = self.read()

    @staticmethod
    def read():
        """Seconds of all processors, of those busy, and of our own children."""
        tick = os.sysconf("SC_CLK_TCK")
        with open("/proc/stat", encoding="utf-8") as f:
            times = [int(n) / tick for n in f.readline().split()[1:9]]
        own = os.times()
        return (sum(times), sum(times) - times[3] - times[4],
                own.children_user + own.children_system)

    def share(self):
        total, busy, own = (b - a for a, b in zip(self.start, self.read()))
        return max(0.0, (busy - own) / total) if total else 0.0


def quantile(values, share):
    """The smallest value that at least this share of all do not exceed."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def median(values):
    values = sorted(values)
    middle = len(values) // 2
    return values[middle] if len(values) % 2 else sum(values[middle - 1:middle + 1]) / 2


def duration(ns):
    for unit, size in (("s", 1e9), ("ms", 1e6), ("us", 1e3)):
        if ns >= size:
            value = ns / size
            return f"{value:.0f} {unit}" if value >= 100 else f"{value:.3g} {unit}"
    return f"{ns:.0f} ns"


def table(head, rows, indent="  "):
    """Columns as wide as they need, the first one left-aligned."""
    widths = [max(len(r[i]) for r in [head] + rows) for i in range(len(head))]
    for row in [head] + rows:
        print(indent + "  ".join(
            cell.ljust(w) if i == 0 else cell.rjust(w)
            for i, (cell, w) in enumerate(zip(row, widths))).rstrip())


def print_bars(bars):
    """An issue's bars, met or not, with the details of those that are not."""
    def number(value):
        if value is None:
            return "-"
        return f"{value:.3f}" if value < 100 else f"{value:,.0f}"

    print("\nThe bars (smaller is better).")
    table(["", "measured", "at most", ""],
          [[r["bar"], number(r["measured"]), number(r["limit"]),
            "met" if r["met"] else "NOT MET"] for r in bars])
    for r in bars:
        if r["detail"] and not r["met"]:
            print(f"    {r['bar']}: {r['detail']}")
