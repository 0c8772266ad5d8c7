// SPDX-License-Identifier: MIT

// Random reads of a mapped file in Go: bench/faults/libgo.c.
package main

import (
	"fmt"
	"log"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

const pageWords = 4096 / 8

func open(path string) []uint64 {
	f, err := os.Open(path)
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		log.Fatal(err)
	}
	size := int(info.Size()) &^ 4095
	data, err := syscall.Mmap(int(f.Fd()), 0, size, syscall.PROT_READ, syscall.MAP_SHARED)
	if err == nil {
		err = syscall.Madvise(data, syscall.MADV_RANDOM)
	}
	if err != nil {
		log.Fatal(err)
	}
	return unsafe.Slice((*uint64)(unsafe.Pointer(&data[0])), size/8)
}

type reader struct {
	random uint64
	count  uint64
	_      [6]uint64 // a cache line for each
}

func (r *reader) next() uint64 {
	r.random ^= r.random << 13
	r.random ^= r.random >> 7
	r.random ^= r.random << 17
	return r.random
}

func (r *reader) read(words []uint64, stop *atomic.Bool) {
	nr := uint64(len(words) / pageWords)
	for !stop.Load() {
		first := r.next() % nr * pageWords
		for i, word := range words[first : first+pageWords] {
			if word != first+uint64(i) {
				log.Fatalf("word %d is wrong", first+uint64(i))
			}
		}
		r.count++
	}
}

func main() {
	var nr, ms, procs int
	if len(os.Args) != 5 {
		log.Fatal("usage: faults FILE readers=N ms=N procs=N")
	}
	if _, err := fmt.Sscanf(os.Args[2]+" "+os.Args[3]+" "+os.Args[4],
		"readers=%d ms=%d procs=%d", &nr, &ms, &procs); err != nil {
		log.Fatal(err)
	}
	words := open(os.Args[1])
	runtime.GOMAXPROCS(procs)

	var stop atomic.Bool
	var ended sync.WaitGroup
	readers := make([]reader, nr)
	begun := time.Now()
	for i := range readers {
		readers[i].random = uint64(i+1) * 0x9e3779b97f4a7c15
		ended.Add(1)
		go func(r *reader) {
			defer ended.Done()
			r.read(words, &stop)
		}(&readers[i])
	}
	time.Sleep(time.Duration(ms) * time.Millisecond)
	stop.Store(true)
	ended.Wait()
	ns := time.Since(begun).Nanoseconds()

	var count uint64
	for i := range readers {
		count += readers[i].count
	}
	var usage syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	fmt.Printf(`{"runtime": "go", "procs": %d, "readers": %d, "reads": %d, "faults": %d, `+
		`"ns": %d, "cpu_ns": %d}`+"\n", procs, nr, count, usage.Majflt, ns,
		usage.Utime.Nano()+usage.Stime.Nano())
}
