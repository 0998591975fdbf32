package main

import (
	"fmt"
	"sync"
	"time"

	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/passes"
)

// progress is a line on a terminal that says what a command is doing, once it
// takes long.
type progress struct {
	mu   sync.Mutex
	text string
	stop chan struct{} // nil while nothing is shown
}

// Progress is shown after this time, and renewed that often.
const (
	progressAfter = 2 * time.Second
	progressEvery = 250 * time.Millisecond
)

// doing says what the command does from here on. Only a terminal shows it.
func (s *streams) doing(format string, args ...any) {
	if terminal(s.err) == nil {
		return
	}
	p := &s.progress
	p.mu.Lock()
	defer p.mu.Unlock()
	p.text = fmt.Sprintf(format, args...)
	if p.stop == nil {
		p.stop = make(chan struct{})
		go s.show(p.stop)
	}
}

// idle ends what doing began. It stands before everything that is printed.
func (s *streams) idle() {
	p := &s.progress
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stop != nil {
		close(p.stop)
		p.stop = nil
		s.err.Status("")
	}
}

func (s *streams) show(stop chan struct{}) {
	begun := time.Now()
	for wait := progressAfter; ; wait = progressEvery {
		select {
		case <-stop:
			return
		case <-time.After(wait):
		}
		s.progress.mu.Lock()
		if s.progress.stop == stop {
			s.err.Status(fmt.Sprintf("%s (%d s)", s.progress.text, int(time.Since(begun).Seconds())))
		}
		s.progress.mu.Unlock()
	}
}

// watch says which pass of a pipeline is running.
func (s *streams) watch(model string, steps []passes.Step) func(step int, m *ir.Module) {
	at := func(i int) {
		if i < len(steps) {
			s.doing("%s: pass %d of %d, %s", model, i+1, len(steps), steps[i].Pass.Name)
		}
	}
	at(0)
	return func(done int, _ *ir.Module) { at(done + 1) }
}
