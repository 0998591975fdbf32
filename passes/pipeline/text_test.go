package pipeline_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/passes"
	"github.com/billnet/billnet/passes/pipeline"
)

// conv3D is one convolution of 3x3x3 that has no structure.
func conv3D(t *testing.T) *ir.Module {
	x := &ir.Value{Type: ir.T(ir.F32, 1, 8, 4, 4, 4)}
	f := &ir.Func{Name: "main", Params: []ir.Port{{Name: "x", Value: x}}}
	b := &ir.Builder{F: f, Loc: ir.Loc{Name: "enc.0"}}
	w := ir.NewTensor(ir.T(ir.F32, 8, 8, 3, 3, 3))
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range w.Floats() {
		w.Floats()[i] = float32(rng.NormFloat64())
	}
	f.Results = []ir.Port{{Name: "y", Value: b.Op(ir.Conv, nil, x, b.Const(w))}}
	if b.Err != nil {
		t.Fatal(b.Err)
	}
	return &ir.Module{Name: "conv", Level: ir.Source, Funcs: []*ir.Func{f}}
}

// TestPipelineErrors: every mistake is found at its place in the text.
func TestPipelineErrors(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                                               "test:1:1: found the end of the text",
		"merge-equal,\n  factorise-conv3d":               `test:2:3: unknown pass "factorise-conv3d"; did you mean "factorize-conv3d"`,
		"defaults":                                       `test:1:1: unknown pass "defaults"; did you mean "default"`,
		"factorize-conv3d{group=8}":                      `test:1:18: pass factorize-conv3d has no option "group"; did you mean "groups"`,
		"factorize-conv3d{groups=8,error=2}":             "test:1:33: option error of pass factorize-conv3d is a number between 0 and 1",
		"factorize-conv3d{groups=0}":                     "test:1:25: option groups of pass factorize-conv3d is a whole number from 1",
		"factorize-conv3d{groups=1.5}":                   "test:1:25: option groups",
		"factorize-conv3d{groups=99999999999}":           "test:1:25: option groups",
		"factorize-conv3d{seed=-1}":                      "test:1:23: option seed",
		"factorize-conv3d{params=-5%}":                   "test:1:25: option params",
		"factorize-conv3d{params=NaN%}":                  "test:1:25: option params",
		"factorize-conv3d{error=nan}":                    "test:1:24: option error",
		"factorize-conv3d{mid=[1,2]}":                    "test:1:22: option mid",
		"factorize-conv3d{mid=8,mid=8}":                  "test:1:24: option mid of factorize-conv3d is given twice",
		"factorize-conv3d{mid=12,groups=8}":              "test:1:32: pass factorize-conv3d: option groups: 8 groups do not divide mid=12",
		"merge-equal, factorize-conv3d{mid=12}":          "test:1:14: pass factorize-conv3d: option groups: 8 groups do not divide mid=12",
		"factorize-conv3d{mid=8,groups=auto}":            "test:1:31: pass factorize-conv3d: option groups: with mid=8 every",
		"factorize-conv3d{groups=automatic}":             "test:1:25: option groups of pass factorize-conv3d is a whole number from 1, or auto",
		"factorize-conv3d{weigh=yes}":                    "test:1:24: option weigh of pass factorize-conv3d is on or off",
		"factorize-conv3d{mid=8,error=0.1}":              "test:1:30: pass factorize-conv3d: option error",
		"factorize-conv3d{mid=8,params=10%}":             "test:1:31: pass factorize-conv3d: option params",
		"factorize-conv3d{layers=[enc.1,stem]}":          `test:1:25: pass factorize-conv3d: option layers: no Conv3D is called "enc.1"; did you mean "enc.0"`,
		"factorize-conv3d{layers=[]}":                    `test:1:26: found "]"`,
		"factorize-conv3d{":                              "test:1:18: found the end of the text",
		`factorize-conv3d{layers="a`:                     "test:1:25: ",
		"merge-equal merge-equal":                        `test:1:13: found "merge-equal"`,
		"default{mid=8}":                                 `test:1:1: unknown pass "default"`,
		"merge-equal{x=1}":                               `test:1:13: pass merge-equal has no options, found "x"`,
		"fold-constants{},merge-equal\t, \nmerge-equal,": "test:2:13: found the end of the text",
	} {
		steps, err := pipeline.Registry().Parse("test", text)
		if err == nil {
			_, err = passes.Run(context.Background(), conv3D(t), steps, passes.RunOptions{})
		}
		var at *passes.PipelineError
		if !errors.As(err, &at) || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: error is %v, expected %s", text, err, want)
		}
	}
}

// TestStepText: the text of a step reads back as the same step.
func TestStepText(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"merge-equal", "factorize-conv3d{groups=8,error=5%}", `factorize-conv3d{layers=[enc.0,/a/b:1,"c d","\"x","a,b"]}`, `factorize-conv3d{layers="[a]",params=25%}`,
	} {
		steps, err := pipeline.Registry().Parse("test", " "+text+" ")
		if err != nil {
			t.Fatal(err)
		}
		if got := steps[0].String(); got != text {
			t.Errorf("%s reads back as %s", text, got)
		}
	}
	if steps, err := pipeline.Registry().Parse("test", "fold-constants, default"); err != nil || len(steps) != len(pipeline.Default())+1 {
		t.Errorf("default: %d steps, %v", len(steps), err)
	}
	for _, s := range pipeline.Default() {
		if s.Pass.Class == passes.Lossy {
			t.Errorf("the lossy pass %s is in the default pipeline", s.Pass.Name)
		}
	}
}

func FuzzParsePipeline(f *testing.F) {
	f.Add("factorize-conv3d{groups=8,layers=[a,\"b\"]}, merge-equal")
	f.Fuzz(func(t *testing.T, text string) {
		steps, err := pipeline.Registry().Parse("fuzz", text)
		if err != nil {
			return
		}
		for _, s := range steps {
			again, err := pipeline.Registry().Parse("fuzz", s.String())
			if err != nil || len(again) != 1 || again[0].String() != s.String() {
				t.Errorf("%q: step %s reads back as %v, %v", text, s, again, err)
			}
		}
	})
}
