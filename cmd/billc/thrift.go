package main

import (
	"runtime/debug"

	"github.com/billnet/billnet/ir"
)

// smallWeights is what a model's constants may take before memory matters.
const smallWeights = 16 << 20

// spareMemory makes the collector keep the heap near the weights of a large model:
// by default it lets garbage grow to as much as is alive. It returns what ends that.
func spareMemory(m *ir.Module) func() {
	weights := 0
	for _, f := range m.All() {
		for _, n := range f.Nodes {
			if n.Const != nil {
				weights += ir.DataBytes(n.Const.Type)
			}
		}
	}
	if weights < smallWeights {
		return func() {}
	}
	old := debug.SetMemoryLimit(int64(2*weights + 2*smallWeights))
	return func() { debug.SetMemoryLimit(old) }
}
