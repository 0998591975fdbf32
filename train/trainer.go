package train

import (
	"context"
	"fmt"
	"iter"
	"math"
	"runtime"
	"strings"

	"github.com/billnet/billnet/ir"
)

// Options of a Trainer. Maps are keyed by the names of nodes (Loc.Name) or, for
// Trainable, of constants in the source module.
type Options struct {
	Batch   int    // most clips of a batch; 0: 16
	Threads int    // 0: one a CPU. Results do not depend on it
	Seed    uint64 // of dropout

	Roles      map[string]Role      // of binary operations, where the recognised one is wrong
	Surrogates map[string]Surrogate // of single binary operations
	Dropout    map[string]float64   // probability with which elements of a node's result are dropped
	Trainable  map[string]ParamKind // constants to train that are not recognised
	Momentum   float64              // of running statistics; 0: 0.1
}

// Trainer trains one module. It is not safe for concurrent use.
type Trainer struct {
	source *ir.Module
	graph  *graph
	params []*Param
	steps  []StepInfo
	heads  []head // the main one first
	opt    Optimizer

	clipsPerUnit, classes int
	clip                  int // elements of a clip
	momentum              float64
	count                 int // steps done
	updates               int // since the optimizer's moments were cleared
}

// StepInfo describes a binary operation of the graph.
type StepInfo struct {
	Name string // of its node in the source module
	Op   string
	Role Role
}

// Batch is clips with labels: n clips of the input's shape, one after the other,
// as bytes or floats. Teacher, when not nil, holds n rows of logits.
type Batch struct {
	Bytes   []uint8
	Floats  []float32
	Labels  []int
	Teacher []float32
}

// Hyper are the settings of one step.
type Hyper struct {
	Rate        float64
	WeightDecay float64
	MaxNorm     float64 // gradients are scaled to at most this Euclidean norm; 0: not
	Loss        Loss
}

// Result is what a step found on its batch, before the update.
type Result struct {
	Loss    float64
	Correct int     // clips whose largest logit is their label
	Norm    float64 // of the gradient, before it was limited
}

// New makes a trainer of a source-level module with one input of clips
// [N,...], of which N, usually 1, make a unit. The module is not changed.
func New(m *ir.Module, o Options) (*Trainer, error) {
	if o.Batch == 0 {
		o.Batch = 16
	}
	if o.Threads == 0 {
		o.Threads = runtime.GOMAXPROCS(0)
	}
	if o.Batch < 0 || o.Threads < 0 {
		return nil, fmt.Errorf("batch is %d and threads %d, expected positive numbers", o.Batch, o.Threads)
	}
	for name, s := range o.Surrogates {
		if err := s.check(); err != nil {
			return nil, fmt.Errorf("node %q: %w", name, err)
		}
	}
	for name, p := range o.Dropout {
		if !(p >= 0 && p < 1) {
			return nil, fmt.Errorf("node %q: dropout is %v, expected at least 0 and less than 1", name, p)
		}
	}
	if m.Level != ir.Source {
		return nil, fmt.Errorf("the module is at %s level, training needs the source level: train before compiling", m.Level)
	}
	if err := ir.Verify(m); err != nil {
		return nil, err
	}
	f := m.Main()
	if len(f.Params) != 1 {
		return nil, fmt.Errorf("func @%s has %d inputs, training needs one: the clips", f.Name, len(f.Params))
	}
	in := f.Params[0].Value.Type
	if in.Rank() < 2 || in.Elems() == 0 || !in.DType.IsFloat() && in.DType != ir.U8 {
		return nil, fmt.Errorf("input %q is %s, expected clips [N,...] as u8 or floats", f.Params[0].Name, in)
	}
	t := &Trainer{source: m.Clone(), clipsPerUnit: in.Shape[0], clip: in.Elems() / in.Shape[0], momentum: orDefault(o.Momentum, 0.1), opt: Adam{}}
	var err error
	if t.params, err = findParams(t.source, o.Trainable); err != nil {
		return nil, err
	}
	canon, values, err := prepare(context.Background(), t.source, t.params)
	if err != nil {
		return nil, err
	}
	units := (o.Batch + t.clipsPerUnit - 1) / t.clipsPerUnit
	g, b, err := newGraph(canon.Main(), units, values, &o)
	if err != nil {
		return nil, err
	}
	t.graph, t.steps = g, b.steps
	if err := t.findHeads(b, canon.Main()); err != nil {
		return nil, err
	}
	t.markCellWeights(b, values)
	return t, nil
}

// findHeads makes heads of the results: logits, or what a softmax at the end
// takes.
func (t *Trainer) findHeads(b *builder, f *ir.Func) error {
	first, err := mainResult(f)
	if err != nil {
		return err
	}
	add := func(p ir.Port, weight func(Loss) float64) error {
		v := p.Value
		for d := ir.Def(v); d != nil && (d.Is(ir.Softmax) || d.Is(ir.LogSoftmax) || d.Is(ir.Identity)); d = ir.Def(v) {
			v = d.Args[0]
		}
		x := b.values[v]
		if !x.batched || x.size%t.clipsPerUnit != 0 || x.size == 0 {
			return fmt.Errorf("result %q is %s, expected logits [%d,classes] that depend on the input", p.Name, p.Value.Type, t.clipsPerUnit)
		}
		classes := x.size / t.clipsPerUnit
		if t.classes == 0 {
			t.classes = classes
		}
		if classes != t.classes {
			return fmt.Errorf("result %q has %d logits a clip, the main result %q has %d", p.Name, classes, f.Results[first].Name, t.classes)
		}
		t.heads = append(t.heads, head{p.Name, x, weight})
		return nil
	}
	if err := add(f.Results[first], func(Loss) float64 { return 1 }); err != nil {
		return err
	}
	for _, p := range f.Results {
		if IsAuxiliary(p.Name) {
			if err := add(p, func(l Loss) float64 { return l.Auxiliary }); err != nil {
				return err
			}
		}
	}
	return nil
}

// markCellWeights gives latent weights the role of the operation behind them.
func (t *Trainer) markCellWeights(b *builder, values map[*ir.Value]*Param) {
	for v, p := range values {
		if p.Kind == KindLatent {
			p.Role = Weight
			if b.products(v, map[*ir.Value]bool{}) > 1 {
				p.Role = CellWeight
			}
		}
	}
}

// Params returns the parameters in the order of the source module.
func (t *Trainer) Params() []*Param { return t.params }

// Param returns the parameter with the given name, or nil.
func (t *Trainer) Param(name string) *Param {
	for _, p := range t.params {
		if p.Name == name {
			return p
		}
	}
	return nil
}

// Steps returns the binary operations with their roles.
func (t *Trainer) Steps() []StepInfo { return t.steps }

// Classes returns the number of logits of a clip.
func (t *Trainer) Classes() int { return t.classes }

// Clip returns the number of elements of one input clip.
func (t *Trainer) Clip() int { return t.clip }

// Heads returns the names of the heads, the main one first.
func (t *Trainer) Heads() []string {
	var names []string
	for _, h := range t.heads {
		names = append(names, h.name)
	}
	return names
}

// Count returns the number of steps done.
func (t *Trainer) Count() int { return t.count }

// SetSurrogate sets the surrogate of all binary operations of a role.
func (t *Trainer) SetSurrogate(r Role, s Surrogate) error {
	if err := s.check(); err != nil {
		return err
	}
	t.graph.surrogates[r] = s
	return nil
}

// SetSoft makes the binary operations of a role soft or hard. A slope of 0 is
// the role's own: 8 for selects, 1 for the others.
func (t *Trainer) SetSoft(r Role, s Soft) {
	s.Slope = orDefault(s.Slope, r.slope())
	t.graph.soft[r] = s
}

// SetNorms sets the mode of all batch norms, or of those whose running mean has
// one of the names. Norms that share their statistics, as those of an unrolled
// cell do, run on NormRunning from the start.
func (t *Trainer) SetNorms(mode NormMode, means ...string) {
	for _, n := range t.graph.norms {
		if n.stats == nil {
			continue
		}
		wanted := len(means) == 0
		for _, name := range means {
			wanted = wanted || name == n.stats.mean.Name
		}
		if wanted {
			n.mode = mode
		}
	}
}

// SetNormMomentum sets the momentum with which running statistics follow the
// batches, for all norms or those whose running mean has one of the names.
func (t *Trainer) SetNormMomentum(momentum float64, means ...string) {
	if len(means) == 0 {
		t.momentum = momentum
	}
	for _, n := range t.graph.norms {
		for _, name := range means {
			if n.stats != nil && n.stats.mean.Name == name {
				n.stats.momentum = momentum
			}
		}
	}
}

// SetOptimizer sets the optimizer and clears the moments.
func (t *Trainer) SetOptimizer(o Optimizer) {
	t.opt, t.updates = o, 0
	for _, p := range t.params {
		p.moments = [2][]float32{}
	}
}

// load copies clips into the graph's input and returns how many there are.
func (t *Trainer) load(bytes []uint8, floats []float32) (int, error) {
	have := len(bytes) + len(floats)
	in := t.graph.inputs[0]
	switch {
	case bytes != nil && floats != nil:
		return 0, fmt.Errorf("a batch has bytes and floats, expected one of them")
	case have == 0 || have%in.size != 0:
		return 0, fmt.Errorf("a batch has %d elements, expected a multiple of %d: whole clips of %d elements, %d at a time", have, in.size, t.clip, t.clipsPerUnit)
	case have > len(in.data):
		return 0, fmt.Errorf("a batch has %d clips, the trainer was made for %d", have/t.clip, len(in.data)/t.clip)
	}
	t.graph.active = have / in.size
	copy(in.data, floats)
	for i, v := range bytes {
		in.data[i] = float32(v)
	}
	return have / t.clip, nil
}

// Forward returns the logits of clips, one row a clip, by inference: binary
// operations as they are set, batch norms on running statistics, no dropout.
func (t *Trainer) Forward(bytes []uint8, floats []float32) ([]float32, error) {
	n, err := t.load(bytes, floats)
	if err != nil {
		return nil, err
	}
	t.graph.training = false
	if err := t.graph.forward(); err != nil {
		return nil, err
	}
	return append([]float32{}, t.heads[0].logits.data[:n*t.classes]...), nil
}

// Gradients runs a batch forward and backward as Step does and leaves the
// gradients in the parameters, but updates nothing. Running statistics stay.
func (t *Trainer) Gradients(b Batch, l Loss) (Result, error) {
	r, err := t.gradients(b, l)
	for _, n := range t.graph.norms {
		if n.stats != nil {
			n.stats.reset()
		}
	}
	return r, err
}

func (t *Trainer) gradients(b Batch, l Loss) (Result, error) {
	var r Result
	n, err := t.load(b.Bytes, b.Floats)
	if err != nil {
		return r, err
	}
	if len(b.Labels) != n || b.Teacher != nil && len(b.Teacher) != n*t.classes {
		return r, fmt.Errorf("a batch of %d clips has %d labels and %d teacher logits, expected %d and none or %d", n, len(b.Labels), len(b.Teacher), n, n*t.classes)
	}
	for i, c := range b.Labels {
		if c < 0 || c >= t.classes {
			return r, fmt.Errorf("label %d is %d, expected 0 to %d", i, c, t.classes-1)
		}
	}
	g := t.graph
	g.training, g.round = true, uint64(t.count)
	if err := g.forward(); err != nil {
		return r, err
	}
	for _, v := range g.params {
		clear(v.param.Grad)
		v.diff = !v.param.Frozen
	}
	for i, label := range b.Labels {
		if Argmax(t.heads[0].logits.data[i*t.classes:(i+1)*t.classes]) == label {
			r.Correct++
		}
	}
	for _, h := range t.heads {
		if w := h.weight(l); w != 0 && h.logits.diff {
			r.Loss += l.loss(h.logits.data, g.gradOf(h.logits), t.classes, b.Labels, b.Teacher, w)
		}
	}
	for _, v := range g.params {
		v.grad = v.param.Grad
	}
	g.backward()
	for _, v := range g.params {
		v.grad = nil
	}
	norm := 0.0
	for _, p := range t.params {
		for _, v := range p.Grad {
			norm += float64(v) * float64(v)
		}
	}
	r.Norm = math.Sqrt(norm)
	if r.Loss-r.Loss != 0 || r.Norm-r.Norm != 0 {
		return r, fmt.Errorf("step %d: the loss is %v and the gradient's norm %v: lower the learning rate or limit the norm", t.count, r.Loss, r.Norm)
	}
	return r, nil
}

// Step runs one batch forward and backward and updates the parameters. It
// returns the loss and accuracy from before the update.
func (t *Trainer) Step(b Batch, h Hyper) (Result, error) {
	r, err := t.gradients(b, h.Loss)
	if err != nil {
		return r, err
	}
	scale := float32(1)
	if h.MaxNorm > 0 && r.Norm > h.MaxNorm {
		scale = float32(h.MaxNorm / r.Norm)
	}
	t.count++
	t.updates++
	t.graph.each(len(t.params), func(_, i int) {
		p := t.params[i]
		if p.Statistic || p.Frozen {
			return
		}
		t.opt.update(p, h.Rate*p.Rate, h.WeightDecay*p.Decay, t.updates, scale)
		if p.Bound > 0 && !t.graph.soft[p.Role].On {
			bound := float32(p.Bound)
			for i, w := range p.Data {
				p.Data[i] = max(-bound, min(bound, w))
			}
		}
	})
	for _, n := range t.graph.norms {
		if n.stats == nil {
			continue
		}
		if n.stats.mean.Frozen {
			n.stats.reset()
			continue
		}
		n.stats.follow(t.momentum)
	}
	return r, nil
}

// Recalibrate sets the running statistics of batch norms, all but frozen ones,
// to the mean over batches of what each of them finds. A batch is read before the
// next is asked for.
func (t *Trainer) Recalibrate(batches iter.Seq2[Batch, error]) error {
	g := t.graph
	totals := map[*normStats][]float64{}
	found := 0
	for b, err := range batches {
		if err != nil {
			return err
		}
		found++
		if _, err := t.load(b.Bytes, b.Floats); err != nil {
			return err
		}
		g.training = true
		if err := g.forward(); err != nil {
			return err
		}
		for _, n := range g.norms {
			s := n.stats
			if s == nil || s.count == 0 {
				continue
			}
			if totals[s] == nil {
				totals[s] = make([]float64, 2*len(s.sum))
			}
			for c := range s.sum {
				totals[s][c] += s.sum[c] / float64(s.count)
				totals[s][len(s.sum)+c] += s.sumVar[c] / float64(s.count)
			}
			s.reset()
		}
	}
	if found == 0 {
		return fmt.Errorf("no batches to recalibrate the norms on")
	}
	for s, total := range totals {
		if s.mean.Frozen {
			continue
		}
		for c := range s.sum {
			s.mean.Data[c] = float32(total[c] / float64(found))
			s.variance.Data[c] = float32(total[len(s.sum)+c] / float64(found))
		}
	}
	return nil
}

// Module returns the source module with the parameters' present values. Heads
// for training only are left out.
func (t *Trainer) Module() *ir.Module {
	m := t.source.Clone()
	delete(m.Meta, ir.MetaUntrained)
	f := m.Main()
	for _, p := range t.params {
		n := f.Nodes[p.node]
		n.Const = ir.FloatTensor(append([]float32{}, p.Data...), p.Shape...)
	}
	var results []ir.Port
	for _, r := range f.Results {
		if !IsAuxiliary(r.Name) {
			results = append(results, r)
		}
	}
	f.Results = results
	f.RemoveDead()
	return m
}

// Describe lists the parameters and binary operations, a line each.
func (t *Trainer) Describe() string {
	var s strings.Builder
	for _, p := range t.params {
		fmt.Fprintf(&s, "%-10s %-20s %s\n", p.Kind, ir.ShapeString(p.Shape), p.Name)
	}
	for _, op := range t.steps {
		fmt.Fprintf(&s, "%-10s %-20s %s\n", op.Op, op.Role, op.Name)
	}
	return s.String()
}
