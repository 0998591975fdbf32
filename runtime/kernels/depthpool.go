package kernels

import "math"

// DepthPool is a plan of a pooling of float32 over dense maps: of the elements under a window it takes the largest, the smallest, or
// the sum over a number that goes with the position, with the operators Max, Min and Add. Sums begin at 0 and take the taps in order,
// every one rounded, as is the quotient; what lies outside a map counts for nothing.
type DepthPool struct {
	*depth
	op     Operator
	first  float32   // counts for nothing
	counts []float32 // of every position; nil but for sums
}

// depthFirst are what the operators of poolings begin with.
var depthFirst = [operators]float32{Max: float32(math.Inf(-1)), Min: float32(math.Inf(1))}

// NewDepthPool plans a pooling with as many groups as channels.
func NewDepthPool(set *Set, s DotShape, op Operator, counts []float32) (*DepthPool, error) {
	plan, err := newDepth(set, s)
	if err != nil {
		return nil, err
	}
	return &DepthPool{plan, op, depthFirst[op], counts}, nil
}

// Run computes unit u.
func (d *DepthPool) Run(u, part int, dst, src []float32, scratch []byte) {
	step, width := d.s.Stride[2]*depthLanes, d.s.Result[2]
	d.run(u, dst, src, d.mine(part, scratch), d.first, func(_ int, results, under []float32, at int) {
		counts := d.counts
		if counts != nil {
			counts = counts[at*width:][:width]
		}
		d.set.depthPool[d.op](results, under, step, d.offs, counts)
	})
}

// depthPoolGeneric is a row of results of an operator.
func depthPoolGeneric(op Operator) depthPoolFunc {
	return func(dst, src []float32, step int, offs []int32, counts []float32) {
		for i := 0; i < len(dst); i += depthLanes {
			v := dst[i:][:depthLanes]
			fillF32(v, depthFirst[op])
			for _, off := range offs {
				binaryGeneric[op](v, v, src[i/depthLanes*step+int(off)/4:][:depthLanes])
			}
			if counts != nil {
				unaryGeneric[Over](v, v, counts[i/depthLanes], 0)
			}
		}
	}
}
