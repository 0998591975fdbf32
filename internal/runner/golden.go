package runner

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/billnet/billnet/internal/atomicfile"
	"github.com/billnet/billnet/internal/infile"
	"github.com/billnet/billnet/internal/plain"
	"github.com/billnet/billnet/runtime/clip"
)

// testCmd compares outputs with recorded ones.
type testCmd struct {
	Model     string
	Golden    string
	Update    bool
	Tolerance float64
	inputFlags
	clipFlags
	engine
}

func declareTest(f *flags) runner {
	c := &testCmd{Tolerance: 1e-5}
	f.model = &c.Model
	f.text(&c.Golden, "golden", "DIR", "Folder of clips and their recorded outputs; it must be given.")
	f.on(&c.Update, "update", "Record the outputs of this model instead of comparing.")
	f.add("tolerance", "E", "Largest difference of floats (default 1e-5), relative for values above 1. Integers are compared exactly.", func(s string) (err error) {
		if c.Tolerance, err = strconv.ParseFloat(s, 64); err != nil {
			return errors.New("expected a number")
		}
		return nil
	})
	c.inputFlags.declare(f)
	c.clipFlags.declare(f)
	c.engine.declare(f)
	return c
}

const testHelp = `
The folder holds clips and, beside every clip X, its recorded outputs:

  X.golden.json   all outputs for every clip in X, written by --update
  X.golden.npy    the first output for the clips in X along its first axis, as another program gave it (PyTorch, say); never updated

At least one of them must be there; both are compared when both are. Every other file or folder in the folder, hidden ones aside, is a clip: whatever "PROGRAM MODEL CLIP" takes.
The exit code is 3 when outputs differ, and the first difference is named. --update runs all clips first and writes nothing when one of them fails.

Examples:

  PROGRAM test model.billb --golden testdata --update
  PROGRAM test model.billb --golden testdata
  PROGRAM test model.billb --golden testdata --tolerance 1e-3`

const (
	goldenJSON = ".golden.json"
	goldenNPY  = ".golden.npy"
	goldenKind = "billrun golden 1"
)

// recorded is an output in an X.golden.json file.
type recorded struct {
	name, elem string
	shape      []int
	values     []string // numbers as they are written, and strings that stand for numbers
}

func (c *testCmd) Run(e *env) error {
	if !(c.Tolerance >= 0) || math.IsInf(c.Tolerance, 0) {
		return usagef("--tolerance %v: expected 0 or more", c.Tolerance)
	}
	if c.Golden == "" {
		return usagef("no folder is given: expected --golden DIR (%s test --help shows the usage)", e.Name)
	}
	m, err := e.load(c.Model)
	if err != nil {
		return err
	}
	clips, err := goldenClips(c.Golden)
	if err != nil {
		return err
	}
	in, err := bind(m, c.inputFlags, true, c.clipFlags, e.stdin)
	if err != nil {
		return err
	}
	s, err := c.session(m, false)
	if err != nil {
		return err
	}
	defer s.Close()
	var files []atomicfile.File
	total := 0
	for _, name := range clips {
		path := filepath.Join(c.Golden, name)
		got, err := goldenRun(e, m, s, in, path)
		if err != nil {
			return named(path, err)
		}
		total += len(got)
		if c.Update {
			files = append(files, atomicfile.File{Name: name + goldenJSON, Data: []byte(encodeGolden(m.Name, got))})
		} else if err := c.compare(path, got); err != nil {
			return err
		}
	}
	if c.Update {
		return updateGolden(e, c.Golden, files, total)
	}
	fmt.Fprintf(e.stdout, "ok: %d clips in %d files, %d outputs each\n", total, len(clips), len(m.Outputs))
	return nil
}

// goldenClips lists the clips of a folder. A recording without its clip is an
// error: its comparison would be left out silently.
func goldenClips(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var clips, recorded []string
	for _, entry := range entries {
		name := entry.Name()
		if strings.HasPrefix(name, ".") {
			continue
		}
		base, ok := strings.CutSuffix(name, goldenJSON)
		if !ok {
			base, ok = strings.CutSuffix(name, goldenNPY)
		}
		if ok {
			recorded = append(recorded, base)
		} else {
			clips = append(clips, name)
		}
	}
	for _, base := range recorded {
		if !slices.Contains(clips, base) {
			return nil, errorf("%s holds recorded outputs of %s, but not the clip: put it back or remove them", dir, base)
		}
	}
	if len(clips) == 0 {
		return nil, errorf("%s holds no clips", dir)
	}
	return clips, nil
}

// goldenRun gives the outputs of every clip of a file.
func goldenRun(e *env, m *model, s Session, in *inputs, path string) ([][]values, error) {
	var list [][]values
	err := in.each(e, path, func(_ int, data [][]byte, _ string) error {
		raw, outs := m.outputs()
		list = append(list, outs)
		return s.Run(data, raw)
	})
	return list, err
}

// encodeGolden writes the recording of the clips of a file: one output a line.
// model is the name of the one that recorded it, for people.
func encodeGolden(model string, clips [][]values) string {
	w := &jsonWriter{b: []byte("{\n\"format\": ")}
	w.string(goldenKind)
	w.b = append(w.b, ",\n\"model\": "...)
	w.string(model)
	w.b = append(w.b, ",\n\"clips\": "...)
	w.array(len(clips), func(i int) {
		w.b = append(w.b, "\n{\"outputs\": "...)
		w.array(len(clips[i]), func(j int) {
			w.b = append(w.b, '\n')
			clips[i][j].writeJSON(w)
		})
		w.b = append(w.b[:len(w.b)-1], "\n]}"...)
	})
	return string(append(w.b[:len(w.b)-1], "\n]\n}\n"...))
}

// decodeGolden reads a recording: by clip, by output.
func decodeGolden(text []byte) ([][]recorded, error) {
	r := &jsonReader{text: text}
	format, clips := "", [][]recorded(nil)
	r.object(func(name string) {
		switch name {
		case "format":
			format = r.string()
		case "model":
			r.string()
		case "clips":
			r.array(func() {
				var outs []recorded
				r.object(func(name string) {
					if name != "outputs" {
						r.failf("unknown member %q of a clip", name)
					}
					r.array(func() { outs = append(outs, readRecorded(r)) })
				})
				clips = append(clips, outs)
			})
		default:
			r.failf("unknown member %q", name)
		}
	})
	r.end()
	if r.err == nil && format != goldenKind {
		return nil, errorf("format %q, expected %q", format, goldenKind)
	}
	return clips, r.err
}

func readRecorded(r *jsonReader) (out recorded) {
	r.object(func(name string) {
		switch name {
		case "name":
			out.name = r.string()
		case "elem":
			out.elem = r.string()
		case "shape":
			r.array(func() { out.shape = append(out.shape, r.int()) })
		case "values":
			r.array(func() {
				if r.peek() == '"' {
					out.values = append(out.values, r.string())
				} else {
					out.values = append(out.values, r.number())
				}
			})
		default:
			r.failf("unknown member %q of an output", name)
		}
	})
	return out
}

// updateGolden writes the recordings that changed.
func updateGolden(e *env, dir string, files []atomicfile.File, clips int) error {
	if err := e.stopped(); err != nil {
		return err
	}
	var changed []atomicfile.File
	for _, f := range files {
		if !atomicfile.Same(filepath.Join(dir, f.Name), f.Data) {
			changed = append(changed, f)
		}
	}
	if err := atomicfile.WriteSet(dir, changed); err != nil {
		return err
	}
	for _, f := range changed {
		fmt.Fprintf(e.stdout, "wrote %s\n", plain.Text(filepath.Join(dir, f.Name)))
	}
	fmt.Fprintf(e.stdout, "%d clips, %d files written\n", clips, len(changed))
	return nil
}

// compare compares the outputs for the clips of a file with what is recorded.
func (c *testCmd) compare(path string, got [][]values) error {
	found := false
	if text, err := os.ReadFile(path + goldenJSON); err == nil {
		found = true
		if err := c.compareJSON(path, text, got); err != nil {
			return err
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if _, err := os.Stat(path + goldenNPY); err == nil {
		found = true
		if err := c.compareNPY(path, got); err != nil {
			return err
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if !found {
		return errorf("%s has no recorded outputs: --update records them as %s", path, filepath.Base(path)+goldenJSON)
	}
	return nil
}

func differf(format string, args ...any) error {
	return &fail{exitDiffer, fmt.Sprintf(format, args...)}
}

func (c *testCmd) compareJSON(path string, text []byte, got [][]values) error {
	want, err := decodeGolden(text)
	if err != nil {
		return errorf("%s: %w", path+goldenJSON, err)
	}
	if len(want) != len(got) {
		return differf("%s: %d clips are recorded, the file has %d", path, len(want), len(got))
	}
	for i, outs := range got {
		if len(want[i]) != len(outs) {
			return differf("%s: clip %d: %d outputs are recorded, the model has %d", path, i, len(want[i]), len(outs))
		}
		for j, v := range outs {
			w := want[i][j]
			if w.name != v.name || w.elem != v.elem.String() || !slices.Equal(w.shape, v.shape) {
				return differf("%s: clip %d: output %d: want %q %s%s, got %q %s%s", path, i, j, w.name, w.elem, shapeText(w.shape), v.name, v.elem, shapeText(v.shape))
			}
			if len(w.values) != v.len() {
				return errorf("%s: clip %d: output %q: %d values for shape %s", path+goldenJSON, i, w.name, len(w.values), shapeText(w.shape))
			}
			for k, text := range w.values {
				same, err := c.same(text, v, k)
				if err != nil {
					return errorf("%s: clip %d: output %q: element %s: %w", path+goldenJSON, i, w.name, v.at(k), err)
				}
				if !same {
					return c.differs(path, i, v, k, text)
				}
			}
		}
	}
	return nil
}

// same compares element i with a recorded one.
func (c *testCmd) same(want string, v values, i int) (bool, error) {
	if !v.isFloat() {
		return want == v.text(i), nil
	}
	w, err := strconv.ParseFloat(want, 8*v.elem.Width())
	if err != nil {
		return false, errorf("%.40q is not a number", want)
	}
	return near(w, v.float(i), c.Tolerance), nil
}

// near reports whether got is want within a tolerance, absolute up to 1 and
// relative above. NaN is equal to NaN, and an infinity to itself.
func near(want, got, tolerance float64) bool {
	if want == got || math.IsNaN(want) && math.IsNaN(got) {
		return true
	}
	// False when one of them is not finite.
	return !math.IsInf(want, 0) && math.Abs(want-got) <= tolerance*max(1, math.Abs(want))
}

func (c *testCmd) differs(path string, index int, v values, i int, want string) error {
	rule := "compared exactly"
	if v.isFloat() {
		rule = fmt.Sprintf("tolerance %g", c.Tolerance)
	}
	return differf("%s: clip %d: output %q: element %s: want %s, got %s (%s)", path, index, v.name, v.at(i), want, v.text(i), rule)
}

// compareNPY compares the first output with an array in which the clips of the
// file follow each other.
func (c *testCmd) compareNPY(path string, got [][]values) error {
	f, err := infile.Open(path + goldenNPY)
	if err != nil {
		return err
	}
	defer f.Close()
	a, err := clip.ReadNPY(f, maxTensor)
	if err != nil {
		return errorf("%s: %w", path+goldenNPY, err)
	}
	if len(got[0]) == 0 {
		return differf("%s: an output is recorded, the model has none", path)
	}
	first := got[0][0]
	if a.DType != npyType(first.elem) {
		return differf("%s: output %q is %s, %s holds %s", path, first.name, first.elem, path+goldenNPY, a.DType)
	}
	if size(a.Shape) != len(got)*first.len() {
		return differf("%s: %d clips with output %q %s%s, %s has shape %s", path, len(got), first.name, first.elem, shapeText(first.shape), path+goldenNPY, shapeText(a.Shape))
	}
	for i, outs := range got {
		v := outs[0]
		w := values{v.name, v.elem, v.shape, a.Data[i*len(v.raw) : (i+1)*len(v.raw)]}
		for k := range v.len() {
			if same, _ := c.same(w.text(k), v, k); !same {
				return c.differs(path, i, v, k, w.text(k))
			}
		}
	}
	return nil
}
