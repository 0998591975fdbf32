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
		return direct(path, write)
	}
	p, err := prepare(path, mode, write)
	if err != nil {
		return err
	}
	defer p.discard()
	return commit(p)
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

// WriteSet writes files into a folder that is there. None is renamed before all
// are written.
func WriteSet(dir string, files []File) error {
	var all []*pending
	defer func() {
		for _, p := range all {
			p.discard()
		}
	}()
	for _, f := range files {
		path := Target(filepath.Join(dir, f.Name))
		if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
			return fmt.Errorf("%s is there and is no regular file", path)
		}
		p, err := prepare(path, 0o666, content(f.Data))
		if err != nil {
			return err
		}
		all = append(all, p)
	}
	defer locked(dir)()
	return commit(all...)
}

// WritePair writes a file, and another one beside it that it cannot be read
// without. Until both are in place, what will be the second file has the name
// that PendingOf finds, so that a reader of the first can find it.
func WritePair(path string, data []byte, second string, secondData []byte) error {
	path, second = Target(path), Target(second)
	b, err := prepare(second, 0o666, content(secondData))
	if err != nil {
		return err
	}
	defer b.discard()
	a, err := prepare(path, 0o666, content(data))
	if err != nil {
		return err
	}
	defer a.discard()
	a.needs = b
	defer locked(filepath.Dir(path))()
	return commit(a, b)
}

// PendingOf lists the temporary files of a name.
func PendingOf(path string) []string {
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
	path  string
	temp  string
	file  *os.File // open and locked until the file has its name or is gone
	needs *pending // what is kept, complete as it is, once this file has its name
	keep  bool
}

// prepare writes a temporary file for path.
func prepare(path string, mode fs.FileMode, write func(io.Writer) error) (*pending, error) {
	p := &pending{path: path}
	err := unused(path, func(name string) (err error) {
		p.temp = name
		if p.file, err = os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode); err == nil && !lock(p.file, name) {
			p.file.Close()
			return fs.ErrExist
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	register(p.temp)
	if err := first(write(p.file), p.keepMode(mode), p.file.Sync()); err != nil {
		p.discard()
		return nil, err
	}
	return p, nil
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

// commit gives files their names, in this order and without being stopped in
// between.
func commit(list ...*pending) error {
	state.Lock()
	defer state.Unlock()
	if state.stopped {
		return ErrStopped
	}
	for _, p := range list {
		if !locks {
			p.file.Close() // where an open file cannot be renamed
		}
		if err := os.Rename(p.temp, p.path); err != nil {
			return err
		}
		if p.needs != nil {
			p.needs.keep = true
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
	if !p.keep {
		os.Remove(p.temp)
	}
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
	for _, temp := range PendingOf(path) {
		if abandoned(temp) {
			remove(temp)
		}
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
