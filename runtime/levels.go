package runtime

import "slices"

// mostLevels is up to how many thresholds are counted in place of a list of steps.
const mostLevels = 15

// levels is a list of steps from sums to few values of bytes, all of which rise or fall with the sums in every channel: the byte
// is the number of thresholds that a sum is above, where the channel rises; where it falls, those that its complement, -1-z, is
// above.
type levels struct {
	t, flip []int32 // t[k*channels+c]; flip is -1 for channels that fall
	count   int
	base    byte // of no thresholds
}

// foldLevels finds the thresholds of a list by bisection with the steps themselves, over sums of -most to most; nil where there
// are none. lo and hi are the limits of the last step.
func (s *steps) foldLevels(p *prep, most int, lo, hi float64) *levels {
	n := s.channels * s.many
	count := int(hi - lo)
	if !s.monotone || !s.bytes || len(s.list) < 2 || count > mostLevels || most > 1<<24 || n == 0 {
		return nil
	}
	p.charge(mulSat(n, 4*(count+1)))
	l := &levels{t: make([]int32, count*n), flip: make([]int32, n), count: count, base: byte(int(lo))}
	temp := &memory{temp: alignedBytes(tempBytes)}
	for first := 0; first < n; first += stepChunk {
		m := min(stepChunk, n-first)
		z, out := make([]int32, m), make([]int, m)
		at := func(sum func(c int) int) []int { // levels above the lowest
			for c := range z {
				z[c] = int32(sum(c))
			}
			r := &row{z: z, n: m, channel: first, along: true, stride: 1}
			for _, f := range s.list {
				f(temp, r, stepFloats(temp)[:m])
			}
			for c := range out {
				out[c] = int(stepBytes(temp)[c] - l.base)
			}
			return out
		}
		low := slices.Clone(at(func(int) int { return -most }))
		for c, high := range at(func(int) int { return most }) {
			if high < low[c] {
				l.flip[first+c] = -1
			}
		}
		for k := range count { // a threshold is the largest v = z^flip that does not reach level k+1
			below, above := make([]int, m), make([]int, m)
			for c := range m {
				below[c], above[c] = -most-2, most+1
			}
			for i := 1; i < 2*most+3; i *= 2 {
				middle := func(c int) int { return below[c] + (above[c]-below[c])/2 }
				for c, level := range at(func(c int) int { return max(-most, min(most, middle(c)^int(l.flip[first+c]))) }) {
					if v := middle(c); v > below[c] && level > k {
						above[c] = v
					} else {
						below[c] = v
					}
				}
			}
			for c := range m {
				l.t[k*n+first+c] = int32(below[c])
			}
		}
	}
	return l
}

// run counts the thresholds of a row.
func (l *levels) run(s *steps, dst []byte, r *row) {
	step := 0
	if r.along {
		step = 1
	}
	s.set.Levels(dst, r.z, l.t[r.channel:], l.flip[r.channel:], s.channels*s.many, l.count, step, l.base)
}
