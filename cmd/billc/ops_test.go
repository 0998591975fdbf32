package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/billnet/billnet/frontend/onnx"
	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/tests/golden/script"
)

// TestOperatorsDoc checks that docs/operators.md begins with what billc ops
// prints; -update rewrites that part.
func TestOperatorsDoc(t *testing.T) {
	var out bytes.Buffer
	if err := (opsCmd{}).Run(newStreams(nil, &out, nil)); err != nil {
		t.Fatal(err)
	}
	want := "# Operators\n\nWhat `billc ops` prints: the ONNX operators that are imported, and the operations of the IR.\n\n```text\n" + out.String() + "```\n"
	path := filepath.Join("..", "..", "docs", "operators.md")
	got, err := os.ReadFile(path)
	if err == nil && strings.HasPrefix(string(got), want) {
		return
	}
	_, prose, _ := strings.Cut(string(got), "\n```\n") // the end of the list
	want += prose
	if !script.Updating() {
		t.Fatalf("%s is not what billc ops prints (%v); go test ./cmd/billc -run TestOperatorsDoc -update rewrites it", path, err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestForms checks that every operation of bits or integers that does work says what
// it is a form of, and some of what billc ops says about elements.
func TestForms(t *testing.T) {
	for _, op := range ir.Ops() {
		if op.Levels&ir.Source == 0 && op.Work != nil && len(op.Of) == 0 {
			t.Errorf("%s does work on bits or integers, and does not say of which operation of the source level", op.Name)
		}
		for _, of := range op.Of {
			if of.Levels&ir.Source == 0 || op.Levels&ir.Source != 0 {
				t.Errorf("%s is said to be a form of %s: expected one of the source level, and that it is none itself", op.Name, of.Name)
			}
		}
	}
	want := map[string]string{
		"Conv":        "float, integer (iconv), bit (bconv, iconv)",
		"Gemm":        "float, integer (ilinear), bit (ilinear)",
		"LSTM":        "float, bit (blstm)",
		"Relu":        "float, integer",
		"Where":       "float, integer, bit",
		"Transpose":   "float, integer, bit",
		"Or":          "bit",
		"Tanh":        "float",
		"QLinearConv": "integer",
		"Softmax":     "float",
	}
	for _, o := range onnx.Operators() {
		got := forms(o)
		if w, ok := want[o.Name]; ok && o.Domain == "" && got != w {
			t.Errorf("%s computes with %q, expected %q", o.Name, got, w)
		}
		if len(o.IR) == 1 && got == "" {
			t.Errorf("%s becomes %s, but nothing is known of its elements", o.Name, o.IR[0].Name)
		}
	}
}
