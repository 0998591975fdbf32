package runtime

import (
	"math"
	"testing"

	"github.com/billnet/billnet/runtime/billb"
)

// FuzzLoad changes files and seals them again, so that the validator alone must
// hold what the checksum would. What loads is run between guard pages: an
// access outside the arena or the scratch memory crashes.
func FuzzLoad(f *testing.F) {
	b := smallNet()
	f.Add(encode(f, &b.img))
	for _, b := range append(opSamples(), kernelSamples()...) {
		f.Add(encode(f, &b.img))
	}
	f.Add(encode(f, &stateNet().img))
	f.Fuzz(func(t *testing.T, file []byte) {
		if len(file) < billb.HeaderSize {
			return
		}
		billb.Seal(file)
		prog, err := Loader{MaxArena: 1 << 20}.LoadBytes(file)
		if err != nil {
			return
		}
		runHostile(t, prog)
	})
}

// runHostile runs a program that came from anywhere, if it is small enough.
func runHostile(t testing.TB, prog *Program) {
	t.Helper()
	code, _ := prog.prepared(prog.best)
	steps := code.steps
	total := 0
	for i := range steps {
		if total += steps[i].work + 1000; total > 1<<23 {
			return
		}
		if s := steps[i].scratch; s != nil && s(2) > 1<<24 {
			return
		}
	}
	for _, atEnd := range []bool{false, true} {
		guard := guarded{atEnd: atEnd}
		s, err := prog.newSession(Options{Threads: 2}, func(n int) []byte { return guard.alloc(t, n) })
		if err != nil {
			t.Fatal(err)
		}
		var in, out [][]byte
		for i, p := range prog.Inputs() {
			x := make([]byte, billb.Product(p.Shape)*p.Elem.Width())
			for j := range x {
				if x[j] = byte(j*7 + i); p.Elem == Bool || p.Elem.IsLogic() {
					x[j] = 1
				}
			}
			in = append(in, x)
		}
		for _, p := range prog.Outputs() {
			out = append(out, make([]byte, billb.Product(p.Shape)*p.Elem.Width()))
		}
		s.Run(in, out) // an error is fine
		s.Run(in, out) // with what the first has left
		s.Close()
		guard.free()
	}
}

// opSamples is one small program for every family of opcodes that smallNet does
// not use.
func opSamples() []*builder {
	rng := newRand(50)
	var list []*builder
	add := func(op billb.Opcode, e Elem, shape []int, xs []*tensor, ints []int, rest ...any) {
		b := &builder{}
		var ids []int
		for _, x := range xs {
			ids = append(ids, b.input(x))
		}
		y := b.dense(e, shape...)
		for i, r := range rest { // constants
			if ks, ok := r.([]*tensor); ok {
				var c []int
				for _, k := range ks {
					c = append(c, b.konst(k))
				}
				rest[i] = c
			}
		}
		b.op(op, ids, []int{y}, ints, rest...)
		b.output(y)
		list = append(list, b)
	}
	r := func(e Elem, shape ...int) *tensor { return randTensor(rng, e, shape...) }
	add(billb.OpTranspose, I16, []int{4, 2, 3}, []*tensor{r(I16, 2, 3, 4)}, []int{2, 0, 1})
	add(billb.OpGather, F32, []int{2, 2}, []*tensor{r(F32, 2, 3), newTensor(I64, 2)}, []int{1})
	add(billb.OpConcat, U8, []int{2, 5}, []*tensor{r(U8, 2, 3), r(U8, 2, 2)}, []int{1})
	add(billb.OpShift, U8, []int{2, 3}, []*tensor{r(U8, 2, 3), r(U8, 2, 2)}, []int{1})
	add(billb.OpAffine, F32, []int{2, 3}, []*tensor{r(I32, 2, 3)}, []int{1}, []*tensor{r(F64, 3), r(F64, 1), r(F64, 3)})
	add(billb.OpILinear, I32, []int{2, 3}, []*tensor{r(Bit, 2, 5)}, nil, []*tensor{r(SBit, 3, 5)})
	add(billb.OpLSTM, F32, []int{3, 2, 2, 4}, []*tensor{r(F32, 3, 2, 5), r(F32, 2, 16, 5), r(F32, 2, 16, 4), r(F32, 2, 32)}, []int{2, 0, 0}, []float64{0})
	for _, e := range []Elem{F32, I16} {
		for _, op := range []billb.Opcode{billb.OpAdd, billb.OpDiv, billb.OpMax, billb.OpPow, billb.OpPRelu} {
			add(op, e, []int{2, 3, 4}, []*tensor{r(e, 2, 1, 4), r(e, 3, 1)}, nil)
		}
		add(billb.OpWhere, e, []int{2, 3}, []*tensor{r(Bool, 3), r(e, 2, 3), r(e, 2, 1)}, nil)
		add(billb.OpGreater, Bool, []int{2, 3}, []*tensor{r(e, 2, 3), r(e, 1, 3)}, nil)
		add(billb.OpClip, e, []int{7}, []*tensor{r(e, 7), r(e), r(e, 1)}, nil)
		add(billb.OpReduceMax, e, []int{2, 4}, []*tensor{r(e, 2, 3, 4)}, []int{1})
		add(billb.OpReduceSum, e, []int{1, 3, 1}, []*tensor{r(e, 2, 3, 4)}, []int{0, 2})
		add(billb.OpMod, e, []int{2, 3, 4}, []*tensor{r(e, 2, 1, 4), r(e, 3, 1)}, nil)
		add(billb.OpScatter, e, []int{4, 3}, []*tensor{r(e, 4, 3), newTensor(I64, 2), r(e, 2, 3)}, []int{1})
		add(billb.OpArgMax, I64, []int{2, 4}, []*tensor{r(e, 2, 3, 4)}, []int{1, 0})
		add(billb.OpMaxPool, e, []int{1, 2, 3, 2}, []*tensor{r(e, 1, 2, 5, 4)}, []int{2, 3, 2, 2, 1, 1, 0, 0, 1, 1})
		add(billb.OpPad, e, []int{5, 6}, []*tensor{r(e, 3, 4), r(e)}, []int{1, -1, 0})
		add(billb.OpPad, e, []int{9, 6}, []*tensor{r(e, 3, 4)}, []int{4, 1, 1})
		add(billb.OpTile, e, []int{4, 3}, []*tensor{r(e, 2, 3)}, nil)
		add(billb.OpExpand, e, []int{2, 3, 4}, []*tensor{r(e, 3, 1)}, nil)
		add(billb.OpGatherElements, e, []int{2, 2}, []*tensor{r(e, 2, 3), newTensor(I32, 2, 2)}, []int{1})
	}
	add(billb.OpCast, U8, []int{9}, []*tensor{r(F32, 9)}, nil)
	add(billb.OpRecode, SBit, []int{9}, []*tensor{r(Bit, 9)}, nil)
	add(billb.OpJoin, Tern, []int{9}, []*tensor{r(Bit, 9), r(Bit, 9)}, nil)
	add(billb.OpStep, SBit, []int{9}, []*tensor{r(F32, 9)}, []int{1, 0})
	add(billb.OpRound, F32, []int{9}, []*tensor{r(F32, 9)}, []int{16})
	add(billb.OpRelu, F32, []int{9}, []*tensor{r(F32, 9)}, nil)
	add(billb.OpTanh, F32, []int{9}, []*tensor{r(F32, 9)}, nil)
	add(billb.OpElu, F64, []int{9}, []*tensor{r(F64, 9)}, nil, []float64{0.5})
	add(billb.OpSoftmax, F32, []int{2, 5}, []*tensor{r(F32, 2, 5)}, []int{1})
	add(billb.OpBatchNorm, F32, []int{2, 3, 4}, []*tensor{r(F32, 2, 3, 4), r(F32, 3), r(F32, 3), r(F32, 3), r(F32, 3)}, nil, []float64{1e-5})
	add(billb.OpConv, F32, []int{1, 4, 3, 4, 5}, []*tensor{r(F32, 1, 2, 3, 4, 5), r(F32, 4, 1, 3, 3, 3), r(F32, 4)}, []int{2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1})
	add(billb.OpDenseIConv, I16, []int{2, 4, 3}, []*tensor{r(U8, 2, 3, 6), r(Tern, 4, 3, 2)}, []int{1, 2, 0, 1, 1})
	add(billb.OpAveragePool, F32, []int{1, 2, 3, 2}, []*tensor{r(F32, 1, 2, 5, 4)}, []int{2, 3, 2, 2, 1, 1, 0, 0, 1, 1, 1})
	add(billb.OpMatMul, F32, []int{2, 3, 4}, []*tensor{r(F32, 2, 3, 5), r(F32, 5, 4)}, nil)
	add(billb.OpMatMul, I32, []int{2, 3}, []*tensor{r(I32, 2, 3, 5), r(I32, 5)}, nil)
	add(billb.OpGRU, F32, []int{3, 1, 2, 4}, []*tensor{r(F32, 3, 2, 5), r(F32, 1, 12, 5), r(F32, 1, 12, 4)}, []int{1, 0, 0}, []float64{0})
	add(billb.OpRNN, F32, []int{3, 1, 2, 4}, []*tensor{r(F32, 3, 2, 5), r(F32, 1, 4, 5), r(F32, 1, 4, 4)}, []int{0, 0, 5}, []float64{0, 1, 2})
	add(billb.OpQuant, F32, []int{2, 3}, []*tensor{r(F32, 2, 3), r(F32, 3), r(F32), r(F32)}, []int{1, 0, 0})
	add(billb.OpTruncQuant, F32, []int{2, 3}, []*tensor{r(F32, 2, 3), r(F32, 3), r(F32), r(F32), r(F32), r(F32)}, []int{1, 0, 2})
	add(billb.OpBipolarQuant, F32, []int{2, 3}, []*tensor{r(F32, 2, 3), r(F32)}, nil)
	add(billb.OpQuantizeLinear, U8, []int{2, 3}, []*tensor{r(F32, 2, 3), r(F32, 3), r(U8, 3)}, nil)
	add(billb.OpDequantizeLinear, F32, []int{2, 3}, []*tensor{r(I8, 2, 3), r(F32, 3), r(I8, 3)}, nil)
	add(billb.OpRequantize, I8, []int{2, 3}, []*tensor{r(I32, 2, 3), r(F32, 3), r(I8)}, nil)
	grid := []*tensor{scalarOf(F32, 0.5), scalarOf(U8, 3)}
	add(billb.OpMapSteps, U8, []int{2, 3, 4}, []*tensor{r(F32, 2, 3, 4), r(F32, 2, 3, 1)}, []int{int(billb.StepMulInput), int(billb.StepPlus), int(billb.StepQuantize)}, []float64{0, 255},
		append([]*tensor{r(F32, 3)}, grid...))
	add(billb.OpConvSteps, U8, []int{1, 4, 3, 4}, []*tensor{r(U8, 1, 2, 3, 4)}, []int{2, 1, 1, 1, 0, 1, 1, 0, 1, 1, 1, 1, 1, int(billb.StepToFloat), int(billb.StepRelu), int(billb.StepQuantize)},
		[]float64{0, 255}, append([]*tensor{r(I8, 4, 1, 3, 3), r(U8, 1)}, grid...))
	add(billb.OpLinearSteps, F32, []int{3, 5}, []*tensor{r(U8, 3, 7)}, []int{int(billb.StepAffine)}, []*tensor{r(I8, 5, 7), r(U8, 1), r(F64, 5), r(F64, 1), r(F64, 1)})
	add(billb.OpRows, F32, []int{3, 5}, []*tensor{r(F32, 3, 5), r(F32, 3)}, []int{5, rowNumber(billb.OpReduceMean), rowNumber(billb.OpSub), rowNumber(billb.OpMul), 0, 0, 5, 0, 4, 2}, []*tensor{r(F32, 5), r(F32, 1)})
	signs := &builder{}
	stream, bits, sum := signs.input(r(F32, 1, 9, 3, 4)), signs.planes(SBit, geom(9, 1, 3, 4, ones, ones)), signs.dense(F32, 1, 4, 3, 4)
	signs.op(billb.OpMapSteps, []int{stream}, []int{bits}, []int{int(billb.StepPlus), int(billb.StepSign)}, []float64{1, 0}, []int{signs.konst(r(F32, 9))})
	signs.op(billb.OpBConvSteps, []int{bits, signs.input(r(F32, 1, 4, 3, 4))}, []int{sum}, []int{1, 1, 1, 1, 0, 1, 1, 0, 1, 1, 1, 1, 1, int(billb.StepToFloat), int(billb.StepAddInput)}, []int{signs.konst(r(SBit, 4, 9, 1, 3, 3))})
	signs.output(sum)
	list = append(list, signs)
	quantLSTM := []*tensor{}
	for range 4 {
		quantLSTM = append(quantLSTM, r(F32, 2, 5))
	}
	for range 4 {
		quantLSTM = append(quantLSTM, r(F32, 2, 2))
	}
	for range 4 {
		quantLSTM = append(quantLSTM, r(F32, 2))
	}
	for range 3 * billb.Quantizers {
		quantLSTM = append(quantLSTM, r(F32))
	}
	add(billb.OpQuantLSTMCell, F32, []int{3, 1, 2}, []*tensor{r(F32, 3, 1, 5), r(F32, 1, 2), r(F32, 2)}, make([]int, 3+3*billb.Quantizers), quantLSTM)
	add(billb.OpBitXor, SBit, []int{2, 3}, []*tensor{r(SBit, 2, 3), r(SBit, 3)}, nil)
	for _, op := range []billb.Opcode{billb.OpBitMaxPool, billb.OpBitMinPool} {
		b := &builder{}
		p := b.toPlanes(b.input(r(SBit, 1, 9, 2, 6, 6)), geom(9, 2, 6, 6, ones, [3]int{1, 2, 2}))
		y := b.planes(SBit, geom(9, 2, 3, 3, ones, ones))
		b.op(op, []int{p}, []int{y}, []int{1, 3, 3, 1, 2, 2, 0, 1, 1, 1, 1, 1})
		b.output(b.fromPlanes(y))
		list = append(list, b)
	}
	b := &builder{}
	p := b.toPlanes(b.input(r(I16, 1, 9, 2, 3, 4)), geom(9, 2, 3, 4, ones, ones))
	y, z := b.planes(Bit, geom(9, 2, 3, 4, ones, ones)), b.planes(Bit, geom(9, 2, 3, 4, ones, ones))
	b.op(billb.OpThreshold, []int{p}, []int{y}, []int{1}, []int{b.konst(r(I32, 9)), b.konst(r(Bit, 9))})
	b.op(billb.OpBitNot, []int{y}, []int{z}, nil)
	b.op(billb.OpMux, []int{y, z, y}, []int{z}, nil)
	b.op(billb.OpBitAnd, []int{z, b.input(r(Bit, 1, 9, 1, 1, 1))}, []int{z}, nil)
	b.output(b.fromPlanes(z))
	list = append(list, b)
	top := &builder{}
	x, values, indices := top.input(r(F32, 2, 9)), top.dense(F32, 2, 4), top.dense(I64, 2, 4)
	top.op(billb.OpTopK, []int{x}, []int{values, indices}, []int{1, 1})
	top.output(values)
	top.output(indices)
	return append(list, top)
}

// TestSamples runs the samples, which together with smallNet's use every opcode,
// and checks that none allocates.
func TestSamples(t *testing.T) {
	used := map[billb.Opcode]bool{billb.OpLogSoftmax: true, billb.OpIdentity: true} // as their neighbours
	for _, b := range append(append(opSamples(), kernelSamples()...), smallNet()) {
		for _, in := range b.img.Code {
			used[in.Op] = true
		}
		b.dividend()
		b.run(t)
		prog, err := LoadBytes(encode(t, &b.img))
		if err != nil {
			t.Fatal(err)
		}
		s, err := prog.NewSession(Options{Threads: 2})
		if err != nil {
			t.Fatal(err)
		}
		var in [][]byte
		for _, x := range b.inputs {
			in = append(in, x.bytes())
		}
		if n := testing.AllocsPerRun(5, func() {
			if err := s.Run(in, nil); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations per run, expected 0", b.img.Code[0].Op, n)
		}
		s.Close()
	}
	for _, o := range billb.Ops() {
		family := o.Name == "and" || o.Name == "or" || o.Name == "xor" || o.Name == "not" || len(o.In) == 1 || len(o.In) == 3
		if !used[o.Code] && !family {
			t.Errorf("no sample uses %s", o.Name)
		}
	}
}

// dividend keeps the samples' integer divisors and exponents from 0 and below.
func (b *builder) dividend() {
	if op := b.img.Code[0].Op; op == billb.OpDiv || op == billb.OpPow {
		for i := range b.inputs[1].v {
			b.inputs[1].v[i] = 1 + math.Abs(b.inputs[1].v[i])
		}
	}
}

// TestExecutors: every operation of the file format has an executor.
func TestExecutors(t *testing.T) {
	for _, op := range billb.Ops() {
		if executors[op.Code] == nil {
			t.Errorf("nothing executes %s", op.Name)
		}
	}
}
