package bytecode

import (
	"fmt"
	"slices"

	"github.com/billnet/billnet/runtime/billb"
)

// Instructions on maps are executed band by band in regions (billb.Region). What
// follows works on the instructions of an image, before places are given to its
// buffers. Every instruction belongs to a group, and the groups run in the order
//
//	instructions 0, region 0, instructions 1, region 1, ...
//
// A region has all instructions that need nothing but whole maps of the groups before
// and bands of its own; what needs a whole map, or the count over one, comes after.

// bandRole is what an instruction is to regions.
type bandRole uint8

const (
	wholeMaps bandRole = iota // it reads and writes whole buffers
	onBands                   // a band of its result takes bands of its operands
	moved                     // likewise; it changes the layout only and is done again wherever it is needed
	summed                    // a count over the map: the sum of the counts of bands
)

// roleOf is the role of an instruction.
func roleOf(img *billb.Image, in *billb.Instr) bandRole {
	buffer := func(ids []int, i int) *billb.Buffer {
		if i >= len(ids) || ids[i] < 0 {
			return &billb.Buffer{}
		}
		return &img.Buffers[ids[i]]
	}
	x, y := buffer(in.In, 0), buffer(in.Out, 0)
	if len(in.In) == 0 || in.In[0] < 0 {
		return wholeMaps
	}
	switch in.Op {
	case billb.OpBConv, billb.OpIConv, billb.OpBitMaxPool, billb.OpBitMinPool:
		// Zeros around a map of signs, and ones around a map of which the smallest is taken, are none that a band could have.
		padded := x.Elem == billb.SBit && in.Op == billb.OpBConv || in.Op == billb.OpBitMinPool || x.Elem == billb.SBit && in.Op == billb.OpBitMaxPool
		for a := range 2 {
			w := windowOf(img, in, a)
			size := x.Shape[2+a]
			if lo, hi := w.span(0, y.Shape[2+a]); padded && (lo < 0 || hi > size) {
				return wholeMaps
			}
		}
		return onBands
	case billb.OpBitOr, billb.OpBitAnd, billb.OpBitXor, billb.OpBitNot, billb.OpMux, billb.OpMuxOr, billb.OpThreshold:
		if y.Planes {
			return onBands
		}
	case billb.OpRelayout:
		if y.Planes && (x.Planes && x.Geom.Phases() == 1 || !x.Planes && len(x.Shape) == 5 && x.Shape[0] == 1) {
			return moved
		}
	case billb.OpCount:
		if p, ok := in.Params.(*billb.Count); ok && p.Mode == billb.CountC && x.Elem == billb.Bit {
			return summed
		}
	}
	return wholeMaps
}

// axisWindow is what position p of a result reads of an axis of an operand: first + p*stride to that plus extent-1.
type axisWindow struct{ first, stride, extent int }

// span is the range of what positions lo to hi-1 read.
func (w axisWindow) span(lo, hi int) (from, to int) {
	return w.first + lo*w.stride, w.first + (hi-1)*w.stride + w.extent
}

// overlaps reports that neighbours read the same.
func (w axisWindow) overlaps() bool { return w.extent > w.stride }

// windowOf is the window of an instruction's maps along frames (0) or rows (1).
func windowOf(img *billb.Image, in *billb.Instr, axis int) axisWindow {
	switch p := in.Params.(type) {
	case *billb.Conv:
		return convWindow(img, in, p, axis)
	case *billb.IntConv:
		return convWindow(img, in, &p.Conv, axis)
	case *billb.BitPool:
		return axisWindow{-p.Pad[axis], p.Stride[axis], (p.Kernel[axis]-1)*p.Dilation[axis] + 1}
	}
	return axisWindow{0, 1, 1}
}

func convWindow(img *billb.Image, in *billb.Instr, p *billb.Conv, axis int) axisWindow {
	k := img.Consts[in.Constant("w")].Shape[2+axis]
	return axisWindow{-p.Pad[axis], p.Stride[axis], (k-1)*p.Dilation[axis] + 1}
}

// onBand is the parameters of an instruction on bands: what was padding along frames and rows is part of the band.
func onBand(p billb.Params) billb.Params {
	switch p := p.(type) {
	case *billb.Conv:
		c := *p
		c.Pad[0], c.Pad[1] = 0, 0
		return &c
	case *billb.IntConv:
		c := *p
		c.Conv.Pad[0], c.Conv.Pad[1] = 0, 0
		return &c
	case *billb.BitPool:
		c := *p
		c.Pad[0], c.Pad[1] = 0, 0
		return &c
	}
	return p
}

// keepsZero reports that the result of an instruction on bands is 0 outside its map where the operands are 0 outside theirs.
// A sign is never 0.
func keepsZero(img *billb.Image, in *billb.Instr) bool {
	switch in.Op {
	case billb.OpBConv, billb.OpIConv:
		return in.Constant("t") < 0 && img.Buffers[in.In[0]].Elem != billb.SBit && staysOutside(img, in)
	case billb.OpBitMaxPool:
		return staysOutside(img, in)
	case billb.OpMuxOr, billb.OpMux, billb.OpRelayout:
		return true
	}
	return false
}

// staysOutside reports that the windows of frames and rows outside the result's map read nothing inside the operand's.
func staysOutside(img *billb.Image, in *billb.Instr) bool {
	from, to := img.Buffers[in.In[0]].Shape, img.Buffers[in.Out[0]].Shape
	for a := range 2 {
		w := windowOf(img, in, a)
		_, before := w.span(-1, 0)
		behind, _ := w.span(to[2+a], to[2+a]+1)
		if before > 0 || behind < from[2+a] {
			return false
		}
	}
	return true
}

// acrossColumns reports that an instruction reads beyond the ends of rows, so that its operand's rows have zeros between
// them.
func acrossColumns(img *billb.Image, in *billb.Instr) bool {
	switch in.Op {
	case billb.OpBConv, billb.OpIConv, billb.OpBitMaxPool, billb.OpBitMinPool:
		width := img.Buffers[in.In[0]].Shape[4]
		lo, hi := windowOf(img, in, 2).span(0, img.Buffers[in.Out[0]].Shape[4])
		return lo < 0 || hi > width
	}
	return false
}

// grouped says in which group every instruction runs, and where its results can be read.
type grouped struct {
	img   *billb.Image
	role  []bandRole
	group []int // of instructions: of the regions, or of what comes before the region of that number
	def   []int // the instruction that writes a buffer, -1 for an input
	reads [][]int
	count int // of regions
}

// groupInstructions finds the groups.
func groupInstructions(img *billb.Image) *grouped {
	g := &grouped{img: img, def: make([]int, len(img.Buffers)), reads: make([][]int, len(img.Buffers))}
	for b := range g.def {
		g.def[b] = -1
	}
	band := make([]int, len(img.Buffers))  // the first region that can take bands of a buffer
	whole := make([]int, len(img.Buffers)) // the first group of other instructions that can read it
	for i := range img.Code {
		in := &img.Code[i]
		r := roleOf(img, in)
		at := 0
		for _, b := range in.In {
			if b < 0 {
				continue
			}
			g.reads[b] = append(g.reads[b], i)
			if r == wholeMaps {
				at = max(at, whole[b])
			} else {
				at = max(at, band[b])
			}
		}
		for _, b := range in.Out {
			if b < 0 {
				continue
			}
			g.def[b] = i
			switch r {
			case wholeMaps:
				band[b], whole[b] = at, at
			case moved:
				band[b], whole[b] = at, whole[in.In[0]]
			case summed:
				band[b], whole[b] = at+1, at+1
			default:
				band[b], whole[b] = at, at+1
			}
		}
		g.role, g.group = append(g.role, r), append(g.group, at)
		if r == onBands || r == summed {
			g.count = max(g.count, at+1)
		}
	}
	return g
}

// inRegion reports that an instruction belongs to a region.
func (g *grouped) inRegion(i, region int) bool {
	return g.group[i] == region && (g.role[i] == onBands || g.role[i] == summed)
}

// readers are the instructions that read a buffer, those behind a change of layout in its place.
func (g *grouped) readers(b int) []int {
	var list []int
	for _, i := range g.reads[b] {
		if g.role[i] == moved {
			list = append(list, g.readers(g.img.Code[i].Out[0])...)
			continue
		}
		list = append(list, i)
	}
	return list
}

// isPort reports an input or output.
func (g *grouped) isPort(b int) bool {
	is := func(p billb.Port) bool { return p.Buffer == b }
	return slices.ContainsFunc(g.img.Inputs, is) || slices.ContainsFunc(g.img.Outputs, is)
}

// mapOf names what a buffer holds, for people.
func (g *grouped) nameOf(b int) string {
	if i := g.def[b]; i >= 0 {
		return g.img.Code[i].Name
	}
	for _, p := range g.img.Inputs {
		if p.Buffer == b {
			return p.Name
		}
	}
	return fmt.Sprintf("buffer %d", b)
}
