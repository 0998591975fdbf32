package runtime

import "github.com/billnet/billnet/runtime/billb"

// window is the geometry of a convolution or pooling over [N,C,spatial...] with
// one to three spatial axes, which are brought to three (t, h, w) with sizes 1.
type window struct {
	in, out, kernel, stride, pad, after, dil [3]int
}

// newWindow checks the parameters of a window and the sizes of the result.
func (p *prep) newWindow(x, y *operand, kernel []int, v *billb.Window) *window {
	k := x.rank() - 2
	if k < 1 || k > 3 || y.rank() != x.rank() || len(kernel) != k || len(v.Stride) != k {
		p.fail("%s, %s and a kernel with %d axes, expected [N,C,...] with one to three more axes", x, y, len(kernel))
	}
	w := &window{in: [3]int{1, 1, 1}, out: [3]int{1, 1, 1}, kernel: [3]int{1, 1, 1}, stride: [3]int{1, 1, 1}, dil: [3]int{1, 1, 1}}
	for i := range k {
		a := 3 - k + i
		w.in[a], w.out[a], w.kernel[a] = x.shape[2+i], y.shape[2+i], kernel[i]
		w.stride[a], w.pad[a], w.after[a], w.dil[a] = v.Stride[i], v.PadBefore[i], v.PadAfter[i], v.Dilation[i]
		const longest = 1 << 24 // keeps sums of sizes and padding inside 32 bits
		if w.kernel[a] < 1 || w.stride[a] < 1 || w.dil[a] < 1 || w.pad[a] < 0 || w.after[a] < 0 {
			p.fail("axis %d: kernel %d, stride %d, dilation %d, pad %d and %d", i, w.kernel[a], w.stride[a], w.dil[a], w.pad[a], w.after[a])
		}
		if pad := max(w.pad[a], w.after[a]); pad > longest {
			p.check(billb.Errorf(ErrLimit, "axis %d: a padding of %d elements, expected at most %d", i, pad, longest))
		}
		span := int64(w.in[a]) + int64(w.pad[a]) + int64(w.after[a]) - int64(w.dil[a])*int64(w.kernel[a]-1) - 1
		// A pooling that rounds up may have a window that reaches beyond the padding, and
		// leaves those out that start in the padding after.
		s := int64(w.stride[a])
		most, least := (span+s-1)/s+1, (int64(w.in[a])+int64(w.pad[a])-1)/s+1
		if span <= -s || int64(w.out[a]) > most || int64(w.out[a]) < min(span/s+1, least) || w.out[a] < 1 {
			p.fail("axis %d: %d positions of a window of %d by %d in %d elements padded by %d and %d", i, w.out[a], w.kernel[a], w.dil[a], w.in[a], w.pad[a], w.after[a])
		}
	}
	return w
}

// inside returns, for position p of axis a, the first tap that is not in the
// padding before, and the end of those that are not in the padding after.
//
//go:noinline
func (w *window) inside(a, p int) (lo, hi int) {
	start := p*w.stride[a] - w.pad[a]
	if start < 0 {
		lo = min((-start+w.dil[a]-1)/w.dil[a], w.kernel[a])
	}
	if last := w.in[a] - 1 - start; last >= 0 {
		hi = min(last/w.dil[a]+1, w.kernel[a])
	}
	return lo, max(lo, hi)
}

// sizes are the numbers of elements of an input map, an output map and the
// kernel.
func (w *window) sizes() (in, out, taps int) {
	return billb.Product(w.in[:]), billb.Product(w.out[:]), mulSat(w.kernel[:]...)
}

// onePlace is the window of a matrix product: one element and one tap.
var onePlace = &window{in: one3, out: one3, kernel: one3, stride: one3, dil: one3}

var one3 = [3]int{1, 1, 1}

// taps calls f with where the rows under row r of the results begin.
func (w *window) taps(r int, f func(at int)) {
	ot, oh := r/w.out[1], r%w.out[1]
	t0, t1 := w.inside(0, ot)
	h0, h1 := w.inside(1, oh)
	for kt := t0; kt < t1; kt++ {
		t := ot*w.stride[0] + kt*w.dil[0] - w.pad[0]
		for kh := h0; kh < h1; kh++ {
			f((t*w.in[1] + oh*w.stride[1] + kh*w.dil[1] - w.pad[1]) * w.in[2])
		}
	}
}
