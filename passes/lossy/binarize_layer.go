package lossy

import (
	"math"
	"slices"

	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/passes/analysis"
	"github.com/billnet/billnet/passes/report"
)

// maxLinearSum bounds the integers that a chain of linear layers may add up to
// where no norm follows: what is above 2^24 is no exact float32 any more.
const maxLinearSum = 1 << 24

// layer appends a convolution, a linear or a recurrent layer.
func (b *binarizer) layer(n *ir.Node, l *plannedLayer, args []*twin, src [][]*ir.Tensor) ([]*twin, error) {
	x := args[0]
	if !b.accepts(l, x) && !b.plan.unrolled[n.Args[0]] {
		x = b.bitsOf(x)
	}
	entry := report.Binarization{Layer: n.LayerName(), Op: n.Op.Name, Weights: "float", Input: x.form.String()}
	var out []*twin
	switch {
	case l.keep != "":
		out = b.floatLayer(n, l, x, args)
		entry.Left = l.keep
	case l.recurrent:
		out = b.floatLayer(n, l, x, args)
		entry.Left = "its weights are for quantize-lstm; its input is " + x.form.String()
	case l.done && !x.changed():
		out = b.other(n, n.Attrs, args)
		if out[0].form = formReal; x.form.integer() {
			out[0].form = formSums
		}
		entry.Left = "its weights are binary or of few bits already"
	case l.done:
		entry.Weights = "unchanged binary or few-bit"
		out = []*twin{b.binaryLayer(n, l, x, args[1], src[0], &entry)}
	case b.weights == "float" || l.last && b.lastFloat:
		out = b.floatLayer(n, l, x, args)
		if b.linear && b.plan.linear(n.Result()) {
			out[0].form = formSums
		}
	default:
		entry.Weights = b.weights
		entry.Error = b.weightError(n, l.weights)
		x, w := b.withoutNormalisation(n, l, x, args[1])
		out = []*twin{b.binaryLayer(n, l, x, b.hardWeights(n, l.weights, w), src[0], &entry)}
	}
	recordBinarized(b.c, entry)
	return out, b.Err
}

// matrixView reads the weights of a layer as a matrix of rows, one for every
// output channel or gate, and columns.
type matrixView struct {
	t          *ir.Tensor
	rows, cols int
	columns    bool                   // stored as [cols][rows]
	input      func(row, col int) int // the input channel that a weight reads
}

func viewWeights(n *ir.Node, w *ir.Tensor) *matrixView {
	m := &matrixView{t: w, input: func(_, col int) int { return col }}
	s := w.Type.Shape
	switch {
	case n.Is(ir.Conv):
		m.rows, m.cols = s[0], w.Len()/s[0]
		taps, perGroup := m.cols/s[1], s[0]/n.Int("groups")
		m.input = func(row, col int) int { return row/perGroup*s[1] + col/taps }
	case isRecurrent(n):
		m.rows, m.cols = s[0]*s[1], s[2]
	case n.Is(ir.Gemm) && n.Bool("trans_b"):
		m.rows, m.cols = s[0], s[1]
	default:
		m.rows, m.cols, m.columns = s[1], s[0], true
	}
	return m
}

func (m *matrixView) index(row, col int) int {
	if m.columns {
		return col*m.rows + row
	}
	return row*m.cols + col
}

// perRow is a constant of one number for every row, of the shape that stretches
// to the weights.
func (m *matrixView) perRow(v []float64) *ir.Tensor {
	t := ir.NewTensor(ir.T(ir.F32, len(v)))
	for i := range v {
		t.Floats()[i] = float32(v[i])
	}
	shape := make([]int, m.t.Type.Rank())
	for i := range shape {
		shape[i] = 1
	}
	if shape[0] = m.rows; m.columns {
		shape[0], shape[1] = 1, m.rows
	}
	return t.Reshape(shape...)
}

// deadZone is the share of a channel's mean magnitude below which a ternary
// weight is 0: the least squares choice for weights of a normal distribution.
const deadZone = 0.7

// hardRow returns the best scale of a row of signs, or of signs and zeros, for
// its weights, and the bound below which a weight is 0.
func (m *matrixView) hardRow(row int, ternary bool) (scale, bound float64) {
	sum, n := 0.0, 0
	for c := range m.cols {
		sum += math.Abs(m.t.Float(m.index(row, c)))
	}
	if !ternary {
		return sum / float64(m.cols), 0
	}
	bound = float64(float32(deadZone * sum / float64(m.cols)))
	sum = 0
	for c := range m.cols {
		if w := math.Abs(m.t.Float(m.index(row, c))); w > bound {
			sum, n = sum+w, n+1
		}
	}
	return sum / float64(max(n, 1)), bound
}

// weightError is the relative Frobenius error of the hard weights, each row with
// its best scale.
func (b *binarizer) weightError(n *ir.Node, w *ir.Tensor) float64 {
	m := viewWeights(n, w)
	diff, norm := 0.0, 0.0
	for r := range m.rows {
		scale, bound := m.hardRow(r, b.weights == "ternary")
		for c := range m.cols {
			a := math.Abs(m.t.Float(m.index(r, c)))
			d := a
			if b.weights != "ternary" || a > bound {
				d -= scale
			}
			diff, norm = diff+d*d, norm+a*a
		}
	}
	if norm == 0 {
		return 0
	}
	return math.Sqrt(diff / norm)
}

// hardWeights appends the sign of the latent weights, or for ternary ones
// where(w > t, 1, where(w < -t, -1, 0)). The latent weights stay in the graph:
// fold-constants folds them away, training moves them.
func (b *binarizer) hardWeights(n *ir.Node, w *ir.Tensor, latent *twin) *twin {
	number := func(v float64) *twin { return b.fixed(ir.Scalar(ir.F32, v)) }
	if b.weights != "ternary" {
		return b.emit(ir.Where, nil, b.emit(ir.GreaterOrEqual, nil, latent, number(0)), number(1), number(-1))
	}
	m := viewWeights(n, w)
	upper, lower := make([]float64, m.rows), make([]float64, m.rows)
	for r := range upper {
		_, upper[r] = m.hardRow(r, true)
		lower[r] = -upper[r]
	}
	below := b.emit(ir.Where, nil, b.emit(ir.Less, nil, latent, b.fixed(m.perRow(lower))), number(-1), number(0))
	return b.emit(ir.Where, nil, b.emit(ir.Greater, nil, latent, b.fixed(m.perRow(upper))), number(1), below)
}

// binaryLayer appends a layer with hard weights: sums, and the norm that gives
// them the mean and deviation that the layer's result has in the source, unless
// a norm or, in a linear chain, another layer follows. Scales and biases need no
// place of their own: the norm has them.
func (b *binarizer) binaryLayer(n *ir.Node, l *plannedLayer, x, w *twin, src []*ir.Tensor, entry *report.Binarization) *twin {
	m := viewWeights(n, l.weights)
	if l.last {
		return b.binaryLast(n, m, x, w, src)
	}
	attrs := n.Attrs
	if n.Is(ir.Gemm) {
		attrs = map[string]any{"trans_b": n.Bool("trans_b")}
	}
	y := b.emit(n.Op, attrs, x, w)
	y.src, y.form, y.reach = src, formSums, x.reach*float64(m.cols)
	if n.Is(ir.MatMul) {
		y.axis = y.v.Type.Rank() - 1
	}
	if b.linear && b.plan.linear(n.Result()) {
		if y.reach < maxLinearSum {
			return y
		}
		b.c.Note("layer %q: a norm follows, as the linear chain would add up to %.3g, more than float32 holds exactly", entry.Layer, y.reach)
	}
	if b.plan.normed(n.Result()) {
		return y
	}
	entry.Norm = "inserted"
	y = b.matched(y, momentsOf(src, y.axis), nil)
	y.form = formReal
	return y
}

// binaryLast appends a last layer with hard weights, scaled to the source's: the
// scale of a row is that of its weights times what bits stand for on average,
// and the bias gives the source's mean.
func (b *binarizer) binaryLast(n *ir.Node, m *matrixView, x, w *twin, src []*ir.Tensor) *twin {
	unit := 1.0
	if x.changed() && x.form.integer() {
		scale, _ := lineThrough(x.src, x.now, x.axis)
		unit = 0
		for _, s := range scale {
			unit += s / float64(len(scale))
		}
	}
	if n.Is(ir.Gemm) {
		unit *= n.Float("alpha")
	}
	scales := make([]float64, m.rows)
	for r := range scales {
		s, _ := m.hardRow(r, b.weights == "ternary")
		if scales[r] = s * unit; s == 0 {
			scales[r] = unit
		}
	}
	w = b.emit(ir.Mul, nil, w, b.fixed(m.perRow(scales)))
	attrs := n.Attrs
	if n.Is(ir.Gemm) {
		attrs = map[string]any{"trans_b": n.Bool("trans_b")}
	}
	axis := 1
	if n.Is(ir.MatMul) {
		axis = n.Result().Type.Rank() - 1
	}
	trial := *b
	trial.F = &ir.Func{} // measured, not kept: the bias is an operand
	y := trial.emit(n.Op, attrs, x, w)
	if b.Err = trial.Err; b.Err != nil {
		return y
	}
	bias := momentsOf(src, axis).mean
	for r, mean := range momentsOf(y.now, axis).mean {
		bias[r] -= mean
	}
	if n.Is(ir.MatMul) {
		y = b.emit(ir.MatMul, nil, x, w)
		return b.emit(ir.Add, nil, y, b.vector(bias))
	}
	return b.emit(n.Op, attrs, x, w, b.biasAt(n, bias))
}

// biasAt is a constant in the place of the layer's bias.
func (b *binarizer) biasAt(n *ir.Node, v []float64) *twin {
	t := ir.NewTensor(ir.T(ir.F32, len(v)))
	for i := range v {
		t.Floats()[i] = float32(v[i])
	}
	var old *ir.Value
	if a := n.Arg(2); a != nil && ir.ConstOf(a) != nil {
		old = a
	}
	return &twin{v: b.constAt(old, t), now: b.same(t), form: formFixed}
}

// floatLayer appends a layer that keeps float weights. Where its input is bits
// in place of numbers, weights and bias take in what they stand for: x is about
// scale*bits + offset in every channel, by least squares over the clips.
func (b *binarizer) floatLayer(n *ir.Node, l *plannedLayer, x *twin, args []*twin) []*twin {
	args = slices.Clone(args)
	args[0] = x
	var shift []float64 // of every row
	if l.weights != nil && analysis.Finite32(l.weights) && x.changed() && x.form.integer() {
		m := viewWeights(n, l.weights)
		axis := x.v.Type.Rank() - 1
		if n.Is(ir.Conv) {
			axis = 1
		}
		scale, offset := lineThrough(x.src, x.now, axis)
		w := ir.NewTensor(l.weights.Type)
		shift = make([]float64, m.rows)
		for r := range m.rows {
			for c := range m.cols {
				at, i := m.index(r, c), m.input(r, c)
				w.Floats()[at] = float32(m.t.Float(at) * scale[i])
				shift[r] += m.t.Float(at) * offset[i]
			}
		}
		args[1] = &twin{v: b.constAt(n.Args[1], w), now: b.same(w), form: formFixed}
	}
	if slices.ContainsFunc(shift, func(s float64) bool { return s != 0 }) && !n.Is(ir.MatMul) {
		args = b.shiftBias(n, args, shift)
		shift = nil
	}
	attrs := n.Attrs
	if n.Is(ir.Gemm) && len(args) > 2 && args[2] != nil {
		attrs = map[string]any{"trans_a": n.Bool("trans_a"), "trans_b": n.Bool("trans_b"), "alpha": n.Float("alpha")}
		if args[2].v == n.Arg(2) {
			attrs["beta"] = n.Float("beta")
		}
	}
	out := b.other(n, attrs, args)
	for _, t := range out {
		t.form, t.reach = formReal, 0
		if l.recurrent || b.plan.unrolled[n.Result()] {
			t.form = formState
		}
	}
	if n.Is(ir.MatMul) {
		out[0].axis = out[0].v.Type.Rank() - 1
		if shift != nil {
			y := out[0]
			if y.now == nil {
				return out
			}
			out[0] = b.emit(ir.Add, nil, y, b.vector(shift))
			out[0].axis = y.axis
		}
	}
	return out
}

// shiftBias adds to the bias of a convolution, a gemm or a recurrent layer. One
// that is no constant stays.
func (b *binarizer) shiftBias(n *ir.Node, args []*twin, shift []float64) []*twin {
	at, alpha, beta := 2, 1.0, 1.0
	switch {
	case isRecurrent(n):
		at = 3
	case n.Is(ir.Gemm):
		alpha, beta = n.Float("alpha"), n.Float("beta")
	}
	for len(args) <= at {
		args = append(args, nil)
	}
	var old *ir.Tensor
	if args[at] != nil {
		if old = analysis.ConstantOf(args[at].v); old == nil {
			return args
		}
	}
	t := ir.NewTensor(ir.T(ir.F32, len(shift)))
	if isRecurrent(n) {
		// [directions][gates for w, then for r]
		d := args[1].v.Type.Shape[0]
		rows := len(shift) / d
		t = ir.NewTensor(ir.T(ir.F32, d, 2*rows))
		if old != nil {
			copy(t.Floats(), old.Floats())
		}
		for r, s := range shift {
			t.Floats()[r/rows*2*rows+r%rows] += float32(s)
		}
	} else {
		for r, s := range shift {
			v := alpha * s
			if old != nil {
				v += beta * old.Float(min(r, old.Len()-1))
			}
			t.Floats()[r] = float32(v)
		}
	}
	var place *ir.Value
	if old != nil {
		place = args[at].v
	}
	args[at] = &twin{v: b.constAt(place, t), now: b.same(t), form: formFixed}
	return args
}

// withoutNormalisation lets a first layer with hard weights read integers as
// they arrive, where the source shifts them or scales every channel by itself:
// signs know no scale, and the norm behind takes the offset in. Only at the
// borders, where the padding's zeros are another number then, it shows.
func (b *binarizer) withoutNormalisation(n *ir.Node, l *plannedLayer, x, latent *twin) (*twin, *twin) {
	if x.form != formClip || l.last {
		return x, latent
	}
	var chain []*ir.Node
	v := x.v
	for ir.Def(v) != nil {
		d := ir.Def(v)
		which := 0
		switch d.Op {
		case ir.Add, ir.Sub, ir.Mul, ir.Div:
			which = analysis.Carrier(d, x.v.Type.Shape)
		case ir.BatchNorm:
			if !analysis.SoundNorm(d) {
				which = -1
			}
		case ir.Cast:
		default:
			which = -1
		}
		if which < 0 || len(chain) > 8 {
			return x, latent
		}
		chain = append(chain, d)
		v = d.Args[which]
	}
	if v.Type.DType.IsFloat() || len(chain) < 2 || x.v.Type.Rank() < 3 || !n.Is(ir.Conv) {
		return x, latent
	}
	at := func(number float64) *ir.Tensor {
		t := ir.NewTensor(v.Type)
		for i := range t.Len() {
			t.SetFloat(i, number)
		}
		for _, d := range slices.Backward(chain) {
			in := make([]*ir.Tensor, len(d.Args))
			for i, a := range d.Args {
				if in[i] = ir.ConstOf(a); in[i] == nil {
					in[i] = t
				}
			}
			out, err := ir.EvalNode(d, in)
			if err != nil {
				b.Err = err
				return t
			}
			t = out[0]
		}
		return t
	}
	zero, one := at(0), at(1)
	if b.Err != nil {
		return x, latent
	}
	c := zero.Type.Shape[1]
	inner := ir.Type{Shape: zero.Type.Shape[2:]}.Elems()
	factor, plain, falling := make([]float64, c), true, false
	for i := range factor {
		factor[i] = one.Float(i*inner) - zero.Float(i*inner)
		plain = plain && zero.Float(i*inner) == 0 && factor[i] == factor[0]
		falling = falling || factor[i] < 0
	}
	if plain {
		return x, latent
	}
	raw := b.emit(ir.Cast, map[string]any{"to": "f32"}, b.now[v])
	raw.src, raw.form, raw.axis, raw.reach = x.src, formClip, x.axis, b.now[v].reach
	if falling {
		m := viewWeights(n, l.weights)
		w := ir.NewTensor(l.weights.Type)
		for r := range m.rows {
			for k := range m.cols {
				w.Floats()[m.index(r, k)] = float32(m.t.Float(m.index(r, k)) * factor[m.input(r, k)])
			}
		}
		latent = &twin{v: b.constAt(n.Args[1], w), now: b.same(w), form: formFixed}
	}
	b.c.Note("layer %q reads the model's input as it arrives: its normalisation goes into the norm behind the layer", n.LayerName())
	return raw, latent
}
