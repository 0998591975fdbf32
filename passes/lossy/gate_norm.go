package lossy

import (
	"math"

	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/passes/hardcell"
)

// normEpsilon is added to the variance of a recurrent cell's norm.
const normEpsilon = 1e-5

// gateNorm is the norm of a quantized cell's sums z: (z-mean)/sqrt(var)*scale +
// bias, of every row.
type gateNorm struct{ scale, bias, mean, variance []float64 }

// tensors returns scale, bias, mean and variance.
func (g *gateNorm) tensors() []*ir.Tensor {
	var out []*ir.Tensor
	for _, v := range [][]float64{g.scale, g.bias, g.mean, g.variance} {
		f := make([]float32, len(v))
		for i := range f {
			f[i] = float32(v[i])
		}
		out = append(out, ir.FloatTensor(f, len(f)))
	}
	return out
}

// at is the norm of z in row r.
func (g *gateNorm) at(r int, z float64) float64 {
	return (z-g.mean[r])/math.Sqrt(g.variance[r]+normEpsilon)*g.scale[r] + g.bias[r]
}

// isCandidate reports whether row r is one of gate g, whose tanh is a sign.
func isCandidate(r, rows, hidden int) bool { return r >= rows-hidden }

// grid returns the levels 0..n that stand for a gate: of sigmoid(v) the line
// v/4 + 1/2, of (tanh(v)+1)/2 the line v/2 + 1/2, each times n. The shift is a
// whole number, so that z + shift is one.
func (g *gateNorm) grid(n int, gru bool, hidden int) *hardcell.Grid {
	out := &hardcell.Grid{}
	for r := range g.scale {
		slope := g.scale[r] / math.Sqrt(g.variance[r]+normEpsilon) // of v in z
		line := float64(n) / 4
		if isCandidate(r, len(g.scale), hidden) {
			line = float64(n) / 2
		}
		s := 1 / (slope * line)
		level := (g.bias[r]-g.mean[r]*slope)*line + float64(n)/2 // at z = 0
		shift := math.RoundToEven(level*s) + 0                   // no -0
		out.Scale = append(out.Scale, float32(s))
		out.Shift = append(out.Shift, float32(min(max(shift, -maxShift), maxShift)))
	}
	return out
}

// maxShift keeps z + shift exact in float32.
const maxShift = 1 << 20

// rowMoments are running sums of a list of numbers for every row.
type rowMoments struct{ sum, squares, count []float64 }

func newRowMoments(rows int) *rowMoments {
	return &rowMoments{make([]float64, rows), make([]float64, rows), make([]float64, rows)}
}

func (m *rowMoments) add(r int, v float64) {
	m.sum[r] += v
	m.squares[r] += v * v
	m.count[r]++
}

// of returns mean and variance of row r.
func (m *rowMoments) of(r int) (mean, variance float64) {
	mean = m.sum[r] / m.count[r]
	return mean, max(m.squares[r]/m.count[r]-mean*mean, 0)
}

// How far a gate's mean may lie from its threshold, in standard deviations: one
// leaves 16 % of the rarer value. Forget gates may be open longer.
const (
	mostOffset = 1.0
	mostOpen   = 1.5
)

// match sets scale and bias so that a gate has the mean and the spread of the
// float layer's, or a mean near enough to its threshold.
func (g *gateNorm) match(r int, mean, variance float64, forget bool) {
	std := math.Sqrt(variance)
	if std < 1e-6 {
		std = 1e-6 + 1e-3*math.Abs(mean)
	}
	most := mostOffset
	if forget {
		most = mostOpen
	}
	g.scale[r] = std
	g.bias[r] = std * min(max(mean/std, -mostOffset), most)
}
