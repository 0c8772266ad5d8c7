// SPDX-License-Identifier: MIT

// What a block costs with no other work: bench/block.c in Go.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"
)

func numberAfter(text, name string) int64 {
	_, rest, found := strings.Cut(text, name)
	fields := strings.Fields(rest)
	if !found || len(fields) == 0 {
		return 0
	}
	n, _ := strconv.ParseInt(fields[0], 10, 64)
	return n
}

func switchesOfMachine() int64 {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		fmt.Fprintln(os.Stderr, "block:", err)
		os.Exit(1)
	}
	return numberAfter(string(text), "\nctxt ")
}

func switchesOfProcess() (sum int64) {
	paths, _ := filepath.Glob("/proc/self/task/*/status")
	for _, path := range paths {
		text, _ := os.ReadFile(path)
		sum += numberAfter(string(text), "\nvoluntary_ctxt_switches:")
		sum += numberAfter(string(text), "\nnonvoluntary_ctxt_switches:")
	}
	return sum
}

func main() {
	blocks := flag.Int("blocks", 10000, "how many")
	length := flag.Int64("length", 200, "of a block, microseconds")
	idleRate := flag.Float64("idle-rate", 0, "switches per second of an idle machine")
	flag.Parse()

	ts := syscall.NsecToTimespec(*length * 1000)
	process := switchesOfProcess()
	machine := switchesOfMachine()
	start := time.Now()
	for i := 0; i < *blocks; i++ {
		syscall.Syscall(syscall.SYS_NANOSLEEP, uintptr(unsafe.Pointer(&ts)), 0, 0)
	}
	seconds := time.Since(start).Seconds()
	machine = switchesOfMachine() - machine
	process = switchesOfProcess() - process

	n := float64(*blocks)
	fmt.Printf(`{"runtime": "go", "procs": %d, "blocks": %d, "seconds": %.3f,`+
		` "switches_per_block": %.4f, "of_process": %.4f, "idle_per_second": %.1f}`+"\n",
		runtime.GOMAXPROCS(0), *blocks, seconds,
		(float64(machine)-*idleRate*seconds)/n, float64(process)/n, *idleRate)
}
