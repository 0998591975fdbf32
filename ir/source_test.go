package ir_test

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"

	"github.com/billnet/billnet/frontend/bill"
	"github.com/billnet/billnet/ir"
)

// evalBody parses a function body at the source level and evaluates it.
func evalBody(body string) ([]*ir.Tensor, error) {
	m, err := bill.Parse("test", []byte("bill 1\nmodule \"test\" level=source\n\nfunc @main() {\n"+body+"\n}\n"), nil)
	if err != nil {
		return nil, err
	}
	return ir.Eval(context.Background(), m.Main(), nil, nil)
}

// wantBody evaluates a body and compares its results, in order, with lists of
// numbers: to a tolerance relative to the larger of 1 and the expected number;
// integers and tolerance 0 mean equal (-0 equals 0).
func wantBody(t *testing.T, body string, tol float64, want ...string) {
	t.Helper()
	out, err := evalBody(body)
	if err != nil {
		t.Error(err)
		return
	}
	if len(out) != len(want) {
		t.Fatalf("%d results, expected %d", len(out), len(want))
	}
	for i, list := range want {
		if err := compare(out[i], list, tol); err != nil {
			t.Errorf("%s\nresult %d: %v", strings.TrimSpace(body), i, err)
		}
	}
}

func compare(got *ir.Tensor, list string, tol float64) error {
	words := strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' })
	if len(words) != got.Len() {
		return fmt.Errorf("%s, expected %d numbers", got.Type, len(words))
	}
	for k, w := range words {
		want, err := strconv.ParseFloat(w, 64)
		if err != nil {
			return err
		}
		v := got.Float(k)
		if v == want || v != v && want != want {
			continue
		}
		if got.HoldsInts() || !(math.Abs(v-want) <= tol*max(1, math.Abs(want))) {
			return fmt.Errorf("element %d of %s is %v, expected %v", k, got.Type, v, want)
		}
	}
	return nil
}

// unary evaluates op on a list of numbers.
func unary(t *testing.T, op, attrs, in, out, numbers string, tol float64, want string) {
	t.Helper()
	n := len(strings.Split(numbers, ","))
	wantBody(t, fmt.Sprintf("%%1 = const [%s] : %s[%d]\n%%2 = %s %%1 %s : %s[%d]\nreturn %%2 \"y\"", numbers, in, n, op, attrs, out, n), tol, want)
}

// binary evaluates op on two lists of equal length.
func binary(t *testing.T, op, in, out, a, b string, want string) {
	t.Helper()
	n := len(strings.Split(a, ","))
	wantBody(t, fmt.Sprintf("%%1 = const [%s] : %s[%d]\n%%2 = const [%s] : %s[%d]\n%%3 = %s %%1, %%2 : %s[%d]\nreturn %%3 \"y\"", a, in, n, b, in, n, op, out, n), 0, want)
}

// failsBody checks that a body is refused, or that its evaluation fails, with a
// message that contains part.
func failsBody(t *testing.T, body, part string) {
	t.Helper()
	_, err := evalBody(body)
	if err == nil || !strings.Contains(err.Error(), part) {
		t.Errorf("%s\nerror is %v, expected one with %q", strings.TrimSpace(body), err, part)
	}
}
