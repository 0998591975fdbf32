package onnx

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/billnet/billnet/frontend/bill"
	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/passes"
)

// logicPipeline ends before the pass that chooses layouts.
var logicPipeline = passes.Pipeline[:slices.Index(passes.Pipeline, "layout")]

// keepTypes has every input arrive as the module says.
func keepTypes(m *ir.Module) Options {
	opt := Options{Inputs: make(map[string]string)}
	for _, p := range m.Main().Params {
		if !p.Value.Type.DType.IsLogic() {
			opt.Inputs[p.Name] = p.Value.Type.DType.String()
		}
	}
	return opt
}

// reimport exports a module and imports the model.
func reimport(t *testing.T, m *ir.Module) *ir.Module {
	t.Helper()
	data, err := Export(m)
	if err != nil {
		t.Fatal(err)
	}
	if dir := os.Getenv("BILLNET_EXPORTS"); dir != "" {
		if err := os.WriteFile(filepath.Join(dir, m.Name+"."+m.Level.String()+".onnx"), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	back, _, err := ImportBytes(m.Name+".onnx", data, keepTypes(m))
	if err != nil {
		t.Fatal(err)
	}
	return back
}

// canonical returns a copy without locations, in which every constant stands
// before its first reader and equal ones are one, and the operator set is not
// mentioned: what an export may change.
func canonical(m *ir.Module) *ir.Module {
	m = m.Clone()
	delete(m.Meta, "opset")
	for _, f := range m.Funcs {
		f.RemoveDead()
		var nodes []*ir.Node
		var consts []*ir.Node
		repl := make(map[*ir.Value]*ir.Value)
		read := func(v *ir.Value) {
			if ir.ConstOf(v) == nil || slices.Contains(consts, v.Def) || repl[v] != nil {
				return
			}
			for _, c := range consts {
				if c.Const.Equal(v.Def.Const) {
					repl[v] = c.Result()
					return
				}
			}
			consts = append(consts, v.Def)
			nodes = append(nodes, v.Def)
		}
		for _, n := range f.Nodes {
			if n.Const != nil {
				continue
			}
			for _, a := range n.Args {
				read(a)
			}
			nodes = append(nodes, n)
		}
		for _, r := range f.Results {
			read(r.Value)
		}
		f.Nodes = nodes
		f.Replace(repl)
		for _, n := range f.Nodes {
			n.Loc = ir.Loc{}
		}
	}
	return m
}

func expectSame(t *testing.T, what string, a, b *ir.Module) {
	t.Helper()
	if diff := bill.Equal(canonical(a), canonical(b)); diff != "" {
		t.Errorf("%s: %s", what, diff)
		if os.Getenv("SHOW") != "" {
			x, _ := ir.Print(canonical(a), "x")
			y, _ := ir.Print(canonical(b), "x")
			os.WriteFile(filepath.Join(os.TempDir(), "a.bill"), []byte(x), 0o644)
			os.WriteFile(filepath.Join(os.TempDir(), "b.bill"), []byte(y), 0o644)
		}
	}
}

// expectSameOutputs evaluates both modules on the same inputs: integers must be
// equal and floats close.
func expectSameOutputs(t *testing.T, what string, a, b *ir.Module, in []*ir.Tensor) {
	t.Helper()
	want, err := ir.Eval(context.Background(), a.Main(), in, nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := ir.Eval(context.Background(), b.Main(), in, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range want {
		limit := 1e-5
		if want[i].I != nil {
			limit = 0
		}
		if d := maxDiff(got[i], want[i]); d > limit {
			t.Errorf("%s: output %d differs by %g", what, i, d)
		}
	}
}

func lower(t *testing.T, m *ir.Module, pipeline []string) *ir.Module {
	t.Helper()
	m = m.Clone()
	if _, err := passes.Run(context.Background(), m, pipeline, passes.RunOptions{}); err != nil {
		t.Fatal(err)
	}
	return m
}

// TestExportModels exports the networks of the collection at the source and the
// logic level, imports them again and compares the modules and their outputs.
// The larger ones are evaluated only with BILLNET_LONG set.
func TestExportModels(t *testing.T) {
	long := os.Getenv("BILLNET_LONG") != ""
	for _, c := range modelCases(t) {
		t.Run(filepath.Base(c.path), func(t *testing.T) {
			t.Parallel()
			m, _, err := ImportFile(c.path+".onnx", c.opt)
			if err != nil {
				t.Fatal(err)
			}
			m.Labels = []string{"a", "b"}
			source := reimport(t, m)
			expectSame(t, "source level", m, source)

			logic := lower(t, m, logicPipeline)
			back := reimport(t, logic)
			expectSame(t, "logic level", logic, lower(t, back, logicPipeline))

			if c.long && !long {
				t.Skip("compared; evaluated only with BILLNET_LONG=1")
			}
			var in []*ir.Tensor
			for i, file := range c.inputs {
				x := readNpy(t, file)
				if c.batch {
					x = item(x, 0)
				}
				in = append(in, x.Convert(m.Main().Params[i].Value.Type.DType).Reshape(x.Type.Shape...))
			}
			expectSameOutputs(t, "source level", m, source, in)
			expectSameOutputs(t, "logic level", logic, back, in)
		})
	}
}
