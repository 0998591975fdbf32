package passes

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"

	"github.com/billnet/billnet/ir"
)

// ReduceOptions steer Reduce.
type ReduceOptions struct {
	Check    int                             // inputs on which every pass is checked, as in RunOptions
	Steps    int                             // candidates to try at most
	Progress func(tried int, smallest *Size) // called now and then
}

// Size is how large a module is.
type Size struct {
	Nodes, Params, Results int // of the main function, constants not counted as nodes
	Elems                  int // of its constants
}

func (s Size) String() string {
	return fmt.Sprintf("%d nodes, %d inputs, %d outputs, %d constant elements", s.Nodes, s.Params, s.Results, s.Elems)
}

// SizeOf counts a module.
func SizeOf(m *ir.Module) Size {
	f := m.Main()
	s := Size{Params: len(f.Params), Results: len(f.Results)}
	for _, n := range f.Nodes {
		if n.Is(ir.Const) {
			s.Elems += n.Const.Len()
		} else {
			s.Nodes++
		}
	}
	return s
}

// Reduction is what Reduce found.
type Reduction struct {
	Module  *ir.Module
	Steps   []Step // that are needed for the failure, the failing one last
	Failure *Failure
	Before  Size
	After   Size
	Tried   int
	Done    bool // false: the limit of steps ended the search
}

// Reduce shrinks a module on which a pipeline fails, while the same pass still
// fails in the same way. It drops passes and outputs, cuts the function behind
// and before the failure, replaces values by inputs of their type, bypasses
// nodes, makes constants uniform and dimensions small, from coarse changes to
// fine ones, until nothing more can go. The module itself stays as it is.
func Reduce(ctx context.Context, m *ir.Module, steps []Step, o ReduceOptions) (*Reduction, error) {
	r := &reducer{ctx: ctx, o: o, steps: steps, best: m.Clone()}
	r.best.Funcs = r.best.Funcs[:1]
	r.best.Meta, r.best.Labels = nil, nil // it is no longer the model that they speak of
	if r.want = r.fails(m, steps); r.want == nil {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if o.Check == 0 {
			return nil, errors.New("no pass stops with an error on this model: there is nothing to reduce (outputs were not compared: --verify says on how many inputs)")
		}
		return nil, fmt.Errorf("the pipeline does not fail on this model, whose outputs were compared on %d inputs: there is nothing to reduce", o.Check)
	}
	before := SizeOf(m)
	done := r.run()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	final := r.fails(r.best, r.steps)
	if final == nil {
		return nil, errors.New("BUG: the reduced module does not fail")
	}
	return &Reduction{r.best, r.steps, final, before, SizeOf(r.best), r.tried, done}, nil
}

// reducer is the state of a reduction.
type reducer struct {
	ctx   context.Context
	o     ReduceOptions
	steps []Step
	want  *Failure
	best  *ir.Module
	tried int
}

// fails runs a pipeline on a clone of a module and returns its failure, nil when
// there is none.
func (r *reducer) fails(m *ir.Module, steps []Step) *Failure {
	_, err := Run(r.ctx, m.Clone(), steps, RunOptions{Check: r.o.Check})
	var f *Failure
	if r.ctx.Err() != nil || !errors.As(err, &f) {
		return nil
	}
	return f
}

// same reports whether a failure is that which the reduction began with. What an
// error or a panic says counts without its numbers and names, which change.
func (r *reducer) same(f *Failure) bool {
	if f == nil || f.Pass != r.want.Pass || f.Kind != r.want.Kind {
		return false
	}
	if f.Kind != Refused && f.Kind != Panics {
		return true
	}
	return changing.ReplaceAllString(f.Err.Error(), "") == changing.ReplaceAllString(r.want.Err.Error(), "")
}

// changing matches what differs between two errors of one class: names in
// quotes, numbers and shapes.
var changing = regexp.MustCompile(`"[^"]*"|[-+]?[0-9][0-9.,]*|\[[^]]*\]`)

// over reports whether the search has to end.
func (r *reducer) over() bool { return r.tried >= r.o.Steps || r.ctx.Err() != nil }

// try takes a candidate over when it is well formed and fails in the same way.
func (r *reducer) try(m *ir.Module) bool {
	if m == nil || r.over() {
		return false
	}
	m.Main().RemoveDead()
	dropParams(m.Main())
	if ir.Verify(m) != nil {
		return false
	}
	r.tried++
	if r.o.Progress != nil && r.tried%25 == 0 {
		size := SizeOf(r.best)
		r.o.Progress(r.tried, &size)
	}
	if !r.same(r.fails(m, r.steps)) {
		return false
	}
	r.best = m
	return true
}

// edit tries a change of a clone; change reports false when it does not apply.
func (r *reducer) edit(change func(f *ir.Func) bool) bool {
	m := r.best.Clone()
	if !change(m.Main()) {
		return false
	}
	return r.try(m)
}

// run applies all reductions until none helps; it reports false when the limit
// of steps came first.
func (r *reducer) run() bool {
	r.dropSteps()
	for changed := true; changed && !r.over(); {
		changed = false
		for _, reduce := range []func() bool{r.results, r.prefix, r.cut, r.bypass, r.constants, r.dimensions} {
			changed = reduce() || changed
		}
	}
	return !r.over()
}

// dropSteps drops the passes after the failing one, then those before it that
// are not needed.
func (r *reducer) dropSteps() {
	for i, s := range r.steps {
		if s.Pass.Name == r.want.Pass && r.same(r.fails(r.best, r.steps[:i+1])) {
			r.steps = slices.Clone(r.steps[:i+1])
			break
		}
	}
	for i := len(r.steps) - 2; i >= 0 && !r.over(); i-- {
		r.tried++
		if fewer := slices.Delete(slices.Clone(r.steps), i, i+1); r.same(r.fails(r.best, fewer)) {
			r.steps = fewer
		}
	}
}

// results keeps one output, or else drops what it can.
func (r *reducer) results() (changed bool) {
	n := len(r.best.Main().Results)
	if n < 2 {
		return false
	}
	for i := range n {
		if r.edit(func(f *ir.Func) bool { f.Results = f.Results[i : i+1]; return true }) {
			return true
		}
	}
	for i := n - 1; i >= 0; i-- {
		changed = r.edit(func(f *ir.Func) bool {
			if len(f.Results) < 2 {
				return false
			}
			f.Results = slices.Delete(slices.Clone(f.Results), i, i+1)
			return true
		}) || changed
	}
	return changed
}

// prefix cuts off the end of the function: what is computed up to a node and
// read behind it becomes the outputs. It searches the shortest prefix that fails.
func (r *reducer) prefix() (changed bool) {
	lo, hi := 0, len(r.best.Main().Nodes) // the prefix of hi nodes fails
	for lo < hi && !r.over() {
		mid := lo + (hi-lo)/2
		if r.edit(func(f *ir.Func) bool { return cutAfter(f, mid) }) {
			changed, hi = true, min(mid, len(r.best.Main().Nodes))
		} else {
			lo = mid + 1
		}
	}
	return changed
}

// cutAfter keeps the first n nodes and makes the values that are read behind
// them the outputs.
func cutAfter(f *ir.Func, n int) bool {
	if n == 0 || n >= len(f.Nodes) {
		return false
	}
	inside := map[*ir.Value]bool{}
	for _, k := range f.Nodes[:n] {
		for _, v := range k.Results {
			inside[v] = !k.Is(ir.Const)
		}
	}
	var results []ir.Port
	take := func(v *ir.Value) {
		if v != nil && inside[v] && !slices.ContainsFunc(results, func(p ir.Port) bool { return p.Value == v }) {
			results = append(results, ir.Port{Name: fmt.Sprintf("y%d", len(results)), Value: v})
		}
	}
	for _, k := range f.Nodes[n:] {
		for _, a := range k.Args {
			take(a)
		}
	}
	for _, p := range f.Results {
		take(p.Value)
	}
	if len(results) == 0 {
		return false
	}
	f.Nodes, f.Results = f.Nodes[:n], results
	return true
}

// cut removes runs of nodes, long ones first: their results become inputs.
func (r *reducer) cut() (changed bool) {
	for size := max(1, len(r.best.Main().Nodes)/2); size >= 1; size /= 2 {
		for start := 0; start < len(r.best.Main().Nodes) && !r.over(); {
			if r.edit(func(f *ir.Func) bool { return nodesToParams(f, start, min(start+size, len(f.Nodes))) }) {
				changed = true // the next run has moved to start
			} else {
				start += size
			}
		}
	}
	return changed
}

// nodesToParams replaces the results of nodes start to end by parameters. It
// leaves constants, which weights have to be.
func nodesToParams(f *ir.Func, start, end int) bool {
	kept := slices.Clone(f.Nodes[:start])
	params := len(f.Params)
	repl := map[*ir.Value]*ir.Value{}
	for _, n := range f.Nodes[start:end] {
		if n.Is(ir.Const) {
			kept = append(kept, n)
			continue
		}
		for _, v := range n.Results {
			p := &ir.Value{Type: v.Type}
			f.Params = append(f.Params, ir.Port{Name: freshName(f), Value: p})
			repl[v] = p
		}
	}
	if len(f.Params) == params {
		return false
	}
	f.Nodes = append(kept, f.Nodes[end:]...)
	f.Replace(repl)
	return true
}

func freshName(f *ir.Func) string {
	for i := len(f.Params); ; i++ {
		name := fmt.Sprintf("x%d", i)
		if !slices.ContainsFunc(f.Params, func(p ir.Port) bool { return p.Name == name }) {
			return name
		}
	}
}

// dropParams drops parameters that nothing reads, but for the last one.
func dropParams(f *ir.Func) {
	uses := f.Uses()
	kept := slices.DeleteFunc(slices.Clone(f.Params), func(p ir.Port) bool { return len(uses[p.Value]) == 0 })
	if len(kept) == 0 && len(f.Params) > 0 {
		kept = f.Params[:1]
	}
	f.Params = kept
}

// bypass replaces single nodes by one of their operands of the same type.
func (r *reducer) bypass() (changed bool) {
	for i := len(r.best.Main().Nodes) - 1; i >= 0 && !r.over(); i-- {
		if i >= len(r.best.Main().Nodes) {
			continue
		}
		for k := range r.best.Main().Nodes[i].Args {
			if r.edit(func(f *ir.Func) bool {
				n := f.Nodes[i]
				a := n.Args[k]
				if a == nil || len(n.Results) != 1 || !a.Type.Equal(n.Result().Type) {
					return false
				}
				f.Replace(map[*ir.Value]*ir.Value{n.Result(): a})
				f.Nodes = slices.Delete(f.Nodes, i, i+1)
				return true
			}) {
				changed = true
				break
			}
		}
	}
	return changed
}

// constants makes constants uniform: all 0, all 1, or all their first element.
func (r *reducer) constants() (changed bool) {
	for i := 0; i < len(r.best.Main().Nodes) && !r.over(); i++ {
		c := r.best.Main().Nodes[i].Const
		if c == nil || c.Len() < 2 {
			continue
		}
		if _, ok := c.Splat(); ok {
			continue
		}
		for _, v := range []float64{0, 1, c.Float(0)} {
			if r.edit(func(f *ir.Func) bool { return setConst(f, i, uniformTensor(c.Type, v)) }) {
				changed = true
				break
			}
		}
	}
	return changed
}

func uniformTensor(t ir.Type, v float64) *ir.Tensor {
	out := ir.NewTensor(t)
	for i := range out.Len() {
		out.SetFloat(i, v)
		if t.DType == ir.SBit && out.Int(i) == 0 {
			out.Ints()[i] = -1
		}
	}
	return out
}

func setConst(f *ir.Func, i int, t *ir.Tensor) bool {
	n := ir.NewConst(t, f.Nodes[i].Loc)
	f.Replace(map[*ir.Value]*ir.Value{f.Nodes[i].Result(): n.Result()})
	f.Nodes[i] = n
	return true
}

// dimensions makes every dimension of one size smaller, everywhere at once: a
// number of channels occurs in maps, weights, norms and attributes.
func (r *reducer) dimensions() (changed bool) {
	sizes := map[int]bool{}
	for _, p := range r.best.Main().Params {
		for _, d := range p.Value.Type.Shape {
			sizes[d] = true
		}
	}
	for _, n := range r.best.Main().Nodes {
		if n.Const != nil {
			for _, d := range n.Const.Type.Shape {
				sizes[d] = true
			}
		}
	}
	all := slices.Sorted(maps.Keys(sizes))
	slices.Reverse(all)
	for _, from := range all {
		for _, to := range []int{1, 2, from / 4, from / 2, from - 1} {
			if to < 1 || to >= from || r.over() {
				continue
			}
			m := r.best.Clone()
			f, err := resized(m.Main(), from, to)
			if err != nil {
				continue
			}
			m.Funcs[0] = f
			if r.try(m) {
				changed = true
				break
			}
		}
	}
	return changed
}

// resized rebuilds a function with every dimension of one size made another,
// smaller one: in parameters, constants (of which the first slices stay) and
// attributes. It fails where the operations do not allow that.
func resized(f *ir.Func, from, to int) (*ir.Func, error) {
	out := &ir.Func{Name: f.Name}
	size := func(d int) int {
		if d == from {
			return to
		}
		return d
	}
	values := map[*ir.Value]*ir.Value{}
	for _, p := range f.Params {
		t := p.Value.Type
		t.Shape = mapped(t.Shape, size)
		values[p.Value] = &ir.Value{Type: t}
		out.Params = append(out.Params, ir.Port{Name: p.Name, Value: values[p.Value]})
	}
	for _, n := range f.Nodes {
		if n.Const != nil {
			k := ir.NewConst(firstSlices(n.Const, mapped(n.Const.Type.Shape, size)), n.Loc)
			values[n.Result()] = k.Result()
			out.Nodes = append(out.Nodes, k)
			continue
		}
		args := make([]*ir.Value, len(n.Args))
		for i, a := range n.Args {
			args[i] = values[a]
		}
		k, err := ir.NewNode(n.Op, args, resizedAttrs(n.Attrs, from, to, size), n.Loc)
		if err != nil {
			return nil, err
		}
		for i, v := range n.Results {
			values[v] = k.Results[i]
			k.Results[i].Type.Layout = v.Type.Layout
		}
		out.Nodes = append(out.Nodes, k)
	}
	for _, p := range f.Results {
		out.Results = append(out.Results, ir.Port{Name: p.Name, Value: values[p.Value]})
	}
	return out, nil
}

func mapped(list []int, f func(int) int) []int {
	out := make([]int, len(list))
	for i, v := range list {
		out[i] = f(v)
	}
	return out
}

// resizedAttrs changes the attributes that speak of sizes: numbers that are one,
// and lists with an entry for each of them.
func resizedAttrs(attrs map[string]any, from, to int, size func(int) int) map[string]any {
	out := map[string]any{}
	for name, v := range attrs {
		switch v := v.(type) {
		case int:
			if name == "groups" || name == "hidden" {
				out[name] = size(v)
				continue
			}
		case []int:
			if name == "shape" || name == "sizes" || name == "ends" {
				out[name] = mapped(v, size)
				continue
			}
			if len(v) == from && from > 5 { // one entry a channel
				out[name] = v[:to]
				continue
			}
		}
		out[name] = v
	}
	return out
}

// firstSlices returns the elements of t with small indices.
func firstSlices(t *ir.Tensor, shape []int) *ir.Tensor {
	if ir.SameShape(t.Type.Shape, shape) {
		return t
	}
	out := ir.NewTensor(ir.T(t.Type.DType, shape...))
	at := make([]int, len(shape))
	for i := range out.Len() {
		k := 0
		for a, d := range t.Type.Shape {
			k = k*d + at[a]
		}
		switch {
		case t.HoldsFloats():
			out.Floats()[i] = t.Float32(k)
		case t.HoldsDoubles():
			out.Doubles()[i] = t.Float(k)
		default:
			out.Ints()[i] = t.Int(k)
		}
		for a := len(at) - 1; a >= 0; a-- {
			if at[a]++; at[a] < shape[a] {
				break
			}
			at[a] = 0
		}
	}
	return out
}
