package atomicfile

import (
	"os"
	"path/filepath"
	"testing"
)

// A file that says something about another one is never there beside one that it
// says nothing about: the old one goes before the names are given.
func TestWriteBound(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	for _, v := range []string{"1", "2"} {
		if err := WriteBound(dir, File{"x", []byte(v)}, File{"x.labels", []byte(v)}); err != nil {
			t.Fatal(err)
		}
		if !Same(at("x"), []byte(v)) || !Same(at("x.labels"), []byte(v)) {
			t.Errorf("version %s is not written", v)
		}
	}
	if list := names(dir); len(list) != 2 {
		t.Errorf("the folder holds %v", list)
	}
	p := &pending{path: at("gone/x"), temp: at("nothing")} // cannot get its name
	if err := commit([]string{at("x.labels")}, p); err == nil {
		t.Error("no error")
	}
	if _, err := os.Stat(at("x.labels")); !os.IsNotExist(err) {
		t.Error("labels of 2 are there while something else is written")
	}
}
