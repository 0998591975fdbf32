package bill

import (
	"errors"
	"strconv"
	"strings"

	"github.com/alecthomas/participle/v2"
	"github.com/alecthomas/participle/v2/lexer"
)

// The syntax tree. It says what is written and where; what it means is the
// builder's business. No rule contains itself, so the depth of the parser's
// stack does not depend on the text. New kinds of declarations go into item,
// new kinds of statements into statement, new ways to give a constant's
// elements into payload.

type source struct {
	Version scalar  `parser:"'bill' @@"`
	Name    str     `parser:"'module' @@"`
	Level   scalar  `parser:"'level' '=' @@"`
	Items   []*item `parser:"@@*"`
}

type item struct {
	Pos    lexer.Position
	Meta   *meta   `parser:"'meta' @@"`
	Labels *labels `parser:"| 'labels' @@"`
	Data   *data   `parser:"| 'data' @@"`
	Let    *let    `parser:"| 'let' @@"`
	Block  *block  `parser:"| 'block' @@"`
	Func   *fn     `parser:"| 'func' @@"`
}

type meta struct {
	Key   str `parser:"@@"`
	Value str `parser:"@@"`
}

type labels struct {
	Names []*str `parser:"( @@ ( ',' @@ )* )?"`
}

type data struct {
	Name str    `parser:"@@"`
	Size scalar `parser:"'size' '=' @@"`
	CRC  scalar `parser:"'crc32c' '=' @@"`
}

type let struct {
	Name  word `parser:"@@ '='"`
	Value expr `parser:"@@"`
}

type block struct {
	Pos    lexer.Position
	Name   string        `parser:"@Func"`
	Params []*blockParam `parser:"'(' ( @@ ( ',' @@ )* )? ')'"`
	Body   []*statement  `parser:"'{' @@* '}'"`
}

// blockParam is a value, or the name of a number.
type blockParam struct {
	Pos  lexer.Position
	Text string `parser:"@( Value | Ident )"`
}

type fn struct {
	Pos    lexer.Position
	Name   string       `parser:"@Func"`
	Params []*param     `parser:"'(' ( @@ ( ',' @@ )* )? ')'"`
	Body   []*statement `parser:"'{' @@* '}'"`
}

type param struct {
	Value valueName `parser:"@@"`
	Name  str       `parser:"@@"`
	Type  typ       `parser:"':' @@"`
}

type statement struct {
	Pos    lexer.Position
	Node   *node   `parser:"@@"`
	Let    *let    `parser:"| 'let' @@"`
	Repeat *repeat `parser:"| 'repeat' @@"`
	End    bool    `parser:"| @'end'"`
	Return *ret    `parser:"| 'return' @@"`
}

// repeat begins a loop that the next free end closes: loops nest in the
// builder and not in the grammar.
type repeat struct {
	Name word `parser:"@@ '='"`
	From expr `parser:"@@"`
	To   expr `parser:"'to' @@"`
}

type ret struct {
	Ports []*port `parser:"( @@ ( ',' @@ )* )?"`
}

// port is a result. A block's results need no names.
type port struct {
	Value valueName `parser:"@@"`
	Name  *str      `parser:"@@?"`
}

type node struct {
	Results []*valueName `parser:"@@ ( ',' @@ )* '='"`
	Op      opName       `parser:"@@"`
	Args    []*operand   `parser:"( @@ ( ',' @@ )* )?"`
	Payload *payload     `parser:"@@?"`
	Attrs   []*attr      `parser:"( '{' ( @@ ( ',' @@ )* )? '}' )?"`
	Types   []*typ       `parser:"( ':' @@ ( ',' @@ )* )?"`
	Loc     *str         `parser:"( 'loc' '(' @@ ')' )?"`
}

type payload struct {
	Pos    lexer.Position
	List   *list        `parser:"@@"`
	Splat  *expr        `parser:"| 'splat' @@"`
	Offset string       `parser:"| @Offset"`
	Elided bool         `parser:"| @'...'"`
	Init   *initializer `parser:"| @@"`
}

// initializer is how a parameter to be trained begins.
type initializer struct {
	Name string  `parser:"@( 'zeros' | 'ones' | 'he' | 'glorot' | 'normal' | 'uniform' )"`
	Args []*expr `parser:"( '(' ( @@ ( ',' @@ )* )? ')' )?"`
}

type attr struct {
	Name  word   `parser:"@@ '='"`
	List  *exprs `parser:"( @@"`
	Func  string `parser:"| @Func"`
	Value *expr  `parser:"| @@ )"`
}

type exprs struct {
	Elems []*expr `parser:"'[' ( @@ ( ',' @@ )* )? ']'"`
}

// expr is a scalar, or arithmetic on numbers and their names. It has no
// parentheses: * and / bind before + and -.
type expr struct {
	Pos  lexer.Position
	Text string  `parser:"@( Number | Ident | String )"`
	Rest []*term `parser:"@@*"`
}

// term is an operator and what follows it. A number that carries its sign needs
// no operator: width-1 is width and -1.
type term struct {
	Pos  lexer.Position
	Op   string `parser:"( @( '*' | '/' | '+' | '-' )"`
	Text string `parser:"  @( Number | Ident ) )"`
	Sum  string `parser:"| @Number"`
}

type list struct {
	Elems []*scalar `parser:"'[' ( @@ ( ',' @@ )* )? ']'"`
}

type typ struct {
	Pos    lexer.Position
	DType  string  `parser:"@Ident"`
	Dims   []*expr `parser:"'[' ( @@ ( ',' @@ )* )? ']'"`
	Layout *layout `parser:"@@?"`
}

type layout struct {
	Halo  []*expr `parser:"'{' 'halo' '=' @@ ',' @@ ',' @@"`
	Phase []*expr `parser:"( 'phase' '=' @@ ',' @@ ',' @@ )? '}'"`
}

// scalar is a number, a word or a string as it is written.
type scalar struct {
	Pos  lexer.Position
	Text string `parser:"@( Number | Ident | String )"`
}

type word struct {
	Pos  lexer.Position
	Text string `parser:"@Ident"`
}

// opName is an operation, or a block that is called.
type opName struct {
	Pos  lexer.Position
	Text string `parser:"@( Ident | Func )"`
}

type valueName struct {
	Pos  lexer.Position
	Text string `parser:"@Value"`
}

// operand is a value, or _ for an optional one that is left out.
type operand struct {
	Pos  lexer.Position
	Text string `parser:"@( Value | '_' )"`
}

type str struct {
	Pos  lexer.Position
	Text string `parser:"@String"`
}

// value returns what the string means; the lexer has checked its escapes.
func (s *str) value() string { return unquote(s.Text) }

func unquote(s string) string {
	v, _ := strconv.Unquote(s)
	return v
}

// The grammar is LL(1): with no lookahead to fall back from, an error stands
// where the text goes wrong and not where the rule began.
var grammar = participle.MustBuild[source](participle.Lexer(&scanner{}), participle.UseLookahead(0))

// syntaxError words the parser's and the lexer's errors as all others are. src
// is what was parsed up to there.
func syntaxError(src *source, err error) error {
	var unexpected *participle.UnexpectedTokenError
	if errors.As(err, &unexpected) {
		found := shorten(unexpected.Unexpected.Value)
		if unexpected.Unexpected.EOF() {
			found = "the end of the text"
		}
		_, want, _ := strings.Cut(unexpected.Message(), " (expected ")
		want = strings.TrimSuffix(want, ")")
		if src == nil || src.Version.Text == "" && want == "" {
			want = "source"
		}
		return errorAt(unexpected.Position(), "found %s, expected %s", found, describe(want))
	}
	var at participle.Error
	if errors.As(err, &at) {
		if strings.HasPrefix(at.Message(), "too many iterations") {
			return errorAt(at.Position(), "a list of more than %d elements; large constants belong in the side file", participle.MaxIterations)
		}
		return errorAt(at.Position(), "%s", at.Message())
	}
	return err
}

// describe turns what the grammar expects into words: the first token of the
// rule that would have fit. A rule that is empty is that of the whole text.
func describe(rule string) string {
	first, _, _ := strings.Cut(strings.TrimLeft(rule, "("), " ")
	first = strings.ToLower(strings.Trim(first, "<>*+?()"))
	if words, ok := inWords[first]; ok {
		return words
	}
	return first
}

var inWords = map[string]string{
	"":          "meta, labels, data, let, block or func",
	"source":    `a text that begins with "bill 1"`,
	"ident":     "a name",
	"word":      "a name",
	"value":     "a value such as %0",
	"valuename": "a value such as %0",
	"operand":   "a value such as %0, or _ for one left out",
	"port":      `a value and its name, such as %1 "y"`,
	"param":     `a parameter such as %0 "x": f32[1,3]`,
	"node":      "a statement such as %1 = add %0, %0 : f32[1]",
	"fn":        "a function's name such as @main",
	"func":      "a function's name such as @main",
	"data":      "the side file's name in quotes",
	"string":    "a string in quotes",
	"str":       "a string in quotes",
	"number":    "a number, a word or a string",
	"scalar":    "a number, a word or a string",
	"list":      "a number, a word, a string or a list in [ ]",
	"exprs":     "a number, a word, a string or a list in [ ]",
	"expr":      "a number, a word or a string",
	"let":       "a name and its number, such as width = 32",
	"repeat":    "a loop's number, such as repeat i = 0 to 7",
	"opname":    "an operation's name, or a block's such as @cf",
	"block":     "a block's name such as @cf",
	"attr":      "an attribute such as axis=1",
	"typ":       "a type such as f32[1,3]",
	`")"`:       `"," or ")"`,
	`"]"`:       `"," or "]"`,
	`":"`:       `":" and a type such as f32[1,3]`,
	`"}"`:       `"}", or a statement such as %1 = add %0, %0 : f32[1] or return %1 "y"`,
	`"{"`:       `"{" and the function's statements`,
	`"["`:       `"[" and numbers, such as [1,3]`,
}
