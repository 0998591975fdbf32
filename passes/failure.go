package passes

import (
	"errors"
	"fmt"
)

// FailureKind says in what way a pass failed.
type FailureKind string

// The ways in which a pass fails. All but Refused are faults of the pass.
const (
	Refused     FailureKind = "returns an error"
	Panics      FailureKind = "panics"
	Malformed   FailureKind = "leaves a module that is not well formed"
	Unevaluable FailureKind = "leaves a module that cannot be evaluated"
	Differs     FailureKind = "changes an output"
)

// Failure is the error of a pass that failed.
type Failure struct {
	Pass string
	Kind FailureKind
	Err  error
}

func (f *Failure) Error() string { return fmt.Sprintf("pass %s: %v", f.Pass, f.Err) }
func (f *Failure) Unwrap() error { return f.Err }

// fault is an error whose kind is known where it arises.
type fault struct {
	kind FailureKind
	err  error
}

func (f *fault) Error() string { return f.err.Error() }
func (f *fault) Unwrap() error { return f.err }

// faultf words a fault; its text starts with BUG.
func faultf(kind FailureKind, format string, args ...any) error {
	return &fault{kind, fmt.Errorf("BUG: "+format, args...)}
}

// failed makes a Failure of the error of a pass.
func failed(pass string, err error) *Failure {
	kind := Refused
	var f *fault
	if errors.As(err, &f) {
		kind = f.kind
	}
	return &Failure{pass, kind, err}
}
