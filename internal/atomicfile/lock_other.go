//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package atomicfile

import (
	"os"
	"runtime"
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

// locked does nothing.
func locked(string) (unlock func()) { return func() {} }
