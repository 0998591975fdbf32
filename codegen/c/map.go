package c

import (
	"fmt"

	"github.com/billnet/billnet/runtime/billb"
)

// cmap is how a map lies in memory; kernels/map.c explains it.
type cmap struct {
	buffer                int // the number of the buffer in whose memory it lies
	kind                  string
	frames, rows, width   int
	channels, unit, units int
	elem                  billb.Elem
}

func mapLayout(b *billb.Buffer) cmap {
	m := cmap{channels: b.Geom.C, frames: b.Geom.T, rows: b.Geom.H, width: b.Geom.W, elem: b.Elem}
	switch {
	case b.Elem.IsBit() && m.channels <= 8:
		m.kind, m.unit, m.units = "BITS", 1, 1
	case b.Elem.IsBit() && m.channels <= 16:
		m.kind, m.unit, m.units = "BITS", 2, 1
	case b.Elem.IsBit():
		m.kind, m.unit, m.units = "BITS", 4, (m.channels+31)/32
	default:
		m.kind, m.unit, m.units = map[billb.Elem]string{billb.U8: "U8", billb.I8: "I8", billb.I16: "I16", billb.I32: "I32"}[b.Elem], b.Elem.Width(), m.channels
	}
	return m
}

// pitch is the bytes of a row: whole words.
func (m cmap) pitch() int { return (m.width*m.units*m.unit + 3) / 4 * 4 }

// ring is the number of rows.
func (m cmap) ring() int { return m.frames * m.rows }

func (m cmap) isBits() bool { return m.kind == "BITS" }

// unitType is the type of a unit of bits.
func (m cmap) unitType() string {
	return map[int]string{1: "uint8_t", 2: "uint16_t", 4: "uint32_t"}[m.unit]
}

// cmap returns the map of buffer b and describes it in the code.
func (g *generator) cmap(b int) cmap {
	m := mapLayout(g.buffer(b))
	m.buffer = b
	for _, size := range []int{m.frames, m.rows, m.width, m.channels} {
		if size > 32767 {
			refuse("a map with an axis of %d, at most 32767", size)
		}
	}
	if !g.maps[b] {
		g.maps[b] = true
		g.use("map")
		fmt.Fprintf(&g.tables, "static const map_t map_%d = {BUFFER_%d, %d, RING_%d, %d, %d, %d, %d, %s, %d, %d};\n",
			b, g.root(b), m.pitch(), g.root(b), m.frames, m.rows, m.width, m.channels, m.kind, m.unit, m.units)
	}
	return m
}

// inMap is the map of operand k, outMap that of the result.
func (g *generator) inMap(l *layer, k int) cmap {
	if !g.isMap(l, k) {
		refuse("BUG: operand %d is no map", k)
	}
	l.reads = append(l.reads, read{g.root(l.in.In[k]), nil})
	return g.cmap(l.in.In[k])
}

// moves says that the layer reads its map under a window.
func (g *generator) moves(l *layer, kernel, stride, dilation, pad [3]int, name string) {
	l.reads[0].window = &windowSize{kernel, stride, dilation, pad}
	g.use("rows_needed")
	l.conv = fmt.Sprintf("reads_%d", l.index)
	fmt.Fprintf(&g.tables, "static const reads_t %s = {&map_%d, &map_%d, &%s.window};\n", l.conv, l.in.In[0], l.in.Out[0], name)
}

func (g *generator) outMap(l *layer) cmap { return g.cmap(l.in.Out[0]) }

// row declares a pointer to row t, h of a map of bits.
func (l *layer) row(name string, m cmap, output bool) {
	c := "const "
	if output {
		c = ""
	}
	l.line("%[1]s%[2]s *%[3]s = (%[1]s%[2]s *)(%[1]svoid *)row_of(memory, &map_%[4]d, t, h);", c, m.elementType(), name, m.buffer)
}

// elementType is the type of what a row consists of.
func (m cmap) elementType() string {
	if m.isBits() {
		return m.unitType()
	}
	return cType(m.elem)
}
