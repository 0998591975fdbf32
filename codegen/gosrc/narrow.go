package gosrc

import "github.com/billnet/billnet/runtime/billb"

// Pools of bits and the splitting of an input into phases, as AVX-512 code.
//
// Both take every second byte of a row. The bytes of a pair are a 16-bit lane,
// and VPMOVWB keeps the low one of each: after the high one was combined with it,
// or was moved into its place.

// pooled is a bit pool whose windows do not overlap.
type pooled struct {
	Index   int
	Name    string
	In, Out billb.Buffer
	and     bool
	kernel  [3]int
}

// newPooled returns the form of instruction i, nil where it has none.
func newPooled(img *billb.Image, i int) *pooled {
	in := &img.Code[i]
	if in.Op != billb.OpBitMaxPool && in.Op != billb.OpBitMinPool {
		return nil
	}
	p := &pooled{Index: i, Name: in.Name, In: img.Buffers[in.In[0]], Out: img.Buffers[in.Out[0]], and: in.Op == billb.OpBitMinPool}
	x, y := p.In.Geom, p.Out.Geom
	v := in.Params.(*billb.BitPool)
	if p.kernel = v.Kernel; v.Stride != v.Kernel || v.Pad != [3]int{} || v.Dilation != [3]int{1, 1, 1} {
		return nil
	}
	if p.kernel[2] != 2 || x.Phases() != 1 || y.Phases() != 1 || 2*y.W > x.W || y.HW > 4 ||
		y.T*p.kernel[0] > x.T || y.H*p.kernel[1] > x.H || pieces(2*y.W) == nil {
		return nil
	}
	return p
}

// Frames is the number of frames of a window.
func (p *pooled) Frames() int { return p.kernel[0] }

// pieces cuts a row of n bytes into registers of 64, 32 or 16, or returns nil.
func pieces(n int) []int {
	var list []int
	for size := 64; size >= 16; size /= 2 {
		for ; n >= size; n -= size {
			list = append(list, size)
		}
	}
	if n > 0 {
		return nil
	}
	return list
}

// register is the letter of registers of some bytes.
func register(size int) string { return map[int]string{64: "Z", 32: "Y", 16: "X"}[size] }

// assembly writes the function that pools the frames of a window, in one plane.
func (p *pooled) assembly() []byte {
	a := newAssembly()
	x, y := p.In.Geom, p.Out.Geom
	op := "VPORD"
	if p.and {
		op = "VPANDD"
	}
	a.line("// func pool%d(dst, src *byte)", p.Index)
	a.line("TEXT ·pool%d(SB), NOSPLIT, $0-16", p.Index)
	a.op("MOVQ dst+0(FP), DI")
	a.op("MOVQ src+8(FP), SI")
	a.op("MOVQ $%d, CX", y.H)
	a.line("row:")
	at := 0
	for _, size := range pieces(2 * y.W) {
		r := register(size)
		for k := range p.kernel[0] * p.kernel[1] {
			from := k/p.kernel[1]*x.Frame() + k%p.kernel[1]*x.Pitch() + at
			if k == 0 {
				a.op("VMOVDQU8 %d(SI), %s0", from, r)
			} else {
				a.op("%s %d(SI), %s0, %s0", op, from, r, r)
			}
		}
		a.op("VPSRLW $8, %s0, %s1", r, r)
		a.op("%s %s1, %s0, %s0", op, r, r, r)
		a.op("VPMOVWB %s0, %d(DI)", r, at/2)
		at += size
	}
	for i := range y.HW {
		a.op("MOVB $0, %d(DI)", y.W+i)
	}
	a.op("ADDQ $%d, SI", p.kernel[1]*x.Pitch())
	a.op("ADDQ $%d, DI", y.Pitch())
	a.op("DECQ CX")
	a.op("JNZ row")
	a.op("VZEROUPPER")
	a.op("RET")
	return a.Bytes()
}

// split is a relayout of dense bytes into planes with two phases of columns.
type split struct {
	Index   int
	Name    string
	In, Out billb.Buffer
}

// newSplit returns the form of instruction i, nil where it has none.
func newSplit(img *billb.Image, i int) *split {
	in := &img.Code[i]
	if in.Op != billb.OpRelayout || in.In[0] < 0 {
		return nil
	}
	s := &split{Index: i, Name: in.Name, In: img.Buffers[in.In[0]], Out: img.Buffers[in.Out[0]]}
	g := s.Out.Geom
	if s.In.Planes || !s.Out.Planes || s.Out.Elem != billb.U8 || g.PT != 1 || g.PW != 2 || g.H%g.PH != 0 || g.HW > 4 || pieces(g.W) == nil {
		return nil
	}
	return s
}

// assembly writes the function that splits the rows of one phase of rows, in one
// frame.
func (s *split) assembly() []byte {
	a := newAssembly()
	g := s.Out.Geom
	a.line("// func split%d(even, odd, src *byte)", s.Index)
	a.line("TEXT ·split%d(SB), NOSPLIT, $0-24", s.Index)
	a.op("MOVQ even+0(FP), DI")
	a.op("MOVQ odd+8(FP), DX")
	a.op("MOVQ src+16(FP), SI")
	a.op("MOVQ $%d, CX", g.H/g.PH)
	a.line("row:")
	at := 0
	for _, size := range pieces(g.W) {
		r := register(size)
		a.op("VMOVDQU8 %d(SI), %s0", at, r)
		a.op("VPMOVWB %s0, %d(DI)", r, at/2)
		a.op("VPSRLW $8, %s0, %s0", r, r)
		a.op("VPMOVWB %s0, %d(DX)", r, at/2)
		at += size
	}
	for i := range g.HW {
		a.op("MOVB $0, %d(DI)", g.W/2+i)
		a.op("MOVB $0, %d(DX)", g.W/2+i)
	}
	a.op("ADDQ $%d, SI", g.PH*g.W)
	a.op("ADDQ $%d, DI", g.Pitch())
	a.op("ADDQ $%d, DX", g.Pitch())
	a.op("DECQ CX")
	a.op("JNZ row")
	a.op("VZEROUPPER")
	a.op("RET")
	return a.Bytes()
}
