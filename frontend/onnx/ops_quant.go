package onnx

import (
	"slices"
	"strings"

	"github.com/billnet/billnet/ir"
)

var quantOps = map[string]handler{
	"ConvInteger":           {2, 4, convInteger},
	"DequantizeLinear":      {2, 3, dequantizeLinear},
	"DynamicQuantizeLinear": {1, 1, func(c *call) []*ir.Value { return c.node(ir.DynamicQuantizeLinear, nil, c.args...).Results }},
	"MatMulInteger":         {2, 4, plain(ir.MatMulInteger)},
	"QLinearConv":           {8, 9, qlinearConv},
	"QLinearMatMul":         {8, 8, plain(ir.QLinearMatMul)},
	"QuantizeLinear":        {2, 3, quantizeLinear},
}

func convInteger(c *call) []*ir.Value {
	return one(c.emit(ir.ConvInteger, c.convAttrs(c.typ(0), c.typ(1)), c.args...))
}

func qlinearConv(c *call) []*ir.Value {
	return one(c.emit(ir.QLinearConv, c.convAttrs(c.typ(0), c.typ(3)), c.args...))
}

// blocks are runs of equal length along an axis that share a scale and a zero
// point. As rows of a matrix they are quantized along one axis.
type blocks struct {
	shape, split, perm []int
	rows, size         int
}

// blocks returns how x is cut, nil when there is one scale or one an axis.
func (c *call) blocks() *blocks {
	size := c.int("block_size", 0)
	if size == 0 {
		return nil
	}
	shape, scale := c.typ(0).Shape, c.typ(1).Shape
	axis := c.axis(c.int("axis", 1), len(shape))
	if size < 0 || shape[axis]%size != 0 {
		c.unsupportedf("with block_size=%d for %d elements along the axis", size, shape[axis])
	}
	want := slices.Clone(shape)
	want[axis] /= size
	if !ir.SameShape(scale, want) {
		c.failf("the scale is %s, expected %s for blocks of %d", c.typ(1), ir.ShapeString(want), size)
	}
	n := &blocks{shape: shape, split: slices.Insert(slices.Clone(want), axis+1, size), rows: elems(want), size: size}
	for a := range n.split {
		if a != axis+1 {
			n.perm = append(n.perm, a)
		}
	}
	n.perm = append(n.perm, axis+1)
	return n
}

// quantizer emits a quantization or its inverse, of blocks where x has them.
func (c *call) quantizer(op *ir.Op, a attrs, x, scale, zero *ir.Value) *ir.Value {
	n := c.blocks()
	if n == nil {
		a["axis"] = c.int("axis", 1)
		return c.emit(op, a, x, scale, c.likeScale(zero))
	}
	row := func(v *ir.Value) *ir.Value {
		if v == nil {
			return nil
		}
		return c.reshape(v, []int{n.rows})
	}
	x = c.reshape(c.emit(ir.Transpose, attrs{"perm": n.perm}, c.reshape(x, n.split)), []int{n.rows, n.size})
	a["axis"] = 0
	y := c.emit(op, a, x, row(scale), row(zero))
	cut := make([]int, len(n.split))
	back := make([]int, len(n.split))
	for i, from := range n.perm {
		cut[i], back[from] = n.split[from], i
	}
	return c.reshape(c.emit(ir.Transpose, attrs{"perm": back}, c.reshape(y, cut)), n.shape)
}

// quantizeLinear: the result has the zero point's type or, from version 21 on,
// that of an attribute; otherwise it is uint8. Narrower integers are those of 8
// bits, limited.
func quantizeLinear(c *call) []*ir.Value {
	zero := c.in(2)
	out := DType(c.int("output_dtype", 0))
	if zero != nil {
		out = c.imp.narrow[zero] // Undefined if ir has the type as it is
	}
	if out != Undefined && irTypes[out] == ir.Invalid {
		c.unsupportedf("to element type %s", out)
	}
	if p := DType(c.int("precision", 0)); p != Undefined && p != Float32 {
		c.unsupportedf("with precision %s", p)
	}
	a := attrs{}
	if zero == nil && out != Undefined {
		a["to"] = irTypes[out].String()
	}
	y := c.quantizer(ir.QuantizeLinear, a, c.args[0], c.args[1], zero)
	if out == Undefined || out.Bits() >= 8 {
		return one(y)
	}
	lo, hi := 0, 1<<out.Bits()-1
	if out == Int4 || out == Int2 {
		lo, hi = -1<<(out.Bits()-1), 1<<(out.Bits()-1)-1
	}
	y = c.emit(ir.Clip, nil, y, c.scalar(y.Type.DType, float64(lo)), c.scalar(y.Type.DType, float64(hi)))
	c.imp.narrow[y] = out
	return one(y)
}

func dequantizeLinear(c *call) []*ir.Value {
	if out := DType(c.int("output_dtype", 0)); out != Undefined && irTypes[out] != c.typ(1).DType {
		c.unsupportedf("to element type %s with a scale of %s", out, c.typ(1).DType)
	}
	return one(c.quantizer(ir.DequantizeLinear, attrs{}, c.args[0], c.args[1], c.in(2)))
}

// likeScale gives a zero point of one element the shape of such a scale: some
// models write one as a scalar and the other as a list.
func (c *call) likeScale(zero *ir.Value) *ir.Value {
	if zero == nil || zero.Type.Elems() != 1 || c.typ(1).Elems() != 1 {
		return zero
	}
	return c.reshape(zero, c.typ(1).Shape)
}

// qonnxOps are the operators of QONNX, which Brevitas and FINN share.
var qonnxOps = map[string]handler{
	"BipolarQuant":  {2, 2, plain(ir.BipolarQuant)},
	"IntQuant":      {4, 4, quant},
	"Quant":         {4, 4, quant},
	"QuantLSTMCell": {48, 48, quantLSTMCell},
	"Trunc":         {5, 6, trunc},
}

func quant(c *call) []*ir.Value {
	return one(c.emit(ir.Quant, attrs{
		"signed":   c.bool("signed", true),
		"narrow":   c.bool("narrow", false),
		"rounding": strings.ToUpper(c.str("rounding_mode", "ROUND")),
	}, c.args...))
}

// trunc: the first version of the operator has no scale of its result.
func trunc(c *call) []*ir.Value {
	args := c.args
	if len(args) == 5 {
		args = slices.Insert(slices.Clone(args), 4, nil)
	}
	return one(c.emit(ir.TruncQuant, attrs{
		"signed":   c.bool("signed", true),
		"narrow":   c.bool("narrow", false),
		"rounding": strings.ToUpper(c.str("rounding_mode", "FLOOR")),
	}, args...))
}

// lstmQuantizers are the quantizers of a QuantLSTMCell in the order of their
// operands.
var lstmQuantizers = []string{
	"output", "cell_state", "input_acc", "forget_acc", "cell_acc", "output_acc",
	"input_sigmoid", "forget_sigmoid", "cell_tanh", "output_sigmoid", "hidden_state_tanh",
}

// quantLSTMCell is the layer that Brevitas exports, with eleven quantizers in
// the order of their operands.
func quantLSTMCell(c *call) []*ir.Value {
	var signed, narrow []int
	var rounding []string
	for _, q := range lstmQuantizers {
		signed = append(signed, c.int(q+"_signed", 1))
		narrow = append(narrow, c.int(q+"_narrow", c.int(q+"_narrow_range", 0)))
		rounding = append(rounding, strings.ToUpper(c.str(q+"_rounding_mode", "ROUND")))
	}
	return c.node(ir.QuantLSTMCell, attrs{
		"signed":        signed,
		"narrow":        narrow,
		"rounding":      rounding,
		"batch_first":   c.bool("batch_first", false),
		"reverse_input": c.bool("reverse_input", false),
		"cifg":          c.bool("cifg", false),
	}, c.args...).Results
}
