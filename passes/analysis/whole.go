package analysis

import (
	"math"
	"slices"

	"github.com/billnet/billnet/ir"
)

// Whole is a float value of a source graph seen as whole numbers k:
//
//	value = scale[c]*k + offset[c], or scale[c]*max(k, 0) with relu,
//
// c the index on axis. scale has one entry for all or one a channel and is
// positive; offset is nil for none. lo and hi bound k.
type Whole struct {
	K             *ir.Value // f32
	Axis          int
	Scale, Offset []float64
	ReLU          bool
	Lo, Hi        int64
	Sums          bool // k is a sum that a quantized layer gave
}

// Proportional reports whether 0 stands for 0, so that padding, ReLU and max
// pooling may act on k.
func (w *Whole) Proportional() bool { return w.Offset == nil }

// Bytes reports whether k fits u8 or i8, so that it needs no quantizer.
func (w *Whole) Bytes() bool {
	return !w.ReLU && (w.Lo >= 0 && w.Hi <= math.MaxUint8 || w.Lo >= math.MinInt8 && w.Hi <= math.MaxInt8)
}

// Wholes finds whole numbers in a source graph: what an exporter's casts,
// comparisons and gates give, video behind its normalisation, and what the
// caller has put in. It appends what it needs through the builder.
type Wholes struct {
	*ir.Builder
	Known map[*ir.Value]*Whole
}

// NewWholes returns a finder that appends to b, with values that the caller knows.
func NewWholes(b *ir.Builder, known map[*ir.Value]*Whole) *Wholes { return &Wholes{b, known} }

// Of returns what a value is, nil when it is no whole numbers.
func (q *Wholes) Of(v *ir.Value) *Whole {
	if w, ok := q.Known[v]; ok {
		return w
	}
	w := q.find(v)
	q.Known[v] = w
	return w
}

func (q *Wholes) find(v *ir.Value) *Whole {
	n := ir.Def(v)
	if n == nil || v.Type.DType != ir.F32 {
		return nil
	}
	plain := func(lo, hi int64) *Whole { return &Whole{K: v, Scale: []float64{1}, Lo: lo, Hi: hi} }
	switch n.Op {
	case ir.Cast, ir.ToFloat:
		switch d := n.In(0).DType; d {
		case ir.Bool, ir.U8, ir.I8, ir.U16, ir.I16, ir.Bit, ir.SBit, ir.Tern:
			return plain(d.Range())
		}
	case ir.Sign:
		return plain(-1, 1)
	case ir.Where:
		a, okA := ir.Splat(n.Args[1])
		b, okB := ir.Splat(n.Args[2])
		if okA && okB && a == math.Trunc(a) && b == math.Trunc(b) && math.Max(math.Abs(a), math.Abs(b)) < ExactFloat {
			return plain(int64(min(a, b)), int64(max(a, b)))
		}
	case ir.Add, ir.Sub, ir.Mul, ir.Div:
		return q.arithmetic(v, n)
	case ir.Max, ir.Min:
		return q.ofPair(v, n)
	case ir.BatchNorm:
		return q.norm(n)
	case ir.Relu, ir.MaxPool:
		return q.monotone(n)
	case ir.Concat:
		return q.concat(n)
	case ir.ReduceSum:
		return q.sum(n)
	}
	if MovesElements(n) {
		return q.moved(n)
	}
	return nil
}

// arithmetic handles a constant factor or summand, and two plain operands.
func (q *Wholes) arithmetic(v *ir.Value, n *ir.Node) *Whole {
	for i := range 2 {
		c := ir.ConstOf(n.Args[1-i])
		if c == nil || i == 1 && n.Is(ir.Div) {
			continue
		}
		w := q.Of(n.Args[i])
		if w == nil || !ir.SameShape(w.K.Type.Shape, v.Type.Shape) {
			return nil
		}
		axis, values, ok := AlongAxis(c, v.Type.Shape)
		if !ok {
			return nil
		}
		switch n.Op {
		case ir.Mul:
			return w.affine(axis, values, nil)
		case ir.Div:
			for j := range values {
				values[j] = 1 / values[j]
			}
			return w.affine(axis, values, nil)
		case ir.Sub:
			if i == 1 {
				return nil
			}
			for j := range values {
				values[j] = -values[j]
			}
		}
		return w.affine(axis, []float64{1}, values)
	}
	return q.ofPair(v, n)
}

// ofPair bounds an operation of two values that are whole numbers themselves.
func (q *Wholes) ofPair(v *ir.Value, n *ir.Node) *Whole {
	if len(n.Args) != 2 || n.Is(ir.Div) {
		return nil
	}
	a, b := q.Of(n.Args[0]), q.Of(n.Args[1])
	if a == nil || b == nil || a.K != n.Args[0] || b.K != n.Args[1] || a.Sums || b.Sums {
		return nil
	}
	lo, hi := PairBounds(n.Op, a.Lo, a.Hi, b.Lo, b.Hi)
	if !ExactRange(lo, hi) {
		return nil
	}
	return &Whole{K: v, Scale: []float64{1}, Lo: lo, Hi: hi}
}

// norm handles a batch norm with constant parameters.
func (q *Wholes) norm(n *ir.Node) *Whole {
	f, ok := NormAffine(n)
	if !ok {
		return nil
	}
	w := q.Of(n.Args[0])
	if w == nil {
		return nil
	}
	return w.affine(1, f.Scale, f.Offset)
}

// affine returns w times scale plus offset, each one number or one a channel of
// axis; nil where that is not of the form.
func (w *Whole) affine(axis int, scale, offset []float64) *Whole {
	if w.ReLU || len(w.Scale)+len(w.Offset) > 2 && max(len(scale), len(offset)) > 1 && w.Axis != axis {
		return nil
	}
	for _, s := range scale {
		if !(s > 0) || math.IsInf(s, 0) {
			return nil
		}
	}
	out := *w
	if max(len(scale), len(offset)) > 1 {
		out.Axis = axis
	}
	out.Scale, out.Offset = Zip(w.Scale, scale, func(a, b float64) float64 { return a * b }), nil
	if w.Offset != nil {
		out.Offset = Zip(w.Offset, scale, func(a, b float64) float64 { return a * b })
	}
	if offset != nil {
		if out.Offset == nil {
			out.Offset = []float64{0}
		}
		out.Offset = Zip(out.Offset, offset, func(a, b float64) float64 { return a + b })
	}
	return &out
}

// Zip combines two lists, of which either may have one entry for all.
func Zip(a, b []float64, f func(a, b float64) float64) []float64 {
	out := make([]float64, max(len(a), len(b)))
	for i := range out {
		out[i] = f(a[min(i, len(a)-1)], b[min(i, len(b)-1)])
	}
	return out
}

// monotone moves a ReLU or a max pool onto k.
func (q *Wholes) monotone(n *ir.Node) *Whole {
	w := q.Of(n.Args[0])
	if w == nil || !w.Proportional() || len(n.Results) != 1 || n.Is(ir.MaxPool) && !PoolsElements(n) {
		return nil
	}
	out := *w
	if n.Is(ir.Relu) && w.Sums {
		out.ReLU = true // a quantizer behind it saturates at 0
		return &out
	}
	if n.Is(ir.Relu) {
		out.Lo, out.Hi = max(w.Lo, 0), max(w.Hi, 0)
	}
	out.K = q.again(n, w)
	return &out
}

// again is the operation of n over k; n's own result where that is the same.
func (q *Wholes) again(n *ir.Node, w *Whole) *ir.Value {
	if w.K == n.Args[0] {
		return n.Result()
	}
	return q.Op(n.Op, n.Attrs, append([]*ir.Value{w.K}, n.Args[1:]...)...)
}

// moved moves the elements of k.
func (q *Wholes) moved(n *ir.Node) *Whole {
	w := q.Of(n.Args[0])
	if w == nil || len(n.Results) != 1 {
		return nil
	}
	out := *w
	if max(len(w.Scale), len(w.Offset)) > 1 {
		from, to := n.In(0).Shape, n.Result().Type.Shape
		switch {
		case n.Is(ir.Transpose) && len(n.Ints("perm")) > 0:
			out.Axis = slices.Index(n.Ints("perm"), w.Axis)
		case n.Is(ir.Reshape) || n.Is(ir.Squeeze) || n.Is(ir.Unsqueeze) || n.Is(ir.Identity):
			// A channel becomes one or more neighbours on the same axis.
			if len(to) <= w.Axis || !slices.Equal(from[:w.Axis], to[:w.Axis]) || from[w.Axis] == 0 || to[w.Axis]%from[w.Axis] != 0 {
				return nil
			}
			times := to[w.Axis] / from[w.Axis]
			out.Scale, out.Offset = repeatEach(w.Scale, times), repeatEach(w.Offset, times)
		default:
			return nil
		}
	}
	out.K = q.again(n, w)
	return &out
}

// repeatEach repeats every entry, but for one that serves all.
func repeatEach(v []float64, times int) []float64 {
	if len(v) < 2 {
		return v
	}
	out := make([]float64, 0, len(v)*times)
	for _, x := range v {
		for range times {
			out = append(out, x)
		}
	}
	return out
}

// concat joins values of one scale.
func (q *Wholes) concat(n *ir.Node) *Whole {
	var out *Whole
	args := make([]*ir.Value, len(n.Args))
	same := true
	for i, a := range n.Args {
		w := q.Of(a)
		if w == nil || w.ReLU || w.Sums || w.Offset != nil || len(w.Scale) != 1 {
			return nil
		}
		if out == nil {
			c := *w
			out = &c
		}
		if w.Scale[0] != out.Scale[0] {
			return nil
		}
		out.Lo, out.Hi = min(out.Lo, w.Lo), max(out.Hi, w.Hi)
		args[i], same = w.K, same && w.K == a
	}
	if out.K = n.Result(); !same {
		out.K = q.Op(ir.Concat, n.Attrs, args...)
	}
	return out
}

// sum adds up values of one scale, as long as float32 holds the sum.
func (q *Wholes) sum(n *ir.Node) *Whole {
	w := q.Of(n.Args[0])
	if w == nil || w.ReLU || w.Offset != nil || len(w.Scale) != 1 || n.Result().Type.Elems() == 0 {
		return nil
	}
	count := int64(n.In(0).Elems() / n.Result().Type.Elems())
	if count >= ExactFloat || !ExactRange(w.Lo*count, w.Hi*count) {
		return nil
	}
	return &Whole{K: q.again(n, w), Scale: w.Scale, Lo: min(w.Lo*count, 0), Hi: max(w.Hi*count, 0), Sums: true}
}

// ExactFloat bounds the integers that f32 holds exactly.
const ExactFloat = 1 << 24

func ExactRange(lo, hi int64) bool { return lo > -ExactFloat && hi < ExactFloat }
