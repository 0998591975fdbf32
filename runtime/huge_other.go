//go:build !linux

package runtime

// hugePages would ask for large pages under memory that nothing was written to yet.
func hugePages(b []byte) {}
