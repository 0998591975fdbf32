package main

import (
	"testing"

	"github.com/billnet/billnet/runtime"
)

// The multiply-accumulates of the small network, counted by hand.
func TestMACs(t *testing.T) {
	prog, err := runtime.LoadBytes(clipModel(t, 1))
	if err != nil {
		t.Fatal(err)
	}
	positions := float64(frames * height * width)
	want := map[string]float64{"stem": positions * hidden * 3, "mix": positions * hidden * hidden, "fc": hidden * classes}
	for _, in := range prog.Instructions() {
		if in.MACs != want[in.Name] {
			t.Errorf("%s: %v, want %v", in.Name, in.MACs, want[in.Name])
		}
	}
}
