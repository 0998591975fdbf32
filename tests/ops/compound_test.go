package ops_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/billnet/billnet/codegen/bytecode"
	"github.com/billnet/billnet/frontend/bill"
	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/runtime"
)

// fixings are ways of choosing which of a few operands are constants.
var fixings = [][]bool{nil, {false, true, true, true, true, true, true, true, true}, {true, false}, {true, true, false, false}}

// both checks a node under every fixing.
func both(t *testing.T, op string, attrs map[string]any, args ...*ir.Tensor) {
	t.Helper()
	for _, fixed := range fixings {
		check(t, op, args, fixed, attrs)
	}
}

func TestChains(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 1))
	for _, d := range numbers {
		x := []*ir.Tensor{values(rng, d, 2, 1, 4), values(rng, d, 3, 1), values(rng, d), values(rng, d, 4)}
		for n := 1; n <= len(x); n++ {
			for _, op := range strings.Fields("max min sum mean") {
				both(t, op, nil, x[:n]...)
			}
		}
	}
	for n := 1; n < 5; n++ {
		var bits []*ir.Tensor
		for range n {
			bits = append(bits, values(rng, ir.Bit, 3, 7))
		}
		both(t, "tally", map[string]any{"base": -2, "to": "i8"}, bits...)
		both(t, "tally", map[string]any{"to": "i32"}, bits...)
	}
	mustRun(t, "max min sum mean tally")
}

func TestIndices(t *testing.T) {
	rng := rand.New(rand.NewPCG(12, 1))
	index := func(d ir.DType, size int, shape ...int) *ir.Tensor {
		x := ir.NewTensor(ir.T(d, shape...))
		for i := range x.Ints() {
			x.Ints()[i] = rng.Int64N(int64(size))
			if lo, _ := d.Range(); lo < 0 && rng.IntN(2) == 0 {
				x.Ints()[i] -= int64(size)
			}
		}
		return x
	}
	for _, d := range []ir.DType{ir.U8, ir.I8, ir.I16, ir.I32, ir.I64, ir.U64} {
		both(t, "gather", map[string]any{"axis": 1}, values(rng, ir.F32, 2, 5, 3), index(d, 5, 2, 2))
		both(t, "gather_elements", map[string]any{"axis": 1}, values(rng, ir.F32, 2, 5, 3), index(d, 5, 2, 4, 3))
		for _, c := range []struct {
			index []int
			batch int
		}{{[]int{3}, 0}, {[]int{2, 1}, 0}, {[]int{4, 2, 2}, 0}, {[]int{3, 3, 1}, 1}, {[]int{3, 3, 2}, 2}, {[]int{3, 3}, 1}, {[]int{2, 0}, 0}, {[]int{0, 2}, 0}} {
			both(t, "gather_nd", map[string]any{"batch_dims": c.batch}, values(rng, ir.I16, 3, 3, 3, 3), index(d, 3, c.index...))
		}
	}
	// Coordinates out of range are refused even where the element exists.
	both(t, "gather_nd", nil, values(rng, ir.F32, 2, 3), ir.IntTensor(ir.I64, []int64{0, 4}, 1, 2))
	mustRun(t, "gather gather_elements gather_nd")
}

func TestResampling(t *testing.T) {
	rng := rand.New(rand.NewPCG(13, 1))
	for _, mode := range []string{"DCR", "CRD"} {
		for _, n := range []int{0, 1, 2} {
			both(t, "depth_to_space", map[string]any{"blocksize": 3, "mode": mode}, values(rng, ir.I8, n, 18, 2, 5))
		}
	}
	for _, c := range strings.Fields("half_pixel pytorch_half_pixel half_pixel_symmetric align_corners asymmetric") {
		for _, near := range strings.Fields("round_prefer_floor round_prefer_ceil floor ceil") {
			attrs := map[string]any{"sizes": []int{1, 2, 7, 3, 1}, "coordinates": c, "nearest": near}
			both(t, "resize", attrs, values(rng, ir.F16, 1, 2, 3, 6, 4))
			attrs["scales"] = []float64{1, 1, 2.4, 0.55, 0.25}
			both(t, "resize", attrs, values(rng, ir.SBit, 1, 2, 3, 6, 4))
		}
	}
	mustRun(t, "depth_to_space resize")
}

func TestParametersFed(t *testing.T) {
	rng := rand.New(rand.NewPCG(14, 1))
	for _, d := range []ir.DType{ir.I8, ir.U16, ir.I32, ir.I64, ir.SBit} {
		for axis := range 3 {
			n := []int{2, 3, 5}[axis]
			attrs := map[string]any{"axis": axis}
			both(t, "threshold", attrs, values(rng, d, 2, 3, 5), values(rng, ir.I32, n), values(rng, ir.Bit, n))
			den := values(rng, ir.F64, n)
			both(t, "affine", attrs, values(rng, d, 2, 3, 5), values(rng, ir.F64, n), den, values(rng, ir.F64, 1))
		}
		for _, w := range []ir.DType{ir.I8, ir.SBit, ir.Tern} {
			both(t, "ilinear", nil, values(rng, d, 2, 3, 40), values(rng, w, 9, 40))
			both(t, "iconv", nil, values(rng, d, 1, 4, 5, 6), values(rng, w, 3, 4, 2, 2), values(rng, ir.I32, 3), values(rng, ir.Bit, 3))
		}
	}
	for _, d := range []ir.DType{ir.Bit, ir.SBit} {
		both(t, "bconv", map[string]any{"signed": true, "pad": []int{1, 1, 1, 1}}, values(rng, d, 2, 4, 5, 6), values(rng, ir.Tern, 3, 4, 2, 2), values(rng, ir.I32, 3), values(rng, ir.Bit, 3))
	}
	mustRun(t, "threshold affine ilinear iconv bconv")
}

func TestIntegerProducts(t *testing.T) {
	rng := rand.New(rand.NewPCG(15, 1))
	for _, d := range ints {
		both(t, "matmul", nil, values(rng, d, 2, 3, 9), values(rng, d, 9, 4))
		for _, trans := range []bool{false, true} {
			both(t, "gemm", map[string]any{"trans_a": trans, "trans_b": !trans}, values(rng, d, 6, 6), values(rng, d, 6, 6), values(rng, d, 6))
			both(t, "gemm", map[string]any{"trans_a": trans}, values(rng, d, 6, 6), values(rng, d, 6, 6))
		}
		if d.Bits() > 32 {
			continue
		}
		for _, w := range ints[:6] {
			both(t, "matmul_integer", nil, values(rng, d, 2, 3, 9), values(rng, w, 9, 4), values(rng, d, 3), values(rng, w, 4))
			both(t, "matmul_integer", nil, values(rng, d, 9), values(rng, w, 9, 4), nil, values(rng, w, 1))
			attrs := map[string]any{"groups": 2, "pad": []int{1, 0, 2, 1}, "stride": []int{2, 1}, "dilation": []int{1, 2}}
			x, weights := values(rng, d, 2, 4, 6, 6), values(rng, w, 4, 2, 3, 2)
			both(t, "conv_integer", attrs, x, weights, values(rng, d, 1), values(rng, w, 4))
			both(t, "conv_integer", attrs, x, weights)
			for _, scale := range floats {
				s := func(shape ...int) *ir.Tensor { return positive(rng, scale, shape...) }
				both(t, "qlinear_conv", attrs, x, s(), values(rng, d), weights, s(4), values(rng, w, 4), s(1), values(rng, d), values(rng, ir.I32, 4))
				both(t, "qlinear_conv", attrs, x, s(), values(rng, d), weights, s(), values(rng, w), s(1), values(rng, w))
				both(t, "qlinear_matmul", nil, values(rng, d, 2, 3, 9), s(2, 3, 1), values(rng, d, 3), values(rng, w, 9, 4), s(4), values(rng, w, 4), s(3), values(rng, w, 3))
			}
		}
	}
	mustRun(t, "matmul gemm matmul_integer conv_integer qlinear_conv qlinear_matmul")
}

// positive returns scales.
func positive(rng *rand.Rand, d ir.DType, shape ...int) *ir.Tensor {
	x := ir.NewTensor(ir.T(d, shape...))
	for i := range x.Len() {
		x.SetFloat(i, 0.1+rng.Float64())
	}
	return x
}

func TestLinearQuantizers(t *testing.T) {
	rng := rand.New(rand.NewPCG(16, 1))
	for _, z := range []ir.DType{ir.U8, ir.I8, ir.U16, ir.I16, ir.I32} {
		for _, scale := range floats {
			for _, d := range append(floats, ir.I32) {
				x := values(rng, d, 2, 6, 5)
				both(t, "quantize_linear", nil, x, positive(rng, scale), values(rng, z))
				both(t, "quantize_linear", map[string]any{"axis": -2}, x, positive(rng, scale, 6), values(rng, z, 6))
				both(t, "quantize_linear", map[string]any{"axis": 1, "block_size": 4, "to": z.String()}, x, positive(rng, scale, 2, 2, 5))
				both(t, "quantize_linear", nil, values(rng, d), positive(rng, scale, 1), values(rng, z, 1))
			}
			x := values(rng, z, 2, 6, 5)
			both(t, "dequantize_linear", nil, x, positive(rng, scale))
			both(t, "dequantize_linear", map[string]any{"axis": 1}, x, positive(rng, scale, 6), values(rng, z, 6))
			both(t, "dequantize_linear", map[string]any{"axis": 2, "block_size": 2}, x, positive(rng, scale, 2, 6, 3), values(rng, z, 2, 6, 3))
		}
	}
	for _, shape := range [][]int{{}, {0}, {7}, {3, 50}} {
		both(t, "dynamic_quantize_linear", nil, values(rng, ir.F32, shape...))
		both(t, "dynamic_quantize_linear", nil, ir.NewTensor(ir.T(ir.F32, shape...)))
	}
	mustRun(t, "quantize_linear dequantize_linear dynamic_quantize_linear")
}

func TestLengths(t *testing.T) {
	rng := rand.New(rand.NewPCG(17, 1))
	finite := func(s ...int) *ir.Tensor { return positive(rng, ir.F32, s...) }
	for _, d := range []ir.DType{ir.U8, ir.I16, ir.I32, ir.I64} {
		lens := ir.IntTensor(d, []int64{0, 2, 3}, 3)
		both(t, "lstm", map[string]any{"hidden": 2}, finite(3, 3, 4), finite(1, 8, 4), finite(1, 8, 2), nil, lens)
		both(t, "gru", map[string]any{"hidden": 2}, finite(3, 3, 4), finite(1, 6, 4), finite(1, 6, 2), nil, lens)
		both(t, "rnn", map[string]any{"hidden": 2}, finite(3, 3, 4), finite(1, 2, 4), finite(1, 2, 2), nil, lens)
	}
}

// TestInterfaces runs functions whose results are constants, inputs, reshapes of
// them, and one value under two names, and chains in the narrow float types.
func TestInterfaces(t *testing.T) {
	rng := rand.New(rand.NewPCG(18, 1))
	for _, body := range []string{`
  return %0 "a", %0 "b"`, `
  %1 = identity %0 : T
  %2 = reshape %1 {shape=[6]} : E[6]
  return %1 "a", %2 "b", %0 "c"`, `
  %1 = reshape %0 {shape=[6]} : E[6]
  %2 = reshape %1 {shape=[3,2]} : E[3,2]
  %3 = transpose %2 {perm=[1,0]} : E[2,3]
  %4 = reshape %3 {shape=[1,6]} : E[1,6]
  return %1 "a", %2 "b", %4 "c", %3 "d", %3 "e"`, `
  %1 = const [1, -1, 1] : E[3]
  %2 = reshape %1 {shape=[1,3]} : E[1,3]
  %3 = split %0 {axis=0, sizes=[1,1]} : E[1,3], E[1,3]
  return %2 "a", %1 "b", %1 "c"`, `
  %1 = const [1, -1, 1] : E[3]
  %2, %3 = split %0 {axis=0, sizes=[1,1]} : E[1,3], E[1,3]
  return %3 "a", %1 "b"`, `
  %1 = mul %0, %0 : T
  %2 = add %1, %0 : T
  %3 = sub %2, %1 : T
  %4 = reshape %3 {shape=[6]} : E[6]
  return %1 "a", %3 "b", %4 "c"`,
	} {
		for _, d := range []ir.DType{ir.F32, ir.F16, ir.BF16, ir.I64, ir.U64, ir.SBit, ir.Tern} {
			text := strings.NewReplacer("T", d.String()+"[2,3]", "E", d.String()).Replace(body)
			m, err := bill.Parse("interface", []byte(fmt.Sprintf("bill 1\nmodule \"m\" level=packed\n\nfunc @main(%%0 \"x\" : %s[2,3]) {%s\n}\n", d, text)), nil)
			if err != nil {
				continue // not defined for the type
			}
			x := values(rng, d, 2, 3)
			want, err := ir.Eval(t.Context(), m.Main(), []*ir.Tensor{x}, nil)
			if err != nil {
				t.Fatal(err)
			}
			got, err := run(m, []*ir.Tensor{x}, runtime.Options{})
			if err == nil {
				ran["interface"]++
				err = equal(got, want)
			}
			if err != nil {
				t.Errorf("%s: %v", text, err)
			}
		}
	}
	if ran["interface"] < 25 {
		t.Errorf("only %d functions were run", ran["interface"])
	}
}

// TestUnsupported wants what is left out named, all of it at once.
func TestUnsupported(t *testing.T) {
	text := `bill 1
module "m" level=packed

func @main(%0 "x" : f64[2], %1 "y" : f16[2], %9 "z" : f32[1,1,2,2,2,2]) {
  %2 = cast %0 {to="f16"} : f16[2]
  %3 = quant %1, %1, %1, %1 : f16[2]
  %4 = max_pool %9 {kernel=[2,2,2,2]} : f32[1,1,1,1,1,1]
  return %2 "a", %3 "b", %4 "c"
}
`
	m, err := bill.Parse("unsupported", []byte(text), nil)
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = bytecode.Generate(m, nil)
	if err == nil || !unsupported(err) || !strings.Contains(err.Error(), "f64 to f16") || !strings.Contains(err.Error(), "x is f16") || !strings.Contains(err.Error(), "4 spatial axes") {
		t.Errorf("the error is %v", err)
	}
}
