package runtime

import (
	"math"

	"github.com/billnet/billnet/runtime/billb"
	"github.com/billnet/billnet/runtime/kernels"
)

// newDot plans a convolution of bytes by constant weights of nine bits. It returns an error where x or w are something
// else, and one of kind ErrLimit where they are too large. zero is what x means by 0.
func (p *prep) newDot(c *convShape, x, w *operand, zero int64) (*kernels.Dot, error) {
	misfit := errorf("%s and weights %s, expected bytes and weights of -256 to 254", x, w)
	if x.elem.Width() != 1 || w.fixed == nil || w.elem.IsFloat() || billb.Product(x.shape) == 0 {
		return nil, misfit
	}
	p.charge(mulSat(c.groups, roundUp(c.outC, 64), c.k, 6)) // what lasts, at most
	values := make([]int16, w.n)
	for at, run := range fixedInts(w, 0, w.n) {
		for i, v := range run {
			if v < -256 || v > 254 {
				return nil, misfit
			}
			values[at+i] = int16(v)
		}
	}
	signed := x.elem == I8 || x.elem == SBit || x.elem == Tern
	d, err := kernels.NewDot(p.set, c.dotShape(), values, signed, int32(zero))
	if err == nil && d.Scratch(1) > defaultLimit {
		err = errorf("%s, which needs %d bytes of scratch memory, at most %d are used", x, d.Scratch(1), defaultLimit)
	}
	if err != nil {
		return nil, billb.Errorf(ErrLimit, "%w", err)
	}
	return d, nil
}

// newLinearDot plans a linear layer of weights [n,k].
func (p *prep) newLinearDot(x *operand, w *billb.Const, n, k int) (*kernels.Dot, error) {
	return p.newDot(linearShape(billb.Product(x.shape[:x.rank()-1]), n, k), x, &operand{elem: w.Elem, n: n * k, fixed: p.denseData(w)}, 0)
}

// linearShape is a linear layer of rows and weights [n,k] as a convolution.
func linearShape(rows, n, k int) *convShape {
	return &convShape{window: onePlace, batch: rows, groups: 1, inC: k, outC: n, k: k, taps: 1}
}

// rows is a plan of the kernels package that leaves its sums as rows.
type rows interface {
	Stages() int
	Scratch(parts int) int
	Load(part, parts int, src, scratch []byte)
	Units() int
	Blocks() int
	Block(r *kernels.DotBlock, u, b, part int, src, scratch []byte)
}

// dotStep is a step that computes the sums of x and gives every row of them to store.
func dotStep(d rows, x *operand, work int, store func(m *memory, b *kernels.DotBlock, i int)) step {
	s := step{work: work, scratch: d.Scratch}
	if d.Stages() == 2 {
		s.stages = append(s.stages, func(m *memory, part, parts int) { d.Load(part, parts, x.bytes(m), m.scratch) })
	}
	s.stages = append(s.stages, func(m *memory, part, parts int) {
		lo, hi := share(d.Units(), part, parts)
		b := &m.dot
		for u := lo; u < hi; u++ {
			for i := range d.Blocks() {
				d.Block(b, u, i, part, x.bytes(m), m.scratch)
				for r := range b.Rows {
					store(m, b, r)
				}
			}
		}
	})
	return s
}

// prepareDenseConv is a convolution of integers, by the kernels of bytes where they serve.
func prepareDenseConv(p *prep) step {
	x, w, y := p.in(0), p.in(1), p.out(0)
	c := newConvShape(p)
	if y.n == 0 {
		return step{}
	}
	d, err := p.newDot(c, x, w, 0)
	if err != nil || y.elem.Width() == 8 && float64(c.k)*256*255 > math.MaxInt32 {
		return prepareConv[int64](p) // its low bits are what narrower sums wrap to
	}
	return dotStep(d, x, mulSat(y.n, c.k), storeSums(y))
}

// storeSums stores rows of sums as integers, which wrap.
func storeSums(y *operand) func(m *memory, b *kernels.DotBlock, i int) {
	return func(m *memory, b *kernels.DotBlock, i int) {
		z, at := b.Z[i], b.At[i]
		switch {
		case b.Step > 1:
			for j, v := range z {
				ints := [1]int64{int64(v)}
				storeInts(y, m, at+j*b.Step, ints[:])
			}
		case y.elem == I32:
			copy(view[int32](y, m)[at:], z)
		default:
			var ints [chunk]int64
			for len(z) > 0 {
				n := min(chunk, len(z))
				widen(ints[:n], z)
				storeInts(y, m, at, ints[:n])
				z, at = z[n:], at+n
			}
		}
	}
}
