package ir

import (
	"fmt"
	"math"
)

var Resize = register(&Op{
	Name: "resize",
	Doc: "Nearest-neighbour resampling: y[i, ...] = x[nearest(original(i)), ...] along every axis, clamped to it. original(i), for an axis of d elements resized to e with scale s, is " +
		"(i + 0.5)/s - 0.5 (half_pixel), the same but 0 for e = 1 (pytorch_half_pixel), (d/2*(1 - e/(s*d)) + (i + 0.5)/s) - 0.5 (half_pixel_symmetric), i*(d-1)/(e-1) (align_corners), " +
		"(i + 0.5)/s (tf_half_pixel_for_nn), or i/s (asymmetric), in float32; a position within 1e-6 of a half counts as one.",
	Onnx:     "Resize",
	Since:    10,
	Levels:   Source | Logic | Packed,
	Kind:     Moves,
	Operands: []Param{{Name: "x"}},
	Results:  []Param{{Name: "y"}},
	Attrs: []Attr{
		{Name: "sizes", Kind: KInts, Doc: "the shape of y"},
		{Name: "scales", Kind: KFloats, Default: []float64{}, Doc: "scale of every axis; empty: size of y over size of x"},
		{Name: "coordinates", Kind: KString, Default: "half_pixel", Doc: "how positions correspond"},
		{Name: "nearest", Kind: KString, Default: "round_prefer_floor", Doc: "round_prefer_floor, round_prefer_ceil (halves go down or up), floor or ceil"},
	},
	Infer: func(n *Node) ([]Type, error) {
		x, sizes, scales := n.In(0), n.Ints("sizes"), n.Floats("scales")
		if err := CheckShape(sizes); err != nil {
			return nil, err
		}
		if len(sizes) != x.Rank() || len(scales) != 0 && len(scales) != x.Rank() {
			return nil, fmt.Errorf("%d sizes and %d scales, x is %s, expected one an axis", len(sizes), len(scales), x)
		}
		for a, d := range x.Shape {
			if d == 0 && sizes[a] > 0 {
				return nil, fmt.Errorf("axis %d of %s has no elements to resize to %d", a, x, sizes[a])
			}
			if len(scales) > 0 && !(float32(scales[a]) > 0) {
				return nil, fmt.Errorf("scale %d is %v, expected a positive float32", a, scales[a])
			}
		}
		if c := n.Str("coordinates"); originals[c] == nil {
			return nil, fmt.Errorf("coordinates is %q, expected half_pixel, pytorch_half_pixel, half_pixel_symmetric, align_corners, tf_half_pixel_for_nn or asymmetric", c)
		}
		if m := n.Str("nearest"); nearests[m] == nil {
			return nil, fmt.Errorf("nearest is %q, expected round_prefer_floor, round_prefer_ceil, floor or ceil", m)
		}
		return []Type{T(x.DType, append([]int{}, sizes...)...)}, nil
	},
	Eval: func(n *Node, in []*Tensor) ([]*Tensor, error) {
		x, out := in[0], NewTensor(n.Results[0].Type)
		if out.Len() == 0 {
			return []*Tensor{out}, nil
		}
		from := make([][]int, out.Type.Rank())
		for a := range from {
			from[a] = ResizeSource(n, a)
		}
		indexedCopy(out, x, from, nil)
		return []*Tensor{out}, nil
	},
	Reads: func(n *Node, _, _ int) []Read {
		r := make([]Read, n.In(0).Rank())
		for a := range r {
			r[a] = sourceRead(a, ResizeSource(n, a))
		}
		return r
	},
	Example: `
  %1 = const [1, 2, 3, 4] : f32[1,1,2,2]
  %2 = resize %1 {sizes=[1,1,4,3], coordinates="asymmetric", nearest="floor"} : f32[1,1,4,3]
  return %2 "y"`,
})

// originals are the correspondences of position i of an axis of e elements to
// one of d elements under a scale, by name.
var originals = map[string]func(i, d, e, scale float32) float32{
	"half_pixel": halfPixel,
	"pytorch_half_pixel": func(i, d, e, scale float32) float32 {
		if e > 1 {
			return halfPixel(i, d, e, scale)
		}
		return 0
	},
	"half_pixel_symmetric": func(i, d, e, scale float32) float32 {
		return float32(float32(d/2*(1-e/float32(scale*d)))+(i+0.5)/scale) - 0.5
	},
	"align_corners": func(i, d, e, _ float32) float32 {
		if e > 1 {
			return float32(i*(d-1)) / (e - 1)
		}
		return 0
	},
	"tf_half_pixel_for_nn": func(i, _, _, scale float32) float32 { return (i + 0.5) / scale },
	"asymmetric":           func(i, _, _, scale float32) float32 { return i / scale },
}

// ResizeOrigin returns the position in an axis of d elements that position i of
// an axis of e elements corresponds to under a scale, as operation resize has it;
// ok is false if it has no correspondence of that name.
func ResizeOrigin(coordinates string, i, d, e int, scale float32) (p float32, ok bool) {
	f := originals[coordinates]
	if f == nil {
		return 0, false
	}
	return f(float32(i), float32(d), float32(e), scale), true
}

func halfPixel(i, _, _, scale float32) float32 { return (i+0.5)/scale - 0.5 }

// nearests are the roundings of a position, by name.
var nearests = map[string]func(x float64) float64{
	"round_prefer_floor": func(x float64) float64 { return roundHalf(x, math.Floor) },
	"round_prefer_ceil":  func(x float64) float64 { return roundHalf(x, math.Ceil) },
	"floor":              math.Floor,
	"ceil":               math.Ceil,
}

// ResizeNearest rounds a position as operation resize does; ok is false if it
// has no rounding of that name.
func ResizeNearest(nearest string, p float64) (at float64, ok bool) {
	f := nearests[nearest]
	if f == nil {
		return 0, false
	}
	return f(p), true
}

// ResizeSource returns, for every index on an axis of the result of a resize, the index of x
// that it takes.
func ResizeSource(n *Node, axis int) []int {
	size, from := n.In(0).Shape[axis], make([]int, n.Ints("sizes")[axis])
	original, nearest := originals[n.Str("coordinates")], nearests[n.Str("nearest")]
	d, e := float32(size), float32(len(from))
	scale := e / d
	if s := n.Floats("scales"); len(s) > 0 {
		scale = float32(s[axis])
	}
	for i := range from {
		p := float64(float32(i))
		if scale != 1 || size != len(from) {
			p = nearest(float64(original(float32(i), d, e, scale)))
		}
		if p > 0 { // not NaN, which extreme scales give
			from[i] = int(min(p, float64(size-1)))
		}
	}
	return from
}

// sourceRead is the Read of index from[p] of an axis: a window where indices
// repeat equally often, or lie at equal distances.
func sourceRead(axis int, from []int) Read {
	share := 1
	for share < len(from) && from[share] == from[0] {
		share++
	}
	r := sharing(axis, share)
	if share == 1 && len(from) > 1 {
		r = stepping(axis, from[0], from[1]-from[0])
	}
	for p, i := range from {
		if !r.Includes(p, i) {
			return Read{}
		}
	}
	return r
}

// roundHalf rounds to the nearest integer, and a half as half says. The float32
// position is not exact: what lies within 1e-6 of a half is one.
func roundHalf(x float64, half func(float64) float64) float64 {
	if math.Abs(x-math.Floor(x)-0.5) < 1e-6 {
		return half(x)
	}
	return math.Round(x)
}
