package gosrc

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/billnet/billnet/runtime"
)

// The functions below write parts of the program as Go literals.

// elemNames are the runtime's constants for element types.
var elemNames = map[runtime.Elem]string{
	runtime.F32: "F32", runtime.F64: "F64", runtime.U8: "U8", runtime.I8: "I8", runtime.U16: "U16", runtime.I16: "I16", runtime.U32: "U32", runtime.I32: "I32",
	runtime.U64: "U64", runtime.I64: "I64", runtime.Bool: "Bool", runtime.Bit: "Bit", runtime.SBit: "SBit", runtime.Tern: "Tern",
}

// planeElem is the kernels' constant for planes of an element type.
func planeElem(e runtime.Elem) string {
	if e == runtime.SBit {
		e = runtime.Bit
	}
	return elemNames[e]
}

// literal collects the fields of a composite literal and leaves out zero values.
type literal struct{ fields []string }

func (l *literal) add(name, value string) { l.fields = append(l.fields, name+": "+value) }

func (l *literal) String() string { return "{" + strings.Join(l.fields, ", ") + "}" }

func ints[T int | int64](v []T) string {
	s := make([]string, len(v))
	for i, x := range v {
		s[i] = fmt.Sprint(x)
	}
	var t T
	return fmt.Sprintf("[]%T{%s}", t, strings.Join(s, ", "))
}

// floats writes numbers so that they read back bit for bit.
func floats(v []float64) string {
	s := make([]string, len(v))
	for i, x := range v {
		switch {
		case math.IsNaN(x) || math.IsInf(x, 0) || x == 0 && math.Signbit(x):
			s[i] = fmt.Sprintf("math.Float64frombits(%#x)", math.Float64bits(x))
		default:
			s[i] = strconv.FormatFloat(x, 'g', -1, 64)
		}
	}
	return "[]float64{" + strings.Join(s, ", ") + "}"
}

// NeedsMath reports whether the literals use package math.
func (m *model) NeedsMath() bool {
	for _, in := range m.img.Code {
		if strings.Contains(floats(in.Floats), "math.") {
			return true
		}
	}
	return false
}

func (w *writer) buffer(b runtime.Buffer) string {
	var l literal
	l.add("Elem", w.runtimeName(elemNames[b.Elem]))
	if b.Shape != nil {
		l.add("Shape", ints(b.Shape))
	}
	if b.Planes {
		l.add("Planes", "true")
		l.add("Geom", w.geom(b))
	}
	if b.Offset != 0 {
		l.add("Offset", strconv.Itoa(b.Offset))
	}
	return l.String()
}

// geom is the geometry of a buffer.
func (w *writer) geom(b runtime.Buffer) string {
	g := b.Geom
	return fmt.Sprintf("%s{C: %d, T: %d, H: %d, W: %d, HT: %d, HH: %d, HW: %d, PT: %d, PH: %d, PW: %d}",
		w.kernelsName("Geom"), g.C, g.T, g.H, g.W, g.HT, g.HH, g.HW, g.PT, g.PH, g.PW)
}

// constant puts the elements into the file of weights, at a multiple of 8.
func (w *writer) constant(c runtime.Const) string {
	for len(w.weights)%8 != 0 {
		w.weights = append(w.weights, 0)
	}
	at := len(w.weights)
	w.weights = append(w.weights, c.Data...)
	var l literal
	l.add("Elem", w.runtimeName(elemNames[c.Elem]))
	if c.Shape != nil {
		l.add("Shape", ints(c.Shape))
	}
	l.add("Data", fmt.Sprintf("weights[%d:%d]", at, len(w.weights)))
	return l.String()
}

func (w *writer) instruction(in runtime.Instr) string {
	var l literal
	l.add("Op", w.runtimeName(w.ops.names[in.Op]))
	for _, list := range []struct {
		name string
		ids  []int
	}{{"In", in.In}, {"Out", in.Out}, {"Const", in.Const}} {
		if len(list.ids) > 0 {
			l.add(list.name, ints(list.ids))
		}
	}
	if len(in.Ints) > 0 {
		l.add("Ints", ints(in.Ints))
	}
	if len(in.Floats) > 0 {
		l.add("Floats", floats(in.Floats))
	}
	if in.Name != "" {
		l.add("Name", strconv.Quote(in.Name))
	}
	return l.String()
}
