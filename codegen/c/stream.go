package c

import (
	"fmt"
	"maps"
	"slices"

	"github.com/billnet/billnet/runtime/billb"
)

// A network with a result after every frame carries values from frame to frame: billb.Image.States. Frames of a map that
// windows read again are not moved: they stay in the ring of the map, which turns by a frame a push, and what is made of
// them (a shift) is a map in the same ring that begins some rows earlier. Everything else lies in buffers of its own, which
// begin as zeros; what they become is copied at the end of a push, where it is not made in place.

// unite puts maps that are one map under several names into one place, and maps that are frames of one map at different times
// into one ring.
func (g *generator) unite() {
	name := make([]int, len(g.img.Buffers)) // of the map that a buffer is
	for b := range name {
		name[b] = b
	}
	for i := range g.img.Code {
		in := &g.img.Code[i]
		if (in.Op == billb.OpRelayout || in.Op == billb.OpRecode) && in.In[0] >= 0 && g.buffer(in.In[0]).Planes && g.buffer(in.Out[0]).Planes {
			g.share(in.Out[0], in.In[0])
			name[in.Out[0]] = name[in.In[0]]
		}
	}
	behind := map[int]int{}
	for i := range g.img.Code {
		in := &g.img.Code[i]
		if in.Op != billb.OpShift || !g.buffer(in.Out[0]).Planes || in.In[1] < 0 || g.buffer(in.In[1]).Geom.T != 1 {
			continue
		}
		old, x, y := in.In[0], in.In[1], in.Out[0]
		if !slices.Contains(g.img.States, billb.State{From: old, To: y}) {
			continue
		}
		m := mapLayout(g.buffer(y))
		behind[name[x]] += 0
		behind[name[y]] = behind[name[x]] + m.ring() - m.rows
		behind[name[old]] = behind[name[x]] + m.ring()
		g.share(y, x)
		g.share(old, x)
	}
	for b, n := range name {
		if rows, ok := behind[n]; ok {
			g.behind[b] = rows
		}
	}
}

// shift is the frames that are kept, of which x is the newest.
func shift(g *generator, l *layer) {
	if g.toMap(l) {
		if _, ok := g.behind[l.in.Out[0]]; !ok {
			refuse("a map that is no state")
		}
		l.nothing = true
		return
	}
	axis := l.in.Params.(*billb.Along).Axis
	l.equation = fmt.Sprintf("y = the state without its first elements along axis %d, and x behind it", axis)
	g.input(l, 0, "state")
	x, y := g.input(l, 1, "x"), g.output(l, "y")
	inner := billb.Product(y.shape[axis+1:])
	n, added := y.shape[axis]*inner, x.shape[axis]*inner
	l.line("for (int i = 0; i < %d; i++) {", y.n()/n)
	l.line("for (int k = 0; k < %d; k++) {", n-added)
	l.line("y[i * %d + k] = state[i * %d + k + %d];", n, n, added)
	l.end(1)
	l.line("for (int k = 0; k < %d; k++) {", added)
	l.line("y[i * %d + k + %d] = x[i * %d + k];", n, n-added, added)
	l.end(2)
}

// turning are the buffers of the rings that turn, in order.
func (g *generator) turning() []int {
	roots := map[int]bool{}
	for b := range g.behind {
		roots[g.root(b)] = true
	}
	return slices.Sorted(maps.Keys(roots))
}

// turnOffsets are the constants by which maps find their rows in rings that turn: the number of the ring, and how far
// behind the first row of the newest frame the map begins, forwards.
func (g *generator) turnOffsets() (list []string) {
	rings := g.turning()
	for _, b := range slices.Sorted(maps.Keys(g.maps)) {
		if behind, ok := g.behind[b]; ok {
			ring := g.ring[g.root(b)]
			list = append(list, fmt.Sprintf("TURN_%d = %d", b, 1+slices.Index(rings, g.root(b))), fmt.Sprintf("SKIP_%d = %d", b, (ring-behind%ring)%ring))
		}
	}
	return list
}

// carry is the statements by which the values of a push become what the next one finds.
func (g *generator) carry() (list []string) {
	for i, b := range g.turning() {
		list = append(list, fmt.Sprintf("turn[%d] = (turn[%d] + %d) %% RING_%d;", i+1, i+1, mapLayout(g.buffer(b)).rows, b))
	}
	for _, s := range g.img.States {
		if from, to := g.root(s.From), g.root(s.To); from != to {
			list = append(list, fmt.Sprintf("memcpy(memory + BUFFER_%d, memory + BUFFER_%d, %d);", from, to, g.stateBytes(s)))
		}
	}
	return list
}

// forget is the statements that make the states what they are before the first frame.
func (g *generator) forget() (list []string) {
	list = append(list, fmt.Sprintf("memset(memory + TURNS, 0, %d * sizeof(int32_t));", 1+len(g.turning())))
	done := map[int]bool{}
	for _, s := range g.img.States {
		if root := g.root(s.From); !done[root] {
			done[root] = true
			list = append(list, fmt.Sprintf("memset(memory + BUFFER_%d, 0, %d);", root, g.stateBytes(s)))
		}
	}
	return list
}

// stateBytes is the bytes of a state as it lies in memory.
func (g *generator) stateBytes(s billb.State) int {
	b := g.buffer(s.From)
	if b.Planes {
		return mapLayout(b).pitch() * g.ring[g.root(s.From)]
	}
	return billb.Product(b.Shape) * b.Elem.Width()
}
