package c_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/billnet/billnet/codegen/c"
	"github.com/billnet/billnet/frontend/bill"
	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/passes"
	"github.com/billnet/billnet/passes/pipeline"
	"github.com/billnet/billnet/passes/streaming"
	"github.com/billnet/billnet/tests/randgraph"
)

// steps lowers a causal network to its step.
func steps(t *testing.T, m *ir.Module) *ir.Module {
	t.Helper()
	list := streaming.Into(pipeline.WithLittleMemory(pipeline.Default()))
	if _, err := passes.Run(context.Background(), m, list, passes.RunOptions{}); err != nil {
		t.Fatal(err)
	}
	return m
}

// TestCausal: random causal networks in C say after every frame what the interpreter says of their steps, layer by layer, and
// again after a reset; every other one in as little memory as it can.
func TestCausal(t *testing.T) {
	cc := compiler(t)
	for i := range max(1, *seeds/2) {
		seed := *first + uint64(i)
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			checkRandom(t, cc, steps(t, randgraph.Causal(seed, 6, true)), fmt.Sprintf("causal_%d", seed), seed)
		})
	}
}

// causalGestures is the step of a causal network of the gestures' size, whose weights are random.
func causalGestures(t *testing.T) *ir.Module {
	t.Helper()
	m, err := bill.ParseFile("testdata/causal.bill")
	if err != nil {
		t.Fatal(err)
	}
	return steps(t, m)
}

// TestCausalBoard runs it on an emulated board, and compares what the compiler says of memory with the header.
func TestCausalBoard(t *testing.T) {
	t.Parallel()
	files, sizes, err := c.Generate(causalGestures(t), c.Options{Name: "nn"})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	writeFiles(t, dir, files)
	for _, b := range boards {
		if b.cpu == "cortex-m4" {
			b.tools(t)
			b.run(t, dir, append(sources(dir, "nn_selftest.c"), "-O2", "-DNN_SELFTEST")...)
		}
	}
	flash, stack := footprint(t, dir)
	t.Logf("memory %d, stack %d (said: %d), flash at -Os %d (said: %d)", sizes.Memory, stack, sizes.Stack, flash, sizes.Flash)
	if stack > sizes.Stack {
		t.Errorf("stack %d, the header says %d", stack, sizes.Stack)
	}
	if off := float64(sizes.Flash) / float64(flash); off < 0.9 || off > 1.25 {
		t.Errorf("flash %d, the header says %d", flash, sizes.Flash)
	}
}
