package randgraph

import "github.com/billnet/billnet/ir"

// head ends the network in logits.
func (g *gen) head(x act) {
	if g.p(0.3) {
		g.result(x.v)
	}
	rank := x.v.Type.Rank()
	var h *ir.Value
	switch form := g.n(10); {
	case form < 4 && rank == 5:
		h = g.recurrent(x)
	case form < 6: // flattened into a binary linear layer
		s := g.shape(x.v)
		h = g.op(ir.Reshape, map[string]any{"shape": []int{s[0], ir.T(ir.F32, s[1:]...).Elems()}}, x.v)
		if h.Type.Shape[1] > 200 {
			h = g.op(ir.Slice, map[string]any{"axes": []int{1}, "starts": []int{0}, "ends": []int{200}}, h)
		}
		h = g.binaryLinear(h)
	default: // global average pooling
		var axes []int
		for a := 2; a < rank; a++ {
			axes = append(axes, a)
		}
		keep := g.p(0.5)
		h = g.op(ir.ReduceMean, map[string]any{"axes": axes, "keepdims": keep}, x.v)
		if g.p(0.4) {
			h = g.activation(g.norm(h)).v
		}
		if keep {
			h = g.op(ir.Reshape, map[string]any{"shape": g.shape(h)[:2]}, h)
		}
	}
	if g.p(0.2) {
		h = g.binaryLinear(h)
	}
	classes := g.between(1, 5)
	w := g.floats(func(int) float32 { return float32(g.rng.NormFloat64()) }, classes, g.channels(h))
	args := []*ir.Value{h, w}
	if g.p(0.7) {
		args = append(args, g.floats(func(int) float32 { return float32(g.rng.NormFloat64()) }, classes))
	}
	g.result(g.op(ir.Gemm, map[string]any{"trans_b": true}, args...))
}

// product is x*w' with binary w [o,K], as gemm or matmul.
func (g *gen) product(x, w *ir.Value) *ir.Value {
	switch g.n(3) {
	case 0:
		return g.op(ir.Gemm, map[string]any{"trans_b": true}, x, w)
	case 1:
		return g.op(ir.Gemm, nil, x, g.op(ir.Transpose, map[string]any{"perm": []int{1, 0}}, w))
	}
	return g.op(ir.MatMul, nil, x, g.op(ir.Transpose, map[string]any{"perm": []int{1, 0}}, w))
}

// binaryLinear is a linear layer with binary weights, a norm and an activation.
func (g *gen) binaryLinear(x *ir.Value) *ir.Value {
	return g.activation(g.norm(g.product(x, g.weights(g.between(1, 9), g.channels(x))))).v
}

// recurrent averages over rows and columns and runs an LSTM over time: the
// binary one, unrolled, over thresholded averages, or a float one.
func (g *gen) recurrent(x act) *ir.Value {
	m := g.op(ir.ReduceMean, map[string]any{"axes": []int{3, 4}, "keepdims": false}, x.v) // [N,C,T]
	if t := g.shape(m)[2]; t > 4 {
		m = g.op(ir.Slice, map[string]any{"axes": []int{2}, "starts": []int{t - 4}, "ends": []int{t}}, m)
	}
	if g.has(FloatLSTM) && g.p(0.2) {
		return g.floatLSTM(g.op(ir.Transpose, map[string]any{"perm": []int{2, 0, 1}}, m))
	}
	b := g.step(g.op(ir.Sub, nil, m, g.perChannel(m, func(c int) float32 { return g.channelValue(m, c) })))
	axis := g.n(2)
	perm := []int{0, 2, 1}
	if axis == 0 {
		perm = []int{2, 0, 1}
	}
	seq := g.op(ir.Transpose, map[string]any{"perm": perm}, b.v)
	return g.binaryLSTM(seq, axis)
}

// binaryLSTM unrolls z = BN(x*wi' + h*wh'), c = f*c + i*g, h = o*sign(c) over
// the elements of a sequence. Its cell is the same at every step, its rows are
// the gates in any order.
func (g *gen) binaryLSTM(seq *ir.Value, axis int) *ir.Value {
	steps, batch, hidden := g.shape(seq)[axis], g.shape(seq)[1-axis], g.between(1, 6)
	pm := func(o, k int) *ir.Value {
		return g.floats(func(int) float32 { return float32(1 - 2*g.n(2)) }, o, k)
	}
	wi, wh := pm(4*hidden, g.shape(seq)[2]), pm(4*hidden, hidden)
	if g.p(0.3) {
		wi = g.op(ir.Where, nil, g.op(ir.GreaterOrEqual, nil, wi, g.scalar(0)), g.scalar(1), g.scalar(-1))
	}
	h := g.floats(func(int) float32 { return 0 }, batch, hidden)
	c := h
	if g.has(State) && g.p(0.2) {
		h = g.floats(func(int) float32 { return float32(g.n(3) - 1) }, batch, hidden)
		c = g.floats(func(int) float32 { return float32(g.n(9) - 4) }, batch, hidden)
	}
	rows := g.rng.Perm(4) // the place of gates i, f, o, g
	cuts := g.p(0.3)
	gates := make([]*ir.Op, 4)
	for i := range gates {
		gates[i] = pick(g, ir.Greater, ir.Greater, ir.GreaterOrEqual)
	}
	signOf := g.n(3)
	form, swap := g.n(3), g.p(0.3)
	var norm []*ir.Value
	eps := 1e-5
	var all []*ir.Value
	for t := range steps {
		x := g.op(ir.Gather, map[string]any{"axis": axis}, seq, g.tensor(ir.IntTensor(ir.I64, []int64{int64(t)})))
		times := func(v, w *ir.Value) *ir.Value {
			if form == 0 {
				return g.op(ir.Gemm, map[string]any{"trans_b": true}, v, w)
			}
			return g.op(ir.MatMul, nil, v, g.op(ir.Transpose, map[string]any{"perm": []int{1, 0}}, w))
		}
		a, b := times(x, wi), times(h, wh)
		if swap {
			a, b = b, a
		}
		z := g.op(ir.Add, nil, a, b)
		if norm == nil { // the same parameters at every step, around what the first one sees
			zn := g.norm(z)
			for !zn.Def.Is(ir.BatchNorm) {
				zn = g.norm(z)
			}
			norm, eps = zn.Def.Args[1:5], zn.Def.Float("epsilon")
		}
		zn := g.op(ir.BatchNorm, map[string]any{"epsilon": eps}, append([]*ir.Value{z}, norm...)...)
		var parts []*ir.Value
		if cuts {
			parts = g.node(ir.Split, map[string]any{"axis": 1, "sizes": []int{hidden, hidden, hidden, hidden}}, zn).Results
		} else {
			for k := range 4 {
				parts = append(parts, g.op(ir.Slice, map[string]any{"axes": []int{1}, "starts": []int{k * hidden}, "ends": []int{(k + 1) * hidden}}, zn))
			}
		}
		gate := func(k int) *ir.Value { return g.op(gates[k], nil, parts[rows[k]], g.scalar(0)) }
		bit := func(k int) *ir.Value { return g.op(ir.Cast, map[string]any{"to": "f32"}, gate(k)) }
		in := g.op(ir.Mul, nil, bit(0), g.op(ir.Where, nil, gate(3), g.scalar(1), g.scalar(-1)))
		c = g.op(ir.Add, nil, g.op(ir.Mul, nil, bit(1), c), in)
		var s *ir.Value
		switch signOf {
		case 0:
			s = g.op(ir.Sign, nil, c)
		case 1:
			s = g.op(ir.Where, nil, g.op(ir.GreaterOrEqual, nil, c, g.scalar(0)), g.scalar(1), g.scalar(-1))
		default:
			s = g.op(ir.Where, nil, g.op(ir.Greater, nil, c, g.scalar(0)), g.scalar(1), g.scalar(-1))
		}
		h = g.op(ir.Mul, nil, bit(2), s)
		all = append(all, h)
	}
	switch g.n(5) {
	case 0:
		g.result(c)
	case 1:
		for _, v := range all[:len(all)-1] {
			g.result(v)
		}
	}
	if g.p(0.2) {
		for i, v := range all {
			all[i] = g.op(ir.Unsqueeze, map[string]any{"axes": []int{1}}, v)
		}
		return g.op(ir.ReduceMean, map[string]any{"axes": []int{1}, "keepdims": false}, g.op(ir.Concat, map[string]any{"axis": 1}, all...))
	}
	return h
}

// floatLSTM runs an LSTM, with weights that may be signs times a scale, over a
// sequence [T,N,C] and returns its last state.
func (g *gen) floatLSTM(seq *ir.Value) *ir.Value {
	hidden, in := g.between(1, 6), g.shape(seq)[2]
	normal := func(int) float32 { return float32(g.rng.NormFloat64()) }
	weights := normal
	if g.p(0.3) {
		scale := g.rng.Float32() + 0.1
		weights = func(int) float32 { return scale * float32(2*g.n(2)-1) }
	}
	n := g.node(ir.LSTM, map[string]any{"hidden": hidden}, seq,
		g.floats(weights, 1, 4*hidden, in), g.floats(weights, 1, 4*hidden, hidden), g.floats(normal, 1, 8*hidden))
	return g.op(ir.Squeeze, map[string]any{"axes": []int{0}}, n.Results[1])
}
