package main

import (
	"testing"

	"github.com/billnet/billnet/runtime"
	"github.com/billnet/billnet/runtime/billb"
	"github.com/billnet/billnet/runtime/kernels"
)

// builder collects the parts of a small program.
type builder struct {
	billb.Image
	tb testing.TB
}

// buffer adds a buffer after all others.
func (m *builder) buffer(b billb.Buffer) int {
	m.tb.Helper()
	n, err := b.Size()
	if err != nil {
		m.tb.Fatal(err)
	}
	b.Offset = m.Arena
	m.Arena += (n + 63) / 64 * 64
	m.Buffers = append(m.Buffers, b)
	return len(m.Buffers) - 1
}

func (m *builder) dense(e runtime.Elem, shape ...int) int {
	return m.buffer(billb.Buffer{Elem: e, Shape: shape})
}

func (m *builder) planes(e runtime.Elem, g kernels.Geom) int {
	return m.buffer(billb.Buffer{Elem: e, Shape: []int{1, g.C, g.T, g.H, g.W}, Planes: true, Geom: g})
}

func (m *builder) konst(e runtime.Elem, data []byte, shape ...int) int {
	m.Consts = append(m.Consts, billb.Const{Elem: e, Shape: shape, Data: data})
	return len(m.Consts) - 1
}

func (m *builder) input(name string, b int)  { m.Inputs = append(m.Inputs, m.port(name, b)) }
func (m *builder) output(name string, b int) { m.Outputs = append(m.Outputs, m.port(name, b)) }

func (m *builder) port(name string, b int) runtime.Port {
	return runtime.Port{Name: name, Elem: m.Buffers[b].Elem, Shape: m.Buffers[b].Shape, Buffer: b}
}

func (m *builder) op(code billb.Opcode, name string, in, out, consts []int, params billb.Params) {
	m.Code = append(m.Code, billb.Instr{Op: code, In: in, Out: out, Const: consts, Params: params, Name: name})
}

func (m *builder) encode() []byte {
	m.tb.Helper()
	b, err := m.Encode()
	if err != nil {
		m.tb.Fatal(err)
	}
	if _, err := runtime.LoadBytes(b); err != nil {
		m.tb.Fatal(err)
	}
	return b
}

// Sizes of the clip models.
const (
	frames, height, width = 2, 4, 4
	hidden, classes       = 8, 4
)

// clipModel takes a clip [1,3,T,H,W] of u8 and gives logits [1,4]: the channel
// that hidden unit o sees, R, G or B in turn, is thresholded at 128, mixed by a
// binary convolution, counted and weighted. scale multiplies the logits.
func clipModel(tb testing.TB, scale float32) []byte {
	m := &builder{tb: tb}
	m.Name, m.Labels = "tiny", []string{"red", "green", "blue", "grey"}
	g := kernels.Geom{C: 3, T: frames, H: height, W: width, PT: 1, PH: 1, PW: 1}
	h := g
	h.C = hidden
	x := m.dense(runtime.U8, 1, 3, frames, height, width)
	px := m.planes(runtime.U8, g)
	bits := m.planes(runtime.Bit, h)
	mixed := m.planes(runtime.Bit, h)
	counts := m.dense(runtime.I32, 1, hidden)
	floats := m.dense(runtime.F32, 1, hidden)
	logits := m.dense(runtime.F32, 1, classes)
	m.input("clip", x)
	m.output("logits", logits)
	m.output("counts", counts)

	sign, nonzero := make([]byte, 3), make([]byte, 3)
	t, lo, hi := make([]int32, hidden), make([]int32, hidden), make([]int32, hidden)
	for o := range hidden {
		i := 3*o + o%3
		sign[i/8] |= 1 << (i % 8)
		nonzero[i/8] |= 1 << (i % 8)
		t[o], hi[o] = 128, 255
	}
	w1 := m.konst(runtime.Tern, append(sign, nonzero...), hidden, 3, 1, 1, 1)
	t1 := m.konst(runtime.I32, runtime.Bytes(t), hidden)
	lo1, hi1 := m.konst(runtime.I32, runtime.Bytes(lo), hidden), m.konst(runtime.I32, runtime.Bytes(hi), hidden)
	w2 := m.konst(runtime.SBit, []byte{0xdb, 0x6d, 0xb6, 0xdb, 0x6d, 0xb6, 0xdb, 0x6d}, hidden, hidden, 1, 1, 1)
	t2 := m.konst(runtime.I32, runtime.Bytes([]int32{1, 1, 1, 1, 1, 1, 1, 1}), hidden)
	w3 := make([]float32, hidden*classes)
	for i := range w3 {
		w3[i] = scale * float32(i*7%11-5) / 16
	}
	fc := m.konst(runtime.F32, runtime.Bytes(w3), hidden, classes)

	one := [3]int{1, 1, 1}
	conv := billb.Conv{Stride: one, Dilation: one, Groups: 1}
	m.op(billb.OpRelayout, "load", []int{x}, []int{px}, nil, nil)
	m.op(billb.OpIConv, "stem", []int{px}, []int{bits}, []int{w1, t1, -1, lo1, hi1}, &billb.IntConv{Conv: conv, Acc: 16})
	m.op(billb.OpBConv, "mix", []int{bits}, []int{mixed}, []int{w2, t2}, &conv)
	m.op(billb.OpCount, "pool", []int{mixed}, []int{counts}, nil, &billb.Count{})
	m.op(billb.OpCast, "float", []int{counts}, []int{floats}, nil, nil)
	m.op(billb.OpGemm, "fc", []int{floats, billb.ConstOperand(fc)}, []int{logits}, nil, &billb.Gemm{Alpha: 1})
	return m.encode()
}

// floatModel takes a clip [1,3,T,H,W] of f32 and gives its first 4 values.
func floatModel(tb testing.TB) []byte {
	m := &builder{tb: tb}
	m.Name = "float"
	x := m.dense(runtime.F32, 1, 3, frames, height, width)
	row := m.dense(runtime.F32, 1, 3*frames*height*width)
	y := m.dense(runtime.F32, 1, 4)
	m.input("clip", x)
	m.output("y", y)
	m.op(billb.OpReshape, "", []int{x}, []int{row}, nil, nil)
	m.op(billb.OpSlice, "", []int{row}, []int{y}, nil, &billb.Slice{Start: []int{0, 0}, Step: []int{1, 1}})
	return m.encode()
}

// pickModel has two inputs, x [3,2] of f32 and sel [2] of i64, and gives the
// rows of x that sel names, under a name that is no file name.
func pickModel(tb testing.TB) []byte {
	m := &builder{tb: tb}
	m.Name = "pick"
	x, sel := m.dense(runtime.F32, 3, 2), m.dense(runtime.I64, 2)
	y := m.dense(runtime.F32, 2, 2)
	m.input("x", x)
	m.input("sel", sel)
	m.output("../rows/y:0", y)
	m.op(billb.OpGather, "pick", []int{x, sel}, []int{y}, nil, &billb.Along{})
	return m.encode()
}

// halfModel takes f32[1,4], which the model declares as f16, and gives the same
// under a name of letters that are not ASCII.
func halfModel(tb testing.TB) []byte {
	m := &builder{tb: tb}
	m.Name = "half"
	m.Meta = [][2]string{{"type.x", "f16"}, {"type.größe", "f16"}}
	x, y := m.dense(runtime.F32, 1, 4), m.dense(runtime.F32, 1, 4)
	m.input("x", x)
	m.output("größe", y)
	m.op(billb.OpReshape, "", []int{x}, []int{y}, nil, nil)
	return m.encode()
}
