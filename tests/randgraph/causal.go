package randgraph

import (
	"fmt"
	"math/rand/v2"

	"github.com/billnet/billnet/ir"
)

// causal builds a random causal network for a number of frames: the same one, weights
// and all, whatever the number.
type causal struct {
	ir.Builder
	rng    *rand.Rand
	frames int
	x      *ir.Value // map [1,C,T,H,W], bits in float where bits is set
	bits   bool
}

func (n *causal) tensor(f func() float64, shape ...int) *ir.Value {
	t := ir.NewTensor(ir.T(ir.F32, shape...))
	for i := range t.Len() {
		t.SetFloat(i, f())
	}
	return n.Const(t)
}

func (n *causal) normal() float64 { return n.rng.NormFloat64() }
func (n *causal) sign() float64   { return float64(2*n.rng.IntN(2) - 1) }
func (n *causal) channels() int   { return n.x.Type.Shape[1] }

// norm is a batch norm and an activation: bits, signs or a ReLU.
func (n *causal) norm(signs bool) {
	c := n.channels()
	n.x = n.Op(ir.BatchNorm, nil, n.x, n.tensor(n.normal, c), n.tensor(n.normal, c), n.tensor(n.normal, c), n.tensor(func() float64 { return 4 + n.rng.Float64() }, c))
	zero, one, minus := n.Scalar(0), n.Scalar(1), n.Scalar(-1)
	if signs {
		n.x = n.Op(ir.Where, nil, n.Op(ir.GreaterOrEqual, nil, n.x, zero), one, minus)
	} else {
		n.x = n.Op(ir.Cast, map[string]any{"to": "f32"}, n.Op(ir.Greater, nil, n.x, zero))
	}
	n.bits = !signs
}

// conv is a binary convolution that sees the past, padded by itself or in front.
func (n *causal) conv(to int) {
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
		n.x = n.Op(ir.Pad, map[string]any{"pads": []int{0, 0, back, 0, 0, 0, 0, 0, 0, 0}}, n.x)
		pad[0] = 0
	}
	n.x = n.Op(ir.Conv, map[string]any{"groups": groups, "stride": []int{1, s, s}, "pad": pad, "dilation": []int{d, 1, 1}}, n.x, w)
}

// gate joins a block with its input, by a share of ones in the frame or in all frames so far.
func (n *causal) gate() {
	x := n.x
	shape := x.Type.Shape
	sum := n.Op(ir.ReduceSum, map[string]any{"axes": []int{3, 4}}, x)
	area := float64(shape[3] * shape[4])
	share := n.Op(ir.Div, nil, sum, n.Scalar(area))
	if n.rng.IntN(3) > 0 {
		seen := ir.NewTensor(ir.T(ir.F32, 1, 1, n.frames, 1, 1))
		for t := range n.frames {
			seen.Floats()[t] = float32(area) * float32(t+1)
		}
		share = n.Op(ir.Div, nil, n.Op(ir.CumSum, map[string]any{"axis": 2}, sum), n.Const(seen))
	}
	over := n.Op(ir.Sub, nil, share, n.tensor(func() float64 { return 0.3 + 0.4*n.rng.Float64() }, 1, shape[1], 1, 1, 1))
	s := n.Op(ir.Cast, map[string]any{"to": "f32"}, n.Op(ir.Greater, nil, over, n.Scalar(0)))
	k := n.rng.IntN(3)
	n.x = n.Op(ir.Conv, map[string]any{"pad": []int{k, 1, 1, 0, 1, 1}}, x, n.tensor(n.sign, shape[1], shape[1], k+1, 3, 3))
	n.norm(false)
	f, sx := n.x, n.Op(ir.Mul, nil, s, x)
	n.x = n.Op(ir.Sub, nil, n.Op(ir.Add, nil, f, sx), n.Op(ir.Mul, nil, f, sx))
}

// late is the map some frames before.
func (n *causal) late() {
	d := min(1+n.rng.IntN(2), n.frames)
	n.x = n.Op(ir.Pad, map[string]any{"pads": []int{0, 0, d, 0, 0, 0, 0, -d, 0, 0}}, n.x)
}

// Causal is the causal network of a seed at the source level, for clips of so many frames. exactly leaves out layers whose kernels are not those of the interpreter to the bit.
func Causal(seed uint64, frames int, exactly bool) *ir.Module {
	rng := rand.New(rand.NewPCG(seed, 21))
	h, w := 5+rng.IntN(6), 4+rng.IntN(9)
	clip := &ir.Value{Type: ir.T(ir.U8, 1, 3, frames, h, w)}
	f := &ir.Func{Name: "main", Params: []ir.Port{{Name: "clip", Value: clip}}}
	n := &causal{Builder: ir.Builder{F: f}, rng: rng, frames: frames}
	at := func(what string) { n.Loc = ir.Loc{Name: fmt.Sprintf("%s.%d", what, len(f.Nodes))} }
	at("stem")
	n.x = n.Op(ir.Div, nil, n.Op(ir.Cast, map[string]any{"to": "f32"}, clip), n.Scalar(255))
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
				n.x = n.Op(ir.MaxPool, map[string]any{"kernel": []int{1, 2, 2}, "stride": []int{1, 2, 2}}, n.x)
			}
		}
	}
	at("features")
	c := n.channels()
	v := n.Op(ir.ReduceMean, map[string]any{"axes": []int{3, 4}, "keepdims": false}, n.x)
	var y *ir.Value
	switch kind := rng.IntN(4); {
	case kind == 0 && !exactly:
		at("gru")
		seq := n.Op(ir.Transpose, map[string]any{"perm": []int{2, 0, 1}}, v)
		y = n.Node(ir.GRU, map[string]any{}, seq, n.tensor(n.normal, 1, 9, c), n.tensor(n.normal, 1, 9, 3)).Results[0]
		y = n.Op(ir.Reshape, map[string]any{"shape": []int{frames, 3}}, y)
	case kind == 1 && !exactly:
		at("lstm")
		seq := n.Op(ir.Transpose, map[string]any{"perm": []int{2, 0, 1}}, v)
		y = n.Node(ir.LSTM, map[string]any{}, seq, n.tensor(n.normal, 1, 12, c), n.tensor(n.normal, 1, 12, 3)).Results[1]
	case kind == 2:
		at("last")
		y = n.Op(ir.Slice, map[string]any{"starts": []int{frames - 1}, "ends": []int{frames}, "axes": []int{2}}, v)
	default:
		at("bits")
		n.x = v
		n.norm(false)
		y = n.Op(ir.MatMul, nil, n.Op(ir.Transpose, map[string]any{"perm": []int{0, 2, 1}}, n.x), n.tensor(n.normal, c, 3))
	}
	f.Results = []ir.Port{{Name: "y", Value: y}}
	if n.Err != nil {
		panic(n.Err)
	}
	return &ir.Module{Name: "net", Level: ir.Source, Meta: map[string]string{}, Funcs: []*ir.Func{f}}
}
