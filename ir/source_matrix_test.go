package ir_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/billnet/billnet/ir"
)

func randomInts(rng *rand.Rand, d ir.DType, n int, shape ...int) *ir.Tensor {
	x := ir.NewTensor(ir.T(d, shape...))
	for i := range x.Len() {
		x.SetFloat(i, float64(rng.IntN(2*n+1)-n))
	}
	return x
}

// TestMatmulRandom compares products of small integers, exact in every type,
// with sums over the definition, for every way in which shapes broadcast.
func TestMatmulRandom(t *testing.T) {
	rng := rand.New(rand.NewPCG(6, 6))
	for range 300 {
		m, k, n := 1+rng.IntN(4), 1+rng.IntN(5), 1+rng.IntN(4)
		batch := randomShape(rng, rng.IntN(3), 3)
		as, bs := slices.Clone(batch), slices.Clone(batch)
		for i := range batch { // some axes stretch
			switch rng.IntN(4) {
			case 0:
				as[i] = 1
			case 1:
				bs[i] = 1
			}
		}
		cut := rng.IntN(len(as) + 1) // and some are missing in b
		bs = bs[cut:]
		as, bs = append(as, m, k), append(bs, k, n)
		for _, d := range []ir.DType{ir.F32, ir.F64, ir.F16, ir.I32} {
			a, b := randomInts(rng, d, 3, as...), randomInts(rng, d, 3, bs...)
			out, err := evalOp("matmul", nil, a, b)
			if err != nil {
				t.Fatal(err)
			}
			pick := func(x *ir.Tensor, idx []int, row, col int) float64 {
				s := x.Type.Shape
				off := 0
				for i, e := range s[:len(s)-2] {
					p := idx[len(idx)-len(s)+i]
					if e == 1 {
						p = 0
					}
					off = off*e + p
				}
				return x.Float((off*s[len(s)-2]+row)*s[len(s)-1] + col)
			}
			i := 0
			each(out[0].Type.Shape, func(idx []int) {
				want := 0.0
				for p := range k {
					want += pick(a, idx, idx[len(idx)-2], p) * pick(b, idx, p, idx[len(idx)-1])
				}
				if got := out[0].Float(i); got != want {
					t.Fatalf("%s times %s at %v is %v, expected %v", a.Type, b.Type, idx, got, want)
				}
				i++
			})
		}
	}
}

func TestMatmulVectors(t *testing.T) {
	const v = "%1 = const [1, 2] : f32[2]\n%2 = const [3, 4, 5, 6] : f32[2,2]\n"
	wantBody(t, v+"%3 = matmul %1, %1 : f32[]\n%4 = matmul %1, %2 : f32[2]\n%5 = matmul %2, %1 : f32[2]\nreturn %3 \"a\", %4 \"b\", %5 \"c\"", 0, "5", "13, 16", "11, 17")
	wantBody(t, "%1 = const [] : f32[2,0]\n%2 = const [] : f32[0,1]\n%3 = matmul %1, %2 : f32[2,1]\nreturn %3 \"y\"", 0, "0, 0")
	wantBody(t, "%1 = const [200] : u8[1]\n%2 = matmul %1, %1 : u8[]\nreturn %2 \"y\"", 0, "64")
	failsBody(t, v+"%3 = const [1] : f32[1]\n%4 = matmul %3, %2 : f32[2]\nreturn %4 \"y\"", "1 columns against 2 rows")
	failsBody(t, "%1 = const [1] : f32[]\n%2 = matmul %1, %1 : f32[]\nreturn %2 \"y\"", "at least one axis")
}

// The sum runs over k in order in float32: 1e8 + 1 - 1e8 is 0, not 1.
func TestMatmulOrder(t *testing.T) {
	wantBody(t, "%1 = const [1e8, 1, -1e8] : f32[1,3]\n%2 = const [1, 1, 1] : f32[3,1]\n%3 = matmul %1, %2 : f32[1,1]\nreturn %3 \"y\"", 0, "0")
	wantBody(t, "%1 = const [1e8, -1e8, 1] : f32[1,3]\n%2 = const [1, 1, 1] : f32[1,3]\n%3 = gemm %1, %2 {trans_b=true} : f32[1,1]\nreturn %3 \"y\"", 0, "1")
}

func TestGemm(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 7))
	for range 100 {
		m, k, n := 1+rng.IntN(4), 1+rng.IntN(4), 1+rng.IntN(4)
		ta, tb := rng.IntN(2) == 0, rng.IntN(2) == 0
		as, bs := []int{m, k}, []int{k, n}
		if ta {
			as = []int{k, m}
		}
		if tb {
			bs = []int{n, k}
		}
		a, b := randomInts(rng, ir.F32, 5, as...), randomInts(rng, ir.F32, 5, bs...)
		cs := [][]int{{m, n}, {n}, {m, 1}, {1, n}, {1}, {}}[rng.IntN(6)]
		c := randomInts(rng, ir.F32, 5, cs...)
		out, err := evalOp("gemm", map[string]any{"trans_a": ta, "trans_b": tb, "alpha": 0.5, "beta": 2.0}, a, b, c)
		if err != nil {
			t.Fatal(err)
		}
		for i := range m {
			for j := range n {
				sum := float32(0)
				for p := range k {
					x, y := i*k+p, p*n+j
					if ta {
						x = p*m + i
					}
					if tb {
						y = j*k + p
					}
					sum += a.Float32(x) * b.Float32(y)
				}
				var add float32
				switch {
				case len(cs) == 0 || len(cs) == 1 && cs[0] == 1:
					add = c.Float32(0)
				case len(cs) == 1:
					add = c.Float32(j)
				default:
					add = c.Float32(min(i, cs[0]-1)*cs[1] + min(j, cs[1]-1))
				}
				if got, want := out[0].Float32(i*n+j), sum/2+2*add; got != want {
					t.Fatalf("gemm %v %v with c %v at %d,%d is %v, expected %v", as, bs, cs, i, j, got, want)
				}
			}
		}
	}
	const x = "%1 = const [1, 2] : f32[1,2]\n"
	wantBody(t, x+"%2 = gemm %1, %1 {trans_a=true} : f32[2,2]\nreturn %2 \"y\"", 0, "1, 2, 2, 4")
	failsBody(t, x+"%2 = gemm %1, %1 : f32[1,2]\nreturn %2 \"y\"", "2 columns against 1 rows")
	failsBody(t, x+"%2 = gemm %1, %1, %1 {trans_b=true} : f32[1,1]\nreturn %2 \"y\"", "broadcasts to [1,1]")
	failsBody(t, "%1 = const [1] : i32[1,1]\n%2 = gemm %1, %1 {alpha=2} : i32[1,1]\nreturn %2 \"y\"", "expected 1 for integers")
}

func TestWork(t *testing.T) {
	for _, c := range []struct {
		op    string
		attrs map[string]any
		in    []ir.Type
		want  int
	}{
		{"matmul", nil, []ir.Type{ir.T(ir.F32, 2, 3, 4), ir.T(ir.F32, 4, 5)}, 2 * 3 * 4 * 5},
		{"gemm", map[string]any{"trans_b": true}, []ir.Type{ir.T(ir.F32, 3, 4), ir.T(ir.F32, 5, 4)}, 3 * 4 * 5},
		{"lstm", nil, []ir.Type{ir.T(ir.F32, 7, 2, 3), ir.T(ir.F32, 1, 20, 3), ir.T(ir.F32, 1, 20, 5)}, 7 * 2 * 20 * (3 + 5)},
		{"gru", map[string]any{"direction": "bidirectional"}, []ir.Type{ir.T(ir.F32, 7, 2, 3), ir.T(ir.F32, 2, 15, 3), ir.T(ir.F32, 2, 15, 5)}, 2 * 7 * 2 * 15 * (3 + 5)},
		{"matmul_integer", nil, []ir.Type{ir.T(ir.U8, 3, 4), ir.T(ir.U8, 4, 5)}, 3 * 4 * 5},
		{"conv_integer", nil, []ir.Type{ir.T(ir.U8, 1, 4, 5), ir.T(ir.U8, 6, 4, 3)}, 6 * 3 * 4 * 3},
	} {
		args := make([]*ir.Value, len(c.in))
		for i, t := range c.in {
			args[i] = &ir.Value{Type: t}
		}
		n, err := ir.NewNode(ir.Lookup(c.op), args, c.attrs, ir.Loc{})
		if err != nil {
			t.Error(err)
			continue
		}
		if got := n.Op.Work(n); got != c.want {
			t.Errorf("%s: %d multiply-accumulates, expected %d", c.op, got, c.want)
		}
	}
}
