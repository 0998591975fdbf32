package passes

import (
	"math"
	"runtime"
	"sync"

	"github.com/billnet/billnet/ir"
)

// span bounds the values of an integer tensor, for every index on axis 1 or,
// with one entry, for all of it.
type span struct{ lo, hi []int64 }

func (s span) at(c int) (lo, hi int64) {
	c = min(c, len(s.lo)-1)
	return s.lo[c], s.hi[c]
}

// all returns the bounds over every channel.
func (s span) all() (lo, hi int64) {
	lo, hi = s.lo[0], s.hi[0]
	for i := range s.lo {
		lo, hi = min(lo, s.lo[i]), max(hi, s.hi[i])
	}
	return lo, hi
}

func uniform(lo, hi int64) span { return span{[]int64{lo}, []int64{hi}} }

// ranger bounds integer values from the weights. Bounds hold for every input.
type ranger struct {
	known map[*ir.Value]span
	comps map[*ir.Value]*composite
}

func newRanger() *ranger {
	return &ranger{known: map[*ir.Value]span{}, comps: map[*ir.Value]*composite{}}
}

// of returns the bounds of an integer or logic value.
func (r *ranger) of(v *ir.Value) span {
	if s, ok := r.known[v]; ok {
		return s
	}
	s := r.compute(v)
	r.known[v] = s
	return s
}

func (r *ranger) compute(v *ir.Value) span {
	d := v.Def
	if d == nil || v.Type.DType.IsLogic() || v.Type.DType == ir.Bool {
		return uniform(v.Type.DType.Range())
	}
	switch d.Op.Name {
	case "const":
		lo, hi := int64(0), int64(0)
		for i, x := range d.Const.I {
			if i == 0 {
				lo, hi = x, x
			}
			lo, hi = min(lo, x), max(hi, x)
		}
		return uniform(lo, hi)
	case "bconv", "iconv":
		return r.conv(d)
	case "ilinear":
		return r.linear(d)
	case "count":
		return r.count(d)
	case "max_pool", "min_pool":
		return r.of(d.Args[0])
	case "tally":
		return uniform(int64(d.Int("base")), int64(d.Int("base")+len(d.Args)))
	case "clip":
		lo, hi := r.of(d.Args[0]).all()
		if x, ok := splat(d.Arg(1)); ok {
			lo = max(lo, int64(x))
		}
		if x, ok := splat(d.Arg(2)); ok {
			hi = min(hi, int64(x))
		}
		return uniform(lo, hi)
	case "transpose", "reshape", "squeeze", "unsqueeze", "gather", "slice", "split", "identity", "expand", "tile":
		return uniform(r.of(d.Args[0]).all())
	case "concat":
		return r.concat(d)
	case "add", "sub", "mul", "max", "min":
		if len(d.Args) == 2 {
			return r.pair(d)
		}
	case "neg":
		lo, hi := r.of(d.Args[0]).all()
		return within(v.Type.DType, -hi, -lo)
	case "pad":
		lo, hi := r.of(d.Args[0]).all()
		if d.Str("mode") == "constant" {
			x, _ := splat(d.Arg(1))
			lo, hi = min(lo, int64(x)), max(hi, int64(x))
		}
		return uniform(lo, hi)
	case "cast":
		if x := d.In(0).DType; x.IsInt() || x.IsLogic() || x == ir.Bool {
			lo, hi := r.of(d.Args[0]).all()
			return within(v.Type.DType, lo, hi)
		}
	}
	return uniform(v.Type.DType.Range())
}

// pair bounds an operation of two integers.
func (r *ranger) pair(n *ir.Node) span {
	alo, ahi := r.of(n.Args[0]).all()
	blo, bhi := r.of(n.Args[1]).all()
	if min(alo, blo) < math.MinInt32 || max(ahi, bhi) > math.MaxInt32 {
		return uniform(n.Result().Type.DType.Range())
	}
	d := n.Result().Type.DType
	switch n.Op.Name {
	case "sub":
		return within(d, alo-bhi, ahi-blo)
	case "mul":
		return within(d, min(alo*blo, alo*bhi, ahi*blo, ahi*bhi), max(alo*blo, alo*bhi, ahi*blo, ahi*bhi))
	case "max":
		return within(d, max(alo, blo), max(ahi, bhi))
	case "min":
		return within(d, min(alo, blo), min(ahi, bhi))
	}
	return within(d, alo+blo, ahi+bhi)
}

// within is a span, or the whole range of the type where the span leaves it
// and values wrap.
func within(d ir.DType, lo, hi int64) span {
	if l, h := d.Range(); lo < l || hi > h {
		return uniform(l, h)
	}
	return uniform(lo, hi)
}

// concat bounds the parts of a concatenation, on axis 1 channel by channel.
func (r *ranger) concat(n *ir.Node) span {
	axis, _ := ir.Axis(n.Int("axis"), n.Result().Type.Rank())
	var s span
	for _, a := range n.Args {
		part := r.of(a)
		if axis != 1 {
			part = uniform(part.all())
		}
		count := 1
		if axis == 1 {
			count = a.Type.Shape[1]
		}
		for c := range count {
			lo, hi := part.at(c)
			s.lo, s.hi = append(s.lo, lo), append(s.hi, hi)
		}
	}
	if axis != 1 {
		return uniform(s.all())
	}
	return s
}

// conv bounds a convolution by the composite kernel over the first value that
// is no linear function of others.
func (r *ranger) conv(n *ir.Node) span {
	c := r.composite(n)
	if c == nil {
		return uniform(n.Result().Type.DType.Range())
	}
	base := r.of(c.base)
	o := len(c.w) / (c.channels * c.taps)
	s := span{make([]int64, o), make([]int64, o)}
	for i, w := range c.w {
		k := i / (c.channels * c.taps)
		lo, hi := base.at(i / c.taps % c.channels)
		if c.padded {
			lo, hi = min(lo, 0), max(hi, 0)
		}
		if w < 0 {
			lo, hi = hi, lo
		}
		s.lo[k] += int64(w) * lo
		s.hi[k] += int64(w) * hi
	}
	return s
}

func (r *ranger) linear(n *ir.Node) span {
	w := ir.ConstOf(n.Args[1])
	lo, hi := r.of(n.Args[0]).all()
	if w == nil {
		return uniform(n.Result().Type.DType.Range())
	}
	k := w.Type.Shape[1]
	var zlo, zhi int64
	for o := range w.Type.Shape[0] {
		var a, b int64
		for _, x := range w.I[o*k : (o+1)*k] {
			a += min(x*lo, x*hi)
			b += max(x*lo, x*hi)
		}
		zlo, zhi = min(zlo, a), max(zhi, b)
	}
	return uniform(zlo, zhi)
}

func (r *ranger) count(n *ir.Node) span {
	x := n.In(0)
	mask, err := ir.Axes(n.Ints("axes"), x.Rank())
	if err != nil {
		return uniform(ir.I32.Range())
	}
	num := int64(1)
	for i, m := range mask {
		if m {
			num *= int64(x.Shape[i])
		}
	}
	s := r.of(n.Args[0])
	if len(s.lo) > 1 && (len(mask) < 2 || mask[1] || mask[0] && !n.Bool("keepdims")) {
		s = uniform(s.all())
	}
	out := span{make([]int64, len(s.lo)), make([]int64, len(s.lo))}
	for i := range s.lo {
		out.lo[i], out.hi[i] = num*s.lo[i], num*s.hi[i]
	}
	return out
}

// composite is the kernel of a chain of convolutions as one linear map of base:
// w [O][channels][taps].
type composite struct {
	base           *ir.Value
	channels, taps int
	pointwise      bool
	padded         bool
	w              []int32
}

// composite returns the composite kernel of a convolution: its own weights
// composed with those of the convolutions under it, as long as at most one of
// the chain is wider than a point (zero padding of a wider one over a point
// only drops terms, so the interior bounds the border). nil when the weights
// are not constant or too many.
func (r *ranger) composite(n *ir.Node) *composite {
	v := n.Result()
	if c, ok := r.comps[v]; ok {
		return c
	}
	c := r.compose(n)
	r.comps[v] = c
	return c
}

const maxComposite = 1 << 26

func (r *ranger) compose(n *ir.Node) *composite {
	w := ir.ConstOf(n.Args[1])
	if w == nil || !fitsComposite(w) {
		return nil
	}
	own := ownKernel(n, w)
	d := ir.Def(n.Args[0])
	if !(d.Is("bconv") || d.Is("iconv")) || d.Arg(2) != nil {
		return own
	}
	in := r.composite(d)
	if in == nil || !own.pointwise && !in.pointwise {
		return own
	}
	o := n.In(1).Shape[0]
	if o*in.channels*own.taps*in.taps > maxComposite || own.peak()*in.peak()*int64(own.channels*own.taps) > math.MaxInt32 {
		return own
	}
	return own.after(in, o)
}

// peak returns the largest magnitude of the kernel.
func (c *composite) peak() int64 {
	var m int64
	for _, x := range c.w {
		m = max(m, int64(x), -int64(x))
	}
	return m
}

func fitsComposite(w *ir.Tensor) bool {
	for _, x := range w.I {
		if x > math.MaxInt16 || x < math.MinInt16 {
			return false
		}
	}
	return true
}

// ownKernel spreads the grouped weights of one convolution over all channels.
func ownKernel(n *ir.Node, w *ir.Tensor) *composite {
	o, per := w.Type.Shape[0], w.Type.Shape[1]
	channels, groups := n.In(0).Shape[1], n.Int("groups")
	taps := ir.Type{Shape: w.Type.Shape[2:]}.Elems()
	c := &composite{base: n.Args[0], channels: channels, taps: taps, pointwise: taps == 1, w: make([]int32, o*channels*taps)}
	for _, p := range n.Ints("pad") {
		c.padded = c.padded || p > 0
	}
	c.pointwise = c.pointwise && !c.padded
	for i, x := range w.I {
		k, a := i/(per*taps), i/taps%per+i/(per*taps)/(o/groups)*per
		c.w[(k*channels+a)*taps+i%taps] = int32(x)
	}
	return c
}

// after returns the composite of c over in.
func (c *composite) after(in *composite, o int) *composite {
	out := &composite{base: in.base, channels: in.channels, taps: c.taps * in.taps, pointwise: c.pointwise && in.pointwise,
		padded: c.padded || in.padded, w: make([]int32, o*in.channels*c.taps*in.taps)}
	row := in.channels * out.taps
	var wg sync.WaitGroup
	workers := runtime.GOMAXPROCS(0)
	for first := range workers {
		wg.Go(func() {
			for k := first; k < o; k += workers {
				dst := out.w[k*row : (k+1)*row]
				for b := range c.channels {
					for t := range c.taps {
						x := c.w[(k*c.channels+b)*c.taps+t]
						if x == 0 {
							continue
						}
						src := in.w[b*in.channels*in.taps : (b+1)*in.channels*in.taps]
						if c.taps == 1 { // in may be wide: taps are in's
							for j, y := range src {
								dst[j] += x * y
							}
							continue
						}
						for i, y := range src { // in is a point
							dst[i*c.taps+t] += x * y
						}
					}
				}
			}
		})
	}
	wg.Wait()
	return out
}
