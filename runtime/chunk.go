package runtime

import (
	"iter"
	"math"
)

// chunk is how many elements the general executors convert at a time: they read
// any element type into float64 or int64, compute, and write any element type,
// so that one loop serves all of them.
const chunk = 256

// loadFloats reads elements lo, lo+1, ... of o.
func loadFloats(dst []float64, o *operand, m *memory, lo int) {
	switch o.elem {
	case F32:
		widen(dst, view[float32](o, m)[lo:])
	case F64:
		copy(dst, view[float64](o, m)[lo:])
	case U8, Bool, Bit:
		widen(dst, o.bytes(m)[lo:])
	case I8, SBit, Tern:
		widen(dst, view[int8](o, m)[lo:])
	case U16:
		widen(dst, view[uint16](o, m)[lo:])
	case I16:
		widen(dst, view[int16](o, m)[lo:])
	case U32:
		widen(dst, view[uint32](o, m)[lo:])
	case I32:
		widen(dst, view[int32](o, m)[lo:])
	case U64:
		widen(dst, view[uint64](o, m)[lo:])
	case I64:
		widen(dst, view[int64](o, m)[lo:])
	}
}

// loadInts reads elements lo, lo+1, ... of o, which is no float. A u64 above
// the largest int64 wraps.
func loadInts(dst []int64, o *operand, m *memory, lo int) {
	switch o.elem {
	case U8, Bool, Bit:
		widen(dst, o.bytes(m)[lo:])
	case I8, SBit, Tern:
		widen(dst, view[int8](o, m)[lo:])
	case U16:
		widen(dst, view[uint16](o, m)[lo:])
	case I16:
		widen(dst, view[int16](o, m)[lo:])
	case U32:
		widen(dst, view[uint32](o, m)[lo:])
	case I32:
		widen(dst, view[int32](o, m)[lo:])
	case U64:
		widen(dst, view[uint64](o, m)[lo:])
	case I64:
		copy(dst, view[int64](o, m)[lo:])
	}
}

// fixedInts gives elements from to to-1 of a constant as loadInts reads them, in runs,
// each with the index of its first element.
func fixedInts(o *operand, from, to int) iter.Seq2[int, []int64] {
	return func(yield func(int, []int64) bool) {
		var buf [chunk]int64
		for at := from; at < to; at += chunk {
			run := buf[:min(chunk, to-at)]
			if loadInts(run, o, nil, at); !yield(at, run) {
				return
			}
		}
	}
}

// floatAt is element i of an operand of any type.
func floatAt(o *operand, m *memory, i int) float64 {
	if o.elem == F32 {
		return float64(view[float32](o, m)[i])
	}
	var v [1]float64
	loadFloats(v[:], o, m, i)
	return v[0]
}

// setFloat stores element i of an operand of any type.
func setFloat(o *operand, m *memory, i int, x float64) {
	if o.elem == F32 {
		view[float32](o, m)[i] = float32(x)
		return
	}
	v := [1]float64{x}
	storeFloats(o, m, i, v[:])
}

// intAt is element i of an operand that is no float.
func intAt(o *operand, m *memory, i int) int64 {
	var v [1]int64
	loadInts(v[:], o, m, i)
	return v[0]
}

// indexAt is element j of an I32 or I64 operand.
func indexAt(o *operand, m *memory, j int) int64 {
	if o.elem == I32 {
		return int64(view[int32](o, m)[j])
	}
	return view[int64](o, m)[j]
}

func widen[D, S Number](dst []D, src []S) {
	src = src[:len(dst)]
	for i, v := range src {
		dst[i] = D(v)
	}
}

// storeFloats writes src to elements lo, lo+1, ... of o: floats are rounded,
// integers truncated toward zero and saturated with NaN as 0, bools set for
// anything but 0.
func storeFloats(o *operand, m *memory, lo int, src []float64) {
	switch o.elem {
	case F32:
		dst := view[float32](o, m)[lo:]
		for i, v := range src {
			dst[i] = float32(v)
		}
	case F64:
		copy(view[float64](o, m)[lo:], src)
	default:
		var ints [chunk]int64
		least, most := o.elem.Range()
		for i, v := range src {
			switch {
			case o.elem == Bool:
				ints[i] = 0
				if v != 0 {
					ints[i] = 1
				}
			case v != v:
				ints[i] = 0
			case v <= float64(least):
				ints[i] = least
			case v >= float64(most):
				ints[i] = most
			default:
				ints[i] = int64(v)
			}
		}
		storeInts(o, m, lo, ints[:len(src)])
	}
}

// storeInts writes src to elements lo, lo+1, ... of o. Integers wrap, a bool is
// set for anything but 0, a bit for what is positive.
func storeInts(o *operand, m *memory, lo int, src []int64) {
	switch o.elem {
	case F32:
		dst := view[float32](o, m)[lo:]
		for i, v := range src {
			dst[i] = float32(float64(v))
		}
	case F64:
		narrow(view[float64](o, m)[lo:], src)
	case U8:
		narrow(o.bytes(m)[lo:], src)
	case I8:
		narrow(view[int8](o, m)[lo:], src)
	case U16:
		narrow(view[uint16](o, m)[lo:], src)
	case I16:
		narrow(view[int16](o, m)[lo:], src)
	case U32:
		narrow(view[uint32](o, m)[lo:], src)
	case I32:
		narrow(view[int32](o, m)[lo:], src)
	case U64:
		narrow(view[uint64](o, m)[lo:], src)
	case I64:
		copy(view[int64](o, m)[lo:], src)
	case Bool:
		dst := o.bytes(m)[lo:]
		for i, v := range src {
			dst[i] = byte(truth(v != 0))
		}
	case Bit:
		dst := o.bytes(m)[lo:]
		for i, v := range src {
			dst[i] = byte(truth(v > 0))
		}
	case SBit:
		dst := view[int8](o, m)[lo:]
		for i, v := range src {
			dst[i] = 2*truth(v > 0) - 1
		}
	case Tern:
		dst := view[int8](o, m)[lo:]
		for i, v := range src {
			dst[i] = int8(max(-1, min(1, v)))
		}
	}
}

func narrow[D, S Number](dst []D, src []S) {
	dst = dst[:len(src)]
	for i, v := range src {
		dst[i] = D(v)
	}
}

// truth is 1 for true.
func truth(b bool) int8 {
	if b {
		return 1
	}
	return 0
}

// roundF16 and roundBF16 round a float32 to f16 and bf16 (nearest, ties to even)
// and give it back as a float32.
func roundF16(v float32) float32 {
	x := float64(v)
	a := math.Abs(x)
	switch {
	case a >= 65520: // halfway from the largest f16 to the next power
		return float32(math.Copysign(math.Inf(1), x))
	case a < 1.0/(1<<14): // subnormal: a multiple of 2^-24
		return float32(math.Copysign(math.RoundToEven(a*(1<<24))/(1<<24), x))
	case a != a:
		return v
	}
	bits := math.Float32bits(v)
	bits += 0xfff + bits>>13&1
	return math.Float32frombits(bits &^ 0x1fff)
}

func roundBF16(v float32) float32 {
	if v != v {
		return v
	}
	bits := math.Float32bits(v)
	bits += 0x7fff + bits>>16&1
	return math.Float32frombits(bits &^ 0xffff)
}
