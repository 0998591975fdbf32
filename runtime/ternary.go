package runtime

import "github.com/billnet/billnet/runtime/billb"

// ternaryConv prepares a convolution of bits, which plan does for a map and weights. Where the second half of the channels has
// the opposite weights of the first, as the planes of ternary signs have, and the map's bits there are opposite too, because no
// sign is 0, then
//
//	sum over i of w[i]*x[i] - w[i]*(1 - x[i])  =  sum over i of w[i]*(2x[i] - 1)
//
// is a convolution of the first half as signs, which costs half. Whether they are is seen when it runs.
func (p *prep) ternaryConv(x *operand, w *billb.Const, groups int, plan func(x *operand, w *billb.Const) step) step {
	full := plan(x, w)
	first := firstHalf(w)
	if first == nil || groups != 1 || x.elem != Bit || x.geom.C%16 != 0 || x.geom.C != w.Shape[1] {
		return full
	}
	p.charge(len(first.Data))
	signs := *x
	signs.elem, signs.geom.C, signs.shape = SBit, x.geom.C/2, append([]int{x.shape[0], x.shape[1] / 2}, x.shape[2:]...)
	half := plan(&signs, first)
	s := step{work: full.work}
	inner := func(parts int) int { // and a byte for every part
		n := 0
		for _, f := range []func(parts int) int{full.scratch, half.scratch} {
			if f != nil {
				n = max(n, f(parts))
			}
		}
		return n
	}
	s.scratch = func(parts int) int { return addSat(inner(parts), parts) }
	s.stages = append(s.stages, func(m *memory, part, parts int) {
		zeros := byte(1)
		if x.geom.Opposite(part, parts, x.bytes(m)) {
			zeros = 0
		}
		m.scratch[inner(parts)+part] = zeros
	})
	for i := range max(len(full.stages), len(half.stages)) {
		s.stages = append(s.stages, func(m *memory, part, parts int) {
			stages := half.stages
			for _, zeros := range m.scratch[inner(parts):][:parts] {
				if zeros != 0 {
					stages = full.stages
				}
			}
			if i < len(stages) {
				stages[i](m, part, parts)
			}
		})
	}
	return s
}

// firstHalf is the weights of the first half of the input channels, where those of the second half are opposite; else nil.
func firstHalf(w *billb.Const) *billb.Const {
	if w.Elem != SBit || len(w.Shape) != 5 || w.Shape[1]%2 != 0 {
		return nil
	}
	n := w.Shape[1] / 2 * billb.Product(w.Shape[2:])
	bit := func(i int) byte { return w.Data[i/8] >> (i % 8) & 1 }
	h := &billb.Const{Elem: SBit, Shape: append([]int{w.Shape[0], w.Shape[1] / 2}, w.Shape[2:]...), Data: make([]byte, (w.Shape[0]*n+7)/8)}
	for o := range w.Shape[0] {
		for i := range n {
			b := bit(2*o*n + i)
			if b == bit((2*o+1)*n+i) {
				return nil
			}
			h.Data[(o*n+i)/8] |= b << ((o*n + i) % 8)
		}
	}
	return h
}
