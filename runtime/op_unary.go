package runtime

import (
	"math"

	"github.com/billnet/billnet/runtime/kernels"
)

// unary is an elementwise function of one operand, computed in float64 and
// rounded once, or in int64 and wrapped. A nil loop is not defined for its kind.
type unary struct {
	code   Opcode
	name   string
	doc    string
	floats int // parameters
	f64    func(v, params []float64)
	i64    func(v []int64)
	cost   int
}

// each applies a function to every element.
func each(f func(x float64) float64) func(v, params []float64) {
	return func(v, _ []float64) {
		for i, x := range v {
			v[i] = f(x)
		}
	}
}

func eachInt(f func(x int64) int64) func(v []int64) {
	return func(v []int64) {
		for i, x := range v {
			v[i] = f(x)
		}
	}
}

var unaries = []unary{
	{OpAbs, "abs", "y = |x|.", 0, each(math.Abs), eachInt(func(x int64) int64 { return max(x, -x) }), 4},
	{OpNeg, "neg", "y = -x.", 0, each(func(x float64) float64 { return -x }), eachInt(func(x int64) int64 { return -x }), 4},
	{OpCeil, "ceil", "y = the smallest integer not below x.", 0, each(math.Ceil), nil, 4},
	{OpFloor, "floor", "y = the largest integer not above x.", 0, each(math.Floor), nil, 4},
	{OpRoundHalfEven, "round_half_even", "y = the nearest integer; halves go to the even one.", 0, each(math.RoundToEven), nil, 4},
	{OpSqrt, "sqrt", "y = the square root of x.", 0, each(math.Sqrt), nil, 8},
	{OpExp, "exp", "y = e^x.", 0, each(math.Exp), nil, 16},
	{OpLog, "log", "y = the natural logarithm of x.", 0, each(math.Log), nil, 16},
	{OpSign, "sign", "y = -1, 0 or 1 as x is negative, zero or positive; NaN stays.", 0, each(signFloat), eachInt(func(x int64) int64 { return max(-1, min(1, x)) }), 4},
	{OpSigmoid, "sigmoid", "y = 1/(1 + exp(-x)).", 0, each(sigmoid), nil, 16},
	{OpTanh, "tanh", "y = tanh(x).", 0, each(math.Tanh), nil, 16},
	{OpRelu, "relu", "y = max(x, 0); NaN stays.", 0, each(func(x float64) float64 { return max(x, 0) }), eachInt(func(x int64) int64 { return max(x, 0) }), 4},
	{OpHardSwish, "hard_swish", "y = x * max(0, min(1, x/6 + 1/2)).", 0, each(hardSwish), nil, 8},
	{OpReciprocal, "reciprocal", "y = 1/x.", 0, each(func(x float64) float64 { return 1 / x }), nil, 4},
	{OpLeakyRelu, "leaky_relu", "y = x, or alpha*x where x < 0. Floats: alpha.", 1, withParams(actLeakyRelu), nil, 4},
	{OpHardSigmoid, "hard_sigmoid", "y = max(0, min(1, alpha*x + beta)). Floats: alpha, beta.", 2, withParams(actHardSigmoid), nil, 4},
	{OpElu, "elu", "y = x, or alpha*(exp(x) - 1) where x < 0. Floats: alpha.", 1, withParams(actElu), nil, 16},
}

// withParams is the loop of an activation function of recurrent operations.
func withParams(code int) func(v, params []float64) {
	return func(v, params []float64) {
		a := activation{code: code, alpha: params[0]}
		if len(params) > 1 {
			a.beta = params[1]
		}
		for i, x := range v {
			v[i] = a.apply(x)
		}
	}
}

func signFloat(x float64) float64 {
	switch {
	case x > 0:
		return 1
	case x < 0:
		return -1
	case x == 0:
		return 0
	}
	return x
}

func hardSwish(x float64) float64 { return x * max(0, min(1, float64(1.0/6*x)+0.5)) }

func init() {
	for i := range unaries {
		u := &unaries[i]
		doc := u.doc + " Floats are computed in float64 and rounded once."
		switch u.code {
		case OpExp, OpLog, OpSigmoid, OpTanh, OpElu:
			doc = u.doc + " f32 is within 2 units in the last place of the exact value, the same on every machine; f64 as the library of Go computes it."
		}
		if u.i64 != nil {
			doc += " Integers wrap."
		}
		register(&opcode{code: u.code, name: u.name, doc: doc, in: "x", out: "y", inPlace: true, prepare: u.prepare})
	}
}

// vectors are the functions that have vector kernels of float32.
var vectors = map[Opcode]kernels.Function{
	OpAbs: kernels.Abs, OpNeg: kernels.Neg, OpCeil: kernels.Ceil, OpFloor: kernels.Floor, OpRoundHalfEven: kernels.RoundEven, OpSqrt: kernels.Sqrt,
	OpExp: kernels.Exp, OpLog: kernels.Log, OpSigmoid: kernels.Sigmoid, OpTanh: kernels.Tanh, OpRelu: kernels.Relu, OpReciprocal: kernels.Reciprocal,
	OpLeakyRelu: kernels.LeakyRelu, OpElu: kernels.Elu,
}

// single is the function on float32 by a vector kernel; nil where there is none for these parameters.
func (u *unary) single(params []float64) func(s *kernels.Set, dst, src []float32) {
	switch u.code {
	case OpHardSigmoid:
		return func(s *kernels.Set, dst, src []float32) { s.HardSigmoid(dst, src, params[0], params[1]) }
	case OpHardSwish:
		return (*kernels.Set).HardSwish
	}
	f, ok := vectors[u.code]
	alpha := float32(0)
	if u.floats > 0 {
		alpha = float32(params[0])
		ok = ok && float64(alpha) == params[0] && (u.code != OpElu || alpha == 1)
	}
	if !ok {
		return nil
	}
	return func(s *kernels.Set, dst, src []float32) { s.Map(f, dst, src, alpha, 0) }
}

func (u *unary) prepare(p *prep) step {
	x, y := p.dense(p.in(0)), p.dense(p.out(0))
	p.sameElem(x, y)
	p.sameShape(x, y)
	params := p.floats(u.floats)
	switch {
	case y.elem == F32 && u.single(params) != nil:
		f, set := u.single(params), p.set
		return ranged(y.n, max(1, u.cost/4), func(m *memory, lo, hi int) {
			f(set, view[float32](y, m)[lo:hi], view[float32](x, m)[lo:hi])
		})
	case y.elem.isFloat():
		return ranged(y.n, u.cost, func(m *memory, lo, hi int) {
			v := tmp[float64](m, 0)
			for ; lo < hi; lo += chunk {
				n := min(chunk, hi-lo)
				loadFloats(v[:n], x, m, lo)
				u.f64(v[:n], params)
				storeFloats(y, m, lo, v[:n])
			}
		})
	case y.elem.isInt() && u.i64 != nil:
		return ranged(y.n, 4, func(m *memory, lo, hi int) {
			v := tmp[int64](m, 0)
			for ; lo < hi; lo += chunk {
				n := min(chunk, hi-lo)
				loadInts(v[:n], x, m, lo)
				u.i64(v[:n])
				storeInts(y, m, lo, v[:n])
			}
		})
	}
	p.fail("%s: %s is not defined for that element type", y, u.name)
	return step{}
}

var _ = register(&opcode{
	code: OpIdentity,
	name: "identity",
	doc:  "y = x, dense, any type. It costs nothing when y lies where x does.",
	in:   "x", out: "y", inPlace: true,
	prepare: func(p *prep) step {
		x, y := p.dense(p.in(0)), p.dense(p.out(0))
		p.sameElem(x, y)
		p.sameShape(x, y)
		return move(y, x)
	},
})
