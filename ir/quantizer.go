package ir

import (
	"fmt"
	"math"
	"slices"
)

// roundings are the ways of rounding to an integer, by name.
var roundings = map[string]func(x float64) float64{
	"ROUND":         math.RoundToEven,
	"HALF_EVEN":     math.RoundToEven,
	"CEIL":          math.Ceil,
	"FLOOR":         math.Floor,
	"UP":            func(x float64) float64 { return math.Copysign(math.Ceil(math.Abs(x)), x) },
	"DOWN":          math.Trunc,
	"ROUND_TO_ZERO": math.Trunc,
	"HALF_UP":       func(x float64) float64 { return math.Copysign(math.Floor(math.Abs(x)+0.5), x) },
	"HALF_DOWN":     func(x float64) float64 { return math.Copysign(math.Ceil(math.Abs(x)-0.5), x) },
}

const roundingDoc = "ROUND (halves to even), CEIL, FLOOR, UP (away from 0), DOWN or ROUND_TO_ZERO, HALF_UP or HALF_DOWN (halves away from or toward 0)"

func checkRounding(name string) error {
	if roundings[name] != nil {
		return nil
	}
	var names []string
	for k := range roundings {
		names = append(names, k)
	}
	slices.Sort(names)
	return fmt.Errorf("unknown rounding %q, expected one of %v", name, names)
}

// quantizer rounds numbers of a float type to a scaled integer grid, every
// operation rounded to that type.
type quantizer struct {
	dtype          DType
	signed, narrow bool
	round          func(x float64) float64
}

// limits returns the integer range of a number of bits: [-2^(bits-1),
// 2^(bits-1)-1] when signed, [0, 2^bits-1] else; a narrow one leaves out the
// lowest when signed, the highest else.
func (q *quantizer) limits(bits float64) (lo, hi float64) {
	if !q.signed {
		hi = math.Exp2(bits) - 1
		if q.narrow {
			hi--
		}
		return 0, hi
	}
	half := math.Exp2(bits - 1)
	lo, hi = -half, half-1
	if q.narrow {
		lo++
	}
	return lo, hi
}

// grid returns the point of the grid nearest to x under the rounding:
// (round(clamp(x/scale + zero)) - zero)*scale. One signed bit is {-1,+1}, with
// +1 for x/scale + zero >= 0.
func (q *quantizer) grid(x, scale, zero, bits float64) float64 {
	v := q.cut(q.cut(x/scale) + zero)
	if bits == 1 && q.signed {
		if v >= 0 {
			v = 1
		} else {
			v = -1
		}
	} else {
		v = q.round(q.clamp(v, bits))
	}
	return q.cut(q.cut(v-zero) * scale)
}

// clamp limits v to the range of a number of bits; NaN stays.
func (q *quantizer) clamp(v, bits float64) float64 {
	lo, hi := q.limits(bits)
	if v > hi {
		v = hi
	}
	if v < lo {
		v = lo
	}
	return v
}

// cut rounds to the element type.
func (q *quantizer) cut(v float64) float64 {
	if q.dtype == F64 {
		return v
	}
	return float64(RoundFloat(q.dtype, float32(v)))
}

// broadcastsTo reports an operand that is there and does not broadcast to the
// shape, or is no number.
func broadcastsTo(n *Node, operand int, shape []int) error {
	a := n.Arg(operand)
	if a == nil {
		return nil
	}
	if s, err := Broadcast(a.Type.Shape, shape); err != nil || !SameShape(s, shape) || !isNumber(a.Type.DType) {
		return fmt.Errorf("%s is %s, expected numbers that broadcast to %s", n.Op.Operands[operand].Name, a.Type, ShapeString(shape))
	}
	return nil
}

// quantInfer checks x, a float, and operands that broadcast to it.
func quantInfer(n *Node) ([]Type, error) {
	for i := 1; i < len(n.Args); i++ {
		if err := broadcastsTo(n, i, n.In(0).Shape); err != nil {
			return nil, err
		}
	}
	return unaryInfer(DType.IsFloat, Invalid)(n)
}

// quantEval evaluates f of every element of x and of the operands after it,
// broadcast; an operand left out is NaN.
func quantEval(n *Node, in []*Tensor, f func(v []float64) float64) ([]*Tensor, error) {
	out := NewTensor(n.Results[0].Type)
	shape := out.Type.Shape
	lists := make([][]int, len(in))
	for k, t := range in {
		lists[k] = make([]int, len(shape))
		if t != nil {
			lists[k] = broadcastStrides(t.Type.Shape, shape)
		}
	}
	v := make([]float64, len(in))
	walk(shape, func(i int, off []int) {
		for k, t := range in {
			v[k] = math.NaN()
			if t != nil {
				v[k] = t.Float(off[k])
			}
		}
		out.SetFloat(i, f(v))
	}, lists...)
	return []*Tensor{out}, nil
}
