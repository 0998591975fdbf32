package billb

import (
	"errors"
	"fmt"
)

// The kinds of errors that reading a file gives. Each is found by errors.Is in
// the error, which says more.
var (
	// ErrNotModel: the file does not begin as a .billb file does.
	ErrNotModel = errors.New("not a .billb file")

	// ErrVersion: the file is of a format, or has an operation or a section, that
	// only a newer runtime knows.
	ErrVersion = errors.New("the file needs a newer runtime")

	// ErrTruncated: the file is shorter than it says.
	ErrTruncated = errors.New("the file is cut off")

	// ErrChecksum: the file's content is not what its checksum says.
	ErrChecksum = errors.New("the file was damaged")

	// ErrFormat: the file is whole, but what it says makes no program.
	ErrFormat = errors.New("the file holds no valid program")

	// ErrLimit: the file or the program is larger than the limits allow.
	ErrLimit = errors.New("more than the limits allow")
)

// kindError is an error of a kind; it reads as the error alone.
type kindError struct {
	kind error
	error
}

func (e *kindError) Unwrap() []error { return []error{e.kind, e.error} }

// Errorf is an error of a kind. It reads as the format says.
func Errorf(kind error, format string, args ...any) error {
	return &kindError{kind, fmt.Errorf(format, args...)}
}

// Mark makes an error one of a kind, unless it has a kind already.
func Mark(kind, err error) error {
	for e := err; e != nil; e = errors.Unwrap(e) {
		if _, ok := e.(*kindError); ok {
			return err
		}
	}
	return &kindError{kind, err}
}

var errUnknownOpcode = Errorf(ErrVersion, "unknown opcode: the file needs a newer runtime")

// limitf is an error of kind ErrLimit.
//
//go:noinline
func limitf(format string, args ...any) error { return Errorf(ErrLimit, format, args...) }

// errorf is fmt.Errorf, which would be inlined into its many callers.
//
//go:noinline
func errorf(format string, args ...any) error { return fmt.Errorf(format, args...) }
