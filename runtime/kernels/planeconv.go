package kernels

// PlaneConv is a plan of a convolution of float32 over dense maps:
//
//	y[n,o,p] = sum over i, k of w[o,i,k] * x[n,i,p*stride+k*dil-pad]
//
// summed over i, then k, starting at 0, every product and sum rounded; what lies outside a map is 0. Maps are copied into planes
// with room for the padding, split by position modulo the stride, so that a tap is an offset and the positions of a frame are
// one run.
type PlaneConv struct {
	grid
	set  *Set
	w    [][]float32 // for every block of outputs of every group: terms of four weights, or of one
	outs int         // of a block

	blocks, chunk int // blocks of a group, and of a unit
}

// NewPlaneConv plans a convolution with weights w [Out,In/Groups,kernel...].
func NewPlaneConv(set *Set, s DotShape, w []float32) (*PlaneConv, error) {
	if err := s.check(len(w)); err != nil {
		return nil, err
	}
	inC, outC := s.In/s.Groups, s.Out/s.Groups
	c := &PlaneConv{grid: newGrid(s.merge(), inC, 4), set: set, outs: 4}
	if outC < 4 {
		c.outs = 1
	}
	if float64(c.Scratch(1)) > 1<<31-1 {
		return nil, errorf("kernels: maps of %v are too large", s.Size)
	}
	c.offs = c.offsets(1)
	c.blocks = ceilDiv(outC, c.outs)
	c.chunk = c.chunks(c.blocks)
	k := len(w) / s.Out
	for g := range s.Groups {
		for b := range c.blocks {
			terms := make([]float32, c.outs*k)
			for o := range min(c.outs, outC-b*c.outs) {
				for i, v := range w[(g*outC+b*c.outs+o)*k:][:k] {
					terms[i*c.outs+o] = v
				}
			}
			c.w = append(c.w, terms)
		}
	}
	return c, nil
}

func (c *PlaneConv) memory() (shared, own int) {
	return roundUp(c.s.Batch*c.s.In*c.plane*4+4*dotSlack, 64), 4 * c.outs * c.tile
}

// Scratch is the bytes of scratch memory of all parts together.
func (c *PlaneConv) Scratch(parts int) int {
	shared, own := c.memory()
	return shared + parts*own
}

// Units is the number of independent pieces of the second stage.
func (c *PlaneConv) Units() int {
	return c.s.Batch * c.s.Groups * c.s.Result[0] * c.tiles * ceilDiv(c.blocks, c.chunk)
}

// Blocks is the number of calls of Block that a unit takes.
func (c *PlaneConv) Blocks() int { return c.chunk }

// Load does a part of the first stage: it copies maps into their planes.
func (c *PlaneConv) Load(part, parts int, src []float32, scratch []byte) {
	size, dst := product3(c.s.Size), viewF32(scratch)
	lo, hi := share(c.s.Batch*c.s.In, part, parts)
	for u := lo; u < hi; u++ {
		c.eachRow(func(row, at, first, lo, hi int) {
			out := dst[u*c.plane+row:][:c.axes[2].size]
			clear(out[:lo])
			clear(out[hi:])
			if lo == hi {
				return
			}
			x := src[u*size+at+first:]
			if c.s.Stride[2] == 1 {
				copy(out[lo:hi], x)
				return
			}
			pickEvery(out[lo:hi], x, c.s.Stride[2])
		})
	}
}

// pickEvery copies every step-th element of x.
func pickEvery(dst, x []float32, step int) {
	if step == 2 {
		for ; len(dst) >= 4 && len(x) >= 8; dst, x = dst[4:], x[8:] {
			dst[0], dst[1], dst[2], dst[3] = x[0], x[2], x[4], x[6]
		}
	}
	for i := range dst {
		dst[i] = x[i*step]
	}
}

// A PlaneBlock is what Block computes: rows of sums, of one output channel each.
type PlaneBlock struct {
	Rows    int
	Y       [4][]float32
	Channel [4]int
	At      [4]int // where Y[i][0] belongs in the result
}

// Block computes block b of unit u. The rows are part's scratch memory until its next call.
func (c *PlaneConv) Block(r *PlaneBlock, u, b, part int, scratch []byte) {
	s := &c.s
	shared, own := c.memory()
	chunks := ceilDiv(c.blocks, c.chunk)
	block := u%chunks*c.chunk + b
	u /= chunks
	tile, t, n := u%c.tiles, u/c.tiles%s.Result[0], u/(c.tiles*s.Result[0]) // n counts groups of the batch
	r.Rows = 0
	if block >= c.blocks {
		return
	}
	inC, outC := s.In/s.Groups, s.Out/s.Groups
	first, count, at := c.run(tile, t)
	padded := roundUp(count, 16)
	acc := viewF32(scratch[shared+part*own:][:own])[:c.outs*padded]
	g, o := n%s.Groups, block*c.outs
	c.set.planeConv[c.outs/4](acc, viewF32(scratch)[n*inC*c.plane+t*c.frame+first:], c.offs, c.w[g*c.blocks+block])
	r.Rows = min(c.outs, outC-o)
	pitch, width := c.axes[2].size, s.Result[2]
	for i := range r.Rows {
		y := acc[i*padded:][:count]
		if pitch != width {
			y = dropHalo(y, first%pitch, pitch, width)
		}
		channel := g*outC + o + i
		r.Y[i], r.Channel[i], r.At[i] = y, channel, (n/s.Groups*s.Out+channel)*product3(s.Result)+at
	}
}

func planeConvGeneric(acc, src []float32, offs []int32, w []float32) {
	outs := len(w) / len(offs)
	n := len(acc) / outs
	clear(acc)
	for j, off := range offs {
		x := src[off/4:][:n]
		for o := range outs {
			v, row := w[j*outs+o], acc[o*n:][:n]
			for i, u := range x {
				row[i] += float32(v * u)
			}
		}
	}
}
