package analysis

import (
	"math"
	"runtime"
	"slices"
	"sync"

	"github.com/billnet/billnet/ir"
)

// Span bounds the values of an integer tensor, for every index on axis 1 or,
// with one entry, for all of it.
type Span struct{ Lo, Hi []int64 }

func (s Span) At(c int) (lo, hi int64) {
	c = min(c, len(s.Lo)-1)
	return s.Lo[c], s.Hi[c]
}

// All returns the bounds over every channel.
func (s Span) All() (lo, hi int64) {
	lo, hi = s.Lo[0], s.Hi[0]
	for i := range s.Lo {
		lo, hi = min(lo, s.Lo[i]), max(hi, s.Hi[i])
	}
	return lo, hi
}

func Uniform(lo, hi int64) Span { return Span{[]int64{lo}, []int64{hi}} }

// Ranger bounds integer values from the weights. Bounds hold for every input.
type Ranger struct {
	Known  map[*ir.Value]Span
	chains map[*ir.Node]*composite
	spent  int // channels of comparisons
}

// maxCompared bounds the channels of all comparisons over accumulators that are
// proved in one pass: a file of a few bytes can have any number.
const maxCompared = 1 << 21

// Afford reports whether so many more channels may be compared, and counts them.
func (r *Ranger) Afford(channels int) bool {
	if channels > maxCompared-r.spent {
		return false
	}
	r.spent += channels
	return true
}

func NewRanger() *Ranger {
	return &Ranger{Known: map[*ir.Value]Span{}, chains: map[*ir.Node]*composite{}}
}

// Of returns the bounds of an integer or logic value.
func (r *Ranger) Of(v *ir.Value) Span {
	if s, ok := r.Known[v]; ok {
		return s
	}
	s := r.compute(v)
	r.Known[v] = s
	return s
}

func (r *Ranger) compute(v *ir.Value) Span {
	d := v.Def
	if d == nil || v.Type.DType.IsLogic() || v.Type.DType == ir.Bool {
		return Uniform(v.Type.DType.Range())
	}
	switch d.Op {
	case ir.Const:
		return Uniform(d.Const.IntBounds())
	case ir.BConv, ir.IConv:
		return r.Conv(d)
	case ir.ILinear:
		return r.linear(d)
	case ir.Count:
		return r.count(d)
	case ir.CumSum:
		return r.cumSum(d)
	case ir.Shift:
		return r.shift(d)
	case ir.MaxPool, ir.MinPool:
		return r.Of(d.Args[0])
	case ir.Tally:
		return Uniform(int64(d.Int("base")), int64(d.Int("base")+len(d.Args)))
	case ir.Clip:
		return r.clip(d)
	case ir.Concat:
		return r.concat(d)
	case ir.Add, ir.Sub, ir.Mul, ir.Max, ir.Min:
		if len(d.Args) == 2 {
			return r.pair(d)
		}
	case ir.Neg:
		lo, hi := r.Of(d.Args[0]).All()
		return within(v.Type.DType, -hi, -lo)
	case ir.Pad:
		return r.pad(d)
	case ir.Cast:
		if x := d.In(0).DType; x.IsInt() || x.IsLogic() || x == ir.Bool {
			lo, hi := r.Of(d.Args[0]).All()
			return within(v.Type.DType, lo, hi)
		}
	}
	if MovesElements(d) {
		return Uniform(r.Of(d.Args[0]).All())
	}
	return Uniform(v.Type.DType.Range())
}

// clip bounds a clip. A bound that is no constant can take it anywhere beyond.
func (r *Ranger) clip(n *ir.Node) Span {
	least, most := n.Result().Type.DType.Range()
	lo, hi := r.Of(n.Args[0]).All()
	if x, ok := ir.Splat(n.Arg(1)); ok {
		lo, hi = max(lo, int64(x)), max(hi, int64(x))
	} else if n.Arg(1) != nil {
		hi = most
	}
	if x, ok := ir.Splat(n.Arg(2)); ok {
		lo, hi = min(lo, int64(x)), min(hi, int64(x))
	} else if n.Arg(2) != nil {
		lo = least
	}
	return Uniform(lo, hi)
}

// pad bounds what is padded, with a constant, 0 where it is left out, or with
// elements of its own.
func (r *Ranger) pad(n *ir.Node) Span {
	lo, hi := r.Of(n.Args[0]).All()
	if n.Str("mode") != "constant" {
		return Uniform(lo, hi)
	}
	x, ok := ir.Splat(n.Arg(1))
	if n.Arg(1) != nil && !ok {
		return Uniform(n.Result().Type.DType.Range())
	}
	return Uniform(min(lo, int64(x)), max(hi, int64(x)))
}

// pair bounds an operation of two integers.
func (r *Ranger) pair(n *ir.Node) Span {
	alo, ahi := r.Of(n.Args[0]).All()
	blo, bhi := r.Of(n.Args[1]).All()
	if min(alo, blo) < math.MinInt32 || max(ahi, bhi) > math.MaxInt32 {
		return Uniform(n.Result().Type.DType.Range())
	}
	lo, hi := PairBounds(n.Op, alo, ahi, blo, bhi)
	return within(n.Result().Type.DType, lo, hi)
}

// PairBounds bounds the sum, difference, product, largest or smallest of two
// integers in alo..ahi and blo..bhi, which are small enough not to overflow.
func PairBounds(op *ir.Op, alo, ahi, blo, bhi int64) (lo, hi int64) {
	switch op {
	case ir.Sub:
		return alo - bhi, ahi - blo
	case ir.Mul:
		return min(alo*blo, alo*bhi, ahi*blo, ahi*bhi), max(alo*blo, alo*bhi, ahi*blo, ahi*bhi)
	case ir.Max:
		return max(alo, blo), max(ahi, bhi)
	case ir.Min:
		return min(alo, blo), min(ahi, bhi)
	}
	return alo + blo, ahi + bhi
}

// within is a span, or the whole range of the type where the span leaves it
// and values wrap.
func within(d ir.DType, lo, hi int64) Span {
	if l, h := d.Range(); lo < l || hi > h {
		return Uniform(l, h)
	}
	return Uniform(lo, hi)
}

// concat bounds the parts of a concatenation, on axis 1 channel by channel.
func (r *Ranger) concat(n *ir.Node) Span {
	axis, _ := ir.Axis(n.Int("axis"), n.Result().Type.Rank())
	var s Span
	for _, a := range n.Args {
		part := r.Of(a)
		if axis != 1 {
			part = Uniform(part.All())
		}
		count := 1
		if axis == 1 {
			count = a.Type.Shape[1]
		}
		for c := range count {
			lo, hi := part.At(c)
			s.Lo, s.Hi = append(s.Lo, lo), append(s.Hi, hi)
		}
	}
	if axis != 1 {
		return Uniform(s.All())
	}
	return s
}

// Conv bounds a convolution by the composite kernel over the first value that
// is no linear function of others.
func (r *Ranger) Conv(n *ir.Node) Span {
	if c := r.chain(n); c != nil {
		return r.overComposite(c)
	}
	w := ir.ConstOf(n.Args[1])
	if w == nil || !fitsComposite(w) {
		return Uniform(n.Result().Type.DType.Range())
	}
	base, zeros := r.Of(n.Args[0]), padded(n)
	los, his := make([]int64, n.In(0).Shape[1]), make([]int64, n.In(0).Shape[1])
	for c := range los {
		los[c], his[c] = base.At(c)
		if zeros {
			los[c], his[c] = min(los[c], 0), max(his[c], 0)
		}
	}
	o, per := w.Type.Shape[0], w.Type.Shape[1]
	taps := ir.Type{Shape: w.Type.Shape[2:]}.Elems()
	s, row := Span{make([]int64, o), make([]int64, o)}, make([]int64, per*taps)
	for k := range o {
		w.ReadInts(row, k*len(row))
		first := k / (o / n.Int("groups")) * per
		for c := range per {
			lo, hi := los[first+c], his[first+c]
			for _, x := range row[c*taps : (c+1)*taps] {
				s.Lo[k] += min(x*lo, x*hi)
				s.Hi[k] += max(x*lo, x*hi)
			}
		}
	}
	return s
}

// padded reports whether zeros lie around what a convolution reads.
func padded(n *ir.Node) bool {
	return slices.ContainsFunc(n.Ints("pad"), func(p int) bool { return p > 0 })
}

func (r *Ranger) overComposite(c *composite) Span {
	base := r.Of(c.base)
	o := len(c.W) / (c.channels * c.Taps)
	s := Span{make([]int64, o), make([]int64, o)}
	for i, w := range c.W {
		k := i / (c.channels * c.Taps)
		lo, hi := base.At(i / c.Taps % c.channels)
		if c.padded {
			lo, hi = min(lo, 0), max(hi, 0)
		}
		if w < 0 {
			lo, hi = hi, lo
		}
		s.Lo[k] += int64(w) * lo
		s.Hi[k] += int64(w) * hi
	}
	return s
}

func (r *Ranger) linear(n *ir.Node) Span {
	w := ir.ConstOf(n.Args[1])
	lo, hi := r.Of(n.Args[0]).All()
	if w == nil {
		return Uniform(n.Result().Type.DType.Range())
	}
	k := w.Type.Shape[1]
	var zlo, zhi int64
	for o := range w.Type.Shape[0] {
		var a, b int64
		for _, x := range w.IntRange(o*k, (o+1)*k) {
			a += min(x*lo, x*hi)
			b += max(x*lo, x*hi)
		}
		zlo, zhi = min(zlo, a), max(zhi, b)
	}
	return Uniform(zlo, zhi)
}

// shift bounds frames and those before, which a parameter has as states have them.
func (r *Ranger) shift(n *ir.Node) Span {
	lo, hi := r.Of(n.Args[1]).All()
	slo, shi := int64(0), int64(0)
	if n.Args[0].Def != nil {
		slo, shi = r.Of(n.Args[0]).All()
	}
	return Uniform(min(lo, slo), max(hi, shi))
}

// cumSum bounds sums of one element up to as many as the axis has.
func (r *Ranger) cumSum(n *ir.Node) Span {
	axis, err := ir.Axis(n.Int("axis"), n.In(0).Rank())
	lo, hi := r.Of(n.Args[0]).All()
	if err != nil || min(lo, -hi) < math.MinInt32 {
		return Uniform(n.Result().Type.DType.Range())
	}
	most := int64(n.In(0).Shape[axis])
	return within(n.Result().Type.DType, min(lo, lo*most), max(hi, hi*most))
}

func (r *Ranger) count(n *ir.Node) Span {
	x := n.In(0)
	mask, err := ir.Axes(n.Ints("axes"), x.Rank())
	if err != nil {
		return Uniform(ir.I32.Range())
	}
	num := int64(1)
	for i, m := range mask {
		if m {
			num *= int64(x.Shape[i])
		}
	}
	s := r.Of(n.Args[0])
	if len(s.Lo) > 1 && (len(mask) < 2 || mask[1] || mask[0] && !n.Bool("keepdims")) {
		s = Uniform(s.All())
	}
	out := Span{make([]int64, len(s.Lo)), make([]int64, len(s.Lo))}
	for i := range s.Lo {
		out.Lo[i], out.Hi[i] = num*s.Lo[i], num*s.Hi[i]
	}
	return out
}

// composite is the kernel of a chain of convolutions as one linear map of base:
// w [O][channels][taps].
type composite struct {
	base           *ir.Value
	channels, Taps int
	pointwise      bool
	padded         bool
	W              []int32
}

// composite is the kernel of a convolution over the first value that is no linear
// function of others; nil when the weights are not constant or too large.
func (r *Ranger) composite(n *ir.Node) *composite {
	if c := r.chain(n); c != nil {
		return c
	}
	if w := ir.ConstOf(n.Args[1]); w != nil && fitsComposite(w) {
		return OwnKernel(n, w)
	}
	return nil
}

const MaxComposite = 1 << 26

// chain returns the composite kernel of a convolution over others: its own weights
// composed with theirs, as long as at most one of the chain is wider than a point
// (zero padding of a wider one over a point only drops terms, so the interior bounds
// the border). nil where there is no convolution under it, when the weights are not
// constant or too many.
func (r *Ranger) chain(n *ir.Node) *composite {
	d := ir.Def(n.Args[0])
	if !(d.Is(ir.BConv) || d.Is(ir.IConv)) || d.Arg(2) != nil {
		return nil
	}
	c, ok := r.chains[n]
	if !ok {
		c = r.compose(n, d)
		r.chains[n] = c
	}
	return c
}

func (r *Ranger) compose(n, d *ir.Node) *composite {
	w, in := ir.ConstOf(n.Args[1]), r.composite(d)
	if w == nil || in == nil || !fitsComposite(w) {
		return nil
	}
	own, o := OwnKernel(n, w), w.Type.Shape[0]
	if !own.pointwise && !in.pointwise || o*in.channels*own.Taps*in.Taps > MaxComposite || own.peak()*in.peak()*int64(own.channels*own.Taps) > math.MaxInt32 {
		return nil
	}
	return own.After(in, o)
}

// peak returns the largest magnitude of the kernel.
func (c *composite) peak() int64 {
	var m int64
	for _, x := range c.W {
		m = max(m, int64(x), -int64(x))
	}
	return m
}

func fitsComposite(w *ir.Tensor) bool {
	if d := w.Type.DType; w.Fits(ir.I16) || d.IsLogic() || d.Bits() <= 8 {
		return true
	}
	lo, hi := w.IntBounds()
	return lo >= math.MinInt16 && hi <= math.MaxInt16
}

// OwnKernel spreads the grouped weights of one convolution over all channels.
func OwnKernel(n *ir.Node, w *ir.Tensor) *composite {
	o, per := w.Type.Shape[0], w.Type.Shape[1]
	channels, groups := n.In(0).Shape[1], n.Int("groups")
	taps := ir.Type{Shape: w.Type.Shape[2:]}.Elems()
	c := &composite{base: n.Args[0], channels: channels, Taps: taps, padded: padded(n), W: make([]int32, o*channels*taps)}
	c.pointwise = taps == 1 && !c.padded
	row := per * taps
	for k := range o {
		to := c.W[(k*channels+k/(o/groups)*per)*taps:]
		for i, x := range w.IntRange(k*row, (k+1)*row) {
			to[i] = int32(x)
		}
	}
	return c
}

// After returns the composite of c over in.
func (c *composite) After(in *composite, o int) *composite {
	out := &composite{base: in.base, channels: in.channels, Taps: c.Taps * in.Taps, pointwise: c.pointwise && in.pointwise,
		padded: c.padded || in.padded, W: make([]int32, o*in.channels*c.Taps*in.Taps)}
	row := in.channels * out.Taps
	var wg sync.WaitGroup
	workers := runtime.GOMAXPROCS(0)
	for first := range workers {
		wg.Go(func() {
			for k := first; k < o; k += workers {
				dst := out.W[k*row : (k+1)*row]
				for b := range c.channels {
					for t := range c.Taps {
						x := c.W[(k*c.channels+b)*c.Taps+t]
						if x == 0 {
							continue
						}
						src := in.W[b*in.channels*in.Taps : (b+1)*in.channels*in.Taps]
						if c.Taps == 1 { // in may be wide: taps are in's
							for j, y := range src {
								dst[j] += x * y
							}
							continue
						}
						for i, y := range src { // in is a point
							dst[i*c.Taps+t] += x * y
						}
					}
				}
			}
		})
	}
	wg.Wait()
	return out
}
