package bill_test

import (
	"context"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"github.com/billnet/billnet/frontend/bill"
	"github.com/billnet/billnet/frontend/onnx"
	"github.com/billnet/billnet/tests/shared"
)

// TestModels writes and reads back every model of the shared collection that
// imports.
func TestModels(t *testing.T) {
	models, err := filepath.EvalSymlinks(shared.Dir(t, "models")) // WalkDir does not follow a link
	if err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "model.bill")
	same, refused := 0, 0
	err = filepath.WalkDir(models, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".onnx") {
			return err
		}
		m, _, err := onnx.ImportFile(context.Background(), path, onnx.Options{})
		if err != nil {
			refused++ // the import's own tests say which models it must read
			return nil
		}
		if err := bill.WriteFile(out, m); err != nil {
			t.Errorf("%s: %v", path, err)
			return nil
		}
		back, err := bill.ParseFile(out)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			return nil
		}
		if d := bill.Equal(m, back); d != "" {
			t.Errorf("%s: %s", path, d)
		}
		same++
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d models come back equal, the import refuses %d", same, refused)
	if same == 0 {
		t.Error("no model imports")
	}
}
