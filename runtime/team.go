package runtime

import (
	"fmt"
	"sync/atomic"
)

// team runs the parts of a stage at the same time: part 0 on the caller's
// goroutine, the others on goroutines that live as long as the session. Whoever
// waits, a worker for the next stage or the caller for the workers, spins for a
// moment and then sleeps, so that short stages cost no system call and long
// waits no processor.
type team struct {
	workers []*worker
	stage   func(m *memory, part, parts int)
	m       []*memory     // of every part
	seq     atomic.Uint32 // number of stages begun
	left    atomic.Int32  // workers that have not finished the stage
	caller  sleeper
	closed  atomic.Bool
}

type worker struct {
	sleeper
	_ [64]byte // keeps the flags of two workers apart
}

// sleeper waits for a condition that another goroutine makes true.
type sleeper struct {
	asleep atomic.Bool
	token  chan struct{}
}

func newSleeper() sleeper { return sleeper{token: make(chan struct{}, 1)} }

// wait returns when ready is true. Whoever makes it true must call wake after.
// A wake may come late, when the sleeper already waits for something else: so it
// looks again after every one.
func (s *sleeper) wait(ready func() bool) {
	for {
		for range spins {
			if ready() {
				return
			}
		}
		s.asleep.Store(true)
		// If it came true before the flag was seen: take the flag back, or the
		// token that is on its way.
		if ready() && s.asleep.CompareAndSwap(true, false) {
			return
		}
		<-s.token
	}
}

func (s *sleeper) wake() {
	if s.asleep.CompareAndSwap(true, false) {
		s.token <- struct{}{}
	}
}

// spins is how often one that waits looks before it sleeps.
const spins = 1 << 13

func newTeam(threads int) *team {
	t := &team{caller: newSleeper()}
	for i := 1; i < threads; i++ {
		w := &worker{sleeper: newSleeper()}
		t.workers = append(t.workers, w)
		go t.work(w, i)
	}
	return t
}

// run runs all parts of a stage and returns when all are done.
func (t *team) run(stage func(m *memory, part, parts int), m []*memory) {
	t.stage, t.m = stage, m
	t.left.Store(int32(len(t.workers)))
	t.begin()
	stage(m[0], 0, len(t.workers)+1)
	t.caller.wait(t.finished)
	t.stage, t.m = nil, nil
}

func (t *team) finished() bool { return t.left.Load() == 0 }

// begin announces a stage and wakes the workers that sleep.
func (t *team) begin() {
	t.seq.Add(1)
	for _, w := range t.workers {
		w.wake()
	}
}

func (t *team) work(w *worker, part int) {
	for seq := uint32(1); ; seq++ {
		w.wait(func() bool { return t.seq.Load() == seq })
		if t.closed.Load() {
			return
		}
		t.stage(t.m[part], part, len(t.workers)+1)
		if t.left.Add(-1) == 0 {
			t.caller.wake()
		}
	}
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
