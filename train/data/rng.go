package data

import "math/bits"

// rng is the SplitMix64 generator: a counter passed through a mixing function. Seeding costs nothing, so every clip has
// its own, and streams with different keys are independent.
type rng uint64

const golden = 0x9e3779b97f4a7c15 // 2^64 / golden ratio, odd

// newRNG returns the stream of a list of keys. The order of the keys counts.
func newRNG(keys ...uint64) *rng {
	h := uint64(0)
	for _, k := range keys {
		h = mix(h+golden) ^ mix(k+golden)
	}
	r := rng(mix(h))
	return &r
}

func mix(z uint64) uint64 {
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

func (r *rng) next() uint64 {
	*r += golden
	return mix(uint64(*r))
}

// n returns a number in [0, n). n must be positive; the bias is below n / 2^64.
func (r *rng) n(n int64) int64 {
	hi, _ := bits.Mul64(r.next(), uint64(n))
	return int64(hi)
}

// in returns a number in [lo, hi], whichever way round they are given.
func (r *rng) in(lo, hi int64) int64 {
	lo, hi = min(lo, hi), max(lo, hi)
	return lo + r.n(hi-lo+1)
}

// percent is true p times in a hundred.
func (r *rng) percent(p int64) bool { return r.n(100) < p }

// perm fills p with a permutation of 0..len(p)-1.
func (r *rng) perm(p []int32) {
	for i := range p {
		j := r.n(int64(i) + 1)
		p[i] = p[j]
		p[j] = int32(i)
	}
}
