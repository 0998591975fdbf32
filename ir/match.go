package ir

// What rules that look for patterns ask of values and nodes.

// Splat returns the number when v is a constant whose elements are all equal. It
// is not ok for every other value, nil included.
func Splat(v *Value) (x float64, ok bool) {
	if c := ConstOf(v); c != nil {
		return c.Splat()
	}
	return 0, false
}

// IsSplat reports whether v is a constant with all elements x.
func IsSplat(v *Value, x float64) bool {
	s, ok := Splat(v)
	return ok && s == x
}

// Unwrap returns the first operand when v is a result of the named operation,
// else nil.
func Unwrap(v *Value, op *Op) *Value {
	if d := Def(v); d.Is(op) {
		return d.Args[0]
	}
	return nil
}

// AllAre reports whether every node of a list is one of the named operations. The
// nil that stands for a function's result among a value's uses is none.
func AllAre(nodes []*Node, ops ...*Op) bool {
	for _, n := range nodes {
		ok := false
		for _, op := range ops {
			ok = ok || n.Is(op)
		}
		if !ok {
			return false
		}
	}
	return true
}

// IntAt returns element i of an attribute that is a list of whole numbers, or def
// where the list is shorter.
func (n *Node) IntAt(attr string, i, def int) int {
	if v := n.Ints(attr); i < len(v) {
		return v[i]
	}
	return def
}

// LayerName is the name by which messages and reports call the node: that of its
// source, or where it comes from.
func (n *Node) LayerName() string {
	if n.Loc.Name != "" {
		return n.Loc.Name
	}
	return n.Loc.String()
}
