//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package atomicfile

import (
	"os"
	"runtime"
)

const locks = false

// lock does nothing: a file that is open marks itself, or cannot be told.
func lock(*os.File, string) bool { return true }

// abandoned reports whether nobody writes a temporary file: Windows does not
// remove one that is open. Elsewhere nobody can tell.
func abandoned(temp string) bool { return runtime.GOOS == "windows" && os.Remove(temp) == nil }

// locked does nothing.
func locked(string) (unlock func()) { return func() {} }
