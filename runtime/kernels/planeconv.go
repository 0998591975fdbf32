package kernels

import "math"

// PlaneConv is a plan of a convolution of float32 over dense maps:
//
//	y[n,o,p] = bias[o] + sum over i, k of w[o,i,k] * x[n,i,p*stride+k*dil-pad]
//
// summed over i, then k, starting at 0, every product and sum rounded; the bias comes last; what lies outside a map is 0. Maps are
// copied into planes with room for the padding, split by position modulo the stride, so that a tap is an offset and the positions of
// a frame are one run. Rows of whole registers, and frames without padding, go straight to the result; of others, what belongs to no
// result is left out on the way.
type PlaneConv struct {
	grid
	set  *Set
	w    [][]float32 // for every block of outputs of every group: terms of four weights, or of one
	outs int         // of a block

	blocks, chunk int // blocks of a group, and of a unit
	rows          int // of a tile, one run each; 0: a tile is one run
}

// planeGrain is how many positions the kernels take at a time, at most.
const planeGrain = 16

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
	if width := c.s.Result[2]; width%planeGrain == 0 && width < c.axes[2].size {
		c.rows = min(c.s.Result[1], max(1, dotTile/width))
		c.tile, c.tiles = c.rows*width, ceilDiv(c.s.Result[1], c.rows)
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
	return roundUp(c.s.Batch*c.s.In*c.plane*4+4*dotSlack, 64), 4*c.outs*c.tile + 64 // and the biases of a block
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

// Run computes unit u. There may be no bias.
func (c *PlaneConv) Run(u, part int, dst, bias []float32, scratch []byte) {
	s := &c.s
	shared, own := c.memory()
	mine, maps := viewF32(scratch[shared+part*own:][:own]), viewF32(scratch)
	last, acc := (*[4]float32)(mine), mine[16:]
	chunks := ceilDiv(c.blocks, c.chunk)
	block := u % chunks * c.chunk
	u /= chunks
	tile, t, n := u%c.tiles, u/c.tiles%s.Result[0], u/(c.tiles*s.Result[0]) // n counts groups of the batch
	inC, outC, g := s.In/s.Groups, s.Out/s.Groups, n%s.Groups
	src := maps[n*inC*c.plane+t*c.frame:]
	for end := min(c.blocks, block+c.chunk); block < end; block++ {
		o := block * c.outs
		outs, w := min(c.outs, outC-o), c.w[g*c.blocks+block]
		*last = [4]float32{noBias, noBias, noBias, noBias}
		if bias != nil {
			copy(last[:], bias[g*outC+o:][:outs])
		}
		to := dst[(n*outC+o)*product3(s.Result):]
		if c.rows == 0 {
			from, count, at := c.run(tile, t)
			c.positions(to[at:], acc, src[from:], w, last, outs, from%c.axes[2].size, count)
			continue
		}
		for h := tile * c.rows; h < min(s.Result[1], (tile+1)*c.rows); h++ {
			c.positions(to[(t*s.Result[1]+h)*s.Result[2]:], acc, src[h*c.axes[2].size:], w, last, outs, 0, s.Result[2])
		}
	}
}

// noBias is what changes no number that it is added to: -0.
var noBias = math.Float32frombits(1 << 31)

// positions computes a run of count positions of a block, the first of which lies x positions after the beginning of a row.
func (c *PlaneConv) positions(dst, acc, src, w []float32, bias *[4]float32, outs, x, count int) {
	kernel, size := c.set.planeConv[c.outs/4], product3(c.s.Result)
	pitch, width := c.axes[2].size, c.s.Result[2]
	if outs == c.outs && count%planeGrain == 0 && (c.rows > 0 || pitch == width) {
		kernel(dst[:(outs-1)*size+count], size, src, count, c.offs, w, bias)
		return
	}
	padded := roundUp(count, planeGrain)
	kernel(acc[:c.outs*padded], padded, src, padded, c.offs, w, bias)
	for o := range outs {
		z := acc[o*padded:][:count]
		if c.rows > 0 || pitch == width {
			copy(dst[o*size:], z)
		} else {
			dropHalo(dst[o*size:], z, x, pitch, width)
		}
	}
}

func planeConvGeneric(dst []float32, stride int, src []float32, n int, offs []int32, w []float32, bias *[4]float32) {
	outs := len(w) / len(offs)
	for o := range outs {
		clear(dst[o*stride:][:n])
	}
	for j, off := range offs {
		x := src[off/4:][:n]
		for o := range outs {
			v, row := w[j*outs+o], dst[o*stride:][:n]
			for i, u := range x {
				row[i] += float32(v * u)
			}
		}
	}
	for o := range outs {
		unaryGeneric[Plus](dst[o*stride:][:n], dst[o*stride:][:n], bias[o], 0)
	}
}
