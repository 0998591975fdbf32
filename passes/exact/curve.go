package exact

import (
	"math"
	"slices"

	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/passes/analysis"
)

// curve is an activation over elementwise operations over one integer that need
// be no chain and not monotone: x*sigmoid(x), GELU and Mish as exporters write
// them, HardSwish, magnitudes, selections.
type curve struct {
	activation
	z        *ir.Value
	base     *ir.Node   // to_float or affine
	nodes    []*ir.Node // after what they read
	channels []int      // of z
}

// maxCurve bounds the operations of a curve.
const maxCurve = 64

// findCurve follows a float value back to one integer; nil where other values
// take part.
func findCurve(v *ir.Value) *curve {
	if v.Type.DType != ir.F32 || v.Type.Rank() < 2 {
		return nil
	}
	cv := &curve{}
	seen := map[*ir.Node]bool{}
	var visit func(a *ir.Value) bool
	visit = func(a *ir.Value) bool {
		d := ir.Def(a)
		if d == nil || !ir.SameShape(a.Type.Shape, v.Type.Shape) {
			return false
		}
		if seen[d] {
			return true
		}
		seen[d] = true
		switch {
		case d.Is(ir.ToFloat) || d.Is(ir.Affine) && affineCarries(d, v.Type.Shape) == 0:
			if cv.base != nil || cv.z != nil && cv.z != d.Args[0] {
				return false
			}
			cv.base, cv.z = d, d.Args[0]
			return true
		case d.Is(ir.Threshold) && d.Int("axis") == 1: // a selection that is a comparison already
			if cv.z == nil {
				cv.z = d.Args[0]
			}
			cv.nodes = append(cv.nodes, d)
			return cv.z == d.Args[0]
		}
		if d.Op.Kind != ir.Elementwise && !(d.Is(ir.BatchNorm) && analysis.SoundNorm(d)) || len(d.Results) != 1 || len(seen) > maxCurve {
			return false
		}
		for i, p := range d.Args {
			switch {
			case p == nil:
			case ir.ConstOf(p) != nil:
				if !perChannel(d, i, len(v.Type.Shape)) {
					return false
				}
			case !visit(p):
				return false
			}
		}
		cv.nodes = append(cv.nodes, d)
		return true
	}
	if !visit(v) || cv.base == nil || len(cv.nodes) == 0 {
		return nil
	}
	for i := range v.Type.Shape[1] {
		cv.channels = append(cv.channels, i)
	}
	return cv
}

// perChannel reports whether a constant operand is one number, or one for every
// index on axis 1 of values of a rank.
func perChannel(d *ir.Node, operand, rank int) bool {
	t := d.In(operand)
	if d.Is(ir.BatchNorm) {
		return true
	}
	for i, size := range t.Shape {
		if size != 1 && i+rank-t.Rank() != 1 {
			return false
		}
	}
	return t.Rank() <= rank && t.Elems() > 0
}

// constant is a constant operand for the curve's channels, in floats of type d.
func (cv *curve) constant(v *ir.Value, d ir.DType) *ir.Tensor {
	t := ir.ConstOf(v)
	if t.Type.DType == ir.F32 {
		t = t.Convert(d)
	}
	if t.Len() == 1 {
		return t
	}
	shape := slices.Clone(t.Type.Shape)
	shape[slices.Index(shape, t.Len())] = len(cv.channels)
	out := ir.NewTensor(ir.T(t.Type.DType, shape...))
	for i, c := range cv.channels {
		if out.HoldsInts() {
			out.Ints()[i] = t.Int(c)
		} else {
			out.SetFloat(i, t.Float(c))
		}
	}
	return out
}

// rows gives accumulators z[row][channel] the shape in which the operations take
// them.
func (cv *curve) rows(z []int64) *ir.Tensor {
	shape := slices.Repeat([]int{1}, cv.z.Type.Rank())
	shape[0], shape[1] = len(z)/len(cv.channels), len(cv.channels)
	return ir.IntTensor(ir.I32, z, shape...)
}

// Bits evaluates the curve in float32 with the interpreter on rows of
// accumulators. Behind an affine, whose own value is over the real numbers, the
// functions are still the source's: far below 0 GELU is 0 in float32, which is
// no tie that the order of a sum decides.
func (cv *curve) Bits(z []int64) ([]int64, error) {
	in := []*ir.Tensor{cv.rows(z)}
	for _, p := range cv.base.Args[1:] {
		in = append(in, cv.constant(p, ir.F64))
	}
	x, err := evalOn(cv.base, in)
	if err != nil {
		return nil, err
	}
	at := map[*ir.Value]*ir.Tensor{cv.z: in[0], cv.base.Result(): x}
	for _, n := range cv.nodes {
		in := make([]*ir.Tensor, len(n.Args))
		for i, a := range n.Args {
			if in[i] = at[a]; a != nil && in[i] == nil {
				in[i] = cv.constant(a, ir.F32)
			}
		}
		y, err := evalOn(n, in)
		if err != nil {
			return nil, err
		}
		at[n.Result()] = y
	}
	return cv.bits(at[cv.nodes[len(cv.nodes)-1].Result()])
}

// estimate is a tensor of values and, for floats, bounds of the errors that a
// float32 evaluation makes.
type estimate struct{ v, e *ir.Tensor }

// real evaluates the curve in float64, which is to float32 what the real numbers
// are but for its own 2^-53, with the error of the source's float32.
func (cv *curve) real(z []int64) (estimate, error) {
	x := cv.rows(z).Convert(ir.F64)
	e := ir.NewTensor(x.Type)
	ranges := analysis.NewRanger()
	for i, channel := range cv.channels {
		c := link{cv.base, 0, channel}
		scale := c.at(1) / c.at(2)
		m, terms := sumMagnitude(ranges, cv.z, channel)
		off := (terms + 2) * unitRoundoff * (m*math.Abs(scale) + cv.base.Float("terms"))
		for k := i; k < x.Len(); k += len(cv.channels) {
			r := &rounding{x.Float(k) * scale, off}
			r.then(r.v+c.at(3), 1, 1)
			x.Doubles()[k], e.Doubles()[k] = r.v, r.e
		}
	}
	at := map[*ir.Value]estimate{cv.z: {v: cv.rows(z)}, cv.base.Result(): {x, e}}
	for _, n := range cv.nodes {
		y, err := cv.follow(n, at)
		if err != nil {
			return estimate{}, err
		}
		at[n.Result()] = y
	}
	return at[cv.nodes[len(cv.nodes)-1].Result()], nil
}

// follow evaluates one operation. Its error is what the operands' errors make of
// the result at most, and the rounding of its own, two units for functions.
func (cv *curve) follow(n *ir.Node, at map[*ir.Value]estimate) (estimate, error) {
	in := make([]*ir.Tensor, len(n.Args))
	for i, a := range n.Args {
		if in[i] = at[a].v; a != nil && in[i] == nil {
			in[i] = cv.constant(a, ir.F64)
		}
	}
	y, err := evalOn(n, in)
	if err != nil || !y.HoldsDoubles() {
		return estimate{v: y}, err
	}
	out := estimate{y, ir.NewTensor(y.Type)}
	for i, a := range n.Args {
		e := at[a].e
		if a == nil || e == nil {
			continue
		}
		most := make([]float64, y.Len())
		for _, sign := range []float64{-1, 1} {
			moved := slices.Clone(in)
			moved[i] = ir.NewTensor(e.Type)
			for k, v := range in[i].Doubles() {
				moved[i].Doubles()[k] = v + sign*e.Float(k)
			}
			w, err := evalOn(n, moved)
			if err != nil {
				return estimate{}, err
			}
			for k := range most {
				most[k] = max(most[k], math.Abs(w.Float(k)-y.Float(k)))
			}
		}
		for k := range most {
			out.e.Doubles()[k] += most[k]
		}
	}
	for k, v := range y.Doubles() {
		out.e.Doubles()[k] += 4*unitRoundoff*math.Abs(v) + underflow
	}
	return out, nil
}
