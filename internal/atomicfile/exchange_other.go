//go:build !linux

package atomicfile

import "errors"

// exchange is not known to package syscall here.
func exchange(_, _ string) error { return errors.ErrUnsupported }
