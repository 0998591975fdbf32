package train

import (
	"fmt"
	"math/bits"

	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/train/gemm"
)

// slack is what buffers have beyond their elements, for matrix kernels.
const slack = gemm.Slack

// kind says which numbers a value holds while every binary operation is hard.
type kind uint8

const (
	number  kind = iota
	bitKind      // 0 and 1
	signed       // -1, 0 and +1
)

// store is the memory behind values: a value and its reshaped forms share one.
type store struct {
	data    []float32
	grad    []float32 // nil until something flows back
	batched bool      // there is one tensor a unit, else one for all
	diff    bool      // a gradient is wanted
	param   *Param    // whose memory it is, or nil
}

// value is a value of the IR graph in training: the elements of all units, one
// unit after the other.
type value struct {
	*store
	shape []int // of one unit
	size  int   // elements of one unit
	kind  kind
}

// unit returns the elements of unit u.
func (v *value) unit(u int) []float32 { return v.part(v.data, u) }

// gradUnit returns the gradient's elements of unit u. The gradient must exist.
func (v *value) gradUnit(u int) []float32 { return v.part(v.grad, u) }

func (v *value) part(all []float32, u int) []float32 {
	if !v.batched {
		u = 0
	}
	return all[u*v.size : (u+1)*v.size]
}

// operation is one step of the graph. backward adds to the gradients of its
// operands; it is called only when a result has a gradient.
type operation interface {
	forward(g *graph) error
	backward(g *graph)
}

// step is an operation in its place.
type step struct {
	op   operation
	outs []*value
	diff bool // backward has something to do
	loc  ir.Loc
	name string // of the IR operation
}

// graph is the executable form of a function.
type graph struct {
	*crew
	steps  []step
	inputs []*value
	params []*value // that get gradients
	units  int      // most units of a batch
	active int      // units of the batch at hand

	training   bool
	soft       [numRoles]Soft
	surrogates [numRoles]Surrogate
	seed       uint64
	round      uint64 // number of the training step, for dropout
	norms      []*batchNorm
	free       map[int][][]float32 // gradient buffers by capacity class
}

// count returns how many units of v there are in the batch at hand.
func (g *graph) count(v *value) int {
	if v.batched {
		return g.active
	}
	return 1
}

// all returns the elements of v of the whole batch at hand.
func (g *graph) all(v *value) []float32 { return v.data[:g.count(v)*v.size] }

// gradOf returns the gradient of v, cleared when it is new; nil when none is
// wanted.
func (g *graph) gradOf(v *value) []float32 {
	if !v.diff {
		return nil
	}
	if v.grad == nil {
		v.grad = g.zeros(g.count(v) * v.size)
	}
	return v.grad[:g.count(v)*v.size]
}

// firstGrad makes the gradient of v, not cleared, if there is none yet: the caller
// sets every element. It reports whether it did.
func (g *graph) firstGrad(v *value) bool {
	if !v.diff || v.grad != nil {
		return false
	}
	v.grad, _ = g.take(g.count(v) * v.size)
	return true
}

// take takes a buffer from the free ones, or makes one, which is clear.
func (g *graph) take(n int) (b []float32, isClear bool) {
	class := bits.Len(uint(n + slack - 1))
	list := g.free[class]
	if len(list) == 0 {
		return make([]float32, 1<<class)[:n], true
	}
	g.free[class] = list[:len(list)-1]
	return list[len(list)-1][:n], false
}

// zeros takes a cleared buffer from the free ones.
func (g *graph) zeros(n int) []float32 {
	b, isClear := g.take(n)
	if isClear {
		return b
	}
	const part = 1 << 16
	g.each((n+part-1)/part, func(_, i int) { clear(b[i*part : min(n, (i+1)*part)]) })
	return b
}

// release gives a buffer of take or zeros back.
func (g *graph) release(b []float32) {
	class := bits.Len(uint(cap(b))) - 1
	if cap(b) == 1<<class {
		g.free[class] = append(g.free[class], b)
	}
}

// forward runs the operations in order.
func (g *graph) forward() error {
	for i := range g.steps {
		s := &g.steps[i]
		if err := s.op.forward(g); err != nil {
			return fmt.Errorf("%s (%s): %w", s.loc, s.name, err)
		}
	}
	return nil
}

// backward runs the operations in reverse. The gradients of the heads have been
// set. A result's gradient is given back as soon as its operation has used it.
func (g *graph) backward() {
	for i := len(g.steps) - 1; i >= 0; i-- {
		s := &g.steps[i]
		live := false
		for _, v := range s.outs {
			live = live || v.grad != nil
		}
		if live && s.diff {
			s.op.backward(g)
		}
		for _, v := range s.outs {
			if v.grad != nil {
				g.release(v.grad)
				v.grad = nil
			}
		}
	}
}

// builder makes a graph of a function.
type builder struct {
	g       *graph
	values  map[*ir.Value]*value
	uses    map[*ir.Value][]*ir.Node
	opts    *Options
	batched map[*ir.Value]bool // depends on the input
	steps   []StepInfo
	node    *ir.Node // at hand
}

// rule makes the operations of a node and returns its results.
type rule func(b *builder, n *ir.Node, in []*value) ([]*value, error)

var rules = map[*ir.Op]rule{}

// register says which rule differentiates the operations named.
func register(r rule, ops ...*ir.Op) bool {
	for _, op := range ops {
		if rules[op] != nil {
			panic("train: operation " + op.Name + " has two rules")
		}
		rules[op] = r
	}
	return true
}

// blocks reports whether no gradient flows through an operation that has no rule.
func blocks(op *ir.Op) bool { return op.Flat || op == ir.Count }

// newGraph builds the graph of f for up to the given number of units. params
// holds the values of parameters; the other parameters of f are its inputs.
func newGraph(f *ir.Func, units int, params map[*ir.Value]*Param, o *Options) (*graph, *builder, error) {
	g := &graph{crew: newCrew(o.Threads), units: units, active: units, seed: o.Seed, free: map[int][][]float32{}}
	for r := range g.soft {
		g.soft[r].Slope = Role(r).slope()
		g.surrogates[r] = DefaultSurrogate(Role(r))
	}
	b := &builder{g: g, values: map[*ir.Value]*value{}, uses: f.Uses(), opts: o}
	for _, p := range f.Params {
		shape := p.Value.Type.Shape
		if q := params[p.Value]; q != nil {
			v := &value{store: &store{data: q.Data, diff: !q.Statistic, param: q}, shape: shape, size: p.Value.Type.Elems()}
			b.values[p.Value] = v
			if v.diff {
				g.params = append(g.params, v)
			}
			continue
		}
		v := b.alloc(shape, true, false)
		b.values[p.Value] = v
		g.inputs = append(g.inputs, v)
	}
	b.batched = dependsOn(f, params)
	for _, n := range f.Nodes {
		if err := b.add(n); err != nil {
			return nil, nil, fmt.Errorf("%s (%s): %w", n.Loc, n.Op.Name, err)
		}
	}
	return g, b, nil
}

// dependsOn returns the values of f that depend on its inputs, which are the
// parameters that have no value in params.
func dependsOn(f *ir.Func, params map[*ir.Value]*Param) map[*ir.Value]bool {
	batched := map[*ir.Value]bool{}
	for _, p := range f.Params {
		batched[p.Value] = params[p.Value] == nil
	}
	for _, n := range f.Nodes {
		for _, a := range n.Args {
			if a != nil && batched[a] {
				for _, r := range n.Results {
					batched[r] = true
				}
			}
		}
	}
	return batched
}

func (b *builder) add(n *ir.Node) error {
	if n.Const != nil {
		v := &value{store: &store{data: make([]float32, n.Const.Len(), n.Const.Len()+slack)}, shape: n.Const.Type.Shape, size: n.Const.Len()}
		v.kind = signed
		zeroOne := true
		for i := range v.data {
			x := float32(n.Const.Float(i))
			v.data[i] = x
			zeroOne = zeroOne && (x == 0 || x == 1)
			if x != 0 && x != 1 && x != -1 {
				v.kind = number
			}
		}
		if zeroOne && v.size > 0 {
			v.kind = bitKind
		}
		b.values[n.Results[0]] = v
		return nil
	}
	in := make([]*value, len(n.Args))
	diff := false
	for i, a := range n.Args {
		if a != nil {
			in[i] = b.values[a]
			diff = diff || in[i].diff
		}
	}
	b.node = n
	r := rules[n.Op]
	if r == nil {
		if diff && !blocks(n.Op) {
			return fmt.Errorf("there is no gradient rule for this operation; freeze the parameters before it or write it with others")
		}
		r = interpret
	}
	outs, err := r(b, n, in)
	if err != nil {
		return err
	}
	for i, v := range n.Results {
		b.values[v] = outs[i]
	}
	if p := b.opts.Dropout[n.Loc.Name]; p > 0 {
		b.values[n.Results[0]] = b.dropout(outs[0], p)
	}
	return nil
}

// alloc makes a value with memory of its own.
func (b *builder) alloc(shape []int, batched, diff bool) *value {
	v := &value{store: &store{batched: batched, diff: diff}, shape: shape, size: ir.Type{Shape: shape}.Elems()}
	n := v.size
	if batched {
		n *= b.g.units
	}
	v.data = make([]float32, n, n+slack)
	return v
}

// result makes a value of the type of the node's result i, which depends on
// the given operands.
func (b *builder) result(i int, in ...*value) *value {
	batched, diff := false, false
	for _, v := range in {
		if v != nil {
			batched, diff = batched || v.batched, diff || v.diff
		}
	}
	return b.alloc(b.node.Results[i].Type.Shape, batched, diff)
}

// emit appends an operation.
func (b *builder) emit(op operation, outs ...*value) []*value {
	diff := false
	for _, v := range outs {
		diff = diff || v.diff
	}
	b.g.steps = append(b.g.steps, step{op: op, outs: outs, diff: diff, loc: b.node.Loc, name: b.node.Op.Name})
	return outs
}

// interpreted evaluates a node through which no gradient flows.
type interpreted struct {
	n    *ir.Node
	in   []*value
	outs []*value
}

func interpret(b *builder, n *ir.Node, in []*value) ([]*value, error) {
	op := &interpreted{n: n, in: in}
	for i := range n.Results {
		v := b.result(i, in...)
		v.diff = false
		op.outs = append(op.outs, v)
	}
	return b.emit(op, op.outs...), nil
}

func (op *interpreted) forward(g *graph) error {
	errs := make([]error, g.count(op.outs[0]))
	g.each(len(errs), func(_, u int) {
		in := make([]*ir.Tensor, len(op.in))
		for i, v := range op.in {
			if v == nil {
				continue
			}
			if in[i] = ir.ConstOf(op.n.Args[i]); in[i] == nil {
				in[i] = ir.FloatTensor(v.unit(u), v.shape...).Convert(op.n.In(i).DType)
			}
		}
		out, err := ir.EvalNode(op.n, in)
		if err != nil {
			errs[u] = err
			return
		}
		for i, v := range op.outs {
			copy(v.unit(u), out[i].Convert(ir.F32).Floats())
		}
	})
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func (op *interpreted) backward(*graph) {}
