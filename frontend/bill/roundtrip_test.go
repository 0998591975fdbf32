package bill

import (
	"bytes"
	"fmt"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/billnet/billnet/ir"
)

// roundTrip prints, parses and compares a module, and returns what was parsed.
func roundTrip(t interface {
	Helper()
	Fatalf(string, ...any)
}, m *ir.Module) *ir.Module {
	t.Helper()
	text, data := ir.Print(m, "m.data")
	back, err := Parse("m.bill", []byte(text), func(name string) ([]byte, error) {
		if name != "m.data" {
			return nil, fmt.Errorf("opened %q", name)
		}
		return data, nil
	})
	if err != nil {
		t.Fatalf("%v\n%s", err, clip(text))
	}
	if d := Equal(m, back); d != "" {
		t.Fatalf("%s\n%s", d, clip(text))
	}
	if again, dataAgain := ir.Print(back, "m.data"); again != text || !bytes.Equal(data, dataAgain) {
		t.Fatalf("printed again it differs:\n%s\n%s", clip(text), clip(again))
	}
	return back
}

func clip(s string) string { return s[:min(len(s), 4000)] }

// element i of a tensor that shows all that a type can hold.
func sample(d ir.DType, i int) float64 {
	if d.IsFloat() {
		special := []float64{0, math.Copysign(0, -1), math.Inf(1), math.Inf(-1), math.NaN(), 0.1, -1e-7, 65504}
		if i < len(special) {
			return special[i]
		}
		return math.Sin(float64(i)) * math.Exp(float64(i%20-10))
	}
	lo, hi := d.Range()
	switch {
	case d == ir.SBit:
		return float64(i%3%2*2 - 1)
	case hi > 1<<31:
		return float64((i*7919 - 50) << 20)
	}
	span := hi - lo + 1
	return float64(lo + int64(i*7919)%span)
}

func sampleTensor(t ir.Type) *ir.Tensor {
	x := ir.NewTensor(t)
	for i := range x.Len() {
		x.SetFloat(i, sample(t.DType, i))
	}
	return x
}

func TestRoundTripConstants(t *testing.T) {
	for d := ir.F32; d <= ir.Tern; d++ {
		b := &ir.Builder{F: &ir.Func{Name: "main"}}
		var values []*ir.Value
		for _, shape := range [][]int{{}, {0}, {3, 0, 2}, {1}, {5}, {ir.InlineElems}, {ir.InlineElems + 1}, {2, 3, 101}} {
			values = append(values, b.Const(sampleTensor(ir.T(d, shape...))))
			one := ir.NewTensor(ir.T(d, shape...))
			for i := range one.Len() {
				one.SetFloat(i, sample(d, 5))
			}
			values = append(values, b.Const(one))
		}
		values = append(values, b.Const(ir.ConstOf(values[len(values)-2]))) // a shared payload
		for i, v := range values {
			b.F.Results = append(b.F.Results, ir.Port{Name: fmt.Sprint(i), Value: v})
		}
		back := roundTrip(t, &ir.Module{Name: d.String(), Level: ir.Source, Funcs: []*ir.Func{b.F}})
		n := back.Main().Nodes
		if n[len(n)-1].Const != n[len(n)-3].Const {
			t.Errorf("%s: a payload that was shared is there twice", d)
		}
	}
}

func TestRoundTripWords(t *testing.T) {
	odd := "a \"b\"\\\n\t\x00\xff é ; // {"
	f := &ir.Func{Name: "main.0"}
	x := &ir.Value{Type: ir.T(ir.F32, 2, 6)}
	f.Params = []ir.Port{{Name: odd, Value: x}, {Name: "", Value: &ir.Value{Type: ir.T(ir.I64)}}}
	b := &ir.Builder{F: f, Loc: ir.Loc{Name: odd}}
	parts := b.Node(ir.Split, map[string]any{"axis": -1, "sizes": []int{1, 2, 3}}, x)
	if b.Err != nil {
		t.Fatal(b.Err)
	}
	y := b.Op(ir.Concat, map[string]any{"axis": 1}, parts.Results...)
	y = b.Op(ir.Clip, nil, y, nil, b.Const(ir.Scalar(ir.F32, 0.1)))
	y = b.Op(ir.ReduceMean, map[string]any{"axes": []int{-1}, "keepdims": false}, y)
	if b.Err != nil {
		t.Fatal(b.Err)
	}
	f.Results = []ir.Port{{Name: odd, Value: y}, {Name: "again", Value: y}, {Name: "x", Value: x}}
	g := &ir.Func{Name: "_empty"}
	m := &ir.Module{Name: odd, Level: ir.Source, Meta: map[string]string{odd: odd, "": "", "func": "return"}, Labels: []string{"", odd}, Funcs: []*ir.Func{f, g}}
	roundTrip(t, m)
	m.Labels, m.Meta = []string{}, nil
	roundTrip(t, m)
}

func TestRoundTripLayouts(t *testing.T) {
	f := &ir.Func{Name: "main"}
	plain := ir.Layout{Planes: true, HT: 1, HH: 2, HW: 3, PT: 1, PH: 1, PW: 1}
	phases := ir.Layout{Planes: true, PT: 1, PH: 2, PW: 2}
	x := &ir.Value{Type: ir.Type{DType: ir.I16, Shape: []int{1, 8, 2, 4, 4}, Layout: plain}}
	f.Params = []ir.Port{{Name: "x", Value: x}}
	b := &ir.Builder{F: f}
	c := b.Const(sampleTensor(ir.T(ir.I16, 1, 8, 2, 4, 4)))
	c.Type.Layout = phases
	y := b.Op(ir.Add, nil, x, c)
	y.Type.Layout = phases
	f.Results = []ir.Port{{Name: "y", Value: y}}
	roundTrip(t, &ir.Module{Name: "m", Level: ir.Packed, Funcs: []*ir.Func{f}})
}

// Random graphs of shape-preserving operations over random constants.
func TestRoundTripRandom(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		shape := rapid.SliceOfN(rapid.IntRange(1, 4), 0, 4).Draw(t, "shape")
		f := &ir.Func{Name: "main"}
		b := &ir.Builder{F: f}
		pool := []*ir.Value{{Type: ir.T(ir.F32, shape...)}}
		f.Params = []ir.Port{{Name: rapid.String().Draw(t, "param"), Value: pool[0]}}
		pick := rapid.Custom(func(t *rapid.T) *ir.Value { return pool[rapid.IntRange(0, len(pool)-1).Draw(t, "value")] })
		for range rapid.IntRange(0, 20).Draw(t, "nodes") {
			b.Loc.Name = rapid.String().Draw(t, "loc")
			var v *ir.Value
			switch op := rapid.SampledFrom([]*ir.Op{ir.Const, ir.Add, ir.Mul, ir.Relu, ir.Neg, ir.Identity, ir.Clip}).Draw(t, "op"); op {
			case ir.Const:
				x := ir.NewTensor(ir.T(ir.F32, shape...))
				for i := range x.Floats() {
					x.Floats()[i] = math.Float32frombits(rapid.Uint32().Draw(t, "bits"))
				}
				v = b.Const(x)
			case ir.Add, ir.Mul:
				v = b.Op(op, nil, pick.Draw(t, "a"), pick.Draw(t, "b"))
			default:
				v = b.Op(op, nil, pick.Draw(t, "a"))
			}
			if b.Err != nil {
				t.Fatal(b.Err)
			}
			pool = append(pool, v)
		}
		f.Results = []ir.Port{{Name: "y", Value: pick.Draw(t, "y")}}
		roundTrip(t, &ir.Module{Name: rapid.String().Draw(t, "name"), Level: ir.Source, Funcs: []*ir.Func{f}})
	})
}

// What a person writes: comments, names for values, other line ends, no spaces.
func TestHandWritten(t *testing.T) {
	const head = "bill 1\nmodule \"m\" level=source\n"
	want, err := Parse("a.bill", []byte(head+`func @main(%0 "x": f32[2]) {
  %1 = const [1, 0.5] : f32[2] loc("bias")
  %2 = add %0, %1 : f32[2] loc("sum")
  return %2 "y"
}`), nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Parse("b.bill", []byte("// A model.\r\n"+head+
		"func@main(%x\"x\":f32[2]){%bias=const[+1.0,5e-1]:f32[2]%x.1=add%x,%bias{}:f32[2]loc(\"sum\")return%x.1\"y\"}// end"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if d := Equal(want, got); d != "" {
		t.Error(d)
	}
	if loc := want.Main().Nodes[1].Loc; loc != (ir.Loc{Name: "sum", File: "a.bill", Line: 5, Col: 3}) {
		t.Errorf("location %+v", loc)
	}
}

// Equal sees every part of a module.
func TestEqualSeesDifferences(t *testing.T) {
	const text = `bill 1
module "m" level=packed
meta "k" "v"
labels "a"
func @main(%0 "x": f32[2]) {
  %1 = const [1, nan] : f32[2]
  %2 = add %0, %1 : f32[2] loc("sum")
  %3 = reduce_mean %2 {axes=[0]} : f32[1]
  %9 = scan %3 {body=@step, steps=2, states=1} : f32[1]
  return %3 "y", %9 "last"
}
func @step(%0 "s": f32[1]) {
  %1 = neg %0 : f32[1]
  return %1 "next"
}`
	base, err := Parse("m.bill", []byte(text), nil)
	if err != nil {
		t.Fatal(err)
	}
	if d := Equal(base, base.Clone()); d != "" {
		t.Errorf("a clone differs: %s", d)
	}
	for _, edit := range [][2]string{
		{`"m"`, `"n"`}, {"packed", "source"}, {`"v"`, `"w"`}, {`labels "a"`, `labels`}, {"@main", "@f"}, {`"x"`, `"z"`},
		{"[1, nan]", "[-1, nan]"}, {"add %0, %1", "add %1, %0"}, {"add", "mul"}, {`loc("sum")`, ""}, {"{axes=[0]}", ""},
		{"f32[1]", "f32[1]{halo=0,0,0}"}, {`%3 "y"`, `%2 "y"`}, {`%3 "y", `, ``}, {`return`, `%4 = relu %3 : f32[1] return`},
		{"= neg", "= abs"}, {`"next"`, `"n"`}, {"steps=2", "steps=3"},
	} {
		m, err := Parse("m.bill", []byte(strings.Replace(text, edit[0], edit[1], 1)), nil)
		if err != nil {
			t.Errorf("%q: %v", edit, err)
			continue
		}
		if Equal(base, m) == "" || Equal(m, base) == "" {
			t.Errorf("no difference seen after %q", edit)
		}
	}
}

func TestSideFileErrors(t *testing.T) {
	b := &ir.Builder{F: &ir.Func{Name: "main"}}
	b.F.Results = []ir.Port{{Name: "y", Value: b.Const(sampleTensor(ir.T(ir.F32, 20)))}}
	text, data := ir.Print(&ir.Module{Name: "m", Level: ir.Source, Funcs: []*ir.Func{b.F}}, "m.data")
	flipped := bytes.Clone(data)
	flipped[7] ^= 1
	for _, c := range []struct {
		text string
		data []byte
		want string
	}{
		{text, data, ""},
		{text, flipped, "m.bill:3:30: side file \"m.data\" has checksum"},
		{text, data[:79], "m.bill:3:20: side file \"m.data\" has 79 bytes, the text says 80"},
		{text, nil, "m.bill:3:6: side file \"m.data\": gone"},
		{strings.Replace(text, "@0", "@1", 1), data, "m.bill:6:14: f32[20] needs 80 bytes at offset 1, the side file has 80 bytes"},
		{strings.Replace(text, "@0", "@99999999999999999999", 1), data, "needs 80 bytes at offset 9999"},
		{strings.Replace(text, "f32[20]", "f32[1000000000]", 1), data, "needs 4000000000 bytes at offset 0"},
		{strings.Replace(text, "f32[20]", "bool[20]", 1), data, "m.bill:6:14: at offset 0 of the side file: bool element"},
		{strings.Replace(text, "data \"", "data \"m.data\" size=80 crc32c=0 data \"", 1), data, "has checksum"},
	} {
		_, err := Parse("m.bill", []byte(c.text), func(string) ([]byte, error) {
			if c.data == nil {
				return nil, fmt.Errorf("gone")
			}
			return c.data, nil
		})
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("error: %v\nwanted: %s", err, c.want)
		}
	}
}
