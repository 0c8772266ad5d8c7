// SPDX-License-Identifier: MIT

// What a system call costs in a goroutine that does not block: bench/syscall.c
// in Go. The call goes through syscall.Syscall, as any does of which it is not
// known beforehand that it cannot block; syscall.Getpid itself is on Go's short
// list of those, and does without what the others pay.
package main

import (
	"flag"
	"fmt"
	"syscall"
	"time"
)

func main() {
	count := flag.Int("count", 10000000, "calls of a measurement")
	repeat := flag.Int("repeat", 1, "measurements")
	flag.Parse()
	fmt.Printf(`{"runtime": "go", "count": %d, "ns_per_call": [`, *count)
	for r := 0; r < *repeat; r++ {
		start := time.Now()
		for i := 0; i < *count; i++ {
			syscall.Syscall(syscall.SYS_GETPID, 0, 0, 0)
		}
		if r > 0 {
			fmt.Print(", ")
		}
		fmt.Printf("%.3f", float64(time.Since(start))/float64(*count))
	}
	fmt.Println("]}")
}
