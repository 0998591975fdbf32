package onnx

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"

	"google.golang.org/protobuf/proto"

	"github.com/billnet/billnet/codegen/bytecode"
	"github.com/billnet/billnet/frontend/bill"
	"github.com/billnet/billnet/frontend/onnx/onnxpb"
	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/passes"
	"github.com/billnet/billnet/passes/pipeline"
	"github.com/billnet/billnet/runtime"
)

// promisedOps are the operators of the default domain that the compiler
// promises to import.
var promisedOps = strings.Fields(`Abs Add And ArgMax AveragePool BatchNormalization Cast Ceil Clip Concat Constant
	ConstantOfShape Conv ConvInteger DequantizeLinear Div Dropout Equal Exp Expand Flatten Floor Gather Gemm
	GlobalAveragePool GlobalMaxPool Greater GreaterOrEqual GRU HardSigmoid HardSwish Identity LeakyRelu Less
	LessOrEqual Log LogSoftmax LSTM MatMul MatMulInteger Max MaxPool Mean Min Mul Neg Not Or Pad Pow PRelu
	QLinearConv QLinearMatMul QuantizeLinear ReduceMax ReduceMean ReduceMin ReduceSum Relu Reshape Round Shape
	Sigmoid Sign Slice Softmax Split Sqrt Squeeze Sub Sum Tanh Transpose Unsqueeze Where Xor`)

// promisedTypes are the element types that cases which count are made of.
var promisedTypes = []DType{Float32, Uint8, Int8, Int16, Int32, Int64, Bool}

// TestPromisedOps checks that the list above is complete in the table.
func TestPromisedOps(t *testing.T) {
	for _, op := range promisedOps {
		if _, ok := handlers[operator{"", op}]; !ok {
			t.Errorf("no handler for %s", op)
		}
	}
}

// readRaw reads a tensor of a test case.
func readRaw(path string) (*Tensor, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var p onnxpb.Tensor
	if err := proto.Unmarshal(data, &p); err != nil {
		return nil, err
	}
	return storedTensor(&p)
}

func readPb(path string) (*ir.Tensor, error) {
	t, err := readRaw(path)
	if err != nil {
		return nil, err
	}
	return t.convert()
}

// readPbs reads the inputs or outputs of a case.
func readPbs(dir, kind string) (raw []*Tensor, out []*ir.Tensor, err error) {
	for i := 0; ; i++ {
		path := filepath.Join(dir, "test_data_set_0", fmt.Sprintf("%s_%d.pb", kind, i))
		if _, err := os.Stat(path); err != nil {
			return raw, out, nil
		}
		t, err := readRaw(path)
		if err != nil {
			return nil, nil, err
		}
		raw = append(raw, t)
		c, err := t.convert()
		if err != nil {
			return raw, nil, err
		}
		out = append(out, c)
	}
}

// officialCase is one case of a suite and what became of it.
type officialCase struct {
	name     string
	ops      []string // operators of its graph, each once
	promised bool     // only promised operators and element types
	becomes  []*ir.Op // operations made of its only node, nil if it has more
	imported error    // why it could not be read, or evaluated by the interpreter
	exported error    // why its export does not come back as the same module
	compiled error    // why bytecode does not give the expected outputs
}

// runCase imports one case and runs it both ways. Inputs that must be known at
// compile time are bound to the case's own.
func runCase(dir string) *officialCase {
	c := &officialCase{name: filepath.Base(dir)}
	data, err := os.ReadFile(filepath.Join(dir, "model.onnx"))
	if err != nil {
		c.imported = err
		return c
	}
	model, err := decodeBytes("model.onnx", data, nil)
	if err != nil {
		c.imported = err
		return c
	}
	rawIn, inputs, err1 := readPbs(dir, "input")
	rawOut, want, err2 := readPbs(dir, "output")
	c.classify(model, append(rawIn, rawOut...))
	if c.imported = errors.Join(err1, err2); c.imported != nil {
		return c
	}
	m, args, err := importCase(model, inputs)
	if err != nil {
		c.imported = err
		return c
	}
	if len(model.Graph.Nodes) == 1 {
		for _, n := range m.Main().Nodes {
			if n.Const == nil {
				c.becomes = append(c.becomes, n.Op)
			}
		}
	}
	c.exported = exportCase(c.name, m)
	got, err := ir.Eval(context.Background(), m.Main(), args, nil)
	if err == nil {
		err = sameOutputs(got, want)
	}
	c.imported = err
	got, err = runBytecode(m, args)
	if err == nil {
		err = sameOutputs(got, want)
	}
	c.compiled = err
	return c
}

// classify notes the operators of a case and whether it counts.
func (c *officialCase) classify(m *Model, data []*Tensor) {
	c.promised = true
	tensors := append(data, m.Graph.Initializers...)
	for _, n := range m.Graph.Nodes {
		if op := n.QualifiedOp(); !slices.Contains(c.ops, op) {
			c.ops = append(c.ops, op)
			c.promised = c.promised && slices.Contains(promisedOps, op)
		}
		for name, a := range n.Attrs {
			switch a := a.(type) {
			case *Tensor:
				tensors = append(tensors, a)
			case int64:
				if name == "to" || name == "output_dtype" {
					c.promised = c.promised && (a == 0 || slices.Contains(promisedTypes, DType(a)))
				}
			}
		}
	}
	for _, t := range tensors {
		c.promised = c.promised && slices.Contains(promisedTypes, t.DType)
	}
}

var needsConst = regexp.MustCompile(`--const (\S+)=`)

// importCase imports a model for the given inputs and returns those that are
// left as arguments.
func importCase(model *Model, inputs []*ir.Tensor) (*ir.Module, []*ir.Tensor, error) {
	byName := make(map[string]*ir.Tensor)
	opt := Options{Consts: make(map[string]*ir.Tensor), Shapes: make(map[string][]int)}
	for i, in := range model.Graph.Inputs {
		if i >= len(inputs) {
			return nil, nil, fmt.Errorf("no data for input %q", in.Name)
		}
		byName[in.Name] = inputs[i]
		opt.Shapes[in.Name] = inputs[i].Type.Shape
	}
	for {
		m, _, err := Import(context.Background(), model, opt)
		if err == nil {
			var args []*ir.Tensor
			for _, p := range m.Main().Params {
				args = append(args, byName[p.Name])
			}
			return m, args, nil
		}
		name := needsConst.FindStringSubmatch(err.Error())
		if name == nil || opt.Consts[name[1]] != nil || byName[name[1]] == nil {
			return nil, nil, err
		}
		opt.Consts[name[1]] = byName[name[1]]
	}
}

// exportCase exports a module, imports it again and compares the two. With
// BILLNET_EXPORTS the model is kept in that folder.
func exportCase(name string, m *ir.Module) error {
	data, err := Export(m)
	if err != nil {
		return err
	}
	if err := keepExport(name, data); err != nil {
		return err
	}
	back, _, err := ImportBytes(context.Background(), m.Name+".onnx", data, keepTypes(m))
	if err != nil {
		return err
	}
	if diff := bill.Equal(canonical(m), canonical(back)); diff != "" {
		return errors.New(diff)
	}
	return nil
}

// runBytecode lowers the module, generates bytecode and runs it. A panic counts
// as a case that failed, so that the table is complete.
func runBytecode(m *ir.Module, args []*ir.Tensor) (got []*ir.Tensor, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	if _, err := passes.Run(context.Background(), m, pipeline.Default(), passes.RunOptions{}); err != nil {
		return nil, err
	}
	img, _, err := bytecode.Generate(m, nil)
	if err != nil {
		return nil, err
	}
	data, err := img.Encode()
	if err != nil {
		return nil, err
	}
	program, err := runtime.LoadBytes(data)
	if err != nil {
		return nil, err
	}
	session, err := program.NewSession(runtime.Options{})
	if err != nil {
		return nil, err
	}
	defer session.Close()
	var in, out [][]byte
	for _, a := range args {
		in = append(in, a.Data())
	}
	results := m.Main().Results
	for _, r := range results {
		out = append(out, make([]byte, len(ir.NewTensor(r.Value.Type).Data())))
	}
	if err := session.Run(in, out); err != nil {
		return nil, err
	}
	got = make([]*ir.Tensor, len(out))
	for i, r := range results {
		if got[i], err = ir.TensorFromData(r.Value.Type, out[i]); err != nil {
			return nil, err
		}
	}
	return got, nil
}

func sameOutputs(got, want []*ir.Tensor) error {
	if len(got) > len(want) {
		return fmt.Errorf("%d outputs, expected %d", len(got), len(want))
	}
	for i := range got {
		if got[i].Type.DType != want[i].Type.DType {
			return fmt.Errorf("output %d is %s, expected %s", i, got[i].Type, want[i].Type)
		}
		limit := 1e-4 // some expected values are given in four decimals
		switch {
		case want[i].HoldsInts():
			limit = 0
		case want[i].Type.DType == ir.F16:
			limit = 2e-3
		case want[i].Type.DType == ir.BF16:
			limit = 2e-2
		}
		if d := maxDiff(got[i], want[i]); d > limit {
			return fmt.Errorf("output %d (%s, expected %s) differs by %g", i, got[i].Type, want[i].Type, d)
		}
	}
	return nil
}

// excused tells why a case of a promised operator may fail to be imported.
var excused = regexp.MustCompile(`training mode|element type (u?int[24]|float[48]|string)|output 1, "z", is used|only tensors are supported`)

// TestOfficialCases runs the official cases of every operator, through the
// interpreter and through bytecode, and prints the table of what passed and a
// line for every case of a promised operator that did not.
func TestOfficialCases(t *testing.T) {
	type suite struct {
		dir   string
		cases []*officialCase
	}
	suites := []*suite{{dir: "onnx-node-tests"}, {dir: "onnx-pytorch-tests/pytorch-converted"}, {dir: "onnx-pytorch-tests/pytorch-operator"}, {dir: "onnx-ort-tests"}}
	var all []*officialCase
	for _, s := range suites {
		root := shared(t, filepath.FromSlash(s.dir))
		entries, err := os.ReadDir(root)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			s.cases = append(s.cases, runCase(filepath.Join(root, e.Name())))
		}
		all = append(all, s.cases...)
	}

	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "\t \tcases\tinterpreter\tbytecode\tcases that count\tinterpreter\tbytecode\t\n")
	line := func(name string, cases []*officialCase) (total, counted tally) {
		for _, c := range cases {
			total.add(c)
			if c.promised {
				counted.add(c)
			}
		}
		fmt.Fprintf(w, "%s\t \t%d\t%d\t%d\t%d\t%d\t%d\t\n", name, total.cases, total.interpreter, total.bytecode, counted.cases, counted.interpreter, counted.bytecode)
		return total, counted
	}
	for _, op := range promisedOps {
		var cases []*officialCase
		for _, c := range all {
			if slices.Contains(c.ops, op) {
				cases = append(cases, c)
			}
		}
		line(op, cases)
	}
	totals, counts := make([]tally, len(suites)), make([]tally, len(suites))
	for i, s := range suites {
		totals[i], counts[i] = line(s.dir, s.cases)
	}
	line("all", all)
	w.Flush()
	fmt.Fprintf(&text, "\nnot passed:\n")
	for _, c := range all {
		if c.exported != nil {
			t.Errorf("%s: export: %v", c.name, c.exported)
		}
		if c.imported != nil {
			fmt.Fprintf(&text, "  %s (%s): %s\n", c.name, c.mark(), oneLine(c.imported))
			c.judge(t)
		} else if c.compiled != nil {
			if c.promised && !strings.Contains(c.compiled.Error(), "bytecode has no") {
				t.Errorf("%s (bytecode): %v", c.name, c.compiled)
			}
			fmt.Fprintf(&text, "  %s (%s, bytecode): %s\n", c.name, c.mark(), oneLine(c.compiled))
		}
	}
	t.Log("\n" + text.String())
	expectListed(t, all)

	if n := counts[0]; n.interpreter*100 < n.cases*leastInterpreter || n.bytecode*100 < n.cases*leastBytecode {
		t.Errorf("of %d cases of %s that count %d pass in the interpreter and %d as bytecode, expected %d %% and %d %%",
			n.cases, suites[0].dir, n.interpreter, n.bytecode, leastInterpreter, leastBytecode)
	}
	for i := 1; i < len(suites); i++ {
		if n := counts[i]; n.interpreter < n.cases || n.bytecode*100 < n.cases*leastBytecodeOther {
			t.Errorf("of %d cases of %s that count %d pass in the interpreter and %d as bytecode, expected all and %d %%",
				n.cases, suites[i].dir, n.interpreter, n.bytecode, leastBytecodeOther)
		}
	}
}

// Shares of the official node tests that count and must pass, in percent, and
// of the other suites, all of which the interpreter passes.
const (
	leastInterpreter   = 98
	leastBytecode      = 98
	leastBytecodeOther = 100
)

// expectListed checks that Operators tells which operations an operator
// becomes.
func expectListed(t *testing.T, cases []*officialCase) {
	listed := make(map[string][]*ir.Op)
	for _, o := range Operators() {
		if o.Domain == "" {
			listed[o.Name] = append(o.IR, ir.Reshape, ir.Cast)
		}
	}
	for _, c := range cases {
		for _, op := range c.becomes {
			if !slices.Contains(listed[c.ops[0]], op) {
				t.Errorf("%s: %s becomes %s, listed are %v", c.name, c.ops[0], op, listed[c.ops[0]])
			}
		}
	}
}

// tally counts cases and how many pass either way.
type tally struct{ cases, interpreter, bytecode int }

func (s *tally) add(c *officialCase) {
	s.cases++
	if c.imported == nil {
		s.interpreter++
		if c.compiled == nil {
			s.bytecode++
		}
	}
}

func (c *officialCase) mark() string {
	if c.promised {
		return "counts"
	}
	return "does not count"
}

// judge fails the test for a case with promised operators that is not excused.
func (c *officialCase) judge(t *testing.T) {
	var u *UnsupportedError
	switch {
	case excused.MatchString(c.imported.Error()):
	case errors.As(c.imported, &u) && !slices.ContainsFunc(u.Items, func(it Unsupported) bool { return slices.Contains(promisedOps, it.Op) }):
	default:
		t.Errorf("%s: %v", c.name, c.imported)
	}
}

// oneLine shortens a reason to its first line.
func oneLine(err error) string {
	s := strings.Join(strings.Fields(err.Error()), " ")
	s = strings.TrimPrefix(s, "model.onnx: ")
	if len(s) > 160 {
		s = s[:160] + "..."
	}
	return s
}
