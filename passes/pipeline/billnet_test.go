package pipeline_test

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"github.com/billnet/billnet/frontend/onnx"
	"github.com/billnet/billnet/passes"
	"github.com/billnet/billnet/passes/pipeline"
	"github.com/billnet/billnet/passes/report"
	"github.com/billnet/billnet/tests/shared"
)

// TestLedgers lowers every BILLNET network: nothing but the last linear layer,
// and the LSTM of those that have a float one, may be float. That the result is
// right is tested in tests/randgraph.
func TestLedgers(t *testing.T) {
	t.Parallel()
	for _, path := range shared.Billnets() {
		t.Run(filepath.Base(path), func(t *testing.T) {
			t.Parallel()
			if testing.Short() && path == "models/billnet/billnet_full" {
				t.Skip("has the layers of billnet_full_mid")
			}
			m, _, err := onnx.ImportFile(context.Background(), shared.Dir(t, path+".onnx"), onnx.Options{})
			if err != nil {
				t.Fatal(err)
			}
			res, err := passes.Run(context.Background(), m, pipeline.Default(), passes.RunOptions{})
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range report.NewLedger(m, report.Certificates(m, res.Records)).Entries {
				if e.Kind == "float" && !(e.Op == "gemm" && e.Output) && !(e.Op == "lstm" && strings.Contains(path, "floatlstm")) {
					t.Errorf("%s (%s) is float: %s", e.Layer, e.Op, e.Why)
				}
			}
			certs := report.Certificates(m, res.Records)
			for _, c := range certs {
				for i, p := range c.Channels {
					if p.Lo > p.Hi || p.T < p.Lo || p.T > p.Hi+1 {
						t.Errorf("%s, channel %d: threshold %d for the range %d..%d", c.Layer, i, p.T, p.Lo, p.Hi)
					}
				}
			}
			data := report.EncodeCertificates(certs)
			back, err := report.DecodeCertificates(data)
			if err != nil || string(report.EncodeCertificates(back)) != string(data) {
				t.Errorf("certificates do not come back from their bytes: %v", err)
			}
			for cut := range min(len(data), 64) {
				if _, err := report.DecodeCertificates(data[:cut]); err == nil {
					t.Errorf("%d of %d bytes of certificates decode without an error", cut, len(data))
				}
			}
		})
	}
}
