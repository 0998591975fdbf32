package analysis

import "github.com/billnet/billnet/ir"

// IsMap reports whether a type is an activation of one clip: [1,C,T,H,W].
func IsMap(t ir.Type) bool { return t.Rank() == 5 && t.Shape[0] == 1 && t.Elems() > 0 }

func PlaneInt(d ir.DType) bool { return d == ir.U8 || d == ir.I8 || d == ir.I16 || d == ir.I32 }

// ConvAttrs returns the attributes that all convolutions share.
func ConvAttrs(n *ir.Node) map[string]any {
	attrs := map[string]any{}
	for _, a := range []string{"groups", "stride", "pad", "dilation", "to"} {
		if v, ok := n.Attrs[a]; ok {
			attrs[a] = v
		}
	}
	return attrs
}

// The cost of one multiply-accumulate of every kernel, relative to that of bits
// and binary weights on planes, as measured on CPUs with wide vectors: integers
// and binary weights on planes are sums of shared sums; everything else is a
// plain loop over row-major tensors.
const (
	costBits  = 1
	costSums  = 6
	CostDense = 1500
)

// ConvCost is the work of an integer convolution of x with weights of a type,
// giving elems numbers of fan sums each.
func ConvCost(x, w ir.DType, elems, fan int) int {
	binary := w == ir.SBit || w == ir.Tern
	switch {
	case binary && x.IsBit():
		return elems * fan * costBits
	case binary && PlaneInt(x):
		return elems * fan * costSums
	}
	return elems * fan * CostDense
}
