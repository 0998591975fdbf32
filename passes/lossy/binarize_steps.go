package lossy

import (
	"slices"

	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/passes/analysis"
	"github.com/billnet/billnet/passes/report"
)

// bitsForm is the form of the activations that were asked for.
func (b *binarizer) bitsForm() form {
	if b.signed {
		return formSigns
	}
	return formBits
}

// activate puts a step in the place of an activation of x that starts at a
// point.
func (b *binarizer) activate(n *ir.Node, x *twin, point float64) *twin {
	if x.form.logic() { // bits of bits
		return &twin{v: x.v, now: x.now, form: x.form, axis: x.axis, reach: 1}
	}
	if x.changed() && x.form.integer() {
		x = b.matched(x, momentsOf(x.src, x.axis), nil)
	}
	now, src := b.asRead(n, x)
	cuts, sourceCuts := b.cuts(now, x.axis, point), b.cuts(src, x.axis, point)
	b.reportStep(n.Op.Name, x.axis, now, src, cuts, sourceCuts)
	return b.step(x, cuts)
}

// The places where a step may be put.
const (
	cutShare  = "share"  // where the asked share of ones is above
	cutLevels = "levels" // where two levels stand best for the activation's numbers
	cutStart  = "start"  // where the source's activation starts
)

// cuts says where the step of an activation that starts at a point is, in every
// channel of the numbers v in front of it.
func (b *binarizer) cuts(v []*ir.Tensor, axis int, point float64) []float64 {
	switch b.cut {
	case cutShare:
		return cutsForOnes(v, axis, b.ones)
	case cutLevels:
		lists := ranked(v, axis)
		out, gap := make([]float64, len(lists)), gapOf(lists)
		for c, list := range lists {
			out[c] = cutLevelsOf(list, point, gap)
		}
		return out
	}
	return slices.Repeat([]float64{point}, channels(v, axis))
}

// asRead pools the numbers in front of an activation as the activation's only
// readers do: the step's share of ones is that of the pooled map. What is
// largest before a rising step is so behind it.
func (b *binarizer) asRead(n *ir.Node, x *twin) (now, src []*ir.Tensor) {
	now, src = x.now, x.src
	v := n.Result()
	for len(b.plan.uses[v]) == 1 && b.plan.uses[v][0].Is(ir.MaxPool) {
		p := b.plan.uses[v][0]
		pool := func(in []*ir.Tensor) (out []*ir.Tensor) {
			for _, t := range in {
				o, err := ir.EvalNode(p, []*ir.Tensor{t})
				if err != nil {
					b.Err = err
					return in
				}
				out = append(out, o[0])
			}
			return out
		}
		now, src, v = pool(now), pool(src), p.Result()
	}
	return now, src
}

// wantsBits reports whether t, which stands for v of the source, has no
// activation and goes to nothing but layers that want bits.
func (b *binarizer) wantsBits(v *ir.Value, t *twin) bool {
	layers, only := b.plan.behind(v)
	return only && !b.plan.unrolled[v] && !slices.ContainsFunc(layers, func(l *plannedLayer) bool { return b.accepts(l, t) })
}

// accepts reports whether a layer reads numbers of t's form as they are. What is
// quantized in the source, and untouched up to there, is for the source to know.
func (b *binarizer) accepts(l *plannedLayer, t *twin) bool {
	if l.keep != "" || t.v.Type.Rank() < 2 || t.v.Type.DType != ir.F32 || !t.changed() && (l.done || l.last) {
		return true
	}
	switch t.form {
	case formReal:
		return false
	case formSums, formMeans:
		return b.linear && !l.recurrent || l.last && b.lastFloat && t.form == formMeans
	}
	return true
}

// bitsOf compares a value that has no activation with its channels' means, which
// tell more than zero does. Behind a norm, it moves the norm's bias.
func (b *binarizer) bitsOf(x *twin) *twin {
	if x.bits != nil {
		return x.bits
	}
	now := momentsOf(x.now, x.axis)
	cuts := cutsAtMean(x.now, x.axis)
	y := x
	if root, _ := underPools(x.v); !ir.Def(root).Is(ir.BatchNorm) {
		y = b.norm(x, slices.Repeat([]float64{1}, len(cuts)), make([]float64, len(cuts)), cuts, now.dev)
		y.src = x.src
		cuts = make([]float64, len(cuts))
	}
	b.reportStep("no activation", x.axis, y.now, x.src, cuts, momentsOf(x.src, x.axis).mean)
	x.bits = b.step(y, cuts)
	x.bits.src = x.src
	return x.bits
}

// underPools walks up through max pools.
func underPools(v *ir.Value) (root *ir.Value, pools []*ir.Node) {
	for d := ir.Def(v); d.Is(ir.MaxPool) && len(d.Results) == 1; d = ir.Def(v) {
		pools = append(pools, d)
		v = d.Args[0]
	}
	return v, pools
}

// step appends x > cut, in front of the max pools that x comes from: the largest
// of several numbers exceeds a bound where one of them does, and pooling bits is
// logic. Behind a norm the cut goes into its bias.
func (b *binarizer) step(x *twin, cuts []float64) *twin {
	if b.Err != nil {
		return x
	}
	root, pools := underPools(x.v)
	if slices.ContainsFunc(cuts, func(c float64) bool { return c != 0 }) {
		d := ir.Def(root)
		if d.Is(ir.BatchNorm) && ir.ConstOf(d.Args[2]) != nil {
			root = b.Op(ir.BatchNorm, d.Attrs, d.Args[0], d.Args[1], b.shifted(d.Args[2], cuts), d.Args[3], d.Args[4])
		} else {
			root = b.Op(ir.Sub, nil, root, b.alongChannels(x, cuts))
		}
	}
	zero := b.Const(ir.Scalar(ir.F32, 0))
	var v *ir.Value
	if b.signed {
		v = b.Op(ir.Where, nil, b.Op(ir.GreaterOrEqual, nil, root, zero), b.Const(ir.Scalar(ir.F32, 1)), b.Const(ir.Scalar(ir.F32, -1)))
	} else {
		v = b.Op(ir.Cast, map[string]any{"to": "f32"}, b.Op(ir.Greater, nil, root, zero))
	}
	for _, p := range slices.Backward(pools) {
		v = b.Op(ir.MaxPool, p.Attrs, v)
	}
	t := &twin{v: v, form: b.bitsForm(), axis: x.axis, reach: 1}
	for _, clip := range x.now {
		t.now = append(t.now, ir.NewTensor(ir.T(ir.F32, clip.Type.Shape...)))
	}
	eachChannel(x.now, x.axis, func(k, c, i int) {
		switch d := x.now[k].Float(i) - cuts[c]; {
		case b.above(d):
			t.now[k].Floats()[i] = 1
		case b.signed:
			t.now[k].Floats()[i] = -1
		}
	})
	return t
}

// above reports whether a difference from a cut gives a one.
func (b *binarizer) above(d float64) bool { return d > 0 || b.signed && d == 0 }

// reportStep reports a step at cuts over the numbers now, beside the same step
// over the source's numbers.
func (b *binarizer) reportStep(op string, axis int, now, src []*ir.Tensor, cuts, sourceCuts []float64) {
	ones, flipped, all := 0, 0, 0
	eachChannel(now, axis, func(k, c, i int) {
		set := b.above(now[k].Float(i) - cuts[c])
		if set {
			ones++
		}
		if set != b.above(src[k].Float(i)-sourceCuts[c]) {
			flipped++
		}
		all++
	})
	n := float64(max(all, 1))
	recordBinarized(b.c, report.Binarization{Layer: (&ir.Node{Loc: b.Loc}).LayerName(), Op: op, Bits: b.c.Word("activations"), Ones: float64(ones) / n, Flipped: float64(flipped) / n})
}

// shifted is a constant less a number for every channel.
func (b *binarizer) shifted(v *ir.Value, by []float64) *ir.Value {
	t := ir.NewTensor(v.Type)
	for i := range t.Floats() {
		t.Floats()[i] = float32(ir.ConstOf(v).Float(i) - by[i])
	}
	return b.constAt(v, t)
}

// constAt appends a constant in the place of another, under its name.
func (b *binarizer) constAt(old *ir.Value, t *ir.Tensor) *ir.Value {
	loc := b.Loc
	if d := ir.Def(old); d != nil {
		b.Loc = d.Loc
	}
	v := b.Const(t)
	b.Loc = loc
	return v
}

// norm appends a batch norm over x's channels.
func (b *binarizer) norm(x *twin, gamma, beta, mean, dev []float64) *twin {
	if b.Err != nil {
		return x
	}
	variance := make([]float64, len(dev))
	for i, d := range dev {
		if variance[i] = d * d; d == 0 {
			variance[i] = 1 // a constant channel: unheard-of values are to stay in bounds
		}
	}
	swap := make([]int, x.v.Type.Rank()) // a permutation that is its own inverse
	for i := range swap {
		swap[i] = i
	}
	swap[1], swap[x.axis] = x.axis, 1
	z := x
	if x.axis != 1 {
		z = b.emit(ir.Transpose, map[string]any{"perm": swap}, x)
	}
	y := b.emit(ir.BatchNorm, nil, z, b.vector(gamma), b.vector(beta), b.vector(mean), b.vector(variance))
	if x.axis != 1 {
		y = b.emit(ir.Transpose, map[string]any{"perm": swap}, y)
	}
	y.axis, y.src = x.axis, x.src
	return y
}

// matched appends a batch norm that has the mean and variance of x as it is now
// and gives the mean and deviation of the source's numbers; where falling is set,
// it falls.
func (b *binarizer) matched(x *twin, want moments, falling []bool) *twin {
	now := momentsOf(x.now, x.axis)
	gamma := slices.Clone(want.dev)
	for c := range falling {
		if falling[c] {
			gamma[c] = -gamma[c]
		}
	}
	return b.norm(x, gamma, want.mean, now.mean, now.dev)
}

// recalibrate appends a norm of the source with the statistics of what it reads
// now; nil when its parameters are no constants. A rising norm of bits is left
// out: it tells no more than they do.
func (b *binarizer) recalibrate(n *ir.Node, x *twin, src []*ir.Tensor) *twin {
	gamma := analysis.ConstantOf(n.Args[1])
	if gamma == nil || !analysis.Finite32(gamma) || n.In(0).DType != ir.F32 {
		return nil
	}
	falling := make([]bool, gamma.Len())
	for c := range falling {
		falling[c] = gamma.Float(c) < 0
	}
	entry := report.Binarization{Layer: n.LayerName(), Op: ir.BatchNorm.Name, Norm: "recalibrated"}
	z := *x
	z.axis = 1
	if !x.form.logic() {
		recordBinarized(b.c, entry)
		return b.matched(&z, momentsOf(src, 1), falling)
	}
	if entry.Norm = "left out, as it reads bits"; slices.Contains(falling, true) {
		entry.Norm = "left out but for its sign, as it reads bits"
	}
	recordBinarized(b.c, entry)
	if !slices.Contains(falling, true) {
		return &twin{v: x.v, now: x.now, form: x.form, axis: x.axis, reach: 1}
	}
	return b.inverted(&z, falling)
}

// inverted turns the bits of some channels over: behind a norm of slope 1 or -1
// with its zero between the two levels, a step gives the bit or the other one.
func (b *binarizer) inverted(x *twin, which []bool) *twin {
	gamma, middle := make([]float64, len(which)), make([]float64, len(which))
	for c := range gamma {
		if gamma[c] = 1; which[c] {
			gamma[c] = -1
		}
		if x.form == formBits {
			middle[c] = 0.5
		}
	}
	zero, one := make([]float64, len(which)), slices.Repeat([]float64{1}, len(which))
	y := b.norm(x, gamma, zero, middle, one)
	return b.step(y, zero)
}

// selects gives the select of a gate a threshold under which as many of every
// channel's means pass as in the source.
func (b *binarizer) selects(mean *twin, src []*ir.Tensor) *twin {
	z := *mean
	z.axis = 1
	lists := ranked(z.now, 1)
	below := make([]int, len(lists))
	for c, list := range ranked(src, 1) {
		for below[c] < len(list) && list[below[c]] <= 0 {
			below[c]++
		}
	}
	t, gap := make([]float64, len(lists)), gapOf(lists)
	for c, list := range lists {
		t[c] = cutAbove(list, below[c], gap)
	}
	v := b.alongChannels(&z, t)
	return b.emit(ir.Sub, nil, &z, &twin{v: v, now: b.same(ir.ConstOf(v)), form: formFixed})
}

// poolOfIntegers writes pools of bits and sums in the form in which the exact
// passes know them: a mean over all positions as reduce_mean, a mean under a
// window as a convolution with ones, a maximum over axes as a max pool.
func (b *binarizer) poolOfIntegers(n *ir.Node, x *twin) *twin {
	rank := x.v.Type.Rank()
	if rank < 3 || x.form == formMeans || n.Result().Type.DType != ir.F32 {
		return nil
	}
	spatial := make([]int, rank-2)
	for i := range spatial {
		spatial[i] = i + 2
	}
	var y *twin
	switch n.Op {
	case ir.GlobalAveragePool:
		y = b.emit(ir.ReduceMean, map[string]any{"axes": spatial}, x)
		y.form, y.reach = formMeans, x.reach*float64(x.v.Type.Elems()/max(y.v.Type.Elems(), 1))
	case ir.GlobalMaxPool:
		y = b.emit(ir.MaxPool, map[string]any{"kernel": x.v.Type.Shape[2:]}, x)
		y.form, y.reach = x.form, x.reach
	case ir.ReduceMax:
		over, err := ir.Axes(n.Ints("axes"), rank)
		if err != nil || over[0] || over[1] {
			return nil
		}
		kernel := slices.Clone(x.v.Type.Shape[2:])
		for i := range kernel {
			if !over[i+2] {
				kernel[i] = 1
			}
		}
		y = b.emit(ir.MaxPool, map[string]any{"kernel": kernel}, x)
		if !ir.SameShape(y.v.Type.Shape, n.Result().Type.Shape) {
			y = b.emit(ir.Reshape, map[string]any{"shape": n.Result().Type.Shape}, y)
		}
		y.form, y.reach = x.form, x.reach
	case ir.AveragePool:
		if n.Bool("ceil") || slices.ContainsFunc(n.Ints("pad"), func(p int) bool { return p > 0 }) && !n.Bool("count_include_pad") {
			return nil
		}
		c := x.v.Type.Shape[1]
		kernel := n.Ints("kernel")
		ones := ir.NewTensor(ir.T(ir.F32, append([]int{c, 1}, kernel...)...))
		for i := range ones.Floats() {
			ones.Floats()[i] = 1
		}
		attrs := analysis.ConvAttrs(n)
		attrs["groups"] = c
		sums := b.emit(ir.Conv, attrs, x, b.fixed(ones))
		taps := float64(ir.Type{Shape: kernel}.Elems())
		y = b.emit(ir.Div, nil, sums, b.fixed(ir.Scalar(ir.F32, taps)))
		y.form, y.reach = formMeans, x.reach*taps
	default:
		return nil
	}
	y.axis = min(1, y.v.Type.Rank()-1)
	return y
}
