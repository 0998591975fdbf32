package billb

// Along is the parameters of an operation that goes along one axis.
type Along struct {
	Axis int `min:"0"`
}

// Count is the parameters of a count of bits.
type Count struct{ Mode CountMode }

// Step is the parameters of the binary activation.
type Step struct {
	Strict bool
	NaN    bool `name:"nan"` // the bit that NaN gives
}

var (
	// The same elements in another layout: dense to planes, planes to dense, or planes to planes with
	// other halos or phases.
	_ = register(&Op{
		Code: OpRelayout,
		Name: "relayout",
		In:   "x", Out: "y",
	})
	// y is set where a or b is. Planes of one geometry, or planes a and a dense b of one bit a
	// channel, or dense operands that broadcast.
	_ = register(&Op{
		Code: OpBitOr,
		Name: "bit_or",
		In:   "a b", Out: "y", InPlace: true,
	})
	// y is set where a and b are. Operands as bit_or's.
	_ = register(&Op{
		Code: OpBitAnd,
		Name: "bit_and",
		In:   "a b", Out: "y", InPlace: true,
	})
	// y is set where a and b differ. Operands as bit_or's.
	_ = register(&Op{
		Code: OpBitXor,
		Name: "bit_xor",
		In:   "a b", Out: "y", InPlace: true,
	})
	// y is set where a is not. Planes of one geometry, or dense.
	_ = register(&Op{
		Code: OpBitNot,
		Name: "bit_not",
		In:   "a", Out: "y", InPlace: true,
	})
	// y = a or b on dense bool, bit or sbit, which broadcast.
	_ = register(&Op{
		Code: OpOr,
		Name: "or",
		In:   "a b", Out: "y", InPlace: true,
	})
	// y = a and b on dense bool, bit or sbit, which broadcast.
	_ = register(&Op{
		Code: OpAnd,
		Name: "and",
		In:   "a b", Out: "y", InPlace: true,
	})
	// y = a or b but not both, on dense bool, bit or sbit, which broadcast.
	_ = register(&Op{
		Code: OpXor,
		Name: "xor",
		In:   "a b", Out: "y", InPlace: true,
	})
	// y = not a on dense bool, bit or sbit.
	_ = register(&Op{
		Code: OpNot,
		Name: "not",
		In:   "a", Out: "y", InPlace: true,
	})
	// y = a where s is clear, b where s is set. a, b and y are planes of one geometry, s too or a
	// dense vector of one bit a channel; or all are dense and broadcast.
	_ = register(&Op{
		Code: OpMux,
		Name: "mux",
		In:   "s a b", Out: "y", InPlace: true,
	})
	// The MUX-OR residual: y = f OR (s AND x). Operands as mux's.
	_ = register(&Op{
		Code: OpMuxOr,
		Name: "mux_or",
		In:   "s f x", Out: "y", InPlace: true,
	})
	// Sum of every channel of bit planes: for bit the number of ones, for sbit that of +1 less that of
	// -1. With mode c it is over t, h and w, and y has C elements; with ct and tc it is over h and w,
	// and y is [C,T] or [T,C]. y is dense i32 of any shape with as many elements.
	_ = register(&Op{
		Code: OpCount,
		Name: "count",
		In:   "x", Out: "y",
		Params: (*Count)(nil),
	})
	// y = (x >= t[c]) != flip[c], c the index on the channel axis. x is dense and no float, or i16 or
	// i32 planes with y bit planes of the same shape. For dense operands t may have one element. The
	// axis is 1 for planes.
	_ = register(&Op{
		Code: OpThreshold,
		Name: "threshold",
		In:   "x", Out: "y", Consts: "t flip?", InPlace: true,
		Params: (*Along)(nil),
	})
	// The binary activation: y is set where x > 0 (strict) or x >= 0 (not strict); NaN gives the bit
	// nan.
	_ = register(&Op{
		Code: OpStep,
		Name: "step",
		In:   "x", Out: "y",
		Params: (*Step)(nil),
	})
	// The same bits under another encoding: bit, sbit and bool into one another (a set bit is 1 or
	// +1). On planes it costs nothing when y lies where x does.
	_ = register(&Op{
		Code: OpRecode,
		Name: "recode",
		In:   "x", Out: "y", InPlace: true,
	})
	// A tern from two dense bits: y = pos - neg. Where both are set y is 0.
	_ = register(&Op{
		Code: OpJoin,
		Name: "join",
		In:   "pos neg", Out: "y", InPlace: true,
	})
)
