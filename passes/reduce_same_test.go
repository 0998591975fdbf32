package passes

import (
	"errors"
	"testing"
)

// TestSameFailure: errors of one class differ in numbers and names only.
func TestSameFailure(t *testing.T) {
	t.Parallel()
	failure := func(kind FailureKind, text string) *Failure { return &Failure{"p", kind, errors.New(text)} }
	r := &reducer{want: failure(Refused, `node "a": group 7 does not divide f32[1,64]`)}
	for _, c := range []struct {
		f    *Failure
		same bool
	}{
		{failure(Refused, `node "enc.b": group 3 does not divide f32[2,8,1]`), true},
		{failure(Refused, `node "a": no constant`), false},
		{failure(Panics, `node "a": group 7 does not divide f32[1,64]`), false},
		{&Failure{"q", Refused, r.want.Err}, false},
		{nil, false},
	} {
		if got := r.same(c.f); got != c.same {
			t.Errorf("%v: same is %v", c.f, got)
		}
	}
	r.want = failure(Differs, "output y")
	if !r.same(failure(Differs, "input 2: output z")) {
		t.Error("a changed output is a changed output")
	}
}
