package cases

import (
	"math/rand/v2"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/billnet/billnet/frontend/onnx"
	"github.com/billnet/billnet/frontend/onnx/onnxpb"
	"github.com/billnet/billnet/tests/hostile"
)

// TestTables gives models of a few hundred bytes whose operators ask for large
// tables of indices.
func TestTables(t *testing.T) {
	const u8, f32, i64 = 2, 1, 7
	asymmetric := []*onnxpb.Attribute{attrText("coordinate_transformation_mode", "asymmetric"), attrText("nearest_mode", "floor")}
	x := func(dtype int32, dims ...int64) *onnxpb.ValueInfo { return typed("x", dtype, dims...) }
	ones := floats("s", 1, 1)
	for name, c := range map[string]struct {
		m  *onnxpb.Model
		in []*onnxpb.ValueInfo
	}{
		"rows of indices":         {one(17, "GatherND", "x i", nil), []*onnxpb.ValueInfo{x(u8, 3), typed("i", u8, 1<<28, 1)}},
		"indices of two axes":     {one(17, "GatherND", "x i", nil), []*onnxpb.ValueInfo{x(f32, 2, 2), typed("i", i64, 1<<27, 2)}},
		"indices of many batches": {one(17, "GatherND", "x i", nil, attrInt("batch_dims", 1)), []*onnxpb.ValueInfo{x(u8, 1<<26, 3), typed("i", i64, 1<<26, 1)}},
		"a constant resized":      {one(17, "Resize", "k   n", []*onnxpb.Tensor{shaped(floats("k", 1, 2, 3, 4), 1, 1, 2, 2), int64s("n", 6, 1, 4, 1<<20)}, asymmetric...), nil},
		"an input resized":        {one(17, "Resize", "x   n", []*onnxpb.Tensor{int64s("n", 1<<28)}, asymmetric...), []*onnxpb.ValueInfo{x(u8, 1<<27)}},
		"blocks of scales":        {one(21, "DequantizeLinear", "x s", []*onnxpb.Tensor{shaped(ones, 1, 2)}, attrInt("axis", 1), attrInt("block_size", 1<<27)), []*onnxpb.ValueInfo{x(u8, 1, 1<<28)}},
	} {
		t.Run(name, func(t *testing.T) {
			c.m.Graph.Input = c.in
			data, err := proto.Marshal(c.m)
			if err != nil {
				t.Fatal(err)
			}
			if v := hostile.Try(data); v.Fault != "" {
				t.Error(v.Fault)
			}
		})
	}
}

// TestScaleOfOne: the error of a float32 scale is no whole position, however many
// there are.
func TestScaleOfOne(t *testing.T) {
	for scale, want := range map[float32]int{1: 1 << 28, 0.5: 1 << 27} {
		m := one(13, "Resize", "x  s", []*onnxpb.Tensor{floats("s", scale)})
		m.Graph.Input = []*onnxpb.ValueInfo{typed("x", 2, 1<<28)}
		data, err := proto.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		mod, _, err := onnx.ImportBytes(t.Context(), "model.onnx", data, onnx.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if y := mod.Main().Results[0].Value.Type; y.Elems() != want {
			t.Errorf("scale %v gives %s, expected %d elements", scale, y, want)
		}
	}
}

// TestFarTaps convolves bits by windows that reach further than kernels on planes
// do, or stride wider; dense ones compute them.
func TestFarTaps(t *testing.T) {
	const far = 1 << 20
	w := &onnxpb.Tensor{Name: "w", DataType: 1, Dims: []int64{4, 8, 3, 1}}
	r := rand.New(rand.NewPCG(3, 4))
	for range 4 * 8 * 3 {
		w.FloatData = append(w.FloatData, float32(1-2*r.IntN(2)))
	}
	for name, attrs := range map[string][]*onnxpb.Attribute{
		"half the way":         {attrInts("dilations", far/2, 1), attrInts("pads", far/2, 0, far/2, 0)},
		"beyond":               {attrInts("dilations", far/2+1, 1), attrInts("pads", far/2+1, 0, far/2+1, 0)},
		"far beyond":           {attrInts("dilations", 8*far, 1), attrInts("pads", 8*far, 0, 8*far, 0)},
		"padded behind":        {attrInts("dilations", far+1, 1), attrInts("pads", 0, 0, 2*far+2, 0)},
		"a stride of 64":       {attrInts("strides", 64, 1), attrInts("pads", 64, 0, 64, 0)},
		"a stride of 65":       {attrInts("strides", 65, 1), attrInts("pads", 65, 0, 65, 0)},
		"a stride of the axis": {attrInts("strides", 1<<40, 1)},
	} {
		t.Run(name, func(t *testing.T) {
			m := model(13, &onnxpb.Graph{
				Input: []*onnxpb.ValueInfo{typed("x", 1, 1, 8, 5, 4)}, Output: untyped("y"), Initializer: []*onnxpb.Tensor{w},
				Node: []*onnxpb.Node{
					{OpType: "Sign", Input: []string{"x"}, Output: []string{"b"}},
					{OpType: "Conv", Input: []string{"b", "w"}, Output: []string{"z"}, Attribute: attrs},
					{OpType: "Sign", Input: []string{"z"}, Output: []string{"y"}},
				},
			})
			b, _ := compiled(t, m)
			agrees(t, b)
		})
	}
}
