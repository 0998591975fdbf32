package kernels

import "math"

// The elementwise functions in plain Go. Every operation is rounded to float32 (the conversions forbid fused ones), and the
// vector kernels do the same operations in the same order. The polynomials and the way to split numbers are those of the
// Cephes library's single-precision functions (S. L. Moshier).

var unaryGeneric = [functions]unaryFunc{
	Relu:       reluGeneric,
	Clip:       clipGeneric,
	LeakyRelu:  leakyReluGeneric,
	Exp:        func(dst, src []float32, _, _ float32) { each(dst, src, exp) },
	Log:        func(dst, src []float32, _, _ float32) { each(dst, src, log) },
	Sigmoid:    func(dst, src []float32, _, _ float32) { each(dst, src, sigmoid) },
	Tanh:       func(dst, src []float32, _, _ float32) { each(dst, src, tanh) },
	Elu:        eluGeneric,
	Sqrt:       func(dst, src []float32, _, _ float32) { each(dst, src, in64(math.Sqrt)) },
	Reciprocal: func(dst, src []float32, _, _ float32) { each(dst, src, func(x float32) float32 { return 1 / x }) },
	Plus:       plusGeneric,
	Times:      timesGeneric,
	Over:       overGeneric,
	Abs:        func(dst, src []float32, _, _ float32) { each(dst, src, in64(math.Abs)) },
	Neg:        func(dst, src []float32, _, _ float32) { each(dst, src, func(x float32) float32 { return -x }) },
	Floor:      func(dst, src []float32, _, _ float32) { each(dst, src, in64(math.Floor)) },
	Ceil:       func(dst, src []float32, _, _ float32) { each(dst, src, in64(math.Ceil)) },
	RoundEven:  func(dst, src []float32, _, _ float32) { each(dst, src, in64(math.RoundToEven)) },
	Erf:        func(dst, src []float32, _, _ float32) { each(dst, src, erf) },
}

var hardGeneric = [2]hardFunc{hardSigmoidGeneric, hardSwishGeneric}

var binaryGeneric = [operators]binaryFunc{Add: addGeneric, Sub: subGeneric, Mul: mulGeneric, Div: divGeneric, PRelu: preluGeneric, Max: maxGeneric, Min: minGeneric}

func each(dst, src []float32, f func(float32) float32) {
	for i, x := range src {
		dst[i] = f(x)
	}
}

func addGeneric(dst, a, b []float32) {
	a, b = a[:len(dst)], b[:len(dst)]
	for i := range dst {
		dst[i] = a[i] + b[i]
	}
}

func subGeneric(dst, a, b []float32) {
	a, b = a[:len(dst)], b[:len(dst)]
	for i := range dst {
		dst[i] = a[i] - b[i]
	}
}

func mulGeneric(dst, a, b []float32) {
	a, b = a[:len(dst)], b[:len(dst)]
	for i := range dst {
		dst[i] = a[i] * b[i]
	}
}

func divGeneric(dst, a, b []float32) {
	a, b = a[:len(dst)], b[:len(dst)]
	for i := range dst {
		dst[i] = a[i] / b[i]
	}
}

func maxGeneric(dst, a, b []float32) {
	a, b = a[:len(dst)], b[:len(dst)]
	for i := range dst {
		dst[i] = max(a[i], b[i])
	}
}

func minGeneric(dst, a, b []float32) {
	a, b = a[:len(dst)], b[:len(dst)]
	for i := range dst {
		dst[i] = min(a[i], b[i])
	}
}

func preluGeneric(dst, a, b []float32) {
	b = b[:len(dst)]
	for i, x := range a[:len(dst)] {
		if x < 0 {
			x *= b[i]
		}
		dst[i] = x
	}
}

func plusGeneric(dst, src []float32, a, _ float32) {
	for i, x := range src {
		dst[i] = x + a
	}
}

func timesGeneric(dst, src []float32, a, _ float32) {
	for i, x := range src {
		dst[i] = x * a
	}
}

func overGeneric(dst, src []float32, a, _ float32) {
	for i, x := range src {
		dst[i] = x / a
	}
}

func reluGeneric(dst, src []float32, _, _ float32) {
	for i, x := range src {
		dst[i] = max(x, 0)
	}
}

// in64 is a function of float64 rounded once.
func in64(f func(float64) float64) func(float32) float32 {
	return func(x float32) float32 { return float32(f(float64(x))) }
}

func clipGeneric(dst, src []float32, a, b float32) {
	for i, x := range src {
		if x < a {
			x = a
		}
		if x > b {
			x = b
		}
		dst[i] = x
	}
}

func leakyReluGeneric(dst, src []float32, a, _ float32) {
	for i, x := range src {
		if x < 0 {
			x *= a
		}
		dst[i] = x
	}
}

const (
	roundMagic = 12582912 // 1.5*2^23: adding it rounds to an integer, which is in the low bits
	nearExp    = 86       // up to here 2^n and e^x are normal numbers
	log2e      = 1.44269504088896341
	ln2High    = 0.693359375 // of few bits: its product with a small integer is exact
	ln2Low     = -2.12194440e-4
)

// expParts splits e^(x+tail) into 2^n and p = e^r - 1 with |r| up to ln(2)/2; t holds n in its low bits.
func expParts(x, tail float32) (t, p float32) {
	t = float32(x*log2e) + roundMagic
	n := t - roundMagic
	r := x - float32(n*ln2High)
	r -= float32(n * ln2Low)
	r += tail
	q := float32(1.9875691500e-4)
	q = float32(q*r) + 1.3981999507e-3
	q = float32(q*r) + 8.3334519073e-3
	q = float32(q*r) + 4.1665795894e-2
	q = float32(q*r) + 1.6666665459e-1
	q = float32(q*r) + 5.0000001201e-1
	return t, float32(float32(r*r)*q) + r
}

// scaled is y times 2^n, in two steps so that neither power leaves the normal range.
func scaled(t, y float32) float32 {
	n := int32(math.Float32bits(t) - math.Float32bits(roundMagic))
	half := n >> 1
	y *= math.Float32frombits(uint32(half+127) << 23)
	return y * math.Float32frombits(uint32(n-half+127)<<23)
}

// expClamped limits x to where e^x still changes.
func expClamped(x float32) float32 {
	if x < -104 {
		return -104
	}
	if x > 89 {
		return 89
	}
	return x
}

func exp(x float32) float32 {
	t, p := expParts(expClamped(x), 0)
	return scaled(t, p+1)
}

func eluGeneric(dst, src []float32, a, _ float32) {
	for i, x := range src {
		if x < 0 {
			t, p := expParts(expClamped(x), 0)
			if t != roundMagic {
				p = scaled(t, p+1) + -1
			}
			x = p * a
		}
		dst[i] = x
	}
}

// sigmoid is 1/(1 + e^-x). Of e^-x = 2^n + 2^n*p the term below 1 or 1 itself is added to 2^n*p first, then the larger one.
func sigmoid(x float32) float32 {
	if a := math.Float32frombits(math.Float32bits(x) &^ (1 << 31)); !(a <= nearExp) {
		if x > 0 {
			return 1
		}
		return exp(x)
	}
	t, p := expParts(-x, 0)
	n := math.Float32frombits(math.Float32bits(t)<<23 + 127<<23) // 2^n
	return 1 / (float32(n*p) + min(n, 1) + max(n, 1))
}

func tanh(x float32) float32 {
	a := math.Float32frombits(math.Float32bits(x) &^ (1 << 31))
	if a < 0.625 {
		z := x * x
		q := float32(-5.70498872745e-3)
		q = float32(q*z) + 2.06390887954e-2
		q = float32(q*z) + -5.37397155531e-2
		q = float32(q*z) + 1.33314422036e-1
		q = float32(q*z) + -3.33332819422e-1
		return float32(float32(q*z)*x) + x
	}
	y := 1 - 2/(exp(a+a)+1) // 1 from 10 on
	return math.Float32frombits(math.Float32bits(y) | math.Float32bits(x)&(1<<31))
}

// erf is a polynomial near 0 and 1 - e^(a polynomial) beyond (N. Juffa).
func erf(x float32) float32 {
	a := math.Float32frombits(math.Float32bits(x) &^ (1 << 31))
	if a > 0.927734375 {
		a = min(a, 4) // where it is 1
		q := float32(-1.72853470e-5)
		q = float32(q*a) + 3.83197126e-4
		q = float32(q*a) + -3.88396438e-3
		q = float32(q*a) + 2.42546219e-2
		q = float32(q*a) + -1.06777877e-1
		q = float32(q*a) + -6.34846687e-1
		q = float32(q*a) + -1.28717512e-1
		y := 1 - exp(float32(q*a)-a)
		return math.Float32frombits(math.Float32bits(y) | math.Float32bits(x)&(1<<31))
	}
	z := x * x
	q := float32(-5.96761703e-4)
	q = float32(q*z) + 4.99119423e-3
	q = float32(q*z) + -2.67681349e-2
	q = float32(q*z) + 1.12819925e-1
	q = float32(q*z) + -3.76125336e-1
	q = float32(q*z) + 1.28379166e-1
	return float32(q*x) + x
}

func log(x float32) float32 {
	switch {
	case x < 0:
		return float32(math.NaN())
	case x == 0:
		return float32(math.Inf(-1))
	case !(x < float32(math.Inf(1))):
		return x
	}
	m, shift := x, float32(0)
	if x < 0x1p-126 {
		m, shift = x*(1<<23), -23
	}
	e := int32(math.Float32bits(m)-0x3f3504f3) >> 23
	m = math.Float32frombits(math.Float32bits(m) - uint32(e)<<23)
	n := float32(e) + shift
	f := m + -1
	z := f * f
	y := float32(7.0376836292e-2)
	y = float32(y*f) + -1.1514610310e-1
	y = float32(y*f) + 1.1676998740e-1
	y = float32(y*f) + -1.2420140846e-1
	y = float32(y*f) + 1.4249322787e-1
	y = float32(y*f) + -1.6668057665e-1
	y = float32(y*f) + 2.0000714765e-1
	y = float32(y*f) + -2.4999993993e-1
	y = float32(y*f) + 3.3333331174e-1
	y = float32(y*f) * z
	y += float32(n * ln2Low)
	y -= float32(z * 0.5)
	return float32(f+y) + float32(n*ln2High)
}

func hardSigmoidGeneric(dst, src []float32, alpha, beta float64) {
	for i, x := range src {
		dst[i] = float32(max(0, min(1, float64(alpha*float64(x))+beta)))
	}
}

func hardSwishGeneric(dst, src []float32, alpha, beta float64) {
	for i, x := range src {
		dst[i] = float32(float64(x) * max(0, min(1, float64(alpha*float64(x))+beta)))
	}
}

func largestGeneric(src []float32) float32 {
	most := float32(math.Inf(-1))
	for _, x := range src {
		if x > most {
			most = x
		}
	}
	return most
}

// expOfDifference is e^(x-m) for m not below x.
func expOfDifference(x, m float32) float32 {
	d := x - m
	// d + tail = x - m exactly (Knuth's sum of two numbers).
	back := d + m
	tail := float32(x-back) - float32(m-float32(back-d))
	if d < -104 {
		d, tail = -104, 0
	}
	t, p := expParts(d, tail)
	return scaled(t, p+1)
}

func expSumGeneric(dst, src []float32, m float32, sums *[16]float64) {
	for i, x := range src {
		dst[i] = expOfDifference(x, m)
		sums[i%16] += float64(dst[i])
	}
}

func softmaxColumnsGeneric(dst, src []float32, step, d int) {
	for i := range softmaxLanes {
		softmaxColumn(dst[i:], src[i:], step, d)
	}
}

func softmaxColumn(dst, src []float32, step, d int) {
	most, sum := float32(math.Inf(-1)), 0.0
	for k := range d {
		if x := src[k*step]; x > most {
			most = x
		}
	}
	for k := range d {
		e := expOfDifference(src[k*step], most)
		dst[k*step] = e
		sum += float64(e)
	}
	for k := range d {
		dst[k*step] /= float32(sum)
	}
}

func turnGeneric(dst, src []float32, to, from, n int) {
	for i := range 8 {
		row := src[i*from:][:n]
		for j, x := range row {
			dst[j*to+i] = x
		}
	}
}

func fromIntsGeneric(dst []float32, src []int32) {
	for i, z := range src {
		dst[i] = float32(z)
	}
}

func affineGeneric(dst []float32, src []int32, num, den, bias []float64, step int) {
	for i, z := range src {
		k := i * step
		dst[i] = float32(float64(float64(float64(z)*num[k])/den[k]) + bias[k])
	}
}

func normalizeGeneric(dst, src []float32, mean, deviation, scale, bias float32) {
	for i, x := range src {
		dst[i] = float32(float32((x-mean)/deviation)*scale) + bias
	}
}

func quantizeGeneric(dst []byte, src []float32, scale, lo, hi float32, zero int32) {
	for i, x := range src {
		q := x / scale
		if q != q {
			q = 0
		}
		q = min(hi, max(lo, q))
		dst[i] = byte(int32(math.RoundToEven(float64(q))) + zero)
	}
}

var dequantizeGeneric = [2]dequantizeFunc{
	func(dst []float32, src []byte, scale float32, zero int32) {
		for i, x := range src {
			dst[i] = float32(int32(x)-zero) * scale
		}
	},
	func(dst []float32, src []byte, scale float32, zero int32) {
		for i, x := range src {
			dst[i] = float32(int32(int8(x))-zero) * scale
		}
	},
}
