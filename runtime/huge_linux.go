package runtime

import "syscall"

// hugePages asks for large pages under memory of at least hugeBytes that nothing was written to yet: each first touch of a page
// costs a fault.
func hugePages(b []byte) {
	const advice = 14 // MADV_HUGEPAGE; where it is not known pages stay small
	page := syscall.Getpagesize()
	_ = syscall.Madvise(b[-address(b)&(page-1):len(b)&^(page-1)], advice)
}
