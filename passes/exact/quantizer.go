package exact

import (
	"math"

	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/passes"
	"github.com/billnet/billnet/passes/analysis"
)

// quantizer recognises a quantization to lo..hi with one scale and zero point 0:
// quantize_linear, which saturates at its type, or the clip behind it, or a clip of
// the whole part of a number, of its floor or its ceiling. q is its first operation.
func quantizer(rw *passes.Rewriter, n *ir.Node) (q *ir.Node, grid []*ir.Node, lo, hi int64) {
	if lo, hi, ok := wholeLimits(n); ok && ir.Def(n.Args[0]).Is(ir.Cast) {
		q = ir.Def(n.Args[0])
		grid = []*ir.Node{q, n}
		if d := ir.Def(q.Args[0]); d.Is(ir.Floor) || d.Is(ir.Ceil) {
			q, grid = d, []*ir.Node{d, q, n}
		}
		if q.In(0).DType == ir.F32 {
			return q, grid, lo, hi
		}
		return nil, nil, 0, 0
	}
	if n.Is(ir.QuantizeLinear) {
		q, grid = n, []*ir.Node{n}
	} else if n.Is(ir.Clip) && n.Arg(1) != nil && n.Arg(2) != nil {
		q, grid = ir.Def(n.Args[0]), []*ir.Node{ir.Def(n.Args[0]), n}
	}
	if !q.Is(ir.QuantizeLinear) || !endsChain(q) || q.Arg(2) != nil && !ir.IsSplat(q.Args[2], 0) {
		return nil, nil, 0, 0
	}
	if s, ok := ir.Splat(q.Args[1]); !ok || s <= 0 {
		return nil, nil, 0, 0
	}
	lo, hi = q.Result().Type.DType.Range()
	if n == q {
		for _, u := range rw.Readers(n.Result()) {
			if u.Is(ir.Clip) {
				return nil, nil, 0, 0 // it decides the levels
			}
		}
		return q, grid, lo, hi
	}
	a, b, ok := wholeLimits(n)
	if !ok {
		return nil, nil, 0, 0
	}
	return q, grid, max(lo, a), min(hi, b)
}

// wholeLimits returns the limits of a clip of integers.
func wholeLimits(n *ir.Node) (lo, hi int64, ok bool) {
	if !n.Is(ir.Clip) || n.In(0).DType.IsFloat() || n.Arg(1) == nil || n.Arg(2) == nil {
		return 0, 0, false
	}
	a, ok1 := ir.Splat(n.Args[1])
	b, ok2 := ir.Splat(n.Args[2])
	return int64(a), int64(b), ok1 && ok2 && a < b
}

// sameGrid: what was dequantized and is quantized with the same scale and zero
// point is the bytes it was made of. Max pools and moves of elements in between
// act on the bytes.
func sameGrid(rw *passes.Rewriter, r *analysis.Ranger, n *ir.Node) []*ir.Value {
	if !n.Is(ir.QuantizeLinear) || n.In(0).DType != ir.F32 || n.Int("block_size") != 0 {
		return nil
	}
	s, ok := ir.Splat(n.Args[1])
	zero := 0.0
	if n.Arg(2) != nil && ok {
		zero, ok = ir.Splat(n.Args[2])
	}
	if !ok || n.In(1).DType != ir.F32 {
		return nil
	}
	v, scale := n.Args[0], 1.0
	if m := ir.Def(v); m.Is(ir.Mul) {
		for i := range 2 {
			if k, ok := ir.Splat(m.Args[i]); ok && ir.SameShape(m.In(1-i).Shape, m.Result().Type.Shape) {
				v, scale = m.Args[1-i], k
			}
		}
	}
	z := ir.Unwrap(v, ir.ToFloat)
	if z == nil || scale != s || !roundsBack(float32(s), r.Of(z)) {
		return nil
	}
	if q := shifted(rw, z, n.Result().Type.DType, zero); q != nil {
		return []*ir.Value{q}
	}
	return nil
}

// roundsBack reports that every integer of a span comes back from its product
// with s.
func roundsBack(s float32, of analysis.Span) bool {
	lo, hi := of.All()
	if lo < -1<<10 || hi > 1<<10 {
		return false
	}
	for k := lo; k <= hi; k++ {
		if math.RoundToEven(float64(float32(k)*s/s)) != float64(k) {
			return false
		}
	}
	return true
}

// shifted returns the bytes of type d that are z plus a zero point, for z made
// of such bytes less the zero point; nil for others.
func shifted(rw *passes.Rewriter, z *ir.Value, d ir.DType, zero float64) *ir.Value {
	if z.Type.DType == d && zero == 0 {
		return z
	}
	n := ir.Def(z)
	switch {
	case n.Is(ir.Sub) && ir.IsSplat(n.Args[1], zero):
		if q := ir.Unwrap(n.Args[0], ir.Cast); q != nil && q.Type.DType == d && ir.SameShape(q.Type.Shape, z.Type.Shape) {
			return q
		}
	case n.Is(ir.MaxPool) && len(n.Results) == 1, n.Is(ir.Reshape), n.Is(ir.Transpose):
		if q := shifted(rw, n.Args[0], d, zero); q != nil {
			return rw.Op(n.Op, n.Attrs, q)
		}
	}
	return nil
}
