# SPDX-License-Identifier: MIT
"""The test machine's initramfs: busybox, kernel modules, the files of a run."""

import hashlib
import lzma
import os
import re
import stat
import struct
import subprocess
import tempfile

# What every run needs to be driven and heard: drivers of the virtual PCI
# devices, where the kernel has them as modules.
BASE_MODULES = ("virtio_pci", "virtio_console", "virtio_blk", "ext4")

BASE_FOLDERS = (
    "bin", "sbin", "lib", "lib64", "usr", "usr/bin", "usr/sbin", "usr/lib",
    "etc", "etc/vm", "dev", "proc", "sys", "run", "tmp", "root", "out", "disk",
    "work", "mod", "var", "var/tmp")

BASE_FILES = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\n"
                  "nobody:x:65534:65534:nobody:/:/bin/false\n",
    "etc/group": "root:x:0:\nnogroup:x:65534:\n",
    "etc/hosts": "127.0.0.1 localhost vm\n::1 localhost\n",
    "etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
    "etc/hostname": "vm\n",
    "etc/profile": "PS1='vm:\\w\\$ '\n",
}


class Missing(Exception):
    """Something that should go into the machine is not there."""


class Cpio:
    """Writer of the "newc" archives that the kernel unpacks."""

    def __init__(self, stream):
        self.stream = stream
        self.inode = 0
        self.names = set()

    def _entry(self, name, mode, data):
        self.inode += 1
        path = name.encode() + b"\0"
        header = "070701" + "".join("%08X" % n for n in (
            self.inode, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(path), 0))
        for part in (header.encode() + path, data):
            self.stream.write(part)
            self.stream.write(b"\0" * (-len(part) % 4))

    def folder(self, name, mode=0o755):
        name = name.strip("/")
        if name and name not in self.names:
            self.folder(os.path.dirname(name))
            self.names.add(name)
            self._entry(name, stat.S_IFDIR | mode, b"")

    def file(self, name, data, mode=0o644):
        name = name.strip("/")
        self.folder(os.path.dirname(name))
        self.names.add(name)
        self._entry(name, stat.S_IFREG | mode, data)

    def link(self, name, target):
        name = name.strip("/")
        self.folder(os.path.dirname(name))
        self.names.add(name)
        self._entry(name, stat.S_IFLNK | 0o777, target.encode())

    def copy(self, source, name):
        """Copy a file or a whole folder; returns the regular files in it."""
        info = os.lstat(source)
        if stat.S_ISLNK(info.st_mode):
            self.link(name, os.readlink(source))
            return []
        if stat.S_ISDIR(info.st_mode):
            self.folder(name, stat.S_IMODE(info.st_mode))
            files = []
            for entry in sorted(os.listdir(source)):
                files += self.copy(os.path.join(source, entry),
                                   os.path.join(name, entry))
            return files
        if not stat.S_ISREG(info.st_mode):
            return []
        with open(source, "rb") as f:
            self.file(name, f.read(), stat.S_IMODE(info.st_mode))
        return [source]

    def close(self):
        self._entry("TRAILER!!!", 0, b"")
        self.stream.write(b"\0" * (-self.stream.tell() % 512))


class Modules:
    """The kernel's own modules, by name, with what they depend on."""

    def __init__(self, folder):
        self.folder = folder
        self.needs = {}
        self.builtin = set()
        with open(os.path.join(folder, "modules.dep"), encoding="utf-8") as f:
            for line in f:
                path, _, needs = line.partition(":")
                self.needs[self.name(path)] = (path, needs.split())
        with open(os.path.join(folder, "modules.builtin"),
                  encoding="utf-8") as f:
            self.builtin = {self.name(line.strip()) for line in f}

    @staticmethod
    def name(path):
        return os.path.basename(path).split(".ko")[0].replace("-", "_")

    def ordered(self, names):
        """Paths to load for these modules, each after what it needs."""
        paths = []
        for name in names:
            name = name.replace("-", "_")
            if name in self.builtin:
                continue
            if name not in self.needs:
                raise Missing(f"the kernel has no module '{name}'")
            path, needs = self.needs[name]
            # modules.dep lists the nearest need first
            for p in needs[::-1] + [path]:
                if p not in paths:
                    paths.append(p)
        return paths

    def read(self, path):
        with open(os.path.join(self.folder, path), "rb") as f:
            data = f.read()
        if path.endswith(".xz"):
            return lzma.decompress(data)
        if path.endswith(".zst"):
            return subprocess.run(["zstd", "-dc"], input=data, check=True,
                                  stdout=subprocess.PIPE).stdout
        return data


def is_dynamic(path):
    """Whether a file is an x86-64 program or library that loads others."""
    with open(path, "rb") as f:
        header = f.read(64)
        if len(header) < 64 or header[:5] != b"\x7fELF\x02":
            return False
        kind, machine = struct.unpack_from("<HH", header, 16)
        if machine != 62 or kind not in (2, 3):
            return False
        start, = struct.unpack_from("<Q", header, 32)
        size, count = struct.unpack_from("<HH", header, 54)
        f.seek(start)
        table = f.read(size * count)
    return any(struct.unpack_from("<I", table, i * size)[0] == 2
               for i in range(count))        # 2: PT_DYNAMIC


def libraries(programs):
    """Shared libraries (name -> file) that these programs load."""
    found = {}
    if not programs:
        return found
    # more than one, even if it has to be the same twice, so that ldd always
    # says which is which
    listing = subprocess.run(["ldd"] + (programs * 2 if len(programs) == 1
                                        else programs),
                             stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                             text=True, check=False).stdout
    given = {os.path.basename(p) for p in programs}
    program = "?"
    for line in listing.splitlines():
        if line and not line[0].isspace():
            program = line.rstrip(":")
        elif match := re.match(r"\s+(\S+) => not found", line):
            if match[1] not in given:
                raise Missing(f"{program} needs {match[1]}, which is not found;"
                              f" --add it, or set LD_LIBRARY_PATH")
        elif match := re.match(r"\s+(\S+) => (/\S+) \(", line):
            found.setdefault(match[1], match[2])
        elif match := re.match(r"\s+(/\S+) \(", line):
            found.setdefault(match[1], match[1])
    return found


def busybox_path():
    for path in ("/bin/busybox", "/usr/bin/busybox"):
        if os.path.exists(path) and not is_dynamic(path):
            return path
    raise Missing("busybox-static is not installed; run tools/setup vm")


def base(kernel, init, cache):
    """Path of the part that all runs on a kernel share, made if need be."""
    busybox = busybox_path()
    with open(init, "rb") as f:
        init_script = f.read()
    info = os.stat(busybox)
    with open(__file__, "rb") as f:
        recipe = f.read()
    key = hashlib.sha256(repr((
        recipe, init_script, kernel["release"], kernel["version"],
        info.st_size, info.st_mtime_ns)).encode()).hexdigest()[:16]
    path = os.path.join(cache, f"base-{kernel['release']}-{key}.cpio")
    if os.path.exists(path):
        return path

    os.makedirs(cache, exist_ok=True)
    modules = Modules(kernel["modules"])
    applets = subprocess.run([busybox, "--list"], check=True, text=True,
                             stdout=subprocess.PIPE).stdout.split()
    with tempfile.NamedTemporaryFile(dir=cache, delete=False) as f:
        out = Cpio(f)
        for folder in BASE_FOLDERS:
            out.folder(folder)
        for name, text in BASE_FILES.items():
            out.file(name, text.encode())
        with open(busybox, "rb") as program:
            out.file("bin/busybox", program.read(), 0o755)
        for applet in applets:
            if applet not in ("busybox", "init", "linuxrc"):
                out.link("bin/" + applet, "busybox")
        out.file("init", init_script, 0o755)
        order = modules.ordered(BASE_MODULES)
        for module in order:
            out.file("mod/" + modules.name(module), modules.read(module))
        out.file("mod/base.list",
                 "".join(modules.name(m) + "\n" for m in order).encode())
        out.close()
    os.chmod(f.name, 0o644)
    os.rename(f.name, path)
    return path


def run_part(path, kernel, modules, adds, texts):
    """Write the part of one run.

    modules: more of the kernel's modules to load; adds: (source, destination);
    texts: (name, content, mode).
    """
    kept = Modules(kernel["modules"])
    already = kept.ordered(BASE_MODULES)
    order = [m for m in kept.ordered(modules) if m not in already]
    with open(path, "wb") as f:
        out = Cpio(f)
        files = []
        for source, destination in adds:
            if not os.path.exists(source):
                raise Missing(f"there is no {source} to add")
            files += out.copy(os.path.realpath(source), destination)
        for name, library in libraries(
                [p for p in dict.fromkeys(files) if is_dynamic(p)]).items():
            place = name if name.startswith("/") else "usr/lib/" + name
            if place.strip("/") not in out.names:
                out.copy(os.path.realpath(library), place)
        # the C library opens this one by name when a thread is cancelled
        if any(name.startswith("usr/lib/libc.so.") for name in out.names):
            for folder in ("/lib/x86_64-linux-gnu", "/lib64", "/usr/lib"):
                name = folder + "/libgcc_s.so.1"
                if (os.path.exists(name)
                        and "usr/lib/libgcc_s.so.1" not in out.names):
                    out.copy(os.path.realpath(name), "usr/lib/libgcc_s.so.1")
                    break
        for module in order:
            out.file("mod/" + kept.name(module), kept.read(module))
        out.file("mod/run.list",
                 "".join(kept.name(m) + "\n" for m in order).encode())
        for name, text, mode in texts:
            out.file(name, text.encode(), mode)
        out.close()
