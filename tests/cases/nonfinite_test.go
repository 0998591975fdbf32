package cases

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/billnet/billnet/frontend/onnx"
	"github.com/billnet/billnet/frontend/onnx/onnxpb"
	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/tests/hostile"
)

// TestNonFinite puts NaN and infinities among the weights and constants of
// networks, one element at a time: the compiled program gives what the source
// gives, or the model is refused.
func TestNonFinite(t *testing.T) {
	nets := map[string]*onnxpb.Model{"binary": hostile.Binary()}
	for _, name := range []string{"tiny", "float", "gate", "foreign"} {
		data, err := os.ReadFile(filepath.Join("..", "golden", "models", name+".onnx"))
		if err != nil {
			t.Fatal(err)
		}
		m := new(onnxpb.Model)
		if err := proto.Unmarshal(data, m); err != nil {
			t.Fatal(err)
		}
		nets[name] = m
	}
	for name, net := range nets {
		t.Run(name, func(t *testing.T) {
			if err := sameEverywhere(t, net); err != nil {
				t.Error(err)
			}
			for i, w := range net.Graph.Initializer {
				if w.DataType != 1 || len(w.FloatData)+len(w.RawData) == 0 {
					continue
				}
				for _, x := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
					m := proto.Clone(net).(*onnxpb.Model)
					setFloat(m.Graph.Initializer[i], float32(x))
					if err := sameEverywhere(t, m); err != nil {
						t.Errorf("%v in %q: %v", x, w.Name, err)
					}
				}
			}
		})
	}
}

// setFloat replaces an element in the middle of a tensor.
func setFloat(t *onnxpb.Tensor, x float32) {
	if len(t.FloatData) > 0 {
		t.FloatData[len(t.FloatData)/2] = x
		return
	}
	at := len(t.RawData) / 8 * 4
	for i := range 4 {
		t.RawData[at+i] = byte(math.Float32bits(x) >> (8 * i))
	}
}

// sameEverywhere compares all forms of a model with its source on a few inputs.
func sameEverywhere(t *testing.T, p *onnxpb.Model) error {
	data, err := proto.Marshal(p)
	if err != nil {
		return err
	}
	m, _, err := onnx.ImportBytes(t.Context(), "model.onnx", data, onnx.Options{})
	if err != nil {
		return nil // refused
	}
	source := m.Main().Clone()
	b, err := build(t.Context(), m)
	if err != nil {
		if strings.Contains(err.Error(), "BUG") {
			return err
		}
		return nil
	}
	for number := range 4 {
		in := ir.RandomInputs(source, newRand(), number)
		want, err := ir.Eval(t.Context(), source, in, nil)
		if err != nil {
			return err
		}
		err = b.run(t.Context(), in, func(out []*ir.Tensor) error {
			for i, r := range source.Results {
				if err := compare(r.Name, out[i], want[i], 1e-5); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("input %d: %w", number, err)
		}
	}
	return nil
}
