package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

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
	signModule(r.Module)
	if err := s.writeText(out, r.Module); err != nil {
		return err
	}
	say := s.beside(out)
	fmt.Fprintf(say, "failure: pass %s %s: %v\n", r.Failure.Pass, r.Failure.Kind, r.Failure.Err)
	fmt.Fprintf(say, "before:  %s\nafter:   %s\n", r.Before, r.After)
	if !r.Done {
		fmt.Fprintf(say, "the search ended after %d changes (--limit); more may make it smaller\n", r.Tried)
	}
	if toStandardOutput(out) {
		out = "FILE.bill"
	}
	fmt.Fprintf(say, "reproduce it with: billc compile %s --emit=ir -o out.bill --passes='%s' --verify=%d\n", out, passes.Text(r.Steps), c.Verify)
	return nil
}

// outPath returns where to write.
func (c *reduceCmd) outPath() (string, error) {
	out := c.Out
	if out == "" {
		out = strings.TrimSuffix(c.Model, filepath.Ext(c.Model)) + ".small.bill"
	}
	return out, mayWrite(out, textFile, c.Model, c.Labels)
}
