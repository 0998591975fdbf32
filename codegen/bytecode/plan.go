package bytecode

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"sort"
	"strings"
	"text/tabwriter"

	"github.com/billnet/billnet/runtime/billb"
)

// Plan is the memory plan of an image.
type Plan struct {
	Arena int // bytes of all buffers together
	// LowerBound is the largest number of bytes alive at once at any
	// instruction: no plan without recomputation needs less.
	LowerBound int

	Allocations []Allocation // by offset, then by first use
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

// life is one allocation: buffers that alias each other share one.
type life struct {
	buffers     []int
	size        int
	first, last int // instructions, -1 for inputs, len(code) for outputs
	offset      int
}

const align = 64

// place gives every buffer its offset. group maps a buffer to the one whose
// memory it shares (itself when none). Allocations are placed by falling size,
// each at the lowest offset where no allocation alive at the same time lies.
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
			l = &life{first: len(img.Code), last: -1}
			lives[root] = l
		}
		l.buffers = append(l.buffers, b)
		l.size = max(l.size, (size+align-1)/align*align)
	}
	touch := func(b, at int) {
		if b >= 0 {
			l := lives[group[b]]
			l.first, l.last = min(l.first, at), max(l.last, at)
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
	sort.Slice(order, func(i, j int) bool {
		if order[i].size != order[j].size {
			return order[i].size > order[j].size
		}
		return order[i].buffers[0] < order[j].buffers[0]
	})
	var plan Plan
	for i, l := range order {
		l.offset = lowestGap(order[:i], l)
		plan.Arena = max(plan.Arena, l.offset+l.size)
		for _, b := range l.buffers {
			img.Buffers[b].Offset = l.offset
		}
	}
	slices.SortStableFunc(order, func(a, b *life) int { return cmp.Or(a.offset-b.offset, a.first-b.first) })
	for _, l := range order {
		if l.first > l.last {
			continue // nothing uses it
		}
		b := &img.Buffers[l.buffers[0]]
		a := Allocation{Buffers: l.buffers, Type: b.String(), Offset: l.offset, Size: l.size, First: l.first, Last: l.last}
		if l.first >= 0 && l.first < len(img.Code) {
			a.Layer = img.Code[l.first].Name
		}
		plan.Allocations = append(plan.Allocations, a)
	}
	for at := -1; at <= len(img.Code); at++ {
		alive := 0
		for _, l := range order {
			if l.first <= at && at <= l.last {
				alive += l.size
			}
		}
		plan.LowerBound = max(plan.LowerBound, alive)
	}
	img.Arena = plan.Arena
	return plan, nil
}

// lowestGap returns the lowest offset at which l overlaps none of the placed
// allocations that are alive at the same time.
func lowestGap(placed []*life, l *life) int {
	var busy []*life
	for _, p := range placed {
		if p.first <= l.last && l.first <= p.last {
			busy = append(busy, p)
		}
	}
	sort.Slice(busy, func(i, j int) bool { return busy[i].offset < busy[j].offset })
	at := 0
	for _, p := range busy {
		if p.offset >= at+l.size {
			break
		}
		at = max(at, p.offset+p.size)
	}
	return at
}
