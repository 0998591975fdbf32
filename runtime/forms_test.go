package runtime

import (
	"bytes"
	"encoding/binary"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/billnet/billnet/runtime/billb"
)

// forms are a constant [2,3] in every form, and what its elements are.
func forms() map[string]struct {
	k    billb.Const
	want []float32
} {
	le := binary.LittleEndian
	scales := func(s ...float32) []byte { b, _ := binary.Append(nil, le, s); return b }
	halves := func(h ...uint16) []byte { b, _ := binary.Append(nil, le, h); return b }
	factors := []byte{1, 0x80, 0, 0xff, 127, 3}
	inf, zero := float32(math.Inf(1)), float32(math.Copysign(0, -1))
	of := func(f billb.Form, data []byte) billb.Const {
		return billb.Const{Elem: F32, Shape: []int{2, 3}, Form: f, Data: data}
	}
	bytes := func(e billb.Elem) billb.Const {
		return billb.Const{Elem: e, Shape: []int{2, 3}, Form: billb.Bytes, Data: factors}
	}
	signed := []float32{1, -128, 0, -1, 127, 3}
	return map[string]struct {
		k    billb.Const
		want []float32
	}{
		"i16":    {bytes(I16), signed},
		"i32":    {bytes(I32), signed},
		"i64":    {bytes(I64), signed},
		"plain":  {of(billb.Plain, scales(1, 2, 3, 4, 5, 6)), []float32{1, 2, 3, 4, 5, 6}},
		"half":   {of(billb.Half, halves(0x3c00, 0x8000, 0x7c00, 1, 0x83ff, 0x7bff)), []float32{1, zero, inf, 0x1p-24, -0x3ffp-24, 65504}},
		"bfloat": {of(billb.BFloat, halves(0x3f80, 0x8000, 0xff80, 1, 0x4000, 0xc0a0)), []float32{1, zero, -inf, math.Float32frombits(1 << 16), 2, -5}},
		"row":    {of(billb.ByRow, append(scales(0.1, -3), factors...)), []float32{0.1, -12.8, 0, 3, -381, -9}},
		"line":   {of(billb.ByLine, append(scales(0.1, -3), factors...)), []float32{0.1, -12.8, 0, 3, -381, -9}},
		"signs":  {of(billb.Signs, append(scales(0.1, 3), 0b101001)), []float32{-0.1, 0.1, 0.1, -3, 3, -3}},
		"column": {of(billb.ByColumn, append(scales(0.5, 1, 2), factors...)), []float32{0.5, -128, 0, -0.5, 127, 6}},
	}
}

// formNet adds a constant to its input.
func formNet(k billb.Const) *builder {
	b := &builder{}
	b.img.Consts = []billb.Const{k}
	x := newTensor(k.Elem, 2, 3)
	for i := range x.v {
		x.v[i] = math.Copysign(0, -1) // what adds nothing, not even to a zero's sign
	}
	in, y := b.input(x), b.dense(k.Elem, 2, 3)
	b.op(billb.OpAdd, []int{in, billb.ConstOperand(0)}, []int{y}, nil)
	b.output(y)
	return b
}

func TestForms(t *testing.T) {
	for name, c := range forms() {
		b := formNet(c.k)
		file := encode(t, &b.img)
		if want := min(2, 1+uint32(c.k.Form)); binary.LittleEndian.Uint32(file[8:]) != want {
			t.Errorf("%s: format version %d, expected %d", name, file[8], want)
		}
		img, err := billb.Decode(file)
		if err != nil || img.Consts[0].Form != c.k.Form || !bytes.Equal(encode(t, img), file) {
			t.Errorf("%s: decoding gave %v, not what was encoded", name, err)
			continue
		}
		if got := b.run(t)[0]; !slices.EqualFunc(got.v, c.want, func(x float64, y float32) bool {
			return math.Float32bits(float32(x)) == math.Float32bits(y)
		}) {
			t.Errorf("%s: elements %v, expected %v", name, got.v, c.want)
		}
	}
}

func TestFormsRefused(t *testing.T) {
	row := forms()["row"].k
	for text, f := range map[string]func(k *billb.Const){
		"form 8 is unknown":     func(k *billb.Const) { k.Form = 8 },
		"in a form of i16":      func(k *billb.Const) { k.Form = billb.Bytes },
		"in a form of f32":      func(k *billb.Const) { k.Elem = F64 },
		"without axes":          func(k *billb.Const) { k.Shape = []int{} },
		"14 bytes of data":      func(k *billb.Const) { k.Form = billb.ByColumn; k.Data = k.Data[:14] },
		"expected 12":           func(k *billb.Const) { k.Form = billb.Half },
		"expected equal shapes": func(k *billb.Const) { k.Shape = []int{2, 2}; k.Data = k.Data[:12] },
	} {
		k := row
		f(&k)
		if strings.Contains(text, "equal shapes") {
			formNet(k).mustFail(t, "n0")
			continue
		}
		formNet(k).mustFail(t, text)
	}
	b := smallNet() // thresholds and weights of bits are read at load, and have no other form
	for i := range b.img.Consts {
		if b.img.Consts[i].Elem == I32 {
			b.img.Consts[i].Form = billb.Half
			b.mustFail(t, "in a form of f32")
			break
		}
	}
	file := encode(t, &formNet(row).img)
	file[8] = 1
	billb.Seal(file)
	if _, err := LoadBytes(file); err == nil {
		t.Error("a file of version 1 with a form was loaded")
	}
	file = encode(t, &formNet(forms()["plain"].k).img)
	file[8] = 2
	billb.Seal(file)
	if _, err := LoadBytes(file); err == nil {
		t.Error("a file of version 2 without forms was loaded")
	}
}
