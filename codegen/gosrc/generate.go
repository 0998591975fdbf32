package gosrc

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"maps"
	"text/template"

	"github.com/billnet/billnet/runtime"
	"github.com/billnet/billnet/runtime/billb"
	"github.com/billnet/billnet/runtime/kernels"
)

// Options say how to write a package.
type Options struct {
	Package string   // its name; "" makes one of the model's name
	Golden  []Vector // what its test checks; nil: no test
	Small   bool     // leave out code of the model's own: smaller and slower

	// Certified adds a function CheckThresholds that compares the program's
	// thresholds with these.
	Certified []Certified

	// Profile adds a method that measures the instructions.
	Profile bool
}

// Vector is inputs and the outputs that the model gives for them, bit for bit:
// an entry for every port, in order, as little-endian bytes of dense elements.
// The generated test checks it. Those of a network of frames are steps, one after
// the other.
type Vector struct{ Inputs, Outputs [][]byte }

// Generate writes a package for a compiled model: the content of its files by
// name. It loads the image first, so that what it generates is known to run.
// The same image and options give the same files.
func Generate(img *billb.Image, opt Options) (map[string][]byte, error) {
	prog, err := load(img)
	if err != nil {
		return nil, err
	}
	if len(img.Regions) > 0 {
		return nil, fmt.Errorf("model %q runs on bands or in rolled-up steps, which generated Go does not have: compile it without a limit of memory and without pass roll-steps", img.Name)
	}
	m := &model{img: img, prog: prog}
	if m.Package, err = packageName(opt.Package, img.Name); err != nil {
		return nil, err
	}
	m.describe()
	lib := &library{spelled: map[string]bool{}}
	if err := errors.Join(
		lib.add("github.com/billnet/billnet/runtime/kernels", "k", kernels.Sources()),
		lib.add("github.com/billnet/billnet/runtime/billb", "b", billb.Sources()),
		lib.add("github.com/billnet/billnet/runtime", "r", runtime.Sources()),
	); err != nil {
		return nil, fmt.Errorf("BUG: reading the runtime's source: %w", err)
	}
	lib.renames(own)
	ops := lib.opcodes()

	files := map[string][]byte{}
	w := &writer{lib: lib, ops: ops, model: m, selectors: map[string]bool{}}
	write := []string{"model.go", "program.go"}
	if opt.Golden != nil {
		if files["golden.bin"], err = m.golden(opt.Golden); err != nil {
			return nil, err
		}
		write = append(write, "model_test.go")
	}
	if len(opt.Certified) > 0 {
		if files["certificate.bin"], err = m.certify(opt.Certified); err != nil {
			return nil, err
		}
		write = append(write, "certificate.go")
	}
	if opt.Profile {
		write = append(write, "profile.go")
	}
	if !opt.Small {
		maps.Copy(files, m.specialize())
	}
	if m.Special() {
		write = append(write, "special_amd64.go", "special_other.go")
	}
	for _, name := range write {
		if files[name], err = w.file(name + ".tmpl"); err != nil {
			return nil, err
		}
	}
	files["weights.bin"] = w.weights
	kept, err := lib.reach(w.needs, w.selectors, ops.keep(img))
	if err != nil {
		return nil, err
	}
	copied, err := lib.copyFiles(kept, m.Package)
	if err != nil {
		return nil, err
	}
	maps.Copy(files, copied)
	return files, nil
}

// load loads an image.
func load(img *billb.Image) (*runtime.Program, error) {
	data, err := img.Encode()
	if err != nil {
		return nil, fmt.Errorf("model %q: %w", img.Name, err)
	}
	prog, err := runtime.LoadBytes(data)
	if err != nil {
		return nil, fmt.Errorf("model %q: %w", img.Name, err)
	}
	return prog, nil
}

//go:embed *.tmpl
var templates embed.FS

// The packages whose sources are copied, in the order of their imports.
const (
	kernelsSource = iota
	billbSource
	runtimeSource
)

// writer executes templates and notes what they need of the runtime.
type writer struct {
	lib       *library
	ops       opcodeTable
	model     *model
	needs     []need
	selectors map[string]bool // names after a dot in what was written
	weights   []byte          // the constants so far
}

// file executes a template.
func (w *writer) file(name string) ([]byte, error) {
	t, err := template.New(name).Funcs(template.FuncMap{
		"r":         w.runtimeName,
		"k":         w.kernelsName,
		"b":         w.billbName,
		"header":    func() string { return header },
		"buffer":    w.buffer,
		"const":     w.constant,
		"instr":     w.instruction,
		"planeElem": planeElem,
		"geom":      w.geom,
	}).ParseFS(templates, name)
	if err != nil {
		return nil, fmt.Errorf("BUG: %w", err)
	}
	var b bytes.Buffer
	if err := t.Execute(&b, w.model); err != nil {
		return nil, fmt.Errorf("BUG: %w", err)
	}
	text, err := format.Source(b.Bytes())
	if err != nil {
		return nil, fmt.Errorf("BUG: %s: %w\n%s", name, err, b.Bytes())
	}
	tree, err := parser.ParseFile(token.NewFileSet(), name, text, parser.SkipObjectResolution)
	if err != nil {
		return nil, fmt.Errorf("BUG: %w", err)
	}
	ast.Inspect(tree, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok {
			w.selectors[s.Sel.Name] = true
		}
		return true
	})
	return text, nil
}

// runtimeName is what a package-level name of the runtime is called in the
// generated package, which will have it.
func (w *writer) runtimeName(name string) string { return w.name(w.lib.packages[runtimeSource], name) }

// kernelsName is runtimeName for package kernels.
func (w *writer) kernelsName(name string) string { return w.name(w.lib.packages[kernelsSource], name) }

// billbName is runtimeName for package billb.
func (w *writer) billbName(name string) string { return w.name(w.lib.packages[billbSource], name) }

func (w *writer) name(p *sourcePackage, name string) string {
	w.needs = append(w.needs, need{p, name})
	return p.named(name)
}

// packageName checks the name of a package, or makes one.
func packageName(asked, model string) (string, error) {
	if asked == "" {
		return identifier(model, false), nil
	}
	if !token.IsIdentifier(asked) || asked == "_" || asked == "main" {
		return "", fmt.Errorf("package name %q is not one a package can be imported with: use a Go identifier such as gesture", asked)
	}
	return asked, nil
}
