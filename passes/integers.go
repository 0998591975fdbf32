package passes

import (
	"math"

	"github.com/billnet/billnet/ir"
)

var _ = register(&Pass{
	Name: "integers",
	Doc: "Moves to_float from the inputs toward the outputs: a float operation whose operands are integers in disguise becomes an integer operation followed by to_float. " +
		"Convolutions and linear layers with binary weights become bconv, iconv and ilinear, max pooling of bits becomes pooling of bits, means become counts. " +
		"Scaled weights and scaled inputs (video divided by 255, a norm folded into the weights) leave an affine: class ideal.",
	Class: Ideal,
	After: []string{"binary-activations", "roll-lstm"},
	Run: eachFunc(func(c *Context, f *ir.Func) error {
		return rewrite(f, integerRules(newRanger())...)
	}),
})

// integerRules are the rules that move to_float toward the outputs.
func integerRules(r *ranger) []rule {
	return []rule{foldNode, dropIdentity, sinkLayout, sinkConcat, sinkPool, sinkMean, sinkSum, doubleAffine, sinkGate, gateToMux,
		func(rw *rewriter, n *ir.Node) []*ir.Value { return binaryConv(rw, r, n) },
		func(rw *rewriter, n *ir.Node) []*ir.Value { return binaryLinear(rw, r, n) }}
}

// scaled is a float value seen as z*num/den of an integer value.
type scaled struct {
	z        *ir.Value
	num, den float64
	exact    bool // the value is z itself
}

// asScaled sees v as a scaled integer, or returns nil.
func asScaled(v *ir.Value) *scaled {
	d := ir.Def(v)
	switch {
	case d.Is("to_float"):
		return &scaled{d.Args[0], 1, 1, true}
	case d.Is("div"):
		if in := unwrap(d.Args[0], "to_float"); in != nil {
			if s, ok := splat(d.Args[1]); ok && s != 0 && isScalarLike(d.In(1)) {
				return &scaled{in, 1, s, false}
			}
		}
	case d.Is("mul"):
		for i := range 2 {
			if in := unwrap(d.Args[i], "to_float"); in != nil {
				if s, ok := splat(d.Args[1-i]); ok && s-s == 0 && isScalarLike(d.In(1-i)) {
					return &scaled{in, s, 1, false}
				}
			}
		}
	case d.Is("affine"):
		num, ok1 := splat(d.Args[1])
		den, ok2 := splat(d.Args[2])
		bias, ok3 := splat(d.Args[3])
		if ok1 && ok2 && ok3 && bias == 0 {
			return &scaled{d.Args[0], num, den, false}
		}
	}
	return nil
}

func isScalarLike(t ir.Type) bool { return t.Elems() == 1 }

// exactFloat bounds the integers that f32 holds exactly.
const exactFloat = 1 << 24

// emit returns the float value of integer z times weight scales and the
// input's scale plus a bias: to_float where that is exact, else an affine.
func emit(rw *rewriter, r *ranger, z *ir.Value, in *scaled, w *binaryWeights, bias *ir.Tensor, axis int) *ir.Value {
	lo, hi := r.of(z).all()
	exact := in.exact && w.unit() && lo > -exactFloat && hi < exactFloat
	if exact {
		y := rw.Op("to_float", nil, z)
		if bias != nil {
			shape := make([]int, z.Type.Rank())
			for i := range shape {
				shape[i] = 1
			}
			shape[axis] = bias.Len()
			y = rw.Op("add", nil, y, rw.Const(bias.Reshape(shape...)))
		}
		return y
	}
	num := make([]float64, len(w.Scale))
	for i, s := range w.Scale {
		num[i] = s * in.num // both are float32 numbers: the product is exact in f64
	}
	if w.unit() {
		num = []float64{in.num}
	}
	b := []float64{0}
	if bias != nil {
		b = make([]float64, bias.Len())
		for i := range b {
			b[i] = bias.Float(i)
		}
	}
	vec := func(d []float64) *ir.Value {
		return rw.Const(&ir.Tensor{Type: ir.T(ir.F64, len(d)), D: d})
	}
	return rw.Op("affine", map[string]any{"axis": axis}, z, vec(num), vec([]float64{in.den}), vec(b))
}

func finite32(t *ir.Tensor) bool {
	for _, x := range t.F {
		if math.IsNaN(float64(x)) || math.IsInf(float64(x), 0) {
			return false
		}
	}
	return true
}

// binaryConv: a float conv of integers with binary weights is an integer conv.
func binaryConv(rw *rewriter, r *ranger, n *ir.Node) []*ir.Value {
	if n.Op.Name != "conv" {
		return nil
	}
	in := asScaled(n.Args[0])
	if in == nil {
		return nil
	}
	w := recoverWeights(ir.ConstOf(n.Args[1]))
	if w == nil {
		return nil
	}
	var bias *ir.Tensor
	if n.Arg(2) != nil {
		if bias = ir.ConstOf(n.Args[2]); bias == nil || !finite32(bias) {
			return nil
		}
	}
	op := "iconv"
	if in.z.Type.DType.IsBit() && w.Bits.Type.DType != ir.I8 {
		op = "bconv"
	}
	z := rw.Op(op, convAttrs(n), in.z, rw.Const(w.Bits))
	return []*ir.Value{emit(rw, r, z, in, w, bias, 1)}
}

// convAttrs returns the attributes that all convolutions share.
func convAttrs(n *ir.Node) map[string]any {
	attrs := map[string]any{}
	for _, a := range []string{"groups", "stride", "pad", "dilation"} {
		if v, ok := n.Attrs[a]; ok {
			attrs[a] = v
		}
	}
	return attrs
}

// binaryLinear: a float matmul or gemm of integers with binary weights is an
// integer linear layer.
func binaryLinear(rw *rewriter, r *ranger, n *ir.Node) []*ir.Value {
	var wt, bias *ir.Tensor
	switch n.Op.Name {
	case "matmul":
		wt = ir.ConstOf(n.Args[1])
		if wt == nil || wt.Type.Rank() != 2 || wt.Type.DType != ir.F32 {
			return nil
		}
		wt = transpose2D(wt)
	case "gemm":
		wt = ir.ConstOf(n.Args[1])
		if wt == nil || wt.Type.DType != ir.F32 || n.Float("alpha") != 1 || n.Bool("trans_a") {
			return nil
		}
		if !n.Bool("trans_b") {
			wt = transpose2D(wt)
		}
		if n.Arg(2) != nil {
			bias = ir.ConstOf(n.Args[2])
			if bias == nil || n.Float("beta") != 1 || bias.Type.Rank() != 1 || bias.Len() != wt.Type.Shape[0] || !finite32(bias) {
				return nil
			}
		}
	default:
		return nil
	}
	in := asScaled(n.Args[0])
	if in == nil || in.z.Type.Rank() == 0 {
		return nil
	}
	w := recoverWeights(wt)
	if w == nil {
		return nil
	}
	z := rw.Op("ilinear", nil, in.z, rw.Const(w.Bits))
	return []*ir.Value{emit(rw, r, z, in, w, bias, z.Type.Rank()-1)}
}

// movesElements reports whether a node only moves the elements of its first
// operand.
func movesElements(n *ir.Node) bool {
	switch n.Op.Name {
	case "transpose", "reshape", "squeeze", "unsqueeze", "gather", "slice", "expand", "identity", "split", "tile":
		return true
	}
	return false
}

// sinkLayout: an operation that only moves elements commutes with to_float.
func sinkLayout(rw *rewriter, n *ir.Node) []*ir.Value {
	if !movesElements(n) {
		return nil
	}
	z := unwrap(n.Args[0], "to_float")
	if z == nil {
		return sinkScaled(rw, n)
	}
	args := append([]*ir.Value{z}, n.Args[1:]...)
	m := rw.Node(n.Op.Name, n.Attrs, args...)
	if m == nil {
		return nil
	}
	out := make([]*ir.Value, len(m.Results))
	for i, v := range m.Results {
		out[i] = rw.Op("to_float", nil, v)
	}
	return out
}

// sinkScaled: moving the elements of scaled integers is scaling moved ones.
func sinkScaled(rw *rewriter, n *ir.Node) []*ir.Value {
	m := ir.Def(n.Args[0])
	if !m.Is("mul") || len(n.Results) != 1 {
		return nil
	}
	for i := range 2 {
		if unwrap(m.Args[i], "to_float") == nil || !isScalarLike(m.In(1-i)) || ir.ConstOf(m.Args[1-i]) == nil || m.In(1-i).Rank() > n.Result().Type.Rank() {
			continue
		}
		moved := rw.Op(n.Op.Name, n.Attrs, append([]*ir.Value{m.Args[i]}, n.Args[1:]...)...)
		return []*ir.Value{rw.Op("mul", nil, moved, m.Args[1-i])}
	}
	return nil
}

// sinkConcat: a concatenation of integers of one type commutes with to_float.
func sinkConcat(rw *rewriter, n *ir.Node) []*ir.Value {
	if n.Op.Name != "concat" {
		return nil
	}
	args := make([]*ir.Value, len(n.Args))
	for i, a := range n.Args {
		args[i] = unwrap(a, "to_float")
		if args[i] == nil || args[i].Type.DType != args[0].Type.DType {
			return nil
		}
	}
	return []*ir.Value{rw.Op("to_float", nil, rw.Op("concat", n.Attrs, args...))}
}

// sinkPool: the largest of integers is the same number before and after
// to_float. A window that lies wholly in the padding would give -inf in floats,
// so such pools stay.
func sinkPool(rw *rewriter, n *ir.Node) []*ir.Value {
	if n.Op.Name != "max_pool" || len(n.Results) != 1 {
		return nil
	}
	if !poolsElements(n) {
		return nil
	}
	if m := ir.Def(n.Args[0]); m.Is("mul") { // scaled by a positive number
		for i := range 2 {
			if z := unwrap(m.Args[i], "to_float"); z != nil && isScalarLike(m.In(1-i)) {
				if s, ok := splat(m.Args[1-i]); ok && s > 0 {
					return []*ir.Value{rw.Op("mul", nil, rw.Op("to_float", nil, rw.Op("max_pool", n.Attrs, z)), m.Args[1-i])}
				}
			}
		}
	}
	z := unwrap(n.Args[0], "to_float")
	if z == nil {
		return nil
	}
	return []*ir.Value{rw.Op("to_float", nil, rw.Op("max_pool", n.Attrs, z))}
}

// poolsElements reports whether every window of a pool covers an element.
func poolsElements(n *ir.Node) bool {
	for a, k := range n.Ints("kernel") {
		in, stride, dil, pad := n.In(0).Shape[2+a], attrAt(n, "stride", a, 1), attrAt(n, "dilation", a, 1), attrAt(n, "pad", a, 0)
		for o := range n.Result().Type.Shape[2+a] {
			covered := false
			for t := range k {
				p := o*stride + t*dil - pad
				covered = covered || p >= 0 && p < in
			}
			if !covered {
				return false
			}
		}
	}
	return true
}

// sinkMean: the mean of integers is their count over their number; the sum is
// exact, and the division rounds as the mean's does.
func sinkMean(rw *rewriter, n *ir.Node) []*ir.Value {
	if n.Op.Name != "reduce_mean" || n.In(0).DType != ir.F32 {
		return nil
	}
	z := unwrap(n.Args[0], "to_float")
	if z == nil || !z.Type.DType.IsLogic() || n.In(0).Elems() >= exactFloat {
		return nil
	}
	num := n.In(0).Elems() / max(n.Result().Type.Elems(), 1)
	if num == 0 {
		return nil
	}
	count := rw.Op("count", n.Attrs, z)
	return []*ir.Value{rw.Op("div", nil, rw.Op("to_float", nil, count), rw.Const(ir.Scalar(ir.F32, float64(num))))}
}

// sinkSum: the sum of integers is their count while f32 is exact.
func sinkSum(rw *rewriter, n *ir.Node) []*ir.Value {
	if n.Op.Name != "reduce_sum" || n.In(0).DType != ir.F32 {
		return nil
	}
	z := unwrap(n.Args[0], "to_float")
	if z == nil || !z.Type.DType.IsLogic() || n.In(0).Elems() >= exactFloat {
		return nil
	}
	return []*ir.Value{rw.Op("to_float", nil, rw.Op("count", n.Attrs, z))}
}

// doubleAffine: z*num/den + bias in f64, rounded to f32, is an affine: the form
// in which an export writes one.
func doubleAffine(rw *rewriter, n *ir.Node) []*ir.Value {
	if n.Op.Name != "cast" || n.Result().Type.DType != ir.F32 || n.In(0).DType != ir.F64 {
		return nil
	}
	v, axis := n.Args[0], 1
	var p [3]*ir.Tensor
	for i, op := range []string{"add", "div", "mul"} {
		d := ir.Def(v)
		if !d.Is(op) {
			return nil
		}
		t := ir.ConstOf(d.Args[1])
		if t == nil || t.Len() > 1 && t.Type.Rank() != n.In(0).Rank() {
			return nil
		}
		for a, size := range t.Type.Shape {
			if size == t.Len() && size > 1 {
				axis = a
			}
		}
		if t.Len() > 1 && t.Len() != n.In(0).Shape[axis] {
			return nil
		}
		p[2-i], v = t.Reshape(t.Len()), d.Args[0]
	}
	z := unwrap(unwrap(v, "cast"), "to_float")
	if z == nil || !ir.SameShape(z.Type.Shape, n.Result().Type.Shape) {
		return nil
	}
	return []*ir.Value{rw.Op("affine", map[string]any{"axis": axis}, z, rw.Const(p[0]), rw.Const(p[1]), rw.Const(p[2]))}
}
