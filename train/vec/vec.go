package vec

// The types of kernels. n is a number of elements, a multiple of the lanes.
type (
	kernel0S  = func(n int, y *float32, s float32)
	kernel1   = func(n int, y, x *float32)
	kernel1S  = func(n int, y, x *float32, s float32)
	kernel1S2 = func(n int, y, x *float32, s, t float32)
	kernel1S3 = func(n int, y, x *float32, s, t, u float32)
	kernel1S4 = func(n int, y, x *float32, s, t, u, v float32)
	kernel2   = func(n int, y, a, b *float32)
	kernel2S2 = func(n int, y, a, b *float32, s, t float32)
	kernel2S3 = func(n int, y, a, b *float32, s, t, u float32)
)

// kernels is one implementation in assembly.
type kernels struct {
	name  string
	lanes int // 0: there is no assembly

	fill, shift                                                          kernel0S
	add, sub, relu, even                                                 kernel1
	addScaled, scale                                                     kernel1S
	affine, stepGreater, stepGreaterEqual, stepNotLessEqual, stepNotLess kernel1S2
	scaleShift                                                           kernel1S3
	normalize                                                            kernel1S4
	plus, minus, times, ratio, or, max, min                              kernel2
	greater, greaterEqual, addTimes, addTimesNot, addWhere               kernel2
	triangle, box                                                        kernel2S2
	combine                                                              kernel2S3
	rows                                                                 func(n, width int, y *float32, pitch int, x *float32, step int)
	pairMax                                                              func(n int, y *float32, taken *int32, x *float32, first int32, steps *[8]int32)
	sum                                                                  func(n int, x *float32) float32
	moments                                                              func(n int, x *float32) (s, q float64)
	dots                                                                 func(n int, a, b *float32) (s, q float64)
}

// implementations are those that this machine can run, the fastest last.
var implementations = append([]kernels{{name: "generic"}}, native()...)

var active = &implementations[len(implementations)-1]

// whole is how many of n elements the kernels in assembly do.
func (k *kernels) whole(n int) int {
	if k.lanes == 0 {
		return 0
	}
	return n &^ (k.lanes - 1)
}

// Fill sets y = s.
func Fill(y []float32, s float32) {
	n := active.whole(len(y))
	if n > 0 {
		active.fill(n, &y[0], s)
	}
	fill(y[n:], s)
}

// Shift sets y += s.
func Shift(y []float32, s float32) {
	n := active.whole(len(y))
	if n > 0 {
		active.shift(n, &y[0], s)
	}
	shift(y[n:], s)
}

// Add sets y += x.
func Add(y, x []float32) {
	x = x[:len(y)]
	n := active.whole(len(y))
	if n > 0 {
		active.add(n, &y[0], &x[0])
	}
	add(y[n:], x[n:])
}

// Sub sets y -= x.
func Sub(y, x []float32) {
	x = x[:len(y)]
	n := active.whole(len(y))
	if n > 0 {
		active.sub(n, &y[0], &x[0])
	}
	sub(y[n:], x[n:])
}

// AddScaled sets y += s*x.
func AddScaled(y, x []float32, s float32) {
	x = x[:len(y)]
	n := active.whole(len(y))
	if n > 0 {
		active.addScaled(n, &y[0], &x[0], s)
	}
	addScaled(y[n:], x[n:], s)
}

// Affine sets y = s*x + t.
func Affine(y, x []float32, s, t float32) {
	x = x[:len(y)]
	n := active.whole(len(y))
	if n > 0 {
		active.affine(n, &y[0], &x[0], s, t)
	}
	affine(y[n:], x[n:], s, t)
}

// Scale sets y = s*x.
func Scale(y, x []float32, s float32) {
	x = x[:len(y)]
	n := active.whole(len(y))
	if n > 0 {
		active.scale(n, &y[0], &x[0], s)
	}
	scale(y[n:], x[n:], s)
}

// Relu sets y = max(x, 0).
func Relu(y, x []float32) {
	x = x[:len(y)]
	n := active.whole(len(y))
	if n > 0 {
		active.relu(n, &y[0], &x[0])
	}
	relu(y[n:], x[n:])
}

// Even sets y[i] = x[2*i].
func Even(y, x []float32) {
	n := active.whole(min(len(y), len(x)/2))
	if n > 0 {
		active.even(n, &y[0], &x[0])
	}
	for i := n; i < len(y); i++ {
		y[i] = x[2*i]
	}
}

// Rows sets y[r*pitch+i] = x[r*step+i] for r < n and i < width, and what is
// between these rows of y to 0.
func Rows(y []float32, pitch int, x []float32, step, n, width int) {
	if n == 0 || width == 0 {
		return
	}
	y, x = y[:(n-1)*pitch+width], x[:(n-1)*step+width]
	first := 0
	// The kernel clears 8 elements after a row, which the next row may overwrite.
	if gap := pitch - width; active.lanes > 0 && n > 1 && width%8 == 0 && gap >= 0 && gap <= 8 {
		first = n - 1
		active.rows(first, width, &y[0], pitch, &x[0], step)
	}
	for r := first; r < n; r++ {
		copy(y[r*pitch:r*pitch+width], x[r*step:])
		if r+1 < n {
			clear(y[r*pitch+width : (r+1)*pitch])
		}
	}
}

// evens are the places of the first elements of pairs.
var evens = [8]int32{0, 2, 4, 6, 8, 10, 12, 14}

// PairMax replaces y[i] by x[2*i], then by x[2*i+1], where that is greater or NaN,
// and taken[i] by first plus its index in x.
func PairMax(y []float32, taken []int32, x []float32, first int32) {
	taken, x = taken[:len(y)], x[:2*len(y)]
	n := 0
	if active.lanes > 0 {
		n = len(y) &^ 7
	}
	if n > 0 {
		active.pairMax(n, &y[0], &taken[0], &x[0], first, &evens)
	}
	for i := n; i < len(y); i++ {
		for j := 2 * i; j < 2*i+2; j++ {
			if v := x[j]; v > y[i] || v != v {
				y[i], taken[i] = v, first+int32(j)
			}
		}
	}
}

// Step sets y = low + jump where x > 0, or x = 0 and it is not strict, or x is NaN
// and nan says so; elsewhere y = low.
func Step(y, x []float32, low, jump float32, strict, nan bool) {
	x = x[:len(y)]
	n := active.whole(len(y))
	if n > 0 {
		kernel := active.stepGreater
		switch {
		case strict && nan:
			kernel = active.stepNotLessEqual
		case nan:
			kernel = active.stepNotLess
		case !strict:
			kernel = active.stepGreaterEqual
		}
		kernel(n, &y[0], &x[0], low, jump)
	}
	step(y[n:], x[n:], low, jump, strict, nan)
}

// ScaleShift sets y = (x-m)*s + t.
func ScaleShift(y, x []float32, m, s, t float32) {
	x = x[:len(y)]
	n := active.whole(len(y))
	if n > 0 {
		active.scaleShift(n, &y[0], &x[0], m, s, t)
	}
	scaleShift(y[n:], x[n:], m, s, t)
}

// Normalize sets y = (x-m)/d*s + t.
func Normalize(y, x []float32, m, d, s, t float32) {
	x = x[:len(y)]
	n := active.whole(len(y))
	if n > 0 {
		active.normalize(n, &y[0], &x[0], m, d, s, t)
	}
	normalize(y[n:], x[n:], m, d, s, t)
}

// Plus sets y = a + b.
func Plus(y, a, b []float32) { both(y, a, b, active.plus, plus) }

// Minus sets y = a - b.
func Minus(y, a, b []float32) { both(y, a, b, active.minus, minus) }

// Times sets y = a*b.
func Times(y, a, b []float32) { both(y, a, b, active.times, times) }

// Ratio sets y = a/b.
func Ratio(y, a, b []float32) { both(y, a, b, active.ratio, ratio) }

// Or sets y = a + b - a*b, which is OR of bits.
func Or(y, a, b []float32) { both(y, a, b, active.or, or) }

// Max sets y = max(a, b).
func Max(y, a, b []float32) { both(y, a, b, active.max, maximum) }

// Min sets y = min(a, b).
func Min(y, a, b []float32) { both(y, a, b, active.min, minimum) }

// Greater sets y = 1 where a > b, else 0.
func Greater(y, a, b []float32) { both(y, a, b, active.greater, greater) }

// GreaterEqual sets y = 1 where a >= b, else 0.
func GreaterEqual(y, a, b []float32) { both(y, a, b, active.greaterEqual, greaterEqual) }

// AddTimes sets y += a*b.
func AddTimes(y, a, b []float32) { both(y, a, b, active.addTimes, addTimes) }

// AddTimesNot sets y += a*(1-b).
func AddTimesNot(y, a, b []float32) { both(y, a, b, active.addTimesNot, addTimesNot) }

// AddWhere sets y += a where b > 0.
func AddWhere(y, a, b []float32) { both(y, a, b, active.addWhere, addWhere) }

// both runs a kernel of two operands, and its portable form for what is left over.
func both(y, a, b []float32, kernel kernel2, rest func(y, a, b []float32)) {
	a, b = a[:len(y)], b[:len(y)]
	n := active.whole(len(y))
	if n > 0 {
		kernel(n, &y[0], &a[0], &b[0])
	}
	if n < len(y) {
		rest(y[n:], a[n:], b[n:])
	}
}

// Triangle sets y += s*a*max(0, w-|b|).
func Triangle(y, a, b []float32, s, w float32) {
	a, b = a[:len(y)], b[:len(y)]
	n := active.whole(len(y))
	if n > 0 {
		active.triangle(n, &y[0], &a[0], &b[0], s, w)
	}
	triangle(y[n:], a[n:], b[n:], s, w)
}

// Box sets y += s*a where |b| <= w.
func Box(y, a, b []float32, s, w float32) {
	a, b = a[:len(y)], b[:len(y)]
	n := active.whole(len(y))
	if n > 0 {
		active.box(n, &y[0], &a[0], &b[0], s, w)
	}
	box(y[n:], a[n:], b[n:], s, w)
}

// Combine sets y += s*a + t*b + u.
func Combine(y, a, b []float32, s, t, u float32) {
	a, b = a[:len(y)], b[:len(y)]
	n := active.whole(len(y))
	if n > 0 {
		active.combine(n, &y[0], &a[0], &b[0], s, t, u)
	}
	combine(y[n:], a[n:], b[n:], s, t, u)
}

// sumLanes is how many interleaved sums a reduction has. What is left over beyond
// a multiple of them is added afterwards, in order.
const sumLanes = 16

// Sum returns the sum of x.
func Sum(x []float32) (s float32) {
	n := len(x) &^ (sumLanes - 1)
	switch {
	case n == 0:
	case active.lanes > 0:
		s = active.sum(n, &x[0])
	default:
		s = sum(x[:n])
	}
	for _, v := range x[n:] {
		s += v
	}
	return s
}

// Moments returns the sums of x and of its squares.
func Moments(x []float32) (s, q float64) {
	n := len(x) &^ (sumLanes - 1)
	switch {
	case n == 0:
	case active.lanes > 0:
		s, q = active.moments(n, &x[0])
	default:
		s, q = dots(x[:n], x[:n])
	}
	for _, v := range x[n:] {
		s += float64(v)
		q += float64(v) * float64(v)
	}
	return s, q
}

// Dots returns the sums of a and of a*b.
func Dots(a, b []float32) (s, q float64) {
	b = b[:len(a)]
	n := len(a) &^ (sumLanes - 1)
	switch {
	case n == 0:
	case active.lanes > 0:
		s, q = active.dots(n, &a[0], &b[0])
	default:
		s, q = dots(a[:n], b[:n])
	}
	for i, v := range a[n:] {
		s += float64(v)
		q += float64(v) * float64(b[n+i])
	}
	return s, q
}
