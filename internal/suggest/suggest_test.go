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

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"", "abc", 3}, {"abc", "", 3}, {"test", "test", 0}, {"tset", "test", 2}, {"jsn", "json", 1}, {"kitten", "sitting", 3}} {
		if got := Distance(c.a, c.b, 9); got != c.want {
			t.Errorf("Distance(%q, %q) = %d, want %d", c.a, c.b, got, c.want)
		}
	}
}
