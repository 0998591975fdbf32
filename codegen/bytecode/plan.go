package bytecode

import (
	"sort"

	"github.com/billnet/billnet/runtime"
)

// Plan is the memory plan of an image.
type Plan struct {
	Arena int // bytes of all buffers together
	// LowerBound is the largest number of bytes alive at once at any
	// instruction: no plan without recomputation needs less.
	LowerBound int
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
func place(img *runtime.Image, group []int) (Plan, error) {
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
