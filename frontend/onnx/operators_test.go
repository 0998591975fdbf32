package onnx

import (
	"archive/zip"
	"os"
	"path/filepath"
	"testing"
)

// TestOperators runs a small model for every form of the operators that are
// written out at import, made by testdata/operators.py: the interpreter and
// bytecode must give ONNX Runtime's outputs, and the export must come back as
// the same module.
func TestOperators(t *testing.T) {
	root := t.TempDir()
	archive, err := zip.OpenReader(filepath.Join("testdata", "operators.zip"))
	if err != nil {
		t.Fatal(err)
	}
	defer archive.Close()
	if err := os.CopyFS(root, archive); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		c := runCase(filepath.Join(root, e.Name()))
		for what, err := range map[string]error{"interpreter": c.imported, "bytecode": c.compiled, "export": c.exported} {
			if err != nil {
				t.Errorf("%s: %s: %s", c.name, what, oneLine(err))
			}
		}
	}
}
