package runtime

import "math"

// activation is an elementwise float function with its parameters. It is
// computed in float64 and rounded once.
type activation struct {
	code        int
	alpha, beta float64
}

// The activation functions of recurrent operations: codes of the file format.
const (
	actRelu = iota
	actTanh
	actSigmoid
	actAffine
	actLeakyRelu
	actThresholdedRelu
	actScaledTanh
	actHardSigmoid
	actElu
	actSoftsign
	actSoftplus
	activationCount
)

// activationDefaults are alpha and beta where a file gives none.
var activationDefaults = [activationCount][2]float64{
	actAffine: {1, 0}, actLeakyRelu: {0.01, 0}, actThresholdedRelu: {1, 0}, actScaledTanh: {1, 1}, actHardSigmoid: {0.2, 0.5}, actElu: {1, 0},
}

func (a *activation) apply(x float64) float64 {
	switch a.code {
	case actRelu:
		return max(x, 0)
	case actTanh:
		return math.Tanh(x)
	case actSigmoid:
		return sigmoid(x)
	case actAffine:
		return float64(a.alpha*x) + a.beta
	case actLeakyRelu:
		if x < 0 {
			return a.alpha * x
		}
		return x
	case actThresholdedRelu:
		if x > a.alpha {
			return x
		}
		return 0
	case actScaledTanh:
		return a.alpha * math.Tanh(float64(a.beta*x))
	case actHardSigmoid:
		return max(0, min(1, float64(a.alpha*x)+a.beta))
	case actElu:
		if x < 0 {
			return a.alpha * math.Expm1(x)
		}
		return x
	case actSoftsign:
		return x / (1 + math.Abs(x))
	}
	return max(x, 0) + math.Log1p(math.Exp(-math.Abs(x))) // softplus
}

func sigmoid(x float64) float64 { return 1 / (1 + math.Exp(-x)) }
