package ir

import (
	"encoding/binary"
	"iter"
	"math"
	"slices"
)

// Tensor is a value of the interpreter and the payload of a constant, always
// dense and row-major. Its numbers are read with Int, Float32 and Float, or all
// together with Ints (every integer, bool and logic type: an sbit is -1 or +1),
// Floats (f32, f16 and bf16, rounded to the type) and Doubles (f64). A constant's
// tensor is compact: see Compact.
type Tensor struct {
	Type Type

	// The elements, in the one that is not nil.
	f       []float32
	d       []float64
	i       []int64
	compact store
}

// NewTensor returns a tensor of zeros (of -1 for sbit, whose clear bit is -1).
func NewTensor(t Type) *Tensor {
	x := &Tensor{Type: Type{DType: t.DType, Shape: t.Shape}}
	n := t.Elems()
	switch {
	case t.DType == F64:
		x.d = make([]float64, n)
	case t.DType.IsFloat():
		x.f = make([]float32, n)
	default:
		x.i = make([]int64, n)
		if t.DType == SBit {
			for i := range x.i {
				x.i[i] = -1
			}
		}
	}
	return x
}

// Held is the number of bytes of the elements of a Tensor of type t: bits and
// integers take eight each.
func Held(t Type) int {
	if t.DType.IsFloat() && t.DType != F64 {
		return 4 * t.Elems()
	}
	return 8 * t.Elems()
}

// FloatTensor returns an f32 tensor over data.
func FloatTensor(data []float32, shape ...int) *Tensor {
	return &Tensor{Type: T(F32, shape...), f: data}
}

// DoubleTensor returns an f64 tensor over data.
func DoubleTensor(data []float64, shape ...int) *Tensor {
	return &Tensor{Type: T(F64, shape...), d: data}
}

// IntTensor returns a tensor of an integer, bool or logic type over data.
func IntTensor(d DType, data []int64, shape ...int) *Tensor {
	return &Tensor{Type: T(d, shape...), i: data}
}

// Scalar returns a tensor without axes that holds v converted to d.
func Scalar(d DType, v float64) *Tensor {
	t := NewTensor(T(d))
	t.SetFloat(0, v)
	return t
}

// Len returns the number of elements.
func (t *Tensor) Len() int {
	if t.compact != nil {
		return t.compact.len()
	}
	return len(t.f) + len(t.d) + len(t.i)
}

// HoldsInts reports whether Int and Ints give the elements.
func (t *Tensor) HoldsInts() bool { return !t.Type.DType.IsFloat() }

// HoldsFloats reports whether Float32 and Floats give the elements.
func (t *Tensor) HoldsFloats() bool { return t.Type.DType.IsFloat() && t.Type.DType != F64 }

// HoldsDoubles reports whether Doubles gives the elements.
func (t *Tensor) HoldsDoubles() bool { return t.Type.DType == F64 }

// Int returns element i of an integer, bool or logic type.
func (t *Tensor) Int(i int) int64 {
	if t.compact != nil {
		return t.compact.int(i)
	}
	return t.i[i]
}

// Float32 returns element i of an f32, f16 or bf16.
func (t *Tensor) Float32(i int) float32 {
	if t.compact != nil {
		return t.compact.float(i)
	}
	return t.f[i]
}

// Float returns element i, of any type, as a float64.
func (t *Tensor) Float(i int) float64 {
	switch {
	case t.HoldsInts():
		return float64(t.Int(i))
	case t.d != nil:
		return t.d[i]
	}
	return float64(t.Float32(i))
}

// Ints returns all elements of an integer, bool or logic type, nil for others:
// the tensor's own, which may be written, or a copy of those of a compact one.
func (t *Tensor) Ints() []int64 {
	if t.compact != nil {
		return t.widened().i
	}
	return t.i
}

// Floats returns all elements of an f32, f16 or bf16, nil for others; as Ints.
func (t *Tensor) Floats() []float32 {
	if t.compact != nil {
		return t.widened().f
	}
	return t.f
}

// IntRange returns elements from to to-1 of what Ints gives, for reading.
func (t *Tensor) IntRange(from, to int) []int64 {
	if t.compact == nil {
		return t.i[from:to]
	}
	out := make([]int64, to-from)
	t.ReadInts(out, from)
	return out
}

// IntBounds returns the smallest and the largest of what Ints gives, 0 where there are none.
func (t *Tensor) IntBounds() (lo, hi int64) {
	if t.Len() == 0 {
		return 0, 0
	}
	lo, hi = math.MaxInt64, math.MinInt64
	for _, run := range t.IntRuns(0, t.Len()) {
		lo, hi = min(lo, slices.Min(run)), max(hi, slices.Max(run))
	}
	return lo, hi
}

// ReadInts reads elements of what Ints gives, from one on, into dst.
func (t *Tensor) ReadInts(dst []int64, from int) {
	if t.compact == nil {
		copy(dst, t.i[from:from+len(dst)])
		return
	}
	t.compact.ints(dst, from)
}

// FloatRange returns elements from to to-1 of what Floats gives, for reading.
func (t *Tensor) FloatRange(from, to int) []float32 {
	if t.compact == nil {
		return t.f[from:to]
	}
	out := make([]float32, to-from)
	t.compact.floats(out, from)
	return out
}

// firstRun and longestRun are the lengths of runs: they grow, so that little is made
// for a reader that stops early.
const firstRun, longestRun = 64, 4096

// IntRuns gives elements from to to-1 of what Ints gives as runs, each with the index
// of its first element. They are for reading, until the next one.
func (t *Tensor) IntRuns(from, to int) iter.Seq2[int, []int64] {
	if t.compact == nil {
		return func(yield func(int, []int64) bool) { yield(from, t.i[from:to]) }
	}
	return runs(from, to, t.compact.ints)
}

// FloatRuns gives what Floats gives as IntRuns does.
func (t *Tensor) FloatRuns(from, to int) iter.Seq2[int, []float32] {
	if t.compact == nil {
		return func(yield func(int, []float32) bool) { yield(from, t.f[from:to]) }
	}
	return runs(from, to, t.compact.floats)
}

func runs[T any](from, to int, read func(dst []T, from int)) iter.Seq2[int, []T] {
	return func(yield func(int, []T) bool) {
		size := firstRun
		buf := make([]T, min(size, to-from))
		for at := from; at < to; at += len(buf) {
			if at > from && size < longestRun {
				size *= 2
				buf = make([]T, size)
			}
			buf = buf[:min(len(buf), to-at)]
			if read(buf, at); !yield(at, buf) {
				return
			}
		}
	}
}

// Doubles returns all elements of an f64, nil for others, as they may be written.
func (t *Tensor) Doubles() []float64 { return t.d }

// SetFloat stores v at i, rounded to the element type: integers truncate
// toward zero and saturate at the type's range, NaN becomes 0.
func (t *Tensor) SetFloat(i int, v float64) {
	switch d := t.Type.DType; {
	case d == F64:
		t.d[i] = v
	case d.IsFloat():
		t.f[i] = RoundFloat(d, float32(v))
	case d == Bool:
		t.i[i] = 0
		if v != 0 {
			t.i[i] = 1
		}
	default:
		t.i[i] = SaturateInt(d, v)
	}
}

// SaturateInt converts v to integer type d: toward zero, saturating, NaN to 0.
func SaturateInt(d DType, v float64) int64 {
	lo, hi := d.Range()
	switch {
	case v != v:
		return 0
	case v <= float64(lo):
		return lo
	case v >= float64(hi):
		return hi
	}
	return int64(v)
}

// WrapInt reduces v to integer type d modulo 2^bits, as hardware does.
func WrapInt(d DType, v int64) int64 {
	switch d {
	case U8:
		return int64(uint8(v))
	case I8:
		return int64(int8(v))
	case U16:
		return int64(uint16(v))
	case I16:
		return int64(int16(v))
	case U32:
		return int64(uint32(v))
	case I32:
		return int64(int32(v))
	}
	return v
}

// RoundFloat rounds v to f16 or bf16 (nearest, ties to even); f32 is unchanged.
func RoundFloat(d DType, v float32) float32 {
	switch d {
	case F16:
		return F16ToFloat(FloatToF16(v))
	case BF16:
		return BF16ToFloat(FloatToBF16(v))
	}
	return v
}

// FloatToF16 rounds to IEEE half precision, nearest, ties to even.
func FloatToF16(v float32) uint16 {
	b := math.Float32bits(v)
	sign := uint16(b >> 16 & 0x8000)
	exp, man := int(b>>23&0xff), b&0x7fffff
	if exp == 0xff {
		if man != 0 {
			return sign | 0x7e00
		}
		return sign | 0x7c00
	}
	e := exp - 127 + 15
	if e >= 31 {
		return sign | 0x7c00
	}
	shift := uint(13)
	if e <= 0 {
		if e < -10 {
			return sign
		}
		man |= 0x800000
		shift = uint(14 - e)
		e = 0
	}
	q := man >> shift
	rem, half := man&(1<<shift-1), uint32(1)<<(shift-1)
	if rem > half || rem == half && q&1 == 1 {
		q++ // a carry out of the mantissa rightly raises the exponent
	}
	return sign | uint16(uint32(e)<<10+q)
}

// F16ToFloat widens an IEEE half.
func F16ToFloat(h uint16) float32 {
	sign := uint32(h&0x8000) << 16
	exp, man := uint32(h>>10&0x1f), uint32(h&0x3ff)
	switch {
	case exp == 31:
		return math.Float32frombits(sign | 0x7f800000 | man<<13)
	case exp == 0:
		v := float32(man) / (1 << 24)
		if sign != 0 {
			v = -v
		}
		return v
	}
	return math.Float32frombits(sign | (exp+112)<<23 | man<<13)
}

// FloatToBF16 rounds to bfloat16, nearest, ties to even.
func FloatToBF16(v float32) uint16 {
	b := math.Float32bits(v)
	if v != v {
		return uint16(b>>16) | 0x40
	}
	return uint16((b + 0x7fff + b>>16&1) >> 16)
}

// BF16ToFloat widens a bfloat16.
func BF16ToFloat(h uint16) float32 { return math.Float32frombits(uint32(h) << 16) }

// Reshape returns a tensor of another shape over the same elements.
func (t *Tensor) Reshape(shape ...int) *Tensor {
	u := *t
	u.Type = T(t.Type.DType, shape...)
	return &u
}

// Convert returns t as element type d: the numbers stay, rounded as SetFloat
// does; integers wrap when they are narrowed.
func (t *Tensor) Convert(d DType) *Tensor {
	if t.Type.DType == d {
		return t
	}
	if t.compact != nil && t.compact.fits(d) {
		return &Tensor{Type: t.Type.With(d), compact: t.compact}
	}
	u := NewTensor(t.Type.With(d))
	for i := range t.Len() {
		switch {
		case u.i == nil || !t.HoldsInts():
			u.SetFloat(i, t.Float(i))
		case d == Bool:
			u.i[i] = 0
			if t.Int(i) != 0 {
				u.i[i] = 1
			}
		default:
			u.i[i] = WrapInt(d, t.Int(i))
		}
	}
	return u
}

// Splat reports whether all elements are the same number, and which. An empty
// tensor is no splat.
func (t *Tensor) Splat() (float64, bool) {
	if t.Len() == 0 {
		return 0, false
	}
	v := t.Float(0)
	for i := range t.Len() {
		if w := t.Float(i); w != v || math.Signbit(w) != math.Signbit(v) {
			return 0, false
		}
	}
	return v, true
}

// Equal reports whether two tensors have the same type and the same elements,
// NaN equal to NaN and -0 different from 0.
func (t *Tensor) Equal(u *Tensor) bool {
	_, same := t.FirstDiff(u)
	return same
}

// FirstDiff returns the index of the first element that differs bit by bit,
// or -1 with false when the types differ already.
func (t *Tensor) FirstDiff(u *Tensor) (int, bool) {
	if t.Type.DType != u.Type.DType || !SameShape(t.Type.Shape, u.Type.Shape) {
		return -1, false
	}
	for i := range t.Len() {
		same := true
		switch {
		case t.HoldsInts():
			same = t.Int(i) == u.Int(i)
		case t.d != nil:
			a, b := t.d[i], u.d[i]
			same = math.Float64bits(a) == math.Float64bits(b) || a != a && b != b
		default:
			a, b := t.Float32(i), u.Float32(i)
			same = math.Float32bits(a) == math.Float32bits(b) || a != a && b != b
		}
		if !same {
			return i, false
		}
	}
	return 0, true
}

// Data returns the elements as little-endian bytes: bits eight a byte (least
// significant first, a set bit for 1 or +1), a tern as its sign plane followed
// by its nonzero plane, everything else in its own width. It is for reading: it may
// be the tensor's own memory.
func (t *Tensor) Data() []byte {
	if b := t.stored(); b != nil {
		return b
	}
	n := t.Len()
	switch d := t.Type.DType; d {
	case Bit, SBit:
		out := make([]byte, (n+7)/8)
		for i := range n {
			if t.Int(i) > 0 {
				out[i/8] |= 1 << (i % 8)
			}
		}
		return out
	case Tern:
		half := (n + 7) / 8
		out := make([]byte, 2*half)
		for i := range n {
			v := t.Int(i)
			if v > 0 {
				out[i/8] |= 1 << (i % 8)
			}
			if v != 0 {
				out[half+i/8] |= 1 << (i % 8)
			}
		}
		return out
	case F32:
		out := make([]byte, 0, 4*n)
		for _, run := range t.FloatRuns(0, n) {
			for _, v := range run {
				out = binary.LittleEndian.AppendUint32(out, math.Float32bits(v))
			}
		}
		return out
	default:
		size := d.Bits() / 8
		out := make([]byte, 0, n*size)
		for i := range n {
			out = appendElem(out, t, i, size)
		}
		return out
	}
}

func appendElem(out []byte, t *Tensor, i, size int) []byte {
	var u uint64
	switch d := t.Type.DType; {
	case d == F16:
		u = uint64(FloatToF16(t.Float32(i)))
	case d == BF16:
		u = uint64(FloatToBF16(t.Float32(i)))
	case d == F64:
		u = math.Float64bits(t.d[i])
	default:
		u = uint64(t.Int(i))
	}
	for range size {
		out = append(out, byte(u))
		u >>= 8
	}
	return out
}

// DataBytes returns the length of Data for a type.
func DataBytes(t Type) int {
	if t.DType == Tern {
		return 2 * ((t.Elems() + 7) / 8)
	}
	return t.Bytes()
}

// strides returns the row-major strides of a shape.
func strides(shape []int) []int {
	s := make([]int, len(shape))
	n := 1
	for i := len(shape) - 1; i >= 0; i-- {
		s[i] = n
		n *= shape[i]
	}
	return s
}

// broadcastStrides returns, for every axis of out, the stride of a tensor of
// the given shape in it: 0 along axes that stretch.
func broadcastStrides(shape, out []int) []int {
	own := strides(shape)
	s := make([]int, len(out))
	for i := range shape {
		if shape[i] != 1 {
			s[len(out)-len(shape)+i] = own[i]
		}
	}
	return s
}

// walk calls f for every index of shape in row-major order with the running
// number and the offset under each of the stride lists.
func walk(shape []int, f func(i int, off []int), strideLists ...[]int) {
	n := 1
	for _, d := range shape {
		n *= d
	}
	idx := make([]int, len(shape))
	off := make([]int, len(strideLists))
	for i := range n {
		f(i, off)
		for a := len(shape) - 1; a >= 0; a-- {
			idx[a]++
			for k, s := range strideLists {
				off[k] += s[a]
			}
			if idx[a] < shape[a] {
				break
			}
			for k, s := range strideLists {
				off[k] -= s[a] * shape[a]
			}
			idx[a] = 0
		}
	}
}
