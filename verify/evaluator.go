package verify

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/billnet/billnet/ir"
)

// Evaluator is one side of a comparison.
type Evaluator interface {
	// Name is what messages call it, such as the file's name.
	Name() string

	// Inputs and Outputs are the interface in order. The shapes are those of one
	// clip.
	Inputs() []Port
	Outputs() []Port

	// Run evaluates one set of inputs, in the order and of the types of Inputs,
	// and returns the outputs in order. Where visit is not nil and the evaluator
	// knows layers, it is called with the value of each in the order of
	// evaluation. It may read the tensor but not keep or change it.
	Run(ctx context.Context, inputs []*ir.Tensor, visit func(Layer)) ([]*ir.Tensor, error)

	// Close frees what the evaluator holds.
	Close()
}

// Port is an input or output.
type Port struct {
	Name string
	Type ir.Type // dense
}

// Layer is the value that one operation gives and something reads: of an LSTM
// whose last state alone is read, that state.
type Layer struct {
	Name  string // of the layer of the source
	Op    string
	Value *ir.Tensor
}

// Module is a module under the reference interpreter, at any level.
type Module struct {
	M     *ir.Module
	Label string // what messages call it; the module's own name when empty
}

// Name is the label or the module's name.
func (m *Module) Name() string {
	if m.Label != "" {
		return m.Label
	}
	return m.M.Name
}

// Inputs is the parameters of the main function.
func (m *Module) Inputs() []Port { return ports(m.M.Main().Params) }

// Outputs is the results of the main function.
func (m *Module) Outputs() []Port { return ports(m.M.Main().Results) }

func ports(list []ir.Port) []Port {
	out := make([]Port, len(list))
	for i, p := range list {
		out[i] = Port{p.Name, p.Value.Type.With(p.Value.Type.DType)}
	}
	return out
}

// Run evaluates the main function; layers are the results of all operations but
// constants.
func (m *Module) Run(ctx context.Context, inputs []*ir.Tensor, visit func(Layer)) ([]*ir.Tensor, error) {
	var trace ir.Trace
	if visit != nil {
		uses := m.M.Main().Uses()
		trace = func(n *ir.Node, results []*ir.Tensor) {
			if n.Is(ir.Const) {
				return
			}
			for i, t := range results {
				if len(uses[n.Results[i]]) == 0 {
					continue
				}
				visit(Layer{n.Loc.Name, n.Op.Name, t})
			}
		}
	}
	return ir.Eval(ctx, m.M.Main(), inputs, trace)
}

// Close does nothing: a module holds no resources.
func (m *Module) Close() {}

// RandomInputs returns n sets of inputs for a comparison of a and b: zeros, then
// the largest values, then random ones, the same at every call. Where one side
// takes integers and the other floats, the numbers are integers.
func RandomInputs(a, b Evaluator, n int) ([][]*ir.Tensor, error) {
	order, err := matchPorts("input", a, b, a.Inputs(), b.Inputs())
	if err != nil {
		return nil, err
	}
	f := &ir.Func{}
	for i, p := range a.Inputs() {
		t := p.Type
		if other := b.Inputs()[order[i]].Type.DType; t.DType.IsFloat() && !other.IsFloat() {
			t = t.With(other)
		}
		f.Params = append(f.Params, ir.Port{Name: p.Name, Value: &ir.Value{Type: t}})
	}
	limits := indexLimits(a, b, order)
	rng := rand.New(rand.NewPCG(0x62696c6c, 0x6e6574))
	sets := make([][]*ir.Tensor, n)
	for i := range sets {
		sets[i] = ir.RandomWithin(f, limits, rng, i)
		for k, t := range sets[i] {
			sets[i][k] = t.Convert(a.Inputs()[k].Type.DType)
		}
	}
	return sets, nil
}

// indexLimits are those of a's inputs, as far as one of both is a module. Bytecode
// does not tell: integers wider than a byte, which may be indices, are 0 there.
func indexLimits(a, b Evaluator, order []int) []int {
	limits := make([]int, len(a.Inputs()))
	known := false
	add := func(m *Module, at func(i int) int) {
		known = true
		of := ir.IndexLimits(m.M.Main())
		for i := range limits {
			if l := of[at(i)]; l > 0 && (limits[i] == 0 || l < limits[i]) {
				limits[i] = l
			}
		}
	}
	if m, ok := a.(*Module); ok {
		add(m, func(i int) int { return i })
	}
	if m, ok := b.(*Module); ok {
		add(m, func(i int) int { return order[i] })
	}
	for i, p := range a.Inputs() {
		if !known && p.Type.DType.IsInt() && p.Type.DType.Bits() > 8 {
			limits[i] = 1
		}
	}
	return limits
}

// matchPorts finds for every port of one evaluator that of the other: by name
// where all names are the same, else by position. Both must have equally many
// elements; axes of size 1 do not matter.
func matchPorts(what string, a, b Evaluator, pa, pb []Port) ([]int, error) {
	if len(pa) != len(pb) {
		return nil, fmt.Errorf("%s has %s, %s has %s: the %ss do not correspond", a.Name(), portList(pa), b.Name(), portList(pb), what)
	}
	at := map[string]int{}
	for i, p := range pb {
		at[p.Name] = i
	}
	order := make([]int, len(pa))
	byName := true
	for i, p := range pa {
		k, ok := at[p.Name]
		byName = byName && ok
		order[i] = k
	}
	for i, p := range pa {
		if !byName {
			order[i] = i
		}
		q := pb[order[i]]
		if !ir.SameShape(squeezed(p.Type.Shape), squeezed(q.Type.Shape)) {
			return nil, fmt.Errorf("%s %q of %s is %s, that of %s is %s: they do not correspond", what, p.Name, a.Name(), p.Type, b.Name(), q.Type)
		}
	}
	return order, nil
}

func portList(list []Port) string {
	if len(list) == 0 {
		return "none"
	}
	text := make([]string, len(list))
	for i, p := range list {
		text[i] = fmt.Sprintf("%q %s", p.Name, p.Type)
	}
	return strings.Join(text, ", ")
}

// squeezed is a shape without its axes of size 1.
func squeezed(shape []int) []int {
	out := []int{}
	for _, d := range shape {
		if d != 1 {
			out = append(out, d)
		}
	}
	return out
}

// inputsFor converts inputs of one evaluator to those of another.
func inputsFor(to []Port, order []int, in []*ir.Tensor) []*ir.Tensor {
	out := make([]*ir.Tensor, len(in))
	for i, t := range in {
		p := to[order[i]]
		out[order[i]] = t.Convert(p.Type.DType).Reshape(p.Type.Shape...)
	}
	return out
}
