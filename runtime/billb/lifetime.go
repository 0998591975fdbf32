package billb

// Lifetime is from which instruction to which a buffer is used: -1 is in front of the
// first, the number of instructions behind the last. First is above Last where nothing
// uses it.
type Lifetime struct{ First, Last int }

// Lifetimes is that of every buffer. What a region keeps from stage to stage, or takes
// from in front of it, it uses from its first instruction to its last.
func (img *Image) Lifetimes() []Lifetime {
	lives := make([]Lifetime, len(img.Buffers))
	for b := range lives {
		lives[b] = Lifetime{len(img.Code), -1}
	}
	touch := func(b, from, to int) {
		if b >= 0 {
			lives[b].First, lives[b].Last = min(lives[b].First, from), max(lives[b].Last, to)
		}
	}
	fed, taker := img.Fed()
	for i, p := range img.Inputs {
		if i == fed {
			touch(p.Buffer, taker.First, taker.End()-1)
		} else {
			touch(p.Buffer, -1, -1)
		}
	}
	for i, in := range img.Code {
		for _, b := range in.In {
			touch(b, i, i)
		}
		for _, b := range in.Out {
			touch(b, i, i)
		}
	}
	for _, p := range img.Outputs {
		touch(p.Buffer, len(img.Code), len(img.Code))
	}
	for _, s := range img.States {
		touch(s.From, -1, len(img.Code))
		touch(s.To, len(img.Code), len(img.Code))
	}
	for i := range img.Regions {
		r := &img.Regions[i]
		from := r.First
		for _, s := range r.Stages {
			to := from + s.Len - 1
			for k := from; k <= to; k++ {
				in := &img.Code[k]
				for _, ids := range [][]int{in.In, in.Out} {
					for _, b := range ids {
						if b >= 0 && (lives[b].First < from || lives[b].Last > to || in.Op.Keeps() && b == in.Out[0]) {
							touch(b, r.First, r.End()-1)
						}
					}
				}
			}
			from += s.Len
		}
	}
	return lives
}
