package train

import (
	"math"

	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/train/vec"
)

// unary describes y = f(x) with its derivative as a function of x and y.
type unary struct {
	f  func(x float64) float64
	df func(x, y float64) float64
}

// unaries are the elementwise functions that are differentiated where they are.
var unaries = map[*ir.Op]func(n *ir.Node) unary{
	ir.Sigmoid:    plain(func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }, func(_, y float64) float64 { return y * (1 - y) }),
	ir.Tanh:       plain(math.Tanh, func(_, y float64) float64 { return 1 - y*y }),
	ir.Erf:        plain(math.Erf, func(x, _ float64) float64 { return 2 / math.SqrtPi * math.Exp(-x*x) }),
	ir.Sin:        plain(math.Sin, func(x, _ float64) float64 { return math.Cos(x) }),
	ir.Cos:        plain(math.Cos, func(x, _ float64) float64 { return -math.Sin(x) }),
	ir.Tan:        plain(math.Tan, func(_, y float64) float64 { return 1 + y*y }),
	ir.Asin:       plain(math.Asin, func(x, _ float64) float64 { return 1 / math.Sqrt(1-x*x) }),
	ir.Acos:       plain(math.Acos, func(x, _ float64) float64 { return -1 / math.Sqrt(1-x*x) }),
	ir.Atan:       plain(math.Atan, func(x, _ float64) float64 { return 1 / (1 + x*x) }),
	ir.Sinh:       plain(math.Sinh, func(x, _ float64) float64 { return math.Cosh(x) }),
	ir.Cosh:       plain(math.Cosh, func(x, _ float64) float64 { return math.Sinh(x) }),
	ir.Asinh:      plain(math.Asinh, func(x, _ float64) float64 { return 1 / math.Sqrt(x*x+1) }),
	ir.Acosh:      plain(math.Acosh, func(x, _ float64) float64 { return 1 / math.Sqrt(x*x-1) }),
	ir.Atanh:      plain(math.Atanh, func(x, _ float64) float64 { return 1 / (1 - x*x) }),
	ir.Abs:        plain(math.Abs, func(x, _ float64) float64 { return sign64(x) }),
	ir.Sqrt:       plain(math.Sqrt, func(_, y float64) float64 { return 0.5 / y }),
	ir.Exp:        plain(math.Exp, func(_, y float64) float64 { return y }),
	ir.Log:        plain(math.Log, func(x, _ float64) float64 { return 1 / x }),
	ir.Reciprocal: plain(func(x float64) float64 { return 1 / x }, func(_, y float64) float64 { return -y * y }),
	ir.LeakyRelu: func(n *ir.Node) unary {
		alpha := float64(float32(n.Float("alpha")))
		return unary{func(x float64) float64 { return choose(x < 0, alpha*x, x) }, func(x, _ float64) float64 { return choose(x < 0, alpha, 1) }}
	},
	ir.Elu: func(n *ir.Node) unary {
		alpha := n.Float("alpha")
		return unary{func(x float64) float64 { return choose(x < 0, alpha*math.Expm1(x), x) }, func(x, y float64) float64 { return choose(x < 0, y+alpha, 1) }}
	},
	ir.HardSigmoid: func(n *ir.Node) unary { return hardSigmoid(n.Float("alpha"), n.Float("beta")) },
	ir.HardSwish: func(*ir.Node) unary {
		h := hardSigmoid(1.0/6, 0.5) // hard_swish is x times it
		return unary{func(x float64) float64 { return x * h.f(x) }, func(x, _ float64) float64 { return h.f(x) + x*h.df(x, h.f(x)) }}
	},
}

func init() {
	for op, of := range unaries {
		register(func(b *builder, n *ir.Node, in []*value) ([]*value, error) { return []*value{b.unary(of(n), in)}, nil }, op)
	}
}

// plain is the entry of a function without attributes.
func plain(f func(x float64) float64, df func(x, y float64) float64) func(*ir.Node) unary {
	return func(*ir.Node) unary { return unary{f, df} }
}

func (b *builder) unary(u unary, in []*value) *value {
	fwd := func(y []float32, x [][]float32) {
		for i, v := range x[0] {
			y[i] = float32(u.f(float64(v)))
		}
	}
	bwd := func(gy, y []float32, x, gx [][]float32) {
		for i, v := range x[0] {
			gx[0][i] += gy[i] * float32(u.df(float64(v), float64(y[i])))
		}
	}
	return b.elements(in, fwd, bwd)
}

func hardSigmoid(alpha, beta float64) unary {
	return unary{
		func(x float64) float64 { return max(0, min(1, alpha*x+beta)) },
		func(_, y float64) float64 { return choose(y > 0 && y < 1, alpha, 0) },
	}
}

func choose(c bool, a, b float64) float64 {
	if c {
		return a
	}
	return b
}

func sign64(x float64) float64 { return choose(x > 0, 1, choose(x < 0, -1, 0)) }

// relu passes the gradient where x > 0.
var _ = register(func(b *builder, n *ir.Node, in []*value) ([]*value, error) {
	fwd := func(y []float32, x [][]float32) {
		vec.Relu(y, x[0])
	}
	bwd := func(gy, y []float32, x, gx [][]float32) {
		vec.AddWhere(gx[0], gy, x[0])
	}
	return []*value{b.elements(in, fwd, bwd)}, nil
}, ir.Relu)

var _ = register(func(b *builder, n *ir.Node, in []*value) ([]*value, error) {
	fwd := func(y []float32, x [][]float32) {
		vec.Scale(y, x[0], -1)
	}
	bwd := func(gy, y []float32, x, gx [][]float32) {
		vec.Sub(gx[0], gy)
	}
	return []*value{b.elements(in, fwd, bwd)}, nil
}, ir.Neg)
