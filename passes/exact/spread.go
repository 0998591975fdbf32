package exact

import (
	"fmt"

	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/passes"
)

// spread is a constant per channel that also depends on the position, and is the
// same all over boxes: what a bias becomes under a convolution whose padding it
// does not reach. One class of positions on an axis for every combination of taps
// that lie outside: three for a 3x3x3 kernel.
type spread struct {
	t  *ir.Tensor // f64 [1,C,classes...]
	at [][]int    // for every spatial axis, the class of each position
}

// uniformSpread is the same number at all positions of spatial sizes.
func uniformSpread(vec []float64, channels int, sizes []int) *spread {
	shape := []int{1, channels}
	s := &spread{}
	for _, size := range sizes {
		shape = append(shape, 1)
		s.at = append(s.at, make([]int, size))
	}
	s.t = ir.NewTensor(ir.T(ir.F64, shape...))
	for c := range channels {
		s.t.Doubles()[c] = vec[min(c, len(vec)-1)]
	}
	return s
}

// boxes is the number of combinations of classes.
func (s *spread) boxes() int { return ir.Type{Shape: s.t.Type.Shape[2:]}.Elems() }

// number returns channel c's number on a box.
func (s *spread) number(c, box int) float64 { return s.t.Float(c*s.boxes() + box) }

// plus adds a number a channel.
func (s *spread) plus(vec []float64) *spread {
	out := &spread{ir.NewTensor(s.t.Type), s.at}
	for i, v := range s.t.Doubles() {
		out.t.Doubles()[i] = v + vec[min(i/s.boxes(), len(vec)-1)]
	}
	return out
}

// scaledBy multiplies by a number a channel.
func (s *spread) scaledBy(num, den []float64) *spread {
	out := &spread{ir.NewTensor(s.t.Type), s.at}
	for i, v := range s.t.Doubles() {
		c := i / s.boxes()
		out.t.Doubles()[i] = v * num[min(c, len(num)-1)] / den[min(c, len(den)-1)]
	}
	return out
}

// maxSpread bounds the work of one spread: a kernel as large as its map sees other
// taps at every position.
const maxSpread = 1 << 26

// maxPositions bounds the positions of an axis, each with the taps above it.
const maxPositions = 1 << 20

// spreadable reports whether a convolution is small enough to be followed
// position by position.
func spreadable(n *ir.Node) bool {
	x, w, y := n.In(0).Shape, n.In(1).Shape, n.Result().Type.Shape
	if x[1] > maxChannels {
		return false
	}
	for a := 2; a < len(x); a++ {
		if x[a] > maxPositions || y[a] > maxPositions/w[a] {
			return false
		}
	}
	return true
}

// conv is what the convolution n with weights w makes of s: again a spread,
// whose classes are the combinations of s's classes under the taps. It returns
// nil when there are too many.
func (s *spread) conv(n *ir.Node, w *ir.Tensor) *spread {
	kernel := w.Type.Shape[2:]
	o, per := w.Type.Shape[0], w.Type.Shape[1]
	groups := n.Int("groups")
	shape := []int{1, o}
	out := &spread{}
	under := make([][][]int, len(kernel)) // for every axis and class of the result, s's class under each tap, -1 outside
	for a, k := range kernel {
		ids := map[string]int{}
		at := make([]int, n.Result().Type.Shape[2+a])
		for p := range at {
			taps := make([]int, k)
			for i := range taps {
				x := p*n.IntAt("stride", a, 1) + i*n.IntAt("dilation", a, 1) - n.IntAt("pad", a, 0)
				taps[i] = -1
				if x >= 0 && x < len(s.at[a]) {
					taps[i] = s.at[a][x]
				}
			}
			key := fmt.Sprint(taps)
			id, ok := ids[key]
			if !ok {
				id = len(ids)
				ids[key] = id
				under[a] = append(under[a], taps)
			}
			at[p] = id
		}
		out.at = append(out.at, at)
		shape = append(shape, len(ids))
	}
	if float64(w.Len())*float64(ir.Type{Shape: shape[2:]}.Elems()) > maxSpread {
		return nil
	}
	out.t = ir.NewTensor(ir.T(ir.F64, shape...))
	taps, classes := ir.Type{Shape: kernel}.Elems(), s.t.Type.Shape[2:]
	boxes := out.boxes()
	for box := range boxes {
		from := make([]int, taps) // s's box under each tap, -1 outside
		for t := range from {
			for a, rest, tap := len(kernel)-1, box, t; a >= 0; a-- {
				c := under[a][rest%len(under[a])][tap%kernel[a]]
				rest, tap = rest/len(under[a]), tap/kernel[a]
				if c < 0 {
					from[t] = -1
					break
				}
				from[t] += c * ir.Type{Shape: classes[a+1:]}.Elems()
			}
		}
		for k := range o {
			first := k / (o / groups) * per
			for i := range per {
				for t, b := range from {
					if b >= 0 {
						out.t.Doubles()[k*boxes+box] += float64(w.Float32((k*per+i)*taps+t)) * s.number(first+i, b)
					}
				}
			}
		}
	}
	return out
}

// largest returns the box with the most positions.
func (s *spread) largest() int {
	box := 0
	for a, classes := range s.t.Type.Shape[2:] {
		count := make([]int, classes)
		best := 0
		for _, c := range s.at[a] {
			if count[c]++; count[c] > count[best] {
				best = c
			}
		}
		box = box*classes + best
	}
	return box
}

// split returns the numbers of the largest box and what the other boxes differ
// by; nil when they do not.
func (s *spread) split() (base []float64, rest *spread) {
	base = make([]float64, s.t.Type.Shape[1])
	box, same := s.largest(), true
	minus := make([]float64, len(base))
	for c := range base {
		base[c] = s.number(c, box)
		minus[c] = -base[c]
		for b := range s.boxes() {
			same = same && s.number(c, b) == base[c]
		}
	}
	if same {
		return base, nil
	}
	return base, s.plus(minus)
}

// value writes s as a constant of type d that gathers spread over the axes: a
// few numbers a channel in the artifact rather than a map.
func (s *spread) value(rw *passes.Rewriter, d ir.DType) *ir.Value {
	v := rw.Const(s.t.Convert(d))
	for a, at := range s.at {
		if s.t.Type.Shape[2+a] == 1 {
			continue
		}
		idx := make([]int64, len(at))
		for i, c := range at {
			idx[i] = int64(c)
		}
		v = rw.Op(ir.Gather, map[string]any{"axis": 2 + a}, v, rw.Const(ir.IntTensor(ir.I64, idx, len(idx))))
	}
	return v
}

// isSpread reports whether a node is one of spread.value's gathers, which
// constant folding leaves: the map is worth less than the numbers.
func isSpread(n *ir.Node) bool {
	if !n.Is(ir.Gather) || n.In(0).Rank() < 3 || n.In(0).Shape[0] != 1 || n.In(1).Rank() != 1 || n.Int("axis") < 2 {
		return false
	}
	return n.In(0).DType == ir.F32 || n.In(0).DType == ir.I32
}

// asSpread reads what value wrote, for maps of the given shape, or returns nil.
func asSpread(v *ir.Value, shape []int) *spread {
	if v == nil || v.Type.Rank() != len(shape) || len(shape) < 3 {
		return nil
	}
	s := &spread{at: make([][]int, len(shape)-2)}
	for isSpread(ir.Def(v)) {
		n := v.Def
		idx, a := ir.ConstOf(n.Args[1]), n.Int("axis")-2
		if idx == nil || s.at[a] != nil || idx.Len() != shape[2+a] {
			return nil
		}
		for _, i := range idx.Ints() {
			s.at[a] = append(s.at[a], int(i))
		}
		v = n.Args[0]
	}
	t := ir.ConstOf(v)
	if t == nil || t.Type.Shape[0] != 1 || t.Type.Shape[1] != shape[1] {
		return nil
	}
	spreads := false
	for a := range s.at {
		spreads = spreads || s.at[a] != nil
		if s.at[a] == nil {
			if t.Type.Shape[2+a] != 1 {
				return nil
			}
			s.at[a] = make([]int, shape[2+a])
		}
	}
	if !spreads {
		return nil
	}
	s.t = t.Convert(ir.F64)
	return s
}
