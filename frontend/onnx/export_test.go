package onnx

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/billnet/billnet/frontend/bill"
	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/passes"
	"github.com/billnet/billnet/passes/packed"
	"github.com/billnet/billnet/passes/pipeline"
	shareddata "github.com/billnet/billnet/tests/shared"
)

// logicPipeline ends before the pass that chooses layouts.
var logicPipeline = pipeline.Before(packed.Layout)

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

// exportDir is a folder of all models that the tests of this package export:
// BILLNET_EXPORTS or, where the official checker is there, a temporary one. "" keeps none.
var exportDir = os.Getenv("BILLNET_EXPORTS")

// exported numbers the files in it.
var exported atomic.Int64

// keepExport writes an exported model for the checker.
func keepExport(name string, data []byte) error {
	if exportDir == "" {
		return nil
	}
	file := fmt.Sprintf("%04d.%s.onnx", exported.Add(1), strings.ReplaceAll(name, "/", "_"))
	return os.WriteFile(filepath.Join(exportDir, file), data, 0o644)
}

// TestMain runs the tests and then the official checker, with shape inference,
// over everything that they exported.
func TestMain(m *testing.M) { os.Exit(runAndCheck(m)) }

func runAndCheck(m *testing.M) int {
	if exportDir == "" && shareddata.HasChecker() {
		dir, err := os.MkdirTemp("", "exports")
		if err != nil {
			fmt.Println(err)
			return 1
		}
		defer os.RemoveAll(dir)
		exportDir = dir
	}
	if code := m.Run(); code != 0 || exported.Load() == 0 {
		return code
	}
	files, err := filepath.Glob(filepath.Join(exportDir, "*.onnx"))
	if err == nil {
		err = shareddata.CheckONNX(context.Background(), files...)
	}
	if err != nil {
		fmt.Printf("--- FAIL: exported models\n%v\n", err)
		return 1
	}
	fmt.Printf("onnx.checker: %d exported models\n", len(files))
	return 0
}

// reimport exports a module and imports the model.
func reimport(t *testing.T, m *ir.Module) *ir.Module {
	t.Helper()
	data, err := Export(m)
	if err != nil {
		t.Fatal(err)
	}
	if err := keepExport(m.Name+"."+m.Level.String(), data); err != nil {
		t.Fatal(err)
	}
	back, _, err := ImportBytes(context.Background(), m.Name+".onnx", data, keepTypes(m))
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
func expectSameOutputs(t *testing.T, a, b *ir.Module, in []*ir.Tensor) {
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
		if want[i].HoldsInts() {
			limit = 0
		}
		if d := maxDiff(got[i], want[i]); d > limit {
			t.Errorf("output %d differs by %g", i, d)
		}
	}
}

func lower(t *testing.T, m *ir.Module, steps []passes.Step) *ir.Module {
	t.Helper()
	m = m.Clone()
	if _, err := passes.Run(context.Background(), m, steps, passes.RunOptions{}); err != nil {
		t.Fatal(err)
	}
	return m
}

// comesBackOtherwise names the models whose logic-level export the passes make
// another module of, and why. Their outputs are the same all the same.
var comesBackOtherwise = map[string]string{
	"brev_w1a2_3d_qonnx_op13": "a few-bit activation comes back as the sum of its bits",
	"brev_w4a2_3d_qcdq_op13":  "likewise",
	"brev_w4a2_3d_qonnx_op13": "likewise",
	"d_manlstm_op13":          "integer sums between float gates come back through floats",
	"t2_d_manlstm_op23":       "likewise",
	"brev_qlstm_qonnx_op13":   "the index of a table comes back through a float",
	"brev_bin3d_qonnx_op13":   "a constant channel comes back with another threshold that it never, or always, reaches",
	"brev_tern3d_qonnx_op13":  "likewise",
	"b_gate_or_max_op13":      "a sign that is never 0 is ternary before the export and a bit behind it",
}

// quickWork is the largest number of multiply-accumulates that is evaluated
// without BILLNET_LONG.
const quickWork = 60e6

func work(m *ir.Module) (macs int) {
	for _, n := range m.Main().Nodes {
		if n.Op.Work != nil {
			macs += n.Op.Work(n)
		}
	}
	return macs
}

// TestExportModels exports the networks of the collection at the source and the
// logic level, imports them again and compares the modules, and at the logic
// level the outputs too: there the graph is another one. The larger ones are
// evaluated only with BILLNET_LONG set.
func TestExportModels(t *testing.T) {
	long := os.Getenv("BILLNET_LONG") != ""
	for _, c := range modelCases(t) {
		t.Run(filepath.Base(c.path), func(t *testing.T) {
			t.Parallel()
			m, _, err := ImportFile(context.Background(), c.path+".onnx", c.opt)
			if err != nil {
				t.Fatal(err)
			}
			m.Labels = []string{"a", "b"}
			expectSame(t, "source level", m, reimport(t, m))

			if strings.Contains(m.Name, "full") && !long {
				t.Skip("compared at the source level; the rest only with BILLNET_LONG=1")
			}
			logic := lower(t, m, logicPipeline)
			back := reimport(t, logic)
			again := lower(t, back, logicPipeline)
			if comesBackOtherwise[m.Name] == "" {
				expectSame(t, "logic level", logic, again)
			}

			if work(logic) > quickWork && !long {
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
			expectSameOutputs(t, logic, back, in)
		})
	}
}

func parse(t *testing.T, level ir.Level, body string) *ir.Module {
	t.Helper()
	m, err := bill.Parse("test", fmt.Appendf(nil, "bill 1\nmodule \"m\" level=%s\n\nfunc @main%s\n", level, body), nil)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestExportOperations exports the example of every operation and expects the
// same numbers from the model.
func TestExportOperations(t *testing.T) {
	for _, op := range ir.Ops() {
		if op.Levels == ir.Packed {
			continue
		}
		t.Run(op.Name, func(t *testing.T) {
			level := ir.Logic
			if op.Levels&level == 0 {
				level = ir.Source
			}
			m := parse(t, level, "() {"+op.Example+"\n}")
			want, err := ir.Eval(context.Background(), m.Main(), nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			back := reimport(t, m)
			got, err := ir.Eval(context.Background(), back.Main(), nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			for i := range want {
				if d := maxDiff(got[i], want[i]); d > 1e-6 {
					t.Errorf("output %s differs by %g:\n%v\n%v", m.Main().Results[i].Name, d, got[i], want[i])
				}
				if d := want[i].Type.DType; !d.IsLogic() && got[i].Type.DType != d {
					t.Errorf("output %s is %s, expected %s", m.Main().Results[i].Name, got[i].Type.DType, d)
				}
			}
		})
	}
}

// TestExportThresholds compares all kinds of thresholds, and what reads them,
// over every value of an integer input.
func TestExportThresholds(t *testing.T) {
	m := parse(t, ir.Logic, `(%0 "x": i8[1,4,256], %1 "s": bit[1,4,1]) {
  %2 = const [0, -128, 127, 5] : i32[4]
  %3 = const [0, 1, 0, 1] : bit[4]
  %4 = const splat 0 : bit[4]
  %5 = const splat 1 : bit[4]
  %6 = threshold %0, %2, %3 : bit[1,4,256]
  %7 = threshold %0, %2, %4 {signed=true} : sbit[1,4,256]
  %8 = threshold %0, %2, %5 : bit[1,4,256]
  %9 = bit_xor %6, %8 : bit[1,4,256]
  %10 = recode %7 : bit[1,4,256]
  %11 = mux %1, %9, %10 : bit[1,4,256]
  %12 = mux_or %1, %11, %6 : bit[1,4,256]
  %13 = bit_not %7 : sbit[1,4,256]
  %14 = join %6, %8 : tern[1,4,256]
  %15 = min_pool %12 {kernel=[3], pad=[1,1]} : bit[1,4,256]
  %16 = min_pool %13 {kernel=[2]} : sbit[1,4,255]
  %17 = count %15 {axes=[2]} : i32[1,4,1]
  %18 = cast %0 {to="i32"} : i32[1,4,256]
  %19 = threshold %18, %2, %3 {signed=true} : sbit[1,4,256]
  return %6 "a", %7 "b", %8 "c", %12 "d", %13 "e", %14 "f", %15 "g", %16 "h", %17 "i", %19 "j"
}`)
	back := reimport(t, m)
	x, s := ir.NewTensor(ir.T(ir.I8, 1, 4, 256)), ir.IntTensor(ir.Bit, []int64{0, 1, 1, 0}, 1, 4, 1)
	for i := range x.Ints() {
		x.Ints()[i] = int64(i%256 - 128)
	}
	want, err := ir.Eval(context.Background(), m.Main(), []*ir.Tensor{x, s}, nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := ir.Eval(context.Background(), back.Main(), []*ir.Tensor{x, s.Convert(ir.F32)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range m.Main().Results {
		if d := maxDiff(got[i], want[i]); d > 0 {
			t.Errorf("output %s differs by %g", r.Name, d)
		}
	}
}

// TestExportInterface checks names, types, labels and metadata.
func TestExportInterface(t *testing.T) {
	m := parse(t, ir.Source, `(%0 "x": u8[2], %1 "x#2": f32[2]) {
  %2 = cast %0 {to="f32"} : f32[2]
  %3 = add %2, %1 : f32[2]
  %4 = const [1, 2] : i64[2]
  return %3 "y", %3 "twice", %4 "number", %1 "through"
}`)
	m.Labels = []string{"left, right", "Grüße"}
	m.Meta = map[string]string{"producer": "p 1", "source": "s", "onnx.key": "value"}
	back := reimport(t, m)
	expectSame(t, "source level", m, back)

	m.Main().Results[1].Name = "x"
	if _, err := Export(m); err == nil || !strings.Contains(err.Error(), `output "x" has the name of another input or output`) {
		t.Errorf("error %v", err)
	}
}

// TestExportRefuses checks the errors for what ONNX cannot express exactly.
func TestExportRefuses(t *testing.T) {
	for _, c := range []struct {
		level      ir.Level
		body, want string
	}{
		{ir.Packed, "(%0 \"x\": f32[1]) {\n return %0 \"y\"\n}", "packed level"},
		{ir.Logic, `(%0 "x": i32[1,2]) {
  %1 = const [1, 1] : sbit[1,2]
  %2 = ilinear %0, %1 : i32[1,1] loc("fc")
  return %2 "y"
}`, `(ilinear): the sum reaches`},
		{ir.Logic, `(%0 "x": i16[1,1,4]) {
  %1 = const [1, 1] : sbit[1,1,2]
  %2 = iconv %0, %1 {to="i8"} : i8[1,1,3] loc("conv")
  return %2 "y"
}`, `(iconv): the sum lies in -65536..65534 and may wrap in i8`},
		{ir.Logic, `(%0 "x": bit[1,2,1]) {
  %1 = const splat 1 : sbit[4,1]
  %2 = const splat 0 : i32[4]
  %3 = const splat 0 : bit[4]
  %4 = const [0] : tern[1,1]
  %5 = const [32766] : i16[1,1]
  %6, %7, %8 = blstm %0, %1, %1, %2, %3, %4, %5 : tern[1,2,1], tern[1,1], i16[1,1] loc("lstm")
  return %7 "y"
}`, `(blstm): the cell may count to 32768 and saturate`},
	} {
		if _, err := Export(parse(t, c.level, c.body)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v\nexpected %q", err, c.want)
		}
	}
}
