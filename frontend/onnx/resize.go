package onnx

import (
	"math"
	"slices"

	"github.com/billnet/billnet/ir"
)

var resizeOps = map[string]handler{
	"Resize":   {1, 4, resize},
	"Upsample": {1, 2, upsample},
}

// resample is a Resize whose attributes and sizes have been read.
type resample struct {
	mode        string // nearest, linear or cubic
	coordinates string
	nearest     string
	cubic       float64 // the cubic filter's coefficient
	antialias   bool
	exclude     bool        // positions outside have weight 0
	outside     float64     // value outside of a crop
	roi         [][]float64 // start and end of every axis, for crops
	size        []int
	scale       []float64 // of every axis
	sized       bool      // sizes are given: scales follow from them
	common      bool      // one scale for all axes, which sizes are rounded from
}

// resize: up to version 10 the scales are input 1 and positions are not shifted.
func resize(c *call) []*ir.Value {
	r := &resample{mode: "nearest", coordinates: "half_pixel", nearest: "round_prefer_floor"}
	scales := 2
	if c.Version < 11 {
		r.coordinates, r.nearest, scales = "asymmetric", "floor", 1
	}
	r.mode = c.str("mode", "nearest")
	r.coordinates = c.str("coordinate_transformation_mode", r.coordinates)
	r.nearest = c.str("nearest_mode", r.nearest)
	r.cubic = c.float("cubic_coeff_a", -0.75)
	r.antialias, r.exclude = c.bool("antialias", false), c.bool("exclude_outside", false)
	r.outside = c.float("extrapolation_value", 0)
	axes := c.resizedAxes()
	if r.coordinates == "tf_crop_and_resize" {
		r.roi = c.crop(axes)
	}
	if c.Version >= 11 && c.in(3) != nil && c.typ(3).Elems() > 0 {
		c.sizedBy(r, axes, c.constInts(3, "sizes"))
	} else {
		c.scaledBy(r, axes, c.in(scales), scales)
	}
	return one(c.resample(r))
}

// upsample is the early form of Resize; up to version 8 the scales are an
// attribute.
func upsample(c *call) []*ir.Value {
	r := &resample{mode: c.str("mode", "nearest"), coordinates: "asymmetric", nearest: "floor"}
	axes := axesFrom(0, c.typ(0).Rank())
	if c.Version >= 9 {
		c.scaledBy(r, axes, c.in(1), 1)
	} else {
		c.scaleAxes(r, axes, c.floats("scales"))
	}
	return one(c.resample(r))
}

// resizedAxes are the axes that sizes and scales speak of.
func (c *call) resizedAxes() []int {
	rank := c.typ(0).Rank()
	if !c.has("axes") {
		return axesFrom(0, rank)
	}
	axes := slices.Clone(c.ints("axes"))
	for i := range axes {
		axes[i] = c.axis(axes[i], rank)
		if slices.Contains(axes[:i], axes[i]) {
			c.failf("axes %v name one axis twice", c.ints("axes"))
		}
	}
	return axes
}

// crop reads the region of interest, starts and then ends, between 0 and 1.
func (c *call) crop(axes []int) [][]float64 {
	roi := make([][]float64, c.typ(0).Rank())
	for a := range roi {
		roi[a] = []float64{0, 1}
	}
	if c.in(1) == nil {
		c.failf("the region of interest (input 1) is missing for tf_crop_and_resize")
	}
	t := c.constIn(1, "region of interest")
	if t.Len() != 2*len(axes) {
		c.failf("the region of interest is %s, expected %d numbers", t.Type, 2*len(axes))
	}
	for i, a := range axes {
		roi[a] = []float64{t.Float(i), t.Float(len(axes) + i)}
	}
	return roi
}

// sizedBy takes sizes; a policy other than stretch gives all axes one scale.
func (c *call) sizedBy(r *resample, axes, sizes []int) {
	x := c.typ(0)
	if len(sizes) != len(axes) {
		c.failf("the sizes are %v, expected %d numbers for %s", sizes, len(axes), x)
	}
	ratio := func(i int) float64 { return float64(sizes[i]) / float64(x.Shape[axes[i]]) }
	policy := c.str("keep_aspect_ratio_policy", "stretch")
	common := ratio(0)
	for i := range axes {
		switch policy {
		case "stretch":
		case "not_larger":
			common = min(common, ratio(i))
		case "not_smaller":
			common = max(common, ratio(i))
		default:
			c.failf("keep_aspect_ratio_policy is %q, expected stretch, not_larger or not_smaller", policy)
		}
	}
	r.size, r.scale, r.sized = slices.Clone(x.Shape), onesFloat(x.Rank()), true
	for i, a := range axes {
		r.size[a], r.scale[a] = sizes[i], ratio(i)
		if policy != "stretch" {
			r.size[a] = int(math.Floor(common*float64(x.Shape[a]) + 0.5))
			r.scale[a], r.common = common, true
		}
	}
}

// scaledBy takes scales, an input.
func (c *call) scaledBy(r *resample, axes []int, scales *ir.Value, input int) {
	if scales == nil {
		c.failf("scales and sizes are missing")
	}
	t := c.constIn(input, "scales")
	list := make([]float64, t.Len())
	for i := range list {
		list[i] = t.Float(i)
	}
	c.scaleAxes(r, axes, list)
}

// scaleAxes computes sizes from scales.
func (c *call) scaleAxes(r *resample, axes []int, scales []float64) {
	x := c.typ(0)
	if len(scales) != len(axes) {
		c.failf("the scales are %v, expected %d numbers for %s", scales, len(axes), x)
	}
	r.size, r.scale = slices.Clone(x.Shape), onesFloat(x.Rank())
	for i, a := range axes {
		r.size[a], r.scale[a] = c.scaledSize(a, scales[i]), scales[i]
	}
}

// scaledSize is the size of an axis of input 0 under a scale. The scale in the
// file is a float32 near the one that was meant (10 x 0.7 is 7, and not the
// 6.9999999 of the float32 nearest to 0.7): a whole number within its error
// stands, unless the file declares the size that is left without.
func (c *call) scaledSize(axis int, scale float64) int {
	d := c.typ(0).Shape[axis]
	exact := float64(d) * scale
	slack := min(math.Abs(exact)*0x1p-24, 0.5)
	low, high := math.Floor(exact-slack), math.Floor(exact+slack)
	if !(low >= -1 && high < ir.MaxElems) {
		c.failf("scale %v of axis %d of %s is out of range", scale, axis, c.typ(0))
	}
	says, ok := c.imp.declared(c.Outputs[0])
	if ok && low >= 0 && axis < len(says.Dims) && says.Dims[axis].Size == int(low) {
		return int(low)
	}
	return int(high)
}

func onesFloat(n int) []float64 {
	list := make([]float64, n)
	for i := range list {
		list[i] = 1
	}
	return list
}

// resample emits a Resize: nearest neighbours are an operation where sizes and
// scales say one thing, anything else is a sum of weighted gathers along one axis after the other.
func (c *call) resample(r *resample) *ir.Value {
	x := c.args[0]
	switch r.mode {
	case "nearest", "linear", "cubic":
	default:
		c.failf("mode is %q, expected nearest, linear or cubic", r.mode)
	}
	if _, ok := ir.ResizeNearest(r.nearest, 0); !ok {
		c.failf("nearest_mode is %q, expected round_prefer_floor, round_prefer_ceil, floor or ceil", r.nearest)
	}
	if err := ir.CheckShape(r.size); err != nil {
		c.failf("%v", err)
	}
	if r.mode == "nearest" && c.Op == "Resize" && c.Version < 11 {
		return c.resample10(r)
	}
	if r.mode == "nearest" && r.roi == nil && !r.common {
		a := attrs{"sizes": r.size, "coordinates": r.coordinates, "nearest": r.nearest}
		if !r.sized {
			a["scales"] = r.scale
		}
		return c.emit(ir.Resize, a, x)
	}
	d := x.Type.DType
	if !d.IsFloat() && r.mode != "nearest" {
		x = c.cast(x, ir.F32)
	}
	for a := range r.size {
		x = c.resampleAxis(r, x, a)
	}
	return c.cast(x, d)
}

// resample10 is what operator set 10 means by nearest: positions round up on
// axes that shrink, and down on those that grow.
func (c *call) resample10(r *resample) *ir.Value {
	y := c.args[0]
	for _, nearest := range []string{"ceil", "floor"} {
		size, scale := slices.Clone(y.Type.Shape), onesFloat(len(r.scale))
		for a, s := range r.scale {
			if (s < 1) == (nearest == "ceil") {
				size[a], scale[a] = r.size[a], s
			}
		}
		if !ir.SameShape(size, y.Type.Shape) {
			y = c.emit(ir.Resize, attrs{"sizes": size, "scales": scale, "coordinates": "asymmetric", "nearest": nearest}, y)
		}
	}
	return y
}

// tap is an element of x and its weight in a result.
type tap struct {
	at     int
	weight float64
}

// resampleAxis resizes x along one axis.
func (c *call) resampleAxis(r *resample, x *ir.Value, axis int) *ir.Value {
	d, e := x.Type.Shape[axis], r.size[axis]
	if d == e && r.scale[axis] == 1 && (r.roi == nil || r.roi[axis][0] == 0 && r.roi[axis][1] == 1) {
		return x
	}
	if d == 0 {
		c.failf("axis %d of %s has no elements to resize", axis, x.Type)
	}
	if e == 0 {
		return c.emit(ir.Slice, attrs{"starts": []int{0}, "ends": []int{0}, "axes": []int{axis}}, x)
	}
	c.spendBytes(ir.T(ir.I64, 8*e)) // a few taps for every position
	rows, outside, most := make([][]tap, e), make([]bool, e), 0
	for i := range rows {
		p := c.origin(r, axis, i, d)
		outside[i] = r.roi != nil && (p < 0 || p > float64(d-1))
		rows[i] = r.taps(p, d, r.scale[axis])
		most = max(most, len(rows[i]))
	}
	const gathers = 4 // more are a matrix product
	var y *ir.Value
	if most > gathers {
		y = c.tapMatrix(x, axis, rows)
	} else {
		y = c.tapGathers(x, axis, rows, most)
	}
	if !slices.Contains(outside, true) {
		return y
	}
	mask := c.tensor(ir.T(ir.Bool, append([]int{e}, ones(x.Type.Rank()-axis-1)...)...))
	for i, b := range outside {
		mask.Ints()[i] = int64(b2i(b))
	}
	return c.op(ir.Where, c.constant(mask), c.like(x, r.outside), y)
}

// origin is the position in x of position i of the result. Like the scales in a
// file, regions mean what float32 makes of them: a region from 0.2 to 1.2 reaches
// exactly the last element where exact arithmetic on the float32 nearest to 1.2 would
// leave the axis.
func (c *call) origin(r *resample, axis, i, d int) float64 {
	e := r.size[axis]
	if r.roi != nil {
		from, to, last := float32(r.roi[axis][0]), float32(r.roi[axis][1]), float32(d-1)
		if e > 1 {
			step := float32(float32(float32(i)*float32(to-from))*last) / float32(e-1)
			return float64(float32(from*last) + step)
		}
		return 0.5 * float64(from+to) * float64(d-1)
	}
	p, ok := ir.ResizeOrigin(r.coordinates, i, d, e, float32(r.scale[axis]))
	if !ok {
		c.unsupportedf("with coordinate_transformation_mode=%s", r.coordinates)
	}
	return float64(p)
}

// taps weighs the elements around position p of an axis of d elements. The
// filter is stretched when antialiasing shrinks the axis.
func (r *resample) taps(p float64, d int, scale float64) []tap {
	if r.mode == "nearest" {
		at, _ := ir.ResizeNearest(r.nearest, p)
		return []tap{{clampIndex(int(at), d), 1}}
	}
	filter, reach := linearFilter, 1.0
	if r.mode == "cubic" {
		filter, reach = cubicFilter(r.cubic), 2
	}
	stretch := 1.0
	if r.antialias {
		stretch = min(scale, 1)
	}
	base := math.Ceil(p) - 1
	ratio := p - base
	start := int(math.Floor(-reach/stretch)) + 1
	var list []tap
	sum := 0.0
	for j := start; j < 2-start; j++ {
		at, w := int(base)+j, filter((float64(j)-ratio)*stretch)
		if w == 0 || r.exclude && (at < 0 || at >= d) {
			continue
		}
		list = append(list, tap{clampIndex(at, d), w})
		sum += w
	}
	if r.antialias || r.exclude {
		for i := range list {
			list[i].weight /= sum
		}
	}
	return list
}

func clampIndex(i, d int) int { return min(max(i, 0), d-1) }

func linearFilter(x float64) float64 { return max(0, 1-math.Abs(x)) }

// cubicFilter is the piecewise cubic of Keys with a coefficient.
func cubicFilter(a float64) func(x float64) float64 {
	return func(x float64) float64 {
		x = math.Abs(x)
		switch {
		case x <= 1:
			return ((a+2)*x-(a+3))*x*x + 1
		case x < 2:
			return ((a*x-5*a)*x+8*a)*x - 4*a
		}
		return 0
	}
}

// tapGathers is the sum over k of the elements at tap k, times its weights.
func (c *call) tapGathers(x *ir.Value, axis int, rows [][]tap, most int) *ir.Value {
	e := len(rows)
	var y *ir.Value
	for k := range most {
		at := c.tensor(ir.T(ir.I64, e))
		weight := c.tensor(ir.T(x.Type.DType, append([]int{e}, ones(x.Type.Rank()-axis-1)...)...))
		for i, row := range rows {
			if k < len(row) {
				at.Ints()[i] = int64(row[k].at)
				weight.SetFloat(i, row[k].weight)
			}
		}
		part := c.emit(ir.Gather, attrs{"axis": axis}, x, c.constant(at))
		if w, splat := weight.Splat(); !splat || w != 1 {
			part = c.op(ir.Mul, part, c.constant(weight))
		}
		if y != nil {
			part = c.op(ir.Add, y, part)
		}
		y = part
	}
	return y
}

// tapMatrix multiplies x along an axis by the matrix of all weights.
func (c *call) tapMatrix(x *ir.Value, axis int, rows [][]tap) *ir.Value {
	rank, d := x.Type.Rank(), x.Type.Shape[axis]
	m := c.tensor(ir.T(x.Type.DType, d, len(rows)))
	for i, row := range rows {
		for _, t := range row {
			at := t.at*len(rows) + i
			m.SetFloat(at, m.Float(at)+t.weight)
		}
	}
	perm := axesFrom(0, rank)
	perm[axis], perm[rank-1] = rank-1, axis
	swap := func(v *ir.Value) *ir.Value {
		if axis == rank-1 {
			return v
		}
		return c.emit(ir.Transpose, attrs{"perm": perm}, v)
	}
	return swap(c.op(ir.MatMul, swap(x), c.constant(m)))
}
