package bytecode

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/runtime"
)

// row says how a node becomes one instruction.
type row struct {
	op     string // the instruction's name; "" is the operation's own
	consts []int  // operands that are constants read at load, in order; the others are inputs
	ints   func(n *ir.Node) []int64
	floats func(n *ir.Node) []float64
}

// onPlanes are the operations that have kernels on planes.
var onPlanes = map[string]row{
	"bconv":     {consts: []int{1, 2, 3}, ints: convInts},
	"iconv":     {consts: []int{1, 2, 3}, ints: convInts},
	"max_pool":  {op: "bit_max_pool", ints: poolInts},
	"min_pool":  {op: "bit_min_pool", ints: poolInts},
	"bit_and":   {},
	"bit_or":    {},
	"bit_xor":   {},
	"bit_not":   {},
	"mux":       {},
	"mux_or":    {},
	"count":     {ints: countMode},
	"threshold": {consts: []int{1, 2}, ints: ints("axis")},
	"relayout":  {},
	"recode":    {},
}

// dense are the operations on row-major tensors.
var dense = map[string]row{
	"threshold":        {consts: []int{1, 2}, ints: ints("axis")},
	"transpose":        {ints: perm},
	"gather":           {ints: ints("axis")},
	"slice":            {ints: sliceInts},
	"concat":           {ints: ints("axis")},
	"cast":             {},
	"to_float":         {op: "cast"},
	"affine":           {consts: []int{1, 2, 3}, ints: ints("axis")},
	"gemm":             {ints: bools("trans_a", "trans_b"), floats: floats("alpha", "beta")},
	"ilinear":          {consts: []int{1}},
	"blstm":            {consts: []int{1, 2, 3, 4}, ints: ints("sign0")},
	"lstm":             {ints: lstmInts, floats: lstmFloats},
	"gru":              {ints: gruInts, floats: lstmFloats},
	"add":              {},
	"sub":              {},
	"mul":              {},
	"div":              {},
	"pow":              {},
	"equal":            {},
	"greater":          {},
	"greater_or_equal": {},
	"less":             {},
	"less_or_equal":    {},
	"and":              {},
	"or":               {},
	"xor":              {},
	"not":              {},
	"where":            {},
	"abs":              {},
	"neg":              {},
	"ceil":             {},
	"floor":            {},
	"round":            {op: "round_half_even"},
	"sqrt":             {},
	"exp":              {},
	"log":              {},
	"sign":             {},
	"sigmoid":          {},
	"tanh":             {},
	"relu":             {},
	"identity":         {},
	"leaky_relu":       {floats: floats("alpha")},
	"hard_sigmoid":     {floats: floats("alpha", "beta")},
	"hard_swish":       {},
	"prelu":            {},
	"clip":             {},
	"softmax":          {ints: ints("axis")},
	"log_softmax":      {ints: ints("axis")},
	"step":             {ints: bools("strict", "nan")},
	"reduce_sum":       {ints: reduceAxes},
	"reduce_mean":      {ints: reduceAxes},
	"reduce_max":       {ints: reduceAxes},
	"reduce_min":       {ints: reduceAxes},
	"reduce_prod":      {ints: reduceAxes},
	"count":            {op: "reduce_sum", ints: reduceAxes},
	"conv":             {ints: denseConvInts},
	"batch_norm":       {floats: floats("epsilon")},
	"max_pool":         {ints: densePoolInts},
	"min_pool":         {ints: densePoolInts},
	"matmul":           {},
	"expand":           {},
	"tile":             {},
	"bit_and":          {},
	"bit_or":           {},
	"bit_xor":          {},
	"bit_not":          {},
	"mux":              {},
	"mux_or":           {},
}

// node emits one node.
func (g *gen) node(n *ir.Node) error {
	if n.Op.Name == "const" {
		return nil
	}
	if usesPlanes(n) {
		r, ok := onPlanes[n.Op.Name]
		if !ok {
			return fmt.Errorf("BUG: planes are given to an operation that has no kernel on them")
		}
		return g.row(r, n)
	}
	switch n.Op.Name {
	case "reshape", "squeeze", "unsqueeze", "flatten":
		return g.reshape(n)
	case "split":
		return g.split(n)
	case "bconv", "iconv":
		return g.denseConv(n)
	case "join":
		return g.join(n)
	case "tally":
		return g.tally(n)
	case "max", "min", "sum":
		return g.variadic(n)
	}
	r, ok := dense[n.Op.Name]
	if !ok {
		return errNoInstruction
	}
	return g.row(r, n)
}

func usesPlanes(n *ir.Node) bool {
	for _, a := range n.Args {
		if a != nil && a.Type.Layout.Planes {
			return true
		}
	}
	return slices.ContainsFunc(n.Results, func(v *ir.Value) bool { return v.Type.Layout.Planes })
}

// row emits a node by its row of a table.
func (g *gen) row(r row, n *ir.Node) error {
	op := r.op
	if op == "" {
		op = n.Op.Name
	}
	var in, consts []int
	for i, a := range n.Args {
		if !slices.Contains(r.consts, i) {
			in = append(in, g.operand(a))
		}
	}
	for _, i := range r.consts {
		switch t := ir.ConstOf(n.Arg(i)); {
		case n.Arg(i) == nil:
			consts = append(consts, -1)
		case t == nil:
			return fmt.Errorf("operand %s must be a constant", n.Op.Operands[i].Name)
		default:
			consts = append(consts, g.constant(t))
		}
	}
	var is []int64
	var fs []float64
	if r.ints != nil {
		is = r.ints(n)
	}
	if r.floats != nil {
		fs = r.floats(n)
	}
	if n.Is("iconv") && usesPlanes(n) {
		lo, hi, acc, err := g.bounds(n)
		if err != nil {
			return err
		}
		consts = append(consts, lo, hi)
		is = append(is, int64(acc))
	}
	return g.emit(op, n.Loc.Name, in, n.Results, consts, is, fs)
}

// bounds stores an iconv's bounds and chooses the accumulator's width: sums may
// wrap at 16 bits as long as the range of every channel fits them.
func (g *gen) bounds(n *ir.Node) (lo, hi, acc int, err error) {
	los, his := n.Ints("lo"), n.Ints("hi")
	if len(los) != n.In(1).Shape[0] || len(his) != len(los) {
		return 0, 0, 0, fmt.Errorf("BUG: no bounds of the accumulator are recorded")
	}
	l, h := ir.NewTensor(ir.T(ir.I32, len(los))), ir.NewTensor(ir.T(ir.I32, len(los)))
	acc = 16
	for i := range los {
		l.I[i], h.I[i] = int64(los[i]), int64(his[i])
		if his[i]-los[i] >= 1<<16 {
			acc = 32
		}
	}
	if d := n.Result().Type.DType; d == ir.I32 {
		acc = 32
	}
	return g.constant(l), g.constant(h), acc, nil
}

// reshape shares the memory of its operand where it can.
func (g *gen) reshape(n *ir.Node) error {
	in := g.operand(n.Args[0])
	if err := g.emit("reshape", n.Loc.Name, []int{in}, n.Results, nil, nil, nil); err != nil {
		return err
	}
	if out := g.buffer(n.Result()); in >= 0 && !g.isInput(n.Args[0]) {
		g.group[out] = g.group[in]
	}
	return nil
}

// variadic emits an operation of any number of operands as a chain of two.
func (g *gen) variadic(n *ir.Node) error {
	op := n.Op.Name
	if op == "sum" {
		op = "add"
	}
	v := n.Args[0]
	if len(n.Args) == 1 {
		return g.emit("cast", n.Loc.Name, []int{g.operand(v)}, n.Results, nil, nil, nil)
	}
	for i, a := range n.Args[1:] {
		y := n.Result()
		if i < len(n.Args)-2 {
			shape, err := ir.Broadcast(v.Type.Shape, a.Type.Shape)
			if err != nil {
				return err
			}
			y = &ir.Value{Type: ir.T(y.Type.DType, shape...)}
		}
		if err := g.emit(op, n.Loc.Name, []int{g.operand(v), g.operand(a)}, []*ir.Value{y}, nil, nil, nil); err != nil {
			return err
		}
		v = y
	}
	return nil
}

// split emits a slice for every part.
func (g *gen) split(n *ir.Node) error {
	axis, err := ir.Axis(n.Int("axis"), n.In(0).Rank())
	if err != nil {
		return err
	}
	at := 0
	for _, r := range n.Results {
		is := make([]int64, 2*n.In(0).Rank())
		is[axis] = int64(at)
		for i := n.In(0).Rank(); i < len(is); i++ {
			is[i] = 1
		}
		at += r.Type.Shape[axis]
		if len(g.uses[r]) == 0 {
			continue
		}
		if err := g.emit("slice", n.Loc.Name, []int{g.operand(n.Args[0])}, []*ir.Value{r}, nil, is, nil); err != nil {
			return err
		}
	}
	return nil
}

// denseConv emits an integer convolution on row-major tensors, and its
// threshold behind it.
func (g *gen) denseConv(n *ir.Node) error {
	in := []int{g.operand(n.Args[0]), g.operand(n.Args[1])}
	if n.Arg(2) == nil {
		return g.emit("dense_conv", n.Loc.Name, in, n.Results, nil, denseConvInts(n), nil)
	}
	z := &ir.Value{Type: n.Result().Type.With(ir.I32)}
	if err := g.emit("dense_conv", n.Loc.Name, in, []*ir.Value{z}, nil, denseConvInts(n), nil); err != nil {
		return err
	}
	t, flip := ir.ConstOf(n.Args[2]), ir.ConstOf(n.Args[3])
	if t == nil || flip == nil {
		return fmt.Errorf("t and flip must be constants")
	}
	return g.emit("threshold", n.Loc.Name, []int{g.buffer(z)}, n.Results, []int{g.constant(t), g.constant(flip)}, []int64{1}, nil)
}

// join emits pos - neg in 8-bit integers.
func (g *gen) join(n *ir.Node) error {
	var part [2]*ir.Value
	for i, a := range n.Args {
		part[i] = &ir.Value{Type: a.Type.With(ir.I8)}
		if err := g.emit("cast", n.Loc.Name, []int{g.operand(a)}, part[i:i+1], nil, nil, nil); err != nil {
			return err
		}
	}
	diff := &ir.Value{Type: n.Result().Type.With(ir.I8)}
	if err := g.emit("sub", n.Loc.Name, []int{g.buffer(part[0]), g.buffer(part[1])}, []*ir.Value{diff}, nil, nil, nil); err != nil {
		return err
	}
	return g.emit("cast", n.Loc.Name, []int{g.buffer(diff)}, n.Results, nil, nil, nil)
}

// tally emits base + b1 + b2 + ... in the result's integer type.
func (g *gen) tally(n *ir.Node) error {
	t := n.Result().Type
	sum := ir.NewTensor(ir.T(t.DType, 1))
	sum.I[0] = int64(n.Int("base"))
	acc := runtime.ConstOperand(g.constant(sum))
	for i, a := range n.Args {
		b, y := &ir.Value{Type: t}, n.Result()
		if i < len(n.Args)-1 {
			y = &ir.Value{Type: t}
		}
		if err := g.emit("cast", n.Loc.Name, []int{g.operand(a)}, []*ir.Value{b}, nil, nil, nil); err != nil {
			return err
		}
		if err := g.emit("add", n.Loc.Name, []int{g.buffer(b), acc}, []*ir.Value{y}, nil, nil, nil); err != nil {
			return err
		}
		acc = g.buffer(y)
	}
	return nil
}

// The functions below translate attributes.

func ints(names ...string) func(n *ir.Node) []int64 {
	return func(n *ir.Node) []int64 {
		var out []int64
		for _, name := range names {
			v := n.Int(name)
			if name == "axis" && v < 0 {
				v += n.In(0).Rank()
			}
			out = append(out, int64(v))
		}
		return out
	}
}

func bools(names ...string) func(n *ir.Node) []int64 {
	return func(n *ir.Node) []int64 {
		out := make([]int64, len(names))
		for i, name := range names {
			if n.Bool(name) {
				out[i] = 1
			}
		}
		return out
	}
}

func floats(names ...string) func(n *ir.Node) []float64 {
	return func(n *ir.Node) []float64 {
		var out []float64
		for _, name := range names {
			out = append(out, n.Float(name))
		}
		return out
	}
}

// spread returns the first k entries of an attribute, or fill where it is empty.
func spread(n *ir.Node, name string, k int, fill int64) []int64 {
	out := make([]int64, k)
	for i := range out {
		out[i] = fill
		if v := n.Ints(name); i < len(v) {
			out[i] = int64(v[i])
		}
	}
	return out
}

func convInts(n *ir.Node) []int64 {
	out := append(spread(n, "stride", 3, 1), spread(n, "pad", 3, 0)...)
	out = append(out, spread(n, "dilation", 3, 1)...)
	return append(out, int64(n.Int("groups")))
}

func poolInts(n *ir.Node) []int64 {
	out := append(spread(n, "kernel", 3, 1), spread(n, "stride", 3, 1)...)
	out = append(out, spread(n, "pad", 3, 0)...)
	return append(out, spread(n, "dilation", 3, 1)...)
}

func denseConvInts(n *ir.Node) []int64 {
	k := n.In(0).Rank() - 2
	out := append([]int64{int64(n.Int("groups"))}, spread(n, "stride", k, 1)...)
	out = append(out, spread(n, "pad", 2*k, 0)...)
	return append(out, spread(n, "dilation", k, 1)...)
}

func densePoolInts(n *ir.Node) []int64 {
	k := n.In(0).Rank() - 2
	out := append(spread(n, "kernel", k, 1), spread(n, "stride", k, 1)...)
	out = append(out, spread(n, "pad", 2*k, 0)...)
	return append(out, spread(n, "dilation", k, 1)...)
}

// countMode is 0 for a count over t, h and w, 1 for one over h and w.
func countMode(n *ir.Node) []int64 {
	if len(n.Ints("axes")) == 2 {
		return []int64{1}
	}
	return []int64{0}
}

func perm(n *ir.Node) []int64 {
	rank := n.In(0).Rank()
	out := make([]int64, rank)
	for i := range out {
		out[i] = int64(rank - 1 - i)
		if p := n.Ints("perm"); len(p) > 0 {
			out[i] = int64(p[i])
		}
	}
	return out
}

func reduceAxes(n *ir.Node) []int64 {
	mask, _ := ir.Axes(n.Ints("axes"), n.In(0).Rank())
	out := []int64{}
	for i, m := range mask {
		if m {
			out = append(out, int64(i))
		}
	}
	return out
}

// sliceInts returns the start and the step on every axis; counts are the
// result's shape.
func sliceInts(n *ir.Node) []int64 {
	x := n.In(0)
	out := make([]int64, 2*x.Rank())
	for i := range x.Rank() {
		out[x.Rank()+i] = 1
	}
	for i, start := range n.Ints("starts") {
		axis := i
		if a := n.Ints("axes"); len(a) > 0 {
			axis, _ = ir.Axis(a[i], x.Rank())
		}
		step := 1
		if s := n.Ints("steps"); len(s) > 0 {
			step = s[i]
		}
		size := x.Shape[axis]
		if start < 0 {
			start += size
		}
		if step < 0 {
			start = min(max(start, 0), size-1)
		} else {
			start = min(max(start, 0), size)
		}
		out[axis], out[x.Rank()+axis] = int64(start), int64(step)
	}
	return out
}

var direction = map[string]int64{"forward": 0, "reverse": 1, "bidirectional": 2}

// activation codes of the recurrent instructions.
var activation = map[string]int64{"relu": 0, "tanh": 1, "sigmoid": 2, "affine": 3, "leakyrelu": 4, "thresholdedrelu": 5, "scaledtanh": 6, "hardsigmoid": 7, "elu": 8, "softsign": 9, "softplus": 10}

// defaults are alpha and beta of the activations that have them; a NaN stands
// for a parameter that the function does not have.
var defaults = map[string][2]float64{
	"affine": {1, 0}, "leakyrelu": {0.01, nan}, "thresholdedrelu": {1, nan}, "scaledtanh": {1, 1}, "hardsigmoid": {0.2, 0.5}, "elu": {1, nan},
}

var nan = math.NaN()

func lstmInts(n *ir.Node) []int64 {
	out := []int64{direction[n.Str("direction")], int64(n.Int("layout")), bools("input_forget")(n)[0]}
	return append(out, activationCodes(n)...)
}

func gruInts(n *ir.Node) []int64 {
	out := []int64{direction[n.Str("direction")], int64(n.Int("layout")), bools("linear_before_reset")(n)[0]}
	return append(out, activationCodes(n)...)
}

func activationCodes(n *ir.Node) []int64 {
	var out []int64
	for _, a := range n.Strs("activations") {
		out = append(out, activation[strings.ToLower(a)])
	}
	return out
}

// lstmFloats returns the clip and, when the node gives any, alpha and beta of
// every activation: ONNX lists them for the functions that have one, in order.
func lstmFloats(n *ir.Node) []float64 {
	out := []float64{n.Float("clip")}
	alphas, betas := n.Floats("activation_alpha"), n.Floats("activation_beta")
	if len(alphas) == 0 && len(betas) == 0 {
		return out
	}
	take := func(list *[]float64, def float64) float64 {
		if def != def {
			return 0
		}
		if len(*list) == 0 {
			return def
		}
		v := (*list)[0]
		*list = (*list)[1:]
		return v
	}
	for _, a := range n.Strs("activations") {
		d, ok := defaults[strings.ToLower(a)]
		if !ok {
			d = [2]float64{nan, nan}
		}
		out = append(out, take(&alphas, d[0]), take(&betas, d[1]))
	}
	return out
}
