package ir_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/billnet/billnet/frontend/bill"
	"github.com/billnet/billnet/ir"
)

// factCases are nodes beside the examples whose attributes decide what they
// read. loose ones read less than their facts say.
var factCases = []struct {
	body  string
	loose bool
}{
	{body: "%1 = const splat 1 : f32[2,4,5,6]\n%2 = const splat 1 : f32[6,2,3,2]\n%3 = const splat 1 : f32[6]\n%4 = conv %1, %2, %3 {groups=2, stride=[2,1], pad=[1,2,0,1], dilation=[1,2]} : f32[2,6,2,7]\nreturn %4 \"y\""},
	{body: "%1 = const splat 1 : f32[1,3,4,4,4]\n%2 = const splat 1 : f32[3,1,3,3,3]\n%3 = conv %1, %2 {groups=3, pad=[1,1,1,1,1,1]} : f32[1,3,4,4,4]\nreturn %3 \"y\""},
	{body: "%1 = const splat 1 : f32[1,2,9]\n%2 = const splat 1 : f32[2,2,1]\n%3 = conv %1, %2 {stride=[3]} : f32[1,2,3]\nreturn %3 \"y\""},
	{body: "%1 = const splat 1 : sbit[1,8,3,5]\n%2 = const splat 1 : sbit[8,2,3,3]\n%3 = bconv %1, %2 {groups=4, pad=[1,1,1,1]} : i32[1,8,3,5]\nreturn %3 \"y\""},
	{body: "%1 = const splat 1 : u8[1,8,3,5]\n%2 = const splat 1 : tern[4,8,1,3]\n%3 = iconv %1, %2 {stride=[2,2], pad=[0,2,0,2], dilation=[1,2]} : i32[1,4,2,3]\nreturn %3 \"y\""},
	{body: "%1 = const splat 1 : f32[2,3,7,5]\n%2 = max_pool %1 {kernel=[3,2], stride=[2,2], pad=[1,0,1,1], ceil=true} : f32[2,3,4,3]\nreturn %2 \"y\""},
	{body: "%1 = const splat 1 : f32[1,2,8]\n%2 = average_pool %1 {kernel=[3], dilation=[2], pad=[2,2]} : f32[1,2,8]\nreturn %2 \"y\""},
	{body: "%1 = const splat 1 : bit[1,2,4,6]\n%2 = min_pool %1 {kernel=[1,3], stride=[1,3]} : bit[1,2,4,2]\nreturn %2 \"y\""},
	{body: "%1 = const splat 1 : f32[3,4]\n%2 = pad %1 {pads=[2,-1,-1,3]} : f32[4,6]\nreturn %2 \"y\""},
	{body: "%1 = const splat 1 : f32[3,4]\n%2 = pad %1 {pads=[0,2,0,1], mode=\"edge\"} : f32[3,7]\nreturn %2 \"y\"", loose: true},
	{body: "%1 = const splat 1 : f32[8,6,3]\n%2 = slice %1 {starts=[6,1], ends=[0,6], steps=[-2,2]} : f32[3,3,3]\nreturn %2 \"y\""},
	{body: "%1 = const splat 1 : f32[2,3,4]\n%2 = const splat 1 : f32[2,1,4]\n%3 = concat %1, %2, %1, %2 {axis=1} : f32[2,8,4]\nreturn %3 \"y\""},
	{body: "%1 = const splat 1 : f32[2,3,4]\n%2 = transpose %1 {perm=[2,0,1]} : f32[4,2,3]\nreturn %2 \"y\""},
	{body: "%1 = const splat 1 : f32[2,1,6,4]\n%2 = reshape %1 {shape=[2,6,4,1,1]} : f32[2,6,4,1,1]\nreturn %2 \"y\""},
	{body: "%1 = const splat 1 : f32[2,6,4]\n%2 = reshape %1 {shape=[2,3,2,4]} : f32[2,3,2,4]\nreturn %2 \"y\"", loose: true},
	{body: "%1 = const splat 1 : f32[4,2]\n%2 = reshape %1 {shape=[2,4]} : f32[2,4]\nreturn %2 \"y\"", loose: true},
	{body: "%1 = const splat 1 : f32[2,7,3]\n%2, %3, %4 = split %1 {axis=1, sizes=[2,4,1]} : f32[2,2,3], f32[2,4,3], f32[2,1,3]\nreturn %2 \"a\", %3 \"b\", %4 \"c\""},
	{body: "%1 = const splat 1 : f32[2,3,4,5]\n%2 = reduce_mean %1 {axes=[2,3], keepdims=false} : f32[2,3]\nreturn %2 \"y\""},
	{body: "%1 = const splat 1 : f32[2,3,4,5]\n%2 = reduce_max %1 {axes=[1], keepdims=false} : f32[2,4,5]\nreturn %2 \"y\""},
	// TGAP: a count over time, rows and columns, compared, chooses by channel.
	{body: "%1 = const splat 1 : bit[1,3,2,2,3]\n%2 = count %1 {axes=[2,3,4]} : i32[1,3,1,1,1]\n%3 = const [5, 6, 7] : i32[3]\n%4 = const [0, 1, 0] : bit[3]\n%5 = threshold %2, %3, %4 : bit[1,3,1,1,1]\n%6 = const splat 0 : bit[1,3,2,2,3]\n%7 = mux_or %5, %6, %1 : bit[1,3,2,2,3]\n%8 = count %1 {axes=[3,4]} : i32[1,3,2,1,1]\nreturn %7 \"y\", %8 \"z\""},
	{body: "%1 = const splat 1 : i32[2,3,4]\n%2 = const [0, 1, 0] : i32[3]\n%3 = const [0, 1, 0] : bit[3]\n%4 = threshold %1, %2, %3 {axis=1} : bit[2,3,4]\n%5 = const [0, 1, 0, 2] : i32[4]\n%6 = const [0, 1, 0, 1] : bit[4]\n%7 = threshold %1, %5, %6 {axis=-1} : bit[2,3,4]\nreturn %4 \"y\", %7 \"z\""},
	{body: "%1 = const splat 1 : bit[2,3,4]\n%2 = const splat 1 : bit[3,1]\n%3 = const splat 1 : bit[2,3,4]\n%4 = mux %2, %1, %3 : bit[2,3,4]\n%5 = bit_and %1, %2 : bit[2,3,4]\nreturn %4 \"y\", %5 \"z\""},
	{body: "%1 = const splat 1 : f32[4,3]\n%2 = const [2, 0] : i64[2]\n%3 = gather %1, %2 {axis=0} : f32[2,3]\n%4 = const [1] : i64[]\n%5 = gather %1, %4 {axis=1} : f32[4]\n%6 = const [2, 0, 2] : i64[3]\n%7 = gather %1, %6 {axis=1} : f32[4,3]\nreturn %3 \"y\", %5 \"z\", %7 \"w\"", loose: true},
	{body: "%1 = const splat 1 : f32[1,8,2,3]\n%2 = depth_to_space %1 {blocksize=2, mode=\"CRD\"} : f32[1,2,4,6]\n%3 = depth_to_space %1 {blocksize=2} : f32[1,2,4,6]\nreturn %2 \"y\", %3 \"z\"", loose: true},
	{body: "%1 = const splat 1 : f32[1,2,3,8]\n%2 = resize %1 {sizes=[1,2,9,4], coordinates=\"asymmetric\", nearest=\"floor\"} : f32[1,2,9,4]\nreturn %2 \"y\""},
	{body: "%1 = const splat 1 : f32[3,2,4]\n%2 = const splat 1 : f32[4,5]\n%3 = matmul %1, %2 : f32[3,2,5]\n%4 = const splat 1 : f32[3,4,2]\n%5 = matmul %1, %4 : f32[3,2,2]\n%6 = const splat 1 : f32[4]\n%7 = matmul %6, %4 : f32[3,2]\nreturn %3 \"y\", %5 \"z\", %7 \"w\""},
	{body: "%1 = const splat 1 : f32[4,3]\n%2 = const splat 1 : f32[5,4]\n%3 = const splat 1 : f32[1,5]\n%4 = gemm %1, %2, %3 {trans_a=true, trans_b=true} : f32[3,5]\nreturn %4 \"y\""},
	{body: "%1 = const splat 1 : u8[2,3]\n%2 = const splat 2 : i8[3,4]\n%3 = const [1, 2] : u8[2]\n%4 = const [1, 2, 3, 0] : i8[4]\n%5 = matmul_integer %1, %2, %3, %4 : i32[2,4]\nreturn %5 \"y\""},
	{body: "%1 = const splat 1 : f32[4,2,3]\n%2 = const splat 0.5 : f32[1,8,3]\n%3 = const splat 0.5 : f32[1,8,2]\n%4, %5, %6 = lstm %1, %2, %3 {hidden=2} : f32[4,1,2,2], f32[1,2,2], f32[1,2,2]\n%7, %8, %9 = lstm %1, %2, %3 {hidden=2, direction=\"reverse\"} : f32[4,1,2,2], f32[1,2,2], f32[1,2,2]\nreturn %4 \"y\", %7 \"z\""},
	{body: "%1 = const splat 1 : f32[2,4,3]\n%2 = const splat 0.5 : f32[2,6,3]\n%3 = const splat 0.5 : f32[2,6,2]\n%4 = const splat 0.5 : f32[2,2,2]\n%5, %6 = gru %1, %2, %3, _, _, %4 {hidden=2, layout=1, direction=\"bidirectional\"} : f32[2,4,2,2], f32[2,2,2]\nreturn %5 \"y\"", loose: true},
	{body: "%1 = const splat 1 : i32[4,2]\n%2 = const [0.5, 1] : f32[2]\n%3 = dequantize_linear %1, %2 {axis=1} : f32[4,2]\n%4 = const splat 1 : f32[2,2]\n%5 = dequantize_linear %1, %4 {axis=0, block_size=2} : f32[4,2]\nreturn %3 \"y\", %5 \"z\""},
}

// looseExamples are operations whose examples read less than their facts say:
// runs of axes as a whole, or what an operand that is no constant chooses.
var looseExamples = []*ir.Op{ir.DepthToSpace, ir.LSTM, ir.Pad, ir.QuantLSTMCell, ir.Reshape, ir.Scan, ir.Scatter, ir.Tile}

type factNode struct {
	n     *ir.Node
	in    []*ir.Tensor
	loose bool
}

// factNodes returns the nodes of the examples and cases, with operands.
func factNodes(t *testing.T) []factNode {
	var out []factNode
	add := func(m *ir.Module, loose func(*ir.Node) bool) {
		vals := map[*ir.Value]*ir.Tensor{}
		_, err := ir.Eval(context.Background(), m.Main(), nil, func(n *ir.Node, results []*ir.Tensor) {
			for i, r := range n.Results {
				vals[r] = results[i]
			}
			if n.Op == ir.Const {
				return
			}
			in := make([]*ir.Tensor, len(n.Args))
			for i, a := range n.Args {
				if a != nil {
					in[i] = vals[a]
				}
			}
			out = append(out, factNode{n, in, loose(n)})
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, op := range ir.Ops() {
		m, err := exampleModule(op)
		if err != nil {
			t.Fatal(err)
		}
		add(m, func(n *ir.Node) bool { return n.Op != op || slices.Contains(looseExamples, n.Op) })
	}
	for _, c := range factCases {
		level := "source"
		m, err := bill.Parse("case", []byte(fmt.Sprintf("bill 1\nmodule \"case\" level=%s\n\nfunc @main() {\n%s\n}\n", level, c.body)), nil)
		if err == nil {
			err = ir.Verify(m)
		}
		if err != nil {
			level = "logic"
			m, err = bill.Parse("case", []byte(fmt.Sprintf("bill 1\nmodule \"case\" level=%s\n\nfunc @main() {\n%s\n}\n", level, c.body)), nil)
		}
		if err != nil {
			t.Fatalf("%v\n%s", err, c.body)
		}
		add(m, func(*ir.Node) bool { return c.loose })
	}
	return out
}

// TestReads changes the elements of an operand that an element of a result does
// not read, and the element stays; of what it reads, every index matters, but
// for nodes that are loose.
func TestReads(t *testing.T) {
	for _, f := range factNodes(t) {
		t.Run(f.n.Op.Name, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(3, 4))
			for r := range f.n.Results {
				for i := range f.n.Args {
					if f.n.Args[i] != nil {
						checkReads(t, rng, f, r, i)
					}
				}
			}
		})
	}
}

func checkReads(t *testing.T, rng *rand.Rand, f factNode, result, operand int) {
	reads, shape := f.n.Reads(result, operand), f.in[operand].Type.Shape
	if len(reads) != len(shape) {
		t.Fatalf("%d reads of %s, which has %d axes", len(reads), f.in[operand].Type, len(shape))
	}
	out := f.n.Results[result].Type
	if out.Elems() == 0 {
		return
	}
	where := func(p int) string {
		return fmt.Sprintf("%s %v: result %d %s at %v, operand %d %s, reads %+v", f.n.Op.Name, f.n.Attrs, result, out, unravel(p, out.Shape), operand, f.in[operand].Type, reads)
	}
	for range 12 {
		p := rng.IntN(out.Elems())
		pos := unravel(p, out.Shape)
		base := vary(rng, f)
		was := evalElement(t, f, base, result, p)
		changed := slices.Clone(base)
		changed[operand] = varyTensor(rng, f, operand, base[operand], func(i int) bool { return !isRead(reads, pos, unravel(i, shape)) })
		if is := evalElement(t, f, changed, result, p); is != was {
			t.Fatalf("%s: the element is %v, and %v when what it does not read changes", where(p), was, is)
		}
		if f.loose || operand > 0 && (f.n.Op.Kind == ir.Windows || f.n.Op.Kind == ir.Recurs) {
			continue // weights under padding do not matter
		}
		for axis := range reads {
			for k := range shape[axis] {
				if !reads[axis].Includes(ofPosition(reads[axis], pos), k) || !anyRead(reads, pos, shape) {
					continue
				}
				if !matters(t, rng, f, result, operand, p, func(i int) bool {
					idx := unravel(i, shape)
					return idx[axis] == k && isRead(reads, pos, idx)
				}) {
					t.Fatalf("%s: index %d of axis %d is read and does not matter", where(p), k, axis)
				}
			}
		}
	}
}

// matters reports whether changes of the chosen elements of an operand change an
// element of a result, whatever the other operands are.
func matters(t *testing.T, rng *rand.Rand, f factNode, result, operand, p int, chosen func(i int) bool) bool {
	for range 200 {
		base := vary(rng, f)
		changed := slices.Clone(base)
		changed[operand] = varyTensor(rng, f, operand, base[operand], chosen)
		if evalElement(t, f, base, result, p) != evalElement(t, f, changed, result, p) {
			return true
		}
	}
	return false
}

// anyRead reports whether a position reads any element at all.
func anyRead(reads []ir.Read, pos, shape []int) bool {
	for a, r := range reads {
		any := false
		for k := range shape[a] {
			any = any || r.Includes(ofPosition(r, pos), k)
		}
		if !any {
			return false
		}
	}
	return true
}

func ofPosition(r ir.Read, pos []int) int {
	if r.Of < 0 || len(pos) == 0 {
		return 0
	}
	return pos[r.Of]
}

func isRead(reads []ir.Read, pos, idx []int) bool {
	for a, r := range reads {
		if !r.Includes(ofPosition(r, pos), idx[a]) {
			return false
		}
	}
	return true
}

func unravel(i int, shape []int) []int {
	idx := make([]int, len(shape))
	for a := len(shape) - 1; a >= 0; a-- {
		idx[a] = i % shape[a]
		i /= shape[a]
	}
	return idx
}

// vary returns new operands like those of a node.
func vary(rng *rand.Rand, f factNode) []*ir.Tensor {
	out := make([]*ir.Tensor, len(f.in))
	for i, x := range f.in {
		if x != nil {
			out[i] = varyTensor(rng, f, i, x, func(int) bool { return true })
		}
	}
	return out
}

// varyTensor changes the chosen elements of an operand. Indices move among those
// that are there; what a fact reads off a constant stays.
func varyTensor(rng *rand.Rand, f factNode, operand int, x *ir.Tensor, chosen func(i int) bool) *ir.Tensor {
	y := ir.NewTensor(ir.T(x.Type.DType, x.Type.Shape...))
	for i := range y.Len() {
		y.SetFloat(i, x.Float(i))
	}
	p := f.n.Op.Operand(operand)
	if p.Index && (f.n.Op == ir.Gather || f.n.Op == ir.LSTM) {
		return y
	}
	for i := range y.Len() {
		switch {
		case !chosen(i):
		case p.Index && x.Type.DType.IsInt():
			y.SetFloat(i, f.in[operand].Float(rng.IntN(x.Len())))
		case p.Name == "var":
			y.SetFloat(i, math.Abs(rng.NormFloat64())+0.1)
		case x.Type.DType.IsFloat():
			y.SetFloat(i, []float64{rng.NormFloat64() * 3, rng.NormFloat64() * 3, f.in[operand].Float(rng.IntN(x.Len())), float64(rng.IntN(5) - 2)}[rng.IntN(4)])
		case x.Type.DType == ir.SBit:
			y.SetFloat(i, float64(rng.IntN(2)*2-1))
		case x.Type.DType == ir.Tern:
			y.SetFloat(i, float64(rng.IntN(3)-1))
		case x.Type.DType == ir.Bit || x.Type.DType == ir.Bool:
			y.SetFloat(i, float64(rng.IntN(2)))
		default:
			y.SetFloat(i, f.in[operand].Float(rng.IntN(x.Len()))+float64(rng.IntN(15)-7))
		}
	}
	return y
}

// evalElement returns the bits of an element of a result.
func evalElement(t *testing.T, f factNode, in []*ir.Tensor, result, p int) uint64 {
	t.Helper()
	out, err := ir.EvalNode(f.n, in)
	if err != nil {
		return 0 // an integer division by zero
	}
	if v := out[result].Float(p); v == v {
		return math.Float64bits(v)
	}
	return math.Float64bits(math.NaN())
}

// TestSlopes raises elements of an operand: no element of a result falls where
// the operand's slope is rising, none rises where it is falling.
func TestSlopes(t *testing.T) {
	for _, f := range factNodes(t) {
		t.Run(f.n.Op.Name, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(5, 6))
			for i, a := range f.n.Args {
				if a == nil || f.n.Slope(i) == ir.Unknown {
					continue
				}
				for range 60 {
					checkSlope(t, rng, f, i)
				}
			}
		})
	}
}

func checkSlope(t *testing.T, rng *rand.Rand, f factNode, operand int) {
	low, high := make([]*ir.Tensor, len(f.in)), make([]*ir.Tensor, len(f.in))
	for i, x := range f.in {
		if x == nil {
			continue
		}
		low[i] = x
		if ir.ConstOf(f.n.Args[i]) == nil || i == operand || !f.n.Op.Operand(i).Index && f.n.Slope(i) != ir.Unknown {
			low[i] = tame(varyTensor(rng, f, i, x, func(int) bool { return true }), 8*(len(f.in)-i))
		}
	}
	copy(high, low)
	high[operand] = tame(varyTensor(rng, f, operand, low[operand], func(int) bool { return rng.IntN(2) == 0 }), 8*(len(f.in)-operand))
	for i := range high[operand].Len() {
		high[operand].SetFloat(i, max(high[operand].Float(i), low[operand].Float(i)))
	}
	a, err1 := ir.EvalNode(f.n, low)
	b, err2 := ir.EvalNode(f.n, high)
	if err1 != nil || err2 != nil {
		return
	}
	for r := range a {
		for i := range a[r].Len() {
			if d := (b[r].Float(i) - a[r].Float(i)) * float64(f.n.Slope(operand)); d < 0 {
				t.Fatalf("%s %v: operand %d is %v-sloped, from %v to %v result %d goes from %v to %v", f.n.Op.Name, f.n.Attrs, operand, f.n.Slope(operand), low[operand], high[operand], r, a[r].Float(i), b[r].Float(i))
			}
		}
	}
}

// tame puts integers between first and first+7, where sums and differences do not
// wrap, and 0 for NaN.
func tame(x *ir.Tensor, first int) *ir.Tensor {
	for i := range x.Len() {
		if v := x.Float(i); v != v {
			x.SetFloat(i, 0)
		} else if x.Type.DType.IsInt() {
			x.SetFloat(i, float64(first+int(math.Abs(v))%8))
		}
	}
	return x
}

// TestValues: elements that are taken are among the operands' or a fill, folded
// ones but for their sign, or 0 or 1 in magnitude.
func TestValues(t *testing.T) {
	for _, f := range factNodes(t) {
		if f.n.Op.Rounds() || f.n.Op == ir.Relayout {
			continue
		}
		t.Run(f.n.Op.Name, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(7, 8))
			in := vary(rng, f)
			out, err := ir.EvalNode(f.n, in)
			if err != nil {
				t.Fatal(err)
			}
			known := []float64{0, math.Inf(1)} // fills
			if !f.n.Op.Takes() {
				known = append(known, 1)
			}
			for i, x := range in {
				for k := 0; x != nil && !f.n.Op.Operand(i).Index && k < x.Len(); k++ {
					known = append(known, math.Abs(x.Float(k)))
				}
			}
			for _, y := range out {
				lo, _ := y.Type.DType.Range()
				for i := range y.Len() {
					if v := y.Float(i); v == v && !slices.Contains(known, math.Abs(v)) && v != float64(lo) {
						t.Fatalf("result %v is none of the operands' elements", v)
					}
				}
			}
		})
	}
}

// TestKinds: the kind says what infers and evaluates: an elementwise result has
// the operands' broadcast shape, a reduction no larger one, and everything that
// multiplies counts its work.
func TestKinds(t *testing.T) {
	for _, op := range ir.Ops() {
		if op.Kind.String() == "none" {
			t.Errorf("%s has no kind", op.Name)
		}
		weights := op.Kind == ir.Windows && len(op.Operands) > 1 || op.Kind == ir.Multiplies || op.Kind == ir.Recurs
		if weights != (op.Work != nil) {
			t.Errorf("%s (%s): Work is there: %v, expected %v", op.Name, op.Kind, op.Work != nil, weights)
		}
		if op.Reads == nil && op.Kind != ir.Elementwise && op.Kind != ir.Holds && op != ir.DynamicQuantizeLinear {
			t.Errorf("%s (%s) does not say what it reads", op.Name, op.Kind)
		}
	}
	for _, f := range factNodes(t) {
		shape, err := f.n.In(0).Shape, error(nil)
		for i, a := range f.n.Args {
			if a != nil && err == nil && i > 0 {
				shape, err = ir.Broadcast(shape, a.Type.Shape)
			}
		}
		y := f.n.Results[0].Type
		switch f.n.Op.Kind {
		case ir.Elementwise:
			if err != nil || !ir.SameShape(shape, y.Shape) {
				t.Errorf("%s is elementwise, operands have the shape %v and the result %v", f.n.Op.Name, shape, y.Shape)
			}
		case ir.Channelwise:
			if !ir.SameShape(f.n.In(0).Shape, y.Shape) {
				t.Errorf("%s is channelwise, its operand is %s and its result %s", f.n.Op.Name, f.n.In(0), y)
			}
		case ir.Reduces:
			if y.Elems() > max(f.n.In(0).Elems(), 1) && f.n.In(0).Elems() > 0 {
				t.Errorf("%s reduces %s to %s", f.n.Op.Name, f.n.In(0), y)
			}
		}
	}
}

// TestSpan: the range that positions read is the smallest one that holds every
// index that one of them includes.
func TestSpan(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 10))
	for range 20000 {
		r := ir.Read{Kind: ir.ReadKind(rng.IntN(int(ir.ReadFuture) + 1))}
		r.Window = ir.AxisWindow{Kernel: 1 + rng.IntN(4), Stride: rng.IntN(7) - 3, Dilation: 1 + rng.IntN(3), Pad: rng.IntN(9) - 4, Share: 1 + rng.IntN(3)}
		size, from := rng.IntN(9), rng.IntN(6)
		to := from + rng.IntN(5)
		if r.Kind == ir.ReadSame || r.Kind == ir.ReadPast || r.Kind == ir.ReadFuture {
			size = max(size, to)
		}
		lo, hi := -1, 0
		for p := from; p < to; p++ {
			for i := range size {
				if r.Includes(p, i) {
					if lo < 0 {
						lo = i
					}
					lo, hi = min(lo, i), max(hi, i+1)
				}
			}
		}
		lo = max(lo, 0)
		if a, b := r.Span(from, to, size); (a != lo || b != hi) && !(a == b && lo == hi) {
			t.Fatalf("%+v: positions %d to %d of %d read %d to %d, the span is %d to %d", r, from, to, size, lo, hi, a, b)
		}
	}
}
