package pipeline_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/billnet/billnet/codegen/bytecode"
	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/passes"
	"github.com/billnet/billnet/passes/pipeline"
)

// stack is a network of pointwise convolutions whose weights of n elements each
// weight makes, as the elements of type d that a file holds.
func stack(t *testing.T, d ir.DType, layers, channels int, weight func(b *ir.Builder, data []byte) *ir.Value) *ir.Module {
	t.Helper()
	r := rand.New(rand.NewPCG(5, 6))
	f := &ir.Func{Name: "main", Params: []ir.Port{{Name: "x", Value: &ir.Value{Type: ir.T(ir.F32, 1, channels, 2, 2)}}}}
	b := &ir.Builder{F: f}
	x := f.Params[0].Value
	for i := range layers {
		b.Loc = ir.Loc{Name: fmt.Sprintf("layer%d", i)}
		w := ir.NewTensor(ir.T(d, channels, channels, 1, 1))
		for k := range w.Len() {
			w.SetFloat(k, 0.01*r.NormFloat64())
			if d == ir.I8 {
				w.SetFloat(k, float64(r.IntN(255)-127))
			}
		}
		x = b.Op(ir.Relu, nil, b.Op(ir.Conv, nil, x, weight(b, w.Data())))
	}
	if b.Err != nil {
		t.Fatal(b.Err)
	}
	f.Results = []ir.Port{{Name: "y", Value: x}}
	return &ir.Module{Name: "stack", Level: ir.Source, Funcs: []*ir.Func{f}}
}

// TestCompileMemory checks how much of the weights' size in a file is alive behind
// every pass, and what the artifact adds.
func TestCompileMemory(t *testing.T) {
	const layers, channels = 8, 512
	constant := func(b *ir.Builder, d ir.DType, data []byte) *ir.Value {
		w, err := ir.TensorFromData(ir.T(d, channels, channels, 1, 1), data)
		if err != nil {
			t.Fatal(err)
		}
		return b.Const(w)
	}
	for _, c := range []struct {
		d    ir.DType
		make func(b *ir.Builder, data []byte) *ir.Value
	}{
		{ir.F32, func(b *ir.Builder, data []byte) *ir.Value { return constant(b, ir.F32, data) }},
		{ir.F16, func(b *ir.Builder, data []byte) *ir.Value {
			return b.Op(ir.Cast, map[string]any{"to": "f32"}, constant(b, ir.F16, data))
		}},
		{ir.I8, func(b *ir.Builder, data []byte) *ir.Value {
			scale := make([]float32, channels)
			for i := range scale {
				scale[i] = 0.001 * float32(i+7)
			}
			return b.Op(ir.DequantizeLinear, map[string]any{"axis": 0}, constant(b, ir.I8, data), b.Const(ir.FloatTensor(scale, channels)))
		}},
	} {
		t.Run(c.d.String(), func(t *testing.T) {
			file := layers * ir.DataBytes(ir.T(c.d, channels, channels))
			before := alive()
			m := stack(t, c.d, layers, channels, c.make)
			check := func(when string, most float64) {
				if held := float64(alive() - before); held > most*float64(file) {
					t.Errorf("%s: %.1f times the weights' %d bytes are alive, expected at most %.1f", when, held/float64(file), file, most)
				}
			}
			check("read", 1.3)
			steps := pipeline.Default()
			if _, err := passes.Run(context.Background(), m, steps, passes.RunOptions{
				After: func(i int, _ *ir.Module) { check("after "+steps[i].Pass.Name, 1.5) },
			}); err != nil {
				t.Fatal(err)
			}
			img, _, err := bytecode.Image(m, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			check("with the artifact", 2.3)
			runtime.KeepAlive(img)
			runtime.KeepAlive(m)
		})
	}
}

// alive is the bytes that the collector leaves.
func alive() int64 {
	runtime.GC()
	runtime.GC() // what finalizers and pools let go of
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return int64(s.HeapAlloc)
}
