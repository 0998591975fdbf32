package onnx

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	onnxgo "github.com/owulveryck/onnx-go"
	"gonum.org/v1/gonum/graph"
	"google.golang.org/protobuf/proto"

	"github.com/billnet/billnet/frontend/onnx/onnxpb"
)

// record runs g through the onnx-go decoder and takes nodes, edges and plain
// attributes from what it hands to its backend, after comparing the two.
//
// onnx-go sees a reduced model. It identifies values by name alone, so every
// value that is left out gets a name of its own; types, tensors and
// sub-graphs, where sizes and element types can bring it down, stay here.
func record(g *Graph) error {
	if len(g.Nodes) == 0 {
		return nil // onnx-go refuses a graph whose outputs are its inputs
	}
	data, err := proto.Marshal(reduced(g))
	if err != nil {
		return fmt.Errorf("BUG: reduced model: %w", err)
	}
	rec := &recorder{names: make(map[int64]string)}
	if err := rec.decode(data); err != nil {
		return fmt.Errorf("BUG: reduced model: %w", err)
	}
	return rec.restore(g)
}

// In a reduced model a leading # marks names that are not the model's own;
// those of the model that begin with # get a second one.
func reducedName(name, absent string) string {
	if name == "" {
		return "#" + absent
	}
	if strings.HasPrefix(name, "#") {
		return "#" + name
	}
	return name
}

// originalName undoes reducedName.
func originalName(name string) string {
	if !strings.HasPrefix(name, "#") {
		return name
	}
	if strings.HasPrefix(name, "##") {
		return name[1:]
	}
	return ""
}

// fakeInput is the input that onnx-go invents for node i if it has none: the
// node's name with a suffix.
func fakeInput(i int) string { return "#" + strconv.Itoa(i) + "/input" }

// reduced builds the model for onnx-go.
func reduced(g *Graph) *onnxpb.Model {
	out := &onnxpb.Graph{}
	for _, v := range g.Inputs {
		out.Input = append(out.Input, &onnxpb.ValueInfo{Name: reducedName(v.Name, "")})
	}
	for i, n := range g.Nodes {
		p := &onnxpb.Node{Name: "#" + strconv.Itoa(i), OpType: n.Op}
		for j, name := range n.Inputs {
			p.Input = append(p.Input, reducedName(name, fmt.Sprintf("%d.%d", i, j)))
		}
		for j, name := range n.Outputs {
			p.Output = append(p.Output, reducedName(name, fmt.Sprintf("%d=%d", i, j)))
		}
		for _, name := range sortedKeys(n.Attrs) {
			if a := plainAttribute(name, n.Attrs[name]); a != nil {
				p.Attribute = append(p.Attribute, a)
			}
		}
		out.Node = append(out.Node, p)
	}
	// It wants at least one output, and would make a second node for an output
	// that is also an input.
	out.Output = []*onnxpb.ValueInfo{{Name: out.Node[0].Output[0]}}
	return &onnxpb.Model{IrVersion: 3, Graph: out}
}

// plainAttribute encodes the attribute kinds that onnx-go reads, nil for
// others.
func plainAttribute(name string, value any) *onnxpb.Attribute {
	a := &onnxpb.Attribute{Name: name}
	switch v := value.(type) {
	case float32:
		a.Type, a.F = 1, v
	case int64:
		a.Type, a.I = 2, v
	case string:
		a.Type, a.S = 3, []byte(v)
	case []float32:
		a.Type, a.Floats = 6, v
	case []int64:
		a.Type, a.Ints = 7, v
	case []string:
		a.Type = 8
		for _, s := range v {
			a.Strings = append(a.Strings, []byte(s))
		}
	default:
		return nil
	}
	return a
}

// recorder is an onnx-go backend that writes down what it is told: onnx-go
// reports the edges of a node, once for each of its outputs, and then the
// operation. Reading the graph off its final adjacency instead would lose
// repeated inputs and their order.
type recorder struct {
	graph.Directed // queries, of which onnx-go makes none

	names map[int64]string // reduced name of each value
	edges []recordedEdge   // since the last operation
	calls []recordedCall
}

// recordedCall is one operation with the names of its values.
type recordedCall struct {
	op              string
	attrs           map[string]any
	inputs, outputs []string
}

// decode runs onnx-go. It is known to panic on unusual models; none of them
// should come this far.
func (r *recorder) decode(data []byte) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("onnx-go panics: %v", p)
		}
	}()
	return onnxgo.NewModel(r).UnmarshalBinary(data)
}

// restore replaces the nodes' operators, values and plain attributes by the
// recorded ones. A difference is a fault of ours or of onnx-go.
func (r *recorder) restore(g *Graph) error {
	if len(r.calls) != len(g.Nodes) {
		return fmt.Errorf("BUG: %d nodes, but onnx-go found %d", len(g.Nodes), len(r.calls))
	}
	for i, n := range g.Nodes {
		c := r.calls[i]
		if len(n.Inputs) == 0 && len(c.inputs) == 1 && c.inputs[0] == fakeInput(i) {
			c.inputs = nil
		}
		inputs, outputs := originalNames(c.inputs), originalNames(c.outputs)
		plain := 0
		for name, value := range n.Attrs {
			if plainAttribute(name, value) == nil {
				continue
			}
			plain++
			if attrKind(c.attrs[name]) != attrKind(value) {
				return fmt.Errorf("BUG: %s: attribute %q is a %s, but onnx-go has a %s", n, name, attrKind(value), attrKind(c.attrs[name]))
			}
		}
		if c.op != n.Op || !slices.Equal(inputs, n.Inputs) || !slices.Equal(outputs, n.Outputs) || plain != len(c.attrs) {
			return fmt.Errorf("BUG: %s %v -> %v with %d plain attributes, but onnx-go has %s %v -> %v with %d",
				n, n.Inputs, n.Outputs, plain, c.op, inputs, outputs, len(c.attrs))
		}
		n.Op, n.Inputs, n.Outputs = c.op, inputs, outputs
		maps.Copy(n.Attrs, c.attrs)
	}
	return nil
}

func originalNames(names []string) []string {
	out := make([]string, len(names))
	for i, name := range names {
		out[i] = originalName(name)
	}
	return out
}

// recordedNode is a value.
type recordedNode struct {
	id  int64
	rec *recorder
}

func (n recordedNode) ID() int64         { return n.id }
func (n recordedNode) SetName(s string)  { n.rec.names[n.id] = s }
func (n recordedNode) GetName() string   { return n.rec.names[n.id] }
func (r *recorder) AddNode(_ graph.Node) {}

// NewNode makes the node of a new value.
func (r *recorder) NewNode() graph.Node {
	id := int64(len(r.names))
	r.names[id] = ""
	return recordedNode{id, r}
}

// recordedEdge says that input number slot of the operation that makes from is to.
type recordedEdge struct {
	from, to graph.Node
	slot     float64
}

func (e recordedEdge) From() graph.Node         { return e.from }
func (e recordedEdge) To() graph.Node           { return e.to }
func (e recordedEdge) Weight() float64          { return e.slot }
func (e recordedEdge) ReversedEdge() graph.Edge { return recordedEdge{e.to, e.from, e.slot} }

// NewWeightedEdge makes the edge from an output to input number slot.
func (r *recorder) NewWeightedEdge(from, to graph.Node, slot float64) graph.WeightedEdge {
	return recordedEdge{from, to, slot}
}

// SetWeightedEdge notes the edge for the operation that follows. The edges of
// its second and further outputs only repeat those of the first.
func (r *recorder) SetWeightedEdge(e graph.WeightedEdge) {
	if len(r.edges) > 0 && r.edges[0].from.ID() != e.From().ID() {
		return
	}
	r.edges = append(r.edges, recordedEdge{e.From(), e.To(), e.Weight()})
}

// ApplyOperation notes the operation with the edges since the last one.
func (r *recorder) ApplyOperation(op onnxgo.Operation, outputs ...graph.Node) error {
	if len(outputs) == 0 {
		return errors.New("operation without outputs")
	}
	c := recordedCall{op: op.Name, attrs: op.Attributes}
	for _, n := range outputs {
		c.outputs = append(c.outputs, r.names[n.ID()])
	}
	for _, e := range r.edges {
		if e.from.ID() != outputs[0].ID() || int(e.slot) != len(c.inputs) {
			return fmt.Errorf("input %v of %s out of order", e.slot, op.Name)
		}
		c.inputs = append(c.inputs, r.names[e.to.ID()])
	}
	r.edges = r.edges[:0]
	r.calls = append(r.calls, c)
	return nil
}
