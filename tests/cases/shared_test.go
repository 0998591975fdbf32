package cases

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/billnet/billnet/frontend/onnx"
	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/passes"
	"github.com/billnet/billnet/passes/packed"
	"github.com/billnet/billnet/passes/pipeline"
	"github.com/billnet/billnet/runtime"
	"github.com/billnet/billnet/runtime/clip"
	"github.com/billnet/billnet/tests/hostile"
	"github.com/billnet/billnet/tests/shared"
)

// limit is how long a case may take.
const limit = 20 * time.Second

// expectation is what one folder of the collection asks for. The zero one is
// that its model compiles, and that all of its forms give the recorded outputs
// for the recorded inputs; without a record, that they agree with the source.
type expectation struct {
	bound   float64        // of floats, relative; 0: 1e-4
	exact   bool           // floats are equal
	rounds  rounding       // the output is rounded from sums of a convolution
	options onnx.Options   // of the import
	refused *regexp.Regexp // or the model is refused in words like these
	size    float64        // the bytecode is at most so many times as large as the model
	check   func(ctx context.Context, dir string) error
}

var expectations = map[string]expectation{
	"blowup_fp16_weights_f32":          {size: 1.1},
	"blowup_int8_s8s8_weights_f32":     {size: 1.6, rounds: hundredths},
	"blowup_learnablebias_expand_as":   {size: 4},
	"ceil_window_in_end_padding":       {exact: true},
	"ceil_window_larger_MaxPool-3-2-2": {exact: true},
	"clip_infinity":                    {exact: true},
	"clip_only_max":                    {exact: true},
	"conv0":                            {check: everyFile("*.onnx", bounded)},
	"cosmm":                            {check: bounded},
	"ctl_dim_minus_one":                {options: onnx.Options{Shapes: map[string][]int{"x": {2, 3}}}},
	"dense-conv-0":                     {check: everyFile("*.billb", hostileProgram)},
	"emit_maxpool_int32":               {check: exports},
	"escape":                           {},
	"gather_out_of_range":              {refused: regexp.MustCompile(`Gather.* is 3, expected -3 to 2`)},
	"gif_frame_larger":                 {check: animation},
	"gif_unknown_ext":                  {check: animation},
	"gif_zero_before_trailer":          {check: animation},
	"hang-maxpool":                     {check: everyFile("*.onnx", bounded)},
	"hf_symlink":                       {check: linked},
	"inplace-broadcast":                {check: everyFile("*.billb", hostileProgram)},
	"loopnest":                         {check: bounded},
	"nan-threshold":                    {},
	"op_loop_sequence_mvit_ts":         {},
	"pad_wrap_negative":                {exact: true},
	"passes_split_signs":               {check: wrongOrder},
	"resize10_down":                    {exact: true},
	"resize_scales_shape":              {exact: true},
	"slicebig":                         {check: bounded},
	"slow_int8_qdq_conv":               {rounds: hundredths},
}

// hundredths is the rounding of inputs of scale 0.02 by weights of scale 0.01 to
// steps of 0.08.
var hundredths = rounding{unit: 0.02 * 0.01, units: 400}

// unsupported lists the folders whose operators, control flow or idioms are not
// yet there. One that passes is reported, so that it can be taken off the list.
var unsupported = []string{
	"op_nonzero",
}

func isUnsupported(name string) bool {
	return slices.ContainsFunc(unsupported, func(p string) bool { ok, _ := filepath.Match(p, name); return ok })
}

// TestShared tries every folder of the shared collection and prints a table.
func TestShared(t *testing.T) {
	root := shared.Dir(t, "cases")
	dirs, err := filepath.Glob(filepath.Join(root, "*/"))
	if err != nil {
		t.Fatal(err)
	}
	type row struct{ name, verdict, detail string }
	var table []row
	for _, dir := range dirs {
		name := filepath.Base(dir)
		if info, err := os.Stat(dir); err != nil || !info.IsDir() {
			continue
		}
		t.Run(name, func(t *testing.T) {
			err := try(t, dir, expectations[name])
			r := row{name, "pass", ""}
			switch {
			case err != nil && isUnsupported(name):
				r = row{name, "not yet", oneLine(err)}
			case err != nil:
				r = row{name, "FAIL", oneLine(err)}
				t.Error(err)
			case isUnsupported(name):
				r.detail = "take it off the list of what is not yet supported"
			}
			table = append(table, r)
		})
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	if testing.Verbose() {
		for _, r := range table {
			fmt.Fprintf(w, "%s\t%s\t%s\n", r.verdict, r.name, r.detail)
		}
		w.Flush()
	}
}

func oneLine(err error) string {
	s := strings.Join(strings.Fields(err.Error()), " ")
	return s[:min(len(s), 160)]
}

// try runs one folder; a panic is an error.
func try(t *testing.T, dir string, e expectation) (err error) {
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panics: %v", p)
		}
	}()
	if e.check != nil {
		return e.check(ctx, dir)
	}
	file, err := modelFile(t, dir)
	if err != nil {
		return err
	}
	err = values(ctx, dir, file, e)
	if e.refused == nil {
		return err
	}
	if err == nil || !e.refused.MatchString(err.Error()) || strings.Contains(err.Error(), "BUG") {
		return fmt.Errorf("expected a refusal like %q, got: %v", e.refused, err)
	}
	return nil
}

// modelFile returns the folder's model, unpacked if need be.
func modelFile(t *testing.T, dir string) (string, error) {
	file := filepath.Join(dir, "model.onnx")
	if _, err := os.Stat(file); err == nil {
		return file, nil
	}
	packed, err := os.Open(file + ".gz")
	if errors.Is(err, fs.ErrNotExist) {
		return filepath.Join(dir, "m.onnx"), nil
	}
	if err != nil {
		return "", err
	}
	defer packed.Close()
	r, err := gzip.NewReader(packed)
	if err != nil {
		return "", err
	}
	data, err := io.ReadAll(r)
	if err != nil {
		return "", err
	}
	file = filepath.Join(t.TempDir(), "model.onnx")
	return file, os.WriteFile(file, data, 0o600)
}

// values compiles a model and compares the outputs of every form.
func values(ctx context.Context, dir, file string, e expectation) error {
	m, _, err := importFile(ctx, file, e.options)
	if err != nil {
		return err
	}
	in, err := inputs(dir, m.Main())
	if err != nil {
		return err
	}
	b, err := build(ctx, m)
	if err != nil {
		return err
	}
	want, err := outputs(dir, b.source.Main())
	if err != nil {
		return err
	}
	var sums *ir.Tensor
	if want == nil {
		trace := func(n *ir.Node, results []*ir.Tensor) {
			if n.Is(ir.Conv) {
				sums = results[0]
			}
		}
		if want, err = ir.Eval(ctx, b.source.Main(), in, trace); err != nil {
			return err
		}
	}
	if e.size > 0 {
		if err := b.notLarger(file, e.size); err != nil {
			return err
		}
	}
	bound := e.bound
	if bound == 0 && !e.exact {
		bound = 1e-4
	}
	return b.run(ctx, in, func(out []*ir.Tensor) error {
		for i, r := range b.source.Main().Results {
			if want[i] == nil {
				continue
			}
			if err := e.rounds.compare(r.Name, out[i], want[i], sums, bound); err != nil {
				return err
			}
		}
		return nil
	})
}

func (b *built) notLarger(file string, times float64) error {
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	if have := float64(len(b.file)) / float64(info.Size()); have > times {
		return fmt.Errorf("bytecode of %d bytes is %.2f times as large as the model, expected %v at most", len(b.file), have, times)
	}
	return nil
}

// inputs reads the recorded inputs: in_NAME.npy or NAME.npy, or made up ones
// where nothing is recorded.
func inputs(dir string, f *ir.Func) ([]*ir.Tensor, error) {
	in := ir.RandomInputs(f, newRand(), 2)
	for i, p := range f.Params {
		for _, name := range []string{"in_" + p.Name, p.Name} {
			t, err := readNPY(filepath.Join(dir, fileName(name)+".npy"), p.Value.Type)
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				return nil, err
			}
			in[i] = t
			break
		}
	}
	return in, nil
}

// outputs reads the recorded outputs, expected_NAME.npy or y.npy; nil where
// nothing is recorded. An entry is nil where that output is not.
func outputs(dir string, f *ir.Func) ([]*ir.Tensor, error) {
	out := make([]*ir.Tensor, len(f.Results))
	found := false
	for i, r := range f.Results {
		for _, name := range []string{"expected_" + r.Name, "y", "Y"} {
			if i > 0 && len(name) == 1 {
				continue
			}
			t, err := readNPY(filepath.Join(dir, fileName(name)+".npy"), r.Value.Type)
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				return nil, err
			}
			out[i], found = t, true
			break
		}
	}
	if !found {
		return nil, nil
	}
	return out, nil
}

// fileName is a value's name as part of a file's.
func fileName(name string) string { return strings.ReplaceAll(name, "/", "_") }

// readNPY reads an array that stands for a value of a type.
func readNPY(path string, want ir.Type) (*ir.Tensor, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	a, err := clip.ReadNPY(f, 1<<30)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	d, ok := ir.ParseDType(a.DType)
	if !ok {
		return nil, fmt.Errorf("%s: element type %s", path, a.DType)
	}
	t, err := ir.TensorFromData(ir.T(d, a.Shape...), a.Data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if len(a.Shape) == 0 || t.Len() == want.Elems() && want.Rank() != len(a.Shape) {
		return t.Reshape(want.Shape...), nil
	}
	return t, nil
}

// everyFile is a check of all files of a folder that match.
func everyFile(pattern string, check func(ctx context.Context, file string) error) func(context.Context, string) error {
	return func(ctx context.Context, dir string) error {
		files, _ := filepath.Glob(filepath.Join(dir, pattern))
		if len(files) == 0 {
			return fmt.Errorf("no file %s", pattern)
		}
		for _, file := range files {
			if err := check(ctx, file); err != nil {
				return fmt.Errorf("%s: %w", filepath.Base(file), err)
			}
		}
		return nil
	}
}

// bounded is the check of a hostile model: with little time and memory it is
// refused, or compiles and runs.
func bounded(_ context.Context, file string) error {
	if info, err := os.Stat(file); err == nil && info.IsDir() {
		file = filepath.Join(file, "m.onnx")
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if v := hostile.Try(data); v.Fault != "" {
		return errors.New(v.Fault)
	}
	return nil
}

// hostileProgram loads bytecode and runs it with different numbers of threads:
// it is refused, or the results are the same.
func hostileProgram(_ context.Context, file string) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	p, err := runtime.LoadBytes(data)
	if err != nil {
		return nil
	}
	var first [][]byte
	for threads := 1; threads <= 4; threads++ {
		s, err := p.NewSession(runtime.Options{Threads: threads})
		if err != nil {
			return err
		}
		in, out := make([][]byte, len(p.Inputs())), make([][]byte, len(p.Outputs()))
		rng := newRand()
		for i, q := range p.Inputs() {
			in[i] = runtime.Sample(q, 2, rng)
		}
		for i, q := range p.Outputs() {
			out[i] = make([]byte, ir.Type{Shape: q.Shape}.Elems()*q.Elem.Width())
		}
		err = s.Run(in, out)
		s.Close()
		if err != nil {
			return err
		}
		if threads == 1 {
			first = out
		} else if !slices.EqualFunc(first, out, slices.Equal[[]byte]) {
			return fmt.Errorf("%d threads give another result than one", threads)
		}
	}
	return nil
}

// exports compiles a model, writes its logic level as ONNX, reads that back and
// compares, and asks the official checker where it is there.
func exports(ctx context.Context, dir string) error {
	file := filepath.Join(dir, "model.onnx")
	m, _, err := importFile(ctx, file, onnx.Options{})
	if err != nil {
		return err
	}
	steps := pipeline.Default()
	last := slices.IndexFunc(steps, func(s passes.Step) bool { return s.Pass == packed.Layout })
	if _, err := passes.Run(ctx, m, steps[:last], passes.RunOptions{}); err != nil {
		return err
	}
	data, err := onnx.Export(m)
	if err != nil {
		return err
	}
	tmp, err := os.MkdirTemp("", "export")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	written := filepath.Join(tmp, "model.onnx")
	if err := os.WriteFile(written, data, 0o600); err != nil {
		return err
	}
	if err := shared.CheckONNX(ctx, written); err != nil && !errors.Is(err, shared.ErrNoChecker) {
		return err
	}
	return values(ctx, dir, written, expectation{exact: true})
}

// animation reads a GIF and compares all of its frames.
func animation(_ context.Context, dir string) error {
	want, err := readNPY(filepath.Join(dir, "expected_frames_THWC.npy"), ir.Type{})
	if err != nil {
		return err
	}
	files, _ := filepath.Glob(filepath.Join(dir, "*.gif"))
	if len(files) != 1 {
		return fmt.Errorf("%d GIFs", len(files))
	}
	v, err := clip.OpenVideo(files[0], clip.Options{})
	if err != nil {
		return err
	}
	defer v.Close()
	c, err := v.ReadAll()
	if err != nil {
		return err
	}
	if got := []int{c.T, c.H, c.W, c.C}; !slices.Equal(got, want.Type.Shape) {
		return fmt.Errorf("frames are %v, expected %v", got, want.Type.Shape)
	}
	for i, p := range c.Pix {
		if int64(p) != want.Int(i) {
			return fmt.Errorf("value %d is %d, expected %d", i, p, want.Int(i))
		}
	}
	return nil
}

// linked reads a model and its weights as links into a folder of blobs.
func linked(ctx context.Context, dir string) error {
	tmp, err := os.MkdirTemp("", "links")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	if err := os.CopyFS(filepath.Join(tmp, "blobs"), os.DirFS(filepath.Join(dir, "blobs"))); err != nil {
		return err
	}
	snapshot := filepath.Join(tmp, "snapshots", "abc")
	if err := os.MkdirAll(snapshot, 0o700); err != nil {
		return err
	}
	for name, blob := range map[string]string{"m.onnx": "111", "m.onnx.data": "222"} {
		if err := os.Symlink(filepath.Join("..", "..", "blobs", blob), filepath.Join(snapshot, name)); err != nil {
			return err
		}
	}
	return values(ctx, dir, filepath.Join(snapshot, "m.onnx"), expectation{})
}

// wrongOrder runs passes in an order that their constraints forbid.
func wrongOrder(ctx context.Context, dir string) error {
	m, _, err := importFile(ctx, filepath.Join(dir, "model.onnx"), onnx.Options{})
	if err != nil {
		return err
	}
	steps, err := pipeline.Registry().Parse("--passes", "fold-constants, split-signs, layout")
	if err == nil {
		_, err = passes.Run(ctx, m, steps, passes.RunOptions{})
	}
	if err == nil || strings.Contains(err.Error(), "BUG") {
		return fmt.Errorf("expected a refusal that names the missing pass, got: %v", err)
	}
	return nil
}
