package runtime

import (
	"math"
	"testing"

	"github.com/billnet/billnet/runtime/billb"
)

// naiveLSTM is ONNX's equation for one direction and sequence in float64; the
// results must agree to float32's accuracy.
func naiveLSTM(x [][]float64, w, r, b, p []float64, h, c []float64, inputs int, coupled bool, clip float64) (ys [][]float64) {
	n := len(h)
	limit := func(v float64) float64 {
		if clip > 0 {
			return max(-clip, min(clip, v))
		}
		return v
	}
	for _, xt := range x {
		prev := append([]float64{}, h...)
		pre := func(g, j int, s float64) float64 {
			z := 0.0
			for i, v := range xt {
				z += w[(g*n+j)*inputs+i] * v
			}
			for i, v := range prev {
				z += r[(g*n+j)*n+i] * v
			}
			if p != nil && g < 3 {
				z += p[g*n+j] * s
			}
			if b != nil {
				z += b[g*n+j] + b[(4+g)*n+j]
			}
			return limit(z)
		}
		for j := range n {
			i := sigmoid(pre(0, j, c[j]))
			f := 1 - i
			if !coupled {
				f = sigmoid(pre(2, j, c[j]))
			}
			c[j] = f*c[j] + i*math.Tanh(pre(3, j, 0))
			h[j] = sigmoid(pre(1, j, c[j])) * math.Tanh(c[j])
		}
		ys = append(ys, append([]float64{}, h...))
	}
	return ys
}

func TestLSTM(t *testing.T) {
	rng := newRand(30)
	for i := range 48 {
		e := []Elem{F32, F64}[i%2]
		direction, layout, coupled := i%3, i/3%2, i/6%2
		dirs := 1 + direction/2
		steps, batch, inputs, n := 1+rng.IntN(5), 1+rng.IntN(3), 1+rng.IntN(6), 1+rng.IntN(7)
		shape := func(s ...int) []int { // [.., batch, ..] with dirs or steps first, swapped for layout 1
			if layout == 1 {
				s[0], s[1] = s[1], s[0]
			}
			return s
		}
		x := randTensor(rng, e, shape(steps, batch, inputs)...)
		w, r, bias, peep := randTensor(rng, e, dirs, 4*n, inputs), randTensor(rng, e, dirs, 4*n, n), randTensor(rng, e, dirs, 8*n), randTensor(rng, e, dirs, 3*n)
		lens, h0, c0 := newTensor(I32, batch), randTensor(rng, e, shape(dirs, batch, n)...), randTensor(rng, e, shape(dirs, batch, n)...)
		for j := range lens.v {
			lens.v[j] = float64(rng.IntN(steps + 1))
		}
		clip := []float64{0, 0.7}[i/12%2]
		if i%4 < 2 {
			bias, peep, lens, h0, c0 = nil, nil, nil, nil, nil
		}
		yShape := []int{steps, dirs, batch, n}
		if layout == 1 {
			yShape = []int{batch, steps, dirs, n}
		}
		yw, hw, cw := newTensor(e, yShape...), newTensor(e, shape(dirs, batch, n)...), newTensor(e, shape(dirs, batch, n)...)
		for d := range dirs {
			for b := range batch {
				at2 := func(a, b int) []int { return shape(a, b) }
				h, c := make([]float64, n), make([]float64, n)
				length := steps
				var bv, pv []float64
				if bias != nil {
					i := at2(d, b)
					copy(h, h0.v[(i[0]*h0.shape[1]+i[1])*n:][:n])
					copy(c, c0.v[(i[0]*h0.shape[1]+i[1])*n:][:n])
					bv, pv = bias.v[d*8*n:][:8*n], peep.v[d*3*n:][:3*n]
					length = int(lens.v[b])
				}
				time := func(k int) int {
					if direction == 1 || d == 1 {
						return length - 1 - k
					}
					return k
				}
				var seq [][]float64
				for k := range length {
					i := at2(time(k), b)
					seq = append(seq, x.v[(i[0]*x.shape[1]+i[1])*inputs:][:inputs])
				}
				ys := naiveLSTM(seq, w.v[d*4*n*inputs:], r.v[d*4*n*n:], bv, pv, h, c, inputs, coupled == 1, clip)
				for k, y := range ys {
					for j, v := range y {
						if layout == 1 {
							*yw.at(b, time(k), d, j) = v
						} else {
							*yw.at(time(k), d, b, j) = v
						}
					}
				}
				for j := range n {
					i := append(at2(d, b), j)
					*hw.at(i...), *cw.at(i...) = h[j], c[j]
				}
			}
		}
		var bld builder
		var ids []int
		for k, o := range []*tensor{x, w, r, bias, lens, h0, c0, peep} {
			switch {
			case o == nil:
				ids = append(ids, -1)
			case i%5 > 0 && (k == 1 || k == 2 || k == 3 || k == 7):
				ids = append(ids, billb.ConstOperand(bld.konst(o)))
			default:
				ids = append(ids, bld.input(o))
			}
		}
		outs := []int{bld.dense(e, yw.shape...), bld.dense(e, hw.shape...), bld.dense(e, cw.shape...)}
		bld.op(billb.OpLSTM, ids, outs, []int{direction, layout, coupled}, []float64{clip})
		for _, id := range outs {
			bld.output(id)
		}
		out := bld.run(t)
		for k, want := range []*tensor{yw, hw, cw} {
			for j, v := range want.v {
				if d := math.Abs(out[k].v[j] - v); !(d < 1e-5) {
					t.Fatalf("case %d: output %d, element %d is %v, expected %v", i, k, j, out[k].v[j], v)
				}
			}
		}
	}
}
