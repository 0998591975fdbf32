package bill

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/billnet/billnet/ir"
)

func moduleWith(elems int) *ir.Module {
	b := &ir.Builder{F: &ir.Func{Name: "main"}}
	b.F.Results = []ir.Port{{Name: "y", Value: b.Const(sampleTensor(ir.T(ir.I16, elems)))}}
	return &ir.Module{Name: "m", Level: ir.Source, Funcs: []*ir.Func{b.F}}
}

func names(t *testing.T, dir string) string {
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var s []string
	for _, e := range entries {
		s = append(s, e.Name())
	}
	return strings.Join(s, " ")
}

func TestWriteFile(t *testing.T) {
	for elems, want := range map[int]string{3: "model.bill", 300: "model.bill model.bill.data"} {
		dir := t.TempDir()
		path := filepath.Join(dir, "model.bill")
		for range 2 { // a second time over the first
			if err := WriteFile(path, moduleWith(elems)); err != nil {
				t.Fatal(err)
			}
		}
		m, err := ParseFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if d := Equal(moduleWith(elems), m); d != "" {
			t.Error(d)
		}
		if m.Main().Nodes[0].Loc.File != path {
			t.Errorf("location in %q", m.Main().Nodes[0].Loc.File)
		}
		if got := names(t, dir); got != want {
			t.Errorf("the folder holds %s, expected %s", got, want)
		}
	}
}

func TestWriteFileFails(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "model.bill")
	m := moduleWith(300)
	m.Funcs[0].Results[0].Value = &ir.Value{}
	if err := WriteFile(path, m); err == nil || !strings.Contains(err.Error(), "is not written") {
		t.Errorf("a broken module: %v", err)
	}
	if err := os.MkdirAll(filepath.Join(path, "in the way"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := WriteFile(path, moduleWith(3)); err == nil {
		t.Error("a folder was written over")
	}
	if got := names(t, dir); got != "model.bill" {
		t.Errorf("the folder holds %s", got)
	}
	if err := WriteFile(filepath.Join(dir, "none", "model.bill"), moduleWith(3)); err == nil {
		t.Error("written into no folder")
	}
}

// A side file is read from the text's folder and from nowhere else.
func TestSideFileStaysInside(t *testing.T) {
	outer := t.TempDir()
	dir := filepath.Join(outer, "in")
	if err := os.MkdirAll(filepath.Join(dir, "sub"), 0o755); err != nil {
		t.Fatal(err)
	}
	data := bytes.Repeat([]byte{1}, 40)
	for _, name := range []string{"secret", "in/ok.data", "in/sub/ok.data"} {
		if err := os.WriteFile(filepath.Join(outer, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	links := map[string]string{"out": "../secret", "up": "..", "far": filepath.Join(outer, "secret"), "inside": "sub/ok.data"}
	for name, target := range links {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Skipf("no symbolic links here: %v", err)
		}
	}
	for name, ok := range map[string]bool{
		"ok.data": true, "sub/ok.data": true, "inside": true,
		"../secret": false, "sub/../ok.data": false, "sub/../../secret": false, filepath.Join(outer, "secret"): false,
		"out": false, "far": false, "up/secret": false, "sub": false, "": false, ".": false, "none": false, "a\x00b": false,
	} {
		text := fmt.Sprintf("bill 1\nmodule \"m\" level=source\ndata %q size=%d crc32c=%d\nfunc @main() {\n  %%1 = const @0 : i16[20]\n  return %%1 \"y\"\n}\n",
			name, len(data), ir.Checksum(data))
		path := filepath.Join(dir, "model.bill")
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		_, err := ParseFile(path)
		if (err == nil) != ok {
			t.Errorf("side file %q: %v", name, err)
		}
		if err != nil && !strings.HasPrefix(err.Error(), path+":3:6: side file ") {
			t.Errorf("side file %q: error %v", name, err)
		}
	}
}

func TestParseFileMissing(t *testing.T) {
	if _, err := ParseFile(filepath.Join(t.TempDir(), "none", "m.bill")); err == nil {
		t.Error("no error")
	}
	if _, err := ParseFile(filepath.Join(t.TempDir(), "m.bill")); err == nil || !strings.Contains(err.Error(), "m.bill") {
		t.Errorf("error: %v", err)
	}
	if _, err := ParseFile(t.TempDir()); err == nil {
		t.Error("a folder was read")
	}
}
