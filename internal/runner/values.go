package runner

import (
	"encoding/binary"
	"math"
	"strconv"

	"github.com/billnet/billnet/runtime"
)

// values is a named tensor: dense elements, little endian.
type values struct {
	name  string
	elem  runtime.Elem
	shape []int
	raw   []byte
}

//go:noinline
func (v values) len() int { return size(v.shape) }

func (v values) isFloat() bool { return v.elem == runtime.F32 || v.elem == runtime.F64 }

// float is element i as a float64; 64-bit integers are rounded.
func (v values) float(i int) float64 {
	switch b := v.raw[i*v.elem.Width():]; v.elem {
	case runtime.F32:
		return float64(math.Float32frombits(binary.LittleEndian.Uint32(b)))
	case runtime.F64:
		return math.Float64frombits(binary.LittleEndian.Uint64(b))
	case runtime.U64:
		return float64(binary.LittleEndian.Uint64(b))
	}
	return float64(v.int(i))
}

// int is element i of an integer or logic type.
func (v values) int(i int) int64 {
	switch b := v.raw[i*v.elem.Width():]; v.elem {
	case runtime.I8, runtime.SBit, runtime.Tern:
		return int64(int8(b[0]))
	case runtime.U16:
		return int64(binary.LittleEndian.Uint16(b))
	case runtime.I16:
		return int64(int16(binary.LittleEndian.Uint16(b)))
	case runtime.U32:
		return int64(binary.LittleEndian.Uint32(b))
	case runtime.I32:
		return int64(int32(binary.LittleEndian.Uint32(b)))
	case runtime.I64, runtime.U64:
		return int64(binary.LittleEndian.Uint64(b))
	default:
		return int64(b[0])
	}
}

// text is element i in the shortest form that reads back as the same value.
func (v values) text(i int) string {
	switch v.elem {
	case runtime.F32:
		return strconv.FormatFloat(v.float(i), 'g', -1, 32)
	case runtime.F64:
		return strconv.FormatFloat(v.float(i), 'g', -1, 64)
	case runtime.U64:
		return strconv.FormatUint(uint64(v.int(i)), 10)
	}
	return strconv.FormatInt(v.int(i), 10)
}

// writeElements writes the elements as a JSON array. JSON has no number for what
// is not finite: those are the strings "NaN", "+Inf" and "-Inf".
func (v values) writeElements(w *jsonWriter) {
	w.array(v.len(), func(i int) {
		if f := v.float(i); math.IsNaN(f) || math.IsInf(f, 0) {
			w.string(v.text(i))
		} else {
			w.b = append(w.b, v.text(i)...)
		}
	})
}

// writeJSON writes the tensor as a JSON object.
func (v values) writeJSON(w *jsonWriter) {
	w.object(func() {
		w.key("name").string(v.name)
		w.key("elem").string(v.elem.String())
		w.key("shape").ints(v.shape)
		v.writeElements(w.key("values"))
	})
}

// at prints the position of element i, as [0,3].
func (v values) at(i int) string {
	pos := make([]int, len(v.shape))
	for a := len(pos) - 1; a >= 0; a-- {
		pos[a], i = i%v.shape[a], i/v.shape[a]
	}
	return shapeText(pos)
}
