package main

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/billnet/billnet/codegen/bytecode"
	"github.com/billnet/billnet/frontend/bill"
	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/passes"
	"github.com/billnet/billnet/passes/pipeline"
	"github.com/billnet/billnet/passes/report"
	"github.com/billnet/billnet/passes/streaming"
	"github.com/billnet/billnet/runtime/billb"
	"github.com/billnet/billnet/verify"
)

type compileCmd struct {
	Model string `arg:"" help:"Model to compile: .onnx or .bill."`
	Out   string `short:"o" help:"Output file, or folder for Go and C; by default the model's name with the new extension." placeholder:"FILE"`
	Emit  string `enum:"${emit}" default:"bytecode" help:"What to write: ${enum}. ONNX is written from before the first packed pass; Go is a package of its own, C is C99 for microcontrollers."`
	modelFlags
	clipFlags
	pipelineFlags

	Package string   `help:"With --emit=go: the package's name; by default made of the model's." placeholder:"NAME"`
	Golden  []string `sep:"none" help:"With --emit=go: clips whose outputs the package's test checks, in place of made-up inputs; read as --clips are." placeholder:"PATH"`
	Small   bool     `help:"With --emit=go: leave out code for this very network, which is smaller and slower."`

	Name string `help:"With --emit=c: the prefix of files and names; by default made of the model's." placeholder:"NAME"`

	project string // that --layout names

	Stream bool `help:"Compile a causal network to take a frame at a time, with a result after every one: no result may depend on a later frame. What is not causal is an error (exit code 4) that names the layers and the reason."`

	StopAfter    string `help:"Stop after this pass, or before the first one; with --emit=ir or onnx." placeholder:"PASS|none"`
	PrintIRAfter string `name:"print-ir-after" help:"Print the IR after this pass, or after all." placeholder:"PASS|all"`
	Verify       int    `help:"Evaluate the model before and after every pass on this many inputs." placeholder:"N"`
	StrictBinary bool   `help:"Fail (exit code 4) when a layer that does not give an output is float."`
	MaxFloat     int    `name:"max-float-bytes" default:"-1" help:"Fail (exit code 4) when float layers hold more weight bytes than this." placeholder:"N"`
	Ledger       string `enum:"table,json,none" default:"table" help:"How to print the ledger: ${enum}."`
	PrintLayout  bool   `name:"print-layout" help:"Print what every way to lay out the maps costs, and which was chosen."`
	PrintPlan    bool   `name:"print-plan" help:"With bytecode: print the memory plan: regions, what they keep, where every buffer lies and for how long."`
	MaxMemory    string `name:"max-memory" help:"With bytecode: the memory, activations and the kernels' scratch, that a session with one thread may work in, in bytes or as in 400KB, 64KiB, 2MB. Layers then run on bands of frames and rows where whole maps do not fit, and frames can be pushed one by one. With C: the memory of an instance and its stack; what does not fit is an error that says how little is possible." placeholder:"SIZE"`
}

func (c *compileCmd) Run(ctx context.Context, s *streams) error {
	e, err := c.emitter()
	if err != nil {
		return err
	}
	if _, err := parseSize(c.MaxMemory); err != nil {
		return withCode(exitUsage, "--max-memory=%s: %w", c.MaxMemory, err)
	}
	if c.Stream && c.Emit == "onnx" {
		return withCode(exitUsage, "--stream keeps what it needs of earlier frames, and writes bytecode, Go, C or IR: it goes with no --emit=onnx")
	}
	steps, err := c.steps(e)
	if err != nil {
		return err
	}
	info, err := os.Stat(c.Model)
	if err != nil {
		return err
	}
	out, err := c.outPath(e)
	if err != nil {
		return err
	}
	m, notes, err := c.load(ctx, c.Model)
	if err != nil {
		return err
	}
	defer spareMemory(m)()
	say := s.beside(out)
	built, err := c.compile(ctx, s, say, m, steps)
	if err != nil {
		return fmt.Errorf("%s: %w", c.Model, err)
	}
	built.modelBytes = info.Size()
	built.maxMemory, _ = parseSize(c.MaxMemory)
	for _, n := range append(notes, built.notes...) {
		fmt.Fprintf(s.err, "note: %s\n", n)
	}
	if err := c.printLedger(say, built); err != nil {
		return err
	}
	if c.PrintLayout {
		if built.layout == nil {
			return withCode(exitUsage, "--print-layout: the pipeline does not choose layouts (pass layout)")
		}
		built.layout.Print(say)
	}
	if err := c.gates(built.ledger); err != nil {
		return fmt.Errorf("%s: %w", c.Model, err)
	}
	return e.write(ctx, c, s, out, built)
}

// steps is what to run. It refuses names that are not in the pipeline.
func (c *compileCmd) steps(e *emitter) ([]passes.Step, error) {
	steps, err := c.pipeline(e.packed)
	if err != nil {
		return nil, err
	}
	if c.Emit == "onnx" && len(c.Passes) == 0 {
		// ONNX can express what comes before the packed level.
		steps = steps[:slices.IndexFunc(steps, isLayout)]
	}
	if c.MaxMemory != "" || c.Emit == "c" && len(c.Passes) == 0 {
		steps = pipeline.WithLittleMemory(steps)
	}
	if c.Emit == "c" || c.Emit == "go" {
		steps = pipeline.WrittenOut(steps)
	}
	if c.StopAfter == "none" {
		steps = nil
	}
	var names []string
	for _, s := range steps {
		names = append(names, s.Pass.Name)
	}
	for _, f := range []struct{ flag, name, also string }{{"--stop-after", c.StopAfter, "none"}, {"--print-ir-after", c.PrintIRAfter, "all"}} {
		if f.name != "" && f.name != f.also && !slices.Contains(names, f.name) {
			return nil, withCode(exitUsage, "%s: pass %q is not in the pipeline: %s", f.flag, f.name, strings.Join(names, ", "))
		}
	}
	return steps, nil
}

// outPath returns where to write.
func (c *compileCmd) outPath(e *emitter) (string, error) {
	out := c.Out
	if out == "" {
		out = strings.TrimSuffix(c.Model, filepath.Ext(c.Model)) + e.kind.ext
	}
	if e.kind.ext != "" {
		return out, mayWrite(out, e.kind, c.Model, c.Labels)
	}
	if toStandardOutput(out) {
		return "", withCode(exitUsage, "--emit=%s writes a folder, which standard output cannot take: name it with -o", e.name)
	}
	return out, onlyGenerated(out)
}

// compiled is a module that went through the pipeline.
type compiled struct {
	module *ir.Module
	notes  []string
	certs  []report.Certificate
	ledger *report.Ledger
	layout *report.LayoutReport // nil where the pipeline chooses none

	modelBytes int64 // of the file that it was read from
	maxMemory  int   // bytes of a session; 0: any number
}

func (c *compileCmd) compile(ctx context.Context, s *streams, say io.Writer, m *ir.Module, pipeline []passes.Step) (*compiled, error) {
	if m.Level == ir.Packed && len(c.Passes) == 0 {
		pipeline = nil // text of a compiled module
	}
	if err := unfinished(m); err != nil && c.Emit != "ir" {
		return nil, err
	}
	signModule(m)
	if hash := fileHash(c.Model); hash != "" {
		m.Meta["source"] = filepath.Base(c.Model)
		m.Meta["source.sha256"] = hash
	}
	if c.Layout != "" {
		m.Meta["clip.layout"] = strings.ToUpper(c.Layout)
	}
	clips, err := c.read(ctx, s, &c.pixelFlags, (&verify.Module{M: m}).Inputs(), m.Meta)
	if err != nil {
		return nil, err
	}
	warnings := c.unstated(m)
	stop := c.StopAfter
	if stop == "none" {
		stop = ""
	}
	recordPasses(m, pipeline, stop)
	if c.Stream && !m.Streams() {
		pipeline = streaming.Into(pipeline)
	}
	defer s.idle()
	built, err := lower(ctx, m, pipeline, passes.RunOptions{
		After:      s.watch(c.Model, pipeline),
		StopAfter:  stop,
		PrintAfter: c.PrintIRAfter,
		Print:      say,
		Check:      c.Verify,
		Clips:      clips,
		Reproduce: func(name string, before *ir.Module, rest []string) {
			if ctx.Err() == nil && name != streaming.Pass.Name {
				c.reproduce(s, name, before, rest)
			}
		},
	})
	if err != nil {
		return nil, err
	}
	for _, w := range warnings {
		fmt.Fprintf(s.err, "warning: %s\n", w)
	}
	return built, nil
}

// fileHash is the SHA-256 of a file's contents, "" when it cannot be read.
func fileHash(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return ""
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// lower runs a pipeline and makes the ledger.
func lower(ctx context.Context, m *ir.Module, pipeline []passes.Step, o passes.RunOptions) (*compiled, error) {
	kept, err := takeCertificates(m)
	if err != nil {
		return nil, err
	}
	res, err := passes.Run(ctx, m, pipeline, o)
	if err != nil {
		return nil, err
	}
	certs := append(kept, report.Certificates(m, res.Records)...)
	ledger := report.NewLedger(m, certs)
	ledger.AddLossy(res)
	return &compiled{module: m, notes: bySteps(res.Notes), certs: certs, ledger: ledger, layout: report.LayoutOf(res.Records)}, nil
}

// certificateKey is the metadata under which text keeps the certificates.
const certificateKey = "certificate"

// keepCertificates puts the certificates into the module's metadata, so that
// text that is compiled later has them.
func (b *compiled) keepCertificates() {
	if len(b.certs) > 0 {
		b.module.Meta[certificateKey] = base64.StdEncoding.EncodeToString(report.EncodeCertificates(b.certs))
	}
}

// takeCertificates is the inverse of keepCertificates.
func takeCertificates(m *ir.Module) ([]report.Certificate, error) {
	text, ok := m.Meta[certificateKey]
	if !ok {
		return nil, nil
	}
	delete(m.Meta, certificateKey)
	data, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, fmt.Errorf("metadata %q: %w", certificateKey, err)
	}
	certs, err := report.DecodeCertificates(data)
	if err != nil {
		return nil, err
	}
	return report.Reattach(m, certs)
}

// bytecode generates the artifact.
func (b *compiled) bytecode() ([]byte, bytecode.Plan, error) {
	return bytecode.File(b.module, report.EncodeCertificates(b.certs), b.maxMemory)
}

// image is the artifact before it is encoded.
func (b *compiled) image() (*billb.Image, bytecode.Plan, error) {
	return bytecode.Image(b.module, report.EncodeCertificates(b.certs), b.maxMemory)
}

// reproduce writes the module before a pass that failed, and says how to run
// the rest of the pipeline on it.
func (c *compileCmd) reproduce(s *streams, name string, before *ir.Module, rest []string) {
	path := strings.TrimSuffix(c.Model, filepath.Ext(c.Model)) + "." + name + ".repro.bill"
	if err := bill.WriteFile(path, before); err != nil {
		fmt.Fprintf(s.err, "billc: no reproducer was written: %v\n", err)
		return
	}
	check := ""
	if c.Verify > 0 {
		check = fmt.Sprintf(" --verify=%d", c.Verify)
	}
	fmt.Fprintf(s.err, "billc: pass %s failed; reproduce it with: billc compile %s --emit=ir -o out.bill --passes='%s'%s; make it small with: billc reduce %s --passes='%s'%s\n",
		name, path, strings.Join(rest, ","), check, path, rest[0], check)
}

func (c *compileCmd) printLedger(w io.Writer, b *compiled) error {
	switch c.Ledger {
	case "table":
		b.ledger.Print(w, columns(w))
	case "json":
		b.ledger.Fill()
		return printJSON(w, b.ledger)
	}
	return nil
}

// gates applies --strict-binary and --max-float-bytes.
func (c *compileCmd) gates(l *report.Ledger) error {
	if c.StrictBinary {
		for _, e := range l.Entries {
			if e.Kind == "float" && !e.Output {
				return withCode(exitUnsupported, "layer %q (%s) is float: %s (--strict-binary)", e.Layer, e.Op, e.Why)
			}
		}
	}
	if c.MaxFloat >= 0 && l.FloatBytes > c.MaxFloat {
		return withCode(exitUnsupported, "float layers hold %d weight bytes, at most %d are allowed (--max-float-bytes)", l.FloatBytes, c.MaxFloat)
	}
	return nil
}
