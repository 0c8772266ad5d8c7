// SPDX-License-Identifier: MIT

// From block to handoff, in Go: bench/cell.h says what is measured, and this
// does it as bench/handoff.c does.
//
// The calls that block go through package syscall, which tells the scheduler
// before and after each: that is what Go can see. A pipe is read with the plain
// system call, as a file would be, not through Go's poller. A page fault is
// nothing that Go can see.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

// As in bench/foreign.h.
const (
	wayNanosleep = iota
	wayPipe
	wayFutex
	wayUserfault
	wayDisk
	wayFlock
)

var wayNames = []string{"nanosleep", "pipe", "futex", "userfault", "disk", "flock"}

type foreignCommand struct {
	way     uint32
	seq     uint32
	start   int64
	delay   int64
	address uint64
}

type foreignPage struct {
	futex uint32
	armed uint32
}

const (
	pageSize = 4096
	warmUp   = 3

	memfdCreate    = 319
	memfdCloexec   = 1
	userfaultfd    = 323
	uffdUserMode   = 1
	uffdioAPI      = 0xc018aa3f
	uffdioRegister = 0xc020aa00
	uffdAPI        = 0xaa
	registerMode   = 1 // missing pages
	fadviseRandom  = 1
	fadviseDone    = 4 // POSIX_FADV_DONTNEED
	madvDontneed   = 4
)

var settings = map[string]struct {
	procs        int
	pause, block time.Duration
}{
	"hot":   {1, 0, 5 * time.Millisecond},
	"idle":  {1, 100 * time.Millisecond, 5 * time.Millisecond},
	"busy":  {1, 100 * time.Millisecond, 50 * time.Millisecond},
	"other": {2, 100 * time.Millisecond, 50 * time.Millisecond},
}

func die(what string, err error) {
	fmt.Fprintf(os.Stderr, "handoff: %s: %v\n", what, err)
	os.Exit(1)
}

// The clock: time.Since reads the monotonic clock alone. Points in time are
// relative to base; monoBase is base on CLOCK_MONOTONIC, for the foreign process.
var (
	base     = time.Now()
	monoBase int64
)

func now() int64 { return int64(time.Since(base)) }

func readMonoBase() {
	var ts syscall.Timespec
	before := now()
	syscall.Syscall(syscall.SYS_CLOCK_GETTIME, 1, uintptr(unsafe.Pointer(&ts)), 0)
	monoBase = ts.Nano() - (before+now())/2
}

// A way that has been opened.
type blockingWay struct {
	way     int
	foreign *exec.Cmd
	command *os.File
	page    *foreignPage
	fd      int
	fault   *byte
	offset  int64
	size    int64
	seq     uint32
	delay   int64
}

func mmap(fd, length, flags int) unsafe.Pointer {
	address, _, errno := syscall.Syscall6(syscall.SYS_MMAP, 0, uintptr(length),
		syscall.PROT_READ|syscall.PROT_WRITE, uintptr(flags), uintptr(fd), 0)
	if errno != 0 {
		die("mmap", errno)
	}
	return *(*unsafe.Pointer)(unsafe.Pointer(&address))
}

func (w *blockingWay) openUserfault() *os.File {
	fd, _, errno := syscall.Syscall(userfaultfd, syscall.O_CLOEXEC|uffdUserMode, 0, 0)
	if errno != 0 {
		die("userfaultfd", errno)
	}
	api := [3]uint64{uffdAPI}
	if _, _, errno = syscall.Syscall(syscall.SYS_IOCTL, fd, uffdioAPI, uintptr(unsafe.Pointer(&api))); errno != 0 {
		die("UFFDIO_API", errno)
	}
	w.fault = (*byte)(mmap(-1, pageSize, syscall.MAP_PRIVATE|syscall.MAP_ANON))
	register := [4]uint64{uint64(uintptr(unsafe.Pointer(w.fault))), pageSize, registerMode}
	if _, _, errno = syscall.Syscall(syscall.SYS_IOCTL, fd, uffdioRegister, uintptr(unsafe.Pointer(&register))); errno != 0 {
		die("UFFDIO_REGISTER", errno)
	}
	return os.NewFile(fd, "userfaultfd")
}

func (w *blockingWay) openDisk(path string) *os.File {
	var stat syscall.Stat_t
	fd, err := syscall.Open(path, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err == nil {
		err = syscall.Fstat(fd, &stat)
	}
	if err != nil {
		die(path, err)
	}
	w.fd, w.size = fd, stat.Size
	syscall.Syscall6(syscall.SYS_FADVISE64, uintptr(fd), 0, 0, fadviseRandom, 0, 0)
	syscall.Syscall6(syscall.SYS_FADVISE64, uintptr(fd), 0, 0, fadviseDone, 0, 0)
	direct, err := syscall.Open(path, syscall.O_RDONLY|syscall.O_DIRECT|syscall.O_CLOEXEC, 0)
	if err != nil {
		die(path, err)
	}
	return os.NewFile(uintptr(direct), path)
}

func (w *blockingWay) openFlock() *os.File {
	f, err := os.CreateTemp("", "handoff.")
	if err != nil {
		die("flock", err)
	}
	if w.fd, err = syscall.Open(f.Name(), syscall.O_RDONLY|syscall.O_CLOEXEC, 0); err != nil {
		die(f.Name(), err)
	}
	os.Remove(f.Name())
	return f
}

func (w *blockingWay) startForeign(program, rate string, pipe, uffd, file *os.File) {
	memfd, _, errno := syscall.Syscall(memfdCreate, uintptr(unsafe.Pointer(&[]byte("foreign\x00")[0])), memfdCloexec, 0)
	if errno != 0 {
		die("memfd", errno)
	}
	if err := syscall.Ftruncate(int(memfd), pageSize); err != nil {
		die("memfd", err)
	}
	w.page = (*foreignPage)(mmap(int(memfd), pageSize, syscall.MAP_SHARED))
	read, write, err := os.Pipe()
	if err != nil {
		die("pipe", err)
	}
	w.command = write
	w.foreign = exec.Command(program, rate)
	w.foreign.Stderr = os.Stderr
	w.foreign.ExtraFiles = []*os.File{read, os.NewFile(memfd, "page"), pipe, uffd, file}
	if err := w.foreign.Start(); err != nil {
		die(program, err)
	}
	for _, f := range w.foreign.ExtraFiles {
		if f != nil {
			f.Close()
		}
	}
}

func openWay(way int, program, disk, rate string, delay time.Duration) *blockingWay {
	var pipe, uffd, file *os.File
	w := &blockingWay{way: way, delay: int64(delay)}
	switch way {
	case wayNanosleep:
		return w
	case wayPipe:
		var fds [2]int
		if err := syscall.Pipe2(fds[:], syscall.O_CLOEXEC); err != nil {
			die("pipe", err)
		}
		w.fd = fds[0]
		pipe = os.NewFile(uintptr(fds[1]), "pipe")
	case wayUserfault:
		uffd = w.openUserfault()
	case wayDisk:
		file = w.openDisk(disk)
	case wayFlock:
		file = w.openFlock()
	}
	w.startForeign(program, rate, pipe, uffd, file)
	return w
}

func (w *blockingWay) arm(start int64) {
	if w.foreign == nil {
		return
	}
	w.seq++
	command := foreignCommand{way: uint32(w.way), seq: w.seq, delay: w.delay}
	if start != 0 {
		command.start = start + monoBase
	}
	if w.way == wayUserfault {
		command.address = uint64(uintptr(unsafe.Pointer(w.fault)))
	}
	bytes := (*[unsafe.Sizeof(command)]byte)(unsafe.Pointer(&command))[:]
	if _, err := syscall.Write(int(w.command.Fd()), bytes); err != nil {
		die("the foreign process is gone", err)
	}
}

func (w *blockingWay) waitArmed() {
	if w.foreign == nil {
		return
	}
	for atomic.LoadUint32(&w.page.armed) != w.seq {
	}
}

var sink byte

func (w *blockingWay) block() {
	var buffer [1]byte
	switch w.way {
	case wayNanosleep:
		ts := syscall.NsecToTimespec(w.delay)
		syscall.Syscall(syscall.SYS_NANOSLEEP, uintptr(unsafe.Pointer(&ts)), 0, 0)
	case wayPipe:
		if _, err := syscall.Read(w.fd, buffer[:]); err != nil {
			die("reading the pipe", err)
		}
	case wayFutex:
		for atomic.LoadUint32(&w.page.futex) == 0 {
			syscall.Syscall6(syscall.SYS_FUTEX, uintptr(unsafe.Pointer(&w.page.futex)), 0, 0, 0, 0, 0)
		}
	case wayUserfault:
		sink = *w.fault
	case wayDisk:
		if _, err := syscall.Pread(w.fd, buffer[:], w.offset); err != nil {
			die("reading the disk", err)
		}
	case wayFlock:
		if err := syscall.Flock(w.fd, syscall.LOCK_EX); err != nil {
			die("flock", err)
		}
	}
}

func (w *blockingWay) after() {
	switch w.way {
	case wayUserfault:
		syscall.Syscall(syscall.SYS_MADVISE, uintptr(unsafe.Pointer(w.fault)), pageSize, madvDontneed)
	case wayDisk:
		w.offset = (w.offset + pageSize) % w.size
	case wayFlock:
		syscall.Flock(w.fd, syscall.LOCK_UN)
	}
}

func (w *blockingWay) close() {
	if w.foreign != nil {
		w.command.Close()
		w.foreign.Wait()
	}
}

func work(x uint64) uint64 {
	for i := 0; i < 4096; i++ {
		x = x*6364136223846793005 + 1442695040888963407
	}
	return x
}

var computed uint64

func compute(until int64) {
	x := uint64(until)
	for now() < until {
		x = work(x)
	}
	computed = x
}

func computeUntilSet(stop *atomic.Bool) {
	x := uint64(1)
	for !stop.Load() {
		x = work(x)
	}
	computed = x
}

type result struct {
	Way      string  `json:"way"`
	Setting  string  `json:"setting"`
	Runtime  string  `json:"runtime"`
	Rounds   int     `json:"rounds"`
	Repeated int     `json:"repeated"`
	Latency  []int64 `json:"latency_ns"`
	Block    []int64 `json:"block_ns"`
}

func main() {
	wayName := flag.String("way", "", "nanosleep, pipe, futex, userfault, disk, flock")
	setting := flag.String("setting", "", "hot, idle, busy, other")
	rounds := flag.Int("rounds", 40, "rounds that count")
	program := flag.String("foreign", "./foreign", "the foreign process's program")
	disk := flag.String("disk", "", "a file of 4 MiB or more on the throttled disk")
	rate := flag.String("rate", "0", "what that disk reads per second")
	flag.Parse()
	way := -1
	for i, name := range wayNames {
		if name == *wayName {
			way = i
		}
	}
	s, ok := settings[*setting]
	if way < 0 || !ok || flag.NArg() > 0 || *rounds < 1 {
		flag.Usage()
		os.Exit(2)
	}
	runtime.GOMAXPROCS(s.procs)
	readMonoBase()
	w := openWay(way, *program, *disk, *rate, s.block)

	r := result{Way: *wayName, Setting: *setting, Runtime: "go", Rounds: *rounds}
	done := make(chan struct{}, 1)
	var bRan int64
	var otherRuns, otherStop atomic.Bool
	if *setting == "other" {
		go func() {
			otherRuns.Store(true)
			computeUntilSet(&otherStop)
			done <- struct{}{}
		}()
		for !otherRuns.Load() {
			time.Sleep(time.Millisecond)
		}
	}

	for warm := warmUp; len(r.Latency) < *rounds; {
		start := int64(0)
		if s.pause > 0 {
			start = now() + int64(s.pause)
		}
		w.arm(start)
		switch *setting {
		case "idle", "other":
			time.Sleep(time.Duration(start - now()))
		case "busy":
			compute(start)
		}
		w.waitArmed()

		go func() {
			bRan = now()
			done <- struct{}{}
		}()
		t0 := now()
		w.block()
		end := now()

		<-done
		w.after()
		if end-t0 < w.delay/2 || bRan < t0 {
			if r.Repeated++; r.Repeated > 3*(*rounds+warmUp) {
				die(*wayName+", "+*setting, fmt.Errorf("%d rounds came to nothing;"+
					" the last block took %d ns, B ran after %d ns", r.Repeated, end-t0, bRan-t0))
			}
			continue
		}
		if warm > 0 {
			warm--
			continue
		}
		r.Latency = append(r.Latency, bRan-t0)
		r.Block = append(r.Block, end-t0)
	}
	otherStop.Store(true)
	if *setting == "other" {
		<-done
	}
	w.close()
	if err := json.NewEncoder(os.Stdout).Encode(r); err != nil {
		die("output", err)
	}
}
