package clip

// resizer maps a window of a source frame onto a window of a destination frame; the rest of the destination is black.
//
// The filter is separable. Along an axis that shrinks from n to m pixels, an output pixel is the mean of the source
// interval it covers (area averaging). Along an axis that grows, it is the linear interpolation between the two nearest
// source pixels, pixel centres at half-integers, edges repeated (bilinear). Both have rational weights with one common
// denominator per axis, so the exact value
//
//	sum_y sum_x wy wx p / (Dy Dx)
//
// is computed in integers and rounded once, halves upwards. A constant picture stays constant, equal sizes are copied.
type resizer struct {
	srcW, srcH, dstW, dstH int
	sx, sy, sw, sh         int // window of the source
	dx, dy, dw, dh         int // window of the destination
	x, y                   axis
	rows                   [2][]uint32 // horizontally filtered source rows, by parity of the row
	held                   [2]int      // which row each holds, -1 = none
	acc                    []uint64
}

func newResizer(srcW, srcH, dstW, dstH int, mode Mode) *resizer {
	r := &resizer{srcW: srcW, srcH: srcH, dstW: dstW, dstH: dstH, sw: srcW, sh: srcH, dw: dstW, dh: dstH}
	switch mode {
	case Crop:
		r.sw, r.sh = inscribe(srcW, srcH, dstW, dstH)
		r.sx, r.sy = (srcW-r.sw)/2, (srcH-r.sh)/2
	case Letterbox:
		r.dw, r.dh = inscribe(dstW, dstH, srcW, srcH)
		r.dx, r.dy = (dstW-r.dw)/2, (dstH-r.dh)/2
	}
	r.x, r.y = newAxis(r.sw, r.dw), newAxis(r.sh, r.dh)
	return r
}

// inscribe returns the largest size inside w x h with the aspect ratio aw : ah, rounded to whole pixels.
func inscribe(w, h, aw, ah int) (int, int) {
	part := func(a, b, c int) int { return int(max(1, (int64(a)*int64(b)+int64(c)/2)/int64(c))) }
	if int64(w)*int64(ah) > int64(h)*int64(aw) {
		return part(h, aw, ah), h
	}
	return w, part(w, ah, aw)
}

func (r *resizer) identity() bool { return r.srcW == r.dstW && r.srcH == r.dstH }

func (r *resizer) filter() string {
	shrinks := r.dw < r.sw || r.dh < r.sh
	grows := r.dw > r.sw || r.dh > r.sh
	switch {
	case shrinks && grows:
		return ", area and bilinear"
	case shrinks:
		return ", area"
	case grows:
		return ", bilinear"
	}
	return ""
}

// axis holds, for each output pixel, its first source pixel and the weights from there on, which sum to total.
type axis struct {
	total   uint64
	first   []int
	weights [][]uint32
}

func newAxis(src, dst int) axis {
	a := axis{first: make([]int, dst), weights: make([][]uint32, dst)}
	if dst <= src {
		// In units of 1/dst source pixel: output i covers [i*src, (i+1)*src), source pixel j covers [j*dst, (j+1)*dst).
		a.total = uint64(src)
		flat := make([]uint32, 0, src+dst)
		for i := range dst {
			lo, hi, unit := int64(i)*int64(src), int64(i+1)*int64(src), int64(dst)
			a.first[i] = int(lo / unit)
			start := len(flat)
			for j := lo / unit; j*unit < hi; j++ {
				flat = append(flat, uint32(min(hi, (j+1)*unit)-max(lo, j*unit)))
			}
			a.weights[i] = flat[start:]
		}
		return a
	}
	// The centre of output i lies at ((2i+1) src - dst) / 2dst source pixels from the centre of source pixel 0.
	a.total = uint64(2 * dst)
	for i := range dst {
		at := int64(2*i+1)*int64(src) - int64(dst)
		j := int(at / int64(2*dst))
		switch {
		case at <= 0:
			a.first[i], a.weights[i] = 0, []uint32{uint32(2 * dst)}
		case j >= src-1:
			a.first[i], a.weights[i] = src-1, []uint32{uint32(2 * dst)}
		default:
			w := int(at % int64(2*dst))
			a.first[i], a.weights[i] = j, []uint32{uint32(2*dst - w), uint32(w)}
		}
	}
	return a
}

// frame resizes src, [srcH][srcW][c], into dst, [dstH][dstW][c].
func (r *resizer) frame(dst, src []uint8, c int) {
	if r.identity() {
		copy(dst, src)
		return
	}
	if r.dw != r.dstW || r.dh != r.dstH {
		clear(dst)
	}
	n := r.dw * c
	if len(r.acc) != n {
		r.acc = make([]uint64, n)
		r.rows = [2][]uint32{make([]uint32, n), make([]uint32, n)}
	}
	r.held = [2]int{-1, -1}
	total := r.x.total * r.y.total
	for y := range r.dh {
		clear(r.acc)
		for k, w := range r.y.weights[y] {
			w := uint64(w)
			for i, v := range r.row(src, r.y.first[y]+k, c) {
				r.acc[i] += w * uint64(v)
			}
		}
		out := dst[((r.dy+y)*r.dstW+r.dx)*c:]
		for i, v := range r.acc {
			out[i] = uint8((v + total/2) / total)
		}
	}
}

// row returns row y of the source window, filtered horizontally. Neighbouring output rows share source rows, and those
// are consecutive, so holding the last even and the last odd one is enough to filter each row once.
func (r *resizer) row(src []uint8, y, c int) []uint32 {
	out := r.rows[y&1]
	if r.held[y&1] == y {
		return out
	}
	r.held[y&1] = y
	in := src[((r.sy+y)*r.srcW+r.sx)*c:]
	for x, ws := range r.x.weights {
		p := in[r.x.first[x]*c:]
		if c == 3 {
			var a0, a1, a2 uint32
			for k, w := range ws {
				q := p[3*k : 3*k+3]
				a0 += w * uint32(q[0])
				a1 += w * uint32(q[1])
				a2 += w * uint32(q[2])
			}
			out[3*x], out[3*x+1], out[3*x+2] = a0, a1, a2
			continue
		}
		for ch := range c {
			var a uint32
			for k, w := range ws {
				a += w * uint32(p[k*c+ch])
			}
			out[x*c+ch] = a
		}
	}
	return out
}
