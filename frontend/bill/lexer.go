package bill

import (
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/alecthomas/participle/v2"
	"github.com/alecthomas/participle/v2/lexer"
)

// The kinds of tokens. Punctuation is one kind: the grammar names it literally.
const (
	tokIdent  lexer.TokenType = iota + 1 // add, level, nan
	tokValue                             // %0, %gate
	tokFunc                              // @main
	tokOffset                            // @4096
	tokNumber                            // 1, -2.5e-3, -inf
	tokString                            // "enc.0", with its quotes
	tokPunct                             // one of = , : ( ) [ ] { } * / + - ...
)

// scanner is participle's lexer definition and, once given a text, its lexer.
// A token takes many times its text in memory, so their number is bounded too.
type scanner struct {
	text   string
	pos    lexer.Position
	tokens int
}

func (*scanner) Symbols() map[string]lexer.TokenType {
	return map[string]lexer.TokenType{
		"EOF": lexer.EOF, "Ident": tokIdent, "Value": tokValue, "Func": tokFunc,
		"Offset": tokOffset, "Number": tokNumber, "String": tokString, "Punct": tokPunct,
	}
}

func (s *scanner) Lex(name string, r io.Reader) (lexer.Lexer, error) {
	text, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	return s.LexBytes(name, text)
}

func (*scanner) LexBytes(name string, text []byte) (lexer.Lexer, error) {
	return &scanner{text: string(text), pos: lexer.Position{Filename: name, Line: 1, Column: 1}}, nil
}

// Next returns the next token.
func (s *scanner) Next() (lexer.Token, error) {
	s.skipSpace()
	rest := s.text[s.pos.Offset:]
	if rest == "" {
		return lexer.EOFToken(s.pos), nil
	}
	if s.tokens++; s.tokens > MaxTokens {
		return lexer.Token{}, participle.Errorf(s.pos, "the text has more than %d tokens; large constants belong in the side file", MaxTokens)
	}
	kind, n, problem := scan(rest)
	if problem != "" {
		return lexer.Token{}, participle.Errorf(s.pos, "%s", problem)
	}
	t := lexer.Token{Type: kind, Value: rest[:n], Pos: s.pos}
	s.pos.Offset += n
	s.pos.Column += utf8.RuneCountInString(t.Value) // no token spans lines
	return t, nil
}

// skipSpace moves past white space and comments.
func (s *scanner) skipSpace() {
	for s.pos.Offset < len(s.text) {
		rest := s.text[s.pos.Offset:]
		n := 1
		switch {
		case rest[0] == '\n':
			s.pos.Line++
			s.pos.Column = 0
		case rest[0] == ' ' || rest[0] == '\t' || rest[0] == '\r':
		case strings.HasPrefix(rest, "//"):
			if n = strings.IndexByte(rest, '\n'); n < 0 {
				n = len(rest)
			}
		default:
			return
		}
		s.pos.Offset += n
		s.pos.Column += n
	}
}

// scan returns the kind and length of the token at the beginning of s, or what
// is wrong with it.
func scan(s string) (kind lexer.TokenType, n int, problem string) {
	switch c := s[0]; {
	case isLetter(c):
		return tokIdent, 1 + span(s[1:], isWord), ""
	case strings.HasPrefix(s, "..."):
		return tokPunct, 3, ""
	case strings.IndexByte("=,:()[]{}*/", c) >= 0 || (c == '+' || c == '-') && !signs(s[1:]):
		return tokPunct, 1, ""
	case c == '%':
		if n := span(s[1:], isName); n > 0 {
			return tokValue, 1 + n, ""
		}
		return 0, 0, "a value's name is missing after %; write % and digits or an identifier, such as %12"
	case c == '@':
		if n := span(s[1:], isDigit); n > 0 {
			return tokOffset, 1 + n, ""
		}
		if n := span(s[1:], isName); n > 0 && isLetter(s[1]) {
			return tokFunc, 1 + n, ""
		}
		return 0, 0, "@ stands before a function's name (@main) or an offset into the side file (@4096)"
	case c == '"':
		return scanString(s)
	case isDigit(c) || c == '-' || c == '+':
		return scanNumber(s)
	}
	r, size := utf8.DecodeRuneInString(s)
	if r == utf8.RuneError && size == 1 {
		return 0, 0, "the text is not UTF-8: found byte 0x" + strconv.FormatUint(uint64(s[0]), 16)
	}
	return 0, 0, "found " + strconv.QuoteRune(r) + ", which begins nothing in a text"
}

// signs reports whether a sign before s is part of a number.
func signs(s string) bool { return s != "" && isDigit(s[0]) || strings.HasPrefix(s, "inf") }

func scanString(s string) (lexer.TokenType, int, string) {
	for i := 1; i < len(s) && s[i] != '\n'; i++ {
		switch s[i] {
		case '\\':
			i++
			if i < len(s) && s[i] == '\n' {
				return 0, 0, "a string does not end on its line; write \\n for a line end in it"
			}
		case '"':
			if _, err := strconv.Unquote(s[:i+1]); err != nil || !utf8.ValidString(s[:i+1]) {
				return 0, 0, "the string " + shorten(s[:i+1]) + " has an escape that Go does not know, or is not UTF-8; write \\\\ for a backslash"
			}
			return tokString, i + 1, ""
		}
	}
	return 0, 0, "a string does not end on its line; close it with \""
}

// scanNumber accepts what strconv writes in base 10: a sign, digits, a fraction
// and an exponent, and the infinities with a sign.
func scanNumber(s string) (lexer.TokenType, int, string) {
	n := 0
	if s[0] == '-' || s[0] == '+' {
		n = 1
	}
	switch {
	case strings.HasPrefix(s[n:], "inf"):
		n += len("inf")
	default:
		n += span(s[n:], isDigit)
		if n < len(s) && s[n] == '.' {
			n += 1 + span(s[n+1:], isDigit)
		}
		if n < len(s) && (s[n] == 'e' || s[n] == 'E') {
			n++
			if n < len(s) && (s[n] == '-' || s[n] == '+') {
				n++
			}
			exp := span(s[n:], isDigit)
			if exp == 0 {
				return 0, 0, "the number " + shorten(s[:n]) + " has no exponent after its e"
			}
			n += exp
		}
	}
	if n < len(s) && isName(s[n]) {
		return 0, 0, "the number " + shorten(s[:n]) + " runs into " + strconv.QuoteRune(rune(s[n])) + "; numbers are decimal"
	}
	return tokNumber, n, ""
}

func isDigit(c byte) bool  { return c >= '0' && c <= '9' }
func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' || c == '_' }
func isWord(c byte) bool   { return isLetter(c) || isDigit(c) }
func isName(c byte) bool   { return isWord(c) || c == '.' }

// span counts the bytes at the beginning of s that belong to a class.
func span(s string, class func(byte) bool) int {
	for i := range len(s) {
		if !class(s[i]) {
			return i
		}
	}
	return len(s)
}

// shorten cuts what a message quotes from the text.
func shorten(s string) string {
	const most = 60
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "..."
}
