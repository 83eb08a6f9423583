// SPDX-License-Identifier: MIT

// Go's servers: an echo server with a goroutine for each connection, and net/http.
// ARGUMENTS: echo PORT | http PORT ROOT.  / answers hello, /16k is a file below ROOT.

package main

import (
	"io"
	"net"
	"net/http"
	"os"
)

func serve(connection net.Conn) {
	buffer := make([]byte, 4096)

	for {
		n, err := connection.Read(buffer)
		if err != nil {
			break
		}
		if _, err = connection.Write(buffer[:n]); err != nil {
			break
		}
	}
	connection.Close()
}

func echo(port string) {
	listener, err := net.Listen("tcp", "127.0.0.1:"+port)
	if err != nil {
		panic(err)
	}
	for {
		connection, err := listener.Accept()
		if err != nil {
			panic(err)
		}
		go serve(connection)
	}
}

func hello(reply http.ResponseWriter, _ *http.Request) {
	reply.Header().Set("Content-Type", "text/plain")
	io.WriteString(reply, "hello\n")
}

func main() {
	if os.Args[1] == "echo" {
		echo(os.Args[2])
	}
	root := os.Args[3]
	http.HandleFunc("/", hello)
	http.HandleFunc("/16k", func(reply http.ResponseWriter, request *http.Request) {
		http.ServeFile(reply, request, root+"/16k")
	})
	panic(http.ListenAndServe("127.0.0.1:"+os.Args[2], nil))
}
