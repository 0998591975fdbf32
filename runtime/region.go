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
		kept[p.Buffer] = &keptMap{frames: p.Shape[2], slots: frameSlots(l.img.Buffers[p.Buffer].Shape[2])}
	}
	for i := r.First; i < r.End(); i++ {
		if in := &l.img.Code[i]; in.Op == billb.OpBandStore {
			if kept[in.Out[0]] != nil {
				return errorf("%s: buffer %d is stored to by another instruction, or fed", in.Where(i), in.Out[0])
			}
			b := &l.img.Buffers[in.Out[0]]
			kept[in.Out[0]] = &keptMap{frames: in.Params.(*billb.Band).Frames, slots: frameSlots(b.Shape[2])}
		}
	}
	list := kept.buffers()
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
	if err := l.simulate(r, kept); err != nil {
		return err
	}
	for _, b := range list {
		if !l.holds(b) {
			return errorf("buffer %d, which keeps frames, overlaps another that is written", b)
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
	if in.Op == billb.OpBandStore && !l.holds(in.Out[0]) {
		return errorf("buffer %d keeps frames, but memory that overlaps it is written in the region", in.Out[0])
	}
	for _, b := range in.In {
		if b >= 0 && kept[b] != nil && in.Op != billb.OpBandLoad {
			return errorf("buffer %d keeps frames of a region, expected to be read by band_load", b)
		}
	}
	for _, b := range in.Out {
		if b >= 0 && kept[b] != nil && in.Op != billb.OpBandStore {
			return errorf("buffer %d keeps frames of a region, expected to be written by band_store", b)
		}
	}
	if in.Op == billb.OpBandLoad && kept[in.In[0]] == nil {
		if p := in.Params.(*billb.Band); l.img.Buffers[in.In[0]].Shape[2] != p.Frames {
			return errorf("buffer %d has %d frames of %d and no stage of the region stores to it", in.In[0], l.img.Buffers[in.In[0]].Shape[2], p.Frames)
		}
	}
	return nil
}

// keptMap is a map of which a buffer keeps frames: the frame in every place, -1 for
// none.
type keptMap struct {
	frames int
	slots  []int
}

func frameSlots(n int) []int {
	s := make([]int, n)
	for i := range s {
		s[i] = -1
	}
	return s
}

// whole reports that all frames are there.
func (k *keptMap) whole() bool {
	for i, f := range k.slots {
		if f != i {
			return false
		}
	}
	return len(k.slots) == k.frames
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

// maxFollowed bounds the frames that simulate looks at.
const maxFollowed = 1 << 24

// simulate goes through the steps of a region and follows the frames that are kept.
func (l *live) simulate(r *billb.Region, kept keptMaps) error {
	if r.Feed >= 0 && r.Steps < kept[l.img.Inputs[r.Feed].Buffer].frames {
		return errorf("%d steps, expected at least one for each of %d frames", r.Steps, kept[l.img.Inputs[r.Feed].Buffer].frames)
	}
	left := maxFollowed
	for step := range r.Steps {
		if r.Feed >= 0 {
			if k := kept[l.img.Inputs[r.Feed].Buffer]; step < k.frames {
				k.slots[step%len(k.slots)] = step
			}
		}
		at := r.First
		for s := range r.Stages {
			st := &r.Stages[s]
			if run := st.Run(step); run >= 0 {
				if err := l.simulateStage(st, at, run, kept, &left); err != nil {
					return err
				}
			}
			at += st.Len
		}
	}
	return nil
}

// simulateStage follows a run of a stage: first its loads, then its stores. What a
// stage loads and stores too would be read half written.
func (l *live) simulateStage(st *billb.Stage, first, run int, kept keptMaps, left *int) error {
	for _, store := range []bool{false, true} {
		for i := first; i < first+st.Len; i++ {
			in := &l.img.Code[i]
			b, n := 0, 0
			switch {
			case in.Op == billb.OpBandLoad && !store:
				b, n = in.In[0], l.img.Buffers[in.Out[0]].Shape[2]
			case in.Op == billb.OpBandStore && store:
				b, n = in.Out[0], l.img.Buffers[in.In[0]].Shape[2]
			default:
				continue
			}
			k := kept[b]
			if k == nil {
				continue
			}
			p := in.Params.(*billb.Band)
			if *left -= n + 1; *left < 0 {
				return billb.Errorf(ErrLimit, "%s: the region moves more than %d frames", in.Where(i), maxFollowed)
			}
			var err error
			if store {
				err = k.store(p, st, run, n, l.img.Buffers[in.In[0]].Shape[3])
			} else {
				err = k.load(p, run, n)
			}
			if err != nil {
				return errorf("%s, run %d: buffer %d: %w", in.Where(i), run, b, err)
			}
		}
	}
	return nil
}

func (k *keptMap) load(p *billb.Band, run, n int) error {
	if p.Frames != k.frames {
		return errorf("a map of %d frames, %d are stored", p.Frames, k.frames)
	}
	first := p.First[0] + run*p.Step[0]
	for f := max(first, 0); f < min(first+n, p.Frames); f++ {
		if k.slots[f%len(k.slots)] != f {
			return errorf("frame %d is read before it is stored, or after another took its place", f)
		}
	}
	return nil
}

func (k *keptMap) store(p *billb.Band, st *billb.Stage, run, n, rows int) error {
	if p.First[1] != 0 || p.Step[1] > rows || (st.Bands-1)*p.Step[1]+rows < p.Rows {
		return errorf("%d bands of %d rows, one every %d, do not make %d", st.Bands, rows, p.Step[1], p.Rows)
	}
	if n > len(k.slots) {
		return errorf("%d frames at once where %d are kept", n, len(k.slots))
	}
	first := p.First[0] + run*p.Step[0]
	for f := first; f < min(first+n, k.frames); f++ {
		k.slots[f%len(k.slots)] = f
	}
	return nil
}
