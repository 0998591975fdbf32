package gosrc_test

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/billnet/billnet/codegen/bytecode"
	"github.com/billnet/billnet/codegen/gosrc"
	"github.com/billnet/billnet/frontend/bill"
	"github.com/billnet/billnet/frontend/onnx"
	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/passes"
	"github.com/billnet/billnet/passes/pipeline"
	"github.com/billnet/billnet/passes/streaming"
	"github.com/billnet/billnet/runtime"
	"github.com/billnet/billnet/runtime/billb"
	"github.com/billnet/billnet/runtime/kernels"
	"github.com/billnet/billnet/tests/randgraph"
	"github.com/billnet/billnet/tests/shared"
)

// long reports whether to test everything on every platform.
func long() bool { return os.Getenv("BILLNET_LONG") != "" }

// project is a module of generated packages, in a folder of its own.
type project struct {
	dir     string
	opcodes map[billb.Opcode]bool // that the packages use
	size    map[string]int        // bytes of text of a package
}

func newProject(t *testing.T) *project {
	t.Helper()
	p := &project{dir: t.TempDir(), opcodes: map[billb.Opcode]bool{}, size: map[string]int{}}
	if err := os.WriteFile(filepath.Join(p.dir, "go.mod"), []byte("module generated\n\ngo 1.26\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	return p
}

// add generates a package for a packed module. Its golden vectors are what
// bytecode gives for the inputs; exact says that the interpreter must give the
// same bits.
func (p *project) add(t *testing.T, name string, m *ir.Module, inputs [][]*ir.Tensor, exact bool) {
	t.Helper()
	img, _, err := bytecode.Generate(m, nil)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	var data [][][]byte
	for _, in := range inputs {
		var set [][]byte
		for _, x := range ir.ConvertInputs(m.Main(), in) {
			set = append(set, dense(x))
		}
		data = append(data, set)
	}
	golden := p.addImage(t, name, img, data)
	for k, in := range inputs {
		if !exact {
			break
		}
		want, err := ir.Eval(context.Background(), m.Main(), ir.ConvertInputs(m.Main(), in), nil)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for i, w := range want {
			if !bytes.Equal(golden[k].Outputs[i], dense(w)) {
				t.Fatalf("%s: result %q: bytecode gives other bits than the interpreter", name, m.Main().Results[i].Name)
			}
		}
	}
}

// addImage generates a package with what bytecode gives for the inputs as golden
// vectors, and returns these.
func (p *project) addImage(t *testing.T, name string, img *billb.Image, inputs [][][]byte) []gosrc.Vector {
	t.Helper()
	for _, in := range img.Code {
		p.opcodes[in.Op] = true
	}
	var golden []gosrc.Vector
	for k, out := range outputs(t, img, inputs...) {
		golden = append(golden, gosrc.Vector{Inputs: inputs[k], Outputs: out})
	}
	files, err := gosrc.Generate(img, gosrc.Options{Package: name, Golden: golden})
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	dir := filepath.Join(p.dir, name)
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for file, data := range files {
		if err := os.WriteFile(filepath.Join(dir, file), data, 0o644); err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(file, ".bin") {
			p.size[name] += len(data)
		}
	}
	return golden
}

// outputs runs an image on the bytecode runtime, on one input after the other.
func outputs(t *testing.T, img *billb.Image, inputs ...[][]byte) [][][]byte {
	t.Helper()
	file, err := img.Encode()
	if err != nil {
		t.Fatal(err)
	}
	prog, err := runtime.LoadBytes(file)
	if err != nil {
		t.Fatal(err)
	}
	s, err := prog.NewSession(runtime.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var list [][][]byte
	for _, in := range inputs {
		var out [][]byte
		for _, o := range prog.Outputs() {
			n := o.Elem.Width()
			for _, d := range o.Shape {
				n *= d
			}
			out = append(out, make([]byte, n))
		}
		if err := s.Run(in, out); err != nil {
			t.Fatal(err)
		}
		list = append(list, out)
	}
	return list
}

// dense is a tensor as a port has it: f16 and bf16 as f32, a byte for a logic
// element.
func dense(x *ir.Tensor) []byte {
	if d := x.Type.DType; d == ir.F16 || d == ir.BF16 {
		x = x.Convert(ir.F32)
	}
	if !x.Type.DType.IsLogic() {
		return slices.Clone(x.Data())
	}
	b := make([]byte, x.Len())
	for i, v := range x.Ints() {
		b[i] = byte(v)
	}
	return b
}

// run runs the go command in the project, without a network.
func (p *project) run(t *testing.T, env []string, args ...string) {
	t.Helper()
	cmd := exec.Command("go", args...)
	cmd.Dir = p.dir
	cmd.Env = append(append(os.Environ(), "GOPROXY=off", "GOFLAGS=", "GOWORK=off", "CGO_ENABLED=0"), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%s go %s: %v\n%s", strings.Join(env, " "), strings.Join(args, " "), err, tail(out))
	}
}

func tail(b []byte) []byte { return b[max(0, len(b)-4000):] }

// billnet compiles a network of the shared data and returns some clips.
func billnet(t *testing.T, name string, clips int) (*ir.Module, [][]*ir.Tensor) {
	t.Helper()
	m, _, err := onnx.ImportFile(context.Background(), shared.Dir(t, name+".onnx"), onnx.Options{})
	if err != nil {
		t.Fatal(err)
	}
	lower(t, m)
	return m, randgraph.Inputs(m.Main(), rand.New(rand.NewPCG(1, 2)), 4+clips)[4:]
}

func lower(t *testing.T, m *ir.Module) {
	t.Helper()
	if _, err := passes.Run(context.Background(), m, pipeline.Default(), passes.RunOptions{}); err != nil {
		t.Fatal(err)
	}
}

// program is an image that is being made. Every value has memory of its own.
type program struct {
	t      *testing.T
	img    billb.Image
	rng    *rand.Rand
	inputs [][]byte
}

func newProgram(t *testing.T, name string) *program {
	return &program{t: t, img: billb.Image{Name: name}, rng: rand.New(rand.NewPCG(3, 4))}
}

func (p *program) buffer(b billb.Buffer) int {
	p.t.Helper()
	size, err := b.Size()
	if err != nil {
		p.t.Fatal(err)
	}
	b.Offset = p.img.Arena
	p.img.Arena += (size + 63) / 64 * 64
	p.img.Buffers = append(p.img.Buffers, b)
	return len(p.img.Buffers) - 1
}

// planes is a buffer of planes.
func (p *program) planes(e runtime.Elem, g kernels.Geom) int {
	p.t.Helper()
	return p.buffer(billb.Buffer{Elem: e, Shape: []int{1, g.C, g.T, g.H, g.W}, Planes: true, Geom: g})
}

// input is a dense input of random elements; ones is how often a bit is set, of
// eight times.
func (p *program) input(e runtime.Elem, ones int, shape ...int) int {
	b := p.buffer(billb.Buffer{Elem: e, Shape: shape})
	size, _ := p.img.Buffers[b].Size()
	data := make([]byte, size)
	for i := range data {
		data[i] = byte(p.rng.Uint32())
		if e == runtime.Bit {
			data[i] = byte(p.rng.IntN(8)/(8-ones)) & 1
		}
	}
	p.inputs = append(p.inputs, data)
	p.img.Inputs = append(p.img.Inputs, runtime.Port{Name: fmt.Sprintf("in %d", b), Elem: e, Shape: shape, Buffer: b})
	return b
}

// output makes planes a dense output, or gives a dense buffer out.
func (p *program) output(b int) {
	x := p.img.Buffers[b]
	if x.Planes {
		d := p.buffer(billb.Buffer{Elem: x.Elem, Shape: x.Shape})
		p.op("relayout", []int{b}, d, nil, nil)
		b = d
	}
	p.img.Outputs = append(p.img.Outputs, runtime.Port{Name: fmt.Sprintf("out %d", b), Elem: x.Elem, Shape: x.Shape, Buffer: b})
}

func (p *program) op(name string, in []int, out int, consts []int, params billb.Params) {
	p.t.Helper()
	code, ok := billb.Lookup(name)
	if !ok {
		p.t.Fatalf("no opcode %s", name)
	}
	p.img.Code = append(p.img.Code, billb.Instr{Op: code, In: in, Out: []int{out}, Const: consts, Params: params, Name: fmt.Sprintf("%s %d", name, out)})
}

func (p *program) constant(e runtime.Elem, data []byte, shape ...int) int {
	p.img.Consts = append(p.img.Consts, billb.Const{Elem: e, Shape: shape, Data: data})
	return len(p.img.Consts) - 1
}

// remaining appends the instructions that neither the examples nor the networks
// use.
func (p *program) remaining() {
	x := p.input(runtime.Bit, 6, 1, 9, 2, 6, 7)
	g := kernels.Geom{C: 9, T: 2, H: 6, W: 7, HH: 1, HW: 1, PT: 1, PH: 1, PW: 1}
	planes := p.planes(runtime.Bit, g)
	p.op("relayout", []int{x}, planes, nil, nil)
	g.H, g.W = 3, 3
	pooled := p.planes(runtime.Bit, g)
	p.op("bit_min_pool", []int{planes}, pooled, nil, &billb.BitPool{Kernel: [3]int{1, 2, 2}, Stride: [3]int{1, 2, 2}, Dilation: [3]int{1, 1, 1}})
	p.output(pooled)
	f := p.input(runtime.F32, 0, 40)
	r := p.buffer(billb.Buffer{Elem: runtime.F32, Shape: []int{40}})
	p.op("round", []int{f}, r, nil, &billb.Round{Format: billb.RoundF16})
	p.output(r)
}

// conv is a case of an integer convolution. Its input is a dense one that is
// brought into planes first.
type conv struct {
	elem                     runtime.Elem
	c, t, h, w               int // of the input
	out, groups              int
	kernel, stride, pad, dil [3]int
	bits                     bool
	acc                      int
}

var convs = []conv{
	{elem: runtime.U8, c: 3, t: 4, h: 12, w: 64, out: 16, groups: 1, kernel: [3]int{3, 3, 3}, stride: [3]int{1, 2, 2}, pad: [3]int{1, 1, 1}, bits: true, acc: 16},
	{elem: runtime.U8, c: 2, t: 8, h: 6, w: 16, out: 8, groups: 1, kernel: [3]int{3, 3, 3}, stride: [3]int{2, 2, 2}, pad: [3]int{1, 1, 1}, bits: true, acc: 16},
	{elem: runtime.U8, c: 1, t: 3, h: 5, w: 128, out: 8, groups: 1, kernel: [3]int{1, 5, 3}, pad: [3]int{0, 2, 1}, bits: true, acc: 16},
	{elem: runtime.I8, c: 16, t: 3, h: 8, w: 64, out: 16, groups: 2, kernel: [3]int{3, 3, 3}, pad: [3]int{1, 1, 1}, acc: 16},
	{elem: runtime.I8, c: 16, t: 5, h: 12, w: 32, out: 16, groups: 2, kernel: [3]int{3, 3, 3}, pad: [3]int{1, 1, 1}, bits: true, acc: 16},
	{elem: runtime.I8, c: 8, t: 4, h: 12, w: 16, out: 8, groups: 1, kernel: [3]int{3, 3, 3}, pad: [3]int{1, 1, 1}, acc: 16},
	{elem: runtime.I8, c: 8, t: 8, h: 6, w: 8, out: 16, groups: 1, kernel: [3]int{3, 3, 3}, pad: [3]int{1, 1, 1}, bits: true, acc: 16},
	{elem: runtime.I8, c: 8, t: 4, h: 4, w: 8, out: 8, groups: 1, kernel: [3]int{3, 3, 3}, pad: [3]int{1, 1, 1}, acc: 16},
	{elem: runtime.I8, c: 4, t: 7, h: 4, w: 32, out: 8, groups: 1, kernel: [3]int{2, 2, 2}, dil: [3]int{3, 2, 1}, pad: [3]int{0, 1, 1}, bits: true, acc: 16},
	{elem: runtime.I8, c: 8, t: 3, h: 7, w: 32, out: 8, groups: 1, kernel: [3]int{3, 1, 1}, pad: [3]int{2, 0, 0}, acc: 16},
	{elem: runtime.I8, c: 16, t: 3, h: 4, w: 32, out: 24, groups: 1, kernel: [3]int{1, 1, 1}, bits: true, acc: 16},
	{elem: runtime.I8, c: 32, t: 2, h: 3, w: 96, out: 8, groups: 1, kernel: [3]int{1, 1, 1}, bits: true, acc: 16},
	{elem: runtime.I8, c: 8, t: 4, h: 6, w: 16, out: 16, groups: 2, kernel: [3]int{1, 1, 1}, bits: true, acc: 16},
	{elem: runtime.I16, c: 64, t: 2, h: 6, w: 16, out: 16, groups: 1, kernel: [3]int{1, 1, 1}, bits: true, acc: 32},
	{elem: runtime.I16, c: 8, t: 2, h: 4, w: 64, out: 8, groups: 1, kernel: [3]int{1, 1, 1}, acc: 32},
	{elem: runtime.I16, c: 8, t: 2, h: 6, w: 8, out: 8, groups: 1, kernel: [3]int{1, 1, 1}, bits: true, acc: 32},
	{elem: runtime.I32, c: 6, t: 2, h: 4, w: 32, out: 8, groups: 3, kernel: [3]int{1, 1, 1}, acc: 32},
	{elem: runtime.I16, c: 12, t: 3, h: 2, w: 32, out: 8, groups: 1, kernel: [3]int{2, 2, 1}, pad: [3]int{1, 0, 0}, bits: true, acc: 32},
}

// pairs are convolutions and pointwise ones that alone read them.
var pairs = [][2]conv{
	{
		{elem: runtime.I8, c: 16, t: 12, h: 8, w: 32, out: 16, groups: 2, kernel: [3]int{3, 3, 3}, pad: [3]int{1, 1, 1}, acc: 16},
		{elem: runtime.I16, c: 16, t: 12, h: 8, w: 32, out: 16, groups: 2, kernel: [3]int{1, 1, 1}, bits: true, acc: 32},
	}, {
		{elem: runtime.I8, c: 8, t: 3, h: 12, w: 64, out: 16, groups: 1, kernel: [3]int{3, 3, 3}, pad: [3]int{1, 1, 1}, acc: 16},
		{elem: runtime.I16, c: 16, t: 3, h: 12, w: 64, out: 8, groups: 1, kernel: [3]int{1, 1, 1}, bits: true, acc: 32},
	},
}

// special is a program of instructions that get code of their own: convolutions,
// pools and splits of many shapes.
func special(t *testing.T) *program {
	p := newProgram(t, "special")
	for _, c := range convs {
		c.out = max(c.out, 8*c.groups)
		p.output(p.conv(p.mapOf(c), c))
	}
	for _, pair := range pairs {
		x := p.mapOf(pair[0])
		y := p.conv(x, pair[0])
		z := p.conv(y, pair[1])
		if pair[0].groups == 1 { // the result lies where the input was
			p.img.Buffers[z].Offset = p.img.Buffers[x].Offset
		}
		p.output(z)
	}
	for i, g := range []kernels.Geom{
		{C: 24, T: 4, H: 6, W: 64}, {C: 8, T: 11, H: 5, W: 32}, {C: 16, T: 3, H: 4, W: 17}, {C: 9, T: 2, H: 9, W: 224},
	} {
		k := [][3]int{{1, 2, 2}, {4, 2, 2}, {2, 1, 2}, {1, 3, 2}}[i]
		x := p.input(runtime.Bit, 4, 1, g.C, g.T, g.H, g.W)
		g.HT, g.HH, g.HW, g.PT, g.PH, g.PW = 1, i, 2, 1, 1, 1
		planes := p.planes(runtime.Bit, g)
		p.op("relayout", []int{x}, planes, nil, nil)
		y := kernels.Geom{C: g.C, T: g.T / k[0], H: g.H / k[1], W: g.W / k[2], HT: i % 2, HH: 1, HW: i, PT: 1, PH: 1, PW: 1}
		for _, name := range []string{"bit_max_pool", "bit_min_pool"} {
			pooled := p.planes(runtime.Bit, y)
			p.op(name, []int{planes}, pooled, nil, &billb.BitPool{Kernel: k, Stride: k, Dilation: [3]int{1, 1, 1}})
			p.output(pooled)
		}
	}
	for _, g := range []kernels.Geom{
		{C: 3, T: 2, H: 4, W: 112, HT: 1, HH: 1, HW: 1, PT: 1, PH: 2, PW: 2}, {C: 2, T: 3, H: 3, W: 32, PT: 1, PH: 1, PW: 2},
	} {
		x := p.input(runtime.U8, 0, 1, g.C, g.T, g.H, g.W)
		planes := p.planes(runtime.U8, g)
		p.op("relayout", []int{x}, planes, nil, nil)
		p.output(planes)
	}
	p.remaining()
	return p
}

// mapOf is an input of a convolution in planes.
func (p *program) mapOf(c conv) int {
	x := p.input(c.elem, 0, 1, c.c, c.t, c.h, c.w)
	if c.elem == runtime.I32 {
		for i, data := 0, p.inputs[len(p.inputs)-1]; i < len(data); i += 4 {
			data[i+2], data[i+3] = 0, 0 // small enough for the sums
		}
	}
	planes := p.planes(c.elem, kernels.Geom{C: c.c, T: c.t, H: c.h, W: c.w, HT: 3, HH: 2, HW: 2, PT: max(1, c.stride[0]), PH: max(1, c.stride[1]), PW: max(1, c.stride[2])})
	p.op("relayout", []int{x}, planes, nil, nil)
	return planes
}

// conv appends a convolution of a map, with thresholds of which some are never
// and some always reached, and returns its result.
func (p *program) conv(x int, c conv) int {
	in := [3]int{c.t, c.h, c.w}
	var out [3]int
	for a := range 3 {
		c.stride[a], c.dil[a] = max(1, c.stride[a]), max(1, c.dil[a])
		out[a] = (in[a]+2*c.pad[a]-c.dil[a]*(c.kernel[a]-1)-1)/c.stride[a] + 1
		out[a] = min(out[a], in[a]/c.stride[a]) // as many columns as the input stores
	}
	elem := map[int]runtime.Elem{16: runtime.I16, 32: runtime.I32}[c.acc]
	if c.bits {
		elem = runtime.Bit
	}
	y := p.planes(elem, kernels.Geom{C: c.out, T: out[0], H: out[1], W: out[2], HT: 1, HH: 2, HW: 1 + p.rng.IntN(2), PT: 1, PH: 1, PW: 1})
	n := c.c / c.groups * c.kernel[0] * c.kernel[1] * c.kernel[2]
	weights := make([]byte, (c.out*n+7)/8)
	for i := range weights {
		weights[i] = byte(p.rng.Uint32())
	}
	if c.out*n%8 != 0 {
		weights[len(weights)-1] = 0
	}
	most := map[runtime.Elem]int{runtime.U8: 255, runtime.I8: 128, runtime.I16: 1 << 15, runtime.I32: 1 << 16}[c.elem] * n
	var t, lo, hi []int32
	for o := range c.out {
		lo, hi = append(lo, int32(-most)), append(hi, int32(most))
		t = append(t, int32((p.rng.Float64()-0.5)*float64(most)/float64(n)))
		switch o % 7 {
		case 5:
			t[o] = int32(most) + 1
		case 6:
			t[o] = int32(-most)
		}
	}
	flip := make([]byte, (c.out+7)/8)
	for i := range flip {
		flip[i] = byte(p.rng.Uint32())
	}
	consts := []int{p.constant(runtime.SBit, weights, c.out, c.c/c.groups, c.kernel[0], c.kernel[1], c.kernel[2]), -1, -1, 0, 0}
	if c.bits {
		consts[1], consts[2] = p.constant(runtime.I32, runtime.Bytes(t), c.out), p.constant(runtime.Bit, flip, c.out)
	}
	consts[3], consts[4] = p.constant(runtime.I32, runtime.Bytes(lo), c.out), p.constant(runtime.I32, runtime.Bytes(hi), c.out)
	p.op("iconv", []int{x}, y, consts, &billb.IntConv{Conv: billb.Conv{Stride: c.stride, Pad: c.pad, Dilation: c.dil, Groups: c.groups}, Acc: c.acc})
	return y
}

// quantized is a network of bytes: a linear layer and a map with lists of steps, and a
// norm that steps cannot have, as its parameters are inputs.
func quantized(t *testing.T) (*ir.Module, [][]*ir.Tensor) {
	t.Helper()
	m, err := bill.Parse("quantized", []byte(`bill 1
module "quantized" level=source

func @main(%x "x": u8[1,16], %u "u": u8[1,4,3,3], %p "p": f32[1,2,2], %n "n": f32[2]) {
  %s = const [0.05] : f32[]
  %z = const [100] : u8[]
  %f = dequantize_linear %x, %s, %z
  %w = const [1, -2, 3, 4, 5, -6, 7, 8, -9, 10, 11, 12, -13, 14, 15, 16, 2, 3, -5, 7, 11, 13, -17, 19, 23, 29, 31, -37, 41, 43, 47, 53] : i8[2,16]
  %ws = const [0.01] : f32[]
  %wz = const [0] : i8[]
  %v = dequantize_linear %w, %ws, %wz
  %g = gemm %f, %v {trans_b=true}
  %q = quantize_linear %g, %s, %z
  %a = dequantize_linear %u, %s, %z
  %h = hard_sigmoid %a
  %m = mul %a, %h
  %t = const [0.03] : f32[]
  %r = quantize_linear %m, %t, %z
  %n2 = mul %n, %n
  %b = batch_norm %p, %n, %n, %n, %n2 {epsilon=1}
  %d = reduce_mean %p {axes=[2]}
  %e = sub %p, %d
  return %q "q", %r "r", %b "b", %e "e"
}
`), nil)
	if err != nil {
		t.Fatal(err)
	}
	lower(t, m)
	return m, randgraph.Inputs(m.Main(), rand.New(rand.NewPCG(7, 1)), 6)
}

// stream is the step of a network that sees the frame before and counts bits of all
// frames, and some frames.
func stream(t *testing.T) (*billb.Image, [][][]byte) {
	t.Helper()
	rng := rand.New(rand.NewPCG(8, 1))
	clip := &ir.Value{Type: ir.T(ir.U8, 1, 3, 4, 8, 32)}
	f := &ir.Func{Name: "main", Params: []ir.Port{{Name: "clip", Value: clip}}}
	b := ir.Builder{F: f}
	signs := func(shape ...int) *ir.Value {
		w := ir.NewTensor(ir.T(ir.F32, shape...))
		for i := range w.Len() {
			w.SetFloat(i, float64(2*rng.IntN(2)-1))
		}
		return b.Const(w)
	}
	x := b.Op(ir.Cast, map[string]any{"to": "f32"}, clip)
	for _, to := range []int{8, 16} { // 8 channels of signs go where 3 of bytes came
		x = b.Op(ir.Conv, map[string]any{"pad": []int{1, 1, 1, 0, 1, 1}}, x, signs(to, x.Type.Shape[1], 2, 3, 3))
		x = b.Op(ir.Cast, map[string]any{"to": "f32"}, b.Op(ir.Greater, nil, x, b.Scalar(0)))
	}
	sum := b.Op(ir.CumSum, map[string]any{"axis": 2}, b.Op(ir.ReduceSum, map[string]any{"axes": []int{3, 4}}, x))
	y := b.Op(ir.Slice, map[string]any{"starts": []int{3}, "ends": []int{4}, "axes": []int{2}}, sum)
	f.Results = []ir.Port{{Name: "y", Value: y}}
	if b.Err != nil {
		t.Fatal(b.Err)
	}
	m := &ir.Module{Name: "stream", Level: ir.Source, Meta: map[string]string{}, Funcs: []*ir.Func{f}}
	if _, err := passes.Run(context.Background(), m, streaming.Into(pipeline.Default()), passes.RunOptions{}); err != nil {
		t.Fatal(err)
	}
	img, _, err := bytecode.Generate(m, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(img.States) < 3 {
		t.Fatalf("the step carries %d values, expected those of two convolutions and a sum", len(img.States))
	}
	frames := make([][][]byte, 5)
	for k := range frames {
		frames[k] = [][]byte{runtime.Sample(img.Inputs[0], 2, rng)}
	}
	return img, frames
}

// inGo reports whether generated Go has an operation: a scan runs step by step, as
// only bytecode does.
func inGo(op *ir.Op) bool { return op != ir.Scan }

// TestGenerated generates packages, vets them and runs their tests: on all
// kernels of this machine, in plain Go, and for other machines where they can be
// run.
func TestGenerated(t *testing.T) {
	p := newProject(t)
	m, clips := billnet(t, "models/billnet/billnet_small", 1)
	p.add(t, "small", m, clips, true)
	ops, args := randgraph.Examples(t, inGo)
	// Bytecode and interpreter are compared in tests/ops, some functions to units in the last place.
	p.add(t, "ops", ops, [][]*ir.Tensor{args}, false)
	own := special(t)
	p.addImage(t, "special", &own.img, [][][]byte{own.inputs})
	if files, _ := filepath.Glob(filepath.Join(p.dir, "special", "unrolled*.s")); len(files) != len(convs)+2*len(pairs) {
		t.Errorf("%d of %d convolutions are unrolled", len(files), len(convs)+2*len(pairs))
	}
	if text, err := os.ReadFile(filepath.Join(p.dir, "special", "special_amd64.go")); err != nil || bytes.Count(text, []byte("&pair{")) != len(pairs) {
		t.Errorf("not all of %d pairs are joined: %v", len(pairs), err)
	}
	step, video := stream(t)
	p.addImage(t, "stream", step, video)
	q, inputs := quantized(t)
	p.add(t, "quantized", q, inputs, false)
	seeds := 3
	if long() {
		seeds = 40
	}
	for seed := range seeds {
		m := randgraph.Seed(uint64(seed), randgraph.Config{})
		lower(t, m)
		p.add(t, fmt.Sprintf("seed%d", seed), m, randgraph.Inputs(m.Main(), rand.New(rand.NewPCG(uint64(seed), 1)), 6), false)
	}
	if long() {
		for _, name := range shared.Billnets()[1:] {
			m, clips := billnet(t, name, 1)
			p.add(t, strings.ToLower(filepath.Base(name)), m, clips, false)
		}
	}
	for _, o := range billb.Ops() {
		if band := slices.Contains([]billb.Opcode{billb.OpBandLoad, billb.OpBandStore, billb.OpBandClip, billb.OpBandShift}, o.Code); band == p.opcodes[o.Code] { // packages have no regions
			t.Errorf("opcode %s: a package uses it: %t, expected %t", o.Name, band, !band)
		}
	}
	few := []string{"./small", "./ops"}
	if long() {
		few = []string{"./..."}
	}
	p.run(t, nil, "vet", "./...")
	p.run(t, nil, "test", "-vet=off", "./...")
	p.run(t, nil, append([]string{"test", "-vet=off", "-tags", "purego"}, few...)...)
	p.run(t, []string{"GOOS=wasip1", "GOARCH=wasm"}, append([]string{"build"}, few...)...)
	p.run(t, []string{"GOOS=windows", "GOARCH=arm64"}, append([]string{"build"}, few...)...)
	t.Run("386", func(t *testing.T) {
		p.run(t, []string{"GOARCH=386"}, append([]string{"test", "-vet=off"}, few...)...)
	})
	t.Run("arm64", func(t *testing.T) {
		qemu, err := exec.LookPath("qemu-aarch64")
		if err != nil {
			t.Skip("qemu-aarch64 is not here to run the packages for arm64")
		}
		p.run(t, []string{"GOARCH=arm64"}, append([]string{"test", "-vet=off", "-exec", qemu}, few...)...)
	})
	t.Run("wasm", func(t *testing.T) {
		if _, err := exec.LookPath("node"); err != nil {
			t.Skip("node is not here to run the packages for wasm")
		}
		root, err := exec.Command("go", "env", "GOROOT").Output()
		if err != nil {
			t.Fatal(err)
		}
		p.run(t, []string{"GOOS=js", "GOARCH=wasm"}, append([]string{"test", "-vet=off", "-exec", filepath.Join(strings.TrimSpace(string(root)), "lib", "wasm", "go_js_wasm_exec")}, few...)...)
	})
	for _, name := range slices.Sorted(maps.Keys(p.size)) {
		t.Logf("%s: %d bytes of Go and assembly", name, p.size[name])
		most := 1 << 20
		if name == "ops" { // no network has every operation that there is
			most = 5 << 18
		}
		if p.size[name] > most {
			t.Errorf("package %s has %d bytes of text, at most %d are wanted", name, p.size[name], most)
		}
	}
}

// TestSame checks that the same model gives the same files, and that none of
// them names this repository or a file of the compiler.
func TestSame(t *testing.T) {
	img := special(t).img
	a, err := gosrc.Generate(&img, gosrc.Options{})
	if err != nil {
		t.Fatal(err)
	}
	b, err := gosrc.Generate(&img, gosrc.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if !maps.EqualFunc(a, b, bytes.Equal) {
		t.Error("two generations differ")
	}
	for name, text := range a {
		if bytes.Contains(text, []byte("github.com")) || bytes.Contains(text, []byte("runtime.Sources()")) {
			t.Errorf("%s names the repository", name)
		}
		if !strings.HasSuffix(name, ".bin") && !bytes.HasPrefix(text, []byte("// Code generated by billc. DO NOT EDIT.\n")) {
			t.Errorf("%s does not say that it is generated", name)
		}
	}
	if a["golden.bin"] != nil || a["model_test.go"] != nil {
		t.Error("a test was generated without golden vectors")
	}
}

// TestErrors checks what Generate refuses.
func TestErrors(t *testing.T) {
	img := special(t).img
	for _, c := range []struct {
		opt  gosrc.Options
		want string
	}{
		{gosrc.Options{Package: "a-b"}, `package name "a-b"`},
		{gosrc.Options{Package: "func"}, `package name "func"`},
		{gosrc.Options{Package: "main"}, `package name "main"`},
		{gosrc.Options{Golden: []gosrc.Vector{{}}}, "golden vector 0 has 0 inputs"},
		{gosrc.Options{Golden: []gosrc.Vector{{Inputs: make([][]byte, len(img.Inputs))}}}, "has 0 bytes, expected"},
	} {
		if _, err := gosrc.Generate(&img, c.opt); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, expected %q", c.opt.Package, err, c.want)
		}
	}
	bad := img
	bad.Code = bad.Code[1:]
	if _, err := gosrc.Generate(&bad, gosrc.Options{}); err == nil {
		t.Error("an image that reads what was not written is accepted")
	}
}
