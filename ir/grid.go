package ir

import "math"

// GridScale finds s such that every weight is the float32 product of s and an
// integer of at most 8 bits. The smallest magnitude is tried as 1 to 127 times s.
func GridScale(w []float32) (float32, bool) {
	least := float32(0)
	for _, x := range w {
		if x-x != 0 {
			return 0, false
		}
		if a := float32(math.Abs(float64(x))); a != 0 && (least == 0 || a < least) {
			least = a
		}
	}
	if least == 0 {
		return 1, true
	}
	for k := 1; k <= 127; k++ {
		mid := math.Float32bits(least / float32(k))
		for ulp := range uint32(5) { // the quotient is rounded: the scale may be a neighbour
			if s := math.Float32frombits(mid + ulp - 2); OnGrid(w, s) {
				return s, true
			}
		}
	}
	return 0, false
}

// OnGrid reports whether every weight is the float32 product of s and an integer of
// at most 8 bits.
func OnGrid(w []float32, s float32) bool {
	for _, x := range w {
		q := math.Round(float64(x) / float64(s))
		if q > math.MaxInt8 || q < math.MinInt8 || float32(q)*s != x {
			return false
		}
	}
	return true
}
