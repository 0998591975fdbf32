package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

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
