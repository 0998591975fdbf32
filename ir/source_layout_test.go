package ir_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/billnet/billnet/ir"
)

// evalOp evaluates one operation on tensors.
func evalOp(op string, attrs map[string]any, in ...*ir.Tensor) ([]*ir.Tensor, error) {
	args := make([]*ir.Value, len(in))
	for i, x := range in {
		if x != nil {
			args[i] = &ir.Value{Type: x.Type}
		}
	}
	n, err := ir.NewNode(ir.Lookup(op), args, attrs, ir.Loc{})
	if err != nil {
		return nil, err
	}
	return ir.EvalNode(n, in)
}

// numbered returns an i32 tensor of 0, 1, 2 ...
func numbered(shape ...int) *ir.Tensor {
	x := ir.NewTensor(ir.T(ir.I32, shape...))
	for i := range x.Ints() {
		x.Ints()[i] = int64(i)
	}
	return x
}

// at returns the element of x at an index.
func at(x *ir.Tensor, idx []int) int64 {
	off := 0
	for a, i := range idx {
		off = off*x.Type.Shape[a] + i
	}
	return x.Int(off)
}

// each calls f for every index of a shape in row-major order.
func each(shape []int, f func(idx []int)) {
	total := 1
	for _, d := range shape {
		total *= d
	}
	for i := range total {
		idx := make([]int, len(shape))
		for a := len(shape) - 1; a >= 0; a-- {
			idx[a] = i % shape[a]
			i /= shape[a]
		}
		f(idx)
	}
}

func randomShape(rng *rand.Rand, rank, most int) []int {
	s := make([]int, rank)
	for i := range s {
		s[i] = 1 + rng.IntN(most)
	}
	return s
}

func TestTransposeRandom(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for range 200 {
		x := numbered(randomShape(rng, 1+rng.IntN(4), 4)...)
		perm := rng.Perm(x.Type.Rank())
		out, err := evalOp("transpose", map[string]any{"perm": perm}, x)
		if err != nil {
			t.Fatal(err)
		}
		each(out[0].Type.Shape, func(idx []int) {
			from := make([]int, len(idx))
			for a, p := range perm {
				from[p] = idx[a]
			}
			if got, want := at(out[0], idx), at(x, from); got != want {
				t.Fatalf("transpose of %s by %v at %v is %d, expected %d", x.Type, perm, idx, got, want)
			}
		})
	}
}

// TestSliceRandom compares with a walk that follows the definition literally.
func TestSliceRandom(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 2))
	for range 2000 {
		d := rng.IntN(7)
		x := numbered(d)
		start, end, step := rng.IntN(21)-10, rng.IntN(21)-10, rng.IntN(9)-4
		switch rng.IntN(6) {
		case 0:
			end = math.MaxInt
		case 1:
			end = math.MinInt
		case 2:
			start = math.MaxInt
		case 3:
			step = []int{math.MaxInt, math.MinInt}[rng.IntN(2)]
		}
		if step == 0 {
			continue
		}
		want := []int64{}
		first, last := start, end
		if first < 0 {
			first += d
		}
		if last < 0 {
			last += d
		}
		if step > 0 {
			first = max(first, 0)
			for i := first; i < min(last, d); i += step {
				want = append(want, int64(i))
				if step > d {
					break
				}
			}
		} else {
			first = min(max(first, 0), d-1) // a start before the axis means 0 here, unlike in NumPy
			for i := first; i > max(last, -1) && i >= 0; i += step {
				want = append(want, int64(i))
				if step < -d {
					break
				}
			}
		}
		out, err := evalOp("slice", map[string]any{"starts": []int{start}, "ends": []int{end}, "steps": []int{step}}, x)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(out[0].Ints(), want) {
			t.Fatalf("[%d:%d:%d] of %d elements is %v, expected %v", start, end, step, d, out[0].Ints(), want)
		}
	}
}

func TestPadRandom(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	fill := ir.IntTensor(ir.I32, []int64{-1})
	for range 500 {
		d, before, after := 1+rng.IntN(5), rng.IntN(12)-2, rng.IntN(12)-2
		if d+before+after < 0 {
			continue
		}
		for _, mode := range []string{"constant", "edge", "reflect", "wrap"} {
			// What negative pads leave of the elements; the others are counted from there.
			first, left := max(0, -before), d-max(0, -before)-max(0, -after)
			out, err := evalOp("pad", map[string]any{"pads": []int{before, after}, "mode": mode}, numbered(d), fill)
			if mode != "constant" && left <= 0 && d+before+after > 0 {
				if err == nil {
					t.Fatalf("pad %d,%d of %d elements, %s: got %v of nothing", before, after, d, mode, out[0].Ints())
				}
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			for i, got := range out[0].Ints() {
				// Walk from the first element to the position, one step at a time.
				p, dir := 0, 1
				for range max(i-max(before, 0), max(before, 0)-i) {
					forward := i >= max(before, 0)
					switch {
					case mode == "constant":
						if forward {
							p++
						} else {
							p--
						}
					case mode == "edge" && forward:
						p = min(p+1, left-1)
					case mode == "edge":
					case mode == "wrap" && forward:
						p = (p + 1) % left
					case mode == "wrap":
						p = (p + left - 1) % left
					case left > 1: // a mirror looks the same from both sides
						if p+dir < 0 || p+dir >= left {
							dir = -dir
						}
						p += dir
					}
				}
				want := int64(p + first)
				if p < 0 || p >= left {
					want = -1
				}
				if got != want {
					t.Fatalf("pad %d,%d of %d elements, %s: element %d is %d, expected %d", before, after, d, mode, i, got, want)
				}
			}
		}
	}
}

func TestSplitConcat(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 4))
	for range 100 {
		x := numbered(randomShape(rng, 1+rng.IntN(4), 5)...)
		axis := rng.IntN(x.Type.Rank())
		var sizes []int
		for left := x.Type.Shape[axis]; left > 0; {
			n := rng.IntN(left + 1)
			sizes = append(sizes, n)
			left -= n
		}
		parts, err := evalOp("split", map[string]any{"axis": axis, "sizes": sizes}, x)
		if err != nil {
			t.Fatal(err)
		}
		first := 0
		for _, p := range parts {
			each(p.Type.Shape, func(idx []int) {
				from := slices.Clone(idx)
				from[axis] += first
				if at(p, idx) != at(x, from) {
					t.Fatalf("split of %s along %d into %v: wrong at %v", x.Type, axis, sizes, idx)
				}
			})
			first += p.Type.Shape[axis]
		}
		back, err := evalOp("concat", map[string]any{"axis": axis - x.Type.Rank()}, parts...)
		if err != nil {
			t.Fatal(err)
		}
		if !back[0].Equal(x) {
			t.Fatalf("concat does not undo split of %s along %d into %v", x.Type, axis, sizes)
		}
	}
	failsBody(t, "%1 = const [1, 2] : f32[2]\n%2, %3 = split %1 {sizes=[1,2]} : f32[1], f32[2]\nreturn %2 \"y\"", "do not add up")
	failsBody(t, "%1 = const [1, 2] : f32[2]\n%2 = const [1] : f32[1,1]\n%3 = concat %1, %2 {axis=0} : f32[3]\nreturn %3 \"y\"", "operand 1 is f32[1,1]")
}

func TestGathers(t *testing.T) {
	const x = "%1 = const [0, 1, 2, 3, 4, 5] : i32[2,3]\n"
	wantBody(t, x+"%2 = const [2, -3, 0, 1] : i64[2,2]\n%3 = gather %1, %2 {axis=1} : i32[2,2,2]\nreturn %3 \"y\"", 0, "2, 0, 0, 1, 5, 3, 3, 4")
	wantBody(t, x+"%2 = const [] : i64[0]\n%3 = gather %1, %2 : i32[0,3]\nreturn %3 \"y\"", 0, "")
	failsBody(t, x+"%2 = const [3] : i64[1]\n%3 = gather %1, %2 {axis=1} : i32[2,1]\nreturn %3 \"y\"", "element 0 is 3, expected -3 to 2")
	failsBody(t, x+"%2 = const [1] : f32[1]\n%3 = gather %1, %2 : i32[1,3]\nreturn %3 \"y\"", "expected integers")
	failsBody(t, x+"%2 = const [1] : i32[1]\n%3 = gather %1, %2 {axis=2} : i32[1,3]\nreturn %3 \"y\"", "axis 2 is out of range")
	wantBody(t, x+"%2 = const [1, 0, -1, -2] : i32[2,2]\n%3 = gather_elements %1, %2 {axis=1} : i32[2,2]\nreturn %3 \"y\"", 0, "1, 0, 5, 4")
	failsBody(t, x+"%2 = const [0, 5] : i32[1,2]\n%3 = gather_elements %1, %2 {axis=1} : i32[1,2]\nreturn %3 \"y\"", "element 1 is 5")
	wantBody(t, x+"%2 = const [1, 0, 0, -1] : i32[2,2]\n%3 = gather_nd %1, %2 : i32[2]\nreturn %3 \"y\"", 0, "3, 2")
	wantBody(t, x+"%2 = const [1, 0] : i32[2,1]\n%3 = gather_nd %1, %2 : i32[2,3]\nreturn %3 \"y\"", 0, "3, 4, 5, 0, 1, 2")
	wantBody(t, x+"%2 = const [2, 0] : i32[2,1]\n%3 = gather_nd %1, %2 {batch_dims=1} : i32[2]\nreturn %3 \"y\"", 0, "2, 3")
}

func TestShapes(t *testing.T) {
	const x = "%1 = const [1, 2, 3, 4] : f32[1,4,1]\n"
	wantBody(t, x+"%2 = squeeze %1 : f32[4]\n%3 = squeeze %1 {axes=[-1]} : f32[1,4]\n%4 = unsqueeze %2 {axes=[-1,0]} : f32[1,4,1]\nreturn %3 \"a\", %4 \"b\"", 0, "1, 2, 3, 4", "1, 2, 3, 4")
	wantBody(t, x+"%2 = unsqueeze %1 {axes=[1,3]} : f32[1,1,4,1,1]\nreturn %2 \"y\"", 0, "1, 2, 3, 4")
	failsBody(t, x+"%2 = squeeze %1 {axes=[1]} : f32[1,1]\nreturn %2 \"y\"", "only size 1")
	failsBody(t, x+"%2 = unsqueeze %1 {axes=[0,0]} : f32[1,1,1,4,1]\nreturn %2 \"y\"", "named twice")
	wantBody(t, x+"%2 = reshape %1 {shape=[2,2]} : f32[2,2]\nreturn %2 \"y\"", 0, "1, 2, 3, 4")
	failsBody(t, x+"%2 = reshape %1 {shape=[3]} : f32[3]\nreturn %2 \"y\"", "with 4 elements")
	failsBody(t, x+"%2 = reshape %1 {shape=[-1]} : f32[4]\nreturn %2 \"y\"", "is negative")
	wantBody(t, "%1 = const [1, 2] : f32[2,1]\n%2 = expand %1 {shape=[2,1,3]} : f32[2,2,3]\nreturn %2 \"y\"", 0, "1, 1, 1, 2, 2, 2, 1, 1, 1, 2, 2, 2")
	wantBody(t, "%1 = const [1, 2] : f32[2]\n%2 = expand %1 {shape=[1]} : f32[2]\nreturn %2 \"y\"", 0, "1, 2")
	failsBody(t, "%1 = const [1, 2] : f32[2]\n%2 = expand %1 {shape=[3]} : f32[3]\nreturn %2 \"y\"", "do not broadcast")
	failsBody(t, "%1 = const [1] : f32[1]\n%2 = expand %1 {shape=[65536,65536]} : f32[65536,65536]\nreturn %2 \"y\"", "2^31 elements")
	wantBody(t, "%1 = const [1, 2, 3, 4] : i8[2,2]\n%2 = tile %1 {repeats=[1,2]} : i8[2,4]\nreturn %2 \"y\"", 0, "1, 2, 1, 2, 3, 4, 3, 4")
	wantBody(t, "%1 = const [1, 2] : i8[2]\n%2 = tile %1 {repeats=[0]} : i8[0]\nreturn %2 \"y\"", 0, "")
	failsBody(t, "%1 = const [1] : sbit[1]\n%2 = pad %1 {pads=[1,0]} : sbit[2]\nreturn %2 \"y\"", "expected operand value")
	failsBody(t, "%1 = const [] : f32[0]\n%2 = pad %1 {pads=[1,0], mode=\"edge\"} : f32[1]\nreturn %2 \"y\"", "no elements")
	failsBody(t, "%1 = const [1, 2] : f32[2]\n%2 = transpose %1 {perm=[1]} : f32[2]\nreturn %2 \"y\"", "no permutation")
}

func TestDepthToSpace(t *testing.T) {
	x := numbered(2, 12, 2, 3)
	for _, mode := range []string{"DCR", "CRD"} {
		out, err := evalOp("depth_to_space", map[string]any{"blocksize": 2, "mode": mode}, x)
		if err != nil {
			t.Fatal(err)
		}
		each(out[0].Type.Shape, func(i []int) {
			row, col := i[2]%2, i[3]%2
			k := (row*2+col)*3 + i[1]
			if mode == "CRD" {
				k = i[1]*4 + row*2 + col
			}
			if got, want := at(out[0], i), at(x, []int{i[0], k, i[2] / 2, i[3] / 2}); got != want {
				t.Fatalf("%s at %v is %d, expected %d", mode, i, got, want)
			}
		})
	}
}

// Expectations from the definition of the modes, 4 elements resized to 2, 3, 5
// and 8, as ONNX Runtime gives them.
func TestResize(t *testing.T) {
	for _, c := range []struct {
		coordinates, nearest, size, want string
	}{
		{"asymmetric", "floor", "8", "0, 0, 1, 1, 2, 2, 3, 3"},
		{"asymmetric", "ceil", "8", "0, 1, 1, 2, 2, 3, 3, 3"},
		{"asymmetric", "floor", "3", "0, 1, 2"},
		{"half_pixel", "round_prefer_floor", "2", "0, 2"},
		{"half_pixel", "round_prefer_ceil", "2", "1, 3"},
		{"half_pixel", "round_prefer_floor", "8", "0, 0, 1, 1, 2, 2, 3, 3"},
		{"align_corners", "round_prefer_floor", "5", "0, 1, 1, 2, 3"},
		{"align_corners", "round_prefer_ceil", "5", "0, 1, 2, 2, 3"},
		{"pytorch_half_pixel", "floor", "1", "0"},
		{"half_pixel", "floor", "1", "1"},
	} {
		wantBody(t, "%1 = const [0, 1, 2, 3] : i32[4]\n%2 = resize %1 {sizes=["+c.size+"], coordinates=\""+c.coordinates+"\", nearest=\""+c.nearest+"\"} : i32["+c.size+"]\nreturn %2 \"y\"", 0, c.want)
	}
	failsBody(t, "%1 = const [0] : i32[1]\n%2 = resize %1 {sizes=[2], nearest=\"up\"} : i32[2]\nreturn %2 \"y\"", "nearest is \"up\"")
}

// Layout operations work on every element type, at every level.
func TestLayoutTypes(t *testing.T) {
	for d := ir.F32; d <= ir.Tern; d++ {
		x := ir.NewTensor(ir.T(d, 1, 2, 1))
		x.SetFloat(1, 1)
		one := ir.NewTensor(ir.T(d))
		one.SetFloat(0, 1)
		idx := ir.IntTensor(ir.I64, []int64{1})
		for _, c := range []struct {
			op    string
			attrs map[string]any
			in    []*ir.Tensor
			want  string // elements of x
		}{
			{"identity", nil, []*ir.Tensor{x}, "01"},
			{"transpose", map[string]any{"perm": []int{1, 0, 2}}, []*ir.Tensor{x}, "01"},
			{"reshape", map[string]any{"shape": []int{2}}, []*ir.Tensor{x}, "01"},
			{"squeeze", nil, []*ir.Tensor{x}, "01"},
			{"unsqueeze", map[string]any{"axes": []int{0}}, []*ir.Tensor{x}, "01"},
			{"slice", map[string]any{"starts": []int{-1}, "ends": []int{-3}, "axes": []int{1}, "steps": []int{-1}}, []*ir.Tensor{x}, "10"},
			{"gather", map[string]any{"axis": 1}, []*ir.Tensor{x, idx}, "1"},
			{"concat", map[string]any{"axis": 1}, []*ir.Tensor{x, x}, "0101"},
			{"split", map[string]any{"axis": 1, "sizes": []int{2}}, []*ir.Tensor{x}, "01"},
			{"expand", map[string]any{"shape": []int{2, 1, 1}}, []*ir.Tensor{x}, "0101"},
			{"pad", map[string]any{"pads": []int{0, 1, 0, 0, 0, 0}}, []*ir.Tensor{x, one}, "101"},
			{"tile", map[string]any{"repeats": []int{1, 2, 1}}, []*ir.Tensor{x}, "0101"},
			{"max_pool", map[string]any{"kernel": []int{2}, "pad": []int{0, 1}}, []*ir.Tensor{x.Reshape(1, 1, 2)}, "11"},
		} {
			if ir.Lookup(c.op).Levels != ir.Source|ir.Logic|ir.Packed {
				t.Errorf("%s is not legal at every level", c.op)
			}
			out, err := evalOp(c.op, c.attrs, c.in...)
			if err != nil {
				t.Errorf("%s of %s: %v", c.op, d, err)
				continue
			}
			if out[0].Len() != len(c.want) {
				t.Errorf("%s of %s has %d elements, expected %d", c.op, d, out[0].Len(), len(c.want))
				continue
			}
			for i, k := range c.want {
				if got, want := out[0].Float(i), x.Float(int(k-'0')); got != want {
					t.Errorf("%s of %s: element %d is %v, expected %v", c.op, d, i, got, want)
				}
			}
		}
	}
}
