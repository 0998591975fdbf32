package verify

import (
	"context"
	"fmt"

	"github.com/billnet/billnet/codegen/bytecode"
	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/passes"
)

// Culprit is what a bisection found.
type Culprit struct {
	Steps int    `json:"steps"` // of the pipeline, code generation included
	Step  int    `json:"step"`  // from 1; 0: the model gives the same after every step
	Pass  string `json:"pass,omitempty"`
	Class string `json:"class,omitempty"`

	Output *Difference  `json:"output,omitempty"` // against the source
	Layers *LayerReport `json:"layers,omitempty"` // between the modules before and after the step
}

// generation is the name of the step behind the last pass.
const generation = "bytecode"

// Bisect lowers a clone of the source with a pipeline and finds a step before
// which all outputs agree with the source's and after which one does not. The
// runtime, on the bytecode of a module that reaches the packed level, is the last
// step. A pass that fails is an error, as in passes.Run.
func Bisect(ctx context.Context, source *ir.Module, steps []passes.Step, o passes.RunOptions, inputs [][]*ir.Tensor, bound float64) (*Culprit, error) {
	stages := []Evaluator{&Module{source, "the source"}}
	o.After = func(i int, m *ir.Module) {
		stages = append(stages, &Module{m.Clone(), fmt.Sprintf("after pass %d, %s", i+1, steps[i].Pass.Name)})
	}
	m := source.Clone()
	if _, err := passes.Run(ctx, m, steps, o); err != nil {
		return nil, err
	}
	if m.Level == ir.Packed {
		p, err := generate(m)
		if err != nil {
			return nil, err
		}
		defer p.Close()
		stages = append(stages, p)
	}
	c := &Culprit{Steps: len(stages) - 1}
	differs := func(i int) (*Difference, error) {
		r, err := Compare(ctx, stages[0], stages[i], inputs, bound)
		if err != nil {
			return nil, err
		}
		return r.First(), nil
	}
	good, bad := 0, len(stages)-1
	var err error
	if c.Output, err = differs(bad); err != nil || c.Output == nil {
		return c, err
	}
	for bad-good > 1 {
		mid := good + (bad-good)/2
		d, err := differs(mid)
		if err != nil {
			return nil, err
		}
		if d == nil {
			good = mid
		} else {
			bad, c.Output = mid, d
		}
	}
	c.Step, c.Pass = bad, generation
	if bad <= len(steps) {
		c.Pass, c.Class = steps[bad-1].Pass.Name, steps[bad-1].Pass.Class.String()
	}
	before := stages[good]
	in, err := matchPorts("input", stages[0], before, stages[0].Inputs(), before.Inputs())
	if err != nil {
		return nil, err
	}
	c.Layers, err = CompareLayers(ctx, before, stages[bad], inputsFor(before.Inputs(), in, inputs[c.Output.Input]), bound)
	return c, err
}

// generate loads the bytecode of a packed module.
func generate(m *ir.Module) (*Program, error) {
	img, _, err := bytecode.Generate(m, nil)
	if err != nil {
		return nil, err
	}
	file, err := img.Encode()
	if err != nil {
		return nil, fmt.Errorf("BUG: %w", err)
	}
	return NewProgram("the runtime", file)
}
