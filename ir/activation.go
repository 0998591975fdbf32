package ir

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
)

// activationKinds are the activation functions of recurrent operations with the
// default alpha and beta of those that have them.
var activationKinds = map[string]struct {
	params      int // how many of alpha and beta it takes
	alpha, beta float64
	f           func(x, alpha, beta float64) float64
}{
	"Sigmoid":         {f: func(x, _, _ float64) float64 { return sigmoid(x) }},
	"Tanh":            {f: func(x, _, _ float64) float64 { return math.Tanh(x) }},
	"Relu":            {f: func(x, _, _ float64) float64 { return max(x, 0) }},
	"Softsign":        {f: func(x, _, _ float64) float64 { return x / (1 + math.Abs(x)) }},
	"Softplus":        {f: func(x, _, _ float64) float64 { return softplus(x) }},
	"LeakyRelu":       {1, 0.01, 0, func(x, alpha, _ float64) float64 { return leakyRelu(x, alpha) }},
	"Elu":             {1, 1, 0, func(x, alpha, _ float64) float64 { return elu(x, alpha) }},
	"ThresholdedRelu": {1, 1, 0, thresholdedRelu},
	"HardSigmoid":     {2, 0.2, 0.5, hardSigmoid},
	"Affine":          {2, 1, 0, func(x, alpha, beta float64) float64 { return float64(alpha*x) + beta }},
	"ScaledTanh":      {2, 1, 1, func(x, alpha, beta float64) float64 { return alpha * math.Tanh(float64(beta*x)) }},
}

// ActivationNames lists the activation functions of recurrent operations.
func ActivationNames() []string { return slices.Sorted(maps.Keys(activationKinds)) }

// activationsOf returns the functions that attributes activations,
// activation_alpha and activation_beta name: one list after the other for every
// direction, names by default. The values are consumed by the functions that
// take them, in order; a function left without has its default.
func activationsOf(n *Node, names []string, directions int) ([]func(float64) float64, error) {
	if given := n.Strs("activations"); len(given) > 0 {
		if len(given) != len(names)*directions {
			return nil, fmt.Errorf("%d activations, expected %d for each of %d directions", len(given), len(names), directions)
		}
		names = given
	} else if directions == 2 {
		names = append(append([]string{}, names...), names...)
	}
	alphas, betas := n.Floats("activation_alpha"), n.Floats("activation_beta")
	fs := make([]func(float64) float64, len(names))
	for i, name := range names {
		k, ok := activationKinds[name]
		if !ok {
			return nil, fmt.Errorf("unknown activation %q, expected one of %s", name, strings.Join(ActivationNames(), ", "))
		}
		alpha, beta := k.alpha, k.beta
		if k.params > 0 && len(alphas) > 0 {
			alpha, alphas = alphas[0], alphas[1:]
		}
		if k.params > 1 && len(betas) > 0 {
			beta, betas = betas[0], betas[1:]
		}
		fs[i] = func(x float64) float64 { return k.f(x, alpha, beta) }
	}
	if len(alphas) > 0 || len(betas) > 0 {
		return nil, fmt.Errorf("%d activation_alpha and %d activation_beta are left over after activations %v", len(alphas), len(betas), names)
	}
	return fs, nil
}

func leakyRelu(x, alpha float64) float64 {
	if x < 0 {
		return alpha * x
	}
	return x
}

func elu(x, alpha float64) float64 {
	if x < 0 {
		return alpha * math.Expm1(x)
	}
	return x
}

func thresholdedRelu(x, alpha, _ float64) float64 {
	if x > alpha {
		return x
	}
	return 0
}

func hardSigmoid(x, alpha, beta float64) float64 {
	return max(0, min(1, float64(alpha*x)+beta))
}

// softplus is log(1 + exp(x)), written so that exp cannot overflow.
func softplus(x float64) float64 { return max(x, 0) + math.Log1p(math.Exp(-math.Abs(x))) }
