package exact

import (
	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/passes"
	"github.com/billnet/billnet/passes/analysis"
)

// SinkGates is the pass sink-gates.
var SinkGates = &passes.Pass{
	Name: "sink-gates",
	Doc: "A gate of bits moves behind the pooling that alone reads it, where the largest and the smallest bit under a window allow it: " +
		"pool(f OR x) = pool(f) OR pool(x), and with a select s that is the same at all positions of a window pool(f OR (s AND x)) = pool(f) OR (s AND pool(x)), " +
		"likewise a multiplexer. A select that is counted over a whole map then waits for pooled bits only.",
	Class: passes.Exact,
	After: []string{"integers"},
	Run: passes.EachFunc(func(c *passes.Context, f *ir.Func) error {
		return c.Rewrite(f, poolOfGate)
	}),
}

// poolOfGate rewrites a pooling of a gate.
func poolOfGate(rw *passes.Rewriter, n *ir.Node) []*ir.Value {
	if !n.Is(ir.MaxPool) && !n.Is(ir.MinPool) || len(n.Results) != 1 || !n.In(0).DType.IsBit() {
		return nil
	}
	gate := ir.Def(n.Args[0])
	selects, ok := gateSelects(n.Op, gate)
	if !ok || !rw.Once(n.Args[0]) || !analysis.PoolsElements(n) {
		return nil
	}
	args, pooled := make([]*ir.Value, len(gate.Args)), 0
	for i, a := range gate.Args {
		switch {
		case sameUnderWindows(n, a.Type):
			args[i] = a
		case i >= selects && ir.SameShape(a.Type.Shape, n.In(0).Shape):
			pooled++
		default:
			return nil
		}
	}
	if pooled == 0 || selects < 0 && pooled > 1 {
		return nil
	}
	for i, a := range gate.Args {
		if args[i] == nil {
			args[i] = rw.Op(n.Op, n.Attrs, a)
		}
	}
	rw.Loc = gate.Loc
	return []*ir.Value{rw.Op(gate.Op, gate.Attrs, args...)}
}

// gateSelects returns how many of the first operands of a gate must be the same at all positions of a window for a pooling
// to go in front of it; -1 says that one of its two operands must, whichever. ok is false where no pooling does.
func gateSelects(pool *ir.Op, gate *ir.Node) (selects int, ok bool) {
	max := pool == ir.MaxPool
	switch {
	case gate.Is(ir.BitOr):
		if max {
			return 0, true
		}
		return -1, true
	case gate.Is(ir.BitAnd):
		if max {
			return -1, true
		}
		return 0, true
	case gate.Is(ir.Mux):
		return 1, true
	case gate.Is(ir.MuxOr):
		return 1, max
	}
	return 0, false
}

// sameUnderWindows reports whether a value of type t, which stretches to what n pools, is the same at all positions of any
// window.
func sameUnderWindows(n *ir.Node, t ir.Type) bool {
	x, y := n.In(0).Shape, n.Result().Type.Shape
	for a := 2; a < len(x); a++ {
		at := a - len(x) + t.Rank()
		moves := n.Ints("kernel")[a-2] != 1 || n.IntAt("stride", a-2, 1) != 1 || x[a] != y[a] || n.IntAt("pad", a-2, 0) != 0
		if moves && at >= 0 && t.Shape[at] != 1 {
			return false
		}
	}
	return true
}
