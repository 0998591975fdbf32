// Package spec reads the text in which flags name things with options: passes of
// a pipeline, stages of a training run, sets of data. Its syntax is
//
//	name, name{option=value, option=[value, value]}, name
//
// where names and values are words of letters, digits and _ . / : * % + -, and a
// value with other letters is a string in quotes, as Go writes it. What the names
// and options mean is the caller's.
package spec

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/alecthomas/participle/v2"
	"github.com/alecthomas/participle/v2/lexer"
)

// Item is a name with its options, in the order of the text. No option is there
// twice.
type Item struct {
	Pos     lexer.Position
	Name    string    `parser:"@Word"`
	Options []*Option `parser:"( '{' ( @@ ( ',' @@ )* )? '}' )?"`
}

// Option is a name with its value.
type Option struct {
	Pos   lexer.Position
	Name  string `parser:"@Word '='"`
	Value Value  `parser:"@@"`
}

// Value is a word, or a list of at least one.
type Value struct {
	Pos   lexer.Position
	Words []string `parser:"@( Word | String ) | '[' @( Word | String ) ( ',' @( Word | String ) )* ']'"`
}

// String is the value as messages show it.
func (v Value) String() string { return strings.Join(v.Words, ",") }

// Word is the value when it is one word.
func (v Value) Word() (word string, ok bool) {
	if len(v.Words) != 1 {
		return "", false
	}
	return v.Words[0], true
}

// Error is a mistake in a text.
type Error struct {
	Source    string // where the text comes from, such as a flag
	Line, Col int    // from 1; the column counts letters
	Msg       string
}

func (e *Error) Error() string { return fmt.Sprintf("%s:%d:%d: %s", e.Source, e.Line, e.Col, e.Msg) }

// Errorf is a mistake at a place of a text.
func Errorf(pos lexer.Position, format string, args ...any) error {
	return &Error{pos.Filename, pos.Line, pos.Column, fmt.Sprintf(format, args...)}
}

// list is a text of items; braces is the options of one.
type (
	list struct {
		Items []*Item `parser:"@@ ( ',' @@ )*"`
	}
	braces struct {
		Options []*Option `parser:"'{' ( @@ ( ',' @@ )* )? '}'"`
	}
)

var (
	lists = build[list]()
	sets  = build[braces]()
)

func build[T any]() *participle.Parser[T] {
	return participle.MustBuild[T](
		participle.Lexer(lexer.MustSimple([]lexer.SimpleRule{
			{Name: "Space", Pattern: `\s+`},
			{Name: "String", Pattern: `"(\\.|[^"\\])*"`},
			{Name: "Word", Pattern: `[\pL\pN_./:*%+-]+`},
			{Name: "Punct", Pattern: `[\[\]{}=,]`},
		})),
		participle.Elide("Space"), participle.Unquote("String"), participle.UseLookahead(1))
}

// Parse reads a text of at least one item. Source names the text in errors, which
// are of type *Error, and expected is its form in words, for what is no such
// text.
func Parse(source, expected, text string) ([]*Item, error) {
	tree, err := lists.ParseString(source, text)
	if err != nil {
		return nil, syntax(err, expected)
	}
	for _, it := range tree.Items {
		if err := twice(it.Name, it.Options); err != nil {
			return nil, err
		}
	}
	return tree.Items, nil
}

// ParseOne reads a text of one item whose name may be any text without a brace,
// such as the path of a folder. The name is "" when there is none.
func ParseOne(source, expected, text string) (*Item, error) {
	name, options, found := strings.Cut(text, "{")
	it := &Item{Pos: lexer.Position{Filename: source, Line: 1, Column: 1}, Name: strings.TrimSpace(name)}
	if !found {
		return it, nil
	}
	// Spaces in place of the name leave every position as it is in the text.
	tree, err := sets.ParseString(source, strings.Repeat(" ", utf8.RuneCountInString(name))+"{"+options)
	if err != nil {
		return nil, syntax(err, expected)
	}
	it.Options = tree.Options
	return it, twice(it.Name, it.Options)
}

// twice reports an option that is there twice.
func twice(item string, options []*Option) error {
	seen := map[string]bool{}
	for _, o := range options {
		if seen[o.Name] {
			return Errorf(o.Pos, "option %s of %s is given twice", o.Name, item)
		}
		seen[o.Name] = true
	}
	return nil
}

// syntax words the parser's errors.
func syntax(err error, expected string) error {
	var at participle.Error
	if !errors.As(err, &at) {
		return err
	}
	var unexpected *participle.UnexpectedTokenError
	if !errors.As(err, &unexpected) {
		return Errorf(at.Position(), "%s; expected %s", at.Message(), expected)
	}
	found := strconv.Quote(unexpected.Unexpected.Value)
	if unexpected.Unexpected.EOF() {
		found = "the end of the text"
	}
	return Errorf(at.Position(), "found %s; expected %s", found, expected)
}

// Format writes an item as Parse reads it.
func Format(name string, options []*Option) string {
	if len(options) == 0 {
		return name
	}
	list := make([]string, len(options))
	for i, o := range options {
		words := make([]string, len(o.Value.Words))
		for j, w := range o.Value.Words {
			words[j] = w
			if !plain(w) {
				words[j] = strconv.Quote(w)
			}
		}
		list[i] = o.Name + "=" + words[0]
		if len(words) > 1 {
			list[i] = o.Name + "=[" + strings.Join(words, ",") + "]"
		}
	}
	return name + "{" + strings.Join(list, ",") + "}"
}

// plain reports whether the grammar reads w as a word without quotes.
func plain(w string) bool {
	toks, err := lists.Lex("", strings.NewReader(w))
	return err == nil && len(toks) == 2 && toks[0].Type == lists.Lexer().Symbols()["Word"] && toks[0].Value == w
}
