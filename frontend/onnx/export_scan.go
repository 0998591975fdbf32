package onnx

import (
	"github.com/billnet/billnet/frontend/onnx/onnxpb"
	"github.com/billnet/billnet/ir"
)

// exportScan writes a Scan. Its body reads what is the same for all steps where it is,
// outside.
func exportScan(e *exporter, n *ir.Node) {
	body, states, axes := n.Body(), n.Int("states"), n.Ints("axes")
	inner := &exporter{
		graph: &onnxpb.Graph{Name: body.Name}, slots: map[*ir.Value]*slot{}, names: e.names, nodes: e.nodes,
		consts: map[string]string{}, spans: map[*ir.Value]span{}, opsets: e.opsets,
	}
	// Names are unique outside and inside.
	f := &ir.Func{Name: body.Name, Nodes: body.Nodes}
	port := func(p ir.Port) ir.Port {
		name := unique(e.names, body.Name+"."+p.Name)
		delete(e.names, name) // taken when it is declared
		return ir.Port{Name: name, Value: p.Value}
	}
	var inputs []string
	for i, p := range body.Params {
		if i >= states+len(axes) {
			inner.slots[p.Value] = e.readable(n.Args[i])
		} else {
			inputs = append(inputs, e.plain(n.Args[i]))
		}
		f.Params = append(f.Params, port(p))
	}
	for _, r := range body.Results {
		f.Results = append(f.Results, port(r))
	}
	if err := inner.function(f); err != nil && e.err == nil {
		e.err = err
	}
	outputs := make([]string, len(n.Results))
	for i, r := range n.Results {
		outputs[i] = unique(e.names, e.loc)
		if r.Type.DType.IsLogic() {
			e.slots[r] = &slot{num: outputs[i]}
		} else {
			e.slots[r] = &slot{native: outputs[i]}
		}
	}
	e.node("", "Scan", inputs, outputs,
		&onnxpb.Attribute{Name: "body", Type: kindGraph, G: inner.graph}, attrInt("num_scan_inputs", len(axes)),
		attrInts("scan_input_axes", axes), attrInts("scan_output_axes", n.Ints("out_axes")))
}

// plain is the name of a value as a graph has it for an input or output.
func (e *exporter) plain(v *ir.Value) string {
	if v.Type.DType.IsLogic() {
		return e.num(v)
	}
	return e.native(v)
}

// readable is a slot with the plain form of a value.
func (e *exporter) readable(v *ir.Value) *slot {
	if v.Type.DType.IsLogic() {
		return &slot{num: e.num(v)}
	}
	return &slot{native: e.native(v)}
}
