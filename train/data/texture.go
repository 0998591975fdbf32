package data

// texture is a background: a tile of brightnesses that repeats, painted in a ramp of colours and moved.
type texture struct {
	log          uint // side of the tile
	kind         int64
	kx, ky       int64 // stripes across the tile
	contrast     int64 // 1/256
	seed         uint64
	step         int64 // tile elements a pixel, 1/256
	dark, bright colour
}

func newTexture(r *rng, size Size, dark, bright colour) texture {
	t := texture{log: 5, dark: dark, bright: bright}
	for 1<<t.log < max(size.H, size.W) && t.log < 9 {
		t.log++
	}
	t.kind = r.n(4)
	t.kx, t.ky = r.in(-7, 7), r.in(1, 7)
	t.contrast = r.in(120, 420)
	t.step = r.in(128, 384)
	t.seed = r.next()
	return t
}

// make fills the tile: value noise of three octaves, for some textures with stripes or checks under it.
func (t *texture) make(s *scratch) {
	side := 1 << t.log
	if len(s.tile) != side*side {
		s.tile = make([]uint8, side*side)
		s.sum = make([]int32, side*side)
	}
	clear(s.sum)
	r := newRNG(t.seed)
	var lattice [16 * 16]int32
	weight := int32(4)
	for cells := 4; cells <= 16; cells *= 2 { // 4, 8, 16 cells a side, of weight 4, 2, 1
		for i := range cells * cells {
			lattice[i] = int32(r.next()>>56) - 128
		}
		addLattice(s.sum, t.log, lattice[:cells*cells], cells, weight)
		weight /= 2
	}
	for y := range side {
		sum, tile := s.sum[y*side:][:side], s.tile[y*side:][:side]
		for x := range tile {
			v := int64(sum[x]) * t.contrast >> 10 // the sum of the weights is 7: 7/4 of the mean
			switch t.kind {
			case 1: // stripes: a triangle wave, a whole number of periods across the tile
				phase := (t.kx*int64(x) + t.ky*int64(y)) << 8 >> t.log & 255
				v = v/2 + max(phase, 255-phase) - 192
			case 2: // checks
				if (x>>(t.log-3)^y>>(t.log-3))&1 == 0 {
					v = v/2 + 48
				} else {
					v = v/2 - 48
				}
			}
			tile[x] = uint8(min(max(v+128, 0), 255))
		}
	}
}

// addLattice adds weight times a lattice of cells x cells values, interpolated between them and repeating, to the
// 2^log x 2^log sums.
func addLattice(sum []int32, log uint, lattice []int32, cells int, weight int32) {
	side := 1 << log
	cell := side / cells
	for y := range side {
		row, fy := y/cell, int32(y%cell)
		a, b := lattice[row*cells:][:cells], lattice[(row+1)%cells*cells:][:cells]
		at := func(k int) int32 { return (a[k]*(int32(cell)-fy) + b[k]*fy) * weight }
		out := sum[y*side:][:side]
		left := at(0)
		for k := range cells {
			right := at((k + 1) % cells)
			// left + (right-left) x/cell, all over cell: a power of two.
			v, step := left*int32(cell), right-left
			for x := range cell {
				out[k*cell+x] += v / int32(cell*cell)
				v += step
			}
			left = right
		}
	}
}

// draw paints the background at an offset in 1/256 pixel, with the brightness of the light in 1/4096.
func (t *texture) draw(c *canvas, s *scratch, offset vec, lit int64) {
	dark, bright := t.dark.scaled(lit), t.bright.scaled(lit)
	var ramp [3][256]uint8
	for k := range ramp {
		for v := range ramp[k] {
			ramp[k][v] = uint8(dark[k] + (bright[k]-dark[k])*int64(v)/255)
		}
	}
	mask := int64(1)<<t.log - 1
	column := s.columns(c.w)
	for x := range column {
		column[x] = uint32((int64(x)*pixel - offset.x) * t.step >> 16 & mask)
	}
	for y := range c.h {
		row := s.tile[((int64(y)*pixel-offset.y)*t.step>>16&mask)<<t.log:][:mask+1]
		p0, p1, p2 := c.plane[0][y*c.w:][:c.w], c.plane[1][y*c.w:][:c.w], c.plane[2][y*c.w:][:c.w]
		for x, k := range column {
			v := row[k]
			p0[x], p1[x], p2[x] = ramp[0][v], ramp[1][v], ramp[2][v]
		}
	}
}
