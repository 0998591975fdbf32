package randgraph

import "github.com/billnet/billnet/ir"

// block appends one block behind a binary activation.
func (g *gen) block(x act) act {
	switch g.n(18) {
	case 0, 1:
		return g.convBlock(x)
	case 12:
		return g.sum(x)
	case 13:
		return g.padded(x)
	case 14:
		return g.average(x)
	case 15:
		return g.fewBits(x)
	case 16:
		return g.rearranged(x)
	case 17:
		return g.residual(x)
	case 2:
		return g.activation(g.norm(g.linear(x.v, g.between(1, 10))))
	case 3:
		return act{g.pool(x.v), x.signed}
	case 4, 5:
		return g.gate(x)
	case 6, 7, 8:
		return g.mux(x)
	case 9:
		return g.concat(x)
	case 10:
		return g.move(x)
	default: // a fork: two consumers of x, joined by a sum of integers' norms
		a, b := g.convBlock(x), g.sameBlock(x)
		if g.p(0.5) {
			g.result(a.v)
			return b
		}
		g.result(b.v)
		return a
	}
}

// convBlock is convolution, norm and activation, with pooling in any place.
func (g *gen) convBlock(x act) act {
	var z *ir.Value
	if g.p(0.2) {
		z = g.pool(g.conv(x.v, false))
	} else {
		z = g.biased(x.v, false)
	}
	z = g.norm(z)
	if g.p(0.15) {
		z = g.pool(z)
	}
	return g.activation(z)
}

// sum is a residual that adds: sums of two convolutions, or of one and x, in
// front of the norm.
func (g *gen) sum(x act) act {
	if !g.has(SumResidual) {
		return g.convBlock(x)
	}
	a, b := g.biased(x.v, true), x.v
	if g.p(0.6) {
		b = g.convTo(x.v, g.channels(x.v), 1, true, true)
	}
	return g.activation(g.norm(g.op(pick(g, ir.Add, ir.Add, ir.Sub), nil, a, b)))
}

// residual is a float stream to which binary layers add what they make of its signs.
func (g *gen) residual(x act) act {
	if !g.has(FloatStream) {
		return g.convBlock(x)
	}
	v := g.norm(g.biased(x.v, false))
	for range g.between(1, 3) {
		y := g.norm(g.conv(g.activation(v).v, true))
		if g.p(0.3) {
			y = g.op(ir.PRelu, nil, y, g.perChannel(y, func(int) float32 { return g.rng.Float32() / 2 }))
		}
		v = g.op(ir.Add, nil, v, y)
	}
	return g.activation(v)
}

// padded pads x in a node of its own, with zeros, with the numbers of its
// encoding or with its own elements, in front of a convolution.
func (g *gen) padded(x act) act {
	if !g.has(Padding) {
		return g.convBlock(x)
	}
	k := g.spatial(x.v)
	pads, axes := make([]int, 2*k), make([]int, k)
	for a := range k {
		pads[a], pads[k+a], axes[a] = g.n(3), g.n(3), 2+a
	}
	attrs := map[string]any{"pads": pads, "axes": axes, "mode": pick(g, "constant", "constant", "constant", "edge", "reflect")}
	args := []*ir.Value{x.v}
	if attrs["mode"] == "constant" && g.p(0.7) {
		args = append(args, g.scalar(pick(g, 0, 1.0, -1)))
	}
	return g.activation(g.norm(g.conv(g.op(ir.Pad, attrs, args...), false)))
}

// average is an average pooling, or the mean or largest number of the map, in
// front of a norm.
func (g *gen) average(x act) act {
	k := g.spatial(x.v)
	kernel, stride := make([]int, k), make([]int, k)
	for a := range k {
		kernel[a], stride[a] = g.between(1, min(3, g.shape(x.v)[2+a])), g.between(1, 2)
	}
	pool := func(v *ir.Value) *ir.Value {
		return g.op(ir.AveragePool, map[string]any{"kernel": kernel, "stride": stride, "ceil": g.p(0.1)}, v)
	}
	if g.has(RealMean) && g.p(0.3) { // the mean of a norm: its float sum has an order
		return g.activation(g.op(ir.ReduceMean, map[string]any{"axes": []int{2 + g.n(k)}}, g.norm(g.conv(x.v, false))))
	}
	if g.p(0.3) {
		return g.activation(g.norm(g.op(ir.ReduceMax, map[string]any{"axes": []int{2 + g.n(k)}}, g.conv(x.v, false))))
	}
	return g.activation(g.norm(pool(x.v)))
}

// fewBits is a block with an activation of 2 to 8 bits between its layers.
func (g *gen) fewBits(x act) act {
	if !g.has(FewBits) {
		return g.convBlock(x)
	}
	z := g.norm(g.biased(x.v, false))
	if g.p(0.3) {
		z = g.pool(z)
	}
	bits := g.between(2, pick(g, 2, 3, 8))
	n := float64(int(1)<<bits - 1)
	levels := func(v *ir.Value) *ir.Value {
		return g.op(ir.Round, nil, g.op(ir.Mul, nil, g.op(ir.Clip, nil, v, g.scalar(0), g.scalar(1)), g.scalar(n)))
	}
	var q *ir.Value
	switch {
	case !g.has(WeightScale) || g.p(0.3): // whole numbers
		q = levels(z)
	case g.p(0.5):
		q = g.op(ir.Div, nil, levels(z), g.scalar(n))
	default:
		signed := g.p(0.5)
		if signed && bits < 2 {
			bits = 2
		}
		q = g.op(ir.Quant, map[string]any{"signed": signed}, z, g.scalar(pick(g, 0.25, 0.1, 1)), g.scalar(0), g.scalar(float64(bits)))
	}
	if g.p(0.3) {
		q = g.pool(q)
	}
	return g.activation(g.norm(g.biased(q, false)))
}

// rearranged moves elements or pools between a norm and its activation, or
// between two norms.
func (g *gen) rearranged(x act) act {
	z := g.norm(g.biased(x.v, false))
	switch g.n(4) {
	case 0:
		c := g.channels(z)
		from := g.n(c)
		z = g.op(ir.Slice, map[string]any{"axes": []int{1}, "starts": []int{from}, "ends": []int{g.between(from+1, c)}}, z)
	case 1:
		axis := g.between(2, z.Type.Rank()-1)
		z = g.op(ir.Concat, map[string]any{"axis": axis}, z, g.op(ir.Neg, nil, z))
	case 2:
		z = g.op(ir.Concat, map[string]any{"axis": 1}, z, g.op(ir.Sub, nil, z, g.scalar(float64(g.channelValue(z, 0)))))
	default:
		z = g.pool(z)
	}
	if g.p(0.4) {
		z = g.affine(z)
	}
	return g.activation(z)
}

// sameBlock keeps the shape and the encoding of x.
func (g *gen) sameBlock(x act) act {
	z := x.v
	if g.p(0.3) {
		z = g.linear(z, g.channels(z))
	} else {
		z = g.biased(z, true)
	}
	z = g.norm(z)
	for {
		if y := g.step(z); y.signed == x.signed {
			if g.c.Taps {
				g.result(y.v)
			}
			return y
		}
	}
}

// gate joins a block and its input: OR in its three forms, AND, or the product
// of signs.
func (g *gen) gate(x act) act {
	f := g.sameBlock(x)
	a, b := f.v, x.v
	if g.p(0.5) {
		a, b = b, a
	}
	form := g.n(6)
	switch {
	case form == 0 && !x.signed:
		return act{g.op(ir.Min, nil, a, b), false}
	case form == 1:
		return act{g.op(ir.Mul, nil, a, b), x.signed}
	case form == 2 && !x.signed && g.has(OrSum):
		return act{g.op(ir.Sub, nil, g.op(ir.Add, nil, a, b), g.op(ir.Mul, nil, a, b)), false}
	case form == 3 && !x.signed && g.has(OrClip):
		return act{g.op(ir.Clip, nil, g.op(ir.Add, nil, a, b), g.scalar(0), g.scalar(1)), false}
	}
	return act{g.op(ir.Max, nil, a, b), x.signed}
}

// selector is the thresholded global average pooling of x, over every axis or
// all but time: the bit as a float and as a bool.
func (g *gen) selector(x *ir.Value) (s, cond *ir.Value) {
	rank := x.Type.Rank()
	var axes []int
	for a := 2; a < rank; a++ {
		axes = append(axes, a)
	}
	if rank == 5 && g.p(0.3) {
		axes = axes[1:]
	}
	m := g.op(ir.ReduceMean, map[string]any{"axes": axes, "keepdims": true}, x)
	t := func(c int) float32 {
		v := g.channelValue(m, c)
		if g.p(0.3) {
			v += pick[float32](g, 0.1, -0.1, 1e-7)
		}
		return v
	}
	var th *ir.Value
	if g.p(0.5) {
		th = g.perChannel(m, t)
	} else {
		th = g.scalar(float64(t(0)))
	}
	switch g.n(3) {
	case 0:
		cond = g.op(ir.Greater, nil, m, th)
	case 1:
		cond = g.op(ir.GreaterOrEqual, nil, g.op(ir.Sub, nil, m, th), g.scalar(0))
	default:
		cond = g.op(ir.Greater, nil, g.op(ir.Sub, nil, m, th), g.scalar(0))
	}
	s = g.op(ir.Cast, map[string]any{"to": "f32"}, cond)
	if g.c.Taps {
		g.result(s)
	}
	return s, cond
}

// mux is a residual behind a multiplexer, or the MUX-OR residual, with a
// selector a channel or a bit for every position.
func (g *gen) mux(x act) act {
	f := g.sameBlock(x)
	s, cond := g.selector(x.v)
	if g.p(0.15) && !x.signed {
		if y := g.sameBlock(x); !y.signed {
			s, cond = y.v, nil
		}
	}
	a, b := f.v, x.v
	if g.p(0.3) {
		a, b = b, a
	}
	if !x.signed && g.p(0.4) {
		b = g.op(ir.Max, nil, a, b)
	}
	if cond != nil && g.has(MuxWhere) && (g.p(0.2) || x.signed) {
		return act{g.op(ir.Where, nil, cond, b, a), x.signed}
	}
	if x.signed { // products of 0/1 and -1/+1 are no logic; the sum is the multiplexer all the same
		return f
	}
	one := g.scalar(1)
	inv := g.op(ir.Sub, nil, one, s)
	p, q := g.op(ir.Mul, nil, s, b), g.op(ir.Mul, nil, inv, a)
	if g.p(0.5) {
		p = g.op(ir.Mul, nil, b, s)
	}
	if g.p(0.5) {
		p, q = q, p
	}
	return act{g.op(ir.Add, nil, p, q), false}
}

// concat joins branches along the channels, behind their activations or in
// front of the norm.
func (g *gen) concat(x act) act {
	if g.has(SumConcat) && g.p(0.4) {
		z := g.op(ir.Concat, map[string]any{"axis": 1}, g.convTo(x.v, g.between(1, 5), 1, g.p(0.5), true), g.convTo(x.v, g.between(1, 5), 1, g.p(0.5), true))
		return g.activation(g.norm(z))
	}
	axis := 1
	if g.p(0.2) {
		axis = g.between(2, x.v.Type.Rank()-1)
	}
	return act{g.op(ir.Concat, map[string]any{"axis": axis}, x.v, g.sameBlock(x).v), x.signed}
}

// move slices channels, gathers frames or swaps axes.
func (g *gen) move(x act) act {
	rank := x.v.Type.Rank()
	axis := g.between(1, rank-1)
	size := g.shape(x.v)[axis]
	switch g.n(4) {
	case 0:
		from := g.n(size)
		to := g.between(from+1, size)
		return act{g.op(ir.Slice, map[string]any{"axes": []int{axis}, "starts": []int{from}, "ends": []int{to}}, x.v), x.signed}
	case 1:
		idx := make([]int64, g.between(1, size))
		for i := range idx {
			idx[i] = int64(g.between(-size, size-1))
		}
		return act{g.op(ir.Gather, map[string]any{"axis": axis}, x.v, g.tensor(ir.IntTensor(ir.I64, idx, len(idx)))), x.signed}
	case 2:
		if rank < 4 {
			return x
		}
		perm := []int{0, 1}
		for a := rank - 1; a > 1; a-- {
			perm = append(perm, a)
		}
		return act{g.op(ir.Transpose, map[string]any{"perm": perm}, x.v), x.signed}
	default:
		if size < 2 {
			return x
		}
		from := g.between(1, size-1)
		n := g.node(ir.Split, map[string]any{"axis": axis, "sizes": []int{from, size - from}}, x.v)
		if g.p(0.5) {
			return act{n.Results[1], x.signed}
		}
		return act{n.Results[0], x.signed}
	}
}
