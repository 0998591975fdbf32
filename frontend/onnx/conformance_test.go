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

	"google.golang.org/protobuf/proto"

	"github.com/billnet/billnet/frontend/onnx/onnxpb"
	"github.com/billnet/billnet/ir"
)

// supportedOps are the operators of the default domain that the compiler
// promises to import.
var supportedOps = strings.Fields(`Abs Add And ArgMax AveragePool BatchNormalization Cast Ceil Clip Concat Constant
	ConstantOfShape Conv ConvInteger DequantizeLinear Div Dropout Equal Exp Expand Flatten Floor Gather Gemm
	GlobalAveragePool GlobalMaxPool Greater GreaterOrEqual GRU HardSigmoid HardSwish Identity LeakyRelu Less
	LessOrEqual Log LogSoftmax LSTM MatMul MatMulInteger Max MaxPool Mean Min Mul Neg Not Or Pad Pow PRelu
	QLinearConv QLinearMatMul QuantizeLinear ReduceMax ReduceMean ReduceMin ReduceSum Relu Reshape Round Shape
	Sigmoid Sign Slice Softmax Split Sqrt Squeeze Sub Sum Tanh Transpose Unsqueeze Where Xor`)

// readPb reads a tensor of a test case.
func readPb(path string) (*ir.Tensor, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var p onnxpb.Tensor
	if err := proto.Unmarshal(data, &p); err != nil {
		return nil, err
	}
	t, err := new(decoder).tensor(&p)
	if err != nil {
		return nil, err
	}
	return t.convert()
}

func readPbs(dir, kind string) ([]*ir.Tensor, error) {
	var out []*ir.Tensor
	for i := 0; ; i++ {
		path := filepath.Join(dir, "test_data_set_0", fmt.Sprintf("%s_%d.pb", kind, i))
		if _, err := os.Stat(path); err != nil {
			return out, nil
		}
		x, err := readPb(path)
		if err != nil {
			return nil, err
		}
		out = append(out, x)
	}
}

var needsConst = regexp.MustCompile(`--const (\S+)=`)

// runCase imports and evaluates one official test case. Inputs that must be
// known at compile time are bound to the case's own.
func runCase(dir string) error {
	data, err := os.ReadFile(filepath.Join(dir, "model.onnx"))
	if err != nil {
		return err
	}
	decoded, err := Decode("model.onnx", data, nil)
	if err != nil {
		return err
	}
	inputs, err := readPbs(dir, "input")
	if err != nil {
		return err
	}
	want, err := readPbs(dir, "output")
	if err != nil {
		return err
	}
	byName := make(map[string]*ir.Tensor)
	opt := Options{Consts: make(map[string]*ir.Tensor), Shapes: make(map[string][]int)}
	for i, in := range decoded.Graph.Inputs {
		if i >= len(inputs) {
			return fmt.Errorf("no data for input %q", in.Name)
		}
		byName[in.Name] = inputs[i]
		opt.Shapes[in.Name] = inputs[i].Type.Shape
	}
	var m *ir.Module
	for {
		m, _, err = ImportBytes("model.onnx", data, opt)
		if err == nil {
			break
		}
		name := needsConst.FindStringSubmatch(err.Error())
		if name == nil || opt.Consts[name[1]] != nil || byName[name[1]] == nil {
			return err
		}
		opt.Consts[name[1]] = byName[name[1]]
	}
	var args []*ir.Tensor
	for _, p := range m.Main().Params {
		args = append(args, byName[p.Name])
	}
	got, err := ir.Eval(context.Background(), m.Main(), args, nil)
	if err != nil {
		return fmt.Errorf("evaluation: %w", err)
	}
	for i, r := range m.Main().Results {
		if got[i].Type.DType != want[i].Type.DType {
			return fmt.Errorf("output %s is %s, expected %s", r.Name, got[i].Type, want[i].Type)
		}
		limit := 1e-4 // some expected values are given in four decimals
		switch {
		case want[i].I != nil:
			limit = 0
		case want[i].Type.DType == ir.F16:
			limit = 2e-3
		case want[i].Type.DType == ir.BF16:
			limit = 2e-2
		}
		if d := maxDiff(got[i], want[i]); d > limit {
			return fmt.Errorf("output %s (%s, expected %s) differs by %g", r.Name, got[i].Type, want[i].Type, d)
		}
	}
	return nil
}

// excused tells why a supported operator may fail in a case.
var excused = regexp.MustCompile(`training mode|block_size=|element type (u?int[24]|float[48]|string)|output 1, "z", is used|only tensors are supported`)

// TestConformance runs the official cases of every supported operator.
func TestConformance(t *testing.T) {
	for _, suite := range []struct {
		dir   string
		least int // cases that must pass
	}{
		{"onnx-node-tests", 500},
		{"onnx-pytorch-tests/pytorch-converted", 78},
		{"onnx-pytorch-tests/pytorch-operator", 30},
		{"onnx-ort-tests", 101},
	} {
		t.Run(suite.dir, func(t *testing.T) {
			root := shared(t, filepath.FromSlash(suite.dir))
			entries, err := os.ReadDir(root)
			if err != nil {
				t.Fatal(err)
			}
			passed, left := 0, 0
			for _, e := range entries {
				err := runCase(filepath.Join(root, e.Name()))
				if err == nil {
					passed++
					continue
				}
				left++
				if excused.MatchString(err.Error()) {
					continue
				}
				var u *UnsupportedError
				if !errors.As(err, &u) || slices.ContainsFunc(u.Items, func(it Unsupported) bool { return slices.Contains(supportedOps, it.Op) }) {
					t.Errorf("%s: %v", e.Name(), err)
				}
			}
			t.Logf("%d cases pass, %d use what is not supported", passed, left)
			if passed < suite.least {
				t.Errorf("%d cases pass, expected at least %d", passed, suite.least)
			}
		})
	}
}

// TestSupportedOps checks that the list above is complete in the table.
func TestSupportedOps(t *testing.T) {
	for _, op := range supportedOps {
		if _, ok := handlers[operator{"", op}]; !ok {
			t.Errorf("no handler for %s", op)
		}
	}
}
