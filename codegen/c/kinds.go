package c

import "github.com/billnet/billnet/runtime/billb"

// kinds are the instructions that have a form in C. It is filled at the start
// because functions of the table use others.
var kinds map[billb.Opcode]func(g *generator, l *layer)

func init() {
	kinds = map[billb.Opcode]func(g *generator, l *layer){
		billb.OpRelayout:   relayout,
		billb.OpBConv:      bitConv,
		billb.OpIConv:      intConv,
		billb.OpBitMaxPool: bitPool,
		billb.OpBitMinPool: bitPool,
		billb.OpThreshold:  threshold,
		billb.OpCount:      count,
		billb.OpRecode:     recode,
		billb.OpBLSTM:      blstm,

		billb.OpTranspose: transpose,
		billb.OpReshape:   reshape,
		billb.OpIdentity:  reshape,
		billb.OpSlice:     slice,
		billb.OpExpand:    expand,
		billb.OpConcat:    concat,
		billb.OpTile:      tile,
		billb.OpGather:    gather,
		billb.OpPad:       pad,
		billb.OpShift:     shift,

		billb.OpILinear:     ilinear,
		billb.OpGemm:        gemm,
		billb.OpMatMul:      matmul,
		billb.OpDenseIConv:  denseConv,
		billb.OpConv:        denseConv,
		billb.OpMaxPool:     densePool,
		billb.OpMinPool:     densePool,
		billb.OpAveragePool: meanPool,

		billb.OpReduceSum:  reduce,
		billb.OpReduceMean: reduce,
		billb.OpReduceProd: reduce,
		billb.OpReduceMax:  reduce,
		billb.OpReduceMin:  reduce,
		billb.OpArgMax:     argMax,

		billb.OpLSTM:       lstm,
		billb.OpGRU:        gru,
		billb.OpRNN:        rnn,
		billb.OpElu:        elu,
		billb.OpSoftmax:    softmax,
		billb.OpLogSoftmax: softmax,

		billb.OpConvSteps:   convSteps,
		billb.OpLinearSteps: linearSteps,
		billb.OpMapSteps:    mapSteps,

		billb.OpQuantizeLinear:   quantizeLinear,
		billb.OpDequantizeLinear: dequantizeLinear,
		billb.OpRequantize:       requantize,
		billb.OpQuant:            quant,
		billb.OpQuantLSTMCell:    quantLSTM,
	}
	for op := range gateForms {
		kinds[op] = gate
	}
	for op := range pointwise {
		kinds[op] = pointwiseLayer
	}
	for op := range functions {
		kinds[op] = functionLayer
	}
}
