package passes

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/billnet/billnet/ir"
)

// RunOptions steer one run of a pipeline.
type RunOptions struct {
	StopAfter  string                                         // stop after the last run of this pass
	PrintAfter string                                         // print the module after this pass, or after "all"
	Print      io.Writer                                      // where
	Check      int                                            // evaluate before and after every pass on this many inputs
	Reproduce  func(name string, m *ir.Module, rest []string) // called with the module before a pass that fails
}

// Result is what a pipeline gives beside the module.
type Result struct {
	Notes []string
	Certs []Certificate
}

// Run applies passes in order. After every pass it verifies the module. An
// error names the pass; an internal fault starts with BUG.
func Run(ctx context.Context, m *ir.Module, pipeline []string, o RunOptions) (*Result, error) {
	list := make([]*Pass, len(pipeline))
	for i, name := range pipeline {
		if list[i] = Lookup(name); list[i] == nil {
			return nil, fmt.Errorf("unknown pass %q; passes are %s", name, passNames())
		}
	}
	stop := len(list) - 1
	if o.StopAfter != "" {
		for stop >= 0 && list[stop].Name != o.StopAfter {
			stop--
		}
		if stop < 0 {
			return nil, fmt.Errorf("cannot stop after %q: the pipeline is %s", o.StopAfter, strings.Join(pipeline, ", "))
		}
	}
	if o.PrintAfter != "" && o.PrintAfter != "all" && !slices.Contains(pipeline, o.PrintAfter) {
		return nil, fmt.Errorf("cannot print after %q: the pipeline is %s", o.PrintAfter, strings.Join(pipeline, ", "))
	}
	if err := ir.Verify(m); err != nil {
		return nil, err
	}
	c := &Context{}
	for i, p := range list[:stop+1] {
		var before *ir.Module
		if o.Check > 0 || o.Reproduce != nil {
			before = m.Clone()
		}
		err := runPass(c, p, m)
		if err == nil && o.Check > 0 {
			err = check(ctx, c, p, before, m, o.Check)
		}
		if err != nil {
			if o.Reproduce != nil {
				o.Reproduce(p.Name, before, pipeline[i:])
			}
			return nil, fmt.Errorf("pass %s: %w", p.Name, err)
		}
		if o.PrintAfter == p.Name || o.PrintAfter == "all" {
			text, _ := ir.Print(m, "")
			fmt.Fprintf(o.Print, "# after pass %d, %s\n%s\n", i+1, p.Name, text)
		}
	}
	return &Result{Notes: c.Notes, Certs: attachCertificates(m, c.Certs)}, nil
}

// runPass runs and verifies one pass; a panic in it becomes an error.
func runPass(c *Context, p *Pass, m *ir.Module) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("BUG: %v", r)
		}
	}()
	if err := p.Run(c, m); err != nil {
		return err
	}
	if err := ir.Verify(m); err != nil {
		return fmt.Errorf("BUG: the module is not well formed afterwards: %w", err)
	}
	return nil
}

func passNames() string {
	var s []string
	for _, p := range All() {
		s = append(s, p.Name)
	}
	return strings.Join(s, ", ")
}
