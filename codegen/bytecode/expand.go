package bytecode

import (
	"fmt"

	"github.com/billnet/billnet/ir"
)

// expansions are the operations that may need more than one instruction. A
// function says what the results of a node are in terms of simpler nodes and of
// instructions; nil leaves the node to its row in the table of dense operations.
//
// It is filled at the start because expanding a node emits others.
var expansions map[string]func(e *expansion, n *ir.Node) []*ir.Value

func init() {
	expansions = map[string]func(e *expansion, n *ir.Node) []*ir.Value{
		"identity": same,
		"relayout": same,
		"cast":     castTo,

		"max":  variadic,
		"min":  variadic,
		"sum":  variadic,
		"mean": mean,
		"clip": clip,

		"reshape":         reshape,
		"squeeze":         reshape,
		"unsqueeze":       reshape,
		"split":           split,
		"depth_to_space":  depthToSpace,
		"resize":          resize,
		"gather":          gather,
		"gather_elements": gather,
		"gather_nd":       gatherND,

		"conv":                few,
		"max_pool":            few,
		"min_pool":            few,
		"average_pool":        few,
		"global_average_pool": globalPool,
		"global_max_pool":     globalPool,
		"matmul":              matmul,
		"gemm":                gemm,

		"bconv":          integerConv,
		"iconv":          integerConv,
		"ilinear":        linear,
		"affine":         affine,
		"threshold":      threshold,
		"tally":          tally,
		"conv_integer":   convInteger,
		"matmul_integer": matmulInteger,
		"qlinear_conv":   qlinearConv,
		"qlinear_matmul": qlinearMatmul,

		"quant":                   single,
		"trunc_quant":             single,
		"quantize_linear":         quantizeLinear,
		"dequantize_linear":       dequantizeLinear,
		"dynamic_quantize_linear": dynamicQuantizeLinear,

		"lstm":            recurrent,
		"gru":             recurrent,
		"rnn":             recurrent,
		"quant_lstm_cell": quantLSTM,
	}
}

// expand emits a node by its expansion; it reports false when the node has none
// or leaves itself to the table.
func (g *gen) expand(n *ir.Node) (bool, error) {
	f := expansions[n.Op.Name]
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
// all operands are constants.
func (e *expansion) op(name string, attrs map[string]any, args ...*ir.Value) *ir.Value {
	if e.err != nil {
		return &ir.Value{}
	}
	n, err := ir.NewNode(name, args, attrs, e.node.Loc)
	if err != nil {
		e.err = fmt.Errorf("BUG: %w", err)
		return &ir.Value{}
	}
	if in := e.constants(args); in != nil {
		out, err := ir.EvalNode(n, in)
		if err != nil {
			e.err = err
			return &ir.Value{}
		}
		return e.constant(out[0])
	}
	e.err = e.g.node(n)
	return n.Result()
}

// again emits the node with other operands, which are not all constants, and
// returns its results.
func (e *expansion) again(args []*ir.Value) []*ir.Value {
	if e.err != nil {
		return nil
	}
	n, err := ir.NewNode(e.node.Op.Name, args, e.node.Attrs, e.node.Loc)
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
func (e *expansion) instruction(op string, t ir.Type, ints []int64, args ...*ir.Value) *ir.Value {
	y := &ir.Value{Type: t}
	if e.err != nil {
		return y
	}
	in := make([]int, len(args))
	for i, a := range args {
		in[i] = e.g.operand(a)
	}
	e.err = e.g.emit(op, e.node.Loc.Name, in, []*ir.Value{y}, nil, ints, nil)
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
	return e.op("cast", map[string]any{"to": d.String()}, v)
}

// reshape gives v another shape; a nil v stays.
func (e *expansion) reshape(v *ir.Value, shape []int) *ir.Value {
	if v == nil || ir.SameShape(v.Type.Shape, shape) {
		return v
	}
	return e.op("reshape", map[string]any{"shape": shape}, v)
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

// few leaves a window over at most three axes to the table.
func few(e *expansion, n *ir.Node) []*ir.Value {
	if k := n.In(0).Rank() - 2; k > 3 {
		return e.missing("%d spatial axes, at most 3 have kernels", k)
	}
	return nil
}
