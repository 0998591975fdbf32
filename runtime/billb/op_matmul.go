package billb

// Gemm is the parameters of a matrix product with factors.
type Gemm struct {
	TransA, TransB bool
	Alpha, Beta    float64
}

var (
	// y = alpha * A B + beta * c with A = a or its transpose [M,K], B = b or its transpose [K,N]; c
	// broadcasts to y [M,N]. Sums run over k in ascending order and start at 0, without fused
	// multiply-adds. f32 or f64.
	_ = register(&Op{
		Code: OpGemm,
		Name: "gemm",
		In:   "a b c?", Out: "y",
		Params: (*Gemm)(nil),
		macs:   func(s shapes) float64 { return volume(s.in(0)) * volume(s.out(0)[1:]) },
	})
	// Matrix product over the last two axes: y[...,i,j] = sum over k of a[...,i,k]*b[...,k,j]; the
	// axes before broadcast. An operand with one axis is a row (a) or a column (b), and its axis is
	// dropped from y. Sums run over k in ascending order and start at 0, without fused multiply-adds.
	// f32, f64, i32 or i64; integers wrap.
	_ = register(&Op{
		Code: OpMatMul,
		Name: "matmul",
		In:   "a b", Out: "y",
		macs: func(s shapes) float64 {
			a := s.in(0)
			return volume(s.out(0)) * float64(a[len(a)-1])
		},
	})
	// Integer linear layer: z[..., o] = sum over k of w[o,k]*x[..., k], wrapped to 32 bits. y is z as
	// i32, or with t the bit (z >= t[o]) != flip[o]. x and w are of any integer, bool or logic type.
	_ = register(&Op{
		Code: OpILinear,
		Name: "ilinear",
		In:   "x", Out: "y", Consts: "w t? flip?",
		macs: func(s shapes) float64 { return perChannel(s, s.konst(0)) },
	})
)
