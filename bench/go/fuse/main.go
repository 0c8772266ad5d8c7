// SPDX-License-Identifier: MIT

// The FUSE server of bench/fuse/libgo.c in Go. It speaks the kernel's protocol itself
// (include/uapi/linux/fuse.h): a goroutine reads the requests by a plain read(2) that
// blocks, as bazil.org/fuse does, and each is handled by a goroutine of its own.
// With yield=1 the reader yields to it first.
package main

import (
	"encoding/binary"
	"fmt"
	"log"
	"os"
	"runtime"
	"slices"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	opForget      = 2
	opGetattr     = 3
	opInit        = 26
	opBatchForget = 42

	inHeader   = 40
	outHeader  = 16
	bufferSize = 1<<20 + 4096

	latenciesMax = 1000000
)

type latencies struct {
	nr atomic.Uint32
	ns [latenciesMax]uint32
}

var native = binary.NativeEndian

func reply(fd int, unique uint64, errno int32, body []byte) {
	out := make([]byte, outHeader, outHeader+len(body))
	native.PutUint32(out[0:], uint32(outHeader+len(body)))
	native.PutUint32(out[4:], uint32(-errno))
	native.PutUint64(out[8:], unique)
	if _, err := syscall.Write(fd, append(out, body...)); err != nil && err != syscall.ENOENT {
		log.Fatal("write: ", err)
	}
}

// struct fuse_init_out
func initOut() []byte {
	out := make([]byte, 64)
	native.PutUint32(out[0:], 7)
	native.PutUint32(out[4:], 31)
	native.PutUint32(out[8:], 1<<17)  // max_readahead
	native.PutUint16(out[16:], 12)    // max_background
	native.PutUint16(out[18:], 9)     // congestion_threshold
	native.PutUint32(out[20:], 1<<17) // max_write
	native.PutUint32(out[24:], 1)     // time_gran
	return out
}

// struct fuse_attr_out of a folder, valid for no time
func attrOut(ino uint64) []byte {
	out := make([]byte, 104)
	native.PutUint64(out[16:], ino)
	native.PutUint32(out[16+60:], syscall.S_IFDIR|0755)
	native.PutUint32(out[16+64:], 2)
	return out
}

func handle(fd int, request []byte, readAt time.Time, l *latencies) {
	since := time.Since(readAt)
	if i := l.nr.Add(1) - 1; i < latenciesMax {
		l.ns[i] = uint32(min(since.Nanoseconds(), 1<<32-1))
	}
	unique := native.Uint64(request[8:])
	switch native.Uint32(request[4:]) {
	case opInit:
		reply(fd, unique, 0, initOut())
	case opGetattr:
		reply(fd, unique, 0, attrOut(native.Uint64(request[16:])))
	case opForget, opBatchForget:
	default:
		reply(fd, unique, int32(syscall.ENOSYS), nil)
	}
}

func serve(fd int, yield bool, l *latencies) {
	buffer := make([]byte, bufferSize)
	for {
		n, err := syscall.Read(fd, buffer)
		readAt := time.Now()
		switch {
		case err == syscall.EINTR || err == syscall.ENOENT:
			continue
		case err == syscall.ENODEV: // unmounted
			return
		case err != nil:
			log.Fatal("read: ", err)
		case n < inHeader:
			log.Fatalf("a request of %d bytes", n)
		}
		go handle(fd, append([]byte(nil), buffer[:n]...), readAt, l)
		if yield {
			runtime.Gosched()
		}
	}
}

func main() {
	var procs, yield int
	if len(os.Args) != 4 {
		log.Fatal("usage: fuse MOUNTPOINT procs=N yield=0|1")
	}
	if _, err := fmt.Sscanf(os.Args[2]+" "+os.Args[3], "procs=%d yield=%d",
		&procs, &yield); err != nil {
		log.Fatal(err)
	}
	runtime.GOMAXPROCS(procs)
	fd, err := syscall.Open("/dev/fuse", syscall.O_RDWR|syscall.O_CLOEXEC, 0)
	if err == nil {
		err = syscall.Mount("fuse", os.Args[1], "fuse", syscall.MS_NOSUID|syscall.MS_NODEV,
			fmt.Sprintf("fd=%d,rootmode=40000,user_id=0,group_id=0", fd))
	}
	if err != nil {
		log.Fatal("mount: ", err)
	}
	l := new(latencies)
	serve(fd, yield != 0, l)

	nr := int(min(l.nr.Load(), latenciesMax))
	ns := l.ns[:nr]
	slices.Sort(ns)
	at := func(percent int) (ns uint32) {
		if nr > 0 {
			ns = l.ns[nr*percent/100]
		}
		return
	}
	fmt.Printf(`{"runtime": "go", "procs": %d, "yield": %d, "nr": %d, "p50_ns": %d, `+
		`"p90_ns": %d, "p99_ns": %d}`+"\n", procs, yield, nr, at(50), at(90), at(99))
}
