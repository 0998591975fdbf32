package kernels

import (
	"math"
	"slices"
)

// IntConv is the plan of a convolution of an integer map with binary or ternary weights.
//
// Input planes are bundled by up to 4. A work item makes the signed sums of the bundles of a job over a tile of positions
// and what the taps reach around it, in scratch small enough to stay in cache, and then accumulates 8 outputs at a time.
type IntConv struct {
	set                  *Set
	in, out              Geom
	inElem, acc, outElem Elem
	src                  Geom
	prep                 *prep
	walk                 *walk
	jobs                 []intJob
	sumElems             int // elements of sums of one part
	fits                 int // 1 where no sum leaves its width: see Set.sums
}

// intJob is a range of outputs, from a multiple of 8 on, that read the same sums.
type intJob struct {
	first   int
	bundles []bundle
	outs    [][]intOut // [class][byte of 8 outputs]
}

// bundle is up to 4 input planes and the ranges of positions, relative to the tile, in which the taps read their sums.
type bundle struct {
	segs   []segment
	at     int // element of S_0 in the sums
	stride int // elements from S_k to S_k+1
}

// segment covers the taps with offsets lo to hi.
type segment struct {
	lo, hi, at int
	offs       []int32 // of the planes, at lo
}

// intOut is the terms and constants of 8 outputs.
type intOut struct {
	n       int
	terms   []int32
	init, t [8]int32
	mid     [8]int32 // what init took off the sum
	flip    uint8
}

// NewIntConv plans a convolution of integers. accElem (I16 or I32) is the width of the sums: they may wrap on the way as
// long as each output z stays within the promised lo[o] <= z <= hi[o], and hi-lo fits accElem. With th the output is bits;
// with nil it is z in outElem (I8, I16 or I32), which must hold lo to hi.
func NewIntConv(set *Set, in Geom, inElem Elem, out Geom, c Conv, w Weights, accElem Elem, lo, hi []int32, th *Threshold, outElem Elem) (*IntConv, error) {
	switch {
	case set == nil:
		return nil, errNoSet
	case inElem == Bit || inElem > I32:
		return nil, errorf("kernels: integer convolution of %v, expected u8, i8, i16 or i32", inElem)
	case accElem != I16 && accElem != I32:
		return nil, errorf("kernels: sums in %v, expected i16 or i32", accElem)
	case th != nil:
		if err := th.check(c.OutC); err != nil {
			return nil, err
		}
		outElem = Bit
	case outElem != I8 && outElem != I16 && outElem != I32:
		return nil, errorf("kernels: output of an integer convolution as %v, expected i8, i16 or i32", outElem)
	}
	ntaps, err := c.check(in, inElem, out, outElem, w)
	if err != nil {
		return nil, err
	}
	if len(lo) != c.OutC || len(hi) != c.OutC {
		return nil, errorf("kernels: ranges of %d and %d channels, expected %d", len(lo), len(hi), c.OutC)
	}
	for o := range lo {
		switch {
		case lo[o] > hi[o]:
			return nil, errorf("kernels: output channel %d has the empty range %d to %d", o, lo[o], hi[o])
		case accElem == I16 && int64(hi[o])-int64(lo[o]) > 1<<16-1:
			return nil, errorf("kernels: output channel %d ranges from %d to %d, more than 16 bits: use i32 sums", o, lo[o], hi[o])
		case th == nil && (int(lo[o]) < minOf(outElem) || int(hi[o]) > maxOf(outElem)):
			return nil, errorf("kernels: output channel %d ranges from %d to %d, more than %v holds: use a wider element", o, lo[o], hi[o], outElem)
		}
	}
	tp, direct, err := newTaps(in, out, c.Kernel, c.Stride, c.Pad, c.Dil)
	if err != nil {
		return nil, err
	}
	p := &IntConv{set: set, in: in, out: out, inElem: inElem, acc: accElem, outElem: outElem, src: in}
	if direct {
		if err := tp.checkHalo(in); err != nil {
			return nil, err
		}
	} else {
		p.src = tp.source(in, out)
		if p.prep, err = newPrep(set, in, p.src, inElem, false); err != nil {
			return nil, err
		}
	}
	b := intBuilder{p: p, c: c, w: w, tp: tp, ntaps: ntaps, icg: in.C / c.Groups, ocg: c.OutC / c.Groups, size: 4}
	if b.w = w.simplify(c.OutC * b.icg * ntaps); b.w.Nonzero != nil { // a sum of several planes can not leave one out
		b.size = 1
	}
	b.zeros = c.Kernel == [3]int{1, 1, 1} && c.Pad == [3]int{} && tp.covers(in, out)
	if err := b.build(lo, hi, th); err != nil {
		return nil, err
	}
	return p, nil
}

// intBuilder turns canonical weights into bundles and terms.
type intBuilder struct {
	p        *IntConv
	c        Conv
	w        Weights
	tp       *taps
	ntaps    int
	icg, ocg int
	size     int           // planes of a bundle
	zeros    bool          // positions between logical ones read zeros only
	reads    [][]read      // [class][tap]
	offsets  map[int][]int // the offsets read of a phase, sorted
	phases   []int         // the phases read, sorted

	lists [2][]int32 // memory of output
}

type read struct{ phase, off int }

// jobSize is the number of outputs of a job: whole groups and whole bytes, unless that is everything.
func (b *intBuilder) jobSize() int {
	n := b.ocg
	for n%8 != 0 && n < b.c.OutC {
		n += b.ocg
	}
	return min(n, b.c.OutC)
}

func (b *intBuilder) build(lo, hi []int32, th *Threshold) error {
	p := b.p
	size := b.jobSize()
	jobs := ceilDiv(b.c.OutC, size)
	b.collect()
	groups := size / b.ocg
	if terms := int64(b.c.OutC) * int64(ceilDiv(b.icg, b.size)) * int64(b.ntaps); terms > maxTerms || terms*int64(p.out.Phases()) > maxTerms {
		return errorf("kernels: an integer convolution with more than %d terms is not supported", maxTerms)
	}
	tile := b.tile(groups, size)
	p.walk = newWalk(p.src, p.out, tile, jobs)
	if littleEndian && (p.inElem <= I16 || p.acc == I32) { // sums that leave their width carry to later positions only
		p.fits = 1
	}
	p.jobs = make([]intJob, jobs)
	for j := range p.jobs {
		job := &p.jobs[j]
		job.first = j * size
		b.job(job, min(job.first+size, b.c.OutC), lo, hi, th)
	}
	return nil
}

// collect lists what the taps of each class read.
func (b *intBuilder) collect() {
	b.offsets = map[int][]int{}
	o := b.p.out
	for rt := range o.PT {
		for rh := range o.PH {
			for rw := range o.PW {
				var taps []read
				b.tp.eachTap(b.p.src, &class{rt: rt, rh: rh, rw: rw}, func(_, phase, off int) {
					taps = append(taps, read{phase, off})
					b.offsets[phase] = append(b.offsets[phase], off)
				})
				b.reads = append(b.reads, taps)
			}
		}
	}
	for phase, offs := range b.offsets {
		slices.Sort(offs)
		b.offsets[phase] = slices.Compact(offs)
		b.phases = append(b.phases, phase)
	}
	slices.Sort(b.phases)
}

// segments splits the sorted offsets of a phase where the tile leaves a gap.
func segments(offs []int, tile int) []segment {
	var segs []segment
	at := 0
	for i, q := range offs {
		if i > 0 && q-segs[len(segs)-1].hi <= tile {
			segs[len(segs)-1].hi = q
			continue
		}
		segs = append(segs, segment{lo: q, hi: q})
	}
	for i := range segs {
		segs[i].at = at
		at += roundUp(tile+segs[i].hi-segs[i].lo, block)
	}
	return segs
}

// spanOf is the number of elements of all segments of a phase.
func spanOf(segs []segment, tile int) int {
	last := segs[len(segs)-1]
	return last.at + roundUp(tile+last.hi-last.lo, block)
}

// tile chooses the positions of a work item by an estimate of its cost: making the sums, also those around the tile; using
// them, which is dearer the less they fit a cache; and the calls. Cache sizes are in bytes.
func (b *intBuilder) tile(groups, outs int) int {
	const near, far = 40 << 10, 768 << 10
	slope := 0.15 // each output byte reads the sums anew
	if outs <= 8 {
		slope = 0.03
	}
	planes := float64(groups * ceilDiv(b.icg, b.size))
	best, bestCost := block, math.Inf(1)
	for tile := block; tile <= 1<<15; tile *= 2 {
		span := 0
		for _, ph := range b.phases {
			span += spanOf(segments(b.offsets[ph], tile), tile)
		}
		sums := planes * float64(span) * float64(int(1)<<(b.size-1))
		bytes := sums * float64(b.p.acc.Size())
		factor := 1 + slope*max(0, math.Log2(bytes/near))
		if bytes > far {
			factor *= 1.3
		}
		use := float64(outs) * planes / float64(groups) * float64(b.ntaps*b.p.out.Phases()*tile)
		cost := (2.5*sums + factor*use) / float64(tile) * (1 + 16/float64(tile))
		if cost < bestCost {
			best, bestCost = tile, cost
		}
	}
	return best
}

// job makes the bundles and the terms of outputs job.first to end-1.
func (b *intBuilder) job(job *intJob, end int, lo, hi []int32, th *Threshold) {
	p := b.p
	tile := p.walk.tile
	g0, g1 := job.first/b.ocg, (end-1)/b.ocg+1
	perGroup := ceilDiv(b.icg, b.size)
	at := 0
	index := map[[2]int]int{} // first channel and phase -> bundle
	for g := g0; g < g1; g++ {
		for q := range perGroup {
			c0 := g*b.icg + q*b.size
			n := min(b.size, (g+1)*b.icg-c0)
			for _, ph := range b.phases {
				bu := bundle{segs: segments(b.offsets[ph], tile), at: at}
				bu.stride = spanOf(bu.segs, tile)
				for i := range bu.segs {
					for c := c0; c < c0+n; c++ {
						bu.segs[i].offs = append(bu.segs[i].offs, int32(p.src.Plane(c*p.src.Phases()+ph)+bu.segs[i].lo))
					}
				}
				at += bu.stride << (n - 1)
				index[[2]int{c0, ph}] = len(job.bundles)
				job.bundles = append(job.bundles, bu)
			}
		}
	}
	p.sumElems = max(p.sumElems, at)
	for cl := range b.reads {
		var outs []intOut
		var taps []tapSums
		group := -1
		for o := job.first; o < end; o += 8 {
			io := intOut{n: min(8, end-o), terms: make([]int32, 0, 8*(1+2*perGroup*b.ntaps))}
			for i := range 8 {
				if i >= io.n { // never
					io.terms = append(io.terms, 0)
					io.flip |= 1 << i
					continue
				}
				if !b.compare(&io, i, int64(lo[o+i]), int64(hi[o+i]), th, o+i) {
					io.terms = append(io.terms, 0)
					continue
				}
				if g := (o + i) / b.ocg; g != group {
					group, taps = g, b.tapSums(job, g, cl, index)
				}
				terms := b.output(&io, i, o+i, taps)
				if !b.fits(&io, i, terms, int64(lo[o+i]), int64(hi[o+i])) {
					p.fits = 0
				}
			}
			outs = append(outs, io)
		}
		job.outs = append(job.outs, outs)
	}
}

// tapSums is where a tap reads the sums of a bundle.
type tapSums struct{ at, stride int }

// tapSums lists [bundle][tap] of group g for class cl.
func (b *intBuilder) tapSums(job *intJob, g, cl int, index map[[2]int]int) []tapSums {
	var list []tapSums
	for c := 0; c < b.icg; c += b.size {
		for _, r := range b.reads[cl] {
			bu := &job.bundles[index[[2]int{g*b.icg + c, r.phase}]]
			for _, s := range bu.segs {
				if s.lo <= r.off && r.off <= s.hi {
					list = append(list, tapSums{bu.at + s.at + r.off - s.lo, bu.stride})
				}
			}
		}
	}
	return list
}

// output appends the terms of output o, the i-th of io: those that are added, then those that are subtracted. It returns their
// number.
func (b *intBuilder) output(io *intOut, i, o int, taps []tapSums) int {
	lists := [2][]int32{b.lists[0][:0], b.lists[1][:0]} // subtracted, added
	for c := 0; c < b.icg; c += b.size {
		n := min(b.size, b.icg-c)
		for k, t := range taps[c/b.size*b.ntaps:][:b.ntaps] {
			w0 := (o*b.icg+c)*b.ntaps + k
			if !b.w.nonzero(w0) {
				continue
			}
			first, sum := b.w.bit(w0), 0
			for j := 1; j < n; j++ {
				sum |= int(b.w.bit(w0+j*b.ntaps)^first) << (j - 1)
			}
			lists[first] = append(lists[first], int32(t.at+sum*t.stride))
		}
	}
	b.lists = lists
	terms := len(lists[0]) + len(lists[1])
	io.terms = append(io.terms, int32(terms))
	for _, at := range lists[1] {
		io.terms = append(io.terms, at, 0)
	}
	for _, at := range lists[0] { // -x is ^x + 1
		io.terms = append(io.terms, at, -1)
	}
	io.init[i] += int32(len(lists[0]))
	return terms
}

// fits reports whether the sums of output i, of a number of terms, and their differences from the threshold fit the accumulator
// at every position in front of a logical one: each term is the sum of up to size elements, whatever these are. Where there is one tap
// and positions that are not logical read zeros, the promised range says more.
func (b *intBuilder) fits(io *intOut, i, terms int, lo, hi int64) bool {
	p := b.p
	least, most := int64(minOf(p.acc)), int64(maxOf(p.acc))
	largest := int64(terms) * int64(max(maxOf(p.inElem), -minOf(p.inElem))) * int64(min(b.size, b.icg))
	if lo, hi = min(lo, 0), max(hi, 0); !b.zeros {
		lo, hi = -largest, largest
	}
	lo, hi = max(lo, -largest)-int64(io.mid[i]), min(hi, largest)-int64(io.mid[i])
	t := int64(io.t[i])
	return min(lo, lo-t) >= least && max(hi, hi-t) <= most
}

// compare sets the constants of output i and returns whether it depends on the sum. Sums start at -mid so that they fit the accumulator.
func (b *intBuilder) compare(io *intOut, i int, lo, hi int64, th *Threshold, o int) bool {
	min, max := int64(minOf(b.p.acc)), int64(maxOf(b.p.acc))
	t := lo // 0 >= 0: always
	if th != nil {
		t = int64(th.T[o])
		flip := th.flip(o)
		if t > hi { // never
			t, flip = lo, !flip
		}
		if flip {
			io.flip |= 1 << i
		}
		if t <= lo {
			return false
		}
	}
	var mid int64
	if lo < min || hi > max {
		mid = lo + (hi-lo+1)/2
	}
	io.init[i], io.mid[i] = -int32(mid), int32(mid)
	if th != nil {
		io.t[i] = int32(t - mid)
	}
	return true
}

// Stages is the number of stages of Run.
func (p *IntConv) Stages() int { return p.prep.stages() + 1 }

// sumBytes and tileBytes are the scratch of one part: sums, and the tile of outputs that can not be written directly.
func (p *IntConv) sumBytes() int { return roundUp(p.sumElems*p.acc.Size(), 64) }

func (p *IntConv) tileBytes() int {
	switch {
	case p.outElem == p.acc && p.walk.direct, p.outElem == Bit && p.walk.direct:
		return 0
	case p.outElem == Bit:
		return p.walk.tile
	}
	return 8 * p.walk.tile * (p.acc.Size() + p.outElem.Size())
}

// Scratch is the number of scratch bytes that Run needs with this many parts.
func (p *IntConv) Scratch(parts int) int {
	return p.prep.bytes() + parts*(p.sumBytes()+p.tileBytes())
}

// Run computes one part of a stage.
func (p *IntConv) Run(stage, part, parts int, dst, src, scratch []byte) {
	dst, src = dst[:p.out.Bytes(p.outElem)], src[:p.in.Bytes(p.inElem)]
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
	own := p.sumBytes() + p.tileBytes()
	scratch = scratch[p.prep.bytes()+part*own:][:own]
	sums, spare := scratch[:p.sumBytes()], scratch[p.sumBytes():]
	tiles := p.walk.tiles()
	lo, hi := share(len(p.jobs)*tiles, part, parts)
	for i := lo; i < hi; i++ {
		job, pl := &p.jobs[i/tiles], p.walk.at(i%tiles)
		p.makeSums(job, pl, sums, src)
		for cl := range job.outs {
			for j := range job.outs[cl] {
				if p.outElem == Bit {
					p.tileBits(job, cl, j, pl, dst, sums, spare)
				} else {
					p.tileInts(job, cl, j, pl, dst, sums, spare)
				}
			}
		}
	}
}

func (p *IntConv) makeSums(job *intJob, pl place, sums, src []byte) {
	e := p.acc.Size()
	src = src[pl.start*p.inElem.Size():]
	fn := p.set.sums[p.inElem][p.acc-I16][p.fits]
	for i := range job.bundles {
		bu := &job.bundles[i]
		for j := range bu.segs {
			s := &bu.segs[j]
			fn(sums[(bu.at+s.at)*e:], bu.stride*e, src, s.offs, ceilDiv(pl.n+s.hi-s.lo, block))
		}
	}
}

func (p *IntConv) tileBits(job *intJob, cl, j int, pl place, dst, sums, spare []byte) {
	o, c := &job.outs[cl][j], &p.walk.classes[cl]
	plane := p.walk.planeOf(dst, (job.first/8+j)*len(p.walk.classes)+cl, 1)
	to := p.walk.target(plane, spare, 1, pl)
	p.set.accLE[p.acc-I16][p.fits](to, sums, p.walk.mask(c, pl), o.terms, &o.init, &o.t, o.flip)
	p.walk.finish(plane, to, 1, c, pl)
}

func (p *IntConv) tileInts(job *intJob, cl, j int, pl place, dst, sums, spare []byte) {
	o, c := &job.outs[cl][j], &p.walk.classes[cl]
	e, phases, n := p.outElem.Size(), len(p.walk.classes), pl.blocks*block
	mask := p.walk.mask(c, pl)
	if p.outElem == p.acc && p.walk.direct {
		p.set.accInt[p.acc-I16][p.fits](p.walk.from(dst, (job.first+8*j)*phases+cl, e, pl), p.walk.plane*phases*e, o.n, sums, mask, o.terms, &o.init)
	} else {
		p.set.accInt[p.acc-I16][p.fits](spare, p.walk.tile*p.acc.Size(), o.n, sums, mask, o.terms, &o.init)
	}
	narrow := spare[min(len(spare), 8*p.walk.tile*p.acc.Size()):]
	for i := range o.n {
		plane := p.walk.planeOf(dst, (job.first+8*j+i)*phases+cl, e)
		var from []byte
		if p.outElem != p.acc || !p.walk.direct {
			from = spare[i*p.walk.tile*p.acc.Size():][:n*p.acc.Size()]
			if p.outElem != p.acc {
				to := p.walk.target(plane, narrow, e, pl)
				p.set.convert[p.acc-I16][p.outElem-I8](to, from, mask, o.mid[i])
				from = to
			}
		}
		p.walk.finish(plane, from, e, c, pl)
	}
}
