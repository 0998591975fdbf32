package cases

import (
	"context"
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/billnet/billnet/frontend/onnx"
	"github.com/billnet/billnet/frontend/onnx/onnxpb"
	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/tests/hostile"
)

var (
	nan, inf = float32(math.NaN()), float32(math.Inf(1))
	largest  = float32(math.MaxFloat32)
)

// one is a model of one operator over input x, whose other inputs are constants;
// "" leaves an input out.
func one(opset int64, op string, inputs string, consts []*onnxpb.Tensor, attrs ...*onnxpb.Attribute) *onnxpb.Model {
	return model(opset, &onnxpb.Graph{
		Output: untyped("y"), Initializer: consts,
		Node: []*onnxpb.Node{{OpType: op, Input: strings.Split(inputs, " "), Output: []string{"y"}, Attribute: attrs}},
	})
}

func model(opset int64, g *onnxpb.Graph) *onnxpb.Model {
	return &onnxpb.Model{IrVersion: 8, OpsetImport: []*onnxpb.OperatorSet{{Version: opset}}, Graph: g}
}

func untyped(names ...string) (out []*onnxpb.ValueInfo) {
	for _, name := range names {
		out = append(out, &onnxpb.ValueInfo{Name: name})
	}
	return out
}

func typed(name string, dtype int32, dims ...int64) *onnxpb.ValueInfo {
	shape := &onnxpb.Shape{}
	for _, d := range dims {
		shape.Dim = append(shape.Dim, &onnxpb.Dimension{Value: &onnxpb.Dimension_DimValue{DimValue: d}})
	}
	return &onnxpb.ValueInfo{Name: name, Type: &onnxpb.Type{Value: &onnxpb.Type_TensorType{TensorType: &onnxpb.TensorType{ElemType: dtype, Shape: shape}}}}
}

func floats(name string, v ...float32) *onnxpb.Tensor {
	return &onnxpb.Tensor{Name: name, DataType: 1, Dims: []int64{int64(len(v))}, FloatData: v}
}

func scalar(name string, v float32) *onnxpb.Tensor {
	return &onnxpb.Tensor{Name: name, DataType: 1, FloatData: []float32{v}}
}

func int64s(name string, v ...int64) *onnxpb.Tensor {
	return &onnxpb.Tensor{Name: name, DataType: 7, Dims: []int64{int64(len(v))}, Int64Data: v}
}

func shaped(t *onnxpb.Tensor, dims ...int64) *onnxpb.Tensor { t.Dims = dims; return t }

func attrInts(name string, v ...int64) *onnxpb.Attribute {
	return &onnxpb.Attribute{Name: name, Type: 7, Ints: v}
}

func attrInt(name string, v int64) *onnxpb.Attribute {
	return &onnxpb.Attribute{Name: name, Type: 2, I: v}
}

func attrText(name, v string) *onnxpb.Attribute {
	return &onnxpb.Attribute{Name: name, Type: 3, S: []byte(v)}
}

// counted are the numbers from 0 on.
func counted(n int) []float32 {
	v := make([]float32, n)
	for i := range v {
		v[i] = float32(i)
	}
	return v
}

// TestValues runs models of one operator in all forms and compares with what
// ONNX's text, and its runtimes where the text leaves room, give.
func TestValues(t *testing.T) {
	scale := func(s ...float32) []*onnxpb.Tensor { return []*onnxpb.Tensor{floats("s", s...)} }
	pads := func(p ...int64) []*onnxpb.Tensor { return []*onnxpb.Tensor{int64s("p", p...)} }
	byHand := one(13, "Neg", "x", nil)
	byHand.Graph.Output = []*onnxpb.ValueInfo{typed("y", 1, 1, -1)}
	for name, c := range map[string]struct {
		m     *onnxpb.Model
		shape []int64 // of x, filled with 0, 1, 2 ... where there is none
		x     []float32
		want  []float32
	}{
		"Clip without bounds":           {m: one(13, "Clip", "x", nil), shape: []int64{4}, x: []float32{-inf, inf, nan, 2}, want: []float32{-largest, largest, nan, 2}},
		"Clip without a lower bound":    {m: one(13, "Clip", "x  hi", []*onnxpb.Tensor{scalar("hi", 1)}), shape: []int64{4}, x: []float32{-inf, inf, nan, 2}, want: []float32{-largest, 1, nan, 1}},
		"Clip without an upper bound":   {m: one(13, "Clip", "x lo", []*onnxpb.Tensor{scalar("lo", -1)}), shape: []int64{4}, x: []float32{-inf, inf, nan, 2}, want: []float32{-1, largest, nan, 2}},
		"Clip to infinity":              {m: one(13, "Clip", "x lo hi", []*onnxpb.Tensor{scalar("lo", -inf), scalar("hi", inf)}), shape: []int64{3}, x: []float32{-inf, inf, nan}, want: []float32{-inf, inf, nan}},
		"Clip by NaN":                   {m: one(13, "Clip", "x lo hi", []*onnxpb.Tensor{scalar("lo", nan), scalar("hi", 1)}), shape: []int64{3}, x: []float32{-5, 5, nan}, want: []float32{-5, 1, nan}},
		"Clip of operator set 6":        {m: one(6, "Clip", "x", nil), shape: []int64{2}, x: []float32{-inf, inf}, want: []float32{-largest, largest}},
		"Resize 10 by 0.7":              {m: one(13, "Resize", "x  s", scale(0.7), attrText("coordinate_transformation_mode", "asymmetric"), attrText("nearest_mode", "floor")), shape: []int64{10}, want: []float32{0, 1, 2, 4, 5, 7, 8}},
		"Resize 10 by 1.3":              {m: one(13, "Resize", "x  s", scale(1.3), attrText("coordinate_transformation_mode", "asymmetric"), attrText("nearest_mode", "floor")), shape: []int64{10}, want: []float32{0, 0, 1, 2, 3, 3, 4, 5, 6, 6, 7, 8, 9}},
		"Resize 10 by 0.9":              {m: one(13, "Resize", "x  s", scale(0.9), attrText("coordinate_transformation_mode", "asymmetric"), attrText("nearest_mode", "floor")), shape: []int64{10}, want: []float32{0, 1, 2, 3, 4, 5, 6, 7, 8}},
		"Resize 7 by 0.5":               {m: one(13, "Resize", "x  s", scale(0.5), attrText("coordinate_transformation_mode", "asymmetric"), attrText("nearest_mode", "floor")), shape: []int64{7}, want: []float32{0, 2, 4}},
		"Resize, half up":               {m: one(13, "Resize", "x   n", []*onnxpb.Tensor{int64s("n", 14)}, attrText("coordinate_transformation_mode", "asymmetric"), attrText("nearest_mode", "round_prefer_ceil")), shape: []int64{13}, want: []float32{0, 1, 2, 3, 4, 5, 6, 7, 7, 8, 9, 10, 11, 12}},
		"Resize, half down":             {m: one(13, "Resize", "x   n", []*onnxpb.Tensor{int64s("n", 2)}, attrText("nearest_mode", "round_prefer_floor")), shape: []int64{4}, want: []float32{0, 2}},
		"Resize of set 10, smaller":     {m: one(10, "Resize", "x s", scale(0.6)), shape: []int64{5}, want: []float32{0, 2, 4}},
		"Resize of set 10, larger":      {m: one(10, "Resize", "x s", scale(1.6)), shape: []int64{5}, want: []float32{0, 0, 1, 1, 2, 3, 3, 4}},
		"Resize of set 10, both":        {m: one(10, "Resize", "x s", scale(0.6, 2)), shape: []int64{5, 2}, want: []float32{0, 0, 1, 1, 4, 4, 5, 5, 8, 8, 9, 9}},
		"MaxPool larger than the map":   {m: one(12, "MaxPool", "x", nil, attrInts("kernel_shape", 3, 3), attrInts("strides", 2, 2), attrInt("ceil_mode", 1)), shape: []int64{1, 1, 2, 2}, want: []float32{3}},
		"MaxPool far larger":            {m: one(12, "MaxPool", "x", nil, attrInts("kernel_shape", 4), attrInts("strides", 3), attrInt("ceil_mode", 1)), shape: []int64{1, 1, 2}, want: []float32{1}},
		"MaxPool of a single element":   {m: one(12, "MaxPool", "x", nil, attrInts("kernel_shape", 2, 3), attrInts("strides", 2, 3), attrInt("ceil_mode", 1)), shape: []int64{1, 1, 1, 1}, want: []float32{0}},
		"Compress":                      {m: one(11, "Compress", "x k", []*onnxpb.Tensor{{Name: "k", DataType: 9, Dims: []int64{3}, Int32Data: []int32{0, 1, 1}}}, attrInt("axis", -1)), shape: []int64{2, 4}, want: []float32{1, 2, 5, 6}},
		"Compress of all elements":      {m: one(11, "Compress", "x k", []*onnxpb.Tensor{{Name: "k", DataType: 9, Dims: []int64{6}, Int32Data: []int32{0, 0, 1, 0, 0, 1}}}), shape: []int64{2, 4}, want: []float32{2, 5}},
		"Resize of a crop to the end":   {m: one(13, "Resize", "x roi  n", []*onnxpb.Tensor{floats("roi", 0.2, 1.2), int64s("n", 6)}, attrText("coordinate_transformation_mode", "tf_crop_and_resize"), attrText("nearest_mode", "floor")), shape: []int64{8}, want: []float32{1, 2, 4, 5, 7, 0}},
		"AveragePool larger":            {m: one(12, "AveragePool", "x", nil, attrInts("kernel_shape", 3), attrInts("strides", 2), attrInt("ceil_mode", 1)), shape: []int64{1, 1, 2}, want: []float32{0.5}},
		"AveragePool in the padding":    {m: one(22, "AveragePool", "x", nil, attrInts("kernel_shape", 2), attrInts("pads", 0, 2), attrInt("ceil_mode", 1)), shape: []int64{1, 1, 5}, want: []float32{0.5, 1.5, 2.5, 3.5, 4}},
		"MaxPool that rounds up":        {m: one(12, "MaxPool", "x", nil, attrInts("kernel_shape", 3), attrInts("strides", 2), attrInts("pads", 1, 1), attrInt("ceil_mode", 1)), shape: []int64{1, 1, 6}, want: []float32{1, 3, 5, 5}},
		"Pad, wrap behind a cut":        {m: one(19, "Pad", "x p", pads(-1, 2), attrText("mode", "wrap")), shape: []int64{4}, want: []float32{1, 2, 3, 1, 2}},
		"Pad, reflect behind a cut":     {m: one(19, "Pad", "x p", pads(-1, 2), attrText("mode", "reflect")), shape: []int64{4}, want: []float32{1, 2, 3, 2, 1}},
		"Pad, edge before a cut":        {m: one(19, "Pad", "x p", pads(2, -1), attrText("mode", "edge")), shape: []int64{3}, want: []float32{0, 0, 0, 1}},
		"Slice by an enormous step":     {m: one(13, "Slice", "x b e a s", []*onnxpb.Tensor{int64s("b", -1), int64s("e", math.MinInt64), int64s("a", 0), int64s("s", math.MinInt64)}), shape: []int64{3}, want: []float32{2}},
		"MaxPool by an enormous stride": {m: one(12, "MaxPool", "x", nil, attrInts("kernel_shape", 2), attrInts("strides", 1<<40)), shape: []int64{1, 1, 4}, want: []float32{1}},
		"Max of NaN":                    {m: one(13, "Max", "x k", []*onnxpb.Tensor{floats("k", 1, nan, inf)}), shape: []int64{3}, x: []float32{nan, 1, -inf}, want: []float32{nan, nan, inf}},
		"Softplus far below 0":          {m: one(13, "Softplus", "x", nil), shape: []int64{3}, x: []float32{-20, -30, -60}, want: []float32{2.0611537e-09, 9.357623e-14, 8.756511e-27}},
		"Relu of NaN":                   {m: one(14, "Relu", "x", nil), shape: []int64{3}, x: []float32{nan, -inf, inf}, want: []float32{nan, 0, inf}},
		"a result declared by hand":     {m: byHand, shape: []int64{2}, x: []float32{1, 2}, want: []float32{-1, -2}},
		"a dimension of -1":             {m: one(13, "Neg", "x", nil), shape: []int64{-1, 2}, x: []float32{1, 2}, want: []float32{-1, -2}},
	} {
		t.Run(name, func(t *testing.T) {
			c.m.Graph.Input = []*onnxpb.ValueInfo{typed("x", 1, c.shape...)}
			if c.x == nil {
				n := 1
				for _, d := range c.shape {
					n *= int(d)
				}
				c.x = counted(n)
			}
			if err := gives(t.Context(), c.m, c.x, c.want); err != nil {
				t.Error(err)
			}
		})
	}
}

// gives compiles a model of one input and one output and compares every form.
func gives(ctx context.Context, p *onnxpb.Model, x, want []float32) error {
	data, err := proto.Marshal(p)
	if err != nil {
		return err
	}
	m, _, err := onnx.ImportBytes(ctx, "model.onnx", data, onnx.Options{})
	if err != nil {
		return err
	}
	in := ir.FloatTensor(x, m.Main().Params[0].Value.Type.Shape...)
	b, err := build(ctx, m)
	if err != nil {
		return err
	}
	return b.run(ctx, []*ir.Tensor{in}, func(out []*ir.Tensor) error {
		return compare("y", out[0].Reshape(out[0].Len()), ir.FloatTensor(want, len(want)), 0)
	})
}

// TestRefused gives models with a mistake, or larger than limits: the error names
// the node and the values and is no fault of the compiler.
func TestRefused(t *testing.T) {
	x := func(dims ...int64) []*onnxpb.ValueInfo { return []*onnxpb.ValueInfo{typed("x", 1, dims...)} }
	contradiction := one(13, "Resize", "x  s", []*onnxpb.Tensor{floats("s", 0.7)})
	contradiction.Graph.Output = []*onnxpb.ValueInfo{typed("y", 1, 5)}
	between := model(13, &onnxpb.Graph{
		Input: x(2, 3), Output: untyped("y"), ValueInfo: []*onnxpb.ValueInfo{typed("h", 7, 2, 3)},
		Node: []*onnxpb.Node{{OpType: "Relu", Name: "r", Input: []string{"x"}, Output: []string{"h"}}, {OpType: "Neg", Input: []string{"h"}, Output: []string{"y"}}},
	})
	foreign := func(op string) *onnxpb.Model {
		m := one(13, op, "x", nil)
		m.Graph.Node[0].Domain = "com.acme"
		m.OpsetImport = append(m.OpsetImport, &onnxpb.OperatorSet{Domain: "com.acme", Version: 1})
		return m
	}
	for name, c := range map[string]struct {
		m     *onnxpb.Model
		input []*onnxpb.ValueInfo
		want  string
	}{
		"a letter too many":      {one(13, "Relux", "x", nil), x(3), `Relux: there is no such operator; did you mean "Relu"\? \(node "Relux#0"\)`},
		"capitals":               {one(13, "softMax", "x", nil), x(3), `softMax: there is no such operator; did you mean "Softmax"\?`},
		"another domain":         {foreign("Relu"), x(3), `com\.acme\.Relu: ONNX's own Relu has no domain`},
		"a custom operator":      {foreign("Fancy"), x(3), `com\.acme\.Fancy: a custom operator: define it as a function`},
		"declared size":          {contradiction, x(10), `node "Resize#0" \(Resize\): output "y" is f32\[7\], but the file declares it as float32\[5\]`},
		"declared type":          {between, x(2, 3), `node "r" \(Relu\): output "h" is f32\[2,3\], but the file declares it as int64\[2,3\]`},
		"index out of range":     {one(13, "Gather", "x i", []*onnxpb.Tensor{int64s("i", 3)}), x(3), `node "Gather#0" \(Gather\): indices element 0 is 3, expected -3 to 2`},
		"no input channels":      {one(13, "Conv", "x w", []*onnxpb.Tensor{{Name: "w", DataType: 1, Dims: []int64{2, 0, 1}, FloatData: nil}}), x(1, 0, 4), `no input channels|empty`},
		"nothing left to wrap":   {one(19, "Pad", "x p", []*onnxpb.Tensor{int64s("p", -3, 4)}, attrText("mode", "wrap")), x(3), `leaves no elements to pad with`},
		"padding":                {one(13, "MaxPool", "x", nil, attrInts("kernel_shape", 1<<30), attrText("auto_pad", "SAME_UPPER")), x(1, 1, 64), `padding of \d+ elements`},
		"a value over the arena": {one(13, "Expand", "x s", []*onnxpb.Tensor{int64s("s", 1<<15, 1<<15)}), x(1), `too large for bytecode`},
	} {
		t.Run(name, func(t *testing.T) {
			c.m.Graph.Input = c.input
			data, err := proto.Marshal(c.m)
			if err != nil {
				t.Fatal(err)
			}
			v := hostile.Try(data)
			if v.Fault != "" || v.Err == nil || !regexp.MustCompile(c.want).MatchString(v.Err.Error()) {
				t.Errorf("expected a refusal like %q, got %v %s", c.want, v.Err, v.Fault)
			}
		})
	}
}

// TestBounded gives models of a few hundred bytes that ask for all memory or time.
func TestBounded(t *testing.T) {
	loop := func(body *onnxpb.Graph) *onnxpb.Node {
		return &onnxpb.Node{OpType: "Loop", Input: []string{"n", "", "x"}, Output: []string{"y"}, Attribute: []*onnxpb.Attribute{{Name: "body", Type: 5, G: body}}}
	}
	body := &onnxpb.Graph{
		Input: []*onnxpb.ValueInfo{typed("i0", 7), typed("c0", 9), typed("s0", 1, 1)}, Output: untyped("c0", "t0"),
		Node: []*onnxpb.Node{{OpType: "Neg", Input: []string{"s0"}, Output: []string{"t0"}}},
	}
	for depth := range 4 {
		inner := loop(body)
		s, d := string(rune('a'+depth)), string(rune('A'+depth))
		inner.Input[2], inner.Output[0] = s, d
		body = &onnxpb.Graph{Input: []*onnxpb.ValueInfo{typed("i"+s, 7), typed("c"+s, 9), typed(s, 1, 1)}, Output: untyped("c"+s, d), Node: []*onnxpb.Node{inner}}
	}
	var shapes []*onnxpb.Node
	for i := range 50 {
		shapes = append(shapes, &onnxpb.Node{OpType: "ConstantOfShape", Input: []string{"big"}, Output: []string{"k" + string(rune('a'+i))}})
	}
	sum := &onnxpb.Node{OpType: "Sum", Output: []string{"y"}}
	for _, n := range shapes {
		sum.Input = append(sum.Input, n.Output[0])
	}
	n := &onnxpb.Tensor{Name: "n", DataType: 7, Int64Data: []int64{1 << 20}}
	for name, g := range map[string]*onnxpb.Graph{
		"loops in loops":      {Initializer: []*onnxpb.Tensor{n}, Node: []*onnxpb.Node{loop(body)}},
		"constants of shapes": {Initializer: []*onnxpb.Tensor{int64s("big", 1<<13, 1<<13)}, Node: append(slices.Clone(shapes), sum)},
		"a product of constants": {Initializer: []*onnxpb.Tensor{int64s("big", 1<<13, 1<<13)}, Node: append(slices.Clone(shapes[:2]),
			&onnxpb.Node{OpType: "MatMul", Input: []string{"ka", "kb"}, Output: []string{"y"}})},
		"an enormous window": {Node: []*onnxpb.Node{{OpType: "MaxPool", Input: []string{"x4"}, Output: []string{"y"}, Attribute: []*onnxpb.Attribute{
			attrInts("kernel_shape", 1<<31-2), attrText("auto_pad", "SAME_UPPER")}}}},
		"a range": {Initializer: []*onnxpb.Tensor{scalar("zero", 0), scalar("one", 1), scalar("end", 1e9)}, Node: []*onnxpb.Node{
			{OpType: "Range", Input: []string{"zero", "end", "one"}, Output: []string{"y"}}}},
		"channels without end": {Node: []*onnxpb.Node{
			{OpType: "Cast", Input: []string{"wide"}, Output: []string{"f"}, Attribute: []*onnxpb.Attribute{attrInt("to", 1)}},
			{OpType: "Sign", Input: []string{"f"}, Output: []string{"y"}}}},
	} {
		t.Run(name, func(t *testing.T) {
			g.Input = []*onnxpb.ValueInfo{typed("x", 1, 1), typed("x4", 11, 1, 1, 1000000), typed("wide", 2, 1, 1<<28)}
			g.Output = untyped("y")
			data, err := proto.Marshal(model(17, g))
			if err != nil {
				t.Fatal(err)
			}
			if v := hostile.Try(data); v.Fault != "" {
				t.Error(v.Fault)
			}
		})
	}
}

// TestBodiesApart: constants of two bodies may have one name.
func TestBodiesApart(t *testing.T) {
	branch := func(k float32) *onnxpb.Attribute {
		return &onnxpb.Attribute{Name: "body", Type: 5, G: &onnxpb.Graph{
			Input: []*onnxpb.ValueInfo{typed("i", 7), typed("c", 9), typed("s", 1, 1)}, Output: untyped("c", "t"), Initializer: []*onnxpb.Tensor{floats("k", k)},
			Node: []*onnxpb.Node{{OpType: "Add", Input: []string{"s", "k"}, Output: []string{"t"}}},
		}}
	}
	n := &onnxpb.Tensor{Name: "n", DataType: 7, Int64Data: []int64{2}}
	m := model(17, &onnxpb.Graph{
		Input: []*onnxpb.ValueInfo{typed("x", 1, 1)}, Output: untyped("y"), Initializer: []*onnxpb.Tensor{n},
		Node: []*onnxpb.Node{
			{OpType: "Loop", Input: []string{"n", "", "x"}, Output: []string{"h"}, Attribute: []*onnxpb.Attribute{branch(1)}},
			{OpType: "Loop", Input: []string{"n", "", "h"}, Output: []string{"y"}, Attribute: []*onnxpb.Attribute{branch(10)}},
		},
	})
	if err := gives(t.Context(), m, []float32{0}, []float32{22}); err != nil {
		t.Error(err)
	}
}

// TestSmallBytecode: what repeats, as an exporter writes a bias that was expanded,
// is not stored.
func TestSmallBytecode(t *testing.T) {
	m := model(13, &onnxpb.Graph{
		Input: []*onnxpb.ValueInfo{typed("x", 1, 1, 8, 64, 64)}, Output: untyped("y"),
		Initializer: []*onnxpb.Tensor{shaped(floats("b", 1, 2, 3, 4, 5, 6, 7, 8), 1, 8, 1, 1), int64s("shape", 1, 8, 64, 64)},
		Node: []*onnxpb.Node{
			{OpType: "Expand", Input: []string{"b", "shape"}, Output: []string{"e"}},
			{OpType: "Neg", Input: []string{"e"}, Output: []string{"ne"}},
			{OpType: "Add", Input: []string{"x", "ne"}, Output: []string{"y"}},
		},
	})
	b, _ := compiled(t, m)
	if len(b.file) > 2000 {
		t.Errorf("%d bytes of bytecode for 8 numbers", len(b.file))
	}
}
