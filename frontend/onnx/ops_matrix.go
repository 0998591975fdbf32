package onnx

import "github.com/billnet/billnet/ir"

var matrixOps = map[string]handler{
	"Gemm":   {2, 3, gemm},
	"MatMul": {2, 2, plain(ir.MatMul)},
}

func gemm(c *call) []*ir.Value {
	c.has("broadcast") // up to version 6; c broadcasts in any case
	return one(c.emit(ir.Gemm, attrs{
		"alpha":   c.float("alpha", 1),
		"beta":    c.float("beta", 1),
		"trans_a": c.bool("transA", false),
		"trans_b": c.bool("transB", false),
	}, c.args...))
}
