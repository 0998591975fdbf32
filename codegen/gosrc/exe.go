package gosrc

import (
	"bytes"
	"embed"
	"fmt"
	"go/format"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"text/template"

	"github.com/billnet/billnet/cmd"
	"github.com/billnet/billnet/runtime"
	"github.com/billnet/billnet/runtime/clip"
)

// ExeOptions say what an executable carries beside the model.
type ExeOptions struct {
	Certified []Certified
	Samples   [][][]byte // what the model gives for samples 0, 1, ... (runtime.Sample): an entry for every output
	Golden    []Vector   // more inputs and outputs for the self-test
	Small     bool       // see Options
}

// Executable writes the source of a program that holds a compiled model, reads
// clips and prints results as billrun does: the content of the files of a module
// without dependencies, by path.
//
//	main         cmd/billrun's declarations, as far as they are reached, and those of the folder exe
//	network      the generated package
//	runtime      the little of package runtime that the program needs, around the network
//	clip         the clip reader
func Executable(img *runtime.Image, opt ExeOptions) (map[string][]byte, error) {
	network, err := Generate(img, Options{Package: "network", Certified: opt.Certified, Small: opt.Small, Profile: true})
	if err != nil {
		return nil, err
	}
	m := &model{Package: "network", img: img, Samples: len(opt.Samples)}
	m.describe()
	golden, err := m.selftest(opt)
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{
		"go.mod":     []byte("module executable\n\ngo 1.26\n"),
		"golden.bin": golden,
	}
	if len(opt.Certified) == 0 {
		network["certificate.go"] = []byte(header + "\npackage network\n\n// CheckThresholds has nothing to check: no layer has thresholds.\nfunc CheckThresholds() (int, error) { return 0, nil }\n")
	}
	for _, part := range []struct {
		folder string
		files  func() (map[string][]byte, error)
	}{
		{"network/", func() (map[string][]byte, error) { return network, nil }},
		{"clip/", clipFiles},
		{"", m.mainFiles},
		{"runtime/", m.runtimeFiles},
	} {
		list, err := part.files()
		if err != nil {
			return nil, err
		}
		for name, text := range list {
			files[part.folder+name] = text
		}
	}
	return files, nil
}

// selftest writes the outputs for samples, and the vectors.
func (m *model) selftest(opt ExeOptions) ([]byte, error) {
	var b []byte
	for i, outputs := range opt.Samples {
		if len(outputs) != len(m.Outputs) {
			return nil, fmt.Errorf("sample %d has %d outputs, the model has %d", i, len(outputs), len(m.Outputs))
		}
		for k, p := range m.Outputs {
			if n := len(outputs[k]); n != p.Count*p.Width {
				return nil, fmt.Errorf("sample %d: %q has %d bytes, expected %d for %s", i, p.Name, n, p.Count*p.Width, p.Text)
			}
			b = append(b, outputs[k]...)
		}
	}
	vectors, err := m.golden(opt.Golden)
	return append(b, vectors...), err
}

// exeSources is the program's own part of the main package.
//
//go:embed exe/*.go
var exeSources embed.FS

// place of packages in the module of an executable.
var exeImports = map[string]string{
	"github.com/billnet/billnet/runtime":      "executable/runtime",
	"github.com/billnet/billnet/runtime/clip": "executable/clip",
	"github.com/billnet/billnet/network":      "executable/network",
}

// mainFiles are those of the main package.
func (m *model) mainFiles() (map[string][]byte, error) {
	billrun, err := fs.Sub(cmd.Sources, "billrun")
	if err != nil {
		return nil, fmt.Errorf("BUG: %w", err)
	}
	own, err := fs.Sub(exeSources, "exe")
	if err != nil {
		return nil, fmt.Errorf("BUG: %w", err)
	}
	lib := &library{spelled: map[string]bool{}}
	if err := lib.add("main", "", overlay{own, billrun}); err != nil {
		return nil, fmt.Errorf("BUG: reading billrun's source: %w", err)
	}
	p := lib.packages[0]
	p.override("exe_")
	for _, f := range p.files {
		if f.constraint == "//go:build ignore" {
			f.constraint = ""
		}
		for name, path := range f.imports {
			if to, ok := exeImports[path]; ok {
				f.imports[name] = to
			}
		}
	}
	kept, err := lib.reach([]need{{p, "main"}}, map[string]bool{"Run": true}, func(*unit) bool { return false })
	if err != nil {
		return nil, err
	}
	copied, err := lib.copyFiles(kept, "main")
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	for name, text := range copied {
		files[strings.TrimPrefix(name, "main_")] = text
	}
	files["exe_data.go"], err = m.execute("exe_data.go.tmpl")
	return files, err
}

// overlay is the files of two folders; those of the first are called exe_.
type overlay struct{ own, base fs.FS }

func (o overlay) Open(name string) (fs.File, error) {
	if own, ok := strings.CutPrefix(name, "exe_"); ok {
		return o.own.Open(own)
	}
	return o.base.Open(name)
}

func (o overlay) ReadDir(name string) ([]fs.DirEntry, error) {
	own, err := fs.ReadDir(o.own, name)
	if err != nil {
		return nil, err
	}
	base, err := fs.ReadDir(o.base, name)
	if err != nil {
		return nil, err
	}
	var list []fs.DirEntry
	for _, e := range own {
		list = append(list, renamed{e, "exe_" + e.Name()})
	}
	return append(list, base...), nil
}

type renamed struct {
	fs.DirEntry
	name string
}

func (r renamed) Name() string { return r.name }

// override removes the declarations that are also in files whose names begin
// with prefix from all others.
func (p *sourcePackage) override(prefix string) {
	own := map[string]bool{}
	key := func(u *unit, name string) string {
		for t, list := range p.methods {
			if slices.Contains(list, u) {
				return t + "." + u.method
			}
		}
		return name
	}
	keys := func(u *unit) []string {
		if u.method != "" {
			return []string{key(u, "")}
		}
		return u.names
	}
	isOwn := func(u *unit) bool { return strings.HasPrefix(u.file.name, prefix) }
	for _, f := range p.files {
		for _, u := range f.units {
			for _, k := range keys(u) {
				own[k] = own[k] || isOwn(u)
			}
		}
	}
	gone := func(u *unit) bool {
		return !isOwn(u) && slices.ContainsFunc(keys(u), func(k string) bool { return own[k] })
	}
	for _, f := range p.files {
		f.units = slices.DeleteFunc(slices.Clone(f.units), gone)
	}
	for n, list := range p.decls {
		p.decls[n] = slices.DeleteFunc(slices.Clone(list), gone)
	}
	methods := maps.Clone(p.methods) // gone asks p.methods
	for t, list := range methods {
		methods[t] = slices.DeleteFunc(slices.Clone(list), gone)
	}
	p.methods = methods
}

// runtimeFiles are those of the program's package runtime: declarations of the
// real one, and a Program and Session around the network.
func (m *model) runtimeFiles() (map[string][]byte, error) {
	lib := &library{spelled: map[string]bool{}}
	if err := lib.add("runtime", "", runtime.Sources); err != nil {
		return nil, fmt.Errorf("BUG: reading the runtime's source: %w", err)
	}
	var needs []need
	for _, name := range []string{"Port", "Elem", "Bytes", "Sample"} {
		needs = append(needs, need{lib.packages[0], name})
	}
	kept, err := lib.reach(needs, map[string]bool{"Width": true}, func(*unit) bool { return false })
	if err != nil {
		return nil, err
	}
	files, err := lib.copyFiles(kept, "runtime")
	if err != nil {
		return nil, err
	}
	files["program.go"], err = m.execute("exe_runtime.go.tmpl")
	return files, err
}

// clipFiles are those of the clip reader, as they are.
func clipFiles() (map[string][]byte, error) {
	entries, err := fs.ReadDir(clip.Sources, ".")
	if err != nil {
		return nil, fmt.Errorf("BUG: %w", err)
	}
	files := map[string][]byte{}
	for _, e := range entries {
		if name := e.Name(); !strings.HasSuffix(name, "_test.go") && name != "embed.go" {
			if files[name], err = fs.ReadFile(clip.Sources, name); err != nil {
				return nil, fmt.Errorf("BUG: %w", err)
			}
		}
	}
	return files, nil
}

// execute executes a template that needs nothing of the runtime.
func (m *model) execute(name string) ([]byte, error) {
	t, err := template.New(name).Funcs(template.FuncMap{
		"header": func() string { return header },
		"elem":   func(e runtime.Elem) string { return elemNames[e] },
		"ints":   ints[int],
	}).ParseFS(templates, name)
	if err != nil {
		return nil, fmt.Errorf("BUG: %w", err)
	}
	var b bytes.Buffer
	if err := t.Execute(&b, m); err != nil {
		return nil, fmt.Errorf("BUG: %w", err)
	}
	return formatted(name, b.Bytes())
}

func formatted(name string, text []byte) ([]byte, error) {
	out, err := format.Source(text)
	if err != nil {
		return nil, fmt.Errorf("BUG: %s: %w\n%s", name, err, text)
	}
	return out, nil
}

// Header begins every generated file of text.
const Header = header
