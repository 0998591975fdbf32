package onnx

import (
	"slices"

	"github.com/billnet/billnet/ir"
)

// ONNX names the element types of every operator, fewer than an operation here
// takes. An operation over another type is written over one that holds its
// numbers, between two casts.
var (
	floatTypes = []ir.DType{ir.F32, ir.F64, ir.F16, ir.BF16}
	wideTypes  = append([]ir.DType{ir.I32, ir.I64, ir.U32, ir.U64}, floatTypes...)

	operatorTypes = map[*ir.Op][]ir.DType{
		ir.MaxPool:       append([]ir.DType{ir.I8, ir.U8}, floatTypes...),
		ir.GlobalMaxPool: floatTypes,
		ir.ReduceMax:     append([]ir.DType{ir.I8, ir.U8, ir.Bool}, wideTypes...),
		ir.ReduceMin:     append([]ir.DType{ir.I8, ir.U8, ir.Bool}, wideTypes...),
		ir.ReduceSum:     wideTypes,
		ir.ReduceMean:    wideTypes,
		ir.ReduceProd:    wideTypes,
		ir.MatMul:        wideTypes,
		ir.Gemm:          wideTypes,
		ir.PRelu:         wideTypes,
		ir.Relu:          append([]ir.DType{ir.I8, ir.I16, ir.I32, ir.I64}, floatTypes...),
		ir.Neg:           append([]ir.DType{ir.I8, ir.I16, ir.I32, ir.I64}, floatTypes...),
		ir.Pow:           append([]ir.DType{ir.I32, ir.I64}, floatTypes...),
		ir.Sum:           floatTypes,
		ir.Mean:          floatTypes,
		ir.ArgMax:        append([]ir.DType{ir.I8, ir.U8, ir.I16, ir.U16}, wideTypes...),
		ir.TopK:          {ir.I8, ir.U8, ir.I16, ir.U16, ir.I32, ir.U32, ir.I64, ir.U64, ir.F16, ir.F32, ir.F64},
	}

	// bfloatFrom22 are the operators that took bfloat16 only from operator set 22 on.
	bfloatFrom22 = map[string]bool{
		"Acos": true, "Acosh": true, "Asin": true, "Asinh": true, "Atan": true, "Atanh": true, "AveragePool": true, "Conv": true, "Cos": true, "Cosh": true, "Elu": true,
		"GRU": true, "GlobalAveragePool": true, "GlobalMaxPool": true, "HardSigmoid": true, "HardSwish": true, "LSTM": true, "MaxPool": true, "RNN": true, "Round": true,
		"Selu": true, "Sin": true, "Sinh": true, "Softplus": true, "Tan": true,
	}
)

// operatorType returns the element type over which ONNX has an operation whose
// data is of type d: d itself, or the first that holds all of its numbers.
func operatorType(op *ir.Op, d ir.DType) (to ir.DType, ok bool) {
	known := operatorTypes[op]
	if known == nil || d.IsLogic() || slices.Contains(known, d) {
		return d, true
	}
	for _, to := range []ir.DType{ir.I32, ir.I64, ir.F32, ir.F64} {
		if slices.Contains(known, to) && holds(to, d) {
			return to, true
		}
	}
	return d, false
}

// holds reports whether every number of a type is one of another type.
func holds(to, d ir.DType) bool {
	if d.IsFloat() {
		return to == ir.F32 && (d == ir.F16 || d == ir.BF16)
	}
	lo, hi := d.Range()
	switch to {
	case ir.F32:
		return lo >= -1<<24 && hi <= 1<<24
	case ir.F64:
		return lo >= -1<<53 && hi <= 1<<53 && d != ir.U64
	}
	l, h := to.Range()
	return lo >= l && hi <= h && d != ir.U64
}
