package analysis

import (
	"math"

	"github.com/billnet/billnet/ir"
)

// NaNs finds floats that can be NaN because of a model's own constants: a NaN
// among its weights, or an infinity that meets another or a zero. Inputs count as
// numbers, and so do sums of them that grow beyond all bounds.
type NaNs struct{ seen map[*ir.Value]wild }

// wild says how far values can be from a finite number.
type wild uint8

const (
	finite wild = iota
	infinite
	notANumber
)

// NewNaNs returns a finder that remembers what it has looked at.
func NewNaNs() *NaNs { return &NaNs{map[*ir.Value]wild{}} }

// May reports whether elements of a value can be NaN.
func (a *NaNs) May(v *ir.Value) bool { return a.of(v) == notANumber }

func (a *NaNs) of(v *ir.Value) wild {
	if v == nil || !v.Type.DType.IsFloat() || v.Def == nil {
		return finite
	}
	if w, ok := a.seen[v]; ok {
		return w
	}
	a.seen[v] = finite // of a cycle, which a function does not have
	w := a.made(v.Def)
	a.seen[v] = w
	return w
}

// made is what an operation makes of its operands. One that only selects among
// them, or limits them, makes nothing new; arithmetic makes NaN of infinities.
func (a *NaNs) made(n *ir.Node) wild {
	if n.Const != nil {
		return wildest(n.Const)
	}
	most := finite
	for _, x := range n.Args {
		most = max(most, a.of(x))
	}
	switch {
	case n.Is(ir.BatchNorm) && negative(n.Args[4], n.Float("epsilon")), n.Is(ir.Div) && divides(n, 0):
		return notANumber
	case most != infinite || n.Op.Takes():
		return most
	case n.Is(ir.Clip) || n.Is(ir.Relu) || n.Is(ir.Neg) || n.Is(ir.Abs) || n.Is(ir.Sign):
		return most
	}
	return notANumber
}

// negative reports whether a constant variance has an element that is no positive
// number together with epsilon.
func negative(variance *ir.Value, epsilon float64) bool {
	t := ir.ConstOf(variance)
	for i := 0; t != nil && i < t.Len(); i++ {
		if t.Float(i)+epsilon <= 0 {
			return true
		}
	}
	return false
}

// divides reports whether a constant divisor has an element x.
func divides(n *ir.Node, x float64) bool {
	t := ir.ConstOf(n.Args[1])
	for i := 0; t != nil && i < t.Len(); i++ {
		if t.Float(i) == x {
			return true
		}
	}
	return false
}

func wildest(t *ir.Tensor) wild {
	w := finite
	note := func(x float64) {
		switch {
		case x != x:
			w = notANumber
		case math.IsInf(x, 0):
			w = max(w, infinite)
		}
	}
	if t.HoldsFloats() {
		for _, run := range t.FloatRuns(0, t.Len()) {
			for _, x := range run {
				note(float64(x))
			}
		}
	}
	for _, x := range t.Doubles() {
		note(x)
	}
	return w
}
