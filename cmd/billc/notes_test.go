package main

import (
	"slices"
	"testing"
)

func TestNotesOfSteps(t *testing.T) {
	got := bySteps([]string{`"a.wi.0" (matmul) stays`, `"a.wh.0" (matmul) stays`, `"fc" stays`, `"a.wi.1" (matmul) stays`, `"a.wh.1" (matmul) goes`, `"a.wi.2" (matmul) stays`})
	want := []string{`"a.wi.0" to "a.wi.2", 3 in all (matmul) stays`, `"a.wh.0" (matmul) stays`, `"fc" stays`, `"a.wh.1" (matmul) goes`}
	if !slices.Equal(got, want) {
		t.Errorf("%q\nexpected %q", got, want)
	}
}
