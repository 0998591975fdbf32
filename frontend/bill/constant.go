package bill

import (
	"fmt"
	"math"
	"strconv"

	"github.com/alecthomas/participle/v2/lexer"

	"github.com/billnet/billnet/ir"
)

// constant makes a const node of the type that the text gives it.
func (b *builder) constant(t *node, types []ir.Type, loc ir.Loc) (*ir.Node, error) {
	if len(t.Args) > 0 {
		return nil, errorAt(t.Args[0].Pos, "a const takes no values, only numbers: [1, 2], splat 0 or @offset")
	}
	if len(t.Attrs) > 0 {
		return nil, errorAt(t.Attrs[0].Name.Pos, "a const has no attributes")
	}
	if t.Payload == nil {
		return nil, errorAt(t.Op.Pos, "a const needs its elements: [1, 2], splat 0 or @offset, or how it begins: he, normal(0.1)")
	}
	if types == nil {
		return nil, errorAt(t.Op.Pos, "a const needs its type, such as : f32[1,3]")
	}
	if t.Payload.Init != nil {
		return b.parameter(t, types[0], loc)
	}
	ty := ir.T(types[0].DType, types[0].Shape...)
	x, err := b.tensor(t.Payload, ty)
	if err != nil {
		return nil, err
	}
	return ir.NewConst(x, loc), nil
}

func (b *builder) tensor(p *payload, ty ir.Type) (*ir.Tensor, error) {
	switch {
	case p.List != nil:
		return b.listed(p, ty)
	case p.Splat != nil:
		return b.splat(p, ty)
	case p.Elided:
		return nil, errorAt(p.Pos, "the elements are left out (...): the text was printed for reading only; print it with its side file")
	}
	return b.stored(p, ty)
}

// reserve takes the elements of a new tensor from what the module may have.
func (b *builder) reserve(pos lexer.Position, ty ir.Type) error {
	if n := ty.Elems(); n > b.elems {
		return errorAt(pos, "the constants have more than %d elements with this one of %d, the most that is read; split the model", b.maxElems, n)
	}
	b.elems -= ty.Elems()
	return nil
}

func (b *builder) listed(p *payload, ty ir.Type) (*ir.Tensor, error) {
	elems := p.List.Elems
	if len(elems) != ty.Elems() {
		return nil, errorAt(p.Pos, "%d elements, the type %s has %d", len(elems), ty, ty.Elems())
	}
	if err := b.reserve(p.Pos, ty); err != nil {
		return nil, err
	}
	x := ir.NewTensor(ty)
	for i, s := range elems {
		if err := setElem(x, i, s); err != nil {
			return nil, err
		}
	}
	return x, nil
}

func (b *builder) splat(p *payload, ty ir.Type) (*ir.Tensor, error) {
	if err := b.reserve(p.Pos, ty); err != nil {
		return nil, err
	}
	one := ir.NewTensor(ir.T(ty.DType))
	elem, err := b.scalar(p.Splat)
	if err != nil {
		return nil, err
	}
	if err := setElem(one, 0, elem); err != nil {
		return nil, err
	}
	x := ir.NewTensor(ty)
	for i := range x.Floats() {
		x.Floats()[i] = one.Float32(0)
	}
	for i := range x.Doubles() {
		x.Doubles()[i] = one.Float(0)
	}
	for i := range x.Ints() {
		x.Ints()[i] = one.Int(0)
	}
	return x, nil
}

// setElem stores a written number, which must be one of the element type. A u64
// above the largest int64 is written as the int64 of the same bits, which is
// what the interpreter holds.
func setElem(x *ir.Tensor, i int, s *scalar) error {
	d := x.Type.DType
	if d.IsFloat() {
		bits := 64
		if d == ir.F32 {
			bits = 32
		}
		v, err := floatOf(s, bits)
		if err != nil {
			return err
		}
		x.SetFloat(i, v)
		if math.IsInf(x.Float(i), 0) && !math.IsInf(v, 0) {
			return errorAt(s.Pos, "%s does not fit %s", shorten(s.Text), d)
		}
		return nil
	}
	lo, hi := d.Range()
	if d == ir.U64 {
		lo = math.MinInt64
	}
	v, ok := integer(s.Text)
	if !ok || v < lo || v > hi || d == ir.SBit && v == 0 {
		want := fmt.Sprintf("an integer from %d to %d", lo, hi)
		if d == ir.SBit {
			want = "-1 or 1"
		}
		return errorAt(s.Pos, "found %s, an element of %s is %s", shorten(s.Text), d, want)
	}
	x.Ints()[i] = v
	return nil
}

// integer reads an integer; one with a fraction of 0 or an exponent, such as
// 1e+06, only as far as every float64 is exact.
func integer(s string) (int64, bool) {
	if v, err := strconv.ParseInt(s, 10, 64); err == nil {
		return v, true
	}
	v, err := strconv.ParseFloat(s, 64)
	return int64(v), err == nil && v == math.Trunc(v) && math.Abs(v) < 1<<53
}

// stored reads a constant from the side file, once for every offset and type.
func (b *builder) stored(p *payload, ty ir.Type) (*ir.Tensor, error) {
	if !b.hasData {
		return nil, errorAt(p.Pos, "no side file is declared above; declare it: data \"name\" size=N crc32c=N")
	}
	off, err := strconv.Atoi(p.Offset[1:])
	if err != nil || off > len(b.data) || ir.DataBytes(ty) > len(b.data)-off {
		return nil, errorAt(p.Pos, "%s needs %d bytes at offset %s, the side file has %d bytes", ty, ir.DataBytes(ty), shorten(p.Offset[1:]), len(b.data))
	}
	key := p.Offset + ty.String()
	if x := b.shared[key]; x != nil {
		return x, nil
	}
	if err := b.reserve(p.Pos, ty); err != nil {
		return nil, err
	}
	x, err := ir.TensorFromData(ty, b.data[off:off+ir.DataBytes(ty)])
	if err != nil {
		return nil, errorAt(p.Pos, "at offset %d of the side file: %v", off, err)
	}
	b.shared[key] = x
	return x, nil
}
