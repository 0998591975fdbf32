package ir_test

import (
	"bytes"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/billnet/billnet/ir"
)

// TestTensorData: TensorFromData is the inverse of Data, for elements and for
// bytes.
func TestTensorData(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for d := ir.F32; d <= ir.Tern; d++ {
		for _, shape := range [][]int{{}, {0}, {1}, {7}, {8}, {9}, {3, 0}, {2, 3, 17}} {
			x := ir.NewTensor(ir.T(d, shape...))
			for i := range x.Len() {
				x.SetFloat(i, anyElem(rng, d, i))
			}
			b := x.Data()
			if len(b) != ir.DataBytes(x.Type) {
				t.Fatalf("%s: %d bytes of data, DataBytes says %d", x.Type, len(b), ir.DataBytes(x.Type))
			}
			y, err := ir.TensorFromData(x.Type, b)
			if err != nil {
				t.Fatal(err)
			}
			if i, same := x.FirstDiff(y); !same {
				t.Errorf("%s: element %d is %v, read back as %v", x.Type, i, x.Float(i), y.Float(i))
			}
			if again := y.Data(); !bytes.Equal(b, again) {
				t.Errorf("%s: the bytes differ after reading and writing", x.Type)
			}
			if _, err := ir.TensorFromData(x.Type, append(b, 0)); err == nil {
				t.Errorf("%s: a byte too many is accepted", x.Type)
			}
			if _, err := ir.TensorFromData(x.Type, b[:max(len(b)-1, 0)]); err == nil && len(b) > 0 {
				t.Errorf("%s: a byte too few is accepted", x.Type)
			}
		}
	}
}

// anyElem is a number of the element type, its extremes among them.
func anyElem(rng *rand.Rand, d ir.DType, i int) float64 {
	lo, hi := d.Range()
	switch {
	case d.IsFloat():
		special := []float64{0, math.Copysign(0, -1), math.Inf(1), math.Inf(-1), 65504, 6e-8, math.NaN()}
		if i < len(special) {
			return special[i]
		}
		return rng.NormFloat64() * 100
	case i == 0 || d == ir.SBit && i%3 == 0:
		return float64(lo)
	case i == 1 || d == ir.SBit:
		return float64(hi)
	}
	return math.Floor(float64(lo) + rng.Float64()*(float64(hi)-float64(lo)+1))
}

// TestTensorDataLayout pins the bytes: little endian, bits from the least
// significant, a tern's sign plane before its nonzero plane.
func TestTensorDataLayout(t *testing.T) {
	for _, c := range []struct {
		x    *ir.Tensor
		want []byte
	}{
		{ir.FloatTensor([]float32{1, -2}, 2), []byte{0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0}},
		{ir.Scalar(ir.F16, 1).Reshape(1), []byte{0, 0x3c}},
		{ir.Scalar(ir.BF16, 1).Reshape(1), []byte{0x80, 0x3f}},
		{ir.DoubleTensor([]float64{1}), []byte{0, 0, 0, 0, 0, 0, 0xf0, 0x3f}},
		{ir.IntTensor(ir.I16, []int64{-2, 258}, 2), []byte{0xfe, 0xff, 2, 1}},
		{ir.IntTensor(ir.Bit, []int64{1, 0, 0, 0, 0, 0, 0, 1, 1}, 9), []byte{0x81, 1}},
		{ir.IntTensor(ir.SBit, []int64{-1, 1, -1}, 3), []byte{2}},
		{ir.IntTensor(ir.Tern, []int64{-1, 0, 1}, 3), []byte{4, 5}},
	} {
		if got := c.x.Data(); !bytes.Equal(got, c.want) {
			t.Errorf("%s: bytes %x, expected %x", c.x.Type, got, c.want)
		}
	}
	if _, err := ir.TensorFromData(ir.T(ir.Bool, 1), []byte{2}); err == nil {
		t.Error("a bool of 2 is accepted")
	}
	if _, err := ir.TensorFromData(ir.Type{}, nil); err == nil {
		t.Error("a tensor without element type is accepted")
	}
	if _, err := ir.TensorFromData(ir.T(ir.U8, -1), nil); err == nil {
		t.Error("a negative dimension is accepted")
	}
}

// smallFloat decodes a small IEEE float by its definition: a sign, exp bits of
// exponent and man bits of mantissa.
func smallFloat(h uint16, exp, man int) float64 {
	bias := 1<<(exp-1) - 1
	e := int(h>>man) & (1<<exp - 1)
	m := float64(int(h) & (1<<man - 1))
	var v float64
	switch {
	case e == 1<<exp-1 && m != 0:
		return math.NaN()
	case e == 1<<exp-1:
		v = math.Inf(1)
	case e == 0:
		v = math.Ldexp(m, 1-bias-man)
	default:
		v = math.Ldexp(m+float64(int(1)<<man), e-bias-man)
	}
	if h>>15 == 1 {
		v = math.Copysign(v, -1)
	}
	return v
}

// TestSmallFloats decodes and encodes all values of f16 and bf16, and rounds
// the float32 values at and beside every midpoint between two of them.
func TestSmallFloats(t *testing.T) {
	for _, c := range []struct {
		d        ir.DType
		exp, man int
		widen    func(uint16) float32
		narrow   func(float32) uint16
	}{
		{ir.F16, 5, 10, ir.F16ToFloat, ir.FloatToF16},
		{ir.BF16, 8, 7, ir.BF16ToFloat, ir.FloatToBF16},
	} {
		bad := 0
		check := func(ok bool, format string, args ...any) {
			if !ok && bad < 10 {
				bad++
				t.Errorf(c.d.String()+": "+format, args...)
			}
		}
		for i := range 1 << 16 {
			h := uint16(i)
			want, got := smallFloat(h, c.exp, c.man), float64(c.widen(h))
			if want != want {
				n := c.narrow(c.widen(h))
				check(got != got && smallFloat(n, c.exp, c.man) != smallFloat(n, c.exp, c.man), "%#x is no NaN there and back", h)
				continue
			}
			check(math.Float64bits(got) == math.Float64bits(want), "%#x is %v, expected %v", h, got, want)
			check(c.narrow(c.widen(h)) == h, "%#x comes back as %#x", h, c.narrow(c.widen(h)))
			if h&0x7fff == 0x7fff || math.IsInf(want, 0) {
				continue
			}
			// The next value away from zero; past the largest, that is what
			// it would be were the exponents to go on.
			next := smallFloat(h+1, c.exp, c.man)
			if math.IsInf(next, 0) {
				next = want + (want - smallFloat(h-1, c.exp, c.man))
			}
			mid := float32((want + next) / 2)
			if float64(mid) != (want+next)/2 {
				continue // between the smallest bf16 values there is no float32 midpoint
			}
			even := h
			if h&1 == 1 {
				even = h + 1
			}
			away := float32(math.Copysign(math.Inf(1), want))
			check(c.narrow(mid) == even, "%v is a tie and rounds to %#x, expected %#x", mid, c.narrow(mid), even)
			check(c.narrow(math.Nextafter32(mid, 0)) == h, "below %v rounds to %#x, expected %#x", mid, c.narrow(math.Nextafter32(mid, 0)), h)
			check(c.narrow(math.Nextafter32(mid, away)) == h+1, "above %v rounds to %#x, expected %#x", mid, c.narrow(math.Nextafter32(mid, away)), h+1)
		}
	}
}

func TestConvertSaturatesAndWraps(t *testing.T) {
	f := ir.FloatTensor([]float32{-1.9, 1.9, 300, -300, float32(math.NaN()), float32(math.Inf(1))}, 6)
	if got := f.Convert(ir.I8); !got.Equal(ir.IntTensor(ir.I8, []int64{-1, 1, 127, -128, 0, 127}, 6)) {
		t.Errorf("f32 to i8: %v", got.Ints())
	}
	if got := f.Convert(ir.U8); !got.Equal(ir.IntTensor(ir.U8, []int64{0, 1, 255, 0, 0, 255}, 6)) {
		t.Errorf("f32 to u8: %v", got.Ints())
	}
	if got := f.Convert(ir.Bool); !got.Equal(ir.IntTensor(ir.Bool, []int64{1, 1, 1, 1, 1, 1}, 6)) {
		t.Errorf("f32 to bool: %v", got.Ints())
	}
	i := ir.IntTensor(ir.I32, []int64{-1, 128, 256, 511}, 4)
	if got := i.Convert(ir.I8); !got.Equal(ir.IntTensor(ir.I8, []int64{-1, -128, 0, -1}, 4)) {
		t.Errorf("i32 to i8: %v", got.Ints())
	}
	if got := i.Convert(ir.F64); got.Float(3) != 511 || got.Float(0) != -1 {
		t.Errorf("i32 to f64: %v", got.Doubles())
	}
}

func TestTensorEqual(t *testing.T) {
	nan, zero, minus := float32(math.NaN()), float32(0), float32(math.Copysign(0, -1))
	a := ir.FloatTensor([]float32{nan, zero}, 2)
	if !a.Equal(ir.FloatTensor([]float32{nan, zero}, 2)) {
		t.Error("NaN differs from NaN")
	}
	if i, same := a.FirstDiff(ir.FloatTensor([]float32{nan, minus}, 2)); same || i != 1 {
		t.Errorf("0 equals -0, or differs at %d", i)
	}
	if i, same := a.FirstDiff(a.Reshape(2, 1)); same || i != -1 {
		t.Errorf("shapes are not compared: %d", i)
	}
	if _, ok := ir.FloatTensor([]float32{zero, minus}, 2).Splat(); ok {
		t.Error("0 and -0 are a splat")
	}
	if v, ok := ir.FloatTensor([]float32{minus, minus}, 2).Splat(); !ok || !math.Signbit(v) {
		t.Error("-0 and -0 are no splat of -0")
	}
	if _, ok := ir.FloatTensor(nil, 0).Splat(); ok {
		t.Error("no element is a splat")
	}
}
