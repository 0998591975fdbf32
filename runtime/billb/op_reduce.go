package billb

// Reduce is the parameters of a reduction.
type Reduce struct{ Axes []int }

// ArgMax is the parameters of the search for a largest element.
type ArgMax struct {
	Axis       int `min:"0"`
	SelectLast bool
}

// TopK is the parameters of the search for the k largest elements, or the smallest.
type TopK struct {
	Axis    int `min:"0"`
	Largest bool
}

var (
	// Sum over axes, starting at 0; integers wrap. y has x's type, or i32 or i64 for an integer, bool
	// or logic x. The axes ascend; y keeps them with size 1 or drops them.
	_ = register(&Op{
		Code: OpReduceSum,
		Name: "reduce_sum",
		In:   "x", Out: "y",
		Params: (*Reduce)(nil),
	})
	// Sum over axes, starting at 0, divided by the number of elements; floats only. The axes ascend; y
	// keeps them with size 1 or drops them.
	_ = register(&Op{
		Code: OpReduceMean,
		Name: "reduce_mean",
		In:   "x", Out: "y",
		Params: (*Reduce)(nil),
	})
	// Largest element over axes; NaN wins. Over no elements the smallest value of the type, -inf for
	// floats. The axes ascend; y keeps them with size 1 or drops them.
	_ = register(&Op{
		Code: OpReduceMax,
		Name: "reduce_max",
		In:   "x", Out: "y",
		Params: (*Reduce)(nil),
	})
	// Smallest element over axes; NaN wins. Over no elements the largest value of the type, inf for
	// floats. The axes ascend; y keeps them with size 1 or drops them.
	_ = register(&Op{
		Code: OpReduceMin,
		Name: "reduce_min",
		In:   "x", Out: "y",
		Params: (*Reduce)(nil),
	})
	// Product over axes, starting at 1; integers wrap. The axes ascend; y keeps them with size 1 or
	// drops them.
	_ = register(&Op{
		Code: OpReduceProd,
		Name: "reduce_prod",
		In:   "x", Out: "y",
		Params: (*Reduce)(nil),
	})
	// Index of the largest element along an axis: the first of equals, or the last with select_last.
	// NaN counts as larger than everything. y is i64 or i32 and keeps the axis with size 1 or drops
	// it.
	_ = register(&Op{
		Code: OpArgMax,
		Name: "arg_max",
		In:   "x", Out: "y",
		Params: (*ArgMax)(nil),
	})
	// The largest elements along an axis, or the smallest, in order, and their positions (i64); y's
	// size on the axis says how many. Of equal elements the first comes first. NaN counts as larger
	// than everything.
	_ = register(&Op{
		Code: OpTopK,
		Name: "top_k",
		In:   "x", Out: "y indices",
		Params: (*TopK)(nil),
	})
)
