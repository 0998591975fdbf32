package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/billnet/billnet/codegen/c"
	"github.com/billnet/billnet/internal/plain"
	"github.com/billnet/billnet/passes/pipeline"
)

// targetCost is what inspect prints of a network on a microcontroller.
type targetCost struct {
	File         string       `json:"file"`
	Target       string       `json:"target"`
	Memory       int          `json:"memory_bytes"` // of an instance
	Stack        int          `json:"stack_bytes"`
	Flash        int          `json:"flash_bytes"` // code and constants
	Data         int          `json:"data_bytes"`  // constants
	Frames       int          `json:"frames"`      // of a clip
	Instructions int          `json:"instructions"`
	Layers       []targetCall `json:"layers"`
}

type targetCall struct {
	Layer        string `json:"layer"`
	Op           string `json:"op"`
	Data         int    `json:"data_bytes"`
	MACs         int    `json:"macs"`
	Instructions int    `json:"instructions"`
}

// inspectTarget prints what --emit=c makes of a model takes on a processor, by the cost model.
func (cmd *inspectCmd) inspectTarget(ctx context.Context, s *streams) error {
	if !slices.Contains(c.Targets(), cmd.Target) {
		return withCode(exitUsage, "--target=%s: expected %s", cmd.Target, targetNames())
	}
	if cmd.Raw || filepath.Ext(cmd.Model) == ".billb" {
		return withCode(exitUsage, "--target=%s is for a model that is compiled, .onnx or .bill: not for bytecode, nor with --raw", cmd.Target)
	}
	b, err := cmd.lowered(ctx, s, pipeline.WithLittleMemory(pipeline.Default()))
	if err != nil {
		return err
	}
	cost, err := c.Estimate(b.module, c.Options{}, cmd.Target)
	if err != nil {
		return fmt.Errorf("%s: %w", cmd.Model, err)
	}
	t := &targetCost{cmd.Model, cmd.Target, cost.Memory, cost.Stack, cost.Flash, cost.Data, cost.Frames, cost.Instructions(), []targetCall{}}
	for _, l := range cost.Layers {
		t.Layers = append(t.Layers, targetCall{l.Layer, l.Op, l.Data, l.MACs, l.Instructions})
	}
	if cmd.JSON {
		return printJSON(s.out, t)
	}
	t.print(s.out)
	return nil
}

func targetNames() string { return strings.Join(c.Targets(), ", ") }

func (t *targetCost) print(w io.Writer) {
	fmt.Fprintf(w, "%s as C on %s: memory %d bytes, stack %d, flash about %d (%d of them constants)\n", t.File, t.Target, t.Memory, t.Stack, t.Flash, t.Data)
	fmt.Fprintf(w, "%d instructions a clip, %d a frame of %d\n\n", t.Instructions, t.Instructions/t.Frames, t.Frames)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "instructions a frame\tshare\tMACs a frame\tconstants\t  layer")
	for _, l := range t.Layers {
		fmt.Fprintf(table, "%d\t%.1f %%\t%d\t%d\t  %s (%s)\n", l.Instructions/t.Frames, 100*float64(l.Instructions)/float64(max(1, t.Instructions)), l.MACs/t.Frames, l.Data, plain.Text(l.Layer), l.Op)
	}
	table.Flush()
}
