package exact

import (
	"cmp"
	"math"
	"slices"

	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/passes"
	"github.com/billnet/billnet/passes/analysis"
)

// sinkPool: the largest of integers is the same number before and after
// to_float. A window that lies wholly in the padding would give -inf in floats,
// so such pools stay.
func sinkPool(rw *passes.Rewriter, n *ir.Node) []*ir.Value {
	if n.Op != ir.MaxPool || len(n.Results) != 1 || !analysis.PoolsElements(n) {
		return nil
	}
	if z := ir.Unwrap(n.Args[0], ir.ToFloat); z != nil {
		return []*ir.Value{rw.Op(ir.ToFloat, nil, rw.Op(ir.MaxPool, n.Attrs, z))}
	}
	// Rounding is monotone, so the largest of op(x) is op of the largest x, to the
	// bit, where op never falls.
	d := ir.Def(n.Args[0])
	which := perChannelOp(d)
	if which < 0 || asScaled(n.Args[0], 1) == nil {
		return nil
	}
	for _, s := range slopes(d, which) {
		if s < 0 {
			return nil
		}
	}
	pool := rw.Op(ir.MaxPool, n.Attrs, d.Args[which])
	all := make([]int, pool.Type.Shape[1])
	for i := range all {
		all[i] = i
	}
	return []*ir.Value{again(rw, d, which, pool, 1, all)}
}

func sign(x float64) float64 {
	switch {
	case x > 0:
		return 1
	case x < 0:
		return -1
	}
	return 0
}

// globalMax: the largest number of every channel is a max pool whose window is
// the map.
func globalMax(rw *passes.Rewriter, n *ir.Node) []*ir.Value {
	if !n.Is(ir.GlobalMaxPool) && !n.Is(ir.ReduceMax) || n.Result().Type.DType != ir.F32 {
		return nil
	}
	x := n.In(0)
	if x.Rank() < 3 || x.Elems() == 0 || !leadsToInteger(n.Args[0]) {
		return nil
	}
	if n.Is(ir.ReduceMax) && !spatialAxes(n) {
		return nil
	}
	if !continuesChain(rw, n) && asScaled(n.Args[0], 1) == nil {
		return nil // the largest number of a float map: no cheaper as a window
	}
	kernel := slices.Clone(x.Shape[2:])
	if n.Is(ir.ReduceMax) {
		mask, _ := ir.Axes(n.Ints("axes"), x.Rank())
		for a := range kernel {
			if !mask[2+a] {
				kernel[a] = 1
			}
		}
	}
	return []*ir.Value{reshapeTo(rw, rw.Op(ir.MaxPool, map[string]any{"kernel": kernel}, n.Args[0]), n.Result().Type.Shape)}
}

// continuesChain reports whether what reads a node may be part of a threshold.
func continuesChain(rw *passes.Rewriter, n *ir.Node) bool {
	return slices.ContainsFunc(rw.Readers(n.Result()), func(u *ir.Node) bool { return endsChain(u) || perChannelOp(u) >= 0 })
}

// activationFollows reports whether a comparison or quantizer reads a node, at once
// or behind at most depth functions of it and constants.
func activationFollows(rw *passes.Rewriter, n *ir.Node, depth int) bool {
	return slices.ContainsFunc(rw.Readers(n.Result()), func(u *ir.Node) bool {
		if u == nil || endsChain(u) || depth == 0 {
			return endsChain(u)
		}
		function := (u.Op.Kind == ir.Elementwise || u.Is(ir.BatchNorm)) && len(u.Results) == 1
		return function && !slices.ContainsFunc(u.Args, func(a *ir.Value) bool { return a != nil && a != n.Result() && ir.ConstOf(a) == nil }) && activationFollows(rw, u, depth-1)
	})
}

// beforeActivation is how many functions may stand between a window's mean and
// its activation.
const beforeActivation = 8

// spatialAxes reports whether a reduction leaves axes 0 and 1 alone.
func spatialAxes(n *ir.Node) bool {
	mask, err := ir.Axes(n.Ints("axes"), n.In(0).Rank())
	return err == nil && len(mask) > 2 && !mask[0] && !mask[1]
}

// meanAttrs returns the axes of a mean as those of a count, and how many
// elements it takes; 0 when the node is no mean of f32.
func meanAttrs(n *ir.Node) (attrs map[string]any, elems int) {
	if len(n.Results) != 1 || n.Result().Type.DType != ir.F32 || n.Result().Type.Elems() == 0 {
		return nil, 0
	}
	switch n.Op {
	case ir.ReduceMean:
		attrs = n.Attrs
	case ir.GlobalAveragePool:
		var axes []int
		for a := 2; a < n.In(0).Rank(); a++ {
			axes = append(axes, a)
		}
		if axes == nil {
			return nil, 0
		}
		attrs = map[string]any{"axes": axes}
	default:
		return nil, 0
	}
	return attrs, n.In(0).Elems() / n.Result().Type.Elems()
}

// sinkMean: the mean of integers is their count over their number. The sum is
// exact while f32 holds it, and the division rounds as the mean's does; the mean
// of scaled integers, or of larger ones, is an affine of the count.
func sinkMean(rw *passes.Rewriter, r *analysis.Ranger, n *ir.Node) []*ir.Value {
	attrs, num := meanAttrs(n)
	if num == 0 {
		return nil
	}
	s := asScaled(n.Args[0], 1)
	if s == nil || s.border != nil {
		return nil
	}
	if s = s.addWhole(rw, r, 1); !fitsCount(r, s.z, num, math.MaxInt32) {
		return nil
	}
	if s.exact && fitsCount(r, s.z, num, analysis.ExactFloat) {
		count := rw.Op(ir.Count, attrs, s.z)
		return []*ir.Value{rw.Op(ir.Div, nil, rw.Op(ir.ToFloat, nil, count), rw.Const(ir.Scalar(ir.F32, float64(num))))}
	}
	perChannel := max(len(s.num), len(s.den), len(s.bias)) > 1
	count := rw.Op(ir.Count, attrs, s.z)
	if count.Type.Rank() == 0 || perChannel && !(n.Is(ir.GlobalAveragePool) || spatialAxes(n)) {
		return nil
	}
	den := analysis.Zip(s.den, []float64{float64(num)}, func(a, b float64) float64 { return a * b })
	return []*ir.Value{rw.Op(ir.Affine, map[string]any{"axis": min(1, count.Type.Rank()-1)}, count, rw.Float64s(s.num...), rw.Float64s(den...), rw.Float64s(s.bias...))}
}

// fitsCount reports whether the sum of num values of z is less than a bound.
func fitsCount(r *analysis.Ranger, z *ir.Value, num int, bound int64) bool {
	lo, hi := r.Of(z).All()
	most := max(hi, -lo, 1)
	return int64(num) < bound/most
}

// sinkSum: the sum of integers is their count while f32 is exact.
func sinkSum(rw *passes.Rewriter, r *analysis.Ranger, n *ir.Node) []*ir.Value {
	if n.Op != ir.ReduceSum || n.In(0).DType != ir.F32 || n.Result().Type.Elems() == 0 {
		return nil
	}
	z := ir.Unwrap(n.Args[0], ir.ToFloat)
	if z == nil || !fitsCount(r, z, n.In(0).Elems()/n.Result().Type.Elems(), analysis.ExactFloat) {
		return nil
	}
	return []*ir.Value{rw.Op(ir.ToFloat, nil, rw.Op(ir.Count, n.Attrs, z))}
}

// sinkCumSum: the running sums of integers are integers while f32 is exact.
func sinkCumSum(rw *passes.Rewriter, r *analysis.Ranger, n *ir.Node) []*ir.Value {
	if n.Op != ir.CumSum || n.In(0).DType != ir.F32 || n.Result().Type.Elems() == 0 {
		return nil
	}
	axis, err := ir.Axis(n.Int("axis"), n.In(0).Rank())
	z := ir.Unwrap(n.Args[0], ir.ToFloat)
	if err != nil || z == nil || !fitsCount(r, z, n.In(0).Shape[axis], analysis.ExactFloat) {
		return nil
	}
	if z.Type.DType != ir.I32 {
		z = rw.Op(ir.Cast, map[string]any{"to": "i32"}, z)
	}
	return []*ir.Value{rw.Op(ir.ToFloat, nil, rw.Op(ir.CumSum, n.Attrs, z))}
}

// meanBelow: over the real numbers, the mean over positions of what is linear
// in every channel, as a batch norm is, is that of the mean; under a window too,
// where a threshold follows. A map that others read too is there anyway, and what
// they do with map and mean (a layer norm takes their difference) wants the same
// rounding in both.
func meanBelow(rw *passes.Rewriter, n *ir.Node) []*ir.Value {
	op, attrs := ir.ReduceMean, map[string]any(nil)
	if wholeWindows(n) > 0 && !pads(n) && activationFollows(rw, n, beforeActivation) {
		op, attrs = ir.AveragePool, n.Attrs
	} else if mean, num := meanAttrs(n); num > 0 && (n.Is(ir.GlobalAveragePool) || spatialAxes(n)) && n.Result().Type.Rank() >= 2 {
		attrs = mean
	} else {
		return nil
	}
	d := ir.Def(n.Args[0])
	which := perChannelOp(d)
	if which < 0 || !leadsToInteger(n.Args[0]) || asScaled(n.Args[0], 1) != nil {
		return nil
	}
	if !chainOps[d.Op].linear || len(rw.Readers(n.Args[0])) > 1 && !continuesChain(rw, n) {
		return nil
	}
	mean := rw.Op(op, attrs, d.Args[which])
	all := make([]int, d.Result().Type.Shape[1])
	for i := range all {
		all[i] = i
	}
	return []*ir.Value{again(rw, d, which, mean, 1, all)}
}

// wholeWindows returns the size of the windows of an average pool of f32, all of
// whose windows count as many elements, those of the padding included; 0 for
// others.
func wholeWindows(n *ir.Node) int {
	if !n.Is(ir.AveragePool) || n.Result().Type.DType != ir.F32 || n.Result().Type.Elems() == 0 {
		return 0
	}
	kernel := n.Ints("kernel")
	for a, k := range kernel { // the windows of a convolution, which leaves out what goes beyond the padding
		in, out, stride, dil := n.In(0).Shape[2+a], n.Result().Type.Shape[2+a], n.IntAt("stride", a, 1), n.IntAt("dilation", a, 1)
		before, after := n.IntAt("pad", a, 0), n.IntAt("pad", len(kernel)+a, 0)
		if (before > 0 || after > 0) && !n.Bool("count_include_pad") || (in+before+after-(k-1)*dil-1)/stride+1 != out {
			return 0
		}
	}
	return ir.Type{Shape: kernel}.Elems()
}

// pads reports whether a pool has padding, zeros that no norm in front has moved.
func pads(n *ir.Node) bool {
	return slices.ContainsFunc(n.Ints("pad"), func(p int) bool { return p > 0 })
}

// averageWindow: the mean under a window that no padding leaves smaller is the
// sum, a convolution of every channel with ones, over the window's size. That of
// scaled integers is an affine of the sum, unless the padding cuts off their bias;
// it is worth a convolution where a threshold follows.
func averageWindow(rw *passes.Rewriter, r *analysis.Ranger, n *ir.Node) []*ir.Value {
	size := wholeWindows(n)
	if size == 0 {
		return nil
	}
	if z := ir.Unwrap(n.Args[0], ir.ToFloat); z != nil && fitsCount(r, z, size, analysis.ExactFloat) {
		return []*ir.Value{rw.Op(ir.Div, nil, rw.Op(ir.ToFloat, nil, channelSums(rw, z, n)), rw.Const(ir.Scalar(ir.F32, float64(size))))}
	}
	s := asScaled(n.Args[0], 1)
	if s == nil || s.border != nil || pads(n) || !activationFollows(rw, n, beforeActivation) || !fitsCount(r, s.z, size, math.MaxInt32) {
		return nil
	}
	den := analysis.Zip(s.den, []float64{float64(size)}, func(a, b float64) float64 { return a * b })
	return []*ir.Value{rw.Op(ir.Affine, map[string]any{"axis": 1}, channelSums(rw, s.z, n), rw.Float64s(s.num...), rw.Float64s(den...), rw.Float64s(s.bias...))}
}

// channelSums are the sums of integers under the windows of a pool.
func channelSums(rw *passes.Rewriter, z *ir.Value, pool *ir.Node) *ir.Value {
	attrs, c := analysis.ConvAttrs(pool), z.Type.Shape[1]
	attrs["groups"] = c
	op := ir.IConv
	if z.Type.DType.IsBit() {
		op = ir.BConv
	}
	return rw.Op(op, attrs, z, rw.Const(ones(append([]int{c, 1}, pool.Ints("kernel")...)...)))
}

// convPadding: padding with zeros in front of a convolution is the
// convolution's own.
func convPadding(rw *passes.Rewriter, n *ir.Node) []*ir.Value {
	if !n.Is(ir.Conv) {
		return nil
	}
	z := ir.Unwrap(n.Args[0], ir.ToFloat)
	p := ir.Def(cmp.Or(z, n.Args[0]))
	if !p.Is(ir.Pad) || p.Str("mode") != "constant" || p.Arg(1) != nil && !ir.IsSplat(p.Args[1], 0) || z == nil && !leadsToInteger(p.Args[0]) {
		return nil
	}
	before, after, ok := padded(p)
	if !ok {
		return nil
	}
	k := n.In(0).Rank() - 2
	pad := make([]int, 2*k)
	for a := range k {
		pad[a], pad[k+a] = n.IntAt("pad", a, 0)+before[a], n.IntAt("pad", k+a, 0)+after[a]
	}
	attrs := analysis.ConvAttrs(n)
	attrs["pad"] = pad
	x := p.Args[0]
	if z != nil {
		x = rw.Op(ir.ToFloat, nil, x)
	}
	return []*ir.Value{rw.Op(ir.Conv, attrs, append([]*ir.Value{x}, n.Args[1:]...)...)}
}

// padded returns the elements that a pad adds before and after the spatial axes;
// ok is false when it removes any, or pads others.
func padded(p *ir.Node) (before, after []int, ok bool) {
	rank, pads, axes := p.In(0).Rank(), p.Ints("pads"), p.Ints("axes")
	if rank < 3 {
		return nil, nil, false
	}
	before, after = make([]int, rank), make([]int, rank)
	for i := range len(pads) / 2 {
		a := i
		if len(axes) > 0 {
			a, _ = ir.Axis(axes[i], rank)
		}
		before[a], after[a] = pads[i], pads[len(pads)/2+i]
	}
	if slices.Min(before) < 0 || slices.Min(after) < 0 || before[0]+before[1]+after[0]+after[1] > 0 {
		return nil, nil, false
	}
	return before[2:], after[2:], true
}

// padIntegers: padding integers with a number of their type commutes with to_float.
func padIntegers(rw *passes.Rewriter, n *ir.Node) []*ir.Value {
	if !n.Is(ir.Pad) || n.Result().Type.DType != ir.F32 {
		return nil
	}
	z := ir.Unwrap(n.Args[0], ir.ToFloat)
	if z == nil {
		return nil
	}
	if n.Str("mode") != "constant" {
		return []*ir.Value{rw.Op(ir.ToFloat, nil, rw.Op(ir.Pad, n.Attrs, z))}
	}
	v := 0.0
	if n.Arg(1) != nil {
		var ok bool
		if v, ok = ir.Splat(n.Args[1]); !ok || v != math.Trunc(v) {
			return nil
		}
	}
	lo, hi := z.Type.DType.Range()
	if v < float64(lo) || v > float64(hi) || z.Type.DType == ir.SBit && v == 0 {
		// Zeros around signs: the convolution takes them (convPadding); others
		// become a wider integer.
		to := ir.SmallestInt(min(lo, int64(v)), max(hi, int64(v)))
		if readByConv := slices.ContainsFunc(rw.Readers(n.Result()), func(u *ir.Node) bool { return u.Is(ir.Conv) }); v == 0 && readByConv || math.Abs(v) > 127 {
			return nil
		}
		z = rw.Op(ir.Cast, map[string]any{"to": to.String()}, z)
	}
	fill := ir.IntTensor(z.Type.DType, []int64{int64(v)})
	return []*ir.Value{rw.Op(ir.ToFloat, nil, rw.Op(ir.Pad, n.Attrs, z, rw.Const(fill.Reshape())))}
}

// sumOfIntegers: the sum or difference of integers under one scale is that of
// scaled integers. Sums of two bits may be the OR of a residual, so they wait
// until their reader tells.
func sumOfIntegers(rw *passes.Rewriter, r *analysis.Ranger, n *ir.Node) []*ir.Value {
	if !n.Is(ir.Add) && !n.Is(ir.Sub) || n.Result().Type.DType != ir.F32 || n.Result().Type.Rank() < 2 {
		return nil
	}
	if !ir.SameShape(n.In(0).Shape, n.In(1).Shape) {
		return nil
	}
	a, b := asScaled(n.Args[0], 1), asScaled(n.Args[1], 1)
	if a == nil || b == nil || !slices.Equal(a.num, b.num) || !slices.Equal(a.den, b.den) || a.border != nil || b.border != nil {
		return nil
	}
	if a.z.Type.DType == ir.Bit && b.z.Type.DType == ir.Bit {
		for _, u := range rw.Readers(n.Result()) {
			if !u.Is(ir.BatchNorm) && !u.Is(ir.Conv) && !endsChain(u) && !u.Is(ir.ReduceMean) && !u.Is(ir.MaxPool) {
				return nil
			}
		}
	}
	alo, ahi := r.Of(a.z).All()
	blo, bhi := r.Of(b.z).All()
	most := max(ahi, -alo) + max(bhi, -blo)
	if most >= math.MaxInt32 {
		return nil
	}
	wide := func(v *ir.Value) *ir.Value {
		if v.Type.DType == ir.I32 {
			return v
		}
		return rw.Op(ir.Cast, map[string]any{"to": "i32"}, v)
	}
	z := rw.Op(n.Op, nil, wide(a.z), wide(b.z))
	if a.exact && b.exact && most < analysis.ExactFloat {
		return []*ir.Value{rw.Op(ir.ToFloat, nil, z)}
	}
	bias := analysis.Zip(a.bias, b.bias, func(x, y float64) float64 {
		if n.Is(ir.Sub) {
			return x - y
		}
		return x + y
	})
	return []*ir.Value{rw.Op(ir.Affine, nil, z, rw.Float64s(a.num...), rw.Float64s(a.den...), rw.Float64s(bias...))}
}
