package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"unicode"
	"unicode/utf16"

	"golang.org/x/term"

	"github.com/billnet/billnet/internal/atomicfile"
	"github.com/billnet/billnet/internal/plain"
)

// streams are what commands read and print to. What they print is text: names
// from files cannot do anything to a terminal. Data go to out.Raw.
type streams struct {
	in       io.Reader
	out, err *plain.Writer
	progress progress
}

func newStreams(in io.Reader, out, err io.Writer) *streams {
	return &streams{in: in, out: &plain.Writer{To: out}, err: &plain.Writer{To: err}}
}

// failed is the failure to print what was asked for, such as a full disk.
func (s *streams) failed() error {
	if err := s.out.Err(); err != nil {
		return fmt.Errorf("cannot write to standard output: %w", atomicfile.Reason(err))
	}
	return nil
}

// toStandardOutput says that an output named - goes to out.
func toStandardOutput(path string) bool { return path == "-" || path == "/dev/stdout" }

// beside is where a command prints what it has to say beside its output, which
// may be standard output itself.
func (s *streams) beside(out string) io.Writer {
	if toStandardOutput(out) {
		return s.err
	}
	return s.out
}

// terminal is the file of a writer that is a terminal, or nil.
func terminal(w *plain.Writer) *os.File {
	if f, ok := w.To.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return f
	}
	return nil
}

// columns is the width of a terminal, 0 for everything else.
func columns(w io.Writer) int {
	p, ok := w.(*plain.Writer)
	if !ok || terminal(p) == nil {
		return 0
	}
	n, _, err := term.GetSize(int(terminal(p).Fd()))
	if err != nil {
		return 0
	}
	return n
}

// printJSON prints a value. Letters that a terminal might take for something
// else are escaped.
func printJSON(w io.Writer, v any) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return err
	}
	_, err := w.Write(escapeJSON(b.Bytes()))
	return err
}

// escapeJSON writes what is no visible letter as \u escapes: in JSON such letters
// stand in strings only.
func escapeJSON(text []byte) []byte {
	var out []byte
	for _, r := range string(text) {
		switch {
		case r == '\n' || unicode.IsGraphic(r):
			out = append(out, string(r)...)
		case r > 0xffff:
			hi, lo := utf16.EncodeRune(r)
			out = fmt.Appendf(out, `\u%04x\u%04x`, hi, lo)
		default:
			out = fmt.Appendf(out, `\u%04x`, r)
		}
	}
	return out
}
