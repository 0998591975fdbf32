package exact

import (
	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/passes"
	"github.com/billnet/billnet/passes/analysis"
)

// SplitSigns is the pass split-signs.
var SplitSigns = &passes.Pass{
	Name: "split-signs",
	Doc: "A sign of floats, whose sign(0) is 0, becomes the ternary join of x > 0 and not x >= 0. Signs over integers are comparisons by then; " +
		"what is left stands behind a float layer.",
	Class: passes.Exact,
	After: []string{"fuse-bn-threshold"},
	Run: passes.EachFunc(func(c *passes.Context, f *ir.Func) error {
		return passes.Rewrite(f, func(rw *passes.Rewriter, n *ir.Node) []*ir.Value {
			if n.Op.Name != "sign" || n.In(0).DType != ir.F32 || ir.ConstOf(n.Args[0]) != nil {
				return nil
			}
			x := n.Args[0]
			return []*ir.Value{rw.Op("to_float", nil, rw.Op("join", nil, rw.Op("step", nil, x), rw.Op("bit_not", nil, rw.Op("step", map[string]any{"strict": false, "nan": true}, x))))}
		})
	}),
}

// TernaryPlanes is the pass ternary-planes.
var TernaryPlanes = &passes.Pass{
	Name: "ternary-planes",
	Doc: "A convolution of ternary values becomes one of bits: w*(p - n) is the convolution of the concatenation of p and n with the weights w and -w. " +
		"Pooling, comparisons and moves of ternary values likewise act on the two bits.",
	Class: passes.Exact,
	After: []string{"split-signs"},
	Run: passes.EachFunc(func(c *passes.Context, f *ir.Func) error {
		return passes.Rewrite(f, joinLayout, joinPool, joinThreshold, joinConv)
	}),
}

// ternaryGate: the largest, smallest, negative and product of ternary values,
// and the choice between two, are gates of their bits; one operand may be a sign.
func ternaryGate(rw *passes.Rewriter, n *ir.Node) []*ir.Value {
	if n.Result().Type.DType != ir.F32 {
		return nil
	}
	joined := false
	bits := func(v *ir.Value) (pos, neg *ir.Value) {
		z := ir.Unwrap(v, "to_float")
		switch d := ir.Def(z); {
		case d.Is("join"):
			joined = true
			return d.Args[0], d.Args[1]
		case z != nil && z.Type.DType == ir.SBit:
			pos = rw.Op("recode", nil, z)
			return pos, rw.Op("bit_not", nil, pos)
		}
		return nil, nil
	}
	join := func(pos, neg *ir.Value) []*ir.Value {
		return []*ir.Value{rw.Op("to_float", nil, rw.Op("join", nil, pos, neg))}
	}
	switch n.Op.Name {
	case "neg":
		if p, q := bits(n.Args[0]); joined {
			return join(q, p)
		}
		return nil
	case "where":
		if s := bitOfBool(n.Args[0]); s != nil {
			bp, bq := bits(n.Args[1])
			ap, aq := bits(n.Args[2])
			if joined && ap != nil && bp != nil {
				return join(rw.Op("mux", nil, s, ap, bp), rw.Op("mux", nil, s, aq, bq))
			}
		}
		return nil
	case "max", "min", "mul":
	default:
		return nil
	}
	if len(n.Args) != 2 || !ir.SameShape(n.In(0).Shape, n.In(1).Shape) {
		return nil
	}
	p0, q0 := bits(n.Args[0])
	p1, q1 := bits(n.Args[1])
	if p0 == nil || p1 == nil || !joined {
		return nil
	}
	and := func(a, b *ir.Value) *ir.Value { return rw.Op("bit_and", nil, a, b) }
	or := func(a, b *ir.Value) *ir.Value { return rw.Op("bit_or", nil, a, b) }
	switch n.Op.Name {
	case "max":
		return join(or(p0, p1), and(q0, q1))
	case "min":
		return join(and(p0, p1), or(q0, q1))
	}
	return join(or(and(p0, p1), and(q0, q1)), or(and(p0, q1), and(q0, p1)))
}

// joinLayout: an operation that only moves elements moves both bits.
func joinLayout(rw *passes.Rewriter, n *ir.Node) []*ir.Value {
	if !analysis.MovesElements(n) || len(n.Results) != 1 {
		return nil
	}
	j := ir.Def(n.Args[0])
	if !j.Is("join") {
		return nil
	}
	move := func(v *ir.Value) *ir.Value {
		return rw.Op(n.Op.Name, n.Attrs, append([]*ir.Value{v}, n.Args[1:]...)...)
	}
	return []*ir.Value{rw.Op("join", nil, move(j.Args[0]), move(j.Args[1]))}
}

// joinPool: the largest of ternary values is +1 where any is, -1 where all are.
func joinPool(rw *passes.Rewriter, n *ir.Node) []*ir.Value {
	if n.Op.Name != "max_pool" || len(n.Results) != 1 {
		return nil
	}
	j := ir.Def(n.Args[0])
	if !j.Is("join") {
		return nil
	}
	return []*ir.Value{rw.Op("join", nil, rw.Op("max_pool", n.Attrs, j.Args[0]), rw.Op("min_pool", n.Attrs, j.Args[1]))}
}

// joinThreshold: v >= 1 is pos, v >= 0 is not neg.
func joinThreshold(rw *passes.Rewriter, n *ir.Node) []*ir.Value {
	if n.Op.Name != "threshold" {
		return nil
	}
	j := ir.Def(n.Args[0])
	t, okT := ir.Splat(n.Args[1])
	flip, okF := ir.Splat(n.Args[2])
	if !j.Is("join") || !okT || !okF || t < 0 || t > 1 {
		return nil
	}
	y := j.Args[0]
	if t == 0 {
		y = rw.Op("bit_not", nil, j.Args[1])
	}
	if flip == 1 {
		y = rw.Op("bit_not", nil, y)
	}
	if n.Bool("signed") {
		y = rw.Op("recode", nil, y)
	}
	return []*ir.Value{y}
}

// joinConv: a convolution of pos - neg is one of both, group by group.
func joinConv(rw *passes.Rewriter, n *ir.Node) []*ir.Value {
	if n.Op.Name != "iconv" || n.Arg(2) != nil {
		return nil
	}
	j, w := ir.Def(n.Args[0]), ir.ConstOf(n.Args[1])
	if !j.Is("join") || w == nil || w.Type.DType != ir.SBit && w.Type.DType != ir.Tern {
		return nil
	}
	return []*ir.Value{rw.Op("bconv", analysis.ConvAttrs(n), concatGroups(rw, j.Args, n.Int("groups")), rw.Const(withNegative(w)))}
}

// concatGroups puts the channels of the parts behind each other in every group.
func concatGroups(rw *passes.Rewriter, parts []*ir.Value, groups int) *ir.Value {
	if len(parts) == 1 {
		return parts[0]
	}
	if groups == 1 {
		return rw.Op("concat", map[string]any{"axis": 1}, parts...)
	}
	s := parts[0].Type.Shape
	split := append([]int{s[0], groups, s[1] / groups}, s[2:]...)
	regrouped := make([]*ir.Value, len(parts))
	for i, v := range parts {
		regrouped[i] = rw.Op("reshape", map[string]any{"shape": split}, v)
	}
	all := rw.Op("concat", map[string]any{"axis": 2}, regrouped...)
	return rw.Op("reshape", map[string]any{"shape": append([]int{s[0], len(parts) * s[1]}, s[2:]...)}, all)
}

// withNegative returns weights [O,2I,...]: w, then -w.
func withNegative(w *ir.Tensor) *ir.Tensor {
	s := append([]int{}, w.Type.Shape...)
	row := w.Len() / s[0]
	s[1] *= 2
	out := ir.NewTensor(ir.T(w.Type.DType, s...))
	for o := range s[0] {
		for i, v := range w.I[o*row : (o+1)*row] {
			out.I[2*o*row+i], out.I[(2*o+1)*row+i] = v, -v
		}
	}
	return out
}
