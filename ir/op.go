package ir

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"sort"
)

// Level is a set of abstraction levels.
type Level uint8

// The levels, from the source model to the kernels.
const (
	Source Level = 1 << iota
	Logic
	Packed
)

func (l Level) String() string {
	switch l {
	case Source:
		return "source"
	case Logic:
		return "logic"
	case Packed:
		return "packed"
	}
	return fmt.Sprintf("level(%d)", uint8(l))
}

// ParseLevel returns the level with the given name.
func ParseLevel(s string) (Level, bool) {
	for _, l := range []Level{Source, Logic, Packed} {
		if l.String() == s {
			return l, true
		}
	}
	return 0, false
}

// Op is one operation: a literal that says everything about it.
type Op struct {
	Name     string
	Doc      string // contract and equation
	Onnx     string // the ONNX operator it stands for, "" when there is none
	Since    int64  // the first operator set that has it
	Levels   Level  // where it is legal
	Operands []Param
	Results  []Param
	Attrs    []Attr

	// Infer returns the types of the results from the operands' types and the
	// attributes, or says what does not fit. The node's form has been checked.
	Infer func(n *Node) ([]Type, error)

	// Eval computes the results; an operand left out is nil. The result types
	// have been inferred.
	Eval func(n *Node, in []*Tensor) ([]*Tensor, error)

	// The facts: what passes, code generation and training need to know of an
	// operation beside its values.
	Kind   OpKind
	Values Values
	Flat   bool // floats go to jumps and constants between them: no gradient

	// Of is the operations of the source level that it computes on bits or integers;
	// nil for one that is of that level itself, or stands for none of them.
	Of []*Op

	// Work counts the multiply-accumulates, nil when there are none to speak of.
	Work func(n *Node) int

	// Slope and Reads are the parts of Node.Slope and Node.Reads that the kind does
	// not say.
	Slope func(n *Node, operand int) Slope
	Reads func(n *Node, result, operand int) []Read

	// Example is a function body in the text form: its printed form parses
	// back to itself, verifies and evaluates.
	Example string
}

// Param describes an operand or a result. Only the last may be variadic.
type Param struct {
	Name     string
	Doc      string
	Optional bool
	Variadic bool
	Index    bool // chooses among data, and is none itself
}

// Kind is the type of an attribute.
type Kind uint8

// The kinds of attributes and the Go types that hold them: int, float64,
// string, bool, []int, []float64, []string, *Func.
const (
	KInt Kind = iota
	KFloat
	KString
	KBool
	KInts
	KFloats
	KStrings
	KFunc
)

func (k Kind) String() string {
	return [...]string{"int", "float", "string", "bool", "ints", "floats", "strings", "function"}[k]
}

// Attr describes an attribute. Default is what it means when left out; an
// attribute without one is required.
type Attr struct {
	Name    string
	Kind    Kind
	Default any
	Doc     string
}

func (o *Op) String() string { return o.Name }

var registry = map[string]*Op{}

func register(op *Op) *Op {
	if registry[op.Name] != nil {
		panic("ir: operation " + op.Name + " is registered twice")
	}
	registry[op.Name] = op
	return op
}

// Lookup returns the operation with the given name, or nil.
func Lookup(name string) *Op { return registry[name] }

// Ops returns all operations sorted by name.
func Ops() []*Op {
	ops := make([]*Op, 0, len(registry))
	for _, o := range registry {
		ops = append(ops, o)
	}
	sort.Slice(ops, func(i, j int) bool { return ops[i].Name < ops[j].Name })
	return ops
}

func (o *Op) attr(name string) *Attr {
	for i := range o.Attrs {
		if o.Attrs[i].Name == name {
			return &o.Attrs[i]
		}
	}
	return nil
}

// AttrKind returns the kind of an attribute.
func (o *Op) AttrKind(name string) (Kind, bool) {
	if a := o.attr(name); a != nil {
		return a.Kind, true
	}
	return 0, false
}

func (o *Op) attrNames() []string {
	var s []string
	for _, a := range o.Attrs {
		s = append(s, a.Name)
	}
	return s
}

var kindType = map[Kind]reflect.Type{
	KInt: reflect.TypeFor[int](), KFloat: reflect.TypeFor[float64](), KString: reflect.TypeFor[string](), KBool: reflect.TypeFor[bool](),
	KInts: reflect.TypeFor[[]int](), KFloats: reflect.TypeFor[[]float64](), KStrings: reflect.TypeFor[[]string](), KFunc: reflect.TypeFor[*Func](),
}

// SetAttr sets an attribute, checked against the operation's literal. A value
// equal to the default is not stored, so that equal nodes compare equal.
func (n *Node) SetAttr(name string, v any) error {
	a := n.Op.attr(name)
	if a == nil {
		return fmt.Errorf("no attribute %q; it has %v", name, n.Op.attrNames())
	}
	if reflect.TypeOf(v) != kindType[a.Kind] {
		return fmt.Errorf("attribute %s is %v (%T), expected %s", name, v, v, a.Kind)
	}
	if f, ok := v.(*Func); ok && f == nil {
		return fmt.Errorf("attribute %s is no function", name)
	}
	if f, ok := v.(float64); ok && f != f && a.Default != nil {
		if d := a.Default.(float64); d != d {
			delete(n.Attrs, name)
			return nil
		}
	}
	if a.Default != nil && equalAttr(v, a.Default) {
		delete(n.Attrs, name)
		return nil
	}
	if n.Attrs == nil {
		n.Attrs = map[string]any{}
	}
	n.Attrs[name] = v
	return nil
}

func equalAttr(a, b any) bool {
	if x, ok := a.([]int); ok {
		return slices.Equal(x, b.([]int))
	}
	if x, ok := a.(float64); ok {
		return math.Float64bits(x) == math.Float64bits(b.(float64))
	}
	return reflect.DeepEqual(a, b)
}

func (n *Node) get(name string) any {
	if v, ok := n.Attrs[name]; ok {
		return v
	}
	a := n.Op.attr(name)
	if a == nil {
		panic("ir: " + n.Op.Name + " has no attribute " + name)
	}
	return a.Default
}

// Int returns an attribute of kind int, or its default.
func (n *Node) Int(name string) int { return n.get(name).(int) }

// Float returns an attribute of kind float, or its default.
func (n *Node) Float(name string) float64 { return n.get(name).(float64) }

// Str returns an attribute of kind string, or its default.
func (n *Node) Str(name string) string { return n.get(name).(string) }

// Bool returns an attribute of kind bool, or its default.
func (n *Node) Bool(name string) bool { return n.get(name).(bool) }

// Ints returns an attribute of kind ints, or its default.
func (n *Node) Ints(name string) []int { v, _ := n.get(name).([]int); return v }

// Floats returns an attribute of kind floats, or its default.
func (n *Node) Floats(name string) []float64 { v, _ := n.get(name).([]float64); return v }

// Strs returns an attribute of kind strings, or its default.
func (n *Node) Strs(name string) []string { v, _ := n.get(name).([]string); return v }

// Has reports whether an attribute differs from its default.
func (n *Node) Has(name string) bool { _, ok := n.Attrs[name]; return ok }

// checkForm checks the number of operands and that required attributes are set.
func (n *Node) checkForm() error {
	o := n.Op
	least, most := 0, len(o.Operands)
	for i, p := range o.Operands {
		if p.Variadic {
			most = math.MaxInt
		}
		if !p.Optional && !p.Variadic {
			least = i + 1
		}
	}
	if len(n.Args) < least || len(n.Args) > most {
		return fmt.Errorf("%d operands, expected %s", len(n.Args), o.signature())
	}
	for i, a := range n.Args {
		p := o.Operands[min(i, len(o.Operands)-1)]
		if a == nil && !p.Optional {
			return fmt.Errorf("operand %s is missing", p.Name)
		}
		if a != nil && a.Type.DType == Invalid {
			return fmt.Errorf("operand %s has no type", p.Name)
		}
	}
	for _, a := range o.Attrs {
		if _, ok := n.Attrs[a.Name]; !ok && a.Default == nil {
			return fmt.Errorf("attribute %s (%s) is required: %s", a.Name, a.Kind, a.Doc)
		}
	}
	return nil
}

func (o *Op) signature() string {
	s := "("
	for i, p := range o.Operands {
		if i > 0 {
			s += ", "
		}
		s += p.Name
		if p.Optional {
			s += "?"
		}
		if p.Variadic {
			s += "..."
		}
	}
	return s + ")"
}
