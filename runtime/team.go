package runtime

import (
	"fmt"
	goruntime "runtime"
	"sync/atomic"
)

// team runs the parts of a stage at the same time: part 0 on the caller's
// goroutine, the others on goroutines that live as long as the session. Between
// stages a worker spins for a moment and then sleeps on its channel, so that
// short stages cost no system call.
type team struct {
	workers []*worker
	stage   func(m *memory, part, parts int)
	m       []*memory     // of every part
	seq     atomic.Uint32 // number of stages begun
	left    atomic.Int32  // workers that have not finished the stage
	closed  atomic.Bool
}

type worker struct {
	asleep atomic.Bool
	wake   chan struct{}
	_      [64]byte // keeps the flags of two workers apart
}

// spins is how often a worker or the caller looks before it gives way.
const spins = 1 << 12

func newTeam(threads int) *team {
	t := &team{}
	for i := 1; i < threads; i++ {
		w := &worker{wake: make(chan struct{}, 1)}
		t.workers = append(t.workers, w)
		go t.work(w, i)
	}
	return t
}

// run runs all parts of a stage and returns when all are done.
func (t *team) run(stage func(m *memory, part, parts int), m []*memory) {
	parts := len(t.workers) + 1
	t.stage, t.m = stage, m
	t.left.Store(int32(len(t.workers)))
	t.begin()
	stage(m[0], 0, parts)
	for i := 0; t.left.Load() > 0; i++ {
		if i >= spins {
			goruntime.Gosched()
		}
	}
	t.stage, t.m = nil, nil
}

// begin announces a stage and wakes the workers that sleep.
func (t *team) begin() {
	t.seq.Add(1)
	for _, w := range t.workers {
		if w.asleep.CompareAndSwap(true, false) {
			w.wake <- struct{}{}
		}
	}
}

func (t *team) work(w *worker, part int) {
	for seq := uint32(1); ; seq++ {
		t.await(w, seq)
		if t.closed.Load() {
			return
		}
		t.stage(t.m[part], part, len(t.workers)+1)
		t.left.Add(-1)
	}
}

// await returns when stage number seq has begun.
func (t *team) await(w *worker, seq uint32) {
	for range spins {
		if t.seq.Load() == seq {
			return
		}
	}
	w.asleep.Store(true)
	// A stage that began before the flag was seen: take the flag back, or the
	// token that is on its way.
	if t.seq.Load() == seq && w.asleep.CompareAndSwap(true, false) {
		return
	}
	<-w.wake
}

// close ends the workers. No stage may be running.
func (t *team) close() {
	if !t.closed.Swap(true) {
		t.begin()
	}
}

// fault keeps the first error that an executor meets, such as an index that is
// out of range.
type fault struct{ err atomic.Pointer[error] }

func (f *fault) set(format string, args ...any) {
	if f.err.Load() == nil {
		err := fmt.Errorf(format, args...)
		f.err.CompareAndSwap(nil, &err)
	}
}
