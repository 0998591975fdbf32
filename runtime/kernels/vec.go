package kernels

import (
	"math"
	"unsafe"
)

// Function is an elementwise function of float32. Its kernels compute the steps of vec_generic.go in one order, each rounded,
// and so give the same bits everywhere: Exp, Log, Sigmoid, Tanh, Elu and Erf within 2 units in the last place of the exact
// value, the others correctly rounded.
type Function uint8

// The functions, of x and up to two parameters.
const (
	Relu       Function = iota // max(x, 0)
	Clip                       // x limited to at least a, then to at most b
	LeakyRelu                  // x, or a*x where x < 0
	Exp                        // e^x
	Log                        // the natural logarithm
	Sigmoid                    // 1/(1 + e^-x)
	Tanh                       // tanh x
	Elu                        // x, or a*(e^x - 1) where x < 0
	Sqrt                       // the square root
	Reciprocal                 // 1/x
	Plus                       // x + a
	Times                      // x * a
	Over                       // x / a
	Abs                        // |x|
	Neg                        // -x
	Floor                      // the largest integer not above x
	Ceil                       // the smallest integer not below x
	RoundEven                  // the nearest integer, halves to the even one
	Erf                        // the error function
	functions
)

// Operator is an elementwise operation of two float32.
type Operator uint8

// The operators.
const (
	Add   Operator = iota
	Sub            // a - b
	Mul            // a * b
	Div            // a / b
	PRelu          // a, or a*b where a < 0
	Max            // the larger, +0 before -0; NaN where one is
	Min            // the smaller, -0 before +0; NaN where one is
	operators
)

// vecBlock is the number of elements that the vector kernels work on at a time; what is left is done in plain Go.
const vecBlock = 16

// Map writes f of src, which is as long as dst and may be the same.
func (s *Set) Map(f Function, dst, src []float32, a, b float32) {
	n := len(dst) &^ (vecBlock - 1)
	src = src[:len(dst)]
	s.unary[f](dst[:n], src[:n], a, b)
	unaryGeneric[f](dst[n:], src[n:], a, b)
}

// HardSigmoid writes max(0, min(1, alpha*x + beta)), computed in float64 and rounded once.
func (s *Set) HardSigmoid(dst, src []float32, alpha, beta float64) {
	s.hardly(0, dst, src, alpha, beta)
}

// HardSwish writes x*max(0, min(1, x/6 + 1/2)), computed in float64 and rounded once.
func (s *Set) HardSwish(dst, src []float32) { s.hardly(1, dst, src, 1.0/6, 0.5) }

func (s *Set) hardly(i int, dst, src []float32, alpha, beta float64) {
	n := len(dst) &^ (vecBlock - 1)
	src = src[:len(dst)]
	s.hard[i](dst[:n], src[:n], alpha, beta)
	hardGeneric[i](dst[n:], src[n:], alpha, beta)
}

// Combine writes a op b; all three are of one length, and dst may be one of the others.
func (s *Set) Combine(op Operator, dst, a, b []float32) {
	n := len(dst) &^ (vecBlock - 1)
	a, b = a[:len(dst)], b[:len(dst)]
	s.binary[op](dst[:n], a[:n], b[:n])
	binaryGeneric[op](dst[n:], a[n:], b[n:])
}

// Softmax writes exp(x - m)/sum(exp(x - m)), m the largest element of src. lanes is memory of 24 elements. Sums are in float64;
// a result is within 2 units in the last place.
func (s *Set) Softmax(dst, src []float32, lanes []float64) {
	sums := (*[16]float64)(lanes)
	clear(sums[:])
	s.exponentials(dst, src, s.Largest(src), lanes)
	s.Map(Over, dst, dst, float32(total(sums)), 0)
}

// softmaxLanes is the number of columns of softmaxColumns, softmaxShort the most elements of a line that is one of them.
const (
	softmaxLanes = 16
	softmaxShort = 96
)

// SoftmaxRoom is the memory, in float32, of SoftmaxLines.
const SoftmaxRoom = softmaxLanes * softmaxShort

// SoftmaxLines is Softmax of n lines of d elements: element k of line i is at i*line + k*step in src and dst, which may be the same.
// Lines or their elements lie side by side: line or step is 1. lanes is memory of 24 elements, room of SoftmaxRoom. Lines that are
// short or lie side by side are summed in order.
func (s *Set) SoftmaxLines(dst, src []float32, n, d, line, step int, lanes []float64, room []float32) {
	switch {
	case line == 1 && step > 1:
		i := 0
		for ; i+softmaxLanes <= n; i += softmaxLanes {
			s.softmaxColumns(dst[i:], src[i:], step, d)
		}
		for ; i < n; i++ {
			softmaxColumn(dst[i:], src[i:], step, d)
		}
	case d <= softmaxShort:
		for i := 0; i < n; i += softmaxLanes {
			m := min(softmaxLanes, n-i)
			room := room[:softmaxLanes*d]
			if m < softmaxLanes {
				clear(room)
			}
			s.Turn(room, src[i*line:], m, d, softmaxLanes, line)
			s.softmaxColumns(room, room, softmaxLanes, d)
			s.Turn(dst[i*line:], room, d, m, line, softmaxLanes)
		}
	default:
		for i := range n {
			s.Softmax(dst[i*line:][:d], src[i*line:][:d], lanes)
		}
	}
}

// LogSoftmax writes x - m - log(sum(exp(x - m))), m the largest element of src; room is memory of SoftmaxRoom elements. The sum and its
// logarithm are in float64; a result is within 2 units in the last place or, near 0, 2^-50.
func (s *Set) LogSoftmax(dst, src []float32, lanes []float64, room []float32) {
	src = src[:len(dst)]
	most := s.Largest(src)
	sums := (*[16]float64)(lanes)
	clear(sums[:])
	for i := 0; i < len(src); i += SoftmaxRoom {
		part := src[i:min(len(src), i+SoftmaxRoom)]
		s.exponentials(room[:len(part)], part, most, lanes)
	}
	s.Map(Plus, dst, src, -most, 0)
	s.Map(Plus, dst, dst, -float32(math.Log(total(sums))), 0)
}

// Turn writes dst[j*to+i] = src[i*from+j] for i < n and j < m: a transposition.
func (s *Set) Turn(dst, src []float32, n, m, to, from int) {
	i := 0
	if rows := m &^ 7; rows > 0 {
		for ; i+8 <= n; i += 8 {
			s.turn(dst[i:], src[i*from:], to, from, rows)
			for k := i; k < i+8; k++ {
				for j, x := range src[k*from+rows : k*from+m] {
					dst[(rows+j)*to+k] = x
				}
			}
		}
	}
	for ; i < n; i++ {
		for j, x := range src[i*from:][:m] {
			dst[j*to+i] = x
		}
	}
}

// exponentials writes exp(x - most) and adds it to the first sixteen lanes.
func (s *Set) exponentials(dst, src []float32, most float32, lanes []float64) {
	n := len(dst) &^ (vecBlock - 1)
	src = src[:len(dst)]
	sums := (*[16]float64)(lanes)
	s.expSum(dst[:n], src[:n], most, sums)
	if rest := src[n:]; len(rest) > 0 { // a block with room: e^-Inf adds nothing
		last := (*[vecBlock]float32)(unsafe.Pointer((*[8]float64)(lanes[16:])))
		for i := copy(last[:], rest); i < vecBlock; i++ {
			last[i] = float32(math.Inf(-1))
		}
		s.expSum(last[:], last[:], most, sums)
		copy(dst[n:], last[:])
	}
}

func total(lanes *[16]float64) float64 {
	sum := 0.0
	for _, v := range lanes {
		sum += v
	}
	return sum
}

// Largest is the largest element, NaN left out; -Inf of none.
func (s *Set) Largest(src []float32) float32 {
	n := len(src) &^ (vecBlock - 1)
	most := float32(math.Inf(-1))
	if n > 0 {
		most = s.largest(src[:n])
	}
	return max(most, largestGeneric(src[n:]))
}

// FromInts writes integers as float32.
func (s *Set) FromInts(dst []float32, src []int32) {
	n := len(dst) &^ (vecBlock - 1)
	src = src[:len(dst)]
	s.fromInts(dst[:n], src[:n])
	fromIntsGeneric(dst[n:], src[n:])
}

// Affine writes z*num/den + bias, in float64 in this order and rounded once. With one the parameters' first elements serve
// all of z, else they go along it.
func (s *Set) Affine(dst []float32, z []int32, num, den, bias []float64, one bool) {
	n := len(dst) &^ (vecBlock - 1)
	z = z[:len(dst)]
	step := 1
	if one {
		step = 0
	}
	s.affine(dst[:n], z[:n], num, den, bias, step)
	affineGeneric(dst[n:], z[n:], num[n*step:], den[n*step:], bias[n*step:], step)
}

// Normalize writes (x - mean)/deviation*scale + bias, every operation rounded.
func (s *Set) Normalize(dst, src []float32, mean, deviation, scale, bias float32) {
	n := len(dst) &^ (vecBlock - 1)
	src = src[:len(dst)]
	s.normalize(dst[:n], src[:n], mean, deviation, scale, bias)
	normalizeGeneric(dst[n:], src[n:], mean, deviation, scale, bias)
}

// Quantize writes bytes round(x/scale) + zero, halves to even, limited to lo..hi; NaN gives zero. The bytes of negative numbers
// are their low bits.
func (s *Set) Quantize(dst []byte, src []float32, scale float32, zero, lo, hi int32) {
	n := len(dst) &^ (vecBlock - 1)
	src = src[:len(dst)]
	least, most := float32(lo-zero), float32(hi-zero)
	s.quantize(dst[:n], src[:n], scale, least, most, zero)
	quantizeGeneric(dst[n:], src[n:], scale, least, most, zero)
}

// Dequantize writes (x - zero)*scale of unsigned or signed bytes.
func (s *Set) Dequantize(dst []float32, src []byte, signed bool, scale float32, zero int32) {
	n := len(dst) &^ (vecBlock - 1)
	src = src[:len(dst)]
	i := 0
	if signed {
		i = 1
	}
	s.dequantize[i](dst[:n], src[:n], scale, zero)
	dequantizeGeneric[i](dst[n:], src[n:], scale, zero)
}
