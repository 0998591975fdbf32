package ir

// ReadKind is the kind of a Read.
type ReadKind uint8

// The kinds of reads, of an element at index p on axis Of of a result.
const (
	ReadAll    ReadKind = iota // every index
	ReadNone                   // no index: the operand is not read
	ReadSame                   // index p
	ReadWindow                 // the indices under a window
	ReadPast                   // index p and all before
	ReadFuture                 // index p and all after
)

// Read says which indices on one axis of an operand an element of a result is
// made of, by the element's index p on axis Of of the result.
type Read struct {
	Kind   ReadKind
	Of     int        // -1 in a window that is the same for all: p is 0 then
	Window AxisWindow // of a ReadWindow
}

// AxisWindow is a window on one axis: at p it reads the indices
// p/Share*Stride + k*Dilation - Pad for k from 0 to Kernel-1, as far as the axis
// has them. Share consecutive positions see the same window.
type AxisWindow struct{ Kernel, Stride, Dilation, Pad, Share int }

// Includes reports whether an element at p reads index i.
func (r Read) Includes(p, i int) bool {
	switch r.Kind {
	case ReadNone:
		return false
	case ReadSame:
		return i == p
	case ReadPast:
		return i <= p
	case ReadFuture:
		return i >= p
	case ReadWindow:
		w := r.Window
		d := i - w.first(p)
		return d >= 0 && d%w.Dilation == 0 && d/w.Dilation < w.Kernel
	}
	return true
}

// Span returns the smallest range lo <= i < hi of indices, on an axis of a size,
// that holds what the elements from <= p < to read; lo = hi where they read
// nothing.
func (r Read) Span(from, to, size int) (lo, hi int) {
	if from >= to {
		return 0, 0
	}
	lo, hi = 0, size
	switch r.Kind {
	case ReadNone:
		return 0, 0
	case ReadSame:
		lo, hi = from, to
	case ReadPast:
		hi = to
	case ReadFuture:
		lo = from
	case ReadWindow:
		return r.Window.span(from, to, size)
	}
	return max(lo, 0), max(min(hi, size), lo)
}

func (w AxisWindow) first(p int) int { return p/w.Share*w.Stride - w.Pad }

// span is Span of a window, position by position: the first and last tap inside
// the axis are not those of the first and last position where the stride is
// negative or taps fall beside the axis.
func (w AxisWindow) span(from, to, size int) (lo, hi int) {
	lo, hi = size, 0
	for p := from; p < to; p++ {
		first := w.first(p)
		k := 0
		if first < 0 {
			k = (-first + w.Dilation - 1) / w.Dilation
		}
		last := min(w.Kernel-1, floorDiv(size-1-first, w.Dilation))
		if k <= last {
			lo, hi = min(lo, first+k*w.Dilation), max(hi, first+last*w.Dilation+1)
		}
	}
	if lo >= hi {
		return 0, 0
	}
	return lo, hi
}

func floorDiv(a, b int) int {
	if a < 0 {
		return -((-a + b - 1) / b)
	}
	return a / b
}

// Reads says, for every axis of an operand, what an element of a result reads of
// it. An operand that is left out is not read: nil.
func (n *Node) Reads(result, operand int) []Read {
	a := n.Arg(operand)
	if a == nil {
		return nil
	}
	switch {
	case n.Op.Reads != nil:
		return n.Op.Reads(n, result, operand)
	case n.Op.Kind == Elementwise:
		return broadcastReads(a.Type.Shape, n.Results[result].Type.Shape)
	}
	return make([]Read, a.Type.Rank())
}

func same(axis int) Read { return Read{Kind: ReadSame, Of: axis} }

// at reads one index, whatever the position.
func at(i int) Read {
	return Read{Kind: ReadWindow, Of: -1, Window: AxisWindow{Kernel: 1, Dilation: 1, Share: 1, Pad: -i}}
}

// stepping reads index first + p*step.
func stepping(axis, first, step int) Read {
	if first == 0 && step == 1 {
		return same(axis)
	}
	return Read{Kind: ReadWindow, Of: axis, Window: AxisWindow{Kernel: 1, Stride: step, Dilation: 1, Share: 1, Pad: -first}}
}

// sharing reads index p/share.
func sharing(axis, share int) Read {
	if share == 1 {
		return same(axis)
	}
	return Read{Kind: ReadWindow, Of: axis, Window: AxisWindow{Kernel: 1, Stride: 1, Dilation: 1, Share: share}}
}

// sames reads the element itself, the first axis being axis first of the result.
func sames(rank, first int) []Read {
	r := make([]Read, rank)
	for a := range r {
		r[a] = same(first + a)
	}
	return r
}

// broadcastReads reads an operand that stretches to a shape.
func broadcastReads(operand, shape []int) []Read {
	r := make([]Read, len(operand))
	for a, d := range operand {
		if b := a + len(shape) - len(operand); d == shape[b] {
			r[a] = same(b)
		}
	}
	return r
}

// listRead reads one number, or a list of them that goes along an axis.
func listRead(t Type, axis int) []Read {
	r := make([]Read, t.Rank())
	if t.Rank() == 1 && t.Shape[0] > 1 {
		r[0] = same(axis)
	}
	return r
}

// channelReads are the Reads of an operation with lists of parameters along an
// axis of its first operand.
func channelReads(axis func(n *Node) int) func(n *Node, result, operand int) []Read {
	return func(n *Node, _, operand int) []Read {
		rank := n.In(0).Rank()
		if operand == 0 {
			return sames(rank, 0)
		}
		a, _ := Axis(axis(n), rank)
		return listRead(n.In(operand), a)
	}
}

func axisOf(n *Node) int { return n.Int("axis") }
func axisOne(*Node) int  { return 1 }
