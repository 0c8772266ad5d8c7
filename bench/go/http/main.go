// SPDX-License-Identifier: MIT

// The HTTP server of bench/bench-http in Go: "/hello.txt" is answered by a handler, all
// else is a file of the folder. Prints its port; ends with its standard input.
package main

import (
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
)

func hello(w http.ResponseWriter, r *http.Request) {
	io.WriteString(w, "hello\n")
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: http FOLDER")
		os.Exit(2)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	http.HandleFunc("/hello.txt", hello)
	http.Handle("/", http.FileServer(http.Dir(os.Args[1])))
	go func() { log.Fatal(http.Serve(listener, nil)) }()
	fmt.Println("http: on port", listener.Addr().(*net.TCPAddr).Port)
	io.Copy(io.Discard, os.Stdin)
}
