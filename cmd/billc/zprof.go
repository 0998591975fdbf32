package main

import (
	"fmt"
	"os"
	"runtime"
	"runtime/pprof"
	"time"
)

func init() {
	runtime.MemProfileRate = 64 << 10
	go func() {
		best := uint64(0)
		for {
			time.Sleep(30 * time.Millisecond)
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			if m.HeapAlloc > best*105/100+5<<20 {
				best = m.HeapAlloc
				buf := make([]byte, 1<<16)
				n := runtime.Stack(buf, true)
				os.WriteFile(os.Getenv("HP")+".stack", buf[:n], 0o644)
				f, _ := os.Create(os.Getenv("HP"))
				pprof.Lookup("allocs").WriteTo(f, 0)
				f.Close()
				f, _ = os.Create(os.Getenv("HP") + ".heap")
				pprof.Lookup("heap").WriteTo(f, 0)
				f.Close()
				fmt.Fprintln(os.Stderr, "peak", m.HeapAlloc>>20, "sys", m.HeapSys>>20)
			}
		}
	}()
}
