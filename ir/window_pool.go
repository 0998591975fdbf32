package ir

// inside returns, for output position p of spatial axis a, the input position
// of the window's first tap that is not in the padding, and how many taps are.
func (w *window) inside(a, p int) (first, count int) {
	start := p*w.stride[a] - w.pad[a]
	skip := 0
	if start < 0 {
		skip = (-start + w.dil[a] - 1) / w.dil[a]
	}
	first = start + skip*w.dil[a]
	if skip >= w.kernel[a] || first >= w.in[a] {
		return 0, 0
	}
	return first, min(w.kernel[a]-skip, (w.in[a]-1-first)/w.dil[a]+1)
}

// pool calls f for every output position of every image and channel with the
// input offsets of the taps that are not in the padding, in row-major order. A
// position costs no more than the input has elements, however large the kernel.
func (w *window) pool(maps int, f func(at int, pos, taps []int)) {
	inSize, outSize := Type{Shape: w.in}.Elems(), Type{Shape: w.out}.Elems()
	if maps == 0 || outSize == 0 {
		return
	}
	var taps, next []int
	pos := make([]int, len(w.out))
	for p := range outSize {
		taps = append(taps[:0], 0)
		for a := range pos {
			first, count := w.inside(a, pos[a])
			next = next[:0]
			for _, off := range taps {
				for k := range count {
					next = append(next, off*w.in[a]+first+k*w.dil[a])
				}
			}
			taps, next = next, taps
		}
		for m := range maps {
			f(m*outSize+p, pos, taps)
			for i := range taps {
				taps[i] += inSize
			}
		}
		for a := len(pos) - 1; a >= 0; a-- {
			if pos[a]++; pos[a] < w.out[a] {
				break
			}
			pos[a] = 0
		}
	}
}
