// SPDX-License-Identifier: MIT

// Files that are synced after each record, and how late a ticker is meanwhile:
// libraries/files.c and libraries/job.c in Go.
package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

const (
	recordSize = 1000
	period     = 5 * time.Millisecond
	alone      = time.Second // the ticker, before the workers
)

type report struct {
	Library string  `json:"library"`
	Assist  string  `json:"assist"`
	Procs   int     `json:"procs"`
	Workers int     `json:"workers"`
	Rounds  int     `json:"rounds"`
	Threads int     `json:"threads"`
	Ms      float64 `json:"ms"`
	AloneUs float64 `json:"alone_p99_us"`
	P50Us   float64 `json:"p50_us"`
	P99Us   float64 `json:"p99_us"`
	MaxUs   float64 `json:"max_us"`
}

var (
	workers = flag.Int("workers", 64, "how many")
	rounds  = flag.Int("rounds", 4, "of each")
	target  = flag.String("target", "", "the `folder` where the files are made")
)

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "files:", err)
		os.Exit(1)
	}
}

func pathOf(worker int) string {
	return filepath.Join(*target, strconv.Itoa(worker))
}

func recordOf(worker, round int) []byte {
	record := bytes.Repeat([]byte{byte('a' + worker%26)}, recordSize)
	record[copy(record, fmt.Sprintf("%d %d", worker, round))] = 0
	return record
}

func work(worker int) {
	file, err := os.Create(pathOf(worker))
	check(err)
	for round := range *rounds {
		_, err = file.Write(recordOf(worker, round))
		check(err)
		check(file.Sync())
	}
	check(file.Close())
}

func verify() {
	for worker := range *workers {
		var want []byte
		for round := range *rounds {
			want = append(want, recordOf(worker, round)...)
		}
		have, err := os.ReadFile(pathOf(worker))
		check(err)
		if !bytes.Equal(have, want) {
			check(fmt.Errorf("%s is not what it was", pathOf(worker)))
		}
	}
}

// In the units of a report.
func quantile(late []time.Duration, share float64) float64 {
	if len(late) == 0 {
		return 0
	}
	slices.Sort(late)
	return float64(late[min(int(float64(len(late))*share), len(late)-1)]) / 1e3
}

func main() {
	flag.Parse()
	if *target == "" || flag.NArg() > 0 || *workers < 1 || *rounds < 1 {
		flag.Usage()
		os.Exit(2)
	}
	check(os.MkdirAll(*target, 0o755))

	var begun, done atomic.Bool
	var before, beside []time.Duration
	var ticking, working sync.WaitGroup
	ticking.Go(func() {
		for due := time.Now(); !done.Load(); {
			late := &before
			if begun.Load() {
				late = &beside
			}
			due = due.Add(period)
			time.Sleep(time.Until(due))
			*late = append(*late, time.Since(due))
		}
	})
	time.Sleep(alone)
	begun.Store(true)
	start := time.Now()
	for worker := range *workers {
		working.Go(func() { work(worker) })
	}
	working.Wait()
	took := time.Since(start)
	done.Store(true)
	ticking.Wait()
	verify()
	check(json.NewEncoder(os.Stdout).Encode(report{
		Library: "files", Assist: "go", Procs: runtime.GOMAXPROCS(0),
		Workers: *workers, Rounds: *rounds,
		Threads: pprof.Lookup("threadcreate").Count(),
		Ms:      float64(took) / 1e6, AloneUs: quantile(before, .99),
		P50Us: quantile(beside, .5), P99Us: quantile(beside, .99),
		MaxUs: quantile(beside, 1),
	}))
}
