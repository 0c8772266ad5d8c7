# SPDX-License-Identifier: MIT
"""gdb's commands for goroutines.

  info goroutines       all goroutines, with their states
  goroutine N COMMAND   run a command of gdb's, as bt, in goroutine N
  goroutine all COMMAND in each of them

They need libgo's debug information. They work on core files too, since no register
is written: for a goroutine that does not run, its frames are made the callers of the
selected thread's newest one, which is not shown.
"""

import itertools

import gdb
import gdb.unwinder

# What g_switch() leaves at a goroutine's stack pointer (libgo/src/arch):
# registers by offset, and the size of the frame.
SAVED = {
    "i386:x86-64": (64, {"r15": 8, "r14": 16, "r13": 24, "r12": 32, "rbx": 40,
                         "rbp": 48, "rip": 56}, "rsp", "rip"),
    "aarch64": (176, {"x29": 0, "x30": 8, "x19": 16, "x20": 24, "x21": 32,
                      "x22": 40, "x23": 48, "x24": 56, "x25": 64, "x26": 72,
                      "x27": 80, "x28": 88, "pc": 8}, "sp", "pc"),
}


def field(value, name):
    return int(value[name])


class Goroutine:
    """A struct g that is in use."""

    def __init__(self, g):
        self.g = g
        self.id = field(g, "id")
        self.status = str(g["status"].cast(gdb.lookup_type("enum g_status")))
        self.m = None

    def name(self):
        name = self.g["name"]
        return name.string(errors="replace") if int(name) else ""

    def state(self):
        if self.status == "G_WAITING":
            why = self.g["why"].cast(gdb.lookup_type("enum wait_reason"))
            return str(why).removeprefix("WAIT_").lower()
        if self.m is not None and self.status == "G_RUNNABLE":
            return f"preempted, thread {field(self.m, 'tid')}"
        if self.m is not None:
            return f"running, thread {field(self.m, 'tid')}"
        return self.status.removeprefix("G_").lower()

    def function(self):
        return str(self.g["fn"]).partition(" ")[2] or str(self.g["fn"])

    def thread(self):
        """gdb's thread that runs it, or None."""
        if self.m is None:
            return None
        tid = field(self.m, "tid")
        for thread in gdb.selected_inferior().threads():
            if thread.ptid[1] == tid or thread.ptid[2] == tid:
                return thread
        return None


def variable(name, member):
    """A structure of libgo's. The program may have others of that name."""
    found = [objfile.lookup_global_symbol(name) for objfile in gdb.objfiles()]
    for symbol in found + gdb.lookup_static_symbols(name):
        if symbol and symbol.type.code == gdb.TYPE_CODE_STRUCT \
                and member in symbol.type.keys():
            return symbol.value()
    raise gdb.GdbError(f"no {name}: is libgo's debug information there?")


def running():
    """The Ms by the address of the goroutine that each runs."""
    rt = variable("rt", "nr_m_max")
    ms = {}
    if not int(rt["running"]):
        raise gdb.GdbError("no runtime runs")
    for i in range(field(rt, "nr_m_max") + 1):
        m = rt["ms"][i]
        if int(m):
            ms[field(m, "g")] = m
    return ms


def goroutines():
    """All goroutines, by number."""
    block = variable("pool", "blocks")["blocks"]
    ms = running()
    found = []
    while int(block):
        gs = block["gs"]
        for i in range(field(block, "used")):
            if field(gs[i], "status"):
                goroutine = Goroutine(gs[i])
                goroutine.m = ms.get(int(gs[i].address))
                found.append(goroutine)
        block = block["next"]
    return sorted(found, key=lambda goroutine: goroutine.id)


class FrameId:
    def __init__(self, sp, pc):
        self.sp = sp
        self.pc = pc


class ParkedUnwinder(gdb.unwinder.Unwinder):
    """Makes a goroutine's frames the callers of the selected thread's newest real one."""

    def __init__(self):
        super().__init__("libgo-goroutine")
        self.sp = None
        self.level = 0

    def __call__(self, pending):
        if self.sp is None or pending.level() != self.level:
            return None
        size, saved, sp_name, pc_name = \
            SAVED[pending.architecture().name()]
        word = gdb.lookup_type("unsigned long")
        # The frame's own place is below the goroutine's: gdb wants callers
        # to be above.
        info = pending.create_unwind_info(
            FrameId(gdb.Value(self.sp).cast(word),
                    pending.read_register(pc_name)))
        for name, offset in saved.items():
            pointer = gdb.Value(self.sp + offset).cast(word.pointer())
            info.add_saved_register(name, pointer.dereference())
        info.add_saved_register(sp_name, gdb.Value(self.sp + size).cast(word))
        return info


class ParkedFilter:
    """Hides the frames that are not the goroutine's."""

    def __init__(self):
        self.name = "libgo-goroutine"
        self.priority = 100
        self.enabled = True
        gdb.frame_filters[self.name] = self

    def filter(self, frames):
        return frames if unwinder.sp is None else \
            itertools.islice(frames, unwinder.level + 1, None)


unwinder = ParkedUnwinder()
ParkedFilter()
gdb.unwinder.register_unwinder(None, unwinder, replace=True)


def first_real_level():
    """The selected thread's newest frame that is not of an inlined function."""
    frame = gdb.newest_frame()
    while frame.type() == gdb.INLINE_FRAME:
        frame = frame.older()
    return frame.level()


def run_in(goroutine, command):
    """Run a command as if the goroutine were the selected thread."""
    runs = goroutine.m is not None or goroutine.status == "G_RUNNING"
    if not runs and not field(goroutine.g, "sp"):
        print("it has not stopped yet" if field(goroutine.g, "stack")
              else "it has not run yet")
        return
    thread = gdb.selected_thread()
    frame = gdb.selected_frame()
    try:
        if runs:
            its = goroutine.thread()
            if its is None:
                raise gdb.GdbError(
                    f"goroutine {goroutine.id} is between two threads")
            its.switch()
        else:
            unwinder.level = first_real_level()
            unwinder.sp = field(goroutine.g, "sp")
            gdb.invalidate_cached_frames()
            first = gdb.newest_frame()
            while first.level() <= unwinder.level:
                first = first.older()
            first.select()
        gdb.execute(command)
    finally:
        unwinder.sp = None
        gdb.invalidate_cached_frames()
        thread.switch()
        if frame.is_valid():
            frame.select()


class InfoGoroutines(gdb.Command):
    """List all goroutines."""

    def __init__(self):
        super().__init__("info goroutines", gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        for goroutine in goroutines():
            name = goroutine.name()
            print(f"{goroutine.id:6} [{goroutine.state()}] "
                  f"{goroutine.function()}{name and f' ({name})'}")


class GoroutineCommand(gdb.Command):
    """Run a command in a goroutine: goroutine N COMMAND, goroutine all COMMAND."""

    def __init__(self):
        super().__init__("goroutine", gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        which, _, command = argument.strip().partition(" ")
        if not command or not (which == "all" or which.isdecimal()):
            raise gdb.GdbError(self.__doc__)
        found = [goroutine for goroutine in goroutines()
                 if which == "all" or goroutine.id == int(which)]
        if not found:
            raise gdb.GdbError(f"no goroutine {which}")
        for goroutine in found:
            if which == "all":
                print(f"\ngoroutine {goroutine.id}"
                      f" [{goroutine.state()}]:")
            run_in(goroutine, command)


InfoGoroutines()
GoroutineCommand()
