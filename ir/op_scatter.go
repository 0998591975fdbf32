package ir

import "fmt"

var Scatter = register(&Op{
	Name: "scatter",
	Doc: "y is x with rows replaced: y[rows[i], ...] = updates[i, ...], in the order of i, so that the last of equal rows stays; negative rows count from the back. With a reduction " +
		"(add, mul, max, min) the update is combined with what is there, floats rounded to their type once at the end.",
	Onnx:     "ScatterND",
	Since:    11,
	Levels:   Source | Logic | Packed,
	Kind:     Reduces,
	Operands: []Param{{Name: "x", Doc: "at least one axis"}, {Name: "rows", Doc: "i64[n], in [-d, d-1] for a first axis of size d", Index: true}, {Name: "updates", Doc: "n rows of x"}},
	Results:  []Param{{Name: "y"}},
	Attrs:    []Attr{{Name: "reduction", Kind: KString, Default: "none", Doc: "none, add, mul, max or min"}},
	Reads: func(n *Node, _, operand int) []Read {
		r := sames(n.In(operand).Rank(), 0)
		if operand > 0 { // any update may be that of a row
			r[0] = Read{}
		}
		return r
	},
	Infer: func(n *Node) ([]Type, error) {
		x, rows, upd := n.In(0), n.In(1), n.In(2)
		if rows.DType != I64 || rows.Rank() != 1 {
			return nil, fmt.Errorf("rows are %s, expected i64[n]", rows)
		}
		if x.Rank() == 0 || upd.DType != x.DType || !SameShape(upd.Shape, append([]int{rows.Shape[0]}, x.Shape[1:]...)) {
			return nil, fmt.Errorf("updates are %s, expected %d rows of %s", upd, rows.Shape[0], x)
		}
		switch r := n.Str("reduction"); {
		case r == "none":
		case scatterReductions[r] == nil:
			return nil, fmt.Errorf("reduction is %q, expected none, add, mul, max or min", r)
		case !isNumber(x.DType):
			return nil, fmt.Errorf("x is %s: reduction %s is not defined for that element type", x, r)
		}
		return []Type{x}, nil
	},
	Eval: func(n *Node, in []*Tensor) ([]*Tensor, error) {
		x, rows, upd := in[0], in[1], in[2]
		out := NewTensor(x.Type)
		copyElems(out, 0, x, 0, x.Len())
		size := Type{Shape: x.Type.Shape[1:]}.Elems()
		combine := scatterReductions[n.Str("reduction")]
		for i, row := range rows.Ints() {
			d := int64(x.Type.Shape[0])
			if row < -d || row >= d {
				return nil, fmt.Errorf("row %d is %d, expected %d to %d", i, row, -d, d-1)
			}
			if row < 0 {
				row += d
			}
			if combine == nil {
				copyElems(out, int(row)*size, upd, i*size, size)
				continue
			}
			for j := range size {
				combine(out, int(row)*size+j, upd, i*size+j)
			}
		}
		roundAll(out)
		return []*Tensor{out}, nil
	},
	Example: `
  %1 = const [1, 2, 3, 4] : f32[4]
  %2 = const [2, 0, 2] : i64[3]
  %3 = const [10, 20, 30] : f32[3]
  %4 = scatter %1, %2, %3 {reduction="add"} : f32[4]
  return %4 "y"`,
})

// scatterReductions combine element j of u into element i of t.
var scatterReductions = map[string]func(t *Tensor, i int, u *Tensor, j int){
	"add": combiner(func(a, b float32) float32 { return a + b }, func(a, b float64) float64 { return a + b }, func(a, b int64) int64 { return a + b }),
	"mul": combiner(func(a, b float32) float32 { return a * b }, func(a, b float64) float64 { return a * b }, func(a, b int64) int64 { return a * b }),
	"max": combiner(func(a, b float32) float32 { return max(a, b) }, func(a, b float64) float64 { return max(a, b) }, func(a, b int64) int64 { return max(a, b) }),
	"min": combiner(func(a, b float32) float32 { return min(a, b) }, func(a, b float64) float64 { return min(a, b) }, func(a, b int64) int64 { return min(a, b) }),
}

func combiner(f32 func(a, b float32) float32, f64 func(a, b float64) float64, i64 func(a, b int64) int64) func(t *Tensor, i int, u *Tensor, j int) {
	return func(t *Tensor, i int, u *Tensor, j int) {
		switch {
		case t.HoldsFloats():
			t.Floats()[i] = f32(t.Float32(i), u.Float32(j))
		case t.HoldsDoubles():
			t.Doubles()[i] = f64(t.Float(i), u.Float(j))
		default:
			t.Ints()[i] = WrapInt(t.Type.DType, i64(t.Int(i), u.Int(j)))
		}
	}
}
