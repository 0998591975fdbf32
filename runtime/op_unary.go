package runtime

import (
	"math"

	"github.com/billnet/billnet/runtime/billb"
	"github.com/billnet/billnet/runtime/kernels"
)

// unary is an elementwise function of one operand, computed in float64 and
// rounded once, or in int64 and wrapped. A nil loop is not defined for its kind.
type unary struct {
	code billb.Opcode
	f64  func(v, params []float64)
	i64  func(v []int64)
	cost int
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
	{billb.OpAbs, each(math.Abs), eachInt(func(x int64) int64 { return max(x, -x) }), 4},
	{billb.OpNeg, each(func(x float64) float64 { return -x }), eachInt(func(x int64) int64 { return -x }), 4},
	{billb.OpCeil, each(math.Ceil), nil, 4},
	{billb.OpFloor, each(math.Floor), nil, 4},
	{billb.OpRoundHalfEven, each(math.RoundToEven), nil, 4},
	{billb.OpSqrt, each(math.Sqrt), nil, 8},
	{billb.OpExp, each(math.Exp), nil, 16},
	{billb.OpLog, each(math.Log), nil, 16},
	{billb.OpSign, each(signFloat), eachInt(func(x int64) int64 { return max(-1, min(1, x)) }), 4},
	{billb.OpSigmoid, each(sigmoid), nil, 16},
	{billb.OpTanh, each(math.Tanh), nil, 16},
	{billb.OpErf, each(math.Erf), nil, 16},
	{billb.OpSin, each(math.Sin), nil, 32},
	{billb.OpCos, each(math.Cos), nil, 32},
	{billb.OpTan, each(math.Tan), nil, 32},
	{billb.OpAsin, each(math.Asin), nil, 32},
	{billb.OpAcos, each(math.Acos), nil, 32},
	{billb.OpAtan, each(math.Atan), nil, 32},
	{billb.OpSinh, each(math.Sinh), nil, 32},
	{billb.OpCosh, each(math.Cosh), nil, 32},
	{billb.OpAsinh, each(math.Asinh), nil, 32},
	{billb.OpAcosh, each(math.Acosh), nil, 32},
	{billb.OpAtanh, each(math.Atanh), nil, 32},
	{billb.OpRelu, each(func(x float64) float64 { return max(x, 0) }), eachInt(func(x int64) int64 { return max(x, 0) }), 4},
	{billb.OpHardSwish, each(hardSwish), nil, 8},
	{billb.OpReciprocal, each(func(x float64) float64 { return 1 / x }), nil, 4},
	{billb.OpLeakyRelu, withParams(billb.LeakyRelu), nil, 4},
	{billb.OpHardSigmoid, withParams(billb.HardSigmoid), nil, 4},
	{billb.OpElu, withParams(billb.Elu), nil, 16},
}

// withParams is the loop of an activation function of recurrent operations.
func withParams(code billb.Activation) func(v, params []float64) {
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
		executes(unaries[i].code, unaries[i].prepare)
	}
}

// vectors are the functions that have vector kernels of float32.
var vectors = map[billb.Opcode]kernels.Function{
	billb.OpAbs: kernels.Abs, billb.OpNeg: kernels.Neg, billb.OpCeil: kernels.Ceil, billb.OpFloor: kernels.Floor, billb.OpRoundHalfEven: kernels.RoundEven, billb.OpSqrt: kernels.Sqrt,
	billb.OpExp: kernels.Exp, billb.OpLog: kernels.Log, billb.OpSigmoid: kernels.Sigmoid, billb.OpTanh: kernels.Tanh, billb.OpRelu: kernels.Relu, billb.OpReciprocal: kernels.Reciprocal,
	billb.OpLeakyRelu: kernels.LeakyRelu, billb.OpElu: kernels.Elu, billb.OpErf: kernels.Erf,
}

// single is the function on float32 by a vector kernel; nil where there is none for these parameters.
func (u *unary) single(params []float64) func(s *kernels.Set, dst, src []float32) {
	switch u.code {
	case billb.OpHardSigmoid:
		return func(s *kernels.Set, dst, src []float32) { s.HardSigmoid(dst, src, params[0], params[1]) }
	case billb.OpHardSwish:
		return (*kernels.Set).HardSwish
	}
	f, ok := vectors[u.code]
	alpha := float32(0)
	if len(params) > 0 {
		alpha = float32(params[0])
		ok = ok && float64(alpha) == params[0] && (u.code != billb.OpElu || alpha == 1)
	}
	if !ok {
		return nil
	}
	return func(s *kernels.Set, dst, src []float32) { s.Map(f, dst, src, alpha, 0) }
}

// params is the parameters of the function: none, alpha, or alpha and beta.
func (u *unary) params(p *prep) []float64 {
	switch v := p.instr.Params.(type) {
	case *billb.Alpha:
		return []float64{v.Alpha}
	case *billb.AlphaBeta:
		return []float64{v.Alpha, v.Beta}
	}
	return nil
}

func (u *unary) prepare(p *prep) step {
	x, y := p.dense(p.in(0)), p.dense(p.out(0))
	p.sameElem(x, y)
	p.sameShape(x, y)
	params := u.params(p)
	switch {
	case y.elem == F32 && u.single(params) != nil:
		f, set := u.single(params), p.set
		return ranged(y.n, max(1, u.cost/4), func(m *memory, lo, hi int) {
			f(set, view[float32](y, m)[lo:hi], view[float32](x, m)[lo:hi])
		})
	case y.elem.IsFloat():
		return ranged(y.n, u.cost, func(m *memory, lo, hi int) {
			v := tmp[float64](m, 0)
			for ; lo < hi; lo += chunk {
				n := min(chunk, hi-lo)
				loadFloats(v[:n], x, m, lo)
				u.f64(v[:n], params)
				storeFloats(y, m, lo, v[:n])
			}
		})
	case y.elem.IsInt() && u.i64 != nil:
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
	p.fail("%s: %s is not defined for that element type", y, u.code)
	return step{}
}

var _ = executes(billb.OpIdentity, func(p *prep) step {
	x, y := p.dense(p.in(0)), p.dense(p.out(0))
	p.sameElem(x, y)
	p.sameShape(x, y)
	return move(y, x)
})
