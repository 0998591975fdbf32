package bill

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/alecthomas/participle/v2/lexer"

	"github.com/billnet/billnet/internal/suggest"
	"github.com/billnet/billnet/ir"
)

// Limits of a text. What is larger is an error, found before memory is taken.
const (
	MaxText       = 16 << 20  // bytes of the text
	MaxTokens     = 4 << 20   // tokens of the text
	MaxAxes       = 32        // axes of a type
	MaxData       = 2<<30 - 1 // bytes of the side file
	MaxConstElems = 1 << 28   // elements of all constants of a module together
)

// Parse reads a module from its text form and verifies it. name stands for the
// text in messages and locations. open returns the contents of the side file
// that the text names; it may be nil when no text with a side file is expected.
// Constants of one type at one offset share their tensor. Errors begin with
// name:line:col.
func Parse(name string, text []byte, open func(dataName string) ([]byte, error)) (*ir.Module, error) {
	return parse(name, text, open, nil, nil, MaxConstElems)
}

// ParseWith is Parse with other values for numbers that the text declares with
// let: a name that it does not declare is an error. The number seed, 1 unless a
// let says otherwise, may always be given.
func ParseWith(name string, text []byte, open func(dataName string) ([]byte, error), lets map[string]float64) (*ir.Module, error) {
	return parse(name, text, open, nil, lets, MaxConstElems)
}

// parse is ParseWith. pending lists contents of which one may be those of the
// side file, when what open returns is not.
func parse(name string, text []byte, open func(string) ([]byte, error), pending func(string) [][]byte, lets map[string]float64, maxElems int) (*ir.Module, error) {
	if len(text) > MaxText {
		return nil, fmt.Errorf("%s: the text has %d bytes, at most %d are read; large constants belong in the side file", name, len(text), MaxText)
	}
	src, err := grammar.ParseBytes(name, text)
	if err != nil {
		return nil, syntaxError(src, err)
	}
	b := &builder{
		m: &ir.Module{}, open: open, pending: pending, elems: maxElems, maxElems: maxElems, shared: map[string]*ir.Tensor{},
		lets: lets, blocks: map[string]*block{}, scope: scope{numbers: map[string]number{seedName: {1, true}}},
	}
	if v, ok := lets[seedName]; ok {
		b.numbers[seedName] = number{v, v == math.Trunc(v)}
	}
	if err := b.module(src); err != nil {
		return nil, err
	}
	for _, k := range slices.Sorted(maps.Keys(lets)) {
		if _, ok := b.numbers[k]; !ok {
			return nil, fmt.Errorf("%s: no number %q is declared here; write: let %s = %v%s", name, k, k, lets[k], suggest.Nearest(k, slices.Collect(maps.Keys(b.numbers))))
		}
	}
	if len(b.m.Funcs) == 0 {
		return nil, fmt.Errorf("%s: module %q has no function; write one: func @main(...) { ... }", name, shorten(b.m.Name))
	}
	if err := ir.Verify(b.m); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return b.m, nil
}

// builder makes a module from a syntax tree.
type builder struct {
	m        *ir.Module
	open     func(string) ([]byte, error)
	pending  func(string) [][]byte
	hasData  bool
	data     []byte
	maxElems int
	elems    int                   // constant elements that may still be made
	shared   map[string]*ir.Tensor // constants of the side file by offset and type

	bodies map[string]*fn     // functions that a node may still take for its body
	lets   map[string]float64 // values for declared numbers that replace the text's
	blocks map[string]*block  // declared so far
	top    map[string]number  // the numbers of the text itself
	fun    *ir.Func
	steps  int // statements built
	scope
}

// scope is what a function or a call of a block sees.
type scope struct {
	values  map[string]*ir.Value
	numbers map[string]number
	path    string // before the names of nodes: those of the calls
	turns   string // behind the names of nodes: the turns of the loops
	depth   int    // of loops
	calls   int    // around this one
}

func (b *builder) module(src *source) error {
	if src.Version.Text != "1" {
		return errorAt(src.Version.Pos, "version %s of the text form, expected 1, the only one there is", shorten(src.Version.Text))
	}
	level, ok := ir.ParseLevel(src.Level.Text)
	if !ok {
		return errorAt(src.Level.Pos, "unknown level %s, expected source, logic or packed", shorten(src.Level.Text))
	}
	b.m.Name, b.m.Level = src.Name.value(), level
	names := map[string]bool{}
	b.bodies = map[string]*fn{}
	for _, it := range src.Items {
		if it.Func == nil {
			continue
		}
		if names[it.Func.Name] {
			return errorAt(it.Func.Pos, "a second function is named %s; give it another name", shorten(it.Func.Name))
		}
		names[it.Func.Name], b.bodies[it.Func.Name] = true, it.Func
	}
	for _, it := range src.Items {
		var err error
		switch {
		case it.Meta != nil:
			err = b.meta(it.Meta)
		case it.Labels != nil:
			err = b.labels(it.Pos, it.Labels)
		case it.Data != nil:
			err = b.sideFile(it.Pos, it.Data)
		case it.Let != nil:
			err = b.let(it.Let, true)
		case it.Block != nil:
			err = b.declare(it.Block)
		case b.bodies[it.Func.Name] != nil:
			var f *ir.Func
			if f, err = b.fn(it.Func); err == nil {
				b.m.Funcs = append(b.m.Funcs, f)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (b *builder) meta(t *meta) error {
	if b.m.Meta == nil {
		b.m.Meta = map[string]string{}
	}
	key := t.Key.value()
	if _, twice := b.m.Meta[key]; twice {
		return errorAt(t.Key.Pos, "meta %q is given twice; keep one", shorten(key))
	}
	b.m.Meta[key] = t.Value.value()
	return nil
}

func (b *builder) labels(pos lexer.Position, t *labels) error {
	if b.m.Labels != nil {
		return errorAt(pos, "the labels are given twice; keep one list")
	}
	b.m.Labels = make([]string, len(t.Names))
	for i, s := range t.Names {
		b.m.Labels[i] = s.value()
	}
	return nil
}

// sideFile opens the side file and checks it against its declaration.
func (b *builder) sideFile(pos lexer.Position, t *data) error {
	if b.hasData {
		return errorAt(pos, "a second side file is declared; a text has one")
	}
	size, err := strconv.Atoi(t.Size.Text)
	if err != nil || size < 0 || size > MaxData {
		return errorAt(t.Size.Pos, "size %s of the side file, expected 0 to %d", shorten(t.Size.Text), MaxData)
	}
	sum, err := strconv.ParseUint(t.CRC.Text, 10, 32)
	if err != nil {
		return errorAt(t.CRC.Pos, "checksum %s of the side file, expected a number of 32 bits", shorten(t.CRC.Text))
	}
	name := t.Name.value()
	if b.open == nil {
		return errorAt(t.Name.Pos, "the side file %q cannot be opened from here; parse the text as a file", shorten(name))
	}
	fits := func(data []byte) bool {
		return len(data) == size && uint64(ir.Checksum(data)) == sum
	}
	b.hasData = true
	b.data, err = b.open(name)
	if err == nil && fits(b.data) {
		return nil
	}
	if b.pending != nil {
		for _, data := range b.pending(name) {
			if fits(data) {
				b.data = data
				return nil
			}
		}
	}
	if err != nil {
		return errorAt(t.Name.Pos, "side file %q: %v", shorten(name), err)
	}
	if len(b.data) != size {
		return errorAt(t.Size.Pos, "side file %q has %d bytes, the text says %d; text and side file belong together, copy or write both", shorten(name), len(b.data), size)
	}
	return errorAt(t.CRC.Pos, "side file %q has checksum %d, the text says %d; text and side file belong together, copy or write both", shorten(name), ir.Checksum(b.data), sum)
}

// attrFunc builds the function that a node names for its body.
func (b *builder) attrFunc(pos lexer.Position, name string) (*ir.Func, error) {
	t := b.bodies[name]
	if t == nil {
		return nil, errorAt(pos, "there is no function %s behind this one that is no other node's body; write one for this node alone", shorten(name))
	}
	outer, fun, top := b.scope, b.fun, b.top
	defer func() { b.scope, b.fun, b.top = outer, fun, top }()
	b.scope = scope{numbers: maps.Clone(top)}
	return b.fn(t)
}

func (b *builder) fn(t *fn) (*ir.Func, error) {
	delete(b.bodies, t.Name)
	f := &ir.Func{Name: strings.TrimPrefix(t.Name, "@")}
	b.values = map[string]*ir.Value{}
	names := map[string]bool{}
	for _, p := range t.Params {
		name := p.Name.value()
		if names[name] {
			return nil, errorAt(p.Name.Pos, "two parameters are named %q; give one another name", shorten(name))
		}
		names[name] = true
		ty, err := b.typeOf(&p.Type)
		if err != nil {
			return nil, err
		}
		v := &ir.Value{Type: ty}
		if err := b.define(&p.Value, v); err != nil {
			return nil, err
		}
		f.Params = append(f.Params, ir.Port{Name: name, Value: v})
	}
	b.fun, b.top = f, maps.Clone(b.numbers)
	ret, err := b.body(t.Body)
	if err != nil {
		return nil, err
	}
	if ret == nil {
		return nil, errorAt(t.Pos, "function %s has no return; end it with return %%1 \"y\"", shorten(t.Name))
	}
	return f, b.results(f, ret)
}

func (b *builder) results(f *ir.Func, t *ret) error {
	names := map[string]bool{}
	for _, p := range t.Ports {
		if p.Name == nil {
			return errorAt(p.Value.Pos, "result %s of a function has no name; write one behind it: %s \"y\"", shorten(p.Value.Text), shorten(p.Value.Text))
		}
		name := p.Name.value()
		if names[name] {
			return errorAt(p.Name.Pos, "two results are named %q; give one another name", shorten(name))
		}
		names[name] = true
		v, err := b.use(p.Value.Pos, p.Value.Text)
		if err != nil {
			return err
		}
		f.Results = append(f.Results, ir.Port{Name: name, Value: v})
	}
	return nil
}

func (b *builder) define(name *valueName, v *ir.Value) error {
	if b.values[name.Text] != nil && (b.depth == 0 || isDigit(name.Text[1])) {
		return errorAt(name.Pos, "%s is defined a second time; every value has a name of its own", shorten(name.Text))
	}
	b.values[name.Text] = v
	return nil
}

func (b *builder) use(pos lexer.Position, name string) (*ir.Value, error) {
	v := b.values[name]
	if v == nil {
		return nil, errorAt(pos, "%s is not defined above; a value is defined in its function before it is used", shorten(name))
	}
	return v, nil
}

// node builds one node: what the text says about its results must be what is
// inferred, except for layouts, which the packed level chooses.
func (b *builder) node(pos lexer.Position, t *node) (*ir.Node, error) {
	loc := ir.Loc{File: pos.Filename, Line: pos.Line, Col: pos.Column, Name: b.nameOf(t)}
	op := ir.Lookup(t.Op.Text)
	if op == nil {
		return nil, errorAt(t.Op.Pos, "unknown operation %q%s", shorten(t.Op.Text), suggest.Nearest(t.Op.Text, opNames()))
	}
	if op.Levels&b.m.Level == 0 {
		return nil, errorAt(t.Op.Pos, "%s is an operation of %s, the module is of level %s", op.Name, levels(op.Levels), b.m.Level)
	}
	var types []ir.Type // nil: as they are inferred
	for i := range t.Types {
		ty, err := b.typeOf(t.Types[i])
		if err != nil {
			return nil, err
		}
		if ty.Layout.Planes && b.m.Level != ir.Packed {
			return nil, errorAt(t.Types[i].Pos, "a type with a layout at level %s; layouts are chosen at level packed, leave it out", b.m.Level)
		}
		types = append(types, ty)
	}
	n, err := b.apply(op, t, types, loc)
	if err != nil {
		return nil, err
	}
	if len(t.Results) != len(n.Results) {
		return nil, errorAt(t.Results[0].Pos, "%s has %d results, the text names %d", op.Name, len(n.Results), len(t.Results))
	}
	if types == nil {
		for i, r := range n.Results {
			if err := b.define(t.Results[i], r); err != nil {
				return nil, err
			}
		}
		return n, nil
	}
	if len(types) != len(n.Results) {
		return nil, errorAt(t.Types[0].Pos, "%s has %d results, the text has %d types", op.Name, len(n.Results), len(types))
	}
	for i, r := range n.Results {
		if types[i].DType != r.Type.DType || !ir.SameShape(types[i].Shape, r.Type.Shape) {
			return nil, errorAt(t.Types[i].Pos, "the text says %s, %s gives %s; correct the type or the operands", types[i], op.Name, r.Type)
		}
		r.Type.Layout = types[i].Layout
		if err := b.define(t.Results[i], r); err != nil {
			return nil, err
		}
	}
	return n, nil
}

// apply makes the node with its inferred types.
func (b *builder) apply(op *ir.Op, t *node, types []ir.Type, loc ir.Loc) (*ir.Node, error) {
	if op == ir.Const {
		return b.constant(t, types, loc)
	}
	if t.Payload != nil {
		return nil, errorAt(t.Payload.Pos, "%s takes values, not numbers; define a const above and use its value", op.Name)
	}
	args := make([]*ir.Value, len(t.Args))
	for i, a := range t.Args {
		if a.Text == "_" {
			continue
		}
		v, err := b.use(a.Pos, a.Text)
		if err != nil {
			return nil, err
		}
		args[i] = v
	}
	attrs := map[string]any{}
	for _, a := range t.Attrs {
		if _, twice := attrs[a.Name.Text]; twice {
			return nil, errorAt(a.Name.Pos, "attribute %s is given twice; keep one", shorten(a.Name.Text))
		}
		v, err := b.attrValue(op, a)
		if err != nil {
			return nil, err
		}
		attrs[a.Name.Text] = v
	}
	n, err := ir.NewNode(op, args, attrs, loc)
	if err != nil {
		return nil, errorAt(t.Op.Pos, "%v", err)
	}
	return n, nil
}

// attrValue reads an attribute's value as the kind that the operation gives it.
func (b *builder) attrValue(op *ir.Op, a *attr) (any, error) {
	kind, ok := op.AttrKind(a.Name.Text)
	if !ok {
		var names []string
		for _, x := range op.Attrs {
			names = append(names, x.Name)
		}
		has := "it has none"
		if names != nil {
			has = "it has " + strings.Join(names, ", ")
		}
		return nil, errorAt(a.Name.Pos, "%s has no attribute %s, %s%s", op.Name, shorten(a.Name.Text), has, suggest.Nearest(a.Name.Text, names))
	}
	if (kind == ir.KFunc) != (a.Func != "") {
		return nil, errorAt(a.Name.Pos, "attribute %s of %s is of kind %s", a.Name.Text, op.Name, kind)
	}
	if kind == ir.KFunc {
		return b.attrFunc(a.Name.Pos, a.Func)
	}
	isList := kind == ir.KInts || kind == ir.KFloats || kind == ir.KStrings
	if isList != (a.List != nil) {
		want := "one value"
		if isList {
			want = "a list in [ ]"
		}
		return nil, errorAt(a.Name.Pos, "attribute %s of %s is of kind %s, expected %s", a.Name.Text, op.Name, kind, want)
	}
	list := []*expr{a.Value}
	if isList {
		list = a.List.Elems
	}
	elems, err := each(list, b.scalar)
	if err != nil {
		return nil, err
	}
	switch kind {
	case ir.KInt:
		return intOf(elems[0])
	case ir.KFloat:
		return floatOf(elems[0], 64)
	case ir.KString:
		return stringOf(elems[0])
	case ir.KBool:
		switch elems[0].Text {
		case "true":
			return true, nil
		case "false":
			return false, nil
		}
		return nil, errorAt(elems[0].Pos, "found %s, expected true or false", shorten(elems[0].Text))
	case ir.KInts:
		return each(elems, intOf)
	case ir.KFloats:
		return each(elems, func(s *scalar) (float64, error) { return floatOf(s, 64) })
	default:
		return each(elems, stringOf)
	}
}

func each[S, T any](elems []S, read func(S) (T, error)) ([]T, error) {
	out := make([]T, len(elems))
	for i, s := range elems {
		v, err := read(s)
		if err != nil {
			return nil, err
		}
		out[i] = v
	}
	return out, nil
}

func intOf(s *scalar) (int, error) {
	v, err := strconv.Atoi(s.Text)
	if err != nil {
		return 0, errorAt(s.Pos, "found %s, expected an integer of 64 bits", shorten(s.Text))
	}
	return v, nil
}

// floatOf reads a float rounded to 32 or 64 bits: a number, nan, inf or -inf.
func floatOf(s *scalar, bits int) (float64, error) {
	switch s.Text {
	case "nan":
		return math.NaN(), nil
	case "inf":
		return math.Inf(1), nil
	}
	v, err := strconv.ParseFloat(s.Text, bits)
	if err != nil {
		return 0, errorAt(s.Pos, "found %s, expected a number that fits a float of %d bits, nan, inf or -inf", shorten(s.Text), bits)
	}
	return v, nil
}

func stringOf(s *scalar) (string, error) {
	if s.Text[0] != '"' {
		return "", errorAt(s.Pos, "found %s, expected a string in quotes", shorten(s.Text))
	}
	return unquote(s.Text), nil
}

// typeOf reads a type.
func (b *builder) typeOf(t *typ) (ir.Type, error) {
	d, ok := ir.ParseDType(t.DType)
	if !ok {
		var names []string
		for d := ir.F32; d <= ir.Tern; d++ {
			names = append(names, d.String())
		}
		return ir.Type{}, errorAt(t.Pos, "unknown element type %q, expected one of %s%s", shorten(t.DType), strings.Join(names, " "), suggest.Nearest(t.DType, names))
	}
	if len(t.Dims) > MaxAxes {
		return ir.Type{}, errorAt(t.Dims[MaxAxes].Pos, "a type has %d axes, at most %d are read", len(t.Dims), MaxAxes)
	}
	shape, err := each(t.Dims, b.int)
	if err != nil {
		return ir.Type{}, err
	}
	if err := ir.CheckShape(shape); err != nil {
		return ir.Type{}, errorAt(t.Pos, "%v", err)
	}
	ty := ir.T(d, shape...)
	if t.Layout == nil {
		return ty, nil
	}
	const most = 1 << 20
	read := func(list []*expr, least int, to ...*int) error {
		for i, s := range list {
			v, err := b.int(s)
			if err != nil {
				return err
			}
			if v < least || v > most {
				return errorAt(s.Pos, "found %d, expected %d to %d", v, least, most)
			}
			*to[i] = v
		}
		return nil
	}
	l := ir.Layout{Planes: true, PT: 1, PH: 1, PW: 1}
	if err := read(t.Layout.Halo, 0, &l.HT, &l.HH, &l.HW); err != nil {
		return ir.Type{}, err
	}
	if err := read(t.Layout.Phase, 1, &l.PT, &l.PH, &l.PW); err != nil {
		return ir.Type{}, err
	}
	ty.Layout = l
	return ty, nil
}

func opNames() []string {
	var names []string
	for _, o := range ir.Ops() {
		names = append(names, o.Name)
	}
	return names
}

// levels names a set of levels: "levels source and logic".
func levels(set ir.Level) string {
	var names []string
	for _, l := range []ir.Level{ir.Source, ir.Logic, ir.Packed} {
		if set&l != 0 {
			names = append(names, l.String())
		}
	}
	if len(names) == 1 {
		return "level " + names[0]
	}
	return "levels " + strings.Join(names, " and ")
}
