package billb

// Conv is the parameters of a convolution of planes, axes in the order t, h, w.
// Its weights are [O,C/groups,kt,kh,kw].
type Conv struct {
	Stride   [3]int `min:"1"`
	Pad      [3]int // before the first element; the result's size says how many after the last
	Dilation [3]int `min:"1"`
	Groups   int    `min:"1"`
}

// IntConv is the parameters of a convolution of integer planes.
type IntConv struct {
	Conv Conv
	Acc  int `in:"16,32"` // bits of the sums
}

// Window is how a kernel moves over the spatial axes of a dense map [N,C,...].
type Window struct {
	Stride    []int `min:"1"`
	PadBefore []int `min:"0"`
	PadAfter  []int `min:"0"`
	Dilation  []int `min:"1"`
}

// DenseConv is the parameters of a convolution of dense maps.
type DenseConv struct {
	Groups int `min:"1"`
	Window Window
}

var (
	// Binary convolution on bit planes: z[o,p] = sum over i in o's group and taps k of w[o,i,k]*x[i,
	// p*stride + k*dil - pad], zero padding adds exactly 0. y is z as i8, i16 or i32 planes, or with t
	// the bit (z >= t[o]) != flip[o].
	_ = register(&Op{
		Code: OpBConv,
		Name: "bconv",
		In:   "x", Out: "y", Consts: "w t? flip?",
		Params: (*Conv)(nil),
		macs:   func(s shapes) float64 { return perChannel(s, s.konst(0)) },
	})
	// bconv's equation on integer planes: y is z as i16 or i32 planes, or with t the bit (z >= t[o])
	// != flip[o]. lo and hi promise the range of z of every channel, which sums of the width acc must
	// hold.
	_ = register(&Op{
		Code: OpIConv,
		Name: "iconv",
		In:   "x", Out: "y", Consts: "w t? flip? lo hi",
		Params: (*IntConv)(nil),
		macs:   func(s shapes) float64 { return perChannel(s, s.konst(0)) },
	})
	// Convolution of dense floats, f32 or f64, with one to three spatial axes: y[n,o,p] = sum over i
	// in o's group and taps k of w[o,i,k]*x[n,i,p*stride + k*dilation - pad], summed over i, then k in
	// row-major order, starting at 0, without fused multiply-adds; then bias is added. Padding is 0. x
	// [N,C,...], w [O,C/groups,...], bias [O].
	_ = register(&Op{
		Code: OpConv,
		Name: "conv",
		In:   "x w bias?", Out: "y",
		Params: (*DenseConv)(nil),
		macs:   func(s shapes) float64 { return perChannel(s, s.in(1)) },
	})
	// conv's equation on dense integers, bools and logic types, x and w of any of them; y is an
	// integer that wraps.
	_ = register(&Op{
		Code: OpDenseIConv,
		Name: "dense_iconv",
		In:   "x w", Out: "y",
		Params: (*DenseConv)(nil),
		macs:   func(s shapes) float64 { return perChannel(s, s.in(1)) },
	})
)
