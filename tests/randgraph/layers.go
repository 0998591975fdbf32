package randgraph

import (
	"math"

	"github.com/billnet/billnet/ir"
)

// weights makes binary weights [O,...] in one of the forms that exporters
// write: constants, where(w >= 0, 1, -1) or sign(w) over latent weights, with
// or without a scale a channel.
func (g *gen) weights(shape ...int) *ir.Value {
	row := ir.T(ir.F32, shape[1:]...).Elems()
	zeros := 0.0
	if g.has(Ternary) && g.p(0.15) {
		zeros = g.rng.Float64()
	}
	equal := g.p(0.1) // rows of one sign each: the widest accumulators
	v := make([]float32, shape[0]*row)
	for i := range v {
		v[i] = float32(1 - 2*g.n(2))
		if equal {
			v[i] = 1
			if i/row%3 == 1 {
				v[i] = -1
			}
		}
		if g.p(zeros) {
			v[i] = 0
		}
	}
	scale := make([]float32, shape[0])
	for i := range scale {
		scale[i] = 1
	}
	scaled := g.has(WeightScale) && g.p(0.12)
	if scaled {
		for i := range scale {
			scale[i] = pick(g, 0.5, float32(g.rng.Float64())+0.01, 1)
		}
	}
	latent := func() *ir.Value {
		return g.floats(func(i int) float32 { return v[i] * float32(g.rng.Float64()+1e-3) }, shape...)
	}
	var w *ir.Value
	switch form := g.n(4); {
	case form == 0 && zeros == 0:
		w = g.op(ir.Where, nil, g.op(ir.GreaterOrEqual, nil, latent(), g.scalar(0)), g.scalar(1), g.scalar(-1))
	case form == 1:
		w = g.op(ir.Sign, nil, latent())
	case form == 2 && scaled:
		return g.floats(func(i int) float32 { return v[i] * scale[i/row] }, shape...)
	default:
		w = g.floats(func(i int) float32 { return v[i] }, shape...)
	}
	if !scaled {
		return w
	}
	ones := make([]int, len(shape))
	for i := range ones {
		ones[i] = 1
	}
	ones[0] = shape[0]
	return g.op(ir.Mul, nil, w, g.floats(func(i int) float32 { return scale[i] }, ones...))
}

// conv appends a convolution with random geometry, or one that keeps sizes and
// channels.
func (g *gen) conv(x *ir.Value, same bool) *ir.Value {
	c := g.channels(x)
	groups := 1
	if g.p(0.4) {
		for groups = g.between(1, c); c%groups != 0; groups-- {
		}
		if g.p(0.3) {
			groups = c
		}
	}
	o := groups * max(1, g.between(1, pick(g, 4, 10, 19))/groups)
	if same {
		o = c
	}
	return g.convTo(x, o, groups, g.p(0.25), same)
}

// biased appends conv, now and then with a bias.
func (g *gen) biased(x *ir.Value, same bool) *ir.Value {
	z := g.conv(x, same)
	if n := z.Def; g.p(0.2) && n.Arg(2) == nil {
		b := g.floats(func(int) float32 { return pick(g, 0, 1, -2, 0.5, float32(g.rng.NormFloat64())) }, g.channels(z))
		return g.op(ir.Conv, n.Attrs, n.Args[0], n.Args[1], b)
	}
	return z
}

// pointwise appends a convolution of kernel 1.
func (g *gen) pointwise(x *ir.Value, o int) *ir.Value {
	return g.convTo(x, o, 1, true, true)
}

func (g *gen) convTo(x *ir.Value, o, groups int, point, same bool) *ir.Value {
	k := g.spatial(x)
	kernel, stride, dil, pad := make([]int, k), make([]int, k), make([]int, k), make([]int, 2*k)
	for a := range k {
		in := g.shape(x)[2+a]
		kernel[a], stride[a], dil[a] = g.between(1, 3), 1, 1
		if g.p(0.15) {
			dil[a] = 2
		}
		if point {
			kernel[a] = 1
		}
		reach := dil[a] * (kernel[a] - 1)
		if same {
			pad[a] = g.n(reach + 1)
			if g.p(0.6) {
				pad[a] = reach / 2
			}
			pad[k+a] = reach - pad[a]
			continue
		}
		stride[a] = pick(g, 1, 1, 2, 3)
		pad[a], pad[k+a] = g.n(3), g.n(3)
		for in+pad[a]+pad[k+a] <= reach {
			pad[k+a]++
		}
	}
	args := []*ir.Value{x, g.weights(append([]int{o, g.channels(x) / groups}, kernel...)...)}
	if g.has(InnerBias) && g.p(0.1) {
		args = append(args, g.floats(func(int) float32 { return pick(g, 0, 1, -2, 0.5, float32(g.rng.NormFloat64())) }, o))
	}
	return g.op(ir.Conv, map[string]any{"groups": groups, "stride": stride, "dilation": dil, "pad": pad}, args...)
}

// linear is the linear CF chain: pointwise, grouped, pointwise, with no
// activation between them.
func (g *gen) linear(x *ir.Value, o int) *ir.Value {
	mid := pick(g, 2, 4, 6, 8)
	groups := pick(g, 1, 2, mid)
	return g.pointwise(g.convTo(g.pointwise(x, mid), mid, groups, false, true), o)
}

// channelValue returns a value that channel c of x has on the sample.
func (g *gen) channelValue(x *ir.Value, c int) float32 {
	t := g.sample[x]
	inner := ir.T(ir.F32, g.shape(x)[2:]...).Elems()
	return t.Float32((g.n(g.shape(x)[0])*g.channels(x)+c)*inner + g.n(inner))
}

// norm appends a batch norm, or another chain of operations a channel, that
// splits the values which x has on the sample.
func (g *gen) norm(x *ir.Value) *ir.Value {
	switch {
	case g.p(0.05):
		return x
	case g.p(0.1):
		return g.affine(x)
	}
	c := g.channels(x)
	var scale, bias, mean, variance []float32
	eps := pick(g, 1e-5, 9.999999747378752e-06, 1e-3, 1e-12)
	ties := 0.6
	if whole := g.channelValue(x, 0); whole != float32(math.Trunc(float64(whole))) {
		ties = 0.03
	}
	for i := range c {
		s := pick(g, 1, -1, float32(g.rng.NormFloat64()), float32(g.rng.Float64()+0.1), -0.3)
		if g.p(0.08) {
			s = 0
		}
		v := pick(g, 1, 0.25, float32(g.rng.Float64()*20), 3)
		if g.p(0.1) {
			v = pick[float32](g, 0, 1e-30, 1e-10, 1e8)
		}
		z := g.channelValue(x, i)
		m, b := z, float32(0)
		switch {
		case g.p(ties): // exactly on the threshold
			switch g.n(4) {
			case 0: // by way of the bias: the norm of z is 0 in float32
				m = z + pick(g, 1, -3, 0.5, float32(g.rng.NormFloat64()), 1000)
				b = -ir.BatchNormScalar(z, s, 0, m, v, float32(eps))
			case 1: // the norm of the mean is minus the bias
				b = pick[float32](g, 0, 1e-30, -1e-30)
			}
		case g.p(0.5):
			m = z + pick[float32](g, 0.5, -0.5, 0.25)
		default:
			m = z + float32(g.rng.NormFloat64())
			b = float32(g.rng.NormFloat64())
		}
		scale, bias, mean, variance = append(scale, s), append(bias, b), append(mean, m), append(variance, v)
	}
	vec := func(v []float32) *ir.Value { return g.tensor(ir.FloatTensor(v, c)) }
	return g.op(ir.BatchNorm, map[string]any{"epsilon": eps}, x, vec(scale), vec(bias), vec(mean), vec(variance))
}

// affine appends additions, products and quotients with constants a channel.
func (g *gen) affine(x *ir.Value) *ir.Value {
	center := func(c int) float32 { return g.channelValue(x, c) + pick[float32](g, 0, 0.5, -1) }
	switch g.n(4) {
	case 0:
		x = g.op(ir.Sub, nil, x, g.perChannel(x, center))
	case 1:
		x = g.op(ir.Sub, nil, g.perChannel(x, center), x)
	case 2:
		x = g.op(ir.Add, nil, g.perChannel(x, func(c int) float32 { return -center(c) }), x)
	default:
		x = g.op(ir.Sub, nil, x, g.scalar(float64(center(0))))
	}
	factor := func(int) float32 { return pick(g, 1, -2, 0.1, -0.7, float32(g.rng.NormFloat64()), 0) }
	switch g.n(3) {
	case 0:
		x = g.op(ir.Mul, nil, x, g.perChannel(x, factor))
	case 1:
		x = g.op(ir.Div, nil, x, g.scalar(pick(g, 3, -7, 0.1)))
	}
	if g.p(0.3) {
		x = g.op(ir.Neg, nil, x)
	}
	return x
}

// activation makes x binary in one of the ways in which exporters write it.
func (g *gen) activation(x *ir.Value) act {
	a := g.step(x)
	if g.c.Taps || g.p(0.03) {
		g.result(a.v)
	}
	return a
}

func (g *gen) step(x *ir.Value) act {
	if g.has(Sign) && g.p(0.04) {
		return act{g.op(ir.Sign, nil, x), true}
	}
	bit := g.compare(x)
	if g.p(0.15) {
		bit = g.op(ir.Not, nil, bit)
	}
	if g.p(0.6) {
		return act{g.op(ir.Cast, map[string]any{"to": "f32"}, bit), false}
	}
	set, clear := 1.0, 0.0
	if g.has(Signed) && g.p(0.7) {
		clear = -1
	}
	if g.p(0.3) {
		return act{g.op(ir.Where, nil, bit, g.scalar(clear), g.scalar(set)), clear != 0}
	}
	return act{g.op(ir.Where, nil, bit, g.scalar(set), g.scalar(clear)), clear != 0}
}

// compare compares x with zero or, now and then, with something else.
func (g *gen) compare(x *ir.Value) *ir.Value {
	zero := func() *ir.Value { return g.scalar(0) }
	if g.p(0.15) {
		zero = func() *ir.Value { return g.scalar(float64(g.channelValue(x, 0))) }
	} else if g.p(0.1) {
		zero = func() *ir.Value { return g.perChannel(x, func(c int) float32 { return g.channelValue(x, c) }) }
	}
	switch g.n(10) {
	default:
		return g.op(ir.Greater, nil, x, zero())
	case 0, 1:
		return g.op(ir.GreaterOrEqual, nil, x, zero())
	case 2:
		return g.op(ir.Less, nil, x, zero())
	case 3:
		return g.op(ir.LessOrEqual, nil, x, zero())
	case 4:
		return g.op(ir.Less, nil, zero(), x)
	case 5:
		return g.op(ir.GreaterOrEqual, nil, zero(), x)
	}
}

// pool appends a max pooling; with small, sizes of 1 stay.
func (g *gen) pool(x *ir.Value) *ir.Value {
	k := g.spatial(x)
	kernel, stride, dil, pad := make([]int, k), make([]int, k), make([]int, k), make([]int, 2*k)
	for a := range k {
		in := g.shape(x)[2+a]
		kernel[a], stride[a], dil[a] = g.between(1, 3), g.between(1, 3), 1
		if g.has(PoolDilation) && g.p(0.1) {
			dil[a] = 2
		}
		if g.p(0.4) {
			pad[a], pad[k+a] = g.n(kernel[a]), g.n(kernel[a])
		}
		for in+pad[a]+pad[k+a] <= dil[a]*(kernel[a]-1) {
			kernel[a], dil[a] = kernel[a]-1, 1
			pad[a], pad[k+a] = min(pad[a], kernel[a]-1), min(pad[k+a], kernel[a]-1)
		}
	}
	return g.op(ir.MaxPool, map[string]any{"kernel": kernel, "stride": stride, "dilation": dil, "pad": pad, "ceil": g.p(0.2)}, x)
}
