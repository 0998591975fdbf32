package ir_test

import (
	"strings"
	"testing"

	"github.com/billnet/billnet/ir"
)

// small is a valid module: x -> conv(x, w) -> split -> add.
func small(t *testing.T, level ir.Level) *ir.Module {
	t.Helper()
	x := &ir.Value{Type: ir.T(ir.F32, 1, 1, 4)}
	h := &ir.Value{Type: ir.T(ir.F32, 1, 1, 2)}
	f := &ir.Func{Name: "main", Params: []ir.Port{{Name: "x", Value: x}, {Name: "h", Value: h}}}
	b := &ir.Builder{F: f}
	w := b.Const(ir.FloatTensor([]float32{1, 2}, 2, 1, 1))
	c := b.Op(ir.Conv, nil, x, w)
	half := b.Op(ir.ReduceMean, map[string]any{"axes": []int{1}}, c)
	y := b.Op(ir.Add, nil, half, half)
	z := b.Op(ir.Add, nil, h, h)
	if b.Err != nil {
		t.Fatal(b.Err)
	}
	f.Results = []ir.Port{{Name: "y", Value: y}, {Name: "z", Value: z}}
	return &ir.Module{Name: "small", Level: level, Funcs: []*ir.Func{f}}
}

// TestVerify breaks one invariant after the other.
func TestVerify(t *testing.T) {
	for _, level := range []ir.Level{ir.Source, ir.Logic, ir.Packed} {
		if err := ir.Verify(small(t, level)); err != nil {
			t.Fatal(err)
		}
	}
	const konst, conv, mean, add = 0, 1, 2, 3 // the nodes
	for name, c := range map[string]struct {
		breakIt func(m *ir.Module, f *ir.Func)
		want    string
	}{
		"no function":          {func(m *ir.Module, f *ir.Func) { m.Funcs = nil }, `module "small" has no function`},
		"parameter name":       {func(m *ir.Module, f *ir.Func) { f.Params[1].Name = "x" }, `two parameters are named "x"`},
		"parameter shape":      {func(m *ir.Module, f *ir.Func) { f.Params[0].Value.Type.Shape = []int{-1} }, `parameter "x": dimension 0 of [-1] is negative`},
		"parameter size":       {func(m *ir.Module, f *ir.Func) { f.Params[0].Value.Type.Shape = []int{1 << 16, 1 << 16} }, `parameter "x": shape [65536,65536] has 2^31 elements or more`},
		"parameter defined":    {func(m *ir.Module, f *ir.Func) { f.Params[0].Value.Def = f.Nodes[konst] }, `parameter "x" is the result of a node`},
		"level":                {func(m *ir.Module, f *ir.Func) { m.Level = 0 }, "not an operation of the level(0) level"},
		"order":                {func(m *ir.Module, f *ir.Func) { f.Nodes[add], f.Nodes[mean] = f.Nodes[mean], f.Nodes[add] }, "operand 0 is used before it is defined"},
		"foreign value":        {func(m *ir.Module, f *ir.Func) { f.Nodes[add].Args[1] = &ir.Value{Type: ir.T(ir.F32, 1, 1, 4)} }, "operand 1 is used before it is defined"},
		"too few operands":     {func(m *ir.Module, f *ir.Func) { f.Nodes[add].Args = f.Nodes[add].Args[:1] }, "1 operands, expected (a, b)"},
		"too many operands":    {func(m *ir.Module, f *ir.Func) { n := f.Nodes[mean]; n.Args = append(n.Args, n.Args[0]) }, "2 operands, expected (x)"},
		"operand left out":     {func(m *ir.Module, f *ir.Func) { f.Nodes[add].Args[1] = nil }, "operand b is missing"},
		"operand without type": {func(m *ir.Module, f *ir.Func) { f.Params[1].Value.Type.DType = ir.Invalid }, "operand a has no type"},
		"payload missing":      {func(m *ir.Module, f *ir.Func) { f.Nodes[konst].Const = nil }, "a const needs a payload"},
		"payload length":       {func(m *ir.Module, f *ir.Func) { f.Nodes[konst].Const = ir.FloatTensor([]float32{1}, 2, 1, 1) }, "payload has 1 elements, its type is f32[2,1,1]"},
		"payload elsewhere":    {func(m *ir.Module, f *ir.Func) { f.Nodes[add].Const = ir.Scalar(ir.F32, 1) }, "only a const has a payload"},
		"inference":            {func(m *ir.Module, f *ir.Func) { f.Params[0].Value.Type.Shape = []int{1, 3, 4} }, "(conv): "},
		"number of results":    {func(m *ir.Module, f *ir.Func) { f.Nodes[add].Results = nil }, "0 results, expected 1"},
		"result's node":        {func(m *ir.Module, f *ir.Func) { f.Nodes[add].Results[0].Def = f.Nodes[mean] }, "result 0 does not point back to its node"},
		"result's index":       {func(m *ir.Module, f *ir.Func) { f.Nodes[add].Results[0].Index = 1 }, "result 0 does not point back to its node"},
		"recorded shape":       {func(m *ir.Module, f *ir.Func) { f.Nodes[add].Results[0].Type.Shape = []int{4} }, "result 0 is recorded as f32[4], inferred as f32[1,1,4]"},
		"recorded element":     {func(m *ir.Module, f *ir.Func) { f.Nodes[add].Results[0].Type.DType = ir.F64 }, "result 0 is recorded as f64[1,1,4], inferred as f32[1,1,4]"},
		"layout":               {func(m *ir.Module, f *ir.Func) { f.Nodes[add].Results[0].Type.Layout.Planes = true }, "result 0 has a layout at the source level"},
		"result name":          {func(m *ir.Module, f *ir.Func) { f.Results[1].Name = "y" }, `two results are named "y"`},
		"result undefined":     {func(m *ir.Module, f *ir.Func) { f.Results[0].Value = &ir.Value{} }, `result "y" is not defined in the function`},
		"result missing":       {func(m *ir.Module, f *ir.Func) { f.Results[0].Value = nil }, `result "y" is not defined in the function`},
	} {
		m := small(t, ir.Source)
		c.breakIt(m, m.Main())
		err := ir.Verify(m)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, expected %q", name, err, c.want)
		}
	}
	m := small(t, ir.Packed)
	m.Main().Nodes[add].Results[0].Type.Layout = ir.Layout{Planes: true, PT: 1, PH: 1, PW: 1}
	if err := ir.Verify(m); err != nil {
		t.Errorf("a layout at the packed level: %v", err)
	}
}

// An operation is legal at its levels only.
func TestVerifyLevels(t *testing.T) {
	for _, op := range ir.Ops() {
		m, err := exampleModule(op)
		if err != nil {
			continue // TestOps says why
		}
		for _, level := range []ir.Level{ir.Source, ir.Logic, ir.Packed} {
			legal := true
			for _, n := range m.Main().Nodes {
				legal = legal && n.Op.Levels&level != 0
			}
			m.Level = level
			if err := ir.Verify(m); (err == nil) != legal {
				t.Errorf("the example of %s at level %s: %v", op.Name, level, err)
			}
		}
	}
}

// A required attribute that is left out is an error of construction too.
func TestRequiredAttributes(t *testing.T) {
	required := 0
	for _, op := range ir.Ops() {
		m, err := exampleModule(op)
		if err != nil {
			continue
		}
		for _, n := range m.Main().Nodes {
			for _, a := range op.Attrs {
				if n.Op != op || a.Default != nil {
					continue
				}
				required++
				old := n.Attrs[a.Name]
				delete(n.Attrs, a.Name)
				if err := ir.Verify(m); err == nil || !strings.Contains(err.Error(), "attribute "+a.Name) {
					t.Errorf("%s without %s: %v", op.Name, a.Name, err)
				}
				n.Attrs[a.Name] = old
			}
		}
	}
	if required == 0 {
		t.Error("no operation has a required attribute")
	}
}

func TestSetAttr(t *testing.T) {
	n := &ir.Node{Op: ir.Lookup("reduce_mean")}
	for _, c := range []struct {
		name string
		v    any
		want string
	}{
		{"axis", []int{0}, `no attribute "axis"`},
		{"axes", 0, "attribute axes is 0 (int), expected ints"},
		{"keepdims", 1, "attribute keepdims is 1 (int), expected bool"},
	} {
		if err := n.SetAttr(c.name, c.v); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, expected %q", c.name, err, c.want)
		}
	}
	if err := n.SetAttr("keepdims", false); err != nil || !n.Has("keepdims") || n.Bool("keepdims") {
		t.Errorf("keepdims is not set: %v", err)
	}
	if err := n.SetAttr("keepdims", true); err != nil || n.Has("keepdims") || !n.Bool("keepdims") {
		t.Errorf("the default is stored: %v", err)
	}
	if op := ir.Lookup("reduce_maen"); op != nil {
		t.Errorf("there is no such operation, found %s", op.Name)
	}
}
