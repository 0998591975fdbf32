package ir

import (
	"fmt"
	"hash/crc32"
	"math"
	"sort"
	"strconv"
	"strings"
)

// InlineElems is the largest constant that the text form writes in place.
// Larger ones that are not a splat go to the side file.
const InlineElems = 16

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Checksum is the CRC-32C of a side file.
func Checksum(data []byte) uint32 { return crc32.Checksum(data, castagnoli) }

// Print returns the text form of a module and the side file that holds its
// large constants, nil when there are none. dataName is the side file's name as
// the text refers to it; with an empty dataName large constants are elided and
// the text is for reading only.
func Print(m *Module, dataName string) (text string, data []byte) {
	return (&printer{elide: dataName == "", offsets: map[*Tensor]int{}}).module(m, dataName)
}

// PrintWhole returns the text form of a module with all constants in it, which
// needs no side file.
func PrintWhole(m *Module) string {
	text, _ := (&printer{whole: true}).module(m, "")
	return text
}

func (p *printer) module(m *Module, dataName string) (text string, data []byte) {
	for _, f := range m.All() {
		p.fn(f)
	}
	var h strings.Builder
	fmt.Fprintf(&h, "bill 1\nmodule %s level=%s\n", strconv.Quote(m.Name), m.Level)
	keys := make([]string, 0, len(m.Meta))
	for k := range m.Meta {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	for _, k := range keys {
		fmt.Fprintf(&h, "meta %s %s\n", strconv.Quote(k), strconv.Quote(m.Meta[k]))
	}
	if m.Labels != nil {
		h.WriteString("labels " + quoteList(m.Labels) + "\n")
	}
	if len(p.data) > 0 {
		fmt.Fprintf(&h, "data %s size=%d crc32c=%d\n", strconv.Quote(dataName), len(p.data), Checksum(p.data))
	}
	return h.String() + p.b.String(), p.data
}

// PrintFunc returns the text of a function and of the bodies in it, with large
// constants elided.
func PrintFunc(f *Func) string {
	p := &printer{elide: true}
	for _, g := range f.WithBodies() {
		p.fn(g)
	}
	return p.b.String()
}

type printer struct {
	b       strings.Builder
	elide   bool // large constants are left out
	whole   bool // large constants are in place
	data    []byte
	offsets map[*Tensor]int
	ids     map[*Value]int
}

func (p *printer) id(v *Value) string {
	if v == nil {
		return "_"
	}
	id, ok := p.ids[v]
	if !ok {
		return "%?"
	}
	return "%" + strconv.Itoa(id)
}

func (p *printer) define(v *Value) string {
	p.ids[v] = len(p.ids)
	return p.id(v)
}

func (p *printer) fn(f *Func) {
	p.ids = map[*Value]int{}
	fmt.Fprintf(&p.b, "\nfunc @%s(", f.Name)
	for i, q := range f.Params {
		if i > 0 {
			p.b.WriteString(", ")
		}
		fmt.Fprintf(&p.b, "%s %s: %s", p.define(q.Value), strconv.Quote(q.Name), q.Value.Type)
	}
	p.b.WriteString(") {\n")
	for _, n := range f.Nodes {
		p.node(n)
	}
	p.b.WriteString("  return ")
	for i, r := range f.Results {
		if i > 0 {
			p.b.WriteString(", ")
		}
		fmt.Fprintf(&p.b, "%s %s", p.id(r.Value), strconv.Quote(r.Name))
	}
	p.b.WriteString("\n}\n")
}

func (p *printer) node(n *Node) {
	args := make([]string, len(n.Args))
	for i, a := range n.Args {
		args[i] = p.id(a)
	}
	p.b.WriteString("  ")
	for i, r := range n.Results {
		if i > 0 {
			p.b.WriteString(", ")
		}
		p.b.WriteString(p.define(r))
	}
	p.b.WriteString(" = " + n.Op.Name)
	if len(args) > 0 {
		p.b.WriteString(" " + strings.Join(args, ", "))
	}
	if n.Const != nil {
		p.b.WriteString(" " + p.constant(n.Const))
	}
	if len(n.Attrs) > 0 {
		p.b.WriteString(" {" + attrString(n) + "}")
	}
	p.b.WriteString(" : ")
	for i, r := range n.Results {
		if i > 0 {
			p.b.WriteString(", ")
		}
		p.b.WriteString(r.Type.String())
	}
	if n.Loc.Name != "" {
		fmt.Fprintf(&p.b, " loc(%s)", strconv.Quote(n.Loc.Name))
	}
	p.b.WriteByte('\n')
}

func (p *printer) constant(t *Tensor) string {
	if v, ok := t.Splat(); ok && t.Len() > 1 && t.Type.DType != I64 && t.Type.DType != U64 {
		return "splat " + formatFloat(v)
	}
	if t.Len() <= InlineElems || p.whole {
		s := make([]string, t.Len())
		for i := range s {
			if t.HoldsInts() {
				s[i] = strconv.FormatInt(t.Int(i), 10)
			} else {
				s[i] = formatFloat(t.Float(i))
			}
		}
		return "[" + strings.Join(s, ", ") + "]"
	}
	if p.elide {
		return "..."
	}
	off, ok := p.offsets[t]
	if !ok {
		for len(p.data)%8 != 0 {
			p.data = append(p.data, 0)
		}
		off = len(p.data)
		p.offsets[t] = off
		p.data = append(p.data, t.Data()...)
	}
	return "@" + strconv.Itoa(off)
}

// formatFloat writes the shortest text that parses back to the same float64.
func formatFloat(v float64) string {
	switch {
	case v != v:
		return "nan"
	case math.IsInf(v, 1):
		return "inf"
	case math.IsInf(v, -1):
		return "-inf"
	}
	return strconv.FormatFloat(v, 'g', -1, 64)
}

func attrString(n *Node) string {
	var parts []string
	for _, a := range n.Op.Attrs {
		if v, ok := n.Attrs[a.Name]; ok {
			parts = append(parts, a.Name+"="+formatAttr(v))
		}
	}
	return strings.Join(parts, ", ")
}

func formatAttr(v any) string {
	list := func(n int, at func(i int) string) string {
		s := make([]string, n)
		for i := range s {
			s[i] = at(i)
		}
		return "[" + strings.Join(s, ",") + "]"
	}
	switch v := v.(type) {
	case int:
		return strconv.Itoa(v)
	case float64:
		return formatFloat(v)
	case string:
		return strconv.Quote(v)
	case bool:
		return strconv.FormatBool(v)
	case []int:
		return list(len(v), func(i int) string { return strconv.Itoa(v[i]) })
	case []float64:
		return list(len(v), func(i int) string { return formatFloat(v[i]) })
	case []string:
		return list(len(v), func(i int) string { return strconv.Quote(v[i]) })
	case *Func:
		return "@" + v.Name
	}
	panic(fmt.Sprintf("ir: attribute of type %T", v))
}

func quoteList(s []string) string {
	q := make([]string, len(s))
	for i := range s {
		q[i] = strconv.Quote(s[i])
	}
	return strings.Join(q, ", ")
}
