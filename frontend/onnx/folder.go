package onnx

import (
	"io/fs"
	"os"
	"path/filepath"
)

// folder is where the files beside a model are read from: the folder that its
// name is in and, when the model is a link, the one that it really lies in. A
// name that is a link itself must not lead out of them. So a cache that keeps a
// model and its data as links into a folder of blobs can be read.
type folder struct {
	dir        string // that the name is in
	named      *os.Root
	real       string // "" when the model is no link
	realFolder *os.Root
}

func openFolder(model string) (*folder, error) {
	f := &folder{dir: filepath.Dir(model)}
	var err error
	if f.named, err = os.OpenRoot(f.dir); err != nil {
		return nil, err
	}
	info, err := os.Lstat(model)
	if err != nil || info.Mode()&fs.ModeSymlink == 0 {
		return f, nil // reading the model says what is wrong
	}
	path, err := filepath.EvalSymlinks(model)
	if err != nil {
		return f, nil
	}
	if f.real, err = filepath.Abs(filepath.Dir(path)); err == nil {
		f.realFolder, err = os.OpenRoot(f.real)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

func (f *folder) Close() {
	f.named.Close()
	if f.realFolder != nil {
		f.realFolder.Close()
	}
}

func (f *folder) Open(name string) (fs.File, error) {
	return try(f, name, func(root *os.Root, name string) (fs.File, error) {
		file, err := root.Open(name)
		if err != nil {
			return nil, err // not a nil file in an interface
		}
		return file, nil
	})
}

func (f *folder) Stat(name string) (fs.FileInfo, error) {
	return try(f, name, (*os.Root).Stat)
}

// try does something with a file in the named folder, else with what a link
// there leads to, else with a file of this name in the real folder. When nothing
// works the error is that of the named folder.
func try[T any](f *folder, name string, do func(root *os.Root, name string) (T, error)) (T, error) {
	name = filepath.FromSlash(name)
	v, err := do(f.named, name)
	if err == nil || f.realFolder == nil {
		return v, err
	}
	for _, in := range []string{f.linked(name), name} {
		if in == "" {
			continue
		}
		if v, err := do(f.realFolder, in); err == nil {
			return v, nil
		}
	}
	return v, err
}

// linked is where in the real folder a link leads to, or "".
func (f *folder) linked(name string) string {
	path, err := filepath.EvalSymlinks(filepath.Join(f.dir, name))
	if err != nil {
		return ""
	}
	if path, err = filepath.Abs(path); err != nil {
		return ""
	}
	in, err := filepath.Rel(f.real, path)
	if err != nil || !filepath.IsLocal(in) {
		return ""
	}
	return in
}
