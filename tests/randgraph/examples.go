package randgraph

import (
	"fmt"
	"slices"
	"testing"

	"github.com/billnet/billnet/frontend/bill"
	"github.com/billnet/billnet/ir"
)

// Examples is one module of the packed level with the examples of operations, all that have one there for which keep reports
// true, and inputs for it: the first operands. What is not a first operand stays a constant, since it may have to be known when
// code is generated.
func Examples(tb testing.TB, keep func(op *ir.Op) bool) (*ir.Module, []*ir.Tensor) {
	tb.Helper()
	all := &ir.Func{Name: "main"}
	var args []*ir.Tensor
	for _, op := range ir.Ops() {
		if op.Levels&ir.Packed == 0 || op == ir.Relayout || op == ir.Const || !keep(op) {
			continue
		}
		text := fmt.Sprintf("bill 1\nmodule \"example\" level=packed\n\nfunc @main() {%s\n}\n", op.Example)
		m, err := bill.Parse(op.Name, []byte(text), nil)
		if err != nil {
			tb.Fatal(err)
		}
		f := m.Main()
		for _, n := range f.Nodes {
			if n.Const == nil || !isFirst(f, n.Result()) {
				all.Nodes = append(all.Nodes, n)
				continue
			}
			v := n.Result()
			v.Def = nil
			all.Params = append(all.Params, ir.Port{Name: fmt.Sprintf("%s %d", op.Name, len(args)), Value: v})
			args = append(args, n.Const)
		}
		for i, r := range f.Results {
			all.Results = append(all.Results, ir.Port{Name: fmt.Sprintf("%s result %d", op.Name, i), Value: r.Value})
		}
	}
	m := &ir.Module{Name: "examples", Level: ir.Packed, Funcs: []*ir.Func{all}}
	if err := ir.Verify(m); err != nil {
		tb.Fatal(err)
	}
	return m, args
}

func isFirst(f *ir.Func, v *ir.Value) bool {
	return slices.ContainsFunc(f.Nodes, func(n *ir.Node) bool { return len(n.Args) > 0 && n.Args[0] == v })
}
