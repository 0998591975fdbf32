package ir_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/billnet/billnet/ir"
)

// TestPoolRandom compares pooling over two axes with loops over every tap.
func TestPoolRandom(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	compared := 0
	for range 1000 {
		h, w := 1+rng.IntN(6), 1+rng.IntN(6)
		x := ir.NewTensor(ir.T(ir.F32, 2, 2, h, w))
		for i := range x.Floats() {
			x.Floats()[i] = float32(rng.IntN(100) - 50)
		}
		two := func(lo, n int) []int { return []int{lo + rng.IntN(n), lo + rng.IntN(n)} }
		kernel, stride, dil := two(1, 4), two(1, 3), two(1, 3)
		pad := append(two(0, 4), two(0, 4)...)
		ceil, padded := rng.IntN(2) == 0, rng.IntN(2) == 0
		attrs := map[string]any{"kernel": kernel, "stride": stride, "dilation": dil, "pad": pad, "ceil": ceil}
		largest, err := evalOp("max_pool", attrs, x)
		if err != nil {
			continue // the window is larger than the padded input
		}
		attrs["count_include_pad"] = padded
		mean, err := evalOp("average_pool", attrs, x)
		if err != nil {
			t.Fatal(err)
		}
		shape := largest[0].Type.Shape
		out := 0
		each(shape, func(i []int) {
			best, sum, count, counted := math.Inf(-1), 0.0, 0, 0
			for a := range kernel[0] {
				for b := range kernel[1] {
					p, q := i[2]*stride[0]+a*dil[0]-pad[0], i[3]*stride[1]+b*dil[1]-pad[1]
					if p < h+pad[2] && q < w+pad[3] {
						counted++
					}
					if p < 0 || p >= h || q < 0 || q >= w {
						continue
					}
					v := float64(x.Float32(((i[0]*2+i[1])*h+p)*w + q))
					best, sum, count = max(best, v), sum+v, count+1
				}
			}
			if padded {
				count = counted
			}
			average := 0.0
			if count > 0 {
				average = float64(float32(sum) / float32(count))
			}
			if got := largest[0].Float(out); got != best {
				t.Fatalf("max_pool of %s %v at %v is %v, expected %v", x.Type, attrs, i, got, best)
			}
			if got := mean[0].Float(out); got != average {
				t.Fatalf("average_pool of %s %v at %v is %v, expected %v", x.Type, attrs, i, got, average)
			}
			out++
		})
		compared++
	}
	if compared < 500 {
		t.Errorf("only %d geometries were legal", compared)
	}
}

func TestPools(t *testing.T) {
	wantBody(t, "%1 = const [-5, nan, 3, 4] : f32[1,1,4]\n%2 = max_pool %1 {kernel=[2], stride=[2]} : f32[1,1,2]\nreturn %2 \"y\"", 0, "nan, 4")
	// Windows in the padding alone: the smallest value of the type.
	wantBody(t, "%1 = const [-5] : i8[1,1,1]\n%2 = max_pool %1 {kernel=[1], pad=[1,0]} : i8[1,1,2]\nreturn %2 \"y\"", 0, "-128, -5")
	wantBody(t, "%1 = const [-5] : f32[1,1,1]\n%2 = max_pool %1 {kernel=[1], pad=[1,0]} : f32[1,1,2]\n%3 = average_pool %1 {kernel=[1], pad=[1,0]} : f32[1,1,2]\nreturn %2 \"a\", %3 \"b\"", 0, "-inf, -5", "0, -5")
	wantBody(t, "%1 = const [0, 1, 0, 0] : bit[1,1,4]\n%2 = max_pool %1 {kernel=[2], stride=[2]} : bit[1,1,2]\nreturn %2 \"y\"", 0, "1, 0")
	wantBody(t, "%1 = const [1, 2, 3, 4, -1, -2, -3, -4] : f32[1,2,2,2]\n%2 = global_average_pool %1 : f32[1,2,1,1]\n%3 = global_max_pool %1 : f32[1,2,1,1]\nreturn %2 \"a\", %3 \"b\"", 0, "2.5, -2.5", "4, -1")
	wantBody(t, "%1 = const [] : f32[1,2,0]\n%2 = global_average_pool %1 : f32[1,2,1]\n%3 = global_max_pool %1 : f32[1,2,1]\nreturn %2 \"a\", %3 \"b\"", 0, "0, 0", "-inf, -inf")
	failsBody(t, "%1 = const [1] : f32[1,1,1]\n%2 = max_pool %1 {kernel=[2]} : f32[1,1,1]\nreturn %2 \"y\"", "the window covers 2")
	failsBody(t, "%1 = const [1] : f32[1,1]\n%2 = max_pool %1 {kernel=[]} : f32[1,1]\nreturn %2 \"y\"", "expected [N,C,spatial...]")
	failsBody(t, "%1 = const [1] : i32[1,1,1]\n%2 = average_pool %1 {kernel=[1]} : i32[1,1,1]\nreturn %2 \"y\"", "not defined")
}

// A kernel and a padding of a billion cost no more than the input.
func TestHugeWindow(t *testing.T) {
	x := ir.FloatTensor([]float32{1, 5, 3}, 1, 1, 3)
	const k = 1 << 30
	attrs := map[string]any{"kernel": []int{k}, "pad": []int{k - 2, 0}}
	for op, want := range map[string]string{"max_pool": "5, 5", "average_pool": "3, 3"} {
		out, err := evalOp(op, attrs, x)
		if err != nil {
			t.Fatal(err)
		}
		if err := compare(out[0], want, 0); err != nil {
			t.Errorf("%s: %v", op, err)
		}
	}
}

func TestReductions(t *testing.T) {
	const x = "%1 = const [1, 2, 3, -4, 5, 6] : f32[1,2,3]\n"
	for op, want := range map[string][2]string{
		"reduce_sum": {"6, 7", "13"}, "reduce_prod": {"6, -120", "-720"}, "reduce_max": {"3, 6", "6"}, "reduce_min": {"1, -4", "-4"},
	} {
		wantBody(t, x+fmt.Sprintf("%%2 = %s %%1 {axes=[-1]} : f32[1,2,1]\n%%3 = %s %%1 {keepdims=false} : f32[]\nreturn %%2 \"a\", %%3 \"b\"", op, op), 0, want[0], want[1])
	}
	const none = "%1 = const [] : f32[2,0]\n%2 = const [] : i8[0]\n"
	for op, want := range map[string][2]string{"reduce_sum": {"0, 0", "0"}, "reduce_prod": {"1, 1", "1"}, "reduce_max": {"-inf, -inf", "-128"}, "reduce_min": {"inf, inf", "127"}} {
		wantBody(t, none+fmt.Sprintf("%%3 = %s %%1 {axes=[1], keepdims=false} : f32[2]\n%%4 = %s %%2 {keepdims=false} : i8[]\nreturn %%3 \"a\", %%4 \"b\"", op, op), 0, want[0], want[1])
	}
	wantBody(t, "%1 = const [1, nan, 3] : f32[3]\n%2 = reduce_max %1 : f32[1]\n%3 = reduce_min %1 : f32[1]\nreturn %2 \"a\", %3 \"b\"", 0, "nan", "nan")
	wantBody(t, "%1 = const [100, 100] : i8[2]\n%2 = reduce_sum %1 : i8[1]\nreturn %2 \"y\"", 0, "-56")
	wantBody(t, "%1 = const [1, 0] : bool[2]\n%2 = reduce_max %1 : bool[1]\n%3 = reduce_min %1 : bool[1]\nreturn %2 \"a\", %3 \"b\"", 0, "1", "0")
	failsBody(t, x+"%2 = reduce_sum %1 {axes=[1,-2]} : f32[1,1,3]\nreturn %2 \"y\"", "named twice")
}

func TestArgMax(t *testing.T) {
	const x = "%1 = const [2, 7, 7, 7, 1, 3] : f32[2,3]\n"
	wantBody(t, x+"%2 = arg_max %1 {axis=1} : i64[2,1]\n%3 = arg_max %1 {axis=-1, select_last=true, keepdims=false} : i64[2]\n%4 = arg_max %1 : i64[1,3]\nreturn %2 \"a\", %3 \"b\", %4 \"c\"", 0, "1, 0", "2, 0", "1, 0, 0")
	wantBody(t, "%1 = const [1, nan, 2, nan] : f32[4]\n%2 = arg_max %1 : i64[1]\n%3 = arg_max %1 {select_last=true} : i64[1]\nreturn %2 \"a\", %3 \"b\"", 0, "1", "3")
	failsBody(t, "%1 = const [] : f32[0]\n%2 = arg_max %1 : i64[1]\nreturn %2 \"y\"", "no elements to choose from")
}

func TestSoftmax(t *testing.T) {
	const x = "%1 = const [1, 2, 3, 1000, 1000, -inf] : f32[2,3]\n"
	wantBody(t, x+"%2 = softmax %1 : f32[2,3]\n%3 = log_softmax %1 : f32[2,3]\nreturn %2 \"a\", %3 \"b\"", 1e-7,
		"0.09003057317, 0.2447284711, 0.6652409558, 0.5, 0.5, 0", "-2.407605964, -1.407605964, -0.4076059644, -0.6931471806, -0.6931471806, -inf")
	wantBody(t, "%1 = const [0, 0, 0, 0] : f32[2,2]\n%2 = softmax %1 {axis=0} : f32[2,2]\nreturn %2 \"y\"", 0, "0.5, 0.5, 0.5, 0.5")
	failsBody(t, "%1 = const [0] : f32[]\n%2 = softmax %1 : f32[]\nreturn %2 \"y\"", "out of range")
}
