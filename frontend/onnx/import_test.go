package onnx

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/billnet/billnet/frontend/onnx/onnxpb"
	"github.com/billnet/billnet/ir"
)

// modelCase is a model of the collection with inputs and expected outputs.
type modelCase struct {
	path   string // without .onnx
	opt    Options
	inputs []string
	want   string
	batch  bool // inputs and outputs hold several clips, run one at a time
	long   bool // takes seconds
}

// modelCases lists the models whose outputs are known.
func modelCases(t testing.TB) []modelCase {
	t.Helper()
	var cases []modelCase
	files, err := filepath.Glob(filepath.Join(shared(t, "models"), "*", "*.onnx"))
	if err != nil {
		t.Fatal(err)
	}
	exists := func(path string) bool { _, err := os.Stat(path); return err == nil }
	for _, file := range files {
		c := modelCase{path: strings.TrimSuffix(file, ".onnx")}
		dir, name := filepath.Split(c.path)
		switch filepath.Base(dir) {
		case "billnet", "billnet_trained":
			clips := strings.TrimPrefix(name, "t2_")
			c.inputs, c.want, c.batch = []string{dir + clips + ".clips.u8.npy"}, dir+clips+".logits.npy", true
			c.long = strings.Contains(name, "full")
		case "torch":
			input := "input_ncthw.npy"
			switch {
			case strings.HasPrefix(name, "c_td_"):
				input = "input_ntchw.npy"
			case strings.HasPrefix(name, "d_manlstm"):
				input = "input_manlstm.npy"
			}
			c.inputs, c.want = []string{dir + input}, c.path+".expected.npy"
			if strings.Contains(name, "muxin") {
				c.inputs = append(c.inputs, dir+"input_muxin_sel.npy")
			}
			if strings.Contains(name, "dynT") {
				c.opt.Dims = map[string]int{"time": 16}
			}
			c.long = !strings.Contains(name, "manlstm")
		default:
			if exists(c.path + ".clips.u8.npy") {
				c.inputs, c.want, c.batch = []string{c.path + ".clips.u8.npy"}, c.path+".logits.npy", true
				c.long = strings.Contains(name, "full")
				break
			}
			if strings.Contains(name, "dynT") {
				c.opt.Dims = map[string]int{"4*t4": 16}
			}
			c.long = strings.HasPrefix(name, "t2_a") || strings.HasPrefix(name, "t2_b")
			base := c.path
			for _, suffix := range []string{"_qonnx_op13", "_qcdq_op13", "_op13", "_op17"} {
				if !exists(base + ".expected.npy") {
					base = strings.TrimSuffix(c.path, suffix)
				}
			}
			if !exists(base + ".expected.npy") {
				continue
			}
			c.want = base + ".expected.npy"
			for i := 0; exists(fmt.Sprintf("%s.input_%d.npy", base, i)); i++ {
				c.inputs = append(c.inputs, fmt.Sprintf("%s.input_%d.npy", base, i))
			}
		}
		cases = append(cases, c)
	}
	return cases
}

// TestModels imports the networks of the collection and evaluates them. The
// larger ones are evaluated only with BILLNET_LONG set.
func TestModels(t *testing.T) {
	long := os.Getenv("BILLNET_LONG") != ""
	cases := modelCases(t)
	if len(cases) < 50 {
		t.Fatalf("only %d models", len(cases))
	}
	for _, c := range cases {
		t.Run(filepath.Base(c.path), func(t *testing.T) {
			t.Parallel()
			m, _, err := ImportFile(context.Background(), c.path+".onnx", c.opt)
			if err != nil {
				t.Fatal(err)
			}
			if c.long && !long {
				t.Skip("imported; evaluated only with BILLNET_LONG=1")
			}
			var inputs []*ir.Tensor
			for _, file := range c.inputs {
				inputs = append(inputs, readNpy(t, file))
			}
			want := readNpy(t, c.want)
			if c.batch {
				inputs[0], want = item(inputs[0], 1), item(want, 1)
			}
			got, err := ir.Eval(context.Background(), m.Main(), inputs, nil)
			if err != nil {
				t.Fatal(err)
			}
			if d := maxDiff(got[0], want); d > 2e-5 {
				t.Errorf("differs by %g", d)
			}
		})
	}
}

// TestThirdPartyModels imports models that use QONNX's domains.
func TestThirdPartyModels(t *testing.T) {
	dir := shared(t, "models", "qonnx")
	files, err := filepath.Glob(filepath.Join(dir, "*.onnx"))
	if err != nil {
		t.Fatal(err)
	}
	imported := 0
	for _, file := range files {
		_, _, err := ImportFile(context.Background(), file, Options{})
		var u *UnsupportedError
		switch {
		case err == nil:
			imported++
		case !errors.As(err, &u):
			t.Error(err)
		}
	}
	if imported < 11 {
		t.Errorf("%d of %d models imported, expected at least 11", imported, len(files))
	}
	m, _, err := ImportFile(context.Background(), filepath.Join(dir, "q_mnist-conv_model.onnx"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	in, err := readPb(filepath.Join(dir, "q_mnist-conv_input_0.pb"))
	if err != nil {
		t.Fatal(err)
	}
	want, err := readPb(filepath.Join(dir, "q_mnist-conv_output_0.pb"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := ir.Eval(context.Background(), m.Main(), []*ir.Tensor{in}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if d := maxDiff(got[0], want); d > 1e-5 {
		t.Errorf("differs by %g", d)
	}
}

// importGraph imports a hand-made graph.
func importGraph(t testing.TB, g *onnxpb.Graph, opset int64, opt Options) (*ir.Module, *Report, error) {
	t.Helper()
	p := model(g)
	p.OpsetImport[0].Version = opset
	return ImportBytes(context.Background(), "m.onnx", encode(t, p), opt)
}

func ints(name string, v ...int64) *onnxpb.Attribute {
	return &onnxpb.Attribute{Name: name, Type: 7, Ints: v}
}
func intAttr(name string, v int64) *onnxpb.Attribute {
	return &onnxpb.Attribute{Name: name, Type: 2, I: v}
}
func floatAttr(name string, v float32) *onnxpb.Attribute {
	return &onnxpb.Attribute{Name: name, Type: 1, F: v}
}
func strAttr(name, v string) *onnxpb.Attribute {
	return &onnxpb.Attribute{Name: name, Type: 3, S: []byte(v)}
}
func int64s(name string, v ...int64) *onnxpb.Tensor {
	return &onnxpb.Tensor{Name: name, DataType: 7, Dims: []int64{int64(len(v))}, Int64Data: v}
}

// TestEarlyVersions evaluates operators in the form they had in early operator
// sets.
func TestEarlyVersions(t *testing.T) {
	seq := func(n int) []float32 {
		v := make([]float32, n)
		for i := range v {
			v[i] = float32(i)
		}
		return v
	}
	for _, c := range []struct {
		opset int64
		node  *onnxpb.Node
		shape []int64 // of x, filled with 0, 1, 2, ...
		k     []float32
		want  []float32
	}{
		{6, node("Add", "x k", "y", intAttr("broadcast", 1), intAttr("axis", 0)), []int64{2, 2}, []float32{10, 20}, []float32{10, 11, 22, 23}},
		{6, node("Add", "x k", "y", intAttr("broadcast", 1)), []int64{2, 2}, []float32{10, 20}, []float32{10, 21, 12, 23}},
		{6, node("PRelu", "x k", "y"), []int64{1, 2, 2}, []float32{10, 20}, seq(4)},
		{6, node("Clip", "x", "y", floatAttr("max", 1.5)), []int64{3}, nil, []float32{0, 1, 1.5}},
		{5, node("Cast", "x", "y", strAttr("to", "FLOAT")), []int64{2}, nil, seq(2)},
		{3, node("Concat", "x x", "y"), []int64{2, 1}, nil, []float32{0, 0, 1, 1}},
		{1, node("Pad", "x", "y", ints("paddings", 1, 1), floatAttr("value", 7)), []int64{1}, nil, []float32{7, 0, 7}},
		{9, node("Slice", "x", "y", ints("axes", 0), ints("starts", 1), ints("ends", 1<<62)), []int64{3}, nil, []float32{1, 2}},
		{4, node("Reshape", "x", "y", ints("shape", -1)), []int64{2, 2}, nil, seq(4)},
		{11, node("Softmax", "x", "y"), []int64{1, 2, 2}, nil, []float32{0.0320586, 0.08714432, 0.23688284, 0.64391428}},
		{11, node("Squeeze", "x", "y", ints("axes", 0)), []int64{1, 2}, nil, seq(2)},
		{11, node("Unsqueeze", "x", "y", ints("axes", 0)), []int64{2}, nil, seq(2)},
		{11, node("ReduceSum", "x", "y", ints("axes", 1), intAttr("keepdims", 0)), []int64{2, 2}, nil, []float32{1, 5}},
		{11, node("Split", "x", "y -", ints("split", 1, 3)), []int64{4}, nil, []float32{0}},
	} {
		g := &onnxpb.Graph{Input: []*onnxpb.ValueInfo{value("x", Float32, c.shape...)}, Output: untyped("y"), Node: []*onnxpb.Node{c.node}}
		if c.k != nil {
			g.Initializer = []*onnxpb.Tensor{{Name: "k", DataType: 1, Dims: []int64{int64(len(c.k))}, FloatData: c.k}}
		}
		m, _, err := importGraph(t, g, c.opset, Options{})
		if err != nil {
			t.Errorf("%s, opset %d: %v", c.node.OpType, c.opset, err)
			continue
		}
		x := m.Main().Params[0].Value.Type
		out, err := ir.Eval(context.Background(), m.Main(), []*ir.Tensor{ir.FloatTensor(seq(x.Elems()), x.Shape...)}, nil)
		if err != nil {
			t.Errorf("%s, opset %d: %v", c.node.OpType, c.opset, err)
			continue
		}
		want := ir.FloatTensor(c.want, out[0].Type.Shape...)
		if d := maxDiff(out[0], want); d > 1e-6 {
			t.Errorf("%s, opset %d: %v, expected %v", c.node.OpType, c.opset, out[0].Floats(), c.want)
		}
	}
}

func TestSamePads(t *testing.T) {
	for mode, want := range map[string][]int{"SAME_UPPER": {0, 1, 1, 1}, "SAME_LOWER": {1, 1, 0, 1}} {
		g := &onnxpb.Graph{
			Input: []*onnxpb.ValueInfo{value("x", Float32, 1, 1, 4, 5)}, Output: untyped("y"),
			Node: []*onnxpb.Node{node("MaxPool", "x", "y", ints("kernel_shape", 3, 3), ints("strides", 2, 2), strAttr("auto_pad", mode))},
		}
		m, _, err := importGraph(t, g, 13, Options{})
		if err != nil {
			t.Fatal(err)
		}
		n := m.Main().Nodes[0]
		if !slices.Equal(n.Ints("pad"), want) || !ir.SameShape(n.Result().Type.Shape, []int{1, 1, 2, 3}) {
			t.Errorf("%s: pads %v, result %s", mode, n.Ints("pad"), n.Result().Type)
		}
	}
}

// openInput is a graph input with named open dimensions (strings) and fixed
// ones.
func openInput(name string, dims ...any) *onnxpb.ValueInfo {
	v := value(name, Float32)
	shape := v.Type.GetTensorType().Shape
	for _, d := range dims {
		dim := &onnxpb.Dimension{}
		switch d := d.(type) {
		case string:
			dim.Value = &onnxpb.Dimension_DimParam{DimParam: d}
		case int:
			dim.Value = &onnxpb.Dimension_DimValue{DimValue: int64(d)}
		}
		shape.Dim = append(shape.Dim, dim)
	}
	return v
}

func TestOptions(t *testing.T) {
	g := &onnxpb.Graph{
		Input: []*onnxpb.ValueInfo{
			openInput("x", "batch", 3, "time"),
			openInput("state", 1, "batch"),
			{Name: "bare"},
			value("shape", Int64, 3),
		},
		Output: untyped("y", "s", "b"),
		Node: []*onnxpb.Node{
			node("Reshape", "x shape", "y"),
			node("Relu", "state", "s"),
			node("Abs", "bare", "b"),
		},
	}
	opt := func() Options {
		return Options{
			Dims:   map[string]int{"time": 4},
			Shapes: map[string][]int{"bare": {2, 2}},
			Inputs: map[string]string{"bare": "i8", "x": "u8"},
			Consts: map[string]*ir.Tensor{"shape": ir.IntTensor(ir.I64, []int64{0, 2, -1}, 3)},
		}
	}
	m, report, err := importGraph(t, g, 13, opt())
	if err != nil {
		t.Fatal(err)
	}
	var types []string
	for _, p := range m.Main().Params {
		types = append(types, p.Name+" "+p.Value.Type.String())
	}
	for _, r := range m.Main().Results {
		types = append(types, r.Name+" "+r.Value.Type.String())
	}
	want := "x u8[1,3,4]; state f32[1,1]; bare i8[2,2]; y f32[1,2,6]; s f32[1,1]; b i8[2,2]"
	if got := strings.Join(types, "; "); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
	if len(report.Notes) != 1 || !strings.Contains(report.Notes[0], `"batch" of input "x" is taken as 1`) {
		t.Errorf("notes %q", report.Notes)
	}

	for _, c := range []struct {
		want string
		edit func(o *Options)
	}{
		{`m.onnx: open: dimension 2 of input "x" (float32[batch,3,time]); give sizes with --dim time=...`, func(o *Options) { delete(o.Dims, "time") }},
		{`no open dimension is called that; the model has batch, time`, func(o *Options) { o.Dims["tme"] = 4 }},
		{`the size must be positive`, func(o *Options) { o.Dims["time"] = 0 }},
		{`option --shape z: no graph input is called that; the model has x, state, bare, shape`, func(o *Options) { o.Shapes["z"] = []int{1} }},
		{`graph input "x" (float32[batch,3,time]): the given shape [1,2,3] does not fit`, func(o *Options) { o.Shapes["x"] = []int{1, 2, 3} }},
		{`no such element type`, func(o *Options) { o.Inputs["x"] = "byte" }},
		{`use --input bare=f32`, func(o *Options) { delete(o.Inputs, "bare") }},
		{`m.onnx: open: the shape of input "bare", which the model does not give; give sizes with --shape bare=...`, func(o *Options) { delete(o.Shapes, "bare") }},
		{`dimension 2 of input "x" (float32[batch,3,time]), the shape of input "bare", which the model does not give; give sizes with --dim time=... --shape bare=...`, func(o *Options) { delete(o.Dims, "time"); delete(o.Shapes, "bare") }},
		{`--const shape=... can fix it`, func(o *Options) { delete(o.Consts, "shape") }},
		{`shape [1,3,1073741824] has 2^31 elements or more`, func(o *Options) { o.Dims["time"] = 1 << 30 }},
	} {
		o := opt()
		c.edit(&o)
		if _, _, err := importGraph(t, g, 13, o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v\nexpected %q", err, c.want)
		}
	}
}

func TestUnsupported(t *testing.T) {
	g := &onnxpb.Graph{
		Input: values("x"), Output: values("y"),
		Node: []*onnxpb.Node{
			node("Foo", "x", "a"), node("Relu", "a", "b"), node("Foo", "b", "c"), node("Sign", "x", "d"),
			node("BatchNormalization", "x x x x x", "e", intAttr("spatial", 0)),
			node("Conv", "x x", "f"), // wrong, but what is unsupported comes first
			node("Bar", "f", "g"),
			node("Max", "a b c d e g", "y"),
		},
	}
	g.Node[3].Domain = "com.evil"
	_, _, err := importGraph(t, g, 14, Options{})
	var u *UnsupportedError
	if !errors.As(err, &u) {
		t.Fatal(err)
	}
	want := `m.onnx: not supported:
  Foo (node "Foo#0", "Foo#2")
  com.evil.Sign: ONNX's own Sign has no domain (node "Sign#3")
  BatchNormalization: with spatial=0 (node "BatchNormalization#4")
  Bar (node "Bar#6")`
	if err.Error() != want {
		t.Errorf("got\n%s\nwant\n%s", err, want)
	}
	g.Node = []*onnxpb.Node{node("Conv", "x x", "y")}
	if _, _, err := importGraph(t, g, 14, Options{}); err == nil || !strings.HasPrefix(err.Error(), `m.onnx: node "Conv#0" (Conv): `) {
		t.Errorf("error %v", err)
	}
}

// TestFoldBounds checks that the import does not compute what is large.
func TestFoldBounds(t *testing.T) {
	g := &onnxpb.Graph{
		Input: values("x"), Output: values("y"),
		Initializer: []*onnxpb.Tensor{int64s("big", 1<<15, 1<<15), int64s("zero", 0), int64s("end", 1), int64s("axes", 0, 1)},
		Node: []*onnxpb.Node{
			node("ConstantOfShape", "big", "huge"),
			node("Cast", "huge", "n", intAttr("to", int64(Int64))),
			node("ReduceSum", "n", "sum", intAttr("keepdims", 0)),
			node("Unsqueeze", "sum zero", "shape"),
			node("Expand", "x shape", "y"),
		},
	}
	if _, _, err := importGraph(t, g, 13, Options{}); err == nil || !strings.Contains(err.Error(), "computing it takes too much") {
		t.Errorf("error %v", err)
	}
}

// TestVideoInputs: bytes are recognised by their division by 255, and only if
// nothing else is done with them.
func TestVideoInputs(t *testing.T) {
	scale := &onnxpb.Tensor{Name: "k", DataType: 1, FloatData: []float32{255}}
	g := &onnxpb.Graph{Input: values("x"), Output: values("y"), Initializer: []*onnxpb.Tensor{scale}, Node: []*onnxpb.Node{node("Div", "x k", "y")}}
	is := func(want ir.DType, opt Options) {
		t.Helper()
		m, _, err := importGraph(t, g, 13, opt)
		if err != nil {
			t.Fatal(err)
		}
		if got := m.Main().Params[0].Value.Type.DType; got != want {
			t.Errorf("input is %s, expected %s", got, want)
		}
	}
	is(ir.U8, Options{})
	is(ir.F32, Options{Inputs: map[string]string{"x": "f32"}})
	g.Node = append(g.Node, node("Relu", "x", "z"))
	is(ir.U8, Options{}) // a dead use does not count
	g.Output = values("y", "x")
	is(ir.F32, Options{})
	g.Output, scale.FloatData[0] = values("y"), 256
	is(ir.F32, Options{})
}

// TestAdversarialImport imports malformed models: none may fault.
func TestAdversarialImport(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(shared(t, "onnx-adversarial"), "*.onnx"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		if _, _, err := ImportFile(context.Background(), file, Options{}); err != nil && strings.Contains(err.Error(), "BUG") {
			t.Error(err)
		}
	}
}

func FuzzImport(f *testing.F) {
	for _, data := range seeds(f) {
		f.Add(data)
	}
	shape := &onnxpb.Graph{
		Input: []*onnxpb.ValueInfo{openInput("x", "n", 4)}, Output: values("y"),
		Initializer: []*onnxpb.Tensor{int64s("i", 1)},
		Node: []*onnxpb.Node{
			node("Shape", "x", "s"), node("Gather", "s i", "d"), node("Concat", "d i", "c", intAttr("axis", 0)),
			node("Reshape", "x c", "r"), node("Split", "r", "a b", intAttr("axis", 0)),
			node("Slice", "a i i", "e"), node("Softmax", "b", "g"), node("Max", "e g", "y"),
		},
	}
	f.Add(encode(f, model(shape)))
	pool := &onnxpb.Graph{
		Input: []*onnxpb.ValueInfo{value("x", Float32, 1, 2, 4, 4)}, Output: values("y"),
		Initializer: []*onnxpb.Tensor{{Name: "w", DataType: 1, Dims: []int64{2, 1, 1, 1}, FloatData: []float32{1, -1}}},
		Node: []*onnxpb.Node{
			node("Conv", "x w", "c", intAttr("group", 2), strAttr("auto_pad", "SAME_UPPER")),
			node("MaxPool", "c", "m", ints("kernel_shape", 2, 2), ints("strides", 2, 2)),
			node("ReduceMean", "m", "y", ints("axes", 2, -1)),
		},
	}
	f.Add(encode(f, model(pool)))
	f.Fuzz(func(t *testing.T, data []byte) {
		if _, _, err := ImportBytes(context.Background(), "m.onnx", data, Options{}); err != nil && strings.Contains(err.Error(), "BUG") {
			t.Fatal(err)
		}
	})
}
