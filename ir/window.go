package ir

import "fmt"

// window is the geometry of a convolution or pooling over spatial axes.
type window struct {
	in, out                  []int // sizes of the spatial axes
	kernel, stride, dil, pad []int // pad: before
}

// positions is the number of steps of a stride from 0 up to span, which may be
// negative; with ceil a last step may end behind it.
func positions(span, stride int, ceil bool) int {
	switch {
	case span < 0 && ceil && -span < stride:
		return 1
	case span < 0:
		return 0
	case ceil && span%stride != 0:
		return span/stride + 2
	}
	return span/stride + 1
}

// newWindow reads the attributes stride, pad (all before, then all after) and
// dilation of a node whose kernel and input sizes are given. With ceil the
// output size rounds up, so that the last window may reach beyond the padding,
// and windows that start in the padding after are left out.
func newWindow(n *Node, in, kernel []int, ceil bool) (*window, error) {
	k := len(in)
	w := &window{in: in, kernel: kernel, stride: n.Ints("stride"), dil: n.Ints("dilation"), pad: n.Ints("pad")}
	def := func(v []int, want, fill int, name string) ([]int, error) {
		if len(v) == 0 {
			v = make([]int, want)
			for i := range v {
				v[i] = fill
			}
		}
		if len(v) != want {
			return nil, fmt.Errorf("%s has %d entries, expected %d for %d spatial axes", name, len(v), want, k)
		}
		return v, nil
	}
	var err error
	if len(kernel) != k {
		return nil, fmt.Errorf("the kernel has %d axes, the input has %d spatial axes", len(kernel), k)
	}
	if w.stride, err = def(w.stride, k, 1, "stride"); err != nil {
		return nil, err
	}
	if w.dil, err = def(w.dil, k, 1, "dilation"); err != nil {
		return nil, err
	}
	if w.pad, err = def(w.pad, 2*k, 0, "pad"); err != nil {
		return nil, err
	}
	w.out = make([]int, k)
	for i := range k {
		if kernel[i] < 1 || w.stride[i] < 1 || w.dil[i] < 1 || w.pad[i] < 0 || w.pad[k+i] < 0 {
			return nil, fmt.Errorf("axis %d: kernel %d, stride %d, dilation %d, pad %d and %d: sizes must be positive", i, kernel[i], w.stride[i], w.dil[i], w.pad[i], w.pad[k+i])
		}
		if kernel[i] >= MaxElems || w.dil[i] >= MaxElems || w.pad[i] >= MaxElems || w.pad[k+i] >= MaxElems {
			return nil, fmt.Errorf("axis %d: kernel, dilation and pad must be below 2^31", i)
		}
		cover, padded := w.dil[i]*(kernel[i]-1)+1, in[i]+w.pad[i]+w.pad[k+i]
		if w.out[i] = positions(padded-cover, w.stride[i], ceil); w.out[i] < 1 {
			return nil, fmt.Errorf("axis %d: the window covers %d, the padded input has only %d", i, cover, padded)
		}
		if ceil {
			w.out[i] = min(w.out[i], positions(in[i]+w.pad[i]-1, w.stride[i], false))
		}
	}
	w.pad = w.pad[:k]
	return w, nil
}

var windowAttrs = []Attr{
	{Name: "stride", Kind: KInts, Default: []int{}, Doc: "step of the window along every spatial axis; empty: 1"},
	{Name: "pad", Kind: KInts, Default: []int{}, Doc: "padding before every spatial axis, then after every one; empty: 0"},
	{Name: "dilation", Kind: KInts, Default: []int{}, Doc: "distance of the taps along every spatial axis; empty: 1"},
}

// read is what an element reads of spatial axis a, axis 2+a of result and
// operand.
func (w *window) read(a int) Read {
	if w.kernel[a] == 1 && w.pad[a] == 0 {
		return stepping(2+a, 0, w.stride[a])
	}
	return Read{Kind: ReadWindow, Of: 2 + a, Window: AxisWindow{Kernel: w.kernel[a], Stride: w.stride[a], Dilation: w.dil[a], Pad: w.pad[a], Share: 1}}
}
