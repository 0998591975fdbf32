package train

import (
	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/train/gemm"
	"github.com/billnet/billnet/train/vec"
)

// matrix is a view of elements: (i, j) is data[i*rs+j*cs].
type matrix struct {
	data       []float32
	rows, cols int
	rs, cs     int
}

func (m matrix) t() matrix { return matrix{m.data, m.cols, m.rows, m.cs, m.rs} }

// dense is a row-major matrix over data.
func dense(data []float32, rows, cols int) matrix { return matrix{data, rows, cols, cols, 1} }

// multiply sets y = a*b, or adds to y, a dense matrix. Every element is a sum in
// the order of a's columns.
func (g *graph) multiply(y, a, b matrix, add bool) {
	if a.rows == 0 || b.cols == 0 {
		return
	}
	k := a.cols
	if b.cs != 1 || b.rs < b.cols { // rows must lie in memory one after the other
		packed := g.zeros(k * b.cols)
		defer g.release(packed)
		const rows = 32
		g.each((k+rows-1)/rows, func(_, job int) {
			for i := job * rows; i < min(k, (job+1)*rows); i++ {
				row := packed[i*b.cols : (i+1)*b.cols]
				at := i * b.rs
				for j := range row {
					row[j] = b.data[at]
					at += b.cs
				}
			}
		})
		b = dense(packed, k, b.cols)
	}
	off := make([]int, k)
	for i := range off {
		off[i] = i * b.rs
	}
	panels := (a.rows + gemm.PanelRows - 1) / gemm.PanelRows
	blocks := (b.cols + block - 1) / block
	g.each(panels*blocks, func(worker, job int) {
		first, left := job/blocks*gemm.PanelRows, job%blocks*block
		rows, cols := min(gemm.PanelRows, a.rows-first), min(block, b.cols-left)
		w := g.buffer(worker, 2, gemm.PanelLen(rows, k))
		gemm.Pack(w, a.data[first*a.rs:], rows, k, a.rs, a.cs)
		into := y.data[first*y.rs+left:]
		if !add {
			gemm.Mul(into, y.rs, w, rows, b.data[left:], off, cols)
			return
		}
		tmp := g.buffer(worker, 3, rows*cols)
		gemm.Mul(tmp, cols, w, rows, b.data[left:], off, cols)
		for i := range rows {
			vec.Add(into[i*y.rs:i*y.rs+cols], tmp[i*cols:])
		}
	})
}

// matrixProduct is y = alpha * A B per unit:
//
//	dA = alpha * dY B', dB = alpha * A' dY
//
// A matrix that all units share is one product with the rows of all units.
type matrixProduct struct {
	a, b, y        *value
	m, k, n        int
	transA, transB bool
	alpha          float32
	count          int                // products of one unit
	at             func(i int) [2]int // where operands of product i begin, in elements
}

// operands returns matrices A and B of product i of unit u in data.
func (op *matrixProduct) operands(a, b []float32, i int) (A, B matrix) {
	off := op.at(i)
	A, B = dense(a[off[0]:], op.m, op.k), dense(b[off[1]:], op.k, op.n)
	if op.transA {
		A = dense(a[off[0]:], op.k, op.m).t()
	}
	if op.transB {
		B = dense(b[off[1]:], op.n, op.k).t()
	}
	return A, B
}

// joined reports whether the rows of all products form one matrix.
func (op *matrixProduct) joined() bool {
	return !op.b.batched && op.a.batched && !op.transA && op.b.size == op.k*op.n && op.a.size == op.count*op.m*op.k
}

func (op *matrixProduct) forward(g *graph) error {
	if op.joined() {
		_, B := op.operands(op.a.data, op.b.data, 0)
		rows := g.active * op.count * op.m
		g.multiply(dense(op.y.data, rows, op.n), dense(op.a.data, rows, op.k), B, false)
	} else {
		for u := range g.count(op.y) {
			for i := range op.count {
				A, B := op.operands(op.a.unit(u), op.b.unit(u), i)
				g.multiply(dense(op.y.unit(u)[i*op.m*op.n:], op.m, op.n), A, B, false)
			}
		}
	}
	if op.alpha != 1 {
		for i := range g.all(op.y) {
			op.y.data[i] *= op.alpha
		}
	}
	return nil
}

func (op *matrixProduct) backward(g *graph) {
	gy := op.y.grad
	if op.alpha != 1 {
		scaled := g.zeros(len(gy))
		defer g.release(scaled)
		for i, v := range gy {
			scaled[i] = op.alpha * v
		}
		gy = scaled
	}
	ga, gb := g.gradOf(op.a), g.gradOf(op.b)
	if op.joined() {
		rows := g.active * op.count * op.m
		dy, A := dense(gy, rows, op.n), dense(op.a.data, rows, op.k)
		_, B := op.operands(op.a.data, op.b.data, 0)
		if ga != nil {
			g.multiply(dense(ga, rows, op.k), dy, B.t(), true)
		}
		if gb != nil && op.transB {
			g.multiply(dense(gb, op.n, op.k), dy.t(), A, true)
		} else if gb != nil {
			g.multiply(dense(gb, op.k, op.n), A.t(), dy, true)
		}
		return
	}
	for u := range g.count(op.y) {
		for i := range op.count {
			dy := dense(op.y.part(gy, u)[i*op.m*op.n:], op.m, op.n)
			A, B := op.operands(op.a.unit(u), op.b.unit(u), i)
			off := op.at(i)
			if ga != nil {
				da := op.a.gradUnit(u)[off[0]:]
				if op.transA {
					g.multiply(dense(da, op.k, op.m), B, dy.t(), true)
				} else {
					g.multiply(dense(da, op.m, op.k), dy, B.t(), true)
				}
			}
			if gb != nil {
				db := op.b.gradUnit(u)[off[1]:]
				if op.transB {
					g.multiply(dense(db, op.n, op.k), dy.t(), A, true)
				} else {
					g.multiply(dense(db, op.k, op.n), A.t(), dy, true)
				}
			}
		}
	}
}

// gemm is alpha * A B + beta * c.
var _ = register(func(b *builder, n *ir.Node, in []*value) ([]*value, error) {
	y := b.result(0, in[0], in[1])
	op := &matrixProduct{a: in[0], b: in[1], y: y, m: y.shape[0], n: y.shape[1], k: in[0].shape[1], transA: n.Bool("trans_a"), transB: n.Bool("trans_b"),
		alpha: float32(n.Float("alpha")), count: 1, at: func(int) [2]int { return [2]int{} }}
	if op.transA {
		op.k = in[0].shape[0]
	}
	b.emit(op, y)
	if n.Arg(2) == nil {
		return []*value{y}, nil
	}
	beta := float32(n.Float("beta"))
	fwd := func(y []float32, x [][]float32) {
		for i, v := range x[0] {
			y[i] = v + float32(beta*x[1][i])
		}
	}
	bwd := func(gy, y []float32, x, gx [][]float32) {
		for i, v := range gy {
			if gx[0] != nil {
				gx[0][i] += v
			}
			if gx[1] != nil {
				gx[1][i] += beta * v
			}
		}
	}
	return []*value{b.elements([]*value{y, in[2]}, fwd, bwd)}, nil
}, ir.Gemm)

// matmul multiplies over the last two axes; the axes before broadcast.
var _ = register(func(b *builder, n *ir.Node, in []*value) ([]*value, error) {
	as, bs := in[0].shape, in[1].shape
	if len(as) == 1 {
		as = []int{1, as[0]}
	}
	if len(bs) == 1 {
		bs = []int{bs[0], 1}
	}
	y := b.result(0, in...)
	op := &matrixProduct{a: in[0], b: in[1], y: y, m: as[len(as)-2], k: as[len(as)-1], n: bs[len(bs)-1], alpha: 1}
	lead, err := ir.Broadcast(as[:len(as)-2], bs[:len(bs)-2])
	if err != nil {
		return nil, err
	}
	atA, atB := offsets(lead, as[:len(as)-2]), offsets(lead, bs[:len(bs)-2])
	op.count = elems(lead)
	op.at = func(i int) [2]int { return [2]int{atA[i] * op.m * op.k, atB[i] * op.k * op.n} }
	b.emit(op, y)
	return []*value{y}, nil
}, ir.MatMul)
