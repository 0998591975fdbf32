package ir

// multiply adds the product of a [m,k] and b [k,n] to out [m,n]. Every element's
// sum runs over k in order. The conversion forbids fused multiply-adds, so that
// every machine agrees.
func multiply[E number](out, a, b []E, m, k, n int) {
	parallel(m, func(i int) {
		row := out[i*n : (i+1)*n]
		for p := range k {
			v := a[i*k+p]
			for j, w := range b[p*n : (p+1)*n] {
				row[j] += E(v * w)
			}
		}
	})
}

// transposed returns the transpose of a [rows,cols] matrix.
func transposed[E number](a []E, rows, cols int) []E {
	t := make([]E, len(a))
	for i := range rows {
		for j := range cols {
			t[j*rows+i] = a[i*cols+j]
		}
	}
	return t
}

// roundAll rounds every element to the tensor's element type: f16 and bf16 to
// nearest, integers modulo 2^bits.
func roundAll(t *Tensor) {
	d := t.Type.DType
	if d == F16 || d == BF16 {
		for i, v := range t.Floats() {
			t.Floats()[i] = RoundFloat(d, v)
		}
	}
	for i, v := range t.Ints() {
		t.Ints()[i] = WrapInt(d, v)
	}
}
