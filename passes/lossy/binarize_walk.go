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

// form says what numbers a value of the binarized network holds.
type form uint8

const (
	formReal  form = iota // any
	formFixed             // constants, and what follows from them alone
	formClip              // the network's input, scaled and shifted at most
	formBits              // 0 and 1
	formSigns             // -1 and +1
	formSums              // of a layer without norm or bias: integers, where the weights are binary
	formMeans             // of bits, signs or sums
	formState             // what a recurrent layer gives
)

func (f form) String() string {
	return [...]string{"float", "a constant", "the model's input", "bits", "signs", "integer sums", "means of bits", "a recurrent layer's state"}[f]
}

func (f form) logic() bool { return f == formBits || f == formSigns }

// integer reports whether the numbers are integers, or quotients of integers by
// one number.
func (f form) integer() bool { return f.logic() || f == formSums || f == formMeans }

// twin is a value of the source and what stands for it in the binarized
// network, both evaluated on the clips.
type twin struct {
	v     *ir.Value    // in the binarized network
	src   []*ir.Tensor // the source's numbers, clip by clip
	now   []*ir.Tensor // the binarized network's; src itself where nothing differs yet
	form  form
	axis  int     // of the channels
	reach float64 // bits, sums, and the sums of means: the largest magnitude
	bits  *twin   // of a value without activation: its bits, once a layer has asked for them
}

// changed reports whether the binarized network may differ from the source here.
func (t *twin) changed() bool {
	return len(t.src) > 0 && len(t.now) > 0 && &t.src[0] != &t.now[0]
}

// binarizer goes through the source once and appends the binarized network.
type binarizer struct {
	ir.Builder
	c     *passes.Context
	plan  *binarizePlan
	clips [][]*ir.Tensor
	now   map[*ir.Value]*twin // by value of the source
	forms map[*ir.Value]form  // by value of the binarized network

	weights   string
	signed    bool
	linear    bool
	lastFloat bool
	cut       string
	ones      float64
}

func (b *binarizer) run(f *ir.Func) error {
	out := &ir.Func{}
	b.F = out
	for i, p := range f.Params {
		t := &twin{v: p.Value, form: formClip, axis: min(1, p.Value.Type.Rank()-1), reach: 1}
		if !p.Value.Type.DType.IsFloat() {
			lo, hi := p.Value.Type.DType.Range()
			t.reach = math.Max(float64(hi), -float64(lo))
		}
		for _, clip := range b.clips {
			t.src = append(t.src, clip[i].Convert(p.Value.Type.DType))
		}
		t.now = t.src
		b.now[p.Value] = t
	}
	last := f.LastUses()
	for i, n := range f.Nodes {
		if err := b.c.Ctx().Err(); err != nil {
			return err
		}
		if err := b.node(n); err != nil {
			return fmt.Errorf("%s (%s): %w", n.Loc, n.Op.Name, err)
		}
		for _, v := range last[i] {
			if v.Def != nil { // a first layer goes back to the parameter itself
				delete(b.now, v)
			}
		}
	}
	f.Nodes = out.Nodes
	for i, r := range f.Results {
		f.Results[i].Value = b.now[r.Value].v
	}
	f.RemoveDead()
	return nil
}

// node appends what stands for one node of the source.
func (b *binarizer) node(n *ir.Node) error {
	b.Loc = n.Loc
	if n.Is(ir.Const) {
		b.F.Nodes = append(b.F.Nodes, n)
		t := &twin{v: n.Result(), form: formFixed, src: b.same(n.Const)}
		t.now = t.src
		b.now[t.v] = t
		return nil
	}
	args := make([]*twin, len(n.Args))
	for i, a := range n.Args {
		if a != nil {
			args[i] = b.now[a]
		}
	}
	src, err := b.eval(n, args, func(t *twin) []*ir.Tensor { return t.src })
	if err != nil {
		return err
	}
	results, err := b.rule(n, args, src)
	if err != nil {
		return err
	}
	if b.Err != nil {
		return b.Err
	}
	for i, t := range results {
		t.src = src[i]
		if !t.changed() {
			t.now = t.src
		}
		if b.wantsBits(n.Results[i], t) {
			t = b.bitsOf(t)
		}
		if b.Err != nil {
			return b.Err
		}
		b.now[n.Results[i]], b.forms[t.v] = t, t.form
	}
	return nil
}

// same is a tensor that does not depend on the clip.
func (b *binarizer) same(t *ir.Tensor) []*ir.Tensor {
	all := make([]*ir.Tensor, len(b.clips))
	for k := range all {
		all[k] = t
	}
	return all
}

// eval computes a node on every clip, with the operands that of picks; results
// first, then clips.
func (b *binarizer) eval(n *ir.Node, args []*twin, of func(*twin) []*ir.Tensor) ([][]*ir.Tensor, error) {
	all := make([][]*ir.Tensor, len(n.Results))
	fixed := allFixed(args)
	for k := range b.clips {
		if fixed && k > 0 {
			for i := range all {
				all[i] = append(all[i], all[i][0])
			}
			continue
		}
		in := make([]*ir.Tensor, len(args))
		for i, a := range args {
			if a != nil {
				in[i] = of(a)[k]
			}
		}
		out, err := ir.EvalNode(n, in)
		if err != nil {
			return nil, fmt.Errorf("on clip %d: %w", k+1, err)
		}
		for i := range all {
			all[i] = append(all[i], out[i])
		}
	}
	return all, nil
}

func allFixed(args []*twin) bool {
	for _, a := range args {
		if a != nil && a.form != formFixed {
			return false
		}
	}
	return true
}

// emit appends a node over twins and evaluates it.
func (b *binarizer) emit(op *ir.Op, attrs map[string]any, args ...*twin) *twin {
	return b.emitAll(op, attrs, args)[0]
}

// emitAll is emit for nodes of several results.
func (b *binarizer) emitAll(op *ir.Op, attrs map[string]any, args []*twin) []*twin {
	vals := make([]*ir.Value, len(args))
	for i, a := range args {
		if a != nil {
			vals[i] = a.v
		}
	}
	n := b.Node(op, attrs, vals...)
	if n == nil {
		return []*twin{{v: &ir.Value{}}}
	}
	now, err := b.eval(n, args, func(t *twin) []*ir.Tensor { return t.now })
	if err != nil {
		b.Err = err
		return []*twin{{v: &ir.Value{}}}
	}
	out := make([]*twin, len(n.Results))
	for i, r := range n.Results {
		out[i] = &twin{v: r, now: now[i], axis: min(1, r.Type.Rank()-1)}
		if allFixed(args) {
			out[i].form = formFixed
		}
	}
	return out
}

// fixed appends a constant.
func (b *binarizer) fixed(t *ir.Tensor) *twin {
	return &twin{v: b.Const(t), now: b.same(t), form: formFixed}
}

// vector appends a constant of one number for every channel.
func (b *binarizer) vector(v []float64) *twin {
	f := make([]float32, len(v))
	for i := range f {
		f[i] = float32(v[i])
	}
	return b.fixed(ir.FloatTensor(f, len(f)))
}

// alongChannels is a constant of one number for every channel, of the shape that
// stretches to x; a scalar when all are equal.
func (b *binarizer) alongChannels(x *twin, v []float64) *ir.Value {
	f := make([]float32, len(v))
	for i := range f {
		f[i] = float32(v[i])
	}
	t := ir.FloatTensor(f, len(f))
	if s, ok := t.Splat(); ok {
		return b.Const(ir.Scalar(ir.F32, s))
	}
	shape := make([]int, x.v.Type.Rank())
	for i := range shape {
		shape[i] = 1
	}
	shape[x.axis] = len(f)
	return b.Const(t.Reshape(shape...))
}

// rule returns what stands for the results of a node. A twin without numbers of
// its own has those of the source.
func (b *binarizer) rule(n *ir.Node, args []*twin, src [][]*ir.Tensor) ([]*twin, error) {
	one := func(t *twin) []*twin { return []*twin{t} }
	if l := b.plan.layers[n]; l != nil {
		return b.layer(n, l, args, src)
	}
	if at, ok := b.plan.steps[n]; ok {
		return one(b.activate(n, args[at.operand], at.point)), nil
	}
	if len(args) > 0 && args[0] != nil && args[0].changed() {
		switch {
		case n.Is(ir.BatchNorm):
			if t := b.recalibrate(n, args[0], src[0]); t != nil {
				return one(t), nil
			}
		case b.plan.selects[n] && b.c.Calibrated():
			return one(b.selects(args[0], src[0])), nil
		case args[0].form.integer():
			if t := b.poolOfIntegers(n, args[0]); t != nil {
				return one(t), nil
			}
		}
	}
	out := b.other(n, n.Attrs, args)
	if isResidual(n) && out[0].form == formReal && out[0].now != nil {
		recordBinarized(b.c, report.Binarization{Layer: n.LayerName(), Op: n.Op.Name, Left: "a residual sum is no logic; insert-mux-or in front of binarize makes it a gate"})
	}
	return out, nil
}

// other appends a node that stays what it is, but for the attributes where its
// operands differ.
func (b *binarizer) other(n *ir.Node, attrs map[string]any, args []*twin) []*twin {
	same := len(args) == len(n.Args)
	for i, a := range args {
		same = same && (a == nil || a.v == n.Args[i] && !a.changed())
	}
	var out []*twin
	if same {
		b.F.Nodes = append(b.F.Nodes, n)
		for _, r := range n.Results {
			out = append(out, &twin{v: r})
		}
	} else {
		out = b.emitAll(n.Op, attrs, args)
	}
	for _, t := range out {
		t.form, t.axis, t.reach = b.formOf(n, args), axisOf(n, t.v.Type.Rank(), args), reachOf(args)
		if t.form == formMeans && !analysis.MovesElements(n) { // integers over their number
			t.reach *= float64(n.In(0).Elems() / max(n.Result().Type.Elems(), 1))
		}
	}
	return out
}

// formOf says what a node gives that stays what it is.
func (b *binarizer) formOf(n *ir.Node, args []*twin) form {
	if allFixed(args) {
		return formFixed
	}
	first := formReal
	if len(args) > 0 && args[0] != nil {
		first = args[0].form
	}
	if analysis.MovesElements(n) {
		return first
	}
	switch n.Op {
	case ir.MaxPool, ir.ReduceMax, ir.GlobalMaxPool:
		return first
	case ir.Concat, ir.Max, ir.Min:
		if allAre(args, first) {
			return first
		}
	case ir.Pad:
		if first == formBits && padsWithZeros(n) {
			return first
		}
	case ir.ReduceMean, ir.GlobalAveragePool, ir.AveragePool:
		if first.logic() || first == formSums {
			return formMeans
		}
	case ir.Mul, ir.Add, ir.Sub, ir.Div, ir.BatchNorm:
		return b.arithmeticForm(n, args)
	case ir.Cast:
		if n.In(0).DType == ir.Bool {
			return formBits
		}
		if first == formClip {
			return first
		}
	case ir.Where:
		return choiceForm(n, args)
	case ir.Sign:
		return formSigns
	}
	return formReal
}

func allAre(args []*twin, f form) bool {
	return !slices.ContainsFunc(args, func(a *twin) bool { return a != nil && a.form != f })
}

func padsWithZeros(n *ir.Node) bool {
	mode, _ := n.Attrs["mode"].(string)
	return (mode == "" || mode == "constant") && (n.Arg(1) == nil || ir.IsSplat(n.Args[1], 0))
}

// arithmeticForm: products of bits and of signs are bits and signs, 1 - b is a bit,
// and of a multiplexer's form is what it chooses from; the model's input stays that.
func (b *binarizer) arithmeticForm(n *ir.Node, args []*twin) form {
	switch {
	case n.Is(ir.Mul) && (allAre(args, formBits) || allAre(args, formSigns)):
		return args[0].form
	case n.Is(ir.Sub) && ir.IsSplat(n.Args[0], 1) && args[1].form == formBits:
		return formBits
	}
	if n.Is(ir.Add) {
		if f := b.muxForm(args); f != formReal {
			return f
		}
	}
	return clipForm(args)
}

// choiceForm: a choice between values of one form, or between the numbers of a bit
// or a sign.
func choiceForm(n *ir.Node, args []*twin) form {
	if n.In(0).DType != ir.Bool {
		return formReal
	}
	if a, b := args[1].form, args[2].form; a == b && a.logic() {
		return a
	}
	chooses := func(p, q float64) bool {
		return ir.IsSplat(n.Args[1], p) && ir.IsSplat(n.Args[2], q) || ir.IsSplat(n.Args[1], q) && ir.IsSplat(n.Args[2], p)
	}
	switch {
	case chooses(0, 1):
		return formBits
	case chooses(-1, 1):
		return formSigns
	}
	return formReal
}

// clipForm: the model's input, scaled and shifted by constants, is still that.
func clipForm(args []*twin) form {
	clip := formReal
	for _, a := range args {
		switch a.form {
		case formClip:
			clip = formClip
		case formFixed:
		default:
			return formReal
		}
	}
	return clip
}

// muxForm recognises s*b + (1-s)*a, the multiplexer, where s is bits and a and b
// are bits or signs.
func (b *binarizer) muxForm(args []*twin) form {
	p, q := ir.Def(args[0].v), ir.Def(args[1].v)
	if !p.Is(ir.Mul) || !q.Is(ir.Mul) {
		return formReal
	}
	for range 2 {
		for i := range 4 {
			s, x, not, y := p.Args[i/2], p.Args[1-i/2], ir.Def(q.Args[i%2]), q.Args[1-i%2]
			if not.Is(ir.Sub) && ir.IsSplat(not.Args[0], 1) && not.Args[1] == s && b.forms[s] == formBits && b.forms[x] == b.forms[y] && b.forms[x].logic() {
				return b.forms[x]
			}
		}
		p, q = q, p
	}
	return formReal
}

// axisOf follows the channels through a node to a result of a rank.
func axisOf(n *ir.Node, rank int, args []*twin) int {
	at := min(1, rank-1)
	if len(args) == 0 || args[0] == nil || args[0].form == formFixed {
		for _, a := range args {
			if a != nil && a.form != formFixed && a.v.Type.Rank() == rank {
				return a.axis
			}
		}
		return at
	}
	x := args[0]
	switch n.Op {
	case ir.Transpose:
		for i, p := range analysis.PermOf(n) {
			if p == x.axis {
				return i
			}
		}
	case ir.Squeeze, ir.Unsqueeze, ir.Reshape, ir.ReduceMean, ir.ReduceMax, ir.Gather:
		if rank == x.v.Type.Rank() {
			return x.axis
		}
		// The first axis of the channels' size, if the axes before it stayed.
		for i, d := range n.Result().Type.Shape {
			if d == x.v.Type.Shape[x.axis] && i <= x.axis+1 && i >= min(1, rank-1) {
				return i
			}
		}
	default:
		if rank == x.v.Type.Rank() {
			return x.axis
		}
	}
	return at
}

func reachOf(args []*twin) float64 {
	reach := 0.0
	for _, a := range args {
		if a != nil {
			reach = math.Max(reach, a.reach)
		}
	}
	return reach
}
