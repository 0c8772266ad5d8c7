# SPDX-License-Identifier: MIT
"""A comparison in one boot of the test machine: its guest's script adds lines of JSON
to /out/figures."""

import argparse
import array
import json
import os
import subprocess
import sys
import tempfile

from report import print_bars

TOP = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
BUILD = os.environ.get("O") or os.path.join(TOP, "build")
WORDS_SIZE = 640 << 20
WORDS_MEMORY = "512M"   # of the test machine
CHUNK = 1 << 20         # words that are written at a time
NAMES = {"kgo": "libgo with the module", "fallback": "libgo without it", "go": "Go",
         "thread": "plain threads"}


class Failed(Exception):
    """The run cannot go on."""


def parser_of(program, doc, rounds):
    """A parser with the options that all comparisons in the test machine have."""
    parser = argparse.ArgumentParser(
        prog=program, description=doc,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="Exit status: 0 if all was measured and the kernel log is clean; the bars are\n"
               "compared, but fail nothing.")
    add = parser.add_argument
    add("--rounds", type=at_least_1, default=rounds, metavar="N",
        help=f"rounds of each of them ({rounds})")
    add("--kernel", default=os.environ.get("KERNEL") or "6.1", metavar="SERIES",
        help="of the test machine (KERNEL, 6.1)")
    add("--build", type=os.path.abspath, default=BUILD, metavar="DIR",
        help="where everything was built (O, build)")
    add("--log", metavar="FILE", help="where to put the kernel log")
    add("--result", metavar="FILE", help="the figures as lines of JSON")
    return parser


def at_least_1(text):
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number


def some_of(known):
    """A type for an option: names, of those that are known."""
    def parse(text):
        names = text.split(",")
        for name in names:
            if name not in known:
                raise argparse.ArgumentTypeError(
                    f"there is no '{name}'; there are {', '.join(known)}")
        return names
    return parse


def tool(name, *arguments):
    """What one of the project's tools prints."""
    done = subprocess.run([os.path.join(TOP, "tools", name), *arguments],
                          stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise Failed(f"tools/{name} has failed")
    return done.stdout.strip()


def disk_of(image, folder, *free):
    """An image with what is in a folder."""
    tool("disk", image, folder, *free)
    return image


def disk_of_words(build):
    """An image with a file whose 64-bit words count from 0, so that what is read of it
    can be told: /words, which does not fit into WORDS_MEMORY."""
    folder = os.path.join(build, "disk-of-words")
    path = os.path.join(folder, "disk", "words")
    os.makedirs(os.path.dirname(path), exist_ok=True)
    if not os.path.exists(path) or os.path.getsize(path) != WORDS_SIZE:
        with open(path, "wb") as file:
            for first in range(0, WORDS_SIZE // 8, CHUNK):
                array.array("Q", range(first, first + CHUNK)).tofile(file)
    return disk_of(os.path.join(folder, "disk.img"), os.path.dirname(path))


def measure(o, name, options, command):
    """Boot, run the command. Returns tools/kgo-vm's status and the figures."""
    with tempfile.TemporaryDirectory() as out:
        status = subprocess.run(
            [os.path.join(TOP, "tools/kgo-vm"), "--kernel", o.kernel, "--name", name,
             "--out", out, *(["--log", o.log] if o.log else []), *options, "--", *command],
            env=dict(os.environ, O=o.build)).returncode
        path = os.path.join(out, "figures")
        if not os.path.exists(path):
            return status, []
        with open(path, encoding="utf-8") as file:
            lines = file.readlines()
    if o.result:
        with open(o.result, "w", encoding="utf-8") as to:
            to.writelines(lines)
    return status, [json.loads(line) for line in lines]


def by_cell(o, program, status, lines, cells, cell_of, name_of):
    """The figures of each cell, and the status: of a cell that lacks some it is told."""
    found = {}
    for line in lines:
        found.setdefault(cell_of(line), []).append(line)
    for cell in cells:
        if len(found.get(cell, [])) != o.rounds:
            status = status or 1
            print(f"{program}: not measured: {name_of(cell)}", file=sys.stderr)
    return status, found


def by_runtime(o, program, status, lines, cells):
    """by_cell(), where a cell is a runtime with a number of processors."""
    return by_cell(o, program, status, lines, cells,
                   lambda line: (line["runtime"], line["procs"]),
                   lambda cell: f"{NAMES[cell[0]]}, {cell[1]}")


def bar(what, limit, measured, detail=None):
    """A figure that should be at most so much, for report.print_bars()."""
    return {"bar": what, "measured": measured, "limit": limit, "met": measured <= limit,
            "detail": detail}


def compare(o, name, figures_of, print_table, bars):
    """Measure and print. figures_of() returns the exit status and what was found."""
    try:
        status, found = figures_of(o)
    except Failed as e:
        print(f"{name}:", e, file=sys.stderr)
        return 1
    if found:
        print_table(found)
        compared = list(bars(found))
        if compared:
            print_bars(compared)
    return status
