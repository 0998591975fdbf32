package kernels

// A walk visits the output positions of a plan in tiles of whole blocks.
//
// The kernels read the input at position + offset, so a tile is a range of positions of the *input* geometry. When input
// and output have the same pitch and frame, these are also positions of the output: one flat span covers the plane, halo
// positions are computed too and then masked, and kernels write the output directly. Otherwise a tile goes to scratch and
// its rows are copied. Then spans are the whole plane, single frames or single rows, whichever computes the fewest blocks.
type walk struct {
	in, out Geom
	direct  bool // kernels write the output plane themselves
	rows    bool // a span is one row
	spans   int  // spans of a plane
	spanLen int  // positions of a span
	tile    int  // positions of a tile, a multiple of 64
	perSpan int  // tiles of a span
	classes []class
	ones    []byte // the mask of tiles that go to scratch

	// Distances of the geometries, in elements: input pitch and frame; output pitch, frame, plane and lead.
	ip, jump, op, of, plane, lead int
	rowsOf                        int // stored rows of an output frame
}

// maxMask limits the mask of a frame, in bytes; a larger frame is copied row by row and needs none.
const maxMask = 1 << 22

// class is one phase of the output: its extents, and for direct walks its mask.
type class struct {
	rt, rh, rw int
	nt, nh, nw int
	mask       []byte // frames of the mask, then zeros for a tile
	maskEnd    int    // where the zeros begin
}

// place is one tile: n positions from start of an input plane, in whole blocks; t, h, w is the output position it starts at.
type place struct {
	start, n, blocks int
	t, h, w          int
	first, last      bool
}

// newWalk plans the visits of out, computed at the positions of in, with tiles of at most maxTile positions, smaller where
// units planes would give too few tiles to share among parts.
func newWalk(in, out Geom, maxTile, units int) *walk {
	w := &walk{in: in, out: out, ip: in.Pitch(), jump: in.Frame(), op: out.Pitch(), of: out.Frame(), plane: out.PlaneStride(), lead: out.Lead()}
	ts, hs, ws := out.Stored()
	p, f := w.ip, w.jump
	w.rowsOf = hs
	flat := (ts-1)*f + (hs-1)*p + ws
	frame := (hs-1)*p + ws
	w.direct = p == w.op && f == w.of && f <= maxMask
	w.spans, w.spanLen = 1, flat
	if !w.direct {
		const never = int(^uint(0) >> 1)
		costFlat, costFrame := never, never
		if ws <= p {
			costFrame = ts * ceilDiv(frame, block)
			if hs*p <= f || ts == 1 {
				costFlat = ceilDiv(flat, block)
			}
		}
		costRow := ts * hs * ceilDiv(ws, block)
		switch {
		case costFlat <= costFrame && costFlat <= costRow:
		case costFrame <= costRow:
			w.spans, w.spanLen = ts, frame
		default:
			w.spans, w.spanLen, w.rows = ts*hs, ws, true
		}
	}
	w.tile = min(maxTile, roundUp(w.spanLen, block))
	for w.tile > block && units*w.spans*ceilDiv(w.spanLen, w.tile) < 8 {
		w.tile = roundUp(w.tile/2, block)
	}
	w.perSpan = ceilDiv(w.spanLen, w.tile)
	w.addClasses()
	return w
}

func (w *walk) addClasses() {
	o := w.out
	p, f := o.Pitch(), o.Frame()
	if !w.direct {
		w.ones = make([]byte, w.tile)
		for i := range w.ones {
			w.ones[i] = 0xFF
		}
	}
	for rt := range o.PT {
		for rh := range o.PH {
			for rw := range o.PW {
				c := class{rt: rt, rh: rh, rw: rw,
					nt: ceilDiv(max(0, o.T-rt), o.PT), nh: ceilDiv(max(0, o.H-rh), o.PH), nw: ceilDiv(max(0, o.W-rw), o.PW)}
				if w.direct {
					if i := rh*o.PW + rw; rt > 0 { // the mask does not depend on rt
						c.mask, c.maskEnd = w.classes[i].mask, w.classes[i].maskEnd
					} else {
						c.maskEnd = ceilDiv(w.tile+f, f) * f
						c.mask = make([]byte, c.maskEnd+w.tile)
						for h := 0; h < c.maskEnd/p; h++ {
							if h%(f/p) < c.nh {
								row := c.mask[h*p:][:c.nw]
								for x := range row {
									row[x] = 0xFF
								}
							}
						}
					}
				}
				w.classes = append(w.classes, c)
			}
		}
	}
}

// tiles is the number of tiles of a plane.
func (w *walk) tiles() int { return w.spans * w.perSpan }

// at returns tile i of a plane.
func (w *walk) at(i int) place {
	span, j := i/w.perSpan, i%w.perSpan
	pl := place{first: i == 0, last: i == w.tiles()-1}
	pl.n = min(w.tile, w.spanLen-j*w.tile)
	pl.blocks = ceilDiv(pl.n, block)
	p, f := w.ip, w.jump
	if w.rows {
		pl.t, pl.h, pl.w = span/w.rowsOf, span%w.rowsOf, j*w.tile
		pl.start = pl.t*f + pl.h*p + pl.w
		return pl
	}
	pl.start = j * w.tile
	if w.spans > 1 {
		pl.start += span * f
	}
	if !w.direct {
		// Rows of the output's frame may reach beyond a frame of the input, so a
		// span of one frame counts its own positions.
		local := pl.start
		switch ts, _, _ := w.out.Stored(); {
		case w.spans > 1:
			pl.t, local = span, j*w.tile
		case ts > 1:
			pl.t, local = pl.start/f, pl.start%f
		}
		pl.h, pl.w = local/p, local%p
	}
	return pl
}

// planeOf is plane i of an output buffer of e-byte elements.
//
//go:noinline
func (w *walk) planeOf(dst []byte, i, e int) []byte {
	at := (w.lead + i*w.plane) * e
	return dst[at : at+w.plane*e]
}

// from is an output buffer from a tile of plane i on.
func (w *walk) from(dst []byte, i, e int, pl place) []byte {
	return dst[(w.lead+i*w.plane+pl.start)*e:]
}

// mask is the mask of class c for a tile: at least blocks*64 bytes.
//
//go:noinline
func (w *walk) mask(c *class, pl place) []byte {
	n := pl.blocks * block
	if !w.direct {
		return w.ones[:n]
	}
	f := w.of
	i := pl.start % f
	if rem := c.nt*f - pl.start; rem < w.tile {
		i = c.maskEnd - max(rem, 0)
	}
	return c.mask[i : i+n]
}

// target is where a kernel writes the tile of a plane of e-byte elements: the plane itself, or scratch.
//
//go:noinline
func (w *walk) target(plane, scratch []byte, e int, pl place) []byte {
	if w.direct {
		return plane[pl.start*e : (pl.start+pl.blocks*block)*e]
	}
	return scratch[:pl.blocks*block*e]
}

// finish completes the tile of a plane after a kernel has written target: it copies the rows when target was scratch,
// and zeroes what lies between and after the rows.
func (w *walk) finish(plane, tile []byte, e int, c *class, pl place) {
	if w.direct {
		if pl.last {
			clear(plane[(pl.start+pl.blocks*block)*e:])
		}
		return
	}
	if c.nt == 0 || c.nh == 0 || c.nw == 0 {
		if pl.first {
			clear(plane)
		}
		return
	}
	ip, jump, op, of := w.ip, w.jump, w.op, w.of
	t, h, x, i := pl.t, pl.h, pl.w, 0
	for i < pl.n && t < c.nt {
		if h >= c.nh || x >= c.nw {
			if w.rows {
				return
			}
			// Nothing more in this row; on to the next row, or the next frame's first row.
			if h+1 < c.nh {
				i += ip - x
				h++
			} else {
				i += jump - h*ip - x
				t, h = t+1, 0
			}
			x = 0
			continue
		}
		n := min(c.nw-x, pl.n-i)
		at := t*of + h*op + x
		copy(plane[at*e:(at+n)*e], tile[i*e:(i+n)*e])
		x, i = x+n, i+n
		if x == c.nw {
			clear(plane[(at+n)*e : w.nextRow(c, t, h)*e])
		}
		if w.rows {
			return
		}
	}
}

// nextRow is the element of an output plane at which the row after (t,h) begins, or the end of the plane.
func (w *walk) nextRow(c *class, t, h int) int {
	switch {
	case h+1 < c.nh:
		return t*w.of + (h+1)*w.op
	case t+1 < c.nt:
		return (t + 1) * w.of
	}
	return w.plane
}

// clearEnds zeroes the lead and the tail of an output buffer.
func clearEnds(dst []byte, g Geom, e Elem) {
	clear(dst[:g.Lead()*e.Size()])
	clear(dst[(g.Bytes(e) - g.Tail()*e.Size()):g.Bytes(e)])
}

// share is the range of n work items that belongs to a part.
//
//go:noinline
func share(n, part, parts int) (lo, hi int) {
	return int(int64(n) * int64(part) / int64(parts)), int(int64(n) * int64(part+1) / int64(parts))
}
