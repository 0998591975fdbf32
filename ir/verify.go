package ir

import (
	"fmt"
	"reflect"
)

// Verify checks that a module is well formed at its level: every operation is
// legal there, definitions come before uses, operands and attributes fit the
// operation's literal, and every recorded type is the inferred one. Layouts are
// the packed level's choice, so inference there speaks of element type and
// shape only.
func Verify(m *Module) error {
	if len(m.Funcs) == 0 {
		return fmt.Errorf("module %q has no function", m.Name)
	}
	seen := map[string]bool{}
	for _, f := range m.All() {
		if seen[f.Name] {
			return fmt.Errorf("two functions are named @%s", f.Name)
		}
		seen[f.Name] = true
		if err := verifyFunc(m, f); err != nil {
			return fmt.Errorf("func @%s: %w", f.Name, err)
		}
	}
	return nil
}

func verifyFunc(m *Module, f *Func) error {
	defined := map[*Value]bool{}
	names := map[string]bool{}
	for _, p := range f.Params {
		if names[p.Name] {
			return fmt.Errorf("two parameters are named %q", p.Name)
		}
		names[p.Name] = true
		if p.Value == nil || defined[p.Value] {
			return fmt.Errorf("parameter %q has no value of its own", p.Name)
		}
		if err := CheckShape(p.Value.Type.Shape); err != nil {
			return fmt.Errorf("parameter %q: %w", p.Name, err)
		}
		if p.Value.Def != nil {
			return fmt.Errorf("parameter %q is the result of a node", p.Name)
		}
		defined[p.Value] = true
	}
	for _, n := range f.Nodes {
		if err := verifyNode(m.Level, n, defined); err != nil {
			return fmt.Errorf("%s (%s): %w", n.Loc, n.Op.Name, err)
		}
		for _, r := range n.Results {
			if defined[r] {
				return fmt.Errorf("%s (%s): a result is defined twice: the node is listed twice", n.Loc, n.Op.Name)
			}
			defined[r] = true
		}
	}
	names = map[string]bool{}
	for _, r := range f.Results {
		if names[r.Name] {
			return fmt.Errorf("two results are named %q", r.Name)
		}
		names[r.Name] = true
		if !defined[r.Value] {
			return fmt.Errorf("result %q is not defined in the function", r.Name)
		}
	}
	return nil
}

func verifyNode(level Level, n *Node, defined map[*Value]bool) error {
	if n.Op.Levels&level == 0 {
		return fmt.Errorf("not an operation of the %s level", level)
	}
	for i, a := range n.Args {
		if a != nil && !defined[a] {
			return fmt.Errorf("operand %d is used before it is defined", i)
		}
	}
	if err := n.checkForm(); err != nil {
		return err
	}
	for name, v := range n.Attrs {
		a := n.Op.attr(name)
		if a == nil {
			return fmt.Errorf("no attribute %q; it has %v", name, n.Op.attrNames())
		}
		if reflect.TypeOf(v) != kindType[a.Kind] {
			return fmt.Errorf("attribute %s is %v (%T), expected %s", name, v, v, a.Kind)
		}
	}
	if n.Const != nil && n.Op != Const {
		return fmt.Errorf("only a const has a payload")
	}
	types, err := n.Op.Infer(n)
	if err != nil {
		return err
	}
	if len(types) != len(n.Results) {
		return fmt.Errorf("%d results, expected %d", len(n.Results), len(types))
	}
	for i, t := range types {
		r := n.Results[i]
		if r.Def != n || r.Index != i {
			return fmt.Errorf("result %d does not point back to its node", i)
		}
		if r.Type.DType != t.DType || !SameShape(r.Type.Shape, t.Shape) {
			return fmt.Errorf("result %d is recorded as %s, inferred as %s", i, r.Type, t)
		}
		if r.Type.Layout != (Layout{}) && level != Packed {
			return fmt.Errorf("result %d has a layout at the %s level", i, level)
		}
	}
	return nil
}
