package suggest

import "testing"

func TestNearest(t *testing.T) {
	words := []string{"binarize", "quantize", "layout"}
	for name, want := range map[string]string{
		"binarise": `; did you mean "binarize"?`, "layuot": `; did you mean "layout"?`, "quantise-lstm": "", "": "", "zzz": "",
	} {
		if got := Nearest(name, words); got != want {
			t.Errorf("Nearest(%q) = %s, want %s", name, got, want)
		}
	}
}
