package exact

import (
	"fmt"
	"slices"
	"strings"

	"github.com/billnet/billnet/ir"
)

// How roll-steps recognises equal steps.

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
