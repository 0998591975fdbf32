package billb

import "math"

// Direction is the order in which a recurrent operation reads a sequence.
type Direction int

// The directions.
const (
	Forward Direction = iota
	Reverse
	Bidirectional
)

var directionNames = []string{"forward", "reverse", "bidirectional"}

func (Direction) names() []string  { return directionNames }
func (d Direction) String() string { return enumName(d.names(), int(d)) }

// Activation is an activation function of a recurrent operation.
type Activation int

// The activation functions: of x, with parameters alpha and beta.
const (
	Relu            Activation = iota // max(x, 0)
	Tanh                              // tanh(x)
	Sigmoid                           // 1/(1 + exp(-x))
	Affine                            // alpha*x + beta; ONNX calls it affine
	LeakyRelu                         // x, or alpha*x where x < 0
	ThresholdedRelu                   // x where x > alpha, else 0
	ScaledTanh                        // alpha*tanh(beta*x)
	HardSigmoid                       // max(0, min(1, alpha*x + beta))
	Elu                               // x, or alpha*(exp(x) - 1) where x < 0
	Softsign                          // x/(1 + |x|)
	Softplus                          // log(1 + exp(x))
)

var activationNames = []string{"relu", "tanh", "sigmoid", "affine", "leakyrelu", "thresholdedrelu", "scaledtanh", "hardsigmoid", "elu", "softsign", "softplus"}

func (Activation) names() []string { return activationNames }

func (a Activation) String() string { return enumName(a.names(), int(a)) }

// Defaults are alpha and beta where nothing else is said, NaN for a parameter
// that the function does not have.
func (a Activation) Defaults() (alpha, beta float64) {
	nan := math.NaN()
	switch a {
	case Affine:
		return 1, 0
	case LeakyRelu:
		return 0.01, nan
	case ThresholdedRelu, Elu:
		return 1, nan
	case ScaledTanh:
		return 1, 1
	case HardSigmoid:
		return 0.2, 0.5
	}
	return nan, nan
}

// Rounding is a way of rounding to an integer.
type Rounding int

// The ways of rounding.
const (
	HalfEven Rounding = iota // to the nearest, halves to the even one
	Ceil
	Floor
	Up       // away from 0
	Down     // toward 0
	HalfUp   // to the nearest, halves away from 0
	HalfDown // to the nearest, halves toward 0
)

var roundingNames = []string{"half_even", "ceil", "floor", "up", "down", "half_up", "half_down"}

func (Rounding) names() []string { return roundingNames }

func (r Rounding) String() string { return enumName(r.names(), int(r)) }

// PadMode is what padding is made of.
type PadMode int

// The kinds of padding.
const (
	PadConstant PadMode = iota // one value
	PadReflect                 // mirrored at the first and the last element, which are not repeated
	PadEdge                    // the nearest element
	PadWrap                    // periodic
)

var padModeNames = []string{"constant", "reflect", "edge", "wrap"}

func (PadMode) names() []string  { return padModeNames }
func (m PadMode) String() string { return enumName(m.names(), int(m)) }

// Reduction is what becomes of an element that is written more than once.
type Reduction int

// The reductions: the last element stays, or all are combined.
const (
	Replace Reduction = iota
	Add
	Multiply
	Largest
	Smallest
)

var reductionNames = []string{"none", "add", "mul", "max", "min"}

func (Reduction) names() []string  { return reductionNames }
func (r Reduction) String() string { return enumName(r.names(), int(r)) }

// CountMode is what a count is over and how its results lie.
type CountMode int

// The kinds of counts.
const (
	CountC  CountMode = iota // over t, h and w: [C]
	CountCT                  // over h and w: [C,T]
	CountTC                  // over h and w: [T,C]
)

var countModeNames = []string{"c", "ct", "tc"}

func (CountMode) names() []string  { return countModeNames }
func (m CountMode) String() string { return enumName(m.names(), int(m)) }
