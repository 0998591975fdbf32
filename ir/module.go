package ir

import (
	"fmt"
	"iter"
	"slices"
	"strconv"
)

// Module is a compilation unit. Its first function is the entry.
type Module struct {
	Name   string
	Level  Level
	Meta   map[string]string // producer and the like, printed sorted by key
	Labels []string          // class names of the first result, or nil
	Funcs  []*Func
}

// MetaUntrained is the key in Meta of a module whose parameters are still the
// random numbers that its text begins with.
const MetaUntrained = "untrained"

// Main returns the entry function.
func (m *Module) Main() *Func { return m.Funcs[0] }

// All returns all functions, each followed by the bodies in it.
func (m *Module) All() []*Func {
	var list []*Func
	for _, f := range m.Funcs {
		list = append(list, f.WithBodies()...)
	}
	return list
}

// WithBodies returns a function and the bodies in it.
func (f *Func) WithBodies() []*Func {
	list := []*Func{f}
	for _, n := range f.Nodes {
		if b := n.Body(); b != nil {
			list = append(list, b.WithBodies()...)
		}
	}
	return list
}

// All yields the nodes of a function in order, and then those of the bodies in it.
func (f *Func) All() iter.Seq[*Node] {
	return func(yield func(*Node) bool) {
		for _, g := range f.WithBodies() {
			for _, n := range g.Nodes {
				if !yield(n) {
					return
				}
			}
		}
	}
}

// metaStates is the key in Meta of a module whose main function is a step of a stream.
const metaStates = "stream.states"

// States is how many of the last parameters and results of the main function are what
// steps of a stream carry, in pairs: a result is the parameter of the next step, of
// the same type, and the first step has zeros.
func (m *Module) States() int {
	n, err := strconv.Atoi(m.Meta[metaStates])
	f := m.Main()
	if err != nil || n < 0 || n >= min(len(f.Params), len(f.Results)) {
		return 0
	}
	return n
}

// Streams reports whether the main function is a step of a stream.
func (m *Module) Streams() bool { _, ok := m.Meta[metaStates]; return ok }

// SetStates makes the main function a step of a stream that carries n values.
func (m *Module) SetStates(n int) {
	if m.Meta == nil {
		m.Meta = map[string]string{}
	}
	m.Meta[metaStates] = strconv.Itoa(n)
}

// Func is a list of nodes in order. Params and Results have names: they are the
// model's interface.
type Func struct {
	Name    string
	Params  []Port
	Nodes   []*Node
	Results []Port
}

// Port is a named parameter or result.
type Port struct {
	Name  string
	Value *Value
}

// Value is one SSA value: a function's parameter (Def == nil) or result Index
// of a node.
type Value struct {
	Type  Type
	Def   *Node
	Index int
}

// Loc says where a node comes from: a layer or node name of the source model
// and, for text, the position in a file.
type Loc struct {
	Name      string
	File      string
	Line, Col int
}

func (l Loc) String() string {
	switch {
	case l.File != "" && l.Line > 0:
		return fmt.Sprintf("%s:%d:%d", l.File, l.Line, l.Col)
	case l.Name != "":
		return fmt.Sprintf("node %q", l.Name)
	}
	return "?"
}

// Node applies an operation. A nil argument is an optional operand left out.
type Node struct {
	Op      *Op
	Args    []*Value
	Results []*Value
	Attrs   map[string]any // only what differs from the operation's defaults
	Const   *Tensor        // the payload of a const
	Loc     Loc
}

// Result returns the first result.
func (n *Node) Result() *Value { return n.Results[0] }

// Arg returns operand i, or nil when it is optional and left out.
func (n *Node) Arg(i int) *Value {
	if i < len(n.Args) {
		return n.Args[i]
	}
	return nil
}

// In returns the type of operand i, which must be there.
func (n *Node) In(i int) Type { return n.Args[i].Type }

// Is reports whether the node is not nil and applies the operation.
func (n *Node) Is(op *Op) bool { return n != nil && n.Op == op }

// Def is shorthand for the defining node of a value; nil for parameters and
// for nil.
func Def(v *Value) *Node {
	if v == nil {
		return nil
	}
	return v.Def
}

// ConstOf returns the payload when v is a constant, or nil.
func ConstOf(v *Value) *Tensor {
	if d := Def(v); d != nil {
		return d.Const
	}
	return nil
}

// NewNode makes a node, checks operands and attributes against the operation's
// literal, and infers the result types. It is not part of a function yet.
func NewNode(op *Op, args []*Value, attrs map[string]any, loc Loc) (*Node, error) {
	n := &Node{Op: op, Args: args, Loc: loc}
	for k, v := range attrs {
		if err := n.SetAttr(k, v); err != nil {
			return nil, fmt.Errorf("%s: %w", op.Name, err)
		}
	}
	if err := n.infer(); err != nil {
		return nil, err
	}
	return n, nil
}

// infer checks the node's form and sets the types of its results.
func (n *Node) infer() error {
	if err := n.checkForm(); err != nil {
		return fmt.Errorf("%s: %w", n.Op.Name, err)
	}
	types, err := n.Op.Infer(n)
	if err != nil {
		return fmt.Errorf("%s: %w", n.Op.Name, err)
	}
	for _, t := range types {
		if err := CheckShape(t.Shape); err != nil {
			return fmt.Errorf("%s: %w", n.Op.Name, err)
		}
	}
	n.Results = make([]*Value, len(types))
	for i, t := range types {
		n.Results[i] = &Value{Type: t, Def: n, Index: i}
	}
	return nil
}

// NewConst makes a constant node, which keeps t compact: nothing may write t any more.
func NewConst(t *Tensor, loc Loc) *Node {
	n := &Node{Op: Const, Const: t.Compact(), Loc: loc}
	n.Results = []*Value{{Type: t.Type, Def: n}}
	return n
}

// Builder appends nodes to a function and keeps the first error, so that a
// chain of calls needs one check at its end.
type Builder struct {
	F   *Func
	Loc Loc
	Err error
}

// Op appends a node and returns its first result. After an error it returns a
// value of an invalid type.
func (b *Builder) Op(op *Op, attrs map[string]any, args ...*Value) *Value {
	n := b.Node(op, attrs, args...)
	if n == nil {
		return &Value{}
	}
	return n.Results[0]
}

// Node appends a node; nil after an error.
func (b *Builder) Node(op *Op, attrs map[string]any, args ...*Value) *Node {
	if b.Err != nil {
		return nil
	}
	n, err := NewNode(op, args, attrs, b.Loc)
	if err != nil {
		b.Err = err
		return nil
	}
	b.F.Nodes = append(b.F.Nodes, n)
	return n
}

// Const appends a constant and returns its value.
func (b *Builder) Const(t *Tensor) *Value {
	n := NewConst(t, b.Loc)
	b.F.Nodes = append(b.F.Nodes, n)
	return n.Results[0]
}

// Scalar appends an f32 constant of rank 0.
func (b *Builder) Scalar(x float64) *Value { return b.Const(Scalar(F32, x)) }

// Float64s appends an f64 constant of rank 1.
func (b *Builder) Float64s(v ...float64) *Value {
	return b.Const(DoubleTensor(v, len(v)))
}

// Uses returns, for every value of the function, the nodes that read it (a node
// that reads it twice is there once); the function's results count as a nil node.
func (f *Func) Uses() map[*Value][]*Node {
	uses := map[*Value][]*Node{}
	for _, n := range f.Nodes {
		for i, a := range n.Args {
			if a != nil && !slices.Contains(n.Args[:i], a) {
				uses[a] = append(uses[a], n)
			}
		}
	}
	for _, r := range f.Results {
		uses[r.Value] = append(uses[r.Value], nil)
	}
	return uses
}

// Replace redirects every use of the keys to their values, followed to the end
// of chains.
func (f *Func) Replace(repl map[*Value]*Value) {
	get := func(v *Value) *Value {
		for repl[v] != nil {
			v = repl[v]
		}
		return v
	}
	for _, n := range f.Nodes {
		for i := range n.Args {
			n.Args[i] = get(n.Args[i])
		}
	}
	for i := range f.Results {
		f.Results[i].Value = get(f.Results[i].Value)
	}
}

// RemoveDead drops nodes none of whose results is used, and reports how many.
func (f *Func) RemoveDead() int {
	live := map[*Value]bool{}
	for _, r := range f.Results {
		live[r.Value] = true
	}
	kept := make([]*Node, 0, len(f.Nodes))
	for i := len(f.Nodes) - 1; i >= 0; i-- {
		n := f.Nodes[i]
		if !slices.ContainsFunc(n.Results, func(v *Value) bool { return live[v] }) {
			continue
		}
		for _, a := range n.Args {
			live[a] = true
		}
		kept = append(kept, n)
	}
	slices.Reverse(kept)
	removed := len(f.Nodes) - len(kept)
	f.Nodes = kept
	return removed
}

// Sort puts the nodes in an order in which definitions come before uses,
// keeping the present order where it can. It fails on a cycle.
func (f *Func) Sort() error {
	in := make(map[*Node]bool, len(f.Nodes))
	for _, n := range f.Nodes {
		in[n] = true
	}
	const visiting, done = 1, 2
	state := make(map[*Node]int, len(f.Nodes))
	out := make([]*Node, 0, len(f.Nodes))
	type frame struct {
		n *Node
		i int
	}
	for _, root := range f.Nodes {
		if state[root] == done {
			continue
		}
		stack := []frame{{root, 0}}
		state[root] = visiting
		for len(stack) > 0 {
			top := &stack[len(stack)-1]
			if top.i == len(top.n.Args) {
				state[top.n] = done
				out = append(out, top.n)
				stack = stack[:len(stack)-1]
				continue
			}
			d := Def(top.n.Args[top.i])
			top.i++
			if d == nil || !in[d] || state[d] == done {
				continue
			}
			if state[d] == visiting {
				return fmt.Errorf("the nodes form a cycle through %s", d.Loc)
			}
			state[d] = visiting
			stack = append(stack, frame{d, 0})
		}
	}
	f.Nodes = out
	return nil
}

// Clone returns a deep copy of the module; constants' payloads are shared.
func (m *Module) Clone() *Module {
	c := &Module{Name: m.Name, Level: m.Level, Labels: slices.Clone(m.Labels)}
	if m.Meta != nil {
		c.Meta = map[string]string{}
		for k, v := range m.Meta {
			c.Meta[k] = v
		}
	}
	for _, f := range m.Funcs {
		c.Funcs = append(c.Funcs, f.Clone())
	}
	return c
}

// Clone returns a deep copy of the function; constants' payloads are shared.
func (f *Func) Clone() *Func {
	c := &Func{Name: f.Name}
	vals := map[*Value]*Value{}
	for _, p := range f.Params {
		v := &Value{Type: p.Value.Type}
		vals[p.Value] = v
		c.Params = append(c.Params, Port{p.Name, v})
	}
	for _, n := range f.Nodes {
		k := &Node{Op: n.Op, Const: n.Const, Loc: n.Loc, Args: make([]*Value, len(n.Args))}
		if n.Attrs != nil {
			k.Attrs = map[string]any{}
			for a, v := range n.Attrs {
				if body, ok := v.(*Func); ok {
					v = body.Clone()
				}
				k.Attrs[a] = v
			}
		}
		for i, a := range n.Args {
			if a != nil {
				k.Args[i] = vals[a]
			}
		}
		for i, r := range n.Results {
			v := &Value{Type: r.Type, Def: k, Index: i}
			vals[r] = v
			k.Results = append(k.Results, v)
		}
		c.Nodes = append(c.Nodes, k)
	}
	for _, r := range f.Results {
		c.Results = append(c.Results, Port{r.Name, vals[r.Value]})
	}
	return c
}
