package gosrc

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"go/format"
	"maps"
	"strings"
	"text/template"

	"github.com/billnet/billnet/internal/atomicfile"
	"github.com/billnet/billnet/internal/infile"
	"github.com/billnet/billnet/internal/plain"
	"github.com/billnet/billnet/internal/runner"
	"github.com/billnet/billnet/internal/suggest"
	"github.com/billnet/billnet/runtime"
	"github.com/billnet/billnet/runtime/billb"
	"github.com/billnet/billnet/runtime/clip"
)

// ExeOptions say what an executable carries beside the model.
type ExeOptions struct {
	Certified []Certified
	Samples   [][][]byte // what the model gives for samples 0, 1, ... (runtime.Sample), one after the other: an entry for every output
	Golden    []Vector   // more inputs and outputs for the self-test
	Small     bool       // see Options
}

// Executable writes the source of a program that holds a compiled model, reads
// clips and prints results as billrun does: the content of the files of a module
// without dependencies, by path.
//
//	main             the network as package runner sees it
//	network          the generated package
//	internal         the command line and what it needs, as they are
//	runtime          the little of package runtime that the others need
//	runtime/clip     the clip reader, as it is
func Executable(img *billb.Image, opt ExeOptions) (map[string][]byte, error) {
	network, err := Generate(img, Options{Package: "network", Certified: opt.Certified, Small: opt.Small, Profile: true})
	if err != nil {
		return nil, err
	}
	prog, err := load(img)
	if err != nil {
		return nil, err
	}
	m := &model{Package: "network", img: img, prog: prog, Samples: len(opt.Samples)}
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
	for name, text := range network {
		files["network/"+name] = text
	}
	if files["main.go"], err = m.execute("exe_main.go.tmpl"); err != nil {
		return nil, err
	}
	copied, err := verbatimFiles()
	if err != nil {
		return nil, err
	}
	maps.Copy(files, copied)
	if copied, err = runtimeFiles(); err != nil {
		return nil, err
	}
	for name, text := range copied {
		files["runtime/"+name] = text
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

// module is the import path of the repository; in an executable the same paths
// begin with executable/.
const module = "github.com/billnet/billnet/"

// verbatim are the packages that an executable has as they are.
var verbatim = []struct {
	path  string
	files embed.FS
}{
	{"internal/runner", runner.Sources()},
	{"internal/atomicfile", atomicfile.Sources()},
	{"internal/infile", infile.Sources()},
	{"internal/plain", plain.Sources()},
	{"internal/suggest", suggest.Sources()},
	{"runtime/clip", clip.Sources()},
}

// verbatimFiles are those packages' files by path, without tests.
func verbatimFiles() (map[string][]byte, error) {
	files := map[string][]byte{}
	for _, p := range verbatim {
		entries, err := p.files.ReadDir(".")
		if err != nil {
			return nil, fmt.Errorf("BUG: %w", err)
		}
		for _, e := range entries {
			if strings.HasSuffix(e.Name(), "_test.go") || e.Name() == "embed.go" {
				continue
			}
			text, err := p.files.ReadFile(e.Name())
			if err != nil {
				return nil, fmt.Errorf("BUG: %w", err)
			}
			files[p.path+"/"+e.Name()] = bytes.ReplaceAll(text, []byte(`"`+module), []byte(`"executable/`))
		}
	}
	return files, nil
}

// runtimeFiles are the declarations of package runtime that package runner and
// the main package mention, and those of package billb that these lead to, as one
// package.
func runtimeFiles() (map[string][]byte, error) {
	lib := &library{spelled: map[string]bool{}}
	if err := errors.Join(
		lib.add(module+"runtime/billb", "", billb.Sources()),
		lib.add(module+"runtime", "", runtime.Sources()),
		lib.add(module+"internal/runner", "", runner.Sources()),
	); err != nil {
		return nil, fmt.Errorf("BUG: reading the runtime's source: %w", err)
	}
	from, user := lib.packages[1], lib.packages[2]
	needs := []need{{from, "Options"}, {from, "Port"}, {from, "InstrInfo"}, {from, "InstrTime"}, {from, "Bytes"}}
	selectors := map[string]bool{}
	for _, f := range user.files {
		for _, u := range f.units {
			maps.Copy(selectors, u.selectors)
			for _, m := range u.mentions {
				if m.pkg == from {
					needs = append(needs, need{from, m.name})
				}
			}
		}
	}
	kept, err := lib.reach(needs, selectors, func(*unit) bool { return false })
	if err != nil {
		return nil, err
	}
	return lib.copyFiles(kept, "runtime")
}

// execute executes a template that needs nothing of the runtime.
func (m *model) execute(name string) ([]byte, error) {
	t, err := template.New(name).Funcs(template.FuncMap{
		"header":  func() string { return header },
		"elem":    func(e runtime.Elem) string { return elemNames[e] },
		"ints":    ints,
		"strings": func(list []string) string { return fmt.Sprintf("%#v", list) },
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
