package recipe

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/billnet/billnet/frontend/bill"
	"github.com/billnet/billnet/frontend/onnx"
	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/tests/shared"
	"github.com/billnet/billnet/train/data"
)

// tiny is a BILLNET of 4 classes on clips of 4x16x16, with an auxiliary head.
func tiny(t testing.TB) *ir.Module {
	t.Helper()
	m, err := bill.ParseFile("testdata/tiny.bill")
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func open(t testing.TB, m *ir.Module, spec string) data.Source {
	t.Helper()
	sh := m.Main().Params[0].Value.Type.Shape
	src, err := data.Open(spec, data.Options{Size: data.Size{T: sh[2], H: sh[3], W: sh[4]}})
	if err != nil {
		t.Fatal(err)
	}
	return src
}

func parse(t testing.TB, text string) []Stage {
	t.Helper()
	s, err := Parse("stages", text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// newRun is a run of the tiny network in a folder.
func newRun(t testing.TB, dir, stages string) *Run {
	t.Helper()
	m := tiny(t)
	return &Run{Module: m, Source: open(t, m, "gestures{classes=4}"), Stages: parse(t, stages), Batch: 3, Seed: 7, Threads: 1, Dir: dir, EvalClips: 5, Every: 2}
}

func print(m *ir.Module) string {
	text, data := ir.Print(m, "data")
	return text + string(data)
}

// outcome is everything that a run leaves behind.
type outcome struct{ module, log, reports, checkpoint string }

func finish(t testing.TB, r *Run) outcome {
	t.Helper()
	m, err := r.Train(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	reports, err := json.Marshal(r.Reports())
	if err != nil {
		t.Fatal(err)
	}
	return outcome{print(m), read(t, r.Dir, "log.csv"), string(reports), read(t, r.Dir, "checkpoint")}
}

func read(t testing.TB, dir, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func (a outcome) same(t testing.TB, what string, b outcome) {
	t.Helper()
	for _, x := range []struct{ name, a, b string }{{"network", a.module, b.module}, {"log", a.log, b.log}, {"reports", a.reports, b.reports}, {"checkpoint", a.checkpoint, b.checkpoint}} {
		if x.a != x.b {
			t.Errorf("%s: the %s is another one", what, x.name)
		}
	}
}

// stagesOfAll has a float stage with growing slopes, one that keeps the cell soft
// and one of bits, and teaches; the optimizer changes twice.
const stagesOfAll = "float{steps=3, slope=2, recalibrate=2}, weights{steps=3, recalibrate=1, optimizer=sgd, schedule=step, every=2}, all{steps=3, recalibrate=2}"

// TestReproducible: same seed, same bits, whatever the number of threads; another
// seed, others.
func TestReproducible(t *testing.T) {
	first := finish(t, newRun(t, t.TempDir(), stagesOfAll))
	first.same(t, "again", finish(t, newRun(t, t.TempDir(), stagesOfAll)))
	two := newRun(t, t.TempDir(), stagesOfAll)
	two.Threads = 2
	first.same(t, "2 threads", finish(t, two))
	other := newRun(t, t.TempDir(), stagesOfAll)
	other.Seed++
	if finish(t, other).module == first.module {
		t.Error("another seed trains the same network")
	}
}

var errKilled = errors.New("killed")

// kill runs until something in it panics with errKilled: what a process leaves
// behind that is killed.
func kill(t testing.TB, ctx context.Context, r *Run) (err error) {
	defer func() {
		if p := recover(); p == errKilled {
			err = errKilled
		} else if p != nil {
			panic(p)
		}
	}()
	_, err = r.Train(ctx)
	return err
}

// TestResume: interrupted anywhere and resumed, a run ends as if it had not been.
func TestResume(t *testing.T) {
	whole := finish(t, newRun(t, t.TempDir(), stagesOfAll))
	const steps, stages = 9, 3
	check := func(what string, want error, prepare func(r *Run, stop func()), hard bool) {
		t.Helper()
		r := newRun(t, t.TempDir(), stagesOfAll)
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		prepare(r, func() {
			if hard {
				panic(errKilled)
			}
			cancel()
		})
		if err := kill(t, ctx, r); !errors.Is(err, want) {
			t.Errorf("%s: it ended with %v, expected %v", what, err, want)
			return
		}
		again := newRun(t, r.Dir, stagesOfAll)
		again.Resume = true
		whole.same(t, what, finish(t, again))
	}
	check("before the first step", context.Canceled, func(_ *Run, stop func()) { stop() }, false)
	for _, hard := range []bool{false, true} {
		want := context.Canceled
		if hard {
			want = errKilled
		}
		for at := 1; at <= steps; at++ {
			check(fmt.Sprintf("in step %d, hard %v", at, hard), want, func(r *Run, stop func()) {
				n := 0
				r.Step = func(Progress) {
					if n++; n == at {
						stop()
					}
				}
			}, hard)
		}
		for at := 1; at <= stages; at++ {
			if at == stages && !hard { // nothing is left to be interrupted
				continue
			}
			check(fmt.Sprintf("behind stage %d, hard %v", at, hard), want, func(r *Run, stop func()) {
				n := 0
				r.Done = func(Report) error {
					if n++; n == at {
						stop()
					}
					return nil
				}
			}, hard)
		}
	}
	// Interrupted where the data are read: while the norms are averaged, while
	// accuracy is measured, in the first batches of a stage.
	for at := 1; at <= 70; at += 5 {
		check(fmt.Sprintf("at clip %d", at), errKilled, func(r *Run, stop func()) {
			r.Source = &failing{Source: r.Source, at: int64(at)}
		}, false)
	}
	done := newRun(t, t.TempDir(), stagesOfAll)
	finish(t, done)
	again := newRun(t, done.Dir, stagesOfAll)
	again.Resume = true
	again.Step = func(Progress) { t.Error("a finished run does another step") }
	whole.same(t, "a finished run", finish(t, again))
}

// failing fails at some clip.
type failing struct {
	data.Source
	at int64
	n  atomic.Int64
}

func (f *failing) Clip(s data.Split, i int, variant uint64, dst []uint8) (int, error) {
	if f.n.Add(1) >= f.at {
		return 0, errKilled
	}
	return f.Source.Clip(s, i, variant, dst)
}

// TestResumeErrors: a checkpoint that is missing, damaged or of other settings.
func TestResumeErrors(t *testing.T) {
	dir := t.TempDir()
	r := newRun(t, dir, "float{steps=1, recalibrate=0}")
	r.Resume = true
	expect(t, r, "there is no checkpoint to go on from")
	r.Resume = false
	finish(t, r)
	for _, c := range []struct {
		edit func(*Run)
		want string
	}{
		{func(r *Run) { r.Batch = 2 }, "other settings: batch (then 3, now 2)"},
		{func(r *Run) { r.Seed = 8 }, "seed (then 7, now 8)"},
		{func(r *Run) { r.Stages = parse(t, "float{steps=2}") }, "other settings: stages;"},
		{func(r *Run) { r.Source = open(t, r.Module, "gestures{classes=4, seed=2}") }, "data (then"},
		{func(r *Run) { r.Teacher = r.Module }, "teacher (then"},
		{func(r *Run) { r.Module.Main().Nodes[0].Loc.Name = "x" }, "network (then"},
	} {
		r := newRun(t, dir, "float{steps=1, recalibrate=0}")
		r.Resume = true
		c.edit(r)
		expect(t, r, c.want)
	}
	path := filepath.Join(dir, "checkpoint")
	if err := os.WriteFile(path, []byte(read(t, dir, "checkpoint")[:1000]), 0o666); err != nil {
		t.Fatal(err)
	}
	r.Resume = true
	expect(t, r, path, "damaged or cut off")
}

// expect trains and wants an error that says all of the parts.
func expect(t testing.TB, r *Run, parts ...string) {
	t.Helper()
	_, err := r.Train(context.Background())
	if err == nil {
		t.Errorf("no error, expected %q", parts)
		return
	}
	for _, p := range parts {
		if !strings.Contains(err.Error(), p) {
			t.Errorf("the error is %q, expected %q in it", err, p)
		}
	}
}

// TestTeacher: stages that learn from a teacher need one, a float network may be
// given as one, and a stage on its own does what it does in a run.
func TestTeacher(t *testing.T) {
	expect(t, newRun(t, t.TempDir(), "all{steps=1}"), "stage all learns from a teacher (distill=0.7), and there is none")
	var float *ir.Module
	whole := newRun(t, t.TempDir(), "float{steps=3, aux=0}, all{steps=3, aux=0}")
	whole.Done = func(r Report) error {
		if float == nil {
			float = r.Module
		}
		return nil
	}
	want := finish(t, whole)
	if got := SoftRoles(float); len(got) != len(allRoles) {
		t.Errorf("the float stage's network says that %v are soft", got)
	}
	single := newRun(t, t.TempDir(), "all{steps=3, aux=0}")
	single.Module, single.Teacher = float, float
	single.Seed += 1000 // the clips of a second stage
	if got := finish(t, single); got.module != want.module {
		t.Error("stage all on its own, with the float stage's network and teacher, trains another network than in a run")
	}
	if strings.Contains(want.module, softKey) {
		t.Error("a network of bits says that something is soft")
	}

	hard := newRun(t, t.TempDir(), "all{steps=2}")
	hard.Teacher = tiny(t)
	finish(t, hard)
	other := newRun(t, t.TempDir(), "all{steps=1}")
	var err error
	if other.Teacher, err = bill.ParseFileWith("testdata/tiny.bill", map[string]float64{"classes": 5}); err != nil {
		t.Fatal(err)
	}
	expect(t, other, "the teacher has 5 classes")
}

// TestTeacherOfTheLastFloatStage: the last stage in which nothing was hard
// teaches, also after an interruption.
func TestTeacherOfTheLastFloatStage(t *testing.T) {
	const stages = "float{steps=1}, float{steps=2, distill=0.5}, all{steps=2}"
	want := finish(t, newRun(t, t.TempDir(), stages))
	r := newRun(t, t.TempDir(), stages)
	r.Source = &failing{Source: r.Source, at: 75}
	if err := kill(t, context.Background(), r); !errors.Is(err, errKilled) || len(r.Reports()) == 0 {
		t.Fatalf("%v after %d stages", err, len(r.Reports()))
	}
	again := newRun(t, r.Dir, stages)
	again.Resume = true
	want.same(t, "resumed", finish(t, again))
}

// TestAuxiliary: the auxiliary head teaches, and the trained network is without.
func TestAuxiliary(t *testing.T) {
	var losses []float64
	for _, weight := range []string{"0", "1"} {
		r := newRun(t, t.TempDir(), "float{steps=1, aux="+weight+"}")
		r.Step = func(p Progress) { losses = append(losses, p.Loss) }
		r.Done = func(rep Report) error {
			if f := rep.Module.Main(); len(f.Results) != 1 || f.Results[0].Name != "logits" {
				t.Errorf("the trained network has results %v", f.Results)
			}
			return nil
		}
		finish(t, r)
	}
	if losses[1] < 1.5*losses[0] {
		t.Errorf("the loss is %v without the auxiliary head and %v with it", losses[0], losses[1])
	}
}

// TestSlope: slopes go from stage to stage without a jump.
func TestSlope(t *testing.T) {
	r := &Run{Stages: parse(t, "float{steps=4, slope=3}, weights{steps=2}, lstm-weights{steps=2, slope=5}")}
	var got []float64
	for i, s := range r.Stages {
		for step := 0; step <= s.Steps; step += 2 {
			r.state.Stage, r.state.Step = i, step
			got = append(got, r.slope(s))
		}
	}
	if want := []float64{1, 2, 3, 3, 3, 3, 5}; !slices.Equal(got, want) {
		t.Errorf("slopes are %v, expected %v", got, want)
	}
}

// TestNotes: a stage that loses accuracy and gates out of bounds are reported.
func TestNotes(t *testing.T) {
	var notes []string
	r := &Run{Note: func(s string) { notes = append(notes, s) }}
	r.state.Reports = []Report{{Stage: "float", Accuracy: 0.9}}
	s := parse(t, "all{margin=5%}")[0]
	r.notes(s, Report{Stage: "all", Accuracy: 0.86, Gates: []Gate{{Name: "a", Block: 0.1, Beside: 0.5, Out: 0.3}}})
	if notes != nil {
		t.Errorf("a healthy stage is reported: %q", notes)
	}
	r.notes(s, Report{Stage: "all", Accuracy: 0.8, Gates: []Gate{{Name: "a", Block: 0.1, Beside: 0.51, Out: 0.3}, {Name: "b", Block: 0.01, Beside: 0.1, Out: 0.1}}})
	if len(notes) != 3 || !strings.Contains(notes[0], "lost 10.0 points") || !strings.Contains(notes[1], "gate a has 10.0 % ones from its block, 51.0 % from beside") || !strings.Contains(notes[2], "gate b") {
		t.Errorf("notes are %q", notes)
	}
}

// TestGates: the densities are those of the values in the source network.
func TestGates(t *testing.T) {
	r := newRun(t, t.TempDir(), "all{steps=2, distill=0}")
	finish(t, r)
	m, gates := r.trainer.Module(), r.Reports()[0].Gates
	if len(gates) != 2 {
		t.Fatalf("%d gates, expected 2: %v", len(gates), gates)
	}
	shares := map[string]float64{}
	for i := range gateClips {
		_, err := ir.Eval(context.Background(), m.Main(), []*ir.Tensor{clipOf(t, r.Source, m, i)}, func(n *ir.Node, out []*ir.Tensor) {
			ones := 0.0
			for _, v := range out[0].Floats() {
				ones += float64(v)
			}
			shares[n.Loc.Name] += ones / float64(max(out[0].Len(), 1)) / gateClips
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for i, g := range gates {
		block := fmt.Sprintf("block%d", i)
		for _, x := range []struct {
			node string
			got  float64
		}{{block + ".y", g.Out}, {block + ".f.act.y", g.Block}, {[]string{"stem.act.y", "widen1.act.y"}[i], g.Beside}, {block + ".select.y", *g.Select}} {
			want, ok := shares[x.node]
			if d := want - x.got; !ok || d > 1e-5 || d < -1e-5 {
				t.Errorf("gate %s: %v of ones, node %s has %v (%v)", g.Name, x.got, x.node, want, ok)
			}
		}
	}
}

// clipOf is a clip of the validation split as the network's input.
func clipOf(t testing.TB, src data.Source, m *ir.Module, i int) *ir.Tensor {
	t.Helper()
	pix := make([]uint8, src.Size().Bytes())
	if _, err := src.Clip(data.Val, i, 0, pix); err != nil {
		t.Fatal(err)
	}
	x, err := ir.TensorFromData(m.Main().Params[0].Value.Type, pix)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// TestEveryParameter: training moves every constant that the architecture's text
// gives an initializer.
func TestEveryParameter(t *testing.T) {
	r := newRun(t, t.TempDir(), "float{steps=2}")
	finish(t, r)
	first := map[string][]float32{}
	for _, n := range r.Module.Main().Nodes {
		if n.Const != nil && n.Const.Type.DType == ir.F32 && n.Const.Type.Rank() > 0 && !strings.HasPrefix(n.Loc.Name, "lstm.h0") && !strings.HasPrefix(n.Loc.Name, "lstm.c0") {
			first[n.Loc.Name] = n.Const.Floats()
		}
	}
	if len(first) < 30 {
		t.Fatalf("the text has %d parameters", len(first))
	}
	for name, was := range first {
		if p := r.trainer.Param(name); p == nil {
			t.Errorf("%s is not trained", name)
		} else if slices.Equal(p.Data, was) {
			t.Errorf("%s does not move", name)
		}
	}
}

// TestImported: an imported model is trained on like a text architecture.
func TestImported(t *testing.T) {
	first := newRun(t, t.TempDir(), "all{steps=1, distill=0}")
	finish(t, first)
	text, err := onnx.Export(first.trainer.Module())
	if err != nil {
		t.Fatal(err)
	}
	m, _, err := onnx.ImportBytes(context.Background(), "tiny.onnx", text, onnx.Options{})
	if err != nil {
		t.Fatal(err)
	}
	r := newRun(t, t.TempDir(), "all{steps=2, distill=0, rate=0.01}")
	r.Module = m
	finish(t, r)
	moved := 0
	for _, p := range r.trainer.Params() {
		if q := first.trainer.Param(p.Name); q != nil && !slices.Equal(p.Data, q.Data) {
			moved++
		}
	}
	if moved < len(r.trainer.Params())/2 {
		t.Errorf("training moved %d of %d parameters", moved, len(r.trainer.Params()))
	}
	if len(r.Reports()[0].Gates) != 2 {
		t.Errorf("%d gates are found, expected 2", len(r.Reports()[0].Gates))
	}
}

// TestTrainedModel: a network that PyTorch trained goes on from where it is.
func TestTrainedModel(t *testing.T) {
	m, _, err := onnx.ImportFile(context.Background(), shared.Dir(t, "models/billnet_trained/billnet_trained.onnx"), onnx.Options{})
	if err != nil {
		t.Fatal(err)
	}
	r := &Run{Module: m, Source: open(t, m, "gestures"), Stages: parse(t, "all{steps=2, distill=0, rate=0.001, recalibrate=0}"), Batch: 4, Seed: 1, Dir: t.TempDir(), EvalClips: 12}
	finish(t, r)
	// The generated clips are not those that it was trained on: chance is 1/12, and
	// their plainer backgrounds give fewer ones.
	few := func(g Gate) bool { return g.Block < 0.01 || g.Beside > mostOnes || g.Out > mostOnes }
	if rep := r.Reports()[0]; rep.Accuracy < 0.25 || len(rep.Gates) != 3 || slices.ContainsFunc(rep.Gates, few) {
		t.Errorf("accuracy is %v with gates %v", rep.Accuracy, rep.Gates)
	}
}

// TestStillFrames: one-frame baselines are a matter of the data's spec.
func TestStillFrames(t *testing.T) {
	outcomes := map[string]bool{}
	for _, spec := range []string{"gestures{classes=4}", "gestures{classes=4, frame=first}", "gestures{classes=4, frame=middle}", "gestures{classes=4, frame=last}"} {
		r := newRun(t, t.TempDir(), "float{steps=1}")
		r.Source = open(t, r.Module, spec)
		outcomes[finish(t, r).module] = true
	}
	if len(outcomes) != 4 {
		t.Errorf("%d networks of 4 kinds of clips", len(outcomes))
	}
}

// TestErrors: what cannot be trained is refused before the first step.
func TestErrors(t *testing.T) {
	r := newRun(t, t.TempDir(), "float{steps=1}")
	r.Source = open(t, r.Module, "gestures{classes=5}")
	expect(t, r, "the network has 4 classes, the data 5", "billc new --classes 5")
	r = newRun(t, t.TempDir(), "float{steps=1}")
	r.Stages = nil
	expect(t, r, "a recipe needs a stage")
	r = newRun(t, t.TempDir(), "float{steps=1}")
	r.Dir = filepath.Join(r.Dir, "file")
	if err := os.WriteFile(r.Dir, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	expect(t, r, "file")
	r = newRun(t, t.TempDir(), "float{steps=1}")
	full := errors.New("the disk is full")
	r.Done = func(Report) error { return full }
	expect(t, r, full.Error())
}

// TestReadLog: a log that is written and read again is the same, up to the digits
// that are written; a stage of the same name begins where the steps begin again.
func TestReadLog(t *testing.T) {
	half := 0.5
	log := []Row{
		{Index: 0, Stage: "float", Step: 20, Rate: 0.003, Loss: 2, Accuracy: 0.25, Norm: 1.5},
		{Index: 0, Stage: "float", Step: 40, Rate: 0.003, Loss: math.Inf(1), Accuracy: 0.5, Norm: 1, Validation: &half},
		{Index: 1, Stage: "float", Step: 20, Rate: 0.001, Loss: 1, Accuracy: 0.5, Norm: 1},
		{Index: 2, Stage: "all", Step: 40, Rate: 0.001, Loss: 0.5, Accuracy: 0.75, Norm: 2, Validation: &half},
	}
	var b bytes.Buffer
	if err := WriteLog(&b, log); err != nil {
		t.Fatal(err)
	}
	text := b.String()
	got, err := ReadLog(&b)
	if err != nil || !reflect.DeepEqual(got, log) {
		t.Errorf("%v, %+v, expected %+v", err, got, log)
	}
	for _, bad := range []string{"", "a,b\n", text[:len(text)-6], strings.Replace(text, "40", "-1", 1), strings.Replace(text, "0.25", "", 1), "stage,\"\n"} {
		if got, err := ReadLog(strings.NewReader(bad)); err == nil {
			t.Errorf("%q is read as %+v", bad, got)
		}
	}
}

// TestPictures: curves and the confusion matrix are drawn as the format says.
func TestPictures(t *testing.T) {
	half := 0.5
	log := []Row{{0, "float", 6, 1, 2, 0.5, 1, 6, nil}, {1, "float", 10, 1, 1, 0.6, 1, 10, &half}, {2, "all", 20, 1, 1.5, 0.6, 1, 20, nil}, {2, "all", 22, 1, 1.2, 0.7, 1, 2, &half}}
	c := NewConfusion([]string{"left", "right"})
	c.Counts = [][]int{{3, 1}, {0, 4}}
	if c.Clips() != 8 || c.Accuracy() != 7.0/8 {
		t.Errorf("%d clips, accuracy %v", c.Clips(), c.Accuracy())
	}
	for format, magic := range map[string]string{"png": "\x89PNG", "svg": "<?xml"} {
		var curves, matrix bytes.Buffer
		if err := errors.Join(WriteCurves(&curves, format, log), c.WritePicture(&matrix, format)); err != nil {
			t.Fatal(err)
		}
		for name, b := range map[string]*bytes.Buffer{"curves": &curves, "matrix": &matrix} {
			if !strings.HasPrefix(b.String(), magic) {
				t.Errorf("%s as %s begin with %.10q", name, format, b)
			}
		}
	}
	if err := WriteCurves(&bytes.Buffer{}, "gif", log); err == nil {
		t.Error("curves are drawn as gif")
	}
	var text bytes.Buffer
	if err := c.Print(&text); err != nil {
		t.Fatal(err)
	}
	if want := "         0 1\n 0  left 3 1\n 1 right . 4\n"; text.String() != want {
		t.Errorf("the matrix is\n%s, expected\n%s", &text, want)
	}
	// Names are whole, whatever their length: the picture grows with them. SVGs have
	// the counts and names as text, in a font with substitutes.
	size := func(name string) image.Point {
		c.Classes = []string{name, "right"}
		var b bytes.Buffer
		if err := c.WritePicture(&b, "png"); err != nil {
			t.Fatal(err)
		}
		m, err := png.Decode(&b)
		if err != nil {
			t.Fatal(err)
		}
		r := m.Bounds()
		for _, x := range []int{0, r.Max.X - 1} {
			for y := range r.Max.Y {
				if v, _, _, _ := m.At(x, y).RGBA(); v != 0xffff {
					t.Fatalf("something reaches the edge at %d,%d", x, y)
				}
			}
		}
		return r.Max
	}
	short, long := size("left"), size(strings.Repeat("turning counterclockwise ", 3))
	if long.X < short.X+300 || long.Y < short.Y+300 {
		t.Errorf("long names: %v, short ones: %v", long, short)
	}
	var svg bytes.Buffer
	c.Classes[0] = "left <&> right"
	if err := c.WritePicture(&svg, "svg"); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{">3<", ">4<", "left &lt;&amp;&gt; right", "'Liberation Sans',Arial,Helvetica,sans-serif", "87.5 % of 8 clips"} {
		if !strings.Contains(svg.String(), want) {
			t.Errorf("the SVG lacks %q", want)
		}
	}
}
