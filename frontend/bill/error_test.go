package bill

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// TestErrors parses every text of testdata/errors. The error expected stands at
// the end of the line where it is to be reported, with its column:
//
//	// error: 12: what the message contains
func TestErrors(t *testing.T) {
	files, err := filepath.Glob("testdata/errors/*.bill")
	if err != nil || len(files) < 40 {
		t.Fatalf("found %d texts: %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".bill"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			before, want, ok := strings.Cut(string(text), "// error: ")
			if !ok {
				t.Fatal("the text does not say what error it expects")
			}
			want, _, _ = strings.Cut(want, "\n")
			col, want, _ := strings.Cut(want, ": ")
			if _, err := strconv.Atoi(col); err != nil {
				t.Fatalf("expected a column, found %q", col)
			}
			place := fmt.Sprintf("%s:%d:%s: ", filepath.Base(file), 1+strings.Count(before, "\n"), col)
			_, err = parse(filepath.Base(file), text, nil, nil, nil, 1000)
			if err == nil {
				t.Fatal("the text parses")
			}
			if msg := err.Error(); !strings.HasPrefix(msg, place) || !strings.Contains(msg, want) {
				t.Errorf("error: %s\nwanted: %s... %s", msg, place, want)
			}
		})
	}
}

func TestNoFunction(t *testing.T) {
	_, err := Parse("m.bill", []byte("bill 1\nmodule \"m\" level=source\n"), nil)
	if err == nil || !strings.Contains(err.Error(), `m.bill: module "m" has no function`) {
		t.Errorf("error: %v", err)
	}
}

// Whatever a text quotes or repeats, it is refused with a short message and
// before memory is taken.
func TestLargeTexts(t *testing.T) {
	const head = "bill 1\nmodule \"m\" level=source\n"
	long := strings.Repeat("a", 1<<20)
	for name, text := range map[string]string{
		"text":       strings.Repeat(" ", MaxText+1),
		"operation":  head + "func @f() { %1 = " + long + " : f32[1] return }",
		"attribute":  head + "func @f(%0 \"x\": f32[1]) { %1 = add %0, %0 {" + long + "=1} : f32[1] return }",
		"string":     head + "meta \"" + long + "\" \"a\" meta \"" + long + "\" \"b\"",
		"word":       long,
		"number":     head + "func @f() { %1 = const [" + strings.Repeat("1", 1<<20) + "] : i8[1] return }",
		"value":      head + "func @f() { return %" + long + " \"y\" }",
		"list":       head + "func @f(%0 \"x\": f32[1]) { %1 = reduce_mean %0 {axes=[" + strings.Repeat("7,", 1<<12) + "7]} : f32[1] return }",
		"braces":     head + strings.Repeat("{", 1<<18),
		"axes":       head + "func @f(%0 \"x\": f32[" + strings.Repeat("1,", 1<<16) + "1]) { return }",
		"zero axes":  head + "func @f() { %1 = const splat 0 : f32[0,4611686018427387904,4611686018427387904] return }",
		"one splat":  head + "func @f() { %1 = const splat 0 : bit[1000000000] return }",
		"tiny const": head + "func @f() { " + strings.Repeat("%1 = const [] : f32[0]\n", 1<<12) + " return }",
	} {
		if _, err := Parse("m.bill", []byte(text), nil); err == nil || len(err.Error()) > 1200 {
			t.Errorf("%s: error of %d bytes: %.200v", name, len(fmt.Sprint(err)), err)
		}
	}
}

func TestTokenLimit(t *testing.T) {
	s := &scanner{text: "a a", tokens: MaxTokens - 1}
	s.pos.Line, s.pos.Column = 1, 1
	if _, err := s.Next(); err != nil {
		t.Error(err)
	}
	if _, err := s.Next(); err == nil || !strings.Contains(err.Error(), "1:3: the text has more than") {
		t.Errorf("error: %v", err)
	}
}
