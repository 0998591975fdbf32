package bytecode

import (
	"fmt"
	"slices"

	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/runtime/billb"
)

// expansions are the operations that may need more than one instruction. A
// function says what the results of a node are in terms of simpler nodes and of
// instructions; nil leaves the node to its row in the table of dense operations.
//
// It is filled at the start because expanding a node emits others.
var expansions map[*ir.Op]func(e *expansion, n *ir.Node) []*ir.Value

func init() {
	expansions = map[*ir.Op]func(e *expansion, n *ir.Node) []*ir.Value{
		ir.Identity: same,
		ir.Relayout: same,
		ir.Cast:     castTo,
		ir.Mod:      remainder,

		ir.Max:  variadic,
		ir.Min:  variadic,
		ir.Sum:  variadic,
		ir.Mean: mean,
		ir.Clip: clip,

		ir.Reshape:        reshape,
		ir.Squeeze:        reshape,
		ir.Unsqueeze:      reshape,
		ir.Split:          split,
		ir.DepthToSpace:   depthToSpace,
		ir.Resize:         resize,
		ir.Gather:         gather,
		ir.GatherElements: gather,
		ir.GatherND:       gatherND,

		ir.Conv:              floatConv,
		ir.MaxPool:           few,
		ir.MinPool:           few,
		ir.AveragePool:       few,
		ir.GlobalAveragePool: globalPool,
		ir.GlobalMaxPool:     globalPool,
		ir.MatMul:            matmul,
		ir.Gemm:              gemm,

		ir.BConv:         integerConv,
		ir.IConv:         integerConv,
		ir.ILinear:       linear,
		ir.Affine:        affine,
		ir.Threshold:     threshold,
		ir.Tally:         tally,
		ir.ConvInteger:   convInteger,
		ir.MatMulInteger: matmulInteger,
		ir.QLinearConv:   qlinearConv,
		ir.QLinearMatMul: qlinearMatmul,

		ir.Quant:                 single,
		ir.TruncQuant:            single,
		ir.QuantizeLinear:        quantizeLinear,
		ir.DequantizeLinear:      dequantizeLinear,
		ir.DynamicQuantizeLinear: dynamicQuantizeLinear,

		ir.LSTM:          recurrent,
		ir.GRU:           recurrent,
		ir.RNN:           recurrent,
		ir.QuantLSTMCell: quantLSTM,
		ir.Scan:          scan,
	}
}

// expand emits a node by its expansion; it reports false when the node has none
// or leaves itself to the table.
func (g *gen) expand(n *ir.Node) (bool, error) {
	f := expansions[n.Op]
	if f == nil {
		return false, nil
	}
	e := &expansion{g: g, node: n}
	results := f(e, n)
	if e.err != nil || results == nil {
		return e.err != nil, e.err
	}
	for i, v := range results {
		if v != nil {
			g.alias[n.Results[i]] = v
		}
	}
	return true, nil
}

// expansion makes what one node becomes and keeps the first error. After an
// error it makes nothing; its values have no type then.
type expansion struct {
	g    *gen
	node *ir.Node
	err  error
}

// missing says that there is no instruction for the node, and why.
func (e *expansion) missing(format string, args ...any) []*ir.Value {
	if e.err == nil {
		e.err = missing(format, args...)
	}
	return nil
}

// op emits an operation and returns its first result. It is computed here when
// all operands are constants and the budget pays for the result.
func (e *expansion) op(op *ir.Op, attrs map[string]any, args ...*ir.Value) *ir.Value {
	if e.err != nil {
		return &ir.Value{}
	}
	n, err := ir.NewNode(op, args, attrs, e.node.Loc)
	if err != nil {
		e.err = fmt.Errorf("BUG: %w", err)
		return &ir.Value{}
	}
	if in := e.constants(args); in != nil && e.g.affords(n.Result().Type) {
		return e.computed(n, in)
	}
	e.err = e.g.node(n)
	return n.Result()
}

// computed is the first result of a node over constants.
func (e *expansion) computed(n *ir.Node, in []*ir.Tensor) *ir.Value {
	out, err := ir.EvalNode(n, in)
	if err != nil {
		e.err = err
		return &ir.Value{}
	}
	return e.constant(out[0])
}

// What the constants that code generation makes may take, besides constShare bytes
// for every byte of the module's: tables of indices and what becomes of weights. A
// model of a few bytes can ask for any amount.
const (
	maxConsts  = 1 << 25
	constShare = 16
)

// budgetOf is the bytes that the constants made for f may take in all.
func budgetOf(f *ir.Func) int {
	bytes := maxConsts
	for n := range f.All() {
		if n.Const != nil {
			bytes += constShare * ir.Held(n.Const.Type)
		}
	}
	return bytes
}

// affords reports whether one more constant may be made, and takes its bytes.
func (g *gen) affords(t ir.Type) bool {
	if bytes := ir.Held(t); bytes <= g.budget {
		g.budget -= bytes
		return true
	}
	return false
}

// table is zeros for a list of indices, or nil when there are too many, which is an
// error of the expansion.
func (e *expansion) table(d ir.DType, shape ...int) *ir.Tensor {
	t := ir.T(d, shape...)
	if !e.g.affords(t) {
		e.missing("tables of indices of more than %d MB; this one has %d entries", maxConsts>>20, t.Elems())
		return nil
	}
	return ir.NewTensor(t)
}

// again emits the node with other operands, which are not all constants, and
// returns its results.
func (e *expansion) again(args []*ir.Value) []*ir.Value {
	if e.err != nil {
		return nil
	}
	n, err := ir.NewNode(e.node.Op, args, e.node.Attrs, e.node.Loc)
	if err != nil {
		e.err = fmt.Errorf("BUG: %w", err)
		return nil
	}
	for i, r := range n.Results {
		e.g.uses[r] = e.g.uses[e.node.Results[i]]
	}
	e.err = e.g.node(n)
	return n.Results
}

// instruction emits one that is no operation of the IR.
func (e *expansion) instruction(op string, t ir.Type, params billb.Params, args ...*ir.Value) *ir.Value {
	y := &ir.Value{Type: t}
	if e.err != nil {
		return y
	}
	in := make([]int, len(args))
	for i, a := range args {
		in[i] = e.g.operand(a)
	}
	e.err = e.g.emit(op, e.node.Loc.Name, in, []*ir.Value{y}, nil, params)
	return y
}

func (e *expansion) constant(t *ir.Tensor) *ir.Value { return ir.NewConst(t, e.node.Loc).Result() }

// number is a constant without axes.
func (e *expansion) number(d ir.DType, v float64) *ir.Value { return e.constant(ir.Scalar(d, v)) }

// constants returns the payloads of values that all are constants, or nil.
func (e *expansion) constants(args []*ir.Value) []*ir.Tensor {
	in := make([]*ir.Tensor, len(args))
	for i, a := range args {
		if a == nil {
			continue
		}
		if in[i] = e.g.constOf(a); in[i] == nil {
			return nil
		}
	}
	return in
}

// cast converts v to a float, integer or bool type; a nil v stays.
func (e *expansion) cast(v *ir.Value, d ir.DType) *ir.Value {
	if v == nil || v.Type.DType == d {
		return v
	}
	return e.op(ir.Cast, map[string]any{"to": d.String()}, v)
}

// reshape gives v another shape; a nil v stays.
func (e *expansion) reshape(v *ir.Value, shape []int) *ir.Value {
	if v == nil || ir.SameShape(v.Type.Shape, shape) {
		return v
	}
	return e.op(ir.Reshape, map[string]any{"shape": shape}, v)
}

// onAxis is the shape under which a list of parameters goes along an axis of a
// tensor of the given rank, and a single one along none.
func onAxis(count, axis, rank int) []int {
	if count == 1 {
		return []int{}
	}
	shape := make([]int, rank)
	for i := range shape {
		shape[i] = 1
	}
	shape[axis] = count
	return shape
}

func same(_ *expansion, n *ir.Node) []*ir.Value { return n.Args }

// floatConv leaves a convolution to the table. Its kernels multiply the padding, which
// weights that are no finite numbers would turn into NaN.
func floatConv(e *expansion, n *ir.Node) []*ir.Value {
	if w := e.g.constOf(n.Args[1]); w != nil && slices.ContainsFunc(n.Ints("pad"), func(p int) bool { return p > 0 }) {
		for i := range w.Len() {
			if x := w.Float(i); x-x != 0 {
				return e.missing("its weights hold %v at element %d, which has no meaning beside padding", x, i)
			}
		}
	}
	return few(e, n)
}

// few leaves a window over at most three axes to the table.
func few(e *expansion, n *ir.Node) []*ir.Value {
	if k := n.In(0).Rank() - 2; k > 3 {
		return e.missing("%d spatial axes, at most 3 have kernels", k)
	}
	return nil
}
