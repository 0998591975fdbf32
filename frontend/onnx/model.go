package onnx

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Model is a decoded and checked ONNX model.
type Model struct {
	Name      string           // what to call the model in messages, usually its file name
	IRVersion int64            // version of the file format
	Opsets    map[string]int64 // operator set version by domain; the default domain is ""
	Producer  string           // exporter and its version
	Metadata  map[string]string
	Graph     *Graph
	Notes     []string // oddities that were accepted, one sentence each

	nodes int // in all graphs, local functions expanded
	size  int // bytes of the model file
}

// Graph is a list of nodes in an order in which every input is defined before
// it is used. Each value has exactly one definition: a graph input, an
// initializer or the output of one node.
type Graph struct {
	Name         string
	Inputs       []ValueInfo // without those that an initializer provides
	Outputs      []ValueInfo
	Values       map[string]ValueInfo // declared types of outputs and of values in between, where the file gives them
	Initializers []*Tensor
	Nodes        []*Node
	// Captured names the values of enclosing graphs that a sub-graph uses, in
	// order of first use; empty for the model's main graph.
	Captured []string
}

// ValueInfo is the declared name and type of a graph input or output.
type ValueInfo struct {
	Name     string
	DType    DType // Undefined if the model does not say
	Dims     []Dim
	HasShape bool // false if not even the rank is known
}

// Dim is one dimension: a fixed size, or (Size < 0) an open one with the name
// the model gives it, which may be empty.
type Dim struct {
	Size int
	Name string
}

func (d Dim) String() string {
	switch {
	case d.Size >= 0:
		return strconv.Itoa(d.Size)
	case d.Name != "":
		return d.Name
	}
	return "?"
}

// String prints the type as "float32[batch,3,16,96,128]".
func (v ValueInfo) String() string {
	if !v.HasShape {
		return v.DType.String()
	}
	dims := make([]string, len(v.Dims))
	for i, d := range v.Dims {
		dims[i] = d.String()
	}
	return v.DType.String() + "[" + strings.Join(dims, ",") + "]"
}

// Node is one operator call. Name is never empty and unique in its graph:
// nodes without a name are called by operator and position, "Conv#12". An
// empty string in Inputs or Outputs is an optional value left out.
type Node struct {
	Name    string
	Op      string
	Domain  string // "" for the default domain, also where the model writes ai.onnx
	Version int64  // of the domain's operator set; 0 if the model does not import it
	Inputs  []string
	Outputs []string
	Attrs   map[string]any // see Attr for the value types
	Loc     string         // source line the exporter noted, or ""
}

// String names the node in messages: node "enc.0.conv" (Conv).
func (n *Node) String() string { return fmt.Sprintf("node %q (%s)", n.Name, n.QualifiedOp()) }

// QualifiedOp is the operator with its domain, if that is not the default one.
func (n *Node) QualifiedOp() string {
	if n.Domain == "" {
		return n.Op
	}
	return n.Domain + "." + n.Op
}

func (n *Node) errorf(format string, args ...any) error {
	return fmt.Errorf("%s: %w", n, fmt.Errorf(format, args...))
}

// Attribute values are of one of the types float32, int64, string, []float32,
// []int64, []string, *Tensor, []*Tensor, *Graph, []*Graph, or attrOther for
// kinds no supported operator has.
type attrOther string

// attrKind names the kind of an attribute value as ONNX does.
func attrKind(v any) string {
	switch v := v.(type) {
	case float32:
		return "float"
	case int64:
		return "int"
	case string:
		return "string"
	case []float32:
		return "floats"
	case []int64:
		return "ints"
	case []string:
		return "strings"
	case *Tensor:
		return "tensor"
	case []*Tensor:
		return "tensors"
	case *Graph:
		return "graph"
	case []*Graph:
		return "graphs"
	case attrOther:
		return string(v)
	}
	return fmt.Sprintf("%T", v)
}

// Attr returns the attribute called name as a T, or def if the node does not
// have it. Another kind than T is an error.
func Attr[T any](n *Node, name string, def T) (T, error) {
	v, ok := n.Attrs[name]
	if !ok {
		return def, nil
	}
	t, ok := v.(T)
	if !ok {
		return def, n.errorf("attribute %q is a %s, expected a %s", name, attrKind(v), attrKind(def))
	}
	return t, nil
}

// numElements multiplies dims; it fails on negative dimensions and on a
// product that does not fit an int. A zero anywhere makes the product zero.
func numElements(dims []int) (int, error) {
	if slices.Contains(dims, 0) {
		for _, d := range dims {
			if d < 0 {
				return 0, fmt.Errorf("negative dimension in shape %v", dims)
			}
		}
		return 0, nil
	}
	n := 1
	for _, d := range dims {
		if d < 0 {
			return 0, fmt.Errorf("negative dimension in shape %v", dims)
		}
		if n > math.MaxInt/d {
			return 0, fmt.Errorf("shape %v has more elements than fit an integer", dims)
		}
		n *= d
	}
	return n, nil
}
