package runtime

import (
	"fmt"
	goruntime "runtime"
	"runtime/debug"
	"sync/atomic"
)

// team runs the parts of a stage at the same time: part 0 on the caller's
// goroutine, the others on goroutines that live as long as the session. Whoever
// waits, a worker for the next stage or the caller for the workers, looks for a
// while and then sleeps: so a worker hardly ever sleeps inside a run, and long waits
// take no processor.
type team struct {
	workers []*worker
	stage   func(m *memory, part, parts int)
	m       []*memory     // of every part
	seq     atomic.Uint32 // number of stages begun
	left    atomic.Int32  // workers that have not finished the stage
	caller  sleeper
	closed  atomic.Bool
	bug     atomic.Pointer[bug] // the first panic of a part
}

// bug is a panic that a goroutine of a team has recovered from, to be raised
// again on the caller's. As a panic's value it prints as what it was, with the
// stack of where it happened.
type bug struct {
	value any
	stack []byte
}

func (b *bug) String() string { return fmt.Sprintf("%v\n\n%s", b.value, b.stack) }

type worker struct {
	sleeper
	_ [64]byte // keeps the flags of two workers apart
}

// sleeper waits for a condition that another goroutine makes true.
type sleeper struct {
	asleep atomic.Bool
	token  chan struct{}
	yields int // before it sleeps
}

func newSleeper(yields int) sleeper { return sleeper{token: make(chan struct{}, 1), yields: yields} }

// wait returns when ready is true. Whoever makes it true must call wake after.
// A wake may come late, when the sleeper already waits for something else: so it
// looks again after every one.
func (s *sleeper) wait(ready func() bool) {
	for {
		for range s.yields {
			for range looks {
				if ready() {
					return
				}
			}
			yield() // the other may wait for this very processor
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

// One that waits looks yields times looks times before it sleeps, together about
// 0.2 ms: longer than most instructions that run on one thread, so that a worker
// sleeps between runs but hardly inside them. A thread that is woken often starts
// on the processor of the one that woke it, and stays there for longer than a run.
const (
	looks  = 1 << 11
	yields = 1 << 6
)

// newTeam starts a team of as many goroutines, the caller's among them. Where
// there are more than processors, looking would only keep the others from their
// work.
func newTeam(threads int) *team {
	n := yields
	if threads > goruntime.GOMAXPROCS(0) {
		n = 0
	}
	t := &team{caller: newSleeper(n)}
	for i := 1; i < threads; i++ {
		w := &worker{sleeper: newSleeper(n)}
		t.workers = append(t.workers, w)
		go t.work(w, i)
	}
	return t
}

// run runs all parts of a stage and returns when all are done. A panic of any
// part is raised after that, so that the team can run further stages.
func (t *team) run(stage func(m *memory, part, parts int), m []*memory) {
	t.stage, t.m = stage, m
	t.left.Store(int32(len(t.workers)))
	t.begin()
	t.part(0)
	t.caller.wait(t.finished)
	t.stage, t.m = nil, nil
	if b := t.bug.Swap(nil); b != nil {
		panic(b)
	}
}

// part runs a part of the stage and keeps its panic.
func (t *team) part(i int) {
	defer func() {
		if v := recover(); v != nil {
			t.bug.CompareAndSwap(nil, &bug{v, debug.Stack()})
		}
	}()
	t.stage(t.m[i], i, len(t.workers)+1)
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
		t.part(part)
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
		err := errorf(format, args...)
		f.err.CompareAndSwap(nil, &err)
	}
}
