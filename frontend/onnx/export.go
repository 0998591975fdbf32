package onnx

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/billnet/billnet/frontend/onnx/onnxpb"
	"github.com/billnet/billnet/ir"
)

// Keys of metadata_props under which an export keeps what ONNX has no place
// for: a module's labels as a JSON list, and its meta entries.
const (
	labelsKey  = "billnet.labels"
	metaPrefix = "billnet."
)

// exportProducer is the producer of exported models. Importing one, it is not
// taken for that of the module, which is in the metadata.
const exportProducer = "billnet"

// maxModel bounds an exported model: a protobuf message ends at 2 GB.
const maxModel = 1<<31 - 1

// exactFloat bounds the integers that float32 holds exactly, and so those that
// travel as float32 tensors in an exported graph.
const exactFloat = 1 << 24

// Export writes the main function of a module at the source or the logic level
// as an ONNX model in standard operators (QONNX's, where the module has those).
// Importing the model again gives the same source-level module; a logic-level
// one comes back through the passes that made it.
//
// Bits, signs and ternary values travel as float32 tensors of their numbers, 0
// and 1 or -1, 0 and +1, also where they are inputs or outputs of the graph;
// sums of them travel as float32 too, which is exact below 2^24, and are cast to
// their integer type where they are outputs. Nodes are named by their locations,
// inputs and outputs as in the module. Labels and meta entries are kept in the
// model's metadata.
//
// The operator set is 17, the oldest in which every plain operation has its
// present form, so that older runtimes load the model too, and up to 22 where a
// node needs what came with a later one (see opsetOf).
//
// An error names the node that cannot be expressed.
func Export(m *ir.Module) (model []byte, err error) {
	if m.Level == ir.Packed {
		return nil, fmt.Errorf("module %q is at the packed level; ONNX expresses the source and logic levels only: stop before the pass that chooses layouts", m.Name)
	}
	if err := ir.Verify(m); err != nil {
		return nil, err
	}
	e := &exporter{
		graph:  &onnxpb.Graph{Name: m.Name},
		slots:  make(map[*ir.Value]*slot),
		names:  make(map[string]bool),
		nodes:  make(map[string]bool),
		consts: make(map[string]string),
		spans:  make(map[*ir.Value]span),
		opsets: map[string]int64{"": opsetOf(m.Main())},
	}
	if err := e.function(m.Main()); err != nil {
		return nil, fmt.Errorf("module %q: %w", m.Name, err)
	}
	p := &onnxpb.Model{
		IrVersion:    irVersions[e.opsets[""]],
		ProducerName: exportProducer,
		Graph:        e.graph,
	}
	for _, domain := range slices.Sorted(maps.Keys(e.opsets)) {
		p.OpsetImport = append(p.OpsetImport, &onnxpb.OperatorSet{Domain: domain, Version: e.opsets[domain]})
	}
	if p.MetadataProps, err = metadata(m); err != nil {
		return nil, err
	}
	if size := proto.Size(p); size > maxModel {
		return nil, fmt.Errorf("module %q: the model takes %d bytes, an ONNX file ends at 2 GB", m.Name, size)
	}
	return proto.MarshalOptions{Deterministic: true}.Marshal(p)
}

// irVersions gives every operator set that an export uses the version of the
// file format that came with it.
var irVersions = map[int64]int64{17: 8, 18: 8, 19: 9, 20: 9, 21: 10, 22: 10}

// opsetOf is the oldest operator set that expresses all nodes.
func opsetOf(f *ir.Func) int64 {
	v := int64(17)
	need := func(set int64, needed bool) {
		if needed {
			v = max(v, set)
		}
	}
	wide := func(d ir.DType) bool { return d == ir.I16 || d == ir.U16 }
	for n := range f.All() {
		need(22, bfloatFrom22[n.Op.Onnx] && len(n.Args) > 0 && n.In(0).DType == ir.BF16)
		switch n.Op {
		case ir.Pad:
			need(18, n.Has("axes"))
			need(19, n.Str("mode") == "wrap")
		case ir.AveragePool:
			need(19, n.Has("dilation"))
			need(22, dropsWindow(n))
		case ir.MaxPool:
			need(22, dropsWindow(n))
		case ir.ReduceMax, ir.ReduceMin:
			need(20, n.In(0).DType == ir.Bool)
		case ir.QLinearMatMul:
			need(21, n.In(1).DType != ir.F32)
		case ir.QuantizeLinear:
			need(21, n.Has("to") || wide(n.Result().Type.DType))
		case ir.DequantizeLinear:
			need(21, wide(n.In(0).DType))
		}
	}
	return v
}

// dropsWindow reports a pool that rounds its size up, but not to a window that
// would start in the padding: operator sets before 22 do not say so.
func dropsWindow(n *ir.Node) bool {
	if !n.Bool("ceil") {
		return false
	}
	kernel, pad := n.Ints("kernel"), n.Ints("pad")
	at := func(name string, i int) int {
		if list := n.Ints(name); len(list) > 0 {
			return list[i]
		}
		return 1
	}
	for i, k := range kernel {
		free := n.In(0).Shape[2+i] - (k-1)*at("dilation", i) - 1
		if len(pad) > 0 {
			free += pad[i] + pad[len(kernel)+i]
		}
		s := at("stride", i)
		if n.Result().Type.Shape[2+i] != (free+s-1)/s+1 {
			return true
		}
	}
	return false
}

// metadata writes labels and meta. What the import sets itself, the operator
// set, is left out; what an import found in metadata goes back there.
func metadata(m *ir.Module) ([]*onnxpb.StringEntry, error) {
	var out []*onnxpb.StringEntry
	for _, key := range slices.Sorted(maps.Keys(m.Meta)) {
		name, found := strings.CutPrefix(key, "onnx.")
		switch {
		case key == "opset":
			continue
		case !found:
			name = metaPrefix + key
		}
		out = append(out, &onnxpb.StringEntry{Key: name, Value: m.Meta[key]})
	}
	if m.Labels != nil {
		text, err := json.Marshal(m.Labels)
		if err != nil {
			return nil, err
		}
		out = append(out, &onnxpb.StringEntry{Key: labelsKey, Value: string(text)})
	}
	return out, nil
}

// slot holds the ONNX names of one value in the forms in which nodes read it;
// "" is a form that no node has asked for yet.
type slot struct {
	native string // a tensor of the value's own type; logic types have none
	num    string // the numbers of an integer or logic value as float32
	cond   string // a bit as bool: true where it is set
}

// exporter builds one graph from one function. After an error its methods go on
// without effect.
type exporter struct {
	graph  *onnxpb.Graph
	slots  map[*ir.Value]*slot
	names  map[string]bool   // of values
	nodes  map[string]bool   // of nodes
	consts map[string]string // initializers made by the export, by contents
	spans  map[*ir.Value]span
	uses   map[*ir.Value][]*ir.Node
	opsets map[string]int64 // by domain
	loc    string           // of the node being exported
	err    error
}

func (e *exporter) failf(format string, args ...any) {
	if e.err == nil {
		e.err = fmt.Errorf(format, args...)
	}
}

func (e *exporter) function(f *ir.Func) error {
	e.uses = f.Uses()
	for _, r := range f.Results { // first: no other value may take their names
		e.names[r.Name] = true
	}
	for _, p := range f.Params {
		if e.names[p.Name] && !slices.ContainsFunc(f.Results, func(r ir.Port) bool { return r.Name == p.Name }) {
			return fmt.Errorf("two inputs are called %q", p.Name)
		}
		e.names[p.Name] = true
	}
	for _, p := range f.Params {
		if e.slots[p.Value] != nil {
			continue // of a body that reads it where it is
		}
		if err := e.param(p); err != nil {
			return fmt.Errorf("input %q: %w", p.Name, err)
		}
	}
	for _, n := range f.Nodes {
		if n.Const != nil {
			continue // made where it is read, in the form that is asked for
		}
		export, ok := exports[n.Op]
		if !ok {
			return fmt.Errorf("%s: ONNX has nothing for operation %s", where(n), n.Op.Name)
		}
		e.loc = n.Loc.Name
		if e.loc == "" {
			e.loc = n.Op.Name
		}
		e.bound(n)
		if export(e, n); e.err != nil {
			return fmt.Errorf("%s (%s): %w", where(n), n.Op.Name, e.err)
		}
	}
	return e.results(f)
}

func where(n *ir.Node) string {
	if n.Loc == (ir.Loc{}) {
		return "a node without a location"
	}
	return n.Loc.String()
}

// param declares a graph input.
func (e *exporter) param(p ir.Port) error {
	s := &slot{native: p.Name}
	d := p.Value.Type.DType
	if d.IsLogic() {
		s, d = &slot{num: p.Name}, ir.F32
	}
	code, err := dtypeOf(d)
	if err != nil {
		return err
	}
	e.graph.Input = append(e.graph.Input, portInfo(p.Name, code, p.Value.Type.Shape))
	e.slots[p.Value] = s
	return nil
}

// results declares the graph's outputs, each a copy of its value under the
// port's name; where the value has no other reader the copy costs nothing.
func (e *exporter) results(f *ir.Func) error {
	taken := make(map[string]bool)
	for _, p := range f.Params {
		taken[p.Name] = true
	}
	for _, r := range f.Results {
		if taken[r.Name] {
			return fmt.Errorf("output %q has the name of another input or output, which ONNX does not allow", r.Name)
		}
		taken[r.Name] = true
		e.loc = r.Name
		d := r.Value.Type.DType
		var name string
		if d.IsLogic() {
			name, d = e.num(r.Value), ir.F32
		} else {
			name = e.native(r.Value)
		}
		code, err := dtypeOf(d)
		if e.err == nil {
			e.err = err
		}
		if e.err != nil {
			return fmt.Errorf("output %q: %w", r.Name, e.err)
		}
		if !e.rename(name, r.Name) {
			e.node("", "Identity", []string{name}, []string{r.Name})
		}
		e.graph.Output = append(e.graph.Output, portInfo(r.Name, code, r.Value.Type.Shape))
	}
	e.prune()
	return nil
}

// rename gives the result of a node another name, unless it is a graph input,
// a constant or already another output.
func (e *exporter) rename(from, to string) bool {
	made := false
	for _, o := range e.graph.Output {
		if o.Name == from {
			return false
		}
	}
	for _, n := range e.graph.Node {
		for i, name := range n.Output {
			if name == from {
				n.Output[i], made = to, true
			}
		}
	}
	if !made {
		return false
	}
	for _, n := range e.graph.Node {
		eachInput(n, func(name *string) {
			if *name == from {
				*name = to
			}
		})
	}
	for _, s := range e.slots {
		for _, form := range []*string{&s.native, &s.num, &s.cond} {
			if *form == from {
				*form = to
			}
		}
	}
	return true
}

// eachInput calls f for the operands of a node and of those in its bodies.
func eachInput(n *onnxpb.Node, f func(name *string)) {
	for i := range n.Input {
		f(&n.Input[i])
	}
	for _, a := range n.Attribute {
		for _, k := range a.GetG().GetNode() {
			eachInput(k, f)
		}
	}
}

// prune drops nodes and initializers that nothing reads: a value may have been
// made in a form that its readers did not ask for.
func (e *exporter) prune() {
	live := make(map[string]bool)
	for _, o := range e.graph.Output {
		live[o.Name] = true
	}
	isLive := func(name string) bool { return live[name] }
	var kept []*onnxpb.Node
	for _, n := range slices.Backward(e.graph.Node) {
		if !slices.ContainsFunc(n.Output, isLive) {
			continue
		}
		eachInput(n, func(name *string) { live[*name] = true })
		kept = append(kept, n)
	}
	slices.Reverse(kept)
	e.graph.Node = kept
	e.graph.Initializer = slices.DeleteFunc(e.graph.Initializer, func(t *onnxpb.Tensor) bool { return !live[t.Name] })
}

// unique returns a name that taken does not have yet, and adds it.
func unique(taken map[string]bool, name string) string {
	if name == "" {
		name = "value"
	}
	try := name
	for i := 2; taken[try]; i++ {
		try = fmt.Sprintf("%s#%d", name, i)
	}
	taken[try] = true
	return try
}

// node appends a node.
func (e *exporter) node(domain, op string, inputs, outputs []string, attrs ...*onnxpb.Attribute) {
	for len(inputs) > 0 && inputs[len(inputs)-1] == "" {
		inputs = inputs[:len(inputs)-1]
	}
	attrs = slices.DeleteFunc(attrs, func(a *onnxpb.Attribute) bool { return a == nil })
	e.graph.Node = append(e.graph.Node, &onnxpb.Node{
		Name: unique(e.nodes, e.loc), OpType: op, Domain: domain, Input: inputs, Output: outputs, Attribute: attrs,
	})
}

// emit appends a node with one output and returns its name.
func (e *exporter) emit(op string, inputs []string, attrs ...*onnxpb.Attribute) string {
	out := unique(e.names, e.loc)
	e.node("", op, inputs, []string{out}, attrs...)
	return out
}

func in(names ...string) []string { return names }

// native returns the name of a value in its own type.
func (e *exporter) native(v *ir.Value) string {
	if v == nil {
		return ""
	}
	s := e.slot(v)
	d := v.Type.DType
	switch {
	case s.native != "":
	case d.IsLogic():
		e.failf("operand %s has no counterpart in ONNX here", v.Type)
	case ir.ConstOf(v) != nil:
		s.native = e.constant(v, d)
	case s.num != "":
		s.native = e.cast(s.num, d)
	default:
		e.failf("BUG: a value of type %s is read before it is made", v.Type)
	}
	return s.native
}

// num returns the name of a value's numbers as float32.
func (e *exporter) num(v *ir.Value) string {
	if v.Type.DType.IsFloat() {
		return e.native(v)
	}
	s := e.slot(v)
	switch {
	case s.num != "":
	case ir.ConstOf(v) != nil:
		s.num = e.constant(v, ir.F32)
	case s.cond != "" && v.Type.DType == ir.SBit:
		s.num = e.emit("Where", in(s.cond, e.scalar(ir.F32, 1), e.scalar(ir.F32, -1)))
	case s.cond != "":
		s.num = e.cast(s.cond, ir.F32)
	case s.native != "":
		s.num = e.cast(s.native, ir.F32)
	default:
		e.failf("BUG: a value of type %s is read before it is made", v.Type)
	}
	return s.num
}

// cond returns the name of a bit as a bool.
func (e *exporter) cond(v *ir.Value) string {
	s := e.slot(v)
	switch {
	case s.cond != "":
	case ir.ConstOf(v) != nil:
		bits := ir.NewTensor(v.Type.With(ir.Bool))
		for i, x := range ir.ConstOf(v).Ints() {
			bits.Ints()[i] = int64(b2i(x > 0))
		}
		s.cond = e.initializer(e.constLoc(v), bits)
	default:
		s.cond = e.emit("Greater", in(e.num(v), e.scalar(ir.F32, 0)))
	}
	return s.cond
}

func (e *exporter) slot(v *ir.Value) *slot {
	s := e.slots[v]
	if s == nil {
		s = new(slot)
		e.slots[v] = s
	}
	return s
}

func (e *exporter) cast(name string, to ir.DType) string {
	code, err := dtypeOf(to)
	if err != nil {
		e.failf("%w", err)
	}
	return e.emit("Cast", in(name), attrInt("to", int(code)))
}

// constant makes an initializer of a const node, in the given element type.
func (e *exporter) constant(v *ir.Value, d ir.DType) string {
	t := ir.ConstOf(v)
	if t.Type.DType != d {
		t = t.Convert(d)
	}
	return e.initializer(e.constLoc(v), t)
}

func (e *exporter) constLoc(v *ir.Value) string {
	if name := v.Def.Loc.Name; name != "" {
		return name
	}
	return e.loc
}

// initializer adds a constant under a name like loc.
func (e *exporter) initializer(loc string, t *ir.Tensor) string {
	code, err := dtypeOf(t.Type.DType)
	if err != nil {
		e.failf("%w", err)
	}
	name := unique(e.names, loc)
	e.graph.Initializer = append(e.graph.Initializer, &onnxpb.Tensor{Name: name, DataType: int32(code), Dims: int64List(t.Type.Shape), RawData: t.Data()})
	return name
}

// shared is initializer for constants that the export makes itself: equal ones
// are stored once.
func (e *exporter) shared(loc string, t *ir.Tensor) string {
	key := t.Type.String() + string(t.Data())
	if e.consts[key] == "" {
		e.consts[key] = e.initializer(loc, t)
	}
	return e.consts[key]
}

func (e *exporter) scalar(d ir.DType, v float64) string {
	return e.shared(fmt.Sprintf("const_%v", v), ir.Scalar(d, v))
}

// ints makes a list of integers an operand.
func (e *exporter) ints(v []int) string {
	return e.shared(e.loc+".ints", ir.IntTensor(ir.I64, int64List(v), len(v)))
}

func int64List(v []int) []int64 {
	out := make([]int64, len(v))
	for i := range v {
		out[i] = int64(v[i])
	}
	return out
}

// dtypeOf is the inverse of irTypes.
func dtypeOf(d ir.DType) (DType, error) {
	for code, t := range irTypes {
		if t == d && code.Bits() >= 8 {
			return code, nil
		}
	}
	return 0, fmt.Errorf("ONNX has no element type %s", d)
}

func portInfo(name string, d DType, shape []int) *onnxpb.ValueInfo {
	s := &onnxpb.Shape{}
	for _, n := range shape {
		s.Dim = append(s.Dim, &onnxpb.Dimension{Value: &onnxpb.Dimension_DimValue{DimValue: int64(n)}})
	}
	return &onnxpb.ValueInfo{Name: name, Type: &onnxpb.Type{Value: &onnxpb.Type_TensorType{TensorType: &onnxpb.TensorType{ElemType: int32(d), Shape: s}}}}
}

// The type codes of attributes.
const (
	kindFloat   = 1
	kindInt     = 2
	kindString  = 3
	kindGraph   = 5
	kindFloats  = 6
	kindInts    = 7
	kindStrings = 8
)

func attrInt(name string, v int) *onnxpb.Attribute {
	return &onnxpb.Attribute{Name: name, Type: kindInt, I: int64(v)}
}

func attrFloat(name string, v float64) *onnxpb.Attribute {
	return &onnxpb.Attribute{Name: name, Type: kindFloat, F: float32(v)}
}

func attrString(name, v string) *onnxpb.Attribute {
	return &onnxpb.Attribute{Name: name, Type: kindString, S: []byte(v)}
}

// attrInts is nil, no attribute, for an empty list, and so are the next two.
func attrInts(name string, v []int) *onnxpb.Attribute {
	if len(v) == 0 {
		return nil
	}
	return &onnxpb.Attribute{Name: name, Type: kindInts, Ints: int64List(v)}
}

func attrFloats(name string, v []float64) *onnxpb.Attribute {
	if len(v) == 0 {
		return nil
	}
	list := make([]float32, len(v))
	for i := range v {
		list[i] = float32(v[i])
	}
	return &onnxpb.Attribute{Name: name, Type: kindFloats, Floats: list}
}

func attrStrings(name string, v []string) *onnxpb.Attribute {
	if len(v) == 0 {
		return nil
	}
	list := make([][]byte, len(v))
	for i := range v {
		list[i] = []byte(v[i])
	}
	return &onnxpb.Attribute{Name: name, Type: kindStrings, Strings: list}
}

// span is an interval that holds all elements of an integer or logic value.
type span struct{ lo, hi int64 }

func (s span) join(t span) span { return span{min(s.lo, t.lo), max(s.hi, t.hi)} }

// reach is the largest magnitude.
func (s span) reach() int64 { return max(s.hi, -max(s.lo, -math.MaxInt64)) }

// spanOf returns the interval of a value.
func (e *exporter) spanOf(v *ir.Value) span {
	if t := ir.ConstOf(v); t != nil && t.HoldsInts() && t.Len() > 0 {
		return span{slices.Min(t.Ints()), slices.Max(t.Ints())}
	}
	if s, ok := e.spans[v]; ok {
		return s
	}
	lo, hi := v.Type.DType.Range()
	return span{lo, hi}
}

// bound finds the intervals of a node's integer results, as far as they are
// narrower than their types.
func (e *exporter) bound(n *ir.Node) {
	var s span
	switch n.Op {
	case ir.BConv, ir.IConv, ir.ILinear:
		s = e.sumSpan(n)
	case ir.Count:
		x := e.spanOf(n.Args[0])
		terms := int64(n.In(0).Elems() / max(n.Result().Type.Elems(), 1))
		s = span{min(x.lo*terms, 0), max(x.hi*terms, 0)}
	case ir.Add, ir.Sub, ir.Mul, ir.Neg, ir.Clip, ir.Cast, ir.Tally:
		s = e.arithmeticSpan(n)
	case ir.BLSTM:
		c := e.spanOf(n.Args[6])
		steps := int64(n.In(0).Shape[1])
		e.spans[n.Results[2]] = span{c.lo - steps, c.hi + steps}
		return
	default:
		if !takesElements(n) {
			return
		}
		s = e.spanOf(n.Args[0])
		for _, a := range n.Args[1:] {
			if a != nil && a.Type.DType == n.Result().Type.DType {
				s = s.join(e.spanOf(a))
			}
		}
		if n.Is(ir.Pad) {
			s = s.join(span{})
		}
	}
	for _, r := range n.Results {
		if r.Type.DType.IsInt() {
			e.spans[r] = s
		}
	}
}

// arithmeticSpan is the interval of an operation on integers, element by element;
// what may wrap has the whole type's.
func (e *exporter) arithmeticSpan(n *ir.Node) span {
	lo, hi := n.Result().Type.DType.Range()
	whole := span{lo, hi}
	for _, a := range n.Args {
		if a != nil && a.Type.DType.IsFloat() {
			return whole
		}
	}
	x := e.spanOf(n.Args[0])
	y := x
	if n.Arg(1) != nil {
		y = e.spanOf(n.Args[1])
	}
	if x.reach() > math.MaxInt32 || y.reach() > math.MaxInt32 { // so that nothing overflows here
		return whole
	}
	s := x // of a cast, and of a clip, whose bounds only narrow it
	switch n.Op {
	case ir.Add:
		s = span{x.lo + y.lo, x.hi + y.hi}
	case ir.Sub:
		s = span{x.lo - y.hi, x.hi - y.lo}
	case ir.Mul:
		p := []int64{x.lo * y.lo, x.lo * y.hi, x.hi * y.lo, x.hi * y.hi}
		s = span{slices.Min(p), slices.Max(p)}
	case ir.Neg:
		s = span{-x.hi, -x.lo}
	case ir.Tally:
		s = span{int64(n.Int("base")), int64(n.Int("base"))}
		for _, a := range n.Args {
			b := e.spanOf(a)
			s = span{s.lo + min(b.lo, 0), s.hi + max(b.hi, 0)}
		}
	case ir.Clip:
		for _, a := range n.Args[1:] {
			if a != nil { // where the bounds lie outside of x, the result is a bound
				s = s.join(e.spanOf(a))
			}
		}
	}
	if s.lo < lo || s.hi > hi {
		return whole
	}
	return s
}

// sumSpan is the interval of the sums of a convolution or linear layer with
// constant weights, padding and every partial sum included.
func (e *exporter) sumSpan(n *ir.Node) span {
	x, w := e.spanOf(n.Args[0]).join(span{}), ir.ConstOf(n.Args[1])
	if w == nil {
		terms := int64(n.In(1).Elems() / max(n.In(1).Shape[0], 1))
		r := x.reach() * e.spanOf(n.Args[1]).reach() * terms
		return span{-r, r}
	}
	var all span
	row := w.Len() / max(w.Type.Shape[0], 1)
	for i := 0; i < w.Len(); i += row {
		var s span
		for _, k := range w.IntRange(i, i+row) {
			s.lo += min(k*x.lo, k*x.hi)
			s.hi += max(k*x.lo, k*x.hi)
		}
		all = all.join(s)
	}
	return all
}
