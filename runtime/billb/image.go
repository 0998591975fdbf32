package billb

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/billnet/billnet/runtime/kernels"
)

// Image is the content of a .billb file: what a code generator fills in and
// what Decode returns. The package comment says what its parts mean.
type Image struct {
	Name            string
	Meta            [][2]string // keys and values; keys are unique
	Labels          []string    // class names of the first output, or nil
	Inputs, Outputs []Port
	Buffers         []Buffer
	Consts          []Const
	Code            []Instr
	Regions         []Region // in the order of their instructions
	States          []State  // carried from run to run; only without regions
	Certificate     []byte
	Arena           int // bytes of all buffers together, a multiple of 64
}

// Port is a named input or output: a dense buffer.
type Port struct {
	Name   string
	Elem   Elem
	Shape  []int
	Buffer int
}

// Buffer is a place in the arena. Buffers may share memory as long as none is
// read after an overlapping one was written.
type Buffer struct {
	Elem   Elem
	Shape  []int        // row-major; [1,C,T,H,W] for planes
	Planes bool         // stored as Geom says; Bit, SBit, U8, I8, I16 or I32
	Geom   kernels.Geom // of planes: C, T, H, W are those of Shape
	Offset int          // in the arena, a multiple of 64
}

// Const is a constant tensor. Data is canonical: bits eight a byte, least
// significant first, a set bit for 1 or +1; a tern as its sign plane followed
// by its nonzero plane; everything else in its own width, little endian. Form says
// where it is narrower.
type Const struct {
	Elem  Elem
	Shape []int
	Data  []byte
	Form  Form
}

// Instr is one instruction. In and Out are buffer ids; -1 is an operand left
// out, and an input may be a constant (see ConstOperand). Const are constant
// ids, -1 left out. Name is for messages and profiles only.
type Instr struct {
	Op      Opcode
	In, Out []int
	Const   []int
	Params  Params
	Name    string
}

// Input is the entry of In of the operand that the operation calls name, -1 when
// it is left out.
func (in *Instr) Input(name string) int { return named(in.Op.Op().In, in.In, name) }

// Output is the entry of Out called name.
func (in *Instr) Output(name string) int { return named(in.Op.Op().Out, in.Out, name) }

// Constant is the entry of Const called name.
func (in *Instr) Constant(name string) int { return named(in.Op.Op().Consts, in.Const, name) }

func named(names string, ids []int, name string) int {
	i := 0
	for n := range strings.FieldsSeq(names) {
		if i < len(ids) && strings.TrimRight(n, "?.") == name {
			return ids[i]
		}
		i++
	}
	return -1
}

// ConstOperand is the entry of Instr.In that stands for constant c.
func ConstOperand(c int) int { return -2 - c }

// Limits of the format. They keep every size inside 32 bits.
const (
	maxRank   = 16
	maxElems  = 1<<31 - 1
	maxArena  = 1<<31 - 64
	maxItems  = 1 << 18 // buffers, constants, instructions
	maxCount  = 1 << 16 // operands, ports, strings
	maxParams = 1 << 10 // integers, or floats, of an instruction
	maxString = 1 << 16
	maxEmpty  = 1 << 20 // the product of the other dimensions of a shape with a zero
	align     = Align
)

// Align is what the offsets of buffers and the size of the arena are multiples
// of, in bytes.
const Align = 64

// elems is the number of elements of a shape. Zeros are left out of the
// overflow check's product, so that no product of some dimensions overflows.
func elems(shape []int) (int, error) {
	if len(shape) > maxRank {
		return 0, errorf("%d axes, expected at most %d", len(shape), maxRank)
	}
	n, zero := 1, false
	for _, d := range shape {
		switch {
		case d < 0 || d > maxElems:
			return 0, limitf("dimension %d of shape %s is out of range", d, ShapeString(shape))
		case d == 0:
			zero = true
		case n > maxElems/d:
			return 0, errorf("shape %s has 2^31 elements or more", ShapeString(shape))
		default:
			n *= d
		}
	}
	if zero && n > maxEmpty {
		return 0, limitf("shape %s is empty but has dimensions of more than %d together", ShapeString(shape), maxEmpty)
	}
	if zero {
		n = 0
	}
	return n, nil
}

// Product is the number of elements of a shape that is known to be valid.
//
//go:noinline
func Product(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

// ShapeString prints a shape as [1,3,8].
func ShapeString(s []int) string {
	var b strings.Builder
	b.WriteByte('[')
	for i, d := range s {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.Itoa(d))
	}
	b.WriteByte(']')
	return b.String()
}

// Size is the number of bytes of the buffer in the arena. It checks the element
// type, shape and geometry.
func (b Buffer) Size() (int, error) {
	if !b.Elem.Valid() {
		return 0, errorf("unknown element type %d", uint8(b.Elem))
	}
	n, err := elems(b.Shape)
	if err != nil {
		return 0, err
	}
	if !b.Planes {
		if n > maxArena/b.Elem.Width() {
			return 0, limitf("%s%s needs 2^31 bytes or more", b.Elem, ShapeString(b.Shape))
		}
		return n * b.Elem.Width(), nil
	}
	e, ok := b.Elem.Plane()
	if !ok {
		return 0, errorf("planes of %s, expected bit, sbit, u8, i8, i16 or i32", b.Elem)
	}
	g := b.Geom
	if !slices.Equal(b.Shape, []int{1, g.C, g.T, g.H, g.W}) {
		return 0, errorf("planes of shape %s with geometry [1,%d,%d,%d,%d], expected the same", ShapeString(b.Shape), g.C, g.T, g.H, g.W)
	}
	if err := g.Check(e); err != nil {
		return 0, err
	}
	return g.Bytes(e), nil
}

func (b Buffer) String() string {
	s := b.Elem.String() + ShapeString(b.Shape)
	if b.Planes {
		g := b.Geom
		s += fmt.Sprintf("{halo=%d,%d,%d phase=%d,%d,%d}", g.HT, g.HH, g.HW, g.PT, g.PH, g.PW)
	}
	return s
}

// Size is the number of bytes that Data must have.
func (c Const) Size() (int, error) {
	if !c.Elem.Valid() {
		return 0, errorf("unknown element type %d", uint8(c.Elem))
	}
	n, err := elems(c.Shape)
	if err != nil {
		return 0, err
	}
	switch {
	case c.Form != Plain:
		return c.narrowSize(n)
	case c.Elem.IsBit():
		return (n + 7) / 8, nil
	case c.Elem == Tern:
		return 2 * ((n + 7) / 8), nil
	case n > maxArena/c.Elem.Width():
		return 0, limitf("%s%s needs 2^31 bytes or more", c.Elem, ShapeString(c.Shape))
	}
	return n * c.Elem.Width(), nil
}

// check reports data that is not canonical.
func (c Const) check() error {
	size, err := c.Size()
	if err != nil {
		return err
	}
	if len(c.Data) != size {
		return errorf("%s%s has %d bytes of data, expected %d", c.Elem, ShapeString(c.Shape), len(c.Data), size)
	}
	tail := func(plane []byte) bool {
		n := Product(c.Shape) % 8
		return n == 0 || len(plane) == 0 || plane[len(plane)-1]>>n == 0
	}
	switch c.Elem {
	case Bool:
		for i, v := range c.Data {
			if v > 1 {
				return errorf("bool element %d is %d, expected 0 or 1", i, v)
			}
		}
	case Bit, SBit:
		if !tail(c.Data) {
			return errorf("bits after the last element of %s%s are set", c.Elem, ShapeString(c.Shape))
		}
	case Tern:
		sign, nonzero := c.Data[:size/2], c.Data[size/2:]
		for i := range sign {
			if sign[i]&^nonzero[i] != 0 {
				return errorf("byte %d of tern%s has signs of zeros", i, ShapeString(c.Shape))
			}
		}
		if !tail(nonzero) {
			return errorf("bits after the last element of tern%s are set", ShapeString(c.Shape))
		}
	}
	return nil
}

// checkForm checks everything about an image that needs no knowledge of the
// opcodes' meaning.
func (img *Image) checkForm() error {
	if err := img.checkInterface(); err != nil {
		return err
	}
	if img.Arena > maxArena {
		return limitf("the arena has %d bytes, expected less than 2^31", img.Arena)
	}
	if img.Arena < 0 || img.Arena%align != 0 {
		return errorf("the arena has %d bytes, expected a multiple of %d", img.Arena, align)
	}
	if len(img.Buffers) > maxItems || len(img.Consts) > maxItems || len(img.Code) > maxItems {
		return limitf("%d buffers, %d constants, %d instructions: expected at most %d of each", len(img.Buffers), len(img.Consts), len(img.Code), maxItems)
	}
	for i, b := range img.Buffers {
		size, err := b.Size()
		if err != nil {
			return errorf("buffer %d: %w", i, err)
		}
		if b.Offset < 0 || b.Offset%align != 0 || b.Offset > img.Arena-size {
			return errorf("buffer %d: %d bytes at offset %d of an arena of %d, expected a multiple of %d inside", i, size, b.Offset, img.Arena, align)
		}
	}
	for i, c := range img.Consts {
		if err := c.check(); err != nil {
			return errorf("constant %d: %w", i, err)
		}
	}
	if err := img.checkRegions(); err != nil {
		return err
	}
	if err := img.checkStates(); err != nil {
		return err
	}
	fed, _ := img.Fed()
	for _, side := range []struct {
		what  string
		ports []Port
	}{{"input", img.Inputs}, {"output", img.Outputs}} {
		for i, p := range side.ports {
			check := img.checkPort
			if side.what == "input" && i == fed {
				check = img.checkFed
			}
			if p.Buffer < 0 || p.Buffer >= len(img.Buffers) {
				return errorf("%s %q: buffer %d does not exist, there are %d", side.what, p.Name, p.Buffer, len(img.Buffers))
			}
			if err := check(p); err != nil {
				return errorf("%s %q: %w", side.what, p.Name, err)
			}
		}
	}
	for i := range img.Code {
		if err := img.checkInstr(&img.Code[i]); err != nil {
			return errorf("%s: %w", img.Code[i].Where(i), err)
		}
	}
	return nil
}

// Where names instruction i in messages.
func (in *Instr) Where(i int) string {
	s := fmt.Sprintf("instruction %d (%s)", i, in.Op)
	if in.Name != "" {
		s += fmt.Sprintf(" %q", in.Name)
	}
	return s
}

func (img *Image) checkInterface() error {
	if len(img.Meta) > maxCount || len(img.Labels) > maxCount || len(img.Inputs) > maxCount || len(img.Outputs) > maxCount {
		return limitf("more than %d metadata entries, labels or ports", maxCount)
	}
	text := append([]string{img.Name}, img.Labels...)
	keys := map[string]bool{}
	for _, kv := range img.Meta {
		if keys[kv[0]] {
			return errorf("metadata key %q occurs twice", kv[0])
		}
		keys[kv[0]] = true
		text = append(text, kv[0], kv[1])
	}
	for _, ports := range [][]Port{img.Inputs, img.Outputs} {
		names := map[string]bool{}
		for _, p := range ports {
			if p.Name == "" || names[p.Name] {
				return errorf("port name %q is empty or occurs twice", p.Name)
			}
			names[p.Name] = true
			text = append(text, p.Name)
		}
	}
	for _, s := range text {
		if err := checkText(s); err != nil {
			return err
		}
	}
	return nil
}

func checkText(s string) error {
	if len(s) > maxString {
		return limitf("text %.40q has %d bytes, expected at most %d", s, len(s), maxString)
	}
	if !utf8.ValidString(s) {
		return errorf("text %.40q is not UTF-8", s)
	}
	return nil
}

func (img *Image) checkPort(p Port) error {
	b := img.Buffers[p.Buffer]
	if b.Planes || b.Elem != p.Elem || !slices.Equal(b.Shape, p.Shape) {
		return errorf("the port is dense %s%s, buffer %d is %s", p.Elem, ShapeString(p.Shape), p.Buffer, b)
	}
	return nil
}

// checkInstr checks operands and parameters against what the operation takes.
func (img *Image) checkInstr(in *Instr) error {
	op := in.Op.Op()
	if op == nil {
		return errUnknownOpcode
	}
	if err := checkText(in.Name); err != nil {
		return err
	}
	for _, list := range [][]int{in.In, in.Out, in.Const} {
		if len(list) > maxCount {
			return limitf("%d operands, expected at most %d", len(list), maxCount)
		}
	}
	if err := img.checkOperands(in); err != nil {
		return err
	}
	for _, side := range []struct {
		what, names string
		ids         []int
	}{{"operand", op.In, in.In}, {"output", op.Out, in.Out}, {"constant", op.Consts, in.Const}} {
		if err := checkArity(side.what, side.names, side.ids); err != nil {
			return err
		}
	}
	return checkParams(op.params(), in.Params)
}

// checkOperands checks that what an instruction refers to exists.
func (img *Image) checkOperands(in *Instr) error {
	for _, b := range in.In {
		switch {
		case b < -1 && -2-b >= len(img.Consts):
			return errorf("constant %d does not exist, there are %d", -2-b, len(img.Consts))
		case b >= len(img.Buffers):
			return errorf("buffer %d does not exist, there are %d", b, len(img.Buffers))
		}
	}
	for _, b := range in.Out {
		if b < -1 || b >= len(img.Buffers) {
			return errorf("output buffer %d does not exist, there are %d", b, len(img.Buffers))
		}
	}
	for _, c := range in.Const {
		if c < -1 || c >= len(img.Consts) {
			return errorf("constant %d does not exist, there are %d", c, len(img.Consts))
		}
	}
	return nil
}
