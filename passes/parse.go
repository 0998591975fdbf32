package passes

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/alecthomas/participle/v2"
	"github.com/alecthomas/participle/v2/lexer"

	"github.com/billnet/billnet/internal/suggest"
)

// The syntax of a pipeline: passes in order, with options in braces,
//
//	fold-constants, factorize-conv3d{groups=8, error=0.05, layers=[enc.0, enc.1]}, default
//
// A value is a word or, where it has other letters, a string in quotes.

type pipelineText struct {
	Steps []*stepText `parser:"@@ ( ',' @@ )*"`
}

type stepText struct {
	Pos     lexer.Position
	Name    string        `parser:"@Word"`
	Options []*optionText `parser:"( '{' ( @@ ( ',' @@ )* )? '}' )?"`
}

type optionText struct {
	Pos   lexer.Position
	Name  string    `parser:"@Word '='"`
	Value valueText `parser:"@@"`
}

type valueText struct {
	Pos   lexer.Position
	Words []string `parser:"@( Word | String ) | '[' @( Word | String ) ( ',' @( Word | String ) )* ']'"`
}

var pipelineGrammar = participle.MustBuild[pipelineText](
	participle.Lexer(lexer.MustSimple([]lexer.SimpleRule{
		{Name: "Space", Pattern: `\s+`},
		{Name: "String", Pattern: `"(\\.|[^"\\])*"`},
		{Name: "Word", Pattern: `[\pL\pN_./:*%+-]+`},
		{Name: "Punct", Pattern: `[\[\]{}=,]`},
	})),
	participle.Elide("Space"), participle.Unquote("String"), participle.UseLookahead(1))

// Step is one pass of a pipeline with its options.
type Step struct {
	Pass    *Pass
	options map[string]any // values given and defaults
	given   []*optionText
	pos     lexer.Position
}

// String returns the step as the pipeline's text writes it.
func (s Step) String() string {
	if len(s.given) == 0 {
		return s.Pass.Name
	}
	opts := make([]string, len(s.given))
	for i, o := range s.given {
		words := make([]string, len(o.Value.Words))
		for j, w := range o.Value.Words {
			words[j] = w
			if !plainWord(w) {
				words[j] = strconv.Quote(w)
			}
		}
		opts[i] = o.Name + "=" + words[0]
		if len(words) > 1 {
			opts[i] = o.Name + "=[" + strings.Join(words, ",") + "]"
		}
	}
	return s.Pass.Name + "{" + strings.Join(opts, ",") + "}"
}

// plainWord reports whether the grammar reads w as a word without quotes.
func plainWord(w string) bool {
	toks, err := pipelineGrammar.Lex("", strings.NewReader(w))
	return err == nil && len(toks) == 2 && toks[0].Value == w && !strings.HasPrefix(w, `"`)
}

// PipelineError is a mistake in the text of a pipeline.
type PipelineError struct {
	Source    string // where the text comes from, such as a flag
	Line, Col int    // from 1; the column counts letters
	Msg       string
}

func (e *PipelineError) Error() string {
	return fmt.Sprintf("%s:%d:%d: %s", e.Source, e.Line, e.Col, e.Msg)
}

func errorAt(pos lexer.Position, format string, args ...any) error {
	return &PipelineError{pos.Filename, pos.Line, pos.Column, fmt.Sprintf(format, args...)}
}

// defaultName stands for all passes of Pipeline in a text.
const defaultName = "default"

// presetOf returns the passes that a name of a text stands for: "default" or a
// preset. It is nil for every other name.
func presetOf(name string) []string {
	if name == defaultName {
		return Pipeline
	}
	return Preset(name)
}

// presetNames lists the names that presetOf knows.
func presetNames() []string {
	names := []string{defaultName}
	for _, p := range Presets {
		names = append(names, p.Name)
	}
	return names
}

// ParsePipeline reads the text of a pipeline, in which "default" stands for the
// passes of Pipeline and O0, O1 and O2 for those of the presets. Source names it
// in errors, which are of type *PipelineError: what is no pipeline, a pass or option that does
// not exist, an option given twice, a value that is not of the option's kind.
func ParsePipeline(source, text string) ([]Step, error) {
	tree, err := pipelineGrammar.ParseString(source, text)
	if err != nil {
		return nil, pipelineSyntax(err)
	}
	var steps []Step
	for _, t := range tree.Steps {
		if names := presetOf(t.Name); names != nil && len(t.Options) == 0 {
			more, err := Steps(names)
			if err != nil {
				return nil, fmt.Errorf("BUG: preset %s: %w", t.Name, err)
			}
			steps = append(steps, more...)
			continue
		}
		p := Lookup(t.Name)
		if p == nil {
			return nil, errorAt(t.Pos, "unknown pass %q%s; billc passes lists them", t.Name, suggest.Nearest(t.Name, append(passNames(), presetNames()...)))
		}
		s := Step{Pass: p, options: p.defaults(), given: t.Options, pos: t.Pos}
		for i, o := range t.Options {
			if err := s.set(o); err != nil {
				return nil, err
			}
			if slices.ContainsFunc(t.Options[:i], func(b *optionText) bool { return b.Name == o.Name }) {
				return nil, errorAt(o.Pos, "option %s of pass %s is given twice", o.Name, p.Name)
			}
		}
		steps = append(steps, s)
	}
	return steps, nil
}

// Steps returns a pipeline of which every element is written as in
// ParsePipeline.
func Steps(pipeline []string) ([]Step, error) {
	if len(pipeline) == 0 {
		return nil, nil
	}
	return ParsePipeline("pipeline", strings.Join(pipeline, ", "))
}

// Default returns the steps of Pipeline.
func Default() []Step {
	steps, err := Steps(Pipeline)
	if err != nil {
		panic(err)
	}
	return steps
}

// set takes over one option of the text.
func (s *Step) set(o *optionText) error {
	i := slices.IndexFunc(s.Pass.Options, func(d Option) bool { return d.Name == o.Name })
	if i < 0 {
		if len(s.Pass.Options) == 0 {
			return errorAt(o.Pos, "pass %s has no options, found %q", s.Pass.Name, o.Name)
		}
		names := s.Pass.optionNames()
		return errorAt(o.Pos, "pass %s has no option %q%s; its options are %s", s.Pass.Name, o.Name, suggest.Nearest(o.Name, names), strings.Join(names, ", "))
	}
	v, ok := s.Pass.Options[i].parse(o.Value.Words)
	if !ok {
		return errorAt(o.Value.Pos, "option %s of pass %s is %s, found %s", o.Name, s.Pass.Name, s.Pass.Options[i].Wants(), strings.Join(o.Value.Words, ","))
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
	return errorAt(pos, "pass %s: %s", s.Pass.Name, bad)
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

// pipelineSyntax words the parser's errors.
func pipelineSyntax(err error) error {
	var at participle.Error
	if !errors.As(err, &at) {
		return err
	}
	var unexpected *participle.UnexpectedTokenError
	if !errors.As(err, &unexpected) {
		return errorAt(at.Position(), "%s", at.Message())
	}
	found := strconv.Quote(unexpected.Unexpected.Value)
	if unexpected.Unexpected.EOF() {
		found = "the end of the text"
	}
	return errorAt(at.Position(), "found %s; a pipeline is pass{option=value, ...}, pass, ...", found)
}
