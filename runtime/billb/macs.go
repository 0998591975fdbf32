package billb

// shapes is the shapes of an instruction's operands, nil for one left out.
type shapes struct {
	img   *Image
	instr *Instr
}

func (s shapes) in(i int) []int { return s.of(s.instr.In, i) }

func (s shapes) out(i int) []int { return s.of(s.instr.Out, i) }

//go:noinline
func (s shapes) konst(i int) []int {
	if i >= len(s.instr.Const) || s.instr.Const[i] < 0 {
		return nil
	}
	return s.img.Consts[s.instr.Const[i]].Shape
}

//go:noinline
func (s shapes) of(ids []int, i int) []int {
	switch {
	case i >= len(ids) || ids[i] == -1:
		return nil
	case ids[i] < 0:
		return s.img.Consts[ConstOperand(ids[i])].Shape // its own inverse
	}
	return s.img.Buffers[ids[i]].Shape
}

// MACs is the number of multiply-accumulates of an instruction, 0 for one that
// is not made of them. Binary ones and additions of signed inputs count; what
// falls into padding is not left out. The image must be one that loads.
func (img *Image) MACs(in *Instr) float64 {
	op := in.Op.Op()
	if op.macs == nil {
		return 0
	}
	return op.macs(shapes{img, in})
}

func volume(shape []int) float64 {
	n := 1.0
	for _, d := range shape {
		n *= float64(d)
	}
	return n
}

// perChannel counts every element of the result with all weights of its
// channel, which are [O, ...].
func perChannel(s shapes, weights []int) float64 { return volume(s.out(0)) * volume(weights[1:]) }

// perStep counts weights for every step and sequence of x, which are its first
// two axes.
func perStep(s shapes, weights ...[]int) float64 {
	n := 0.0
	for _, w := range weights {
		if w != nil {
			n += volume(w)
		}
	}
	return volume(s.in(0)[:2]) * n
}

// perStepOfAll counts input and recurrent weights of all directions.
func perStepOfAll(s shapes) float64 { return perStep(s, s.in(1), s.in(2)) }
