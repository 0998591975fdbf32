package billb

// BitPool is the parameters of a pooling of bit planes, axes in the order t, h, w.
type BitPool struct {
	Kernel   [3]int `min:"1"`
	Stride   [3]int `min:"1"`
	Pad      [3]int // before the first element
	Dilation [3]int `min:"1"`
}

// Pool is the parameters of a pooling of dense maps.
type Pool struct {
	Kernel []int `min:"1"`
	Window Window
}

// AveragePool is the parameters of a mean over windows.
type AveragePool struct {
	Pool            Pool
	CountIncludePad bool
}

var (
	// OR of the bits under a window; padding is ignored.
	_ = register(&Op{
		Code: OpBitMaxPool,
		Name: "bit_max_pool",
		In:   "x", Out: "y",
		Params: (*BitPool)(nil),
	})
	// AND of the bits under a window; padding is ignored.
	_ = register(&Op{
		Code: OpBitMinPool,
		Name: "bit_min_pool",
		In:   "x", Out: "y",
		Params: (*BitPool)(nil),
	})
	// Largest element under a window of dense x [N,C,...] with one to three spatial axes, any type;
	// padding is ignored, NaN wins. A window that lies in the padding gives the smallest value of the
	// type, -inf for floats.
	_ = register(&Op{
		Code: OpMaxPool,
		Name: "max_pool",
		In:   "x", Out: "y",
		Params: (*Pool)(nil),
	})
	// Smallest element under a window, as max_pool.
	_ = register(&Op{
		Code: OpMinPool,
		Name: "min_pool",
		In:   "x", Out: "y",
		Params: (*Pool)(nil),
	})
	// Mean under a window of dense floats: the sum of the taps in row-major order, divided by the
	// number of taps that are not in the padding, or with count_include_pad not outside of it.
	_ = register(&Op{
		Code: OpAveragePool,
		Name: "average_pool",
		In:   "x", Out: "y",
		Params: (*AveragePool)(nil),
	})
)
