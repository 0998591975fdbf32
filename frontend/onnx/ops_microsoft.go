package onnx

import (
	"slices"
	"strings"

	"github.com/billnet/billnet/ir"
)

const microsoftDomain = "com.microsoft"

// microsoftOps are operators of ONNX Runtime's own, which its quantizer and its
// optimizer write. Quantized ones are the float operation between a
// dequantization and a quantization.
var microsoftOps = map[string]handler{
	"BiasGelu":                 {2, 2, func(c *call) []*ir.Value { return one(c.geluOf(c.op(ir.Add, c.args[0], c.args[1]))) }},
	"DequantizeLinear":         {2, 3, dequantizeLinear},
	"DynamicQuantizeLSTM":      {3, 12, dynamicQuantizeLSTM},
	"DynamicQuantizeMatMul":    {3, 5, dynamicQuantizeMatMul},
	"FastGelu":                 {1, 2, fastGelu},
	"FusedConv":                {2, 4, fusedConv},
	"FusedGemm":                {2, 3, func(c *call) []*ir.Value { return one(c.activated(gemm(c)[0])) }},
	"FusedMatMul":              {2, 2, fusedMatMul},
	"Gelu":                     {1, 1, func(c *call) []*ir.Value { return one(c.geluOf(c.args[0])) }},
	"MatMulIntegerToFloat":     {4, 7, matMulIntegerToFloat},
	"QGemm":                    {6, 9, qGemm},
	"QLinearAdd":               {7, 8, qlinearPair(ir.Add)},
	"QLinearAveragePool":       {4, 5, qlinearAveragePool},
	"QLinearConcat":            {5, many, qlinearConcat},
	"QLinearConv":              {8, 9, qlinearConvNHWC},
	"QLinearGlobalAveragePool": {5, 5, qlinearGlobalAveragePool},
	"QLinearLeakyRelu": {4, 5, qlinear(func(c *call, x *ir.Value) *ir.Value {
		return c.emit(ir.LeakyRelu, attrs{"alpha": c.float("alpha", 0.01)}, x)
	})},
	"QLinearMul":                       {7, 8, qlinearPair(ir.Mul)},
	"QLinearReduceMean":                {4, 5, qlinear(qlinearMean)},
	"QLinearSigmoid":                   {4, 5, qlinear(func(c *call, x *ir.Value) *ir.Value { return c.op(ir.Sigmoid, x) })},
	"QLinearSoftmax":                   {4, 5, qlinear(qlinearSoftmax)},
	"QLinearWhere":                     {9, 9, qlinearWhere},
	"QuantizeLinear":                   {2, 3, quantizeLinear},
	"QuickGelu":                        {1, 1, quickGelu},
	"SkipLayerNormalization":           {3, 5, skipLayerNorm},
	"SimplifiedLayerNormalization":     {2, 2, rmsNorm},
	"SkipSimplifiedLayerNormalization": {3, 4, skipLayerNorm},
}

// dequantized is the number that inputs i (quantized), i+1 (scale) and i+2 (zero
// point, may be left out) stand for.
func (c *call) dequantized(i int) *ir.Value {
	return c.emit(ir.DequantizeLinear, nil, c.args[i], c.single(i+1), c.single(i+2))
}

// single is an input of one element as a scalar, nil if it is left out.
func (c *call) single(i int) *ir.Value {
	v := c.in(i)
	if v == nil {
		return nil
	}
	if v.Type.Elems() != 1 {
		c.failf("input %d is %s, expected one number", i, v.Type)
	}
	return c.reshape(v, nil)
}

// quantized rounds y to the type d with the scale in input i and the zero point
// in input i+1.
func (c *call) quantized(y *ir.Value, d ir.DType, i int) *ir.Value {
	zero := c.single(i + 1)
	if zero == nil {
		zero = c.scalar(d, 0)
	}
	return c.emit(ir.QuantizeLinear, nil, y, c.single(i), zero)
}

// qlinear maps an operator of x, its scale and zero point, and the result's.
func qlinear(f func(c *call, x *ir.Value) *ir.Value) func(c *call) []*ir.Value {
	return func(c *call) []*ir.Value { return one(c.quantized(f(c, c.dequantized(0)), c.typ(0).DType, 3)) }
}

// qlinearPair maps an operator of two quantized operands.
func qlinearPair(op *ir.Op) func(c *call) []*ir.Value {
	return func(c *call) []*ir.Value {
		return one(c.quantized(c.op(op, c.dequantized(0), c.dequantized(3)), c.typ(0).DType, 6))
	}
}

func qlinearMean(c *call, x *ir.Value) *ir.Value {
	return c.emit(ir.ReduceMean, attrs{"axes": c.ints("axes"), "keepdims": c.bool("keepdims", true)}, x)
}

// qlinearSoftmax: before version 13 of Softmax, which an attribute tells, all
// axes from the given one on are one.
func qlinearSoftmax(c *call, x *ir.Value) *ir.Value {
	shape := x.Type.Shape
	axis := c.axis(c.int("axis", -1), len(shape))
	if c.int("opset", 13) >= 13 {
		return c.emit(ir.Softmax, attrs{"axis": axis}, x)
	}
	flat := c.reshape(x, []int{elems(shape[:axis]), elems(shape[axis:])})
	return c.reshape(c.emit(ir.Softmax, attrs{"axis": 1}, flat), shape)
}

// qlinearConcat: the result's scale and zero point, then three inputs a part.
func qlinearConcat(c *call) []*ir.Value {
	if (len(c.args)-2)%3 != 0 {
		c.failf("%d inputs, expected a scale and a zero point, then three for every part", len(c.args))
	}
	var parts []*ir.Value
	for i := 2; i < len(c.args); i += 3 {
		parts = append(parts, c.dequantized(i))
	}
	y := c.emit(ir.Concat, attrs{"axis": c.int("axis", 0)}, parts...)
	return one(c.quantized(y, c.typ(2).DType, 0))
}

func qlinearWhere(c *call) []*ir.Value {
	y := c.op(ir.Where, c.args[0], c.dequantized(1), c.dequantized(4))
	return one(c.quantized(y, c.typ(1).DType, 7))
}

// channelsFirst runs f on maps [N,C,...]; with channels_last x and the result
// have the channels last.
func (c *call) channelsFirst(x *ir.Value, f func(x *ir.Value) *ir.Value) *ir.Value {
	rank := x.Type.Rank()
	if !c.bool("channels_last", false) || rank < 3 {
		return f(x)
	}
	there := append([]int{0, rank - 1}, axesFrom(1, rank-1)...)
	back := append(append([]int{0}, axesFrom(2, rank)...), 1)
	return c.emit(ir.Transpose, attrs{"perm": back}, f(c.emit(ir.Transpose, attrs{"perm": there}, x)))
}

func qlinearGlobalAveragePool(c *call) []*ir.Value {
	y := c.channelsFirst(c.dequantized(0), func(x *ir.Value) *ir.Value { return c.op(ir.GlobalAveragePool, x) })
	return one(c.quantized(y, c.typ(0).DType, 3))
}

func qlinearAveragePool(c *call) []*ir.Value {
	y := c.channelsFirst(c.dequantized(0), func(x *ir.Value) *ir.Value {
		a := c.poolAttrsOf(x.Type)
		a["count_include_pad"] = c.bool("count_include_pad", false)
		return c.emit(ir.AveragePool, a, x)
	})
	return one(c.quantized(y, c.typ(0).DType, 3))
}

func qlinearConvNHWC(c *call) []*ir.Value {
	return one(c.channelsFirst(c.args[0], func(x *ir.Value) *ir.Value {
		args := append([]*ir.Value{x}, c.args[1:]...)
		return c.emit(ir.QLinearConv, c.convAttrs(x.Type, c.typ(3)), args...)
	}))
}

// qGemm: (alpha*(a - za)*(b - zb) + c)*sa*sb, where c holds integers with the
// scale of the products; float if the result has no scale.
func qGemm(c *call) []*ir.Value {
	trans := func(v *ir.Value, attr string) *ir.Value {
		if c.bool(attr, false) {
			return c.emit(ir.Transpose, attrs{"perm": []int{1, 0}}, v)
		}
		return v
	}
	b := c.args[3]
	scale, zero := c.args[4], c.in(5)
	if scale.Type.Elems() == 1 {
		scale, zero = c.single(4), c.single(5)
	}
	a := trans(c.args[0], "transA")
	sum := c.emit(ir.MatMulInteger, nil, a, trans(b, "transB"), c.single(2), zero)
	if bias := c.in(6); bias != nil {
		sum = c.op(ir.Add, sum, bias)
	}
	factor := c.op(ir.Mul, c.op(ir.Mul, c.single(1), scale), c.scalar(ir.F32, c.float("alpha", 1)))
	y := c.op(ir.Mul, c.cast(sum, ir.F32), factor)
	if c.in(7) == nil {
		return one(y)
	}
	return one(c.quantized(y, c.typ(0).DType, 7))
}

// integerProduct is (a - za)*(b - zb)*sa*sb, plus a bias.
func (c *call) integerProduct(a, b, sa, sb, za, zb, bias *ir.Value) *ir.Value {
	sum := c.emit(ir.MatMulInteger, nil, a, b, za, zb)
	y := c.op(ir.Mul, c.cast(sum, ir.F32), c.op(ir.Mul, sa, sb))
	if bias != nil {
		y = c.op(ir.Add, y, bias)
	}
	return y
}

func matMulIntegerToFloat(c *call) []*ir.Value {
	return one(c.integerProduct(c.args[0], c.args[1], c.args[2], c.args[3], c.in(4), c.in(5), c.in(6)))
}

func dynamicQuantizeMatMul(c *call) []*ir.Value {
	q := c.node(ir.DynamicQuantizeLinear, nil, c.args[0]).Results
	return one(c.integerProduct(q[0], c.args[1], q[1], c.args[2], q[2], c.in(3), c.in(4)))
}

// activated applies the activation that an operator was fused with.
func (c *call) activated(y *ir.Value) *ir.Value {
	params := c.floats("activation_params")
	param := func(i int, name string, def float32) float64 {
		if i < len(params) {
			return params[i]
		}
		return c.float(name, def)
	}
	switch name := c.str("activation", ""); name {
	case "":
		return y
	case "Relu":
		return c.op(ir.Relu, y)
	case "Sigmoid":
		return c.op(ir.Sigmoid, y)
	case "Tanh":
		return c.op(ir.Tanh, y)
	case "LeakyRelu":
		return c.emit(ir.LeakyRelu, attrs{"alpha": param(0, "activation_alpha", 0.01)}, y)
	case "HardSigmoid":
		return c.emit(ir.HardSigmoid, attrs{"alpha": param(0, "activation_alpha", 0.2), "beta": param(1, "activation_beta", 0.5)}, y)
	case "Clip":
		if len(params) != 2 {
			c.failf("activation_params are %v, expected the limits of Clip", params)
		}
		return c.op(ir.Clip, y, c.like(y, params[0]), c.like(y, params[1]))
	default:
		c.unsupportedf("with activation %s", name)
	}
	return nil
}

// fusedConv adds input 3 before the activation.
func fusedConv(c *call) []*ir.Value {
	y := c.emit(ir.Conv, c.convAttrs(c.typ(0), c.typ(1)), c.args[:min(3, len(c.args))]...)
	if z := c.in(3); z != nil {
		y = c.op(ir.Add, y, z)
	}
	return one(c.activated(y))
}

func fusedMatMul(c *call) []*ir.Value {
	if c.bool("transBatchA", false) || c.bool("transBatchB", false) {
		c.unsupportedf("with transposed batches")
	}
	trans := func(i int, attr string) *ir.Value {
		v, rank := c.args[i], c.typ(i).Rank()
		if !c.bool(attr, false) || rank < 2 {
			return v
		}
		perm := axesFrom(0, rank)
		perm[rank-1], perm[rank-2] = rank-2, rank-1
		return c.emit(ir.Transpose, attrs{"perm": perm}, v)
	}
	y := c.op(ir.MatMul, trans(0, "transA"), trans(1, "transB"))
	if alpha := c.float("alpha", 1); alpha != 1 {
		y = c.op(ir.Mul, y, c.like(y, alpha))
	}
	return one(y)
}

func fastGelu(c *call) []*ir.Value {
	x := c.args[0]
	if b := c.in(1); b != nil {
		x = c.op(ir.Add, x, b)
	}
	return one(c.tanhGelu(x))
}

// quickGelu is x*sigmoid(alpha*x).
func quickGelu(c *call) []*ir.Value {
	x := c.args[0]
	return one(c.op(ir.Mul, x, c.op(ir.Sigmoid, c.op(ir.Mul, x, c.like(x, c.float("alpha", 1.702))))))
}

// skipLayerNorm normalizes the sum of two inputs and a bias over the last axis;
// the sum is output 3. The simplified form does not subtract the mean and has
// no beta.
func skipLayerNorm(c *call) []*ir.Value {
	x, gamma := c.op(ir.Add, c.args[0], c.args[1]), c.args[2]
	simple := c.Op == "SkipSimplifiedLayerNormalization"
	beta, bias := c.in(3), c.in(4)
	if simple {
		beta, bias = nil, c.in(3)
	}
	if bias != nil {
		x = c.op(ir.Add, x, bias)
	}
	axes := attrs{"axes": []int{x.Type.Rank() - 1}}
	epsilon := c.float("epsilon", 1e-12)
	var y, mean, invStd *ir.Value
	if simple {
		root := c.op(ir.Sqrt, c.op(ir.Add, c.emit(ir.ReduceMean, axes, c.op(ir.Mul, x, x)), c.like(x, epsilon)))
		y = c.op(ir.Div, x, root)
		return []*ir.Value{c.op(ir.Mul, y, gamma), nil, c.op(ir.Reciprocal, root), x}
	}
	y, mean, invStd = c.standardize(x, axes["axes"].([]int), epsilon)
	y = c.op(ir.Mul, y, gamma)
	if beta != nil {
		y = c.op(ir.Add, y, beta)
	}
	return []*ir.Value{y, mean, invStd, x}
}

// dynamicQuantizeLSTM is an LSTM whose matrix products are of integers: weights
// [directions, in, 4*hidden] with scales and zero points, the input quantized as
// a whole and the state in every step, each with the range that it has then. It
// is written out step by step.
func dynamicQuantizeLSTM(c *call) []*ir.Value {
	for i := 8; i < 12; i++ {
		if c.in(i) == nil {
			c.failf("input %d is left out, expected scales and zero points of both weights", i)
		}
	}
	x := c.typ(0)
	hidden, direction := c.int("hidden_size", 0), c.str("direction", "forward")
	if c.in(4) != nil || c.in(7) != nil || c.float("clip", 0) != 0 || c.bool("input_forget", false) || c.int("layout", 0) != 0 {
		c.unsupportedf("with lengths, peepholes, clip, input_forget or another layout")
	}
	for i, name := range attr[[]string](c, "activations", nil) {
		if want := []string{"sigmoid", "tanh", "tanh"}[i%3]; strings.ToLower(name) != want {
			c.unsupportedf("with activation %s", name)
		}
	}
	dirs := 1
	if direction == "bidirectional" {
		dirs = 2
	}
	if x.Rank() != 3 || hidden < 1 || !ir.SameShape(c.typ(1).Shape, []int{dirs, x.Shape[2], 4 * hidden}) || !ir.SameShape(c.typ(2).Shape, []int{dirs, hidden, 4 * hidden}) {
		c.failf("x is %s, weights are %s and %s, expected [T,N,in], [%d,in,%d] and [%d,hidden,%d]", x, c.typ(1), c.typ(2), dirs, 4*hidden, dirs, 4*hidden)
	}
	if x.Shape[0]*dirs > maxNodes/100 {
		c.unsupportedf("%d steps are too many to write out", x.Shape[0])
	}
	var ys, hs, cs []*ir.Value
	for d := range dirs {
		l := c.quantizedLSTM(d, hidden)
		y, h, cell := l.run(direction == "reverse" || d == 1)
		ys, hs, cs = append(ys, y), append(hs, h), append(cs, cell)
	}
	join := func(list []*ir.Value, axis int) *ir.Value {
		parts := make([]*ir.Value, len(list))
		for i, v := range list {
			parts[i] = c.emit(ir.Unsqueeze, attrs{"axes": []int{axis}}, v)
		}
		return c.emit(ir.Concat, attrs{"axis": axis}, parts...)
	}
	return []*ir.Value{join(ys, 1), join(hs, 0), join(cs, 0)}
}

// quantizedLSTM is one direction of a DynamicQuantizeLSTM.
type quantizedLSTM struct {
	*call
	hidden        int
	gates         *ir.Value // [T, N, 4*hidden] of the input and the biases
	r, rs, rz     *ir.Value // recurrent weights
	h, cell       *ir.Value // [N, hidden]
	startsAtZeros bool
}

func (c *call) quantizedLSTM(d, hidden int) *quantizedLSTM {
	part := func(i int) *ir.Value {
		v := c.in(i)
		if v == nil {
			return nil
		}
		if v.Type.Rank() == 0 {
			return v
		}
		v = c.emit(ir.Slice, attrs{"axes": []int{0}, "starts": []int{min(d, v.Type.Shape[0]-1)}, "ends": []int{min(d, v.Type.Shape[0]-1) + 1}}, v)
		shape := v.Type.Shape[1:]
		if v.Type.Elems() == 1 {
			shape = nil
		}
		return c.reshape(v, slices.Clone(shape))
	}
	steps, n := c.typ(0).Shape[0], c.typ(0).Shape[1]
	q := c.node(ir.DynamicQuantizeLinear, nil, c.args[0]).Results
	flat := c.reshape(q[0], []int{steps * n, c.typ(0).Shape[2]})
	gates := c.integerProduct(flat, part(1), q[1], part(8), q[2], part(9), nil)
	if b := part(3); b != nil {
		half := func(k int) *ir.Value {
			return c.emit(ir.Slice, attrs{"axes": []int{0}, "starts": []int{k * 4 * hidden}, "ends": []int{(k + 1) * 4 * hidden}}, b)
		}
		gates = c.op(ir.Add, gates, c.op(ir.Add, half(0), half(1)))
	}
	l := &quantizedLSTM{call: c, hidden: hidden, gates: c.reshape(gates, []int{steps, n, 4 * hidden}), r: part(2), rs: part(10), rz: part(11), h: part(5), cell: part(6)}
	zeros := func() *ir.Value { return c.emit(ir.Expand, attrs{"shape": []int{n, hidden}}, c.scalar(ir.F32, 0)) }
	if l.h == nil {
		l.h, l.startsAtZeros = zeros(), true
	}
	if l.cell == nil {
		l.cell = zeros()
	}
	return l
}

// run writes out all steps and returns the outputs [T, N, hidden] and the last
// states.
func (l *quantizedLSTM) run(backwards bool) (y, h, cell *ir.Value) {
	steps := l.gates.Type.Shape[0]
	outs := make([]*ir.Value, steps)
	for k := range steps {
		t := k
		if backwards {
			t = steps - 1 - k
		}
		l.step(t, k == 0 && l.startsAtZeros)
		outs[t] = l.emit(ir.Unsqueeze, attrs{"axes": []int{0}}, l.h)
	}
	return l.emit(ir.Concat, attrs{"axis": 0}, outs...), l.h, l.cell
}

// step is one step of the cell; the gates' order is input, output, forget,
// candidate. A state of zeros adds nothing.
func (l *quantizedLSTM) step(t int, zeroState bool) {
	n := l.gates.Type.Shape[1]
	g := l.reshape(l.emit(ir.Slice, attrs{"axes": []int{0}, "starts": []int{t}, "ends": []int{t + 1}}, l.gates), []int{n, 4 * l.hidden})
	if !zeroState {
		q := l.node(ir.DynamicQuantizeLinear, nil, l.h).Results
		g = l.op(ir.Add, g, l.integerProduct(q[0], l.r, q[1], l.rs, q[2], l.rz, nil))
	}
	gate := func(k int, f *ir.Op) *ir.Value {
		return l.op(f, l.emit(ir.Slice, attrs{"axes": []int{1}, "starts": []int{k * l.hidden}, "ends": []int{(k + 1) * l.hidden}}, g))
	}
	in, out, forget, candidate := gate(0, ir.Sigmoid), gate(1, ir.Sigmoid), gate(2, ir.Sigmoid), gate(3, ir.Tanh)
	l.cell = l.op(ir.Add, l.op(ir.Mul, forget, l.cell), l.op(ir.Mul, in, candidate))
	l.h = l.op(ir.Mul, out, l.op(ir.Tanh, l.cell))
}
