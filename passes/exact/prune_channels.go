package exact

import (
	"slices"
	"strconv"
	"strings"

	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/passes"
	"github.com/billnet/billnet/passes/analysis"
	"github.com/billnet/billnet/passes/report"
)

// PruneChannels is the pass prune-channels.
var PruneChannels = &passes.Pass{
	Name: "prune-channels",
	Doc: "Channels that are constant (a threshold outside its accumulator's range, such as that of a norm with scale 0) or that no layer reads (weights 0) disappear from the layers that make them. " +
		"A constant that is not 0 moves into the thresholds of the layers that read it, T' = T - sum of its weights; it stays where padding would make its share depend on the position, or where " +
		"something else than thresholds reads the sum. Groups stay regular: a group goes as a whole, or all lose equally many channels.",
	Class: passes.Exact,
	Needs: BinaryActivations,
	Options: []passes.Option{
		{Name: "gain", Kind: passes.OptWord, Words: []string{"planes", "any"}, Default: "planes", Doc: "planes: of bits, only where a plane of 8 channels fewer is left, which is what kernels save; any: every channel that can go"},
	},
	After: []string{"fuse-bn-threshold"},
	Run: passes.EachFunc(func(c *passes.Context, f *ir.Func) error {
		for range passes.MaxSweeps { // a channel that goes may be the last reader of another
			p := &pruner{c: c, f: f, any: c.Word("gain") == "any"}
			p.findWebs()
			if len(p.webs) == 0 || !p.choose() {
				return nil
			}
			if err := p.apply(); err != nil {
				return err
			}
		}
		return nil
	}),
}

// pruner removes channels from one function.
type pruner struct {
	c     *passes.Context
	f     *ir.Func
	any   bool
	uses  map[*ir.Value][]*ir.Node
	fixed map[*ir.Value][]fixedValue // by channel, for values with channels on axis 1
	webs  []*channelWeb
	webOf map[*ir.Value]*channelWeb
}

// fixedValue is what is known of all elements of a channel.
type fixedValue struct {
	known bool
	v     int64
}

// channelWeb is a set of values with the same channels: what operations join
// channel by channel (thresholds, gates, pools, counts). A channel goes from all
// of them or from none.
type channelWeb struct {
	channels int
	barred   bool // something reads or makes it that needs every channel
	readers  []reader
	drop     []bool
	into     *channelWeb // the web that it became part of
}

// reader is a linear layer that reads a value of the web.
type reader struct {
	n *ir.Node
	x *ir.Value
}

func (w *channelWeb) root() *channelWeb {
	for w.into != nil {
		w = w.into
	}
	return w
}

// inPlanes reports whether the layers that read the web read bits.
func (w *channelWeb) inPlanes() bool {
	return !slices.ContainsFunc(w.readers, func(r reader) bool { return !r.x.Type.DType.IsLogic() })
}

func (w *channelWeb) dropped() int {
	n := 0
	for _, d := range w.drop {
		if d {
			n++
		}
	}
	return n
}

// sumLayer is a convolution or a matrix product as sums over input channels.
type sumLayer struct {
	n                 *ir.Node
	w                 *ir.Tensor
	groups, ins, outs int // ins and outs are those of one group
	taps              int
	padded            bool
}

// sumLayerOf returns the layer of a node, nil when it is none or its weights
// cannot be cut.
func sumLayerOf(n *ir.Node) *sumLayer {
	switch {
	case n.Is(ir.BConv) || n.Is(ir.IConv):
		if n.Arg(2) != nil || n.Has("lo") {
			return nil
		}
	case n.Is(ir.ILinear) && n.In(0).Rank() == 2:
	default:
		return nil
	}
	w := ir.ConstOf(n.Args[1])
	if w == nil || w.Len() == 0 {
		return nil
	}
	l := &sumLayer{n: n, w: w, groups: 1, ins: w.Type.Shape[1], outs: w.Type.Shape[0], taps: ir.Type{Shape: w.Type.Shape[2:]}.Elems()}
	if !n.Is(ir.ILinear) {
		l.groups = n.Int("groups")
		l.outs /= l.groups
		l.padded = slices.ContainsFunc(n.Ints("pad"), func(p int) bool { return p > 0 })
	}
	return l
}

// weights returns the weights of one output on one input of its group.
func (l *sumLayer) weights(out, in int) []int64 {
	at := (out*l.ins + in) * l.taps
	return l.w.IntRange(at, at+l.taps)
}

// uses reports whether an output depends on an input of its group.
func (l *sumLayer) uses(out, in int) bool {
	for at := (out*l.ins + in) * l.taps; at < (out*l.ins+in+1)*l.taps; at++ {
		if l.w.Int(at) != 0 {
			return true
		}
	}
	return false
}

// sum returns the sum of the weights of one output on one input of its group.
func (l *sumLayer) sum(out, in int) (s int64) {
	for _, x := range l.weights(out, in) {
		s += x
	}
	return s
}

// reads reports whether any output that stays depends on an input channel.
func (l *sumLayer) reads(channel int, drop []bool) bool {
	q, in := channel/l.ins, channel%l.ins
	for o := q * l.outs; o < (q+1)*l.outs; o++ {
		if (drop == nil || !drop[o]) && l.uses(o, in) {
			return true
		}
	}
	return false
}

// channelwise reports whether every channel of a node's result depends on the
// same channel of its operands alone.
func channelwise(n *ir.Node) bool {
	y := n.Results[0].Type
	if len(n.Results) != 1 || y.Rank() < 2 {
		return false
	}
	data := n.Args
	switch {
	case n.Is(ir.Threshold):
		if a, _ := ir.Axis(n.Int("axis"), y.Rank()); a != 1 || report.ThresholdConst(n) == nil || ir.ConstOf(n.Args[2]) == nil {
			return false
		}
		data = data[:1]
	case n.Is(ir.Count), n.Is(ir.Tally), n.Op.Kind == ir.Windows && n.Op.Takes() && !y.DType.IsFloat(), n.Op.Kind == ir.Elementwise && y.DType.IsLogic():
	default:
		return false
	}
	for i, a := range data {
		reads := n.Reads(0, i)
		own := len(reads) > 1 && reads[1] == ir.Read{Kind: ir.ReadSame, Of: 1}
		if !own && (ir.ConstOf(a) == nil || a.Type.Rank() != y.Rank()) {
			return false
		}
	}
	return slices.ContainsFunc(data, func(a *ir.Value) bool { return ir.ConstOf(a) == nil })
}

// findWebs finds constant channels, the webs, and what bars them.
func (p *pruner) findWebs() {
	p.uses, p.fixed, p.webOf = p.f.Uses(), map[*ir.Value][]fixedValue{}, map[*ir.Value]*channelWeb{}
	r := analysis.NewRanger()
	web := func(v *ir.Value) *channelWeb {
		if v.Type.Rank() < 2 || v.Type.Shape[1] == 0 || ir.ConstOf(v) != nil {
			return nil
		}
		if p.webOf[v] == nil {
			p.webOf[v] = &channelWeb{channels: v.Type.Shape[1]}
		}
		return p.webOf[v].root()
	}
	bar := func(v *ir.Value) {
		if v != nil && web(v) != nil {
			web(v).barred = true
		}
	}
	for _, port := range p.f.Params {
		bar(port.Value)
	}
	for _, n := range p.f.Nodes {
		if n.Const != nil {
			p.fixConst(n)
			continue
		}
		if l := sumLayerOf(n); l != nil {
			p.fixLinear(l)
			if w := web(n.Args[0]); w != nil {
				w.readers = append(w.readers, reader{n, n.Args[0]})
			}
			web(n.Result())
			continue
		}
		if !channelwise(n) {
			for _, list := range [][]*ir.Value{n.Args, n.Results} {
				for _, v := range list {
					bar(v)
				}
			}
			continue
		}
		p.fixChannelwise(r, n)
		y := web(n.Result())
		for _, a := range n.Args {
			if x := web(a); x != nil && x != y {
				x.into, y.barred, y.readers = y, y.barred || x.barred, append(y.readers, x.readers...)
			}
		}
	}
	for _, port := range p.f.Results {
		bar(port.Value)
	}
	for _, n := range p.f.Nodes { // in order, so that the result does not depend on a map's
		for _, v := range n.Results {
			if w := p.webOf[v]; w != nil && !w.root().barred && !slices.Contains(p.webs, w.root()) {
				p.webs = append(p.webs, w.root())
			}
		}
	}
}

func (p *pruner) fixConst(n *ir.Node) {
	t := n.Const
	if !t.HoldsInts() || t.Type.Rank() < 2 {
		return
	}
	list := make([]fixedValue, t.Type.Shape[1])
	inner := ir.Type{Shape: t.Type.Shape[2:]}.Elems()
	seen := make([]bool, len(list))
	for at, run := range t.IntRuns(0, t.Len()) {
		for i, x := range run {
			c := (at + i) / inner % len(list)
			list[c] = fixedValue{!seen[c] || list[c].known && list[c].v == x, x}
			seen[c] = true
		}
	}
	p.fixed[n.Result()] = list
}

// at returns what is known of a channel of a value; an axis of one channel
// stretches over all.
func (p *pruner) at(v *ir.Value, channel int) fixedValue {
	list := p.fixed[v]
	if len(list) == 0 {
		return fixedValue{}
	}
	return list[min(channel, len(list)-1)]
}

// fixLinear: a sum of constants is one, if the padding leaves none of them out.
func (p *pruner) fixLinear(l *sumLayer) {
	list := make([]fixedValue, l.groups*l.outs)
	for o := range list {
		list[o].known = true
		for i := range l.ins {
			if !l.uses(o, i) {
				continue
			}
			x := p.at(l.n.Args[0], o/l.outs*l.ins+i)
			if !x.known || x.v != 0 && l.padded {
				list[o] = fixedValue{}
				break
			}
			list[o].v += x.v * l.sum(o, i)
		}
	}
	p.fixed[l.n.Result()] = list
}

// mostUnknown bounds the operands of a gate whose values are enumerated; with
// more, such as the levels of a tally, all have to be known.
const mostUnknown = 4

// fixChannelwise finds the constant channels of a result: a threshold makes them,
// anything else needs one among its operands.
func (p *pruner) fixChannelwise(r *analysis.Ranger, n *ir.Node) {
	some := func(a *ir.Value) bool {
		return slices.ContainsFunc(p.fixed[a], func(x fixedValue) bool { return x.known })
	}
	if channels := n.Result().Type.Shape[1]; channels > maxChannels || !n.Is(ir.Threshold) && !slices.ContainsFunc(n.Args, some) {
		return
	}
	list := make([]fixedValue, n.Result().Type.Shape[1])
	p.fixed[n.Result()] = list
	switch n.Op {
	case ir.Threshold:
		t, flip, z := ir.ConstOf(n.Args[1]), ir.ConstOf(n.Args[2]), r.Of(n.Args[0])
		off, _ := n.Result().Type.DType.Range()
		for c := range list {
			lo, hi := z.At(c)
			if x := p.at(n.Args[0], c); x.known {
				lo, hi = x.v, x.v
			}
			if lo < t.Int(c) && hi >= t.Int(c) {
				continue
			}
			list[c] = fixedValue{true, off}
			if (lo >= t.Int(c)) != (flip.Int(c) == 1) {
				list[c].v = 1
			}
		}
	case ir.Count:
		x, y := n.In(0), n.Result().Type
		for c := range list {
			if list[c] = p.at(n.Args[0], c); list[c].known {
				list[c].v *= int64(x.Elems() / max(1, y.Elems()))
			}
		}
	case ir.MaxPool, ir.MinPool:
		if slices.ContainsFunc(n.Ints("pad"), func(k int) bool { return k > 0 }) {
			return // a window may lie in the padding altogether
		}
		for c := range list {
			list[c] = p.at(n.Args[0], c)
		}
	default:
		p.fixGate(n, list)
	}
}

// fixGate: a channel of a gate is constant if every value of the operands that
// are not gives the same result.
func (p *pruner) fixGate(n *ir.Node, list []fixedValue) {
	if slices.ContainsFunc(n.Args, func(a *ir.Value) bool { return !a.Type.DType.IsBit() }) {
		return
	}
	cases := 1
	if len(n.Args) <= mostUnknown {
		cases = 1 << len(n.Args)
	}
	in, args := make([]*ir.Tensor, len(n.Args)), make([]*ir.Value, len(n.Args))
	for k, a := range n.Args {
		off, _ := a.Type.DType.Range()
		vals := make([]int64, cases*len(list))
		for i := range vals {
			vals[i] = off
			if x := p.at(a, i%len(list)); x.known {
				vals[i] = x.v
			} else if i/len(list)>>k&1 == 1 {
				vals[i] = 1
			}
		}
		in[k] = ir.IntTensor(a.Type.DType, vals, cases, len(list))
		args[k] = &ir.Value{Type: in[k].Type}
	}
	gate, err := ir.NewNode(n.Op, args, n.Attrs, n.Loc)
	if err != nil {
		return
	}
	out, err := ir.EvalNode(gate, in)
	if err != nil {
		return
	}
	for i, y := range out[0].Ints() {
		c := i % len(list)
		list[c] = fixedValue{i < len(list) || list[c].known && list[c].v == y, y}
	}
	for c := range list {
		list[c].known = list[c].known && (cases > 1 || !slices.ContainsFunc(n.Args, func(a *ir.Value) bool { return !p.at(a, c).known }))
	}
}

// absorbs reports whether a constant in a layer's sums can move into thresholds.
func (p *pruner) absorbs(n *ir.Node) bool {
	for _, u := range p.uses[n.Result()] {
		if u == nil || !u.Is(ir.Threshold) || !channelwise(u) {
			return false
		}
	}
	return true
}

// choose decides which channels go, and reports whether any does.
func (p *pruner) choose() bool {
	for _, w := range p.webs {
		w.drop = slices.Repeat([]bool{true}, w.channels)
	}
	// Channels only come back from here on, so this ends. What is needed settles
	// first: before that, everything is gone.
	for p.keepNeeded() || p.keepRegular() || p.keepWorth() {
	}
	return slices.ContainsFunc(p.webs, func(w *channelWeb) bool { return w.dropped() > 0 })
}

// keepNeeded brings back the channels that something reads; like the other keep
// functions it reports whether any came back.
func (p *pruner) keepNeeded() (changed bool) {
	for _, w := range p.webs {
		for c := range w.drop {
			if w.drop[c] && p.needed(w, c) {
				w.drop[c], changed = false, true
			}
		}
	}
	return changed
}

// keepRegular brings channels back until the groups of every layer are alike.
func (p *pruner) keepRegular() (changed bool) {
	for _, n := range p.f.Nodes {
		if l := sumLayerOf(n); l != nil && l.groups > 1 {
			changed = p.regular(l) || changed
		}
	}
	return changed
}

// keepWorth brings back a channel where all would go, since no shape has a zero,
// and all channels where what is saved is too little.
func (p *pruner) keepWorth() (changed bool) {
	for _, w := range p.webs {
		n := w.dropped()
		switch {
		case n == 0:
		case n == w.channels:
			w.drop[0], changed = false, true
		case !p.any && w.inPlanes() && (w.channels-n+7)/8 == (w.channels+7)/8:
			w.drop, changed = make([]bool, w.channels), true
		}
	}
	return changed
}

// needed reports whether an output that stays depends on a channel, other than by
// a constant that thresholds take over.
func (p *pruner) needed(w *channelWeb, c int) bool {
	for _, r := range w.readers {
		l, x := sumLayerOf(r.n), p.at(r.x, c)
		if l.reads(c, p.dropOf(r.n.Result())) && !(x.known && (x.v == 0 || !l.padded && p.absorbs(r.n))) {
			return true
		}
	}
	return false
}

// dropOf returns which channels of a value go, nil when none does.
func (p *pruner) dropOf(v *ir.Value) []bool {
	if w := p.webOf[v]; w != nil {
		if w = w.root(); w.dropped() > 0 {
			return w.drop
		}
	}
	return nil
}

// regular brings channels back until the groups that stay are alike, and reports
// whether it did.
func (p *pruner) regular(l *sumLayer) (changed bool) {
	in, out := p.dropOf(l.n.Args[0]), p.dropOf(l.n.Result())
	most, least := [2]int{l.ins, l.outs}, [2]int{l.ins - 1, l.outs - 1}
	whole := make([]bool, l.groups)
	for q := range whole {
		n := [2]int{dropsIn(in, q*l.ins, l.ins), dropsIn(out, q*l.outs, l.outs)}
		if whole[q] = n == most; !whole[q] {
			least = [2]int{min(least[0], n[0]), min(least[1], n[1])}
		}
	}
	for q := range whole {
		if !whole[q] {
			changed = bringBack(in, q*l.ins, l.ins, least[0]) || changed
			changed = bringBack(out, q*l.outs, l.outs, least[1]) || changed
		}
	}
	return changed
}

// dropsIn counts the channels that go among n from first on.
func dropsIn(drop []bool, first, n int) int {
	count := 0
	for c := first; drop != nil && c < first+n; c++ {
		if drop[c] {
			count++
		}
	}
	return count
}

// bringBack leaves only the first keep of the channels that go among n from
// first on, and reports whether one came back.
func bringBack(drop []bool, first, n, keep int) (changed bool) {
	count := 0
	for c := first; drop != nil && c < first+n; c++ {
		if drop[c] {
			if count++; count > keep {
				drop[c], changed = false, true
			}
		}
	}
	return changed
}

// apply rebuilds the nodes that lose channels or take over constants.
func (p *pruner) apply() error {
	b := &ir.Builder{F: &ir.Func{}}
	repl := map[*ir.Value]*ir.Value{}
	shifts := map[*ir.Value][]int64{} // what the sums of a layer lose, by its old channels
	var layers []string
	for _, n := range p.f.Nodes {
		args := slices.Clone(n.Args)
		for i, a := range args {
			if r := repl[a]; r != nil {
				args[i] = r
			}
		}
		b.Loc = n.Loc
		drop := p.dropOf(n.Results[0])
		var y *ir.Value
		switch l := sumLayerOf(n); {
		case l != nil && (drop != nil || p.dropOf(n.Args[0]) != nil):
			if drop != nil {
				layers = append(layers, strconv.Quote(n.LayerName()))
			}
			shifts[n.Result()] = p.shift(l)
			y = p.cutLinear(b, l, args[0], drop)
		case n.Is(ir.Threshold) && (drop != nil || shifts[n.Args[0]] != nil):
			y = p.cutThreshold(b, n, args[0], drop, shifts[n.Args[0]])
		case drop != nil: // channelwise
			for i, a := range args {
				if t := ir.ConstOf(a); t != nil && t.Type.Shape[1] > 1 {
					args[i] = b.Const(cutAxis(t, 1, kept(drop)))
				}
			}
			y = b.Op(n.Op, n.Attrs, args...)
		default:
			n.Args = args
			b.F.Nodes = append(b.F.Nodes, n)
			continue
		}
		repl[n.Result()] = y
	}
	if b.Err != nil {
		return b.Err
	}
	gone := 0
	for _, w := range p.webs {
		gone += w.dropped()
	}
	p.f.Nodes = b.F.Nodes
	for i, port := range p.f.Results {
		if r := repl[port.Value]; r != nil {
			p.f.Results[i].Value = r
		}
	}
	p.f.RemoveDead()
	p.c.Note("%d constant or unread channels are gone, from %s", gone, strings.Join(layers, ", "))
	return nil
}

// shift returns what the constants that go give to a layer's sums, nil when they
// give nothing.
func (p *pruner) shift(l *sumLayer) []int64 {
	drop := p.dropOf(l.n.Args[0])
	s := make([]int64, l.groups*l.outs)
	some := false
	for o := range s {
		for i := range l.ins {
			c := o/l.outs*l.ins + i
			if x := p.at(l.n.Args[0], c); drop != nil && drop[c] && x.known {
				s[o] += x.v * l.sum(o, i)
			}
		}
		some = some || s[o] != 0
	}
	if !some {
		return nil
	}
	return s
}

// cutLinear returns a layer without the channels that go; x is its new input.
func (p *pruner) cutLinear(b *ir.Builder, l *sumLayer, x *ir.Value, out []bool) *ir.Value {
	in := p.dropOf(l.n.Args[0])
	var vals []int64
	outs, groups := 0, 0
	for q := range l.groups {
		n := 0
		for o := q * l.outs; o < (q+1)*l.outs; o++ {
			if out != nil && out[o] {
				continue
			}
			n++
			for i := range l.ins {
				if in == nil || !in[q*l.ins+i] {
					vals = append(vals, l.weights(o, i)...)
				}
			}
		}
		outs += n
		if n > 0 {
			groups++
		}
	}
	shape := slices.Clone(l.w.Type.Shape)
	shape[0], shape[1] = outs, len(vals)/(outs*l.taps)
	attrs := map[string]any{}
	for k, v := range l.n.Attrs {
		attrs[k] = v
	}
	if l.groups > 1 {
		attrs["groups"] = groups
	}
	return b.Op(l.n.Op, attrs, x, b.Const(ir.IntTensor(l.w.Type.DType, vals, shape...)))
}

// cutThreshold returns a threshold without the channels that go, moved by what
// its sums lost, with a certificate of its own.
func (p *pruner) cutThreshold(b *ir.Builder, n *ir.Node, z *ir.Value, drop []bool, shift []int64) *ir.Value {
	keep := kept(drop)
	if drop == nil {
		for c := range n.In(1).Shape[0] {
			keep = append(keep, c)
		}
	}
	t, flip := cutAxis(ir.ConstOf(n.Args[1]), 0, keep), cutAxis(ir.ConstOf(n.Args[2]), 0, keep)
	moved := make([]report.MovedChannel, len(keep))
	for i, c := range keep {
		moved[i].From = c
		if shift != nil {
			moved[i].Shift = shift[c]
			t.Ints()[i] -= shift[c]
		}
	}
	if cert := report.CertificateOf(p.c.Records, n); cert != nil {
		p.c.Record(cert.Move(moved, t))
	}
	return b.Op(ir.Threshold, n.Attrs, z, b.Const(t), b.Const(flip))
}

// kept lists the channels that do not go.
func kept(drop []bool) []int {
	var list []int
	for c, d := range drop {
		if !d {
			list = append(list, c)
		}
	}
	return list
}

// cutAxis returns the elements of an integer tensor at some indices of an axis.
func cutAxis(t *ir.Tensor, axis int, keep []int) *ir.Tensor {
	shape := slices.Clone(t.Type.Shape)
	inner := ir.Type{Shape: shape[axis+1:]}.Elems()
	n := shape[axis]
	shape[axis] = len(keep)
	out := make([]int64, 0, ir.Type{Shape: shape}.Elems())
	for first := 0; first < t.Len(); first += n * inner {
		for _, k := range keep {
			out = append(out, t.IntRange(first+k*inner, first+(k+1)*inner)...)
		}
	}
	return ir.IntTensor(t.Type.DType, out, shape...)
}
