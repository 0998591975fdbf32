package ir

import "math"

// GridScale finds s such that every element from to to-1 of a float tensor is the
// float32 product of s and an integer of at most 8 bits, which q takes, if it is not
// nil. The smallest magnitude is tried as 1 to 127 times s.
func (t *Tensor) GridScale(from, to int, q []int8) (float32, bool) {
	least := float32(0)
	for _, run := range t.FloatRuns(from, to) {
		for _, x := range run {
			if x-x != 0 {
				return 0, false
			}
			if a := float32(math.Abs(float64(x))); a != 0 && (least == 0 || a < least) {
				least = a
			}
		}
	}
	if least == 0 {
		clear(q)
		return 1, true
	}
	for k := 1; k <= 127; k++ {
		mid := math.Float32bits(least / float32(k))
		for ulp := range uint32(5) { // the quotient is rounded: the scale may be a neighbour
			if s := math.Float32frombits(mid + ulp - 2); t.OnGrid(from, to, s, q) {
				return s, true
			}
		}
	}
	return 0, false
}

// OnGrid reports whether every element from to to-1 of a float tensor is the float32
// product of s and an integer of at most 8 bits, which q takes, if it is not nil.
func (t *Tensor) OnGrid(from, to int, s float32, q []int8) bool {
	for at, run := range t.FloatRuns(from, to) {
		for i, x := range run {
			k := math.Round(float64(x) / float64(s))
			if k > math.MaxInt8 || k < math.MinInt8 || float32(k)*s != x {
				return false
			}
			if q != nil {
				q[at-from+i] = int8(k)
			}
		}
	}
	return true
}
