package kernels

import (
	"math"
	"testing"
)

// FuzzPlans builds plans from arbitrary numbers: they must fail with an error or run within their buffers.
func FuzzPlans(f *testing.F) {
	f.Add([]byte{1, 2, 3})
	f.Add([]byte("a convolution of eight channels, three by three by three"))
	for i := range 64 {
		r := rng(uint64(i))
		b := make([]byte, 60)
		for j := range b {
			b[j] = byte(r.IntN(256))
			if r.IntN(3) > 0 {
				b[j] %= 8
			}
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		i := 0
		next := func() int {
			if i >= len(data) {
				return 1
			}
			i++
			switch b := data[i-1]; {
			case b < 240:
				return int(b) % 11
			case b < 248:
				return 1 << (b % 32)
			default:
				return []int{-1, math.MaxInt, math.MinInt, 1 << 20, 1<<20 + 1, 65, math.MaxInt32, -1 << 20}[b%8]
			}
		}
		geom := func() Geom {
			return Geom{next(), next(), next(), next(), next(), next(), next(), next(), next(), next()}
		}
		triple := func() [3]int { return [3]int{next(), next(), next()} }
		in, out := geom(), geom()
		c := Conv{next(), next(), triple(), triple(), triple(), triple()}
		if next()%2 == 0 {
			out.C = c.OutC
		}
		w := Weights{Sign: make([]byte, 1<<12)}
		if next()%3 == 0 {
			w.Nonzero = make([]byte, 1<<12)
		}
		n := min(max(c.OutC, 0), 1<<12)
		th := &Threshold{T: make([]int32, n)}
		lo := make([]int32, n)
		elem, acc := Elem(next()), Elem(next())
		s := Select(Best())
		try := func(p staged, err error, ie, oe Elem) {
			if err != nil {
				return
			}
			const limit = 1 << 20
			if in.Bytes(ie) > limit || out.Bytes(oe) > limit || p.Scratch(2) > 4*limit {
				return
			}
			src, _ := aligned(in.Bytes(ie))
			clear(src)
			run(t, p, out, oe, src, 2)
		}
		{
			p, err := NewBitConv(s, in, out, c, next()%2 == 0, w, th, Bit)
			try(p, err, Bit, Bit)
		}
		{
			p, err := NewBitConv(s, in, out, c, next()%2 == 0, w, nil, acc)
			try(p, err, Bit, acc)
		}
		{
			p, err := NewIntConv(s, in, elem, out, c, w, acc, lo, lo, th, Bit)
			try(p, err, elem, Bit)
		}
		{
			p, err := NewPool(s, in, out, next()%2 == 0, c.Kernel, c.Stride, c.Pad, c.Dil)
			try(p, err, Bit, Bit)
		}
		{
			p, err := NewThreshold(s, in, elem, out, th)
			try(p, err, elem, Bit)
		}
		{
			p, err := NewRelayout(s, in, out, elem)
			try(p, err, elem, elem)
		}
	})
}
