package onnx_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"google.golang.org/protobuf/proto"

	"github.com/billnet/billnet/frontend/onnx"
	"github.com/billnet/billnet/frontend/onnx/onnxpb"
	"github.com/billnet/billnet/ir"
)

// model is an ONNX model of one node, on an input whose second dimension is open. Yours
// is a file, which ImportFile reads together with the weights beside it.
func model(operator string) []byte {
	port := func(name string) *onnxpb.ValueInfo {
		dims := []*onnxpb.Dimension{
			{Value: &onnxpb.Dimension_DimValue{DimValue: 2}},
			{Value: &onnxpb.Dimension_DimParam{DimParam: "time"}},
		}
		tensor := &onnxpb.TensorType{ElemType: 1, Shape: &onnxpb.Shape{Dim: dims}}
		return &onnxpb.ValueInfo{Name: name, Type: &onnxpb.Type{Value: &onnxpb.Type_TensorType{TensorType: tensor}}}
	}
	b, err := proto.Marshal(&onnxpb.Model{
		IrVersion:   8,
		OpsetImport: []*onnxpb.OperatorSet{{Version: 17}},
		Graph: &onnxpb.Graph{
			Name:   "example",
			Node:   []*onnxpb.Node{{OpType: operator, Name: "act", Input: []string{"x"}, Output: []string{"y"}}},
			Input:  []*onnxpb.ValueInfo{port("x")},
			Output: []*onnxpb.ValueInfo{port("y")},
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	return b
}

// A model becomes a module; what is open in it gets its size here.
func ExampleImportBytes() {
	m, _, err := onnx.ImportBytes(context.Background(), "example.onnx", model("Relu"), onnx.Options{Dims: map[string]int{"time": 3}})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print(ir.PrintFunc(m.Main()))
	// Output:
	// func @main(%0 "x": f32[2,3]) {
	//   %1 = relu %0 : f32[2,3] loc("act")
	//   return %1 "y"
	// }
}

// An operator that is not read is told apart from a broken file.
func ExampleUnsupportedError() {
	_, _, err := onnx.ImportBytes(context.Background(), "example.onnx", model("Det"), onnx.Options{Dims: map[string]int{"time": 3}})
	var unsupported *onnx.UnsupportedError
	fmt.Println(errors.As(err, &unsupported))
	fmt.Println(err)
	// Output:
	// true
	// example.onnx: not supported:
	//   Det (node "act")
}

// What was read is written again: the source and logic levels of a module can be
// said in standard operators.
func ExampleExport() {
	m, _, err := onnx.ImportBytes(context.Background(), "example.onnx", model("Relu"), onnx.Options{Dims: map[string]int{"time": 3}})
	if err != nil {
		log.Fatal(err)
	}
	b, err := onnx.Export(m)
	if err != nil {
		log.Fatal(err)
	}
	again, _, err := onnx.ImportBytes(context.Background(), "again.onnx", b, onnx.Options{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(again.Main().Results[0].Value.Type)
	// Output:
	// f32[2,3]
}
