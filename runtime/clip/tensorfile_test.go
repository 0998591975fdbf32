package clip

import (
	"strings"
	"testing"
)

func TestFileName(t *testing.T) {
	for name, want := range map[string]string{
		"logits": "logits", "": "output", "../a/b:0": "_._a_b_0", "..": "_.", ".": "_", "é": "é", strings.Repeat("x", 300): strings.Repeat("x", 100),
	} {
		if got := fileName(name); got != want {
			t.Errorf("fileName(%q) = %q, want %q", name, got, want)
		}
	}
}
