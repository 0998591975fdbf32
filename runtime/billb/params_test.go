package billb

import (
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// fillParams sets all numbers of parameters to valid ones.
func fillParams(rng *rand.Rand, v reflect.Value, length int) {
	fields(v, func(f *field) error {
		if f.value.Kind() == reflect.Slice && length > 0 {
			f.value.Set(reflect.MakeSlice(f.value.Type(), length, length))
		}
		return f.leaves(func(v reflect.Value) error {
			switch v.Kind() {
			case reflect.Float64:
				v.SetFloat([]float64{0, math.Copysign(0, -1), 1.5, math.Inf(1), math.NaN()}[rng.IntN(5)])
			case reflect.Bool:
				v.SetBool(rng.IntN(2) == 1)
			default:
				switch e, ok := v.Interface().(Enum); {
				case ok:
					v.SetInt(int64(rng.IntN(len(e.names()))))
				case f.in != nil:
					v.SetInt(f.in[rng.IntN(len(f.in))])
				default:
					v.SetInt(max(f.lo, min(f.hi, []int64{-maxElems, -1, 0, 1, 2, 1000, maxElems}[rng.IntN(7)])))
				}
			}
			return nil
		})
	})
}

// TestParams writes and reads the parameters of every operation, prints them, and
// checks that a wrong number is refused by its name.
func TestParams(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, op := range Ops() {
		if op.Params == nil {
			if _, err := NewParams(op.Code, []int64{1}, nil); err == nil {
				t.Errorf("%s takes an integer", op.Name)
			}
			continue
		}
		for length := range 4 {
			p := reflect.New(op.params())
			fillParams(rng, p.Elem(), length)
			if err := checkParams(op.params(), p.Interface()); err != nil {
				t.Fatalf("%s: %v", op.Name, err)
			}
			ints, floats := encodeParams(p.Interface())
			again, err := NewParams(op.Code, ints, floats)
			if err != nil {
				t.Fatalf("%s: %v", op.Name, err)
			}
			if !SameParams(p.Interface(), again) {
				t.Errorf("%s: %v was written, %v read", op.Name, paramsText(p.Interface()), paramsText(again))
			}
			fixed, each := sizes(op.params())
			if want := fixed.ints + length*each.ints; len(ints) != want {
				t.Errorf("%s: %d integers, expected %d", op.Name, len(ints), want)
			}
			if each == (count{}) {
				for _, n := range []int{len(ints) - 1, len(ints) + 1} {
					if n >= 0 {
						if _, err := NewParams(op.Code, make([]int64, n), floats); err == nil || !strings.Contains(err.Error(), "expected") {
							t.Errorf("%s: %d integers gave %v", op.Name, n, err)
						}
					}
				}
			}
		}
	}
}

// TestParamNames checks that an operation's parameters have different names, and
// that each is printed.
func TestParamNames(t *testing.T) {
	for _, op := range Ops() {
		if op.Params == nil {
			continue
		}
		p := reflect.New(op.params())
		fillParams(rand.New(rand.NewPCG(3, 4)), p.Elem(), 2)
		var names []string
		fields(p.Elem(), func(f *field) error { names = append(names, f.name); return nil })
		text, schema := " "+paramsText(p.Interface()), op.Schema()
		for i, n := range names {
			if slices.Contains(names[:i], n) {
				t.Errorf("%s has two parameters %s", op.Name, n)
			}
			if !strings.Contains(text, " "+n+"=") || !strings.Contains(schema, n) {
				t.Errorf("%s: %s is missing in %q or %q", op.Name, n, text, schema)
			}
		}
	}
}

// TestWrongParams checks what is refused, and how it is said.
func TestWrongParams(t *testing.T) {
	conv := []int64{1, 1, 1, 0, 0, 0, 1, 1, 1, 1}
	with := func(i int, v int64) []int64 {
		c := slices.Clone(conv)
		c[i] = v
		return c
	}
	for _, c := range []struct {
		op     Opcode
		ints   []int64
		floats []float64
		want   string
	}{
		{OpBConv, conv[1:], nil, "9 integers, expected 10"},
		{OpBConv, with(0, 0), nil, "stride is 0, expected at least 1"},
		{OpBConv, with(6, -1), nil, "dilation is -1, expected at least 1"},
		{OpBConv, with(3, math.MinInt64), nil, "pad is -9223372036854775808: out of range"},
		{OpBConv, with(3, 1<<31), nil, "pad is 2147483648: out of range"},
		{OpBConv, with(3, -1<<31), nil, "pad is -2147483648: out of range"},
		{OpBConv, conv, []float64{1}, "1 floats, expected 0"},
		{OpIConv, append(slices.Clone(conv), 17), nil, "acc is 17, expected 16 32"},
		{OpGemm, []int64{0, 2}, []float64{1, 1}, "trans_b is 2, expected 0 or 1"},
		{OpGemm, []int64{0, 1}, nil, "0 floats, expected 2"},
		{OpPad, []int64{0, 0, 4}, nil, "mode is 4, expected 0 to 3 (constant, reflect, edge, wrap)"},
		{OpSlice, []int64{0, 0, 0}, nil, "3 integers, expected 0 and a multiple of 2"},
		{OpLSTM, []int64{0}, []float64{0}, "1 integers, expected at least 3"},
		{OpLSTM, []int64{3, 0, 0}, []float64{0}, "direction is 3"},
		{OpLSTM, []int64{0, 0, 0}, []float64{0, 1}, "2 floats, expected 1 and a multiple of 2"},
		{OpLSTM, []int64{0, 0, 0, 11}, []float64{0}, "activations is 11"},
		{OpRelu, []int64{1}, nil, "expected none"},
		{9999, nil, nil, "unknown opcode"},
	} {
		if _, err := NewParams(c.op, c.ints, c.floats); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %v %v gave %v, expected %q", c.op, c.ints, c.floats, err, c.want)
		}
	}
	for _, p := range []Params{Conv{}, (*Conv)(nil), &IntConv{}, 7} {
		if err := checkParams(OpBConv.Op().params(), p); err == nil {
			t.Errorf("%#v was taken for a *Conv", p)
		}
	}
}

// TestEnums checks that names and numbers of enumerations belong together.
func TestEnums(t *testing.T) {
	if d, ok := Parse[Direction]("bidirectional"); !ok || d != Bidirectional {
		t.Errorf("bidirectional is %v", d)
	}
	if _, ok := Parse[Activation]("gelu"); ok {
		t.Error("an activation that does not exist was found")
	}
	for a := Relu; a <= Softplus; a++ {
		if b, ok := Parse[Activation](a.String()); !ok || a != b {
			t.Errorf("%v is read as %v", a, b)
		}
	}
	for _, e := range []struct {
		last Enum
		text string
	}{{Bidirectional, "bidirectional"}, {Softplus, "softplus"}, {HalfDown, "half_down"}, {PadWrap, "wrap"}, {CountTC, "tc"}} {
		if n := reflect.ValueOf(e.last).Int(); int(n) != len(e.last.names())-1 || e.last.names()[n] != e.text {
			t.Errorf("the last of %v is %d", e.last.names(), n)
		}
	}
}
