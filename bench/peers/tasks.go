// SPDX-License-Identifier: MIT

// Goroutines with GOMAXPROCS=1, except for "channel", which is between two threads.
// bench/run sets GOMAXPROCS, because each program gets one core.
// ARGUMENTS: switch N | spawn N | queue N | timer N | steady TASKS TIMES | memory N |
// channel N [apart] | wakeup N

package main

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"sort"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
	"unsafe"
)

func line(work, metric string, value float64, unit string) {
	fmt.Printf("%s %s %.6g %s\n", work, metric, value, unit)
}

func cpu() float64 {
	var usage syscall.Rusage

	syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return float64(usage.Utime.Nano() + usage.Stime.Nano())
}

// Locks this goroutine to its thread and pins that to an allowed core, counted from the
// last.  Does not pin if there are fewer cores.
func pin(nth int) {
	var allowed, one [16]uint64

	runtime.LockOSThread()
	syscall.RawSyscall(syscall.SYS_SCHED_GETAFFINITY, 0, unsafe.Sizeof(allowed),
		uintptr(unsafe.Pointer(&allowed)))
	for core := 1023; core >= 0; core-- {
		if allowed[core/64]>>(core%64)&1 == 0 {
			continue
		}
		if nth == 0 {
			one[core/64] = 1 << (core % 64)
			syscall.RawSyscall(syscall.SYS_SCHED_SETAFFINITY, 0, unsafe.Sizeof(one),
				uintptr(unsafe.Pointer(&one)))
			return
		}
		nth--
	}
}

func since(begun time.Time, n int) float64 {
	return float64(time.Since(begun).Nanoseconds()) / float64(n)
}

// CPU time, which does not depend on other load of the machine.
func used(begun float64, n int) float64 {
	return (cpu() - begun) / float64(n)
}

func yields(tasks, each int) float64 {
	var all sync.WaitGroup

	all.Add(tasks)
	begun := cpu()
	for i := 0; i < tasks; i++ {
		go func() {
			for n := 0; n < each; n++ {
				runtime.Gosched()
			}
			all.Done()
		}()
	}
	all.Wait()
	return used(begun, tasks*each)
}

// A goroutine has no handle, so a WaitGroup waits for it.
func oneAtATime(n int) float64 {
	var done sync.WaitGroup

	begun := cpu()
	for i := 0; i < n; i++ {
		done.Add(1)
		go done.Done()
		done.Wait()
	}
	return used(begun, n)
}

func manyAtOnce(turns int) float64 {
	const many = 10000
	var done sync.WaitGroup

	begun := cpu()
	for turn := 0; turn < turns; turn++ {
		done.Add(many)
		for i := 0; i < many; i++ {
			go done.Done()
		}
		done.Wait()
	}
	return used(begun, many*turns)
}

// Returns ns of wall time and of CPU time for each item.
func items(slots, n int, apart bool) (float64, float64) {
	channel := make(chan int, slots)
	begun, start := time.Now(), cpu()

	go func() {
		if apart {
			pin(1)
		}
		for i := 0; i < n; i++ {
			channel <- i
		}
	}()
	if apart {
		pin(0)
	}
	for i := 0; i < n; i++ {
		if <-channel != i {
			panic("out of order")
		}
	}
	return since(begun, n), used(start, n)
}

func sleeps(work string, sleepers, times int, longest time.Duration) {
	late := make([]int64, sleepers*times)
	for i := range late {
		late[i] = 1
	}
	woken, early, seed := 0, 0, uint32(1)
	var all sync.WaitGroup

	all.Add(sleepers)
	begun := cpu()
	for i := 0; i < sleepers; i++ {
		go func() {
			for k := 0; k < times; k++ {
				// No lock: there is one thread, and a rare preemption here is harmless.
				seed = seed*1664525 + 1013904223
				us := uint64(seed) * uint64(longest.Microseconds()) >> 32
				span := time.Duration(us) * time.Microsecond
				asked := time.Now()
				time.Sleep(span)
				over := int64(time.Since(asked) - span)
				if over < 0 {
					early++
				}
				late[woken] = over
				woken++
			}
			all.Done()
		}()
	}
	all.Wait()
	used := (cpu() - begun) / float64(woken)
	sort.Slice(late, func(a, b int) bool { return late[a] < late[b] })
	line(work, "cpu", used, "ns")
	line(work, "p50", float64(late[woken/2])/1000, "us")
	line(work, "p99", float64(late[woken*99/100])/1000, "us")
	line(work, "max", float64(late[woken-1])/1000, "us")
	line(work, "early", float64(early), "sleeps")
}

func resident() float64 {
	text, _ := os.ReadFile("/proc/self/status")
	sum := 0.0

	for _, field := range strings.Split(string(text), "\n") {
		words := strings.Fields(field)
		if len(words) == 3 && (words[0] == "VmRSS:" || words[0] == "VmPTE:") {
			kib, _ := strconv.ParseFloat(words[1], 64)
			sum += kib * 1024
		}
	}
	return sum
}

func memory(n int) {
	before, begun, entered := resident(), cpu(), 0

	for i := 0; i < n; i++ {
		go func() {
			entered++
			time.Sleep(time.Hour)
		}()
	}
	for entered < n {
		runtime.Gosched()
	}
	used := (cpu() - begun) / float64(n)
	line("memory", "task", (resident()-before)/float64(n), "bytes")
	line("memory", "cpu", used, "ns")
}

// Two threads that pass a word to and fro.
func wakeup(n int) {
	there, back := make(chan int), make(chan int)

	go func() {
		pin(1)
		for i := range there {
			back <- i
		}
	}()
	pin(0)
	begun, used := time.Now(), cpu()
	for i := 0; i < n; i++ {
		there <- i
		<-back
	}
	line("wakeup", "trip", since(begun, n), "ns")
	line("wakeup", "cpu", (cpu()-used)/float64(n), "ns")
}

func main() {
	number := func(i, usual int) int {
		if len(os.Args) > i {
			n, _ := strconv.Atoi(os.Args[i])
			return n
		}
		return usual
	}
	work, n := os.Args[1], number(2, 100000)

	switch work {
	case "switch":
		line(work, "two", yields(2, n/2), "ns")
		line(work, "thousand", yields(1000, n/1000), "ns")
	case "spawn":
		manyAtOnce(1)
		line(work, "one", oneAtATime(n), "ns")
		line(work, "many", manyAtOnce(1+n/25000), "ns")
	case "queue":
		_, wide := items(1024, n, false)
		_, one := items(1, n, false)
		line(work, "wide", wide, "ns")
		line(work, "one", one, "ns")
	case "timer":
		sleeps(work, n, 1, time.Second)
	case "steady":
		sleeps(work, n, number(3, 20), 100*time.Millisecond)
	case "memory":
		debug.SetGCPercent(-1) // a collection would make the memory seem to shrink
		memory(n)
	case "channel":
		item, each := items(1024, n, len(os.Args) > 3)
		line(work, "item", item, "ns")
		line(work, "cpu", each, "ns")
	case "wakeup":
		wakeup(n)
	}
}
