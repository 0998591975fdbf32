package recipe

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/billnet/billnet/internal/spec"
	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/train"
	"github.com/billnet/billnet/train/data"
)

// Stage is a part of a training run.
type Stage struct {
	Name string
	Hard []train.Role // what computes as it will when compiled; all else is soft

	Steps       int
	Epochs      float64 // passes over the training clips, in place of Steps; 0: Steps count
	Optimizer   string  // adam or sgd
	Momentum    float64 // of sgd
	Schedule    train.Decay
	Rate        float64 // at its highest
	Warmup      int     // steps in which the rate rises
	Every       int     // schedule step: steps after which the rate falls; 0: a third of the steps
	Factor      float64 // schedule step: what the rate falls by
	WeightDecay float64
	MaxNorm     float64 // of the gradient
	Distill     float64 // share of the teacher in the loss
	Temperature float64 // of the teacher's softmax
	Auxiliary   float64 // weight of the auxiliary heads
	Slope       float64 // of soft gates and cells at the stage's end; it goes there from that of the stage before, 1 at first

	// What happens to the parameters that become hard at the stage's beginning.
	Rescale float64 // mean |w| of every output channel of latent weights; 0: as they are
	Shift   float64 // beta falls by this times |gamma| in the norms of maps in front of activations

	Recalibrate int     // batches over which norms are averaged, at the beginning and at the end; -1: a thirtieth of the steps, at least 10
	Margin      float64 // a greater loss of accuracy against the stage before is reported

	steps bool // its text says how many
}

// SetEpochs gives every stage whose text says neither steps nor epochs so many
// epochs.
func SetEpochs(stages []Stage, epochs float64) {
	for i := range stages {
		if s := &stages[i]; !s.steps && s.Epochs == 0 {
			s.Epochs = epochs
		}
	}
}

// averaged is the number of batches over which the norms are averaged. A mean over few
// clips is a choice among thresholds that the training did not make, so a long stage
// takes more of them.
func (s *Stage) averaged() int {
	if s.Recalibrate >= 0 {
		return s.Recalibrate
	}
	return max(10, s.Steps/30)
}

// length makes steps of epochs, for so many training clips and clips a step.
func (s *Stage) length(clips, batch int) error {
	if s.Epochs == 0 {
		return nil
	}
	if clips == data.Endless {
		return fmt.Errorf("stage %s: epochs=%g, and the training clips never end: give steps, or bound the clips (gestures{train=20000})", s.Name, s.Epochs)
	}
	s.Steps = int(math.Ceil(s.Epochs * float64(clips) / float64(batch)))
	return nil
}

// schedule is the learning rate over the stage's steps.
func (s Stage) schedule() train.Schedule {
	every := s.Every
	if every == 0 {
		every = max(1, (s.Steps-s.Warmup+2)/3)
	}
	return train.Schedule{Rate: s.Rate, Warmup: s.Warmup, Steps: s.Steps, Decay: s.Schedule, Every: every, Factor: s.Factor}
}

// optimizer is the one that the stage's name for it means.
func (s Stage) optimizer() train.Optimizer {
	if s.Optimizer == "sgd" {
		return train.SGD{Momentum: s.Momentum}
	}
	return train.Adam{Beta1: 0.9, Beta2: 0.99}
}

// float reports whether nothing is hard in a stage.
func (s Stage) float() bool { return len(s.Hard) == 0 }

// bits reports whether the maps of a stage are the bits of the compiled network.
func (s Stage) bits() bool {
	for _, role := range []train.Role{train.Activation, train.Select, train.Weight} {
		if !slices.Contains(s.Hard, role) {
			return false
		}
	}
	return true
}

// soften makes a trainer's roles hard and soft as the stage says; slope is that
// of soft gates and cells.
func (s Stage) soften(t *train.Trainer, slope float64) {
	for _, role := range allRoles {
		soft := train.Soft{On: !slices.Contains(s.Hard, role)}
		if role == train.Gate || role == train.Candidate || role == train.Cell {
			soft.Slope = slope
		}
		t.SetSoft(role, soft)
	}
}

// Soft returns the roles of a network that are soft in the stage.
func (s Stage) Soft(t *train.Trainer) (soft []train.Role) {
	for _, role := range allRoles {
		present := slices.ContainsFunc(t.Steps(), func(i train.StepInfo) bool { return i.Role == role })
		if present && !slices.Contains(s.Hard, role) {
			soft = append(soft, role)
		}
	}
	return soft
}

// softKey is the metadata under which a module keeps the roles that are soft in
// the stage that trained it. What is compiled has none.
const softKey = "soft"

func setSoft(m *ir.Module, soft []train.Role) {
	delete(m.Meta, softKey)
	if soft == nil {
		return
	}
	if m.Meta == nil {
		m.Meta = map[string]string{}
	}
	var names []string
	for _, role := range soft {
		names = append(names, role.String())
	}
	m.Meta[softKey] = strings.Join(names, ",")
}

// SoftRoles returns the roles that were soft in the stage that trained a module,
// nil when all were hard: a network with soft roles does not compute yet what
// compiling makes of it.
func SoftRoles(m *ir.Module) []train.Role {
	var soft []train.Role
	for name := range strings.SplitSeq(m.Meta[softKey], ",") {
		if role, err := train.ParseRole(name); err == nil {
			soft = append(soft, role)
		}
	}
	return soft
}

var allRoles = []train.Role{train.Activation, train.Weight, train.CellWeight, train.Select, train.Gate, train.Candidate, train.Cell}

// stages are the ones that can be named, with their defaults.
var stages = []Stage{
	{Name: "float", Steps: 2400, Rate: 3e-3},
	{Name: "activations", Hard: []train.Role{train.Activation, train.Select}, Steps: 2000, Rate: 5e-3, WeightDecay: 1e-5, Distill: 0.7, Shift: 1},
	{Name: "weights", Hard: []train.Role{train.Activation, train.Select, train.Weight}, Steps: 4000, Rate: 1e-2, Distill: 0.7, Shift: 1, Rescale: 0.4},
	{Name: "lstm-weights", Hard: []train.Role{train.Activation, train.Select, train.Weight, train.CellWeight}, Steps: 1000, Rate: 5e-3, Distill: 0.7, Shift: 1, Rescale: 0.4},
	{Name: "lstm", Hard: allRoles, Steps: 2000, Rate: 5e-3, Distill: 0.7, Shift: 1, Rescale: 0.4},
	{Name: "all", Hard: allRoles, Steps: 7300, Rate: 1e-2, Distill: 0.7, Shift: 1, Rescale: 0.4},
}

// Names returns the names of the stages.
func Names() []string {
	var names []string
	for _, s := range stages {
		names = append(names, s.Name)
	}
	return names
}

// Common settings of all stages.
func common(s Stage) Stage {
	s.Optimizer, s.Momentum, s.Schedule, s.Factor = "adam", 0.9, train.Cosine, 0.1
	s.Warmup, s.MaxNorm, s.Temperature, s.Auxiliary, s.Slope = 50, 5, 2, 1, 1
	s.Recalibrate, s.Margin = -1, 0.03
	return s
}

// option is a setting of a stage that its text may change.
type option struct {
	name, doc string
	low, high float64
	whole     bool
	at        func(*Stage) *float64
	count     func(*Stage) *int // in place of at, for whole numbers
}

func (o option) get(s *Stage) float64 {
	if o.whole {
		return float64(*o.count(s))
	}
	return *o.at(s)
}

func (o option) set(s *Stage, v float64) {
	if o.whole {
		*o.count(s) = int(v)
	} else {
		*o.at(s) = v
	}
}

var options = []option{
	{name: "steps", doc: "batches to learn from", low: 0, high: 1 << 30, whole: true, count: func(s *Stage) *int { return &s.Steps }},
	{name: "epochs", doc: "passes over the training clips, in place of steps; 0: steps count", low: 0, high: 1 << 20, at: func(s *Stage) *float64 { return &s.Epochs }},
	{name: "rate", doc: "learning rate at its highest", low: 0, high: 10, at: func(s *Stage) *float64 { return &s.Rate }},
	{name: "warmup", doc: "steps in which the rate rises", low: 0, high: 1 << 30, whole: true, count: func(s *Stage) *int { return &s.Warmup }},
	{name: "every", doc: "schedule step: steps after which the rate falls; 0: a third of the steps", low: 0, high: 1 << 30, whole: true, count: func(s *Stage) *int { return &s.Every }},
	{name: "factor", doc: "schedule step: what the rate falls by", low: 0, high: 1, at: func(s *Stage) *float64 { return &s.Factor }},
	{name: "momentum", doc: "of optimizer sgd", low: 0, high: 1, at: func(s *Stage) *float64 { return &s.Momentum }},
	{name: "decay", doc: "weight decay", low: 0, high: 1, at: func(s *Stage) *float64 { return &s.WeightDecay }},
	{name: "norm", doc: "greatest norm of the gradient; 0: any", low: 0, high: math.MaxFloat32, at: func(s *Stage) *float64 { return &s.MaxNorm }},
	{name: "distill", doc: "share of the teacher in the loss", low: 0, high: 1, at: func(s *Stage) *float64 { return &s.Distill }},
	{name: "temperature", doc: "of the teacher's softmax", low: 0.01, high: 100, at: func(s *Stage) *float64 { return &s.Temperature }},
	{name: "aux", doc: "weight of auxiliary heads", low: 0, high: 100, at: func(s *Stage) *float64 { return &s.Auxiliary }},
	{name: "slope", doc: "of soft gates and cells at the end; it goes there from that of the stage before, 1 at first", low: 0.01, high: 1000, at: func(s *Stage) *float64 { return &s.Slope }},
	{name: "rescale", doc: "mean |w| of latent weights that become signs; 0: as they are", low: 0, high: 1, at: func(s *Stage) *float64 { return &s.Rescale }},
	{name: "shift", doc: "beta falls by this times |gamma| where activations become steps", low: 0, high: 10, at: func(s *Stage) *float64 { return &s.Shift }},
	{name: "recalibrate", doc: "batches over which norms are averaged, before and after; -1: a thirtieth of the steps, at least 10", low: -1, high: 10000, whole: true, count: func(s *Stage) *int { return &s.Recalibrate }},
	{name: "margin", doc: "loss of accuracy that is reported", low: 0, high: 1, at: func(s *Stage) *float64 { return &s.Margin }},
}

// choice is a setting of a stage that is one of some words.
type choice struct {
	name, doc string
	words     []string
	set       func(*Stage, string)
}

var choices = []choice{
	{"schedule", "how the rate falls: constant, linear, cosine (the default) or step", []string{"constant", "linear", "cosine", "step"}, func(s *Stage, w string) {
		s.Schedule, _ = train.ParseDecay(w)
	}},
	{"optimizer", "adam (the default) or sgd", []string{"adam", "sgd"}, func(s *Stage, w string) { s.Optimizer = w }},
}

// optionNames are the names of all settings.
func optionNames() []string {
	var names []string
	for _, x := range options {
		names = append(names, x.name)
	}
	for _, c := range choices {
		names = append(names, c.name)
	}
	return names
}

// Describe lists the stages and their options, for help.
func Describe() string {
	var b strings.Builder
	usual := common(Stage{})
	for _, s := range stages {
		s = common(s)
		var hard []string
		for _, r := range s.Hard {
			hard = append(hard, r.String())
		}
		what := "nothing is hard: the float network"
		if hard != nil {
			what = "hard: " + strings.Join(hard, ", ")
		}
		var settings []string
		for _, o := range options {
			if v := o.get(&s); v != o.get(&usual) {
				settings = append(settings, fmt.Sprintf("%s=%g", o.name, v))
			}
		}
		fmt.Fprintf(&b, "%-13s %s\n%-13s %s\n", s.Name, what, "", strings.Join(settings, ", "))
	}
	for _, o := range options {
		doc := o.doc
		if v := o.get(&usual); v != 0 {
			doc += fmt.Sprintf(" (%g)", v)
		}
		fmt.Fprintf(&b, "  %-11s %s\n", o.name, doc)
	}
	for _, c := range choices {
		fmt.Fprintf(&b, "  %-11s %s\n", c.name, c.doc)
	}
	return b.String()
}

// Parse reads a recipe's text: stages with options, such as
// float{steps=100}, all{rate=0.01}. name stands for it in errors, which are of
// type *spec.Error.
func Parse(name, s string) ([]Stage, error) {
	items, err := spec.Parse(name, "stage{option=value, ...}, stage, ...", s)
	if err != nil {
		return nil, err
	}
	var list []Stage
	for _, it := range items {
		i := slices.IndexFunc(stages, func(s Stage) bool { return s.Name == it.Name })
		if i < 0 {
			return nil, spec.Errorf(it.Pos, "unknown stage %q, expected %s", it.Name, strings.Join(Names(), ", "))
		}
		st := common(stages[i])
		if n := len(list); n > 0 {
			st.Slope = list[n-1].Slope
		}
		for _, o := range it.Options {
			if err := st.set(o); err != nil {
				return nil, err
			}
			st.steps = st.steps || o.Name == "steps"
		}
		if st.steps && st.Epochs > 0 {
			return nil, spec.Errorf(it.Pos, "stage %s has steps and epochs: give one of them", st.Name)
		}
		list = append(list, st)
	}
	return list, nil
}

func (s *Stage) set(o *spec.Option) error {
	word, _ := o.Value.Word() // "" for a list, which no option takes
	if i := slices.IndexFunc(choices, func(c choice) bool { return c.name == o.Name }); i >= 0 {
		c := choices[i]
		if !slices.Contains(c.words, word) {
			return spec.Errorf(o.Value.Pos, "unknown %s %q, expected %s", c.name, o.Value, strings.Join(c.words, ", "))
		}
		c.set(s, word)
		return nil
	}
	i := slices.IndexFunc(options, func(x option) bool { return x.name == o.Name })
	if i < 0 {
		return spec.Errorf(o.Pos, "stage %s has no option %q, it has %s", s.Name, o.Name, strings.Join(optionNames(), ", "))
	}
	x := options[i]
	digits, percent := strings.CutSuffix(word, "%")
	v, err := strconv.ParseFloat(digits, 64)
	if percent {
		v /= 100
	}
	if err != nil || !(v >= x.low && v <= x.high) || x.whole && v != math.Trunc(v) {
		kind := "a number"
		if x.whole {
			kind = "a whole number"
		}
		return spec.Errorf(o.Value.Pos, "%s=%s, expected %s from %g to %g", o.Name, o.Value, kind, x.low, x.high)
	}
	x.set(s, v)
	return nil
}
