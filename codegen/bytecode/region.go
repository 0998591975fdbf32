package bytecode

import (
	"slices"

	"github.com/billnet/billnet/runtime/billb"
	"github.com/billnet/billnet/runtime/kernels"
)

// BandSize is how many frames and rows of its result a stage of a region computes at a time, and what it keeps from band to band.
type BandSize struct {
	Frames, Rows int

	// Rolled: sums that windows read again are computed for the rows that a band reads anew; the others are kept from the band before.
	Rolled bool
	// Split: bits that a pooling takes have a stage of their own, with as few rows at a time.
	Split bool
}

// banding rewrites an image so that some of its regions run on bands.
type banding struct {
	*grouped
	sizes []BandSize // of every region; no rows: its instructions run on whole maps

	out    *billb.Image
	at     map[int]int // the buffer of out that is a buffer of the old image, as a whole
	plain  map[int]int // likewise of one that is split into phases, as a map that is not, which bands are loaded from
	shares []int       // as bytecode's groups of buffers that share memory, of the old image
	places []int       // likewise, of out
	plan   []RegionPlan
}

// bands rewrites img. The old image stays as it is, with its constants and parameters shared.
func bands(img *billb.Image, shares []int, g *grouped, sizes []BandSize) (*billb.Image, []int, []RegionPlan) {
	out := *img
	out.Buffers, out.Code, out.Regions = nil, nil, nil
	out.Consts = slices.Clip(img.Consts)
	out.Inputs, out.Outputs = slices.Clone(img.Inputs), slices.Clone(img.Outputs)
	b := &banding{grouped: g, sizes: sizes, out: &out, at: map[int]int{}, plain: map[int]int{}, shares: shares}
	fed := b.fedPort()
	for region := 0; ; region++ {
		for i := range img.Code {
			if g.group[i] == region && g.role[i] == wholeMaps {
				b.ordinary(i)
			}
		}
		if region == g.count {
			break
		}
		if sizes[region].Rows == 0 {
			for i := range img.Code {
				if g.inRegion(i, region) {
					b.ordinary(i)
				}
			}
			continue
		}
		feed := -1
		if fed >= 0 && region == b.firstReader(img.Inputs[fed].Buffer) {
			feed = fed
		}
		r := &regionBuilder{banding: b, number: region, size: sizes[region], feed: feed, kept: map[int]*keptMap{}}
		r.build()
	}
	for i, p := range out.Inputs {
		if i != fed {
			out.Inputs[i].Buffer = b.whole(p.Buffer)
		}
	}
	for i, p := range out.Outputs {
		out.Outputs[i].Buffer = b.whole(p.Buffer)
	}
	return &out, b.places, b.plan
}

// add makes a buffer.
func (b *banding) add(buf billb.Buffer) int {
	id := len(b.out.Buffers)
	b.out.Buffers = append(b.out.Buffers, buf)
	b.places = append(b.places, id)
	return id
}

// whole is the buffer of out that is a buffer of the old image.
func (b *banding) whole(old int) int {
	id, ok := b.at[old]
	if !ok {
		id = b.add(b.img.Buffers[old])
		b.at[old] = id
		if root := b.shares[old]; root != old {
			b.places[id] = b.places[b.whole(root)]
		}
	}
	return id
}

// ordinary takes an instruction as it is, and before it the changes of layout that it needs.
func (b *banding) ordinary(i int) {
	in := b.img.Code[i]
	for _, v := range in.In {
		if v >= 0 {
			if _, done := b.at[v]; !done && b.def[v] >= 0 && b.role[b.def[v]] == moved {
				b.ordinary(b.def[v])
			}
		}
	}
	b.out.Code = append(b.out.Code, b.renamed(in))
}

// renamed is an instruction on the buffers of out.
func (b *banding) renamed(in billb.Instr) billb.Instr {
	in.In, in.Out = slices.Clone(in.In), slices.Clone(in.Out)
	for _, ids := range [][]int{in.In, in.Out} {
		for k, v := range ids {
			if v >= 0 {
				ids[k] = b.whole(v)
			}
		}
	}
	return in
}

// readWhole reports that a buffer is read as a whole map in its own layout: by an output, or an instruction that runs on
// whole maps.
func (b *banding) readWhole(old int) bool {
	if b.isPort(old) {
		return true
	}
	return slices.ContainsFunc(b.readers(old), func(i int) bool {
		return b.role[i] == wholeMaps || b.sizes[b.group[i]].Rows == 0
	})
}

// firstReader is the region that reads a buffer by bands, -1 when several do or something reads all of it.
func (b *banding) firstReader(old int) int {
	region := -1
	for _, i := range b.readers(old) {
		if b.role[i] == wholeMaps || b.sizes[b.group[i]].Rows == 0 || region >= 0 && region != b.group[i] {
			return -1
		}
		region = b.group[i]
	}
	return region
}

// fedPort is the input whose frames can arrive one by one, -1 for none.
func (b *banding) fedPort() int {
	for i, p := range b.img.Inputs {
		others := slices.ContainsFunc(b.img.Outputs, func(q billb.Port) bool { return q.Buffer == p.Buffer })
		if len(p.Shape) == 5 && p.Shape[0] == 1 && !others && b.firstReader(p.Buffer) >= 0 {
			return i
		}
	}
	return -1
}

// regionBuilder makes one region.
type regionBuilder struct {
	*banding
	number int
	size   BandSize
	feed   int
	pace   int              // steps from frame to frame
	kept   map[int]*keptMap // by buffers of the old image
	list   []*keptMap       // in the order of their stages
	sums   []sum
	stages []*stageBuilder
}

// keptMap is a map of which the region keeps rows: a result, or an input that it is fed with.
type keptMap struct {
	old          int
	id           int // its buffer, -1 before it has one
	stage        int // that stores it; -1: fed
	frames, rows int // of the map
	held         int // how many rows are kept
	whole        bool
}

// sum is a count over a map that a stage makes band by band.
type sum struct{ instr, total int }

// stageBuilder makes one stage.
type stageBuilder struct {
	r      *regionBuilder
	root   int // the result, of the old image
	code   []billb.Instr
	made   map[bandKey]int
	loads  []load
	store  int // instruction of code, -1 for none
	lead   int // bands in front of the first, which fill what is kept from band to band
	bands  int // with those
	count  int
	result BandSize
	delay  int
	every  [2]int // steps from run to run, and from band to band
	again  []WorkPlan
}

// load is a load of bands of a kept map.
type load struct {
	band
	from  *keptMap
	instr int // of code
}

// band is a range of frames and of rows that moves with the runs and bands of a stage.
type band struct{ first, step, n [2]int }

type bandKey struct {
	old int
	b   band
}

// build makes the stages of the region in the order of their results.
func (r *regionBuilder) build() {
	g := r.grouped
	if r.feed >= 0 {
		p := g.img.Inputs[r.feed]
		k := &keptMap{old: p.Buffer, id: -1, stage: -1, frames: p.Shape[2], rows: p.Shape[3]}
		r.kept[p.Buffer] = k
	}
	counted := map[int]bool{}
	for i := range g.img.Code {
		in := &g.img.Code[i]
		switch {
		case !g.inRegion(i, r.number):
		case g.role[i] == summed: // over what the region has not made itself
			x := in.In[0]
			if d := g.def[x]; (d < 0 || !g.inRegion(d, r.number)) && !counted[x] && !r.countedWith(x) {
				counted[x] = true
				r.stage(x, false)
			}
		case r.isRoot(i):
			r.stage(in.Out[0], true)
		}
	}
	if len(r.stages) == 0 {
		return
	}
	r.schedule()
	r.finish()
}

// countedWith reports that a change of layout is of a result of the region, which is counted as it was before.
func (r *regionBuilder) countedWith(v int) bool {
	i := r.def[v]
	if i < 0 || r.role[i] != moved {
		return i >= 0 && r.inRegion(i, r.number)
	}
	return r.countedWith(r.img.Code[i].In[0])
}

// isRoot reports that the result of an instruction of the region has a stage of its own.
func (r *regionBuilder) isRoot(i int) bool {
	v := r.img.Code[i].Out[0]
	if r.isWhole(v) {
		return true
	}
	readers, one := r.readers(v), -1
	for _, u := range readers {
		if r.role[u] == summed {
			return true
		}
		one = u
	}
	if len(readers) != 1 {
		return true
	}
	u := &r.img.Code[one]
	if !windowOf(r.img, u, 0).overlaps() && !windowOf(r.img, u, 1).overlaps() {
		return r.size.Split && r.img.Buffers[v].Elem.IsBit() && windowOf(r.img, u, 1).extent > 1
	}
	return !r.cheap(i)
}

// cheap reports that what windows read again of an instruction's result is computed again rather than kept: sums in integers are
// large, and where they are over bits of one position they are cheap.
func (r *regionBuilder) cheap(i int) bool {
	in := &r.img.Code[i]
	return in.Op == billb.OpBConv && !windowOf(r.img, in, 0).overlaps() && !windowOf(r.img, in, 1).overlaps() && !r.img.Buffers[in.Out[0]].Elem.IsBit()
}

// isWhole reports that a result of the region is needed whole, by what comes later.
func (r *regionBuilder) isWhole(v int) bool {
	return r.readWhole(v) || slices.ContainsFunc(r.readers(v), func(u int) bool { return r.group[u] != r.number })
}

// stage makes the stage of a result, or of the count over a map that is none of the region's.
func (r *regionBuilder) stage(root int, result bool) {
	s := &stageBuilder{r: r, root: root, made: map[bandKey]int{}, store: -1}
	m := r.img.Buffers[root]
	t, h := m.Shape[2], m.Shape[3]
	s.result = BandSize{Frames: min(r.size.Frames, t), Rows: min(r.size.Rows, h)}
	s.count, s.bands = ceilDiv(t, s.result.Frames), ceilDiv(h, s.result.Rows)
	size := [2]int{s.result.Frames, s.result.Rows}
	b := band{step: size, n: size}
	s.lead = s.leadOf(root, b, map[bandKey]int{})
	s.bands += s.lead
	b.first[1] = -s.lead * s.result.Rows
	id := s.need(root, b)
	var sums []int
	stored := false
	for _, u := range r.readers(root) {
		if r.role[u] == summed {
			sums = append(sums, u)
		} else {
			stored = result
		}
	}
	if len(sums) > 0 && result && s.outside(b, m) {
		s.code = append(s.code, billb.Instr{Op: billb.OpBandClip, In: []int{id}, Out: []int{id}, Params: b.params(m), Name: r.nameOf(root)})
	}
	for _, u := range sums {
		s.sum(u, id)
	}
	if stored || len(sums) == 0 {
		k := &keptMap{old: root, id: -1, stage: len(r.stages), frames: t, rows: h, whole: r.isWhole(root)}
		r.kept[root] = k
		r.list = append(r.list, k)
		s.store = len(s.code)
		s.code = append(s.code, billb.Instr{Op: billb.OpBandStore, In: []int{id}, Out: []int{-1}, Params: b.params(m), Name: r.nameOf(root)})
	}
	r.stages = append(r.stages, s)
}

// sum adds the counts of a band to those of the map.
func (s *stageBuilder) sum(u, id int) {
	r, in := s.r, s.r.img.Code[u]
	total := r.whole(in.Out[0])
	part := r.add(r.img.Buffers[in.Out[0]])
	count := in
	count.In, count.Out = []int{id}, []int{part}
	s.code = append(s.code, count, billb.Instr{Op: billb.OpAdd, In: []int{total, part}, Out: []int{total}, Name: in.Name})
	r.sums = append(r.sums, sum{u, total})
}

func (b band) params(m billb.Buffer) *billb.Band {
	return &billb.Band{Frames: m.Shape[2], Rows: m.Shape[3], First: b.first, Step: b.step}
}

// outside reports that some run of the stage has a band that goes beyond the map.
func (s *stageBuilder) outside(b band, m billb.Buffer) bool {
	runs := [2]int{s.count, s.bands}
	for a := range 2 {
		if b.first[a] < 0 || b.first[a]+(runs[a]-1)*b.step[a]+b.n[a] > m.Shape[2+a] {
			return true
		}
	}
	return false
}

// need is the buffer that holds a band of a value of the old image.
func (s *stageBuilder) need(old int, b band) int {
	key := bandKey{old, b}
	if id, ok := s.made[key]; ok {
		return id
	}
	r := s.r
	m := r.img.Buffers[old]
	i := r.def[old]
	var id int
	switch {
	case !r.local(old):
		id = s.load(old, b)
	case s.rolls(old, b):
		added := s.need(old, b.last())
		id = r.add(r.bandBuffer(plainMap(m), b, r.columnHalo(old)))
		s.code = append(s.code, billb.Instr{Op: billb.OpBandShift, In: []int{added}, Out: []int{id}, Name: r.nameOf(old)})
	default:
		in := r.img.Code[i]
		in.In, in.Params = slices.Clone(in.In), onBand(in.Params)
		for k, v := range in.In {
			switch {
			case v < 0:
			case r.banded(i, v):
				in.In[k] = s.need(v, b.through(r.img, &r.img.Code[i], k))
			default:
				in.In[k] = r.whole(v)
			}
		}
		local := m
		if r.role[i] != moved {
			local = plainMap(m)
		}
		halo := r.columnHalo(old)
		if old == s.root && !isGate(in.Op) { // it is stored, and read from there
			halo = 0
		}
		id = r.add(r.bandBuffer(local, b, halo))
		in.Out = []int{id}
		if macs := r.img.MACs(&r.img.Code[i]); macs > 0 {
			s.again = append(s.again, WorkPlan{in.Name, r.out.MACs(&in) * float64(s.count*s.bands) / macs})
		}
		s.code = append(s.code, in)
		if s.outside(b, m) && !keepsZero(r.img, &r.img.Code[i]) && old != s.root {
			s.code = append(s.code, billb.Instr{Op: billb.OpBandClip, In: []int{id}, Out: []int{id}, Params: b.params(m), Name: in.Name})
		}
	}
	s.made[key] = id
	return id
}

// local reports that stages compute bands of a value themselves.
func (r *regionBuilder) local(old int) bool {
	i := r.def[old]
	return i >= 0 && (r.inRegion(i, r.number) && r.kept[old] == nil || r.role[i] == moved && r.loadable(old) < 0)
}

// banded reports that instruction i takes bands of an operand.
func (r *regionBuilder) banded(i, v int) bool {
	return v >= 0 && len(r.img.Buffers[v].Shape) == 5 && (r.img.Buffers[v].Planes || r.role[i] == moved)
}

// rolls reports that a band of a value is the last band moved up by what is new.
func (s *stageBuilder) rolls(old int, b band) bool {
	return s.r.size.Rolled && s.bands > 1 && b.n[1] > b.step[1] && s.r.cheap(s.r.def[old])
}

// last is the rows of a band that the band before does not have.
func (b band) last() band {
	b.first[1] += b.n[1] - b.step[1]
	b.n[1] = b.step[1]
	return b
}

// leadOf is how many bands in front of its first one a value must be computed for so that all is there that is kept from band to band.
func (s *stageBuilder) leadOf(old int, b band, known map[bandKey]int) int {
	key := bandKey{old, b}
	if n, ok := known[key]; ok || !s.r.local(old) {
		return n
	}
	lead := 0
	if s.rolls(old, b) {
		lead = ceilDiv(b.n[1]-b.step[1], b.step[1])
		b = b.last()
	}
	i, most := s.r.def[old], 0
	for k, v := range s.r.img.Code[i].In {
		if s.r.banded(i, v) {
			most = max(most, s.leadOf(v, b.through(s.r.img, &s.r.img.Code[i], k), known))
		}
	}
	known[key] = lead + most
	return lead + most
}

// loadable is the buffer of out that bands of a value can be loaded from, -1 when it has none yet.
func (r *regionBuilder) loadable(old int) int {
	if id, ok := r.at[old]; ok && r.img.Buffers[old].Geom.Phases() <= 1 {
		return id
	}
	return -1
}

// through is the band of operand k that a band of an instruction's result reads.
func (b band) through(img *billb.Image, in *billb.Instr, k int) band {
	if k > 0 {
		return b
	}
	for a := range 2 {
		w := windowOf(img, in, a)
		lo, hi := w.span(b.first[a], b.first[a]+b.n[a])
		b.first[a], b.step[a], b.n[a] = lo, b.step[a]*w.stride, hi-lo
	}
	return b
}

// load makes a load of a band.
func (s *stageBuilder) load(old int, b band) int {
	r := s.r
	m := r.img.Buffers[old]
	id := r.add(r.bandBuffer(plainMap(m), b, r.columnHalo(old)))
	in := billb.Instr{Op: billb.OpBandLoad, In: []int{-1}, Out: []int{id}, Params: b.params(m), Name: r.nameOf(old)}
	if k := r.kept[old]; k != nil {
		s.loads = append(s.loads, load{band: b, from: k, instr: len(s.code)})
	} else {
		in.In[0] = r.unsplit(old)
	}
	s.code = append(s.code, in)
	return id
}

// unsplit is the buffer of out that bands of a whole map are loaded from. It comes before the region.
func (r *regionBuilder) unsplit(old int) int {
	m := r.img.Buffers[old]
	if !m.Planes || m.Geom.Phases() == 1 {
		return r.whole(old)
	}
	id, ok := r.plain[old]
	if !ok {
		id = r.add(plainMap(m))
		r.plain[old] = id
		r.out.Code = append(r.out.Code, billb.Instr{Op: billb.OpRelayout, In: []int{r.whole(old)}, Out: []int{id}, Name: r.nameOf(old)})
	}
	return id
}

// plainMap is a map that is not split into phases.
func plainMap(m billb.Buffer) billb.Buffer {
	if m.Planes {
		m.Geom.PT, m.Geom.PH, m.Geom.PW = 1, 1, 1
	}
	return m
}

// bandBuffer is the buffer of a band of a map.
func (r *regionBuilder) bandBuffer(m billb.Buffer, b band, halo int) billb.Buffer {
	m.Offset = 0
	m.Shape = []int{1, m.Shape[1], b.n[0], b.n[1], m.Shape[4]}
	if m.Planes {
		m.Geom.T, m.Geom.H, m.Geom.HT, m.Geom.HH, m.Geom.HW = b.n[0], b.n[1], 0, 0, halo
	}
	return m
}

// columnHalo is how many zeros follow the rows of bands of a value: as many as in its whole map where a reader needs them,
// or a gate reads it beside one that has them.
func (r *regionBuilder) columnHalo(old int) int {
	if !r.img.Buffers[old].Planes {
		return 0
	}
	seen := map[int]bool{}
	var wide func(v int) bool
	wide = func(v int) bool {
		if seen[v] || !r.img.Buffers[v].Planes {
			return false
		}
		seen[v] = true
		for _, u := range r.reads[v] {
			in := &r.img.Code[u]
			if acrossColumns(r.img, in) {
				return true
			}
			if in.Op == billb.OpBConv && windowOf(r.img, in, 2) == (axisWindow{0, 1, 1}) && wide(in.Out[0]) {
				return true // equal rows are computed without a copy
			}
			if isGate(in.Op) && (wide(in.Out[0]) || slices.ContainsFunc(in.In, func(x int) bool { return x >= 0 && wide(x) })) {
				return true
			}
		}
		if i := r.def[v]; i >= 0 && isGate(r.img.Code[i].Op) {
			return slices.ContainsFunc(r.img.Code[i].In, func(x int) bool { return x >= 0 && wide(x) })
		}
		return false
	}
	if g := r.img.Buffers[old].Geom; wide(old) {
		if i := r.def[old]; i < 0 || r.role[i] != moved {
			return g.HW * g.PW
		}
		return g.HW
	}
	return 0
}

// isGate reports an operation whose maps all have one geometry.
func isGate(op billb.Opcode) bool {
	switch op {
	case billb.OpBitOr, billb.OpBitAnd, billb.OpBitXor, billb.OpBitNot, billb.OpMux, billb.OpMuxOr:
		return true
	}
	return false
}

// keep gives a kept map its buffer.
func (r *regionBuilder) keep(k *keptMap) {
	m := r.img.Buffers[k.old]
	m.Shape = slices.Clone(m.Shape)
	if k.held < k.frames*k.rows {
		m.Shape[2], m.Shape[3] = 1, k.held
	}
	split := m.Planes && m.Geom.Phases() > 1
	if m.Planes && (split || !r.readWhole(k.old)) {
		m.Geom = kernels.Geom{C: m.Geom.C, T: m.Shape[2], H: m.Shape[3], W: m.Geom.W, PT: 1, PH: 1, PW: 1}
	}
	k.id = r.add(m)
	switch {
	case k.whole && split:
		r.plain[k.old] = k.id
	case k.whole:
		r.at[k.old] = k.id
	}
}

// finish writes the region.
func (r *regionBuilder) finish() {
	if r.feed >= 0 {
		k := r.kept[r.img.Inputs[r.feed].Buffer]
		r.keep(k)
		r.out.Inputs[r.feed].Buffer = k.id
	}
	for _, k := range r.list {
		r.keep(k)
	}
	for _, s := range r.sums {
		r.out.Code = append(r.out.Code, r.zeros(s))
	}
	region := billb.Region{First: len(r.out.Code), Pace: r.pace, Feed: r.feed}
	for _, s := range r.stages {
		for _, l := range s.loads {
			s.code[l.instr].In[0] = l.from.id
		}
		if s.store >= 0 {
			s.code[s.store].Out[0] = r.kept[s.root].id
		}
		r.out.Code = append(r.out.Code, s.code...)
		region.Stages = append(region.Stages, billb.Stage{Len: len(s.code), Delay: s.delay, Every: s.every, Count: s.count, Bands: s.bands})
		region.Steps = max(region.Steps, s.step(s.count-1, s.bands-1)+1)
	}
	if r.feed >= 0 {
		region.Steps = max(region.Steps, (r.img.Inputs[r.feed].Shape[2]-1)*r.pace+1)
	}
	r.out.Regions = append(r.out.Regions, region)
	for _, k := range r.list {
		if _, split := r.plain[k.old]; split && r.readWhole(k.old) {
			r.out.Code = append(r.out.Code, billb.Instr{Op: billb.OpRelayout, In: []int{k.id}, Out: []int{r.whole(k.old)}, Name: r.nameOf(k.old)})
		}
	}
	r.describe(region)
}

// zeros begins a sum.
func (r *regionBuilder) zeros(s sum) billb.Instr {
	b := r.img.Buffers[r.img.Code[s.instr].Out[0]]
	c := billb.Const{Elem: b.Elem, Shape: b.Shape, Data: make([]byte, billb.Product(b.Shape)*b.Elem.Width())}
	at := slices.IndexFunc(r.out.Consts, func(k billb.Const) bool {
		return k.Elem == c.Elem && slices.Equal(k.Shape, c.Shape) && slices.Equal(k.Data, c.Data)
	})
	if at < 0 {
		at = len(r.out.Consts)
		r.out.Consts = append(r.out.Consts, c)
	}
	return billb.Instr{Op: billb.OpIdentity, In: []int{billb.ConstOperand(at)}, Out: []int{s.total}, Name: r.img.Code[s.instr].Name}
}

func ceilDiv(a, b int) int { return (a + b - 1) / b }
