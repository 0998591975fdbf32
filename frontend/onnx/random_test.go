package onnx

import (
	"context"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/billnet/billnet/frontend/onnx/onnxpb"
	"github.com/billnet/billnet/ir"
)

// TestRandomNodes imports one node of every operator over random operands and
// attributes, right and wrong, and evaluates what is accepted. Nothing may
// panic, and no fault of ours may be reported.
func TestRandomNodes(t *testing.T) {
	var ops []operator
	for op := range handlers {
		if op.domain != "finn.custom_op.general" && op.domain != "onnx.brevitas" {
			ops = append(ops, op)
		}
	}
	attrNames := strings.Fields(`axis axes keepdims kernel_shape strides dilations pads auto_pad group epsilon perm to shape
		starts ends steps split num_outputs alpha beta transA transB allowzero mode blocksize direction hidden_size
		activations layout ceil_mode count_include_pad value_ints value_float broadcast min max repeats
		select_last_index noop_with_empty_axes clip linear_before_reset rounding_mode start end output_dtype`)
	small := rapid.SampledFrom([]int64{0, 1, 1, 2, 2, 3, 4, 5, -1, -2, 7, 10, 1 << 31, 1 << 62, -1 << 63})
	dtypes := rapid.SampledFrom([]DType{Float32, Float32, Float32, Float32, Int64, Int32, Uint8, Int8, Bool, Float16, Float64, Int4})
	words := rapid.SampledFrom([]string{"SAME_UPPER", "SAME_LOWER", "VALID", "edge", "reflect", "wrap", "bidirectional", "reverse", "Sigmoid", "Tanh", "Affine", "FLOOR", "DCR", "CRD", ""})

	rapid.Check(t, func(t *rapid.T) {
		op := ops[rapid.IntRange(0, len(ops)-1).Draw(t, "op")]
		h := handlers[op]
		g := &onnxpb.Graph{Input: values("unused"), Output: values("y0")}
		n := &onnxpb.Node{OpType: op.name, Domain: op.domain, Output: []string{"y0", "y1", "y2"}[:rapid.IntRange(1, 3).Draw(t, "outputs")]}
		dtype := dtypes.Draw(t, "dtype")
		for range rapid.IntRange(h.least, min(h.most, h.least+3)).Draw(t, "inputs") {
			switch rapid.IntRange(0, 9).Draw(t, "kind") {
			case 0:
				n.Input = append(n.Input, "")
				continue
			case 1, 2:
				list := rapid.SliceOfN(small, 0, 4).Draw(t, "list")
				w := int64s("c"+valueName(len(n.Input)), list...)
				if len(list) == 1 && rapid.Bool().Draw(t, "scalar") {
					w.Dims = nil
				}
				g.Initializer = append(g.Initializer, w)
				n.Input = append(n.Input, w.Name)
				continue
			case 3:
				dtype = dtypes.Draw(t, "another")
			}
			name := valueName(len(n.Input))
			dims := rapid.SliceOfN(rapid.Int64Range(0, 4), 0, 5).Draw(t, "dims")
			g.Input = append(g.Input, value(name, dtype, dims...))
			n.Input = append(n.Input, name)
		}
		for _, name := range rapid.SliceOfNDistinct(rapid.SampledFrom(attrNames), 0, 5, rapid.ID).Draw(t, "attrs") {
			a := &onnxpb.Attribute{Name: name}
			switch rapid.IntRange(0, 4).Draw(t, "type") {
			case 0:
				a.Type, a.I = 2, small.Draw(t, "i")
			case 1, 2:
				a.Type, a.Ints = 7, rapid.SliceOfN(small, 0, 6).Draw(t, "ints")
			case 3:
				a.Type, a.F = 1, rapid.Float32().Draw(t, "f")
			case 4:
				a.Type, a.S = 3, []byte(words.Draw(t, "s"))
			}
			n.Attribute = append(n.Attribute, a)
		}
		g.Node = []*onnxpb.Node{n}
		p := model(g)
		p.OpsetImport[0].Version = rapid.SampledFrom([]int64{1, 6, 9, 11, 13, 18, 23}).Draw(t, "opset")
		data, err := proto.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		m, _, err := ImportBytes(context.Background(), "m.onnx", data, Options{})
		if err != nil {
			if strings.Contains(err.Error(), "BUG") {
				t.Fatal(err)
			}
			return
		}
		elems := 0
		for _, n := range m.Main().Nodes {
			for _, r := range n.Results {
				elems += r.Type.Elems()
			}
		}
		if elems > 1<<16 {
			return
		}
		var args []*ir.Tensor
		for _, p := range m.Main().Params {
			x := ir.NewTensor(p.Value.Type)
			for i := range x.Len() {
				x.SetFloat(i, float64(i%5)-1)
			}
			args = append(args, x)
		}
		if _, err := ir.Eval(context.Background(), m.Main(), args, nil); err != nil && strings.Contains(err.Error(), "BUG") {
			t.Fatal(err)
		}
	})
}
