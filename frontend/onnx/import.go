package onnx

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/billnet/billnet/internal/infile"
	"github.com/billnet/billnet/ir"
)

// newestOpset is the newest version of the default operator set whose changes
// the import follows; a later one is read with a note.
const newestOpset = 28

// maxFile bounds the model file itself; protobuf ends at 2 GB.
const maxFile = 1 << 31

// Options bind what a model leaves open.
type Options struct {
	Dims   map[string]int        // sizes of open dimensions, by the model's name for them
	Shapes map[string][]int      // whole shapes, by graph input
	Consts map[string]*ir.Tensor // graph inputs that are constants in the result
	Inputs map[string]string     // element types in which graph inputs arrive ("u8"), by graph input
}

// Report tells the user what the import decided on its own.
type Report struct {
	Notes []string // one sentence each
}

func (r *Report) notef(format string, args ...any) {
	r.Notes = append(r.Notes, fmt.Sprintf(format, args...))
}

// ImportFile reads a model from a file, and its external data from files in
// the same folder (a link's are also in the folder that it leads to), into a
// module at the source level with one function, main. Operators that have no counterpart are all collected in one
// UnsupportedError. Every error names the file. The import ends with the context's
// error when that is done.
func ImportFile(ctx context.Context, path string, opt Options) (*ir.Module, *Report, error) {
	file, err := infile.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, nil, err
	}
	if info.Size() >= maxFile {
		return nil, nil, fmt.Errorf("%s: %d bytes; an ONNX file ends at 2 GB, larger models keep their weights in a file beside it", path, info.Size())
	}
	dir, err := openFolder(path)
	if err != nil {
		return nil, nil, err
	}
	defer dir.Close()
	return importFrom(ctx, path, file, int(info.Size()), dir, opt)
}

// ImportBytes is ImportFile for a model in memory, which must not refer to
// other files. Messages call it name.
func ImportBytes(ctx context.Context, name string, data []byte, opt Options) (*ir.Module, *Report, error) {
	return importFrom(ctx, name, bytes.NewReader(data), len(data), nil, opt)
}

func importFrom(ctx context.Context, name string, file io.ReaderAt, size int, dir fs.FS, opt Options) (*ir.Module, *Report, error) {
	m, err := Decode(filepath.Base(name), file, size, dir)
	if err != nil {
		return nil, nil, err
	}
	return Import(ctx, m, opt)
}

// Import maps a decoded model onto ir.
func Import(ctx context.Context, m *Model, opt Options) (*ir.Module, *Report, error) {
	imp := &importer{
		model:  m,
		opt:    opt,
		budget: budget{ctx: ctx},
		fn:     &ir.Func{Name: "main"},
		report: &Report{Notes: slices.Clone(m.Notes)},
		values: make(map[string]*ir.Value),
		inits:  make(map[string]*Tensor),
		needed: make(map[string]bool),
		lost:   make(map[string]bool),
		folded: make(map[*ir.Value]*ir.Tensor),

		constants: make(map[*Tensor]*ir.Value),
		narrow:    make(map[*ir.Value]DType),

		sequences: make(map[*ir.Value][]*ir.Value),
	}
	module, err := imp.run()
	if err != nil {
		var unsupported *UnsupportedError
		if errors.As(err, &unsupported) {
			unsupported.Model, unsupported.Source = m.Name, m
			return nil, nil, err
		}
		return nil, nil, fmt.Errorf("%s: %w", m.Name, err)
	}
	return module, imp.report, nil
}

// UnsupportedError lists everything in a model that the compiler has no
// counterpart for.
type UnsupportedError struct {
	Model  string
	Source *Model // the model as it was decoded
	Items  []Unsupported
	Also   error // what else is wrong with the model, or nil
}

// Unsupported is one node that cannot be imported.
type Unsupported struct {
	Node   string // name
	Op     string // with its domain, if not the default one
	Reason string // "" if the operator as such is unknown
}

// Error groups the nodes by operator and reason.
func (e *UnsupportedError) Error() string {
	const shown = 3 // nodes named for each operator
	type group struct{ op, reason string }
	var order []group
	nodes := make(map[group][]string)
	for _, it := range e.Items {
		g := group{it.Op, it.Reason}
		if nodes[g] == nil {
			order = append(order, g)
		}
		nodes[g] = append(nodes[g], fmt.Sprintf("%q", it.Node))
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s: not supported:", e.Model)
	for _, g := range order {
		fmt.Fprintf(&b, "\n  %s", g.op)
		if g.reason != "" {
			fmt.Fprintf(&b, ": %s", g.reason)
		}
		list := nodes[g]
		more := ""
		if len(list) > shown {
			more = fmt.Sprintf(" and %d more", len(list)-shown)
			list = list[:shown]
		}
		fmt.Fprintf(&b, " (node %s%s)", strings.Join(list, ", "), more)
	}
	if e.Also != nil {
		fmt.Fprintf(&b, "\n  %v", e.Also)
	}
	return b.String()
}

// importer builds one function from one graph.
type importer struct {
	model       *Model
	opt         Options
	budget      budget
	fn          *ir.Func
	report      *Report
	values      map[string]*ir.Value // by ONNX name
	inits       map[string]*Tensor   // not yet used; each becomes a const at its first use
	needed      map[string]bool      // names that a node or the graph's outputs use
	lost        map[string]bool      // outputs of nodes that could not be imported
	unsupported []Unsupported
	folded      map[*ir.Value]*ir.Tensor // values computed at import
	constants   map[*Tensor]*ir.Value    // of the file, those that have been read
	sequences   map[*ir.Value][]*ir.Value
	inBody      int                 // bodies of control flow around the node
	looseShapes bool                // declared shapes are not compared
	narrow      map[*ir.Value]DType // 4- and 2-bit integers, which ir holds in 8 bits
}

func (imp *importer) run() (*ir.Module, error) {
	g := imp.model.Graph
	for _, t := range g.Initializers {
		imp.inits[t.Name] = t
	}
	for _, n := range g.Nodes {
		n.uses(func(name string) error { imp.needed[name] = true; return nil })
	}
	for _, out := range g.Outputs {
		imp.needed[out.Name] = true
	}
	if v := imp.model.Opsets[""]; v > newestOpset {
		imp.report.notef("operator set %d is newer than %d, the newest known", v, newestOpset)
	}
	if err := imp.params(); err != nil {
		return nil, err
	}
	if err := imp.nodes(g.Nodes); err != nil {
		return nil, err
	}
	if err := imp.results(); err != nil {
		return nil, err
	}
	if len(imp.unsupported) > 0 {
		return nil, &UnsupportedError{Items: imp.unsupported}
	}
	imp.fn.RemoveDead()
	imp.videoInputs()

	module := &ir.Module{Name: strings.TrimSuffix(imp.model.Name, ".onnx"), Level: ir.Source, Meta: imp.meta(), Labels: imp.labels(), Funcs: []*ir.Func{imp.fn}}
	if err := ir.Verify(module); err != nil {
		return nil, fmt.Errorf("BUG: import: %w", err)
	}
	return module, nil
}

// meta keeps what the model says about itself.
func (imp *importer) meta() map[string]string {
	var opsets []string
	for _, domain := range sortedKeys(imp.model.Opsets) {
		opsets = append(opsets, strings.TrimSpace(fmt.Sprintf("%s %d", domain, imp.model.Opsets[domain])))
	}
	meta := map[string]string{"opset": strings.Join(opsets, ", ")}
	if imp.model.Producer != "" && imp.model.Producer != exportProducer {
		meta["producer"] = imp.model.Producer
	}
	imp.declaredTypes(meta)
	for key, value := range imp.model.Metadata {
		switch own, found := strings.CutPrefix(key, metaPrefix); {
		case key == labelsKey:
		case found:
			meta[own] = value
		default:
			meta["onnx."+key] = value
		}
	}
	return meta
}

// declaredKinds are element types of files that ports do not have: ir computes
// them in f32, or holds them in a byte.
var declaredKinds = map[DType]string{Float16: "f16", BFloat16: "bf16", Int4: "i4", Uint4: "u4", Int2: "i2", Uint2: "u2"}

// declaredTypes notes them, so that programs read and write files as the model
// says.
func (imp *importer) declaredTypes(meta map[string]string) {
	for _, list := range [][]ValueInfo{imp.model.Graph.Inputs, imp.model.Graph.Outputs} {
		for _, v := range list {
			_, given := imp.opt.Inputs[v.Name]
			if kind := declaredKinds[v.DType]; kind != "" && !given && imp.opt.Consts[v.Name] == nil {
				meta["type."+v.Name] = kind
			}
		}
	}
}

// labels returns the labels that an export has kept, nil if there are none.
func (imp *importer) labels() (list []string) {
	text, ok := imp.model.Metadata[labelsKey]
	if ok && json.Unmarshal([]byte(text), &list) != nil {
		imp.report.notef("metadata %q is no list of texts and was ignored", labelsKey)
		return nil
	}
	return list
}

// nodes imports nodes in order. Those without a counterpart, and what depends
// on them, are passed over so that one run finds them all.
func (imp *importer) nodes(nodes []*Node) error {
	var first error
	for _, n := range nodes {
		if err := imp.budget.ctx.Err(); err != nil {
			return err
		}
		h, ok := handlers[operator{n.Domain, n.Op}]
		if !ok {
			imp.refuse(n, refusal(n))
			imp.lose(n)
			continue
		}
		if first != nil || slices.ContainsFunc(n.Inputs, func(name string) bool { return imp.lost[name] }) {
			imp.lose(n)
			continue
		}
		err := imp.node(n, h)
		var u *unsupportedReason
		switch {
		case errors.As(err, &u):
			imp.refuse(n, u.reason)
			imp.lose(n)
		case err != nil:
			first = n.errorf("%w", err)
			if n.Loc != "" {
				first = fmt.Errorf("%w (exported from %s)", first, n.Loc)
			}
		}
	}
	if first != nil && len(imp.unsupported) > 0 {
		return &UnsupportedError{Items: imp.unsupported}
	}
	return first
}

// refuse notes a node that cannot be imported; a body that is written out more
// than once has its nodes noted once.
func (imp *importer) refuse(n *Node, reason string) {
	it := Unsupported{n.Name, n.QualifiedOp(), reason}
	if !slices.Contains(imp.unsupported, it) {
		imp.unsupported = append(imp.unsupported, it)
	}
}

// lose marks a node's outputs as not there, and notes the operators without a
// counterpart in its subgraphs, which nobody will look at.
func (imp *importer) lose(n *Node) {
	for _, out := range n.Outputs {
		imp.lost[out] = out != ""
	}
	for _, name := range sortedKeys(n.Attrs) {
		g, ok := n.Attrs[name].(*Graph)
		if !ok {
			continue
		}
		for _, inner := range g.Nodes {
			if _, known := handlers[operator{inner.Domain, inner.Op}]; !known {
				imp.refuse(inner, refusal(inner))
			}
			imp.lose(inner)
		}
	}
}

// node imports one node with its handler and gives its outputs their values.
func (imp *importer) node(n *Node, h handler) (err error) {
	if len(n.Inputs) < h.least || len(n.Inputs) > h.most {
		return fmt.Errorf("%d inputs, expected %s", len(n.Inputs), h.arity())
	}
	c := &call{Node: n, imp: imp, used: make(map[string]bool)}
	for _, name := range n.Inputs {
		v, err := imp.value(name)
		if err != nil {
			return err
		}
		if _, ok := imp.sequences[v]; ok && !takesSequences[n.Op] && sequenceOps[n.Op].convert == nil {
			return &unsupportedReason{fmt.Sprintf("of a sequence, %q", name)}
		}
		c.args = append(c.args, v)
	}
	for i := range h.least {
		if c.args[i] == nil {
			return fmt.Errorf("input %d is left out, expected %s", i, h.arity())
		}
	}
	out, err := c.run(h.convert)
	if err != nil {
		return err
	}
	for _, name := range sortedKeys(n.Attrs) {
		if !c.used[name] && !ignoredAttrs[name] {
			imp.report.notef("%s: attribute %q is not one of the operator's and was ignored", n, name)
		}
	}
	if err := imp.checkDeclared(n, out); err != nil {
		return err
	}
	for i, name := range n.Outputs {
		if name == "" {
			continue
		}
		if i < len(out) && out[i] != nil {
			imp.values[name] = out[i]
		} else if imp.needed[name] {
			return &unsupportedReason{fmt.Sprintf("output %d, %q, is used", i, name)}
		}
	}
	return nil
}

// value returns the value with an ONNX name, nil for the empty one.
func (imp *importer) value(name string) (*ir.Value, error) {
	if v := imp.values[name]; v != nil || name == "" {
		return v, nil
	}
	t := imp.inits[name]
	if t == nil {
		return nil, fmt.Errorf("BUG: value %q is unknown", name)
	}
	v, err := imp.constant(t, name)
	if err != nil {
		return nil, err
	}
	imp.values[name] = v
	return v, nil
}

// constant appends a constant under a location, unless a step of a loop has.
func (imp *importer) constant(t *Tensor, loc string) (*ir.Value, error) {
	if v := imp.constants[t]; v != nil {
		return v, nil
	}
	c, err := t.convert()
	if err != nil {
		return nil, err
	}
	v := imp.append(ir.NewConst(c, ir.Loc{Name: loc}))
	imp.constants[t] = v
	if t.DType.Bits() < 8 {
		imp.narrow[v] = t.DType
	}
	return v, nil
}

// append adds a node to the function and returns its first result.
func (imp *importer) append(n *ir.Node) *ir.Value {
	imp.fn.Nodes = append(imp.fn.Nodes, n)
	return n.Results[0]
}

// results makes the graph's outputs the function's.
func (imp *importer) results() error {
	seen := make(map[string]bool)
	for i, out := range imp.model.Graph.Outputs {
		if imp.lost[out.Name] {
			continue
		}
		v, err := imp.value(out.Name)
		if err != nil {
			return fmt.Errorf("graph output %q: %w", out.Name, err)
		}
		if _, ok := imp.sequences[v]; ok {
			return fmt.Errorf("graph output %q: a sequence; only tensors are supported", out.Name)
		}
		name := out.Name
		if seen[name] {
			name = fmt.Sprintf("%s#%d", name, i)
			imp.report.notef("graph output %q is there twice; the second is called %q", out.Name, name)
		}
		seen[name] = true
		imp.fn.Results = append(imp.fn.Results, ir.Port{Name: name, Value: v})
	}
	return nil
}

// maxFold bounds the elements of one value that the import computes: shapes, axes
// and the like are small and cheaply computed.
const maxFold = 1 << 20

// fold computes a value that depends on constants only.
func (imp *importer) fold(v *ir.Value) (*ir.Tensor, error) {
	if t := imp.folded[v]; t != nil {
		return t, nil
	}
	if v.Def == nil {
		for _, p := range imp.fn.Params {
			if p.Value == v {
				return nil, fmt.Errorf("it depends on graph input %q; --const %s=... can fix it", p.Name, p.Name)
			}
		}
		return nil, errors.New("it is not a constant")
	}
	if v.Def.Const != nil {
		return v.Def.Const, nil
	}
	in := make([]*ir.Tensor, len(v.Def.Args))
	for i, a := range v.Def.Args {
		if a == nil {
			continue
		}
		var err error
		if in[i], err = imp.fold(a); err != nil {
			return nil, err
		}
	}
	for _, r := range v.Def.Results {
		if r.Type.Elems() > maxFold || v.Def.Op.Work != nil || !imp.affords(r.Type) {
			return nil, fmt.Errorf("computing it takes too much: %s (%s) makes %s", v.Def.Loc, v.Def.Op.Name, r.Type)
		}
	}
	out, err := ir.EvalNode(v.Def, in)
	if err != nil {
		return nil, fmt.Errorf("%s (%s): %w", v.Def.Loc, v.Def.Op.Name, err)
	}
	for i, r := range v.Def.Results {
		imp.folded[r] = out[i]
	}
	return imp.folded[v], nil
}
