package onnx

import "github.com/billnet/billnet/ir"

// handlers maps every supported operator. A handler follows the newest
// version of its operator; where an early version differs, the handler says so.
var handlers = map[operator]handler{}

func init() {
	register := func(domain string, table map[string]handler) {
		for name, h := range table {
			handlers[operator{domain, name}] = h
		}
	}
	register("", elementwiseOps)
	register("", shapeOps)
	register("", windowOps)
	register("", normOps)
	register("", matrixOps)
	register("", reduceOps)
	register("", recurrentOps)
	register("", quantOps)
	register("", normOps)
	register("", activationOps)
	register("", scatterOps)
	register("", indexOps)
	register("", gridOps)
	register("", resizeOps)
	register("", sequenceOps)
	for _, op := range ir.Ops() {
		if h, ok := literalHandler(op); ok && op.Onnx != "" && handlers[operator{"", op.Onnx}].convert == nil && qonnxOps[op.Onnx].convert == nil {
			handlers[operator{"", op.Onnx}] = h
		}
	}
	register(microsoftDomain, microsoftOps)
	for _, domain := range []string{"qonnx.custom_op.general", "onnx.brevitas", "finn.custom_op.general"} {
		register(domain, qonnxOps)
	}
}

// plain passes all inputs on, in order, to an operation without attributes.
func plain(op *ir.Op) func(c *call) []*ir.Value {
	return func(c *call) []*ir.Value { return one(c.emit(op, nil, c.args...)) }
}

// alias passes input 0 on as the result.
func alias(c *call) []*ir.Value { return one(c.args[0]) }
