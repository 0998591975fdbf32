package onnx

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/billnet/billnet/frontend/onnx/onnxpb"
)

// TestSkeleton decodes skeletons and compares them with what decoding the whole
// model gives, once the references are followed.
func TestSkeleton(t *testing.T) {
	tensor := func(n int) *onnxpb.Tensor {
		return &onnxpb.Tensor{Name: "w", DataType: 2, Dims: []int64{int64(n)}, RawData: bytes.Repeat([]byte{1, 2, 3, 0xff}, n/4)}
	}
	body := &onnxpb.Graph{Name: "body", Initializer: []*onnxpb.Tensor{tensor(8)}}
	for name, g := range map[string]*onnxpb.Graph{
		"empty":     {},
		"no data":   {Initializer: []*onnxpb.Tensor{{Name: "w", DataType: 1, Dims: []int64{0}}}},
		"small":     {Initializer: []*onnxpb.Tensor{tensor(4), tensor(12)}},
		"16 bytes":  {Initializer: []*onnxpb.Tensor{tensor(16)}}, // as many as a reference has
		"windows":   {Initializer: []*onnxpb.Tensor{tensor(windowBytes - 20), tensor(3 * windowBytes), tensor(4)}},
		"long text": {Name: strings.Repeat("é", windowBytes), Initializer: []*onnxpb.Tensor{tensor(4)}},
		"attributes": {Node: []*onnxpb.Node{
			{OpType: "If", Attribute: []*onnxpb.Attribute{{Name: "then", G: body, Type: 5}, {Name: "t", T: tensor(40), F: 1.5, I: -3, Type: 4}}},
			{OpType: "X", Attribute: []*onnxpb.Attribute{{Name: "s", SparseTensor: &onnxpb.SparseTensor{Values: tensor(4), Dims: []int64{3}}}, {Tensors: []*onnxpb.Tensor{tensor(4)}}}},
		}},
	} {
		m := &onnxpb.Model{IrVersion: 8, ProducerName: "p", Graph: g}
		data := encode(t, m)
		data = protowire.AppendTag(data, 500, protowire.BytesType) // nothing that the compiler knows
		data = protowire.AppendBytes(data, make([]byte, 1000))
		data = protowire.AppendTag(data, 501, protowire.Fixed64Type)
		data = protowire.AppendFixed64(data, 7)
		short, err := skeleton(bytes.NewReader(data), len(data))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got := &onnxpb.Model{}
		if err := proto.Unmarshal(short, got); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		follow(got.Graph, data)
		if !proto.Equal(m, got) {
			t.Errorf("%s: %v, expected %v", name, got, m)
		}
		for i := range min(len(data), 300) {
			if _, err := skeleton(bytes.NewReader(data[:i]), len(data)); err == nil || !strings.Contains(err.Error(), "cannot be read") && !strings.Contains(err.Error(), "left") {
				t.Fatalf("%s: %d bytes of %d: error %v", name, i, len(data), err)
			}
		}
	}
}

// follow replaces references by what they refer to.
func follow(g *onnxpb.Graph, data []byte) {
	list := slices.Clone(g.Initializer)
	for _, n := range g.Node {
		for _, a := range n.Attribute {
			list = append(append(list, a.Tensors...), a.T, a.GetSparseTensor().GetValues())
			if a.G != nil {
				follow(a.G, data)
			}
		}
	}
	for _, p := range list {
		if p != nil {
			ref := decodeRef(p.RawData)
			p.RawData = slices.Clone(data[ref.at:][:ref.size])
		}
	}
}
