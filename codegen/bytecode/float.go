package bytecode

import (
	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/runtime/billb"
)

// globalPool is a reduction over the axes behind the channels.
func globalPool(e *expansion, n *ir.Node) []*ir.Value {
	x, y := n.In(0), n.Result().Type
	op, axes := ir.ReduceMax.Name, []int(nil)
	for a := 2; a < x.Rank(); a++ {
		axes = append(axes, a)
	}
	switch {
	case n.Is(ir.GlobalAveragePool) && x.Elems() == 0:
		return []*ir.Value{e.constant(ir.NewTensor(y))}
	case n.Is(ir.GlobalAveragePool):
		op = ir.ReduceMean.Name
	}
	return []*ir.Value{e.instruction(op, y, &billb.Reduce{Axes: axes}, n.Args[0])}
}

// accumulator is a type in which the sums of integers d, wrapped to d, come out
// right and that has a matrix product; Invalid when d has one itself.
func accumulator(d ir.DType) ir.DType {
	switch {
	case !d.IsInt() || d == ir.I32 || d == ir.I64:
		return ir.Invalid
	case d.Bits() <= 32:
		return ir.I32
	}
	return ir.I64
}

func matmul(e *expansion, n *ir.Node) []*ir.Value {
	d := n.In(0).DType
	acc := accumulator(d)
	if acc == ir.Invalid {
		return nil
	}
	return []*ir.Value{e.cast(e.op(ir.MatMul, nil, e.cast(n.Args[0], acc), e.cast(n.Args[1], acc)), d)}
}

// gemm of integers, whose factors are 1, is a matrix product and a sum.
func gemm(e *expansion, n *ir.Node) []*ir.Value {
	if !n.In(0).DType.IsInt() {
		return nil
	}
	side := func(i int, trans string) *ir.Value {
		if n.Bool(trans) {
			return e.op(ir.Transpose, map[string]any{"perm": []int{1, 0}}, n.Args[i])
		}
		return n.Args[i]
	}
	y := e.op(ir.MatMul, nil, side(0, "trans_a"), side(1, "trans_b"))
	if c := n.Arg(2); c != nil {
		y = e.op(ir.Add, nil, y, c)
	}
	return []*ir.Value{y}
}
