package onnx

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"regexp"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/billnet/billnet/frontend/onnx/onnxpb"
)

// newestIR is the newest version of the file format this package was written
// for; a later one is read with a note.
const newestIR = 13

// Decode reads a model of size bytes from its file. Messages call it name. Tensors
// are read when asked for, those stored in other files from dir, the folder of the
// model; file and dir must then still be usable. With a nil dir tensors in other
// files are an error.
//
// The graph of the result is complete and consistent: local functions are
// expanded, values have one definition each, every use has one, nodes are in
// execution order, and no tensor is larger than its data.
func Decode(name string, file io.ReaderAt, size int, dir fs.FS) (*Model, error) {
	d := &decoder{file: file, dir: dir, functions: make(map[functionKey]*onnxpb.Function)}
	m, err := d.model(size)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	m.Name = name
	return m, nil
}

// decoder carries what one model's records share.
type decoder struct {
	file       io.ReaderAt // of the model
	dir        fs.FS
	functions  map[functionKey]*onnxpb.Function
	nodeCount  int
	valueCount int // inputs and outputs of nodes
	notes      []string
}

// otherKinds are files that people have in place of a model, by their first bytes,
// and what to do about them.
var otherKinds = []struct{ start, what string }{
	{"version https://git-lfs", "a pointer of Git LFS; fetch the file itself with git lfs pull"},
	{"\x1f\x8b", "compressed; unpack it with gunzip"},
	{"PK\x03\x04", "a zip archive, as PyTorch's own files are; export the network to ONNX, or unpack the archive"},
	{"\x89HDF", "an HDF5 file, as Keras writes; convert it with tf2onnx"},
	{"<", "a page or text; was the download complete?"},
}

// otherKind says what else than a model the file is, "" if that is not known.
func (d *decoder) otherKind() string {
	head := make([]byte, 32)
	n, _ := d.file.ReadAt(head, 0)
	for _, k := range otherKinds {
		if strings.HasPrefix(string(head[:n]), k.start) {
			return k.what
		}
	}
	return ""
}

func (d *decoder) model(size int) (*Model, error) {
	if size == 0 {
		return nil, errors.New("not an ONNX model: the file is empty")
	}
	data, err := skeleton(d.file, size)
	if err != nil {
		if other := d.otherKind(); other != "" {
			return nil, fmt.Errorf("not an ONNX model: %s", other)
		}
		return nil, fmt.Errorf("not an ONNX model: %w", err)
	}
	var p onnxpb.Model
	if err := (proto.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(data, &p); err != nil {
		return nil, fmt.Errorf("not an ONNX model: %w", err)
	}
	if p.IrVersion < 1 || p.Graph == nil {
		return nil, errors.New("not an ONNX model: no format version or no graph")
	}
	if p.IrVersion > newestIR {
		d.notes = append(d.notes, fmt.Sprintf("format version %d is newer than %d, the newest known", p.IrVersion, newestIR))
	}
	opsets, err := decodeOpsets(p.OpsetImport)
	if err != nil {
		return nil, err
	}
	if _, ok := opsets[""]; !ok && p.IrVersion < 3 {
		opsets[""] = 1 // format versions 1 and 2 had one operator set and did not name it
	}
	for _, f := range p.Functions {
		key := functionKey{domainName(f.Domain), f.Name, f.Overload}
		if d.functions[key] != nil {
			return nil, fmt.Errorf("two local functions %q", f.Name)
		}
		d.functions[key] = f
	}
	m := &Model{
		IRVersion: p.IrVersion,
		Opsets:    opsets,
		Producer:  strings.TrimSpace(p.ProducerName + " " + p.ProducerVersion),
		Metadata:  make(map[string]string, len(p.MetadataProps)),
	}
	for _, e := range p.MetadataProps {
		m.Metadata[e.Key] = e.Value
	}
	if m.Graph, err = d.graph(p.Graph, &scope{opsets: opsets}, false); err != nil {
		return nil, err
	}
	if err := record(m.Graph); err != nil {
		return nil, err
	}
	m.Notes, m.nodes, m.size = d.notes, d.nodeCount, size
	return m, nil
}

// domainName gives the default domain its one name.
func domainName(domain string) string {
	if domain == "ai.onnx" {
		return ""
	}
	return domain
}

func decodeOpsets(imports []*onnxpb.OperatorSet) (map[string]int64, error) {
	opsets := make(map[string]int64, len(imports))
	for _, o := range imports {
		domain := domainName(o.Domain)
		if old, ok := opsets[domain]; ok && old != o.Version {
			return nil, fmt.Errorf("operator set of domain %q imported in versions %d and %d", domain, old, o.Version)
		}
		if o.Version < 1 {
			return nil, fmt.Errorf("operator set of domain %q imported in version %d", domain, o.Version)
		}
		opsets[domain] = o.Version
	}
	return opsets, nil
}

// graphBuilder collects the nodes of one graph.
type graphBuilder struct {
	nodes     []*Node
	nodeNames map[string]bool
}

// add appends a node under a unique name.
func (g *graphBuilder) add(d *decoder, n *Node) error {
	if d.nodeCount++; d.nodeCount > maxNodes {
		return fmt.Errorf("more than %d nodes, local functions expanded", maxNodes)
	}
	n.Name = g.unique(n.Name)
	g.nodeNames[n.Name] = true
	g.nodes = append(g.nodes, n)
	return nil
}

// unique appends the position to names that are taken.
func (g *graphBuilder) unique(name string) string {
	for g.nodeNames[name] {
		name = fmt.Sprintf("%s#%d", name, len(g.nodes))
	}
	return name
}

// graph decodes the model's graph or, as a subgraph, the body of a
// control-flow node, which may use values from around it.
func (d *decoder) graph(p *onnxpb.Graph, s *scope, subgraph bool) (*Graph, error) {
	g := &Graph{Name: p.Name}
	defined := make(map[string]bool)
	addInitializer := func(t *Tensor) error {
		if t.Name == "" {
			return fmt.Errorf("initializer %d (%s%v) has no name", len(g.Initializers), t.DType, t.Dims)
		}
		if defined[t.Name] {
			return fmt.Errorf("two initializers are called %q", t.Name)
		}
		defined[t.Name] = true
		g.Initializers = append(g.Initializers, t)
		return nil
	}
	for _, it := range p.Initializer {
		t, err := d.tensor(it)
		if err != nil {
			return nil, fmt.Errorf("initializer: %w", err)
		}
		if err := addInitializer(t); err != nil {
			return nil, err
		}
	}
	for _, it := range p.SparseInitializer {
		t, err := d.sparse(it)
		if err != nil {
			return nil, fmt.Errorf("initializer: %w", err)
		}
		if err := addInitializer(t); err != nil {
			return nil, err
		}
	}

	inputs := make(map[string]bool)
	for i, it := range p.Input {
		if it.Name == "" {
			return nil, fmt.Errorf("graph input %d has no name", i)
		}
		if inputs[it.Name] {
			return nil, fmt.Errorf("two graph inputs are called %q", it.Name)
		}
		inputs[it.Name] = true
		if defined[it.Name] {
			continue // a default for an optional input: a constant to us
		}
		v, err := endInfo(it, subgraph)
		if err != nil {
			return nil, fmt.Errorf("graph input %q: %w", it.Name, err)
		}
		g.Inputs = append(g.Inputs, v)
	}
	for name := range inputs {
		defined[name] = true
	}

	b := &graphBuilder{nodeNames: make(map[string]bool)}
	if err := d.nodes(b, p.Node, s); err != nil {
		return nil, err
	}
	g.Nodes = b.nodes
	if err := g.link(defined, subgraph); err != nil {
		return nil, err
	}
	if !slices.Equal(g.Nodes, b.nodes) {
		d.notes = append(d.notes, "the nodes were not in execution order and have been sorted")
	}

	for i, it := range p.Output {
		if !defined[it.Name] {
			if !subgraph || it.Name == "" {
				return nil, fmt.Errorf("graph output %d, %q, is defined nowhere", i, it.Name)
			}
			if !slices.Contains(g.Captured, it.Name) {
				g.Captured = append(g.Captured, it.Name)
			}
		}
		v, err := endInfo(it, subgraph)
		if err != nil {
			return nil, fmt.Errorf("graph output %q: %w", it.Name, err)
		}
		g.Outputs = append(g.Outputs, v)
	}
	if !subgraph {
		g.Values = declaredValues(p.ValueInfo, g.Outputs)
	}
	if len(g.Outputs) == 0 && !subgraph {
		return nil, errors.New("the graph has no outputs")
	}
	return g, nil
}

// endInfo decodes the type of an input or output of a graph. Those of a
// subgraph may be sequences, which the import resolves.
func endInfo(p *onnxpb.ValueInfo, subgraph bool) (ValueInfo, error) {
	if _, sequence := p.GetType().GetValue().(*onnxpb.Type_SequenceType); sequence && subgraph {
		return ValueInfo{Name: p.Name}, nil
	}
	return valueInfo(p)
}

// declaredValues collects the types that a graph declares for its values. Those
// between its inputs and outputs are hints: what is no tensor type is passed over.
func declaredValues(between []*onnxpb.ValueInfo, outputs []ValueInfo) map[string]ValueInfo {
	values := make(map[string]ValueInfo, len(between)+len(outputs))
	for _, p := range between {
		if v, err := valueInfo(p); err == nil {
			values[p.Name] = v
		}
	}
	for _, v := range outputs {
		values[v.Name] = v
	}
	return values
}

// valueInfo decodes the type of a graph input or output. Types other than
// dense tensors, negative dimensions and unknown element types are errors; no
// type, or no shape, is not.
func valueInfo(p *onnxpb.ValueInfo) (ValueInfo, error) {
	v := ValueInfo{Name: p.Name}
	var tensor *onnxpb.TensorType
	switch t := p.GetType().GetValue().(type) {
	case nil:
		return v, nil
	case *onnxpb.Type_TensorType:
		tensor = t.TensorType
	case *onnxpb.Type_SequenceType:
		return v, errors.New("a sequence; only tensors are supported")
	case *onnxpb.Type_MapType:
		return v, errors.New("a map; only tensors are supported")
	case *onnxpb.Type_OptionalType:
		return v, errors.New("an optional value; only tensors are supported")
	case *onnxpb.Type_SparseTensorType:
		return v, errors.New("a sparse tensor; only dense tensors are supported")
	}
	v.DType = DType(tensor.GetElemType())
	if v.DType != Undefined && !v.DType.Known() {
		return v, fmt.Errorf("unknown element type %s", v.DType)
	}
	if tensor.GetShape() == nil {
		return v, nil
	}
	v.HasShape = true
	var fixed []int
	for i, dim := range tensor.Shape.Dim {
		out := Dim{Size: -1}
		switch x := dim.Value.(type) {
		case *onnxpb.Dimension_DimValue:
			if x.DimValue == -1 {
				break // open, as some exporters write it
			}
			if x.DimValue < 0 {
				return v, fmt.Errorf("dimension %d is %d; an open dimension has a name or nothing in place of a size", i, x.DimValue)
			}
			out.Size = int(x.DimValue)
			fixed = append(fixed, out.Size)
		case *onnxpb.Dimension_DimParam:
			out.Name = x.DimParam
		}
		v.Dims = append(v.Dims, out)
	}
	_, err := numElements(fixed)
	return v, err
}

// nodes decodes the nodes of a graph or function body, calls of local
// functions replaced by what they do.
func (d *decoder) nodes(g *graphBuilder, ps []*onnxpb.Node, s *scope) error {
	for i, p := range ps {
		if d.valueCount += len(p.Input) + len(p.Output); d.valueCount > maxValues {
			return fmt.Errorf("more than %d inputs and outputs of nodes, local functions expanded", maxValues)
		}
		n := &Node{
			Name:    p.Name,
			Op:      p.OpType,
			Domain:  domainName(p.Domain),
			Inputs:  s.valuesOf(p.Input),
			Outputs: s.valuesOf(p.Output),
			Loc:     sourceLine(p.MetadataProps),
		}
		if n.Name == "" {
			n.Name = fmt.Sprintf("%s#%d", p.OpType, i)
		}
		n.Name = g.unique(s.prefix + n.Name)
		if err := d.attributes(n, p.Attribute, s); err != nil {
			return err
		}
		if f := d.functions[functionKey{n.Domain, n.Op, p.Overload}]; f != nil {
			if err := d.inline(g, f, n, s); err != nil {
				return err
			}
			continue
		}
		if n.Op == "" {
			return n.errorf("no operator type")
		}
		n.Version = s.opsets[n.Domain]
		if n.Domain == "" && n.Version == 0 {
			return n.errorf("the model imports no operator set for the default domain")
		}
		if !slices.ContainsFunc(n.Outputs, func(s string) bool { return s != "" }) {
			d.notes = append(d.notes, fmt.Sprintf("%s has no outputs and was left out", n))
			continue
		}
		// Keeps the number of edges, inputs times outputs, linear in the size of the file.
		if limit := max(4096, 16*(len(n.Inputs)+len(n.Outputs))); len(n.Inputs)*len(n.Outputs) > limit {
			return n.errorf("%d inputs with %d outputs is more than any operator has", len(n.Inputs), len(n.Outputs))
		}
		if err := g.add(d, n); err != nil {
			return err
		}
	}
	return nil
}

var stackFrame = regexp.MustCompile(`File "([^"]*)", line (\d+)`)

// sourceLine takes the innermost line of the stack trace that PyTorch notes
// for a node, as "model.py:62: x = self.conv(x)".
func sourceLine(props []*onnxpb.StringEntry) string {
	for _, e := range props {
		if e.Key != "pkg.torch.onnx.stack_trace" {
			continue
		}
		trace := strings.TrimSpace(e.Value)
		code := strings.TrimSpace(trace[strings.LastIndexByte(trace, '\n')+1:])
		frames := stackFrame.FindAllStringSubmatch(trace, -1)
		if len(frames) == 0 {
			return code
		}
		frame := frames[len(frames)-1]
		where := frame[1] + ":" + frame[2]
		if stackFrame.MatchString(code) {
			return where
		}
		return where + ": " + code
	}
	return ""
}

// attributes decodes the attributes of n. Inside a function, an attribute can
// stand for one of the function's, and is left out if the caller gave none.
func (d *decoder) attributes(n *Node, ps []*onnxpb.Attribute, s *scope) error {
	n.Attrs = make(map[string]any, len(ps))
	seen := make(map[string]bool, len(ps))
	for _, p := range ps {
		if p.Name == "" {
			return n.errorf("an attribute has no name")
		}
		if seen[p.Name] {
			return n.errorf("attribute %q is given twice", p.Name)
		}
		seen[p.Name] = true
		if p.RefAttrName != "" {
			if s.function == nil {
				return n.errorf("attribute %q refers to %q, but is not inside a function", p.Name, p.RefAttrName)
			}
			if v, ok := s.attrs[p.RefAttrName]; ok {
				n.Attrs[p.Name] = v
			}
			continue
		}
		v, err := d.attribute(p, s)
		if err != nil {
			return n.errorf("attribute %q: %w", p.Name, err)
		}
		n.Attrs[p.Name] = v
	}
	return nil
}

// attribute decodes one attribute value; see Attr for the Go types.
func (d *decoder) attribute(p *onnxpb.Attribute, s *scope) (any, error) {
	// The codes are those of AttributeProto.AttributeType.
	switch p.Type {
	case 0:
		return nil, errors.New("has no type")
	case 1:
		return p.F, nil
	case 2:
		return p.I, nil
	case 3:
		return string(p.S), nil
	case 4:
		if p.T == nil {
			return nil, errors.New("a tensor attribute without a tensor")
		}
		return d.tensor(p.T)
	case 5:
		if p.G == nil {
			return nil, errors.New("a graph attribute without a graph")
		}
		return d.subgraph(p.G, s)
	case 6:
		return p.Floats, nil
	case 7:
		return p.Ints, nil
	case 8:
		out := make([]string, len(p.Strings))
		for i, b := range p.Strings {
			out[i] = string(b)
		}
		return out, nil
	case 9:
		return each(p.Tensors, d.tensor)
	case 10:
		return each(p.Graphs, func(g *onnxpb.Graph) (*Graph, error) { return d.subgraph(g, s) })
	case 11:
		if p.SparseTensor == nil {
			return nil, errors.New("a sparse tensor attribute without a sparse tensor")
		}
		return d.sparse(p.SparseTensor)
	case 12:
		return each(p.SparseTensors, d.sparse)
	case 13:
		return attrOther("type"), nil
	case 14:
		return attrOther("types"), nil
	}
	return nil, fmt.Errorf("unknown attribute type %d", p.Type)
}

func (d *decoder) subgraph(p *onnxpb.Graph, s *scope) (*Graph, error) {
	if s.function != nil {
		return nil, fmt.Errorf("control flow inside local function %q is not supported", s.function.Name)
	}
	return d.graph(p, s, true)
}

func each[P, T any](ps []P, f func(P) (T, error)) ([]T, error) {
	out := make([]T, len(ps))
	for i, p := range ps {
		var err error
		if out[i], err = f(p); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }
