package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/billnet/billnet/frontend/bill"
	"github.com/billnet/billnet/frontend/onnx"
	"github.com/billnet/billnet/internal/infile"
	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/runtime/clip"
	"github.com/billnet/billnet/train"
)

// modelFlags are the options of reading a model.
type modelFlags struct {
	Input  map[string]string `help:"Element type in which an input arrives: clip=u8 says that it holds 0..255." placeholder:"NAME=TYPE"`
	Shape  map[string]string `help:"Shape of an input that leaves dimensions open." placeholder:"NAME=1x3x16x96x128"`
	Dim    map[string]int    `help:"Size of a named open dimension." placeholder:"NAME=N"`
	Const  map[string]string `help:"Bind an input to a constant from an .npy file at compile time." placeholder:"NAME=@FILE"`
	Labels string            `help:"File with one class name a line." placeholder:"FILE"`
	pixelFlags
}

// load reads a model by its extension: .bill is text, anything else ONNX. The
// notes say what the import decided on its own.
func (f *modelFlags) load(ctx context.Context, path string) (m *ir.Module, notes []string, err error) {
	if filepath.Ext(path) == ".bill" {
		if len(f.Input)+len(f.Shape)+len(f.Dim)+len(f.Const) > 0 {
			return nil, nil, withCode(exitUsage, "%s: --input, --shape, --dim and --const are for ONNX models; text says its types itself", path)
		}
		m, err = bill.ParseFile(path)
	} else {
		var opt onnx.Options
		if opt, err = f.onnxOptions(); err != nil {
			return nil, nil, err
		}
		var rep *onnx.Report
		if m, rep, err = onnx.ImportFile(ctx, path, opt); err == nil {
			notes = rep.Notes
		}
	}
	if err != nil {
		return nil, nil, err
	}
	if left := dropAuxiliary(m.Main()); left != nil {
		notes = append(notes, fmt.Sprintf("results %s are left out: heads whose names begin with aux are for training only", strings.Join(left, ", ")))
	}
	baked, err := f.bake(m)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	if note := untrained(m); note != "" {
		notes = append(notes, note)
	}
	return m, append(notes, baked...), f.setLabels(m)
}

// dropAuxiliary removes the heads that exist in training only, as long as
// another result is left, and returns their names.
func dropAuxiliary(f *ir.Func) (names []string) {
	var kept []ir.Port
	for _, r := range f.Results {
		if train.IsAuxiliary(r.Name) {
			names = append(names, strconv.Quote(r.Name))
		} else {
			kept = append(kept, r)
		}
	}
	if len(kept) == 0 || names == nil {
		return nil
	}
	f.Results = kept
	f.RemoveDead()
	return names
}

func (f *modelFlags) onnxOptions() (onnx.Options, error) {
	opt := onnx.Options{Dims: f.Dim, Inputs: f.Input, Shapes: map[string][]int{}, Consts: map[string]*ir.Tensor{}}
	for name, s := range f.Shape {
		for _, d := range strings.FieldsFunc(s, func(r rune) bool { return r == 'x' || r == ',' }) {
			n, err := strconv.Atoi(d)
			if err != nil || n < 0 {
				return opt, withCode(exitUsage, "--shape %s=%s: expected sizes like 1x3x16x96x128", name, s)
			}
			opt.Shapes[name] = append(opt.Shapes[name], n)
		}
	}
	for name, file := range f.Const {
		t, err := readTensor(strings.TrimPrefix(file, "@"), "")
		if err != nil {
			return opt, fmt.Errorf("--const %s: %w", name, err)
		}
		opt.Consts[name] = t
	}
	return opt, nil
}

// readTensor reads an .npy file. declared is the type that the model gives its
// values where bytes hold narrower ones, which NumPy does not name: i4, u4, i2 or
// u2; "" where that is unknown.
func readTensor(path, declared string) (*ir.Tensor, error) {
	file, err := infile.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	t, err := decodeTensor(file, declared)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return t, nil
}

// decodeTensor reads the .npy format, with declared as for readTensor.
func decodeTensor(r io.Reader, declared string) (*ir.Tensor, error) {
	a, err := clip.ReadNPY(r, clip.DefaultLimit)
	if err != nil {
		return nil, err
	}
	if declared != "" {
		if wide, ok := a.Convert(declared[:1]+"8", declared); ok {
			a = wide
		}
	}
	d, ok := ir.ParseDType(a.DType)
	if !ok {
		return nil, fmt.Errorf("element type %s is not supported", a.DType)
	}
	return ir.TensorFromData(ir.T(d, a.Shape...), a.Data)
}

// setLabels names the classes: from the file, or from the model's metadata
// (labels, classes or names: JSON, lines or commas).
func (f *modelFlags) setLabels(m *ir.Module) error {
	if f.Labels != "" {
		var err error
		if m.Labels, err = readLabels(f.Labels); err != nil {
			return err
		}
	} else if m.Labels == nil {
		for _, key := range []string{"labels", "classes", "names", "class_names"} {
			v, ok := m.Meta[key]
			if !ok {
				v, ok = m.Meta["onnx."+key]
			}
			if ok {
				m.Labels = parseLabels(v)
				break
			}
		}
	}
	if m.Labels == nil {
		return nil
	}
	out := m.Main().Results[0]
	if n := out.Value.Type.Elems(); n != len(m.Labels) {
		if f.Labels == "" { // metadata of another meaning
			m.Labels = nil
			return nil
		}
		return fmt.Errorf("%s: %d labels, the output %q has %d scores", f.Labels, len(m.Labels), out.Name, n)
	}
	return nil
}

// maxBytecode bounds a .billb file, as the runtime does.
const maxBytecode = 1 << 30

// readBytecode reads a .billb file.
func readBytecode(path string) ([]byte, error) { return infile.Read(path, maxBytecode) }

func lines(s string) []string {
	out := []string{}
	for l := range strings.Lines(s) {
		if l = strings.TrimSpace(l); l != "" {
			out = append(out, l)
		}
	}
	return out
}

func parseLabels(s string) []string {
	var list []string
	if json.Unmarshal([]byte(s), &list) == nil {
		return list
	}
	if strings.Contains(s, "\n") {
		return lines(s)
	}
	return lines(strings.ReplaceAll(s, ",", "\n"))
}
