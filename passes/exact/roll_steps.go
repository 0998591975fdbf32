package exact

import (
	"fmt"
	"slices"
	"strings"

	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/passes"
)

// RollSteps is the pass roll-steps.
var RollSteps = &passes.Pass{
	Name: "roll-steps",
	Doc: "Rolls what is written out step by step into one scan: equal copies of a part of the network, each of which reads what the one before computed. " +
		"Any recurrent cell is such a part, with the layers in front of it that work on one step alone. Steps at either end that differ stay as they are.",
	Class: passes.Exact,
	After: []string{"merge-equal", "roll-lstm", "fuse-threshold"},
	Run: func(c *passes.Context, m *ir.Module) error {
		for _, f := range slices.Clone(m.Funcs) {
			r := &roller{m: m, f: f, failed: map[*ir.Node]bool{}}
			for {
				if err := c.Ctx().Err(); err != nil {
					return err
				}
				steps, err := r.roll()
				if err != nil {
					return err
				}
				if steps == 0 {
					break
				}
				c.Note("%d steps that are written out were rolled up into one", steps)
			}
		}
		return nil
	},
}

// Bounds of what is rolled: fewer steps gain nothing, and a region of bytecode
// executes so many instructions.
const (
	minRolled   = 3
	maxRolled   = 1 << 16
	maxExecuted = 1 << 20
)

// roller finds chains of equal steps in a function. The nodes that apply one
// weight, each to what depends on the one before, are the anchors of a chain: step s
// is what the data of anchor s+1 is made of beyond the data of anchor s.
type roller struct {
	m      *ir.Module
	f      *ir.Func
	uses   map[*ir.Value][]*ir.Node
	depth  map[*ir.Node]int  // anchors of the chain that a node is made of, itself included
	failed map[*ir.Node]bool // first anchors of what cannot be rolled, and nodes that join it
}

// roll rolls the first chain that can be, and returns how many steps it had.
func (r *roller) roll() (int, error) {
	r.uses = r.f.Uses()
	for _, anchors := range anchorGroups(r.f) {
		if r.failed[anchors[0]] || !r.chained(anchors) {
			continue
		}
		var chains []*stepChain
		for _, roots := range r.roots(anchors) {
			chains = append(chains, r.chainsBetween(roots)...)
		}
		slices.SortStableFunc(chains, func(a, b *stepChain) int { return b.to - b.from - a.to + a.from })
		for _, c := range chains {
			if steps, err := r.replace(c); steps > 0 || err != nil {
				return steps, err
			}
		}
		r.failed[anchors[0]] = true
	}
	return r.rollJoined()
}

// rollJoined rolls steps that read nothing of one another, all of whose results one
// node joins behind a new axis.
func (r *roller) rollJoined() (int, error) {
	r.depth = map[*ir.Node]int{}
	for _, join := range r.f.Nodes {
		if !join.Is(ir.Concat) || len(join.Args) < minRolled || r.failed[join] {
			continue
		}
		roots := []*ir.Value{nil}
		for _, a := range join.Args {
			if u := ir.Def(a); u.Is(ir.Unsqueeze) && sameAxes(u, ir.Def(join.Args[0])) {
				roots = append(roots, u.Args[0])
			}
		}
		if len(roots) > len(join.Args) {
			if c := r.chainOf(roots); c.to-c.from >= minRolled {
				if steps, err := r.replace(c); steps > 0 || err != nil {
					return steps, err
				}
			}
		}
		r.failed[join] = true
	}
	return 0, nil
}

// sameAxes reports nodes that both give their results the same new axes.
func sameAxes(a, b *ir.Node) bool { return b.Is(a.Op) && slices.Equal(a.Ints("axes"), b.Ints("axes")) }

// anchorGroups returns the nodes that apply equal weights in equal ways, in order.
func anchorGroups(f *ir.Func) [][]*ir.Node {
	at := map[string]int{}
	var groups [][]*ir.Node
	for _, n := range f.Nodes {
		weights, key := false, stepKey(n)
		for i, a := range n.Args {
			if c := ir.ConstOf(a); c != nil {
				weights = weights || c.Type.Rank() > 1
				key += fmt.Sprintf(" %d:%p", i, a)
			}
		}
		if !weights || n.Op.Kind != ir.Multiplies && n.Op.Kind != ir.Windows {
			continue
		}
		k, ok := at[key]
		if !ok {
			k = len(groups)
			at[key], groups = k, append(groups, nil)
		}
		groups[k] = append(groups[k], n)
	}
	return slices.DeleteFunc(groups, func(g []*ir.Node) bool { return len(g) < minRolled })
}

// stepKey is what two nodes have in common that do the same, their operands aside.
func stepKey(n *ir.Node) string {
	var b strings.Builder
	b.WriteString(n.Op.Name)
	for _, a := range n.Op.Attrs {
		if v, ok := n.Attrs[a.Name]; ok {
			fmt.Fprintf(&b, " %s=%v", a.Name, v)
		}
	}
	for _, v := range n.Results {
		b.WriteString(" " + v.Type.String())
	}
	return b.String()
}

// chained reports whether each anchor depends on the one before, and finds depths.
func (r *roller) chained(anchors []*ir.Node) bool {
	r.depth = map[*ir.Node]int{}
	next := 0
	for _, n := range r.f.Nodes {
		d := 0
		for _, a := range n.Args {
			d = max(d, r.depth[ir.Def(a)])
		}
		if next < len(anchors) && n == anchors[next] {
			if d != next {
				return false
			}
			d++
			next++
		}
		if d > 0 {
			r.depth[n] = d
		}
	}
	return true
}

// roots returns the candidates for the states that bind step to step: the data of the
// anchors, and what that is moved from; root s is the state behind step s.
func (r *roller) roots(anchors []*ir.Node) [][]*ir.Value {
	data := func(n *ir.Node, depth int) int {
		return slices.IndexFunc(n.Args, func(a *ir.Value) bool { return r.depth[ir.Def(a)] == depth })
	}
	operand := data(anchors[1], 1)
	if operand < 0 {
		return nil
	}
	roots := make([]*ir.Value, len(anchors))
	for i, n := range anchors {
		if operand >= len(n.Args) || n.Args[operand] == nil {
			return nil
		}
		roots[i] = n.Args[operand]
	}
	list := [][]*ir.Value{roots}
	for {
		first := ir.Def(roots[1])
		carriers := 0
		for _, a := range first.Args {
			if r.depth[ir.Def(a)] > 0 {
				carriers++
			}
		}
		if first.Op.Kind != ir.Moves && first.Op.Kind != ir.Elementwise || carriers != 1 {
			break
		}
		operand := data(first, 1)
		if operand < 0 {
			break
		}
		before := make([]*ir.Value, len(roots))
		for i, v := range roots {
			d := ir.Def(v)
			if i > 0 && (!d.Is(first.Op) || data(d, i) != operand) {
				return list
			}
			if d.Is(first.Op) && operand < len(d.Args) {
				before[i] = d.Args[operand]
			} else {
				before[i] = v // of the first, whose state may be folded
			}
		}
		roots = before
		list = append(list, roots)
	}
	return list
}

// chainsBetween finds the steps between roots, and behind the last.
func (r *roller) chainsBetween(roots []*ir.Value) []*stepChain {
	if !roots[0].Type.Equal(roots[1].Type) {
		roots = roots[1:]
	}
	var chains []*stepChain
	if len(roots) < minRolled {
		return nil
	}
	for _, last := range append(r.lastRoots(roots), nil) {
		all := roots
		if last != nil {
			all = append(slices.Clone(roots), last)
		}
		if c := r.chainOf(all); c.to-c.from >= minRolled {
			chains = append(chains, c)
		}
	}
	return chains
}

// lastRoots finds what may be the state behind the last step: it lies behind the last
// root as that lies behind the one before.
func (r *roller) lastRoots(roots []*ir.Value) []*ir.Value {
	a, b := roots[len(roots)-2], roots[len(roots)-1]
	type pair struct{ from, to *ir.Value }
	// twins maps values behind a to those behind b that may be their copies.
	twins := map[*ir.Value][]*ir.Value{a: {b}}
	queue := []*ir.Value{a}
	seen := map[pair]bool{}
	for len(queue) > 0 && len(seen) < 4096 {
		v := queue[0]
		queue = queue[1:]
		for _, n := range r.uses[v] {
			if n == nil || r.depth[n] > r.depth[ir.Def(b)] {
				continue
			}
			for _, w := range twins[v] {
				for _, k := range r.uses[w] {
					if k == nil || k == n || stepKey(k) != stepKey(n) || slices.Index(k.Args, w) != slices.Index(n.Args, v) {
						continue
					}
					for i, y := range n.Results {
						if p := (pair{y, k.Results[i]}); !seen[p] {
							seen[p] = true
							twins[y] = append(twins[y], k.Results[i])
							queue = append(queue, y)
						}
					}
				}
			}
		}
	}
	return twins[b]
}

// stepChain is what lies between roots, a step in front of each but the first: those
// from one to before another are equal.
type stepChain struct {
	steps    []*step
	from, to int
}

// step is the nodes of a step in an order that its structure gives, and the values
// that these read of others, wherever they read one. Steps of one key have equal
// nodes, which read one another in the same way.
type step struct {
	nodes   []*ir.Node
	index   map[*ir.Node]int
	outside []*ir.Value
	key     string
	folded  map[place]*ir.Value // of a first step, in which parts were constants: the values that are there
}

// place is a result of a node of a step.
type place struct{ node, result int }

// at is the value at a place, nil where a folded step has none.
func (st *step) at(p place) *ir.Value {
	if st.folded != nil {
		return st.folded[p]
	}
	return st.nodes[p.node].Results[p.result]
}

// fits reports whether values of others that step b reads in two places are one value
// in step a too.
func (a *step) fits(b *step) bool {
	twin := map[*ir.Value]*ir.Value{}
	for i, v := range b.outside {
		w, ok := twin[v]
		if ok && w != a.outside[i] {
			return false
		}
		twin[v] = a.outside[i]
	}
	return true
}

// chainOf finds which nodes belong to which step.
func (r *roller) chainOf(roots []*ir.Value) *stepChain {
	owner := map[*ir.Node]int{}
	for s, root := range roots {
		stack := []*ir.Node{ir.Def(root)}
		for len(stack) > 0 {
			n := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			if _, ok := owner[n]; n == nil || ok {
				continue
			}
			owner[n] = s
			for _, a := range n.Args {
				stack = append(stack, ir.Def(a))
			}
		}
	}
	// What no state goes into and several steps read is of none of them.
	type hull struct{ lo, hi int }
	readers := map[*ir.Node]hull{}
	for _, n := range slices.Backward(r.f.Nodes) {
		s, ok := owner[n]
		if !ok {
			continue
		}
		h := hull{s, s}
		if r.depth[n] == 0 {
			if k, read := readers[n]; read {
				h = k
			}
			if h.lo != h.hi || n.Const != nil {
				owner[n] = 0
			}
		}
		for _, a := range n.Args {
			d := ir.Def(a)
			if d == nil {
				continue
			}
			k, read := readers[d]
			if !read {
				k = h
			}
			readers[d] = hull{min(k.lo, h.lo), max(k.hi, h.hi)}
		}
	}
	c := &stepChain{}
	for s := 1; s < len(roots); s++ {
		c.steps = append(c.steps, stepOf(roots[s], s, owner))
	}
	c.from, c.to = longestRun(c.steps)
	return c
}

// stepOf lists the nodes behind a root that belong to step s.
func stepOf(root *ir.Value, s int, owner map[*ir.Node]int) *step {
	st := &step{index: map[*ir.Node]int{}}
	var key strings.Builder
	name := func(v *ir.Value) string {
		if v == nil {
			return "_"
		}
		if i, ok := st.index[v.Def]; ok {
			return fmt.Sprintf("%d.%d", i, v.Index)
		}
		st.outside = append(st.outside, v)
		return v.Type.String()
	}
	inside := func(n *ir.Node) bool {
		if n == nil || n.Const != nil || owner[n] != s {
			return false
		}
		e := elementOf(n.Result())
		return e == nil || owner[ir.Def(e.seq)] != 0
	}
	type frame struct {
		n *ir.Node
		i int
	}
	entered := map[*ir.Node]bool{}
	var stack []frame
	enter := func(n *ir.Node) {
		if inside(n) && !entered[n] {
			entered[n] = true
			stack = append(stack, frame{n, 0})
		}
	}
	enter(ir.Def(root))
	for len(stack) > 0 {
		top := &stack[len(stack)-1]
		if top.i < len(top.n.Args) {
			top.i++
			enter(ir.Def(top.n.Args[top.i-1]))
			continue
		}
		key.WriteString(stepKey(top.n))
		for _, a := range top.n.Args {
			key.WriteString(" " + name(a))
		}
		key.WriteByte('\n')
		st.index[top.n] = len(st.nodes)
		st.nodes = append(st.nodes, top.n)
		stack = stack[:len(stack)-1]
	}
	key.WriteString(name(root))
	st.key = key.String()
	return st
}

// longestRun is the longest run of equal steps, from one to before another.
func longestRun(steps []*step) (from, to int) {
	for i := 0; i < len(steps); {
		j := i + 1
		for j < len(steps) && steps[j].key == steps[i].key && steps[j-1].fits(steps[j]) {
			j++
		}
		if len(steps[i].nodes) > 0 && j-i > to-from {
			from, to = i, j
		}
		i = j
	}
	return from, to
}

// stepElement is index k of an axis of a sequence, which stays as an axis of one where
// it is kept.
type stepElement struct {
	seq     *ir.Value
	axis, k int
	kept    bool
}

// elementOf says which element of a sequence a value is, nil for others.
func elementOf(v *ir.Value) *stepElement {
	n := ir.Def(v)
	switch {
	case n.Is(ir.Gather):
		idx := ir.ConstOf(n.Args[1])
		axis, err := ir.Axis(n.Int("axis"), n.In(0).Rank())
		if err != nil || idx == nil || idx.Len() != 1 || idx.Type.Rank() > 1 {
			return nil
		}
		k := int(idx.Float(0))
		if k < 0 {
			k += n.In(0).Shape[axis]
		}
		return &stepElement{n.Args[0], axis, k, idx.Type.Rank() == 1}
	case n.Is(ir.Slice):
		starts, axes := n.Ints("starts"), n.Ints("axes")
		if len(starts) != 1 {
			return nil
		}
		a := 0
		if len(axes) == 1 {
			a = axes[0]
		}
		axis, err := ir.Axis(a, n.In(0).Rank())
		if err != nil || v.Type.Shape[axis] != 1 {
			return nil
		}
		k := starts[0]
		if k < 0 {
			k += n.In(0).Shape[axis]
		}
		return &stepElement{n.Args[0], axis, min(max(k, 0), n.In(0).Shape[axis]-1), true}
	case n.Is(ir.Split):
		axis, err := ir.Axis(n.Int("axis"), n.In(0).Rank())
		if err != nil || slices.ContainsFunc(n.Results, func(r *ir.Value) bool { return r.Type.Shape[axis] != 1 }) {
			return nil
		}
		return &stepElement{n.Args[0], axis, v.Index, true}
	}
	return nil
}

// operand is what a value outside of the steps becomes.
type operand struct {
	kind   operandKind
	value  *ir.Value    // the state at first, the sequence, or what all steps read
	first  *stepElement // of a sequence: that of the first step
	stride int          // and how far the next one is
	source place        // of a state: where it is in the step before
}

// kept reports an element that has the sequence's axis.
func (o *operand) kept() bool { return o.first != nil && o.first.kept }

type operandKind uint8

const (
	repeats operandKind = iota // a value that another slot has too
	constant
	stateOf
	sequenceOf
	fixed
)

// operandsOf says what the values outside of equal steps become; it reports false where
// a step reads what no scan gives it. New nodes go to b.
func operandsOf(b *ir.Builder, steps []*step) ([]operand, bool) {
	last := steps[len(steps)-1]
	list := make([]operand, len(last.outside))
	first := map[*ir.Value]int{}
	for k, v := range last.outside {
		if _, ok := first[v]; ok {
			list[k].kind = repeats
			continue
		}
		first[v] = k
		values := make([]*ir.Value, len(steps))
		for i, st := range steps {
			values[i] = st.outside[k]
		}
		o := &list[k]
		if j, ok := steps[len(steps)-2].index[v.Def]; ok {
			*o = operand{kind: stateOf, value: values[0], source: place{j, v.Index}}
			for i := 1; i < len(steps); i++ {
				if p, ok := steps[i-1].index[values[i].Def]; !ok || p != j || values[i].Index != v.Index {
					return nil, false
				}
			}
			continue
		}
		for _, v := range values { // nothing else of these steps
			if slices.ContainsFunc(steps, func(st *step) bool { _, ok := st.index[v.Def]; return ok }) {
				return nil, false
			}
		}
		same := !slices.ContainsFunc(values, func(w *ir.Value) bool { return w != v && !equalConsts(w, v) })
		switch {
		case same && ir.ConstOf(v) != nil:
			*o = operand{kind: constant, value: v}
		case same:
			*o = operand{kind: fixed, value: v}
		case sequenceOfElements(o, values):
		case slices.ContainsFunc(values, func(w *ir.Value) bool { return ir.ConstOf(w) == nil }) || !v.Type.DType.IsFloat():
			return nil, false
		default: // constants that differ from step to step
			parts := make([]*ir.Value, len(values))
			for i, w := range values {
				parts[i] = b.Op(ir.Unsqueeze, map[string]any{"axes": []int{0}}, w)
			}
			*o = operand{kind: sequenceOf, value: b.Op(ir.Concat, map[string]any{"axis": 0}, parts...)}
		}
	}
	return list, true
}

func equalConsts(a, b *ir.Value) bool {
	x, y := ir.ConstOf(a), ir.ConstOf(b)
	return x != nil && y != nil && x.Equal(y)
}

// sequenceOfElements finds the sequence of which values are elements, equally far apart.
func sequenceOfElements(o *operand, values []*ir.Value) bool {
	first := elementOf(values[0])
	if first == nil {
		return false
	}
	stride := 0
	for i, v := range values[1:] {
		e := elementOf(v)
		if e == nil || e.seq != first.seq || e.axis != first.axis || e.kept != first.kept {
			return false
		}
		if i == 0 {
			stride = e.k - first.k
		}
		if e.k != first.k+(i+1)*stride {
			return false
		}
	}
	*o = operand{kind: sequenceOf, value: first.seq, first: first, stride: stride}
	return true
}

// sequence is the elements of n steps, along an axis.
func (o *operand) sequence(b *ir.Builder, n int) (v *ir.Value, axis int) {
	if o.first == nil {
		return o.value, 0
	}
	axis, k := o.first.axis, o.first.k
	size := o.value.Type.Shape[axis]
	if k == 0 && o.stride == 1 && n == size {
		return o.value, axis
	}
	end := k + n*o.stride
	if end < 0 {
		end = -size - 1
	}
	return b.Op(ir.Slice, map[string]any{"starts": []int{k}, "ends": []int{end}, "axes": []int{axis}, "steps": []int{o.stride}}, o.value), axis
}

// replace puts a scan in the place of equal steps, and returns how many they are; 0
// where there is none that does the same.
func (r *roller) replace(c *stepChain) (int, error) {
	steps := c.steps[c.from:c.to]
	n := len(steps)
	last := steps[n-1]
	if n > maxRolled || n*4*len(last.nodes) > maxExecuted {
		return 0, nil
	}
	out := &ir.Func{}
	// What is new has a name of its own: values of the source's layers go by those.
	loc := last.nodes[len(last.nodes)-1].Loc
	loc.Name += ".steps"
	b := &ir.Builder{F: out, Loc: loc}
	operands, ok := operandsOf(b, steps)
	if !ok || b.Err != nil {
		return 0, b.Err
	}
	if st := foldedStep(b, last, operands); st != nil {
		steps = append([]*step{st}, steps...)
		n++
	}
	w := &scanWriter{body: &ir.Func{Name: r.bodyName()}, values: map[*ir.Value]*ir.Value{}}
	w.params(b, last, operands, n)
	for _, k := range last.nodes {
		if err := w.node(k); err != nil {
			return 0, err
		}
	}
	if !canRun(w.body) {
		return 0, nil
	}
	for i := range operands {
		if o := &operands[i]; o.kind == stateOf {
			w.states = append(w.states, o.source)
			w.result(last, o.source)
		}
	}
	outputs := r.outputs(steps, w.states)
	for _, o := range outputs {
		w.result(last, o.at)
		w.outAxes = append(w.outAxes, o.axis)
	}
	node, err := ir.NewNode(ir.Scan, w.args, map[string]any{"body": w.body, "steps": n, "states": len(w.states), "axes": w.axes, "out_axes": w.outAxes}, b.Loc)
	if err != nil {
		return 0, fmt.Errorf("BUG: %w", err)
	}
	out.Nodes = append(out.Nodes, node)
	repl := map[*ir.Value]*ir.Value{}
	for i, o := range outputs {
		o.redirect(b, repl, steps, node.Results[len(w.states)+i])
	}
	for i, at := range w.states {
		if v := last.at(at); repl[v] == nil {
			repl[v] = node.Results[i]
		}
	}
	if b.Err != nil {
		return 0, b.Err
	}
	r.f.Nodes = append(r.f.Nodes, out.Nodes...)
	r.f.Replace(repl)
	if err := r.f.Sort(); err != nil {
		return 0, fmt.Errorf("BUG: %w", err)
	}
	r.f.RemoveDead()
	return n, nil
}

func (r *roller) bodyName() string {
	taken := map[string]bool{}
	for _, f := range r.m.All() {
		taken[f.Name] = true
	}
	for i := 1; ; i++ {
		if name := fmt.Sprintf("step%d", i); !taken[name] {
			return name
		}
	}
}

// canRun reports whether instructions stand for a body: none moves empty tensors as
// elements, and sums of integers of unknown range have no width.
func canRun(body *ir.Func) bool {
	wide := map[*ir.Value]bool{}
	for _, p := range body.Params {
		t := p.Value.Type
		if t.Elems() == 0 || t.Rank() > 6 {
			return false
		}
		wide[p.Value] = t.DType.IsInt() && t.DType.Bits() > 8
	}
	for _, n := range body.Nodes {
		from := slices.ContainsFunc(n.Args, func(a *ir.Value) bool { return wide[a] })
		if from && (n.Is(ir.BConv) || n.Is(ir.IConv) || n.Is(ir.ILinear)) {
			return false
		}
		for _, v := range n.Results {
			if v.Type.Elems() == 0 {
				return false
			}
			wide[v] = from && v.Type.DType.IsInt()
		}
	}
	return true
}

// scanWriter writes a body and the operands of its scan.
type scanWriter struct {
	body          *ir.Func
	values        map[*ir.Value]*ir.Value // of the step that the body is made of
	args          []*ir.Value
	axes, outAxes []int
	states        []place
}

// params declares the parameters, states first and then sequences, and makes the
// constants.
func (w *scanWriter) params(outer *ir.Builder, st *step, operands []operand, n int) {
	for _, kind := range []operandKind{stateOf, sequenceOf, fixed} {
		for k := range operands {
			o := &operands[k]
			if o.kind != kind {
				continue
			}
			v, t := st.outside[k], st.outside[k].Type
			shape := slices.Clone(t.Shape)
			if o.kept() {
				shape = slices.Delete(shape, o.first.axis, o.first.axis+1)
			}
			p := &ir.Value{Type: ir.T(t.DType, shape...)}
			w.body.Params = append(w.body.Params, ir.Port{Name: fmt.Sprintf("x%d", len(w.args)), Value: p})
			arg := o.value
			if kind == sequenceOf {
				var axis int
				arg, axis = o.sequence(outer, n)
				w.axes = append(w.axes, axis)
			}
			w.args = append(w.args, arg)
			w.values[v] = p
			if o.kept() {
				b := &ir.Builder{F: w.body, Loc: outer.Loc}
				w.values[v] = b.Op(ir.Unsqueeze, map[string]any{"axes": []int{o.first.axis}}, p)
			}
		}
	}
	for k, o := range operands {
		if o.kind == constant {
			c := ir.NewConst(ir.ConstOf(o.value), o.value.Def.Loc)
			w.body.Nodes = append(w.body.Nodes, c)
			w.values[st.outside[k]] = c.Result()
		}
	}
}

// node copies a node of the step.
func (w *scanWriter) node(n *ir.Node) error {
	args := make([]*ir.Value, len(n.Args))
	for i, a := range n.Args {
		args[i] = w.values[a]
	}
	k, err := ir.NewNode(n.Op, args, n.Attrs, n.Loc)
	if err != nil {
		return fmt.Errorf("BUG: %w", err)
	}
	w.body.Nodes = append(w.body.Nodes, k)
	for i, v := range n.Results {
		k.Results[i].Type = v.Type
		w.values[v] = k.Results[i]
	}
	return nil
}

func (w *scanWriter) result(st *step, at place) {
	w.body.Results = append(w.body.Results, ir.Port{Name: fmt.Sprintf("y%d", len(w.body.Results)), Value: w.values[st.at(at)]})
}

// collected is a value of every step that others than the steps read: at says which.
// Where all of them are joined along an axis by one node, in order or from the last to
// the first, the joined node reads the collected output in their place.
type collected struct {
	at       place
	axis     int
	joined   *ir.Node
	first    int // operand of joined
	backward bool
}

// outputs finds what is read of steps behind them. The last of a state is a result of
// its own.
func (r *roller) outputs(steps []*step, states []place) []collected {
	inside := map[*ir.Node]bool{}
	for _, st := range steps {
		for _, n := range st.nodes {
			inside[n] = true
		}
		for _, v := range st.folded {
			inside[ir.Def(v)] = true
		}
	}
	delete(inside, nil)
	var list []collected
	last := steps[len(steps)-1]
	for j, n := range last.nodes {
		for i := range n.Results {
			at := place{j, i}
			needed := false
			for _, st := range steps {
				if st == last && slices.Contains(states, at) {
					continue
				}
				readers := r.uses[st.at(at)]
				needed = needed || slices.ContainsFunc(readers, func(u *ir.Node) bool { return !inside[u] })
			}
			if needed {
				list = append(list, r.joinOf(steps, at))
			}
		}
	}
	return list
}

// joinOf finds the node that joins the values of all steps, behind an axis of one
// that each is given.
func (r *roller) joinOf(steps []*step, at place) collected {
	c := collected{at: at}
	for _, u := range r.uses[steps[0].at(at)] {
		if !u.Is(ir.Unsqueeze) || len(u.Ints("axes")) != 1 {
			continue
		}
		for _, join := range r.uses[u.Result()] {
			if !join.Is(ir.Concat) {
				continue
			}
			rank := join.Result().Type.Rank()
			axis, err := ir.Axis(join.Int("axis"), rank)
			if a, err2 := ir.Axis(u.Ints("axes")[0], rank); err != nil || err2 != nil || a != axis {
				continue
			}
			if first, backward, ok := joins(join, steps, at, axis); ok {
				c.axis, c.joined, c.first, c.backward = axis, join, first, backward
				return c
			}
		}
	}
	return c
}

// joins reports where the operands of a concatenation are the values of all steps.
func joins(join *ir.Node, steps []*step, at place, axis int) (first int, backward, ok bool) {
	of := func(a *ir.Value) *ir.Value {
		u := ir.Def(a)
		if !u.Is(ir.Unsqueeze) || len(u.Ints("axes")) != 1 {
			return nil
		}
		if k, err := ir.Axis(u.Ints("axes")[0], a.Type.Rank()); err != nil || k != axis {
			return nil
		}
		return u.Args[0]
	}
	n := len(steps)
	for first := 0; first+n <= len(join.Args); first++ {
		for _, backward := range []bool{false, true} {
			all := true
			for s := 0; s < n && all; s++ {
				k := first + s
				if backward {
					k = first + n - 1 - s
				}
				all = of(join.Args[k]) == steps[s].at(at)
			}
			if all {
				return first, backward, true
			}
		}
	}
	return 0, false, false
}

// redirect makes others read the collected output y.
func (c *collected) redirect(b *ir.Builder, repl map[*ir.Value]*ir.Value, steps []*step, y *ir.Value) {
	n := len(steps)
	if c.joined != nil {
		part := y
		if c.backward {
			part = b.Op(ir.Slice, map[string]any{"starts": []int{n - 1}, "ends": []int{-n - 1}, "axes": []int{c.axis}, "steps": []int{-1}}, y)
		}
		args := slices.Concat(c.joined.Args[:c.first], []*ir.Value{part}, c.joined.Args[c.first+n:])
		if len(args) > 1 {
			part = b.Op(ir.Concat, map[string]any{"axis": c.axis}, args...)
		}
		repl[c.joined.Result()] = part
	}
	for s, st := range steps {
		if v := st.at(c.at); v != nil && ir.ConstOf(v) == nil && repl[v] == nil {
			b.Loc = v.Def.Loc
			repl[v] = b.Op(ir.Gather, map[string]any{"axis": c.axis}, y, b.Const(ir.IntTensor(ir.I64, []int64{int64(s)})))
		}
	}
}
