// Package plain makes texts that come from files harmless to a terminal.
package plain

import (
	"io"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// Text replaces what could move the cursor, begin an escape sequence, hide
// letters or turn their direction around: everything that is no visible letter
// and no space, and line ends too, so that a name cannot forge a line.
//
//go:noinline
func Text(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsGraphic(r) {
			return '?'
		}
		return r
	}, s)
}

// Writer passes a text on, with everything replaced that Text replaces, but for
// line ends and tabs. It remembers the first failure to write. It may be used by
// several goroutines.
type Writer struct {
	To io.Writer

	mu     sync.Mutex
	rest   []byte // the beginning of a letter
	status bool   // a line of Status is shown
	err    error
	closed bool
}

func (w *Writer) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	text := append(w.rest, p...)
	var out []byte
	for len(text) > 0 && utf8.FullRune(text) {
		r, n := utf8.DecodeRune(text)
		if r == utf8.RuneError && n == 1 || !unicode.IsGraphic(r) && r != '\n' && r != '\t' {
			r = '?'
		}
		out = utf8.AppendRune(out, r)
		text = text[n:]
	}
	w.rest = append([]byte(nil), text...)
	if err := w.erase(); err != nil {
		return 0, err
	}
	return len(p), w.write(out)
}

// Raw writes as it is what is no text of a file: data, and the writer's own
// control of a terminal.
func (w *Writer) Raw(p []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.write(p)
}

// Status shows a text on a line of a terminal, in place of the one before. What
// is written next takes its place, and so does "".
func (w *Writer) Status(text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.erase() == nil && text != "" {
		w.status = w.write([]byte(Text(text))) == nil
	}
}

// erase empties the line of Status.
func (w *Writer) erase() error {
	if !w.status {
		return nil
	}
	w.status = false
	return w.write([]byte("\r\x1b[K"))
}

func (w *Writer) write(p []byte) error {
	if w.closed || w.err != nil || len(p) == 0 {
		return w.err
	}
	_, w.err = w.To.Write(p)
	return w.err
}

// Err is the first failure to write.
func (w *Writer) Err() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}

// Close makes the writer drop everything that follows.
func (w *Writer) Close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
}
