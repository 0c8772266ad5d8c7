# SPDX-License-Identifier: MIT
"""Reads a kernel log for what must not be in it."""

import re
import sys

TROUBLE = re.compile("|".join((
    r"\bBUG\b", r"\bWARNING\b", r"\bOops\b", r"\bINFO: ",
    r"Kernel panic", r"general protection",
    r"Unable to handle", r"unable to handle",
    r"Call Trace:", r"cut here", r"\bRIP: 0010:",
    r"invalid opcode", r"divide error", r"double fault", r"stack segment",
    r"segfault at", r"traps: ", r"bad page", r"Bad page", r"bad pte|Bad pte",
    r"possible (circular|recursive|irq) ", r"inconsistent lock state",
    r"possible deadlock", r"bad unlock balance", r"lock held when returning",
    r"held lock freed", r"DEBUG_LOCKS_WARN_ON", r"suspicious RCU",
    r"KASAN", r"KCSAN", r"UBSAN", r"KMSAN", r"kmemleak",
    r"unreferenced object", r"lost page:",
    r"rcu: INFO", r"rcu.*stall", r"self-detected stall", r"detected stalls",
    r"soft lockup", r"hard LOCKUP", r"Watchdog detected", r"NMI watchdog: W",
    r"blocked for more than", r"task .* hung", r"hung_task",
    r"refcount_t", r"percpu ref .*<= 0", r"use-after-free", r"double free",
    r"slab.*(corrupt|overwritten)", r"Redzone", r"Poison overwritten",
    r"Objects remaining", r"list_(add|del) corruption",
    r"sleeping function called", r"scheduling while atomic",
    r"workqueue: .*(hogged|lockup)", r"workqueue leaked",
    r"preempt_count .*(imbalance|leak)", r"huh, entered",
    r"noirq.*imbalance", r"unbalanced", r"ODEBUG",
    r"unregister_netdevice", r"Out of memory", r"oom-kill", r"oom_reaper",
    r"disabling IRQ", r"nobody cared", r"exited with preempt_count",
    r"exited with irqs disabled", r"page allocation failure",
    r"I/O error", r"EXT4-fs (error|warning)",
    r"Unknown symbol", r"disagrees about version", r"Invalid module format",
)))

# Lines that match above and are no fault of what is tested: pattern, reason.
HARMLESS = (
    (r"(traps|segfault).* ip[: ][0-9a-f]+ sp[: ][0-9a-f]+ error",
     "a user process died by a signal: its parent is told, and judges"),
    (r"workqueue: (?!.*kgo)\w+.* hogged CPU for",
     "other drivers' work takes long when emulated; 6.12 remarks on it"),
    (r"kmemleak: Kernel memory leak detector initialized"
     r"|RCU callback double-/use-after-free debug is enabled",
     "a kernel with these checks says that it has them"),
)


def troubles(lines):
    """Numbers of the lines that tell of trouble."""
    return [n for n, line in enumerate(lines)
            if TROUBLE.search(line)
            and not any(re.search(p, line) for p, _ in HARMLESS)]


def excerpt(lines, numbers, before=2, after=25, most=120):
    """The troubled lines with those around them; "..." where some are left out."""
    wanted = sorted({i for n in numbers
                     for i in range(max(0, n - before),
                                    min(len(lines), n + after + 1))})
    out, last = [], None
    for i in wanted[:most]:
        if last is not None and i != last + 1:
            out.append("...")
        out.append((">" if i in numbers else " ") + " " + lines[i])
        last = i
    if len(wanted) > most:
        out.append(f"... and {len(wanted) - most} lines more")
    return out


def read(path):
    with open(path, encoding="utf-8", errors="replace") as f:
        return [line.rstrip("\r") for line in f.read().split("\n")]


if __name__ == "__main__":
    log = read(sys.argv[1])
    found = troubles(log)
    print("\n".join(excerpt(log, found)))
    sys.exit(bool(found))
