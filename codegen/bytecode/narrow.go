package bytecode

import (
	"encoding/binary"
	"math"

	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/runtime/billb"
)

// narrowFrom is the number of elements from which a constant is worth narrowing.
const narrowFrom = 512

// narrows reports whether there are narrower forms of a constant's type.
func narrows(t *ir.Tensor) bool {
	d := t.Type.DType
	return t.HoldsFloats() || d == ir.I16 || d == ir.I32 || d == ir.I64
}

// narrow is the constant in the form of the fewest bytes that gives its elements
// exactly, as weights that were stored as int8 or float16 have them.
func narrow(t *ir.Tensor) billb.Const {
	e, _ := elem(t.Type.DType)
	c := billb.Const{Elem: e, Shape: t.Type.Shape}
	if t.Len() < narrowFrom {
		c.Data = dataOf(t)
		return c
	}
	t = t.Compact()
	if !t.HoldsFloats() {
		c.Form, c.Data = stored(t, billb.Bytes, ir.I8)
		return c
	}
	rows, columns := t.Type.Shape[0], t.Type.Shape[t.Type.Rank()-1]
	lines := t.Len() / max(columns, 1)
	for _, f := range []struct {
		form   billb.Form
		scales int
		data   func() []byte
	}{
		{billb.Signs, lines, func() []byte { return signs(t, lines) }},
		{billb.ByRow, rows, func() []byte { return scaled(t, rows, t.Len()/rows, 1) }},
		{billb.ByColumn, columns, func() []byte { return scaled(t, columns, 1, columns) }},
		{billb.ByLine, lines, func() []byte { return scaled(t, lines, columns, 1) }},
	} {
		if 8*f.scales > t.Len() {
			continue // the scales would take half of what is won, or more
		}
		if c.Data = f.data(); c.Data != nil {
			c.Form = f.form
			return c
		}
	}
	if c.Form, c.Data = stored(t, billb.Half, ir.F16); c.Form == billb.Plain {
		c.Form, c.Data = stored(t, billb.BFloat, ir.BF16)
	}
	return c
}

// stored is a constant in a form for the elements of type d, if its own are such,
// else as it is.
func stored(t *ir.Tensor, form billb.Form, d ir.DType) (billb.Form, []byte) {
	if t.Fits(d) {
		return form, t.Convert(d).Data()
	}
	return billb.Plain, dataOf(t)
}

// signs is a scale for each of n lines and the signs of elements, nil where
// magnitudes differ within a line.
func signs(t *ir.Tensor, n int) []byte {
	var out []byte
	bits, line := make([]byte, (t.Len()+7)/8), t.Len()/n
	for k := range n {
		s := float32(math.Abs(t.Float(k * line)))
		for at, run := range t.FloatRuns(k*line, (k+1)*line) {
			for i, x := range run {
				if x != s && x != -s || s == 0 {
					return nil
				}
				if x < 0 {
					bits[(at+i)/8] |= 1 << ((at + i) % 8)
				}
			}
		}
		out = binary.LittleEndian.AppendUint32(out, math.Float32bits(s))
	}
	return append(out, bits...)
}

// scaled is n scales and the factors of elements, nil where there are none. Scale k
// is that of the elements from k*first on, step apart.
func scaled(t *ir.Tensor, n, first, step int) []byte {
	var out []byte
	size := t.Len() / n
	q := make([]int8, size)
	for k := range n {
		line := lineOf(t, k*first, size, step)
		s, ok := line.GridScale(0, size, q)
		if !ok {
			return nil
		}
		if out == nil {
			out = make([]byte, 4*n+t.Len())
		}
		binary.LittleEndian.PutUint32(out[4*k:], math.Float32bits(s))
		for i, f := range q {
			if math.Float32bits(float32(f)*s) != math.Float32bits(line.Float32(i)) {
				return nil // a zero with a sign
			}
			out[4*n+k*first+i*step] = byte(f)
		}
	}
	return out
}

// lineOf is n elements from one on, step apart.
func lineOf(t *ir.Tensor, from, n, step int) *ir.Tensor {
	if step == 1 {
		return ir.FloatTensor(t.FloatRange(from, from+n), n)
	}
	line := make([]float32, n)
	for i := range line {
		line[i] = t.Float32(from + i*step)
	}
	return ir.FloatTensor(line, n)
}
