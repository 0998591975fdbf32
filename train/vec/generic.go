package vec

import "math"

func fill(y []float32, s float32) {
	for i := range y {
		y[i] = s
	}
}

func shift(y []float32, s float32) {
	for i := range y {
		y[i] += s
	}
}

func add(y, x []float32) {
	for i, v := range x {
		y[i] += v
	}
}

func sub(y, x []float32) {
	for i, v := range x {
		y[i] -= v
	}
}

func addScaled(y, x []float32, s float32) {
	for i, v := range x {
		y[i] += float32(s * v)
	}
}

func affine(y, x []float32, s, t float32) {
	for i, v := range x {
		y[i] = float32(s*v) + t
	}
}

func scale(y, x []float32, s float32) {
	for i, v := range x {
		y[i] = s * v
	}
}

func relu(y, x []float32) {
	for i, v := range x {
		y[i] = max(v, 0)
	}
}

func step(y, x []float32, low, jump float32, strict, nan bool) {
	for i, v := range x {
		y[i] = low
		if v > 0 || v == 0 && !strict || v != v && nan {
			y[i] = low + jump
		}
	}
}

func scaleShift(y, x []float32, m, s, t float32) {
	for i, v := range x {
		y[i] = float32((v-m)*s) + t
	}
}

func normalize(y, x []float32, m, d, s, t float32) {
	for i, v := range x {
		y[i] = float32(float32(float32(v-m)/d)*s) + t
	}
}

func plus(y, a, b []float32) {
	for i, v := range a {
		y[i] = v + b[i]
	}
}

func minus(y, a, b []float32) {
	for i, v := range a {
		y[i] = v - b[i]
	}
}

func times(y, a, b []float32) {
	for i, v := range a {
		y[i] = v * b[i]
	}
}

func ratio(y, a, b []float32) {
	for i, v := range a {
		y[i] = v / b[i]
	}
}

func or(y, a, b []float32) {
	for i, v := range a {
		y[i] = v + b[i] - float32(v*b[i])
	}
}

func maximum(y, a, b []float32) {
	for i, v := range a {
		y[i] = max(v, b[i])
	}
}

func minimum(y, a, b []float32) {
	for i, v := range a {
		y[i] = min(v, b[i])
	}
}

func greater(y, a, b []float32) {
	for i, v := range a {
		y[i] = 0
		if v > b[i] {
			y[i] = 1
		}
	}
}

func greaterEqual(y, a, b []float32) {
	for i, v := range a {
		y[i] = 0
		if v >= b[i] {
			y[i] = 1
		}
	}
}

func addTimes(y, a, b []float32) {
	for i, v := range a {
		y[i] += float32(v * b[i])
	}
}

func addTimesNot(y, a, b []float32) {
	for i, v := range a {
		y[i] += float32(v * (1 - b[i]))
	}
}

func addWhere(y, a, b []float32) {
	for i, v := range a {
		if b[i] > 0 {
			y[i] += v
		}
	}
}

func abs(x float32) float32 { return math.Float32frombits(math.Float32bits(x) &^ (1 << 31)) }

func triangle(y, a, b []float32, s, w float32) {
	for i, v := range a {
		y[i] += float32(float32(s*v) * max(0, w-abs(b[i])))
	}
}

func box(y, a, b []float32, s, w float32) {
	for i, v := range a {
		if abs(b[i]) <= w {
			y[i] += float32(s * v)
		}
	}
}

func combine(y, a, b []float32, s, t, u float32) {
	for i, v := range a {
		y[i] += float32(s*v) + float32(t*b[i]) + u
	}
}

// sum adds up a multiple of 16 elements.
func sum(x []float32) float32 {
	var s [sumLanes]float32
	for ; len(x) > 0; x = x[sumLanes:] {
		for i, v := range x[:sumLanes] {
			s[i] += v
		}
	}
	for half := sumLanes / 2; half > 0; half /= 2 {
		for i := range half {
			s[i] += s[half+i]
		}
	}
	return s[0]
}

// dots adds up a multiple of 16 elements and products.
func dots(a, b []float32) (float64, float64) {
	var s, q [sumLanes]float64
	for ; len(a) > 0; a, b = a[sumLanes:], b[sumLanes:] {
		for i, v := range a[:sumLanes] {
			s[i] += float64(v)
			q[i] += float64(v) * float64(b[i])
		}
	}
	for half := sumLanes / 2; half > 0; half /= 2 {
		for i := range half {
			s[i] += s[half+i]
			q[i] += q[half+i]
		}
	}
	return s[0], q[0]
}
