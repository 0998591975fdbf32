package bill

import (
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"

	"github.com/billnet/billnet/ir"
)

// Equal compares two modules as the text form sees them: names, level, meta,
// labels and, function by function in order, ports, operations, the graph of
// operands, attributes, constants bit by bit (NaN equals NaN), types with their
// layouts, and locations' names. It returns the first difference, "" when there
// is none.
func Equal(a, b *ir.Module) (diff string) {
	switch {
	case a.Name != b.Name:
		return fmt.Sprintf("module name: %q against %q", a.Name, b.Name)
	case a.Level != b.Level:
		return fmt.Sprintf("level: %s against %s", a.Level, b.Level)
	case !maps.Equal(a.Meta, b.Meta):
		return fmt.Sprintf("meta: %q against %q", a.Meta, b.Meta)
	case (a.Labels == nil) != (b.Labels == nil) || !slices.Equal(a.Labels, b.Labels):
		return fmt.Sprintf("labels: %q against %q", a.Labels, b.Labels)
	case len(a.Funcs) != len(b.Funcs):
		return fmt.Sprintf("functions: %d against %d", len(a.Funcs), len(b.Funcs))
	}
	for i := range a.Funcs {
		if d := equalFunc(a.Funcs[i], b.Funcs[i]); d != "" {
			return fmt.Sprintf("func @%s: %s", a.Funcs[i].Name, d)
		}
	}
	return ""
}

func equalFunc(f, g *ir.Func) string {
	switch {
	case f.Name != g.Name:
		return fmt.Sprintf("name: against @%s", g.Name)
	case len(f.Params) != len(g.Params):
		return fmt.Sprintf("parameters: %d against %d", len(f.Params), len(g.Params))
	case len(f.Nodes) != len(g.Nodes):
		return fmt.Sprintf("nodes: %d against %d", len(f.Nodes), len(g.Nodes))
	case len(f.Results) != len(g.Results):
		return fmt.Sprintf("results: %d against %d", len(f.Results), len(g.Results))
	}
	twin := map[*ir.Value]*ir.Value{nil: nil} // values of f to those of g
	for i, p := range f.Params {
		q := g.Params[i]
		if p.Name != q.Name || !p.Value.Type.Equal(q.Value.Type) {
			return fmt.Sprintf("parameter %d: %q %s against %q %s", i, p.Name, p.Value.Type, q.Name, q.Value.Type)
		}
		twin[p.Value] = q.Value
	}
	for i := range f.Nodes {
		if d := equalNode(f.Nodes[i], g.Nodes[i], twin); d != "" {
			return fmt.Sprintf("node %d (%s): %s", i, f.Nodes[i].Op.Name, d)
		}
	}
	for i, p := range f.Results {
		if q := g.Results[i]; p.Name != q.Name || twin[p.Value] != q.Value {
			return fmt.Sprintf("result %d: %q against %q, or another value", i, p.Name, q.Name)
		}
	}
	return ""
}

func equalNode(n, k *ir.Node, twin map[*ir.Value]*ir.Value) string {
	switch {
	case n.Op != k.Op:
		return fmt.Sprintf("operation: against %s", k.Op.Name)
	case n.Loc.Name != k.Loc.Name:
		return fmt.Sprintf("location: %q against %q", n.Loc.Name, k.Loc.Name)
	case len(n.Args) != len(k.Args):
		return fmt.Sprintf("operands: %d against %d", len(n.Args), len(k.Args))
	case len(n.Results) != len(k.Results):
		return fmt.Sprintf("results: %d against %d", len(n.Results), len(k.Results))
	case !maps.EqualFunc(n.Attrs, k.Attrs, equalAttr):
		return fmt.Sprintf("attributes: %v against %v", n.Attrs, k.Attrs)
	case (n.Const == nil) != (k.Const == nil):
		return "one has a payload"
	}
	for i, a := range n.Args {
		if twin[a] != k.Args[i] {
			return fmt.Sprintf("operand %d is another value", i)
		}
	}
	if n.Const != nil {
		if i, same := n.Const.FirstDiff(k.Const); !same {
			return fmt.Sprintf("payload %s against %s, first difference at %d", n.Const.Type, k.Const.Type, i)
		}
	}
	for i, r := range n.Results {
		if !r.Type.Equal(k.Results[i].Type) {
			return fmt.Sprintf("result %d: %s against %s", i, r.Type, k.Results[i].Type)
		}
		twin[r] = k.Results[i]
	}
	return ""
}

// equalAttr compares attributes; floats bit by bit except that NaN equals NaN,
// and an empty list equals nil; functions as Equal compares them.
func equalAttr(a, b any) bool {
	if f, ok := a.(*ir.Func); ok {
		g, ok := b.(*ir.Func)
		return ok && f.Name == g.Name && equalFunc(f, g) == ""
	}
	sameFloat := func(x, y float64) bool {
		return math.Float64bits(x) == math.Float64bits(y) || x != x && y != y
	}
	switch x := a.(type) {
	case float64:
		y, ok := b.(float64)
		return ok && sameFloat(x, y)
	case []float64:
		y, ok := b.([]float64)
		return ok && slices.EqualFunc(x, y, sameFloat)
	case []int:
		y, ok := b.([]int)
		return ok && slices.Equal(x, y)
	case []string:
		y, ok := b.([]string)
		return ok && slices.Equal(x, y)
	}
	return reflect.DeepEqual(a, b)
}
