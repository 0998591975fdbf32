package kernels

// maps plans the interleaved way.
func (d *Dot) maps(w [][]int8) {
	d.way = dotMaps
	s := &d.s
	for a := range 3 {
		seen := make([]bool, s.Stride[a])
		for k := range s.Kernel[a] {
			seen[k*s.Dil[a]%s.Stride[a]] = true
		}
		for p, yes := range seen {
			if yes {
				d.axes[a].phases = append(d.axes[a].phases, p)
			}
		}
		d.axes[a].size = s.Result[a] + (s.Kernel[a]-1)*s.Dil[a]/s.Stride[a]
	}
	pitch := d.axes[2].size
	d.frame = d.axes[1].size * pitch
	phase := d.axes[0].size * d.frame
	d.plane = phase * len(d.axes[0].phases) * len(d.axes[1].phases) * len(d.axes[2].phases)
	span := (s.Result[1]-1)*pitch + s.Result[2]
	d.tiles = ceilDiv(span, dotTile)
	d.tile = roundUp(ceilDiv(span, d.tiles), 16)
	d.tiles = ceilDiv(span, d.tile)

	quads := ceilDiv(d.inC, 4)
	index := func(a, k int) (phase, at int) {
		p := k * s.Dil[a]
		for i, f := range d.axes[a].phases {
			if f == p%s.Stride[a] {
				phase = i
			}
		}
		return phase, p / s.Stride[a]
	}
	for range w {
		for q := range quads {
			for kt := range s.Kernel[0] {
				pt, t := index(0, kt)
				for kh := range s.Kernel[1] {
					ph, h := index(1, kh)
					for kw := range s.Kernel[2] {
						pw, x := index(2, kw)
						f := (pt*len(d.axes[1].phases)+ph)*len(d.axes[2].phases) + pw
						d.offs = append(d.offs, int32(4*(q*d.plane+f*phase+t*d.frame+h*pitch+x)))
					}
				}
			}
		}
	}
	d.blocks = ceilDiv(d.outC, dotOuts)
	d.chunk = d.blocks
	for d.chunk > 8 && s.Batch*s.Groups*s.Result[0]*d.tiles*ceilDiv(d.blocks, d.chunk) < 8 {
		d.chunk = ceilDiv(d.chunk, 2)
	}
	taps := product3(s.Kernel)
	for g := range s.Groups {
		for b := range d.blocks {
			d.w = append(d.w, d.set.packDot(d.termsOf(w, g, b*dotOuts, dotOuts, taps)))
		}
	}
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
	s := &d.s
	pitch := d.axes[2].size
	for _, ft := range d.axes[0].phases {
		for _, fh := range d.axes[1].phases {
			for _, fw := range d.axes[2].phases {
				for t := range d.axes[0].size {
					for h := range d.axes[1].size {
						row := dst[:4*pitch]
						dst = dst[4*pitch:]
						st, sh := t*s.Stride[0]+ft-s.Pad[0], h*s.Stride[1]+fh-s.Pad[1]
						if st < 0 || st >= s.Size[0] || sh < 0 || sh >= s.Size[1] {
							d.fill(row)
							continue
						}
						d.interleaveRow(row, x, (st*s.Size[1]+sh)*s.Size[2], fw-s.Pad[2])
					}
				}
			}
		}
	}
}

// interleaveRow writes elements first, first+stride, ... of the row of every channel that begins at byte at.
func (d *Dot) interleaveRow(row []byte, x *[4][]byte, at, first int) {
	step, width := d.s.Stride[2], d.s.Size[2]
	n := len(row) / 4
	lo := 0
	if first < 0 {
		lo = min(n, (-first+step-1)/step)
	}
	hi := lo
	if last := width - 1 - first; last >= 0 {
		hi = max(lo, min(n, last/step+1))
	}
	d.fill(row[:4*lo])
	d.fill(row[4*hi:])
	if lo == hi {
		return
	}
	from := at + first + lo*step
	if step == 1 {
		m := hi - lo
		d.set.interleave(row[4*lo:4*hi], x[0][from:from+m], x[1][from:from+m], x[2][from:from+m], x[3][from:from+m], d.flip)
		return
	}
	a, b, c, e := x[0][from:], x[1][from:], x[2][from:], x[3][from:]
	i := 0
	for out := row[4*lo : 4*hi]; len(out) >= 4; out = out[4:] {
		out[0], out[1], out[2], out[3] = a[i]^d.flip, b[i]^d.flip, c[i]^d.flip, e[i]^d.flip
		i += step
	}
}

// fill sets bytes to what stands for zero.
func (d *Dot) fill(b []byte) {
	if d.zero == 0 {
		clear(b)
		return
	}
	for i := range b {
		b[i] = d.zero
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
	first := tile * d.tile
	count := min(d.tile, (s.Result[1]-1)*pitch+width-first)
	padded := roundUp(count, 16)
	acc := view32(mine)[:4*padded]
	g := n % s.Groups
	o := block * dotOuts
	copy(r.init[:], d.init[g*d.outC+o:])
	d.set.dot(acc, scratch[4*(n*ceilDiv(d.inC, 4)*d.plane+t*d.frame+first):], d.offs, d.w[g*d.blocks+block], &r.init)

	r.Rows, r.Along, r.Step = min(dotOuts, d.outC-o), false, 1
	h, x := first/pitch, first%pitch
	at := (t*s.Result[1]+h)*width + min(x, width)
	for i := range r.Rows {
		z := acc[i*padded:][:count]
		if pitch != width {
			z = dropHalo(z, x, pitch, width)
		}
		c := g*d.outC + o + i
		r.Z[i], r.Channel[i], r.At[i] = z, c, (n/s.Groups*s.Out+c)*product3(s.Result)+at
	}
}

// dropHalo moves the elements of rows of width elements, pitch apart, together. The first lies x elements after the
// beginning of a row.
func dropHalo(z []int32, x, pitch, width int) []int32 {
	kept := 0
	for i := 0; i < len(z); {
		n := max(0, min(width-x, len(z)-i))
		copy(z[kept:], z[i:i+n])
		kept += n
		i += pitch - x
		x = 0
	}
	return z[:kept]
}
