package ir_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/billnet/billnet/frontend/bill"
	"github.com/billnet/billnet/ir"
)

// exampleModule parses an operation's example as the body of a module at the
// first level where the operation is legal.
func exampleModule(op *ir.Op) (*ir.Module, error) {
	level := ir.Source
	for op.Levels&level == 0 && level < ir.Packed {
		level <<= 1
	}
	text := fmt.Sprintf("bill 1\nmodule \"example\" level=%s\n\nfunc @main() {%s\n}\n", level, op.Example)
	return bill.Parse(op.Name, []byte(text), nil)
}

// TestOps walks all operations: the literal is complete, and its example
// parses, verifies, prints, parses back to itself and evaluates.
func TestOps(t *testing.T) {
	for _, op := range ir.Ops() {
		t.Run(op.Name, func(t *testing.T) {
			checkLiteral(t, op)
			m, err := exampleModule(op)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.ContainsFunc(m.Main().Nodes, func(n *ir.Node) bool { return n.Op == op }) {
				t.Errorf("the example does not use the operation")
			}
			text, data := ir.Print(m, "data")
			back, err := bill.Parse("printed", []byte(text), func(string) ([]byte, error) { return data, nil })
			if err != nil {
				t.Fatalf("%v\n%s", err, text)
			}
			if d := bill.Equal(m, back); d != "" {
				t.Fatalf("%s\n%s", d, text)
			}
			if err := ir.Verify(back); err != nil {
				t.Fatal(err)
			}
			out, err := ir.Eval(context.Background(), m.Main(), nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			if len(out) == 0 {
				t.Error("the example returns nothing")
			}
			for i, x := range out {
				if allNaN(x) {
					t.Errorf("result %d is %s and holds no number", i, x.Type)
				}
			}
		})
	}
}

func allNaN(x *ir.Tensor) bool {
	for i := range x.Len() {
		if !math.IsNaN(x.Float(i)) {
			return false
		}
	}
	return true
}

func checkLiteral(t *testing.T, op *ir.Op) {
	t.Helper()
	if op.Doc == "" || op.Levels == 0 || op.Infer == nil || op.Eval == nil || op.Example == "" || len(op.Results) == 0 {
		t.Fatal("the literal lacks one of Doc, Levels, Infer, Eval, Example, Results")
	}
	if (op.Onnx != "") != (op.Since > 0) {
		t.Errorf("it stands for the operator %q of operator set %d: both are given or none", op.Onnx, op.Since)
	}
	if !strings.HasSuffix(strings.TrimSpace(op.Doc), ".") {
		t.Errorf("the documentation is no sentence: %q", op.Doc)
	}
	seen := map[string]bool{}
	for _, list := range [][]ir.Param{op.Operands, op.Results} {
		clear(seen)
		for i, p := range list {
			if p.Name == "" || seen[p.Name] {
				t.Errorf("operand or result %d has no name of its own: %q", i, p.Name)
			}
			seen[p.Name] = true
			if p.Variadic && i+1 < len(list) {
				t.Errorf("%s is variadic and not the last", p.Name)
			}
		}
	}
	clear(seen)
	for _, a := range op.Attrs {
		if a.Name == "" || a.Doc == "" || seen[a.Name] {
			t.Errorf("attribute %q has no name of its own or no documentation", a.Name)
		}
		seen[a.Name] = true
		if a.Default == nil {
			continue
		}
		n := &ir.Node{Op: op}
		if err := n.SetAttr(a.Name, a.Default); err != nil {
			t.Errorf("the default does not fit: %v", err)
		}
		if n.Has(a.Name) {
			t.Errorf("attribute %s is stored although it is the default", a.Name)
		}
	}
}

// TestOpsMutated changes the operands' types and the attributes of every
// example at random: inference answers with types or an error, and what it
// accepts evaluates to tensors of these types or to an error. Nothing panics.
func TestOpsMutated(t *testing.T) {
	for _, op := range ir.Ops() {
		if op == ir.Const {
			continue
		}
		t.Run(op.Name, func(t *testing.T) {
			m, err := exampleModule(op)
			if err != nil {
				t.Skip("the example does not parse")
			}
			var examples []*ir.Node
			for _, n := range m.Main().Nodes {
				if n.Op == op {
					examples = append(examples, n)
				}
			}
			rng := rand.New(rand.NewPCG(1, 2))
			evaluated := 0
			for range 400 {
				args, attrs, tame := mutate(rng, examples[rng.IntN(len(examples))])
				what := describeCall(op, args, attrs)
				if tryNode(t, rng, op, args, attrs, tame, what) {
					evaluated++
				}
				if t.Failed() {
					return
				}
			}
			if evaluated == 0 {
				t.Error("no variant evaluates")
			}
		})
	}
}

// tryNode infers and, when the sizes are small, evaluates; it reports whether
// evaluation gave a result.
func tryNode(t *testing.T, rng *rand.Rand, op *ir.Op, args []*ir.Value, attrs map[string]any, tame bool, what string) bool {
	defer func() {
		if r := recover(); r != nil {
			t.Errorf("%s panics: %v", what, r)
		}
	}()
	n, err := ir.NewNode(op, args, attrs, ir.Loc{})
	if err != nil {
		return false
	}
	const most = 1 << 12
	in := make([]*ir.Tensor, len(args))
	for i, a := range args {
		if a == nil {
			continue
		}
		if a.Type.Elems() > most {
			return false
		}
		in[i] = randomTensor(rng, a.Type)
	}
	for _, r := range n.Results {
		if r.Type.Elems() > most {
			return false
		}
	}
	if !tame {
		return false
	}
	_, err = ir.EvalNode(n, in)
	if err != nil && strings.Contains(err.Error(), "BUG") {
		t.Errorf("%s: %v", what, err)
	}
	return err == nil
}

func describeCall(op *ir.Op, args []*ir.Value, attrs map[string]any) string {
	var types []string
	for _, a := range args {
		if a == nil {
			types = append(types, "_")
		} else {
			types = append(types, a.Type.String())
		}
	}
	return fmt.Sprintf("%s %s %v", op.Name, strings.Join(types, ", "), attrs)
}

// mutate copies an example's operand types and attributes with up to three
// changes. tame says that no attribute is so large that a loop over it would
// not end.
func mutate(rng *rand.Rand, n *ir.Node) (args []*ir.Value, attrs map[string]any, tame bool) {
	for _, a := range n.Args {
		if a == nil {
			args = append(args, nil)
			continue
		}
		args = append(args, &ir.Value{Type: ir.T(a.Type.DType, slices.Clone(a.Type.Shape)...)})
	}
	attrs = map[string]any{}
	for k, v := range n.Attrs {
		attrs[k] = v
	}
	tame = true
	for range rng.IntN(4) {
		if len(n.Op.Attrs) > 0 && rng.IntN(2) == 0 {
			a := n.Op.Attrs[rng.IntN(len(n.Op.Attrs))]
			old, ok := attrs[a.Name]
			if !ok {
				old = a.Default
			}
			v, small := mutateAttr(rng, a.Kind, old)
			attrs[a.Name], tame = v, tame && small
			continue
		}
		if len(args) == 0 {
			continue
		}
		i := rng.IntN(len(args))
		switch rng.IntN(12) {
		case 0:
			args[i] = nil
		case 1:
			args = args[:i]
		case 2:
			args = append(args, args[i])
		default:
			if args[i] != nil {
				args[i] = &ir.Value{Type: mutateType(rng, args[i].Type)}
			}
		}
	}
	return args, attrs, tame
}

func mutateType(rng *rand.Rand, t ir.Type) ir.Type {
	shape := slices.Clone(t.Shape)
	switch k := rng.IntN(5); {
	case k == 0:
		return ir.T(ir.F32+ir.DType(rng.IntN(int(ir.Tern))), shape...)
	case k == 1:
		return ir.T(t.DType, append(shape, rng.IntN(4))...)
	case k == 2 && len(shape) > 0:
		return ir.T(t.DType, shape[1:]...)
	case len(shape) > 0:
		shape[rng.IntN(len(shape))] = rng.IntN(6)
	}
	return ir.T(t.DType, shape...)
}

func mutateAttr(rng *rand.Rand, kind ir.Kind, old any) (v any, small bool) {
	number := func() int {
		switch rng.IntN(8) {
		case 0:
			small = false
			return []int{math.MaxInt, math.MinInt, math.MaxInt >> 23, math.MinInt >> 23, 1<<31 - 1}[rng.IntN(5)]
		default:
			return rng.IntN(9) - 3
		}
	}
	float := func() float64 {
		return []float64{0, -1, 0.5, 3, 1e30, math.Inf(1), math.Inf(-1), math.NaN()}[rng.IntN(8)]
	}
	word := func() string {
		return []string{"", "f32", "i8", "bit", "sbit", "bool", "f16", "forward", "reverse", "bidirectional", "constant", "edge", "reflect", "wrap", "tanh", "Tanh", "Relu", "floor", "x"}[rng.IntN(19)]
	}
	small = true
	switch kind {
	case ir.KFunc:
		v = []any{old, (*ir.Func)(nil), &ir.Func{Name: "empty"}}[rng.IntN(3)]
	case ir.KInt:
		v = number()
	case ir.KFloat:
		v = float()
	case ir.KString:
		v = word()
	case ir.KBool:
		v = rng.IntN(2) == 0
	case ir.KInts:
		list, _ := old.([]int)
		v = mutateList(rng, list, number)
	case ir.KFloats:
		list, _ := old.([]float64)
		v = mutateList(rng, list, float)
	case ir.KStrings:
		list, _ := old.([]string)
		v = mutateList(rng, list, word)
	}
	return v, small
}

func mutateList[T any](rng *rand.Rand, list []T, elem func() T) []T {
	list = slices.Clone(list)
	switch k := rng.IntN(6); {
	case k == 0:
		return append(list, elem())
	case k == 1 && len(list) > 0:
		return list[1:]
	case len(list) > 0:
		list[rng.IntN(len(list))] = elem()
	default:
		return []T{elem()}
	}
	return list
}

func randomTensor(rng *rand.Rand, t ir.Type) *ir.Tensor {
	x := ir.NewTensor(t)
	for i := range x.Len() {
		v := rng.NormFloat64() * 3
		if t.DType == ir.SBit {
			v = math.Copysign(1, v)
		}
		x.SetFloat(i, v)
	}
	return x
}
