package atomicfile

import (
	"runtime"
	"syscall"
	"unsafe"
)

// renameat2 is the number of the system call on this architecture, which package
// syscall does not have; 0 when it is not known.
func renameat2() uintptr {
	switch runtime.GOARCH {
	case "amd64":
		return 316
	case "arm64", "loong64", "riscv64":
		return 276
	case "386":
		return 353
	case "arm":
		return 382
	case "ppc64", "ppc64le":
		return 357
	case "s390x":
		return 347
	case "mips64", "mips64le":
		return 5311
	case "mips", "mipsle":
		return 4351
	}
	return 0
}

// exchange swaps two files or folders in one step.
func exchange(a, b string) error {
	if renameat2() == 0 {
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
	_, _, errno := syscall.Syscall6(renameat2(), uintptr(here), uintptr(unsafe.Pointer(from)), uintptr(here), uintptr(unsafe.Pointer(to)), renameExchange, 0)
	if errno != 0 {
		return errno
	}
	return nil
}
