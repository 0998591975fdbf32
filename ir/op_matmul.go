package ir

import "fmt"

var MatMul = register(&Op{
	Name: "matmul",
	Doc: "Matrix product over the last two axes: y[...,i,j] = sum over k of a[...,i,k]*b[...,k,j]; the axes before broadcast. An operand with one axis is a row (a) or a column (b), " +
		"and its axis is dropped from y. Float32 sums run over k in order and start at 0; integers wrap.",
	Onnx:     "MatMul",
	Since:    1,
	Levels:   Source | Logic | Packed,
	Kind:     Multiplies,
	Operands: []Param{{Name: "a", Doc: "[...,M,K] or [K]"}, {Name: "b", Doc: "[...,K,N] or [K]"}},
	Results:  []Param{{Name: "y", Doc: "[...,M,N]"}},
	Infer: func(n *Node) ([]Type, error) {
		if n.In(0).DType != n.In(1).DType || !isNumber(n.In(0).DType) {
			return nil, fmt.Errorf("a is %s and b is %s, expected equal float or integer types", n.In(0), n.In(1))
		}
		return matmulInfer(n.In(0), n.In(1), n.In(0).DType)
	},
	Eval: func(n *Node, in []*Tensor) ([]*Tensor, error) {
		out := NewTensor(n.Results[0].Type)
		matmulEval(out, in[0], in[1])
		roundAll(out)
		return []*Tensor{out}, nil
	},
	Work:  matmulWork,
	Reads: func(n *Node, _, operand int) []Read { return matmulReads(n, n.Args[0], n.Args[1], operand) },
	Example: `
  %1 = const [1, 2, 3, 4] : f32[2,1,2]
  %2 = const [1, -1] : f32[2]
  %3 = matmul %1, %2 : f32[2,1]
  return %3 "y"`,
})

// matmulInfer returns the type of a matrix product with the given element type.
func matmulInfer(a, b Type, d DType) ([]Type, error) {
	if a.Rank() == 0 || b.Rank() == 0 {
		return nil, fmt.Errorf("a is %s and b is %s, expected at least one axis each", a, b)
	}
	as, bs := matrixShapes(a.Shape, b.Shape)
	if as[len(as)-1] != bs[len(bs)-2] {
		return nil, fmt.Errorf("a is %s and b is %s: %d columns against %d rows", a, b, as[len(as)-1], bs[len(bs)-2])
	}
	shape, err := Broadcast(as[:len(as)-2], bs[:len(bs)-2])
	if err != nil {
		return nil, err
	}
	if a.Rank() > 1 {
		shape = append(shape, as[len(as)-2])
	}
	if b.Rank() > 1 {
		shape = append(shape, bs[len(bs)-1])
	}
	return []Type{T(d, shape...)}, nil
}

// matrixShapes makes a one-axis a a row and a one-axis b a column.
func matrixShapes(a, b []int) ([]int, []int) {
	if len(a) == 1 {
		a = []int{1, a[0]}
	}
	if len(b) == 1 {
		b = []int{b[0], 1}
	}
	return a, b
}

func matmulWork(n *Node) int {
	a := n.In(0).Shape
	return n.Results[0].Type.Elems() * a[len(a)-1]
}

// matmulEval adds the matrix product of a and b, tensors of one kind, to out.
func matmulEval(out, a, b *Tensor) {
	if out.Len() == 0 {
		return
	}
	as, bs := matrixShapes(a.Type.Shape, b.Type.Shape)
	m, k, n := as[len(as)-2], as[len(as)-1], bs[len(bs)-1]
	as, bs = as[:len(as)-2], bs[:len(bs)-2]
	batch, _ := Broadcast(as, bs)
	walk(batch, func(i int, off []int) {
		y, x, w := i*m*n, off[0]*m*k, off[1]*k*n
		switch {
		case out.HoldsFloats():
			multiply(out.Floats()[y:y+m*n], a.FloatRange(x, x+m*k), b.FloatRange(w, w+k*n), m, k, n)
		case out.HoldsDoubles():
			multiply(out.Doubles()[y:y+m*n], a.Doubles()[x:x+m*k], b.Doubles()[w:w+k*n], m, k, n)
		default:
			multiply(out.Ints()[y:y+m*n], a.IntRange(x, x+m*k), b.IntRange(w, w+k*n), m, k, n)
		}
	}, broadcastStrides(as, batch), broadcastStrides(bs, batch))
}

// matmulReads is what an element of the matrix product of a and b reads of
// operand 0 or 1 of the two.
func matmulReads(n *Node, a, b *Value, operand int) []Read {
	y := n.Results[0].Type.Shape
	rows, cols := min(a.Type.Rank()-1, 1), min(b.Type.Rank()-1, 1) // axes of y that these are
	batch := y[:len(y)-rows-cols]
	t, keep, axis := a.Type, -2, len(batch)
	if operand == 1 {
		t, keep, axis = b.Type, -1, len(batch)+rows
	}
	r := make([]Read, t.Rank())
	if t.Rank() < 2 {
		return r
	}
	copy(r, broadcastReads(t.Shape[:t.Rank()-2], batch))
	r[t.Rank()+keep] = same(axis)
	return r
}
