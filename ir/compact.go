package ir

import (
	"encoding/binary"
	"fmt"
	"math"
	"unsafe"
)

// compactFrom is the number of elements from which a tensor is worth compacting.
const compactFrom = 64

// store holds the elements of a compact tensor. One that holds small integers
// serves integer and float types alike, whose other numbers it does not have.
type store interface {
	len() int
	int(i int) int64
	float(i int) float32
	ints(dst []int64, from int)     // the elements from from on
	floats(dst []float32, from int) // likewise
	fits(d DType) bool              // whether all that it may hold are numbers of d
	bytes() int
}

// small is an element of a store of integers.
type small interface {
	int8 | uint8 | int16 | uint16 | int32 | uint32
}

// whole holds integers in as many bytes as they need.
type whole[T small] []T

func (s whole[T]) len() int            { return len(s) }
func (s whole[T]) int(i int) int64     { return int64(s[i]) }
func (s whole[T]) float(i int) float32 { return float32(s[i]) }
func (s whole[T]) bytes() int          { return binary.Size([]T(s)) }

func (s whole[T]) ints(dst []int64, from int) {
	for i, v := range s[from : from+len(dst)] {
		dst[i] = int64(v)
	}
}

func (s whole[T]) floats(dst []float32, from int) {
	for i, v := range s[from : from+len(dst)] {
		dst[i] = float32(v)
	}
}

func (s whole[T]) fits(d DType) bool {
	lo, hi := span[T]()
	return holds(d, lo) && holds(d, hi)
}

// span is the range of T.
func span[T small]() (lo, hi int64) {
	bits := 8 * binary.Size(T(0))
	if ^T(0) < 0 {
		return -1 << (bits - 1), 1<<(bits-1) - 1
	}
	return 0, 1<<bits - 1
}

// holds reports whether a tensor of type d in a store can have element v.
func holds(d DType, v int64) bool {
	switch d {
	case F64:
		return false
	case F32:
		return v >= -1<<24 && v <= 1<<24
	case F16:
		return v >= -1<<11 && v <= 1<<11
	case BF16:
		return v >= -1<<8 && v <= 1<<8
	}
	lo, hi := d.Range()
	return v >= lo && v <= hi
}

// planes holds numbers of which there are two, 1 and low, in a bit each.
type planes struct {
	n    int
	low  int64
	bits []byte
}

func (s *planes) len() int            { return s.n }
func (s *planes) bytes() int          { return len(s.bits) }
func (s *planes) float(i int) float32 { return float32(s.int(i)) }
func (s *planes) fits(d DType) bool   { return holds(d, s.low) && holds(d, 1) }

func (s *planes) int(i int) int64 {
	if s.bits[i>>3]>>(i&7)&1 != 0 {
		return 1
	}
	return s.low
}

func (s *planes) ints(dst []int64, from int) {
	for i := range dst {
		dst[i] = s.int(from + i)
	}
}

func (s *planes) floats(dst []float32, from int) {
	for i := range dst {
		dst[i] = s.float(from + i)
	}
}

// halves holds floats of 16 bits.
type halves struct {
	d    DType // F16 or BF16
	bits []uint16
}

func (s *halves) len() int          { return len(s.bits) }
func (s *halves) bytes() int        { return 2 * len(s.bits) }
func (s *halves) int(int) int64     { panic("BUG: an integer is read from floats") }
func (s *halves) fits(d DType) bool { return d == s.d || d == F32 }

func (s *halves) float(i int) float32 {
	if s.d == F16 {
		return F16ToFloat(s.bits[i])
	}
	return BF16ToFloat(s.bits[i])
}

func (s *halves) ints([]int64, int) { s.int(0) }

func (s *halves) floats(dst []float32, from int) {
	to := F16ToFloat
	if s.d == BF16 {
		to = BF16ToFloat
	}
	for i, h := range s.bits[from : from+len(dst)] {
		dst[i] = to(h)
	}
}

// uniform holds one number for all elements.
type uniform struct {
	n     int
	whole int64   // of an integer type
	real  float32 // of a float type
	isInt bool
}

func (s *uniform) len() int          { return s.n }
func (s *uniform) bytes() int        { return 8 }
func (s *uniform) int(int) int64     { return s.whole }
func (s *uniform) float(int) float32 { return s.real }

func (s *uniform) ints(dst []int64, _ int) {
	for i := range dst {
		dst[i] = s.whole
	}
}

func (s *uniform) floats(dst []float32, _ int) {
	for i := range dst {
		dst[i] = s.real
	}
}

func (s *uniform) fits(d DType) bool {
	if s.isInt {
		return holds(d, s.whole)
	}
	return d.IsFloat() && d != F64 && math.Float32bits(RoundFloat(d, s.real)) == math.Float32bits(s.real)
}

// products holds integers times the scales of their channels, as f32.
type products struct {
	factors store
	scales  []float32
	channel func(i int) int // of element i
	run     int             // as many elements from a multiple of it on have one channel
}

func (s *products) len() int          { return s.factors.len() }
func (s *products) bytes() int        { return s.factors.bytes() + 4*len(s.scales) }
func (s *products) int(int) int64     { panic("BUG: an integer is read from floats") }
func (s *products) fits(d DType) bool { return d == F32 }

func (s *products) float(i int) float32 { return s.factors.float(i) * s.scales[s.channel(i)] }

func (s *products) ints([]int64, int) { s.int(0) }

func (s *products) floats(dst []float32, from int) {
	s.factors.floats(dst, from)
	for i := 0; i < len(dst); {
		end := min(i+s.run-(from+i)%s.run, len(dst))
		k := s.scales[s.channel(from+i)]
		for ; i < end; i++ {
			dst[i] *= k
		}
	}
}

// scaled is the f32 tensor of compact integers x minus zero, which may be nil, times
// scale, where g gives the elements of both for one of x. It is compact too, or nil
// where x is not, or is too wide for exact factors.
func scaled(x, scale, zero *Tensor, g *quantGrid) *Tensor {
	if x.compact == nil {
		return nil
	}
	s := &products{factors: x.compact, scales: scale.Floats(), channel: g.at, run: g.run(x.Len())}
	if z, all := operandSplat(zero); !all || z != 0 {
		s.factors = x.integers(func(i int) int64 { return x.Int(i) - zero.Int(g.at(i)) })
	}
	if s.factors == nil || !s.factors.fits(F32) {
		return nil
	}
	return &Tensor{Type: T(F32, x.Type.Shape...), compact: s}
}

// operandSplat is the number of all elements of an operand, 0 of one left out.
func operandSplat(t *Tensor) (float64, bool) {
	if t == nil {
		return 0, true
	}
	return t.Splat()
}

// Held is the number of bytes that the elements take.
func (t *Tensor) Held() int {
	if t.compact != nil {
		return t.compact.bytes()
	}
	return Held(t.Type)
}

// Compact returns t in the fewest bytes that give its elements exactly: one for
// all where they are equal, else bits, integers of 8 to 32 bits or floats of 16.
// Constants, which nothing writes, are kept so; a tensor with few elements or
// without such a form is returned as it is.
func (t *Tensor) Compact() *Tensor {
	if t.compact != nil || t.d != nil || t.Len() < compactFrom {
		return t
	}
	return t.narrowest()
}

func (t *Tensor) narrowest() *Tensor {
	s := t.equal()
	if s == nil && t.HoldsInts() {
		s = t.whole()
	}
	if s == nil && t.HoldsFloats() && t.integral() {
		s = t.integers(func(i int) int64 { return int64(t.Float32(i)) })
	}
	if s == nil && t.HoldsFloats() && t.compact == nil {
		s = t.half()
	}
	if s == nil {
		return t
	}
	return &Tensor{Type: t.Type, compact: s}
}

// equal is the store of equal elements, nil where they differ.
func (t *Tensor) equal() store {
	n := t.Len()
	if t.HoldsInts() {
		v := t.Int(0)
		for i := range n {
			if t.Int(i) != v {
				return nil
			}
		}
		return &uniform{n, v, float32(v), true}
	}
	v := t.Float32(0)
	for i := range n {
		if math.Float32bits(t.Float32(i)) != math.Float32bits(v) {
			return nil
		}
	}
	return &uniform{n: n, real: v}
}

// whole is the smallest store of integers: the tensor's own where it is that already.
func (t *Tensor) whole() store {
	_, hi := t.IntBounds()
	if _, own := t.compact.(whole[int8]); own && hi > 1 {
		return nil
	}
	if _, own := t.compact.(whole[uint8]); own && hi > math.MaxInt8 {
		return nil
	}
	return t.integers(t.Int)
}

// integral reports whether floats are integers of 8 bits, zeros without a sign.
func (t *Tensor) integral() bool {
	for _, run := range t.FloatRuns(0, t.Len()) {
		for _, v := range run {
			if !(v >= math.MinInt8 && v <= math.MaxInt8) || math.Float32bits(float32(int8(v))) != math.Float32bits(v) {
				return false
			}
		}
	}
	return true
}

// integers is the smallest store of integers, nil where they take 64 bits.
func (t *Tensor) integers(at func(i int) int64) store {
	n := t.Len()
	lo, hi, zeros := at(0), at(0), false
	for i := range n {
		v := at(i)
		lo, hi, zeros = min(lo, v), max(hi, v), zeros || v == 0
	}
	if hi == 1 && (lo == 0 || lo == -1 && !zeros) {
		s := &planes{n, lo, make([]byte, (n+7)/8)}
		for i := range n {
			if at(i) == 1 {
				s.bits[i/8] |= 1 << (i % 8)
			}
		}
		return s
	}
	for _, pack := range []func(n int, at func(int) int64, lo, hi int64) store{
		pack[int8], pack[uint8], pack[int16], pack[uint16], pack[int32], pack[uint32],
	} {
		if s := pack(n, at, lo, hi); s != nil {
			return s
		}
	}
	return nil
}

// pack stores n integers in [lo, hi] as T, nil where they have no room.
func pack[T small](n int, at func(int) int64, lo, hi int64) store {
	if least, most := span[T](); lo < least || hi > most {
		return nil
	}
	s := make(whole[T], n)
	for i := range s {
		s[i] = T(at(i))
	}
	return s
}

// half is a store of 16-bit floats, nil where an element is none.
func (t *Tensor) half() store {
	for _, f := range []struct {
		d  DType
		to func(float32) uint16
	}{{F16, FloatToF16}, {BF16, FloatToBF16}} {
		s := &halves{d: f.d}
		for i := range t.Len() {
			v := t.Float32(i)
			s.bits = append(s.bits, f.to(v))
			if math.Float32bits(s.float(i)) != math.Float32bits(v) {
				s = nil
				break
			}
		}
		if s != nil {
			return s
		}
	}
	return nil
}

// Fits reports whether the compact form of t is one of type d too, so that to
// convert it takes no memory and loses nothing.
func (t *Tensor) Fits(d DType) bool { return t.compact != nil && t.compact.fits(d) }

// stored is the elements as Data has them, where the tensor keeps them so.
func (t *Tensor) stored() []byte {
	if binary.NativeEndian.Uint16([]byte{1, 0}) != 1 {
		return nil
	}
	d := t.Type.DType
	switch s := t.compact.(type) {
	case nil:
		if d == F32 {
			return memory(t.f)
		}
	case *planes:
		if low, _ := d.Range(); d.Bits() == 1 && s.low == low {
			return s.bits
		}
	case *halves:
		if s.d == d {
			return memory(s.bits)
		}
	case whole[int8]:
		if d.Bits() == 8 {
			return memory(s)
		}
	case whole[uint8]:
		if d.Bits() == 8 {
			return s
		}
	case whole[int16]:
		if d == I16 || d == U16 {
			return memory(s)
		}
	case whole[int32]:
		if d == I32 || d == U32 {
			return memory(s)
		}
	}
	return nil
}

// memory is the bytes of elements.
func memory[T any](v []T) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(v))), len(v)*int(unsafe.Sizeof(*new(T))))
}

// widened is a compact tensor with elements that may be written.
func (t *Tensor) widened() *Tensor {
	u := &Tensor{Type: t.Type}
	if t.HoldsInts() {
		u.i = t.IntRange(0, t.Len())
	} else {
		u.f = t.FloatRange(0, t.Len())
	}
	return u
}

// TensorFromData is the inverse of Data, compact. The length of b must be
// DataBytes(t); the tensor may keep it.
func TensorFromData(t Type, b []byte) (*Tensor, error) {
	if err := CheckShape(t.Shape); err != nil {
		return nil, err
	}
	if want := DataBytes(t); len(b) != want {
		return nil, fmt.Errorf("%s needs %d bytes of data, found %d", t, want, len(b))
	}
	x := &Tensor{Type: Type{DType: t.DType, Shape: t.Shape}}
	n, le := t.Elems(), binary.LittleEndian
	switch d := t.DType; d {
	case Bit:
		x.compact = &planes{n, 0, b}
	case SBit:
		x.compact = &planes{n, -1, b}
	case Tern:
		x.compact = whole[int8](ternary(b, n))
	case F32:
		x.f = decoded(b, 4, func(b []byte) float32 { return math.Float32frombits(le.Uint32(b)) })
	case F64:
		x.d = decoded(b, 8, func(b []byte) float64 { return math.Float64frombits(le.Uint64(b)) })
	case F16, BF16:
		x.compact = &halves{d, decoded(b, 2, le.Uint16)}
	case Bool, U8:
		for i, v := range b {
			if d == Bool && v > 1 {
				return nil, fmt.Errorf("bool element %d is %d, expected 0 or 1", i, v)
			}
		}
		x.compact = whole[uint8](b)
	case I8:
		x.compact = whole[int8](decoded(b, 1, func(b []byte) int8 { return int8(b[0]) }))
	case U16:
		x.compact = whole[uint16](decoded(b, 2, le.Uint16))
	case I16:
		x.compact = whole[int16](decoded(b, 2, func(b []byte) int16 { return int16(le.Uint16(b)) }))
	case U32:
		x.compact = whole[uint32](decoded(b, 4, le.Uint32))
	case I32:
		x.compact = whole[int32](decoded(b, 4, func(b []byte) int32 { return int32(le.Uint32(b)) }))
	case U64, I64:
		x.i = decoded(b, 8, func(b []byte) int64 { return int64(le.Uint64(b)) })
	default:
		return nil, fmt.Errorf("no tensor has element type %s", t.DType)
	}
	switch {
	case n >= compactFrom && x.d == nil:
		return x.narrowest(), nil
	case x.compact != nil:
		return x.widened(), nil
	}
	return x, nil
}

// decoded is every size bytes of b as one element.
func decoded[T any](b []byte, size int, one func([]byte) T) []T {
	out := make([]T, len(b)/size)
	for i := range out {
		out[i] = one(b[size*i:])
	}
	return out
}

// SmallTensor returns a tensor of an integer or logic type over data, compact.
func SmallTensor[E small](d DType, data []E, shape ...int) *Tensor {
	t := &Tensor{Type: T(d, shape...), compact: whole[E](data)}
	if len(data) < compactFrom {
		return t.widened()
	}
	return t.narrowest()
}

// ternary is n elements of a sign plane followed by a nonzero plane.
func ternary(b []byte, n int) []int8 {
	out, half := make([]int8, n), len(b)/2
	for i := range out {
		if b[half+i/8]>>(i%8)&1 == 1 {
			out[i] = int8(b[i/8]>>(i%8)&1)*2 - 1
		}
	}
	return out
}
