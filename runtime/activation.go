package runtime

import (
	"math"

	"github.com/billnet/billnet/runtime/billb"
)

// activation is an elementwise float function with its parameters. It is
// computed in float64 and rounded once.
type activation struct {
	code        billb.Activation
	alpha, beta float64
}

func (a *activation) apply(x float64) float64 {
	switch a.code {
	case billb.Relu:
		return max(x, 0)
	case billb.Tanh:
		return math.Tanh(x)
	case billb.Sigmoid:
		return sigmoid(x)
	case billb.Affine:
		return float64(a.alpha*x) + a.beta
	case billb.LeakyRelu:
		if x < 0 {
			return a.alpha * x
		}
		return x
	case billb.ThresholdedRelu:
		if x > a.alpha {
			return x
		}
		return 0
	case billb.ScaledTanh:
		return a.alpha * math.Tanh(float64(a.beta*x))
	case billb.HardSigmoid:
		return max(0, min(1, float64(a.alpha*x)+a.beta))
	case billb.Elu:
		if x < 0 {
			return a.alpha * math.Expm1(x)
		}
		return x
	case billb.Softsign:
		return x / (1 + math.Abs(x))
	}
	return max(x, 0) + math.Log1p(math.Exp(-math.Abs(x))) // softplus
}

func sigmoid(x float64) float64 { return 1 / (1 + math.Exp(-x)) }
