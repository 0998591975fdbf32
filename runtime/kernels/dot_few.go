package kernels

// fewMost is what the weights of a run add up to at most: with bytes of up to 255 their products fill 16 bits.
const fewMost = (1<<15 - 1) / 255

// leastRun is the shortest run that is worth sums of 16 bits, which become 32 after each.
const leastRun = 2

// fewAsAny takes the kernels for any weights for those of few bits.
func (s *Set) fewAsAny() {
	dot, rows := s.dot, s.dotRows
	s.packFew, s.packFewRows = s.packDot, s.packRows
	s.fewDot = func(acc []int32, src []byte, offs []int32, w []byte, init *[4]int32, _ int) {
		dot(acc, src, offs, w, init)
	}
	for i, f := range rows {
		s.fewRows[i] = func(acc []int32, x, w []byte, _ int) { f(acc, x, w) }
	}
}

// pack chooses the kernels for the weights of every block, lists of outs outputs by four channels a term, and repacks them.
func (d *Dot) pack(lists [][]int8, outs int, any, few func(w []int8) []byte) {
	if run := runOf(lists, outs); run >= leastRun {
		d.few, any = run, few
	}
	for _, w := range lists {
		d.w = append(d.w, any(w))
	}
}

// runOf is the number of terms, in the order of lists of outs outputs by four channels each, of which any as many that follow
// each other keep to fewMost; at most all of them. The lists are of one length.
func runOf(lists [][]int8, outs int) int {
	run := len(lists[0]) / (4 * outs)
	for _, w := range lists {
		for pair := range 2 * outs {
			run = min(run, pairRun(w[2*pair:], 4*outs))
		}
	}
	return run
}

// pairRun is the run of two weights of every term, whose terms lie step apart.
func pairRun(w []int8, step int) int {
	run, first := (len(w)+step-1)/step, 0
	var positive, negative int // sums of the weights from term first on
	add := func(at, sign int) {
		for _, v := range w[at:][:2] {
			if v > 0 {
				positive += sign * int(v)
			} else {
				negative -= sign * int(v)
			}
		}
	}
	for at := 0; at < len(w); at += step {
		for add(at, 1); positive > fewMost || negative > fewMost; first += step {
			add(first, -1)
			run = min(run, (at-first)/step)
		}
	}
	return run
}
