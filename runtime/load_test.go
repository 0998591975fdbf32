package runtime

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/billnet/billnet/runtime/billb"
	"github.com/billnet/billnet/runtime/kernels"
)

// smallNet is a little network of every kind of operand: a video through an
// integer convolution, a residual block, counts, an LSTM and a float layer.
func smallNet() *builder {
	rng := newRand(40)
	b := &builder{}
	b.img.Name = "small"
	b.img.Meta = [][2]string{{"clip.layout", "CTHW"}, {"producer", "test"}}
	b.img.Labels = []string{"left", "right", "none"}
	b.img.Certificate = []byte("certificate")
	clip := b.input(randTensor(rng, U8, 1, 3, 4, 10, 12))
	x := b.planes(U8, geom(3, 4, 10, 12, ones, [3]int{1, 2, 2}))
	b.op(billb.OpRelayout, []int{clip}, []int{x}, nil)
	halo := geom(12, 4, 5, 6, ones, ones)
	threshold := func(n, spread int) (int, int) {
		t, f := randThreshold(rng, n, spread)
		return b.konst(t), b.konst(f)
	}
	limits := func(n int, v float64) int {
		t := newTensor(I32, n)
		for i := range t.v {
			t.v[i] = v
		}
		return b.konst(t)
	}
	t1, f1 := threshold(12, 500)
	m := b.planes(Bit, halo)
	b.op(billb.OpIConv, []int{x}, []int{m}, []int{1, 2, 2, 1, 1, 1, 1, 1, 1, 1, 16},
		[]int{b.konst(randTensor(rng, SBit, 12, 3, 3, 3, 3)), t1, f1, limits(12, -20655), limits(12, 20655)})
	t2, f2 := threshold(12, 6)
	f := b.planes(Bit, halo)
	b.op(billb.OpBConv, []int{m}, []int{f}, []int{1, 1, 1, 1, 1, 1, 1, 1, 1, 2}, []int{b.konst(randTensor(rng, SBit, 12, 6, 3, 3, 3)), t2, f2})
	count, sel := b.dense(I32, 1, 12), b.dense(Bit, 1, 12)
	b.op(billb.OpCount, []int{m}, []int{count}, []int{0})
	t3, f3 := threshold(12, 120)
	b.op(billb.OpThreshold, []int{count}, []int{sel}, []int{1}, []int{t3, f3})
	b.op(billb.OpMuxOr, []int{sel, f, m}, []int{f}, nil)
	perFrame, bits := b.dense(I32, 1, 4, 12), b.dense(Bit, 1, 4, 12)
	b.op(billb.OpCount, []int{f}, []int{perFrame}, []int{2})
	t4, f4 := threshold(12, 30)
	b.op(billb.OpThreshold, []int{perFrame}, []int{bits}, []int{2}, []int{t4, f4})
	y := b.dense(Tern, 1, 4, 5)
	t5, f5 := threshold(20, 3)
	b.op(billb.OpBLSTM, []int{bits}, []int{y}, []int{1}, []int{b.konst(randTensor(rng, SBit, 20, 12)), b.konst(randTensor(rng, Tern, 20, 5)), t5, f5})
	last, flat, float := b.dense(Tern, 1, 1, 5), b.dense(Tern, 1, 5), b.dense(F32, 1, 5)
	b.op(billb.OpSlice, []int{y}, []int{last}, []int{0, 3, 0, 1, 1, 1})
	b.img.Buffers[flat].Offset = b.img.Buffers[last].Offset
	b.op(billb.OpReshape, []int{last}, []int{flat}, nil)
	b.op(billb.OpCast, []int{flat}, []int{float}, nil)
	logits := b.dense(F32, 1, 3)
	b.op(billb.OpGemm, []int{float, billb.ConstOperand(b.konst(randTensor(rng, F32, 3, 5))), billb.ConstOperand(b.konst(randTensor(rng, F32, 3)))}, []int{logits}, []int{0, 1}, []float64{1, 1})
	b.output(logits)
	return b
}

func encode(t testing.TB, img *billb.Image) []byte {
	t.Helper()
	file, err := img.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return file
}

func TestFormatRoundTrip(t *testing.T) {
	b := smallNet()
	b.run(t)
	file := encode(t, &b.img)
	if again := encode(t, &b.img); !bytes.Equal(file, again) {
		t.Error("encoding the same image twice gave different bytes")
	}
	var written bytes.Buffer
	if n, err := b.img.EncodeTo(&written); err != nil || n != int64(len(file)) || !bytes.Equal(written.Bytes(), file) {
		t.Errorf("writing gave %d bytes and %v, not what encoding gives", n, err)
	}
	if n, err := b.img.Size(); err != nil || n != len(file) {
		t.Errorf("a size of %d bytes and %v, the file has %d", n, err, len(file))
	}
	img, err := billb.Decode(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(encode(t, img), file) {
		t.Error("decoding and encoding again gave different bytes")
	}
	for i := range img.Code {
		if len(img.Code[i].Const) == 0 {
			img.Code[i].Const = b.img.Code[i].Const // nil or empty
		}
	}
	if !reflect.DeepEqual(img, &b.img) {
		t.Errorf("decoding gave\n%+v, expected\n%+v", img, &b.img)
	}
	if off := bytes.Index(file, img.Consts[0].Data); off%align != 0 {
		t.Errorf("constant 0 lies at %d of the file, expected a multiple of %d", off, align)
	}
}

// TestDamage changes every byte of a file and cuts it at every length.
func TestDamage(t *testing.T) {
	b := smallNet()
	file := encode(t, &b.img)
	for i := range file {
		for _, flip := range []byte{1, 0x80, 0xff} {
			file[i] ^= flip
			if _, err := LoadBytes(file); err == nil {
				t.Fatalf("byte %d changed by %#x: loading gave no error", i, flip)
			}
			file[i] ^= flip
		}
	}
	for n := range file {
		if _, err := LoadBytes(file[:n:n]); err == nil {
			t.Fatalf("cut to %d bytes: loading gave no error", n)
		}
		if _, err := Load(bytes.NewReader(file[:n])); err == nil {
			t.Fatalf("cut to %d bytes: loading gave no error", n)
		}
	}
	if _, err := Load(bytes.NewReader(append(file, 0))); err == nil {
		t.Error("a byte too many: loading gave no error")
	}
	if _, err := Load(bytes.NewReader(file)); err != nil {
		t.Error(err)
	}
}

// Parts of the format.
const (
	entrySize = 24
	mayIgnore = 1 << 31
)

// TestSections checks what the section table may and may not hold.
func TestSections(t *testing.T) {
	b := smallNet()
	file := encode(t, &b.img)
	n := int(binary.LittleEndian.Uint32(file[24:]))
	add := func(id uint32) []byte {
		head := bytes.Clone(file[:billb.HeaderSize+n*entrySize])
		for i := range n {
			at := head[billb.HeaderSize+i*entrySize+8:]
			binary.LittleEndian.PutUint64(at, binary.LittleEndian.Uint64(at)+64)
		}
		entry := make([]byte, entrySize)
		binary.LittleEndian.PutUint32(entry, id)
		binary.LittleEndian.PutUint64(entry[8:], uint64(len(file)+64))
		binary.LittleEndian.PutUint64(entry[16:], 5)
		out := append(append(head, entry...), make([]byte, 64-entrySize)...)
		out = append(append(out, file[len(head):]...), "12345"...)
		binary.LittleEndian.PutUint32(out[24:], uint32(n+1))
		binary.LittleEndian.PutUint64(out[16:], uint64(len(out)))
		billb.Seal(out)
		return out
	}
	if _, err := LoadBytes(add(99 | mayIgnore)); err != nil {
		t.Errorf("a section that may be ignored: %v", err)
	}
	for id, text := range map[uint32]string{99: "newer runtime", 3: "out of order", 7 | mayIgnore: "out of order"} {
		if _, err := LoadBytes(add(id)); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("section %d: got %v, expected %q", id, err, text)
		}
	}
	newer := bytes.Clone(file)
	newer[8] = 5
	if _, err := LoadBytes(newer); err == nil || !strings.Contains(err.Error(), "format version 5") {
		t.Errorf("version 5: got %v", err)
	}
}

// TestRefused breaks a valid image in one place each.
func TestRefused(t *testing.T) {
	code := func(img *billb.Image, op billb.Opcode) *billb.Instr {
		for i := range img.Code {
			if img.Code[i].Op == op {
				return &img.Code[i]
			}
		}
		return nil
	}
	for _, c := range []struct {
		text string
		f    func(img *billb.Image)
	}{
		{"multiple of 64", func(img *billb.Image) { img.Buffers[1].Offset += 32 }},
		{"multiple of 64", func(img *billb.Image) { img.Buffers[1].Offset = img.Arena }},
		{"multiple of 64", func(img *billb.Image) { img.Buffers[1].Offset = -64 }},
		{"expected a multiple of 64", func(img *billb.Image) { img.Arena++ }},
		{"less than 2^31", func(img *billb.Image) { img.Arena = math.MaxInt }},
		{"out of range", func(img *billb.Image) { img.Buffers[0].Shape = []int{-1} }},
		{"2^31", func(img *billb.Image) { img.Buffers[0].Shape = []int{1 << 16, 1 << 16} }},
		{"empty but", func(img *billb.Image) { img.Buffers[0].Shape = []int{0, 1 << 30} }},
		{"axes", func(img *billb.Image) { img.Buffers[0].Shape = make([]int, 17) }},
		{"HT is 1048577", func(img *billb.Image) { img.Buffers[1].Geom.HT = 1<<20 + 1 }},
		{"PW is 0", func(img *billb.Image) { img.Buffers[1].Geom.PW = 0 }},
		{"geometry", func(img *billb.Image) { img.Buffers[1].Geom.C++ }},
		{"unknown element type", func(img *billb.Image) { img.Buffers[1].Elem = 99 }},
		{"planes of f32", func(img *billb.Image) { img.Buffers[1].Elem = F32 }},
		{"the port is", func(img *billb.Image) { img.Inputs[0].Elem = I8 }},
		{"buffer 99", func(img *billb.Image) { img.Inputs[0].Buffer = 99 }},
		{"empty or occurs twice", func(img *billb.Image) { img.Outputs[0].Name = "" }},
		{"occurs twice", func(img *billb.Image) { img.Meta[1][0] = img.Meta[0][0] }},
		{"UTF-8", func(img *billb.Image) { img.Name = "\xff" }},
		{"bytes of data", func(img *billb.Image) { img.Consts[0].Data = img.Consts[0].Data[1:] }},
		{"after the last element", func(img *billb.Image) { d := img.Consts[1].Data; d[len(d)-1] = 0xff }},
		{"unknown opcode", func(img *billb.Image) { img.Code[0].Op = 9999 }},
		{"output buffer 99", func(img *billb.Image) { img.Code[0].Out[0] = 99 }},
		{"constant 99", func(img *billb.Image) { img.Code[1].Const[0] = 99 }},
		{"constant 99", func(img *billb.Image) { img.Code[0].In[0] = billb.ConstOperand(99) }},
		{"operand x is missing", func(img *billb.Image) { img.Code[0].In[0] = -1 }},
		{"operand x is missing", func(img *billb.Image) { img.Code[0].In = nil }},
		{"output y is missing", func(img *billb.Image) { img.Code[0].Out = nil }},
		{"2 operand", func(img *billb.Image) { img.Code[0].In = append(img.Code[0].In, 0) }},
		{"constant lo is missing", func(img *billb.Image) { img.Code[1].Const = img.Code[1].Const[:3] }},
		{"parameters are *billb.Conv, expected *billb.IntConv", func(img *billb.Image) { img.Code[1].Params = &billb.Conv{} }},
		{"parameters are <nil>", func(img *billb.Image) { img.Code[1].Params = nil }},
		{"acc is 17", func(img *billb.Image) { img.Code[1].Params.(*billb.IntConv).Acc = 17 }},
		{"pad is -2147483648: out of range", func(img *billb.Image) { img.Code[1].Params.(*billb.IntConv).Conv.Pad[0] = math.MinInt32 }},
		{"groups is 0, expected at least 1", func(img *billb.Image) { img.Code[1].Params.(*billb.IntConv).Conv.Groups = 0 }},
		{"5 groups do not divide", func(img *billb.Image) { code(img, billb.OpBConv).Params.(*billb.Conv).Groups = 5 }},
		{"dilation is 0", func(img *billb.Image) { code(img, billb.OpBConv).Params.(*billb.Conv).Dilation[0] = 0 }},
		{"read before it is written", func(img *billb.Image) { img.Code[1], img.Code[2] = img.Code[2], img.Code[1] }},
		{"overlaps input", func(img *billb.Image) { img.Code[2].Out[0] = img.Code[2].In[0] }},
		{"never written", func(img *billb.Image) { img.Code = img.Code[:len(img.Code)-1] }},
		{"mode is 3, expected 0 to 2 (c, ct, tc)", func(img *billb.Image) { code(img, billb.OpCount).Params.(*billb.Count).Mode = 3 }},
		{"do not lie in", func(img *billb.Image) { code(img, billb.OpSlice).Params.(*billb.Slice).Start[1] = 4 }},
		{"do not lie in", func(img *billb.Image) { code(img, billb.OpSlice).Params.(*billb.Slice).Start[1] = -1 }},
		{"as many as the other lists", func(img *billb.Image) {
			s := code(img, billb.OpSlice).Params.(*billb.Slice)
			s.Start, s.Step = append(s.Start, 0), s.Step[1:]
		}},
		{"one for every axis", func(img *billb.Image) {
			s := code(img, billb.OpSlice).Params.(*billb.Slice)
			s.Start, s.Step = s.Start[1:], s.Step[1:]
		}},
		{"sign0 is 2, expected -1 to 1", func(img *billb.Image) { code(img, billb.OpBLSTM).Params.(*billb.BLSTM).Sign0 = 2 }},
		{"columns against", func(img *billb.Image) { code(img, billb.OpGemm).Params.(*billb.Gemm).TransB = false }},
		{"axis 5", func(img *billb.Image) { code(img, billb.OpThreshold).Params.(*billb.Along).Axis = 5 }},
	} {
		b := smallNet()
		c.f(&b.img)
		b.mustFail(t, c.text)
	}
}

// TestMemoryIsFollowed checks the rules about memory that is used again.
func TestMemoryIsFollowed(t *testing.T) {
	rng := newRand(41)
	x := randTensor(rng, F32, 16)
	// A buffer that was overwritten, in whole or in part, may not be read.
	for _, shift := range []int{0, 64} {
		var b builder
		in := b.input(randTensor(rng, F32, 32))
		a, over, c := b.dense(F32, 32), b.dense(F32, 16), b.dense(F32, 32)
		b.img.Buffers[over].Offset = b.img.Buffers[a].Offset + shift
		b.op(billb.OpCast, []int{in}, []int{a}, nil)
		b.op(billb.OpSlice, []int{in}, []int{over}, []int{0, 1})
		b.op(billb.OpCast, []int{a}, []int{c}, nil)
		b.output(c)
		b.mustFail(t, "read before it is written")
	}
	// Two inputs may not share memory.
	var b builder
	one, two := b.input(x), b.input(x)
	b.img.Buffers[two].Offset = b.img.Buffers[one].Offset
	b.mustFail(t, "overlaps another input")
	// Memory is used again and the result is right.
	b = builder{}
	in := b.input(x)
	p, q := b.dense(F32, 16), b.dense(F32, 16)
	b.op(billb.OpCast, []int{in}, []int{p}, nil)
	b.img.Buffers[q].Offset = b.img.Buffers[in].Offset
	b.op(billb.OpCast, []int{p}, []int{q}, nil)
	b.output(q)
	same(t, "copy", b.run(t)[0], x)
}

func TestLimits(t *testing.T) {
	b := smallNet()
	file := encode(t, &b.img)
	if _, err := (Loader{MaxArena: b.img.Arena - 1}).LoadBytes(file); err == nil {
		t.Error("an arena above the limit was accepted")
	}
	if _, err := (Loader{MaxFile: len(file) - 1}).Load(bytes.NewReader(file)); err == nil {
		t.Error("a file above the limit was accepted")
	}
	if _, err := (Loader{MaxFile: len(file), MaxArena: b.img.Arena, ISA: "generic"}).Load(bytes.NewReader(file)); err != nil {
		t.Error(err)
	}
	if _, err := (Loader{ISA: "mmx"}).LoadBytes(file); err == nil {
		t.Error("an unknown instruction set was accepted")
	}
}

// TestPrepareLimit checks that a small file can not take much memory by naming
// one constant often, and that the limit can be raised.
func TestPrepareLimit(t *testing.T) {
	const n = 1 << 20
	var b builder
	b.img.Consts = []billb.Const{{Elem: SBit, Shape: []int{1, n}, Data: make([]byte, n/8)}}
	x, y := b.input(newTensor(Bit, 1, n)), b.dense(I32, 1, 1)
	for range 20 {
		b.op(billb.OpILinear, []int{x}, []int{y}, nil, []int{0})
	}
	b.output(y)
	file := encode(t, &b.img)
	if _, err := (Loader{MaxPrepared: 2 << 20}).LoadBytes(file); !errors.Is(err, ErrLimit) || !strings.Contains(err.Error(), "packed constants") {
		t.Errorf("loading gave %v, expected ErrLimit", err)
	}
	if _, err := LoadBytes(file); err != nil {
		t.Error(err)
	}
}

// TestPrepareWide loads binary layers of many channels, as Bi-Real networks of ternary signs end with: what is made of the weights is
// a few times as large as they are.
func TestPrepareWide(t *testing.T) {
	const c, size = 512, 2
	var b builder
	w := randTensor(newRand(1), SBit, c, 2*c, 1, 3, 3)
	for o := range c {
		for i := range c * 9 {
			w.v[o*2*c*9+c*9+i] = -w.v[o*2*c*9+i]
		}
	}
	x := b.toPlanes(b.input(newTensor(Bit, 1, 2*c, 1, size, size)), geom(2*c, 1, size, size, [3]int{1, 1, 1}, [3]int{1, 1, 1}))
	y := b.dense(F32, 1, c, size, size)
	b.op(billb.OpBConvSteps, []int{x}, []int{y}, []int{1, 1, 1, 1, 0, 1, 1, 0, 1, 1, 1, 1, 1, int(billb.StepToFloat)}, []int{b.konst(w)})
	b.output(y)
	file := encode(t, &b.img)
	for _, isa := range kernels.Machine() {
		if _, err := (Loader{MaxPrepared: 8 * len(file), ISA: isa}).LoadBytes(file); err != nil {
			t.Errorf("%s: %v", isa, err)
		}
	}
}

// TestLoadMemory loads small files that ask for much memory in different ways, and
// measures what loading allocates before it refuses.
func TestLoadMemory(t *testing.T) {
	const limit, n = 8 << 20, 1 << 20
	hogs := map[string]func(b *builder){
		"instructions": func(b *builder) {
			x, y := b.input(newTensor(F32, 2, 2)), b.dense(F32, 2, 2)
			for range 20000 {
				b.op(billb.OpQuant, []int{x, x, x, x}, []int{y}, []int{1, 0, 0})
			}
		},
		"words": func(b *builder) {
			x, y := b.input(newTensor(Bit, 1, 1024)), b.dense(I32, 1, n/1024)
			w := b.konst(newTensor(Tern, n/1024, 1024))
			for range 100 {
				b.op(billb.OpILinear, []int{x}, []int{y}, nil, []int{w})
			}
		},
		"bytes": func(b *builder) {
			x, y := b.input(newTensor(U8, 1, 1024)), b.dense(I32, 1, n/1024)
			w := b.konst(newTensor(I8, n/1024, 1024))
			for range 100 {
				b.op(billb.OpILinear, []int{x}, []int{y}, nil, []int{w})
			}
		},
		"panels": func(b *builder) {
			x, y := b.input(newTensor(F32, 1, 256)), b.dense(F32, 1, 1024)
			w := b.konst(newTensor(F32, 256, 1024))
			for range 100 {
				b.op(billb.OpMatMul, []int{x, billb.ConstOperand(w)}, []int{y}, nil)
			}
		},
		"empty": func(b *builder) { // 2^20 channels of nothing
			x, y := b.input(newTensor(F32, 0, n)), b.dense(F32, 0, n)
			k := b.konst(newTensor(F64, 1))
			for range 100 {
				b.op(billb.OpAffine, []int{x}, []int{y}, []int{1}, []int{k})
			}
		},
		"planes": func(b *builder) {
			g := geom(8, 1, 128, 128, ones, ones)
			x, y := b.toPlanes(b.input(newTensor(U8, 1, 8, 1, 128, 128)), g), b.planes(I32, g)
			lo, hi := newTensor(I32, 8), newTensor(I32, 8)
			for i := range 8 {
				lo.v[i], hi.v[i] = -20000, 20000
			}
			w := []int{b.konst(randTensor(newRand(2), SBit, 8, 8, 3, 3, 3)), -1, -1, b.konst(lo), b.konst(hi)}
			for range 1000 {
				b.op(billb.OpIConv, []int{x}, []int{y}, []int{1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 32}, w)
			}
		},
	}
	for name, hog := range hogs {
		b := &builder{}
		hog(b)
		file := encode(t, &b.img)
		before := allocated()
		_, err := Loader{MaxPrepared: limit}.LoadBytes(file)
		took := int(allocated() - before)
		if !errors.Is(err, ErrLimit) {
			t.Errorf("%s: loading gave %v, expected ErrLimit", name, err)
		}
		if most := 6*limit + 16*len(file); took > most {
			t.Errorf("%s: a file of %d bytes with a limit of %d allocated %d, expected at most %d", name, len(file), limit, took, most)
		}
		t.Logf("%s: file %d, allocated %d", name, len(file), took)
	}
}

// TestManyBuffers checks that the time of loading grows with the number of buffers
// and not with its square.
func TestManyBuffers(t *testing.T) {
	var b builder
	first := b.input(newTensor(U8, 1))
	ids := []int{first}
	for range 50000 {
		ids = append(ids, b.dense(U8, 1))
	}
	for i := len(ids) - 1; i > 0; i-- {
		b.op(billb.OpCast, []int{first}, []int{ids[i]}, nil)
	}
	b.output(ids[1])
	if _, err := (Loader{MaxPrepared: 1 << 30}).LoadBytes(encode(t, &b.img)); err != nil {
		t.Error(err)
	}
}

func TestSession(t *testing.T) {
	b := smallNet()
	prog, err := LoadBytes(encode(t, &b.img))
	if err != nil {
		t.Fatal(err)
	}
	if prog.Name() != "small" || len(prog.Labels()) != 3 || prog.ArenaBytes() != b.img.Arena || string(prog.Certificate()) != "certificate" || len(prog.Meta()) != 2 {
		t.Error("the program does not describe itself as its image does")
	}
	for i, info := range prog.Instructions() {
		if info.Op != b.img.Code[i].Op.String() || info.Name != b.img.Code[i].Name || !strings.Contains(info.Text, info.Op) {
			t.Errorf("instruction %d is described as %+v", i, info)
		}
	}
	s, err := prog.NewSession(Options{Threads: 2, Profile: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	clip, logits, again := b.inputs[0].bytes(), make([]float32, 3), make([]float32, 3)
	if err := s.Run([][]byte{clip}, [][]byte{Bytes(logits)}); err != nil {
		t.Fatal(err)
	}
	if err := s.Execute(); err == nil || !strings.Contains(err.Error(), "not set") {
		t.Errorf("running without inputs gave %v", err)
	}
	if err := SetInput(s, "in0", clip); err != nil {
		t.Fatal(err)
	}
	if err := Output(s, "out0", again); err == nil {
		t.Error("an output was given before the run")
	}
	if err := s.Execute(); err != nil {
		t.Fatal(err)
	}
	if err := Output(s, "out0", again); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(Bytes(logits), Bytes(again)) {
		t.Errorf("two runs gave %v and %v", logits, again)
	}
	for _, p := range s.Profile() {
		if p.Runs != 2 {
			t.Errorf("%s ran %d times, expected 2", p.Name, p.Runs)
		}
	}
	for what, err := range map[string]error{
		"a wrong input type":   SetInput(s, "in0", logits),
		"a wrong input name":   SetInput(s, "x", clip),
		"a wrong input length": SetInput(s, "in0", clip[1:]),
		"a wrong output type":  Output(s, "out0", clip),
		"a wrong output name":  Output(s, "x", logits),
		"no inputs":            s.Run(nil, nil),
		"too many outputs":     s.Run([][]byte{clip}, make([][]byte, 2)),
		"a short output":       s.Run([][]byte{clip}, [][]byte{{1}}),
	} {
		if err == nil {
			t.Errorf("%s gave no error", what)
		}
	}
	if _, err := prog.NewSession(Options{Threads: 1000}); err == nil {
		t.Error("1000 threads gave no error")
	}
	if _, err := prog.NewSession(Options{ISA: "mmx"}); err == nil {
		t.Error("an unknown instruction set gave no error")
	}
	s.Close()
	if err := s.Run([][]byte{clip}, nil); err == nil {
		t.Error("a closed session ran")
	}
}

// TestInputValues checks that bits and terns are checked where they come in.
func TestInputValues(t *testing.T) {
	for e, bad := range map[Elem]byte{Bool: 2, Bit: 255, SBit: 0, Tern: 2} {
		x := newTensor(e, 4)
		var b builder
		in, y := b.input(x), b.dense(F32, 4)
		b.op(billb.OpCast, []int{in}, []int{y}, nil)
		b.output(y)
		prog, err := LoadBytes(encode(t, &b.img))
		if err != nil {
			t.Fatal(err)
		}
		s, _ := prog.NewSession(Options{})
		if err := s.Run([][]byte{{1, 1, bad, 1}}, nil); err == nil || !strings.Contains(err.Error(), "element 2") {
			t.Errorf("%s: %d gave %v", e, bad, err)
		}
	}
}

func TestNoAllocations(t *testing.T) {
	b := smallNet()
	prog, err := LoadBytes(encode(t, &b.img))
	if err != nil {
		t.Fatal(err)
	}
	for _, isa := range kernels.ISAs() {
		if !kernels.Available(isa) {
			continue
		}
		for _, opt := range []Options{{}, {Threads: 2}, {Threads: 2, Profile: true}} {
			opt.ISA = isa.String()
			s, err := prog.NewSession(opt)
			if err != nil {
				t.Fatal(err)
			}
			in, out := [][]byte{b.inputs[0].bytes()}, [][]byte{make([]byte, 12)}
			if n := testing.AllocsPerRun(20, func() {
				if err := s.Run(in, out); err != nil {
					t.Fatal(err)
				}
			}); n != 0 {
				t.Errorf("%v, %+v: %v allocations per run, expected 0", isa, opt, n)
			}
			s.Close()
		}
	}
}

// TestOpcodes checks that every opcode is described and found by name.
func TestOpcodes(t *testing.T) {
	for _, o := range billb.Ops() {
		if o.Out == "" {
			t.Errorf("%s is not described", o.Name)
		}
		if c, ok := billb.Lookup(o.Name); !ok || c != o.Code {
			t.Errorf("%s is opcode %d by name and %d in the list", o.Name, c, o.Code)
		}
	}
}
