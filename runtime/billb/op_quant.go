package billb

// Quantizer is how numbers are rounded to an integer grid.
type Quantizer struct {
	Signed, Narrow bool
	Rounding       Rounding
}

var (
	// y = scale where x >= 0, -scale for everything else, NaN included; scale broadcasts to x.
	_ = register(&Op{
		Code: OpBipolarQuant,
		Name: "bipolar_quant",
		In:   "x scale", Out: "y",
	})
	// Rounds to a grid: y = (round(clamp(x/scale + zero, lo, hi)) - zero)*scale with lo..hi the range
	// of that many bits, every operation rounded to x's type; the operands broadcast to x. One signed
	// bit is {-1,+1}.
	_ = register(&Op{
		Code: OpQuant,
		Name: "quant",
		In:   "x scale zero bits", Out: "y",
		Params: (*Quantizer)(nil),
	})
	// Drops low bits of numbers on a grid: q = round(x/scale + zero), halves to even; without
	// out_scale y = (r(q/2^(in_bits-out_bits)) - zero)*scale; with it y = (r(clamp(q/s)) -
	// zero/s)*out_scale, s = out_scale/scale as a power of two. Operands broadcast to x.
	_ = register(&Op{
		Code: OpTruncQuant,
		Name: "trunc_quant",
		In:   "x scale zero in_bits out_scale? out_bits", Out: "y",
		Params: (*Quantizer)(nil),
	})
	// y = saturate(round(x/scale) + zero), halves to even, the quotient rounded to x's type (scale's
	// for an integer x). scale, a float, and zero, of y's integer type, broadcast to x.
	_ = register(&Op{
		Code: OpQuantizeLinear,
		Name: "quantize_linear",
		In:   "x scale zero?", Out: "y",
	})
	// y = (x - zero)*scale in y's type, scale's. x is an integer, zero of its type; scale and zero
	// broadcast to x.
	_ = register(&Op{
		Code: OpDequantizeLinear,
		Name: "dequantize_linear",
		In:   "x scale zero?", Out: "y",
	})
	// What a quantized convolution or product ends with: y =
	// saturate(round(float32(float32(s)*factor)) + zero), halves to even. s is an integer; factor,
	// f32, and zero, of y's integer type, broadcast to it.
	_ = register(&Op{
		Code: OpRequantize,
		Name: "requantize",
		In:   "s factor zero?", Out: "y",
	})
)
