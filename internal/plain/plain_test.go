package plain

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
)

func TestText(t *testing.T) {
	for in, want := range map[string]string{
		"conv 1": "conv 1", "a\x1b[2J\nb": "a?[2J?b", "größe 時": "größe 時", "\u202egnp": "?gnp", "\x7f\u009b2J\xff": "??2J\ufffd", "a\u00a0b": "a\u00a0b", "z\u200bw": "z?w",
	} {
		if got := Text(in); got != want {
			t.Errorf("%q becomes %q, want %q", in, got, want)
		}
	}
}

// A text may arrive in pieces that cut letters.
func TestWriter(t *testing.T) {
	text := "ö\x1b[1mé\t時\n\u202e\xff."
	const want = "ö?[1mé\t時\n??."
	for size := 1; size <= len(text); size++ {
		var b bytes.Buffer
		w := &Writer{To: &b}
		for i := 0; i < len(text); i += size {
			fmt.Fprint(w, text[i:min(len(text), i+size)])
		}
		if got := b.String(); got != want {
			t.Errorf("in pieces of %d: %q, want %q", size, got, want)
		}
	}
	var b bytes.Buffer
	w := &Writer{To: &b}
	w.Raw([]byte("\x1b[m\x00"))
	w.Close()
	fmt.Fprint(w, "late")
	if got := b.String(); got != "\x1b[m\x00" {
		t.Errorf("raw: %q", got)
	}
}

type full struct{ n int }

func (f *full) Write([]byte) (int, error) {
	f.n++
	return 0, errors.New("no space left on device")
}

func TestWriterFails(t *testing.T) {
	f := &full{}
	w := &Writer{To: f}
	fmt.Fprint(w, "a")
	fmt.Fprint(w, "b")
	if w.Err() == nil || f.n != 1 {
		t.Errorf("error %v after %d tries", w.Err(), f.n)
	}
}
