package kernels

import "fmt"

// DepthConv is a plan of a convolution of float32 over dense maps in which every channel has weights of its own:
//
//	y[n,c,p] = bias[c] + sum over k of w[c,k] * x[n,c,p*stride+k*dil-pad]
//
// summed over k, starting at 0, every product and sum rounded, the bias added last; what lies outside a map is 0. Eight channels lie
// side by side while it runs, in a plane with room for the padding, so that neither stride nor size leave lanes idle. A map is dealt
// with in bands: some frames, or some rows of a map of one frame.
type DepthConv struct {
	s     DotShape
	set   *Set
	w     []float32 // [blocks][taps][8]
	offs  []int32   // of the taps, in bytes
	axis  int       // along which bands lie: 0 or 1
	band  int       // results of a band along it
	bands int
	size  [3]int // of the plane of a band
}

const (
	depthLanes = 8
	depthBytes = 128 << 10 // about the size of a band
)

// NewDepthConv plans a convolution with weights w [channels,kernel...], one group a channel.
func NewDepthConv(set *Set, s DotShape, w []float32) (*DepthConv, error) {
	if err := s.check(len(w)); err != nil {
		return nil, err
	}
	if s.In != s.Groups || s.Out != s.Groups {
		return nil, fmt.Errorf("kernels: %d groups of %d and %d channels, expected one of each a group", s.Groups, s.In, s.Out)
	}
	d := &DepthConv{s: s, set: set}
	if s.Result[0] == 1 {
		d.axis = 1
	}
	for a := range d.size {
		d.size[a] = d.reads(a, s.Result[a])
	}
	if bytes := 4 * depthLanes * float64(d.size[0]) * float64(d.size[1]) * float64(d.size[2]); bytes > 1<<31-1 {
		return nil, fmt.Errorf("kernels: maps of %v are too large", s.Size)
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
	taps := len(d.offs)
	d.w = make([]float32, roundUp(s.Out, depthLanes)*taps)
	for i, v := range w {
		c, k := i/taps, i%taps
		d.w[(c/depthLanes*taps+k)*depthLanes+c%depthLanes] = v
	}
	return d, nil
}

// reads is how many elements of an axis a number of results reach over.
func (d *DepthConv) reads(a, results int) int {
	return (results-1)*d.s.Stride[a] + (d.s.Kernel[a]-1)*d.s.Dil[a] + 1
}

// bytes is the memory of a band.
func (d *DepthConv) bytes() int { return 4 * depthLanes * product3(d.size) }

// results is the sizes of a band of results.
func (d *DepthConv) results() [3]int {
	r := d.s.Result
	r[d.axis] = d.band
	return r
}

// Scratch is the bytes of scratch memory of all parts together.
func (d *DepthConv) Scratch(parts int) int { return parts * d.own() }

func (d *DepthConv) own() int {
	return roundUp(d.bytes()+4*depthLanes*(product3(d.results())+1), 64) // a plane, the bias, results
}

// Units is the number of independent pieces of work.
func (d *DepthConv) Units() int { return d.s.Batch * ceilDiv(d.s.Out, depthLanes) * d.bands }

// Run computes unit u. bias may be nil.
func (d *DepthConv) Run(u, part int, dst, src, bias []float32, scratch []byte) {
	s := &d.s
	blocks := ceilDiv(s.Out, depthLanes)
	first := u % d.bands * d.band
	u /= d.bands
	n, block := u/blocks, u%blocks
	channels := min(depthLanes, s.Out-block*depthLanes)
	own := viewF32(scratch[part*d.own():][:d.own()])
	plane, sums := own[:depthLanes*product3(d.size)], own[depthLanes*product3(d.size):]
	in, out := product3(s.Size), product3(s.Result)
	d.load(plane, src[(n*s.In+block*depthLanes)*in:], channels, first)
	results := d.results()
	results[d.axis] = min(d.band, s.Result[d.axis]-first)
	width := results[2] * depthLanes
	b := (*[depthLanes]float32)(sums)
	clear(b[:])
	if bias != nil {
		copy(b[:], bias[block*depthLanes:][:channels])
	}
	sums = sums[depthLanes:]
	w := d.w[block*len(d.offs)*depthLanes:][:len(d.offs)*depthLanes]
	for t := range results[0] {
		for h := range results[1] {
			at := (t*s.Stride[0]*d.size[1] + h*s.Stride[1]) * d.size[2] * depthLanes
			d.set.depth(sums[(t*results[1]+h)*width:][:width], plane[at:], s.Stride[2]*depthLanes, d.offs, w, b)
		}
	}
	to := first * s.Result[2]
	if d.axis == 0 {
		to *= s.Result[1]
	}
	d.set.Turn(dst[(n*s.Out+block*depthLanes)*out+to:], sums, product3(results), channels, out, depthLanes)
}

// load fills the plane of a band, whose first result is given, with the maps of some channels.
func (d *DepthConv) load(plane, src []float32, channels, first int) {
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
				clear(row)
				continue
			}
			clear(row[:lo*depthLanes])
			clear(row[hi*depthLanes:])
			if channels < depthLanes {
				clear(row)
			}
			if lo < hi {
				d.set.Turn(row[lo*depthLanes:], src[(st*s.Size[1]+sh)*s.Size[2]:], channels, hi-lo, depthLanes, in)
			}
		}
	}
}

func depthGeneric(dst, src []float32, step int, offs []int32, w []float32, bias *[8]float32) {
	for i := 0; i < len(dst); i += depthLanes {
		var sums [depthLanes]float32
		for j, off := range offs {
			x, v := src[off/4:][:depthLanes], w[j*depthLanes:][:depthLanes]
			for c := range sums {
				sums[c] += float32(v[c] * x[c])
			}
		}
		for c, v := range sums {
			dst[i+c] = v + bias[c]
		}
		if i+depthLanes < len(dst) {
			src = src[step:]
		}
	}
}
