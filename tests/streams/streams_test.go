// Package streams_test compares the steps of causal networks with the networks on
// whole sequences: the result after every frame with that of the interpreter for a
// clip of the frames so far.
package streams_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/billnet/billnet/codegen/bytecode"
	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/passes"
	"github.com/billnet/billnet/passes/exact"
	"github.com/billnet/billnet/passes/pipeline"
	"github.com/billnet/billnet/passes/streaming"
	"github.com/billnet/billnet/runtime"
	"github.com/billnet/billnet/runtime/kernels"
	"github.com/billnet/billnet/tests/randgraph"
)

// lowered is the network of a seed where the pass that makes its step would take it.
func lowered(t testing.TB, seed uint64, frames int, exactly bool) *ir.Module {
	t.Helper()
	m := randgraph.Causal(seed, frames, exactly)
	steps := pipeline.Before(exact.LowerCumSum)
	if _, err := passes.Run(context.Background(), m, steps, passes.RunOptions{}); err != nil {
		t.Fatal(err)
	}
	return m
}

// finished is a step at the packed level.
func finished(t testing.TB, m *ir.Module) *ir.Module {
	t.Helper()
	all := pipeline.Default()
	rest := all[len(pipeline.Before(exact.LowerCumSum)):]
	if _, err := passes.Run(context.Background(), m, rest, passes.RunOptions{}); err != nil {
		t.Fatal(err)
	}
	return m
}

// video is random frames [3,T,H,W] of a clip's type.
func video(rng *rand.Rand, t ir.Type) *ir.Tensor {
	x := ir.NewTensor(t)
	for i := range x.Ints() {
		x.Ints()[i] = rng.Int64N(256)
	}
	return x
}

// part is frames of a clip [1,C,T,H,W].
func part(x *ir.Tensor, from, to int) *ir.Tensor {
	s := slices.Clone(x.Type.Shape)
	s[2] = to - from
	y := ir.NewTensor(ir.T(x.Type.DType, s...))
	size := s[3] * s[4]
	for c := range s[1] {
		copy(y.Ints()[c*s[2]*size:(c+1)*s[2]*size], x.Ints()[(c*x.Type.Shape[2]+from)*size:])
	}
	return y
}

func eval(t testing.TB, m *ir.Module, args ...*ir.Tensor) []*ir.Tensor {
	t.Helper()
	out, err := ir.Eval(context.Background(), m.Main(), args, nil)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// lastOf is what a network says of its last frame: the end of what it says of all.
func lastOf(want *ir.Tensor, n int) []float64 {
	list := make([]float64, n)
	for i := range list {
		list[i] = want.Float(want.Len() - n + i)
	}
	return list
}

func check(t *testing.T, frame int, got, want []float64) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Fatalf("after frame %d the step says %v, the network for a clip of so many %v", frame, got, want)
	}
}

// stepper evaluates a step with the interpreter, frame by frame.
func stepper(t *testing.T, m *ir.Module) func(frame *ir.Tensor) []*ir.Tensor {
	k := m.States()
	params := m.Main().Params
	var state []*ir.Tensor
	for _, p := range params[len(params)-k:] {
		state = append(state, ir.NewTensor(p.Value.Type))
	}
	return func(frame *ir.Tensor) []*ir.Tensor {
		out := eval(t, m, append([]*ir.Tensor{frame}, state...)...)
		state = out[len(out)-k:]
		return out[:len(out)-k]
	}
}

func floatsOf(x *ir.Tensor) []float64 { return lastOf(x, x.Len()) }

// TestRandom: the step of random causal networks, evaluated by the interpreter and on
// every instruction set, says after every frame what the network says of a clip of so
// many. The step is made of the network for one number of frames and stands for all.
func TestRandom(t *testing.T) {
	n := uint64(120)
	if testing.Short() {
		n = 40
	}
	for seed := range n {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			const most = 11
			exactly := seed%3 > 0
			rng := rand.New(rand.NewPCG(seed, 22))
			m := lowered(t, seed, 6, exactly)
			if err := streaming.Convert(m); err != nil {
				t.Fatal(err)
			}
			clip := video(rng, lowered(t, seed, most, exactly).Main().Params[0].Value.Type)
			step := stepper(t, m)
			want := make([][]float64, most)
			for f := range most {
				got := floatsOf(step(part(clip, f, f+1))[0])
				want[f] = lastOf(eval(t, lowered(t, seed, f+1, exactly), part(clip, 0, f+1))[0], len(got))
				check(t, f, got, want[f])
			}
			if !exactly {
				return
			}
			prog := load(t, finished(t, m))
			for _, isa := range kernels.Names() {
				for threads := 1; threads <= 2; threads++ {
					s, err := prog.NewSession(runtime.Options{ISA: isa, Threads: threads})
					if errors.Is(err, runtime.ErrISA) {
						continue
					}
					if err != nil {
						t.Fatal(err)
					}
					for range 2 { // again after Restart
						for f := range most {
							check(t, f, stepOf(t, s, clip, f, len(want[f])), want[f])
						}
						s.Restart()
					}
					s.Close()
				}
			}
		})
	}
}

func load(t testing.TB, m *ir.Module) *runtime.Program {
	t.Helper()
	img, _, err := bytecode.Generate(m, nil)
	if err != nil {
		t.Fatal(err)
	}
	file, err := img.Encode()
	if err != nil {
		t.Fatal(err)
	}
	prog, err := runtime.LoadBytes(file)
	if err != nil {
		t.Fatal(err)
	}
	return prog
}

// stepOf is the result of a session's next step.
func stepOf(t testing.TB, s *runtime.Session, clip *ir.Tensor, f, n int) []float64 {
	t.Helper()
	frame := part(clip, f, f+1)
	b := make([]byte, frame.Len())
	for i, v := range frame.Ints() {
		b[i] = byte(v)
	}
	if err := s.Step(b); err != nil {
		t.Fatal(err)
	}
	out := make([]float32, n)
	if err := s.Result(0, runtime.Bytes(out)); err != nil {
		t.Fatal(err)
	}
	list := make([]float64, n)
	for i, v := range out {
		list[i] = float64(v)
	}
	return list
}

// TestFiveHundred: after each of 500 frames the step says what the interpreter says of
// that frame in the whole sequence, and for some numbers of frames of a clip that ends
// there; it allocates nothing.
func TestFiveHundred(t *testing.T) {
	const most = 500
	for _, seed := range []uint64{2, 7, 13} {
		whole := lowered(t, seed, most, true)
		clip := video(rand.New(rand.NewPCG(seed, 23)), whole.Main().Params[0].Value.Type)
		m := lowered(t, seed, 16, true)
		if err := streaming.Convert(m); err != nil {
			t.Fatal(err)
		}
		all := eval(t, whole, clip)[0]
		per := all.Len()
		if strings.Contains(all.Type.String(), "[1,500,") {
			per /= most
		}
		s, err := load(t, finished(t, m)).NewSession(runtime.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		before := s.Memory()
		for f := range most {
			got := stepOf(t, s, clip, f, per)
			if per < all.Len() {
				check(t, f, got, lastOf(all, all.Len())[f*per:(f+1)*per])
			}
			if f%97 == 0 || f == most-1 {
				check(t, f, got, lastOf(eval(t, lowered(t, seed, f+1, true), part(clip, 0, f+1))[0], per))
			}
		}
		if after := s.Memory(); after != before {
			t.Errorf("memory went from %+v to %+v", before, after)
		}
		frame := make([]byte, clip.Len()/most)
		if n := testing.AllocsPerRun(10, func() { _ = s.Step(frame) }); n != 0 {
			t.Errorf("a step allocates %v times", n)
		}
	}
}
