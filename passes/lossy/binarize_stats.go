package lossy

import (
	"math"
	"slices"

	"github.com/billnet/billnet/ir"
)

// Statistics of a value over calibration clips, for every channel. Values are
// lists of tensors of one shape, clip by clip; axis is that of the channels.

// eachChannel calls visit with every element and its channel.
func eachChannel(clips []*ir.Tensor, axis int, visit func(clip, channel, at int)) {
	if len(clips) == 0 {
		return
	}
	shape := clips[0].Type.Shape
	c, inner := shape[axis], ir.Type{Shape: shape[axis+1:]}.Elems()
	for k, t := range clips {
		for i := range t.Len() {
			visit(k, i/inner%c, i)
		}
	}
}

// channels is the number of channels.
func channels(clips []*ir.Tensor, axis int) int {
	if len(clips) == 0 {
		return 0
	}
	return clips[0].Type.Shape[axis]
}

// moments are the mean and the standard deviation of every channel.
type moments struct{ mean, dev []float64 }

// momentsOf measures in two passes. A channel with values that are no finite
// numbers has mean 0 and deviation 1; one that is constant but for rounding has
// deviation 0.
func momentsOf(clips []*ir.Tensor, axis int) moments {
	c := channels(clips, axis)
	m := moments{make([]float64, c), make([]float64, c)}
	if c == 0 {
		return m
	}
	n := float64(max(1, len(clips)*clips[0].Len()/max(c, 1)))
	eachChannel(clips, axis, func(k, c, i int) { m.mean[c] += clips[k].Float(i) / n })
	eachChannel(clips, axis, func(k, c, i int) {
		d := clips[k].Float(i) - m.mean[c]
		m.dev[c] += d * d / n
	})
	for i := range m.dev {
		m.dev[i] = math.Sqrt(m.dev[i])
	}
	widest := slices.Max(m.dev)
	for i := range m.dev {
		switch {
		case m.dev[i]-m.dev[i] != 0 || m.mean[i]-m.mean[i] != 0:
			m.mean[i], m.dev[i] = 0, 1
		case m.dev[i] <= noise*max(math.Abs(m.mean[i]), widest):
			m.dev[i] = 0
		}
	}
	return m
}

// maxRanked bounds the elements of a channel that are put in order; of more,
// every k-th is taken.
const maxRanked = 1 << 16

// ranked returns every channel's elements in order.
func ranked(clips []*ir.Tensor, axis int) [][]float64 {
	c := channels(clips, axis)
	out := make([][]float64, c)
	if c == 0 {
		return out
	}
	seen := make([]int, c)
	step := max(1, len(clips)*clips[0].Len()/max(c, 1)/maxRanked)
	eachChannel(clips, axis, func(k, c, i int) {
		if seen[c]++; seen[c]%step == 0 || step == 1 {
			out[c] = append(out[c], clips[k].Float(i))
		}
	})
	for _, v := range out {
		slices.Sort(v)
	}
	return out
}

// golden is where a cut lies between two numbers: halfway between two integers
// there may be a third, and on it the last bit of a norm would decide.
const golden = 0.381966011

// noise is what float32 sums of the same integers may differ by, relative to the
// range of the sums.
const noise = 1e-5

// cutAbove is a number with about k elements of an ordered list below it and the
// rest above: between two neighbours, the nearest to k that are further apart than
// gap.
func cutAbove(sorted []float64, k int, gap float64) float64 {
	n := len(sorted)
	if n == 0 {
		return 0
	}
	for d := range n + 1 {
		for _, i := range [2]int{k - d, k + d} {
			switch {
			case i == 0:
				return sorted[0] - max(math.Abs(sorted[0])/2, gap, 1e-6)
			case i == n:
				return sorted[n-1] + max(math.Abs(sorted[n-1])/2, gap, 1e-6)
			case i > 0 && i < n && sorted[i]-sorted[i-1] > gap:
				return sorted[i-1] + golden*(sorted[i]-sorted[i-1])
			}
		}
	}
	return sorted[0]
}

// gapOf is how far apart numbers of a value are that are not the same but for
// rounding, judged by the channel with the widest range.
func gapOf(lists [][]float64) float64 {
	widest := 0.0
	for _, v := range lists {
		if len(v) > 0 {
			widest = max(widest, v[len(v)-1]-v[0])
		}
	}
	return noise * widest
}

// cutsForOnes returns, for every channel, a number that about the given share of
// its elements exceeds.
func cutsForOnes(clips []*ir.Tensor, axis int, ones float64) []float64 {
	lists := ranked(clips, axis)
	out, gap := make([]float64, len(lists)), gapOf(lists)
	for c, v := range lists {
		out[c] = cutAbove(v, int(math.Round((1-ones)*float64(len(v)))), gap)
	}
	return out
}

// cutsAtMean returns, for every channel, a number at its mean that no element is.
func cutsAtMean(clips []*ir.Tensor, axis int) []float64 {
	out, lists := momentsOf(clips, axis).mean, ranked(clips, axis)
	gap := gapOf(lists)
	for c, list := range lists {
		below, _ := slices.BinarySearch(list, out[c])
		out[c] = cutAbove(list, below, gap)
	}
	return out
}

// cutLevelsOf cuts an ordered list, of which nothing counts as less than floor,
// where two levels stand for it with the least squared error: the largest
// variance between the two parts.
func cutLevelsOf(sorted []float64, floor, gap float64) float64 {
	v := make([]float64, len(sorted))
	total := 0.0
	for i, x := range sorted {
		v[i] = math.Max(x, floor)
		total += v[i]
	}
	best, at, sum := 0.0, 0, 0.0
	for i := 1; i < len(v); i++ {
		if sum += v[i-1]; v[i] == v[i-1] {
			continue
		}
		below, above := float64(i), float64(len(v)-i)
		d := sum/below - (total-sum)/above
		if gain := below * above * d * d; gain > best {
			best, at = gain, i
		}
	}
	if at == 0 {
		return floor
	}
	return cutAbove(v, at, gap)
}

// lineThrough fits src = scale*now + offset by least squares in every channel:
// what a layer that stays float reads in place of the source's numbers. Where
// now does not vary, or the two fall together, the scale is the ratio of the
// means and the offset 0.
func lineThrough(src, now []*ir.Tensor, axis int) (scale, offset []float64) {
	x, y := momentsOf(now, axis), momentsOf(src, axis)
	cov := make([]float64, len(x.mean))
	n := float64(max(1, len(now)*now[0].Len()/max(len(cov), 1)))
	eachChannel(now, axis, func(k, c, i int) {
		cov[c] += (now[k].Float(i) - x.mean[c]) * (src[k].Float(i) - y.mean[c]) / n
	})
	scale, offset = make([]float64, len(cov)), make([]float64, len(cov))
	for c := range cov {
		if s := cov[c] / (x.dev[c] * x.dev[c]); s > 0 && !math.IsInf(s, 0) {
			scale[c], offset[c] = s, y.mean[c]-s*x.mean[c]
			continue
		}
		if s := y.mean[c] / x.mean[c]; s > 0 && !math.IsInf(s, 0) {
			scale[c] = s
		} else {
			scale[c] = 1
		}
	}
	return scale, offset
}

// share is how many elements of a value are above a bound for their channel.
func share(clips []*ir.Tensor, axis int, above []float64) float64 {
	set, all := 0, 0
	eachChannel(clips, axis, func(k, c, i int) {
		all++
		if clips[k].Float(i) > above[c] {
			set++
		}
	})
	return float64(set) / float64(max(all, 1))
}
