package runtime

// signTest is how a bit follows from a number v: v > 0 if strict, v >= 0 if not, v < 0 if below; nan is that of NaN.
type signTest struct{ strict, below, nan bool }

func (t signTest) bit(v float32) bool {
	switch {
	case v != v:
		return t.nan
	case t.below:
		return v < 0
	}
	return v > 0 || v == 0 && !t.strict
}

// sign is the step that ends a list with bits; it computes nothing by itself.
func (r *stepReader) sign() func(m *memory, r *row, v []float32) {
	strict, nan := r.value(), r.value()
	if strict != 0 && strict != 1 || nan != 0 && nan != 1 {
		r.p.fail("values %v and %v of a sign, expected 0 or 1", strict, nan)
	}
	r.list.signs = []signTest{{strict: strict == 1, nan: nan == 1}}
	return nil
}

// ternary likewise ends a list with two bits, each in planes of its own.
func (r *stepReader) ternary() func(m *memory, r *row, v []float32) {
	if r.channels%8 != 0 {
		r.p.fail("%d channels of ternary signs, expected a multiple of 8", r.channels)
	}
	r.list.signs = []signTest{{strict: true}, {below: true}}
	return nil
}

// signsOf is a step of a list that ends with signs, over x: eight channels at a time, whose bits make a byte of a plane.
func (s *steps) signsOf(p *prep, x *operand, cost int) step {
	const tile = stepChunk / 8
	g, inner := s.y.geom, s.inner
	p.charge(mulSat(s.channels+8, 16*len(s.signs)))
	bounds, folded := s.bounds()
	cuts, planes := (inner+tile-1)/tile, (s.channels+7)/8
	bits := ranged(planes*cuts, mulSat(tile, 8, cost), func(m *memory, lo, hi int) {
		for u := lo; u < hi; u++ {
			plane, from := u/cuts, u%cuts*tile
			n, first := min(tile, inner-from), 8*plane
			channels := min(8, s.channels-first)
			src, stride := view[float32](x, m)[first*inner+from:], inner
			if !folded {
				s.eight(m, src, first, channels, from, n)
				src, stride = stepFloats(m), tile
			}
			bytes := stepBytes(m)[:n]
			for i, test := range s.signs {
				s.set.Signs(bytes, src, stride, channels, &bounds[i][plane], test.nan)
				g.PutBytes(s.y.bytes(m), i*planes+plane, from, bytes)
			}
		}
	})
	clearing := func(m *memory, part, parts int) {
		dst := s.y.bytes(m)
		lo, hi := share(len(dst), part, parts)
		clear(dst[lo:hi])
	}
	bits.stages = append([]func(*memory, int, int){clearing}, bits.stages...)
	return bits
}

// eight computes the steps of n elements of up to eight channels, from the given ones on, in rows of the temporary vector.
func (s *steps) eight(m *memory, src []float32, first, channels, from, n int) {
	r := &m.row
	for c := range channels {
		v := stepFloats(m)[c*(stepChunk/8):][:n]
		copy(v, src[c*s.inner:])
		*r = row{n: n, at: (first+c)*s.inner + from, stride: 1, channel: first + c}
		for _, f := range s.list {
			f(m, r, v)
		}
	}
}
