package ir

import (
	"fmt"
	"runtime"
	"sync"
)

// convInfer checks the shapes of a convolution x [N,C,spatial...], w
// [O,C/groups,kernel...], bias [O] and returns the result's type.
func convInfer(n *Node, result DType) ([]Type, error) {
	x, w, g := n.In(0), n.In(1), n.Int("groups")
	if x.Rank() < 3 || w.Rank() != x.Rank() {
		return nil, fmt.Errorf("x is %s and w is %s, expected [N,C,spatial...] and [O,C/groups,kernel...]", x, w)
	}
	c, o := x.Shape[1], w.Shape[0]
	if g < 1 || c%g != 0 || o%g != 0 {
		return nil, fmt.Errorf("groups %d must divide %d input and %d output channels", g, c, o)
	}
	if c == 0 {
		return nil, fmt.Errorf("x is %s: no input channels", x)
	}
	if w.Shape[1] != c/g {
		return nil, fmt.Errorf("w is %s: %d input channels in %d groups need %d weights on axis 1", w, c, g, c/g)
	}
	if b := n.Arg(2); b != nil && (b.Type.DType != result || !SameShape(b.Type.Shape, []int{o})) {
		return nil, fmt.Errorf("bias is %s, expected %s[%d]", b.Type, result, o)
	}
	win, err := convWindow(n)
	if err != nil {
		return nil, err
	}
	return []Type{T(result, append([]int{x.Shape[0], o}, win.out...)...)}, nil
}

func convWindow(n *Node) (*window, error) {
	return newWindow(n, n.In(0).Shape[2:], n.In(1).Shape[2:], false)
}

// convWork counts the multiply-accumulates of a convolution.
func convWork(n *Node) int {
	w := n.In(1)
	return n.Results[0].Type.Elems() * (w.Elems() / max(w.Shape[0], 1))
}

type number interface{ float32 | float64 | int64 }

// convolve adds a convolution to out: channels, then taps, in row-major order.
func convolve[E number](n *Node, win *window, out, x, w []E) {
	xt, wt := n.In(0), n.In(1)
	c, o, groups := xt.Shape[1], wt.Shape[0], n.Int("groups")
	inSize, outSize := Type{Shape: win.in}.Elems(), Type{Shape: win.out}.Elems()
	taps := Type{Shape: win.kernel}.Elems()
	perGroup := c / groups
	parallel(xt.Shape[0]*o, func(job int) {
		b, oc := job/o, job%o
		dst := out[job*outSize : (job+1)*outSize]
		first := b*c + oc/(o/groups)*perGroup
		for i := range perGroup {
			src := x[(first+i)*inSize : (first+i+1)*inSize]
			for k := range taps {
				addTap(win, dst, src, k, w[(oc*perGroup+i)*taps+k])
			}
		}
	})
}

// addTap adds weight times the input under tap k to every output position of
// one channel; positions under which the tap lies in the padding get nothing.
func addTap[E number](win *window, dst, src []E, k int, weight E) {
	last := len(win.kernel) - 1
	tap := make([]int, len(win.kernel))
	for a := last; a >= 0; a-- {
		tap[a] = k % win.kernel[a]
		k /= win.kernel[a]
	}
	stride, shift := win.stride[last], tap[last]*win.dil[last]-win.pad[last]
	lo, hi := 0, win.out[last]
	for lo < hi && lo*stride+shift < 0 {
		lo++
	}
	for hi > lo && (hi-1)*stride+shift >= win.in[last] {
		hi--
	}
	rows := 1
	for _, d := range win.out[:last] {
		rows *= d
	}
	for r := range rows {
		off, scale, q, inside := 0, 1, r, true
		for a := last - 1; a >= 0; a-- {
			p := q%win.out[a]*win.stride[a] + tap[a]*win.dil[a] - win.pad[a]
			q /= win.out[a]
			inside = inside && p >= 0 && p < win.in[a]
			off += p * scale
			scale *= win.in[a]
		}
		if !inside {
			continue
		}
		row := dst[r*win.out[last] : (r+1)*win.out[last]]
		base := off*win.in[last] + shift
		for j := lo; j < hi; j++ {
			row[j] += E(weight * src[base+j*stride]) // the conversion forbids a fused multiply-add
		}
	}
}

// addChannels adds bias[c] to every element of channel c (axis 1).
func addChannels(t, bias *Tensor) {
	inner, c := Type{Shape: t.Type.Shape[2:]}.Elems(), t.Type.Shape[1]
	for i := range t.Len() {
		k := i / inner % c
		switch {
		case t.HoldsFloats():
			t.Floats()[i] += bias.Float32(k)
		case t.HoldsDoubles():
			t.Doubles()[i] += bias.Float(k)
		default:
			t.Ints()[i] += bias.Int(k)
		}
	}
}

// parallel calls f(0) ... f(n-1) on as many goroutines as there are CPUs.
func parallel(n int, f func(i int)) {
	workers := min(runtime.GOMAXPROCS(0), n)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := w; i < n; i += workers {
				f(i)
			}
		})
	}
	wg.Wait()
}

// convReads is what an element of a convolution c of x and w reads of operand 0,
// x, of operand 1, w, and of further ones, which are lists along its channels.
func convReads(n, c *Node, operand int) []Read {
	x, w := c.In(0).Shape, c.In(1).Shape
	win, err := convWindow(c)
	switch {
	case err != nil:
		return make([]Read, n.In(operand).Rank())
	case operand == 1:
		r := make([]Read, len(w))
		r[0] = same(1)
		return r
	case operand > 1:
		return listRead(n.In(operand), 1)
	}
	r := make([]Read, len(x))
	r[0] = same(0)
	if g := c.Int("groups"); g > 1 {
		in, out := x[1]/g, w[0]/g
		r[1] = Read{Kind: ReadWindow, Of: 1, Window: AxisWindow{Kernel: in, Stride: in, Dilation: 1, Share: out}}
		if in == 1 {
			r[1] = sharing(1, out)
		}
	}
	for a := range win.kernel {
		r[2+a] = win.read(a)
	}
	return r
}
