package kernels

// maps plans the interleaved way.
func (d *Dot) maps(w [][]int8) {
	d.way = dotMaps
	d.grid = newGrid(d.s, ceilDiv(d.inC, 4), 4)
	d.offs = d.offsets(len(w))
	d.blocks = ceilDiv(d.outC, dotOuts)
	d.chunk = d.chunks(d.blocks)
	taps := product3(d.s.Kernel)
	var lists [][]int8
	for g := range d.s.Groups {
		for b := range d.blocks {
			lists = append(lists, d.termsOf(w, g, b*dotOuts, dotOuts, taps))
		}
	}
	d.pack(lists, dotOuts, d.set.packDot, d.set.packFew)
}

// termsOf orders the weights of outputs first to first+n-1 of group g by term, output and channel of the term; what does not
// exist is 0.
func (d *Dot) termsOf(w [][]int8, g, first, n, taps int) []int8 {
	quads := ceilDiv(d.inC, 4)
	out := make([]int8, 0, len(w)*quads*taps*n*4)
	for _, list := range w {
		for q := range quads {
			for k := range taps {
				for o := first; o < first+n; o++ {
					for c := 4 * q; c < 4*q+4; c++ {
						v := int8(0)
						if o < d.outC && c < d.inC {
							v = list[((g*d.outC+o)*d.inC+c)*taps+k]
						}
						out = append(out, v)
					}
				}
			}
		}
	}
	return out
}

// interleave writes a part of the planes: units are groups of four channels and frames.
func (d *Dot) interleave(part, parts int, src, scratch []byte) {
	s := &d.s
	quads, size := ceilDiv(d.inC, 4), product3(s.Size)
	lo, hi := share(s.Batch*s.Groups*quads, part, parts)
	for u := lo; u < hi; u++ {
		n, q := u/quads, u%quads
		var x [4][]byte
		for i := range x {
			if c := 4*q + i; c < d.inC {
				x[i] = src[(n*d.inC+c)*size:][:size]
			}
		}
		for i := range x { // weights of channels that do not exist are 0: any bytes will do
			if x[i] == nil {
				x[i] = x[0]
			}
		}
		d.interleavePlane(scratch[4*u*d.plane:][:4*d.plane], &x)
	}
}

func (d *Dot) interleavePlane(dst []byte, x *[4][]byte) {
	step := d.s.Stride[2]
	d.eachRow(func(row, at, first, lo, hi int) {
		out := dst[4*row:][:4*d.axes[2].size]
		d.fill(out[:4*lo])
		d.fill(out[4*hi:])
		if lo == hi {
			return
		}
		out = out[4*lo : 4*hi]
		from, n := at+first, hi-lo
		if step == 1 {
			d.set.interleave(out, x[0][from:from+n], x[1][from:from+n], x[2][from:from+n], x[3][from:from+n], d.flip)
			return
		}
		a, b, c, e := x[0][from:], x[1][from:], x[2][from:], x[3][from:]
		i := 0
		for ; len(out) >= 4; out = out[4:] {
			out[0], out[1], out[2], out[3] = a[i]^d.flip, b[i]^d.flip, c[i]^d.flip, e[i]^d.flip
			i += step
		}
	})
}

// fill sets bytes to what stands for zero.
func (d *Dot) fill(b []byte) {
	if d.blank == nil {
		clear(b)
		return
	}
	for len(b) > 0 {
		b = b[copy(b, d.blank):]
	}
}

// mapped computes four outputs at the positions of a tile.
func (d *Dot) mapped(r *DotBlock, u, b int, scratch, mine []byte) {
	s := &d.s
	chunks := ceilDiv(d.blocks, d.chunk)
	block := u%chunks*d.chunk + b
	u /= chunks
	tile, t, n := u%d.tiles, u/d.tiles%s.Result[0], u/(d.tiles*s.Result[0]) // n counts groups of the batch
	r.Rows = 0
	if block >= d.blocks {
		return
	}
	pitch, width := d.axes[2].size, s.Result[2]
	first, count, at := d.run(tile, t)
	padded := roundUp(count, 16)
	acc := view32(mine)[:4*padded]
	g := n % s.Groups
	o := block * dotOuts
	copy(r.init[:], d.init[g*d.outC+o:])
	if src, w := scratch[4*(n*ceilDiv(d.inC, 4)*d.plane+t*d.frame+first):], d.w[g*d.blocks+block]; d.few > 0 {
		d.set.fewDot(acc, src, d.offs, w, &r.init, d.few)
	} else {
		d.set.dot(acc, src, d.offs, w, &r.init)
	}

	r.Rows, r.Along, r.Step = min(dotOuts, d.outC-o), false, 1
	for i := range r.Rows {
		z := acc[i*padded:][:count]
		if pitch != width {
			z = dropHalo(z, z, first%pitch, pitch, width)
		}
		c := g*d.outC + o + i
		r.Z[i], r.Channel[i], r.At[i] = z, c, (n/s.Groups*s.Out+c)*product3(s.Result)+at
	}
}
