package exact

import (
	"slices"

	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/passes"
)

// levelsOfCases: nested selections by comparisons of one value with constants,
// whose cases are constants one step apart, are that many steps:
// where(x > t, 1, where(x < -t, -1, 0)) is step(x - t) - step(-t - x). A case may
// also be the value itself where no comparison leaves any of it, as assignment to
// masked elements writes it.
func levelsOfCases(rw *passes.Rewriter, n *ir.Node) []*ir.Value {
	if n.Op != ir.Where || n.Result().Type.DType != ir.F32 {
		return nil
	}
	cs := &cases{shape: n.Result().Type.Shape}
	if !cs.collect(n.Result(), maxSignFunction) || cs.base == nil || len(cs.at) == 0 || len(cs.at) > maxCases {
		return nil
	}
	slices.Sort(cs.at)
	cs.at = slices.Compact(cs.at)
	levels, starts := cs.levels(n)
	if levels == nil {
		return nil
	}
	above := func(i int) *ir.Value {
		return rw.Op(ir.Step, map[string]any{"strict": !starts[i].from}, cs.minus(rw, starts[i].at))
	}
	float := func(b *ir.Value) *ir.Value { return rw.Op(ir.ToFloat, nil, b) }
	low, d := levels[0], levels[1]-levels[0]
	switch len(levels) {
	case 2:
		return ofTwo(rw, above(0), levels[1], levels[0])
	case 3:
		below := rw.Op(ir.Step, map[string]any{"strict": starts[0].from}, rw.Op(ir.Neg, nil, cs.minus(rw, starts[0].at)))
		return scaledOn(rw, rw.Op(ir.Sub, nil, float(above(1)), float(below)), d, levels[1])
	}
	sum := float(above(0))
	for i := 1; i < len(starts); i++ {
		sum = rw.Op(ir.Add, nil, sum, float(above(i)))
	}
	return scaledOn(rw, sum, d, low)
}

// maxCases bounds the constants that a value is compared with.
const maxCases = 15

// scaledOn is v*factor + offset.
func scaledOn(rw *passes.Rewriter, v *ir.Value, factor, offset float32) []*ir.Value {
	if factor != 1 {
		v = rw.Op(ir.Mul, nil, v, rw.Scalar(float64(factor)))
	}
	if offset != 0 {
		v = rw.Op(ir.Add, nil, v, rw.Scalar(float64(offset)))
	}
	return []*ir.Value{v}
}

// ofTwo is where(bit, a, b) as a bit or a sign with a scale and an offset; nil
// where float32 does not give a and b again.
func ofTwo(rw *passes.Rewriter, bit *ir.Value, a, b float32) []*ir.Value {
	number := func(b *ir.Value) *ir.Value { return rw.Op(ir.ToFloat, nil, b) }
	switch half, mid := (a-b)/2, (a+b)/2; {
	case a == b || half-half != 0 || mid-mid != 0:
		return nil
	case b == 0 && a > 0:
		return scaledOn(rw, number(bit), a, 0)
	case a == 0 && b > 0:
		return scaledOn(rw, number(rw.Op(ir.BitNot, nil, bit)), b, 0)
	case a == -b && a < 0:
		return scaledOn(rw, number(rw.Op(ir.Recode, nil, rw.Op(ir.BitNot, nil, bit))), b, 0)
	case half+mid == a && -half+mid == b:
		return scaledOn(rw, number(rw.Op(ir.Recode, nil, bit)), half, mid)
	case (a-b)+b == a:
		return scaledOn(rw, number(bit), a-b, b)
	}
	return nil
}

// cases evaluates selections by comparisons of one value, its base, with
// constants.
type cases struct {
	base  *ir.Value
	shape []int
	at    []float64 // the constants
}

// start is where a case begins: at a number, or behind it.
type start struct {
	at   float64
	from bool // the number itself belongs to the case
}

// minus is base - c.
func (cs *cases) minus(rw *passes.Rewriter, c float64) *ir.Value {
	if c == 0 {
		return cs.base
	}
	return rw.Op(ir.Sub, nil, cs.base, rw.Scalar(c))
}

// collect finds the base and what it is compared with; false where others than
// comparisons and selections take part.
func (cs *cases) collect(v *ir.Value, depth int) bool {
	d := ir.Def(v)
	if d.Is(ir.Where) && depth > 0 && ir.SameShape(v.Type.Shape, cs.shape) {
		return cs.collect(d.Args[0], depth-1) && cs.collect(d.Args[1], depth-1) && cs.collect(d.Args[2], depth-1)
	}
	if ir.ConstOf(v) != nil {
		_, ok := ir.Splat(v)
		return ok
	}
	if !ir.SameShape(v.Type.Shape, cs.shape) {
		return false
	}
	if v.Type.DType == ir.F32 {
		if bits, ok := bitsBehind(v, depth); ok {
			return !slices.ContainsFunc(bits, func(b *ir.Value) bool { return !cs.collect(b, depth-1) })
		}
		return cs.isBase(v)
	}
	if depth <= 0 {
		return false
	}
	switch {
	case d.Is(ir.Cast), d.Is(ir.Recode), d.Is(ir.BitNot), d.Is(ir.BitAnd), d.Is(ir.BitOr), d.Is(ir.BitXor):
		return !slices.ContainsFunc(d.Args, func(a *ir.Value) bool { return a.Type.DType == ir.F32 || !cs.collect(a, depth-1) })
	case d.Is(ir.Step):
		return cs.compared(d.Args[0])
	}
	return false
}

// bitsBehind returns the bits of which a float is made by sums and products with
// constants, as levelsOfCases and ofTwo write it; false for others.
func bitsBehind(v *ir.Value, depth int) ([]*ir.Value, bool) {
	if _, ok := ir.Splat(v); ok {
		return nil, true
	}
	d := ir.Def(v)
	switch {
	case depth <= 0:
	case d.Is(ir.ToFloat):
		return d.Args, d.In(0).DType.IsBit()
	case (d.Is(ir.Add) || d.Is(ir.Sub) || d.Is(ir.Mul)) && len(d.Args) == 2:
		a, ok1 := bitsBehind(d.Args[0], depth-1)
		b, ok2 := bitsBehind(d.Args[1], depth-1)
		return slices.Concat(a, b), ok1 && ok2
	}
	return nil, false
}

// compared adds the constants at which a compared value, the base less or from a
// constant, or its magnitude less one, is 0.
func (cs *cases) compared(v *ir.Value) bool {
	at := 0.0
	if x := ir.Unwrap(v, ir.Neg); x != nil {
		v = x
	}
	if d := ir.Def(v); d.Is(ir.Sub) {
		for i := range 2 {
			if k, ok := number(d.Args[1-i]); ok {
				v, at = d.Args[i], k
			}
		}
	}
	if x := ir.Unwrap(v, ir.Abs); x != nil {
		v = x
		cs.at = append(cs.at, -at)
	}
	cs.at = append(cs.at, at)
	return cs.isBase(v)
}

// isBase reports whether a value is the one that all is about.
func (cs *cases) isBase(v *ir.Value) bool {
	if cs.base == nil {
		cs.base = v
	}
	return cs.base == v && v.Type.DType == ir.F32 && ir.SameShape(v.Type.Shape, cs.shape) && ir.ConstOf(v) == nil
}

// levels evaluates a selection at every constant and twice between any two: what is
// the same there is a constant. It returns the values, equal steps apart, and where
// all but the first start; nil for others.
func (cs *cases) levels(n *ir.Node) ([]float32, []start) {
	first, last := float32(cs.at[0]), float32(cs.at[len(cs.at)-1])
	x := []float32{2*min(first, 0) - 2, 2*min(first, 0) - 1}
	for i, at := range cs.at {
		x = append(x, float32(at))
		if i+1 < len(cs.at) {
			x = append(x, float32(at+(cs.at[i+1]-at)/4), float32(at+(cs.at[i+1]-at)/2))
		}
	}
	x = append(x, 2*max(last, 0)+1, 2*max(last, 0)+2)
	y := cs.evaluate(n, map[*ir.Value]*ir.Tensor{cs.base: ir.FloatTensor(x, len(x))})
	if y == nil || y[0] != y[1] || x[1] <= x[0] {
		return nil, nil
	}
	levels, starts := y[:1:1], []start(nil)
	for i := 2; i < len(x); i += 3 {
		at, behind := y[i], y[i+1]
		before := levels[len(levels)-1]
		if behind != y[i+2] || at != before && at != behind || x[i] <= x[i-1] || x[i+1] <= x[i] || x[i+2] <= x[i+1] {
			return nil, nil
		}
		if behind != before {
			levels, starts = append(levels, behind), append(starts, start{float64(x[i]), at == behind})
		}
	}
	for i := 1; i < len(levels); i++ {
		if d := levels[1] - levels[0]; levels[i]-levels[i-1] != d {
			return nil, nil
		}
	}
	if len(levels) < 2 {
		return nil, nil
	}
	return levels, starts
}

// evaluate returns the numbers of a node for those of the base.
func (cs *cases) evaluate(n *ir.Node, known map[*ir.Value]*ir.Tensor) []float32 {
	var of func(v *ir.Value) *ir.Tensor
	of = func(v *ir.Value) *ir.Tensor {
		if t, ok := known[v]; ok {
			return t
		}
		if k, ok := ir.Splat(v); ok {
			return ir.Scalar(v.Type.DType, k)
		}
		d := ir.Def(v)
		in := make([]*ir.Tensor, len(d.Args))
		for i, a := range d.Args {
			if in[i] = of(a); in[i] == nil {
				return nil
			}
		}
		t, err := evalOn(d, in)
		if err != nil {
			t = nil
		}
		known[v] = t
		return t
	}
	t := of(n.Result())
	if t == nil || t.Len() != known[cs.base].Len() {
		return nil
	}
	return t.Floats()
}
