package train

import (
	"fmt"
	"math"

	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/train/vec"
)

// round passes the gradient as it is.
var _ = register(func(b *builder, n *ir.Node, in []*value) ([]*value, error) {
	fwd := func(y []float32, x [][]float32) {
		for i, v := range x[0] {
			y[i] = float32(math.RoundToEven(float64(v)))
		}
	}
	bwd := func(gy, y []float32, x, gx [][]float32) { vec.Add(gx[0], gy) }
	return []*value{b.elements(in, fwd, bwd)}, nil
}, ir.Round)

// bipolar_quant is scale times the sign of x with sign(0) = +1: a step for x, and
// the sign for a scale that is trained.
var _ = register(func(b *builder, n *ir.Node, in []*value) ([]*value, error) {
	hard := func(y []float32, x [][]float32) {
		for i, v := range x[0] {
			y[i] = -1
			if v >= 0 {
				y[i] = 1
			}
		}
	}
	s := b.stepOf(in[0].shape, in[:1], -1, b.roleOf(n, n.Args[0], true), hard)
	return []*value{product(b, []*value{s, in[1]})}, nil
}, ir.BipolarQuant)

// quant rounds to a grid of few-bit integers. The gradient of x passes where x is
// within the grid's range; scale, zero point and bits are constants in training.
var _ = register(func(b *builder, n *ir.Node, in []*value) ([]*value, error) {
	type limit struct{ lo, hi float32 }
	for i := 1; i < 4; i++ {
		if in[i].batched {
			return nil, fmt.Errorf("%s depends on the input", n.Op.Operands[i].Name)
		}
	}
	round, err := rounding(n.Str("rounding"))
	if err != nil {
		return nil, err
	}
	narrow, isSigned := n.Bool("narrow"), n.Bool("signed")
	limits := func(bits float32) limit {
		lo, hi := 0.0, math.Exp2(float64(bits))-1
		switch {
		case isSigned:
			hi = math.Exp2(float64(bits) - 1)
			lo, hi = -hi, hi-1
			if narrow {
				lo++
			}
		case narrow:
			hi--
		}
		return limit{float32(lo), float32(hi)}
	}
	fwd := func(y []float32, x [][]float32) {
		for i, v := range x[0] {
			scale, zero, bits := x[1][i], x[2][i], x[3][i]
			q := float32(v/scale) + zero
			if bits == 1 && isSigned {
				q = float32(choose(q >= 0, 1, -1))
			} else {
				l := limits(bits)
				q = float32(round(float64(max(l.lo, min(l.hi, q)))))
			}
			y[i] = (q - zero) * scale
		}
	}
	bwd := func(gy, y []float32, x, gx [][]float32) {
		if gx[0] == nil {
			return
		}
		for i, v := range x[0] {
			q, l := v/x[1][i]+x[2][i], limits(x[3][i])
			if x[3][i] == 1 && isSigned {
				l = limit{-1, 1}
			}
			if q >= l.lo && q <= l.hi {
				gx[0][i] += gy[i]
			}
		}
	}
	return []*value{b.elements(in, fwd, bwd)}, nil
}, ir.Quant)

func rounding(name string) (func(float64) float64, error) {
	switch name {
	case "ROUND", "HALF_EVEN":
		return math.RoundToEven, nil
	case "CEIL":
		return math.Ceil, nil
	case "FLOOR":
		return math.Floor, nil
	case "DOWN", "ROUND_TO_ZERO":
		return math.Trunc, nil
	}
	return nil, fmt.Errorf("rounding %s is not trained, expected ROUND, CEIL, FLOOR or DOWN", name)
}

// quantize_linear rounds x/scale + zero to an integer type; the gradient of x,
// times 1/scale, passes where the result is in the type's range.
var _ = register(func(b *builder, n *ir.Node, in []*value) ([]*value, error) {
	in, err := alongAxis(n, in)
	if err != nil {
		return nil, err
	}
	lo, hi := n.Results[0].Type.DType.Range()
	least, most := float64(lo), float64(hi)
	at := func(x [][]float32, i int) float64 {
		zero := 0.0
		if len(x) > 2 {
			zero = float64(x[2][i])
		}
		return math.RoundToEven(float64(x[0][i]/x[1][i])) + zero
	}
	fwd := func(y []float32, x [][]float32) {
		for i := range y {
			y[i] = float32(max(least, min(most, at(x, i))))
		}
	}
	bwd := func(gy, y []float32, x, gx [][]float32) {
		for i, v := range gy {
			if q := at(x, i); gx[0] != nil && q >= least && q <= most {
				gx[0][i] += v / x[1][i]
			}
		}
	}
	return []*value{b.elements(in, fwd, bwd)}, nil
}, ir.QuantizeLinear)

// dequantize_linear is (x - zero)*scale, with the gradient of x.
var _ = register(func(b *builder, n *ir.Node, in []*value) ([]*value, error) {
	in, err := alongAxis(n, in)
	if err != nil {
		return nil, err
	}
	fwd := func(y []float32, x [][]float32) {
		for i, v := range x[0] {
			if len(x) > 2 {
				v -= x[2][i]
			}
			y[i] = v * x[1][i]
		}
	}
	bwd := func(gy, y []float32, x, gx [][]float32) {
		for i, v := range gy {
			if gx[0] != nil {
				gx[0][i] += v * x[1][i]
			}
		}
	}
	return []*value{b.elements(in, fwd, bwd)}, nil
}, ir.DequantizeLinear)

// alongAxis returns x, scale and, where it is given, zero, with lists of scales
// shaped to go along the node's axis of x.
func alongAxis(n *ir.Node, in []*value) ([]*value, error) {
	if n.Int("block_size") != 0 {
		return nil, fmt.Errorf("blocks of scales have no gradient rule")
	}
	out := []*value{in[0]}
	for _, v := range in[1:] {
		if v == nil {
			continue
		}
		if v.batched {
			return nil, fmt.Errorf("a scale or zero point depends on the input")
		}
		list := *v
		if v.size > 1 {
			a, err := ir.Axis(n.Int("axis"), len(in[0].shape))
			if err != nil {
				return nil, err
			}
			list.shape = make([]int, len(in[0].shape)-a)
			for i := range list.shape {
				list.shape[i] = 1
			}
			list.shape[0] = v.size
		} else {
			list.shape = nil
		}
		out = append(out, &list)
	}
	return out, nil
}
