package clip

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
)

// NPY is an array of a NumPy .npy file.
type NPY struct {
	DType string // bool u8 i8 u16 i16 u32 i32 u64 i64 f16 f32 f64 c64 c128, and bf16 and v8, see npyTypes
	Shape []int  // empty for a scalar
	Data  []byte // little-endian, C order (last axis fastest)
}

// npyTypes maps our names to NumPy's kind and size in bytes.
var npyTypes = []struct {
	name string
	kind byte
	size int
}{
	{"bool", 'b', 1}, {"u8", 'u', 1}, {"i8", 'i', 1}, {"u16", 'u', 2}, {"i16", 'i', 2}, {"u32", 'u', 4}, {"i32", 'i', 4},
	{"u64", 'u', 8}, {"i64", 'i', 8}, {"f16", 'f', 2}, {"f32", 'f', 4}, {"f64", 'f', 8}, {"c64", 'c', 8}, {"c128", 'c', 16},
	// Types that NumPy does not know are written as bytes without a meaning:
	// bfloat16, and integers of less than a byte, each in one.
	{"bf16", 'V', 2}, {"v8", 'V', 1},
}

// itemSize is the size of an element in bytes, 0 for an unknown type.
//
//go:noinline
func itemSize(dtype string) int {
	for _, t := range npyTypes {
		if t.name == dtype {
			return t.size
		}
	}
	return 0
}

// npyHeader is what stands before the data.
type npyHeader struct {
	dtype   string
	swap    bool // big-endian
	fortran bool
	shape   []int
	count   int   // elements
	bytes   int64 // of header and magic
}

func (h npyHeader) dataBytes() int64 { return int64(h.count) * int64(itemSize(h.dtype)) }

const npyMagic = "\x93NUMPY"

// readNPYHeader reads versions 1.0 to 3.0, and not a byte more than the header.
func readNPYHeader(r io.Reader) (npyHeader, error) {
	var h npyHeader
	pre := make([]byte, 8)
	if n, err := io.ReadFull(r, pre); err != nil || string(pre[:6]) != npyMagic {
		if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			return h, err
		}
		return h, errorf("not an .npy file: it begins with %q, not %q", pre[:n], npyMagic)
	}
	var size int64
	lenBytes := 2
	if pre[6] > 1 {
		lenBytes = 4
	}
	if pre[6] < 1 || pre[6] > 3 {
		return h, errorf(".npy version %d.%d: only 1.0 to 3.0 are known", pre[6], pre[7])
	}
	b, err := readN(r, int64(lenBytes))
	if err != nil {
		return h, errorf(".npy header: %w", err)
	}
	for i, v := range b {
		size |= int64(v) << (8 * i)
	}
	if size > 1<<16 {
		return h, errorf(".npy header of %d bytes: more than 65536 is refused", size)
	}
	text, err := readN(r, size)
	if err != nil {
		return h, errorf(".npy header: %w", err)
	}
	h.bytes = 8 + int64(lenBytes) + size
	if err := h.parse(string(text)); err != nil {
		return h, errorf(".npy header %.120q: %w", strings.TrimSpace(string(text)), err)
	}
	return h, nil
}

// parse reads the Python dict literal {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }.
func (h *npyHeader) parse(s string) error {
	next := func(lit string) bool {
		s = strings.TrimLeft(s, " \t\r\n")
		rest, ok := strings.CutPrefix(s, lit)
		if ok {
			s = rest
		}
		return ok
	}
	quoted := func() (string, bool) {
		for _, q := range []string{"'", `"`} {
			if next(q) {
				v, rest, ok := strings.Cut(s, q)
				s = rest
				return v, ok
			}
		}
		return "", false
	}
	seen := map[string]bool{}
	if !next("{") {
		return errorf("'{' expected")
	}
	for !next("}") {
		key, ok := quoted()
		if !ok || !next(":") || seen[key] {
			return errorf("a new key and ':' expected at %.20q", s)
		}
		seen[key] = true
		switch key {
		case "descr":
			if next("[") {
				return errorf("structured types are not read: save one field as a plain array")
			}
			d, ok := quoted()
			if !ok {
				return errorf("a quoted descr expected at %.20q", s)
			}
			if err := h.descr(d); err != nil {
				return err
			}
		case "fortran_order":
			switch {
			case next("True"):
				h.fortran = true
			case !next("False"):
				return errorf("True or False expected at %.20q", s)
			}
		case "shape":
			if !next("(") {
				return errorf("'(' expected at %.20q", s)
			}
			h.shape = []int{}
			for !next(")") {
				s = strings.TrimLeft(s, " \t\r\n")
				n := len(s) - len(strings.TrimLeft(s, "0123456789"))
				d, err := strconv.Atoi(s[:n])
				if err != nil || len(h.shape) == 64 {
					return errorf("up to 64 whole sizes expected at %.20q", s)
				}
				s = s[n:]
				next("L") // Python 2 wrote long integers so
				h.shape = append(h.shape, d)
				if !next(",") && !strings.HasPrefix(strings.TrimLeft(s, " \t\r\n"), ")") {
					return errorf("',' or ')' expected at %.20q", s)
				}
			}
		default:
			return errorf("unknown key %q", key)
		}
		if !next(",") && !strings.HasPrefix(strings.TrimLeft(s, " \t\r\n"), "}") {
			return errorf("',' or '}' expected at %.20q", s)
		}
	}
	if strings.TrimSpace(s) != "" {
		return errorf("text %.20q after the '}'", s)
	}
	for _, k := range []string{"descr", "fortran_order", "shape"} {
		if !seen[k] {
			return errorf("key %q is missing", k)
		}
	}
	if h.count = product(h.shape); h.count < 0 {
		return errorf("shape %v has too many elements", h.shape)
	}
	return nil
}

func (h *npyHeader) descr(d string) error {
	if len(d) >= 3 && strings.ContainsRune("<>|=", rune(d[0])) {
		for _, t := range npyTypes {
			if d[1] == t.kind && d[2:] == strconv.Itoa(t.size) {
				h.dtype, h.swap = t.name, d[0] == '>' && t.size > 1
				return nil
			}
		}
	}
	if strings.Contains(d, "O") {
		return errorf("type %q holds pickled Python objects: save a numeric array", d)
	}
	return errorf("type %q is not read: bool, integers, floats and complex numbers are", d)
}

// fix brings data as stored to little-endian C order. shape is that of the part in data.
func (h npyHeader) fix(data []byte, shape []int) []byte {
	size := itemSize(h.dtype)
	if h.swap {
		unit := size
		if h.dtype[0] == 'c' { // two floats
			unit /= 2
		}
		for i := 0; i < len(data); i += unit {
			slices.Reverse(data[i : i+unit])
		}
	}
	if !h.fortran || len(shape) < 2 || len(data) == 0 {
		return data
	}
	// Walk the result in C order, with the strides of Fortran order in the source.
	strides := make([]int, len(shape))
	n := size
	for i, d := range shape {
		strides[i] = n
		n *= d
	}
	out := make([]byte, 0, len(data))
	index := make([]int, len(shape))
	for at := 0; len(out) < len(data); {
		out = append(out, data[at:at+size]...)
		for k := len(shape) - 1; k >= 0; k-- {
			at += strides[k]
			if index[k]++; index[k] < shape[k] {
				break
			}
			at -= strides[k] * shape[k]
			index[k] = 0
		}
	}
	return out
}

// ReadNPY reads one array and nothing after it. limit bounds the bytes of data; 0 = DefaultLimit.
func ReadNPY(r io.Reader, limit int64) (*NPY, error) {
	h, err := readNPYHeader(r)
	if err != nil {
		return nil, err
	}
	if limit = (Options{Limit: limit}).limit(); h.dataBytes() > limit {
		return nil, errorf(".npy array %s%v takes %d bytes, more than the limit of %d", h.dtype, h.shape, h.dataBytes(), limit)
	}
	data, err := readN(r, h.dataBytes())
	if err != nil {
		return nil, errorf(".npy array %s%v: %w", h.dtype, h.shape, err)
	}
	return &NPY{h.dtype, h.shape, h.fix(data, h.shape)}, nil
}

// WriteNPY writes version 1.0, little-endian, C order. The same array gives the same bytes.
func WriteNPY(w io.Writer, a *NPY) error {
	if err := a.valid(); err != nil {
		return err
	}
	if len(a.Shape) > 64 {
		return errorf("array of rank %d: .npy holds up to 64 axes", len(a.Shape))
	}
	order := byte('<')
	if itemSize(a.DType) == 1 {
		order = '|'
	}
	var b bytes.Buffer
	b.WriteString(npyMagic + "\x01\x00\x00\x00")
	for _, t := range npyTypes {
		if t.name == a.DType {
			fmt.Fprintf(&b, "{'descr': '%c%c%d', 'fortran_order': False, 'shape': (", order, t.kind, t.size)
		}
	}
	for i, d := range a.Shape {
		if i > 0 {
			b.WriteByte(' ')
		}
		fmt.Fprintf(&b, "%d,", d)
	}
	// NumPy writes (2, 3), but (2,): the comma stays only when it makes the tuple.
	if len(a.Shape) > 1 {
		b.Truncate(b.Len() - 1)
	}
	b.WriteString("), }")
	for (b.Len()+1)%64 != 0 {
		b.WriteByte(' ')
	}
	b.WriteByte('\n')
	head := b.Bytes()
	binary.LittleEndian.PutUint16(head[8:], uint16(len(head)-10))
	if _, err := w.Write(head); err != nil {
		return err
	}
	_, err := w.Write(a.Data)
	return err
}

// NewNPY makes an array from Go values in C order.
func NewNPY[E bool | uint8 | int8 | uint16 | int16 | uint32 | int32 | uint64 | int64 | float32 | float64](shape []int, v []E) (*NPY, error) {
	name := fmt.Sprintf("%T", *new(E))
	for _, p := range [][2]string{{"uint", "u"}, {"int", "i"}, {"float", "f"}} {
		if rest, ok := strings.CutPrefix(name, p[0]); ok {
			name = p[1] + rest
		}
	}
	if product(shape) != len(v) {
		return nil, errorf("shape %v does not hold %d values", shape, len(v))
	}
	data, err := binary.Append(nil, binary.LittleEndian, v)
	if err != nil {
		return nil, err
	}
	return &NPY{name, slices.Clone(shape), data}, nil
}

// valid checks that the data fit the shape, so that the accessors cannot run past them.
func (a *NPY) valid() error {
	size := itemSize(a.DType)
	if n := product(a.Shape); size == 0 || n < 0 || n > len(a.Data) || n*size != len(a.Data) {
		return errorf("array %s%v does not go with %d bytes of data", a.DType, a.Shape, len(a.Data))
	}
	return nil
}

// Float64s returns the values as float64; 64-bit integers beyond 2^53 are rounded. Complex arrays are an error.
func (a *NPY) Float64s() ([]float64, error) {
	return floats(a, func(v float64) float64 { return v }, func(v int64) float64 { return float64(v) }, func(v uint64) float64 { return float64(v) })
}

// Float32s returns the values rounded to float32. Complex arrays are an error.
func (a *NPY) Float32s() ([]float32, error) {
	return floats(a, func(v float64) float32 { return float32(v) }, func(v int64) float32 { return float32(v) }, func(v uint64) float32 { return float32(v) })
}

func floats[E float32 | float64](a *NPY, f func(float64) E, i func(int64) E, u func(uint64) E) ([]E, error) {
	if err := a.valid(); err != nil {
		return nil, err
	}
	size := itemSize(a.DType)
	out := make([]E, len(a.Data)/size)
	le := binary.LittleEndian
	for k := range out {
		b := a.Data[k*size:]
		switch a.DType {
		case "bool", "u8":
			out[k] = E(b[0])
		case "i8":
			out[k] = E(int8(b[0]))
		case "u16":
			out[k] = E(le.Uint16(b))
		case "i16":
			out[k] = E(int16(le.Uint16(b)))
		case "u32":
			out[k] = u(uint64(le.Uint32(b)))
		case "i32":
			out[k] = i(int64(int32(le.Uint32(b))))
		case "u64":
			out[k] = u(le.Uint64(b))
		case "i64":
			out[k] = i(int64(le.Uint64(b)))
		case "f16":
			out[k] = f(float16(le.Uint16(b)))
		case "f32":
			out[k] = E(math.Float32frombits(le.Uint32(b)))
		case "f64":
			out[k] = f(math.Float64frombits(le.Uint64(b)))
		default:
			return nil, errorf("%s values are not real numbers", a.DType)
		}
	}
	return out, nil
}

// Int64s returns the values of a bool or integer array. Floats, and u64 values beyond int64, are an error.
func (a *NPY) Int64s() ([]int64, error) {
	if err := a.valid(); err != nil {
		return nil, err
	}
	if a.DType[0] == 'f' || a.DType[0] == 'c' {
		return nil, errorf("%s values are not integers", a.DType)
	}
	size := itemSize(a.DType)
	out := make([]int64, len(a.Data)/size)
	for k := range out {
		var u uint64
		for j := range size {
			u |= uint64(a.Data[k*size+j]) << (8 * j)
		}
		if a.DType[0] == 'i' { // sign extension
			out[k] = int64(u<<(64-8*size)) >> (64 - 8*size)
			continue
		}
		if u > math.MaxInt64 {
			return nil, errorf("value %d at %v does not fit a signed 64-bit integer", u, indexOf(k, a.Shape))
		}
		out[k] = int64(u)
	}
	return out, nil
}

// float16 widens IEEE binary16, exactly.
func float16(b uint16) float64 {
	exp, frac := int(b>>10&31), float64(b&1023)
	var v float64
	switch exp {
	case 0:
		v = math.Ldexp(frac, -24)
	case 31:
		v = math.Inf(1)
		if frac != 0 {
			v = math.NaN()
		}
	default:
		v = math.Ldexp(1024+frac, exp-25)
	}
	if b>>15 != 0 {
		v = -v
	}
	return v
}

// indexOf turns the place of an element in C order into one index an axis.
func indexOf(at int, shape []int) []int {
	index := make([]int, len(shape))
	for k := len(shape) - 1; k >= 0; k-- {
		index[k] = at % shape[k]
		at /= shape[k]
	}
	return index
}

// tensor converts an array that has the shape of s. Arrays of u8 are pixels and are normalised when s says so; all
// others are taken as they are.
func (s Spec) tensor(a *NPY) (*Tensor, error) {
	t := &Tensor{Shape: slices.Clone(a.Shape)}
	switch {
	case s.dtype() == "u8" && (a.DType == "u8" || a.DType == "bool"):
		t.U8 = a.Data
	case s.dtype() == "u8":
		v, err := a.Float64s()
		if err != nil {
			return nil, err
		}
		t.U8 = make([]uint8, len(v))
		for i, x := range v {
			if !(x >= 0 && x <= 255) || x != math.Trunc(x) {
				return nil, errorf("value %v at %v: the model takes u8, whole numbers from 0 to 255", x, indexOf(i, a.Shape))
			}
			t.U8[i] = uint8(x)
		}
	case a.DType == "u8" && s.Set():
		_, _, _, stride := s.sized(a.Shape).strides()
		tabs := s.tables()
		t.F32 = make([]float32, len(a.Data))
		for i, x := range a.Data {
			t.F32[i] = tabs[i/stride%s.C][x]
		}
	default:
		var err error
		if t.F32, err = a.Float32s(); err != nil {
			return nil, err
		}
	}
	return t, nil
}
