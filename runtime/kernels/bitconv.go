package kernels

import (
	"math/bits"
)

// BitConv is the plan of a convolution of a bit map with binary or ternary weights.
type BitConv struct {
	set       *Set
	in, out   Geom
	outElem   Elem
	src       Geom // the geometry that the kernels read
	prep      *prep
	walk      *walk
	masked    int  // 1 when weights have mask bytes
	wide      Elem // Bit: thresholds on counts; I16, I32: on sums of these
	shift     uint
	tileMajor bool
	sumAt     [8]int32    // where the sums of 8 outputs begin in scratch, when wide
	offs      [][][]int32 // [pattern of input bytes][class] offsets of the terms
	inside    []byte      // one channel byte of 0xFF inside the map, for bitInsideLE; nil when not needed
	ioffs     [][]int32   // [class] offsets of the terms in inside, for as many input bytes as a pattern has
	outs      []bitOut    // one for 8 output channels
}

// bitOut is the constants of 8 output channels.
type bitOut struct {
	pattern int
	n       int      // channels
	w       []byte   // terms of a threshold on counts
	chunks  [][]byte // terms of a sum, in pieces that count to 255 at most
	ends    []int    // number of terms of each chunk
	le      [8]uint8 // thresholds on counts
	t       [8]int32 // thresholds on sums
	flip    uint8
	base    [8]int32
}

// NewBitConv plans a convolution of bits. signed says that a bit of in means -1 or +1, else 0 or 1. With th the output is
// bits; with nil it is the sum z in outElem (I8, I16 or I32), which every possible z must fit.
func NewBitConv(set *Set, in, out Geom, c Conv, signed bool, w Weights, th *Threshold, outElem Elem) (*BitConv, error) {
	if set == nil {
		return nil, errNoSet
	}
	switch {
	case th != nil:
		if err := th.check(c.OutC); err != nil {
			return nil, err
		}
		outElem = Bit
	case outElem != I8 && outElem != I16 && outElem != I32:
		return nil, errorf("kernels: sums of a bit convolution as %v, expected i8, i16 or i32", outElem)
	}
	ntaps, err := c.check(in, Bit, out, outElem, w)
	if err != nil {
		return nil, err
	}
	tp, direct, err := newTaps(in, out, c.Kernel, c.Stride, c.Pad, c.Dil)
	if err != nil {
		return nil, err
	}
	p := &BitConv{set: set, in: in, out: out, outElem: outElem, src: in}
	// An exact 0 for the padding of -1 and +1: inside says where the map is; where its kernel does not apply, the
	// complement of the input is stored and counted too.
	padded := signed && tp.outside
	icg := in.C / c.Groups
	w = w.simplify(c.OutC * icg * ntaps)
	inside := padded && th != nil && w.Nonzero == nil && icg%8 == 0 && (c.Groups == 1 || c.OutC/c.Groups%8 == 0) && int64(icg)*int64(ntaps) < 64*8
	complement := padded && !inside
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
	nOut := ceilDiv(c.OutC, 8)
	p.walk = newWalk(p.src, out, 16*block, nOut*out.Phases())
	p.tileMajor = c.Groups == 1
	if signed && !complement {
		p.shift = 1
	}
	if inside {
		p.inside = insideMap(p.src)
	}
	for i := range p.sumAt {
		p.sumAt[i] = int32(i * p.walk.tile)
	}
	b := bitBuilder{p: p, c: c, w: w, ntaps: ntaps, icg: icg, ocg: c.OutC / c.Groups, complement: complement, tp: tp, patterns: map[[2]int]int{}}
	if err := b.build(th); err != nil {
		return nil, err
	}
	return p, nil
}

// insideMap is a map of 8 channels in the layout of g, all ones.
func insideMap(g Geom) []byte {
	g.C = 8
	b := make([]byte, g.Bytes(Bit))
	s := g.strided(Bit)
	for t := range g.T {
		for h := range g.H {
			for rw := range min(g.PW, g.W) {
				row := b[s.row(0, t, h, rw):][:ceilDiv(g.W-rw, g.PW)]
				for i := range row {
					row[i] = 0xFF
				}
			}
		}
	}
	return b
}

// bitBuilder turns canonical weights into the terms of the kernels.
type bitBuilder struct {
	p          *BitConv
	c          Conv
	w          Weights
	ntaps      int
	icg, ocg   int
	complement bool
	tp         *taps
	patterns   map[[2]int]int
	offsets    int64 // offsets of all patterns
}

// terms returns the weight and mask bytes of the terms of output channels 8b.. in the order of the offsets: 16 bytes a term.
func (b *bitBuilder) terms(ob int) (wm []byte, lo, hi int) {
	o1 := min(8*ob+8, b.c.OutC)
	lo = 8 * ob / b.ocg * b.icg / 8
	hi = ceilDiv(((o1-1)/b.ocg+1)*b.icg, 8)
	n := (hi - lo) * b.ntaps
	total := n
	if b.complement {
		total = 2 * n
	}
	wm = make([]byte, 16*total)
	for o := 8 * ob; o < o1; o++ {
		g := o / b.ocg
		if b.ntaps == 1 && b.icg%8 == 0 && b.w.Nonzero == nil { // whole bytes
			for i, v := range b.w.Sign[o*b.icg/8:][:b.icg/8] {
				row := wm[(g*b.icg/8+i-lo)*16+o%8:]
				row[0], row[8] = v, 0xFF
			}
			continue
		}
		for ci := range b.icg {
			ch := g*b.icg + ci
			bit := byte(1) << (ch % 8)
			row := wm[(ch/8-lo)*b.ntaps*16+o%8:]
			idx := (o*b.icg + ci) * b.ntaps
			for k := range b.ntaps {
				if b.w.nonzero(idx + k) {
					row[k*16+8] |= bit
					if b.w.sign(idx + k) {
						row[k*16] |= bit
					}
				}
			}
		}
	}
	if b.complement { // z = sum of w*x - sum of w*(1-x) inside the map
		for i := range wm[:n*16] {
			if i%16 < 8 {
				m := wm[i+8]
				wm[n*16+i], wm[n*16+i+8] = ^wm[i]&m, m
			}
		}
	}
	return wm, lo, hi
}

// pattern returns the index of the offsets for input bytes lo to hi.
func (b *bitBuilder) pattern(lo, hi int) (int, error) {
	key := [2]int{lo, hi}
	if i, ok := b.patterns[key]; ok {
		return i, nil
	}
	p := b.p
	if b.offsets += int64(hi-lo) * int64(b.ntaps) * int64(len(p.walk.classes)); b.offsets > maxTerms {
		return 0, errorf("kernels: a bit convolution with more than %d different terms is not supported", maxTerms)
	}
	g := p.src
	planes := ceilDiv(p.in.C, 8) * g.Phases()
	var perClass [][]int32
	for i := range p.walk.classes {
		var offs []int32
		for half := range 2 {
			if half == 1 && !b.complement {
				break
			}
			for byt := lo; byt < hi; byt++ {
				b.tp.eachTap(g, &p.walk.classes[i], func(_, phase, off int) {
					offs = append(offs, int32(g.Plane(half*planes+byt*g.Phases()+phase)+off))
				})
			}
		}
		perClass = append(perClass, offs)
	}
	if p.offs = append(p.offs, perClass); p.inside != nil && p.ioffs == nil { // all patterns have as many bytes
		for i := range p.walk.classes {
			var offs []int32
			for range hi - lo {
				b.tp.eachTap(g, &p.walk.classes[i], func(_, phase, off int) {
					offs = append(offs, int32(g.Plane(phase)+off))
				})
			}
			p.ioffs = append(p.ioffs, offs)
		}
	}
	b.patterns[key] = len(p.offs) - 1
	return len(p.offs) - 1, nil
}

func (b *bitBuilder) build(th *Threshold) error {
	p := b.p
	all := make([][]byte, ceilDiv(b.c.OutC, 8))
	stats := make([][8]bitStat, len(all))
	p.outs = make([]bitOut, len(all))
	wide := false
	for ob := range p.outs {
		wm, lo, hi := b.terms(ob)
		all[ob] = wm
		o := &p.outs[ob]
		o.n = min(8, b.c.OutC-8*ob)
		var err error
		if o.pattern, err = b.pattern(lo, hi); err != nil {
			return err
		}
		for i := 0; i < len(wm) && p.masked == 0; i += 16 {
			real := validBits(p.in.C, lo+i/16/b.ntaps%(hi-lo))
			for _, m := range wm[i+8 : i+8+o.n] {
				if m != real {
					p.masked = 1
					break
				}
			}
		}
		for i := range o.n {
			st, err := b.stat(wm, i, 8*ob+i)
			if err != nil {
				return err
			}
			stats[ob][i] = st
			o.base[i] = int32(st.base)
			if th == nil {
				if st.lo < int64(minOf(p.outElem)) || st.hi > int64(maxOf(p.outElem)) {
					return errorf("kernels: output channel %d ranges from %d to %d, more than %v holds: use a wider element", 8*ob+i, st.lo, st.hi, p.outElem)
				}
				continue
			}
			if le := st.le(th.T[8*ob+i], p.shift); le > 254 && le < st.nz && st.nz-le-1 > 254 {
				wide = true
			}
		}
	}
	if wide {
		p.wide = I16
		for ob := range stats {
			for _, st := range stats[ob] {
				if st.lo < int64(minOf(I16)) || st.hi > int64(maxOf(I16)) {
					p.wide = I32
				}
			}
		}
	}
	for ob := range p.outs {
		o, wm := &p.outs[ob], all[ob]
		switch {
		case th == nil:
		case wide:
			b.compareSums(o, ob, &stats[ob], th)
		default:
			b.compareCounts(o, ob, &stats[ob], th, wm)
		}
		if th != nil && !wide {
			o.w = p.set.packBit[p.masked](wm)
			continue
		}
		for len(wm) > 0 {
			n := chunk(wm)
			o.chunks = append(o.chunks, p.set.packBit[p.masked](wm[:n]))
			o.ends = append(o.ends, n/16)
			wm = wm[n:]
		}
	}
	return nil
}

// chunk returns the length of the longest start of wm in which no output can count beyond 255.
func chunk(wm []byte) int {
	var n [8]int
	for i := 0; i < len(wm); i += 16 {
		for o := range n {
			if n[o] += bits.OnesCount8(wm[i+8+o]); n[o] > 255 {
				return i
			}
		}
	}
	return len(wm)
}

// bitStat is what the weights of an output channel say: z = base - d<<shift with 0 <= d <= nz, and lo <= z <= hi.
type bitStat struct{ base, nz, lo, hi int64 }

// le is the largest count at which z >= t.
func (s bitStat) le(t int32, shift uint) int64 { return (s.base - int64(t)) >> shift }

func (b *bitBuilder) stat(wm []byte, i, ch int) (bitStat, error) {
	var pos, nz int64
	for t := i; t < len(wm); t += 16 {
		pos += int64(bits.OnesCount8(wm[t]))
		nz += int64(bits.OnesCount8(wm[t+8]))
	}
	if nz >= 1<<29 {
		return bitStat{}, errorf("kernels: output channel %d sums %d weights, more than are supported", ch, nz)
	}
	s := bitStat{base: pos, nz: nz, lo: pos - nz, hi: pos}
	switch {
	case b.p.shift == 1:
		s.base, s.lo, s.hi = nz, -nz, nz
	case b.complement: // every weight counts for a position or for its complement, never for both
		s.lo, s.hi = -nz/2, nz/2
	}
	return s, nil
}

// compareSums sets the thresholds of 8 outputs on sums.
func (b *bitBuilder) compareSums(o *bitOut, ob int, st *[8]bitStat, th *Threshold) {
	for i := range 8 {
		never := i >= o.n
		flip := false
		o.t[i] = int32(minOf(b.p.wide))
		if i < o.n {
			t := th.T[8*ob+i]
			flip = th.flip(8*ob + i)
			never = int64(t) > st[i].hi
			if !never && int64(t) > st[i].lo {
				o.t[i] = t
			}
		}
		if flip != never {
			o.flip |= 1 << i
		}
	}
}

// compareCounts sets the bounds of 8 outputs on counts. A count that saturates 8 bits is avoided by complementing the
// weights wm of that channel: d <= le becomes not d' <= nz-le-1.
func (b *bitBuilder) compareCounts(o *bitOut, ob int, st *[8]bitStat, th *Threshold, wm []byte) {
	for i := range 8 {
		invert := i >= o.n
		flip := false
		o.le[i] = 255 // always
		if i < o.n {
			flip = th.flip(8*ob + i)
			nz := st[i].nz
			switch le := st[i].le(th.T[8*ob+i], b.p.shift); {
			case le < 0:
				invert = true
			case le >= nz:
			case le <= 254:
				o.le[i] = uint8(le)
			default:
				o.le[i], invert = uint8(nz-le-1), true
				for t := i; t < len(wm); t += 16 {
					wm[t] ^= wm[t+8]
				}
			}
		}
		if flip != invert {
			o.flip |= 1 << i
		}
	}
}

// Stages is the number of stages of Run.
func (p *BitConv) Stages() int { return p.prep.stages() + 1 }

// tileBytes is the scratch of one part.
func (p *BitConv) tileBytes() int {
	n := 0
	if p.wide != Bit {
		n += 8 * p.walk.tile * p.wide.Size()
	}
	if !p.walk.direct {
		if p.outElem == Bit {
			n += p.walk.tile
		} else {
			n += 8 * p.walk.tile * p.outElem.Size()
		}
	}
	return n
}

// Scratch is the number of scratch bytes that Run needs with this many parts.
func (p *BitConv) Scratch(parts int) int { return p.prep.bytes() + parts*p.tileBytes() }

// Run computes one part of a stage.
func (p *BitConv) Run(stage, part, parts int, dst, src, scratch []byte) {
	dst, src = dst[:p.out.Bytes(p.outElem)], src[:p.in.Bytes(Bit)]
	if p.prep != nil {
		if stage == 0 {
			p.prep.run(part, parts, scratch, src)
			return
		}
		src = scratch[:p.prep.bytes()]
	}
	if part == 0 {
		clearEnds(dst, p.out, p.outElem)
	}
	scratch = scratch[p.prep.bytes()+part*p.tileBytes():][:p.tileBytes()]
	units, tiles := len(p.outs)*len(p.walk.classes), p.walk.tiles()
	lo, hi := share(units*tiles, part, parts)
	for i := lo; i < hi; i++ {
		unit, tile := i/tiles, i%tiles
		if p.tileMajor {
			unit, tile = i%units, i/units
		}
		o, c := unit/len(p.walk.classes), unit%len(p.walk.classes)
		if p.outElem == Bit {
			p.tileBits(o, c, tile, dst, src, scratch)
		} else {
			p.tileInts(o, c, tile, dst, src, scratch)
		}
	}
}

func (p *BitConv) tileBits(ob, cl, tile int, dst, src, scratch []byte) {
	o, c, pl := &p.outs[ob], &p.walk.classes[cl], p.walk.at(tile)
	plane := p.walk.planeOf(dst, ob*len(p.walk.classes)+cl, 1)
	mask := p.walk.mask(c, pl)
	offs := p.offs[o.pattern][cl]
	src = src[pl.start:]
	if p.wide == Bit {
		to := p.walk.target(plane, scratch, 1, pl)
		if p.inside != nil {
			p.set.bitInsideLE(to, src, mask, p.inside[pl.start:], offs, p.ioffs[cl], o.w, &o.le, o.flip)
		} else {
			p.set.bitLE[p.masked](to, src, mask, offs, o.w, &o.le, o.flip)
		}
		p.walk.finish(plane, to, 1, c, pl)
		return
	}
	e := p.wide.Size()
	sums := scratch[:8*p.walk.tile*e]
	to := p.walk.target(plane, scratch[len(sums):], 1, pl)
	p.sum(o, p.wide, sums, p.walk.tile*e, 8, src, mask, offs)
	p.set.threshold[p.wide-I16](to, sums, mask, &p.sumAt, &o.t, o.flip)
	p.walk.finish(plane, to, 1, c, pl)
}

// sum writes the sums of outs outputs, chunk by chunk.
func (p *BitConv) sum(o *bitOut, e Elem, dst []byte, stride, outs int, src, mask []byte, offs []int32) {
	for i, w := range o.chunks {
		n := o.ends[i]
		p.set.bitInt[p.masked][e-I8](dst, stride, outs, src, mask, offs[:n], w, &o.base, p.shift, i > 0)
		offs = offs[n:]
	}
}

func (p *BitConv) tileInts(ob, cl, tile int, dst, src, scratch []byte) {
	o, c, pl := &p.outs[ob], &p.walk.classes[cl], p.walk.at(tile)
	e := p.outElem.Size()
	phases := len(p.walk.classes)
	mask := p.walk.mask(c, pl)
	offs := p.offs[o.pattern][cl]
	if p.walk.direct {
		p.sum(o, p.outElem, p.walk.from(dst, 8*ob*phases+cl, e, pl), p.walk.plane*phases*e, o.n, src[pl.start:], mask, offs)
	} else {
		p.sum(o, p.outElem, scratch, p.walk.tile*e, o.n, src[pl.start:], mask, offs)
	}
	for i := range o.n {
		plane := p.walk.planeOf(dst, (8*ob+i)*phases+cl, e)
		tileOf := plane
		if !p.walk.direct {
			tileOf = scratch[i*p.walk.tile*e:]
		}
		p.walk.finish(plane, tileOf, e, c, pl)
	}
}
