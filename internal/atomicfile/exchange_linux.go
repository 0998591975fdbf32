package atomicfile

import (
	"runtime"
	"syscall"
	"unsafe"
)

// renameat2 is the number of the system call, by architecture; package syscall
// does not have it.
var renameat2 = map[string]uintptr{
	"386": 353, "amd64": 316, "arm": 382, "arm64": 276, "loong64": 276, "mips": 4351, "mipsle": 4351, "mips64": 5311, "mips64le": 5311,
	"ppc64": 357, "ppc64le": 357, "riscv64": 276, "s390x": 347,
}

// exchange swaps two files or folders in one step.
func exchange(a, b string) error {
	number, ok := renameat2[runtime.GOARCH]
	if !ok {
		return syscall.ENOSYS
	}
	const (
		atCurrent      = -100 // AT_FDCWD
		renameExchange = 2
	)
	from, err := syscall.BytePtrFromString(a)
	if err != nil {
		return err
	}
	to, err := syscall.BytePtrFromString(b)
	if err != nil {
		return err
	}
	here := atCurrent
	_, _, errno := syscall.Syscall6(number, uintptr(here), uintptr(unsafe.Pointer(from)), uintptr(here), uintptr(unsafe.Pointer(to)), renameExchange, 0)
	if errno != 0 {
		return errno
	}
	return nil
}
