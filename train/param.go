package train

import (
	"fmt"

	"github.com/billnet/billnet/ir"
)

// ParamKind says what a parameter is.
type ParamKind uint8

// The kinds of parameters.
const (
	KindWeight    ParamKind = iota // of a float convolution, matrix product or LSTM
	KindLatent                     // float weights behind a sign or few-bit idiom
	KindBias                       // added to features
	KindScale                      // multiplied with features or weights
	KindThreshold                  // that features or means are compared with
	KindGamma                      // scale of a batch norm
	KindBeta                       // bias of a batch norm
	KindMean                       // running mean of a batch norm: a statistic
	KindVariance                   // running variance of a batch norm: a statistic

	numKinds
)

var kindNames = [numKinds]string{"weight", "latent", "bias", "scale", "threshold", "gamma", "beta", "mean", "variance"}

func (k ParamKind) String() string {
	if k < numKinds {
		return kindNames[k]
	}
	return fmt.Sprintf("kind(%d)", uint8(k))
}

// Param is a constant of the module that training changes. Data may be written
// between steps; its length may not change.
type Param struct {
	Name  string // of the constant in the source module, made unique
	Kind  ParamKind
	Shape []int
	Data  []float32
	Grad  []float32 // of the last step, before clipping; nil for statistics

	// Statistic parameters follow the data, not the gradient.
	Statistic bool
	// Role of latent weights: Weight or CellWeight.
	Role Role
	// Frozen parameters are not updated, statistics among them.
	Frozen bool
	// Rate and Decay multiply the step's learning rate and weight decay. Decay is
	// 1 for weights and latent weights and 0 for everything else.
	Rate, Decay float64
	// Bound limits the weights behind a sign to -Bound..Bound after every update
	// while their role is hard; it is 1 for them. 0: no limit.
	Bound float64

	moments [2][]float32 // the optimizer's
	node    int          // of the source module's main function
}

// form is what stands between a constant and the product that it is a weight of.
type form uint8

const (
	plainForm form = iota
	grid           // rounding to a few levels
	signs          // a sign or comparison
)

// finder decides which constants of a function are parameters.
type finder struct {
	uses    map[*ir.Value][]*ir.Node
	batched map[*ir.Value]bool
	learned map[*ir.Value]bool // depends on the input through a weight or norm
}

func newFinder(f *ir.Func) *finder {
	d := &finder{uses: f.Uses(), batched: dependsOn(f, nil), learned: map[*ir.Value]bool{}}
	for _, n := range f.Nodes {
		learned := false
		switch n.Op {
		case ir.Conv, ir.Gemm, ir.MatMul, ir.BatchNorm, ir.LSTM:
			learned = d.batched[n.Results[0]]
		}
		for _, a := range n.Args {
			learned = learned || d.learned[a]
		}
		for _, r := range n.Results {
			d.learned[r] = learned
		}
	}
	return d
}

// found is what a constant is for.
type found struct {
	kind ParamKind
	form form
	by   *ir.Node // the node that says so; nil: the constant is no parameter
}

// kindOf returns what constant v is for.
func (d *finder) kindOf(v *ir.Value) found {
	if c := ir.ConstOf(v); c == nil || c.Type.DType != ir.F32 || c.Len() == 0 {
		return found{}
	}
	return d.kindAt(v, v, plainForm, 0)
}

// kindAt looks at the readers of v, which is made of the constant origin by way
// of a form.
func (d *finder) kindAt(v, origin *ir.Value, form form, depth int) found {
	if depth > 64 {
		return found{}
	}
	weight := KindWeight
	if form != plainForm {
		weight = KindLatent
	}
	for _, n := range d.uses[v] {
		if n == nil {
			continue
		}
		at := 0
		for n.Args[at] != v {
			at++
		}
		meets := d.batched[n.Results[0]] // data
		switch n.Op {
		case ir.Conv:
			switch {
			case at == 1 && meets:
				return found{weight, form, n}
			case at == 2 && meets:
				return found{KindBias, form, n}
			}
			continue
		case ir.Gemm, ir.MatMul:
			switch {
			case at == 2 && meets:
				return found{KindBias, form, n}
			case at < 2 && d.batched[n.Args[1-at]]:
				return found{weight, form, n}
			}
			continue
		case ir.LSTM:
			switch {
			case (at == 1 || at == 2) && meets:
				return found{weight, form, n}
			case at == 3 && meets:
				return found{KindBias, form, n}
			}
			continue
		case ir.BatchNorm:
			if at > 0 && meets {
				return found{[...]ParamKind{KindGamma, KindBeta, KindMean, KindVariance}[at-1], form, n}
			}
			continue
		}
		if meets {
			if k, ok := d.elementKind(n, at, origin); ok {
				return found{k, form, n}
			}
			continue
		}
		if k := d.through(n, at, origin, form, depth); k.by != nil {
			return k
		}
	}
	return found{}
}

// elementKind is the kind of a constant that meets data as operand at of an
// elementwise operation.
func (d *finder) elementKind(n *ir.Node, at int, origin *ir.Value) (ParamKind, bool) {
	if origin.Type.Elems() == 1 || len(n.Args) != 2 {
		return 0, false
	}
	other := n.Args[1-at]
	mean := fromMean(other)
	if !d.learned[other] && !mean {
		return 0, false // preparation of the input
	}
	switch n.Op {
	case ir.Add, ir.Sub:
		if mean {
			return KindThreshold, true
		}
		return KindBias, true
	case ir.Greater, ir.GreaterOrEqual, ir.Less, ir.LessOrEqual:
		return KindThreshold, true
	case ir.Mul:
		if v, ok := ir.ConstOf(origin).Splat(); ok && v == 0 {
			return 0, false // an initial state
		}
		return KindScale, true
	}
	return 0, false
}

// through follows a constant through a node that makes weights of weights.
func (d *finder) through(n *ir.Node, at int, origin *ir.Value, form form, depth int) found {
	switch n.Op {
	case ir.Greater, ir.GreaterOrEqual, ir.Less, ir.LessOrEqual:
		if origin.Type.Elems() == 1 {
			return found{}
		}
		form = signs
	case ir.Sign, ir.BipolarQuant, ir.Where, ir.Clip, ir.Round, ir.Quant, ir.QuantizeLinear, ir.DequantizeLinear:
		if at != 0 {
			return found{}
		}
		switch n.Op {
		case ir.Sign, ir.BipolarQuant:
			form = signs
		case ir.Round, ir.Quant, ir.QuantizeLinear:
			form = max(form, grid)
		}
	case ir.Mul, ir.Add, ir.Sub, ir.Div:
		if origin.Type.Elems() == 1 {
			return found{}
		}
	default:
		if !carries(n) {
			return found{}
		}
	}
	k := d.kindAt(n.Results[0], origin, form, depth+1)
	if k.by != nil && n.Is(ir.Mul) && k.kind != KindBias && origin.Type.Elems() < n.Results[0].Type.Elems() {
		k.kind = KindScale // of a channel
	}
	return k
}

// carries reports whether a node moves the elements of a constant, or makes
// another number of each.
func carries(n *ir.Node) bool {
	if n.Op.Kind == ir.Elementwise {
		return len(n.Args) == 1 && !n.Op.Flat
	}
	return n.Op.Kind == ir.Moves && len(n.Results) == 1
}
