package train

import (
	"sync"
	"sync/atomic"
)

// crew runs jobs on a number of goroutines. Which one runs a job is left to
// timing, so jobs write to places of their own.
type crew struct {
	threads int
	scratch [][slots][]float32 // of every goroutine
}

// slots is the number of scratch buffers that one job may hold at a time.
const slots = 4

func newCrew(threads int) *crew {
	return &crew{threads: threads, scratch: make([][slots][]float32, threads)}
}

// each calls f(worker, i) for i < n; calls with the same worker do not overlap.
func (c *crew) each(n int, f func(worker, i int)) {
	workers := min(c.threads, n)
	if workers <= 1 {
		for i := range n {
			f(0, i)
		}
		return
	}
	var next atomic.Int64
	var wg sync.WaitGroup
	run := func(worker int) {
		for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
			f(worker, i)
		}
	}
	for w := 1; w < workers; w++ {
		wg.Go(func() { run(w) })
	}
	run(0)
	wg.Wait()
}

// buffer returns n elements of scratch of a worker, not cleared, with slack
// behind them for matrix kernels.
func (c *crew) buffer(worker, slot, n int) []float32 {
	b := &c.scratch[worker][slot]
	if cap(*b) < n+slack {
		*b = make([]float32, n+slack)
	}
	return (*b)[:n]
}
