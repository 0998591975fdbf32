package cases

import (
	"encoding/binary"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/billnet/billnet/frontend/onnx"
	"github.com/billnet/billnet/frontend/onnx/onnxpb"
	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/tests/shared"
)

// spareBytes is what a program takes beside its weights.
const spareBytes = 16 << 10

// TestNarrowBytes compiles weights that are stored as int8 or float16, and constants
// that are stretched: the bytecode is as large as the model, and computes the same.
func TestNarrowBytes(t *testing.T) {
	const f32, i8, f16, bf16, i64 = 1, 3, 10, 16, 7
	r := newRand()
	raw := func(name string, dtype int32, data []byte, dims ...int64) *onnxpb.Tensor {
		return &onnxpb.Tensor{Name: name, DataType: dtype, Dims: dims, RawData: data}
	}
	bytes := func(name string, dims ...int64) *onnxpb.Tensor {
		b := make([]byte, ir.Type{Shape: ints(dims)}.Elems())
		for i := range b {
			b[i] = byte(r.IntN(255) - 127)
		}
		return raw(name, i8, b, dims...)
	}
	halves := func(name string, dtype int32, dims ...int64) *onnxpb.Tensor {
		var b []byte
		for range (ir.Type{Shape: ints(dims)}).Elems() {
			h := ir.FloatToF16(float32(r.NormFloat64()))
			if dtype == bf16 {
				h = ir.FloatToBF16(float32(r.NormFloat64()))
			}
			b = binary.LittleEndian.AppendUint16(b, h)
		}
		return raw(name, dtype, b, dims...)
	}
	scales := func(n int) *onnxpb.Tensor {
		t := &onnxpb.Tensor{Name: "s", DataType: f32, Dims: []int64{int64(n)}}
		for range n {
			t.FloatData = append(t.FloatData, r.Float32()/100+1e-3)
		}
		return t
	}
	shape := func(v ...int64) *onnxpb.Tensor {
		return &onnxpb.Tensor{Name: "n", DataType: i64, Dims: []int64{int64(len(v))}, Int64Data: v}
	}
	op := func(op, in, out string, attrs ...*onnxpb.Attribute) *onnxpb.Node {
		return &onnxpb.Node{OpType: op, Input: strings.Fields(in), Output: []string{out}, Attribute: attrs}
	}
	for name, c := range map[string]struct {
		in    []int64
		inits []*onnxpb.Tensor
		nodes []*onnxpb.Node
	}{
		"float16 matrix":  {[]int64{2, 128}, []*onnxpb.Tensor{halves("h", f16, 128, 256)}, []*onnxpb.Node{op("Cast", "h", "w", attrInt("to", f32)), op("MatMul", "x w", "y")}},
		"bfloat16 matrix": {[]int64{2, 128}, []*onnxpb.Tensor{halves("h", bf16, 128, 256)}, []*onnxpb.Node{op("Cast", "h", "w", attrInt("to", f32)), op("MatMul", "x w", "y")}},
		"float16 turned":  {[]int64{2, 128}, []*onnxpb.Tensor{halves("h", f16, 256, 128)}, []*onnxpb.Node{op("Cast", "h", "c", attrInt("to", f32)), op("Transpose", "c", "w"), op("MatMul", "x w", "y")}},
		"float16 kernel":  {[]int64{1, 32, 6, 7}, []*onnxpb.Tensor{halves("h", f16, 64, 32, 3, 3)}, []*onnxpb.Node{op("Cast", "h", "w", attrInt("to", f32)), op("Conv", "x w", "y")}},
		"int8 rows":       {[]int64{2, 128}, []*onnxpb.Tensor{bytes("q", 256, 128), scales(256)}, []*onnxpb.Node{op("DequantizeLinear", "q s", "w", attrInt("axis", 0)), op("Gemm", "x w", "y", attrInt("transB", 1))}},
		"int8 columns":    {[]int64{2, 128}, []*onnxpb.Tensor{bytes("q", 128, 256), scales(256)}, []*onnxpb.Node{op("DequantizeLinear", "q s", "w", attrInt("axis", 1)), op("MatMul", "x w", "y")}},
		"int8 kernel":     {[]int64{1, 32, 6, 7}, []*onnxpb.Tensor{bytes("q", 64, 32, 3, 3), scales(64)}, []*onnxpb.Node{op("DequantizeLinear", "q s", "w", attrInt("axis", 0)), op("Conv", "x w", "y")}},
		"int8 volume":     {[]int64{1, 16, 4, 6, 7}, []*onnxpb.Tensor{bytes("q", 64, 16, 3, 3, 3), scales(64)}, []*onnxpb.Node{op("DequantizeLinear", "q s", "w", attrInt("axis", 0)), op("Conv", "x w", "y")}},
		"expanded bias":   {[]int64{1, 64, 56, 56}, []*onnxpb.Tensor{shaped(named("b", scales(64)), 1, 64, 1, 1), shape(1, 64, 56, 56)}, []*onnxpb.Node{op("Expand", "b n", "w"), op("Add", "x w", "y")}},
		"tiled bias":      {[]int64{1, 64, 56, 56}, []*onnxpb.Tensor{shaped(named("b", scales(64)), 1, 64, 1, 1), shape(1, 1, 56, 56)}, []*onnxpb.Node{op("Tile", "b n", "w"), op("Mul", "x w", "y")}},
		"large zeros":     {[]int64{1, 64, 56, 56}, []*onnxpb.Tensor{shape(1, 64, 56, 56)}, []*onnxpb.Node{op("ConstantOfShape", "n", "w"), op("Max", "x w", "y")}},
		"large limits":    {[]int64{1, 64, 56, 56}, []*onnxpb.Tensor{shape(1, 64, 56, 56)}, []*onnxpb.Node{op("ConstantOfShape", "n", "w"), op("Greater", "x w", "c"), op("Where", "c x w", "y")}},
	} {
		t.Run(name, func(t *testing.T) {
			b, size := compiled(t, model(13, &onnxpb.Graph{Input: []*onnxpb.ValueInfo{typed("x", f32, c.in...)}, Output: untyped("y"), Initializer: c.inits, Node: c.nodes}))
			if most := size + size/20 + 1<<11; len(b.file) > most {
				t.Errorf("%d bytes of bytecode from a model of %d, expected at most %d", len(b.file), size, most)
			}
			in := ir.RandomInputs(b.source.Main(), newRand(), 2)
			want, err := ir.Eval(t.Context(), b.packed.Main(), ir.ConvertInputs(b.packed.Main(), in), nil)
			if err != nil {
				t.Fatal(err)
			}
			if err := b.run(t.Context(), in, func(out []*ir.Tensor) error { return compare("y", out[0], want[0], 0) }); err != nil {
				t.Error(err)
			}
		})
	}
}

func ints(v []int64) []int {
	out := make([]int, len(v))
	for i, x := range v {
		out[i] = int(x)
	}
	return out
}

// named is a tensor under another name.
func named(name string, t *onnxpb.Tensor) *onnxpb.Tensor {
	t.Name = name
	return t
}

// TestBytes compiles the collection's models of up to a megabyte: bytecode is not
// larger than the model and the data beside it.
func TestBytes(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles many models: skipped with -short")
	}
	const most = 1 << 20
	count := 0
	err := filepath.WalkDir(shared.Dir(t, "models"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".onnx" {
			return err
		}
		size := 0
		for _, part := range []string{path, path + ".data"} {
			if info, err := os.Stat(part); err == nil {
				size += int(info.Size())
			}
		}
		if size > most {
			return nil
		}
		m, _, err := onnx.ImportFile(t.Context(), path, onnx.Options{})
		if err != nil {
			return nil // that it is refused is for other tests
		}
		b, err := build(t.Context(), m)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			return nil
		}
		count++
		t.Logf("%6.2f  %8d from %8d  %s", float64(len(b.file))/float64(size), len(b.file), size, filepath.Base(path))
		if len(b.file) > size+spareBytes {
			t.Errorf("%s: %d bytes of bytecode from %d, expected at most %d more", path, len(b.file), size, spareBytes)
		}
		return nil
	})
	if err != nil || count == 0 {
		t.Errorf("%d models were compiled (%v)", count, err)
	}
}
