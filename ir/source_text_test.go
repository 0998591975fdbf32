package ir_test

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"

	"github.com/billnet/billnet/ir"
)

// body is a reader of function bodies in the text form, just large enough for
// the tests of this package: one node a line, constants in place.
type body struct {
	s    string
	vals map[string]*ir.Value
	f    *ir.Func
}

// parseBody reads a function body; a node's declared types must be the inferred
// ones.
func parseBody(text string) (*ir.Func, error) {
	p := &body{vals: map[string]*ir.Value{}, f: &ir.Func{Name: "test"}}
	for line := range strings.Lines(text) {
		p.s = strings.TrimSpace(line)
		if p.s == "" {
			continue
		}
		if err := p.line(); err != nil {
			return nil, fmt.Errorf("%s: %w", strings.TrimSpace(line), err)
		}
	}
	return p.f, nil
}

func (p *body) skip() { p.s = strings.TrimLeft(p.s, " ") }

func (p *body) take(prefix string) bool {
	p.skip()
	if strings.HasPrefix(p.s, prefix) {
		p.s = p.s[len(prefix):]
		return true
	}
	return false
}

// word takes everything up to one of the characters in stop.
func (p *body) word(stop string) string {
	p.skip()
	i := strings.IndexAny(p.s, stop)
	if i < 0 {
		i = len(p.s)
	}
	w := p.s[:i]
	p.s = p.s[i:]
	return strings.TrimSpace(w)
}

func (p *body) line() error {
	if p.take("return ") {
		for p.s != "" {
			v := p.vals[p.word(" ")]
			p.take(`"`)
			name := p.word(`"`)
			p.take(`"`)
			p.take(",")
			p.f.Results = append(p.f.Results, ir.Port{Name: name, Value: v})
			if v == nil {
				return fmt.Errorf("result %q is not defined", name)
			}
		}
		return nil
	}
	var names []string
	for {
		names = append(names, p.word(",="))
		if !p.take(",") {
			break
		}
	}
	p.take("=")
	op := p.word(" ")
	if op == "const" {
		return p.constant(names[0])
	}
	var args []*ir.Value
	for p.skip(); strings.HasPrefix(p.s, "%") || strings.HasPrefix(p.s, "_"); p.skip() {
		name := p.word(", ")
		p.take(",")
		if p.vals[name] == nil && name != "_" {
			return fmt.Errorf("%s is not defined", name)
		}
		args = append(args, p.vals[name])
	}
	attrs, err := p.attrs(op)
	if err != nil {
		return err
	}
	n, err := ir.NewNode(op, args, attrs, ir.Loc{})
	if err != nil {
		return err
	}
	var types []string
	for _, r := range n.Results {
		types = append(types, r.Type.String())
	}
	p.take(":")
	if want, got := strings.TrimSpace(p.s), strings.Join(types, ", "); want != got || len(names) != len(n.Results) {
		return fmt.Errorf("declared %d results %s, inferred %s", len(names), want, got)
	}
	for i, r := range n.Results {
		p.vals[names[i]] = r
	}
	p.f.Nodes = append(p.f.Nodes, n)
	return nil
}

func parseType(s string) (ir.Type, error) {
	name, rest, _ := strings.Cut(strings.TrimSpace(s), "[")
	d, ok := ir.ParseDType(name)
	shape := []int{}
	for _, w := range strings.FieldsFunc(strings.TrimSuffix(rest, "]"), func(r rune) bool { return r == ',' }) {
		v, err := strconv.Atoi(w)
		if err != nil {
			return ir.Type{}, err
		}
		shape = append(shape, v)
	}
	if !ok {
		return ir.Type{}, fmt.Errorf("type %q", s)
	}
	return ir.T(d, shape...), nil
}

func (p *body) constant(name string) error {
	splat := p.take("splat ")
	p.take("[")
	list := p.word(":]")
	p.take("]")
	p.take(":")
	t, err := parseType(p.s)
	if err != nil {
		return err
	}
	x, err := tensor(t, list, splat)
	if err != nil {
		return err
	}
	n := ir.NewConst(x, ir.Loc{})
	p.f.Nodes = append(p.f.Nodes, n)
	p.vals[name] = n.Results[0]
	return nil
}

// tensor reads a list of numbers.
func tensor(t ir.Type, list string, splat bool) (*ir.Tensor, error) {
	words := strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' })
	x := ir.NewTensor(t)
	if !splat && len(words) != x.Len() {
		return nil, fmt.Errorf("%d numbers for %s", len(words), t)
	}
	for i := range x.Len() {
		w := words[0]
		if !splat {
			w = words[i]
		}
		if x.I != nil {
			v, err := strconv.ParseInt(w, 10, 64)
			if err != nil {
				return nil, err
			}
			x.I[i] = v
			continue
		}
		v, err := strconv.ParseFloat(w, 64)
		if err != nil {
			return nil, err
		}
		x.SetFloat(i, v)
	}
	return x, nil
}

func (p *body) attrs(op string) (map[string]any, error) {
	m := map[string]any{}
	if !p.take("{") {
		return m, nil
	}
	for !p.take("}") {
		name := p.word("=")
		p.take("=")
		o := ir.Lookup(op)
		if o == nil {
			return nil, fmt.Errorf("unknown operation")
		}
		kind, _ := o.AttrKind(name)
		var words []string
		if p.take("[") {
			words = strings.FieldsFunc(p.word("]"), func(r rune) bool { return r == ',' || r == ' ' })
			p.take("]")
		} else {
			words = []string{p.word(",}")}
		}
		p.take(",")
		var ints []int
		var floats []float64
		var strs []string
		for _, w := range words {
			i, _ := strconv.Atoi(w)
			f, _ := strconv.ParseFloat(w, 64)
			s, _ := strconv.Unquote(w)
			ints, floats, strs = append(ints, i), append(floats, f), append(strs, s)
		}
		switch kind {
		case ir.KInt:
			m[name] = ints[0]
		case ir.KFloat:
			m[name] = floats[0]
		case ir.KString:
			m[name] = strs[0]
		case ir.KBool:
			m[name] = words[0] == "true"
		case ir.KInts:
			m[name] = ints
		case ir.KFloats:
			m[name] = floats
		case ir.KStrings:
			m[name] = strs
		}
	}
	return m, nil
}

// run parses, verifies and evaluates a body.
func run(text string) (*ir.Func, []*ir.Tensor, error) {
	f, err := parseBody(text)
	if err != nil {
		return nil, nil, err
	}
	if err := ir.Verify(&ir.Module{Name: "test", Level: ir.Source, Funcs: []*ir.Func{f}}); err != nil {
		return nil, nil, err
	}
	out, err := ir.Eval(context.Background(), f, nil, nil)
	return f, out, err
}

// check evaluates a body and compares its results, in order, with lists of
// numbers: exactly for integers, to a relative tolerance for floats.
func check(t *testing.T, name, text string, tol float64, want ...string) {
	t.Helper()
	_, out, err := run(text)
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	if len(out) != len(want) {
		t.Errorf("%s: %d results, expected %d", name, len(out), len(want))
		return
	}
	for i, w := range want {
		x, err := tensor(out[i].Type, w, false)
		if err != nil {
			t.Errorf("%s: result %d: %v", name, i, err)
			continue
		}
		compare(t, fmt.Sprintf("%s: result %d", name, i), out[i], x, tol)
	}
}

func compare(t *testing.T, name string, got, want *ir.Tensor, tol float64) {
	t.Helper()
	for k := range want.Len() {
		a, b := got.Float(k), want.Float(k)
		if a == b || a != a && b != b {
			continue
		}
		if !(math.Abs(a-b) <= tol*max(1, math.Abs(b))) {
			t.Errorf("%s: element %d of %s is %v, expected %v", name, k, got.Type, a, b)
			return
		}
	}
}

// fails checks that a body is refused, or that its evaluation fails, with a
// message that contains part.
func fails(t *testing.T, text, part string) {
	t.Helper()
	_, _, err := run(text)
	if err == nil || !strings.Contains(err.Error(), part) {
		t.Errorf("%s: error %v, expected one with %q", strings.TrimSpace(text), err, part)
	}
}
