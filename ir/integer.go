package ir

import "fmt"

// shifted returns x - zero in i64; zero, which may be nil, broadcasts to x after
// a reshape to the given shape.
func shifted(x, zero *Tensor, shape []int) []int64 {
	if zero == nil {
		return x.Ints()
	}
	out := make([]int64, x.Len())
	walk(x.Type.Shape, func(i int, off []int) { out[i] = x.Int(i) - zero.Int(off[0]) }, broadcastStrides(shape, x.Type.Shape))
	return out
}

// convOf returns a node with operands x, w and bias (nil for none) and n's
// attributes, for the convolution helpers.
func convOf(n *Node, x, w int, bias *Value) *Node {
	return &Node{Op: n.Op, Attrs: n.Attrs, Args: []*Value{n.Args[x], n.Args[w], bias}}
}

// integerConvSums returns the sums of a convolution over integers; padding is
// the zero point.
func integerConvSums(c *Node, t Type, x, xZero, w, wZero *Tensor) (*Tensor, error) {
	win, err := convWindow(c)
	if err != nil {
		return nil, err
	}
	sums := NewTensor(t)
	convolve(c, win, sums.Ints(), shifted(x, xZero, nil), shifted(w, wZero, channelShape(wZero, w.Type.Rank())))
	return sums, nil
}

// channelShape is the shape under which one number, or a list of them, goes
// along the first of rank axes.
func channelShape(t *Tensor, rank int) []int {
	if t == nil || t.Len() == 1 {
		return nil
	}
	shape := make([]int, rank)
	for a := range shape {
		shape[a] = 1
	}
	shape[0] = t.Len()
	return shape
}

// expectIntegers reports operands of convolutions and products that are no
// integers of at most 32 bits.
func expectIntegers(n *Node, operands ...int) error {
	for _, i := range operands {
		if t := n.In(i); !t.DType.IsInt() || t.DType.Bits() > 32 {
			return fmt.Errorf("%s is %s, expected integers of at most 32 bits", n.Op.Operands[i].Name, t)
		}
	}
	return nil
}

// expectOne reports an operand that is there and is not one element of type d
// (Invalid: a float), or a list of count of them where count is not 0.
func expectOne(n *Node, operand int, d DType, count int) error {
	a := n.Arg(operand)
	if a == nil {
		return nil
	}
	ok := a.Type.DType == d || d == Invalid && a.Type.DType.IsFloat()
	if ok && (a.Type.Rank() <= 1 && a.Type.Elems() == 1 || count > 0 && SameShape(a.Type.Shape, []int{count})) {
		return nil
	}
	kind := d.String()
	if d == Invalid {
		kind = "float"
	}
	if count > 0 {
		return fmt.Errorf("%s is %s, expected one %s or %d of them", n.Op.Operands[operand].Name, a.Type, kind, count)
	}
	return fmt.Errorf("%s is %s, expected one %s", n.Op.Operands[operand].Name, a.Type, kind)
}

// alongRows is the shape under which a parameter of a matrix's rows broadcasts
// to the matrix: a list of them becomes a column.
func alongRows(shape []int) []int {
	if len(shape) == 1 && shape[0] != 1 {
		return []int{shape[0], 1}
	}
	return shape
}

// expectAlong reports an operand that is there and, under the given shape, does
// not broadcast to the shape of a matrix, or has another element type than d
// (Invalid: a float).
func expectAlong(n *Node, operand int, d DType, along func([]int) []int, matrix []int) error {
	a := n.Arg(operand)
	if a == nil {
		return nil
	}
	s, err := Broadcast(along(a.Type.Shape), matrix)
	if err != nil || !SameShape(s, matrix) || a.Type.DType != d && (d != Invalid || !a.Type.DType.IsFloat()) {
		return fmt.Errorf("%s is %s, which does not go with %s", n.Op.Operands[operand].Name, a.Type, ShapeString(matrix))
	}
	return nil
}

func asIs(shape []int) []int { return shape }

// productListReads is what an element of a matrix product of two tensors of
// these ranks reads of a parameter that goes along its rows or columns.
func productListReads(n *Node, operand int, rows bool, rankA, rankB int) []Read {
	t, y := n.In(operand), n.Results[0].Type.Shape
	if t.Rank() > 1 {
		return broadcastReads(t.Shape, y)
	}
	axis := len(y) - 1
	if rows && rankB > 1 {
		axis--
	}
	if rows && rankA < 2 || !rows && rankB < 2 {
		return make([]Read, t.Rank())
	}
	return listRead(t, axis)
}
