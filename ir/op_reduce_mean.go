package ir

import "fmt"

var reduceAttrs = []Attr{
	{Name: "axes", Kind: KInts, Default: []int{}, Doc: "axes to reduce; empty: all"},
	{Name: "keepdims", Kind: KBool, Default: true, Doc: "keep the reduced axes with size 1"},
}

var ReduceMean = register(&Op{
	Name:     "reduce_mean",
	Doc:      "Mean over axes: the float32 sum in row-major order, divided by the number of elements.",
	Onnx:     "ReduceMean",
	Since:    1,
	Levels:   Source | Logic | Packed,
	Kind:     Reduces,
	Operands: []Param{{Name: "x"}},
	Results:  []Param{{Name: "y"}},
	Attrs:    reduceAttrs,
	Infer:    reduceInfer(DType.IsFloat, Invalid),
	Eval: func(n *Node, in []*Tensor) ([]*Tensor, error) {
		out, err := reduceSum(n, in[0])
		if err != nil {
			return nil, err
		}
		count := float64(in[0].Len()) / float64(max(out.Len(), 1))
		for i := range out.Len() {
			if out.HoldsDoubles() {
				out.Doubles()[i] /= count
			} else {
				out.Floats()[i] = RoundFloat(out.Type.DType, out.Float32(i)/float32(count))
			}
		}
		return []*Tensor{out}, nil
	},
	Slope: slopes(Rising),
	Reads: func(n *Node, _, _ int) []Read { return reduceReads(n, n.Ints("axes")) },
	Example: `
  %1 = const [1, 2, 3, 4] : f32[2,2]
  %2 = reduce_mean %1 {axes=[1], keepdims=false} : f32[2]
  return %2 "y"`,
})

// reduceInfer is the inference of a reduction with attributes axes and
// keepdims. result Invalid keeps the element type.
func reduceInfer(allowed func(DType) bool, result DType) func(n *Node) ([]Type, error) {
	return func(n *Node) ([]Type, error) {
		x := n.In(0)
		if !allowed(x.DType) {
			return nil, fmt.Errorf("x is %s: not defined for that element type", x)
		}
		shape, err := reducedShape(x.Shape, n.Ints("axes"), n.Bool("keepdims"))
		if err != nil {
			return nil, err
		}
		d := result
		if d == Invalid {
			d = x.DType
		}
		return []Type{T(d, shape...)}, nil
	}
}

func reducedShape(shape, axes []int, keep bool) ([]int, error) {
	mask, err := Axes(axes, len(shape))
	if err != nil {
		return nil, err
	}
	out := []int{}
	for i, d := range shape {
		switch {
		case !mask[i]:
			out = append(out, d)
		case keep:
			out = append(out, 1)
		}
	}
	return out, nil
}

// reduceWalk calls f for every element i of x with the offset of the result
// that it is reduced into, in row-major order of x.
func reduceWalk(n *Node, x *Tensor, f func(i, into int)) error {
	shape := x.Type.Shape
	mask, err := Axes(n.Ints("axes"), len(shape))
	if err != nil {
		return err
	}
	kept, _ := reducedShape(shape, n.Ints("axes"), true)
	s := strides(kept)
	for a := range s {
		if mask[a] {
			s[a] = 0
		}
	}
	walk(shape, func(i int, off []int) { f(i, off[0]) }, s)
	return nil
}

// reduceSum sums over the node's axes into a tensor of its first result's type.
func reduceSum(n *Node, x *Tensor) (*Tensor, error) {
	out := NewTensor(n.Results[0].Type)
	for i := range out.Ints() {
		out.Ints()[i] = 0
	}
	err := reduceWalk(n, x, func(i, into int) {
		switch {
		case x.HoldsFloats() && out.HoldsFloats():
			out.Floats()[into] += x.Float32(i)
		case x.HoldsDoubles() && out.HoldsDoubles():
			out.Doubles()[into] += x.Float(i)
		default:
			out.Ints()[into] = WrapInt(out.Type.DType, out.Int(into)+x.Int(i))
		}
	})
	return out, err
}
