package bytecode

import (
	"math"

	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/runtime/billb"
)

// shifted is x - zero in type d; zero, which may be nil, has the given shape.
func (e *expansion) shifted(x, zero *ir.Value, d ir.DType, shape []int) *ir.Value {
	if zero == nil {
		return e.cast(x, d)
	}
	if t := e.g.constOf(zero); t != nil {
		if v, ok := t.Splat(); ok && v == 0 {
			return e.cast(x, d)
		}
	}
	return e.op(ir.Sub, nil, e.cast(x, d), e.reshape(e.cast(zero, d), shape))
}

// windowAttrs returns the attributes that convolutions share.
func windowAttrs(n *ir.Node) map[string]any {
	return map[string]any{"groups": n.Int("groups"), "stride": n.Ints("stride"), "pad": n.Ints("pad"), "dilation": n.Ints("dilation")}
}

// integerConv emits an integer convolution on row-major tensors, and its
// threshold behind it.
func integerConv(e *expansion, n *ir.Node) []*ir.Value {
	few(e, n)
	y := n.Result().Type
	if n.Arg(2) == nil {
		return []*ir.Value{e.instruction("dense_iconv", y, denseConv(n), n.Args[0], n.Args[1])}
	}
	sums := sumsType(n.In(0).DType, n.In(1).DType, fanIn(n.In(1)))
	if n.Is(ir.IConv) && fits(n.Ints("lo"), n.Ints("hi"), n.In(1).Shape[0]) {
		sums = ir.I32
	}
	z := e.instruction("dense_iconv", y.With(sums), denseConv(n), n.Args[0], n.Args[1])
	return []*ir.Value{e.op(ir.Threshold, map[string]any{"signed": y.DType == ir.SBit}, z, n.Args[2], n.Args[3])}
}

// fits reports whether bounds are known for all output channels and lie in 32
// bits.
func fits(lo, hi []int, channels int) bool {
	if len(lo) != channels || len(hi) != channels {
		return false
	}
	for i := range lo {
		if lo[i] < math.MinInt32 || hi[i] > math.MaxInt32 {
			return false
		}
	}
	return true
}

// fanIn is the number of products in a sum of a convolution with weights w.
func fanIn(w ir.Type) int { return w.Elems() / max(w.Shape[0], 1) }

// sumsType is i32 where every sum of k products of elements of two types fits
// it, also after a zero point of the type is taken from each, else i64.
func sumsType(a, b ir.DType, k int) ir.DType {
	span := func(d ir.DType) float64 {
		lo, hi := d.Range()
		return float64(hi) - float64(lo)
	}
	if span(a)*span(b)*float64(k) <= math.MaxInt32 {
		return ir.I32
	}
	return ir.I64
}

// threshold with parameters that are not constants compares in 64 bits.
func threshold(e *expansion, n *ir.Node) []*ir.Value {
	if e.constants(n.Args[1:]) != nil {
		return nil
	}
	z := n.In(0)
	axis, err := ir.Axis(n.Int("axis"), z.Rank())
	if err != nil {
		e.err = err
		return nil
	}
	shape := onAxis(z.Shape[axis], axis, z.Rank())
	t := e.reshape(e.cast(n.Args[1], ir.I64), shape)
	above := e.op(ir.GreaterOrEqual, nil, e.cast(n.Args[0], ir.I64), t)
	bits := e.op(ir.Xor, nil, above, e.reshape(e.cast(n.Args[2], ir.Bool), shape))
	return []*ir.Value{e.instruction("recode", n.Result().Type, nil, bits)}
}

// tally emits base + b1 + b2 + ... in the result's integer type.
func tally(e *expansion, n *ir.Node) []*ir.Value {
	t := n.Result().Type
	sum := e.number(t.DType, float64(n.Int("base")))
	for _, a := range n.Args {
		sum = e.op(ir.Add, nil, e.cast(a, t.DType), sum)
	}
	return []*ir.Value{sum}
}

// linear with weights that are not constants is a matrix product.
func linear(e *expansion, n *ir.Node) []*ir.Value {
	if e.g.constOf(n.Args[1]) != nil {
		return nil
	}
	w := e.op(ir.Transpose, map[string]any{"perm": []int{1, 0}}, e.cast(n.Args[1], ir.I32))
	return []*ir.Value{e.op(ir.MatMul, nil, e.cast(n.Args[0], ir.I32), w)}
}

// affine with parameters that are not constants computes in f64 as well.
func affine(e *expansion, n *ir.Node) []*ir.Value {
	if e.constants(n.Args[1:]) != nil {
		return nil
	}
	rank := n.In(0).Rank()
	axis, err := ir.Axis(n.Int("axis"), rank)
	if err != nil {
		e.err = err
		return nil
	}
	v := e.cast(n.Args[0], ir.F64)
	for i, op := range []*ir.Op{ir.Mul, ir.Div, ir.Add} {
		p := n.Args[i+1]
		v = e.op(op, nil, v, e.reshape(p, onAxis(p.Type.Elems(), axis, rank)))
	}
	return []*ir.Value{e.cast(v, ir.F32)}
}

// convInteger shifts both operands and convolves; what is in the padding is 0
// after the shift.
func convInteger(e *expansion, n *ir.Node) []*ir.Value {
	few(e, n)
	if k := e.constants(n.Args[1:]); k != nil {
		k = append(k, nil, nil) // zero points that are left out
		if z := e.bytesConv(n, k[0], k[1], k[2], billb.Steps{}); z != nil {
			return []*ir.Value{z}
		}
	}
	x, w := e.convOperands(n, 0, 1, 2, 3, ir.I32)
	return []*ir.Value{e.op(ir.IConv, windowAttrs(n), x, w)}
}

// convOperands returns x and w less their zero points, which are operands xz
// and wz, in type d if they have any.
func (e *expansion) convOperands(n *ir.Node, x, w, xz, wz int, d ir.DType) (_, _ *ir.Value) {
	a, b := n.Args[x], n.Args[w]
	if z := n.Arg(xz); z != nil {
		a = e.shifted(a, z, d, []int{})
	}
	if z := n.Arg(wz); z != nil {
		b = e.shifted(b, z, d, onAxis(z.Type.Elems(), 0, b.Type.Rank()))
	}
	return a, b
}

func matmulInteger(e *expansion, n *ir.Node) []*ir.Value {
	a, b := e.productOperands(n.Args[0], n.Arg(2), n.Args[1], n.Arg(3), ir.I32)
	return []*ir.Value{e.op(ir.MatMul, nil, a, b)}
}

func (e *expansion) productOperands(a, aZero, b, bZero *ir.Value, d ir.DType) (_, _ *ir.Value) {
	var rows, columns []int
	if aZero != nil {
		rows = alongRows(aZero.Type.Shape)
	}
	if bZero != nil {
		columns = bZero.Type.Shape
	}
	return e.shifted(a, aZero, d, rows), e.shifted(b, bZero, d, columns)
}

// alongRows is the shape under which a list of parameters goes along a matrix's
// rows.
func alongRows(shape []int) []int {
	if len(shape) == 1 && shape[0] != 1 {
		return []int{shape[0], 1}
	}
	return shape
}

func qlinearConv(e *expansion, n *ir.Node) []*ir.Value {
	few(e, n)
	if v := e.bytesQLinear(n); v != nil {
		return []*ir.Value{v}
	}
	y := n.Result().Type
	acc := sumsType(n.In(0).DType, n.In(3).DType, fanIn(n.In(3)))
	x, weights := e.convOperands(n, 0, 3, 2, 5, acc)
	s := e.instruction("dense_iconv", y.With(acc), denseConv(n), x, weights)
	channels := func(v *ir.Value) *ir.Value { return e.reshape(v, onAxis(v.Type.Elems(), 1, len(y.Shape))) }
	if bias := n.Arg(8); bias != nil {
		s = e.op(ir.Add, nil, e.cast(s, ir.I64), channels(e.cast(bias, ir.I64)))
	}
	one := func(i int) *ir.Value { return e.reshape(n.Args[i], []int{}) }
	return []*ir.Value{e.instruction("requantize", y, nil, s, e.factor(one(1), channels(n.Args[4]), one(6)), one(7))}
}

func qlinearMatmul(e *expansion, n *ir.Node) []*ir.Value {
	a, y := n.In(0), n.Result().Type
	acc := sumsType(a.DType, n.In(3).DType, a.Shape[a.Rank()-1])
	left, right := e.productOperands(n.Args[0], n.Args[2], n.Args[3], n.Args[5], acc)
	rows := func(i int) *ir.Value { return e.reshape(n.Args[i], alongRows(n.In(i).Shape)) }
	s := e.op(ir.MatMul, nil, left, right)
	return []*ir.Value{e.instruction("requantize", y, nil, s, e.factor(rows(1), n.Args[4], rows(6)), rows(7))}
}

// factor is x_scale*w_scale/y_scale, every operation rounded to f32.
func (e *expansion) factor(x, w, y *ir.Value) *ir.Value {
	product := e.cast(e.op(ir.Mul, nil, e.cast(x, ir.F64), e.cast(w, ir.F64)), ir.F32)
	return e.cast(e.op(ir.Div, nil, e.cast(product, ir.F64), e.cast(y, ir.F64)), ir.F32)
}

// single leaves a quantizer in f32 or f64 to the table. In f16 every step of it
// would have to be rounded.
func single(e *expansion, n *ir.Node) []*ir.Value {
	if d := n.In(0).DType; isHalf(d) {
		return e.missing("x is %s", d)
	}
	return nil
}

func quantizeLinear(e *expansion, n *ir.Node) []*ir.Value {
	x, scale, zero := n.Args[0], e.parameters(n, 1), e.parameters(n, 2)
	d := x.Type.DType
	if !d.IsFloat() {
		d = scale.Type.DType
	}
	if isHalf(d) { // the quotient is rounded to d
		if scale.Type.DType == ir.F64 {
			return e.missing("x is %s and scale is f64", d)
		}
		x = e.instruction("div", ir.T(d, x.Type.Shape...), nil, e.cast(x, d), scale)
		scale = e.number(ir.F32, 1)
	}
	return []*ir.Value{e.instruction("quantize_linear", n.Result().Type, nil, x, scale, zero)}
}

func dequantizeLinear(e *expansion, n *ir.Node) []*ir.Value {
	x, scale, zero, y := n.Args[0], e.parameters(n, 1), e.parameters(n, 2), n.Result().Type
	if !isHalf(y.DType) {
		return []*ir.Value{e.instruction("dequantize_linear", y, nil, x, scale, zero)}
	}
	var shape []int
	if zero != nil {
		shape = zero.Type.Shape
	}
	v := e.shifted(x, zero, ir.I64, shape)
	if x.Type.DType.Bits() <= 16 {
		v = e.cast(v, ir.F32) // exact
	}
	return []*ir.Value{e.op(ir.Mul, nil, e.cast(v, y.DType), scale)}
}

// parameters returns operand i of quantize_linear or dequantize_linear, a scale
// or a zero point, in a shape under which it broadcasts to x; nil when it is left
// out.
func (e *expansion) parameters(n *ir.Node, i int) *ir.Value {
	v, x, block := n.Arg(i), n.In(0), n.Int("block_size")
	if v == nil || block == 0 && v.Type.Rank() <= 1 && v.Type.Elems() == 1 {
		return e.reshape(v, []int{})
	}
	axis, err := ir.Axis(n.Int("axis"), x.Rank())
	if err != nil {
		e.err = err
		return v
	}
	if block == 0 {
		shape := onAxis(v.Type.Elems(), axis, x.Rank())
		return e.reshape(v, shape)
	}
	index := e.table(ir.I32, x.Shape[axis])
	if index == nil {
		return v
	}
	for k := range index.Ints() {
		index.Ints()[k] = int64(k / block)
	}
	return e.op(ir.Gather, map[string]any{"axis": axis}, v, e.constant(index))
}

func dynamicQuantizeLinear(e *expansion, n *ir.Node) []*ir.Value {
	x, none := n.Args[0], e.number(ir.F32, 0)
	all := map[string]any{"keepdims": false}
	lo := e.op(ir.Min, nil, none, e.op(ir.ReduceMin, all, x))
	hi := e.op(ir.Max, nil, none, e.op(ir.ReduceMax, all, x))
	scale := e.op(ir.Div, nil, e.op(ir.Sub, nil, hi, lo), e.number(ir.F32, 255))
	scale = e.op(ir.Where, nil, e.op(ir.Equal, nil, scale, none), e.number(ir.F32, 1), scale)
	zero := e.op(ir.QuantizeLinear, nil, e.op(ir.Neg, nil, lo), scale)
	y := e.op(ir.QuantizeLinear, nil, x, scale, zero)
	return []*ir.Value{y, scale, zero}
}
