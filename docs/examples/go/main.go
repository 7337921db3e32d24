// SPDX-License-Identifier: Apache-2.0

// server is a TLS server that takes the next pair on SIGHUP: no connection is refused, and no pair is half of one and half of another.
package main

import (
	"crypto/tls"
	"flag"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"time"
)

var current atomic.Pointer[tls.Certificate]

// load follows the link once, so that both files are of one generation.
func load(dir string) error {
	generation, err := filepath.EvalSymlinks(filepath.Join(dir, "..data"))
	if err != nil {
		return err
	}
	pair, err := tls.LoadX509KeyPair(filepath.Join(generation, "tls.crt"), filepath.Join(generation, "tls.key"))
	if err != nil {
		return err
	}
	current.Store(&pair)
	return nil
}

// reload goes on with the pair that it has where the new one cannot be read.
func reload(dir string, asked <-chan os.Signal) {
	for range asked {
		if err := load(dir); err != nil {
			log.Printf("reload: %v", err)
		} else {
			log.Print("reload: done")
		}
	}
}

func main() {
	dir := flag.String("dir", "/tls", "folder with ..data, tls.crt and tls.key")
	listen := flag.String("listen", ":8443", "address")
	end := flag.Duration("for", 0, "end after this time; 0: never")
	flag.Parse()

	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGHUP) // before anything else: without a handler the signal ends the program
	if err := load(*dir); err != nil {
		log.Fatal(err)
	}
	go reload(*dir, asked)
	if *end > 0 {
		time.AfterFunc(*end, func() { os.Exit(0) })
	}
	server := &http.Server{
		Addr:              *listen,
		ReadHeaderTimeout: 10 * time.Second,
		Handler:           http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "certhup") }),
		TLSConfig: &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			return current.Load(), nil
		}},
	}
	log.Fatal(server.ListenAndServeTLS("", ""))
}
