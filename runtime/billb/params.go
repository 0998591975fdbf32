package billb

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// Params is what an instruction is told besides its operands: a pointer to a
// struct of the type that its opcode's literal names (see Ops), nil for an
// operation that takes nothing.
//
// The struct is the schema. Its fields in their order, through the structs and
// arrays among them, are the numbers of the instruction in the file: float64
// fields the floats, all others the integers. An array has as many numbers as it
// says; all slices of integers of a struct are of one length, which follows from
// how many numbers there are, and so are all slices of floats. A bool is 0 or 1,
// an enumeration the number of one of its names. Other integers fit 31 bits and
// a sign; tags min, max and in (as in:"16,32") say what else is expected of them,
// name how they are called where that is not the field's name. Reading, writing,
// checking, printing and documenting instructions all follow from it.
type Params any

// Enum is an enumeration: a type of small integers with names.
type Enum interface{ names() []string }

func enumName(names []string, i int) string {
	if i >= 0 && i < len(names) {
		return names[i]
	}
	return strconv.Itoa(i)
}

// Parse returns the number of an enumeration that has a name.
func Parse[E interface {
	~int
	Enum
}](name string) (E, bool) {
	var e E
	i := slices.Index(e.names(), name)
	return E(max(i, 0)), i >= 0
}

// count is a number of integers and of floats.
type count struct{ ints, floats int }

func (c count) times(n int) count { return count{c.ints * n, c.floats * n} }
func (c count) plus(d count) count {
	return count{c.ints + d.ints, c.floats + d.floats}
}

// sizes is how many numbers a type has without its slices, and how many for
// every element of its slices.
func sizes(t reflect.Type) (fixed, each count) {
	switch t.Kind() {
	case reflect.Struct:
		for i := range t.NumField() {
			f, e := sizes(t.Field(i).Type)
			fixed, each = fixed.plus(f), each.plus(e)
		}
	case reflect.Array:
		f, e := sizes(t.Elem())
		fixed, each = f.times(t.Len()), e.times(t.Len())
	case reflect.Slice:
		each, _ = sizes(t.Elem())
	case reflect.Float64:
		fixed.floats = 1
	default:
		fixed.ints = 1
	}
	return fixed, each
}

// lengths returns how long the slices of a type are when it has so many numbers.
func lengths(t reflect.Type, have count) (count, error) {
	fixed, each := sizes(t)
	one := func(what string, have, fixed, each int) (int, error) {
		switch n := have - fixed; {
		case each == 0 && n != 0:
			return 0, errorf("%d %s, expected %d", have, what, fixed)
		case n < 0:
			return 0, errorf("%d %s, expected at least %d", have, what, fixed)
		case each > 0 && n%each != 0:
			return 0, errorf("%d %s, expected %d and a multiple of %d", have, what, fixed, each)
		case each > 0:
			return n / each, nil
		}
		return 0, nil
	}
	ints, err := one("integers", have.ints, fixed.ints, each.ints)
	if err != nil {
		return count{}, err
	}
	floats, err := one("floats", have.floats, fixed.floats, each.floats)
	return count{ints, floats}, err
}

// NewParams makes the parameters of an operation from the numbers of the file.
func NewParams(op Opcode, ints []int64, floats []float64) (Params, error) {
	o := op.Op()
	if o == nil {
		return nil, errUnknownOpcode
	}
	return decodeParams(o.params(), ints, floats)
}

// decodeParams makes the parameters of a type from numbers; nil of a nil type.
func decodeParams(t reflect.Type, ints []int64, floats []float64) (Params, error) {
	if t == nil {
		if len(ints)+len(floats) > 0 {
			return nil, errorf("%d integers and %d floats, expected none", len(ints), len(floats))
		}
		return nil, nil
	}
	n, err := lengths(t, count{len(ints), len(floats)})
	if err != nil {
		return nil, err
	}
	p := reflect.New(t)
	err = fields(p.Elem(), func(f *field) error {
		if f.value.Kind() == reflect.Slice {
			if k := f.length(n); k > 0 {
				f.value.Grow(k)
				f.value.SetLen(k)
			}
		}
		return f.leaves(func(v reflect.Value) error {
			switch v.Kind() {
			case reflect.Float64:
				v.SetFloat(floats[0])
				floats = floats[1:]
				return nil
			case reflect.Bool:
				if ints[0] != 0 && ints[0] != 1 {
					return errorf("%s is %d, expected 0 or 1", f.name, ints[0])
				}
				v.SetBool(ints[0] == 1)
			default:
				if ints[0] != int64(int32(ints[0])) || ints[0] == math.MinInt32 {
					return errorf("%s is %d: out of range", f.name, ints[0])
				}
				v.SetInt(ints[0])
			}
			ints = ints[1:]
			return f.check(v)
		})
	})
	if err != nil {
		return nil, err
	}
	return p.Interface(), nil
}

// encodeParams is the numbers of parameters that are checked.
func encodeParams(p Params) (ints []int64, floats []float64) {
	if p == nil {
		return nil, nil
	}
	fields(reflect.ValueOf(p).Elem(), func(f *field) error {
		return f.leaves(func(v reflect.Value) error {
			switch v.Kind() {
			case reflect.Float64:
				floats = append(floats, v.Float())
			case reflect.Bool:
				n := int64(0)
				if v.Bool() {
					n = 1
				}
				ints = append(ints, n)
			default:
				ints = append(ints, v.Int())
			}
			return nil
		})
	})
	return ints, floats
}

// checkParams reports parameters that are not of type t, have slices of
// different lengths, or numbers out of their range.
func checkParams(t reflect.Type, p Params) error {
	if p == nil || t == nil {
		if p != nil || t != nil {
			return errorf("the parameters are %T, expected %v", p, t)
		}
		return nil
	}
	v := reflect.ValueOf(p)
	if v.Kind() != reflect.Pointer || v.Type().Elem() != t || v.IsNil() {
		return errorf("the parameters are %T, expected *%v", p, t)
	}
	var ints, floats int
	err := fields(v.Elem(), func(f *field) error {
		return f.leaves(func(v reflect.Value) error {
			if v.Kind() == reflect.Float64 {
				floats++
				return nil
			}
			if ints++; v.Kind() == reflect.Int && (v.Int() < -maxElems || v.Int() > maxElems) {
				return limitf("%s is %d: out of range", f.name, v.Int())
			}
			return f.check(v)
		})
	})
	if err != nil {
		return err
	}
	n, err := lengths(t, count{ints, floats})
	if err != nil {
		return err
	}
	if max(ints, floats) > maxParams {
		return errorf("%d integers and %d floats, expected at most %d", ints, floats, maxParams)
	}
	return fields(v.Elem(), func(f *field) error {
		if f.value.Kind() != reflect.Slice {
			return nil
		}
		if want := f.length(n); f.value.Len() != want {
			return errorf("%s has %d elements, expected as many as the other lists", f.name, f.value.Len())
		}
		return nil
	})
}

// length is how many elements a slice has.
func (f *field) length(n count) int {
	if _, each := sizes(f.value.Type()); each.floats > 0 {
		return n.floats
	}
	return n.ints
}

// field is a field of parameters that is no struct of its own.
type field struct {
	name   string
	value  reflect.Value // of elements of one type, or one element
	ranged bool
	lo, hi int64
	in     []int64 // the values that are expected; nil: lo to hi
}

// fields calls f for the fields in order, through nested structs, and returns
// the first error.
func fields(v reflect.Value, f func(f *field) error) error {
	for i := range v.NumField() {
		t := v.Type().Field(i)
		if v.Field(i).Kind() == reflect.Struct {
			if err := fields(v.Field(i), f); err != nil {
				return err
			}
			continue
		}
		one := &field{value: v.Field(i)}
		one.read(t)
		if err := f(one); err != nil {
			return err
		}
	}
	return nil
}

// read reads name and tags.
func (f *field) read(t reflect.StructField) {
	if f.name = t.Tag.Get("name"); f.name == "" {
		f.name = snake(t.Name)
	}
	f.lo, f.hi = -maxElems, maxElems
	if s, ok := t.Tag.Lookup("min"); ok {
		f.lo, _ = strconv.ParseInt(s, 10, 64)
		f.ranged = true
	}
	if s, ok := t.Tag.Lookup("max"); ok {
		f.hi, _ = strconv.ParseInt(s, 10, 64)
		f.ranged = true
	}
	if s, ok := t.Tag.Lookup("in"); ok {
		for one := range strings.SplitSeq(s, ",") {
			n, _ := strconv.ParseInt(one, 10, 64)
			f.in = append(f.in, n)
		}
	}
}

// snake is a Go name in lower case with underscores.
func snake(name string) string {
	var b strings.Builder
	for i, r := range name {
		if r >= 'A' && r <= 'Z' {
			if i > 0 {
				b.WriteByte('_')
			}
			r += 'a' - 'A'
		}
		b.WriteRune(r)
	}
	return b.String()
}

// leaves calls each for the numbers of the field in order.
func (f *field) leaves(each func(v reflect.Value) error) error { return leaves(f.value, each) }

func leaves(v reflect.Value, each func(v reflect.Value) error) error {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if err := leaves(v.Field(i), each); err != nil {
				return err
			}
		}
	case reflect.Array, reflect.Slice:
		for i := range v.Len() {
			if err := leaves(v.Index(i), each); err != nil {
				return err
			}
		}
	default:
		return each(v)
	}
	return nil
}

// check reports an integer that is not what the tags or its names expect.
func (f *field) check(v reflect.Value) error {
	if v.Kind() != reflect.Int {
		return nil
	}
	n := v.Int()
	if e, ok := v.Interface().(Enum); ok && (n < 0 || n >= int64(len(e.names()))) {
		return errorf("%s is %d, expected 0 to %d (%s)", f.name, n, len(e.names())-1, strings.Join(e.names(), ", "))
	}
	switch {
	case f.in != nil && !slices.Contains(f.in, n):
		return errorf("%s is %d, expected %s", f.name, n, strings.Trim(fmt.Sprint(f.in), "[]"))
	case f.in == nil && (n < f.lo || n > f.hi) && f.hi == maxElems:
		return errorf("%s is %d, expected at least %d", f.name, n, f.lo)
	case f.in == nil && (n < f.lo || n > f.hi):
		return errorf("%s is %d, expected %d to %d", f.name, n, f.lo, f.hi)
	}
	return nil
}

// paramsText prints parameters as name=value,value ...
func paramsText(p Params) string {
	if p == nil {
		return ""
	}
	var s []string
	fields(reflect.ValueOf(p).Elem(), func(f *field) error {
		if text := valueText(f.value); text != "" {
			s = append(s, f.name+"="+text)
		}
		return nil
	})
	return strings.Join(s, " ")
}

// valueText prints a field: the elements of lists between commas, the numbers of
// an element that has several between slashes.
func valueText(v reflect.Value) string {
	var parts []string
	switch v.Kind() {
	case reflect.Array, reflect.Slice:
		for i := range v.Len() {
			parts = append(parts, valueText(v.Index(i)))
		}
		return strings.Join(parts, ",")
	case reflect.Struct:
		for i := range v.NumField() {
			parts = append(parts, valueText(v.Field(i)))
		}
		return strings.Join(parts, "/")
	}
	return fmt.Sprint(v.Interface())
}

// schema describes a type: the names of its numbers in order with how many each
// stands for (*3; *n for a list) and what is expected of them, floats behind a
// semicolon.
func schema(t reflect.Type) string {
	if t == nil {
		return ""
	}
	var ints, floats []string
	fields(reflect.New(t).Elem(), func(f *field) error {
		text, isFloat := f.schema()
		if isFloat {
			floats = append(floats, text)
		} else {
			ints = append(ints, text)
		}
		return nil
	})
	text := strings.Join(ints, " ")
	if floats != nil {
		text += "; " + strings.Join(floats, " ")
	}
	return strings.TrimPrefix(text, "; ")
}

func (f *field) schema() (text string, isFloat bool) {
	text = f.name
	t := f.value.Type()
	switch t.Kind() {
	case reflect.Array:
		text += "*" + strconv.Itoa(t.Len())
		t = t.Elem()
	case reflect.Slice:
		text += "*n"
		t = t.Elem()
	}
	if t.Kind() == reflect.Struct {
		one := schema(t)
		return text + "(" + one + ")", t.Field(0).Type.Kind() == reflect.Float64
	}
	zero := reflect.Zero(t)
	e, isEnum := zero.Interface().(Enum)
	switch {
	case t.Kind() == reflect.Float64:
		return text, true
	case t.Kind() == reflect.Bool:
		text += "=0|1"
	case isEnum:
		text += "=" + strings.Join(e.names(), "|")
	case f.in != nil:
		text += "=" + strings.ReplaceAll(strings.Trim(fmt.Sprint(f.in), "[]"), " ", "|")
	case f.ranged && f.hi == maxElems:
		text += ">=" + strconv.FormatInt(f.lo, 10)
	case f.ranged:
		text += "=" + strconv.FormatInt(f.lo, 10) + ".." + strconv.FormatInt(f.hi, 10)
	}
	return text, false
}

// SameParams reports whether parameters are the same numbers, bit for bit.
func SameParams(a, b Params) bool {
	ai, af := encodeParams(a)
	bi, bf := encodeParams(b)
	return reflect.TypeOf(a) == reflect.TypeOf(b) && slices.Equal(ai, bi) &&
		slices.EqualFunc(af, bf, func(x, y float64) bool { return math.Float64bits(x) == math.Float64bits(y) })
}
