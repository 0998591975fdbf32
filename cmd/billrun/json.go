package main

import (
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// JSON is written and read by this file and json_read.go because the standard
// package is several times as large as all that billrun needs of it.

// object is a JSON object, its members in this order.
type object []member

type member struct {
	name  string
	value any // of a type that appendJSON knows
}

// literal is a value that is JSON already.
type literal []byte

// appendJSON appends a value of one of the types below. Any other is a fault of
// the program. Numbers that JSON does not have become strings.
func appendJSON(b []byte, value any) []byte {
	switch v := value.(type) {
	case string:
		return appendString(b, v)
	case int:
		return strconv.AppendInt(b, int64(v), 10)
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return strconv.AppendQuote(b, strconv.FormatFloat(v, 'g', -1, 64))
		}
		return strconv.AppendFloat(b, v, 'f', -1, 64)
	case literal:
		return append(b, v...)
	case object:
		b = append(b, '{')
		for i, m := range v {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(appendString(b, m.name), ':')
			b = appendJSON(b, m.value)
		}
		return append(b, '}')
	case []object:
		return appendArray(b, v)
	case []string:
		return appendArray(b, v)
	case []int:
		return appendArray(b, v)
	case map[string]string:
		o := object{}
		keys := slices.Collect(maps.Keys(v))
		slices.SortFunc(keys, strings.Compare)
		for _, k := range keys {
			o = append(o, member{k, v[k]})
		}
		return appendJSON(b, o)
	}
	panic(fmt.Sprintf("%T in JSON", value))
}

func appendArray[T any](b []byte, list []T) []byte {
	b = append(b, '[')
	for i, v := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendJSON(b, v)
	}
	return append(b, ']')
}

// appendString quotes a string. What is not UTF-8 becomes U+FFFD.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case r < ' ':
			b = fmt.Appendf(b, `\u%04x`, r)
		default:
			b = utf8.AppendRune(b, r)
		}
	}
	return append(b, '"')
}

// writeJSON writes an object on one line.
func writeJSON(w io.Writer, o object) error {
	_, err := w.Write(append(appendJSON(nil, o), '\n'))
	return err
}
