package onnx

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/billnet/billnet/ir"
)

// operator names an operator; the default domain is "".
type operator struct{ domain, name string }

// handler maps one operator onto ir.
type handler struct {
	least, most int // number of inputs; the first least must be there
	convert     func(c *call) []*ir.Value
}

const many = math.MaxInt

func (h handler) arity() string {
	switch h.most {
	case h.least:
		return fmt.Sprint(h.least)
	case many:
		return fmt.Sprintf("%d or more", h.least)
	}
	return fmt.Sprintf("%d to %d", h.least, h.most)
}

// ignoredAttrs have no meaning for inference: hints of early operator sets,
// of training, and on results that no handler provides.
var ignoredAttrs = map[string]bool{
	"consumed_inputs": true, "momentum": true, "is_test": true, "output_sequence": true, "storage_order": true, "saturate": true, "ratio": true, "seed": true,
}

// unsupportedReason is the error of a node that is valid ONNX but has no
// counterpart in ir.
type unsupportedReason struct{ reason string }

func (e *unsupportedReason) Error() string { return e.reason }

// call is one node being imported. Its methods do not return errors: they end
// the handler by a panic that run turns into the node's error, so that a
// handler reads as the mapping it is.
type call struct {
	*Node
	imp  *importer
	args []*ir.Value
	used map[string]bool // attributes looked at
}

// stop is what a call panics with.
type stop struct{ err error }

func (c *call) run(convert func(c *call) []*ir.Value) (out []*ir.Value, err error) {
	defer func() {
		switch p := recover().(type) {
		case nil:
		case stop:
			err = p.err
		default:
			panic(p)
		}
	}()
	return convert(c), nil
}

func (c *call) failf(format string, args ...any) { panic(stop{fmt.Errorf(format, args...)}) }

// unsupportedf ends the handler for a node that is right but out of reach.
func (c *call) unsupportedf(format string, args ...any) {
	panic(stop{&unsupportedReason{fmt.Sprintf(format, args...)}})
}

// in returns input i, nil if it is left out.
func (c *call) in(i int) *ir.Value {
	if i < len(c.args) {
		return c.args[i]
	}
	return nil
}

// must returns input i, which must be there.
func (c *call) must(i int) *ir.Value {
	v := c.in(i)
	if v == nil {
		c.failf("input %d is left out", i)
	}
	return v
}

// typ returns the type of input i, which must be there.
func (c *call) typ(i int) ir.Type { return c.must(i).Type }

// attr returns an attribute, or def if there is none.
func attr[T any](c *call, name string, def T) T {
	c.used[name] = true
	v, ok := c.Attrs[name]
	if !ok {
		return def
	}
	t, ok := v.(T)
	if !ok {
		c.failf("attribute %q is of kind %s, expected %s", name, attrKind(v), attrKind(def))
	}
	return t
}

func (c *call) has(name string) bool {
	c.used[name] = true
	_, ok := c.Attrs[name]
	return ok
}

func (c *call) int(name string, def int) int           { return int(attr(c, name, int64(def))) }
func (c *call) bool(name string, def bool) bool        { return c.int(name, b2i(def)) != 0 }
func (c *call) str(name, def string) string            { return attr(c, name, def) }
func (c *call) float(name string, def float32) float64 { return float64(attr(c, name, def)) }
func (c *call) ints(name string) []int                 { return toInts(attr[[]int64](c, name, nil)) }

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

func toInts(v []int64) []int {
	out := make([]int, len(v))
	for i := range v {
		out[i] = int(v[i])
	}
	return out
}

// floats returns a list of floats, empty if there is none.
func (c *call) floats(name string) []float64 {
	list := attr[[]float32](c, name, nil)
	out := make([]float64, len(list))
	for i, v := range list {
		out[i] = float64(v)
	}
	return out
}

// constIn computes input i at import: shapes, axes and the like must be known.
func (c *call) constIn(i int, what string) *ir.Tensor {
	t, err := c.imp.fold(c.must(i))
	if err != nil {
		c.unsupportedf("the %s (input %d, %q) must be known when the model is compiled: %v", what, i, c.Inputs[i], err)
	}
	return t
}

// constInts is constIn for integers.
func (c *call) constInts(i int, what string) []int {
	t := c.constIn(i, what)
	if !t.Type.DType.IsInt() {
		c.failf("the %s (input %d) is %s, expected integers", what, i, t.Type)
	}
	return toInts(t.Ints())
}

// intsOr returns integers that are an attribute in early operator sets and
// input i in later ones; ok is false if there are none.
func (c *call) intsOr(i int, name string) (v []int, ok bool) {
	if c.in(i) != nil {
		return c.constInts(i, name), true
	}
	return c.ints(name), c.has(name)
}

// node appends an ir node; arguments left out at the end are dropped.
func (c *call) node(op *ir.Op, attrs map[string]any, args ...*ir.Value) *ir.Node {
	for len(args) > 0 && args[len(args)-1] == nil {
		args = args[:len(args)-1]
	}
	n, err := ir.NewNode(op, slices.Clone(args), attrs, ir.Loc{Name: c.Name})
	if err != nil {
		panic(stop{fmt.Errorf("%s", strings.TrimPrefix(err.Error(), op.Name+": "))})
	}
	if err := ir.CheckIndices(n); err != nil {
		panic(stop{err})
	}
	c.spendNode()
	c.imp.append(n)
	return n
}

// emit is node for one result.
func (c *call) emit(op *ir.Op, attrs map[string]any, args ...*ir.Value) *ir.Value {
	return c.node(op, attrs, args...).Results[0]
}

// constant appends a constant.
func (c *call) constant(t *ir.Tensor) *ir.Value {
	c.spendNode()
	return c.imp.append(ir.NewConst(t, ir.Loc{Name: c.Name}))
}

// scalar appends a constant without axes.
func (c *call) scalar(d ir.DType, v float64) *ir.Value { return c.constant(ir.Scalar(d, v)) }

// reshape gives v another shape, if it is one.
func (c *call) reshape(v *ir.Value, shape []int) *ir.Value {
	for _, op := range []*ir.Op{ir.Reshape, ir.Unsqueeze} {
		if x := ir.Unwrap(v, op); x != nil && ir.SameShape(x.Type.Shape, shape) {
			return x
		}
	}
	if ir.SameShape(v.Type.Shape, shape) {
		return v
	}
	return c.emit(ir.Reshape, attrs{"shape": shape}, v)
}

// cast converts v, if it has another type.
func (c *call) cast(v *ir.Value, to ir.DType) *ir.Value {
	if v.Type.DType == to {
		return v
	}
	return c.emit(ir.Cast, attrs{"to": to.String()}, v)
}

// axis normalizes an axis of a rank.
func (c *call) axis(a, rank int) int {
	a, err := ir.Axis(a, rank)
	if err != nil {
		panic(stop{err})
	}
	return a
}

type attrs = map[string]any

func one(v *ir.Value) []*ir.Value { return []*ir.Value{v} }
