package passes

import (
	"slices"
	"testing"
)

// TestPresets: every preset is a pipeline of passes that are not lossy, ends at
// the packed level and keeps the order that the passes ask for.
func TestPresets(t *testing.T) {
	for _, preset := range Presets {
		names := Preset(preset.Name)
		steps, err := Steps(names)
		if err != nil || len(steps) == 0 {
			t.Fatalf("%s: %d steps, %v", preset.Name, len(steps), err)
		}
		if !slices.Contains(names, "layout") {
			t.Errorf("%s does not reach the packed level", preset.Name)
		}
		for i, s := range steps {
			if s.Pass.Class == Lossy {
				t.Errorf("%s has the lossy pass %s", preset.Name, s.Pass.Name)
			}
			for _, before := range s.Pass.After {
				if slices.Contains(names, before) && !slices.Contains(names[:i], before) {
					t.Errorf("%s: %s runs before %s", preset.Name, s.Pass.Name, before)
				}
			}
		}
		named, err := ParsePipeline("test", preset.Name)
		if err != nil || len(named) != len(steps) {
			t.Errorf("%s in a text stands for %d steps, expected %d (%v)", preset.Name, len(named), len(steps), err)
		}
	}
	if Preset("O3") != nil {
		t.Error("there is a preset O3")
	}
}
