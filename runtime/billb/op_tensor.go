package billb

// Transpose is the parameters of a change of the order of axes.
type Transpose struct{ Perm []int }

// Slice is the parameters of a part of a tensor: where it starts on every axis
// and how far apart its elements are.
type Slice struct{ Start, Step []int }

// Pad is the parameters of a padding.
type Pad struct {
	Before []int // elements before every axis; fewer than 0 remove
	Mode   PadMode
}

// Scatter is the parameters of a replacement of rows.
type Scatter struct{ Reduction Reduction }

var (
	// Axis i of y is axis perm[i] of x.
	_ = register(&Op{
		Code: OpTranspose,
		Name: "transpose",
		In:   "x", Out: "y",
		Params: (*Transpose)(nil),
	})
	// The elements of x under another shape. It costs nothing when y lies where x does.
	_ = register(&Op{
		Code: OpReshape,
		Name: "reshape",
		In:   "x", Out: "y", InPlace: true,
	})
	// y[i0,i1,...] = x[start0+i0*step0, start1+i1*step1, ...]; y's shape gives the counts. A step may
	// be negative.
	_ = register(&Op{
		Code: OpSlice,
		Name: "slice",
		In:   "x", Out: "y",
		Params: (*Slice)(nil),
	})
	// The operands one after the other along an axis.
	_ = register(&Op{
		Code: OpConcat,
		Name: "concat",
		In:   "x...", Out: "y",
		Params: (*Along)(nil),
	})
	// The frames along an axis that were seen last: those of state without the first, as many as x
	// has, then those of x. All are dense, or all planes that are not split, whose frames are axis 2.
	_ = register(&Op{
		Code: OpShift,
		Name: "shift",
		In:   "state x", Out: "y", InPlace: true,
		Params: (*Along)(nil),
	})
	// y[a..., i..., b...] = x[a..., index[i...], b...] with index on one axis of x. A negative index
	// counts from the end. One that is out of range is an error: of loading when index is a constant,
	// else of the run.
	_ = register(&Op{
		Code: OpGather,
		Name: "gather",
		In:   "x index", Out: "y",
		Params: (*Along)(nil),
	})
	// x with rows replaced: y[rows[i], ...] = updates[i, ...] in the order of i, or combined with what
	// is there. A negative row counts from the end; one that is out of range ends the run with an error.
	_ = register(&Op{
		Code: OpScatter,
		Name: "scatter",
		In:   "x rows updates", Out: "y",
		Params: (*Scatter)(nil),
	})
	// x stretched to y's shape: axes of size 1 repeat, axes missing in front are added.
	_ = register(&Op{
		Code: OpExpand,
		Name: "expand",
		In:   "x", Out: "y",
	})
	// x repeated along every axis: y[i, ...] = x[i mod d, ...]. y's sizes are multiples of x's.
	_ = register(&Op{
		Code: OpTile,
		Name: "tile",
		In:   "x", Out: "y",
	})
	// Elements added before and after axes, or first removed where the numbers are negative; y's
	// shape says how many after. They are made of what is left; the constant is value, or 0.
	_ = register(&Op{
		Code: OpPad,
		Name: "pad",
		In:   "x value?", Out: "y",
		Params: (*Pad)(nil),
	})
	// y[i,j,...] = x at (i,j,...) with the coordinate on axis replaced by index[i,j,...]. Negative
	// indices count from the end; one out of range ends the run with an error.
	_ = register(&Op{
		Code: OpGatherElements,
		Name: "gather_elements",
		In:   "x index", Out: "y",
		Params: (*Along)(nil),
	})
)
