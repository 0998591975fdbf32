package kernels

// grid is how the maps of a convolution lie in planes with room for the padding, split by position modulo the stride: so a tap
// is an offset, and the positions of a frame of results are one run, with what belongs to no result in between.
type grid struct {
	s     DotShape
	axes  [3]dotAxis
	depth int // planes of a group
	frame int // positions of a frame of a plane
	plane int // positions of a plane, all phases
	offs  []int32
	bytes int // of an element

	tile, tiles int // positions of a tile, and tiles of a frame
}

func newGrid(s DotShape, depth, bytes int) grid {
	g := grid{s: s, depth: depth, bytes: bytes}
	for a := range 3 {
		seen := make([]bool, s.Stride[a])
		for k := range s.Kernel[a] {
			seen[k*s.Dil[a]%s.Stride[a]] = true
		}
		for p, yes := range seen {
			if yes {
				g.axes[a].phases = append(g.axes[a].phases, p)
			}
		}
		g.axes[a].size = s.Result[a] + (s.Kernel[a]-1)*s.Dil[a]/s.Stride[a]
	}
	pitch := g.axes[2].size
	g.frame = g.axes[1].size * pitch
	g.plane = g.axes[0].size * g.frame * len(g.axes[0].phases) * len(g.axes[1].phases) * len(g.axes[2].phases)
	span := (s.Result[1]-1)*pitch + s.Result[2]
	g.tiles = ceilDiv(span, dotTile)
	g.tile = roundUp(ceilDiv(span, g.tiles), 16)
	g.tiles = ceilDiv(span, g.tile)
	return g
}

// offsets are those of all terms, in bytes, a number of times.
func (g *grid) offsets(times int) []int32 {
	s := &g.s
	phase := g.axes[0].size * g.frame
	index := func(a, k int) (phase, at int) {
		p := k * s.Dil[a]
		for i, f := range g.axes[a].phases {
			if f == p%s.Stride[a] {
				phase = i
			}
		}
		return phase, p / s.Stride[a]
	}
	var offs []int32
	for range times {
		for c := range g.depth {
			for kt := range s.Kernel[0] {
				pt, t := index(0, kt)
				for kh := range s.Kernel[1] {
					ph, h := index(1, kh)
					for kw := range s.Kernel[2] {
						pw, x := index(2, kw)
						f := (pt*len(g.axes[1].phases)+ph)*len(g.axes[2].phases) + pw
						offs = append(offs, int32(g.bytes*(c*g.plane+f*phase+t*g.frame+h*g.axes[2].size+x)))
					}
				}
			}
		}
	}
	return offs
}

// chunks is how many blocks of outputs a unit computes: all, or fewer where there are few units.
func (g *grid) chunks(blocks int) int {
	n := blocks
	for n > 8 && g.s.Batch*g.s.Groups*g.s.Result[0]*g.tiles*ceilDiv(blocks, n) < 8 {
		n = ceilDiv(n, 2)
	}
	return n
}

// eachRow calls f for the rows of a plane: where the row begins in the plane and where its row does in the map, the first
// element under position 0, and the positions whose element is inside the map.
func (g *grid) eachRow(f func(row, at, first, lo, hi int)) {
	s := &g.s
	row, n, step, width := 0, g.axes[2].size, s.Stride[2], s.Size[2]
	for _, ft := range g.axes[0].phases {
		for _, fh := range g.axes[1].phases {
			for _, fw := range g.axes[2].phases {
				first := fw - s.Pad[2]
				lo := 0
				if first < 0 {
					lo = min(n, (-first+step-1)/step)
				}
				hi := lo
				if last := width - 1 - first; last >= 0 {
					hi = max(lo, min(n, last/step+1))
				}
				for t := range g.axes[0].size {
					for h := range g.axes[1].size {
						st, sh := t*s.Stride[0]+ft-s.Pad[0], h*s.Stride[1]+fh-s.Pad[1]
						if st < 0 || st >= s.Size[0] || sh < 0 || sh >= s.Size[1] {
							f(row, 0, 0, n, n)
						} else {
							f(row, (st*s.Size[1]+sh)*width, first+lo*step, lo, hi)
						}
						row += n
					}
				}
			}
		}
	}
}

// run is the positions of a tile of frame t: the first in the frame, how many, and where the first result belongs in its map.
func (g *grid) run(tile, t int) (first, count, at int) {
	s := &g.s
	pitch, width := g.axes[2].size, s.Result[2]
	first = tile * g.tile
	count = min(g.tile, (s.Result[1]-1)*pitch+width-first)
	h, x := first/pitch, first%pitch
	return first, count, (t*s.Result[1]+h)*width + min(x, width)
}

// dropHalo copies the elements of rows of width elements, pitch apart, to where they lie together, which may be the beginning of z,
// and returns them. The first lies x elements after the beginning of a row.
func dropHalo[T any](dst, z []T, x, pitch, width int) []T {
	kept := 0
	for i := 0; i < len(z); {
		n := max(0, min(width-x, len(z)-i))
		copy(dst[kept:], z[i:i+n])
		kept += n
		i += pitch - x
		x = 0
	}
	return dst[:kept]
}
