package passes

import (
	"errors"
	"slices"
	"strings"

	"github.com/alecthomas/participle/v2/lexer"

	"github.com/billnet/billnet/internal/spec"
	"github.com/billnet/billnet/internal/suggest"
)

// The text of a pipeline is passes in order, with options in braces,
//
//	fold-constants, factorize-conv3d{groups=8, error=0.05, layers=[enc.0, enc.1]}, default
//
// as package spec reads it.

// Step is one pass of a pipeline with its options.
type Step struct {
	Pass    *Pass
	options map[string]any // values given and defaults
	given   []*spec.Option
	pos     lexer.Position
}

// String returns the step as the pipeline's text writes it.
func (s Step) String() string { return spec.Format(s.Pass.Name, s.given) }

// PipelineError is a mistake in the text of a pipeline.
type PipelineError = spec.Error

// Text returns the text of a pipeline, which Parse reads back.
func Text(steps []Step) string { return strings.Join(texts(steps), ", ") }

func texts(steps []Step) []string {
	list := make([]string, len(steps))
	for i, s := range steps {
		list[i] = s.String()
	}
	return list
}

// Parse reads the text of a pipeline, in which the name of a preset stands for its
// passes. Source names the text in errors, which are of type *PipelineError: what
// is no pipeline, a pass or option that does not exist, an option given twice, a
// value that is not of the option's kind.
func (r *Registry) Parse(source, text string) ([]Step, error) {
	items, err := spec.Parse(source, "pass{option=value, ...}, pass, ...", text)
	if err != nil {
		return nil, err
	}
	var steps []Step
	for _, t := range items {
		if preset := r.Preset(t.Name); preset != nil && len(t.Options) == 0 {
			steps = append(steps, preset.Steps()...)
			continue
		}
		p := r.Lookup(t.Name)
		if p == nil {
			return nil, spec.Errorf(t.Pos, "unknown pass %q%s; billc passes lists them", t.Name, suggest.Nearest(t.Name, r.names()))
		}
		s := Step{Pass: p, options: p.defaults(), given: t.Options, pos: t.Pos}
		for _, o := range t.Options {
			if err := s.set(o); err != nil {
				return nil, err
			}
		}
		steps = append(steps, s)
	}
	return steps, nil
}

// Steps returns passes, in order, as steps with the defaults of their options.
func Steps(list ...*Pass) []Step {
	steps := make([]Step, len(list))
	for i, p := range list {
		steps[i] = Step{Pass: p, options: p.defaults(), pos: lexer.Position{Filename: "pipeline", Line: 1, Column: 1}}
	}
	return steps
}

// set takes over one option of the text.
func (s *Step) set(o *spec.Option) error {
	i := slices.IndexFunc(s.Pass.Options, func(d Option) bool { return d.Name == o.Name })
	if i < 0 {
		if len(s.Pass.Options) == 0 {
			return spec.Errorf(o.Pos, "pass %s has no options, found %q", s.Pass.Name, o.Name)
		}
		names := s.Pass.optionNames()
		return spec.Errorf(o.Pos, "pass %s has no option %q%s; its options are %s", s.Pass.Name, o.Name, suggest.Nearest(o.Name, names), strings.Join(names, ", "))
	}
	v, ok := s.Pass.Options[i].parse(o.Value.Words)
	if !ok {
		return spec.Errorf(o.Value.Pos, "option %s of pass %s is %s, found %s", o.Name, s.Pass.Name, s.Pass.Options[i].Wants(), o.Value)
	}
	s.options[o.Name] = v
	return nil
}

// locate gives an error of an option its place in the text.
func (s *Step) locate(err error) error {
	var bad *optionError
	if !errors.As(err, &bad) {
		return failed(s.Pass.Name, err)
	}
	pos := s.pos
	for _, o := range s.given {
		if o.Name == bad.option {
			pos = o.Value.Pos
		}
	}
	return spec.Errorf(pos, "pass %s: %s", s.Pass.Name, bad)
}

func (p *Pass) defaults() map[string]any {
	m := map[string]any{}
	for _, o := range p.Options {
		if o.Default != nil {
			m[o.Name] = o.Default
		}
	}
	return m
}

func (p *Pass) optionNames() []string {
	var names []string
	for _, o := range p.Options {
		names = append(names, o.Name)
	}
	return names
}
