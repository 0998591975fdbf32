package train

import (
	"fmt"
	"math"

	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/train/vec"
)

// maxPool is the largest element under a window, whose gradient goes to the
// first tap that has it.
type maxPool struct {
	x, y  *value
	maps  int // of one unit
	win   window
	taken []int32 // input position of every output position
}

var _ = register(func(b *builder, n *ir.Node, in []*value) ([]*value, error) {
	op := &maxPool{x: in[0], y: b.result(0, in...), maps: in[0].shape[0] * in[0].shape[1]}
	if n.Is(ir.MaxPool) {
		op.win = newWindow(n, in[0].shape[2:], op.y.shape[2:], n.Ints("kernel"))
	} else { // global: one window over the whole map
		op.win = window{in: [3]int{1, 1, elems(in[0].shape[2:])}, out: [3]int{1, 1, 1}, stride: [3]int{1, 1, 1}, dil: [3]int{1, 1, 1}}
		op.win.kernel = op.win.in
	}
	if volume(op.win.in) > math.MaxInt32 {
		return nil, fmt.Errorf("a map has more than 2^31 elements")
	}
	op.y.kind = in[0].kind
	op.taken = make([]int32, len(op.y.data))
	b.emit(op, op.y)
	return []*value{op.y}, nil
}, ir.MaxPool, ir.GlobalMaxPool)

func (op *maxPool) forward(g *graph) error {
	in, out := volume(op.win.in), volume(op.win.out)
	g.each(g.count(op.y)*op.maps, func(_, m int) {
		poolMap(&op.win, op.y.data[m*out:(m+1)*out], op.x.data[m*in:(m+1)*in], op.taken[m*out:(m+1)*out])
	})
	return nil
}

// poolMap pools one map, the taps in row-major order.
func poolMap(w *window, y, x []float32, taken []int32) {
	for i := range y {
		y[i], taken[i] = float32(math.Inf(-1)), -1
	}
	// Along the last axis every element of a row may be in one window, of two.
	pairs := w.kernel[2] == 2 && w.stride[2] == 2 && w.dil[2] == 1 && w.pad[2] == 0 && w.in[2] == 2*w.out[2]
	each3(w.kernel, func(_ int, k [3]int) {
		if pairs && k[2] > 0 {
			return
		}
		var lo, hi, at [3]int
		for a := range k {
			lo[a], hi[a], at[a] = w.inside(a, k[a])
		}
		for t := lo[0]; t < hi[0]; t++ {
			for h := lo[1]; h < hi[1]; h++ {
				row := (t*w.out[1] + h) * w.out[2]
				from := ((t*w.stride[0]+at[0])*w.in[1] + h*w.stride[1] + at[1]) * w.in[2]
				if pairs {
					vec.PairMax(y[row:row+w.out[2]], taken[row:], x[from:], int32(from))
					continue
				}
				p := from + lo[2]*w.stride[2] + at[2]
				for o := row + lo[2]; o < row+hi[2]; o++ {
					if v := x[p]; v > y[o] || v != v {
						y[o], taken[o] = v, int32(p)
					}
					p += w.stride[2]
				}
			}
		}
	})
}

// inside returns the output positions of axis a at which tap k is inside the
// map, and the tap's input position at output position 0.
func (w *window) inside(a, k int) (lo, hi, at int) {
	at = k*w.dil[a] - w.pad[a]
	hi = w.out[a]
	for lo < hi && lo*w.stride[a]+at < 0 {
		lo++
	}
	for hi > lo && (hi-1)*w.stride[a]+at >= w.in[a] {
		hi--
	}
	return lo, hi, at
}

func (op *maxPool) backward(g *graph) {
	in, out := volume(op.win.in), volume(op.win.out)
	first := g.firstGrad(op.x)
	gx := g.gradOf(op.x)
	g.each(g.count(op.y)*op.maps, func(_, m int) {
		into := gx[m*in : (m+1)*in]
		if first {
			clear(into)
		}
		gy := op.y.grad[m*out : (m+1)*out]
		for o, p := range op.taken[m*out : (m+1)*out] {
			if p >= 0 {
				into[p] += gy[o]
			}
		}
	})
}

// averagePool is the mean under a window; the gradient goes to every tap in
// equal parts.
type averagePool struct {
	x, y  *value
	maps  int
	win   window
	count []float32 // what every output position is divided by
}

var _ = register(func(b *builder, n *ir.Node, in []*value) ([]*value, error) {
	spatial := in[0].shape[2:]
	op := &averagePool{x: in[0], y: b.result(0, in...), maps: in[0].shape[0] * in[0].shape[1]}
	op.win = newWindow(n, spatial, op.y.shape[2:], n.Ints("kernel"))
	w := &op.win
	after := [3]int{}
	if pad := n.Ints("pad"); len(pad) > 0 {
		copy(after[3-len(spatial):], pad[len(spatial):])
	}
	padded := n.Bool("count_include_pad")
	each3(w.out, func(_ int, p [3]int) {
		count := 1
		for a := range p {
			inside := 0
			for k := range w.kernel[a] {
				q := p[a]*w.stride[a] + k*w.dil[a] - w.pad[a]
				if q >= 0 && q < w.in[a] || padded && q < w.in[a]+after[a] {
					inside++
				}
			}
			count *= inside
		}
		op.count = append(op.count, float32(max(count, 1)))
	})
	b.emit(op, op.y)
	return []*value{op.y}, nil
}, ir.AveragePool)

// taps calls f for every pair of an output and an input position.
func (op *averagePool) taps(f func(o, p int)) {
	w := &op.win
	each3(w.kernel, func(_ int, k [3]int) {
		var lo, hi, at [3]int
		for a := range k {
			lo[a], hi[a], at[a] = w.inside(a, k[a])
		}
		for t := lo[0]; t < hi[0]; t++ {
			for h := lo[1]; h < hi[1]; h++ {
				p := ((t*w.stride[0]+at[0])*w.in[1]+h*w.stride[1]+at[1])*w.in[2] + at[2]
				for c := lo[2]; c < hi[2]; c++ {
					f((t*w.out[1]+h)*w.out[2]+c, p+c*w.stride[2])
				}
			}
		}
	})
}

func (op *averagePool) forward(g *graph) error {
	in, out := volume(op.win.in), volume(op.win.out)
	g.each(g.count(op.y)*op.maps, func(_, m int) {
		x, y := op.x.data[m*in:(m+1)*in], op.y.data[m*out:(m+1)*out]
		clear(y)
		op.taps(func(o, p int) { y[o] += x[p] })
		for i := range y {
			y[i] /= op.count[i]
		}
	})
	return nil
}

func (op *averagePool) backward(g *graph) {
	in, out := volume(op.win.in), volume(op.win.out)
	gx := g.gradOf(op.x)
	g.each(g.count(op.y)*op.maps, func(_, m int) {
		into, gy := gx[m*in:(m+1)*in], op.y.grad[m*out:(m+1)*out]
		op.taps(func(o, p int) { into[p] += gy[o] / op.count[o] })
	})
}
