package kernels

// depth is how eight channels lie side by side, in a plane with room for the padding, while a window moves over each of them by
// itself: so neither stride nor size leave lanes idle. A map is dealt with in bands: some frames, or some rows of a map of one frame.
type depth struct {
	s     DotShape
	set   *Set
	offs  []int32 // of the taps, in bytes
	axis  int     // along which bands lie: 0 or 1
	band  int     // results of a band along it
	bands int
	size  [3]int // of the plane of a band
}

const (
	depthLanes = 8
	depthBytes = 128 << 10 // about the size of a band
)

func newDepth(set *Set, s DotShape) (*depth, error) {
	if err := s.check(s.Out * product3(s.Kernel)); err != nil {
		return nil, err
	}
	if s.In != s.Groups || s.Out != s.Groups {
		return nil, errorf("kernels: %d groups of %d and %d channels, expected one of each a group", s.Groups, s.In, s.Out)
	}
	d := &depth{s: s, set: set}
	if s.Result[0] == 1 {
		d.axis = 1
	}
	for a := range d.size {
		d.size[a] = d.reads(a, s.Result[a])
	}
	if bytes := 4 * depthLanes * float64(d.size[0]) * float64(d.size[1]) * float64(d.size[2]); bytes > 1<<31-1 {
		return nil, errorf("kernels: maps of %v are too large", s.Size)
	}
	whole := d.bytes()
	d.bands = max(1, min(s.Result[d.axis], whole/depthBytes))
	d.band = ceilDiv(s.Result[d.axis], d.bands)
	d.bands = ceilDiv(s.Result[d.axis], d.band)
	d.size[d.axis] = d.reads(d.axis, d.band)
	for kt := range s.Kernel[0] {
		for kh := range s.Kernel[1] {
			for kw := range s.Kernel[2] {
				d.offs = append(d.offs, int32(4*depthLanes*((kt*s.Dil[0]*d.size[1]+kh*s.Dil[1])*d.size[2]+kw*s.Dil[2])))
			}
		}
	}
	return d, nil
}

// reads is how many elements of an axis a number of results reach over.
func (d *depth) reads(a, results int) int {
	return (results-1)*d.s.Stride[a] + (d.s.Kernel[a]-1)*d.s.Dil[a] + 1
}

// bytes is the memory of a band.
func (d *depth) bytes() int { return 4 * depthLanes * product3(d.size) }

// results is the sizes of a band of results.
func (d *depth) results() [3]int {
	r := d.s.Result
	r[d.axis] = d.band
	return r
}

// Scratch is the bytes of scratch memory of all parts together.
func (d *depth) Scratch(parts int) int { return parts * d.own() }

func (d *depth) own() int {
	return roundUp(d.bytes()+4*depthLanes*(product3(d.results())+1), 64) // a plane, eight numbers for the window, results
}

// Units is the number of independent pieces of work.
func (d *depth) Units() int { return d.s.Batch * ceilDiv(d.s.Out, depthLanes) * d.bands }

// run computes unit u by rows of results: row is given those of a block of channels, what lies under the first one, and which of
// the map's rows it is. What lies outside a map is outside.
func (d *depth) run(u int, dst, src, scratch []float32, outside float32, row func(block int, results, under []float32, at int)) {
	s := &d.s
	blocks := ceilDiv(s.Out, depthLanes)
	first := u % d.bands * d.band
	u /= d.bands
	n, block := u/blocks, u%blocks
	channels := min(depthLanes, s.Out-block*depthLanes)
	plane, sums := scratch[:depthLanes*product3(d.size)], scratch[depthLanes*(product3(d.size)+1):]
	in, out := product3(s.Size), product3(s.Result)
	d.load(plane, src[(n*s.In+block*depthLanes)*in:], channels, first, outside)
	results := d.results()
	results[d.axis] = min(d.band, s.Result[d.axis]-first)
	width := results[2] * depthLanes
	before := first // rows of the map before the band
	if d.axis == 0 {
		before *= s.Result[1]
	}
	for t := range results[0] {
		for h := range results[1] {
			r := t*results[1] + h
			row(block, sums[r*width:][:width], plane[(t*s.Stride[0]*d.size[1]+h*s.Stride[1])*d.size[2]*depthLanes:], before+r)
		}
	}
	d.set.Turn(dst[(n*s.Out+block*depthLanes)*out+before*s.Result[2]:], sums, product3(results), channels, out, depthLanes)
}

// mine is the scratch memory of a part; room is the eight numbers in it.
func (d *depth) mine(part int, scratch []byte) []float32 {
	return viewF32(scratch[part*d.own():][:d.own()])
}

func (d *depth) room(mine []float32) *[depthLanes]float32 {
	return (*[depthLanes]float32)(mine[depthLanes*product3(d.size):])
}

// load fills the plane of a band, whose first result is given, with the maps of some channels.
func (d *depth) load(plane, src []float32, channels, first int, outside float32) {
	s := &d.s
	in, width := product3(s.Size), d.size[2]*depthLanes
	var begin [3]int
	begin[d.axis] = first * s.Stride[d.axis]
	lo := min(s.Pad[2], d.size[2])
	hi := max(lo, min(d.size[2], s.Pad[2]+s.Size[2]))
	for t := range d.size[0] {
		for h := range d.size[1] {
			row := plane[(t*d.size[1]+h)*width:][:width]
			st, sh := begin[0]+t-s.Pad[0], begin[1]+h-s.Pad[1]
			if st < 0 || st >= s.Size[0] || sh < 0 || sh >= s.Size[1] {
				fillF32(row, outside)
				continue
			}
			fillF32(row[:lo*depthLanes], outside)
			fillF32(row[hi*depthLanes:], outside)
			if channels < depthLanes {
				clear(row[lo*depthLanes : hi*depthLanes])
			}
			if lo < hi {
				d.set.Turn(row[lo*depthLanes:], src[(st*s.Size[1]+sh)*s.Size[2]:], channels, hi-lo, depthLanes, in)
			}
		}
	}
}

//go:noinline
func fillF32(v []float32, x float32) {
	for i := range v {
		v[i] = x
	}
}
