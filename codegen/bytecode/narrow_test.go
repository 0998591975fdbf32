package bytecode

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/runtime/billb"
)

// TestNarrowIntegers checks the form of integers, and that it gives them.
func TestNarrowIntegers(t *testing.T) {
	for _, d := range []ir.DType{ir.I16, ir.I32, ir.I64} {
		for last, want := range map[int64]billb.Form{127: billb.Bytes, 128: billb.Plain, -128: billb.Bytes, -129: billb.Plain} {
			x := ir.NewTensor(ir.T(d, 30, 20))
			for i := range x.Ints() {
				x.Ints()[i] = int64(i%256) - 128
			}
			x.Ints()[599] = last
			k := narrow(x)
			if k.Form != want {
				t.Errorf("%s with %d has form %d, expected %d", d, last, k.Form, want)
			}
			if k.Form == billb.Bytes && !slices.Equal(k.Ints(), x.Ints()) {
				t.Errorf("%s: the elements are not the tensor's", d)
			}
		}
	}
}

// TestNarrow checks the form that constants get, and that it gives their bits.
func TestNarrow(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	fill := func(shape []int, f func(row, col int) float32) *ir.Tensor {
		x := ir.NewTensor(ir.T(ir.F32, shape...))
		last := shape[len(shape)-1]
		for i := range x.Floats() {
			x.Floats()[i] = f(i/(x.Len()/shape[0]), i%last)
		}
		return x
	}
	scale := make([]float32, 64)
	for i := range scale {
		scale[i] = rng.Float32()/100 + 1e-4
	}
	byRow := func(row, _ int) float32 { return float32(rng.IntN(256)-128) * scale[row%64] }
	byColumn := func(_, col int) float32 { return float32(rng.IntN(255)-127) * scale[col] }
	lines := 0
	byLine := func(_, col int) float32 {
		if col == 0 {
			lines++
		}
		return float32(rng.IntN(255)-127) * scale[lines%64]
	}
	half := func(int, int) float32 { return ir.RoundFloat(ir.F16, rng.Float32()) }
	bfloat := func(int, int) float32 { return ir.RoundFloat(ir.BF16, 1e30*rng.Float32()) }
	plain := func(int, int) float32 { return rng.Float32() }
	with := func(v float32, f func(int, int) float32) func(int, int) float32 {
		return func(r, c int) float32 {
			if r == 3 && c == 1 {
				return v
			}
			return f(r, c)
		}
	}
	sign := func() float32 { return float32(2*rng.IntN(2) - 1) }
	negativeZero, nan := float32(math.Copysign(0, -1)), float32(math.NaN())
	for _, c := range []struct {
		name  string
		shape []int
		f     func(row, col int) float32
		want  billb.Form
	}{
		{"int8, a scale a row", []int{64, 32}, byRow, billb.ByRow},
		{"int8, convolution", []int{16, 8, 3, 3}, byRow, billb.ByRow},
		{"int8, a scale a column", []int{32, 64}, byColumn, billb.ByColumn},
		{"int8, one scale", []int{32, 64}, func(int, int) float32 { return float32(rng.IntN(255)-127) * scale[0] }, billb.ByRow},
		{"int8, nearly as many scales", []int{128, 4}, byRow, billb.Plain},
		{"int8, a scale a line of three axes", []int{2, 64, 32}, byLine, billb.ByLine},
		{"signs, one scale", []int{1, 64, 32}, func(int, int) float32 { return sign() * 0.1 }, billb.Signs},
		{"signs, a scale a row", []int{64, 32}, func(row, _ int) float32 { return sign() * scale[row] }, billb.Signs},
		{"signs of infinity", []int{64, 32}, func(int, int) float32 { return sign() * float32(math.Inf(1)) }, billb.Signs},
		{"signs, an odd number", []int{3, 351}, func(row, _ int) float32 { return sign() * scale[row] }, billb.Signs},
		{"signs and a zero", []int{64, 32}, with(0, func(int, int) float32 { return sign() * 0.1 }), billb.ByRow},
		{"signs and NaN", []int{64, 32}, with(nan, func(int, int) float32 { return sign() * 0.1 }), billb.Plain},
		{"zeros", []int{32, 32}, func(int, int) float32 { return 0 }, billb.ByRow},
		{"ones", []int{1024}, func(int, int) float32 { return 1 }, billb.Signs},
		{"a zero with a sign among int8", []int{64, 32}, with(negativeZero, byRow), billb.Plain},
		{"float16", []int{32, 32}, half, billb.Half},
		{"float16 with a zero's sign", []int{32, 32}, with(negativeZero, half), billb.Half},
		{"float16 with infinity", []int{32, 32}, with(float32(math.Inf(-1)), half), billb.Half},
		{"float16 with what float16 has not", []int{32, 32}, with(1e6, half), billb.Plain},
		{"bfloat16", []int{32, 32}, bfloat, billb.BFloat},
		{"float32", []int{32, 32}, plain, billb.Plain},
		{"float32 with NaN", []int{32, 32}, with(nan, plain), billb.Plain},
		{"small", []int{16, 16}, half, billb.Plain},
		{"empty", []int{0, 600}, plain, billb.Plain},
	} {
		x := fill(append([]int{}, c.shape...), func(int, int) float32 { return 0 })
		if x.Len() > 0 {
			x = fill(c.shape, c.f)
		}
		k := narrow(x)
		if k.Form != c.want {
			t.Errorf("%s: form %d, expected %d", c.name, k.Form, c.want)
		}
		if size, err := k.Size(); err != nil || size != len(k.Data) {
			t.Errorf("%s: %d bytes of data, expected %d (%v)", c.name, len(k.Data), size, err)
			continue
		}
		if k.Form == billb.Plain {
			continue
		}
		for i, v := range k.Floats() {
			if math.Float32bits(v) != math.Float32bits(x.Float32(i)) {
				t.Errorf("%s: element %d is %v, expected %v", c.name, i, v, x.Float32(i))
				break
			}
		}
	}
}
