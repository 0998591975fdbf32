package lossy

import (
	"fmt"
	"math"
	"slices"

	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/passes"
	"github.com/billnet/billnet/passes/analysis"
	"github.com/billnet/billnet/passes/report"
)

// Quantize is the pass quantize.
var Quantize = &passes.Pass{
	Name: "quantize",
	Doc: "Convolutions and linear layers with float weights get integer weights and integer inputs: y = s[o]*(sum of q*x + b[o]) with whole numbers q, x and b in float32, which is exact below 2^24. " +
		"Weights have one scale an output channel, without zero point; a layer's input one scale, from calibration clips unless it is of few bits already, as video is, whose normalisation goes into the weights. " +
		"Norms and biases behind a layer go into q and b, a mean becomes a sum of integers.",
	Class: passes.Lossy,
	Options: []passes.Option{
		{Name: "layers", Kind: passes.OptNames, Doc: "only these layers; * stands for any letters"},
		{Name: "bits", Kind: passes.OptCount, Default: 8, Doc: "of weights and inputs, 2 to 8"},
		{Name: "outliers", Kind: passes.OptRatio, Doc: "share of a layer's inputs that may lie outside its range, and saturate; not set: none, from the smallest to the largest seen"},
	},
	After: []string{"fold-constants"},
	Run: func(c *passes.Context, m *ir.Module) error {
		bits := c.Int("bits")
		if bits < 2 || bits > 8 {
			return passes.BadOption("bits", "found %d, expected 2 to 8", bits)
		}
		chosen, err := passes.SelectLayers(c, m, "convolution or linear layer", isLinear)
		if err != nil {
			return err
		}
		q := &layerQuantizer{c: c, bits: bits, layers: map[*ir.Node]*weightedLayer{}, folded: map[*ir.Node]int{}, cache: map[*ir.Value]*analysis.Whole{}, inputs: map[*ir.Node]*ir.Value{}, means: map[*ir.Node]bool{}}
		var observed []*ir.Value
		for _, n := range chosen {
			l, left := readLinear(n)
			if l == nil {
				recordQuantized(c, report.Quantization{Layer: n.LayerName(), Op: n.Op.Name, Left: left})
				continue
			}
			q.layers[n] = l
			observed = append(observed, n.Args[0])
		}
		if len(q.layers) == 0 {
			return nil
		}
		for _, f := range m.Funcs {
			for _, n := range f.Nodes {
				if n.Op != ir.Const && len(n.Args) > 0 {
					q.inputs[n] = n.Args[0]
				}
				if averages(n) {
					observed = append(observed, n.Args[0])
				}
			}
		}
		if q.ranges, err = activationRanges(c, m, observed, c.Ratio("outliers")); err != nil {
			return err
		}
		for _, f := range m.Funcs {
			known := map[*ir.Value]*analysis.Whole{}
			err := c.Rewrite(f, func(rw *passes.Rewriter, n *ir.Node) []*ir.Value {
				q.Wholes = analysis.NewWholes(&rw.Builder, known)
				return q.rule(rw, n)
			})
			if err != nil {
				return err
			}
		}
		return nil
	},
}

func isLinear(n *ir.Node) bool { return n.Is(ir.Conv) || n.Is(ir.Gemm) || n.Is(ir.MatMul) }

// averages reports whether a node is a mean whose sum can be one of integers.
func averages(n *ir.Node) bool { return n.Is(ir.ReduceMean) || n.Is(ir.GlobalAveragePool) }

// weightedLayer is a convolution or linear layer as a matrix of weights.
type weightedLayer struct {
	w         []float64 // [rows][cols]
	bias      []float64 // of every row
	rows      int
	cols      int
	cin       func(row, col int) int // the input channel that a weight reads
	inAxis    int                    // of the input's channels
	outAxis   int                    // of the result's channels
	transpose bool                   // the operation's weights are [cols][rows]
}

// readLinear reads a layer that can be quantized, or says why it cannot.
func readLinear(n *ir.Node) (l *weightedLayer, left string) {
	w := analysis.ConstantOf(n.Args[1])
	if left := unfitLinear(n, w); left != "" {
		return nil, left
	}
	l = &weightedLayer{inAxis: 1, outAxis: 1}
	l.rows, l.cols = w.Type.Shape[0], ir.Type{Shape: w.Type.Shape[1:]}.Elems()
	l.cin = func(_, col int) int { return col }
	alpha, beta := 1.0, 1.0
	switch n.Op {
	case ir.Conv:
		taps := ir.Type{Shape: w.Type.Shape[2:]}.Elems()
		per, rowsPer := w.Type.Shape[1], l.rows/n.Int("groups")
		l.cin = func(row, col int) int { return row/rowsPer*per + col/taps }
	case ir.Gemm:
		alpha, beta, l.transpose = n.Float("alpha"), n.Float("beta"), !n.Bool("trans_b")
	case ir.MatMul:
		l.transpose = true
		l.inAxis, l.outAxis = n.In(0).Rank()-1, n.In(0).Rank()-1
	}
	if l.transpose {
		l.rows, l.cols = l.cols, l.rows
	}
	l.w = make([]float64, w.Len())
	for i := range l.w {
		at := i
		if l.transpose {
			at = i%l.cols*l.rows + i/l.cols
		}
		l.w[i] = alpha * w.Float(at)
	}
	if left := l.readBias(n, beta); left != "" {
		return nil, left
	}
	return l, ""
}

// unfitLinear says why a layer with weights w, nil when they are no constant, cannot
// be quantized; "" when it can.
func unfitLinear(n *ir.Node, w *ir.Tensor) string {
	bias := n.Arg(2)
	switch {
	case w == nil:
		return "its weights are no constant"
	case n.In(0).DType != ir.F32:
		return fmt.Sprintf("its input is %s, expected f32", n.In(0).DType)
	case w.Len() == 0 || n.Result().Type.Elems() == 0:
		return "it has no elements"
	case !stored(n.Args[1]) || fewBits(n, w):
		return "its weights are binary or of few bits already"
	case !analysis.Finite32(w):
		return "its weights are not finite"
	case bias != nil && (ir.ConstOf(bias) == nil || !analysis.Finite32(ir.ConstOf(bias))):
		return "its bias is no finite constant"
	case n.Is(ir.Gemm) && n.Bool("trans_a"):
		return "its input is transposed"
	case n.Is(ir.MatMul) && (w.Type.Rank() != 2 || n.In(0).Rank() < 2):
		return fmt.Sprintf("it multiplies %s by %s, expected a matrix of weights", n.In(0), w.Type)
	}
	return ""
}

// stored reports whether a value is a constant, perhaps with its elements in other
// places, and not computed from one as hard weights are from latent ones.
func stored(v *ir.Value) bool {
	d := ir.Def(v)
	for d != nil && !d.Is(ir.Const) && d.Op.Kind == ir.Moves && len(d.Args) > 0 {
		d = ir.Def(d.Args[0])
	}
	return d.Is(ir.Const)
}

// readBias reads what a layer adds, times beta, or says why it cannot.
func (l *weightedLayer) readBias(n *ir.Node, beta float64) (left string) {
	l.bias = make([]float64, l.rows)
	b := ir.ConstOf(n.Arg(2))
	if b == nil {
		return ""
	}
	shape := n.Result().Type.Shape
	if n.Is(ir.Conv) {
		shape = []int{1, l.rows}
	}
	axis, values, ok := analysis.AlongAxis(b, shape)
	if !ok || len(values) > 1 && axis != 1 {
		return fmt.Sprintf("its bias is %s, expected one number for every channel", b.Type)
	}
	for r := range l.bias {
		l.bias[r] = beta * values[min(r, len(values)-1)]
	}
	return ""
}

// fewBits reports whether a layer's weights are on a grid. One weight an output
// channel always is, and says nothing.
func fewBits(n *ir.Node, w *ir.Tensor) bool {
	if rows := n.Result().Type.Shape[1]; n.Is(ir.Conv) && w.Len() == rows {
		return false
	}
	if n.Is(ir.MatMul) || n.Is(ir.Gemm) && !n.Bool("trans_b") {
		if w.Type.Rank() != 2 {
			return false
		}
		w = analysis.Transpose2D(w)
	}
	return analysis.RecoverWeights(w) != nil && w.Len() > w.Type.Shape[0]
}

// layerQuantizer is the state of the pass.
type layerQuantizer struct {
	*analysis.Wholes
	c      *passes.Context
	bits   int
	layers map[*ir.Node]*weightedLayer // to be done
	inputs map[*ir.Node]*ir.Value      // the source's first operand of every node
	ranges map[*ir.Value]*activationRange
	folded map[*ir.Node]int              // norms and biases that went into a layer, and the operand that carries it
	cache  map[*ir.Value]*analysis.Whole // the quantized form of a value
	means  map[*ir.Node]bool             // looked at already
}

func (q *layerQuantizer) rule(rw *passes.Rewriter, n *ir.Node) []*ir.Value {
	if i, ok := q.folded[n]; ok {
		return n.Args[i : i+1]
	}
	if averages(n) {
		return q.mean(rw, n)
	}
	l := q.layers[n]
	if l == nil {
		return nil
	}
	delete(q.layers, n)
	entry := report.Quantization{Layer: n.LayerName(), Op: n.Op.Name}
	in, from, err := q.input(rw, n, l)
	if err != nil {
		rw.Err = err
		return nil
	}
	q.foldTail(rw, n, l)
	x := in.K
	attrs := n.Attrs
	if n.Is(ir.Conv) {
		if in.Offset != nil {
			x, attrs = padWithMeans(rw, n, in)
		}
	}
	y := q.layer(rw, n, l, in, x, attrs, &entry)
	entry.Input = from
	recordQuantized(q.c, entry)
	return []*ir.Value{y}
}

// input returns what the layer n reads as whole numbers of few bits, and says
// where their range comes from.
func (q *layerQuantizer) input(rw *passes.Rewriter, n *ir.Node, l *weightedLayer) (*analysis.Whole, string, error) {
	x := n.Args[0]
	w := q.Of(x)
	if w != nil && w.Bytes() && (max(len(w.Scale), len(w.Offset)) == 1 || w.Axis == l.inAxis) && (w.Offset == nil || !n.Is(ir.Conv) || paddable(n, w)) {
		if w.Sums {
			w = q.narrowed(rw, w)
		}
		return w, fmt.Sprintf("%d to %d, as the model has it", w.Lo, w.Hi), nil
	}
	r := q.ranges[q.inputs[n]]
	if r == nil {
		return nil, "", fmt.Errorf("layer %q: the range of its input is not known; give calibration clips (--clips), or a u8 input (--input NAME=u8)", n.LayerName())
	}
	w = q.quantizer(rw, x, w, r)
	return w, fmt.Sprintf("%d to %d times %.4g, the range %.4g to %.4g of the clips", w.Lo, w.Hi, w.Scale[0], r.lo, r.hi), nil
}

// narrowed brings sums that fit a byte to one, which changes no value: the layer
// that gives them ends there.
func (q *layerQuantizer) narrowed(rw *passes.Rewriter, w *analysis.Whole) *analysis.Whole {
	if done := q.cache[w.K]; done != nil {
		return done
	}
	d := ir.U8
	if w.Lo < 0 {
		d = ir.I8
	}
	out := *w
	out.Sums = false
	out.K = rw.Op(ir.Cast, map[string]any{"to": "f32"}, rw.Op(ir.QuantizeLinear, nil, w.K, rw.Scalar(1), rw.Const(ir.Scalar(d, 0))))
	q.cache[w.K] = &out
	return &out
}

// quantizer appends the quantization of x, of which w is known, and returns its
// result.
func (q *layerQuantizer) quantizer(rw *passes.Rewriter, x *ir.Value, w *analysis.Whole, r *activationRange) *analysis.Whole {
	if done := q.cache[x]; done != nil {
		return done
	}
	out := &analysis.Whole{Lo: 0, Hi: int64(1)<<q.bits - 1}
	d, most := ir.U8, r.hi
	if r.lo < 0 && (w == nil || !w.ReLU) {
		out.Hi = int64(1)<<(q.bits-1) - 1
		out.Lo = -out.Hi
		d, most = ir.I8, max(-r.lo, r.hi)
	}
	scale := float64(float32(most / float64(out.Hi)))
	if !(scale > 0) || math.IsInf(scale, 0) {
		scale = 1
	}
	out.Scale = []float64{scale}
	writeQuantizer(rw, x, w, d, out)
	q.cache[x] = out
	return out
}

// writeQuantizer appends the rounding of x, of which w is known if it is not nil, to
// out's scale and limits, by way of type d, and sets out.k.
func writeQuantizer(rw *passes.Rewriter, x *ir.Value, w *analysis.Whole, d ir.DType, out *analysis.Whole) {
	axis, scales := 1, out.Scale
	if w != nil && w.Proportional() {
		// A ReLU is the saturation at 0 of what is not negative.
		x, axis = w.K, w.Axis
		scales = analysis.Zip(out.Scale, w.Scale, func(a, b float64) float64 { return a / b })
		if w.ReLU && out.Lo < 0 {
			x = rw.Op(ir.Relu, nil, x)
		}
	}
	s := channelNumbers(rw, scales)
	zero := rw.Const(ir.IntTensor(d, make([]int64, len(scales)), s.Type.Shape...))
	v := rw.Op(ir.QuantizeLinear, map[string]any{"axis": axis}, x, s, zero)
	if lo, hi := d.Range(); lo != out.Lo || hi != out.Hi {
		v = rw.Op(ir.Clip, nil, v, rw.Const(ir.Scalar(d, float64(out.Lo))), rw.Const(ir.Scalar(d, float64(out.Hi))))
	}
	out.K = rw.Op(ir.Cast, map[string]any{"to": "f32"}, v)
}

// channelNumbers is a constant of one scale, or of a list.
func channelNumbers(rw *passes.Rewriter, v []float64) *ir.Value {
	f := make([]float32, len(v))
	for i := range f {
		f[i] = float32(v[i])
	}
	if len(f) == 1 {
		return rw.Const(ir.FloatTensor(f))
	}
	return rw.Const(ir.FloatTensor(f, len(f)))
}

// foldTail takes the norms, factors and biases behind a layer, each the only
// reader of the one before it, into its weights and bias.
func (q *layerQuantizer) foldTail(rw *passes.Rewriter, n *ir.Node, l *weightedLayer) {
	v := n.Result()
	for rw.Once(v) && rw.Readers(v)[0] != nil {
		r := rw.Readers(v)[0]
		scale, offset, carries := tailAffine(r, v, l.outAxis)
		if scale == nil {
			return
		}
		for o := range l.rows {
			s := scale[min(o, len(scale)-1)]
			for k := range l.cols {
				l.w[o*l.cols+k] *= s
			}
			l.bias[o] = l.bias[o]*s + offset[min(o, len(offset)-1)]
		}
		q.folded[r] = carries
		v = r.Result()
	}
}

// tailAffine reads a node as v times scale plus offset for every index on axis;
// scale is nil when it is not of that form.
func tailAffine(n *ir.Node, v *ir.Value, axis int) (scale, offset []float64, carries int) {
	if f, ok := analysis.NormAffine(n); ok && axis == 1 && n.Args[0] == v {
		return f.Scale, f.Offset, 0
	}
	switch n.Op {
	case ir.Add, ir.Sub, ir.Mul, ir.Div:
	default:
		return nil, nil, 0
	}
	carries = slices.Index(n.Args, v)
	c := ir.ConstOf(n.Args[1-carries])
	if c == nil || carries == 1 && (n.Is(ir.Sub) || n.Is(ir.Div)) || !ir.SameShape(v.Type.Shape, n.Result().Type.Shape) {
		return nil, nil, 0
	}
	a, values, ok := analysis.AlongAxis(c, v.Type.Shape)
	if !ok || len(values) > 1 && a != axis || n.Is(ir.Div) && slices.Contains(values, 0) {
		return nil, nil, 0
	}
	switch n.Op {
	case ir.Mul:
		return values, []float64{0}, carries
	case ir.Div:
		return analysis.Zip([]float64{1}, values, func(a, b float64) float64 { return a / b }), []float64{0}, carries
	case ir.Sub:
		return []float64{1}, analysis.Zip([]float64{0}, values, func(a, b float64) float64 { return a - b }), carries
	}
	return []float64{1}, values, carries
}

// zeros returns the k of every channel that stands for 0: what padding is.
func zeros(w *analysis.Whole) []float64 {
	return analysis.Zip(w.Offset, w.Scale, func(o, s float64) float64 { return math.Round(-o / s) })
}

// paddable reports whether a convolution needs no padding, or 0 lies within
// the range of its input, so that a whole number stands for it.
func paddable(n *ir.Node, w *analysis.Whole) bool {
	if !slices.ContainsFunc(n.Ints("pad"), func(p int) bool { return p != 0 }) {
		return true
	}
	for _, z := range zeros(w) {
		if z < float64(w.Lo) || z > float64(w.Hi) {
			return false
		}
	}
	return true
}

// padWithMeans pads k with the number that stands for 0 in every channel, in
// place of the convolution's own padding.
func padWithMeans(rw *passes.Rewriter, n *ir.Node, w *analysis.Whole) (*ir.Value, map[string]any) {
	attrs := analysis.ConvAttrs(n)
	pad := n.Ints("pad")
	if !slices.ContainsFunc(pad, func(p int) bool { return p != 0 }) {
		return w.K, attrs
	}
	delete(attrs, "pad")
	half := len(pad) / 2
	pads := append([]int{0, 0}, pad[:half]...)
	pads = append(append(pads, 0, 0), pad[half:]...)
	padded := func(k *ir.Value, z float64) *ir.Value {
		return rw.Op(ir.Pad, map[string]any{"pads": pads}, k, rw.Const(ir.Scalar(ir.F32, z)))
	}
	z := zeros(w)
	if same := slices.Compact(slices.Clone(z)); len(same) == 1 {
		return padded(w.K, z[0]), attrs
	}
	parts := make([]*ir.Value, len(z))
	for c := range z {
		parts[c] = padded(rw.Op(ir.Slice, map[string]any{"starts": []int{c}, "ends": []int{c + 1}, "axes": []int{1}}, w.K), z[c])
	}
	return rw.Op(ir.Concat, map[string]any{"axis": 1}, parts...), attrs
}

// exactSum bounds the sums of a quantized layer, so that float32 holds every
// partial sum exactly, in any order; products and biases have their shares of it.
const (
	exactSum     = analysis.ExactFloat - 1
	mostProducts = exactSum / 4 * 3
	mostBias     = exactSum / 4
)

// layer appends the layer in whole numbers and the factor behind it.
func (q *layerQuantizer) layer(rw *passes.Rewriter, n *ir.Node, l *weightedLayer, in *analysis.Whole, x *ir.Value, attrs map[string]any, entry *report.Quantization) *ir.Value {
	w := ir.NewTensor(n.In(1))
	scales, bias := make([]float64, l.rows), make([]float32, l.rows)
	most := float64(int64(1)<<(q.bits-1) - 1)
	reach := float64(max(-in.Lo, in.Hi))
	var lost, total float64
	bound, biased := 0.0, false
	for r := range l.rows {
		row := make([]float32, l.cols)
		largest := 0.0
		for k := range row {
			row[k] = float32(l.w[r*l.cols+k] * in.Scale[min(l.cin(r, k), len(in.Scale)-1)])
			largest = max(largest, math.Abs(float64(row[k])))
		}
		s := float32(largest / most)
		if s == 0 {
			s = 1
		}
		var sum float64
		for {
			levels := 0.0
			b := l.bias[r]
			for k, v := range row {
				g := gridLevel(v, s, most)
				levels += math.Abs(g)
				if in.Offset != nil {
					c := l.cin(r, k)
					b += g * float64(s) * in.Offset[min(c, len(in.Offset)-1)] / in.Scale[min(c, len(in.Scale)-1)]
				}
			}
			whole := math.RoundToEven(b/float64(s)) + 0 // no -0
			sum = levels*reach + math.Abs(whole)
			over := max(levels*reach/mostProducts, math.Abs(whole)/mostBias)
			if over <= 1 {
				bias[r] = float32(whole)
				break
			}
			s *= float32(min(max(1.01, over), 1e6)) // a coarser grid
		}
		bound = max(bound, sum)
		biased = biased || bias[r] != 0
		scales[r] = float64(s)
		for k, v := range row {
			e := float64(v) - gridLevel(v, s, most)*float64(s)
			lost, total = lost+e*e, total+float64(v)*float64(v)
			at := r*l.cols + k
			if l.transpose {
				at = k*l.rows + r
			}
			w.Floats()[at] = v
		}
	}
	if entry.Weights = fmt.Sprintf("%d-bit", q.bits); total > 0 {
		entry.Error = math.Sqrt(lost / total)
	}
	wk := gridWeights(rw, w, scales, l.transpose, most)
	var k *ir.Value
	switch {
	case n.Is(ir.MatMul):
		if k = rw.Op(ir.MatMul, nil, x, wk); biased {
			k = rw.Op(ir.Add, nil, k, rw.Const(ir.FloatTensor(bias, l.rows)))
		}
	default:
		args := []*ir.Value{x, wk}
		if biased {
			args = append(args, rw.Const(ir.FloatTensor(bias, l.rows)))
		}
		if n.Is(ir.Gemm) {
			attrs = map[string]any{"trans_b": !l.transpose}
		}
		k = rw.Op(n.Op, attrs, args...)
	}
	y := &analysis.Whole{K: k, Axis: l.outAxis, Scale: scales, Lo: -int64(bound), Hi: int64(bound), Sums: true}
	return q.scaled(rw, y)
}

// gridLevel is the level of v on the grid of scale s, as quantize_linear and
// clip compute it.
func gridLevel(v, s float32, most float64) float64 {
	return min(max(math.RoundToEven(float64(v/s)), -most), most)
}

// gridWeights is a latent constant rounded to the grid of every output channel:
// whole numbers of at most the given magnitude.
func gridWeights(rw *passes.Rewriter, latent *ir.Tensor, scales []float64, transpose bool, most float64) *ir.Value {
	axis := 0
	if transpose {
		axis = 1
	}
	f := make([]float32, len(scales))
	for i := range f {
		f[i] = float32(scales[i])
	}
	zero := rw.Const(ir.IntTensor(ir.I8, make([]int64, len(f)), len(f)))
	v := rw.Op(ir.QuantizeLinear, map[string]any{"axis": axis}, rw.Const(latent), rw.Const(ir.FloatTensor(f, len(f))), zero)
	v = rw.Op(ir.Clip, nil, v, rw.Const(ir.Scalar(ir.I8, -most)), rw.Const(ir.Scalar(ir.I8, most)))
	return rw.Op(ir.Cast, map[string]any{"to": "f32"}, v)
}

// scaled appends k times its scale and remembers what the product is.
func (q *layerQuantizer) scaled(rw *passes.Rewriter, w *analysis.Whole) *ir.Value {
	s := make([]float32, len(w.Scale))
	for i := range s {
		s[i] = float32(w.Scale[i])
	}
	shape := []int{}
	if len(s) > 1 {
		for range w.K.Type.Rank() {
			shape = append(shape, 1)
		}
		shape[w.Axis] = len(s)
	}
	y := rw.Op(ir.Mul, nil, w.K, rw.Const(ir.FloatTensor(s, shape...)))
	q.Known[y] = w
	return y
}

// mean makes the mean behind a quantized layer one of few-bit integers.
func (q *layerQuantizer) mean(rw *passes.Rewriter, n *ir.Node) []*ir.Value {
	if q.means[n] {
		return nil
	}
	q.means[n] = true
	w := q.Of(n.Args[0])
	if w == nil || !w.Sums || w.Offset != nil || n.In(0).Elems() == 0 {
		return nil
	}
	count := int64(n.In(0).Elems() / n.Result().Type.Elems())
	r := q.ranges[q.inputs[n]]
	switch {
	case r == nil:
		q.c.Note("the mean %q behind a quantized layer stays float: the range of its input is not known without calibration clips", n.LayerName())
		return nil
	case count<<q.bits >= exactSum:
		q.c.Note("the mean %q behind a quantized layer stays float: the sum of %d numbers of %d bits is not exact in float32", n.LayerName(), count, q.bits)
		return nil
	}
	in := q.quantizer(rw, n.Args[0], w, r)
	attrs := map[string]any{"axes": n.Attrs["axes"], "keepdims": n.Attrs["keepdims"]}
	if n.Is(ir.GlobalAveragePool) {
		axes := []int{}
		for a := 2; a < n.In(0).Rank(); a++ {
			axes = append(axes, a)
		}
		attrs = map[string]any{"axes": axes}
	}
	for a, v := range attrs {
		if v == nil {
			delete(attrs, a)
		}
	}
	sum := &analysis.Whole{K: rw.Op(ir.ReduceSum, attrs, in.K), Scale: []float64{in.Scale[0] / float64(count)}, Lo: in.Lo * count, Hi: in.Hi * count, Sums: true}
	return []*ir.Value{q.scaled(rw, sum)}
}
