package cases

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/billnet/billnet/codegen/bytecode"
	"github.com/billnet/billnet/frontend/onnx"
	"github.com/billnet/billnet/frontend/onnx/onnxpb"
	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/passes"
	"github.com/billnet/billnet/passes/pipeline"
	"github.com/billnet/billnet/passes/report"
	"github.com/billnet/billnet/runtime"
	"github.com/billnet/billnet/tests/randgraph"
)

// built is a model in the forms that are compared.
type built struct {
	source, packed *ir.Module
	file           []byte // bytecode
	program        *runtime.Program
	ledger         *report.Ledger
}

// compiled imports and compiles a model, and returns the bytes of its file as well.
func compiled(t *testing.T, m *onnxpb.Model) (*built, int) {
	t.Helper()
	data, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	mod, _, err := onnx.ImportBytes(t.Context(), "model.onnx", data, onnx.Options{})
	if err != nil {
		t.Fatal(err)
	}
	b, err := build(t.Context(), mod)
	if err != nil {
		t.Fatal(err)
	}
	return b, len(data)
}

// agrees compares the first output for random inputs with the interpreter on the source.
func agrees(t *testing.T, b *built) {
	t.Helper()
	in := ir.RandomInputs(b.source.Main(), newRand(), 2)
	want, err := ir.Eval(t.Context(), b.source.Main(), in, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.run(t.Context(), in, func(out []*ir.Tensor) error { return compare("y", out[0], want[0], 0) }); err != nil {
		t.Error(err)
	}
}

// build compiles a model by the default pipeline.
func build(ctx context.Context, m *ir.Module) (*built, error) {
	b := &built{source: m.Clone(), packed: m}
	res, err := passes.Run(ctx, m, pipeline.Default(), passes.RunOptions{})
	if err != nil {
		return nil, err
	}
	certs := report.Certificates(m, res.Records)
	b.ledger = report.NewLedger(m, certs)
	img, _, err := bytecode.Generate(m, report.EncodeCertificates(certs))
	if err != nil {
		return nil, err
	}
	if b.file, err = img.Encode(); err != nil {
		return nil, err
	}
	b.program, err = runtime.LoadBytes(b.file)
	return b, err
}

// run evaluates every form of the model on one set of inputs, bytecode by every
// instruction set of this machine, and hands each one's outputs to judge, whose
// error it returns with the form's name.
func (b *built) run(ctx context.Context, in []*ir.Tensor, judge func(out []*ir.Tensor) error) error {
	for _, form := range []struct {
		name string
		m    *ir.Module
	}{{"source", b.source}, {"packed", b.packed}} {
		given := ir.ConvertInputs(form.m.Main(), in)
		out, err := ir.Eval(ctx, form.m.Main(), given, nil)
		if err == nil {
			err = judge(out)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", form.name, err)
		}
	}
	for _, e := range randgraph.Engines() {
		s, err := b.program.NewSession(runtime.Options{ISA: e.ISA, Threads: e.Threads})
		if err != nil {
			return err
		}
		out, err := randgraph.Run(s, b.packed.Main(), in)
		s.Close()
		if err == nil {
			err = judge(out)
		}
		if err != nil {
			return fmt.Errorf("bytecode (%s): %w", e, err)
		}
	}
	return nil
}

// compare says how two results differ: integers must be equal, floats within
// bound relative to the largest of want or 1. NaN equals NaN only, and an infinity itself.
func compare(name string, got, want *ir.Tensor, bound float64) error {
	if !ir.SameShape(got.Type.Shape, want.Type.Shape) {
		return fmt.Errorf("output %q is %s, expected %s", name, got.Type, want.Type)
	}
	scale := 1.0
	for i := range want.Len() {
		if v := math.Abs(want.Float(i)); v > scale && !math.IsInf(v, 0) {
			scale = v
		}
	}
	if !want.Type.DType.IsFloat() {
		bound = 0
	}
	for i := range want.Len() {
		x, y := got.Float(i), want.Float(i)
		if same := x == y || x != x && y != y || math.Abs(x-y) <= bound*scale; !same {
			return fmt.Errorf("output %q: element %d is %v, expected %v", name, i, x, y)
		}
	}
	return nil
}

// rounding says how a convolution's sums, whole numbers times a unit, become an
// output on a grid: they are rounded to multiples of a step of so many units. In
// exact arithmetic a sum half-way between two of them is a tie; a float32 sum lies
// beside it, on a side that the order of its terms decides.
type rounding struct {
	unit  float64
	units int // of a step; 0: no such output
}

// compare is compare, but for elements that are one step apart and whose sums are
// ties. sums are the source's, in float32, near enough to tell the whole numbers.
func (r rounding) compare(name string, got, want, sums *ir.Tensor, bound float64) error {
	if r.units == 0 || sums == nil || got.Len() != want.Len() || sums.Len() != want.Len() {
		return compare(name, got, want, bound)
	}
	step := r.unit * float64(r.units)
	near := got.Convert(ir.F64)
	for i := range near.Doubles() {
		if math.Abs(math.Abs(near.Float(i)-want.Float(i))-step) > step/100 {
			continue
		}
		sum := sums.Float(i) / r.unit
		whole := math.Round(sum)
		if math.Abs(sum-whole) > 0.25 || 2*math.Abs(math.Mod(whole, float64(r.units))) != float64(r.units) {
			return fmt.Errorf("output %q: element %d is %v, expected %v, and its sum of %v is no tie between multiples of %d", name, i, got.Float(i), want.Float(i), sum, r.units)
		}
		near.Doubles()[i] = want.Float(i)
	}
	return compare(name, near, want, bound)
}

func newRand() *rand.Rand { return rand.New(rand.NewPCG(1, 2)) }

// importFile reads a model.
func importFile(ctx context.Context, file string, opt onnx.Options) (*ir.Module, *onnx.Report, error) {
	return onnx.ImportFile(ctx, file, opt)
}
