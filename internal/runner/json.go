package runner

import (
	"fmt"
	"math"
	"strconv"
	"unicode/utf8"
)

// JSON is written and read by this file and json_read.go because the standard
// package, with the reflection that it needs, is several times as large as all
// that billrun wants of it.

// jsonWriter appends JSON to b. The caller sees to its structure: an object is
// filled by calls of key, each followed by a value.
type jsonWriter struct{ b []byte }

// object writes an object; members writes what is in it.
//
//go:noinline
func (w *jsonWriter) object(members func()) {
	w.b = append(w.b, '{')
	members()
	w.b = append(w.b, '}')
}

// key begins a member of an object. It is not inlined into the many calls, which
// are to be small.
//
//go:noinline
func (w *jsonWriter) key(name string) *jsonWriter {
	if w.b[len(w.b)-1] != '{' {
		w.b = append(w.b, ',')
	}
	w.string(name)
	w.b = append(w.b, ':')
	return w
}

// array writes an array of n elements, element i by item.
//
//go:noinline
func (w *jsonWriter) array(n int, item func(i int)) {
	w.b = append(w.b, '[')
	for i := range n {
		if i > 0 {
			w.b = append(w.b, ',')
		}
		item(i)
	}
	w.b = append(w.b, ']')
}

// string writes a string. What is not UTF-8 becomes U+FFFD.
func (w *jsonWriter) string(s string) {
	w.b = append(w.b, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			w.b = append(w.b, '\\', byte(r))
		case r < ' ':
			w.b = fmt.Appendf(w.b, `\u%04x`, r)
		default:
			w.b = utf8.AppendRune(w.b, r)
		}
	}
	w.b = append(w.b, '"')
}

//go:noinline
func (w *jsonWriter) int(n int) { w.b = strconv.AppendInt(w.b, int64(n), 10) }

func (w *jsonWriter) ints(list []int) { w.array(len(list), func(i int) { w.int(list[i]) }) }

func (w *jsonWriter) strings(list []string) { w.array(len(list), func(i int) { w.string(list[i]) }) }

// float writes a finite number; JSON has no others.
func (w *jsonWriter) float(v float64) {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		panic(fmt.Sprintf("%v in JSON", v))
	}
	w.b = strconv.AppendFloat(w.b, v, 'f', -1, 64)
}
