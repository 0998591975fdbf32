package bytecode

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"sort"
	"strings"
	"text/tabwriter"

	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/runtime/billb"
)

// Plan is the memory plan of an image.
type Plan struct {
	Arena int // bytes of all buffers together
	// LowerBound is the largest number of bytes alive at once at any
	// instruction: no plan without recomputation needs less.
	LowerBound int

	Allocations []Allocation // by offset, then by first use

	// Holds is the value of the module that a buffer has, by number; nil for one that only instructions know.
	Holds []*ir.Value `json:"-"`
}

// Allocation is a piece of the arena: one buffer, or several that share memory.
type Allocation struct {
	Buffers []int  `json:"buffers"`
	Layer   string `json:"layer"` // whose instruction writes it first; empty for an input
	Type    string `json:"type"`  // of the first buffer
	Offset  int    `json:"offset"`
	Size    int    `json:"size"`
	First   int    `json:"first"` // instruction of the first use; -1 for an input
	Last    int    `json:"last"`  // and of the last; the number of instructions for an output
}

// Print writes the plan as a table: where every allocation lies and from when
// to when it is alive.
func (p *Plan) Print(w io.Writer) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "offset\tsize\tfirst use\tlast use\tbuffers\ttype\tlayer")
	for _, a := range p.Allocations {
		ids := make([]string, len(a.Buffers))
		for i, b := range a.Buffers {
			ids[i] = fmt.Sprint(b)
		}
		fmt.Fprintf(t, "%d\t%d\t%d\t%d\t%s\t%s\t%s\n", a.Offset, a.Size, a.First, a.Last, strings.Join(ids, " "), a.Type, a.Layer)
	}
	t.Flush()
	fmt.Fprintf(w, "arena %d bytes; no plan needs less than %d\n", p.Arena, p.LowerBound)
}

// Piece is memory that is needed from an instruction to another: -1 is before the
// first, the number of instructions behind the last.
type Piece struct {
	Size, First, Last int
	Offset            int
}

// Pack gives every piece an offset, by falling size the lowest where no piece lies
// that is needed at the same time, and returns the memory of all. Sizes should be
// multiples of the alignment.
func Pack(pieces []*Piece) (total int) {
	order := slices.Clone(pieces)
	slices.SortStableFunc(order, func(a, b *Piece) int { return b.Size - a.Size })
	for i, p := range order {
		p.Offset = lowestGap(order[:i], p)
		total = max(total, p.Offset+p.Size)
	}
	return total
}

// life is one allocation: buffers that alias each other share one.
type life struct {
	buffers []int
	Piece
}

const align = 64

// place gives every buffer its offset. group maps a buffer to the one whose
// memory it shares (itself when none).
func place(img *billb.Image, group []int) (Plan, error) {
	lives := map[int]*life{}
	for b := range img.Buffers {
		size, err := img.Buffers[b].Size()
		if err != nil {
			return Plan{}, err
		}
		root := group[b]
		l := lives[root]
		if l == nil {
			l = &life{Piece: Piece{First: len(img.Code), Last: -1}}
			lives[root] = l
		}
		l.buffers = append(l.buffers, b)
		l.Size = max(l.Size, (size+align-1)/align*align)
	}
	touch := func(b, at int) {
		if b >= 0 {
			l := lives[group[b]]
			l.First, l.Last = min(l.First, at), max(l.Last, at)
		}
	}
	for _, p := range img.Inputs {
		touch(p.Buffer, -1)
	}
	for i, in := range img.Code {
		for _, b := range in.In {
			touch(b, i)
		}
		for _, b := range in.Out {
			touch(b, i)
		}
	}
	for _, p := range img.Outputs {
		touch(p.Buffer, len(img.Code))
	}
	order := make([]*life, 0, len(lives))
	for _, l := range lives {
		order = append(order, l)
	}
	slices.SortFunc(order, func(a, b *life) int { return a.buffers[0] - b.buffers[0] })
	var pieces []*Piece
	for _, l := range order {
		pieces = append(pieces, &l.Piece)
	}
	plan := Plan{Arena: Pack(pieces)}
	for _, l := range order {
		for _, b := range l.buffers {
			img.Buffers[b].Offset = l.Offset
		}
	}
	slices.SortStableFunc(order, func(a, b *life) int { return cmp.Or(a.Offset-b.Offset, a.First-b.First) })
	for _, l := range order {
		if l.First > l.Last {
			continue // nothing uses it
		}
		b := &img.Buffers[l.buffers[0]]
		a := Allocation{Buffers: l.buffers, Type: b.String(), Offset: l.Offset, Size: l.Size, First: l.First, Last: l.Last}
		if l.First >= 0 && l.First < len(img.Code) {
			a.Layer = img.Code[l.First].Name
		}
		plan.Allocations = append(plan.Allocations, a)
	}
	for at := -1; at <= len(img.Code); at++ {
		alive := 0
		for _, l := range order {
			if l.First <= at && at <= l.Last {
				alive += l.Size
			}
		}
		plan.LowerBound = max(plan.LowerBound, alive)
	}
	img.Arena = plan.Arena
	return plan, nil
}

// lowestGap returns the lowest offset at which l overlaps none of the placed
// allocations that are alive at the same time.
func lowestGap(placed []*Piece, l *Piece) int {
	var busy []*Piece
	for _, p := range placed {
		if p.First <= l.Last && l.First <= p.Last {
			busy = append(busy, p)
		}
	}
	sort.Slice(busy, func(i, j int) bool { return busy[i].Offset < busy[j].Offset })
	at := 0
	for _, p := range busy {
		if p.Offset >= at+l.Size {
			break
		}
		at = max(at, p.Offset+p.Size)
	}
	return at
}
