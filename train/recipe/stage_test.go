package recipe

import (
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/billnet/billnet/train"
	"github.com/billnet/billnet/train/data"
)

// TestParse: every option is read, and those left out have their defaults.
func TestParse(t *testing.T) {
	list := parse(t, "float{steps=10, rate=1e-3, warmup=2, decay=0.1, norm=1, distill=50%, temperature=3, aux=0.5, slope=4, recalibrate=3, margin=1%, schedule=step, every=7, factor=0.5, optimizer=sgd, momentum=0.8},\n all{rescale=0, shift=0.5}, lstm-weights{}")
	if len(list) != 3 {
		t.Fatalf("%d stages, expected 3", len(list))
	}
	want := Stage{Name: "float", Steps: 10, Optimizer: "sgd", Momentum: 0.8, Schedule: train.Stairs, Every: 7, Factor: 0.5, Rate: 1e-3, Warmup: 2, WeightDecay: 0.1, MaxNorm: 1, Distill: 0.5, Temperature: 3, Auxiliary: 0.5, Slope: 4, Recalibrate: 3, Margin: 0.01}
	if got := list[0]; got.Hard != nil || !equal(got, want) {
		t.Errorf("the first stage is %+v, expected %+v", got, want)
	}
	want = common(stages[len(stages)-1])
	want.Rescale, want.Shift, want.Slope = 0, 0.5, 4
	if got := list[1]; !equal(got, want) {
		t.Errorf("the second stage is %+v, expected %+v", got, want)
	}
	if got := list[2]; got.Name != "lstm-weights" || got.Steps != 1000 {
		t.Errorf("the third stage is %+v", got)
	}
}

func equal(a, b Stage) bool {
	for _, o := range options {
		if o.get(&a) != o.get(&b) {
			return false
		}
	}
	return a.Name == b.Name && a.Schedule == b.Schedule && a.Optimizer == b.Optimizer && len(a.Hard) == len(b.Hard)
}

// TestParseErrors: errors say where and what was expected.
func TestParseErrors(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"flaot", `stages:1:1: unknown stage "flaot", expected float, activations, weights, lstm-weights, lstm, all`},
		{"float,\n  al{steps=3}", `stages:2:3: unknown stage "al"`},
		{"float{step=3}", `stages:1:7: stage float has no option "step", it has steps, epochs, rate`},
		{"float{steps=3.5}", "stages:1:13: steps=3.5, expected a whole number from 0"},
		{"float{steps=-1}", "stages:1:13: steps=-1, expected"},
		{"float{rate=fast}", "stages:1:12: rate=fast, expected a number from 0 to 10"},
		{"float{rate=11}", "stages:1:12: rate=11, expected"},
		{"all{distill=1.2.3}", "stages:1:13: distill=1.2.3, expected a number from 0 to 1"},
		{"all{schedule=stairs}", `stages:1:14: unknown schedule "stairs", expected constant, linear, cosine, step`},
		{"all{optimizer=lion}", `stages:1:15: unknown optimizer "lion", expected adam, sgd`},
		{"float, all{steps=3, epochs=2}", "stages:1:8: stage all has steps and epochs"},
		{"all{", "stages:1:5:"},
		{"all{steps=3", "stages:1:12:"},
		{"all{rate=[1,2]}", "stages:1:10: rate=1,2, expected a number"},
		{"all{rate=1,rate=2}", "stages:1:12: option rate of all is given twice"},
		{"", "stages:1:1:"},
		{"float,,all", "stages:1:7:"},
		{"float;all", "stages:1:6:"},
	} {
		_, err := Parse("stages", c.text)
		if err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%q: the error is %v, expected %s...", c.text, err, c.want)
		}
	}
}

// TestDescribe: the description names every stage and option.
func TestDescribe(t *testing.T) {
	text := Describe()
	for _, name := range Names() {
		if !strings.Contains(text, "\n"+name+" ") && !strings.HasPrefix(text, name+" ") {
			t.Errorf("stage %s is not described", name)
		}
	}
	for _, name := range optionNames() {
		if !strings.Contains(text, "\n  "+name+" ") {
			t.Errorf("option %s is not described", name)
		}
	}
	for _, part := range []string{"steps=2400, rate=0.003", "rescale=0.4", "cosine (the default)"} {
		if !strings.Contains(text, part) {
			t.Errorf("the description lacks %q", part)
		}
	}
}

// FuzzParse: whatever the text, there are stages within their bounds or an error.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"float,all", "all{steps=3, rate=1%}", "float{", "lstm-weights{slope=1e400}"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		list, err := Parse("stages", s)
		if err == nil && len(list) == 0 {
			t.Errorf("%q: no stages and no error", s)
		}
		for _, st := range list {
			for _, o := range options {
				if v := o.get(&st); !(v >= o.low && v <= o.high) {
					t.Errorf("%q: %s is %v", s, o.name, v)
				}
			}
		}
	})
}

// TestEpochs: epochs become steps where the clips end, for the stages that say
// nothing else.
func TestEpochs(t *testing.T) {
	list := parse(t, "float, activations{epochs=2}, all{steps=7}")
	SetEpochs(list, 0.5)
	for i, want := range []int{13, 50, 7} {
		if err := list[i].length(100, 4); err != nil || list[i].Steps != want {
			t.Errorf("stage %s has %d steps (%v), expected %d", list[i].Name, list[i].Steps, err, want)
		}
	}
	if err := list[0].length(data.Endless, 4); err == nil || !strings.Contains(err.Error(), "stage float: epochs=0.5") {
		t.Errorf("epochs of endless clips: %v", err)
	}
}

// TestSchedule: a stage's rate falls in stairs where it says so, by thirds if it
// does not say how often.
func TestSchedule(t *testing.T) {
	list := parse(t, "all{steps=30, warmup=0, rate=1, schedule=step}, all{steps=30, warmup=0, rate=1, schedule=step, every=5, factor=0.5}")
	for i, want := range [][]float64{{1, 1, 0.1, 0.01}, {1, 0.5, 0.25, 0.03125}} {
		s := list[i].schedule()
		for k, at := range []int{0, 9, 10, 29} {
			if got := s.At(at); math.Abs(got-want[k]) > 1e-12 {
				t.Errorf("recipe %d: the rate of step %d is %v, expected %v", i, at, got, want[k])
			}
		}
	}
}

// TestDocumentation: docs/training.md gives the stages' and options' defaults.
func TestDocumentation(t *testing.T) {
	text, err := os.ReadFile("../../docs/training.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string][]string{}
	for line := range strings.Lines(string(text)) {
		if cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|"); strings.HasPrefix(line, "| `") {
			for i := range cells {
				cells[i] = strings.Trim(strings.TrimSpace(cells[i]), "`")
			}
			rows[cells[0]] = cells[1:]
		}
	}
	for _, s := range stages {
		if row := rows[s.Name]; len(row) < 3 || row[1] != fmt.Sprint(s.Steps) || row[2] != fmt.Sprint(s.Rate) {
			t.Errorf("stage %s: the table says %q, its defaults are %d steps and rate %g", s.Name, row, s.Steps, s.Rate)
		}
	}
	usual := common(Stage{})
	for _, o := range options {
		row := rows[o.name]
		want := strconv.FormatFloat(o.get(&usual), 'g', -1, 64)
		switch o.name {
		case "steps", "rate":
			want = "see above"
		case "distill", "rescale", "shift": // stages have their own
			want = strconv.FormatFloat(o.get(&stages[len(stages)-1]), 'g', -1, 64)
		case "margin":
			want = fmt.Sprintf("%g%%", 100*o.get(&usual))
		}
		if len(row) < 2 || !strings.HasPrefix(row[0], want) {
			t.Errorf("option %s: the table says %q, its default is %s", o.name, row, want)
		}
	}
}

// TestAveraged: norms are averaged over a thirtieth of the steps, over ten batches at
// least, or over as many as the text says.
func TestAveraged(t *testing.T) {
	for text, want := range map[string]int{"all": 243, "float": 80, "float{steps=100}": 10, "all{recalibrate=7}": 7, "all{recalibrate=0}": 0} {
		if got := parse(t, text)[0].averaged(); got != want {
			t.Errorf("%s: norms are averaged over %d batches, expected %d", text, got, want)
		}
	}
}
