package train

import (
	"fmt"

	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/train/gemm"
	"github.com/billnet/billnet/train/vec"
)

// convolution is y[o] = bias[o] + sum over channels i and taps k of
// w[o,i,k] * x[i, p*stride + k*dilation - pad], in groups.
//
//	dx[i,q] = sum over o and k of w[o,i,k] * dy[o,p] for p*stride + k*dilation - pad = q
//	dw[o,i,k] = sum over p of dy[o,p] * x[i, p*stride + k*dilation - pad]
//
// All three are matrix products whose right operand is a padded map read at one
// offset a tap. The products run over octets of positions where rows are made of
// these, otherwise over runs that include the padding between rows; what falls
// there is dropped.
type convolution struct {
	x, w, bias, y      *value
	win                window
	images, groups     int // images of one unit
	ci, co, taps       int // channels in and out of a group
	inMap, outMap      int // elements of a channel
	plain              bool
	forwardW, reverseW []float32 // packed, group after group
	fwd, rev           sweep     // from x to y, from dy to dx
	dyForW             lattice   // dy at the places that forward reads x at
	dotRun             int
}

// sweep is a convolution of stride 1 over a padded map.
type sweep struct {
	lat    lattice
	off    []int  // of every channel and tap of a group
	out    [3]int // positions that count
	pitch  [2]int // elements of a row and of a plane
	runs   int    // products: one a plane, or one for all
	length int    // columns of a product
	octets []int  // where runs of 8 positions begin, when the positions are such runs

	// Of a window of one position, where the channels are a multiple of a page
	// apart: offsets of the channels in a copy of some columns. Elements of too many
	// channels would share a set of the first-level cache.
	copied []int
}

// copyCols is how many columns are copied at a time, a multiple of a tile's, and
// copyPitch how far apart the channels of the copy are.
const (
	copyCols  = 480
	copyPitch = copyCols + 8
	page      = 1024 // elements
)

// newSweep plans the products over the positions out of a lattice: runs over
// planes or over the whole map, whichever has fewer tiles.
func newSweep(lat lattice, out [3]int) sweep {
	const cols = 48
	s := sweep{lat: lat, out: out, pitch: [2]int{lat.size[2], lat.size[1] * lat.size[2]}}
	plane := (out[1]-1)*s.pitch[0] + out[2]
	all := (out[0]-1)*s.pitch[1] + plane
	s.runs, s.length = out[0], plane
	if (all+cols-1)/cols <= out[0]*((plane+cols-1)/cols) {
		s.runs, s.length = 1, all
	}
	run := out[2] // positions next to each other
	if s.dense() {
		run = volume(out)
	}
	if run%8 == 0 {
		each3(out, func(i int, p [3]int) {
			if i%8 == 0 {
				s.octets = append(s.octets, p[0]*s.pitch[1]+p[1]*s.pitch[0]+p[2])
			}
		})
	}
	return s
}

// dense reports whether there is nothing between the positions.
func (s *sweep) dense() bool {
	return s.pitch[0] == s.out[2] && s.pitch[1] == s.out[1]*s.out[2]
}

var _ = register(func(b *builder, n *ir.Node, in []*value) ([]*value, error) {
	x, w := in[0], in[1]
	op := &convolution{x: x, w: w, y: b.result(0, in...), images: x.shape[0], groups: n.Int("groups")}
	if len(in) > 2 {
		op.bias = in[2]
	}
	if w.batched || op.bias != nil && op.bias.batched {
		return nil, fmt.Errorf("the weights depend on the input")
	}
	op.ci, op.co = w.shape[1], w.shape[0]/op.groups
	op.win = newWindow(n, x.shape[2:], op.y.shape[2:], w.shape[2:])
	op.taps, op.inMap, op.outMap = volume(op.win.kernel), volume(op.win.in), volume(op.win.out)
	op.plain = op.win.plain()
	op.plan()
	b.emit(op, op.y)
	return []*value{op.y}, nil
}, ir.Conv)

// plan computes the lattices and offsets.
func (op *convolution) plan() {
	win := &op.win
	one := [3]int{1, 1, 1}
	lat := lattice{in: win.in, step: win.stride, pad: win.pad, spread: one}
	back := lattice{in: win.out, step: one, spread: win.stride}
	for a := range 3 {
		reach := (win.kernel[a] - 1) * win.dil[a]
		lat.size[a] = win.out[a] + reach/win.stride[a]
		back.pad[a] = reach - win.pad[a]
		back.size[a] = win.in[a] + reach
	}
	op.fwd, op.rev = newSweep(lat, win.out), newSweep(back, win.in)
	op.dyForW = lattice{in: win.out, step: one, spread: one, size: lat.size}
	// Whole vectors, where what follows the last position is zero.
	op.dotRun = ((win.out[0]-1)*lat.size[1]+win.out[1]-1)*lat.size[2] + win.out[2]
	op.dotRun = min((op.dotRun+15)/16*16, volume(lat.size))
	for i := range op.ci {
		each3(win.kernel, func(_ int, k [3]int) {
			for a := range k {
				k[a] *= win.dil[a]
			}
			op.fwd.off = append(op.fwd.off, i*lat.channel()+lat.offset(k))
		})
	}
	for o := range op.co {
		each3(win.kernel, func(_ int, k [3]int) {
			for a := range k {
				k[a] = (win.kernel[a] - 1 - k[a]) * win.dil[a]
			}
			op.rev.off = append(op.rev.off, o*back.channel()+back.offset(k))
		})
	}
	for _, s := range []*sweep{&op.fwd, &op.rev} {
		if n := volume(s.lat.in); op.plain && n%page == 0 {
			for i := range s.off {
				s.copied = append(s.copied, i*copyPitch)
			}
		}
	}
	op.forwardW = make([]float32, op.groups*gemm.PanelLen(op.co, len(op.fwd.off)))
	op.reverseW = make([]float32, op.groups*gemm.PanelLen(op.ci, len(op.rev.off)))
}

func (op *convolution) forward(g *graph) error {
	k := len(op.fwd.off)
	panel := gemm.PanelLen(op.co, k)
	g.each(op.groups, func(_, q int) {
		gemm.Pack(op.forwardW[q*panel:(q+1)*panel], op.w.data[q*op.co*k:], op.co, k, k, 1)
	})
	jobs := g.count(op.y) * op.images * op.groups
	g.each(jobs, func(worker, j int) {
		q := j % op.groups
		x := op.x.data[j*op.ci*op.inMap:]
		y := op.y.data[j*op.co*op.outMap : (j+1)*op.co*op.outMap]
		x = op.padded(g, worker, 0, &op.fwd.lat, x, op.ci)
		op.fwd.run(g, worker, y, op.forwardW[q*panel:], op.co, x, false)
		if op.bias != nil {
			for o := range op.co {
				v, row := op.bias.data[q*op.co+o], y[o*op.outMap:(o+1)*op.outMap]
				vec.Shift(row, v)
			}
		}
	})
	return nil
}

// padded lays out channels of a map in scratch; a map that is read as it is
// stays where it is.
func (op *convolution) padded(g *graph, worker, slot int, lat *lattice, src []float32, channels int) []float32 {
	in := volume(lat.in)
	if op.plain {
		return src[:channels*in]
	}
	n := lat.channel()
	buf := g.buffer(worker, slot, channels*n)
	clear(buf[:cap(buf)][channels*n:][:slack]) // read by vectors at the end, times zero
	for c := range channels {
		lat.fill(buf[c*n:(c+1)*n], src[c*in:(c+1)*in])
	}
	return buf
}

// block is the number of columns that all rows are computed for before the next
// ones, so that the right operand stays in the cache.
const block = 20 * 48

// run sets y, or adds to it, from a padded map.
func (s *sweep) run(g *graph, worker int, y []float32, w []float32, rows int, x []float32, add bool) {
	size := volume(s.out)
	if len(s.copied) > 0 {
		buf := g.buffer(worker, 1, len(s.copied)*copyPitch)
		for j := 0; j < size; j += copyCols {
			n := min(copyCols, size-j)
			vec.Rows(buf, copyPitch, x[j:], size, len(s.copied), n)
			gemm.MulAt(y[j:], size, w, rows, buf, s.copied, s.octets[:n/8], add)
		}
		return
	}
	if len(s.octets) > 0 {
		gemm.MulAt(y, size, w, rows, x, s.off, s.octets, add)
		return
	}
	tmp := g.buffer(worker, 1, rows*s.length)
	for r := range s.runs {
		if s.dense() && !add {
			for j := 0; j < s.length; j += block {
				n := min(block, s.length-j)
				at := r*s.pitch[1] + j
				gemm.Mul(y[at:], size, w, rows, x[at:], s.off, n)
			}
			continue
		}
		for j := 0; j < s.length; j += block {
			n := min(block, s.length-j)
			gemm.Mul(tmp[j:], s.length, w, rows, x[r*s.pitch[1]+j:], s.off, n)
		}
		frames := s.out[0] / s.runs
		for o := range rows {
			for t := range frames {
				for h := range s.out[1] {
					from := tmp[o*s.length+t*s.pitch[1]+h*s.pitch[0]:][:s.out[2]]
					into := y[o*size+((r*frames+t)*s.out[1]+h)*s.out[2]:][:s.out[2]]
					if add {
						vec.Add(into, from)
					} else {
						copy(into, from)
					}
				}
			}
		}
	}
}

// dotBlock is the number of positions whose products are summed in one go, so
// that the maps stay in the cache.
const dotBlock = 4096

func (op *convolution) backward(g *graph) {
	k := len(op.rev.off)
	panel := gemm.PanelLen(op.ci, k)
	first := g.firstGrad(op.x)
	dx, wantW := g.gradOf(op.x), op.w.diff
	if dx != nil {
		g.each(op.groups, func(_, q int) { op.packReverse(op.reverseW[q*panel:(q+1)*panel], q) })
	}
	images := g.count(op.y) * op.images
	parts := min(images, maxParts)
	dw, db := g.partial(op.w, parts), g.partial(op.bias, parts)
	g.each(parts*op.groups, func(worker, job int) {
		part, q := job/op.groups, job%op.groups
		for image := part * images / parts; image < (part+1)*images/parts; image++ {
			j := image*op.groups + q
			dy := op.y.grad[j*op.co*op.outMap : (j+1)*op.co*op.outMap]
			if dx != nil {
				p := op.padded(g, worker, 0, &op.rev.lat, dy, op.co)
				op.rev.run(g, worker, dx[j*op.ci*op.inMap:(j+1)*op.ci*op.inMap], op.reverseW[q*panel:], op.ci, p, !first)
			}
			if wantW {
				x := op.x.data[j*op.ci*op.inMap:]
				op.weightGradient(g, worker, dw.unit(part)[q*op.co*len(op.fwd.off):], x, dy)
			}
			if op.bias != nil && op.bias.diff {
				d := db.unit(part)[q*op.co:]
				for o := range op.co {
					d[o] += vec.Sum(dy[o*op.outMap : (o+1)*op.outMap])
				}
			}
		}
	})
	dw.finish(g)
	db.finish(g)
}

// maxParts is how many parts of a batch sum gradients of weights on their own.
const maxParts = 8

// packReverse packs the weights of group q for the gradient of the input: rows
// are channels in, columns are channels out and taps.
func (op *convolution) packReverse(dst []float32, q int) {
	w := op.w.data[q*op.co*op.ci*op.taps:]
	for first := 0; first < op.ci; first += gemm.PanelRows {
		n := min(gemm.PanelRows, op.ci-first)
		for o := range op.co {
			for k := range op.taps {
				row := dst[(first*op.co*op.taps)+(o*op.taps+k)*gemm.PanelRows:][:gemm.PanelRows]
				clear(row)
				for i := range n {
					row[i] = w[(o*op.ci+first+i)*op.taps+k]
				}
			}
		}
	}
}

// weightGradient adds the gradient of a group's weights from one image.
func (op *convolution) weightGradient(g *graph, worker int, dw, x, dy []float32) {
	x = op.padded(g, worker, 2, &op.fwd.lat, x, op.ci)
	if at := op.fwd.octets; len(at) > 0 {
		for p := 0; p < len(at); p += dotBlock / 8 {
			block := at[p:min(p+dotBlock/8, len(at))]
			gemm.DotAt(dw, len(op.fwd.off), 1, dy[8*p:], op.outMap, op.co, x, op.fwd.off, block)
		}
		return
	}
	row := op.outMap
	if !op.plain {
		dy = op.padded(g, worker, 3, &op.dyForW, dy, op.co)
		row = op.dyForW.channel()
	}
	k := len(op.fwd.off)
	for p := 0; p < op.dotRun; p += dotBlock {
		gemm.Dot(dw, k, 1, dy[p:], row, op.co, x[p:], op.fwd.off, min(dotBlock, op.dotRun-p))
	}
}
