package runner

import (
	"bytes"
	"fmt"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// jsonReader reads JSON whose structure is known: the caller asks for what has
// to come next. The first fault ends it; everything after gives that error and
// no values.
type jsonReader struct {
	text []byte
	pos  int
	err  error
}

// failf keeps the first error, with the line.
func (r *jsonReader) failf(format string, args ...any) {
	if r.err == nil {
		line := 1 + bytes.Count(r.text[:r.pos], []byte("\n"))
		r.err = errorf("line %d: %s", line, fmt.Sprintf(format, args...))
	}
}

// peek is the next byte that is no white space, 0 at the end and after an error.
func (r *jsonReader) peek() byte {
	for r.err == nil && r.pos < len(r.text) {
		switch c := r.text[r.pos]; c {
		case ' ', '\t', '\r', '\n':
			r.pos++
		default:
			return c
		}
	}
	return 0
}

// next reads the byte c if it is next.
func (r *jsonReader) next(c byte) bool {
	if r.peek() != c {
		return false
	}
	r.pos++
	return true
}

// want reads the byte c, which must be next.
func (r *jsonReader) want(c byte) {
	if r.next(c) {
		return
	}
	if r.peek() == 0 {
		r.failf("expected %q, the text ends", c)
	} else {
		r.failf("expected %q, got %q", c, r.peek())
	}
}

// list reads what item reads, any number of times with commas between.
func (r *jsonReader) list(open, end byte, item func()) {
	r.want(open)
	if r.next(end) {
		return
	}
	for r.err == nil {
		item()
		if !r.next(',') {
			r.want(end)
			return
		}
	}
}

// array reads an array, its elements by item.
func (r *jsonReader) array(item func()) { r.list('[', ']', item) }

// object reads an object, the values of its members by value.
func (r *jsonReader) object(value func(name string)) {
	r.list('{', '}', func() {
		name := r.string()
		r.want(':')
		value(name)
	})
}

// end wants nothing but white space.
func (r *jsonReader) end() {
	if c := r.peek(); c != 0 || r.pos < len(r.text) {
		r.failf("expected the end of the text, got %q", c)
	}
}

// number reads a number and returns its text, which may still be none for
// package strconv.
func (r *jsonReader) number() string {
	r.peek()
	start := r.pos
	for r.err == nil && r.pos < len(r.text) && bytes.IndexByte([]byte("+-.0123456789eE"), r.text[r.pos]) >= 0 {
		r.pos++
	}
	if start == r.pos {
		r.failf("expected a number")
	}
	return string(r.text[start:r.pos])
}

// int reads a whole number.
func (r *jsonReader) int() int {
	text := r.number()
	n, err := strconv.Atoi(text)
	if err != nil {
		r.failf("expected a whole number, got %s", text)
	}
	return n
}

// string reads a string.
func (r *jsonReader) string() string {
	r.want('"')
	var b []byte
	for r.err == nil {
		if r.pos == len(r.text) {
			r.failf("the text ends within a string")
			break
		}
		c := r.text[r.pos]
		r.pos++
		switch {
		case c == '"':
			return string(b)
		case c < ' ':
			r.failf("control character %q in a string", c)
		case c == '\\':
			b = utf8.AppendRune(b, r.escaped())
		default:
			b = append(b, c)
		}
	}
	return ""
}

// escaped reads what follows a backslash.
func (r *jsonReader) escaped() rune {
	if r.pos == len(r.text) {
		return 0 // the string does not end either
	}
	c := r.text[r.pos]
	r.pos++
	if i := bytes.IndexByte([]byte(`"\/bfnrt`), c); i >= 0 {
		return rune("\"\\/\b\f\n\r\t"[i])
	}
	if c != 'u' {
		r.failf("unknown escape \\%c in a string", c)
		return 0
	}
	u := r.hex()
	if utf16.IsSurrogate(u) && bytes.HasPrefix(r.text[r.pos:], []byte(`\u`)) {
		r.pos += 2
		u = utf16.DecodeRune(u, r.hex())
	}
	return u // half a pair alone becomes U+FFFD when it is encoded
}

// hex reads four hexadecimal digits.
func (r *jsonReader) hex() rune {
	digits := r.text[r.pos:min(r.pos+4, len(r.text))]
	n, err := strconv.ParseUint(string(digits), 16, 16)
	if err != nil || len(digits) < 4 {
		r.failf("expected four hexadecimal digits after \\u")
		return 0
	}
	r.pos += 4
	return rune(n)
}
