package kernels

import (
	"encoding/binary"
)

// Pool is the plan of a pool of a bit map: max pooling is OR, and AND is the pool of a threshold that was moved in front
// of a max pool of negated values. Padding takes no part in either.
type Pool struct {
	set       *Set
	in, out   Geom
	src       Geom
	prep      *prep
	walk      *walk
	offs      [][]int32 // [class] for channel byte 0
	pre, post uint8
	first     int // where the first source plane is, counted from the first plane of the map
	step      int // from one channel byte of the source to the next
}

func poolGeneric(dst, src, mask []byte, offs []int32, pre, post uint8) {
	const ones = 0x0101010101010101
	a, b := uint64(pre)*ones, uint64(post)*ones
	for p := 0; p < len(mask); p += 8 {
		var acc uint64
		for _, off := range offs {
			acc |= binary.LittleEndian.Uint64(src[int(off)+p:]) ^ a
		}
		binary.LittleEndian.PutUint64(dst[p:], (acc^b)&binary.LittleEndian.Uint64(mask[p:]))
	}
}

// NewPool plans an OR pool, or an AND pool, of a bit map. pad is the padding before the first element; what follows the
// last is implied by the size of the output.
func NewPool(set *Set, in, out Geom, and bool, kernel, stride, pad, dil [3]int) (*Pool, error) {
	if set == nil {
		return nil, errNoSet
	}
	if err := checkMaps(in, Bit, out, Bit); err != nil {
		return nil, err
	}
	if in.C != out.C {
		return nil, errorf("kernels: pool of %d channels into a map of %d", in.C, out.C)
	}
	if _, err := kernelSize(kernel, out); err != nil {
		return nil, err
	}
	tp, direct, err := newTaps(in, out, kernel, stride, pad, dil)
	if err != nil {
		return nil, err
	}
	p := &Pool{set: set, in: in, out: out, src: in}
	complement := and && tp.outside
	if direct {
		if err := tp.checkHalo(in); err != nil {
			return nil, err
		}
	} else {
		p.src = tp.source(in, out)
	}
	if !direct || complement {
		if p.prep, err = newPrep(set, in, p.src, Bit, complement); err != nil {
			return nil, err
		}
	}
	// AND of x is NOT OR of NOT x. With padding, NOT x is the stored complement, which is 0 outside the map.
	if and {
		p.post = 0xFF
		if complement {
			p.first = p.src.Planes(Bit) * p.src.PlaneStride()
		} else {
			p.pre = 0xFF
		}
	}
	p.step = p.src.Phases() * p.src.PlaneStride()
	p.walk = newWalk(p.src, out, 16*block, out.Planes(Bit))
	for i := range p.walk.classes {
		var offs []int32
		tp.eachTap(p.src, &p.walk.classes[i], func(_, phase, off int) {
			offs = append(offs, int32(p.src.Plane(phase)+off))
		})
		p.offs = append(p.offs, offs)
	}
	return p, nil
}

// Stages is the number of stages of Run.
func (p *Pool) Stages() int { return p.prep.stages() + 1 }

// Scratch is the number of scratch bytes that Run needs with this many parts.
func (p *Pool) Scratch(parts int) int { return p.prep.bytes() + parts*p.tileBytes() }

func (p *Pool) tileBytes() int {
	if p.walk.direct {
		return 0
	}
	return p.walk.tile
}

// Run computes one part of a stage.
func (p *Pool) Run(stage, part, parts int, dst, src, scratch []byte) {
	dst, src = dst[:p.out.Bytes(Bit)], src[:p.in.Bytes(Bit)]
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
		ch, cl := plane/phases, plane%phases
		c := &p.walk.classes[cl]
		to := p.walk.planeOf(dst, plane, 1)
		valid := validBits(p.out.C, ch)
		from := src[p.first+ch*p.step+pl.start:]
		tile := p.walk.target(to, scratch, 1, pl)
		p.set.pool(tile, from, p.walk.mask(c, pl), p.offs[cl], p.pre&valid, p.post&valid)
		p.walk.finish(to, tile, 1, c, pl)
	}
}
