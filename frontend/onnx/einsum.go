package onnx

import (
	"slices"
	"strings"

	"github.com/billnet/billnet/ir"
)

// term is an operand of an Einsum while it is contracted: a value and the label
// of each of its axes.
type term struct {
	v      *ir.Value
	labels []rune
}

// einsum contracts its operands from left to right. Every pair becomes one
// matrix product: labels of both that are still needed are its batch, labels of
// both that are not are summed over, the others are rows or columns.
func einsum(c *call) []*ir.Value {
	terms, result := c.equation()
	acc := terms[0]
	for i, t := range terms[1:] {
		needed := slices.Clone(result)
		for _, later := range terms[i+2:] {
			needed = append(needed, later.labels...)
		}
		acc = c.contract(c.sumOut(acc, append(slices.Clone(t.labels), needed...)), c.sumOut(t, append(slices.Clone(acc.labels), needed...)), needed)
	}
	acc = c.sumOut(acc, result)
	return one(c.arrange(acc, result).v)
}

// equation reads the operands' labels and those of the result. Axes under an
// ellipsis have labels of their own, counted from the last.
func (c *call) equation() (terms []term, result []rune) {
	text := strings.ReplaceAll(c.str("equation", ""), " ", "")
	left, right, explicit := strings.Cut(text, "->")
	parts := strings.Split(left, ",")
	if len(parts) != len(c.args) {
		c.failf("equation %q has %d operands, there are %d", text, len(parts), len(c.args))
	}
	most := 0
	var all []rune
	for i, part := range parts {
		t := term{v: c.args[i], labels: c.labels(part, c.args[i].Type.Rank())}
		most = max(most, len(t.labels)-len(strings.ReplaceAll(part, "...", "")))
		all = append(all, t.labels...)
		terms = append(terms, c.diagonals(t))
	}
	if explicit {
		result = c.labels(right, len(strings.ReplaceAll(right, "...", ""))+b2i(strings.Contains(right, "..."))*most)
	} else {
		result = implicit(all, most)
	}
	for i, l := range result {
		if slices.Contains(result[:i], l) || !slices.ContainsFunc(terms, func(t term) bool { return slices.Contains(t.labels, l) }) {
			c.failf("equation %q: label %q of the result is there twice, or in no operand", text, l)
		}
	}
	c.sameSizes(text, terms)
	return terms, result
}

// ellipsisLabel stands for the axis k places before the end of an ellipsis.
func ellipsisLabel(k int) rune { return rune(-1 - k) }

// labels spells out one side of an equation for a rank.
func (c *call) labels(part string, rank int) []rune {
	before, after, dots := strings.Cut(part, "...")
	hidden := rank - len(before) - len(after)
	if hidden < 0 || !dots && hidden != 0 || dots && strings.Contains(after, "...") {
		c.failf("equation: %q does not fit %d axes", part, rank)
	}
	labels := []rune(before)
	for k := hidden - 1; k >= 0; k-- {
		labels = append(labels, ellipsisLabel(k))
	}
	labels = append(labels, []rune(after)...)
	for _, l := range labels {
		if l >= 0 && (l < 'A' || l > 'z' || l > 'Z' && l < 'a') {
			c.failf("equation: %q is no letter", l)
		}
	}
	return labels
}

// implicit is the result of an equation without one: the ellipsis, then the
// labels that occur once, sorted.
func implicit(labels []rune, hidden int) (result []rune) {
	count := make(map[rune]int)
	for _, l := range labels {
		count[l]++
	}
	for k := hidden - 1; k >= 0; k-- {
		result = append(result, ellipsisLabel(k))
	}
	var letters []rune
	for l, n := range count {
		if l >= 0 && n == 1 {
			letters = append(letters, l)
		}
	}
	slices.Sort(letters)
	return append(result, letters...)
}

// sameSizes checks that axes of one label have one size, or 1.
func (c *call) sameSizes(text string, terms []term) {
	size := make(map[rune]int)
	for i, t := range terms {
		for a, l := range t.labels {
			d := t.v.Type.Shape[a]
			if old, ok := size[l]; ok && old != d && old != 1 && d != 1 {
				c.failf("equation %q: label %q is %d, in operand %d (%s) it is %d", text, l, old, i, t.v.Type, d)
			}
			size[l] = max(size[l], d)
		}
	}
}

// diagonals keeps the diagonal of axes with the same label: elements elsewhere
// are masked, and one of the axes is summed over.
func (c *call) diagonals(t term) term {
	for a := 0; a < len(t.labels); a++ {
		b := slices.Index(t.labels[a+1:], t.labels[a])
		if b < 0 {
			continue
		}
		b += a + 1
		rank := len(t.labels)
		if t.v.Type.Shape[a] != t.v.Type.Shape[b] {
			c.failf("axes %d and %d of %s have one label and different sizes", a, b, t.v.Type)
		}
		on := c.op(ir.Equal, c.counter(t.v.Type.Shape[a], a, rank), c.counter(t.v.Type.Shape[b], b, rank))
		v := c.op(ir.Where, on, t.v, c.like(t.v, 0))
		v = c.emit(ir.ReduceSum, attrs{"axes": []int{b}, "keepdims": false}, v)
		t = term{v, slices.Delete(slices.Clone(t.labels), b, b+1)}
		a--
	}
	return t
}

// sumOut sums over the axes whose labels nobody needs.
func (c *call) sumOut(t term, needed []rune) term {
	var axes []int
	var kept []rune
	for a, l := range t.labels {
		if slices.Contains(needed, l) {
			kept = append(kept, l)
		} else {
			axes = append(axes, a)
		}
	}
	if axes == nil {
		return t
	}
	return term{c.emit(ir.ReduceSum, attrs{"axes": axes, "keepdims": false}, t.v), kept}
}

// contract multiplies two terms as matrices.
func (c *call) contract(a, b term, needed []rune) term {
	var batch, sum, rows, columns []rune
	for i, l := range a.labels {
		k := slices.Index(b.labels, l)
		switch {
		case k < 0:
			rows = append(rows, l)
		case slices.Contains(needed, l):
			batch = append(batch, l)
		case a.v.Type.Shape[i] != b.v.Type.Shape[k]: // one is 1: it is broadcast and summed
			return c.sumOut(c.broadcastProduct(a, b), needed)
		default:
			sum = append(sum, l)
		}
	}
	for _, l := range b.labels {
		if !slices.Contains(a.labels, l) {
			columns = append(columns, l)
		}
	}
	if len(sum) == 0 || !a.v.Type.DType.IsFloat() {
		return c.sumOut(c.broadcastProduct(a, b), needed)
	}
	a, b = c.arrange(a, slices.Concat(batch, rows, sum)), c.arrange(b, slices.Concat(batch, sum, columns))
	nb := len(batch)
	lead := func(t term) []int { return t.v.Type.Shape[:nb] }
	shape := append(c.broadcastShape(lead(a), lead(b)), append(slices.Clone(a.v.Type.Shape[nb:nb+len(rows)]), b.v.Type.Shape[nb+len(sum):]...)...)
	inner := elems(a.v.Type.Shape[nb+len(rows):])
	left := c.reshape(a.v, append(slices.Clone(lead(a)), elems(a.v.Type.Shape[nb:nb+len(rows)]), inner))
	right := c.reshape(b.v, append(slices.Clone(lead(b)), inner, elems(b.v.Type.Shape[nb+len(sum):])))
	return term{c.reshape(c.op(ir.MatMul, left, right), shape), slices.Concat(batch, rows, columns)}
}

func (c *call) broadcastShape(a, b []int) []int {
	shape, err := ir.Broadcast(a, b)
	if err != nil {
		panic(stop{err})
	}
	return slices.Clone(shape)
}

// broadcastProduct multiplies element by element over all labels of both.
func (c *call) broadcastProduct(a, b term) term {
	labels := slices.Clone(a.labels)
	for _, l := range b.labels {
		if !slices.Contains(labels, l) {
			labels = append(labels, l)
		}
	}
	return term{c.op(ir.Mul, c.arrange(a, labels).v, c.arrange(b, labels).v), labels}
}

// arrange brings a term's axes into the order of labels; an axis that it does
// not have gets size 1.
func (c *call) arrange(t term, labels []rune) term {
	var perm, shape []int
	for _, l := range labels {
		if a := slices.Index(t.labels, l); a >= 0 {
			perm = append(perm, a)
			shape = append(shape, t.v.Type.Shape[a])
		} else {
			shape = append(shape, 1)
		}
	}
	v := t.v
	if !slices.IsSorted(perm) {
		v = c.emit(ir.Transpose, attrs{"perm": perm}, v)
	}
	return term{c.reshape(v, shape), labels}
}
