// SPDX-License-Identifier: MIT

// The SHA-256 of every file under a directory, one goroutine for each file:
// examples/gosum.c in Go, as one writes it in Go.
package main

import (
	"bufio"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime/pprof"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	bufferSize = 32 << 10
	maxJobs    = 8000 // a blocked file is a thread, and Go dies at 10,000
	spareFiles = 64   // descriptors for all else
)

type file struct {
	path   string
	digest [sha256.Size]byte
	bytes  int64
	failed bool
}

type stats struct {
	Runtime string  `json:"runtime"`
	How     string  `json:"how"`
	Seconds float64 `json:"seconds"`
	Files   int     `json:"files"`
	Bytes   int64   `json:"bytes"`
	Threads int     `json:"threads"`
}

var (
	started    = time.Now()
	mapFiles   = flag.Bool("mmap", false, "map the files instead of reading them")
	port       = flag.Int("serve", 0, "meanwhile give back every byte sent to this `port` of 127.0.0.1")
	jobs       = flag.Int("jobs", maxJobs, "most files open at a time")
	statsFile  = flag.String("stats", "", "write time, files, bytes and threads to this `file` as JSON; - is standard error")
	failed     atomic.Bool
	connection atomic.Pointer[net.Conn]
)

func complain(path string, err error) {
	var e *fs.PathError
	if errors.As(err, &e) {
		err = e.Err
	}
	fmt.Fprintf(os.Stderr, "gosum: %s: %v\n", path, err)
	failed.Store(true)
}

func findFiles(roots []string) (files []file) {
	for _, root := range roots {
		// a link is followed only if the user named it
		if info, err := os.Stat(root); err == nil && info.Mode().IsRegular() {
			files = append(files, file{path: root})
			continue
		}
		filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				complain(path, err)
			} else if d.Type().IsRegular() {
				files = append(files, file{path: path})
			}
			return nil
		})
	}
	slices.SortFunc(files, func(a, b file) int { return strings.Compare(a.path, b.path) })
	return files
}

func (f *file) hashRead(in *os.File, h hash.Hash) error {
	buffer := make([]byte, bufferSize)
	for {
		n, err := in.Read(buffer)
		f.bytes += int64(n)
		h.Write(buffer[:n])
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (f *file) hashMapped(in *os.File, h hash.Hash) error {
	info, err := in.Stat()
	if err != nil || info.Size() == 0 {
		return err
	}
	f.bytes = info.Size()
	data, err := syscall.Mmap(int(in.Fd()), 0, int(info.Size()), syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		return err
	}
	h.Write(data)
	return syscall.Munmap(data)
}

func (f *file) hash() error {
	in, err := os.Open(f.path)
	if err != nil {
		return err
	}
	defer in.Close()
	h := sha256.New()
	if *mapFiles {
		err = f.hashMapped(in, h)
	} else {
		err = f.hashRead(in, h)
	}
	h.Sum(f.digest[:0])
	return err
}

// serve gives every byte back, to one client after another.
func serve(listener net.Listener) {
	var buffer [1]byte
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		connection.Store(&conn)
		for {
			if _, err := conn.Read(buffer[:]); err != nil {
				break
			}
			if _, err := conn.Write(buffer[:]); err != nil {
				break
			}
		}
		conn.Close()
	}
}

var escapes = strings.NewReplacer("\\", "\\\\", "\n", "\\n", "\r", "\\r")

func printDigests(files []file) {
	out := bufio.NewWriter(os.Stdout)
	for _, f := range files {
		if f.failed {
			continue
		}
		if strings.ContainsAny(f.path, "\\\n\r") {
			out.WriteByte('\\')
		}
		fmt.Fprintf(out, "%x  %s\n", f.digest, escapes.Replace(f.path))
	}
	if err := out.Flush(); err != nil {
		complain("standard output", err)
	}
}

func writeStats(files []file) {
	s := stats{Runtime: "go", How: "read", Threads: pprof.Lookup("threadcreate").Count()}
	if *mapFiles {
		s.How = "mmap"
	}
	for _, f := range files {
		if !f.failed {
			s.Files++
			s.Bytes += f.bytes
		}
	}
	s.Seconds = time.Since(started).Seconds()
	out := os.Stderr
	if *statsFile != "-" {
		var err error
		if out, err = os.Create(*statsFile); err != nil {
			complain(*statsFile, err)
			return
		}
		defer out.Close()
	}
	if err := json.NewEncoder(out).Encode(s); err != nil {
		complain(*statsFile, err)
	}
}

func limitJobs() {
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) != nil {
		return
	}
	limit.Cur = limit.Max
	syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit)
	if limit.Cur < uint64(*jobs+spareFiles) {
		*jobs = max(int(limit.Cur)-spareFiles, spareFiles)
	}
}

func main() {
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "usage: gosum [options] PATH...\n"+
			"Prints the SHA-256 of every regular file under the paths, one goroutine each.")
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() == 0 || *jobs < 1 {
		flag.Usage()
		os.Exit(2)
	}
	limitJobs()
	var listener net.Listener
	if *port != 0 {
		var err error
		if listener, err = net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", *port)); err != nil {
			fmt.Fprintln(os.Stderr, "gosum:", err)
			os.Exit(1)
		}
		go serve(listener)
	}

	files := findFiles(flag.Args())
	openFiles := make(chan struct{}, *jobs)
	var working sync.WaitGroup
	for i := range files {
		f := &files[i]
		working.Add(1)
		go func() {
			defer working.Done()
			openFiles <- struct{}{}
			if err := f.hash(); err != nil {
				complain(f.path, err)
				f.failed = true
			}
			<-openFiles
		}()
	}
	working.Wait()
	if listener != nil {
		if conn := connection.Load(); conn != nil {
			(*conn).Close()
		}
		listener.Close()
	}
	printDigests(files)
	if *statsFile != "" {
		writeStats(files)
	}
	if failed.Load() {
		os.Exit(1)
	}
}
