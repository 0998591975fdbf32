package billb

// Alpha is the parameter of leaky_relu and elu.
type Alpha struct{ Alpha float64 }

// AlphaBeta is the parameters of an activation function that has both.
type AlphaBeta struct{ Alpha, Beta float64 }

// The formats of Round.
const (
	RoundF16  = 16
	RoundBF16 = 17
)

// Round is the parameters of a rounding to a narrower float type.
type Round struct {
	Format int `in:"16,17"` // RoundF16 or RoundBF16
}

// BatchNorm is the parameters of a batch norm.
type BatchNorm struct{ Epsilon float64 }

var (
	// y = a + b; integers wrap. Operands broadcast; any float or integer type.
	_ = register(&Op{
		Code: OpAdd,
		Name: "add",
		In:   "a b", Out: "y", InPlace: true,
	})
	// y = a - b; integers wrap. Operands broadcast; any float or integer type.
	_ = register(&Op{
		Code: OpSub,
		Name: "sub",
		In:   "a b", Out: "y", InPlace: true,
	})
	// y = a * b; integers wrap. Operands broadcast; any float or integer type.
	_ = register(&Op{
		Code: OpMul,
		Name: "mul",
		In:   "a b", Out: "y", InPlace: true,
	})
	// y = a / b; integers truncate toward zero, and a division by zero ends the run with an error.
	// Operands broadcast; any float or integer type.
	_ = register(&Op{
		Code: OpDiv,
		Name: "div",
		In:   "a b", Out: "y", InPlace: true,
	})
	// y = the remainder of a/b with the sign of b; of floats, with that of a. A division of integers by
	// zero ends the run with an error. Operands broadcast; any float or integer type.
	_ = register(&Op{
		Code: OpMod,
		Name: "mod",
		In:   "a b", Out: "y", InPlace: true,
	})
	// y = the remainder of a/b with the sign of a. A division of integers by zero ends the run with an
	// error. Operands broadcast; any float or integer type.
	_ = register(&Op{
		Code: OpFMod,
		Name: "fmod",
		In:   "a b", Out: "y", InPlace: true,
	})
	// y = the smaller of a and b; NaN wins. Operands broadcast; any float or integer type.
	_ = register(&Op{
		Code: OpMin,
		Name: "min",
		In:   "a b", Out: "y", InPlace: true,
	})
	// y = the larger of a and b; NaN wins. Operands broadcast; any float or integer type.
	_ = register(&Op{
		Code: OpMax,
		Name: "max",
		In:   "a b", Out: "y", InPlace: true,
	})
	// y = a, or a*b where a < 0; b broadcasts to a. Operands broadcast; any float or integer type.
	_ = register(&Op{
		Code: OpPRelu,
		Name: "prelu",
		In:   "a b", Out: "y", InPlace: true,
	})
	// y = a^b in a's element type. Floats are computed in float64 and rounded once; of an integer a an
	// integer power is exact modulo 2^bits, and a negative power of 0 ends the run with an error.
	// Operands broadcast; b may have another type.
	_ = register(&Op{
		Code: OpPow,
		Name: "pow",
		In:   "a b", Out: "y", InPlace: true,
	})
	// y = a == b. False when either is NaN. Operands of one type broadcast; y is bool, bit or sbit.
	_ = register(&Op{
		Code: OpEqual,
		Name: "equal",
		In:   "a b", Out: "y", InPlace: true,
	})
	// y = a > b. False when either is NaN. Operands of one type broadcast; y is bool, bit or sbit.
	_ = register(&Op{
		Code: OpGreater,
		Name: "greater",
		In:   "a b", Out: "y", InPlace: true,
	})
	// y = a >= b. False when either is NaN. Operands of one type broadcast; y is bool, bit or sbit.
	_ = register(&Op{
		Code: OpGreaterOrEqual,
		Name: "greater_or_equal",
		In:   "a b", Out: "y", InPlace: true,
	})
	// y = a < b. False when either is NaN. Operands of one type broadcast; y is bool, bit or sbit.
	_ = register(&Op{
		Code: OpLess,
		Name: "less",
		In:   "a b", Out: "y", InPlace: true,
	})
	// y = a <= b. False when either is NaN. Operands of one type broadcast; y is bool, bit or sbit.
	_ = register(&Op{
		Code: OpLessOrEqual,
		Name: "less_or_equal",
		In:   "a b", Out: "y", InPlace: true,
	})
	// y = |x|. Floats are computed in float64 and rounded once. Integers wrap.
	_ = register(&Op{
		Code: OpAbs,
		Name: "abs",
		In:   "x", Out: "y", InPlace: true,
	})
	// y = -x. Floats are computed in float64 and rounded once. Integers wrap.
	_ = register(&Op{
		Code: OpNeg,
		Name: "neg",
		In:   "x", Out: "y", InPlace: true,
	})
	// y = the smallest integer not below x. Floats are computed in float64 and rounded once.
	_ = register(&Op{
		Code: OpCeil,
		Name: "ceil",
		In:   "x", Out: "y", InPlace: true,
	})
	// y = the largest integer not above x. Floats are computed in float64 and rounded once.
	_ = register(&Op{
		Code: OpFloor,
		Name: "floor",
		In:   "x", Out: "y", InPlace: true,
	})
	// y = the nearest integer; halves go to the even one. Floats are computed in float64 and rounded
	// once.
	_ = register(&Op{
		Code: OpRoundHalfEven,
		Name: "round_half_even",
		In:   "x", Out: "y", InPlace: true,
	})
	// y = the square root of x. Floats are computed in float64 and rounded once.
	_ = register(&Op{
		Code: OpSqrt,
		Name: "sqrt",
		In:   "x", Out: "y", InPlace: true,
	})
	// y = e^x. f32 is within 2 units in the last place of the exact value, the same on every machine;
	// f64 as the library of Go computes it.
	_ = register(&Op{
		Code: OpExp,
		Name: "exp",
		In:   "x", Out: "y", InPlace: true,
	})
	// y = the natural logarithm of x. f32 is within 2 units in the last place of the exact value, the
	// same on every machine; f64 as the library of Go computes it.
	_ = register(&Op{
		Code: OpLog,
		Name: "log",
		In:   "x", Out: "y", InPlace: true,
	})
	// y = -1, 0 or 1 as x is negative, zero or positive; NaN stays. Floats are computed in float64 and
	// rounded once. Integers wrap.
	_ = register(&Op{
		Code: OpSign,
		Name: "sign",
		In:   "x", Out: "y", InPlace: true,
	})
	// y = 1/(1 + exp(-x)). f32 is within 2 units in the last place of the exact value, the same on
	// every machine; f64 as the library of Go computes it.
	_ = register(&Op{
		Code: OpSigmoid,
		Name: "sigmoid",
		In:   "x", Out: "y", InPlace: true,
	})
	// y = tanh(x). f32 is within 2 units in the last place of the exact value, the same on every
	// machine; f64 as the library of Go computes it.
	_ = register(&Op{
		Code: OpTanh,
		Name: "tanh",
		In:   "x", Out: "y", InPlace: true,
	})
	// y = 2/sqrt(pi) times the integral of e^(-t^2) from 0 to x. Floats are computed in float64 and
	// rounded once.
	_ = register(&Op{
		Code: OpErf,
		Name: "erf",
		In:   "x", Out: "y", InPlace: true,
	})
	// y = sin(x), x in radians. Floats are computed in float64 and rounded once.
	_ = register(&Op{
		Code: OpSin,
		Name: "sin",
		In:   "x", Out: "y", InPlace: true,
	})
	// y = cos(x), x in radians. Floats are computed in float64 and rounded once.
	_ = register(&Op{
		Code: OpCos,
		Name: "cos",
		In:   "x", Out: "y", InPlace: true,
	})
	// y = tan(x), x in radians. Floats are computed in float64 and rounded once.
	_ = register(&Op{
		Code: OpTan,
		Name: "tan",
		In:   "x", Out: "y", InPlace: true,
	})
	// y = the angle in -pi/2..pi/2 whose sine is x; NaN outside of -1..1. Floats are computed in float64 and rounded once.
	_ = register(&Op{
		Code: OpAsin,
		Name: "asin",
		In:   "x", Out: "y", InPlace: true,
	})
	// y = the angle in 0..pi whose cosine is x; NaN outside of -1..1. Floats are computed in float64 and rounded once.
	_ = register(&Op{
		Code: OpAcos,
		Name: "acos",
		In:   "x", Out: "y", InPlace: true,
	})
	// y = the angle in -pi/2..pi/2 whose tangent is x. Floats are computed in float64 and rounded once.
	_ = register(&Op{
		Code: OpAtan,
		Name: "atan",
		In:   "x", Out: "y", InPlace: true,
	})
	// y = (e^x - e^(-x))/2. Floats are computed in float64 and rounded once.
	_ = register(&Op{
		Code: OpSinh,
		Name: "sinh",
		In:   "x", Out: "y", InPlace: true,
	})
	// y = (e^x + e^(-x))/2. Floats are computed in float64 and rounded once.
	_ = register(&Op{
		Code: OpCosh,
		Name: "cosh",
		In:   "x", Out: "y", InPlace: true,
	})
	// y = log(x + sqrt(x^2 + 1)). Floats are computed in float64 and rounded once.
	_ = register(&Op{
		Code: OpAsinh,
		Name: "asinh",
		In:   "x", Out: "y", InPlace: true,
	})
	// y = log(x + sqrt(x^2 - 1)); NaN below 1. Floats are computed in float64 and rounded once.
	_ = register(&Op{
		Code: OpAcosh,
		Name: "acosh",
		In:   "x", Out: "y", InPlace: true,
	})
	// y = log((1 + x)/(1 - x))/2; NaN outside of -1..1. Floats are computed in float64 and rounded once.
	_ = register(&Op{
		Code: OpAtanh,
		Name: "atanh",
		In:   "x", Out: "y", InPlace: true,
	})
	// y = max(x, 0); NaN stays. Floats are computed in float64 and rounded once. Integers wrap.
	_ = register(&Op{
		Code: OpRelu,
		Name: "relu",
		In:   "x", Out: "y", InPlace: true,
	})
	// y = x * max(0, min(1, x/6 + 1/2)). Floats are computed in float64 and rounded once.
	_ = register(&Op{
		Code: OpHardSwish,
		Name: "hard_swish",
		In:   "x", Out: "y", InPlace: true,
	})
	// y = 1/x. Floats are computed in float64 and rounded once.
	_ = register(&Op{
		Code: OpReciprocal,
		Name: "reciprocal",
		In:   "x", Out: "y", InPlace: true,
	})
	// y = x, or alpha*x where x < 0. Floats are computed in float64 and rounded once.
	_ = register(&Op{
		Code: OpLeakyRelu,
		Name: "leaky_relu",
		In:   "x", Out: "y", InPlace: true,
		Params: (*Alpha)(nil),
	})
	// y = max(0, min(1, alpha*x + beta)). Floats are computed in float64 and rounded once.
	_ = register(&Op{
		Code: OpHardSigmoid,
		Name: "hard_sigmoid",
		In:   "x", Out: "y", InPlace: true,
		Params: (*AlphaBeta)(nil),
	})
	// y = x, or alpha*(exp(x) - 1) where x < 0. f32 is within 2 units in the last place of the exact
	// value, the same on every machine; f64 as the library of Go computes it.
	_ = register(&Op{
		Code: OpElu,
		Name: "elu",
		In:   "x", Out: "y", InPlace: true,
		Params: (*Alpha)(nil),
	})
	// y = x, dense, any type. It costs nothing when y lies where x does.
	_ = register(&Op{
		Code: OpIdentity,
		Name: "identity",
		In:   "x", Out: "y", InPlace: true,
	})
	// y = x limited to at least min, then to at most max, each of one element. A bound that is left
	// out is the least or greatest finite number of the type, one that is NaN does not limit; NaN in
	// x stays. Any float or integer type.
	_ = register(&Op{
		Code: OpClip,
		Name: "clip",
		In:   "x min? max?", Out: "y", InPlace: true,
	})
	// y = a where c is set, else b. c is bool, bit or sbit; a and b are of any one type; all
	// broadcast.
	_ = register(&Op{
		Code: OpWhere,
		Name: "where",
		In:   "c a b", Out: "y", InPlace: true,
	})
	// y = x as another element type. A float becomes an integer by truncation, saturating, NaN as 0;
	// integers wrap; floats round to nearest, ties to even; bool is 0 for 0 and 1 for everything else;
	// an integer becomes a bit by its sign (set where positive).
	_ = register(&Op{
		Code: OpCast,
		Name: "cast",
		In:   "x", Out: "y", InPlace: true,
	})
	// y = x rounded to a narrower float type (nearest, ties to even), still stored as f32.
	_ = register(&Op{
		Code: OpRound,
		Name: "round",
		In:   "x", Out: "y", InPlace: true,
		Params: (*Round)(nil),
	})
	// y = exp(x - m)/sum(exp(x - m)) along an axis, m its largest element. f32 along the last axis is
	// within 2 units in the last place of the exact value, the same on every machine; everything else
	// is computed in float64 and rounded once.
	_ = register(&Op{
		Code: OpSoftmax,
		Name: "softmax",
		In:   "x", Out: "y", InPlace: true,
		Params: (*Along)(nil),
	})
	// y = (x - m) - log(sum(exp(x - m))) along an axis, m its largest element; computed in float64 and
	// rounded once.
	_ = register(&Op{
		Code: OpLogSoftmax,
		Name: "log_softmax",
		In:   "x", Out: "y", InPlace: true,
		Params: (*Along)(nil),
	})
	// y = z*num[c]/den[c] + bias[c] in float64, in this order, rounded once to y's type; c is the
	// index on an axis. den and bias may be left out (1 and 0).
	_ = register(&Op{
		Code: OpAffine,
		Name: "affine",
		In:   "z", Out: "y", Consts: "num den? bias?", InPlace: true,
		Params: (*Along)(nil),
	})
	// y = (x - mean[c])/sqrt(var[c] + epsilon)*scale[c] + bias[c] over axis 1, every operation rounded
	// to x's type, in this order. Parameters are f32 or f64 of C elements.
	_ = register(&Op{
		Code: OpBatchNorm,
		Name: "batch_norm",
		In:   "x scale bias mean var", Out: "y", InPlace: true,
		Params: (*BatchNorm)(nil),
	})
)
