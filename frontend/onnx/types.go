package onnx

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/billnet/billnet/ir"
)

// irTypes gives each element type its counterpart. Integers narrower than a
// byte become those of 8 bits: the numbers are the same.
var irTypes = map[DType]ir.DType{
	Float32: ir.F32, Float64: ir.F64, Float16: ir.F16, BFloat16: ir.BF16, Bool: ir.Bool,
	Uint8: ir.U8, Int8: ir.I8, Uint16: ir.U16, Int16: ir.I16, Uint32: ir.U32, Int32: ir.I32, Uint64: ir.U64, Int64: ir.I64,
	Uint4: ir.U8, Int4: ir.I8, Uint2: ir.U8, Int2: ir.I8,
}

// convert reads a constant into an ir tensor.
func (t *Tensor) convert() (*ir.Tensor, error) {
	d, ok := irTypes[t.DType]
	if !ok {
		return nil, &unsupportedReason{fmt.Sprintf("constant %q of element type %s", t.Name, t.DType)}
	}
	if err := ir.CheckShape(t.Dims); err != nil {
		return nil, fmt.Errorf("constant %q: %w", t.Name, err)
	}
	data, err := t.Bytes()
	if err != nil {
		return nil, err
	}
	if d == ir.U64 {
		for i := 0; i < len(data); i += 8 {
			if v := binary.LittleEndian.Uint64(data[i:]); v > math.MaxInt64 {
				return nil, fmt.Errorf("constant %q: element %d is %d; uint64 values from 2^63 on are not supported", t.Name, i/8, v)
			}
		}
	}
	return ir.TensorFromData(ir.T(d, t.Dims...), data)
}
