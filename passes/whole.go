package passes

import (
	"math"
	"slices"

	"github.com/billnet/billnet/ir"
)

// whole is a float value of a source graph seen as whole numbers k:
//
//	value = scale[c]*k + offset[c], or scale[c]*max(k, 0) with relu,
//
// c the index on axis. scale has one entry for all or one a channel and is
// positive; offset is nil for none. lo and hi bound k.
type whole struct {
	k             *ir.Value // f32
	axis          int
	scale, offset []float64
	relu          bool
	lo, hi        int64
	sums          bool // k is a sum that a quantized layer gave
}

// proportional reports whether 0 stands for 0, so that padding, ReLU and max
// pooling may act on k.
func (w *whole) proportional() bool { return w.offset == nil }

// bytes reports whether k fits u8 or i8, so that it needs no quantizer.
func (w *whole) bytes() bool {
	return !w.relu && (w.lo >= 0 && w.hi <= math.MaxUint8 || w.lo >= math.MinInt8 && w.hi <= math.MaxInt8)
}

// wholes finds whole numbers in a source graph: what an exporter's casts,
// comparisons and gates give, video behind its normalisation, and what the
// caller has put in. It appends what it needs through rw.
type wholes struct {
	rw    *rewriter
	known map[*ir.Value]*whole
}

func (q *wholes) of(v *ir.Value) *whole {
	if w, ok := q.known[v]; ok {
		return w
	}
	w := q.find(v)
	q.known[v] = w
	return w
}

func (q *wholes) find(v *ir.Value) *whole {
	n := ir.Def(v)
	if n == nil || v.Type.DType != ir.F32 {
		return nil
	}
	plain := func(lo, hi int64) *whole { return &whole{k: v, scale: []float64{1}, lo: lo, hi: hi} }
	switch n.Op.Name {
	case "cast", "to_float":
		switch d := n.In(0).DType; d {
		case ir.Bool, ir.U8, ir.I8, ir.U16, ir.I16, ir.Bit, ir.SBit, ir.Tern:
			return plain(d.Range())
		}
	case "sign":
		return plain(-1, 1)
	case "where":
		a, okA := splat(n.Args[1])
		b, okB := splat(n.Args[2])
		if okA && okB && a == math.Trunc(a) && b == math.Trunc(b) && math.Max(math.Abs(a), math.Abs(b)) < exactFloat {
			return plain(int64(min(a, b)), int64(max(a, b)))
		}
	case "add", "sub", "mul", "div":
		return q.arithmetic(v, n)
	case "max", "min":
		return q.ofPair(v, n)
	case "batch_norm":
		return q.norm(n)
	case "relu", "max_pool":
		return q.monotone(n)
	case "concat":
		return q.concat(n)
	case "reduce_sum":
		return q.sum(n)
	}
	if movesElements(n) {
		return q.moved(n)
	}
	return nil
}

// arithmetic handles a constant factor or summand, and two plain operands.
func (q *wholes) arithmetic(v *ir.Value, n *ir.Node) *whole {
	for i := range 2 {
		c := ir.ConstOf(n.Args[1-i])
		if c == nil || i == 1 && n.Is("div") {
			continue
		}
		w := q.of(n.Args[i])
		if w == nil || !ir.SameShape(w.k.Type.Shape, v.Type.Shape) {
			return nil
		}
		axis, values, ok := alongAxis(c, v.Type.Shape)
		if !ok {
			return nil
		}
		switch n.Op.Name {
		case "mul":
			return w.affine(axis, values, nil)
		case "div":
			for j := range values {
				values[j] = 1 / values[j]
			}
			return w.affine(axis, values, nil)
		case "sub":
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
func (q *wholes) ofPair(v *ir.Value, n *ir.Node) *whole {
	if len(n.Args) != 2 || n.Is("div") {
		return nil
	}
	a, b := q.of(n.Args[0]), q.of(n.Args[1])
	if a == nil || b == nil || a.k != n.Args[0] || b.k != n.Args[1] || a.sums || b.sums {
		return nil
	}
	r := func(lo, hi int64) *whole {
		if lo <= -exactFloat || hi >= exactFloat {
			return nil
		}
		return &whole{k: v, scale: []float64{1}, lo: lo, hi: hi}
	}
	switch n.Op.Name {
	case "add":
		return r(a.lo+b.lo, a.hi+b.hi)
	case "sub":
		return r(a.lo-b.hi, a.hi-b.lo)
	case "mul":
		p := []int64{a.lo * b.lo, a.lo * b.hi, a.hi * b.lo, a.hi * b.hi}
		return r(slices.Min(p), slices.Max(p))
	case "max":
		return r(max(a.lo, b.lo), max(a.hi, b.hi))
	}
	return r(min(a.lo, b.lo), min(a.hi, b.hi))
}

// norm handles a batch norm with constant parameters.
func (q *wholes) norm(n *ir.Node) *whole {
	f, ok := normAffine(n)
	if !ok {
		return nil
	}
	w := q.of(n.Args[0])
	if w == nil {
		return nil
	}
	return w.affine(1, f.scale, f.offset)
}

// affine returns w times scale plus offset, each one number or one a channel of
// axis; nil where that is not of the form.
func (w *whole) affine(axis int, scale, offset []float64) *whole {
	if w.relu || len(w.scale)+len(w.offset) > 2 && max(len(scale), len(offset)) > 1 && w.axis != axis {
		return nil
	}
	for _, s := range scale {
		if !(s > 0) || math.IsInf(s, 0) {
			return nil
		}
	}
	out := *w
	if max(len(scale), len(offset)) > 1 {
		out.axis = axis
	}
	out.scale, out.offset = zip(w.scale, scale, func(a, b float64) float64 { return a * b }), nil
	if w.offset != nil {
		out.offset = zip(w.offset, scale, func(a, b float64) float64 { return a * b })
	}
	if offset != nil {
		if out.offset == nil {
			out.offset = []float64{0}
		}
		out.offset = zip(out.offset, offset, func(a, b float64) float64 { return a + b })
	}
	return &out
}

// zip combines two lists, of which either may have one entry for all.
func zip(a, b []float64, f func(a, b float64) float64) []float64 {
	out := make([]float64, max(len(a), len(b)))
	for i := range out {
		out[i] = f(a[min(i, len(a)-1)], b[min(i, len(b)-1)])
	}
	return out
}

// monotone moves a ReLU or a max pool onto k.
func (q *wholes) monotone(n *ir.Node) *whole {
	w := q.of(n.Args[0])
	if w == nil || !w.proportional() || len(n.Results) != 1 || n.Is("max_pool") && !poolsElements(n) {
		return nil
	}
	out := *w
	if n.Is("relu") && w.sums {
		out.relu = true // a quantizer behind it saturates at 0
		return &out
	}
	if n.Is("relu") {
		out.lo, out.hi = max(w.lo, 0), max(w.hi, 0)
	}
	out.k = q.again(n, w)
	return &out
}

// again is the operation of n over k; n's own result where that is the same.
func (q *wholes) again(n *ir.Node, w *whole) *ir.Value {
	if w.k == n.Args[0] {
		return n.Result()
	}
	return q.rw.Op(n.Op.Name, n.Attrs, append([]*ir.Value{w.k}, n.Args[1:]...)...)
}

// moved moves the elements of k.
func (q *wholes) moved(n *ir.Node) *whole {
	w := q.of(n.Args[0])
	if w == nil || len(n.Results) != 1 {
		return nil
	}
	out := *w
	if max(len(w.scale), len(w.offset)) > 1 {
		from, to := n.In(0).Shape, n.Result().Type.Shape
		switch {
		case n.Is("transpose") && len(n.Ints("perm")) > 0:
			out.axis = slices.Index(n.Ints("perm"), w.axis)
		case n.Is("reshape") || n.Is("squeeze") || n.Is("unsqueeze") || n.Is("identity"):
			// A channel becomes one or more neighbours on the same axis.
			if len(to) <= w.axis || !slices.Equal(from[:w.axis], to[:w.axis]) || from[w.axis] == 0 || to[w.axis]%from[w.axis] != 0 {
				return nil
			}
			times := to[w.axis] / from[w.axis]
			out.scale, out.offset = repeatEach(w.scale, times), repeatEach(w.offset, times)
		default:
			return nil
		}
	}
	out.k = q.again(n, w)
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
func (q *wholes) concat(n *ir.Node) *whole {
	var out *whole
	args := make([]*ir.Value, len(n.Args))
	same := true
	for i, a := range n.Args {
		w := q.of(a)
		if w == nil || w.relu || w.sums || w.offset != nil || len(w.scale) != 1 {
			return nil
		}
		if out == nil {
			c := *w
			out = &c
		}
		if w.scale[0] != out.scale[0] {
			return nil
		}
		out.lo, out.hi = min(out.lo, w.lo), max(out.hi, w.hi)
		args[i], same = w.k, same && w.k == a
	}
	if out.k = n.Result(); !same {
		out.k = q.rw.Op("concat", n.Attrs, args...)
	}
	return out
}

// sum adds up values of one scale, as long as float32 holds the sum.
func (q *wholes) sum(n *ir.Node) *whole {
	w := q.of(n.Args[0])
	if w == nil || w.relu || w.offset != nil || len(w.scale) != 1 || n.Result().Type.Elems() == 0 {
		return nil
	}
	count := int64(n.In(0).Elems() / n.Result().Type.Elems())
	if count >= exactFloat || !exactRange(w.lo*count, w.hi*count) {
		return nil
	}
	return &whole{k: q.again(n, w), scale: w.scale, lo: min(w.lo*count, 0), hi: max(w.hi*count, 0), sums: true}
}

// alongAxis reads a constant, stretched to a shape, as numbers that differ
// along one axis only.
func alongAxis(c *ir.Tensor, shape []int) (axis int, values []float64, ok bool) {
	if !c.Type.DType.IsFloat() || c.Len() == 0 || len(c.Type.Shape) > len(shape) {
		return 0, nil, false
	}
	values = make([]float64, c.Len())
	for i := range values {
		if values[i] = c.Float(i); values[i]-values[i] != 0 {
			return 0, nil, false
		}
	}
	if s, same := c.Splat(); same {
		return 0, []float64{s}, true
	}
	axis = -1
	for i, d := range c.Type.Shape {
		if d == 1 {
			continue
		}
		if axis >= 0 {
			return 0, nil, false
		}
		axis = i + len(shape) - len(c.Type.Shape)
	}
	return axis, values, shape[axis] == len(values)
}

// channelAffine is x*scale[c] + offset[c].
type channelAffine struct{ scale, offset []float64 }

// normAffine reads a batch norm with constant parameters as an affine of every
// channel of axis 1.
func normAffine(n *ir.Node) (channelAffine, bool) {
	var f channelAffine
	if !n.Is("batch_norm") || !soundNorm(n) {
		return f, false
	}
	at := func(i, c int) float64 { return ir.ConstOf(n.Args[i]).Float(c) }
	for c := range n.In(0).Shape[1] {
		s := at(1, c) / math.Sqrt(at(4, c)+n.Float("epsilon"))
		f.scale, f.offset = append(f.scale, s), append(f.offset, at(2, c)-at(3, c)*s)
	}
	return f, true
}
