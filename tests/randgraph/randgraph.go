// Package randgraph makes small random networks in the vocabulary in which
// exporters write BILLNETs, and compares what passes, bytecode and generated
// code make of them with the reference interpreter.
//
// A network is a chain of blocks behind a u8 or f32 input: convolutions with
// binary weights, norms, binary activations, pooling, gates, multiplexers,
// residuals, and a head that is a linear layer or an unrolled binary LSTM. The
// generator evaluates every node on one sample input as it appends it, and
// takes thresholds from the values that it sees there: accumulators that lie
// exactly on a threshold are common.
//
// Everything follows from the random numbers: the same seed and Config give the
// same module.
package randgraph

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/billnet/billnet/ir"
)

// Features that Config.Without can leave out.
const (
	FloatInput   = "float-input"   // an f32 input: its first convolution stays float
	InputScale   = "input-scale"   // u8/255 and the like: class ideal
	WeightScale  = "weight-scale"  // weights scaled per channel: class ideal
	Ternary      = "ternary"       // weights with zeros
	Signed       = "signed"        // activations -1 and +1
	Sign         = "sign"          // activations -1, 0 and +1
	Batch        = "batch"         // two clips at once
	LowRank      = "low-rank"      // one or two spatial axes
	OrSum        = "or-sum"        // OR as f + x - f*x
	OrClip       = "or-clip"       // OR as clip(f + x, 0, 1)
	MuxWhere     = "mux-where"     // a multiplexer as where(bool, a, b)
	FloatLSTM    = "float-lstm"    // a float LSTM behind the mean
	SecondInput  = "second-input"  // two inputs, concatenated
	SumConcat    = "sum-concat"    // integer sums concatenated in front of the norm
	PoolDilation = "pool-dilation" // dilated pooling
	InnerBias    = "inner-bias"    // a bias between a convolution and a pool or another convolution
	State        = "state"         // a binary LSTM that does not start at zero
	SumResidual  = "sum-residual"  // a residual that adds
	FloatStream  = "float-stream"  // a residual stream of floats around binary layers
	Padding      = "padding"       // padding in a node of its own
	FewBits      = "few-bits"      // activations of 2 to 8 bits
	RealMean     = "real-mean"     // the mean of a norm: class ideal
)

// Config limits what New makes. The zero Config allows everything.
type Config struct {
	Without []string // features to leave out
	Blocks  int      // most blocks between input and head; 0 means 4
	Taps    bool     // every activation is a result of the module too
}

// Seed returns the module of a seed: half of the seeds keep to exact
// networks on video, so that no rounding and no unusual shape hides a
// difference behind it.
func Seed(seed uint64, c Config) *ir.Module {
	rng := rand.New(rand.NewPCG(seed, 0x62696c6c))
	if seed%2 == 0 {
		c.Without = append(slices.Clone(c.Without), FloatInput, InputScale, WeightScale, Sign, Batch, LowRank, OrSum, OrClip, FloatLSTM, InnerBias, State, RealMean)
	}
	c.Taps = c.Taps || seed%4 == 3
	m := New(rng, c)
	m.Name = fmt.Sprintf("seed %d", seed)
	return m
}

// New returns a random module at the source level. It panics when the
// interpreter refuses what it made, which is a fault of this package or of ir.
func New(rng *rand.Rand, c Config) *ir.Module {
	if c.Blocks == 0 {
		c.Blocks = 4
	}
	f := &ir.Func{Name: "main"}
	g := &gen{rng: rng, c: c, f: f, sample: map[*ir.Value]*ir.Tensor{}}
	x := g.stem()
	for range 1 + g.n(c.Blocks) {
		x = g.block(x)
	}
	g.head(x)
	for i, v := range g.results {
		f.Results = append(f.Results, ir.Port{Name: fmt.Sprintf("y%d", i), Value: v})
	}
	f.RemoveDead()
	m := &ir.Module{Name: "random", Level: ir.Source, Funcs: []*ir.Func{f}}
	if err := ir.Verify(m); err != nil {
		panic(fmt.Sprintf("randgraph: the module is not well formed: %v", err))
	}
	return m
}

// gen is the state of one generation.
type gen struct {
	rng     *rand.Rand
	c       Config
	f       *ir.Func
	sample  map[*ir.Value]*ir.Tensor // what every value is for the sample input
	results []*ir.Value
}

// act is a binary activation as a float: 0 and 1, or -1 and +1.
type act struct {
	v      *ir.Value
	signed bool
}

func (g *gen) n(n int) int              { return g.rng.IntN(n) }
func (g *gen) p(p float64) bool         { return g.rng.Float64() < p }
func (g *gen) has(feature string) bool  { return !slices.Contains(g.c.Without, feature) }
func (g *gen) between(lo, hi int) int   { return lo + g.n(hi-lo+1) }
func pick[T any](g *gen, list ...T) T   { return list[g.n(len(list))] }
func (g *gen) result(v *ir.Value)       { g.results = append(g.results, v) }
func (g *gen) shape(v *ir.Value) []int  { return v.Type.Shape }
func (g *gen) spatial(v *ir.Value) int  { return v.Type.Rank() - 2 }
func (g *gen) channels(v *ir.Value) int { return v.Type.Shape[1] }

// op appends a node, evaluates it on the sample, and returns its first result.
func (g *gen) op(op *ir.Op, attrs map[string]any, args ...*ir.Value) *ir.Value {
	return g.node(op, attrs, args...).Result()
}

func (g *gen) node(op *ir.Op, attrs map[string]any, args ...*ir.Value) *ir.Node {
	n, err := ir.NewNode(op, args, attrs, ir.Loc{Name: fmt.Sprintf("n%d", len(g.f.Nodes))})
	if err != nil {
		panic(fmt.Sprintf("randgraph: %v", err))
	}
	in := make([]*ir.Tensor, len(args))
	for i, a := range args {
		if a != nil {
			in[i] = g.sample[a]
		}
	}
	out, err := ir.EvalNode(n, in)
	if err != nil {
		panic(fmt.Sprintf("randgraph: %s: %v", op.Name, err))
	}
	for i, r := range n.Results {
		g.sample[r] = out[i]
	}
	g.f.Nodes = append(g.f.Nodes, n)
	return n
}

func (g *gen) tensor(t *ir.Tensor) *ir.Value {
	n := ir.NewConst(t, ir.Loc{Name: fmt.Sprintf("n%d", len(g.f.Nodes))})
	g.f.Nodes = append(g.f.Nodes, n)
	g.sample[n.Result()] = t
	return n.Result()
}

func (g *gen) scalar(x float64) *ir.Value { return g.tensor(ir.Scalar(ir.F32, x)) }

// floats makes a constant of the given shape with elements f(i).
func (g *gen) floats(f func(i int) float32, shape ...int) *ir.Value {
	data := make([]float32, ir.T(ir.F32, shape...).Elems())
	for i := range data {
		data[i] = f(i)
	}
	return g.tensor(ir.FloatTensor(data, shape...))
}

// perChannel makes a constant [1,C,1,...] for maps of x's rank, or with the
// leading 1 left out.
func (g *gen) perChannel(x *ir.Value, f func(c int) float32) *ir.Value {
	shape := []int{g.channels(x)}
	for range g.spatial(x) {
		shape = append(shape, 1)
	}
	if g.p(0.7) {
		shape = append([]int{1}, shape...)
	}
	return g.floats(f, shape...)
}

// stem makes the inputs and the first binary activation.
func (g *gen) stem() act {
	rank := 3
	if g.has(LowRank) && g.p(0.3) {
		rank = g.between(1, 2)
	}
	shape := []int{1, g.between(1, 4)}
	if g.has(Batch) && g.p(0.15) {
		shape[0] = 2
	}
	if g.p(0.1) {
		shape[1] = pick(g, 7, 9)
	}
	for a := range rank {
		most := []int{9, 6, 4}[rank-1-a]
		if a == rank-1 {
			most = pick(g, 9, 9, 20)
			if g.p(0.04) {
				most = 140
			}
		}
		shape = append(shape, g.between(1, most))
	}
	if g.p(0.3) { // even sizes, so that strides and pools fit
		for a := 2; a < len(shape); a++ {
			shape[a] = 4
		}
	}
	x := g.input("x", shape)
	if g.has(SecondInput) && g.p(0.1) {
		s := slices.Clone(shape)
		s[1] = g.between(1, 3)
		x = g.op(ir.Concat, map[string]any{"axis": 1}, x, g.input("x2", s))
	}
	if g.p(0.1) { // a comparison of the input itself
		return g.activation(x)
	}
	return g.activation(g.norm(g.conv(x, false)))
}

// input adds a parameter and brings it to f32.
func (g *gen) input(name string, shape []int) *ir.Value {
	d := ir.U8
	if g.has(FloatInput) && g.p(0.1) {
		d = ir.F32
	}
	p := &ir.Value{Type: ir.T(d, shape...)}
	g.f.Params = append(g.f.Params, ir.Port{Name: name, Value: p})
	t := ir.NewTensor(p.Type)
	most := pick(g, 2, 256)
	for i := range t.Len() {
		if d == ir.F32 {
			t.Floats()[i] = float32(g.rng.NormFloat64())
		} else {
			t.Ints()[i] = int64(g.n(most))
		}
	}
	g.sample[p] = t
	if d == ir.F32 {
		return p
	}
	x := g.op(ir.Cast, map[string]any{"to": "f32"}, p)
	if g.has(InputScale) && g.p(0.1) { // normalised
		return g.op(ir.Div, nil, g.op(ir.Sub, nil, g.op(ir.Mul, nil, x, g.scalar(1.0/255)), g.perChannel(x, func(int) float32 { return g.rng.Float32() })), g.scalar(0.25))
	}
	if g.has(InputScale) && g.p(0.4) {
		if g.p(0.5) {
			return g.op(ir.Div, nil, x, g.scalar(255))
		}
		s := g.scalar(pick(g, 1.0/255, 0.25, -0.01))
		if g.p(0.5) {
			return g.op(ir.Mul, nil, s, x)
		}
		return g.op(ir.Mul, nil, x, s)
	}
	return x
}
