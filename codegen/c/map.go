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
		fields := []any{"at", fmt.Sprintf("BUFFER_%d", g.root(b)), "pitch", m.pitch(), "ring", fmt.Sprintf("RING_%d", g.root(b)),
			"frames", m.frames, "rows", m.rows, "width", m.width, "channels", m.channels, "type", m.kind, "unit", m.unit, "units", m.units}
		if _, turns := g.behind[b]; turns {
			fields = append(fields, "turn", fmt.Sprintf("TURN_%d", b), "skip", fmt.Sprintf("SKIP_%d", b))
		}
		g.table("map_t", fmt.Sprintf("map_%d", b), fields...)
	}
	return m
}

// inMap is the map of operand k, outMap that of the result.
func (g *generator) inMap(l *layer, k int) cmap {
	if !g.isMap(l, k) {
		refuse("BUG: operand %d is no map", k)
	}
	l.reads = append(l.reads, read{l.in.In[k], nil})
	return g.cmap(l.in.In[k])
}

// moves says that the layer reads its map under a window.
func (g *generator) moves(l *layer, kernel, stride, dilation, pad [3]int, name string) {
	l.reads[0].window = &windowSize{kernel, stride, dilation, pad}
	g.use("rows_needed")
	l.conv = fmt.Sprintf("reads_%d", l.index)
	g.table("reads_t", l.conv, "in", fmt.Sprintf("&map_%d", l.in.In[0]), "out", fmt.Sprintf("&map_%d", l.in.Out[0]), "window", "&"+name+".window")
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

// table defines a constant with fields, names and values in turn. Those that are 0 or NULL are left out.
func (g *generator) table(kind, name string, fields ...any) {
	fmt.Fprintf(&g.tables, "static const %s %s = {", kind, name)
	column := 1 << 10
	for i := 0; i < len(fields); i += 2 {
		value := fmt.Sprint(fields[i+1])
		if m, ok := fields[i+1].(cmap); ok {
			value = fmt.Sprintf("&map_%d", m.buffer)
		}
		if value == "0" || value == "NULL" {
			continue
		}
		field := fmt.Sprintf(".%s = %s,", fields[i], value)
		if column+len(field) > 116 {
			g.tables.WriteString("\n   ")
			column = 3
		}
		g.tables.WriteString(" " + field)
		column += 1 + len(field)
	}
	g.tables.WriteString("\n};\n")
}
