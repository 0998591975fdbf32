package billb

import "slices"

// State is what a program carries from run to run: at the end of a run the value of
// buffer To becomes that of From, which the next run finds there. From has zeros before
// the first run. Where both lie in one place nothing is moved.
type State struct{ From, To int }

// checkStates checks the form of the states: pairs of buffers of one type, for which
// zeros are a value.
func (img *Image) checkStates() error {
	if len(img.States) > 0 && len(img.Regions) > 0 {
		return errorf("the program has states and regions, expected one of them")
	}
	for i, s := range img.States {
		if min(s.From, s.To) < 0 || max(s.From, s.To) >= len(img.Buffers) {
			return errorf("state %d: buffers %d and %d, there are %d", i, s.From, s.To, len(img.Buffers))
		}
		from, to := img.Buffers[s.From], img.Buffers[s.To]
		if from.Elem != to.Elem || !slices.Equal(from.Shape, to.Shape) || from.Planes != to.Planes || from.Geom != to.Geom {
			return errorf("state %d: buffer %d is %s and buffer %d %s, expected equal types", i, s.From, from, s.To, to)
		}
		if from.Elem == SBit {
			return errorf("state %d: buffer %d is %s, and no sign is zero", i, s.From, from)
		}
	}
	return nil
}

func (img *Image) encodeStates() []byte {
	var w writer
	w.uint(len(img.States))
	for _, s := range img.States {
		w.uint(s.From)
		w.uint(s.To)
	}
	return w
}

func (img *Image) readStates(r *reader) {
	img.States = list(r, 2, maxCount, func() State { return State{From: r.uint(), To: r.uint()} })
	if len(img.States) == 0 {
		r.fail("there are no states")
	}
}
