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
		if want := []float32{19, 32}; !slices.Equal(out[0].F, want) {
			t.Errorf("loop %v: sum is %v, expected %v", loop, out[0].F, want)
		}
		if want := []float32{11, 22, 14, 26, 19, 32}; !slices.Equal(out[1].F, want) {
			t.Errorf("loop %v: running sums are %v, expected %v", loop, out[1].F, want)
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
		if out[0].F[0] != want {
			t.Errorf("condition %d gives %v, expected %v", cond, out[0].F[0], want)
		}
	}
}
