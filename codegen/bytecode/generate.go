package bytecode

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sort"
	"strings"

	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/runtime/billb"
	"github.com/billnet/billnet/runtime/kernels"
)

// Generate writes a module at the packed level down as an image. certificate is
// stored as it is. The same module gives the same image. An *UnsupportedError
// names the nodes that can not be written.
//
// The machine has no f16 and bf16: such values lie in f32 buffers and are rounded
// after every operation. An input or output of these types is a port of type f32;
// inputs are rounded first.
func Generate(m *ir.Module, certificate []byte) (*billb.Image, Plan, error) {
	return generate(m, certificate, false)
}

// GenerateRows is Generate for those that compute maps row by row: convolutions of bits and signs of floats stay instructions
// of their own, whose results are maps, and take no floats into their steps.
func GenerateRows(m *ir.Module, certificate []byte) (*billb.Image, Plan, error) {
	return generate(m, certificate, true)
}

func generate(m *ir.Module, certificate []byte, rows bool) (*billb.Image, Plan, error) {
	img, group, holds, err := unplaced(m, certificate, rows)
	if err != nil {
		return nil, Plan{}, err
	}
	plan, err := place(img, group, nil)
	plan.Holds = holds
	return img, plan, err
}

// unplaced makes an image whose buffers have no places yet, and says for every buffer whose memory it shares and which value it has.
func unplaced(m *ir.Module, certificate []byte, rows bool) (*billb.Image, []int, []*ir.Value, error) {
	if m.Level != ir.Packed {
		return nil, nil, nil, fmt.Errorf("module %q is at the %s level, code generation needs the packed one", m.Name, m.Level)
	}
	g := &gen{
		img:    &billb.Image{Name: m.Name, Labels: m.Labels, Certificate: certificate},
		alias:  map[*ir.Value]*ir.Value{},
		buf:    map[*ir.Value]int{},
		consts: map[*ir.Tensor]int{},
		inputs: map[*ir.Tensor]int{},
		rows:   rows,

		chainAt: map[*ir.Node]*chain{},
		rowsAt:  map[*ir.Node]*rowGroup{},
		chained: map[*ir.Node]bool{},
		results: map[*ir.Value]bool{},
	}
	keys := make([]string, 0, len(m.Meta))
	for k := range m.Meta {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	for _, k := range keys {
		g.img.Meta = append(g.img.Meta, [2]string{k, m.Meta[k]})
	}
	f := m.Main()
	g.uses, g.budget = map[*ir.Value][]*ir.Node{}, budgetOf(f)
	for _, b := range f.WithBodies() {
		maps.Copy(g.uses, b.Uses())
	}
	states := m.States()
	params, results := f.Params[:len(f.Params)-states], f.Results[:len(f.Results)-states]
	for _, p := range params {
		v := p.Value
		if isHalf(v.Type.DType) {
			p.Value = &ir.Value{Type: v.Type.With(ir.F32)}
		}
		port, err := g.port(p)
		if err != nil {
			return nil, nil, nil, fmt.Errorf("input %q: %w", p.Name, err)
		}
		g.img.Inputs = append(g.img.Inputs, port)
		if p.Value != v {
			if err := g.emit("cast", "input", []int{port.Buffer}, []*ir.Value{v}, nil, nil); err != nil {
				return nil, nil, nil, fmt.Errorf("input %q: %w", p.Name, err)
			}
		}
	}
	for _, b := range f.WithBodies() {
		g.chains(b)
	}
	var unsupported UnsupportedError
	for _, n := range f.Nodes {
		err := g.chainOrNode(n)
		var none *missingError
		switch {
		case errors.As(err, &none):
			unsupported.Nodes = append(unsupported.Nodes, fmt.Sprintf("%s (%s)", n.Loc, strings.TrimSuffix(n.Op.Name+": "+none.why, ": ")))
		case err != nil:
			return nil, nil, nil, fmt.Errorf("%s (%s): %w", n.Loc, n.Op.Name, err)
		}
	}
	if unsupported.Nodes != nil {
		return nil, nil, nil, &unsupported
	}
	for i := range states {
		g.state(f.Params[len(params)+i].Value, f.Results[len(results)+i].Value)
	}
	for _, r := range results {
		if c := g.constOf(r.Value); c != nil || g.isInput(r.Value) || g.isOutput(r.Value) {
			// The result is a constant, an input or another result: it gets a copy.
			v := &ir.Value{Type: r.Value.Type}
			if err := g.emit("identity", "output", []int{g.operand(r.Value)}, []*ir.Value{v}, nil, nil); err != nil {
				return nil, nil, nil, fmt.Errorf("output %q: %w", r.Name, err)
			}
			r.Value = v
		}
		port, err := g.port(r)
		if err != nil {
			return nil, nil, nil, fmt.Errorf("output %q: %w", r.Name, err)
		}
		g.img.Outputs = append(g.img.Outputs, port)
	}
	if g.err != nil {
		return nil, nil, nil, g.err
	}
	return g.img, g.group, g.holds(f), nil
}

// state carries a value from run to run. What is made of a state that nothing else reads
// may take its place.
func (g *gen) state(from, to *ir.Value) {
	if n := to.Def; n != nil && g.isState(to) || to.Def == nil || g.constOf(to) != nil {
		v := &ir.Value{Type: to.Type}
		if err := g.emit("identity", "state", []int{g.operand(to)}, []*ir.Value{v}, nil, nil); err != nil && g.err == nil {
			g.err = err
		}
		to = v
	} else if (n.Is(ir.Shift) || n.Is(ir.Add)) && g.value(n.Args[0]) == from && len(g.uses[from]) == 1 && from.Type.Layout == to.Type.Layout {
		g.group[g.buffer(to)] = g.group[g.buffer(from)]
	}
	g.img.States = append(g.img.States, billb.State{From: g.buffer(from), To: g.buffer(to)})
}

// isState reports whether a value is carried already.
func (g *gen) isState(v *ir.Value) bool {
	id, ok := g.buf[g.value(v)]
	return ok && slices.ContainsFunc(g.img.States, func(s billb.State) bool { return s.To == id })
}

// holds finds the values of a function that are in buffers.
func (g *gen) holds(f *ir.Func) []*ir.Value {
	list := make([]*ir.Value, len(g.img.Buffers))
	for _, n := range f.Nodes {
		for _, v := range n.Results {
			if b, ok := g.buf[g.value(v)]; ok {
				list[b] = v
			}
		}
	}
	return list
}

// UnsupportedError lists the nodes that no instruction stands for.
type UnsupportedError struct{ Nodes []string }

func (e *UnsupportedError) Error() string {
	return "bytecode has no instruction for " + strings.Join(e.Nodes, ", ")
}

// missingError says that no instruction stands for a node, and why if the
// operation alone does not tell.
type missingError struct{ why string }

func (e *missingError) Error() string { return "bytecode has no instruction for it: " + e.why }

func missing(format string, args ...any) error { return &missingError{fmt.Sprintf(format, args...)} }

// gen is the state of one generation.
type gen struct {
	img    *billb.Image
	rows   bool                    // maps are computed row by row: bits stay out of chains
	alias  map[*ir.Value]*ir.Value // results of nodes that are other values
	buf    map[*ir.Value]int
	group  []int // for every buffer, the one whose memory it shares
	consts map[*ir.Tensor]int
	inputs map[*ir.Tensor]int // constants that are inputs, which may be narrow
	uses   map[*ir.Value][]*ir.Node

	chainAt map[*ir.Node]*chain    // by their last nodes
	rowsAt  map[*ir.Node]*rowGroup // likewise
	chained map[*ir.Node]bool      // nodes that are part of a chain or group
	results map[*ir.Value]bool     // of functions
	budget  int                    // bytes of constants that may still be made
	err     error
}

// value follows aliases to the value that has a buffer or is a constant.
func (g *gen) value(v *ir.Value) *ir.Value {
	for g.alias[v] != nil {
		v = g.alias[v]
	}
	return v
}

func (g *gen) constOf(v *ir.Value) *ir.Tensor { return ir.ConstOf(g.value(v)) }

func (g *gen) isInput(v *ir.Value) bool {
	v = g.value(v)
	for _, p := range g.img.Inputs {
		if id, ok := g.buf[v]; ok && id == p.Buffer {
			return true
		}
	}
	return false
}

func (g *gen) isOutput(v *ir.Value) bool {
	v = g.value(v)
	for _, p := range g.img.Outputs {
		if id, ok := g.buf[v]; ok && id == p.Buffer {
			return true
		}
	}
	return false
}

func (g *gen) port(p ir.Port) (billb.Port, error) {
	e, err := elem(p.Value.Type.DType)
	if err != nil {
		return billb.Port{}, err
	}
	if p.Value.Type.Layout.Planes {
		return billb.Port{}, fmt.Errorf("BUG: %s has a layout of planes", p.Value.Type)
	}
	return billb.Port{Name: p.Name, Elem: e, Shape: p.Value.Type.Shape, Buffer: g.buffer(p.Value)}, nil
}

func isHalf(d ir.DType) bool { return d == ir.F16 || d == ir.BF16 }

func elem(d ir.DType) (billb.Elem, error) {
	if isHalf(d) {
		d = ir.F32
	}
	e, ok := billb.ParseElem(d.String())
	if !ok {
		return 0, fmt.Errorf("bytecode has no element type %s", d)
	}
	return e, nil
}

// buffer returns the buffer of a value, made at its first mention.
func (g *gen) buffer(v *ir.Value) int {
	v = g.value(v)
	if id, ok := g.buf[v]; ok {
		return id
	}
	e, err := elem(v.Type.DType)
	if err != nil && g.err == nil {
		g.err = err
	}
	b := billb.Buffer{Elem: e, Shape: v.Type.Shape}
	if l := v.Type.Layout; l.Planes {
		s := v.Type.Shape
		b.Planes = true
		b.Geom = kernels.Geom{C: s[1], T: s[2], H: s[3], W: s[4], HT: l.HT, HH: l.HH, HW: l.HW, PT: l.PT, PH: l.PH, PW: l.PW}
		if e, ok := e.Plane(); ok && g.err == nil {
			if err := b.Geom.Check(e); err != nil {
				g.err = &LimitError{err}
			}
		}
	}
	id := len(g.img.Buffers)
	g.img.Buffers = append(g.img.Buffers, b)
	g.group = append(g.group, id)
	g.buf[v] = id
	return id
}

// constant returns the id of a constant, stored once.
func (g *gen) constant(t *ir.Tensor) int {
	if id, ok := g.consts[t]; ok {
		return id
	}
	e, err := elem(t.Type.DType)
	if err != nil && g.err == nil {
		g.err = err
	}
	id := len(g.img.Consts)
	g.img.Consts = append(g.img.Consts, billb.Const{Elem: e, Shape: t.Type.Shape, Data: dataOf(t)})
	g.consts[t] = id
	return id
}

// dataOf is the elements of a constant as a file has them.
func dataOf(t *ir.Tensor) []byte {
	if isHalf(t.Type.DType) {
		t = t.Convert(ir.F32)
	}
	return t.Data()
}

// input returns the id of a constant that an instruction reads as an input, stored
// once, in its narrowest form.
func (g *gen) input(t *ir.Tensor) int {
	if !narrows(t) {
		return g.constant(t)
	}
	if id, ok := g.inputs[t]; ok {
		return id
	}
	id := len(g.img.Consts)
	g.img.Consts = append(g.img.Consts, narrow(t))
	g.inputs[t] = id
	return id
}

// operand returns what Instr.In says for a value: a buffer, a constant, or -1.
func (g *gen) operand(v *ir.Value) int {
	if v == nil {
		return -1
	}
	if t := g.constOf(v); t != nil {
		return billb.ConstOperand(g.input(t))
	}
	return g.buffer(v)
}

// rounds reports whether an instruction computes results that f16 may have to
// round. Those that bear an operation's name do what it does; bands are moved.
func rounds(instruction string) bool {
	op := ir.Lookup(instruction)
	return instruction != "round" && !strings.HasPrefix(instruction, "band_") && (op == nil || op.Rounds())
}

// maxName bounds the bytes of an instruction's name, which is for people.
const maxName = 1 << 10

// shortened is a name whose middle is left out where it is too long.
func shortened(name string) string {
	if len(name) <= maxName {
		return name
	}
	const half = maxName/2 - 4
	return strings.ToValidUTF8(name[:half], "") + "..." + strings.ToValidUTF8(name[len(name)-half:], "")
}

// emit appends an instruction. Results that nothing reads are left out where the
// instruction can do without, but for the first. Results in f16 or bf16 are rounded in place behind it.
func (g *gen) emit(op, name string, in []int, out []*ir.Value, consts []int, params billb.Params) error {
	code, ok := billb.Lookup(op)
	if !ok {
		return fmt.Errorf("BUG: the runtime has no instruction %q", op)
	}
	i := billb.Instr{Op: code, In: in, Const: consts, Params: params, Name: shortened(name)}
	var halves []*ir.Value
	names := strings.Fields(code.Op().Out)
	for k, v := range out {
		switch {
		case k > 0 && len(g.uses[v]) == 0 && strings.HasSuffix(names[k], "?"):
			i.Out = append(i.Out, -1)
		case isHalf(v.Type.DType) && rounds(op):
			raw := &ir.Value{Type: v.Type.With(ir.F32)}
			i.Out = append(i.Out, g.buffer(raw))
			g.group[g.buffer(v)] = g.group[g.buffer(raw)]
			halves = append(halves, raw, v)
		default:
			i.Out = append(i.Out, g.buffer(v))
		}
	}
	g.img.Code = append(g.img.Code, i)
	for k := 0; k < len(halves); k += 2 {
		round := &billb.Round{Format: billb.RoundF16}
		if halves[k+1].Type.DType == ir.BF16 {
			round.Format = billb.RoundBF16
		}
		if err := g.emit("round", name, []int{g.buffer(halves[k])}, halves[k+1:k+2], nil, round); err != nil {
			return err
		}
	}
	return g.err
}
