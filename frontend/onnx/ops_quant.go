package onnx

import "github.com/billnet/billnet/ir"

var quantOps = map[string]handler{
	"ConvInteger":      {2, 4, convInteger},
	"DequantizeLinear": {2, 3, dequantizeLinear},
	"MatMulInteger":    {2, 4, plain("matmul_integer")},
	"QLinearConv":      {8, 9, qlinearConv},
	"QLinearMatMul":    {8, 8, plain("qlinear_matmul")},
	"QuantizeLinear":   {2, 3, quantizeLinear},
}

func convInteger(c *call) []*ir.Value {
	return one(c.emit("conv_integer", c.convAttrs(c.typ(0), c.typ(1)), c.args...))
}

func qlinearConv(c *call) []*ir.Value {
	return one(c.emit("qlinear_conv", c.convAttrs(c.typ(0), c.typ(3)), c.args...))
}

// noBlocks refuses quantization in blocks along an axis.
func (c *call) noBlocks() {
	if c.int("block_size", 0) != 0 {
		c.unsupportedf("with block_size=%d", c.int("block_size", 0))
	}
}

// quantizeLinear: the result has the zero point's type or, from version 21 on,
// that of an attribute; otherwise it is uint8.
func quantizeLinear(c *call) []*ir.Value {
	c.noBlocks()
	out := DType(c.int("output_dtype", 0))
	if c.in(2) != nil {
		if d := c.imp.narrow[c.args[2]]; d != Undefined {
			out = d
		}
	} else if out == Undefined {
		out = Uint8
	}
	if out != Undefined && (irTypes[out] == ir.Invalid || out.Bits() < 8) {
		c.unsupportedf("to element type %s", out)
	}
	if p := c.int("precision", 0); p != 0 && p != int(Float32) {
		c.unsupportedf("with precision %s", DType(p))
	}
	zero := c.in(2)
	if zero == nil && out != Uint8 {
		zero = c.scalar(irTypes[out], 0)
		if n := c.typ(1).Elems(); c.typ(1).Rank() > 0 {
			zero = c.emit("expand", attrs{"shape": []int{n}}, zero)
		}
	}
	return one(c.emit("quantize_linear", attrs{"axis": c.int("axis", 1)}, c.args[0], c.args[1], zero))
}

func dequantizeLinear(c *call) []*ir.Value {
	c.noBlocks()
	c.has("output_dtype")
	return one(c.emit("dequantize_linear", attrs{"axis": c.int("axis", 1)}, c.args...))
}

// qonnxOps are the operators of QONNX, which Brevitas and FINN share.
var qonnxOps = map[string]handler{
	"BipolarQuant": {2, 2, plain("bipolar_quant")},
	"Quant":        {4, 4, quant},
	"IntQuant":     {4, 4, quant},
}

func quant(c *call) []*ir.Value {
	return one(c.emit("quant", attrs{
		"signed":   c.bool("signed", true),
		"narrow":   c.bool("narrow", false),
		"rounding": c.str("rounding_mode", "ROUND"),
	}, c.args...))
}
