package runtime

import (
	"math"
	"slices"

	"github.com/billnet/billnet/runtime/billb"
	"github.com/billnet/billnet/runtime/kernels"
)

var (
	_ = executes(billb.OpConvSteps, func(p *prep) step {
		x, y, w, v := p.dense(p.in(0)), p.dense(p.out(0)), p.weights(), params[billb.ConvSteps](p)
		window := &billb.Window{Stride: v.Stride[:], PadBefore: v.PadBefore[:], PadAfter: v.PadAfter[:], Dilation: v.Dilation[:]}
		c := p.convShape(p.spatial(x), p.spatial(y), p.spatial(w).shape, v.Groups, window)
		return p.dotSteps(c, x, w, y, &v.Steps, y.shape[1], c.outSize)
	})
	_ = executes(billb.OpLinearSteps, func(p *prep) step {
		x, y, w := p.dense(p.in(0)), p.dense(p.out(0)), p.weights()
		if w.rank() != 2 || y.rank() < 1 || y.shape[y.rank()-1] != w.shape[0] {
			p.fail("%s and %s, expected [...,O] and [O,K]", y, w)
		}
		rows := billb.Product(y.shape[:y.rank()-1])
		if x.n != mulSat(rows, w.shape[1]) {
			p.fail("%s, expected %d elements for every of %d rows of the result", x, w.shape[1], rows)
		}
		c := linearShape(rows, w.shape[0], w.shape[1])
		return p.dotSteps(c, x, w, y, params[billb.Steps](p), w.shape[0], 1)
	})
	_ = executes(billb.OpMapSteps, func(p *prep) step {
		x, y, list := p.dense(p.in(0), F32, I32, U8, I8), p.out(0), params[billb.Steps](p)
		if len(list.Steps) == 0 {
			p.fail("no steps, expected at least one")
		}
		channels, inner := channelsOf(x)
		results := resultsOf(list)
		if c, n := channelsOf(y); mulSat(x.n, results) != y.n || c != results*channels || n != inner {
			p.fail("%s and %s, expected %d times as many channels of as many elements", x, y, results)
		}
		s := p.newSteps(y, list, !y.planes, channels, inner, 1, 0, x.elem, math.MaxInt32)
		switch {
		case y.n == 0:
			return step{}
		case s.signs != nil:
			p.dense(x, F32)
			return s.signsOf(p, x, len(list.Steps))
		}
		return s.over(x, channels, len(list.Steps))
	})
)

// channelsOf is the number of channels, on axis 1 or the last one of fewer, and of the elements of each.
func channelsOf(o *operand) (channels, inner int) {
	if o.rank() == 0 {
		return 1, 1
	}
	axis := min(1, o.rank()-1)
	return o.shape[axis], billb.Product(o.shape[axis+1:])
}

// resultsOf is the results of an element of a list of steps.
func resultsOf(list *billb.Steps) int {
	if slices.Contains(list.Steps, billb.StepTernary) {
		return 2
	}
	return 1
}

// spatial is an operand [N,C,...] with three axes behind the channels: of fewer, the last ones.
func (p *prep) spatial(o *operand) *operand {
	if o.rank() < 3 || o.rank() > 5 {
		p.fail("%s, expected [N,C,...] with one to three more axes", o)
	}
	s := *o
	s.shape = []int{o.shape[0], o.shape[1], 1, 1, 1}
	copy(s.shape[7-o.rank():], o.shape[2:])
	return &s
}

// weights is constant operand 0 as a dense operand.
func (p *prep) weights() *operand { return p.constant(p.instr.Const[0], "w") }

// dotSteps is a convolution of bytes and its steps. Channels of y have inner elements each.
func (p *prep) dotSteps(c *convShape, x, w, y *operand, list *billb.Steps, channels, inner int) step {
	zero := int64(0)
	if len(p.instr.Const) > 1 && p.instr.Const[1] >= 0 {
		z := p.constant(p.instr.Const[1], "zero")
		if z.n != 1 || z.elem != x.elem {
			p.fail("%s, expected one element of %s", z, x.elem)
		}
		zero = intAt(z, nil, 0)
	}
	d := (*kernels.Dot)(nil)
	if y.n > 0 {
		var err error
		d, err = p.newDot(c, x, w, zero)
		p.check(err)
	}
	store := storeSums(y)
	if len(list.Steps) > 0 || y.elem != I32 {
		store = p.newSteps(y, list, d != nil && d.Contiguous(), channels, inner, 1, min(2, len(p.instr.Const)), I32, mostOf(w, c.outC*c.groups)).runDot
	}
	if d == nil {
		return step{}
	}
	return dotStep(d, x, mulSat(y.n, c.k+4*len(list.Steps)), store)
}

// mostOf is what sums of bytes with the weights of an output add up to at most, or less than 0: a byte is at most 255 from what
// it means by 0.
func mostOf(w *operand, outputs int) int {
	most, k := 0, w.n/outputs
	for from := 0; k > 0 && from+k <= w.n; from += k {
		sum := 0
		for _, run := range fixedInts(w, from, from+k) {
			for _, v := range run {
				sum += int(max(v, -v))
			}
		}
		most = max(most, mulSat(sum, 255))
	}
	return most
}
