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
	all := t.Floats()
	rows, columns := t.Type.Shape[0], t.Type.Shape[t.Type.Rank()-1]
	lines := t.Len() / max(columns, 1)
	for _, f := range []struct {
		form   billb.Form
		scales int
		data   func() []byte
	}{
		{billb.Signs, lines, func() []byte { return signs(all, lines) }},
		{billb.ByRow, rows, func() []byte { return scaled(all, rows, t.Len()/rows, 1) }},
		{billb.ByColumn, columns, func() []byte { return scaled(all, columns, 1, columns) }},
		{billb.ByLine, lines, func() []byte { return scaled(all, lines, columns, 1) }},
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
func signs(v []float32, n int) []byte {
	out, bits := make([]byte, 0, 4*n), make([]byte, (len(v)+7)/8)
	for k := range n {
		at := k * (len(v) / n)
		s := float32(math.Abs(float64(v[at])))
		for i := at; i < at+len(v)/n; i++ {
			if v[i] != s && v[i] != -s || s == 0 {
				return nil
			}
			if v[i] < 0 {
				bits[i/8] |= 1 << (i % 8)
			}
		}
		out = binary.LittleEndian.AppendUint32(out, math.Float32bits(s))
	}
	return append(out, bits...)
}

// scaled is n scales and the factors of elements, nil where there are none. Scale k
// is that of the elements from k*first on, step apart.
func scaled(v []float32, n, first, step int) []byte {
	out := make([]byte, 4*n)
	var factors []byte
	line := make([]float32, len(v)/n)
	for k := range n {
		for i := range line {
			line[i] = v[k*first+i*step]
		}
		s, ok := ir.GridScale(line)
		if !ok {
			return nil
		}
		if factors == nil {
			factors = make([]byte, len(v))
		}
		binary.LittleEndian.PutUint32(out[4*k:], math.Float32bits(s))
		for i, x := range line {
			q := int8(math.Round(float64(x) / float64(s)))
			if math.Float32bits(float32(q)*s) != math.Float32bits(x) {
				return nil // a zero with a sign
			}
			factors[k*first+i*step] = byte(q)
		}
	}
	return append(out, factors...)
}
