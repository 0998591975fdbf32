package kernels

// levelsBlock is the number of elements that the vector kernel works on at a time.
const levelsBlock = 16

// Levels counts thresholds: dst[i] = base + the number of k < count with z[i]^flip[j] > t[k*stride+j], where j is i with step 1,
// and 0 with step 0. count is at most 255.
func (s *Set) Levels(dst []byte, z, t, flip []int32, stride, count, step int, base byte) {
	n := len(dst) &^ (levelsBlock - 1)
	z = z[:len(dst)]
	s.levels(dst[:n], z[:n], t, flip, stride, count, step, base)
	levelsGeneric(dst[n:], z[n:], t[n*step:], flip[n*step:], stride, count, step, base)
}

func levelsGeneric(dst []byte, z, t, flip []int32, stride, count, step int, base byte) {
	for i, v := range z {
		j, n := i*step, base
		v ^= flip[j]
		for k := range count {
			if v > t[k*stride+j] {
				n++
			}
		}
		dst[i] = n
	}
}
