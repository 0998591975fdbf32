package runtime

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
)

// Sample makes a value for a port, as bytes of dense elements. Number 0 is
// zeros, 1 the largest values, and any other random ones, of which the same r
// gives the same on every machine: floats in 0..1, bytes and logic values of all
// kinds. Integers wider than a byte are always 0, because they may be indices.
func Sample(p Port, number int, r *rand.Rand) []byte {
	n := 1
	for _, d := range p.Shape {
		n *= d
	}
	b := make([]byte, n*p.Elem.Width())
	for i := range n {
		v := r.Uint64()
		switch p.Elem {
		case F32:
			x := []float32{0, 1, float32(v>>40) / (1 << 24)}[min(number, 2)]
			binary.LittleEndian.PutUint32(b[4*i:], math.Float32bits(x))
		case F64:
			x := []float64{0, 1, float64(v>>11) / (1 << 53)}[min(number, 2)]
			binary.LittleEndian.PutUint64(b[8*i:], math.Float64bits(x))
		case U8:
			b[i] = []byte{0, 255, byte(v >> 32)}[min(number, 2)]
		case I8:
			b[i] = []byte{0, 127, byte(v >> 32)}[min(number, 2)]
		case Bool, Bit:
			b[i] = []byte{0, 1, byte(v >> 63)}[min(number, 2)]
		case SBit:
			b[i] = []byte{255, 1, byte(v>>63)*2 - 1}[min(number, 2)]
		case Tern:
			b[i] = []byte{0, 1, byte(v>>32%3) - 1}[min(number, 2)]
		}
	}
	return b
}
