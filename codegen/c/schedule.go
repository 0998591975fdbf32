package c

import (
	"fmt"
	"slices"
	"strings"
)

// The schedule. Layers over maps run row by row, as soon as the rows that they read
// are there, and a map keeps the rows that something still reads, in a ring. What
// needs all of a map, as a count does, ends a phase: a phase runs its dense layers,
// then the layers over maps that they and earlier phases allow.
//
// A phase goes in sweeps. In each, the layers that read nothing of the phase compute
// their share of rows; then all others, in order, compute a row each if they can,
// until none can. The same order is simulated here, which gives the size of the rings.

// phase is what runs between two barriers.
type phase struct {
	dense, rows []*layer
	sweeps      int
	sources     map[*layer]bool // layers over maps that read nothing of the phase
}

// read is a map that a layer over maps reads.
type read struct {
	buffer int
	window *windowSize
}

// windowSize is how a kernel moves over a map; nil where row n reads row n.
type windowSize struct{ kernel, stride, dilation, pad [3]int }

// needs are the rows of a map of the given frames and rows that row n of a result
// reads: from lo on, of the first end. It reads none where lo is not below end.
func (w *windowSize) needs(n, rows, inFrames, inRows int) (lo, end int) {
	if w == nil {
		return n, n + 1
	}
	first, last := [2]int{}, [2]int{}
	for axis, at := range [2]int{n / rows, n % rows} {
		size := [2]int{inFrames, inRows}[axis]
		begin := at*w.stride[axis] - w.pad[axis]
		skip := 0
		if begin < 0 {
			skip = (-begin + w.dilation[axis] - 1) / w.dilation[axis]
		}
		first[axis] = begin + skip*w.dilation[axis]
		last[axis] = min(size-1, begin+(w.kernel[axis]-1)*w.dilation[axis])
		if first[axis] > last[axis] {
			return 0, 0
		}
	}
	return first[0]*inRows + first[1], last[0]*inRows + last[1] + 1
}

// needs are the rows that row n of a layer reads of a map, counted from the first row of the newest frame of its ring: rows
// before it are there from earlier frames.
func (g *generator) needs(l *layer, r read, n int) (lo, end int) {
	m := mapLayout(g.buffer(r.buffer))
	lo, end = r.window.needs(n, g.rowsOf(l).rows, m.frames, m.rows)
	return lo - g.behind[r.buffer], end - g.behind[r.buffer]
}

// waits reports whether a layer reads rows of a map that are computed in the same phase.
func (g *generator) waits(p *phase, r read, producer map[int]*layer) bool {
	m := mapLayout(g.buffer(r.buffer))
	return m.ring() > g.behind[r.buffer] && slices.Contains(p.rows, producer[g.root(r.buffer)])
}

// schedule puts layers into phases and finds the rings.
func (g *generator) schedule() {
	producer := map[int]*layer{}
	level := map[*layer]int{}
	for _, l := range g.layers {
		for _, b := range l.in.In {
			if b < 0 || producer[g.root(b)] == nil {
				continue
			}
			p := producer[g.root(b)]
			at := level[p]
			if p.rows && !(l.rows && g.toMap(p)) {
				at++
			}
			level[l] = max(level[l], at)
		}
		for _, b := range l.in.Out {
			if b >= 0 {
				producer[g.root(b)] = l
			}
		}
		for len(g.phases) <= level[l] {
			g.phases = append(g.phases, &phase{sources: map[*layer]bool{}})
		}
		p := g.phases[level[l]]
		if l.rows {
			p.rows = append(p.rows, l)
		} else {
			p.dense = append(p.dense, l)
		}
	}
	rowLayers := 0
	for _, p := range g.phases {
		for _, l := range p.dense {
			l.step = g.stepCount
			g.stepCount++
		}
		for _, l := range p.rows {
			l.step, l.counter = g.stepCount, rowLayers
			rowLayers++
		}
		g.stepCount++
	}
	g.counters = rowLayers
	g.ring = map[int]int{}
	for _, l := range g.layers {
		if l.rows && g.toMap(l) {
			g.ring[g.root(l.in.Out[0])] = mapLayout(g.buffer(l.in.Out[0])).ring()
		}
	}
	for _, p := range g.phases {
		g.rings(p, producer)
	}
}

// total is the rows that a layer over maps computes.
func (g *generator) total(l *layer) int { return g.rowsOf(l).ring() }

// rings simulates a phase.
func (g *generator) rings(p *phase, producer map[int]*layer) {
	within := map[int][]*layer{} // readers in the phase of maps of the phase
	for _, l := range p.rows {
		p.sources[l] = true
		for _, r := range l.reads {
			if g.waits(p, r, producer) {
				p.sources[l] = false
			}
			if root := g.root(r.buffer); slices.Contains(p.rows, producer[root]) {
				within[root] = append(within[root], l)
			}
		}
	}
	outside := map[int]int{} // the rows that are kept of maps that are read in other phases
	for _, q := range g.phases {
		for _, l := range q.rows {
			for _, r := range l.reads {
				if m, root := mapLayout(g.buffer(r.buffer)), g.root(r.buffer); q != p {
					outside[root] = max(outside[root], m.ring(), m.rows+g.behind[r.buffer])
				}
			}
		}
	}
	for _, l := range p.rows {
		if n := g.total(l); p.sources[l] {
			p.sweeps = max(p.sweeps, n)
		}
	}
	for _, l := range p.rows {
		if l.feeds {
			p.sweeps = g.total(l)
		}
	}
	lowest := map[*layer]map[int][]int{}
	for _, l := range p.rows {
		lowest[l] = map[int][]int{}
		for _, r := range l.reads {
			root, list := g.root(r.buffer), g.lowest(l, r)
			for i, row := range lowest[l][root] {
				list[i] = min(list[i], row)
			}
			lowest[l][root] = list
		}
	}
	done, held := map[*layer]int{}, map[int]int{}
	compute := func(l *layer) {
		done[l]++
		if !g.toMap(l) {
			return
		}
		root := g.root(l.in.Out[0])
		low := done[l] - 1
		for _, reader := range within[root] {
			low = min(low, lowest[reader][root][done[reader]])
		}
		held[root] = max(held[root], done[l]-low)
	}
	for sweep := range p.sweeps {
		for _, l := range p.rows {
			for p.sources[l] && done[l] < (sweep+1)*g.total(l)/p.sweeps {
				compute(l)
			}
		}
		for work := true; work; {
			work = false
			for _, l := range p.rows {
				if !p.sources[l] && done[l] < g.total(l) && g.ready(p, l, done, producer) {
					compute(l)
					work = true
				}
			}
		}
	}
	for _, l := range p.rows {
		if done[l] != g.total(l) {
			panic(fmt.Sprintf("c: BUG: layer %d stops at row %d of %d", l.index, done[l], g.total(l)))
		}
		if g.toMap(l) {
			root := g.root(l.in.Out[0])
			g.ring[root] = max(held[root], outside[root])
		}
	}
}

// ready reports whether the rows are there that the next row of a layer is made of.
func (g *generator) ready(p *phase, l *layer, done map[*layer]int, producer map[int]*layer) bool {
	for _, r := range l.reads {
		if lo, end := g.needs(l, r, done[l]); lo < end && g.waits(p, r, producer) && done[producer[g.root(r.buffer)]] < end {
			return false
		}
	}
	return true
}

// lowest is, for every number of rows that a layer has computed, the first row of a map that it still reads: for this frame,
// or for the next one where the map has earlier frames.
func (g *generator) lowest(l *layer, r read) []int {
	m, n := mapLayout(g.buffer(r.buffer)), g.total(l)
	list := make([]int, n+1)
	behind, turns := g.behind[r.buffer]
	list[n] = m.ring() - behind
	back := func() {
		for i := n - 1; i >= 0; i-- {
			list[i] = min(list[i], list[i+1])
		}
	}
	for i := range n {
		list[i] = list[n]
		if lo, end := g.needs(l, r, i); lo < end {
			list[i] = lo
		}
	}
	back()
	if turns {
		list[n] = list[0] + m.rows
		back()
	}
	return list
}

// running is the layers in an order in which the code checks them.
func (p *phase) running() []*layer {
	list := slices.Clone(p.dense)
	for _, source := range []bool{true, false} {
		for _, l := range p.rows {
			if p.sources[l] == source {
				list = append(list, l)
			}
		}
	}
	return list
}

// phaseFunctions writes a function for every phase.
func (g *generator) phaseFunctions(p *page) string {
	var b strings.Builder
	producer := map[int]*layer{}
	for _, l := range g.layers {
		for _, o := range l.in.Out {
			if o >= 0 {
				producer[g.root(o)] = l
			}
		}
	}
	for i, ph := range g.phases {
		fmt.Fprintf(&b, "\nstatic void phase_%d(%s)\n{\n", i, g.phaseArguments(i, true))
		if len(ph.rows) == 0 {
			for _, l := range ph.dense {
				g.callDense(&b, l, p, "    ")
			}
			b.WriteString("}\n")
			continue
		}
		b.WriteString("    int32_t *done = (int32_t *)(void *)(memory + DONE);\n")
		if i == 0 && g.feeds {
			b.WriteString("    if (from == 0) {\n")
		} else {
			b.WriteString("    {\n")
		}
		fmt.Fprintf(&b, "        memset(&done[%d], 0, %d * sizeof *done);\n", ph.rows[0].counter, len(ph.rows))
		for _, l := range ph.dense {
			g.callDense(&b, l, p, "        ")
		}
		b.WriteString("    }\n")
		if i == 0 && g.feeds {
			b.WriteString("    for (int sweep = from; sweep < to; sweep++) {\n")
		} else {
			fmt.Fprintf(&b, "    for (int sweep = 0; sweep < %d; sweep++) {\n", ph.sweeps)
		}
		others := false
		for _, l := range ph.rows {
			if others = others || !ph.sources[l]; ph.sources[l] {
				g.callRows(&b, ph, l, p, producer, "while", "        ")
			}
		}
		if others {
			b.WriteString("        for (int work = 1; work != 0;) {\n            work = 0;\n")
			for _, l := range ph.rows {
				if !ph.sources[l] {
					g.callRows(&b, ph, l, p, producer, "if", "            ")
				}
			}
			b.WriteString("        }\n")
		}
		b.WriteString("    }\n}\n")
	}
	return b.String()
}

// phaseArguments are the parameters of a phase's function, or what is passed.
func (g *generator) phaseArguments(i int, types bool) string {
	switch {
	case i != 0 || !g.feeds:
		return map[bool]string{true: "uint8_t *memory", false: "memory"}[types]
	case types:
		return fmt.Sprintf("uint8_t *memory, const %s_frame_t *frame, int from, int to", g.name)
	}
	return fmt.Sprintf("memory, frame, at * %d, (at + 1) * %d", g.phases[0].sweeps/g.frames, g.phases[0].sweeps/g.frames)
}

// callDense runs a dense layer.
func (g *generator) callDense(b *strings.Builder, l *layer, p *page, indent string) {
	fmt.Fprintf(b, "%[1]slayer_%[2]d(memory);\n%[1]sRAN(%[2]d);\n", indent, l.index)
	if n := g.addCheck(l, p); n >= 0 {
		fmt.Fprintf(b, "%s%s\n", indent, g.denseCheck(l, n))
	}
}

// callRows runs a layer over maps: a source as far as the sweep goes, another for a
// row.
func (g *generator) callRows(b *strings.Builder, ph *phase, l *layer, p *page, producer map[int]*layer, loop, indent string) {
	k, m := l.counter, g.rowsOf(l)
	line := func(format string, args ...any) { fmt.Fprintf(b, indent+format+"\n", args...) }
	var conditions []string
	switch n := g.total(l); {
	case ph.sources[l] && n == ph.sweeps:
		conditions = []string{fmt.Sprintf("done[%d] <= sweep", k)}
	case ph.sources[l]:
		conditions = []string{fmt.Sprintf("done[%d] < (sweep + 1) * %d / %d", k, n, ph.sweeps)}
	default:
		conditions = []string{fmt.Sprintf("done[%d] < %d", k, n)}
		for _, r := range l.reads {
			if !g.waits(ph, r, producer) {
				continue
			}
			rows := fmt.Sprintf("done[%d]", producer[g.root(r.buffer)].counter)
			if behind := g.behind[r.buffer]; behind > 0 {
				rows += fmt.Sprintf(" + %d", behind)
			}
			if r.window == nil {
				conditions = append(conditions, fmt.Sprintf("%s > done[%d]", rows, k))
			} else {
				conditions = append(conditions, fmt.Sprintf("%s >= rows_needed(&%s, done[%d])", rows, l.conv, k))
			}
		}
	}
	line("%s (%s) {", loop, strings.Join(conditions, " && "))
	frame := ""
	if l.feeds {
		frame = "frame, "
	}
	at := fmt.Sprintf("done[%d] / %d, done[%d] %% %d", k, m.rows, k, m.rows)
	line("    layer_%d(memory, %s%s);", l.index, frame, at)
	line("    RAN(%d);", l.index)
	check := g.addCheck(l, p)
	if check >= 0 && g.toMap(l) {
		p.Uses["row"] = true
		out := l.in.Out[0]
		line("    CHECK_ROW(%d, &map_%d, %d, %s);", check, out, truthInt(g.signed(out)), at)
	}
	line("    done[%d]++;", k)
	if check >= 0 && !g.toMap(l) {
		line("    if (done[%d] == %d) {", k, g.total(l))
		line("        %s", g.denseCheck(l, check))
		line("    }")
	}
	if loop == "if" {
		line("    work = 1;")
	}
	line("}")
}
