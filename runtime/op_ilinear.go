package runtime

import (
	"github.com/billnet/billnet/runtime/billb"
	"github.com/billnet/billnet/runtime/kernels"
)

var _ = executes(billb.OpILinear, func(p *prep) step {
	x, y := p.dense(p.in(0)), p.dense(p.out(0))
	if x.elem.IsFloat() || x.rank() == 0 || y.rank() != x.rank() {
		p.fail("%s and %s, expected integers [...,K] and [...,O]", x, y)
	}
	k, n := x.shape[x.rank()-1], y.shape[y.rank()-1]
	want := append([]int{}, x.shape...)
	want[len(want)-1] = n
	p.shaped(y, want...)
	w := p.konstMatrix(0, n, k, U8, I8, U16, I16, U32, I32, U64, I64, Bool, Bit, SBit, Tern)
	th := p.thresholds(1, n)
	p.checkLinearOut(y, th != nil)
	if y.n == 0 {
		return step{}
	}
	mem := area{p: p}
	set := func(m *memory, i, o int, z int32) {
		if th == nil {
			view[int32](y, m)[i] = z
			return
		}
		y.bytes(m)[i] = clearByte(y.elem)
		if (z >= th.T[o]) != flipped(th, o) {
			y.bytes(m)[i] = 1
		}
	}
	var s step
	if (x.elem == Bool || x.elem.IsLogic()) && (w.Elem == SBit || w.Elem == Tern) {
		s = linearWords(&mem, x, p.matrixWords(w, n, k), set)
	} else if d, err := p.newLinearDot(x, w, n, k); err == nil {
		s = dotStep(d, x, 0, func(m *memory, b *kernels.DotBlock, i int) {
			for j, z := range b.Z[i] {
				set(m, b.At[i]+j*b.Step, b.Channel[i]+j, z)
			}
		})
	} else {
		s = linearInts(&mem, x, p.int32s(w), n, k, set)
	}
	s.work = mulSat(y.n, k)
	return s
})

func (p *prep) checkLinearOut(y *operand, bits bool) {
	switch {
	case bits && !y.elem.IsBit():
		p.fail("%s, expected bit or sbit: thresholds are given", y)
	case !bits && y.elem != I32:
		p.fail("%s, expected i32: no thresholds are given", y)
	}
}

// linearWords packs x into words, then counts bits.
func linearWords(mem *area, x *operand, w *matrixWords, set func(m *memory, i, o int, z int32)) step {
	rows := billb.Product(x.shape[:x.rank()-1]) // also where w.cols is 0
	at := mem.take(2*rows*w.words, 8)
	planes := func(m *memory, r int) (sign, nonzero []uint64) {
		v := as[uint64](m.scratch[at+16*r*w.words:][:16*w.words])
		return v[:w.words], v[w.words:]
	}
	return step{scratch: mem.scratch, stages: []func(*memory, int, int){
		func(m *memory, part, parts int) {
			lo, hi := share(rows, part, parts)
			for r := lo; r < hi; r++ {
				sign, nonzero := planes(m, r)
				packWords(sign, nonzero, x.bytes(m)[r*w.cols:(r+1)*w.cols])
			}
		},
		func(m *memory, part, parts int) {
			lo, hi := share(rows*w.rows, part, parts)
			for i := lo; i < hi; {
				r, o := i/w.rows, i%w.rows
				n := min(w.rows-o, hi-i, chunk)
				z := tmp[int32](m, 0)[:n]
				sign, nonzero := planes(m, r)
				w.product(z, o, sign, nonzero)
				for j, v := range z {
					set(m, i+j, o+j, v)
				}
				i += n
			}
		},
	}}
}

// linearInts converts x to int32, then multiplies.
func linearInts(mem *area, x *operand, w []int32, n, k int, set func(m *memory, i, o int, z int32)) step {
	at := mem.take(x.n, 4)
	rows := billb.Product(x.shape[:x.rank()-1])
	return step{scratch: mem.scratch, stages: []func(*memory, int, int){
		func(m *memory, part, parts int) {
			lo, hi := share(x.n, part, parts)
			dst := as[int32](m.scratch[at:][:4*x.n])
			var v [chunk]int64
			for ; lo < hi; lo += chunk {
				c := min(chunk, hi-lo)
				loadInts(v[:c], x, m, lo)
				narrow(dst[lo:], v[:c])
			}
		},
		func(m *memory, part, parts int) {
			src := as[int32](m.scratch[at:][:4*x.n])
			lo, hi := share(rows*n, part, parts)
			for i := lo; i < hi; i++ {
				row, weights := src[i/n*k:][:k], w[i%n*k:][:k]
				var z int32
				for j, v := range row {
					z += v * weights[j]
				}
				set(m, i, i%n, z)
			}
		},
	}}
}
