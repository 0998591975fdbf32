package billb

import "slices"

// Region is a run of instructions that is executed band by band, some frames and
// rows at a time, so that of the values between them only what is still to be read
// is kept. It advances in steps; at every step each of its stages may run once, and
// a stage that runs executes its instructions for all of its bands. The package
// comment says what may pass from one stage to another.
type Region struct {
	First  int // the first instruction; the others follow
	Steps  int
	Feed   int // the input port whose frame i arrives at step i; -1: none
	Stages []Stage
}

// Stage is instructions of a region that run together: Len of them, behind those
// of the stage before. They run for the k-th time at step Delay + k*Every, k from 0
// to Count-1, and each time for the bands 0 to Bands-1 one after the other.
type Stage struct {
	Len                 int
	Delay, Every, Count int
	Bands               int
}

// End is the instruction behind the region.
func (r *Region) End() int {
	n := r.First
	for _, s := range r.Stages {
		n += s.Len
	}
	return n
}

// Run is which of its runs a stage has at a step; -1 when it has none.
func (s *Stage) Run(step int) int {
	at := step - s.Delay
	if at < 0 || at%s.Every != 0 || at/s.Every >= s.Count {
		return -1
	}
	return at / s.Every
}

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
	case r.Feed < -1 || r.Feed >= len(img.Inputs):
		return errorf("input port %d does not exist, there are %d", r.Feed, len(img.Inputs))
	}
	at, runs := r.First, 0
	for i, s := range r.Stages {
		switch {
		case s.Len < 1 || s.Len > len(img.Code)-at:
			return errorf("stage %d has %d instructions, expected 1 to %d", i, s.Len, len(img.Code)-at)
		case s.Delay < 0 || s.Every < 1 || s.Count < 1 || s.Delay >= r.Steps || (s.Count-1) > (r.Steps-1-s.Delay)/s.Every:
			return errorf("stage %d runs %d times from step %d on, every %d steps: that does not fit %d steps", i, s.Count, s.Delay, s.Every, r.Steps)
		case s.Bands < 1 || s.Bands > maxSteps:
			return limitf("stage %d has %d bands, expected 1 to %d", i, s.Bands, maxSteps)
		case s.Count*s.Bands > maxRuns/s.Len || s.Count*s.Bands*s.Len > maxRuns-runs:
			return limitf("more than %d instructions are executed", maxRuns)
		}
		at += s.Len
		runs += s.Count * s.Bands * s.Len
	}
	return nil
}

// checkFed checks a port whose frames arrive one by one: its buffer is dense and
// holds some of the frames [1,C,T,H,W].
func (img *Image) checkFed(p Port) error {
	b := img.Buffers[p.Buffer]
	if b.Planes || b.Elem != p.Elem || len(p.Shape) != 5 || len(b.Shape) != 5 || p.Shape[0] != 1 || b.Shape[2] < 1 || b.Shape[2] > p.Shape[2] {
		return errorf("frames of %s%s arrive one by one, buffer %d is %s: expected some of the frames, dense", p.Elem, ShapeString(p.Shape), p.Buffer, b)
	}
	s := slices.Clone(b.Shape)
	if s[2] = p.Shape[2]; !slices.Equal(s, p.Shape) {
		return errorf("frames of %s%s arrive one by one, buffer %d is %s", p.Elem, ShapeString(p.Shape), p.Buffer, b)
	}
	return nil
}

func (img *Image) encodeRegions() []byte {
	var w writer
	w.uint(len(img.Regions))
	for _, r := range img.Regions {
		w.uint(r.First)
		w.uint(r.Steps)
		w.uint(r.Feed + 1)
		w.uint(len(r.Stages))
		for _, s := range r.Stages {
			w.uints([]int{s.Len, s.Delay, s.Every, s.Count, s.Bands}, 0)
		}
	}
	return w
}

func (img *Image) readRegions(r *reader) {
	img.Regions = list(r, 4, maxCount, func() Region {
		v := Region{First: r.uint(), Steps: r.uint(), Feed: r.uint() - 1}
		v.Stages = list(r, 6, maxStages, func() Stage {
			n := r.uints(0)
			if len(n) != 5 {
				r.fail("a stage of %d numbers, expected 5", len(n))
				return Stage{}
			}
			return Stage{Len: n[0], Delay: n[1], Every: n[2], Count: n[3], Bands: n[4]}
		})
		return v
	})
	if len(img.Regions) == 0 {
		r.fail("there are no regions")
	}
}
