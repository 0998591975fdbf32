package ir

import (
	"fmt"
	"math"
)

var quantLinearAttrs = []Attr{
	{Name: "axis", Kind: KInt, Default: 1, Doc: "the axis of x that a list of scales goes along"},
	{Name: "block_size", Kind: KInt, Default: 0, Doc: "elements along axis that share a scale, when scale has as many axes as x; 0: not blocked"},
}

// quantGrid says which scale and zero point an element of x uses.
type quantGrid struct {
	single      bool // one scale for all
	blocked     bool
	size, inner int // of the axis and of what follows it
	block       int // elements that share a scale
	blocks      int // how many blocks there are
}

// newQuantGrid checks operands x, scale and zero: one scale, a list of them
// along an axis, or blocks of equal scale along it.
func newQuantGrid(n *Node) (*quantGrid, error) {
	x, s := n.In(0), n.In(1)
	if z := n.Arg(2); z != nil && !SameShape(z.Type.Shape, s.Shape) {
		return nil, fmt.Errorf("zero is %s, expected scale's shape %s", z.Type, ShapeString(s.Shape))
	}
	block := n.Int("block_size")
	if block < 0 {
		return nil, fmt.Errorf("block_size is %d, expected 0 or more", block)
	}
	if block == 0 && s.Rank() <= 1 && s.Elems() == 1 {
		return &quantGrid{single: true}, nil
	}
	a, err := axisAttr(n, x.Rank())
	if err != nil {
		return nil, err
	}
	d := x.Shape[a]
	g := &quantGrid{blocked: block > 0, size: d, inner: Type{Shape: x.Shape[a+1:]}.Elems(), block: block}
	if !g.blocked {
		if !SameShape(s.Shape, []int{d}) {
			return nil, fmt.Errorf("scale is %s, expected one, or %d for axis %d of %s", s, d, a, x)
		}
		return g, nil
	}
	if d > 0 {
		g.blocks = (d-1)/block + 1
	}
	want := append([]int{}, x.Shape...)
	want[a] = g.blocks
	if !SameShape(s.Shape, want) {
		return nil, fmt.Errorf("scale is %s, expected the shape %s of blocks of %d on axis %d", s, ShapeString(want), block, a)
	}
	return g, nil
}

// at returns the index of element i's scale.
func (g *quantGrid) at(i int) int {
	if g.single {
		return 0
	}
	k := i / g.inner % g.size
	if !g.blocked {
		return k
	}
	return (i/(g.inner*g.size)*g.blocks+k/g.block)*g.inner + i%g.inner
}

// run is how many elements, of n, from a multiple of it on have the same scale.
func (g *quantGrid) run(n int) int {
	switch {
	case g.single:
		return max(n, 1)
	case g.blocked:
		return 1
	}
	return max(g.inner, 1)
}

// requantize returns the integer nearest to v (halves to even) plus a zero
// point, saturated to the type; NaN gives the zero point.
func requantize(d DType, v float64, zero int64) int64 {
	if v != v {
		v = 0
	}
	return SaturateInt(d, math.RoundToEven(v)+float64(zero))
}

// quantGridReads are the Reads of an operation with operands x, scale and zero.
func quantGridReads(n *Node, _, operand int) []Read {
	x := n.In(0)
	r := sames(x.Rank(), 0)
	if operand == 0 {
		return r
	}
	a, _ := Axis(n.Int("axis"), x.Rank())
	if block := n.Int("block_size"); block > 0 {
		r[a] = sharing(a, block)
		return r
	}
	return listRead(n.In(operand), a)
}
