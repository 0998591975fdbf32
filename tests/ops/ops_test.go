// Package ops_test compares every instruction of the runtime with the reference
// interpreter, bit for bit: single operations on random operands, in their own
// buffers and as constants.
package ops_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/billnet/billnet/codegen/bytecode"
	"github.com/billnet/billnet/frontend/bill"
	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/runtime"
	"github.com/billnet/billnet/runtime/billb"
)

// dense is a tensor as a dense buffer holds it: f16 and bf16 as f32.
func dense(t *ir.Tensor) []byte {
	if d := t.Type.DType; !d.IsLogic() {
		if isHalf(d) {
			t = t.Convert(ir.F32)
		}
		return slices.Clone(t.Data())
	}
	b := make([]byte, t.Len())
	for i, v := range t.Ints() {
		b[i] = byte(v)
	}
	return b
}

func fromDense(t ir.Type, b []byte) (*ir.Tensor, error) {
	if isHalf(t.DType) {
		x, err := ir.TensorFromData(t.With(ir.F32), b)
		if err != nil {
			return nil, err
		}
		x.Type = t // not rounded: the program must have done that
		return x, nil
	}
	if !t.DType.IsLogic() {
		return ir.TensorFromData(t, b)
	}
	x := ir.NewTensor(t)
	for i, v := range b {
		x.Ints()[i] = int64(int8(v))
	}
	return x, nil
}

func isHalf(d ir.DType) bool { return d == ir.F16 || d == ir.BF16 }

// run generates and runs a packed module.
func run(m *ir.Module, args []*ir.Tensor, opt runtime.Options) ([]*ir.Tensor, error) {
	img, _, err := bytecode.Generate(m, nil)
	if err != nil {
		return nil, err
	}
	return runImage(img, m, args, opt)
}

// runImage runs what was generated of a module.
func runImage(img *billb.Image, m *ir.Module, args []*ir.Tensor, opt runtime.Options) ([]*ir.Tensor, error) {
	file, err := img.Encode()
	if err != nil {
		return nil, err
	}
	prog, err := runtime.LoadBytes(file)
	if err != nil {
		return nil, err
	}
	s, err := prog.NewSession(opt)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	var in, out [][]byte
	for _, a := range args {
		in = append(in, dense(a))
	}
	for _, p := range prog.Outputs() {
		n := p.Elem.Width()
		for _, d := range p.Shape {
			n *= d
		}
		out = append(out, make([]byte, n))
	}
	if err := s.Run(in, out); err != nil {
		return nil, err
	}
	var got []*ir.Tensor
	for i, r := range m.Main().Results {
		t, err := fromDense(r.Value.Type, out[i])
		if err != nil {
			return nil, err
		}
		got = append(got, t)
	}
	return got, nil
}

// unsupported reports errors of the code generator about what it does not emit.
func unsupported(err error) bool {
	var u *bytecode.UnsupportedError
	return errors.As(err, &u)
}

// approximate are the operations whose f32 kernels are within 2 units in the last place of the exact value, where the
// interpreter rounds it.
var approximate = map[string]bool{"exp": true, "log": true, "sigmoid": true, "tanh": true, "elu": true, "erf": true, "softmax": true, "log_softmax": true}

// equalFor is equal, but for the units in the last place of an approximate operation: 3 between the kernel's and the
// interpreter's f32, which may be the next number in f16 and bf16.
func equalFor(op string, got, want []*ir.Tensor) error {
	if !approximate[op] {
		return equal(got, want)
	}
	for i, w := range want {
		bound := map[ir.DType]float64{ir.F32: 3 * 0x1p-23, ir.F16: 0x1p-10, ir.BF16: 0x1p-7}[w.Type.DType]
		least := map[ir.DType]float64{ir.F32: 3 * 0x1p-149, ir.F16: 0x1p-24, ir.BF16: 0x1p-133}[w.Type.DType]
		if op == "log_softmax" { // near 0 the rounding of the sum, which is in float64, shows
			least = max(least, 0x1p-50)
		}
		if bound == 0 || got[i].Len() != w.Len() {
			return equal(got, want)
		}
		for j := range w.Len() {
			a, b := got[i].Float(j), w.Float(j)
			if a != b && (a == a || b == b) && !(math.Abs(a-b) <= max(bound*math.Abs(b), least)) {
				return fmt.Errorf("result %d, element %d of %s is %v, expected %v", i, j, w.Type, a, b)
			}
		}
	}
	return nil
}

func equal(got, want []*ir.Tensor) error {
	for i := range want {
		if at, ok := got[i].FirstDiff(want[i]); !ok {
			if at < 0 {
				return fmt.Errorf("result %d is %s, expected %s", i, got[i].Type, want[i].Type)
			}
			return fmt.Errorf("result %d, element %d of %s is %v, expected %v", i, at, want[i].Type, got[i].Float(at), want[i].Float(at))
		}
	}
	return nil
}

// promote turns the constants of a function, but for those of keep, into
// parameters and returns their values.
func promote(f *ir.Func, keep func(n *ir.Node) bool) []*ir.Tensor {
	var args []*ir.Tensor
	f.Nodes = slices.DeleteFunc(f.Nodes, func(n *ir.Node) bool {
		if n.Const == nil || keep(n) {
			return false
		}
		v := n.Result()
		f.Params = append(f.Params, ir.Port{Name: fmt.Sprintf("p%d", len(f.Params)), Value: v})
		v.Def = nil
		args = append(args, n.Const)
		return true
	})
	return args
}

// TestExamples runs the example of every operation.
func TestExamples(t *testing.T) {
	var missing []string
	for _, op := range ir.Ops() {
		if op.Levels&ir.Packed == 0 || op == ir.Relayout { // a layout can not be a result
			continue
		}
		for _, asInputs := range []bool{false, true} {
			text := fmt.Sprintf("bill 1\nmodule \"example\" level=packed\n\nfunc @main() {%s\n}\n", op.Example)
			m, err := bill.Parse(op.Name, []byte(text), nil)
			if err != nil {
				t.Fatal(err)
			}
			want, err := ir.Eval(context.Background(), m.Main(), nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			var args []*ir.Tensor
			if asInputs {
				args = promote(m.Main(), func(*ir.Node) bool { return false })
			}
			got, err := run(m, args, runtime.Options{Threads: 2})
			if err == nil {
				err = equalFor(op.Name, got, want)
			}
			switch {
			case err == nil:
			case unsupported(err):
				if !asInputs {
					missing = append(missing, op.Name)
				}
			default:
				t.Errorf("%s (inputs %v): %v", op.Name, asInputs, err)
			}
		}
	}
	if len(missing) > 0 {
		t.Errorf("bytecode has no instruction for %v", missing)
	}
}

// values fills a tensor with random elements, special ones among them.
func values(rng *rand.Rand, d ir.DType, shape ...int) *ir.Tensor {
	t := ir.NewTensor(ir.T(d, shape...))
	special := []float64{0, math.Copysign(0, -1), 1, -1, 0.5, -0.5, 1.5, 2.5, math.NaN(), math.Inf(1), math.Inf(-1), 1e30, -1e-30, 100}
	for i := range t.Len() {
		switch {
		case d.IsFloat() && rng.IntN(8) == 0:
			t.SetFloat(i, special[rng.IntN(len(special))])
		case d.IsFloat():
			t.SetFloat(i, 3*rng.NormFloat64())
		case d == ir.Bit || d == ir.Bool:
			t.Ints()[i] = rng.Int64N(2)
		case d == ir.SBit:
			t.Ints()[i] = 2*rng.Int64N(2) - 1
		case d == ir.Tern:
			t.Ints()[i] = rng.Int64N(3) - 1
		default:
			lo, hi := d.Range()
			if rng.IntN(4) > 0 {
				lo, hi = max(lo, -9), min(hi, 9)
			} else {
				lo, hi = max(lo, -1<<40), min(hi, 1<<40)
			}
			t.Ints()[i] = lo + rng.Int64N(hi-lo+1)
		}
	}
	return t
}

var (
	floats  = []ir.DType{ir.F32, ir.F64, ir.F16, ir.BF16}
	ints    = []ir.DType{ir.U8, ir.I8, ir.U16, ir.I16, ir.U32, ir.I32, ir.U64, ir.I64}
	numbers = slices.Concat(floats, ints)
	truths  = []ir.DType{ir.Bool}
	bits    = []ir.DType{ir.Bit, ir.SBit}
	all     = slices.Concat(numbers, []ir.DType{ir.Bool, ir.Bit, ir.SBit, ir.Tern})
)

// check builds one node over args, in the interpreter and as bytecode, with the
// operands as constants where fixed says so. It returns false when the
// interpreter or the code generator refuse the node.
func check(t *testing.T, op string, args []*ir.Tensor, fixed []bool, attrs map[string]any) bool {
	t.Helper()
	f := &ir.Func{Name: "main"}
	m := &ir.Module{Name: op, Level: ir.Packed, Funcs: []*ir.Func{f}}
	var vals []*ir.Value
	var inputs []*ir.Tensor
	for i, a := range args {
		switch {
		case a == nil:
			vals = append(vals, nil)
		case i < len(fixed) && fixed[i]:
			n := ir.NewConst(a, ir.Loc{})
			f.Nodes = append(f.Nodes, n)
			vals = append(vals, n.Result())
		default:
			v := &ir.Value{Type: a.Type}
			f.Params = append(f.Params, ir.Port{Name: fmt.Sprintf("x%d", i), Value: v})
			vals, inputs = append(vals, v), append(inputs, a)
		}
	}
	n, err := ir.NewNode(ir.Lookup(op), vals, attrs, ir.Loc{Name: op})
	if err != nil {
		return false
	}
	f.Nodes = append(f.Nodes, n)
	for i, r := range n.Results {
		f.Results = append(f.Results, ir.Port{Name: fmt.Sprintf("y%d", i), Value: r})
	}
	want, wantErr := ir.Eval(context.Background(), f, inputs, nil)
	got, err := run(m, inputs, runtime.Options{Threads: 1 + len(inputs)%2})
	switch {
	case err != nil && wantErr != nil:
		return true // both refuse these values
	case err == nil && wantErr == nil:
		ran[op]++
		err = equalFor(op, got, want)
	case err != nil && unsupported(err):
		return false
	case wantErr != nil:
		err = fmt.Errorf("the interpreter says %v", wantErr)
	}
	if err != nil {
		var types []string
		for _, a := range args {
			if a != nil {
				types = append(types, a.Type.String())
			} else {
				types = append(types, "_")
			}
		}
		t.Errorf("%s(%s) %v: %v", op, strings.Join(types, ", "), attrs, err)
	}
	return true
}

// ran counts the nodes of every operation that were compared.
var ran = map[string]int{}

// mustRun checks that operations were compared at all: check takes what the
// interpreter or the code generator refuse for no failure.
func mustRun(t *testing.T, ops string) {
	t.Helper()
	for _, op := range strings.Fields(ops) {
		if ran[op] == 0 {
			t.Errorf("%s was never run", op)
		}
	}
}

// shapes are operand shapes that broadcast in every way.
var shapes = [][2][]int{
	{{2, 3, 4}, {2, 3, 4}}, {{2, 3, 4}, {4}}, {{3, 1}, {2, 1, 4}}, {{1, 3, 1, 1}, {2, 3, 2, 5}}, {{2, 3, 2, 5}, {1, 3, 1, 1}},
	{{}, {3, 2}}, {{5}, {}}, {{}, {}}, {{0, 3}, {3}}, {{300, 7}, {300, 1}}, {{5000}, {5000}}, {{1}, {700}},
}

// unaries names the elementwise operations of one number, and identity.
func unaries() string {
	names := []string{ir.Identity.Name}
	for _, op := range ir.Ops() {
		n := &ir.Node{Op: op, Args: []*ir.Value{{Type: ir.T(ir.F32, 1)}}}
		if op.Kind != ir.Elementwise || len(op.Operands) != 1 || op.Operands[0].Variadic || op == ir.Cast || op == ir.Step {
			continue
		}
		if _, err := op.Infer(n); err == nil {
			names = append(names, op.Name)
		}
	}
	return strings.Join(names, " ")
}

func TestElementwise(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for _, row := range []struct {
		ops    string
		n      int // operands
		dtypes []ir.DType
		attrs  map[string]any
	}{
		{"add sub mul div pow equal greater greater_or_equal less less_or_equal min max prelu sum", 2, numbers, nil},
		{"and or xor", 2, truths, nil},
		{"bit_and bit_or bit_xor", 2, bits, nil},
		{"bit_not recode", 1, bits, nil},
		{"not", 1, truths, nil},
		{"equal", 2, []ir.DType{ir.Bool, ir.Bit, ir.SBit, ir.Tern}, nil},
		{unaries(), 1, numbers, nil},
		{"identity to_float", 1, all, nil},
		{"leaky_relu elu", 1, floats, map[string]any{"alpha": 0.3}},
		{"hard_sigmoid", 1, floats, map[string]any{"alpha": 0.4, "beta": -0.1}},
		{"step", 1, floats, map[string]any{"strict": false, "signed": true, "nan": true}},
		{"step", 1, floats, nil},
	} {
		for _, op := range strings.Fields(row.ops) {
			done := 0
			for _, d := range row.dtypes {
				for i, s := range shapes {
					args := []*ir.Tensor{values(rng, d, s[0]...), values(rng, d, s[1]...)}[:row.n]
					for _, fixed := range [][]bool{nil, {false, true}, {true, false}} {
						if check(t, op, args, fixed[:min(len(fixed), row.n)], row.attrs) {
							done++
						}
						if row.n == 1 || i%3 > 0 {
							break
						}
					}
				}
			}
			if done == 0 {
				t.Errorf("%s was never run", op)
			}
		}
	}
}

func TestSelection(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 1))
	for _, d := range all {
		for _, s := range shapes {
			check(t, "where", []*ir.Tensor{values(rng, ir.Bool, s[0]...), values(rng, d, s[1]...), values(rng, d, s[0]...)}, nil, nil)
			if d.IsBit() {
				check(t, "mux", []*ir.Tensor{values(rng, d, s[0]...), values(rng, d, s[1]...), values(rng, d, s[1]...)}, nil, nil)
			}
		}
		check(t, "clip", []*ir.Tensor{values(rng, d, 3, 100), values(rng, d), values(rng, d)}, nil, nil)
		check(t, "clip", []*ir.Tensor{values(rng, d, 3, 100), nil, values(rng, d)}, []bool{false, false, true}, nil)
		check(t, "clip", []*ir.Tensor{values(rng, d, 3, 100), values(rng, d)}, []bool{true}, nil)
	}
	check(t, "join", []*ir.Tensor{values(rng, ir.Bit, 40), ir.NewTensor(ir.T(ir.Bit, 40))}, nil, nil)
	mustRun(t, "where mux clip join")
}

func TestCasts(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 1))
	for _, from := range all {
		for _, to := range numbers {
			check(t, "cast", []*ir.Tensor{values(rng, from, 3, 200)}, nil, map[string]any{"to": to.String()})
		}
		check(t, "cast", []*ir.Tensor{values(rng, from, 300)}, nil, map[string]any{"to": "bool"})
	}
	mustRun(t, "cast")
}

func TestReductions(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 1))
	for _, op := range strings.Fields("reduce_sum reduce_mean reduce_max reduce_min reduce_prod count") {
		for _, d := range all {
			for i, axes := range [][]int{{}, {0}, {1}, {2}, {0, 2}, {-1, 1}, {0, 1, 2}} {
				check(t, op, []*ir.Tensor{values(rng, d, 3, 5, 70)}, nil, map[string]any{"axes": axes, "keepdims": i%2 == 0})
			}
			check(t, op, []*ir.Tensor{values(rng, d, 3, 0, 2)}, nil, map[string]any{"axes": []int{1}})
			check(t, op, []*ir.Tensor{values(rng, d)}, nil, nil)
		}
	}
	for _, d := range all {
		for i := range 6 {
			check(t, "arg_max", []*ir.Tensor{values(rng, d, 4, 6, 5)}, nil, map[string]any{"axis": i % 3, "select_last": i > 2, "keepdims": i%2 == 0})
		}
		for axis := range 3 {
			check(t, "softmax", []*ir.Tensor{values(rng, d, 4, 6, 5)}, nil, map[string]any{"axis": axis})
			check(t, "softmax", []*ir.Tensor{values(rng, d, 20, 3, 140)}, nil, map[string]any{"axis": axis})
			check(t, "log_softmax", []*ir.Tensor{values(rng, d, 4, 6, 5)}, nil, map[string]any{"axis": axis})
		}
	}
	mustRun(t, "reduce_sum reduce_mean reduce_max reduce_min reduce_prod count arg_max softmax log_softmax")
}

func TestPositions(t *testing.T) {
	rng := rand.New(rand.NewPCG(6, 1))
	for _, d := range all {
		for i, shape := range [][]int{{4, 6, 5}, {1}, {300, 2}, {3, 1, 2}} {
			axis := i % len(shape)
			for _, k := range []int{0, 1, shape[axis]} {
				x := values(rng, d, shape...)
				check(t, "top_k", []*ir.Tensor{x}, nil, map[string]any{"axis": axis, "k": k, "largest": k != 1})
			}
		}
		for _, r := range []string{"none", "add", "mul", "max", "min"} {
			for _, shape := range [][]int{{6, 5}, {3}, {1, 0}, {4, 300}} {
				rows := ir.NewTensor(ir.T(ir.I64, 4))
				for i := range rows.Ints() {
					rows.Ints()[i] = rng.Int64N(int64(2*shape[0])) - int64(shape[0])
				}
				updates := values(rng, d, append([]int{4}, shape[1:]...)...)
				check(t, "scatter", []*ir.Tensor{values(rng, d, shape...), rows, updates}, []bool{false, r == "max"}, map[string]any{"reduction": r})
			}
		}
		for i, s := range shapes {
			check(t, "mod", []*ir.Tensor{values(rng, d, s[0]...), values(rng, d, s[1]...)}, nil, map[string]any{"fmod": d.IsFloat() || i%2 == 0})
		}
	}
	mustRun(t, "top_k scatter mod")
}

func TestLayout(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 1))
	for _, d := range all {
		x := func(s ...int) []*ir.Tensor { return []*ir.Tensor{values(rng, d, s...)} }
		check(t, "transpose", x(2, 3, 4), nil, map[string]any{"perm": []int{2, 0, 1}})
		check(t, "transpose", x(11, 37, 19), nil, map[string]any{"perm": []int{2, 0, 1}})
		check(t, "transpose", x(3, 70, 2, 9), nil, map[string]any{"perm": []int{0, 3, 2, 1}})
		check(t, "reshape", x(2, 3, 4), nil, map[string]any{"shape": []int{4, 6}})
		check(t, "slice", x(5, 6, 7), nil, map[string]any{"starts": []int{1, -1}, "ends": []int{4, -100}, "axes": []int{0, 2}, "steps": []int{2, -3}})
		check(t, "concat", append(x(2, 3), x(2, 1)...), nil, map[string]any{"axis": 1})
		check(t, "split", x(2, 6), nil, map[string]any{"axis": 1, "sizes": []int{1, 3, 2}})
		check(t, "expand", x(3, 1), nil, map[string]any{"shape": []int{2, 1, 4}})
		check(t, "tile", x(2, 3), nil, map[string]any{"repeats": []int{2, 3}})
		for _, mode := range []string{"constant", "edge", "reflect", "wrap"} {
			check(t, "pad", append(x(3, 4), x()...), nil, map[string]any{"pads": []int{1, 2, 0, 5}, "mode": mode})
			check(t, "pad", x(3, 4), nil, map[string]any{"pads": []int{4, -1, 3, 2}, "mode": mode})
		}
		idx := ir.IntTensor(ir.I64, []int64{2, -1, 0, -3}, 2, 2)
		check(t, "gather", []*ir.Tensor{values(rng, d, 2, 3, 2), idx}, nil, map[string]any{"axis": 1})
		check(t, "gather", []*ir.Tensor{values(rng, d, 5, 3), idx}, nil, map[string]any{"axis": 1})
		check(t, "gather_elements", []*ir.Tensor{values(rng, d, 2, 3), ir.IntTensor(ir.I32, []int64{2, -1, 0, -3}, 2, 2)}, nil, map[string]any{"axis": 1})
		check(t, "depth_to_space", x(2, 8, 3, 2), nil, map[string]any{"blocksize": 2, "mode": "CRD"})
		check(t, "resize", x(1, 2, 3, 4), nil, map[string]any{"sizes": []int{1, 2, 5, 3}})
	}
	mustRun(t, "transpose reshape slice concat split expand tile pad gather gather_elements")
}

func TestProducts(t *testing.T) {
	rng := rand.New(rand.NewPCG(6, 1))
	finite := func(d ir.DType, s ...int) *ir.Tensor {
		x := values(rng, d, s...)
		for i := range x.Len() {
			if v := x.Float(i); d.IsFloat() && (math.IsNaN(v) || math.Abs(v) > 1e9) {
				x.SetFloat(i, 1)
			}
		}
		return x
	}
	for _, d := range []ir.DType{ir.F32, ir.F64, ir.I32, ir.I64} {
		for _, s := range [][2][]int{{{3, 5}, {5, 7}}, {{5}, {5, 7}}, {{3, 5}, {5}}, {{5}, {5}}, {{2, 1, 4, 33}, {3, 33, 19}}, {{2, 0}, {0, 3}}, {{40, 20}, {20, 300}}} {
			for _, fixed := range [][]bool{nil, {false, true}, {true, false}} {
				check(t, "matmul", []*ir.Tensor{finite(d, s[0]...), finite(d, s[1]...)}, fixed, nil)
			}
		}
	}
	for _, d := range floats {
		check(t, "gemm", []*ir.Tensor{finite(d, 6, 33), finite(d, 6, 19), finite(d, 19)}, []bool{false, true, true}, map[string]any{"trans_a": true, "alpha": 0.5, "beta": 2.0})
	}
	for _, d := range ints[:6] {
		check(t, "matmul_integer", []*ir.Tensor{finite(d, 3, 5), finite(d, 5, 2), finite(d), finite(d)}, nil, nil)
	}
	for i, c := range []struct {
		x, w  []int
		attrs map[string]any
	}{
		{[]int{1, 3, 9}, []int{4, 3, 3}, nil},
		{[]int{2, 4, 7, 6}, []int{6, 2, 3, 2}, map[string]any{"groups": 2, "pad": []int{1, 0, 2, 1}, "stride": []int{2, 1}}},
		{[]int{1, 6, 4, 5, 18}, []int{6, 1, 2, 3, 3}, map[string]any{"groups": 6, "pad": []int{1, 1, 1, 1, 1, 1}}},
		{[]int{1, 5, 3, 8, 9}, []int{7, 5, 3, 3, 3}, map[string]any{"pad": []int{1, 2, 1, 1, 2, 1}, "dilation": []int{1, 2, 1}, "stride": []int{1, 2, 2}}},
		{[]int{1, 16, 2, 20, 20}, []int{20, 16, 1, 1, 1}, nil},
		{[]int{1, 16, 2, 20, 40}, []int{20, 16, 3, 3, 3}, map[string]any{"pad": []int{1, 1, 1, 1, 1, 1}}},
		{[]int{0, 3, 9}, []int{4, 3, 3}, nil},
	} {
		for _, d := range floats {
			check(t, "conv", []*ir.Tensor{finite(d, c.x...), finite(d, c.w...), finite(d, c.w[0])}, []bool{false, i%2 == 0, true}, c.attrs)
			check(t, "conv", []*ir.Tensor{finite(d, c.x...), finite(d, c.w...)}, nil, c.attrs)
		}
		for _, d := range []ir.DType{ir.U8, ir.I8, ir.I16, ir.I32, ir.Bit, ir.SBit, ir.Tern} {
			for _, to := range []string{"i8", "i16", "i32"} {
				a := map[string]any{"to": to}
				for k, v := range c.attrs {
					a[k] = v
				}
				check(t, "iconv", []*ir.Tensor{finite(d, c.x...), finite(ir.I8, c.w...)}, []bool{false, true}, a)
				check(t, "iconv", []*ir.Tensor{finite(d, c.x...), finite(ir.SBit, c.w...)}, nil, a)
			}
		}
	}
	mustRun(t, "matmul gemm conv iconv")
}

func TestPools(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 1))
	for _, d := range all {
		for _, c := range []struct {
			x     []int
			attrs map[string]any
		}{
			{[]int{2, 3, 9}, map[string]any{"kernel": []int{3}, "stride": []int{2}}},
			{[]int{1, 2, 7, 6}, map[string]any{"kernel": []int{3, 2}, "pad": []int{1, 0, 2, 1}, "stride": []int{2, 1}}},
			{[]int{1, 2, 7, 6}, map[string]any{"kernel": []int{3, 2}, "pad": []int{1, 0, 2, 1}, "stride": []int{2, 3}, "ceil": true}},
			{[]int{1, 2, 4, 5, 8}, map[string]any{"kernel": []int{2, 2, 3}, "dilation": []int{1, 2, 2}, "pad": []int{1, 1, 1, 1, 1, 1}}},
			{[]int{1, 2, 2}, map[string]any{"kernel": []int{100}, "pad": []int{99, 99}}},
			{[]int{1, 3, 9, 40}, map[string]any{"kernel": []int{3, 3}, "stride": []int{2, 2}, "pad": []int{1, 1, 1, 1}}},
			{[]int{1, 2, 5, 65}, map[string]any{"kernel": []int{3, 5}, "stride": []int{1, 3}, "dilation": []int{2, 2}, "pad": []int{2, 4, 1, 0}, "ceil": true}},
			{[]int{1, 2, 3, 4, 20}, map[string]any{"kernel": []int{2, 3, 2}, "pad": []int{1, 0, 1, 0, 1, 20}}},
		} {
			for _, op := range []string{"max_pool", "min_pool", "average_pool"} {
				check(t, op, []*ir.Tensor{values(rng, d, c.x...)}, nil, c.attrs)
			}
			c.attrs["count_include_pad"] = true
			check(t, "average_pool", []*ir.Tensor{values(rng, d, c.x...)}, nil, c.attrs)
		}
		for _, s := range [][]int{{2, 3, 4, 5}, {2, 3}, {2, 3, 0}, {0, 3, 2}, {1, 2, 2, 2, 2, 2}} {
			check(t, "global_average_pool", []*ir.Tensor{values(rng, d, s...)}, nil, nil)
			check(t, "global_max_pool", []*ir.Tensor{values(rng, d, s...)}, nil, nil)
		}
		c := values(rng, d, 3)
		check(t, "batch_norm", []*ir.Tensor{values(rng, d, 2, 3, 4, 5), c, c, c, values(rng, d, 3)}, []bool{false, true, false, true, false}, nil)
	}
	mustRun(t, "max_pool min_pool average_pool batch_norm global_average_pool global_max_pool")
}

func TestRecurrent(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 1))
	finite := func(d ir.DType, s ...int) *ir.Tensor {
		x := ir.NewTensor(ir.T(d, s...))
		for i := range x.Len() {
			x.SetFloat(i, rng.NormFloat64())
		}
		return x
	}
	names := []string{"Relu", "Tanh", "Sigmoid", "Affine", "LeakyRelu", "ThresholdedRelu", "ScaledTanh", "HardSigmoid", "Elu", "Softsign", "Softplus"}
	for i := range 60 {
		d := floats[i%2]
		for _, op := range []struct {
			name        string
			gates, acts int
		}{{"lstm", 4, 3}, {"gru", 3, 2}, {"rnn", 1, 1}} {
			dirs, attrs := 1, map[string]any{"layout": i / 3 % 2}
			switch i % 3 {
			case 1:
				attrs["direction"] = "reverse"
			case 2:
				attrs["direction"], dirs = "bidirectional", 2
			}
			steps, batch, in, h := 1+rng.IntN(4), 1+rng.IntN(3), 1+rng.IntN(20), 1+rng.IntN(20)
			swap := func(a, b int) (int, int) {
				if i/3%2 == 1 {
					return b, a
				}
				return a, b
			}
			a, b := swap(steps, batch)
			s0, s1 := swap(dirs, batch)
			lens := ir.NewTensor(ir.T(ir.I32, batch))
			for j := range lens.Ints() {
				lens.Ints()[j] = rng.Int64N(int64(steps + 1))
			}
			args := []*ir.Tensor{finite(d, a, b, in), finite(d, dirs, op.gates*h, in), finite(d, dirs, op.gates*h, h), finite(d, dirs, 2*op.gates*h), lens, finite(d, s0, s1, h)}
			if op.name == "lstm" {
				args = append(args, finite(d, s0, s1, h), finite(d, dirs, 3*h))
				attrs["input_forget"] = i%5 == 0
			}
			if op.name == "gru" {
				attrs["linear_before_reset"] = i%2 == 0
			}
			if i%4 == 1 {
				for k := 3; k < len(args); k++ {
					if rng.IntN(2) == 0 {
						args[k] = nil
					}
				}
			}
			if i%4 == 2 {
				attrs["clip"] = 0.5
			}
			if i%4 == 3 {
				var acts []string
				for range dirs * op.acts {
					acts = append(acts, names[rng.IntN(len(names))])
				}
				attrs["activations"] = acts
				takes := map[string]int{"Affine": 2, "LeakyRelu": 1, "ThresholdedRelu": 1, "ScaledTanh": 2, "HardSigmoid": 2, "Elu": 1}
				var alphas, betas []float64
				for _, a := range acts {
					if takes[a] > 0 && rng.IntN(4) > 0 {
						alphas = append(alphas, rng.Float64())
					}
					if takes[a] > 1 && rng.IntN(4) > 0 {
						betas = append(betas, rng.Float64())
					}
				}
				attrs["activation_alpha"], attrs["activation_beta"] = alphas, betas
			}
			check(t, op.name, args, []bool{false, i%2 == 0, i%2 == 0, i%3 == 0}, attrs)
		}
	}
	mustRun(t, "lstm gru rnn")
}

func TestQuantLSTM(t *testing.T) {
	rng := rand.New(rand.NewPCG(10, 1))
	for i := range 20 {
		steps, batch, in, h := 1+rng.IntN(4), 1+rng.IntN(3), 1+rng.IntN(9), 1+rng.IntN(9)
		random := func(s ...int) *ir.Tensor {
			x := ir.NewTensor(ir.T(ir.F32, s...))
			for i := range x.Len() {
				x.SetFloat(i, rng.NormFloat64())
			}
			return x
		}
		args := []*ir.Tensor{random(steps, batch, in), random(batch, h), random(1, h)}
		if i%2 == 1 {
			args[0] = random(batch, steps, in)
		}
		for g := range 8 {
			args = append(args, random(h, []int{in, h}[g/4]))
		}
		args = append(args, random(h), random(1), random(), random(h))
		for range 11 {
			args = append(args, ir.Scalar(ir.F32, 0.02+rng.Float64()/8), ir.Scalar(ir.F32, float64(rng.IntN(2))), ir.Scalar(ir.F32, float64(1+rng.IntN(8))))
		}
		fixed := make([]bool, len(args))
		for k := 3; k < len(fixed); k++ {
			fixed[k] = true
		}
		check(t, "quant_lstm_cell", args, fixed, map[string]any{"batch_first": i%2 == 1, "reverse_input": i%3 == 1, "cifg": i%5 == 1})
	}
	mustRun(t, "quant_lstm_cell")
}

func TestQuantizers(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 1))
	positive := func(s ...int) *ir.Tensor {
		x := ir.NewTensor(ir.T(ir.F32, s...))
		for i := range x.Len() {
			x.SetFloat(i, 0.1+rng.Float64())
		}
		return x
	}
	one := func(v float64) *ir.Tensor { return ir.Scalar(ir.F32, v) }
	for _, r := range []string{"ROUND", "HALF_EVEN", "CEIL", "FLOOR", "UP", "DOWN", "ROUND_TO_ZERO", "HALF_UP", "HALF_DOWN"} {
		for i := range 8 {
			x := values(rng, ir.F32, 2, 3, 50)
			attrs := map[string]any{"rounding": r, "signed": i%2 == 0, "narrow": i/2%2 == 0}
			check(t, "quant", []*ir.Tensor{x, positive(3, 1), one(float64(i % 3)), one(float64(1 + i))}, []bool{false, true, true, true}, attrs)
			check(t, "trunc_quant", []*ir.Tensor{x, positive(), one(0), one(8), nil, one(4)}, nil, attrs)
			check(t, "trunc_quant", []*ir.Tensor{x, positive(), one(1), one(8), positive(), one(4)}, nil, attrs)
		}
	}
	check(t, "bipolar_quant", []*ir.Tensor{values(rng, ir.F32, 2, 3, 50), positive(3, 1)}, nil, nil)
	for _, d := range ints {
		for axis := range 3 {
			zero := values(rng, d, []int{2, 3, 5}[axis])
			for i := range zero.Ints() {
				zero.Ints()[i] = zero.Int(i) % 10
			}
			scale := positive(zero.Type.Shape...)
			check(t, "quantize_linear", []*ir.Tensor{values(rng, ir.F32, 2, 3, 5), scale, zero}, []bool{false, true, true}, map[string]any{"axis": axis})
			check(t, "dequantize_linear", []*ir.Tensor{values(rng, d, 2, 3, 5), scale, zero}, []bool{false, true, true}, map[string]any{"axis": axis})
		}
	}
	for _, d := range []ir.DType{ir.U8, ir.I8} {
		z := values(rng, d)
		check(t, "conv_integer", []*ir.Tensor{values(rng, d, 1, 4, 6, 6), values(rng, d, 4, 2, 3, 3), z, z}, []bool{false, true, true, true}, map[string]any{"groups": 2, "pad": []int{1, 1, 1, 1}})
		check(t, "qlinear_conv", []*ir.Tensor{values(rng, d, 1, 4, 6, 6), positive(), z, values(rng, d, 4, 2, 3, 3), positive(4), values(rng, d, 4), positive(), z, values(rng, ir.I32, 4)},
			[]bool{false, true, true, true, true, true, true, true, true}, map[string]any{"groups": 2, "pad": []int{1, 1, 1, 1}})
		check(t, "qlinear_matmul", []*ir.Tensor{values(rng, d, 3, 5), positive(), z, values(rng, d, 5, 2), positive(), z, positive(), z},
			[]bool{false, true, true, true, true, true, true, true}, nil)
	}
	mustRun(t, "quant trunc_quant bipolar_quant quantize_linear dequantize_linear")
}
