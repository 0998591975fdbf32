package exact

import (
	"math"

	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/passes"
	"github.com/billnet/billnet/passes/analysis"
)

// scaled is a float value seen as z*num/den + bias of an integer value, with one
// number for all or one for every index on an axis.
type scaled struct {
	z        *ir.Value
	num, den []float64
	bias     []float64
	border   *spread // what is added to the bias by position; nil: nothing
	terms    float64 // bounds the magnitude of all that was added to make the bias
	exact    bool    // the value is z itself, in the source's own float32
	whole    bool    // it is z and a whole bias
}

// asScaled sees v as a scaled integer whose channels lie on an axis, or returns
// nil.
func asScaled(v *ir.Value, axis int) *scaled {
	if v == nil || v.Type.DType != ir.F32 || v.Def == nil {
		return nil
	}
	d := v.Def
	switch d.Op {
	case ir.ToFloat:
		return &scaled{z: d.Args[0], num: []float64{1}, den: []float64{1}, bias: []float64{0}, exact: true, whole: true}
	case ir.Affine:
		num, den, bias := ir.ConstOf(d.Args[1]), ir.ConstOf(d.Args[2]), ir.ConstOf(d.Args[3])
		if num == nil || den == nil || bias == nil {
			return nil
		}
		if a, _ := ir.Axis(d.Int("axis"), v.Type.Rank()); a != axis && max(num.Len(), den.Len(), bias.Len()) > 1 {
			return nil
		}
		return &scaled{z: d.Args[0], num: num.Doubles(), den: den.Doubles(), bias: bias.Doubles(), terms: max(d.Float("terms"), maxAbs(bias.Doubles()))}
	case ir.Neg:
		if s := asScaled(d.Args[0], axis); s != nil {
			return s.times([]float64{-1}, []float64{1})
		}
	case ir.Add, ir.Sub, ir.Mul, ir.Div:
		for i := range 2 {
			if !ir.SameShape(d.In(i).Shape, v.Type.Shape) {
				continue
			}
			if s := scaledOperand(d, i, axis); s != nil {
				return s
			}
		}
	}
	return nil
}

// scaledOperand is asScaled of a binary operation whose operand i is the scaled
// integer and the other a constant.
func scaledOperand(d *ir.Node, i, axis int) *scaled {
	k := channelVector(d.Args[1-i], d.Result().Type.Shape, axis)
	one := []float64{1}
	switch {
	case k == nil:
		border := asSpread(d.Args[1-i], d.Result().Type.Shape)
		if border == nil || axis != 1 || !d.Is(ir.Add) {
			return nil
		}
		s := asScaled(d.Args[i], axis)
		if s == nil || s.border != nil {
			return nil
		}
		s.border, s.exact, s.whole = border, false, false
		s.terms = max(s.terms, maxAbs(s.bias)+maxAbs(border.t.Doubles()))
		return s
	case d.Is(ir.Div) && (i == 1 || analysis.HasZero(k)):
		return nil
	}
	s := asScaled(d.Args[i], axis)
	if s == nil {
		return nil
	}
	switch {
	case d.Is(ir.Mul):
		return s.times(k, one)
	case d.Is(ir.Div):
		return s.times(one, k)
	case d.Is(ir.Sub) && i == 0:
		k = analysis.Zip(k, one, func(a, b float64) float64 { return -a * b })
	case d.Is(ir.Sub):
		s = s.times([]float64{-1}, one)
	}
	s.bias, s.exact = analysis.Zip(s.bias, k, func(a, b float64) float64 { return a + b }), false
	s.terms += maxAbs(k)
	for _, x := range k {
		s.whole = s.whole && x == math.Trunc(x) && d.In(i).Rank() > axis
	}
	return s
}

// addWhole puts a whole bias into the integer, where float32 held every sum.
func (s *scaled) addWhole(rw *passes.Rewriter, r *analysis.Ranger, axis int) *scaled {
	lo, hi := r.Of(s.z).All()
	if s.exact || !s.whole || max(hi, -lo)+int64(s.terms) >= analysis.ExactFloat {
		return s
	}
	z := s.z
	if z.Type.DType != ir.I32 {
		z = rw.Op(ir.Cast, map[string]any{"to": "i32"}, z)
		r.Known[z] = analysis.Uniform(lo, hi)
	}
	b := ir.DoubleTensor(s.bias, len(s.bias))
	z = rw.Op(ir.Add, nil, z, rw.Const(onAxis(b.Convert(ir.I32), axis, z.Type.Rank())))
	return &scaled{z: z, num: s.num, den: s.den, bias: []float64{0}, exact: true, whole: true}
}

// times is s*num/den.
func (s *scaled) times(num, den []float64) *scaled {
	mul := func(a, b float64) float64 { return a * b }
	out := &scaled{z: s.z, num: analysis.Zip(s.num, num, mul), den: analysis.Zip(s.den, den, mul)}
	out.terms = s.terms * maxAbs(analysis.Zip(num, den, func(a, b float64) float64 { return a / b }))
	out.bias = analysis.Zip(analysis.Zip(s.bias, num, mul), den, func(a, b float64) float64 { return a / b })
	if s.border != nil {
		out.border = s.border.scaledBy(num, den)
	}
	return out
}

// channelVector returns the numbers of a finite constant that, stretched to a
// tensor of a shape, differs along an axis only; nil for everything else.
func channelVector(v *ir.Value, shape []int, axis int) []float64 {
	t := ir.ConstOf(v)
	if t == nil || t.Type.DType != ir.F32 || t.Len() == 0 || !analysis.Finite32(t) {
		return nil
	}
	off := len(shape) - t.Type.Rank()
	for i, d := range t.Type.Shape {
		if d != 1 && i+off != axis {
			return nil
		}
	}
	return t.Convert(ir.F64).Doubles()
}

// same returns the number that all of a list are.
func same(v []float64) (float64, bool) {
	for _, x := range v {
		if x != v[0] {
			return 0, false
		}
	}
	return v[0], true
}

// uniform reports whether one number scales z.
func (s *scaled) uniform() bool {
	_, ok1 := same(s.num)
	_, ok2 := same(s.den)
	return ok1 && ok2
}

// weigh recognises the weights [O,I/groups,...] of a layer over s, with what
// scales its sums. Scales that differ between the inputs of one output go into
// the weights, if those are whole numbers of at most 8 bits then.
func (s *scaled) weigh(w *ir.Tensor, groups int) (b *analysis.BinaryWeights, num, den float64) {
	if w == nil || w.Type.DType != ir.F32 {
		return nil, 0, 0
	}
	if s.uniform() {
		return analysis.RecoverWeights(w), s.num[0], s.den[0]
	}
	o, per := w.Type.Shape[0], w.Type.Shape[1]
	taps := ir.Type{Shape: w.Type.Shape[2:]}.Elems()
	real := make([]float64, w.Len())
	for at, run := range w.FloatRuns(0, w.Len()) {
		for i, x := range run {
			c := (at+i)/(per*taps)/(o/groups)*per + (at+i)/taps%per
			real[at+i] = float64(x) * s.num[min(c, len(s.num)-1)] / s.den[min(c, len(s.den)-1)]
		}
	}
	return recoverReal(real, w.Type.Shape), 1, 1
}

// recoverReal recognises weights [O,...] as numbers a row times -1, 0 and 1 or,
// failing that, times integers of at most 8 bits.
func recoverReal(w []float64, shape []int) *analysis.BinaryWeights {
	o := shape[0]
	if len(w) == 0 {
		return nil
	}
	row := len(w) / o
	b := &analysis.BinaryWeights{Scale: make([]float64, o)}
	vals := make([]int64, len(w))
	var most int64
	zeros := false
	for k := range o {
		s, ok := rowScale(w[k*row : (k+1)*row])
		if !ok {
			return nil
		}
		b.Scale[k] = s
		for i, x := range w[k*row : (k+1)*row] {
			v := int64(math.Round(x / s))
			vals[k*row+i], zeros, most = v, zeros || v == 0, max(most, v, -v)
		}
	}
	d := ir.I8
	switch {
	case most <= 1 && zeros:
		d = ir.Tern
	case most <= 1:
		d = ir.SBit
	}
	b.Bits = ir.IntTensor(d, vals, shape...)
	return b
}

// rowScale finds s such that every weight is an integer of at most 8 bits times
// s: the smallest magnitude is 1 to 16 times s.
func rowScale(w []float64) (float64, bool) {
	least := 0.0
	for _, x := range w {
		if x-x != 0 {
			return 0, false
		}
		if a := math.Abs(x); a != 0 && (least == 0 || a < least) {
			least = a
		}
	}
	if least == 0 {
		return 1, true
	}
	for k := 1.0; k <= 16; k++ {
		s, fits := least/k, true
		for _, x := range w {
			q := math.Round(x / s)
			fits = fits && math.Abs(q) <= 127 && q*s == x
		}
		if fits {
			return s, true
		}
	}
	return 0, false
}

// layer is a convolution or linear layer over a scaled integer.
type layer struct {
	source   *ir.Tensor // the source's weights
	w        *analysis.BinaryWeights
	num, den float64    // what scales its sums beside the weights' scales
	bias     *ir.Tensor // what it adds; nil: nothing
	under    []float64  // what it makes of its input's bias
	border   *spread    // likewise, by position
	axis     int        // of the channels in the sums
}

// emit returns the float value of a layer's integer sums z: to_float where the
// source's own float32 is exact, else an affine. nil when the sums have more
// than 32 bits.
func (s *scaled) emit(rw *passes.Rewriter, r *analysis.Ranger, z *ir.Value, l *layer) *ir.Value {
	lo, hi := r.Of(z).All()
	if lo < math.MinInt32 || hi > math.MaxInt32 {
		return nil
	}
	if most := l.w.LargestWhole(); s.exact && most > 0 && lo*most > -analysis.ExactFloat && hi*most < analysis.ExactFloat {
		y, rank := rw.Op(ir.ToFloat, nil, z), z.Type.Rank()
		if !l.w.Unit() {
			factors := ir.DoubleTensor(l.w.Scale, len(l.w.Scale))
			y = rw.Op(ir.Mul, nil, y, rw.Const(onAxis(factors.Convert(ir.F32), l.axis, rank)))
		}
		if l.bias != nil {
			y = rw.Op(ir.Add, nil, y, rw.Const(onAxis(l.bias, l.axis, rank)))
		}
		return y
	}
	scale := []float64{l.num}
	if !l.w.Unit() {
		scale = analysis.Zip(l.w.Scale, scale, func(a, b float64) float64 { return a * b }) // two float32 numbers: exact in f64
	}
	bias := l.under
	if l.bias != nil {
		bias = analysis.Zip(bias, l.bias.Convert(ir.F64).Doubles(), func(a, b float64) float64 { return a + b })
	}
	attrs := map[string]any{"axis": l.axis}
	terms := 0.0
	if s.terms > 0 {
		terms = s.terms*rowMagnitude(l.source) + maxAbs(bias)
	}
	if l.w.Off > 0 { // as if that much more had been rounded in a sum of row+2 terms
		inLo, inHi := r.Of(s.z).All()
		row := l.source.Len() / l.source.Type.Shape[0]
		terms += l.w.Off * (float64(max(inHi, -inLo))*maxRatio(s.num, s.den) + s.terms) / (unitRoundoff * float64(row+2))
	}
	if terms > 0 {
		attrs["terms"] = terms
	}
	y := rw.Op(ir.Affine, attrs, z, rw.Float64s(scale...), rw.Float64s(l.den), rw.Float64s(bias...))
	if l.border != nil {
		y = rw.Op(ir.Add, nil, y, l.border.value(rw, ir.F32))
	}
	return y
}

// maxRatio returns the largest magnitude of num/den.
func maxRatio(num, den []float64) float64 {
	return maxAbs(analysis.Zip(num, den, func(a, b float64) float64 { return a / b }))
}

// rowMagnitude returns the largest sum of magnitudes of weights [O,...] that
// belong to one output.
func rowMagnitude(w *ir.Tensor) float64 {
	row := w.Len() / max(w.Type.Shape[0], 1)
	most := 0.0
	for o := range w.Type.Shape[0] {
		sum := 0.0
		for _, x := range w.FloatRange(o*row, (o+1)*row) {
			sum += math.Abs(float64(x))
		}
		most = max(most, sum)
	}
	return most
}

// onAxis gives a list of numbers the shape in which it goes along an axis of
// tensors of a rank.
func onAxis(t *ir.Tensor, axis, rank int) *ir.Tensor {
	shape := make([]int, rank)
	for i := range shape {
		shape[i] = 1
	}
	shape[axis] = t.Len()
	return t.Reshape(shape...)
}
