package runtime

import (
	"errors"
	"fmt"

	"github.com/billnet/billnet/runtime/billb"
)

// The kinds of errors. Each is found by errors.Is in the error, which says more.
var (
	// ErrNotModel: the file does not begin as a .billb file does.
	ErrNotModel = billb.ErrNotModel

	// ErrVersion: the file is of a format, or has an operation or a section, that
	// only a newer runtime knows.
	ErrVersion = billb.ErrVersion

	// ErrTruncated: the file is shorter than it says.
	ErrTruncated = billb.ErrTruncated

	// ErrChecksum: the file's content is not what its checksum says.
	ErrChecksum = billb.ErrChecksum

	// ErrFormat: the file is whole, but what it says makes no valid program.
	ErrFormat = billb.ErrFormat

	// ErrLimit: the file, the program or the session is larger than the limits allow.
	ErrLimit = billb.ErrLimit

	// ErrISA: an instruction set is unknown, or this machine does not have it.
	ErrISA = errors.New("no such instruction set on this machine")

	// ErrBusy: the session is running on another goroutine.
	ErrBusy = errors.New("it is running on another goroutine: each goroutine needs one of its own")

	// ErrClosed: the session was closed.
	ErrClosed = errors.New("it is closed")
)

// errorf is fmt.Errorf, which would be inlined into its many callers.
//
//go:noinline
func errorf(format string, args ...any) error { return fmt.Errorf(format, args...) }
