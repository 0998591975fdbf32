package lossy

import (
	"fmt"
	"math"

	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/passes"
	"github.com/billnet/billnet/passes/analysis"
)

// layerInput is what a quantized recurrent layer reads. Bits, signs and other
// small whole numbers it reads as they are. Anything else is rounded to whole
// numbers x/unit, so that with weights of -1 and +1 alone the input keeps its
// weight beside h: z = W x/unit + times*R h.
type layerInput struct {
	unit         float64 // 0: x as it is
	times        int
	lo, hi       int64
	mu, variance float64 // mean and variance to expect where no clips tell
}

// fewestLevels is how many levels the largest input has at least.
const fewestLevels = 15

// inputOf decides how a layer reads x. ratio is the mean magnitude of its input
// weights over that of its recurrent ones; seen is the range of x on the clips,
// nil without.
func inputOf(x *ir.Value, ratio float64, seen *activationRange) (in *layerInput, text string) {
	q := analysis.NewWholes(&ir.Builder{F: &ir.Func{}}, map[*ir.Value]*analysis.Whole{})
	w := q.Of(x)
	if w != nil && w.K == x && w.Bytes() && !w.Sums && w.Offset == nil {
		half := float64(w.Hi-w.Lo) / 2
		return &layerInput{times: 1, lo: w.Lo, hi: w.Hi, mu: float64(w.Lo+w.Hi) / 2, variance: half * half}, fmt.Sprintf("%d to %d, as the model has it", w.Lo, w.Hi)
	}
	if seen == nil {
		return &layerInput{times: 1, variance: 1}, "float, as no calibration clips tell its range: a float layer, until binarize makes bits of what feeds it"
	}
	in = &layerInput{times: 1, hi: math.MaxUint8}
	most := seen.hi
	if seen.lo < 0 {
		in.lo, in.hi, most = -math.MaxInt8, math.MaxInt8, max(-seen.lo, seen.hi)
	}
	if !(ratio > 0) || math.IsInf(ratio, 0) {
		ratio = 1
	}
	if most <= 0 {
		most = 1
	}
	for most*ratio*float64(in.times) < fewestLevels && in.times < 1<<8 {
		in.times *= 2
	}
	in.unit = float64(float32(max(1/(ratio*float64(in.times)), most/float64(in.hi))))
	return in, fmt.Sprintf("%d to %d times %.4g, of the range %.4g to %.4g of the clips", in.lo, in.hi, in.unit, seen.lo, seen.hi)
}

// append writes the rounding of x.
func (in *layerInput) append(rw *passes.Rewriter, x *ir.Value) *ir.Value {
	if in.unit == 0 {
		return x
	}
	q := analysis.NewWholes(&rw.Builder, map[*ir.Value]*analysis.Whole{})
	d := ir.U8
	if in.lo < 0 {
		d = ir.I8
	}
	out := &analysis.Whole{Scale: []float64{in.unit}, Lo: in.lo, Hi: in.hi}
	writeQuantizer(rw, x, q.Of(x), d, out)
	return out.K
}

// level is the number that the layer reads for v.
func (in *layerInput) level(v float64) float64 {
	if in.unit == 0 {
		return v
	}
	return min(max(math.RoundToEven(v/in.unit), float64(in.lo)), float64(in.hi))
}
