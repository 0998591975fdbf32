package runtime

import (
	"math"

	"github.com/billnet/billnet/runtime/billb"
	"github.com/billnet/billnet/runtime/kernels"
)

// fewElements is the most elements of a channel that have constants of their own.
const fewElements = 16

// stepChunk is how many elements a list of steps works on at a time.
const stepChunk = 1024

// row is a run of elements of a result: of one channel, stride 1, or along the channels.
type row struct {
	z []int32 // of an integer source
	n int

	at      int // and in the result
	stride  int // of the elements in the result
	channel int // of the first element
	along   bool
}

// steps is a prepared list: what follows an operation element by element, on a few elements at a time.
type steps struct {
	set      *kernels.Set
	y        *operand
	inner    int // elements of a channel
	channels int
	list     []func(m *memory, r *row, v []float32)
	bytes    bool       // the last step makes bytes
	signs    []signTest // the last step makes bits, on planes: for each, those of all channels
	levels   *levels    // what the whole list comes to, where it is that
	monotone bool       // every step rises or falls, in every channel
	plain    bool       // no step asks for the channel
	many     int        // elements of a channel that each have its constants, so that a row may go over channels; 1: a row is of one channel, or along them
}

// The temporary vectors of a list: elements, an operand, bytes.
func stepFloats(m *memory) []float32  { return as[float32](m.temp[:4*stepChunk]) }
func stepOperand(m *memory) []float32 { return as[float32](m.temp[4*stepChunk : 8*stepChunk]) }

//go:noinline
func stepBytes(m *memory) []byte { return m.temp[8*stepChunk : 9*stepChunk] }

// run computes a row, whose elements are at most stepChunk.
func (s *steps) run(m *memory, r *row) {
	v := stepFloats(m)[:r.n]
	direct := r.stride == 1
	if s.levels != nil && direct {
		s.levels.run(s, s.y.bytes(m)[r.at:][:r.n], r)
		return
	}
	if direct && s.y.elem == F32 {
		v = view[float32](s.y, m)[r.at:][:r.n]
	}
	if s.levels != nil {
		s.levels.run(s, stepBytes(m)[:r.n], r)
	} else {
		for _, f := range s.list {
			f(m, r, v)
		}
	}
	switch {
	case s.bytes && direct:
		copy(s.y.bytes(m)[r.at:], stepBytes(m)[:r.n])
	case s.bytes:
		dst := s.y.bytes(m)
		for j, b := range stepBytes(m)[:r.n] {
			dst[r.at+j*r.stride] = b
		}
	case !direct:
		dst := view[float32](s.y, m)
		for j, x := range v {
			dst[r.at+j*r.stride] = x
		}
	}
}

// runDot computes the rows of a block of sums.
func (s *steps) runDot(m *memory, b *kernels.DotBlock, i int) {
	r := &m.row
	z, at, channel := b.Z[i], b.At[i], b.Channel[i]
	for len(z) > 0 {
		n := min(len(z), stepChunk)
		*r = row{z: z[:n], n: n, at: at, stride: b.Step, channel: channel, along: b.Along}
		if s.many > 1 {
			r.channel, r.along = at%(s.channels*s.many), true
		}
		s.run(m, r)
		z = z[n:]
		at += n * b.Step
		if b.Along {
			channel += n
		}
	}
}

// stepReader hands out the operands of a list of steps.
type stepReader struct {
	p                 *prep
	y                 *operand
	n                 int // elements
	channels, inner   int
	in, konst         int
	values            []float64
	list              *steps
	source            Elem
	most              int         // of an integer that the list begins with
	read              [][]float32 // constants of the step
	floating, ofBytes bool        // what the elements are: float32, bytes; else integers
}

// newSteps prepares a list for a result y whose channels have inner elements each. source is the element type before the
// first step, and most what integers are at most, or less than 0; inputs and constants are read from the given ones on.
// With many, channels of at most fewElements elements are dealt with as if every element were one.
func (p *prep) newSteps(y *operand, list *billb.Steps, many bool, channels, inner, in, konst int, source Elem, most int) *steps {
	s := &steps{set: p.set, y: y, inner: inner, channels: channels, plain: true, many: 1, monotone: true}
	if many && inner > 1 && inner <= fewElements {
		s.many = inner
	}
	r := &stepReader{p: p, y: y, n: y.n / resultsOf(list), channels: channels, inner: inner, in: in, konst: konst, values: list.Values, list: s, source: source, most: most,
		floating: source == F32, ofBytes: source == U8 || source == I8}
	for _, op := range list.Steps {
		r.read = nil
		values := r.values
		f := r.step(op)
		if f != nil {
			s.list = append(s.list, f)
		}
		s.monotone = s.monotone && (f == nil || keepsOrder(op, r.read, values))
	}
	if len(r.values) > 0 || r.in < len(p.instr.In) || r.konst < len(p.instr.Const) {
		p.fail("%d values, %d inputs and %d constants are left over after the last step", len(r.values), len(p.instr.In)-r.in, len(p.instr.Const)-r.konst)
	}
	if s.signs != nil {
		p.planes(y, Bit, SBit)
		return s
	}
	p.dense(y)
	if s.bytes = r.ofBytes; !r.floating && !s.bytes {
		p.fail("no step makes anything of the integers")
	}
	want := F32
	if s.bytes {
		want = r.source
	}
	if y.elem != want {
		p.fail("%s, expected %s after the last step", y, want)
	}
	if source == I32 && s.bytes && s.monotone {
		n := len(list.Values)
		s.levels = s.foldLevels(p, most, list.Values[n-2], list.Values[n-1])
	}
	return s
}

// expect requires what a step works on.
func (r *stepReader) expect(op billb.StepOp, floating, bytes bool) {
	if r.list.signs != nil {
		r.p.fail("step %s follows a sign, expected none", op)
	}
	if r.floating != floating || r.ofBytes != bytes {
		r.p.fail("step %s does not follow the one before it", op)
	}
}

func (r *stepReader) value() float64 {
	if len(r.values) == 0 {
		r.p.fail("a step has no value left")
	}
	v := r.values[0]
	r.values = r.values[1:]
	return v
}

// perChannel is the next constant, of f32, as a list of one number for every channel.
func (r *stepReader) perChannel() []float32 {
	c := r.p.konst(r.konst, F32)
	if c == nil || billb.Product(c.Shape) != 1 && billb.Product(c.Shape) != r.channels {
		r.p.fail("constant %d of the steps, expected f32 of one element or %d", r.konst, r.channels)
	}
	r.list.plain = r.list.plain && billb.Product(c.Shape) == 1
	r.konst++
	n := r.channels * r.list.many
	r.p.charge(mulSat(n, 4))
	data := as[float32](r.p.denseData(c))
	v := make([]float32, n)
	for i := range v {
		v[i] = data[i/r.list.many%len(data)]
	}
	r.read = append(r.read, v)
	return v
}

// doubles is the next constant, of f64, likewise.
func (r *stepReader) doubles(def float64) []float64 {
	v := r.p.f64s(r.konst, r.channels, def)
	r.konst++
	near := make([]float32, len(v))
	for i, x := range v {
		near[i] = float32(x)
	}
	r.read = append(r.read, near)
	if r.list.many == 1 {
		return v
	}
	out := make([]float64, 0, len(v)*r.list.many)
	r.p.charge(mulSat(cap(out), 8))
	for _, x := range v {
		for range r.list.many {
			out = append(out, x)
		}
	}
	return out
}

// factors are the numbers of an affine that is a product in float32: of integers that float32 has with numbers that it has. The
// product in float64 is exact then, and rounded as that one is. nil: it is something else.
func (r *stepReader) factors(num, den, bias []float64) []float32 {
	if r.most > 1<<24 {
		return nil
	}
	c := make([]float32, len(num))
	r.p.charge(mulSat(len(c), 4))
	for i, v := range num {
		c[i] = float32(v)
		if float64(c[i]) != v || math.IsInf(v, 0) || den[i] != 1 || math.Float64bits(bias[i]) != 0 {
			return nil
		}
	}
	return c
}

// grid is the next two constants: a scale and a zero point of a type of bytes.
func (r *stepReader) grid() (scale float32, zero int32, e Elem) {
	s, z := r.p.konst(r.konst, F32), r.p.konst(r.konst+1, U8, I8)
	if s == nil || z == nil || billb.Product(s.Shape) != 1 || billb.Product(z.Shape) != 1 {
		r.p.fail("constants %d and %d of the steps, expected a scale and a zero point", r.konst, r.konst+1)
	}
	r.konst += 2
	zero = int32(z.Data[0])
	if z.Elem == I8 {
		zero = int32(int8(z.Data[0]))
	}
	scale = as[float32](r.p.denseData(s))[0]
	r.read = append(r.read, []float32{scale})
	return scale, zero, z.Elem
}

// input is the next input, of a type, and whether it has one element for every channel of every image.
func (r *stepReader) input(e Elem) (x *operand, one bool) {
	x = r.p.dense(r.p.in(r.in), e)
	r.in++
	if x.n != r.n && x.n*r.inner != r.n {
		r.p.fail("%s beside %s", x, r.y)
	}
	r.list.plain = r.list.plain && x.n == r.n
	return x, x.n != r.n
}

// with is a step of an operator and one number a channel, the next constant.
func (r *stepReader) with(op kernels.Operator, one kernels.Function) func(m *memory, r *row, v []float32) {
	return r.each(op, one, r.perChannel())
}

// each is a step of an operator and one number a channel.
func (r *stepReader) each(op kernels.Operator, one kernels.Function, c []float32) func(m *memory, r *row, v []float32) {
	set := r.p.set
	return func(_ *memory, r *row, v []float32) {
		if r.along {
			set.Combine(op, v, v, c[r.channel:r.channel+r.n])
		} else {
			set.Map(one, v, v, c[r.channel], 0)
		}
	}
}

func (r *stepReader) function(f kernels.Function, a, b float32) func(m *memory, r *row, v []float32) {
	set := r.p.set
	return func(_ *memory, _ *row, v []float32) { set.Map(f, v, v, a, b) }
}

// operand is a step of an operator and an input: full, or of one element for every channel of every image. load loads elements of it,
// from one on, stride apart.
func (r *stepReader) operand(op kernels.Operator, one kernels.Function, x *operand, single bool, load func(m *memory, dst []float32, at, stride int)) func(m *memory, r *row, v []float32) {
	set, inner := r.p.set, r.inner
	return func(m *memory, r *row, v []float32) {
		u := stepOperand(m)
		switch {
		case single && r.along && inner > 1: // the row goes over whole channels, or takes an element of each
			first := r.at / inner
			load(m, u[:(r.at+(r.n-1)*r.stride)/inner-first+1], first, 1)
			for j := r.n - 1; j > 0; j-- {
				u[j] = u[(r.at+j*r.stride)/inner-first]
			}
		case single:
			load(m, u[:1], r.at/inner, 1)
			set.Map(one, v, v, u[0], 0)
			return
		default:
			load(m, u[:r.n], r.at, r.stride)
		}
		set.Combine(op, v, v, u[:r.n])
	}
}

// pickRun copies elements of src, from one on, stride apart.
func pickRun[T Number](dst, src []T, at, stride int) {
	if stride == 1 {
		copy(dst, src[at:])
		return
	}
	for j := range dst {
		dst[j] = src[at+j*stride]
	}
}

func (r *stepReader) step(op billb.StepOp) func(m *memory, r *row, v []float32) {
	set := r.p.set
	switch op {
	case billb.StepToFloat, billb.StepAffine:
		r.expect(op, false, false)
		r.floating = true
		if op == billb.StepToFloat {
			return func(_ *memory, r *row, v []float32) { set.FromInts(v, r.z) }
		}
		r.list.plain = false
		num, den, bias := r.doubles(1), r.doubles(1), r.doubles(0)
		if c := r.factors(num, den, bias); c != nil {
			times, plus := r.each(kernels.Mul, kernels.Times, c), r.function(kernels.Plus, 0, 0)
			return func(m *memory, r *row, v []float32) {
				set.FromInts(v, r.z)
				times(m, r, v)
				plus(m, r, v) // the bias makes -0 to 0
			}
		}
		return func(_ *memory, r *row, v []float32) {
			set.Affine(v, r.z, num[r.channel:], den[r.channel:], bias[r.channel:], !r.along)
		}
	case billb.StepDequantize:
		r.expect(op, false, true)
		scale, zero, e := r.grid()
		if e != r.source {
			r.p.fail("a zero point of %s for bytes of %s", e, r.source)
		}
		r.floating, r.ofBytes = true, false
		return func(m *memory, r *row, v []float32) { set.Dequantize(v, stepBytes(m), e == I8, scale, zero) }
	case billb.StepQuantize:
		r.expect(op, true, false)
		scale, zero, e := r.grid()
		least, most := e.Range()
		lo, hi := r.value(), r.value()
		if lo != math.Trunc(lo) || hi != math.Trunc(hi) || lo < float64(least) || hi > float64(most) || lo > hi {
			r.p.fail("limits %v and %v of a step, expected integers of %s", lo, hi, e)
		}
		r.floating, r.ofBytes, r.source = false, true, e
		return func(m *memory, r *row, v []float32) {
			set.Quantize(stepBytes(m)[:r.n], v, scale, zero, int32(lo), int32(hi))
		}
	}
	r.expect(op, true, false)
	switch op {
	case billb.StepSign:
		return r.sign()
	case billb.StepTernary:
		return r.ternary()
	case billb.StepPlus:
		return r.with(kernels.Add, kernels.Plus)
	case billb.StepMinus:
		c := r.perChannel()
		return func(_ *memory, r *row, v []float32) {
			if r.along {
				set.Combine(kernels.Sub, v, v, c[r.channel:r.channel+r.n])
			} else {
				set.Map(kernels.Plus, v, v, -c[r.channel], 0)
			}
		}
	case billb.StepTimes:
		return r.with(kernels.Mul, kernels.Times)
	case billb.StepOver:
		return r.with(kernels.Div, kernels.Over)
	case billb.StepPRelu:
		return r.with(kernels.PRelu, kernels.LeakyRelu)
	case billb.StepBatchNorm:
		return r.batchNorm()
	case billb.StepRelu:
		return r.function(kernels.Relu, 0, 0)
	case billb.StepClip:
		lo, hi := r.value(), r.value()
		return r.function(kernels.Clip, float32(lo), float32(hi))
	case billb.StepLeakyRelu:
		return r.function(kernels.LeakyRelu, float32(r.value()), 0)
	case billb.StepSigmoid:
		return r.function(kernels.Sigmoid, 0, 0)
	case billb.StepTanh:
		return r.function(kernels.Tanh, 0, 0)
	case billb.StepExp:
		return r.function(kernels.Exp, 0, 0)
	case billb.StepErf:
		return r.function(kernels.Erf, 0, 0)
	case billb.StepHardSigmoid:
		alpha, beta := r.value(), r.value()
		return func(_ *memory, _ *row, v []float32) { set.HardSigmoid(v, v, alpha, beta) }
	case billb.StepHardSwish:
		return func(_ *memory, _ *row, v []float32) { set.HardSwish(v, v) }
	}
	return r.inputStep(op)
}

// inputStep is a step with an input.
func (r *stepReader) inputStep(op billb.StepOp) func(m *memory, r *row, v []float32) {
	binary, one := kernels.Add, kernels.Plus
	if op == billb.StepMulInput || op == billb.StepMulDequantized {
		binary, one = kernels.Mul, kernels.Times
	}
	if op == billb.StepAddInput || op == billb.StepMulInput {
		x, single := r.input(F32)
		return r.operand(binary, one, x, single, func(m *memory, dst []float32, at, stride int) { pickRun(dst, view[float32](x, m), at, stride) })
	}
	scale, zero, e := r.grid()
	x, single := r.input(e)
	set := r.p.set
	return r.operand(binary, one, x, single, func(m *memory, dst []float32, at, stride int) {
		bytes := stepBytes(m)[:len(dst)] // none are in use between floats
		pickRun(bytes, x.bytes(m), at, stride)
		set.Dequantize(dst, bytes, e == I8, scale, zero)
	})
}

func (r *stepReader) batchNorm() func(m *memory, r *row, v []float32) {
	scale, bias, mean, deviation := r.perChannel(), r.perChannel(), r.perChannel(), r.perChannel()
	eps := float32(r.value())
	for i, x := range deviation {
		deviation[i] = float32(math.Sqrt(float64(x + eps)))
	}
	set := r.p.set
	return func(_ *memory, r *row, v []float32) {
		if !r.along {
			c := r.channel
			set.Normalize(v, v, mean[c], deviation[c], scale[c], bias[c])
			return
		}
		lo, hi := r.channel, r.channel+r.n
		set.Combine(kernels.Sub, v, v, mean[lo:hi])
		set.Combine(kernels.Div, v, v, deviation[lo:hi])
		set.Combine(kernels.Mul, v, v, scale[lo:hi])
		set.Combine(kernels.Add, v, v, bias[lo:hi])
	}
}

// over is a step over all elements of x, row by row: a row is all of them where the channel is all the same, or what follows
// the channel, or the channels where nothing does.
func (s *steps) over(x *operand, channels, cost int) step {
	n, along := s.inner, false
	switch {
	case s.plain:
		n, channels = s.y.n, 1
	case s.inner == s.many:
		n, along = channels*s.many, true
	}
	cuts := (n + stepChunk - 1) / stepChunk
	return ranged(s.y.n/n*cuts, mulSat(min(n, stepChunk), cost), func(m *memory, lo, hi int) {
		r := &m.row
		for u := lo; u < hi; u++ {
			line, first := u/cuts, u%cuts*stepChunk
			*r = row{n: min(stepChunk, n-first), at: line*n + first, stride: 1, channel: line % channels, along: along}
			if along {
				r.channel = first
			}
			s.read(m, r, x)
			s.run(m, r)
		}
	})
}

// read puts a row of x where the first step expects it.
func (s *steps) read(m *memory, r *row, x *operand) {
	switch x.elem {
	case F32:
		v := stepFloats(m)
		if s.y.elem == F32 {
			v = view[float32](s.y, m)[r.at:]
		}
		copy(v[:r.n], view[float32](x, m)[r.at:])
	case I32:
		r.z = view[int32](x, m)[r.at:][:r.n]
	default:
		copy(stepBytes(m)[:r.n], x.bytes(m)[r.at:])
	}
}
