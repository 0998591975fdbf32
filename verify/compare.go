package verify

import (
	"context"
	"fmt"
	"math"

	"github.com/billnet/billnet/ir"
)

// DefaultBound is how far floats may be apart, absolute up to 1 and relative
// above.
const DefaultBound = 1e-5

// Report is the result of a comparison.
type Report struct {
	A       string         `json:"a"`
	B       string         `json:"b"`
	Inputs  int            `json:"inputs"`
	Bound   float64        `json:"bound"` // of floats
	Outputs []OutputReport `json:"outputs"`
}

// OutputReport compares one output over all inputs.
type OutputReport struct {
	Output  string      `json:"output"`
	Type    string      `json:"type"`  // of the first evaluator
	Exact   bool        `json:"exact"` // compared to the last bit: integers and bits on both sides
	Largest float64     `json:"largest_difference"`
	Differ  int         `json:"inputs_that_differ"`
	First   *Difference `json:"first_difference,omitempty"`
}

// Difference is the first element in which two values differ.
type Difference struct {
	Name    string  `json:"name"`         // of the output or layer
	Op      string  `json:"op,omitempty"` // of a layer, in the second evaluator
	Input   int     `json:"input"`        // set of inputs, from 0
	Element []int   `json:"element"`      // its place in the second evaluator's shape
	A       float64 `json:"a"`
	B       float64 `json:"b"`
	Count   int     `json:"count"` // of elements that differ
	Elems   int     `json:"elements"`
}

func (d *Difference) String() string {
	return fmt.Sprintf("element %s is %v against %v; %d of %d elements differ", ir.ShapeString(d.Element), d.A, d.B, d.Count, d.Elems)
}

// Equal reports whether no output differs.
func (r *Report) Equal() bool { return r.First() == nil }

// First returns the first difference of an output, that on the earliest input,
// or nil.
func (r *Report) First() *Difference {
	var first *Difference
	for _, o := range r.Outputs {
		if o.First != nil && (first == nil || o.First.Input < first.Input) {
			first = o.First
		}
	}
	return first
}

// Compare runs two evaluators on inputs of the first one's types and compares
// all outputs.
func Compare(ctx context.Context, a, b Evaluator, inputs [][]*ir.Tensor, bound float64) (*Report, error) {
	r := &Report{A: a.Name(), B: b.Name(), Inputs: len(inputs), Bound: bound}
	in, err := matchPorts("input", a, b, a.Inputs(), b.Inputs())
	if err != nil {
		return nil, err
	}
	out, err := matchPorts("output", a, b, a.Outputs(), b.Outputs())
	if err != nil {
		return nil, err
	}
	for i, p := range a.Outputs() {
		exact := !p.Type.DType.IsFloat() && !b.Outputs()[out[i]].Type.DType.IsFloat()
		r.Outputs = append(r.Outputs, OutputReport{Output: p.Name, Type: p.Type.String(), Exact: exact})
	}
	for n, set := range inputs {
		x, err := a.Run(ctx, set, nil)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", a.Name(), err)
		}
		y, err := b.Run(ctx, inputsFor(b.Inputs(), in, set), nil)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", b.Name(), err)
		}
		for i := range r.Outputs {
			o := &r.Outputs[i]
			d, largest := difference(x[i], y[out[i]], bound)
			o.Largest = max(o.Largest, largest)
			if d == nil {
				continue
			}
			o.Differ++
			if o.First == nil {
				d.Name, d.Input = o.Output, n
				o.First = d
			}
		}
	}
	return r, nil
}

// difference compares two values of equally many elements. It returns nil when
// they agree, and the largest distance of two finite elements.
func difference(a, b *ir.Tensor, bound float64) (first *Difference, largest float64) {
	float := a.Type.DType.IsFloat() || b.Type.DType.IsFloat()
	code := bitCode(a.Type.DType, b.Type.DType)
	for i := range b.Len() {
		x, y := code(a.Float(i)), code(b.Float(i))
		if x == y || x != x && y != y {
			continue
		}
		d := math.Abs(x - y)
		if d == d && !math.IsInf(d, 0) {
			largest = max(largest, d)
		}
		if float && d <= bound*max(1, math.Abs(x)) && !math.IsInf(x, 0) {
			continue
		}
		if first == nil {
			first = &Difference{Element: place(i, b.Type.Shape), A: a.Float(i), B: b.Float(i), Elems: b.Len()}
		}
		first.Count++
	}
	return first, largest
}

// bitCode makes bits of different meaning comparable: {0,1} against {-1,+1}.
func bitCode(a, b ir.DType) func(float64) float64 {
	if a != b && (a == ir.SBit || b == ir.SBit) && isTruth(a) && isTruth(b) {
		return func(v float64) float64 { return max(v, 0) }
	}
	return func(v float64) float64 { return v }
}

func isTruth(d ir.DType) bool { return d.IsBit() || d == ir.Bool }

// place turns an index into coordinates.
func place(i int, shape []int) []int {
	at := make([]int, len(shape))
	for k := len(shape) - 1; k >= 0; k-- {
		at[k] = i % shape[k]
		i /= shape[k]
	}
	return at
}

// LayerReport compares the layers of two evaluators on one set of inputs.
type LayerReport struct {
	Compared int         `json:"compared"`
	Differ   int         `json:"differ"`
	First    *Difference `json:"first_difference,omitempty"` // in the order of the second evaluator
}

// CompareLayers compares the values that have the same name, kind of element
// (float, integer, bit, ternary) and shape on both sides. A value that occurs
// several times under one name is compared occurrence by occurrence; where the
// numbers of occurrences are unequal only the last counts. What occurs on one
// side only is left out.
func CompareLayers(ctx context.Context, a, b Evaluator, input []*ir.Tensor, bound float64) (*LayerReport, error) {
	in, err := matchPorts("input", a, b, a.Inputs(), b.Inputs())
	if err != nil {
		return nil, err
	}
	x, err := layersOf(ctx, a, input)
	if err != nil {
		return nil, err
	}
	y, err := layersOf(ctx, b, inputsFor(b.Inputs(), in, input))
	if err != nil {
		return nil, err
	}
	r := &LayerReport{}
	for _, l := range y.order {
		k := l.key
		if l.number < len(y.values[k])-1 && len(x.values[k]) != len(y.values[k]) || len(x.values[k]) == 0 {
			continue
		}
		other := x.values[k][len(x.values[k])-1]
		if len(x.values[k]) == len(y.values[k]) {
			other = x.values[k][l.number]
		}
		r.Compared++
		d, _ := difference(other.tensor(), y.values[k][l.number].tensor(), bound)
		if d == nil {
			continue
		}
		r.Differ++
		if r.First == nil {
			d.Name, d.Op = k.name, l.op
			r.First = d
		}
	}
	return r, nil
}

// layers are the values of a run.
type layers struct {
	values map[layerKey][]packedValue
	order  []layerAt
}

// layerKey says which values correspond.
type layerKey struct{ name, kind, shape string }

type layerAt struct {
	key    layerKey
	number int // among the values of its key
	op     string
}

func layersOf(ctx context.Context, e Evaluator, input []*ir.Tensor) (*layers, error) {
	l := &layers{values: map[layerKey][]packedValue{}}
	_, err := e.Run(ctx, input, func(v Layer) {
		if v.Name == "" {
			return
		}
		k := layerKey{v.Name, kindOf(v.Value.Type.DType), ir.ShapeString(squeezed(v.Value.Type.Shape))}
		l.order = append(l.order, layerAt{k, len(l.values[k]), v.Op})
		l.values[k] = append(l.values[k], packValue(v.Value))
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", e.Name(), err)
	}
	return l, nil
}

// kindOf is the family of an element type: its members are compared as numbers.
func kindOf(d ir.DType) string {
	switch {
	case d.IsFloat():
		return "float"
	case d == ir.Tern:
		return "ternary"
	case isTruth(d):
		return "bit"
	}
	return "integer"
}

// packedValue is a tensor in little memory: the layers of a network are kept all
// at once.
type packedValue struct {
	t     *ir.Tensor // floats and wide integers
	typ   ir.Type
	bytes []int8
}

func packValue(t *ir.Tensor) packedValue {
	p := packedValue{typ: t.Type}
	if !t.HoldsInts() {
		p.t = t // evaluators do not reuse the memory of a result
		return p
	}
	p.bytes = make([]int8, t.Len())
	for i, v := range t.Ints() {
		if v != int64(int8(v)) {
			return packedValue{typ: t.Type, t: t}
		}
		p.bytes[i] = int8(v)
	}
	return p
}

func (p packedValue) tensor() *ir.Tensor {
	if p.t != nil {
		return p.t
	}
	t := ir.IntTensor(p.typ.DType, make([]int64, len(p.bytes)), p.typ.Shape...)
	for i, v := range p.bytes {
		t.Ints()[i] = int64(v)
	}
	return t
}
