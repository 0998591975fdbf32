package runtime

import (
	"testing"

	"github.com/billnet/billnet/runtime/billb"
)

// Constant weights of few bits take another way than weights in a buffer: the results are equal.
func TestConstantWeights(t *testing.T) {
	rng := newRand(77)
	xs := []Elem{U8, I8, Bool, Bit, SBit, Tern, I16}
	ws := []Elem{I8, U8, I16, SBit, Tern}
	ys := []Elem{I32, I64, I16, I8, U8}
	for i := range 120 {
		e, we, ye := xs[i%len(xs)], ws[rng.IntN(len(ws))], ys[rng.IntN(len(ys))]
		groups, inC, outC := 1+rng.IntN(3), 1+rng.IntN(5), 1+rng.IntN(5)
		k, stride, dil, size := 1+rng.IntN(3), 1+rng.IntN(2), 1+rng.IntN(2), 1+rng.IntN(20)
		pad := rng.IntN((k-1)*dil + 1)
		size = max(size, (k-1)*dil+1)
		out := (size+2*pad-(k-1)*dil-1)/stride + 1
		x, w := randTensor(rng, e, 2, groups*inC, size), randTensor(rng, we, groups*outC, inC, k)
		ints := []int{groups, stride, pad, pad, dil}
		shape := []int{2, groups * outC, out}
		want := one(t, billb.OpDenseIConv, ye, shape, []*tensor{x, w}, nil, ints)
		same(t, "dense_iconv", one(t, billb.OpDenseIConv, ye, shape, []*tensor{x, w}, []bool{false, true}, ints), want)
	}
	for i := range 40 {
		e, we := xs[i%len(xs)], ws[rng.IntN(len(ws))]
		rows, k, n := rng.IntN(7), rng.IntN(90), 1+rng.IntN(70)
		x, w := randTensor(rng, e, rows, k), randTensor(rng, we, n, k)
		want := newTensor(I32, rows, n)
		walk(want.shape, func(at []int) {
			var z int32
			for j := range k {
				z += int32(*x.at(at[0], j)) * int32(*w.at(at[1], j))
			}
			*want.at(at...) = float64(z)
		})
		var b builder
		in, y := b.input(x), b.dense(I32, rows, n)
		b.op(billb.OpILinear, []int{in}, []int{y}, nil, []int{b.konst(w)})
		b.output(y)
		same(t, "ilinear", b.run(t)[0], want)
	}
}
