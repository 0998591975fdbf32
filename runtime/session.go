package runtime

import (
	"time"

	"github.com/billnet/billnet/runtime/billb"
	"github.com/billnet/billnet/runtime/kernels"
)

// Options are the choices of a session.
type Options struct {
	Threads int    // goroutines that share the work of one run, at most 256; 0: 1
	ISA     string // the instruction set of the kernels, one of kernels.Names; "": what the program was loaded for
	Profile bool   // measure every instruction
}

// Session runs a program. It owns the memory of one run at a time: what is called
// while another goroutine's call runs fails with ErrBusy. Sessions are independent
// of each other.
type Session struct {
	*machine
	prog  *Program
	isa   kernels.ISA
	times []time.Duration // of every instruction; nil without profiling
	runs  int
	ready []bool // inputs that were set since the last run
	done  bool   // the outputs are those of a run
	ports []int  // of the outputs, in memory.lent
	given []bool // outputs that the last run wrote to memory of the caller
	feed  feed
	input *arriving // shared with the machine's memories
}

// NewSession makes a session. Close it to end its goroutines at once; a session
// that is garbage is closed too.
func (p *Program) NewSession(opt Options) (*Session, error) { return p.newSession(opt, alignedBytes) }

func (p *Program) newSession(opt Options, alloc func(n int) []byte) (*Session, error) {
	isa := p.best
	if opt.ISA != "" {
		var err error
		if isa, err = parseISA(opt.ISA); err != nil {
			return nil, err
		}
	}
	code, err := p.prepared(isa)
	if err != nil {
		return nil, err
	}
	x, err := newMachine(code.steps, p.img.Arena, gapsOf(p.img), p.maxScratch, opt.Threads, alloc)
	if err != nil {
		return nil, errorf("%s: %w", p.img.Name, err)
	}
	s := &Session{machine: x, prog: p, isa: isa, ready: make([]bool, len(p.img.Inputs)), ports: code.ports, given: make([]bool, len(p.img.Outputs)), feed: newFeed(p.img), input: &arriving{}}
	lent := make([][]byte, 1+len(p.img.Inputs)+len(p.img.Outputs))
	for _, m := range x.m {
		m.lent, m.input = lent, s.input
	}
	s.forget()
	if opt.Profile {
		s.times = make([]time.Duration, len(code.steps))
	}
	return s, nil
}

// ISA names the instruction set of the session's kernels.
func (s *Session) ISA() string { return s.isa.String() }

// Close ends the session's goroutines, at the end of a run that is under way. The
// session can not be used any more.
func (s *Session) Close() { s.close() }

// Run sets all inputs, executes the program and copies the outputs out. Inputs
// and outputs are in the order of the program's ports, as bytes of dense
// elements in the machine's byte order: the natural width, one byte for bool,
// bit (0, 1), sbit (-1, +1) and tern. outputs may be nil or hold nil entries
// for what is not wanted; Output reads those, and only those. What begins at
// a multiple of 64 bytes, fills a multiple of 64 bytes and overlaps no other is
// used in place, without a copy: inputs must not change during a run, and outputs
// are undefined after an error. Run allocates nothing.
func (s *Session) Run(inputs, outputs [][]byte) error {
	if len(inputs) != len(s.prog.img.Inputs) {
		return errorf("%s takes %d inputs, got %d", s.prog.img.Name, len(s.prog.img.Inputs), len(inputs))
	}
	if outputs != nil && len(outputs) != len(s.prog.img.Outputs) {
		return errorf("%s has %d outputs, got room for %d", s.prog.img.Name, len(s.prog.img.Outputs), len(outputs))
	}
	if err := s.begin(); err != nil {
		return s.named(err)
	}
	defer s.end()
	defer clear(s.m[0].lent)
	for i, b := range inputs {
		if err := s.take(i, b, true); err != nil {
			return err
		}
	}
	s.feed.next = 0
	if s.lends() {
		s.lendOutputs(inputs, outputs)
	}
	if err := s.execute(); err != nil {
		return err
	}
	for i, b := range outputs {
		if b == nil {
			continue
		}
		if err := s.get(i, b); err != nil {
			return err
		}
	}
	for i, b := range outputs {
		s.given[i] = b != nil
	}
	return nil
}

// port is the memory of a port in the arena.
func (s *Session) port(p *Port) []byte { return s.prog.port(p, s.m[0].arena) }

func (p *Program) port(port *Port, arena []byte) []byte {
	b := &p.img.Buffers[port.Buffer]
	n := billb.Product(b.Shape) * b.Elem.Width()
	return arena[b.Offset : b.Offset+n : b.Offset+n]
}

func (s *Session) set(i int, b []byte) error { return s.take(i, b, false) }

// take sets an input; one that is lent is read where it lies if it can be.
func (s *Session) take(i int, b []byte, lent bool) error {
	p := &s.prog.img.Inputs[i]
	if n := billb.Product(p.Shape) * p.Elem.Width(); len(b) != n {
		return errorf("input %q is %s%s: %d bytes, got %d", p.Name, p.Elem, billb.ShapeString(p.Shape), n, len(b))
	}
	if at := invalidLogic(p.Elem, b); at >= 0 {
		return errorf("input %q: element %d is %d, not a %s", p.Name, at, int8(b[at]), p.Elem)
	}
	switch {
	case s.feed.region != nil && i == s.feed.port:
		s.feed.take(b, lent)
	case !lent || !s.lends() || !s.lendInput(i, b):
		copy(s.port(p), b)
	}
	s.ready[i], s.done = true, false
	return nil
}

func (s *Session) get(i int, dst []byte) error {
	p := &s.prog.img.Outputs[i]
	src := s.port(p)
	if len(dst) != len(src) {
		return errorf("output %q is %s%s: %d bytes, got room for %d", p.Name, p.Elem, billb.ShapeString(p.Shape), len(src), len(dst))
	}
	if !s.done {
		return errorf("output %q: the session has not run since its inputs were set", p.Name)
	}
	if s.given[i] {
		return errorf("output %q: Run has written it to the memory that it was given", p.Name)
	}
	if lent := s.m[0].lent[s.ports[i]]; lent != nil {
		src = lent
	}
	copy(dst, src)
	return nil
}

// Execute runs the program on the inputs that were set. All of them must be set
// before every run, because their memory is used again. A fault of the runtime
// itself panics, on the caller's goroutine whatever thread met it.
func (s *Session) Execute() error {
	if err := s.begin(); err != nil {
		return s.named(err)
	}
	defer s.end()
	s.feed.next = 0
	return s.execute()
}

// named is an error of the model's name.
//
//go:noinline
func (s *Session) named(err error) error { return errorf("%s: %w", s.prog.img.Name, err) }

func (s *Session) execute() error {
	for i, ok := range s.ready {
		if !ok {
			return errorf("input %q is not set; all inputs must be set before every run", s.prog.img.Inputs[i].Name)
		}
	}
	clear(s.ready)
	if err := s.regions(0, len(s.prog.img.Regions)); err != nil {
		s.forget() // of which some may be written
		return err
	}
	s.carry()
	s.finish()
	return nil
}

// lends reports whether ports may lie in memory of the caller's: not where they are
// kept from step to step.
func (s *Session) lends() bool { return len(s.prog.img.Regions)+len(s.prog.img.States) == 0 }

// instructions executes those from one to before another.
func (s *Session) instructions(from, to int) error {
	for i := from; i < to; i++ {
		start := time.Time{}
		if s.times != nil {
			start = time.Now()
		}
		if err := s.run(i); err != nil {
			return errorf("%s: %s: %w", s.prog.img.Name, s.prog.img.Code[i].Where(i), err)
		}
		if s.times != nil {
			s.times[i] += time.Since(start)
		}
	}
	return nil
}

// SetInput sets the input called name; T must be the Go type of its elements
// (uint8 for bool and bit, int8 for sbit and tern).
func SetInput[T Number](s *Session, name string, values []T) error {
	for i := range s.prog.img.Inputs {
		if p := &s.prog.img.Inputs[i]; p.Name == name {
			if !holds[T](p.Elem) {
				return errorf("input %q has elements %s, got %T", name, p.Elem, values)
			}
			if err := s.begin(); err != nil {
				return s.named(err)
			}
			defer s.end()
			return s.set(i, Bytes(values))
		}
	}
	return errorf("%s has no input %q", s.prog.img.Name, name)
}

// Output copies the output called name into values, which must have its length;
// T must be the Go type of its elements.
func Output[T Number](s *Session, name string, values []T) error {
	for i := range s.prog.img.Outputs {
		if p := &s.prog.img.Outputs[i]; p.Name == name {
			if !holds[T](p.Elem) {
				return errorf("output %q has elements %s, got %T", name, p.Elem, values)
			}
			if err := s.begin(); err != nil {
				return s.named(err)
			}
			defer s.end()
			return s.get(i, Bytes(values))
		}
	}
	return errorf("%s has no output %q", s.prog.img.Name, name)
}

// InstrTime is the time that an instruction took.
type InstrTime struct {
	Name  string        // the layer it comes from, "" when the file does not say
	Op    string        // the operation
	MACs  float64       // multiply-accumulates of a run, as InstrInfo has them
	Bytes float64       // of operands and results in a run
	Time  time.Duration // of all runs together
	Runs  int
}

// Profile gives the times of all instructions in order, nil when the session
// does not measure.
func (s *Session) Profile() []InstrTime {
	if s.times == nil {
		return nil
	}
	list := make([]InstrTime, len(s.times))
	for i := range list {
		in := &s.prog.img.Code[i]
		list[i] = InstrTime{Name: in.Name, Op: in.Op.String(), MACs: s.prog.macs(i), Bytes: s.prog.bytes(i), Time: s.times[i], Runs: s.runs}
	}
	return list
}
