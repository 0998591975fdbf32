package ir

import "slices"

// IndexLimits says, for every parameter of a function, how many different
// numbers from 0 on it may hold where it chooses among data: the indices of a
// gather, the lengths of a recurrent operation. It is 0 for all others.
func IndexLimits(f *Func) []int {
	limits := make([]int, len(f.Params))
	from := map[*Value]int{} // the parameter whose numbers a value has
	for i, p := range f.Params {
		if p.Value.Type.DType.IsInt() {
			from[p.Value] = i
		}
	}
	for _, n := range f.Nodes {
		for i, arg := range n.Args {
			k, ok := from[arg]
			if !ok {
				continue
			}
			if limit := n.indexLimit(i); limit > 0 && (limits[k] == 0 || limit < limits[k]) {
				limits[k] = limit
			}
			if i == 0 && len(n.Results) == 1 && (n.Op.Kind == Moves || n.Is(Cast)) && n.Results[0].Type.DType.IsInt() {
				from[n.Results[0]] = k
			}
		}
	}
	return limits
}

// indexLimit is the limit of an operand that chooses among data, 0 for another.
func (n *Node) indexLimit(operand int) int {
	if p := n.Op.operand(operand); p == nil || !p.Index {
		return 0
	}
	shape := n.In(0).Shape
	switch {
	case len(shape) == 0:
		return 1
	case n.Op.Kind == Recurs: // a length may be that of the whole sequence
		return shape[min(n.Int("layout"), len(shape)-1)] + 1
	case n.Op.attr("axis") != nil:
		if a, err := axisAttr(n, len(shape)); err == nil {
			return shape[a]
		}
	}
	return slices.Min(shape)
}

// operand is the declaration of operand i, or nil.
func (o *Op) operand(i int) *Param {
	if last := len(o.Operands) - 1; i > last && last >= 0 && o.Operands[last].Variadic {
		i = last
	}
	if i >= len(o.Operands) {
		return nil
	}
	return &o.Operands[i]
}
