package lossy_test

import (
	"context"
	"os"
	"testing"

	"github.com/billnet/billnet/frontend/onnx"
	"github.com/billnet/billnet/passes"
	"github.com/billnet/billnet/passes/pipeline"
	"github.com/billnet/billnet/passes/report"
	"github.com/billnet/billnet/tests/shared"
)

// TestBinarizeModels: float networks of PyTorch, on u8 video, become bits and
// integers but for the last layer. With BILLNET_LONG all of them are tried.
func TestBinarizeModels(t *testing.T) {
	t.Parallel()
	models := []string{"torch2/t2_e_mobilese", "torch2/t2_e_r2plus1d"}
	if !testing.Short() {
		models = append(models, "torch2/t2_a_float_op20")
	}
	if os.Getenv("BILLNET_LONG") != "" {
		models = append(models, "torch/a_float_op13", "torch/a_float_keepbn_op11", "torch/a_float_hn_bi2_dyn_op16", "torch2/t2_a_float_hn_bi2_dyn", "torch2/t2_e_gru")
	}
	for _, name := range models {
		t.Run(name, func(t *testing.T) {
			m, _, err := onnx.ImportFile(context.Background(), shared.Dir(t, "models/"+name+".onnx"), onnx.Options{Inputs: map[string]string{"input": "u8"}})
			if err != nil {
				t.Fatal(err)
			}
			steps, err := pipeline.Registry().Parse("test", "factorize-conv3d{mid=8},insert-mux-or,binarize,quantize-lstm,default")
			if err != nil {
				t.Fatal(err)
			}
			res, err := passes.Run(context.Background(), m, steps, passes.RunOptions{})
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range report.NewLedger(m, report.Certificates(m, res.Records)).Entries {
				if e.Kind == "float" && !e.Output {
					t.Errorf("%s (%s) is float: %s", e.Layer, e.Op, e.Why)
				}
			}
		})
	}
}
