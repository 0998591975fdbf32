package train

import (
	"fmt"
	"math"

	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/train/vec"
)

// NormMode says which statistics a batch norm uses in training. Inference always
// uses the running ones.
type NormMode uint8

// The modes of batch norms.
const (
	NormBatch   NormMode = iota // those of the batch, with gradients through them; they move the running ones
	NormRunning                 // the running ones, which those of the batch move; no gradient through them
	NormFrozen                  // the running ones, which stay
)

// batchNorm is y = (x - mean)/sqrt(var + eps)*scale + bias over axis 1. With
// xhat = (x - mean)/sqrt(var + eps) and n elements a channel:
//
//	dbias = sum dy, dscale = sum dy*xhat
//	dx = scale/sqrt(var + eps) * (dy - dbias/n - xhat*dscale/n)   on batch statistics
//	dx = scale/sqrt(var + eps) * dy                               on running ones
type batchNorm struct {
	x, scale, bias, mean, variance, y *value
	outer, channels, inner            int // of one unit
	eps                               float32
	mode                              NormMode
	stats                             *normStats // of the mean and variance, which several norms may share

	mu, inv, sums []float64 // of every channel: batch mean, 1/sqrt(var + eps), sums of the units
	used          bool      // the last forward pass was on batch statistics
}

// normStats are running statistics and what the batch at hand found for them.
type normStats struct {
	mean, variance *Param
	momentum       float64 // 0: the trainer's
	sum, sumVar    []float64
	count          int // norms that have added to the sums
}

var _ = register(func(b *builder, n *ir.Node, in []*value) ([]*value, error) {
	x := in[0]
	op := &batchNorm{x: x, scale: in[1], bias: in[2], mean: in[3], variance: in[4], y: b.result(0, in...),
		outer: x.shape[0], channels: x.shape[1], inner: elems(x.shape[2:]), eps: float32(n.Float("epsilon")), mode: NormFrozen}
	for i, v := range in[1:] {
		if v.batched {
			return nil, fmt.Errorf("%s depends on the input", n.Op.Operands[i+1].Name)
		}
	}
	if m, v := op.mean.param, op.variance.param; m != nil && v != nil && x.batched {
		op.mode = NormBatch
		for _, other := range b.g.norms {
			if other.stats != nil && other.stats.mean == m && other.stats.variance == v {
				op.stats = other.stats
				op.mode, other.mode = NormRunning, NormRunning // one norm at every time step
			}
		}
		if op.stats == nil {
			op.stats = &normStats{mean: m, variance: v, sum: make([]float64, op.channels), sumVar: make([]float64, op.channels)}
		}
	}
	op.mu, op.inv = make([]float64, op.channels), make([]float64, op.channels)
	b.g.norms = append(b.g.norms, op)
	b.emit(op, op.y)
	return []*value{op.y}, nil
}, ir.BatchNorm)

// rows calls f for every channel c with the elements of x, of y or their
// gradients in unit u that belong to it.
func (op *batchNorm) rows(f func(c, lo, hi int)) {
	for r := range op.outer * op.channels {
		f(r%op.channels, r*op.inner, (r+1)*op.inner)
	}
}

// reduce sums, for every channel, what f returns for its rows: two sums, over the
// rows of a unit and then over the units, in order.
func (op *batchNorm) reduce(g *graph, f func(u, c, lo, hi int) (a, b float64)) (first, second []float64) {
	n, units := op.channels, g.count(op.y)
	if len(op.sums) < 2*n*units {
		op.sums = make([]float64, 2*n*units)
	}
	sums := op.sums[:2*n*units]
	g.each(units, func(_, u int) {
		s := sums[2*n*u : 2*n*(u+1)]
		clear(s)
		op.rows(func(c, lo, hi int) {
			a, b := f(u, c, lo, hi)
			s[c] += a
			s[n+c] += b
		})
	})
	for u := 1; u < units; u++ {
		for i, v := range sums[2*n*u : 2*n*(u+1)] {
			sums[i] += v
		}
	}
	return sums[:n], sums[n : 2*n]
}

func (op *batchNorm) forward(g *graph) error {
	batch := g.training && op.mode == NormBatch
	op.used = batch
	if g.training && op.mode != NormFrozen {
		op.observe(g)
	}
	if !batch {
		op.inference(g)
		return nil
	}
	g.each(g.count(op.y), func(_, u int) {
		x, y := op.x.unit(u), op.y.unit(u)
		op.rows(func(c, lo, hi int) {
			a := float32(op.inv[c]) * op.scale.data[c]
			vec.ScaleShift(y[lo:hi], x[lo:hi], float32(op.mu[c]), a, op.bias.data[c])
		})
	})
	return nil
}

// observe finds the statistics of the batch and adds them to the running ones'
// sums. The variance that is kept is the unbiased one.
func (op *batchNorm) observe(g *graph) {
	n := float64(g.count(op.x) * op.outer * op.inner)
	sums, squares := op.reduce(g, func(u, c, lo, hi int) (float64, float64) { return vec.Moments(op.x.unit(u)[lo:hi]) })
	for c := range op.mu {
		mu := sums[c] / n
		v := max(squares[c]/n-mu*mu, 0)
		op.mu[c], op.inv[c] = mu, 1/math.Sqrt(v+float64(op.eps))
		op.stats.sum[c] += mu
		op.stats.sumVar[c] += v * n / max(n-1, 1)
	}
	op.stats.count++
}

// inference follows the running statistics, in the order of operations of
// ir.BatchNormScalar.
func (op *batchNorm) inference(g *graph) {
	g.each(g.count(op.y), func(_, u int) {
		x, y := op.x.unit(u), op.y.unit(u)
		op.rows(func(c, lo, hi int) {
			s := float32(math.Sqrt(float64(op.variance.data[c] + op.eps)))
			vec.Normalize(y[lo:hi], x[lo:hi], op.mean.data[c], s, op.scale.data[c], op.bias.data[c])
		})
	})
}

func (op *batchNorm) backward(g *graph) {
	if !op.used {
		for c := range op.mu {
			op.mu[c] = float64(op.mean.data[c])
			op.inv[c] = 1 / math.Sqrt(float64(op.variance.data[c])+float64(op.eps))
		}
	}
	n := float64(g.count(op.x) * op.outer * op.inner)
	dbias, dot := op.reduce(g, func(u, c, lo, hi int) (float64, float64) {
		return vec.Dots(op.y.gradUnit(u)[lo:hi], op.x.unit(u)[lo:hi])
	})
	gscale, gbias := g.gradOf(op.scale), g.gradOf(op.bias)
	first := g.firstGrad(op.x)
	dx := g.gradOf(op.x)
	a, b, d := make([]float32, op.channels), make([]float32, op.channels), make([]float32, op.channels)
	for c := range op.mu {
		dscale := (dot[c] - op.mu[c]*dbias[c]) * op.inv[c]
		if gscale != nil {
			gscale[c] += float32(dscale)
		}
		if gbias != nil {
			gbias[c] += float32(dbias[c])
		}
		k := float64(op.scale.data[c]) * op.inv[c]
		a[c] = float32(k)
		if op.used { // dx = k*(dy - dbias/n - (x - mu)*inv*dscale/n) = a*dy + b*x + d
			b[c] = float32(-k * op.inv[c] * dscale / n)
			d[c] = float32(-k*dbias[c]/n + k*op.inv[c]*dscale/n*op.mu[c])
		}
	}
	if dx == nil {
		return
	}
	g.each(g.count(op.y), func(_, u int) {
		gx, gy, x := op.x.gradUnit(u), op.y.gradUnit(u), op.x.unit(u)
		op.rows(func(c, lo, hi int) {
			for ; lo < hi; lo += chunk {
				end := min(lo+chunk, hi)
				if first {
					clear(gx[lo:end])
				}
				vec.Combine(gx[lo:end], gy[lo:end], x[lo:end], a[c], b[c], d[c])
			}
		})
	})
}

// follow moves the running statistics toward what the batch found:
// r = (1 - momentum)*r + momentum*found. Several norms with one pair of
// statistics count with their mean.
func (s *normStats) follow(momentum float64) {
	if s.count == 0 {
		return
	}
	if s.momentum > 0 {
		momentum = s.momentum
	}
	for c := range s.sum {
		m, v := s.sum[c]/float64(s.count), s.sumVar[c]/float64(s.count)
		s.mean.Data[c] += float32(momentum * (m - float64(s.mean.Data[c])))
		s.variance.Data[c] += float32(momentum * (v - float64(s.variance.Data[c])))
	}
	s.reset()
}

func (s *normStats) reset() {
	clear(s.sum)
	clear(s.sumVar)
	s.count = 0
}
