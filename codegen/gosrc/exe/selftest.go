//go:build ignore

package main

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"

	"github.com/billnet/billnet/network"
	"github.com/billnet/billnet/runtime"
)

// selftestCmd checks this program on this machine.
type selftestCmd struct {
	JSON bool
	engine
}

func declareSelftest(f *flags) runner {
	c := &selftestCmd{engine: engine{Threads: 1, ISA: "all"}}
	f.on(&c.JSON, "json", "As one JSON object.")
	f.count(&c.Threads, "threads", "N", "Threads that share the work of one run (default 1).")
	f.text(&c.ISA, "isa", "NAME", "Kernels to check: generic, avx2, avx512, best or all (the default).")
	return c
}

func (c *selftestCmd) Run(e *env) error {
	sets := isas()
	if c.ISA != "all" {
		sets = []string{c.ISA}
	}
	m, err := loadModel("")
	if err != nil {
		return err
	}
	thresholds, err := network.CheckThresholds()
	if err != nil {
		return &fail{exitDiffer, err.Error()}
	}
	for _, isa := range sets {
		if err := c.vectors(e, m, isa); err != nil {
			return err
		}
	}
	if c.JSON {
		e.printJSON(func(w *jsonWriter) {
			w.key("vectors").int(sampleCount + vectorCount)
			w.key("kernels").array(len(sets), func(i int) { w.string(sets[i]) })
			w.key("thresholds").int(thresholds)
		})
		return nil
	}
	fmt.Fprintf(e.stdout, "ok: %d inputs give the recorded outputs with kernels %s; %d thresholds are those of the certificate\n",
		sampleCount+vectorCount, strings.Join(sets, ", "), thresholds)
	return nil
}

// vectors runs all inputs with a set of kernels.
func (c *selftestCmd) vectors(e *env, m *model, isa string) error {
	s, err := engine{c.Threads, isa}.session(m, false)
	if err != nil {
		return err
	}
	defer s.Close()
	raw, outs := m.outputs()
	left := golden
	next := func(n int) []byte {
		b := left[:n]
		left = left[n:]
		return b
	}
	for k := range sampleCount + vectorCount {
		if err := e.stopped(); err != nil {
			return err
		}
		var in [][]byte
		random := rand.New(rand.NewPCG(uint64(k), 1))
		for _, p := range m.prog.Inputs() {
			if k < sampleCount {
				in = append(in, runtime.Sample(p, k, random))
			} else {
				in = append(in, next(size(p.Shape)*p.Elem.Width()))
			}
		}
		if err := s.Run(in, raw); err != nil {
			return fmt.Errorf("input %d: %w", k, err)
		}
		for _, got := range outs {
			want := got
			want.raw = next(len(got.raw))
			if i := firstDifference(got, want); i >= 0 {
				return &fail{exitDiffer, fmt.Sprintf("input %d, kernels %s: output %q: element %s: want %s, got %s", k, isa, got.name, got.at(i), want.text(i), got.text(i))}
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
