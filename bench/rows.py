# SPDX-License-Identifier: MIT
"""The rows of the micro-benchmarks: what they are, and what they are held against.

The one place where it stands what a row measures. The programs (micro/libgo.c,
go/micro/main.go, micro/boost.cc, micro/pthread.c) do what KINDS says, with the
parameters of ROWS. An element of a channel has 8 bytes. Each program checks its
result: sums of what was received, counts under the mutex, order of a select.
"""

from typing import NamedTuple

KINDS = {
    "spawn": "Each of `spawners` tasks starts `tasks` tasks, waits for the end of all of them, and\n"
             "begins again. A started task yields `yields` times and ends. Operation: a task.",
    "yield": "`tasks` tasks yield to each other. Operation: a yield.",
    "pingpong": "`pairs` pairs of tasks, each with two unbuffered channels, send a number there and\n"
                "back. Operation: a round trip.",
    "chan": "`producers` tasks send through a channel of capacity `capacity` to `consumers` tasks.\n"
            "Operation: an element.",
    "select": "A task selects over `channels` unbuffered channels, another one sends to them in\n"
              "turn. Operation: an element.",
    "selectready": "A task sends to one of `channels` channels of capacity 1, in turn, and then selects\n"
                   "over all. Operation: a send and a select.",
    "mutex": "`tasks` tasks lock a mutex, count, yield `yields` times, and unlock it. Operation: a\n"
             "lock and its unlock.",
    "skynet": "A task starts `fanout` tasks that each do so with their part of `leaves` numbers, and\n"
              "receives their sums through an unbuffered channel; a leaf sends its number. Once, from\n"
              "a fresh process on. Operation: a leaf.",
    "timers": "`tasks` tasks are started, each sleeps a whole number of ms, 1 to `max_ms` in turn.\n"
              "From the first start to the last end.",
    "sleep": "`tasks` tasks each sleep `sleeps` times for `min_us` to `max_us` us, by a fixed random\n"
             "sequence, beside `busy` tasks that compute and yield to nobody. How much later than\n"
             "due they run again.",
    "mem": "`tasks` tasks wait in a channel; how much more memory is resident or in page tables\n"
           "than before they were started (VmRSS and VmPTE), by task.",
}

GROUPS = {
    "1p": "One P, on one CPU",
    "2p": "Two Ps, on two CPUs",
    "time": "Time, one P",
    "busy": "Time, beside tasks that compute",
    "memory": "Memory, one P",
}


class Figure(NamedTuple):
    """One number that a run of a row gives."""
    suffix: str     # of the row's name
    unit: str
    key: str        # of the program's report
    per_op: bool    # divide by the number of operations
    scale: float    # from the report's unit


NS_PER_OP = (Figure("", "ns", "wall_ns", True, 1),)
TIMERS = (Figure("", "ms", "wall_ns", False, 1e-6),
          Figure(".cpu", "ms", "cpu_ns", False, 1e-6))
LATENESS = (Figure("", "us", "late_p50_ns", False, 1e-3),
            Figure(".p99", "us", "late_p99_ns", False, 1e-3))
BYTES = (Figure("", "B", "bytes", False, 1),)


class Row(NamedTuple):
    """A row of a table, for one number of processors."""
    name: str
    procs: int
    group: str
    kind: str
    params: dict
    figures: tuple = NS_PER_OP
    without: tuple = ()     # runtimes that cannot do it though they know the kind
    full: bool = False      # only with --full: takes gigabytes


def both(name, kind, **params):
    return [Row(name, 1, "1p", kind, params), Row(name, 2, "2p", kind, params)]


def one(name, kind, **params):
    return both(name, kind, **params)[:1]


def two(name, kind, **params):
    return both(name, kind, **params)[1:]


def memory(name, tasks, stack, **more):
    # Boost.Fiber's own frames need more than 2 KiB
    without = ("boost",) if stack else ()
    return [Row(name, 1, "memory", "mem", {"tasks": tasks, "stack": stack}, BYTES,
                without, **more)]


ROWS = (
    one("spawn1", "spawn", spawners=1, tasks=1, yields=0) +
    both("spawn1k", "spawn", spawners=1, tasks=1000, yields=0) +
    two("spawn1k2", "spawn", spawners=2, tasks=1000, yields=0) +
    one("spawn1ky", "spawn", spawners=1, tasks=1000, yields=1) +
    one("yield", "yield", tasks=2) +
    both("pingpong", "pingpong", pairs=1) +
    both("pairs", "pingpong", pairs=8) +
    both("buf", "chan", capacity=128, producers=1, consumers=1) +
    both("mpmc", "chan", capacity=128, producers=4, consumers=4) +
    both("select4", "select", channels=4) +
    one("select4ready", "selectready", channels=4) +
    both("mutex", "mutex", tasks=8, yields=0) +
    both("mutexyield", "mutex", tasks=8, yields=1) +
    both("skynet", "skynet", leaves=1000000, fanout=10) +
    [Row("timers", 1, "time", "timers", {"tasks": 100000, "max_ms": 100}, TIMERS),
     Row("sleep", 1, "time", "sleep",
         {"tasks": 100, "sleeps": 20, "min_us": 1000, "max_us": 10000, "busy": 0}, LATENESS)] +
    [Row("sleepbusy", procs, "busy", "sleep",
         {"tasks": 1, "sleeps": 100, "min_us": 1000, "max_us": 10000, "busy": 4}, LATENESS,
         without=("boost",))    # it cannot take the CPU from a task
     for procs in (1, 2)] +
    memory("mem", 100000, 0) +
    memory("mem2k", 100000, 2048) +
    memory("mem1m", 1000000, 0, full=True) +
    memory("mem1m2k", 1000000, 2048, full=True))

# ---- what the figures are held against --------------------------------------

# At most this share of Go's figure.
GO_LIMITS = {
    ("yield", 1): 0.25, ("spawn1", 1): 0.25, ("spawn1k", 1): 0.25,
    ("spawn1ky", 1): 0.2, ("pingpong", 1): 0.3, ("buf", 1): 0.5, ("mpmc", 1): 0.6,
    ("select4", 1): 0.25, ("select4ready", 1): 0.35, ("mutex", 1): 1.0,
    ("mutexyield", 1): 0.4, ("skynet", 1): 0.9, ("timers.cpu", 1): 0.7,
    ("sleep", 1): 0.2,
    ("spawn1k2", 2): 0.3, ("pingpong", 2): 0.5, ("buf", 2): 0.7, ("mpmc", 2): 0.8,
    ("mutex", 2): 1.0, ("mutexyield", 2): 0.6, ("select4", 2): 0.4,
    ("skynet", 2): 0.7,
}

# At most this share of Boost.Fiber's figure, in every row.
BOOST_LIMIT = 0.9

# Bytes of memory for a parked task, at most.
MEMORY_LIMITS = {"mem": 4600, "mem2k": 2700, "mem1m": 4600, "mem1m2k": 2700}

# Two Ps make at least this much more than one.
SCALING = 1.7
SCALING_ROWS = ("skynet", "pairs")

# Multi-threaded runtimes, each measured at its best on one other machine, and
# Go on the same one (2 CPUs of an AMD EPYC, Linux 6.18): nanoseconds for an
# operation, ms for timers, us for sleep. A figure of this table divided by its
# Go's and multiplied by Go's of a run here is what that runtime would have here.
PEER_LIMIT = 1.3
PEERS = {
    ("spawn1", 1): {"go": 356, "argobots": 124, "marl": 193, "photon": 201,
                    "boost": 282},
    ("spawn1k", 1): {"go": 181, "marl": 41, "argobots": 49, "photon": 79,
                     "boost": 162},
    ("spawn1ky", 1): {"go": 389, "argobots": 87, "photon": 126, "boost": 217},
    ("yield", 1): {"go": 73, "argobots": 25, "photon": 26, "boost": 39},
    ("pingpong", 1): {"go": 262, "boost": 240},
    ("buf", 1): {"go": 33, "boost": 16, "argobots": 24, "photon": 47},
    ("mpmc", 1): {"go": 31, "boost": 17, "argobots": 26},
    ("select4", 1): {"go": 321},
    ("select4ready", 1): {"go": 128, "photon": 23},
    ("mutex", 1): {"go": 5.2, "photon": 7.2, "argobots": 9.2, "boost": 12.5},
    ("mutexyield", 1): {"go": 237, "boost": 119, "argobots": 143},
    ("skynet", 1): {"go": 963, "marl": 1062, "argobots": 4102, "boost": 9640},
    ("timers", 1): {"go": 511, "boost": 832, "marl": 1332},
    ("sleep", 1): {"go": 629, "boost": 51},
    ("sleep.p99", 1): {"go": 1492, "boost": 177},
    ("spawn1k", 2): {"go": 240, "photon": 66, "qthreads": 105, "marl": 163,
                     "argobots": 181, "boost": 257},
    ("spawn1k2", 2): {"go": 213, "photon": 56, "argobots": 63, "qthreads": 63,
                      "marl": 111, "boost": 122},
    ("pingpong", 2): {"go": 300, "marl": 306, "qthreads": 580, "argobots": 617,
                      "boost": 823, "photon": 61548},
    ("buf", 2): {"go": 52, "boost": 79, "argobots": 119},
    ("mpmc", 2): {"go": 39, "marl": 60, "boost": 68},
    ("mutex", 2): {"go": 13.6, "photon": 47, "marl": 51, "boost": 107},
    ("mutexyield", 2): {"go": 189, "photon": 193, "boost": 1175},
    ("select4", 2): {"go": 372},
    ("skynet", 2): {"go": 753, "marl": 1445, "boost": 2619, "argobots": 2855},
}
