package kernels

import (
	"math"
	"testing"
)

func TestLevels(t *testing.T) { eachISA(t, checkLevels) }

func checkLevels(t *testing.T, set *Set) {
	for i := range cases(200) {
		r := rng(uint64(i))
		n, count, step := r.IntN(70), pick(r, 0, 1, 3, 15, 255), r.IntN(2)
		stride := 1 + step*n + r.IntN(3)
		number := func() int32 {
			return pick(r, int32(r.IntN(9)-4), math.MinInt32, math.MaxInt32, int32(r.Uint32()))
		}
		ints := func(n int) []int32 {
			v := make([]int32, n)
			for j := range v {
				v[j] = number()
			}
			return v
		}
		z, limits, flip, base := ints(n), ints(max(1, count)*stride), make([]int32, stride), byte(r.IntN(256))
		for j := range flip {
			flip[j] = -int32(r.IntN(2))
		}
		got := make([]byte, n)
		set.Levels(got, z, limits, flip, stride, count, step, base)
		for j, v := range z {
			want := base
			for k := range count {
				if v^flip[j*step] > limits[k*stride+j*step] {
					want++
				}
			}
			if got[j] != want {
				t.Fatalf("case %d: %d elements, %d thresholds, step %d: element %d is %d, want %d", i, n, count, step, j, got[j], want)
			}
		}
	}
}
