//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package atomicfile

import (
	"os"
	"syscall"
)

// locks says that open files can be told from those that nobody writes, and
// renamed.
const locks = true

// lock marks a temporary file or folder as being written, until it is closed or
// the process ends. It fails when another process has taken it for abandoned
// since it was made.
func lock(f *os.File, name string) bool {
	if syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == syscall.EWOULDBLOCK {
		return false
	}
	mine, err := f.Stat()
	if err != nil {
		return false
	}
	there, err := os.Lstat(name)
	return err == nil && os.SameFile(mine, there)
}

// sweep removes a temporary file or folder that nobody has marked. It holds the
// mark meanwhile, so that whoever has just made it tries another name.
func sweep(temp string) {
	f, err := os.Open(temp)
	if err != nil {
		return
	}
	defer f.Close()
	if syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
		remove(temp)
	}
}

// locked waits until no other process of ours is giving files in a folder their
// names, and returns what ends that for this one.
func locked(dir string) (unlock func()) {
	f, err := os.Open(dir)
	if err != nil {
		return func() {}
	}
	for syscall.Flock(int(f.Fd()), syscall.LOCK_EX) == syscall.EINTR {
	}
	return func() { f.Close() }
}
