package lossy

import (
	"fmt"
	"slices"

	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/passes"
	"github.com/billnet/billnet/passes/analysis"
	"github.com/billnet/billnet/passes/report"
)

// InsertMuxOr is the pass insert-mux-or.
var InsertMuxOr = &passes.Pass{
	Name: "insert-mux-or",
	Doc: "Residual sums become gates of BILLNET's MUX-OR block: y = mux(s, f, max(f, x)), f the block and x the shortcut, with one select a channel, s = mean(x) > t over time and space (TGAP). " +
		"On bits that is f OR (s AND x). Both operands get a ReLU where they have none, in place of the one behind the sum, so that the gate is sound on floats and exact logic once binarize has made them bits: run this pass before it. " +
		"The thresholds t let the asked share of channels through on the calibration clips; binarize sets them anew for bits, so that as many clips pass in every channel.",
	Class: passes.Lossy,
	Options: []passes.Option{
		{Name: "wiring", Kind: passes.OptWord, Words: []string{"mux-or", "or", "mux"}, Default: "mux-or", Doc: "f OR (s AND x), f OR x without select, or s ? x : f"},
		{Name: "select", Kind: passes.OptRatio, Default: 0.5, Doc: "share of channels that a select lets through, over the clips; without clips every threshold is 0.5"},
		{Name: "axes", Kind: passes.OptWord, Words: []string{"thw", "hw"}, Default: "thw", Doc: "the mean of a select is over time and space, or over space for every frame by itself, which streams"},
		{Name: "blocks", Kind: passes.OptNames, Doc: "only these: a sum, or where there is none the convolution or activation that closes a block; its shortcut is the nearest activation before it. * stands for any letters"},
	},
	After: []string{"fold-constants", "factorize-conv3d"},
	Run: func(c *passes.Context, m *ir.Module) error {
		if len(passes.RecordsOf[report.Binarization](c.Records)) > 0 {
			return fmt.Errorf("the network is binarized already, and a residual's operands are no activations any more; put insert-mux-or before binarize")
		}
		g := &gater{c: c, wiring: c.Word("wiring"), share: c.Ratio("select"), hw: c.Word("axes") == "hw"}
		f := m.Main()
		g.uses = f.Uses()
		if err := g.find(f); err != nil {
			return err
		}
		if len(g.gates) == 0 && len(passes.RecordsOf[report.Gating](c.Records)) == 0 {
			c.Note("insert-mux-or finds no residual sum; blocks=[...] names blocks to put a gate around")
		}
		selects, err := g.rewrite(f)
		if err != nil {
			return err
		}
		if err := g.setThresholds(f, selects); err != nil {
			return err
		}
		for _, r := range g.reports {
			c.Record(r)
			c.Note("%s", r.String())
		}
		return nil
	},
}

// gater is the state of the pass.
type gater struct {
	c       *passes.Context
	wiring  string
	share   float64
	hw      bool
	uses    map[*ir.Value][]*ir.Node
	gates   []*residual
	reports []*report.Gating
}

// residual is a sum, or the end of a block without one, that becomes a gate.
type residual struct {
	at   *ir.Node  // whose result the gate's takes the place of: the sum, the activation behind it, or the block's end
	f, x *ir.Value // the block and the shortcut
	name string
}

// left reports a residual that stays.
func (g *gater) left(n *ir.Node, format string, args ...any) {
	g.reports = append(g.reports, &report.Gating{Layer: n.LayerName(), Left: fmt.Sprintf(format, args...)})
}

// find lists the residuals.
func (g *gater) find(f *ir.Func) error {
	var named []*ir.Node
	depth := layersAbove(f)
	for _, n := range f.Nodes {
		if _, ok := activation(n, g.uses); ok || n.Is(ir.Conv) || isResidual(n) {
			named = append(named, n)
		}
	}
	patterns := g.c.Names("blocks")
	chosen, err := passes.NamedNodes("blocks", patterns, "sum, convolution or activation", named)
	if err != nil {
		return err
	}
	done := map[*ir.Node]bool{}
	for _, n := range named {
		if len(patterns) > 0 && !chosen[n] || len(patterns) == 0 && !isResidual(n) {
			continue
		}
		end := g.end(n)
		if done[end] {
			continue
		}
		done[end] = true
		var r *residual
		if isResidual(end) {
			r = g.sum(end, depth)
		} else {
			r = g.block(end, n)
		}
		if r != nil {
			g.gates = append(g.gates, r)
		}
	}
	return nil
}

// isResidual reports whether a node adds two values of the network.
func isResidual(n *ir.Node) bool {
	if !n.Is(ir.Add) && !n.Is(ir.Sum) || len(n.Args) != 2 || n.Result().Type.DType != ir.F32 || n.Result().Type.Rank() < 3 {
		return false
	}
	return analysis.ConstantOf(n.Args[0]) == nil && analysis.ConstantOf(n.Args[1]) == nil
}

// isGate reports whether a sum is a multiplexer's, s*b + (1-s)*a, or one of bits:
// a network that is binary has its gates.
func isGate(n *ir.Node) bool {
	for _, v := range n.Args {
		d := ir.Def(v)
		if d.Is(ir.Mul) && slices.ContainsFunc(d.Args, func(a *ir.Value) bool { return ir.Def(a).Is(ir.Sub) && ir.IsSplat(ir.Def(a).Args[0], 1) }) {
			return true
		}
	}
	return isBinaryMap(n.Args[0]) && isBinaryMap(n.Args[1])
}

// isBinaryMap reports whether a value is what a comparison gave, pooled, moved
// or gated.
func isBinaryMap(v *ir.Value) bool {
	d := ir.Def(v)
	switch {
	case d == nil || len(d.Args) == 0:
		return false
	case d.Is(ir.Cast), d.Is(ir.Where):
		return d.In(0).DType == ir.Bool
	case d.Is(ir.Sign):
		return true
	case d.Is(ir.MaxPool), analysis.MovesElements(d):
		return isBinaryMap(d.Args[0])
	case d.Is(ir.Max), d.Is(ir.Min), d.Is(ir.Mul):
		return !slices.ContainsFunc(d.Args, func(a *ir.Value) bool { return !isBinaryMap(a) })
	}
	return false
}

// layersAbove counts, for every value, the layers on the longest way to it.
func layersAbove(f *ir.Func) map[*ir.Value]int {
	depth := map[*ir.Value]int{}
	for _, n := range f.Nodes {
		d := 0
		for _, a := range n.Args {
			d = max(d, depth[a])
		}
		if isLayer(n) {
			d++
		}
		for _, r := range n.Results {
			depth[r] = d
		}
	}
	return depth
}

// sum makes a residual of a sum. The block is the operand with more layers
// above it; the activation that alone reads the sum goes to the operands.
func (g *gater) sum(n *ir.Node, depth map[*ir.Value]int) *residual {
	r := &residual{at: n, f: n.Args[0], x: n.Args[1], name: n.LayerName()}
	if depth[r.x] > depth[r.f] {
		r.f, r.x = r.x, r.f
	}
	switch {
	case isGate(n):
		g.left(n, "it is a gate already")
		return nil
	case !ir.SameShape(r.f.Type.Shape, r.x.Type.Shape):
		g.left(n, "it adds %s and %s, expected equal shapes", r.f.Type, r.x.Type)
		return nil
	case r.f == r.x:
		g.left(n, "it adds a value to itself")
		return nil
	case depth[r.x] == 0:
		g.left(n, "its shortcut is the model's input, no activation")
		return nil
	}
	if readers := g.uses[n.Result()]; len(readers) == 1 && readers[0] != nil {
		if at, ok := activation(readers[0], g.uses); ok && at.point == 0 && readers[0].Args[at.operand] == n.Result() {
			r.at = readers[0]
		}
	}
	return r
}

// end goes from a named node to the end of its block: the sum that an activation
// reads, the activation behind a convolution and its norm, or the last of these
// where there is no activation.
func (g *gater) end(n *ir.Node) *ir.Node {
	if isResidual(n) {
		return n
	}
	if at, ok := activation(n, g.uses); ok {
		if d := ir.Def(n.Args[at.operand]); d != nil && isResidual(d) {
			return d
		}
		return n
	}
	for isAffine(n) {
		readers := g.uses[n.Result()]
		if len(readers) != 1 || readers[0] == nil {
			break
		}
		if isResidual(readers[0]) {
			return readers[0]
		}
		_, acts := activation(readers[0], g.uses)
		if !acts && (!isAffine(readers[0]) || isLayer(readers[0])) {
			break
		}
		n = readers[0]
	}
	return n
}

// block makes a residual around the block that a node ends.
func (g *gater) block(last, n *ir.Node) *residual {
	r := &residual{at: last, f: last.Result(), name: n.LayerName()}
	v := r.f
	if !isAffine(last) {
		at, _ := activation(last, g.uses)
		v = last.Args[at.operand]
	}
	layers := 0
	for d := ir.Def(v); isAffine(d); d = ir.Def(v) {
		if isLayer(d) {
			layers++
		}
		v = d.Args[carried(d)]
	}
	switch {
	case layers == 0:
		g.left(n, "no convolution ends there")
	case isInput(v):
		g.left(n, "its block reads the model's input, no activation")
	case !ir.SameShape(v.Type.Shape, r.f.Type.Shape):
		g.left(n, "its block turns %s into %s, and a shortcut needs equal shapes", v.Type, r.f.Type)
	default:
		r.x = v
		return r
	}
	return nil
}

// isInput reports whether a value is the model's input, cast at most.
func isInput(v *ir.Value) bool {
	return ir.Def(v) == nil || ir.Def(v).Is(ir.Cast) && isInput(ir.Def(v).Args[0])
}

// isAffine reports whether a node is a convolution, a norm, or arithmetic with a
// constant.
func isAffine(n *ir.Node) bool {
	switch {
	case n == nil:
		return false
	case n.Is(ir.Conv), n.Is(ir.BatchNorm):
		return true
	case n.Is(ir.Add), n.Is(ir.Sub), n.Is(ir.Mul), n.Is(ir.Div):
		return analysis.Carrier(n, n.Result().Type.Shape) >= 0
	}
	return false
}

// carried is the operand through which an affine node goes on.
func carried(n *ir.Node) int {
	if n.Is(ir.Conv) || n.Is(ir.BatchNorm) {
		return 0
	}
	return analysis.Carrier(n, n.Result().Type.Shape)
}

// rewrite puts the gates in, and returns the differences mean - t of their
// selects with the reports that they belong to.
func (g *gater) rewrite(f *ir.Func) (map[*ir.Node]*report.Gating, error) {
	w := &gateWriter{gater: g, Builder: ir.Builder{F: &ir.Func{}}, now: map[*ir.Value]*ir.Value{}, selects: map[*ir.Node]*report.Gating{}}
	at := map[*ir.Node]*residual{}
	for _, r := range g.gates {
		at[r.at] = r
	}
	w.findActive(f)
	for _, n := range f.Nodes {
		w.node(n, at[n])
		if w.Err != nil {
			return nil, fmt.Errorf("%s (%s): %w", n.Loc, n.Op.Name, w.Err)
		}
	}
	for i, r := range f.Results {
		f.Results[i].Value = w.current(r.Value)
	}
	f.Nodes = w.F.Nodes
	f.RemoveDead()
	return w.selects, nil
}

// gateWriter writes a function anew with gates in place of residuals.
type gateWriter struct {
	*gater
	ir.Builder
	active  map[*ir.Value]bool      // is an activation, or will be a gate
	rectify map[*ir.Value]bool      // gets a ReLU where it is made
	now     map[*ir.Value]*ir.Value // what stands for values that changed
	selects map[*ir.Node]*report.Gating
}

// findActive fills active and rectify: a shortcut without activation gets one where
// it is made, so that the block reads the same map.
func (w *gateWriter) findActive(f *ir.Func) {
	gated := map[*ir.Value]bool{}
	for _, r := range w.gates {
		gated[r.at.Result()] = true
	}
	w.active, w.rectify = map[*ir.Value]bool{}, map[*ir.Value]bool{}
	for _, n := range f.Nodes {
		for _, v := range n.Results {
			w.active[v] = gated[v] || w.isActive(n, w.active)
		}
	}
	for _, r := range w.gates {
		w.rectify[r.x] = !w.active[r.x]
	}
}

// current is what stands for a value.
func (w *gateWriter) current(v *ir.Value) *ir.Value {
	if c := w.now[v]; c != nil {
		return c
	}
	return v
}

// node writes one node, and the gate of the residual that it is, if it is one: in
// place of a sum, behind what closes a block.
func (w *gateWriter) node(n *ir.Node, r *residual) {
	for i, a := range n.Args {
		n.Args[i] = w.current(a)
	}
	w.Loc = n.Loc
	if r == nil || r.at.Result() == r.f {
		w.F.Nodes = append(w.F.Nodes, n)
	}
	if r != nil {
		w.now[n.Result()] = w.gateOf(n, r)
	}
	for _, v := range n.Results {
		if w.rectify[v] && w.Err == nil {
			w.now[v] = w.Op(ir.Relu, nil, w.current(v))
		}
	}
}

// gateOf writes a residual's gate.
func (w *gateWriter) gateOf(n *ir.Node, r *residual) *ir.Value {
	f := w.current(r.f)
	if rises := w.active[r.f] || w.rectify[r.f]; !rises || r.f == n.Result() && !w.isActive(n, w.active) {
		f = w.Op(ir.Relu, nil, f)
	}
	entry := &report.Gating{Layer: r.name, Wiring: w.wiring, Shortcut: "?"}
	if d := ir.Def(r.x); d != nil {
		entry.Shortcut = fmt.Sprintf("%q", d.LayerName())
	}
	y, sel := w.gate(&w.Builder, f, w.current(r.x))
	if sel != nil {
		w.selects[sel] = entry
	}
	w.reports = append(w.reports, entry)
	return y
}

// isActive reports whether a node's results are an activation's, pooled, moved,
// joined or multiplied: never negative, and bits once activations are.
func (g *gater) isActive(n *ir.Node, active map[*ir.Value]bool) bool {
	if at, ok := activation(n, g.uses); ok {
		return at.point == 0 && !n.Is(ir.Tanh) && !n.Is(ir.LeakyRelu) && !n.Is(ir.PRelu) && !n.Is(ir.Elu) && !n.Is(ir.HardSwish) && !n.Is(ir.Mul) || n.Is(ir.Sigmoid) || n.Is(ir.HardSigmoid)
	}
	all := func() bool {
		return !slices.ContainsFunc(n.Args, func(a *ir.Value) bool { return !active[a] })
	}
	switch {
	case analysis.MovesElements(n), n.Is(ir.MaxPool):
		return active[n.Args[0]]
	case n.Is(ir.Concat), n.Is(ir.Max), n.Is(ir.Min), n.Is(ir.Mul):
		return all()
	}
	return false
}

// gate appends the gate of a block's map f and its shortcut x, in the form in
// which the exact passes know it, with thresholds 0.5.
func (g *gater) gate(b *ir.Builder, f, x *ir.Value) (y *ir.Value, sel *ir.Node) {
	or := func() *ir.Value { return b.Op(ir.Max, nil, f, x) }
	if g.wiring == "or" {
		return or(), nil
	}
	rank := x.Type.Rank()
	var axes []int
	for a := 2; a < rank; a++ {
		if a > 2 || !g.hw || rank < 5 {
			axes = append(axes, a)
		}
	}
	shape := make([]int, rank)
	for i := range shape {
		shape[i] = 1
	}
	shape[1] = x.Type.Shape[1]
	t := ir.NewTensor(ir.T(ir.F32, shape...))
	for i := range t.Floats() {
		t.Floats()[i] = 0.5
	}
	mean := b.Op(ir.ReduceMean, map[string]any{"axes": axes}, x)
	sel = b.Node(ir.Sub, nil, mean, b.Const(t))
	if sel == nil {
		return nil, nil
	}
	s := b.Op(ir.Cast, map[string]any{"to": "f32"}, b.Op(ir.Greater, nil, sel.Result(), b.Const(ir.Scalar(ir.F32, 0))))
	open := x
	if g.wiring == "mux-or" {
		open = or()
	}
	closed := b.Op(ir.Mul, nil, b.Op(ir.Sub, nil, b.Const(ir.Scalar(ir.F32, 1)), s), f)
	return b.Op(ir.Add, nil, b.Op(ir.Mul, nil, s, open), closed), sel
}

// setThresholds goes through the network on all clips at once and gives every
// select the thresholds that let the asked share through: in every channel so
// many of the means lie below that over all channels the share comes out, also
// with a single clip.
func (g *gater) setThresholds(f *ir.Func, selects map[*ir.Node]*report.Gating) error {
	if len(selects) == 0 {
		return nil
	}
	if !g.c.Calibrated() {
		g.c.Note("insert-mux-or has no calibration clips: every select has the threshold 0.5, which fits means of bits; give clips (--clips)")
		return nil
	}
	return lockstep(g.c, f, func(n *ir.Node, in [][]*ir.Tensor) {
		entry := selects[n]
		if entry == nil {
			return
		}
		t := ir.NewTensor(ir.ConstOf(n.Args[1]).Type)
		lists := ranked(in[0], 1)
		cuts, gap := make([]float64, len(lists)), gapOf(lists)
		for c, list := range lists {
			below := (1-g.share)*float64(len(list)) + (float64(c)+0.5)/float64(len(lists))
			cuts[c] = cutAbove(list, int(below), gap)
			t.Floats()[c] = float32(cuts[c])
		}
		n.Args[1].Def.Const = t
		entry.Through = share(in[0], 1, cuts)
	})
}
