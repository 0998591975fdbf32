package exact

import (
	"math"

	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/passes"
	"github.com/billnet/billnet/passes/analysis"
)

// Weights of two values a channel, as AdaBin has them, are an affine of signs,
// and so are other weights whose zero lies between two steps:
//
//	conv(x, scale*s + offset) = scale*conv(x, s) + offset*conv(x, 1)
//
// The sum of the window is one integer for all channels of a group.

// weighOffset is weigh, also of weights that are integers and an offset a
// channel; offset is nil where there is none. Bits prefer signs to integers.
func (s *scaled) weighOffset(w *ir.Tensor, groups int) (b *analysis.BinaryWeights, offset []float64, num, den float64) {
	b, num, den = s.weigh(w, groups)
	bits := s.z.Type.DType.IsBit()
	if b != nil && !(bits && b.Bits.Type.DType == ir.I8) || !s.uniform() {
		return b, nil, num, den
	}
	recover := analysis.RecoverOffset
	if b != nil {
		recover = analysis.RecoverTwoValued
	}
	if o := recover(w); o != nil {
		return &o.BinaryWeights, o.Offset, s.num[0], s.den[0]
	}
	return b, nil, num, den
}

// ones are weights of +1.
func ones(shape ...int) *ir.Tensor {
	t := ir.NewTensor(ir.T(ir.SBit, shape...))
	for i := range t.Ints() {
		t.Ints()[i] = 1
	}
	return t
}

// windowSum is what convolution n sums up with weights of one, for every output
// channel or, without groups, one for all.
func windowSum(rw *passes.Rewriter, n *ir.Node, z *ir.Value, w ir.Type) *ir.Value {
	op, groups := ir.IConv, n.Int("groups")
	if z.Type.DType.IsBit() {
		op = ir.BConv
	}
	sum := rw.Op(op, analysis.ConvAttrs(n), z, rw.Const(ones(append([]int{groups}, w.Shape[1:]...)...)))
	o := w.Shape[0]
	if groups == 1 || groups == o {
		return sum
	}
	of := make([]int64, o)
	for i := range of {
		of[i] = int64(i / (o / groups))
	}
	return rw.Op(ir.Gather, map[string]any{"axis": 1}, sum, rw.Const(ir.IntTensor(ir.I64, of, o)))
}

// emitOffset returns the float value of a layer's sums z and its windows' sums:
// that of one integer where scales and offsets have whole ratios, else the sum of
// both scaled.
func (s *scaled) emitOffset(rw *passes.Rewriter, r *analysis.Ranger, z, sum *ir.Value, offset []float64, l *layer) []*ir.Value {
	if times, plus, unit := ratios(l.w.Scale, offset); unit != nil {
		zlo, zhi := r.Of(z).All()
		slo, shi := r.Of(sum).All()
		whole := func(v *ir.Value, k []float64) *ir.Value {
			if v.Type.DType != ir.I32 {
				v = rw.Op(ir.Cast, map[string]any{"to": "i32"}, v)
			}
			if one, ok := same(k); ok && one == 1 {
				return v
			}
			c := ir.DoubleTensor(k, len(k))
			return rw.Op(ir.Mul, nil, v, rw.Const(onAxis(c.Convert(ir.I32), l.axis, z.Type.Rank())))
		}
		if most := maxAbs(times)*float64(max(zhi, -zlo)) + maxAbs(plus)*float64(max(shi, -slo)); most < math.MaxInt32 {
			y := rw.Op(ir.Add, nil, whole(z, times), whole(sum, plus))
			r.Known[y] = analysis.Uniform(-int64(most), int64(most))
			one := *l
			w := *l.w
			for o, u := range unit {
				w.Off = max(w.Off, l.w.Off+math.Abs(offset[o]-plus[o]*u)*float64(fanIn(l.source.Type)))
			}
			w.Scale, one.w = unit, &w
			if y = s.emit(rw, r, y, &one); y != nil {
				return []*ir.Value{y}
			}
			return nil
		}
	}
	y := s.emit(rw, r, z, l)
	lo, hi := r.Of(sum).All()
	if y == nil || lo < math.MinInt32 || hi > math.MaxInt32 {
		return nil
	}
	scale := analysis.Zip(offset, []float64{l.num}, func(a, b float64) float64 { return a * b })
	if _, ok := same(scale); ok {
		scale = scale[:1]
	} else if sum.Type.Shape[l.axis] == 1 {
		sum = rw.Op(ir.Expand, map[string]any{"shape": z.Type.Shape}, sum)
	}
	part := rw.Op(ir.Affine, map[string]any{"axis": l.axis}, sum, rw.Float64s(scale...), rw.Float64s(l.den), rw.Float64s(0))
	return []*ir.Value{rw.Op(ir.Add, nil, y, part)}
}

// mostRatio bounds the whole numbers that stand for a scale and its offset.
const mostRatio = 64

// ratios finds whole numbers times and plus, and a unit, with scale = times*unit
// and offset = plus*unit but for the rounding of the float32 weights; unit is nil
// where a channel has none.
func ratios(scale, offset []float64) (times, plus, unit []float64) {
	for o, s := range scale {
		k := 1.0
		for ; k <= mostRatio; k++ {
			p := offset[o] / s * k
			if math.Abs(p-math.Round(p)) <= 0x1p-21*max(1, math.Abs(p)) && math.Abs(p) <= mostRatio {
				break
			}
		}
		if k > mostRatio {
			return nil, nil, nil
		}
		times, plus, unit = append(times, k), append(plus, math.Round(offset[o]/s*k)), append(unit, s/k)
	}
	return times, plus, unit
}
