package onnx

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// Files beside a model that is a link are found beside the link, where links
// beside it lead to in the real folder, and in the real folder; nowhere else.
func TestFolderOfLink(t *testing.T) {
	root := t.TempDir()
	snapshot, blobs, outside := filepath.Join(root, "snapshots", "abc"), filepath.Join(root, "blobs"), filepath.Join(root, "outside")
	for path, text := range map[string]string{
		filepath.Join(snapshot, "plain"):       "plain",
		filepath.Join(blobs, "111"):            "model",
		filepath.Join(blobs, "222"):            "data",
		filepath.Join(blobs, "deep", "w"):      "deep",
		filepath.Join(blobs, "beside"):         "beside",
		filepath.Join(outside, "secret"):       "secret",
		filepath.Join(root, "blobs2", "222"):   "other",
		filepath.Join(snapshot, "m2", "model"): "model",
	} {
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	for link, to := range map[string]string{
		"m.onnx": "../../blobs/111", "m.data": "../../blobs/222", "deep": "../../blobs/deep", "twice": "m.data",
		"out": "../../outside/secret", "outfolder": "../../outside", "near": "../../blobs2/222", "gone": "../../blobs/333",
	} {
		if err := os.Symlink(to, filepath.Join(snapshot, link)); err != nil {
			t.Skipf("no symbolic links here: %v", err)
		}
	}
	if err := os.Symlink("../outside/secret", filepath.Join(blobs, "leak")); err != nil {
		t.Fatal(err)
	}
	dir, err := openFolder(filepath.Join(snapshot, "m.onnx"))
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	for name, want := range map[string]string{
		"plain": "plain", "m.data": "data", "deep/w": "deep", "twice": "data", "beside": "beside", "222": "data", "m2/model": "model",
		"out": "", "outfolder/secret": "", "near": "", "gone": "", "leak": "", "none": "",
	} {
		got, err := fs.ReadFile(dir, name)
		if string(got) != want || (err == nil) != (want != "") {
			t.Errorf("%s: %q, %v; want %q", name, got, err, want)
		}
		if _, err := fs.Stat(dir, name); (err == nil) != (want != "") {
			t.Errorf("%s: stat: %v", name, err)
		}
	}
	// A model that is no link has its own folder alone.
	plain, err := openFolder(filepath.Join(snapshot, "plain"))
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	if _, err := fs.ReadFile(plain, "m.data"); err == nil {
		t.Error("a link out of the folder of a model that is none is followed")
	}
}
