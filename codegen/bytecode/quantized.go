package bytecode

import (
	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/runtime/billb"
)

// shiftedWeights is constant weights [O,...] less their zero points, of which there are one, O or none; nil where that is
// beyond nine bits.
func shiftedWeights(w, zero *ir.Tensor) *ir.Tensor {
	out := make([]int16, w.Len())
	for at, run := range w.IntRuns(0, w.Len()) {
		for i, v := range run {
			if zero != nil {
				v -= zero.Int((at + i) * zero.Len() / w.Len())
			}
			if v < -256 || v > 254 {
				return nil
			}
			out[at+i] = int16(v)
		}
	}
	return ir.SmallTensor(ir.I16, out, w.Type.Shape...)
}

// bytesConv emits a convolution of bytes x by weights with constant zero points and steps; nil where the kernels of bytes do
// not take it. zero is nil or of one element.
func (e *expansion) bytesConv(n *ir.Node, w, zero, wZero *ir.Tensor, list billb.Steps, consts ...*ir.Tensor) *ir.Value {
	x := n.In(0)
	if x.DType != ir.U8 && x.DType != ir.I8 || x.Rank() < 3 || x.Rank() > 5 || x.Layout.Planes || x.Elems() == 0 || w.Len() == 0 {
		return nil
	}
	if zero != nil && zero.Len() != 1 || wZero != nil && w.Type.Shape[0]%wZero.Len() != 0 {
		return nil
	}
	shifted := shiftedWeights(w, wZero)
	if shifted == nil || n.Result().Type.Elems() == 0 || sumsType(ir.U8, ir.I8, fanIn(w.Type)) != ir.I32 {
		return nil
	}
	ids := []int{e.g.constant(shifted), -1}
	if zero != nil {
		ids[1] = e.g.constant(zero.Reshape(1))
	}
	for _, t := range consts {
		ids = append(ids, e.g.constant(t))
	}
	y := &ir.Value{Type: n.Result().Type}
	e.err = e.g.emit("conv_steps", n.Loc.Name, []int{e.g.operand(n.Args[0])}, []*ir.Value{y}, ids, convSteps(n, list))
	return y
}

// bytesQLinear emits a qlinear_conv of constants as one instruction; nil for others.
func (e *expansion) bytesQLinear(n *ir.Node) *ir.Value {
	k := e.constants(n.Args[1:])
	y := n.Result().Type.DType
	if k == nil || y != ir.U8 && y != ir.I8 {
		return nil
	}
	xScale, xZero, w, wScale, wZero, yScale, yZero := k[0], k[1], k[2], k[3], k[4], k[5], k[6]
	for _, t := range []*ir.Tensor{xScale, wScale, yScale} {
		if t == nil || t.Type.DType != ir.F32 {
			return nil
		}
	}
	factor := ir.NewTensor(ir.T(ir.F32, wScale.Len()))
	for i := range factor.Floats() { // x_scale*w_scale/y_scale, every operation rounded
		factor.Floats()[i] = float32(xScale.Float32(0)*wScale.Float32(i)) / yScale.Float32(0)
	}
	lo, hi := y.Range()
	list := billb.Steps{Steps: []billb.StepOp{billb.StepToFloat, billb.StepTimes, billb.StepQuantize}, Values: []float64{float64(lo), float64(hi)}}
	consts := []*ir.Tensor{factor, ir.FloatTensor([]float32{1}, 1), yZero.Reshape(1)}
	if len(k) > 7 && k[7] != nil {
		double := func(v ...float64) *ir.Tensor { return ir.DoubleTensor(v, len(v)) }
		list.Steps[0] = billb.StepAffine
		consts = append([]*ir.Tensor{double(1), double(1), k[7].Convert(ir.F64)}, consts...)
	}
	return e.bytesConv(n, w, xZero, wZero, list, consts...)
}
