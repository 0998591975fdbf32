package onnx

import (
	"slices"

	"github.com/billnet/billnet/ir"
)

// Sampling at computed positions.
var gridOps = map[string]handler{
	"AffineGrid": {2, 2, affineGrid},
	"GridSample": {2, 2, gridSample},
}

// affineGrid multiplies the positions of a map, from -1 to 1 along every axis,
// the last axis first, by a matrix a sample.
func affineGrid(c *call) []*ir.Value {
	theta, size := c.args[0], c.constInts(1, "size")
	k := len(size) - 2
	if k < 2 || k > 3 || !ir.SameShape(theta.Type.Shape, []int{size[0], k, k + 1}) {
		c.failf("theta is %s and the size %v, expected [N,2,3] for [N,C,H,W] or [N,3,4] for [N,C,D,H,W]", theta.Type, size)
	}
	if err := ir.CheckShape(size); err != nil {
		c.failf("%v", err)
	}
	spatial := size[2:]
	area, corners := elems(spatial), c.bool("align_corners", false)
	base := c.tensor(ir.T(theta.Type.DType, area, k+1))
	strides := rowMajor(spatial)
	for i := range area {
		for a, n := range spatial {
			p := float64(i / strides[a] % n)
			switch {
			case corners && n > 1:
				p = 2*p/float64(n-1) - 1
			case corners:
				p = -1
			default:
				p = (2*p+1)/float64(n) - 1
			}
			base.SetFloat(i*(k+1)+k-1-a, p)
		}
		base.SetFloat(i*(k+1)+k, 1)
	}
	y := c.op(ir.MatMul, c.constant(base), c.emit(ir.Transpose, attrs{"perm": []int{0, 2, 1}}, theta))
	return one(c.reshape(y, append([]int{size[0]}, append(slices.Clone(spatial), k)...)))
}

// gridSampler is a GridSample being written out. Positions along axis a are
// tensors [N, outputs].
type gridSampler struct {
	*call
	x       *ir.Value // [N, positions, C]
	size    []int     // of the spatial axes
	padding string
	corners bool
	points  int // outputs of a sample
}

// gridSample reads x at the positions in grid, whose last axis has the last
// spatial axis first: the elements around them are gathered and weighted.
func gridSample(c *call) []*ir.Value {
	x, grid := c.args[0], c.args[1]
	k := x.Type.Rank() - 2
	if k < 1 || grid.Type.Rank() != k+2 || grid.Type.Shape[k+1] != k || grid.Type.Shape[0] != x.Type.Shape[0] {
		c.failf("x is %s and grid is %s, expected [N,C,...] and [N,...,%d]", x.Type, grid.Type, k)
	}
	mode := c.str("mode", "linear")
	n, ch, out := x.Type.Shape[0], x.Type.Shape[1], grid.Type.Shape[1:k+1]
	s := &gridSampler{call: c, size: x.Type.Shape[2:], padding: c.str("padding_mode", "zeros"), corners: c.bool("align_corners", false), points: elems(out)}
	if s.padding != "zeros" && s.padding != "border" && s.padding != "reflection" {
		c.failf("padding_mode is %q, expected zeros, border or reflection", s.padding)
	}
	if slices.Contains(s.size, 0) {
		c.failf("x is %s, which has no elements to sample", x.Type)
	}
	s.x = c.emit(ir.Transpose, attrs{"perm": []int{0, 2, 1}}, c.reshape(x, []int{n, ch, elems(s.size)}))
	at := make([]*ir.Value, k)
	flat := c.cast(c.reshape(grid, []int{n, s.points, k}), x.Type.DType)
	for a := range at {
		p := c.emit(ir.Slice, attrs{"axes": []int{2}, "starts": []int{k - 1 - a}, "ends": []int{k - a}}, flat)
		at[a] = s.denormalize(c.reshape(p, []int{n, s.points}), a)
	}
	var y *ir.Value
	switch mode {
	case "nearest":
		y = s.nearest(at)
	case "linear", "bilinear":
		y = s.around(at, s.linear)
	case "cubic", "bicubic":
		y = s.around(at, s.cubic)
	default:
		c.failf("mode is %q, expected linear, nearest or cubic", mode)
	}
	y = c.emit(ir.Transpose, attrs{"perm": []int{0, 2, 1}}, y)
	return one(c.reshape(y, append([]int{n, ch}, out...)))
}

// denormalize maps -1..1 to the positions of axis a: the centres of its first
// and last element, or their outer edges.
func (s *gridSampler) denormalize(p *ir.Value, a int) *ir.Value {
	d := float64(s.size[a])
	p = s.op(ir.Add, p, s.like(p, 1))
	if s.corners {
		return s.op(ir.Mul, p, s.like(p, (d-1)/2))
	}
	return s.op(ir.Div, s.op(ir.Sub, s.op(ir.Mul, p, s.like(p, d)), s.like(p, 1)), s.like(p, 2))
}

func (s *gridSampler) nearest(at []*ir.Value) *ir.Value {
	whole := make([]*ir.Value, len(at))
	for a, p := range at {
		if s.padding == "border" {
			p = s.op(ir.Clip, p, s.like(p, 0), s.like(p, float64(s.size[a]-1)))
		} else if s.padding == "reflection" {
			p = s.reflect(p, a)
		}
		whole[a] = s.op(ir.Round, p)
	}
	return s.pixel(whole)
}

// weighed is an offset from the element below a position and its weight.
type weighed struct {
	offset float64
	weight *ir.Value // [N, outputs]
}

// linear are the two elements around a fraction t, and their weights.
func (s *gridSampler) linear(t *ir.Value) []weighed {
	return []weighed{{0, s.op(ir.Sub, s.like(t, 1), t)}, {1, t}}
}

// cubic are the four elements around a fraction t under Keys' filter with
// a = -0.75.
func (s *gridSampler) cubic(t *ir.Value) []weighed {
	const a = -0.75
	near := func(x *ir.Value) *ir.Value { return s.polynomial(x, a+2, -(a + 3), 0, 1) }
	far := func(x *ir.Value) *ir.Value { return s.polynomial(x, a, -5*a, 8*a, -4*a) }
	up := s.op(ir.Sub, s.like(t, 1), t)
	return []weighed{
		{-1, far(s.op(ir.Add, t, s.like(t, 1)))},
		{0, near(t)},
		{1, near(up)},
		{2, far(s.op(ir.Add, up, s.like(t, 1)))},
	}
}

// polynomial evaluates coefficients, the highest first, by Horner's rule.
func (s *gridSampler) polynomial(x *ir.Value, coefficients ...float64) *ir.Value {
	y := s.like(x, coefficients[0])
	for _, k := range coefficients[1:] {
		y = s.op(ir.Mul, y, x)
		if k != 0 {
			y = s.op(ir.Add, y, s.like(x, k))
		}
	}
	return y
}

// around sums the elements around every position with the product of the weights
// along all axes.
func (s *gridSampler) around(at []*ir.Value, filter func(t *ir.Value) []weighed) *ir.Value {
	k := len(at)
	floor := make([]*ir.Value, k)
	sides := make([][]weighed, k)
	for a, p := range at {
		if s.padding == "border" {
			p = s.borderFor(p, a, filter)
		} else if s.padding == "reflection" {
			p = s.reflectFor(p, a, filter)
		}
		floor[a] = s.op(ir.Floor, p)
		sides[a] = filter(s.op(ir.Sub, p, floor[a]))
	}
	taps := make([]int, k)
	for a := range taps {
		taps[a] = len(sides[a])
	}
	var sum *ir.Value
	for index := make([]int, k); ; {
		place := make([]*ir.Value, k)
		var weight *ir.Value
		for a, i := range index {
			w := sides[a][i]
			place[a] = s.op(ir.Add, floor[a], s.like(floor[a], w.offset))
			if weight == nil {
				weight = w.weight
			} else {
				weight = s.op(ir.Mul, weight, w.weight)
			}
		}
		n := weight.Type.Shape[0]
		part := s.op(ir.Mul, s.pixel(place), s.reshape(weight, []int{n, s.points, 1}))
		if sum != nil {
			part = s.op(ir.Add, sum, part)
		}
		sum = part
		if !nextIndex(index, taps) {
			return sum
		}
	}
}

// borderFor limits positions to the map, where a filter reaches one element
// beyond; a wider one reads limited elements instead.
func (s *gridSampler) borderFor(p *ir.Value, a int, filter func(t *ir.Value) []weighed) *ir.Value {
	if s.wide(filter) {
		return p
	}
	return s.op(ir.Clip, p, s.like(p, 0), s.like(p, float64(s.size[a]-1)))
}

// reflectFor is borderFor for mirrored positions.
func (s *gridSampler) reflectFor(p *ir.Value, a int, filter func(t *ir.Value) []weighed) *ir.Value {
	if s.wide(filter) {
		return p
	}
	return s.reflect(p, a)
}

// wide reports a filter of more than two elements.
func (s *gridSampler) wide(filter func(t *ir.Value) []weighed) bool {
	return len(filter(s.like(s.x, 0))) > 2
}

// reflect mirrors positions about the centres of the first and last element, or
// about their outer edges, until they lie between them, and limits them to
// elements.
func (s *gridSampler) reflect(p *ir.Value, a int) *ir.Value {
	d := float64(s.size[a])
	lo, hi := -0.5, d-0.5
	if s.corners {
		lo, hi = 0, d-1
	}
	if hi == lo {
		return s.op(ir.Mul, p, s.like(p, 0))
	}
	span := hi - lo
	p = s.op(ir.Abs, s.op(ir.Sub, p, s.like(p, lo)))
	flips := s.op(ir.Floor, s.op(ir.Div, p, s.like(p, span)))
	extra := s.op(ir.Sub, p, s.op(ir.Mul, flips, s.like(p, span)))
	half := s.op(ir.Mul, flips, s.like(p, 0.5))
	even := s.op(ir.Equal, half, s.op(ir.Floor, half))
	p = s.op(ir.Where, even, s.op(ir.Add, extra, s.like(p, lo)), s.op(ir.Sub, s.like(p, hi), extra))
	return s.op(ir.Clip, p, s.like(p, 0), s.like(p, d-1))
}

// pixel gathers the elements at whole positions, [N, outputs, C]; those outside
// are 0, or with another padding the nearest or mirrored ones.
func (s *gridSampler) pixel(at []*ir.Value) *ir.Value {
	n := at[0].Type.Shape[0]
	strides := rowMajor(s.size)
	var flat, outside *ir.Value
	for a, p := range at {
		last := s.like(p, float64(s.size[a]-1))
		if s.padding == "reflection" {
			p = s.reflect(p, a)
		}
		inside := s.op(ir.Clip, p, s.like(p, 0), last)
		off := s.op(ir.Not, s.op(ir.Equal, inside, p))
		index := s.op(ir.Mul, s.cast(inside, ir.I64), s.scalar(ir.I64, float64(strides[a])))
		if flat == nil {
			flat, outside = index, off
		} else {
			flat, outside = s.op(ir.Add, flat, index), s.op(ir.Or, outside, off)
		}
	}
	v := s.emit(ir.GatherND, attrs{"batch_dims": 1}, s.x, s.reshape(flat, []int{n, s.points, 1}))
	if s.padding != "zeros" {
		return v
	}
	return s.op(ir.Where, s.reshape(outside, []int{n, s.points, 1}), s.like(s.x, 0), v)
}
