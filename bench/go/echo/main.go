// SPDX-License-Identifier: MIT

// The echo server in Go: a goroutine for each connection. One that reads the disk does so
// with pread(2).
package main

import (
	"encoding/binary"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"runtime"
	"strings"
	"syscall"
)

const (
	requestMax  = 4096 // bytes read at a time
	diskRequest = 64   // bytes: struct disk_request of bench/echo/server.h
	pageBytes   = 4096
)

func echo(c net.Conn) {
	defer c.Close()
	buf := make([]byte, requestMax)
	for {
		n, err := c.Read(buf)
		if err != nil {
			return
		}
		if _, err = c.Write(buf[:n]); err != nil {
			return
		}
	}
}

// pages is how many the file has.
func echoFromDisk(c net.Conn, file *os.File, pages uint64) {
	defer c.Close()
	buf := make([]byte, diskRequest)
	words := make([]byte, pageBytes)
	for {
		n, err := c.Read(buf)
		if err != nil || n != diskRequest {
			return
		}
		number := binary.NativeEndian.Uint64(buf)
		page := (number * 0x9e3779b97f4a7c15 >> 32) % pages
		if _, err := file.ReadAt(words, int64(page*pageBytes)); err != nil {
			log.Fatal(err)
		}
		binary.NativeEndian.PutUint64(buf[8:], page)
		copy(buf[16:24], words)
		if _, err = c.Write(buf); err != nil {
			return
		}
	}
}

// listen writes the port.
func listen() net.Listener {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(l.Addr().(*net.TCPAddr).Port)
	return l
}

func serve(l net.Listener, answer func(net.Conn)) {
	for {
		c, err := l.Accept()
		if err != nil {
			log.Fatal(err)
		}
		go answer(c)
	}
}

// fadviseRandom asks for no reading ahead.
func fadviseRandom(file *os.File) error {
	const random = 1 // POSIX_FADV_RANDOM
	_, _, errno := syscall.Syscall6(syscall.SYS_FADVISE64, file.Fd(), 0, 0, random, 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}

func serveFromDisk(path string) {
	file, err := os.Open(path)
	if err != nil {
		log.Fatal(err)
	}
	info, err := file.Stat()
	if err != nil {
		log.Fatal(err)
	}
	if err := fadviseRandom(file); err != nil {
		log.Fatal(err)
	}
	pages := uint64(info.Size() / pageBytes)
	go serve(listen(), func(c net.Conn) { echoFromDisk(c, file, pages) })
}

func main() {
	var procs int
	if len(os.Args) != 2 && len(os.Args) != 3 {
		log.Fatal("usage: echo procs=N [file=FILE]")
	}
	if _, err := fmt.Sscanf(os.Args[1], "procs=%d", &procs); err != nil {
		log.Fatal(err)
	}
	runtime.GOMAXPROCS(procs)
	go func() {
		io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	l := listen()
	if len(os.Args) == 3 {
		serveFromDisk(strings.TrimPrefix(os.Args[2], "file="))
	}
	serve(l, echo)
}
