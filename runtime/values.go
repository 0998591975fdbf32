package runtime

// values is an operand seen as elements T: its own memory where it holds them,
// else a converted copy in scratch memory (for a constant: made at load).
type values[T real] struct {
	*operand
	convert bool
	fixed   []T
	at      int
}

func newValues[T real](mem *area, o *operand) *values[T] {
	v := &values[T]{operand: o, convert: !holds[T](o.elem)}
	switch {
	case v.convert && o.fixed != nil:
		v.convert = false
		mem.p.charge(mulSat(o.n, sizeOf[T]()))
		v.fixed = make([]T, o.n)
		v.read(nil, v.fixed, 0)
	case v.convert:
		v.at = mem.take(o.n, sizeOf[T]())
	}
	return v
}

func (v *values[T]) view(m *memory) []T {
	switch {
	case v.fixed != nil:
		return v.fixed
	case v.convert:
		return as[T](m.scratch[v.at:])[:v.n]
	}
	return view[T](v.operand, m)
}

// read converts elements from lo on.
func (v *values[T]) read(m *memory, dst []T, lo int) {
	var ints [chunk]int64
	for i := 0; i < len(dst); i += chunk {
		n := min(chunk, len(dst)-i)
		loadInts(ints[:n], v.operand, m, lo+i)
		narrow(dst[i:], ints[:n])
	}
}

// load is a part of a stage that converts an input.
func (v *values[T]) load(m *memory, part, parts int) {
	if v.convert {
		lo, hi := share(v.n, part, parts)
		v.read(m, v.view(m)[lo:hi], lo)
	}
}

// store is a part of a stage that converts an output.
func (v *values[T]) store(m *memory, part, parts int) {
	lo, hi := share(v.n, part, parts)
	src := v.view(m)
	var ints [chunk]int64
	for ; lo < hi; lo += chunk {
		n := min(chunk, hi-lo)
		widen(ints[:n], src[lo:])
		storeInts(v.operand, m, lo, ints[:n])
	}
}
