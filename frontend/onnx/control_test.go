package onnx

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/billnet/billnet/frontend/onnx/onnxpb"
	"github.com/billnet/billnet/ir"
)

// i64s is an initializer of integers.
func i64s(name string, dims []int64, v ...int64) *onnxpb.Tensor {
	return &onnxpb.Tensor{Name: name, DataType: int32(Int64), Dims: dims, Int64Data: v}
}

func graphAttr(name string, g *onnxpb.Graph) *onnxpb.Attribute {
	return &onnxpb.Attribute{Name: name, Type: 5, G: g}
}

// runningSum sums the rows of x [3,2] and collects the sum after every step.
func runningSum(loop bool) *onnxpb.Model {
	body := &onnxpb.Graph{Name: "body", Output: []*onnxpb.ValueInfo{value("s_out", Float32, 2), value("seen", Float32, 2)}}
	g := &onnxpb.Graph{
		Name:        "g",
		Input:       []*onnxpb.ValueInfo{value("x", Float32, 3, 2), value("s0", Float32, 2)},
		Output:      []*onnxpb.ValueInfo{value("sum", Float32, 2), value("all", Float32, 3, 2)},
		Initializer: []*onnxpb.Tensor{i64s("trips", nil, 3)},
	}
	if loop {
		body.Input = []*onnxpb.ValueInfo{value("i", Int64), value("go", Bool), value("s_in", Float32, 2)}
		body.Output = append([]*onnxpb.ValueInfo{value("go_on", Bool)}, body.Output...)
		body.Node = []*onnxpb.Node{
			node("Identity", "go", "go_on"),
			node("Gather", "x i", "row", intAttr("axis", 0)),
			node("Add", "s_in row", "s_out"),
			node("Identity", "s_out", "seen"),
		}
		g.Node = []*onnxpb.Node{node("Loop", "trips - s0", "sum all", graphAttr("body", body))}
	} else {
		body.Input = []*onnxpb.ValueInfo{value("s_in", Float32, 2), value("row", Float32, 2)}
		body.Node = []*onnxpb.Node{node("Add", "s_in row", "s_out"), node("Identity", "s_out", "seen")}
		g.Node = []*onnxpb.Node{node("Scan", "s0 x", "sum all", graphAttr("body", body), intAttr("num_scan_inputs", 1))}
	}
	return model(g)
}

func TestLoopAndScan(t *testing.T) {
	for _, loop := range []bool{true, false} {
		m, _, err := ImportBytes(context.Background(), "control.onnx", encode(t, runningSum(loop)), Options{})
		if err != nil {
			t.Fatal(err)
		}
		in := []*ir.Tensor{ir.FloatTensor([]float32{1, 2, 3, 4, 5, 6}, 3, 2), ir.FloatTensor([]float32{10, 20}, 2)}
		out, err := ir.Eval(context.Background(), m.Main(), in, nil)
		if err != nil {
			t.Fatal(err)
		}
		if want := []float32{19, 32}; !slices.Equal(out[0].Floats(), want) {
			t.Errorf("loop %v: sum is %v, expected %v", loop, out[0].Floats(), want)
		}
		if want := []float32{11, 22, 14, 26, 19, 32}; !slices.Equal(out[1].Floats(), want) {
			t.Errorf("loop %v: running sums are %v, expected %v", loop, out[1].Floats(), want)
		}
	}
}

func TestLoopUnknownTrips(t *testing.T) {
	p := runningSum(true)
	p.Graph.Initializer = nil
	p.Graph.Input = append(p.Graph.Input, value("trips", Int64))
	_, _, err := ImportBytes(context.Background(), "control.onnx", encode(t, p), Options{})
	var u *UnsupportedError
	if !errors.As(err, &u) || !strings.Contains(err.Error(), "number of steps") || !strings.Contains(err.Error(), "--const trips=") {
		t.Errorf("error is %v, expected one that asks for --const trips", err)
	}
	p.Graph.Input = p.Graph.Input[:2]
	p.Graph.Initializer = []*onnxpb.Tensor{i64s("trips", nil, 1<<40)}
	if _, _, err := ImportBytes(context.Background(), "control.onnx", encode(t, p), Options{}); err == nil || !strings.Contains(err.Error(), "too many") {
		t.Errorf("error is %v, expected too many steps", err)
	}
}

func TestIf(t *testing.T) {
	branch := func(op string) *onnxpb.Graph {
		return &onnxpb.Graph{Name: op, Node: []*onnxpb.Node{node(op, "x", op+"_y")}, Output: []*onnxpb.ValueInfo{value(op+"_y", Float32, 2)}}
	}
	for cond, want := range map[int32]float32{0: -3, 1: 3} {
		g := &onnxpb.Graph{
			Name:        "g",
			Input:       []*onnxpb.ValueInfo{value("x", Float32, 2)},
			Output:      []*onnxpb.ValueInfo{value("y", Float32, 2)},
			Initializer: []*onnxpb.Tensor{{Name: "c", DataType: int32(Bool), Int32Data: []int32{cond}}},
			Node:        []*onnxpb.Node{node("If", "c", "y", graphAttr("then_branch", branch("Abs")), graphAttr("else_branch", branch("Neg")))},
		}
		m, _, err := ImportBytes(context.Background(), "if.onnx", encode(t, model(g)), Options{})
		if err != nil {
			t.Fatal(err)
		}
		out, err := ir.Eval(context.Background(), m.Main(), []*ir.Tensor{ir.FloatTensor([]float32{3, 3}, 2)}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if out[0].Float32(0) != want {
			t.Errorf("condition %d gives %v, expected %v", cond, out[0].Float32(0), want)
		}
	}
}

// evalModel imports a model and evaluates it.
func evalModel(t *testing.T, g *onnxpb.Graph, in ...*ir.Tensor) []*ir.Tensor {
	t.Helper()
	m, _, err := ImportBytes(context.Background(), "control.onnx", encode(t, model(g)), Options{})
	if err != nil {
		t.Fatal(err)
	}
	out, err := ir.Eval(context.Background(), m.Main(), in, nil)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// branch is a subgraph of one node on what the graph around it has.
func branch(name string, n *onnxpb.Node, out *onnxpb.ValueInfo) *onnxpb.Attribute {
	return graphAttr(name, &onnxpb.Graph{Name: name, Node: []*onnxpb.Node{n}, Output: []*onnxpb.ValueInfo{out}})
}

func TestIfOnData(t *testing.T) {
	choose := func(no *onnxpb.Node, out *onnxpb.ValueInfo) *onnxpb.Graph {
		return &onnxpb.Graph{
			Name:   "g",
			Input:  []*onnxpb.ValueInfo{value("c", Bool, 1), value("x", Float32, 2)},
			Output: []*onnxpb.ValueInfo{value("y", Float32, 2)},
			Node:   []*onnxpb.Node{node("If", "c", "y", branch("then_branch", node("Neg", "x", "a"), value("a", Float32, 2)), branch("else_branch", no, out))},
		}
	}
	x := ir.FloatTensor([]float32{1, -2}, 2)
	for c, want := range map[int64][]float32{1: {-1, 2}, 0: {1, 2}} {
		out := evalModel(t, choose(node("Abs", "x", "b"), value("b", Float32, 2)), ir.IntTensor(ir.Bool, []int64{c}, 1), x)
		if !slices.Equal(out[0].Floats(), want) {
			t.Errorf("condition %d: %v, expected %v", c, out[0].Floats(), want)
		}
	}
	_, _, err := ImportBytes(context.Background(), "m.onnx", encode(t, model(choose(node("ReduceSum", "x", "b"), value("b", Float32, 1)))), Options{})
	if err == nil || !strings.Contains(err.Error(), "f32[2] in one branch and f32[1] in the other") {
		t.Errorf("branches of different types: %v", err)
	}
}

// countTo is a Loop that adds step to a number while it is below a limit, which is
// an input where data says so.
func countTo(limit *onnxpb.Tensor, trips string) *onnxpb.Graph {
	g := &onnxpb.Graph{
		Name:        "g",
		Input:       []*onnxpb.ValueInfo{value("x", Float32)},
		Output:      []*onnxpb.ValueInfo{value("y", Float32)},
		Initializer: []*onnxpb.Tensor{i64s("one", nil, 1), i64s("zero", nil, 0), i64s("six", nil, 6), {Name: "yes", DataType: int32(Bool), Int32Data: []int32{1}}},
	}
	if limit == nil {
		g.Input = append(g.Input, value("limit", Int64))
	} else {
		g.Initializer = append(g.Initializer, limit)
	}
	body := &onnxpb.Graph{
		Name:   "body",
		Input:  []*onnxpb.ValueInfo{value("i", Int64), value("go", Bool), value("n", Int64), value("v", Float32)},
		Output: []*onnxpb.ValueInfo{value("on", Bool), value("n2", Int64), value("v2", Float32)},
		Node:   []*onnxpb.Node{node("Add", "n one", "n2"), node("Less", "n2 limit", "on"), node("Add", "v x", "v2")},
	}
	g.Node = []*onnxpb.Node{node("Loop", trips+" yes zero x", "last y", graphAttr("body", body))}
	return g
}

func TestLoopEndsByItsCondition(t *testing.T) {
	x := ir.Scalar(ir.F32, 2)
	if out := evalModel(t, countTo(i64s("limit", nil, 4), "-"), x); out[0].Float32(0) != 10 {
		t.Errorf("four steps without a trip count: %v, expected 10", out[0].Floats())
	}
	for limit, want := range map[int64]float32{1: 4, 3: 8, 9: 14} {
		if out := evalModel(t, countTo(nil, "six"), x, ir.Scalar(ir.I64, float64(limit))); out[0].Float32(0) != want {
			t.Errorf("limit %d in at most six steps: %v, expected %v", limit, out[0].Floats(), want)
		}
	}
	_, _, err := ImportBytes(context.Background(), "m.onnx", encode(t, model(countTo(nil, "-"))), Options{})
	if err == nil || !strings.Contains(err.Error(), "must be known when the model is compiled") {
		t.Errorf("a loop of unknown length: %v", err)
	}
}

func TestSequences(t *testing.T) {
	g := &onnxpb.Graph{
		Name:        "g",
		Input:       []*onnxpb.ValueInfo{value("x", Float32, 4, 2)},
		Output:      []*onnxpb.ValueInfo{value("y", Float32, 3, 2), value("n", Int64)},
		Initializer: []*onnxpb.Tensor{i64s("zero", nil, 0), i64s("last", nil, -1)},
		Node: []*onnxpb.Node{
			node("SplitToSequence", "x", "s", intAttr("axis", 0), intAttr("keepdims", 0)),
			node("SequenceAt", "s last", "e"),
			node("SequenceErase", "s last", "t"),
			node("SequenceErase", "t zero", "u"),
			node("SequenceInsert", "u e zero", "v"),
			node("SequenceLength", "v", "n"),
			node("ConcatFromSequence", "v", "y", intAttr("axis", 0), intAttr("new_axis", 1)),
		},
	}
	out := evalModel(t, g, ir.FloatTensor([]float32{1, 2, 3, 4, 5, 6, 7, 8}, 4, 2))
	if want := []float32{7, 8, 3, 4, 5, 6}; !slices.Equal(out[0].Floats(), want) || out[1].Int(0) != 3 {
		t.Errorf("%v of length %v, expected %v", out[0].Floats(), out[1].Ints(), want)
	}
	g.Node = append(g.Node, node("Relu", "v", "z"))
	g.Output = append(g.Output, value("z", Float32, 2))
	if _, _, err := ImportBytes(context.Background(), "m.onnx", encode(t, model(g)), Options{}); err == nil || !strings.Contains(err.Error(), `Relu: of a sequence, "v"`) {
		t.Errorf("Relu of a sequence: %v", err)
	}
}

// TestRefusesEverything checks that one refusal names what is unknown in all
// bodies, and in nodes behind others that are unknown.
func TestRefusesEverything(t *testing.T) {
	g := &onnxpb.Graph{
		Name:   "g",
		Input:  []*onnxpb.ValueInfo{value("c", Bool, 1), value("x", Float32, 2)},
		Output: []*onnxpb.ValueInfo{value("y", Float32, 2)},
		Node: []*onnxpb.Node{
			node("Unique", "x", "u"),
			node("If", "c", "y", branch("then_branch", node("Foo", "u", "a"), value("a", Float32, 2)), branch("else_branch", node("Bar", "x", "b"), value("b", Float32, 2))),
		},
	}
	_, _, err := ImportBytes(context.Background(), "m.onnx", encode(t, model(g)), Options{})
	var u *UnsupportedError
	if !errors.As(err, &u) {
		t.Fatalf("%v, expected an UnsupportedError", err)
	}
	for _, want := range []string{"Unique: the size of its result depends on data", "Foo", "Bar"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v\ndoes not name %s", err, want)
		}
	}
}
