package onnx

import (
	"bytes"
	"compress/gzip"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"google.golang.org/protobuf/proto"

	"github.com/billnet/billnet/frontend/onnx/onnxpb"
)

// shared returns the folder with third-party models, which is not part of the
// repository.
func shared(t testing.TB, elem ...string) string {
	t.Helper()
	root := os.Getenv("BILLNET_SHARED")
	if root == "" {
		root = filepath.Join("..", "..", "..", "shared")
	}
	dir := filepath.Join(append([]string{root}, elem...)...)
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("no model collection: %v (set BILLNET_SHARED)", err)
	}
	return dir
}

// model builds a model of opset 13 around g.
func model(g *onnxpb.Graph) *onnxpb.Model {
	return &onnxpb.Model{IrVersion: 8, OpsetImport: []*onnxpb.OperatorSet{{Version: 13}}, Graph: g}
}

func node(op string, inputs, outputs string, attrs ...*onnxpb.Attribute) *onnxpb.Node {
	split := func(s string) []string {
		if s == "" {
			return nil
		}
		names := strings.Split(s, " ")
		for i, name := range names {
			if name == "-" {
				names[i] = ""
			}
		}
		return names
	}
	return &onnxpb.Node{OpType: op, Input: split(inputs), Output: split(outputs), Attribute: attrs}
}

func values(names ...string) []*onnxpb.ValueInfo {
	var out []*onnxpb.ValueInfo
	for _, name := range names {
		out = append(out, value(name, 1, 2, 3))
	}
	return out
}

// untyped are values whose types the model leaves open.
func untyped(names ...string) []*onnxpb.ValueInfo {
	var out []*onnxpb.ValueInfo
	for _, name := range names {
		out = append(out, &onnxpb.ValueInfo{Name: name})
	}
	return out
}

func value(name string, dtype DType, dims ...int64) *onnxpb.ValueInfo {
	shape := &onnxpb.Shape{}
	for _, d := range dims {
		shape.Dim = append(shape.Dim, &onnxpb.Dimension{Value: &onnxpb.Dimension_DimValue{DimValue: d}})
	}
	return &onnxpb.ValueInfo{Name: name, Type: &onnxpb.Type{Value: &onnxpb.Type_TensorType{
		TensorType: &onnxpb.TensorType{ElemType: int32(dtype), Shape: shape}}}}
}

func encode(t testing.TB, m proto.Message) []byte {
	t.Helper()
	data, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// decodeBytes is Decode for a model in memory.
func decodeBytes(name string, data []byte, dir fs.FS) (*Model, error) {
	return Decode(name, bytes.NewReader(data), len(data), dir)
}

func decode(t testing.TB, m *onnxpb.Model) (*Model, error) {
	t.Helper()
	return decodeBytes("m.onnx", encode(t, m), nil)
}

// text prints a graph for comparison.
func text(g *Graph) string {
	var b strings.Builder
	for _, n := range g.Nodes {
		b.WriteString(n.Name + " " + n.QualifiedOp() + "(" + strings.Join(n.Inputs, ",") + ")->" + strings.Join(n.Outputs, ",") + "\n")
	}
	return b.String()
}

func TestDecodeKeepsWhatOnnxGoLoses(t *testing.T) {
	g := &onnxpb.Graph{
		Input:  []*onnxpb.ValueInfo{value("x", Float32, 2), value("##odd", Float32)},
		Output: values("y2", "x", "c"),
		Node: []*onnxpb.Node{
			node("Mul", "x x", "sq"),
			node("Clip", "sq - hi", "c"),
			node("LSTM", "c ##odd sq - - c", "- y2"),
			node("Random", "", "hi hi2"),
			node("Sign", "y2 hi2", "s"),
			node("Sink", "s", ""),
		},
	}
	g.Node[4].Domain = "com.example"
	g.Node[0].Name, g.Node[1].Name = "twice", "twice"
	g.Node[1].MetadataProps = []*onnxpb.StringEntry{{Key: "pkg.torch.onnx.stack_trace", Value: "File \"a.py\", line 3, in forward\n    return f(\n  File \"b.py\", line 9, in f\n    x.clamp(max=1)"}}
	p := model(g)
	p.ProducerName, p.ProducerVersion = "pytorch", "2.13"
	p.MetadataProps = []*onnxpb.StringEntry{{Key: "labels", Value: "a,b"}}
	p.OpsetImport = append(p.OpsetImport, &onnxpb.OperatorSet{Domain: "com.example", Version: 2})
	m, err := decode(t, p)
	if err != nil {
		t.Fatal(err)
	}
	// Random comes before its user Clip, which is the second node in the file.
	want := `twice Mul(x,x)->sq
Random#3 Random()->hi,hi2
twice#1 Clip(sq,,hi)->c
LSTM#2 LSTM(c,##odd,sq,,,c)->,y2
Sign#4 com.example.Sign(y2,hi2)->s
`
	if got := text(m.Graph); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	if m.Producer != "pytorch 2.13" || m.Metadata["labels"] != "a,b" || m.IRVersion != 8 {
		t.Errorf("producer %q, metadata %v, version %d", m.Producer, m.Metadata, m.IRVersion)
	}
	if got := m.Graph.Nodes[2].Loc; got != "b.py:9: x.clamp(max=1)" {
		t.Errorf("location %q", got)
	}
	if v := m.Graph.Nodes[4].Version; v != 2 {
		t.Errorf("operator set version %d of the custom domain", v)
	}
	if len(m.Notes) != 2 {
		t.Errorf("notes %q, expected one on the order and one on the node without outputs", m.Notes)
	}
}

func TestDecodeTypes(t *testing.T) {
	x := value("x", Float32, 0, 3, 0)
	dims := x.Type.GetTensorType().Shape.Dim
	dims[0].Value = &onnxpb.Dimension_DimParam{DimParam: "batch"}
	dims[2].Value = nil
	g := &onnxpb.Graph{Input: []*onnxpb.ValueInfo{x, {Name: "u"}}, Output: values("x")}
	m, err := decode(t, model(g))
	if err != nil {
		t.Fatal(err)
	}
	if got := m.Graph.Inputs[0].String(); got != "float32[batch,3,?]" {
		t.Errorf("type of x is %s", got)
	}
	if got := m.Graph.Inputs[1]; got.HasShape || got.DType != Undefined {
		t.Errorf("type of u is %s", got)
	}
}

func TestDecodeRefuses(t *testing.T) {
	relu := func() *onnxpb.Graph {
		return &onnxpb.Graph{Input: values("x"), Output: values("y"), Node: []*onnxpb.Node{node("Relu", "x", "y")}}
	}
	i := &onnxpb.Attribute{Name: "axis", Type: 2, I: 1}
	deep := relu()
	for range 25 {
		outer := relu()
		outer.Node[0].Attribute = []*onnxpb.Attribute{{Name: "body", Type: 5, G: deep}}
		deep = outer
	}
	many := strings.TrimSpace(strings.Repeat("x ", 300))
	for _, c := range []struct {
		want string
		edit func(m *onnxpb.Model, g *onnxpb.Graph)
	}{
		{"no format version", func(m *onnxpb.Model, g *onnxpb.Graph) { m.IrVersion = 0 }},
		{"no graph", func(m *onnxpb.Model, g *onnxpb.Graph) { m.Graph = nil }},
		{"imports no operator set", func(m *onnxpb.Model, g *onnxpb.Graph) { m.OpsetImport[0].Domain = "other" }},
		{"imported in versions 13 and 14", func(m *onnxpb.Model, g *onnxpb.Graph) {
			m.OpsetImport = append(m.OpsetImport, &onnxpb.OperatorSet{Domain: "ai.onnx", Version: 14})
		}},
		{"in version 0", func(m *onnxpb.Model, g *onnxpb.Graph) { m.OpsetImport[0].Version = 0 }},
		{"nest deeper", func(m *onnxpb.Model, g *onnxpb.Graph) { m.Graph = deep }},
		{`"y" is also an output of node "Relu#0" (Relu)`, func(m *onnxpb.Model, g *onnxpb.Graph) { g.Node = append(g.Node, node("Neg", "x", "y")) }},
		{`"x" is also a graph input`, func(m *onnxpb.Model, g *onnxpb.Graph) { g.Node = append(g.Node, node("Neg", "x", "x")) }},
		{`two graph inputs are called "x"`, func(m *onnxpb.Model, g *onnxpb.Graph) { g.Input = values("x", "x") }},
		{`node "Relu#0" (Relu): input "nowhere" is defined nowhere`, func(m *onnxpb.Model, g *onnxpb.Graph) { g.Node[0].Input[0] = "nowhere" }},
		{`output 0, "z", is defined nowhere`, func(m *onnxpb.Model, g *onnxpb.Graph) { g.Output[0].Name = "z" }},
		{"has no outputs", func(m *onnxpb.Model, g *onnxpb.Graph) { g.Output = nil }},
		{`cycle: "A" needs "B" needs "A"`, func(m *onnxpb.Model, g *onnxpb.Graph) {
			g.Node = append(g.Node, node("Add", "x b", "a"), node("Add", "a x", "b"))
			g.Node[1].Name, g.Node[2].Name = "A", "B"
		}},
		{`attribute "axis" is given twice`, func(m *onnxpb.Model, g *onnxpb.Graph) { g.Node[0].Attribute = []*onnxpb.Attribute{i, i} }},
		{`attribute "a": has no type`, func(m *onnxpb.Model, g *onnxpb.Graph) { g.Node[0].Attribute = []*onnxpb.Attribute{{Name: "a"}} }},
		{"unknown attribute type 99", func(m *onnxpb.Model, g *onnxpb.Graph) {
			g.Node[0].Attribute = []*onnxpb.Attribute{{Name: "a", Type: 99}}
		}},
		{"a tensor attribute without a tensor", func(m *onnxpb.Model, g *onnxpb.Graph) {
			g.Node[0].Attribute = []*onnxpb.Attribute{{Name: "a", Type: 4}}
		}},
		{"not inside a function", func(m *onnxpb.Model, g *onnxpb.Graph) {
			g.Node[0].Attribute = []*onnxpb.Attribute{{Name: "a", Type: 2, RefAttrName: "b"}}
		}},
		{"no operator type", func(m *onnxpb.Model, g *onnxpb.Graph) { g.Node[0].OpType = "" }},
		{"more than any operator", func(m *onnxpb.Model, g *onnxpb.Graph) {
			g.Node[0] = node("Relu", many, "y "+strings.ReplaceAll(many, "x", "-"))
		}},
		{"is -2; an open dimension", func(m *onnxpb.Model, g *onnxpb.Graph) { g.Input[0] = value("x", 1, -2) }},
		{"more elements than fit", func(m *onnxpb.Model, g *onnxpb.Graph) { g.Input[0] = value("x", 1, 1<<40, 1<<40) }},
		{"unknown element type code 77", func(m *onnxpb.Model, g *onnxpb.Graph) { g.Input[0] = value("x", 77, 1) }},
		{"a sequence", func(m *onnxpb.Model, g *onnxpb.Graph) {
			g.Input[0].Type.Value = &onnxpb.Type_SequenceType{SequenceType: &onnxpb.Sequence{}}
		}},
		{"initializer 0 (float32[0]) has no name", func(m *onnxpb.Model, g *onnxpb.Graph) {
			g.Initializer = []*onnxpb.Tensor{{DataType: 1, Dims: []int64{0}}}
		}},
		{`two initializers are called "w"`, func(m *onnxpb.Model, g *onnxpb.Graph) {
			w := &onnxpb.Tensor{Name: "w", DataType: 1, FloatData: []float32{1}}
			g.Initializer = []*onnxpb.Tensor{w, w}
		}},
	} {
		m := model(relu())
		c.edit(m, m.Graph)
		_, err := decode(t, m)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "m.onnx: ") {
			t.Errorf("got error %v, expected %q", err, c.want)
		}
	}
}

func TestDecodeGarbage(t *testing.T) {
	data := encode(t, model(&onnxpb.Graph{Input: values("x"), Output: values("y"), Node: []*onnxpb.Node{node("Relu", "x", "y")}}))
	for _, bad := range [][]byte{
		nil,
		[]byte("version https://git-lfs.github.com/spec/v1\n"),
		bytes.Repeat([]byte{0xff}, 100),
		data[:len(data)-1],
		append([]byte{0x3a, 0xff, 0xff, 0xff, 0xff, 0x7f}, data...), // a graph of 32 GB
		append(bytes.Clone(data), 0x0b, 0x0c),                       // a group
	} {
		if _, err := decodeBytes("m.onnx", bad, nil); err == nil || !strings.Contains(err.Error(), "not an ONNX model") {
			t.Errorf("%d bytes: error %v", len(bad), err)
		}
	}
}

// TestOtherKinds: files of other kinds are told apart, and what to do is said.
func TestOtherKinds(t *testing.T) {
	data := encode(t, model(&onnxpb.Graph{Input: values("x"), Output: values("y"), Node: []*onnxpb.Node{node("Relu", "x", "y")}}))
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	w.Write(data)
	w.Close()
	for want, file := range map[string]string{
		"git lfs pull":          "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 10\n",
		"gunzip":                packed.String(),
		"a zip archive":         "PK\x03\x04\x00\x00\x08\x08archive/data.pkl",
		"tf2onnx":               "\x89HDF\r\n\x1a\n\x00\x00\x00\x00",
		"a page or text":        "<!DOCTYPE html>\n<html></html>\n",
		"is the file complete?": string(data[:len(data)/2]),
	} {
		if _, err := decodeBytes("m.onnx", []byte(file), nil); err == nil || !strings.HasPrefix(err.Error(), "m.onnx: not an ONNX model: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, expected one with %q", err, want)
		}
	}
}

// TestScanBoundsRecords checks that a file of empty records, a hundred times
// larger once decoded, is refused before it is.
func TestScanBoundsRecords(t *testing.T) {
	data := bytes.Repeat([]byte{0x0a, 0}, maxMessages+1) // empty nodes
	graph := append([]byte{0x3a}, varint(len(data))...)
	graph = append(graph, data...)
	if _, err := skeleton(bytes.NewReader(graph), len(graph)); err == nil || !strings.Contains(err.Error(), "more than") {
		t.Errorf("error %v", err)
	}
}

func varint(n int) []byte {
	var b []byte
	for ; n > 127; n >>= 7 {
		b = append(b, byte(n)|0x80)
	}
	return append(b, byte(n))
}

// TestSortLongChain orders a chain that is given backwards.
func TestSortLongChain(t *testing.T) {
	const n = 20000
	g := &onnxpb.Graph{Input: values("v0"), Output: values("v20000")}
	for i := n; i > 0; i-- {
		g.Node = append(g.Node, node("Relu", valueName(i-1), valueName(i)))
	}
	m, err := decode(t, model(g))
	if err != nil {
		t.Fatal(err)
	}
	for i, node := range m.Graph.Nodes {
		if node.Outputs[0] != valueName(i+1) {
			t.Fatalf("node %d makes %s", i, node.Outputs[0])
		}
	}
}

func TestSubgraph(t *testing.T) {
	then := &onnxpb.Graph{
		Output:      values("s"),
		Initializer: []*onnxpb.Tensor{{Name: "k", DataType: 1, FloatData: []float32{2}}},
		Node:        []*onnxpb.Node{node("Mul", "late k", "s")},
	}
	other := &onnxpb.Graph{Output: values("x")} // an outer value, as it is
	g := &onnxpb.Graph{
		Input:  []*onnxpb.ValueInfo{value("c", Bool), value("x", Float32, 2)},
		Output: values("y"),
		Node: []*onnxpb.Node{
			node("If", "c", "y", &onnxpb.Attribute{Name: "then_branch", Type: 5, G: then}, &onnxpb.Attribute{Name: "else_branch", Type: 5, G: other}),
			node("Relu", "x", "late"),
		},
	}
	m, err := decode(t, model(g))
	if err != nil {
		t.Fatal(err)
	}
	if want := "Relu#1 Relu(x)->late\nIf#0 If(c)->y\n"; text(m.Graph) != want {
		t.Errorf("got\n%swant\n%s", text(m.Graph), want)
	}
	branch, err := Attr[*Graph](m.Graph.Nodes[1], "then_branch", nil)
	if err != nil || strings.Join(branch.Captured, " ") != "late" {
		t.Errorf("then branch captures %q, error %v", branch.Captured, err)
	}
	then.Node[0].Input[0] = "nowhere"
	if _, err := decode(t, model(g)); err == nil || !strings.Contains(err.Error(), `(If): input "nowhere" is defined nowhere`) {
		t.Errorf("error %v", err)
	}
}

func TestFunctions(t *testing.T) {
	ref := func(name, of string) *onnxpb.Attribute {
		return &onnxpb.Attribute{Name: name, Type: 1, RefAttrName: of}
	}
	scale := &onnxpb.Function{
		Domain: "lib", Name: "Scale", Input: []string{"a", "b"}, Output: []string{"r", "a"},
		Attribute:      []string{"alpha"},
		AttributeProto: []*onnxpb.Attribute{{Name: "beta", Type: 1, F: 0.5}},
		OpsetImport:    []*onnxpb.OperatorSet{{Version: 16}},
		Node: []*onnxpb.Node{
			node("Elu", "a", "t", ref("alpha", "alpha")),
			node("Gemm", "t b", "r", ref("beta", "beta"), ref("alpha", "missing")),
		},
	}
	twice := &onnxpb.Function{
		Domain: "lib", Name: "Twice", Input: []string{"x"}, Output: []string{"y"},
		OpsetImport: []*onnxpb.OperatorSet{{Version: 16}, {Domain: "lib", Version: 1}},
		Node:        []*onnxpb.Node{node("Scale", "x", "t", &onnxpb.Attribute{Name: "alpha", Type: 1, F: 3}), node("Scale", "t x", "- y")},
	}
	twice.Node[0].Domain, twice.Node[1].Domain = "lib", "lib"
	g := &onnxpb.Graph{Input: values("x"), Output: values("y"), Node: []*onnxpb.Node{node("Twice", "x", "y")}}
	g.Node[0].Domain, g.Node[0].Name = "lib", "top"
	p := model(g)
	p.Functions = []*onnxpb.Function{scale, twice}
	m, err := decode(t, p)
	if err != nil {
		t.Fatal(err)
	}
	want := `top/Scale#0/Elu#0 Elu(x)->top/Scale#0/t
top/Scale#0/Gemm#1 Gemm(top/Scale#0/t,)->top/t
top/Scale#1/Elu#0 Elu(top/t)->top/Scale#1/t
top/Scale#1/Gemm#1 Gemm(top/Scale#1/t,x)->top/Scale#1/r
top/Scale#1 Identity(top/t)->y
`
	if got := text(m.Graph); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	n := m.Graph.Nodes[0]
	if alpha, err := Attr(n, "alpha", float32(0)); alpha != 3 || err != nil || n.Version != 16 {
		t.Errorf("alpha %v, version %d, error %v", alpha, n.Version, err)
	}
	if n := m.Graph.Nodes[1]; len(n.Attrs) != 1 || n.Attrs["beta"] != float32(0.5) {
		t.Errorf("attributes %v, expected the default beta only", n.Attrs)
	}

	twice.Node[0].OpType = "Twice"
	if _, err := decode(t, p); err == nil || !strings.Contains(err.Error(), "calls itself") {
		t.Errorf("recursion: error %v", err)
	}

	// Thirty functions that each call the next one twice.
	p.Functions = nil
	for i := range 30 {
		f := &onnxpb.Function{
			Domain: "lib", Name: valueName(i), Input: []string{"x"}, Output: []string{"y"},
			OpsetImport: []*onnxpb.OperatorSet{{Version: 16}},
			Node:        []*onnxpb.Node{node(valueName(i+1), "x", "t"), node(valueName(i+1), "t", "y")},
		}
		f.Node[0].Domain, f.Node[1].Domain = "lib", "lib"
		p.Functions = append(p.Functions, f)
	}
	g.Node[0].OpType = valueName(0)
	if _, err := decode(t, p); err == nil || !strings.Contains(err.Error(), "local functions expanded") {
		t.Errorf("explosion: error %v", err)
	}
}

func valueName(i int) string { return "v" + strconv.Itoa(i) }

// TestRealModels decodes every model of the collection and reads its tensors.
func TestRealModels(t *testing.T) {
	count := 0
	for _, dir := range []string{"models", "onnx-node-tests", "onnx-pytorch-tests", "onnx-ort-tests"} {
		err := filepath.WalkDir(shared(t, dir), func(path string, e fs.DirEntry, err error) error {
			if err != nil || filepath.Ext(path) != ".onnx" {
				return err
			}
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			root, err := os.OpenRoot(filepath.Dir(path))
			if err != nil {
				return err
			}
			defer root.Close()
			m, err := decodeBytes(filepath.Base(path), data, root.FS())
			if err != nil {
				if !strings.Contains(err.Error(), "only tensors are supported") {
					t.Errorf("%s: %v", path, err)
				}
				return nil
			}
			for _, c := range m.Graph.Initializers {
				if b, err := c.Bytes(); err != nil || len(b) != c.Len()*c.DType.Size() {
					t.Errorf("%s: initializer %s: %d bytes, error %v", path, c.Name, len(b), err)
				}
			}
			count++
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if count == 0 {
		t.Error("no models")
	}
}

// TestAdversarial decodes malformed models: each either decodes or is refused
// as a user's mistake, never as a fault of ours.
func TestAdversarial(t *testing.T) {
	dir := shared(t, "onnx-adversarial")
	files, err := filepath.Glob(filepath.Join(dir, "*.onnx"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := decodeBytes(filepath.Base(file), data, os.DirFS(dir)); err != nil && strings.Contains(err.Error(), "BUG") {
			t.Error(err)
		}
	}
}

// TestDamagedModels imports real models cut short and with bits flipped: nothing
// may panic or be a fault of ours. With BILLNET_LONG=1 there are 100,000 of them,
// and the largest memory of the process is logged.
func TestDamagedModels(t *testing.T) {
	names := []string{
		"larq/larq_lstm2d_op13.onnx", "torch2/t2_e_gru.onnx", "brevitas/brev_qlstm_qonnx_op13.onnx", "torch2/t2_e_mobilese.onnx", "torch2/t2_e_r2plus1d.onnx",
		"brevitas/brev_w4a2_3d_qcdq_op13.onnx", "torch2/t2_b_gate_mux.onnx", "larq/larq_conv3d_op17.onnx", "torch/d_manlstm_op13.onnx", "torch2/t2_a_float_op20.onnx",
	}
	rounds := 60
	if os.Getenv("BILLNET_LONG") != "" {
		rounds = 5000
	}
	for _, name := range names {
		file := shared(t, "models", filepath.FromSlash(name))
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		dir := os.DirFS(filepath.Dir(file))
		check := func(data []byte) {
			if _, _, err := importFrom(t.Context(), name, bytes.NewReader(data), len(data), dir, Options{}); err != nil && strings.Contains(err.Error(), "BUG") {
				t.Fatal(err)
			}
		}
		for i := range rounds {
			check(data[:len(data)*i/rounds])
			flipped := bytes.Clone(data)
			for j := range 1 + i%4 {
				at := (i*7919 + j*104729) % len(data)
				if i%2 == 0 { // the front of the file is graph rather than weights
					at %= min(len(data), 8192)
				}
				flipped[at] ^= 1 << (i % 8)
			}
			check(flipped)
		}
	}
	if status, err := os.ReadFile("/proc/self/status"); err == nil {
		for line := range strings.Lines(string(status)) {
			if strings.HasPrefix(line, "VmHWM") {
				t.Logf("%d inputs, largest memory of the process: %s", 2*rounds*len(names), strings.TrimSpace(line))
			}
		}
	}
}

// seeds are small models for the fuzzer to start from, one per feature.
func seeds(t testing.TB) [][]byte {
	f := &onnxpb.Function{Domain: "lib", Name: "F", Input: []string{"a"}, Output: []string{"b"},
		OpsetImport: []*onnxpb.OperatorSet{{Version: 16}}, Node: []*onnxpb.Node{node("Relu", "a", "b")}}
	call := node("F", "x", "y")
	call.Domain = "lib"
	body := &onnxpb.Graph{Output: values("s"), Node: []*onnxpb.Node{node("Neg", "x", "s")}}
	w := &onnxpb.Tensor{Name: "w", DataType: 1, Dims: []int64{2}, RawData: make([]byte, 8)}
	ext := &onnxpb.Tensor{Name: "w", DataType: 1, Dims: []int64{2}, DataLocation: 1, ExternalData: []*onnxpb.StringEntry{
		{Key: "location", Value: "w.bin"}, {Key: "offset", Value: "4"}, {Key: "length", Value: "8"}}}
	sparse := &onnxpb.SparseTensor{Values: w, Dims: []int64{4, 4},
		Indices: &onnxpb.Tensor{DataType: 7, Dims: []int64{2}, Int64Data: []int64{3, 9}}}
	graph := func(inits []*onnxpb.Tensor, nodes ...*onnxpb.Node) *onnxpb.Model {
		return model(&onnxpb.Graph{Input: values("x"), Output: values("y"), Initializer: inits, Node: nodes})
	}
	withSparse := graph(nil, node("Add", "x w", "y"))
	withSparse.Graph.SparseInitializer = []*onnxpb.SparseTensor{sparse}
	withFunction := graph(nil, call)
	withFunction.Functions = []*onnxpb.Function{f}
	var out [][]byte
	for _, m := range []*onnxpb.Model{
		graph([]*onnxpb.Tensor{w}, node("Clip", "x - w", "c"), node("Mul", "c c", "y")),
		graph([]*onnxpb.Tensor{ext}, node("Add", "x w", "y", &onnxpb.Attribute{Name: "axes", Type: 7, Ints: []int64{1, -1}})),
		graph(nil, node("If", "x", "y", &onnxpb.Attribute{Name: "then_branch", Type: 5, G: body})),
		withSparse,
		withFunction,
	} {
		out = append(out, encode(t, m))
	}
	return out
}

func FuzzDecode(f *testing.F) {
	for _, data := range seeds(f) {
		f.Add(data)
	}
	dir := fstest.MapFS{"w.bin": {Data: make([]byte, 12)}}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := decodeBytes("m.onnx", data, dir)
		if err != nil {
			if strings.Contains(err.Error(), "BUG") {
				t.Fatal(err)
			}
			return
		}
		for _, c := range m.Graph.Initializers {
			if b, err := c.Bytes(); err == nil && len(b) != c.Len()*c.DType.Size() {
				t.Fatalf("tensor %q: %d bytes for %d elements of %s", c.Name, len(b), c.Len(), c.DType)
			}
		}
	})
}
