package hostile

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/billnet/billnet/frontend/bill"
	"github.com/billnet/billnet/frontend/onnx"
	"github.com/billnet/billnet/frontend/onnx/onnxpb"
	"github.com/billnet/billnet/ir"
)

// maxSeed bounds the bytes of a model that is mutated.
const maxSeed = 1 << 16

// Seeds are small models over every operator: the example of each operation of
// the IR, with and without its constants as inputs, the models of the folders,
// and control flow.
func Seeds(folders ...string) ([]*onnxpb.Model, error) {
	seeds := []*onnxpb.Model{loopSeed(), scanSeed(), ifSeed(), functionSeed(), binarySeed()}
	for _, op := range ir.Ops() {
		if op.Onnx == "" && op.Levels&ir.Source == 0 {
			continue
		}
		for _, inputs := range []bool{false, true} {
			m, err := exampleSeed(op, inputs)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", op.Name, err)
			}
			if m != nil {
				seeds = append(seeds, m)
			}
		}
	}
	for _, folder := range folders {
		err := filepath.WalkDir(folder, func(path string, e os.DirEntry, err error) error {
			if err != nil || filepath.Ext(path) != ".onnx" {
				return err
			}
			data, err := os.ReadFile(path)
			if err != nil || len(data) > maxSeed {
				return err
			}
			m := new(onnxpb.Model)
			if (proto.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(data, m) == nil && m.Graph != nil {
				seeds = append(seeds, m)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	for _, m := range seeds {
		openTypes(m.Graph)
	}
	return seeds, nil
}

// openTypes takes back what a model declares of its results, which would refuse
// most mutants before anything else looks at them.
func openTypes(g *onnxpb.Graph) {
	g.ValueInfo = nil
	for _, out := range g.Output {
		out.Type = nil
	}
}

// exampleSeed is the example of an operation as a model, nil where ONNX has no
// words for it. With inputs its first constants are inputs of the model.
func exampleSeed(op *ir.Op, inputs bool) (*onnxpb.Model, error) {
	m, err := bill.Parse("example", fmt.Appendf(nil, "bill 1\nmodule \"example\" level=source\nfunc @main() {%s\n}\n", op.Example), nil)
	if err != nil {
		return nil, err
	}
	if f := m.Main(); inputs {
		const most = 2
		f.Nodes = slices.DeleteFunc(f.Nodes, func(n *ir.Node) bool {
			if n.Const == nil || len(f.Params) == most {
				return false
			}
			v := &ir.Value{Type: n.Const.Type}
			f.Replace(map[*ir.Value]*ir.Value{n.Result(): v})
			f.Params = append(f.Params, ir.Port{Name: fmt.Sprintf("x%d", len(f.Params)), Value: v})
			return true
		})
	}
	data, err := onnx.Export(m)
	if err != nil {
		return nil, nil // an operation without a counterpart
	}
	p := new(onnxpb.Model)
	return p, proto.Unmarshal(data, p)
}

func node(op string, inputs, outputs []string, attrs ...*onnxpb.Attribute) *onnxpb.Node {
	return &onnxpb.Node{OpType: op, Input: inputs, Output: outputs, Attribute: attrs}
}

func names(n ...string) []string { return n }

func input(name string, dtype int32, dims ...int64) *onnxpb.ValueInfo {
	shape := &onnxpb.Shape{}
	for _, d := range dims {
		shape.Dim = append(shape.Dim, &onnxpb.Dimension{Value: &onnxpb.Dimension_DimValue{DimValue: d}})
	}
	return &onnxpb.ValueInfo{Name: name, Type: &onnxpb.Type{Value: &onnxpb.Type_TensorType{TensorType: &onnxpb.TensorType{ElemType: dtype, Shape: shape}}}}
}

func output(list ...string) (out []*onnxpb.ValueInfo) {
	for _, name := range list {
		out = append(out, &onnxpb.ValueInfo{Name: name})
	}
	return out
}

func ints64(name string, v ...int64) *onnxpb.Tensor {
	return &onnxpb.Tensor{Name: name, DataType: int64Type, Dims: []int64{int64(len(v))}, Int64Data: v}
}

func scalar(t *onnxpb.Tensor) *onnxpb.Tensor { t.Dims = nil; return t }

func floats(name string, dims []int64, v ...float32) *onnxpb.Tensor {
	return &onnxpb.Tensor{Name: name, DataType: floatType, Dims: dims, FloatData: v}
}

func attrInts(name string, v ...int64) *onnxpb.Attribute {
	return &onnxpb.Attribute{Name: name, Type: 7, Ints: v}
}

func attrInt(name string, v int64) *onnxpb.Attribute {
	return &onnxpb.Attribute{Name: name, Type: 2, I: v}
}

func attrGraph(name string, g *onnxpb.Graph) *onnxpb.Attribute {
	return &onnxpb.Attribute{Name: name, Type: 5, G: g}
}

const (
	floatType = 1
	int64Type = 7
	boolType  = 9
)

func model(g *onnxpb.Graph) *onnxpb.Model {
	return &onnxpb.Model{IrVersion: 8, OpsetImport: []*onnxpb.OperatorSet{{Version: 17}}, Graph: g}
}

// loopSeed is a loop in a loop that carries a sum and collects it.
func loopSeed() *onnxpb.Model {
	inner := &onnxpb.Graph{
		Input: append([]*onnxpb.ValueInfo{input("j", int64Type), input("d", boolType)}, input("t", floatType, 2)), Output: output("d2", "t2"),
		Node: []*onnxpb.Node{node("Identity", names("d"), names("d2")), node("Add", names("t", "x"), names("t2"))},
	}
	body := &onnxpb.Graph{
		Input: append([]*onnxpb.ValueInfo{input("i", int64Type), input("c", boolType)}, input("s", floatType, 2)), Output: output("c2", "s2", "all"),
		Node: []*onnxpb.Node{
			node("Identity", names("c"), names("c2")),
			node("Loop", names("n", "", "s"), names("s2"), attrGraph("body", inner)),
			node("Mul", names("s2", "x"), names("all")),
		},
	}
	return model(&onnxpb.Graph{
		Input: []*onnxpb.ValueInfo{input("x", floatType, 2)}, Output: output("y", "ys"),
		Initializer: []*onnxpb.Tensor{scalar(ints64("n", 3))},
		Node:        []*onnxpb.Node{node("Loop", names("n", "", "x"), names("y", "ys"), attrGraph("body", body))},
	})
}

// scanSeed is a running sum over the first axis.
func scanSeed() *onnxpb.Model {
	body := &onnxpb.Graph{
		Input: []*onnxpb.ValueInfo{input("s", floatType, 2), input("e", floatType, 2)}, Output: output("s2", "out"),
		Node: []*onnxpb.Node{node("Add", names("s", "e"), names("s2")), node("Relu", names("s2"), names("out"))},
	}
	return model(&onnxpb.Graph{
		Input: []*onnxpb.ValueInfo{input("x", floatType, 4, 2)}, Output: output("y", "ys"),
		Initializer: []*onnxpb.Tensor{floats("zero", []int64{2}, 0, 0)},
		Node:        []*onnxpb.Node{node("Scan", names("zero", "x"), names("y", "ys"), attrGraph("body", body), attrInt("num_scan_inputs", 1))},
	})
}

// ifSeed chooses by a shape.
func ifSeed() *onnxpb.Model {
	branch := func(op string) *onnxpb.Graph {
		return &onnxpb.Graph{Output: output("r"), Node: []*onnxpb.Node{node(op, names("x"), names("r"))}}
	}
	return model(&onnxpb.Graph{
		Input: []*onnxpb.ValueInfo{input("x", floatType, 1, 4)}, Output: output("y", "z"),
		Initializer: []*onnxpb.Tensor{ints64("four", 4), ints64("two", 2, 2)},
		Node: []*onnxpb.Node{
			node("Shape", names("x"), names("shape")),
			node("Gather", names("shape", "one"), names("d")),
			node("Constant", nil, names("one"), attrInts("value_ints", 1)),
			node("Equal", names("d", "four"), names("c")),
			node("If", names("c"), names("y"), attrGraph("then_branch", branch("Relu")), attrGraph("else_branch", branch("Neg"))),
			node("ConstantOfShape", names("two"), names("k")),
			node("Reshape", names("y", "two"), names("r2")),
			node("MatMul", names("r2", "k"), names("z")),
		},
	})
}

// functionSeed calls local functions.
func functionSeed() *onnxpb.Model {
	m := model(&onnxpb.Graph{
		Input: []*onnxpb.ValueInfo{input("x", floatType, 2, 3)}, Output: output("y"),
		Node: []*onnxpb.Node{{OpType: "outer", Domain: "local", Name: "call", Input: names("x"), Output: names("y")}},
	})
	sets := []*onnxpb.OperatorSet{{Version: 17}, {Domain: "local", Version: 1}}
	m.OpsetImport = sets
	m.Functions = []*onnxpb.Function{
		{Name: "inner", Domain: "local", Input: names("a"), Output: names("b"), OpsetImport: sets, Node: []*onnxpb.Node{node("Relu", names("a"), names("t")), node("Add", names("t", "a"), names("b"))}},
		{Name: "outer", Domain: "local", Input: names("a"), Output: names("b"), OpsetImport: sets, Node: []*onnxpb.Node{
			{OpType: "inner", Domain: "local", Input: names("a"), Output: names("t")},
			{OpType: "inner", Domain: "local", Input: names("t"), Output: names("b")},
		}},
	}
	return m
}

// binarySeed is two binary layers with everything that the passes look for: a
// convolution of signs, a norm, a limited activation, pooling and a comparison.
func binarySeed() *onnxpb.Model {
	weights := func(name string, dims ...int64) *onnxpb.Tensor {
		n := int64(1)
		for _, d := range dims {
			n *= d
		}
		v := make([]float32, n)
		for i := range v {
			v[i] = float32((i*7+len(name))%5) - 2
		}
		return floats(name, dims, v...)
	}
	norm := func(name string) []*onnxpb.Tensor {
		return []*onnxpb.Tensor{floats(name+".g", []int64{4}, 1, -1, 0.5, 2), floats(name+".b", []int64{4}, 0, 1, -1, 0.25), floats(name+".m", []int64{4}, 0, 3, -2, 1), floats(name+".v", []int64{4}, 1, 2, 0.5, 4)}
	}
	g := &onnxpb.Graph{
		Input: []*onnxpb.ValueInfo{input("x", floatType, 1, 4, 6, 6)}, Output: output("y"),
		Initializer: slices.Concat(norm("n1"), norm("n2"), []*onnxpb.Tensor{
			weights("w1", 4, 4, 3, 3), weights("w2", 4, 4, 3, 3), weights("w3", 36, 3),
			scalar(floats("zero", nil, 0)), scalar(floats("one", nil, 1)), scalar(floats("minus", nil, -1)), ints64("flat", 1, -1),
		}),
		Node: []*onnxpb.Node{
			node("Sign", names("x"), names("s0")),
			node("Sign", names("w1"), names("b1")),
			node("Conv", names("s0", "b1"), names("c1"), attrInts("pads", 1, 1, 1, 1)),
			node("BatchNormalization", names("c1", "n1.g", "n1.b", "n1.m", "n1.v"), names("m1")),
			node("Clip", names("m1", "", "one"), names("a1")),
			node("Greater", names("a1", "zero"), names("h1")),
			node("Where", names("h1", "one", "minus"), names("s1")),
			node("GreaterOrEqual", names("w2", "zero"), names("p2")),
			node("Where", names("p2", "one", "minus"), names("b2")),
			node("Conv", names("s1", "b2"), names("c2"), attrInts("pads", 1, 1, 1, 1)),
			node("BatchNormalization", names("c2", "n2.g", "n2.b", "n2.m", "n2.v"), names("m2")),
			node("Add", names("m2", "s1"), names("r2")),
			node("MaxPool", names("r2"), names("q2"), attrInts("kernel_shape", 2, 2), attrInts("strides", 2, 2)),
			node("Sign", names("q2"), names("s2")),
			node("Reshape", names("s2", "flat"), names("f2")),
			node("Gemm", names("f2", "w3"), names("y")),
		},
	}
	return model(g)
}

// Binary is a small network of binary layers.
func Binary() *onnxpb.Model { return binarySeed() }
