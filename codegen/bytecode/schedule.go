package bytecode

// schedule says at which steps the stages of a region run, and how many frames of every map are kept for them. Step t is
// when frame t of the region's input is there; without one, it is when stages that need nothing of the region run for the
// t-th time.
func (r *regionBuilder) schedule() {
	for _, s := range r.stages {
		s.pace()
	}
	for _, k := range r.kept {
		k.held = 1
	}
	for _, s := range r.stages {
		if s.store >= 0 {
			k := r.kept[s.root]
			k.held = max(k.held, s.result.Frames)
		}
	}
	for i, s := range r.stages {
		for _, l := range s.loads {
			for run := range s.count {
				lo := max(l.first+run*l.step, 0)
				last := r.written(l.from, i, s.delay+run*s.every)
				l.from.held = max(l.from.held, last-lo+1)
			}
		}
	}
	for _, k := range r.kept {
		k.held = min(k.held, k.frames)
		if k.whole {
			k.held = k.frames
		}
	}
}

// pace fits the steps at which a stage can run.
func (s *stageBuilder) pace() {
	ready := make([]int, s.count)
	for run := range ready {
		for _, l := range s.loads {
			if last := min(l.first+run*l.step+l.n, l.from.frames) - 1; last >= 0 {
				ready[run] = max(ready[run], s.r.available(l.from, last))
			}
		}
	}
	s.every = 1
	if s.count > 1 {
		mid := (s.count - 1) / 2
		s.every = max(ready[mid+1]-ready[mid], 1)
	}
	for run, at := range ready {
		s.delay = max(s.delay, at-run*s.every)
	}
}

// available is the step at which a frame is there.
func (r *regionBuilder) available(k *keptMap, frame int) int {
	if k.stage < 0 {
		return frame
	}
	s := r.stages[k.stage]
	return s.delay + frame/s.result.Frames*s.every
}

// written is the last frame of a map that is there when a stage runs at a step.
func (r *regionBuilder) written(k *keptMap, stage, step int) int {
	if k.stage < 0 {
		return min(step, k.frames-1)
	}
	s := r.stages[k.stage]
	at := step - s.delay
	if k.stage >= stage { // it runs later in the step
		at--
	}
	if at < 0 {
		return -1
	}
	return min((min(at/s.every, s.count-1)+1)*s.result.Frames, k.frames) - 1
}
