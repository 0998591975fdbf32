package bytecode

// schedule says at which steps the stages of a region run their bands, and how many rows of every map are kept for them. There
// are as many steps from frame to frame as the stage with the most bands has, so that stages take turns within a frame and
// little lies between them. Frame t of the region's input is there from step t*pace on.
func (r *regionBuilder) schedule() {
	r.pace = 1
	for _, s := range r.stages {
		r.pace = max(r.pace, s.bands)
	}
	frames := 0
	for _, s := range r.stages {
		frames = max(frames, s.count*s.result.Frames)
	}
	if r.feed >= 0 {
		frames = max(frames, r.img.Inputs[r.feed].Shape[2])
	}
	if 2*r.pace*frames > maxSteps {
		r.pace = 1
	}
	for _, s := range r.stages {
		s.fit(r.pace * frames)
	}
	for _, k := range r.kept {
		k.held = 1
	}
	for _, s := range r.stages {
		if s.store >= 0 {
			k := r.kept[s.root]
			k.held = max(k.held, (s.result.Frames-1)*k.rows+s.result.Rows)
		}
	}
	for i, s := range r.stages {
		for _, l := range s.loads {
			for run := range s.count {
				for band := range s.bands {
					rows, ok := l.at(run, band)
					if last := r.written(l.from, i, s.step(run, band)); ok && last >= rows.first {
						l.from.held = max(l.from.held, last-rows.first+1)
					}
				}
			}
		}
	}
	for _, k := range r.kept {
		k.held = min(k.held, k.frames*k.rows)
		if k.whole {
			k.held = k.frames * k.rows
		}
	}
}

// maxSteps is a limit of the format.
const maxSteps = 1 << 16

// step is when a band of a run is due.
func (s *stageBuilder) step(run, band int) int {
	return s.delay + run*s.every[0] + band*s.every[1]
}

// rowRange is rows of a map, of which row h of frame t is number t*rows + h.
type rowRange struct{ first, last int }

// at is what a load reads of its map; false where all of it is outside.
func (l *load) at(run, band int) (rowRange, bool) {
	var lo, hi [2]int
	for a, size := range [2]int{l.from.frames, l.from.rows} {
		first := l.first[a] + [2]int{run, band}[a]*l.step[a]
		if lo[a], hi[a] = max(first, 0), min(first+l.n[a], size)-1; lo[a] > hi[a] {
			return rowRange{}, false
		}
	}
	return rowRange{lo[0]*l.from.rows + lo[1], hi[0]*l.from.rows + hi[1]}, true
}

// fit finds the steps at which a stage can run: what it reads is there, and from run to run and band to band as many steps pass
// as in the middle of the maps. Bands that could all run at once are spread over the run. total is that of the region's steps without what passes in front of and behind them.
func (s *stageBuilder) fit(total int) {
	ready := make([][]int, s.count)
	reads := false
	for run := range ready {
		ready[run] = make([]int, s.bands)
		for band := range ready[run] {
			for _, l := range s.loads {
				reads = true
				if rows, ok := l.at(run, band); ok {
					ready[run][band] = max(ready[run][band], s.r.available(l.from, rows.last))
				}
			}
		}
	}
	run, band := (s.count-1)/2, (s.bands-1)/2
	s.every = [2]int{max(total/s.count, 1), 0}
	if s.count > 1 && reads {
		s.every[0] = max(ready[run+1][band]-ready[run][band], 1)
	}
	if s.bands > 1 {
		s.every[1] = s.every[0] / s.bands
		if steps := ready[run][band+1] - ready[run][band]; steps > 0 {
			s.every[1] = min(steps, (s.every[0]-1)/(s.bands-1))
		}
	}
	for run := range ready {
		for band, at := range ready[run] {
			s.delay = max(s.delay, at-run*s.every[0]-band*s.every[1])
		}
	}
}

// available is the step at which a row is there.
func (r *regionBuilder) available(k *keptMap, row int) int {
	frame, row := row/k.rows, row%k.rows
	if k.stage < 0 {
		return frame * r.pace
	}
	s := r.stages[k.stage]
	return s.step(frame/s.result.Frames, s.lead+row/s.result.Rows)
}

// written is the last row of a map that is kept when a stage runs at a step, -1 for none.
func (r *regionBuilder) written(k *keptMap, stage, step int) int {
	if k.stage < 0 { // the frame that is there is no kept one
		return min(step/r.pace, k.frames-1)*k.rows - 1
	}
	s := r.stages[k.stage]
	at := step - s.delay
	if k.stage >= stage { // it runs later in the step
		at--
	}
	if at < 0 {
		return -1
	}
	run := min(at/s.every[0], s.count-1)
	band := s.bands - 1
	if s.every[1] > 0 {
		band = min((at-run*s.every[0])/s.every[1], band)
	}
	rows := min(max(band+1-s.lead, 0)*s.result.Rows, k.rows)
	return min((run*s.result.Frames+s.result.Frames-1)*k.rows+rows, k.frames*k.rows) - 1
}
