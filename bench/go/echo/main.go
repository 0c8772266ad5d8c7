// SPDX-License-Identifier: MIT

// The echo server in Go: a goroutine for each connection.
package main

import (
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"runtime"
)

const requestMax = 4096 // bytes read at a time

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

func main() {
	var procs int
	if len(os.Args) != 2 {
		log.Fatal("usage: echo procs=N")
	}
	if _, err := fmt.Sscanf(os.Args[1], "procs=%d", &procs); err != nil {
		log.Fatal(err)
	}
	runtime.GOMAXPROCS(procs)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(l.Addr().(*net.TCPAddr).Port)
	go func() {
		io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	for {
		c, err := l.Accept()
		if err != nil {
			log.Fatal(err)
		}
		go echo(c)
	}
}
