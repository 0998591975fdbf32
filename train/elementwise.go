package train

import (
	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/train/vec"
)

// chunk is how many elements an elementwise function sees at a time: few enough
// for its operands to stay in the first-level cache.
const chunk = 1024

// elementwise is an operation of elements of broadcast operands.
type elementwise struct {
	in   []*value
	out  *value
	loop *broadcast

	// An operand that is one number for a row is written out, so that all slices
	// have equal lengths, unless the functions take it as a slice of one element;
	// so is its gradient.
	scalars bool

	// fwd sets y from the operands.
	fwd func(y []float32, x [][]float32)
	// bwd adds to the operands' gradients; gx[i] is nil when none is wanted.
	bwd func(gy, y []float32, x, gx [][]float32)
}

// elements emits an elementwise operation with result 0 of the node at hand.
func (b *builder) elements(in []*value, fwd func(y []float32, x [][]float32), bwd func(gy, y []float32, x, gx [][]float32)) *value {
	return b.elementsOf(b.node.Results[0].Type.Shape, in, fwd, bwd)
}

// elementsOf is elements with a result of the given shape.
func (b *builder) elementsOf(shape []int, in []*value, fwd func(y []float32, x [][]float32), bwd func(gy, y []float32, x, gx [][]float32)) *value {
	return b.emitElements(&elementwise{in: in, fwd: fwd, bwd: bwd}, shape)
}

// emitElements emits an elementwise operation with a result of the given shape.
func (b *builder) emitElements(op *elementwise, shape []int) *value {
	in := op.in
	out := b.result(0, in...)
	if !ir.SameShape(shape, out.shape) {
		out = b.alloc(shape, out.batched, out.diff)
	}
	shapes := make([][]int, len(in))
	for i, v := range in {
		shapes[i] = v.shape
	}
	op.out, op.loop = out, newBroadcast(out.shape, shapes)
	b.emit(op, out)
	return out
}

// broadcast is a loop over the elements of a shape with operands that stretch
// to it. Axes along which all operands advance alike are one.
type broadcast struct {
	dims    []int   // the last is a row
	strides [][]int // of every operand along dims; 0 or 1 along a row
}

func newBroadcast(out []int, shapes [][]int) *broadcast {
	full := make([][]int, len(shapes))
	for i, s := range shapes {
		full[i] = make([]int, len(out))
		n := 1
		for a := len(s) - 1; a >= 0; a-- {
			if s[a] != 1 {
				full[i][len(out)-len(s)+a] = n
			}
			n *= s[a]
		}
	}
	l := &broadcast{strides: make([][]int, len(shapes))}
	for a, d := range out {
		if d == 1 {
			continue
		}
		last := len(l.dims) - 1
		merge := last >= 0
		for i := range shapes {
			merge = merge && l.strides[i][last] == d*full[i][a]
		}
		if merge {
			l.dims[last] *= d
		} else {
			l.dims = append(l.dims, d)
		}
		for i := range shapes {
			if merge {
				l.strides[i][last] = full[i][a]
			} else {
				l.strides[i] = append(l.strides[i], full[i][a])
			}
		}
	}
	if len(l.dims) == 0 {
		l.dims = []int{1}
		for i := range shapes {
			l.strides[i] = []int{0}
		}
	}
	return l
}

// rows calls f for every row with the offset of its result and of its operands.
func (l *broadcast) rows(f func(at int, off []int)) {
	last := len(l.dims) - 1
	idx, off := make([]int, last), make([]int, len(l.strides))
	n := 1
	for _, d := range l.dims {
		n *= d
	}
	for at := 0; at < n; at += l.dims[last] {
		f(at, off)
		for a := last - 1; a >= 0; a-- {
			idx[a]++
			for i, s := range l.strides {
				off[i] += s[a]
			}
			if idx[a] < l.dims[a] {
				break
			}
			for i, s := range l.strides {
				off[i] -= s[a] * idx[a]
			}
			idx[a] = 0
		}
	}
}

// offsets returns, for every element of out, the place of the element of a
// tensor of the given shape that stretches to it.
func offsets(out, shape []int) []int {
	l := newBroadcast(out, [][]int{shape})
	all := make([]int, 0, elems(out))
	last := len(l.dims) - 1
	l.rows(func(_ int, off []int) {
		for i := range l.dims[last] {
			all = append(all, off[0]+i*l.strides[0][last])
		}
	})
	return all
}

// row returns elements lo to hi of operand i's row at off; an operand that
// stretches is one element, or is written out into tmp.
func (op *elementwise) row(i int, data []float32, off, lo, hi int, tmp []float32) []float32 {
	switch {
	case op.stretches(i):
		if op.scalars {
			return data[off : off+1]
		}
		vec.Fill(tmp[:hi-lo], data[off])
		return tmp[:hi-lo]
	}
	return data[off+lo : off+hi]
}

// stretches reports whether operand i is one number for a row.
func (op *elementwise) stretches(i int) bool { return op.loop.strides[i][len(op.loop.dims)-1] == 0 }

func (op *elementwise) forward(g *graph) error {
	last := len(op.loop.dims) - 1
	g.each(g.count(op.out), func(worker, u int) {
		n := len(op.in)
		tmp, x := g.buffer(worker, 0, n*chunk), make([][]float32, n)
		y := op.out.unit(u)
		op.loop.rows(func(at int, off []int) {
			for lo := 0; lo < op.loop.dims[last]; lo += chunk {
				hi := min(lo+chunk, op.loop.dims[last])
				for i, v := range op.in {
					x[i] = op.row(i, v.unit(u), off[i], lo, hi, tmp[i*chunk:])
				}
				op.fwd(y[at+lo:at+hi], x)
			}
		})
	})
	return nil
}

func (op *elementwise) backward(g *graph) {
	last := len(op.loop.dims) - 1
	n := len(op.in)
	count := g.count(op.out)
	grads := make([]*partial, n)
	first := make([]bool, n) // the gradient is new, and cleared where it is worked on
	for i, v := range op.in {
		first[i] = v.size == op.out.size && v.batched && g.firstGrad(v)
		grads[i] = g.partial(v, count)
	}
	g.each(count, func(worker, u int) {
		tmp, sums := g.buffer(worker, 0, n*chunk), g.buffer(worker, 1, n*chunk)
		x, gx := make([][]float32, n), make([][]float32, n)
		gy, y := op.out.gradUnit(u), op.out.unit(u)
		into := make([][]float32, n)
		for i := range into {
			into[i] = grads[i].unit(u)
		}
		op.loop.rows(func(at int, off []int) {
			for lo := 0; lo < op.loop.dims[last]; lo += chunk {
				hi := min(lo+chunk, op.loop.dims[last])
				for i, v := range op.in {
					x[i] = op.row(i, v.unit(u), off[i], lo, hi, tmp[i*chunk:])
					switch {
					case into[i] == nil:
						gx[i] = nil
					case !op.stretches(i):
						gx[i] = into[i][off[i]+lo : off[i]+hi]
						if first[i] {
							clear(gx[i])
						}
					case op.scalars:
						gx[i] = into[i][off[i] : off[i]+1]
					default:
						gx[i] = sums[i*chunk:][:hi-lo]
						clear(gx[i])
					}
				}
				op.bwd(gy[at+lo:at+hi], y[at+lo:at+hi], x, gx)
				for i := range op.in {
					if into[i] != nil && op.stretches(i) && !op.scalars {
						into[i][off[i]] += vec.Sum(gx[i])
					}
				}
			}
		})
	})
	for _, p := range grads {
		p.finish(g)
	}
}

// partial collects the gradient of an operand from several units: a batched
// operand's own, or one buffer a unit that finish adds up in order.
type partial struct {
	v     *value
	parts int
	buf   []float32 // nil when the operand's gradient is written directly
}

// partial prepares the gradient of v for so many writers, which are the units
// or, for a value that is not batched, parts of the batch.
func (g *graph) partial(v *value, parts int) *partial {
	p := &partial{v: v, parts: parts}
	if v == nil || !v.diff {
		p.v = nil
		return p
	}
	g.gradOf(v)
	if !v.batched && parts > 1 {
		p.buf = g.zeros(parts * v.size)
	}
	return p
}

// unit returns the place for the gradient from writer u, nil when none is wanted.
func (p *partial) unit(u int) []float32 {
	switch {
	case p.v == nil:
		return nil
	case p.buf != nil:
		return p.buf[u*p.v.size : (u+1)*p.v.size]
	}
	return p.v.gradUnit(u)
}

// finish adds up the parts, in order.
func (p *partial) finish(g *graph) {
	if p.buf == nil {
		return
	}
	n := p.v.size
	const part = 4096
	g.each((n+part-1)/part, func(_, i int) {
		lo, hi := i*part, min(n, (i+1)*part)
		for u := range p.parts {
			vec.Add(p.v.grad[lo:hi], p.buf[u*n+lo:u*n+hi])
		}
	})
	g.release(p.buf)
}

// rowMajor returns the row-major strides of a shape.
func rowMajor(shape []int) []int {
	s := make([]int, len(shape))
	n := 1
	for a := len(shape) - 1; a >= 0; a-- {
		s[a] = n
		n *= shape[a]
	}
	return s
}

func elems(shape []int) int { return ir.Type{Shape: shape}.Elems() }
