package main

import (
	"bytes"
	"path/filepath"
	"slices"
	"testing"

	"github.com/billnet/billnet/internal/atomicfile"
	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/runtime/clip"
	"github.com/billnet/billnet/verify"
)

// Files of narrow integers, which NumPy keeps in bytes without a name, have the
// type that the model declares.
func TestNarrowTensors(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.npy")
	var b bytes.Buffer
	if err := clip.WriteNPY(&b, &clip.NPY{DType: "v8", Shape: []int{4}, Data: []byte{0, 0x1, 0xf, 0xf8}}); err != nil {
		t.Fatal(err)
	}
	if err := atomicfile.WriteBytes(path, b.Bytes()); err != nil {
		t.Fatal(err)
	}
	c := clipFlags{MaxClips: 1}
	for _, k := range []struct {
		kind string
		elem ir.DType
		want []int64
	}{{"i4", ir.I8, []int64{0, 1, -1, -8}}, {"u4", ir.U8, []int64{0, 1, 15, 8}}, {"i2", ir.I8, []int64{0, 1, -1, 0}}, {"u2", ir.U8, []int64{0, 1, 3, 0}}} {
		got, err := c.tensors(path, verify.Port{Name: "x", Type: ir.T(k.elem, 4)}, map[string]string{"type.x": k.kind})
		if err != nil {
			t.Errorf("%s: %v", k.kind, err)
		} else if !slices.Equal(got[0].Ints(), k.want) {
			t.Errorf("%s: %v, expected %v", k.kind, got[0].Ints(), k.want)
		}
	}
	if _, err := c.tensors(path, verify.Port{Name: "x", Type: ir.T(ir.I8, 4)}, nil); err == nil {
		t.Error("bytes of no type are read")
	}
}
