package runtime

import (
	goruntime "runtime"
	"sync/atomic"
	"unsafe"

	"github.com/billnet/billnet/runtime/billb"
)

const (
	maxThreads = 256
	smallWork  = 1 << 14 // a step with less runs on one thread
)

// machine executes steps: it owns the memory and the threads of one run at a
// time.
type machine struct {
	steps []step
	rooms []room
	arena int       // bytes, without what lies behind it
	m     []*memory // of every part
	team  *team     // nil with one thread

	busy   atomic.Bool // a run has it; for ever after it was closed
	closed atomic.Bool
}

// newMachine makes a machine with an arena of a size, whose gaps place knows; nil where
// they are not known, as in generated packages. Its goroutines end with close, or when it
// is garbage.
func newMachine(steps []step, arena int, place placer, scratchLimit, threads int, alloc func(n int) []byte) (*machine, error) {
	if threads < 0 || threads > maxThreads {
		return nil, errorf("%d threads, expected 1 to %d, or 0 for 1", threads, maxThreads)
	}
	threads = max(threads, 1)
	rooms, total := newRooms(steps, arena, place, threads)
	if scratch := total - arena; scratch > scratchLimit {
		return nil, billb.Errorf(ErrLimit, "%d threads need %d bytes of scratch memory, more than the limit of %d", threads, scratch, scratchLimit)
	}
	x := &machine{steps: steps, rooms: rooms, arena: arena}
	shared := memory{arena: alloc(total), fault: &fault{}}
	for range threads {
		m := shared
		x.m = append(x.m, &m)
	}
	if threads > 1 {
		x.team = newTeam(threads)
		goruntime.AddCleanup(x, func(t *team) { t.close() }, x.team)
	}
	return x, nil
}

// tempBytes is the temporary vectors of a part.
const tempBytes = temps * chunk * 8

// alignedBytes allocates n bytes that begin at a multiple of 64.
func alignedBytes(n int) []byte {
	b := make([]byte, n+align)
	if n >= hugeBytes {
		hugePages(b)
	}
	skip := -address(b) & (align - 1)
	return b[skip : skip+n : skip+n]
}

// hugeBytes is where memory takes several large pages.
const hugeBytes = 4 << 20

func address(b []byte) int { return int(uintptr(unsafe.Pointer(unsafe.SliceData(b)))) }

// begin takes the machine for a run, which end gives back.
//
//go:noinline
func (x *machine) begin() error {
	switch {
	case x.closed.Load():
		return ErrClosed
	case x.busy.CompareAndSwap(false, true):
		return nil
	case x.closed.Load():
		return ErrClosed
	}
	return ErrBusy
}

func (x *machine) end() {
	x.busy.Store(false)
	if x.closed.Load() {
		x.stop()
	}
}

// close ends the goroutines, those of a run that is under way at its end. The
// machine can not be used any more.
func (x *machine) close() {
	x.closed.Store(true)
	x.stop()
}

// stop ends the goroutines of a closed machine unless a run has it.
func (x *machine) stop() {
	if x.busy.CompareAndSwap(false, true) && x.team != nil {
		x.team.close()
	}
}

// run executes step i and returns what ended it early: an index out of range or
// the like.
func (x *machine) run(i int) error {
	st, r, f := &x.steps[i], x.rooms[i], x.m[0].fault
	for k, m := range x.m {
		behind := m.arena[r.at+r.scratch:]
		m.scratch, m.temp = m.arena[r.at:][:r.scratch], behind[k*r.temp:][:r.temp]
	}
	for _, stage := range st.stages {
		if x.team == nil || st.work < smallWork {
			stage(x.m[0], 0, 1)
		} else {
			x.team.run(stage, x.m)
		}
	}
	goruntime.KeepAlive(x) // its team must not be closed while it runs
	if err := f.err.Load(); err != nil {
		f.err.Store(nil)
		return *err
	}
	return nil
}

// invalidLogic is the index of the first byte that is not an element of a bool
// or logic type, or -1.
func invalidLogic(e Elem, b []byte) int {
	if e != Bool && !e.IsLogic() {
		return -1
	}
	lo, hi := e.Range()
	for i, v := range b {
		if x := int64(int8(v)); x < lo || x > hi || e == SBit && x == 0 {
			return i
		}
	}
	return -1
}
