package billb

import "slices"

// Region is a run of instructions that is executed band by band, some frames and
// rows at a time, so that of the values between them only what is still to be read
// is kept. It advances in steps, at each of which every stage that is due executes its
// instructions, in the order of the stages. The package comment says what may pass from
// one stage to another.
type Region struct {
	First  int // the first instruction; the others follow
	Steps  int
	Pace   int // steps from one frame of an input to the next
	Feed   int // the input port whose frame i arrives at step i*Pace; -1: none
	Stages []Stage
}

// Stage is instructions of a region that run together: Len of them, behind those
// of the stage before. Run k, from 0 to Count-1, executes them for band j, from 0 to
// Bands-1, at step Delay + k*Every[0] + j*Every[1]; with 0 steps from band to band it
// does so for all bands one after the other.
type Stage struct {
	Len   int
	Delay int
	Every [2]int
	Count int
	Bands int
}

// End is the instruction behind the region.
func (r *Region) End() int {
	n := r.First
	for _, s := range r.Stages {
		n += s.Len
	}
	return n
}

// Due is what a stage does at a step: bands of one of its runs, from the first to before
// the end.
func (s *Stage) Due(step int) (run, first, end int) {
	at := step - s.Delay
	if at < 0 {
		return 0, 0, 0
	}
	if run = at / s.Every[0]; run >= s.Count {
		run = s.Count - 1
	}
	switch at -= run * s.Every[0]; {
	case s.Every[1] == 0 && at == 0:
		return run, 0, s.Bands
	case s.Every[1] > 0 && at%s.Every[1] == 0 && at/s.Every[1] < s.Bands:
		return run, at / s.Every[1], at/s.Every[1] + 1
	}
	return 0, 0, 0
}

// last is the step at which a stage is due for the last time.
func (s *Stage) last() int { return s.Delay + (s.Count-1)*s.Every[0] + (s.Bands-1)*s.Every[1] }

// Now is the frame of the input of which Frames arrive that is there at a step.
func (r *Region) Now(step, frames int) int { return min(step/r.Pace, frames-1) }

// RegionOf is the region of an instruction, nil when it is in none.
func (img *Image) RegionOf(instr int) *Region {
	for i := range img.Regions {
		if r := &img.Regions[i]; r.First <= instr && instr < r.End() {
			return r
		}
	}
	return nil
}

// Runs is how often an instruction is executed in a run of the program.
func (img *Image) Runs(instr int) int {
	r := img.RegionOf(instr)
	if r == nil {
		return 1
	}
	at := r.First
	for _, s := range r.Stages {
		if at += s.Len; instr < at {
			return s.Count * s.Bands
		}
	}
	return 1
}

// Fed is the input port whose frames arrive one by one and the region that takes
// them; -1 and nil when there is none.
func (img *Image) Fed() (port int, r *Region) {
	for i := range img.Regions {
		if r := &img.Regions[i]; r.Feed >= 0 {
			return r.Feed, r
		}
	}
	return -1, nil
}

const (
	maxSteps  = 1 << 16 // of a region, and bands of a stage
	maxRuns   = 1 << 22 // instructions that a region executes, in all
	maxStages = 1 << 10
)

// checkRegions checks the form of the regions.
func (img *Image) checkRegions() error {
	end, fed := 0, 0
	for i := range img.Regions {
		r := &img.Regions[i]
		if err := img.checkRegion(r, end); err != nil {
			return errorf("region %d: %w", i, err)
		}
		end = r.End()
		if r.Feed >= 0 {
			fed++
		}
	}
	if fed > 1 {
		return errorf("%d regions take an input frame by frame, expected at most one", fed)
	}
	return nil
}

func (img *Image) checkRegion(r *Region, from int) error {
	switch {
	case r.First < from || r.First >= len(img.Code):
		return errorf("it begins at instruction %d, expected %d to %d", r.First, from, len(img.Code)-1)
	case len(r.Stages) == 0 || len(r.Stages) > maxStages:
		return errorf("%d stages, expected 1 to %d", len(r.Stages), maxStages)
	case r.Steps < 1 || r.Steps > maxSteps:
		return limitf("%d steps, expected 1 to %d", r.Steps, maxSteps)
	case r.Pace < 1 || r.Pace > maxSteps:
		return errorf("a frame every %d steps, expected 1 to %d", r.Pace, maxSteps)
	case r.Feed < -1 || r.Feed >= len(img.Inputs):
		return errorf("input port %d does not exist, there are %d", r.Feed, len(img.Inputs))
	}
	at, runs := r.First, 0
	for i, s := range r.Stages {
		switch {
		case s.Len < 1 || s.Len > len(img.Code)-at:
			return errorf("stage %d has %d instructions, expected 1 to %d", i, s.Len, len(img.Code)-at)
		case s.Bands < 1 || s.Bands > maxSteps || s.Count < 1 || s.Count > maxSteps:
			return limitf("stage %d has %d runs of %d bands, expected 1 to %d", i, s.Count, s.Bands, maxSteps)
		case s.Delay < 0 || s.Every[0] < 1 || s.Every[1] < 0 || max(s.Delay, s.Every[0], s.Every[1]) > maxSteps || s.last() >= r.Steps:
			return errorf("stage %d runs %d times from step %d on, every %d steps, and %d bands every %d: that does not fit %d steps", i, s.Count, s.Delay, s.Every[0], s.Bands, s.Every[1], r.Steps)
		case s.Count > 1 && (s.Bands-1)*s.Every[1] >= s.Every[0]:
			return errorf("stage %d begins a run every %d steps, before its %d bands every %d have ended", i, s.Every[0], s.Bands, s.Every[1])
		case s.Count*s.Bands > maxRuns/s.Len || s.Count*s.Bands*s.Len > maxRuns-runs:
			return limitf("more than %d instructions are executed", maxRuns)
		}
		at += s.Len
		runs += s.Count * s.Bands * s.Len
	}
	return nil
}

// checkFed checks a port whose frames arrive one by one: its buffer is dense and
// keeps some rows of the frames [1,C,T,H,W], as Band has it.
func (img *Image) checkFed(p Port) error {
	b := img.Buffers[p.Buffer]
	wrong := errorf("frames of %s%s arrive one by one, buffer %d is %s: expected some rows of them, dense", p.Elem, ShapeString(p.Shape), p.Buffer, b)
	if b.Planes || b.Elem != p.Elem || len(p.Shape) != 5 || len(b.Shape) != 5 || p.Shape[0] != 1 || min(b.Shape[2], b.Shape[3]) < 1 {
		return wrong
	}
	s := slices.Clone(b.Shape)
	if s[2], s[3] = p.Shape[2], p.Shape[3]; !slices.Equal(s, p.Shape) || !CanKeep(p.Shape[2], p.Shape[3], b.Shape[2], b.Shape[3]) {
		return wrong
	}
	return nil
}

func (img *Image) encodeRegions() []byte {
	var w writer
	w.uint(len(img.Regions))
	for _, r := range img.Regions {
		w.uint(r.First)
		w.uint(r.Steps)
		w.uint(r.Pace)
		w.uint(r.Feed + 1)
		w.uint(len(r.Stages))
		for _, s := range r.Stages {
			w.uints([]int{s.Len, s.Delay, s.Every[0], s.Every[1], s.Count, s.Bands}, 0)
		}
	}
	return w
}

func (img *Image) readRegions(r *reader, version uint32) {
	numbers := 6
	if version == 3 { // no steps from band to band
		numbers = 5
	}
	img.Regions = list(r, 4, maxCount, func() Region {
		v := Region{First: r.uint(), Steps: r.uint(), Pace: 1}
		if version > 3 {
			v.Pace = r.uint()
		}
		v.Feed = r.uint() - 1
		v.Stages = list(r, numbers+1, maxStages, func() Stage {
			n := r.uints(0)
			if len(n) != numbers {
				r.fail("a stage of %d numbers, expected %d", len(n), numbers)
				return Stage{}
			}
			s := Stage{Len: n[0], Delay: n[1], Every: [2]int{n[2], 0}, Count: n[numbers-2], Bands: n[numbers-1]}
			if numbers == 6 {
				s.Every[1] = n[3]
			}
			return s
		})
		return v
	})
	if len(img.Regions) == 0 {
		r.fail("there are no regions")
	}
}
