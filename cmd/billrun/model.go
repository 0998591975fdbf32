package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"unicode"

	"github.com/billnet/billnet/runtime"
	"github.com/billnet/billnet/runtime/kernels"
)

// model is a loaded .billb file.
type model struct {
	path string
	prog *runtime.Program
}

func loadModel(path string) (*model, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if st, err := f.Stat(); err == nil && st.IsDir() {
		return nil, fmt.Errorf("%s is a folder, expected a .billb file", path)
	}
	prog, err := runtime.Load(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return &model{path, prog}, nil
}

// image reads the file again, for what a program does not tell.
func (m *model) image() (*runtime.Image, int, error) {
	file, err := os.ReadFile(m.path)
	if err != nil {
		return nil, 0, err
	}
	img, err := runtime.Decode(file)
	if err != nil {
		return nil, 0, fmt.Errorf("%s: %w", m.path, err)
	}
	return img, len(file), nil
}

// engine is the flags of a session.
type engine struct {
	Threads int
	ISA     string
}

func (e *engine) declare(f *flags) {
	e.Threads, e.ISA = 1, "best"
	f.count(&e.Threads, "threads", "N", "Threads that share the work of one run (default 1).")
	f.text(&e.ISA, "isa", "NAME", "Kernels to use: generic, avx2, avx512 or best (the default).")
}

const maxThreads = 256

// kernels is the instruction set that was asked for.
func (e engine) kernels() (kernels.ISA, error) {
	if e.ISA == "best" {
		return kernels.Best(), nil
	}
	isa, err := kernels.ParseISA(e.ISA)
	if err != nil {
		return 0, usagef("--isa: %v", err)
	}
	return isa, nil
}

func (e engine) session(m *model, profile bool) (*runtime.Session, error) {
	isa, err := e.kernels()
	if err != nil {
		return nil, err
	}
	if e.Threads < 1 || e.Threads > maxThreads {
		return nil, usagef("--threads %d: expected 1 to %d", e.Threads, maxThreads)
	}
	s, err := m.prog.NewSession(runtime.Options{Threads: e.Threads, ISA: isa.String(), Profile: profile})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", m.path, err)
	}
	return s, nil
}

// outputs makes room for the outputs of a run: the bytes as Session.Run takes
// them, and the same memory as values.
func (m *model) outputs() ([][]byte, []values) {
	var raw [][]byte
	var list []values
	for _, p := range m.prog.Outputs() {
		b := make([]byte, size(p.Shape)*p.Elem.Width())
		raw = append(raw, b)
		list = append(list, values{p.Name, p.Elem, p.Shape, b})
	}
	return raw, list
}

func size(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

// shapeText prints a shape as [1,3,8].
func shapeText(shape []int) string {
	s := make([]string, len(shape))
	for i, d := range shape {
		s[i] = strconv.Itoa(d)
	}
	return "[" + strings.Join(s, ",") + "]"
}

func portText(p runtime.Port) string {
	return plain(p.Name) + " " + p.Elem.String() + shapeText(p.Shape)
}

// plain replaces what could upset a terminal in a text that comes from a file.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, s)
}
