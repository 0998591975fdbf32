package onnx

import (
	"fmt"
	"slices"

	"github.com/billnet/billnet/ir"
)

// declared is what the file says of a value's type; ok is false where it says
// nothing. Bodies of control flow are not asked: their values exist once a step.
func (imp *importer) declared(name string) (v ValueInfo, ok bool) {
	if imp.inBody > 0 {
		return v, false
	}
	v, ok = imp.model.Graph.Values[name]
	return v, ok
}

// checkDeclared compares the types of a node's results with those that the file
// declares. Open dimensions fit anything, and what a person wrote of a result of
// the model, as such dimensions tell, is noted where it does not fit.
func (imp *importer) checkDeclared(n *Node, results []*ir.Value) error {
	for i, v := range results {
		if v == nil || i >= len(n.Outputs) || n.Outputs[i] == "" {
			continue
		}
		says, ok := imp.declared(n.Outputs[i])
		if !ok || says.describes(v.Type) {
			continue
		}
		if n.countsEndWindows(says, v.Type) {
			imp.looseShapes = true
			imp.report.notef("%s: output %q is %s; the file declares %s, which counts a window that starts in the padding, as shape inference before operator set 22 did; shapes that it declares from there on are not compared", n, n.Outputs[i], v.Type, says)
		}
		if imp.looseShapes && says.describesElements(v.Type.DType) {
			continue
		}
		if says.open() && says.describesElements(v.Type.DType) && slices.ContainsFunc(imp.model.Graph.Outputs, func(o ValueInfo) bool { return o.Name == n.Outputs[i] }) {
			imp.report.notef("%s: output %q is %s; the file declares %s, which is not compared, as it leaves sizes open", n, n.Outputs[i], v.Type, says)
			continue
		}
		return fmt.Errorf("output %q is %s, but the file declares it as %s; was the file changed after its shapes were inferred?", n.Outputs[i], v.Type, says)
	}
	return nil
}

// open reports whether a declared shape leaves a size open.
func (v ValueInfo) open() bool {
	return slices.ContainsFunc(v.Dims, func(d Dim) bool { return d.Size < 0 })
}

// describes reports whether a declared type fits a real one.
func (v ValueInfo) describes(t ir.Type) bool {
	return v.describesElements(t.DType) && v.fits(t.Shape) == nil
}

func (v ValueInfo) describesElements(d ir.DType) bool {
	return v.DType == Undefined || irTypes[v.DType] == d
}

// countsEndWindows reports whether a pooling that rounds up has, in the declared
// shape, one window more than it has.
func (n *Node) countsEndWindows(says ValueInfo, t ir.Type) bool {
	if mode, _ := Attr[int64](n, "ceil_mode", 0); mode == 0 || n.Op != "MaxPool" && n.Op != "AveragePool" || len(says.Dims) != t.Rank() {
		return false
	}
	for i, d := range says.Dims {
		if more := d.Size - t.Shape[i]; d.Size >= 0 && more != 0 && (more != 1 || i < 2) {
			return false
		}
	}
	return true
}
