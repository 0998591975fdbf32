package lossy

import (
	"math"

	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/passes"
)

// activationRange is what the calibration clips showed of one value.
type activationRange struct {
	lo, hi float64 // without the outliers
	count  int
}

// rangeBins is the resolution at which outliers are cut off.
const rangeBins = 1 << 12

// activationRanges observes values on the calibration clips. At most the share
// outliers of a value's elements lies outside its range, by magnitude; with 0
// the range is from the smallest to the largest element. Without clips the
// result is empty.
func activationRanges(c *passes.Context, m *ir.Module, values []*ir.Value, outliers float64) (map[*ir.Value]*activationRange, error) {
	ranges := map[*ir.Value]*activationRange{}
	if !c.Calibrated() || len(values) == 0 {
		return ranges, nil
	}
	err := c.Observe(m, values, func(_ int, v *ir.Value, t *ir.Tensor) {
		r := ranges[v]
		if r == nil {
			r = &activationRange{lo: math.Inf(1), hi: math.Inf(-1)}
			ranges[v] = r
		}
		for i := range t.Len() {
			if x := t.Float(i); x-x == 0 {
				r.lo, r.hi = min(r.lo, x), max(r.hi, x)
				r.count++
			}
		}
	})
	for _, r := range ranges {
		if r.count == 0 {
			r.lo, r.hi = 0, 0
		}
	}
	if err != nil || outliers == 0 {
		return ranges, err
	}
	bins := map[*ir.Value][]int{}
	err = c.Observe(m, values, func(_ int, v *ir.Value, t *ir.Tensor) {
		if bins[v] == nil {
			bins[v] = make([]int, rangeBins)
		}
		r := ranges[v]
		most := max(-r.lo, r.hi)
		for i := range t.Len() {
			if x := math.Abs(t.Float(i)); x-x == 0 && most > 0 {
				bins[v][min(int(x/most*rangeBins), rangeBins-1)]++
			}
		}
	})
	for v, r := range ranges {
		left, most := int(outliers*float64(r.count)), max(-r.lo, r.hi)
		for b := rangeBins - 1; b > 0; b-- {
			if left -= bins[v][b]; left < 0 {
				limit := most * float64(b+1) / rangeBins
				r.lo, r.hi = max(r.lo, -limit), min(r.hi, limit)
				break
			}
		}
	}
	return ranges, err
}
