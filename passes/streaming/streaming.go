// Package streaming makes of a network of clips one that takes a frame at a time and
// has a result after every one.
//
// That is possible where the network is causal: no result depends on a later frame.
// It follows from what operations read along time (ir.Node.Reads). A window reads the
// frames before: they are kept, as many as it reaches back, zeros to begin with, which
// is what padding in the past is. Recurrent layers and running sums carry their
// state. A constant that grows with the number of frames is counted.
//
// The step is an ordinary function. What it carries are its last parameters and
// results, in pairs (ir.Module.States): a step's results are the next one's
// parameters, and all begin as zeros. The result of step t is that of the network for
// a clip of the t frames so far: of its last frame, where there is one a frame.
package streaming

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/passes"
	"github.com/billnet/billnet/passes/exact"
	"github.com/billnet/billnet/passes/packed"
)

// Pass makes the main function of a module its step; it fails with an *Error where there
// is none. It wants running sums as cum_sum, and maps with the widths that they have.
var Pass = &passes.Pass{
	Name:  "stream",
	Doc:   "A causal network of clips becomes one that takes a frame at a time and has a result after every one.",
	Class: passes.Exact,
	Ports: true,
	Run:   func(_ *passes.Context, m *ir.Module) error { return Convert(m) },
}

// Look adds to the steps of a pipeline one that says whether there is a step of the
// network, and changes nothing.
func Look(steps []passes.Step, found func(error)) []passes.Step {
	return into(steps, &passes.Pass{Name: Pass.Name, Doc: Pass.Doc, Class: passes.Exact, Run: func(_ *passes.Context, m *ir.Module) error {
		found(Convert(m.Clone()))
		return nil
	}})
}

// Into puts the pass in its place among the steps of a pipeline.
func Into(steps []passes.Step) []passes.Step { return into(steps, Pass) }

func into(steps []passes.Step, p *passes.Pass) []passes.Step {
	at := slices.IndexFunc(steps, func(s passes.Step) bool { return s.Pass == exact.LowerCumSum || s.Pass == packed.Layout })
	if at < 0 {
		at = len(steps)
	}
	return slices.Insert(slices.Clone(steps), at, passes.Steps(p)...)
}

// Obstacle is a layer that keeps a network from being causal.
type Obstacle struct {
	Layer string `json:"layer"`
	Op    string `json:"op"`
	Why   string `json:"why"`
}

func (o Obstacle) String() string { return fmt.Sprintf("%s (%s) %s", o.Layer, o.Op, o.Why) }

// Error says why a network is not causal.
type Error struct{ Obstacles []Obstacle }

func (e *Error) Error() string {
	var list []string
	for _, o := range e.Obstacles {
		list = append(list, o.String())
	}
	return "the network is not causal, it has no result after every frame: " + strings.Join(list, "; ")
}

// FramesAxis is the axis of the frames of a function's one parameter, a clip of the layout that
// the metadata clip.layout names, by default CTHW, which stands for its last axes; -1 when it is
// none.
func FramesAxis(params []ir.Port, meta map[string]string) int {
	if len(params) != 1 {
		return -1
	}
	layout := cmp.Or(meta["clip.layout"], "CTHW")
	rank, at := params[0].Value.Type.Rank(), strings.IndexByte(layout, 'T')
	if axis := rank - len(layout) + at; at >= 0 && axis >= 0 && rank >= 4 {
		return axis
	}
	return -1
}

// Convert makes the main function of a module its step. It wants running sums as
// cum_sum. A network that has none gives an *Error and is left as it is.
func Convert(m *ir.Module) error {
	f := m.Main()
	if len(f.Params) != 1 {
		return &Error{[]Obstacle{{m.Name, "inputs", fmt.Sprintf("takes %d inputs, expected one, the clip", len(f.Params))}}}
	}
	clip := f.Params[0]
	axis := FramesAxis(f.Params, m.Meta)
	if axis < 0 {
		return &Error{[]Obstacle{{clip.Name, "input", fmt.Sprintf("is %s, no clip with an axis of frames", clip.Value.Type)}}}
	}
	c := &converter{frames: clip.Value.Type.Shape[axis], at: map[*ir.Value]place{}, now: map[*ir.Value]*ir.Value{}, uses: f.Uses()}
	c.b.F = &ir.Func{Name: f.Name, Params: []ir.Port{{Name: clip.Name, Value: &ir.Value{Type: oneFrame(clip.Value.Type, axis)}}}}
	c.at[clip.Value] = place{kind: framewise, axis: axis}
	c.now[clip.Value] = c.b.F.Params[0].Value
	for _, n := range f.Nodes {
		c.b.Loc = n.Loc
		c.node(n)
		if c.b.Err != nil {
			return fmt.Errorf("BUG: the step of %s (%s): %w", n.LayerName(), n.Op.Name, c.b.Err)
		}
	}
	for _, r := range f.Results {
		p := c.at[r.Value]
		if p.kind == framewise && p.pad > 0 {
			c.obstacle(r.Name, "result", "has frames of zeros in front")
		}
		c.b.F.Results = append(c.b.F.Results, ir.Port{Name: r.Name, Value: c.value(r.Value)})
	}
	if c.obstacles != nil {
		return &Error{c.obstacles}
	}
	c.b.F.Params = append(c.b.F.Params, c.states...)
	c.b.F.Results = append(c.b.F.Results, c.next...)
	c.b.F.RemoveDead()
	m.Funcs[0] = c.b.F
	m.SetStates(len(c.states))
	return nil
}

// kind says how a value depends on time.
type kind uint8

const (
	fixed     kind = iota // not at all
	framewise             // it has a part for every frame, which depends on no later one
	last                  // it depends on the clip as its last frame's part does
	lost                  // an obstacle lies before it
)

// place is where time is in a value.
type place struct {
	kind kind
	axis int // of the frames, where it is framewise
	pad  int // frames of zeros in front
}

// converter builds the step, value by value.
type converter struct {
	b            ir.Builder
	frames       int // of a clip
	at           map[*ir.Value]place
	now          map[*ir.Value]*ir.Value // a value in the step; the same when it is not there
	uses         map[*ir.Value][]*ir.Node
	states, next []ir.Port
	count        *ir.Value // of the frames before
	obstacles    []Obstacle
}

func oneFrame(t ir.Type, axis int) ir.Type {
	t.Shape = slices.Clone(t.Shape)
	t.Shape[axis] = 1
	return t
}

func (c *converter) value(v *ir.Value) *ir.Value {
	if w := c.now[v]; w != nil {
		return w
	}
	return v
}

func (c *converter) obstacle(layer, op, why string) {
	c.obstacles = append(c.obstacles, Obstacle{layer, op, why})
}

// state adds a value that the next step finds as a parameter.
func (c *converter) state(t ir.Type) *ir.Value {
	v := &ir.Value{Type: t}
	c.states = append(c.states, ir.Port{Name: fmt.Sprintf("state.%d", len(c.states)), Value: v})
	return v
}

// keep says what a state becomes.
func (c *converter) keep(v *ir.Value) {
	c.next = append(c.next, ir.Port{Name: fmt.Sprintf("next.%d", len(c.next)), Value: v})
}

// read is how an operand with time reaches a result.
type read struct {
	to    place
	back  int // frames before that are read
	delay int // it is the frame so many before
}

// node makes what a node is in the step.
func (c *converter) node(n *ir.Node) {
	timed, gone := false, false
	for _, a := range n.Args {
		if a != nil {
			timed = timed || c.at[a].kind != fixed
			gone = gone || c.at[a].kind == lost
		}
	}
	if !timed {
		c.b.F.Nodes = append(c.b.F.Nodes, n)
		return
	}
	var reads []read
	why := ""
	if !gone {
		reads, why = c.reads(n)
	}
	if gone || why != "" {
		for _, r := range n.Results {
			c.at[r] = place{kind: lost}
		}
		if why != "" {
			c.obstacle(n.LayerName(), n.Op.Name, why)
		}
		return
	}
	if why := c.emit(n, reads); why != "" {
		for _, r := range n.Results {
			c.at[r] = place{kind: lost}
		}
		c.obstacle(n.LayerName(), n.Op.Name, why)
	}
}

// reads sets the places of a node's results, and says what it reads of every operand.
func (c *converter) reads(n *ir.Node) (list []read, why string) {
	list = make([]read, len(n.Args))
	for r, y := range n.Results {
		if r > 0 && len(c.uses[y]) == 0 {
			continue
		}
		to, fromLast := place{}, false
		for i, a := range n.Args {
			x := c.at[a]
			if a == nil || x.kind == fixed {
				continue
			}
			if x.kind == last {
				fromLast = true
				continue
			}
			one, why := c.read(n, r, i, x)
			if why != "" {
				return nil, why
			}
			if to.kind != fixed && one.to != to {
				return nil, "joins operands whose frames lie on different axes or at different places"
			}
			to = one.to
			list[i].back, list[i].delay = max(list[i].back, one.back), max(list[i].delay, one.delay)
		}
		switch {
		case fromLast && to.kind == framewise:
			return nil, "joins what the last frame gives with all frames"
		case fromLast:
			to = place{kind: last}
		}
		c.at[y] = to
	}
	return list, ""
}

// read says what a result reads of operand i, whose place is x, along time.
func (c *converter) read(n *ir.Node, result, i int, x place) (read, string) {
	rd := n.Reads(result, i)[x.axis]
	shape := n.Results[result].Type.Shape
	if c.frames == 1 && rd.Kind == ir.ReadAll {
		return read{}, "is over the one frame of a clip: give the network clips of more"
	}
	if x.pad > 0 && rd.Kind != ir.ReadWindow {
		return read{}, fmt.Sprintf("takes %d frames of zeros in front of the clip, which only a window can", x.pad)
	}
	switch rd.Kind {
	case ir.ReadSame:
		return read{to: place{kind: framewise, axis: rd.Of}}, ""
	case ir.ReadPast:
		if carried[n.Op] == nil && !n.Is(ir.CumSum) {
			return read{}, "carries a state that no step keeps"
		}
		return read{to: place{kind: framewise, axis: rd.Of}}, ""
	case ir.ReadFuture:
		return read{}, "goes through time backwards"
	case ir.ReadAll:
		if carried[n.Op] != nil && result > 0 && forward(n) {
			return read{to: place{kind: last}}, ""
		}
		return read{}, fmt.Sprintf("reads all %d frames", c.frames)
	case ir.ReadNone:
		return read{}, "does not say how it depends on time"
	}
	w := rd.Window
	if rd.Of < 0 || shape[rd.Of] == 1 && c.frames > 1 {
		if w.Kernel == 1 && -w.Pad == c.frames-1 && x.pad == 0 {
			return read{to: place{kind: last}}, ""
		}
		if w.Kernel == 1 {
			return read{}, fmt.Sprintf("takes frame %d alone, which is not the last", -w.Pad)
		}
		return read{}, fmt.Sprintf("reads %d frames at once", w.Kernel)
	}
	if w.Stride != 1 || w.Share != 1 {
		return read{}, fmt.Sprintf("has a result for every %d. frame only", max(w.Stride, 1))
	}
	back, front := (w.Kernel-1)*w.Dilation, w.Pad+x.pad
	to := place{kind: framewise, axis: rd.Of}
	switch {
	case front < back:
		return read{}, fmt.Sprintf("reads up to %d later frames: pad time with %d frames in front and none behind", back-front, back)
	case front == back && shape[rd.Of] == c.frames:
		return read{to: to, back: back}, ""
	case n.Is(ir.Pad) && shape[rd.Of] == c.frames:
		return read{to: to, back: front, delay: front}, ""
	case n.Is(ir.Pad) && shape[rd.Of] == c.frames+front:
		to.pad = front
		return read{to: to}, ""
	}
	return read{}, fmt.Sprintf("makes %d frames of %d", shape[rd.Of], c.frames)
}

// emit appends what a node is in the step; it may find that there is nothing.
func (c *converter) emit(n *ir.Node, reads []read) string {
	if n.Is(ir.Pad) && c.at[n.Args[0]].kind == framewise {
		if n.Str("mode") != "constant" || n.Arg(1) != nil && !ir.IsSplat(n.Args[1], 0) {
			if a := c.at[n.Result()]; a.pad > 0 || reads[0].delay > 0 {
				return "pads time with something else than zeros"
			}
		}
	}
	if n.Is(ir.CumSum) {
		return c.cumSum(n)
	}
	op, args, attrs := n.Op, make([]*ir.Value, len(n.Args)), maps.Clone(n.Attrs)
	states := carried[n.Op]
	if c.at[n.Args[0]].kind != framewise {
		states = nil
	}
	if attrs == nil {
		attrs = map[string]any{}
	}
	for i, a := range n.Args {
		if a == nil {
			continue
		}
		args[i] = c.value(a)
		var why string
		switch x := c.at[a]; {
		case x.kind == fixed:
			args[i], why = c.ofFrame(n, i)
		case reads[i].back > 0:
			if op, args[i], why = c.window(n, op, args[i], x, reads[i].back); reads[i].delay > 0 {
				first := map[string]any{"starts": []int{0}, "ends": []int{1}, "axes": []int{x.axis}}
				args[i] = c.b.Op(ir.Slice, first, args[i])
			}
		}
		if why != "" {
			return why
		}
	}
	c.attributes(n, attrs, args)
	if states != nil {
		var why string
		if args, why = c.begin(n, states, args); why != "" {
			return why
		}
	}
	y := c.b.Node(op, attrs, args...)
	if y == nil {
		return ""
	}
	if op != n.Op {
		c.b.Err = packed.Bound(y)
	}
	for _, s := range states {
		c.keep(y.Results[s[1]])
	}
	for r, v := range n.Results {
		want := v.Type
		if p := c.at[v]; p.kind == framewise {
			want = oneFrame(want, p.axis)
		}
		if got := y.Results[r].Type; c.at[v].kind != fixed && (got.DType != want.DType || !ir.SameShape(got.Shape, want.Shape)) {
			return fmt.Sprintf("speaks of a clip's %d frames in its attributes: it gives %s for a frame, expected %s", c.frames, got, want)
		}
		c.now[v] = y.Results[r]
	}
	return ""
}

// window is an operand with the frames before that a window reads.
func (c *converter) window(n *ir.Node, op *ir.Op, x *ir.Value, p place, back int) (*ir.Op, *ir.Value, string) {
	if n.Op.Kind == ir.Windows && n.IntAt("pad", p.axis-2, 0) > 0 {
		unsigned := x.Type.DType == ir.Bit || x.Type.DType == ir.U8 || x.Type.DType == ir.U16
		switch {
		case n.Is(ir.MaxPool) && !unsigned, n.Is(ir.MinPool):
			return op, x, "pads time with what no pooling chooses: pad it with zeros before"
		case n.Is(ir.AveragePool) && !n.Bool("count_include_pad"):
			return op, x, "averages over fewer frames at first: let it count the padding"
		}
	}
	if x.Type.DType == ir.SBit { // signs have no zero
		if !n.Is(ir.BConv) {
			return op, x, "keeps signs, and there is no sign to begin with"
		}
		op, x = ir.IConv, c.b.Op(ir.Cast, map[string]any{"to": "i8"}, x)
	}
	t := x.Type
	t.Shape = slices.Clone(t.Shape)
	t.Shape[p.axis] = back + 1
	s := c.state(t)
	y := c.b.Op(ir.Shift, map[string]any{"axis": p.axis}, s, x)
	c.keep(y)
	return op, y, ""
}

// attributes changes those that speak of time.
func (c *converter) attributes(n *ir.Node, attrs map[string]any, args []*ir.Value) {
	x, y := c.at[n.Args[0]], c.at[n.Result()]
	shape := slices.Clone(n.Result().Type.Shape)
	if y.kind == framewise {
		shape[y.axis] = 1
	}
	set := func(name string, at, v int) {
		list, ok := attrs[name].([]int)
		if ok && at < len(list) {
			list = slices.Clone(list)
			list[at], attrs[name] = v, list
		}
	}
	rank := n.In(0).Rank()
	switch {
	case n.Is(ir.Reshape), n.Is(ir.Expand):
		attrs["shape"] = shape
	case n.Is(ir.Squeeze) && len(n.Ints("axes")) == 0:
		var axes []int
		for a, d := range n.In(0).Shape {
			if d == 1 && (x.kind != framewise || a != x.axis) {
				axes = append(axes, a)
			}
		}
		attrs["axes"] = axes
	case x.kind != framewise:
	case n.Op.Kind == ir.Windows:
		set("pad", x.axis-2, 0)
		set("pad", rank-2+x.axis-2, 0)
	case n.Is(ir.Resize) && y.kind == framewise:
		set("sizes", y.axis, 1)
	case n.Is(ir.Pad):
		c.withoutTime(n, attrs, x.axis)
	case n.Is(ir.Slice) && y.kind == last:
		axes := n.Ints("axes")
		for i := range n.Ints("starts") {
			a := i
			if len(axes) > 0 {
				a, _ = ir.Axis(axes[i], rank)
			}
			if a == x.axis {
				set("starts", i, 0)
				set("ends", i, 1)
				set("steps", i, 1)
			}
		}
	case n.Is(ir.Gather) && y.kind == last && len(args) > 1:
		args[1] = c.b.Const(ir.NewTensor(args[1].Type))
	}
}

// withoutTime makes padding leave time alone.
func (c *converter) withoutTime(n *ir.Node, attrs map[string]any, axis int) {
	pads, axes := slices.Clone(n.Ints("pads")), n.Ints("axes")
	for i := range len(pads) / 2 {
		a := i
		if len(axes) > 0 {
			a, _ = ir.Axis(axes[i], n.In(0).Rank())
		}
		if a == axis {
			pads[i], pads[len(pads)/2+i] = 0, 0
		}
	}
	attrs["pads"] = pads
}

// carried are the operations that carry a state along time: their operands that it
// begins with, and the results that it ends with.
var carried = map[*ir.Op][][2]int{
	ir.BLSTM:   {{5, 1}, {6, 2}},
	ir.BinLSTM: {{7, 1}, {8, 2}},
	ir.LSTM:    {{5, 1}, {6, 2}},
	ir.GRU:     {{5, 1}},
	ir.RNN:     {{5, 1}},
}

// forward reports that a recurrent layer goes through time once, from the front.
func forward(n *ir.Node) bool {
	_, directed := n.Op.AttrKind("direction")
	return !directed || n.Str("direction") == "forward"
}

// begin gives a recurrent layer its states.
func (c *converter) begin(n *ir.Node, states [][2]int, args []*ir.Value) ([]*ir.Value, string) {
	if !forward(n) {
		return nil, "goes through time backwards"
	}
	if _, directed := n.Op.AttrKind("direction"); directed && n.Arg(4) != nil {
		return nil, "has lengths of its own"
	}
	for _, s := range states {
		if a := n.Arg(s[0]); a != nil && !ir.IsSplat(a, 0) {
			return nil, "begins with a state that is not zero"
		}
		for len(args) <= s[0] {
			args = append(args, nil)
		}
		args[s[0]] = c.state(n.Results[s[1]].Type)
	}
	return args, ""
}

// cumSum adds a frame to the sum of those before. It has 64 bits where only numbers
// are made of it: 32 can be too few for the bits of a day.
func (c *converter) cumSum(n *ir.Node) string {
	v := n.Result()
	x := c.value(n.Args[0])
	if !x.Type.DType.IsInt() {
		return "adds up floats, whose sum depends on the order"
	}
	if axis, _ := ir.Axis(n.Int("axis"), x.Type.Rank()); c.at[n.Args[0]].kind != framewise || axis != c.at[v].axis {
		c.now[v] = c.b.Op(ir.CumSum, n.Attrs, x)
		return ""
	}
	if ir.AllAre(c.uses[v], ir.ToFloat) && x.Type.DType != ir.I64 {
		x = c.b.Op(ir.Cast, map[string]any{"to": "i64"}, x)
	}
	c.now[v] = c.b.Op(ir.Add, nil, c.state(x.Type), x)
	c.keep(c.now[v])
	return ""
}

// ofFrame is what a constant operand is in a step: all of it, or its part for the
// frame at hand, where it has one for every frame.
func (c *converter) ofFrame(n *ir.Node, i int) (*ir.Value, string) {
	v, y := n.Args[i], c.at[n.Result()]
	if y.kind != framewise {
		return v, ""
	}
	axis := slices.IndexFunc(n.Reads(0, i), func(r ir.Read) bool { return r.Kind == ir.ReadSame && r.Of == y.axis })
	if axis < 0 || v.Type.Shape[axis] == 1 {
		return v, ""
	}
	t := ir.ConstOf(v)
	if t == nil {
		return v, fmt.Sprintf("has operand %s, with a part for every frame", n.Op.Operand(i).Name)
	}
	first, step, ok := progression(t, axis)
	if !ok {
		return v, fmt.Sprintf("has constant %s, with numbers of their own for each of %d frames", n.Op.Operand(i).Name, c.frames)
	}
	if v, ok := step.Splat(); ok && v == 0 {
		return c.b.Const(frameOf(t, axis, 0)), ""
	}
	z := c.b.Op(ir.Add, nil, c.b.Const(first), c.b.Op(ir.Mul, nil, c.b.Const(step), c.counter()))
	switch d := t.Type.DType; {
	case d == ir.F32:
		z = c.b.Op(ir.ToFloat, nil, z)
	case d != ir.I64:
		z = c.b.Op(ir.Cast, map[string]any{"to": d.String()}, z)
	}
	return z, ""
}

// counter is the number of frames before this one, i64.
func (c *converter) counter() *ir.Value {
	if c.count == nil {
		c.count = c.state(ir.T(ir.I64))
		c.keep(c.b.Op(ir.Add, nil, c.count, c.b.Const(ir.Scalar(ir.I64, 1))))
	}
	return c.count
}

// frameOf is the part of a tensor at an index of an axis.
func frameOf(t *ir.Tensor, axis, p int) *ir.Tensor {
	out := ir.NewTensor(oneFrame(t.Type, axis))
	inner := ir.Type{Shape: t.Type.Shape[axis+1:]}.Elems()
	for i := range out.Len() {
		out.SetFloat(i, t.Float((i/inner*t.Type.Shape[axis]+p)*inner+i%inner))
	}
	return out
}

// progression says what a constant is at every index p of an axis, if it is first +
// p*step with whole numbers, rounded to the element type. Two frames do not show
// how it goes on, unless they are equal.
func progression(t *ir.Tensor, axis int) (first, step *ir.Tensor, ok bool) {
	d := t.Type.DType
	if d.IsLogic() || d == ir.Bool || d.IsFloat() && d != ir.F32 || t.Len() == 0 {
		return equalFrames(t, axis)
	}
	a, b := frameOf(t, axis, 0), frameOf(t, axis, 1)
	first, step = ir.NewTensor(a.Type.With(ir.I64)), ir.NewTensor(a.Type.With(ir.I64))
	for i := range a.Len() {
		x, by := a.Float(i), b.Float(i)-a.Float(i)
		if x != math.Trunc(x) || by != math.Trunc(by) || math.Abs(x) >= 1<<53 || math.Abs(by) >= 1<<53 || by != 0 && t.Type.Shape[axis] < 3 {
			return equalFrames(t, axis)
		}
		first.Ints()[i], step.Ints()[i] = int64(x), int64(by)
	}
	for p := range t.Type.Shape[axis] {
		at := frameOf(t, axis, p)
		for i := range at.Len() {
			if want := ir.Scalar(d, float64(first.Int(i)+int64(p)*step.Int(i))); want.Float(0) != at.Float(i) {
				return nil, nil, false
			}
		}
	}
	return first, step, true
}

// equalFrames is a progression that stays where it is.
func equalFrames(t *ir.Tensor, axis int) (first, step *ir.Tensor, ok bool) {
	a := frameOf(t, axis, 0)
	for p := range t.Type.Shape[axis] {
		if !frameOf(t, axis, p).Equal(a) {
			return nil, nil, false
		}
	}
	return a, ir.NewTensor(a.Type.With(ir.I64)), true
}
