package cases

import (
	"archive/zip"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"strings"
	"testing"

	"github.com/billnet/billnet/frontend/onnx"
	"github.com/billnet/billnet/ir"
)

// TestRandomNetworks compiles networks that bench/random_networks.py made and
// compares every form of them with what ONNX Runtime gave.
func TestRandomNetworks(t *testing.T) {
	z, err := zip.OpenReader("testdata/random_networks.zip")
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	files := map[string][]byte{}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		if files[f.Name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
		r.Close()
	}
	for name := range files {
		seed, ok := strings.CutSuffix(name, ".onnx")
		if !ok {
			continue
		}
		t.Run(seed, func(t *testing.T) {
			if err := recorded(t.Context(), files[name], files[seed+".x"], files[seed+".y"]); err != nil {
				t.Fatal(err)
			}
		})
	}
	if len(files) < 300 {
		t.Errorf("%d files, expected three for each of 100 networks", len(files))
	}
}

// recorded compares a model with its recorded output.
func recorded(ctx context.Context, model, x, y []byte) error {
	m, _, err := onnx.ImportBytes(ctx, "recorded", model, onnx.Options{})
	if err != nil {
		return err
	}
	f := m.Main()
	in := []*ir.Tensor{ir.FloatTensor(float32s(x), f.Params[0].Value.Type.Shape...)}
	b, err := build(ctx, m)
	if err != nil {
		return err
	}
	return b.run(ctx, in, func(out []*ir.Tensor) error {
		want := float32s(y)
		if out[0].Len() != len(want) {
			return fmt.Errorf("the output is %s, expected %d elements", out[0].Type, len(want))
		}
		return compare("y", out[0], ir.FloatTensor(want, out[0].Type.Shape...), 1e-3)
	})
}

// float32s reads numbers in little-endian order.
func float32s(b []byte) []float32 {
	out := make([]float32, len(b)/4)
	for i := range out {
		out[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
	return out
}
