package kernels

// DepthConv is a plan of a convolution of float32 over dense maps in which every channel has weights of its own:
//
//	y[n,c,p] = bias[c] + sum over k of w[c,k] * x[n,c,p*stride+k*dil-pad]
//
// summed over k, starting at 0, every product and sum rounded, the bias added last; what lies outside a map is 0.
type DepthConv struct {
	*depth
	w []float32 // [blocks][taps][8]
}

// NewDepthConv plans a convolution with weights w [channels,kernel...], one group a channel.
func NewDepthConv(set *Set, s DotShape, w []float32) (*DepthConv, error) {
	plan, err := newDepth(set, s)
	if err != nil {
		return nil, err
	}
	d, taps := &DepthConv{depth: plan}, len(plan.offs)
	if len(w) != s.Out*taps {
		return nil, errorf("kernels: %d weights for %+v", len(w), s)
	}
	d.w = make([]float32, roundUp(s.Out, depthLanes)*taps)
	for i, v := range w {
		c, k := i/taps, i%taps
		d.w[(c/depthLanes*taps+k)*depthLanes+c%depthLanes] = v
	}
	return d, nil
}

// Run computes unit u. bias may be nil.
func (d *DepthConv) Run(u, part int, dst, src, bias []float32, scratch []byte) {
	mine, step := d.mine(part, scratch), d.s.Stride[2]*depthLanes
	b := d.room(mine)
	d.run(u, dst, src, mine, 0, func(block int, results, under []float32, _ int) {
		clear(b[:])
		if bias != nil {
			copy(b[:], bias[block*depthLanes:])
		}
		d.set.depth(results, under, step, d.offs, d.w[block*len(d.offs)*depthLanes:][:len(d.offs)*depthLanes], b)
	})
}

func depthGeneric(dst, src []float32, step int, offs []int32, w []float32, bias *[8]float32) {
	for i := 0; i < len(dst); i += depthLanes {
		var sums [depthLanes]float32
		for j, off := range offs {
			x, v := src[off/4:][:depthLanes], w[j*depthLanes:][:depthLanes]
			for c := range sums {
				sums[c] += float32(v[c] * x[c])
			}
		}
		for c, v := range sums {
			dst[i+c] = v + bias[c]
		}
		if i+depthLanes < len(dst) {
			src = src[step:]
		}
	}
}
