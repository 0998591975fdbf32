package lossy_test

import (
	"github.com/billnet/billnet/passes"
	"github.com/billnet/billnet/passes/report"
)

// What the passes of a run recorded.

func binarized(r *passes.Result) []*report.Binarization {
	return passes.RecordsOf[report.Binarization](r.Records)
}

func gated(r *passes.Result) []*report.Gating { return passes.RecordsOf[report.Gating](r.Records) }

func quantized(r *passes.Result) []*report.Quantization {
	return passes.RecordsOf[report.Quantization](r.Records)
}
