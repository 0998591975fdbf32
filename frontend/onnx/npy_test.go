package onnx

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/billnet/billnet/ir"
)

var npyHeader = regexp.MustCompile(`'descr': '([^']*)', 'fortran_order': False, 'shape': \(([^)]*)\)`)

// readNpy reads a NumPy array of uint8, float32, float64 or int64.
func readNpy(t testing.TB, path string) *ir.Tensor {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	x, err := parseNpy(b)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return x
}

func parseNpy(b []byte) (*ir.Tensor, error) {
	if !bytes.HasPrefix(b, []byte("\x93NUMPY\x01\x00")) {
		return nil, fmt.Errorf("not a version 1 NumPy file")
	}
	size := int(binary.LittleEndian.Uint16(b[8:]))
	m := npyHeader.FindSubmatch(b[10 : 10+size])
	if m == nil {
		return nil, fmt.Errorf("header %q", b[10:10+size])
	}
	var shape []int
	for s := range strings.SplitSeq(string(m[2]), ",") {
		if s = strings.TrimSpace(s); s == "" {
			continue
		}
		d, err := strconv.Atoi(s)
		if err != nil {
			return nil, err
		}
		shape = append(shape, d)
	}
	d, ok := map[string]ir.DType{"|u1": ir.U8, "|b1": ir.Bool, "<f4": ir.F32, "<f8": ir.F64, "<i8": ir.I64}[string(m[1])]
	if !ok {
		return nil, fmt.Errorf("element type %s", m[1])
	}
	return ir.TensorFromData(ir.T(d, shape...), b[10+size:])
}

// item returns element i of x's first axis as a batch of one.
func item(x *ir.Tensor, i int) *ir.Tensor {
	shape := append([]int{1}, x.Type.Shape[1:]...)
	n := ir.Type{Shape: shape}.Elems()
	switch {
	case x.HoldsInts():
		return ir.IntTensor(x.Type.DType, x.IntRange(i*n, (i+1)*n), shape...)
	case x.HoldsFloats():
		return ir.FloatTensor(x.FloatRange(i*n, (i+1)*n), shape...)
	}
	return ir.DoubleTensor(x.Doubles()[i*n:(i+1)*n], shape...)
}

// maxDiff returns the largest difference between elements, scaled down by
// magnitudes above 1; infinity if shapes or NaNs differ.
func maxDiff(a, b *ir.Tensor) float64 {
	if a.Len() != b.Len() || !ir.SameShape(a.Type.Shape, b.Type.Shape) {
		return math.Inf(1)
	}
	worst := 0.0
	for i := range a.Len() {
		x, y := a.Float(i), b.Float(i)
		if x == y || x != x && y != y {
			continue
		}
		d := math.Abs(x-y) / max(1, math.Abs(y))
		if d != d {
			return math.Inf(1)
		}
		worst = max(worst, d)
	}
	return worst
}
