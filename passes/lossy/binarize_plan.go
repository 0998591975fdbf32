package lossy

import (
	"fmt"
	"math"
	"slices"

	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/passes"
	"github.com/billnet/billnet/passes/analysis"
)

// binarizePlan is what binarize knows of the source before it changes anything.
type binarizePlan struct {
	uses    map[*ir.Value][]*ir.Node
	layers  map[*ir.Node]*plannedLayer
	steps   map[*ir.Node]stepAt // activations that become bits
	selects map[*ir.Node]bool   // the differences mean - threshold of gates
	// unrolled are values between layers that share their weights: the inside of
	// a recurrent layer
	unrolled map[*ir.Value]bool
}

// plannedLayer is a layer of the source.
type plannedLayer struct {
	weights   *ir.Tensor // nil where they are no constant, or shared
	recurrent bool
	done      bool   // its weights are binary or of few bits already
	shared    bool   // other layers have the same weights
	last      bool   // no layer is behind it
	keep      string // not "": why weights and input stay
}

// stepAt says which operand an activation acts on, and where its bit begins.
type stepAt struct {
	operand int
	point   float64
}

func isRecurrent(n *ir.Node) bool { return n.Is(ir.LSTM) || n.Is(ir.GRU) || n.Is(ir.RNN) }

func isLayer(n *ir.Node) bool {
	return n.Is(ir.Conv) || n.Is(ir.Gemm) || n.Is(ir.MatMul) || isRecurrent(n)
}

// planBinarization reads the options layers and keep, and decides which
// activations become bits: those from which a layer that is to be binarized is
// reached with no other layer in between.
func planBinarization(c *passes.Context, m *ir.Module) (*binarizePlan, error) {
	f := m.Main()
	p := &binarizePlan{uses: f.Uses(), layers: map[*ir.Node]*plannedLayer{}, steps: map[*ir.Node]stepAt{}, selects: map[*ir.Node]bool{}, unrolled: map[*ir.Value]bool{}}
	var nodes []*ir.Node
	for _, n := range f.Nodes {
		if isLayer(n) {
			nodes = append(nodes, n)
		}
	}
	const kind = "layer"
	chosen, err := passes.NamedNodes("layers", c.Names("layers"), kind, nodes)
	if err != nil {
		return nil, err
	}
	kept, err := passes.NamedNodes("keep", c.Names("keep"), kind, nodes)
	if err != nil {
		return nil, err
	}
	shared := map[*ir.Node]int{}
	for _, n := range nodes {
		if k := latentOf(n.Args[1]); k != nil {
			shared[k]++
		}
	}
	for _, n := range nodes {
		l := &plannedLayer{recurrent: isRecurrent(n)}
		if l.recurrent {
			l.weights = analysis.ConstantOf(n.Args[1])
		} else if l.weights, l.keep = layerWeights(n); shared[latentOf(n.Args[1])] > 1 {
			l.shared, l.weights = true, nil
			l.keep = fmt.Sprintf("%d layers share its weights, as in a recurrent layer that is written out step by step; quantize-lstm takes one that is an LSTM or GRU operation", shared[latentOf(n.Args[1])])
		}
		switch {
		case len(chosen) > 0 && !chosen[n]:
			l.keep = "it is not among the chosen layers"
		case kept[n]:
			l.keep = "it is to be kept"
		}
		l.done = l.weights != nil && !l.recurrent && l.weights.Len() > l.weights.Type.Shape[0] && analysis.RecoverWeights(l.weights) != nil
		p.layers[n] = l
	}
	p.findLast(f)
	p.findSteps(f)
	return p, nil
}

// layerWeights returns the constant weights of a convolution or linear layer,
// or says why they stay.
func layerWeights(n *ir.Node) (w *ir.Tensor, left string) {
	if w = analysis.ConstantOf(n.Args[1]); w == nil {
		return nil, "its weights are no constant"
	}
	switch {
	case n.In(0).DType != ir.F32 || w.Type.DType != ir.F32:
		return nil, fmt.Sprintf("it multiplies %s by %s, expected f32", n.In(0).DType, w.Type.DType)
	case !analysis.Finite32(w):
		return nil, "its weights are not finite"
	case w.Len() == 0 || n.Result().Type.Elems() == 0:
		return nil, "it has no elements"
	case n.Is(ir.Gemm) && n.Bool("trans_a"):
		return nil, "its input is transposed"
	case n.Is(ir.Gemm) && n.Arg(2) != nil && analysis.ConstantOf(n.Args[2]) == nil:
		return nil, "its bias is no constant"
	case n.Is(ir.MatMul) && (w.Type.Rank() != 2 || n.In(0).Rank() < 2):
		return nil, fmt.Sprintf("it multiplies %s by %s, expected a matrix of weights", n.In(0), w.Type)
	}
	return w, ""
}

// latentOf returns the one constant node with float elements that a value is
// computed from by moves and comparisons, or nil.
func latentOf(v *ir.Value) *ir.Node {
	for d := ir.Def(v); d != nil; d = ir.Def(d.Args[0]) {
		if d.Is(ir.Const) {
			return d
		}
		if len(d.Args) == 0 || d.Args[0] == nil {
			return nil
		}
	}
	return nil
}

// findLast marks the layers behind which there is no other.
func (p *binarizePlan) findLast(f *ir.Func) {
	before := map[*ir.Value]bool{} // a layer reads it, or something computed from it
	for _, n := range slices.Backward(f.Nodes) {
		reaches := slices.ContainsFunc(n.Results, func(v *ir.Value) bool { return before[v] })
		if l := p.layers[n]; l != nil {
			l.last = !l.recurrent && !reaches
			reaches = true
		}
		for _, a := range n.Args {
			before[a] = before[a] || reaches
		}
	}
}

// findSteps finds the activations that become bits, and the selects of gates.
func (p *binarizePlan) findSteps(f *ir.Func) {
	wanted := map[*ir.Value]bool{} // as bits, by a layer
	for _, n := range slices.Backward(f.Nodes) {
		if l := p.layers[n]; l != nil {
			wanted[n.Args[0]] = wanted[n.Args[0]] || l.keep == ""
			continue
		}
		if slices.ContainsFunc(n.Results, func(v *ir.Value) bool { return wanted[v] }) {
			for _, a := range n.Args {
				wanted[a] = true
			}
		}
	}
	for _, n := range f.Nodes {
		under := slices.ContainsFunc(n.Args, func(v *ir.Value) bool { return p.unrolled[v] })
		if l := p.layers[n]; l != nil {
			under = l.shared
		}
		for _, r := range n.Results {
			p.unrolled[r] = under
		}
		if at, ok := activation(n, p.uses); ok && wanted[n.Result()] && !under && n.Result().Type.Rank() >= 2 {
			p.steps[n] = at
		}
		p.selects[n] = isSelect(n, p.uses)
	}
}

// activation recognises a function of one operand that rises from a floor, and
// says where a bit in its place begins.
func activation(n *ir.Node, uses map[*ir.Value][]*ir.Node) (at stepAt, ok bool) {
	if len(n.Results) != 1 || n.Result().Type.DType != ir.F32 {
		return at, false
	}
	switch n.Op {
	case ir.Relu, ir.LeakyRelu, ir.PRelu, ir.Elu, ir.HardSwish, ir.Tanh:
		return at, true
	case ir.Sigmoid, ir.HardSigmoid:
		if n.Is(ir.HardSigmoid) && n.Float("alpha") > 0 {
			at.point = (0.5 - n.Float("beta")) / n.Float("alpha")
		}
		gatesItself := func(r *ir.Node) bool { _, ok := selfGated(r); return ok }
		return at, !slices.ContainsFunc(uses[n.Result()], gatesItself)
	case ir.Clip:
		lo, ok1 := ir.Splat(n.Arg(1))
		hi, ok2 := ir.Splat(n.Arg(2))
		switch {
		case ok1 && lo == 0:
			return at, true
		case ok1 && ok2 && lo < 0 && hi > 0 && !math.IsInf(hi-lo, 0):
			at.point = lo + (hi-lo)/2
			return at, true
		}
	case ir.Max:
		for i := range n.Args {
			if len(n.Args) == 2 && ir.IsSplat(n.Args[1-i], 0) && ir.SameShape(n.In(i).Shape, n.Result().Type.Shape) {
				at.operand = i
				return at, true
			}
		}
	case ir.Mul:
		return selfGated(n)
	}
	return at, false
}

// selfGated matches x*sigmoid(x), of either kind of sigmoid.
func selfGated(n *ir.Node) (at stepAt, ok bool) {
	if !n.Is(ir.Mul) {
		return at, false
	}
	for i := range 2 {
		if g := ir.Def(n.Args[1-i]); (g.Is(ir.Sigmoid) || g.Is(ir.HardSigmoid)) && g.Args[0] == n.Args[i] {
			at.operand = i
			return at, true
		}
	}
	return at, false
}

// isSelect matches the difference in mean(x) - t > 0, the select of a gate: t is
// a constant for every channel, and only the comparison reads the difference.
func isSelect(n *ir.Node, uses map[*ir.Value][]*ir.Node) bool {
	if !n.Is(ir.Sub) || !ir.Def(n.Args[0]).Is(ir.ReduceMean) || n.In(0).Rank() < 2 {
		return false
	}
	t := ir.ConstOf(n.Args[1])
	readers := uses[n.Result()]
	return t != nil && ir.SameShape(n.In(0).Shape, n.Result().Type.Shape) && analysis.PerChannel(t.Type.Shape, n.In(0).Shape) &&
		len(readers) == 1 && readers[0].Is(ir.Greater) && ir.IsSplat(readers[0].Args[1], 0)
}

// behind returns the layers that read a value as their input, moved or not;
// only is false when anything else reads it too.
func (p *binarizePlan) behind(v *ir.Value) (layers []*plannedLayer, only bool) {
	only = true
	for _, r := range p.uses[v] {
		l := p.layers[r]
		switch {
		case r == nil:
			only = false
		case l != nil:
			layers = append(layers, l)
			only = only && r.Args[0] == v
		case analysis.MovesElements(r) && r.Args[0] == v:
			for _, out := range r.Results {
				more, alone := p.behind(out)
				layers, only = append(layers, more...), only && alone
			}
		default:
			only = false
		}
	}
	return layers, only && len(layers) > 0
}

// linear reports whether only layers to be binarized read a value, with nothing
// in between but moves.
func (p *binarizePlan) linear(v *ir.Value) bool {
	layers, only := p.behind(v)
	return only && !slices.ContainsFunc(layers, func(l *plannedLayer) bool { return l.keep != "" || l.recurrent })
}

// normed reports whether a value's only reader is a batch norm, with nothing in
// between but pools, moves and sums with constants.
func (p *binarizePlan) normed(v *ir.Value) bool {
	for len(p.uses[v]) == 1 {
		r := p.uses[v][0]
		switch {
		case r == nil || len(r.Results) != 1:
			return false
		case r.Is(ir.BatchNorm):
			return true
		case r.Is(ir.MaxPool), analysis.MovesElements(r), (r.Is(ir.Add) || r.Is(ir.Sub)) && analysis.Carrier(r, v.Type.Shape) >= 0:
		default:
			return false
		}
		v = r.Result()
	}
	return false
}
