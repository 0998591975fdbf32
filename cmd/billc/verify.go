package main

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"text/tabwriter"

	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/passes"
	"github.com/billnet/billnet/passes/report"
	"github.com/billnet/billnet/verify"
)

type verifyCmd struct {
	Models      []string `arg:"" optional:"" help:"Two models to compare, or one with --bisect or --certificate: .onnx, .bill or .billb."`
	Bisect      bool     `help:"Find the first pass after which the model gives something else."`
	Certificate bool     `help:"Check every threshold of a .billb against the model that it was compiled from."`
	Source      string   `help:"The model that the .billb was compiled from, for --certificate." placeholder:"MODEL"`
	Random      int      `default:"4" help:"Without --clips: compare on this many inputs: zeros, the largest values, then random ones." placeholder:"N"`
	Tolerance   float64  `default:"1e-5" help:"Largest difference of floats, relative for values above 1. Integers and bits are compared exactly." placeholder:"E"`
	JSON        bool     `help:"Print JSON."`
	modelFlags
	clipFlags
	pipelineFlags
}

func (c *verifyCmd) Help() string {
	return `Exit code 3 says that something differs. Examples:

  billc verify model.onnx model.billb
  billc verify model.onnx model.billb --clips testclips
  billc verify old.billb new.billb --random=50
  billc verify model.onnx --bisect
  billc verify --certificate model.billb --source model.onnx`
}

func (c *verifyCmd) Run(ctx context.Context, s *streams) error {
	if err := c.check(); err != nil {
		return err
	}
	if err := c.adoptNorm(); err != nil {
		return err
	}
	switch {
	case c.Certificate:
		return c.certificate(ctx, s)
	case c.Bisect:
		return c.bisect(ctx, s)
	}
	return c.compare(ctx, s)
}

// adoptNorm gives sources the normalization that was compiled into the bytecode
// they are compared with.
func (c *verifyCmd) adoptNorm() error {
	for _, path := range c.Models {
		if filepath.Ext(path) != ".billb" {
			continue
		}
		file, err := readBytecode(path)
		if err != nil {
			return err
		}
		p, err := verify.NewProgram(path, file)
		if err != nil {
			return err
		}
		c.adopt(imageMeta(p))
		p.Close()
	}
	return nil
}

func (c *verifyCmd) check() error {
	switch {
	case c.Certificate && c.Bisect:
		return withCode(exitUsage, "--certificate and --bisect are different checks: give one")
	case c.Certificate && (len(c.Models) != 1 || c.Source == ""):
		return withCode(exitUsage, "--certificate takes a .billb and --source: billc verify --certificate model.billb --source model.onnx")
	case !c.Certificate && c.Source != "":
		return withCode(exitUsage, "--source is for --certificate")
	case c.Bisect && len(c.Models) != 1:
		return withCode(exitUsage, "--bisect takes one model, found %d", len(c.Models))
	case !c.Certificate && !c.Bisect && len(c.Models) != 2:
		return withCode(exitUsage, "expected two models to compare, found %d (--bisect and --certificate take one)", len(c.Models))
	case c.Random < 1:
		return withCode(exitUsage, "--random=%d: expected 1 or more", c.Random)
	case !(c.Tolerance >= 0) || math.IsInf(c.Tolerance, 0):
		return withCode(exitUsage, "--tolerance=%v: expected 0 or more", c.Tolerance)
	}
	return nil
}

// evaluators opens both sides. An executable takes its interface from the other.
func (c *verifyCmd) evaluators(ctx context.Context, s *streams) (a, b verify.Evaluator, err error) {
	first, second := c.Models[0], c.Models[1]
	switch swap := isExecutable(first); {
	case swap && isExecutable(second):
		return nil, nil, withCode(exitUsage, "%s and %s are both executables: compare each with a model or bytecode", first, second)
	case swap:
		if b, err = c.evaluator(ctx, s, second); err != nil {
			return nil, nil, err
		}
		a, err = verify.NewExecutable(first, b)
		return a, b, err
	}
	if a, err = c.evaluator(ctx, s, first); err != nil {
		return nil, nil, err
	}
	if isExecutable(second) {
		b, err = verify.NewExecutable(second, a)
	} else {
		b, err = c.evaluator(ctx, s, second)
	}
	return a, b, err
}

// isExecutable reports whether a file is a program of this system and not a
// model.
func isExecutable(path string) bool {
	if slices.Contains([]string{".billb", ".bill", ".onnx"}, filepath.Ext(path)) {
		return false
	}
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && (info.Mode()&0o111 != 0 || filepath.Ext(path) == ".exe")
}

// evaluator opens one side of a comparison that is no executable.
func (c *verifyCmd) evaluator(ctx context.Context, s *streams, path string) (verify.Evaluator, error) {
	if filepath.Ext(path) == ".billb" {
		file, err := readBytecode(path)
		if err != nil {
			return nil, err
		}
		return verify.NewProgram(path, file)
	}
	m, err := c.module(ctx, s, path)
	if err != nil {
		return nil, err
	}
	return &verify.Module{M: m, Label: path}, nil
}

// module reads a model; the flags of imports do not matter to text.
func (c *verifyCmd) module(ctx context.Context, s *streams, path string) (*ir.Module, error) {
	flags := c.modelFlags
	if filepath.Ext(path) == ".bill" {
		flags = modelFlags{Labels: c.Labels, pixelFlags: c.pixelFlags}
	}
	m, notes, err := flags.load(ctx, path)
	if err != nil {
		return nil, err
	}
	for _, n := range notes {
		fmt.Fprintf(s.err, "note: %s: %s\n", path, n)
	}
	return m, nil
}

// inputs are the clips, or random inputs that both sides can take.
func (c *verifyCmd) inputs(ctx context.Context, s *streams, a, b verify.Evaluator) ([][]*ir.Tensor, error) {
	sets, err := c.read(ctx, s, &c.pixelFlags, a.Inputs(), metaOf(a))
	if err != nil || sets != nil {
		return sets, err
	}
	return verify.RandomInputs(a, b, c.Random)
}

func metaOf(e verify.Evaluator) map[string]string {
	switch e := e.(type) {
	case *verify.Module:
		return e.M.Meta
	case *verify.Program:
		return imageMeta(e)
	}
	return nil
}

func imageMeta(p *verify.Program) map[string]string {
	meta := map[string]string{}
	for _, kv := range p.Image().Meta {
		meta[kv[0]] = kv[1]
	}
	return meta
}

// comparison is what verify prints of two models.
type comparison struct {
	*verify.Report
	Layers *verify.LayerReport `json:"layers"`
	Equal  bool                `json:"equal"`
}

func (c *verifyCmd) compare(ctx context.Context, s *streams) error {
	a, b, err := c.evaluators(ctx, s)
	if err != nil {
		return err
	}
	defer a.Close()
	defer b.Close()
	inputs, err := c.inputs(ctx, s, a, b)
	if err != nil {
		return err
	}
	s.doing("comparing on %d inputs", len(inputs))
	defer s.idle()
	r, err := verify.Compare(ctx, a, b, inputs, c.Tolerance)
	if err != nil {
		return err
	}
	out := comparison{Report: r, Equal: r.Equal()}
	which := 0
	if d := r.First(); d != nil {
		which = d.Input
	}
	s.doing("comparing layers")
	if out.Layers, err = c.layers(ctx, s, a, b, inputs[which]); err != nil {
		return err
	}
	s.idle()
	if c.JSON {
		if err := printJSON(s.out, out); err != nil {
			return err
		}
	} else {
		out.print(s)
	}
	d := r.First()
	if d == nil {
		return nil
	}
	c.noteRisk(s, b)
	if source, ok := a.(*verify.Module); ok && isPacked(b) && !isPacked(a) && out.Layers != nil && out.Layers.First == nil {
		fmt.Fprintf(s.err, "note: the passes themselves make the difference: billc verify %s --bisect names the first that does\n", source.Label)
	}
	return withCode(exitDiffer, "%s and %s differ: output %q, input %d: %s%s", a.Name(), b.Name(), d.Name, d.Input, d, firstLayer(out.Layers))
}

// layers compares layer by layer. A layer of a compiled model is not one of its
// source, so where only one side is at the packed level the other is lowered
// first, as the compiled one says it was.
func (c *verifyCmd) layers(ctx context.Context, s *streams, a, b verify.Evaluator, input []*ir.Tensor) (*verify.LayerReport, error) {
	var err error
	switch {
	case isPacked(b) && !isPacked(a):
		a, err = c.lowered(ctx, a, metaOf(b))
	case isPacked(a) && !isPacked(b):
		b, err = c.lowered(ctx, b, metaOf(a))
	}
	if err != nil {
		fmt.Fprintf(s.err, "note: layers are not compared: %v\n", err)
		return nil, ctx.Err()
	}
	return verify.CompareLayers(ctx, a, b, input, c.Tolerance)
}

func isPacked(e verify.Evaluator) bool {
	m, ok := e.(*verify.Module)
	return !ok || m.M.Level == ir.Packed
}

// lowered is a source under the pipeline that another model's metadata names.
func (c *verifyCmd) lowered(ctx context.Context, e verify.Evaluator, meta map[string]string) (verify.Evaluator, error) {
	source := e.(*verify.Module)
	steps, err := recordedPasses(meta)
	if err != nil {
		return nil, err
	}
	m := source.M.Clone()
	if _, err := passes.Run(ctx, m, steps, passes.RunOptions{}); err != nil {
		return nil, err
	}
	return &verify.Module{M: m, Label: source.Label + ", lowered"}, nil
}

// noteRisk says where the source's own rounding may explain a difference.
func (c *verifyCmd) noteRisk(s *streams, e verify.Evaluator) {
	p, ok := e.(*verify.Program)
	if !ok {
		return
	}
	certs, err := report.DecodeCertificates(p.Image().Certificate)
	if err != nil {
		return
	}
	for i := range certs {
		if n := certs[i].AtRisk(); n > 0 {
			fmt.Fprintf(s.err, "note: %d channels of layer %q lie closer to a tie than the source's own float32 rounding: differences may come from there\n", n, certs[i].Layer)
		}
	}
}

func firstLayer(l *verify.LayerReport) string {
	switch {
	case l == nil || l.Compared == 0:
		return ""
	case l.First == nil:
		return fmt.Sprintf("; all %d layers that can be compared agree", l.Compared)
	}
	return fmt.Sprintf("; first layer: %q (%s), %s", l.First.Name, l.First.Op, l.First)
}

func (r *comparison) print(s *streams) {
	fmt.Fprintf(s.out, "%s against %s on %d inputs\n", r.A, r.B, r.Inputs)
	for _, o := range r.Outputs {
		rule := fmt.Sprintf("floats within %g, largest difference %.3g", r.Bound, o.Largest)
		if o.Exact {
			rule = "compared exactly"
		}
		if o.First == nil {
			fmt.Fprintf(s.out, "output %q %s: equal (%s)\n", o.Output, o.Type, rule)
		} else {
			fmt.Fprintf(s.out, "output %q %s: differs on %d inputs (%s)\n", o.Output, o.Type, o.Differ, rule)
		}
	}
	printLayers(s, r.Layers)
}

func printLayers(s *streams, l *verify.LayerReport) {
	switch {
	case l == nil, l.Compared == 0: // an executable shows none
	case l.First == nil:
		fmt.Fprintf(s.out, "layers: %d compared, all equal\n", l.Compared)
	default:
		fmt.Fprintf(s.out, "layers: %d compared, %d differ; the first is %q (%s): %s\n", l.Compared, l.Differ, l.First.Name, l.First.Op, l.First)
	}
}

func (c *verifyCmd) bisect(ctx context.Context, s *streams) error {
	path := c.Models[0]
	if filepath.Ext(path) == ".billb" {
		return withCode(exitUsage, "%s: --bisect needs a model that passes can run on: .onnx or .bill", path)
	}
	m, err := c.module(ctx, s, path)
	if err != nil {
		return err
	}
	steps, err := c.pipeline(true)
	if err != nil {
		return err
	}
	source := &verify.Module{M: m, Label: path}
	inputs, err := c.inputs(ctx, s, source, source)
	if err != nil {
		return err
	}
	o := passes.RunOptions{}
	if len(c.Clips) > 0 {
		o.Clips = inputs
	}
	found, err := verify.Bisect(ctx, m, steps, o, inputs, c.Tolerance)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if c.JSON {
		if err := printJSON(s.out, found); err != nil {
			return err
		}
	}
	if found.Step == 0 {
		if !c.JSON {
			fmt.Fprintf(s.out, "%s gives the same after all %d steps on %d inputs (floats within %g)\n", path, found.Steps, len(inputs), c.Tolerance)
		}
		return nil
	}
	class := ""
	if found.Class != "" {
		class = " (" + found.Class + ")"
	}
	if !c.JSON {
		fmt.Fprintf(s.out, "step %d of %d, %s%s: output %q differs from the source's on input %d: %s\n", found.Step, found.Steps, found.Pass, class, found.Output.Name, found.Output.Input, found.Output)
		printLayers(s, found.Layers)
	}
	return withCode(exitDiffer, "%s: step %d, %s%s, changes output %q%s", path, found.Step, found.Pass, class, found.Output.Name, firstLayer(found.Layers))
}

func (c *verifyCmd) certificate(ctx context.Context, s *streams) error {
	file, err := readBytecode(c.Models[0])
	if err != nil {
		return err
	}
	p, err := verify.NewProgram(c.Models[0], file)
	if err != nil {
		return err
	}
	defer p.Close()
	m, err := c.module(ctx, s, c.Source)
	if err != nil {
		return err
	}
	meta := imageMeta(p)
	if want, got := meta["source.sha256"], fileHash(c.Source); want != "" && want != got {
		fmt.Fprintf(s.err, "note: %s was compiled from %q, a file with other contents than %s\n", p.Name(), meta["source"], c.Source)
	}
	steps, err := recordedPasses(meta)
	if len(c.Passes) > 0 || c.Optimize != "2" {
		steps, err = c.pipeline(true)
	}
	if err != nil {
		return err
	}
	clips, err := c.read(ctx, s, &c.pixelFlags, (&verify.Module{M: m}).Inputs(), m.Meta)
	if err != nil {
		return err
	}
	s.doing("checking the certificate of %s", c.Models[0])
	defer s.idle()
	r, err := verify.CheckCertificate(ctx, p, m, steps, passes.RunOptions{Clips: clips})
	if err != nil {
		return fmt.Errorf("%s: %w", c.Source, err)
	}
	s.idle()
	r.Source = c.Source
	if c.JSON {
		if err := printJSON(s.out, r); err != nil {
			return err
		}
	} else {
		printCertificate(s, r)
	}
	if !r.Sound() {
		return withCode(exitDiffer, "%s is not what %s gives: %s", p.Name(), c.Source, r.FirstFault())
	}
	return nil
}

// printCertificate prints a row for every layer and a line for every fault.
func printCertificate(s *streams, r *verify.CertificateReport) {
	w := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "layer\tchannels\tenumerated\tproved\tclass\tmargin\tat risk\tverdict")
	faults := 0
	for _, l := range r.Layers {
		margin, verdict := "-", "ok"
		if l.Class == passes.Ideal.String() {
			margin = fmt.Sprintf("%.3g", l.Margin)
		}
		if n := len(l.Faults); n > 0 {
			verdict = fmt.Sprintf("%d faults", n)
			faults += n
		}
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%s\t%s\t%d\t%s\n", l.Layer, l.Channels, l.Enumerated, l.Proved, l.Class, margin, l.AtRisk, verdict)
	}
	w.Flush()
	for _, l := range r.Layers {
		for _, f := range l.Faults {
			if f.Channel < 0 {
				fmt.Fprintf(s.out, "layer %q: %s\n", l.Layer, f.Fault)
			} else {
				fmt.Fprintf(s.out, "layer %q, channel %d: %s\n", l.Layer, f.Channel, f.Fault)
			}
		}
	}
	for _, f := range r.Faults {
		fmt.Fprintln(s.out, f)
	}
	if r.Sound() {
		fmt.Fprintf(s.out, "%s is what %s gives: %d layers with thresholds, %d other constants\n", r.Artifact, r.Source, len(r.Layers), r.Constants)
	} else {
		fmt.Fprintf(s.out, "%s is not what %s gives: %d faults\n", r.Artifact, r.Source, faults+len(r.Faults))
	}
}
