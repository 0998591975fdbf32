package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"testing"

	"github.com/billnet/billnet/tests/golden/script"
	"github.com/billnet/billnet/tests/shared"
)

// TestSchema checks that docs/json.md lists the fields that are printed, all of
// them and no others, and that none is null.
func TestSchema(t *testing.T) {
	dir := t.TempDir()
	model, bytecode := filepath.Join(script.Models(), "tiny.onnx"), filepath.Join(dir, "tiny.billb")
	if code := run(context.Background(), []string{"compile", model, "-o", bytecode}, nil, io.Discard, io.Discard); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	documented := shared.JSONFields(t, "billc")
	for title, lines := range map[string][][]string{
		"billc inspect MODEL --json":        {{"inspect", model, "--json"}, {"inspect", model, "--raw", "--json"}, {"inspect", bytecode, "--json"}},
		"billc compile MODEL --ledger=json": {{"compile", model, "-o", bytecode, "--ledger=json"}},
		"billc verify MODEL MODEL --json":   {{"verify", model, bytecode, "--json"}},
		"billc eval MODEL --json":           {{"eval", filepath.Join("..", "..", "examples", "gestures", "gestures.onnx"), "--clips=2", "--json"}},
	} {
		want := documented[title]
		delete(documented, title)
		for _, args := range lines {
			var out, said bytes.Buffer
			run(context.Background(), args, nil, &out, &said)
			var got map[string]any
			if err := json.Unmarshal(out.Bytes(), &got); err != nil {
				t.Errorf("%v: %v: %s%s", args, err, &out, &said)
				continue
			}
			if keys := slices.Sorted(maps.Keys(got)); !slices.Equal(keys, want) {
				t.Errorf("%v: printed %v, documented %v", args, keys, want)
			}
			for key, v := range got {
				if v == nil {
					t.Errorf("%v: %s is null", args, key)
				}
			}
		}
	}
	for title := range documented {
		t.Errorf("%s is documented, and nobody looks at it", title)
	}
}
