package runtime

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/billnet/billnet/runtime/billb"
)

// TestErrorKinds checks that what loading refuses is told apart.
func TestErrorKinds(t *testing.T) {
	file := encode(t, &smallNet().img)
	changed := func(f func(file []byte) []byte) []byte { return f(bytes.Clone(file)) }
	sealed := func(f func(img *billb.Image)) []byte {
		b := smallNet()
		f(&b.img)
		return encode(t, &b.img)
	}
	for _, c := range []struct {
		what string
		file []byte
		kind error
	}{
		{"nothing", nil, ErrNotModel},
		{"a text", []byte("model: billnet, a text of some length"), ErrNotModel},
		{"another magic", changed(func(f []byte) []byte { f[1]++; return f }), ErrNotModel},
		{"the first bytes", file[:5], ErrTruncated},
		{"the magic alone", file[:8], ErrTruncated},
		{"half a header", file[:20], ErrTruncated},
		{"a header alone", file[:billb.HeaderSize], ErrTruncated},
		{"half a file", file[:len(file)/2], ErrTruncated},
		{"all but one byte", file[:len(file)-1], ErrTruncated},
		{"a byte more", append(bytes.Clone(file), 0), ErrFormat},
		{"a flipped bit", changed(func(f []byte) []byte { f[len(f)/2] ^= 1; return f }), ErrChecksum},
		{"another checksum", changed(func(f []byte) []byte { f[12]++; return f }), ErrChecksum},
		{"version 5", changed(func(f []byte) []byte { f[8] = 5; return f }), ErrVersion},
		{"an unknown opcode", changedOpcode(t, file), ErrVersion},
		{"sections out of order", changed(func(f []byte) []byte {
			binary.LittleEndian.PutUint32(f[billb.HeaderSize:], 3)
			billb.Seal(f)
			return f
		}), ErrFormat},
		{"a wrong shape", sealed(func(img *billb.Image) { img.Code[1].Params.(*billb.IntConv).Conv.Groups = 5 }), ErrFormat},
		{"a buffer that is not written", sealed(func(img *billb.Image) { img.Code = img.Code[:1] }), ErrFormat},
	} {
		for how, load := range map[string]func() (*Program, error){
			"Load":      func() (*Program, error) { return Load(bytes.NewReader(c.file)) },
			"LoadBytes": func() (*Program, error) { return LoadBytes(c.file) },
			"slow Load": func() (*Program, error) { return Load(iotest.OneByteReader(bytes.NewReader(c.file))) },
		} {
			_, err := load()
			for _, kind := range []error{ErrNotModel, ErrVersion, ErrTruncated, ErrChecksum, ErrFormat, ErrLimit, ErrISA} {
				if errors.Is(err, kind) != (kind == c.kind) {
					t.Errorf("%s by %s: %v is %v: %v", c.what, how, err, kind, kind != c.kind)
				}
			}
		}
	}
	for what, l := range map[string]Loader{"file": {MaxFile: len(file) - 1}, "arena": {MaxArena: 64}, "prepared": {MaxPrepared: 1000}} {
		if _, err := l.LoadBytes(file); !errors.Is(err, ErrLimit) {
			t.Errorf("a limit of the %s gave %v", what, err)
		}
	}
	if _, err := (Loader{ISA: "mmx"}).LoadBytes(file); !errors.Is(err, ErrISA) {
		t.Errorf("an unknown instruction set gave %v", err)
	}
	broken := errors.New("the disk is broken")
	for _, n := range []int{0, 10, billb.HeaderSize, 100} {
		_, err := Load(io.MultiReader(bytes.NewReader(file[:n]), iotest.ErrReader(broken)))
		if !errors.Is(err, broken) {
			t.Errorf("a reader that fails after %d bytes gave %v", n, err)
		}
	}
}

// changedOpcode is a file whose first instruction has an opcode of a later time.
func changedOpcode(t *testing.T, file []byte) []byte {
	t.Helper()
	file = bytes.Clone(file)
	entry := file[billb.HeaderSize+2*24:] // CODE
	at := binary.LittleEndian.Uint64(entry[8:])
	if file[at+1] != byte(billb.OpRelayout) {
		t.Fatal("the first instruction is not where it was")
	}
	file[at+1] = 127
	billb.Seal(file)
	return file
}

// TestSessionsAtOnce checks that a session that two goroutines use says so, and
// gives no wrong results.
func TestSessionsAtOnce(t *testing.T) {
	b := smallNet()
	prog, err := LoadBytes(encode(t, &b.img))
	if err != nil {
		t.Fatal(err)
	}
	s, err := prog.NewSession(Options{Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	clip := b.inputs[0].bytes()
	want := make([]float32, 3)
	if err := s.Run([][]byte{clip}, [][]byte{Bytes(want)}); err != nil {
		t.Fatal(err)
	}
	// While a run has the session, everything else is refused.
	if err := s.begin(); err != nil {
		t.Fatal(err)
	}
	got := make([]float32, 3)
	for what, err := range map[string]error{
		"Run":      s.Run([][]byte{clip}, nil),
		"Execute":  s.Execute(),
		"SetInput": SetInput(s, "in0", clip),
		"Output":   Output(s, "out0", got),
	} {
		if !errors.Is(err, ErrBusy) || !strings.Contains(err.Error(), "small") {
			t.Errorf("%s in a run gave %v, expected ErrBusy with the model's name", what, err)
		}
	}
	s.end()
	var runs sync.WaitGroup
	for range 8 {
		runs.Go(func() {
			logits := make([]float32, 3)
			for range 50 {
				switch err := s.Run([][]byte{clip}, [][]byte{Bytes(logits)}); {
				case err == nil && !bytes.Equal(Bytes(logits), Bytes(want)):
					t.Errorf("a run beside others gave %v, expected %v", logits, want)
				case err != nil && !errors.Is(err, ErrBusy):
					t.Errorf("a run beside others: %v", err)
				}
			}
		})
	}
	runs.Wait()
	// A session that is closed in a run ends with it.
	if err := s.begin(); err != nil {
		t.Fatal(err)
	}
	s.Close()
	if s.team.closed.Load() {
		t.Error("the threads of a run were ended")
	}
	s.end()
	if !s.team.closed.Load() {
		t.Error("the threads of a closed session live on")
	}
	s.Close()
	for what, err := range map[string]error{"Run": s.Run([][]byte{clip}, nil), "Execute": s.Execute(), "SetInput": SetInput(s, "in0", clip)} {
		if !errors.Is(err, ErrClosed) {
			t.Errorf("%s of a closed session gave %v", what, err)
		}
	}
}

// TestThreads checks which numbers of threads there are.
func TestThreads(t *testing.T) {
	prog, err := LoadBytes(encode(t, &smallNet().img))
	if err != nil {
		t.Fatal(err)
	}
	for n, ok := range map[int]bool{-3: false, -1: false, 0: true, 1: true, 2: true, maxThreads: true, maxThreads + 1: false} {
		s, err := prog.NewSession(Options{Threads: n})
		if (err == nil) != ok {
			t.Errorf("%d threads gave %v", n, err)
		}
		if err == nil {
			s.Close()
		}
	}
}
