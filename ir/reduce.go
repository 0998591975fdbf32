package ir

// reduceFold folds f over the node's axes into a tensor of its first result's
// type that starts as first, in row-major order of x.
func reduceFold(n *Node, x *Tensor, first func(out *Tensor, i int), f32 func(a, b float32) float32, f64 func(a, b float64) float64, i64 func(a, b int64) int64) ([]*Tensor, error) {
	out := NewTensor(n.Results[0].Type)
	for i := range out.Len() {
		first(out, i)
	}
	err := reduceWalk(n, x, func(i, into int) {
		switch {
		case out.HoldsFloats():
			out.Floats()[into] = f32(out.Float32(into), x.Float32(i))
		case out.HoldsDoubles():
			out.Doubles()[into] = f64(out.Float(into), x.Float(i))
		default:
			out.Ints()[into] = i64(out.Int(into), x.Int(i))
		}
	})
	roundAll(out)
	return []*Tensor{out}, err
}

// setAll returns a function that sets an element to v, a float, or to the
// integer i64.
func setAll(v float64, i64 int64) func(out *Tensor, i int) {
	return func(out *Tensor, i int) {
		if out.HoldsInts() {
			out.Ints()[i] = i64
		} else {
			out.SetFloat(i, v)
		}
	}
}

func isOrdered(d DType) bool { return isNumber(d) || d == Bool }

// reduceReads is what an element of a reduction reads: the reduced axes as a
// whole.
func reduceReads(n *Node, axes []int) []Read {
	r := make([]Read, n.In(0).Rank())
	mask, _ := Axes(axes, len(r))
	kept := 0
	for a := range r {
		if !mask[a] {
			r[a] = same(kept)
		}
		if !mask[a] || n.Bool("keepdims") {
			kept++
		}
	}
	return r
}
