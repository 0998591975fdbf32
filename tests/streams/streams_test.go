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
)

type attrs = map[string]any

// net builds a random causal network for a number of frames: the same one, weights
// and all, whatever the number.
type net struct {
	ir.Builder
	rng    *rand.Rand
	frames int
	x      *ir.Value // map [1,C,T,H,W], bits in float where bits is set
	bits   bool
}

func (n *net) tensor(f func() float64, shape ...int) *ir.Value {
	t := ir.NewTensor(ir.T(ir.F32, shape...))
	for i := range t.Len() {
		t.SetFloat(i, f())
	}
	return n.Const(t)
}

func (n *net) normal() float64 { return n.rng.NormFloat64() }
func (n *net) sign() float64   { return float64(2*n.rng.IntN(2) - 1) }
func (n *net) channels() int   { return n.x.Type.Shape[1] }

// norm is a batch norm and an activation: bits, signs or a ReLU.
func (n *net) norm(signs bool) {
	c := n.channels()
	n.x = n.Op(ir.BatchNorm, nil, n.x, n.tensor(n.normal, c), n.tensor(n.normal, c), n.tensor(n.normal, c), n.tensor(func() float64 { return 4 + n.rng.Float64() }, c))
	zero, one, minus := n.Scalar(0), n.Scalar(1), n.Scalar(-1)
	if signs {
		n.x = n.Op(ir.Where, nil, n.Op(ir.GreaterOrEqual, nil, n.x, zero), one, minus)
	} else {
		n.x = n.Op(ir.Cast, attrs{"to": "f32"}, n.Op(ir.Greater, nil, n.x, zero))
	}
	n.bits = !signs
}

// conv is a binary convolution that sees the past, padded by itself or in front.
func (n *net) conv(to int) {
	k, d := 1+n.rng.IntN(3), 1+n.rng.IntN(2)
	s, back := 1, (k-1)*d
	if n.x.Type.Shape[3] > 4 {
		s = 1 + n.rng.IntN(2)
	}
	groups := 1
	if n.rng.IntN(2) == 0 && n.channels()%4 == 0 && to%4 == 0 {
		groups = 4
	}
	w := n.tensor(n.sign, to, n.channels()/groups, k, 3, 3)
	pad := []int{back, 1, 1, 0, 1, 1}
	if n.rng.IntN(2) == 0 && back > 0 {
		n.x = n.Op(ir.Pad, attrs{"pads": []int{0, 0, back, 0, 0, 0, 0, 0, 0, 0}}, n.x)
		pad[0] = 0
	}
	n.x = n.Op(ir.Conv, attrs{"groups": groups, "stride": []int{1, s, s}, "pad": pad, "dilation": []int{d, 1, 1}}, n.x, w)
}

// gate joins a block with its input, by a share of ones in the frame or in all frames so far.
func (n *net) gate() {
	x := n.x
	shape := x.Type.Shape
	sum := n.Op(ir.ReduceSum, attrs{"axes": []int{3, 4}}, x)
	area := float64(shape[3] * shape[4])
	share := n.Op(ir.Div, nil, sum, n.Scalar(area))
	if n.rng.IntN(3) > 0 {
		seen := ir.NewTensor(ir.T(ir.F32, 1, 1, n.frames, 1, 1))
		for t := range n.frames {
			seen.Floats()[t] = float32(area) * float32(t+1)
		}
		share = n.Op(ir.Div, nil, n.Op(ir.CumSum, attrs{"axis": 2}, sum), n.Const(seen))
	}
	over := n.Op(ir.Sub, nil, share, n.tensor(func() float64 { return 0.3 + 0.4*n.rng.Float64() }, 1, shape[1], 1, 1, 1))
	s := n.Op(ir.Cast, attrs{"to": "f32"}, n.Op(ir.Greater, nil, over, n.Scalar(0)))
	k := n.rng.IntN(3)
	n.x = n.Op(ir.Conv, attrs{"pad": []int{k, 1, 1, 0, 1, 1}}, x, n.tensor(n.sign, shape[1], shape[1], k+1, 3, 3))
	n.norm(false)
	f, sx := n.x, n.Op(ir.Mul, nil, s, x)
	n.x = n.Op(ir.Sub, nil, n.Op(ir.Add, nil, f, sx), n.Op(ir.Mul, nil, f, sx))
}

// late is the map some frames before.
func (n *net) late() {
	d := min(1+n.rng.IntN(2), n.frames)
	n.x = n.Op(ir.Pad, attrs{"pads": []int{0, 0, d, 0, 0, 0, 0, -d, 0, 0}}, n.x)
}

// build makes the network of a seed. exactly leaves out layers whose kernels are not those of the interpreter to the bit.
func build(seed uint64, frames int, exactly bool) *ir.Module {
	rng := rand.New(rand.NewPCG(seed, 21))
	h, w := 5+rng.IntN(6), 4+rng.IntN(9)
	clip := &ir.Value{Type: ir.T(ir.U8, 1, 3, frames, h, w)}
	f := &ir.Func{Name: "main", Params: []ir.Port{{Name: "clip", Value: clip}}}
	n := &net{Builder: ir.Builder{F: f}, rng: rng, frames: frames}
	at := func(what string) { n.Loc = ir.Loc{Name: fmt.Sprintf("%s.%d", what, len(f.Nodes))} }
	at("stem")
	n.x = n.Op(ir.Div, nil, n.Op(ir.Cast, attrs{"to": "f32"}, clip), n.Scalar(255))
	n.conv(4 * (1 + rng.IntN(3)))
	n.norm(false)
	for range 1 + rng.IntN(3) {
		switch rng.IntN(5) {
		case 0, 1:
			at("conv")
			n.conv(4 * (1 + rng.IntN(4)))
			n.norm(rng.IntN(3) == 0)
		case 2:
			if n.bits {
				at("gate")
				n.gate()
			}
		case 3:
			if n.bits {
				at("late")
				n.late()
			}
		case 4:
			if s := n.x.Type.Shape; s[3] > 1 && s[4] > 1 {
				at("pool")
				n.x = n.Op(ir.MaxPool, attrs{"kernel": []int{1, 2, 2}, "stride": []int{1, 2, 2}}, n.x)
			}
		}
	}
	at("features")
	c := n.channels()
	v := n.Op(ir.ReduceMean, attrs{"axes": []int{3, 4}, "keepdims": false}, n.x)
	var y *ir.Value
	switch kind := rng.IntN(4); {
	case kind == 0 && !exactly:
		at("gru")
		seq := n.Op(ir.Transpose, attrs{"perm": []int{2, 0, 1}}, v)
		y = n.Node(ir.GRU, attrs{}, seq, n.tensor(n.normal, 1, 9, c), n.tensor(n.normal, 1, 9, 3)).Results[0]
		y = n.Op(ir.Reshape, attrs{"shape": []int{frames, 3}}, y)
	case kind == 1 && !exactly:
		at("lstm")
		seq := n.Op(ir.Transpose, attrs{"perm": []int{2, 0, 1}}, v)
		y = n.Node(ir.LSTM, attrs{}, seq, n.tensor(n.normal, 1, 12, c), n.tensor(n.normal, 1, 12, 3)).Results[1]
	case kind == 2:
		at("last")
		y = n.Op(ir.Slice, attrs{"starts": []int{frames - 1}, "ends": []int{frames}, "axes": []int{2}}, v)
	default:
		at("bits")
		n.x = v
		n.norm(false)
		y = n.Op(ir.MatMul, nil, n.Op(ir.Transpose, attrs{"perm": []int{0, 2, 1}}, n.x), n.tensor(n.normal, c, 3))
	}
	f.Results = []ir.Port{{Name: "y", Value: y}}
	if n.Err != nil {
		panic(n.Err)
	}
	return &ir.Module{Name: "net", Level: ir.Source, Meta: map[string]string{}, Funcs: []*ir.Func{f}}
}

// lowered is the network of a seed where the pass that makes its step would take it.
func lowered(t testing.TB, seed uint64, frames int, exactly bool) *ir.Module {
	t.Helper()
	m := build(seed, frames, exactly)
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
