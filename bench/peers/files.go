// SPDX-License-Identifier: MIT

// Go: 32 goroutines read a file at random places, each read on a thread of the
// runtime.  ARGUMENTS: cached | direct FILE READS.

package main

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

const block, inFlight = 4096, 32

func cpu() float64 {
	var usage syscall.Rusage

	syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return float64(usage.Utime.Nano() + usage.Stime.Nano())
}

// O_DIRECT needs buffers aligned to a page.
func aligned() []byte {
	memory := make([]byte, 2*block)
	skip := (block - int(uintptr(unsafe.Pointer(&memory[0]))%block)) % block
	return memory[skip : skip+block]
}

func main() {
	direct := os.Args[1] == "direct"
	flags := os.O_RDONLY
	if direct {
		flags |= syscall.O_DIRECT
	}
	file, err := os.OpenFile(os.Args[2], flags, 0)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(77)
	}
	if !direct {
		io.Copy(io.Discard, file)
	}
	info, _ := file.Stat()
	reads, _ := strconv.Atoi(os.Args[3])
	blocks := uint64(info.Size() / block)
	left := int64(reads)
	var all sync.WaitGroup

	all.Add(inFlight)
	begun, used := time.Now(), cpu()
	for i := 0; i < inFlight; i++ {
		go func(seed uint64) {
			buffer := aligned()
			for atomic.AddInt64(&left, -1) >= 0 {
				seed = seed*6364136223846793005 + 1442695040888963407
				n, err := file.ReadAt(buffer, int64((seed>>33)%blocks*block))
				if n != block {
					panic(err)
				}
			}
			all.Done()
		}(uint64(i) + 1)
	}
	all.Wait()
	each := (cpu() - used) / float64(reads)
	fmt.Printf("files cpu %.6g ns\n", each)
	fmt.Printf("files rate %.6g /s\n", float64(reads)/time.Since(begun).Seconds())
	fmt.Printf("files per_cpu_second %.6g reads\n", 1e9/each)
}
