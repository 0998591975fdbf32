package recipe

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"maps"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/billnet/billnet/internal/atomicfile"
	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/train"
	"github.com/billnet/billnet/train/data"
)

// Run is a training run: what to train on what, and where to keep its progress.
type Run struct {
	Module  *ir.Module // source level, binary form
	Teacher *ir.Module // nil: the network after the last stage in which nothing is hard
	Source  data.Source
	Stages  []Stage
	Batch   int    // clips of a step
	Seed    uint64 // of the order of clips
	Threads int
	Dir     string // checkpoint, log, teacher

	EvalClips int                // clips that measure a stage; 0: all there are, at most 2000
	Every     int                // steps between checkpoints
	Resume    bool               // go on from Dir's checkpoint
	Step      func(Progress)     // called after every step
	Done      func(Report) error // called after every stage, with its network
	Note      func(string)       // called with sentences for the user

	trainer *train.Trainer
	teacher *train.Trainer // nil: there is none yet
	state   progress
}

// Progress is where a run is.
type Progress struct {
	Stage        string
	Index, Count int // of stages
	Step, Steps  int // done, of the stage
	Left         int // steps of this stage and all later ones
	Loss         float64
	Accuracy     float64 // on the batch
	Rate         float64
}

// Report is what a stage came to.
type Report struct {
	Stage    string     `json:"stage"`
	Steps    int        `json:"steps"`
	Loss     float64    `json:"loss"`     // mean over the last tenth of the steps
	Accuracy float64    `json:"accuracy"` // share of right labels on the validation clips
	Clips    int        `json:"clips"`    // that measured it
	Gates    []Gate     `json:"gates,omitempty"`
	Module   *ir.Module `json:"-"`
}

// Row is a line of the log: means over the steps since the last one.
type Row struct {
	Index    int     `json:"index"` // of the stage
	Stage    string  `json:"stage"`
	Step     int     `json:"step"`
	Rate     float64 `json:"rate"`
	Loss     float64 `json:"loss"`
	Accuracy float64 `json:"accuracy"`
	Norm     float64 `json:"norm"`
	N        int     `json:"n"` // steps in the means

	Validation *float64 `json:"validation,omitempty"` // accuracy on validation clips after Step, where it was measured
}

// progress is what a checkpoint holds beside the parameters.
type progress struct {
	Config  string   `json:"config"`
	Stage   int      `json:"stage"`
	Step    int      `json:"step"`
	Reports []Report `json:"reports"`
	Log     []Row    `json:"log"`
}

// A stage is measured validations times while it trains, at most every rowSteps
// steps, on the first validationClips validation clips.
const (
	validations     = 12
	validationClips = 100
)

// rowSteps is the number of steps in a line of the log.
const rowSteps = 20

// config is what a checkpoint belongs to, as a JSON object.
func (r *Run) config() string {
	sum := func(m *ir.Module) string {
		if m == nil {
			return ""
		}
		text, data := ir.Print(m, "data")
		return fmt.Sprintf("%s %08x", m.Name, crc32.Update(crc32.ChecksumIEEE([]byte(text)), crc32.IEEETable, data))
	}
	b, err := json.Marshal(struct {
		Network string  `json:"network"`
		Teacher string  `json:"teacher"`
		Data    string  `json:"data"`
		Stages  []Stage `json:"stages"`
		Batch   int     `json:"batch"`
		Seed    uint64  `json:"seed"`
		Clips   int     `json:"eval-clips"`
	}{sum(r.Module), sum(r.Teacher), r.Source.Name(), r.Stages, r.Batch, r.Seed, r.EvalClips})
	if err != nil {
		panic(err)
	}
	return string(b)
}

// changed names the settings in which two configs differ.
func changed(then, now string) string {
	var a, b map[string]json.RawMessage
	json.Unmarshal([]byte(then), &a)
	json.Unmarshal([]byte(now), &b)
	var list []string
	for _, key := range slices.Sorted(maps.Keys(b)) {
		if !bytes.Equal(a[key], b[key]) {
			what := key
			if key != "stages" {
				what = fmt.Sprintf("%s (then %s, now %s)", key, a[key], b[key])
			}
			list = append(list, what)
		}
	}
	return strings.Join(list, ", ")
}

func (r *Run) checkpointFile() string { return filepath.Join(r.Dir, "checkpoint") }

// teacherFile keeps the float network of stage i.
func (r *Run) teacherFile(i int) string { return filepath.Join(r.Dir, fmt.Sprintf("%d-teacher", i+1)) }

// Train does the stages that are left and returns the trained network, ready to
// be compiled. When ctx ends, it writes a checkpoint and returns ctx's error.
func (r *Run) Train(ctx context.Context) (*ir.Module, error) {
	if err := r.prepare(); err != nil {
		return nil, err
	}
	for r.state.Stage < len(r.Stages) {
		if err := r.stage(ctx, r.Stages[r.state.Stage]); err != nil {
			return nil, err
		}
	}
	return r.module(r.Stages[len(r.Stages)-1]), nil
}

// module is the network as it stands in stage s.
func (r *Run) module(s Stage) *ir.Module {
	m := r.trainer.Module()
	setSoft(m, s.Soft(r.trainer))
	return m
}

// Reports are those of the stages done so far.
func (r *Run) Reports() []Report { return r.state.Reports }

// Log is the log of the run so far.
func (r *Run) Log() []Row { return r.state.Log }

// prepare makes the trainer and brings it to where the run stands.
func (r *Run) prepare() error {
	if len(r.Stages) == 0 {
		return errors.New("a recipe needs a stage")
	}
	r.Every = max(r.Every, 1)
	taught := r.Teacher != nil
	for _, s := range r.Stages {
		if s.Distill > 0 && !taught {
			return fmt.Errorf("stage %s learns from a teacher (distill=%g), and there is none: put a float stage before it, give a teacher, or say distill=0", s.Name, s.Distill)
		}
		taught = taught || s.float()
	}
	var err error
	if r.trainer, err = train.New(r.Module, train.Options{Batch: r.Batch, Threads: r.Threads, Seed: r.Seed}); err != nil {
		return err
	}
	if n, classes := r.trainer.Classes(), r.Source.Classes(); n != len(classes) {
		return fmt.Errorf("the network has %d classes, the data %d (%s): write the network for %d (billc new --classes %d), or choose data with %d",
			n, len(classes), r.Source.Name(), len(classes), len(classes), n)
	}
	if n := r.Source.Size().Bytes(); n != r.trainer.Clip() {
		return fmt.Errorf("a clip of the network has %d elements, one of the data %d", r.trainer.Clip(), n)
	}
	r.Stages = slices.Clone(r.Stages)
	for i := range r.Stages {
		if err := r.Stages[i].length(r.Source.Len(data.Train), r.Batch); err != nil {
			return err
		}
	}
	r.trainer.SetOptimizer(r.Stages[0].optimizer())
	if r.Teacher != nil {
		if r.teacher, err = train.New(r.Teacher, train.Options{Batch: r.teacherBatch(), Threads: r.Threads}); err != nil {
			return fmt.Errorf("the teacher: %w", err)
		}
		if r.teacher.Classes() != r.trainer.Classes() || r.teacher.Clip() != r.trainer.Clip() {
			return fmt.Errorf("the teacher has %d classes and clips of %d elements, the network %d and %d", r.teacher.Classes(), r.teacher.Clip(), r.trainer.Classes(), r.trainer.Clip())
		}
		for _, role := range SoftRoles(r.Teacher) {
			r.teacher.SetSoft(role, train.Soft{On: true})
		}
	}
	r.state = progress{Config: r.config()}
	if r.Resume {
		return r.restore()
	}
	if err := os.MkdirAll(r.Dir, 0o777); err != nil {
		return err
	}
	return r.checkpoint()
}

// restore reads the checkpoint.
func (r *Run) restore() error {
	text, err := os.ReadFile(r.checkpointFile())
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%s: there is no checkpoint to go on from; leave --resume out", r.Dir)
	}
	if err != nil {
		return err
	}
	s, err := train.DecodeState(text)
	if err != nil {
		return fmt.Errorf("%s: %w", r.checkpointFile(), err)
	}
	var p progress
	if err := json.Unmarshal(s.Extra, &p); err != nil {
		return fmt.Errorf("%s: %w", r.checkpointFile(), err)
	}
	if p.Config != r.state.Config {
		return fmt.Errorf("%s belongs to a run with other settings: %s; give the same ones, or choose another folder", r.checkpointFile(), changed(p.Config, r.state.Config))
	}
	last := p.Stage // the stage whose optimizer was at work
	if p.Step == 0 {
		last = max(0, last-1)
	}
	r.trainer.SetOptimizer(r.Stages[last].optimizer())
	if err := r.trainer.SetState(s); err != nil {
		return fmt.Errorf("%s: %w", r.checkpointFile(), err)
	}
	r.state = p
	for i := r.state.Stage - 1; i >= 0 && r.Teacher == nil; i-- {
		if !r.Stages[i].float() {
			continue
		}
		if text, err = os.ReadFile(r.teacherFile(i)); err != nil {
			return err
		}
		if s, err = train.DecodeState(text); err != nil {
			return fmt.Errorf("%s: %w", r.teacherFile(i), err)
		}
		return r.floatTeacher(r.Stages[i], s)
	}
	return nil
}

// floatTeacher makes the network that a float stage ended with the teacher.
func (r *Run) floatTeacher(s Stage, state *train.State) error {
	t, err := train.New(r.Module, train.Options{Batch: r.teacherBatch(), Threads: r.Threads, Seed: r.Seed})
	if err != nil {
		return err
	}
	t.SetOptimizer(s.optimizer())
	if err := t.SetState(state); err != nil {
		return err
	}
	s.soften(t, s.Slope)
	r.teacher = t
	return nil
}

// stage does one stage from the step at which it stands. The checkpoint of its
// beginning is from before enter.
func (r *Run) stage(ctx context.Context, s Stage) error {
	if r.state.Step == 0 {
		if err := r.enter(ctx, s); err != nil {
			return err
		}
	}
	if err := r.steps(ctx, s); err != nil {
		return err
	}
	return r.leave(ctx, s)
}

// steps does the steps of a stage.
func (r *Run) steps(ctx context.Context, s Stage) error {
	loader, err := data.NewLoader(r.Source, data.LoaderOptions{Split: data.Train, Batch: r.Batch, Seed: r.seed(0), Workers: r.Threads, Start: r.state.Step})
	if err != nil {
		return err
	}
	defer loader.Close()
	schedule := s.schedule()
	for r.state.Step < s.Steps {
		b, err := loader.Next(ctx)
		if ctx.Err() != nil {
			if r.state.Step > 0 {
				return errors.Join(ctx.Err(), r.checkpoint())
			}
			return ctx.Err()
		}
		if err != nil {
			return err
		}
		batch := train.Batch{Bytes: b.Clips, Labels: b.Labels}
		if s.Distill > 0 {
			if batch.Teacher, err = r.taught(b.Clips, b.N); err != nil {
				return err
			}
		}
		s.soften(r.trainer, r.slope(s))
		rate := schedule.At(r.state.Step)
		res, err := r.trainer.Step(batch, train.Hyper{
			Rate: rate, WeightDecay: s.WeightDecay, MaxNorm: s.MaxNorm,
			Loss: train.Loss{Distill: s.Distill, Temperature: s.Temperature, Auxiliary: s.Auxiliary},
		})
		if err != nil {
			return fmt.Errorf("stage %s: %w", s.Name, err)
		}
		accuracy := float64(res.Correct) / float64(b.N)
		r.state.Step++
		r.row(s, rate, res, accuracy)
		if err := r.validate(ctx, s); err != nil {
			return err
		}
		if r.Step != nil {
			left := -r.state.Step
			for _, later := range r.Stages[r.state.Stage:] {
				left += later.Steps
			}
			r.Step(Progress{s.Name, r.state.Stage, len(r.Stages), r.state.Step, s.Steps, left, res.Loss, accuracy, rate})
		}
		if r.state.Step%r.Every == 0 || r.state.Step == s.Steps {
			if err := r.checkpoint(); err != nil {
				return err
			}
		}
	}
	return nil
}

// teacherBatch is the number of clips that the teacher sees at a time: it only
// runs forward, so that a few keep all threads busy and little memory.
func (r *Run) teacherBatch() int { return min(r.Batch, max(4, runtime.GOMAXPROCS(0))) }

// taught returns the teacher's logits of n clips.
func (r *Run) taught(clips []uint8, n int) ([]float32, error) {
	var all []float32
	size := len(clips) / n
	for at := 0; at < n; at += r.teacherBatch() {
		logits, err := r.teacher.Forward(clips[at*size:min(n, at+r.teacherBatch())*size], nil)
		if err != nil {
			return nil, err
		}
		all = append(all, logits...)
	}
	return all, nil
}

// seed is the seed of a stream of clips of the present stage.
func (r *Run) seed(stream int) uint64 { return r.Seed + uint64(1000*r.state.Stage+stream) }

// slope is the slope of soft gates and cells at the present step: it goes from
// that of the stage before to the stage's own.
func (r *Run) slope(s Stage) float64 {
	from := 1.0
	if i := r.state.Stage; i > 0 {
		from = r.Stages[i-1].Slope
	}
	return from + (s.Slope-from)*float64(r.state.Step)/float64(max(s.Steps, 1))
}

// hardBefore are the roles that the parameters were trained with as hard ones;
// known is false when they were not trained by a recipe.
func (r *Run) hardBefore() (hard []train.Role, known bool) {
	if i := r.state.Stage; i > 0 {
		return r.Stages[i-1].Hard, true
	}
	soft := SoftRoles(r.Module)
	if soft == nil {
		return nil, false
	}
	return slices.DeleteFunc(slices.Clone(allRoles), func(role train.Role) bool { return slices.Contains(soft, role) }), true
}

// enter prepares the parameters for what becomes hard.
func (r *Run) enter(ctx context.Context, s Stage) error {
	s.soften(r.trainer, r.slope(s))
	r.trainer.SetOptimizer(s.optimizer())
	before, known := r.hardBefore()
	if !known { // parameters that were never trained have no scale to mend
		return nil
	}
	becomes := func(role train.Role) bool { return slices.Contains(s.Hard, role) && !slices.Contains(before, role) }
	if becomes(train.Activation) && s.Shift > 0 {
		shiftNorms(r.trainer, s.Shift)
	}
	if s.Rescale > 0 {
		for _, p := range r.trainer.Params() {
			if p.Kind == train.KindLatent && becomes(p.Role) {
				rescale(p, s.Rescale)
			}
		}
	}
	return r.recalibrate(ctx, s, 1)
}

// rescale gives every output channel of latent weights the mean |w| = mean.
func rescale(p *train.Param, mean float64) {
	n := len(p.Data) / p.Shape[0]
	for o := range p.Shape[0] {
		w := p.Data[o*n : (o+1)*n]
		sum := 0.0
		for _, v := range w {
			sum += math.Abs(float64(v))
		}
		if sum == 0 {
			continue
		}
		scale := mean * float64(n) / sum
		for i, v := range w {
			w[i] = float32(max(-1, min(1, float64(v)*scale)))
		}
	}
}

// shiftNorms lowers beta by by*|gamma| in the norms of maps [N,C,T,H,W]: fewer
// ones come out of the steps behind them.
func shiftNorms(t *train.Trainer, by float64) {
	for _, n := range t.Module().Main().Nodes {
		if !n.Is(ir.BatchNorm) || n.In(0).Rank() != 5 {
			continue
		}
		gamma, beta := t.Param(constName(n.Args[1])), t.Param(constName(n.Args[2]))
		if gamma == nil || beta == nil {
			continue
		}
		for i := range beta.Data {
			beta.Data[i] -= float32(by * math.Abs(float64(gamma.Data[i])))
		}
	}
}

func constName(v *ir.Value) string {
	if ir.ConstOf(v) == nil {
		return ""
	}
	return v.Def.Loc.Name
}

// recalibrate averages the norms over batches of a stream of their own.
func (r *Run) recalibrate(ctx context.Context, s Stage, stream int) error {
	n := s.averaged()
	if n == 0 {
		return nil
	}
	loader, err := data.NewLoader(r.Source, data.LoaderOptions{Split: data.Train, Batch: r.Batch, Seed: r.seed(stream), Workers: r.Threads})
	if err != nil {
		return err
	}
	defer loader.Close()
	return r.trainer.Recalibrate(func(yield func(train.Batch, error) bool) {
		for range n {
			b, err := loader.Next(ctx)
			if err != nil {
				yield(train.Batch{}, err)
				return
			}
			if !yield(train.Batch{Bytes: b.Clips, Labels: b.Labels}, nil) {
				return
			}
		}
	})
}

// leave ends a stage: norms, accuracy, teacher, checkpoint.
func (r *Run) leave(ctx context.Context, s Stage) error {
	s.soften(r.trainer, s.Slope)
	if err := r.recalibrate(ctx, s, 2); err != nil {
		return err
	}
	rep := Report{Stage: s.Name, Steps: s.Steps, Loss: r.lastLoss(s)}
	var err error
	if rep.Accuracy, rep.Clips, err = r.evaluate(ctx); err != nil {
		return err
	}
	rep.Module = r.module(s)
	if s.bits() {
		if rep.Gates, err = r.gates(ctx, rep.Module); err != nil {
			return err
		}
	}
	r.notes(s, rep)
	if s.float() && r.Teacher == nil {
		state := r.trainer.State()
		if err := atomicfile.Write(r.teacherFile(r.state.Stage), state.Encode); err != nil {
			return err
		}
		if err := r.floatTeacher(s, state); err != nil {
			return err
		}
	}
	r.state.Reports = append(r.state.Reports, rep)
	if r.Done != nil { // before the checkpoint: an interrupted Done is called again
		if err := r.Done(rep); err != nil {
			return err
		}
	}
	r.state.Stage, r.state.Step = r.state.Stage+1, 0
	return r.checkpoint()
}

// notes says what is not as it should be at a stage's end.
func (r *Run) notes(s Stage, rep Report) {
	if r.Note == nil {
		return
	}
	if n := len(r.state.Reports); n > 0 {
		if fall := r.state.Reports[n-1].Accuracy - rep.Accuracy; fall > s.Margin {
			r.Note(fmt.Sprintf("stage %s lost %.1f points of accuracy against stage %s (margin %.1f); train it longer, or insert a stage between the two",
				s.Name, 100*fall, r.state.Reports[n-1].Stage, 100*s.Margin))
		}
	}
	for _, g := range rep.Gates {
		if !g.healthy() {
			r.Note(fmt.Sprintf("stage %s: gate %s has %s; from %g to %g %% is healthy: a greater shift makes fewer ones, a smaller one more", s.Name, g.Name, g, 100*fewestOnes, 100*mostOnes))
		}
	}
}

// lastLoss is the mean loss of the last tenth of a stage.
func (r *Run) lastLoss(s Stage) float64 {
	sum, n := 0.0, 0
	for _, row := range r.state.Log {
		if row.Index == r.state.Stage && row.Step > s.Steps-max(1, s.Steps/10) {
			sum += row.Loss * float64(row.N)
			n += row.N
		}
	}
	return sum / float64(max(n, 1))
}

// evalSplit is the validation clips, or the test clips where there are none.
func (r *Run) evalSplit() data.Split {
	if r.Source.Len(data.Val) > 0 {
		return data.Val
	}
	return data.EvalSplit(r.Source)
}

// validate measures the network as it is, when it is time to, for the curves.
func (r *Run) validate(ctx context.Context, s Stage) error {
	every := (max(s.Steps/validations, 1) + rowSteps - 1) / rowSteps * rowSteps
	if r.state.Step%every != 0 && r.state.Step != s.Steps {
		return nil
	}
	limit := validationClips
	if r.EvalClips > 0 {
		limit = min(limit, r.EvalClips)
	}
	accuracy, _, err := r.accuracy(ctx, limit)
	if err != nil {
		return err
	}
	r.state.Log[len(r.state.Log)-1].Validation = &accuracy
	return nil
}

// evaluate is the accuracy on the first clips of evalSplit.
func (r *Run) evaluate(ctx context.Context) (accuracy float64, clips int, err error) {
	limit := r.EvalClips
	if limit == 0 {
		limit = 2000
	}
	return r.accuracy(ctx, limit)
}

func (r *Run) accuracy(ctx context.Context, limit int) (accuracy float64, clips int, err error) {
	return Accuracy(ctx, r.Source, r.evalSplit(), r.Batch, limit, r.trainer.Classes(), func(clips []uint8) ([]float32, error) { return r.trainer.Forward(clips, nil) })
}

// Accuracy is the share of right labels on the first clips of a split, at most
// limit; forward returns rows of logits.
func Accuracy(ctx context.Context, src data.Source, split data.Split, batch, limit, classes int, forward func(clips []uint8) ([]float32, error)) (accuracy float64, clips int, err error) {
	loader, err := data.NewLoader(src, data.LoaderOptions{Split: split, Batch: batch, Once: true})
	if err != nil {
		return 0, 0, err
	}
	defer loader.Close()
	right := 0
	for clips < limit {
		b, err := loader.Next(ctx)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return 0, 0, err
		}
		n := min(b.N, limit-clips)
		logits, err := forward(b.Clips[:n*src.Size().Bytes()])
		if err != nil {
			return 0, 0, err
		}
		for i := range n {
			if train.Argmax(logits[i*classes:(i+1)*classes]) == b.Labels[i] {
				right++
			}
		}
		clips += n
	}
	if clips == 0 {
		return 0, 0, fmt.Errorf("%s has no clips to measure accuracy on", src.Name())
	}
	return float64(right) / float64(clips), clips, nil
}

// row adds a step to the log.
func (r *Run) row(s Stage, rate float64, res train.Result, accuracy float64) {
	log := r.state.Log
	if n := len(log); n == 0 || log[n-1].N == rowSteps || log[n-1].Index != r.state.Stage {
		log = append(log, Row{Index: r.state.Stage, Stage: s.Name})
	}
	w := &log[len(log)-1]
	mean := func(old, v float64) float64 { return (old*float64(w.N) + v) / float64(w.N+1) }
	w.Step, w.Rate = r.state.Step, rate
	w.Loss, w.Accuracy, w.Norm = mean(w.Loss, res.Loss), mean(w.Accuracy, accuracy), mean(w.Norm, res.Norm)
	w.N++
	r.state.Log = log
}

// checkpoint writes everything that Resume needs.
func (r *Run) checkpoint() error {
	s := r.trainer.State()
	extra, err := json.Marshal(r.state)
	if err != nil {
		return err
	}
	s.Extra = extra
	if err := atomicfile.Write(r.checkpointFile(), s.Encode); err != nil {
		return err
	}
	return atomicfile.Write(filepath.Join(r.Dir, "log.csv"), func(w io.Writer) error { return WriteLog(w, r.state.Log) })
}
