package clip

import "math/bits"

// Timeline says which frame of a video is shown when. The zero value has no frames.
type Timeline struct {
	n    int
	ends []int64 // when each frame ends, in a unit of the file's, increasing; nil: all are shown equally long
}

// Even is the timeline of n frames that are shown equally long.
func Even(n int) Timeline { return Timeline{n: n} }

// timed is the timeline of frames that are shown for these times, all positive.
func timed(delays []int64) Timeline {
	l := Timeline{n: len(delays), ends: make([]int64, len(delays))}
	end, even := int64(0), true
	for i, d := range delays {
		end += d
		l.ends[i] = end
		even = even && d == delays[0]
	}
	if even {
		l.ends = nil
	}
	return l
}

// Len is the number of frames.
func (l Timeline) Len() int { return l.n }

// At returns the frame shown when a/b of the duration have passed, 0 <= a < b: floor(a n / b) for even timelines, else the
// first frame that ends later. There must be a frame.
func (l Timeline) At(a, b int64) int {
	if l.ends == nil {
		hi, lo := bits.Mul64(uint64(a), uint64(l.n))
		q, _ := bits.Div64(hi, lo, uint64(b))
		return int(q)
	}
	total := l.ends[l.n-1]
	lo, hi := 0, l.n-1
	for lo < hi {
		if k := (lo + hi) / 2; less(a, total, b, l.ends[k]) {
			hi = k
		} else {
			lo = k + 1
		}
	}
	return lo
}

// less reports whether a b < c d, without overflow. None is negative.
func less(a, b, c, d int64) bool {
	h1, l1 := bits.Mul64(uint64(a), uint64(b))
	h2, l2 := bits.Mul64(uint64(c), uint64(d))
	return h1 < h2 || h1 == h2 && l1 < l2
}

// Sample returns the frames that stand for the whole in t frames: those shown at the centres of t equal parts of the
// duration. Of frames that are shown equally long these are
//
//	index[i] = floor((2i+1) n / 2t)
//
// so n = t takes every frame once, and with n < t frames repeat. t and the number of frames must be positive.
func (l Timeline) Sample(t int) []int {
	index := make([]int, t)
	for i := range index {
		index[i] = l.At(2*int64(i)+1, 2*int64(t))
	}
	return index
}

// Sample returns which of n frames that are shown equally long stand for t frames; see Timeline.Sample.
func Sample(n, t int) []int { return Even(n).Sample(t) }
