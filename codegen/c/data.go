package c

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/billnet/billnet/runtime/billb"
)

// data collects the constants: definitions for the file of weights, declarations
// for the code.
type data struct {
	name         string // prefix of the network
	definitions  bytes.Buffer
	declarations bytes.Buffer
	bytes        int
	known        map[string]string // names by definition
}

// constant is a constant of the image in the form of a dense tensor.
type constant struct {
	name  string
	elem  billb.Elem
	shape []int
}

// add defines an array and returns its name. Equal arrays are one, and one of no
// elements, which C does not have, gets one. what says what it is.
func (d *data) add(cType string, width int, what string, values []string) string {
	if len(values) == 0 {
		values = []string{"0"}
	}
	text := strings.Join(values, ",")
	if d.known == nil {
		d.known = map[string]string{}
	}
	if name, ok := d.known[cType+" "+text]; ok {
		return name
	}
	name := fmt.Sprintf("%s_%s_%d", d.name, role(what), len(d.known))
	d.known[cType+" "+text] = name
	d.bytes += width * len(values)
	fmt.Fprintf(&d.declarations, "extern const %s %s[%d];\n", cType, name, len(values))
	fmt.Fprintf(&d.definitions, "\n/* %s */\nextern const %s %s[%d];\nconst %s %s[%d] = {", comment(what), cType, name, len(values), cType, name, len(values))
	column := 0
	for i, v := range values {
		if i == 0 || column+len(v)+2 > 110 {
			d.definitions.WriteString("\n    ")
			column = 4
		} else {
			d.definitions.WriteByte(' ')
			column++
		}
		d.definitions.WriteString(v + ",")
		column += len(v) + 1
	}
	d.definitions.WriteString("\n};\n")
	return name
}

// role is a word for what a constant is, of "layer: role, more".
func role(what string) string {
	at := strings.LastIndex(what, ": ")
	if at < 0 {
		return "data"
	}
	word, _, _ := strings.Cut(what[at+2:], ",")
	return strings.Map(func(r rune) rune {
		if r < 'a' || r > 'z' {
			return '_'
		}
		return r
	}, strings.ToLower(word))
}

// comment makes text safe inside a comment.
func comment(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, s)
	s = strings.ReplaceAll(s, "??", "? ?") // no trigraphs
	return strings.NewReplacer("*/", "* /", "/*", "/ *").Replace(s)
}

func (d *data) words(what string, v []uint32) string {
	s := make([]string, len(v))
	for i, x := range v {
		s[i] = fmt.Sprintf("%#xu", x)
	}
	return d.add("uint32_t", 4, what, s)
}

func (d *data) uint8s(what string, v []byte) string {
	s := make([]string, len(v))
	for i, x := range v {
		s[i] = strconv.Itoa(int(x))
	}
	return d.add("uint8_t", 1, what, s)
}

func (d *data) int8s(what string, v []int64) string { return d.ints("int8_t", 1, what, v) }

func (d *data) int16s(what string, v []int64) string { return d.ints("int16_t", 2, what, v) }

func (d *data) int32s(what string, v []int64) string { return d.ints("int32_t", 4, what, v) }

func (d *data) ints(cType string, width int, what string, v []int64) string {
	s := make([]string, len(v))
	for i, x := range v {
		s[i] = integer(x)
	}
	return d.add(cType, width, what, s)
}

// integer is a number as a C constant of a type that holds it.
func integer(x int64) string {
	switch {
	case x == math.MinInt64:
		return "(-9223372036854775807LL - 1)"
	case x == math.MinInt32:
		return "(-2147483647 - 1)"
	case x > math.MaxInt32 || x < math.MinInt32:
		return fmt.Sprintf("%dLL", x)
	}
	return strconv.FormatInt(x, 10)
}

// float is a number of a float type as a C constant that is the same bits, in
// decimal digits: C99 reads them exactly rounded.
func float(e billb.Elem, x float64) string {
	bits, suffix := 64, ""
	if e == billb.F32 {
		bits, suffix = 32, "f"
	}
	if math.IsNaN(x) || math.IsInf(x, 0) {
		refuse("a constant is %v, which C99 has no constant for", x)
	}
	s := strconv.FormatFloat(x, 'g', -1, bits)
	if !strings.ContainsAny(s, ".e") {
		s += ".0"
	}
	return s + suffix
}

// values reads a constant of the image as numbers.
func values(c *billb.Const) (ints []int64, floats []float64) {
	if c.Form == billb.Bytes {
		return c.Ints(), nil
	}
	if c.Form != billb.Plain {
		for _, x := range c.Floats() {
			floats = append(floats, float64(x))
		}
		return nil, floats
	}
	n := billb.Product(c.Shape)
	bit := func(plane []byte, i int) int64 { return int64(plane[i/8] >> (i % 8) & 1) }
	for i := range n {
		switch w := c.Elem.Width(); c.Elem {
		case billb.Bit:
			ints = append(ints, bit(c.Data, i))
		case billb.SBit:
			ints = append(ints, 2*bit(c.Data, i)-1)
		case billb.Tern:
			half := len(c.Data) / 2
			ints = append(ints, 2*bit(c.Data[:half], i)-bit(c.Data[half:], i))
		case billb.F32:
			floats = append(floats, float64(math.Float32frombits(binary.LittleEndian.Uint32(c.Data[4*i:]))))
		case billb.F64:
			floats = append(floats, math.Float64frombits(binary.LittleEndian.Uint64(c.Data[8*i:])))
		default:
			var b [8]byte
			copy(b[:], c.Data[w*i:w*i+w])
			v := int64(binary.LittleEndian.Uint64(b[:]))
			if lo, _ := c.Elem.Range(); lo < 0 {
				v = v << (64 - 8*w) >> (64 - 8*w)
			}
			ints = append(ints, v)
		}
	}
	return ints, floats
}

// constant returns constant k of the image as a dense tensor.
func (g *generator) constant(k int) constant {
	if c, ok := g.consts[k]; ok {
		return c
	}
	v := &g.img.Consts[k]
	what := v.Elem.String() + billb.ShapeString(v.Shape)
	ints, floats := values(v)
	var s []string
	for _, x := range ints {
		if v.Elem == billb.U64 && x < 0 {
			refuse("a constant of u64 beyond 2^63")
		}
		s = append(s, integer(x))
	}
	for _, x := range floats {
		s = append(s, float(v.Elem, x))
	}
	c := constant{g.data.add(cType(v.Elem), v.Elem.Width(), what, s), v.Elem, v.Shape}
	g.consts[k] = c
	return c
}

// integers are the values of a layer's constant operand, nil when it is left out.
func (g *generator) integers(l *layer, name string) []int64 {
	k := l.in.Constant(name)
	if k < 0 {
		return nil
	}
	ints, _ := values(&g.img.Consts[k])
	return ints
}

// thresholds defines the constants t and flip of n channels and returns their
// names, NULL without thresholds.
func (g *generator) thresholds(l *layer, t, flip string, n int) (string, string) {
	ts, words := g.thresholdsOf(l, t, flip, n)
	if ts == nil {
		return "NULL", "NULL"
	}
	return g.data.int32s(l.in.Name+": thresholds", ts), g.data.words(l.in.Name+": flips", words)
}

// thresholdsOf are the values of the constants t and flip of n channels, nil without
// thresholds.
func (g *generator) thresholdsOf(l *layer, t, flip string, n int) ([]int64, []uint32) {
	ts := g.integers(l, t)
	if ts == nil {
		return nil, nil
	}
	if len(ts) == 1 {
		for len(ts) < n {
			ts = append(ts, ts[0])
		}
	}
	words := make([]uint32, (n+31)/32)
	for i, f := range g.integers(l, flip) {
		words[i/32] |= uint32(f) << (i % 32)
	}
	return ts, words
}
