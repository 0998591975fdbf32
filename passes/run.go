package passes

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/billnet/billnet/internal/spec"
	"github.com/billnet/billnet/ir"
)

// RunOptions steer one run of a pipeline.
type RunOptions struct {
	StopAfter  string                                         // stop after the last run of this pass
	PrintAfter string                                         // print the module after this pass, or after "all"
	Print      io.Writer                                      // where
	Check      int                                            // evaluate before and after every pass on this many inputs
	Clips      [][]*ir.Tensor                                 // calibration inputs for lossy passes, each in the order of the main function's parameters
	After      func(step int, m *ir.Module)                   // called after every pass; m changes with the next one
	Reproduce  func(name string, m *ir.Module, rest []string) // called with the module before a pass that fails
}

// Result is what a pipeline gives beside the module.
type Result struct {
	Notes   []string
	Records Records    // what passes recorded
	Moved   []Movement // by every lossy pass, where there are calibration clips
}

// Run applies passes in order. After every pass it verifies the module. An
// error of a pass is a *Failure that names it; an internal fault starts with BUG; a
// mistake in the options is a *PipelineError.
func Run(ctx context.Context, m *ir.Module, steps []Step, o RunOptions) (*Result, error) {
	stop, err := o.end(steps)
	if err != nil {
		return nil, err
	}
	if err := ir.Verify(m); err != nil {
		return nil, err
	}
	r := &run{Context: Context{ctx: ctx, clips: o.Clips}, o: o, steps: steps}
	for i := range steps[:stop] {
		if err := r.step(i, m); err != nil {
			return nil, err
		}
	}
	for i := range r.moved {
		r.Note("%s", &r.moved[i])
	}
	return &Result{r.Notes, r.Records, r.moved}, nil
}

// end returns how many steps run, and checks that the options name some of them.
func (o *RunOptions) end(steps []Step) (int, error) {
	names := make([]string, len(steps))
	for i, s := range steps {
		names[i] = s.Pass.Name
	}
	if o.PrintAfter != "" && o.PrintAfter != "all" && !slices.Contains(names, o.PrintAfter) {
		return 0, fmt.Errorf("cannot print after %q: the pipeline is %s", o.PrintAfter, strings.Join(names, ", "))
	}
	if o.StopAfter == "" {
		return len(steps), nil
	}
	for end := len(steps); end > 0; end-- {
		if names[end-1] == o.StopAfter {
			return end, nil
		}
	}
	return 0, fmt.Errorf("cannot stop after %q: the pipeline is %s", o.StopAfter, strings.Join(names, ", "))
}

// run is the state of Run.
type run struct {
	Context
	o     RunOptions
	steps []Step
	moved []Movement

	// Outputs on the clips: the source's, and those after the last lossy pass.
	source, last [][]*ir.Tensor
}

// step runs one step, with what the options ask for around it.
func (r *run) step(i int, m *ir.Module) error {
	s := &r.steps[i]
	if err := r.ctx.Err(); err != nil {
		return err
	}
	if err := s.fits(m, r.steps[:i]); err != nil {
		return err
	}
	var before *ir.Module
	if r.o.Check > 0 || r.o.Reproduce != nil {
		before = m.Clone()
	}
	if err := r.pass(s, before, m); err != nil {
		err = s.locate(err)
		if r.o.Reproduce != nil && !errors.As(err, new(*PipelineError)) {
			r.o.Reproduce(s.Pass.Name, before, texts(r.steps[i:]))
		}
		return err
	}
	if r.o.After != nil {
		r.o.After(i, m)
	}
	if r.o.PrintAfter == s.Pass.Name || r.o.PrintAfter == "all" {
		text, _ := ir.Print(m, "")
		fmt.Fprintf(r.o.Print, "# after pass %d, %s\n%s\n", i+1, s.Pass.Name, text)
	}
	return nil
}

// pass runs the pass of a step, measures how far a lossy one moves the outputs on
// the clips, and compares the module with the one before where that is asked for.
func (r *run) pass(s *Step, before, m *ir.Module) error {
	r.options = s.options
	measured := s.Pass.Class == Lossy && r.Calibrated()
	if measured && r.source == nil {
		var err error
		if r.source, err = r.outputs(m); err != nil {
			return err
		}
		r.last = r.source
	}
	if err := runPass(&r.Context, s.Pass, m); err != nil {
		return err
	}
	if measured {
		after, err := r.outputs(m)
		if err != nil {
			return err
		}
		r.moved = append(r.moved, moved(s.Pass, m, r.source, r.last, after)...)
		r.last = after
	}
	if r.o.Check > 0 && !s.Pass.Ports {
		return check(r.ctx, &r.Context, s.Pass, before, m, r.o.Check)
	}
	return nil
}

// fits checks that a module, after the steps before, is of a level that the step's
// pass takes.
func (s *Step) fits(m *ir.Module, before []Step) error {
	p := s.Pass
	if need := p.Needs; need != nil && m.Level < need.To {
		return spec.Errorf(s.pos, "pass %s needs a module of level %s, this one is of level %s: put %s before it", p.Name, need.To, m.Level, need.Name)
	}
	if m.Level != ir.Packed || p.Packed {
		return nil
	}
	for _, b := range before {
		if b.Pass.To == ir.Packed {
			return spec.Errorf(s.pos, "pass %s cannot run behind %s, which gives every value its place: put it before %s", p.Name, b.Pass.Name, b.Pass.Name)
		}
	}
	return spec.Errorf(s.pos, "pass %s takes no module of the packed level, in which every value has its place", p.Name)
}

// runPass runs and verifies one pass; a panic in it becomes an error.
func runPass(c *Context, p *Pass, m *ir.Module) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = faultf(Panics, "%v", r)
		}
	}()
	if err := p.Run(c, m); err != nil {
		return err
	}
	if err := ir.Verify(m); err != nil {
		return faultf(Malformed, "the module is not well formed afterwards: %w", err)
	}
	return nil
}
