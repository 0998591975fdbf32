package kernels

import (
	"math/bits"
	"time"
)

// Limit is the highest rate of one kind of work that kernels reach on this machine with one thread.
type Limit struct {
	Work string  // bits, sums, bytes and floats: products of convolutions by kind; 16K ... 64M: loads from as many bytes
	Rate float64 // 1e9 multiply-accumulates or bytes a second
}

// Limits measures what the kernels of a set reach in the inner loop of each kind of convolution, on data in the first cache, and when
// they read memory of different sizes; each for a duration. The best of many turns counts, so that other programs disturb little.
func (s *Set) Limits(each time.Duration) []Limit {
	const n, terms = 2 * block, 32
	src, dst := make([]byte, 4*n+terms*block), make([]byte, n)
	mask, offs := make([]byte, n), make([]int32, terms)
	for i := range offs {
		offs[i] = int32(i * block)
	}
	bitWeights := s.packBit[0](make([]byte, 16*terms))
	byteWeights := s.packDot(make([]int8, 16*terms))
	var list []int32 // of 8 outputs, half added and half subtracted
	for range 8 {
		list = append(list, terms)
		for i, off := range offs {
			list = append(list, off/2, int32(-2*i/terms))
		}
	}
	var zeros [8]int32
	var floats, sums = make([]float32, n+terms*block/4), make([]int32, 4*n)
	floatSums, weights := make([]float32, 4*n), make([]float32, 4*terms)
	limits := []Limit{
		{"bits", fastest(each, 8*8*terms*n, func() { s.bitLE[0](dst, src, mask, offs, bitWeights, new([8]uint8), 0) })},
		{"sums", fastest(each, 8*4*terms*n, func() { s.accLE[0][1](dst, src, mask, list, &zeros, &zeros, 0) })},
		{"bytes", fastest(each, 4*4*terms*n, func() { s.dot(sums, src, offs, byteWeights, new([4]int32)) })},
		{"floats", fastest(each, 4*terms*n, func() { s.planeConv[1](floatSums, n, floats, n, offs, weights, new([4]float32)) })},
	}
	data := make([]float32, 64<<20/4)
	for i := range data { // untouched memory is one page of zeros
		data[i] = float32(i)
	}
	for _, l := range loads {
		part := data[:l.bytes/4]
		limits = append(limits, Limit{l.work, fastest(each, l.bytes, func() { s.largest(part) })})
	}
	return limits
}

// loads is the sizes of memory that is read: first, second and third cache, and beyond.
var loads = [...]struct {
	work  string
	bytes int
}{{"16K", 16 << 10}, {"256K", 256 << 10}, {"4M", 4 << 20}, {"64M", 64 << 20}}

// fastest is the highest rate, in 1e9 a second, at which f does its work.
func fastest(each time.Duration, work int, f func()) float64 {
	f()
	const turn = 50 * time.Microsecond
	best, calls := 0.0, 1
	for begin := time.Now(); best == 0 || time.Since(begin) < each; {
		start := time.Now()
		for range calls {
			f()
		}
		took := time.Since(start)
		if took < turn && bits.Len(uint(calls)) < 30 {
			calls *= 2
			continue
		}
		best = max(best, float64(work)*float64(calls)/float64(took))
	}
	return best
}
