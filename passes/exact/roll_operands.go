package exact

import (
	"slices"

	"github.com/billnet/billnet/ir"
)

// What the steps that roll-steps has found read of others.

// stepElement is index k of an axis of a sequence, which stays as an axis of one where
// it is kept.
type stepElement struct {
	seq     *ir.Value
	axis, k int
	kept    bool
}

// elementOf says which element of a sequence a value is, nil for others.
func elementOf(v *ir.Value) *stepElement {
	n := ir.Def(v)
	switch {
	case n.Is(ir.Gather):
		idx := ir.ConstOf(n.Args[1])
		axis, err := ir.Axis(n.Int("axis"), n.In(0).Rank())
		if err != nil || idx == nil || idx.Len() != 1 || idx.Type.Rank() > 1 {
			return nil
		}
		k := int(idx.Float(0))
		if k < 0 {
			k += n.In(0).Shape[axis]
		}
		return &stepElement{n.Args[0], axis, k, idx.Type.Rank() == 1}
	case n.Is(ir.Slice):
		starts, axes := n.Ints("starts"), n.Ints("axes")
		if len(starts) != 1 {
			return nil
		}
		a := 0
		if len(axes) == 1 {
			a = axes[0]
		}
		axis, err := ir.Axis(a, n.In(0).Rank())
		if err != nil || v.Type.Shape[axis] != 1 {
			return nil
		}
		k := starts[0]
		if k < 0 {
			k += n.In(0).Shape[axis]
		}
		return &stepElement{n.Args[0], axis, min(max(k, 0), n.In(0).Shape[axis]-1), true}
	case n.Is(ir.Split):
		axis, err := ir.Axis(n.Int("axis"), n.In(0).Rank())
		if err != nil || slices.ContainsFunc(n.Results, func(r *ir.Value) bool { return r.Type.Shape[axis] != 1 }) {
			return nil
		}
		return &stepElement{n.Args[0], axis, v.Index, true}
	}
	return nil
}

// operand is what a value outside of the steps becomes.
type operand struct {
	kind   operandKind
	value  *ir.Value    // the state at first, the sequence, or what all steps read
	first  *stepElement // of a sequence: that of the first step
	stride int          // and how far the next one is
	source place        // of a state: where it is in the step before
}

// kept reports an element that has the sequence's axis.
func (o *operand) kept() bool { return o.first != nil && o.first.kept }

type operandKind uint8

const (
	repeats operandKind = iota // a value that another slot has too
	constant
	stateOf
	sequenceOf
	fixed
)

// operandsOf says what the values outside of equal steps become; it reports false where
// a step reads what no scan gives it. New nodes go to b.
func operandsOf(b *ir.Builder, steps []*step) ([]operand, bool) {
	last := steps[len(steps)-1]
	list := make([]operand, len(last.outside))
	first := map[*ir.Value]int{}
	for k, v := range last.outside {
		if _, ok := first[v]; ok {
			list[k].kind = repeats
			continue
		}
		first[v] = k
		values := make([]*ir.Value, len(steps))
		for i, st := range steps {
			values[i] = st.outside[k]
		}
		o := &list[k]
		if j, ok := steps[len(steps)-2].index[v.Def]; ok {
			*o = operand{kind: stateOf, value: values[0], source: place{j, v.Index}}
			for i := 1; i < len(steps); i++ {
				if p, ok := steps[i-1].index[values[i].Def]; !ok || p != j || values[i].Index != v.Index {
					return nil, false
				}
			}
			continue
		}
		for _, v := range values { // nothing else of these steps
			if slices.ContainsFunc(steps, func(st *step) bool { _, ok := st.index[v.Def]; return ok }) {
				return nil, false
			}
		}
		same := !slices.ContainsFunc(values, func(w *ir.Value) bool { return w != v && !equalConsts(w, v) })
		switch {
		case same && ir.ConstOf(v) != nil:
			*o = operand{kind: constant, value: v}
		case same:
			*o = operand{kind: fixed, value: v}
		case sequenceOfElements(o, values):
		case slices.ContainsFunc(values, func(w *ir.Value) bool { return ir.ConstOf(w) == nil }) || !v.Type.DType.IsFloat():
			return nil, false
		default: // constants that differ from step to step
			parts := make([]*ir.Value, len(values))
			for i, w := range values {
				parts[i] = b.Op(ir.Unsqueeze, map[string]any{"axes": []int{0}}, w)
			}
			*o = operand{kind: sequenceOf, value: b.Op(ir.Concat, map[string]any{"axis": 0}, parts...)}
		}
	}
	return list, true
}

func equalConsts(a, b *ir.Value) bool {
	x, y := ir.ConstOf(a), ir.ConstOf(b)
	return x != nil && y != nil && x.Equal(y)
}

// sequenceOfElements finds the sequence of which values are elements, equally far apart.
func sequenceOfElements(o *operand, values []*ir.Value) bool {
	first := elementOf(values[0])
	if first == nil {
		return false
	}
	stride := 0
	for i, v := range values[1:] {
		e := elementOf(v)
		if e == nil || e.seq != first.seq || e.axis != first.axis || e.kept != first.kept {
			return false
		}
		if i == 0 {
			stride = e.k - first.k
		}
		if e.k != first.k+(i+1)*stride {
			return false
		}
	}
	*o = operand{kind: sequenceOf, value: first.seq, first: first, stride: stride}
	return true
}

// sequence is the elements of n steps, along an axis.
func (o *operand) sequence(b *ir.Builder, n int) (v *ir.Value, axis int) {
	if o.first == nil {
		return o.value, 0
	}
	axis, k := o.first.axis, o.first.k
	size := o.value.Type.Shape[axis]
	if k == 0 && o.stride == 1 && n == size {
		return o.value, axis
	}
	end := k + n*o.stride
	if end < 0 {
		end = -size - 1
	}
	return b.Op(ir.Slice, map[string]any{"starts": []int{k}, "ends": []int{end}, "axes": []int{axis}, "steps": []int{o.stride}}, o.value), axis
}
