// SPDX-License-Identifier: MIT

// The micro-benchmarks for Go: what bench/micro/libgo.c does, in Go.
// bench/rows.py says what each kind is.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const maxGrowth = 100 // of the number of operations, from one try to the next

type kind struct {
	name string
	run  func(ops int) int
	once bool // the amount of work is fixed, do it one time
}

var kinds = []kind{
	{"spawn", runSpawn, false},
	{"yield", runYield, false},
	{"pingpong", runPingpong, false},
	{"chan", runChan, false},
	{"select", runSelect, false},
	{"selectready", runSelectready, false},
	{"mutex", runMutex, false},
	{"skynet", runSkynet, true},
	{"timers", runTimers, true},
	{"sleep", runSleep, true},
	{"mem", runMem, true},
}

// figures of a kind of its own
var notes map[string]float64

func fail(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "go: "+format+"\n", args...)
	os.Exit(1)
}

func param(name string) int {
	for _, arg := range os.Args[2:] {
		if value, found := strings.CutPrefix(arg, name+"="); found {
			n, err := strconv.Atoi(value)
			if err != nil || n < 0 {
				fail("%s: not a number", arg)
			}
			return n
		}
	}
	fail("no %s=NUMBER is given", name)
	return 0
}

func startAndWait(wg *sync.WaitGroup, n int, fn func()) {
	wg.Add(n)
	for i := 0; i < n; i++ {
		go fn()
	}
	wg.Wait()
}

// ---- spawn

func spawner(batches, tasks, yields int) {
	var wg sync.WaitGroup
	spawned := func() {
		for i := 0; i < yields; i++ {
			runtime.Gosched()
		}
		wg.Done()
	}
	for i := 0; i < batches; i++ {
		startAndWait(&wg, tasks, spawned)
	}
}

func runSpawn(ops int) int {
	spawners, tasks, yields := param("spawners"), param("tasks"), param("yields")
	batches := ops/(tasks*spawners) + 1
	var wg sync.WaitGroup
	startAndWait(&wg, spawners, func() {
		spawner(batches, tasks, yields)
		wg.Done()
	})
	return batches * tasks * spawners
}

// ---- yield

func runYield(ops int) int {
	tasks := param("tasks")
	yields := ops/tasks + 1
	var wg sync.WaitGroup
	startAndWait(&wg, tasks, func() {
		for i := 0; i < yields; i++ {
			runtime.Gosched()
		}
		wg.Done()
	})
	return yields * tasks
}

// ---- pingpong

func pinger(ping, pong chan uint64, rounds uint64) {
	for i := uint64(0); i < rounds; i++ {
		ping <- i
		if n := <-pong; n != i {
			fail("sent %d, got %d back", i, n)
		}
	}
}

func ponger(ping, pong chan uint64, rounds uint64) {
	for i := uint64(0); i < rounds; i++ {
		pong <- <-ping
	}
}

func runPingpong(ops int) int {
	pairs := param("pairs")
	rounds := ops/pairs + 1
	var wg sync.WaitGroup
	wg.Add(2 * pairs)
	for i := 0; i < pairs; i++ {
		ping, pong := make(chan uint64), make(chan uint64)
		go func() {
			pinger(ping, pong, uint64(rounds))
			wg.Done()
		}()
		go func() {
			ponger(ping, pong, uint64(rounds))
			wg.Done()
		}()
	}
	wg.Wait()
	return rounds * pairs
}

// ---- chan

func runChan(ops int) int {
	producers, consumers := param("producers"), param("consumers")
	share := ops/(producers*consumers) + 1
	perProducer, perConsumer := uint64(share*consumers), uint64(share*producers)
	ch := make(chan uint64, param("capacity"))
	var sum atomic.Uint64
	var wg sync.WaitGroup
	producer := func() {
		for i := uint64(0); i < perProducer; i++ {
			ch <- i
		}
		wg.Done()
	}
	consumer := func() {
		part := uint64(0)
		for i := uint64(0); i < perConsumer; i++ {
			part += <-ch
		}
		sum.Add(part)
		wg.Done()
	}
	wg.Add(producers)
	for i := 0; i < producers; i++ {
		go producer()
	}
	startAndWait(&wg, consumers, consumer)
	if sum.Load() != perProducer*(perProducer-1)/2*uint64(producers) {
		fail("elements were lost or changed")
	}
	return share * producers * consumers
}

// ---- select

// The statement's cases are a matter of its source.
func fourChannels(capacity int) [4]chan uint64 {
	if n := param("channels"); n != 4 {
		fail("channels: 4 only")
	}
	var ch [4]chan uint64
	for i := range ch {
		ch[i] = make(chan uint64, capacity)
	}
	return ch
}

func selectOne(ch *[4]chan uint64) (n uint64) {
	select {
	case n = <-ch[0]:
	case n = <-ch[1]:
	case n = <-ch[2]:
	case n = <-ch[3]:
	}
	return
}

func runSelect(ops int) int {
	ch := fourChannels(0)
	var wg sync.WaitGroup
	wg.Add(2)
	go func() {
		for i := uint64(0); i < uint64(ops); i++ {
			if n := selectOne(&ch); n != i {
				fail("selected %d instead of %d", n, i)
			}
		}
		wg.Done()
	}()
	go func() {
		for i := uint64(0); i < uint64(ops); i++ {
			ch[i%4] <- i
		}
		wg.Done()
	}()
	wg.Wait()
	return ops
}

func runSelectready(ops int) int {
	ch := fourChannels(1)
	for i := uint64(0); i < uint64(ops); i++ {
		ch[i%4] <- i
		if n := selectOne(&ch); n != i {
			fail("selected %d instead of %d", n, i)
		}
	}
	return ops
}

// ---- mutex

func runMutex(ops int) int {
	tasks, yields := param("tasks"), param("yields")
	perTask := ops/tasks + 1
	var mutex sync.Mutex
	var wg sync.WaitGroup
	count := 0
	startAndWait(&wg, tasks, func() {
		for i := 0; i < perTask; i++ {
			mutex.Lock()
			count++
			for y := 0; y < yields; y++ {
				runtime.Gosched()
			}
			mutex.Unlock()
		}
		wg.Done()
	})
	if count != perTask*tasks {
		fail("%d of %d turns were counted", count, perTask*tasks)
	}
	return count
}

// ---- skynet

func skynet(parent chan uint64, first, leaves, fanout uint64) {
	if leaves == 1 {
		parent <- first
		return
	}
	ch := make(chan uint64)
	for i := uint64(0); i < fanout; i++ {
		go skynet(ch, first+i*(leaves/fanout), leaves/fanout, fanout)
	}
	sum := uint64(0)
	for i := uint64(0); i < fanout; i++ {
		sum += <-ch
	}
	parent <- sum
}

func runSkynet(int) int {
	leaves := param("leaves")
	ch := make(chan uint64)
	go skynet(ch, 0, uint64(leaves), uint64(param("fanout")))
	if sum := <-ch; sum != uint64(leaves*(leaves-1)/2) {
		fail("the leaves' sum is %d", sum)
	}
	return leaves
}

// ---- timers and sleep

func runTimers(int) int {
	tasks, maxMs := param("tasks"), param("max_ms")
	var next atomic.Int64
	var wg sync.WaitGroup
	startAndWait(&wg, tasks, func() {
		number := next.Add(1) - 1
		time.Sleep(time.Duration(1+number%int64(maxMs)) * time.Millisecond)
		wg.Done()
	})
	return tasks
}

// As measure_sleep_ns() in bench/micro/measure.h.
func sleepTime(state *uint64, minUs, maxUs int) time.Duration {
	*state = *state*6364136223846793005 + 1442695040888963407
	return time.Duration(uint64(minUs)+(*state>>33)%uint64(maxUs-minUs+1)) *
		time.Microsecond
}

func runSleep(int) int {
	tasks, sleeps, busy := param("tasks"), param("sleeps"), param("busy")
	minUs, maxUs := param("min_us"), param("max_us")
	late := make([]time.Duration, tasks*sleeps)
	var next atomic.Int64
	var wg, computing sync.WaitGroup
	var stop atomic.Bool
	computing.Add(busy)
	for i := 0; i < busy; i++ {
		go func() {
			for !stop.Load() {
			}
			computing.Done()
		}()
	}
	startAndWait(&wg, tasks, func() {
		number := int(next.Add(1) - 1)
		state := uint64(number)
		for i := 0; i < sleeps; i++ {
			length := sleepTime(&state, minUs, maxUs)
			start := time.Now()
			time.Sleep(length)
			late[number*sleeps+i] = time.Since(start) - length
		}
		wg.Done()
	})
	stop.Store(true)
	computing.Wait()
	slices.Sort(late)
	if late[0] < 0 {
		fail("a sleeper woke %v too early", -late[0])
	}
	notes["late_p50_ns"] = float64(late[(len(late)-1)/2])
	notes["late_p99_ns"] = float64(late[(len(late)-1)*99/100])
	return len(late)
}

// ---- mem

// Resident memory of the process and its page tables, in bytes.
func memory() int {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		fail("%v", err)
	}
	total, found := 0, 0
	for _, line := range strings.Split(string(status), "\n") {
		var name string
		var kib int
		if n, _ := fmt.Sscanf(line, "%s %d kB", &name, &kib); n == 2 &&
			(name == "VmRSS:" || name == "VmPTE:") {
			total += kib * 1024
			found++
		}
	}
	if found != 2 {
		fail("/proc/self/status has no VmRSS or VmPTE")
	}
	return total
}

// The size of the stack is Go's own business: it begins with 2 KiB.
func runMem(int) int {
	tasks := param("tasks")
	gate := make(chan struct{})
	var arrived atomic.Int64
	var wg sync.WaitGroup
	parker := func() {
		arrived.Add(1)
		<-gate
		wg.Done()
	}
	before := memory()
	wg.Add(tasks)
	for i := 0; i < tasks; i++ {
		go parker()
	}
	for arrived.Load() < int64(tasks) {
		runtime.Gosched()
	}
	// the last ones may be on their way from the count to the gate
	time.Sleep(10 * time.Millisecond)
	notes["bytes"] = float64(memory()-before) / float64(tasks)
	close(gate)
	wg.Wait()
	return tasks
}

// ---- measuring, as in bench/micro/measure.c

func cpuTime() time.Duration {
	var usage syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// Enough for the time wanted and a little more.
func moreOps(ops int, wall, wanted time.Duration) int {
	more := 1.2 * float64(wanted) / float64(max(wall, 1))
	return int(float64(ops)*min(more, maxGrowth)) + 1
}

func measure(k kind) {
	wanted := time.Duration(param("min_ms")) * time.Millisecond
	for next := 1; ; {
		notes = map[string]float64{}
		cpu, start := cpuTime(), time.Now()
		ops := k.run(next)
		wall := time.Since(start)
		cpu = cpuTime() - cpu
		if !k.once && wall < wanted {
			next = moreOps(ops, wall, wanted)
			continue
		}
		notes["ops"] = float64(ops)
		notes["wall_ns"] = float64(wall)
		notes["cpu_ns"] = float64(cpu)
		if json.NewEncoder(os.Stdout).Encode(notes) != nil {
			fail("cannot write the report")
		}
		return
	}
}

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: go --list | KIND NAME=VALUE...")
		os.Exit(2)
	}
	names := []string{}
	for _, k := range kinds {
		names = append(names, k.name)
		if k.name == os.Args[1] {
			runtime.GOMAXPROCS(param("procs"))
			measure(k)
			return
		}
	}
	if os.Args[1] != "--list" {
		fail("there is no kind '%s' (see --list)", os.Args[1])
	}
	json.NewEncoder(os.Stdout).Encode(map[string]any{
		"version": runtime.Version(), "kinds": names})
}
