package atomicfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// Folder is a folder that is being made.
type Folder struct {
	Path string // where to write its files meanwhile
	dir  string
	lock *os.File
}

// NewFolder begins a folder, beside the place that it will have.
func NewFolder(dir string) (*Folder, error) {
	dir = filepath.Clean(Target(dir))
	f := &Folder{dir: dir}
	err := unused(dir, func(name string) (err error) {
		f.Path = name
		if err := os.Mkdir(name, 0o777); err != nil || !locks {
			return err
		}
		// Until it is locked, another process may take it for abandoned.
		f.lock, err = os.Open(name)
		if err == nil && !lock(f.lock, name) {
			f.lock.Close()
			err = fs.ErrNotExist
		}
		if errors.Is(err, fs.ErrNotExist) {
			return fs.ErrExist // try another name
		}
		return err
	})
	if err != nil {
		return nil, cannot(dir, err)
	}
	register(f.Path)
	return f, nil
}

// Write writes a file into the folder, in folders below it as its name says.
func (f *Folder) Write(name string, data []byte) error {
	path := filepath.Join(f.Path, filepath.FromSlash(name))
	err := os.MkdirAll(filepath.Dir(path), 0o777)
	if err == nil {
		err = os.WriteFile(path, data, 0o666)
	}
	return cannot(filepath.Join(f.dir, filepath.FromSlash(name)), err)
}

// Commit puts the folder in its place. An existing folder is replaced: in one
// step on Linux, where the file system can do that, else with a moment in which
// there is none.
func (f *Folder) Commit() error {
	if err := f.place(); err != nil {
		return cannot(f.dir, err)
	}
	f.Close() // the folder that was there
	clean(f.dir)
	return nil
}

func (f *Folder) place() error {
	state.Lock()
	defer state.Unlock()
	if state.stopped {
		return ErrStopped
	}
	info, err := os.Stat(f.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return os.Rename(f.Path, f.dir)
	}
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return errors.New("a file has that name")
	}
	if err := os.Chmod(f.Path, info.Mode().Perm()); err != nil {
		return err
	}
	return swap(f.Path, f.dir)
}

// swap exchanges two folders.
func swap(a, b string) error {
	if exchange(a, b) == nil {
		return nil
	}
	aside := a + ".old"
	if err := os.Rename(b, aside); err != nil {
		return err
	}
	if err := os.Rename(a, b); err != nil {
		if back := os.Rename(aside, b); back != nil {
			return fmt.Errorf("%v; what was there is in %s (%v)", Reason(err), aside, Reason(back))
		}
		return err
	}
	return os.Rename(aside, a)
}

// Close removes what has the temporary name.
func (f *Folder) Close() {
	remove(f.Path)
	forget(f.Path)
	if f.lock != nil {
		f.lock.Close()
	}
}

// WriteFolder makes a folder of files, in place of one that may be there.
func WriteFolder(dir string, files map[string][]byte) error {
	f, err := NewFolder(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	for name, data := range files {
		if err := f.Write(name, data); err != nil {
			return err
		}
	}
	return f.Commit()
}

// WriteInto writes files into a folder, which is made when it is not there. They
// appear together where the folder holds nothing else and is not the current
// one, else one after the other when all are written.
func WriteInto(dir string, files []File) error {
	if !replaceable(dir, files) {
		return WriteSet(dir, files)
	}
	if err := os.MkdirAll(filepath.Dir(filepath.Clean(dir)), 0o777); err != nil {
		return cannot(dir, err)
	}
	all := map[string][]byte{}
	for _, f := range files {
		all[f.Name] = f.Data
	}
	return WriteFolder(dir, all)
}

// replaceable reports whether a folder that is not there, or holds no other
// files than those of a set, may be replaced as a whole.
func replaceable(dir string, files []File) bool {
	info, err := os.Stat(dir)
	if err != nil {
		return true
	}
	if here, err := os.Stat("."); err == nil && os.SameFile(info, here) || len(files) < 2 {
		return false
	}
	return !slices.ContainsFunc(names(dir), func(name string) bool {
		return !slices.ContainsFunc(files, func(f File) bool { return f.Name == name })
	})
}

// TempDir makes a folder for work that is thrown away, among the system's
// temporary files; those that killed processes left under the same name are
// removed. Close removes it.
func TempDir(name string) (*Folder, error) {
	path := filepath.Join(os.TempDir(), name)
	clean(path)
	return NewFolder(path)
}
