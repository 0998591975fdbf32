package atomicfile

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A write that fails leaves the old file and nothing else.
func TestWrite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	if err := WriteBytes(path, []byte("old")); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("broken")
	if err := Write(path, func(w io.Writer) error { w.Write([]byte("ne")); return broken }); !errors.Is(err, broken) {
		t.Errorf("the error is %v", err)
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != "old" {
		t.Errorf("the file holds %q, %v", got, err)
	}
	if err := WriteBytes(path, []byte("new")); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != "new" {
		t.Errorf("the file holds %q, %v", got, err)
	}
	list, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(list) != 1 {
		t.Errorf("the folder holds %v, %v", list, err)
	}
}

// An error names what was to be written, and no temporary file.
func TestErrors(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := WriteBytes(file, nil); err != nil {
		t.Fatal(err)
	}
	none := filepath.Join(dir, "none", "f")
	for _, c := range []struct {
		path string
		err  error
	}{
		{none, WriteBytes(none, nil)},
		{none, WritePair(none, nil, none+".data", nil)},
		{none, WriteSet(filepath.Dir(none), []File{{"f", nil}})},
		{none, WriteFolder(none, nil)},
		{file, WriteFolder(file, nil)},
		{dir, WriteSet(filepath.Dir(dir), []File{{filepath.Base(dir), nil}})},
	} {
		if c.err == nil || !strings.HasPrefix(c.err.Error(), "cannot write "+c.path+": ") || strings.Contains(c.err.Error(), tempSuffix) {
			t.Errorf("%s: the error is %v", c.path, c.err)
		}
	}
}

// A new file gets what the umask leaves, a replaced one keeps its mode, and a
// program can be executed wherever it can be read.
func TestModes(t *testing.T) {
	dir := t.TempDir()
	plain := filepath.Join(dir, "plain")
	if err := os.WriteFile(plain, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	umask, err := os.Stat(plain)
	if err != nil {
		t.Fatal(err)
	}
	mode := func(path string) os.FileMode {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return info.Mode().Perm()
	}
	for _, c := range []struct {
		name  string
		old   os.FileMode // 0: there is none
		write func(string, []byte) error
		want  os.FileMode
	}{
		{"new", 0, WriteBytes, umask.Mode().Perm()},
		{"private", 0o600, WriteBytes, 0o600},
		{"readonly", 0o444, WriteBytes, 0o444},
		{"executable", 0o750, WriteBytes, 0o750},
		{"program", 0o640, WriteProgram, 0o750},
	} {
		path := filepath.Join(dir, c.name)
		if c.old != 0 {
			if err := os.WriteFile(path, []byte("old"), 0o666); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(path, c.old); err != nil {
				t.Fatal(err)
			}
		}
		if err := c.write(path, []byte("new")); err != nil {
			t.Fatal(err)
		}
		if got := mode(path); got != c.want {
			t.Errorf("%s: mode %o, want %o", c.name, got, c.want)
		}
	}
}

// What a link leads to is replaced, also when it is not there yet.
func TestLinks(t *testing.T) {
	dir := t.TempDir()
	link := filepath.Join(dir, "link")
	if err := os.Symlink("real", link); err != nil {
		t.Skipf("no symbolic links here: %v", err)
	}
	for _, text := range []string{"one", "two"} {
		if err := WriteBytes(link, []byte(text)); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(filepath.Join(dir, "real")); string(got) != text {
			t.Errorf("%q, %v", got, err)
		}
		if to, err := os.Readlink(link); to != "real" {
			t.Errorf("the link leads to %q, %v", to, err)
		}
	}
}

// A set is written as a whole or not at all.
func TestWriteSet(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "b"), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "a"), []byte("old"), 0o666); err != nil {
		t.Fatal(err)
	}
	set := []File{{"a", []byte("new")}, {"b", []byte("new")}}
	if err := WriteSet(dir, set); err == nil {
		t.Error("a folder is in the way, and there is no error")
	}
	if got, _ := os.ReadFile(filepath.Join(dir, "a")); string(got) != "old" {
		t.Errorf("the file holds %q", got)
	}
	os.Remove(filepath.Join(dir, "b"))
	if err := WriteSet(dir, set); err != nil {
		t.Error(err)
	}
	for _, f := range set {
		if !Same(filepath.Join(dir, f.Name), f.Data) {
			t.Errorf("%s is not written", f.Name)
		}
	}
	if list := names(dir); len(list) != 2 {
		t.Errorf("the folder holds %v", list)
	}
}

// Folders are replaced as a whole where nothing else is in them.
func TestWriteInto(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "folder")
	set := func(text string) []File { return []File{{"a", []byte(text)}, {"b", []byte(text)}} }
	for _, text := range []string{"one", "two"} {
		if err := WriteInto(dir, set(text)); err != nil {
			t.Fatal(err)
		}
		if !Same(filepath.Join(dir, "a"), []byte(text)) || !Same(filepath.Join(dir, "b"), []byte(text)) {
			t.Errorf("%s is not written", text)
		}
	}
	mine := filepath.Join(dir, "mine")
	if err := os.WriteFile(mine, []byte("kept"), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := WriteInto(dir, set("three")); err != nil {
		t.Fatal(err)
	}
	if !Same(mine, []byte("kept")) || !Same(filepath.Join(dir, "b"), []byte("three")) {
		t.Error("a file of someone else's is lost, or nothing was written")
	}
	if list := names(filepath.Dir(dir)); len(list) != 1 {
		t.Errorf("beside the folder there are %v", list)
	}
}

// Until a pair is in place, its second file can be found.
func TestPending(t *testing.T) {
	dir := t.TempDir()
	first, second := filepath.Join(dir, "x"), filepath.Join(dir, "x.data")
	wait := filepath.Join(dir, ".x.0123abcd.tmp")
	if err := os.MkdirAll(wait, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(wait, "x.data"), []byte("left"), 0o666); err != nil {
		t.Fatal(err)
	}
	if got := PendingOf(first, second); len(got) != 1 || !Same(got[0], []byte("left")) {
		t.Errorf("found %v", got)
	}
	if err := WritePair(first, []byte("1"), second, []byte("2")); err != nil {
		t.Fatal(err)
	}
	if got := PendingOf(first, second); locks && len(got) != 0 {
		t.Errorf("%v are left", got)
	}
	if !Same(first, []byte("1")) || !Same(second, []byte("2")) {
		t.Error("the pair is not written")
	}
}

// Writers of the same names at the same time neither fail nor mix, nor take each
// other's temporary files for abandoned ones.
func TestManyWriters(t *testing.T) {
	dir := t.TempDir()
	first, second := filepath.Join(dir, "x"), filepath.Join(dir, "x.data")
	done := make(chan error)
	const writers, times = 8, 50
	for w := range writers {
		go func() {
			text := []byte{byte('a' + w)}
			for range times {
				if err := WritePair(first, text, second, text); err != nil {
					done <- err
					return
				}
				if err := WriteInto(filepath.Join(dir, "folder"), []File{{"a", text}, {"b", text}}); err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
	}
	for range writers {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	for _, pair := range [][2]string{{first, second}, {filepath.Join(dir, "folder", "a"), filepath.Join(dir, "folder", "b")}} {
		text, err := os.ReadFile(pair[0])
		if err != nil || !Same(pair[1], text) {
			t.Errorf("%s and %s are of two writers: %v", pair[0], pair[1], err)
		}
	}
	if list := names(dir); locks && len(list) != 3 {
		t.Errorf("the folder holds %v", list)
	}
}
