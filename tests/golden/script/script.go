// Package script holds what the command-line tests of billc and billrun share:
// the -update flag, the small models of tests/golden/models, and commands for
// testscript files.
//
// A script finds the models in $MODELS and may use, beside testscript's own:
//
//	exits CODE PROG ARG...    runs a program that must end with this exit code
//	fails CODE PROG ARG...    the same, and what the program says of it must be one
//	                          line "PROG: ..." on standard error (beside "note: " lines)
//	text stdout|stderr FILE   writes an output to FILE, with $WORK for the work
//	                          folder, so that cmp can compare it and -update rewrite it
//	npy FILE DTYPE SHAPE V    writes an array filled with V, or counting up for V=ramp
//	cut FROM TO N             copies the first N bytes of a file; the last -N are left
//	                          out when N is negative
//	flip FROM TO N            copies a file with all bits of byte N inverted
//	only NAME...              the folder's files are these, in any order
//
// and the conditions [root]: permissions do not hold for this user, and [race]:
// the race detector watches.
package script

import (
	"bytes"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/billnet/billnet/runtime/clip"
	"github.com/billnet/billnet/tests/shared"
)

var update = flag.Bool("update", false, "rewrite the golden texts that differ")

// Updating reports the -update flag: rewrite goldens in place of comparing with
// them.
func Updating() bool { return *update }

// Models returns the folder of the small models.
func Models() string {
	return filepath.Join(shared.Root(), "tests", "golden", "models")
}

// Params returns the parameters of a run of all scripts in dir. The programs in
// bin, a folder, are found by name; bin may be empty.
func Params(dir, bin string) testscript.Params {
	return testscript.Params{
		Dir:                 dir,
		UpdateScripts:       *update,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("MODELS", Models())
			e.Setenv("HOME", e.WorkDir)
			if bin != "" {
				e.Setenv("PATH", bin+string(os.PathListSeparator)+e.Getenv("PATH"))
			}
			return nil
		},
		Condition: func(cond string) (bool, error) {
			switch cond {
			case "root":
				return os.Geteuid() == 0, nil
			case "race":
				return race, nil
			}
			return false, fmt.Errorf("unknown condition %q", cond)
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"exits": exits, "fails": fails, "text": text, "npy": npy, "cut": cut, "flip": flip, "only": only,
		},
	}
}

// arguments checks the form of a command, which has no negation.
func arguments(ts *testscript.TestScript, ok, neg bool, usage string) {
	if neg || !ok {
		ts.Fatalf("usage: %s", usage)
	}
}

func exits(ts *testscript.TestScript, neg bool, args []string) {
	arguments(ts, len(args) >= 2, neg, "exits CODE PROG ARG...")
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d; standard error: %s", got, want, ts.ReadFile("stderr"))
	}
	if want != 70 && strings.Contains(ts.ReadFile("stderr"), "goroutine ") {
		ts.Fatalf("the error shows a Go stack")
	}
}

func fails(ts *testscript.TestScript, neg bool, args []string) {
	exits(ts, neg, args)
	var said []string
	for line := range strings.Lines(ts.ReadFile("stderr")) {
		if !strings.HasPrefix(line, "note: ") {
			said = append(said, line)
		}
	}
	if len(said) != 1 || !strings.HasPrefix(said[0], args[1]+": ") || !strings.HasSuffix(said[0], "\n") {
		ts.Fatalf("want one line %q on standard error, got %q", args[1]+": ...", said)
	}
}

func text(ts *testscript.TestScript, neg bool, args []string) {
	arguments(ts, len(args) == 2, neg, "text stdout|stderr FILE")
	s := strings.ReplaceAll(ts.ReadFile(args[0]), ts.Getenv("WORK"), "$WORK")
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(s), 0o666))
}

func npy(ts *testscript.TestScript, neg bool, args []string) {
	arguments(ts, len(args) == 4, neg, "npy FILE u8|i64|f32 1x2x3 VALUE|ramp")
	a := &clip.NPY{DType: args[1]}
	n := 1
	for s := range strings.SplitSeq(args[2], "x") {
		d, err := strconv.Atoi(s)
		ts.Check(err)
		a.Shape, n = append(a.Shape, d), n*d
	}
	for i := range n {
		v := float64(i)
		if args[3] != "ramp" {
			var err error
			v, err = strconv.ParseFloat(args[3], 64)
			ts.Check(err)
		}
		switch args[1] {
		case "u8":
			a.Data = append(a.Data, byte(int(v)))
		case "i64":
			a.Data = binary.LittleEndian.AppendUint64(a.Data, uint64(int64(v)))
		case "f32":
			a.Data = binary.LittleEndian.AppendUint32(a.Data, math.Float32bits(float32(v)))
		default:
			ts.Fatalf("unknown element type %s", args[1])
		}
	}
	var b bytes.Buffer
	ts.Check(clip.WriteNPY(&b, a))
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), b.Bytes(), 0o666))
}

// edit copies a file through f.
func edit(ts *testscript.TestScript, args []string, f func(data []byte, n int) []byte) {
	n, err := strconv.Atoi(args[2])
	ts.Check(err)
	data, err := os.ReadFile(ts.MkAbs(args[0]))
	ts.Check(err)
	if n < 0 {
		n += len(data)
	}
	if n < 0 || n >= len(data) {
		ts.Fatalf("%s has %d bytes", args[0], len(data))
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), f(data, n), 0o666))
}

func cut(ts *testscript.TestScript, neg bool, args []string) {
	arguments(ts, len(args) == 3, neg, "cut FROM TO N")
	edit(ts, args, func(data []byte, n int) []byte { return data[:n] })
}

func flip(ts *testscript.TestScript, neg bool, args []string) {
	arguments(ts, len(args) == 3, neg, "flip FROM TO N")
	edit(ts, args, func(data []byte, n int) []byte {
		data[n] ^= 0xff
		return data
	})
}

func only(ts *testscript.TestScript, neg bool, args []string) {
	arguments(ts, true, neg, "only NAME...")
	entries, err := os.ReadDir(ts.MkAbs("."))
	ts.Check(err)
	var got []string
	for _, e := range entries {
		if e.Name() != ".tmp" { // testscript's own
			got = append(got, e.Name())
		}
	}
	want := slices.Sorted(slices.Values(args))
	if !slices.Equal(got, want) {
		ts.Fatalf("the folder holds %q, want %q", got, want)
	}
}
