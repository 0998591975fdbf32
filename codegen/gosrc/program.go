package gosrc

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/billnet/billnet/runtime"
	"github.com/billnet/billnet/runtime/billb"
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

func ints(v []int) string {
	s := make([]string, len(v))
	for i, x := range v {
		s[i] = strconv.Itoa(x)
	}
	return "[]int{" + strings.Join(s, ", ") + "}"
}

// float writes a number so that it reads back bit for bit.
func float(x float64) string {
	if math.IsNaN(x) || math.IsInf(x, 0) || x == 0 && math.Signbit(x) {
		return fmt.Sprintf("math.Float64frombits(%#x)", math.Float64bits(x))
	}
	return strconv.FormatFloat(x, 'g', -1, 64)
}

// params writes the parameters of an instruction as a literal, without what is
// zero.
func (w *writer) params(p billb.Params) string {
	return "&" + w.value(reflect.ValueOf(p).Elem())
}

func (w *writer) value(v reflect.Value) string {
	switch v.Kind() {
	case reflect.Float64:
		return float(v.Float())
	case reflect.Struct:
		var l literal
		for i := range v.NumField() {
			if f := v.Field(i); !f.IsZero() || f.Kind() == reflect.Float64 && math.Signbit(f.Float()) {
				l.add(v.Type().Field(i).Name, w.value(f))
			}
		}
		return w.billbName(v.Type().Name()) + l.String()
	case reflect.Array, reflect.Slice:
		list := make([]string, v.Len())
		for i := range list {
			list[i] = w.value(v.Index(i))
		}
		size := ""
		if v.Kind() == reflect.Array {
			size = strconv.Itoa(v.Len())
		}
		elem := v.Type().Elem().Name()
		if v.Type().Elem().PkgPath() != "" {
			elem = w.billbName(elem)
		}
		return "[" + size + "]" + elem + "{" + strings.Join(list, ", ") + "}"
	case reflect.Int:
		return strconv.FormatInt(v.Int(), 10)
	}
	return fmt.Sprint(v.Interface())
}

// NeedsMath reports whether the literals use package math.
func (m *model) NeedsMath() bool {
	w := &writer{lib: &library{packages: []*sourcePackage{{}, {}, {}}}}
	return slices.ContainsFunc(m.img.Code, func(in billb.Instr) bool { return in.Params != nil && strings.Contains(w.params(in.Params), "math.") })
}

func (w *writer) buffer(b billb.Buffer) string {
	var l literal
	l.add("Elem", w.billbName(elemNames[b.Elem]))
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
func (w *writer) geom(b billb.Buffer) string {
	g := b.Geom
	return fmt.Sprintf("%s{C: %d, T: %d, H: %d, W: %d, HT: %d, HH: %d, HW: %d, PT: %d, PH: %d, PW: %d}",
		w.kernelsName("Geom"), g.C, g.T, g.H, g.W, g.HT, g.HH, g.HW, g.PT, g.PH, g.PW)
}

// constant puts the elements into the file of weights, at a multiple of 8.
func (w *writer) constant(c billb.Const) string {
	for len(w.weights)%8 != 0 {
		w.weights = append(w.weights, 0)
	}
	at := len(w.weights)
	w.weights = append(w.weights, c.Data...)
	var l literal
	l.add("Elem", w.billbName(elemNames[c.Elem]))
	if c.Shape != nil {
		l.add("Shape", ints(c.Shape))
	}
	l.add("Data", fmt.Sprintf("weights[%d:%d]", at, len(w.weights)))
	return l.String()
}

func (w *writer) instruction(in billb.Instr) string {
	var l literal
	l.add("Op", w.billbName(w.ops.names[in.Op]))
	for _, list := range []struct {
		name string
		ids  []int
	}{{"In", in.In}, {"Out", in.Out}, {"Const", in.Const}} {
		if len(list.ids) > 0 {
			l.add(list.name, ints(list.ids))
		}
	}
	if in.Params != nil {
		l.add("Params", w.params(in.Params))
	}
	if in.Name != "" {
		l.add("Name", strconv.Quote(in.Name))
	}
	return l.String()
}
