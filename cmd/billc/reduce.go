package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/billnet/billnet/frontend/bill"
	"github.com/billnet/billnet/passes"
)

type reduceCmd struct {
	Model  string   `arg:"" help:"Text on which a pass fails, such as a .repro.bill file, or a model: .bill or .onnx."`
	Out    string   `short:"o" help:"Output file; by default the model's name with .small.bill." placeholder:"FILE"`
	Passes []string `sep:"none" required:"" help:"The pipeline that fails, as billc compile --passes takes it." placeholder:"PASS,..."`
	Verify int      `default:"4" help:"Evaluate the model before and after every pass on this many inputs; 0 finds only passes that stop with an error." placeholder:"N"`
	Limit  int      `default:"2000" help:"Try at most this many changes." placeholder:"N"`
	modelFlags
}

func (c *reduceCmd) Help() string {
	return `The small model fails in the same pass and in the same way: with an error, a panic, a module that is not well formed, or a changed output. Example:

  billc reduce model.layout.repro.bill --passes=layout -o small.bill`
}

func (c *reduceCmd) Run(ctx context.Context, s *streams) error {
	if c.Verify < 0 || c.Limit < 1 {
		return withCode(exitUsage, "--verify=%d --limit=%d: expected 0 or more inputs and 1 or more changes", c.Verify, c.Limit)
	}
	out, err := c.outPath()
	if err != nil {
		return err
	}
	f := pipelineFlags{Passes: c.Passes, Optimize: "2"}
	steps, err := f.pipeline(false)
	if err != nil {
		return err
	}
	m, _, err := c.load(ctx, c.Model)
	if err != nil {
		return err
	}
	r, err := passes.Reduce(ctx, m, steps, passes.ReduceOptions{
		Check: c.Verify,
		Steps: c.Limit,
		Progress: func(tried int, size *passes.Size) {
			fmt.Fprintf(s.err, "note: %d of at most %d changes tried: %s\n", tried, c.Limit, size)
		},
	})
	if err != nil {
		return fmt.Errorf("%s: %w", c.Model, err)
	}
	if err := bill.WriteFile(out, r.Module); err != nil {
		return err
	}
	fmt.Fprintf(s.out, "failure: pass %s %s: %v\n", r.Failure.Pass, r.Failure.Kind, r.Failure.Err)
	fmt.Fprintf(s.out, "before:  %s\nafter:   %s\n", r.Before, r.After)
	if !r.Done {
		fmt.Fprintf(s.out, "the search ended after %d changes (--limit); more may make it smaller\n", r.Tried)
	}
	fmt.Fprintf(s.out, "reproduce it with: billc compile %s --emit=ir -o out.bill --passes='%s' --verify=%d\n", out, passes.Text(r.Steps), c.Verify)
	return nil
}

// outPath returns where to write, which is neither the model nor a file that is
// no text of the compiler.
func (c *reduceCmd) outPath() (string, error) {
	out := c.Out
	if out == "" {
		out = strings.TrimSuffix(c.Model, filepath.Ext(c.Model)) + ".small.bill"
	}
	model, err := os.Stat(c.Model)
	if err != nil {
		return "", err
	}
	old, err := os.Stat(out)
	switch {
	case err != nil:
		return out, nil
	case os.SameFile(old, model):
		return "", withCode(exitUsage, "the output %s is the model itself; name another with -o", out)
	case filepath.Ext(out) != ".bill":
		return "", withCode(exitUsage, "the output %s exists, and its name does not end in .bill: it may be a file of yours; remove it, or name another with -o", out)
	}
	return out, nil
}
