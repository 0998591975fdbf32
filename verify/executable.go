package verify

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/runtime/clip"
)

// Executable is a program that billc build has made. It runs as a process for
// every set of inputs, with tensors as .npy files, and shows no layers.
type Executable struct {
	path            string
	inputs, outputs []Port
}

// NewExecutable is the executable at a path with the interface of another
// evaluator: an executable does not tell its own, but refuses tensors that do
// not fit it.
func NewExecutable(path string, like Evaluator) (*Executable, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	return &Executable{path, like.Inputs(), like.Outputs()}, nil
}

// Name is the path.
func (e *Executable) Name() string { return e.path }

// Inputs is the input ports.
func (e *Executable) Inputs() []Port { return e.inputs }

// Outputs is the output ports.
func (e *Executable) Outputs() []Port { return e.outputs }

// Close does nothing.
func (e *Executable) Close() {}

// Run starts the process. Errors show what it printed.
func (e *Executable) Run(ctx context.Context, inputs []*ir.Tensor, _ func(Layer)) ([]*ir.Tensor, error) {
	dir, err := os.MkdirTemp("", "billc-verify-*")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	var args []string
	for i, p := range e.inputs {
		file := filepath.Join(dir, fmt.Sprintf("%d.npy", i))
		if err := writeTensor(file, inputs[i]); err != nil {
			return nil, err
		}
		args = append(args, "--input", p.Name+"=@"+file)
	}
	out := filepath.Join(dir, "out")
	if text, err := exec.CommandContext(ctx, e.path, append(args, "--out", out)...).CombinedOutput(); err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, fmt.Errorf("%s: %w: %s", e.path, err, bytes.TrimSpace(text))
	}
	names := make([]string, len(e.outputs))
	for i, p := range e.outputs {
		names[i] = p.Name
	}
	files := clip.TensorFiles(names)
	var list []*ir.Tensor
	for i, p := range e.outputs {
		t, err := readTensor(filepath.Join(out, files[i]), p.Type)
		if err != nil {
			return nil, fmt.Errorf("%s: output %q: %w", e.path, p.Name, err)
		}
		list = append(list, t)
	}
	return list, nil
}

// plainType is how .npy files hold elements: bits and booleans as bytes, signs
// and ternary values as signed bytes.
func plainType(d ir.DType) ir.DType {
	switch d {
	case ir.Bit:
		return ir.U8
	case ir.SBit, ir.Tern:
		return ir.I8
	}
	return d
}

func writeTensor(path string, t *ir.Tensor) error {
	plain := t.Convert(plainType(t.Type.DType))
	var b bytes.Buffer
	if err := clip.WriteNPY(&b, &clip.NPY{DType: plain.Type.DType.String(), Shape: plain.Type.Shape, Data: plain.Data()}); err != nil {
		return err
	}
	return os.WriteFile(path, b.Bytes(), 0o666)
}

func readTensor(path string, want ir.Type) (*ir.Tensor, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	a, err := clip.ReadNPY(f, clip.DefaultLimit)
	if err != nil {
		return nil, err
	}
	d, ok := ir.ParseDType(a.DType)
	if !ok {
		return nil, fmt.Errorf("elements of type %s", a.DType)
	}
	t, err := ir.TensorFromData(ir.T(d, a.Shape...), a.Data)
	if err != nil {
		return nil, err
	}
	if !ir.SameShape(a.Shape, want.Shape) {
		return nil, fmt.Errorf("%s, expected %s", t.Type, want)
	}
	return t.Convert(want.DType), nil
}
