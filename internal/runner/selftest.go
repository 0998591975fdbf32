package runner

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"

	"github.com/billnet/billnet/runtime"
)

// Selftest is what the compiler recorded of a network, for a check of the
// machine that runs it.
type Selftest struct {
	Samples int    // inputs 0, 1, ... of runtime.Sample
	Vectors int    // inputs that are recorded
	Data    []byte // the outputs for the samples, and then the inputs and outputs of every vector

	// Thresholds compares the network's thresholds with the certificate and
	// returns how many there are.
	Thresholds func() (int, error)
}

// selftestCmd checks this program on this machine.
type selftestCmd struct {
	Selftest
	JSON bool
	engine
}

func (t Selftest) declare(f *flags) runner {
	c := &selftestCmd{Selftest: t, engine: engine{Threads: 1}}
	f.on(&c.JSON, "json", "As one JSON object.")
	f.count(&c.Threads, "threads", "N", "Threads that share the work of one run (default 1).")
	f.kernels(&c.ISA, "all", "Kernels to check: %s or all of this machine (the default).")
	return c
}

func (c *selftestCmd) Run(e *env) error {
	sets := e.Machine
	if c.ISA != "all" {
		sets = []string{c.ISA}
	}
	thresholds, err := c.Thresholds()
	if err != nil {
		return &fail{exitDiffer, err.Error()}
	}
	for _, isa := range sets {
		if err := c.check(e, isa); err != nil {
			return err
		}
	}
	if c.JSON {
		e.printJSON(func(w *jsonWriter) {
			w.key("vectors").int(c.Samples + c.Vectors)
			w.key("kernels").strings(sets)
			w.key("thresholds").int(thresholds)
		})
		return nil
	}
	fmt.Fprintf(e.stdout, "ok: %d inputs give the recorded outputs with kernels %s; %d thresholds are those of the certificate\n",
		c.Samples+c.Vectors, strings.Join(sets, ", "), thresholds)
	return nil
}

// check runs all inputs with a set of kernels.
func (c *selftestCmd) check(e *env, isa string) error {
	m := e.embedded
	s, err := engine{c.Threads, isa}.session(m, false)
	if err != nil {
		return err
	}
	defer s.Close()
	raw, outs := m.outputs()
	left := c.Data
	next := func(n int) []byte {
		b := left[:n]
		left = left[n:]
		return b
	}
	for k := range c.Samples + c.Vectors {
		if err := e.stopped(); err != nil {
			return err
		}
		var in [][]byte
		random := rand.New(rand.NewPCG(uint64(k), 1))
		for _, p := range m.Inputs {
			if k < c.Samples {
				in = append(in, runtime.Sample(p, k, random))
			} else {
				in = append(in, next(size(p.Shape)*p.Elem.Width()))
			}
		}
		if err := s.Run(in, raw); err != nil {
			return errorf("input %d: %w", k, err)
		}
		for _, got := range outs {
			want := got
			want.raw = next(len(got.raw))
			if i := firstDifference(got, want); i >= 0 {
				return differf("input %d, kernels %s: output %q: element %s: want %s, got %s", k, isa, got.name, got.at(i), want.text(i), got.text(i))
			}
		}
	}
	return nil
}

// firstDifference is the first element that has other bits, -1 where none has.
// Any NaN is equal to any other.
func firstDifference(got, want values) int {
	n := got.elem.Width()
	for i := range got.len() {
		if !bytes.Equal(got.raw[i*n:(i+1)*n], want.raw[i*n:(i+1)*n]) && !(got.isFloat() && math.IsNaN(got.float(i)) && math.IsNaN(want.float(i))) {
			return i
		}
	}
	return -1
}
