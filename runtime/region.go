package runtime

import (
	"slices"

	"github.com/billnet/billnet/runtime/billb"
)

// region follows what a region keeps in memory, and checks that it reads nothing
// else: the maps that it stores bands of, step by step; the other buffers, stage by
// stage. A stage's buffers are lost at its end, but for those that held a value at
// its beginning too: then it does not matter which stages have run.
func (l *live) region(r *billb.Region, aliases []bool) error {
	kept := keptMaps{}
	if r.Feed >= 0 {
		p := &l.img.Inputs[r.Feed]
		kept[p.Buffer] = newKeptMap(p.Shape[2], p.Shape[3], &l.img.Buffers[p.Buffer])
	}
	for i := r.First; i < r.End(); i++ {
		in := &l.img.Code[i]
		if in.Op == billb.OpBandShift {
			l.define(in.Out[0])
		}
		if in.Op == billb.OpBandStore {
			if kept[in.Out[0]] != nil {
				return errorf("%s: buffer %d is stored to by another instruction, or fed", in.Where(i), in.Out[0])
			}
			p := in.Params.(*billb.Band)
			kept[in.Out[0]] = newKeptMap(p.Frames, p.Rows, &l.img.Buffers[in.Out[0]])
		}
	}
	left := maxFollowed
	list := kept.buffers()
	for _, b := range list {
		if left -= kept[b].slots(); left < 0 {
			return billb.Errorf(ErrLimit, "more than %d rows are kept", maxFollowed)
		}
	}
	for _, b := range list {
		kept[b].begin()
	}
	for _, b := range list {
		l.define(b)
	}
	for range 2 { // what the second time does, every further does
		for s, at := 0, r.First; s < len(r.Stages); s++ {
			end := at + r.Stages[s].Len
			if err := l.stage(aliases, at, end, kept); err != nil {
				return err
			}
			at = end
		}
	}
	if err := l.simulate(r, kept, left); err != nil {
		return err
	}
	for _, b := range list {
		if !l.holds(b) {
			return errorf("buffer %d, which keeps rows, overlaps another that is written", b)
		}
		if !kept[b].whole() {
			l.value[b] = 0
		}
	}
	return nil
}

// stage follows the instructions of a stage once.
func (l *live) stage(aliases []bool, from, to int, kept keptMaps) error {
	var fresh []int
	for i := from; i < to; i++ {
		in := &l.img.Code[i]
		if err := l.inRegion(in, kept); err != nil {
			return errorf("%s: %w", in.Where(i), err)
		}
		for _, b := range in.Out {
			if b >= 0 && !l.holds(b) {
				fresh = append(fresh, b)
			}
		}
		if err := l.step(in, aliases[i]); err != nil {
			return errorf("%s: %w", in.Where(i), err)
		}
	}
	for _, b := range fresh {
		l.value[b] = 0
	}
	return nil
}

// inRegion checks that kept maps are accessed by bands only.
func (l *live) inRegion(in *billb.Instr, kept keptMaps) error {
	if in.Op.Keeps() && !l.holds(in.Out[0]) {
		return errorf("buffer %d keeps rows, but memory that overlaps it is written in the region", in.Out[0])
	}
	for _, b := range in.In {
		if b >= 0 && kept[b] != nil && in.Op != billb.OpBandLoad {
			return errorf("buffer %d keeps rows of a region, expected to be read by band_load", b)
		}
	}
	for _, b := range in.Out {
		if b >= 0 && kept[b] != nil && in.Op != billb.OpBandStore {
			return errorf("buffer %d keeps rows of a region, expected to be written by band_store", b)
		}
	}
	if in.Op == billb.OpBandLoad && kept[in.In[0]] == nil {
		if p, s := in.Params.(*billb.Band), l.img.Buffers[in.In[0]].Shape; s[2] != p.Frames || s[3] != p.Rows {
			return errorf("buffer %d has %d frames of %d rows, not %d of %d, and no stage of the region stores to it", in.In[0], s[2], s[3], p.Frames, p.Rows)
		}
	}
	return nil
}

// keptMap is a map of which a buffer keeps rows: what lies in every place, row h of frame
// t as t*rows + h, -1 for nothing.
type keptMap struct {
	frames, rows int // of the map
	places       bandMap
	holds        []int
	input        bool // its frame now is there too
	now          int
}

func newKeptMap(frames, rows int, b *billb.Buffer) *keptMap {
	return &keptMap{frames: frames, rows: rows, places: bandMap{frames: b.Shape[2], rows: b.Shape[3]}}
}

func (k *keptMap) slots() int { return k.places.frames * k.places.rows }

func (k *keptMap) begin() {
	k.holds = make([]int, k.slots())
	for i := range k.holds {
		k.holds[i] = -1
	}
}

// place is where a row lies.
func (k *keptMap) place(frame, row int) *int {
	s := k.places.slot(frame, row, k.rows)
	return &k.holds[s[0]*k.places.rows+s[1]]
}

// whole reports that all rows are there, as in a map.
func (k *keptMap) whole() bool {
	for i, f := range k.holds {
		if f != i {
			return false
		}
	}
	return k.places.frames == k.frames && k.places.rows == k.rows
}

type keptMaps map[int]*keptMap

func (k keptMaps) buffers() []int {
	var list []int
	for b := range k {
		list = append(list, b)
	}
	slices.Sort(list)
	return list
}

// maxFollowed bounds the rows that simulate looks at.
const maxFollowed = 1 << 24

// simulate goes through the steps of a region and follows the rows that are kept.
func (l *live) simulate(r *billb.Region, kept keptMaps, left int) error {
	var input *keptMap
	if r.Feed >= 0 {
		if input = kept[l.img.Inputs[r.Feed].Buffer]; (input.frames-1)*r.Pace >= r.Steps {
			return errorf("%d steps, expected %d for each of %d frames but the last", r.Steps, r.Pace, input.frames)
		}
		input.input = true
		left -= input.frames * input.rows
	}
	for step := range r.Steps {
		if input != nil {
			input.arrive(r.Now(step, input.frames))
		}
		at := r.First
		for s := range r.Stages {
			st := &r.Stages[s]
			run, band, end := st.Due(step)
			for ; band < end; band++ {
				if err := l.simulateStage(st, at, position{run, band}, kept, &left); err != nil {
					return err
				}
			}
			at += st.Len
		}
	}
	return nil
}

// arrive keeps rows of the frame before the one that is there now.
func (k *keptMap) arrive(now int) {
	if now > k.now {
		for row := range k.rows {
			*k.place(k.now, row) = k.now*k.rows + row
		}
	}
	k.now = now
}

// simulateStage follows a stage on a band.
func (l *live) simulateStage(st *billb.Stage, first int, at position, kept keptMaps, left *int) error {
	for i := first; i < first+st.Len; i++ {
		in := &l.img.Code[i]
		var b int
		var band []int // its shape
		switch in.Op {
		case billb.OpBandLoad:
			b, band = in.In[0], l.img.Buffers[in.Out[0]].Shape
		case billb.OpBandStore:
			b, band = in.Out[0], l.img.Buffers[in.In[0]].Shape
		default:
			continue
		}
		k, p := kept[b], in.Params.(*billb.Band)
		if k == nil {
			continue
		}
		if p.Frames != k.frames || p.Rows != k.rows {
			return errorf("%s: a map of %d frames of %d rows, buffer %d keeps one of %d of %d", in.Where(i), p.Frames, p.Rows, b, k.frames, k.rows)
		}
		t, h := at.of(p)
		f0, f1 := inside(t, band[2], k.frames)
		r0, r1 := inside(h, band[3], k.rows)
		if *left -= 1 + (f1-f0)*(r1-r0); *left < 0 {
			return billb.Errorf(ErrLimit, "%s: the region moves more than %d rows", in.Where(i), maxFollowed)
		}
		for f := t + f0; f < t+f1; f++ {
			for r := h + r0; r < h+r1; r++ {
				switch place := k.place(f, r); {
				case in.Op == billb.OpBandStore:
					*place = f*k.rows + r
				case k.input && f == k.now:
				case *place != f*k.rows+r:
					return errorf("%s, run %d, band %d: buffer %d: row %d of frame %d is read before it is stored, or after another took its place", in.Where(i), at.run, at.band, b, r, f)
				}
			}
		}
	}
	return nil
}
