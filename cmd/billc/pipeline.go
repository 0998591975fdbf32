package main

import (
	"fmt"
	"slices"

	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/passes"
	"github.com/billnet/billnet/passes/pipeline"
)

// registry holds the passes that texts of pipelines name.
var registry = pipeline.Registry()

// pipelineFlags choose the passes.
type pipelineFlags struct {
	Passes   []string `sep:"none" help:"Run these passes instead of a preset, such as pass1{option=value},pass2 (see billc passes); \"default\", O0, O1 and O2 in the list stand for the passes of a preset. Bytecode needs the exact passes too: after a list with lossy passes that does not reach the packed level, the preset follows by itself." placeholder:"PASS,..."`
	Optimize string   `short:"O" enum:"0,1,2" default:"2" help:"Preset: 0 only lowers, 1 finds bits, integers and thresholds, 2 does everything."`
}

// pipeline is the passes asked for, or those of the preset. With packed, a list
// with lossy passes that does not reach the packed level is followed by the
// preset.
func (f *pipelineFlags) pipeline(packed bool) ([]passes.Step, error) {
	preset := registry.Preset("O" + f.Optimize).Steps()
	if len(f.Passes) == 0 {
		return preset, nil
	}
	var steps []passes.Step
	for i, text := range f.Passes {
		flag := "--passes"
		if len(f.Passes) > 1 {
			flag = fmt.Sprintf("--passes (%d)", i+1)
		}
		more, err := registry.Parse(flag, text)
		if err != nil {
			return nil, err
		}
		steps = append(steps, more...)
	}
	lossy := slices.ContainsFunc(steps, func(s passes.Step) bool { return s.Pass.Class == passes.Lossy })
	if packed && lossy && !slices.ContainsFunc(steps, isLayout) {
		steps = append(steps, preset...)
	}
	return steps, nil
}

// isLayout reports whether a step is the one that leads to the packed level.
func isLayout(s passes.Step) bool { return s.Pass.Name == "layout" }

// passesKey is the metadata under which a module keeps the passes that made it,
// as the text of a pipeline, when they are not the default ones.
const passesKey = "passes"

// recordPasses notes in a module which passes it is about to go through, up to
// the last run of stop when that is not empty.
func recordPasses(m *ir.Module, steps []passes.Step, stop string) {
	if m.Level == ir.Packed && len(steps) == 0 {
		return
	}
	if stop != "" {
		for len(steps) > 0 && steps[len(steps)-1].Pass.Name != stop {
			steps = steps[:len(steps)-1]
		}
	}
	text := passes.Text(steps)
	delete(m.Meta, passesKey)
	if text != passes.Text(pipeline.Default()) && len(steps) > 0 {
		m.Meta[passesKey] = text
	}
}

// recordedPasses is what recordPasses noted, by default the default passes.
func recordedPasses(meta map[string]string) ([]passes.Step, error) {
	text, ok := meta[passesKey]
	if !ok {
		return pipeline.Default(), nil
	}
	return registry.Parse("metadata "+passesKey, text)
}
