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
	texts, names := make([]string, len(steps)), make([]string, len(steps))
	for i, s := range steps {
		texts[i], names[i] = s.String(), s.Pass.Name
	}
	stop := len(steps) - 1
	if o.StopAfter != "" {
		for stop >= 0 && names[stop] != o.StopAfter {
			stop--
		}
		if stop < 0 {
			return nil, fmt.Errorf("cannot stop after %q: the pipeline is %s", o.StopAfter, strings.Join(names, ", "))
		}
	}
	if o.PrintAfter != "" && o.PrintAfter != "all" && !slices.Contains(names, o.PrintAfter) {
		return nil, fmt.Errorf("cannot print after %q: the pipeline is %s", o.PrintAfter, strings.Join(names, ", "))
	}
	if err := ir.Verify(m); err != nil {
		return nil, err
	}
	c := &Context{ctx: ctx, clips: o.Clips}
	var result Result
	var source, last [][]*ir.Tensor // outputs on the clips: the source's, and those after the last lossy pass
	for i, s := range steps[:stop+1] {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		p := s.Pass
		if err := s.fits(m, steps[:i]); err != nil {
			return nil, err
		}
		c.options = s.options
		var before *ir.Module
		if o.Check > 0 || o.Reproduce != nil {
			before = m.Clone()
		}
		if p.Class == Lossy && c.Calibrated() && source == nil {
			var err error
			if source, err = c.outputs(m); err != nil {
				return nil, s.locate(err)
			}
			last = source
		}
		err := runPass(c, p, m)
		if err == nil && p.Class == Lossy && c.Calibrated() {
			var after [][]*ir.Tensor
			if after, err = c.outputs(m); err == nil {
				result.Moved = append(result.Moved, moved(p, m, source, last, after)...)
				last = after
			}
		}
		if err == nil && o.Check > 0 {
			err = check(ctx, c, p, before, m, o.Check)
		}
		if err != nil {
			err = s.locate(err)
			if o.Reproduce != nil && !errors.As(err, new(*PipelineError)) {
				o.Reproduce(p.Name, before, texts[i:])
			}
			return nil, err
		}
		if o.After != nil {
			o.After(i, m)
		}
		if o.PrintAfter == p.Name || o.PrintAfter == "all" {
			text, _ := ir.Print(m, "")
			fmt.Fprintf(o.Print, "# after pass %d, %s\n%s\n", i+1, p.Name, text)
		}
	}
	for i := range result.Moved {
		c.Note("%s", &result.Moved[i])
	}
	result.Notes, result.Records = c.Notes, c.Records
	return &result, nil
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
