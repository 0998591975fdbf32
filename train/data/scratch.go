package data

// scratch is the working memory of one clip being drawn, used again for the next.
type scratch struct {
	tile   []uint8
	sum    []int32
	column []uint32
	noise  [4096]int16
}

func (s *scratch) columns(n int) []uint32 {
	if cap(s.column) < n {
		s.column = make([]uint32, n)
	}
	return s.column[:n]
}

// makeNoise fills the table of noise: the sum of four even numbers is nearly normal.
func (s *scratch) makeNoise(r *rng, amplitude int64) {
	for i := 0; i < len(s.noise); i += 2 {
		z := r.next()
		for k := range 2 {
			sum := int64(z&255) + int64(z>>8&255) + int64(z>>16&255) + int64(z>>24&255) - 510
			s.noise[i+k] = int16(sum * amplitude >> 8)
			z >>= 32
		}
	}
}

// addNoise adds noise to a frame: each row of each plane reads the table from a random place on.
func (s *scratch) addNoise(c *canvas, r *rng) {
	for k := range c.plane {
		for y := range c.h {
			row := c.plane[k][y*c.w:][:c.w]
			for len(row) > 0 {
				n := min(len(row), len(s.noise)/2)
				noise := s.noise[r.n(int64(len(s.noise)/2)):][:n]
				for x, v := range noise {
					row[x] = uint8(min(max(int(row[x])+int(v), 0), 255))
				}
				row = row[n:]
			}
		}
	}
}
