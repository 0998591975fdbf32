// Package atomicfile writes files and folders that appear whole or not at all.
//
// What is written goes to a temporary name beside its place, .NAME.XXXXXXXX.tmp,
// and is renamed when it is complete. So whoever reads meanwhile, and whenever
// the process is killed, what is there is old or new. A process that is killed
// may leave temporary files; the next one that writes the same name removes
// them, and leaves alone those that another process is still writing.
//
// A file that is replaced keeps its mode; a new one gets what the umask leaves. A
// link is followed: what it leads to is replaced. What is no file but a device
// or a pipe is written to directly.
package atomicfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// Write calls write with a temporary file, and renames it to path when all has
// gone well. A failure leaves an existing file as it was and the temporary one
// removed.
func Write(path string, write func(io.Writer) error) error { return replace(path, 0o666, write) }

// WriteBytes is Write for data that are there already.
func WriteBytes(path string, data []byte) error { return replace(path, 0o666, content(data)) }

// WriteProgram is WriteBytes for what can be executed.
func WriteProgram(path string, data []byte) error { return replace(path, 0o777, content(data)) }

func content(data []byte) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	}
}

func replace(path string, mode fs.FileMode, write func(io.Writer) error) error {
	path = Target(path)
	if info, err := os.Stat(path); err == nil && info.Mode()&(fs.ModeDevice|fs.ModeNamedPipe|fs.ModeSocket) != 0 {
		return cannot(path, direct(path, write))
	}
	p, err := prepare(path, mode, write)
	if err != nil {
		return err
	}
	defer p.discard()
	return commit(nil, p)
}

// direct writes to a device or a pipe.
func direct(path string, write func(io.Writer) error) error {
	if halted() {
		return ErrStopped
	}
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	return first(write(f), f.Close())
}

// cannot names the file that was to be written, in place of a temporary one.
func cannot(path string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("cannot write %s: %w", path, Reason(err))
}

// Reason is what went wrong with a file, without the file's name.
func Reason(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	var l *os.LinkError
	if errors.As(err, &l) {
		return l.Err
	}
	return err
}

// first is the first of some errors. Package errors would join them.
func first(list ...error) error {
	for _, err := range list {
		if err != nil {
			return err
		}
	}
	return nil
}

// Target is the file that is replaced under a name: what it leads to when it is a
// link, also when nothing is there yet.
func Target(path string) string {
	for range 40 { // as many links as systems follow
		to, err := os.Readlink(path)
		if err != nil {
			break
		}
		if !filepath.IsAbs(to) {
			to = filepath.Join(filepath.Dir(path), to)
		}
		path = to
	}
	return path
}

// File is a file of a set.
type File struct {
	Name string // in its folder, without one of its own
	Data []byte
}

// WriteSet writes files into a folder that is there. None gets its name before
// all are written.
func WriteSet(dir string, files []File) error {
	var list []File
	for _, f := range files {
		list = append(list, File{Target(filepath.Join(dir, f.Name)), f.Data})
	}
	return writeAll(list)
}

// WritePair writes a file, and another one that it cannot be read without. Until
// both have their names, PendingOf finds the second for whoever reads the first.
func WritePair(path string, data []byte, second string, secondData []byte) error {
	return writeAll([]File{{Target(path), data}, {Target(second), secondData}})
}

// WriteBound writes a file into a folder, and another one that says something about
// the first and nothing about any other. An old one of its name goes before, so that
// whenever the process is killed, the second is there beside its own first file or
// is missing.
func WriteBound(dir string, f, second File) error {
	path := Target(filepath.Join(dir, second.Name))
	return writeAll([]File{{Target(filepath.Join(dir, f.Name)), f.Data}, {path, second.Data}}, path)
}

// writeAll writes files by their paths, and removes others before. They wait in one temporary folder beside
// the first, which stays when it is killed after the first has its name.
func writeAll(files []File, others ...string) error {
	if len(files) == 0 {
		return nil
	}
	for _, f := range files {
		if info, err := os.Stat(f.Name); err == nil && !info.Mode().IsRegular() {
			return cannot(f.Name, errors.New("what is there is no regular file"))
		}
	}
	wait, err := NewFolder(files[0].Name)
	if err != nil {
		return err
	}
	var all []*pending
	defer func() {
		for _, p := range all {
			p.discard()
		}
		wait.Close()
	}()
	for _, f := range files {
		p := &pending{path: f.Name}
		err := p.create(func(name string) string {
			if filepath.Dir(f.Name) == filepath.Dir(files[0].Name) {
				return filepath.Join(wait.Path, filepath.Base(f.Name))
			}
			return name // a link leads elsewhere, perhaps to another file system
		}, 0o666, content(f.Data))
		if err != nil {
			return err
		}
		all = append(all, p)
	}
	defer locked(filepath.Dir(files[0].Name))()
	return commit(others, all...)
}

// PendingOf lists what may become the second file of a pair: whoever was writing
// it was killed, or is about to give it its name.
func PendingOf(path, second string) []string {
	var found []string
	for _, temp := range temporaries(path) {
		found = append(found, filepath.Join(temp, filepath.Base(second)))
	}
	return found
}

// temporaries lists the temporary files and folders of a name.
func temporaries(path string) []string {
	var found []string
	for _, name := range names(filepath.Dir(path)) {
		if isTempOf(name, filepath.Base(path)) {
			found = append(found, filepath.Join(filepath.Dir(path), name))
		}
	}
	return found
}

// names are those in a folder, in no order.
func names(dir string) []string {
	f, err := os.Open(dir)
	if err != nil {
		return nil
	}
	defer f.Close()
	list, _ := f.Readdirnames(-1)
	return list
}

// remove removes a file, or a folder with what is in it. Links are not followed.
// It is os.RemoveAll for temporary names, at a tenth of its size.
func remove(path string) {
	if os.Remove(path) == nil {
		return
	}
	if info, err := os.Lstat(path); err != nil || !info.IsDir() {
		return
	}
	for _, name := range names(path) {
		remove(filepath.Join(path, name))
	}
	os.Remove(path)
}

// pending is a file that waits for its name.
type pending struct {
	path string
	temp string
	file *os.File // open and locked until the file has its name or is gone
}

// prepare writes a temporary file for path.
func prepare(path string, mode fs.FileMode, write func(io.Writer) error) (*pending, error) {
	p := &pending{path: path}
	return p, p.create(func(name string) string { return name }, mode, write)
}

// create writes the file under a temporary name, which place may change.
func (p *pending) create(place func(name string) string, mode fs.FileMode, write func(io.Writer) error) error {
	err := unused(p.path, func(name string) (err error) {
		p.temp = place(name)
		if p.file, err = os.OpenFile(p.temp, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode); err == nil && !lock(p.file, p.temp) {
			p.file.Close()
			return fs.ErrExist
		}
		return err
	})
	if err != nil {
		return cannot(p.path, err)
	}
	register(p.temp)
	if err := first(write(p.file), p.keepMode(mode), p.file.Sync()); err != nil {
		p.discard()
		return cannot(p.path, err)
	}
	return nil
}

// keepMode gives the file the mode of the one that it will replace. What is to be
// executed can be wherever it can be read.
func (p *pending) keepMode(mode fs.FileMode) error {
	old, err := os.Stat(p.path)
	if err != nil {
		return nil // there is none
	}
	info, err := p.file.Stat()
	if err != nil {
		return err
	}
	perm := old.Mode().Perm()
	if perm |= mode & 0o111 & (perm >> 2); perm == info.Mode().Perm() {
		return nil
	}
	return p.file.Chmod(perm)
}

// unused calls create with names of temporary files for path until one of them is
// not taken.
func unused(path string, create func(name string) error) error {
	for {
		err := create(filepath.Join(filepath.Dir(path), fmt.Sprintf("%s%08x%s", tempPrefix(filepath.Base(path)), rand.Uint32(), tempSuffix)))
		if !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
}

// commit removes old files and gives new ones their names, in this order and
// without being stopped in between.
func commit(old []string, list ...*pending) error {
	state.Lock()
	defer state.Unlock()
	if state.stopped {
		return ErrStopped
	}
	for _, path := range old {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return cannot(path, err)
		}
	}
	for _, p := range list {
		if !locks {
			p.file.Close() // where an open file cannot be renamed
		}
		if err := os.Rename(p.temp, p.path); err != nil {
			return cannot(p.path, err)
		}
		delete(state.temps, p.temp)
		p.file.Close()
		p.file = nil
	}
	for _, p := range list {
		clean(p.path)
	}
	return nil
}

// discard removes the file, unless it has its name.
func (p *pending) discard() {
	if p.file == nil {
		return
	}
	p.file.Close()
	os.Remove(p.temp)
	forget(p.temp)
	p.file = nil
}

// Temporary names are cut so that long names have them too.
const (
	tempSuffix = ".tmp"
	tempLetter = 200
)

func tempPrefix(base string) string { return "." + base[:min(len(base), tempLetter)] + "." }

func isTempOf(name, base string) bool {
	rest, ok := strings.CutPrefix(name, tempPrefix(base))
	if !ok {
		return false
	}
	digits, ok := strings.CutSuffix(rest, tempSuffix)
	return ok && len(digits) == 8 && strings.Trim(digits, "0123456789abcdef") == ""
}

// clean removes the temporary files and folders of path that nobody writes any
// more.
func clean(path string) {
	for _, temp := range temporaries(path) {
		sweep(temp)
	}
}

// ErrStopped says that nothing is written any more.
var ErrStopped = errors.New("stopped before it was written")

// state is what Stop ends: the temporary files and folders of this process.
var state struct {
	sync.Mutex
	stopped bool
	temps   map[string]bool
}

// Stop ends all writing of this process: the temporary files are removed, and
// nothing that is still being written gets its name.
func Stop() {
	state.Lock()
	defer state.Unlock()
	state.stopped = true
	for temp := range state.temps {
		remove(temp)
	}
}

// Resume takes Stop back, for tests: a program ends after it.
func Resume() {
	state.Lock()
	defer state.Unlock()
	state.stopped = false
}

func halted() bool {
	state.Lock()
	defer state.Unlock()
	return state.stopped
}

func register(temp string) {
	state.Lock()
	defer state.Unlock()
	if state.temps == nil {
		state.temps = map[string]bool{}
	}
	state.temps[temp] = true
	if state.stopped {
		remove(temp)
	}
}

func forget(temp string) {
	state.Lock()
	defer state.Unlock()
	delete(state.temps, temp)
}

// Same reports whether a file holds these data already.
func Same(path string, data []byte) bool {
	old, err := os.ReadFile(path)
	return err == nil && bytes.Equal(old, data)
}
