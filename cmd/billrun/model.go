package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/billnet/billnet/internal/infile"
	"github.com/billnet/billnet/internal/runner"
	"github.com/billnet/billnet/runtime"
	"github.com/billnet/billnet/runtime/billb"
)

// model is a loaded .billb file.
type model struct {
	prog *runtime.Program
	path string
}

func load(path string) (runner.Model, error) {
	f, err := infile.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	prog, err := runtime.Load(f)
	if ext := filepath.Ext(path); err != nil && (ext == ".onnx" || ext == ".bill") {
		out := strings.TrimSuffix(path, ext) + ".billb"
		return nil, fmt.Errorf("%s is a model to compile first: billc compile %s -o %s, then billrun %s", path, path, out, out)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return &model{prog, path}, nil
}

func (m *model) Describe() runner.Description {
	p := m.prog
	return runner.Description{Name: p.Name(), Meta: p.Meta(), Labels: p.Labels(), Inputs: p.Inputs(), Outputs: p.Outputs(), ArenaBytes: p.ArenaBytes()}
}

// Inspect reads the file again, for what a program does not tell.
func (m *model) Inspect() (runner.Inspection, error) {
	file, err := os.ReadFile(m.path)
	if err != nil {
		return runner.Inspection{}, err
	}
	img, err := billb.Decode(file)
	if err != nil {
		return runner.Inspection{}, fmt.Errorf("%s: %w", m.path, err)
	}
	in := runner.Inspection{FileBytes: len(file), CertificateBytes: len(img.Certificate), Code: m.prog.Instructions()}
	for _, k := range img.Consts {
		in.WeightBytes += len(k.Data)
	}
	return in, nil
}

func (m *model) NewSession(opt runtime.Options) (runner.Session, error) {
	return m.prog.NewSession(opt)
}
