package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/billnet/billnet/frontend/bill"
	"github.com/billnet/billnet/frontend/onnx"
	"github.com/billnet/billnet/internal/atomicfile"
	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/passes"
	"github.com/billnet/billnet/passes/pipeline"
	"github.com/billnet/billnet/train"
	"github.com/billnet/billnet/train/data"
	"github.com/billnet/billnet/train/recipe"
)

type trainCmd struct {
	Model string `arg:"" help:"Network to train: a text architecture (billc new), or a model (.onnx, .bill) to go on with."`
	Out   string `short:"o" help:"Trained network to write: .bill, .onnx or .billb; - prints it as text, with --run-dir for the rest." placeholder:"FILE"`
	dataFlags
	modelFlags
	Let map[string]float64 `help:"Other values for the numbers of a text architecture, such as width=32." placeholder:"NAME=NUMBER"`

	Stages    string  `help:"Stages with options, such as float{steps=2400},all{rate=0.01}; --describe explains them. By default float, all; for an ONNX model all{distill=0,rate=0.001}; float for one that is not binary." placeholder:"STAGE,..."`
	Epochs    float64 `help:"Passes over the training clips, for every stage that says neither steps nor epochs; for data that end." placeholder:"N"`
	Quick     bool    `help:"Short stages: minutes, for a first impression."`
	Describe  bool    `help:"Explain the stages and their options, list the parameters and the binary operations, and train nothing."`
	Batch     int     `default:"16" help:"Clips of a step." placeholder:"N"`
	Seed      uint64  `default:"1" help:"Of the order of the clips." placeholder:"N"`
	Threads   int     `help:"Threads; by default all. The result does not depend on them." placeholder:"N"`
	Teacher   string  `help:"Network to learn from, in place of the one after the float stage." placeholder:"FILE"`
	RunDir    string  `name:"run-dir" help:"Folder for checkpoint, log, curves and the network after every stage; by default the output's name with .run." placeholder:"DIR"`
	Resume    bool    `help:"Go on from the checkpoint in the folder: to the same result as without the interruption."`
	EvalClips int     `name:"eval-clips" default:"1000" help:"Clips that measure a stage." placeholder:"N"`
	Every     int     `default:"200" help:"Steps between checkpoints." placeholder:"N"`
	Curves    string  `enum:"svg,png" default:"svg" help:"Format of the curves of loss and accuracy: ${enum}."`
}

// dataFlags say where clips come from.
type dataFlags struct {
	Data string `default:"gestures" help:"Clips: gestures (generated, endless), jester:DIR (the Jester data set), or a folder with a sub-folder a class; with options in braces: gestures{classes=12}, DIR{frame=middle}." placeholder:"SPEC"`
}

// splitFlag names a part of the data.
type splitFlag struct {
	Split string `enum:"test,val,train," default:"" help:"Part of the data: test, val or train; by default the test clips, or the validation clips where there are none." placeholder:"SPLIT"`
}

// split is the part of a source that is meant.
func (f splitFlag) split(src data.Source) (data.Split, error) {
	if f.Split == "" {
		return data.EvalSplit(src), nil
	}
	return data.ParseSplit(f.Split)
}

const (
	quickStages     = "float{steps=900},all{steps=1500}"
	standardStages  = "float,all"
	tuneStages      = "all{distill=0,rate=0.001}"
	quickTuneStages = "all{steps=1000,distill=0,rate=0.001}"
)

// patient: a run that is told to stop writes a checkpoint first.
func (*trainCmd) patient() {}

func (c *trainCmd) Run(ctx context.Context, s *streams) error {
	if err := c.check(); err != nil {
		return err
	}
	m, err := c.network(ctx, s, c.Model, c.Let)
	if err != nil {
		return err
	}
	t, err := train.New(m, train.Options{Batch: 1, Threads: c.Threads})
	if err != nil {
		return fmt.Errorf("%s: %w", c.Model, err)
	}
	binary := len(t.Steps()) > 0
	text, err := c.recipe(binary)
	if err != nil {
		return err
	}
	stages, err := recipe.Parse("--stages", text)
	if err != nil {
		return withCode(exitUsage, "%v", err)
	}
	recipe.SetEpochs(stages, c.Epochs)
	if c.Describe {
		fmt.Fprintf(s.out, "%s\n%s\nThis command: --stages %s\n", recipe.Describe(), t.Describe(), text)
		return nil
	}
	if !binary && slices.ContainsFunc(stages, func(s recipe.Stage) bool { return len(s.Hard) > 0 }) {
		return withCode(exitUsage, "%s has no binary operations that a stage could make hard: write it in its binary form (billc new), or make it binary (billc compile --passes=binarize,... --emit=ir); as it is, --stages=float trains it", c.Model)
	}
	if soft := stages[len(stages)-1].Soft(t); soft != nil && !c.writesText() {
		return withCode(exitUsage, "-o %s: the last stage of --stages=%s leaves %s soft, which only text keeps: end with a stage that makes all hard (all), or write text (.bill), from which training goes on", c.Out, text, rolesText(soft))
	}
	src, err := c.open(m)
	if err != nil {
		return err
	}
	if err := c.name(s, m, src); err != nil {
		return err
	}
	if c.RunDir == "" {
		c.RunDir = c.Out + ".run"
	}
	r := &recipe.Run{
		Module: m, Source: src, Stages: stages, Batch: c.Batch, Seed: c.Seed, Threads: c.Threads, Dir: c.RunDir,
		EvalClips: c.EvalClips, Every: c.Every, Resume: c.Resume,
	}
	if !c.Resume {
		if _, err := os.Stat(filepath.Join(c.RunDir, "checkpoint")); err == nil {
			return withCode(exitUsage, "%s holds the checkpoint of a run: go on with it (--resume), or choose another --run-dir", c.RunDir)
		}
	}
	if c.Teacher != "" {
		if r.Teacher, err = c.network(ctx, s, c.Teacher, nil); err != nil {
			return err
		}
	}
	noteData(s, src)
	skipped := src.Stats().Skipped
	err = c.train(ctx, s, r)
	if src.Stats().Skipped > skipped { // clips that could not be read
		noteData(s, src)
	}
	return err
}

// noteData says what the data are and what is wrong with them.
func noteData(s *streams, src data.Source) {
	for line := range strings.Lines(src.Stats().String()) {
		fmt.Fprintf(s.err, "note: data: %s\n", strings.TrimSpace(line))
	}
}

// trainedFiles are the kinds in which a trained network is written.
var trainedFiles = []kind{textFile, onnxFile, bytecodeFile}

// check looks at flags that would fail late.
func (c *trainCmd) check() error {
	for _, n := range []struct {
		flag   string
		v, low int
	}{{"batch", c.Batch, 1}, {"eval-clips", c.EvalClips, 1}, {"every", c.Every, 1}, {"threads", c.Threads, 0}} {
		if n.v < n.low {
			return withCode(exitUsage, "--%s %d, expected %d or more", n.flag, n.v, n.low)
		}
	}
	if !(c.Epochs >= 0 && c.Epochs <= 1<<20) {
		return withCode(exitUsage, "--epochs %g, expected a number from 0 to %d", c.Epochs, 1<<20)
	}
	if c.Describe {
		return nil
	}
	if toStandardOutput(c.Out) {
		if c.RunDir == "" {
			return withCode(exitUsage, "-o %s prints the trained network: name a folder for the run with --run-dir", c.Out)
		}
		return nil
	}
	i := slices.IndexFunc(trainedFiles, func(k kind) bool { return k.ext == filepath.Ext(c.Out) })
	if i < 0 {
		return withCode(exitUsage, "-o %s: name the trained network; the name ends in .bill, .onnx or .billb", c.Out)
	}
	if err := mayWrite(c.Out, trainedFiles[i], c.Model, c.Labels, c.Teacher); err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Dir(c.Out)); err != nil {
		return withCode(exitUsage, "-o %s: %v", c.Out, err)
	}
	return nil
}

// name labels the classes: as --labels says, or as the data does.
func (c *trainCmd) name(s *streams, m *ir.Module, src data.Source) error {
	old := m.Labels
	m.Labels = src.Classes()
	if c.Labels != "" {
		var err error
		if m.Labels, err = readLabels(c.Labels); err != nil {
			return err
		}
		if len(m.Labels) != len(src.Classes()) {
			return fmt.Errorf("%s: %d labels, the data has %d classes (%s)", c.Labels, len(m.Labels), len(src.Classes()), src.Name())
		}
	} else if n := differs(old, m.Labels); n >= 0 {
		fmt.Fprintf(s.err, "note: class %d was %q in %s and is %q from now on, as in the data: learned weights of the head mean other classes\n", n, old[n], c.Model, m.Labels[n])
	}
	return nil
}

// differs returns the first class whose names differ, or -1. No names and other
// numbers of names do not differ.
func differs(a, b []string) int {
	if len(a) == len(b) {
		for i := range a {
			if a[i] != b[i] {
				return i
			}
		}
	}
	return -1
}

// recipe is what --stages says, or what suits the model.
func (c *trainCmd) recipe(binary bool) (string, error) {
	switch {
	case c.Stages != "" && c.Quick:
		return "", withCode(exitUsage, "--quick has stages of its own: leave it or --stages out")
	case c.Stages != "":
		return c.Stages, nil
	case !binary:
		return "float", nil
	case filepath.Ext(c.Model) != ".bill" && c.Quick:
		return quickTuneStages, nil
	case filepath.Ext(c.Model) != ".bill":
		return tuneStages, nil
	case c.Quick:
		return quickStages, nil
	}
	return standardStages, nil
}

// network reads a source-level module that takes bytes.
func (c *trainCmd) network(ctx context.Context, s *streams, path string, lets map[string]float64) (*ir.Module, error) {
	var m *ir.Module
	var notes []string
	var err error
	if filepath.Ext(path) == ".bill" && len(c.Input)+len(c.Shape)+len(c.Dim)+len(c.Const) == 0 {
		if m, err = bill.ParseFileWith(path, lets); err == nil {
			notes, err = c.bake(m)
		}
	} else if len(lets) > 0 {
		return nil, withCode(exitUsage, "%s: --let is for text architectures", path)
	} else {
		flags := c.modelFlags
		flags.Labels = ""
		m, notes, err = flags.load(ctx, path)
	}
	if err != nil {
		return nil, err
	}
	if m.Level != ir.Source {
		return nil, withCode(exitUsage, "%s is a module of level %s; training needs one of level source", path, m.Level)
	}
	for _, n := range notes {
		fmt.Fprintf(s.err, "note: %s\n", n)
	}
	return m, nil
}

// open opens the data in the size of the network's clips.
func (c *trainCmd) open(m *ir.Module) (data.Source, error) {
	src, err := openData(c.Data, m.Main().Params)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.Model, err)
	}
	return src, nil
}

// openData opens clips of the size of a network's input, u8[1,3,T,H,W].
func openData(spec string, inputs []ir.Port) (data.Source, error) {
	if len(inputs) != 1 || inputs[0].Value.Type.Rank() != 5 || inputs[0].Value.Type.Shape[1] != 3 || inputs[0].Value.Type.Shape[0] != 1 || inputs[0].Value.Type.DType != ir.U8 {
		var have []string
		for _, p := range inputs {
			have = append(have, fmt.Sprintf("%q: %s", p.Name, p.Value.Type))
		}
		return nil, withCode(exitUsage, "the network's input is %s, clips are u8[1,3,frames,height,width]; an ONNX model whose input holds 0..255 is read with --input NAME=u8, and one that is given normalized floats with --mean and --std, here and when it is compiled", strings.Join(have, ", "))
	}
	sh := inputs[0].Value.Type.Shape
	return data.Open(spec, data.Options{Size: data.Size{T: sh[2], H: sh[3], W: sh[4]}})
}

func (c *trainCmd) train(ctx context.Context, s *streams, r *recipe.Run) error {
	meter := newMeter(s.err)
	r.Step = func(p recipe.Progress) {
		meter.step(p)
		if p.Step%c.Every == 0 { // what cannot be written now is reported at the end of the stage
			c.report(r)
		}
	}
	r.Note = func(n string) {
		meter.end()
		fmt.Fprintf(s.err, "note: %s\n", n)
	}
	r.Done = func(rep recipe.Report) error {
		meter.end()
		fmt.Fprintf(s.beside(c.Out), "stage %-12s %6d steps  loss %.3f  accuracy %.2f %% of %d clips\n", rep.Stage, rep.Steps, rep.Loss, 100*rep.Accuracy, rep.Clips)
		signModule(rep.Module)
		return errors.Join(bill.WriteFile(c.stageFile(r), rep.Module), c.report(r))
	}
	// The buffers of a run live as long as it does and little is thrown away: a
	// heap of twice their size would be waste.
	defer debug.SetGCPercent(debug.SetGCPercent(25))
	m, err := r.Train(ctx)
	meter.end()
	if err != nil {
		if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
			return fmt.Errorf("%s: interrupted; %s holds a checkpoint: go on with the same command and --resume: %w", c.Model, c.RunDir, err)
		}
		return fmt.Errorf("%s: %w", c.Model, err)
	}
	if err := c.write(ctx, s, m); err != nil {
		return fmt.Errorf("%w; the trained network is in %s", err, c.stageFile(r))
	}
	s.wrote(c.Out, "; log, curves and stages are in %s", c.RunDir)
	return nil
}

// stageFile is where the network after the last stage done is.
func (c *trainCmd) stageFile(r *recipe.Run) string {
	n := len(r.Reports())
	return filepath.Join(c.RunDir, fmt.Sprintf("%d-%s.bill", n, r.Reports()[n-1].Stage))
}

// reportError writes the stages' results and the curves.
func (c *trainCmd) report(r *recipe.Run) error {
	text, err := json.MarshalIndent(r.Reports(), "", "  ")
	if err != nil {
		return err
	}
	var picture strings.Builder
	if err := recipe.WriteCurves(&picture, c.Curves, r.Log()); err != nil {
		return err
	}
	return errors.Join(atomicfile.WriteBytes(filepath.Join(c.RunDir, "stages.json"), append(text, '\n')), atomicfile.WriteBytes(filepath.Join(c.RunDir, "curves."+c.Curves), []byte(picture.String())))
}

// writesText reports whether the trained network is written as text.
func (c *trainCmd) writesText() bool {
	return toStandardOutput(c.Out) || filepath.Ext(c.Out) == textFile.ext
}

// write writes the trained network in the form that the output's name asks for.
func (c *trainCmd) write(ctx context.Context, s *streams, m *ir.Module) error {
	signModule(m)
	switch {
	case c.writesText():
		return s.writeText(c.Out, m)
	case filepath.Ext(c.Out) == onnxFile.ext:
		text, err := onnx.Export(m)
		if err != nil {
			return err
		}
		return atomicfile.WriteBytes(c.Out, text)
	}
	text, err := compileToBytecode(ctx, m)
	if err != nil {
		return err
	}
	return atomicfile.WriteBytes(c.Out, text)
}

// compileToBytecode runs the default pipeline.
func compileToBytecode(ctx context.Context, m *ir.Module) ([]byte, error) {
	built, err := lower(ctx, m, pipeline.Default(), passes.RunOptions{})
	if err != nil {
		return nil, err
	}
	text, _, err := built.bytecode()
	return text, err
}
