package lossy

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/passes"
	"github.com/billnet/billnet/passes/analysis"
	"github.com/billnet/billnet/passes/hardcell"
	"github.com/billnet/billnet/passes/report"
)

// QuantizeLSTM is the pass quantize-lstm.
var QuantizeLSTM = &passes.Pass{
	Name: "quantize-lstm",
	Doc: "Float LSTM and GRU layers get binary or ternary weights, hard gates and an integer cell, written step by step: sigmoid becomes the Heaviside step or a few levels, tanh the sign, " +
		"and h is -1, 0 or 1. A norm inside the cell gives every gate the mean and spread that it had; a gate that would hardly ever change is drawn toward its threshold. " +
		"Its statistics are those of the calibration clips or, without clips, of the weights.",
	Class: passes.Lossy,
	Options: []passes.Option{
		{Name: "layers", Kind: passes.OptNames, Doc: "only these layers; * stands for any letters"},
		{Name: "weights", Kind: passes.OptWord, Words: []string{"binary", "ternary"}, Default: "binary", Doc: "-1 and +1, or also 0"},
		{Name: "gates", Kind: passes.OptCount, Default: 1, Doc: "bits of every gate, 1 to 8; an LSTM's output gate keeps one, so that h is -1, 0 or 1"},
		{Name: "cell", Kind: passes.OptCount, Default: 8, Doc: "bits of the cell, 2 to 16; it saturates"},
	},
	After: []string{"fold-constants"},
	Run: func(c *passes.Context, m *ir.Module) error {
		gates, cell := c.Int("gates"), c.Int("cell")
		switch {
		case gates > 8:
			return passes.BadOption("gates", "found %d, expected 1 to 8", gates)
		case cell < 2 || cell > 16:
			return passes.BadOption("cell", "found %d, expected 2 to 16", cell)
		case gates > 1 && cell < 4:
			return passes.BadOption("cell", "found %d, expected at least 4 for gates of %d bits", cell, gates)
		}
		chosen, err := passes.SelectLayers(c, m, "LSTM or GRU", func(n *ir.Node) bool { return n.Is(ir.LSTM) || n.Is(ir.GRU) || n.Is(ir.RNN) || n.Is(ir.QuantLSTMCell) })
		if err != nil {
			return err
		}
		if len(chosen) == 0 {
			c.Note("quantize-lstm finds no LSTM or GRU%s", writtenOut(m.Main()))
		}
		// One layer after the other: a later one is calibrated on what the
		// quantized ones before it give.
		for _, n := range chosen {
			r := report.Quantization{Layer: n.LayerName(), Op: n.Op.Name}
			l, left := readRecurrent(n)
			if l == nil {
				r.Left = left
				recordQuantized(c, r)
				continue
			}
			l.bits, l.cellBits, l.ternary = gates, cell, c.Word("weights") == "ternary"
			if err := l.calibrate(c, m, &r); err != nil {
				return err
			}
			for _, f := range m.Funcs {
				err := c.Rewrite(f, func(rw *passes.Rewriter, node *ir.Node) []*ir.Value {
					if node != n {
						return nil
					}
					return l.write(rw, &r)
				})
				if err != nil {
					return err
				}
			}
			recordQuantized(c, r)
		}
		return nil
	},
}

// writtenOut says which layers look like a recurrent one that is written out step by
// step, with the same weights in each.
func writtenOut(f *ir.Func) string {
	first, count := map[*ir.Node]*ir.Node{}, map[*ir.Node]int{}
	var shared *ir.Node
	for _, n := range f.Nodes {
		if !n.Is(ir.MatMul) && !n.Is(ir.Gemm) {
			continue
		}
		w := latentOf(n.Args[1])
		if w == nil {
			continue
		}
		if count[w]++; count[w] == 1 {
			first[w] = n
		} else if shared == nil {
			shared = w
		}
	}
	if shared == nil {
		return ""
	}
	return fmt.Sprintf(": layer %q and %d others share their weights, as in one that is written out step by step, which is no such operation", first[shared].LayerName(), count[shared]-1)
}

// recurrentLayer is a float LSTM or GRU.
type recurrentLayer struct {
	node                *ir.Node
	gru, linear, layout bool // layout: batch first
	steps, batch        int
	in, hidden          int
	dirs                []*recurrentDirection

	bits, cellBits int
	ternary        bool
	m              int // units of the cell, for all directions
	input          *layerInput
}

// recurrentDirection has the weights of one direction; rows are the gates
// i f o g, or u r g.
type recurrentDirection struct {
	reverse bool
	w, r    [][]float64 // the source's
	b, rb   []float64   // its biases, of the input and the recurrent side
	bw, br  [][]float64 // -1, 0 and 1
	h0, c0  [][]float64 // of every sequence
	norm    gateNorm
}

// gateOrder lists where the source keeps the gates that hardCell wants.
var gateOrder = map[*ir.Op][]int{ir.LSTM: {0, 2, 1, 3}, ir.GRU: {0, 1, 2}}

// readRecurrent reads a layer that can be quantized, or says why it cannot.
func readRecurrent(n *ir.Node) (l *recurrentLayer, left string) {
	if left := unfitRecurrent(n); left != "" {
		return nil, left
	}
	x, w, r := n.In(0), analysis.ConstantOf(n.Args[1]), analysis.ConstantOf(n.Args[2])
	if w == nil || r == nil || !analysis.Finite32(w) || !analysis.Finite32(r) {
		return nil, "its weights are no finite constants"
	}
	l = &recurrentLayer{node: n, gru: n.Is(ir.GRU), layout: n.Int("layout") == 1, in: x.Shape[2], hidden: r.Type.Shape[2], steps: x.Shape[0], batch: x.Shape[1]}
	if l.layout {
		l.steps, l.batch = l.batch, l.steps
	}
	l.linear = l.gru && n.Bool("linear_before_reset")
	if l.hidden == 0 || l.in == 0 || l.batch == 0 || l.steps == 0 {
		return nil, "it has no elements"
	}
	if left := ownLengths(n, l.steps); left != "" {
		return nil, left
	}
	source := &recurrentWeights{w: w, r: r}
	for i, t := range map[int]**ir.Tensor{3: &source.b, 5: &source.h0, 6: &source.c0} {
		if n.Arg(i) == nil {
			continue
		}
		if *t = analysis.ConstantOf(n.Args[i]); *t == nil || !analysis.Finite32(*t) {
			return nil, fmt.Sprintf("its operand %s is no finite constant", n.Op.Operands[i].Name)
		}
	}
	for d := range w.Type.Shape[0] {
		l.dirs = append(l.dirs, l.direction(source, d))
	}
	return l, ""
}

// unfitRecurrent says what a layer has that hard gates do not; "" when nothing.
func unfitRecurrent(n *ir.Node) string {
	switch {
	case !n.Is(ir.LSTM) && !n.Is(ir.GRU):
		return fmt.Sprintf("%s is no LSTM or GRU in float", n.Op.Name)
	case n.In(0).DType != ir.F32:
		return fmt.Sprintf("its input is %s, expected f32", n.In(0).DType)
	case n.Is(ir.LSTM) && n.Arg(7) != nil:
		return "it has peephole weights: a gate that sees the cell is no product of bits"
	case n.Is(ir.LSTM) && n.Bool("input_forget"):
		return "its forget gate is 1 - i (input_forget)"
	}
	per := 2 // activations a direction
	if n.Is(ir.LSTM) {
		per = 3
	}
	for i, a := range n.Strs("activations") {
		name, want := strings.ToLower(a), []string{"tanh"}
		if i%per == 0 {
			want = []string{"sigmoid", "hardsigmoid"}
		}
		if !slices.Contains(want, name) {
			return fmt.Sprintf("its activation %d is %s, expected Sigmoid or HardSigmoid for gates and Tanh for the others", i+1, a)
		}
	}
	return ""
}

// ownLengths says that sequences have lengths of their own; "" when they have not.
func ownLengths(n *ir.Node, steps int) string {
	lens := n.Arg(4)
	if lens == nil {
		return ""
	}
	t := analysis.ConstantOf(lens)
	if t == nil {
		return "the lengths of its sequences (lens) are no constant"
	}
	if v, ok := t.Splat(); !ok || int(v) != steps {
		return fmt.Sprintf("its sequences have lengths of their own (lens), expected %d steps for all", steps)
	}
	return ""
}

// recurrentWeights are the constants of a source's layer; what it leaves out is nil.
type recurrentWeights struct{ w, r, b, h0, c0 *ir.Tensor }

// direction reads direction d.
func (l *recurrentLayer) direction(s *recurrentWeights, d int) *recurrentDirection {
	order, dirs := gateOrder[l.node.Op], s.w.Type.Shape[0]
	dir := &recurrentDirection{reverse: l.node.Str("direction") == "reverse" || d == 1}
	rows := len(order) * l.hidden
	for _, g := range order {
		for j := range l.hidden {
			row := g*l.hidden + j
			dir.w = append(dir.w, floatRow(s.w, (d*rows+row)*l.in, l.in))
			dir.r = append(dir.r, floatRow(s.r, (d*rows+row)*l.hidden, l.hidden))
			dir.b = append(dir.b, floatRow(s.b, 2*d*rows+row, 1)...)
			dir.rb = append(dir.rb, floatRow(s.b, (2*d+1)*rows+row, 1)...)
		}
	}
	for q := range l.batch {
		at := (d*l.batch + q) * l.hidden
		if l.layout {
			at = (q*dirs + d) * l.hidden
		}
		dir.h0 = append(dir.h0, floatRow(s.h0, at, l.hidden))
		dir.c0 = append(dir.c0, floatRow(s.c0, at, l.hidden))
	}
	return dir
}

// floatRow returns n elements from an offset; zeros when there is no tensor.
func floatRow(t *ir.Tensor, at, n int) []float64 {
	row := make([]float64, n)
	for i := range row {
		if t != nil {
			row[i] = t.Float(at + i)
		}
	}
	return row
}

// ternaryShare times the mean magnitude of a row is where its weights become 0.
const ternaryShare = 0.7

// harden sets the binary or ternary weights of a direction.
func (d *recurrentDirection) harden(ternary bool) {
	hard := func(rows [][]float64) [][]float64 {
		out := make([][]float64, len(rows))
		for i, row := range rows {
			out[i] = make([]float64, len(row))
			dead := ternaryShare * meanMagnitude(row)
			for j, v := range row {
				switch {
				case ternary && math.Abs(float64(float32(v))) <= float64(float32(dead)):
				case v >= 0:
					out[i][j] = 1
				default:
					out[i][j] = -1
				}
			}
		}
		return out
	}
	d.bw, d.br = hard(d.w), hard(d.r)
}

func meanMagnitude(row []float64) float64 {
	sum := 0.0
	for _, v := range row {
		sum += math.Abs(v)
	}
	return sum / float64(max(len(row), 1))
}

// hardError is the relative error of hard weights with the best scale of every
// row.
func hardError(rows, hard [][]float64) (lost, total float64) {
	for i, row := range rows {
		var dot, norm float64
		for j, v := range row {
			dot += v * hard[i][j]
			norm += hard[i][j] * hard[i][j]
		}
		scale := 0.0
		if norm > 0 {
			scale = dot / norm
		}
		for j, v := range row {
			e := v - scale*hard[i][j]
			lost, total = lost+e*e, total+v*v
		}
	}
	return lost, total
}

// limit is the largest magnitude of the cell.
func (l *recurrentLayer) limit() int { return 1<<(l.cellBits-1) - 1 }

// write appends the quantized layer and returns its results.
func (l *recurrentLayer) write(rw *passes.Rewriter, r *report.Quantization) []*ir.Value {
	n := l.node
	axis := 0
	if l.layout {
		axis = 1
	}
	used := func(i int) bool { return i < len(n.Results) && len(rw.Readers(n.Results[i])) > 0 }
	var ys, lasts, cells []*ir.Value // of every direction
	lift := func(v *ir.Value, axes ...int) *ir.Value {
		return rw.Op(ir.Unsqueeze, map[string]any{"axes": axes}, v)
	}
	join := func(axis int, parts []*ir.Value) *ir.Value {
		if len(parts) == 1 {
			return parts[0]
		}
		return rw.Op(ir.Concat, map[string]any{"axis": axis}, parts...)
	}
	input := l.input.append(rw, n.Args[0])
	for _, d := range l.dirs {
		x := input
		if d.reverse && l.steps > 1 {
			x = rw.Op(ir.Slice, map[string]any{"starts": []int{-1}, "ends": []int{-l.steps - 1}, "axes": []int{axis}, "steps": []int{-1}}, x)
		}
		w := l.cell(rw, d)
		c0 := d.c0
		if l.gru {
			c0 = d.h0
		}
		hs, c := w.Run(x, axis, stateRows(rw, d.h0, 1, 1), stateRows(rw, c0, float64(l.m), float64(l.limit())))
		if rw.Err != nil {
			return nil
		}
		if used(0) {
			steps := make([]*ir.Value, len(hs))
			for t, h := range hs {
				at := t
				if d.reverse {
					at = len(hs) - 1 - t
				}
				if steps[at] = lift(h, 0, 1); l.layout {
					steps[at] = lift(h, 1, 2)
				}
			}
			ys = append(ys, join(axis, steps))
		}
		state := axis // the axis of directions in a state
		lasts = append(lasts, lift(hs[len(hs)-1], state))
		cells = append(cells, lift(c, state))
	}
	out := make([]*ir.Value, len(n.Results))
	if used(0) {
		out[0] = join(axis+1, ys)
	}
	if used(1) {
		out[1] = join(axis, lasts)
	}
	if used(2) {
		if out[2] = join(axis, cells); l.m > 1 {
			out[2] = rw.Op(ir.Mul, nil, out[2], rw.Scalar(1/float64(l.m)))
		}
	}
	return out
}

// stateRows is an initial state in units of 1/m as a constant [B,H].
func stateRows(rw *passes.Rewriter, rows [][]float64, m, limit float64) *ir.Value {
	t := ir.NewTensor(ir.T(ir.F32, len(rows), len(rows[0])))
	for b, row := range rows {
		for j, v := range row {
			if k := math.RoundToEven(v * m); k != 0 {
				t.Floats()[b*len(row)+j] = float32(min(max(k, -limit), limit))
			}
		}
	}
	return rw.Const(t)
}

// cell is the writer of one direction's steps.
func (l *recurrentLayer) cell(rw *passes.Rewriter, d *recurrentDirection) *hardcell.Cell {
	w := &hardcell.Cell{Builder: &rw.Builder, GRU: l.gru, Linear: l.linear, Gates: l.bits, M: l.m, Hidden: l.hidden, Wide: l.cellBits > 8, Times: l.input.times, Eps: normEpsilon, Sign0: 1, Hard: hardcell.SourceStep(&rw.Builder)}
	if !l.staysInside(d) {
		w.Limit = l.limit()
	}
	if l.gru && l.bits == 1 {
		w.Limit = 1
	}
	latent := func(rows [][]float64) *ir.Value {
		t := ir.NewTensor(ir.T(ir.F32, len(rows), len(rows[0])))
		for i, row := range rows {
			for j, v := range row {
				t.Floats()[i*len(row)+j] = float32(v)
			}
		}
		return rw.Op(ir.Transpose, map[string]any{"perm": []int{1, 0}}, hardWeights(rw, t, l.ternary))
	}
	w.Wi, w.Wh = latent(d.w), latent(d.r)
	w.Norm, w.Grid = d.norm.tensors(), d.norm.grid(w.N(), l.gru, l.hidden)
	return w
}

// staysInside reports whether the cell of a one-bit LSTM cannot leave its
// range: it grows by one a step at most.
func (l *recurrentLayer) staysInside(d *recurrentDirection) bool {
	most := 0.0
	for _, row := range d.c0 {
		for _, v := range row {
			most = max(most, math.Abs(math.RoundToEven(v)))
		}
	}
	return !l.gru && l.bits == 1 && most+float64(l.steps) <= float64(l.limit())
}

// hardWeights is a latent constant [rows, columns] behind the comparison that
// makes it -1 and +1, or also 0 below a threshold of every row.
func hardWeights(rw *passes.Rewriter, latent *ir.Tensor, ternary bool) *ir.Value {
	v := rw.Const(latent)
	if !ternary {
		return rw.Op(ir.Where, nil, rw.Op(ir.GreaterOrEqual, nil, v, rw.Scalar(0)), rw.Scalar(1), rw.Scalar(-1))
	}
	rows, cols := latent.Type.Shape[0], latent.Type.Shape[1]
	dead := ir.NewTensor(ir.T(ir.F32, rows, 1))
	for i := range rows {
		dead.Floats()[i] = float32(ternaryShare * meanMagnitude(floatRow(latent, i*cols, cols)))
	}
	live := rw.Op(ir.Cast, map[string]any{"to": "f32"}, rw.Op(ir.Greater, nil, rw.Op(ir.Abs, nil, v), rw.Const(dead)))
	return rw.Op(ir.Mul, nil, rw.Op(ir.Sign, nil, v), live)
}
