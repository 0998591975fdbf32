package ir

import "fmt"

// recurrentAttrs are the attributes that every recurrent operation has.
var recurrentAttrs = []Attr{
	{Name: "hidden", Kind: KInt, Default: 0, Doc: "the number H of hidden units; 0: as r has it"},
	{Name: "direction", Kind: KString, Default: "forward", Doc: "forward, reverse or bidirectional (D = 2: forward, then reverse)"},
	{Name: "activations", Kind: KStrings, Default: []string{}, Doc: "names of the activation functions, for every direction; empty: the ones in the equation"},
	{Name: "activation_alpha", Kind: KFloats, Default: []float64{}, Doc: "alpha of the functions that have one, in order; missing ones have their default"},
	{Name: "activation_beta", Kind: KFloats, Default: []float64{}, Doc: "beta of the functions that have one, in order; missing ones have their default"},
	{Name: "clip", Kind: KFloat, Default: 0.0, Doc: "inputs of the gates' activations are limited to -clip..clip; 0: not"},
	{Name: "layout", Kind: KInt, Default: 0, Doc: "0: x [S,B,I], y [S,D,B,H], states [D,B,H]; 1: x [B,S,I], y [B,S,D,H], states [B,D,H]"},
}

// recurrentOperands are the operands that every recurrent operation begins with.
var recurrentOperands = []Param{
	{Name: "x", Doc: "[S,B,I] float: S steps of B sequences"},
	{Name: "w", Doc: "[D,G*H,I]: input weights, gate after gate; left out: x has the input sums W x of all gates and directions, I = D*G*H", Optional: true},
	{Name: "r", Doc: "[D,G*H,H]: recurrent weights"},
	{Name: "b", Doc: "[D,2*G*H]: input biases, then recurrent ones", Optional: true},
	{Name: "lens", Doc: "[B] integers: steps of every sequence; left out: S", Optional: true, Index: true},
	{Name: "h0", Doc: "[D,B,H]: initial hidden state; left out: 0", Optional: true},
}

// recurrence is the geometry of a recurrent operation.
type recurrence struct {
	steps, batch, in, hidden, dirs int
	sums                           bool // x has the input sums
	gates                          int
	batchFirst                     bool
	reverse                        [2]bool // of every direction
	clip                           float64
	acts                           []func(float64) float64 // direction after direction
}

// newRecurrence checks the operands and attributes that recurrent operations
// share. names are the default activations of one direction.
func newRecurrence(n *Node, gates int, names []string) (*recurrence, error) {
	x, r := n.In(0), n.In(2)
	if !x.DType.IsFloat() || x.Rank() != 3 {
		return nil, fmt.Errorf("x is %s, expected floats with 3 axes", x)
	}
	if r.Rank() != 3 {
		return nil, fmt.Errorf("r is %s, expected 3 axes", r)
	}
	c := &recurrence{dirs: 1, gates: gates, hidden: r.Shape[2], in: x.Shape[2], clip: n.Float("clip")}
	if h := n.Int("hidden"); h != 0 && h != c.hidden {
		return nil, fmt.Errorf("hidden is %d, r is %s, expected %d on its last axis", h, r, h)
	}
	switch d := n.Str("direction"); d {
	case "forward":
	case "reverse":
		c.reverse[0] = true
	case "bidirectional":
		c.dirs, c.reverse[1] = 2, true
	default:
		return nil, fmt.Errorf("direction is %q, expected forward, reverse or bidirectional", d)
	}
	switch l := n.Int("layout"); l {
	case 0:
		c.steps, c.batch = x.Shape[0], x.Shape[1]
	case 1:
		c.steps, c.batch, c.batchFirst = x.Shape[1], x.Shape[0], true
	default:
		return nil, fmt.Errorf("layout is %d, expected 0 or 1", l)
	}
	if !(c.clip >= 0) {
		return nil, fmt.Errorf("clip is %v, expected a positive limit, or 0 for none", c.clip)
	}
	var err error
	if c.acts, err = activationsOf(n, names, c.dirs); err != nil {
		return nil, err
	}
	rows := gates * c.hidden
	if c.sums = n.Arg(1) == nil; c.sums && c.in != c.dirs*rows {
		return nil, fmt.Errorf("x is %s and there is no w, expected the %d input sums of all gates on its last axis", x, c.dirs*rows)
	}
	for _, o := range []struct {
		operand int
		shape   []int
	}{{1, []int{c.dirs, rows, c.in}}, {2, []int{c.dirs, rows, c.hidden}}, {3, []int{c.dirs, 2 * rows}}, {5, c.stateShape()}} {
		if err := expectType(n, o.operand, T(x.DType, o.shape...)); err != nil {
			return nil, err
		}
	}
	if l := n.Arg(4); l != nil && (!l.Type.DType.IsInt() || !SameShape(l.Type.Shape, []int{c.batch})) {
		return nil, fmt.Errorf("lens is %s, expected integers of shape [%d]", l.Type, c.batch)
	}
	return c, nil
}

// expectType reports an operand that is there and has another type than want.
func expectType(n *Node, operand int, want Type) error {
	if a := n.Arg(operand); a != nil && (a.Type.DType != want.DType || !SameShape(a.Type.Shape, want.Shape)) {
		return fmt.Errorf("%s is %s, expected %s", n.Op.Operands[operand].Name, a.Type, want)
	}
	return nil
}

func (c *recurrence) stateShape() []int {
	if c.batchFirst {
		return []int{c.batch, c.dirs, c.hidden}
	}
	return []int{c.dirs, c.batch, c.hidden}
}

func (c *recurrence) outShape() []int {
	if c.batchFirst {
		return []int{c.batch, c.steps, c.dirs, c.hidden}
	}
	return []int{c.steps, c.dirs, c.batch, c.hidden}
}

// work counts multiply-accumulates.
func (c *recurrence) work() int {
	in := c.in
	if c.sums {
		in = 0
	}
	return c.steps * c.batch * c.dirs * c.gates * c.hidden * (in + c.hidden)
}

// lengths returns the number of steps of every sequence.
func (c *recurrence) lengths(lens *Tensor) ([]int, error) {
	out := make([]int, c.batch)
	for b := range out {
		out[b] = c.steps
		if lens == nil {
			continue
		}
		if l := lens.Int(b); l < 0 || l > int64(c.steps) {
			return nil, fmt.Errorf("lens element %d is %d, expected 0 to %d", b, l, c.steps)
		}
		out[b] = int(lens.Int(b))
	}
	return out, nil
}

// Offsets of a step's input and output row and of a state row.
func (c *recurrence) xAt(t, b int) int {
	if c.batchFirst {
		return (b*c.steps + t) * c.in
	}
	return (t*c.batch + b) * c.in
}

func (c *recurrence) yAt(t, d, b int) int {
	if c.batchFirst {
		return ((b*c.steps+t)*c.dirs + d) * c.hidden
	}
	return ((t*c.dirs+d)*c.batch + b) * c.hidden
}

func (c *recurrence) stateAt(d, b int) int {
	if c.batchFirst {
		return (b*c.dirs + d) * c.hidden
	}
	return (d*c.batch + b) * c.hidden
}

type float interface{ float32 | float64 }

// sequences calls run for every direction and sequence, concurrently.
func (c *recurrence) sequences(run func(d, b int)) {
	if c.hidden > 0 {
		parallel(c.dirs*c.batch, func(job int) { run(job/c.batch, job%c.batch) })
	}
}

// stepOrder returns the time of step i of a sequence of the given length.
func (c *recurrence) stepOrder(d, i, length int) int {
	if c.reverse[d] {
		return length - 1 - i
	}
	return i
}

// rows sets z to the products of the gate rows first, first+1, ... of direction
// d with the vector v: each a sum in order that starts at 0.
func rows[E float](z, weights, v []E, first int) {
	for g := range z {
		row := weights[(first+g)*len(v) : (first+g+1)*len(v)]
		var s E
		for i, w := range row {
			s += E(w * v[i])
		}
		z[g] = s
	}
}

// inputSums sets z to the input sums of all gates in direction d at time t of
// sequence b: the products of w with x, or what x has where w is nil.
func inputSums[E float](c *recurrence, z, w, x []E, t, d, b int) {
	x = x[c.xAt(t, b):][:c.in]
	if w == nil {
		copy(z, x[d*len(z):])
		return
	}
	rows(z, w, x, d*len(z))
}

// activate applies an activation to a gate's input, limited to -clip..clip.
func activate[E float](x E, clip float64, f func(float64) float64) E {
	v := float64(x)
	if clip > 0 {
		v = max(-clip, min(clip, v))
	}
	return E(f(v))
}

// floats returns the elements of an operand of float kind E, nil when it is
// left out.
func floats[E float](in []*Tensor, i int) []E {
	if i >= len(in) || in[i] == nil {
		return nil
	}
	if f, ok := any(in[i].Floats()).([]E); ok {
		return f
	}
	return any(in[i].Doubles()).([]E)
}

// operand returns operand i, nil when it is left out.
func operand(in []*Tensor, i int) *Tensor {
	if i < len(in) {
		return in[i]
	}
	return nil
}

// recurrentInfer returns the types of y and y_h.
func recurrentInfer(n *Node, geometry func(*Node) (*recurrence, error)) ([]Type, error) {
	c, err := geometry(n)
	if err != nil {
		return nil, err
	}
	d := n.In(0).DType
	return []Type{T(d, c.outShape()...), T(d, c.stateShape()...)}, nil
}

type recurrentFunc[E float] func(n *Node, c *recurrence, in []*Tensor, lens []int, y, yh []E)

// recurrentEval evaluates a recurrent operation with results y and y_h.
func recurrentEval(n *Node, in []*Tensor, geometry func(*Node) (*recurrence, error), f32 recurrentFunc[float32], f64 recurrentFunc[float64]) ([]*Tensor, error) {
	c, err := geometry(n)
	if err != nil {
		return nil, err
	}
	lens, err := c.lengths(operand(in, 4))
	if err != nil {
		return nil, err
	}
	y, h := NewTensor(n.Results[0].Type), NewTensor(n.Results[1].Type)
	if y.HoldsDoubles() {
		f64(n, c, in, lens, y.Doubles(), h.Doubles())
	} else {
		f32(n, c, in, lens, y.Floats(), h.Floats())
	}
	roundAll(y)
	roundAll(h)
	return []*Tensor{y, h}, nil
}

func recurrentWork(n *Node, geometry func(*Node) (*recurrence, error)) int {
	c, err := geometry(n)
	if err != nil {
		return 0
	}
	return c.work()
}

// timeRead is what a step reads of the steps of its sequence.
func timeRead(reverse bool, axis int) Read {
	if reverse {
		return Read{Kind: ReadFuture, Of: axis}
	}
	return Read{Kind: ReadPast, Of: axis}
}

// recurrentReads is what an element of result y (0) or of a last state reads of
// an operand of a recurrent operation: the hidden units mix.
func recurrentReads(n *Node, geometry func(*Node) (*recurrence, error), result, operand int) []Read {
	r := make([]Read, n.In(operand).Rank())
	c, err := geometry(n)
	if err != nil {
		return r
	}
	// The axes of x and of the result.
	xSteps, xBatch, steps, dirs, batch := 0, 1, 0, 1, 2
	if c.batchFirst {
		xSteps, xBatch, steps, dirs, batch = 1, 0, 1, 2, 0
	}
	if result > 0 {
		dirs, batch = 0, 1
		if c.batchFirst {
			dirs, batch = 1, 0
		}
	}
	switch operand {
	case 0:
		r[xBatch] = same(batch)
		if result == 0 && c.dirs == 1 && (n.Arg(4) == nil || !c.reverse[0]) {
			r[xSteps] = timeRead(c.reverse[0], steps)
		}
	case 4:
		r[0] = same(batch)
	case 5, 6: // states, in the order of the last states
		states := []Read{same(dirs), same(batch), {}}
		if c.batchFirst {
			states[0], states[1] = states[1], states[0]
		}
		return states
	default:
		r[0] = same(dirs)
	}
	return r
}

// sequenceReads are the Reads of a binary LSTM: x [N,T,I] gives y [N,T,H] and
// the last states [N,H] from the states [N,H] that come last among the operands.
func sequenceReads(n *Node, result, operand int) []Read {
	r := make([]Read, n.In(operand).Rank())
	switch {
	case operand == 0:
		r[0] = same(0)
		if result == 0 {
			r[1] = timeRead(false, 1)
		}
	case operand >= len(n.Args)-2:
		r[0] = same(0)
	}
	return r
}
