package ir

// OpKind says what an operation does with elements.
type OpKind uint8

// The kinds of operations.
const (
	Holds       OpKind = iota + 1 // a constant
	Elementwise                   // element i of a result is made of element i of every operand, which broadcast
	Channelwise                   // elementwise in the first operand, with parameters for every index on an axis
	Moves                         // results are elements of operands in other places, or a fill
	Windows                       // slides a window over spatial axes: convolutions and pools
	Reduces                       // folds axes into one element
	Multiplies                    // matrix products
	Normalizes                    // elementwise, by way of a statistic over axes
	Recurs                        // carries a state along time
)

func (k OpKind) String() string {
	if k < Holds || k > Recurs {
		return "none"
	}
	return [...]string{"holds", "elementwise", "channelwise", "moves", "windows", "reduces", "multiplies", "normalizes", "recurs"}[k-1]
}

// Values says how the elements of results come from those of operands.
type Values uint8

// Where elements of results come from.
const (
	Computed Values = iota // arithmetic, which may round
	Taken                  // elements of data operands; those of an operation that moves are taken anyway
	Folded                 // elements of data operands, their negatives or magnitudes, or one of -1, 0 and 1
)

// Takes reports whether every element of a result is an element of a data
// operand, or a fill.
func (o *Op) Takes() bool { return o.Kind == Moves || o.Values == Taken }

// Rounds reports whether results may need rounding to their element type.
func (o *Op) Rounds() bool { return o.Kind != Moves && o.Values == Computed }

// Slope says how every element of the results changes when elements of an
// operand grow, all else equal and short of NaN and integers that wrap.
type Slope int8

// The slopes.
const (
	Falling Slope = iota - 1 // never grows
	Unknown
	Rising // never shrinks
)

// Slope returns the slope in operand i.
func (n *Node) Slope(i int) Slope {
	switch {
	case n.Op.Slope != nil:
		return n.Op.Slope(n, i)
	case n.Op.Kind == Moves && !n.Op.Operand(i).Index:
		return Rising
	}
	return Unknown
}

// Operand returns the description of operand i of a node; a variadic operand's
// serves all that follow.
func (o *Op) Operand(i int) Param { return o.Operands[min(i, len(o.Operands)-1)] }

// slopes is the Slope of an operation with a fixed slope in every operand, the
// last serving all that follow.
func slopes(s ...Slope) func(*Node, int) Slope {
	return func(_ *Node, i int) Slope { return s[min(i, len(s)-1)] }
}

// slopeIf is the Slope of an operation of one operand that rises where rising
// says so of its attributes.
func slopeIf(rising func(n *Node) bool) func(*Node, int) Slope {
	return func(n *Node, i int) Slope {
		if i == 0 && rising(n) {
			return Rising
		}
		return Unknown
	}
}

// constSlope is the slope of x*v in x: known for a constant v of one sign.
func constSlope(v *Value) Slope {
	c := ConstOf(v)
	if c == nil {
		return Unknown
	}
	rising, falling := true, true
	for i := range c.Len() {
		x := c.Float(i)
		rising, falling = rising && x >= 0, falling && x <= 0
	}
	switch {
	case rising:
		return Rising
	case falling:
		return Falling
	}
	return Unknown
}

// slopeBy is the slope in operand x of an operation that scales it by operand
// scale, a constant; unknown in other operands.
func slopeBy(n *Node, i, x, scale int) Slope {
	if i != x {
		return Unknown
	}
	return constSlope(n.Arg(scale))
}
