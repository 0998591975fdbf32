package runtime

import "github.com/billnet/billnet/runtime/billb"

var (
	_ = executes(billb.OpConv, func(p *prep) step {
		y := p.dense(p.out(0), F32, F64)
		for _, o := range []*operand{p.in(0), p.in(1)} {
			p.sameElem(p.dense(o), y)
		}
		if y.elem == F64 {
			return prepareConv[float64](p)
		}
		return prepareConv[float32](p)
	})
	_ = executes(billb.OpDenseIConv, func(p *prep) step {
		y := p.dense(p.out(0))
		for _, o := range []*operand{p.in(0), p.in(1)} {
			if p.dense(o).elem.IsFloat() {
				p.fail("%s, expected an integer, bool or logic type", o)
			}
		}
		if !y.elem.IsInt() {
			p.fail("%s, expected an integer type", y)
		}
		return prepareDenseConv(p)
	})
)

// conv computes a convolution as matrix products, but for groups of very few
// output channels in float32, which would not repay the gathering (see convDirect): for every group and tile of
// output positions the input under all taps is gathered into panels (a column
// is a position, a row is a channel and tap), and the weights, a matrix with a
// row for every output channel, are multiplied by them. Memory outside the map
// is gathered as 0, which adds nothing.
type conv[T real] struct {
	*blocking[T]
	*convShape
	x, weights, out  *values[T]
	tile             int // panels of a tile
	tiles            int // of a map
	panelsAt, stride int // scratch memory of every part
}

// convShape is the operands and sizes of a convolution.
type convShape struct {
	*window
	bias            *operand
	batch, groups   int
	inC, outC       int // channels of a group
	inSize, outSize int // elements of a map
	taps            int
	k               int // channels of a group times taps
}

// directOut is the largest number of output channels of a group that is
// computed directly.
const directOut = 2

// tileBytes is about the size of a tile's panels, which should stay in cache.
const tileBytes = 96 << 10

// newConvShape checks the operands x w bias? and the output y.
func newConvShape(p *prep) *convShape {
	x, w, bias, y := p.dense(p.in(0)), p.dense(p.in(1)), p.optIn(2), p.dense(p.out(0))
	v := params[billb.DenseConv](p)
	c := p.convShape(x, y, w.shape, v.Groups, &v.Window)
	if bias != nil {
		p.sameElem(p.dense(bias), y)
		p.shaped(bias, w.shape[0])
	}
	c.bias = bias
	return c
}

// convShape checks a convolution of x with weights of a shape to y.
func (p *prep) convShape(x, y *operand, w []int, groups int, v *billb.Window) *convShape {
	if x.rank() < 3 || len(w) != x.rank() || y.rank() != x.rank() {
		p.fail("%s, %s and weights %s, expected as many axes, at least three", x, y, billb.ShapeString(w))
	}
	if x.shape[1]%groups != 0 || w[0]%groups != 0 {
		p.fail("%d groups do not divide %d input and %d output channels", groups, x.shape[1], w[0])
	}
	c := &convShape{batch: x.shape[0], groups: groups, inC: x.shape[1] / groups, outC: w[0] / groups}
	if w[1] != c.inC || y.shape[0] != c.batch || y.shape[1] != w[0] {
		p.fail("%s, %s and weights %s do not fit with %d groups", x, y, billb.ShapeString(w), groups)
	}
	c.window = p.newWindow(x, y, w[2:], v)
	c.inSize, c.outSize, c.taps = c.sizes()
	c.k = c.inC * c.taps
	return c
}

func prepareConv[T real](p *prep) step {
	x, w, y := p.in(0), p.in(1), p.out(0)
	mem := area{p: p}
	c := &conv[T]{blocking: blockingFor[T](p.set), convShape: newConvShape(p)}
	if y.n == 0 {
		return step{}
	}
	if y.elem == F32 {
		if s, ok := preparePlaneConv(p, c.convShape); ok {
			return s
		}
	}
	panels := c.panels(c.outSize)
	perPanel := mulSat(c.k, c.cols, y.elem.Width())
	c.tile = max(1, min(panels, tileBytes/max(perPanel, 1)))
	c.tiles = (panels + c.tile - 1) / c.tile
	c.x, c.weights, c.out = newValues[T](&mem, x), newValues[T](&mem, w), newValues[T](&mem, y)
	c.stride = roundUp(mulSat(c.k, c.cols*c.tile, sizeOf[T]()), align)
	c.panelsAt = mem.size
	s := step{
		work:    mulSat(y.n, max(c.k, 1)),
		scratch: func(parts int) int { return addSat(c.panelsAt, mulSat(parts, c.stride)) },
	}
	if c.stride > defaultLimit {
		p.fail("the panels of a tile need %d bytes of scratch memory", c.stride)
	}
	if c.x.convert || c.weights.convert {
		s.stages = append(s.stages, func(m *memory, part, parts int) {
			c.x.load(m, part, parts)
			c.weights.load(m, part, parts)
		})
	}
	if single, ok := any(c).(*conv[float32]); ok && c.outC <= directOut && c.window.stride[2] == 1 {
		s.stages = append(s.stages, func(m *memory, part, parts int) { convDirect(single, m, part, parts) })
	} else {
		s.stages = append(s.stages, c.run)
	}
	if c.out.convert {
		s.stages = append(s.stages, c.out.store)
	}
	return s
}

func (c *conv[T]) run(m *memory, part, parts int) {
	lo, hi := share(c.batch*c.groups*c.tiles, part, parts)
	panels := as[T](m.scratch[c.panelsAt+part*c.stride:][:c.k*c.cols*c.tile*sizeOf[T]()])
	inSize, outSize := c.inSize, c.outSize
	x, w, y := c.x.view(m), c.weights.view(m), c.out.view(m)
	var bias []T
	if c.bias != nil {
		bias = view[T](c.bias, m)
	}
	for u := lo; u < hi; u++ {
		n, g, tile := u/(c.groups*c.tiles), u/c.tiles%c.groups, u%c.tiles
		first := tile * c.tile * c.cols
		count := min(c.tile*c.cols, outSize-first)
		c.gather(panels, x[(n*c.groups+g)*c.inC*inSize:][:c.inC*inSize], first, count)
		dst := y[(n*c.groups+g)*c.outC*outSize+first:]
		c.multiply(dst, outSize, w[g*c.outC*c.k:], c.k, panels, c.outC, c.k, count, 0, c.panels(count))
		if bias != nil {
			for o := range c.outC {
				row, b := dst[o*outSize:o*outSize+count], bias[g*c.outC+o]
				for i := range row {
					row[i] += b
				}
			}
		}
	}
}

// convDirect computes output rows one by one: every tap's weight times an input row
// is added to the whole row, in the order of the sum.
func convDirect(c *conv[float32], m *memory, part, parts int) {
	out := c.window.out
	rows, outs := out[0]*out[1], c.groups*c.outC
	lo, hi := share(c.batch*outs*rows, part, parts)
	x, w, y := c.x.view(m), c.weights.view(m), c.out.view(m)
	for u := lo; u < hi; u++ {
		n, o, r := u/(outs*rows), u/rows%outs, u%rows
		dst := y[u*out[2]:][:out[2]]
		clear(dst)
		ot, oh := r/out[1], r%out[1]
		t0, t1 := c.inside(0, ot)
		h0, h1 := c.inside(1, oh)
		for ch := range c.inC {
			plane := x[(n*c.groups*c.inC+o/c.outC*c.inC+ch)*c.inSize:][:c.inSize]
			weights := w[(o*c.inC+ch)*c.taps:][:c.taps]
			for kt := t0; kt < t1; kt++ {
				t := ot*c.window.stride[0] + kt*c.dil[0] - c.pad[0]
				for kh := h0; kh < h1; kh++ {
					h := oh*c.window.stride[1] + kh*c.dil[1] - c.pad[1]
					src := plane[(t*c.in[1]+h)*c.in[2]:][:c.in[2]]
					for kw := range c.kernel[2] {
						shift := kw*c.dil[2] - c.pad[2]
						lo, hi := max(0, -shift), min(len(dst), len(src)-shift)
						if lo < hi {
							c.addScaled(dst[lo:hi], src[lo+shift:hi+shift], weights[(kt*c.kernel[1]+kh)*c.kernel[2]+kw])
						}
					}
				}
			}
		}
		if c.bias != nil {
			b := view[float32](c.bias, m)[o]
			for i := range dst {
				dst[i] += b
			}
		}
	}
}

// gather fills the panels with the input under all taps of count positions from
// first on.
func (c *conv[T]) gather(panels, x []T, first, count int) {
	if c.k == 0 {
		return // no channels: every sum is 0
	}
	full := roundUp(count, c.cols)
	for i := count; i < full; i++ { // columns that do not exist
		for k := range c.k {
			panels[i/c.cols*c.cols*c.k+k*c.cols+i%c.cols] = 0
		}
	}
	out, stride := c.window.out, c.window.stride
	for done := 0; done < count; {
		// A run of positions in one output row and one panel.
		p := first + done
		ow := p % out[2]
		oh, ot := p/out[2]%out[1], p/out[2]/out[1]
		n := min(count-done, out[2]-ow, c.cols-done%c.cols)
		dst := panels[done/c.cols*c.cols*c.k+done%c.cols:]
		tap := 0
		for kt := range c.kernel[0] {
			t := ot*stride[0] + kt*c.dil[0] - c.pad[0]
			for kh := range c.kernel[1] {
				h := oh*stride[1] + kh*c.dil[1] - c.pad[1]
				inside := t >= 0 && t < c.in[0] && h >= 0 && h < c.in[1]
				for kw := range c.kernel[2] {
					at := ow*stride[2] + kw*c.dil[2] - c.pad[2]
					if !inside {
						c.gatherNothing(dst[tap*c.cols:], n)
					} else {
						c.gatherTap(dst[tap*c.cols:], x[(t*c.in[1]+h)*c.in[2]:], at, stride[2], n)
					}
					tap++
				}
			}
		}
		done += n
	}
}

// gatherNothing sets n elements to 0 for every channel.
func (c *conv[T]) gatherNothing(dst []T, n int) {
	for ch := range c.inC {
		clear(dst[ch*c.taps*c.cols:][:n])
	}
}

// gatherTap sets n elements to those from at on, step apart, of a row of every
// channel; what lies outside the row is 0.
func (c *conv[T]) gatherTap(dst, x []T, at, step, n int) {
	inSize, width, next := c.inSize, c.in[2], c.taps*c.cols
	if step == 1 && n == 16 && at >= 0 && at+16 <= width {
		for ch := range c.inC {
			*(*[16]T)(dst[ch*next:]) = *(*[16]T)(x[ch*inSize+at:])
		}
		return
	}
	lo, hi := 0, n // positions whose element is inside the row
	if at < 0 {
		lo = min(n, (-at+step-1)/step)
	}
	if last := width - 1 - at; last < 0 {
		hi = lo
	} else {
		hi = max(lo, min(n, last/step+1))
	}
	for ch := range c.inC {
		row := dst[ch*next:][:n]
		clear(row[:lo])
		clear(row[hi:])
		if lo == hi {
			continue
		}
		src := x[ch*inSize+at+lo*step:]
		if step == 1 {
			copy(row[lo:hi], src)
			continue
		}
		for i := range row[lo:hi] {
			row[lo+i] = src[i*step]
		}
	}
}
