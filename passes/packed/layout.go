package packed

import (
	"fmt"
	"slices"

	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/passes"
	"github.com/billnet/billnet/passes/analysis"
)

// Layout is the pass layout.
var Layout = &passes.Pass{
	Name: "layout",
	Doc: "Chooses where every activation lies. Bit and integer maps [1,C,T,H,W] become planes, maps of one size with one halo, so that they have equal pitch; " +
		"what a strided convolution reads is split into phases; everything else is dense. How wide the halos are, the same for all sizes or for each what it needs, follows from a model of the bytes that move. " +
		"From here on the module is at the packed level.",
	Class: passes.Exact,
	To:    ir.Packed,
	After: []string{"narrow-integers"},
	Run: func(c *passes.Context, m *ir.Module) error {
		if err := packable(m); err != nil {
			return err
		}
		m.Level = ir.Packed
		for i, f := range m.All() {
			states := 0
			if i == 0 {
				states = m.States()
			}
			h, report, err := chooseHalos(f, states)
			if err != nil {
				return err
			}
			if err := layoutFunc(f, h, states); err != nil {
				return err
			}
			if i == 0 {
				c.Record(report)
			}
		}
		return nil
	},
}

// packable refuses operations that the packed level does not have: rolled LSTMs,
// which others of the exact passes lower.
func packable(m *ir.Module) error {
	for _, f := range m.All() {
		for _, n := range f.Nodes {
			if n.Op.Levels&ir.Packed == 0 {
				return fmt.Errorf("layer %q is a %s, which the packed level does not have: put integer-arithmetic before layout, it lowers what no other pass does", n.LayerName(), n.Op.Name)
			}
		}
	}
	return nil
}

// onPlanes reports whether a node has a kernel on planes that reaches as far as it
// does, and which operands are planes there. A shift goes with those that read it.
func onPlanes(n *ir.Node, uses map[*ir.Value][]*ir.Node) (planes []bool, ok bool) {
	planes, ok = kernelOnPlanes(n)
	if ok = ok && withinReach(n, planes); ok && n.Is(ir.Shift) {
		ok = !slices.ContainsFunc(uses[n.Result()], func(reader *ir.Node) bool {
			if reader == nil { // what the next step finds
				return false
			}
			_, ok := onPlanes(reader, uses)
			return !ok
		})
	}
	return planes, ok
}

// Kernels on planes address an axis by offsets of that many elements, and split it
// into that many phases.
const (
	maxReach  = 1 << 20
	maxPhases = 64
)

// withinReach reports whether the axes of the maps on planes are short enough, and
// the window over them narrow enough.
func withinReach(n *ir.Node, planes []bool) bool {
	long := func(t ir.Type) bool {
		return slices.ContainsFunc(t.Shape, func(d int) bool { return d > maxReach })
	}
	for i, p := range planes {
		if p && long(n.In(i)) {
			return false
		}
	}
	if resultOnPlanes(n) && long(n.Result().Type) {
		return false
	}
	var kernel []int
	most := maxReach // of strides
	switch n.Op {
	case ir.BConv, ir.IConv:
		kernel, most = n.In(1).Shape[2:], maxPhases
	case ir.MaxPool, ir.MinPool:
		kernel = n.Ints("kernel")
	}
	for a, k := range kernel {
		if n.IntAt("stride", a, 1) > most || n.IntAt("pad", a, 0) > maxReach || k > 1 && n.IntAt("dilation", a, 1) > maxReach/(k-1) {
			return false
		}
	}
	return true
}

// kernelOnPlanes is onPlanes for maps and windows of any size.
func kernelOnPlanes(n *ir.Node) (planes []bool, ok bool) {
	switch n.Op {
	case ir.BitAnd, ir.BitOr, ir.BitXor, ir.BitNot, ir.Mux, ir.MuxOr:
		return gateOnPlanes(n)
	}
	planes = make([]bool, len(n.Args))
	if len(n.Args) == 0 || !analysis.IsMap(n.In(0)) {
		return planes, false
	}
	planes[0] = true
	x := n.In(0)
	several := x.Elems() > x.Shape[1] // positions
	switch n.Op {
	case ir.BConv, ir.IConv:
		w := n.In(1)
		ok = n.Args[1].Def.Is(ir.Const) && (w.DType == ir.SBit || w.DType == ir.Tern)
		ok = ok && (x.DType.IsBit() || n.Is(ir.IConv) && analysis.PlaneInt(x.DType) && !quantized(n.Args[0]))
	case ir.MaxPool, ir.MinPool:
		ok = x.DType.IsBit() && len(n.Results) == 1
	case ir.Recode:
		ok = several
	case ir.Shift:
		planes[1] = true
		ok = n.Int("axis") == 2 && (x.DType.IsBit() || analysis.PlaneInt(x.DType)) && n.Args[0].Def == nil
	case ir.Count:
		axes := n.Ints("axes")
		ok = x.DType.IsBit() && (slices.Equal(axes, []int{2, 3, 4}) || slices.Equal(axes, []int{3, 4}))
	case ir.Threshold:
		ok = (x.DType == ir.I16 || x.DType == ir.I32) && n.Int("axis") == 1 && several
	}
	return planes, ok
}

// gateOnPlanes is onPlanes of a gate: its operands are maps of its result's shape,
// or a bit a channel.
func gateOnPlanes(n *ir.Node) (planes []bool, ok bool) {
	planes = make([]bool, len(n.Args))
	y := n.Result().Type
	ok = analysis.IsMap(y)
	for i := range n.Args {
		planes[i] = ir.SameShape(n.In(i).Shape, y.Shape)
		ok = ok && (planes[i] || isChannelVector(n.In(i), y) && mayBeVector(n, i))
	}
	return planes, ok
}

// quantized reports whether v is bytes that a quantization has made, which are
// dense: a convolution of bytes, with multiplications, takes them as they are.
func quantized(v *ir.Value) bool {
	for {
		n := ir.Def(v)
		switch {
		case n.Is(ir.QuantizeLinear):
			return true
		case n.Is(ir.Reshape), n.Is(ir.Clip), n.Is(ir.MaxPool), n.Is(ir.Cast), n.Is(ir.Sub):
			v = n.Args[0]
		default:
			return false
		}
	}
}

// isChannelVector reports whether t is [1,C,1,1,1] beside a map of C channels.
func isChannelVector(t, m ir.Type) bool {
	return ir.SameShape(t.Shape, []int{1, m.Shape[1], 1, 1, 1})
}

// mayBeVector: the second operand of a gate and the select of a multiplexer may
// be one bit a channel.
func mayBeVector(n *ir.Node, i int) bool {
	if n.Is(ir.Mux) || n.Is(ir.MuxOr) {
		return i == 0
	}
	return i == 1 && !n.Is(ir.BitNot)
}

// resultOnPlanes reports whether the result of a node on planes is planes too.
func resultOnPlanes(n *ir.Node) bool { return !n.Is(ir.Count) }

// layoutFunc gives the values of a function their layouts. Its last parameters and
// results, as many as states, stay as they are made; others are dense.
func layoutFunc(f *ir.Func, h halos, states int) error {
	out := &ir.Func{}
	b := &ir.Builder{F: out}
	uses := f.Uses()
	converted := map[*ir.Value]map[ir.Layout]*ir.Value{}
	// as returns v in a layout, converted once for all its readers.
	as := func(v *ir.Value, l ir.Layout) *ir.Value {
		if v.Type.Layout == l {
			return v
		}
		if w := converted[v][l]; w != nil {
			return w
		}
		w := b.Op(ir.Relayout, nil, v)
		w.Type.Layout = l
		if converted[v] == nil {
			converted[v] = map[ir.Layout]*ir.Value{}
		}
		converted[v][l] = w
		return w
	}
	for _, n := range f.Nodes {
		b.Loc = n.Loc
		swapVector(n)
		planes, ok := onPlanes(n, uses)
		phases := [3]int{1, 1, 1}
		switch n.Op {
		case ir.BConv, ir.IConv:
			phases = strideOf(n)
		case ir.Shift:
			phases = phasesOf(uses[n.Result()])
		}
		for i, a := range n.Args {
			if a == nil {
				continue
			}
			l := ir.Layout{}
			if ok && planes[i] {
				l = h.layout(a.Type)
				l.PT, l.PH, l.PW = phases[0], phases[1], phases[2]
				if n.Is(ir.Shift) && i == 0 {
					a.Type.Layout = l // a state
				}
			}
			n.Args[i] = as(a, l)
		}
		if ok && resultOnPlanes(n) {
			l := h.layout(n.Result().Type)
			if n.Is(ir.Shift) {
				l.PH, l.PW = phases[1], phases[2]
			}
			n.Result().Type.Layout = l
		}
		out.Nodes = append(out.Nodes, n)
	}
	ports := len(f.Results) - states
	for i, r := range f.Results[:ports] {
		f.Results[i].Value = as(r.Value, ir.Layout{})
	}
	for i, p := range f.Params[len(f.Params)-states:] {
		f.Results[ports+i].Value = as(f.Results[ports+i].Value, p.Value.Type.Layout)
	}
	f.Nodes = out.Nodes
	return b.Err
}

// swapVector puts the channel vector of a commutative gate second.
func swapVector(n *ir.Node) {
	switch n.Op {
	case ir.BitAnd, ir.BitOr, ir.BitXor:
		if !ir.SameShape(n.In(0).Shape, n.Result().Type.Shape) {
			n.Args[0], n.Args[1] = n.Args[1], n.Args[0]
		}
	}
}

func strideOf(n *ir.Node) [3]int {
	if s := n.Ints("stride"); len(s) == 3 {
		return [3]int(s)
	}
	return [3]int{1, 1, 1}
}

// phasesOf are the phases in which a convolution among the readers of a map takes it, where whole
// frames stay together.
func phasesOf(readers []*ir.Node) [3]int {
	for _, n := range readers {
		if (n.Is(ir.BConv) || n.Is(ir.IConv)) && strideOf(n)[0] == 1 {
			return strideOf(n)
		}
	}
	return [3]int{1, 1, 1}
}

// mapSize is the size of a map along t, h and w.
type mapSize [3]int

func sizeOf(t ir.Type) mapSize { return mapSize(t.Shape[2:5]) }

// halos are the halos of maps by their size, along t, h and w.
type halos map[mapSize][3]int

// layout returns the layout of a map, not split into phases.
func (h halos) layout(t ir.Type) ir.Layout {
	v := h[sizeOf(t)]
	return ir.Layout{Planes: true, HT: v[0], HH: v[1], HW: v[2], PT: 1, PH: 1, PW: 1}
}

// neededHalos returns, for the size of every map on planes, the halo that the
// taps of the convolutions and pools over it need at most, in phases where a
// convolution is strided.
func neededHalos(f *ir.Func) halos {
	h, uses := halos{}, f.Uses()
	for _, n := range f.Nodes {
		planes, ok := onPlanes(n, uses)
		if !ok {
			continue
		}
		for i, a := range n.Args {
			if a != nil && planes[i] {
				h.widen(a.Type, [3]int{})
			}
		}
		if resultOnPlanes(n) {
			h.widen(n.Result().Type, [3]int{})
		}
		pool := n.Is(ir.MaxPool) || n.Is(ir.MinPool)
		if !pool && !n.Is(ir.BConv) && !n.Is(ir.IConv) {
			continue
		}
		need := [3]int{}
		for a, s := range strideOf(n) {
			in, out, dil, pad := n.In(0).Shape[2+a], n.Result().Type.Shape[2+a], n.IntAt("dilation", a, 1), n.IntAt("pad", a, 0)
			if pool { // read in one phase
				need[a] = max(pad, (out-1)*s+(n.Ints("kernel")[a]-1)*dil-pad-(in-1))
			} else {
				need[a] = haloOf(in, out, n.In(1).Shape[2+a], s, dil, pad)
			}
		}
		h.widen(n.In(0), need)
	}
	return h
}

// widen makes the halo of a map's size at least as wide as need.
func (h halos) widen(t ir.Type, need [3]int) {
	v := h[sizeOf(t)]
	for a := range v {
		v[a] = max(v[a], need[a])
	}
	h[sizeOf(t)] = v
}

// haloOf returns how far the taps of one axis read beyond the stored positions
// of a phase: tap k reads position stride*o + k*dil - pad, which is element
// o + q of phase r, k*dil - pad = stride*q + r.
func haloOf(in, out, kernel, stride, dil, pad int) int {
	stored := (in + stride - 1) / stride
	halo := 0
	for k := range kernel {
		d := k*dil - pad
		q := d / stride
		if d%stride != 0 && d < 0 {
			q--
		}
		halo = max(halo, -q, out-1+q-(stored-1))
	}
	return halo
}
