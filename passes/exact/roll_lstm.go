package exact

import (
	"math"
	"slices"

	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/passes"
	"github.com/billnet/billnet/passes/analysis"
)

// RollLSTM is the pass roll-lstm.
var RollLSTM = &passes.Pass{
	Name: "roll-lstm",
	Doc: "Recognises the hand-written binary LSTM that exporters unroll over its time steps, with hard gates and a batch norm inside, " +
		"and rolls it back into one bin_lstm in the same float32 arithmetic.",
	Class: passes.Exact,
	After: []string{"binary-activations", "merge-equal"},
	Run: passes.EachFunc(func(c *passes.Context, f *ir.Func) error {
		for {
			steps := longestLSTM(f)
			if steps == nil {
				return nil
			}
			if err := rollSteps(f, steps); err != nil {
				return err
			}
			c.Note("%d unrolled LSTM steps were rolled back into one recurrent layer", len(steps))
		}
	}),
}

// lstmStep is one unrolled time step: z = BN(x*wi + h*wh), gates, cell, output.
type lstmStep struct {
	node         *ir.Node // defines h
	seq          *ir.Value
	axis, t      int // x is seq's element t on axis
	wi, wh       *ir.Tensor
	hPrev, cPrev *ir.Value  // values, or
	hProduct     *ir.Tensor // the constant product h*wh of a first step that was folded
	norm         *ir.Node
	gates        [4][2]int // rows of z, from and to: i, f, o, g
	strict       [4]int
	sign0        int
	h, c         *ir.Value
}

// longestLSTM returns the steps of an unrolled LSTM in order, or nil.
func longestLSTM(f *ir.Func) []*lstmStep {
	byH := map[*ir.Value]*lstmStep{}
	var order []*lstmStep
	for _, n := range f.Nodes {
		if s := matchLSTMStep(n); s != nil {
			byH[s.h] = s
			order = append(order, s)
		}
	}
	var best []*lstmStep
	for _, last := range order {
		chain := []*lstmStep{last}
		for s := last; ; {
			prev := byH[s.hPrev]
			if prev == nil || prev.c != s.cPrev || !sameCell(prev, s) || prev.t != s.t-1 {
				break
			}
			chain = append(chain, prev)
			s = prev
		}
		slices.Reverse(chain)
		first := chain[0]
		if first.t == 0 && ir.ConstOf(first.cPrev) != nil && initialH(first, last.wh) != nil && last.t == last.seq.Type.Shape[last.axis]-1 && len(chain) > len(best) {
			best = chain
		}
	}
	return best
}

// sameCell reports whether two steps apply the same cell to the same sequence.
func sameCell(a, b *lstmStep) bool {
	if a.seq != b.seq || a.axis != b.axis || a.gates != b.gates || a.strict != b.strict || a.sign0 != b.sign0 || !a.wi.Equal(b.wi) {
		return false
	}
	if a.wh != nil && b.wh != nil && !a.wh.Equal(b.wh) {
		return false
	}
	for i := 1; i < 5; i++ {
		if !ir.ConstOf(a.norm.Args[i]).Equal(ir.ConstOf(b.norm.Args[i])) {
			return false
		}
	}
	return a.norm.Float("epsilon") == b.norm.Float("epsilon")
}

// initialH returns the first step's h, a constant. Where its product with the
// recurrent weights wh, those of the steps behind it, was folded into a constant,
// it is the h that has this product; nil when there is none.
func initialH(s *lstmStep, wh *ir.Tensor) *ir.Tensor {
	if s.hProduct == nil {
		return ir.ConstOf(s.hPrev)
	}
	if v, ok := s.hProduct.Splat(); ok && v == 0 {
		return ir.NewTensor(ir.T(ir.F32, s.h.Type.Shape...))
	}
	if wh == nil || !ir.SameShape(s.hProduct.Type.Shape, []int{s.h.Type.Shape[0], wh.Type.Shape[0]}) {
		return nil
	}
	h := solveRows(wh, s.hProduct)
	n, err := ir.NewNode(ir.MatMul, []*ir.Value{{Type: h.Type}, {Type: ir.T(ir.F32, wh.Type.Shape[1], wh.Type.Shape[0])}}, nil, s.node.Loc)
	if err != nil {
		return nil
	}
	if p, err := ir.EvalNode(n, []*ir.Tensor{h, analysis.Transpose2D(wh)}); err != nil || !p[0].Equal(s.hProduct) {
		return nil
	}
	return h
}

// solveRows finds h [B,K] with h*w' = p for weights w [R,K] and p [B,R], by
// elimination; unknowns that nothing determines are 0. The solution is rounded
// to whole numbers where it is close to them.
func solveRows(w, p *ir.Tensor) *ir.Tensor {
	r, k, b := w.Type.Shape[0], w.Type.Shape[1], p.Type.Shape[0]
	m := make([][]float64, r) // rows of w, then those of p'
	for i := range m {
		m[i] = make([]float64, k+b)
		for j := range k {
			m[i][j] = float64(w.Float32(i*k + j))
		}
		for j := range b {
			m[i][k+j] = float64(p.Float32(j*r + i))
		}
	}
	h := ir.NewTensor(ir.T(ir.F32, b, k))
	row := 0
	pivots := make([]int, 0, k) // the column that every row determines
	for col := 0; col < k && row < r; col++ {
		best := row
		for i := row; i < r; i++ {
			if math.Abs(m[i][col]) > math.Abs(m[best][col]) {
				best = i
			}
		}
		if math.Abs(m[best][col]) < 1e-9 {
			continue
		}
		m[row], m[best] = m[best], m[row]
		for i := range m {
			if i == row || m[i][col] == 0 {
				continue
			}
			f := m[i][col] / m[row][col]
			for j := col; j < k+b; j++ {
				m[i][j] -= f * m[row][j]
			}
		}
		pivots = append(pivots, col)
		row++
	}
	for i, col := range pivots {
		for j := range b {
			x := m[i][k+j] / m[i][col]
			if n := math.Round(x); math.Abs(x-n) < 1e-6 {
				x = n
			}
			h.Floats()[j*k+col] = float32(x)
		}
	}
	return h
}

// matchLSTMStep matches h = o*sign(c) and everything behind it.
func matchLSTMStep(n *ir.Node) *lstmStep {
	if n.Op != ir.Mul || n.Result().Type.Rank() != 2 {
		return nil
	}
	for i := range 2 {
		o := gateOf(n.Args[i])
		c, sign0, ok := signOf(n.Args[1-i])
		if o == nil || !ok || o.signed {
			continue
		}
		s := &lstmStep{node: n, h: n.Result(), c: c, sign0: sign0}
		if s.matchCell(o) {
			return s
		}
	}
	return nil
}

// gate is a step over rows from..to of z.
type gate struct {
	z        *ir.Value
	from, to int
	strict   int
	signed   bool
}

// gateOf matches to_float(step(rows of z)).
func gateOf(v *ir.Value) *gate {
	st := ir.Def(ir.Unwrap(v, ir.ToFloat))
	if !st.Is(ir.Step) || st.Bool("nan") {
		return nil
	}
	g := &gate{signed: st.Bool("signed")}
	if st.Bool("strict") {
		g.strict = 1
	}
	rows := st.Args[0]
	d := ir.Def(rows)
	switch {
	case d.Is(ir.Slice) && d.In(0).Rank() == 2 && len(d.Ints("starts")) == 1 && slices.Equal(d.Ints("axes"), []int{1}) && (len(d.Ints("steps")) == 0 || d.Ints("steps")[0] == 1):
		g.z, g.from = d.Args[0], d.Ints("starts")[0]
		if g.from < 0 {
			g.from += d.In(0).Shape[1]
		}
	case d.Is(ir.Split) && d.In(0).Rank() == 2:
		if a, err := ir.Axis(d.Int("axis"), 2); err != nil || a != 1 {
			return nil
		}
		g.z = d.Args[0]
		for _, r := range d.Results[:rows.Index] {
			g.from += r.Type.Shape[1]
		}
	default:
		return nil
	}
	g.to = g.from + rows.Type.Shape[1]
	return g
}

// signOf matches sign(c), or a signed step of c, whose sign of 0 is +1 or -1.
func signOf(v *ir.Value) (c *ir.Value, sign0 int, ok bool) {
	if x := ir.Unwrap(v, ir.Sign); x != nil {
		return x, 0, true
	}
	if st := ir.Def(ir.Unwrap(v, ir.ToFloat)); st.Is(ir.Step) && st.Bool("signed") {
		if st.Bool("strict") {
			return st.Args[0], -1, true
		}
		return st.Args[0], 1, true
	}
	return nil, 0, false
}

// matchCell matches c = f*cPrev + i*g and z behind all four gates.
func (s *lstmStep) matchCell(o *gate) bool {
	add := ir.Def(s.c)
	if !add.Is(ir.Add) {
		return false
	}
	for k := range 2 {
		keep, write := ir.Def(add.Args[k]), ir.Def(add.Args[1-k])
		if !write.Is(ir.Mul) {
			continue
		}
		for j := range 2 {
			i, g := gateOf(write.Args[j]), gateOf(write.Args[1-j])
			if i == nil || g == nil || i.signed || !g.signed {
				continue
			}
			f, cPrev := s.forget(keep)
			if f == nil || f.z != o.z || i.z != o.z || g.z != o.z {
				continue
			}
			s.cPrev = cPrev
			hidden := s.h.Type.Shape[1]
			for q, gt := range []*gate{i, f, o, g} {
				s.gates[q] = [2]int{gt.from, gt.to}
				s.strict[q] = gt.strict
				if gt.to-gt.from != hidden {
					return false
				}
			}
			return s.matchSum(o.z)
		}
	}
	return false
}

// forget matches f*cPrev.
func (s *lstmStep) forget(n *ir.Node) (*gate, *ir.Value) {
	if !n.Is(ir.Mul) {
		return nil, nil
	}
	for k := range 2 {
		if g := gateOf(n.Args[k]); g != nil && !g.signed {
			return g, n.Args[1-k]
		}
	}
	return nil, nil
}

// matchSum matches z = BN(x*wi' + h*wh').
func (s *lstmStep) matchSum(z *ir.Value) bool {
	s.norm = ir.Def(z)
	if !s.norm.Is(ir.BatchNorm) || z.Type.Shape[1] != 4*s.h.Type.Shape[1] {
		return false
	}
	for i := 1; i < 5; i++ {
		if p := ir.ConstOf(s.norm.Args[i]); p == nil || !analysis.Finite32(p) {
			return false
		}
	}
	sum := ir.Def(s.norm.Args[0])
	if !sum.Is(ir.Add) {
		return false
	}
	for k := range 2 {
		x, wi := product(sum.Args[k])
		h, wh := product(sum.Args[1-k])
		seq, axis, t, ok := element(x)
		if !ok || wi == nil {
			continue
		}
		s.seq, s.axis, s.t, s.wi, s.wh, s.hPrev = seq, axis, t, wi, wh, h
		if h == nil {
			if s.hProduct = ir.ConstOf(sum.Args[1-k]); s.hProduct == nil {
				continue
			}
		}
		return true
	}
	return false
}

// product matches a matrix product with constant weights, returned as [O,K].
func product(v *ir.Value) (x *ir.Value, w *ir.Tensor) {
	d := ir.Def(v)
	if !d.Is(ir.MatMul) && !d.Is(ir.Gemm) {
		return nil, nil
	}
	t := ir.ConstOf(d.Args[1])
	if t == nil || t.Type.Rank() != 2 || t.Type.DType != ir.F32 || d.In(0).Rank() != 2 {
		return nil, nil
	}
	if d.Is(ir.Gemm) {
		if d.Float("alpha") != 1 || d.Bool("trans_a") || d.Arg(2) != nil {
			return nil, nil
		}
		if d.Bool("trans_b") {
			return d.Args[0], t
		}
	}
	return d.Args[0], analysis.Transpose2D(t)
}

// element matches a gather of one element of a sequence along axis 0 or 1.
func element(v *ir.Value) (seq *ir.Value, axis, t int, ok bool) {
	d := ir.Def(v)
	if !d.Is(ir.Gather) || d.In(0).Rank() != 3 {
		return nil, 0, 0, false
	}
	idx := ir.ConstOf(d.Args[1])
	axis, err := ir.Axis(d.Int("axis"), 3)
	if idx == nil || idx.Len() != 1 || idx.Type.Rank() != 0 || err != nil || axis > 1 {
		return nil, 0, 0, false
	}
	t = int(idx.Int(0))
	if t < 0 {
		t += d.In(0).Shape[axis]
	}
	return d.Args[0], axis, t, true
}

// rollSteps replaces the steps by one bin_lstm before the first of them.
func rollSteps(f *ir.Func, steps []*lstmStep) error {
	first, last := steps[0], steps[len(steps)-1]
	wh := last.wh
	if wh == nil {
		wh = ir.NewTensor(ir.T(ir.F32, 4*first.h.Type.Shape[1], first.h.Type.Shape[1]))
		for i := range wh.Floats() {
			wh.Floats()[i] = 1 // never multiplied by anything but the zero state
		}
	}
	out := &ir.Func{}
	b := &ir.Builder{F: out, Loc: last.node.Loc}
	perm := func(t *ir.Tensor) *ir.Value { return b.Const(permuteRows(t, first.gates)) }
	x := first.seq
	if first.axis == 0 {
		x = b.Op(ir.Transpose, map[string]any{"perm": []int{1, 0, 2}}, x)
	}
	args := []*ir.Value{x, perm(first.wi), perm(wh)}
	for i := 1; i < 5; i++ {
		args = append(args, perm(ir.ConstOf(first.norm.Args[i])))
	}
	args = append(args, b.Const(initialH(first, last.wh)), stretch(b, ir.ConstOf(first.cPrev), first.c.Type.Shape))
	cell := b.Node(ir.BinLSTM, map[string]any{"epsilon": first.norm.Float("epsilon"), "strict": first.strict[:], "sign0": first.sign0}, args...)
	if b.Err != nil {
		return b.Err
	}
	repl := map[*ir.Value]*ir.Value{last.h: cell.Results[1], last.c: cell.Results[2]}
	uses := f.Uses()
	for t, s := range steps[:len(steps)-1] {
		if readOutside(uses[s.h], steps[t+1]) {
			repl[s.h] = b.Op(ir.Gather, map[string]any{"axis": 1}, cell.Results[0], b.Const(ir.IntTensor(ir.I64, []int64{int64(t)})))
		}
	}
	at := slices.IndexFunc(f.Nodes, func(n *ir.Node) bool { return n == first.seq.Def }) + 1
	f.Nodes = slices.Insert(f.Nodes, at, out.Nodes...)
	f.Replace(repl)
	f.RemoveDead()
	return b.Err
}

// stretch is a constant in the shape that a product or sum stretches it to.
func stretch(b *ir.Builder, t *ir.Tensor, shape []int) *ir.Value {
	v := b.Const(t)
	if ir.SameShape(t.Type.Shape, shape) {
		return v
	}
	n := b.Node(ir.Expand, map[string]any{"shape": shape}, v)
	if b.Err != nil {
		return v
	}
	out, err := ir.EvalNode(n, []*ir.Tensor{t})
	if err != nil {
		b.Err = err
		return v
	}
	return b.Const(out[0])
}

// readOutside reports whether h is read by anything but the next step's product.
func readOutside(readers []*ir.Node, next *lstmStep) bool {
	for _, n := range readers {
		if n == nil || !slices.Contains(ir.Def(next.norm.Args[0]).Args, n.Result()) {
			return true
		}
	}
	return false
}

// permuteRows reorders the rows (axis 0) of a weight or vector into i, f, o, g.
func permuteRows(t *ir.Tensor, gates [4][2]int) *ir.Tensor {
	out := ir.NewTensor(t.Type)
	row := t.Len() / t.Type.Shape[0]
	at := 0
	for _, g := range gates {
		at += copy(out.Floats()[at:], t.Floats()[g[0]*row:g[1]*row])
	}
	return out
}
