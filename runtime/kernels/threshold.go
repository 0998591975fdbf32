package kernels

// ThresholdMap is the plan that compares an integer map with a threshold per channel.
type ThresholdMap struct {
	set     *Set
	in, out Geom
	elem    Elem
	src     Geom
	prep    *prep
	walk    *walk
	outs    []thresholdOut
}

type thresholdOut struct {
	offs [][8]int32 // [class]
	t    [8]int32
	flip uint8
}

// NewThreshold plans bit = (x >= T[c]) xor flip for a map of I16 or I32.
func NewThreshold(set *Set, in Geom, inElem Elem, out Geom, th *Threshold) (*ThresholdMap, error) {
	switch {
	case set == nil:
		return nil, errNoSet
	case inElem != I16 && inElem != I32:
		return nil, errorf("kernels: threshold of %v, expected i16 or i32", inElem)
	case th == nil:
		return nil, errorf("kernels: no thresholds")
	}
	if err := checkPair(in, inElem, out, Bit); err != nil {
		return nil, err
	}
	if err := th.check(out.C); err != nil {
		return nil, err
	}
	one := [3]int{1, 1, 1}
	tp, direct, err := newTaps(in, out, one, one, [3]int{}, one)
	if err != nil {
		return nil, err
	}
	p := &ThresholdMap{set: set, in: in, out: out, elem: inElem, src: in}
	if !direct {
		p.src = tp.source(in, out)
		if p.prep, err = newPrep(set, in, p.src, inElem, false); err != nil {
			return nil, err
		}
	}
	p.walk = newWalk(p.src, out, 16*block, out.Planes(Bit))
	p.outs = make([]thresholdOut, ceilDiv(out.C, 8))
	for b := range p.outs {
		o := &p.outs[b]
		for i := range 8 {
			c := 8*b + i
			o.t[i] = int32(minOf(inElem)) // always
			flip := c >= out.C
			if c < out.C {
				flip = th.flip(c)
				if t := int(th.T[c]); t > maxOf(inElem) {
					flip = !flip
				} else if t > minOf(inElem) {
					o.t[i] = int32(t)
				}
			}
			if flip {
				o.flip |= 1 << i
			}
		}
		for i := range p.walk.classes {
			var offs [8]int32
			tp.eachTap(p.src, &p.walk.classes[i], func(_, phase, off int) {
				for j := range offs {
					offs[j] = int32(p.src.Plane(min(8*b+j, out.C-1)*p.src.Phases()+phase) + off)
				}
			})
			o.offs = append(o.offs, offs)
		}
	}
	return p, nil
}

// Stages is the number of stages of Run.
func (p *ThresholdMap) Stages() int { return p.prep.stages() + 1 }

// Scratch is the number of scratch bytes that Run needs with this many parts.
func (p *ThresholdMap) Scratch(parts int) int { return p.prep.bytes() + parts*p.tileBytes() }

func (p *ThresholdMap) tileBytes() int {
	if p.walk.direct {
		return 0
	}
	return p.walk.tile
}

// Run computes one part of a stage.
func (p *ThresholdMap) Run(stage, part, parts int, dst, src, scratch []byte) {
	dst, src = dst[:p.out.Bytes(Bit)], src[:p.in.Bytes(p.elem)]
	if p.prep != nil {
		if stage == 0 {
			p.prep.run(part, parts, scratch, src)
			return
		}
		src = scratch[:p.prep.bytes()]
	}
	if part == 0 {
		clearEnds(dst, p.out, Bit)
	}
	scratch = scratch[p.prep.bytes()+part*p.tileBytes():][:p.tileBytes()]
	tiles, phases := p.walk.tiles(), len(p.walk.classes)
	lo, hi := share(p.out.Planes(Bit)*tiles, part, parts)
	for i := lo; i < hi; i++ {
		plane, pl := i/tiles, p.walk.at(i%tiles)
		o, cl := &p.outs[plane/phases], plane%phases
		c := &p.walk.classes[cl]
		to := p.walk.planeOf(dst, plane, 1)
		tile := p.walk.target(to, scratch, 1, pl)
		p.set.threshold[p.elem-I16](tile, src[pl.start*p.elem.Size():], p.walk.mask(c, pl), &o.offs[cl], &o.t, o.flip)
		p.walk.finish(to, tile, 1, c, pl)
	}
}
