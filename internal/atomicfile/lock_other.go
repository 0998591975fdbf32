//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package atomicfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"time"
)

const locks = false

// lock does nothing: a file that is open marks itself, or cannot be told.
func lock(*os.File, string) bool { return true }

// sweep removes a temporary file that nobody writes: Windows does not remove one
// that is open. Elsewhere nobody can tell.
func sweep(temp string) {
	if runtime.GOOS == "windows" {
		remove(temp)
	}
}

// locked waits until no other process of ours is giving files in a folder their
// names, and returns what ends that for this one. On Windows a file is the mark,
// which another process removes where none has it open; elsewhere there is none.
func locked(dir string) (unlock func()) {
	none := func() {}
	if runtime.GOOS != "windows" {
		return none
	}
	path := filepath.Join(dir, ".billnet.lock")
	for end := time.Now().Add(longestLock); ; time.Sleep(5 * time.Millisecond) {
		f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o666)
		if err == nil {
			return func() { f.Close(); os.Remove(path) }
		}
		// A file that is being removed refuses to be opened.
		if taken := errors.Is(err, fs.ErrExist) || errors.Is(err, fs.ErrPermission); !taken || time.Now().After(end) {
			return none
		}
		os.Remove(path)
	}
}

// longestLock is far longer than names take to be given.
const longestLock = 10 * time.Second
