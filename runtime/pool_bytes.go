package runtime

import "encoding/binary"

// poolBytes takes the largest or smallest byte of every window. Bytes are turned by an exclusive or so that the largest unsigned
// one is what is looked for, and back: signed ones by their sign, and all bits where it is the smallest. Rows under a row of
// results are taken together first, eight bytes at a time.
func (p *prep) poolBytes(w *window, kind poolKind, y, x *operand, work int) step {
	turn := byte(0)
	if x.elem == I8 {
		turn = 0x80
	}
	if kind == poolMin {
		turn ^= 0xff
	}
	in, out, _ := w.sizes()
	width := w.in[2]
	slot := roundUp(width, align)
	maps := x.shape[0] * x.shape[1]
	s := stageOf(mulSat(maps, work), func(m *memory, part, parts int) {
		row := m.scratch[part*slot:][:width]
		lo, hi := share(maps, part, parts)
		for i := lo; i < hi; i++ {
			src, dst := x.bytes(m)[i*in:][:in], y.bytes(m)[i*out:][:out]
			for r := range w.out[0] * w.out[1] {
				clear(row)
				w.taps(r, func(at int) { largestBytes(row, src[at:][:width], turn) })
				w.pick(dst[r*w.out[2]:][:w.out[2]], row, turn)
			}
		}
	})
	s.scratch = func(parts int) int { return mulSat(parts, slot) }
	return s
}

// pick writes the largest byte of a row under every result, turned back.
func (w *window) pick(dst, row []byte, turn byte) {
	clear(dst)
	step := w.stride[2]
	for kw := range w.kernel[2] {
		shift := kw*w.dil[2] - w.pad[2]
		if shift >= len(row) {
			break
		}
		lo := (max(0, -shift) + step - 1) / step // results for which the tap is inside
		hi := min(len(dst), (len(row)-1-shift)/step+1)
		if lo >= hi {
			continue
		}
		some, from := dst[lo:hi], row[lo*step+shift:]
		for j := range some {
			some[j] = larger(some[j], from[j*step])
		}
	}
	for i := range dst {
		dst[i] ^= turn
	}
}

// largestBytes sets dst to the larger of it and src xor turn.
func largestBytes(dst, src []byte, turn byte) {
	const high = 0x80 * (1<<64 - 1) / 0xff
	turns := uint64(turn) * ((1<<64 - 1) / 0xff)
	for ; len(dst) >= 8 && len(src) >= 8; dst, src = dst[8:], src[8:] {
		a, b := binary.LittleEndian.Uint64(dst), binary.LittleEndian.Uint64(src)^turns
		least := (a | high) - b&^high // bit 7: the lower seven bits of a are at least those of b
		least = (a&^b | ^(a^b)&least) & high
		mask := least >> 7 * 0xff
		binary.LittleEndian.PutUint64(dst, a&mask|b&^mask)
	}
	for i, v := range src[:len(dst)] {
		dst[i] = larger(dst[i], v^turn)
	}
}

// larger is the larger byte, without a jump, which would be taken at random.
func larger(a, b byte) byte {
	d := int32(a) - int32(b)
	return a - byte(d&(d>>31))
}
