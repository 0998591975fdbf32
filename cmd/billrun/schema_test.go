package main

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"testing"

	"github.com/billnet/billnet/tests/shared"
)

// TestSchema checks that docs/json.md lists the fields that are printed, all of
// them and no others.
func TestSchema(t *testing.T) {
	documented := shared.JSONFields(t, "billrun")
	dir := workspace(t)
	at := func(file string) string { return filepath.Join(dir, file) }
	for title, args := range map[string][]string{
		"billrun MODEL CLIP --json":               {at("model.billb"), at("clip.npy"), "--json"},
		"billrun MODEL --input NAME=@FILE --json": {at("model.billb"), "--input", "clip=@" + at("one.npy"), "--json"},
		"billrun bench MODEL --json":              {"bench", at("model.billb"), "--runs", "2", "--json"},
		"billrun info MODEL --json":               {"info", at("model.billb"), "--json"},
		"billrun version --json":                  {"version", "--json"},
	} {
		want := documented[title]
		delete(documented, title)
		lines := [][]string{args}
		if title == "billrun MODEL CLIP --json" {
			lines = append(lines, []string{at("model.billb"), at("none.npy"), "--json"})
		}
		for _, args := range lines {
			var out bytes.Buffer
			program().Run(nil, args, nil, &out, io.Discard)
			var got map[string]any
			if err := json.Unmarshal(out.Bytes(), &got); err != nil {
				t.Errorf("%s: %v: %s", title, err, &out)
				continue
			}
			keys := slices.Sorted(maps.Keys(got))
			if slices.Sort(want); !slices.Equal(keys, want) {
				t.Errorf("%s: printed %v, documented %v", title, keys, want)
			}
			for key, v := range got {
				if v == nil {
					t.Errorf("%s: %s is null", title, key)
				}
			}
		}
	}
	for title := range documented {
		t.Errorf("%s is documented, and nobody looks at it", title)
	}
}
