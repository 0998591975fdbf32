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
	"github.com/billnet/billnet/runtime"
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
	Holds   []*ir.Value    `json:"-"`
	Regions []RegionPlan   // that run on bands
	Memory  runtime.Memory // of a session with one thread, with the largest scratch of this machine's kernels; of a plan within a limit
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
	for i := range p.Regions {
		p.Regions[i].print(t)
	}
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
	if m := p.Memory; m.Total() > 0 {
		fmt.Fprintf(w, "memory %d bytes: arena %d, scratch %d\n", m.Total(), m.Arena, m.Scratch)
	}
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
// memory it shares (itself when none); rooms are the bytes for which there should be a
// gap while an instruction runs, nil for none.
func place(img *billb.Image, group, rooms []int) (Plan, error) {
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
	for b, u := range img.Lifetimes() {
		l := lives[group[b]]
		l.First, l.Last = min(l.First, u.First), max(l.Last, u.Last)
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
	for i, n := range rooms {
		if n > 0 {
			pieces = append(pieces, &Piece{Size: (n + align - 1) / align * align, First: i, Last: i})
		}
	}
	Pack(pieces)
	var plan Plan
	for _, l := range order {
		plan.Arena = max(plan.Arena, l.Offset+l.Size)
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

func (p *RegionPlan) print(t *tabwriter.Writer) {
	fed := ""
	if p.Fed != "" {
		fed = fmt.Sprintf(", one frame of %q every %d", p.Fed, p.Pace)
	}
	fmt.Fprintf(t, "region %d: %d steps%s\n", p.Number, p.Steps, fed)
	fmt.Fprintln(t, "stage\tframes\trows\tbands\truns\tfrom step\trun every\tband every")
	for _, s := range p.Stages {
		fmt.Fprintf(t, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\n", s.Result, s.Band.Frames, s.Band.Rows, s.Bands, s.Runs, s.Delay, s.Every[0], s.Every[1])
	}
	fmt.Fprintln(t, "keeps\trows\tof\tbytes")
	for _, m := range p.Maps {
		fmt.Fprintf(t, "%s\t%d\t%d\t%d\n", m.Layer, m.Kept, m.Rows, m.Bytes)
	}
	for _, a := range p.Again {
		fmt.Fprintf(t, "computes %s %.1f times\n", a.Layer, a.Times)
	}
	for _, e := range p.Ends {
		fmt.Fprintf(t, "ends at %s (%s): %s\n", e.Layer, e.Op, e.Why)
	}
	t.Flush()
}

// RegionPlan is a region of an image, for reading.
type RegionPlan struct {
	Number int
	Band   BandSize
	Steps  int
	Pace   int    // steps from frame to frame
	Fed    string // the input whose frames arrive one by one, "" for none
	Stages []StagePlan
	Maps   []MapPlan // that it keeps
	Again  []WorkPlan
	Ends   []EndPlan
}

// WorkPlan is a layer of which a region computes rows more often than once.
type WorkPlan struct {
	Layer string
	Times float64
}

// EndPlan is a layer that needs whole maps of a region, and why.
type EndPlan struct{ Layer, Op, Why string }

// StagePlan is a stage of a region.
type StagePlan struct {
	Result      string // the layer
	Band        BandSize
	Delay       int
	Every       [2]int // steps from run to run, and from band to band
	Runs, Bands int
}

// MapPlan is a map of which a region keeps rows, in all frames together.
type MapPlan struct {
	Layer      string
	Rows, Kept int
	Bytes      int
}

// describe adds the region to the plan.
func (r *regionBuilder) describe(region billb.Region) {
	p := RegionPlan{Number: r.number, Band: r.size, Steps: region.Steps, Pace: region.Pace}
	if r.feed >= 0 {
		p.Fed = r.out.Inputs[r.feed].Name
		p.Maps = append(p.Maps, r.mapPlan(r.kept[r.img.Inputs[r.feed].Buffer]))
	}
	for i := range r.img.Code {
		in := &r.img.Code[i]
		switch end := (EndPlan{Layer: in.Name, Op: in.Op.String()}); {
		case r.inRegion(i, r.number) && r.role[i] == summed:
			end.Why = "it counts over all of a map"
			p.Ends = append(p.Ends, end)
		case r.role[i] == wholeMaps && slices.ContainsFunc(in.In, func(v int) bool {
			return v >= 0 && r.def[v] >= 0 && r.inRegion(r.def[v], r.number) && r.role[r.def[v]] == onBands
		}):
			end.Why = "it works on whole maps"
			p.Ends = append(p.Ends, end)
		}
	}
	for _, s := range r.stages {
		for _, a := range s.again {
			if a.Times > 1.01 {
				p.Again = append(p.Again, a)
			}
		}
		p.Stages = append(p.Stages, StagePlan{Result: r.nameOf(s.root), Band: s.result, Delay: s.delay, Every: s.every, Runs: s.count, Bands: s.bands})
	}
	for _, k := range r.list {
		p.Maps = append(p.Maps, r.mapPlan(k))
	}
	r.banding.plan = append(r.banding.plan, p)
}

func (r *regionBuilder) mapPlan(k *keptMap) MapPlan {
	size, _ := r.out.Buffers[k.id].Size()
	return MapPlan{Layer: r.nameOf(k.old), Rows: k.frames * k.rows, Kept: k.held, Bytes: size}
}
