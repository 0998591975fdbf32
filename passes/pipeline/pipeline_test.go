package pipeline_test

import (
	"slices"
	"testing"

	"github.com/billnet/billnet/passes"
	"github.com/billnet/billnet/passes/packed"
	"github.com/billnet/billnet/passes/pipeline"
)

// TestPresets: every preset is a pipeline of passes that are not lossy, ends at
// the packed level and keeps the order that the passes ask for.
func TestPresets(t *testing.T) {
	t.Parallel()
	for _, preset := range pipeline.Presets() {
		if preset.Passes[len(preset.Passes)-1] != packed.Layout {
			t.Errorf("%s does not end at the packed level", preset.Name)
		}
		var names []string
		for _, p := range preset.Passes {
			names = append(names, p.Name)
		}
		for i, p := range preset.Passes {
			if p.Class == passes.Lossy {
				t.Errorf("%s has the lossy pass %s", preset.Name, p.Name)
			}
			for _, before := range p.After {
				if slices.Contains(names, before) && !slices.Contains(names[:i], before) {
					t.Errorf("%s: %s runs before %s", preset.Name, p.Name, before)
				}
			}
		}
		named, err := pipeline.Registry().Parse("test", preset.Name)
		if err != nil || len(named) != len(preset.Passes) {
			t.Errorf("%s in a text stands for %d steps, expected %d (%v)", preset.Name, len(named), len(preset.Passes), err)
		}
	}
	if pipeline.Registry().Preset("O3") != nil {
		t.Error("there is a preset O3")
	}
}

// TestAfterNames: what a pass wants to come after is a pass.
func TestAfterNames(t *testing.T) {
	t.Parallel()
	r := pipeline.Registry()
	for _, p := range r.All() {
		for _, before := range p.After {
			if r.Lookup(before) == nil {
				t.Errorf("%s runs after %q, which is no pass", p.Name, before)
			}
		}
	}
}
